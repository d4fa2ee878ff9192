/* rankmil run COHORT -o DIR: the main job. */
#include "cli-train.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    Cli *cli;
    Work *work;
    const RmilTrainOptions *options;
    RmilCohort *cohort; /* DIR/cohort.csv: the slides that came through the stages */
    RmilTrainData *data;
    GPtrArray *methods; /* const RmilTrainMethod * */
    GArray *repeats;    /* RmilRepeat */
    JsonObject *preprocessing;
    RmilMonitor warnings; /* training of several runs at once: no progress of each */
    int threads;          /* inside each run */
    GMutex lock;
    int64_t finished, made, kept;
} Run;

static char *run_folder(const Run *run, const RmilTrainMethod *method, const RmilRepeat *repeat) {
    g_autofree char *seed = g_strdup_printf("%" G_GINT64_FORMAT, repeat->seed);
    return g_build_filename(run->work->folder, "runs", method->name, seed, NULL);
}

/* -- training ---------------------------------------------------------------------------------------------------------------- */
static gboolean train_task(int64_t index, int worker, gpointer user, GError **unused) {
    Run *run = user;
    const RmilTrainMethod *method = run->methods->pdata[index % run->methods->len];
    const RmilRepeat *repeat = &g_array_index(run->repeats, RmilRepeat, index / run->methods->len);
    g_autofree char *folder = run_folder(run, method, repeat), *name = g_strdup_printf("%s, seed %" G_GINT64_FORMAT, method->name, repeat->seed);
    gboolean made = FALSE;
    GError *error = NULL;
    gboolean done = train_run(run->data, method, run->options, repeat, run->preprocessing, run->threads, &run->warnings,
                              folder, &made, &error);
    if (!done) cli_problem(run->cli, "train", name, error);
    g_mutex_lock(&run->lock);
    run->made += done && made;
    run->kept += done && !made;
    rmil_monitor_progress(&run->cli->monitor, "train: runs", ++run->finished, (int64_t)run->methods->len * run->repeats->len);
    g_mutex_unlock(&run->lock);
    return TRUE;
}

static gboolean train_all(Run *run, GError **error) {
    gint64 start = g_get_monotonic_time();
    int64_t runs = (int64_t)run->methods->len * run->repeats->len;
    int at_once = (int)MIN(runs, (int64_t)run->cli->threads);
    run->threads = MAX(1, run->cli->threads / at_once);
    run->warnings = (RmilMonitor){NULL, run->cli->monitor.warn, run->cli->monitor.user};
    g_mutex_init(&run->lock);
    gboolean done = rmil_parallel(runs, at_once, train_task, run, error);
    g_mutex_clear(&run->lock);
    work_stage_done(run->work, "train", run->made, run->kept, start);
    return done;
}

/* -- heat maps of the first repeat's test slides -------------------------------------------------------------------------------- */
/* Test slides with a picture: annotated positives first, then other positives, then negatives, at most `limit`. */
static GArray *pick_slides(const Run *run, const RmilRepeat *repeat, int64_t limit) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int class = 0; class < 3; class++)
        for (int64_t i = 0; i < run->data->count && rows->len < limit; i++) {
            const RmilCohortRow *row = &run->data->cohort->rows[i];
            int own = row->label == 1 ? (row->annotation ? 0 : 1) : 2;
            if (own == class && run->data->bags[i] && row->slide && repeat->splits[i] == RMIL_SPLIT_TEST) g_array_append_val(rows, i);
        }
    return rows;
}

typedef struct {
    Run *run;
    const RmilTrainMethod *method;
    const RmilModel *model;
    char *identity; /* of the model file */
    GArray *rows;
    int64_t finished;
    GMutex lock;
} Heating;

static gboolean heat_slide(const Heating *h, int64_t row, GError **error) {
    const Work *work = h->run->work;
    const RmilCohortRow *given = &h->run->cohort->rows[row];
    const char *id = given->id;
    g_autofree char *name = g_strconcat(id, ".png", NULL), *key_name = g_strconcat(id, ".key", NULL);
    g_autofree char *path = g_build_filename(work->folder, "heatmaps", h->method->name, name, NULL);
    g_autofree char *key_path = g_build_filename(work->folder, "heatmaps", h->method->name, key_name, NULL);
    g_autofree char *key = g_strdup_printf("%s %s %s", h->identity, h->run->data->fingerprint,
                                           given->annotation ? given->annotation : "");
    gsize size;
    g_autofree char *have = rmil_file_read(key_path, 4096, &size, NULL);
    if (have && strcmp(have, key) == 0 && g_file_test(path, G_FILE_TEST_EXISTS)) return TRUE;
    g_autofree char *title = g_strdup_printf("%s, %s", id, h->method->name);
    return heat_write(work, given, h->run->data->bags[row], h->model, title, path, error) &&
           rmil_file_write(key_path, key, strlen(key), error);
}

static gboolean heat_task(int64_t index, int worker, gpointer user, GError **unused) {
    Heating *h = user;
    int64_t row = g_array_index(h->rows, int64_t, index);
    GError *error = NULL;
    if (!heat_slide(h, row, &error)) cli_problem(h->run->cli, "heat map", h->run->cohort->rows[row].id, error);
    g_mutex_lock(&h->lock);
    rmil_monitor_progress(&h->run->cli->monitor, "heat maps", ++h->finished, h->rows->len);
    g_mutex_unlock(&h->lock);
    return TRUE;
}

static gboolean draw_heatmaps(Run *run, int64_t limit, GError **error) {
    const RmilRepeat *first = &g_array_index(run->repeats, RmilRepeat, 0);
    g_autoptr(GArray) rows = pick_slides(run, first, limit);
    gboolean done = TRUE;
    for (guint m = 0; done && rows->len && m < run->methods->len; m++) {
        const RmilTrainMethod *method = run->methods->pdata[m];
        g_autofree char *folder = run_folder(run, method, first), *path = g_build_filename(folder, "model.safetensors", NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS)) continue; /* its training failed and was reported */
        g_autoptr(RmilModel) model = rmil_model_load(path, error);
        if (!model) return FALSE;
        gsize size;
        g_autofree char *bytes = rmil_file_read(path, G_MAXSSIZE, &size, error);
        if (!bytes) return FALSE;
        g_autofree char *identity = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, size);
        Heating heating = {.run = run, .method = method, .model = model, .identity = identity, .rows = rows};
        g_mutex_init(&heating.lock);
        done = rmil_parallel(rows->len, run->cli->threads, heat_task, &heating, error);
        g_mutex_clear(&heating.lock);
    }
    return done;
}

/* -- run.json --------------------------------------------------------------------------------------------------------------------- */
static JsonObject *summarise_cohort(const Run *run) {
    const RmilRepeat *first = &g_array_index(run->repeats, RmilRepeat, 0);
    static const char *const sets[] = {"unused", "train", "val", "test"};
    JsonObject *out = json_object_new(), *splits = json_object_new(), *mix = json_object_new();
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
    int64_t tiles = 0, annotated_patches = 0, annotated = 0, counts[4][3] = {{0}};
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
        counts[first->splits[i]][row->label < 0 ? 2 : row->label > 0]++;
        double mpp = bag->patch_size_level0 > 0 ? bag->target_mpp * bag->patch_size / bag->patch_size_level0 : 0;
        g_autofree char *name = mpp > 0 ? g_strdup_printf("%.3f", mpp) : g_strdup("unknown");
        json_object_set_int_member(mix, name, (json_object_has_member(mix, name) ? json_object_get_int_member(mix, name) : 0) + 1);
    }
    for (int s = 0; s < 4; s++) {
        JsonObject *set = json_object_new();
        json_object_set_int_member(set, "negative", counts[s][0]);
        json_object_set_int_member(set, "positive", counts[s][1]);
        json_object_set_int_member(set, "unlabelled", counts[s][2]);
        json_object_set_object_member(splits, sets[s], set);
    }
    json_object_set_int_member(out, "rows", run->work->cohort->count);
    json_object_set_int_member(out, "slides", run->data->set->loaded);
    json_object_set_int_member(out, "patients", g_hash_table_size(patients));
    json_object_set_int_member(out, "tiles", tiles);
    json_object_set_int_member(out, "annotated_slides", annotated);
    json_object_set_int_member(out, "annotated_tiles", annotated_patches);
    json_object_set_int_member(out, "feature_dim", run->data->set->dim);
    json_object_set_object_member(out, "splits", splits);
    json_object_set_object_member(out, "mpp", mix);
    return out;
}

static gboolean write_run(const Run *run, const char *command, GError **error) {
    g_autoptr(JsonObject) out = json_object_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *created = g_date_time_format_iso8601(now), *path = g_build_filename(run->work->folder, "run.json", NULL);
    json_object_set_string_member(out, "version", rmil_version());
    json_object_set_string_member(out, "command", command);
    json_object_set_string_member(out, "cohort", run->work->cohort->path);
    json_object_set_string_member(out, "created", created);
    json_object_set_int_member(out, "threads", run->cli->threads);
    JsonArray *methods = json_array_new(), *seeds = json_array_new();
    for (guint i = 0; i < run->methods->len; i++) json_array_add_string_element(methods, ((const RmilTrainMethod *)run->methods->pdata[i])->name);
    for (guint i = 0; i < run->repeats->len; i++) json_array_add_int_element(seeds, g_array_index(run->repeats, RmilRepeat, i).seed);
    JsonObject *config = json_object_ref(run->preprocessing);
    json_object_set_array_member(out, "methods", methods);
    json_object_set_array_member(out, "seeds", seeds);
    json_object_set_object_member(out, "config", config);
    JsonObject *timings = json_object_new();
    GList *stages = json_object_get_members(run->work->stages);
    for (GList *s = stages; s; s = s->next)
        json_object_set_double_member(timings, s->data,
                                      json_object_get_double_member(json_object_get_object_member(run->work->stages, s->data), "seconds"));
    g_list_free(stages);
    json_object_set_object_member(out, "timings", timings);
    json_object_set_object_member(out, "cohort_summary", summarise_cohort(run));
    json_object_set_array_member(out, "problems", json_array_ref(run->cli->problems));
    return cli_json_write(out, path, error);
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------ */
static gboolean prepare(Run *run, gboolean *annotated, GError **error) {
    g_autofree char *cache = g_build_filename(run->work->folder, "cache", NULL);
    run->cohort = work_prepare(run->work, error);
    run->data = run->cohort ? train_data_load(run->cli, run->cohort, run->options, cache, error) : NULL;
    if (!run->data) return FALSE;
    for (int64_t i = 0; i < run->data->count; i++) {
        const RmilBag *bag = run->data->bags[i];
        for (int64_t k = 0; bag && bag->patch_labels && k < bag->count && !*annotated; k++) *annotated = bag->patch_labels[k];
    }
    return TRUE;
}

/* --methods a,b,c; by default AB-MIL and, where anything is annotated, rank induction. */
static gboolean choose_methods(Run *run, const char *names, gboolean annotated, GError **error) {
    g_auto(GStrv) list = g_strsplit(names ? names : annotated ? "abmil,rank" : "abmil", ",", -1);
    for (int i = 0; list[i]; i++) {
        const RmilTrainMethod *method = rmil_method_find(g_strstrip(list[i]), error);
        if (!method) return FALSE;
        g_ptr_array_add(run->methods, (gpointer)method);
    }
    return TRUE;
}

static gboolean run_all(Run *run, const char *names, int64_t repeats, int64_t heatmaps, const char *command, GError **error) {
    gboolean annotated = FALSE;
    if (names && !choose_methods(run, names, FALSE, error)) return FALSE; /* a wrong name is found before hours of work */
    if (!prepare(run, &annotated, error)) return FALSE;
    if (!names && !choose_methods(run, NULL, annotated, error)) return FALSE;
    run->preprocessing = work_preprocessing(run->work);
    run->repeats = train_repeats(run->cli, run->cohort, run->options, repeats, error);
    g_autofree char *report = g_build_filename(run->work->folder, "report.html", NULL);
    if (!run->repeats || !train_all(run, error) || !draw_heatmaps(run, heatmaps, error) || !write_run(run, command, error) ||
        !rmil_report_write(run->work->folder, report, &run->cli->monitor, error))
        return FALSE;
    json_object_set_string_member(run->cli->result, "report", report);
    cli_say(run->cli, "report   %s", report);
    return TRUE;
}

int command_run(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR", "From a table of slides to a validated classifier, heat maps and a report.",
                                   "Tiles, labels, encodes, trains, evaluates, draws and reports, skipping what is done: run it again\n"
                                   "after an interruption or with more slides. Methods: abmil, induction, rank, clam-sb, clam-mb,\n"
                                   "dsmil, ds-rank, hipt, hipt-rank.", 1, 1};
    Cli cli;
    Work work;
    RmilTrainOptions options;
    int status;
    g_autofree char *methods = NULL, *command = g_strjoinv(" ", argv);
    gint64 repeats = 1, heatmaps = 12;
    work_init(&work, &cli);
    rmil_train_options_init(&options);
    const GOptionEntry own[] = {
        {"methods", 0, 0, G_OPTION_ARG_STRING, &methods, "what to compare (default: abmil,rank; without annotations abmil)", "A,B,…"},
        {"repeats", 0, 0, G_OPTION_ARG_INT64, &repeats, "Monte-Carlo splits into training and validation (default: 1; the paper: 10)", "N"},
        {"heatmaps", 0, 0, G_OPTION_ARG_INT64, &heatmaps, "test slides to draw (default: 12)", "N"},
        {0},
    };
    g_autofree GOptionEntry *output = work_output_entries(&work), *tiles = work_tile_entries(&work), *encoding = work_encode_entries(&work),
                            *labels = work_label_entries(&work), *training = train_entries(&options);
    const GOptionEntry *groups[] = {output, own, tiles, encoding, labels, training, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        work_clear(&work);
        rmil_train_options_clear(&options);
        return status;
    }
    Run run = {.cli = &cli, .work = &work, .options = &options, .methods = g_ptr_array_new()};
    GError *error = NULL;
    gboolean done;
    if (repeats < 1 || repeats > 1000 || heatmaps < 0) {
        error = g_error_new(RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--repeats is in 1 … 1000, --heatmaps 0 or more");
        done = FALSE;
    } else {
        g_autofree char *full = g_strconcat("rankmil ", command, NULL);
        done = work_open(&work, argv[1], &error) && run_all(&run, methods, repeats, heatmaps, full, &error);
    }
    if (work.stages) json_object_set_object_member(cli.result, "stages", json_object_ref(work.stages));
    g_ptr_array_unref(run.methods);
    if (run.repeats) g_array_unref(run.repeats);
    if (run.preprocessing) json_object_unref(run.preprocessing);
    rmil_train_data_free(run.data);
    if (run.cohort) rmil_cohort_free(run.cohort);
    work_clear(&work);
    rmil_train_options_clear(&options);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
