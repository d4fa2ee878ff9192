/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which slides are annotated that models give: rmil_suggest, and studies that vary it. */
#include "studies.h"
#include "rankmil/bag.h"
#include "study/suggest.h"

#include <math.h>
#include <string.h>

/* A slide of 20 patches, two of which are outlined; where the lesion is `plain`, they differ from all others. */
static void make_slide(const char *folder, const char *id, gboolean positive, gboolean plain, uint64_t seed) {
    enum { PATCHES = 20, DIM = 4 };
    float features[PATCHES * DIM];
    int64_t coords[PATCHES * 2];
    uint8_t labels[PATCHES] = {0};
    RmilRng rng;
    GError *error = NULL;
    rmil_rng_init(&rng, seed, 0);
    for (int i = 0; i < PATCHES; i++) {
        coords[2 * i] = i * 256;
        coords[2 * i + 1] = 0;
        labels[i] = positive && i < 2;
        for (int d = 0; d < DIM; d++) features[i * DIM + d] = (float)(0.3 * rmil_rng_normal(&rng)) + (plain && labels[i] && d == 0 ? 6 : 0);
    }
    const RmilBag bag = {.id = (char *)id,
                         .count = PATCHES,
                         .dim = DIM,
                         .precision = RMIL_FLOAT32,
                         .features = features,
                         .coords = coords,
                         .patch_labels = labels,
                         .patch_size = 256,
                         .patch_size_level0 = 256,
                         .target_mpp = 0.5};
    g_autofree char *name = g_strdup_printf("%s.h5", id), *path = g_build_filename(folder, name, NULL);
    g_assert_true(rmil_bag_write(&bag, path, FALSE, &error));
}

/* Slides whose lesion a model can see, and those that look like any negative one: which come first depends on the order. */
static void test_plain(void) {
    GError *error = NULL;
    RmilTrainOptions options;
    g_autofree char *folder = test_folder();
    g_autoptr(GString) table = g_string_new("id,features,label,split\n");
    for (int i = 0; i < 32; i++) {
        const gboolean positive = i < 16, plain = positive && i % 2;
        g_autofree char *id = g_strdup_printf("s%02d", i);
        make_slide(folder, id, positive, plain, (uint64_t)i + 1);
        g_string_append_printf(table, "%s,%s.h5,%d,%s\n", id, id, positive, i % 16 < 8 ? "train" : i % 16 < 12 ? "val" : "test");
    }
    g_autofree char *path = test_file(folder, "cohort.csv", table->str);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    rmil_train_options_init(&options);
    rmil_train_options_set(&options, "epochs", "20", NULL);
    rmil_train_options_set(&options, "learning-rate", "0.002", NULL);
    g_autoptr(RmilTrainData) data = rmil_train_data_load(cohort, &options, NULL, 1, NULL, &error);
    g_assert_no_error(error);
    const int64_t seed = 0;
    g_autoptr(GArray) repeats = rmil_repeats_draw(data->cohort, 0.2, 0.2, &seed, 1, &error);
    g_assert_no_error(error);
    const double shares[] = {0.5, 1};
    for (RmilOrder k = RMIL_ORDER_WRONG; k < RMIL_ORDERS; k++) {
        g_autoptr(GArray) orders = rmil_suggest(k, data, repeats, rmil_method_reference(), &options, shares, 2, NULL, &error);
        g_assert_no_error(error);
        const RmilSuggested *order = &g_array_index(orders, RmilSuggested, 0);
        for (int64_t i = 0; i < 8; i++) g_assert_true((order->place[i] < 4) == (i % 2 == (k == RMIL_ORDER_SURE)));
    }
    rmil_train_options_clear(&options);
}

/* Every annotated positive training slide has a place of its own, the same each time; those that come first keep their annotation. */
static void test_order(void) {
    GError *error = NULL;
    RmilTrainOptions options;
    g_autofree char *path = g_build_filename(studies_cohort(), "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    rmil_train_options_init(&options);
    rmil_train_options_set(&options, "epochs", "2", NULL);
    g_autoptr(RmilTrainData) data = rmil_train_data_load(cohort, &options, NULL, 1, NULL, &error);
    g_assert_no_error(error);
    const int64_t seeds[] = {0, 1};
    g_autoptr(GArray) repeats = rmil_repeats_draw(data->cohort, 0.2, 0.2, seeds, 2, &error);
    const double shares[] = {1, 0.5, 0};
    g_autoptr(GArray) orders = rmil_suggest(RMIL_ORDER_WRONG, data, repeats, rmil_method_reference(), &options, shares, 3, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) again = rmil_suggest(RMIL_ORDER_WRONG, data, repeats, rmil_method_reference(), &options, shares, 3, NULL, &error);
    for (guint r = 0; r < 2; r++) {
        const RmilSuggested *order = &g_array_index(orders, RmilSuggested, r), *same = &g_array_index(again, RmilSuggested, r);
        const RmilRepeat *repeat = &g_array_index(repeats, RmilRepeat, r);
        g_autofree gboolean *half = g_new0(gboolean, data->count), *all = g_new0(gboolean, data->count),
                            *drawn = g_new0(gboolean, data->count);
        guint64 seen = 0;
        int64_t n = 0, kept = 0;
        g_assert_true(memcmp(order->place, same->place, (gsize)data->count * sizeof(int64_t)) == 0);
        for (int64_t i = 0; i < data->count; i++) {
            if (order->place[i] < 0) continue;
            g_assert_true(repeat->splits[i] == RMIL_SPLIT_TRAIN && data->targets[i].label == 1);
            seen |= (guint64)1 << order->place[i];
            n++;
        }
        g_assert_cmpint(n, >, 2);
        g_assert_cmpuint(seen, ==, ((guint64)1 << n) - 1);
        rmil_vary_suggested(data, repeat, 0.5, order, half);
        rmil_vary_suggested(data, repeat, 1, order, all);
        rmil_vary_annotated(data, repeat, 1, drawn);
        for (int64_t i = 0; i < data->count; i++) {
            g_assert_true(all[i] == drawn[i]); /* of all slides the order is the same */
            if (order->place[i] < 0) continue;
            kept += half[i];
            g_assert_true(half[i] == (order->place[i] < (int64_t)floor(0.5 * (double)n + 0.5)));
        }
        g_assert_cmpint(kept, ==, (int64_t)floor(0.5 * (double)n + 0.5));
    }
    rmil_train_options_clear(&options);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/study/suggest/plain", test_plain);
    g_test_add_func("/study/suggest/order", test_order);
    return g_test_run();
}
