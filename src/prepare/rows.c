/* SPDX-License-Identifier: Apache-2.0 */
/* A stage over many rows: those that fail are told, the others go on. */
#include "prepare-private.h"

typedef struct {
    RmilWork *work;
    const GArray *rows;
    RmilStage *stage;
    GMutex lock;
    int64_t finished;
} Rows;

static gboolean row_task(int64_t index, int worker, gpointer user, GError **unused) {
    Rows *r = user;
    RmilStage *stage = r->stage;
    const int64_t row = g_array_index(r->rows, int64_t, index);
    gboolean made = FALSE;
    GError *error = NULL;
    const gboolean done = stage->row(r->work, row, stage->user, &made, &error);
    if (!done) rmil_work_failed(r->work, stage->name, row, error);
    g_mutex_lock(&r->lock);
    stage->made += done && made;
    stage->kept += done && !made;
    rmil_monitor_progress(&r->work->monitor, stage->what, ++r->finished, r->rows->len);
    g_mutex_unlock(&r->lock);
    return TRUE;
}

gboolean rmil_work_rows(RmilWork *work, const GArray *rows, RmilStage *stage, GError **error) {
    Rows r = {.work = work, .rows = rows, .stage = stage};
    g_mutex_init(&r.lock);
    const gboolean done = rmil_parallel(rows->len, work->options.threads, row_task, &r, error);
    g_mutex_clear(&r.lock);
    return done;
}
