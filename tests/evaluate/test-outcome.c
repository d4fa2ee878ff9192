/* SPDX-License-Identifier: Apache-2.0 */
/* Classes, patients, calibration, cut-offs, times to an event and numbers, as far as tests/golden/tasks does not hold them. */
#include "support.h"

#include "rankmil/evaluate.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* -- outcome.json (made by outcome.py) -------------------------------------------------------------------------------- */
static double *numbers(JsonObject *object, const char *member, int64_t *n) {
    JsonArray *array = json_object_get_array_member(object, member);
    const int64_t count = json_array_get_length(array);
    double *values = g_new0(double, (gsize)count + 1);
    for (int64_t i = 0; i < count; i++) values[i] = json_array_get_double_element(array, (guint)i);
    if (n) *n = count;
    return values;
}

static int *integers(JsonObject *object, const char *member) {
    int64_t n;
    g_autofree double *values = numbers(object, member, &n);
    int *whole = g_new0(int, (gsize)n + 1);
    for (int64_t i = 0; i < n; i++) whole[i] = (int)values[i];
    return whole;
}

static void close_to(double value, double expected, const char *what) {
    if (!(fabs(value - expected) <= 1e-10)) g_error("%s: %.15g, expected %.15g", what, value, expected);
}

static void for_each_case(const char *part, void (*check)(JsonObject *)) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *path = g_build_filename(g_getenv("RMIL_SOURCE"), "tests/evaluate/outcome.json", NULL);
    GError *error = NULL;
    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    JsonArray *cases = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), part);
    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++) check(json_array_get_object_element(cases, i));
}

static void check_numbers(JsonObject *object) {
    int64_t n;
    double metrics[RMIL_NUMBER_METRICS];
    g_autofree double *value = numbers(object, "value", &n), *predicted = numbers(object, "predicted", NULL);
    rmil_number_metrics(value, predicted, n, metrics);
    for (int m = 0; m < RMIL_NUMBER_METRICS; m++)
        close_to(metrics[m], json_object_get_double_member(object, rmil_number_metric_key((RmilNumberMetric)m)),
                 rmil_number_metric_key((RmilNumberMetric)m));
}

static void check_delong_patients(JsonObject *object) {
    int64_t n;
    double variance, z, p;
    RmilInterval interval;
    g_autofree int *label = integers(object, "label");
    g_autofree double *a = numbers(object, "a", &n), *b = numbers(object, "b", NULL), *patient = numbers(object, "patient", NULL);
    g_autofree int64_t *groups = g_new(int64_t, (gsize)n);
    for (int64_t i = 0; i < n; i++) groups[i] = (int64_t)patient[i];
    rmil_delong_grouped(label, a, n, groups, 0.95, &variance, &interval);
    close_to(variance, json_object_get_double_member(object, "variance"), "variance");
    close_to(interval.low, json_object_get_double_member(object, "low"), "low");
    close_to(interval.high, json_object_get_double_member(object, "high"), "high");
    rmil_delong_test_grouped(label, a, b, n, groups, &z, &p, NULL);
    close_to(z, json_object_get_double_member(object, "z"), "z");
    close_to(p, json_object_get_double_member(object, "p"), "p");
}

static void check_decision(JsonObject *object) {
    int64_t n, points;
    g_autofree int *label = integers(object, "label");
    g_autofree double *p = numbers(object, "probability", &n), *cut = numbers(object, "threshold", &points),
                      *benefit = numbers(object, "benefit", NULL), *everybody = numbers(object, "all", NULL);
    g_autofree double *found = g_new(double, (gsize)points), *found_all = g_new(double, (gsize)points);
    rmil_decision_curve(label, p, n, cut, (int)points, found, found_all);
    for (int64_t k = 0; k < points; k++) {
        close_to(found[k], benefit[k], "benefit");
        close_to(found_all[k], everybody[k], "all");
    }
}

static void check_baseline(JsonObject *object) {
    int64_t n, points;
    g_autofree int *event = integers(object, "event");
    g_autofree double *time = numbers(object, "time", &n), *risk = numbers(object, "risk", NULL), *at = numbers(object, "at", &points),
                      *hazard = numbers(object, "hazard", NULL), *found = g_new(double, (gsize)points);
    g_assert_true(rmil_cox_baseline(risk, time, event, n, at, (int)points, found));
    for (int64_t k = 0; k < points; k++) close_to(found[k], hazard[k], "hazard");
}

static void test_numbers(void) { for_each_case("numbers", check_numbers); }
static void test_delong_patients(void) { for_each_case("delong_patients", check_delong_patients); }
static void test_decision(void) { for_each_case("decision", check_decision); }
static void test_baseline(void) { for_each_case("baseline", check_baseline); }

/* -- simulated cases --------------------------------------------------------------------------------------------------------- */
enum { N = 90 };

/* n cases of `classes` classes that the probabilities tell apart a little. */
static void simulate(uint64_t seed, int64_t n, int classes, int *labels, double *probabilities) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++) {
        double sum = 0, *row = probabilities + i * classes;
        labels[i] = (int)((i + i / 7) % classes);
        for (int c = 0; c < classes; c++) sum += row[c] = exp(rmil_rng_normal(&rng) + (labels[i] == c ? 1 : 0));
        for (int c = 0; c < classes; c++) row[c] /= sum;
    }
}

static void same_interval(const RmilInterval *a, const RmilInterval *b) {
    g_assert_cmpstr(a->method, ==, b->method);
    g_assert_true((isnan(a->low) && isnan(b->low)) || (a->low == b->low && a->high == b->high));
}

static gboolean undefined(const RmilInterval *interval) { return isnan(interval->low) && isnan(interval->high) && !interval->method; }

/* Two classes as two columns: the metrics and intervals of the positive class are those of rmil_metrics, drawn alike. */
static void test_two_classes(void) {
    int labels[N];
    double probabilities[2 * N], scores[N];
    RmilMetrics m;
    RmilClassMetrics c;
    RmilMetricIntervals old;
    RmilClassIntervals now;
    const RmilBootstrap bootstrap = {NULL, 0.95, 300, 4};
    simulate(1, N, 2, labels, probabilities);
    for (int i = 0; i < N; i++) scores[i] = probabilities[2 * i + 1];
    rmil_metrics(labels, scores, N, 0.5, &m);
    rmil_class_metrics(labels, probabilities, N, 2, &c);
    const double both[][2] = {{m.auroc, c.one[1][RMIL_CLASS_AUROC]},
                              {m.average_precision, c.one[1][RMIL_CLASS_AVERAGE_PRECISION]},
                              {m.accuracy, c.all[RMIL_CLASSES_ACCURACY]},
                              {m.sensitivity, c.one[1][RMIL_CLASS_SENSITIVITY]},
                              {m.specificity, c.one[1][RMIL_CLASS_SPECIFICITY]}};
    for (gsize k = 0; k < G_N_ELEMENTS(both); k++) g_assert_cmpfloat_with_epsilon(both[k][0], both[k][1], 1e-14);
    rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 300, 4, &old);
    rmil_class_intervals(labels, probabilities, N, 2, &bootstrap, &now);
    g_assert_cmpstr(now.one[1][RMIL_CLASS_AUROC].method, ==, "bootstrap");
    g_assert_cmpfloat_with_epsilon(old.auroc.low, now.one[1][RMIL_CLASS_AUROC].low, 1e-14);
    g_assert_cmpfloat_with_epsilon(old.auroc.high, now.one[1][RMIL_CLASS_AUROC].high, 1e-14);
    same_interval(&old.accuracy, &now.all[RMIL_CLASSES_ACCURACY]);
    same_interval(&old.sensitivity, &now.one[1][RMIL_CLASS_SENSITIVITY]);
    g_assert_cmpstr(now.one[0][RMIL_CLASS_SPECIFICITY].method, ==, "exact");
}

/* A class that no case has: its numbers are undefined, means are those over the others, and so are the intervals. */
static void test_missing_class(void) {
    int labels[N];
    double probabilities[3 * N], wide[4 * N];
    RmilClassMetrics three, four;
    RmilClassIntervals intervals;
    const RmilBootstrap bootstrap = {NULL, 0.95, 100, 0};
    simulate(2, N, 3, labels, probabilities);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 4; c++) wide[4 * i + c] = c < 3 ? 0.99 * probabilities[3 * i + c] : 0.01;
    rmil_class_metrics(labels, wide, N, 4, &four);
    for (int m = 0; m < RMIL_CLASS_METRICS; m++)
        if (m != RMIL_CLASS_SPECIFICITY) g_assert_true(isnan(four.one[3][m]));
    g_assert_cmpfloat(four.one[3][RMIL_CLASS_SPECIFICITY], ==, 1);
    rmil_class_metrics(labels, probabilities, N, 3, &three);
    for (int m = RMIL_CLASSES_AUROC; m <= RMIL_CLASSES_F1; m++) g_assert_cmpfloat_with_epsilon(three.all[m], four.all[m], 1e-12);
    g_assert_cmpfloat_with_epsilon(four.all[RMIL_CLASSES_F1_ALL], 0.75 * four.all[RMIL_CLASSES_F1], 1e-12);
    rmil_class_intervals(labels, wide, N, 4, &bootstrap, &intervals);
    g_assert_true(undefined(&intervals.one[3][RMIL_CLASS_AUROC]) && undefined(&intervals.one[3][RMIL_CLASS_SENSITIVITY]));
    g_assert_false(undefined(&intervals.one[2][RMIL_CLASS_AUROC]));
    g_assert_false(undefined(&intervals.all[RMIL_CLASSES_AUROC]));
    for (int i = 0; i < N; i++) labels[i] = 1;
    rmil_class_metrics(labels, probabilities, N, 3, &three);
    g_assert_true(isnan(three.all[RMIL_CLASSES_AUROC]) && isnan(three.all[RMIL_CLASSES_AUROC_PAIRS]));
    labels[4] = 3; /* none of three classes */
    rmil_class_metrics(labels, probabilities, N, 3, &three);
    g_assert_true(isnan(three.all[RMIL_CLASSES_ACCURACY]) && three.cases == 0);
    labels[4] = 1;
    probabilities[7] = NAN;
    rmil_class_metrics(labels, probabilities, N, 3, &three);
    g_assert_true(isnan(three.all[RMIL_CLASSES_ACCURACY]) && isnan(three.one[0][RMIL_CLASS_SPECIFICITY]));
}

/* Every prediction right: shares and AUROCs have an interval with a width, of the smallest class; kappa and F1 have none. */
static void test_perfect_classes(void) {
    enum { SMALL = 12 };
    int labels[SMALL];
    double probabilities[3 * SMALL];
    RmilClassIntervals i;
    const RmilBootstrap bootstrap = {NULL, 0.95, 100, 0};
    for (int k = 0; k < SMALL; k++) {
        labels[k] = k < 2 ? 0 : k < 6 ? 1 : 2;
        for (int c = 0; c < 3; c++) probabilities[3 * k + c] = c == labels[k] ? 0.8 : 0.1;
    }
    rmil_class_intervals(labels, probabilities, SMALL, 3, &bootstrap, &i);
    g_assert_cmpfloat(i.all[RMIL_CLASSES_AUROC].low, ==, rmil_newcombe(1, 2, 10, 0.95).low);
    g_assert_cmpfloat(i.all[RMIL_CLASSES_BALANCED_ACCURACY].low, ==, rmil_wilson(1, 2, 0.95).low);
    g_assert_cmpfloat(i.all[RMIL_CLASSES_ACCURACY].low, ==, rmil_clopper_pearson(SMALL, SMALL, 0.95).low);
    g_assert_cmpfloat(i.one[1][RMIL_CLASS_AUROC].low, ==, rmil_newcombe(1, 4, 8, 0.95).low);
    g_assert_true(undefined(&i.all[RMIL_CLASSES_KAPPA]) && undefined(&i.all[RMIL_CLASSES_F1]));
}

/* -- patients ------------------------------------------------------------------------------------------------------------------ */
/* Each case five times, as one patient's five: intervals are those of the cases once, which knew all there is to know. */
static void test_copies(void) {
    enum { COPIES = 5, M = COPIES * N };
    int labels[N], many[M];
    double probabilities[3 * N], wide[3 * M], scores[N], long_scores[M];
    int64_t groups[M];
    RmilClassIntervals once, grouped;
    RmilMetricIntervals two_once, two_grouped, naive;
    simulate(3, N, 3, labels, probabilities);
    for (int i = 0; i < N; i++) scores[i] = probabilities[3 * i];
    for (int i = 0; i < M; i++) {
        memcpy(wide + 3 * i, probabilities + i % N * 3, 3 * sizeof(double));
        many[i] = labels[i % N];
        long_scores[i] = scores[i % N];
        groups[i] = (INT64_C(1) << 55) + 3 * (i % N); /* any numbers, not in the order of a double */
    }
    const RmilBootstrap plain = {NULL, 0.9, 200, 8}, patients = {groups, 0.9, 200, 8};
    rmil_class_intervals(labels, probabilities, N, 3, &plain, &once);
    rmil_class_intervals(many, wide, M, 3, &patients, &grouped);
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) {
        if (m == RMIL_CLASSES_ACCURACY) continue; /* a share: exact */
        g_assert_cmpstr(grouped.all[m].method, ==, "patient bootstrap");
        g_assert_cmpfloat_with_epsilon(once.all[m].low, grouped.all[m].low, 1e-12);
        g_assert_cmpfloat_with_epsilon(once.all[m].high, grouped.all[m].high, 1e-12);
    }
    g_assert_cmpstr(grouped.all[RMIL_CLASSES_ACCURACY].method, ==, "exact by patient");
    g_assert_cmpstr(grouped.one[2][RMIL_CLASS_SPECIFICITY].method, ==, "exact by patient");
    g_assert_cmpfloat(fabs(once.all[RMIL_CLASSES_ACCURACY].low - grouped.all[RMIL_CLASSES_ACCURACY].low), <, 0.03);
    for (int c = 0; c < 3; c++) {
        g_assert_cmpfloat(fabs(once.one[c][RMIL_CLASS_SENSITIVITY].low - grouped.one[c][RMIL_CLASS_SENSITIVITY].low), <, 0.06);
        g_assert_cmpfloat(fabs(once.one[c][RMIL_CLASS_SPECIFICITY].high - grouped.one[c][RMIL_CLASS_SPECIFICITY].high), <, 0.06);
    }
    rmil_metric_intervals(labels, scores, N, 0.5, 0.9, 200, 8, &two_once);
    rmil_metric_intervals_grouped(many, long_scores, M, groups, 0.5, 0.9, 200, 8, &two_grouped);
    rmil_metric_intervals(many, long_scores, M, 0.5, 0.9, 200, 8, &naive);
    g_assert_cmpstr(two_grouped.specificity.method, ==, "exact by patient");
    g_assert_cmpfloat(fabs(two_once.sensitivity.low - two_grouped.sensitivity.low), <, 0.06);
    g_assert_cmpfloat(fabs(two_once.specificity.high - two_grouped.specificity.high), <, 0.06);
    g_assert_cmpfloat_with_epsilon(two_once.auroc.low, two_grouped.auroc.low, 1e-12);
    g_assert_cmpfloat_with_epsilon(two_once.average_precision.high, two_grouped.average_precision.high, 1e-12);
    g_assert_cmpfloat(naive.auroc.high - naive.auroc.low, <, 0.7 * (two_grouped.auroc.high - two_grouped.auroc.low));
    g_assert_cmpfloat(naive.accuracy.high - naive.accuracy.low, <, 0.7 * (two_grouped.accuracy.high - two_grouped.accuracy.low));
}

/* A patient each: the same bytes as without patients. */
static void test_alone(void) {
    int labels[N];
    double probabilities[2 * N], scores[N];
    int64_t groups[N];
    RmilMetricIntervals plain, grouped;
    RmilClassIntervals classes, classes_grouped;
    RmilInterval delong, delong_grouped;
    double variance, variance_grouped;
    simulate(4, N, 2, labels, probabilities);
    for (int i = 0; i < N; i++) {
        scores[i] = probabilities[2 * i + 1];
        groups[i] = 1000 - i;
    }
    rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 100, 2, &plain);
    for (int with = 0; with < 2; with++) {
        rmil_metric_intervals_grouped(labels, scores, N, with ? groups : NULL, 0.5, 0.95, 100, 2, &grouped);
        g_assert_cmpint(memcmp(&plain, &grouped, sizeof plain), ==, 0);
    }
    const RmilBootstrap none = {NULL, 0.95, 100, 2}, alone = {groups, 0.95, 100, 2};
    rmil_class_intervals(labels, probabilities, N, 2, &none, &classes);
    rmil_class_intervals(labels, probabilities, N, 2, &alone, &classes_grouped);
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) same_interval(&classes.all[m], &classes_grouped.all[m]);
    rmil_delong(labels, scores, N, 0.95, &variance, &delong);
    rmil_delong_grouped(labels, scores, N, groups, 0.95, &variance_grouped, &delong_grouped);
    g_assert_cmpfloat(variance, ==, variance_grouped);
    same_interval(&delong, &delong_grouped);
}

/* Slides of a patient are alike: intervals over patients hold the true AUROC 95 times in 100, those over slides do not. */
static void test_coverage(void) {
    enum { PATIENTS = 50, SLIDES = 4, ALL = PATIENTS * SLIDES, TRIALS = 200 };
    const double truth = 0.5 * erfc(-1 / sqrt(1 + 0.25) / G_SQRT2 / G_SQRT2);
    int labels[ALL], bootstrap = 0, delong = 0, naive = 0;
    double scores[ALL], variance;
    int64_t groups[ALL];
    for (int trial = 0; trial < TRIALS; trial++) {
        RmilRng rng;
        RmilMetricIntervals all;
        RmilInterval interval;
        rmil_rng_init(&rng, 5, (uint64_t)trial);
        for (int i = 0; i < ALL; i++) {
            groups[i] = i / SLIDES;
            labels[i] = groups[i] % 2 == 0;
            scores[i] = i % SLIDES ? scores[i - i % SLIDES] : rmil_rng_normal(&rng) + labels[i];
        }
        for (int i = 0; i < ALL; i++) scores[i] += 0.5 * rmil_rng_normal(&rng);
        rmil_metric_intervals_grouped(labels, scores, ALL, groups, 0.5, 0.95, 200, (uint64_t)trial, &all);
        bootstrap += all.auroc.low <= truth && truth <= all.auroc.high;
        rmil_delong_grouped(labels, scores, ALL, groups, 0.95, &variance, &interval);
        g_assert_cmpstr(interval.method, ==, "DeLong by patient");
        delong += interval.low <= truth && truth <= interval.high;
        rmil_delong(labels, scores, ALL, 0.95, &variance, &interval);
        naive += interval.low <= truth && truth <= interval.high;
    }
    g_assert_cmpint(bootstrap, >=, TRIALS * 89 / 100);
    g_assert_cmpint(delong, >=, TRIALS * 90 / 100);
    g_assert_cmpint(delong, <, TRIALS);
    g_assert_cmpint(naive, <, TRIALS * 80 / 100);
}

static void test_grouped_undefined(void) {
    const int labels[] = {1, 1, 1, 1, 1, 0, 0, 0}, ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const double perfect[] = {9, 8, 7, 6, 5, 3, 2, 1};
    const int64_t groups[] = {1, 1, 1, 2, 2, 3, 3, 4};
    RmilMetricIntervals i;
    double variance, z, p;
    RmilInterval interval;
    rmil_metric_intervals_grouped(labels, perfect, 8, groups, 4, 0.95, 50, 0, &i);
    g_assert_cmpstr(i.auroc.method, ==, "Newcombe");
    g_assert_cmpfloat(i.auroc.low, ==, rmil_newcombe(1, 2, 2, 0.95).low); /* two patients each, not five and three slides */
    g_assert_cmpfloat(i.accuracy.low, ==, rmil_clopper_pearson(4, 4, 0.95).low);
    g_assert_cmpfloat(i.sensitivity.low, ==, rmil_clopper_pearson(2, 2, 0.95).low);
    rmil_metric_intervals_grouped(ones, perfect, 8, groups, 8.5, 0.95, 50, 0, &i);
    g_assert_true(undefined(&i.auroc) && undefined(&i.specificity) && !undefined(&i.accuracy));
    rmil_metric_intervals_grouped(labels, perfect, 8, groups, 4, 0.95, 0, 0, &i);
    g_assert_true(undefined(&i.auroc) && undefined(&i.accuracy));
    rmil_delong_grouped(labels, perfect, 8, groups, 0.95, &variance, &interval);
    g_assert_cmpfloat(variance, ==, 0);
    g_assert_cmpfloat(interval.low, ==, rmil_newcombe(1, 2, 2, 0.95).low);
    rmil_delong_test_grouped(labels, perfect, perfect, 8, groups, &z, &p, NULL);
    g_assert_true(z == 0 && p == 1);
}

static void test_pool(void) {
    const int64_t groups[] = {7, -2, 7, 7, 40}, by_order[] = {0, 1, 0, 0, 2};
    const double p[] = {0.5, 0.2, 0.1, 0.9, 0}, columns[] = {0.5, 0.5, 0.8, 0.2, 0.9, 0.1, 0.1, 0.9, 1, 0};
    const double three[] = {0.5, 0.3, 0.2, 1, 0, 0, 0.1, 0.1, 0.8, 0.3, 0.6, 0.1, 0, 0.5, 0.5};
    const int labels[] = {0, -1, 2, -1, 1};
    int64_t rows[5];
    double pooled[9];
    int found[3];
    GError *error = NULL;
    g_assert_cmpint(rmil_patient_rows(groups, 5, rows), ==, 3);
    for (int i = 0; i < 5; i++) g_assert_cmpint(rows[i], ==, by_order[i]);
    static const double expected[RMIL_POOLS] = {0.9, 0.5, 1 - 0.5 * 0.9 * 0.1};
    for (int rule = 0; rule < RMIL_POOLS; rule++) {
        g_assert_true(rmil_patient_pool(p, 5, 1, rows, 3, (RmilPool)rule, pooled, NULL));
        g_assert_cmpfloat_with_epsilon(pooled[0], expected[rule], 1e-15);
        g_assert_true(fabs(pooled[1] - 0.2) < 1e-15 && pooled[2] == 0);
        g_assert_true(rmil_patient_pool(columns, 5, 2, rows, 3, (RmilPool)rule, pooled, NULL));
        g_assert_cmpfloat_with_epsilon(pooled[1], expected[rule], 1e-15);
        g_assert_cmpfloat_with_epsilon(pooled[0], 1 - expected[rule], 1e-15);
    }
    g_assert_true(rmil_patient_pool(three, 5, 3, rows, 3, RMIL_POOL_MEAN, pooled, NULL));
    g_assert_cmpfloat_with_epsilon(pooled[0], 0.3, 1e-15);
    g_assert_cmpfloat_with_epsilon(pooled[8], 0.5, 1e-15);
    g_assert_true(rmil_patient_pool(three, 5, 3, rows, 3, RMIL_POOL_HIGHEST, pooled, NULL));
    g_assert_cmpfloat_with_epsilon(pooled[0], 0.5 / (0.5 + 0.6 + 0.8), 1e-15);
    g_assert_cmpfloat_with_epsilon(pooled[2], 0.8 / (0.5 + 0.6 + 0.8), 1e-15);
    g_assert_false(rmil_patient_pool(three, 5, 3, rows, 3, RMIL_POOL_NOISY_OR, pooled, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "two classes");
    g_assert_false(rmil_patient_pool((double[]){0.5, 0.2, 3, 0, 0}, 5, 1, rows, 3, RMIL_POOL_NOISY_OR, pooled, &error));
    test_error(&error, RMIL_ERROR_DATA, "3 is not one");
    rmil_patient_labels(labels, 5, rows, 3, found);
    g_assert_true(found[0] == 2 && found[1] == -1 && found[2] == 1);
}

/* -- cut-offs and calibration ------------------------------------------------------------------------------------------------- */
static void test_cuts(void) {
    const int labels[] = {1, 1, 0, 1, 0, 0, 0, 1}, top[] = {0, 1, 0, 1, 0, 0, 0, 1}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1};
    const double scores[] = {0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.2, 0.1};
    RmilCut cut;
    RmilCutMetrics m;
    g_assert_true(rmil_cut_specificity(labels, scores, 8, 0.75, &cut));
    g_assert_true(cut.threshold == 0.6 && cut.specificity == 0.75 && cut.sensitivity == 0.75); /* 0.5 takes two negatives at once */
    g_assert_true(rmil_cut_specificity(labels, scores, 8, 1, &cut));
    g_assert_true(cut.threshold == 0.8 && cut.specificity == 1 && cut.sensitivity == 0.5);
    g_assert_false(rmil_cut_specificity(top, scores, 8, 1, &cut)); /* the highest score is a negative's */
    g_assert_true(isnan(cut.threshold) && isnan(cut.sensitivity));
    g_assert_false(rmil_cut_youden(ones, scores, 8, &cut));
    g_assert_false(rmil_cut_sensitivity(labels, (double[]){NAN, 1, 1, 1, 1, 1, 1, 1}, 8, 0.5, &cut));
    rmil_cut_metrics(labels, scores, 8, 0.5, &m); /* a score at the cut is positive */
    g_assert_true(m.true_positives == 3 && m.false_positives == 3 && m.true_negatives == 1 && m.false_negatives == 1);
    g_assert_true(m.ppv == 0.5 && m.npv == 0.5 && m.sensitivity == 0.75 && m.specificity == 0.25 && m.f1 == 0.6);
    rmil_cut_metrics(labels, scores, 8, 2, &m);
    g_assert_true(m.specificity == 1 && isnan(m.ppv));
}

static void test_calibration(void) {
    const int labels[] = {0, 1, 0, 1, 1, 0}, ones[] = {1, 1, 1, 1, 1, 1};
    const double mixed[] = {-1, 2, 0.5, 0.4, 3, -2}, apart[] = {-1, 2, -0.5, 0.4, 3, -2}, equal[6] = {1, 1, 1, 1, 1, 1};
    double a, b, logits[18], p[3];
    g_assert_false(rmil_platt(labels, apart, 6, FALSE, &a, &b)); /* a would grow for ever */
    g_assert_true(isnan(a) && isnan(b));
    g_assert_true(rmil_platt(labels, apart, 6, TRUE, &a, &b) && a > 0);
    g_assert_false(rmil_platt(ones, mixed, 6, TRUE, &a, &b));
    g_assert_false(rmil_platt(labels, equal, 6, TRUE, &a, &b));
    /* scores far from 0 and far apart: the same sigmoid */
    double a_far, b_far, far[6];
    g_assert_true(rmil_platt(labels, mixed, 6, FALSE, &a, &b));
    for (int i = 0; i < 6; i++) far[i] = 1e6 + 1e4 * mixed[i];
    g_assert_true(rmil_platt(labels, far, 6, FALSE, &a_far, &b_far));
    for (int i = 0; i < 6; i++) g_assert_cmpfloat_with_epsilon(a * mixed[i] + b, a_far * far[i] + b_far, 1e-6);
    /* the temperature is in the logits' unit, and does not change which class is likeliest */
    for (int i = 0; i < 6; i++)
        for (int c = 0; c < 3; c++) logits[3 * i + c] = sin(5 * i + c) + (c == labels[i] && i % 3 ? 1 : 0);
    const double t = rmil_temperature(labels, logits, 6, 3);
    for (int k = 0; k < 18; k++) logits[k] *= 100;
    g_assert_cmpfloat_with_epsilon(rmil_temperature(labels, logits, 6, 3) / t, 100, 1e-9);
    rmil_temper(logits, 3, t, p);
    g_assert_cmpfloat_with_epsilon(p[0] + p[1] + p[2], 1, 1e-15);
    for (int k = 0; k < 18; k++) logits[k] = -logits[k]; /* worse than chance: T would grow for ever */
    g_assert_true(isnan(rmil_temperature(labels, logits, 6, 3)));
}

static void test_reliability(void) {
    const int happened[] = {0, 0, 1, 1, 1, 0};
    const double p[] = {0, 0.2, 0.4, 0.9, 1, 0.41};
    RmilReliabilityBin bin[5];
    g_assert_true(rmil_reliability(happened, p, 6, 5, 0.95, bin));
    const int64_t n[] = {2, 1, 1, 0, 2}; /* 0.2 and 0.4 are the upper ends of their bins */
    for (int b = 0; b < 5; b++) g_assert_cmpint(bin[b].n, ==, n[b]);
    g_assert_true(bin[0].mean == 0.1 && bin[0].share == 0 && bin[1].share == 1 && bin[2].share == 0);
    g_assert_true(isnan(bin[3].mean) && isnan(bin[3].share) && undefined(&bin[3].interval));
    g_assert_cmpfloat_with_epsilon(bin[4].mean, 0.95, 1e-15);
    g_assert_cmpfloat(bin[4].interval.low, ==, rmil_clopper_pearson(2, 2, 0.95).low);
    g_assert_false(rmil_reliability(happened, (double[]){0, 0.2, 0.4, 1.5, 1, 0.41}, 6, 5, 0.95, bin));
    g_assert_cmpint(bin[0].n, ==, 0);
}

/* -- time to an event ------------------------------------------------------------------------------------------------------------ */
static void simulate_times(uint64_t seed, int n, double *time, gboolean *event, double *risk) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int i = 0; i < n; i++) {
        risk[i] = rmil_rng_normal(&rng);
        time[i] = 1 + floor(-8 * exp(-risk[i]) * log(1 - rmil_rng_uniform(&rng)));
        event[i] = rmil_rng_uniform(&rng) < 0.6;
    }
}

/* Pair by pair, ties everywhere. */
static void test_pairs(void) {
    double time[N], risk[N];
    gboolean event[N];
    RmilConcordance found;
    int64_t won = 0, lost = 0, tied = 0;
    simulate_times(1, N, time, event, risk);
    for (int i = 0; i < N; i++) risk[i] = floor(2 * risk[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            if (!event[i] || !(time[j] > time[i] || (time[j] == time[i] && !event[j]))) continue;
            if (risk[i] > risk[j]) won++;
            else if (risk[i] < risk[j]) lost++;
            else tied++;
        }
    rmil_c_index(time, event, risk, N, &found);
    g_assert_true(found.concordant == won && found.discordant == lost && found.tied_risk == tied);
    for (int i = 0; i < N; i++) event[i] = FALSE;
    rmil_c_index(time, event, risk, N, &found);
    g_assert_true(isnan(found.c_index) && found.concordant == 0);
    rmil_c_index(time, event, (double[]){NAN, 1}, 2, &found);
    g_assert_true(isnan(found.c_index));
}

static void test_c_index_interval(void) {
    enum { COPIES = 3, M = COPIES * N };
    double time[M], risk[M];
    gboolean event[M];
    int64_t groups[M];
    RmilConcordance found;
    simulate_times(2, N, time, event, risk);
    for (int i = 0; i < M; i++) {
        groups[i] = i % N;
        time[i] = time[i % N];
        risk[i] = risk[i % N];
        event[i] = event[i % N];
    }
    const RmilBootstrap alone = {NULL, 0.95, 300, 1}, patients = {groups, 0.95, 300, 1};
    rmil_c_index(time, event, risk, N, &found);
    const RmilInterval once = rmil_c_index_interval(time, event, risk, N, &alone);
    const RmilInterval copies = rmil_c_index_interval(time, event, risk, M, &patients);
    g_assert_true(once.low < found.c_index && found.c_index < once.high && once.high - once.low < 0.3);
    g_assert_cmpfloat_with_epsilon(once.low, copies.low, 1e-12);
    g_assert_cmpstr(once.method, ==, "bootstrap");
    g_assert_cmpstr(copies.method, ==, "patient bootstrap");
    for (int i = 0; i < N; i++) risk[i] = -time[i], event[i] = TRUE; /* in order: all resamples agree */
    g_assert_cmpfloat(rmil_c_index_interval(time, event, risk, N, &alone).low, ==, rmil_wilson(1, N, 0.95).low);
    for (int i = 0; i < N; i++) event[i] = FALSE;
    const RmilInterval none = rmil_c_index_interval(time, event, risk, N, &alone);
    g_assert_true(undefined(&none));
}

/* Gradients against differences. */
static void test_gradients(void) {
    enum { M = 30, BINS = 5 };
    double time[M], risk[M], gradient[M], logits[BINS], by_logits[BINS], unused[M];
    gboolean event[M];
    simulate_times(3, M, time, event, risk);
    for (int efron = 0; efron < 2; efron++) {
        rmil_cox_loss(risk, time, event, M, efron, gradient);
        for (int i = 0; i < M; i++) {
            double kept = risk[i], step = 1e-6;
            risk[i] = kept + step;
            double up = rmil_cox_loss(risk, time, event, M, efron, NULL);
            risk[i] = kept - step;
            double down = rmil_cox_loss(risk, time, event, M, efron, unused);
            risk[i] = kept;
            g_assert_cmpfloat_with_epsilon((up - down) / (2 * step), gradient[i], 1e-7);
        }
    }
    for (int k = 0; k < 4 * BINS; k++) {
        const int bin = k % BINS;
        const gboolean happened = k / BINS % 2;
        for (int b = 0; b < BINS; b++) logits[b] = sin(7 * k + 3 * b);
        rmil_hazard_loss(logits, BINS, bin, happened, 0.3, by_logits);
        for (int b = 0; b < BINS; b++) {
            double kept = logits[b], step = 1e-6;
            logits[b] = kept + step;
            double up = rmil_hazard_loss(logits, BINS, bin, happened, 0.3, NULL);
            logits[b] = kept - step;
            double down = rmil_hazard_loss(logits, BINS, bin, happened, 0.3, NULL);
            logits[b] = kept;
            g_assert_cmpfloat_with_epsilon((up - down) / (2 * step), by_logits[b], 1e-8);
        }
    }
    /* risks far apart neither overflow nor vanish: only the first event, against the rest, and the second, against nobody */
    const double far[] = {-2000, 1500}, when[] = {1, 2};
    const gboolean both[] = {TRUE, TRUE};
    g_assert_cmpfloat(rmil_cox_loss(far, when, both, 2, FALSE, gradient), ==, 3500);
    g_assert_true(fabs(gradient[0] + 1) < 1e-9 && fabs(gradient[1] - 1) < 1e-9);
    g_assert_true(isnan(rmil_cox_loss((double[]){NAN, 0}, when, both, 2, FALSE, NULL)));
}

static void test_bins(void) {
    const double times[] = {5, 1, 2, 2, 2, 9, 3}, edges[] = {0, 2, 4, 6};
    const gboolean all[] = {TRUE, TRUE, TRUE, TRUE, TRUE, TRUE, TRUE}, none[7] = {FALSE};
    double found[8];
    g_assert_true(rmil_time_bins(times, all, 7, 2, found));
    g_assert_true(found[0] == 1 - 1e-6 && found[1] == 2 && found[2] == 9 + 1e-6);
    g_assert_false(rmil_time_bins(times, all, 7, 6, found)); /* two edges at 2 */
    g_assert_false(rmil_time_bins(times, none, 7, 2, found));
    g_assert_false(rmil_time_bins((double[]){1, NAN}, all, 2, 1, found));
    const double at[] = {-1, 0, 1.9, 2, 5, 6, 80};
    const int expected[] = {0, 0, 0, 1, 2, 2, 2};
    for (int i = 0; i < 7; i++) g_assert_cmpint(rmil_time_bin(edges, 3, at[i]), ==, expected[i]);
}

static void test_survival(void) {
    const double time[] = {1, 2, 2, 3, 4}, late[] = {1, 1, 2, 2, 3, 3, 4, 5};
    const gboolean event[] = {TRUE, TRUE, FALSE, TRUE, FALSE}, all[] = {TRUE, TRUE, TRUE, TRUE, TRUE, TRUE, TRUE, TRUE};
    const int group[] = {0, 3, 0, 3, 0, 3, 0, 3}, one[8] = {0};
    g_autoptr(GArray) curve = rmil_kaplan_meier(time, event, 5, 0.95);
    g_assert_cmpint(curve->len, ==, 4);
    g_assert_cmpfloat(rmil_survival_at(curve, 0.5), ==, 1);
    g_assert_cmpfloat_with_epsilon(rmil_survival_at(curve, 1), 0.8, 1e-15);
    g_assert_cmpfloat_with_epsilon(rmil_survival_at(curve, 2.5), 0.6, 1e-15);
    g_assert_cmpfloat_with_epsilon(rmil_survival_at(curve, 99), 0.3, 1e-15);
    g_assert_cmpfloat(rmil_survival_median(curve), ==, 3);
    g_assert_cmpint(rmil_number_at_risk(time, 5, 2), ==, 4);
    g_assert_cmpint(rmil_number_at_risk(time, 5, 4.5), ==, 0);
    double chi_squared, p, same, same_p;
    int degrees;
    const int close[] = {0, 1, 0, 1, 0, 1, 0, 1};
    g_assert_true(rmil_logrank(late, all, group, 8, 5, &chi_squared, &degrees, &p)); /* groups without cases do not count */
    g_assert_cmpint(degrees, ==, 1);
    g_assert_true(rmil_logrank(late, all, close, 8, 2, &same, &degrees, &same_p));
    g_assert_true(chi_squared == same && p == same_p);
    g_assert_false(rmil_logrank(late, all, one, 8, 1, &chi_squared, &degrees, &p));
    g_assert_true(isnan(chi_squared) && isnan(p));
    g_assert_false(rmil_logrank(late, all, group, 8, 3, &chi_squared, &degrees, &p));
    g_assert_false(rmil_logrank(late, (gboolean[8]){FALSE}, close, 8, 2, &chi_squared, &degrees, &p));
    g_autoptr(GArray) broken = rmil_kaplan_meier((double[]){1, NAN}, event, 2, 0.95);
    g_assert_cmpint(broken->len, ==, 0);
}

/* Where the last ones are censored G ends at 0: what needs it is undefined, what stays before is not. */
static void test_censoring(void) {
    const double train[] = {1, 2, 3, 4}, time[] = {1.5, 2.5, 4.5, 6}, risk[] = {4, 3, 2, 1}, times[] = {1, 2, 3}, late[] = {1, 5};
    const gboolean train_event[] = {TRUE, FALSE, TRUE, FALSE}, event[] = {TRUE, TRUE, TRUE, FALSE};
    const double survival[12] = {0.9, 0.5, 0.2, 0.9, 0.6, 0.3, 1, 0.9, 0.8, 1, 1, 1};
    double brier[3];
    RmilConcordance found;
    rmil_uno_c_index(train, train_event, 4, time, event, risk, 4, INFINITY, &found);
    g_assert_true(isnan(found.c_index)); /* the event at 4.5 weighs 1/0 */
    rmil_uno_c_index(train, train_event, 4, time, event, risk, 4, 4, &found);
    g_assert_cmpfloat(found.c_index, ==, 1);
    const double area = rmil_integrated_brier(train, train_event, 4, time, event, 4, times, 3, survival, brier);
    g_assert_true(area > 0 && area < 1);
    g_assert_cmpfloat_with_epsilon(area, (0.5 * brier[0] + brier[1] + 0.5 * brier[2]) / 2, 1e-15);
    g_assert_cmpfloat_with_epsilon(brier[0], (0.1 * 0.1 + 0.1 * 0.1) / 4, 1e-15); /* nobody has left: 1 − 0.9 twice */
    g_assert_true(isnan(rmil_integrated_brier(train, train_event, 4, time, event, 4, late, 2, survival, brier)));
}

static void test_number_intervals(void) {
    enum { COPIES = 2, M = COPIES * N };
    double value[M], predicted[M], metrics[RMIL_NUMBER_METRICS];
    int64_t groups[M];
    RmilInterval once[RMIL_NUMBER_METRICS], copies[RMIL_NUMBER_METRICS];
    RmilRng rng;
    rmil_rng_init(&rng, 6, 0);
    for (int i = 0; i < N; i++) {
        value[i] = value[i + N] = floor(4 * rmil_rng_normal(&rng)); /* ties */
        predicted[i] = predicted[i + N] = value[i] + 3 * rmil_rng_normal(&rng);
        groups[i] = groups[i + N] = i;
    }
    const RmilBootstrap alone = {NULL, 0.95, 200, 3}, patients = {groups, 0.95, 200, 3};
    rmil_number_metrics(value, predicted, N, metrics);
    rmil_number_intervals(value, predicted, N, &alone, once);
    rmil_number_intervals(value, predicted, M, &patients, copies);
    for (int m = 0; m < RMIL_NUMBER_METRICS; m++) {
        g_assert_true(once[m].low < metrics[m] && metrics[m] < once[m].high);
        g_assert_cmpfloat_with_epsilon(once[m].low, copies[m].low, 1e-12);
        g_assert_cmpstr(copies[m].method, ==, "patient bootstrap");
    }
    for (int i = 0; i < N; i++) value[i] = 0.1; /* nothing to explain */
    rmil_number_metrics(value, predicted, N, metrics);
    g_assert_true(metrics[RMIL_NUMBER_MAE] > 0 && isnan(metrics[RMIL_NUMBER_R2]) && isnan(metrics[RMIL_NUMBER_PEARSON]) &&
                  isnan(metrics[RMIL_NUMBER_SPEARMAN]));
    value[0] = NAN;
    rmil_number_metrics(value, predicted, N, metrics);
    g_assert_true(isnan(metrics[RMIL_NUMBER_MAE]));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/outcome/two-classes", test_two_classes);
    g_test_add_func("/outcome/missing-class", test_missing_class);
    g_test_add_func("/outcome/perfect-classes", test_perfect_classes);
    g_test_add_func("/outcome/copies", test_copies);
    g_test_add_func("/outcome/alone", test_alone);
    g_test_add_func("/outcome/coverage", test_coverage);
    g_test_add_func("/outcome/grouped-undefined", test_grouped_undefined);
    g_test_add_func("/outcome/pool", test_pool);
    g_test_add_func("/outcome/delong-patients", test_delong_patients);
    g_test_add_func("/outcome/cuts", test_cuts);
    g_test_add_func("/outcome/calibration", test_calibration);
    g_test_add_func("/outcome/reliability", test_reliability);
    g_test_add_func("/outcome/decision", test_decision);
    g_test_add_func("/outcome/pairs", test_pairs);
    g_test_add_func("/outcome/c-index-interval", test_c_index_interval);
    g_test_add_func("/outcome/gradients", test_gradients);
    g_test_add_func("/outcome/baseline", test_baseline);
    g_test_add_func("/outcome/bins", test_bins);
    g_test_add_func("/outcome/survival", test_survival);
    g_test_add_func("/outcome/censoring", test_censoring);
    g_test_add_func("/outcome/numbers", test_numbers);
    g_test_add_func("/outcome/number-intervals", test_number_intervals);
    return g_test_run();
}
