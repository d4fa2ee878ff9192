/* SPDX-License-Identifier: Apache-2.0 */
/* The table of feature layouts. */
#include "bag-private.h"

#include <math.h>
#include <string.h>

/* From the list in meson.build: RMIL_LAYOUTS is LAYOUT(stamp) LAYOUT(trident) … The first that matches reads the file. */
#define LAYOUT(name) extern const RmilLayout rmil_layout_##name;
RMIL_LAYOUTS
#undef LAYOUT
#define LAYOUT(name) &rmil_layout_##name,
static const RmilLayout *const layouts[] = {RMIL_LAYOUTS};

const RmilLayout *rmil_layout_find(RmilHdf5 *file, GError **error) {
    const RmilLayout *found = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(layouts) && !found; i++)
        if (layouts[i]->match(file)) found = layouts[i];
    if (!rmil_hdf5_sound(file, error)) return NULL; /* without the doubt another layout might have matched */
    if (!found)
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: is not a feature file that rankmil knows (docs/formats.md): there is no dataset /features or /coords, nor those of "
                  "other layouts",
                  file->path);
    return found;
}

const RmilLayout *rmil_layout_by_name(const char *name) {
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++)
        if (layouts[i]->writes && strcmp(layouts[i]->name, name) == 0) return layouts[i];
    return NULL;
}

const char *const *rmil_bag_layouts(void) {
    static const char *names[G_N_ELEMENTS(layouts) + 1];
    static gsize done;
    if (g_once_init_enter(&done)) {
        for (gsize i = 0, n = 0; i < G_N_ELEMENTS(layouts); i++)
            if (layouts[i]->writes) names[n++] = layouts[i]->name;
        g_once_init_leave(&done, 1);
    }
    return names;
}

gboolean rmil_layout_attribute(RmilHdf5 *file, const char *dataset, const char *name, double *value) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) id = rmil_hdf5_object(file, dataset);
    return id >= 0 && rmil_hdf5_number(file, id, name, value);
}

gboolean rmil_layout_count(const char *path, const char *name, int64_t count, int64_t dim, GError **error) {
    if (count < 1) return rmil_fail(error, RMIL_ERROR_DATA, "%s: /%s holds no patches", path, name);
    if (count > RMIL_BAG_COUNT_LIMIT || dim > RMIL_BAG_DIM_LIMIT)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: /%s is %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT ", but at most %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT
                         " is accepted",
                         path, name, count, dim, RMIL_BAG_COUNT_LIMIT, RMIL_BAG_DIM_LIMIT);
    return TRUE;
}

static gboolean fail_value(const char *path, float value, int64_t row, int64_t column, GError **error) {
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: the feature of patch %" G_GINT64_FORMAT ", column %" G_GINT64_FORMAT " is %s", path, row,
                     column, isnan(value) ? "not a number (NaN)" : "infinite or too large");
}

static float value_at(RmilPrecision precision, const void *values, int64_t i) {
    return precision == RMIL_BFLOAT16 ? rmil_bfloat16_float(((const uint16_t *)values)[i]) : ((const float *)values)[i];
}

gboolean rmil_not_finite(const char *path, RmilPrecision precision, const void *values, int64_t first_row, int64_t dim, int64_t n,
                         GError **error) {
    for (int64_t i = 0; i < n; i++) {
        float value = value_at(precision, values, i);
        if (!isfinite(value)) return fail_value(path, value, first_row + i / dim, i % dim, error);
    }
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: a feature is not a finite number", path);
}

gboolean rmil_not_stored(const char *path, RmilPrecision precision, const void *values, gboolean half, int64_t first_row, int64_t dim,
                         int64_t n, GError **error) {
    for (int64_t i = 0; i < n; i++) {
        float value = value_at(precision, values, i);
        if (fabsf(value) < (half ? 65520.0f : INFINITY)) continue;
        if (!isfinite(value)) return fail_value(path, value, first_row + i / dim, i % dim, error);
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: the feature of patch %" G_GINT64_FORMAT ", column %" G_GINT64_FORMAT
                         " is %g, too large for float16: store the features as float32",
                         path, first_row + i / dim, i % dim, (double)value);
    }
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: a feature is not a finite number", path);
}

typedef struct {
    RmilBag *bag;
    const RmilDataset *dataset;
} Decoding;

static gboolean decode_rows(gpointer user, int64_t first, int64_t rows, const void *raw, GError **error) {
    const Decoding *decoding = user;
    RmilBag *bag = decoding->bag;
    gboolean half = decoding->dataset->element == RMIL_ELEMENT_F16;
    void *out = (char *)bag->features + (size_t)(first * bag->dim) * rmil_precision_bytes(bag->precision);
    if (rmil_decode(half, raw, bag->precision, out, rows * bag->dim)) return TRUE;
    return rmil_not_finite(decoding->dataset->file->path, bag->precision, out, first, bag->dim, rows * bag->dim, error);
}

gboolean rmil_layout_features(RmilHdf5 *file, const char *name, RmilBag *bag, RmilBagFlags flags, GError **error) {
    g_autoptr(RmilDataset) dataset = rmil_dataset_open(file, name, error);
    if (!dataset) return FALSE;
    int rank = dataset->rank;
    if (rank == 1 && dataset->dims[0] == 0) return rmil_layout_count(file->path, name, 0, 0, error);
    if (rank != 2 && !(rank == 3 && dataset->dims[0] == 1))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s has %d axes; it needs two, patches × columns", file->path, name, rank);
    if (dataset->element == RMIL_ELEMENT_INTEGER)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s contains integers; features must be float16 or float32", file->path, name);
    bag->count = dataset->dims[rank - 2];
    bag->dim = dataset->dims[rank - 1];
    bag->stored_half = dataset->element == RMIL_ELEMENT_F16;
    if (!rmil_layout_count(file->path, name, bag->count, bag->dim, error)) return FALSE;
    if (bag->dim < 1) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s has no columns", file->path, name);
    if (flags & RMIL_BAG_NO_FEATURES) return TRUE;
    bag->features = rmil_alloc_features(bag->count, bag->dim * (int64_t)rmil_precision_bytes(bag->precision), error);
    if (!bag->features) {
        g_prefix_error(error, "%s: ", file->path);
        return FALSE;
    }
    Decoding decoding = {bag, dataset};
    return rmil_dataset_rows(dataset, decode_rows, &decoding, error);
}

gboolean rmil_layout_coords(RmilHdf5 *file, const char *name, RmilBag *bag, GError **error) {
    g_autoptr(RmilDataset) dataset = rmil_dataset_open(file, name, error);
    if (!dataset) return FALSE;
    int rank = dataset->rank;
    if (!(rank == 2 || (rank == 3 && dataset->dims[0] == 1)) || dataset->dims[rank - 1] != 2)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s must be patches × 2: x and y of each patch", file->path, name);
    if (dataset->element != RMIL_ELEMENT_INTEGER)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s does not contain integers", file->path, name);
    int64_t count = dataset->dims[rank - 2];
    if (bag->count == 0) bag->count = count;
    if (count != bag->count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s has %" G_GINT64_FORMAT " rows, but the features have %" G_GINT64_FORMAT,
                         file->path, name, count, bag->count);
    if (!rmil_layout_count(file->path, name, count, 2, error) || !(bag->coords = rmil_alloc(count, 2 * sizeof(int64_t), error)))
        return FALSE;
    double width = 0, height = 0;
    rmil_hdf5_number(file, dataset->id, "patch_size", &bag->patch_size);
    rmil_hdf5_number(file, dataset->id, "patch_size_level0", &bag->patch_size_level0);
    rmil_hdf5_number(file, dataset->id, "target_mpp", &bag->target_mpp);
    rmil_hdf5_number(file, dataset->id, "overlap", &bag->overlap);
    rmil_hdf5_number(file, dataset->id, "slide_width", &width);
    rmil_hdf5_number(file, dataset->id, "slide_height", &height);
    if (fabs(width) < 0x1p40 && fabs(height) < 0x1p40) {
        bag->slide_width = (int64_t)width;
        bag->slide_height = (int64_t)height;
    }
    return rmil_dataset_read(dataset, H5T_NATIVE_INT64, 2 * count, bag->coords, error);
}

gboolean rmil_layout_vector(RmilHdf5 *file, const char *name, hid_t type, size_t size, int64_t count, gboolean integer, void **values,
                            GError **error) {
    if (!rmil_hdf5_has(file, name)) return TRUE;
    g_autoptr(RmilDataset) dataset = rmil_dataset_open(file, name, error);
    if (!dataset) return FALSE;
    if (integer && dataset->element != RMIL_ELEMENT_INTEGER)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s does not contain integers", file->path, name);
    if (!(*values = rmil_alloc(count, size, error))) return FALSE;
    return rmil_dataset_read(dataset, type, count, *values, error);
}
