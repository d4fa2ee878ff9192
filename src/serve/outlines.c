/* SPDX-License-Identifier: Apache-2.0 */
/* The annotation of a row as a file that QuPath also edits: reading, atomic writing, earlier versions, noticing changes. */
#include "serve-private.h"

#include "prepare/prepare-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#define OUTLINES_BYTES ((gsize)64 << 20) /* largest file that can be edited; larger ones contain cells and are shown as a region */
enum { VERSIONS = 100 };                 /* versions kept of each slide's file */

/* -- which file ----------------------------------------------------------------------------------------------------------------------- */
static gboolean named_geojson(const char *path) {
    g_autofree char *lower = g_ascii_strdown(path, -1);
    return g_str_has_suffix(lower, ".geojson") || g_str_has_suffix(lower, ".json");
}

static gboolean is_geojson(const char *path) {
    char head[64] = {0};
    FILE *file = g_fopen(path, "rb");
    if (!file) return named_geojson(path);
    const gsize size = fread(head, 1, sizeof head - 1, file);
    fclose(file);
    const char *at = g_str_has_prefix(head, "\xef\xbb\xbf") ? head + 3 : head;
    while (g_ascii_isspace(*at)) at++;
    return size == 0 ? named_geojson(path) : *at == '{' || *at == '[';
}

char *rmil_outline_path(RmilDesk *desk, int64_t row) {
    g_mutex_lock(&desk->lock);
    char *path = g_strdup(desk->outlines[row].path);
    g_mutex_unlock(&desk->lock);
    return path;
}

/* Where it is saved: in the file itself or, for other formats, beside the table. */
static char *saved_path(RmilDesk *desk, int64_t row, const char *path) {
    if (path && is_geojson(path)) return g_strdup(path);
    g_autofree char *name = g_strconcat(desk->work->cohort->rows[row].id, ".geojson", NULL);
    return g_build_filename(desk->home, "annotations", name, NULL);
}

/* The file that is shown: the one that the table names, or one at the place for saving that the table does not name yet. g_free. */
static char *shown_path(const char *path, const char *saved) {
    return g_strdup(path ? path : g_file_test(saved, G_FILE_TEST_EXISTS) ? saved : NULL);
}

static char *etag_of(const char *path, GError **error) {
    gboolean there = FALSE;
    if (path && !rmil_file_exists(path, &there, error)) return NULL;
    return there ? rmil_file_sha256(path, error) : g_strdup("none");
}

/* -- as a region ----------------------------------------------------------------------------------------------------------------------- */
/* As in the stage `label`, except that rmil_work_read_region gives its warnings to the command, and this function to its caller. */
static RmilRegion *read_region(RmilDesk *desk, int64_t row, const char *path, const RmilLook *look, GError **error) {
    const RmilPrepareOptions *prepare = &desk->work->options;
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    g_auto(GStrv) lesion = rmil_lesion_groups(prepare->lesion, &desk->work->cohort->task, &desk->work->cohort->rows[row].target);
    if (lesion) options.lesion = (const char *const *)lesion;
    if (prepare->exclusion) options.exclusion = (const char *const *)prepare->exclusion;
    options.uncropped = prepare->uncropped;
    if (look) {
        options.slide_width = look->info.width;
        options.slide_height = look->info.height;
        options.bounds_x = look->info.bounds_x;
        options.bounds_y = look->info.bounds_y;
        options.bounds_width = look->info.bounds_width;
        options.bounds_height = look->info.bounds_height;
    }
    return rmil_region_read(path, &options, error);
}

gboolean rmil_outlines_labels(RmilDesk *desk, int64_t row, const RmilBag *bag, uint8_t *labels, GError **error) {
    g_autofree char *path = rmil_outline_path(desk, row);
    if (!path || !g_file_test(path, G_FILE_TEST_EXISTS)) {
        memset(labels, 0, (gsize)bag->count);
        return TRUE;
    }
    RmilCohortRow given = desk->work->cohort->rows[row];
    given.annotation = path;
    g_autoptr(RmilRegion) region = rmil_work_read_region(desk->work, &given, NULL, bag, desk->work->options.padding, error);
    g_autofree double *shares = region ? rmil_try_new(bag->count, sizeof *shares, error) : NULL;
    if (!shares || !rmil_region_overlap(region, bag->coords, bag->count, bag->patch_size_level0, shares, error)) return FALSE;
    rmil_patch_labels(shares, bag->count, desk->work->options.label_threshold, labels);
    return TRUE;
}

/* -- looking at files ------------------------------------------------------------------------------------------------------------------ */
static RmilOutlined look_into(const char *path) {
    if (!is_geojson(path)) return RMIL_OUTLINED;
    g_autoptr(JsonNode) node = NULL;
    gsize size;
    g_autofree char *text = rmil_file_read(path, 4096, &size, NULL);
    if (text) node = rmil_json_parse(text, size, path, NULL);
    JsonArray *features = !node                         ? NULL
                          : JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node)
                                                        : rmil_json_array(rmil_json_get(node, "features"));
    return features && json_array_get_length(features) == 0 ? RMIL_OUTLINED_NOTHING : RMIL_OUTLINED;
}

/* The file was examined and has changed, so data made from it are out of date. identity: NULL: it is gone; takes ownership. path: its new
 * place, or NULL: unchanged. */
static void note_change(RmilDesk *desk, int64_t row, const char *path, char *identity, RmilOutlined is) {
    RmilOutline *outline = &desk->outlines[row];
    g_mutex_lock(&desk->lock);
    if (path && g_strcmp0(path, outline->path) != 0) {
        g_free(outline->path);
        outline->path = g_strdup(path);
    }
    g_free(outline->identity);
    outline->identity = identity;
    outline->is = is;
    outline->stale = TRUE;
    rmil_desk_touch(desk);
    outline->changed = desk->version;
    g_mutex_unlock(&desk->lock);
}

gboolean rmil_outlines_look(RmilDesk *desk) {
    gboolean any = FALSE;
    for (int64_t row = 0; row < desk->count; row++) {
        g_autofree char *path = rmil_outline_path(desk, row);
        if (!path) continue;
        g_autofree char *identity = g_file_test(path, G_FILE_TEST_EXISTS) ? rmil_file_identity(path) : NULL;
        g_mutex_lock(&desk->lock);
        const gboolean changed = g_strcmp0(identity, desk->outlines[row].identity) != 0;
        g_mutex_unlock(&desk->lock);
        if (!changed) continue;
        const RmilOutlined is = identity ? look_into(path) : RMIL_OUTLINED_NOT;
        note_change(desk, row, NULL, g_steal_pointer(&identity), is);
        any = TRUE;
    }
    return any;
}

/* Modification time of a file; 0: it does not exist. */
static gint64 written(const char *path) {
    struct stat told;
    return path && stat(path, &told) == 0 ? told.st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + told.st_mtim.tv_nsec : 0;
}

/* Only slides that may hold a lesion: annotations of others are not used in training. */
static gboolean is_missed(RmilDesk *desk, int64_t row) {
    const RmilCohort *cohort = desk->work->cohort;
    if (!rmil_target_lesion(&cohort->task, &cohort->rows[row].target)) return FALSE;
    g_autofree char *name = g_strconcat(cohort->rows[row].id, ".h5", NULL),
                    *labels = g_build_filename(desk->options.folder, "labels", name, NULL), *path = rmil_outline_path(desk, row);
    const gint64 outlined = written(path), labelled = written(labels);
    return outlined ? outlined > labelled : labelled > 0;
}

char *rmil_outlines_missed(RmilDesk *desk) {
    enum { NAMED = 5 };
    g_autofree char *labels = desk->options.folder ? g_build_filename(desk->options.folder, "labels", NULL) : NULL;
    if (!labels || !g_file_test(labels, G_FILE_TEST_IS_DIR)) return NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    int64_t missed = 0;
    for (int64_t row = 0; row < desk->count; row++) {
        if (!is_missed(desk, row)) continue;
        if (missed++ < NAMED) g_string_append_printf(out, "%s%s", out->len ? ", " : "", desk->work->cohort->rows[row].id);
        g_autofree char *path = rmil_outline_path(desk, row);
        const gboolean there = path && g_file_test(path, G_FILE_TEST_EXISTS);
        note_change(desk, row, NULL, there ? rmil_file_identity(path) : NULL, there ? look_into(path) : RMIL_OUTLINED_NOT);
    }
    if (missed > NAMED) g_string_append_printf(out, " and %" G_GINT64_FORMAT " more", missed - NAMED);
    return missed ? g_strdup(out->str) : NULL;
}

/* -- reading --------------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    JsonArray *polygons; /* each an array of rings */
    double x, y;         /* level-0 px of the page's (0, 0) */
} Rings;

static void add_ring(const double *xy, int64_t count, gboolean hole, gpointer user) {
    Rings *rings = user;
    JsonArray *ring = json_array_sized_new((guint)count);
    for (int64_t i = 0; i < count; i++) {
        JsonArray *point = json_array_sized_new(2);
        json_array_add_double_element(point, xy[2 * i] - rings->x);
        json_array_add_double_element(point, xy[2 * i + 1] - rings->y);
        json_array_add_array_element(ring, point);
    }
    const guint n = json_array_get_length(rings->polygons);
    JsonArray *polygon = hole && n ? json_array_get_array_element(rings->polygons, n - 1) : json_array_new();
    if (!hole || !n) json_array_add_array_element(rings->polygons, polygon);
    json_array_add_array_element(polygon, ring);
}

static const char *lesion_name(const RmilDesk *desk) {
    char *const *given = desk->work->options.lesion;
    return given && given[0] && !strchr(given[0], '=') ? given[0] : "Tumor";
}

/* The lesions in a file that is not GeoJSON, as one feature that the page can draw and edit. */
static JsonNode *collection_of_region(RmilDesk *desk, const RmilRegion *region, const RmilLook *look) {
    const gboolean cropped = look && !desk->work->options.uncropped;
    Rings rings = {json_array_new(), cropped ? (double)look->info.bounds_x : 0, cropped ? (double)look->info.bounds_y : 0};
    rmil_region_rings(region, add_ring, &rings);
    g_autoptr(JsonBuilder) b = json_builder_new();
    json_builder_begin_object(b);
    json_builder_set_member_name(b, "type");
    json_builder_add_string_value(b, "FeatureCollection");
    json_builder_set_member_name(b, "features");
    json_builder_begin_array(b);
    for (guint i = 0; i < json_array_get_length(rings.polygons); i++) {
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "type");
        json_builder_add_string_value(b, "Feature");
        json_builder_set_member_name(b, "geometry");
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "type");
        json_builder_add_string_value(b, "Polygon");
        json_builder_set_member_name(b, "coordinates");
        json_builder_add_value(b, json_node_copy(json_array_get_element(rings.polygons, i)));
        json_builder_end_object(b);
        json_builder_set_member_name(b, "properties");
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "objectType");
        json_builder_add_string_value(b, "annotation");
        json_builder_set_member_name(b, "classification");
        json_builder_begin_object(b);
        json_builder_set_member_name(b, "name");
        json_builder_add_string_value(b, lesion_name(desk));
        json_builder_end_object(b);
        json_builder_end_object(b);
        json_builder_end_object(b);
    }
    json_builder_end_array(b);
    json_builder_end_object(b);
    json_array_unref(rings.polygons);
    return json_builder_get_root(b);
}

static JsonNode *collection_of_features(JsonNode *features) {
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "type", "FeatureCollection");
    json_object_set_member(object, "features", features ? features : json_node_init_array(json_node_alloc(), json_array_new()));
    JsonNode *node = json_node_alloc();
    json_node_init_object(node, object);
    json_object_unref(object);
    return node;
}

static JsonNode *read_geojson(const char *path, GError **error) {
    gsize size;
    g_autofree char *text = rmil_file_read(path, OUTLINES_BYTES, &size, error);
    JsonNode *node = text ? rmil_json_parse(text, size, path, error) : NULL;
    if (!node || JSON_NODE_HOLDS_ARRAY(node)) return node ? collection_of_features(node) : NULL;
    if (g_strcmp0(rmil_json_text(node, "type"), "Feature") == 0) {
        JsonArray *one = json_array_new();
        json_array_add_element(one, node);
        JsonNode *features = json_node_alloc();
        json_node_init_array(features, one);
        json_array_unref(one);
        return collection_of_features(features);
    }
    if (rmil_json_array(rmil_json_get(node, "features"))) return node;
    json_node_unref(node);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is JSON, but not a GeoJSON FeatureCollection as QuPath exports it", path);
    return NULL;
}

/* The path as in the table: relative to the table's folder. g_free. */
static char *short_name(const RmilDesk *desk, const char *path) {
    g_autofree char *whole = g_canonicalize_filename(path, NULL), *home = g_canonicalize_filename(desk->home, NULL);
    const gsize length = strlen(home);
    return g_strdup(g_str_has_prefix(whole, home) && whole[length] == '/' ? whole + length + 1 : path);
}

/* Adds a warning about a file, with its short name. */
static void add_warning(JsonArray *warnings, const char *words, const char *path, const char *name) {
    const gboolean of = path && g_str_has_prefix(words, path);
    g_autofree char *whole = g_strconcat(of ? name : "", of ? words + strlen(path) : words, NULL);
    json_array_add_string_element(warnings, whole);
}

/* path, name: of the file, or NULL; named: the table names it. */
static void add_warnings(JsonObject *out, const RmilRegion *region, const GError *error, const char *path, const char *name,
                         gboolean named) {
    JsonArray *warnings = json_array_new();
    g_autofree char *words = g_strdup_printf(
        "%s: the table does not name this file, so it is not used for training; your next change here adds it to the table", name);
    if (path && !named) json_array_add_string_element(warnings, words);
    if (error) add_warning(warnings, error->message, path, name);
    for (const char *const *w = region ? rmil_region_warnings(region) : NULL; w && *w; w++) add_warning(warnings, *w, path, name);
    json_object_set_array_member(out, "warnings", warnings);
}

JsonNode *rmil_outlines_get(RmilDesk *desk, int64_t row, GError **error) {
    g_autofree char *named = rmil_outline_path(desk, row), *saved = saved_path(desk, row, named), *path = shown_path(named, saved),
                    *etag = etag_of(path, error);
    if (!etag) return NULL;
    RmilLook look;
    const gboolean looked = rmil_tiles_look(desk->tiles, row, &look, NULL), there = strcmp(etag, "none") != 0;
    const gboolean same = path && strcmp(path, saved) == 0;
    g_autoptr(GError) reason = NULL;
    g_autoptr(RmilRegion) region = there ? read_region(desk, row, path, looked ? &look : NULL, &reason) : NULL;
    JsonNode *collection = !there   ? collection_of_features(NULL)
                           : same   ? read_geojson(path, error)
                           : region ? collection_of_region(desk, region, looked ? &look : NULL)
                                    : collection_of_features(NULL);
    if (!collection) return NULL;
    JsonObject *out = json_object_new();
    json_object_set_string_member(out, "etag", etag);
    g_autofree char *file = short_name(desk, saved), *from = path ? short_name(desk, path) : NULL;
    json_object_set_string_member(out, "file", file);
    if (there && !same) json_object_set_string_member(out, "from", from);
    json_object_set_boolean_member(out, "there", there);
    json_object_set_member(out, "collection", collection);
    JsonArray *shift = json_array_new(); /* converts the file's positions to the page's, which count from the scanned area */
    json_array_add_double_element(shift, looked && desk->work->options.uncropped ? -(double)look.info.bounds_x : 0);
    json_array_add_double_element(shift, looked && desk->work->options.uncropped ? -(double)look.info.bounds_y : 0);
    json_object_set_array_member(out, "shift", shift);
    json_object_set_string_member(out, "lesion", lesion_name(desk));
    add_warnings(out, region, reason, path, from, named != NULL);
    JsonNode *node = json_node_alloc();
    json_node_init_object(node, out);
    json_object_unref(out);
    return node;
}

/* -- writing --------------------------------------------------------------------------------------------------------------------------- */
static int compare_names(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void forget_versions(const char *folder) {
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".geojson")) g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; names->len > VERSIONS && i < names->len - VERSIONS; i++) {
        g_autofree char *path = g_build_filename(folder, names->pdata[i], NULL);
        g_unlink(path);
    }
}

/* Copies the current file to annotations/versions/ID/TIME.geojson beside it. */
static gboolean keep_version(const char *path, const char *id, GError **error) {
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
    gsize size;
    g_autofree char *bytes = rmil_file_read(path, OUTLINES_BYTES, &size, error);
    if (!bytes) return FALSE;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y%m%dT%H%M%S"), *home = g_path_get_dirname(path),
                    *name = g_strdup_printf("%s.%06dZ.geojson", time, g_date_time_get_microsecond(now)),
                    *folder = g_build_filename(home, "versions", id, NULL), *to = g_build_filename(folder, name, NULL);
    rmil_folder_sweep(folder); /* names are never reused, so nothing else removes what an interrupted write left */
    if (!rmil_file_write(to, bytes, size, error)) return FALSE;
    forget_versions(folder);
    return TRUE;
}

/* The table names the file from now on. */
static gboolean name_in_table(RmilDesk *desk, int64_t row, const char *saved, GError **error) {
    const RmilCohort *cohort = desk->work->cohort;
    const char *column = "annotation";
    for (int c = 0; cohort->table && c < rmil_table_columns(cohort->table); c++)
        if (g_strcmp0(cohort->meaning[c], "annotation") == 0) column = rmil_table_name(cohort->table, c);
    g_autoptr(RmilTable) now = rmil_table_read(cohort->path, error);
    if (!now) return FALSE;
    gboolean same = cohort->table && rmil_table_rows(now) == cohort->count && rmil_table_columns(now) >= 1;
    for (int c = 0; same && c < rmil_table_columns(cohort->table); c++) {
        const int its = rmil_table_find(now, rmil_table_name(cohort->table, c));
        const char *meaning = cohort->meaning[c];
        if (g_strcmp0(meaning, "id") == 0 || g_strcmp0(meaning, "slide") == 0 || g_strcmp0(meaning, "features") == 0)
            same = its >= 0 && strcmp(rmil_table_cell(now, row, its), rmil_table_cell(cohort->table, row, c)) == 0;
    }
    if (!same)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: changed since it was opened, so %s cannot be added to it. The outlines are saved in %s: start 'rankmil "
                         "view' again",
                         cohort->path, cohort->rows[row].id, saved);
    g_autofree char *name = g_path_get_basename(saved), *cell = g_strconcat("annotations/", name, NULL);
    return rmil_table_put(cohort->path, row, column, cell, error);
}

/* Refuses what stage `label` would refuse; outlines of classes that do not count are kept, and the warnings mention them. */
static gboolean check_file(RmilDesk *desk, int64_t row, const char *temporary, GError **error) {
    RmilLook look;
    GError *reason = NULL;
    const gboolean looked = rmil_tiles_look(desk->tiles, row, &look, NULL);
    g_autoptr(RmilRegion) region = read_region(desk, row, temporary, looked ? &look : NULL, &reason);
    if (region || g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_DATA)) {
        g_clear_error(&reason);
        return TRUE;
    }
    const char *what = g_str_has_prefix(reason->message, temporary) ? reason->message + strlen(temporary) : reason->message;
    rmil_fail(error, (RmilErrorCode)reason->code, "these outlines are not saved%s", what);
    g_error_free(reason);
    return FALSE;
}

static gboolean write_collection(RmilDesk *desk, int64_t row, JsonNode *collection, const char *path, GError **error) {
    g_autofree char *text = json_to_string(collection, FALSE);
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return FALSE;
    GError *reason = NULL;
    if (!g_file_set_contents_full(temporary, text, -1, G_FILE_SET_CONTENTS_NONE, 0666, &reason)) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: %s", path, reason->message);
        g_error_free(reason);
        rmil_file_abandon(temporary);
        return FALSE;
    }
    if (!check_file(desk, row, temporary, error) || !keep_version(path, desk->work->cohort->rows[row].id, error)) {
        rmil_file_abandon(temporary);
        return FALSE;
    }
    return rmil_file_commit(temporary, path, error);
}

JsonNode *rmil_outlines_put(RmilDesk *desk, int64_t row, JsonNode *collection, const char *etag, gboolean *stale, GError **error) {
    *stale = FALSE;
    if (g_strcmp0(rmil_json_text(collection, "type"), "FeatureCollection") != 0 ||
        !rmil_json_array(rmil_json_get(collection, "features"))) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "these outlines are not saved, because they are not a GeoJSON FeatureCollection");
        return NULL;
    }
    g_mutex_lock(&desk->saving);
    g_autofree char *path = rmil_outline_path(desk, row), *saved = saved_path(desk, row, path), *shown = shown_path(path, saved),
                    *now = etag_of(shown, error);
    *stale = now && g_strcmp0(now, etag) != 0;
    gboolean done = now && !*stale && write_collection(desk, row, collection, saved, error) &&
                    ((path && strcmp(path, saved) == 0) || name_in_table(desk, row, saved, error));
    if (*stale)
        rmil_fail(error, RMIL_ERROR_DATA, "%s was changed by another program or tab in the meantime: nothing was overwritten", saved);
    if (done) note_change(desk, row, saved, rmil_file_identity(saved), look_into(saved));
    g_mutex_unlock(&desk->saving);
    return done ? rmil_outlines_get(desk, row, error) : NULL;
}
