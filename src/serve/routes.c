/* SPDX-License-Identifier: Apache-2.0 */
/* All requests, as a table: method, path, handler. No part of a path reaches the file system: ids and names are looked up. */
#include "server.h"

#include "json.h"
#include "loop.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

typedef gboolean (*Answer)(RmilRequest *request, RmilReply *reply, GError **error);

/* -- kinds of answers ------------------------------------------------------------------------------------------------------------------ */
static gboolean json(RmilReply *reply, JsonNode *node) {
    if (!node) return FALSE;
    char *text = json_to_string(node, FALSE);
    json_node_unref(node);
    reply->type = "application/json";
    reply->body = g_bytes_new_take(text, strlen(text));
    return TRUE;
}

static gboolean picture(RmilReply *reply, const char *type, GBytes *bytes) {
    reply->type = type;
    reply->body = bytes;
    reply->keeps = TRUE;
    return bytes != NULL;
}

/* A tile that cannot be read is a gray one with a word on it; the reason is stored with the slide. */
static gboolean gray(RmilRequest *request, RmilReply *reply, GError *reason) {
    static const char svg[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"256\" height=\"256\"><rect width=\"256\" height=\"256\" "
                              "fill=\"#bbb\"/><text x=\"128\" y=\"132\" font-family=\"sans-serif\" font-size=\"15\" text-anchor=\"middle\" "
                              "fill=\"#333\">cannot be read</text></svg>";
    rmil_desk_problem(request->desk, request->row, reason->message);
    g_error_free(reason);
    reply->type = "image/svg+xml";
    reply->body = g_bytes_new_static(svg, sizeof svg - 1);
    return TRUE;
}

static gboolean whole(const char *text, int64_t low, int64_t high, int64_t *value, GError **error) {
    char *end;
    *value = text && g_ascii_isdigit(*(*text == '-' ? text + 1 : text)) ? g_ascii_strtoll(text, &end, 10) : high + 1;
    if (*value >= low && *value <= high && *end == '\0') return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "\"%.40s\" is not a number between %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT,
                     text ? text : "", low, high);
}

static JsonNode *body(const RmilRequest *request, GError **error) {
    gsize size;
    const char *text = g_bytes_get_data(request->body, &size);
    if (!size) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "the request is empty");
        return NULL;
    }
    JsonNode *node = rmil_json_parse(text, size, "the request", error);
    if (node && !JSON_NODE_HOLDS_OBJECT(node)) {
        json_node_unref(node);
        rmil_fail(error, RMIL_ERROR_FORMAT, "the request is not a JSON object");
        return NULL;
    }
    return node;
}

/* -- the page -------------------------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *ending, *type;
} types[] = {{".html", "text/html; charset=utf-8"},
             {".js", "text/javascript; charset=utf-8"},
             {".css", "text/css; charset=utf-8"},
             {".txt", "text/plain; charset=utf-8"},
             {".png", "image/png"},
             {".svg", "image/svg+xml"}};

static gboolean page_file(RmilRequest *request, RmilReply *reply, GError **error) {
    const char *name = *request->path[0] ? request->path[0] : "index.html";
    GResource *resource = rmil_page_get_resource();
    g_auto(GStrv) names = g_resource_enumerate_children(resource, "/rankmil/page", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    const char *type = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (g_str_has_suffix(name, types[i].ending)) type = types[i].type;
    if (!type || !names || !g_strv_contains((const char *const *)names, name) || request->path[1]) {
        reply->status = 404;
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is nothing with that name");
    }
    g_autofree char *path = g_strconcat("/rankmil/page/", name, NULL);
    reply->type = type;
    reply->body = g_resource_lookup_data(resource, path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    return reply->body != NULL;
}

/* -- the cohort ------------------------------------------------------------------------------------------------------------------------ */
static gboolean get_overview(RmilRequest *r, RmilReply *reply, GError **error) { return json(reply, rmil_overview(r->desk)); }

static gboolean get_heats(RmilRequest *r, RmilReply *reply, GError **error) { return json(reply, rmil_heat_list(r->desk)); }

/* ?order=mistakes; otherwise random */
static gboolean get_next(RmilRequest *r, RmilReply *reply, GError **error) {
    const char *order = r->query ? g_hash_table_lookup(r->query, "order") : NULL;
    return json(reply, rmil_next(r->desk, g_strcmp0(order, "mistakes") == 0, error));
}

/* The slides whose outlines have changed since a version, and the state of the loop: requested every second. */
static gboolean get_state(RmilRequest *r, RmilReply *reply, GError **error) {
    int64_t since = 0;
    const char *given = r->query ? g_hash_table_lookup(r->query, "since") : NULL;
    if (given && !whole(given, 0, G_MAXINT64 - 1, &since, error)) return FALSE;
    RmilDesk *desk = r->desk;
    JsonObject *out = json_object_new();
    JsonArray *changed = json_array_new();
    g_mutex_lock(&desk->lock);
    json_object_set_int_member(out, "version", desk->version);
    json_object_set_int_member(out, "record", desk->shelf ? desk->shelf->serial : 0);
    for (int64_t i = 0; i < desk->count; i++)
        if (desk->outlines[i].changed > since) json_array_add_string_element(changed, desk->work->cohort->rows[i].id);
    g_mutex_unlock(&desk->lock);
    json_object_set_array_member(out, "outlines", changed);
    if (desk->loop) json_object_set_member(out, "loop", rmil_loop_state(desk->loop));
    return json(reply, rmil_json_of_object(out));
}

/* -- a slide --------------------------------------------------------------------------------------------------------------------------- */
static gboolean get_slide(RmilRequest *r, RmilReply *reply, GError **error) {
    JsonNode *page = rmil_slide_page(r->desk, r->row, error);
    if (!page && error && *error) rmil_desk_problem(r->desk, r->row, (*error)->message);
    return json(reply, page);
}

static gboolean get_tile(RmilRequest *r, RmilReply *reply, GError **error) {
    int64_t zoom, x, y;
    GError *reason = NULL;
    if (!whole(r->path[3], 0, 40, &zoom, error) || !whole(r->path[4], 0, G_MAXINT32, &x, error) ||
        !whole(r->path[5], 0, G_MAXINT32, &y, error))
        return FALSE;
    if (picture(reply, "image/jpeg", rmil_tiles_get(r->desk->tiles, r->row, (int)zoom, x, y, &reason))) return TRUE;
    if (!g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_ARGUMENT)) return gray(r, reply, reason);
    reply->status = 404;
    g_propagate_error(error, reason);
    return FALSE;
}

static gboolean get_thumbnail(RmilRequest *r, RmilReply *reply, GError **error) {
    GError *reason = NULL;
    return picture(reply, "image/jpeg", rmil_tiles_thumbnail(r->desk->tiles, r->row, 240, &reason)) || gray(r, reply, reason);
}

static gboolean get_patch(RmilRequest *r, RmilReply *reply, GError **error) {
    int64_t x, y, side;
    GError *reason = NULL;
    if (!whole(r->path[3], -G_MAXINT32, G_MAXINT32, &x, error) || !whole(r->path[4], -G_MAXINT32, G_MAXINT32, &y, error) ||
        !whole(r->path[5], 1, 100000, &side, error))
        return FALSE;
    RmilLook look;
    if (!rmil_tiles_look(r->desk->tiles, r->row, &look, &reason)) return gray(r, reply, reason);
    return picture(reply, "image/jpeg",
                   rmil_tiles_patch(r->desk->tiles, r->row, x + look.info.bounds_x, y + look.info.bounds_y, (double)side, 112, &reason)) ||
           gray(r, reply, reason);
}

static gboolean get_mask(RmilRequest *r, RmilReply *reply, GError **error) {
    return picture(reply, "image/png", rmil_tiles_mask(r->desk->tiles, r->row, error));
}

static gboolean get_patches(RmilRequest *r, RmilReply *reply, GError **error) {
    return json(reply, rmil_heat_patches(r->desk, r->row, error));
}

static gboolean get_heat(RmilRequest *r, RmilReply *reply, GError **error) {
    g_autofree char *name = r->path[4] ? g_strdup_printf("%s/%s", r->path[3], r->path[4]) : g_strdup(r->path[3]);
    const char *by = r->query ? g_hash_table_lookup(r->query, "by") : NULL;
    if (by && strcmp(by, "attention") != 0 && strcmp(by, "score") != 0)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "a heat map is coloured by attention or by score, not by \"%.40s\"", by);
    return json(reply, rmil_heat_get(r->desk, r->row, name, by && *by == 's', error));
}

/* -- outlines -------------------------------------------------------------------------------------------------------------------------- */
static gboolean get_outlines(RmilRequest *r, RmilReply *reply, GError **error) {
    return json(reply, rmil_outlines_get(r->desk, r->row, error));
}

static gboolean put_outlines(RmilRequest *r, RmilReply *reply, GError **error) {
    g_autoptr(JsonNode) collection = body(r, error);
    gboolean stale = FALSE;
    if (!collection) return FALSE;
    JsonNode *saved = rmil_outlines_put(r->desk, r->row, collection, r->etag, &stale, error);
    if (stale) reply->status = 409;
    if (saved && r->desk->options.live && r->desk->loop) rmil_loop_ask(r->desk->loop, NULL, r->row, NULL);
    return json(reply, saved);
}

static gboolean post_shape(RmilRequest *r, RmilReply *reply, GError **error) {
    g_autoptr(JsonNode) request = body(r, error);
    JsonNode *made = request ? rmil_brush(request, error) : NULL;
    return json(reply, made);
}

/* -- the loop -------------------------------------------------------------------------------------------------------------------------- */
static gboolean post_retrain(RmilRequest *r, RmilReply *reply, GError **error) {
    g_autoptr(JsonNode) request = body(r, error);
    if (!request) return FALSE;
    if (!r->desk->loop)
        return rmil_fail(error, RMIL_ERROR_DATA, "there is no run here to train: make one with 'rankmil run' and view its folder");
    const char *id = rmil_json_text(request, "slide");
    if (!rmil_loop_ask(r->desk->loop, rmil_json_text(request, "method"), id ? rmil_desk_find(r->desk, id) : -1, error)) return FALSE;
    return json(reply, rmil_loop_state(r->desk->loop));
}

static gboolean post_undo(RmilRequest *r, RmilReply *reply, GError **error) {
    if (!r->desk->loop || !rmil_loop_undo(r->desk->loop)) return rmil_fail(error, RMIL_ERROR_DATA, "there is no quick training to undo");
    return json(reply, rmil_loop_state(r->desk->loop));
}

/* -- the table ------------------------------------------------------------------------------------------------------------------------- */
/* "*": a slide's id; "#": anything, which the handler looks up. writes: refused if nothing may be saved. */
static const struct {
    const char *method, *path;
    int least, most; /* number of pieces */
    gboolean writes;
    Answer answer;
} routes[] = {
    {"GET", "overview", 1, 1, FALSE, get_overview},
    {"GET", "heats", 1, 1, FALSE, get_heats},
    {"GET", "next", 1, 1, FALSE, get_next},
    {"GET", "state", 1, 1, FALSE, get_state},
    {"GET", "slide/*", 2, 2, FALSE, get_slide},
    {"GET", "slide/*/tile", 6, 6, FALSE, get_tile},
    {"GET", "slide/*/thumbnail", 3, 3, FALSE, get_thumbnail},
    {"GET", "slide/*/patch", 6, 6, FALSE, get_patch},
    {"GET", "slide/*/mask", 3, 3, FALSE, get_mask},
    {"GET", "slide/*/patches", 3, 3, FALSE, get_patches},
    {"GET", "slide/*/heat", 4, 5, FALSE, get_heat},
    {"GET", "slide/*/outlines", 3, 3, FALSE, get_outlines},
    {"PUT", "slide/*/outlines", 3, 3, TRUE, put_outlines},
    {"POST", "shape", 1, 1, FALSE, post_shape},
    {"POST", "retrain", 1, 1, TRUE, post_retrain},
    {"POST", "undo", 1, 1, TRUE, post_undo},
};

static gboolean matches(const char *pattern, RmilRequest *request) {
    g_auto(GStrv) pieces = g_strsplit(pattern, "/", -1);
    for (int i = 0; pieces[i]; i++) {
        if (!request->path[i]) return FALSE;
        if (*pieces[i] == '*') request->row = rmil_desk_find(request->desk, request->path[i]);
        else if (strcmp(pieces[i], request->path[i]) != 0) return FALSE;
    }
    return TRUE;
}

static gboolean ask(RmilRequest *request, RmilReply *reply, GError **error) {
    const int pieces = (int)g_strv_length(request->path);
    gboolean known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(routes); i++) {
        request->row = -1;
        if (pieces < routes[i].least || pieces > routes[i].most || !matches(routes[i].path, request)) continue;
        known = TRUE;
        if (strcmp(routes[i].method, request->method) != 0) continue;
        if (strchr(routes[i].path, '*') && request->row < 0) {
            reply->status = 404;
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "the table has no slide \"%.80s\"", request->path[1]);
        }
        if (routes[i].writes && request->desk->options.read_only) {
            reply->status = 403;
            return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "this server was started with --read-only: it saves nothing and trains "
                             "nothing");
        }
        return routes[i].answer(request, reply, error);
    }
    if (!known && strcmp(request->method, "GET") == 0) return page_file(request, reply, error);
    reply->status = known ? 405 : 404;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no such request");
}

static guint status_of(const GError *error) {
    if (error->domain != RMIL_ERROR) return 500;
    return error->code == RMIL_ERROR_ARGUMENT || error->code == RMIL_ERROR_FORMAT ? 400 : error->code == RMIL_ERROR_MEMORY ? 503 : 422;
}

void rmil_route(RmilRequest *request, RmilReply *reply) {
    g_autoptr(GError) error = NULL;
    *reply = (RmilReply){.type = "text/plain"};
    if (ask(request, reply, &error)) {
        if (!reply->status) reply->status = 200;
        return;
    }
    if (!reply->status) reply->status = error ? status_of(error) : 500;
    JsonObject *out = json_object_new();
    g_autofree char *message = g_utf8_make_valid(error ? error->message : "no reason given", -1);
    json_object_set_string_member(out, "error", message);
    json(reply, rmil_json_of_object(out));
    reply->keeps = FALSE;
}
