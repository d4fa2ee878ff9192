/* SPDX-License-Identifier: Apache-2.0 */
/* Regions: areas, tiles, padding. */
#include "outlines.h"

#include <math.h>
#include <string.h>

static void test_square(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 100, 200, 100);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(path);
    g_assert_false(rmil_region_empty(region));
    g_assert_cmpfloat(rmil_region_area(region), ==, 10000);
    g_assert_cmpfloat(outlines_share(region, 100, 200, 100), ==, 1);
    g_assert_cmpfloat(outlines_share(region, 120, 220, 10), ==, 1);
    g_assert_cmpfloat(outlines_share(region, 0, 200, 100), ==, 0);
    g_assert_cmpfloat(outlines_share(region, 100, 300, 100), ==, 0);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 150, 250, 100), 0.25, 1e-14);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 50, 150, 100), 0.25, 1e-14);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 0, 0, 1000), 0.01, 1e-14);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 190, 210, 20.5), 10 / 20.5, 1e-13);
    g_assert_cmpfloat(outlines_share(region, -5000000, 9000000, 1), ==, 0);
    const double shares[] = {0.05, 0.0500001, 0, 1};
    uint8_t labels[4];
    rmil_patch_labels(shares, 4, 0.05, labels);
    g_assert_cmpint(labels[0] | labels[1] << 1 | labels[2] << 2 | labels[3] << 3, ==, 10);
}

/* Shares of an irregular region against counting points, and tiles of any grid that cover it sum to its area. */
static void test_shares(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    double star[2 * 40];
    RmilRng rng;
    rmil_rng_init(&rng, 3, 0);
    for (int i = 0; i < 40; i++) {
        double radius = 200 + 250 * rmil_rng_uniform(&rng), angle = 2 * G_PI * i / 40;
        star[2 * i] = 500.3 + radius * cos(angle);
        star[2 * i + 1] = 480.7 + radius * sin(angle);
    }
    outlines_add(xml, "Polygon", "Tumor", star, 40);
    outlines_square(xml, "Exclusion", 450.5, 430.25, 90.75);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(path);
    const double sides[] = {7.5, 33, 64, 112.25, 500};
    for (gsize s = 0; s < G_N_ELEMENTS(sides); s++) {
        int64_t n = (int64_t)ceil(1000 / floor(sides[s])) + 1, count = 0;
        g_autofree int64_t *coords = g_new(int64_t, (gsize)(2 * n * n));
        g_autofree double *shares = g_new(double, (gsize)(n * n));
        const int64_t step = (int64_t)sides[s];
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < n; k++, count++) coords[2 * count] = i * step, coords[2 * count + 1] = k * step;
        GError *error = NULL;
        g_assert_true(rmil_region_overlap(region, coords, count, (double)step, shares, &error));
        double sum = 0;
        for (int64_t i = 0; i < count; i++) sum += shares[i] * (double)(step * step);
        g_assert_cmpfloat_with_epsilon(sum, rmil_region_area(region), 1e-6);
    }
    /* a tile is the sum of its quarters */
    for (int64_t x = 0; x < 1000; x += 61) {
        double quarters = 0;
        for (int64_t q = 0; q < 4; q++) quarters += outlines_share(region, x + 50 * (q % 2), 400 + 50 * (q / 2), 50) / 4;
        g_assert_cmpfloat_with_epsilon(outlines_share(region, x, 400, 100), quarters, 1e-12);
    }
}

static void test_holes(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    /* two lesions that overlap, an exclusion in one, an exclusion off both, and a class nobody asked for */
    outlines_square(xml, "_0", 0, 0, 100);
    outlines_square(xml, "_1", 50, 50, 100);
    outlines_square(xml, "_2", 10, 10, 20);
    outlines_square(xml, "_2", 500, 500, 20);
    outlines_square(xml, "Stroma", 800, 800, 50);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(path);
    g_assert_cmpfloat_with_epsilon(rmil_region_area(region), 20000 - 2500 - 400, 1e-9);
    g_assert_cmpfloat(outlines_share(region, 10, 10, 20), ==, 0);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 0, 0, 40), 0.75, 1e-14);
    g_assert_cmpfloat(outlines_share(region, 800, 800, 50), ==, 0);
}

static void count_ring(const double *xy, int64_t count, gboolean hole, gpointer user) {
    int *seen = user;
    seen[hole ? 1 : 0]++;
    seen[2] += (int)count;
    g_assert_cmpfloat(xy[0], ==, xy[2 * count - 2]);
    g_assert_cmpfloat(xy[1], ==, xy[2 * count - 1]);
}

static void test_rings(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 0, 0, 100);
    outlines_square(xml, "_0", 300, 0, 100);
    outlines_square(xml, "_2", 10, 10, 20);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(path);
    int seen[3] = {0};
    rmil_region_rings(region, count_ring, seen);
    g_assert_cmpint(seen[0], ==, 2);
    g_assert_cmpint(seen[1], ==, 1);
    g_assert_cmpint(seen[2], ==, 15);
}

static void test_repair(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    const double bow_tie[] = {0, 0, 100, 100, 100, 0, 0, 100};
    outlines_add(xml, "Polygon", "_0", bow_tie, 4);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(outlines_area(path, NULL), 5000, 1e-9);
    const double spike[] = {0, 0, 100, 0, 100, 100, 300, 100, 100, 100, 0, 100, 0, 0}; /* closed, runs out and back */
    outlines_add(xml, "Polygon", "_0", spike, 7);
    g_autofree char *again = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(outlines_area(again, NULL), 10000, 1e-9);
    const double line[] = {0, 0, 50, 50, 100, 100};
    outlines_add(xml, "Polygon", "_0", line, 3);
    g_autofree char *flat = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(flat);
    g_assert_true(rmil_region_empty(region));
    g_assert_cmpfloat(outlines_share(region, 0, 0, 100), ==, 0);
}

static void test_padding(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 1000, 1000, 100);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = 50;
    /* round corners: the square, four sides, a circle (of 64 chords) */
    g_assert_cmpfloat_with_epsilon(outlines_area(path, &options), 100 * 100 + 4 * 100 * 50 + 32 * 50 * 50 * sin(2 * G_PI / 64), 1e-6);
    g_autoptr(RmilRegion) region = outlines_read_with(path, &options);
    g_assert_cmpfloat_with_epsilon(outlines_share(region, 940, 1000, 100), 0.9, 1e-12);
    /* what was cut out is grown over too */
    outlines_square(xml, "_0", 1000, 1000, 100);
    outlines_square(xml, "_2", 1040, 1040, 20);
    g_autofree char *holed = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(outlines_area(holed, &options), rmil_region_area(region), 1e-6);
    const double bad[] = {-1, NAN, INFINITY, 2e6};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        options.padding = bad[i];
        g_assert_null(rmil_region_read(path, &options, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "padding must be between 0 and");
    }
}

static void test_extent(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 900, 900, 150);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.slide_width = options.slide_height = 1040;
    g_assert_cmpfloat(outlines_area(path, &options), ==, 22500); /* a little beyond the edge is how people draw */
    options.slide_width = options.slide_height = 1000;
    outlines_fail(path, &options, RMIL_ERROR_DATA, "56 % of the annotated area lies outside the slide of 1000 × 1000 px");
    options.slide_width = options.slide_height = 500;
    options.padding = 5000;
    outlines_fail(path, &options, RMIL_ERROR_DATA, "100 % of the annotated area lies outside");
}

static void test_bad_tile(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    outlines_square(xml, "_0", 0, 0, 10);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(path);
    const double sides[] = {0, -1, NAN, INFINITY};
    const int64_t coords[2] = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(sides); i++) {
        double share;
        GError *error = NULL;
        g_assert_false(rmil_region_overlap(region, coords, 1, sides[i], &share, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "a tile of");
    }
}

/* Distance from a point to a ring, and whether the point is in it. */
static double ring_distance(const double *xy, int n, double x, double y, gboolean *inside) {
    double least = INFINITY;
    *inside = FALSE;
    for (int i = 0, k = n - 1; i < n; k = i++) {
        const double ax = xy[2 * k], ay = xy[2 * k + 1], dx = xy[2 * i] - ax, dy = xy[2 * i + 1] - ay;
        const double t = CLAMP(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1);
        least = MIN(least, hypot(ax + t * dx - x, ay + t * dy - y));
        if ((ay > y) != (ay + dy > y) && x < ax + dx * (y - ay) / dy) *inside = !*inside;
    }
    return least;
}

/* A ragged ring with one deep, narrow notch. */
static void ragged_ring(double *xy, int n, double x, double y, double radius, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (int i = 0; i < n; i++) {
        const double angle = 2 * G_PI * i / n, r = radius * (i == n / 3 ? 0.3 : 1 + 0.03 * rmil_rng_uniform(&rng));
        xy[2 * i] = x + r * cos(angle);
        xy[2 * i + 1] = y + r * sin(angle);
    }
}

/* Outlines that are grown in pieces: what is farther than a pixel (and what arcs of chords are off) from the grown edge lies on the
 * right side of it, in notches, holes and around small outlines too. */
static void test_ragged(void) {
    enum { BIG = 3000, HOLE = 500, SMALL = 24, POINTS = 1500 };
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autofree double *big = g_new(double, 2 * BIG), *hole = g_new(double, 2 * HOLE), *small = g_new(double, 2 * SMALL);
    ragged_ring(big, BIG, 4000, 4000, 2500, 1);
    ragged_ring(hole, HOLE, 4000, 4000, 900, 2);
    ragged_ring(small, SMALL, 8200, 8100, 150, 3);
    outlines_add(xml, "Polygon", "_0", big, BIG);
    outlines_add(xml, "Polygon", "_2", hole, HOLE);
    outlines_add(xml, "Polygon", "_0", small, SMALL);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    const double paddings[] = {30, 448, 1000};
    for (gsize k = 0; k < G_N_ELEMENTS(paddings); k++) {
        const double padding = paddings[k], off = 1 + padding * (1 - cos(G_PI / 64)) + 0.01 * padding; /* GEOS's arcs and hollows */
        RmilAnnotationOptions options;
        rmil_annotation_options_init(&options);
        options.padding = padding;
        g_autoptr(RmilRegion) region = outlines_read_with(path, &options);
        RmilRng rng;
        rmil_rng_init(&rng, 4, k);
        int tested[2] = {0};
        for (int i = 0; i < POINTS; i++) {
            int64_t x = rmil_rng_below(&rng, 10000), y = rmil_rng_below(&rng, 10000);
            if (i % 3 == 1) { /* in the notch */
                const double r = 2500 * (0.35 + 0.6 * rmil_rng_uniform(&rng)), angle = 2 * G_PI * (BIG / 3) / BIG;
                x = (int64_t)(4000 + r * cos(angle)), y = (int64_t)(4000 + r * sin(angle));
            } else if (i % 3 == 2) { /* around the small ring */
                const int64_t reach = (int64_t)padding + 170;
                x = 8200 - reach + rmil_rng_below(&rng, 2 * reach), y = 8100 - reach + rmil_rng_below(&rng, 2 * reach);
            }
            const double at_x = (double)x + 0.5, at_y = (double)y + 0.5;
            gboolean in_big, in_hole, in_small;
            double edge = ring_distance(big, BIG, at_x, at_y, &in_big);
            edge = MIN(edge, ring_distance(hole, HOLE, at_x, at_y, &in_hole));
            edge = MIN(edge, ring_distance(small, SMALL, at_x, at_y, &in_small));
            const double distance = (in_big && !in_hole) || in_small ? 0 : edge;
            if (fabs(distance - padding) < off + 1) continue;
            g_assert_cmpfloat(outlines_share(region, x, y, 1), ==, distance < padding);
            tested[distance < padding]++;
        }
        g_assert_cmpint(MIN(tested[0], tested[1]), >, POINTS / 10);
    }
}

/* Outlines that cross themselves n²/2 times are refused before they cost time and memory; those that cross now and then are
 * repaired, and so are many that touch. */
static void test_tangle(void) {
    enum { N = 4000, SOME = 100, MANY = 60 };
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autofree double *random = g_new(double, 2 * N), *star = g_new(double, 2 * N), *line = g_new(double, 2 * N),
                      *doubled = g_new(double, 4 * SOME);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int i = 0; i < 2 * N; i++) random[i] = 1e5 * rmil_rng_uniform(&rng);
    for (int i = 0; i < N; i++) { /* forth and back on one line */
        line[2 * i] = i % 2 ? 10 * i : 0;
        line[2 * i + 1] = 5;
    }
    for (int i = 0; i < 401; i++)
        star[2 * i] = 5000 + 4000 * cos(2 * G_PI * i * 200 / 401), star[2 * i + 1] = 5000 + 4000 * sin(2 * G_PI * i * 200 / 401);
    const struct {
        const double *xy;
        int n;
    } tangled[] = {{random, N}, {random, 300}, {star, 401}, {line, N}};
    for (gsize i = 0; i < G_N_ELEMENTS(tangled); i++) {
        outlines_add(xml, "Polygon", "_0", tangled[i].xy, tangled[i].n);
        g_autofree char *path = outlines_finish(folder, xml, NULL);
        outlines_fail(path, NULL, RMIL_ERROR_DATA,
                      "the outlines cross themselves or each other too often to be repaired in "
                      "reasonable time: redraw or simplify them");
    }
    for (int i = 0; i < 30; i++) outlines_add(xml, "Polygon", "_0", random, SOME); /* each bearable, but not so many */
    g_autofree char *several = outlines_finish(folder, xml, NULL);
    outlines_fail(several, NULL, RMIL_ERROR_DATA, "too often to be repaired");
    outlines_add(xml, "Polygon", "_0", random, 50);
    g_autofree char *some = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(some, NULL), >, 0);
    for (int i = 0; i < MANY * MANY; i++) outlines_square(xml, "_0", 10 * (i % MANY), 10 * (i / MANY), 10);
    for (int i = 0; i < 2 * SOME; i++) { /* every point of a circle twice */
        doubled[2 * i] = 1e4 + 1000 * cos(2 * G_PI * (i / 2) / SOME);
        doubled[2 * i + 1] = 1e4 + 1000 * sin(2 * G_PI * (i / 2) / SOME);
    }
    outlines_add(xml, "Polygon", "_0", doubled, 2 * SOME);
    g_autofree char *touching = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(outlines_area(touching, NULL), 100 * MANY * MANY + 500 * SOME * 1000 * sin(2 * G_PI / SOME), 1e-3);
}

static void test_large(void) {
    enum { N = 100000 };
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autofree double *xy = g_new(double, 2 * N);
    for (int i = 0; i < N; i++) {
        double angle = 2 * G_PI * i / N, radius = 20000 + 20 * sin(500 * angle);
        xy[2 * i] = 50000 + radius * cos(angle);
        xy[2 * i + 1] = 50000 + radius * sin(angle);
    }
    outlines_add(xml, "Polygon", "_0", xy, N);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    const double expected = G_PI * (20000.0 * 20000.0 + 200); /* mean of the squared radius: 20 sin adds 20²/2 */
    g_assert_cmpfloat(fabs(outlines_area(path, NULL) / expected - 1), <, 1e-5);
    /* padding of so long an outline goes piece by piece: no seams, no holes, radius between the waves' mean and peak */
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = 448;
    g_autoptr(RmilRegion) region = outlines_read_with(path, &options);
    int seen[3] = {0};
    rmil_region_rings(region, count_ring, seen);
    g_assert_cmpint(seen[0], ==, 1);
    g_assert_cmpint(seen[1], ==, 0);
    g_assert_cmpfloat(rmil_region_area(region), >, G_PI * 20448 * 20448);
    g_assert_cmpfloat(rmil_region_area(region), <, G_PI * 20469 * 20469);
}

static gboolean read_one(int64_t index, int worker, gpointer user, GError **error) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = 10;
    g_autoptr(RmilRegion) region = rmil_region_read(user, &options, error);
    if (!region) return FALSE;
    g_assert_cmpfloat(rmil_region_area(region), >, 10000);
    return TRUE;
}

static void test_threads(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    const double bow_tie[] = {0, 0, 100, 100, 100, 0, 0, 100};
    outlines_add(xml, "Polygon", "_0", bow_tie, 4);
    outlines_square(xml, "_0", 50, 50, 100);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    GError *error = NULL;
    g_assert_true(rmil_parallel(60, 6, read_one, path, &error));
    g_assert_no_error(error);
}

static void test_real(void) {
    g_autofree char *path = test_shared("data/camelyon16/camelyon17_patient_004_node_4.xml");
    if (!path) return;
    g_autoptr(RmilRegion) region = outlines_read(path);
    g_assert_cmpfloat(rmil_region_area(region), >, 100000);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/annotation/square", test_square);
    g_test_add_func("/annotation/shares", test_shares);
    g_test_add_func("/annotation/holes", test_holes);
    g_test_add_func("/annotation/rings", test_rings);
    g_test_add_func("/annotation/repair", test_repair);
    g_test_add_func("/annotation/padding", test_padding);
    g_test_add_func("/annotation/extent", test_extent);
    g_test_add_func("/annotation/tile/bad", test_bad_tile);
    g_test_add_func("/annotation/tangle", test_tangle);
    g_test_add_func("/annotation/large", test_large);
    g_test_add_func("/annotation/ragged", test_ragged);
    g_test_add_func("/annotation/threads", test_threads);
    g_test_add_func("/annotation/real", test_real);
    return g_test_run();
}
