/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM, single and multi branch (docs/models.md, CLAM). The gates are not linear, so the products are those of the layers:
 * h = relu(X W_hᵀ), the gates h [W_a; W_b]ᵀ, both at once, and for the way back their gradients and ∂L/∂h. All else is done
 * on blocks of rows while they are near the processor. Softmax needs no pass of its own on the way back:
 *   ds_k = A_k (h_k·dM − M·dM) with M = Σ A_k h_k, so that every block of patches is finished at once. */
#include "attention.h"
#include "clam-weights.h"
#include "gated.h"
#include "gemm.h"
#include "guide.h"
#include "instances.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum { WH, BH, WA, BA, WB, BB, WF, BF, WC, BC, INSTANCE };

#define ROWS 256

/* What CLAM alone takes. */
typedef struct {
    int64_t k;
    double bag_weight;
    int subtyping;
} Options;

static const char *const switches[] = {"off", "on", NULL};

static const RmilOption options[] = {
    RMIL_HIDDEN(512),
    RMIL_ATTENTION_DIM(256),
    RMIL_DROPOUT,
    {RMIL_WHOLE("clam-k", "clam_k", 8, 1, 65536, "N", "patches of highest and of lowest attention for the instance loss"),
     .offset = offsetof(Options, k), .place = 10, .elsewhere = 8},
    {RMIL_NUMBER("clam-bag-weight", "clam_bag_weight", 0.7, 0, 1, "X", "weight of the slide loss beside the instance loss"),
     .offset = offsetof(Options, bag_weight), .place = 11, .elsewhere = 0.7},
    {RMIL_WORD("clam-subtyping", "clam_subtyping", FALSE, switches, "NAME",
               "classes exclude each other: patches of highest attention for one class are examples against the others"),
     .offset = offsetof(Options, subtyping), .quiet = TRUE},
    {0},
};

static const RmilModelClass multi;
static gboolean is_multi(const RmilModelConfig *config) { return strcmp(config->model, multi.name) == 0; }
static int branches(const RmilModelConfig *config) { return is_multi(config) ? rmil_model_outputs(config) : 1; }
/* Classes with an instance head: where no class is true, nothing tells the patches apart. */
static int heads(const RmilModelConfig *config) { return config->task.kind == RMIL_TASK_CLASSES ? config->task.classes : 0; }
/* Place of the head of output c in the multi branch. */
static int bag_head(const RmilModelConfig *config, int c) { return INSTANCE + 2 * (heads(config) + c); }

static void add_heads(RmilParameterLayout *layout, const char *name, int count, int64_t out, int64_t in) {
    for (int c = 0; c < count; c++) {
        g_autofree char *numbered = g_strdup_printf("%s.%d", name, c);
        rmil_parameter_linear(layout, numbered, out, in, TRUE);
    }
}

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t n = config->hidden, m = config->attention_dim;
    const int outputs = rmil_model_outputs(config);
    rmil_parameter_linear(layout, "adaptor.0", n, config->dim, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_a.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.attention_b.0", m, n, TRUE);
    rmil_parameter_linear(layout, "attention_net.fc", branches(config), m, TRUE);
    const int head = rmil_parameter_linear(layout, "classifier", outputs, n, TRUE);
    add_heads(layout, "instance_classifiers", heads(config), 2, n);
    if (!is_multi(config)) return;
    for (int i = head; i < head + 2; i++) g_array_index(layout->tensors, RmilParameter, i).unused = TRUE;
    add_heads(layout, "bag_classifiers", outputs, 1, n);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
    config->attention_dim = shape(user, "attention_net.attention_a.0.weight", 0);
    const int64_t rows = shape(user, "classifier.weight", 0);
    rmil_model_infer_outputs(config, rows > 0 ? rows : shape(user, "attention_net.fc.weight", 0)); /* CLAM's own mb has no such layer */
}

/* What forward leaves for backward. C: branches. */
typedef struct {
    int outputs, classes;    /* logits; branches */
    int64_t block;           /* rows of X, h and gates at once */
    int64_t ldh, ldu;        /* floats from row to row of h and of gates */
    float *h;                /* K × hidden */
    float *gates;            /* K × 2m: [a | b] */
    float *weights;          /* 2m × hidden: [W_a; W_b], ldh floats from row to row */
    float *s, *soft, *a;     /* C × K; soft is a again */
    float *pooled;           /* C × hidden: M */
    float *slope;            /* C × hidden: ∂L/∂M */
    float keep;              /* dropout's factor */
    RmilInstances instances; /* none where no class is true */
} Work;

static gboolean take(const RmilStep *step, Work *w, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    w->keep = 1;
    w->outputs = rmil_model_outputs(step->config);
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
    const gboolean several = is_multi(step->config);
    for (int c = 0; c < w->outputs; c++) {
        const int weight = several ? bag_head(step->config, c) : WC, bias = weight + 1;
        const float *head = rmil_step_parameter(step, weight) + (several ? 0 : c * n);
        const float *pooled = w->pooled + (several ? c * n : 0);
        logits[c] = rmil_dot(head, pooled, n) + (double)rmil_step_parameter(step, bias)[several ? 0 : c];
    }
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    Work *w = work;
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
        rmil_attention_forward(w->s + c * k, k, 1, -1, FALSE, w->soft + c * k, w->a + c * k, &attention);
        memset(sum, 0, (size_t)n * sizeof *sum);
        rmil_rows_pool(w->h, w->ldh, k, n, w->a + c * k, sum);
        for (int64_t i = 0; i < n; i++) w->pooled[c * n + i] = (float)sum[i];
    }
    classify(step, w, outcome->logits);
    if (step->scores) memcpy(step->scores, w->s, (size_t)(w->classes * k) * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)(w->classes * k) * sizeof(float));
    if (step->config->guide != RMIL_GUIDE_NONE)
        *shown =
            (RmilGuided){.scores = w->s, .labels = step->bag->patch_labels, .tissue = step->bag->tissue, .count = k, .rows = w->classes};
    return TRUE;
}

/* Before the heads are trained on patches: where everything is. */
static void set_instances(const RmilStep *step, Work *w) {
    const Options *own = rmil_model_own(step->config);
    w->instances = (RmilInstances){.first = INSTANCE,
                                   .heads = heads(step->config),
                                   .k = own->k,
                                   .weight = 1 - own->bag_weight,
                                   .subtyping = own->subtyping,
                                   .scores = w->s,
                                   .stride = is_multi(step->config) ? step->bag->count : 0,
                                   .h = w->h,
                                   .ldh = w->ldh,
                                   .width = step->config->hidden};
    if (step->config->guide != RMIL_GUIDE_LABELS) return;
    if (rmil_guide_negative(&step->config->task, &step->target)) w->instances.negative = TRUE;
    else if (step->bag->patch_labels && rmil_guide_annotated(step->bag->patch_labels, step->bag->count))
        w->instances.labels = step->bag->patch_labels;
}

/* -- the way back ---------------------------------------------------------------------------------------------------------- */
/* Bag heads: their gradients and ∂L/∂M. */
static void backward_heads(const RmilStep *step, Work *w, const double *slope) {
    const int64_t n = step->config->hidden;
    float dz[RMIL_OUTPUTS_MOST];
    for (int c = 0; c < w->outputs; c++) dz[c] = (float)slope[c];
    if (!is_multi(step->config)) {
        rmil_outer(dz, w->outputs, w->pooled, n, FALSE, rmil_step_gradient(step, WC));
        memcpy(rmil_step_gradient(step, BC), dz, (size_t)w->outputs * sizeof *dz);
        rmil_transposed_vector(rmil_step_parameter(step, WC), w->outputs, n, dz, FALSE, w->slope);
        return;
    }
    for (int c = 0; c < w->outputs; c++) {
        const int head = bag_head(step->config, c);
        rmil_outer(dz + c, 1, w->pooled + c * n, n, FALSE, rmil_step_gradient(step, head));
        rmil_step_gradient(step, head + 1)[0] = dz[c];
        rmil_outer(dz + c, 1, rmil_step_parameter(step, head), n, FALSE, w->slope + c * n);
    }
}

/* dh += Σ A_c dM_c over the branches from the third on; the first two are done where dh is read anyway. */
RMIL_CLONES static void add_branches(float *dh, int64_t ld, int64_t rows, int64_t n, int classes, const float *a, int64_t stride,
                                     const float *slope) {
    for (int64_t k = 0; k < rows; k++)
        for (int c = 2; c < classes; c++) {
            const float weight = a[c * stride + k], *from = slope + c * n;
            float *d = dh + k * ld;
#pragma omp simd
            for (int64_t i = 0; i < n; i++) d[i] += weight * from[i];
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

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *guided, float *unused, RmilArena *arena,
                         GError **error) {
    Work *w = work;
    const int64_t k = step->bag->count, n = step->config->hidden, m = step->config->attention_dim;
    float *dh = rmil_arena_floats(arena, MIN(k, w->block) * w->ldh, error), *ds = w->soft; /* attention stays in w->a */
    float *dweights = rmil_arena_floats(arena, 2 * m * n, error);
    if (!dh || !dweights) return FALSE;
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    backward_heads(step, w, slope);
    rmil_instances_heads(step, &w->instances);
    double base[RMIL_OUTPUTS_MOST];
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
            for (int64_t j = 0; j < x.rows; j++) sum += (double)(d[j] = d[j] * a[j] + (guided ? guided[c * k + i + j] : 0));
            dbf[c] += (float)sum;
        }
        rmil_gated_backward(u, w->ldu, x.rows, m, rmil_step_parameter(step, WF), w->classes, ds + i, k, w->keep,
                            rmil_step_gradient(step, WF), rmil_step_gradient(step, BA), rmil_step_gradient(step, BB));
        if (!rmil_gemm(TRUE, FALSE, 2 * m, n, x.rows, 1, u, w->ldu, h, w->ldh, more, dweights, n, error) ||
            !rmil_gemm(FALSE, FALSE, x.rows, n, 2 * m, 1, u, w->ldu, w->weights, w->ldh, 0, dh, w->ldh, error))
            return FALSE;
        rmil_instances_rows(step, &w->instances, i, x.rows, dh);
        add_branches(dh, w->ldh, x.rows, n, w->classes, w->a + i, k, w->slope);
        back_relu(h, dh, w->ldh, x.rows, n, w->classes, w->a + i, k, w->slope, w->keep, rmil_step_gradient(step, BH));
        if (!rmil_features_backward(&x, dh, w->ldh, n, i > 0, rmil_step_gradient(step, WH), arena, error)) return FALSE;
    }
    memcpy(rmil_step_gradient(step, WA), dweights, (size_t)(m * n) * sizeof(float));
    memcpy(rmil_step_gradient(step, WB), dweights + m * n, (size_t)(m * n) * sizeof(float));
    return TRUE;
}

static gboolean loss(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error) {
    Work *w = work;
    outcome->slide_loss = outcome->loss = rmil_slide_loss(step, outcome->logits, slope);
    if (!step->train || !heads(step->config) || step->target.label < 0) return TRUE; /* at prediction the slide's loss alone counts */
    const double weight = ((const Options *)rmil_model_own(step->config))->bag_weight;
    set_instances(step, w);
    if (!rmil_instances_loss(step, &w->instances, arena, &outcome->guide_loss, error)) return FALSE;
    outcome->loss = weight * outcome->slide_loss + outcome->guide_loss;
    for (int c = 0; c < w->outputs; c++) slope[c] *= weight;
    return TRUE;
}

/* The logits, each as a list of one. */
static void onnx_logits(const RmilModelConfig *config, RmilOnnx *o, const char *pooled, const char **z) {
    const int outputs = rmil_model_outputs(config);
    const char *all = is_multi(config) ? NULL
                                       : rmil_onnx_linear(o, pooled, rmil_onnx_parameter(o, "classifier.weight"),
                                                          rmil_onnx_parameter(o, "classifier.bias"));
    for (int i = 0; i < outputs; i++)
        z[i] = all ? rmil_onnx_row_of(o, rmil_onnx_flat(o, all), i)
                   : rmil_onnx_flat(o, rmil_onnx_linear(o, rmil_onnx_row_of(o, pooled, i),
                                                        rmil_onnx_parameter(o, "bag_classifiers.%d.weight", i),
                                                        rmil_onnx_parameter(o, "bag_classifiers.%d.bias", i)));
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const char *h = rmil_onnx_hidden(o), *gates[2], *z[RMIL_OUTPUTS_MOST];
    const int rows = branches(config);
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
    onnx_logits(config, o, rmil_onnx_node(o, "MatMul", a, h, NULL), z);
    if (config->task.classes == 2)
        rmil_onnx_outputs(o, rmil_onnx_node(o, "Sub", z[1], z[0], NULL), rmil_onnx_flat(o, rmil_onnx_row_of(o, s, rows - 1)),
                          rmil_onnx_flat(o, rmil_onnx_row_of(o, a, rows - 1)));
    else
        rmil_onnx_outputs(o, rmil_onnx_join(o, z, rmil_model_outputs(config), 0), rows > 1 ? s : rmil_onnx_flat(o, s),
                          rows > 1 ? a : rmil_onnx_flat(o, a));
}

static gboolean check(const RmilModelConfig *config, GError **error) {
    return config->guide != RMIL_GUIDE_LABELS || heads(config) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "--guide labels teaches CLAM's classes their patches: it needs a task of classes");
}

static const RmilTrainMethod single_methods[] = {
    {.name = "clam-sb", .title = "CLAM-SB", .style = {"#56b4e9", "(2,3)", 4}},
    {.name = "clam-labels", .guide = RMIL_GUIDE_LABELS, .title = "CLAM-SB, patch labels", .style = {"#1f78b4", "(6,2,6,4)", 4}},
    {.name = "ms-clam",
     .guide = RMIL_GUIDE_LABELS,
     .option = "evenness",
     .value = "1",
     .title = "Mixed-supervision CLAM",
     .style = {"#0b3c5d", "(10,2,2,6)", 4}},
    {0},
};
static const RmilTrainMethod multi_methods[] = {{.name = "clam-mb", .title = "CLAM-MB", .style = {"#e69f00", "(14,3,2,3,2,3)", 6}}, {0}};

#define CLASS(text, its_methods, its_rows)                                                                                                 \
    {                                                                                                                                      \
        .name = text, .methods = its_methods, .logits = 2, .tasks = RMIL_TAKES_ALL, .rows = its_rows, .first = "adaptor.0.weight",         \
        .foreign = &rmil_clam_names, .options = options, .check = check, .layout = layout, .infer = infer, .work = sizeof(Work),           \
        .forward = forward, .loss = loss, .backward = backward, .onnx = onnx,                                                              \
    }
static const RmilModelClass single = CLASS("clam-sb", single_methods, NULL), multi = CLASS("clam-mb", multi_methods, rmil_model_outputs);
RMIL_MODEL_FILE(clam, &single, &multi);
