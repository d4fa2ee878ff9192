/* SPDX-License-Identifier: Apache-2.0 */
/* Periodic noise. */
#include "synth-private.h"

#include <math.h>

uint32_t rmil_synth_hash(uint32_t seed, int32_t x, int32_t y) {
    uint32_t h = seed ^ ((uint32_t)x * 0x8da6b343u) ^ ((uint32_t)y * 0xd8163841u);
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}

static float gradient(uint32_t seed, int32_t x, int32_t y, float dx, float dy) {
    static const float direction[16][2] = {
        {1.F, 0.F},  {.924F, .383F},   {.707F, .707F},   {.383F, .924F},   {0.F, 1.F},  {-.383F, .924F}, {-.707F, .707F}, {-.924F, .383F},
        {-1.F, 0.F}, {-.924F, -.383F}, {-.707F, -.707F}, {-.383F, -.924F}, {0.F, -1.F}, {.383F, -.924F}, {.707F, -.707F}, {.924F, -.383F}};
    const float *g = direction[rmil_synth_hash(seed, x, y) & 15];
    return g[0] * dx + g[1] * dy;
}

static float fade(float t) { return t * t * t * (t * (t * 6.F - 15.F) + 10.F); }

static int32_t wrap(int32_t i, int period) {
    if (period <= 0 || (uint32_t)i < (uint32_t)period) return i;
    i %= period;
    return i < 0 ? i + period : i;
}

float rmil_synth_noise(uint32_t seed, float x, float y, int period_x, int period_y) {
    float fx = floorf(x), fy = floorf(y), dx = x - fx, dy = y - fy, u = fade(dx), v = fade(dy);
    int32_t x0 = wrap((int32_t)fx, period_x), x1 = wrap((int32_t)fx + 1, period_x);
    int32_t y0 = wrap((int32_t)fy, period_y), y1 = wrap((int32_t)fy + 1, period_y);
    float a = gradient(seed, x0, y0, dx, dy), b = gradient(seed, x1, y0, dx - 1.F, dy);
    float c = gradient(seed, x0, y1, dx, dy - 1.F), d = gradient(seed, x1, y1, dx - 1.F, dy - 1.F);
    float top = a + u * (b - a), bottom = c + u * (d - c);
    return 1.4F * (top + v * (bottom - top));
}

float rmil_synth_fbm(uint32_t seed, float x, float y, int octaves) {
    float sum = 0, strength = 1;
    for (int i = 0; i < octaves; i++) {
        sum += strength * rmil_synth_noise(seed + (uint32_t)i * 0x9e3779b9u, x, y, 0, 0);
        strength *= 0.5F;
        x *= 2.03F;
        y *= 2.03F;
    }
    return sum;
}
