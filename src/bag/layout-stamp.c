/* SPDX-License-Identifier: Apache-2.0 */
/* STAMP's feature files. */
#include "bag-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* STAMP (KatherLab/STAMP): /feats (N, D); /coords (N, 2), top-left corners in µm; at the root `tile_size_um` (or
 * `tile_size` with `unit` = "um") and `tile_size_px`. Its oldest files give units of 256 µm / 224 instead. Kept as whole
 * nanometres until the slide's resolution is known. */
#define NANOMETRE 0.001

static gboolean stamp_match(RmilHdf5 *file) { return rmil_hdf5_has(file, "feats"); }

static gboolean of_tiles(RmilHdf5 *file, GError **error) {
    g_autofree char *kind = rmil_hdf5_text(file, file->id, "feat_type");
    return !kind || strcmp(kind, "tile") == 0 ||
           rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: contains features of kind \"%s\", not one feature vector per tile: give STAMP's tile features", file->path, kind);
}

static gboolean tile_size(RmilHdf5 *file, RmilBag *bag, double *unit, double *tile, GError **error) {
    g_autofree char *named = rmil_hdf5_text(file, file->id, "unit");
    rmil_hdf5_number(file, file->id, "tile_size_px", &bag->patch_size);
    *unit = 1;
    if (rmil_hdf5_number(file, file->id, "tile_size_um", tile) ||
        (g_strcmp0(named, "um") == 0 && rmil_hdf5_number(file, file->id, "tile_size", tile)))
        return TRUE;
    if (rmil_hdf5_number(file, file->id, "tile_size", tile) && rint(*tile) == 224) {
        *tile = 256;
        *unit = 256.0 / 224.0;
        bag->patch_size = 224;
        return TRUE;
    }
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: does not say the size of its tiles: the attribute tile_size_um is missing", file->path);
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
            done = rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: /coords: patch %" G_GINT64_FORMAT " has coordinates that no slide can have: they must be µm", file->path,
                             i / 2);
        else bag->coords[i] = llrint(micrometres[i] * unit / NANOMETRE);
    }
    rmil_free(micrometres);
    return done;
}

/* What rankmil adds to STAMP's own: with the slide's mpp, coordinates become pixels again. */
static gboolean add_own(RmilHdf5 *file, RmilBag *bag, GError **error) {
    double mpp = 0, width = 0, height = 0;
    if (rmil_hdf5_number(file, file->id, "slide_mpp", &mpp) && mpp > 0 && mpp < 1000) {
        rmil_bag_set_mpp(bag, mpp);
        rmil_layout_attribute(file, "coords", "patch_size_level0", &bag->patch_size_level0);
        rmil_layout_attribute(file, "coords", "target_mpp", &bag->target_mpp);
        if (rmil_layout_attribute(file, "coords", "slide_width", &width) && fabs(width) < 0x1p40) bag->slide_width = (int64_t)width;
        if (rmil_layout_attribute(file, "coords", "slide_height", &height) && fabs(height) < 0x1p40) bag->slide_height = (int64_t)height;
    }
    return rmil_layout_vector(file, "tissue", H5T_NATIVE_FLOAT, sizeof(float), bag->count, FALSE, (void **)&bag->tissue, error) &&
           rmil_layout_vector(file, "patch_labels", H5T_NATIVE_INT8, 1, bag->count, TRUE, (void **)&bag->patch_labels, error);
}

static gboolean stamp_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    double unit, tile = 0;
    if (!of_tiles(file, error) || !rmil_layout_features(file, "feats", bag, flags, error)) return FALSE;
    if (!rmil_hdf5_has(file, "coords")) return add_own(file, bag, error); /* without coordinates no unit is needed */
    if (!tile_size(file, bag, &unit, &tile, error) || !stamp_coords(file, bag, unit, error)) return FALSE;
    bag->coords_um = NANOMETRE;
    bag->patch_size_level0 = tile / NANOMETRE;
    if (bag->patch_size > 0) bag->target_mpp = tile / bag->patch_size;
    return add_own(file, bag, error);
}

/* -- writing: as STAMP 2 does, plus what only rankmil knows ----------------------------------------------------------------- */
static double micrometres(const RmilBag *bag) { /* micrometres in a unit of the coordinates; 0: not known */
    if (bag->coords_um > 0) return bag->coords_um;
    if (bag->mpp > 0) return bag->mpp;
    return bag->patch_size_level0 > 0 ? bag->target_mpp * bag->patch_size / bag->patch_size_level0 : 0;
}

static gboolean stamp_ready(const char *path, const RmilBag *bag, GError **error) {
    if (!(micrometres(bag) > 0))
        return rmil_fail(error, RMIL_ERROR_RESOLUTION,
                         "%s: cannot be written: STAMP's coordinates are in µm, but the slide's µm per pixel is not known (--mpp)", path);
    if (!(bag->patch_size_level0 > 0))
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: cannot be written: the size of the patches is not known (--patch-size)", path);
    return TRUE;
}

static gboolean stamp_put(RmilHdf5 *file, const RmilBag *bag) {
    RMIL_HDF5_SCOPE;
    double unit = micrometres(bag);
    int64_t dims[2] = {bag->count, 2};
    g_autofree float *places = rmil_try_new(2 * bag->count, sizeof *places, NULL);
    if (!places) file->failed = ENOMEM;
    if (!places) return FALSE;
    for (int64_t i = 0; i < 2 * bag->count; i++) places[i] = (float)((double)bag->coords[i] * unit);
    g_auto(RmilHid) coords = rmil_hdf5_put(file, "coords", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, dims, places);
    gboolean done = coords >= 0 && rmil_hdf5_put_string(file->id, "stamp_version", "2.0.0") &&
                    rmil_hdf5_put_string(file->id, RMIL_EXTRACTOR_ATTRIBUTE,
                                         bag->extractor ? bag->extractor
                                         : bag->source  ? bag->source
                                                        : RMIL_EXTRACTOR_UNKNOWN) &&
                    rmil_hdf5_put_string(file->id, "unit", "um") && rmil_hdf5_put_string(file->id, "feat_type", "tile") &&
                    rmil_hdf5_put_number(file->id, "tile_size_um", bag->patch_size_level0 * unit);
    if (bag->patch_size > 0) done = done && rmil_hdf5_put_number(file->id, "tile_size_px", bag->patch_size);
    if (bag->coords_um > 0) return done;
    return done && rmil_hdf5_put_number(file->id, "slide_mpp", unit) && rmil_container_attributes(coords, bag);
}

const RmilLayout rmil_layout_stamp = {.name = "stamp",
                                      .match = stamp_match,
                                      .read = stamp_read,
                                      .writes = TRUE,
                                      .micrometres = TRUE,
                                      .features = "feats",
                                      .names_extractor = TRUE,
                                      .ready = stamp_ready,
                                      .put_coords = stamp_put};
