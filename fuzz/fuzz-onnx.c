/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of what is read of an ONNX file without ONNX Runtime: its metadata, and the names of files that tensors are in. */
#include "fuzz.h"

#include "encoder/onnx-file.h"

#include <stdlib.h>
#include <string.h>

/* Any bytes say something valid, nothing, or why not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *copy = g_memdup2(data, size); /* of exactly this size, so that a step beyond it is seen */
    RmilOnnxSays says;
    g_autoptr(GError) error = NULL;
    if (rmil_onnx_says_parse("fuzz", copy, size, &says, &error) != (error == NULL)) abort();
    const char *const texts[] = {says.encoder, says.exporter, says.weights, says.mean, says.sd, says.pooling};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        if (texts[i] && !g_utf8_validate(texts[i], -1, NULL)) abort();
    if (!error && says.input_px && (says.input_px < RMIL_ONNX_LEAST_SIDE || says.input_px > RMIL_ONNX_MOST_SIDE)) abort();
    rmil_onnx_says_clear(&says);
    g_autoptr(GPtrArray) names = rmil_onnx_outside_names(copy ? copy : "", size);
    for (guint i = 1; i < names->len; i++)
        if (strcmp(names->pdata[i - 1], names->pdata[i]) >= 0) abort();
    return 0;
}
