/* SPDX-License-Identifier: Apache-2.0 */
/* Pools the predictions of several trainings, and those of a patient's slides. */
#include "evaluate-private.h"

#include <string.h>

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

/* counts: how many of the trainings tested each slide of the pool. */
static RmilTests relate_tests(const GArray *counts, guint trainings) {
    gboolean same = TRUE, once = TRUE;
    for (guint i = 0; i < counts->len; i++) {
        same = same && g_array_index(counts, int64_t, i) == (int64_t)trainings;
        once = once && g_array_index(counts, int64_t, i) == 1;
    }
    return same ? RMIL_TESTS_SAME : once ? RMIL_TESTS_FOLDS : RMIL_TESTS_MIXED;
}

static void add_row(RmilPredictionRow *sum, const RmilPredictionRow *row) {
    sum->probability += row->probability;
    sum->answer += row->answer;
    sum->count = memcmp(sum->times, row->times, sizeof row->times) == 0 ? MIN(sum->count, row->count)
                                                                        : 0; /* values of different bins cannot be pooled */
    for (int i = 0; i < row->count; i++) sum->values[i] += row->values[i];
}

static void divide_row(RmilPredictionRow *sum, double n) {
    sum->probability /= n;
    sum->answer /= n;
    for (int i = 0; i < sum->count; i++) sum->values[i] /= n;
}

GArray *rmil_predictions_pool(const GPtrArray *trainings, const RmilTask *task, RmilTests *tests) {
    GArray *pooled = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) counts = g_array_new(FALSE, TRUE, sizeof(int64_t));
    for (guint s = 0; s < trainings->len; s++) {
        const GArray *rows = trainings->pdata[s];
        for (guint i = 0; i < rows->len; i++) {
            const RmilPredictionRow *item = row_at(rows, i);
            if (item->part != RMIL_SPLIT_TEST || !rmil_target_known(task, &item->target)) continue;
            gpointer at;
            if (!g_hash_table_lookup_extended(index, item->slide, NULL, &at)) {
                RmilPredictionRow one = *item;
                one.probability = one.answer = 0;
                memset(one.values, 0, sizeof one.values);
                at = GUINT_TO_POINTER(pooled->len);
                g_hash_table_insert(index, (gpointer)one.slide, at);
                g_array_append_val(pooled, one);
                g_array_set_size(counts, pooled->len);
            }
            add_row(&g_array_index(pooled, RmilPredictionRow, GPOINTER_TO_UINT(at)), item);
            g_array_index(counts, int64_t, GPOINTER_TO_UINT(at))++;
        }
    }
    *tests = relate_tests(counts, trainings->len);
    for (guint i = 0; i < pooled->len; i++)
        divide_row(&g_array_index(pooled, RmilPredictionRow, i), (double)g_array_index(counts, int64_t, i));
    return pooled;
}

/* -- patients -------------------------------------------------------------------------------------------------------------------- */
/* Joins the value `of` of `count` slides with that of one more. */
static double join(double of, double more, double count, RmilPool rule) {
    return rule == RMIL_POOL_HIGHEST ? MAX(of, more) : rule == RMIL_POOL_MEAN ? of + (more - of) / (count + 1) : 1 - (1 - of) * (1 - more);
}

static void join_row(RmilPredictionRow *patient, const RmilPredictionRow *row, const RmilTask *task, RmilPool rule, double count) {
    patient->target.label = MAX(patient->target.label, row->target.label);
    patient->probability = join(patient->probability, row->probability, count, rule);
    patient->answer = join(patient->answer, row->answer, count, rule);
    for (int i = 0; i < patient->count; i++)
        patient->values[i] = join(patient->values[i], row->values[i], count, task->kind == RMIL_TASK_CLASSES ? rule : RMIL_POOL_MEAN);
}

GArray *rmil_predictions_by_patient(const GArray *rows, const RmilTask *task, RmilPool rule) {
    GArray *patients = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) counts = g_array_new(FALSE, TRUE, sizeof(double));
    for (guint i = 0; i < rows->len; i++) {
        RmilPredictionRow row = *row_at(rows, i);
        const guint at = row.patient ? GPOINTER_TO_UINT(g_hash_table_lookup(known, row.patient)) : 0;
        if (at) join_row(&g_array_index(patients, RmilPredictionRow, at - 1), &row, task, rule, g_array_index(counts, double, at - 1));
        else if (row.patient) row.slide = row.patient;
        if (!at) g_array_append_val(patients, row);
        g_array_set_size(counts, patients->len);
        g_array_index(counts, double, at ? at - 1 : patients->len - 1)++;
        if (!at && row.patient) g_hash_table_insert(known, (gpointer)row.patient, GUINT_TO_POINTER(patients->len));
    }
    for (guint i = 0; i < patients->len && task->classes > 2 && rule == RMIL_POOL_HIGHEST; i++) {
        RmilPredictionRow *one = &g_array_index(patients, RmilPredictionRow, i);
        double sum = 0;
        for (int c = 0; c < one->count; c++) sum += one->values[c];
        for (int c = 0; c < one->count && sum > 0; c++) one->values[c] /= sum;
    }
    return patients;
}
