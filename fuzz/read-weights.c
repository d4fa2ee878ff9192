/* SPDX-License-Identifier: Apache-2.0 */
/* Weights: PyTorch's two forms, safetensors, models, checkpoints, ONNX; the search for a network among tensors and its graph. */
#include "fuzz.h"

#include "encoder/encoder-onnx.h"
#include "encoder/onnx-file.h"
#include "mil/checkpoint.h"
#include "rankmil/mil.h"
#include "tensors/pickle.h"

#include <string.h>
#include <zip.h>

/* Tensors can be read by their types. */
static void touch(const RmilTensors *tensors) {
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++) {
        const RmilTensor *tensor = rmil_tensors_at(tensors, i);
        g_autofree float *values = g_new(float, (gsize)tensor->count + 1);
        rmil_tensor_floats(tensor, values);
    }
    GError *error = NULL;
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
    FUZZ_EITHER(weights, error);
    g_clear_error(&error);
    if (!weights) return;
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
    const int side = 3 * (int)rmil_vit_weights_shape(weights)->patch;
    const RmilVitConfig config = {.heads = 1, .side = side, .eps = 1e-6, .rule = RMIL_POSITION_ANTIALIAS, .pooling = RMIL_VIT_CLASS_MEAN};
    const gboolean written = rmil_vit_onnx(onnx, weights, &config, "images", &error) != NULL;
    FUZZ_EITHER(written, error);
    g_clear_error(&error);
}

typedef gboolean (*ReadTorch)(RmilTensors *tensors, const guint8 *data, gsize size, GError **error);

static void read_torch(ReadTorch read, const void *data, gsize size) {
    g_autoptr(RmilTensors) tensors = rmil_tensors_new("fuzz");
    GError *error = NULL;
    const gboolean good = read(tensors, data, size, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
    if (good) touch(tensors);
}

void fuzz_torch(const FuzzInput *input) {
    GError *error = NULL;
    g_autoptr(RmilTensors) tensors = rmil_weights_read(input->path, NULL, &error);
    FUZZ_EITHER(tensors, error);
    g_clear_error(&error);
    read_torch(rmil_torch_zip_read, input->data, input->size);
    read_torch(rmil_torch_legacy_read, input->data, input->size);
}

/* -- a pickle, by itself and in a sound archive ------------------------------------------------------------------------------------- */
static GBytes *archive_of(const FuzzInput *input) {
    static const float numbers[64] = {1, 2, 3};
    zip_error_t reason;
    zip_source_t *out = zip_source_buffer_create(NULL, 0, 0, &reason);
    zip_source_keep(out);
    zip_t *zip = zip_open_from_source(out, ZIP_TRUNCATE, &reason);
    if (!zip) abort();
    zip_int64_t at = zip_file_add(zip, "archive/data.pkl", zip_source_buffer(zip, input->data, input->size, 0), 0);
    zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0);
    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("archive/data/%d", i);
        at = zip_file_add(zip, name, zip_source_buffer(zip, numbers, sizeof numbers, 0), 0);
        zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0);
    }
    if (zip_close(zip) != 0 || zip_source_open(out) != 0) abort();
    zip_source_seek(out, 0, SEEK_END);
    const gsize size = (gsize)zip_source_tell(out);
    zip_source_seek(out, 0, SEEK_SET);
    void *bytes = g_malloc(size);
    if (zip_source_read(out, bytes, size) != (zip_int64_t)size) abort();
    zip_source_close(out);
    zip_source_free(out);
    return g_bytes_new_take(bytes, size);
}

void fuzz_pickle(const FuzzInput *input) {
    gsize used;
    g_autoptr(Pickle) pickle = rmil_pickle_read("fuzz", (const guint8 *)input->data, input->size, &used, NULL);
    if (used > input->size) abort();
    g_autoptr(GBytes) archive = archive_of(input);
    gsize size;
    const void *bytes = g_bytes_get_data(archive, &size);
    read_torch(rmil_torch_zip_read, bytes, size);
}

/* -- safetensors --------------------------------------------------------------------------------------------------------------------- */
void fuzz_safetensors(const FuzzInput *input) {
    g_autoptr(RmilTensors) tensors = rmil_tensors_new("fuzz");
    GError *error = NULL;
    const gboolean good = rmil_safetensors_parse(tensors, input->data, input->size, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
    if (good) touch(tensors);
}

void fuzz_model(const FuzzInput *input) {
    GError *error = NULL;
    g_autoptr(RmilModel) model = rmil_model_load(input->path, &error);
    FUZZ_EITHER(model, error);
    g_clear_error(&error);
}

void fuzz_checkpoint(const FuzzInput *input) {
    enum { COUNT = 5 };
    float numbers[5][COUNT];
    float *const arrays[5] = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    RmilTrainState state;
    gboolean other;
    GArray *history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    if (rmil_checkpoint_read(input->path, "key", &state, history, arrays, COUNT, &other) && (state.epoch < 0 || state.updates < 0)) abort();
    g_array_unref(history);
}

/* -- ONNX, as far as it is read without ONNX Runtime: its metadata, and the names of files that tensors are in ------------------------ */
void fuzz_onnx(const FuzzInput *input) {
    RmilOnnxSays says;
    GError *error = NULL;
    const gboolean good = rmil_onnx_says_parse("fuzz", input->data, input->size, &says, &error);
    FUZZ_EITHER(good, error);
    g_clear_error(&error);
    const char *const texts[] = {says.encoder, says.exporter, says.weights, says.mean, says.sd, says.pooling};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i] && !g_utf8_validate(texts[i], -1, NULL)) abort();
    if (good && says.input_px && (says.input_px < RMIL_ONNX_LEAST_SIDE || says.input_px > RMIL_ONNX_MOST_SIDE)) abort();
    rmil_onnx_says_clear(&says);
    g_autoptr(GPtrArray) names = rmil_onnx_outside_names(input->data, input->size);
    for (guint i = 1; i < names->len; i++)
        if (strcmp(names->pdata[i - 1], names->pdata[i]) >= 0) abort();
}
