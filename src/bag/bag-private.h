/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this room. */
#ifndef RMIL_BAG_PRIVATE_H
#define RMIL_BAG_PRIVATE_H

#include "hdf5-private.h"
#include "rankmil/bag.h"
#include "tensors/tensors-private.h"

#define RMIL_BAG_COUNT_LIMIT INT64_C(10000000)
#define RMIL_BAG_DIM_LIMIT INT64_C(65536)
#define RMIL_SOURCE_ATTRIBUTE "source"
#define RMIL_LEFT_OUT_ATTRIBUTE "left_out"
#define RMIL_EXTRACTOR_ATTRIBUTE "extractor"
#define RMIL_EXTRACTOR_UNKNOWN "unknown"

/* One way to store slides' features: a file layout-NAME.c that defines rmil_layout_NAME, and its name in the list in meson.build
 * (docs/extending.md). */
typedef struct {
    const char *name;
    gboolean (*match)(RmilHdf5 *file);
    /* Fills an empty bag (count, dim, arrays, attributes); the caller checks what every layout must satisfy. */
    gboolean (*read)(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error);
    /* writing; all but `writes` may be left out */
    gboolean writes, micrometres;                                            /* can be written; takes bags whose slide's mpp is not known */
    const char *features;                                                    /* name of the dataset; NULL: "features" */
    gboolean (*ready)(const char *path, const RmilBag *bag, GError **error); /* is everything known that the file must contain? */
    gboolean (*put_coords)(RmilHdf5 *file, const RmilBag *bag);              /* instead of rankmil's /coords */
    gboolean (*put_attributes)(hid_t coords, const RmilBag *bag);            /* of /coords, in addition to rankmil's own */
    gboolean names_extractor;                                                /* it writes the extractor's name itself */
    /* instead of all of the above, for a format of its own; rows as in the bag, in half or float32 */
    gboolean (*write)(const RmilBag *bag, const char *path, gboolean half, GError **error);
} RmilLayout;
extern const RmilLayout rmil_layout_native, rmil_layout_clam;

const RmilLayout *rmil_layout_find(RmilHdf5 *file, GError **error);
const RmilLayout *rmil_layout_by_name(const char *name); /* a layout that can be written, or NULL */

gboolean rmil_layout_native_read(RmilHdf5 *file, RmilBag *bag, RmilBagFlags flags, GError **error);
/* A numeric attribute of a dataset at the root. */
gboolean rmil_layout_attribute(RmilHdf5 *file, const char *dataset, const char *name, double *value);
/* Building blocks of layouts. `bag->precision` says what features are converted to. */
gboolean rmil_layout_features(RmilHdf5 *file, const char *name, RmilBag *bag, RmilBagFlags flags, GError **error);
gboolean rmil_layout_coords(RmilHdf5 *file, const char *name, RmilBag *bag, GError **error);
gboolean rmil_layout_vector(RmilHdf5 *file, const char *name, hid_t type, size_t size, int64_t count, gboolean integer, void **values,
                            GError **error); /* optional: *values stays NULL if it is missing */
gboolean rmil_layout_count(const char *path, const char *name, int64_t count, int64_t dim, GError **error);
/* Fails, naming patch and column of the first of n decoded values that is not finite. */
gboolean rmil_not_finite(const char *path, RmilPrecision precision, const void *values, int64_t first_row, int64_t dim, int64_t n,
                         GError **error);

/* The same for values that could not be stored as float16 (half) or float32. */
gboolean rmil_not_stored(const char *path, RmilPrecision precision, const void *values, gboolean half, int64_t first_row, int64_t dim,
                         int64_t n, GError **error);

/* Can these counts and sizes be written? `path`: for the message. */
gboolean rmil_bag_check(const char *path, int64_t count, int64_t dim, GError **error);
/* source(user, first, n, raw) provides the elements of n rows from `first` on, as stored (float16 or float32). */
typedef gboolean (*RmilRowSource)(gpointer user, int64_t first, int64_t rows, void *raw, GError **error);
gboolean rmil_container_write(const RmilLayout *layout, const RmilBag *meta, const char *path, gboolean half, RmilRowSource source,
                              gpointer user, GError **error);
/* Writes the attributes of /coords that are known. */
gboolean rmil_container_attributes(hid_t coords, const RmilBag *bag);
/* Writes one axis of `count` values; nothing for NULL. The file remembers a failure. */
void rmil_container_vector(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int64_t count, const void *values);
/* Finishes a file begun with rmil_file_begin and rmil_hdf5_create: all or nothing. */
gboolean rmil_container_end(RmilHdf5 *file, char *temporary, const char *path, gboolean good, GError **error);

/* Copies the sizes of patches and slide, and the unit of coordinates. */
void rmil_bag_copy_scale(RmilBag *to, const RmilBag *from);
/* 0: the patches do not lie on a grid; −1: failed. */
double rmil_bag_grid_spacing(const RmilBag *bag, GError **error);

/* PyTorch tensors as bags: layout-torch.c. `bag` is empty except for its precision. */
gboolean rmil_torch_bag_read(const char *path, RmilBag *bag, RmilBagFlags flags, GError **error);

#endif
