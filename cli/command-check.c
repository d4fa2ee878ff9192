/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil check COHORT: opens everything before hours are spent on it. */
#include "prepare.h"
#include "train.h"

#include <string.h>

/* How many slides have which resolution. A mix is worth reporting, because tiles are resampled to one. */
static void report_mpp(Cli *cli, const RmilCheck *check) {
    JsonObject *mix = json_object_new();
    for (guint i = 0; i < check->mpp->len; i++) {
        const RmilMppCount *count = &g_array_index(check->mpp, RmilMppCount, i);
        g_autofree char *name = g_strdup_printf("%.3f", count->mpp);
        json_object_set_int_member(mix, name, count->slides);
        cli_say(cli, "mpp %s: %" G_GINT64_FORMAT " slides", name, count->slides);
    }
    json_object_set_object_member(cli->result, "mpp", mix);
}

/* How many slides lose which tissue, as far as a coarse mask shows it. */
static void report_left_out(Cli *cli, const RmilCohort *cohort, const RmilCheck *check, const RmilPrepareOptions *options) {
    for (RmilLeftOut reason = RMIL_LEFT_NOTHING + 1; reason < RMIL_LEFT_REASONS; reason++) {
        int64_t slides = 0, worst = 0;
        for (int64_t i = 0; i < cohort->count; i++) {
            slides += check->rows[i].left[reason] > 0;
            if (check->rows[i].left[reason] > check->rows[worst].left[reason]) worst = i;
        }
        if (slides)
            cli_say(cli, "left out as %s: tissue of %" G_GINT64_FORMAT " slide%s, most of %s (%.2g %%)", rmil_left_out_name(reason), slides,
                    slides == 1 ? "" : "s", cohort->rows[worst].id, 100 * check->rows[worst].left[reason]);
    }
    if (options->leave_out && strstr(options->leave_out, rmil_left_out_name(RMIL_LEFT_BLUR)))
        cli_say(cli, "left out as blur: not known yet, since blur is measured on each tile when slides are tiled");
}

/* The size of a tile on these slides, if the default encoder is used. */
static void report_tiles(Cli *cli, const RmilPrepareOptions *o) {
    JsonObject *tiles = json_object_new();
    g_autoptr(GString) said = g_string_new(NULL);
    g_string_printf(said, "tiles: %d px at %g µm per pixel, %.5g µm a side", o->tile_px, o->tile_mpp, o->tile_px * o->tile_mpp);
    if (o->second_mpp > 0)
        g_string_append_printf(said, ", and around the same centre %d px at %g, %.5g µm", o->tile_px, o->second_mpp,
                               o->tile_px * o->second_mpp);
    if (o->overlap > 0) g_string_append_printf(said, ", overlapping by %g px, %.5g µm", o->overlap, o->overlap * o->tile_mpp);
    cli_say(cli, "%s", said->str);
    json_object_set_int_member(tiles, "px", o->tile_px);
    json_object_set_double_member(tiles, "mpp", o->tile_mpp);
    json_object_set_double_member(tiles, "um", o->tile_px * o->tile_mpp);
    if (o->second_mpp > 0) json_object_set_double_member(tiles, "second_mpp", o->second_mpp);
    json_object_set_double_member(tiles, "overlap_px", o->overlap);
    json_object_set_object_member(cli->result, "tiles", tiles);
}

/* The sets: from a table of splits if there is one, whatever the cohort's own column says. */
static char *spoken_sets(const RmilCohort *cohort, const RmilTrainOptions *options) {
    const char *fixed = rmil_train_options_get(options, "splits");
    if (fixed) {
        g_autoptr(RmilSplitTable) table = rmil_split_table_read(fixed, cohort, NULL);
        return table ? g_strdup_printf("%s fixes the sets: %" G_GINT64_FORMAT " split%s", fixed, table->count, table->count == 1 ? "" : "s")
                     : g_strdup_printf("the sets come from %s, which has an error", fixed);
    }
    int64_t splits[4] = {0};
    for (int64_t i = 0; i < cohort->count; i++) splits[cohort->rows[i].split]++;
    return g_strdup_printf("train %" G_GINT64_FORMAT ", val %" G_GINT64_FORMAT ", test %" G_GINT64_FORMAT ", to be drawn %" G_GINT64_FORMAT,
                           splits[RMIL_SPLIT_TRAIN], splits[RMIL_SPLIT_VAL], splits[RMIL_SPLIT_TEST], splits[RMIL_SPLIT_NONE]);
}

/* Rows by class and set. */
static void report_classes(Cli *cli, const RmilTask *task, const RmilCheck *check) {
    JsonObject *classes = json_object_new();
    for (int c = 0; c < task->classes; c++) {
        JsonObject *sets = json_object_new();
        int64_t rows = 0;
        for (RmilSplit set = RMIL_SPLIT_NONE; set <= RMIL_SPLIT_TEST; set++) {
            rows += check->of_class[c][set];
            json_object_set_int_member(sets, set == RMIL_SPLIT_NONE ? "unset" : rmil_split_name(set), check->of_class[c][set]);
        }
        json_object_set_int_member(sets, "rows", rows);
        json_object_set_object_member(classes, task->names[c], sets);
        if (!rmil_task_is_plain(task))
            cli_say(cli,
                    "class %s%s: %" G_GINT64_FORMAT " rows (train %" G_GINT64_FORMAT ", val %" G_GINT64_FORMAT ", test %" G_GINT64_FORMAT
                    ")",
                    task->names[c], c == 0 && task->negative ? ", negative" : "", rows, check->of_class[c][RMIL_SPLIT_TRAIN],
                    check->of_class[c][RMIL_SPLIT_VAL], check->of_class[c][RMIL_SPLIT_TEST]);
    }
    json_object_set_object_member(cli->result, "classes", classes);
}

/* "3 positive (2 rows with an annotation), 4 negative, 0 without label" */
static char *spoken_targets(const RmilTask *task, const RmilCheck *check) {
    const int64_t known = check->positive + check->negative;
    if (task->kind == RMIL_TASK_SURVIVAL)
        return g_strdup_printf("%" G_GINT64_FORMAT " events and %" G_GINT64_FORMAT " censored, %" G_GINT64_FORMAT
                               " without a time; %" G_GINT64_FORMAT " with an annotation",
                               check->events, check->censored, check->unlabelled, check->annotated);
    if (task->kind == RMIL_TASK_NUMBER)
        return g_strdup_printf("%" G_GINT64_FORMAT " with a value, %" G_GINT64_FORMAT " without; %" G_GINT64_FORMAT " with an annotation",
                               known, check->unlabelled, check->annotated);
    if (!rmil_task_is_plain(task))
        return g_strdup_printf("%d classes: %" G_GINT64_FORMAT " with a label, %" G_GINT64_FORMAT " without; %" G_GINT64_FORMAT
                               " with an annotation",
                               task->classes, known, check->unlabelled, check->annotated);
    return g_strdup_printf("%" G_GINT64_FORMAT " positive (%" G_GINT64_FORMAT " rows with an annotation), %" G_GINT64_FORMAT
                           " negative, %" G_GINT64_FORMAT " without label",
                           check->positive, check->annotated, check->negative, check->unlabelled);
}

static void report_cohort(Cli *cli, const RmilCohort *cohort, const RmilCheck *check, const RmilTrainOptions *options) {
    const RmilTask *task = &cohort->task;
    g_autofree char *sets = spoken_sets(cohort, options), *targets = spoken_targets(task, check);
    cli_say(cli, "%s: %" G_GINT64_FORMAT " rows: %s; %s", cohort->path, cohort->count, targets, sets);
    json_object_set_string_member(cli->result, "task", rmil_task_kind_name(task->kind));
    json_object_set_int_member(cli->result, "rows", cohort->count);
    json_object_set_int_member(cli->result, "unlabelled", check->unlabelled);
    json_object_set_int_member(cli->result, "annotated", check->annotated);
    json_object_set_int_member(cli->result, "patients", check->patients);
    json_object_set_int_member(cli->result, "sites", check->sites);
    if (task->kind == RMIL_TASK_CLASSES) {
        json_object_set_int_member(cli->result, "positive", check->positive);
        json_object_set_int_member(cli->result, "negative", check->negative);
        report_classes(cli, task, check);
    }
    if (task->kind == RMIL_TASK_SURVIVAL) {
        json_object_set_int_member(cli->result, "events", check->events);
        json_object_set_int_member(cli->result, "censored", check->censored);
    }
    if (check->patients) cli_say(cli, "patients: %" G_GINT64_FORMAT, check->patients);
    if (check->sites) cli_say(cli, "sites: %" G_GINT64_FORMAT, check->sites);
}

static gboolean has_targets(const RmilCohort *cohort) {
    for (int64_t i = 0; i < cohort->count; i++)
        if (rmil_target_known(&cohort->task, &cohort->rows[i].target)) return TRUE;
    return FALSE;
}

/* What training would report about the table. */
static void report_table(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options) {
    g_autoptr(GArray) twins = rmil_cohort_twins(cohort);
    g_autoptr(GError) undivided = NULL;
    GError *error = NULL;
    gboolean good = has_targets(cohort) ? train_check(cli, cohort, options, 1, &undivided, &error)
                                        : rmil_cohort_check_twins(cohort, twins, NULL, &cli->monitor, &error);
    if (!good) cli_problem(cli, "check", NULL, error);
    if (undivided) rmil_monitor_warn(&cli->monitor, "too few slides to train on: %s", undivided->message);
}

/* Nothing is written, so the folder does not matter. */
static gboolean check(Cli *cli, const char *table, RmilPrepareOptions *preparation, const RmilTrainOptions *options, Reading *reading,
                      GError **error) {
    g_autoptr(RmilWork) work = prepare_open(cli, ".", preparation, table, reading, error);
    if (!work) return FALSE;
    g_autoptr(RmilCheck) found = rmil_work_check(work);
    report_cohort(cli, work->cohort, found, options);
    report_table(cli, work->cohort, options);
    report_mpp(cli, found);
    if (rmil_work_encodes(work)) report_tiles(cli, &work->options);
    report_left_out(cli, work->cohort, found, &work->options);
    const guint warnings = json_array_get_length(cli->warnings);
    if (!json_array_get_length(cli->problems) && warnings) cli_say(cli, "no errors, but %u warning%s", warnings, warnings > 1 ? "s" : "");
    else if (!json_array_get_length(cli->problems)) cli_say(cli, "nothing wrong was found");
    return TRUE;
}

int command_check(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT",
        "Opens every slide, annotation and feature file of a cohort and reports what is wrong.",
        "Also reports how training would read the table (what is predicted, the classes in each set, splits, columns\n"
        "with similar names, slides listed twice), patients in several sets, mixed resolutions, annotations that belong\n"
        "to another slide, what is left out of annotations, and lesions on negative slides.",
        1,
        1,
        CLI_THREADS,
        "check cohort.csv\ncheck cohort.csv --lesion Tumor --splits splits.csv"};
    Cli cli;
    RmilPrepareOptions preparation;
    RmilTrainOptions options;
    Reading reading = {0};
    int status;
    rmil_prepare_options_init(&preparation);
    rmil_train_options_init(&options);
    const GOptionEntry own[] = {
        train_entry(&options, "splits"),
        {0},
    };
    g_autofree GOptionEntry *tiles = prepare_tile_entries(&preparation), *labels = prepare_label_entries(&preparation),
                            *table = reading_entries(&reading, TRUE);
    const CliGroup groups[] = {{"The table", table}, {"Splits", own}, {"Tiles", tiles}, {"Annotations", labels}, {NULL, NULL}};
    if (cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        GError *error = NULL;
        status = check(&cli, argv[1], &preparation, &options, &reading, &error) ? cli_done(&cli) : cli_fail(&cli, error);
    }
    rmil_prepare_options_clear(&preparation);
    rmil_train_options_clear(&options);
    reading_clear(&reading);
    return status;
}
