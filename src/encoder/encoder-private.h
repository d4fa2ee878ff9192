/* What an encoder is, inside: one line in encoder.c's table. */
#ifndef RMIL_ENCODER_PRIVATE_H
#define RMIL_ENCODER_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/encoder.h"

#define RMIL_TILE_PX 224
#define RMIL_TILE_BYTES ((size_t)RMIL_TILE_PX * RMIL_TILE_PX * 3)

struct _RmilEncoder {
    const struct RmilEncoderKind *kind;
    int dim, batch, workers;
    char *identity;
    gpointer state; /* the kind's own */
};

typedef struct RmilEncoderKind {
    const char *name;
    int variant; /* the kind's own: which of its forms */
    /* Sets dim, batch, identity and state. After a failure close is called all the same. */
    gboolean (*open)(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
    gboolean (*run)(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
    void (*close)(gpointer state); /* state may be NULL */
} RmilEncoderKind;

gboolean rmil_texture_open(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
gboolean rmil_texture_run(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
void rmil_texture_close(gpointer state);

/* variant: the last stage, 3 or 4 */
gboolean rmil_resnet_open(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error);
gboolean rmil_resnet_encode(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);
void rmil_resnet_close(gpointer state);

#endif
