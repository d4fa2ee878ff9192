/* SPDX-License-Identifier: Apache-2.0 */
/* Positions, class token and registers, placed at their tokens. */
#include "vit-start.h"

#include "vit-position.h"

enum { MOST_TOKENS = 16384 };

gboolean rmil_vit_check(const RmilVitWeights *weights, const RmilVitConfig *c, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    const char *path = rmil_vit_weights_path(weights);
    if (c->heads < 1 || s->embed % c->heads)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: tokens of %" G_GINT64_FORMAT " numbers cannot be divided among %d heads", path,
                         s->embed, c->heads);
    if (c->side < s->patch || c->side % s->patch)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: tiles of %d px cannot be divided into patches of %" G_GINT64_FORMAT " px", path,
                         c->side, s->patch);
    const int64_t side = c->side / s->patch;
    return (side <= MOST_TOKENS && side * side <= MOST_TOKENS) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: tiles of %d px have more than %d patches", path, c->side, MOST_TOKENS);
}

/* Copies rows of the file's positions to their tokens; those of patches are resampled for another grid. */
static gboolean place_positions(const RmilVitWeights *weights, const RmilVitConfig *c, float *start, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    const int64_t side = c->side / s->patch;
    int64_t grid = 0, rows = 0;
    rmil_vit_grid(s, c->grid ? c->grid : side, &grid, &rows); /* cannot fail: the weights have been checked */
    float *positions;
    if (!rmil_vit_weights_read(weights, RMIL_VIT_POSITION, -1, &positions, NULL, error)) return FALSE;
    const size_t row = (size_t)s->embed * sizeof(float);
    memcpy(start, positions, (size_t)rows * row); /* class; or class and registers */
    float *patches = start + (1 + s->registers) * s->embed;
    const float *from = positions + rows * s->embed;
    gboolean done = TRUE;
    if (grid == side) memcpy(patches, from, (size_t)(grid * grid) * row);
    else done = rmil_position_resize(c->rule, from, grid, side, s->embed, patches, error);
    rmil_free(positions);
    return done;
}

/* Adds the class token, or the registers. */
static gboolean add_tokens(const RmilVitWeights *weights, RmilVitPart part, int64_t count, float *start, GError **error) {
    float *values;
    if (!count) return TRUE;
    if (!rmil_vit_weights_read(weights, part, -1, &values, NULL, error)) return FALSE;
    for (int64_t i = 0; i < count; i++) start[i] += values[i];
    rmil_free(values);
    return TRUE;
}

float *rmil_vit_start_new(const RmilVitWeights *weights, const RmilVitConfig *c, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    const int64_t side = c->side / s->patch, e = s->embed;
    float *start = rmil_alloc(1 + s->registers + side * side, (size_t)e * sizeof(float), error);
    if (start && place_positions(weights, c, start, error) && add_tokens(weights, RMIL_VIT_TOKEN, e, start, error) &&
        add_tokens(weights, RMIL_VIT_REGISTERS, s->registers * e, start + e, error))
        return start;
    rmil_free(start);
    return NULL;
}
