/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing bags against a plain read and write of the same bytes, in the same run, the files in the page cache, so that nothing
 * waits for a disk: processor time is what reading costs. */
#include "bench.h"
#include "rankmil/bag.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT 10000
#define DIM 1024
#define ROUNDS 15

static double seconds(void) { return (double)g_get_monotonic_time() * 1e-6; }

/* Reads the whole file into memory: fresh memory from the system, which a reader that keeps the data needs, or a buffer of
 * 256 KiB used over and over, which gives the cost of copying alone. */
static double read_plain(const char *path, gboolean fresh) {
    double start = bench_cpu_seconds();
    struct stat info;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &info) != 0) exit(1);
    size_t size = fresh ? (size_t)info.st_size : 256 << 10;
    char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) exit(1);
    for (off_t done = 0; done < info.st_size;) {
        ssize_t n = read(file, fresh ? data + done : data, fresh ? (size_t)(info.st_size - done) : size);
        if (n <= 0) exit(1);
        done += n;
    }
    close(file);
    munmap(data, size);
    return bench_cpu_seconds() - start;
}

static double read_bag(const char *path, RmilPrecision precision) {
    g_autoptr(GError) error = NULL;
    double start = bench_cpu_seconds();
    RmilBag *bag = rmil_bag_read(path, NULL, precision, RMIL_BAG_ALL, &error);
    if (!bag) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    rmil_bag_free(bag);
    return bench_cpu_seconds() - start;
}

static void bench_read(const char *path, const char *what) {
    double plain[ROUNDS], copy[ROUNDS], single[ROUNDS], brain[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        plain[i] = read_plain(path, TRUE);
        copy[i] = read_plain(path, FALSE);
        single[i] = read_bag(path, RMIL_FLOAT32);
        brain[i] = read_bag(path, RMIL_BFLOAT16);
    }
    const double medians[] = {bench_median(plain, ROUNDS), bench_median(copy, ROUNDS), bench_median(single, ROUNDS),
                              bench_median(brain, ROUNDS)};
    printf("%s: plain read into fresh memory %.2f ms, over one buffer %.2f ms\n", what, medians[0] * 1e3, medians[1] * 1e3);
    for (int i = 2; i < 4; i++)
        printf("    bag as %-8s %6.2f ms: %.2f × and %.2f ×\n", i == 2 ? "float32" : "bfloat16", medians[i] * 1e3, medians[i] / medians[0],
               medians[i] / medians[1]);
}

static void bench_write(const RmilBag *bag, const char *path, gboolean half) {
    double plain[5], ours[5];
    size_t size = (size_t)COUNT * DIM * (half ? 2 : 4);
    g_autofree char *data = g_malloc0(size), *other = g_strconcat(path, ".plain", NULL);
    for (int i = 0; i < 5; i++) {
        double start = seconds();
        if (!rmil_file_write(other, data, size, NULL)) exit(1);
        plain[i] = seconds() - start;
        start = seconds();
        if (!rmil_bag_write(bag, path, half, NULL)) exit(1);
        ours[i] = seconds() - start;
    }
    g_unlink(other);
    double base = bench_median(plain, 5), mine = bench_median(ours, 5);
    printf("write %-28s plain, synced %6.1f ms; bag, synced %6.1f ms (%.2f ×)\n", half ? "float16" : "float32", base * 1e3, mine * 1e3,
           mine / base);
}

/* -- other tools' layouts: chunks of one row, one dataset per patch ------------------------------------------------------------- */
static hid_t put_rows(hid_t file, const char *name, hid_t type, hsize_t rows, hsize_t columns, hsize_t chunk, unsigned gzip,
                      const void *values) {
    const hsize_t dims[2] = {rows, columns}, chunks[2] = {chunk, columns};
    int rank = rows == 1 ? 1 : 2; /* a patch's dataset is a vector */
    hid_t space = H5Screate_simple(rank, rank == 1 ? dims + 1 : dims, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, rank, rank == 1 ? chunks + 1 : chunks);
    if (gzip) H5Pset_deflate(creation, gzip);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (data < 0 || H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) exit(1);
    H5Pclose(creation);
    H5Sclose(space);
    return data;
}

static void put_number(hid_t object, const char *name, int64_t value) {
    hid_t space = H5Screate(H5S_SCALAR), id = H5Acreate2(object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Awrite(id, H5T_NATIVE_INT64, &value) < 0) exit(1);
    H5Aclose(id);
    H5Sclose(space);
}

static void make_trident(const char *path, const float *features, int64_t count) {
    g_autofree int64_t *coords = g_new(int64_t, 2 * count);
    for (int64_t i = 0; i < count; i++) {
        coords[2 * i] = i % 150 * 448;
        coords[2 * i + 1] = i / 150 * 448;
    }
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(put_rows(file, "features", H5T_IEEE_F32LE, (hsize_t)count, DIM, 1, 0, features));
    hid_t data = put_rows(file, "coords", H5T_STD_I64LE, (hsize_t)count, 2, 1, 0, coords);
    put_number(data, "patch_size", 224);
    put_number(data, "patch_size_level0", 448);
    put_number(data, "target_magnification", 20);
    H5Dclose(data);
    H5Fclose(file);
}

static void make_patches(const char *path, const float *features, int64_t count) {
    static const char *const edges[] = {"x_min", "y_min", "x_max", "y_max"};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int64_t i = 0; i < count; i++) {
        int64_t column = i % 150, row = i / 150;
        g_autofree char *name = g_strdup_printf("%" G_GINT64_FORMAT "_%" G_GINT64_FORMAT, column, row);
        hid_t data = put_rows(file, name, H5T_IEEE_F32LE, 1, DIM, 1, 4, features + i * DIM);
        for (int k = 0; k < 4; k++) put_number(data, edges[k], (k % 2 ? row : column) * 448 + (k > 1 ? 448 : 0));
        H5Dclose(data);
    }
    H5Fclose(file);
}

static void bench_layout(const char *what, const char *path) {
    double wall[3], processor[3];
    for (int i = 0; i < 3; i++) {
        double start = seconds();
        processor[i] = read_bag(path, RMIL_FLOAT32);
        wall[i] = seconds() - start;
    }
    printf("%s: %.2f s, %.2f s of one processor\n", what, bench_median(wall, 3), bench_median(processor, 3));
    g_unlink(path);
}

int main(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("rankmil-bench-XXXXXX", &error);
    if (!folder) return 1;
    g_autofree char *path = g_build_filename(folder, "bag.h5", NULL);
    RmilBag bag = {.count = COUNT, .dim = DIM, .precision = RMIL_FLOAT32, .patch_size = 224};
    float *features = g_new(float, ((gsize)COUNT * DIM));
    bag.features = features;
    bag.coords = g_new0(int64_t, 2 * COUNT);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 1);
    for (gsize i = 0; i < (gsize)COUNT * DIM; i++) features[i] = (float)rmil_rng_uniform(&rng);
    printf("bag: %d patches × %d, medians of %d, %d processors\n", COUNT, DIM, ROUNDS, rmil_threads(0));
    for (int half = TRUE; half >= FALSE; half--) {
        bench_write(&bag, path, half);
        bench_read(path, half ? "read float16" : "read float32");
    }
    g_unlink(path);
    float *many = g_new(float, (gsize)2 * COUNT * DIM); /* noise hardly compresses: the hard case for gzip */
    for (gsize i = 0; i < (gsize)2 * COUNT * DIM; i++) many[i] = features[i % ((gsize)COUNT * DIM)];
    make_trident(path, many, 2 * COUNT);
    bench_layout("read TRIDENT, 20,000 × 1024, chunks of one row", path);
    make_patches(path, features, COUNT);
    bench_layout("read the paper's, 10,000 datasets of 1024, gzip", path);
    g_free(many);
    g_rmdir(folder);
    g_free(features);
    g_free(bag.coords);
    return 0;
}
