/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil compare A.csv B.csv: are the scores of one set of runs higher than those of another? */
#include "cli.h"

#include <math.h>
#include <string.h>

static gboolean read_column(const char *path, const char *column, const char *where, GArray *values, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    int c = rmil_table_find(table, column), w = -1;
    g_auto(GStrv) condition = where ? g_strsplit(where, "=", 2) : NULL;
    if (condition && condition[0] && condition[1]) w = rmil_table_find(table, condition[0]);
    if (c < 0 || (where && w < 0)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: there is no column \"%s\"", path, c < 0 ? column : condition[0]);
        return FALSE;
    }
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        double value;
        if (where && strcmp(rmil_table_cell(table, r, w), condition[1]) != 0) continue;
        if (!rmil_table_number(table, r, c, &value, error)) return FALSE;
        g_array_append_val(values, value);
    }
    if (values->len) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: has no values to compare", path);
    return FALSE;
}

int command_compare(int argc, char **argv) {
    static const CliUsage usage = {"A.csv B.csv",
                                   "Mann-Whitney U between two columns of scores, two-sided, as the paper compares methods.",
                                   "Each row is one run. If both tables have the same number of rows, row n of one is paired with "
                                   "row n of the other\n"
                                   "(same split, same seed), and Wilcoxon's signed-rank test is added.",
                                   2,
                                   2,
                                   0,
                                   "compare mine.csv theirs.csv\ncompare runs.csv runs.csv --where-a method=rank --where-b method=abmil"};
    Cli cli;
    int status;
    g_autofree char *column = NULL, *where_a = NULL, *where_b = NULL;
    const GOptionEntry own[] = {
        {"column", 0, 0, G_OPTION_ARG_STRING, &column, "column to compare (default: auroc)", "NAME"},
        {"where-a", 0, 0, G_OPTION_ARG_STRING, &where_a, "use only A's rows with this value in this column", "COLUMN=VALUE"},
        {"where-b", 0, 0, G_OPTION_ARG_STRING, &where_b, "use only B's rows with this value in this column", "COLUMN=VALUE"},
        {0},
    };
    const CliGroup groups[] = {{"The tables", own}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    if ((where_a && !strchr(where_a, '=')) || (where_b && !strchr(where_b, '=')))
        return cli_usage(&cli, "--where-a and --where-b take COLUMN=VALUE");
    g_autoptr(GArray) a = g_array_new(FALSE, FALSE, sizeof(double)), b = g_array_new(FALSE, FALSE, sizeof(double));
    GError *error = NULL;
    if (!read_column(argv[1], column ? column : "auroc", where_a, a, &error) ||
        !read_column(argv[2], column ? column : "auroc", where_b, b, &error))
        return cli_fail(&cli, error);
    double u, p, mean_a, mean_b, sd_a, sd_b;
    rmil_mann_whitney((const double *)a->data, a->len, (const double *)b->data, b->len, &u, &p);
    rmil_mean_sd((const double *)a->data, a->len, 1, &mean_a, &sd_a);
    rmil_mean_sd((const double *)b->data, b->len, 1, &mean_b, &sd_b);
    cli_say(&cli, "A: n %u, mean %.4f, SD %.4f\nB: n %u, mean %.4f, SD %.4f\nMann-Whitney U %.1f, two-sided p %.4g", a->len, mean_a, sd_a,
            b->len, mean_b, sd_b, u, p);
    cli_json_number(cli.result, "mean_a", mean_a);
    cli_json_number(cli.result, "mean_b", mean_b);
    cli_json_number(cli.result, "sd_a", sd_a);
    cli_json_number(cli.result, "sd_b", sd_b);
    cli_json_number(cli.result, "u", u);
    cli_json_number(cli.result, "p", p);
    if (a->len == b->len) {
        double w, paired;
        rmil_wilcoxon((const double *)a->data, (const double *)b->data, a->len, &w, &paired);
        cli_say(&cli, "paired by row: Wilcoxon W %.1f, two-sided p %.4g", w, paired);
        cli_json_number(cli.result, "wilcoxon_w", w);
        cli_json_number(cli.result, "wilcoxon_p", paired);
    }
    return cli_done(&cli);
}
