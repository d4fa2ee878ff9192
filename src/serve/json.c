/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects, written member by member. */
#include "json.h"

JsonNode *rmil_json_of_object(JsonObject *object) {
    JsonNode *node = json_node_alloc();
    json_node_init_object(node, object);
    json_object_unref(object);
    return node;
}

JsonNode *rmil_json_of_array(JsonArray *array) {
    JsonNode *node = json_node_alloc();
    json_node_init_array(node, array);
    json_array_unref(array);
    return node;
}

void rmil_json_put(JsonObject *object, const char *member, double value) {
    if (isfinite(value)) json_object_set_double_member(object, member, value);
    else json_object_set_null_member(object, member);
}

void rmil_json_add(JsonArray *array, double value) {
    if (isfinite(value)) json_array_add_double_element(array, value);
    else json_array_add_null_element(array);
}
