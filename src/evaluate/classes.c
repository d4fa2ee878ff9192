/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of C classes. What does not depend on how often a case counts is computed once (rmil_class_data_init); then the metrics
 * of any resample take O(n C²) (rmil_class_data_metrics). */
#include "evaluate-private.h"

#include <math.h>

enum { ECE_BINS = 15 };
#define LEAST_PROBABILITY 2.220446049250313e-16 /* scikit-learn's */

typedef struct {
    const char *key, *name;
} Words;

static const Words of_all[RMIL_CLASSES_METRICS] = {
    [RMIL_CLASSES_AUROC] = {"auroc_macro", "AUROC, mean over classes"},
    [RMIL_CLASSES_AUROC_WEIGHTED] = {"auroc_weighted", "AUROC, weighted by class"},
    [RMIL_CLASSES_AUROC_PAIRS] = {"auroc_pairs", "AUROC, mean over pairs of classes"},
    [RMIL_CLASSES_AVERAGE_PRECISION] = {"average_precision_macro", "Average precision, mean over classes"},
    [RMIL_CLASSES_ACCURACY] = {"accuracy", "Accuracy"},
    [RMIL_CLASSES_BALANCED_ACCURACY] = {"balanced_accuracy", "Balanced accuracy"},
    [RMIL_CLASSES_KAPPA] = {"kappa", "Cohen's kappa"},
    [RMIL_CLASSES_KAPPA_LINEAR] = {"kappa_linear", "Cohen's kappa, linear weights"},
    [RMIL_CLASSES_KAPPA_QUADRATIC] = {"kappa_quadratic", "Cohen's kappa, quadratic weights"},
    [RMIL_CLASSES_F1] = {"f1_macro", "F1, mean over classes"},
    [RMIL_CLASSES_F1_ALL] = {"f1_macro_all", "F1, mean over all classes"},
    [RMIL_CLASSES_LOG_LOSS] = {"log_loss", "Log loss"},
    [RMIL_CLASSES_BRIER] = {"brier", "Brier score"},
    [RMIL_CLASSES_ECE] = {"ece", "Expected calibration error"},
};
static const Words of_one[RMIL_CLASS_METRICS] = {
    [RMIL_CLASS_AUROC] = {"auroc", "AUROC"},
    [RMIL_CLASS_AVERAGE_PRECISION] = {"average_precision", "Average precision"},
    [RMIL_CLASS_SENSITIVITY] = {"sensitivity", "Sensitivity"},
    [RMIL_CLASS_SPECIFICITY] = {"specificity", "Specificity"},
    [RMIL_CLASS_F1] = {"f1", "F1"},
};
const char *rmil_classes_metric_key(RmilClassesMetric metric) { return of_all[metric].key; }
const char *rmil_classes_metric_name(RmilClassesMetric metric) { return of_all[metric].name; }
const char *rmil_class_metric_key(RmilClassMetric metric) { return of_one[metric].key; }
const char *rmil_class_metric_name(RmilClassMetric metric) { return of_one[metric].name; }

int rmil_class_predicted(const double *probabilities, int classes) {
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (probabilities[c] > probabilities[best]) best = c;
    return best;
}

int rmil_bin_of(double probability, int bins) {
    int bin = CLAMP((int)(probability * bins), 0, bins - 1);
    while (bin > 0 && probability <= (double)bin / bins) bin--;
    while (bin < bins - 1 && probability > (double)(bin + 1) / bins) bin++;
    return bin;
}

void rmil_class_data_clear(RmilClassData *data) {
    for (int c = 0; c < data->classes; c++) rmil_ranking_clear(&data->ranking[c]);
    rmil_free(data->cases);
    rmil_free(data->counts);
}

static void set_case(RmilClassCase *one, int label, const double *probabilities, int classes) {
    *one = (RmilClassCase){.label = label, .predicted = rmil_class_predicted(probabilities, classes)};
    one->confidence = probabilities[one->predicted];
    one->bin = rmil_bin_of(one->confidence, ECE_BINS);
    one->log_loss = -log(MAX(probabilities[label], LEAST_PROBABILITY));
    for (int c = 0; c < classes; c++) {
        const double off = probabilities[c] - (c == label ? 1 : 0);
        one->brier += off * off;
    }
}

gboolean rmil_class_data_init(RmilClassData *data, const int *labels, const double *probabilities, int64_t n, int classes) {
    *data = (RmilClassData){.n = n};
    if (n <= 0 || classes < 2 || classes > RMIL_CLASSES_MOST) return FALSE;
    for (int64_t i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= classes) return FALSE;
    double *column = rmil_alloc(n, sizeof(double), NULL);
    data->cases = rmil_alloc(n, sizeof(RmilClassCase), NULL);
    data->counts = rmil_alloc(n * classes, sizeof(int64_t), NULL);
    gboolean good = column && data->cases && data->counts;
    for (int c = 0; good && c < classes; c++) {
        for (int64_t i = 0; i < n; i++) column[i] = probabilities[i * classes + c];
        good = rmil_ranking_init(&data->ranking[c], labels, column, n);
        data->classes += good;
    }
    for (int64_t i = 0; good && i < n; i++) set_case(&data->cases[i], labels[i], probabilities + i * classes, classes);
    rmil_free(column);
    if (!good) rmil_class_data_clear(data);
    return good;
}

/* Metrics of class c from its own column: AUROC against the rest and against each other class (pairs), average precision. */
static void rank_class(RmilClassData *data, const int64_t *weight, int c, RmilClassMetrics *metrics, double *pairs) {
    const RmilRanking *ranking = &data->ranking[c];
    const int classes = data->classes;
    int64_t above[RMIL_CLASSES_MOST] = {0};
    double wins[RMIL_CLASSES_MOST] = {0}, precision = 0, all = 0;
    const double own = (double)metrics->count[c], rest = (double)(metrics->cases - metrics->count[c]);
    for (int64_t k = 0; k < ranking->groups * classes; k++) data->counts[k] = 0;
    for (int64_t i = 0; i < data->n; i++) data->counts[ranking->group[i] * classes + data->cases[i].label] += weight ? weight[i] : 1;
    for (int64_t g = 0; g < ranking->groups; g++) {
        const int64_t *count = data->counts + g * classes;
        int64_t positives = 0, taken = 0;
        for (int k = 0; k < classes; k++) {
            above[k] += count[k];
            taken += above[k];
            if (k == c) positives = above[k];
            else wins[k] += (double)count[c] * ((double)(metrics->count[k] - above[k]) + 0.5 * (double)count[k]);
        }
        if (count[c]) precision += (double)count[c] * (double)positives / (double)taken;
    }
    for (int k = 0; k < classes; k++) {
        all += wins[k];
        pairs[k] = wins[k] / (own * (double)metrics->count[k]);
    }
    metrics->one[c][RMIL_CLASS_AUROC] = own > 0 && rest > 0 ? all / (own * rest) : NAN;
    metrics->one[c][RMIL_CLASS_AVERAGE_PRECISION] = own > 0 ? precision / own : NAN;
}

/* Mean over the classes where the metric is defined, weighted by cases or not. */
static double mean_of(const RmilClassMetrics *metrics, RmilClassMetric what, gboolean weighted) {
    double sum = 0, weights = 0;
    for (int c = 0; c < metrics->classes; c++) {
        const double weight = weighted ? (double)metrics->count[c] : 1;
        if (isnan(metrics->one[c][what])) continue;
        sum += weight * metrics->one[c][what];
        weights += weight;
    }
    return weights > 0 ? sum / weights : NAN;
}

static void set_rankings(RmilClassData *data, const int64_t *weight, RmilClassMetrics *metrics) {
    double pairs[RMIL_CLASSES_MOST][RMIL_CLASSES_MOST], sum = 0, number = 0;
    for (int c = 0; c < data->classes; c++) rank_class(data, weight, c, metrics, pairs[c]);
    for (int a = 0; a < data->classes; a++)
        for (int b = 0; b < a; b++) {
            if (metrics->count[a] == 0 || metrics->count[b] == 0) continue;
            sum += 0.5 * (pairs[a][b] + pairs[b][a]);
            number++;
        }
    metrics->all[RMIL_CLASSES_AUROC] = mean_of(metrics, RMIL_CLASS_AUROC, FALSE);
    metrics->all[RMIL_CLASSES_AUROC_WEIGHTED] = mean_of(metrics, RMIL_CLASS_AUROC, TRUE);
    metrics->all[RMIL_CLASSES_AUROC_PAIRS] = number > 0 ? sum / number : NAN;
    metrics->all[RMIL_CLASSES_AVERAGE_PRECISION] = mean_of(metrics, RMIL_CLASS_AVERAGE_PRECISION, FALSE);
}

/* 1 − disagreement ÷ disagreement expected by chance; power: 0 plain, 1 linear, 2 quadratic. */
static double kappa(const RmilClassMetrics *metrics, const int64_t *predicted, int power) {
    double seen = 0, expected = 0;
    for (int i = 0; i < metrics->classes; i++)
        for (int j = 0; j < metrics->classes; j++) {
            const double weight = i == j ? 0 : pow(abs(i - j), power);
            seen += weight * (double)metrics->confusion[i][j];
            expected += weight * (double)metrics->count[i] * (double)predicted[j] / (double)metrics->cases;
        }
    return expected > 0 ? 1 - seen / expected : NAN;
}

static void set_predicted(RmilClassMetrics *metrics) {
    int64_t right = 0, predicted[RMIL_CLASSES_MOST] = {0};
    double f1 = 0;
    for (int c = 0; c < metrics->classes; c++)
        for (int k = 0; k < metrics->classes; k++) predicted[c] += metrics->confusion[k][c];
    for (int c = 0; c < metrics->classes; c++) {
        const int64_t hits = metrics->confusion[c][c], own = metrics->count[c], rest = metrics->cases - own;
        double *one = metrics->one[c];
        one[RMIL_CLASS_SENSITIVITY] = own > 0 ? (double)hits / (double)own : NAN;
        one[RMIL_CLASS_SPECIFICITY] = rest > 0 ? (double)(rest - predicted[c] + hits) / (double)rest : NAN;
        one[RMIL_CLASS_F1] = own + predicted[c] > 0 ? 2 * (double)hits / (double)(own + predicted[c]) : NAN;
        f1 += own + predicted[c] > 0 ? one[RMIL_CLASS_F1] : 0;
        right += hits;
    }
    metrics->all[RMIL_CLASSES_ACCURACY] = (double)right / (double)metrics->cases;
    metrics->all[RMIL_CLASSES_BALANCED_ACCURACY] = mean_of(metrics, RMIL_CLASS_SENSITIVITY, FALSE);
    metrics->all[RMIL_CLASSES_KAPPA] = kappa(metrics, predicted, 0);
    metrics->all[RMIL_CLASSES_KAPPA_LINEAR] = kappa(metrics, predicted, 1);
    metrics->all[RMIL_CLASSES_KAPPA_QUADRATIC] = kappa(metrics, predicted, 2);
    metrics->all[RMIL_CLASSES_F1] = mean_of(metrics, RMIL_CLASS_F1, FALSE);
    metrics->all[RMIL_CLASSES_F1_ALL] = f1 / metrics->classes;
}

static void set_probabilities(const RmilClassData *data, const int64_t *weight, RmilClassMetrics *metrics) {
    double log_loss = 0, brier = 0, apart = 0, sum[ECE_BINS] = {0}; /* of (correct − confidence) */
    for (int64_t i = 0; i < data->n; i++) {
        const RmilClassCase *one = &data->cases[i];
        const double count = weight ? (double)weight[i] : 1;
        log_loss += count * one->log_loss;
        brier += count * one->brier;
        sum[one->bin] += count * ((one->predicted == one->label ? 1 : 0) - one->confidence);
    }
    for (int b = 0; b < ECE_BINS; b++) apart += fabs(sum[b]);
    metrics->all[RMIL_CLASSES_LOG_LOSS] = log_loss / (double)metrics->cases;
    metrics->all[RMIL_CLASSES_BRIER] = brier / (double)metrics->cases;
    metrics->all[RMIL_CLASSES_ECE] = apart / (double)metrics->cases;
}

void rmil_class_data_metrics(RmilClassData *data, const int64_t *weight, RmilClassMetrics *metrics) {
    *metrics = (RmilClassMetrics){.classes = data->classes};
    for (int64_t i = 0; i < data->n; i++) {
        const int64_t count = weight ? weight[i] : 1;
        metrics->cases += count;
        metrics->count[data->cases[i].label] += count;
        metrics->confusion[data->cases[i].label][data->cases[i].predicted] += count;
    }
    set_rankings(data, weight, metrics);
    set_predicted(metrics);
    set_probabilities(data, weight, metrics);
}

void rmil_class_metrics(const int *labels, const double *probabilities, int64_t n, int classes, RmilClassMetrics *metrics) {
    RmilClassData data;
    if (rmil_class_data_init(&data, labels, probabilities, n, classes)) {
        rmil_class_data_metrics(&data, NULL, metrics);
        rmil_class_data_clear(&data);
        return;
    }
    *metrics = (RmilClassMetrics){.classes = classes};
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) metrics->all[m] = NAN;
    for (int c = 0; c < RMIL_CLASSES_MOST; c++)
        for (int m = 0; m < RMIL_CLASS_METRICS; m++) metrics->one[c][m] = NAN;
}
