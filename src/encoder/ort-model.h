/* SPDX-License-Identifier: Apache-2.0 */
/* A model of an ONNX file: images -> vectors. */
#ifndef RMIL_ORT_MODEL_H
#define RMIL_ORT_MODEL_H

#include "ort-library.h"

typedef struct {
    const char *path;
    const char *device; /* one of those known */
    const char *output; /* its name; NULL: the only one, or the first of two dimensions */
    int side;           /* of an image, in pixels */
} RmilOrtModelConfig;

typedef struct _RmilOrtModel RmilOrtModel;
/* Takes the library, which it frees, also where it fails. The model has one input, images × 3 × side × side of float32 or float16, the
 * number of images open or 1, the sides open or those of the config. It is run once, to see what comes out. FORMAT: the file is broken,
 * or of other inputs or outputs; ARGUMENT: the output or the device is not there, or the side is another. */
RmilOrtModel *rmil_ort_model_new(RmilOrtLibrary *library, const RmilOrtModelConfig *config, GError **error);
void rmil_ort_model_free(RmilOrtModel *model);
int rmil_ort_model_dim(const RmilOrtModel *model);        /* of a vector */
int64_t rmil_ort_model_places(const RmilOrtModel *model); /* of a map of vectors, whose mean is taken; 1: there is no map */
/* Images of a run, always as many, so that neither numbers nor work depend on how many are left: 1 on the processor. */
int rmil_ort_model_batch(const RmilOrtModel *model);
gboolean rmil_ort_model_half(const RmilOrtModel *model);      /* images are float16 */
const char *rmil_ort_model_output(const RmilOrtModel *model); /* its name */
/* batch × 3 × side × side -> batch × dim. Thread-safe; on the processor on the caller's thread alone. */
gboolean rmil_ort_model_run(RmilOrtModel *model, void *images, float *vectors, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilOrtModel, rmil_ort_model_free)

#endif
