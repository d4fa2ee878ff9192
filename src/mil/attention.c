/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax over patches. */
#include "attention.h"

#include "activation.h"

#include <string.h>

RMIL_CLONES float rmil_max(const float *x, int64_t n) {
    float best = x[0];
#pragma omp simd reduction(max : best)
    for (int64_t i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

RMIL_CLONES double rmil_exp_sum(const float *x, int64_t n, float shift, float *y) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        float d = x[i] - shift, e = rmil_exp(d);
        y[i] = d < -87.0f ? 0.0f : e;
        sum += (double)y[i];
    }
    return sum;
}

RMIL_CLONES void rmil_attention_forward(const float *s, int64_t k, double scale, double threshold, gboolean cut_even, float *soft, float *a,
                                        RmilAttention *attention) {
    if (scale != 1) {
        for (int64_t i = 0; i < k; i++) a[i] = (float)(scale * (double)s[i]);
        s = a;
    }
    double inverse = 1 / rmil_exp_sum(s, k, rmil_max(s, k), soft);
    *attention = (RmilAttention){.scale = scale, .thresholded = threshold >= 0, .norm = 1, .total = 1};
    if (!attention->thresholded) {
        for (int64_t i = 0; i < k; i++) soft[i] = (float)((double)soft[i] * inverse);
        memcpy(a, soft, (size_t)k * sizeof(float));
        return;
    }
    double cut = threshold / (double)k, sum = 0, most = 0;
#pragma omp simd reduction(+ : sum) reduction(max : most)
    for (int64_t i = 0; i < k; i++) {
        double p = (double)soft[i] * inverse, over = p - cut;
        most = p > most ? p : most;
        over = over > 0 ? over : 0;
        soft[i] = (float)p;
        a[i] = (float)over;
        sum += over;
    }
    if (!cut_even && most * (double)k - 1 < RMIL_ATTENTION_EVEN && sum < RMIL_ATTENTION_NOTHING) {
        attention->thresholded = FALSE;
        memcpy(a, soft, (size_t)k * sizeof(float));
        return;
    }
    attention->norm = sum + 1e-8;
    attention->total = sum / attention->norm;
    double per = 1 / attention->norm;
    for (int64_t i = 0; i < k; i++) a[i] = (float)((double)a[i] * per);
}

/* With dã_k = (da_k − Σ a da) / norm if the patch survives, else 0:  ds_k = scale · ã_k (dã_k − Σ ã dã). */
RMIL_CLONES void rmil_attention_backward(const RmilAttention *attention, const float *soft, const float *a, const float *da, int64_t k,
                                         gboolean add, float *ds) {
    double inner = 0, mean = 0, per = 1 / attention->norm;
    const gboolean thresholded = attention->thresholded;
    if (thresholded) {
#pragma omp simd reduction(+ : inner)
        for (int64_t i = 0; i < k; i++) inner += (double)a[i] * (double)da[i];
#pragma omp simd reduction(+ : mean)
        for (int64_t i = 0; i < k; i++) mean += a[i] > 0 ? (double)soft[i] * ((double)da[i] - inner) * per : 0;
    } else {
#pragma omp simd reduction(+ : mean)
        for (int64_t i = 0; i < k; i++) mean += (double)soft[i] * (double)da[i];
    }
    for (int64_t i = 0; i < k; i++) {
        double d = !thresholded ? (double)da[i] : a[i] > 0 ? ((double)da[i] - inner) * per : 0;
        double g = attention->scale * (double)soft[i] * (d - mean);
        ds[i] = (float)(g + (add ? (double)ds[i] : 0));
    }
}
