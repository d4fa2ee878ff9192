/* SPDX-License-Identifier: Apache-2.0 */
/* What is predicted, and what is known of it. */
#include "cohort-private.h"

#include "base/json.h"

#include <string.h>

void rmil_task_init(RmilTask *task) { *task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"0", "1"}, .negative = TRUE}; }

gboolean rmil_task_equal(const RmilTask *a, const RmilTask *b) {
    if (a->kind != b->kind || a->classes != b->classes || a->negative != b->negative) return FALSE;
    for (int c = 0; c < a->classes; c++)
        if (strcmp(a->names[c], b->names[c]) != 0) return FALSE;
    return TRUE;
}

gboolean rmil_task_is_plain(const RmilTask *task) {
    RmilTask plain;
    rmil_task_init(&plain);
    return rmil_task_equal(task, &plain);
}

const char *rmil_task_kind_name(RmilTaskKind kind) {
    static const char *const names[] = {"classes", "survival", "number"};
    return names[kind];
}

gboolean rmil_target_known(const RmilTask *task, const RmilTarget *target) {
    return task->kind == RMIL_TASK_CLASSES    ? target->label >= 0
           : task->kind == RMIL_TASK_SURVIVAL ? !isnan(target->time)
                                              : !isnan(target->value);
}

gboolean rmil_target_lesion(const RmilTask *task, const RmilTarget *target) {
    return rmil_target_known(task, target) && (task->kind != RMIL_TASK_CLASSES || !task->negative || target->label > 0);
}

static gboolean same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

gboolean rmil_target_equal(const RmilTask *task, const RmilTarget *a, const RmilTarget *b) {
    if (task->kind == RMIL_TASK_CLASSES) return a->label == b->label;
    if (task->kind == RMIL_TASK_NUMBER) return same_number(a->value, b->value);
    return same_number(a->time, b->time) && a->event == b->event;
}

/* -- as text ------------------------------------------------------------------------------------------------------------------ */
char *rmil_task_text(const RmilTask *task) {
    g_autoptr(JsonObject) out = json_object_new();
    json_object_set_string_member(out, "kind", rmil_task_kind_name(task->kind));
    if (task->kind == RMIL_TASK_CLASSES) {
        JsonArray *names = json_array_new();
        for (int c = 0; c < task->classes; c++) json_array_add_string_element(names, task->names[c]);
        json_object_set_array_member(out, "classes", names);
        json_object_set_boolean_member(out, "negative", task->negative);
    }
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, out);
    return json_to_string(node, FALSE);
}

static gboolean parse_classes(JsonNode *node, RmilTask *task, GError **error) {
    JsonArray *names = rmil_json_array(rmil_json_get(node, "classes"));
    JsonNode *negative = rmil_json_get(node, "negative");
    const guint count = names ? json_array_get_length(names) : 0;
    if (count < 2 || count > RMIL_CLASSES_MOST)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "the task has %u classes, not 2 to %d", count, RMIL_CLASSES_MOST);
    task->classes = (int)count;
    task->negative = negative && JSON_NODE_HOLDS_VALUE(negative) && json_node_get_boolean(negative);
    for (guint c = 0; c < count; c++) {
        const char *name = rmil_json_string(json_array_get_element(names, c));
        if (!name || !*name || strlen(name) >= RMIL_CLASS_NAME)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "class %u of the task has no name, or one of more than %d bytes", c,
                             RMIL_CLASS_NAME - 1);
        g_strlcpy(task->names[c], name, RMIL_CLASS_NAME);
    }
    return TRUE;
}

gboolean rmil_task_parse(const char *text, RmilTask *task, GError **error) {
    g_autoptr(JsonNode) node = rmil_json_parse(text, strlen(text), "task", error);
    if (!node) return FALSE;
    const char *name = rmil_json_text(node, "kind");
    *task = (RmilTask){.kind = RMIL_TASK_CLASSES};
    for (RmilTaskKind kind = RMIL_TASK_CLASSES; kind <= RMIL_TASK_NUMBER; kind++) {
        if (g_strcmp0(name, rmil_task_kind_name(kind)) != 0) continue;
        task->kind = kind;
        return kind != RMIL_TASK_CLASSES || parse_classes(node, task, error);
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT, "this version does not know the kind of task \"%s\"", name ? name : "");
}
