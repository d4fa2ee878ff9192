/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder of docs/extending.md: the mean of each colour. */
#include "encoder/encoder-private.h"

enum { SIDE = 64, CHANNELS = 3 };

static gboolean open_colours(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision,
                             GError **error) {
    encoder->batch = 8;
    encoder->identity = g_strdup("colours 1");
    return TRUE;
}

static gboolean run_colours(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    for (int i = 0; i < count * CHANNELS; i++) features[i] = 0;
    for (int i = 0; i < count * SIDE * SIDE * CHANNELS; i++)
        features[i / (SIDE * SIDE * CHANNELS) * CHANNELS + i % CHANNELS] += (float)rgb[i] / (255.0f * SIDE * SIDE);
    return TRUE;
}

static void close_colours(gpointer state) {}

static const RmilEncoderClass class = {
    .info = {.name = "colours", .title = "mean of each colour", .dim = CHANNELS, .tile_px = SIDE, .mpp = 1},
    .open = open_colours,
    .run = run_colours,
    .close = close_colours,
};
RMIL_ENCODER_FILE(colours, &class);
