/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of many slides through one encoder. Every thread does the next thing that needs doing: it encodes a full batch, else it reads the
 * next block of tiles, else it opens the next slide. So the numbers of readers and encoders follow from their speeds, and none waits while
 * there is work. The number of tiles read but not yet encoded is bounded. Batches are the same whatever the threads do. */
#include "flow.h"

#include <string.h>

#define LATER_PAUSE (G_USEC_PER_SEC / 2)

typedef struct {
    struct Job *job;
    int64_t number;  /* among this slide's batches */
    int count;       /* number of tiles */
    int missing;     /* of which not yet read */
    uint8_t *pixels; /* view by view, `batch` tiles each */
} Batch;

typedef struct Job {
    RmilFlowSlide slide;
    int64_t place;     /* index among the requested slides */
    int64_t next;      /* next block to read */
    int64_t batches;   /* total */
    Batch **open;      /* by number: batches being filled; NULL: not begun, or passed on */
    int64_t under_way; /* blocks being read, and batches that are full or being encoded */
    int64_t failed_at; /* index of the tile in the order of the blocks */
    GError *error;     /* of the first such tile */
} Job;

typedef struct {
    const RmilFlow *flow;
    int batch;
    gsize view_bytes, tile_bytes;
    int64_t room; /* batches that may exist at once, apart from those that a single block needs */
    int64_t held; /* number of batches */
    int encoding; /* current calls of the encoder */
    gboolean opening;
    int64_t *waiting; /* slides still to be opened; those that another process works on come again */
    int64_t first, count, later;
    GQueue jobs;      /* open slides, in order */
    GQueue full;      /* batches */
    float **features; /* by worker */
    GError *error;    /* of the whole flow */
    GMutex lock;
    GCond changed;
} State;

/* -- batches -------------------------------------------------------------------------------------------------------------------- */
static void free_batch(State *s, Batch *batch) {
    g_free(batch->pixels);
    g_free(batch);
    s->held--;
}

static int64_t tiles_of(const Job *job) { return job->slide.blocks->first[job->slide.blocks->count]; }

static int64_t batches_of(const State *s, const Job *job, int64_t block, int64_t *first) {
    const int64_t *at = job->slide.blocks->first + block;
    *first = at[0] / s->batch;
    return (at[1] - 1) / s->batch - *first + 1;
}

/* Number of batches of the block that do not exist yet. */
static int64_t new_batches(const State *s, const Job *job, int64_t block) {
    int64_t first, n = batches_of(s, job, block, &first), missing = 0;
    for (int64_t i = first; i < first + n; i++) missing += job->open[i] == NULL;
    return missing;
}

static gboolean begin_batches(State *s, Job *job, int64_t block, GError **error) {
    int64_t first;
    const int64_t n = batches_of(s, job, block, &first);
    for (int64_t i = first; i < first + n; i++) {
        if (job->open[i]) continue;
        uint8_t *pixels = g_try_malloc((gsize)s->batch * s->tile_bytes);
        if (!pixels) return rmil_fail(error, RMIL_ERROR_MEMORY, "not enough memory for %d tiles", s->batch);
        Batch *batch = job->open[i] = g_new0(Batch, 1);
        const int count = (int)MIN(s->batch, tiles_of(job) - i * s->batch);
        *batch = (Batch){.job = job, .number = i, .count = count, .missing = count, .pixels = pixels};
        s->held++;
    }
    return TRUE;
}

static void set_error(Job *job, int64_t tile, GError *error) {
    if (!job->error || tile < job->failed_at) {
        g_clear_error(&job->error);
        job->error = error;
        job->failed_at = tile;
    } else {
        g_error_free(error);
    }
}

/* -- steps: begin and end with the lock held ------------------------------------------------------------------------------------ */
static void end_job(State *s, Job *job) {
    for (int64_t i = 0; i < job->batches; i++)
        if (job->open[i]) free_batch(s, job->open[i]);
    g_queue_remove(&s->jobs, job);
    g_mutex_unlock(&s->lock);
    s->flow->end(s->flow->user, &job->slide, job->error);
    g_free(job->open);
    g_free(job);
    g_mutex_lock(&s->lock);
    g_cond_broadcast(&s->changed);
}

static void leave(State *s, Job *job) {
    job->under_way--;
    if (job->under_way == 0 && (job->error || job->next == job->slide.blocks->count)) end_job(s, job);
    g_cond_broadcast(&s->changed);
}

/* Position of tile k, in the slide's order, in a batch. */
static uint8_t *pixels_of(const State *s, const Job *job, int64_t k, int view) {
    const Batch *batch = job->open[k / s->batch];
    return batch->pixels + (gsize)view * (gsize)s->batch * s->view_bytes + (gsize)(k % s->batch) * s->view_bytes;
}

static void read_step(State *s, Job *job) {
    const RmilFlowSlide *slide = &job->slide;
    const int64_t block = job->next, first = slide->blocks->first[block], n = slide->blocks->first[block + 1] - first;
    GError *error = NULL;
    if (!begin_batches(s, job, block, &error)) {
        if (s->encoding || !g_queue_is_empty(&s->full)) { /* encoding these makes room */
            g_error_free(error);
            if (s->encoding) g_cond_wait(&s->changed, &s->lock);
            return;
        }
        job->under_way++;
        set_error(job, first, error);
        leave(s, job);
        return;
    }
    job->next++;
    job->under_way++;
    g_mutex_unlock(&s->lock);
    gboolean good = TRUE;
    for (int64_t i = 0; good && i < n * slide->views; i++) /* these batches exist until all of their tiles have been read */
        good = rmil_grid_read(slide->grids[i / n], slide->slide, slide->blocks->tiles[first + i % n],
                              pixels_of(s, job, first + i % n, (int)(i / n)), &error);
    g_mutex_lock(&s->lock);
    if (!good) set_error(job, first, error);
    for (int64_t i = first; good && i < first + n; i++) {
        Batch *batch = job->open[i / s->batch];
        if (--batch->missing) continue;
        job->open[i / s->batch] = NULL;
        job->under_way++;
        g_queue_push_tail(&s->full, batch);
    }
    leave(s, job);
}

/* Stores the rows of a batch in runs, as they are in the file. */
static gboolean store(const RmilFlowSlide *slide, const int64_t *tiles, int count, const float *features, int64_t dim, GError **error) {
    for (int i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && tiles[i + run] == tiles[i] + run;) run++;
        if (!rmil_bag_writer_put(slide->writer, tiles[i], run, features + i * dim, error)) return FALSE;
    }
    return TRUE;
}

/* Puts views side by side: out is count × (views · dim), in is views × count × dim. */
static const float *join(const float *in, float *out, int views, int count, int64_t dim) {
    if (views == 1) return in;
    for (int view = 0; view < views; view++)
        for (int i = 0; i < count; i++)
            memcpy(out + (i * views + view) * dim, in + ((int64_t)view * count + i) * dim, (gsize)dim * sizeof *out);
    return out;
}

static gboolean encode(State *s, const Batch *batch, int worker, GError **error) {
    const RmilFlowSlide *slide = &batch->job->slide;
    const int64_t dim = rmil_encoder_dim(s->flow->encoder);
    float *made = s->features[worker], *joined = made + (gsize)slide->views * (gsize)s->batch * (gsize)dim;
    for (int view = 0; view < slide->views; view++)
        if (!rmil_encoder_run(s->flow->encoder, worker, batch->pixels + (gsize)view * (gsize)s->batch * s->view_bytes, batch->count,
                              made + (int64_t)view * batch->count * dim, error))
            return FALSE;
    return store(slide, slide->blocks->tiles + batch->number * s->batch, batch->count, join(made, joined, slide->views, batch->count, dim),
                 slide->views * dim, error);
}

static void encode_step(State *s, int worker) {
    Batch *batch = g_queue_pop_head(&s->full);
    Job *job = batch->job;
    const int64_t first = batch->number * s->batch;
    if (!job->error || first < job->failed_at) {
        GError *error = NULL;
        s->encoding++;
        g_mutex_unlock(&s->lock);
        const gboolean good = encode(s, batch, worker, &error);
        if (good) s->flow->advance(s->flow->user, batch->count);
        g_mutex_lock(&s->lock);
        s->encoding--;
        if (!good) set_error(job, first, error);
    }
    free_batch(s, batch);
    leave(s, job);
}

static void open_step(State *s) {
    Job *job = g_new0(Job, 1);
    const gint64 pause = s->count - s->first <= s->later ? LATER_PAUSE / s->later : 0; /* all remaining slides belong to other processes */
    job->place = s->waiting[s->first++];
    s->opening = TRUE;
    g_mutex_unlock(&s->lock);
    if (pause) g_usleep((gulong)pause);
    RmilFlowBegun begun = s->flow->begin(s->flow->user, job->place, &job->slide);
    g_mutex_lock(&s->lock);
    s->opening = FALSE;
    if (pause) s->later--;
    if (begun == RMIL_FLOW_LATER) {
        memmove(s->waiting, s->waiting + s->first, (gsize)(s->count - s->first) * sizeof *s->waiting);
        s->count -= s->first;
        s->first = 0;
        s->waiting[s->count++] = job->place;
        s->later++;
    }
    if (begun == RMIL_FLOW_BEGUN) {
        job->batches = (tiles_of(job) + s->batch - 1) / s->batch;
        job->open = g_new0(Batch *, job->batches + 1);
        g_queue_push_tail(&s->jobs, job);
        job->under_way = 1; /* so that a slide without tiles ends, too */
        leave(s, job);
    } else {
        g_free(job);
    }
    g_cond_broadcast(&s->changed);
}

/* -- choosing the next step ----------------------------------------------------------------------------------------------------- */
static Job *readable(const State *s, int64_t *blocks) {
    Job *first = NULL;
    *blocks = 0;
    for (GList *link = s->jobs.head; link; link = link->next) {
        Job *job = link->data;
        if (job->error || job->next == job->slide.blocks->count) continue;
        if (!first) first = job;
        *blocks += job->slide.blocks->count - job->next;
    }
    return first;
}

static gboolean has_room(const State *s, const Job *job) {
    const int64_t more = new_batches(s, job, job->next);
    return s->held + more <= s->room || s->held <= 1; /* 1: the batch that this block continues */
}

/* FALSE: everything is done. */
static gboolean step(State *s, int worker) {
    const int calls = rmil_encoder_calls(s->flow->encoder);
    int64_t blocks;
    Job *job = readable(s, &blocks);
    if (!g_queue_is_empty(&s->full) && (calls == 0 || s->encoding < calls)) encode_step(s, worker);
    else if (job && has_room(s, job)) read_step(s, job);
    else if (!s->opening && s->first < s->count && blocks <= s->flow->threads && s->jobs.length < 8) open_step(s);
    else if (s->first == s->count && !s->opening && g_queue_is_empty(&s->jobs)) return FALSE;
    else g_cond_wait(&s->changed, &s->lock);
    return TRUE;
}

static gboolean work(int64_t index, int worker, gpointer user, GError **error) {
    State *s = user;
    g_mutex_lock(&s->lock);
    while (step(s, worker)) continue;
    g_mutex_unlock(&s->lock);
    return TRUE;
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------ */
gboolean rmil_flow_run(const RmilFlow *flow, const int64_t *slides, int64_t count, GError **error) {
    const gsize side = (gsize)rmil_encoder_tile_px(flow->encoder);
    State s = {.flow = flow, .view_bytes = side * side * 3, .count = count, .jobs = G_QUEUE_INIT, .full = G_QUEUE_INIT};
    s.tile_bytes = s.view_bytes * (gsize)flow->views;
    s.batch = (int)CLAMP(flow->bytes / (4 * (int64_t)s.tile_bytes), 1, (int64_t)rmil_encoder_batch(flow->encoder));
    s.room = flow->bytes / ((int64_t)s.batch * (int64_t)s.tile_bytes);
    s.waiting = g_memdup2(slides, (gsize)count * sizeof *slides);
    s.features = g_new0(float *, flow->threads);
    g_mutex_init(&s.lock);
    g_cond_init(&s.changed);
    gboolean ready = TRUE;
    for (int i = 0; ready && i < flow->threads; i++) /* created, and, if there are several views, joined */
        ready = (s.features[i] = rmil_try_new((int64_t)s.batch * flow->views * (flow->views > 1 ? 2 : 1),
                                              (gsize)rmil_encoder_dim(flow->encoder) * sizeof(float), error)) != NULL;
    if (ready) ready = rmil_parallel(flow->threads, flow->threads, work, &s, error);
    for (int i = 0; i < flow->threads; i++) g_free(s.features[i]);
    g_free(s.features);
    g_free(s.waiting);
    g_mutex_clear(&s.lock);
    g_cond_clear(&s.changed);
    return ready;
}
