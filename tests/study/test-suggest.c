/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which slides are annotated when the models are asked: rmil_suggest, and studies that vary it. */
#include "studies.h"
#include "study/suggest.h"

#include <math.h>
#include <string.h>

static void test_gain(void) {
    const RmilDoubts sure = {0.1, 0, FALSE, NAN}, wrong = {0.9, 0, FALSE, NAN}, apart = {0.1, 0.3, FALSE, NAN},
                     unknown = {NAN, NAN, FALSE, NAN};
    const RmilDoubts outlined = {0.1, 0, TRUE, 0}, stray = {0.1, 0, TRUE, 0.9};
    g_assert_cmpfloat(rmil_suggest_gain(&wrong), >, rmil_suggest_gain(&sure));
    g_assert_cmpfloat(rmil_suggest_gain(&apart), >, rmil_suggest_gain(&sure));
    g_assert_cmpfloat(rmil_suggest_gain(&sure), >, rmil_suggest_gain(&outlined));
    g_assert_cmpfloat(rmil_suggest_gain(&stray), >, rmil_suggest_gain(&outlined));
    g_assert_true(isfinite(rmil_suggest_gain(&unknown)));
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
    g_autoptr(GArray) orders = rmil_suggest(data, repeats, rmil_method_reference(), &options, shares, 3, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) again = rmil_suggest(data, repeats, rmil_method_reference(), &options, shares, 3, NULL, &error);
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
    g_test_add_func("/study/suggest/gain", test_gain);
    g_test_add_func("/study/suggest/order", test_order);
    return g_test_run();
}
