/* SPDX-License-Identifier: Apache-2.0 */
/* Cohorts of features. */
#include "rankmil/cohort.h"
#include "rankmil/synth.h"
#include "support.h"
#include "synth/features-private.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static RmilSynthFeatureOptions tiny(void) {
    RmilSynthFeatureOptions options;
    rmil_synth_feature_options_init(&options);
    options.train = 10;
    options.train_positive = 6;
    options.test = 5;
    options.test_positive = 2;
    options.dim = 24;
    options.scale = 0.02;
    options.threads = 1;
    return options;
}

/* Everything a cohort promises: sets, labels, tiles on a grid, tumour tiles only and always in positive bags. */
static void test_content(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "cohort.csv", NULL);
    RmilSynthFeatureOptions options = tiny();
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(folder, &options, NULL, &error));
    g_assert_no_error(error);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 15);
    int positives[2] = {0, 0}, sets[2] = {0, 0};
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        int test = row->split == RMIL_SPLIT_TEST;
        sets[test]++;
        positives[test] += row->target.label;
        g_autoptr(RmilBag) bag = rmil_bag_read(row->features, row->id, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(bag->dim, ==, 24);
        g_assert_cmpfloat(bag->patch_size_level0, ==, 448);
        int64_t tumour = 0;
        for (int64_t k = 0; k < bag->count; k++) {
            tumour += bag->patch_labels[k];
            g_assert_cmpint(bag->coords[2 * k] % 448, ==, 0);
            g_assert_cmpint(bag->coords[2 * k], <, bag->slide_width);
            if (k == 0) continue;
            const int64_t *now = bag->coords + 2 * k, *before = now - 2;
            g_assert_true(now[1] > before[1] || (now[1] == before[1] && now[0] > before[0]));
        }
        g_assert_cmpint(tumour > 0, ==, row->target.label);
        double listed;
        int column = rmil_table_find(cohort->table, "lesion_tiles");
        g_assert_true(rmil_table_number(cohort->table, i, column, &listed, &error));
        g_assert_cmpint(tumour, ==, (int64_t)listed);
    }
    g_assert_cmpint(sets[0], ==, 10);
    g_assert_cmpint(sets[1], ==, 5);
    g_assert_cmpint(positives[0], ==, 6);
    g_assert_cmpint(positives[1], ==, 2);
}

/* The mean difference between tumour and other tiles shrinks with the difficulty. */
static double tumour_distance(double difficulty) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "cohort.csv", NULL);
    RmilSynthFeatureOptions options = tiny();
    options.difficulty = difficulty;
    options.threads = 2;
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(folder, &options, NULL, &error));
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    double sum[2][24] = {{0}}, count[2] = {0, 0}, distance = 0;
    for (int64_t i = 0; i < cohort->count; i++) {
        g_autoptr(RmilBag) bag = rmil_bag_read(cohort->rows[i].features, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        if (!cohort->rows[i].target.label) continue;
        const float *x = bag->features;
        for (int64_t k = 0; k < bag->count; k++) {
            count[bag->patch_labels[k]]++;
            for (int64_t j = 0; j < 24; j++) sum[bag->patch_labels[k]][j] += (double)x[k * 24 + j];
        }
    }
    for (int j = 0; j < 24; j++) distance += pow(sum[1][j] / count[1] - sum[0][j] / count[0], 2);
    return sqrt(distance);
}

static void test_difficulty(void) { g_assert_cmpfloat(tumour_distance(0.3), >, 1.5 * tumour_distance(3)); }

static void test_repeat(void) {
    g_autofree char *one = test_folder(), *three = test_folder();
    RmilSynthFeatureOptions options = tiny();
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(one, &options, NULL, &error));
    options.threads = 3;
    g_assert_true(rmil_synth_features_write(three, &options, NULL, &error));
    g_autofree char *lost = g_build_filename(three, "features", "train_003.h5", NULL);
    g_assert_cmpint(g_unlink(lost), ==, 0);
    g_assert_true(rmil_synth_features_write(three, &options, NULL, &error));
    g_assert_no_error(error);
    test_same_in(one, three, "cohort.csv");
    for (int i = 1; i <= 10; i++) {
        g_autofree char *name = g_strdup_printf("features/train_%03d.h5", i);
        test_same_in(one, three, name);
    }
    options.difficulty = 2;
    g_assert_false(rmil_synth_features_write(three, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "train_001.h5: already exists but was made with other options (");
}

/* -- plan and places ------------------------------------------------------------------------------------------------------- */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A full-size plan has Camelyon16's labels, and its tiles and lesions follow the tables in both sets, for any seed. */
static void test_plan(void) {
    RmilSynthFeatureOptions options;
    rmil_synth_feature_options_init(&options);
    for (options.seed = 0; options.seed < 3; options.seed++) {
        g_autofree RmilSynthBagPlan *plans = rmil_synth_bag_plan(&options);
        double lesions[160], tiles[399];
        int positives = 0;
        for (int i = 0; i < 399; i++) {
            g_assert_cmpint(plans[i].test, ==, i >= 270);
            g_assert_cmpint(plans[i].label, ==, plans[i].lesion > 0);
            g_assert_cmpfloat(plans[i].lesion, <=, 0.7 * (double)plans[i].count);
            g_assert_cmpfloat(plans[i].benign, <=, 0.1 * (double)plans[i].count);
            tiles[i] = (double)plans[i].count;
            if (plans[i].label) lesions[positives++] = plans[i].lesion;
            if (i == 269) g_assert_cmpint(positives, ==, 111);
        }
        g_assert_cmpint(positives, ==, 160);
        qsort(lesions, 160, sizeof *lesions, by_value);
        qsort(tiles, 399, sizeof *tiles, by_value);
        for (double q = 0.1; q < 0.85; q += 0.1) { /* above, the share of the slide cuts some lesions */
            double made = lesions[(int)(q * 160)], table = rmil_synth_lesion_tiles(q);
            g_assert_cmpfloat(fabs(log(made / table)), <, 0.2);
            made = tiles[(int)(q * 399)];
            table = rmil_synth_tissue_tiles(q);
            g_assert_cmpfloat(fabs(log(made / table)), <, 0.05);
        }
    }
    rmil_synth_feature_options_bags(&options, 40);
    g_assert_cmpint(options.train, ==, 27);
    g_assert_cmpint(options.test, ==, 13);
    g_assert_cmpint(options.train_positive, ==, 11);
    g_assert_cmpint(options.test_positive, ==, 5);
}

/* The covered area is the wanted one, in few connected pieces; even the smallest lesion labels a tile. */
static void test_foci(void) {
    static const double areas[] = {0.5, 1, 3.2, 40, 300};
    RmilRng rng;
    rmil_rng_init(&rng, 5, 0);
    int64_t coords[2 * 500];
    g_assert_cmpint(rmil_synth_place_tissue(500, &rng, coords), >=, 23 * 448);
    for (gsize a = 0; a < G_N_ELEMENTS(areas); a++)
        for (int repeat = 0; repeat < 20; repeat++) {
            float cover[500];
            double sum = 0;
            int labelled = 0, alone = 0;
            rmil_synth_place_foci(coords, 500, areas[a], &rng, cover);
            for (int i = 0; i < 500; i++) {
                g_assert_cmpfloat(cover[i], >=, 0);
                g_assert_cmpfloat(cover[i], <=, 1.0001F);
                sum += (double)cover[i];
                if (!(cover[i] > 0.05F)) continue;
                labelled++;
                gboolean touches = FALSE;
                for (int j = 0; j < 500; j++)
                    touches |= j != i && cover[j] > 0 && ABS(coords[2 * j] - coords[2 * i]) <= 448 &&
                               ABS(coords[2 * j + 1] - coords[2 * i + 1]) <= 448;
                alone += !touches;
            }
            g_assert_cmpfloat(fabs(sum - areas[a]), <, 0.02);
            g_assert_cmpint(labelled, >=, 1);
            g_assert_cmpint(labelled, >=, (int)areas[a]);
            g_assert_cmpint(alone, <=, 8);
        }
}

/* -- disk and options ------------------------------------------------------------------------------------------------------ */
static void test_reproducible(void) {
    g_autofree char *folder = test_folder();
    RmilSynthFeatureOptions options = tiny();
    options.half = FALSE;
    options.dim = 200;
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(folder, &options, NULL, &error));
    int64_t bytes = 0;
    for (int i = 1; i <= 15; i++) {
        g_autofree char *name = i <= 10 ? g_strdup_printf("features/train_%03d.h5", i) : g_strdup_printf("features/test_%03d.h5", i - 10);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        GStatBuf status;
        g_assert_cmpint(g_stat(path, &status), ==, 0);
        bytes += status.st_size;
    }
    g_assert_cmpint(bytes, <=, rmil_synth_features_bytes(&options));
    g_assert_cmpint(bytes, >, rmil_synth_features_bytes(&options) * 6 / 10);
    if (!g_file_test("/proc/self", G_FILE_TEST_EXISTS)) return;
    g_assert_false(rmil_synth_features_write("/proc/rankmil", &options, NULL, &error)); /* a file system without room */
    test_error(&error, RMIL_ERROR_IO, "/proc/rankmil: needs 0.0 GB more");
}

static void test_options(void) {
    static const struct {
        RmilSynthFeatureOptions options;
        const char *message;
    } cases[] = {
        {{.train = 0, .dim = 8, .scale = 1, .difficulty = 1}, "train, test"},
        {{.train = 2, .train_positive = 3, .dim = 8, .scale = 1, .difficulty = 1}, "train_positive"},
        {{.train = 2, .dim = 0, .scale = 1, .difficulty = 1}, "dim"},
        {{.train = 2, .dim = 8, .scale = NAN, .difficulty = 1}, "scale"},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 0}, "difficulty"},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 1, .task = {.classes = 1}}, "--classes 1: must be 2 … "},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 1, .task = {.classes = 7}}, "--classes 7: must be 2 … "},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 1, .task = {.classes = 3, .target = RMIL_SYNTH_NUMBER}}, "has no classes"},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 1, .task = {.patients = 1.5}}, "--patients 1.5: must be 0 … 1"},
        {{.train = 2, .dim = 8, .scale = 1, .difficulty = 1, .task = {.sites = -2}}, "--sites -2: must be 0 … "}};
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        g_assert_false(rmil_synth_features_write(folder, &cases[i].options, NULL, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, cases[i].message);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/synth/features/content", test_content);
    g_test_add_func("/synth/features/difficulty", test_difficulty);
    g_test_add_func("/synth/features/repeat", test_repeat);
    g_test_add_func("/synth/features/plan", test_plan);
    g_test_add_func("/synth/features/foci", test_foci);
    g_test_add_func("/synth/features/bytes", test_reproducible);
    g_test_add_func("/synth/features/options", test_options);
    return g_test_run();
}
