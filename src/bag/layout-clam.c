/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's feature files. */
#include "bag-private.h"

/* CLAM (mahmoodlab/CLAM): its feature files have no attributes; its patch files say of /coords at which level a patch of
 * `patch_size` pixels was cut (`patch_level`) and that level's `downsample` (x, y). */
static gboolean clam_match(RmilHdf5 *file) {
    double level, size;
    return rmil_layout_attribute(file, "coords", "patch_level", &level) &&
           !rmil_layout_attribute(file, "coords", "patch_size_level0", &size);
}

static gboolean clam_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    double downsample = 0, level = 0;
    if (!rmil_layout_native_read(file, bag, flags, error)) return FALSE;
    rmil_layout_attribute(file, "coords", "patch_level", &level);
    if (!rmil_layout_attribute(file, "coords", "downsample", &downsample) && level == 0) downsample = 1;
    if (downsample > 0) bag->patch_size_level0 = bag->patch_size * downsample;
    return TRUE;
}

/* Only rankmil's own attributes: CLAM reads nothing but the two datasets. */
const RmilLayout rmil_layout_clam = {.name = "clam", .match = clam_match, .read = clam_read, .writes = TRUE};
