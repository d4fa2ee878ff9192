/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles and regions of a slide, at any resolution. */
#include "slide/slide-private.h"

#include "slide/resample.h"

#include <math.h>
#include <string.h>

#define BLOCK 2048           /* level pixels per side decoded at once: bounds the memory of any read */
#define SIDE_MAX 1000000     /* output pixels per side */
#define REDUCTION_MAX 4096.0 /* level pixels per output pixel */
#define LEVEL_SLACK 1.01     /* accepts a level this little coarser than requested: scanners' levels are 4.0003, not 4 */
#define DRIFT 0.1            /* output pixels by which a copied rectangle may end off its place */

typedef struct {
    RmilSlide *slide;
    double x, y, downsample;
    int64_t width, height;
    int level;
    double ratio; /* level pixels per output pixel */
    uint32_t *argb;
} Plan;

/* A stretch of one axis: output pixels from … from + size, and the level pixels that they come from. */
typedef struct {
    int64_t from, size; /* output */
    int64_t origin;     /* level 0: start of the level pixels */
    int64_t input;      /* level pixels; 0: all outside */
    double offset;      /* of output pixel `from`, in level pixels from the origin */
} Stretch;

int rmil_slide_level(const RmilSlide *slide, double downsample) {
    int best = 0;
    for (int i = 1; i < slide->info.levels; i++)
        if (slide->downsamples[i] <= downsample * LEVEL_SLACK && slide->downsamples[i] > slide->downsamples[best]) best = i;
    return best;
}

/* A region starts at a whole level-0 pixel, which is a fraction of a level pixel off if the downsample is not whole. The nearest such pixel
 * is requested, `offset` counts from its true position, and the region is wider by what that needs. */
static Stretch plan_stretch(const Plan *plan, double start, int64_t from, int64_t size, int64_t extent) {
    double scale = plan->slide->downsamples[plan->level];
    double low = (start + (double)from * plan->downsample) / scale;
    double high = (start + (double)(from + size) * plan->downsample) / scale;
    double margin = plan->ratio < 1 ? 1 : 0; /* interpolation needs the neighbours */
    double first = MAX(0, floor(low + 1e-6 - margin)), last = MIN((double)extent, ceil(high - 1e-6 + margin));
    Stretch stretch = {.from = from, .size = size};
    if (last <= first) return stretch;
    if (first > 0 && round(first * scale) / scale > low - margin + 1e-6) first--;
    stretch.origin = (int64_t)round(first * scale);
    double real = (double)stretch.origin / scale;
    stretch.input = (int64_t)ceil(last - real - 1e-6);
    stretch.offset = low - real;
    return stretch;
}

static gboolean read_block(const Plan *plan, const Stretch *x, const Stretch *y, GError **error) {
    uint32_t *output = plan->argb + y->from * plan->width + x->from;
    if (x->input == 0 || y->input == 0) {
        for (int64_t row = 0; row < y->size; row++) memset(output + row * plan->width, 0, (size_t)x->size * 4);
        return TRUE;
    }
    g_autofree uint32_t *input = g_try_malloc((gsize)(x->input * y->input) * 4),
                        *scratch = rmil_try_new(x->input, 4 * sizeof *scratch, error);
    if (!scratch) return FALSE;
    if (!input)
        return rmil_fail(error, RMIL_ERROR_MEMORY, "%s: not enough memory for %" G_GINT64_FORMAT " pixels", plan->slide->name,
                         x->input * y->input);
    if (!plan->slide->backend->read(plan->slide, x->origin, y->origin, plan->level, x->input, y->input, input, error)) return FALSE;
    RmilTaps across = {0}, down = {0};
    gboolean good = rmil_taps_init(&across, x->offset, plan->ratio, x->size, x->input, error) &&
                    rmil_taps_init(&down, y->offset, plan->ratio, y->size, y->input, error);
    if (good) rmil_resample(input, x->input, &across, &down, output, plan->width, scratch);
    rmil_taps_clear(&across);
    rmil_taps_clear(&down);
    return good;
}

/* Level pixels that equal output pixels are read straight into their place; only whole rows can be read without a copy. */
static gboolean copy_block(const Plan *plan, const Stretch *x, const Stretch *y, GError **error) {
    double scale = plan->slide->downsamples[plan->level];
    int64_t left = (int64_t)llround(plan->x + (double)x->from * scale);
    int64_t top = (int64_t)llround(plan->y + (double)y->from * scale);
    uint32_t *output = plan->argb + y->from * plan->width + x->from;
    if (x->size == plan->width) return plan->slide->backend->read(plan->slide, left, top, plan->level, x->size, y->size, output, error);
    g_autofree uint32_t *input = rmil_try_new(x->size * y->size, sizeof *input, error);
    if (!input) return FALSE;
    if (!plan->slide->backend->read(plan->slide, left, top, plan->level, x->size, y->size, input, error)) return FALSE;
    for (int64_t row = 0; row < y->size; row++) memcpy(output + row * plan->width, input + row * x->size, (size_t)x->size * 4);
    return TRUE;
}

static gboolean can_copy(const Plan *plan) {
    const RmilSlide *slide = plan->slide;
    double scale = slide->downsamples[plan->level];
    double drift = fabs(plan->ratio - 1) * (double)MAX(plan->width, plan->height);
    return drift <= DRIFT && plan->x == floor(plan->x) && plan->y == floor(plan->y) && plan->x >= 0 && plan->y >= 0 &&
           floor(plan->x / scale) + (double)plan->width <= (double)slide->widths[plan->level] &&
           floor(plan->y / scale) + (double)plan->height <= (double)slide->heights[plan->level];
}

gboolean rmil_slide_read_argb(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint32_t *argb,
                              GError **error) {
    if (!(fabs(x) <= 1e9 && fabs(y) <= 1e9 && downsample >= 1.0 / 1024 && downsample <= 1e6) || width < 1 || height < 1 ||
        width > SIDE_MAX || height > SIDE_MAX)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "%s: cannot read %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " pixels at (%g, %g), downsample %g", slide->name,
                         width, height, x, y, downsample);
    int level = rmil_slide_level(slide, downsample);
    Plan plan = {slide, x, y, downsample, width, height, level, downsample / slide->downsamples[level], argb};
    if (plan.ratio > REDUCTION_MAX)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: downsample %g is too large for a slide whose coarsest level is %g", slide->name,
                         downsample, slide->downsamples[level]);
    /* an enlargement of up to LEVEL_SLACK counts as a box, which it very nearly is */
    gboolean copy = can_copy(&plan);
    int64_t step = MAX(1, (int64_t)(BLOCK / plan.ratio));
    for (int64_t top = 0; top < height; top += step) {
        Stretch rows = plan_stretch(&plan, y, top, MIN(step, height - top), slide->heights[level]);
        for (int64_t left = 0; left < width; left += step) {
            Stretch columns = plan_stretch(&plan, x, left, MIN(step, width - left), slide->widths[level]);
            if (!(copy ? copy_block : read_block)(&plan, &columns, &rows, error)) return FALSE;
        }
    }
    return TRUE;
}

/* Composites over the background; `argb` is premultiplied. */
RMIL_CLONES static void flatten(const uint32_t *restrict argb, const uint8_t background[3], uint8_t *restrict rgb, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t pixel = argb[i], missing = 255 - (pixel >> 24);
        uint32_t red = pixel >> 16 & 255, green = pixel >> 8 & 255, blue = pixel & 255;
        if (G_UNLIKELY(missing)) {
            red = MIN(255, red + (background[0] * missing + 127) / 255);
            green = MIN(255, green + (background[1] * missing + 127) / 255);
            blue = MIN(255, blue + (background[2] * missing + 127) / 255);
        }
        rgb[3 * i] = (uint8_t)red;
        rgb[3 * i + 1] = (uint8_t)green;
        rgb[3 * i + 2] = (uint8_t)blue;
    }
}

gboolean rmil_slide_read(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb,
                         GError **error) {
    /* in strips, so that a large picture needs little more than its own bytes */
    int64_t rows = CLAMP((INT64_C(1) << 22) / MAX(width, 1), 1, MAX(height, 1));
    g_autofree uint32_t *argb = g_try_malloc_n((gsize)CLAMP(width, 1, SIDE_MAX) * (gsize)rows, 4);
    if (!argb) return rmil_fail(error, RMIL_ERROR_MEMORY, "%s: not enough memory to read from it", slide->name);
    for (int64_t top = 0; top < MAX(height, 1); top += rows) {
        int64_t n = MIN(rows, height - top);
        if (!rmil_slide_read_argb(slide, x, y + (double)top * downsample, downsample, width, n, argb, error)) return FALSE;
        flatten(argb, slide->background, rgb + 3 * top * width, n * width);
    }
    return TRUE;
}
