#include "bag-private.h"

#include <math.h>
#include <string.h>

/* The paper's released code: one dataset per patch at the root, named "COL_ROW", a vector of D numbers, with attributes
 * x_min, y_min, x_max, y_max (level-0 px). Patches count in the order of their names' bytes, as h5py lists them: the
 * code's `.npy` patch labels follow it. */
typedef struct {
    RmilHdf5 *file;
    RmilBag *bag;
    RmilBagFlags flags;
    RmilHid half;
    int64_t at;
    void *row; /* D numbers as they are read */
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
    if (H5Literate(file->id, H5_INDEX_NAME, H5_ITER_INC, NULL, first_name, &name) < 0) rmil_hdf5_doubt(file, "the list of what it holds " RMIL_DAMAGED);
    return name && rmil_layout_attribute(file, name, "x_min", &value);
}

static gboolean read_place(Reading *reading, hid_t id, const char *name) {
    static const char *const names[] = {"x_min", "y_min", "x_max", "y_max"};
    double box[4];
    for (int i = 0; i < 4; i++)
        if (!rmil_hdf5_number(reading->file, id, names[i], &box[i]) || fabs(box[i]) > 0x1p40)
            return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s has no usable attribute %s", reading->file->path, name, names[i]);
    reading->bag->coords[2 * reading->at] = (int64_t)box[0];
    reading->bag->coords[2 * reading->at + 1] = (int64_t)box[1];
    reading->bag->patch_size_level0 = MAX(reading->bag->patch_size_level0, box[2] - box[0]); /* those at an edge are smaller */
    return TRUE;
}

/* The first patch says D, and with it how much memory all of them take. */
static gboolean take_dim(Reading *reading, const char *name, int64_t dim, size_t size) {
    RmilBag *bag = reading->bag;
    if (!rmil_layout_count(reading->file->path, name, bag->count, dim, &reading->error)) return FALSE;
    if (dim < 1) return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s has no columns", reading->file->path, name);
    if (bag->count * dim * (int64_t)size / 1100 > reading->file->size) /* no compression shrinks more */
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: has a size that is not plausible", reading->file->path);
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
    if (rank < 1 || rank > 2 || (rank == 2 && dims[0] != 1) || H5Tget_class(type) != H5T_FLOAT)
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s is not one vector of features (images and regions are not)", path, name);
    int64_t dim = dims[rank - 1] > G_MAXINT32 ? G_MAXINT32 : (int64_t)dims[rank - 1];
    if (bag->dim == 0 && !take_dim(reading, name, dim, H5Tget_size(type))) return FALSE;
    if (dim != bag->dim)
        return rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s has %" G_GINT64_FORMAT " columns, the patches before it %" G_GINT64_FORMAT,
                         path, name, dim, bag->dim);
    if (!bag->features) return TRUE;
    g_auto(RmilHid) creation = H5Dget_create_plist(id);
    if (!rmil_hdf5_filters(reading->file, name, creation, &reading->error)) return FALSE;
    gboolean half = H5Tget_size(type) == 2;
    if (H5Dread(id, half ? reading->half : H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, reading->row) < 0)
        return rmil_fail(&reading->error, RMIL_ERROR_IO, "%s: /%s cannot be read: its data are damaged", path, name);
    void *out = (char *)bag->features + (size_t)(reading->at * dim) * rmil_precision_bytes(bag->precision);
    return rmil_decode(half ? RMIL_ELEMENT_F16 : RMIL_ELEMENT_F32, reading->row, bag->precision, out, dim) ||
           rmil_not_finite(path, bag->precision, out, reading->at, dim, dim, &reading->error);
}

static herr_t read_patch(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    Reading *reading = user;
    g_auto(RmilHid) id = info->type == H5L_TYPE_HARD ? H5Oopen(group, name, H5P_DEFAULT) : H5I_INVALID_HID;
    if (id < 0 || H5Iget_type(id) != H5I_DATASET) {
        rmil_fail(&reading->error, RMIL_ERROR_FORMAT, "%s: /%s is not a dataset that can be read", reading->file->path, name);
        return -1;
    }
    if (!read_vector(reading, id, name) || !read_place(reading, id, name)) return -1;
    reading->at++;
    return 0;
}

static gboolean patches_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    RMIL_HDF5_SCOPE;
    H5G_info_t group;
    if (H5Gget_info(file->id, &group) < 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: cannot be listed", file->path);
    bag->count = group.nlinks > G_MAXINT32 ? G_MAXINT32 : (int64_t)group.nlinks;
    if (!rmil_layout_count(file->path, "", bag->count, 0, error) || !(bag->coords = rmil_alloc(bag->count, 2 * sizeof(int64_t), error)))
        return FALSE;
    Reading reading = {.file = file, .bag = bag, .flags = flags, .half = rmil_hdf5_half_type()};
    gboolean done = H5Literate(file->id, H5_INDEX_NAME, H5_ITER_INC, NULL, read_patch, &reading) >= 0 && reading.at == bag->count;
    rmil_hid_close(reading.half);
    rmil_free(reading.row);
    if (reading.error) g_propagate_error(error, reading.error);
    else if (!done) rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be listed: the file is damaged", file->path);
    return done;
}

const RmilLayout rmil_layout_patches = {.name = "patches", .match = patches_match, .read = patches_read};
