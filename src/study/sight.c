/* SPDX-License-Identifier: Apache-2.0 */
/* Slides that models of pixels cannot read: examined once, reported once. */
#include "sight.h"

#include "base/base-private.h"
#include "rankmil/slide.h"

enum { SIDE = 224 }; /* side of the tile read as a test, the size that the models read */

struct _RmilSight {
    GMutex lock;
    int64_t rows;
    gboolean *looked, *told;
    char **blind; /* by row: why the slide cannot be read, or NULL */
};

RmilSight *rmil_sight_new(int64_t rows) {
    RmilSight *sight = g_new0(RmilSight, 1);
    g_mutex_init(&sight->lock);
    sight->rows = rows;
    sight->looked = g_new0(gboolean, rows);
    sight->told = g_new0(gboolean, rows);
    sight->blind = g_new0(char *, rows);
    return sight;
}

void rmil_sight_free(RmilSight *sight) {
    if (!sight) return;
    for (int64_t i = 0; i < sight->rows; i++) g_free(sight->blind[i]);
    g_free(sight->blind);
    g_free(sight->told);
    g_free(sight->looked);
    g_mutex_clear(&sight->lock);
    g_free(sight);
}

/* Is the slide as large as the one that the features are of, if they say so? */
static gboolean fits(const RmilTrainData *data, int64_t row, GError **error) {
    const RmilBag *bag = data->bags[row];
    const RmilCohortRow *of = &data->cohort->rows[row];
    if (!of->slide || bag->slide_width == 0) return TRUE;
    g_autoptr(RmilSlide) slide = rmil_slide_open(of->slide, of->mpp, NULL);
    const RmilSlideInfo *info = slide ? rmil_slide_info(slide) : NULL; /* a slide that cannot be opened is reported by reading a tile */
    if (!info || (info->width == bag->slide_width && info->height == bag->slide_height)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: is %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " px, but its features are of a slide of %" G_GINT64_FORMAT " "
                     "× %" G_GINT64_FORMAT " px: it is another slide or was replaced: encode it again",
                     of->slide, info->width, info->height, bag->slide_width, bag->slide_height);
}

const char *rmil_train_data_blind(const RmilTrainData *data, int64_t row) {
    RmilSight *sight = data->sight;
    g_mutex_lock(&sight->lock);
    if (!sight->looked[row]) {
        g_autofree uint8_t *rgb = g_malloc(SIDE * SIDE * 3);
        g_autoptr(GError) reason = NULL;
        if (!fits(data, row, &reason) || !rmil_bag_read_tile(data->bags[row], 0, SIDE, rgb, &reason))
            sight->blind[row] = g_strdup(reason->message);
        sight->looked[row] = TRUE;
    }
    const char *why = sight->blind[row];
    g_mutex_unlock(&sight->lock);
    return why;
}

void rmil_sight_say(const RmilTrainData *data, int64_t row, const char *model, const char *why, const RmilMonitor *monitor) {
    RmilSight *sight = data->sight;
    g_mutex_lock(&sight->lock);
    const gboolean told = sight->told[row];
    sight->told[row] = TRUE;
    g_mutex_unlock(&sight->lock);
    if (!told) rmil_monitor_warn(monitor, "%s is left out by %s, which reads pixels: %s", data->cohort->rows[row].id, model, why);
}
