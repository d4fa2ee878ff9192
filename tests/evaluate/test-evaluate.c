/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics, intervals and tests, against SciPy and scikit-learn. */
#include "support.h"

#include "rankmil/evaluate.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* -- reference.json (made by reference.py) --------------------------------------------------------------------------- */
static double *numbers(JsonObject *object, const char *member, int64_t *n) {
    JsonArray *array = json_object_get_array_member(object, member);
    int64_t count = json_array_get_length(array);
    double *values = g_new0(double, (gsize)count + 1);
    for (int64_t i = 0; i < count; i++) values[i] = json_array_get_double_element(array, (guint)i);
    if (n) *n = count;
    return values;
}

static int *integers(JsonObject *object, const char *member) {
    int64_t n;
    g_autofree double *values = numbers(object, member, &n);
    int *labels = g_new0(int, (gsize)n + 1);
    for (int64_t i = 0; i < n; i++) labels[i] = (int)values[i];
    return labels;
}

static void close_to(double value, JsonObject *object, const char *member, double tolerance) {
    double expected = json_object_get_double_member(object, member);
    if (!(fabs(value - expected) <= tolerance)) g_error("%s: %.15g, expected %.15g", member, value, expected);
}

static void for_each_case(const char *part, void (*check)(JsonObject *)) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *path = g_build_filename(g_getenv("RMIL_SOURCE"), "tests/evaluate/reference.json", NULL);
    GError *error = NULL;
    json_parser_load_from_file(parser, path, &error);
    g_assert_no_error(error);
    JsonArray *cases = json_object_get_array_member(json_node_get_object(json_parser_get_root(parser)), part);
    g_assert_cmpuint(json_array_get_length(cases), >, 0);
    for (guint i = 0; i < json_array_get_length(cases); i++) check(json_array_get_object_element(cases, i));
}

static void check_curve(GArray *curve, JsonObject *object, const char *x, const char *y, const char *cut, int64_t shift) {
    int64_t n, n_cuts;
    g_autofree double *xs = numbers(object, x, &n), *ys = numbers(object, y, NULL), *cuts = numbers(object, cut, &n_cuts);
    g_assert_cmpint(curve->len, ==, n);
    g_assert_cmpint(n_cuts, ==, n - 1);
    for (int64_t i = 0; i < n; i++) {
        RmilCurvePoint point = g_array_index(curve, RmilCurvePoint, i);
        g_assert_cmpfloat_with_epsilon(point.x, xs[i], 1e-12);
        g_assert_cmpfloat_with_epsilon(point.y, ys[i], 1e-12);
        int64_t of = i - shift;
        if (of < 0 || of >= n_cuts) g_assert_true(isinf(point.score));
        else g_assert_cmpfloat(point.score, ==, cuts[of]);
    }
    g_array_unref(curve);
}

static void check_ranking(JsonObject *object) {
    int64_t n;
    g_autofree int *labels = integers(object, "label");
    g_autofree double *scores = numbers(object, "score", &n);
    RmilMetrics m;
    rmil_metrics(labels, scores, n, 0.5, &m);
    close_to(m.auroc, object, "auroc", 1e-12);
    close_to(m.auprc, object, "auprc", 1e-12);
    close_to(m.average_precision, object, "average_precision", 1e-12);
    close_to(m.accuracy, object, "accuracy", 1e-12);
    close_to(m.sensitivity, object, "sensitivity", 1e-12);
    close_to(m.specificity, object, "specificity", 1e-12);
    g_assert_cmpint(m.positives + m.negatives, ==, n);
    check_curve(rmil_roc_curve(labels, scores, n), object, "fpr", "tpr", "roc_cut", 1);
    check_curve(rmil_pr_curve(labels, scores, n), object, "recall", "precision", "pr_cut", 0);
}

static void check_mann_whitney(JsonObject *object) {
    int64_t nx, ny;
    g_autofree double *x = numbers(object, "x", &nx), *y = numbers(object, "y", &ny);
    double u, p;
    rmil_mann_whitney(x, nx, y, ny, &u, &p);
    close_to(u, object, "u", 1e-9);
    close_to(p, object, "p", 1e-10);
    rmil_mann_whitney(y, ny, x, nx, &u, &p);
    close_to((double)(nx * ny) - u, object, "u", 1e-9);
    close_to(p, object, "p", 1e-10);
}

static void check_wilcoxon(JsonObject *object) {
    int64_t n;
    g_autofree double *x = numbers(object, "x", &n), *y = numbers(object, "y", NULL);
    double w, p;
    rmil_wilcoxon(x, y, n, &w, &p);
    close_to(w, object, "w", 1e-9);
    close_to(p, object, "p", 1e-10);
}

static void check_delong(JsonObject *object) {
    int64_t n;
    g_autofree int *labels = integers(object, "label");
    g_autofree double *a = numbers(object, "a", &n), *b = numbers(object, "b", NULL);
    double variance, z, p;
    RmilInterval interval;
    rmil_delong(labels, a, n, 0.95, &variance, &interval);
    close_to(variance, object, "variance", 1e-12);
    close_to(interval.low, object, "low", 1e-10);
    close_to(interval.high, object, "high", 1e-10);
    rmil_delong_test(labels, a, b, n, &z, &p, NULL);
    close_to(z, object, "z", 1e-9);
    close_to(p, object, "p", 1e-10);
}

static void check_holm(JsonObject *object) {
    int64_t n;
    g_autofree double *p = numbers(object, "p", &n), *expected = numbers(object, "adjusted", NULL);
    g_autofree double *adjusted = g_new0(double, (gsize)n);
    rmil_holm(p, n, adjusted);
    for (int64_t i = 0; i < n; i++) g_assert_cmpfloat_with_epsilon(adjusted[i], expected[i], 1e-12);
}

static void test_ranking(void) { for_each_case("ranking", check_ranking); }
static void test_mann_whitney(void) { for_each_case("mann_whitney", check_mann_whitney); }
static void test_wilcoxon(void) { for_each_case("wilcoxon", check_wilcoxon); }
static void test_delong(void) { for_each_case("delong", check_delong); }
static void test_holm(void) { for_each_case("holm", check_holm); }

/* -- what is not defined --------------------------------------------------------------------------------------------- */
static void test_undefined(void) {
    const int labels[] = {1, 1, 0, 0}, ones[] = {1, 1, 1, 1}, zeros[4] = {0};
    const double scores[] = {0.9, 0.4, 0.6, 0.1}, broken[] = {0.9, NAN, 0.6, 0.1};
    double variance, z, p;
    RmilMetrics m;
    RmilInterval interval;
    RmilMetricIntervals all;
    rmil_metrics(ones, scores, 4, 0.5, &m);
    g_assert_true(isnan(m.auroc) && isnan(m.auprc) && isnan(m.average_precision) && isnan(m.specificity));
    g_assert_cmpfloat(m.sensitivity, ==, 0.5);
    g_assert_cmpfloat(m.accuracy, ==, 0.5);
    rmil_metrics(zeros, scores, 4, 0.5, &m);
    g_assert_true(isnan(m.auroc) && isnan(m.auprc) && isnan(m.average_precision) && isnan(m.sensitivity));
    g_assert_cmpfloat(m.specificity, ==, 0.5);
    rmil_metrics(labels, broken, 4, 0.5, &m);
    g_assert_true(isnan(m.auroc) && isnan(m.accuracy) && isnan(m.sensitivity) && m.positives == 2 && m.negatives == 2);
    rmil_metrics(labels, scores, 0, 0.5, &m);
    g_assert_true(isnan(m.auroc) && isnan(m.accuracy) && m.positives == 0);
    GArray *curves[] = {rmil_roc_curve(ones, scores, 4), rmil_pr_curve(zeros, scores, 4), rmil_roc_curve(labels, broken, 4),
                        rmil_pr_curve(labels, scores, 0)};
    for (gsize i = 0; i < G_N_ELEMENTS(curves); i++) {
        g_assert_cmpint(curves[i]->len, ==, 0);
        g_array_unref(curves[i]);
    }
    rmil_metric_intervals(ones, scores, 4, 0.5, 0.95, 100, 1, &all);
    g_assert_true(isnan(all.auroc.low) && isnan(all.specificity.high) && !isnan(all.accuracy.low));
    g_assert_null(all.auroc.method);
    rmil_metric_intervals(labels, broken, 4, 0.5, 0.95, 100, 1, &all);
    g_assert_true(isnan(all.auroc.low) && isnan(all.accuracy.low));
    rmil_metric_intervals(labels, scores, 4, 0.5, 1, 100, 1, &all);
    g_assert_true(isnan(all.auroc.low));
    rmil_delong(ones, scores, 4, 0.95, &variance, &interval);
    g_assert_true(isnan(variance) && isnan(interval.low));
    rmil_delong(labels + 1, scores + 1, 3, 0.95, &variance, &interval); /* one positive: no variance among them */
    g_assert_true(isnan(variance));
    g_assert_cmpstr(interval.method, ==, "Newcombe");
    rmil_delong_test(labels, scores, broken, 4, &z, &p, NULL);
    g_assert_true(isnan(z) && isnan(p));
    rmil_mann_whitney(scores, 4, broken, 4, &z, &p);
    g_assert_true(isnan(z) && isnan(p));
    rmil_mann_whitney(scores, 4, broken, 0, &z, &p);
    g_assert_true(isnan(z) && isnan(p));
    rmil_wilcoxon(scores, broken, 4, &z, &p);
    g_assert_true(isnan(z) && isnan(p));
    rmil_wilcoxon(scores, scores, 4, &z, &p);
    g_assert_cmpfloat(z, ==, 0);
    g_assert_cmpfloat(p, ==, 1);
    const double with_nan[] = {0.02, NAN, 0.03};
    double adjusted[3];
    rmil_holm(with_nan, 3, adjusted);
    g_assert_cmpfloat(adjusted[0], ==, 0.04);
    g_assert_true(isnan(adjusted[1]));
    g_assert_cmpfloat(adjusted[2], ==, 0.04);
}

static void test_extremes(void) {
    const int labels[] = {0, 0, 1, 1};
    const double perfect[] = {-INFINITY, 1, 2, INFINITY}, tied[] = {3, 3, 3, 3}, reversed[] = {4, 3, 2, 1};
    RmilMetrics m;
    double variance, z, p;
    RmilInterval interval;
    rmil_metrics(labels, perfect, 4, 1.5, &m);
    g_assert_cmpfloat(m.auroc, ==, 1);
    g_assert_cmpfloat(m.auprc, ==, 1);
    g_assert_cmpfloat(m.average_precision, ==, 1);
    g_assert_cmpfloat(m.accuracy, ==, 1);
    rmil_metrics(labels, tied, 4, 3, &m);
    g_assert_cmpfloat(m.auroc, ==, 0.5);
    g_assert_cmpfloat(m.average_precision, ==, 0.5);
    g_assert_cmpfloat(m.auprc, ==, 0.75);    /* the line from (1, 0.5) to (0, 1) */
    g_assert_cmpfloat(m.sensitivity, ==, 0); /* score > cut, not ≥ */
    rmil_metrics(labels, reversed, 4, 0, &m);
    g_assert_cmpfloat(m.auroc, ==, 0);
    rmil_delong(labels, perfect, 4, 0.95, &variance, &interval);
    g_assert_cmpfloat(variance, ==, 0);
    g_assert_cmpstr(interval.method, ==, "Newcombe");
    g_assert_cmpfloat(interval.low, <, 0.9);
    g_assert_cmpfloat(interval.high, ==, 1);
    rmil_delong_test(labels, perfect, perfect, 4, &z, &p, NULL);
    g_assert_cmpfloat(z, ==, 0);
    g_assert_cmpfloat(p, ==, 1);
    rmil_delong_test(labels, perfect, reversed, 4, &z, &p, NULL);
    g_assert_true(isnan(z) && isnan(p)); /* four cases prove nothing with certainty */
}

/* Wilson: SciPy 1.17, binomtest(k, n).proportion_ci(method="wilson"). Newcombe: the roots of |θ̂ − θ| = z √V(θ) by SciPy's brentq. */
static void test_intervals(void) {
    static const struct {
        double k;
        int64_t n;
        double low, high;
    } shares[] = {{8, 8, 0.6755924351161198, 1},
                  {0, 5, 0, 0.43448246478317476},
                  {7, 9, 0.4525889691069889, 0.9367748928821533},
                  {97, 129, 0.6708487306573387, 0.8184563445581876}};
    for (gsize i = 0; i < G_N_ELEMENTS(shares); i++) {
        RmilInterval w = rmil_wilson(shares[i].k / (double)shares[i].n, shares[i].n, 0.95);
        g_assert_cmpfloat_with_epsilon(w.low, shares[i].low, 1e-12);
        g_assert_cmpfloat_with_epsilon(w.high, shares[i].high, 1e-12);
        g_assert_cmpstr(w.method, ==, "Wilson");
    }
    static const struct {
        double auroc;
        int64_t positives, negatives;
        double low, high;
    } areas[] = {{1, 8, 8, 0.7556465610233917, 1},
                 {1, 3, 20, 0.6661986050197324, 1},
                 {0.5, 5, 5, 0.205613057289471, 0.794386942710529},
                 {0.9, 49, 80, 0.8256980963872592, 0.9430621853118086},
                 {1, 1, 1, 0.20654931437723778, 1},
                 {0, 4, 4, 0, 0.4177159544165422}};
    for (gsize i = 0; i < G_N_ELEMENTS(areas); i++) {
        RmilInterval a = rmil_newcombe(areas[i].auroc, areas[i].positives, areas[i].negatives, 0.95);
        g_assert_cmpfloat_with_epsilon(a.low, areas[i].low, 1e-9);
        g_assert_cmpfloat_with_epsilon(a.high, areas[i].high, 1e-9);
    }
    g_assert_true(isnan(rmil_wilson(0.5, 0, 0.95).low) && isnan(rmil_wilson(NAN, 4, 0.95).low) && isnan(rmil_wilson(0.5, 4, 1).low));
    g_assert_true(isnan(rmil_newcombe(1, 0, 4, 0.95).low) && isnan(rmil_newcombe(NAN, 4, 4, 0.95).low));
}

/* Eight slides told apart perfectly: every interval has a width. */
static void test_perfect(void) {
    const int labels[] = {0, 0, 0, 0, 1, 1, 1, 1};
    const double scores[] = {0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9}, equal[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    RmilMetricIntervals i;
    rmil_metric_intervals(labels, scores, 8, 0.5, 0.95, 500, 0, &i);
    const RmilInterval *all = &i.auroc;
    for (int m = 0; m < 6; m++) {
        g_assert_cmpfloat(all[m].low, <, 0.75);
        g_assert_cmpfloat(all[m].high, ==, 1);
        g_assert_cmpstr(all[m].method, ==, m == 0 ? "Newcombe" : m < 3 ? "Wilson" : "exact");
    }
    g_assert_cmpfloat_with_epsilon(i.accuracy.low, 0.630583352447181, 1e-12); /* R: binom.test(8, 8) */
    g_assert_cmpfloat_with_epsilon(i.sensitivity.low, 0.397635364383525, 1e-12);
    rmil_metric_intervals(labels, equal, 8, 0.4, 0.95, 500, 0, &i);
    g_assert_cmpstr(i.auroc.method, ==, "Newcombe");
    g_assert_cmpfloat_with_epsilon(i.auroc.low + i.auroc.high, 1, 1e-9);
}

/* -- bootstrap and DeLong on simulated slides ------------------------------------------------------------------------ */
static void simulate(RmilRng *rng, int64_t n, double shift, int *labels, double *scores) {
    for (int64_t i = 0; i < n; i++) {
        labels[i] = i % 3 == 0;
        scores[i] = rmil_rng_normal(rng) + (labels[i] ? shift : 0);
    }
}

static void test_bootstrap(void) {
    enum { N = 129 };
    int labels[N];
    double scores[N], variance;
    RmilRng rng;
    RmilMetricIntervals a, b, narrow;
    RmilInterval delong;
    RmilMetrics m;
    rmil_rng_init(&rng, 5, 0);
    simulate(&rng, N, 1, labels, scores);
    rmil_metrics(labels, scores, N, 0.5, &m);
    rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 2000, 11, &a);
    rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 2000, 11, &b);
    g_assert_cmpint(memcmp(&a, &b, sizeof a), ==, 0);
    rmil_metric_intervals(labels, scores, N, 0.5, 0.5, 2000, 12, &narrow);
    const double value[] = {m.auroc, m.auprc, m.average_precision, m.accuracy, m.sensitivity, m.specificity};
    const RmilInterval *wide = &a.auroc, *half = &narrow.auroc;
    for (int i = 0; i < 6; i++) {
        g_assert_cmpfloat(wide[i].low, <, half[i].low);
        g_assert_cmpfloat(half[i].low, <=, value[i] + 0.02);
        g_assert_cmpfloat(half[i].high, >=, value[i] - 0.02);
        g_assert_cmpfloat(wide[i].high, >, half[i].high);
        g_assert_cmpfloat(wide[i].high, <=, 1);
    }
    /* both estimate the same spread */
    rmil_delong(labels, scores, N, 0.95, &variance, &delong);
    g_assert_cmpfloat(fabs((a.auroc.high - a.auroc.low) / (delong.high - delong.low) - 1), <, 0.1);
    /* one round: both ends are that round's value */
    rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 1, 3, &a);
    g_assert_cmpfloat(a.auroc.low, ==, a.auroc.high);
}

/* 95 % intervals hold the true AUROC, Φ(shift / √2), about 95 % of the time. */
static void test_coverage(void) {
    enum { N = 90, TRIALS = 300 };
    const double truth = 0.5 * erfc(-0.8 / G_SQRT2 / G_SQRT2);
    int labels[N], delong_hits = 0, bootstrap_hits = 0, rejected = 0;
    double scores[N], other[N], variance, z, p;
    for (int trial = 0; trial < TRIALS; trial++) {
        RmilRng rng;
        RmilInterval delong;
        RmilMetricIntervals all;
        rmil_rng_init(&rng, 77, (uint64_t)trial);
        simulate(&rng, N, 0.8, labels, scores);
        simulate(&rng, N, 0.8, labels, other);
        rmil_delong(labels, scores, N, 0.95, &variance, &delong);
        rmil_metric_intervals(labels, scores, N, 0.5, 0.95, 200, (uint64_t)trial, &all);
        rmil_delong_test(labels, scores, other, N, &z, &p, NULL);
        delong_hits += delong.low <= truth && truth <= delong.high;
        bootstrap_hits += all.auroc.low <= truth && truth <= all.auroc.high;
        rejected += p < 0.05;
    }
    g_assert_cmpint(delong_hits, >=, TRIALS * 91 / 100);
    g_assert_cmpint(delong_hits, <, TRIALS);
    g_assert_cmpint(bootstrap_hits, >=, TRIALS * 90 / 100);
    g_assert_cmpint(bootstrap_hits, <, TRIALS);
    g_assert_cmpint(rejected, <=, TRIALS * 9 / 100);
    g_assert_cmpint(rejected, >=, TRIALS * 1 / 100);
}

/* -- localisation ---------------------------------------------------------------------------------------------------- */
static void test_localisation(void) {
    const float attention[10] = {0.9f, 0.8f, 0.7f, 0.6f, 0.5f, 0.4f, 0.3f, 0.2f, 0.1f, 0.0f};
    const uint8_t labels[10] = {0, 1, 0, 1, 1, 0, 0, 0, 1, 0};
    const double alphas[] = {1, 50, 75, 100};
    double iou[4], dice[4], pointing[4];
    rmil_localisation(attention, labels, 10, alphas, 4, iou, dice, pointing);
    const double hits[] = {0, 1, 1, 2}, selected[] = {1, 2, 3, 4}, pointed[] = {0, 1, 1, 1};
    for (int i = 0; i < 4; i++) {
        g_assert_cmpfloat_with_epsilon(iou[i], hits[i] / (selected[i] + 4 - hits[i]), 1e-15);
        g_assert_cmpfloat_with_epsilon(dice[i], 2 * hits[i] / (selected[i] + 4), 1e-15);
        g_assert_cmpfloat(pointing[i], ==, pointed[i]);
    }
    /* the ideal ranking scores 1 at 100 %; equal attention goes by patch order; NaN comes last */
    const float ideal[4] = {0, 1, 0, 1}, equal[4] = {0}, broken[4] = {NAN, 0.1f, NAN, 0};
    const uint8_t two[4] = {0, 1, 0, 1}, none[4] = {0};
    rmil_localisation(ideal, two, 4, alphas + 3, 1, iou, dice, pointing);
    g_assert_true(iou[0] == 1 && dice[0] == 1 && pointing[0] == 1);
    rmil_localisation(equal, two, 4, alphas + 3, 1, iou, dice, pointing);
    g_assert_cmpfloat_with_epsilon(iou[0], 1.0 / 3, 1e-15);
    rmil_localisation(broken, two, 4, alphas + 3, 1, iou, dice, pointing);
    g_assert_true(iou[0] == 1);
    rmil_localisation(ideal, none, 4, alphas, 4, iou, dice, pointing);
    g_assert_true(isnan(iou[0]) && isnan(dice[3]) && isnan(pointing[1]));
    const uint8_t one = 1;
    rmil_localisation(ideal, &one, 1, alphas, 1, iou, dice, pointing);
    g_assert_true(iou[0] == 1 && dice[0] == 1 && pointing[0] == 1);
}

static void test_numbers(void) {
    const double values[] = {1, NAN, 3, 8, NAN, NAN}, sorted[] = {1, 2, 4, 8};
    double mean, sd;
    rmil_mean_sd(values, 6, 1, &mean, &sd);
    g_assert_cmpfloat(mean, ==, 4);
    g_assert_cmpfloat_with_epsilon(sd, sqrt(13), 1e-15);
    rmil_mean_sd(values, 2, 3, &mean, &sd); /* 1 and 8 */
    g_assert_cmpfloat(mean, ==, 4.5);
    g_assert_cmpfloat_with_epsilon(sd, sqrt(24.5), 1e-15);
    rmil_mean_sd(values, 2, 1, &mean, &sd);
    g_assert_true(mean == 1 && isnan(sd));
    rmil_mean_sd(values + 4, 2, 1, &mean, &sd);
    g_assert_true(isnan(mean) && isnan(sd));
    g_assert_cmpfloat(rmil_quantile(sorted, 4, 0), ==, 1);
    g_assert_cmpfloat(rmil_quantile(sorted, 4, 0.25), ==, 1.75);
    g_assert_cmpfloat(rmil_quantile(sorted, 4, 0.5), ==, 3);
    g_assert_cmpfloat(rmil_quantile(sorted, 4, 1), ==, 8);
    g_assert_cmpfloat(rmil_quantile(sorted, 1, 0.7), ==, 1);
}

/* A perfect ranking stays perfect in every resample; a band holds the curve and rises with it; one class has none. */
static void test_band(void) {
    enum { POINTS = 11 };
    const int labels[] = {1, 1, 1, 1, 0, 0, 0, 0, 0};
    const double perfect[] = {9, 8, 7, 6, 5, 4, 3, 2, 1}, mixed[] = {9, 5, 7, 2, 8, 4, 3, 6, 1};
    double low[POINTS], high[POINTS], again[POINTS];
    g_assert_true(rmil_roc_band(labels, perfect, 9, 0.95, 100, 0, POINTS, low, high));
    for (int p = 0; p < POINTS; p++) g_assert_true(low[p] == 1 && high[p] == 1);
    g_assert_true(rmil_roc_band(labels, mixed, 9, 0.95, 500, 0, POINTS, low, high));
    g_assert_true(rmil_roc_band(labels, mixed, 9, 0.95, 500, 0, POINTS, again, high));
    g_autoptr(GArray) curve = rmil_roc_curve(labels, mixed, 9);
    for (int p = 0; p < POINTS; p++) {
        double there = 0;
        for (guint i = 0; i < curve->len; i++)
            if (g_array_index(curve, RmilCurvePoint, i).x <= p / 10.0 + 1e-12) there = g_array_index(curve, RmilCurvePoint, i).y;
        g_assert_true(low[p] == again[p] && low[p] <= there && there <= high[p]);
        g_assert_true(p == 0 || (low[p] >= low[p - 1] && high[p] >= high[p - 1]));
    }
    g_assert_cmpfloat(low[5], <, high[5]);
    g_assert_false(rmil_roc_band(labels, mixed, 4, 0.95, 100, 0, POINTS, low, high));
    g_assert_false(rmil_roc_band(labels, (double[]){9, NAN, 7, 2, 8, 4, 3, 6, 1}, 9, 0.95, 100, 0, POINTS, low, high));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/evaluate/ranking", test_ranking);
    g_test_add_func("/evaluate/undefined", test_undefined);
    g_test_add_func("/evaluate/extremes", test_extremes);
    g_test_add_func("/evaluate/intervals", test_intervals);
    g_test_add_func("/evaluate/perfect", test_perfect);
    g_test_add_func("/evaluate/bootstrap", test_bootstrap);
    g_test_add_func("/evaluate/delong", test_delong);
    g_test_add_func("/evaluate/coverage", test_coverage);
    g_test_add_func("/evaluate/mann-whitney", test_mann_whitney);
    g_test_add_func("/evaluate/wilcoxon", test_wilcoxon);
    g_test_add_func("/evaluate/holm", test_holm);
    g_test_add_func("/evaluate/localisation", test_localisation);
    g_test_add_func("/evaluate/numbers", test_numbers);
    g_test_add_func("/evaluate/band", test_band);
    return g_test_run();
}
