/* SPDX-License-Identifier: Apache-2.0 */
/* The table of slides as the page shows it: what is known of each, what the models predict, and how wrong they are. */
#include "serve-private.h"

#include "draw/draw-private.h"
#include "json.h"

#include <string.h>

/* -- predictions of a method for a slide ----------------------------------------------------------------------------------------------- */
/* Means over the models that had the slide in their test set, if any, else over all; test: the former. */
typedef struct {
    int64_t n;
    gboolean test;
    double values[RMIL_CLASSES_MOST], answer;
} Said;

static void take(Said *said, const RmilTask *task, const RmilPredictionRow *row) {
    const gboolean test = row->part == RMIL_SPLIT_TEST;
    if (said->test && !test) return;
    if (test && !said->test) *said = (Said){.test = TRUE};
    for (int c = 0; c < task->classes; c++) said->values[c] += rmil_class_probability(task, row, c);
    said->answer += row->answer;
    said->n++;
}

static Said ask(const RmilShelf *shelf, const char *method, const RmilTask *task, const RmilCohortRow *row) {
    Said said = {0};
    for (guint i = 0; i < shelf->runs->len; i++) {
        const RmilTrained *trained = shelf->runs->pdata[i];
        const RmilPredictionRow *one = strcmp(trained->run->method, method) == 0 ? rmil_trained_row(trained, row) : NULL;
        if (one) take(&said, task, one);
    }
    for (int c = 0; c < task->classes; c++) said.values[c] /= (double)said.n;
    said.answer /= (double)said.n;
    return said;
}

/* 0 … 1: for classes 1 − the probability of the true one; NaN: unknown. */
static double how_wrong(const RmilTask *task, const RmilTarget *target, const Said *said) {
    if (!said->n || !rmil_target_known(task, target) || task->kind == RMIL_TASK_SURVIVAL) return NAN;
    if (task->kind == RMIL_TASK_NUMBER) return fabs(said->answer - target->value);
    return 1 - said->values[target->label];
}

static JsonObject *said_object(const RmilTask *task, const RmilTarget *target, const Said *said) {
    JsonObject *out = json_object_new();
    JsonArray *values = json_array_new();
    for (int c = 0; c < task->classes; c++) rmil_json_add(values, said->values[c]);
    json_object_set_array_member(out, "values", values);
    if (task->kind != RMIL_TASK_CLASSES) rmil_json_put(out, "answer", said->answer);
    rmil_json_put(out, "wrong", how_wrong(task, target, said));
    json_object_set_boolean_member(out, "tested", said->test);
    return out;
}

/* -- a slide --------------------------------------------------------------------------------------------------------------------------- */
static const char *split_of(const RmilShelf *shelf, const RmilCohortRow *row) {
    if (row->split != RMIL_SPLIT_NONE || !shelf || !shelf->runs->len) return rmil_split_name(row->split);
    const RmilPredictionRow *said = rmil_trained_row(shelf->runs->pdata[0], row);
    return said ? rmil_split_name(said->part) : "";
}

static void add_target(JsonObject *out, const RmilTask *task, const RmilTarget *target) {
    if (!rmil_target_known(task, target)) return;
    if (task->kind == RMIL_TASK_CLASSES) {
        json_object_set_string_member(out, "label", task->names[target->label]);
        json_object_set_int_member(out, "class", target->label);
    } else if (task->kind == RMIL_TASK_NUMBER) {
        rmil_json_put(out, "value", target->value);
    } else {
        rmil_json_put(out, "time", target->time);
        json_object_set_boolean_member(out, "event", target->event);
    }
}

static JsonObject *slide_object(RmilDesk *desk, const RmilShelf *shelf, const GPtrArray *methods, int64_t index) {
    static const char *const outlined[] = {"", "outlined", "nothing"};
    const RmilCohortRow *row = &desk->work->cohort->rows[index];
    const RmilTask *task = &desk->work->cohort->task;
    JsonObject *out = json_object_new(), *said = json_object_new();
    json_object_set_string_member(out, "id", row->id);
    json_object_set_boolean_member(out, "slide", row->slide != NULL);
    json_object_set_boolean_member(out, "lesion", rmil_target_lesion(task, &row->target));
    add_target(out, task, &row->target);
    json_object_set_string_member(out, "split", split_of(shelf, row));
    if (row->patient) json_object_set_string_member(out, "patient", row->patient);
    if (row->site) json_object_set_string_member(out, "site", row->site);
    g_mutex_lock(&desk->lock);
    const char *problem = g_hash_table_lookup(desk->problems, row->id);
    if (problem) json_object_set_string_member(out, "problem", problem);
    json_object_set_string_member(out, "outlined", outlined[desk->outlines[index].is]);
    g_mutex_unlock(&desk->lock);
    for (guint m = 0; m < methods->len; m++) {
        const Said one = ask(shelf, methods->pdata[m], task, row);
        if (one.n) json_object_set_object_member(said, methods->pdata[m], said_object(task, &row->target, &one));
    }
    json_object_set_object_member(out, "said", said);
    return out;
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------------- */
static GPtrArray *methods_of(const RmilShelf *shelf) {
    GPtrArray *methods = g_ptr_array_new();
    for (guint i = 0; shelf && i < shelf->runs->len; i++) {
        const char *method = ((const RmilTrained *)shelf->runs->pdata[i])->run->method;
        if (!g_ptr_array_find_with_equal_func(methods, method, g_str_equal, NULL)) g_ptr_array_add(methods, (gpointer)method);
    }
    return methods;
}

static JsonObject *task_object(const RmilTask *task) {
    JsonObject *out = json_object_new();
    JsonArray *classes = json_array_new();
    for (int c = 0; c < task->classes; c++) json_array_add_string_element(classes, rmil_class_word(task, c));
    json_object_set_string_member(out, "kind", rmil_task_kind_name(task->kind));
    json_object_set_array_member(out, "classes", classes);
    json_object_set_boolean_member(out, "negative", task->negative);
    return out;
}

static JsonArray *colours(void) {
    JsonArray *out = json_array_sized_new(256);
    for (int i = 0; i < 256; i++) {
        uint8_t rgb[3];
        rmil_viridis(i / 255.0, rgb);
        g_autofree char *text = g_strdup_printf("#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
        json_array_add_string_element(out, text);
    }
    return out;
}

static JsonArray *method_list(const GPtrArray *methods) {
    JsonArray *out = json_array_new();
    for (guint m = 0; m < methods->len; m++) {
        const RmilTrainMethod *method = rmil_method_find(methods->pdata[m], NULL);
        JsonObject *one = json_object_new();
        json_object_set_string_member(one, "name", methods->pdata[m]);
        json_object_set_string_member(one, "title", method ? method->title : methods->pdata[m]);
        json_array_add_object_element(out, one);
    }
    return out;
}

JsonNode *rmil_overview(RmilDesk *desk) {
    g_autoptr(RmilShelf) shelf = rmil_desk_shelf(desk);
    g_autoptr(GPtrArray) methods = methods_of(shelf);
    g_autofree char *name = g_path_get_basename(desk->work->cohort->path), *home = g_path_get_basename(desk->home);
    g_autofree char *title = g_strdup_printf("%s/%s", home, name);
    JsonObject *out = json_object_new();
    JsonArray *slides = json_array_new();
    json_object_set_string_member(out, "title", title);
    if (desk->options.folder) json_object_set_string_member(out, "folder", desk->options.folder);
    json_object_set_boolean_member(out, "readOnly", desk->options.read_only);
    json_object_set_boolean_member(out, "live", desk->options.live);
    json_object_set_boolean_member(out, "trains", desk->loop != NULL);
    json_object_set_object_member(out, "task", task_object(&desk->work->cohort->task));
    json_object_set_array_member(out, "methods", method_list(methods));
    json_object_set_array_member(out, "colours", colours());
    json_object_set_member(out, "heats", rmil_heat_list(desk));
    for (int64_t i = 0; i < desk->count; i++) json_array_add_object_element(slides, slide_object(desk, shelf, methods, i));
    json_object_set_array_member(out, "slides", slides);
    g_mutex_lock(&desk->lock);
    json_object_set_int_member(out, "version", desk->version);
    g_mutex_unlock(&desk->lock);
    return rmil_json_of_object(out);
}

JsonNode *rmil_slide_page(RmilDesk *desk, int64_t row, GError **error) {
    RmilLook look;
    if (!rmil_tiles_look(desk->tiles, row, &look, error)) return NULL;
    JsonObject *out = json_object_new();
    json_object_set_string_member(out, "id", desk->work->cohort->rows[row].id);
    json_object_set_int_member(out, "width", look.info.bounds_width);
    json_object_set_int_member(out, "height", look.info.bounds_height);
    json_object_set_int_member(out, "left", look.info.bounds_x); /* the page's (0, 0) on level 0 */
    json_object_set_int_member(out, "top", look.info.bounds_y);
    json_object_set_int_member(out, "fullWidth", look.info.width);
    json_object_set_int_member(out, "fullHeight", look.info.height);
    json_object_set_int_member(out, "deepest", look.deepest);
    json_object_set_int_member(out, "tile", RMIL_TILE_SIDE);
    json_object_set_int_member(out, "over", RMIL_TILE_OVER);
    rmil_json_put(out, "mpp", look.mpp);
    json_object_set_boolean_member(out, "features", rmil_heat_has_bag(desk, row));
    return rmil_json_of_object(out);
}
