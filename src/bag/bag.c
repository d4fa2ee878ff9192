/* SPDX-License-Identifier: Apache-2.0 */
/* A bag in memory, and what every layout must satisfy. */
#include "bag-private.h"
#include "pixels.h"
#include "tensors/tensors-private.h"

#include <sys/mman.h>

#define MOST_PX (INT64_C(1) << 50) /* larger numbers are not coordinates */

void rmil_bag_copy_scale(RmilBag *to, const RmilBag *from) {
    to->patch_size = from->patch_size;
    to->patch_size_level0 = from->patch_size_level0;
    to->target_mpp = from->target_mpp;
    to->slide_width = from->slide_width;
    to->slide_height = from->slide_height;
    to->coords_um = from->coords_um;
    to->overlap = from->overlap;
}

void rmil_bag_free(RmilBag *bag) {
    if (!bag) return;
    if (bag->mapped) munmap(bag->features, (size_t)(bag->count * bag->dim) * rmil_precision_bytes(bag->precision));
    else rmil_free(bag->features);
    g_free(bag->id);
    rmil_free(bag->coords);
    rmil_free(bag->tissue);
    rmil_free(bag->patch_labels);
    g_free(bag->source);
    g_free(bag->left_out);
    g_free(bag->extractor);
    rmil_pixels_free(bag->pixels);
    g_free(bag);
}

/* What every layout must satisfy, whoever wrote the file. */
static gboolean check_content(const char *path, const RmilBag *bag, GError **error) {
    const struct {
        const char *name;
        double value;
    } sizes[] = {{"patch_size", bag->patch_size},           {"patch_size_level0", bag->patch_size_level0}, {"target_mpp", bag->target_mpp},
                 {"slide_width", (double)bag->slide_width}, {"slide_height", (double)bag->slide_height},   {"overlap", bag->overlap}};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++)
        if (sizes[i].value < 0)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /coords: its attribute %s is %g; it must not be negative", path, sizes[i].name,
                             sizes[i].value);
    for (int64_t i = 0; bag->patch_labels && i < bag->count; i++)
        if (bag->patch_labels[i] > 1)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels of patch %" G_GINT64_FORMAT " is %d, not 0 or 1", path, i,
                             bag->patch_labels[i]);
    for (int64_t i = 0; bag->tissue && i < bag->count; i++)
        if (!(bag->tissue[i] >= 0 && bag->tissue[i] <= 1.0001f))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /tissue of patch %" G_GINT64_FORMAT " is %g, not a fraction from 0 to 1", path,
                             i, (double)bag->tissue[i]);
    for (int64_t i = 0; bag->coords && i < 2 * bag->count; i++)
        if (bag->coords[i] < -MOST_PX || bag->coords[i] > MOST_PX)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: /coords: patch %" G_GINT64_FORMAT " has coordinates that no slide can have: they must be level-0 pixels",
                             path, i / 2);
    if (bag->slide_width == 0 || bag->slide_height == 0 || !bag->coords) return TRUE;
    double margin = bag->patch_size_level0; /* a tile may start left of or above the scan, but not lie wholly outside */
    for (int64_t i = 0; i < bag->count; i++) {
        double x = (double)bag->coords[2 * i], y = (double)bag->coords[2 * i + 1];
        if (x < -margin || y < -margin || x >= (double)bag->slide_width || y >= (double)bag->slide_height)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: /coords: patch %" G_GINT64_FORMAT " at (%.0f, %.0f) lies outside the slide of %" G_GINT64_FORMAT
                             " × %" G_GINT64_FORMAT " px: coordinates must be level-0 pixels of that slide",
                             path, i, x, y, bag->slide_width, bag->slide_height);
    }
    return TRUE;
}

static gboolean read_hdf5(const char *path, RmilBag *bag, RmilBagFlags flags, GError **error) {
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, error);
    if (!file) return FALSE;
    const RmilLayout *layout = rmil_layout_find(file, error);
    GError *reason = NULL;
    gboolean read = layout && layout->read(file, bag, flags, &reason);
    bag->source = rmil_hdf5_text(file, file->id, RMIL_SOURCE_ATTRIBUTE);
    bag->left_out = rmil_hdf5_text(file, file->id, RMIL_LEFT_OUT_ATTRIBUTE);
    bag->extractor = rmil_hdf5_text(file, file->id, RMIL_EXTRACTOR_ATTRIBUTE);
    if (g_strcmp0(bag->extractor, bag->source) == 0 || g_strcmp0(bag->extractor, RMIL_EXTRACTOR_UNKNOWN) == 0)
        g_clear_pointer(&bag->extractor, g_free); /* the placeholder that is written without a name */
    if (read) return rmil_hdf5_sound(file, error);
    if (layout && !rmil_hdf5_sound(file, error)) g_clear_error(&reason); /* the doubt is the cause, and is reported instead */
    else if (layout) g_propagate_error(error, reason);
    return FALSE;
}

RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error) {
    g_autoptr(RmilBag) bag = g_new0(RmilBag, 1);
    bag->id = id ? g_strdup(id) : rmil_path_stem(path);
    bag->precision = precision;
    gboolean read = rmil_torch_match(path) ? rmil_torch_bag_read(path, bag, flags, error) : read_hdf5(path, bag, flags, error);
    if (!read || !check_content(path, bag, error)) return NULL;
    if (bag->coords && bag->patch_size_level0 == 0 && bag->coords_um == 0 &&
        (bag->patch_size_level0 = rmil_bag_grid_spacing(bag, error)) < 0)
        return NULL;
    return g_steal_pointer(&bag);
}

gboolean rmil_bag_source(const char *path, char **source, GError **error) {
    gboolean there;
    *source = NULL;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, error);
    if (!file) return FALSE;
    g_autofree char *text = rmil_hdf5_text(file, file->id, RMIL_SOURCE_ATTRIBUTE);
    if (!rmil_hdf5_sound(file, error)) return FALSE;
    *source = g_steal_pointer(&text);
    return TRUE;
}

double rmil_bag_step(const RmilBag *bag) {
    return bag->overlap > 0 && bag->overlap < bag->patch_size ? bag->patch_size_level0 * (1 - bag->overlap / bag->patch_size)
                                                              : bag->patch_size_level0;
}

double rmil_bag_level0_mpp(const RmilBag *bag) {
    return bag->patch_size_level0 > 0 && bag->target_mpp > 0 ? bag->target_mpp * bag->patch_size / bag->patch_size_level0 : bag->mpp;
}
