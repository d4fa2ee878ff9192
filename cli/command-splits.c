/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil splits COHORT: the splits of a cohort as a table for --splits, here or in other programs. */
#include "train.h"

static gboolean write_splits(Cli *cli, const char *path, const RmilTrainOptions *options, Reading *reading, int64_t repeats,
                             const char *output, GError **error) {
    g_autoptr(RmilCohort) cohort = reading_cohort(cli, reading, path, error);
    if (!cohort || !train_check(cli, cohort, options, repeats, NULL, error)) return FALSE;
    g_autoptr(GArray) divided = train_repeats(cli, cohort, options, repeats, error);
    if (!divided || !rmil_repeats_write(cohort, divided, output, error)) return FALSE;
    JsonArray *list = json_array_new();
    json_object_set_array_member(cli->result, "splits", list);
    json_object_set_string_member(cli->result, "table", output);
    for (guint r = 0; r < divided->len; r++) {
        const RmilRepeat *repeat = &g_array_index(divided, RmilRepeat, r);
        int64_t counts[RMIL_SPLIT_TEST + 1] = {0};
        for (int64_t i = 0; i < cohort->count; i++) counts[repeat->splits[i]]++;
        g_autofree char *name = *repeat->name ? g_strdup(repeat->name) : g_strdup_printf("seed-%" G_GINT64_FORMAT, repeat->seed);
        JsonObject *one = json_object_new();
        json_object_set_string_member(one, "name", name);
        for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++)
            json_object_set_int_member(one, rmil_split_name(set), counts[set]);
        json_array_add_object_element(list, one);
        cli_say(cli, "%-16s %5" G_GINT64_FORMAT " for training, %5" G_GINT64_FORMAT " for validation, %5" G_GINT64_FORMAT " for testing",
                name, counts[RMIL_SPLIT_TRAIN], counts[RMIL_SPLIT_VAL], counts[RMIL_SPLIT_TEST]);
    }
    cli_say(cli, "%s", output);
    return TRUE;
}

int command_splits(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT",
        "Divides a cohort into training, validation and test sets, and writes a table of splits.",
        "Patients are never split between sets, and classes are balanced over the sets. The table has one column per split, with\n"
        "train, val or test for every slide that has a label. 'rankmil run --splits' reads it, and so can other programs.",
        1,
        1,
        CLI_SEED,
        "splits cohort.csv --folds 5 -o folds.csv\nsplits cohort.csv --repeats 10 --test-share 0.3 -o splits.csv"};
    Cli cli;
    RmilTrainOptions options;
    Reading reading = {0};
    int status;
    gint64 repeats = 1;
    g_autofree char *output = NULL;
    rmil_train_options_init(&options);
    const GOptionEntry own[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "the table (default: splits.csv)", "CSV"},
        train_entry(&options, "folds"),
        {"repeats", 0, 0, G_OPTION_ARG_INT64, &repeats,
         "number of splits, each with its own seed; with --folds, number of times the folds are drawn (default: 1)", "N"},
        train_entry(&options, "test-share"),
        train_entry(&options, "val-share"),
        {0},
    };
    g_autofree GOptionEntry *table = reading_entries(&reading, TRUE);
    const CliGroup groups[] = {{"The cohort", table}, {"The table of splits", own}, {NULL, NULL}};
    if (!train_begin(&cli, &argc, &argv, &usage, groups, &options, &status)) {
        rmil_train_options_clear(&options);
        reading_clear(&reading);
        return status;
    }
    GError *error = NULL;
    if (repeats < 1 || repeats > 1000) status = cli_usage(&cli, "--repeats must be 1 … 1000");
    else if (write_splits(&cli, argv[1], &options, &reading, repeats, output ? output : "splits.csv", &error)) status = cli_done(&cli);
    else status = cli_fail(&cli, error);
    rmil_train_options_clear(&options);
    reading_clear(&reading);
    return status;
}
