/* SPDX-License-Identifier: Apache-2.0 */
/* Heat maps of a run's test slides: for each method one picture, from the same models as its probability in the report. */
#include "run.h"

#include <glib/gstdio.h>
#include <string.h>

/* Is a slide in the test set of this repeat? */
static gboolean tests(const Run *run, const RmilRepeat *repeat, int64_t row) { return repeat->splits[run->bags[row]] == RMIL_SPLIT_TEST; }

static gboolean is_among(const GArray *rows, int64_t row) {
    for (guint i = 0; i < rows->len; i++)
        if (g_array_index(rows, int64_t, i) == row) return TRUE;
    return FALSE;
}

/* The slides that a method gets wrong; for a patient, all slides. */
static gboolean add_mistakes(const Run *run, GArray *rows, GError **error) {
    g_auto(GStrv) wrong = rmil_report_mistakes(run->work->folder, error);
    for (int64_t i = 0; wrong && i < run->cohort->count; i++) {
        const RmilCohortRow *row = &run->cohort->rows[i], *bag = &run->data->cohort->rows[run->bags[i]];
        if (row->slide && !is_among(rows, i) && g_strv_contains((const char *const *)wrong, bag->id)) g_array_append_val(rows, i);
    }
    return wrong != NULL;
}

/* Test slides that get a picture: annotated positives first, then other positives, then negatives, at most `limit`; plus all mistakes. */
static GArray *pick_slides(const Run *run, int64_t limit, GError **error) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int class = 0; class < 3; class ++)
        for (int64_t i = 0; i < run->cohort->count && rows->len < limit; i++) {
            const RmilCohortRow *row = &run->cohort->rows[i];
            const int own = rmil_target_lesion(&run->cohort->task, &row->target) ? (row->annotation ? 0 : 1) : 2;
            gboolean tested = FALSE;
            for (guint r = 0; r < run->repeats->len; r++) tested = tested || tests(run, &g_array_index(run->repeats, RmilRepeat, r), i);
            if (own == class && run->data->bags[run->bags[i]] && row->slide && tested) g_array_append_val(rows, i);
        }
    if (limit > 0 && !add_mistakes(run, rows, error)) g_clear_pointer(&rows, g_array_unref);
    return rows;
}

/* The trained models of one method. */
typedef struct {
    Run *run;
    const RmilTrainMethod *method;
    GPtrArray *models;  /* RmilModel */
    GPtrArray *keys;    /* const char *: keys of their trainings */
    GPtrArray *repeats; /* const RmilRepeat * */
    GArray *rows;
    int64_t finished;
    GMutex lock;
} Heating;

/* Everything that a picture depends on. */
static char *picture_key(const Heating *h, int64_t row, const GPtrArray *keys) {
    const RmilCohortRow *given = &h->run->cohort->rows[row];
    g_autofree char *annotation = given->annotation ? rmil_file_identity(given->annotation) : g_strdup("");
    g_autofree char *models = NULL;
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i < keys->len; i++) g_string_append_printf(all, "%s ", (const char *)keys->pdata[i]);
    models = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all->str, -1);
    return g_strdup_printf("pictures 5 %s %s %s %s", models, h->run->data->fingerprint, given->annotation ? given->annotation : "",
                           annotation);
}

static char *heat_path(const Heating *h, const char *id, const char *ending) {
    g_autofree char *name = g_strconcat(id, ending, NULL);
    return g_build_filename(h->run->work->folder, "heatmaps", h->method->name, name, NULL);
}

/* A .key file: the key, then one line for each further picture beside ID.png. */
static char *read_key(const char *path) {
    gsize size;
    return rmil_file_read(path, 16384, &size, NULL);
}

/* Removes the pictures that a .key file lists, after removing the file itself. */
static void remove_pictures(const char *path) {
    g_autofree char *text = read_key(path), *folder = g_path_get_dirname(path), *own = g_strndup(path, strlen(path) - strlen(".key")),
                    *first = g_strconcat(own, ".png", NULL);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    g_unlink(path);
    g_unlink(first);
    for (guint i = 1; lines[0] && i < g_strv_length(lines); i++) {
        g_autofree char *picture = g_build_filename(folder, lines[i], NULL);
        const char *name = g_str_has_prefix(lines[i], "tiles/") ? lines[i] + strlen("tiles/") : lines[i];
        if (*name && !strchr(name, '/')) g_unlink(picture);
    }
}

/* Do all pictures made with this key exist? */
static gboolean are_drawn(const char *path, const char *picture, const char *key) {
    g_autofree char *text = read_key(path), *folder = g_path_get_dirname(path);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    gboolean there = lines[0] && strcmp(lines[0], key) == 0 && g_file_test(picture, G_FILE_TEST_EXISTS);
    for (guint i = 1; there && i < g_strv_length(lines); i++) {
        g_autofree char *further = g_build_filename(folder, lines[i], NULL);
        there = g_file_test(further, G_FILE_TEST_EXISTS);
    }
    return there;
}

static RmilBagSet *load_slide(const Run *run, int64_t row, GError **error) {
    RmilBagSetOptions load;
    if (!rmil_train_options_load(run->options, &load, error)) return NULL;
    RmilCohort one = *run->cohort;
    one.rows += row;
    one.count = 1;
    load.memory = 0;
    load.threads = 1;
    return rmil_bag_set_load(&one, &load, NULL, error);
}

static gboolean heat_slide(const Heating *h, int64_t row, GError **error) {
    const RmilCohortRow *given = &h->run->cohort->rows[row];
    g_autoptr(GPtrArray) models = g_ptr_array_new();
    g_autoptr(GPtrArray) keys = g_ptr_array_new();
    const RmilRepeat *only = NULL;
    for (guint i = 0; i < h->models->len; i++)
        if (tests(h->run, h->repeats->pdata[i], row)) {
            g_ptr_array_add(models, h->models->pdata[i]);
            g_ptr_array_add(keys, h->keys->pdata[i]);
            only = h->repeats->pdata[i];
        }
    if (!models->len) return TRUE; /* its trainings failed and were reported */
    g_autofree char *path = heat_path(h, given->id, ".png"), *key_path = heat_path(h, given->id, ".key");
    g_autofree char *key = picture_key(h, row, keys);
    if (are_drawn(key_path, path, key)) return TRUE;
    g_autofree char *title = models->len > 1 ? g_strdup_printf("%s, %s, mean of %u models", given->id, h->method->name, models->len)
                             : *only->name   ? g_strdup_printf("%s, %s, %s", given->id, h->method->name, only->name)
                                             : g_strdup_printf("%s, %s, seed %" G_GINT64_FORMAT, given->id, h->method->name, only->seed);
    g_autoptr(RmilBagSet) own = NULL; /* for a patient's bag, the picture shows each slide on its own */
    if (h->run->data->by_patient && !(own = load_slide(h->run, row, error))) return FALSE;
    remove_pictures(key_path); /* the key is removed first and written last, so it is never beside another picture */
    g_autoptr(GPtrArray) more = g_ptr_array_new_with_free_func(g_free);
    if (!heat_write(h->run->work, given, own ? own->bags[0] : h->run->data->bags[row], (const RmilModel *const *)models->pdata, models->len,
                    title, path, more, error))
        return FALSE;
    g_autoptr(GString) text = g_string_new(key);
    for (guint i = 0; i < more->len; i++) g_string_append_printf(text, "\n%s", (const char *)more->pdata[i]);
    return rmil_file_write(key_path, text->str, text->len, error);
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

static gboolean load_models(Heating *h, GError **error) {
    const RmilStudy *trained = h->run->trained;
    for (int64_t i = 0; i < rmil_study_count(trained); i++) {
        const RmilStudyRun *one = rmil_study_run(trained, i);
        if (strcmp(one->method, h->method->name) != 0 || !one->done) continue; /* its training failed and was reported */
        RmilModel *model = rmil_model_load(one->model, error);
        if (!model) return FALSE;
        rmil_model_set_threads(model, h->run->cli->threads);
        g_ptr_array_add(h->models, model);
        g_ptr_array_add(h->keys, (gpointer)one->key);
        g_ptr_array_add(h->repeats, &g_array_index(h->run->repeats, RmilRepeat, i % h->run->repeats->len));
    }
    return TRUE;
}

/* -- pictures that no longer belong to the run ----------------------------------------------------------------------------------- */
static gboolean is_picked(const Run *run, const GArray *rows, const char *file) {
    for (guint i = 0; i < rows->len; i++) {
        const char *id = run->cohort->rows[g_array_index(rows, int64_t, i)].id;
        gsize n = strlen(id);
        if (strncmp(file, id, n) == 0 && (strcmp(file + n, ".png") == 0 || strcmp(file + n, ".key") == 0)) return TRUE;
    }
    return FALSE;
}

static gboolean is_method(const Run *run, const char *name) {
    for (guint m = 0; m < run->methods->len; m++)
        if (strcmp(((const RmilTrainMethod *)run->methods->pdata[m])->name, name) == 0) return TRUE;
    return FALSE;
}

/* Only files with a key beside them may be removed. */
static void remove_stale(const Run *run, const GArray *rows, const char *method) {
    g_autofree char *folder = g_build_filename(run->work->folder, "heatmaps", method, NULL);
    g_autoptr(GPtrArray) stale = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".key") && !(is_method(run, method) && is_picked(run, rows, name)))
            g_ptr_array_add(stale, g_build_filename(folder, name, NULL));
    if (dir) g_dir_close(dir);
    for (guint i = 0; i < stale->len; i++) remove_pictures(stale->pdata[i]);
    g_autofree char *tiles = g_build_filename(folder, "tiles", NULL);
    g_rmdir(tiles); /* if they are empty */
    g_rmdir(folder);
}

static void remove_all_stale(const Run *run, const GArray *rows) {
    g_autofree char *folder = g_build_filename(run->work->folder, "heatmaps", NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) remove_stale(run, rows, name);
    if (dir) g_dir_close(dir);
}

gboolean run_heatmaps(Run *run, int64_t limit, GError **error) {
    g_autoptr(GArray) rows = pick_slides(run, limit, error);
    if (!rows) return FALSE;
    remove_all_stale(run, rows);
    gboolean done = TRUE;
    for (guint m = 0; done && rows->len && m < run->methods->len; m++) {
        g_autoptr(GPtrArray) models = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_model_free);
        g_autoptr(GPtrArray) keys = g_ptr_array_new();
        g_autoptr(GPtrArray) repeats = g_ptr_array_new();
        Heating heating = {.run = run, .method = run->methods->pdata[m], .models = models, .keys = keys, .repeats = repeats, .rows = rows};
        g_mutex_init(&heating.lock);
        done = load_models(&heating, error) && rmil_parallel(rows->len, run->cli->threads, heat_task, &heating, error);
        g_mutex_clear(&heating.lock);
    }
    return done;
}
