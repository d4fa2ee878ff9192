/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG streams at an eighth of their size, which libtiff does not offer. */
#ifndef RMIL_SLIDE_JPEG_H
#define RMIL_SLIDE_JPEG_H

#include "base/base-private.h"

/* A stream of side[0] × side[1] pixels of three channels, both divisible by 8, with tables in a separate stream (or NULL). Writes side[0] /
 * 8 × side[1] / 8 opaque ARGB words: the mean of each 8 × 8 pixels, up to rounding, and with colours that are not smoothed between blocks.
 * FALSE: another kind of picture, or damaged. */
gboolean rmil_jpeg_eighth(const uint8_t *tables, gsize tables_size, const uint8_t *data, gsize size, gboolean ycbcr, const int64_t side[2],
                          uint32_t *argb);

#endif
