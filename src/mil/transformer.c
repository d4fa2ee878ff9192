/* SPDX-License-Identifier: Apache-2.0 */
/* Transformer blocks, forward and backward. */
#include "transformer.h"

#include "activation.h"
#include "gemm.h"
#include "layernorm.h"
#include "onnx.h"
#include "rows.h"
#include "selfattention.h"

#include <math.h>
#include <string.h>

enum { NORM1_W, NORM1_B, IN_W, IN_B, OUT_W, OUT_B, NORM2_W, NORM2_B, FC1_W, FC1_B, FC2_W, FC2_B };

/* PyTorch's initialisation: in_proj as by xavier_uniform_ over all 3 width rows, attention biases 0. */
int rmil_block_layout(RmilParameterLayout *layout, const char *prefix, int64_t d) {
    g_autofree char *fc1 = g_strconcat(prefix, ".mlp.fc1", NULL), *fc2 = g_strconcat(prefix, ".mlp.fc2", NULL);
    int first = rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "%s.norm1.weight", prefix);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "%s.norm1.bias", prefix);
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, sqrt(6 / (double)(4 * d)), 2, 3 * d, d, 0, "%s.attn.in_proj_weight", prefix);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, 3 * d, 0, 0, "%s.attn.in_proj_bias", prefix);
    rmil_parameter_add(layout, RMIL_INIT_UNIFORM, 1 / sqrt((double)d), 2, d, d, 0, "%s.attn.out_proj.weight", prefix);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "%s.attn.out_proj.bias", prefix);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "%s.norm2.weight", prefix);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "%s.norm2.bias", prefix);
    rmil_parameter_linear(layout, fc1, 4 * d, d, TRUE);
    rmil_parameter_linear(layout, fc2, d, 4 * d, TRUE);
    return first;
}

static int64_t rows_in(const RmilBlockShape *s) { return s->sequences * s->length; }
static int64_t rows_out(const RmilBlockShape *s) { return s->first_only ? s->sequences : rows_in(s); }
/* Floats from one requested row to the next, in arrays of all rows. */
static int64_t stride_of(const RmilBlockShape *s) { return s->first_only ? s->length * s->width : s->width; }
/* Floats from row to row of the MLP's wide arrays. */
static int64_t wide_of(const RmilBlockShape *s) { return rmil_row_stride(4 * s->width); }

static int64_t projected_floats(const RmilBlockShape *s) {
    return s->first_only ? rmil_first_attention_kept(s->sequences, s->length, s->width, s->heads) : rows_in(s) * 3 * s->width;
}

int64_t rmil_block_cache_floats(const RmilBlockShape *s) {
    const int64_t in = rows_in(s), out = rows_out(s), d = s->width;
    return in * (d + 2) + projected_floats(s) + out * (2 * d + wide_of(s) + 2 + s->heads);
}

void rmil_block_cache_cut(const RmilBlockShape *s, float *memory, RmilBlockCache *c) {
    const int64_t in = rows_in(s), out = rows_out(s), d = s->width;
    c->x = memory;
    c->projected = c->x + in * d;
    c->mixed = c->projected + projected_floats(s);
    c->x1 = c->mixed + out * d;
    c->u = c->x1 + out * d;
    c->log_sum = c->u + out * wide_of(s);
    c->mean1 = c->log_sum + out * s->heads;
    c->rstd1 = c->mean1 + in;
    c->mean2 = c->rstd1 + in;
    c->rstd2 = c->mean2 + out;
}

int64_t rmil_block_attention_scratch(const RmilBlockShape *s) {
    return MAX(rmil_self_attention_scratch(s->length, s->length), rmil_first_attention_scratch(s->length, s->width));
}

gboolean rmil_block_scratch_take(const RmilBlockShape *s, RmilArena *arena, RmilBlockScratch *scratch, GError **error) {
    const int64_t in = rows_in(s), d = s->width;
    gboolean all = TRUE;
    for (int i = 0; i < 3; i++) all = all && (scratch->narrow[i] = rmil_arena_floats(arena, in * d, error));
    for (int i = 0; i < 2; i++) all = all && (scratch->wide[i] = rmil_arena_floats(arena, in * wide_of(s), error));
    all = all && (scratch->projected = rmil_arena_floats(arena, in * 3 * d, error));
    return all && (scratch->attention = rmil_arena_floats(arena, rmil_block_attention_scratch(s), error));
}

/* For one whole sequence: q, k and v are side by side in `projected`. */
static RmilSelfAttention attention_of(const RmilBlockShape *s, const float *projected, int64_t sequence) {
    const int64_t d = s->width;
    const float *q = projected + sequence * s->length * 3 * d;
    return (RmilSelfAttention){.queries = s->length,
                               .keys = s->length,
                               .width = d,
                               .heads = s->heads,
                               .q = q,
                               .k = q + d,
                               .v = q + 2 * d,
                               .ldq = 3 * d,
                               .ldk = 3 * d};
}

/* For all first tokens; h = LayerNorm₁(x). */
static RmilFirstAttention first_attention(const RmilStep *step, int first, const RmilBlockShape *s, const float *h) {
    return (RmilFirstAttention){.sequences = s->sequences,
                                .length = s->length,
                                .width = s->width,
                                .heads = s->heads,
                                .w = rmil_step_parameter(step, first + IN_W),
                                .b = rmil_step_parameter(step, first + IN_B),
                                .h = h};
}

/* -- forward ------------------------------------------------------------------------------------------------------------ */
/* y = x + b, x with `stride` floats from row to row. */
RMIL_CLONES static void residual(const float *x, int64_t stride, int64_t rows, int64_t n, const float *b, float *y) {
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++) y[r * n + i] = x[r * stride + i] + b[i];
    }
}

/* c->mixed, of the needed rows, from h = LayerNorm₁(x). */
static gboolean attend(const RmilStep *step, int first, const RmilBlockShape *s, const float *h, RmilBlockCache *c, float *scratch,
                       GError **error) {
    const int64_t d = s->width, rows = rows_in(s);
    if (s->first_only) {
        const RmilFirstAttention attention = first_attention(step, first, s, h);
        rmil_first_attention_forward(&attention, c->mixed, c->projected);
        return TRUE;
    }
    if (!rmil_gemm(FALSE, TRUE, rows, 3 * d, d, 1, h, d, rmil_step_parameter(step, first + IN_W), d, 0, c->projected, 3 * d, error))
        return FALSE;
    rmil_rows_add(c->projected, rows, 3 * d, rmil_step_parameter(step, first + IN_B));
    for (int64_t i = 0; i < s->sequences; i++) {
        const RmilSelfAttention attention = attention_of(s, c->projected, i);
        if (!rmil_self_attention_forward(&attention, c->mixed + i * s->length * d, c->log_sum + i * s->length * s->heads, scratch, error))
            return FALSE;
    }
    return TRUE;
}

gboolean rmil_block_forward(const RmilStep *step, int first, const RmilBlockShape *s, RmilBlockCache *c, RmilBlockScratch *scratch,
                            float *y, GError **error) {
    const int64_t d = s->width, rows = rows_in(s), m = rows_out(s), wide = wide_of(s);
    const float *p[RMIL_BLOCK_TENSORS];
    float *h = scratch->narrow[0], *g = scratch->wide[0];
    for (int i = 0; i < RMIL_BLOCK_TENSORS; i++) p[i] = rmil_step_parameter(step, first + i);

    rmil_layernorm_forward(c->x, d, rows, d, p[NORM1_W], p[NORM1_B], h, c->mean1, c->rstd1);
    if (!attend(step, first, s, h, c, scratch->attention, error)) return FALSE;
    residual(c->x, stride_of(s), m, d, p[OUT_B], c->x1);
    if (!rmil_gemm(FALSE, TRUE, m, d, d, 1, c->mixed, d, p[OUT_W], d, 1, c->x1, d, error)) return FALSE;

    rmil_layernorm_forward(c->x1, d, m, d, p[NORM2_W], p[NORM2_B], h, c->mean2, c->rstd2);
    if (!rmil_gemm(FALSE, TRUE, m, 4 * d, d, 1, h, d, p[FC1_W], d, 0, c->u, wide, error)) return FALSE;
    rmil_gelu(c->u, wide, m, 4 * d, p[FC1_B], g);
    residual(c->x1, d, m, d, p[FC2_B], y);
    return rmil_gemm(FALSE, TRUE, m, d, 4 * d, 1, g, wide, p[FC2_W], 4 * d, 1, y, d, error);
}

/* -- backward ----------------------------------------------------------------------------------------------------------- */
/* d (rows × n, ld floats from row to row, as slope) ∘= slope, and its column sums are added to db. */
RMIL_CLONES static void times_slope(float *d, const float *slope, int64_t ld, int64_t rows, int64_t n, float *db) {
    for (int64_t r = 0; r < rows; r++) {
        float *row = d + r * ld;
        const float *by = slope + r * ld;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float v = row[i] * by[i];
            row[i] = v;
            db[i] += v;
        }
    }
}

/* The MLP's half: from dy to dx1 (both rows of y × width). */
static gboolean backward_mlp(const RmilStep *step, int first, const RmilBlockShape *s, RmilBlockCache *c, RmilBlockScratch *scratch,
                             const float *dy, float *dx1, GError **error) {
    const int64_t d = s->width, m = rows_out(s), wide = wide_of(s);
    float *g = scratch->wide[0], *du = scratch->wide[1], *h = scratch->narrow[0], *dh = scratch->narrow[1];
    const float *fc1 = rmil_step_parameter(step, first + FC1_W), *fc2 = rmil_step_parameter(step, first + FC2_W);
    const float *norm = rmil_step_parameter(step, first + NORM2_W);
    rmil_gelu_slope(c->u, wide, m, 4 * d, g); /* u becomes GELU'(u) */
    rmil_rows_sum(dy, m, d, rmil_step_gradient(step, first + FC2_B));
    if (!rmil_gemm(TRUE, FALSE, d, 4 * d, m, 1, dy, d, g, wide, 1, rmil_step_gradient(step, first + FC2_W), 4 * d, error) ||
        !rmil_gemm(FALSE, FALSE, m, 4 * d, d, 1, dy, d, fc2, 4 * d, 0, du, wide, error))
        return FALSE;
    times_slope(du, c->u, wide, m, 4 * d, rmil_step_gradient(step, first + FC1_B));
    rmil_layernorm_again(c->x1, d, m, d, norm, rmil_step_parameter(step, first + NORM2_B), c->mean2, c->rstd2, h);
    if (!rmil_gemm(TRUE, FALSE, 4 * d, d, m, 1, du, wide, h, d, 1, rmil_step_gradient(step, first + FC1_W), d, error) ||
        !rmil_gemm(FALSE, FALSE, m, d, 4 * d, 1, du, wide, fc1, d, 0, dh, d, error))
        return FALSE;
    memcpy(dx1, dy, (size_t)(m * d) * sizeof(float));
    rmil_layernorm_backward(c->x1, d, m, d, norm, c->mean2, c->rstd2, dh, dx1, d, rmil_step_gradient(step, first + NORM2_W),
                            rmil_step_gradient(step, first + NORM2_B));
    return TRUE;
}

/* From dmixed, of the needed rows, to dh = ∂L/∂LayerNorm₁(x) of all rows, in `dh`; adds in_proj's gradients. h: LayerNorm₁(x). dh may be
 * dmixed: it is written after dmixed has been read. */
static gboolean attend_backward(const RmilStep *step, int first, const RmilBlockShape *s, const RmilBlockCache *c,
                                RmilBlockScratch *scratch, const float *h, const float *dmixed, float *dh, GError **error) {
    const int64_t d = s->width, rows = rows_in(s);
    float *dw = rmil_step_gradient(step, first + IN_W), *db = rmil_step_gradient(step, first + IN_B);
    float *dprojected = scratch->projected;
    for (int64_t i = 0; i < s->sequences; i++) {
        const int64_t row = i * s->length;
        const RmilSelfAttention attention = attention_of(s, c->projected, i);
        float *dq = dprojected + row * 3 * d;
        if (!rmil_self_attention_backward(&attention, c->mixed + row * d, c->log_sum + row * s->heads, dmixed + row * d, dq, dq + d,
                                          dq + 2 * d, scratch->attention, error))
            return FALSE;
    }
    rmil_rows_sum(dprojected, rows, 3 * d, db);
    return rmil_gemm(TRUE, FALSE, 3 * d, d, rows, 1, dprojected, 3 * d, h, d, 1, dw, d, error) &&
           rmil_gemm(FALSE, FALSE, rows, d, 3 * d, 1, dprojected, 3 * d, rmil_step_parameter(step, first + IN_W), d, 0, dh, d, error);
}

gboolean rmil_block_backward(const RmilStep *step, int first, const RmilBlockShape *s, RmilBlockCache *c, RmilBlockScratch *scratch,
                             const float *dy, float *dx, GError **error) {
    const int64_t d = s->width, rows = rows_in(s), m = rows_out(s), stride = stride_of(s);
    const float *norm = rmil_step_parameter(step, first + NORM1_W);
    float *dx1 = scratch->narrow[2], *dmixed = scratch->narrow[1], *h = scratch->narrow[0];
    float *dh = s->first_only ? scratch->projected : dmixed;
    if (!backward_mlp(step, first, s, c, scratch, dy, dx1, error)) return FALSE;
    rmil_rows_sum(dx1, m, d, rmil_step_gradient(step, first + OUT_B));
    if (!rmil_gemm(TRUE, FALSE, d, d, m, 1, dx1, d, c->mixed, d, 1, rmil_step_gradient(step, first + OUT_W), d, error) ||
        !rmil_gemm(FALSE, FALSE, m, d, d, 1, dx1, d, rmil_step_parameter(step, first + OUT_W), d, 0, dmixed, d, error))
        return FALSE;
    rmil_layernorm_again(c->x, d, rows, d, norm, rmil_step_parameter(step, first + NORM1_B), c->mean1, c->rstd1, h);
    if (s->first_only) {
        const RmilFirstAttention attention = first_attention(step, first, s, h);
        rmil_first_attention_backward(&attention, c->projected, dmixed, dh, rmil_step_gradient(step, first + IN_W),
                                      rmil_step_gradient(step, first + IN_B), scratch->attention);
        memset(dx, 0, (size_t)(rows * d) * sizeof(float));
    } else if (!attend_backward(step, first, s, c, scratch, h, dmixed, dh, error)) {
        return FALSE;
    }
    for (int64_t r = 0; r < m; r++) memcpy(dx + r * stride, dx1 + r * d, (size_t)d * sizeof(float));
    rmil_layernorm_backward(c->x, d, rows, d, norm, c->mean1, c->rstd1, dh, dx, d, rmil_step_gradient(step, first + NORM1_W),
                            rmil_step_gradient(step, first + NORM1_B));
    return TRUE;
}

/* -- ONNX ----------------------------------------------------------------------------------------------------------------- */
/* x · weightᵀ + bias over the last axis of any number of axes. */
static const char *onnx_linear(RmilOnnx *o, const char *x, const char *weight, const char *bias) {
    const char *product = rmil_onnx_node(o, "MatMul", x, rmil_onnx_node(o, "Transpose", weight, NULL), NULL);
    return rmil_onnx_node(o, "Add", product, bias, NULL);
}

static const char *onnx_first(RmilOnnx *o, const char *x) {
    const char *one = RMIL_ONNX_WHOLES(o, 1);
    return rmil_onnx_node(o, "Slice", x, RMIL_ONNX_WHOLES(o, 0), one, one, NULL);
}

/* sequences × length × width -> sequences × heads × length × width / heads; for keys, with the last two axes swapped. */
static const char *onnx_heads(RmilOnnx *o, const char *x, int64_t width, int64_t heads, gboolean keys) {
    const int64_t as_they_are[] = {0, 2, 1, 3}, exchanged[] = {0, 2, 3, 1};
    x = rmil_onnx_node(o, "Reshape", x, RMIL_ONNX_WHOLES(o, 0, 0, heads, width / heads), NULL);
    const char *y = rmil_onnx_node(o, "Transpose", x, NULL);
    rmil_onnx_ints(o, "perm", 4, keys ? as_they_are : exchanged);
    return y;
}

static void onnx_thirds(RmilOnnx *o, const char *x, const char *thirds[3]) {
    thirds[0] = rmil_onnx_node(o, "Split", x, NULL);
    thirds[1] = rmil_onnx_another_output(o);
    thirds[2] = rmil_onnx_another_output(o);
    rmil_onnx_int(o, "axis", 0);
}

/* Keys are rows and queries columns: softmax(K Qᵀ) over the rows, then Vᵀ times it. OpenVINO (2026.4) fuses the usual order into an
 * operator that is wrong once sequences are longer than those of its first call. */
static const char *onnx_attention(RmilOnnx *o, const char *prefix, const char *h, const char *asking, int64_t width, int64_t heads) {
    const int64_t back[] = {0, 3, 1, 2};
    const char *weights[3], *biases[3], *part[3];
    onnx_thirds(o, rmil_onnx_parameter(o, "%s.attn.in_proj_weight", prefix), weights);
    onnx_thirds(o, rmil_onnx_parameter(o, "%s.attn.in_proj_bias", prefix), biases);
    for (int i = 0; i < 3; i++) part[i] = onnx_heads(o, onnx_linear(o, i == 0 ? asking : h, weights[i], biases[i]), width, heads, i == 1);
    const char *scores = rmil_onnx_node(o, "MatMul", part[1], part[0], NULL);
    const double scale = 1 / sqrt((double)width / (double)heads);
    const char *soft = rmil_onnx_node(o, "Softmax", rmil_onnx_node(o, "Mul", scores, rmil_onnx_number(o, scale), NULL), NULL);
    rmil_onnx_int(o, "axis", -2);
    const char *mixed = rmil_onnx_node(o, "Transpose", rmil_onnx_node(o, "MatMul", part[2], soft, NULL), NULL);
    rmil_onnx_ints(o, "perm", 4, back);
    mixed = rmil_onnx_node(o, "Reshape", mixed, RMIL_ONNX_WHOLES(o, 0, 0, width), NULL);
    return onnx_linear(o, mixed, rmil_onnx_parameter(o, "%s.attn.out_proj.weight", prefix),
                       rmil_onnx_parameter(o, "%s.attn.out_proj.bias", prefix));
}

/* x (1 + erf(x / √2)) / 2 */
static const char *onnx_gelu(RmilOnnx *o, const char *x) {
    const char *erf = rmil_onnx_node(o, "Erf", rmil_onnx_node(o, "Div", x, rmil_onnx_number(o, G_SQRT2), NULL), NULL);
    const char *both = rmil_onnx_node(o, "Mul", x, rmil_onnx_node(o, "Add", erf, rmil_onnx_number(o, 1), NULL), NULL);
    return rmil_onnx_node(o, "Mul", both, rmil_onnx_number(o, 0.5), NULL);
}

const char *rmil_block_onnx(RmilOnnx *o, const char *prefix, const char *x, int64_t width, int64_t heads, gboolean first_only) {
    g_autofree char *norm1 = g_strconcat(prefix, ".norm1", NULL), *norm2 = g_strconcat(prefix, ".norm2", NULL);
    const char *h = rmil_onnx_norm(o, x, norm1);
    const char *mixed = onnx_attention(o, prefix, h, first_only ? onnx_first(o, h) : h, width, heads);
    const char *x1 = rmil_onnx_node(o, "Add", first_only ? onnx_first(o, x) : x, mixed, NULL);
    const char *u = onnx_linear(o, rmil_onnx_norm(o, x1, norm2), rmil_onnx_parameter(o, "%s.mlp.fc1.weight", prefix),
                                rmil_onnx_parameter(o, "%s.mlp.fc1.bias", prefix));
    const char *y = onnx_linear(o, onnx_gelu(o, u), rmil_onnx_parameter(o, "%s.mlp.fc2.weight", prefix),
                                rmil_onnx_parameter(o, "%s.mlp.fc2.bias", prefix));
    return rmil_onnx_node(o, "Add", x1, y, NULL);
}
