/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes and numbers of a vision transformer's tensors. */
#include "vit-names.h"

#include <math.h>

enum { MOST_EMBED = 8192, MOST_INNER = 65536, MOST_PATCH = 64, MOST_REGISTERS = 256, MOST_GRID = 512 };

/* -- shapes ---------------------------------------------------------------------------------------------------------------- */

/* The shape of a part's tensor; 0: this network has none. */
static int shape_of(const RmilVitShape *s, RmilVitPart part, int64_t shape[4]) {
    const int64_t e = s->embed;
    switch (part) {
    case RMIL_VIT_PATCH: memcpy(shape, (int64_t[4]){e, 3, s->patch, s->patch}, 4 * sizeof *shape); return 4;
    case RMIL_VIT_TOKEN: memcpy(shape, (int64_t[3]){1, 1, e}, 3 * sizeof *shape); return 3;
    case RMIL_VIT_REGISTERS: memcpy(shape, (int64_t[3]){1, s->registers, e}, 3 * sizeof *shape); return s->registers ? 3 : 0;
    case RMIL_VIT_POSITION: memcpy(shape, (int64_t[3]){1, s->rows ? s->rows : -1, e}, 3 * sizeof *shape); return 3;
    case RMIL_VIT_QKV: memcpy(shape, (int64_t[2]){3 * e, e}, 2 * sizeof *shape); return 2;
    case RMIL_VIT_PROJECTION: memcpy(shape, (int64_t[2]){e, e}, 2 * sizeof *shape); return 2;
    case RMIL_VIT_INNER: memcpy(shape, (int64_t[2]){s->inner, e}, 2 * sizeof *shape); return 2;
    case RMIL_VIT_OUTER: memcpy(shape, (int64_t[2]){e, s->outer}, 2 * sizeof *shape); return 2;
    case RMIL_VIT_SCALE1:
    case RMIL_VIT_SCALE2: shape[0] = e; return s->layer_scale ? 1 : 0;
    default: shape[0] = e; return 1;
    }
}

static gboolean check_tensor(const RmilVitWeights *w, const char *full, int rank, const int64_t *shape, GHashTable *used, GError **error) {
    if (used) g_hash_table_add(used, g_strdup(full));
    return rmil_tensors_shaped(w->tensors, full, rank, shape, error) != NULL;
}

static gboolean check_part(const RmilVitWeights *w, const RmilVitShape *expected, RmilVitPart part, int64_t block, GHashTable *used,
                           GError **error) {
    int64_t shape[4];
    const int rank = shape_of(expected, part, shape), parts = rmil_vit_name_parts(w, part);
    if (rank == 0) {
        const RmilTensor *surplus = rmil_vit_tensor(w, part, block);
        return !surplus || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a tensor \"%s\", which this encoder does not have",
                                     rmil_tensors_path(w->tensors), surplus->name);
    }
    shape[0] /= parts;
    for (int i = 0; i < parts; i++) {
        const char *name = rmil_vit_name(w, part, i, block);
        g_autofree char *weight = rmil_vit_name_full(w, block, name, "weight"), *bias = rmil_vit_name_full(w, block, name, "bias");
        if (!check_tensor(w, weight, rank, shape, used, error)) return FALSE;
        if (g_str_has_suffix(name, ".") && !check_tensor(w, bias, 1, shape, used, error)) return FALSE;
    }
    return TRUE;
}

static gboolean check_all(const RmilVitWeights *w, const RmilVitShape *expected, GHashTable *used, GError **error) {
    for (RmilVitPart part = 0; part < RMIL_VIT_NORM; part++)
        if (!check_part(w, expected, part, -1, used, error)) return FALSE;
    for (int64_t block = 0; block < MIN(expected->depth, w->blocks->len); block++)
        for (RmilVitPart part = RMIL_VIT_NORM1; part < RMIL_VIT_PARTS; part++)
            if (!check_part(w, expected, part, block, used, error)) return FALSE;
    if (expected->depth != w->blocks->len)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has %u blocks (the last is %s%s), but this encoder needs %" G_GINT64_FORMAT,
                         rmil_tensors_path(w->tensors), w->blocks->len, w->prefix, (const char *)w->blocks->pdata[w->blocks->len - 1],
                         expected->depth);
    return check_part(w, expected, RMIL_VIT_NORM, -1, used, error);
}

/* Rejects unused tensors that would change what a block, or the whole network, computes. */
static gboolean check_unused(const RmilVitWeights *w, GHashTable *used, GError **error) {
    for (int64_t i = 0; i < rmil_tensors_count(w->tensors); i++) {
        const char *name = rmil_tensors_at(w->tensors, i)->name;
        if (!g_hash_table_contains(used, name) && rmil_vit_name_strange(w, name))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has a tensor \"%s\", which belongs to another kind of vision transformer",
                             rmil_tensors_path(w->tensors), name);
    }
    return TRUE;
}

gboolean rmil_vit_grid(const RmilVitShape *s, int64_t wanted, int64_t *grid, int64_t *before) {
    const int64_t usual[3] = {0, 1 + s->registers, 1}, behind[1] = {1};
    const int64_t *all = s->apart ? behind : usual;
    gboolean found = FALSE;
    for (int i = 0; i < (s->apart ? 1 : 3); i++) {
        const int64_t patches = s->rows - all[i], side = patches > 0 ? (int64_t)llround(sqrt((double)patches)) : 0;
        if (side < 1 || side > MOST_GRID || side * side != patches || (found && side != wanted)) continue;
        *grid = side;
        *before = all[i];
        found = TRUE;
        if (side == wanted) break;
    }
    return found;
}

static gboolean between(const RmilVitWeights *w, const char *what, int64_t value, int64_t most, GError **error) {
    return (value >= 1 && value <= most) ||
           rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %" G_GINT64_FORMAT " %s; 1 to %" G_GINT64_FORMAT " are accepted",
                     rmil_tensors_path(w->tensors), value, what, most);
}

/* The sizes of one tensor determine those of the others. */
static gboolean read_shape(RmilVitWeights *w, GError **error) {
    static const int64_t any[4] = {-1, -1, -1, -1};
    RmilVitShape *s = &w->shape;
    static const struct {
        RmilVitPart part;
        int64_t block;
        int rank;
    } telling[] = {{RMIL_VIT_PATCH, -1, 4}, {RMIL_VIT_POSITION, -1, 3}, {RMIL_VIT_INNER, 0, 2}, {RMIL_VIT_OUTER, 0, 2}};
    const RmilTensor *found[G_N_ELEMENTS(telling)], *registers = rmil_vit_tensor(w, RMIL_VIT_REGISTERS, -1);
    for (gsize i = 0; i < G_N_ELEMENTS(telling); i++) {
        const char *name = rmil_vit_name(w, telling[i].part, 0, telling[i].block);
        g_autofree char *full = rmil_vit_name_full(w, telling[i].block, name, "weight");
        if (!(found[i] = rmil_tensors_shaped(w->tensors, full, telling[i].rank, any, error))) return FALSE;
    }
    *s = (RmilVitShape){.embed = found[0]->shape[0],
                        .depth = w->blocks->len,
                        .patch = found[0]->shape[2],
                        .registers = registers && registers->rank == 3 ? registers->shape[1] : 0,
                        .inner = found[2]->shape[0],
                        .outer = found[3]->shape[1],
                        .layer_scale = rmil_vit_tensor(w, RMIL_VIT_SCALE1, 0) != NULL,
                        .rows = found[1]->shape[1],
                        .apart = w->hugging || (registers && g_str_has_suffix(registers->name, "register_tokens"))};
    s->gated = s->inner == 2 * s->outer;
    if (!between(w, "numbers a token", s->embed, MOST_EMBED, error) || !between(w, "pixels a patch's side", s->patch, MOST_PATCH, error) ||
        !between(w, "rows of an MLP's matrix", s->inner, MOST_INNER, error) ||
        (registers && !between(w, "register tokens", s->registers, MOST_REGISTERS, error)))
        return FALSE;
    if (!s->gated && s->inner != s->outer)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: the second matrix of an MLP takes %" G_GINT64_FORMAT " numbers where the first gives %" G_GINT64_FORMAT
                         ": that is neither a plain MLP (the same number) nor a gated one (half)",
                         rmil_tensors_path(w->tensors), s->outer, s->inner);
    int64_t grid, before;
    return rmil_vit_grid(s, 0, &grid, &before) ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: \"%s\" has %" G_GINT64_FORMAT " rows, which do not form a square grid of patches, with or without the "
                     "tokens before them",
                     rmil_tensors_path(w->tensors), found[1]->name, s->rows);
}

RmilVitWeights *rmil_vit_weights_new(const RmilTensors *tensors, GError **error) {
    g_autoptr(RmilVitWeights) w = g_new0(RmilVitWeights, 1);
    w->tensors = tensors;
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const gboolean done = rmil_vit_names_find(w, error) && read_shape(w, error) && check_all(w, &w->shape, used, error) &&
                          check_unused(w, used, error);
    return done ? g_steal_pointer(&w) : NULL;
}

void rmil_vit_weights_free(RmilVitWeights *w) {
    if (!w) return;
    if (w->blocks) g_ptr_array_unref(w->blocks);
    g_free(w->prefix);
    g_free(w);
}

const RmilVitShape *rmil_vit_weights_shape(const RmilVitWeights *w) { return &w->shape; }
const char *rmil_vit_weights_path(const RmilVitWeights *w) { return rmil_tensors_path(w->tensors); }

gboolean rmil_vit_weights_fit(const RmilVitWeights *w, const RmilVitShape *expected, GError **error) {
    return check_all(w, expected, NULL, error);
}

/* -- numbers --------------------------------------------------------------------------------------------------------------- */

static gboolean append(const RmilVitWeights *w, const char *full, float *to, int64_t *count, GError **error) {
    const RmilTensor *tensor = rmil_tensors_find(w->tensors, full);
    rmil_tensor_floats(tensor, to);
    *count = tensor->count;
    float sum = 0;
    for (int64_t i = 0; i < tensor->count; i++) sum += to[i] * 0; /* only infinities and NaNs give something other than 0 */
    return sum == 0 ||
           rmil_fail(error, RMIL_ERROR_DATA, "%s: tensor \"%s\" holds numbers that are not finite", rmil_tensors_path(w->tensors), full);
}

gboolean rmil_vit_weights_read(const RmilVitWeights *w, RmilVitPart part, int64_t block, float **values, float **bias, GError **error) {
    int64_t shape[4], count, total = 1, at = 0, at_bias = 0;
    const int rank = shape_of(&w->shape, part, shape), parts = rmil_vit_name_parts(w, part);
    for (int i = 0; i < rank; i++) total *= shape[i];
    *values = rmil_alloc(total, sizeof(float), error);
    gboolean done = *values != NULL;
    if (bias) done = (*bias = done ? rmil_alloc(shape[0], sizeof(float), error) : NULL) != NULL;
    for (int i = 0; done && i < parts; i++) {
        const char *name = rmil_vit_name(w, part, i, block);
        g_autofree char *weight = rmil_vit_name_full(w, block, name, "weight"), *second = rmil_vit_name_full(w, block, name, "bias");
        done = append(w, weight, *values + at, &count, error);
        at += count;
        if (done && bias) done = append(w, second, *bias + at_bias, &count, error);
        at_bias += bias ? count : 0;
    }
    if (done) return TRUE;
    rmil_free(*values);
    if (bias) rmil_free(*bias);
    *values = NULL;
    if (bias) *bias = NULL;
    return FALSE;
}

gboolean rmil_vit_weights_scaled(const RmilVitWeights *w, RmilVitPart part, RmilVitPart scale, int64_t block, float **values, float **bias,
                                 GError **error) {
    int64_t shape[4];
    float *factors = NULL;
    if (!rmil_vit_weights_read(w, part, block, values, bias, error)) return FALSE;
    if (scale == RMIL_VIT_PARTS) return TRUE;
    if (!rmil_vit_weights_read(w, scale, block, &factors, NULL, error)) {
        rmil_free(g_steal_pointer(values));
        rmil_free(g_steal_pointer(bias));
        return FALSE;
    }
    shape_of(&w->shape, part, shape);
    for (int64_t o = 0; o < shape[0]; o++) {
        for (int64_t i = 0; i < shape[1]; i++) (*values)[o * shape[1] + i] *= factors[o];
        (*bias)[o] *= factors[o];
    }
    rmil_free(factors);
    return TRUE;
}
