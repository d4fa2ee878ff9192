/* SPDX-License-Identifier: Apache-2.0 */
/* The colours of attention. */
#include "draw-private.h"

/* Viridis (van der Walt and Smith, matplotlib; public domain, CC0), every 15th of its 256 colours; linear interpolation is within 5/255 of
 * the full table. Chosen because equal steps of value look equally large, also in gray and to colour-blind readers, and because no stain in
 * histology has its colours. */
static const uint8_t table[][3] = {
    {68, 1, 84},    {72, 23, 105},  {71, 42, 122},  {67, 61, 132},  {61, 78, 138},  {53, 94, 141},
    {46, 109, 142}, {41, 123, 142}, {35, 137, 142}, {31, 151, 139}, {33, 165, 133}, {46, 179, 124},
    {70, 192, 111}, {101, 203, 94}, {137, 213, 72}, {176, 221, 47}, {216, 226, 25}, {253, 231, 37},
};

void rmil_viridis(double t, uint8_t rgb[3]) {
    const int last = (int)G_N_ELEMENTS(table) - 1;
    double position = (t > 0 ? MIN(t, 1) : 0) * last;
    int below = MIN((int)position, last - 1);
    double part = position - below;
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(table[below][c] + part * (table[below + 1][c] - table[below][c]) + 0.5);
}
