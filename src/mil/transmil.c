/* SPDX-License-Identifier: Apache-2.0 */
/* TransMIL (Shao et al., NeurIPS 2021; docs/models.md, TransMIL), with the names of the authors' code: patches in their order on a square
 * grid, padded at the end with the first patches; a class token before them; two layers of Nyström attention with the position encoding
 * between them; the class token's final value is the slide's. The second layer computes only that token. */
#include "guide.h"
#include "layernorm.h"
#include "nystrom.h"
#include "onnx.h"
#include "ppeg.h"
#include "transmil.h"
#include "rows.h"
#include "gemm.h"

#include <math.h>
#include <string.h>

enum { W1, B1, TOKEN, LAYER1 };
enum { NORM_W, NORM_B, QKV, OUT_W, OUT_B, TAPS, LAYER_TENSORS };
enum { POSITIONS = LAYER1 + LAYER_TENSORS, LAYER2 = POSITIONS + RMIL_PPEG_TENSORS, LAST_W = LAYER2 + LAYER_TENSORS, LAST_B, WC, BC };

#define ROWS 512

typedef struct {
    int64_t heads, landmarks; /* landmarks 0: half of the hidden layer's width */
} Options;

static const RmilOption options[] = {
    RMIL_HIDDEN(512),
    RMIL_DROPOUT,
    {RMIL_WHOLE("transmil-heads", "transmil_heads", 8, 1, 64, "N", "heads of a layer; must divide the width of the hidden layer"),
     .offset = offsetof(Options, heads)},
    {RMIL_WHOLE("landmarks", "landmarks", 0, 0, 4096, "N", "landmarks of the attention; 0: half of the hidden layer's width"),
     .offset = offsetof(Options, landmarks), .untold = TRUE},
    {0},
};

static int64_t landmarks_of(const RmilModelConfig *config) {
    const Options *own = rmil_model_own(config);
    return own->landmarks ? own->landmarks : MAX(config->hidden / 2, 1);
}

static gboolean check(const RmilModelConfig *config, GError **error) {
    const Options *own = rmil_model_own(config);
    return config->hidden % own->heads == 0 ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "model transmil: the hidden size %" G_GINT64_FORMAT " is not a multiple of the %" G_GINT64_FORMAT " heads",
                     config->hidden, own->heads);
}

static void layer_layout(const RmilModelConfig *config, RmilParameterLayout *layout, const char *name) {
    const int64_t d = config->hidden, heads = ((const Options *)rmil_model_own(config))->heads;
    g_autofree char *qkv = g_strconcat(name, ".attn.to_qkv", NULL), *out = g_strconcat(name, ".attn.to_out.0", NULL),
                    *taps = g_strconcat(name, ".attn.res_conv.weight", NULL);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "%s.norm.weight", name);
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "%s.norm.bias", name);
    rmil_parameter_linear(layout, qkv, 3 * d, d, FALSE);
    rmil_parameter_linear(layout, out, d, d, TRUE);
    rmil_parameter_add_shape(layout, RMIL_INIT_UNIFORM, 1 / sqrt(RMIL_NYSTROM_TAPS), 4, (const int64_t[]){heads, 1, RMIL_NYSTROM_TAPS, 1},
                             taps);
}

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t d = config->hidden;
    rmil_parameter_linear(layout, "_fc1.0", d, config->dim, TRUE);
    rmil_parameter_add(layout, RMIL_INIT_NORMAL, 1, 3, 1, 1, d, "cls_token");
    layer_layout(config, layout, "layer1");
    rmil_ppeg_layout(layout, "pos_layer", d);
    layer_layout(config, layout, "layer2");
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "norm.weight");
    rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "norm.bias");
    rmil_parameter_linear(layout, "_fc2", rmil_model_outputs(config), d, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    Options *own = rmil_model_own(config);
    config->hidden = shape(user, "_fc1.0.weight", 0);
    config->dim = shape(user, "_fc1.0.weight", 1);
    own->heads = shape(user, "layer1.attn.res_conv.weight", 0);
    if (own->heads < 1) own->heads = 0; /* a size that the check rejects */
    rmil_model_infer_outputs(config, shape(user, "_fc2.weight", 0));
}

/* -- forward ------------------------------------------------------------------------------------------------------------------ */

typedef struct {
    RmilNystromShape shape;
    RmilNystrom attention;
    float *x, *mean, *rstd; /* tokens before the norm: length × d; length */
    float *y;               /* asked × d */
} Layer;

typedef struct {
    int64_t side, tokens; /* of the grid; side² + 1 */
    Layer layers[2];
    float *last, mean, rstd; /* d: the class token after the norm */
    float *scores, *shares;  /* K, if requested */
} Work;

static gboolean take_layer(const RmilStep *step, Work *w, int which, RmilArena *arena, GError **error) {
    const int64_t d = step->config->hidden;
    Layer *layer = &w->layers[which];
    layer->shape = (RmilNystromShape){.length = w->tokens,
                                      .width = d,
                                      .heads = ((const Options *)rmil_model_own(step->config))->heads,
                                      .landmarks = landmarks_of(step->config),
                                      .asked = which ? 1 : w->tokens};
    layer->x = rmil_arena_floats(arena, w->tokens * (d + 2), error);
    layer->y = rmil_arena_floats(arena, layer->shape.asked * d, error);
    if (!layer->x || !layer->y) return FALSE;
    layer->mean = layer->x + w->tokens * d, layer->rstd = layer->mean + w->tokens;
    return rmil_nystrom_take(&layer->shape, &layer->attention, arena, error);
}

/* y = x + dropout(attention(norm(x)) W_outᵀ + b_out), for the requested tokens. h: tokens × d of scratch. */
static gboolean forward_layer(const RmilStep *step, Layer *l, int first, int site, float *h, RmilArena *arena, GError **error) {
    const int64_t d = l->shape.width, n = l->shape.length, asked = l->shape.asked;
    rmil_layernorm_forward(l->x, d, n, d, rmil_step_parameter(step, first + NORM_W), rmil_step_parameter(step, first + NORM_B), h, l->mean,
                           l->rstd);
    if (!rmil_gemm(FALSE, TRUE, n, 3 * d, d, 1, h, d, rmil_step_parameter(step, first + QKV), d, 0,
                   rmil_nystrom_rows(&l->shape, &l->attention), 3 * d, error) ||
        !rmil_nystrom_forward(&l->shape, &l->attention, rmil_step_parameter(step, first + TAPS), arena, error) ||
        !rmil_gemm(FALSE, TRUE, asked, d, d, 1, l->attention.out, d, rmil_step_parameter(step, first + OUT_W), d, 0, l->y, d, error))
        return FALSE;
    rmil_rows_add(l->y, asked, d, rmil_step_parameter(step, first + OUT_B));
    rmil_dropout(step, site, 0, asked, d, l->y, d);
    for (int64_t i = 0; i < asked * d; i++) l->y[i] += l->x[i];
    return TRUE;
}

/* relu(X W1ᵀ + b1) after the class token, and the first patches again after the last. */
static gboolean fill_tokens(const RmilStep *step, const Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->hidden, block = rmil_features_block(step->bag->precision, ROWS);
    float *tokens = w->layers[0].x, *patches = tokens + d;
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, W1), d, step->config->dim, step->bag->precision, arena, &wt, error)) return FALSE;
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        if (!rmil_features_forward(&x, &wt, d, patches + i * d, d, arena, error)) return FALSE;
        rmil_rows_relu(patches + i * d, d, x.rows, d, rmil_step_parameter(step, B1));
    }
    memcpy(tokens, rmil_step_parameter(step, TOKEN), (size_t)d * sizeof(float));
    memcpy(patches + k * d, patches, (size_t)((w->side * w->side - k) * d) * sizeof(float));
    return TRUE;
}

/* The class token's attention to each patch in the second layer (both copies of a patch that occurs twice are added); shares: its positive
 * part. */
static gboolean look(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count;
    float *row = rmil_arena_floats(arena, w->tokens, error), *columns = rmil_arena_floats(arena, 2 * k, error);
    if (!row || !columns || !rmil_nystrom_first_row(&w->layers[1].shape, &w->layers[1].attention, arena, row, error)) return FALSE;
    w->scores = columns, w->shares = columns + k;
    double total = 0;
    for (int64_t i = 0; i < k; i++) w->scores[i] = row[1 + i] + (1 + k + i < w->tokens ? row[1 + k + i] : 0);
    for (int64_t i = 0; i < k; i++) total += (double)MAX(w->scores[i], 0);
    for (int64_t i = 0; i < k; i++) w->shares[i] = total > 0 ? (float)((double)MAX(w->scores[i], 0) / total) : 1 / (float)k;
    if (step->scores) memcpy(step->scores, w->scores, (size_t)k * sizeof(float));
    if (step->attention) memcpy(step->attention, w->shares, (size_t)k * sizeof(float));
    return TRUE;
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    Work *w = work;
    const int64_t k = step->bag->count, d = step->config->hidden;
    for (w->side = (int64_t)sqrt((double)k); w->side * w->side < k;) w->side++;
    w->tokens = w->side * w->side + 1;
    float *h = rmil_arena_floats(arena, w->tokens * d, error);
    w->last = rmil_arena_floats(arena, d, error);
    if (!h || !w->last || !take_layer(step, w, 0, arena, error) || !take_layer(step, w, 1, arena, error) ||
        !fill_tokens(step, w, arena, error) || !forward_layer(step, &w->layers[0], LAYER1, 0, h, arena, error))
        return FALSE;
    const Layer *one = &w->layers[0], *two = &w->layers[1];
    memcpy(two->x, one->y, (size_t)d * sizeof(float));
    if (!rmil_ppeg_forward(step, POSITIONS, one->y + d, w->side, d, two->x + d, arena, error) ||
        !forward_layer(step, &w->layers[1], LAYER2, 1, h, arena, error))
        return FALSE;
    rmil_layernorm_forward(two->y, d, 1, d, rmil_step_parameter(step, LAST_W), rmil_step_parameter(step, LAST_B), w->last, &w->mean,
                           &w->rstd);
    const float *wc = rmil_step_parameter(step, WC), *bc = rmil_step_parameter(step, BC);
    for (int c = 0; c < rmil_model_outputs(step->config); c++) outcome->logits[c] = rmil_dot(wc + c * d, w->last, d) + (double)bc[c];
    return (!step->scores && !step->attention) || look(step, w, arena, error);
}

/* -- backward pass ------------------------------------------------------------------------------------------------------------- */

/* From dy (asked × d, overwritten) to dx (length × d, overwritten). */
static gboolean backward_layer(const RmilStep *step, Layer *l, int first, int site, float *dy, float *dx, RmilArena *arena,
                               GError **error) {
    const int64_t d = l->shape.width, n = l->shape.length, asked = l->shape.asked, padded = l->shape.landmarks * l->attention.group;
    float *h = rmil_arena_floats(arena, 2 * n * d, error), *dh = h + n * d, *dout = rmil_arena_floats(arena, asked * d, error);
    float *dprojected = rmil_arena_floats(arena, padded * 3 * d, error);
    if (!h || !dout || !dprojected) return FALSE;
    memset(dx, 0, (size_t)(n * d) * sizeof(float));
    memcpy(dx, dy, (size_t)(asked * d) * sizeof(float));
    rmil_dropout(step, site, 0, asked, d, dy, d); /* the same entries as in the forward pass */
    rmil_rows_sum(dy, asked, d, rmil_step_gradient(step, first + OUT_B));
    const float *norm = rmil_step_parameter(step, first + NORM_W);
    if (!rmil_gemm(TRUE, FALSE, d, d, asked, 1, dy, d, l->attention.out, d, 0, rmil_step_gradient(step, first + OUT_W), d, error) ||
        !rmil_gemm(FALSE, FALSE, asked, d, d, 1, dy, d, rmil_step_parameter(step, first + OUT_W), d, 0, dout, d, error) ||
        !rmil_nystrom_backward(&l->shape, &l->attention, rmil_step_parameter(step, first + TAPS), dout, dprojected,
                               rmil_step_gradient(step, first + TAPS), arena, error))
        return FALSE;
    rmil_layernorm_again(l->x, d, n, d, norm, rmil_step_parameter(step, first + NORM_B), l->mean, l->rstd, h);
    const float *drows = dprojected + (padded - n) * 3 * d;
    if (!rmil_gemm(TRUE, FALSE, 3 * d, d, n, 1, drows, 3 * d, h, d, 0, rmil_step_gradient(step, first + QKV), d, error) ||
        !rmil_gemm(FALSE, FALSE, n, d, 3 * d, 1, drows, 3 * d, rmil_step_parameter(step, first + QKV), d, 0, dh, d, error))
        return FALSE;
    rmil_layernorm_backward(l->x, d, n, d, norm, l->mean, l->rstd, dh, dx, d, rmil_step_gradient(step, first + NORM_W),
                            rmil_step_gradient(step, first + NORM_B));
    return TRUE;
}

/* From the tokens' slopes to the first layer's; for a patch that occurs twice, both are added. */
static gboolean backward_tokens(const RmilStep *step, const Work *w, float *dx, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->hidden;
    const float *patches = w->layers[0].x + d;
    float *slopes = dx + d;
    memcpy(rmil_step_gradient(step, TOKEN), dx, (size_t)d * sizeof(float));
    for (int64_t i = 0; i < (w->side * w->side - k) * d; i++) slopes[i] += slopes[k * d + i];
    for (int64_t i = 0; i < k * d; i++) slopes[i] = patches[i] > 0 ? slopes[i] : 0;
    rmil_rows_sum(slopes, k, d, rmil_step_gradient(step, B1));
    for (int64_t i = 0; i < k; i += ROWS) {
        const RmilFeatures x = rmil_features_of(step->bag, i, MIN(ROWS, k - i));
        if (!rmil_features_backward(&x, slopes + i * d, d, d, i > 0, rmil_step_gradient(step, W1), arena, error)) return FALSE;
    }
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *unused, float *unused2, RmilArena *arena,
                         GError **error) {
    Work *w = work;
    const int64_t d = step->config->hidden;
    const int outputs = rmil_model_outputs(step->config);
    float dz[RMIL_OUTPUTS_MOST];
    float *narrow = rmil_arena_floats(arena, 2 * d, error), *dlast = narrow, *dy = narrow + d;
    float *wide = rmil_arena_floats(arena, 2 * w->tokens * d, error), *dtokens = wide, *dx = wide + w->tokens * d;
    if (!narrow || !wide) return FALSE;
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    for (int c = 0; c < outputs; c++) dz[c] = (float)slope[c];
    rmil_outer(dz, outputs, w->last, d, FALSE, rmil_step_gradient(step, WC));
    memcpy(rmil_step_gradient(step, BC), dz, (size_t)outputs * sizeof *dz);
    rmil_transposed_vector(rmil_step_parameter(step, WC), outputs, d, dz, FALSE, dlast);
    memset(dy, 0, (size_t)d * sizeof(float));
    rmil_layernorm_backward(w->layers[1].y, d, 1, d, rmil_step_parameter(step, LAST_W), &w->mean, &w->rstd, dlast, dy, d,
                            rmil_step_gradient(step, LAST_W), rmil_step_gradient(step, LAST_B));
    if (!backward_layer(step, &w->layers[1], LAYER2, 1, dy, dtokens, arena, error)) return FALSE;
    memcpy(dx, dtokens, (size_t)d * sizeof(float)); /* the class token bypasses the grid */
    if (!rmil_ppeg_backward(step, POSITIONS, w->layers[0].y + d, w->side, d, dtokens + d, dx + d, arena, error) ||
        !backward_layer(step, &w->layers[0], LAYER1, 0, dx, dtokens, arena, error))
        return FALSE;
    return backward_tokens(step, w, dtokens, arena, error);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    rmil_transmil_onnx(config, ((const Options *)rmil_model_own(config))->heads, landmarks_of(config), o);
}

static const RmilTrainMethod methods[] = {{.name = "transmil", .title = "TransMIL", .style = {"#7570b3", "(3,2,9,2)", 8}}, {0}};

static const RmilModelClass class = {
    .name = "transmil",
    .source = "transformer for correlated multiple-instance learning, Shao et al. 2021",
    .methods = methods,
    .first = "_fc1.0.weight",
    .logits = 2,
    .tasks = RMIL_TAKES_ALL,
    .options = options,
    .check = check,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(transmil, &class);
