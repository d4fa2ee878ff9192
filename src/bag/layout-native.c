/* SPDX-License-Identifier: Apache-2.0 */
/* Our own feature files. */
#include "bag-private.h"

/* rankmil's own layout; CLAM's feature files have the same form. */
static gboolean native_match(RmilHdf5 *file) { return rmil_hdf5_has(file, "features") || rmil_hdf5_has(file, "coords"); }

gboolean rmil_layout_native_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error) {
    const gboolean features = rmil_hdf5_has(file, "features");
    if (features && !rmil_layout_features(file, "features", bag, flags, error)) return FALSE;
    if ((!features || rmil_hdf5_has(file, "coords")) && !rmil_layout_coords(file, "coords", bag, error)) return FALSE;
    return rmil_layout_vector(file, "tissue", H5T_NATIVE_FLOAT, sizeof(float), bag->count, FALSE, (void **)&bag->tissue, error) &&
           rmil_layout_vector(file, "patch_labels", H5T_NATIVE_INT8, 1, bag->count, TRUE, (void **)&bag->patch_labels, error);
}

const RmilLayout rmil_layout_native = {.name = "rankmil", .match = native_match, .read = rmil_layout_native_read, .writes = TRUE};
