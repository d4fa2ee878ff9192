/* SPDX-License-Identifier: Apache-2.0 */
/* Folds, blur, ink and other faults of slides. */
#include "synth-private.h"

#include <math.h>
#include <string.h>

static double between(RmilRng *rng, double low, double high) { return low + (high - low) * rmil_rng_uniform(rng); }

/* -- before stain is turned into light ------------------------------------------------------------------------------------ */
/* A fold: two layers of tissue on top of each other along a curved band. */
static void fold(RmilSynthCanvas *canvas, RmilRng *rng, double scale) {
    double x = between(rng, 0.25, 0.75) * (double)canvas->width, y = between(rng, 0.25, 0.75) * (double)canvas->height;
    double angle = between(rng, 0, 2 * G_PI), half = between(rng, 9, 24) * scale, length = between(rng, 300, 1100) * scale;
    double curl = between(rng, -0.0012, 0.0012) / scale;
    int64_t gap = (int64_t)(between(rng, 40, 90) * scale);
    g_autofree uint8_t *done = g_malloc0((gsize)(canvas->width * canvas->height + 7) / 8);
    for (double t = 0; t < length; t += 1, angle += curl) {
        x += cos(angle);
        y += sin(angle);
        double taper = half * sin(G_PI * t / length) * (1 + 0.25 * rmil_synth_noise(5, (float)(t / 60), 0.5F, 0, 0));
        for (double k = -taper; k <= taper; k += 0.5) {
            int64_t px = (int64_t)(x - k * sin(angle)), py = (int64_t)(y + k * cos(angle));
            if (px < 0 || py < 0 || px >= canvas->width || py >= canvas->height) continue;
            int64_t at = py * canvas->width + px, from = CLAMP(py + gap, 0, canvas->height - 1) * canvas->width + px;
            if (done[at / 8] >> (at & 7) & 1) continue;
            done[at / 8] = (uint8_t)(done[at / 8] | 1 << (at & 7));
            if (canvas->h[at] + canvas->e[at] < 4) continue;
            canvas->h[at] = (uint8_t)MIN(250, canvas->h[at] + canvas->h[from] / 2 + 22);
            canvas->e[at] = (uint8_t)MIN(100, canvas->e[at] + canvas->e[from] / 2 + 24);
        }
    }
}

/* Out of focus: a round region is averaged over a few pixels, more towards its middle. */
static void defocus(uint8_t *plane, int64_t width, int64_t height, double cx, double cy, double radius, int reach) {
    int64_t x0 = (int64_t)MAX(reach, cx - radius), x1 = (int64_t)MIN((double)(width - reach - 1), cx + radius);
    int64_t y0 = (int64_t)MAX(reach, cy - radius), y1 = (int64_t)MIN((double)(height - reach - 1), cy + radius);
    if (x1 <= x0 || y1 <= y0) return;
    g_autofree uint8_t *copy = g_malloc((gsize)(x1 - x0));
    for (int pass = 0; pass < 2 * reach; pass++) {
        /* shrinking circles: the outer ring is softened once, the middle every time; rows, then columns */
        double r = radius * (1 - 0.08 * pass), r2 = r * r;
        gboolean rows = pass % 2 == 0;
        for (int64_t y = y0; y < y1; y++) {
            uint8_t *row = plane + y * width;
            double inside = r2 - ((double)y - cy) * ((double)y - cy);
            if (inside <= 0) continue;
            int64_t from = MAX(x0, (int64_t)(cx - sqrt(inside))), to = MIN(x1, (int64_t)(cx + sqrt(inside)));
            const uint8_t *a = rows ? row - 2 : row - 2 * width, *b = rows ? row + 2 : row + 2 * width;
            for (int64_t x = from; x < to; x++) copy[x - x0] = (uint8_t)((a[x] + 2 * row[x] + b[x] + 2) >> 2);
            if (to > from) memcpy(row + from, copy + (from - x0), (gsize)(to - from));
        }
    }
}

void rmil_synth_artefacts_density(RmilSynthCanvas *canvas, const RmilSynthAnatomy *map, const RmilSynthPlan *plan, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 6);
    int folds = rmil_rng_uniform(&rng) < 0.25 ? 1 + (int)rmil_rng_below(&rng, 2) : 0;
    for (int i = 0; i < folds; i++) fold(canvas, &rng, map->scale);
    if (rmil_rng_uniform(&rng) > 0.15) return;
    double x = between(&rng, 0.2, 0.8) * (double)canvas->width, y = between(&rng, 0.2, 0.8) * (double)canvas->height;
    double r = between(&rng, 0.05, 0.10) * (double)MIN(canvas->width, canvas->height);
    defocus(canvas->h, canvas->width, canvas->height, x, y, r, 4);
    defocus(canvas->e, canvas->width, canvas->height, x, y, r, 4);
}

/* -- after ------------------------------------------------------------------------------------------------------------------- */
static void filter_light(uint8_t *rgb, const double factor[3], double strength) {
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)CLAMP(rgb[c] * (1 - strength + strength * factor[c]) + 0.5, 2, 252);
}

/* A felt-tip stroke: a broad, streaky, transparent line along a curve of three points. */
static void stroke(RmilSynthCanvas *canvas, const double p[6], double half, const double ink[3], uint32_t seed) {
    double box[4] = {MIN(MIN(p[0], p[2]), p[4]) - half, MIN(MIN(p[1], p[3]), p[5]) - half, MAX(MAX(p[0], p[2]), p[4]) + half,
                     MAX(MAX(p[1], p[3]), p[5]) + half};
    enum { STEPS = 48 };
    double x[STEPS + 1], y[STEPS + 1];
    for (int k = 0; k <= STEPS; k++) {
        double t = (double)k / STEPS, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
        x[k] = a * p[0] + b * p[2] + c * p[4];
        y[k] = a * p[1] + b * p[3] + c * p[5];
    }
    enum { BLOCK = 16 };
    for (int64_t by = (int64_t)MAX(0, box[1]) / BLOCK; by * BLOCK < MIN((double)canvas->height, box[3]); by++)
        for (int64_t bx = (int64_t)MAX(0, box[0]) / BLOCK; bx * BLOCK < MIN((double)canvas->width, box[2]); bx++) {
            double cx = (double)(bx * BLOCK + BLOCK / 2), cy = (double)(by * BLOCK + BLOCK / 2), best = 1e18;
            int near = 0;
            for (int k = 0; k < STEPS; k++) {
                double mx = 0.5 * (x[k] + x[k + 1]) - cx, my = 0.5 * (y[k] + y[k + 1]) - cy, d2 = mx * mx + my * my;
                if (d2 < best) best = d2, near = k;
            }
            double dx = x[near + 1] - x[near], dy = y[near + 1] - y[near], length = hypot(dx, dy) + 1e-9;
            if (sqrt(best) > half + length + 2 * BLOCK) continue;
            for (int64_t py = by * BLOCK; py < MIN(canvas->height, (by + 1) * BLOCK); py++)
                for (int64_t px = bx * BLOCK; px < MIN(canvas->width, (bx + 1) * BLOCK); px++) {
                    double ox = (double)px - x[near], oy = (double)py - y[near], along = (ox * dx + oy * dy) / length;
                    double across = (oy * dx - ox * dy) / length;
                    if ((near == 0 && along < 0) || (near == STEPS - 1 && along > length)) /* round ends */
                        across = near == 0 ? hypot(ox, oy) : hypot((double)px - x[STEPS], (double)py - y[STEPS]);
                    double rough = half * (1 + 0.05 * rmil_synth_noise(seed, (float)px / 37, (float)py / 37, 0, 0));
                    double edge = CLAMP((rough - fabs(across)) / 5, 0, 1);
                    if (edge <= 0) continue;
                    double streak = 0.80 +
                                    0.12 * rmil_synth_noise(seed + 1, (float)(across / 7), (float)(near * 0.21 + along / 160), 0, 0) +
                                    0.16 * exp(-pow((rough - fabs(across)) / 9, 2));
                    filter_light(canvas->rgb + 3 * (py * canvas->width + px), ink, CLAMP(edge * streak, 0, 1));
                }
        }
}

static void pen(RmilSynthCanvas *canvas, const RmilSynthAnatomy *map, RmilRng *rng) {
    static const double inks[4][3] = {{.16, .28, .72}, {.10, .50, .34}, {.13, .13, .15}, {.14, .22, .60}};
    const double *ink = inks[rmil_rng_below(rng, 4)];
    double half = between(rng, 26, 48) * map->scale, w = (double)canvas->width, h = (double)canvas->height;
    int strokes = 1 + (int)rmil_rng_below(rng, 3);
    for (int i = 0; i < strokes; i++) {
        gboolean upright = rmil_rng_uniform(rng) < 0.5, far_side = rmil_rng_uniform(rng) < 0.5;
        double beside = (far_side ? 1 - between(rng, 0.015, 0.07) : between(rng, 0.015, 0.07)), from = between(rng, 0.02, 0.5);
        double to = from + between(rng, 0.15, 0.45), sway = between(rng, -0.04, 0.04), lean = between(rng, -0.02, 0.02);
        double p[6] = {beside, from, beside + sway, 0.5 * (from + to), beside + lean, to};
        for (int k = 0; k < 3; k++) {
            double a = p[2 * k], b = p[2 * k + 1];
            p[2 * k] = (upright ? a : b) * w;
            p[2 * k + 1] = (upright ? b : a) * h;
        }
        stroke(canvas, p, half, ink, (uint32_t)rmil_rng_next(rng));
    }
}

/* An air bubble under the cover glass: a dark refracting rim, a bright line inside it, the rest nearly unchanged. */
static void bubble(RmilSynthCanvas *canvas, RmilRng *rng, double scale) {
    static const double shade[3] = {.30, .31, .34};
    double r = between(rng, 50, 230) * scale, x = between(rng, 0.03, 0.97) * (double)canvas->width,
           y = between(rng, 0.03, 0.97) * (double)canvas->height;
    double rim = MAX(4 * scale, 0.05 * r), oval = between(rng, 0.9, 1.12);
    for (int64_t py = (int64_t)MAX(0, y - 1.2 * r - 9); py < MIN((double)canvas->height, y + 1.2 * r + 9); py++)
        for (int64_t px = (int64_t)MAX(0, x - 1.2 * r - 9); px < MIN((double)canvas->width, x + 1.2 * r + 9); px++) {
            double dx = ((double)px - x) * oval, dy = ((double)py - y) / oval, d = sqrt(dx * dx + dy * dy) - r;
            if (d > 3 * rim || d < -5 * rim) continue;
            double side = 0.75 + 0.25 * (dx + dy) / (fabs(d + r) * 1.42 + 1);
            double dark = exp(-d * d / (rim * rim * (d < 0 ? 0.8 : 0.15))), bright = exp(-pow((d + 2.4 * rim) / rim, 2));
            uint8_t *rgb = canvas->rgb + 3 * (py * canvas->width + px);
            filter_light(rgb, shade, 0.85 * dark * side);
            for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)MIN(252, rgb[c] + (int)(26 * bright * (1 - rgb[c] / 255.0)));
        }
}

static void speck(RmilSynthCanvas *canvas, RmilRng *rng, double scale) {
    double shade[3] = {between(rng, .1, .5), between(rng, .1, .45), between(rng, .1, .5)};
    double x = rmil_rng_uniform(rng) * (double)canvas->width, y = rmil_rng_uniform(rng) * (double)canvas->height;
    gboolean fibre = rmil_rng_uniform(rng) < 0.2;
    double r = between(rng, 1.2, fibre ? 2.2 : 6) * scale, angle = between(rng, 0, 2 * G_PI), turn = between(rng, -0.02, 0.02);
    int steps = fibre ? (int)(between(rng, 40, 260) * scale) : (int)rmil_rng_below(rng, 5);
    for (int t = 0; t <= steps; t++, angle += turn + 0.01 * (rmil_rng_uniform(rng) - 0.5)) {
        x += cos(angle);
        y += sin(angle);
        for (int64_t py = (int64_t)(y - r - 1); py <= (int64_t)(y + r + 1); py++)
            for (int64_t px = (int64_t)(x - r - 1); px <= (int64_t)(x + r + 1); px++) {
                if (px < 0 || py < 0 || px >= canvas->width || py >= canvas->height) continue;
                double d = r - hypot((double)px - x, (double)py - y);
                if (d > 0) filter_light(canvas->rgb + 3 * (py * canvas->width + px), shade, (fibre ? 0.25 : 0.6) * MIN(1, d));
            }
    }
}

void rmil_synth_artefacts_light(RmilSynthCanvas *canvas, const RmilSynthAnatomy *map, const RmilSynthPlan *plan, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, plan->stream * 16 + 7);
    int specks = (int)rmil_rng_below(&rng, 40);
    for (int i = 0; i < specks; i++) speck(canvas, &rng, map->scale);
    int bubbles = rmil_rng_uniform(&rng) < 0.2 ? 1 + (int)rmil_rng_below(&rng, 4) : 0;
    for (int i = 0; i < bubbles; i++) bubble(canvas, &rng, map->scale);
    if (rmil_rng_uniform(&rng) < 0.25) pen(canvas, map, &rng);
}
