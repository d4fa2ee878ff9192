/* SPDX-License-Identifier: Apache-2.0 */
/* The feature files of the paper's released code. */
#include "bag-private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The paper's released code: one dataset per patch at the root, named "COL_ROW", a vector of D numbers, with attributes
 * x_min, y_min, x_max, y_max (level-0 px). Patches are ordered by the bytes of their names, as h5py lists them; the
 * code's `.npy` patch labels have the same order. */
typedef struct {
    RmilHdf5 *file;
    RmilBag *bag;
    RmilBagFlags flags;
    RmilHid half;
    int64_t at;
    void *row; /* scratch: D numbers as read */
    GError *error;
} Reading;

static herr_t first_name(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    *(char **)user = g_strdup(name);
    return 1;
}

static gboolean patches_match(RmilHdf5 *file) {
    RMIL_HDF5_SCOPE;
    g_autofree char *name = NULL;
    double value;
    if (H5Literate(file->id, H5_INDEX_NAME, H5_ITER_INC, NULL, first_name, &name) < 0)
        rmil_hdf5_doubt(file, "the list of its contents " RMIL_DAMAGED);
    return name && rmil_layout_attribute(file, name, "x_min", &value);
}

static gboolean read_place(Reading *reading, hid_t id, const char *name) {
    static const char *const names[] = {"x_min", "y_min", "x_max", "y_max"};
    double box[4];
    for (int i = 0; i < 4; i++)
        if (!rmil_hdf5_number(reading->file, id, names[i], &box[i]) || fabs(box[i]) > 0x1p40)
            return rmil_fail(&reading->error, RMIL_ERROR_FORMAT,
                             "%s: /%s has no usable attribute %s; x_min, y_min, x_max and y_max must be level-0 pixels",
                             reading->file->path, name, names[i]);
    reading->bag->coords[2 * reading->at] = (int64_t)box[0];
    reading->bag->coords[2 * reading->at + 1] = (int64_t)box[1];
    reading->bag->patch_size_level0 = MAX(reading->bag->patch_size_level0, box[2] - box[0]); /* patches at an edge are smaller */
    return TRUE;
}

/* The first patch determines D, and so how much memory all of them need. */
static gboolean take_dim(Reading *reading, const char *name, int64_t dim, size_t size) {
    RmilBag *bag = reading->bag;
    if (!rmil_layout_count(reading->file->path, name, bag->count, dim, &reading->error)) return FALSE;
    if (dim < 1) return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s has no columns", reading->file->path, name);
    if (bag->count * dim * (int64_t)size / 1100 > reading->file->size) /* no compression achieves more */
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: claims to hold more data than its size allows: the file is damaged",
                         reading->file->path);
    bag->dim = dim;
    bag->stored_half = size == 2;
    if (reading->flags & RMIL_BAG_NO_FEATURES) return TRUE;
    bag->features = rmil_alloc_features(bag->count, dim * (int64_t)rmil_precision_bytes(bag->precision), &reading->error);
    return bag->features && (reading->row = rmil_alloc(dim, sizeof(float), &reading->error));
}

static gboolean read_vector(Reading *reading, hid_t id, const char *name) {
    RmilBag *bag = reading->bag;
    const char *path = reading->file->path;
    g_auto(RmilHid) space = H5Dget_space(id), type = H5Dget_type(id);
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    if (rank < 1 || rank > 2 || (rank == 2 && dims[0] != 1) || H5Tget_class(type) != H5T_FLOAT || !rmil_hdf5_number_fits(type))
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT,
                         "%s: /%s is not one feature vector per patch (images and regions are "
                         "not supported)",
                         path, name);
    int64_t dim = dims[rank - 1] > G_MAXINT32 ? G_MAXINT32 : (int64_t)dims[rank - 1];
    if (bag->dim == 0 && !take_dim(reading, name, dim, H5Tget_size(type))) return FALSE;
    if (dim != bag->dim)
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT,
                         "%s: /%s has %" G_GINT64_FORMAT " columns, but the patches before it have %" G_GINT64_FORMAT, path, name, dim,
                         bag->dim);
    if (!bag->features) return TRUE;
    g_auto(RmilHid) creation = H5Dget_create_plist(id);
    if (!rmil_hdf5_filters(reading->file, name, creation, &reading->error)) return FALSE;
    gboolean half = H5Tget_size(type) == 2;
    if (H5Dread(id, half ? reading->half : H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, reading->row) < 0)
        return rmil_fail(&reading->error, RMIL_ERROR_IO, "%s: /%s cannot be read: its data are damaged", path, name);
    void *out = (char *)bag->features + (size_t)(reading->at * dim) * rmil_precision_bytes(bag->precision);
    return rmil_decode(half, reading->row, bag->precision, out, dim) ||
           rmil_not_finite(path, bag->precision, out, reading->at, dim, dim, &reading->error);
}

static herr_t read_patch(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    Reading *reading = user;
    g_auto(RmilHid) id = info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (id < 0 || H5Iget_type(id) != H5I_DATASET) {
        rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s is not a readable dataset", reading->file->path, name);
        return -1;
    }
    if (!read_vector(reading, id, name) || !read_place(reading, id, name)) return -1;
    reading->at++;
    return 0;
}

static gboolean patches_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    RMIL_HDF5_SCOPE;
    H5G_info_t group;
    if (H5Gget_info(file->id, &group) < 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the list of its contents " RMIL_DAMAGED, file->path);
    bag->count = group.nlinks > G_MAXINT32 ? G_MAXINT32 : (int64_t)group.nlinks;
    if (!rmil_layout_count(file->path, "", bag->count, 0, error) || !(bag->coords = rmil_alloc(bag->count, 2 * sizeof(int64_t), error)))
        return FALSE;
    Reading reading = {.file = file, .bag = bag, .flags = flags, .half = rmil_hdf5_half_type()};
    gboolean done = H5Literate(file->id, H5_INDEX_NAME, H5_ITER_INC, NULL, read_patch, &reading) >= 0 && reading.at == bag->count;
    rmil_hid_close(reading.half);
    rmil_free(reading.row);
    if (reading.error) g_propagate_error(error, reading.error);
    else if (!done) rmil_fail(error, RMIL_ERROR_IO, "%s: the list of its contents " RMIL_DAMAGED, file->path);
    return done;
}

/* -- writing ------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    char name[48]; /* COL_ROW */
    int64_t column, row, patch;
} Cell;

static int compare_cells(const void *a, const void *b) { return strcmp(((const Cell *)a)->name, ((const Cell *)b)->name); }

/* Every patch's cell in the grid that starts at the first column and row of patches, in the order of the names; NULL: two patches share a
 * cell. Free with rmil_free. */
static Cell *list_cells(const RmilBag *bag, const char *path, GError **error) {
    Cell *cells = rmil_alloc(bag->count, sizeof *cells, error);
    const double size = bag->patch_size_level0;
    int64_t first[2] = {G_MAXINT64, G_MAXINT64};
    for (int64_t i = 0; i < 2 * bag->count; i++) first[i % 2] = MIN(first[i % 2], bag->coords[i]);
    for (int64_t i = 0; cells && i < bag->count; i++) {
        int64_t at[2];
        for (int d = 0; d < 2; d++) /* coordinates are rounded, and so not exact multiples */
            at[d] = llrint(floor((double)first[d] / size)) + llround((double)(bag->coords[2 * i + d] - first[d]) / size);
        cells[i].column = at[0], cells[i].row = at[1];
        cells[i].patch = i;
        g_snprintf(cells[i].name, sizeof cells[i].name, "%" G_GINT64_FORMAT "_%" G_GINT64_FORMAT, cells[i].column, cells[i].row);
    }
    if (!cells) return NULL;
    qsort(cells, (size_t)bag->count, sizeof *cells, compare_cells);
    for (int64_t i = 1; i < bag->count; i++) {
        if (strcmp(cells[i].name, cells[i - 1].name) != 0) continue;
        rmil_fail(error, RMIL_ERROR_DATA,
                  "%s: cannot be written: patches %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT " lie in the same cell (%s) of a grid "
                  "of %g px, and the paper's code names patches by their cell: choose another layout",
                  path, cells[i - 1].patch, cells[i].patch, cells[i].name, size);
        rmil_free(cells);
        return NULL;
    }
    return cells;
}

static gboolean put_cell(RmilHdf5 *file, const RmilBag *bag, const Cell *cell, gboolean half, hid_t type, void *row, GError **error) {
    const int64_t x = bag->coords[2 * cell->patch], y = bag->coords[2 * cell->patch + 1];
    const double size = bag->patch_size_level0;
    const struct {
        const char *name;
        double value;
    } places[] = {{"col", (double)cell->column}, {"row", (double)cell->row},  {"x_min", (double)x},
                  {"y_min", (double)y},          {"x_max", (double)x + size}, {"y_max", (double)y + size}};
    const char *values = (const char *)bag->features + (size_t)(cell->patch * bag->dim) * rmil_precision_bytes(bag->precision);
    if (!rmil_encode(bag->precision, values, half, row, bag->dim))
        return rmil_not_stored(file->path, bag->precision, values, half, cell->patch, bag->dim, bag->dim, error);
    g_auto(RmilHid) id = rmil_hdf5_put(file, cell->name, type, type, 1, &bag->dim, row);
    gboolean done = id >= 0;
    for (gsize i = 0; done && i < G_N_ELEMENTS(places); i++) done = rmil_hdf5_put_number(id, places[i].name, places[i].value);
    if (!done && !file->failed) file->failed = EIO;
    return TRUE; /* a failure is reported when the file is finished */
}

static gboolean put_cells(RmilHdf5 *file, const RmilBag *bag, const Cell *cells, gboolean half, GError **error) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) type = half ? rmil_hdf5_half_type() : H5Tcopy(H5T_IEEE_F32LE);
    void *row = rmil_alloc(bag->dim, sizeof(float), error);
    gboolean done = row != NULL;
    for (int64_t i = 0; done && !file->failed && i < bag->count; i++) done = put_cell(file, bag, &cells[i], half, type, row, error);
    rmil_free(row);
    return done;
}

/* Patch labels follow the order of the names. */
static gboolean write_labels(const RmilBag *bag, const Cell *cells, const char *path, GError **error) {
    if (!bag->patch_labels) return TRUE;
    g_autofree char *stem = g_strndup(path, strlen(path) - (g_str_has_suffix(path, ".h5") ? 3 : 0)), *npy = g_strconcat(stem, ".npy", NULL);
    uint8_t *labels = rmil_alloc(bag->count, 1, error);
    for (int64_t i = 0; labels && i < bag->count; i++) labels[i] = bag->patch_labels[cells[i].patch];
    gboolean done = labels && rmil_npy_write(npy, labels, bag->count, error);
    rmil_free(labels);
    return done;
}

static gboolean patches_write(const RmilBag *bag, const char *path, gboolean half, GError **error) {
    if (!bag->features || !bag->coords || bag->coords_um > 0 || !(bag->patch_size_level0 > 0))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "%s: cannot be written: the paper's layout needs features, coordinates in pixels and the "
                         "patches' size (--patch-size)",
                         path);
    Cell *cells = list_cells(bag, path, error);
    char *temporary = cells ? rmil_file_begin(path, error) : NULL;
    RmilHdf5 *file = temporary ? rmil_hdf5_create(temporary, path, error) : NULL;
    gboolean done = file != NULL;
    if (!file) rmil_file_abandon(temporary);
    else done = rmil_container_end(file, temporary, path, put_cells(file, bag, cells, half, error), error);
    done = done && write_labels(bag, cells, path, error);
    rmil_free(cells);
    return done;
}

const RmilLayout rmil_layout_patches = {
    .name = "paper", .match = patches_match, .read = patches_read, .writes = TRUE, .write = patches_write};
