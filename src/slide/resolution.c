#include "slide/slide-private.h"

#include <math.h>
#include <string.h>

/* Between a 200× scan and a flatbed scanner. Outside lie typing errors and the 72 or 300 dpi that programs write into
 * TIFF files without meaning it. */
#define MPP_MIN 0.02
#define MPP_MAX 20.0

static double property_number(RmilSlide *slide, const char *name) {
    const char *text = slide->backend->property(slide, name);
    if (!text) return NAN;
    char *end;
    double value = g_ascii_strtod(text, &end);
    return end != text && *g_strchug(end) == '\0' ? value : NAN;
}

/* Takes (x, y) when both are believable; says so when there is something that is not. */
static gboolean accept(RmilSlide *slide, double x, double y, RmilMppSource source, const char *what) {
    if (isnan(x)) x = y;
    if (isnan(y)) y = x;
    if (isnan(x)) return FALSE;
    if (!(x >= MPP_MIN && x <= MPP_MAX && y >= MPP_MIN && y <= MPP_MAX && MAX(x, y) <= 2 * MIN(x, y))) {
        rmil_slide_warn(slide, "%s of %g × %g µm per pixel is not believable", what, x, y);
        return FALSE;
    }
    if (MAX(x, y) > 1.02 * MIN(x, y)) rmil_slide_warn(slide, "pixels are not square: %g × %g µm", x, y);
    slide->info.mpp = (x + y) / 2;
    slide->info.mpp_source = source;
    return TRUE;
}

static double resolution_unit(RmilSlide *slide) { /* µm */
    const char *unit = slide->backend->property(slide, "tiff.ResolutionUnit");
    return g_strcmp0(unit, "inch") == 0 ? 25400 : g_strcmp0(unit, "centimeter") == 0 ? 10000 : NAN;
}

gboolean rmil_slide_find_mpp(RmilSlide *slide, double given, GError **error) {
    if (given != 0) {
        if (!(given >= 1e-3 && given <= 1e3))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: mpp %g is outside 0.001 … 1000 µm per pixel", slide->name,
                             given);
        slide->info.mpp = given;
        slide->info.mpp_source = RMIL_MPP_GIVEN;
        return TRUE;
    }
    const guint first = slide->warnings->len;
    slide->info.mpp_source = RMIL_MPP_NONE;
    if (slide->info.plain) return TRUE;
    if (accept(slide, property_number(slide, "openslide.mpp-x"), property_number(slide, "openslide.mpp-y"),
               RMIL_MPP_PROPERTY, "the scanner's mpp"))
        return TRUE;
    double unit = resolution_unit(slide);
    if (accept(slide, unit / property_number(slide, "tiff.XResolution"), unit / property_number(slide, "tiff.YResolution"),
               RMIL_MPP_RESOLUTION, "the TIFF resolution"))
        return TRUE;
    double power = property_number(slide, "openslide.objective-power");
    if (accept(slide, 10 / power, 10 / power, RMIL_MPP_OBJECTIVE, "the objective power's")) {
        rmil_slide_warn(slide, "resolution guessed from the %g× objective: %g µm per pixel", power, 10 / power);
        return TRUE;
    }
    g_autoptr(GString) said = g_string_new(NULL);
    for (guint i = first; i < slide->warnings->len; i++)
        g_string_append_printf(said, "%s%s", said->len ? "; " : " (", (const char *)slide->warnings->pdata[i]);
    return rmil_fail(error, RMIL_ERROR_RESOLUTION, "%s: does not say its resolution%s%s: give --mpp or the cohort's mpp column", slide->name,
                     said->str, said->len ? ")" : "");
}
