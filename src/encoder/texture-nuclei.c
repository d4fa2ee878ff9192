/* SPDX-License-Identifier: Apache-2.0 */
/* Nuclei as connected components of a mask, found by runs and union-find. */
#include "texture.h"

#include <math.h>
#include <string.h>

#define SIDE TEXTURE_SIDE1
#define MOST_RUNS (SIDE * SIDE / 2)
#define SMALLEST 8 /* px of level 1, µm² at 0.5 µm/px */

typedef struct {
    int32_t area, perimeter, sum_x, sum_y, sum_h, sum_e;
    int32_t sum_xx, sum_yy, sum_xy, sum_hh; /* at most 112³ … 12544 · 255²: fits */
} Component;

typedef struct {
    uint8_t first, last; /* columns, both inside */
    uint16_t parent;
} Run;

G_STATIC_ASSERT((sizeof(Run) + sizeof(Component)) * MOST_RUNS <= TEXTURE_NUCLEI_SCRATCH);
G_STATIC_ASSERT(SIDE <= 128);

static uint16_t find_root(Run *runs, uint16_t i) {
    while (runs[i].parent != i) {
        runs[i].parent = runs[runs[i].parent].parent;
        i = runs[i].parent;
    }
    return i;
}

static void join(Run *runs, uint16_t a, uint16_t b) {
    a = find_root(runs, a);
    b = find_root(runs, b);
    if (a < b) runs[b].parent = a;
    else runs[a].parent = b;
}

static void add_run(Component *component, const Run *run, int y, const uint8_t *h, const uint8_t *e) {
    int32_t n = run->last - run->first + 1, sum_x = 0, sum_xx = 0, sum_h = 0, sum_hh = 0, sum_e = 0;
    for (int32_t x = run->first; x <= run->last; x++) {
        sum_x += x;
        sum_xx += x * x;
        sum_h += h[x];
        sum_hh += h[x] * h[x];
        sum_e += e[x];
    }
    component->area += n;
    component->perimeter += 2 + 2 * n; /* minus the sides shared with runs above and below */
    component->sum_x += sum_x;
    component->sum_y += n * y;
    component->sum_xx += sum_xx;
    component->sum_yy += n * y * y;
    component->sum_xy += sum_x * y;
    component->sum_h += sum_h;
    component->sum_hh += sum_hh;
    component->sum_e += sum_e;
}

/* Fills components (at the index of their root run) and returns the number of runs. */
static int label(const uint8_t *mask, const uint8_t *h, const uint8_t *e, Run *runs, Component *components) {
    int count = 0, above = 0, above_end = 0;
    for (int y = 0; y < SIDE; y++) {
        const uint8_t *row = mask + (size_t)y * SIDE;
        int start = count;
        for (int x = 0; x < SIDE;) {
            const uint8_t *next = memchr(row + x, 1, (size_t)(SIDE - x));
            if (!next) break;
            int first = (int)(next - row);
            for (x = first; x < SIDE && row[x]; x++) continue;
            Run *run = &runs[count];
            *run = (Run){(uint8_t)first, (uint8_t)(x - 1), (uint16_t)count};
            components[count] = (Component){0};
            add_run(&components[count], run, y, h + (size_t)y * SIDE, e + (size_t)y * SIDE);
            while (above < above_end && runs[above].last < first) above++;
            for (int i = above; i < above_end && runs[i].first < x; i++) {
                int shared = MIN((int)runs[i].last, x - 1) - MAX((int)runs[i].first, first) + 1;
                components[count].perimeter -= 2 * shared;
                join(runs, (uint16_t)i, (uint16_t)count);
            }
            count++;
        }
        above = start;
        above_end = count;
    }
    for (int i = 0; i < count; i++) {
        uint16_t root = find_root(runs, (uint16_t)i);
        if (root == i) continue;
        Component *to = &components[root], *from = &components[i];
        to->area += from->area;
        to->perimeter += from->perimeter;
        to->sum_x += from->sum_x;
        to->sum_y += from->sum_y;
        to->sum_xx += from->sum_xx;
        to->sum_yy += from->sum_yy;
        to->sum_xy += from->sum_xy;
        to->sum_h += from->sum_h;
        to->sum_hh += from->sum_hh;
        to->sum_e += from->sum_e;
        from->area = 0;
    }
    return count;
}

static double elongation(const Component *c) {
    double n = c->area, mx = c->sum_x / n, my = c->sum_y / n;
    /* a pixel is a square: its own second moment is 1/12 */
    double xx = c->sum_xx / n - mx * mx + 1.0 / 12, yy = c->sum_yy / n - my * my + 1.0 / 12, xy = c->sum_xy / n - mx * my;
    double half = (xx + yy) / 2, root = sqrt((xx - yy) * (xx - yy) / 4 + xy * xy);
    return sqrt(MAX(half - root, 0) / (half + root));
}

static double spread(double sum, double squares, double n) {
    double mean = sum / n;
    return sqrt(MAX(squares / n - mean * mean, 0));
}

void rmil_texture_nuclei(const uint8_t *mask, const uint8_t *h, const uint8_t *e, void *scratch, TextureNuclei *nuclei) {
    static const int limits[TEXTURE_SIZES - 1] = {20, 40, 70, 120, 250};
    Run *runs = scratch;
    Component *components = (Component *)(runs + MOST_RUNS);
    int count = label(mask, h, e, runs, components);
    *nuclei = (TextureNuclei){0};
    double log_area = 0, log_area2 = 0, large = 0, axis = 0, axis2 = 0, round = 0, round2 = 0, dark = 0, dark2 = 0;
    double chromatin = 0, eosin = 0;
    for (int i = 0; i < count; i++) {
        const Component *c = &components[i];
        if (c->area < SMALLEST) continue;
        double area = c->area, size = log(area), thin = elongation(c), mean_h = c->sum_h / area;
        /* pixel edges overstate a round outline by 4/π */
        double roundness = MIN(4 * G_PI * area / (c->perimeter * (G_PI / 4) * c->perimeter * (G_PI / 4)), 1.5);
        int bin = 0;
        while (bin < TEXTURE_SIZES - 1 && c->area >= limits[bin]) bin++;
        nuclei->sizes[bin] += area;
        nuclei->count++;
        nuclei->area += c->area;
        log_area += size;
        log_area2 += size * size;
        large += area * size;
        axis += thin;
        axis2 += thin * thin;
        round += roundness;
        round2 += roundness * roundness;
        dark += mean_h;
        dark2 += mean_h * mean_h;
        chromatin += sqrt(MAX(c->sum_hh / area - mean_h * mean_h, 0));
        eosin += c->sum_e;
    }
    if (!nuclei->count) return;
    double n = nuclei->count, area = nuclei->area;
    for (int i = 0; i < TEXTURE_SIZES; i++) nuclei->sizes[i] /= area;
    nuclei->log_area = log_area / n;
    nuclei->log_area_sd = spread(log_area, log_area2, n);
    nuclei->large = large / area;
    nuclei->elongation = axis / n;
    nuclei->elongation_sd = spread(axis, axis2, n);
    nuclei->roundness = round / n;
    nuclei->roundness_sd = spread(round, round2, n);
    nuclei->darkness = dark / n;
    nuclei->darkness_sd = spread(dark, dark2, n);
    nuclei->chromatin = chromatin / n;
    nuclei->eosin = eosin / area;
}
