/* SPDX-License-Identifier: Apache-2.0 */
/* The data of the page: the table's slides, their outlines, the record of the run. */
#include "serve-private.h"

#include <string.h>

#define TILE_BYTES ((int64_t)96 << 20) /* of cached pictures */

int64_t rmil_desk_find(const RmilDesk *desk, const char *id) { return (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(desk->by_id, id)) - 1; }

RmilShelf *rmil_desk_shelf(RmilDesk *desk) {
    g_mutex_lock(&desk->lock);
    RmilShelf *shelf = desk->shelf ? rmil_shelf_ref(desk->shelf) : NULL;
    g_mutex_unlock(&desk->lock);
    return shelf;
}

void rmil_desk_touch(RmilDesk *desk) { desk->version++; }

void rmil_desk_problem(RmilDesk *desk, int64_t row, const char *text) {
    const char *id = desk->work->cohort->rows[row].id;
    g_mutex_lock(&desk->lock);
    if (g_strcmp0(g_hash_table_lookup(desk->problems, id), text) != 0) {
        g_hash_table_replace(desk->problems, g_strdup(id), g_strdup(text));
        rmil_desk_touch(desk);
    }
    g_mutex_unlock(&desk->lock);
}

/* The problems that DIR/run.json lists, joined per slide. */
static void read_problems(RmilDesk *desk) {
    g_autofree char *path = g_build_filename(desk->options.folder, "run.json", NULL);
    g_autoptr(JsonNode) run = rmil_json_read(path, (gsize)64 << 20, NULL);
    JsonArray *problems = run ? rmil_json_array(rmil_json_get(run, "problems")) : NULL;
    for (guint i = 0; problems && i < json_array_get_length(problems); i++) {
        JsonNode *problem = json_array_get_element(problems, i);
        const char *id = rmil_json_text(problem, "id"), *message = rmil_json_text(problem, "message");
        if (!id || !message) continue;
        const char *before = g_hash_table_lookup(desk->problems, id);
        g_hash_table_replace(desk->problems, g_strdup(id), before ? g_strconcat(before, "\n", message, NULL) : g_strdup(message));
    }
}

gboolean rmil_desk_reopen(RmilDesk *desk, GError **error) {
    RmilShelf *shelf = rmil_shelf_open(desk->options.folder, error);
    if (!shelf) return FALSE;
    g_mutex_lock(&desk->lock);
    RmilShelf *before = desk->shelf;
    desk->shelf = shelf;
    g_hash_table_remove_all(desk->problems);
    read_problems(desk);
    rmil_desk_touch(desk);
    g_mutex_unlock(&desk->lock);
    rmil_shelf_unref(before);
    return TRUE;
}

static void index_rows(RmilDesk *desk) {
    const RmilCohort *cohort = desk->work->cohort;
    desk->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    desk->outlines = g_new0(RmilOutline, cohort->count);
    for (int64_t i = 0; i < cohort->count; i++) {
        g_hash_table_insert(desk->by_id, cohort->rows[i].id, GSIZE_TO_POINTER((gsize)i + 1));
        desk->outlines[i].path = g_strdup(cohort->rows[i].annotation);
    }
    rmil_outlines_look(desk);
    for (int64_t i = 0; i < cohort->count; i++) desk->outlines[i].stale = FALSE;
}

RmilDesk *rmil_desk_new(const RmilServeOptions *options, GError **error) {
    RmilDesk *desk = g_new0(RmilDesk, 1);
    desk->options = *options;
    desk->options.threads = rmil_threads(options->threads);
    desk->work = options->work;
    desk->count = options->work->cohort->count;
    desk->home = g_path_get_dirname(options->work->cohort->path);
    desk->problems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    desk->version = 1;
    g_mutex_init(&desk->lock);
    g_mutex_init(&desk->saving);
    desk->tiles = rmil_tiles_new(desk, TILE_BYTES, error);
    index_rows(desk);
    if (!desk->tiles || (options->folder && !rmil_desk_reopen(desk, error))) {
        rmil_desk_free(desk);
        return NULL;
    }
    if (options->folder && !options->read_only) desk->loop = rmil_loop_new(desk);
    return desk;
}

void rmil_desk_free(RmilDesk *desk) {
    if (!desk) return;
    rmil_loop_free(desk->loop);
    rmil_tiles_free(desk->tiles);
    rmil_shelf_unref(desk->shelf);
    for (int64_t i = 0; i < desk->count; i++) {
        g_free(desk->outlines[i].path);
        g_free(desk->outlines[i].identity);
    }
    g_free(desk->outlines);
    g_hash_table_unref(desk->by_id);
    g_hash_table_unref(desk->problems);
    g_mutex_clear(&desk->lock);
    g_mutex_clear(&desk->saving);
    g_free(desk->home);
    g_free(desk);
}
