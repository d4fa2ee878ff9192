/* Slide losses and what guides attention. */
#include "guide.h"

#include "regions.h"

#include <math.h>
#include <string.h>

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

static int64_t count_annotated(const uint8_t *labels, int64_t count) {
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) n += labels[i] != 0;
    return n;
}

gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count) {
    if (step->config->guide == RMIL_GUIDE_NONE || step->label != 1 || !labels) return FALSE;
    int64_t annotated = count_annotated(labels, count);
    return annotated > 0 && (step->config->guide != RMIL_GUIDE_RANK || annotated < count);
}

RmilAnnotated rmil_annotated(const RmilModelConfig *config, const RmilBag *bag) {
    if (!bag->patch_labels) return RMIL_ANNOTATED_NONE;
    int64_t units = bag->count, annotated = count_annotated(bag->patch_labels, bag->count);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilRegions regions;
    if (strcmp(config->model, "hipt") == 0 &&
        rmil_regions_group(bag, config->region_rows, config->region_columns, arena, &regions, NULL)) { /* else training says why not */
        units = regions.count;
        annotated = count_annotated(regions.annotated, units);
    }
    return annotated == 0 ? RMIL_ANNOTATED_NONE : annotated == units ? RMIL_ANNOTATED_ALL : RMIL_ANNOTATED_SOME;
}

/* The first `take` of n values become a random choice without replacement (a shuffle broken off), in random order. */
static void choose(RmilRng *rng, int64_t *values, int64_t n, int64_t take) {
    for (int64_t i = 0; i < take; i++) {
        int64_t j = i + rmil_rng_below(rng, n - i), swap = values[i];
        values[i] = values[j];
        values[j] = swap;
    }
}

gboolean rmil_guide_rank(const RmilStep *step, const float *scores, const uint8_t *labels, int64_t count, RmilArena *arena, double *loss,
                         float *ds, GError **error) {
    const RmilModelConfig *config = step->config;
    *loss = 0;
    if (ds) memset(ds, 0, (size_t)count * sizeof(float));
    if (config->guide != RMIL_GUIDE_RANK || !rmil_guide_applies(step, labels, count)) return TRUE;
    int64_t np = count_annotated(labels, count), nn = count - np;
    int64_t *index = rmil_arena_take(arena, count, sizeof(int64_t), error); /* annotated first, then the others */
    if (!index) return FALSE;
    int64_t p = 0, n = np;
    for (int64_t i = 0; i < count; i++) index[labels[i] ? p++ : n++] = i;
    int64_t *others = index + np;
    if (step->train && config->rank_sample > 0) {
        RmilRng rng;
        rmil_rng_init(&rng, step->seed, step->stream);
        int64_t kp = MIN(np, config->rank_sample), kn = MIN(nn, config->rank_sample);
        choose(&rng, index, np, kp);
        choose(&rng, others, nn, kn);
        np = kp;
        nn = kn;
    }
    float *packed = rmil_arena_floats(arena, np + nn, error);
    double *dp = ds ? rmil_arena_take(arena, np + nn, sizeof(double), error) : NULL, *dn = dp ? dp + np : NULL;
    if (!packed || (ds && !dp)) return FALSE;
    for (int64_t i = 0; i < np; i++) packed[i] = scores[index[i]];
    for (int64_t i = 0; i < nn; i++) packed[np + i] = scores[others[i]];
    if (!rmil_rank_loss(packed, np, packed + np, nn, config->sigma, config->margin, arena, loss, dp, dn, error)) return FALSE;
    *loss *= config->lambda;
    for (int64_t i = 0; ds && i < np; i++) ds[index[i]] = (float)(config->lambda * dp[i]);
    for (int64_t i = 0; ds && i < nn; i++) ds[others[i]] = (float)(config->lambda * dn[i]);
    return TRUE;
}

void rmil_guide_induction(const RmilStep *step, const float *attention, const uint8_t *labels, const float *tissue, int64_t count,
                          double *loss, float *da) {
    *loss = 0;
    if (da) memset(da, 0, (size_t)count * sizeof(float));
    if (step->config->guide != RMIL_GUIDE_INDUCTION || !rmil_guide_applies(step, labels, count)) return;
    double total = 0, sum = 0;
    for (int64_t i = 0; tissue && i < count; i++) total += labels[i] ? (double)tissue[i] : 0;
    if (!(total > 0)) {
        tissue = NULL;
        total = (double)count_annotated(labels, count);
    }
    for (int64_t i = 0; i < count; i++) {
        double g = !labels[i] ? 0 : (tissue ? (double)tissue[i] : 1) / total;
        double difference = (double)attention[i] - g;
        sum += difference * difference;
        if (da) da[i] = (float)(2 * step->config->lambda * difference);
    }
    *loss = step->config->lambda * sum;
}
