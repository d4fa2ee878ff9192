/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: of a cohort, of splits, of predictions. */
#include "fuzz.h"

#include "rankmil/cohort.h"
#include "rankmil/study.h"

#include <string.h>

static void check_repeats(const RmilCohort *cohort, GArray *repeats, GError **error) {
    FUZZ_EITHER(repeats, *error);
    for (guint k = 0; repeats && k < repeats->len; k++)
        for (int64_t i = 0; i < cohort->count; i++)
            if (g_array_index(repeats, RmilRepeat, k).splits[i] > RMIL_SPLIT_TEST) abort();
    if (repeats) g_array_unref(repeats);
    g_clear_error(error);
}

static void divide(const RmilCohort *cohort) {
    static const int64_t seed = 3;
    GError *error = NULL;
    check_repeats(cohort, rmil_repeats_draw(cohort, 0.2, 0.2, &seed, 1, &error), &error);
    check_repeats(cohort, rmil_repeats_fold(cohort, 2, 0.2, &seed, 1, &error), &error);
}

static void check_row(const RmilCohort *cohort, int64_t i) {
    const RmilCohortRow *row = &cohort->rows[i];
    if (!row->id || !*row->id || strchr(row->id, '/') || (!row->slide && !row->features)) abort();
    if (row->target.label >= MAX(cohort->task.classes, 1) || (row->mpp != 0 && !(row->mpp > 0))) abort();
}

void fuzz_cohort(const FuzzInput *input) {
    static const RmilReading ways[] = {{.target = RMIL_TARGET_FOUND},
                                       {.target = RMIL_TARGET_SURVIVAL, .by_site = TRUE},
                                       {.target = RMIL_TARGET_VALUE},
                                       {.target = RMIL_TARGET_UNREAD}};
    for (gsize w = 0; w < G_N_ELEMENTS(ways); w++) {
        GError *error = NULL;
        g_autoptr(RmilCohort) cohort = rmil_cohort_read_as(input->path, &ways[w], &error);
        FUZZ_EITHER(cohort, error);
        g_clear_error(&error);
        if (!cohort) continue;
        for (int64_t i = 0; i < cohort->count; i++) check_row(cohort, i);
        if (rmil_cohort_check_labels(cohort, NULL, NULL)) divide(cohort);
        g_autoptr(RmilCohort) patients = rmil_cohort_by_patient(cohort, &error);
        FUZZ_EITHER(patients, error);
        g_clear_error(&error);
        if (patients && rmil_cohort_check_labels(patients, NULL, NULL)) divide(patients);
    }
}

/* -- splits of the cohort that lies beside ------------------------------------------------------------------------------------------ */
void fuzz_splits_begin(const FuzzInput *input) {
    g_autoptr(GString) table = g_string_new("id,slide,label,patient\n");
    for (int i = 0; i < 12; i++) g_string_append_printf(table, "s%d,s%d.tif,%d,p%d\n", i, i, i % 2, i / 2);
    fuzz_beside(input, "cohort.csv", table->str);
}

/* As a table, and as one of CLAM's in a folder of them, splits_0.csv. */
void fuzz_splits(const FuzzInput *input) {
    g_autofree char *table = g_build_filename(input->folder, "cohort.csv", NULL), *clam = g_build_filename(input->folder, "clam", NULL),
                    *one = g_build_filename(clam, "splits_0.csv", NULL);
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(table, &error);
    if (!cohort) abort();
    check_repeats(cohort, rmil_repeats_read(cohort, input->path, &error), &error);
    if (!rmil_file_write(one, input->data, input->size, NULL)) abort();
    check_repeats(cohort, rmil_repeats_read(cohort, clam, &error), &error);
}

/* -- predictions, localisation, patches, lesions ------------------------------------------------------------------------------------- */
void fuzz_predictions(const FuzzInput *input) {
    GError *error = NULL;
    RmilTask task;
    GStringChunk *strings = g_string_chunk_new(1024);
    GArray *rows = rmil_predictions_read(input->path, &task, strings, &error);
    FUZZ_EITHER(rows, error);
    if (rows) g_array_unref(rows);
    g_string_chunk_free(strings);
    g_clear_error(&error);
}
