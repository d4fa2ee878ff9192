/* SPDX-License-Identifier: Apache-2.0 */
/* Nuclei. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

/* The appearance of nuclei of one sort; ranges are sampled per variant. Densities as in the stain planes. */
typedef struct {
    float radius[2];       /* px, mean of the two half axes */
    float elongation[2];   /* long / short axis */
    float irregular;       /* of the outline */
    float h[2], e;         /* body */
    float rim;             /* darker membrane */
    float clump, clump_px; /* chromatin clumps: strength, size */
    int nucleoli;          /* maximum number */
    float nucleolus;       /* their additional density */
    float halo[2], clear;  /* width (px) and strength of the cleared ring around it */
    float bend;            /* bean shape */
} Look;

static const Look looks[RMIL_SYNTH_SPRITES] = {
    [RMIL_SYNTH_LYMPHOCYTE] = {{4.3F, 6.2F}, {1.F, 1.3F}, .07F, {104, 152}, 44, 14, 32, 3.0F, 0, 0, {.6F, 2.8F}, .72F, 0},
    [RMIL_SYNTH_BLAST] = {{6.2F, 8.4F}, {1.F, 1.3F}, .08F, {58, 86}, 34, 32, 20, 3.4F, 3, 40, {.4F, 1.6F}, .4F, 0},
    [RMIL_SYNTH_HISTIOCYTE] = {{6.0F, 8.2F}, {1.15F, 1.7F}, .05F, {52, 74}, 34, 26, 13, 3.4F, 1, 30, {0, .6F}, .2F, .22F},
    [RMIL_SYNTH_SPINDLE] = {{4.4F, 6.2F}, {2.6F, 4.8F}, .05F, {92, 130}, 48, 8, 18, 3.5F, 0, 0, {0, .8F}, .3F, .1F},
    [RMIL_SYNTH_MACROPHAGE] = {{9.5F, 12.F}, {1.F, 1.25F}, .06F, {5, 9}, 15, -2, 2, 4.F, 4, 105, {.2F, .8F}, .2F, 0},
    [RMIL_SYNTH_CANCER] = {{10.0F, 15.5F}, {1.F, 1.6F}, .12F, {40, 72}, 34, 62, 30, 4.0F, 3, 118, {0, .9F}, .25F, .04F},
    [RMIL_SYNTH_CANCER_LOW] = {{9.0F, 12.2F}, {1.F, 1.4F}, .08F, {46, 76}, 34, 56, 27, 3.8F, 2, 96, {0, .8F}, .25F, .04F},
    [RMIL_SYNTH_ERYTHROCYTE] = {{5.0F, 6.3F}, {1.F, 1.25F}, .03F, {2, 2}, 208, 0, 0, 4.F, 0, 0, {0, .5F}, .3F, 0},
    [RMIL_SYNTH_DUCTAL] = {{11.0F, 16.0F}, {1.F, 1.5F}, .12F, {44, 76}, 34, 62, 30, 4.0F, 3, 118, {0, .9F}, .25F, .04F},
    [RMIL_SYNTH_LOBULAR] = {{6.6F, 8.2F}, {1.F, 1.2F}, .04F, {88, 116}, 40, 16, 12, 3.0F, 0, 0, {.4F, 1.4F}, .35F, 0},
    [RMIL_SYNTH_MUCINOUS] = {{7.5F, 9.5F}, {1.F, 1.5F}, .06F, {70, 96}, 30, 24, 18, 3.4F, 1, 40, {1.F, 3.F}, .5F, .1F},
    [RMIL_SYNTH_PAPILLARY] = {{8.0F, 10.0F}, {1.6F, 2.5F}, .05F, {92, 120}, 42, 20, 16, 3.5F, 0, 0, {0, .8F}, .3F, .08F},
    [RMIL_SYNTH_SQUAMOUS] = {{9.0F, 12.0F}, {1.F, 1.4F}, .09F, {78, 108}, 52, 36, 26, 3.8F, 2, 70, {.4F, 1.4F}, .2F, .04F},
};

static float range(RmilRng *rng, const float *r) { return r[0] + (r[1] - r[0]) * (float)rmil_rng_uniform(rng); }

static uint8_t *layer(RmilSynthAtlas *atlas, int size) {
    uint8_t *memory = g_malloc0((gsize)size * (gsize)size);
    g_ptr_array_add(atlas->owned, memory);
    return memory;
}

typedef struct {
    float x, y, r;
} Spot;

static void make(RmilSynthAtlas *atlas, RmilSynthStamp *stamp, RmilSynthSprite sort, int variant, RmilRng *rng, float s) {
    const Look *look = &looks[sort];
    float mean = range(rng, look->radius) * s, ratio = sqrtf(range(rng, look->elongation)), halo = range(rng, look->halo) * s;
    float a = mean * ratio, b = mean / ratio, h0 = range(rng, look->h), angle = (float)(2 * G_PI * rmil_rng_uniform(rng));
    if (sort == RMIL_SYNTH_SPINDLE) angle = (float)(G_PI * variant / RMIL_SYNTH_VARIANTS); /* to be placed along fibres */
    gboolean dark = sort == RMIL_SYNTH_CANCER && rmil_rng_uniform(rng) < 0.14;             /* hyperchromatic */
    if (dark) h0 += 52;
    float bend = look->bend * (2 * (float)rmil_rng_uniform(rng) - 1), clear = look->clear * (0.6F + 0.4F * (float)rmil_rng_uniform(rng));
    float amplitude[4], phase[4];
    for (int k = 0; k < 4; k++) {
        amplitude[k] = look->irregular * (float)rmil_rng_uniform(rng) / (float)(k + 1);
        phase[k] = (float)(2 * G_PI * rmil_rng_uniform(rng));
    }
    Spot spots[4];
    int count = look->nucleoli ? (int)rmil_rng_below(rng, look->nucleoli) + (sort == RMIL_SYNTH_BLAST ? 0 : 1) : 0;
    for (int k = 0; k < count; k++) {
        float t = (float)(2 * G_PI * rmil_rng_uniform(rng)),
              d = (sort == RMIL_SYNTH_BLAST ? 0.75F : 0.55F) * sqrtf((float)rmil_rng_uniform(rng));
        spots[k] = (Spot){a * d * cosf(t), b * d * sinf(t), (1.3F + 0.9F * (float)rmil_rng_uniform(rng)) * s};
        if (sort == RMIL_SYNTH_MACROPHAGE) spots[k].r = (1.6F + 2.0F * (float)rmil_rng_uniform(rng)) * s;
    }
    uint32_t seed = (uint32_t)rmil_rng_next(rng);
    int half = (int)ceilf(MAX(a, b) * (1 + 1.2F * look->irregular) + halo + 2.5F), size = 2 * half + 1;
    *stamp = (RmilSynthStamp){size, layer(atlas, size), layer(atlas, size), layer(atlas, size)};
    for (int j = 0; j < size; j++)
        for (int i = 0; i < size; i++) {
            float dx = (float)(i - half), dy = (float)(j - half), c = cosf(angle), sn = sinf(angle);
            float u = c * dx + sn * dy, v = -sn * dx + c * dy;
            v += bend * (u * u / a - 0.4F * a);
            float theta = atan2f(v / b, u / a), q = sqrtf(u * u / (a * a) + v * v / (b * b)), wave = 1;
            for (int k = 0; k < 4; k++) wave += amplitude[k] * cosf((float)(k + 2) * theta + phase[k]);
            float px = (q / wave - 1) * MIN(a, b) * (0.5F + 0.5F * ratio); /* px outside the membrane, approximately */
            float body = CLAMP(0.5F - px / 1.3F, 0.F, 1.F), ring = CLAMP((halo - px) / (0.6F * halo + 0.7F), 0.F, 1.F) * clear;
            float clumps = rmil_synth_noise(seed, dx / (look->clump_px * s), dy / (look->clump_px * s), 0, 0) +
                           0.5F * rmil_synth_noise(seed + 1, dx / (0.5F * look->clump_px * s), dy / (0.5F * look->clump_px * s), 0, 0);
            float rim = (px + 1.1F * s) / (1.0F * s), h = h0 + look->clump * clumps + look->rim * expf(-rim * rim);
            for (int k = 0; k < count; k++) {
                float d2 = (u - spots[k].x) * (u - spots[k].x) + (v - spots[k].y) * (v - spots[k].y);
                h += look->nucleolus * expf(-d2 / (spots[k].r * spots[k].r));
            }
            float e = look->e + 5 * clumps;
            if (sort == RMIL_SYNTH_ERYTHROCYTE) e = look->e - 34 * CLAMP(1 - 1.7F * q, 0.F, 1.F);
            float alpha = body + (1 - body) * ring, w = alpha > 0 ? body / alpha : 0; /* halo: almost transparent */
            int at = j * size + i;
            stamp->alpha[at] = (uint8_t)(255 * alpha * (sort == RMIL_SYNTH_MACROPHAGE ? 0.9F : 0.97F));
            stamp->h[at] = (uint8_t)CLAMP(w * h + (1 - w) * 3, 0.F, 250.F);
            stamp->e[at] = (uint8_t)CLAMP(w * e + (1 - w) * 6, 0.F, 250.F);
        }
}

void rmil_synth_atlas_stamps(RmilSynthAtlas *atlas, uint64_t seed, double scale, int sprites) {
    for (int sort = 0; sort < sprites; sort++)
        for (int variant = 0; variant < RMIL_SYNTH_VARIANTS; variant++) {
            RmilRng rng;
            rmil_rng_init(&rng, seed, (uint64_t)(sort * 1000 + variant) + 0x57a3b0);
            make(atlas, &atlas->stamp[sort][variant], (RmilSynthSprite)sort, variant, &rng, (float)scale);
        }
}
