/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort table drafted from one folder per class. */
#include "cohort-private.h"
#include "draft.h"

#include <string.h>

/* One folder per class, of slides, images or feature files; if the data are already split, below one folder per set: train, val, test. An
 * annotation may lie beside its slide: NAME.xml, NAME.geojson, NAME_mask.png … */
static const char *const features[] = {".h5", ".hdf5", ".pt", NULL};
static const char *const annotations[] = {".xml", ".geojson", "_mask.png", "_mask.jpg", "_mask.tif", "_mask.tiff", NULL};

enum { MOST_NAMED = 5 /* folders in a warning */ };

typedef struct {
    char *path, *name;
    RmilSplit split;
} Class;

static void free_class(gpointer memory) {
    Class *class = memory;
    g_free(class->path);
    g_free(class->name);
    g_free(class);
}

static gboolean is_set(const char *name, RmilSplit *split) {
    static const struct {
        const char *name;
        RmilSplit split;
    } sets[] = {{"train", RMIL_SPLIT_TRAIN},    {"training", RMIL_SPLIT_TRAIN}, {"val", RMIL_SPLIT_VAL},     {"valid", RMIL_SPLIT_VAL},
                {"validation", RMIL_SPLIT_VAL}, {"test", RMIL_SPLIT_TEST},      {"testing", RMIL_SPLIT_TEST}};
    for (gsize i = 0; i < G_N_ELEMENTS(sets); i++) {
        if (g_ascii_strcasecmp(name, sets[i].name) != 0) continue;
        *split = sets[i].split;
        return TRUE;
    }
    return FALSE;
}

static gboolean holds_slides(const RmilDraft *draft, const char *folder) {
    g_autoptr(GPtrArray) slides = rmil_draft_list(draft, folder, rmil_draft_images);
    g_autoptr(GPtrArray) files = rmil_draft_list(draft, folder, features);
    return slides->len + files->len > 0;
}

static void add_one(GPtrArray *classes, const char *path, const char *name, RmilSplit split) {
    Class *class = g_new(Class, 1);
    *class = (Class){g_strdup(path), g_strdup(name), split};
    g_ptr_array_add(classes, class);
}

/* A class's folder. If it holds no slides itself, they are in subfolders, by patient or as the GDC's client creates them. */
static gboolean add_folder(const RmilDraft *draft, GPtrArray *classes, const char *path, RmilSplit split, GError **error) {
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GPtrArray) inner = rmil_draft_list(draft, path, NULL);
    g_autoptr(GString) deeper = g_string_new(NULL);
    const gboolean own = holds_slides(draft, path);
    int named = 0;
    if (own) add_one(classes, path, name, split);
    for (guint i = 0; i < inner->len; i++) {
        g_autofree char *below = g_path_get_basename(inner->pdata[i]);
        RmilSplit set = split;
        if (!holds_slides(draft, inner->pdata[i])) continue;
        if (named++ < MOST_NAMED) g_string_append_printf(deeper, "%s%s", deeper->len ? ", " : "", below);
        if (own) continue;
        if (rmil_class_negative(below) && strlen(below) > 1)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: the classes seem to be one level deeper, in %s/%s: make a table of each "
                             "such folder",
                             draft->folder, name, below);
        if (split == RMIL_SPLIT_NONE) is_set(below, &set);
        add_one(classes, inner->pdata[i], name, set);
    }
    if (named > MOST_NAMED) g_string_append_printf(deeper, ", … (%d)", named);
    if (own && deeper->len)
        rmil_monitor_warn(draft->monitor, "%s: folders inside it that also contain images or features are left out: %s", path, deeper->str);
    else if (deeper->len)
        rmil_monitor_warn(draft->monitor,
                          "%s: contains no slides itself; those in its folders are taken (if each folder is a patient, add the "
                          "column patient): %s",
                          path, deeper->str);
    else if (!own)
        rmil_monitor_warn(draft->monitor,
                          "%s: left out, because neither it nor the folders in it contain slides or "
                          "features",
                          path);
    return TRUE;
}

static gboolean add_classes(const RmilDraft *draft, GPtrArray *classes, const char *folder, RmilSplit split, gboolean top, GError **error) {
    g_autoptr(GPtrArray) folders = rmil_draft_list(draft, folder, NULL);
    for (guint i = 0; i < folders->len; i++) {
        g_autofree char *name = g_path_get_basename(folders->pdata[i]);
        RmilSplit below;
        if (!(top && is_set(name, &below) ? add_classes(draft, classes, folders->pdata[i], below, FALSE, error)
                                          : add_folder(draft, classes, folders->pdata[i], split, error)))
            return FALSE;
    }
    return TRUE;
}

/* -- which classes there are ------------------------------------------------------------------------------------------------------- */
static gint compare_names(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static GPtrArray *distinct_names(const GPtrArray *classes) {
    GPtrArray *names = g_ptr_array_new();
    for (guint i = 0; i < classes->len; i++) {
        char *name = ((Class *)classes->pdata[i])->name;
        if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL)) g_ptr_array_add(names, name);
    }
    g_ptr_array_sort(names, compare_names);
    return names;
}

static char *listed(const GPtrArray *names) {
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < names->len; i++) g_string_append_printf(out, "%s%s", i ? ", " : "", (char *)names->pdata[i]);
    return g_string_free(out, FALSE);
}

/* Which classes are positive. */
typedef struct {
    GPtrArray *names; /* NULL-terminated, borrowed */
    gboolean by_name; /* not chosen by the user: the table has the names of the classes */
} Positive;

/* Those named by --positive; otherwise all except the one that sounds negative, or all if none or several do. */
static gboolean choose_positive(const RmilDraft *draft, const GPtrArray *names, Positive *positive, GError **error) {
    g_autofree char *all = listed(names);
    guint negatives = 0;
    for (const char *const *given = draft->positive; given && *given; given++) {
        if (!g_ptr_array_find_with_equal_func((GPtrArray *)names, *given, g_str_equal, NULL))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: there is no class folder \"%s\"; choose one of %s", draft->folder, *given,
                             all);
        g_ptr_array_add(positive->names, (gpointer)*given);
    }
    positive->by_name = positive->names->len == 0;
    if (positive->by_name && names->len < 2)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: has %u class folder%s with slides (%s): at least two are needed", draft->folder,
                         names->len, names->len == 1 ? "" : "s", names->len ? all : "none");
    for (guint i = 0; i < names->len; i++) negatives += rmil_class_negative(names->pdata[i]) ? 1 : 0;
    for (guint i = 0; positive->by_name && i < names->len; i++)
        if (negatives != 1 || !rmil_class_negative(names->pdata[i])) g_ptr_array_add(positive->names, names->pdata[i]);
    g_ptr_array_add(positive->names, NULL);
    return TRUE;
}

/* -- slides -------------------------------------------------------------------------------------------------------------------- */
static char *annotation_of(const char *path) {
    g_autofree char *folder = g_path_get_dirname(path), *stem = rmil_path_stem(path);
    for (int i = 0; annotations[i]; i++) {
        g_autofree char *name = g_strconcat(stem, annotations[i], NULL);
        char *found = g_build_filename(folder, name, NULL);
        if (g_file_test(found, G_FILE_TEST_IS_REGULAR)) return found;
        g_free(found);
    }
    return NULL;
}

static void add_class(RmilDraft *draft, const Class *class, int label, gboolean by_name) {
    g_autoptr(GPtrArray) slides = rmil_draft_list(draft, class->path, rmil_draft_images);
    g_autoptr(GPtrArray) files = rmil_draft_list(draft, class->path, features);
    g_autoptr(GHashTable) rows = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < slides->len; i++) {
        g_autofree char *id = rmil_path_stem(slides->pdata[i]);
        if (g_str_has_suffix(id, "_mask")) continue;
        RmilDraftRow *row = rmil_draft_add(draft, id, slides->pdata[i], label, class->split);
        row->class = g_strdup(class->name);
        row->named = by_name;
        row->annotation = label == 1 ? annotation_of(slides->pdata[i]) : NULL;
        g_hash_table_insert(rows, row->id, row);
    }
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *id = rmil_path_stem(files->pdata[i]);
        RmilDraftRow *row = g_hash_table_lookup(rows, id);
        if (row && row->features) continue; /* a tensor beside its HDF5 file */
        if (!row) {
            row = rmil_draft_add(draft, id, NULL, label, class->split);
            row->class = g_strdup(class->name);
            row->named = by_name;
            row->annotation = label == 1 ? annotation_of(files->pdata[i]) : NULL;
            g_hash_table_insert(rows, row->id, row);
        }
        row->features = g_strdup(files->pdata[i]);
    }
}

/* For slides with the same name in several folders, class and set become part of the id; if that is not enough, the subfolder does. */
static void tell_apart(RmilDraft *draft, gboolean by_folder) {
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < draft->rows->len; i++) {
        const char *id = ((RmilDraftRow *)draft->rows->pdata[i])->id;
        g_hash_table_insert(counts, g_strdup(id), GINT_TO_POINTER(GPOINTER_TO_INT(g_hash_table_lookup(counts, id)) + 1));
    }
    for (guint i = 0; i < draft->rows->len; i++) {
        RmilDraftRow *row = draft->rows->pdata[i];
        if (GPOINTER_TO_INT(g_hash_table_lookup(counts, row->id)) < 2) continue;
        g_autofree char *folder = g_path_get_dirname(row->slide ? row->slide : row->features), *last = g_path_get_basename(folder);
        char *id = by_folder    ? g_strdup_printf("%s_%s", last, row->id)
                   : row->split ? g_strdup_printf("%s_%s_%s", rmil_split_name(row->split), row->class, row->id)
                                : g_strdup_printf("%s_%s", row->class, row->id);
        g_free(row->id);
        row->id = id;
    }
}

static gboolean fill(RmilDraft *draft, GError **error) {
    g_autoptr(GPtrArray) classes = g_ptr_array_new_with_free_func(free_class);
    if (!add_classes(draft, classes, draft->folder, RMIL_SPLIT_NONE, TRUE, error)) return FALSE;
    g_autoptr(GPtrArray) names = distinct_names(classes);
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    Positive positive = {.names = chosen};
    if (!choose_positive(draft, names, &positive, error)) return FALSE;
    for (guint i = 0; i < classes->len; i++) {
        const Class *class = classes->pdata[i];
        add_class(draft, class, g_strv_contains((const char *const *)chosen->pdata, class->name), positive.by_name);
    }
    tell_apart(draft, FALSE);
    tell_apart(draft, TRUE);
    return TRUE;
}

const RmilDraftLayout rmil_draft_class_folders = {"class-folders", fill};
