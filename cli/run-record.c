/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/run.json: options, plan, and in the end the outcome. */
#include "run.h"

/* For one set: bags by class, or by whether the event was observed. Plain labels are given as positive and negative. */
static void add_targets(JsonObject *set, const RmilTask *task, const int64_t *counts) {
    if (task->kind == RMIL_TASK_SURVIVAL) {
        json_object_set_int_member(set, "events", counts[0]);
        json_object_set_int_member(set, "censored", counts[1]);
    }
    if (task->kind != RMIL_TASK_CLASSES || rmil_task_is_plain(task)) return;
    JsonObject *classes = json_object_new();
    for (int c = 0; c < task->classes; c++) json_object_set_int_member(classes, task->names[c], counts[c]);
    json_object_set_object_member(set, "classes", classes);
}

/* Where the sets come from: a file, folds, or the share that was drawn of each (0 if the table names the set); a set that does not exist is
 * left out. */
static JsonObject *origin_of_sets(const Run *run) {
    JsonObject *out = json_object_new();
    const RmilCohort *cohort = run->data->cohort;
    const char *file = rmil_train_options_get(run->options, "splits"), *folds = rmil_train_options_get(run->options, "folds");
    if (file) json_object_set_string_member(out, "file", file);
    else if (folds) json_object_set_double_member(out, "folds", g_ascii_strtod(folds, NULL));
    if (file || folds) return out;
    RmilSplitOptions usual;
    rmil_split_options_init(&usual);
    const struct {
        const char *option, *key;
        RmilSplit set;
        double usual;
    } shares[] = {{"test-share", "test_share", RMIL_SPLIT_TEST, usual.test}, {"val-share", "val_share", RMIL_SPLIT_VAL, usual.val}};
    for (gsize k = 0; k < G_N_ELEMENTS(shares); k++) {
        const char *given = rmil_train_options_get(run->options, shares[k].option);
        gboolean named = FALSE;
        for (int64_t i = 0; i < cohort->count; i++) named = named || cohort->rows[i].split == shares[k].set;
        const double share = named ? 0 : given ? g_ascii_strtod(given, NULL) : shares[k].usual;
        if (named || share > 0) json_object_set_double_member(out, shares[k].key, share);
    }
    return out;
}

/* {"median": 73, "low": 12, "high": 140}: tiles of a bag. */
static JsonObject *count_tiles(const RmilTrainData *data) {
    g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(double));
    JsonObject *out = json_object_new();
    for (int64_t i = 0; i < data->count; i++) {
        const double count = data->bags[i] ? (double)data->bags[i]->count : 0;
        if (data->bags[i]) g_array_append_val(counts, count);
    }
    if (!counts->len) return out;
    const double *sorted = (const double *)(void *)counts->data;
    g_array_sort(counts, rmil_compare_doubles);
    json_object_set_double_member(out, "median", rmil_quantile(sorted, counts->len, 0.5));
    json_object_set_double_member(out, "low", sorted[0]);
    json_object_set_double_member(out, "high", sorted[counts->len - 1]);
    return out;
}

static JsonObject *summarise_cohort(const Run *run) {
    const RmilRepeat *first = &g_array_index(run->repeats, RmilRepeat, 0);
    static const char *const sets[] = {"unused", "train", "val", "test"};
    JsonObject *out = json_object_new(), *splits = json_object_new(), *mix = json_object_new();
    JsonArray *marked = json_array_new();
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
    int64_t tiles = 0, annotated_patches = 0, annotated = 0, counts[4][3] = {{0}}, of_class[4][RMIL_CLASSES_MOST] = {{0}};
    const RmilTask *task = &run->data->cohort->task;
    for (int64_t i = 0; i < run->data->count; i++) {
        const RmilCohortRow *row = &run->data->cohort->rows[i];
        const RmilBag *bag = run->data->bags[i];
        if (!bag) continue;
        if (row->patient) g_hash_table_add(patients, row->patient);
        tiles += bag->count;
        int64_t own = 0;
        for (int64_t k = 0; bag->patch_labels && k < bag->count; k++) own += bag->patch_labels[k];
        annotated_patches += own;
        annotated += own > 0;
        if (own > 0) json_array_add_string_element(marked, row->id);
        const gboolean known = rmil_target_known(task, &row->target);
        counts[first->splits[i]][!known ? 2 : rmil_target_lesion(task, &row->target)]++;
        if (known && task->kind == RMIL_TASK_CLASSES) of_class[first->splits[i]][row->target.label]++;
        if (known && task->kind == RMIL_TASK_SURVIVAL) of_class[first->splits[i]][row->target.event ? 0 : 1]++;
        const double mpp = rmil_bag_level0_mpp(bag);
        g_autofree char *name = mpp > 0 ? g_strdup_printf("%.3f", mpp) : g_strdup("unknown");
        json_object_set_int_member(mix, name, (json_object_has_member(mix, name) ? json_object_get_int_member(mix, name) : 0) + 1);
    }
    for (int s = 0; s < 4; s++) {
        JsonObject *set = json_object_new();
        json_object_set_int_member(set, "negative", counts[s][0]);
        json_object_set_int_member(set, "positive", counts[s][1]);
        json_object_set_int_member(set, "unlabelled", counts[s][2]);
        add_targets(set, task, of_class[s]);
        json_object_set_object_member(splits, sets[s], set);
    }
    json_object_set_int_member(out, "rows", run->work->cohort->count);
    json_object_set_int_member(out, "slides", run->data->set->loaded);
    json_object_set_int_member(out, "patients", g_hash_table_size(patients));
    json_object_set_int_member(out, "tiles", tiles);
    json_object_set_object_member(out, run->data->by_patient ? "tiles_per_patient" : "tiles_per_slide", count_tiles(run->data));
    g_autofree char *left_out = prepare_left_out(run->work);
    if (left_out) json_object_set_string_member(out, "tiles_left_out", left_out);
    json_object_set_int_member(out, "annotated_slides", annotated);
    json_object_set_int_member(out, "annotated_tiles", annotated_patches);
    json_object_set_array_member(out, "annotated", marked);
    json_object_set_int_member(out, "feature_dim", run->data->set->dim);
    if (run->preprocessing && run->work->options.tile_px > 0) json_object_set_int_member(out, "tile_px", run->work->options.tile_px);
    json_object_set_object_member(out, "splits", splits);
    json_object_set_object_member(out, "sets", origin_of_sets(run));
    json_object_set_object_member(out, "mpp", mix);
    return out;
}

/* {"patient": ["slide", …]}: for bags of patients, because predictions are of patients, and pictures of slides. */
static JsonObject *list_slides(const RmilTrainData *data) {
    JsonObject *out = json_object_new();
    for (int64_t i = 0; i < data->by_patient->count; i++) {
        const RmilCohortRow *patient = &data->by_patient->rows[i];
        JsonArray *slides = json_array_new();
        for (guint m = 0; m < patient->members->len; m++)
            json_array_add_string_element(slides, data->by_patient->slides->rows[g_array_index(patient->members, int64_t, m)].id);
        json_object_set_array_member(out, patient->id, slides);
    }
    return out;
}

/* What is known only at the end. */
static void add_outcome(const Run *run, JsonObject *out) {
    JsonObject *timings = json_object_new();
    GList *stages = json_object_get_members(run->cli->stages);
    for (GList *s = stages; s; s = s->next)
        json_object_set_double_member(timings, s->data,
                                      json_object_get_double_member(json_object_get_object_member(run->cli->stages, s->data), "seconds"));
    g_list_free(stages);
    json_object_set_object_member(out, "timings", timings);
    json_object_set_object_member(out, "cohort_summary", summarise_cohort(run));
    json_object_set_string_member(out, "heatmaps", "mean of the models that tested the slide");
    if (run->data->by_patient) json_object_set_object_member(out, "patient_slides", list_slides(run->data));
    json_object_set_array_member(out, "problems", json_array_ref(run->cli->problems));
    json_object_set_array_member(out, "warnings", json_array_ref(run->cli->warnings));
}

/* The plan's trainings: method, split, seed, folder, and the identity of their settings and data. */
static JsonArray *list_runs(const Run *run, const RmilStudy *trained) {
    JsonArray *runs = json_array_new();
    for (int64_t i = 0; i < rmil_study_count(trained); i++) {
        const RmilStudyRun *one = rmil_study_run(trained, i);
        g_autofree char *name = rmil_repeat_folder(run->repeats, (guint)(i % run->repeats->len)),
                        *below = g_build_filename("runs", one->method, name, NULL), *key = one->done ? rmil_config_key(one->config) : NULL;
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "method", one->method);
        if (*one->split) json_object_set_string_member(object, "split", one->split);
        json_object_set_int_member(object, "seed", one->seed);
        json_object_set_string_member(object, "folder", below);
        if (key) json_object_set_string_member(object, "key", key);
        json_array_add_object_element(runs, object);
    }
    return runs;
}

/* The command line for readers, and so that it can be run again: its arguments, and the current folder. Arguments that are not UTF-8 cannot
 * be in JSON. */
static void add_command(const Run *run, JsonObject *out) {
    g_autofree char *line = g_strjoinv(" ", run->given), *command = g_strconcat("rankmil ", line, NULL), *here = g_get_current_dir();
    g_autofree char *valid = g_utf8_make_valid(command, -1);
    json_object_set_string_member(out, "command", valid);
    if (!g_utf8_validate(command, -1, NULL) || !g_utf8_validate(here, -1, NULL)) return;
    JsonArray *arguments = json_array_new();
    for (int i = 1; run->given[i]; i++) json_array_add_string_element(arguments, run->given[i]);
    json_object_set_array_member(out, "arguments", arguments);
    json_object_set_string_member(out, "directory", here);
}

gboolean run_record(const Run *run, const RmilStudy *trained, GError **error) {
    g_autoptr(JsonObject) out = json_object_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *created = g_date_time_format_iso8601(now), *path = g_build_filename(run->work->folder, "run.json", NULL);
    json_object_set_string_member(out, "version", rmil_version());
    add_command(run, out);
    if (run->report->title) json_object_set_string_member(out, "title", run->report->title);
    if (run->report->subgroups) {
        JsonArray *columns = json_array_new();
        for (int k = 0; run->report->subgroups[k]; k++) json_array_add_string_element(columns, run->report->subgroups[k]);
        json_object_set_array_member(out, "subgroups", columns);
    }
    json_object_set_string_member(out, "cohort", run->work->cohort->path);
    g_autofree char *digest = rmil_file_sha256(run->work->cohort->path, NULL);
    if (digest) json_object_set_string_member(out, "cohort_sha256", digest);
    json_object_set_string_member(out, "data", run->data->fingerprint);
    json_object_set_member(out, "environment", rmil_environment());
    json_object_set_string_member(out, "created", created);
    json_object_set_int_member(out, "threads", run->cli->threads);
    JsonArray *methods = json_array_new(), *seeds = json_array_new();
    for (guint i = 0; i < run->methods->len; i++)
        json_array_add_string_element(methods, ((const RmilTrainMethod *)run->methods->pdata[i])->name);
    for (guint i = 0; i < run->repeats->len; i++) json_array_add_int_element(seeds, g_array_index(run->repeats, RmilRepeat, i).seed);
    json_object_set_array_member(out, "methods", methods);
    json_object_set_array_member(out, "seeds", seeds);
    if (trained) json_object_set_array_member(out, "runs", list_runs(run, trained));
    if (run->preprocessing) json_object_set_member(out, "config", json_node_copy(run->preprocessing));
    if (trained) add_outcome(run, out);
    return cli_json_write(out, path, error);
}
