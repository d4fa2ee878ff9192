/* SPDX-License-Identifier: Apache-2.0 */
/* Writes bags: HDF5 files in any writable layout, and PyTorch tensors. */
#include "bag-private.h"
#include "tensors/tensors-private.h"

#include <errno.h>
#include <string.h>

#define CHUNK_BYTES ((int64_t)1 << 20)

gboolean rmil_bag_check(const char *path, int64_t count, int64_t dim, GError **error) {
    if (count >= 1 && count <= RMIL_BAG_COUNT_LIMIT && dim >= 0 && dim <= RMIL_BAG_DIM_LIMIT) return TRUE;
    if (count == 0) return rmil_fail(error, RMIL_ERROR_DATA, "%s: cannot be written: there are no patches", path);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "%s: cannot be written: %" G_GINT64_FORMAT " patches × %" G_GINT64_FORMAT " columns; at most %" G_GINT64_FORMAT
                     " × %" G_GINT64_FORMAT " are possible",
                     path, count, dim, RMIL_BAG_COUNT_LIMIT, RMIL_BAG_DIM_LIMIT);
}

/* Chunks of equal height, at least 1 MiB unless the whole is smaller; so the last one wastes less than a row per chunk. */
static int64_t chunk_height(int64_t count, int64_t row) {
    int64_t chunks = MAX(1, count * row / CHUNK_BYTES);
    return (count + chunks - 1) / chunks;
}

static gboolean put_features(RmilHdf5 *file, const char *name, int64_t count, int64_t dim, gboolean half, RmilRowSource source,
                             gpointer user, GError **error) {
    int64_t row = dim * (half ? 2 : 4), height = chunk_height(count, row);
    char *chunk = rmil_alloc(height, (size_t)row, error);
    if (!chunk) return FALSE;
    hid_t data = H5I_INVALID_HID;
    gboolean done = TRUE;
    {
        RMIL_HDF5_SCOPE;
        hsize_t size[2] = {(hsize_t)count, (hsize_t)dim}, chunk_size[2] = {(hsize_t)height, (hsize_t)dim};
        g_auto(RmilHid) half_type = rmil_hdf5_half_type(), space = H5Screate_simple(2, size, NULL);
        g_auto(RmilHid) creation = H5Pcreate(H5P_DATASET_CREATE);
        if (H5Pset_chunk(creation, 2, chunk_size) >= 0 && H5Pset_obj_track_times(creation, FALSE) >= 0)
            data = H5Dcreate2(file->id, name, half ? half_type : H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    }
    for (int64_t first = 0; data >= 0 && done && first < count; first += height) {
        int64_t rows = MIN(height, count - first);
        if (rows < height) memset(chunk, 0, (size_t)(height * row));
        done = source(user, first, rows, chunk, error);
        RMIL_HDF5_SCOPE;
        hsize_t at[2] = {(hsize_t)first, 0};
        if (done && H5Dwrite_chunk(data, H5P_DEFAULT, 0, at, (size_t)(height * row), chunk) < 0 && !file->failed) file->failed = EIO;
        if (file->failed) break; /* rmil_hdf5_finish will say why */
    }
    RMIL_HDF5_SCOPE;
    if (data >= 0) H5Dclose(data);
    else if (!file->failed) file->failed = EIO;
    rmil_free(chunk);
    return done;
}

gboolean rmil_container_attributes(hid_t coords, const RmilBag *bag) {
    const struct {
        const char *name;
        double value;
    } attributes[] = {
        {"overlap", bag->overlap},       {"patch_size", bag->patch_size},           {"patch_size_level0", bag->patch_size_level0},
        {"target_mpp", bag->target_mpp}, {"slide_width", (double)bag->slide_width}, {"slide_height", (double)bag->slide_height}};
    gboolean done = TRUE;
    for (gsize i = 0; done && i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].value > 0) done = rmil_hdf5_put_number(coords, attributes[i].name, attributes[i].value);
    return done;
}

static gboolean put_coords(RmilHdf5 *file, const RmilLayout *layout, const RmilBag *bag) {
    RMIL_HDF5_SCOPE;
    int64_t dims[2] = {bag->count, 2};
    if (!bag->coords) return TRUE;
    if (layout->put_coords) return layout->put_coords(file, bag);
    g_auto(RmilHid) data = rmil_hdf5_put(file, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, 2, dims, bag->coords);
    return data >= 0 && rmil_container_attributes(data, bag) && (!layout->put_attributes || layout->put_attributes(data, bag));
}

void rmil_container_vector(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int64_t count, const void *values) {
    RMIL_HDF5_SCOPE;
    if (!values) return;
    g_auto(RmilHid) data = rmil_hdf5_put(file, name, file_type, memory_type, 1, &count, values);
    if (data < 0 && !file->failed) file->failed = EIO;
}

gboolean rmil_container_end(RmilHdf5 *file, char *temporary, const char *path, gboolean good, GError **error) {
    if (!good) rmil_hdf5_free(file);
    else good = rmil_hdf5_finish(file, error);
    if (good) return rmil_file_commit(temporary, path, error);
    rmil_file_abandon(temporary);
    return FALSE;
}

/* An attribute of the file; NULL: none. */
static void put_text(RmilHdf5 *file, const char *name, const char *text) {
    if (text && !rmil_hdf5_put_text(file->id, name, text) && !file->failed) file->failed = EIO;
}

gboolean rmil_container_write(const RmilLayout *layout, const RmilBag *meta, const char *path, gboolean half, RmilRowSource source,
                              gpointer user, GError **error) {
    if (!rmil_bag_check(path, meta->count, meta->dim, error)) return FALSE;
    if (!meta->coords && (meta->dim == 0 || layout->micrometres))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: there are no coordinates", path);
    if (layout->ready && !layout->ready(path, meta, error)) return FALSE;
    if (meta->coords_um > 0 && !layout->micrometres)
        return rmil_fail(error, RMIL_ERROR_RESOLUTION,
                         "%s: cannot be written: coordinates are in µm, but the slide's µm per pixel is not known", path);
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return FALSE;
    RmilHdf5 *file = rmil_hdf5_create(temporary, path, error);
    if (!file) {
        rmil_file_abandon(temporary);
        return FALSE;
    }
    if (!put_coords(file, layout, meta) && !file->failed) file->failed = EIO;
    rmil_container_vector(file, "tissue", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, meta->count, meta->tissue);
    rmil_container_vector(file, "patch_labels", H5T_STD_U8LE, H5T_NATIVE_UINT8, meta->count, meta->patch_labels);
    put_text(file, RMIL_SOURCE_ATTRIBUTE, meta->source);
    put_text(file, RMIL_LEFT_OUT_ATTRIBUTE, meta->left_out);
    if (!layout->names_extractor) put_text(file, RMIL_EXTRACTOR_ATTRIBUTE, meta->extractor);
    gboolean good = meta->dim == 0 ||
                    put_features(file, layout->features ? layout->features : "features", meta->count, meta->dim, half, source, user, error);
    return rmil_container_end(file, temporary, path, good, error);
}

typedef struct {
    const RmilBag *bag;
    const char *path;
    gboolean half;
} BagRows;

static gboolean bag_rows(gpointer user, int64_t first, int64_t rows, void *raw, GError **error) {
    const BagRows *from = user;
    const RmilBag *bag = from->bag;
    int64_t n = rows * bag->dim;
    const char *values = (const char *)bag->features + (size_t)(first * bag->dim) * rmil_precision_bytes(bag->precision);
    if (rmil_encode(bag->precision, values, from->half, raw, n)) return TRUE;
    return rmil_not_stored(from->path, bag->precision, values, from->half, first, bag->dim, n, error);
}

static gboolean write_container(const RmilLayout *layout, const RmilBag *bag, const char *path, gboolean half, GError **error) {
    BagRows rows = {bag, path, half};
    if (bag->dim > 0 && !bag->features)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: the bag was read without its features", path);
    return rmil_container_write(layout, bag, path, half, bag_rows, &rows, error);
}

/* CLAM's other file: the features alone. */
static gboolean write_tensor(const RmilBag *bag, const char *path, gboolean half, GError **error) {
    BagRows rows = {bag, path, half};
    if (!rmil_bag_check(path, bag->count, bag->dim, error)) return FALSE;
    if (!bag->features) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: there are no features", path);
    void *stored = rmil_alloc(bag->count, (size_t)bag->dim * (half ? 2 : 4), error);
    const RmilTensor tensor = {.dtype = half ? RMIL_DTYPE_F16 : RMIL_DTYPE_F32, .rank = 2, .shape = {bag->count, bag->dim}, .data = stored};
    gboolean done = stored && bag_rows(&rows, 0, bag->count, stored, error) && rmil_torch_write(path, &tensor, error);
    rmil_free(stored);
    return done;
}

gboolean rmil_bag_write(const RmilBag *bag, const char *path, gboolean half, GError **error) {
    return write_container(&rmil_layout_native, bag, path, half, error);
}

gboolean rmil_bag_write_as(const RmilBag *bag, const char *path, const char *layout, gboolean half, GError **error) {
    const RmilLayout *target = rmil_layout_by_name(layout);
    if (!target) {
        g_autofree char *known = g_strjoinv(", ", (char **)rmil_bag_layouts());
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no layout named \"%s\" to write; choose one of %s", layout, known);
    }
    if (target == &rmil_layout_clam && g_str_has_suffix(path, ".pt")) return write_tensor(bag, path, half, error);
    if (!target->write) return write_container(target, bag, path, half, error);
    return rmil_bag_check(path, bag->count, bag->dim, error) && target->write(bag, path, half, error);
}
