/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the rows that were processed, and how their slides became features. */
#include "prepare-private.h"

#include "base/json.h"

#include <string.h>

/* Columns of the cohort's own table that are unknown, or are copied unchanged; int. */
static GArray *own_columns(const RmilCohort *cohort) {
    GArray *columns = g_array_new(FALSE, FALSE, sizeof(int));
    for (int c = 0; cohort->table && c < rmil_table_columns(cohort->table); c++)
        if (!cohort->meaning[c] || strcmp(cohort->meaning[c], "site") == 0) g_array_append_val(columns, c);
    return columns;
}

/* The target as in a table: a class, a time and an event, or a number. */
static void append_target(RmilCsv *csv, const RmilTask *task, const RmilTarget *target) {
    const gboolean known = rmil_target_known(task, target);
    char number[G_ASCII_DTOSTR_BUF_SIZE] = "";
    if (task->kind == RMIL_TASK_CLASSES) {
        rmil_csv_text(csv, known ? task->names[target->label] : NULL);
        return;
    }
    if (known) g_ascii_dtostr(number, sizeof number, task->kind == RMIL_TASK_SURVIVAL ? target->time : target->value);
    rmil_csv_text(csv, number);
    if (task->kind == RMIL_TASK_SURVIVAL) rmil_csv_text(csv, !known ? "" : target->event ? "1" : "0");
}

/* `target` is replaced by the target's columns. */
static const char *const known_columns[] = {"id",    "slide",      "features", "patch_labels", "target",
                                            "split", "annotation", "patient",  "mpp",          "tissue"};
enum { TARGET = 4, TISSUE = 9 };

/* The last column is written only if a row has it. */
static int count_columns(const RmilCohort *cohort) {
    for (int64_t i = 0; i < cohort->count; i++)
        if (cohort->rows[i].tissue) return TISSUE + 1;
    return TISSUE;
}

static void append_header(RmilCsv *csv, const RmilCohort *cohort, const GArray *own) {
    static const char *const targets[] = {"label", "time", "value"};
    for (int i = 0; i < count_columns(cohort); i++) {
        rmil_csv_text(csv, i == TARGET ? targets[cohort->task.kind] : known_columns[i]);
        if (i == TARGET && cohort->task.kind == RMIL_TASK_SURVIVAL) rmil_csv_text(csv, "event");
    }
    for (guint c = 0; c < own->len; c++) rmil_csv_text(csv, rmil_table_name(cohort->table, g_array_index(own, int, c)));
    rmil_csv_end(csv);
}

/* A row that failed, or has no features, is left out. */
static gboolean append_row(RmilCsv *csv, const RmilWork *work, int64_t i, const GArray *own, GError **error) {
    const RmilCohortRow *row = &work->cohort->rows[i];
    if (work->errors[i]) return TRUE;
    g_autofree char *features = rmil_work_features(work, i),
                    *labels = row->annotation ? rmil_work_path(work, "labels", i, "h5") : g_strdup(row->patch_labels);
    gboolean there, labelled = FALSE;
    if (!rmil_file_exists(features, &there, error) || (labels && !rmil_file_exists(labels, &labelled, error))) return FALSE;
    if (!there) return TRUE;
    char mpp[G_ASCII_DTOSTR_BUF_SIZE] = "";
    if (rmil_work_mpp(work, i) > 0) g_ascii_dtostr(mpp, sizeof mpp, rmil_work_mpp(work, i));
    g_autofree char *features_full = g_canonicalize_filename(features, NULL),
                    *labels_full = labelled ? g_canonicalize_filename(labels, NULL) : NULL;
    const char *cells[G_N_ELEMENTS(known_columns)] = {
        row->id,         row->slide,   features_full, labels_full, NULL, rmil_split_name(row->split),
        row->annotation, row->patient, mpp,           row->tissue};
    for (int c = 0; c < count_columns(work->cohort); c++) {
        if (c == TARGET) append_target(csv, &work->cohort->task, &row->target);
        else rmil_csv_text(csv, cells[c]);
    }
    for (guint c = 0; c < own->len; c++) rmil_csv_text(csv, rmil_table_cell(work->cohort->table, i, g_array_index(own, int, c)));
    rmil_csv_end(csv);
    return TRUE;
}

static gboolean write_preprocessing(const RmilWork *work, GError **error) {
    g_autofree char *path = g_build_filename(work->folder, "preprocessing.json", NULL);
    g_autoptr(JsonNode) node = rmil_preprocessing_get(&work->options);
    return rmil_json_write(node, path, error);
}

gboolean rmil_work_write_cohort(RmilWork *work, GError **error) {
    if (!rmil_work_ready(work, error)) return FALSE;
    g_autoptr(GArray) own = own_columns(work->cohort);
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    append_header(csv, work->cohort, own);
    for (int64_t i = 0; i < work->cohort->count; i++)
        if (!append_row(csv, work, i, own, error)) return FALSE;
    g_autofree char *path = g_build_filename(work->folder, "cohort.csv", NULL);
    /* for given features, the options do not say how they were made, so an existing record stays */
    return (!rmil_work_encodes(work) || write_preprocessing(work, error)) && rmil_csv_write(csv, path, error);
}

RmilCohort *rmil_work_prepare(RmilWork *work, GError **error) {
    if (!rmil_work_tile(work, error) || !rmil_work_label(work, error) || !rmil_work_encode(work, error) ||
        !rmil_work_write_cohort(work, error))
        return NULL;
    g_autofree char *path = g_build_filename(work->folder, "cohort.csv", NULL);
    const RmilReading as_given = {.task = &work->cohort->task, .by_site = work->cohort->by_site};
    RmilCohort *cohort = rmil_cohort_read_as(path, &as_given, error);
    if (!cohort) return NULL;
    g_autoptr(GStrvBuilder) left_out = g_strv_builder_new();
    for (int64_t i = 0, kept = 0; i < work->cohort->count; i++) {
        const char *id = work->cohort->rows[i].id;
        if (kept < cohort->count && strcmp(cohort->rows[kept].id, id) == 0) kept++;
        else g_strv_builder_add(left_out, id);
    }
    cohort->left_out = g_strv_builder_end(left_out);
    return cohort;
}
