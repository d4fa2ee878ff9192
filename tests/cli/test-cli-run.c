/* SPDX-License-Identifier: Apache-2.0 */
/* A work folder holds one plan: what `rankmil run` does when it is given again with other options, annotations or slides, what
 * `predict` and `evaluate` take of it, and two processes in one folder. */
#include "command.h"

#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *root;

/* A cell of a table below the root, in the row of an id. */
static double value_of(const char *name, const char *id, const char *column) {
    g_autoptr(RmilTable) table = test_rows(root, name);
    for (int64_t r = 0; r < rmil_table_rows(table); r++)
        if (strcmp(test_cell(table, r, "id"), id) == 0) return g_ascii_strtod(test_cell(table, r, column), NULL);
    g_error("%s has no %s", name, id);
}

static RmilCohort *cohort(void) {
    g_autofree char *path = g_build_filename(root, "cohort", "cohort.csv", NULL);
    GError *error = NULL;
    RmilCohort *read = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    return read;
}

#define RUN(...)                                                                                                                           \
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--epochs", "3", "--heatmaps", "3", "--repeats", "2", __VA_ARGS__, NULL)

static void begin(void) {
    if (root) return;
    root = test_folder();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "cohort", "--slides", "10", "--width", "1400", "--height", "1200", "--positive", "0.5", "--seed", "5",
                NULL);
    command_expect(&o, 0, "");
    RUN("-q");
    command_expect(&o, 0, "");
}

/* -- one plan ------------------------------------------------------------------------------------------------------------------ */
/* Another learning rate: the report is of the new trainings alone, the others are named and kept, and come back unchanged. */
static void test_other_options(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *before = test_bytes(root, "run/runs/rank/0/predictions.csv", NULL);
    RUN("--learning-rate", "0.01");
    command_expect(&o, 0, "learning_rate 0.0002, now 0.01");
    g_autofree char *other = test_bytes(root, "run/runs/rank/0/predictions.csv", NULL), *page = test_bytes(root, "run/report.html", NULL);
    g_assert_cmpstr(before, !=, other);
    g_assert_nonnull(strstr(page, "learning_rate 0.0002, now 0.01")); /* in the report, too */
    g_assert_cmpint(test_entries(root, "run/models"), ==, 8);
    RUN("--seed", "0");
    command_expect(&o, 0, "learning_rate 0.01, now 0.0002");
    g_assert_nonnull(strstr(o.out, "0 made, 4 already there")); /* not trained anew */
    g_autofree char *again = test_bytes(root, "run/runs/rank/0/predictions.csv", NULL);
    g_assert_cmpstr(before, ==, again);
    RUN("--clean");
    command_expect(&o, 0, "4 earlier trainings removed from the record and models/ (--clean)");
    g_assert_nonnull(strstr(o.out, "0 made, 4 already there"));
    g_assert_cmpint(test_entries(root, "run/models"), ==, 4);
}

/* Fewer seeds than before: the report speaks of those alone. */
static void test_fewer_seeds(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--epochs", "3", "--heatmaps", "3", "--methods", "rank", "--json", NULL);
    command_expect(&o, 0, "rank/1 (not among the methods, seeds and splits of this run)");
    g_autofree char *page = test_bytes(root, "run/report.html", NULL);
    g_assert_null(strstr(page, "data-name=\"trainings\""));
    g_assert_null(strstr(page, "AB-MIL"));
    g_assert_false(test_exists(root, "run/heatmaps/abmil")); /* pictures of other methods go */
    g_assert_false(test_exists(root, "run/runs/abmil"));     /* folders, too, but for one that the record has no training of */
    g_autofree char *own = g_build_filename(root, "run/runs/rank/own", NULL);
    g_assert_cmpint(g_mkdir(own, 0777), ==, 0);
    g_free(test_file(own, "run.json", "{\"config\": {\"seed\": 9}}"));
    command_run(&o, root, "evaluate", "run", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_null(strstr(o.out, "abmil"));
    g_assert_nonnull(strstr(o.out, "\"cut_rule\""));
    g_assert_nonnull(strstr(o.out, "\"sensitivity_at_cut\""));
    command_run(&o, root, "evaluate", "run", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "at the cut-off"));
    /* the same folder without what the record makes of itself */
    g_autofree char *folders = g_build_filename(root, "run/runs", NULL), *aside = g_build_filename(root, "aside", NULL);
    g_assert_cmpint(g_rename(folders, aside), ==, 0);
    command_run(&o, root, "evaluate", "run", NULL);
    command_expect(&o, 1, "run: the folders of its trainings were removed: run its 'rankmil run' command again");
    g_assert_cmpint(g_rename(aside, folders), ==, 0);
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--methods", "rank,abmil,rank", NULL);
    command_expect(&o, 1, "--methods names rank twice");
    RUN("-q");
    command_expect(&o, 0, "");
    g_assert_true(test_exists(own, "run.json"));
}

/* An annotation that changes is another training of the methods that see annotations. */
static void test_other_annotation(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    const char *path = NULL;
    for (int64_t i = 0; i < slides->count && !path; i++) path = slides->rows[i].annotation;
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autofree char *shifted = g_strdup(text);
    for (char *p = strstr(shifted, "X=\""); p; p = strstr(p + 1, "X=\"")) p[3] = '1'; /* another first digit: the outline moves */
    g_assert_true(g_file_set_contents(path, shifted, -1, NULL));
    RUN("-q");
    command_expect(&o, 0, "other slides, features, labels or annotations");
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    RUN("--clean", "-q");
    command_expect(&o, 0, "");
}

/* Features that change in place are other data, whatever the file says of what made it; a file that was only touched is not. */
static void test_changed_features(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    g_autofree char *name = g_strdup_printf("run/features/%s.h5", slides->rows[0].id), *path = g_build_filename(root, name, NULL);
    g_autofree char *table = test_bytes(root, "run/cohort.csv", NULL);
    g_free(test_file(root, "own.csv", table));
    command_run(&o, root, "run", "own.csv", "-o", "own", "--epochs", "2", "--heatmaps", "0", "--methods", "rank", "-q", NULL);
    command_expect(&o, 0, "");
    command_shell(&o, root, "touch -d 2001-01-01 run/features/*.h5");
    command_run(&o, root, "run", "own.csv", "-o", "own", "--epochs", "2", "--heatmaps", "0", "--methods", "rank", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "0 made, 1 already there"));
    GError *error = NULL;
    gsize size;
    g_autofree char *bytes = rmil_file_read(path, (gsize)1 << 30, &size, &error);
    g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_nonnull(bag->source);
    ((float *)bag->features)[bag->dim * (bag->count / 2)] += 1; /* one number of one patch */
    g_assert_true(rmil_bag_write(bag, path, TRUE, &error));
    command_run(&o, root, "run", "own.csv", "-o", "own", "--epochs", "2", "--heatmaps", "0", "--methods", "rank", NULL);
    command_expect(&o, 0, "other slides, features, labels or annotations");
    g_assert_nonnull(strstr(o.out, "1 made"));
    g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
    RUN("-q");
    command_expect(&o, 0, "");
}

/* A bit of a model that changed on the disk: said by predict, and mended by run; of the recorded model itself, by training again. */
static void test_flipped_bit(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *path = g_build_filename(root, "run/runs/rank/0/model.safetensors", NULL), *good = NULL, *bytes = NULL, *again = NULL;
    gsize size, same;
    g_assert_true(g_file_get_contents(path, &good, &size, NULL));
    bytes = g_memdup2(good, size);
    bytes[size - 7] = (char)(bytes[size - 7] ^ 16);
    g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
    g_autoptr(RmilCohort) slides = cohort();
    command_run(&o, root, "predict", "run", slides->rows[0].slide, "-o", "flipped", NULL);
    command_expect(&o, 1,
                   "is not the model that the run.json beside it records (its SHA-256 differs), so it was damaged or "
                   "replaced: run the command that trained it again");
    RUN("--seed", "0");
    command_expect(&o, 0, "model.safetensors: does not match the record of the training (it was changed, damaged or removed): it is ");
    g_assert_nonnull(strstr(o.out, "0 made, 4 already there"));
    g_assert_true(g_file_get_contents(path, &again, &same, NULL));
    g_assert_true(size == same && memcmp(good, again, size) == 0);
    g_autofree char *models = g_build_filename(root, "run/models", NULL), *recorded = NULL;
    g_autoptr(GDir) dir = g_dir_open(models, 0, NULL);
    recorded = g_build_filename(models, g_dir_read_name(dir), NULL);
    g_assert_true(g_file_set_contents(recorded, bytes, (gssize)size, NULL));
    RUN("--seed", "0");
    command_expect(&o, 0, "is not the model in the record (its SHA-256 differs): it is trained again");
    g_assert_nonnull(strstr(o.out, "1 made, 3 already there"));
    g_assert_true(g_unlink(recorded) == 0);
    RUN("-q");
    command_expect(&o, 0, "cannot be read: it is trained again");
}

/* A project that was moved whole goes on. */
static void test_moved(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_shell(
        &o, root,
        "mkdir before && cp -a cohort before/ && cd before && exec \"$RANKMIL\" run cohort/cohort.csv -o r --epochs 2 --heatmaps 0 -q");
    command_expect(&o, 0, "");
    command_shell(&o, root, "mv before after && cd after && exec \"$RANKMIL\" run cohort/cohort.csv -o r --epochs 2 --heatmaps 0");
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "encode   0 made, 10 already there"));
    g_assert_nonnull(strstr(o.out, "train    0 made, 2 already there"));
}

/* A folder without a list of its runs, as version 0.1.0 made it, whose trainings differ, is no average. */
static void test_old_mix(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *list = test_bytes(root, "run/run.json", NULL), *record = test_bytes(root, "run/runs/rank/1/run.json", NULL);
    g_auto(GStrv) parts = g_strsplit(list, "\"runs\"", 2), settings = g_strsplit(record, "\"dropout\" : 0.0", 2);
    g_assert_nonnull(parts[1]);
    g_assert_nonnull(settings[1]);
    command_shell(&o, root, "mv run/study.sqlite run/kept");
    g_autofree char *old = g_strjoinv("\"runs_of_another_version\"", parts), *mixed = g_strjoinv("\"dropout\" : 0.5", settings);
    g_free(test_file(root, "run/run.json", old));
    command_run(&o, root, "report", "run", NULL);
    command_expect(&o, 0, "");
    g_free(test_file(root, "run/runs/rank/1/run.json", mixed));
    command_run(&o, root, "report", "run", NULL);
    command_expect(&o, 1, " were trained differently (dropout 0, now 0.5");
    g_free(test_file(root, "run/runs/rank/1/run.json", record));
    g_free(test_file(root, "run/run.json", list));
    /* `run` trains anew, beside what it found */
    command_shell(&o, root, "cp -r run old");
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "old", "--epochs", "3", "--heatmaps", "0", "--methods", "abmil", NULL);
    command_expect(&o, 0, "old/runs: there is no record (study.sqlite) of what was trained here");
    g_assert_true(test_exists(root, "old/earlier/runs/rank/1/model.safetensors") &&
                  test_exists(root, "old/runs/abmil/0/model.safetensors"));
    g_assert_false(test_exists(root, "old/runs/rank"));
    command_shell(&o, root, "mv run/kept run/study.sqlite");
}

/* `train` into a folder that holds another training keeps that one. */
static void test_train_again(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "train", "run/cohort.csv", "-o", "one", "--epochs", "2", NULL);
    command_expect(&o, 0, "");
    g_autofree char *before = test_bytes(root, "one/predictions.csv", NULL);
    command_run(&o, root, "evaluate", "one", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "train", "run/cohort.csv", "-o", "one", "--epochs", "2", "--dropout", "0.5", NULL);
    command_expect(&o, 0, "one: holds 1 earlier training that does not belong to this run: rank/0 (dropout 0, now 0.5)");
    g_assert_false(test_exists(root, "one/metrics.json")); /* of the model before */
    g_autofree char *other = test_bytes(root, "one/predictions.csv", NULL);
    g_assert_cmpstr(before, !=, other);
    command_run(&o, root, "train", "run/cohort.csv", "-o", "one", "--epochs", "2", NULL);
    g_assert_nonnull(strstr(o.out, "already trained"));
    g_autofree char *again = test_bytes(root, "one/predictions.csv", NULL);
    g_assert_cmpstr(before, ==, again);
    command_run(&o, root, "report", "one", NULL);
    command_expect(&o, 0, "");
}

/* Damaged files of trainings are no dead end: they are written again from the record, which is said. */
static void test_damaged(void) {
    begin();
    g_auto(Outcome) o = {0};
    static const struct {
        const char *name;
        double share; /* of the file that is left */
    } damages[] = {{"run.json", 0},         {"run.json", 0.5},  {"predictions.csv", 0.96},
                   {"predictions.csv", -4}, {"history.csv", 0}, {"model.safetensors", 0.5}};
    g_autofree char *before = test_bytes(root, "run/runs/rank/1/predictions.csv", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree char *name = g_build_filename("run/runs/rank/1", damages[i].name, NULL), *path = g_build_filename(root, name, NULL),
                        *whole = NULL;
        gsize size, keep = 0;
        g_assert_true(g_file_get_contents(path, &whole, &size, NULL));
        for (int lines = 0; damages[i].share < 0 && lines < -damages[i].share; keep++) lines += whole[keep] == '\n';
        if (damages[i].share >= 0) keep = (gsize)((double)size * damages[i].share);
        g_assert_true(g_file_set_contents(path, whole, (gssize)keep, NULL));
        RUN("-q");
        g_autofree char *said = g_strdup_printf("%s: does not match the record of the training (it was changed, damaged or removed): "
                                                "it is ",
                                                name);
        command_expect(&o, 0, said);
        g_autofree char *after = test_bytes(root, "run/runs/rank/1/predictions.csv", NULL);
        g_assert_cmpstr(before, ==, after);
        RUN("-q");
        command_expect(&o, 0, "");
        g_assert_null(strstr(o.err, "again"));
        gsize now;
        g_autofree char *mended = NULL;
        g_assert_true(g_file_get_contents(path, &mended, &now, NULL));
        g_assert_true(now == size && memcmp(mended, whole, size) == 0);
    }
}

/* -- splits -------------------------------------------------------------------------------------------------------------------- */
/* Columns whose names end in the same number have folders of their own, and another test set each is cross-validation. */
static void test_folds(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    g_autoptr(GString) csv = g_string_new("id,a1,b1\n");
    int seen[2] = {0};
    for (int64_t i = 0; i < slides->count; i++) {
        static const char *const sets[2][5] = {{"test", "train", "train", "val", "train"}, {"train", "test", "train", "train", "val"}};
        const int place = seen[slides->rows[i].target.label]++ % 5;
        g_string_append_printf(csv, "%s,%s,%s\n", slides->rows[i].id, sets[0][place], sets[1][place]);
    }
    g_free(test_file(root, "splits.csv", csv->str));
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "folds", "--epochs", "2", "--splits", "splits.csv", "--methods", "rank", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpint(test_entries(root, "folds/runs/rank"), ==, 2);
    g_assert_true(test_exists(root, "folds/runs/rank/a1/model.safetensors") && test_exists(root, "folds/runs/rank/b1/model.safetensors"));
    g_autofree char *page = test_bytes(root, "folds/report.html", NULL);
    g_assert_nonnull(strstr(page, "In 2-fold cross-validation over 4 test slides"));
    g_assert_nonnull(strstr(page, "<th scope=\"row\">a1 and b1</th>")); /* with the same numbers of slides */
    g_assert_nonnull(strstr(page, "The file splits.csv names the sets."));
    command_run(&o, root, "evaluate", "folds", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "rank, out-of-fold predictions of 2 folds, pooled\n2 positive and 2 negative cases"));
}

/* Outlines that leave parts of lesions out: the guide that stands it, which the report quotes. `train --pairs both` is the same method. */
static void test_partial(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "partial", "--epochs", "2", "--heatmaps", "0", "--partial", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpint(test_entries(root, "partial/runs"), ==, 2);
    g_assert_true(test_exists(root, "partial/runs/rank-both") && test_exists(root, "partial/runs/abmil"));
    g_assert_nonnull(strstr(o.out, "Rank within and across: AUROC"));
    command_run(&o, root, "train", "partial/cohort.csv", "-o", "both", "--epochs", "2", "--pairs", "both", NULL);
    command_expect(&o, 0, "");
    g_autofree char *info = test_bytes(root, "both/run.json", NULL);
    g_assert_nonnull(strstr(info, "\"method\" : \"rank-both\""));
    g_assert_nonnull(strstr(info, "\"pairs\" : \"both\""));
    command_run(&o, root, "run", "partial/cohort.csv", "-o", "wrong", "--methods", "rank-both", "--pairs", "within", NULL);
    command_expect(&o, 1, "method rank-both always has --pairs both: leave --pairs out, or choose another method");
}

/* Folds drawn by the run: each slide tested once, a folder each; with the table that `splits` writes the same sets. */
static void test_drawn_folds(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    g_autoptr(GString) csv = g_string_new("id,features,label\n");
    for (int64_t i = 0; i < slides->count; i++)
        g_string_append_printf(csv, "%s,run/features/%s.h5,%d\n", slides->rows[i].id, slides->rows[i].id, slides->rows[i].target.label);
    g_free(test_file(root, "all.csv", csv->str));
    command_run(&o, root, "run", "all.csv", "-o", "drawn", "--epochs", "2", "--folds", "2", "--methods", "rank", "--heatmaps", "0", NULL);
    command_expect(&o, 0, "");
    g_assert_true(test_exists(root, "drawn/runs/rank/fold-1/model.safetensors") &&
                  test_exists(root, "drawn/runs/rank/fold-2/model.safetensors"));
    g_autofree char *page = test_bytes(root, "drawn/report.html", NULL);
    g_assert_nonnull(strstr(page, "In 2-fold cross-validation over 10 test slides"));
    command_run(&o, root, "splits", "all.csv", "--folds", "2", "-o", "drawn.csv", NULL);
    command_expect(&o, 0, "");
    for (int fold = 1; fold <= 2; fold++) {
        g_autofree char *name = g_strdup_printf("drawn/runs/rank/fold-%d/slides.csv", fold), *column = g_strdup_printf("fold-%d", fold),
                        *here = g_build_filename(root, name, NULL), *there = g_build_filename(root, "drawn.csv", NULL);
        g_autoptr(RmilTable) a = rmil_table_read(here, NULL), b = rmil_table_read(there, NULL);
        g_assert_cmpint(rmil_table_rows(a), ==, rmil_table_rows(b));
        for (int64_t r = 0; r < rmil_table_rows(a); r++)
            g_assert_cmpstr(rmil_table_cell(a, r, rmil_table_find(a, "split")), ==, rmil_table_cell(b, r, rmil_table_find(b, column)));
    }
    command_run(&o, root, "run", "all.csv", "-o", "drawn", "--folds", "9", NULL);
    command_expect(&o, 1, "cannot be divided into 9 folds: label 0 has only 5 patients");
    command_run(&o, root, "run", "all.csv", "-o", "drawn", "--folds", "2", "--splits", "drawn.csv", NULL);
    command_expect(&o, 1, "--splits fixes the sets and --folds draws them: give only one");
    command_run(&o, root, "train", "all.csv", "-o", "alone", "--folds", "2", NULL);
    command_expect(&o, 1,
                   "--folds needs several trainings: use 'rankmil run', or write the folds with 'rankmil splits' and choose "
                   "one with --splits and --seed");
}

/* -- one model in picture, table and prediction -------------------------------------------------------------------------------- */
/* `predict DIR` is what the report quotes: the mean of the headline method's seeds. */
static void test_predict_run(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    const char *id = slides->rows[0].id;
    command_run(&o, root, "predict", "run", slides->rows[0].slide, "-o", "mean", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "rank, mean of 2 models"));
    const double a = value_of("run/runs/rank/0/predictions.csv", id, "probability"),
                 b = value_of("run/runs/rank/1/predictions.csv", id, "probability");
    g_assert_cmpfloat(fabs(a - b), >, 1e-6);
    g_assert_cmpfloat_with_epsilon(value_of("mean/predictions.csv", id, "probability"), (a + b) / 2, 1e-8);
    g_assert_cmpfloat_with_epsilon(value_of("mean/predictions.csv", id, "sd"), fabs(a - b) / sqrt(2), 1e-8);
    g_assert_cmpfloat(value_of("mean/predictions.csv", id, "models"), ==, 2);
    command_run(&o, root, "predict", "run/runs/abmil", slides->rows[0].slide, "-o", "other", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "abmil, mean of 2 models"));
    /* the report says of its pictures that they are of the same models as the table */
    g_autofree char *page = test_bytes(root, "run/report.html", NULL);
    g_assert_nonnull(strstr(page, "Each heat map averages the attention of the models"));
}

/* Folders, patterns and tables; names that clash; a second call adds; one page lists all. */
static void test_predict_many(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autoptr(RmilCohort) slides = cohort();
    g_autofree char *script = g_strdup_printf(
        "mkdir -p in/x in/y && cp cohort/slides/%s.tiff in/x/s.tiff && cp cohort/slides/%s.tiff in/y/s.tiff && "
        "echo notes > in/x/notes.txt",
        slides->rows[0].id, slides->rows[1].id);
    command_shell(&o, root, script);
    command_expect(&o, 0, "");
    command_run(&o, root, "predict", "run/runs/rank/0", "in", "gone.svs", "cohort/slides/*_none_*.tiff", "-o", "many", NULL);
    command_expect(&o, 1, "gone.svs: there is no such file or folder");
    g_assert_nonnull(strstr(o.err, "no file matches this pattern"));
    g_assert_nonnull(strstr(o.err, "1 file skipped"));
    g_assert_null(strstr(o.err, "inputs.csv")); /* a file that the user did not write */
    g_autofree char *first = test_bytes(root, "many/predictions.csv", NULL);
    g_assert_nonnull(strstr(first, "\ns,"));
    g_assert_nonnull(strstr(first, "\ny-s,"));
    command_run(&o, root, "predict", "run/runs/rank/0", "cohort/cohort.csv", "-o", "many", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *all = test_bytes(root, "many/predictions.csv", NULL), *page = test_bytes(root, "many/predictions.html", NULL);
    g_assert_true(g_str_has_prefix(all, first)); /* what was there stays */
    for (int64_t i = 0; i < slides->count; i++) {
        g_autofree char *heading = g_strdup_printf("<h3>%s</h3>", slides->rows[i].id),
                        *picture = g_strdup_printf("src=\"heatmaps/%s.png\"", slides->rows[i].id);
        g_assert_nonnull(strstr(page, heading));
        g_assert_nonnull(strstr(page, picture));
    }
    g_assert_cmpfloat(value_of("many/predictions.csv", slides->rows[1].id, "probability"), ==,
                      value_of("many/predictions.csv", "y-s", "probability"));
    /* a slide of another resolution than the training's */
    command_run(&o, root, "predict", "run", slides->rows[2].slide, "-o", "coarse", "--mpp", "1.5", NULL);
    command_expect(&o, 0, "the model was trained on slides of 0.5: ");
}

/* -- external validation that is none ------------------------------------------------------------------------------------------ */
static void test_seen(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "evaluate", "run", "--cohort", "run/cohort.csv", "-o", "seen", NULL);
    command_expect(&o, 0, "were used to train or validate the model");
    g_autofree char *table = test_bytes(root, "run/cohort.csv", NULL);
    g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
    g_autoptr(GString) renamed = g_string_new(lines[0]);
    for (int i = 1; lines[i] && *lines[i]; i++) g_string_append_printf(renamed, "\nnew_%s", lines[i]); /* the same slides by other names */
    g_free(test_file(root, "run/renamed.csv", renamed->str));
    command_run(&o, root, "evaluate", "run/runs/rank/0", "--cohort", "run/renamed.csv", "-o", "renamed", "--json", NULL);
    command_expect(&o, 0, " there)");
    g_assert_nonnull(strstr(o.out, "\"slides_seen_in_training\" : 6"));
    /* the report of that folder says it, too */
    command_run(&o, root, "report", "renamed", NULL);
    command_expect(&o, 0, "");
    g_autofree char *page = test_bytes(root, "renamed/report.html", NULL);
    g_assert_nonnull(strstr(page, "this is not an external validation"));
}

/* Another evaluation into the same folder replaces the one before, instead of being averaged with it. */
static void test_external_again(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "evaluate", "run", "--cohort", "run/cohort.csv", "-o", "ext", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "rank, mean of 2 models"));
    command_run(&o, root, "evaluate", "run/runs/abmil/1", "--cohort", "run/cohort.csv", "-o", "ext", "--json", NULL);
    command_expect(&o, 0, "an earlier evaluation was here; this one replaces it");
    g_assert_null(strstr(o.out, "mean of"));
    g_assert_false(test_exists(root, "ext/runs"));
    g_autofree char *own = test_bytes(root, "run/runs/abmil/1/predictions.csv", NULL),
                    *here = test_bytes(root, "ext/predictions.csv", NULL);
    g_assert_cmpfloat(value_of("ext/predictions.csv", "slide_001", "probability"), ==,
                      value_of("run/runs/abmil/1/predictions.csv", "slide_001", "probability"));
    g_free(test_file(root, "run/copy.csv", own)); /* any other path is another cohort */
    g_autofree char *table = test_bytes(root, "run/cohort.csv", NULL);
    g_free(test_file(root, "run/copy.csv", table));
    command_run(&o, root, "evaluate", "run", "--cohort", "run/copy.csv", "-o", "ext", NULL);
    command_expect(&o, 1, "ext: contains the evaluation of another cohort, ");
    command_run(&o, root, "evaluate", "run", "--cohort", "run/cohort.csv", "-o", "run", NULL);
    command_expect(&o, 1, "run: contains results that 'rankmil evaluate --cohort' did not write: give another -o DIR");
}

/* -- two processes, two cohorts ------------------------------------------------------------------------------------------------ */
static void test_lock(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *folder = g_build_filename(root, "run", NULL);
    GError *error = NULL;
    g_autoptr(RmilLock) lock = rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "a test", NULL, &error);
    g_assert_no_error(error);
    RUN("-q");
    command_expect(&o, 1, "run: is in use by a test (process ");
    command_run(&o, root, "encode", "cohort/cohort.csv", "-o", "run", NULL);
    command_expect(&o, 1, "is in use by a test");
    g_clear_pointer(&lock, rmil_lock_free);
    RUN("-q");
    command_expect(&o, 0, "");
    g_assert_false(test_exists(root, "run/.lock"));
}

static void test_other_cohort(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *before = test_bytes(root, "run/run.json", NULL);
    command_run(&o, root, "synth", "others", "--slides", "8", "--width", "900", "--height", "900", "--seed", "6", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "run", "others/cohort.csv", "-o", "run", NULL);
    command_expect(&o, 1, "run: contains work on another cohort");
    g_autofree char *after = test_bytes(root, "run/run.json", NULL);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpint(test_entries(root, "run/tiles"), ==, 10);
}

/* Everything that can be known before tiling. */
static void test_early(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "early", "--learning-rate", "-1", NULL);
    command_expect(&o, 1, "learning");
    g_free(test_file(root, "bad-splits.csv", "id,a\nnobody,train\n"));
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "early", "--splits", "bad-splits.csv", NULL);
    command_expect(&o, 1, "\"nobody\"");
    g_assert_false(test_exists(root, "early/tiles"));
    g_autoptr(RmilCohort) slides = cohort();
    g_autoptr(GString) csv = g_string_new("slide,label\n");
    for (int64_t i = 0; i < slides->count; i++) g_string_append_printf(csv, "%s,%d\n", slides->rows[i].slide, slides->rows[i].target.label);
    g_free(test_file(root, "plain.csv", csv->str));
    command_run(&o, root, "run", "plain.csv", "-o", "early", "--methods", "abmil,instance", NULL);
    command_expect(&o, 1, "plain.csv: no slide has an annotation, and instance learns only from annotated patches");
    g_assert_false(test_exists(root, "early/tiles"));
    command_run(&o, root, "run", "plain.csv", "-o", "early", "--methods", "rank", "--epochs", "1", "--heatmaps", "0", NULL);
    command_expect(&o, 0, "no slide has an annotation, so the guide of rank has no effect");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/run/other-options", test_other_options);
    g_test_add_func("/cli/run/fewer-seeds", test_fewer_seeds);
    g_test_add_func("/cli/run/other-annotation", test_other_annotation);
    g_test_add_func("/cli/run/changed-features", test_changed_features);
    g_test_add_func("/cli/run/flipped-bit", test_flipped_bit);
    g_test_add_func("/cli/run/moved", test_moved);
    g_test_add_func("/cli/run/old-mix", test_old_mix);
    g_test_add_func("/cli/run/train-again", test_train_again);
    g_test_add_func("/cli/run/damaged", test_damaged);
    g_test_add_func("/cli/run/folds", test_folds);
    g_test_add_func("/cli/run/drawn-folds", test_drawn_folds);
    g_test_add_func("/cli/run/partial", test_partial);
    g_test_add_func("/cli/run/predict", test_predict_run);
    g_test_add_func("/cli/run/predict-many", test_predict_many);
    g_test_add_func("/cli/run/seen", test_seen);
    g_test_add_func("/cli/run/external-again", test_external_again);
    g_test_add_func("/cli/run/lock", test_lock);
    g_test_add_func("/cli/run/other-cohort", test_other_cohort);
    g_test_add_func("/cli/run/early", test_early);
    int status = g_test_run();
    g_free(root);
    return status;
}
