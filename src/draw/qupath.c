/* SPDX-License-Identifier: Apache-2.0 */
/* Attention as GeoJSON for QuPath. */
#include "draw-private.h"

#include <math.h>

static void add_number(GString *out, double value, const char *after) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(out, g_ascii_formatd(text, sizeof text, "%.9g", value));
    g_string_append(out, after);
}

static void add_measurement(GString *out, const char *name, double value, gboolean *first) {
    if (!isfinite(value)) return; /* JSON has neither NaN nor infinity */
    g_string_append_printf(out, "%s\"%s\":", *first ? "" : ",", name);
    add_number(out, value, "");
    *first = FALSE;
}

static void add_tile(GString *out, double x, double y, double side) {
    const double corners[5][2] = {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}};
    g_string_append(out, "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[");
    for (int i = 0; i < 5; i++) {
        g_string_append_c(out, '[');
        add_number(out, corners[i][0], ",");
        add_number(out, corners[i][1], i < 4 ? "]," : "]]]}");
    }
}

gboolean rmil_qupath_write(const int64_t *coords, const float *attention, const float *scores, int64_t count, double tile_level0,
                           int64_t left, int64_t top, const char *path, GError **error) {
    if (count < 1 || !(tile_level0 > 0) || !isfinite(tile_level0))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: %" G_GINT64_FORMAT " tiles of side %g cannot be written", path, count,
                         tile_level0);
    float *percentiles = rmil_alloc(count, sizeof *percentiles, error);
    if (!percentiles || !rmil_percentiles(attention, count, percentiles, error)) {
        rmil_free(percentiles);
        return FALSE;
    }
    double sum = 0;
    int64_t finite = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(attention[i])) {
            sum += attention[i];
            finite++;
        }
    double mean = sum / (double)finite;
    uint8_t high[3], low[3];
    rmil_viridis(0.95, high);
    rmil_viridis(0.05, low);
    g_autoptr(GString) out = g_string_new("{\"type\":\"FeatureCollection\",\"features\":[\n");
    for (int64_t i = 0; i < count; i++) {
        gboolean attended = (double)attention[i] > mean, first = TRUE;
        const uint8_t *colour = attended ? high : low;
        add_tile(out, (double)(coords[2 * i] - left), (double)(coords[2 * i + 1] - top), tile_level0);
        g_string_append_printf(out,
                               ",\"properties\":{\"objectType\":\"tile\",\"classification\":{\"name\":\"%s\",\"color\":"
                               "[%d,%d,%d]},\"measurements\":{",
                               attended ? "Attended" : "Not attended", colour[0], colour[1], colour[2]);
        add_measurement(out, "Attention", (double)attention[i], &first);
        add_measurement(out, "Attention x mean", (double)attention[i] / mean, &first);
        add_measurement(out, "Attention percentile", 100 * (double)percentiles[i], &first);
        if (scores) add_measurement(out, "Score", (double)scores[i], &first);
        g_string_append(out, i + 1 < count ? "}}},\n" : "}}}\n");
    }
    g_string_append(out, "]}\n");
    rmil_free(percentiles);
    return rmil_file_write(path, out->str, out->len, error);
}
