/* SPDX-License-Identifier: Apache-2.0 */
/* annotations/: ASAP XML of real slides, and each tile's share inside the region, plain and padded (Shapely). */
#include "conformance.h"

#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The whole dataset as `type`, with its number of elements; NULL when it is not there. Free with g_free. */
static void *read_dataset(hid_t file, const char *name, hid_t type, gsize item, int64_t *count) {
    if (H5Lexists(file, name, H5P_DEFAULT) <= 0) return NULL;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    *count = (int64_t)H5Sget_simple_extent_npoints(space);
    void *data = g_malloc0((gsize)*count * item + 1);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) g_clear_pointer(&data, g_free);
    H5Sclose(space);
    H5Dclose(set);
    return data;
}

static double tile_size(hid_t file) {
    int64_t size = 448;
    hid_t set = H5Dopen2(file, "coords", H5P_DEFAULT);
    if (H5Aexists(set, "patch_size_level0") > 0) {
        hid_t attribute = H5Aopen(set, "patch_size_level0", H5P_DEFAULT);
        H5Aread(attribute, H5T_NATIVE_INT64, &size);
        H5Aclose(attribute);
    }
    H5Dclose(set);
    return (double)size;
}

typedef struct {
    const char *xml, *name;
    const int64_t *coords;
    int64_t tiles;
    double tile;
} Slide;

/* Unpadded: 1e-6 for 99.9 % of the tiles, 0.02 for the rest (repairs differ); padded: 2e-3 (arcs differ). */
static void check_overlap(Conformance *c, const Slide *slide, double padding, const double *expected) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = padding;
    g_autofree char *label = g_strdup_printf("annotations/%s/%g", slide->name, padding);
    g_autofree double *shares = g_new0(double, (gsize)slide->tiles + 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilRegion) region = rmil_region_read(slide->xml, &options, &error);
    if (!region || !rmil_region_overlap(region, slide->coords, slide->tiles, slide->tile, shares, &error)) {
        conformance_case(c, FALSE, label, "%s", error->message);
        return;
    }
    int64_t off = 0;
    double worst = 0;
    for (int64_t i = 0; i < slide->tiles; i++) {
        double deviation = fabs(shares[i] - expected[i]);
        worst = MAX(worst, isnan(deviation) ? INFINITY : deviation);
        off += !(deviation <= 1e-6);
    }
    gboolean passed = padding > 0 ? worst <= 2e-3 : worst <= 0.02 && off * 1000 <= slide->tiles;
    conformance_case(c, passed, label, "%d tiles, largest deviation %.1e, %d beyond 1e-6", (int)slide->tiles, worst, (int)off);
}

static void check_slide(Conformance *c, const char *folder, const char *name) {
    g_autofree char *xml_name = g_strdup_printf("%s.xml", name), *h5_name = g_strdup_printf("%s.h5", name);
    g_autofree char *xml = g_build_filename(folder, "xml", xml_name, NULL);
    g_autofree char *h5 = g_build_filename(folder, "overlap", h5_name, NULL);
    hid_t file = H5Fopen(h5, H5F_ACC_RDONLY, H5P_DEFAULT);
    int64_t numbers = 0;
    g_autofree int64_t *coords = file < 0 ? NULL : read_dataset(file, "coords", H5T_NATIVE_INT64, sizeof(int64_t), &numbers);
    if (!coords) {
        conformance_case(c, FALSE, name, "%s cannot be read", h5);
        if (file >= 0) H5Fclose(file);
        return;
    }
    const Slide slide = {xml, name, coords, numbers / 2, tile_size(file)};
    H5G_info_t group;
    H5Gget_info(file, &group);
    for (hsize_t i = 0; i < group.nlinks; i++) {
        char set[256] = "";
        H5Lget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, set, sizeof set, H5P_DEFAULT);
        if (!g_str_has_prefix(set, "overlap_")) continue;
        int64_t count = 0;
        g_autofree double *expected = read_dataset(file, set, H5T_NATIVE_DOUBLE, sizeof(double), &count);
        if (expected && count == slide.tiles) check_overlap(c, &slide, g_ascii_strtod(set + strlen("overlap_"), NULL), expected);
        else conformance_case(c, FALSE, name, "%s does not fit the coordinates", set);
    }
    H5Fclose(file);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void conformance_annotations(Conformance *c, const char *path) {
    g_autofree char *overlaps = g_build_filename(path, "overlap", NULL);
    g_autoptr(GDir) folder = g_dir_open(overlaps, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; folder && (name = g_dir_read_name(folder));)
        if (g_str_has_suffix(name, ".h5")) g_ptr_array_add(names, g_strndup(name, strlen(name) - 3));
    if (names->len) qsort(names->pdata, names->len, sizeof(gpointer), compare_names);
    for (guint i = 0; i < names->len; i++) check_slide(c, path, names->pdata[i]);
}
