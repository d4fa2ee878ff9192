/* SPDX-License-Identifier: Apache-2.0 */
/* A stage over many rows: failed rows are reported, and the others continue; rows that another process works on come last. */
#include "prepare-private.h"

#define PAUSE (G_USEC_PER_SEC / 4)

typedef struct {
    RmilWork *work;
    const GArray *rows;
    RmilStage *stage;
    GMutex lock;
    GArray *later; /* rows that another process works on */
    int64_t finished, total;
} Rows;

static gboolean row_task(int64_t index, int worker, gpointer user, GError **unused) {
    Rows *r = user;
    RmilStage *stage = r->stage;
    const int64_t row = g_array_index(r->rows, int64_t, index);
    gboolean made = FALSE, elsewhere;
    GError *error = NULL;
    RmilLock *claim;
    const gboolean done = rmil_work_claim(r->work, row, &claim, &elsewhere, &error) &&
                          (elsewhere || stage->row(r->work, row, stage->user, &made, &error));
    rmil_lock_free(claim);
    if (!done) rmil_work_failed(r->work, stage->name, row, error);
    g_mutex_lock(&r->lock);
    if (elsewhere) {
        g_array_append_val(r->later, row);
    } else {
        stage->made += done && made;
        stage->kept += done && !made;
        rmil_monitor_progress(&r->work->monitor, stage->what, ++r->finished, r->total);
    }
    g_mutex_unlock(&r->lock);
    return TRUE;
}

gboolean rmil_work_rows(RmilWork *work, const GArray *rows, RmilStage *stage, GError **error) {
    Rows r = {.work = work, .stage = stage, .total = rows->len, .later = g_array_copy((GArray *)rows)};
    g_mutex_init(&r.lock);
    gboolean done = TRUE;
    for (guint before = G_MAXUINT; done && r.later->len;) {
        if (before != G_MAXUINT) rmil_work_say_shared(work);
        if (before == r.later->len) g_usleep(PAUSE);
        before = r.later->len;
        g_autoptr(GArray) now = r.later;
        r.rows = now;
        r.later = g_array_new(FALSE, FALSE, sizeof(int64_t));
        done = rmil_parallel(now->len, work->options.threads, row_task, &r, error);
    }
    g_array_unref(r.later);
    g_mutex_clear(&r.lock);
    return done;
}
