/* SPDX-License-Identifier: Apache-2.0 */
/* otsu/: gray images and the thresholds that scikit-image found in them. */
#include "conformance.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

static gboolean read_histogram(const char *path, int64_t histogram[256], GError **error) {
    g_autoptr(RmilSlide) image = rmil_slide_open(path, 0, error);
    if (!image) return FALSE;
    const RmilSlideInfo *info = rmil_slide_info(image);
    g_autofree uint8_t *rgb = g_malloc((gsize)(info->width * info->height * 3));
    if (!rmil_slide_read(image, 0, 0, 1, info->width, info->height, rgb, error)) return FALSE;
    memset(histogram, 0, 256 * sizeof *histogram);
    for (int64_t i = 0; i < info->width * info->height; i++) histogram[rgb[3 * i]]++;
    return TRUE;
}

static void check_thresholds(Conformance *c, const char *file, const char *method, JsonArray *expected, const int64_t histogram[256]) {
    int classes = 0, found[4] = {0};
    g_autofree char *name = g_strdup_printf("otsu/%s %s", file, method);
    if (sscanf(method, "multiotsu%d", &classes) != 1 || classes < 2 || classes > 5 ||
        json_array_get_length(expected) != (guint)classes - 1) {
        conformance_case(c, FALSE, name, "not thresholds of multiotsu2 … multiotsu5");
        return;
    }
    g_autoptr(GError) error = NULL;
    gboolean equal = rmil_otsu(histogram, classes, found, &error);
    g_autoptr(GString) text = g_string_new(equal ? "" : error->message);
    for (int i = 0; i < classes - 1; i++) {
        int wanted = (int)json_array_get_int_element(expected, (guint)i);
        equal = equal && wanted == found[i];
        g_string_append_printf(text, "%s%d (%d)", i ? ", " : "", found[i], wanted);
    }
    conformance_case(c, equal, name, "%s", text->str);
}

static void check_image(Conformance *c, const char *folder, const char *file, JsonObject *all) {
    g_autofree char *path = g_build_filename(folder, file, NULL), *name = g_strconcat("otsu/", file, NULL);
    g_autoptr(GError) error = NULL;
    int64_t histogram[256];
    JsonObject *wanted = json_object_has_member(all, file) ? json_object_get_object_member(all, file) : NULL;
    if (!wanted || !read_histogram(path, histogram, &error)) {
        conformance_case(c, FALSE, name, "%s", wanted ? error->message : "has no thresholds in thresholds.json");
        return;
    }
    GList *methods = json_object_get_members(wanted);
    for (GList *m = methods; m; m = m->next) check_thresholds(c, file, m->data, json_object_get_array_member(wanted, m->data), histogram);
    g_list_free(methods);
}

static int compare_names(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void conformance_otsu(Conformance *c, const char *path) {
    g_autofree char *table = g_build_filename(path, "thresholds.json", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    GDir *folder = g_dir_open(path, 0, NULL);
    if (!folder || !json_parser_load_from_file(parser, table, &error)) {
        conformance_case(c, FALSE, "otsu", "%s", error ? error->message : "cannot be listed");
        if (folder) g_dir_close(folder);
        return;
    }
    JsonObject *all = json_node_get_object(json_parser_get_root(parser));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; (name = g_dir_read_name(folder));)
        if (g_str_has_suffix(name, ".png")) g_ptr_array_add(names, g_strdup(name));
    g_dir_close(folder);
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) check_image(c, path, names->pdata[i], all);
    if (names->len != json_object_get_size(all))
        conformance_case(c, FALSE, "otsu", "%u images, %u in thresholds.json", names->len, json_object_get_size(all));
}
