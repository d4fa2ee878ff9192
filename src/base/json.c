/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from files, within bounds: json-glib recurses at every level of nesting, and accepts neither a byte-order mark nor NaN and
 * infinity. */
#include "json.h"

#include <string.h>

enum { DEEPEST = 32 };

static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

/* The bare word at `at`, or NULL. */
static const char *word_at(const char *at, const char *end) {
    if (*at != 'N' && *at != 'I' && *at != '-') return NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (strlen(words[i]) <= (gsize)(end - at) && memcmp(at, words[i], strlen(words[i])) == 0) return words[i];
    return NULL;
}

/* Moves past the string whose opening quote is at `at`; NULL if it is not closed. */
static const char *skip_text(const char *at, const char *end) {
    for (at++; at < end; at++) {
        if (*at == '"') return at + 1;
        if (*at == '\\') at++;
    }
    return NULL;
}

/* The JSON with null in place of every bare word; NULL: there is none, or (*deep) the nesting is too deep. */
static GString *without_words(const char *json, const char *end, gboolean *deep) {
    GString *out = NULL;
    const char *copied = json;
    int depth = 0;
    *deep = FALSE;
    for (const char *at = json; at < end;) {
        if (*at == '"') {
            const char *behind = skip_text(at, end);
            at = behind ? behind : end;
            continue;
        }
        const char *word = word_at(at, end);
        if (*at == '[' || *at == '{') *deep = *deep || ++depth > DEEPEST;
        if (*at == ']' || *at == '}') depth--;
        if (word) {
            if (!out) out = g_string_new(NULL);
            g_string_append_len(out, copied, at - copied);
            g_string_append(out, "null");
            copied = at + strlen(word);
        }
        at += word ? strlen(word) : 1;
    }
    if (out) g_string_append_len(out, copied, end - copied);
    return out;
}

JsonNode *rmil_json_parse(const char *json, gsize size, const char *where, GError **error) {
    const char *end = json + size;
    gboolean deep;
    g_autoptr(GString) plain = NULL;
    if (size >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0) json += 3;
    if (!g_utf8_validate_len(json, (gsize)(end - json), NULL)) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not UTF-8 text", where);
        return NULL;
    }
    plain = without_words(json, end, &deep);
    if (deep) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is nested more than %d levels deep", where, DEEPEST);
        return NULL;
    }
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) reason = NULL;
    gboolean good = plain ? json_parser_load_from_data(parser, plain->str, (gssize)plain->len, &reason)
                          : json_parser_load_from_data(parser, json, end - json, &reason);
    JsonNode *root = good ? json_parser_get_root(parser) : NULL;
    if (!root) rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not well-formed JSON: %s", where, reason ? reason->message : "it is empty");
    return root ? json_node_ref(root) : NULL;
}

JsonNode *rmil_json_read(const char *path, gsize limit, GError **error) {
    gsize size;
    g_autofree char *text = rmil_file_read(path, limit, &size, error);
    JsonNode *root = text ? rmil_json_parse(text, size, path, error) : NULL;
    if (!root || JSON_NODE_HOLDS_OBJECT(root)) return root;
    json_node_unref(root);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is JSON, but not an object", path);
    return NULL;
}

char *rmil_json_print(JsonNode *node) { return json_to_string(node, TRUE); }

gboolean rmil_json_write(JsonNode *node, const char *path, GError **error) {
    g_autofree char *text = rmil_json_print(node), *line = g_strconcat(text, "\n", NULL);
    return rmil_file_write(path, line, strlen(line), error);
}

/* -- nodes -------------------------------------------------------------------------------------------------------------------- */
JsonNode *rmil_json_get(JsonNode *object, const char *member) {
    return object && JSON_NODE_HOLDS_OBJECT(object) ? json_object_get_member(json_node_get_object(object), member) : NULL;
}

JsonArray *rmil_json_array(JsonNode *node) { return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL; }

static GType value_type(JsonNode *node) { return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID; }

const char *rmil_json_string(JsonNode *node) { return value_type(node) == G_TYPE_STRING ? json_node_get_string(node) : NULL; }

const char *rmil_json_text(JsonNode *object, const char *member) { return rmil_json_string(rmil_json_get(object, member)); }

gboolean rmil_json_number(JsonNode *node, double *value) {
    const GType type = value_type(node);
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE) return FALSE;
    *value = json_node_get_double(node);
    return TRUE;
}

gboolean rmil_json_whole(JsonNode *node, int64_t *value) {
    if (value_type(node) != G_TYPE_INT64) return FALSE;
    *value = json_node_get_int(node);
    return TRUE;
}

/* -- piece by piece ---------------------------------------------------------------------------------------------------------- */
static const char *skip_blank(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) at++;
    return at;
}

/* Moves past the value at `at`; NULL if there is none, or if it is incomplete. */
static const char *skip_value(const char *at, const char *end) {
    static const char ends[] = ",:]} \t\r\n";
    int64_t depth = 0;
    if (at >= end || strchr(ends, *at)) return NULL;
    if (*at == '"') return skip_text(at, end);
    if (*at != '[' && *at != '{') { /* a number or a word */
        while (at < end && !strchr(ends, *at)) at++;
        return at;
    }
    while (at && at < end) {
        if (*at == '"') {
            at = skip_text(at, end);
            continue;
        }
        depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
        at++;
        if (depth == 0) return at;
    }
    return NULL;
}

gboolean rmil_json_walk_begin(RmilJsonWalk *walk, RmilJsonPiece piece) {
    *walk = (RmilJsonWalk){.at = NULL};
    if (!piece.text) return FALSE; /* the member does not exist */
    const char *at = skip_blank(piece.text, piece.text + piece.size);
    *walk = (RmilJsonWalk){.at = at, .end = piece.text + piece.size};
    if (at >= walk->end || (*at != '[' && *at != '{')) return FALSE;
    walk->object = *at == '{';
    walk->at++;
    return TRUE;
}

gboolean rmil_json_walk_next(RmilJsonWalk *walk, RmilJsonPiece *name, RmilJsonPiece *value) {
    const char *at = skip_blank(walk->at, walk->end), close = walk->object ? '}' : ']';
    if (walk->broken || walk->done) return FALSE;
    walk->broken = TRUE; /* until it has succeeded */
    if (at < walk->end && *at == close) {
        walk->at = at + 1;
        walk->done = TRUE;
        walk->broken = FALSE;
        return FALSE;
    }
    if (walk->started) {
        if (at >= walk->end || *at != ',') return FALSE;
        at = skip_blank(at + 1, walk->end);
    }
    if (walk->object) {
        const char *behind = at < walk->end && *at == '"' ? skip_text(at, walk->end) : NULL;
        if (!behind) return FALSE;
        *name = (RmilJsonPiece){at + 1, (gsize)(behind - at - 2)};
        at = skip_blank(behind, walk->end);
        if (at >= walk->end || *at != ':') return FALSE;
        at = skip_blank(at + 1, walk->end);
    }
    const char *behind = skip_value(at, walk->end);
    if (!behind) return FALSE;
    *value = (RmilJsonPiece){at, (gsize)(behind - at)};
    walk->at = behind;
    walk->started = TRUE;
    walk->broken = FALSE;
    return TRUE;
}

gboolean rmil_json_walk_ended(const RmilJsonWalk *walk) { return walk->done && skip_blank(walk->at, walk->end) == walk->end; }

gboolean rmil_json_find(RmilJsonPiece piece, const char *member, RmilJsonPiece *value) {
    RmilJsonWalk walk;
    RmilJsonPiece name;
    if (!rmil_json_walk_begin(&walk, piece) || !walk.object) return FALSE;
    while (rmil_json_walk_next(&walk, &name, value))
        if (rmil_json_piece_is(name, member)) return TRUE;
    return FALSE;
}

gboolean rmil_json_piece_is(RmilJsonPiece piece, const char *text) {
    return piece.size == strlen(text) && memcmp(piece.text, text, piece.size) == 0;
}
