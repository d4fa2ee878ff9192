/* SPDX-License-Identifier: Apache-2.0 */
/* JSON within bounds (rmil_json_read, rmil_json_parse): access to its nodes, and large files piece by piece. */
#ifndef RMIL_JSON_H
#define RMIL_JSON_H

#include "base-private.h"

#include <json-glib/json-glib.h>

/* NULL or FALSE if the node is NULL, or of another kind. */
JsonNode *rmil_json_get(JsonNode *object, const char *member);
JsonArray *rmil_json_array(JsonNode *node);
const char *rmil_json_string(JsonNode *node);
const char *rmil_json_text(JsonNode *object, const char *member); /* string value of a member */
gboolean rmil_json_number(JsonNode *node, double *value);
gboolean rmil_json_whole(JsonNode *node, int64_t *value);

/* Large JSON, piece by piece: a walk over the members of an object or the elements of an array finds where each is, without parsing it;
 * rmil_json_parse parses one. The pieces point into the text. */
typedef struct {
    const char *text;
    gsize size;
} RmilJsonPiece;
typedef struct {
    const char *at, *end;
    gboolean object, started, done, broken; /* broken: what follows is not JSON, or is incomplete */
} RmilJsonWalk;
gboolean rmil_json_walk_begin(RmilJsonWalk *walk, RmilJsonPiece piece); /* FALSE: neither an object nor an array */
/* FALSE: no more, or broken. name (of an object's member): as written between the quotes. */
gboolean rmil_json_walk_next(RmilJsonWalk *walk, RmilJsonPiece *name, RmilJsonPiece *value);
gboolean rmil_json_walk_ended(const RmilJsonWalk *walk); /* well: nothing follows it */
gboolean rmil_json_find(RmilJsonPiece object, const char *member, RmilJsonPiece *value);
gboolean rmil_json_piece_is(RmilJsonPiece piece, const char *text);

#endif
