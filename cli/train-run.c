/* One run: trained, applied to every slide, localised; its folder. */
#include "models.h"
#include "train.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* -- what the run depends on ---------------------------------------------------------------------------------------------- */
static gboolean configure(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options,
                          const RmilRepeat *repeat, RmilTrainRun *training, GError **error) {
    *training = (RmilTrainRun){.data = data, .splits = repeat->splits};
    if (!rmil_train_options_configure(options, method, &training->model, &training->train, error)) return FALSE;
    training->model.dim = data->set->dim;
    training->train.seed = (uint64_t)repeat->seed;
    return TRUE;
}

char *train_config(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options, const RmilRepeat *repeat,
                   GError **error) {
    RmilTrainRun training;
    return configure(data, method, options, repeat, &training, error) ? rmil_train_run_config(&training) : NULL;
}

static gboolean has_product(const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* TRUE: whoever made the file, it says nothing that can be used; said, and the error freed. */
static gboolean is_damaged(GError **reason, const RmilMonitor *monitor) {
    if (!g_error_matches(*reason, RMIL_ERROR, RMIL_ERROR_FORMAT) && !g_error_matches(*reason, RMIL_ERROR, RMIL_ERROR_DATA)) return FALSE;
    rmil_monitor_warn(monitor, "%s: the training is done again", (*reason)->message);
    g_clear_error(reason);
    return TRUE;
}

/* The folder's own record, NULL without an error where there is none that can be read. */
static char *read_config(const char *folder, const RmilMonitor *monitor, GError **error) {
    GError *reason = NULL;
    char *config = has_product(folder, "run.json") ? rmil_run_config(folder, &reason) : NULL;
    if (reason && !is_damaged(&reason, monitor)) g_propagate_error(error, reason);
    return config;
}

/* A line for every slide, with its probability. */
static gboolean check_predictions(const char *path, int64_t slides, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    if (!table) return FALSE;
    const int64_t rows = rmil_table_rows(table);
    const int column = rmil_table_find(table, "probability");
    double value;
    if (rows != slides) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "%s: has %" G_GINT64_FORMAT " slides, not %" G_GINT64_FORMAT, path, rows, slides);
        return FALSE;
    }
    for (int64_t r = 0; r < rows; r++)
        if (!rmil_table_number(table, r, column, &value, error)) return FALSE;
    return TRUE;
}

/* What reports, pictures and predictions take from the folder can be read. */
static gboolean check_products(const char *folder, int64_t slides, GError **error) {
    static const char *const tables[] = {"history.csv", "localisation.csv"};
    g_autofree char *predictions = g_build_filename(folder, "predictions.csv", NULL),
                    *path = g_build_filename(folder, "model.safetensors", NULL);
    if (!check_predictions(predictions, slides, error)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autofree char *name = g_build_filename(folder, tables[i], NULL);
        g_autoptr(RmilTable) table = rmil_table_read(name, error);
        if (!table) return FALSE;
    }
    g_autofree char *record = g_build_filename(folder, "run.json", NULL);
    g_autoptr(JsonObject) info = cli_json_read(record, error);
    g_autoptr(RmilModel) model = info && model_check(folder, info, error) ? rmil_model_load(path, error) : NULL;
    return model != NULL;
}

/* slides: those with features, each of which has a prediction. */
static gboolean is_done(const char *folder, const char *config, int64_t slides, const RmilMonitor *monitor, gboolean *done,
                        GError **error) {
    static const char *const products[] = {"run.json", "model.safetensors", "history.csv", "predictions.csv", "localisation.csv"};
    GError *reason = NULL;
    *done = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(products); i++) *done = *done && has_product(folder, products[i]);
    if (!*done) return TRUE;
    g_autofree char *have = read_config(folder, monitor, &reason);
    *done = !reason && g_strcmp0(have, config) == 0 && check_products(folder, slides, &reason);
    if (!reason || is_damaged(&reason, monitor)) return TRUE;
    g_propagate_error(error, reason);
    return FALSE;
}

/* A training of other settings or data in the folder is kept, in earlier/KEY below it; its record goes last, so that an interrupted
 * move is taken up again. */
static gboolean set_aside(const char *folder, const char *config, const RmilMonitor *monitor, GError **error) {
    static const char *const products[] = {"metrics.json", "slides.csv",        "localisation.csv", "predictions.csv",
                                           "history.csv",  "model.safetensors", "run.json"};
    GError *reason = NULL;
    g_autofree char *was = read_config(folder, monitor, &reason);
    if (reason) g_propagate_error(error, reason);
    if (!was || strcmp(was, config) == 0) return !reason;
    g_autofree char *key = rmil_config_key(was), *name = g_strndup(key, 8), *to = g_build_filename(folder, "earlier", name, NULL);
    g_autofree char *difference = rmil_config_difference(was, config, NULL);
    if (g_mkdir_with_parents(to, 0777) != 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot make the folder: %s", to, g_strerror(errno));
        return FALSE;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(products); i++) {
        g_autofree char *from = g_build_filename(folder, products[i], NULL), *into = g_build_filename(to, products[i], NULL);
        if (g_rename(from, into) == 0 || errno == ENOENT) continue;
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot be moved to %s: %s", from, to, g_strerror(errno));
        return FALSE;
    }
    rmil_monitor_warn(monitor, "%s: held a training that differs (%s): it is kept in %s", folder, difference, to);
    return TRUE;
}

/* All but `kept`, which may be NULL. */
static void remove_checkpoints(const char *folder, const char *kept) {
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_prefix(name, "checkpoint-") && g_strcmp0(path, kept) != 0) g_unlink(path);
    }
    if (dir) g_dir_close(dir);
}

/* The record of what is in the folder goes before anything in it changes, and comes back last: whatever interrupts this, run.json
 * never stands beside another training's files. What was computed from those goes with it. */
static gboolean begin_anew(const char *folder, const char *checkpoint, GError **error) {
    static const char *const old[] = {"run.json", "metrics.json"};
    for (gsize i = 0; i < G_N_ELEMENTS(old); i++) {
        g_autofree char *path = g_build_filename(folder, old[i], NULL);
        if (g_unlink(path) != 0 && errno != ENOENT) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot be removed: %s", path, g_strerror(errno));
            return FALSE;
        }
    }
    remove_checkpoints(folder, checkpoint); /* those of other settings are nobody's any more */
    return TRUE;
}

/* -- products -------------------------------------------------------------------------------------------------------------- */
static void append_number(GString *out, double value, char after) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (isfinite(value)) g_string_append(out, g_ascii_formatd(text, sizeof text, "%.9g", value));
    g_string_append_c(out, after);
}

static gboolean write_text(const char *folder, const char *name, const GString *text, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return rmil_file_write(path, text->str, text->len, error);
}

static gboolean write_history(const char *folder, const GArray *history, GError **error) {
    g_autoptr(GString) out = g_string_new("epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,best\n");
    for (guint i = 0; i < history->len; i++) {
        const RmilEpoch *e = &g_array_index(history, RmilEpoch, i);
        g_string_append_printf(out, "%" G_GINT64_FORMAT ",", e->epoch);
        append_number(out, e->train_loss, ',');
        append_number(out, e->train_slide_loss, ',');
        append_number(out, e->train_guide_loss, ',');
        append_number(out, e->val_loss, ',');
        append_number(out, e->val_auroc, ',');
        g_string_append(out, e->best ? "1\n" : "0\n");
    }
    return write_text(folder, "history.csv", out, error);
}

gboolean run_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads, const char *folder,
                   GError **error) {
    g_autofree RmilApplied *applied = g_new0(RmilApplied, data->count);
    if (!rmil_train_apply(data, model, splits, TRUE, threads, applied, error)) return FALSE;
    g_autoptr(GString) out = g_string_new("id,split,label,probability,logit\n");
    g_autoptr(GString) places = g_string_new("id,alpha,iou,dice,pointing\n");
    for (int64_t i = 0; i < data->count; i++) {
        const RmilApplied *a = &applied[i];
        const char *id = data->cohort->rows[i].id;
        if (!data->bags[i]) continue;
        rmil_csv_append(out, id, ',');
        rmil_csv_append(out, rmil_split_name(splits[i]), ',');
        if (data->labels[i] >= 0) g_string_append_printf(out, "%d", data->labels[i]);
        g_string_append_c(out, ',');
        append_number(out, a->prediction.probability, ',');
        append_number(out, a->prediction.logit, '\n');
        for (int k = 0; k < RMIL_ALPHAS && a->localised; k++) {
            rmil_csv_append(places, id, ',');
            append_number(places, rmil_alphas()[k], ',');
            append_number(places, a->iou[k], ',');
            append_number(places, a->dice[k], ',');
            append_number(places, a->pointing[k], '\n');
        }
    }
    return write_text(folder, "predictions.csv", out, error) && write_text(folder, "localisation.csv", places, error);
}

double train_bag_mpp(const RmilBag *bag) {
    return bag->patch_size_level0 > 0 && bag->target_mpp > 0 ? bag->target_mpp * bag->patch_size / bag->patch_size_level0 : bag->mpp;
}

/* {"low", "high"}: between which the resolutions of the slides lie. */
static JsonObject *mpp_range(const RmilTrainData *data, const RmilSplit *splits) {
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < data->count; i++) {
        const double mpp = data->bags[i] && splits[i] != RMIL_SPLIT_NONE ? train_bag_mpp(data->bags[i]) : 0;
        if (mpp > 0) low = MIN(low, mpp);
        high = MAX(high, mpp);
    }
    JsonObject *range = json_object_new();
    json_object_set_double_member(range, "low", high > 0 ? low : 0);
    json_object_set_double_member(range, "high", high);
    return range;
}

/* slides.csv: which slides and patients the model has seen, by content, for `rankmil evaluate --cohort`. */
static gboolean write_slides(const RmilTrainData *data, const RmilSplit *splits, const char *folder, GError **error) {
    g_autoptr(GString) out = g_string_new("id,split,patient,digest\n");
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i]) continue;
        g_autofree char *digest = rmil_bag_digest(data->bags[i]);
        rmil_csv_append(out, data->cohort->rows[i].id, ',');
        rmil_csv_append(out, rmil_split_name(splits[i]), ',');
        rmil_csv_append(out, data->cohort->rows[i].patient ? data->cohort->rows[i].patient : "", ',');
        rmil_csv_append(out, digest, '\n');
    }
    return write_text(folder, "slides.csv", out, error);
}

/* -- how it goes ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const RmilMonitor *monitor;
    char *title;   /* "rank, seed 0" */
    int64_t least; /* epochs that training must take */
} Watch;

/* Nobody knows when training will stop; it is shown as if after the next epoch once it may. */
static void pass_epoch(gpointer user, const char *what, int64_t done, int64_t total) {
    const Watch *watch = user;
    rmil_monitor_progress(watch->monitor, what, done, MIN(total, MAX(watch->least, done + 1)));
}

static void pass_warning(gpointer user, const char *message) { rmil_monitor_warn(((const Watch *)user)->monitor, "%s", message); }

static void pass_note(gpointer user, const char *text) {
    const Watch *watch = user;
    rmil_monitor_note(watch->monitor, "%s: %s", watch->title, text);
}

static RmilModel *train_watched(const RmilTrainRun *training, const RmilTrainMethod *method, const RmilRepeat *repeat,
                                const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error) {
    const RmilTrainConfig *train = &training->train;
    g_autofree char *title = *repeat->name ? g_strdup_printf("%s, %s", method->name, repeat->name)
                                           : g_strdup_printf("%s, seed %" G_GINT64_FORMAT, method->name, repeat->seed);
    Watch watch = {monitor, title, MIN(train->epochs, MAX(train->warmup, train->patience + 1))};
    const RmilMonitor own = {pass_epoch, pass_warning, &watch, pass_note};
    RmilModel *model = rmil_train_run(training, checkpoint, history, &own, error);
    if (model) rmil_monitor_progress(monitor, "training", history->len, history->len);
    return model;
}

gboolean train_run(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options, const RmilRepeat *repeat,
                   JsonObject *preprocessing, int threads, const RmilMonitor *monitor, const char *folder, gboolean *made, GError **error) {
    RmilTrainRun training;
    if (!configure(data, method, options, repeat, &training, error)) return FALSE;
    training.train.threads = threads;
    g_autofree char *config = rmil_train_run_config(&training);
    gboolean there;
    if (!is_done(folder, config, data->set->loaded, monitor, &there, error)) return FALSE;
    *made = !there;
    if (there) {
        remove_checkpoints(folder, NULL); /* of a process that ended between its record and its checkpoint's removal */
        return TRUE;
    }

    gint64 start = g_get_monotonic_time();
    g_autofree char *key = rmil_config_key(config);
    g_autofree char *name = g_strdup_printf("checkpoint-%.16s", key), *checkpoint = g_build_filename(folder, name, NULL);
    if (!set_aside(folder, config, monitor, error) || !begin_anew(folder, checkpoint, error)) return FALSE;
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = train_watched(&training, method, repeat, checkpoint, history, monitor, error);
    if (!model) return FALSE;
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    g_autofree char *model_path = g_build_filename(folder, "model.safetensors", NULL),
                    *run_path = g_build_filename(folder, "run.json", NULL);
    if (!rmil_model_save(model, model_path, error) || !write_history(folder, history, error) ||
        !write_slides(data, repeat->splits, folder, error) || !run_apply(data, model, repeat->splits, threads, folder, error))
        return FALSE;

    g_autoptr(JsonObject) run = json_object_new();
    json_object_set_string_member(run, "method", method->name);
    json_object_set_string_member(run, "model", method->model);
    json_object_set_string_member(run, "guide", rmil_guide_name(method->guide));
    json_object_set_int_member(run, "seed", repeat->seed);
    json_object_set_string_member(run, "version", rmil_version());
    json_object_set_string_member(run, "cohort", data->cohort->path);
    g_autofree char *sha256 = model_sha256(model_path, error);
    if (!sha256) return FALSE;
    json_object_set_string_member(run, "model_sha256", sha256);
    json_object_set_member(run, "config", json_from_string(config, NULL));
    json_object_set_object_member(run, "mpp", mpp_range(data, repeat->splits));
    if (preprocessing) json_object_set_object_member(run, "preprocessing", json_object_ref(preprocessing));
    JsonObject *timings = json_object_new();
    json_object_set_double_member(timings, "train", seconds);
    json_object_set_int_member(timings, "epochs", history->len);
    json_object_set_object_member(run, "timings", timings);
    if (!cli_json_write(run, run_path, error)) return FALSE;
    g_unlink(checkpoint);
    return TRUE;
}
