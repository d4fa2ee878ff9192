/* SPDX-License-Identifier: Apache-2.0 */
/* Stains and light. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

#define SITES 0x51700000 /* streams of random numbers, one per site */

/* Optical density (base e) of unit stain: haematoxylin and eosin as measured in slides (Macenko et al., ISBI 2009), and the orange red of
 * erythrocytes. Laboratories differ in concentration and hue, and so do their slides. */
static const double haematoxylin[3] = {0.56, 0.72, 0.41}, eosin[3] = {0.20, 0.80, 0.52}, erythrocyte[3] = {0.17, 0.92, 0.84};

typedef struct {
    double h, e, h_hue[3], e_hue[3], glass[3];
} Lab;
static const Lab laboratories[4] = {
    {1.00, 1.00, {0, 0, 0}, {0, 0, 0}, {245, 244, 246}},
    {1.08, 0.92, {.035, .007, -.04}, {.035, -.015, -.055}, {243, 242, 243}},
    {0.92, 1.07, {-.04, .02, .02}, {-.03, .02, .035}, {247, 246, 246}},
    {1.03, 1.04, {.05, -.03, -.015}, {.03, .015, -.085}, {244, 242, 242}},
};

static void tilt(double out[3], const double stain[3], const double hue[3], RmilRng *rng) {
    for (int c = 0; c < 3; c++) {
        double density = stain[c] + hue[c] + 0.012 * rmil_rng_normal(rng);
        out[c] = MAX(0.04, density);
    }
}

gboolean rmil_synth_stain_init(RmilSynthStain *stain, uint64_t seed, const RmilSynthPlan *plan, GError **error) {
    RmilRng rng, site;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 4);
    int64_t any = rmil_rng_below(&rng, G_N_ELEMENTS(laboratories));
    const Lab *lab = &laboratories[plan->site ? (plan->site - 1) % (int)G_N_ELEMENTS(laboratories) : any];
    double h_vector[3], e_vector[3];
    tilt(h_vector, haematoxylin, lab->h_hue, &rng);
    tilt(e_vector, eosin, lab->e_hue, &rng);
    double h_strength = lab->h * exp(0.05 * rmil_rng_normal(&rng)), e_strength = lab->e * exp(0.06 * rmil_rng_normal(&rng));
    if (plan->site) { /* a site has one laboratory, with a style of its own */
        rmil_rng_init(&site, seed, SITES + (uint64_t)plan->site);
        h_strength *= exp(0.08 * rmil_rng_normal(&site));
        e_strength *= exp(0.08 * rmil_rng_normal(&site));
    }
    *stain = (RmilSynthStain){.blur = 1 + (rmil_rng_uniform(&rng) < 0.3)};
    for (int c = 0; c < 3; c++) stain->glass[c] = lab->glass[c] + 1.2 * rmil_rng_normal(&rng);
    stain->table = rmil_alloc(256 * 256, 4, error);
    if (!stain->table) return FALSE;
    for (int h = 0; h < 256; h++)
        for (int e = 0; e < 256; e++) {
            double pink = MIN(e, 100) * e_strength, red = CLAMP((e - 100) / 110.0, 0, 1.15);
            for (int c = 0; c < 3; c++) {
                double stroma = pink * e_vector[c] * (1 - MIN(red, 1)), cells = red * 105 * e_strength * erythrocyte[c];
                double od = RMIL_SYNTH_DENSITY * (h * h_strength * h_vector[c] + stroma + cells);
                stain->table[(h * 256 + e) * 4 + c] = (uint8_t)CLAMP(stain->glass[c] * exp(-od) + 0.5, 6, 250);
            }
        }
    return TRUE;
}

void rmil_synth_stain_clear(RmilSynthStain *stain) {
    rmil_free(stain->table);
    stain->table = NULL;
}

/* One pass of the binomial filter (1 2 1) across and along, in place. */
static void soften(uint8_t *plane, int64_t width, int64_t height) {
    g_autofree uint8_t *above = g_malloc((gsize)width), *line = g_malloc((gsize)width);
    memcpy(above, plane, (gsize)width);
    for (int64_t y = 0; y < height; y++) {
        uint8_t *restrict row = plane + y * width, *restrict up = above, *restrict out = line;
        const uint8_t *restrict down = y + 1 < height ? row + width : row;
        for (int64_t x = 0; x < width; x++) out[x] = (uint8_t)((up[x] + 2 * row[x] + down[x] + 2) >> 2);
        memcpy(up, row, (gsize)width);
        row[0] = out[0];
        for (int64_t x = 1; x + 1 < width; x++) row[x] = (uint8_t)((out[x - 1] + 2 * out[x] + out[x + 1] + 2) >> 2);
        row[width - 1] = out[width - 1];
    }
}

#define GRAIN 8192

void rmil_synth_develop(RmilSynthCanvas *canvas, const RmilSynthStain *stain, const RmilSynthPlan *plan, uint64_t seed) {
    for (int i = 0; i < stain->blur; i++) {
        soften(canvas->h, canvas->width, canvas->height);
        soften(canvas->e, canvas->width, canvas->height);
    }
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 5);
    int8_t grain[GRAIN]; /* the camera's noise, reused from a random offset in every row */
    for (int i = 0; i < GRAIN; i++) {
        long level = lround(1.3 * rmil_rng_normal(&rng));
        grain[i] = (int8_t)CLAMP(level, -4, 4);
    }
    double lamp_x = rmil_rng_normal(&rng), lamp_y = rmil_rng_normal(&rng);
    for (int64_t y = 0; y < canvas->height; y++) {
        const uint8_t *h = canvas->h + y * canvas->width, *e = canvas->e + y * canvas->width;
        uint8_t *rgb = canvas->rgb + 3 * y * canvas->width;
        int64_t at = rmil_rng_below(&rng, GRAIN);
        int lamp = 0;
        for (int64_t x = 0; x < canvas->width; x++) {
            if ((x & 63) == 0) /* an uneven lamp: a few gray levels across the slide */
                lamp = (int)lround(lamp_x * ((double)x / (double)canvas->width - 0.5) +
                                   lamp_y * ((double)y / (double)canvas->height - 0.5) - 1);
            const uint8_t *colour = stain->table + ((h[x] << 8) + e[x]) * 4;
            int light = grain[(at + x) & (GRAIN - 1)] + CLAMP(lamp, -2, 1);
            for (int c = 0; c < 3; c++) rgb[3 * x + c] = (uint8_t)(colour[c] + light);
        }
    }
}
