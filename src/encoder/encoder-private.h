/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of an encoder: one file, plus its name in the list in meson.build (docs/extending.md). */
#ifndef RMIL_ENCODER_PRIVATE_H
#define RMIL_ENCODER_PRIVATE_H

#include "rankmil/encoder.h"
#include "tensors/onnx-graph.h"
#include "tensors/tensors-private.h"

struct _RmilEncoder {
    const struct RmilEncoderClass *class;
    int workers, batch;
    int calls;        /* rmil_encoder_calls; 0 if not set by open */
    int dim, tile_px; /* those of info, unless open sets others */
    char *identity;
    char *note;     /* assumptions that were made; NULL: none */
    gpointer state; /* the class's own */
};

/* What a network takes and returns, as stated in the metadata of an ONNX file. */
typedef struct {
    const double *mean, *sd; /* of RGB in 0 … 1 */
    const char *pooling;     /* which of the network's last values are the feature */
} RmilEncoderFacts;

typedef struct RmilEncoderClass {
    RmilEncoderInfo info;
    int variant;       /* the class's own: which of its forms */
    gconstpointer own; /* likewise */
    /* Are these its weights? The error names the first tensor that differs. NULL: they are if the tensor info.weights exists. */
    gboolean (*fits)(const struct RmilEncoderClass *class, const RmilTensors *weights, GError **error);
    /* Sets state, batch and identity. weights and their SHA-256: for classes that have weights, else NULL. close is also called after a
     * failure. */
    gboolean (*open)(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision, GError **error);
    /* The same network as a graph, from images (N × 3 × tile_px × tile_px, normalised) to features (N × dim); returns the name of the
     * latter; NULL: it failed. If the function is NULL, the encoder is not a network. */
    const char *(*onnx)(const struct RmilEncoderClass *class, const RmilTensors *weights, RmilOnnx *onnx, const char *images,
                        RmilEncoderFacts *facts, GError **error);
    /* Instead of open and fits, for a class whose weights are a file but not a list of tensors: check tests the options as far as possible
     * without the file (other classes reject options that are only for files), then open_file opens it. */
    gboolean (*check)(const RmilEncoderOptions *options, GError **error);
    gboolean (*open_file)(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
    gboolean (*run)(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
    void (*close)(gpointer state); /* state may be NULL */
} RmilEncoderClass;

/* encoder.c: a class by name; the weights of a class, which fit it, and their SHA-256. */
const RmilEncoderClass *rmil_encoder_find(const char *name, GError **error);
RmilTensors *rmil_encoder_weights(const RmilEncoderClass *class, const char *path, char sha256[65], GError **error);

/* What a file NAME.c puts into the table (_ for -): its encoder, or several. */
#define RMIL_ENCODER_FILE(name, ...) const RmilEncoderClass *const rmil_##name##_encoders[] = {__VA_ARGS__, NULL}
extern const RmilEncoderClass *const *const rmil_encoder_files[]; /* in encoders.c; ends with NULL, as does each of its lists */

#endif
