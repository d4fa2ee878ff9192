/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 datasets, read in bounded pieces. */
#include "hdf5-private.h"
#include "tensors/tensors-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* HDF5 reads a chunk as a whole; files that would make it allocate more than this are refused. */
#define CHUNK_LIMIT ((int64_t)1 << 30)
/* Plain data is read in slices that stay in the second-level cache until they are decoded. */
#define SLICE_BYTES ((int64_t)256 << 10)
#define BLOCK_BYTES ((int64_t)4 << 20)
/* HDF5 finds chunk i by walking over the i chunks before it, which only pays off for few, large chunks. */
#define PLAIN_CHUNKS 4096
#define PLAIN_CHUNK_BYTES ((int64_t)64 << 10)

hid_t rmil_hdf5_half_type(void) {
    RMIL_HDF5_SCOPE;
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

gboolean rmil_hdf5_has(RmilHdf5 *file, const char *name) {
    RMIL_HDF5_SCOPE;
    htri_t there = H5Lexists(file->id, name, H5P_DEFAULT);
    if (there < 0) rmil_hdf5_doubt(file, "/%s " RMIL_DAMAGED, name);
    return there > 0;
}

static gboolean lies_elsewhere(RmilHdf5 *file, const char *name) {
    H5L_info_t info = {.type = H5L_TYPE_ERROR};
    if (H5Lget_info(file->id, name, &info, H5P_DEFAULT) < 0) rmil_hdf5_doubt(file, "/%s " RMIL_DAMAGED, name);
    return info.type != H5L_TYPE_HARD;
}

hid_t rmil_hdf5_object(RmilHdf5 *file, const char *name) {
    RMIL_HDF5_SCOPE;
    if (!rmil_hdf5_has(file, name) || lies_elsewhere(file, name)) return H5I_INVALID_HID;
    hid_t id = H5Oopen(file->id, name, H5P_DEFAULT);
    if (id < 0) rmil_hdf5_doubt(file, "/%s " RMIL_DAMAGED, name);
    return id;
}

static gboolean element_of(hid_t id, RmilElement *element) {
    g_auto(RmilHid) type = H5Dget_type(id);
    g_auto(RmilHid) half = rmil_hdf5_half_type();
    H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    if (class == H5T_FLOAT)
        *element = H5Tequal(type, half) > 0 ? RMIL_ELEMENT_F16 : H5Tequal(type, H5T_IEEE_F32LE) > 0 ? RMIL_ELEMENT_F32 : RMIL_ELEMENT_FLOAT;
    else if (class == H5T_INTEGER) *element = RMIL_ELEMENT_INTEGER;
    else return FALSE;
    return H5Tget_size(type) <= 16;
}

/* Does the file hold as much as the dataset's size says? Refuses what a killed writer left unfinished, and sizes that no
 * file of this length can hold (deflate shrinks at most 1032 times, LZF 88 times, others more). */
static gboolean check_storage(const RmilDataset *dataset, GError **error) {
    const char *path = dataset->file->path, *name = dataset->name;
    g_auto(RmilHid) creation = H5Dget_create_plist(dataset->id), type = H5Dget_type(dataset->id);
    H5D_layout_t layout = creation >= 0 ? H5Pget_layout(creation) : H5D_LAYOUT_ERROR;
    if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
        return rmil_fail(
            error, RMIL_ERROR_FORMAT,
            "%s: /%s is a virtual dataset, whose data are in other files, which rankmil does not read: copy them into this one", path,
            name);
    if (H5Pget_external_count(creation) != 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: /%s keeps its data in other files, which rankmil does not read: copy them into this one", path, name);
    guint64 bytes = H5Tget_size(type), chunk_bytes = bytes;
    hsize_t chunk[H5S_MAX_RANK] = {0};
    gboolean chunked = layout == H5D_CHUNKED;
    if (chunked && H5Pget_chunk(creation, dataset->rank, chunk) < 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s " RMIL_DAMAGED, path, name);
    for (int i = 0; i < dataset->rank; i++) {
        guint64 dim = (guint64)dataset->dims[i];
        if (!g_uint64_checked_mul(&bytes, bytes, dim) || bytes > (guint64)1 << 46)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s claims to hold more than 64 TiB: the file is damaged", path, name);
        if (chunked && (!g_uint64_checked_mul(&chunk_bytes, chunk_bytes, chunk[i]) || chunk_bytes > CHUNK_LIMIT))
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: /%s is stored in chunks of more than 1 GiB, which rankmil does not read: write the file again with "
                             "smaller ones",
                             path, name);
    }
    if (!rmil_hdf5_filters(dataset->file, name, creation, error)) return FALSE;
    guint64 stored = H5Dget_storage_size(dataset->id), least = bytes;
    if (H5Pget_nfilters(creation) > 0) least /= rmil_hdf5_usual_filters(creation) ? 1100 : 1 << 16;
    if (stored > (guint64)dataset->file->size || stored < least)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: /%s is incomplete: it stores %" G_GUINT64_FORMAT " bytes, but %" G_GUINT64_FORMAT " are expected: make the "
                         "file again",
                         path, name, stored, bytes);
    return TRUE;
}

RmilDataset *rmil_dataset_open(RmilHdf5 *file, const char *name, GError **error) {
    RMIL_HDF5_SCOPE;
    g_autoptr(RmilDataset) dataset = g_new0(RmilDataset, 1);
    dataset->file = file;
    dataset->name = g_strdup(name);
    dataset->id = H5I_INVALID_HID;
    if (!rmil_hdf5_has(file, name)) {
        if (rmil_hdf5_sound(file, error)) rmil_fail(error, RMIL_ERROR_FORMAT, "%s: there is no dataset /%s", file->path, name);
        return NULL;
    }
    if (lies_elsewhere(file, name)) {
        if (rmil_hdf5_sound(file, error))
            rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s is a link, which rankmil does not follow: copy its data into this file",
                      file->path, name);
        return NULL;
    }
    dataset->id = H5Dopen2(file->id, name, H5P_DEFAULT);
    g_auto(RmilHid) space = dataset->id >= 0 ? H5Dget_space(dataset->id) : H5I_INVALID_HID;
    hsize_t dims[H5S_MAX_RANK];
    dataset->rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
    if (dataset->rank < 0 || H5Sget_simple_extent_dims(space, dims, NULL) < 0) {
        if (rmil_hdf5_sound(file, error))
            rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s is not a dataset (a group, for instance), or is damaged", file->path, name);
        return NULL;
    }
    for (int i = 0; i < dataset->rank; i++) dataset->dims[i] = dims[i] > G_MAXINT64 ? G_MAXINT64 : (int64_t)dims[i];
    if (!element_of(dataset->id, &dataset->element)) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s does not contain numbers", file->path, name);
        return NULL;
    }
    g_auto(RmilHid) type = H5Dget_type(dataset->id);
    if (!rmil_hdf5_number_fits(type)) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s " RMIL_DAMAGED, file->path, name);
        return NULL;
    }
    if (!check_storage(dataset, error)) return NULL;
    return g_steal_pointer(&dataset);
}

void rmil_dataset_free(RmilDataset *dataset) {
    if (!dataset) return;
    if (dataset->id >= 0) {
        RMIL_HDF5_SCOPE;
        H5Dclose(dataset->id);
    }
    g_free(dataset->name);
    g_free(dataset);
}

static gboolean read_failed(const RmilDataset *dataset, GError **error) {
    int reason = dataset->file->failed;
    return rmil_fail(error, RMIL_ERROR_IO, "%s: /%s cannot be read: %s", dataset->file->path, dataset->name,
                     reason ? g_strerror(reason) : "its data are damaged");
}

gboolean rmil_dataset_read(const RmilDataset *dataset, hid_t memory_type, int64_t count, void *values, GError **error) {
    int64_t held = 1;
    for (int i = 0; i < dataset->rank; i++) held *= dataset->dims[i];
    if (held != count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s has %" G_GINT64_FORMAT " values, but %" G_GINT64_FORMAT " are expected",
                         dataset->file->path, dataset->name, held, count);
    RMIL_HDF5_SCOPE;
    if (H5Dread(dataset->id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) return read_failed(dataset, error);
    return TRUE;
}

/* Bytes of one stored element as rmil_dataset_rows hands them out. */
static size_t width_of(const RmilDataset *dataset) { return dataset->element == RMIL_ELEMENT_F16 ? 2 : 4; }

/* A stretch of the file that holds whole rows as they are. */
typedef struct {
    int64_t first, rows, offset;
} Extent;

static int64_t row_bytes(const RmilDataset *dataset) { return dataset->dims[dataset->rank - 1] * (int64_t)width_of(dataset); }

static GArray *plain_chunks(const RmilDataset *dataset, hid_t creation) {
    int rank = dataset->rank;
    int64_t rows = dataset->dims[rank - 2];
    hsize_t chunk[H5S_MAX_RANK], count = 0, offset[H5S_MAX_RANK], bytes;
    if (H5Pget_chunk(creation, rank, chunk) != rank || (int64_t)chunk[rank - 1] != dataset->dims[rank - 1]) return NULL;
    for (int i = 0; i < rank - 2; i++)
        if (chunk[i] != 1) return NULL;
    int64_t chunk_rows = (int64_t)chunk[rank - 2], expected = (rows + chunk_rows - 1) / chunk_rows;
    if (expected > PLAIN_CHUNKS || MIN(chunk_rows, rows) * row_bytes(dataset) < MIN(PLAIN_CHUNK_BYTES, rows * row_bytes(dataset)))
        return NULL;
    if (H5Dget_num_chunks(dataset->id, H5S_ALL, &count) < 0 || (int64_t)count != expected) return NULL;
    g_autoptr(GArray) extents = g_array_sized_new(FALSE, TRUE, sizeof(Extent), (guint)expected);
    g_array_set_size(extents, (guint)expected);
    for (hsize_t i = 0; i < count; i++) {
        unsigned mask = 0;
        haddr_t address = HADDR_UNDEF;
        if (H5Dget_chunk_info(dataset->id, H5S_ALL, i, offset, &mask, &address, &bytes) < 0 || address == HADDR_UNDEF) return NULL;
        int64_t first = (int64_t)offset[rank - 2], take = MIN(chunk_rows, rows - first);
        if (first < 0 || first >= rows || first % chunk_rows || (int64_t)bytes < take * row_bytes(dataset)) return NULL;
        g_array_index(extents, Extent, first / chunk_rows) = (Extent){first, take, (int64_t)address};
    }
    return g_steal_pointer(&extents);
}

/* NULL: the data is not plain, HDF5 has to read it. */
static GArray *plain_extents(const RmilDataset *dataset) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) creation = H5Dget_create_plist(dataset->id);
    g_auto(RmilHid) file_creation = H5Fget_create_plist(dataset->file->id);
    hsize_t user_block = 1;
    if (creation < 0 || file_creation < 0 || H5Pget_userblock(file_creation, &user_block) < 0 || user_block != 0 ||
        H5Pget_nfilters(creation) != 0 || dataset->element > RMIL_ELEMENT_F32 || G_BYTE_ORDER != G_LITTLE_ENDIAN)
        return NULL;
    g_autoptr(GArray) extents = NULL;
    if (H5Pget_layout(creation) == H5D_CHUNKED) {
        extents = plain_chunks(dataset, creation);
    } else if (H5Pget_layout(creation) == H5D_CONTIGUOUS) {
        haddr_t address = H5Dget_offset(dataset->id);
        if (address == HADDR_UNDEF) return NULL;
        extents = g_array_new(FALSE, FALSE, sizeof(Extent));
        Extent all = {0, dataset->dims[dataset->rank - 2], (int64_t)address};
        g_array_append_val(extents, all);
    }
    for (guint i = 0; extents && i < extents->len; i++) {
        Extent *extent = &g_array_index(extents, Extent, i);
        int64_t room = dataset->file->size - extent->offset;
        if (extent->rows <= 0 || extent->offset < 0 || room < extent->rows * row_bytes(dataset)) return NULL;
    }
    return g_steal_pointer(&extents);
}

static gboolean read_plain(const RmilDataset *dataset, const Extent *extent, void *slice, int64_t slice_rows, RmilRowsFunc consume,
                           gpointer user, GError **error) {
    int64_t bytes = row_bytes(dataset), offset = extent->offset;
    for (int64_t row = 0; row < extent->rows; row += slice_rows) {
        int64_t rows = MIN(slice_rows, extent->rows - row);
        if (!rmil_read_at(dataset->file->descriptor, slice, rows * bytes, offset))
            return rmil_fail(error, RMIL_ERROR_IO, "%s: /%s cannot be read: %s", dataset->file->path, dataset->name,
                             errno == ENODATA ? "the file became shorter while it was read" : g_strerror(errno));
        if (!consume(user, extent->first + row, rows, slice, error)) return FALSE;
        offset += rows * bytes;
    }
    return TRUE;
}

static gboolean read_block(const RmilDataset *dataset, hid_t type, int64_t first, int64_t rows, void *block) {
    RMIL_HDF5_SCOPE;
    int rank = dataset->rank;
    hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
    for (int i = 0; i < rank; i++) count[i] = (hsize_t)dataset->dims[i];
    start[rank - 2] = (hsize_t)first;
    count[rank - 2] = (hsize_t)rows;
    g_auto(RmilHid) space = H5Dget_space(dataset->id), memory = H5Screate_simple(rank, count, NULL);
    return H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
           H5Dread(dataset->id, type, memory, space, H5P_DEFAULT, block) >= 0;
}

/* Blocks end where chunks end, so that none is read or unpacked twice. */
static int64_t block_rows(const RmilDataset *dataset) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) creation = H5Dget_create_plist(dataset->id);
    hsize_t chunk[H5S_MAX_RANK];
    int64_t rows = dataset->dims[dataset->rank - 2], step = 1, block = MAX(1, BLOCK_BYTES / MAX(1, row_bytes(dataset)));
    if (H5Pget_layout(creation) == H5D_CHUNKED && H5Pget_chunk(creation, dataset->rank, chunk) == dataset->rank)
        step = (int64_t)chunk[dataset->rank - 2];
    return MIN(rows, (block + step - 1) / step * step);
}

gboolean rmil_dataset_rows(const RmilDataset *dataset, RmilRowsFunc consume, gpointer user, GError **error) {
    int64_t total = dataset->dims[dataset->rank - 2], bytes = row_bytes(dataset);
    g_autoptr(GArray) extents = plain_extents(dataset);
    int64_t most = extents ? MAX(1, SLICE_BYTES / MAX(1, bytes)) : block_rows(dataset);
    void *block = rmil_alloc_features(MIN(most, total), bytes, error);
    if (!block) return FALSE;
    gboolean done = TRUE;
    for (guint i = 0; extents && done && i < extents->len; i++)
        done = read_plain(dataset, &g_array_index(extents, Extent, i), block, most, consume, user, error);
    if (!extents) {
        hid_t half = rmil_hdf5_half_type(), type = dataset->element == RMIL_ELEMENT_F16 ? half : H5T_NATIVE_FLOAT;
        for (int64_t first = 0; done && first < total; first += most) {
            int64_t rows = MIN(most, total - first);
            done = read_block(dataset, type, first, rows, block) ? consume(user, first, rows, block, error) : read_failed(dataset, error);
        }
        RMIL_HDF5_SCOPE;
        H5Tclose(half);
    }
    rmil_free(block);
    return done;
}

hid_t rmil_hdf5_put(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int rank, const int64_t *dims,
                    const void *values) {
    RMIL_HDF5_SCOPE;
    hsize_t size[H5S_MAX_RANK];
    for (int i = 0; i < rank; i++) size[i] = (hsize_t)dims[i];
    g_auto(RmilHid) space = H5Screate_simple(rank, size, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    if (H5Pset_obj_track_times(creation, FALSE) < 0) return H5I_INVALID_HID; /* the same input gives the same bytes */
    hid_t id = H5Dcreate2(file->id, name, file_type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (id >= 0 && H5Dwrite(id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        H5Dclose(id);
        return H5I_INVALID_HID;
    }
    return id;
}
