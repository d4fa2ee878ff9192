/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil metrics PREDICTIONS.csv: labels and scores -> metrics with intervals. */
#include "metrics.h"

#include <math.h>
#include <string.h>

#define USUAL_CUT 0.5

/* A table with labels 0 and 1 and scores in any unit; only the rows of `split` if it has that column (NULL: all). */
static gboolean read_scores(const char *path, const char *label_column, const char *score_column, const char *split, Measured *out,
                            GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    const int label = rmil_table_find(table, label_column), score = rmil_table_find(table, score_column),
              part = rmil_table_find(table, "split");
    if (label < 0 || score < 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: there is no column \"%s\"", path, label < 0 ? label_column : score_column);
        return FALSE;
    }
    rmil_task_init(&out->task);
    out->rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        const char *cell = rmil_table_cell(table, r, label);
        RmilPredictionRow row = {.slide = "", .logit = NAN, .answer = NAN};
        if ((split && part >= 0 && strcmp(rmil_table_cell(table, r, part), split) != 0) || !*cell) continue;
        if (strcmp(cell, "0") != 0 && strcmp(cell, "1") != 0) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": label \"%s\" is not 0 or 1", path,
                        rmil_table_line(table, r), cell);
            return FALSE;
        }
        row.target = RMIL_TARGET_CLASS(cell[0] - '0');
        if (!rmil_table_number(table, r, score, &row.probability, error)) return FALSE;
        g_array_append_val(out->rows, row);
    }
    return TRUE;
}

/* Does the table have columns p_NAME, risk, or value and predicted, so that the task is clear? */
static gboolean tells_task(const char *path) {
    g_autoptr(RmilTable) table = rmil_table_read(path, NULL);
    gboolean tells = table && (rmil_table_find(table, "risk") >= 0 ||
                               (rmil_table_find(table, "value") >= 0 && rmil_table_find(table, "predicted") >= 0));
    for (int c = 0; table && c < rmil_table_columns(table); c++) tells = tells || g_str_has_prefix(rmil_table_name(table, c), "p_");
    return tells;
}

static gboolean read_predictions(const char *path, const char *split, GStringChunk *strings, Measured *out, GError **error) {
    g_autoptr(GArray) rows = rmil_predictions_read(path, &out->task, strings, error);
    if (!rows) return FALSE;
    gboolean parts = FALSE;
    for (guint i = 0; i < rows->len; i++) parts = parts || g_array_index(rows, RmilPredictionRow, i).part != RMIL_SPLIT_NONE;
    out->rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    for (guint i = 0; i < rows->len; i++) {
        const RmilPredictionRow *row = &g_array_index(rows, RmilPredictionRow, i);
        if (rmil_target_known(&out->task, &row->target) && (!split || !parts || strcmp(rmil_split_name(row->part), split) == 0))
            g_array_append_val(out->rows, *row);
    }
    g_autoptr(GArray) train = rmil_predictions_of(rows, &out->task, RMIL_SPLIT_TRAIN);
    if (train->len) out->train = g_steal_pointer(&train);
    return TRUE;
}

/* Warns if scores are not probabilities but are cut at a default cut-off. */
static void doubt_cut(Cli *cli, const GArray *rows, const char *path, double cut) {
    double low = INFINITY, high = -INFINITY;
    for (guint i = 0; i < rows->len; i++) {
        low = MIN(low, g_array_index(rows, RmilPredictionRow, i).probability);
        high = MAX(high, g_array_index(rows, RmilPredictionRow, i).probability);
    }
    if (rows->len && (low < 0 || high > 1))
        rmil_monitor_warn(&cli->monitor,
                          "%s: the scores range from %g to %g, so they are not probabilities: accuracy, sensitivity and specificity "
                          "use the cut-off %g; --cut sets another",
                          path, low, high, cut);
}

int command_metrics(int argc, char **argv) {
    static const CliUsage usage = {
        "PREDICTIONS.csv",
        "Metrics of any table of labels and scores, with 95 % intervals.",
        "If there is a column \"split\", only the rows of --split count (default: test, if there are any). The columns say what is\n"
        "measured: p_NAME for each class and label; risk, time and event; or predicted and value. With a column \"patient\",\n"
        "intervals resample patients.",
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
        {"split", 0, 0, G_OPTION_ARG_STRING, &split, "use only the rows of this split; \"all\" for every row", "NAME"},
        {"cut", 0, 0, G_OPTION_ARG_DOUBLE, &cut, "positive above this score (default: 0.5)", "X"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT64, &rounds, "rounds of the bootstrap (default: 2000)", "N"},
        {0},
    };
    const CliGroup groups[] = {{"The table", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if (rounds < 1 || rounds > 10000000) return cli_usage(&cli, "--bootstrap %" G_GINT64_FORMAT ": must be 1 … 10000000", rounds);
    Measured measured = {.rows = NULL};
    GError *error = NULL;
    const char *part = split ? (strcmp(split, "all") == 0 ? NULL : split) : "test";
    GStringChunk *strings = g_string_chunk_new(1024);
    const RmilMeasuring how = {isnan(cut) ? USUAL_CUT : cut, rounds, (uint64_t)cli.seed};
    gboolean done = !label && !score && tells_task(argv[1])
                        ? read_predictions(argv[1], part, strings, &measured, &error)
                        : read_scores(argv[1], label ? label : "label", score ? score : "probability", part, &measured, &error);
    g_autofree char *where = part ? g_strdup_printf("%s: split %s", argv[1], part) : g_strdup(argv[1]);
    done = done && measured_check(&measured, where, &error);
    if (done && isnan(cut) && measured.task.classes == 2) doubt_cut(&cli, measured.rows, argv[1], USUAL_CUT);
    if (done) json_object_set_object_member(cli.result, "metrics", measured_report(&cli, &measured, how));
    measured_clear(&measured);
    g_string_chunk_free(strings);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
