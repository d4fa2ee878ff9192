/* SPDX-License-Identifier: Apache-2.0 */
/* The quick training: starts from the last model, on all training slides with their current outlines, using a part of the patches of large
 * slides, for as many epochs as take a second or two; and its effect. */
#include "loop.h"
#include "sample.h"

#include "base/base-private.h"
#include "mil/model.h"
#include "study/predictions.h"

#include <string.h>

enum { EPOCHS_LEAST = 2, EPOCHS_MOST = 12, GROUP = 4, PATCHES = 512, PATCHES_CHANGED = 2048, CHANGED = 3 };
#define OPERATIONS 2e10 /* per processor: about a second */

/* -- the features ---------------------------------------------------------------------------------------------------------------------- */
void rmil_loop_forget(struct RmilLoop *loop) {
    for (int64_t i = 0; loop->data && i < loop->data->count; i++)
        if (loop->bags && loop->bags[i].id && loop->data->bags[i] && loop->bags[i].patch_labels != loop->data->bags[i]->patch_labels)
            g_free(loop->bags[i].patch_labels);
    for (int64_t i = 0; loop->samples && i < loop->data->count; i++) rmil_sample_free(loop->samples[i]);
    g_clear_pointer(&loop->samples, g_free);
    g_clear_pointer(&loop->bags, g_free);
    g_clear_pointer(&loop->to_bags, g_free);
    g_clear_pointer(&loop->data, rmil_train_data_free);
    g_clear_pointer(&loop->cohort, rmil_cohort_free);
    g_hash_table_remove_all(loop->rows);
}

static gboolean load(struct RmilLoop *loop, GError **error) {
    if (loop->data) return TRUE;
    const RmilDesk *desk = loop->desk;
    const RmilReading how = {.task = &desk->work->cohort->task, .by_site = desk->work->cohort->by_site};
    g_autofree char *table = g_build_filename(desk->options.folder, "cohort.csv", NULL),
                    *cache = g_build_filename(desk->options.folder, "cache", NULL);
    rmil_loop_say(loop, RMIL_LOOP_LOADING, NULL);
    loop->cohort = rmil_cohort_read_as(table, &how, error);
    loop->data = loop->cohort ? rmil_train_data_load(loop->cohort, desk->options.training, cache, desk->options.threads, NULL, error)
                              : NULL;
    if (!loop->data) {
        rmil_loop_forget(loop);
        return FALSE;
    }
    loop->bags = g_new0(RmilBag, loop->data->count);
    loop->to_bags = g_new0(const RmilBag *, loop->data->count);
    loop->samples = g_new0(RmilBag *, loop->data->count);
    for (int64_t i = 0; i < loop->data->count; i++) {
        g_hash_table_insert(loop->rows, loop->data->cohort->rows[i].id, GSIZE_TO_POINTER((gsize)i + 1));
        if (!loop->data->bags[i]) continue;
        loop->bags[i] = *loop->data->bags[i];
        loop->to_bags[i] = &loop->bags[i];
    }
    /* outlines may have changed since the labels in the folder were made: if in doubt, reads all of them */
    g_mutex_lock(&loop->desk->lock);
    for (int64_t i = 0; i < desk->count; i++) loop->desk->outlines[i].stale |= desk->outlines[i].identity != NULL;
    g_mutex_unlock(&loop->desk->lock);
    return TRUE;
}

static int64_t data_row(const struct RmilLoop *loop, int64_t row) {
    return row < 0 ? -1 : (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(loop->rows, loop->desk->work->cohort->rows[row].id)) - 1;
}

static void set_labels(struct RmilLoop *loop, int64_t at, uint8_t *labels) {
    if (loop->bags[at].patch_labels != loop->data->bags[at]->patch_labels) g_free(loop->bags[at].patch_labels);
    loop->bags[at].patch_labels = labels;
}

/* Patch labels of every slide whose outlines have changed. If its outlines cannot be used, a slide keeps its labels, and the page says
 * why. */
static gboolean relabel(struct RmilLoop *loop, GArray *changed, GError **error) {
    RmilDesk *desk = loop->desk;
    for (int64_t row = 0; row < desk->count; row++) {
        g_mutex_lock(&desk->lock);
        const gboolean stale = desk->outlines[row].stale, there = desk->outlines[row].identity != NULL;
        desk->outlines[row].stale = FALSE;
        g_mutex_unlock(&desk->lock);
        const int64_t at = stale ? data_row(loop, row) : -1;
        if (at < 0 || !loop->to_bags[at]) continue;
        const RmilBag *bag = loop->to_bags[at];
        uint8_t *labels = there ? rmil_try_new(bag->count, 1, error) : NULL;
        g_autoptr(GError) reason = NULL;
        if (there && !labels) return FALSE;
        if (there && (!bag->coords || bag->patch_size_level0 <= 0))
            rmil_fail(&reason, RMIL_ERROR_DATA, "its features have no coordinates, so patches cannot be matched with outlines");
        if (!reason && there) rmil_outlines_labels(desk, row, bag, labels, &reason);
        if (reason) {
            g_free(labels);
            rmil_desk_problem(desk, row, reason->message);
            continue;
        }
        set_labels(loop, at, labels);
        g_clear_pointer(&loop->samples[at], rmil_sample_free);
        g_array_append_val(changed, row);
    }
    return TRUE;
}

/* -- initial model --------------------------------------------------------------------------------------------------------------------- */
static RmilTrained *first_run(const RmilShelf *shelf, const char *method) {
    for (guint i = 0; shelf && i < shelf->runs->len; i++)
        if (strcmp(((RmilTrained *)shelf->runs->pdata[i])->run->method, method) == 0) return shelf->runs->pdata[i];
    return NULL;
}

static RmilSplit *splits_of(const struct RmilLoop *loop, const RmilTrained *trained) {
    RmilSplit *splits = g_new0(RmilSplit, loop->data->count);
    for (int64_t i = 0; i < loop->data->count; i++) {
        const RmilPredictionRow *said = g_hash_table_lookup(trained->by_id, loop->data->cohort->rows[i].id);
        if (said) splits[i] = said->part;
    }
    return splits;
}

/* -- training data --------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    struct RmilLoop *loop;
    const RmilModel *model;
    const RmilSplit *splits;
    GHashTable *changed; /* rows of the data, + 1 */
} Sampling;

static gboolean sample_task(int64_t at, int worker, gpointer user, GError **error) {
    const Sampling *s = user;
    struct RmilLoop *loop = s->loop;
    if (loop->samples[at] || !loop->to_bags[at] || s->splits[at] != RMIL_SPLIT_TRAIN) return TRUE;
    const gboolean changed = g_hash_table_contains(s->changed, GSIZE_TO_POINTER((gsize)at + 1));
    loop->samples[at] = rmil_sample_new(loop->to_bags[at], s->model, changed ? PATCHES_CHANGED : PATCHES, error);
    return loop->samples[at] != NULL;
}

/* The training set, as indices of the samples; *patches: total number of their patches. */
static GArray *collect(struct RmilLoop *loop, const RmilModel *model, const RmilSplit *splits, const GArray *changed, int64_t *patches,
                       GError **error) {
    g_autoptr(GHashTable) rows = g_hash_table_new(NULL, NULL);
    for (guint i = 0; changed->len <= CHANGED && i < changed->len; i++) /* the first time, all outlined slides count as changed */
        g_hash_table_add(rows, GSIZE_TO_POINTER((gsize)data_row(loop, g_array_index(changed, int64_t, i)) + 1));
    Sampling sampling = {loop, model, splits, rows};
    if (!rmil_parallel(loop->data->count, loop->desk->options.threads, sample_task, &sampling, error)) return NULL;
    GArray *set = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t at = 0; at < loop->data->count; at++) {
        if (!loop->samples[at] || splits[at] != RMIL_SPLIT_TRAIN || !rmil_target_known(&loop->data->cohort->task, &loop->data->targets[at]))
            continue;
        g_array_append_val(set, at);
        *patches += loop->samples[at]->count;
    }
    return set;
}

/* -- what changed ---------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const struct RmilLoop *loop;
    const RmilModel *model;
    const GArray *rows; /* of the data */
    RmilPrediction *said;
} Validating;

static gboolean validate_task(int64_t index, int worker, gpointer user, GError **error) {
    const Validating *v = user;
    return rmil_model_predict(v->model, v->loop->to_bags[g_array_index(v->rows, int64_t, index)], NULL, &v->said[index], NULL, NULL, error);
}

/* The first metric of the validation set (AUROC, c-index …), on all patches; NaN if undefined. */
static double validate(const struct RmilLoop *loop, const RmilModel *model, const RmilSplit *splits) {
    const RmilTask *task = &loop->data->cohort->task;
    g_autoptr(GArray) at = g_array_new(FALSE, FALSE, sizeof(int64_t)), rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    double values[RMIL_MEASURES_MOST];
    for (int64_t i = 0; i < loop->data->count; i++)
        if (splits[i] == RMIL_SPLIT_VAL && loop->to_bags[i] && rmil_target_known(task, &loop->data->targets[i])) g_array_append_val(at, i);
    g_autofree RmilPrediction *said = g_new0(RmilPrediction, at->len + 1);
    Validating validating = {loop, model, at, said};
    if (!rmil_parallel(at->len, loop->desk->options.threads, validate_task, &validating, NULL)) return NAN;
    for (guint i = 0; i < at->len; i++) {
        const RmilPredictionRow row = rmil_prediction_row(loop->data, g_array_index(at, int64_t, i), RMIL_SPLIT_VAL, &said[i],
                                                          rmil_model_config(model)->edges + 1);
        g_array_append_val(rows, row);
    }
    if (!rmil_predictions_measurable(rows, task)) return NAN;
    rmil_measure(task, rows, NULL, RMIL_MEASURING_USUAL, values, NULL);
    return values[0];
}

/* For one slide: the prediction, and the share of the attention inside the outlines. */
static JsonObject *slide_object(const struct RmilLoop *loop, const RmilModel *model, int64_t at) {
    const RmilBag *bag = loop->to_bags[at];
    const RmilTask *task = &loop->data->cohort->task;
    g_autofree float *attention = rmil_try_new(bag->count, sizeof(float), NULL);
    RmilPrediction said;
    JsonObject *out = json_object_new();
    if (!attention || !rmil_model_predict(model, bag, NULL, &said, NULL, attention, NULL)) return out;
    double inside = 0, all = 0;
    for (int64_t i = 0; i < bag->count; i++) {
        all += (double)attention[i];
        if (bag->patch_labels && bag->patch_labels[i]) inside += (double)attention[i];
    }
    rmil_json_put(out, "said", task->classes == 2 ? said.probability : task->classes > 2 ? said.values[said.predicted] : said.answer);
    json_object_set_int_member(out, "predicted", said.predicted);
    rmil_json_put(out, "inside", bag->patch_labels && all > 0 ? inside / all : NAN);
    return out;
}

typedef struct {
    const RmilTrainMethod *method;
    const RmilModel *before, *after; /* `after` is the loop's quick model */
    const RmilSplit *splits;
    int64_t row, epochs;
    double seconds;
} Change;

static JsonNode *tell(const struct RmilLoop *loop, const Change *change, int64_t serial) {
    JsonObject *out = json_object_new();
    int count;
    json_object_set_int_member(out, "serial", serial);
    json_object_set_string_member(out, "method", change->method->name);
    json_object_set_string_member(out, "title", change->method->title);
    json_object_set_string_member(out, "measure", rmil_measures(&loop->data->cohort->task, &count)[0].name);
    rmil_json_put(out, "seconds", change->seconds);
    json_object_set_int_member(out, "epochs", change->epochs);
    const int64_t at = data_row(loop, change->row);
    if (at >= 0 && loop->to_bags[at]) {
        JsonObject *slide = json_object_new();
        int64_t labelled = 0;
        const RmilBag *bag = loop->to_bags[at];
        for (int64_t i = 0; bag->patch_labels && i < bag->count; i++) labelled += bag->patch_labels[i];
        json_object_set_string_member(slide, "id", loop->desk->work->cohort->rows[change->row].id);
        json_object_set_int_member(slide, "patches", labelled);
        json_object_set_object_member(slide, "before", slide_object(loop, change->before, at));
        json_object_set_object_member(slide, "after", slide_object(loop, change->after, at));
        json_object_set_object_member(out, "slide", slide);
    }
    return rmil_json_of_object(out);
}

/* -- overlays for QuPath --------------------------------------------------------------------------------------------------------------- */
static gboolean write_overlay(const struct RmilLoop *loop, const RmilQuick *quick, int64_t row, GError **error) {
    const int64_t at = data_row(loop, row);
    const RmilBag *bag = at < 0 ? NULL : loop->to_bags[at];
    if (!bag || !bag->coords) return TRUE;
    RmilLook look = {0};
    rmil_tiles_look(loop->desk->tiles, row, &look, NULL);
    g_autofree float *attention = rmil_try_new(bag->count, sizeof(float), error),
                     *scores = attention ? rmil_try_new(bag->count, sizeof(float), error) : NULL;
    g_autofree char *name = g_strconcat(loop->desk->work->cohort->rows[row].id, ".geojson", NULL),
                    *path = g_build_filename(loop->desk->options.folder, "overlays", quick->method->name, name, NULL);
    RmilPrediction said;
    return scores && rmil_model_predict(quick->model, bag, NULL, &said, scores, attention, error) &&
           rmil_qupath_write(bag->coords, attention, scores, bag->count, bag->patch_size_level0, look.info.bounds_x, look.info.bounds_y,
                             path, error);
}

/* -- the training ---------------------------------------------------------------------------------------------------------------------- */
static void epoch_done(gpointer user, const char *what, int64_t done, int64_t total) {
    struct RmilLoop *loop = user;
    g_mutex_lock(&loop->lock);
    loop->done = done;
    loop->total = total;
    g_mutex_unlock(&loop->lock);
}

/* The last model of the method: the quick one, or the record's. *quick and *shelf keep them alive. */
static const RmilModel *last_model(struct RmilLoop *loop, const RmilTrainMethod *method, RmilTrained *trained, RmilShelf *shelf,
                                   RmilQuick **quick, GError **error) {
    *quick = rmil_loop_quick(loop);
    if (*quick && (*quick)->method == method) return (*quick)->model;
    return rmil_trained_model(shelf, trained, error);
}

static void keep(struct RmilLoop *loop, RmilModel *model, const RmilTrainMethod *method, int64_t serial, JsonNode *result) {
    RmilQuick *quick = g_new0(RmilQuick, 1);
    *quick = (RmilQuick){.serial = serial, .method = method, .model = model};
    g_atomic_ref_count_init(&quick->users);
    g_mutex_lock(&loop->lock);
    rmil_quick_unref(loop->before);
    loop->before = loop->quick;
    loop->quick = quick;
    if (loop->result) json_node_unref(loop->result);
    loop->result = result;
    g_mutex_unlock(&loop->lock);
}

static RmilModel *train(struct RmilLoop *loop, const RmilTrainMethod *method, const RmilModel *warm, const RmilSplit *splits, uint64_t seed,
                        const GArray *changed, GArray *history, GError **error) {
    RmilModelConfig model;
    RmilTrainConfig config;
    int64_t patches = 0;
    g_autoptr(GArray) set = collect(loop, warm, splits, changed, &patches, error);
    if (!set || !rmil_train_options_configure(loop->desk->options.training, method, &model, &config, error)) return NULL;
    if (!set->len) {
        rmil_fail(error, RMIL_ERROR_DATA, "no slide of the training set can be read");
        return NULL;
    }
    const double epoch = 6.0 * (double)patches *
                         (double)warm->layout.count; /* forward and two backward products, a multiplication and an addition each */
    const RmilMonitor monitor = {.progress = epoch_done, .user = loop};
    config.warm = warm;
    config.epochs = (int64_t)CLAMP(OPERATIONS * loop->desk->options.threads / epoch, EPOCHS_LEAST, EPOCHS_MOST);
    config.group = MIN(config.group, GROUP);
    config.stop_metric = FALSE;
    config.seed = seed;
    config.threads = loop->desk->options.threads;
    return rmil_train(rmil_model_config(warm), &config, (const RmilBag *const *)loop->samples, loop->data->targets,
                      (const int64_t *)(void *)set->data, set->len, NULL, 0, NULL, history, &monitor, error);
}

static void add_validation(struct RmilLoop *loop, const Change *change) {
    const double before = validate(loop, change->before, change->splits), after = validate(loop, change->after, change->splits);
    g_mutex_lock(&loop->lock);
    if (loop->result) {
        rmil_json_put(json_node_get_object(loop->result), "before", before);
        rmil_json_put(json_node_get_object(loop->result), "after", after);
    }
    g_mutex_unlock(&loop->lock);
}

static gboolean refuse(const struct RmilLoop *loop, const RmilTrainMethod *method, const RmilTrained *trained, GError **error) {
    if (!trained)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no training of %s has finished there, so there is no model to continue from",
                         loop->desk->options.folder, method->name);
    if (rmil_model_class(method->model, NULL)->dim)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s learns from pixels, which takes longer than seconds: only the exact training "
                         "follows",
                         method->name);
    return TRUE;
}

gboolean rmil_loop_train(struct RmilLoop *loop, const RmilTrainMethod *method, int64_t row, GError **error) {
    static int64_t serial;
    g_autoptr(RmilShelf) shelf = rmil_desk_shelf(loop->desk);
    RmilTrained *trained = first_run(shelf, method->name);
    loop->exact_alone = trained != NULL;
    if (!refuse(loop, method, trained, error) || !load(loop, error)) return FALSE;
    if (loop->data->by_patient) return rmil_fail(error, RMIL_ERROR_DATA, "bags are patients here: only the exact training follows");
    g_autoptr(GArray) changed = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_autoptr(RmilQuick) last = NULL;
    if (!relabel(loop, changed, error)) return FALSE;
    const RmilModel *warm = last_model(loop, method, trained, shelf, &last, error);
    if (!warm) return FALSE;
    g_autofree RmilSplit *splits = splits_of(loop, trained);
    const gint64 start = g_get_monotonic_time();
    rmil_loop_say(loop, RMIL_LOOP_QUICK, NULL);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    RmilModel *model = train(loop, method, warm, splits, (uint64_t)trained->run->seed, changed, history, error);
    if (!model) return FALSE;
    const Change change = {method,
                           warm,
                           model,
                           splits,
                           row < 0 && changed->len ? g_array_index(changed, int64_t, 0) : row,
                           history->len,
                           (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC};
    serial++;
    keep(loop, model, method, serial, tell(loop, &change, serial));
    g_autoptr(RmilQuick) quick = rmil_loop_quick(loop);
    for (guint i = 0; loop->desk->options.watch && i < changed->len; i++)
        if (!write_overlay(loop, quick, g_array_index(changed, int64_t, i), error)) return FALSE;
    add_validation(loop, &change); /* the new heat map does not wait for this */
    return TRUE;
}
