/* SPDX-License-Identifier: Apache-2.0 */
/* The trained models of one split applied to a slide's features. */
#include "attended.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

void rmil_attended_free(RmilAttended *one) {
    if (!one) return;
    for (int i = 0; i < one->n; i++) g_free(one->attention[i]);
    g_free(one->attention);
    g_free(one->methods);
    g_free(one->probability);
    g_free(one->share);
    g_free(one->labels);
    rmil_bag_free(one->bag);
    g_free(one);
}

/* -- which slides, which models ------------------------------------------------------------------------------------------- */
/* The training of this method with the split and seed of a training of another method, or NULL. */
static const RmilSeedRun *same_split(const RmilMethod *method, const RmilSeedRun *other) {
    for (guint i = 0; i < method->seeds->len; i++) {
        const RmilSeedRun *seed = method->seeds->pdata[i];
        if (seed->seed == other->seed && g_strcmp0(seed->split, other->split) == 0) return seed;
    }
    return NULL;
}

static int by_share(gconstpointer a, gconstpointer b) {
    const RmilAttentionRow *x = *(RmilAttentionRow *const *)a, *y = *(RmilAttentionRow *const *)b;
    return x->lesion_share != y->lesion_share ? (x->lesion_share > y->lesion_share) - (x->lesion_share < y->lesion_share)
                                              : strcmp(x->slide, y->slide);
}

GPtrArray *rmil_attended_choose(const RmilSeedRun *seed) {
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    GPtrArray *chosen = g_ptr_array_new();
    for (guint i = 0; i < seed->attentions->len; i++) {
        RmilAttentionRow *one = &g_array_index(seed->attentions, RmilAttentionRow, i);
        if (!isnan(one->lesion_share)) g_ptr_array_add(all, one);
    }
    g_ptr_array_sort(all, by_share);
    if (all->len) g_ptr_array_add(chosen, all->pdata[all->len / 2]);
    if (all->len > 3) g_ptr_array_add(chosen, all->pdata[all->len / 4]);
    return chosen;
}

static const RmilCohortRow *find_row(const RmilCohort *cohort, const char *id) {
    for (int64_t i = 0; i < cohort->count; i++)
        if (strcmp(cohort->rows[i].id, id) == 0) return &cohort->rows[i];
    return NULL;
}

static gboolean read_labels(RmilAttended *one, GError **error) {
    int64_t count = one->bag->count;
    if (one->row->patch_labels) {
        if (!(one->labels = rmil_try_new(count, 1, error)) || !rmil_labels_read(one->row->patch_labels, count, one->labels, error))
            return FALSE;
    } else if (one->bag->patch_labels) {
        if (!(one->labels = rmil_try_new(count, 1, error))) return FALSE;
        memcpy(one->labels, one->bag->patch_labels, (gsize)count);
    } else {
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: has no patch labels", one->row->features);
    }
    for (int64_t i = 0; i < count; i++) one->annotated += one->labels[i] != 0;
    return TRUE;
}

static gboolean apply(RmilAttended *one, const RmilMethodSummary *method, const RmilSeedRun *seed, GError **error) {
    g_autoptr(RmilModel) model = rmil_model_load(seed->model, error);
    if (!model) return FALSE;
    g_autofree float *attention = rmil_try_new(one->bag->count, sizeof *attention, error);
    if (!attention) return FALSE;
    RmilPrediction prediction;
    if (!rmil_model_predict(model, one->bag, &RMIL_TARGET_CLASS(1), &prediction, NULL, attention, error)) return FALSE;
    double on = 0, all = 0;
    for (int64_t i = 0; i < one->bag->count; i++) {
        all += attention[i];
        if (one->labels[i]) on += attention[i];
    }
    one->methods[one->n] = method;
    one->probability[one->n] = prediction.probability;
    one->share[one->n] = all > 0 ? on / all : NAN;
    one->attention[one->n++] = g_steal_pointer(&attention);
    return TRUE;
}

RmilAttended *rmil_attended_new(const RmilSummary *s, const RmilSeedRun *reference, const RmilCohort *cohort, const char *id,
                                GError **error) {
    g_autoptr(RmilAttended) one = g_new0(RmilAttended, 1);
    one->row = find_row(cohort, id);
    if (!one->row || !one->row->features) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: has no features of slide \"%s\"", cohort->path, id);
        return NULL;
    }
    one->bag = rmil_bag_read(one->row->features, id, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!one->bag || !read_labels(one, error)) return NULL;
    if (one->row->slide) rmil_bag_set_slide(one->bag, one->row->slide, one->row->mpp, NULL);
    one->methods = g_new0(const RmilMethodSummary *, s->n);
    one->attention = g_new0(float *, s->n);
    one->probability = g_new0(double, s->n);
    one->share = g_new0(double, s->n);
    for (int m = 0; m < s->n; m++) {
        const RmilSeedRun *seed = same_split(s->methods[m].method, reference);
        if (seed && !apply(one, &s->methods[m], seed, error)) return NULL;
    }
    return g_steal_pointer(&one);
}
