/* Several models of one kind as one: what each says of a bag, averaged. */
#include "rankmil/mil.h"

#include "base/base-private.h"

#include <math.h>

static void add(float *sum, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) sum[i] += values[i];
}

static void divide(float *sum, int64_t count, int64_t models) {
    for (int64_t i = 0; i < count; i++) sum[i] /= (float)models;
}

gboolean rmil_ensemble_predict(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                               RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error) {
    *sd = NAN;
    if (count == 1) return rmil_model_predict(models[0], bag, target, mean, scores, attention, error);
    double average = 0, squares = 0; /* Welford */
    float *of_scores = scores ? rmil_alloc(bag->count, sizeof(float), error) : NULL;
    float *of_attention = attention ? rmil_alloc(bag->count, sizeof(float), error) : NULL;
    gboolean done = (!scores || of_scores) && (!attention || of_attention);
    for (int64_t i = 0; i < bag->count; i++) {
        if (scores) scores[i] = 0;
        if (attention) attention[i] = 0;
    }
    for (int64_t m = 0; done && m < count; m++) {
        RmilPrediction one;
        if (!(done = rmil_model_predict(models[m], bag, target, &one, of_scores, of_attention, error))) break;
        const double off = one.probability - average;
        average += off / (double)(m + 1);
        squares += off * (one.probability - average);
        if (scores) add(scores, of_scores, bag->count);
        if (attention) add(attention, of_attention, bag->count);
    }
    if (done) {
        *mean = (RmilPrediction){.probability = average, .logit = log(average / (1 - average)), .loss = NAN, .predicted = average > 0.5};
        mean->answer = NAN;
        mean->count = 2;
        mean->values[0] = 1 - average, mean->values[1] = average;
        *sd = sqrt(squares / (double)(count - 1));
        if (scores) divide(scores, bag->count, count);
        if (attention) divide(attention, bag->count, count);
    }
    rmil_free(of_scores);
    rmil_free(of_attention);
    return done;
}
