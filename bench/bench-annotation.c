/* SPDX-License-Identifier: Apache-2.0 */
/* Labelling tiles with annotations: reading ASAP XML into a region, and the exact share of every tile of a grid, against
 * clipping the same tiles by GEOS with prepared geometry (the usual way). Arguments: ASAP XML files; without any, it
 * makes an outline as large as Camelyon16's largest (63 polygons, 39,000 vertices). */
#include "bench.h"
#include "rankmil/annotation.h"

#include <geos_c.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5 };
#define TILE 448

static char *make_file(void) {
    g_autoptr(GString) xml = g_string_new("<ASAP_Annotations><Annotations>");
    for (int p = 0; p < 63; p++) {
        double x = 30000 + 9000 * (p % 8), y = 60000 + 9000 * (p / 8);
        g_string_append_printf(xml, "<Annotation Name=\"%d\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>", p);
        for (int i = 0; i < 619; i++) {
            double angle = 2 * G_PI * i / 619, radius = 2500 + 900 * sin(5 * angle) + 60 * sin(97 * angle + p);
            g_string_append_printf(xml, "<Coordinate Order=\"%d\" X=\"%.1f\" Y=\"%.1f\" />", i, x + radius * cos(angle),
                                   y + radius * sin(angle));
        }
        g_string_append(xml, "</Coordinates></Annotation>");
    }
    g_string_append(xml, "</Annotations></ASAP_Annotations>");
    char *path = NULL;
    int file = g_file_open_tmp("bench-annotation-XXXXXX.xml", &path, NULL);
    if (file >= 0) g_close(file, NULL);
    g_file_set_contents(path, xml->str, (gssize)xml->len, NULL);
    return path;
}

typedef struct {
    GEOSContextHandle_t geos;
    GPtrArray *shells; /* every polygon's coordinates, as GEOS polygons */
    GPtrArray *holes;
} Peer;

static void add_ring(const double *xy, int64_t count, gboolean hole, gpointer user) {
    Peer *peer = user;
    GEOSCoordSequence *points = GEOSCoordSeq_copyFromBuffer_r(peer->geos, xy, (unsigned)count, 0, 0);
    GEOSGeometry *ring = GEOSGeom_createLinearRing_r(peer->geos, points);
    g_ptr_array_add(hole ? peer->holes : peer->shells, GEOSGeom_createPolygon_r(peer->geos, ring, NULL, 0));
}

/* Shares of tiles by prepared contains and disjoint, else by clipping. */
static void clip_tiles(Peer *peer, const GEOSGeometry *region, const int64_t *coords, int64_t n, double *shares) {
    const GEOSPreparedGeometry *prepared = GEOSPrepare_r(peer->geos, region);
    for (int64_t i = 0; i < n; i++) {
        double x = (double)coords[2 * i], y = (double)coords[2 * i + 1];
        GEOSGeometry *tile = GEOSGeom_createRectangle_r(peer->geos, x, y, x + TILE, y + TILE);
        shares[i] = 0;
        if (GEOSPreparedContains_r(peer->geos, prepared, tile) == 1) {
            shares[i] = 1;
        } else if (GEOSPreparedIntersects_r(peer->geos, prepared, tile) == 1) {
            GEOSGeometry *part = GEOSClipByRect_r(peer->geos, region, x, y, x + TILE, y + TILE);
            GEOSArea_r(peer->geos, part, &shares[i]);
            shares[i] /= (double)TILE * TILE;
            GEOSGeom_destroy_r(peer->geos, part);
        }
        GEOSGeom_destroy_r(peer->geos, tile);
    }
    GEOSPreparedGeom_destroy_r(peer->geos, prepared);
}

static GEOSGeometry *unite(Peer *peer, GPtrArray *polygons) {
    GEOSGeometry *all = GEOSGeom_createCollection_r(peer->geos, GEOS_MULTIPOLYGON, (GEOSGeometry **)polygons->pdata, polygons->len);
    GEOSGeometry *united = GEOSUnaryUnion_r(peer->geos, all);
    GEOSGeom_destroy_r(peer->geos, all);
    return united;
}

static void bench_peer(const RmilRegion *region, const int64_t *coords, int64_t n, const double *ours, double our_time) {
    Peer peer = {GEOS_init_r(), g_ptr_array_new(), g_ptr_array_new()};
    rmil_region_rings(region, add_ring, &peer);
    GEOSGeometry *shells = unite(&peer, peer.shells), *holes = unite(&peer, peer.holes);
    GEOSGeometry *whole = GEOSDifference_r(peer.geos, shells, holes);
    g_autofree double *shares = g_new(double, (gsize)n);
    double times[ROUNDS], worst = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_cpu_seconds();
        clip_tiles(&peer, whole, coords, n, shares);
        times[round] = bench_cpu_seconds() - start;
    }
    for (int64_t i = 0; i < n; i++) worst = MAX(worst, fabs(shares[i] - ours[i]));
    double theirs = bench_median(times, ROUNDS);
    printf("  GEOS, prepared and clipped: %.1f ms, %.1f times ours; largest difference %.1e\n", 1e3 * theirs, theirs / our_time, worst);
    GEOSGeom_destroy_r(peer.geos, shells);
    GEOSGeom_destroy_r(peer.geos, holes);
    GEOSGeom_destroy_r(peer.geos, whole);
    g_ptr_array_unref(peer.shells);
    g_ptr_array_unref(peer.holes);
    GEOS_finish_r(peer.geos);
}

static int bench_file(const char *path) {
    enum { COLUMNS = 220, ROWS = 480 }; /* 98,560 × 215,040 px: the whole of a large slide */
    const int64_t n = COLUMNS * ROWS;
    g_autofree int64_t *coords = g_new(int64_t, (gsize)(2 * n));
    g_autofree double *shares = g_new(double, (gsize)n);
    for (int64_t i = 0; i < n; i++) coords[2 * i] = i % COLUMNS * TILE, coords[2 * i + 1] = i / COLUMNS * TILE;
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    const double paddings[] = {0, 448, 2240};
    g_autofree char *name = g_path_get_basename(path);
    for (gsize k = 0; k < G_N_ELEMENTS(paddings); k++) {
        double reading[ROUNDS], measuring[ROUNDS];
        g_autoptr(RmilRegion) region = NULL;
        options.padding = paddings[k];
        for (int round = 0; round < ROUNDS; round++) {
            g_autoptr(GError) error = NULL;
            g_clear_pointer(&region, rmil_region_free);
            double start = bench_cpu_seconds();
            if (!(region = rmil_region_read(path, &options, &error))) {
                fprintf(stderr, "%s\n", error->message);
                return 1;
            }
            double middle = bench_cpu_seconds();
            if (!rmil_region_overlap(region, coords, n, TILE, shares, NULL)) return 1;
            reading[round] = middle - start;
            measuring[round] = bench_cpu_seconds() - middle;
        }
        double read = bench_median(reading, ROUNDS), measured = bench_median(measuring, ROUNDS);
        printf("%s, padding %g px: read %.1f ms, %" G_GINT64_FORMAT " tiles %.1f ms, together %.3f s\n", name, paddings[k], 1e3 * read, n,
               1e3 * measured, read + measured);
        if (k == 0) bench_peer(region, coords, n, shares, measured);
    }
    return 0;
}

int main(int argc, char **argv) {
    int status = 0;
    bench_print_machine("annotation");
    if (argc < 2) {
        g_autofree char *path = make_file();
        status = bench_file(path);
        g_unlink(path);
    }
    for (int i = 1; i < argc; i++) status |= bench_file(argv[i]);
    return status;
}
