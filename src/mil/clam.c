/* CLAM, single and multi branch (docs/models.md, CLAM). The gates are not linear, so the products are those of the layers:
 * h = relu(X W_hᵀ), the gates h [W_a; W_b]ᵀ, both at once, and for the way back their gradients and ∂L/∂h. All else is done
 * on blocks of rows while they are near the processor. Softmax needs no pass of its own on the way back:
 *   ds_k = A_k (h_k·dM − M·dM) with M = Σ A_k h_k, so that every block of patches is finished at once. */
#include "attention.h"
#include "clam-weights.h"
#include "gated.h"
#include "gemm.h"
#include "guide.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum { WH, BH, WA, BA, WB, BB, WF, BF, WC, BC, INSTANCE, BAG = INSTANCE + 4 };

#define ROWS 256

/* What CLAM alone takes. */
typedef struct {
    int64_t k;
    double bag_weight;
} Options;

static const RmilOption options[] = {
    RMIL_HIDDEN(512),
    RMIL_ATTENTION_DIM(256),
    RMIL_DROPOUT,
    {RMIL_WHOLE("clam-k", "clam_k", 8, 1, 65536, "N", "patches of highest and of lowest attention for the instance loss"),
     .offset = offsetof(Options, k), .place = 10, .elsewhere = 8},
    {RMIL_NUMBER("clam-bag-weight", "clam_bag_weight", 0.7, 0, 1, "X", "weight of the slide loss beside the instance loss"),
     .offset = offsetof(Options, bag_weight), .place = 11, .elsewhere = 0.7},
    {0},
};

static int branches(const RmilModelConfig *config) { return rmil_model_class(config->model, NULL)->rows; }

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t n = config->hidden, m = config->attention_dim;
    const int classes = branches(config);
    rmil_parameter_linear(layout, "adaptor.0", n, config->dim, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_a.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_b.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.fc", classes, m, TRUE);
    const int head = rmil_parameter_linear(layout, "classifier", 2, n, TRUE);
    rmil_parameter_linear(layout, "instance_classifiers.0", 2, n, TRUE);
    rmil_parameter_linear(layout, "instance_classifiers.1", 2, n, TRUE);
    if (classes == 1) return;
    for (int i = head; i < head + 2; i++) g_array_index(layout->tensors, RmilParameter, i).unused = TRUE;
    rmil_parameter_linear(layout, "bag_classifiers.0", 1, n, TRUE);
    rmil_parameter_linear(layout, "bag_classifiers.1", 1, n, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    config->attention_dim = shape(user, "attention_net.attention_a.0.weight", 0);
}

/* What forward leaves for backward. C: branches. */
typedef struct {
    int classes;
    int64_t block;       /* rows of X, h and gates at once */
    int64_t ldh, ldu;    /* floats from row to row of h and of gates */
    float *h;            /* K × hidden */
    float *gates;        /* K × 2m: [a | b] */
    float *weights;      /* 2m × hidden: [W_a; W_b], ldh floats from row to row */
    float *s, *soft, *a; /* C × K; soft is a again */
    float *pooled;       /* C × hidden: M */
    float *slope;        /* C × hidden: ∂L/∂M */
    float keep;          /* dropout's factor */
    double dz[2];        /* ∂L/∂z */
    int64_t k;           /* patches with target 1, and as many with target 0 */
    int64_t *chosen;     /* 2k: highest, then lowest */
    float *instance;     /* 2k × 2: ∂L/∂ of the instance logits */
} Work;

static gboolean take(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    w->classes = branches(step->config);
    w->block = rmil_features_block(step->bag->precision, ROWS);
    float *columns = rmil_arena_floats(arena, 3 * w->classes * k, error);
    w->ldh = rmil_row_stride(n), w->ldu = rmil_row_stride(2 * m);
    w->h = rmil_arena_floats(arena, k * w->ldh, error);
    w->gates = rmil_arena_floats(arena, (step->gradient ? k : MIN(k, w->block)) * w->ldu, error);
    w->weights = rmil_arena_floats(arena, 2 * m * w->ldh, error);
    w->pooled = rmil_arena_floats(arena, 2 * w->classes * n, error);
    if (!columns || !w->h || !w->gates || !w->weights || !w->pooled) return FALSE;
    for (int64_t i = 0; i < 2 * m; i++)
        memcpy(w->weights + i * w->ldh, i < m ? rmil_step_parameter(step, WA) + i * n : rmil_step_parameter(step, WB) + (i - m) * n,
               (size_t)n * sizeof(float));
    w->s = columns, w->soft = columns + w->classes * k, w->a = w->soft + w->classes * k;
    w->slope = w->pooled + w->classes * n;
    return TRUE;
}

static void classify(const RmilStep *step, const Work *w, double *logits) {
    const int64_t n = step->config->hidden;
    for (int c = 0; c < 2; c++) {
        const int weight = w->classes == 2 ? BAG + 2 * c : WC, bias = weight + 1;
        const float *head = rmil_step_parameter(step, weight) + (w->classes == 2 ? 0 : c * n);
        const float *pooled = w->pooled + (w->classes == 2 ? c * n : 0);
        logits[c] = rmil_dot(head, pooled, n) + (double)rmil_step_parameter(step, bias)[w->classes == 2 ? 0 : c];
    }
}

static gboolean forward(const RmilStep *step, Work *w, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    double *sum = rmil_arena_take(arena, n, sizeof *sum, error);
    if (!sum || !take(step, w, arena, error)) return FALSE;
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, WH), n, step->config->dim, step->bag->precision, arena, &wt, error)) return FALSE;
    for (int64_t i = 0; i < k; i += w->block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(w->block, k - i));
        float *h = w->h + i * w->ldh, *u = w->gates + (step->gradient ? i * w->ldu : 0);
        if (!rmil_features_forward(&x, &wt, n, h, w->ldh, arena, error)) return FALSE;
        rmil_rows_relu(h, w->ldh, x.rows, n, rmil_step_parameter(step, BH));
        w->keep = rmil_dropout(step, 0, i, x.rows, n, h, w->ldh);
        if (!rmil_gemm(FALSE, TRUE, x.rows, 2 * m, n, 1, h, w->ldh, w->weights, w->ldh, 0, u, w->ldu, error)) return FALSE;
        rmil_gated_forward(u, w->ldu, x.rows, m, rmil_step_parameter(step, BA), rmil_step_parameter(step, BB));
        rmil_dropout(step, 1, i, x.rows, 2 * m, u, w->ldu);
        rmil_gated_scores(u, w->ldu, x.rows, m, rmil_step_parameter(step, WF), rmil_step_parameter(step, BF), w->classes, w->s + i, k);
    }
    for (int c = 0; c < w->classes; c++) {
        RmilAttention attention;
        rmil_attention_forward(w->s + c * k, k, 1, -1, w->soft + c * k, w->a + c * k, &attention);
        memset(sum, 0, (size_t)n * sizeof *sum);
        rmil_rows_pool(w->h, w->ldh, k, n, w->a + c * k, sum);
        for (int64_t i = 0; i < n; i++) w->pooled[c * n + i] = (float)sum[i];
    }
    classify(step, w, outcome->logits);
    if (step->scores) memcpy(step->scores, w->s, (size_t)(w->classes * k) * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)(w->classes * k) * sizeof(float));
    return TRUE;
}

/* -- instance branch ----------------------------------------------------------------------------------------------------- */
/* Highest score first; of equal ones the earlier patch. */
static gint by_score(gconstpointer x, gconstpointer y, gpointer user) {
    const float *scores = user;
    const int64_t i = *(const int64_t *)x, j = *(const int64_t *)y;
    if (scores[i] != scores[j]) return scores[i] > scores[j] ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* Mean cross-entropy of the true class's head over the k patches of highest and the k of lowest attention (chosen by the
 * scores, which softmax keeps in order); 0 for a bag of one patch. */
static gboolean instance_loss(const RmilStep *step, Work *w, RmilArena *arena, double *loss, GError **error) {
    const int64_t count = step->bag->count, n = step->config->hidden;
    const Options *own = rmil_model_own(step->config);
    w->k = MIN(own->k, count / 2);
    *loss = 0;
    if (w->k == 0) return TRUE;
    int64_t *order = rmil_arena_take(arena, count, sizeof *order, error);
    w->chosen = rmil_arena_take(arena, 2 * w->k, sizeof *w->chosen, error);
    w->instance = rmil_arena_floats(arena, 4 * w->k, error);
    if (!order || !w->chosen || !w->instance) return FALSE;
    for (int64_t i = 0; i < count; i++) order[i] = i;
    const float *scores = w->s + (w->classes == 2 ? step->target.label * count : 0);
    g_qsort_with_data(order, (gint)count, sizeof *order, by_score, (gpointer)scores);
    for (int64_t i = 0; i < w->k; i++) w->chosen[i] = order[i], w->chosen[w->k + i] = order[count - 1 - i];
    const float *head = rmil_step_parameter(step, INSTANCE + 2 * step->target.label);
    const float *bias = rmil_step_parameter(step, INSTANCE + 2 * step->target.label + 1);
    const double share = (1 - own->bag_weight) / (double)(2 * w->k);
    for (int64_t i = 0; i < 2 * w->k; i++) {
        double z[2], dz[2];
        for (int c = 0; c < 2; c++) z[c] = rmil_dot(head + c * n, w->h + w->chosen[i] * w->ldh, n) + (double)bias[c];
        *loss += share * rmil_cross_entropy(z, 2, i < w->k, dz);
        for (int c = 0; c < 2; c++) w->instance[2 * i + c] = (float)(share * dz[c]);
    }
    return TRUE;
}

/* Gradients of the true class's head; the others were zeroed. */
static void instance_head(const RmilStep *step, const Work *w) {
    const int64_t n = step->config->hidden;
    float *head = rmil_step_gradient(step, INSTANCE + 2 * step->target.label);
    float *bias = rmil_step_gradient(step, INSTANCE + 2 * step->target.label + 1);
    for (int64_t i = 0; i < 2 * w->k; i++) {
        const float *d = w->instance + 2 * i;
        rmil_outer(d, 2, w->h + w->chosen[i] * w->ldh, n, TRUE, head);
        bias[0] += d[0], bias[1] += d[1];
    }
}

/* dh (block of rows from `first`) += what the chosen patches in it receive from the head. */
static void instance_rows(const RmilStep *step, const Work *w, int64_t first, int64_t rows, float *dh) {
    const int64_t n = step->config->hidden;
    const float *head = rmil_step_parameter(step, INSTANCE + 2 * MAX(step->target.label, 0));
    for (int64_t i = 0; i < 2 * w->k; i++) {
        const int64_t row = w->chosen[i] - first;
        if (row >= 0 && row < rows) rmil_transposed_vector(head, 2, n, w->instance + 2 * i, TRUE, dh + row * w->ldh);
    }
}

/* -- the way back ---------------------------------------------------------------------------------------------------------- */
/* Bag heads: their gradients and ∂L/∂M. */
static void backward_heads(const RmilStep *step, Work *w) {
    const int64_t n = step->config->hidden;
    float dz[2] = {(float)w->dz[0], (float)w->dz[1]};
    if (w->classes == 1) {
        rmil_outer(dz, 2, w->pooled, n, FALSE, rmil_step_gradient(step, WC));
        memcpy(rmil_step_gradient(step, BC), dz, sizeof dz);
        rmil_transposed_vector(rmil_step_parameter(step, WC), 2, n, dz, FALSE, w->slope);
        return;
    }
    for (int c = 0; c < 2; c++) {
        rmil_outer(dz + c, 1, w->pooled + c * n, n, FALSE, rmil_step_gradient(step, BAG + 2 * c));
        rmil_step_gradient(step, BAG + 2 * c + 1)[0] = dz[c];
        rmil_outer(dz + c, 1, rmil_step_parameter(step, BAG + 2 * c), n, FALSE, w->slope + c * n);
    }
}

/* dh becomes dZ = 1[h > 0] ∘ keep (dh + Σ_c A_c dM_c), and its sum is added to db. */
RMIL_CLONES static void back_relu(const float *h, float *dh, int64_t ld, int64_t rows, int64_t n, int classes, const float *a,
                                  int64_t stride, const float *slope, float keep, float *db) {
    const float *slope1 = slope + (classes > 1 ? n : 0);
    for (int64_t k = 0; k < rows; k++) {
        const float *row = h + k * ld, a0 = a[k], a1 = classes > 1 ? a[stride + k] : 0.0f;
        float *d = dh + k * ld;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            float v = keep * (d[i] + a0 * slope[i] + a1 * slope1[i]);
            v = row[i] > 0.0f ? v : 0.0f;
            d[i] = v;
            db[i] += v;
        }
    }
}

static gboolean backward(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    float *dh = rmil_arena_floats(arena, MIN(k, w->block) * w->ldh, error), *ds = w->soft; /* attention stays in w->a */
    float *dweights = rmil_arena_floats(arena, 2 * m * n, error);
    if (!dh || !dweights) return FALSE;
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    backward_heads(step, w);
    instance_head(step, w);
    double base[2];
    for (int c = 0; c < w->classes; c++) base[c] = rmil_dot(w->pooled + c * n, w->slope + c * n, n);
    for (int64_t i = 0; i < k; i += w->block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(w->block, k - i));
        const float *h = w->h + i * w->ldh, more = i > 0;
        float *u = w->gates + i * w->ldu, *dbf = rmil_step_gradient(step, BF);
        for (int c = 0; c < w->classes; c++) {
            const float *a = w->a + c * k + i;
            float *d = ds + c * k + i;
            double sum = 0;
            rmil_rows_dot(h, w->ldh, x.rows, n, w->slope + c * n, (float)-base[c], d);
            for (int64_t j = 0; j < x.rows; j++) sum += (double)(d[j] *= a[j]);
            dbf[c] += (float)sum;
        }
        rmil_gated_backward(u, w->ldu, x.rows, m, rmil_step_parameter(step, WF), w->classes, ds + i, k, w->keep,
                            rmil_step_gradient(step, WF), rmil_step_gradient(step, BA), rmil_step_gradient(step, BB));
        if (!rmil_gemm(TRUE, FALSE, 2 * m, n, x.rows, 1, u, w->ldu, h, w->ldh, more, dweights, n, error) ||
            !rmil_gemm(FALSE, FALSE, x.rows, n, 2 * m, 1, u, w->ldu, w->weights, w->ldh, 0, dh, w->ldh, error))
            return FALSE;
        instance_rows(step, w, i, x.rows, dh);
        back_relu(h, dh, w->ldh, x.rows, n, w->classes, w->a + i, k, w->slope, w->keep, rmil_step_gradient(step, BH));
        if (!rmil_features_backward(&x, dh, w->ldh, n, i > 0, rmil_step_gradient(step, WH), arena, error)) return FALSE;
    }
    memcpy(rmil_step_gradient(step, WA), dweights, (size_t)(m * n) * sizeof(float));
    memcpy(rmil_step_gradient(step, WB), dweights + m * n, (size_t)(m * n) * sizeof(float));
    return TRUE;
}

static gboolean step(const RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    Work w = {.k = 0};
    if (!forward(step, &w, arena, outcome, error)) return FALSE;
    if (step->target.label < 0) return TRUE;
    outcome->slide_loss = outcome->loss = rmil_cross_entropy(outcome->logits, 2, step->target.label, w.dz);
    if (step->train) { /* at prediction the slide's loss alone counts */
        const double weight = ((const Options *)rmil_model_own(step->config))->bag_weight;
        if (!instance_loss(step, &w, arena, &outcome->guide_loss, error)) return FALSE;
        outcome->loss = weight * outcome->slide_loss + outcome->guide_loss;
        w.dz[0] *= weight, w.dz[1] *= weight;
    }
    return !step->gradient || backward(step, &w, arena, error);
}

/* Row `index` of x (rows × n), as a row. */
static const char *onnx_row_of(RmilOnnx *o, const char *x, int64_t index) {
    const char *row = rmil_onnx_node(o, "Gather", x, RMIL_ONNX_WHOLES(o, index), NULL);
    rmil_onnx_int(o, "axis", 0);
    return row;
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const int classes = branches(config);
    const char *h = rmil_onnx_hidden(o), *gates[2];
    for (int i = 0; i < 2; i++) {
        const char *weight = rmil_onnx_parameter(o, "attention_net.attention_%c.0.weight", 'a' + i);
        const char *bias = rmil_onnx_parameter(o, "attention_net.attention_%c.0.bias", 'a' + i);
        gates[i] = rmil_onnx_node(o, i ? "Sigmoid" : "Tanh", rmil_onnx_linear(o, h, weight, bias), NULL);
    }
    const char *gated = rmil_onnx_node(o, "Mul", gates[0], gates[1], NULL);
    const char *s = rmil_onnx_linear(o, gated, rmil_onnx_parameter(o, "attention_net.fc.weight"),
                                     rmil_onnx_parameter(o, "attention_net.fc.bias"));
    s = rmil_onnx_node(o, "Transpose", s, NULL);
    const char *a = rmil_onnx_node(o, "Softmax", s, NULL);
    rmil_onnx_int(o, "axis", 1);
    const char *pooled = rmil_onnx_node(o, "MatMul", a, h, NULL), *z[2];
    const char *both = classes == 2 ? NULL
                                    : rmil_onnx_linear(o, pooled, rmil_onnx_parameter(o, "classifier.weight"),
                                                       rmil_onnx_parameter(o, "classifier.bias"));
    for (int i = 0; i < 2; i++)
        z[i] = both ? onnx_row_of(o, rmil_onnx_flat(o, both), i)
                    : rmil_onnx_flat(o,
                                     rmil_onnx_linear(o, onnx_row_of(o, pooled, i), rmil_onnx_parameter(o, "bag_classifiers.%d.weight", i),
                                                      rmil_onnx_parameter(o, "bag_classifiers.%d.bias", i)));
    rmil_onnx_outputs(o, rmil_onnx_node(o, "Sub", z[1], z[0], NULL), rmil_onnx_flat(o, onnx_row_of(o, s, classes - 1)),
                      rmil_onnx_flat(o, onnx_row_of(o, a, classes - 1)));
}

static const RmilTrainMethod single_methods[] = {{.name = "clam-sb", .title = "CLAM-SB", .style = {"#56b4e9", "(2,3)", 4}}, {0}};
static const RmilTrainMethod multi_methods[] = {{.name = "clam-mb", .title = "CLAM-MB", .style = {"#e69f00", "(14,3,2,3,2,3)", 6}}, {0}};

#define CLASS(text, its_methods, branch_rows)                                                                                              \
    {                                                                                                                                      \
        .name = text, .methods = its_methods, .logits = 2, .rows = branch_rows, .first = "adaptor.0.weight", .foreign = &rmil_clam_names,  \
        .options = options, .layout = layout, .infer = infer, .step = step, .onnx = onnx,                                                  \
    }
static const RmilModelClass single = CLASS("clam-sb", single_methods, 1), multi = CLASS("clam-mb", multi_methods, 2);
RMIL_MODEL_FILE(clam, &single, &multi);
