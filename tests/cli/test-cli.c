/* SPDX-License-Identifier: Apache-2.0 */
/* The command on a small cohort made by `rankmil synth`: the main job, its resuming, and everything that can be wrong
 * with what users give it. */
#include "command.h"

#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *root; /* holds cohort/ and run/, made by the first test that needs them */

/* -- the cohort that all tests start from --------------------------------------------------------------------------------- */
static void make_cohort(void) {
    if (root) return;
    root = test_folder();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "cohort", "--slides", "10", "--width", "1500", "--height", "1300", "--positive", "0.5", "--seed", "3",
                NULL);
    command_expect(&o, 0, "");
}

static void make_run(void) {
    make_cohort();
    g_autofree char *done = g_build_filename(root, "run", "report.html", NULL);
    if (g_file_test(done, G_FILE_TEST_EXISTS)) return;
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--epochs", "3", "--repeats", "2", NULL);
    command_expect(&o, 0, "");
}

static char *slide_of(int64_t row, char **id) {
    g_autofree char *path = g_build_filename(root, "cohort", "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, NULL);
    g_assert_nonnull(cohort);
    if (id) *id = g_strdup(cohort->rows[row].id);
    return g_strdup(cohort->rows[row].slide);
}

static char *annotation_of_positive(int nth, int64_t *row) {
    g_autofree char *path = g_build_filename(root, "cohort", "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, NULL);
    for (int64_t i = 0; i < cohort->count; i++)
        if (cohort->rows[i].annotation && nth-- == 0) {
            *row = i;
            return g_strdup(cohort->rows[i].annotation);
        }
    g_assert_not_reached();
}

/* -- usage ------------------------------------------------------------------------------------------------------------------- */
static void test_help(void) {
    g_autofree char *folder = test_folder();
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "--help", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "run all the steps in order"));
    static char *const commands[] = {"run",     "check",    "tile",   "encode",  "label",   "train",
                                     "predict", "evaluate", "report", "metrics", "compare", "synth"};
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        command_run(&o, folder, commands[i], "--help", NULL);
        command_expect(&o, 0, "");
        g_assert_nonnull(strstr(o.out, "General"));
        g_assert_nonnull(strstr(o.out, "Example"));
        /* options that mean something, and no others */
        const gboolean alone = strcmp(commands[i], "compare") == 0 || strcmp(commands[i], "report") == 0 ||
                               strcmp(commands[i], "metrics") == 0;
        g_assert_true((strstr(o.out, "--threads") == NULL) == alone);
        g_autofree char *help = g_steal_pointer(&o.out);
        command_run(&o, folder, "help", commands[i], NULL);
        command_expect(&o, 0, "");
        g_assert_cmpstr(o.out, ==, help);
        command_run(&o, folder, commands[i], "--no-such-option", NULL);
        command_expect(&o, 2, "Unknown option --no-such-option");
        command_run(&o, folder, commands[i], NULL);
        command_expect(&o, 2, "usage: rankmil");
    }
    command_run(&o, folder, NULL);
    command_expect(&o, 2, "usage: rankmil");
    command_run(&o, folder, "metrics", "--seed=1", "--", "-odd.csv", NULL); /* "--" ends the options */
    command_expect(&o, 1, "rankmil: -odd.csv: ");
    command_run(&o, folder, "compare", "--threads=2", "a", "b", NULL);
    command_expect(&o, 1, "' uses one thread: --threads has no effect here");
    command_run(&o, folder, "help", "fly", NULL);
    command_expect(&o, 2, "no command \"fly\"");
    command_run(&o, folder, "fly", NULL);
    command_expect(&o, 2, "no command \"fly\"");
    g_assert_cmpint(test_entries(folder, "."), ==, 0);
}

/* -- the main job --------------------------------------------------------------------------------------------------------------- */
static void test_run(void) {
    make_run();
    g_autofree char *run = g_build_filename(root, "run", NULL), *rank = g_build_filename(run, "runs", "rank", "1", NULL);
    static const char *const products[] = {"run.json",         "model.safetensors", "history.csv", "predictions.csv",
                                           "localisation.csv", "patches.csv",       "lesions.csv", "slides.csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(products); i++) {
        gsize size;
        g_autofree char *text = test_bytes(rank, products[i], &size);
        g_assert_cmpuint(size, >, 10);
    }
    g_assert_cmpint(test_entries(rank, "."), ==, (int)G_N_ELEMENTS(products)); /* no checkpoint, no leftovers */
    g_assert_cmpint(test_entries(run, "features"), ==, 10);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "evaluate", "run", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"average_precision\""));
    g_assert_nonnull(strstr(o.out, "\"localisation\""));
    g_assert_nonnull(strstr(o.out, "\"patch_auroc\""));
    g_assert_nonnull(strstr(o.out, "\"froc\""));
    command_run(&o, root, "evaluate", "run", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "lesions found, by false positives per negative slide"));
    command_run(&o, root, "metrics", "run/runs/abmil/0/predictions.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "auroc"));
}

static void test_resume(void) {
    make_run();
    g_autofree char *run = g_build_filename(root, "run", NULL),
                    *model = g_build_filename(run, "runs", "rank", "0", "model.safetensors", NULL);
    GStatBuf before, after;
    g_assert_cmpint(g_stat(model, &before), ==, 0);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--epochs", "3", "--repeats", "2", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "0 made, 10 already there"));
    g_assert_cmpint(g_stat(model, &after), ==, 0);
    g_assert_cmpint(before.st_mtim.tv_nsec, ==, after.st_mtim.tv_nsec);
    g_assert_true(before.st_ino == after.st_ino);
}

/* Killed at many moments, then let through: the same bytes as the undisturbed run, on another number of threads. */
static void test_killed(void) {
    make_run();
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "for t in 0.05 0.1 0.2 0.3 0.5 0.8 1.2; do timeout -s KILL $t \"$RANKMIL\" run cohort/cohort.csv -o killed "
                  "--epochs 3 --repeats 2 --threads 3 -q; done; exec \"$RANKMIL\" run cohort/cohort.csv -o killed --epochs 3 "
                  "--repeats 2 --threads 3");
    command_expect(&o, 0, "");
    g_autofree char *a = g_build_filename(root, "run", NULL), *b = g_build_filename(root, "killed", NULL);
    static const char *const methods[] = {"abmil", "rank"}, *const seeds[] = {"0", "1"},
                             *const names[] = {"model.safetensors", "history.csv", "predictions.csv", "localisation.csv"};
    for (int m = 0; m < 2; m++)
        for (int s = 0; s < 2; s++)
            for (int n = 0; n < 4; n++) {
                g_autofree char *name = g_build_filename("runs", methods[m], seeds[s], names[n], NULL);
                test_same_in(a, b, name);
            }
    g_autofree char *id = NULL, *slide = slide_of(0, &id), *file = g_strconcat(id, ".h5", NULL),
                    *features = g_build_filename("features", file, NULL);
    test_same_in(a, b, features);
    g_assert_cmpint(test_entries(b, "features"), ==, 10);
    g_assert_cmpint(test_entries(b, "tiles"), ==, 10);
}

static void test_stages_and_train(void) {
    make_run();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "label", "cohort/cohort.csv", "-o", "stages", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "encode", "cohort/cohort.csv", "-o", "stages", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"feature_dim\""));
    command_run(&o, root, "train", "stages/cohort.csv", "-o", "one", "--model", "abmil", "--guide", "rank", "--epochs", "3", NULL);
    command_expect(&o, 0, "");
    /* the same job by parts as by `rankmil run` */
    g_autofree char *a = g_build_filename(root, "run", "runs", "rank", "0", NULL), *b = g_build_filename(root, "one", NULL);
    test_same_in(a, b, "model.safetensors");
    test_same_in(a, b, "predictions.csv");
    command_run(&o, root, "report", "one", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "train", "cohort/cohort.csv", "-o", "two", NULL);
    command_expect(&o, 1, "has no features: run 'rankmil encode'");
    command_run(&o, root, "train", "stages/cohort.csv", "-o", "two", "--model", "clam-sb", "--guide", "rank", NULL);
    command_expect(&o, 1, "--guide rank cannot be used with --model clam-sb");
}

static void test_predict(void) {
    make_run();
    g_autofree char *id = NULL, *slide = slide_of(0, &id);
    g_auto(Outcome) o = {0};
    command_run(&o, root, "predict", "run/runs/rank/0", slide, "-o", "predicted", NULL);
    command_expect(&o, 0, "");
    /* a slide on its own gets the probability that it had in the run */
    g_autofree char *run_path = g_build_filename(root, "run", "runs", "rank", "0", "predictions.csv", NULL);
    g_autofree char *own_path = g_build_filename(root, "predicted", "predictions.csv", NULL);
    g_autoptr(RmilTable) run = rmil_table_read(run_path, NULL), own = rmil_table_read(own_path, NULL);
    int64_t row = -1;
    for (int64_t r = 0; r < rmil_table_rows(run); r++)
        if (strcmp(rmil_table_cell(run, r, 0), id) == 0) row = r;
    g_assert_cmpint(row, >=, 0);
    int c = rmil_table_find(run, "probability");
    g_assert_cmpstr(rmil_table_cell(run, row, c), ==, rmil_table_cell(own, 0, rmil_table_find(own, "probability")));
    g_assert_cmpint(test_entries(root, "predicted/heatmaps"), ==, 1);
    g_assert_cmpint(test_entries(root, "predicted/patches"), ==, 1);
    g_assert_cmpint(test_entries(root, "predicted/qupath"), ==, 1);
    g_assert_cmpint(test_entries(root, "predicted/top-patches"), ==, 2);
    g_autofree char *features = g_strdup_printf("run/features/%s.h5", id);
    command_run(&o, root, "predict", "run/runs/rank/0", features, "no-such-slide.svs", "-o", "predicted2", NULL);
    command_expect(&o, 1, "no-such-slide.svs");
    g_assert_nonnull(strstr(o.out, "probability"));
    command_run(&o, root, "predict", "run/runs/none/0", slide, NULL);
    command_expect(&o, 1, "run/runs/none/0: there is no such");
}

/* -- wrong input: one clear message, the rest done, status 1 ---------------------------------------------------------------------- */
/* A cohort of two good slides and one more row; returns the CSV's name. */
static char *cohort_with(const char *name, const char *slide, const char *annotation, const char *label) {
    g_autofree char *a = slide_of(0, NULL), *b = slide_of(1, NULL);
    g_autofree char *text = g_strdup_printf("id,slide,label,annotation\ngood1,%s,0,\ngood2,%s,1,\nbad,%s,%s,%s\n", a, b, slide, label,
                                            annotation);
    return test_file(root, name, text);
}

static void expect_bad(const char *command, const char *cohort, const char *message, int products) {
    g_auto(Outcome) o = {0};
    g_autofree char *out = g_strdup_printf("%s.out", cohort);
    if (strcmp(command, "check") == 0) command_run(&o, root, "check", cohort, NULL);
    else command_run(&o, root, command, cohort, "-o", out, NULL);
    command_expect(&o, 1, message);
    g_assert_null(strstr(o.err, "CRITICAL"));
    g_assert_cmpint(test_entries(out, "tiles"), ==, products);
    g_assert_cmpint(test_entries(out, "features"), ==, strcmp(command, "encode") == 0 ? products : 0);
}

static void test_bad_slides(void) {
    make_cohort();
    gsize size;
    g_autofree char *good = slide_of(2, NULL), *bytes = NULL;
    g_assert_true(g_file_get_contents(good, &bytes, &size, NULL));
    g_autofree char *truncated = g_build_filename(root, "truncated.tiff", NULL), *zero = test_file(root, "zero.svs", ""),
                    *text = test_file(root, "text.svs", "this is not a slide");
    g_assert_true(g_file_set_contents(truncated, bytes, (gssize)(size * 2 / 3), NULL));
    const char *const slides[] = {"/no/such/slide.svs", truncated, zero, text, root};
    const char *const names[] = {"/no/such/slide.svs", "truncated.tiff", "zero.svs", "text.svs", root};
    for (gsize i = 0; i < G_N_ELEMENTS(slides); i++) {
        g_autofree char *name = g_strdup_printf("slides%d.csv", (int)i), *cohort = cohort_with(name, slides[i], "", "0");
        expect_bad("check", cohort, names[i], 0);
        expect_bad("encode", cohort, names[i], 2);
    }
}

static void test_broken_real(void) {
    static const char *const names[] = {"broken.svs", "unopenable.tiff", "unreadable.svs"};
    g_autofree char *folder = test_shared("data/slides/broken");
    if (!folder) return;
    make_cohort();
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *slide = g_build_filename(folder, names[i], NULL), *name = g_strconcat(names[i], ".csv", NULL);
        g_autofree char *cohort = cohort_with(name, slide, "", "0");
        expect_bad("encode", cohort, names[i], 2);
    }
}

static void test_empty_tissue(void) {
    make_cohort();
    g_auto(Outcome) o = {0};
    /* a white picture as a binary PPM that libvips reads */
    g_autoptr(GString) image = g_string_new("P6\n600 600\n255\n");
    for (int i = 0; i < 600 * 600 * 3; i++) g_string_append_c(image, (gchar)0xff);
    g_autofree char *path = g_build_filename(root, "white.ppm", NULL);
    g_assert_true(g_file_set_contents(path, image->str, (gssize)image->len, NULL));
    g_autofree char *cohort = cohort_with("white.csv", path, "", "0");
    expect_bad("encode", cohort, "white.ppm", 2);
}

static void test_bad_annotations(void) {
    make_cohort();
    int64_t row;
    g_autofree char *good = annotation_of_positive(0, &row), *slide = slide_of(row, NULL);
    gsize size;
    g_autofree char *xml = NULL;
    g_assert_true(g_file_get_contents(good, &xml, &size, NULL));
    g_autofree char *half = g_strndup(xml, size / 2), *truncated = test_file(root, "half.xml", half);
    g_autofree char *other = test_file(root, "other.xml", "<?xml version=\"1.0\"?><html><body/></html>");
    g_autofree char *far = test_file(
        root, "far.xml",
        "<?xml version=\"1.0\"?><ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\" Color=\"#F4FA58\">"
        "<Coordinates><Coordinate Order=\"0\" X=\"90000\" Y=\"90000\"/><Coordinate Order=\"1\" X=\"95000\" Y=\"90000\"/>"
        "<Coordinate Order=\"2\" X=\"95000\" Y=\"95000\"/></Coordinates></Annotation></Annotations><AnnotationGroups/></ASAP_Annotations>");
    const char *const files[] = {truncated, other, far, "/no/such/annotation.xml"};
    const char *const parts[] = {"half.xml", "other.xml", "far.xml", "/no/such/annotation.xml"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *name = g_strdup_printf("annotations%d.csv", (int)i), *cohort = cohort_with(name, slide, files[i], "1");
        expect_bad("check", cohort, parts[i], 0);
        expect_bad("label", cohort, parts[i], 3);
    }
    g_autofree char *negative = cohort_with("negative.csv", slide, good, "0");
    expect_bad("check", negative, "label 0", 0);
}

static void test_bad_tables(void) {
    make_cohort();
    g_autofree char *slide = slide_of(0, NULL);
    const struct {
        const char *text, *message;
    } cases[] = {
        {"slide,label\n%s,maybe\n", "maybe"},
        {"id,slide,label\na,%s,0\na,%s,1\n", "\"a\""},
        {"slide,label\n%s,0\n%s,1\n", "line 3"},
        {"slide,split\n%s,tset\n", "tset"},
        {"slide,mpp\n%s,-1\n", "-1"},
        {"picture\n%s\n", "slide"},
        {"slide,label\n", "table"},
        {"slide,label,patient,split\n%s,0,p,train\nother.svs,1,p,test\n", "\"p\""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(cases[i].text, "%s", -1);
        g_autofree char *text = g_strjoinv(slide, parts), *name = g_strdup_printf("table%d.csv", (int)i),
                        *path = test_file(root, name, text);
        g_auto(Outcome) o = {0};
        command_run(&o, root, "run", path, "-o", "tables", NULL);
        command_expect(&o, 1, name);
        command_expect(&o, 1, cases[i].message);
    }
    g_assert_cmpint(test_entries(root, "tables/tiles"), ==, 0);
}

/* rmil_bag_write refuses what is not finite, so it is put into the file afterwards, in the place of a number that
 * stands there once. */
static void write_bag(const char *path, int number, int64_t dim, gboolean damaged) {
    enum { K = 6 };
    const float sentinel = 12345.678f, bad = NAN;
    g_autofree float *features = g_new0(float, (K * dim));
    int64_t coords[2 * K] = {0};
    for (int64_t i = 0; i < K * dim; i++) features[i] = (float)((i + number) % 17) / 17;
    if (damaged) features[dim + 2] = sentinel;
    RmilBag bag = {.id = (char *)"x", .count = K, .dim = dim, .precision = RMIL_FLOAT32, .features = features, .coords = coords};
    GError *error = NULL;
    rmil_bag_write(&bag, path, FALSE, &error);
    g_assert_no_error(error);
    if (!damaged) return;
    gsize size;
    g_autofree char *bytes = NULL;
    g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    char *place = memmem(bytes, size, &sentinel, sizeof sentinel);
    g_assert_nonnull(place);
    memcpy(place, &bad, sizeof bad);
    g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
}

static void test_bad_features(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) table = g_string_new("features,label\n");
    for (int i = 0; i < 16; i++) {
        g_autofree char *name = g_strdup_printf("bag%02d.h5", i), *path = g_build_filename(folder, name, NULL);
        write_bag(path, i, i == 4 ? 24 : 16, i == 9);
        g_string_append_printf(table, "%s,%d\n", name, i % 2);
    }
    g_free(test_file(folder, "cohort.csv", table->str));
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "train", "cohort.csv", "-o", "run", "--epochs", "2", NULL);
    command_expect(&o, 1, "bag04: has features of size 24, but the others have 16");
    command_expect(&o, 1, "bag09");
    command_expect(&o, 1, "patch 1");
    gsize size;
    g_autofree char *predictions = test_bytes(folder, "run/predictions.csv", &size); /* the other 14 are done */
    g_assert_null(strstr(predictions, "bag04"));
    g_assert_nonnull(strstr(predictions, "bag15"));
    g_free(test_file(folder, "one.csv", "features,label\nbag00.h5,0\nbag02.h5,0\nbag06.h5,0\n"));
    command_run(&o, folder, "train", "one.csv", "-o", "one", NULL);
    command_expect(&o, 1, "every label is 0: training needs both classes");
    command_run(&o, folder, "check", "one.csv", NULL);
    command_expect(&o, 1, "every label is 0: training needs both classes");
    g_free(test_file(folder, "short.csv", "id,label,probability\na,1,0.5\nb,1,0.7\n"));
    command_run(&o, folder, "metrics", "short.csv", NULL);
    command_expect(&o, 1, "need both");
}

static void test_no_space(void) {
    make_cohort();
    g_auto(Outcome) o = {0};
    /* A file system of 300 KiB in a namespace of our own; without one, a limit on the size of files. */
    command_shell(
        &o, root,
        "mkdir -p small && if unshare -rm true 2>/dev/null; then exec unshare -rm sh -c 'mount -t tmpfs -o size=300k none small && "
        "\"$RANKMIL\" encode cohort/cohort.csv -o small; s=$?; find small -name \"*.part\" | wc -l; exit $s'; "
        "else ulimit -f 24; \"$RANKMIL\" encode cohort/cohort.csv -o small; s=$?; find small -name '*.part' | wc -l; exit $s; fi");
    command_expect(&o, 1, "small/");
    g_assert_true(strstr(o.err, "No space left") || strstr(o.err, "File too large"));
    g_assert_null(strstr(o.err, "HDF5-DIAG"));
    g_assert_true(g_str_has_suffix(o.out, "0\n")); /* nothing half written is left */
}

static void test_no_permission(void) {
    make_cohort();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "encode", "cohort/cohort.csv", "-o", "/proc/rankmil", NULL);
    command_expect(&o, 1, "/proc/rankmil");
    if (geteuid() == 0) return; /* root may write anywhere else */
    command_shell(&o, root, "mkdir -p closed && chmod 555 closed && exec \"$RANKMIL\" encode cohort/cohort.csv -o closed");
    command_expect(&o, 1, "Permission denied");
}

static void test_compare(void) {
    g_autofree char *folder = test_folder();
    g_free(test_file(folder, "a.csv", "method,auroc\nx,0.9\nx,0.8\nx,0.85\n"));
    g_free(test_file(folder, "b.csv", "method,auroc\ny,0.5\ny,0.55\ny,0.6\n"));
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "compare", "a.csv", "b.csv", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "U 9.0, two-sided p 0.1")); /* exact: 2 / C(6, 3) */
    command_run(&o, folder, "compare", "a.csv", "b.csv", "--column", "auprc", NULL);
    command_expect(&o, 1, "there is no column \"auprc\"");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/help", test_help);
    g_test_add_func("/cli/run", test_run);
    g_test_add_func("/cli/resume", test_resume);
    g_test_add_func("/cli/killed", test_killed);
    g_test_add_func("/cli/stages", test_stages_and_train);
    g_test_add_func("/cli/predict", test_predict);
    g_test_add_func("/cli/bad/slides", test_bad_slides);
    g_test_add_func("/cli/bad/real", test_broken_real);
    g_test_add_func("/cli/bad/tissue", test_empty_tissue);
    g_test_add_func("/cli/bad/annotations", test_bad_annotations);
    g_test_add_func("/cli/bad/tables", test_bad_tables);
    g_test_add_func("/cli/bad/features", test_bad_features);
    g_test_add_func("/cli/bad/space", test_no_space);
    g_test_add_func("/cli/bad/permission", test_no_permission);
    g_test_add_func("/cli/compare", test_compare);
    int status = g_test_run();
    g_free(root);
    return status;
}
