/* Augmentation of tiles. */
#include "augment.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

enum { STAINS = 3, STEPS = 4096 };
#define DENSEST 4.0 /* optical density (natural logarithm) that is still told from a higher one: 255 · exp(−4) is 4.7 */

/* Rows: what haematoxylin, eosin and DAB take of red, green and blue, of length 1. */
static void stains(double m[STAINS][3]) {
    static const double given[STAINS][3] = {{0.65, 0.70, 0.29}, {0.07, 0.99, 0.11}, {0.27, 0.57, 0.78}};
    for (int s = 0; s < STAINS; s++) {
        const double length = sqrt(given[s][0] * given[s][0] + given[s][1] * given[s][1] + given[s][2] * given[s][2]);
        for (int c = 0; c < 3; c++) m[s][c] = given[s][c] / length;
    }
}

static void invert(double m[3][3], double out[3][3]) {
    double determinant = 0;
    for (int i = 0; i < 3; i++) determinant += m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[i][j] = (m[(j + 1) % 3][(i + 1) % 3] * m[(j + 2) % 3][(i + 2) % 3] -
                         m[(j + 1) % 3][(i + 2) % 3] * m[(j + 2) % 3][(i + 1) % 3]) /
                        determinant;
}

/* Density of a byte, −ln((v + 1) / 256), and the byte of a density in steps. */
typedef struct {
    float density[256];
    uint8_t byte[STEPS];
} Tables;

static const Tables *tables(void) {
    static Tables all;
    static gsize done;
    if (g_once_init_enter(&done)) {
        for (int v = 0; v < 256; v++) all.density[v] = (float)-log((v + 1) / 256.0);
        for (int i = 0; i < STEPS; i++) all.byte[i] = (uint8_t)CLAMP(lround(256 * exp(-(i + 0.5) * DENSEST / STEPS) - 1), 0, 255);
        g_once_init_leave(&done, 1);
    }
    return &all;
}

/* density' = density · A + b, from density · M⁻¹ (amounts) · diag(1 + α) + β, · M. */
static void jitter(double stain, const double u[2 * STAINS], float a[3][3], float b[3]) {
    double m[STAINS][3], inverse[3][3];
    stains(m);
    invert(m, inverse);
    for (int c = 0; c < 3; c++) {
        double shift = 0;
        for (int s = 0; s < STAINS; s++) shift += stain / 4 * u[STAINS + s] * m[s][c];
        b[c] = (float)shift;
        for (int i = 0; i < 3; i++) {
            double sum = 0;
            for (int s = 0; s < STAINS; s++) sum += inverse[i][s] * (1 + stain * u[s]) * m[s][c];
            a[i][c] = (float)sum;
        }
    }
}

static void stain_tile(double stain, const double u[2 * STAINS], int64_t pixels, uint8_t *rgb) {
    const Tables *t = tables();
    float a[3][3], b[3];
    jitter(stain, u, a, b);
    for (int64_t i = 0; i < pixels; i++, rgb += 3) {
        const float red = t->density[rgb[0]], green = t->density[rgb[1]], blue = t->density[rgb[2]];
        for (int c = 0; c < 3; c++) {
            const float density = red * a[0][c] + green * a[1][c] + blue * a[2][c] + b[c];
            const int step = (int)(density * (float)(STEPS / DENSEST));
            rgb[c] = t->byte[CLAMP(step, 0, STEPS - 1)];
        }
    }
}

static void mirror(int side, uint8_t *rgb) {
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side / 2; x++) {
            uint8_t *left = rgb + 3 * ((gsize)y * (gsize)side + (gsize)x),
                    *right = rgb + 3 * ((gsize)y * (gsize)side + (gsize)(side - 1 - x)), swap[3];
            memcpy(swap, left, 3);
            memcpy(left, right, 3);
            memcpy(right, swap, 3);
        }
}

/* A quarter turn, counter-clockwise: row y, column x comes from row x, column side − 1 − y. */
static void turn_once(int side, const uint8_t *from, uint8_t *to) {
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            memcpy(to + 3 * ((gsize)y * (gsize)side + (gsize)x), from + 3 * ((gsize)x * (gsize)side + (gsize)(side - 1 - y)), 3);
}

void rmil_augment(const RmilAugmentation *how, RmilRng *rng, int side, uint8_t *rgb, uint8_t *scratch) {
    const gsize bytes = (gsize)side * (gsize)side * 3;
    const gboolean flipped = rmil_rng_below(rng, 2) == 1;
    const int64_t turns = rmil_rng_below(rng, 4);
    double u[2 * STAINS];
    for (int i = 0; i < 2 * STAINS; i++) u[i] = 2 * rmil_rng_uniform(rng) - 1;
    if (how->flip && flipped) mirror(side, rgb);
    for (int64_t i = 0; how->turn && i < turns; i++) {
        turn_once(side, rgb, scratch);
        memcpy(rgb, scratch, bytes);
    }
    if (how->stain > 0) stain_tile(how->stain, u, (int64_t)side * side, rgb);
}
