/* SPDX-License-Identifier: Apache-2.0 */
/* A model in an ONNX file: images -> vectors. */
#ifndef RMIL_ORT_MODEL_H
#define RMIL_ORT_MODEL_H

#include "ort-library.h"

typedef struct {
    const char *path;
    const char *device; /* a known device */
    const char *output; /* its name; NULL: the only one, or the first with two dimensions */
    int side;           /* of an image, in pixels */
} RmilOrtModelConfig;

typedef struct _RmilOrtModel RmilOrtModel;
/* Takes ownership of the library, also on failure. The model must have one input, images × 3 × side × side of float32 or float16, with the
 * number of images open or 1, and the sides open or those of the config. It is run once to examine the output. FORMAT: the file is broken,
 * or has other inputs or outputs; ARGUMENT: the output or the device does not exist, or the side differs. */
RmilOrtModel *rmil_ort_model_new(RmilOrtLibrary *library, const RmilOrtModelConfig *config, GError **error);
void rmil_ort_model_free(RmilOrtModel *model);
int rmil_ort_model_dim(const RmilOrtModel *model);        /* of a vector */
int64_t rmil_ort_model_places(const RmilOrtModel *model); /* of a map of vectors, whose mean is used; 1: there is no map */
/* Images per run, always the same, so that neither results nor work depend on how many are left: 1 on the processor. */
int rmil_ort_model_batch(const RmilOrtModel *model);
gboolean rmil_ort_model_half(const RmilOrtModel *model);      /* images are float16 */
const char *rmil_ort_model_output(const RmilOrtModel *model); /* its name */
/* batch × 3 × side × side -> batch × dim. Thread-safe; on the processor only on the caller's thread. */
gboolean rmil_ort_model_run(RmilOrtModel *model, void *images, float *vectors, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilOrtModel, rmil_ort_model_free)

#endif
