/* SPDX-License-Identifier: Apache-2.0 */
/* tasks/: how their JSON is read and compared; classes, calibration and cut-offs (scikit-learn, SciPy, PyTorch). */
#include "tasks.h"

#include <math.h>
#include <string.h>

static double number_at(JsonArray *array, guint i) {
    return json_array_get_null_element(array, i) ? NAN : json_array_get_double_element(array, i);
}

double task_number(JsonObject *object, const char *member) {
    if (!json_object_has_member(object, member) || json_object_get_null_member(object, member)) return NAN;
    return json_object_get_double_member(object, member);
}

double *task_numbers(JsonObject *object, const char *member, int64_t *n) {
    int64_t columns;
    return task_rows(object, member, n, &columns);
}

int *task_integers(JsonObject *object, const char *member, int64_t *n) {
    g_autofree double *values = task_numbers(object, member, n);
    int *whole = g_new0(int, (gsize)*n + 1);
    for (int64_t i = 0; i < *n; i++) whole[i] = (int)values[i];
    return whole;
}

double *task_rows(JsonObject *object, const char *member, int64_t *rows, int64_t *columns) {
    JsonArray *array = json_object_has_member(object, member) ? json_object_get_array_member(object, member) : NULL;
    const guint n = array ? json_array_get_length(array) : 0;
    const gboolean nested = n && JSON_NODE_HOLDS_ARRAY(json_array_get_element(array, 0));
    const guint wide = nested ? json_array_get_length(json_array_get_array_element(array, 0)) : 1;
    double *values = g_new0(double, (gsize)n *wide + 1);
    *rows = n;
    *columns = wide;
    for (guint i = 0; i < n; i++) {
        JsonArray *row = nested ? json_array_get_array_element(array, i) : NULL;
        if (row && json_array_get_length(row) != wide) *columns = -1;
        for (guint k = 0; k < wide; k++) values[i * wide + k] = !row ? number_at(array, i) : *columns < 0 ? NAN : number_at(row, k);
    }
    return values;
}

void task_compare(TaskDeviation *deviation, const char *where, double value, double expected) {
    double off = isnan(value) && isnan(expected) ? 0 : fabs(value - expected);
    if (isnan(off)) off = INFINITY;
    if (value == expected) off = 0;
    if (off > deviation->off || !*deviation->where) g_strlcpy(deviation->where, where, sizeof deviation->where);
    deviation->off = MAX(deviation->off, off);
}

void task_compare_member(TaskDeviation *deviation, JsonObject *expect, const char *member, double value) {
    if (json_object_has_member(expect, member)) task_compare(deviation, member, value, task_number(expect, member));
}

void task_compare_list(TaskDeviation *deviation, JsonObject *expect, const char *member, const double *values, int64_t n) {
    int64_t count, columns;
    g_autofree double *expected = task_rows(expect, member, &count, &columns);
    if (count * columns != n) task_compare(deviation, member, NAN, 0);
    else
        for (int64_t i = 0; i < n; i++) task_compare(deviation, member, values[i], expected[i]);
}

void task_report(Conformance *c, const char *file, const char *name, const TaskDeviation *deviation, double tolerance) {
    g_autofree char *label = g_strdup_printf("tasks/%s.json: %s", file, name);
    conformance_case(c, deviation->off <= tolerance, label, "largest deviation %.1e, of %s", deviation->off, deviation->where);
}

void task_each(Conformance *c, const char *path, TaskCheck check) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *base = g_path_get_basename(path), *label = g_strconcat("tasks/", base, NULL);
    JsonObject *root = NULL;
    if (json_parser_load_from_file(parser, path, &error) && JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        root = json_node_get_object(json_parser_get_root(parser));
    JsonArray *cases = root && json_object_has_member(root, "cases") ? json_object_get_array_member(root, "cases") : NULL;
    if (!cases || !json_array_get_length(cases)) conformance_case(c, FALSE, label, "%s", error ? error->message : "has no cases");
    for (guint i = 0; cases && i < json_array_get_length(cases); i++) {
        JsonObject *one = json_array_get_object_element(cases, i);
        const char *kind = json_object_get_string_member_with_default(one, "kind", "");
        const char *name = json_object_get_string_member_with_default(one, "name", "");
        g_autofree char *both = g_strdup_printf("%s%s%s%s%u", kind, *kind ? " " : "", name, *name ? " " : "", i);
        check(c, one, both);
    }
}

/* -- multiclass ------------------------------------------------------------------------------------------------------------- */
static const char *const keys[RMIL_CLASSES_METRICS] = {"auroc_ovr_macro", "auroc_ovr_weighted",
                                                       "auroc_ovo_macro", "average_precision_macro",
                                                       "accuracy",        "balanced_accuracy",
                                                       "kappa",           "kappa_linear",
                                                       "kappa_quadratic", "f1_macro",
                                                       "f1_macro_all",    "log_loss",
                                                       "brier",           "ece15"};
static const char *const class_keys[RMIL_CLASS_METRICS] = {"per_class_auroc", "per_class_average_precision", "sensitivity", "specificity",
                                                           "f1_per_class"};

static void compare_class(TaskDeviation *deviation, JsonObject *expect, const RmilClassMetrics *metrics, int metric) {
    int64_t n;
    g_autofree double *expected = task_numbers(expect, class_keys[metric], &n);
    for (int64_t k = 0; k < metrics->classes; k++) {
        /* F1 of a class that is neither a label nor predicted is undefined here; scikit-learn may say 0 */
        if (k < n && metric == RMIL_CLASS_F1 && expected[k] == 0 && isnan(metrics->one[k][metric])) continue;
        task_compare(deviation, class_keys[metric], metrics->one[k][metric], k < n ? expected[k] : INFINITY);
    }
}

static void check_multiclass(Conformance *c, JsonObject *one, const char *name) {
    int64_t n, rows, columns, lines, wide;
    TaskDeviation deviation = {0};
    RmilClassMetrics metrics;
    JsonObject *expect = json_object_get_object_member(one, "expect");
    g_autofree int *labels = task_integers(one, "labels", &n);
    g_autofree double *probabilities = task_rows(one, "probabilities", &rows, &columns),
                      *confusion = task_rows(expect, "confusion", &lines, &wide);
    if (rows != n || columns != json_object_get_int_member(one, "classes") || lines != columns || wide != columns) {
        conformance_case(c, FALSE, name, "tasks/multiclass.json: sizes do not fit");
        return;
    }
    rmil_class_metrics(labels, probabilities, n, (int)columns, &metrics);
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) task_compare_member(&deviation, expect, keys[m], metrics.all[m]);
    for (int m = 0; m < RMIL_CLASS_METRICS; m++)
        if (json_object_has_member(expect, class_keys[m])) compare_class(&deviation, expect, &metrics, m);
    for (int64_t i = 0; i < columns; i++)
        for (int64_t j = 0; j < columns; j++)
            task_compare(&deviation, "confusion", (double)metrics.confusion[i][j], confusion[i * columns + j]);
    task_report(c, "multiclass", name, &deviation, 1e-9);
}

void conformance_multiclass(Conformance *c, const char *path) { task_each(c, path, check_multiclass); }

/* -- calibration -------------------------------------------------------------------------------------------------------------- */
static double mean_loss(const int *labels, const double *logits, int64_t n, int columns, double temperature) {
    g_autofree double *p = g_new0(double, (gsize)columns);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        rmil_temper(logits + i * columns, columns, temperature, p);
        sum -= log(columns > 1 ? p[labels[i]] : labels[i] ? p[0] : 1 - p[0]);
    }
    return sum / (double)n;
}

static void check_temperature(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n, rows, columns;
    g_autofree int *labels = task_integers(one, "labels", &n);
    g_autofree double *logits = task_rows(one, "logits", &rows, &columns);
    const double wanted = task_number(expect, "temperature");
    const double found = rows == n && columns > 0 ? rmil_temperature(labels, logits, n, (int)columns) : INFINITY;
    task_compare(deviation, "temperature", 0.1 * found / wanted, isnan(wanted) ? NAN : 0.1); /* 1e-6 relative of 1e-7 */
    task_compare_member(deviation, expect, "nll_before", mean_loss(labels, logits, n, (int)columns, 1));
    task_compare_member(deviation, expect, "nll_after", isnan(found) ? NAN : mean_loss(labels, logits, n, (int)columns, found));
}

static void check_platt(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    static const char *const kinds[] = {"plain", "smoothed"};
    int64_t n, rows;
    g_autofree int *labels = task_integers(one, "labels", &n);
    g_autofree double *scores = task_numbers(one, "scores", &rows);
    for (int smoothed = 0; smoothed < 2; smoothed++) {
        double a, b;
        if (!json_object_has_member(expect, kinds[smoothed]) || json_object_get_null_member(expect, kinds[smoothed])) continue;
        JsonObject *wanted = json_object_get_object_member(expect, kinds[smoothed]);
        rmil_platt(labels, scores, MIN(n, rows), smoothed, &a, &b);
        task_compare(deviation, "a", 0.1 * a, 0.1 * task_number(wanted, "a")); /* within 1e-6 */
        task_compare(deviation, "b", 0.1 * b, 0.1 * task_number(wanted, "b"));
    }
}

static void check_calibration(Conformance *c, JsonObject *one, const char *name) {
    TaskDeviation deviation = {0};
    JsonObject *expect = json_object_get_object_member(one, "expect");
    const char *kind = json_object_get_string_member(one, "kind");
    if (strcmp(kind, "temperature") == 0) check_temperature(&deviation, one, expect);
    else if (strcmp(kind, "platt") == 0) check_platt(&deviation, one, expect);
    else task_compare(&deviation, "an unknown kind", NAN, 0);
    task_report(c, "calibration", name, &deviation, 1e-7);
}

void conformance_calibration(Conformance *c, const char *path) { task_each(c, path, check_calibration); }

/* -- cut-offs ------------------------------------------------------------------------------------------------------------------ */
static void compare_cut(TaskDeviation *deviation, JsonObject *expect, const char *member, const RmilCut *cut) {
    if (!json_object_has_member(expect, member) || json_object_get_null_member(expect, member)) return;
    JsonObject *wanted = json_object_get_object_member(expect, member);
    task_compare(deviation, member, cut->threshold == task_number(wanted, "threshold") ? 0 : NAN, 0); /* exact */
    task_compare_member(deviation, wanted, "sensitivity", cut->sensitivity);
    task_compare_member(deviation, wanted, "specificity", cut->specificity);
    task_compare_member(deviation, wanted, "j", cut->sensitivity + cut->specificity - 1);
}

static void check_thresholds(Conformance *c, JsonObject *one, const char *name) {
    int64_t n, rows;
    TaskDeviation deviation = {0};
    RmilCut cut;
    RmilCutMetrics at;
    JsonObject *expect = json_object_get_object_member(one, "expect");
    g_autofree int *labels = task_integers(one, "labels", &n);
    g_autofree double *scores = task_numbers(one, "scores", &rows);
    if (rows != n) task_compare(&deviation, "sizes", NAN, 0);
    rmil_cut_youden(labels, scores, MIN(n, rows), &cut);
    compare_cut(&deviation, expect, "youden", &cut);
    rmil_cut_sensitivity(labels, scores, MIN(n, rows), task_number(one, "target_sensitivity"), &cut);
    compare_cut(&deviation, expect, "sensitivity_cut", &cut);
    rmil_cut_metrics(labels, scores, MIN(n, rows), cut.threshold, &at);
    task_compare(&deviation, "metrics at the cut", at.sensitivity, cut.sensitivity);
    task_compare(&deviation, "metrics at the cut", at.specificity, cut.specificity);
    if (json_object_has_member(one, "target_specificity")) {
        rmil_cut_specificity(labels, scores, MIN(n, rows), task_number(one, "target_specificity"), &cut);
        compare_cut(&deviation, expect, "specificity_cut", &cut);
    }
    task_report(c, "thresholds", name, &deviation, 1e-9);
}

void conformance_thresholds(Conformance *c, const char *path) { task_each(c, path, check_thresholds); }
