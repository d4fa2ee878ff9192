/* SPDX-License-Identifier: Apache-2.0 */
/* Flips and turns against their definition, stains against the same in double. */
#include "encoder/augment.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { SIDE = 37, PIXELS = SIDE * SIDE, BYTES = PIXELS * 3 };

static void random_tile(uint8_t *rgb, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 1);
    for (int i = 0; i < BYTES; i++) rgb[i] = (uint8_t)rmil_rng_below(&rng, 256);
}

static void augment(RmilAugmentation how, uint64_t seed, const uint8_t *from, uint8_t *to) {
    uint8_t scratch[BYTES];
    RmilRng rng;
    rmil_rng_init(&rng, seed, 2);
    memcpy(to, from, BYTES);
    rmil_augment(&how, &rng, SIDE, to, scratch);
    RmilRng after;
    rmil_rng_init(&after, seed, 2);
    for (int i = 0; i < 8; i++) rmil_rng_next(&after);
    g_assert_true(memcmp(&after, &rng, sizeof rng) == 0); /* eight numbers, whatever is on */
}

/* What a seed chooses. */
typedef struct {
    gboolean flip;
    int turn;
    double factor[3], shift[3]; /* −1 … 1 */
} Chosen;

static Chosen chosen_by(uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 2);
    Chosen chosen;
    chosen.flip = rmil_rng_uniform(&rng) < 0.5;
    chosen.turn = (int)floor(4 * rmil_rng_uniform(&rng));
    for (int s = 0; s < 3; s++) {
        chosen.factor[s] = 2 * rmil_rng_uniform(&rng) - 1;
        chosen.shift[s] = 2 * rmil_rng_uniform(&rng) - 1;
    }
    return chosen;
}

static void flip(uint8_t *rgb) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE / 2; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t *a = rgb + 3 * (y * SIDE + x) + c, *b = rgb + 3 * (y * SIDE + SIDE - 1 - x) + c, swap = *a;
                *a = *b;
                *b = swap;
            }
}

/* By a quarter, clockwise: the left column becomes the top row, from its end on. */
static void turn(uint8_t *rgb) {
    uint8_t out[BYTES];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) memcpy(out + 3 * (x * SIDE + SIDE - 1 - y), rgb + 3 * (y * SIDE + x), 3);
    memcpy(rgb, out, BYTES);
}

static void test_moves(void) {
    uint8_t tile[BYTES], got[BYTES], expected[BYTES];
    int seen[8] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        const Chosen chosen = chosen_by(seed);
        random_tile(tile, seed);
        for (int on = 0; on < 4; on++) {
            augment((RmilAugmentation){.flip = on & 1, .turn = on >> 1}, seed, tile, got);
            memcpy(expected, tile, BYTES);
            if ((on & 1) && chosen.flip) flip(expected);
            for (int i = 0; (on & 2) && i < chosen.turn; i++) turn(expected);
            g_assert_true(memcmp(got, expected, BYTES) == 0);
        }
        seen[4 * chosen.flip + chosen.turn]++;
    }
    for (int i = 0; i < 8; i++) g_assert_cmpint(seen[i], >, 25); /* of 50 */
}

/* Solves amounts · stains = density by elimination. */
static void amounts_of(const double stains[3][3], const double density[3], double amounts[3]) {
    double m[3][4];
    for (int i = 0; i < 3; i++) {
        for (int s = 0; s < 3; s++) m[i][s] = stains[s][i];
        m[i][3] = density[i];
    }
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 3; i++)
            for (int j = 3; i != k && j >= k; j--) m[i][j] -= m[i][k] / m[k][k] * m[k][j];
    for (int k = 0; k < 3; k++) amounts[k] = m[k][3] / m[k][k];
}

static void stain_pixel(const Chosen *chosen, double stain, const uint8_t from[3], double to[3]) {
    static const double stains[3][3] = {{0.65, 0.70, 0.29}, {0.07, 0.99, 0.11}, {0.27, 0.57, 0.78}};
    double density[3], amounts[3];
    for (int c = 0; c < 3; c++) density[c] = log10(256 / (from[c] + 1.0));
    amounts_of(stains, density, amounts);
    for (int s = 0; s < 3; s++) amounts[s] = amounts[s] * (1 + stain * chosen->factor[s]) + 0.1 * stain * chosen->shift[s];
    for (int c = 0; c < 3; c++) {
        double sum = 0;
        for (int s = 0; s < 3; s++) sum += amounts[s] * stains[s][c];
        to[c] = CLAMP(256 * pow(10, -sum) - 1, 0, 255);
    }
}

static void test_stain(void) {
    static const double much[] = {1e-9, 0.01, 0.05, 0.2, 0.7};
    uint8_t tile[BYTES], got[BYTES], moved[BYTES], both[BYTES];
    for (uint64_t seed = 0; seed < 60; seed++) {
        const double stain = much[seed % G_N_ELEMENTS(much)];
        const Chosen chosen = chosen_by(seed);
        random_tile(tile, seed);
        augment((RmilAugmentation){.stain = stain}, seed, tile, got);
        for (int i = 0; i < PIXELS; i++) { /* pixels stay in their places, and only their colours change */
            double expected[3];
            stain_pixel(&chosen, stain, tile + 3 * i, expected);
            for (int c = 0; c < 3; c++) g_assert_cmpfloat(fabs(got[3 * i + c] - expected[c]), <=, 0.505);
        }
        if (stain < 1e-3) g_assert_true(memcmp(got, tile, BYTES) == 0);
        /* the colours that a seed chooses are the same with and without moves */
        augment((RmilAugmentation){.flip = TRUE, .turn = TRUE}, seed, tile, moved);
        augment((RmilAugmentation){.stain = stain}, seed, moved, got);
        augment((RmilAugmentation){.flip = TRUE, .turn = TRUE, .stain = stain}, seed, tile, both);
        g_assert_true(memcmp(got, both, BYTES) == 0);
    }
}

/* White stays nearly white, black nearly black. */
static void test_extremes(void) {
    uint8_t tile[BYTES], got[BYTES];
    for (uint64_t seed = 0; seed < 200; seed++) {
        memset(tile, 255, BYTES);
        memset(tile, 0, 3);
        augment((RmilAugmentation){.flip = FALSE, .stain = 0.2}, seed, tile, got);
        for (int i = 3; i < BYTES; i++) g_assert_cmpint(got[i], >=, 228);
        for (int i = 0; i < 3; i++) g_assert_cmpint(got[i], <=, 12);
        augment((RmilAugmentation){.stain = 0.05}, seed, tile, got);
        for (int i = 3; i < BYTES; i++) g_assert_cmpint(got[i], >=, 247);
    }
}

static void test_same(void) {
    uint8_t tile[BYTES], one[BYTES], other[BYTES];
    random_tile(tile, 1);
    augment((RmilAugmentation){0}, 5, tile, one);
    g_assert_true(memcmp(one, tile, BYTES) == 0);
    const RmilAugmentation all = {TRUE, TRUE, 0.1};
    augment(all, 5, tile, one);
    augment(all, 5, tile, other);
    g_assert_true(memcmp(one, other, BYTES) == 0);
    augment(all, 6, tile, other);
    g_assert_true(memcmp(one, other, BYTES) != 0);
    uint8_t pixel[3] = {1, 2, 3}, scratch[3];
    RmilRng rng;
    rmil_rng_init(&rng, 1, 1);
    for (int i = 0; i < 20; i++) rmil_augment(&(RmilAugmentation){TRUE, TRUE, 0}, &rng, 1, pixel, scratch);
    g_assert_true(memcmp(pixel, (uint8_t[]){1, 2, 3}, 3) == 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/augment/moves", test_moves);
    g_test_add_func("/augment/stain", test_stain);
    g_test_add_func("/augment/extremes", test_extremes);
    g_test_add_func("/augment/same", test_same);
    return g_test_run();
}
