/* SPDX-License-Identifier: Apache-2.0 */
/* Feature files as other tools lay them out: a file that is open, and pieces to put into it. */
#ifndef TEST_BAG_LAYOUTS_H
#define TEST_BAG_LAYOUTS_H

#include "tensors/torch-files.h"
#include "make.h"

typedef struct {
    char *folder, *path;
    hid_t file;
    RmilBag *bag; /* what the files are made from */
} Fixture;

#define COUNT 50
#define DIM 24

/* FOLDER/slide_1.h5, empty and open, and a bag of COUNT × DIM. tear_down does not close the file. */
void set_up(Fixture *f, gconstpointer data);
void tear_down(Fixture *f, gconstpointer data);

/* Datasets; the caller closes those that are returned. */
hid_t put(Fixture *f, const char *name, hid_t type, hid_t memory, hsize_t rows, hsize_t columns, hsize_t chunk, unsigned gzip,
          const void *values);
void put_features(Fixture *f, const char *name, hsize_t chunk, unsigned gzip);
hid_t put_coords(Fixture *f);
/* Coordinates with TRIDENT's attributes. */
void put_trident(Fixture *f);
/* One patch as a dataset of its own, COLUMN_ROW. */
void put_patch(hid_t file, int column, int row, hid_t type, const float *feature, int dim, unsigned gzip);
/* /features of one chunk that holds `bytes` as they are, through filter `id`. */
void put_filtered(Fixture *f, int id, const void *bytes, size_t size);
/* LZF: literals, and copies of what repeats with a period of `period` bytes. */
GByteArray *make_lzf(const guint8 *bytes, size_t size, size_t period);

#endif
