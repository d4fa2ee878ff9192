/* SPDX-License-Identifier: Apache-2.0 */
/* How many µm a pixel has, and how far that can be trusted. */
#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

/* From a 200× scan to a flatbed scanner. Values outside are typing errors, or the 72 or 300 dpi that programs write into TIFF files without
 * meaning it. */
#define MPP_MIN 0.02
#define MPP_MAX 20.0
/* The usual range of scanners: about 90× to 4.5×. Values outside are more often than not errors of the unit. */
#define USUAL_MIN 0.11
#define USUAL_MAX 2.2

static double property_number(RmilSlide *slide, const char *name) {
    const char *text = slide->backend->property(slide, name);
    if (!text) return NAN;
    char *end;
    double value = g_ascii_strtod(text, &end);
    return end != text && *g_strchug(end) == '\0' ? value : NAN;
}

static gboolean is_magnification(double mpp) {
    static const double powers[] = {2.5, 4, 5, 10, 20, 40, 60, 63, 80, 100};
    for (gsize i = 0; i < G_N_ELEMENTS(powers); i++)
        if (mpp == powers[i]) return TRUE;
    return FALSE;
}

/* A value that is used, but seldom right. */
static void warn_unusual(RmilSlide *slide, double mpp, const char *what) {
    if (mpp >= USUAL_MIN && mpp <= USUAL_MAX) return;
    if (is_magnification(mpp))
        rmil_slide_warn(slide, "%s is %g µm per pixel: is that the magnification? A slide scanned at %g× has about %g µm per pixel", what,
                        mpp, mpp, 10 / mpp);
    else
        rmil_slide_warn(slide,
                        "%s is %.4g µm per pixel, which is unusual: a scan at %.3g×. If it is wrong, give --mpp or the cohort's mpp column",
                        what, mpp, 10 / mpp);
}

/* Uses (x, y) if both are plausible; warns of a value that is not. */
static gboolean accept(RmilSlide *slide, double x, double y, RmilMppSource source, const char *what) {
    if (isnan(x)) x = y;
    if (isnan(y)) y = x;
    if (isnan(x)) return FALSE;
    if (!(x >= MPP_MIN && x <= MPP_MAX && y >= MPP_MIN && y <= MPP_MAX && MAX(x, y) <= 2 * MIN(x, y))) {
        if (!slide->info.plain) rmil_slide_warn(slide, "%s of %g × %g µm per pixel is not believable", what, x, y);
        return FALSE;
    }
    if (MAX(x, y) > 1.02 * MIN(x, y)) rmil_slide_warn(slide, "pixels are not square: %g × %g µm", x, y);
    slide->info.mpp = (x + y) / 2;
    slide->info.mpp_source = source;
    warn_unusual(slide, slide->info.mpp, what);
    return TRUE;
}

/* ImageJ writes its unit into the description, not into the tag. */
static double imagej_unit(const char *description) {
    if (!description || !g_str_has_prefix(description, "ImageJ=")) return NAN;
    g_auto(GStrv) lines = g_strsplit(description, "\n", 64);
    for (int i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], "unit=")) {
            const char *unit = g_strchomp(lines[i]) + strlen("unit=");
            return strcmp(unit, "\\u00B5m") == 0 ? 1 : rmil_length_unit(unit);
        }
    return NAN;
}

static double resolution_unit(RmilSlide *slide) { /* µm */
    const char *unit = slide->backend->property(slide, "tiff.ResolutionUnit");
    if (g_strcmp0(unit, "inch") == 0) return 25400;
    if (g_strcmp0(unit, "centimeter") == 0) return 10000;
    return imagej_unit(slide->backend->property(slide, "tiff.ImageDescription"));
}

/* A 40× objective goes with about 0.25 µm; if a file states both, they should agree. */
static void check_objective(RmilSlide *slide) {
    double power = property_number(slide, "openslide.objective-power"), product = slide->info.mpp * power;
    if (power > 0 && !(product >= 5 && product <= 20))
        rmil_slide_warn(slide,
                        "%g µm per pixel does not match its %g× objective: if it is wrong, give --mpp or the cohort's mpp "
                        "column",
                        slide->info.mpp, power);
}

/* What the file states, best source first. */
static gboolean find_in_file(RmilSlide *slide) {
    RmilOme ome;
    if (rmil_ome_read(slide->backend->property(slide, "tiff.ImageDescription"), &ome) &&
        accept(slide, ome.x, ome.y, RMIL_MPP_OME, "the OME-XML's PhysicalSize"))
        return TRUE;
    if (accept(slide, property_number(slide, "openslide.mpp-x"), property_number(slide, "openslide.mpp-y"), RMIL_MPP_PROPERTY,
               "the scanner's mpp"))
        return TRUE;
    double unit = resolution_unit(slide);
    return accept(slide, unit / property_number(slide, "tiff.XResolution"), unit / property_number(slide, "tiff.YResolution"),
                  RMIL_MPP_RESOLUTION, "the TIFF resolution");
}

gboolean rmil_slide_find_mpp(RmilSlide *slide, double given, GError **error) {
    if (given != 0) {
        if (!(given >= 1e-3 && given <= 1e3))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: mpp %g is outside 0.001 … 1000 µm per pixel", slide->name, given);
        slide->info.mpp = given;
        slide->info.mpp_source = RMIL_MPP_GIVEN;
        warn_unusual(slide, given, "the given mpp");
        return TRUE;
    }
    const guint first = slide->warnings->len;
    slide->info.mpp_source = RMIL_MPP_NONE;
    if (find_in_file(slide)) {
        check_objective(slide);
        return TRUE;
    }
    if (slide->info.plain) return TRUE;
    double power = property_number(slide, "openslide.objective-power");
    if (accept(slide, 10 / power, 10 / power, RMIL_MPP_OBJECTIVE, "the objective power's")) {
        rmil_slide_warn(slide, "resolution guessed from the %g× objective: %g µm per pixel", power, 10 / power);
        return TRUE;
    }
    g_autoptr(GString) said = g_string_new(NULL);
    for (guint i = first; i < slide->warnings->len; i++)
        g_string_append_printf(said, "%s%s", said->len ? "; " : " (", (const char *)slide->warnings->pdata[i]);
    return rmil_fail(error, RMIL_ERROR_RESOLUTION, "%s: does not say its resolution%s%s: give --mpp or the cohort's mpp column",
                     slide->name, said->str, said->len ? ")" : "");
}
