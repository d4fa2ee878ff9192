/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of the weight readers: PyTorch's two forms, safetensors, and a bare pickle; and of what looks for a network among the
 * tensors and writes it as a graph. */
#include "fuzz.h"

#include "encoder/encoder-onnx.h"
#include "tensors/pickle.h"

#include <stdlib.h>

/* Any bytes give tensors or an error, and tensors can be read. */
static void touch(const RmilTensors *tensors) {
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++) {
        const RmilTensor *tensor = rmil_tensors_at(tensors, i);
        g_autofree float *values = g_new(float, (gsize)tensor->count + 1);
        rmil_tensor_floats(tensor, values);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
    if ((weights != NULL) != (error == NULL)) abort();
    if (!weights) return;
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
    const int side = 3 * (int)rmil_vit_weights_shape(weights)->patch;
    const RmilVitConfig config = {.heads = 1, .side = side, .eps = 1e-6, .rule = RMIL_POSITION_ANTIALIAS, .pooling = RMIL_VIT_CLASS_MEAN};
    if ((rmil_vit_onnx(onnx, weights, &config, "images", &error) != NULL) != (error == NULL)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *copy = g_memdup2(data, size);
    for (int form = 0; form < 3; form++) {
        g_autoptr(RmilTensors) tensors = rmil_tensors_new("fuzz");
        g_autoptr(GError) error = NULL;
        gboolean good = form == 0   ? rmil_torch_zip_read(tensors, data, size, &error)
                        : form == 1 ? rmil_torch_legacy_read(tensors, data, size, &error)
                                    : rmil_safetensors_parse(tensors, copy, size, &error);
        if (good != (error == NULL)) abort();
        if (good) touch(tensors);
    }
    gsize used;
    g_autoptr(Pickle) pickle = rmil_pickle_read("fuzz", data, size, &used, NULL);
    if (used > size) abort();
    return 0;
}
