/* SPDX-License-Identifier: Apache-2.0 */
/* A vision transformer as an ONNX graph. */
#include "encoder-onnx.h"

#include "vit-start.h"

#include <math.h>

typedef struct {
    RmilOnnx *onnx;
    const RmilVitWeights *weights;
    const RmilVitShape *shape;
    const RmilVitConfig *config;
    GError **error;
} Graph;

/* -- weights ---------------------------------------------------------------------------------------------------------------- */

/* A tensor of the file with one of our names, "blocks.0.norm1.weight". */
static const char *give(Graph *g, int64_t block, const char *name, const char *part, int rank, const int64_t *shape, float *values) {
    g_autofree char *full = block < 0 ? g_strdup_printf("%s.%s", name, part)
                                      : g_strdup_printf("blocks.%" G_GINT64_FORMAT ".%s.%s", block, name, part);
    return rmil_onnx_given(g->onnx, full, rank, shape, values);
}

/* (out, in) -> (in, out), for MatMul. */
static float *turn(const float *values, int64_t out, int64_t in, GError **error) {
    enum { SQUARE = 32 };
    float *turned = rmil_alloc(out * in, sizeof(float), error);
    for (int64_t o0 = 0; turned && o0 < out; o0 += SQUARE)
        for (int64_t i0 = 0; i0 < in; i0 += SQUARE)
            for (int64_t o = o0; o < MIN(o0 + SQUARE, out); o++)
                for (int64_t i = i0; i < MIN(i0 + SQUARE, in); i++) turned[i * out + o] = values[o * in + i];
    return turned;
}

/* x Wᵀ + b over the last axis. */
static const char *linear(Graph *g, const char *x, const char *name, RmilVitPart part, RmilVitPart scale, int64_t block, int64_t out,
                          int64_t in) {
    float *values, *bias;
    if (!rmil_vit_weights_scaled(g->weights, part, scale, block, &values, &bias, g->error)) return NULL;
    float *turned = turn(values, out, in, g->error);
    rmil_free(values);
    if (!turned) {
        rmil_free(bias);
        return NULL;
    }
    const char *weight = give(g, block, name, "weight", 2, (const int64_t[]){in, out}, turned);
    const char *y = rmil_onnx_node(g->onnx, "MatMul", x, weight, NULL);
    return rmil_onnx_node(g->onnx, "Add", y, give(g, block, name, "bias", 1, &out, bias), NULL);
}

static const char *norm(Graph *g, const char *x, const char *name, RmilVitPart part, int64_t block) {
    float *values, *bias;
    if (!rmil_vit_weights_read(g->weights, part, block, &values, &bias, g->error)) return NULL;
    const char *weight = give(g, block, name, "weight", 1, &g->shape->embed, values),
               *shift = give(g, block, name, "bias", 1, &g->shape->embed, bias);
    const char *y = rmil_onnx_node(g->onnx, "LayerNormalization", x, weight, shift, NULL);
    rmil_onnx_int(g->onnx, "axis", -1);
    rmil_onnx_float(g->onnx, "epsilon", g->config->eps);
    return y;
}

/* -- tokens ----------------------------------------------------------------------------------------------------------------- */

/* Rows `first` … `end` − 1 of the tokens, or of another axis. */
static const char *rows(RmilOnnx *o, const char *x, int64_t first, int64_t end, int64_t axis) {
    return rmil_onnx_node(o, "Slice", x, RMIL_ONNX_WHOLES(o, first), RMIL_ONNX_WHOLES(o, end), RMIL_ONNX_WHOLES(o, axis), NULL);
}

/* The patches of images as tokens (N, patches, embed). */
static const char *embed_patches(Graph *g, const char *images) {
    const RmilVitShape *s = g->shape;
    float *values, *bias;
    if (!rmil_vit_weights_read(g->weights, RMIL_VIT_PATCH, -1, &values, &bias, g->error)) return NULL;
    const char *weight = give(g, -1, "patch_embed", "weight", 4, (const int64_t[]){s->embed, 3, s->patch, s->patch}, values),
               *shift = give(g, -1, "patch_embed", "bias", 1, &s->embed, bias);
    const char *x = rmil_onnx_node(g->onnx, "Conv", images, weight, shift, NULL);
    RMIL_ONNX_INTS(g->onnx, "kernel_shape", s->patch, s->patch);
    RMIL_ONNX_INTS(g->onnx, "strides", s->patch, s->patch);
    x = rmil_onnx_node(g->onnx, "Reshape", x, RMIL_ONNX_WHOLES(g->onnx, 0, s->embed, -1), NULL);
    x = rmil_onnx_node(g->onnx, "Transpose", x, NULL);
    RMIL_ONNX_INTS(g->onnx, "perm", 0, 2, 1);
    return x;
}

/* Puts class token and registers, the same for each image, before its patches; adds positions to all. */
static const char *add_start(Graph *g, const char *images, const char *patches) {
    RmilOnnx *o = g->onnx;
    const int64_t e = g->shape->embed, before = 1 + g->shape->registers, side = g->config->side / g->shape->patch;
    float *start = rmil_vit_start_new(g->weights, g->config, g->error);
    if (!start) return NULL;
    const char *all = give(g, -1, "tokens", "start", 3, (const int64_t[]){1, before + side * side, e}, start);
    const char *count = rmil_onnx_node(o, "Shape", images, NULL);
    rmil_onnx_int(o, "end", 1);
    const char *const sizes[] = {count, RMIL_ONNX_WHOLES(o, before, e)};
    const char *first = rmil_onnx_node(o, "Expand", rows(o, all, 0, before, 1), rmil_onnx_join(o, sizes, 2, 0), NULL);
    const char *const tokens[] = {first, rmil_onnx_node(o, "Add", patches, rows(o, all, before, before + side * side, 1), NULL)};
    return rmil_onnx_join(o, tokens, 2, 1);
}

/* -- blocks ----------------------------------------------------------------------------------------------------------------- */

/* Queries, keys or values as heads: (N, heads, tokens, size), keys (N, heads, size, tokens). */
static const char *heads_of(Graph *g, const char *qkv, int which) {
    const int64_t e = g->shape->embed, heads = g->config->heads;
    const char *x = rows(g->onnx, qkv, which * e, (which + 1) * e, 2);
    x = rmil_onnx_node(g->onnx, "Reshape", x, RMIL_ONNX_WHOLES(g->onnx, 0, 0, heads, e / heads), NULL);
    x = rmil_onnx_node(g->onnx, "Transpose", x, NULL);
    if (which == 1) RMIL_ONNX_INTS(g->onnx, "perm", 0, 2, 3, 1);
    else RMIL_ONNX_INTS(g->onnx, "perm", 0, 2, 1, 3);
    return x;
}

/* only_class: only for the class token. */
static const char *attention(Graph *g, const char *qkv, gboolean only_class) {
    RmilOnnx *o = g->onnx;
    const int64_t e = g->shape->embed;
    const char *queries = heads_of(g, qkv, 0), *keys = heads_of(g, qkv, 1), *values = heads_of(g, qkv, 2);
    if (only_class) queries = rows(o, queries, 0, 1, 2);
    const char *scale = rmil_onnx_number(o, 1 / sqrt((double)(e / g->config->heads)));
    const char *scores = rmil_onnx_node(o, "MatMul", rmil_onnx_node(o, "Mul", queries, scale, NULL), keys, NULL);
    const char *chances = rmil_onnx_node(o, "Softmax", scores, NULL);
    rmil_onnx_int(o, "axis", -1);
    const char *x = rmil_onnx_node(o, "Transpose", rmil_onnx_node(o, "MatMul", chances, values, NULL), NULL);
    RMIL_ONNX_INTS(o, "perm", 0, 2, 1, 3);
    return rmil_onnx_node(o, "Reshape", x, RMIL_ONNX_WHOLES(o, 0, 0, e), NULL);
}

static const char *gelu(RmilOnnx *o, const char *x) {
    const char *erf = rmil_onnx_node(o, "Erf", rmil_onnx_node(o, "Div", x, rmil_onnx_number(o, sqrt(2)), NULL), NULL);
    const char *twice = rmil_onnx_node(o, "Mul", x, rmil_onnx_node(o, "Add", erf, rmil_onnx_number(o, 1), NULL), NULL);
    return rmil_onnx_node(o, "Mul", twice, rmil_onnx_number(o, 0.5), NULL);
}

static const char *gate(RmilOnnx *o, const char *x, int64_t outer) {
    const char *first = rows(o, x, 0, outer, 2), *second = rows(o, x, outer, 2 * outer, 2);
    const char *soft = rmil_onnx_node(o, "Mul", first, rmil_onnx_node(o, "Sigmoid", first, NULL), NULL);
    return rmil_onnx_node(o, "Mul", soft, second, NULL);
}

static const char *block(Graph *g, const char *x, int64_t i, gboolean only_class) {
    RmilOnnx *o = g->onnx;
    const RmilVitShape *s = g->shape;
    const int64_t e = s->embed;
    const RmilVitPart none = RMIL_VIT_PARTS, scale1 = s->layer_scale ? RMIL_VIT_SCALE1 : none,
                      scale2 = s->layer_scale ? RMIL_VIT_SCALE2 : none;
    const char *y = norm(g, x, "norm1", RMIL_VIT_NORM1, i);
    if (!y || !(y = linear(g, y, "attn.qkv", RMIL_VIT_QKV, none, i, 3 * e, e))) return NULL;
    if (only_class) x = rows(o, x, 0, 1, 1);
    if (!(y = linear(g, attention(g, y, only_class), "attn.proj", RMIL_VIT_PROJECTION, scale1, i, e, e))) return NULL;
    x = rmil_onnx_node(o, "Add", x, y, NULL);
    if (!(y = norm(g, x, "norm2", RMIL_VIT_NORM2, i)) || !(y = linear(g, y, "mlp.fc1", RMIL_VIT_INNER, none, i, s->inner, e))) return NULL;
    y = s->gated ? gate(o, y, s->outer) : gelu(o, y);
    if (!(y = linear(g, y, "mlp.fc2", RMIL_VIT_OUTER, scale2, i, e, s->outer))) return NULL;
    return rmil_onnx_node(o, "Add", x, y, NULL);
}

/* -- the network ------------------------------------------------------------------------------------------------------------ */

/* Tokens (N, tokens, embed) to features. */
static const char *pool(Graph *g, const char *x, int64_t before, int64_t tokens) {
    RmilOnnx *o = g->onnx;
    const RmilVitPooling pooling = g->config->pooling;
    const char *parts[2];
    int count = 0;
    if (pooling != RMIL_VIT_MEAN)
        parts[count++] = rmil_onnx_node(o, "Reshape", rows(o, x, 0, 1, 1), RMIL_ONNX_WHOLES(o, 0, g->shape->embed), NULL);
    if (pooling != RMIL_VIT_CLASS) {
        parts[count++] = rmil_onnx_node(o, "ReduceMean", rows(o, x, before, tokens, 1), NULL);
        RMIL_ONNX_INTS(o, "axes", 1);
        rmil_onnx_int(o, "keepdims", 0);
    }
    return count == 1 ? parts[0] : rmil_onnx_join(o, parts, count, 1);
}

const char *rmil_vit_onnx(RmilOnnx *onnx, const RmilVitWeights *weights, const RmilVitConfig *config, const char *images, GError **error) {
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    Graph g = {onnx, weights, s, config, error};
    if (!rmil_vit_check(weights, config, error)) return NULL;
    const int64_t side = config->side / s->patch, before = 1 + s->registers;
    const char *x = embed_patches(&g, images);
    if (x) x = add_start(&g, images, x);
    for (int64_t i = 0; x && i < s->depth; i++) x = block(&g, x, i, config->pooling == RMIL_VIT_CLASS && i == s->depth - 1);
    if (x) x = norm(&g, x, "norm", RMIL_VIT_NORM, -1);
    return x ? pool(&g, x, before, before + side * side) : NULL;
}
