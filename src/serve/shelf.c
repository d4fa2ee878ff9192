/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a run as it was when it was opened, and its models, which are read on demand. */
#include "serve-private.h"

#include <string.h>

static void free_trained(gpointer data) {
    RmilTrained *trained = data;
    g_free(trained->folder);
    g_clear_pointer(&trained->rows, g_array_unref);
    g_clear_pointer(&trained->by_id, g_hash_table_unref);
    g_clear_pointer(&trained->epochs, g_array_unref);
    rmil_model_free(trained->model);
    g_free(trained);
}

static void clear_shelf(gpointer data) {
    RmilShelf *shelf = data;
    g_clear_pointer(&shelf->runs, g_ptr_array_unref);
    rmil_study_free(shelf->study);
    g_mutex_clear(&shelf->lock);
}

RmilShelf *rmil_shelf_ref(RmilShelf *shelf) { return g_atomic_rc_box_acquire(shelf); }

void rmil_shelf_unref(RmilShelf *shelf) {
    if (shelf) g_atomic_rc_box_release_full(shelf, clear_shelf);
}

static gboolean add_run(RmilShelf *shelf, int64_t index, GError **error) {
    const RmilStudyRun *run = rmil_study_run(shelf->study, index);
    if (!run->done) return TRUE;
    RmilTrained *trained = g_new0(RmilTrained, 1);
    g_ptr_array_add(shelf->runs, trained);
    trained->run = run;
    trained->folder = *run->split ? g_strdup_printf("%s/%s", run->method, run->split)
                                  : g_strdup_printf("%s/%" G_GINT64_FORMAT, run->method, run->seed);
    trained->rows = rmil_study_predictions(shelf->study, index, error);
    trained->epochs = trained->rows ? rmil_study_epochs(shelf->study, index, error) : NULL;
    if (!trained->epochs) return FALSE;
    trained->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < trained->rows->len; i++) {
        RmilPredictionRow *row = &g_array_index(trained->rows, RmilPredictionRow, i);
        g_hash_table_insert(trained->by_id, (gpointer)row->slide, row);
    }
    return TRUE;
}

RmilShelf *rmil_shelf_open(const char *folder, GError **error) {
    static gint serial;
    RmilShelf *shelf = g_atomic_rc_box_new0(RmilShelf);
    g_mutex_init(&shelf->lock);
    shelf->serial = g_atomic_int_add(&serial, 1) + 1;
    shelf->runs = g_ptr_array_new_with_free_func(free_trained);
    shelf->study = rmil_study_open(folder, error);
    gboolean done = shelf->study != NULL;
    for (int64_t i = 0; done && i < rmil_study_count(shelf->study); i++) done = add_run(shelf, i, error);
    if (done) return shelf;
    rmil_shelf_unref(shelf);
    return NULL;
}

const RmilPredictionRow *rmil_trained_row(const RmilTrained *trained, const RmilCohortRow *row) {
    const RmilPredictionRow *own = g_hash_table_lookup(trained->by_id, row->id);
    return own || !row->patient ? own : g_hash_table_lookup(trained->by_id, row->patient);
}

const RmilModel *rmil_trained_model(RmilShelf *shelf, RmilTrained *trained, GError **error) {
    g_mutex_lock(&shelf->lock);
    if (!trained->model) trained->model = rmil_model_load(trained->run->model, error);
    const RmilModel *model = trained->model;
    g_mutex_unlock(&shelf->lock);
    return model;
}
