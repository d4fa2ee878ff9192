/* SPDX-License-Identifier: Apache-2.0 */
/* What an encoder is, inside: one file, and its name in the list in meson.build (docs/extending.md). */
#ifndef RMIL_ENCODER_PRIVATE_H
#define RMIL_ENCODER_PRIVATE_H

#include "rankmil/encoder.h"
#include "tensors/onnx-graph.h"
#include "tensors/tensors-private.h"

struct _RmilEncoder {
    const struct RmilEncoderClass *class;
    int workers, batch;
    int calls;        /* rmil_encoder_calls; 0 where open does not set it */
    int dim, tile_px; /* info's, where open does not set others */
    char *identity;
    char *note;     /* what was taken where nothing was said; NULL: nothing */
    gpointer state; /* the class's own */
};

/* What a network takes and gives, as the metadata of an ONNX file say it. */
typedef struct {
    const double *mean, *sd; /* of RGB in 0 … 1 */
    const char *pooling;     /* what of the network's last values is the feature */
} RmilEncoderFacts;

typedef struct RmilEncoderClass {
    RmilEncoderInfo info;
    int variant;       /* the class's own: which of its forms */
    gconstpointer own; /* likewise */
    /* Are these its weights? The error names the first tensor that differs. NULL: they are where there is the tensor info.weights. */
    gboolean (*fits)(const struct RmilEncoderClass *class, const RmilTensors *weights, GError **error);
    /* Sets state, batch and identity. weights and their SHA-256: of classes that take them, else NULL. After a failure close is
     * called all the same. */
    gboolean (*open)(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision, GError **error);
    /* The same network as a graph, from images (N × 3 × tile_px × tile_px, normalised) to features (N × dim), whose name is returned;
     * NULL: it failed. No such function: it is no network. */
    const char *(*onnx)(const struct RmilEncoderClass *class, const RmilTensors *weights, RmilOnnx *onnx, const char *images,
                        RmilEncoderFacts *facts, GError **error);
    /* Instead of open and fits, of a class whose weights are a file that is no list of tensors: check what can be told of the options at once
     * (others refuse what is for files alone), and open it. */
    gboolean (*check)(const RmilEncoderOptions *options, GError **error);
    gboolean (*open_file)(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
    gboolean (*run)(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
    void (*close)(gpointer state); /* state may be NULL */
} RmilEncoderClass;

/* encoder.c: a class by its name; the weights of a class, which fit it, and their SHA-256. */
const RmilEncoderClass *rmil_encoder_find(const char *name, GError **error);
RmilTensors *rmil_encoder_weights(const RmilEncoderClass *class, const char *path, char sha256[65], GError **error);

/* What a file NAME.c gives the table (_ for -): its encoder, or several. */
#define RMIL_ENCODER_FILE(name, ...) const RmilEncoderClass *const rmil_##name##_encoders[] = {__VA_ARGS__, NULL}
extern const RmilEncoderClass *const *const rmil_encoder_files[]; /* encoders.c; ends with NULL, as each of them does */

#endif
