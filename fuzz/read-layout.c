/* SPDX-License-Identifier: Apache-2.0 */
/* Feature files whose structure is drawn from the bytes: names, types, shapes, chunks, links and attributes of every layout in any
 * combination. Each is a sound HDF5 file; the test is how the readers of the layouts handle it. */
#include "fuzz.h"

#include "rankmil/bag.h"

#include <hdf5.h>
#include <string.h>

typedef struct {
    const guint8 *at, *end;
} Draw;

static int draw(Draw *from, int below) { return from->at < from->end ? *from->at++ % below : 0; }

static const char *const datasets[] = {"features", "feats", "coords", "tissue", "patch_labels", "overlap", "0_0", "0_1", "1_0", "x", "f/g"};
static const char *const attributes[] = {"patch_size",
                                         "patch_size_level0",
                                         "level0_magnification",
                                         "target_magnification",
                                         "overlap",
                                         "level0_width",
                                         "level0_height",
                                         "patch_level",
                                         "downsample",
                                         "tile_size_um",
                                         "tile_size_px",
                                         "tile_size",
                                         "unit",
                                         "feat_type",
                                         "extractor",
                                         "stamp_version",
                                         "x_min",
                                         "y_min",
                                         "x_max",
                                         "y_max",
                                         "source",
                                         "target_mpp",
                                         "slide_width",
                                         "slide_height",
                                         "left_out",
                                         "mpp",
                                         "name"};
static const char *const texts[] = {"um", "tile", "slide", "", "224", "nan", "-1", "1e300", "{}", "{\"pen\": 12}", "rankmil", "é\n\033[0m"};
static const double numbers[] = {0, 1, 224, 448, 0.5, 256, -1, 1e-30, 1e30, G_MAXDOUBLE};

static void close_id(hid_t id) {
    if (id >= 0 && H5Iget_type(id) != H5I_BADID) H5Idec_ref(id);
}

static void add_attribute(Draw *from, hid_t object) {
    const char *name = attributes[draw(from, G_N_ELEMENTS(attributes))];
    const int kind = draw(from, 5);
    const hsize_t two[] = {2};
    const hid_t space = kind == 2 ? H5Screate_simple(1, two, NULL) : kind == 3 ? H5Screate(H5S_NULL) : H5Screate(H5S_SCALAR);
    if (kind == 0 || kind == 4) { /* text, of variable or fixed length */
        const char *text = texts[draw(from, G_N_ELEMENTS(texts))];
        const hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, kind == 0 ? H5T_VARIABLE : strlen(text) + 1);
        const hid_t id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        if (id >= 0) H5Awrite(id, type, kind == 0 ? (const void *)&text : text);
        close_id(id);
        H5Tclose(type);
    } else {
        double values[2];
        values[0] = numbers[draw(from, G_N_ELEMENTS(numbers))];
        values[1] = numbers[draw(from, G_N_ELEMENTS(numbers))];
        const hid_t id = H5Acreate2(object, name, draw(from, 2) ? H5T_IEEE_F64LE : H5T_STD_I32BE, space, H5P_DEFAULT, H5P_DEFAULT);
        if (id >= 0 && kind != 3) H5Awrite(id, H5T_NATIVE_DOUBLE, values);
        close_id(id);
    }
    H5Sclose(space);
}

static hid_t draw_type(Draw *from) {
    static hid_t half;
    if (!half) {
        half = H5Tcopy(H5T_IEEE_F32LE);
        H5Tset_fields(half, 15, 10, 5, 0, 10);
        H5Tset_size(half, 2);
        H5Tset_ebias(half, 15);
    }
    const hid_t types[] = {H5T_IEEE_F32LE, half, H5T_STD_I64LE, H5T_STD_I32LE, H5T_IEEE_F64BE, H5T_STD_U8LE, H5T_STD_U64BE, H5T_C_S1};
    return types[draw(from, G_N_ELEMENTS(types))];
}

static void add_dataset(Draw *from, hid_t file) {
    static const hsize_t sides[] = {3, 1, 2, 4, 0, 7};
    hsize_t dims[4], most[4], chunk[4];
    const char *name = datasets[draw(from, G_N_ELEMENTS(datasets))];
    const hid_t type = draw_type(from);
    const int rank = (draw(from, 5) + 2) % 5;
    hsize_t count = 1;
    for (int d = 0; d < rank; d++) {
        dims[d] = sides[draw(from, G_N_ELEMENTS(sides))];
        most[d] = H5S_UNLIMITED, chunk[d] = MAX(dims[d], 1), count *= dims[d];
    }
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const int chunked = rank > 0 ? draw(from, 3) : 0;
    if (chunked) H5Pset_chunk(creation, rank, chunk);
    if (chunked == 2) H5Pset_deflate(creation, 1);
    const hid_t space = rank > 0 ? H5Screate_simple(rank, dims, chunked ? most : NULL) : H5Screate(H5S_SCALAR);
    const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    double values[7 * 7 * 7 * 7];
    const double step = numbers[draw(from, G_N_ELEMENTS(numbers))];
    for (hsize_t i = 0; i < count; i++) values[i] = (double)i * step;
    if (id >= 0 && type != H5T_C_S1 && draw(from, 8) < 7) H5Dwrite(id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    for (int n = id >= 0 ? draw(from, 6) : 0; n > 0; n--) add_attribute(from, id);
    close_id(id);
    H5Sclose(space);
    H5Pclose(creation);
}

static void add_other(Draw *from, hid_t file) {
    const char *name = datasets[draw(from, G_N_ELEMENTS(datasets))], *other = datasets[draw(from, G_N_ELEMENTS(datasets))];
    switch (draw(from, 4)) {
    case 0: close_id(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); break;
    case 1: H5Lcreate_soft(other, file, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 2: H5Lcreate_hard(file, other, file, name, H5P_DEFAULT, H5P_DEFAULT); break;
    default: H5Lcreate_external("/etc/passwd", "features", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
}

void fuzz_layout(const FuzzInput *input) {
    static int number; /* a different name for each: HDF5 remembers files */
    Draw from = {(const guint8 *)input->data, (const guint8 *)input->data + input->size};
    g_autofree char *path = g_strdup_printf("%s/made-%d.h5", input->folder, number++ % 64);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (file < 0) abort();
    for (int n = 0; n < 8 && from.at < from.end; n++) {
        const int kind = draw(&from, 8);
        if (kind == 0) add_other(&from, file);
        else if (kind == 1) add_attribute(&from, file);
        else add_dataset(&from, file);
    }
    H5Fclose(file);
    const FuzzInput made = {.path = path, .folder = input->folder, .data = input->data, .size = input->size};
    fuzz_bag(&made);
    fuzz_labels(&made);
}
