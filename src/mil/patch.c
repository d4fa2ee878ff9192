/* SPDX-License-Identifier: Apache-2.0 */
/* What classifiers of single patches have in common. */
#include "patch.h"

#include "gemm.h"
#include "guide.h"
#include "onnx.h"

#include <math.h>
#include <string.h>

/* -- which patches are known -------------------------------------------------------------------------------------------- */
RmilPatchKnown rmil_patch_known(const RmilTask *task, const RmilTarget *target, const RmilBag *bag) {
    RmilPatchKnown known = {-1, -1, 0};
    if (task->kind != RMIL_TASK_CLASSES || !rmil_target_known(task, target)) return known;
    if (bag->patch_labels) known.annotated = rmil_guide_annotated(bag->patch_labels, bag->count);
    if (!rmil_target_lesion(task, target)) known.inside = known.outside = target->label;
    else if (known.annotated) known.inside = target->label, known.outside = task->negative ? 0 : -1;
    return known;
}

double rmil_patch_weight(const RmilPatchKnown *known, const RmilBag *bag, int class) {
    const gboolean one = known->inside == known->outside;
    const int64_t others = bag->count - known->annotated, of = one ? bag->count : class == known->inside ? known->annotated : others;
    if (class < 0 || of == 0) return 0;
    return 1 / (double)of / (!one && known->outside >= 0 && others > 0 ? 2 : 1);
}

/* One sentence that says why training cannot start. */
static gboolean refuse(const RmilModelConfig *config, int class, int64_t slides, GError **error) {
    const RmilTask *task = &config->task;
    g_autofree char *of = rmil_task_is_plain(task) ? g_strdup("positive training slides")
                                                   : g_strdup_printf("training slides of class %d (%s)", class, task->names[class]);
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "none of the %" G_GINT64_FORMAT " %s has an annotated patch, and %s learns only from annotated patches: "
                     "annotate some, or train a model that learns from slides",
                     slides, of, config->model);
}

gboolean rmil_patch_slides(const RmilModelConfig *config, RmilTrainSlides *slides, int64_t *kept, const RmilMonitor *monitor,
                           GError **error) {
    const RmilTask *task = &config->task;
    int64_t of_class[RMIL_CLASSES_MOST] = {0}, kept_of[RMIL_CLASSES_MOST] = {0}, count = 0, lesions = 0, silent = 0;
    if (task->kind != RMIL_TASK_CLASSES) return TRUE; /* the configuration's check reports this */
    for (int64_t i = 0; i < slides->train_count; i++) {
        const int64_t slide = slides->train[i];
        const RmilTarget *target = &slides->targets[slide];
        const RmilPatchKnown known = rmil_patch_known(task, target, slides->bags[slide]);
        const gboolean tells = rmil_patch_tells(&known);
        lesions += rmil_target_lesion(task, target);
        silent += !tells;
        of_class[target->label]++;
        kept_of[target->label] += tells;
        if (tells) kept[count++] = slide;
    }
    for (int c = 0; c < task->classes; c++)
        if (!kept_of[c]) return refuse(config, c, of_class[c], error);
    if (silent)
        rmil_monitor_warn(monitor,
                          "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " positive training slides have no annotated patch, so a patch "
                          "classifier (%s) cannot learn from them",
                          silent, lesions, config->model);
    slides->train = kept, slides->train_count = count;
    return TRUE;
}

gboolean rmil_patch_logits(const RmilStep *step, int weight, float *o, float *z, RmilArena *arena, GError **error) {
    const int64_t k = step->bag->count, d = step->config->dim, n = rmil_model_outputs(step->config);
    const float *bias = rmil_step_parameter(step, weight + 1);
    const RmilFeatures x = rmil_features_of(step->bag, 0, k);
    RmilTransposed wt;
    if (!z) z = rmil_arena_floats(arena, k * n, error);
    if (!z || !rmil_transpose(rmil_step_parameter(step, weight), n, d, x.precision, arena, &wt, error) ||
        !rmil_features_forward(&x, &wt, n, z, n, arena, error))
        return FALSE;
    for (int64_t i = 0; i < k; i++)
        for (int64_t c = 0; c < n; c++) o[c * k + i] = z[i * n + c] + bias[c];
    return TRUE;
}

/* -- the loss of patches ------------------------------------------------------------------------------------------------- */
double rmil_patch_loss(const RmilModelConfig *config, const RmilBag *bag, const RmilPatchKnown *known, const float *o, float *slope) {
    const int outputs = rmil_model_outputs(config);
    const int64_t count = bag->count;
    const double inside = rmil_patch_weight(known, bag, known->inside), outside = rmil_patch_weight(known, bag, known->outside);
    double loss = 0, z[RMIL_OUTPUTS_MOST], dz[RMIL_OUTPUTS_MOST];
    if (slope) memset(slope, 0, (size_t)(outputs * count) * sizeof *slope);
    for (int64_t k = 0; k < count; k++) {
        const int class = rmil_patch_class(known, bag, k);
        if (class < 0) continue;
        const double weight = class == known->inside ? inside : outside;
        for (int c = 0; c < outputs; c++) z[c] = (double)o[c * count + k];
        loss += weight * (outputs == 1 ? rmil_bce(z[0], class, dz) : rmil_cross_entropy(z, outputs, class, dz));
        for (int c = 0; slope && c < outputs; c++) slope[c * count + k] = (float)(weight * dz[c]);
    }
    return loss;
}

/* -- from patches to the slide ------------------------------------------------------------------------------------------- */
void rmil_patch_relative(const RmilModelConfig *config, const float *o, int64_t count, float *l) {
    const int outputs = rmil_model_outputs(config);
    for (int64_t k = 0; k < count; k++) {
        double reference = 0;
        for (int c = 0; outputs > 1 && !config->task.negative && c < outputs; c++) reference += (double)o[c * count + k] / outputs;
        if (outputs > 1 && config->task.negative) reference = (double)o[k];
        for (int c = 0; c < outputs; c++) l[c * count + k] = (float)((double)o[c * count + k] - reference);
    }
}

/* Does patch a rank above b? If equal, the first does; a NaN ranks above all, so that it is noticed. */
static gboolean above(const float *v, int64_t a, int64_t b) {
    const gboolean odd = isnan(v[a]), other = isnan(v[b]);
    if (odd || other) return odd && (!other || a < b);
    return v[a] > v[b] || (v[a] == v[b] && a < b);
}

/* heap[0] is the lowest of n: moves element i down to its place. */
static void sink(const float *v, int64_t *heap, int64_t n, int64_t i) {
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && above(v, heap[child], heap[child + 1])) child++;
        if (!above(v, heap[i], heap[child])) return;
        const int64_t swap = heap[i];
        heap[i] = heap[child], heap[child] = swap;
    }
}

/* heap (n) = the n highest of the K patches, n ≤ K. */
static void highest(const float *v, int64_t count, int64_t *heap, int64_t n) {
    for (int64_t k = 0; k < n; k++) heap[k] = k;
    for (int64_t i = n / 2; i-- > 0;) sink(v, heap, n, i);
    for (int64_t k = n; k < count; k++)
        if (above(v, k, heap[0])) heap[0] = k, sink(v, heap, n, 0);
}

/* From ∂L/∂z (slide) to ∂L/∂o (outputs × K), through l; top: outputs × n. */
static void pool_back(const RmilModelConfig *config, const double *slope, const int64_t *top, int64_t n, int64_t count, float *out) {
    const int outputs = rmil_model_outputs(config);
    memset(out, 0, (size_t)(outputs * count) * sizeof *out);
    for (int c = 0; c < outputs; c++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t k = top[c * n + i];
            const double d = slope[c] / (double)n;
            out[c * count + k] += (float)d;
            if (outputs > 1 && config->task.negative) out[k] -= (float)d;
            for (int j = 0; outputs > 1 && !config->task.negative && j < outputs; j++) out[j * count + k] -= (float)(d / outputs);
        }
}

/* -- scores and attention for maps --------------------------------------------------------------------------------------- */
/* log Σ_c exp o_c of patch k. */
static double log_sum(const float *o, int outputs, int64_t count, int64_t k) {
    double z[RMIL_OUTPUTS_MOST];
    for (int c = 0; c < outputs; c++) z[c] = (double)o[c * count + k];
    return rmil_cross_entropy(z, outputs, 0, NULL) + z[0];
}

/* In logarithms, which stay finite if all probabilities vanish: a = softmax over patches of log p. */
gboolean rmil_patch_attention(const RmilModelConfig *config, const float *o, int64_t count, float *a, RmilArena *arena, GError **error) {
    const int outputs = rmil_model_outputs(config);
    double *p = rmil_arena_take(arena, 2 * count, sizeof *p, error), *sums = p + count;
    if (!p) return FALSE;
    for (int64_t k = 0; outputs > 1 && k < count; k++) sums[k] = log_sum(o, outputs, count, k);
    for (int c = 0; c < outputs; c++) {
        double top = -INFINITY, total = 0;
        for (int64_t k = 0; k < count; k++) {
            const double z = (double)o[c * count + k];
            p[k] = outputs > 1 ? z - sums[k] : -rmil_bce(z, 1, NULL);
            top = MAX(top, p[k]);
        }
        for (int64_t k = 0; k < count; k++) total += p[k] = exp(p[k] - top);
        for (int64_t k = 0; k < count; k++) a[c * count + k] = (float)(p[k] / total);
    }
    return TRUE;
}

gboolean rmil_patch_pool(const RmilStep *step, const float *o, RmilPatchPool *pool, RmilArena *arena, RmilOutcome *outcome,
                         GError **error) {
    const RmilModelConfig *config = step->config;
    const int outputs = rmil_model_outputs(config);
    const int64_t count = step->bag->count, n = MIN(config->patch_top, count);
    float *l = rmil_arena_floats(arena, outputs * count, error);
    int64_t *top = l ? rmil_arena_take(arena, outputs * n, sizeof *top, error) : NULL;
    if (!top) return FALSE;
    *pool = (RmilPatchPool){top, n};
    rmil_patch_relative(config, o, count, l);
    for (int c = 0; c < outputs; c++) {
        double sum = 0;
        highest(l + c * count, count, top + c * n, n);
        for (int64_t i = 0; i < n; i++) sum += (double)l[c * count + top[c * n + i]];
        outcome->logits[c] = sum / (double)n;
    }
    if (step->scores) memcpy(step->scores, l, (size_t)(outputs * count) * sizeof *l);
    return !step->attention || rmil_patch_attention(config, o, count, step->attention, arena, error);
}

void rmil_patch_settle(const RmilStep *step, const float *o, const RmilPatchPool *pool, float *slope, RmilOutcome *outcome) {
    const RmilModelConfig *config = step->config;
    const RmilPatchKnown known = rmil_patch_known(&config->task, &step->target, step->bag);
    if (!step->slope && (step->train || rmil_patch_tells(&known))) {
        outcome->slide_loss = rmil_patch_loss(config, step->bag, &known, o, slope);
    } else {
        double dz[RMIL_OUTPUTS_MOST];
        outcome->slide_loss = rmil_slide_loss(step, outcome->logits, dz);
        if (slope) pool_back(config, dz, pool->top, pool->n, step->bag->count, slope);
    }
    outcome->loss = outcome->slide_loss;
}

/* -- the graph ----------------------------------------------------------------------------------------------------------- */
/* An operator along one axis, which stays as an axis of length 1. */
static const char *along(RmilOnnx *onnx, const char *operator, const char * x, int64_t axis) {
    const char *y = rmil_onnx_node(onnx, operator, x, NULL);
    rmil_onnx_ints(onnx, "axes", 1, &axis);
    return y;
}

static const char *normal(RmilOnnx *onnx, const char *operator, const char * x, int64_t axis) {
    const char *y = rmil_onnx_node(onnx, operator, x, NULL);
    rmil_onnx_int(onnx, "axis", axis);
    return y;
}

/* The mean of the highest `top` of each row of l (outputs × K). */
static const char *pooled(RmilOnnx *onnx, const char *l, int64_t top) {
    if (top == 1) return along(onnx, "ReduceMax", l, 1);
    const char *patches = rmil_onnx_node(onnx, "Gather", rmil_onnx_node(onnx, "Shape", l, NULL), RMIL_ONNX_WHOLES(onnx, 1), NULL);
    const char *count = rmil_onnx_node(onnx, "Min", patches, RMIL_ONNX_WHOLES(onnx, top), NULL);
    const char *values = rmil_onnx_node(onnx, "TopK", l, count, NULL);
    rmil_onnx_another_output(onnx); /* their indices */
    rmil_onnx_int(onnx, "axis", 1);
    return along(onnx, "ReduceMean", values, 1);
}

void rmil_patch_onnx(const RmilModelConfig *config, RmilOnnx *onnx, const char *o) {
    const int outputs = rmil_model_outputs(config);
    const char *z = rmil_onnx_node(onnx, "Transpose", o, NULL), *l = z, *p; /* outputs × K */
    if (outputs > 1) {
        const char *reference = config->task.negative ? rmil_onnx_row_of(onnx, z, 0) : along(onnx, "ReduceMean", z, 0);
        l = rmil_onnx_node(onnx, "Sub", z, reference, NULL);
        p = normal(onnx, "LogSoftmax", z, 0);
    } else {
        p = rmil_onnx_node(onnx, "Neg", rmil_onnx_node(onnx, "Softplus", rmil_onnx_node(onnx, "Neg", z, NULL), NULL), NULL);
    }
    const char *logits = rmil_onnx_flat(onnx, pooled(onnx, l, config->patch_top)), *a = normal(onnx, "Softmax", p, 1);
    if (outputs == 1) l = rmil_onnx_flat(onnx, l), a = rmil_onnx_flat(onnx, a);
    rmil_onnx_outputs(onnx, logits, l, a);
}
