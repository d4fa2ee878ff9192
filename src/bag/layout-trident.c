/* SPDX-License-Identifier: Apache-2.0 */
/* TRIDENT's feature files. */
#include "bag-private.h"

#include <math.h>

/* TRIDENT (mahmoodlab/TRIDENT): as CLAM, with attributes of /coords that say the magnifications and the slide's size, and
 * chunks of one row. */
static gboolean trident_match(RmilHdf5 *file) {
    double value;
    return rmil_layout_attribute(file, "coords", "target_magnification", &value) ||
           rmil_layout_attribute(file, "coords", "level0_magnification", &value) ||
           rmil_layout_attribute(file, "coords", "level0_width", &value);
}

static gboolean trident_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    double magnification = 0, level0 = 0, width = 0, height = 0;
    if (!rmil_layout_native_read(file, bag, flags, error)) return FALSE;
    rmil_layout_attribute(file, "coords", "target_magnification", &magnification);
    rmil_layout_attribute(file, "coords", "level0_magnification", &level0);
    rmil_layout_attribute(file, "coords", "level0_width", &width);
    rmil_layout_attribute(file, "coords", "level0_height", &height);
    if (bag->target_mpp == 0 && magnification > 0) bag->target_mpp = 10 / magnification;
    if (bag->patch_size_level0 == 0 && magnification > 0 && level0 > 0) bag->patch_size_level0 = bag->patch_size * level0 / magnification;
    if (bag->slide_width == 0 && width > 0 && width < 0x1p40) bag->slide_width = (int64_t)width;
    if (bag->slide_height == 0 && height > 0 && height < 0x1p40) bag->slide_height = (int64_t)height;
    return TRUE;
}

static gboolean trident_attributes(hid_t coords, const RmilBag *bag) {
    gboolean done = bag->overlap > 0 || rmil_hdf5_put_number(coords, "overlap", 0); /* else it was written already */
    if (bag->slide_width > 0) done = done && rmil_hdf5_put_number(coords, "level0_width", (double)bag->slide_width);
    if (bag->slide_height > 0) done = done && rmil_hdf5_put_number(coords, "level0_height", (double)bag->slide_height);
    if (bag->target_mpp > 0) {
        done = done && rmil_hdf5_put_number(coords, "target_magnification", rint(10 / bag->target_mpp));
        if (bag->patch_size > 0 && bag->patch_size_level0 > 0) /* magnification of the scan: 10 / its µm per pixel */
            done = done && rmil_hdf5_put_number(coords, "level0_magnification",
                                                rint(10 / bag->target_mpp * bag->patch_size_level0 / bag->patch_size));
    }
    return done && rmil_hdf5_put_string(coords, "name", bag->id ? bag->id : "");
}

const RmilLayout rmil_layout_trident = {
    .name = "trident", .match = trident_match, .read = trident_read, .writes = TRUE, .put_attributes = trident_attributes};
