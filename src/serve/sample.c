/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's bag with fewer patches, for trainings that must take at most a few seconds. */
#include "sample.h"

#include "draw/draw-private.h"

#include <string.h>

enum { STREAM_SAMPLE = 260 };

void rmil_sample_free(RmilBag *sample) {
    if (!sample) return;
    g_free(sample->features);
    g_free(sample->coords);
    g_free(sample->tissue);
    g_free(sample->patch_labels);
    g_free(sample);
}

/* Marks up to `wanted` of the n listed patches that are not yet marked. */
static int64_t mark(uint8_t *marks, const int64_t *list, int64_t n, int64_t wanted) {
    int64_t marked = 0;
    for (int64_t i = 0; i < n && marked < wanted; i++) {
        marked += !marks[list[i]];
        marks[list[i]] = 1;
    }
    return marked;
}

static gboolean choose(const RmilBag *bag, const RmilModel *model, int64_t most, uint8_t *marks, GError **error) {
    g_autofree float *attention = rmil_try_new(bag->count, sizeof(float), error);
    g_autofree int64_t *drawn = attention ? rmil_try_new(bag->count, sizeof *drawn, error) : NULL,
                       *annotated = drawn ? rmil_try_new(bag->count, sizeof *annotated, error) : NULL;
    RmilPrediction said;
    if (!annotated || !rmil_model_predict(model, bag, NULL, &said, NULL, attention, error)) return FALSE;
    int64_t n, count = 0, *attended = rmil_descending(attention, bag->count, &n, error);
    if (!attended) return FALSE;
    RmilRng rng;
    rmil_rng_init(&rng, bag->id ? g_str_hash(bag->id) : 0, STREAM_SAMPLE);
    for (int64_t i = 0; i < bag->count; i++) drawn[i] = i;
    rmil_rng_shuffle(&rng, drawn, bag->count);
    for (int64_t i = 0; i < bag->count; i++)
        if (bag->patch_labels && bag->patch_labels[drawn[i]]) annotated[count++] = drawn[i];
    int64_t left = most - mark(marks, annotated, count, most / 2);
    left -= mark(marks, attended, n, most / 4);
    mark(marks, drawn, bag->count, left);
    rmil_free(attended);
    return TRUE;
}

RmilBag *rmil_sample_new(const RmilBag *bag, const RmilModel *model, int64_t most, GError **error) {
    g_autofree uint8_t *marks = rmil_try_new(bag->count, 1, error);
    if (!marks) return NULL;
    if (bag->count <= most) memset(marks, 1, (gsize)bag->count);
    else if (!choose(bag, model, most, marks, error)) return NULL;
    const gsize width = (gsize)bag->dim * (bag->precision == RMIL_FLOAT32 ? sizeof(float) : sizeof(uint16_t));
    int64_t count = 0;
    for (int64_t i = 0; i < bag->count; i++) count += marks[i];
    RmilBag *out = g_new(RmilBag, 1);
    *out = *bag;
    out->count = count;
    out->features = rmil_try_new(count, width, error);
    out->coords = bag->coords ? g_new(int64_t, count * 2) : NULL;
    out->tissue = bag->tissue ? g_new(float, count) : NULL;
    out->patch_labels = bag->patch_labels ? g_new(uint8_t, count) : NULL;
    for (int64_t i = 0, k = 0; out->features && i < bag->count; i++) {
        if (!marks[i]) continue;
        memcpy((char *)out->features + (gsize)k * width, (const char *)bag->features + (gsize)i * width, width);
        if (bag->coords) memcpy(out->coords + 2 * k, bag->coords + 2 * i, 2 * sizeof *out->coords);
        if (bag->tissue) out->tissue[k] = bag->tissue[i];
        if (bag->patch_labels) out->patch_labels[k] = bag->patch_labels[i];
        k++;
    }
    if (out->features) return out;
    rmil_sample_free(out);
    return NULL;
}
