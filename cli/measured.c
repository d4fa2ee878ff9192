/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of predictions for any task. */
#include "metrics.h"

#include <math.h>

void measured_clear(Measured *measured) {
    g_clear_pointer(&measured->rows, g_array_unref);
    g_clear_pointer(&measured->train, g_array_unref);
}

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

/* "12 normal, 5 LUAD and 2 LUSC"; for numbers only how many there are. */
static char *counts_of(const RmilTask *task, const GArray *rows) {
    char *counts = rmil_predictions_counts(rows, task, " and ");
    return counts ? counts : g_strdup_printf("%u", rows->len);
}

gboolean measured_check(const Measured *measured, const char *where, GError **error) {
    const RmilTask *task = &measured->task;
    const GArray *rows = measured->rows;
    if (rmil_predictions_measurable(rows, task)) return TRUE;
    g_autofree char *counts = counts_of(task, rows);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: %s cases: %s", where, counts,
                task->classes == 2                 ? "ranking metrics need both"
                : task->kind == RMIL_TASK_CLASSES  ? "ranking metrics need at least two classes"
                : task->kind == RMIL_TASK_SURVIVAL ? "survival metrics need one event and at least one other case"
                                                   : "metrics need at least two values");
    return FALSE;
}

static void add_row(Cli *cli, JsonObject *out, const char *name, double value, RmilInterval interval) {
    JsonObject *object = json_object_new();
    cli_json_number(object, "value", value);
    cli_json_number(object, "low", interval.low);
    cli_json_number(object, "high", interval.high);
    if (interval.method) json_object_set_string_member(object, "interval", interval.method);
    json_object_set_object_member(out, name, object);
    if (interval.method) cli_say(cli, "%-24s %7.4f   %.4f to %.4f  %s", name, value, interval.low, interval.high, interval.method);
    else if (isnan(value)) cli_say(cli, "%-24s undefined", name);
    else cli_say(cli, "%-24s %7.4f   no interval", name, value);
}

/* Each class against the rest, and the confusion matrix. */
static void report_classes(Cli *cli, const Measured *measured, JsonObject *out) {
    const RmilTask *task = &measured->task;
    const int64_t n = measured->rows->len;
    g_autofree int *labels = g_new(int, n);
    g_autofree double *probabilities = g_new(double, n * task->classes);
    rmil_predictions_classes(measured->rows, task, labels, probabilities);
    g_autofree RmilClassMetrics *metrics = g_new(RmilClassMetrics, 1);
    rmil_class_metrics(labels, probabilities, n, task->classes, metrics);
    JsonObject *classes = json_object_new();
    JsonArray *confusion = json_array_new();
    cli_say(cli, "class                      cases    AUROC  sensitivity  specificity");
    for (int c = 0; c < task->classes; c++) {
        JsonObject *one = json_object_new();
        JsonArray *row = json_array_new();
        json_object_set_int_member(one, "cases", metrics->count[c]);
        for (RmilClassMetric m = 0; m < RMIL_CLASS_METRICS; m++) cli_json_number(one, rmil_class_metric_key(m), metrics->one[c][m]);
        json_object_set_object_member(classes, task->names[c], one);
        for (int p = 0; p < task->classes; p++) json_array_add_int_element(row, metrics->confusion[c][p]);
        json_array_add_array_element(confusion, row);
        const double *v = metrics->one[c];
        if (metrics->count[c])
            cli_say(cli, "%-24s %7" G_GINT64_FORMAT "  %7.4f      %7.4f      %7.4f", task->names[c], metrics->count[c], v[RMIL_CLASS_AUROC],
                    v[RMIL_CLASS_SENSITIVITY], v[RMIL_CLASS_SPECIFICITY]);
        else cli_say(cli, "%-24s       0  no case: undefined and left out of the means", task->names[c]);
    }
    json_object_set_object_member(out, "classes", classes);
    json_object_set_array_member(out, "confusion", confusion);
}

/* Sensitivity and specificity at the cut-off stored with the models. */
static void report_cut(Cli *cli, const Measured *measured, JsonObject *out) {
    const RmilDecision *decision = &measured->decision;
    if (measured->task.classes != 2 || !decision->chosen || isnan(decision->cut)) return;
    RmilCutMetrics at;
    RmilInterval shares[RMIL_AT_SHARES];
    g_autofree char *words = rmil_decision_words(decision);
    rmil_measure_cut(measured->rows, decision->cut, &at, shares);
    cli_say(cli, "at the cut-off %.4g (%s):", decision->cut, words);
    cli_json_number(out, "cut", decision->cut);
    json_object_set_string_member(out, "cut_rule", words);
    add_row(cli, out, "sensitivity_at_cut", at.sensitivity, shares[RMIL_AT_SENSITIVITY]);
    add_row(cli, out, "specificity_at_cut", at.specificity, shares[RMIL_AT_SPECIFICITY]);
}

JsonObject *measured_report(Cli *cli, const Measured *measured, RmilMeasuring how) {
    const RmilTask *task = &measured->task;
    JsonObject *out = json_object_new();
    double values[RMIL_MEASURES_MOST];
    RmilInterval intervals[RMIL_MEASURES_MOST];
    int count;
    const RmilMeasure *measures = rmil_measures(task, &count);
    g_autofree char *counts = counts_of(task, measured->rows);
    g_autofree int64_t *groups = rmil_predictions_patients(measured->rows);
    cli_say(cli, "%s cases; 95 %% intervals, each with its method (bootstrap%s, %" G_GINT64_FORMAT " rounds)", counts,
            groups                            ? " of patients"
            : task->kind == RMIL_TASK_CLASSES ? ": stratified"
                                              : "",
            how.rounds);
    rmil_measure(task, measured->rows, measured->train, how, values, intervals);
    if (task->classes == 2) {
        int64_t positives = 0;
        for (guint i = 0; i < measured->rows->len; i++) positives += row_at(measured->rows, i)->target.label;
        json_object_set_int_member(out, "positives", positives);
        json_object_set_int_member(out, "negatives", measured->rows->len - positives);
        g_autofree int *labels = g_new(int, measured->rows->len);
        g_autofree double *scores = g_new(double, measured->rows->len);
        rmil_predictions_scores(measured->rows, labels, scores);
        RmilMetricIntervals bootstrap;
        rmil_metric_intervals_grouped(labels, scores, measured->rows->len, groups, how.cut, 0.95, how.rounds, how.seed, &bootstrap);
        add_row(cli, out, "auroc", values[0], bootstrap.auroc);
        add_row(cli, out, "auroc (DeLong)", values[0], intervals[0]);
    }
    for (int i = task->classes == 2; i < count; i++) {
        g_autofree char *name = g_strdelimit(g_strdup(measures[i].key), "-", '_');
        add_row(cli, out, name, values[i], intervals[i]);
    }
    report_cut(cli, measured, out);
    if (task->classes > 2) report_classes(cli, measured, out);
    return out;
}
