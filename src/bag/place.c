/* SPDX-License-Identifier: Apache-2.0 */
/* Where patches lie: units and spacing of coordinates. */
#include "bag-private.h"
#include "rankmil/slide.h"

#include <math.h>
#include <stdlib.h>

void rmil_bag_set_mpp(RmilBag *bag, double mpp) {
    if (!(mpp > 0)) return;
    bag->mpp = mpp;
    if (!(bag->coords_um > 0)) return;
    double scale = bag->coords_um / mpp;
    for (int64_t i = 0; bag->coords && i < 2 * bag->count; i++) bag->coords[i] = llrint((double)bag->coords[i] * scale);
    bag->patch_size_level0 *= scale;
    bag->coords_um = 0;
}

gboolean rmil_bag_locate(RmilBag *bag, const char *slide, double mpp, GError **error) {
    if (!(mpp > 0) && bag->coords_um > 0 && slide) {
        g_autoptr(RmilSlide) opened = rmil_slide_open(slide, 0, error);
        if (!opened) {
            g_prefix_error(error, "%s: coordinates are in µm, but the slide does not state its µm per pixel: ", bag->id);
            return FALSE;
        }
        mpp = rmil_slide_info(opened)->mpp;
    }
    rmil_bag_set_mpp(bag, mpp);
    return bag->coords_um == 0 || rmil_fail(error, RMIL_ERROR_RESOLUTION,
                                            "%s: coordinates are in µm, but the slide's µm per pixel is not known: give --mpp or "
                                            "fill the cohort's mpp column",
                                            bag->id);
}

typedef struct {
    int64_t x, y;
} Place;

static int compare_places(const void *a, const void *b) {
    const Place *p = a, *q = b;
    return p->y != q->y ? (p->y > q->y) - (p->y < q->y) : (p->x > q->x) - (p->x < q->x);
}

static int compare_gaps(const void *a, const void *b) {
    int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return (p > q) - (p < q);
}

/* Tiles without overlap are as far apart as they are wide: the most frequent distance between neighbours in a row, if at
 * least half of them have it. 0: there is no such grid; −1: failed. */
double rmil_bag_grid_spacing(const RmilBag *bag, GError **error) {
    enum { FEWEST = 4, LEAST_PX = 16 };
    g_autofree Place *places = rmil_try_new(bag->count, sizeof *places, error);
    g_autofree int64_t *gaps = rmil_try_new(bag->count, sizeof *gaps, error);
    if (!places || !gaps) return -1;
    for (int64_t i = 0; i < bag->count; i++) places[i] = (Place){bag->coords[2 * i], bag->coords[2 * i + 1]};
    qsort(places, (size_t)bag->count, sizeof *places, compare_places);
    int64_t n = 0, best = 0, most = 0;
    for (int64_t i = 1; i < bag->count; i++)
        if (places[i].y == places[i - 1].y && places[i].x > places[i - 1].x) gaps[n++] = places[i].x - places[i - 1].x;
    qsort(gaps, (size_t)n, sizeof *gaps, compare_gaps);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && gaps[j] == gaps[i]; j++) continue;
        if (j - i <= most) continue;
        most = j - i;
        best = gaps[i];
    }
    return most >= FEWEST && 2 * most >= n && best >= LEAST_PX ? (double)best : 0;
}
