/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 files as other tools write them, for tests. */
#ifndef TEST_BAG_MAKE_H
#define TEST_BAG_MAKE_H

#include "rankmil/bag.h"
#include "support.h"

#include <hdf5.h>

/* A bag of K × D features that float16 holds exactly, on a grid of coordinates, with all attributes. */
RmilBag *make_bag(int64_t count, int64_t dim, RmilPrecision precision);
/* FOLDER/f0.h5 … f11.h5 of 4 × 3, all of different content; the first `labelled` with an annotated patch. */
void make_bag_files(const char *folder, int labelled);
/* Asserts the same values in every array, bit for bit. */
void compare_bags(const RmilBag *a, const RmilBag *b);

/* A dataset with these dimensions; chunk: rows per chunk of whole rows, 0 contiguous; gzip: 0 … 9. Returns its id. */
hid_t make_dataset(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims, hsize_t chunk, unsigned gzip,
                   const void *values);
void make_number(hid_t object, const char *name, double value);
void make_text(hid_t object, const char *name, const char *text);
hid_t make_half_type(void);

#endif
