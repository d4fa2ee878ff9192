/* SPDX-License-Identifier: Apache-2.0 */
/* What models predict for the patches of one slide, as the page draws it. */
#include "serve-private.h"

#include "draw/draw-private.h"
#include "json.h"

#include <string.h>

enum { TOP = 24 }; /* number of most attended patches that are listed */

/* -- patches ------------------------------------------------------------------------------------------------------------------------- */
static char *features_path(const RmilWork *work, int64_t row) {
    const char *given = work->cohort->rows[row].features;
    return given ? g_strdup(given) : work->folder ? rmil_work_features(work, row) : NULL;
}

gboolean rmil_heat_has_bag(RmilDesk *desk, int64_t row) {
    g_autofree char *path = features_path(desk->work, row);
    return path && g_file_test(path, G_FILE_TEST_EXISTS);
}

RmilBag *rmil_heat_bag(RmilDesk *desk, int64_t row, gboolean features, GError **error) {
    const RmilWork *work = desk->work;
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autofree char *path = features_path(work, row);
    RmilBagSetOptions load;
    rmil_bag_set_options_init(&load);
    if (desk->options.training && !rmil_train_options_load(desk->options.training, &load, error)) return NULL;
    if (!path || !g_file_test(path, G_FILE_TEST_EXISTS)) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: no features yet: 'rankmil run' makes them", given->id);
        return NULL;
    }
    g_autoptr(RmilBag) bag = rmil_bag_read(path, given->id, load.precision, features ? RMIL_BAG_ALL : RMIL_BAG_NO_FEATURES, error);
    if (!bag) return NULL;
    if (!bag->coords || bag->patch_size_level0 <= 0 || !rmil_bag_locate(bag, given->slide, rmil_work_mpp(work, row), NULL)) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: its features have no coordinates on the slide", given->id);
        return NULL;
    }
    if (given->slide) rmil_bag_set_slide(bag, given->slide, rmil_work_mpp(work, row), NULL);
    return g_steal_pointer(&bag);
}

JsonNode *rmil_heat_patches(RmilDesk *desk, int64_t row, GError **error) {
    g_autoptr(RmilBag) bag = rmil_heat_bag(desk, row, FALSE, error);
    RmilLook look = {0};
    if (!bag) return NULL;
    rmil_tiles_look(desk->tiles, row, &look, NULL); /* without a slide the scanned area is unknown: positions count from level 0 */
    JsonObject *out = json_object_new();
    JsonArray *x = json_array_sized_new((guint)bag->count), *y = json_array_sized_new((guint)bag->count);
    for (int64_t i = 0; i < bag->count; i++) {
        json_array_add_int_element(x, bag->coords[2 * i] - look.info.bounds_x);
        json_array_add_int_element(y, bag->coords[2 * i + 1] - look.info.bounds_y);
    }
    rmil_json_put(out, "side", bag->patch_size_level0);
    json_object_set_array_member(out, "x", x);
    json_object_set_array_member(out, "y", y);
    return rmil_json_of_object(out);
}

/* -- selecting models ---------------------------------------------------------------------------------------------------------------- */
/* The models of a method that had the slide in their test set, if any, else all: those behind its probability in the report. */
static GPtrArray *find_runs(RmilShelf *shelf, const char *name, const RmilCohortRow *row) {
    GPtrArray *all = g_ptr_array_new();
    gboolean tested = FALSE;
    for (guint i = 0; i < shelf->runs->len; i++) {
        RmilTrained *trained = shelf->runs->pdata[i];
        if (strcmp(trained->folder, name) != 0 && strcmp(trained->run->method, name) != 0) continue;
        const RmilPredictionRow *said = rmil_trained_row(trained, row);
        const gboolean test = said && said->part == RMIL_SPLIT_TEST;
        if (test && !tested) g_ptr_array_set_size(all, 0);
        if (test || !tested) g_ptr_array_add(all, trained);
        tested = tested || test;
    }
    return all;
}

/* name: as for rmil_heat_get. *shelf and *quick keep the owners of the models alive. */
static GPtrArray *find_models(RmilDesk *desk, int64_t row, const char *name, RmilShelf **shelf, RmilQuick **quick, GError **error) {
    g_autoptr(GPtrArray) models = g_ptr_array_new();
    *quick = desk->loop && strcmp(name, "now") == 0 ? rmil_loop_quick(desk->loop) : NULL;
    if (*quick) {
        g_ptr_array_add(models, (*quick)->model);
        return g_steal_pointer(&models);
    }
    *shelf = rmil_desk_shelf(desk);
    g_autoptr(GPtrArray) runs = *shelf ? find_runs(*shelf, name, &desk->work->cohort->rows[row]) : NULL;
    for (guint i = 0; runs && i < runs->len; i++) {
        const RmilModel *model = rmil_trained_model(*shelf, runs->pdata[i], error);
        if (!model) return NULL;
        g_ptr_array_add(models, (gpointer)model);
    }
    if (models->len) return g_steal_pointer(&models);
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no model \"%s\"", name);
    return NULL;
}

static void add_heat(JsonArray *list, const char *name, const char *title) {
    JsonObject *heat = json_object_new();
    json_object_set_string_member(heat, "name", name);
    json_object_set_string_member(heat, "title", title);
    json_array_add_object_element(list, heat);
}

static int64_t runs_of(const RmilShelf *shelf, const char *method) {
    int64_t n = 0;
    for (guint i = 0; i < shelf->runs->len; i++) n += strcmp(((RmilTrained *)shelf->runs->pdata[i])->run->method, method) == 0;
    return n;
}

JsonNode *rmil_heat_list(RmilDesk *desk) {
    JsonArray *list = json_array_new();
    g_autoptr(RmilQuick) quick = desk->loop ? rmil_loop_quick(desk->loop) : NULL;
    g_autoptr(RmilShelf) shelf = rmil_desk_shelf(desk);
    if (quick) {
        g_autofree char *title = g_strdup_printf("%s, just trained", quick->method->title);
        add_heat(list, "now", title);
    }
    const char *last = NULL;
    for (guint i = 0; shelf && i < shelf->runs->len; i++) {
        const RmilTrained *trained = shelf->runs->pdata[i];
        const RmilTrainMethod *method = rmil_method_find(trained->run->method, NULL);
        const char *title = method ? method->title : trained->run->method;
        const int64_t n = runs_of(shelf, trained->run->method);
        g_autofree char *mean = g_strdup_printf("%s, mean of %" G_GINT64_FORMAT " models", title, n),
                        *one = g_strdup_printf("%s, model %s alone", title, strchr(trained->folder, '/') + 1);
        if (!last || strcmp(last, trained->run->method) != 0) add_heat(list, trained->run->method, n > 1 ? mean : title);
        if (n > 1) add_heat(list, trained->folder, one);
        last = trained->run->method;
    }
    return rmil_json_of_array(list);
}

/* -- applying them -------------------------------------------------------------------------------------------------------------------- */
static JsonArray *top_patches(const float *values, int64_t count, GError **error) {
    int64_t n, *order = rmil_descending(values, count, &n, error);
    if (!order) return NULL;
    JsonArray *top = json_array_new();
    for (int64_t i = 0; i < MIN(n, TOP); i++) json_array_add_int_element(top, order[i]);
    rmil_free(order);
    return top;
}

static void add_prediction(JsonObject *out, const RmilTask *task, const RmilPrediction *said, double sd) {
    JsonArray *values = json_array_new();
    if (task->kind == RMIL_TASK_CLASSES && task->classes == 2) {
        rmil_json_add(values, 1 - said->probability);
        rmil_json_add(values, said->probability);
    } else {
        for (int c = 0; c < said->count; c++) rmil_json_add(values, said->values[c]);
    }
    json_object_set_array_member(out, "values", values);
    json_object_set_int_member(out, "predicted", said->predicted);
    rmil_json_put(out, "answer", said->answer);
    rmil_json_put(out, "sd", sd);
}

static void add_scale(JsonObject *out, const RmilHeatScaling *scale, const char *label, int64_t count) {
    JsonArray *colours = json_array_sized_new((guint)count), *ticks = json_array_new();
    for (int64_t i = 0; i < count; i++)
        json_array_add_int_element(colours, isfinite(scale->position[i]) ? (int64_t)(scale->position[i] * 255 + 0.5f) : -1);
    for (int i = 0; i < scale->ticks; i++) {
        JsonObject *tick = json_object_new();
        rmil_json_put(tick, "at", scale->at[i]);
        json_object_set_string_member(tick, "text", scale->text[i]);
        json_array_add_object_element(ticks, tick);
    }
    json_object_set_array_member(out, "colours", colours);
    json_object_set_array_member(out, "ticks", ticks);
    json_object_set_string_member(out, "label", label);
}

static gboolean add_values(JsonObject *out, const float *attention, const float *scores, int64_t count, GError **error) {
    JsonArray *top = top_patches(attention, count, error), *relative = json_array_sized_new((guint)count),
              *raw = json_array_sized_new((guint)count);
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += isfinite(attention[i]) ? (double)attention[i] : 0;
    const double mean = sum > 0 ? sum / (double)count : 1;
    for (int64_t i = 0; i < count; i++) {
        rmil_json_add(relative, round((double)attention[i] / mean * 1e4) / 1e4);
        rmil_json_add(raw, round((double)scores[i] * 1e4) / 1e4);
    }
    json_object_set_array_member(out, "relative", relative);
    json_object_set_array_member(out, "scores", raw);
    if (top) json_object_set_array_member(out, "top", top);
    return top != NULL;
}

JsonNode *rmil_heat_get(RmilDesk *desk, int64_t row, const char *name, gboolean by_score, GError **error) {
    g_autoptr(RmilShelf) shelf = NULL;
    g_autoptr(RmilQuick) quick = NULL;
    g_autoptr(GPtrArray) models = find_models(desk, row, name, &shelf, &quick, error);
    g_autoptr(RmilBag) bag = models ? rmil_heat_bag(desk, row, TRUE, error) : NULL;
    if (!bag) return NULL;
    g_autofree float *attention = rmil_try_new(bag->count, sizeof(float), error),
                     *scores = attention ? rmil_try_new(bag->count, sizeof(float), error) : NULL,
                     *position = scores ? rmil_try_new(bag->count, sizeof(float), error) : NULL;
    RmilPrediction said;
    double sd;
    RmilHeatScaling scale = {.position = position};
    if (!position ||
        !rmil_ensemble_predict((const RmilModel *const *)models->pdata, models->len, bag, NULL, &said, &sd, scores, attention, error) ||
        !rmil_heat_scaling(&scale, by_score ? RMIL_HEAT_PERCENTILE : RMIL_HEAT_RELATIVE, by_score ? scores : attention, bag->count, error))
        return NULL;
    JsonObject *out = json_object_new();
    JsonNode *node = rmil_json_of_object(out);
    add_prediction(out, &rmil_model_config(models->pdata[0])->task, &said, sd);
    add_scale(out, &scale, by_score ? "score, percentile of the patches" : scale.label, bag->count);
    json_object_set_int_member(out, "models", models->len);
    if (add_values(out, attention, scores, bag->count, error)) return node;
    json_node_unref(node);
    return NULL;
}
