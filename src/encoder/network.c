/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 in training: forward. */
#include "network-private.h"

#include "tensors/tensors-private.h"

/* One convolution of a chunk, and the sums of its output. */
static gboolean convolve(RmilNetwork *n, RmilUnit *unit, int64_t i, int worker, const void *source, GError **error) {
    const RmilNetworkWorker *w = &n->workers[worker];
    if (!rmil_learned_forward(unit->convolution, w->stream, source, rmil_unit_x(unit, i), w->work, error)) return FALSE;
    if (!n->again) rmil_norm_sums(&unit->maps, rmil_unit_x(unit, i), rmil_unit_sums(unit, i));
    return TRUE;
}

/* The norm over the outputs of all chunks. */
static void learn(RmilNetwork *n, RmilUnit *unit) {
    float *const *values = n->values + unit->tensor;
    rmil_norm_learn(unit->norm, unit->maps.channels, unit->sums, n->chunks, n->config.batch * unit->maps.pixels, values[1], values[2],
                    values[3], values[4]);
}

const void *rmil_network_tiles(const RmilNetwork *n, int worker, int64_t i) {
    const int64_t count = n->chunk * 3 * n->config.side * n->config.side;
    const float *tiles = n->tiles + i * count;
    if (n->config.precision != RMIL_BFLOAT16) return tiles;
    rmil_to_bfloat16(tiles, count, (uint16_t *)(void *)n->workers[worker].scratch[1]);
    return n->workers[worker].scratch[1];
}

static gboolean stem_task(int64_t i, int worker, gpointer user, GError **error) {
    RmilNetwork *n = user;
    return convolve(n, &n->stem, i, worker, rmil_network_tiles(n, worker, i), error);
}

/* The input of the first block: the stem's maxima, or the output of the frozen stages. */
static gboolean fill_input(RmilNetwork *n, int64_t i, int worker, GError **error) {
    char *input = rmil_block_in(n, 0, i), *scratch = n->workers[worker].scratch[0];
    if (!n->prefix) {
        rmil_norm_apply(&n->stem.maps, n->stem.norm, rmil_unit_x(&n->stem, i), NULL, NULL, scratch);
        rmil_maximum(&n->stem.maps, n->stem.side, scratch, input);
        return TRUE;
    }
    const int64_t count = n->chunk * 3 * n->config.side * n->config.side;
    const float *maps = rmil_resnet_maps(n->prefix, worker, n->tiles + i * count, error);
    if (maps) rmil_maps_from_plain(&n->entry, maps, input);
    return maps != NULL;
}

static void finish_block(RmilNetwork *n, int b, int64_t i) {
    const RmilBlock *block = &n->blocks[b];
    const RmilUnit *last = &block->units[RMIL_LAST], *shortcut = &block->units[RMIL_SHORTCUT];
    rmil_norm_apply(&last->maps, last->norm, rmil_unit_x(last, i), block->projects ? rmil_unit_x(shortcut, i) : rmil_block_in(n, b, i),
                    block->projects ? shortcut->norm : NULL, rmil_block_out(block, i));
}

/* The end of the previous block, and the first convolution of block n->at, together with its shortcut's. */
static gboolean entry_task(int64_t i, int worker, gpointer user, GError **error) {
    RmilNetwork *n = user;
    RmilBlock *block = &n->blocks[n->at];
    if (n->at && !n->again) finish_block(n, n->at - 1, i);
    if (!n->at && !n->again && !fill_input(n, i, worker, error)) return FALSE;
    const char *in = rmil_block_in(n, n->at, i);
    return convolve(n, &block->units[0], i, worker, in, error) &&
           (!block->projects || convolve(n, &block->units[RMIL_SHORTCUT], i, worker, in, error));
}

static gboolean unit_task(int64_t i, int worker, gpointer user, GError **error) {
    RmilNetwork *n = user;
    const RmilUnit *before = &n->blocks[n->at].units[n->unit - 1];
    char *y = n->workers[worker].scratch[0];
    rmil_norm_apply(&before->maps, before->norm, rmil_unit_x(before, i), NULL, NULL, y);
    return convolve(n, &n->blocks[n->at].units[n->unit], i, worker, y, error);
}

static gboolean end_task(int64_t i, int worker, gpointer user, GError **error) {
    RmilNetwork *n = user;
    const RmilBlock *last = &n->blocks[n->n_blocks - 1];
    finish_block(n, n->n_blocks - 1, i);
    rmil_means(&last->units[RMIL_LAST].maps, rmil_block_out(last, i), n->features + i * n->chunk * n->channels);
    return TRUE;
}

static gboolean run_block(RmilNetwork *n, int b, GError **error) {
    RmilBlock *block = &n->blocks[b];
    n->at = b;
    if (!rmil_crew_run(n->crew, n->chunks, entry_task, n, error)) return FALSE;
    if (!n->again) {
        learn(n, &block->units[0]);
        if (block->projects) learn(n, &block->units[RMIL_SHORTCUT]);
    }
    for (n->unit = 1; n->unit <= RMIL_LAST; n->unit++) {
        if (!rmil_crew_run(n->crew, n->chunks, unit_task, n, error)) return FALSE;
        if (!n->again) learn(n, &block->units[n->unit]);
    }
    return TRUE;
}

gboolean rmil_network_again(RmilNetwork *n, int b, GError **error) {
    if (b < 0 || n->blocks[b].kept) return TRUE;
    n->again = TRUE;
    const gboolean done = run_block(n, b, error);
    n->again = FALSE;
    return done;
}

static RmilUnit *unit_at(RmilNetwork *n, int64_t i) { return i < 0 ? &n->stem : &n->blocks[i / RMIL_UNITS].units[i % RMIL_UNITS]; }

static gboolean set_task(int64_t i, int worker, gpointer user, GError **error) {
    RmilNetwork *n = user;
    const RmilUnit *unit = unit_at(n, i - 1);
    return !unit->convolution || rmil_learned_set(unit->convolution, n->workers[worker].stream, n->values[unit->tensor], error);
}

gboolean rmil_network_forward(RmilNetwork *n, float *const *values, const float *input, float *logits, GError **error) {
    n->values = values;
    n->tiles = input;
    if (!rmil_crew_run(n->crew, 1 + n->n_blocks * RMIL_UNITS, set_task, n, error)) return FALSE;
    if (!n->prefix) {
        if (!rmil_crew_run(n->crew, n->chunks, stem_task, n, error)) return FALSE;
        learn(n, &n->stem);
    }
    for (int b = 0; b < n->n_blocks; b++)
        if (!run_block(n, b, error)) return FALSE;
    if (!rmil_crew_run(n->crew, n->chunks, end_task, n, error)) return FALSE;
    const float *weight = values[n->head], *bias = values[n->head + 1];
    const int outputs = n->config.shape.outputs;
    for (int64_t i = 0; i < n->config.batch; i++)
        for (int o = 0; o < outputs; o++) {
            double sum = (double)bias[o];
            for (int64_t c = 0; c < n->channels; c++) sum += (double)weight[o * n->channels + c] * (double)n->features[i * n->channels + c];
            logits[i * outputs + o] = (float)sum;
        }
    return TRUE;
}
