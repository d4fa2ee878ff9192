/* SPDX-License-Identifier: Apache-2.0 */
/* A study's record, made up. */
#include "fake-study.h"
#include "study/record.h"
#include "support.h"

#include <math.h>

static double noise(uint64_t seed, uint64_t stream) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, stream);
    return rmil_rng_normal(&rng);
}

static void add_slides(RmilRecordRun *run, const FakeStudy *fake, GStringChunk *names, double strength, uint64_t stream) {
    static const double alphas[] = {1, 5, 10, 20, 50, 75, 100};
    int64_t seed = run->run.seed;
    for (int i = 0; i < fake->slides; i++) {
        int number = fake->own_tests ? i + (int)seed * fake->slides : i, label = i % 5 < 2;
        g_autofree char *text = g_strdup_printf("%s%03d", fake->prefix, number);
        const char *id = g_string_chunk_insert_const(names, text);
        double logit = strength * (label - 0.5) + 0.8 * noise(1, (uint64_t)number) + 0.6 * noise(stream, (uint64_t)number);
        RmilPredictionRow prediction = {.slide = id,
                                        .part = RMIL_SPLIT_TEST,
                                        .target = RMIL_TARGET_CLASS(label),
                                        .probability = 1 / (1 + exp(-2 * logit)),
                                        .logit = logit};
        g_array_append_val(run->rows[RMIL_ROWS_PREDICTION], prediction);
        if (!label || i / 5 * 2 + i % 5 >= fake->annotated) continue;
        double share = 1 / (1 + exp(-strength - 0.7 * noise(stream + 1, (uint64_t)number)));
        for (gsize a = 0; a < G_N_ELEMENTS(alphas); a++) {
            double iou = share * alphas[a] / 150;
            RmilLocalisationRow local = {id, alphas[a], iou, 2 * iou / (1 + iou), share * 60 + alphas[a] > 50};
            g_array_append_val(run->rows[RMIL_ROWS_LOCALISATION], local);
        }
        RmilPatchRow patches = {id, 0.5 + share / 2, share};
        g_array_append_val(run->rows[RMIL_ROWS_PATCHES], patches);
        for (int l = 0; l < 1 + i % 3; l++) {
            RmilLesionRow lesion = {id, l + 1, 1 + 7 * l + i % 7, strength, 3 * (1 - share) + l, 4};
            g_array_append_val(run->rows[RMIL_ROWS_LESION], lesion);
        }
        RmilAttentionRow attention = {id, 1 + 10 * share, 1 - 0.5 * share, share};
        g_array_append_val(run->rows[RMIL_ROWS_ATTENTION], attention);
    }
    RmilPredictionRow other = {.slide = "not a test slide",
                               .part = RMIL_SPLIT_TRAIN,
                               .target = RMIL_TARGET_CLASS(1),
                               .probability = 0.1,
                               .logit = -2};
    g_array_append_val(run->rows[RMIL_ROWS_PREDICTION], other);
    RmilEpoch epoch = {1, 0.7, 0.6, 0.1, 0.65, 0.7, TRUE};
    g_array_append_val(run->rows[RMIL_ROWS_EPOCH], epoch);
}

static void vary(RmilStudyRun *run, const FakeStudy *fake, int cell, int words, GStringChunk *names) {
    int at = 0;
    if (fake->values) {
        g_autofree char *text = g_strdup_printf("%g", fake->values[cell / words]);
        run->varied[at++] = (RmilVaried){fake->variable, g_string_chunk_insert(names, text), fake->values[cell / words]};
    }
    run->varied[at] = (RmilVaried){fake->worded, fake->words[cell % words], NAN};
}

void fake_study_write(const char *folder, const FakeStudy *fake) {
    g_autoptr(GArray) runs = g_array_new(FALSE, TRUE, sizeof(RmilStudyRun));
    g_autoptr(GStringChunk) names = g_string_chunk_new(4096);
    const int words = fake->words ? (int)g_strv_length((char **)fake->words) : 1, values = (fake->values ? fake->n_values : 1) * words;
    for (int m = 0; fake->methods[m]; m++)
        for (int v = 0; v < values; v++)
            for (int s = 0; s < fake->seeds; s++) {
                g_autofree char *text = g_strdup_printf("%s-%d-%d", fake->methods[m], v, s),
                                *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
                RmilStudyRun run = {.key = g_string_chunk_insert(names, key),
                                    .method = fake->methods[m],
                                    .value = fake->values && !fake->words ? fake->values[v] : NAN,
                                    .split = "",
                                    .seed = s,
                                    .done = TRUE,
                                    .epochs = 1,
                                    .best_epoch = 1,
                                    .seconds = 1.5,
                                    .threads = 1,
                                    .version = "0",
                                    .config = "{}",
                                    .model = "models/none"};
                if (fake->words) vary(&run, fake, v, words, names); /* else as records of before had it */
                g_array_append_val(runs, run);
            }
    RmilRecordStudy study = {.kind = fake->kind,
                             .title = "A made-up study",
                             .plan = "study: made-up\n",
                             .cohort = fake->cohort ? fake->cohort : "/nowhere/cohort.csv",
                             .fingerprint = "f",
                             .reference = "rank",
                             .variable = fake->variable};
    g_autofree char *path = g_build_filename(folder, "study.sqlite", NULL);
    GError *error = NULL;
    g_autoptr(RmilRecord) record = rmil_record_open(path, &study, (RmilStudyRun *)(void *)runs->data, runs->len, &error);
    g_assert_no_error(error);
    for (guint i = 0; i + (guint)fake->left < runs->len; i++) {
        RmilRecordRun run = {.run = g_array_index(runs, RmilStudyRun, i),
                             .rows[RMIL_ROWS_EPOCH] = g_array_new(FALSE, TRUE, sizeof(RmilEpoch)),
                             .rows[RMIL_ROWS_PREDICTION] = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow)),
                             .rows[RMIL_ROWS_LOCALISATION] = g_array_new(FALSE, TRUE, sizeof(RmilLocalisationRow)),
                             .rows[RMIL_ROWS_ATTENTION] = g_array_new(FALSE, TRUE, sizeof(RmilAttentionRow)),
                             .rows[RMIL_ROWS_PATCHES] = g_array_new(FALSE, TRUE, sizeof(RmilPatchRow)),
                             .rows[RMIL_ROWS_LESION] = g_array_new(FALSE, TRUE, sizeof(RmilLesionRow))};
        int method = (int)i / (values * fake->seeds), value = (int)i / fake->seeds % values;
        double reach = values > 1 ? 0.5 + 0.5 * value / (values - 1) : 1;
        add_slides(&run, fake, names, fake->strengths[method] * reach + 0.15 * noise(77, i), 1000 + 7 * i);
        rmil_record_add(record, &run, &error);
        g_assert_no_error(error);
        for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) g_clear_pointer(&run.rows[kind], g_array_unref);
    }
}
