/* SPDX-License-Identifier: Apache-2.0 */
/* The texture encoder: features that need no weights. */
#include "texture.h"

#include "encoder-private.h"

#include <math.h>

/* Version of the features: must change whenever any of them changes. */
#define VERSION "2"

typedef struct {
    int workers;
    TextureScratch **scratch; /* one per worker */
} Texture;

static void close_texture(gpointer state) {
    Texture *texture = state;
    if (!texture) return;
    for (int i = 0; i < texture->workers; i++) rmil_texture_scratch_free(texture->scratch[i]);
    g_free(texture->scratch);
    g_free(texture);
}

static gboolean open_texture(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision,
                             GError **error) {
    Texture *texture = g_new0(Texture, 1);
    encoder->state = texture;
    encoder->batch = 16;
    encoder->identity = g_strdup("texture " VERSION);
    texture->workers = encoder->workers;
    texture->scratch = g_new0(TextureScratch *, encoder->workers);
    for (int i = 0; i < encoder->workers; i++)
        if (!(texture->scratch[i] = rmil_texture_scratch_new(error))) return FALSE;
    return TRUE;
}

static gboolean run_texture(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    Texture *texture = encoder->state;
    double raw[TEXTURE_MOST];
    for (int tile = 0; tile < count; tile++) {
        rmil_texture_raw(texture->scratch[worker], rgb + (size_t)tile * TEXTURE_PIXELS * 3, raw);
        float *out = features + (size_t)tile * TEXTURE_DIM;
        for (int i = 0; i < TEXTURE_DIM; i++) {
            double z = (raw[i] - (double)rmil_texture_scale[i][0]) / (double)rmil_texture_scale[i][1];
            out[i] = (float)(z / sqrt(1 + z * z / 16)); /* near z within ±2, never beyond ±4 */
        }
    }
    return TRUE;
}

static const RmilEncoderClass class = {
    .info = {.name = "texture",
             .title = "colour and texture statistics after H&E stain separation",
             .dim = TEXTURE_DIM,
             .tile_px = TEXTURE_SIDE,
             .mpp = 0.5},
    .open = open_texture,
    .run = run_texture,
    .close = close_texture,
};
RMIL_ENCODER_FILE(texture, &class);
