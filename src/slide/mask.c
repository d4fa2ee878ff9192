/* SPDX-License-Identifier: Apache-2.0 */
/* The tissue mask: its size, and the rules that make it, one after another. */
#include "slide/mask-private.h"

#include <math.h>
#include <string.h>

#define MASK_MPP 4.0    /* µm per mask pixel */
#define SIDE_PLAIN 4096 /* mask pixels per side for a plain image */
#define SIDE_MAX 16384  /* for any slide: 256 MiB */

static const char *const methods[] = {"otsu", "hsv", "none"};

const char *rmil_tissue_method_name(RmilTissueMethod method) { return methods[method]; }

gboolean rmil_tissue_method_parse(const char *name, RmilTissueMethod *method, GError **error) {
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++)
        if (strcmp(methods[i], name) == 0) {
            *method = (RmilTissueMethod)i;
            return TRUE;
        }
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--tissue must be otsu, hsv or none (all of the scan), not \"%.60s\"", name);
}

const char *rmil_left_out_name(RmilLeftOut reason) {
    static const char *const names[] = {"", "pen", "fold", "small", "blur"};
    return names[reason];
}

void rmil_tissue_options_init(RmilTissueOptions *options) { *options = (RmilTissueOptions){.method = RMIL_TISSUE_OTSU}; }

void rmil_tissue_warn(RmilTissueSearch *search, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(search->warnings, g_strdup_printf("%s: %s", search->slide->name, text));
}

static double choose_downsample(const RmilSlideInfo *info, double mask_mpp) {
    double longest = (double)MAX(info->width, info->height), downsample = 1;
    if (info->mpp > 0 && (mask_mpp > 0 || !info->plain)) downsample = (mask_mpp > 0 ? mask_mpp : MASK_MPP) / info->mpp;
    return MAX(MAX(downsample, 1), longest / (info->plain ? SIDE_PLAIN : SIDE_MAX));
}

int64_t rmil_mask_pixels(const RmilSlide *slide, double mpp) {
    double downsample = choose_downsample(&slide->info, mpp);
    int level = rmil_slide_level(slide, downsample);
    return slide->widths[level] * slide->heights[level];
}

double rmil_mask_mpp(const RmilTissueSearch *search) { return search->slide->info.mpp * search->mask->downsample; }

double rmil_mask_scale(const RmilTissueSearch *search) {
    const double mpp = rmil_mask_mpp(search);
    return mpp > 0 ? mpp : MASK_MPP;
}

/* -- given tissue --------------------------------------------------------------------------------------------------------------- */
/* A ring crosses the middle of a row: from there on, tissue and no tissue are swapped (see fill_rings). */
static void cross(RmilMask *mask, int64_t row, double x) {
    const int64_t first = (int64_t)ceil(CLAMP(x / mask->downsample - 0.5, 0, (double)mask->width));
    if (first < mask->width) mask->tissue[row * mask->width + first] ^= 1;
}

void rmil_mask_add_ring(RmilMask *mask, const double *xy, int64_t count) {
    for (int64_t i = 0; i + 1 < count; i++) {
        const double *a = xy + 2 * i, *b = a + 2;
        if (a[1] > b[1]) {
            const double *swap = a;
            a = b;
            b = swap;
        }
        /* rows whose middle lies in [a.y, b.y) */
        const double top = CLAMP(a[1] / mask->downsample - 0.5, 0, (double)mask->height),
                     bottom = CLAMP(b[1] / mask->downsample - 0.5, 0, (double)mask->height);
        for (int64_t row = (int64_t)ceil(top); row < (int64_t)ceil(bottom); row++) {
            const double y = ((double)row + 0.5) * mask->downsample;
            cross(mask, row, a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]));
        }
    }
}

static void fill_rings(RmilMask *mask) {
    for (int64_t row = 0; row < mask->height; row++)
        for (int64_t i = 1; i < mask->width; i++) mask->tissue[row * mask->width + i] ^= mask->tissue[row * mask->width + i - 1];
}

/* -- found tissue --------------------------------------------------------------------------------------------------------------- */
static gboolean all_scanned(RmilTissueSearch *search, GError **error) {
    RmilMask *mask = search->mask;
    gboolean dark;
    if (!rmil_tissue_black(search, &dark, error)) return FALSE;
    for (int64_t i = 0; i < mask->width * mask->height; i++) mask->tissue[i] = mask->tissue[i] != RMIL_UNSCANNED;
    return TRUE;
}

static gboolean find(RmilTissueSearch *search, GError **error) {
    static gboolean (*const by[])(RmilTissueSearch *, GError **) = {rmil_tissue_by_otsu, rmil_tissue_by_hsv, all_scanned};
    if (!search->options->draw) return by[search->options->method](search, error);
    search->options->draw(search->mask, search->options->user);
    fill_rings(search->mask);
    return TRUE;
}

/* Removes small pieces and holes; sizes are in mask pixels, so nothing is removed if the resolution is unknown. */
static gboolean drop_by_area(RmilTissueSearch *search, GError **error) {
    const RmilTissueOptions *options = search->options;
    RmilMask *mask = search->mask;
    const double mpp = rmil_mask_mpp(search), pixel = mpp * mpp * 1e-6;
    if (options->min_area == 0 && options->max_hole == 0) return TRUE;
    if (pixel <= 0) {
        rmil_tissue_warn(search, "has no resolution, so small pieces and holes of its tissue are kept");
        return TRUE;
    }
    if (options->max_hole > 0 && !rmil_plane_fill_holes(mask->tissue, mask, options->max_hole / pixel, error)) return FALSE;
    if (options->min_area == 0) return TRUE;
    const int64_t n = mask->width * mask->height;
    g_autofree uint8_t *before = g_memdup2(mask->tissue, (gsize)n);
    if (!rmil_plane_drop_small(mask->tissue, mask, options->min_area / pixel, error)) return FALSE;
    for (int64_t i = 0; i < n; i++) {
        if (mask->tissue[i] || !before[i]) continue;
        mask->left_out[i] = RMIL_LEFT_SMALL;
        mask->left[RMIL_LEFT_SMALL]++;
    }
    return TRUE;
}

static double count_tissue(const RmilMask *mask) {
    double n = 0;
    for (int64_t i = 0; i < mask->width * mask->height; i++) n += mask->tissue[i];
    return n;
}

static gboolean leave_out(RmilTissueSearch *search, GError **error) {
    const RmilTissueOptions *options = search->options;
    RmilMask *mask = search->mask;
    mask->found = count_tissue(mask);
    if (!options->pen && !options->fold && options->min_area == 0 && options->max_hole == 0) return TRUE;
    if (!(mask->left_out = rmil_alloc(mask->width * mask->height, 1, error))) return FALSE;
    return (!options->pen || rmil_tissue_drop_pen(search, error)) && (!options->fold || rmil_tissue_drop_folds(search, error)) &&
           drop_by_area(search, error);
}

static gboolean make_plane(uint8_t **plane, gboolean wanted, const RmilMask *mask, GError **error) {
    return !wanted || (*plane = rmil_try_new(mask->width * mask->height, 1, error));
}

static gboolean search_tissue(RmilTissueSearch *search, GError **error) {
    const RmilTissueOptions *options = search->options;
    RmilMask *mask = search->mask;
    if (!options->draw) search->gray = mask->tissue;
    if (!make_plane(&search->saturation, options->method == RMIL_TISSUE_HSV && !options->draw, mask, error) ||
        !make_plane(&search->ink, options->pen, mask, error) || !make_plane(&search->density, options->fold, mask, error) ||
        ((search->gray || options->pen || options->fold) && !rmil_tissue_read(search, error)) || !find(search, error) ||
        !leave_out(search, error))
        return FALSE;
    if (mask->found == 0)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no tissue found%s", search->slide->name,
                         options->draw ? ": the given tissue outline is empty or lies outside the slide" : "");
    double left = mask->found;
    for (int r = 0; r < RMIL_LEFT_REASONS; r++) left -= mask->left[r];
    return left > 0 ||
           rmil_fail(error, RMIL_ERROR_DATA, "%s: no tissue is left after removing pen marks, folds and small pieces", search->slide->name);
}

static gboolean in_range(const char *what, double value, double low, double high, const char *unit, GError **error) {
    return (value >= low && value <= high) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: %g %s is outside %g … %g", what, value, unit, low, high);
}

static gboolean check_options(const RmilTissueOptions *options, GError **error) {
    return (options->mpp == 0 || in_range("the mask", options->mpp, 0.05, 1000, "µm per pixel", error)) &&
           in_range("the least area of tissue", options->min_area, 0, 1e6, "mm²", error) &&
           in_range("the largest hole to be filled", options->max_hole, 0, 1e6, "mm²", error);
}

RmilMask *rmil_mask_new(RmilSlide *slide, const RmilTissueOptions *options, GError **error) {
    RmilTissueOptions usual;
    rmil_tissue_options_init(&usual);
    if (!options) options = &usual;
    if (!check_options(options, error)) return NULL;
    g_autoptr(RmilMask) mask = g_new0(RmilMask, 1);
    mask->downsample = choose_downsample(&slide->info, options->mpp);
    mask->width = MAX(1, (int64_t)ceil((double)slide->info.width / mask->downsample - 1e-9));
    mask->height = MAX(1, (int64_t)ceil((double)slide->info.height / mask->downsample - 1e-9));
    mask->tissue = rmil_alloc(mask->width * mask->height, 1, error);
    if (!mask->tissue) return NULL;
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    RmilTissueSearch search = {.slide = slide, .options = options, .mask = mask, .warnings = warnings};
    const gboolean done = search_tissue(&search, error);
    g_free(search.saturation);
    g_free(search.ink);
    g_free(search.density);
    if (!done) return NULL;
    g_ptr_array_add(warnings, NULL);
    mask->warnings = (char **)g_ptr_array_steal(warnings, NULL);
    return g_steal_pointer(&mask);
}

void rmil_mask_free(RmilMask *mask) {
    if (!mask) return;
    rmil_free(mask->tissue);
    rmil_free(mask->left_out);
    g_strfreev(mask->warnings);
    g_free(mask);
}
