/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against finite differences. */
#include "differences.h"

#include <math.h>
#include <string.h>

RmilBag *differences_bag(int dim, int64_t count, int lesion, uint64_t seed) {
    RmilBag *bag = g_new0(RmilBag, 1);
    RmilRng rng;
    rmil_rng_init(&rng, seed, 1);
    bag->id = g_strdup("bag");
    bag->count = count;
    bag->dim = dim;
    bag->precision = RMIL_FLOAT32;
    bag->patch_size_level0 = 448;
    float *x = rmil_alloc(count * dim, sizeof(float), NULL);
    bag->features = x;
    bag->coords = rmil_alloc(2 * count, sizeof(int64_t), NULL);
    bag->patch_labels = rmil_alloc(count, 1, NULL);
    for (int64_t i = 0, cell = 0; i < count; i++, cell += 1 + (i % 5 == 0)) {
        for (int j = 0; j < dim; j++) x[i * dim + j] = (float)rmil_rng_normal(&rng);
        bag->coords[2 * i] = 1000 + 448 * (cell % 10);
        bag->coords[2 * i + 1] = 64 + 448 * (cell / 10);
        bag->patch_labels[i] = lesion && i % lesion == 0;
    }
    return bag;
}

void differences_free(RmilBag *bag) {
    g_free(bag->id);
    rmil_free(bag->features);
    rmil_free(bag->coords);
    rmil_free(bag->patch_labels);
    g_free(bag);
}

void differences_move(RmilModel *model, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 99);
    for (guint t = 0; t < model->layout.tensors->len; t++) {
        const RmilParameter *tensor = rmil_parameter_at(&model->layout, (int)t);
        for (int64_t i = 0; i < tensor->count; i++) model->parameters[tensor->offset + i] += 0.2f * (float)rmil_rng_normal(&rng);
    }
}

/* The loss's slope along a direction of length 1 in one tensor, by central differences. */
static double slope(RmilModel *model, DifferencesLoss loss, gconstpointer user, const RmilParameter *tensor, const double *direction,
                    double h) {
    float *values = model->parameters + tensor->offset;
    g_autofree float *before = g_memdup2(values, (gsize)tensor->count * sizeof(float));
    double found[2];
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < tensor->count; i++) values[i] = (float)((double)before[i] + (side ? h : -h) * direction[i]);
        found[side] = loss(model, user, NULL);
    }
    memcpy(values, before, (gsize)tensor->count * sizeof(float));
    return (found[1] - found[0]) / (2 * h);
}

/* Along the gradient, and any way. */
static void check_tensor(RmilModel *model, DifferencesLoss loss, gconstpointer user, const RmilParameter *tensor, const float *g,
                         const char *what) {
    g_autofree double *direction = g_new(double, tensor->count);
    double norm = 0;
    for (int64_t i = 0; i < tensor->count; i++) norm += (double)g[i] * (double)g[i];
    norm = sqrt(norm);
    g_assert_true(isfinite(norm));
    for (int round = 0; round < 2; round++) {
        double expected = 0, found = 0, scale = 1 / sqrt((double)tensor->count);
        for (int64_t i = 0; i < tensor->count; i++)
            direction[i] = round == 0 && norm > 1e-6 ? (double)g[i] / norm : i * 7 % 5 < 2 ? scale : -scale;
        for (int64_t i = 0; i < tensor->count; i++) expected += (double)g[i] * direction[i];
        /* large steps cross kinks (relu, threshold), small ones drown in rounding: any one of three must agree */
        gboolean agree = FALSE;
        for (double h = 4e-3; !agree && h > 2e-4; h /= 4) {
            found = slope(model, loss, user, tensor, direction, h);
            agree = fabs(found - expected) <= 0.01 * norm + 4e-7 / h;
        }
        if (agree) continue;
        g_test_message("%s: %s: %g by differences, %g by the gradient, length %g", what, tensor->name, found, expected, norm);
        g_test_fail();
    }
}

void differences_check(RmilModel *model, DifferencesLoss loss, gconstpointer user, const char *what) {
    g_autofree float *gradient = g_new0(float, model->layout.count);
    for (int64_t i = 0; i < model->layout.count; i++) gradient[i] = 1e9f; /* must be overwritten */
    loss(model, user, gradient);
    for (guint t = 0; t < model->layout.tensors->len; t++) {
        const RmilParameter *tensor = rmil_parameter_at(&model->layout, (int)t);
        check_tensor(model, loss, user, tensor, gradient + tensor->offset, what);
    }
}
