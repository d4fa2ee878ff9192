/* SPDX-License-Identifier: Apache-2.0 */
/* The parallel loop, on persistent or temporary threads. */
#include "parallel.h"

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
    RmilCrew *crew;
    int worker;
} Member;

struct _RmilCrew {
    int threads;
    GThread **handles; /* threads − 1: worker 0 is the caller */
    Member *members;
    GMutex lock;
    GCond called, finished;
    guint64 round; /* counts the loops, so that a waiting thread recognises a new one */
    gboolean over;
    int working; /* threads still working on this round */
    /* the loop of this round */
    RmilLoopBody task;
    gpointer user;
    int64_t count, next, failed;
    GError *error;
};

/* Called with the lock held, and returns with it held. */
static void work(RmilCrew *crew, int worker) {
    while (!crew->error && crew->next < crew->count) {
        int64_t index = crew->next++;
        g_mutex_unlock(&crew->lock);
        GError *error = NULL;
        gboolean done = crew->task(index, worker, crew->user, &error);
        g_mutex_lock(&crew->lock);
        if (!done && (!crew->error || index < crew->failed)) {
            g_clear_error(&crew->error);
            crew->error = error ? error : g_error_new(RMIL_ERROR, RMIL_ERROR_DATA, "task %" G_GINT64_FORMAT " failed", index);
            crew->failed = index;
        } else {
            g_clear_error(&error);
        }
    }
}

static gpointer serve(gpointer data) {
    Member *member = data;
    RmilCrew *crew = member->crew;
    guint64 seen = 0;
    rmil_openmp_single();
    g_mutex_lock(&crew->lock);
    for (;;) {
        while (!crew->over && crew->round == seen) g_cond_wait(&crew->called, &crew->lock);
        if (crew->over) break;
        seen = crew->round;
        work(crew, member->worker);
        if (--crew->working == 0) g_cond_signal(&crew->finished);
    }
    g_mutex_unlock(&crew->lock);
    return NULL;
}

int rmil_threads(int requested) { return requested >= 1 ? requested : (int)g_get_num_processors(); }

RmilCrew *rmil_crew_new(int threads) {
    RmilCrew *crew = g_new0(RmilCrew, 1);
    crew->threads = rmil_threads(threads);
    crew->handles = g_new0(GThread *, crew->threads);
    crew->members = g_new0(Member, crew->threads);
    g_mutex_init(&crew->lock);
    g_cond_init(&crew->called);
    g_cond_init(&crew->finished);
    for (int i = 1; i < crew->threads; i++) {
        crew->members[i] = (Member){crew, i};
        crew->handles[i] = g_thread_try_new("rankmil", serve, &crew->members[i], NULL);
        if (!crew->handles[i]) crew->threads = i; /* the system allows no more: the existing ones do all the work, with the same result */
    }
    return crew;
}

void rmil_crew_free(RmilCrew *crew) {
    if (!crew) return;
    g_mutex_lock(&crew->lock);
    crew->over = TRUE;
    g_cond_broadcast(&crew->called);
    g_mutex_unlock(&crew->lock);
    for (int i = 1; i < crew->threads; i++) g_thread_join(crew->handles[i]);
    g_mutex_clear(&crew->lock);
    g_cond_clear(&crew->called);
    g_cond_clear(&crew->finished);
    g_free(crew->handles);
    g_free(crew->members);
    g_free(crew);
}

int rmil_crew_threads(const RmilCrew *crew) { return crew->threads; }

gboolean rmil_crew_run(RmilCrew *crew, int64_t n, RmilLoopBody task, gpointer user, GError **error) {
    const int before = rmil_openmp_single();
    g_mutex_lock(&crew->lock);
    crew->task = task;
    crew->user = user;
    crew->count = n;
    crew->next = 0;
    crew->error = NULL;
    if (n > 1 && crew->threads > 1) {
        crew->working = crew->threads - 1;
        crew->round++;
        g_cond_broadcast(&crew->called);
    }
    work(crew, 0);
    while (crew->working > 0) g_cond_wait(&crew->finished, &crew->lock);
    GError *reason = crew->error;
    crew->error = NULL;
    g_mutex_unlock(&crew->lock);
    rmil_openmp_restore(before);
    if (!reason) return TRUE;
    g_propagate_error(error, reason);
    return FALSE;
}

gboolean rmil_parallel(int64_t n, int threads, RmilLoopBody task, gpointer user, GError **error) {
    g_autoptr(RmilCrew) crew = rmil_crew_new((int)CLAMP(n, 1, (int64_t)rmil_threads(threads)));
    return rmil_crew_run(crew, n, task, user, error);
}
