/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of Camelyon16's slides and lesions. */
#include "features-private.h"

#include <math.h>

/* Quantiles (0, 5, … 100 %) over Camelyon16's training slides, in tiles of 224 px at 20x (448² level-0 px²), made by
 * tests/synth/camelyon16-quantiles.py: tissue of 156 normal slides, annotated lesion area of 110 tumour slides. */
#define POINTS 21
static const double tissue[POINTS] = {218.3, 902,  1615, 2188, 2823,  3603,  4478,  5299,  5511,  6266, 6742,
                                      7317,  7886, 8836, 9773, 11070, 11950, 12930, 14930, 20050, 34030};
static const double lesion[POINTS] = {0.7093, 1.783, 2.778, 5.449, 9.39,  11.95, 16.32, 28.13, 38.9, 59.39, 138.1,
                                      172,    246.7, 311.1, 414.1, 533.7, 829.6, 1193,  2449,  4725, 11670};

/* Interpolates the logarithm between two quantiles. */
static double quantile(const double *table, double q) {
    double at = CLAMP(q, 0, 1) * (POINTS - 1);
    int i = MIN((int)at, POINTS - 2);
    return table[i] * pow(table[i + 1] / table[i], at - i);
}

double rmil_synth_tissue_tiles(double q) { return quantile(tissue, q); }

double rmil_synth_lesion_tiles(double q) { return quantile(lesion, q); }
