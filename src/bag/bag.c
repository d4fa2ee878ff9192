#include "bag-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define SOURCE_ATTRIBUTE "source"

void rmil_bag_free(RmilBag *bag) {
    if (!bag) return;
    if (bag->mapped) munmap(bag->features, (size_t)(bag->count * bag->dim) * rmil_precision_bytes(bag->precision));
    else rmil_free(bag->features);
    g_free(bag->id);
    rmil_free(bag->coords);
    rmil_free(bag->tissue);
    rmil_free(bag->patch_labels);
    g_free(bag->source);
    g_free(bag);
}

/* What every layout must satisfy, whoever wrote the file. */
static gboolean check_content(const char *path, const RmilBag *bag, GError **error) {
    if (bag->patch_size < 0 || bag->patch_size_level0 < 0 || bag->target_mpp < 0 || bag->slide_width < 0 || bag->slide_height < 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: an attribute of /coords is negative", path);
    for (int64_t i = 0; bag->patch_labels && i < bag->count; i++)
        if (bag->patch_labels[i] > 1)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels of patch %" G_GINT64_FORMAT " is %d, not 0 or 1", path, i,
                             bag->patch_labels[i]);
    for (int64_t i = 0; bag->tissue && i < bag->count; i++)
        if (!(bag->tissue[i] >= 0 && bag->tissue[i] <= 1.0001f))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /tissue of patch %" G_GINT64_FORMAT " is not a share from 0 to 1", path, i);
    if (bag->slide_width == 0 || bag->slide_height == 0 || !bag->coords) return TRUE;
    double margin = bag->patch_size_level0; /* a tile may begin left of or above the scan, never wholly outside */
    for (int64_t i = 0; i < bag->count; i++) {
        double x = (double)bag->coords[2 * i], y = (double)bag->coords[2 * i + 1];
        if (x < -margin || y < -margin || x >= (double)bag->slide_width || y >= (double)bag->slide_height)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: /coords: patch %" G_GINT64_FORMAT " at (%.0f, %.0f) lies outside the slide of %" G_GINT64_FORMAT
                             " × %" G_GINT64_FORMAT " px",
                             path, i, x, y, bag->slide_width, bag->slide_height);
    }
    return TRUE;
}

void rmil_bag_set_mpp(RmilBag *bag, double mpp) {
    if (!(bag->coords_um > 0) || !(mpp > 0)) return;
    double scale = bag->coords_um / mpp;
    for (int64_t i = 0; bag->coords && i < 2 * bag->count; i++) bag->coords[i] = llrint((double)bag->coords[i] * scale);
    bag->patch_size_level0 *= scale;
    bag->coords_um = 0;
}

RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error) {
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, error);
    if (!file) return NULL;
    const RmilLayout *layout = rmil_layout_find(file, error);
    if (!layout) return NULL;
    g_autoptr(RmilBag) bag = g_new0(RmilBag, 1);
    bag->id = id ? g_strdup(id) : rmil_path_stem(path);
    bag->precision = precision;
    if (!layout->read(file, bag, flags, error) || !check_content(path, bag, error)) return NULL;
    bag->source = rmil_hdf5_text(file->id, SOURCE_ATTRIBUTE);
    return g_steal_pointer(&bag);
}

char *rmil_bag_source(const char *path) {
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, NULL);
    return file ? rmil_hdf5_text(file->id, SOURCE_ATTRIBUTE) : NULL;
}

/* -- writing ------------------------------------------------------------------------------------------------------------ */
#define CHUNK_BYTES ((int64_t)1 << 20)

gboolean rmil_bag_check(const char *path, int64_t count, int64_t dim, GError **error) {
    if (count >= 1 && count <= RMIL_BAG_COUNT_LIMIT && dim >= 0 && dim <= RMIL_BAG_DIM_LIMIT) return TRUE;
    if (count == 0) return rmil_fail(error, RMIL_ERROR_DATA, "%s: cannot be written: there are no patches", path);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: %" G_GINT64_FORMAT " patches × %" G_GINT64_FORMAT
                     " columns are outside what a file can hold", path, count, dim);
}

/* Chunks of equal height, none below 1 MiB unless the whole is; so the last one wastes less than a row per chunk. */
static int64_t chunk_height(int64_t count, int64_t row) {
    int64_t chunks = MAX(1, count * row / CHUNK_BYTES);
    return (count + chunks - 1) / chunks;
}

static gboolean put_features(RmilHdf5 *file, int64_t count, int64_t dim, gboolean half, RmilRowSource source,
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
            data = H5Dcreate2(file->id, "features", half ? half_type : H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
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

static void put_coords(RmilHdf5 *file, const RmilLayout *layout, const RmilBag *bag) {
    RMIL_HDF5_SCOPE;
    int64_t dims[2] = {bag->count, 2};
    g_auto(RmilHid) data = rmil_hdf5_put(file, "coords", H5T_STD_I64LE, H5T_NATIVE_INT64, 2, dims, bag->coords);
    const struct {
        const char *name;
        double value;
    } attributes[] = {{"patch_size", bag->patch_size},
                      {"patch_size_level0", bag->patch_size_level0},
                      {"target_mpp", bag->target_mpp},
                      {"slide_width", (double)bag->slide_width},
                      {"slide_height", (double)bag->slide_height}};
    gboolean done = data >= 0;
    for (gsize i = 0; done && i < G_N_ELEMENTS(attributes); i++)
        if (attributes[i].value > 0) done = rmil_hdf5_put_number(data, attributes[i].name, attributes[i].value);
    if (done && layout->put_attributes) done = layout->put_attributes(data, bag);
    if (!done && !file->failed) file->failed = EIO;
}

static void put_vector(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int64_t count, const void *values) {
    RMIL_HDF5_SCOPE;
    if (!values) return;
    g_auto(RmilHid) data = rmil_hdf5_put(file, name, file_type, memory_type, 1, &count, values);
    if (data < 0 && !file->failed) file->failed = EIO;
}

/* Ends a file begun with rmil_file_begin and rmil_hdf5_create: all or nothing. */
static gboolean conclude(RmilHdf5 *file, char *temporary, const char *path, gboolean good, GError **error) {
    if (!good) rmil_hdf5_free(file);
    else good = rmil_hdf5_finish(file, error);
    if (good) return rmil_file_commit(temporary, path, error);
    rmil_file_abandon(temporary);
    return FALSE;
}

gboolean rmil_container_write(const RmilLayout *layout, const RmilBag *meta, const char *path, gboolean half,
                              RmilRowSource source, gpointer user, GError **error) {
    if (!rmil_bag_check(path, meta->count, meta->dim, error)) return FALSE;
    if (!meta->coords) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: there are no coordinates", path);
    if (meta->coords_um > 0)
        return rmil_fail(error, RMIL_ERROR_RESOLUTION,
                         "%s: cannot be written: coordinates are in µm, and the slide's µm per pixel is not known", path);
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return FALSE;
    RmilHdf5 *file = rmil_hdf5_create(temporary, path, error);
    if (!file) {
        rmil_file_abandon(temporary);
        return FALSE;
    }
    put_coords(file, layout, meta);
    put_vector(file, "tissue", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, meta->count, meta->tissue);
    put_vector(file, "patch_labels", H5T_STD_U8LE, H5T_NATIVE_UINT8, meta->count, meta->patch_labels);
    if (meta->source && !rmil_hdf5_put_text(file->id, SOURCE_ATTRIBUTE, meta->source) && !file->failed) file->failed = EIO;
    gboolean good = meta->dim == 0 || put_features(file, meta->count, meta->dim, half, source, user, error);
    return conclude(file, temporary, path, good, error);
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

gboolean rmil_bag_write_layout(const RmilLayout *layout, const RmilBag *bag, const char *path, gboolean half, GError **error) {
    BagRows rows = {bag, path, half};
    if (bag->dim > 0 && !bag->features)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: the bag was read without its features", path);
    return rmil_container_write(layout, bag, path, half, bag_rows, &rows, error);
}

gboolean rmil_bag_write(const RmilBag *bag, const char *path, gboolean half, GError **error) {
    return rmil_bag_write_layout(&rmil_layout_native, bag, path, half, error);
}

const char *const *rmil_bag_layouts(void) {
    static const char *const names[] = {"rankmil", "clam", "trident", NULL};
    return names;
}

gboolean rmil_bag_convert(const char *from, const char *to, const char *layout, gboolean half, double mpp, GError **error) {
    const RmilLayout *target = rmil_layout_by_name(layout);
    if (!target)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no layout named \"%s\" to write; known are rankmil, clam, trident", layout);
    g_autoptr(RmilBag) bag = rmil_bag_read(from, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    rmil_bag_set_mpp(bag, mpp);
    return rmil_bag_write_layout(target, bag, to, half, error);
}

/* -- patch labels ------------------------------------------------------------------------------------------------------- */
gboolean rmil_labels_write(const char *path, const uint8_t *labels, const double *shares, int64_t count, const char *source,
                           GError **error) {
    if (!rmil_bag_check(path, count, 0, error)) return FALSE;
    float *overlap = shares ? rmil_alloc(count, sizeof(float), error) : NULL;
    if (shares && !overlap) return FALSE;
    for (int64_t i = 0; overlap && i < count; i++) overlap[i] = (float)shares[i];
    char *temporary = rmil_file_begin(path, error);
    RmilHdf5 *file = temporary ? rmil_hdf5_create(temporary, path, error) : NULL;
    if (!file) {
        rmil_file_abandon(temporary);
        rmil_free(overlap);
        return FALSE;
    }
    put_vector(file, "patch_labels", H5T_STD_U8LE, H5T_NATIVE_UINT8, count, labels);
    put_vector(file, "overlap", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, count, overlap);
    if (source && !rmil_hdf5_put_text(file->id, SOURCE_ATTRIBUTE, source) && !file->failed) file->failed = EIO;
    rmil_free(overlap);
    return conclude(file, temporary, path, TRUE, error);
}

gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error) {
    if (rmil_npy_match(path)) return rmil_npy_labels(path, count, labels, error);
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, error);
    g_autoptr(RmilDataset) dataset = file ? rmil_dataset_open(file, "patch_labels", error) : NULL;
    if (!dataset) return FALSE;
    if (dataset->element != RMIL_ELEMENT_INTEGER)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels does not hold whole numbers", path);
    /* signed: HDF5 clips to the memory type, and −1 must not become 0 */
    if (!rmil_dataset_read(dataset, H5T_NATIVE_INT8, count, labels, error)) return FALSE;
    for (int64_t i = 0; i < count; i++)
        if (labels[i] > 1)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels of patch %" G_GINT64_FORMAT " is %d, not 0 or 1", path, i, labels[i]);
    return TRUE;
}
