/* Reading and writing bags against a plain read and write of the same bytes, in the same run, the files in the page cache. */
#include "rankmil/bag.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT 10000
#define DIM 1024
#define ROUNDS 15

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return values[n / 2];
}

static double seconds(void) { return (double)g_get_monotonic_time() * 1e-6; }

/* From the page cache nothing waits for a disk: processor time is what reading costs, whatever else the machine does. */
static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The whole file into memory: fresh from the system, as a reader that keeps what it reads must take it, or a buffer of
 * 256 KiB used over and over, which is all that copying costs. */
static double read_plain(const char *path, gboolean fresh) {
    double start = processor_seconds();
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
    return processor_seconds() - start;
}

static double read_bag(const char *path, RmilPrecision precision) {
    g_autoptr(GError) error = NULL;
    double start = processor_seconds();
    RmilBag *bag = rmil_bag_read(path, NULL, precision, RMIL_BAG_ALL, &error);
    if (!bag) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
    rmil_bag_free(bag);
    return processor_seconds() - start;
}

static void bench_read(const char *path, const char *what) {
    double plain[ROUNDS], copy[ROUNDS], single[ROUNDS], brain[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        plain[i] = read_plain(path, TRUE);
        copy[i] = read_plain(path, FALSE);
        single[i] = read_bag(path, RMIL_FLOAT32);
        brain[i] = read_bag(path, RMIL_BFLOAT16);
    }
    const double medians[] = {median(plain, ROUNDS), median(copy, ROUNDS), median(single, ROUNDS), median(brain, ROUNDS)};
    printf("%s: plain read into fresh memory %.2f ms, over one buffer %.2f ms\n", what, medians[0] * 1e3, medians[1] * 1e3);
    for (int i = 2; i < 4; i++)
        printf("    bag as %-8s %6.2f ms: %.2f × and %.2f ×\n", i == 2 ? "float32" : "bfloat16", medians[i] * 1e3,
               medians[i] / medians[0], medians[i] / medians[1]);
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
    double base = median(plain, 5), mine = median(ours, 5);
    printf("write %-28s plain, synced %6.1f ms; bag, synced %6.1f ms (%.2f ×)\n", half ? "float16" : "float32", base * 1e3, mine * 1e3,
           mine / base);
}

int main(void) {
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("rankmil-bench-XXXXXX", &error);
    if (!folder) return 1;
    g_autofree char *path = g_build_filename(folder, "bag.h5", NULL);
    RmilBag bag = {.count = COUNT, .dim = DIM, .precision = RMIL_FLOAT32, .patch_size = 224};
    float *features = g_new(float, (gsize)COUNT * DIM);
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
    g_rmdir(folder);
    g_free(features);
    g_free(bag.coords);
    return 0;
}
