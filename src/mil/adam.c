/* SPDX-License-Identifier: Apache-2.0 */
/* One step of Adam. */
#include "adam.h"

#include "base/base-private.h"

#include <math.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8f

RMIL_CLONES void rmil_adam_update(const RmilTrainConfig *train, int64_t t, const float *gradients, int64_t slots, int64_t stride, int64_t n,
                                  float *parameters, float *first, float *second) {
    const float rate = (float)(train->learning_rate / (1 - pow(BETA1, (double)t)));
    const float root = (float)(1 / sqrt(1 - pow(BETA2, (double)t)));
    const float decay = (float)train->weight_decay, share = (float)(1.0 / (double)slots);
    const float b1 = (float)(1 - BETA1), b2 = (float)(1 - BETA2), keep2 = (float)BETA2;
    for (int64_t i = 0; i < n; i++) {
        float sum = gradients[i];
        for (int64_t j = 1; j < slots; j++) sum += gradients[j * stride + i];
        float g = sum * share + decay * parameters[i];
        float m = first[i] + b1 * (g - first[i]), v = keep2 * second[i] + b2 * g * g;
        first[i] = m;
        second[i] = v;
        parameters[i] -= rate * m / (sqrtf(v) * root + EPSILON);
    }
}
