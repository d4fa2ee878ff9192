/* SPDX-License-Identifier: Apache-2.0 */
/* Training with less memory than the features need, against training with all of them in memory. */
#include "bench-mil.h"

#include "base/base-private.h"
#include "rankmil/cohort.h"

#include <glib/gstdio.h>
#include <stdio.h>

enum { PATCHES = 10000, DIM = 1024 };

static gboolean write_bag(const char *folder, int64_t index, GError **error) {
    g_autofree char *name = g_strdup_printf("bag%03d.h5", (int)index), *path = g_build_filename(folder, name, NULL);
    RmilBag bag = {.id = name, .count = PATCHES, .dim = DIM, .patch_size_level0 = 448};
    g_autofree float *x = g_new(float, ((gsize)PATCHES * DIM));
    g_autofree int64_t *coords = g_new(int64_t, 2 * PATCHES);
    g_autofree uint8_t *labels = g_new(uint8_t, PATCHES);
    RmilRng rng;
    rmil_rng_init(&rng, 1, (uint64_t)index);
    for (int64_t i = 0; i < (int64_t)PATCHES * DIM; i += 4) { /* as after a ReLU: half zeros; steps of 1/512 */
        uint64_t bits = rmil_rng_next(&rng);
        for (int64_t j = i; j < i + 4; j++, bits >>= 16) x[j] = (float)MAX((int)(bits & 511) - 256, 0) / 512.0f;
    }
    for (int64_t i = 0; i < PATCHES; i++) {
        coords[2 * i] = 448 * (i % 96);
        coords[2 * i + 1] = 448 * (i / 96);
        labels[i] = i < PATCHES / 10;
    }
    bag.features = x;
    bag.coords = coords;
    bag.patch_labels = labels;
    return rmil_bag_write(&bag, path, TRUE, error);
}

static RmilCohort *make_cohort(const char *folder, int64_t count, GError **error) {
    g_autofree char *path = g_build_filename(folder, "cohort.csv", NULL);
    g_autoptr(GString) text = g_string_new("id,features,label\n");
    for (int64_t i = 0; i < count; i++) {
        g_string_append_printf(text, "bag%03d,bag%03d.h5,%d\n", (int)i, (int)i, (int)(i % 2));
        if (!write_bag(folder, i, error)) return NULL;
    }
    return rmil_file_write(path, text->str, text->len, error) ? rmil_cohort_read(path, error) : NULL;
}

static void mark(gpointer user, const char *what, int64_t done, int64_t total) {
    gint64 *marks = user; /* of the start and of two epochs */
    marks[done] = g_get_monotonic_time();
}

/* Measures the seconds of the second of two epochs. */
static gboolean time_epoch(const RmilCohort *cohort, int64_t memory, const char *cache, int threads, double *seconds, GError **error) {
    RmilBagSetOptions options;
    rmil_bag_set_options_init(&options);
    options.memory = memory;
    options.cache = cache;
    options.threads = threads;
    g_autoptr(RmilBagSet) set = rmil_bag_set_load(cohort, &options, NULL, error);
    if (!set) return FALSE;
    g_autofree RmilTarget *targets = g_new(RmilTarget, cohort->count);
    g_autofree int64_t *all = g_new(int64_t, cohort->count);
    for (int64_t i = 0; i < cohort->count; i++) {
        if (!set->bags[i]) return rmil_fail(error, RMIL_ERROR_DATA, "%s", set->errors[i]);
        targets[i] = cohort->rows[i].target;
        all[i] = i;
    }
    RmilModelConfig config;
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = protocol.warmup = 2;
    protocol.balanced = FALSE;
    protocol.threads = threads;
    gint64 marks[3] = {0};
    const RmilMonitor monitor = {.progress = mark, .user = marks};
    if (!rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, error)) return FALSE;
    g_autoptr(RmilModel) model = rmil_train(&config, &protocol, (const RmilBag *const *)set->bags, targets, all, cohort->count, NULL, 0,
                                            NULL, NULL, &monitor, error);
    *seconds = (double)(marks[2] - marks[1]) * 1e-6;
    printf("  %.2f GiB in memory, %.2f GiB in mapped files: %.1f s per epoch of %d bags\n", (double)set->memory_bytes / 0x1p30,
           (double)set->mapped_bytes / 0x1p30, *seconds, (int)cohort->count);
    fflush(stdout);
    return model != NULL;
}

static void remove_folder(const char *folder) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) remove_folder(path);
        else g_remove(path);
    }
    g_rmdir(folder);
}

gboolean bench_memory(const char *folder, int64_t count, int threads, GError **error) {
    const int64_t need = count * PATCHES * DIM * (int64_t)sizeof(float);
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);
    if (g_mkdir(folder, 0777) != 0 || g_mkdir(cache, 0777) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be made: the folder must be new", folder);
    printf("memory: %d bags of %d × %d in float32, %d threads\n", (int)count, PATCHES, DIM, threads);
    g_autoptr(RmilCohort) cohort = make_cohort(folder, count, error);
    double mapped, whole;
    gboolean done = cohort && time_epoch(cohort, need / 4, cache, threads, &mapped, error) &&
                    time_epoch(cohort, 0, NULL, threads, &whole, error);
    if (done) printf("  with a quarter in memory %.0f %% of the speed with all of it\n", 100 * whole / mapped);
    remove_folder(folder);
    return done;
}
