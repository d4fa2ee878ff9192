/* SPDX-License-Identifier: Apache-2.0 */
/* JSON within bounds (rmil_json_read, rmil_json_parse): what its nodes hold, and large files piece by piece. */
#ifndef RMIL_JSON_H
#define RMIL_JSON_H

#include "base-private.h"

#include <json-glib/json-glib.h>

/* NULL or FALSE where the node is NULL, or holds another kind. */
JsonNode *rmil_json_get(JsonNode *object, const char *member);
JsonArray *rmil_json_array(JsonNode *node);
const char *rmil_json_string(JsonNode *node);
const char *rmil_json_text(JsonNode *object, const char *member); /* the string of a member */
gboolean rmil_json_number(JsonNode *node, double *value);
gboolean rmil_json_whole(JsonNode *node, int64_t *value);

/* Large JSON, piece by piece: a walk over the members of an object or the elements of an array finds where each lies, without
 * reading it; rmil_json_parse reads one. The pieces point into the text. */
typedef struct {
    const char *text;
    gsize size;
} RmilJsonPiece;
typedef struct {
    const char *at, *end;
    gboolean object, started, done, broken; /* broken: what comes is not JSON, or breaks off */
} RmilJsonWalk;
gboolean rmil_json_walk_begin(RmilJsonWalk *walk, RmilJsonPiece piece); /* FALSE: neither an object nor an array */
/* FALSE: there is no more, or broken. name (of an object's member): as it stands between the quotes. */
gboolean rmil_json_walk_next(RmilJsonWalk *walk, RmilJsonPiece *name, RmilJsonPiece *value);
gboolean rmil_json_walk_ended(const RmilJsonWalk *walk); /* well: nothing stands behind it */
gboolean rmil_json_find(RmilJsonPiece object, const char *member, RmilJsonPiece *value);
gboolean rmil_json_piece_is(RmilJsonPiece piece, const char *text);

#endif
