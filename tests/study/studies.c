/* SPDX-License-Identifier: Apache-2.0 */
/* Small studies for tests. */
#include "studies.h"

#include "rankmil/synth.h"

#include <math.h>
#include <string.h>

const char *studies_cohort(void) {
    static char *folder;
    if (folder) return folder;
    folder = test_folder();
    RmilSynthFeatureOptions options;
    rmil_synth_feature_options_init(&options);
    options.train = 16;
    options.train_positive = 8;
    options.test = 8;
    options.test_positive = 4;
    options.dim = 16;
    options.scale = 0.02;
    options.threads = 1;
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(folder, &options, NULL, &error));
    g_assert_no_error(error);
    return folder;
}

/* Rows of doubles and strings (the struct's first member) with no padding that differs: compared member by member. */
static void same_numbers(const double *a, const double *b, gsize n) {
    for (gsize i = 0; i < n; i++) g_assert_true(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
}

static void same_epochs(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilEpoch *x = &g_array_index(a, RmilEpoch, i), *y = &g_array_index(b, RmilEpoch, i);
        const double p[] = {(double)x->epoch, x->train_loss, x->train_slide_loss, x->train_guide_loss, x->val_loss, x->val_metric, x->best};
        const double q[] = {(double)y->epoch, y->train_loss, y->train_slide_loss, y->train_guide_loss, y->val_loss, y->val_metric, y->best};
        same_numbers(p, q, G_N_ELEMENTS(p));
    }
}

static void same_predictions(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilPredictionRow *x = &g_array_index(a, RmilPredictionRow, i), *y = &g_array_index(b, RmilPredictionRow, i);
        g_assert_cmpstr(x->slide, ==, y->slide);
        const double p[] = {x->part, x->target.label, x->probability, x->logit}, q[] = {y->part, y->target.label, y->probability, y->logit};
        same_numbers(p, q, G_N_ELEMENTS(p));
    }
}

static void same_localisation(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilLocalisationRow *x = &g_array_index(a, RmilLocalisationRow, i), *y = &g_array_index(b, RmilLocalisationRow, i);
        g_assert_cmpstr(x->slide, ==, y->slide);
        const double p[] = {x->alpha, x->iou, x->dice, x->pointing}, q[] = {y->alpha, y->iou, y->dice, y->pointing};
        same_numbers(p, q, G_N_ELEMENTS(p));
    }
}

static void same_attention(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilAttentionRow *x = &g_array_index(a, RmilAttentionRow, i), *y = &g_array_index(b, RmilAttentionRow, i);
        g_assert_cmpstr(x->slide, ==, y->slide);
        const double p[] = {x->lesion, x->elsewhere, x->lesion_share}, q[] = {y->lesion, y->elsewhere, y->lesion_share};
        same_numbers(p, q, G_N_ELEMENTS(p));
    }
}

static void same_patches(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilPatchRow *x = &g_array_index(a, RmilPatchRow, i), *y = &g_array_index(b, RmilPatchRow, i);
        g_assert_cmpstr(x->slide, ==, y->slide);
        same_numbers((const double[]){x->auroc, x->average_precision}, (const double[]){y->auroc, y->average_precision}, 2);
    }
}

static void same_lesions(const GArray *a, const GArray *b) {
    g_assert_cmpuint(a->len, ==, b->len);
    for (guint i = 0; i < a->len; i++) {
        const RmilLesionRow *x = &g_array_index(a, RmilLesionRow, i), *y = &g_array_index(b, RmilLesionRow, i);
        g_assert_cmpstr(x->slide, ==, y->slide);
        const double p[] = {(double)x->lesion, (double)x->tiles, x->score, x->false_positives, (double)x->negatives};
        const double q[] = {(double)y->lesion, (double)y->tiles, y->score, y->false_positives, (double)y->negatives};
        same_numbers(p, q, G_N_ELEMENTS(p));
    }
}

static void same_model(const RmilStudyRun *a, const RmilStudyRun *b) {
    gsize size_a, size_b;
    g_autofree char *x = rmil_file_read(a->model, 1 << 26, &size_a, NULL), *y = rmil_file_read(b->model, 1 << 26, &size_b, NULL);
    g_assert_true(x && y && size_a == size_b && memcmp(x, y, size_a) == 0);
}

typedef GArray *(*Reader)(RmilStudy *study, int64_t index, GError **error);

static void same_rows(RmilStudy *a, RmilStudy *b, int64_t index, Reader read, void (*same)(const GArray *, const GArray *)) {
    GError *error = NULL;
    g_autoptr(GArray) x = read(a, index, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) y = read(b, index, &error);
    g_assert_no_error(error);
    same(x, y);
}

void studies_assert_same(const char *folder_a, const char *folder_b) {
    GError *error = NULL;
    g_autoptr(RmilStudy) a = rmil_study_open(folder_a, &error);
    g_assert_no_error(error);
    g_autoptr(RmilStudy) b = rmil_study_open(folder_b, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_study_count(a), ==, rmil_study_count(b));
    g_assert_cmpint(rmil_study_done(a), ==, rmil_study_count(a));
    g_assert_cmpint(rmil_study_done(b), ==, rmil_study_count(b));
    for (int64_t i = 0; i < rmil_study_count(a); i++) {
        const RmilStudyRun *x = rmil_study_run(a, i), *y = rmil_study_run(b, i);
        g_assert_cmpstr(x->key, ==, y->key);
        g_assert_cmpint(x->epochs, ==, y->epochs);
        g_assert_cmpint(x->best_epoch, ==, y->best_epoch);
        same_model(x, y);
        same_rows(a, b, i, rmil_study_epochs, same_epochs);
        same_rows(a, b, i, rmil_study_predictions, same_predictions);
        same_rows(a, b, i, rmil_study_localisation, same_localisation);
        same_rows(a, b, i, rmil_study_attention, same_attention);
        same_rows(a, b, i, rmil_study_patches, same_patches);
        same_rows(a, b, i, rmil_study_lesions, same_lesions);
    }
}
