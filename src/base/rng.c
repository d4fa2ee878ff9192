/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers. */
#include "base-private.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rmil_rng_init(RmilRng *rng, uint64_t seed, uint64_t stream) {
    uint64_t state = seed;
    uint64_t mixed = splitmix(&state) ^ (stream * UINT64_C(0xd1342543de82ef95));
    for (int i = 0; i < 4; i++) rng->s[i] = splitmix(&mixed);
}

static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

uint64_t rmil_rng_next(RmilRng *rng) {
    uint64_t *s = rng->s, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rmil_rng_uniform(RmilRng *rng) { return (double)(rmil_rng_next(rng) >> 11) * 0x1.0p-53; }

double rmil_rng_normal(RmilRng *rng) {
    double u = 1.0 - rmil_rng_uniform(rng), v = rmil_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(2.0 * G_PI * v);
}

int64_t rmil_rng_below(RmilRng *rng, int64_t n) {
    uint64_t range = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % range, value;
    do value = rmil_rng_next(rng);
    while (value >= limit);
    return (int64_t)(value % range);
}

void rmil_rng_shuffle(RmilRng *rng, int64_t *values, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = rmil_rng_below(rng, i + 1), swap = values[i];
        values[i] = values[j];
        values[j] = swap;
    }
}
