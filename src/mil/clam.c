/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM, single and multi branch (docs/models.md, CLAM): gated pooling (gated-pool.h), its heads, and the instance loss. */
#include "clam-weights.h"
#include "gated-pool.h"
#include "guide.h"
#include "instances.h"
#include "onnx.h"
#include "rows.h"

#include <string.h>

enum { WC = RMIL_POOL_TENSORS, BC, INSTANCE };

/* CLAM's own options. */
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
    {RMIL_WHOLE("clam-k", "clam_k", 8, 1, 65536, "N",
                "number of patches with the highest, and with the lowest, attention in the instance "
                "loss"),
     .offset = offsetof(Options, k), .place = 10, .elsewhere = 8},
    {RMIL_NUMBER("clam-bag-weight", "clam_bag_weight", 0.7, 0, 1, "X", "weight of the slide loss relative to the instance loss"),
     .offset = offsetof(Options, bag_weight), .place = 11, .elsewhere = 0.7},
    {RMIL_WORD("clam-subtyping", "clam_subtyping", FALSE, switches, "NAME",
               "classes are mutually exclusive: the top-attention patches of one class are negatives for the others"),
     .offset = offsetof(Options, subtyping), .quiet = TRUE},
    {0},
};

static const RmilModelClass multi;
static gboolean is_multi(const RmilModelConfig *config) { return strcmp(config->model, multi.name) == 0; }
static int branches(const RmilModelConfig *config) { return is_multi(config) ? rmil_model_outputs(config) : 1; }
/* Number of classes with an instance head: 0 if no class is true, since nothing then distinguishes the patches. */
static int heads(const RmilModelConfig *config) { return config->task.kind == RMIL_TASK_CLASSES ? config->task.classes : 0; }
/* Index of the head of output c in the multi branch. */
static int bag_head(const RmilModelConfig *config, int c) { return INSTANCE + 2 * (heads(config) + c); }

static void add_heads(RmilParameterLayout *layout, const char *name, int count, int64_t out, int64_t in) {
    for (int c = 0; c < count; c++) {
        g_autofree char *numbered = g_strdup_printf("%s.%d", name, c);
        rmil_parameter_linear(layout, numbered, out, in, TRUE);
    }
}

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const int64_t n = config->hidden;
    const int outputs = rmil_model_outputs(config);
    rmil_gated_pool_layout(config, layout, branches(config));
    const int head = rmil_parameter_linear(layout, "classifier", outputs, n, TRUE);
    add_heads(layout, "instance_classifiers", heads(config), 2, n);
    if (!is_multi(config)) return;
    for (int i = head; i < head + 2; i++) g_array_index(layout->tensors, RmilParameter, i).unused = TRUE;
    add_heads(layout, "bag_classifiers", outputs, 1, n);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    rmil_gated_pool_infer(config, shape, user);
    const int64_t rows = shape(user, "classifier.weight", 0);
    rmil_model_infer_outputs(config, rows > 0 ? rows : shape(user, "attention_net.fc.weight", 0)); /* CLAM's own mb lacks this layer */
}

/* What forward keeps for backward. */
typedef struct {
    int outputs; /* logits */
    RmilGatedPool pool;
    RmilInstances instances; /* empty if no class is true */
} Work;

static void classify(const RmilStep *step, const Work *w, double *logits) {
    const int64_t n = step->config->hidden;
    const gboolean several = is_multi(step->config);
    for (int c = 0; c < w->outputs; c++) {
        const int weight = several ? bag_head(step->config, c) : WC, bias = weight + 1;
        const float *head = rmil_step_parameter(step, weight) + (several ? 0 : c * n);
        const float *pooled = w->pool.pooled + (several ? c * n : 0);
        logits[c] = rmil_dot(head, pooled, n) + (double)rmil_step_parameter(step, bias)[several ? 0 : c];
    }
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    Work *w = work;
    w->outputs = rmil_model_outputs(step->config);
    if (!rmil_gated_pool_forward(step, &w->pool, branches(step->config), arena, error)) return FALSE;
    classify(step, w, outcome->logits);
    if (step->config->guide != RMIL_GUIDE_NONE)
        *shown = (RmilGuided){.scores = w->pool.s,
                              .labels = step->bag->patch_labels,
                              .tissue = step->bag->tissue,
                              .count = step->bag->count,
                              .rows = w->pool.rows};
    return TRUE;
}

/* Before the heads are trained on patches: sets the pointers. */
static void set_instances(const RmilStep *step, Work *w) {
    const Options *own = rmil_model_own(step->config);
    w->instances = (RmilInstances){.first = INSTANCE,
                                   .heads = heads(step->config),
                                   .k = own->k,
                                   .weight = 1 - own->bag_weight,
                                   .subtyping = own->subtyping,
                                   .scores = w->pool.s,
                                   .stride = is_multi(step->config) ? step->bag->count : 0,
                                   .h = w->pool.h,
                                   .ldh = w->pool.ldh,
                                   .width = step->config->hidden};
    if (step->config->guide != RMIL_GUIDE_LABELS) return;
    if (rmil_guide_negative(&step->config->task, &step->target)) w->instances.negative = TRUE;
    else if (step->bag->patch_labels && rmil_guide_annotated(step->bag->patch_labels, step->bag->count))
        w->instances.labels = step->bag->patch_labels;
}

/* -- backward pass --------------------------------------------------------------------------------------------------------- */
/* Bag heads: their gradients and ∂L/∂M. */
static void backward_heads(const RmilStep *step, Work *w, const double *slope) {
    const int64_t n = step->config->hidden;
    float dz[RMIL_OUTPUTS_MOST];
    for (int c = 0; c < w->outputs; c++) dz[c] = (float)slope[c];
    if (!is_multi(step->config)) {
        rmil_outer(dz, w->outputs, w->pool.pooled, n, FALSE, rmil_step_gradient(step, WC));
        memcpy(rmil_step_gradient(step, BC), dz, (size_t)w->outputs * sizeof *dz);
        rmil_transposed_vector(rmil_step_parameter(step, WC), w->outputs, n, dz, FALSE, w->pool.slope);
        return;
    }
    for (int c = 0; c < w->outputs; c++) {
        const int head = bag_head(step->config, c);
        rmil_outer(dz + c, 1, w->pool.pooled + c * n, n, FALSE, rmil_step_gradient(step, head));
        rmil_step_gradient(step, head + 1)[0] = dz[c];
        rmil_outer(dz + c, 1, rmil_step_parameter(step, head), n, FALSE, w->pool.slope + c * n);
    }
}

static void add_instances(const RmilStep *step, gpointer user, int64_t first, int64_t rows, float *dh) {
    rmil_instances_rows(step, user, first, rows, dh);
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *guided, float *unused, RmilArena *arena,
                         GError **error) {
    Work *w = work;
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    backward_heads(step, w, slope);
    rmil_instances_heads(step, &w->instances);
    return rmil_gated_pool_backward(step, &w->pool, guided, add_instances, &w->instances, arena, error);
}

static gboolean loss(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error) {
    Work *w = work;
    outcome->slide_loss = outcome->loss = rmil_slide_loss(step, outcome->logits, slope);
    if (!step->train || !heads(step->config) || step->target.label < 0) return TRUE; /* in prediction only the slide's loss counts */
    const double weight = ((const Options *)rmil_model_own(step->config))->bag_weight;
    set_instances(step, w);
    if (!rmil_instances_loss(step, &w->instances, arena, &outcome->guide_loss, error)) return FALSE;
    outcome->loss = weight * outcome->slide_loss + outcome->guide_loss;
    for (int c = 0; c < w->outputs; c++) slope[c] *= weight;
    return TRUE;
}

/* The logits, each as a list of one element. */
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
    const char *s, *a, *z[RMIL_OUTPUTS_MOST], *pooled = rmil_gated_pool_onnx(o, &s, &a);
    const int rows = branches(config);
    onnx_logits(config, o, pooled, z);
    if (config->task.classes == 2)
        rmil_onnx_outputs(o, rmil_onnx_node(o, "Sub", z[1], z[0], NULL), rmil_onnx_flat(o, rmil_onnx_row_of(o, s, rows - 1)),
                          rmil_onnx_flat(o, rmil_onnx_row_of(o, a, rows - 1)));
    else
        rmil_onnx_outputs(o, rmil_onnx_join(o, z, rmil_model_outputs(config), 0), rows > 1 ? s : rmil_onnx_flat(o, s),
                          rows > 1 ? a : rmil_onnx_flat(o, a));
}

static gboolean check(const RmilModelConfig *config, GError **error) {
    return config->guide != RMIL_GUIDE_LABELS || heads(config) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "--guide labels teaches CLAM which patches belong to which class, so it can only "
                     "predict classes");
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
        .name = text, .source = "clustering-constrained attention, Lu et al. 2021", .methods = its_methods, .logits = 2,                   \
        .tasks = RMIL_TAKES_ALL, .rows = its_rows, .first = "adaptor.0.weight", .foreign = &rmil_clam_names, .options = options,           \
        .check = check, .layout = layout, .infer = infer, .work = sizeof(Work), .forward = forward, .loss = loss, .backward = backward,    \
        .onnx = onnx,                                                                                                                      \
    }
static const RmilModelClass single = CLASS("clam-sb", single_methods, NULL), multi = CLASS("clam-mb", multi_methods, rmil_model_outputs);
RMIL_MODEL_FILE(clam, &single, &multi);
