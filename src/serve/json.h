/* SPDX-License-Identifier: Apache-2.0 */
/* JSON objects, written member by member. */
#ifndef RMIL_SERVE_JSON_H
#define RMIL_SERVE_JSON_H

#include <glib.h>
#include <json-glib/json-glib.h>
#include <math.h>

/* Takes ownership of the object or array. */
JsonNode *rmil_json_of_object(JsonObject *object);
JsonNode *rmil_json_of_array(JsonArray *array);
/* NaN and infinite numbers, which JSON does not have, become null. */
void rmil_json_put(JsonObject *object, const char *member, double value);
void rmil_json_add(JsonArray *array, double value);

#endif
