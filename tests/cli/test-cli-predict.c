/* SPDX-License-Identifier: Apache-2.0 */
/* `rankmil predict`: what it is given, what it takes of the run, and what its table says of the model. */
#include "command.h"

#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static char *root;

static RmilTable *predictions_of(const char *folder) {
    g_autofree char *name = g_build_filename(folder, "predictions.csv", NULL);
    return test_rows(root, name);
}

/* run/ is of tiles of 0.6 µm per pixel; a.tiff and a.h5 are a slide of it and its features. */
static void begin(void) {
    if (root) return;
    root = test_folder();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "set -e; \"$RANKMIL\" synth cohort --slides 10 --width 1400 --height 1200 --positive 0.5 --seed 5 -q\n"
                  "\"$RANKMIL\" run cohort/cohort.csv -o run --epochs 2 --heatmaps 0 --repeats 2 --tile-mpp 0.6 -q\n"
                  "for slide in cohort/slides/*; do cp \"$slide\" a.tiff; break; done\n"
                  "for bag in run/features/*; do cp \"$bag\" a.h5; break; done\n");
    command_expect(&o, 0, "");
}

/* -- what is taken of the run ----------------------------------------------------------------------------------------------------- */
/* An option that differs from the run's is refused before anything is made; an equal one is taken. */
static void test_other_tiles(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const char *const cases[][3] = {
        {"--tile-mpp", "1", "the model was trained on tiles of 0.6 µm per pixel, and --tile-mpp 1 would "},
        {"--min-tissue", "0.5", "tiles with a share of tissue of at least 0.05, and --min-tissue 0.5 would "},
        {"--mask-mpp", "8", "tiles of a tissue mask of 4 µm per pixel, and --mask-mpp 8 would "},
        {"--tile-mpp", "0.5", "--tile-mpp 0.5 would give it something different"}, /* the program's own default is another one, too */
        {"--tile-mpp", "nan", "--tile-mpp nan would give it something different"},
        {"--encode-bfloat16", "--encoder=texture", "leave --encode-bfloat16 out"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        command_run(&o, root, "predict", "run", "a.tiff", "-o", "refused", cases[i][0], cases[i][1], NULL);
        command_expect(&o, 1, cases[i][2]);
    }
    g_autofree char *made = g_build_filename(root, "refused", NULL);
    g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "plain", "-q", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "equal", "-q", "--tile-mpp", "0.6", "--min-tissue", "0.05", "--mask-mpp", "4",
                "--encoder", "texture", "--mpp", "0.5", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "encoder", "-q", "--encoder", "texture", NULL);
    command_expect(&o, 0, "");
    command_shell(&o, root, "cmp plain/patches/a.csv equal/patches/a.csv && cmp plain/patches/a.csv encoder/patches/a.csv");
    command_expect(&o, 0, "");
    /* a slide of another resolution than the training's */
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "coarse", "--mpp", "1.5", NULL);
    command_expect(&o, 0, "has 1.5 µm per pixel, but the model was trained on slides of 0.5: ");
}

/* A model file alone does not say what it was trained on. */
static void test_alone(void) {
    begin();
    g_auto(Outcome) o = {0};
    const char *said =
        "run/runs/rank/0/model.safetensors: a model file does not record how its slides were turned into features. Assumed: tiles of "
        "0.5 µm per pixel with at least a share of 0.05 of tissue, encoder texture. Give the folder of its run instead, which records it, "
        "or "
        "--tile-mpp";
    command_run(&o, root, "predict", "run/runs/rank/0/model.safetensors", "a.tiff", "cohort/slides", "-o", "alone", NULL);
    command_expect(&o, 0, said);
    g_assert_cmpint(test_count(o.err, "Assumed"), ==, 1);
    command_run(&o, root, "predict", "run/runs/rank/0/model.safetensors", "a.tiff", "-o", "alone", "--tile-mpp", "0.6", NULL);
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.err, "Assumed"));
    command_run(&o, root, "predict", "run/runs/rank/0/model.safetensors", "a.h5", "-o", "alone", NULL);
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.err, "Assumed")); /* nothing is tiled */
    command_shell(&o, root, "cp -r run/runs/rank/0 bare && sed -i 's/\"preprocessing\"/\"unknown\"/' bare/run.json");
    command_run(&o, root, "predict", "bare", "a.tiff", "-o", "alone", NULL);
    command_expect(&o, 0, "bare: its run.json does not record how its slides were turned into features. Assumed: tiles of 0.5");
}

/* An encoder that is not the record's (features came from elsewhere) leaves the rest of it in doubt, too. */
static void test_other_encoder(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "predict", "run", "a.tiff", "-o", "resnet", "--encoder", "resnet50", NULL); /* which has no weights here */
    command_expect(&o, 1,
                   "run: its run.json names a different encoder from --encoder, so its settings are not used. Assumed: tiles "
                   "of 0.5");
}

/* Where the run's folder takes nothing new, the way out is said. */
static void test_no_folder(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "run/runs/rank/1/predict", "a file in the way"));
    command_run(&o, root, "predict", "run/runs/rank/1", "a.h5", NULL);
    command_expect(&o, 1, ": give -o DIR");
    command_run(&o, root, "predict", "run/runs/rank/1", "a.h5", "-o", "elsewhere", NULL);
    command_expect(&o, 0, "");
}

/* -- which model ------------------------------------------------------------------------------------------------------------------ */
/* Table and page tell models apart, also where they have the same name; only what stands beside another model's is said. */
static void test_models(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const char *const runs[] = {"run/runs/rank/0", "run/runs/abmil/0", "run"}, *const titles[] = {"rank, seed 0", "abmil, seed 0",
                                                                                                         "rank, mean of 2 models"};
    command_shell(&o, root, "for i in 0 1 2; do cp a.h5 s$i.h5; done");
    for (int i = 0; i < 3; i++) {
        g_autofree char *slide = g_strdup_printf("s%d.h5", i),
                        *others = g_strdup_printf("models: also contains predictions of another model: %s (", titles[0]);
        command_run(&o, root, "predict", runs[i], slide, "-o", "models", NULL);
        command_expect(&o, 0, i ? others : "");
        g_assert_cmpint(test_count(o.err, "another model"), ==, i > 0);
    }
    g_autoptr(RmilTable) table = predictions_of("models");
    g_autofree char *page = test_bytes(root, "models/predictions.html", NULL);
    g_assert_cmpint(rmil_table_find(table, "digest"), ==, 10); /* columns that only some models have stand behind it */
    for (int i = 0; i < 3; i++) {
        g_autofree char *shown = g_strdup_printf("%s (%s)", titles[i], test_cell(table, i, "digest"));
        g_assert_cmpstr(test_cell(table, i, "model"), ==, titles[i]);
        g_assert_cmpuint(strlen(test_cell(table, i, "digest")), ==, 12);
        g_assert_cmpint(test_count(page, shown), ==, 2);
    }
    command_shell(
        &o, root,
        "sha256sum < run/runs/rank/0/model.safetensors; cat run/runs/rank/0/model.safetensors run/runs/rank/1/model.safetensors | "
        "sha256sum");
    g_assert_true(g_str_has_prefix(o.out, test_cell(table, 0, "digest")));
    g_assert_true(g_str_has_prefix(strchr(o.out, '\n') + 1, test_cell(table, 2, "digest")));
    g_assert_nonnull(strstr(page, "overflow-wrap:anywhere"));
    /* a split with a folder of its own */
    command_shell(&o, root, "mkdir -p moved/rank && cp -r run/runs/rank/0 moved/rank/a1");
    command_run(&o, root, "predict", "moved/rank/a1", "s0.h5", "-o", "split", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"model\" : \"rank, a1, seed 0\""));
    /* a model in the place of another is the only one that the table is of */
    command_run(&o, root, "predict", "run/runs/rank/0", "s0.h5", "s1.h5", "s2.h5", "-o", "models", "-q", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
}

/* Trained again in the same folder: the same name, another model. A table of before this column is of a model unknown. */
static void test_trained_again(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "set -e; cp a.h5 t0.h5; cp a.h5 t1.h5\n"
                  "\"$RANKMIL\" train run/cohort.csv -o one --epochs 1 -q; \"$RANKMIL\" predict one t0.h5 -q\n"
                  "\"$RANKMIL\" train run/cohort.csv -o one --epochs 1 --dropout 0.5 -q 2>/dev/null; \"$RANKMIL\" predict one t1.h5 -q\n");
    command_expect(&o, 0, "one/predict: also contains predictions of another model: rank, seed 0 (");
    g_autoptr(RmilTable) table = predictions_of("one/predict");
    g_assert_cmpstr(test_cell(table, 0, "model"), ==, test_cell(table, 1, "model"));
    g_assert_cmpstr(test_cell(table, 0, "digest"), !=, test_cell(table, 1, "digest"));
    command_shell(&o, root, "mkdir old && echo id,probability > old/predictions.csv && echo x,0.5 >> old/predictions.csv");
    command_run(&o, root, "predict", "one", "t0.h5", "-o", "old", NULL);
    command_expect(&o, 0,
                   "old: also contains predictions of another model: a model without a name (not recorded by an earlier "
                   "version)");
}

/* -- problems with inputs -------------------------------------------------------------------------------------------------------- */
/* Each bad entry of a folder is named, and the rest is predicted, once. */
static void test_bad_entries(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "mkdir -p tree/sub tree/deep/2/3/4/5/6/7/8/9 tree/closed && cp a.h5 tree/b.h5 && cp a.h5 tree/sub/z.h5 && cp a.h5 "
                  "tree/closed/c.h5 && "
                  "ln -s gone tree/a.h5 && ln -s nowhere tree/scans && ln -s . tree/self && ln -s loop.h5 tree/loop.h5 && ln -s ../sub "
                  "tree/sub/again && "
                  "chmod 0 tree/closed");
    command_expect(&o, 0, "");
    command_run(&o, root, "predict", "run/runs/rank/0", "tree", "-o", "walked", NULL);
    command_expect(&o, 1, "tree/a.h5: is a link to gone, which does not exist");
    command_expect(&o, 1, "tree/scans: is a link to nowhere, which does not exist");
    command_expect(&o, 1, "tree/loop.h5: cannot be read: Too many levels of symbolic links");
    command_expect(&o, 1, "tree/self: is the same folder as tree: its files are used only once");
    command_expect(&o, 1, "tree/sub/again: is the same folder as tree/sub");
    command_expect(&o, 1, "tree/deep/2/3/4/5/6/7/8: folders are nested too deeply: give this one by itself");
    if (geteuid() != 0) command_expect(&o, 1, "tree/closed: cannot be read: ");
    g_autoptr(RmilTable) table = predictions_of("walked");
    g_assert_cmpint(rmil_table_rows(table), ==, geteuid() == 0 ? 3 : 2); /* nothing is closed to root */
    command_shell(&o, root, "chmod 700 tree/closed");
    /* a pattern that finds the same */
    command_run(&o, root, "predict", "run/runs/rank/0", "tree/*.h5", "-o", "matched", NULL);
    command_expect(&o, 1, "tree/a.h5: is a link to gone, which does not exist");
    command_expect(&o, 1, "tree/loop.h5: cannot be read");
    g_autoptr(RmilTable) matched = predictions_of("matched");
    g_assert_cmpint(rmil_table_rows(matched), ==, 1);
}

/* What was said once is not said again in other words. */
static void test_nothing_left(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "predict", "run/runs/rank/0", "gone.svs", "-o", "nothing", NULL);
    command_expect(&o, 1, "gone.svs: there is no such file or folder");
    g_assert_null(strstr(o.err, "the inputs contain no slide and no feature file"));
    g_assert_null(strstr(o.err, "problems"));
    command_shell(&o, root, "mkdir -p empty");
    command_run(&o, root, "predict", "run/runs/rank/0", "empty", "-o", "nothing", NULL);
    command_expect(&o, 1, "the inputs contain no slide and no feature file");
}

/* Names that a table cannot hold as they are stay one line each, however often they are predicted. */
static void test_odd_names(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root, "mkdir odd && cp a.h5 \"odd/$(printf 'b\\377d').h5\" && cp a.h5 'odd/space .h5' && cp a.h5 'odd/ .h5'");
    command_expect(&o, 0, "");
    for (int call = 0; call < 3; call++) {
        command_run(&o, root, "predict", "run/runs/rank/0", "odd", "-o", "named", "-q", NULL);
        command_expect(&o, 0, "");
        g_autoptr(RmilTable) table = predictions_of("named");
        g_assert_cmpint(rmil_table_rows(table), ==, 3);
    }
}

/* -- several runs, studies, methods ---------------------------------------------------------------------------------------------- */
/* more/ is of the same features, seeds 7 and 8. */
static void begin_more(void) {
    begin();
    static gboolean there;
    if (there) return;
    there = TRUE;
    g_auto(Outcome) o = {0};
    command_shell(
        &o, root,
        "\"$RANKMIL\" run run/cohort.csv -o more --methods rank,abmil --seed 7 --epochs 2 --repeats 2 --heatmaps 0 -q 2>/dev/null");
    command_expect(&o, 0, "");
}

/* probability, sd, and what the table calls the models, of one call. */
static double predicted(const char *folder, double *sd, char **title) {
    g_autoptr(RmilTable) table = predictions_of(folder);
    if (sd) *sd = g_ascii_strtod(test_cell(table, 0, "sd"), NULL);
    if (title) *title = g_strdup(test_cell(table, 0, "model"));
    return g_ascii_strtod(test_cell(table, 0, "probability"), NULL);
}

/* All models of both, alike: the mean and the SD (n − 1) of what each says. */
static void test_with(void) {
    begin_more();
    g_auto(Outcome) o = {0};
    static const char *const single[] = {"run/runs/rank/0", "run/runs/rank/1", "more/runs/rank/7", "more/runs/rank/8"};
    double each[4], mean = 0, squares = 0, sd;
    for (int i = 0; i < 4; i++) {
        command_run(&o, root, "predict", single[i], "a.h5", "-o", "each", "-q", NULL);
        command_expect(&o, 0, "");
        mean += (each[i] = predicted("each", NULL, NULL)) / 4;
    }
    for (int i = 0; i < 4; i++) squares += (each[i] - mean) * (each[i] - mean);
    g_autofree char *title = NULL, *mixed = NULL;
    command_run(&o, root, "predict", "run", "--with", "more", "a.h5", "-o", "both", "-q", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpfloat_with_epsilon(predicted("both", &sd, &title), mean, 1e-7);
    g_assert_cmpfloat_with_epsilon(sd, sqrt(squares / 3), 1e-7);
    g_assert_cmpstr(title, ==, "rank, mean of 4 models of 2 runs");
    command_run(&o, root, "predict", "run/runs/rank/0", "--with", "more/runs/abmil/7", "--with", "more/runs/rank/7/model.safetensors",
                "a.h5", "-o", "mixed", "-q", NULL);
    command_expect(&o, 0, "");
    predicted("mixed", NULL, &mixed);
    g_assert_cmpstr(mixed, ==, "rank and abmil, mean of 3 models of 2 runs and 1 model file");
}

/* What has no mean is refused before anything is written. */
static void test_with_others(void) {
    begin_more();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "set -e\nsed -e '1!s/,0,/,normal,/' -e '1!s/,1,/,tumor,/' run/cohort.csv > words.csv\n"
                  "\"$RANKMIL\" train words.csv -o words --epochs 1 -q 2>/dev/null\n"
                  "cp -r run/runs/rank/0 wide && sed -i 's/\"tile_mpp\" : [0-9.]*/\"tile_mpp\" : 1.0/; /model_sha256/d' wide/run.json\n"
                  "cp more/runs/rank/7/model.safetensors wide/\n");
    command_expect(&o, 0, "");
    static const char *const cases[][3] = {
        {"--with", "words", "words/model.safetensors: predicts the classes normal, tumor, but run/runs/rank/0/model.safetensors predicts"},
        {"--with", "run/runs/rank/1", "run/runs/rank/1/model.safetensors: is given twice"},
        {"--with", "gone", "gone: there is no such model file or run folder"},
        {"--with", "wide",
         "wide: its slides were turned into features in another way than those of the models before it (tile_mpp "
         "0.6, now 1)"},
        {"--method", "clam-mb", "run: contains no finished training of clam-mb, only of "},
        {"--method", "ranks", "there is no method \"ranks\""},
        {"--value", "1", "run: does not belong to a study that varies something: leave --value out"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        command_run(&o, root, "predict", "run", "a.h5", "-o", "none", cases[i][0], cases[i][1], NULL);
        command_expect(&o, 1, cases[i][2]);
    }
    g_autofree char *made = g_build_filename(root, "none", NULL);
    g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
    command_run(&o, root, "predict", "run/runs/rank/0/model.safetensors", "a.h5", "-o", "none", "--method", "abmil", NULL);
    command_expect(&o, 1, "run/runs/rank/0/model.safetensors: is a model of rank, not of abmil");
}

/* A method that the report does not quote; evaluate takes the same. */
static void test_method(void) {
    begin_more();
    g_auto(Outcome) o = {0};
    g_autofree char *title = NULL;
    command_run(&o, root, "predict", "more", "a.h5", "-o", "method", "--method", "abmil", "-q", NULL);
    command_expect(&o, 0, "");
    predicted("method", NULL, &title);
    g_assert_cmpstr(title, ==, "abmil, mean of 2 models");
    command_run(&o, root, "evaluate", "more", "--cohort", "run/cohort.csv", "-o", "measured", "--method", "abmil", "--json", "-q", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"model\" : \"abmil, mean of 2 models\""));
    command_run(&o, root, "evaluate", "more", "--method", "abmil", NULL);
    command_expect(&o, 2, "--method needs --cohort");
}

/* The reference's models of a study, of one value of what varies; the study says how slides become features. */
static void test_study(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "plan.yaml", "study: low-data\nmethods: [abmil, rank]\nvalues: [0.5, 1]\nseeds: 2\nsettings:\n  epochs: 1\n"));
    command_run(&o, root, "study", "plan.yaml", "cohort/cohort.csv", "-o", "study", "-q", "--tile-mpp", "0.6", NULL);
    command_expect(&o, 0, "");
    static const char *const refused[][3] = {
        {"--method", "rank", "study: the study varies fraction: give --value with one of 0.5; 1"},
        {"--value", "0.7", "study: the study has no finished training of rank with fraction 0.7, only with 0.5; 1"},
        {"--method", "dsmil", "study: the study has no finished training of dsmil, only of abmil, rank: give --method"},
        {"--value=1", "--tile-mpp=1", "tiles of 0.6 µm per pixel, and --tile-mpp 1 would "},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        command_run(&o, root, "predict", "study", "a.tiff", "-o", "none-of-study", refused[i][0], refused[i][1], NULL);
        command_expect(&o, 1, refused[i][2]);
    }
    static const char *const taken[][3] = {{"rank", "0.50", "rank, fraction 0.5, mean of 2 models"},
                                           {"abmil", "1", "abmil, fraction 1, mean of 2 models"}};
    for (gsize i = 0; i < G_N_ELEMENTS(taken); i++) {
        g_autofree char *title = NULL;
        command_run(&o, root, "predict", "study", "a.tiff", "-o", "of-study", "-q", "--method", taken[i][0], "--value", taken[i][1], NULL);
        command_expect(&o, 0, "");
        g_assert_null(strstr(o.err, "Assumed"));
        predicted("of-study", NULL, &title);
        g_assert_cmpstr(title, ==, taken[i][2]);
    }
    command_shell(&o, root, "for f in study/models/rank-*; do printf x >> $f; done");
    command_run(&o, root, "predict", "study", "a.tiff", "-o", "of-study", "--value", "1", NULL);
    command_expect(&o, 1,
                   "is not the model that the study recorded (its SHA-256 differs), so it was damaged or replaced: run the study's "
                   "command again");
}

/* -- heat maps ---------------------------------------------------------------------------------------------------------------------- */
/* A picture for each class where the model attends by class; other names for what file systems refuse, and for another slide's. */
static void test_classes(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const char *const names[] = {"normal", "LUAD/a", "LUSC"}, *const models[] = {"clam-mb", "abmil"};
    g_autofree char *features = g_build_filename(root, "a.h5", NULL);
    g_autoptr(RmilBag) bag = rmil_bag_read(features, "a", RMIL_FLOAT32, RMIL_BAG_ALL, NULL);
    for (gsize m = 0; m < G_N_ELEMENTS(models); m++) {
        GError *error = NULL;
        RmilModelConfig config;
        g_assert_true(rmil_model_config_init(&config, models[m], RMIL_GUIDE_NONE, &error));
        config.dim = bag->dim;
        config.task.classes = 3;
        for (int c = 0; c < 3; c++) g_strlcpy(config.task.names[c], names[c], RMIL_CLASS_NAME);
        g_autoptr(RmilModel) model = rmil_model_new(&config, 3, &error);
        g_assert_no_error(error);
        g_autofree char *file = g_strconcat(models[m], ".safetensors", NULL), *path = g_build_filename(root, file, NULL);
        g_assert_true(rmil_model_save(model, path, &error));
        command_shell(&o, root, "cp a.tiff a-normal.tiff; cp a.tiff a-LUSC.tiff; cp a.tiff a-LUAD_a.tiff");
        command_run(&o, root, "predict", file, "a.tiff", "a-normal.tiff", "a-LUSC.tiff", "a-LUAD_a.tiff", "-o", models[m], "-q", NULL);
        command_expect(&o, 0, "");
    }
    command_shell(&o, root, "ls abmil/heatmaps | wc -l; ls clam-mb/heatmaps | wc -l");
    g_assert_cmpstr(o.out, ==, "4\n12\n");
    g_autoptr(RmilTable) table = predictions_of("clam-mb");
    for (int c = 0; c < 3; c++) { /* the predicted class is ID.png; "a-CLASS" is another slide, so "a-CLASS_" the picture */
        static const char *const safe[] = {"normal", "LUAD_a", "LUSC"};
        g_autofree char *picture = g_strdup_printf("clam-mb/heatmaps/a-%s_.png", safe[c]), *path = g_build_filename(root, picture, NULL);
        g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, strcmp(test_cell(table, 0, "predicted"), names[c]) != 0);
    }
}

/* Models of patients: the report shows the pictures of their slides. */
static void test_patients(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "set -e\nawk -F, -v OFS=, 'NR > 1 { p = int(0.5 * n[$3]++); $4 = p == 0 ? \"test\" : p == 1 ? \"val\" : \"train\"; "
                  "$6 = (p == 0 ? \"first\" : p == 1 ? \"second\" : \"third\") $3 } 1' cohort/cohort.csv > cohort/patients.csv\n"
                  "\"$RANKMIL\" run cohort/patients.csv -o patients --bag patient --methods abmil --epochs 1 -q 2>/dev/null\n"
                  "ls patients/heatmaps/abmil | grep -c png; grep -o '<figcaption><strong>AB-MIL</strong>, slide_[0-9]*; the patient' "
                  "patients/report.html | sort -u | wc -l; grep -c 'The models are of patients' patients/report.html");
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.out, ==, "4\n4\n1\n");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/predict/other-tiles", test_other_tiles);
    g_test_add_func("/cli/predict/alone", test_alone);
    g_test_add_func("/cli/predict/other-encoder", test_other_encoder);
    g_test_add_func("/cli/predict/no-folder", test_no_folder);
    g_test_add_func("/cli/predict/models", test_models);
    g_test_add_func("/cli/predict/trained-again", test_trained_again);
    g_test_add_func("/cli/predict/bad-entries", test_bad_entries);
    g_test_add_func("/cli/predict/nothing-left", test_nothing_left);
    g_test_add_func("/cli/predict/odd-names", test_odd_names);
    g_test_add_func("/cli/predict/with", test_with);
    g_test_add_func("/cli/predict/with-others", test_with_others);
    g_test_add_func("/cli/predict/method", test_method);
    g_test_add_func("/cli/predict/study", test_study);
    g_test_add_func("/cli/predict/classes", test_classes);
    g_test_add_func("/cli/predict/patients", test_patients);
    return g_test_run();
}
