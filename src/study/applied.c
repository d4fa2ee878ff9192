/* SPDX-License-Identifier: Apache-2.0 */
/* A model's predictions on a cohort, as rows and as tables. */
#include "predictions.h"

#include "base/base-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

RmilPredictionRow rmil_prediction_row(const RmilTrainData *data, int64_t row, RmilSplit part, const RmilPrediction *said,
                                      const double *times) {
    const RmilCohortRow *of = &data->cohort->rows[row];
    RmilPredictionRow out = {.slide = of->id,
                             .part = part,
                             .target = data->targets[row],
                             .probability = said->probability,
                             .logit = said->logit,
                             .patient = of->patient,
                             .answer = said->answer};
    if (data->cohort->task.classes == 2) return out;
    out.count = said->count;
    memcpy(out.values, said->values, (gsize)said->count * sizeof *said->values);
    if (data->cohort->task.kind == RMIL_TASK_SURVIVAL) memcpy(out.times, times, (gsize)said->count * sizeof *times);
    return out;
}

void rmil_applied_rows(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, const RmilApplied *applied,
                       const GArray *lesions, GStringChunk *strings, GArray *const rows[RMIL_ROWS_COUNT]) {
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i] || (splits[i] == RMIL_SPLIT_NONE && !all)) continue;
        const char *id = data->cohort->rows[i].id;
        const RmilApplied *a = &applied[i];
        if (a->missing) continue;
        const RmilPredictionRow one = rmil_prediction_row(data, i, splits[i], &a->prediction, rmil_model_config(model)->edges + 1);
        g_array_append_val(rows[RMIL_ROWS_PREDICTION], one);
        rmil_outputs_of(&data->cohort->task, &one, strings, rows[RMIL_ROWS_OUTPUT]);
        if (!a->localised) continue;
        for (int k = 0; k < RMIL_ALPHAS; k++) {
            RmilLocalisationRow place = {id, rmil_alphas()[k], a->iou[k], a->dice[k], a->pointing[k]};
            g_array_append_val(rows[RMIL_ROWS_LOCALISATION], place);
        }
        RmilAttentionRow share = {id, a->attention.lesion, a->attention.elsewhere, a->attention.lesion_share};
        g_array_append_val(rows[RMIL_ROWS_ATTENTION], share);
        RmilPatchRow ranked = {id, a->patch_auroc, a->patch_average_precision};
        g_array_append_val(rows[RMIL_ROWS_PATCHES], ranked);
    }
    g_array_append_vals(rows[RMIL_ROWS_LESION], lesions->data, lesions->len);
}

gboolean rmil_run_found(const char *folder, GStringChunk *strings, GArray **patches, GArray **lesions, GError **error) {
    static const int kinds[] = {RMIL_ROWS_PATCHES, RMIL_ROWS_LESION};
    GArray *read[] = {NULL, NULL};
    gboolean there, done = TRUE;
    for (gsize i = 0; done && i < G_N_ELEMENTS(kinds); i++) {
        const RmilRows *rows = &rmil_rows[kinds[i]];
        g_autofree char *path = g_build_filename(folder, rows->file, NULL);
        done = rmil_file_exists(path, &there, error);
        if (done) read[i] = there ? rmil_rows_read(rows, path, strings, error) : g_array_new(FALSE, FALSE, (guint)rows->size);
        done = done && read[i];
    }
    for (gsize i = 0; !done && i < G_N_ELEMENTS(kinds); i++) g_clear_pointer(&read[i], g_array_unref);
    *patches = read[0];
    *lesions = read[1];
    return done;
}

gboolean rmil_train_apply_write(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads, const char *folder,
                                const RmilMonitor *monitor, GError **error) {
    g_autofree RmilApplied *applied = g_new0(RmilApplied, data->count);
    g_autoptr(GArray) lesions = g_array_new(FALSE, FALSE, sizeof(RmilLesionRow));
    if (!rmil_train_apply(data, model, splits, TRUE, threads, monitor, applied, lesions, error)) return FALSE;
    GArray *rows[RMIL_ROWS_COUNT];
    GStringChunk *strings = g_string_chunk_new(1024);
    for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) rows[kind] = g_array_new(FALSE, FALSE, (guint)rmil_rows[kind].size);
    rmil_applied_rows(data, model, splits, TRUE, applied, lesions, strings, rows);
    gboolean done = TRUE;
    for (int kind = RMIL_ROWS_PREDICTION; done && kind < RMIL_ROWS_COUNT; kind++) {
        if (!rmil_rows[kind].file) continue;
        g_autofree char *path = g_build_filename(folder, rmil_rows[kind].file, NULL),
                        *text = kind == RMIL_ROWS_PREDICTION ? rmil_predictions_csv(&data->cohort->task, rows[kind])
                                                             : rmil_rows_csv(&rmil_rows[kind], rows[kind]);
        if (text) done = rmil_file_write(path, text, strlen(text), error);
        else if (g_unlink(path) != 0 && errno != ENOENT) /* left over from an earlier evaluation */
            done = rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be removed: %s", path, g_strerror(errno));
    }
    for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) g_array_unref(rows[kind]);
    g_string_chunk_free(strings);
    return done;
}
