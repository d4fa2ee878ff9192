/* rankmil metrics PREDICTIONS.csv: labels and scores -> metrics with intervals. */
#include "metrics.h"

#include <math.h>
#include <string.h>

#define USUAL_CUT 0.5

gboolean scores_read(const char *path, const char *label_column, const char *score_column, const char *split, Scores *scores,
                     GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    int label = rmil_table_find(table, label_column), score = rmil_table_find(table, score_column), part = rmil_table_find(table, "split");
    if (label < 0 || score < 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: there is no column \"%s\"", path, label < 0 ? label_column : score_column);
        return FALSE;
    }
    int64_t rows = rmil_table_rows(table);
    const int id = rmil_table_find(table, "id");
    g_autoptr(GString) ids = g_string_new(NULL);
    *scores = (Scores){.labels = g_new(int, rows), .scores = g_new(double, rows), .split = part >= 0 ? split : NULL};
    for (int64_t r = 0; r < rows; r++) {
        const char *cell = rmil_table_cell(table, r, label);
        double value;
        if ((split && part >= 0 && strcmp(rmil_table_cell(table, r, part), split) != 0) || !*cell) continue;
        if (strcmp(cell, "0") != 0 && strcmp(cell, "1") != 0) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": label \"%s\" is not 0 or 1", path,
                        rmil_table_line(table, r), cell);
        } else if (rmil_table_number(table, r, score, &value, error)) {
            scores->labels[scores->count] = cell[0] - '0';
            scores->scores[scores->count++] = value;
            scores->positives += cell[0] - '0';
            g_string_append_printf(ids, "%s\n", id >= 0 ? rmil_table_cell(table, r, id) : cell);
            continue;
        }
        scores_clear(scores);
        return FALSE;
    }
    scores->ids = g_string_free(g_steal_pointer(&ids), FALSE);
    return TRUE;
}

gboolean scores_check(const Scores *scores, const char *path, GError **error) {
    if (scores->positives && scores->positives < scores->count) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                "%s: %s%s%s%" G_GINT64_FORMAT " cases of label 0 and %" G_GINT64_FORMAT " of label 1: ranking metrics need both", path,
                scores->split ? "split " : "", scores->split ? scores->split : "", scores->split ? ": " : "",
                scores->count - scores->positives, scores->positives);
    return FALSE;
}

void scores_clear(Scores *scores) {
    g_clear_pointer(&scores->labels, g_free);
    g_clear_pointer(&scores->scores, g_free);
    g_clear_pointer(&scores->ids, g_free);
}

static void add_row(Cli *cli, JsonObject *out, const char *name, double value, RmilInterval interval) {
    JsonObject *object = json_object_new();
    cli_json_number(object, "value", value);
    cli_json_number(object, "low", interval.low);
    cli_json_number(object, "high", interval.high);
    if (interval.method) json_object_set_string_member(object, "interval", interval.method);
    json_object_set_object_member(out, name, object);
    if (interval.method) cli_say(cli, "%-18s %7.4f   %.4f to %.4f  %s", name, value, interval.low, interval.high, interval.method);
    else cli_say(cli, "%-18s %7.4f   no interval", name, value);
}

JsonObject *scores_metrics(Cli *cli, const Scores *scores, double cut, int64_t rounds) {
    RmilMetrics m;
    RmilMetricIntervals i;
    RmilInterval delong;
    double variance;
    rmil_metrics(scores->labels, scores->scores, scores->count, cut, &m);
    rmil_metric_intervals(scores->labels, scores->scores, scores->count, cut, 0.95, rounds, (uint64_t)cli->seed, &i);
    rmil_delong(scores->labels, scores->scores, scores->count, 0.95, &variance, &delong);
    JsonObject *out = json_object_new();
    json_object_set_int_member(out, "positives", m.positives);
    json_object_set_int_member(out, "negatives", m.negatives);
    cli_say(cli,
            "%" G_GINT64_FORMAT " positive and %" G_GINT64_FORMAT
            " negative cases; 95 %% intervals, by whom stands behind them (bootstrap: "
            "stratified, %" G_GINT64_FORMAT " rounds)",
            m.positives, m.negatives, rounds);
    add_row(cli, out, "auroc", m.auroc, i.auroc);
    add_row(cli, out, "auroc (DeLong)", m.auroc, delong);
    add_row(cli, out, "auprc", m.auprc, i.auprc);
    add_row(cli, out, "average_precision", m.average_precision, i.average_precision);
    add_row(cli, out, "accuracy", m.accuracy, i.accuracy);
    add_row(cli, out, "sensitivity", m.sensitivity, i.sensitivity);
    add_row(cli, out, "specificity", m.specificity, i.specificity);
    return out;
}

/* Scores that are no probabilities, at a cut that nobody chose. */
static void doubt_cut(Cli *cli, const Scores *scores, const char *path, double cut) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < scores->count; i++) {
        low = MIN(low, scores->scores[i]);
        high = MAX(high, scores->scores[i]);
    }
    if (scores->count && (low < 0 || high > 1))
        rmil_monitor_warn(&cli->monitor,
                          "%s: the scores lie in %g … %g, so they are no probabilities: accuracy, sensitivity and specificity are of "
                          "the cut %g, which --cut changes",
                          path, low, high, cut);
}

int command_metrics(int argc, char **argv) {
    static const CliUsage usage = {"PREDICTIONS.csv",
                                   "Metrics of any table of labels and scores, with 95 % intervals.",
                                   "With a column \"split\", only the rows of --split count (default: test, where there are any).",
                                   1,
                                   1,
                                   CLI_SEED,
                                   "metrics predictions.csv\nmetrics scores.csv --label-column truth --score-column score --cut 0.3"};
    Cli cli;
    int status;
    g_autofree char *label = NULL, *score = NULL, *split = NULL;
    gdouble cut = NAN;
    gint64 rounds = 2000;
    const GOptionEntry own[] = {
        {"label-column", 0, 0, G_OPTION_ARG_STRING, &label, "column of labels, 0 or 1 (default: label)", "NAME"},
        {"score-column", 0, 0, G_OPTION_ARG_STRING, &score, "column of scores (default: probability)", "NAME"},
        {"split", 0, 0, G_OPTION_ARG_STRING, &split, "rows of this split only; \"all\" for every row", "NAME"},
        {"cut", 0, 0, G_OPTION_ARG_DOUBLE, &cut, "positive above this score (default: 0.5)", "X"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT64, &rounds, "rounds of the bootstrap (default: 2000)", "N"},
        {0},
    };
    const CliGroup groups[] = {{"The table", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if (rounds < 1 || rounds > 10000000) return cli_usage(&cli, "--bootstrap %" G_GINT64_FORMAT " is not in 1 … 10000000", rounds);
    Scores scores;
    GError *error = NULL;
    const char *part = split ? (strcmp(split, "all") == 0 ? NULL : split) : "test";
    if (!scores_read(argv[1], label ? label : "label", score ? score : "probability", part, &scores, &error)) return cli_fail(&cli, error);
    const gboolean both = scores_check(&scores, argv[1], &error);
    if (both && isnan(cut)) doubt_cut(&cli, &scores, argv[1], USUAL_CUT);
    if (both) json_object_set_object_member(cli.result, "metrics", scores_metrics(&cli, &scores, isnan(cut) ? USUAL_CUT : cut, rounds));
    scores_clear(&scores);
    return both ? cli_done(&cli) : cli_fail(&cli, error);
}
