/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a training, which is made entirely from the record. */
#include "export.h"

#include "predictions.h"

#include "base/base-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* run.json first, because it says what the others are. */
static const char *const names[] = {"run.json",         "model.safetensors", "history.csv", "predictions.csv",
                                    "localisation.csv", "patches.csv",       "lesions.csv", "slides.csv"};
enum { RUN, MODEL, HISTORY, PREDICTIONS, LOCALISATION, PATCHES, LESIONS, SLIDES, FILES };

typedef struct {
    char *bytes; /* NULL: the file must not exist */
    gsize size;
    gboolean same; /* as on disk */
} File;

/* -- contents of the files ------------------------------------------------------------------------------------------------- */
/* slides.csv: which slides and patients the model has seen, for `rankmil evaluate --cohort`. Slides are identified by content. */
static char *slides_csv(const RmilExport *export) {
    const RmilTrainData *data = export->data;
    RmilCsv *csv = rmil_csv_new("id,split,patient,digest");
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i]) continue;
        const RmilCohortRow *row = &data->cohort->rows[i];
        g_autofree char *digest = rmil_bag_digest(data->bags[i]);
        rmil_csv_text(csv, row->id);
        rmil_csv_text(csv, rmil_split_name(export->splits[i]));
        rmil_csv_text(csv, row->patient);
        rmil_csv_text(csv, digest);
        rmil_csv_end(csv);
    }
    return rmil_csv_take(csv);
}

/* {"low", "high"}: the range of the slides' resolutions. */
static JsonObject *mpp_range(const RmilExport *export) {
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < export->data->count; i++) {
        const RmilBag *bag = export->data->bags[i];
        const double mpp = bag && export->splits[i] != RMIL_SPLIT_NONE ? rmil_bag_level0_mpp(bag) : 0;
        if (mpp > 0) low = MIN(low, mpp);
        high = MAX(high, mpp);
    }
    JsonObject *range = json_object_new();
    json_object_set_double_member(range, "low", high > 0 ? low : 0);
    json_object_set_double_member(range, "high", high);
    return range;
}

static char *run_json(const RmilExport *export, const RmilStudyRun *run) {
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *out = json_object_new(), *timings = json_object_new();
    json_node_take_object(node, out);
    json_object_set_string_member(out, "method", run->method);
    json_object_set_string_member(out, "model", export->method->model);
    json_object_set_string_member(out, "guide", rmil_guide_name(export->method->guide));
    json_object_set_int_member(out, "seed", run->seed);
    json_object_set_string_member(out, "version", run->version);
    json_object_set_string_member(out, "cohort", export->data->cohort->path);
    json_object_set_string_member(out, "model_sha256", run->sha256);
    JsonNode *config = rmil_json_parse(run->config, strlen(run->config), "config", NULL);
    if (config) json_object_set_member(out, "config", config);
    JsonNode *decision = run->decision ? rmil_json_parse(run->decision, strlen(run->decision), "decision", NULL) : NULL;
    if (decision) json_object_set_member(out, "decision", decision);
    json_object_set_object_member(out, "mpp", mpp_range(export));
    if (export->preprocessing) json_object_set_member(out, "preprocessing", json_node_copy(export->preprocessing));
    json_object_set_double_member(timings, "train", run->seconds);
    json_object_set_int_member(timings, "epochs", run->epochs);
    json_object_set_object_member(out, "timings", timings);
    g_autofree char *text = rmil_json_print(node);
    return g_strconcat(text, "\n", NULL);
}

static gboolean fill(const RmilExport *export, const RmilRecordRun *run, File *files, GError **error) {
    files[MODEL].bytes = rmil_file_read(export->model, G_MAXSSIZE, &files[MODEL].size, error);
    if (!files[MODEL].bytes) return FALSE;
    files[HISTORY].bytes = rmil_rows_csv(&rmil_rows[RMIL_ROWS_EPOCH], run->rows[RMIL_ROWS_EPOCH]);
    files[PREDICTIONS].bytes = rmil_predictions_csv(&export->data->cohort->task, run->rows[RMIL_ROWS_PREDICTION]);
    files[LOCALISATION].bytes = rmil_rows_csv(&rmil_rows[RMIL_ROWS_LOCALISATION], run->rows[RMIL_ROWS_LOCALISATION]);
    files[PATCHES].bytes = rmil_rows_csv(&rmil_rows[RMIL_ROWS_PATCHES], run->rows[RMIL_ROWS_PATCHES]);
    files[LESIONS].bytes = rmil_rows_csv(&rmil_rows[RMIL_ROWS_LESION], run->rows[RMIL_ROWS_LESION]);
    files[SLIDES].bytes = slides_csv(export);
    files[RUN].bytes = run_json(export, &run->run);
    for (int i = 0; i < FILES; i++)
        if (i != MODEL && files[i].bytes) files[i].size = strlen(files[i].bytes);
    return TRUE;
}

/* -- the folder ------------------------------------------------------------------------------------------------------------ */
static char *path_of(const char *folder, int file) { return g_build_filename(folder, names[file], NULL); }

/* Compares with the files on disk. *own: they are of the same training, as far as can be told. */
static gboolean compare(const RmilExport *export, const RmilRecordRun *run, File *files, gboolean *all, gboolean *own, GError **error) {
    g_autofree char *config = NULL;
    gboolean there;
    *all = TRUE;
    for (int i = 0; i < FILES; i++) {
        g_autofree char *path = path_of(export->folder, i), *have = NULL;
        gsize size = 0;
        if (!rmil_file_exists(path, &there, error)) return FALSE;
        if (there && !(have = rmil_file_read(path, G_MAXSSIZE, &size, error))) return FALSE;
        files[i].same = there && files[i].bytes ? size == files[i].size && memcmp(have, files[i].bytes, size) == 0
                                                : !there && !files[i].bytes;
        *all = *all && files[i].same;
        if (i > RUN) continue;
        g_autoptr(GError) reason = NULL;
        config = there ? rmil_run_config(export->folder, &reason) : NULL;
        *own = there && (reason || strcmp(config, run->run.config) == 0);
    }
    return TRUE;
}

static gboolean unlink_in(const char *folder, const char *name, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_unlink(path) == 0 || errno == ENOENT || rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be removed: %s", path, g_strerror(errno));
}

/* Says nothing of files that stay, nor of a run.json with the same configuration in other words (after the project was moved). */
static void say_changes(const RmilExport *export, const RmilRecordRun *run, const File *files, const RmilMonitor *monitor) {
    for (int i = 0; i < FILES; i++) {
        g_autofree char *path = path_of(export->folder, i), *config = i == RUN ? rmil_run_config(export->folder, NULL) : NULL;
        if (files[i].same || (i == MODEL && export->renewed) || (config && strcmp(config, run->run.config) == 0)) continue;
        rmil_monitor_warn(monitor, "%s: does not match the record of the training (it was changed, damaged or removed): it is %s", path,
                          files[i].bytes ? "written again" : "removed");
    }
}

gboolean rmil_export_write(const RmilExport *export, const RmilRecordRun *run, const RmilMonitor *monitor, GError **error) {
    File files[FILES] = {{0}};
    gboolean all = FALSE, own = FALSE;
    gboolean done = fill(export, run, files, error) && compare(export, run, files, &all, &own, error);
    if (done && !all) {
        if (own) say_changes(export, run, files, monitor);
        if (g_mkdir_with_parents(export->folder, 0777) != 0)
            done = rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", export->folder, g_strerror(errno));
        done = done && unlink_in(export->folder, names[RUN], error) && unlink_in(export->folder, "metrics.json", error);
        for (int i = FILES - 1; done && i >= 0; i--) {
            g_autofree char *path = path_of(export->folder, i);
            if (i != RUN && files[i].same) continue;
            done = files[i].bytes ? rmil_file_write(path, files[i].bytes, files[i].size, error)
                                  : unlink_in(export->folder, names[i], error);
        }
    }
    for (int i = 0; i < FILES; i++) g_free(files[i].bytes);
    return done;
}

/* A training that no record contains must not be removed: it may be the only copy. */
static void remove_export(const char *folder, RmilRecord *record) {
    g_autofree char *own = g_build_filename(folder, "study.sqlite", NULL), *config = rmil_run_config(folder, NULL);
    if (g_file_test(own, G_FILE_TEST_EXISTS) || (config && !rmil_record_knows(record, config))) return;
    for (int i = 0; i < FILES; i++) unlink_in(folder, names[i], NULL);
    unlink_in(folder, "metrics.json", NULL);
    g_rmdir(folder); /* if it is empty */
}

/* The folders in a folder: char *, free with g_ptr_array_unref. */
static GPtrArray *folders_in(const char *folder) {
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) g_ptr_array_add(found, g_strdup(name));
    }
    if (dir) g_dir_close(dir);
    return found;
}

void rmil_export_sort(const char *folder, RmilRecord *record, GHashTable *planned) {
    g_autofree char *runs = g_build_filename(folder, "runs", NULL);
    g_autoptr(GPtrArray) methods = folders_in(runs);
    for (guint m = 0; m < methods->len; m++) {
        g_autofree char *method = g_build_filename(runs, methods->pdata[m], NULL);
        g_autoptr(GPtrArray) seeds = folders_in(method);
        for (guint s = 0; s < seeds->len; s++) {
            g_autofree char *below = g_build_filename("runs", methods->pdata[m], seeds->pdata[s], NULL),
                            *path = g_build_filename(folder, below, NULL);
            if (!g_hash_table_contains(planned, below)) remove_export(path, record);
        }
        g_rmdir(method); /* if it is empty */
    }
}

/* -- folders without a record ----------------------------------------------------------------------------------------------- */
gboolean rmil_export_set_aside(const char *folder, gboolean many, const RmilMonitor *monitor, GError **error) {
    static const char *const of_many[] = {"runs"};
    const char *const *list = many ? of_many : names;
    g_autofree char *first = g_build_filename(folder, list[0], NULL), *to = g_build_filename(folder, "earlier", NULL);
    gboolean there;
    if (!rmil_file_exists(first, &there, error)) return FALSE;
    if (!there) return TRUE;
    for (int n = 2; g_file_test(to, G_FILE_TEST_EXISTS); n++) {
        g_free(to);
        to = g_strdup_printf("%s/earlier-%d", folder, n);
    }
    if (g_mkdir_with_parents(to, 0777) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", to, g_strerror(errno));
    for (int i = (many ? 1 : FILES) - 1; i >= 0; i--) { /* run.json goes last, so that an interrupted move is resumed */
        g_autofree char *from = g_build_filename(folder, list[i], NULL), *into = g_build_filename(to, list[i], NULL);
        if (g_rename(from, into) != 0 && errno != ENOENT)
            return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be moved to %s: %s", from, into, g_strerror(errno));
    }
    rmil_monitor_warn(
        monitor,
        "%s: there is no record (study.sqlite) of what was trained here, because it was lost or version 0.1.0 made this folder. The "
        "old results are kept in %s, and training starts again",
        first, to);
    return TRUE;
}
