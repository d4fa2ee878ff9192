/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 in training: the backward pass. Slopes of maps are in arrays of one chunk each, `stride` bytes apart: g of a block's output, d
 * of a unit's output, h of the input of a shortcut's unit. */
#include "network-private.h"

#include <string.h>

enum { REDUCE = 1 << 15 }; /* floats that one task sums over chunks */

static char *chunk_of(const RmilNetwork *n, char *slopes, int64_t i) { return slopes + (gsize)i * n->stride; }

/* -- gradients of weights, over chunks ------------------------------------------------------------------------------------------- */
RMIL_CLONES static void add_up(float *sum, const float *more, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) sum[i] += more[i];
}

typedef struct {
    float *partial; /* chunk after chunk, `count` floats each; the first becomes the sum */
    int64_t count, chunks;
} Reducing;

static gboolean reduce_task(int64_t i, int worker, gpointer user, GError **error) {
    const Reducing *r = user;
    const int64_t from = i * REDUCE, count = MIN((int64_t)REDUCE, r->count - from);
    for (int64_t k = 1; k < r->chunks; k++) add_up(r->partial + from, r->partial + k * r->count + from, count);
    return TRUE;
}

/* The unit's gradient from those of the chunks in n->partial[which]. */
static gboolean reduce(RmilNetwork *n, const RmilUnit *unit, int which, GError **error) {
    Reducing r = {n->partial[which], rmil_learned_gradient_count(unit->convolution), n->chunks};
    return rmil_crew_run(n->crew, (r.count + REDUCE - 1) / REDUCE, reduce_task, &r, error) &&
           rmil_learned_plain(unit->convolution, n->workers[0].stream, r.partial, n->gradients[unit->tensor], error);
}

static gboolean weights(const RmilNetwork *n, const RmilUnit *unit, int which, int64_t i, int worker, const void *source,
                        const void *slopes, GError **error) {
    const RmilNetworkWorker *w = &n->workers[worker];
    float *to = n->partial[which] + i * rmil_learned_gradient_count(unit->convolution);
    return rmil_learned_weights(unit->convolution, w->stream, source, slopes, to, w->work, error);
}

static gboolean input(const RmilNetwork *n, const RmilUnit *unit, int worker, const void *slopes, void *to, GError **error) {
    return rmil_learned_input(unit->convolution, n->workers[worker].stream, slopes, to, n->workers[worker].work, error);
}

static void learn(RmilNetwork *n, RmilUnit *unit) {
    rmil_norm_back_learn(unit->norm, unit->maps.channels, unit->sums, n->chunks, n->config.batch * unit->maps.pixels,
                         n->gradients[unit->tensor + 1], n->gradients[unit->tensor + 2]);
}

/* -- blocks ------------------------------------------------------------------------------------------------------------------------- */
/* The slopes of block b's output are in place: goes through its last ReLU, and sums for its last norms. */
static void enter_block(const RmilNetwork *n, int b, int64_t i, char *g, const void *more) {
    const RmilBlock *block = &n->blocks[b];
    const RmilUnit *last = &block->units[RMIL_LAST], *shortcut = &block->units[RMIL_SHORTCUT];
    rmil_norm_back_sums(&last->maps, last->norm, g, more, rmil_block_out(block, i), rmil_unit_x(last, i), rmil_unit_sums(last, i));
    if (block->projects)
        rmil_norm_back_sums_only(&shortcut->maps, shortcut->norm, g, rmil_unit_x(shortcut, i), rmil_unit_sums(shortcut, i));
}

static gboolean head_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    const int b = n->n_blocks - 1;
    char *g = chunk_of(n, n->g, i);
    rmil_means_back(&n->blocks[b].units[RMIL_LAST].maps, n->slopes + i * n->chunk * n->channels, g);
    enter_block(n, b, i, g, NULL);
    return TRUE;
}

static gboolean needs_input(const RmilNetwork *n) { return n->at > 0 || !n->prefix; }

/* From the slopes of a unit's output to those of the output of the unit before, through its ReLU, in d; and the gradient of its weights. */
static gboolean through(const RmilNetwork *n, const RmilUnit *unit, int64_t i, int worker, const char *slopes, GError **error) {
    const RmilUnit *before = unit - 1;
    char *dx = n->workers[worker].scratch[0], *y = n->workers[worker].scratch[1], *d = chunk_of(n, n->d, i);
    rmil_norm_back(&unit->maps, unit->norm, slopes, rmil_unit_x(unit, i), dx);
    rmil_norm_apply(&before->maps, before->norm, rmil_unit_x(before, i), NULL, NULL, y);
    if (!weights(n, unit, 0, i, worker, y, dx, error) || !input(n, unit, worker, dx, d, error)) return FALSE;
    rmil_norm_back_sums(&before->maps, before->norm, d, NULL, NULL, rmil_unit_x(before, i), rmil_unit_sums(before, i));
    return TRUE;
}

/* Through the last convolution, and the shortcut's. */
static gboolean last_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    const RmilBlock *block = &n->blocks[n->at];
    const RmilUnit *shortcut = &block->units[RMIL_SHORTCUT];
    char *dx = n->workers[worker].scratch[0], *g = chunk_of(n, n->g, i);
    if (!through(n, &block->units[RMIL_LAST], i, worker, g, error)) return FALSE;
    if (!block->projects) return TRUE;
    rmil_norm_back(&shortcut->maps, shortcut->norm, g, rmil_unit_x(shortcut, i), dx);
    return weights(n, shortcut, 1, i, worker, rmil_block_in(n, n->at, i), dx, error) &&
           (!needs_input(n) || input(n, shortcut, worker, dx, chunk_of(n, n->h, i), error));
}

static gboolean middle_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    return through(n, &n->blocks[n->at].units[1], i, worker, chunk_of(n, n->d, i), error);
}

/* Through the first convolution, into the block before: its slopes are then in d. */
static gboolean first_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    const RmilBlock *block = &n->blocks[n->at];
    const RmilUnit *unit = &block->units[0];
    char *dx = n->workers[worker].scratch[0], *d = chunk_of(n, n->d, i);
    rmil_norm_back(&unit->maps, unit->norm, d, rmil_unit_x(unit, i), dx);
    if (!weights(n, unit, 0, i, worker, rmil_block_in(n, n->at, i), dx, error)) return FALSE;
    if (!needs_input(n)) return TRUE;
    if (!input(n, unit, worker, dx, d, error)) return FALSE;
    const char *more = chunk_of(n, block->projects ? n->h : n->g, i);
    if (n->at) enter_block(n, n->at - 1, i, d, more);
    else rmil_maps_add(&n->entry, d, more);
    return TRUE;
}

static gboolean back_block(RmilNetwork *n, int b, GError **error) {
    RmilBlock *block = &n->blocks[b];
    n->at = b;
    learn(n, &block->units[RMIL_LAST]);
    if (block->projects) learn(n, &block->units[RMIL_SHORTCUT]);
    if (!rmil_crew_run(n->crew, n->chunks, last_task, n, error) || !reduce(n, &block->units[RMIL_LAST], 0, error) ||
        (block->projects && !reduce(n, &block->units[RMIL_SHORTCUT], 1, error)))
        return FALSE;
    learn(n, &block->units[1]);
    if (!rmil_crew_run(n->crew, n->chunks, middle_task, n, error) || !reduce(n, &block->units[1], 0, error)) return FALSE;
    learn(n, &block->units[0]);
    if (!rmil_network_again(n, b - 1, error)) return FALSE;
    n->at = b;
    if (!rmil_crew_run(n->crew, n->chunks, first_task, n, error) || !reduce(n, &block->units[0], 0, error)) return FALSE;
    char *swap = n->g;
    n->g = n->d;
    n->d = swap;
    return TRUE;
}

/* -- stem ------------------------------------------------------------------------------------------------------------------------------ */
static gboolean pool_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    const RmilUnit *stem = &n->stem;
    char *y = n->workers[worker].scratch[0], *d = chunk_of(n, n->d, i);
    rmil_norm_apply(&stem->maps, stem->norm, rmil_unit_x(stem, i), NULL, NULL, y);
    rmil_maximum_back(&stem->maps, stem->side, y, chunk_of(n, n->g, i), d);
    rmil_norm_back_sums(&stem->maps, stem->norm, d, NULL, NULL, rmil_unit_x(stem, i), rmil_unit_sums(stem, i));
    return TRUE;
}

static gboolean stem_task(int64_t i, int worker, gpointer user, GError **error) {
    const RmilNetwork *n = user;
    char *dx = n->workers[worker].scratch[0];
    rmil_norm_back(&n->stem.maps, n->stem.norm, chunk_of(n, n->d, i), rmil_unit_x(&n->stem, i), dx);
    return weights(n, &n->stem, 0, i, worker, rmil_network_tiles(n, worker, i), dx, error);
}

static gboolean back_stem(RmilNetwork *n, GError **error) {
    if (!rmil_crew_run(n->crew, n->chunks, pool_task, n, error)) return FALSE;
    learn(n, &n->stem);
    return rmil_crew_run(n->crew, n->chunks, stem_task, n, error) && reduce(n, &n->stem, 0, error);
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------------- */
static void back_head(RmilNetwork *n, const float *slopes) {
    const int outputs = n->config.shape.outputs;
    const float *weight = n->values[n->head];
    float *gradient = n->gradients[n->head], *bias = n->gradients[n->head + 1];
    memset(n->slopes, 0, (gsize)(n->config.batch * n->channels) * sizeof(float));
    for (int o = 0; o < outputs; o++) {
        double sum = 0;
        for (int64_t i = 0; i < n->config.batch; i++) sum += (double)slopes[i * outputs + o];
        bias[o] = (float)sum;
        for (int64_t c = 0; c < n->channels; c++) {
            double with = 0;
            for (int64_t i = 0; i < n->config.batch; i++) {
                with += (double)slopes[i * outputs + o] * (double)n->features[i * n->channels + c];
                n->slopes[i * n->channels + c] += slopes[i * outputs + o] * weight[o * n->channels + c];
            }
            gradient[o * n->channels + c] = (float)with;
        }
    }
}

gboolean rmil_network_backward(RmilNetwork *n, float *const *values, const float *tiles, const float *slopes, float *const *gradients,
                               GError **error) {
    n->values = values;
    n->gradients = gradients;
    n->tiles = tiles;
    back_head(n, slopes);
    if (!rmil_network_again(n, n->n_blocks - 1, error) || !rmil_crew_run(n->crew, n->chunks, head_task, n, error)) return FALSE;
    for (int b = n->n_blocks; b-- > 0;)
        if (!back_block(n, b, error)) return FALSE;
    return n->prefix || back_stem(n, error);
}
