/* The parallel loop. */
#include "base-private.h"

extern void omp_set_num_threads(int threads);
extern int omp_get_max_threads(void);

int rmil_openmp_single(void) {
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

void rmil_openmp_restore(int threads) { omp_set_num_threads(threads); }

typedef struct {
    RmilTask task;
    gpointer user;
    int64_t count, next, failed; /* failed: lowest index that failed */
    GError *error;
    GMutex lock;
} Loop;

typedef struct {
    Loop *loop;
    int worker;
} Worker;

static gpointer work(gpointer data) {
    Worker *worker = data;
    Loop *loop = worker->loop;
    rmil_openmp_single();
    g_mutex_lock(&loop->lock);
    while (!loop->error && loop->next < loop->count) {
        int64_t index = loop->next++;
        g_mutex_unlock(&loop->lock);
        GError *error = NULL;
        gboolean done = loop->task(index, worker->worker, loop->user, &error);
        g_mutex_lock(&loop->lock);
        if (!done && (!loop->error || index < loop->failed)) {
            g_clear_error(&loop->error);
            loop->error = error ? error : g_error_new(RMIL_ERROR, RMIL_ERROR_DATA, "task %" G_GINT64_FORMAT " failed", index);
            loop->failed = index;
        } else {
            g_clear_error(&error);
        }
    }
    g_mutex_unlock(&loop->lock);
    return NULL;
}

int rmil_threads(int requested) { return requested >= 1 ? requested : (int)g_get_num_processors(); }

gboolean rmil_parallel(int64_t n, int threads, RmilTask task, gpointer user, GError **error) {
    threads = (int)MIN((int64_t)rmil_threads(threads), n);
    Loop loop = {.task = task, .user = user, .count = n};
    g_mutex_init(&loop.lock);
    g_autofree Worker *workers = g_new(Worker, threads + 1);
    g_autofree GThread **handles = g_new0(GThread *, threads + 1);
    int started = 0; /* fewer than asked for, where the system gives no more: the result does not depend on their number */
    for (; started < threads; started++) {
        workers[started] = (Worker){&loop, started};
        if (!(handles[started] = g_thread_try_new("rankmil", work, &workers[started], NULL))) break;
    }
    if (!started && threads) {
        int before = rmil_openmp_single();
        work(&workers[0]);
        rmil_openmp_restore(before);
    }
    for (int i = 0; i < started; i++) g_thread_join(handles[i]);
    g_mutex_clear(&loop.lock);
    if (!loop.error) return TRUE;
    g_propagate_error(error, loop.error);
    return FALSE;
}
