#include "rankmil/bag.h"
#include "rankmil/synth.h"
#include "support.h"

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

static void same_file(const char *a, const char *b, const char *name) {
    g_autofree char *path_a = g_build_filename(a, name, NULL), *path_b = g_build_filename(b, name, NULL);
    gsize size_a, size_b;
    GError *error = NULL;
    g_autofree char *data_a = rmil_file_read(path_a, 1 << 26, &size_a, &error);
    g_assert_no_error(error);
    g_autofree char *data_b = rmil_file_read(path_b, 1 << 26, &size_b, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(size_a, ==, size_b);
    g_assert_true(memcmp(data_a, data_b, size_a) == 0);
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
        positives[test] += row->label;
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
        g_assert_cmpint(tumour > 0, ==, row->label);
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
        if (!cohort->rows[i].label) continue;
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
    same_file(one, three, "cohort.csv");
    for (int i = 1; i <= 10; i++) {
        g_autofree char *name = g_strdup_printf("features/train_%03d.h5", i);
        same_file(one, three, name);
    }
    options.difficulty = 2;
    g_assert_false(rmil_synth_features_write(three, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "train_001.h5: is there already");
}

static void test_options(void) {
    static const struct {
        RmilSynthFeatureOptions options;
        const char *message;
    } cases[] = {{{.train = 0, .dim = 8, .scale = 1, .difficulty = 1}, "train, test"},
                 {{.train = 2, .train_positive = 3, .dim = 8, .scale = 1, .difficulty = 1}, "train_positive"},
                 {{.train = 2, .dim = 0, .scale = 1, .difficulty = 1}, "dim"},
                 {{.train = 2, .dim = 8, .scale = NAN, .difficulty = 1}, "scale"},
                 {{.train = 2, .dim = 8, .scale = 1, .difficulty = 0}, "difficulty"}};
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
    g_test_add_func("/synth/features/options", test_options);
    return g_test_run();
}
