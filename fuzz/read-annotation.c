/* SPDX-License-Identifier: Apache-2.0 */
/* Outlines: ASAP's XML, GeoJSON and masks, told by content, with and without padding; and the data that the page sends. */
#include "fuzz.h"

#include "rankmil/annotation.h"
#include "serve/serve-private.h"

#include <math.h>

static void check_ring(const double *xy, int64_t count, gboolean hole, gpointer user) {
    for (int64_t i = 0; i < 2 * count; i++)
        if (!isfinite(xy[i])) abort();
    if (count < 4 || xy[0] != xy[2 * count - 2] || xy[1] != xy[2 * count - 1]) abort();
}

/* A region can be drawn and measured, and its shares are shares. */
static void touch(const RmilRegion *region) {
    const int64_t coords[] = {0, 0, 100, 100, -50, 1000, 100, 300};
    double shares[4], area = rmil_region_area(region);
    rmil_region_rings(region, check_ring, NULL);
    if (!isfinite(area) || area < -1e-3) abort();
    if (!rmil_region_overlap(region, coords, 4, 130.5, shares, NULL)) abort();
    for (int i = 0; i < 4; i++)
        if (!(shares[i] >= -1e-6 && shares[i] <= 1 + 1e-6)) abort();
}

void fuzz_annotation(const FuzzInput *input) {
    for (int way = 0; way < 3; way++) {
        RmilAnnotationOptions options;
        g_autoptr(GError) error = NULL;
        rmil_annotation_options_init(&options);
        if (way) options.slide_width = 2000, options.slide_height = 1500;
        if (way == 1) options.padding = 60;
        if (way == 2)
            options.tissue = TRUE, options.bounds_x = 100, options.bounds_y = 50, options.bounds_width = options.bounds_height = 1000;
        g_autoptr(RmilRegion) region = rmil_region_read(input->path, &options, &error);
        FUZZ_EITHER(region, error);
        if (region) touch(region);
    }
}

/* An outline after a stroke of the page's brush. */
void fuzz_brush(const FuzzInput *input) {
    GError *error = NULL;
    g_autoptr(JsonNode) request = rmil_json_parse(input->data, input->size, "the request", &error);
    FUZZ_EITHER(request, error);
    g_clear_error(&error);
    if (!request) return;
    g_autoptr(JsonNode) made = rmil_brush(request, &error);
    FUZZ_EITHER(made, error);
    g_clear_error(&error);
}
