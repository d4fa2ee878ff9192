/* SPDX-License-Identifier: Apache-2.0 */
/* What an encoder is, inside: one file, and its name in the list in meson.build (docs/extending.md). */
#ifndef RMIL_ENCODER_PRIVATE_H
#define RMIL_ENCODER_PRIVATE_H

#include "rankmil/encoder.h"
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

typedef struct RmilEncoderClass {
    RmilEncoderInfo info;
    int variant;       /* the class's own: which of its forms */
    gconstpointer own; /* likewise */
    /* Are these its weights? The error names the first tensor that differs. NULL: they are where there is the tensor info.weights. */
    gboolean (*fits)(const struct RmilEncoderClass *class, const RmilTensors *weights, GError **error);
    /* Sets state, batch and identity. weights and their SHA-256: of classes that take them, else NULL. After a failure close is
     * called all the same. */
    gboolean (*open)(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision, GError **error);
    /* Instead of both, of a class whose weights are a file that is no list of tensors: check what can be told of the options at once
     * (others refuse what is for files alone), and open it. */
    gboolean (*check)(const RmilEncoderOptions *options, GError **error);
    gboolean (*open_file)(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
    gboolean (*run)(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
    void (*close)(gpointer state); /* state may be NULL */
} RmilEncoderClass;

/* What a file NAME.c gives the table (_ for -): its encoder, or several. */
#define RMIL_ENCODER_FILE(name, ...) const RmilEncoderClass *const rmil_##name##_encoders[] = {__VA_ARGS__, NULL}
extern const RmilEncoderClass *const *const rmil_encoder_files[]; /* encoders.c; ends with NULL, as each of them does */

#endif
