/* SPDX-License-Identifier: Apache-2.0 */
/* Training: its options on the command line, loading its data, and its plan. */
#include "train.h"

#include <string.h>

GOptionEntry train_entry(RmilTrainOptions *options, const char *name) {
    const RmilOption *option = rmil_train_option_find(name);
    return (GOptionEntry){option->name,
                          0,
                          0,
                          option->type == RMIL_OPTION_FILE ? G_OPTION_ARG_FILENAME : G_OPTION_ARG_STRING,
                          rmil_train_options_text(options, option),
                          option->summary,
                          option->unit};
}

GOptionEntry *train_entries(RmilTrainOptions *options) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    GOptionEntry *entries = g_new0(GOptionEntry, count + 1);
    for (gsize i = 0; i < count; i++) entries[i] = train_entry(options, table[i].name);
    return entries;
}

gboolean train_begin(Cli *cli, int *argc, char ***argv, const CliUsage *usage, const CliGroup *groups, const RmilTrainOptions *options,
                     int *status) {
    g_autoptr(GError) error = NULL;
    if (!cli_begin(cli, argc, argv, usage, groups, status)) return FALSE;
    if (rmil_train_options_parse(options, &error)) return TRUE;
    *status = cli_usage(cli, "%s", error->message);
    return FALSE;
}

RmilTrainData *train_data_load(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, GError **error) {
    RmilTrainData *data = rmil_train_data_load(cohort, options, cache, cli->threads, &cli->monitor, error);
    if (!data) return NULL;
    for (int64_t i = 0; i < data->count; i++)
        if (!data->bags[i])
            cli_problem(cli, "load", data->cohort->rows[i].id, g_error_new_literal(RMIL_ERROR, RMIL_ERROR_DATA, data->set->errors[i]));
    json_object_set_int_member(cli->result, "slides", data->count);
    json_object_set_int_member(cli->result, "loaded", data->set->loaded);
    json_object_set_int_member(cli->result, "feature_dim", data->set->dim);
    json_object_set_int_member(cli->result, "memory_bytes", data->set->memory_bytes);
    json_object_set_int_member(cli->result, "mapped_bytes", data->set->mapped_bytes);
    return data;
}

GArray *train_repeats(const Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **error) {
    g_autofree int64_t *seeds = g_new(int64_t, repeats);
    for (int64_t i = 0; i < repeats; i++) seeds[i] = cli->seed + i;
    return rmil_train_options_repeats(options, cohort, seeds, repeats, error);
}

gboolean train_check(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **undivided,
                     GError **error) {
    g_autoptr(GArray) twins = rmil_cohort_twins(cohort);
    const gboolean drawn = !rmil_train_options_get(options, "splits");
    if (!rmil_cohort_check_labels(cohort, &cli->monitor, error) || (drawn && !rmil_cohort_check_sets(cohort, error)) ||
        !rmil_cohort_check_twins(cohort, twins, NULL, &cli->monitor, error))
        return FALSE;
    RmilBagSetOptions load;
    if (!rmil_train_options_load(options, &load, error)) return FALSE;
    g_autoptr(RmilCohort) patients = load.bag == RMIL_BAG_PATIENT ? rmil_cohort_by_patient(cohort, error) : NULL;
    if (load.bag == RMIL_BAG_PATIENT && !patients) return FALSE;
    g_autofree int64_t *bags = g_new(int64_t, cohort->count);
    g_autofree RmilSplit *splits = g_new(RmilSplit, cohort->count);
    rmil_cohort_bag_rows(patients ? patients : cohort, bags);
    g_autoptr(GArray) divided = train_repeats(cli, patients ? patients : cohort, options, repeats, undivided && drawn ? undivided : error);
    for (guint i = 0; divided && i < divided->len; i++) {
        for (int64_t k = 0; k < cohort->count; k++) splits[k] = g_array_index(divided, RmilRepeat, i).splits[bags[k]];
        if (!rmil_cohort_check_twins(cohort, twins, splits, &cli->monitor, error)) return FALSE;
    }
    return divided != NULL || (undivided && drawn);
}

gboolean train_plan(Cli *cli, const char *folder, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *options,
                    RmilRunFolders folders, JsonNode *preprocessing, gboolean clean, RmilStudyOutcome *outcome, GError **error) {
    const RmilStudyOptions to = {.folder = folder,
                                 .threads = cli->threads,
                                 .folders = folders,
                                 .preprocessing = preprocessing,
                                 .clean = clean};
    gboolean done = rmil_study_execute(plan, data, options, &to, &cli->monitor, outcome, error);
    for (guint i = 0; i < outcome->failures->len; i++) {
        const RmilStudyFailure *failure = outcome->failures->pdata[i];
        const char *id = *failure->folder ? failure->folder + strlen("runs/") : NULL;
        cli_problem(cli, "train", id, g_error_new_literal(RMIL_ERROR, RMIL_ERROR_DATA, failure->message));
    }
    rmil_study_outcome_clear(outcome);
    return done;
}
