/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target of the annotation readers: ASAP XML, GeoJSON and mask images, told by content, with and without padding. */
#include "fuzz.h"

#include "rankmil/annotation.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *path; /* readers take files: one in memory */

static void begin(void) {
    path = g_strdup_printf("%s/rankmil-fuzz-annotation-%d", g_file_test("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm" : g_get_tmp_dir(),
                           (int)getpid());
}

static void count_points(const double *xy, int64_t count, gboolean hole, gpointer user) {
    for (int64_t i = 0; i < 2 * count; i++)
        if (!isfinite(xy[i])) abort();
    if (count < 4 || xy[0] != xy[2 * count - 2] || xy[1] != xy[2 * count - 1]) abort();
}

/* A region can be drawn and measured, and its shares are shares. */
static void touch(const RmilRegion *region) {
    const int64_t coords[] = {0, 0, 100, 100, -50, 1000, 100, 300};
    double shares[4], area = rmil_region_area(region);
    rmil_region_rings(region, count_points, NULL);
    if (!isfinite(area) || area < -1e-3) abort();
    if (!rmil_region_overlap(region, coords, 4, 130.5, shares, NULL)) abort();
    for (int i = 0; i < 4; i++)
        if (!(shares[i] >= -1e-6 && shares[i] <= 1 + 1e-6)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static gsize begun;
    if (g_once_init_enter(&begun)) {
        begin();
        g_once_init_leave(&begun, 1);
    }
    FILE *file = g_fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
    for (int padded = 0; padded < 2; padded++) {
        RmilAnnotationOptions options;
        g_autoptr(GError) error = NULL;
        rmil_annotation_options_init(&options);
        if (padded) options.padding = 60, options.slide_width = 2000, options.slide_height = 1500;
        g_autoptr(RmilRegion) region = rmil_region_read(path, &options, &error);
        if ((region == NULL) != (error != NULL)) abort();
        if (region) touch(region);
    }
    g_unlink(path);
    return 0;
}
