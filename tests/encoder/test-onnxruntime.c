/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder onnx: the models of onnx-model.py by ONNX Runtime, where it is found ($RMIL_ONNXRUNTIME or as users have it); what is said
 * of files, options and libraries that do not do. */
#include "encoder/ort-library.h"
#include "rankmil/encoder.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum { SIDE = 16, WIDE = 24, CHANNELS = 4, TILES = 5 };

static char *model_path(const char *name) {
    g_autofree char *file = g_strconcat(name, ".onnx", NULL);
    return g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "encoder", "onnx", file, NULL);
}

/* Is there a library? Otherwise the running test is skipped. */
static gboolean runtime(void) {
    g_autoptr(RmilOrtLibrary) library = rmil_ort_library_new(NULL);
    if (!library) g_test_skip("there is no ONNX Runtime here, nor does RMIL_ONNXRUNTIME name one");
    return library != NULL;
}

static RmilEncoder *open_model(const char *name, RmilEncoderOptions options) {
    g_autofree char *path = model_path(name);
    GError *error = NULL;
    options.weights = path;
    if (!options.workers) options.workers = 1;
    if (!options.input_px) options.input_px = SIDE;
    RmilEncoder *encoder = rmil_encoder_new("onnx", &options, &error);
    g_assert_no_error(error);
    return encoder;
}

/* It does not open, and all parts of the message are there. */
static void refused(const char *path, RmilEncoderOptions options, RmilErrorCode code, const char *const *parts) {
    GError *error = NULL;
    options.weights = path;
    options.workers = 1;
    if (!options.input_px) options.input_px = SIDE;
    g_assert_null(rmil_encoder_new("onnx", &options, &error));
    for (int i = 1; parts[0] && parts[i]; i++)
        if (!strstr(error->message, parts[i])) g_error("\"%s\" does not say \"%s\"", error->message, parts[i]);
    test_error(&error, code, parts[0]);
}
#define REFUSED(path, options, code, ...) refused(path, (RmilEncoderOptions)options, code, (const char *const[]){__VA_ARGS__, NULL})
#define NOTHING                                                                                                                            \
    { .workers = 1 }

static uint8_t *make_tiles(int side, int count) {
    RmilRng rng;
    rmil_rng_init(&rng, 7, 0);
    const gsize bytes = (gsize)side * (gsize)side * 3 * (gsize)count;
    uint8_t *rgb = g_malloc(bytes);
    for (gsize i = 0; i < bytes; i++) rgb[i] = (uint8_t)rmil_rng_below(&rng, 256);
    return rgb;
}

/* What onnx-model.py says that they compute, in double. */
static void expect(const uint8_t *rgb, int side, const double *mean, const double *sd, double *out) {
    for (int o = 0; o < CHANNELS; o++) {
        double sum = 0;
        for (int y = 0; y < side; y += 2)
            for (int x = 0; x < side; x += 2) {
                double at = o / 8.0;
                for (int k = 0; k < 27; k++) {
                    const int c = k / 9, row = y + k % 9 / 3 - 1, column = x + k % 3 - 1;
                    if (row < 0 || row >= side || column < 0 || column >= side) continue;
                    const double weight = ((o * 27 + k) * 7 % 23 - 11) / 16.0;
                    at += weight * (rgb[(row * side + column) * 3 + c] / 255.0 - mean[c]) / sd[c];
                }
                sum += MAX(at, 0);
            }
        out[o] = sum / (side / 2 * (side / 2));
    }
}

static const double imagenet_mean[] = {0.485, 0.456, 0.406}, imagenet_sd[] = {0.229, 0.224, 0.225};

static void check_vectors(RmilEncoder *encoder, int side, const double *mean, const double *sd, double within) {
    g_autofree uint8_t *rgb = make_tiles(side, TILES);
    float features[TILES * CHANNELS];
    GError *error = NULL;
    g_assert_cmpint(rmil_encoder_dim(encoder), ==, CHANNELS);
    g_assert_cmpint(rmil_encoder_tile_px(encoder), ==, side);
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, TILES, features, &error));
    g_assert_no_error(error);
    for (int i = 0; i < TILES; i++) {
        double expected[CHANNELS];
        expect(rgb + i * side * side * 3, side, mean, sd, expected);
        for (int c = 0; c < CHANNELS; c++)
            g_assert_cmpfloat(fabs(features[i * CHANNELS + c] - expected[c]), <=, within * (1 + expected[c]));
    }
}

/* -- numbers ------------------------------------------------------------------------------------------------------------------------ */

static void test_vectors(void) {
    if (!runtime()) return;
    static const char *const names[] = {"free", "one", "several", "outside"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(RmilEncoder) encoder = open_model(names[i], (RmilEncoderOptions)NOTHING);
        check_vectors(encoder, SIDE, imagenet_mean, imagenet_sd, 1e-6);
        g_assert_nonnull(strstr(rmil_encoder_note(encoder), "ImageNet's"));
    }
    static const double mean[] = {0.7, 0.5, 0.65}, sd[] = {0.25, 0.5, 1};
    g_autoptr(RmilEncoder) own = open_model("free", (RmilEncoderOptions){.mean = "0.7,0.5,0.65", .sd = "0.25,0.5,1", .input_px = WIDE});
    check_vectors(own, WIDE, mean, sd, 1e-6);
    g_assert_null(rmil_encoder_note(own));
    g_autoptr(RmilEncoder) half = open_model("half", (RmilEncoderOptions)NOTHING);
    check_vectors(half, SIDE, imagenet_mean, imagenet_sd, 4e-3);
}

static void test_outputs(void) {
    if (!runtime()) return;
    g_autoptr(RmilEncoder) map = open_model("several", (RmilEncoderOptions){.output = "map"});
    check_vectors(map, SIDE, imagenet_mean, imagenet_sd, 1e-6);
    g_autoptr(RmilEncoder) maps = open_model("maps", (RmilEncoderOptions)NOTHING); /* the mean is taken here, and that is said */
    check_vectors(maps, SIDE, imagenet_mean, imagenet_sd, 1e-6);
    g_assert_nonnull(strstr(rmil_encoder_note(maps), "the output relu is a map of 64 places"));
    g_autofree char *several = model_path("several"), *tokens = model_path("tokens");
    REFUSED(several, {.output = "nothing"}, RMIL_ERROR_ARGUMENT, "several.onnx: has no output nothing", "tokens float32 any × any × 4",
            "features float32 any × 4");
    REFUSED(several, {.output = "tokens"}, RMIL_ERROR_FORMAT, "tokens float32 1 × 64 × 4", "--onnx-output", "pooling");
    REFUSED(tokens, NOTHING, RMIL_ERROR_FORMAT, "tokens.onnx: of 1 image its output is tokens float32 1 × 64 × 4", "pooling");
}

typedef struct {
    RmilEncoder *encoder;
    const uint8_t *rgb;
    float *features;
} Job;

static gboolean encode_one(int64_t i, int worker, gpointer user, GError **error) {
    const Job *job = user;
    return rmil_encoder_run(job->encoder, worker, job->rgb + i * SIDE * SIDE * 3, 1, job->features + i * CHANNELS, error);
}

/* The same bits in any batch, on any number of threads. */
static void test_threads(void) {
    if (!runtime()) return;
    enum { MANY = 40 };
    g_autofree uint8_t *rgb = make_tiles(SIDE, MANY);
    g_autoptr(RmilEncoder) one = open_model("free", (RmilEncoderOptions)NOTHING);
    float expected[MANY * CHANNELS];
    GError *error = NULL;
    g_assert_true(rmil_encoder_run(one, 0, rgb, MANY, expected, &error));
    for (int workers = 1; workers <= 3; workers++) {
        g_autoptr(RmilEncoder) encoder = open_model("free", (RmilEncoderOptions){.workers = workers});
        float features[MANY * CHANNELS];
        Job job = {encoder, rgb, features};
        g_assert_true(rmil_parallel(MANY, workers, encode_one, &job, &error));
        g_assert_no_error(error);
        g_assert_true(memcmp(features, expected, sizeof features) == 0);
    }
}

/* A text that changes with whatever changes the features. */
static void test_identity(void) {
    if (!runtime()) return;
    const struct {
        const char *model;
        RmilEncoderOptions options;
    } cases[] = {{"several", NOTHING},
                 {"free", NOTHING},
                 {"several", {.mean = "0.5,0.5,0.5"}},
                 {"several", {.sd = "0.5,0.5,0.5"}},
                 {"several", {.input_px = WIDE}},
                 {"several", {.output = "map"}}};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RmilEncoder) encoder = open_model(cases[i].model, cases[i].options);
        g_assert_true(g_hash_table_add(seen, g_strdup(rmil_encoder_identity(encoder))));
    }
    g_autofree char *path = model_path("several"), *digest = rmil_file_sha256(path, NULL);
    g_autofree char *expected = g_strdup_printf(
        "onnx 1 sha256:%s; mean 0.485,0.456,0.406 sd 0.229,0.224,0.225; 16 px; output features; cpu", digest);
    g_assert_true(g_hash_table_contains(seen, expected));
}

/* Tensors in a file beside the model are part of it. */
static void test_outside(void) {
    if (!runtime()) return;
    g_autofree char *folder = test_folder(), *source = g_build_filename(g_getenv("RMIL_SOURCE"), "tests/encoder/onnx", NULL),
                    *to = g_build_filename(folder, "outside.onnx", NULL), *beside = g_build_filename(folder, "outside.bin", NULL);
    gsize size, more;
    g_autofree char *model = test_bytes(source, "outside.onnx", &size), *bytes = test_bytes(source, "outside.bin", &more);
    GError *error = NULL;
    g_assert_true(g_file_set_contents(to, model, (gssize)size, NULL) && g_file_set_contents(beside, bytes, (gssize)more, NULL));
    RmilEncoderOptions options = {.weights = to, .workers = 1, .input_px = SIDE};
    g_autoptr(RmilEncoder) before = rmil_encoder_new("onnx", &options, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(rmil_encoder_identity(before), " outside.bin sha256:"));
    bytes[3] ^= 1;
    g_assert_true(g_file_set_contents(beside, bytes, (gssize)more, NULL));
    g_autoptr(RmilEncoder) after = rmil_encoder_new("onnx", &options, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(rmil_encoder_identity(before), !=, rmil_encoder_identity(after));
    g_assert_cmpint(g_unlink(beside), ==, 0);
    REFUSED(to, NOTHING, RMIL_ERROR_IO, "outside.onnx: has tensors in the file ", "outside.bin, which is not there");
    char *at = memmem(model, size, "outside.bin", 11);
    g_assert_nonnull(at);
    memcpy(at, "../side.bin", 11);
    g_assert_true(g_file_set_contents(to, model, (gssize)size, NULL));
    REFUSED(to, NOTHING, RMIL_ERROR_FORMAT, "outside.onnx: has tensors in the file ../side.bin, which is not beside it");
}

/* -- what does not do -------------------------------------------------------------------------------------------------------------- */

static void test_inputs(void) {
    if (!runtime()) return;
    const struct {
        const char *model;
        RmilErrorCode code;
        const char *parts[4];
    } cases[] = {
        {"four", RMIL_ERROR_FORMAT, {"four.onnx: its input is pixels float32 4 × 3 × 16 × 16", "instead of 4"}},
        {"last", RMIL_ERROR_FORMAT, {"last.onnx: its input is pixels float32 any × 16 × 16 × 3", "come last"}},
        {"two", RMIL_ERROR_FORMAT, {"two.onnx: has 2 inputs (pixels float32 any × 3 × any × any, more float32"}},
        {"bytes",
         RMIL_ERROR_FORMAT,
         {"bytes.onnx: its input is pixels uint8", "it must be images × 3 × height × width of float32 or "
                                                   "float16"}},
        {"oblong", RMIL_ERROR_FORMAT, {"oblong.onnx: its input is pixels float32 any × 3 × 16 × 32", "square"}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = model_path(cases[i].model);
        refused(path, (RmilEncoderOptions)NOTHING, cases[i].code, cases[i].parts);
    }
    g_autofree char *one = model_path("one");
    REFUSED(one, {.input_px = WIDE}, RMIL_ERROR_ARGUMENT, "one.onnx: its input is pixels float32 1 × 3 × 16 × 16", "give --input-px 16");
}

static void test_broken(void) {
    if (!runtime()) return;
    g_autofree char *folder = test_folder(), *whole = model_path("free"), *text = test_file(folder, "text.onnx", "no model"),
                    *empty = test_file(folder, "empty.onnx", ""), *cut = g_build_filename(folder, "cut.onnx", NULL),
                    *none = g_build_filename(folder, "none.onnx", NULL);
    gsize size;
    g_autofree char *bytes = test_bytes(NULL, whole, &size);
    g_assert_true(g_file_set_contents(cut, bytes, (gssize)size / 2, NULL));
    REFUSED(text, NOTHING, RMIL_ERROR_FORMAT, "text.onnx: ONNX Runtime ", "does not open it: ");
    REFUSED(empty, NOTHING, RMIL_ERROR_FORMAT, "empty.onnx: ");
    REFUSED(cut, NOTHING, RMIL_ERROR_FORMAT, "cut.onnx: ONNX Runtime ");
    REFUSED(none, NOTHING, RMIL_ERROR_IO, "none.onnx: cannot be opened: ");
}

/* Where the library has no such thing, or the machine has not what it takes, one message says so. */
static void test_devices(void) {
    if (!runtime()) return;
    static const char *const devices[] = {"cuda", "tensorrt", "rocm"};
    g_autofree char *path = model_path("free");
    g_autoptr(RmilOrtLibrary) library = rmil_ort_library_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++) {
        const RmilEncoderOptions options = {.weights = path, .workers = 1, .input_px = SIDE, .device = devices[i]};
        GError *error = NULL;
        g_autoptr(RmilEncoder) encoder = rmil_encoder_new("onnx", &options, &error);
        if (encoder) check_vectors(encoder, SIDE, imagenet_mean, imagenet_sd, 1e-3);
        if (encoder) continue;
        g_autofree char *begin = g_strconcat("--device ", devices[i], ": ", NULL);
        g_assert_true(g_str_has_prefix(error->message, begin));
        g_assert_nonnull(strstr(error->message, library->path));
        test_error(&error, RMIL_ERROR_ARGUMENT, "");
    }
}

static void test_options(void) {
    g_autofree char *path = model_path("free");
    REFUSED(path, {.mean = "0.5,0.5"}, RMIL_ERROR_ARGUMENT, "--mean 0.5,0.5: give three numbers");
    REFUSED(path, {.mean = "124,116,104"}, RMIL_ERROR_ARGUMENT, "--mean 124,116,104: ", "at most 1");
    REFUSED(path, {.sd = "0,1,1"}, RMIL_ERROR_ARGUMENT, "--sd 0,1,1: ", "above 0");
    REFUSED(path, {.sd = "nan,1,1"}, RMIL_ERROR_ARGUMENT, "--sd nan,1,1: ");
    REFUSED(path, {.sd = "1,1,1,1"}, RMIL_ERROR_ARGUMENT, "--sd 1,1,1,1: ");
    REFUSED(path, {.input_px = 4}, RMIL_ERROR_ARGUMENT, "--input-px 4: must be 8 … 4096");
    REFUSED(path, {.device = "tpu"}, RMIL_ERROR_ARGUMENT, "--device tpu: ",
            "there is no such device: choose cpu, onnxruntime, cuda, "
            "tensorrt or rocm");
    REFUSED(path, {.precision = RMIL_BFLOAT16}, RMIL_ERROR_ARGUMENT, "--encode-bfloat16");
    GError *error = NULL;
    const RmilEncoderOptions none = {.workers = 1}, others[] = {{.mean = "0,0,0"}, {.sd = "1,1,1"}, {.input_px = 16}, {.output = "x"}};
    g_assert_null(rmil_encoder_new("onnx", &none, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT,
               "the encoder onnx needs its weights: give --weights FILE (docs/encoders.md says where to "
               "get them)");
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_false(rmil_encoder_check("texture", &others[i], &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "for the encoder onnx; texture ");
    }
    g_assert_cmpstr(rmil_encoder_guess(path, &error), ==, "onnx");
}

/* RMIL_ONNXRUNTIME names what is no library, or one that is too old. */
static void test_libraries(void) {
    g_autofree char *given = g_strdup(g_getenv("RMIL_ONNXRUNTIME")), *path = model_path("free"), *folder = test_folder(),
                    *text = test_file(folder, "text.so", "no library"),
                    *other = g_build_filename(g_getenv("RMIL_BUILD"), "librankmil.so", NULL),
                    *old = g_build_filename(g_getenv("RMIL_BUILD"), "tests", "encoder", "libold-onnxruntime.so", NULL);
    g_setenv("RMIL_ONNXRUNTIME", folder, TRUE);
    REFUSED(path, NOTHING, RMIL_ERROR_ARGUMENT, folder, "contains no libonnxruntime.so, neither directly nor in",
            "tools/setup-onnxruntime");
    g_setenv("RMIL_ONNXRUNTIME", text, TRUE);
    REFUSED(path, NOTHING, RMIL_ERROR_FORMAT, text, "cannot be loaded: ");
    g_setenv("RMIL_ONNXRUNTIME", other, TRUE);
    REFUSED(path, NOTHING, RMIL_ERROR_FORMAT, other, "has no OrtGetApiBase");
    g_setenv("RMIL_ONNXRUNTIME", old, TRUE);
    REFUSED(path, NOTHING, RMIL_ERROR_ARGUMENT, "is ONNX Runtime 1.10.0; 1.11 or newer is needed");
    if (given) g_setenv("RMIL_ONNXRUNTIME", given, TRUE);
    else g_unsetenv("RMIL_ONNXRUNTIME");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/onnxruntime/options", test_options);
    g_test_add_func("/onnxruntime/libraries", test_libraries);
    g_test_add_func("/onnxruntime/vectors", test_vectors);
    g_test_add_func("/onnxruntime/outputs", test_outputs);
    g_test_add_func("/onnxruntime/threads", test_threads);
    g_test_add_func("/onnxruntime/identity", test_identity);
    g_test_add_func("/onnxruntime/outside", test_outside);
    g_test_add_func("/onnxruntime/inputs", test_inputs);
    g_test_add_func("/onnxruntime/broken", test_broken);
    g_test_add_func("/onnxruntime/devices", test_devices);
    return g_test_run();
}
