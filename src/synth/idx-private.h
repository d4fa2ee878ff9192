/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST's files. */
#ifndef RMIL_SYNTH_IDX_PRIVATE_H
#define RMIL_SYNTH_IDX_PRIVATE_H

#include "base/base-private.h"

#define RMIL_DIGIT_SIDE 28

typedef struct {
    int64_t count;
    uint8_t *pixels, *labels; /* count × 28 × 28; count, 0 … 9 */
    char *sha256;             /* of both */
} RmilDigits;
/* FOLDER/t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, or the same with .gz (LeCun's IDX format: big-endian magic number, sizes,
 * bytes). Errors: IO, FORMAT, with file and byte. */
gboolean rmil_digits_read(RmilDigits *digits, const char *folder, GError **error);
void rmil_digits_clear(RmilDigits *digits);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RmilDigits, rmil_digits_clear)

#endif
