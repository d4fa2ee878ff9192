/* SPDX-License-Identifier: Apache-2.0 */
/* Slides for viewing: from the means of 8 × 8 pixels, if the file offers them cheaply. */
#include "slide/resample.h"
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

#define PIXELS 4e6 /* eighths read at once */

typedef struct {
    RmilSlide *slide;
    double x, y, downsample; /* of the rectangle, level 0 */
    int64_t columns, rows;   /* output pixels that lie completely within whole eighths */
    int64_t width;           /* of the output */
    uint8_t *rgb;
} Plan;

static void put_row(const uint32_t *argb, int64_t n, uint8_t *rgb) {
    for (int64_t i = 0; i < n; i++) {
        rgb[3 * i] = (uint8_t)(argb[i] >> 16);
        rgb[3 * i + 1] = (uint8_t)(argb[i] >> 8);
        rgb[3 * i + 2] = (uint8_t)argb[i];
    }
}

/* Output rows first … first + n − 1. FALSE, without an error: they must be read in full. */
static gboolean read_rows(const Plan *plan, int64_t first, int64_t n, gboolean *read, GError **error) {
    const double step = plan->downsample / 8, left = plan->x / 8, top = (plan->y + (double)first * plan->downsample) / 8;
    const int64_t x = (int64_t)floor(left), y = (int64_t)floor(top);
    const int64_t width = (int64_t)ceil(left + (double)plan->columns * step - 1e-6) - x,
                  height = (int64_t)ceil(top + (double)n * step - 1e-6) - y;
    g_autofree uint32_t *input = rmil_try_new(width * height, sizeof *input, error),
                        *scratch = rmil_try_new(width, 4 * sizeof *scratch, error),
                        *output = rmil_try_new(plan->columns * n, sizeof *output, error);
    *read = input && scratch && output && plan->slide->backend->read_eighths(plan->slide, x, y, width, height, input);
    if (!*read) return input && scratch && output;
    RmilTaps across = {0}, down = {0};
    const gboolean good = rmil_taps_init(&across, left - (double)x, step, plan->columns, width, error) &&
                          rmil_taps_init(&down, top - (double)y, step, n, height, error);
    if (good) rmil_resample(input, width, &across, &down, output, plan->columns, scratch);
    for (int64_t row = 0; good && row < n; row++)
        put_row(output + row * plan->columns, plan->columns, plan->rgb + 3 * (first + row) * plan->width);
    rmil_taps_clear(&across);
    rmil_taps_clear(&down);
    return good;
}

/* The rest, to the right of the rough part and below it. */
static gboolean read_rest(const Plan *plan, int64_t rows, int64_t height, GError **error) {
    const int64_t beside = plan->width - plan->columns;
    if (beside > 0 && rows > 0) {
        g_autofree uint8_t *rgb = rmil_try_new(beside * rows, 3, error);
        if (!rgb || !rmil_slide_read(plan->slide, plan->x + (double)plan->columns * plan->downsample, plan->y, plan->downsample, beside,
                                     rows, rgb, error))
            return FALSE;
        for (int64_t row = 0; row < rows; row++)
            memcpy(plan->rgb + 3 * (row * plan->width + plan->columns), rgb + 3 * row * beside, (size_t)beside * 3);
    }
    return rows >= height || rmil_slide_read(plan->slide, plan->x, plan->y + (double)rows * plan->downsample, plan->downsample, plan->width,
                                             height - rows, plan->rgb + 3 * rows * plan->width, error);
}

static int64_t whole_pixels(double start, double downsample, int64_t size, int64_t extent) {
    return CLAMP((int64_t)floor(((double)(extent / 8 * 8) - start) / downsample + 1e-9), 0, size);
}

gboolean rmil_slide_read_rough(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                               GError **error) {
    const gboolean can = slide->backend->read_eighths && downsample >= 8 && downsample <= 32768 && x >= 0 && y >= 0 && width >= 1 &&
                         height >= 1 && rmil_slide_level(slide, downsample) == 0;
    const Plan plan = {slide,
                       x,
                       y,
                       downsample,
                       can ? whole_pixels(x, downsample, width, slide->widths[0]) : 0,
                       can ? whole_pixels(y, downsample, height, slide->heights[0]) : 0,
                       width,
                       rgb};
    int64_t done = 0;
    if (plan.columns > 0) {
        const double row = (double)plan.columns * downsample * downsample / 64;
        const int64_t most = MAX((int64_t)(PIXELS / row), 1);
        for (gboolean read = TRUE; read && done < plan.rows;) {
            const int64_t n = MIN(most, plan.rows - done);
            if (!read_rows(&plan, done, n, &read, error)) return FALSE;
            if (read) done += n;
        }
    }
    return read_rest(&plan, done, height, error);
}
