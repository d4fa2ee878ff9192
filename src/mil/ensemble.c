/* SPDX-License-Identifier: Apache-2.0 */
/* Several models of one task as one: the average of what each predicts for a bag. */
#include "model.h"

#include <math.h>
#include <string.h>

static void add(float *sum, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) sum[i] += values[i];
}

static void divide(float *sum, int64_t count, int64_t models) {
    for (int64_t i = 0; i < count; i++) sum[i] /= (float)models;
}

static gboolean check_tasks(const RmilModel *const *models, int64_t count, GError **error) {
    for (int64_t m = 1; m < count; m++)
        if (!rmil_task_equal(&models[0]->config.task, &models[m]->config.task))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "the models do not predict the same thing: model %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " has a "
                             "different task or different classes from the first; use models of one task",
                             m + 1, count);
    return TRUE;
}

/* Do values of the models mean the same? For classes always; for survival if the bins are the same. */
static gboolean comparable(const RmilModel *const *models, int64_t count) {
    const RmilModelConfig *first = &models[0]->config;
    for (int64_t m = 1; first->task.kind == RMIL_TASK_SURVIVAL && m < count; m++) {
        const RmilModelConfig *config = &models[m]->config;
        if (rmil_model_outputs(config) != rmil_model_outputs(first) || memcmp(config->edges, first->edges, sizeof first->edges) != 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean any_rows(const RmilModel *const *models, int64_t count) {
    for (int64_t m = 0; m < count; m++)
        if (rmil_model_rows(models[m]) > 1) return TRUE;
    return FALSE;
}

/* Running means and, for one number, the sum of squared deviations (Welford). all: of each probability, for the SD of the predicted
 * class's. */
typedef struct {
    int64_t models;
    RmilPrediction mean;
    double squares[RMIL_OUTPUTS_MOST + 2]; /* values, then probability, answer */
} Sums;

static void step_mean(double *mean, double *squares, double value, int64_t models) {
    const double off = value - *mean;
    *mean += off / (double)models;
    *squares += off * (value - *mean);
}

static void take(Sums *sums, const RmilPrediction *one) {
    sums->models++;
    for (int i = 0; i < sums->mean.count; i++) step_mean(&sums->mean.values[i], &sums->squares[i], one->values[i], sums->models);
    step_mean(&sums->mean.probability, &sums->squares[RMIL_OUTPUTS_MOST], one->probability, sums->models);
    step_mean(&sums->mean.answer, &sums->squares[RMIL_OUTPUTS_MOST + 1], one->answer, sums->models);
    sums->mean.calibrated += (one->calibrated - sums->mean.calibrated) / (double)sums->models;
}

static void finish(const RmilTask *task, Sums *sums, double *sd) {
    RmilPrediction *mean = &sums->mean;
    int of = RMIL_OUTPUTS_MOST + 1;
    mean->logit = mean->loss = NAN;
    mean->predicted = -1;
    if (task->kind == RMIL_TASK_CLASSES && task->classes == 2) {
        of = RMIL_OUTPUTS_MOST;
        mean->logit = log(mean->probability / (1 - mean->probability));
        mean->predicted = mean->probability > 0.5;
        mean->values[0] = 1 - mean->probability, mean->values[1] = mean->probability;
    } else if (task->kind == RMIL_TASK_CLASSES) {
        mean->predicted = 0;
        for (int c = 1; c < mean->count; c++)
            if (mean->values[c] > mean->values[mean->predicted]) mean->predicted = c;
        of = mean->predicted;
        mean->calibrated = NAN; /* each model may predict another class */
    }
    *sd = sqrt(sums->squares[of] / (double)(sums->models - 1));
}

/* Runs all models and, if wanted, averages their scores and attention; one_scores and one_attention are scratch. */
static gboolean ask(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target, int row, Sums *sums,
                    float *scores, float *attention, float *one_scores, float *one_attention, GError **error) {
    const gboolean values = comparable(models, count);
    *sums = (Sums){.models = 0};
    if (scores) memset(scores, 0, (size_t)bag->count * sizeof *scores);
    if (attention) memset(attention, 0, (size_t)bag->count * sizeof *attention);
    for (int64_t m = 0; m < count; m++) {
        RmilPrediction one;
        if (!rmil_model_predict_row(models[m], bag, target, row, &one, one_scores, one_attention, error)) return FALSE;
        if (m == 0) sums->mean.count = values ? one.count : 0;
        take(sums, &one);
        if (scores) add(scores, one_scores, bag->count);
        if (attention) add(attention, one_attention, bag->count);
    }
    if (scores) divide(scores, bag->count, count);
    if (attention) divide(attention, bag->count, count);
    return TRUE;
}

gboolean rmil_ensemble_predict_row(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target, int row,
                                   RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error) {
    *sd = NAN;
    if (count == 1) return rmil_model_predict_row(models[0], bag, target, row, mean, scores, attention, error);
    if (!check_tasks(models, count, error)) return FALSE;
    const RmilTask *task = &models[0]->config.task;
    Sums sums;
    if (row < 0 && task->classes > 2 && (scores || attention) && any_rows(models, count)) {
        /* the row is that of the class predicted by all together, known only after all have run */
        if (!ask(models, count, bag, target, row, &sums, NULL, NULL, NULL, NULL, error)) return FALSE;
        finish(task, &sums, sd);
        row = sums.mean.predicted;
    }
    float *of_scores = scores ? rmil_alloc(bag->count, sizeof(float), error) : NULL;
    float *of_attention = attention ? rmil_alloc(bag->count, sizeof(float), error) : NULL;
    gboolean done = (!scores || of_scores) && (!attention || of_attention) &&
                    ask(models, count, bag, target, row, &sums, scores, attention, of_scores, of_attention, error);
    if (done) {
        finish(task, &sums, sd);
        *mean = sums.mean;
    }
    rmil_free(of_scores);
    rmil_free(of_attention);
    return done;
}

gboolean rmil_ensemble_predict(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                               RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error) {
    return rmil_ensemble_predict_row(models, count, bag, target, RMIL_ROW_USUAL, mean, sd, scores, attention, error);
}
