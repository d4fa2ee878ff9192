/* SPDX-License-Identifier: Apache-2.0 */
/* TransMIL as an ONNX graph: the layers in their textbook form, for any number of patches. */
#include "transmil.h"

#include "nystrom.h"
#include "onnx.h"

#include <math.h>

typedef struct {
    RmilOnnx *o;
    int64_t d, heads, m;
    const char *eye; /* m × m */
} Graph;

/* Integers in the graph are lists of one element. */
static const char *two(Graph *g, const char *operator, const char * a, const char *b) { return rmil_onnx_node(g->o, operator, a, b, NULL); }
static const char *whole(Graph *g, int64_t value) { return RMIL_ONNX_WHOLES(g->o, value); }

static const char *cast(Graph *g, const char *x, int64_t type) {
    const char *y = rmil_onnx_node(g->o, "Cast", x, NULL);
    rmil_onnx_int(g->o, "to", type);
    return y;
}

static const char *length_of(Graph *g, const char *x) {
    const char *n = rmil_onnx_node(g->o, "Shape", x, NULL);
    rmil_onnx_int(g->o, "end", 1);
    return n;
}

static const char *slice(Graph *g, const char *x, const char *first, const char *end, int64_t axis) {
    return rmil_onnx_node(g->o, "Slice", x, first, end, whole(g, axis), NULL);
}

static const char *join(Graph *g, const char *a, const char *b, int axis) {
    const char *const parts[] = {a, b};
    return rmil_onnx_join(g->o, parts, 2, axis);
}

static const char *turn(Graph *g, const char *x, int n, const int64_t *order) {
    const char *y = rmil_onnx_node(g->o, "Transpose", x, NULL);
    rmil_onnx_ints(g->o, "perm", n, order);
    return y;
}
static const char *last_turned(Graph *g, const char *x) { return turn(g, x, 3, (const int64_t[]){0, 2, 1}); }
static const char *heads_turned(Graph *g, const char *x) { return turn(g, x, 3, (const int64_t[]){1, 0, 2}); }

static const char *reshape(Graph *g, const char *x, int n, const int64_t *shape) {
    return rmil_onnx_node(g->o, "Reshape", x, rmil_onnx_wholes(g->o, n, shape), NULL);
}

/* softmax(scale · a bᵀ) */
static const char *attend(Graph *g, const char *a, const char *b) {
    const char *scale = rmil_onnx_number(g->o, 1 / sqrt((double)(g->d / g->heads)));
    const char *soft = rmil_onnx_node(g->o, "Softmax", two(g, "MatMul", two(g, "Mul", a, scale), last_turned(g, b)), NULL);
    rmil_onnx_int(g->o, "axis", -1);
    return soft;
}

/* value · I − x y */
static const char *from_diagonal(Graph *g, double value, const char *x, const char *y) {
    const char *diagonal = two(g, "Mul", g->eye, rmil_onnx_number(g->o, value));
    return two(g, "Sub", diagonal, y ? two(g, "MatMul", x, y) : x);
}

static const char *inverse(Graph *g, const char *a) {
    RmilOnnx *o = g->o;
    const char *rows = rmil_onnx_node(o, "ReduceMax", two(g, "ReduceSum", a, whole(g, 2)), NULL),
               *columns = rmil_onnx_node(o, "ReduceMax", two(g, "ReduceSum", a, whole(g, 1)), NULL);
    const char *z = two(g, "Div", last_turned(g, a), two(g, "Mul", rows, columns));
    for (int i = 0; i < RMIL_NYSTROM_STEPS; i++) {
        const char *y = two(g, "MatMul", a, z);
        const char *r = from_diagonal(g, 13, y, from_diagonal(g, 15, y, from_diagonal(g, 7, y, NULL)));
        z = two(g, "Mul", two(g, "MatMul", z, r), rmil_onnx_number(o, 0.25));
    }
    return z;
}

/* A third of qkv (e × 3 d): heads × e × w. */
static const char *third(Graph *g, const char *qkv, int64_t which) {
    const char *part = slice(g, qkv, whole(g, which * g->d), whole(g, (which + 1) * g->d), 1);
    return heads_turned(g, reshape(g, part, 3, (const int64_t[]){-1, g->heads, g->d / g->heads}));
}

static const char *landmarks(Graph *g, const char *x) {
    const char *mean = rmil_onnx_node(g->o, "ReduceMean", reshape(g, x, 4, (const int64_t[]){g->heads, g->m, -1, g->d / g->heads}), NULL);
    RMIL_ONNX_INTS(g->o, "axes", 2);
    rmil_onnx_int(g->o, "keepdims", 0);
    return mean;
}

static const char *convolve(Graph *g, const char *v, const char *name) {
    const int64_t w = g->d / g->heads, half = RMIL_NYSTROM_TAPS / 2;
    const char *y = two(g, "Conv", reshape(g, v, 4, (const int64_t[]){1, g->heads, -1, w}),
                        rmil_onnx_parameter(g->o, "%s.attn.res_conv.weight", name));
    rmil_onnx_int(g->o, "group", g->heads);
    RMIL_ONNX_INTS(g->o, "kernel_shape", RMIL_NYSTROM_TAPS, 1);
    RMIL_ONNX_INTS(g->o, "pads", half, 0, half, 0);
    return reshape(g, y, 3, (const int64_t[]){g->heads, -1, w});
}

/* One layer of x (n × d). row: NULL, or receives the first token's attention to each token (n); the layer is then returned for that token
 * only. */
static const char *layer(Graph *g, const char *name, const char *x, const char **row) {
    RmilOnnx *o = g->o;
    g_autofree char *norm = g_strconcat(name, ".norm", NULL);
    const char *weight = rmil_onnx_node(o, "Transpose", rmil_onnx_parameter(o, "%s.attn.to_qkv.weight", name), NULL);
    const char *n = length_of(g, x), *m = whole(g, g->m);
    const char *padded = two(g, "Mul", two(g, "Div", two(g, "Add", n, whole(g, g->m - 1)), m), m);
    const char *padding = two(g, "Sub", padded, n);
    const char *qkv = two(g, "Pad", two(g, "MatMul", rmil_onnx_norm(o, x, norm), weight),
                          join(g, padding, RMIL_ONNX_WHOLES(o, 0, 0, 0), 0));
    const char *q = third(g, qkv, 0), *k = third(g, qkv, 1), *v = third(g, qkv, 2);
    const char *query = landmarks(g, q), *key = landmarks(g, k);
    const char *z = inverse(g, attend(g, query, key)), *inward = attend(g, query, k);
    const char *end = row ? two(g, "Add", padding, whole(g, 1)) : padded;
    const char *outward = attend(g, slice(g, q, padding, end, 1), key);
    const char *y = two(g, "MatMul", outward, two(g, "MatMul", z, two(g, "MatMul", inward, v)));
    y = two(g, "Add", y, slice(g, convolve(g, v, name), padding, end, 1));
    y = reshape(g, heads_turned(g, y), 2, (const int64_t[]){-1, g->d});
    y = rmil_onnx_linear(o, y, rmil_onnx_parameter(o, "%s.attn.to_out.0.weight", name),
                         rmil_onnx_parameter(o, "%s.attn.to_out.0.bias", name));
    if (!row) return two(g, "Add", x, y);
    const char *mean = rmil_onnx_node(o, "ReduceMean", two(g, "MatMul", two(g, "MatMul", outward, z), inward), NULL);
    RMIL_ONNX_INTS(o, "axes", 0);
    *row = slice(g, rmil_onnx_flat(o, mean), padding, padded, 0);
    return two(g, "Add", slice(g, x, whole(g, 0), whole(g, 1), 0), y);
}

/* The position encoding of x (side² × d). */
static const char *positions(Graph *g, const char *x, const char *side) {
    static const int64_t sizes[] = {7, 5, 3};
    static const char *const names[] = {"proj", "proj1", "proj2"};
    const char *shape = join(g, RMIL_ONNX_WHOLES(g->o, 1, g->d), join(g, side, side, 0), 0);
    const char *grid = two(g, "Reshape", turn(g, x, 2, (const int64_t[]){1, 0}), shape), *sum = grid;
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const int64_t half = sizes[i] / 2;
        const char *y = rmil_onnx_node(g->o, "Conv", grid, rmil_onnx_parameter(g->o, "pos_layer.%s.weight", names[i]),
                                       rmil_onnx_parameter(g->o, "pos_layer.%s.bias", names[i]), NULL);
        rmil_onnx_int(g->o, "group", g->d);
        RMIL_ONNX_INTS(g->o, "kernel_shape", sizes[i], sizes[i]);
        RMIL_ONNX_INTS(g->o, "pads", half, half, half, half);
        sum = two(g, "Add", sum, y);
    }
    return turn(g, reshape(g, sum, 2, (const int64_t[]){g->d, -1}), 2, (const int64_t[]){1, 0});
}

/* The positive parts of the scores (K), as shares; if none is positive, all are equal. */
static const char *shares(Graph *g, const char *scores, const char *count) {
    RmilOnnx *o = g->o;
    const char *above = rmil_onnx_node(o, "Relu", scores, NULL), *total = rmil_onnx_node(o, "ReduceSum", above, NULL);
    const char *even = two(g, "Div", rmil_onnx_number(o, 1), cast(g, count, RMIL_ONNX_FLOAT));
    return rmil_onnx_node(o, "Where", two(g, "Greater", total, rmil_onnx_number(o, 0)), two(g, "Div", above, total), even, NULL);
}

void rmil_transmil_onnx(const RmilModelConfig *config, int64_t heads, int64_t m, RmilOnnx *o) {
    Graph g = {o, config->hidden, heads, m, NULL};
    g.eye = rmil_onnx_node(o, "EyeLike", rmil_onnx_node(o, "ConstantOfShape", RMIL_ONNX_WHOLES(o, m, m), NULL), NULL);
    const char *features = rmil_onnx_features(o), *count = length_of(&g, features), *row;
    const char *root = rmil_onnx_node(o, "Ceil", rmil_onnx_node(o, "Sqrt", cast(&g, count, RMIL_ONNX_DOUBLE), NULL), NULL);
    const char *side = cast(&g, root, RMIL_ONNX_INT64), *cells = two(&g, "Mul", side, side), *more = two(&g, "Sub", cells, count);
    const char *h = rmil_onnx_node(
        o, "Relu", rmil_onnx_linear(o, features, rmil_onnx_parameter(o, "_fc1.0.weight"), rmil_onnx_parameter(o, "_fc1.0.bias")), NULL);
    const char *token = reshape(&g, rmil_onnx_parameter(o, "cls_token"), 2, (const int64_t[]){1, -1});
    const char *x = join(&g, token, join(&g, h, slice(&g, h, whole(&g, 0), more, 0), 0), 0);
    x = layer(&g, "layer1", x, NULL);
    const char *grid = slice(&g, x, whole(&g, 1), two(&g, "Add", cells, whole(&g, 1)), 0);
    x = join(&g, slice(&g, x, whole(&g, 0), whole(&g, 1), 0), positions(&g, grid, side), 0);
    x = rmil_onnx_norm(o, layer(&g, "layer2", x, &row), "norm");
    const char *z = rmil_onnx_flat(o, rmil_onnx_linear(o, x, rmil_onnx_parameter(o, "_fc2.weight"), rmil_onnx_parameter(o, "_fc2.bias")));
    row = slice(&g, row, whole(&g, 1), two(&g, "Add", cells, whole(&g, 1)), 0);
    const char *again = two(&g, "Pad", slice(&g, row, count, cells, 0), join(&g, whole(&g, 0), two(&g, "Sub", count, more), 0));
    const char *scores = two(&g, "Add", slice(&g, row, whole(&g, 0), count, 0), again);
    if (config->task.classes == 2) z = two(&g, "Sub", rmil_onnx_row_of(o, z, 1), rmil_onnx_row_of(o, z, 0));
    rmil_onnx_outputs(o, z, scores, shares(&g, scores, count));
}
