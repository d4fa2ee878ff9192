/* SPDX-License-Identifier: Apache-2.0 */
/* Slide losses for each task, and predictions from a model's logits. */
#include "loss.h"

#include "rankmil/outcome.h"

#include <math.h>

double rmil_bce(double z, int label, double *dz) {
    double e = exp(-fabs(z)), p = z >= 0 ? 1 / (1 + e) : e / (1 + e);
    if (dz) *dz = p - label;
    return MAX(z, 0) - z * label + log1p(e);
}

double rmil_cross_entropy(const double *z, int n, int label, double *dz) {
    double top = z[0], sum = 0;
    for (int i = 1; i < n; i++) top = MAX(top, z[i]);
    for (int i = 0; i < n; i++) sum += exp(z[i] - top);
    for (int i = 0; dz && i < n; i++) dz[i] = exp(z[i] - top) / sum - (i == label);
    return log(sum) + top - z[label];
}

void rmil_log_softmax(const float *s, int64_t count, double scale, double *out) {
    double top = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) { /* no fmax: gcc 12 crashes on such a loop on arm64 */
        out[i] = scale * (double)s[i];
        if (out[i] > top) top = out[i];
    }
    for (int64_t i = 0; i < count; i++) sum += exp(out[i] - top);
    const double norm = top + log(sum);
    for (int64_t i = 0; i < count; i++) out[i] -= norm;
}

/* -- one slide ------------------------------------------------------------------------------------------------------------ */
gboolean rmil_step_known(const RmilStep *step) { return step->slope || rmil_target_known(&step->config->task, &step->target); }

static double own_loss(const RmilModelConfig *config, const RmilTarget *target, const double *logits, int outputs, double *slope) {
    const RmilTaskKind kind = config->task.kind;
    if (kind == RMIL_TASK_CLASSES)
        return outputs == 1 ? rmil_bce(logits[0], target->label, slope) : rmil_cross_entropy(logits, outputs, target->label, slope);
    if (kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_HAZARD)
        return rmil_hazard_loss(logits, outputs, rmil_time_bin(config->edges, outputs, target->time), target->event, config->hazard_alpha,
                                slope);
    const double off = kind == RMIL_TASK_NUMBER ? logits[0] - (target->value - config->mean) / config->sd : 0;
    slope[0] = 2 * off;
    return off * off;
}

double rmil_slide_loss(const RmilStep *step, const double *logits, double *slope) {
    const int outputs = rmil_model_outputs(step->config);
    double loss = 0;
    if (!step->slope) return own_loss(step->config, &step->target, logits, outputs, slope);
    for (int i = 0; i < outputs; i++) {
        slope[i] = step->slope[i];
        loss += slope[i] * logits[i];
    }
    return loss;
}

/* -- from logits to predictions ------------------------------------------------------------------------------------------- */
static void set_two(const double *logits, int outputs, RmilPrediction *p) {
    p->logit = outputs == 2 ? logits[1] - logits[0] : logits[0];
    const double e = exp(-fabs(p->logit));
    p->probability = p->logit >= 0 ? 1 / (1 + e) : e / (1 + e);
    p->predicted = p->probability > 0.5;
    p->count = 2;
    p->values[0] = 1 - p->probability, p->values[1] = p->probability;
}

static void set_classes(const double *logits, int classes, RmilPrediction *p) {
    double top = logits[0], sum = 0;
    p->predicted = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > top) top = logits[c], p->predicted = c;
    for (int c = 0; c < classes; c++) sum += p->values[c] = exp(logits[c] - top);
    for (int c = 0; c < classes; c++) p->values[c] /= sum;
    p->count = classes;
}

void rmil_prediction_set(const RmilModelConfig *config, const double *logits, RmilPrediction *prediction) {
    const int outputs = rmil_model_outputs(config);
    prediction->probability = prediction->logit = prediction->answer = NAN;
    prediction->predicted = -1;
    prediction->count = 0;
    if (config->task.kind == RMIL_TASK_NUMBER) prediction->answer = config->mean + config->sd * logits[0];
    else if (config->task.kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_COX) prediction->answer = logits[0];
    else if (config->task.kind == RMIL_TASK_SURVIVAL) {
        prediction->answer = rmil_hazard_risk(logits, outputs, prediction->values);
        prediction->count = outputs;
    } else if (config->task.classes == 2) set_two(logits, outputs, prediction);
    else set_classes(logits, outputs, prediction);
}
