/* SPDX-License-Identifier: Apache-2.0 */
/* What the resolutions of a cohort show when compared: one warning for each kind of slide, which names the slides. */
#include "prepare-private.h"

#include <math.h>
#include <stdlib.h>

#define APART 3.9     /* a slide this many times coarser or finer than the others: 4, as between 40× and 10× */
#define ENLARGED 1.25 /* 20× scanners have up to 0.55 µm */
enum { NAMED = 10 };

typedef struct {
    GString *names;
    int64_t count;
} List;

static void add(List *list, const char *id, double mpp) {
    if (list->count++ >= NAMED) return;
    g_string_append(list->names, list->count > 1 ? ", " : "");
    if (mpp > 0) g_string_append_printf(list->names, "%s (%.3g µm)", id, mpp);
    else g_string_append(list->names, id);
}

/* "1 slide is", "3 slides are" and the names; frees the list. */
static void say(const RmilWork *work, List *list, const char *one, const char *several, const char *rest) {
    if (list->count > NAMED) g_string_append_printf(list->names, " and %" G_GINT64_FORMAT " more", list->count - NAMED);
    if (list->count)
        rmil_monitor_warn(&work->monitor, "%" G_GINT64_FORMAT " %s %s: %s", list->count, list->count == 1 ? one : several, rest,
                          list->names->str);
    g_string_free(list->names, TRUE);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *mpp, int64_t n) {
    g_autofree double *known = g_new(double, n + 1);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (mpp[i] > 0) known[count++] = mpp[i];
    qsort(known, (size_t)count, sizeof *known, compare);
    return count ? known[(count - 1) / 2] : 0;
}

void rmil_work_say_resolutions(const RmilWork *work, const double *mpp) {
    const int64_t n = work->cohort->count;
    const double middle = median(mpp, n);
    List apart = {g_string_new(NULL), 0}, plain = {g_string_new(NULL), 0}, enlarged = {g_string_new(NULL), 0};
    for (int64_t i = 0; i < n; i++) {
        const char *id = work->cohort->rows[i].id;
        if (mpp[i] > 0 && (mpp[i] >= APART * middle || mpp[i] <= middle / APART)) add(&apart, id, mpp[i]);
        if (mpp[i] == 0 && (middle > 0 || work->options.trained)) add(&plain, id, 0);
        if (mpp[i] > ENLARGED * work->options.tile_mpp) add(&enlarged, id, mpp[i]);
    }
    g_autofree char *others = g_strdup_printf("at least 4 times the cohort's %.3g µm per pixel, or at most a quarter of it", middle),
                    *own = g_strdup_printf(
                        "a resolution and are tiled at their own pixels, while tiles of slides have %g µm per pixel; give it as "
                        "--mpp or in the cohort's column mpp",
                        work->options.tile_mpp),
                    *coarse = g_strdup_printf(
                        "coarser than the tiles' %g µm per pixel and enlarged to it; leave them out or give a larger --tile-mpp",
                        work->options.tile_mpp);
    say(work, &apart, "slide has", "slides have", others);
    say(work, &plain, "image is without", "images are without", own);
    say(work, &enlarged, "slide is", "slides are", coarse);
}
