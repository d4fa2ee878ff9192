/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics over the trainings of several methods. */
#include "summary.h"

#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *rmil_tests_one(const RmilMethodSummary *summary) {
    return (const char *[]){[RMIL_TESTS_SAME] = "seed", [RMIL_TESTS_FOLDS] = "fold", [RMIL_TESTS_MIXED] = "training"}[summary->tests];
}

const char *rmil_tests_pool(const RmilMethodSummary *summary) {
    return (const char *[]){[RMIL_TESTS_SAME] = "mean of the seeds",
                            [RMIL_TESTS_FOLDS] = "out-of-fold predictions",
                            [RMIL_TESTS_MIXED] = "mean of those trainings that tested the slide"}[summary->tests];
}

const char *rmil_tests_measured(const RmilMethodSummary *summary) {
    return (const char *[]){[RMIL_TESTS_SAME] = "averaged predictions",
                            [RMIL_TESTS_FOLDS] = "out-of-fold predictions",
                            [RMIL_TESTS_MIXED] = "pooled predictions"}[summary->tests];
}

static void summarise_pooled(RmilMethodSummary *summary, const RmilTask *task) {
    const GArray *pooled = summary->pooled;
    for (guint i = 0; i < pooled->len && task->classes == 2; i++)
        *(g_array_index(pooled, RmilPredictionRow, i).target.label == 1 ? &summary->positives : &summary->negatives) += 1;
    const gboolean one = summary->method->seeds->len == 1; /* otherwise each training has its own training set, or all have the same */
    g_autoptr(GArray) train = one || summary->tests == RMIL_TESTS_SAME
                                  ? rmil_predictions_of(((const RmilSeedRun *)summary->method->seeds->pdata[0])->cases, task,
                                                        RMIL_SPLIT_TRAIN)
                                  : NULL;
    rmil_measure(task, pooled, train && train->len ? train : NULL, RMIL_MEASURING_USUAL, summary->value, summary->interval);
}

static void summarise_seeds(RmilMethodSummary *summary, const RmilTask *task, int n_measures) {
    const RmilMethod *method = summary->method;
    summary->seeds = (int)method->seeds->len;
    summary->by_seed = g_new(double, (summary->seeds * RMIL_MEASURES_MOST));
    for (int64_t s = 0; s < summary->seeds; s++) {
        const RmilSeedRun *seed = g_ptr_array_index(method->seeds, s);
        g_autoptr(GArray) rows = rmil_predictions_of(seed->cases, task, RMIL_SPLIT_TEST),
                          train = rmil_predictions_of(seed->cases, task, RMIL_SPLIT_TRAIN);
        rmil_measure(task, rows, train->len ? train : NULL, RMIL_MEASURING_USUAL, summary->by_seed + s * RMIL_MEASURES_MOST, NULL);
    }
    for (int i = 0; i < n_measures; i++)
        rmil_mean_sd(summary->by_seed + i, summary->seeds, RMIL_MEASURES_MOST, &summary->mean[i], &summary->sd[i]);
}

/* -- comparisons --------------------------------------------------------------------------------------------------- */
/* p of DeLong's test, and the interval of this difference. For two classes; NaN for other tasks. */
static double compare_pooled(const RmilMethodSummary *a, const RmilMethodSummary *b, const RmilTask *task, double difference,
                             RmilInterval *interval) {
    if (task->classes != 2) return NAN;
    g_autoptr(GHashTable) other = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < b->pooled->len; i++) {
        RmilPredictionRow *item = &g_array_index(b->pooled, RmilPredictionRow, i);
        g_hash_table_insert(other, (gpointer)item->slide, item);
    }
    g_autoptr(GArray) shared = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    g_autofree int *labels = g_new(int, a->pooled->len + 1);
    g_autofree double *x = g_new(double, a->pooled->len + 1), *y = g_new(double, a->pooled->len + 1);
    int64_t n = 0, positives = 0;
    for (guint i = 0; i < a->pooled->len; i++) {
        const RmilPredictionRow *item = &g_array_index(a->pooled, RmilPredictionRow, i), *match = g_hash_table_lookup(other, item->slide);
        if (!match) continue;
        g_array_append_val(shared, *item);
        labels[n] = item->target.label;
        positives += item->target.label;
        x[n] = item->probability;
        y[n++] = match->probability;
    }
    double z, p = NAN, standard_error = NAN;
    g_autofree int64_t *groups = rmil_predictions_patients(shared);
    if (positives > 0 && positives < n) rmil_delong_test_grouped(labels, x, y, n, groups, &z, &p, &standard_error);
    const double reach = rmil_normal_quantile(0.975) * standard_error;
    if (reach > 0 && n == a->pooled->len && n == b->pooled->len) /* with other slides the difference would be another */
        *interval = (RmilInterval){difference - reach, difference + reach, groups ? "DeLong by patient" : "DeLong"};
    return p;
}

/* Collects the values of one metric that are not NaN. */
static int64_t defined(const RmilMethodSummary *method, int metric, double *values) {
    int64_t n = 0;
    for (int64_t i = 0; i < method->seeds; i++)
        if (!isnan(method->by_seed[i * RMIL_MEASURES_MOST + metric])) values[n++] = method->by_seed[i * RMIL_MEASURES_MOST + metric];
    return n;
}

/* The same for trainings that both methods have: same seed, same split. */
static int64_t paired(const RmilMethodSummary *a, const RmilMethodSummary *b, int metric, double *x, double *y) {
    int64_t pairs = 0;
    for (int64_t i = 0; i < a->seeds; i++)
        for (int64_t j = 0; j < b->seeds; j++) {
            const RmilSeedRun *s = g_ptr_array_index(a->method->seeds, i), *t = g_ptr_array_index(b->method->seeds, j);
            double u = a->by_seed[i * RMIL_MEASURES_MOST + metric], v = b->by_seed[j * RMIL_MEASURES_MOST + metric];
            if (s->seed != t->seed || g_strcmp0(s->split, t->split) != 0 || isnan(u) || isnan(v)) continue;
            x[pairs] = u;
            y[pairs++] = v;
            break;
        }
    return pairs;
}

static void compare_seeds(const RmilMethodSummary *a, const RmilMethodSummary *b, int n_measures, RmilComparison *comparison) {
    g_autofree double *x = g_new(double, a->seeds + 1), *y = g_new(double, MAX(a->seeds, b->seeds) + 1);
    for (int metric = 0; metric < n_measures; metric++) {
        double statistic;
        comparison->mann_whitney[metric] = comparison->wilcoxon[metric] = NAN;
        int64_t nx = defined(a, metric, x), ny = defined(b, metric, y);
        if (nx >= 2 && ny >= 2) rmil_mann_whitney(x, nx, y, ny, &statistic, &comparison->mann_whitney[metric]);
        int64_t pairs = paired(a, b, metric, x, y);
        if (pairs >= 2) rmil_wilcoxon(x, y, pairs, &statistic, &comparison->wilcoxon[metric]);
        if (metric == 0) comparison->pairs = (int)pairs;
    }
}

/* Holm's correction over the comparisons that have a p value. */
static void correct(RmilComparison *comparisons, int n, gsize p_at, gsize adjusted_at) {
    g_autofree double *p = g_new(double, n + 1), *adjusted = g_new(double, n + 1);
    int64_t count = 0;
    for (int i = 0; i < n; i++) {
        double value = G_STRUCT_MEMBER(double, &comparisons[i], p_at);
        if (!isnan(value)) p[count++] = value;
    }
    if (count) rmil_holm(p, count, adjusted);
    count = 0;
    for (int i = 0; i < n; i++)
        G_STRUCT_MEMBER(double, &comparisons[i], adjusted_at) = isnan(G_STRUCT_MEMBER(double, &comparisons[i], p_at)) ? NAN
                                                                                                                      : adjusted[count++];
}

static void compare(RmilSummary *summary) {
    const RmilMethodSummary *a = &summary->methods[summary->reference];
    summary->comparisons = g_new0(RmilComparison, summary->n);
    for (int i = 0; i < summary->n; i++) {
        if (i == summary->reference) continue;
        const RmilMethodSummary *b = &summary->methods[i];
        RmilComparison *comparison = &summary->comparisons[summary->n_comparisons++];
        comparison->other = i;
        comparison->difference = a->value[0] - b->value[0];
        /* DeLong compares two models on the same slides; predictions pooled from several models are not one model's */
        comparison->interval = rmil_interval_undefined;
        comparison->delong = a->tests == RMIL_TESTS_SAME && b->tests == RMIL_TESTS_SAME
                                 ? compare_pooled(a, b, &summary->task, comparison->difference, &comparison->interval)
                                 : NAN;
        compare_seeds(a, b, summary->n_measures, comparison);
    }
    RmilComparison *all = summary->comparisons;
    int n = summary->n_comparisons;
    correct(all, n, G_STRUCT_OFFSET(RmilComparison, delong), G_STRUCT_OFFSET(RmilComparison, delong_holm));
    for (gsize metric = 0; metric < (gsize)summary->n_measures; metric++) {
        gsize at = metric * sizeof(double);
        correct(all, n, G_STRUCT_OFFSET(RmilComparison, mann_whitney) + at, G_STRUCT_OFFSET(RmilComparison, mann_whitney_holm) + at);
        correct(all, n, G_STRUCT_OFFSET(RmilComparison, wilcoxon) + at, G_STRUCT_OFFSET(RmilComparison, wilcoxon_holm) + at);
    }
}

/* -- localisation -------------------------------------------------------------------------------------------------- */
static void find_alphas(RmilSummary *summary) {
    g_autoptr(GArray) alphas = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GHashTable) slides = g_hash_table_new(g_str_hash, g_str_equal);
    for (int m = 0; m < summary->n; m++)
        for (guint s = 0; s < summary->methods[m].method->seeds->len; s++) {
            const RmilSeedRun *seed = g_ptr_array_index(summary->methods[m].method->seeds, s);
            for (guint i = 0; i < seed->locals->len; i++) {
                const RmilLocalisationRow *local = &g_array_index(seed->locals, RmilLocalisationRow, i);
                gboolean seen = FALSE;
                for (guint a = 0; a < alphas->len && !seen; a++) seen = g_array_index(alphas, double, a) == local->alpha;
                if (!seen && alphas->len < 100) g_array_append_val(alphas, local->alpha);
                g_hash_table_add(slides, (gpointer)local->slide);
            }
        }
    g_array_sort(alphas, rmil_compare_doubles);
    summary->n_alphas = (int)alphas->len;
    summary->local_slides = (int)g_hash_table_size(slides);
    summary->alphas = (double *)g_memdup2(alphas->data, alphas->len * sizeof(double));
}

/* The share of slides on which attention hits the lesion; a slide that several trainings tested counts with its mean. */
typedef struct {
    double sum, count;
} Met;

static void share_met(GHashTable *slides, const GArray *pooled, RmilLocalSummary *local) {
    const int64_t n = g_hash_table_size(slides);
    g_autofree const char **names = (const char **)g_hash_table_get_keys_as_array(slides, NULL);
    g_autofree double *share = g_new(double, n + 1);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const Met *met = g_hash_table_lookup(slides, names[i]);
        sum += share[i] = met->sum / met->count;
    }
    local->pointing_share = n ? sum / (double)n : NAN;
    local->pointing_interval = rmil_pointing_interval(names, share, n, pooled);
}

static void add_met(GHashTable *slides, const RmilLocalisationRow *local) {
    Met *met = g_hash_table_lookup(slides, local->slide);
    if (!met) g_hash_table_insert(slides, (gpointer)local->slide, met = g_new0(Met, 1));
    met->sum += local->pointing;
    met->count++;
}

static RmilLocalSummary localise(const RmilMethodSummary *summary, double alpha) {
    const RmilMethod *method = summary->method;
    int64_t n = method->seeds->len;
    g_autofree double *means = g_new(double, 3 * n);
    g_autoptr(GHashTable) slides = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    for (int64_t s = 0; s < n; s++) {
        const RmilSeedRun *seed = g_ptr_array_index(method->seeds, s);
        double sums[3] = {0};
        int64_t count = 0;
        for (guint i = 0; i < seed->locals->len; i++) {
            const RmilLocalisationRow *local = &g_array_index(seed->locals, RmilLocalisationRow, i);
            if (local->alpha != alpha) continue;
            add_met(slides, local);
            sums[0] += local->iou;
            sums[1] += local->dice;
            sums[2] += local->pointing;
            count++;
        }
        for (int i = 0; i < 3; i++) means[3 * s + i] = count ? sums[i] / (double)count : NAN;
    }
    RmilLocalSummary local;
    rmil_mean_sd(means, n, 3, &local.iou, &local.iou_sd);
    rmil_mean_sd(means + 1, n, 3, &local.dice, &local.dice_sd);
    rmil_mean_sd(means + 2, n, 3, &local.pointing, &local.pointing_sd);
    share_met(slides, summary->pooled, &local);
    return local;
}

/* -- patches and lesions -------------------------------------------------------------------------------------------- */
static RmilFoundRows found_rows(const RmilSeedRun *seed) { return (RmilFoundRows){seed->patches, seed->lesions, seed->cases}; }

static void find(RmilSummary *summary) {
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(RmilFoundRows));
    summary->found = g_new(RmilFound, summary->n * RMIL_FOUND_COUNT + 1);
    for (int m = 0; m < summary->n; m++) {
        const GPtrArray *seeds = summary->methods[m].method->seeds;
        const guint first = all->len;
        for (guint s = 0; s < seeds->len; s++) {
            const RmilFoundRows rows = found_rows(seeds->pdata[s]);
            g_array_append_val(all, rows);
        }
        const RmilMeasuring how = RMIL_MEASURING_USUAL;
        rmil_found(&g_array_index(all, RmilFoundRows, first), seeds->len, 0.95, how.rounds, how.seed,
                   summary->found + m * RMIL_FOUND_COUNT);
    }
    summary->found_missing = rmil_found_missing((const RmilFoundRows *)(void *)all->data, all->len, summary->n_alphas > 0);
}

RmilSummary *rmil_summarise(const GPtrArray *methods, const RmilTask *task, const char *reference) {
    RmilSummary *summary = g_new0(RmilSummary, 1);
    summary->task = *task;
    summary->measures = rmil_measures(task, &summary->n_measures);
    summary->n = (int)methods->len;
    summary->methods = g_new0(RmilMethodSummary, summary->n);
    for (int i = 0; i < summary->n; i++) {
        RmilMethodSummary *one = &summary->methods[i];
        one->method = g_ptr_array_index(methods, i);
        if (strcmp(one->method->name, reference) == 0) summary->reference = i;
        g_autoptr(GPtrArray) trainings = g_ptr_array_new();
        for (guint t = 0; t < one->method->seeds->len; t++)
            g_ptr_array_add(trainings, ((const RmilSeedRun *)one->method->seeds->pdata[t])->cases);
        one->pooled = rmil_predictions_pool(trainings, task, &one->tests);
        summarise_pooled(one, task);
        summarise_seeds(one, task, summary->n_measures);
        summary->repeats = summary->repeats || one->seeds > 1;
    }
    compare(summary);
    find_alphas(summary);
    summary->locals = g_new(RmilLocalSummary, summary->n * summary->n_alphas + 1);
    for (int i = 0; i < summary->n; i++)
        for (int a = 0; a < summary->n_alphas; a++)
            summary->locals[i * summary->n_alphas + a] = localise(&summary->methods[i], summary->alphas[a]);
    find(summary);
    return summary;
}

void rmil_summary_free(RmilSummary *summary) {
    if (!summary) return;
    for (int i = 0; i < summary->n; i++) {
        g_array_unref(summary->methods[i].pooled);
        g_free(summary->methods[i].by_seed);
    }
    g_free(summary->methods);
    g_free(summary->comparisons);
    g_free(summary->alphas);
    g_free(summary->locals);
    g_free(summary->found);
    g_free(summary);
}
