/* SPDX-License-Identifier: Apache-2.0 */
/* The table of readers, and how one gets its bytes. */
#include "fuzz.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

const FuzzReader fuzz_readers[] = {
    {"cohort", "cohort.csv", fuzz_cohort, NULL},
    {"splits", "splits.csv", fuzz_splits, fuzz_splits_begin},
    {"predictions", "predictions.csv", fuzz_predictions, NULL},
    {"plan", "plan.yaml", fuzz_plan, NULL},
    {"run", "run.json", fuzz_run, fuzz_run_begin},
    {"record", "study.sqlite", fuzz_record, NULL},
    {"preprocessing", "preprocessing.json", fuzz_preprocessing, NULL},
    {"texts", "text", fuzz_texts, NULL},
    {"geojson", "a.geojson", fuzz_annotation, NULL},
    {"asap", "a.xml", fuzz_annotation, NULL},
    {"mask", "a.png", fuzz_annotation, NULL},
    {"brush", "request", fuzz_brush, NULL},
    {"hdf5", "slide.h5", fuzz_bag, NULL},
    {"layout", "bytes", fuzz_layout, NULL},
    {"labels", "labels.h5", fuzz_labels, NULL},
    {"npy", "labels.npy", fuzz_labels, NULL},
    {"partial", "slide.h5.partial", fuzz_partial, NULL},
    {"torch-bag", "slide.pt", fuzz_bag, NULL},
    {"torch", "weights.pt", fuzz_torch, NULL},
    {"pickle", "data.pkl", fuzz_pickle, NULL},
    {"safetensors", "weights.safetensors", fuzz_safetensors, NULL},
    {"model", "model.safetensors", fuzz_model, NULL},
    {"checkpoint", "checkpoint.safetensors", fuzz_checkpoint, NULL},
    {"onnx", "model.onnx", fuzz_onnx, NULL},
    {"slide", "slide.tif", fuzz_slide, NULL},
    {"jpeg", "tile.jpg", fuzz_jpeg, NULL},
    {"ome", "ome.xml", fuzz_ome, NULL},
    {"digits", "t10k-images-idx3-ubyte", fuzz_digits, fuzz_digits_begin},
    {NULL, NULL, NULL, NULL},
};

const FuzzReader *fuzz_find(const char *name) {
    for (const FuzzReader *reader = fuzz_readers; reader->name; reader++)
        if (g_strcmp0(reader->name, name) == 0) return reader;
    return NULL;
}

static void put(const char *path, const void *data, gsize size) {
    FILE *file = g_fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

void fuzz_beside(const FuzzInput *input, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(input->folder, name, NULL);
    put(path, text, strlen(text));
}

/* Holds one folder per reader; belongs to this process, and is removed at the end. */
static char *home;

static void forget(void) {
    const char *const arguments[] = {"rm", "-rf", home, NULL};
    g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
    g_free(home);
}

void fuzz_feed(const FuzzReader *reader, const void *data, gsize size) {
    if (!home) {
        g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL); /* warnings of vips are not findings */
        const gboolean memory = !g_getenv("TMPDIR") && g_file_test("/dev/shm", G_FILE_TEST_IS_DIR);
        home = g_build_filename(memory ? "/dev/shm" : g_get_tmp_dir(), "rankmil-fuzz-XXXXXX", NULL);
        if (!g_mkdtemp(home)) abort();
        atexit(forget);
    }
    g_autofree char *folder = g_build_filename(home, reader->name, NULL), *path = g_build_filename(folder, reader->file, NULL);
    g_autofree char *copy = g_memdup2(data, size);
    const FuzzInput input = {path, folder, copy ? copy : "", size};
    if (g_mkdir(folder, 0700) == 0 && reader->begin) reader->begin(&input);
    put(path, input.data, size);
    reader->read(&input);
    g_unlink(path);
}
