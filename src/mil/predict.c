/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of one model, or of several as one, for a bag. */
#include "loss.h"

#include <math.h>
#include <string.h>

int rmil_model_rows(const RmilModel *model) { return rmil_model_config_rows(&model->config); }

/* The row used if none is requested; −1: the mean of all. */
static int usual_row(const RmilModelConfig *config, const RmilPrediction *prediction) {
    if (config->task.kind != RMIL_TASK_CLASSES) return -1;
    return config->task.classes == 2 ? 1 : prediction->predicted;
}

/* out (count) = one row of all (rows × count), or the mean of the rows. */
static void pick(const float *all, int rows, int64_t count, int row, float *out) {
    if (row >= 0) {
        memcpy(out, all + row * count, (size_t)count * sizeof *out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int r = 0; r < rows; r++) sum += (double)all[r * count + i];
        out[i] = (float)(sum / rows);
    }
}

static double calibrated(const RmilModel *model, const RmilPrediction *prediction) {
    const RmilDecision *decision = &model->decision;
    if (!decision->chosen || decision->calibration == RMIL_CALIBRATE_NONE || prediction->predicted < 0) return NAN;
    if (model->config.task.classes == 2) return rmil_decision_calibrated(decision, prediction->logit);
    double values[RMIL_OUTPUTS_MOST];
    memcpy(values, prediction->values, sizeof values);
    rmil_decision_calibrate(decision, values, prediction->count);
    return values[prediction->predicted];
}

gboolean rmil_model_predict_row(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, int row, RmilPrediction *prediction,
                                float *scores, float *attention, GError **error) {
    const int rows = rmil_model_rows(model);
    if (rows > 1 && row >= rows)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "the model has %d rows of attention, 0 to %d; there is no row %d", rows, rows - 1,
                         row);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilStep step = {.bag = bag, .target = target ? *target : RMIL_TARGET_NONE, .scores = scores, .attention = attention};
    float *all = NULL;
    if (rows > 1 && (scores || attention)) {
        all = rmil_alloc(bag->count * 2 * rows, sizeof(float), error);
        if (!all) return FALSE;
        step.scores = all;
        step.attention = all + bag->count * rows;
    }
    RmilOutcome outcome;
    RmilBag seen = {.features = NULL};
    gboolean done = !model->class->look || model->class->look(model, bag, &seen, error);
    if (model->class->look) step.bag = &seen;
    done = done && rmil_model_step(model, &step, arena, &outcome, error);
    if (model->class->look) rmil_free(seen.features);
    if (done) {
        rmil_prediction_set(&model->config, outcome.logits, prediction);
        prediction->loss = outcome.slide_loss;
        prediction->calibrated = calibrated(model, prediction);
        if (row < 0) row = usual_row(&model->config, prediction);
        if (all && scores) pick(step.scores, rows, bag->count, row, scores);
        if (all && attention) pick(step.attention, rows, bag->count, row, attention);
    }
    rmil_free(all);
    return done;
}

gboolean rmil_model_predict(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, RmilPrediction *prediction, float *scores,
                            float *attention, GError **error) {
    return rmil_model_predict_row(model, bag, target, RMIL_ROW_USUAL, prediction, scores, attention, error);
}
