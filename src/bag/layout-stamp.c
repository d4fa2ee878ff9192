#include "bag-private.h"

#include <math.h>

/* STAMP (KatherLab/STAMP): /feats (N, D); /coords (N, 2), top-left corners in µm; at the root `tile_size_um` (or
 * `tile_size` with `unit` = "um") and `tile_size_px`. Its oldest files give units of 256 µm / 224 instead. Kept as whole
 * nanometres until the slide's resolution is known. */
#define NANOMETRE 0.001

static gboolean stamp_match(RmilHdf5 *file) { return rmil_hdf5_has(file, "feats"); }

static gboolean tile_size(RmilHdf5 *file, RmilBag *bag, double *unit, double *tile, GError **error) {
    g_autofree char *kind = rmil_hdf5_text(file->id, "feat_type"), *named = rmil_hdf5_text(file->id, "unit");
    if (kind && g_strcmp0(kind, "tile") != 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: holds features of kind \"%s\", not one per tile", file->path, kind);
    rmil_hdf5_number(file->id, "tile_size_px", &bag->patch_size);
    *unit = 1;
    if (rmil_hdf5_number(file->id, "tile_size_um", tile) || (g_strcmp0(named, "um") == 0 && rmil_hdf5_number(file->id, "tile_size", tile)))
        return TRUE;
    if (rmil_hdf5_number(file->id, "tile_size", tile) && rint(*tile) == 224) {
        *tile = 256;
        *unit = 256.0 / 224.0;
        bag->patch_size = 224;
        return TRUE;
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: does not say the size of its tiles (attribute tile_size_um)", file->path);
}

static gboolean stamp_coords(RmilHdf5 *file, RmilBag *bag, double unit, GError **error) {
    g_autoptr(RmilDataset) dataset = rmil_dataset_open(file, "coords", error);
    if (!dataset) return FALSE;
    if (dataset->rank != 2 || dataset->dims[1] != 2 || dataset->dims[0] != bag->count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /coords is not patches × 2 for the %" G_GINT64_FORMAT " patches of /feats",
                         file->path, bag->count);
    double *micrometres = rmil_alloc(bag->count, 2 * sizeof(double), error);
    bag->coords = micrometres ? rmil_alloc(bag->count, 2 * sizeof(int64_t), error) : NULL;
    gboolean done = bag->coords && rmil_dataset_read(dataset, H5T_NATIVE_DOUBLE, 2 * bag->count, micrometres, error);
    for (int64_t i = 0; done && i < 2 * bag->count; i++) {
        if (!(fabs(micrometres[i]) < 1e9))
            done = rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /coords: patch %" G_GINT64_FORMAT " is not at a place on a slide", file->path, i / 2);
        else bag->coords[i] = llrint(micrometres[i] * unit / NANOMETRE);
    }
    rmil_free(micrometres);
    return done;
}

static gboolean stamp_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    double unit, tile = 0;
    if (!rmil_layout_features(file, "feats", bag, flags, error) || !tile_size(file, bag, &unit, &tile, error) ||
        !stamp_coords(file, bag, unit, error))
        return FALSE;
    bag->coords_um = NANOMETRE;
    bag->patch_size_level0 = tile / NANOMETRE;
    if (bag->patch_size > 0) bag->target_mpp = tile / bag->patch_size;
    return TRUE;
}

const RmilLayout rmil_layout_stamp = {.name = "stamp", .match = stamp_match, .read = stamp_read};
