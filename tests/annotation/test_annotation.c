#include "support.h"

#include "rankmil/annotation.h"
#include "slide/vips.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* -- making files ---------------------------------------------------------------------------------------------------- */
static void add_annotation(GString *xml, const char *type, const char *group, const double *xy, int points) {
    g_string_append_printf(xml, "<Annotation Name=\"A %d\" Type=\"%s\" PartOfGroup=\"%s\" Color=\"#F4FA58\"><Coordinates>\n",
                           (int)xml->len, type, group);
    for (int i = 0; i < points; i++)
        g_string_append_printf(xml, "<Coordinate Order=\"%d\" X=\"%.17g\" Y=\"%.17g\" />\n", i, xy[2 * i], xy[2 * i + 1]);
    g_string_append(xml, "</Coordinates></Annotation>\n");
}

static void add_square(GString *xml, const char *group, double x, double y, double side) {
    const double xy[] = {x, y, x + side, y, x + side, y + side, x, y + side};
    add_annotation(xml, "Polygon", group, xy, 4);
}

static char *finish_asap(const char *folder, GString *xml, const char *groups) {
    g_autofree char *text = g_strdup_printf("<?xml version=\"1.0\"?>\n<ASAP_Annotations><Annotations>\n%s</Annotations>"
                                            "<AnnotationGroups>%s</AnnotationGroups></ASAP_Annotations>\n",
                                            xml->str, groups ? groups : "");
    g_string_truncate(xml, 0);
    return test_file(folder, "a.xml", text);
}

static RmilRegion *read_with(const char *path, const RmilAnnotationOptions *options) {
    GError *error = NULL;
    RmilRegion *region = rmil_region_read(path, options, &error);
    g_assert_no_error(error);
    return region;
}

static RmilRegion *read_plain(const char *path) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    return read_with(path, &options);
}

static double area_of(const char *path, const RmilAnnotationOptions *options) {
    g_autoptr(RmilRegion) region = options ? read_with(path, options) : read_plain(path);
    return rmil_region_area(region);
}

static double share_at(const RmilRegion *region, int64_t x, int64_t y, double side) {
    const int64_t coords[] = {x, y};
    double share = NAN;
    GError *error = NULL;
    g_assert_true(rmil_region_overlap(region, coords, 1, side, &share, &error));
    return share;
}

static void fails(const char *path, const RmilAnnotationOptions *options, RmilErrorCode code, const char *part) {
    RmilAnnotationOptions plain;
    rmil_annotation_options_init(&plain);
    GError *error = NULL;
    g_assert_null(rmil_region_read(path, options ? options : &plain, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, path));
    test_error(&error, code, part);
}

/* -- areas and shares known by construction ---------------------------------------------------------------------------- */
static void test_square(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    add_square(xml, "_0", 100, 200, 100);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(path);
    g_assert_false(rmil_region_empty(region));
    g_assert_cmpfloat(rmil_region_area(region), ==, 10000);
    g_assert_cmpfloat(share_at(region, 100, 200, 100), ==, 1);
    g_assert_cmpfloat(share_at(region, 120, 220, 10), ==, 1);
    g_assert_cmpfloat(share_at(region, 0, 200, 100), ==, 0);
    g_assert_cmpfloat(share_at(region, 100, 300, 100), ==, 0);
    g_assert_cmpfloat_with_epsilon(share_at(region, 150, 250, 100), 0.25, 1e-14);
    g_assert_cmpfloat_with_epsilon(share_at(region, 50, 150, 100), 0.25, 1e-14);
    g_assert_cmpfloat_with_epsilon(share_at(region, 0, 0, 1000), 0.01, 1e-14);
    g_assert_cmpfloat_with_epsilon(share_at(region, 190, 210, 20.5), 10 / 20.5, 1e-13);
    g_assert_cmpfloat(share_at(region, -5000000, 9000000, 1), ==, 0);
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
    add_annotation(xml, "Polygon", "Tumor", star, 40);
    add_square(xml, "Exclusion", 450.5, 430.25, 90.75);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(path);
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
        for (int64_t q = 0; q < 4; q++) quarters += share_at(region, x + 50 * (q % 2), 400 + 50 * (q / 2), 50) / 4;
        g_assert_cmpfloat_with_epsilon(share_at(region, x, 400, 100), quarters, 1e-12);
    }
}

static void test_holes(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    /* two lesions that overlap, an exclusion in one, an exclusion off both, and a class nobody asked for */
    add_square(xml, "_0", 0, 0, 100);
    add_square(xml, "_1", 50, 50, 100);
    add_square(xml, "_2", 10, 10, 20);
    add_square(xml, "_2", 500, 500, 20);
    add_square(xml, "Stroma", 800, 800, 50);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(path);
    g_assert_cmpfloat_with_epsilon(rmil_region_area(region), 20000 - 2500 - 400, 1e-9);
    g_assert_cmpfloat(share_at(region, 10, 10, 20), ==, 0);
    g_assert_cmpfloat_with_epsilon(share_at(region, 0, 0, 40), 0.75, 1e-14);
    g_assert_cmpfloat(share_at(region, 800, 800, 50), ==, 0);
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
    add_square(xml, "_0", 0, 0, 100);
    add_square(xml, "_0", 300, 0, 100);
    add_square(xml, "_2", 10, 10, 20);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(path);
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
    add_annotation(xml, "Polygon", "_0", bow_tie, 4);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(area_of(path, NULL), 5000, 1e-9);
    const double spike[] = {0, 0, 100, 0, 100, 100, 300, 100, 100, 100, 0, 100, 0, 0}; /* closed, runs out and back */
    add_annotation(xml, "Polygon", "_0", spike, 7);
    g_autofree char *again = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(area_of(again, NULL), 10000, 1e-9);
    const double line[] = {0, 0, 50, 50, 100, 100};
    add_annotation(xml, "Polygon", "_0", line, 3);
    g_autofree char *flat = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(flat);
    g_assert_true(rmil_region_empty(region));
    g_assert_cmpfloat(share_at(region, 0, 0, 100), ==, 0);
}

static void test_padding(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    add_square(xml, "_0", 1000, 1000, 100);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = 50;
    /* round corners: the square, four sides, a circle (of 64 chords) */
    g_assert_cmpfloat_with_epsilon(area_of(path, &options), 100 * 100 + 4 * 100 * 50 + 32 * 50 * 50 * sin(2 * G_PI / 64), 1e-6);
    g_autoptr(RmilRegion) region = read_with(path, &options);
    g_assert_cmpfloat_with_epsilon(share_at(region, 940, 1000, 100), 0.9, 1e-12);
    /* what was cut out is grown over too */
    add_square(xml, "_0", 1000, 1000, 100);
    add_square(xml, "_2", 1040, 1040, 20);
    g_autofree char *holed = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat_with_epsilon(area_of(holed, &options), rmil_region_area(region), 1e-6);
    const double bad[] = {-1, NAN, INFINITY, 2e6};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        options.padding = bad[i];
        g_assert_null(rmil_region_read(path, &options, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "padding must be between 0 and");
    }
}

/* -- ASAP ------------------------------------------------------------------------------------------------------------- */
static void test_shapes(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    const double corners[] = {0, 0, 300, 100}, all[] = {0, 0, 300, 0, 300, 100, 0, 100};
    add_annotation(xml, "Rectangle", "_0", corners, 2);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(area_of(path, NULL), ==, 30000);
    add_annotation(xml, "Rectangle", "_0", all, 4);
    g_autofree char *four = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(area_of(four, NULL), ==, 30000);
    /* a spline through points of a circle is nearly the circle, far from the polygon */
    double circle[2 * 12];
    for (int i = 0; i < 12; i++) {
        circle[2 * i] = 1000 + 400 * cos(2 * G_PI * i / 12);
        circle[2 * i + 1] = 1000 + 400 * sin(2 * G_PI * i / 12);
    }
    add_annotation(xml, "Spline", "_0", circle, 12);
    g_autofree char *spline = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(fabs(area_of(spline, NULL) / (G_PI * 400 * 400) - 1), <, 0.005);
    /* a repeated point does no harm */
    const double doubled[] = {0, 0, 0, 0, 100, 0, 100, 100, 100, 100, 0, 100};
    add_annotation(xml, "Spline", "_0", doubled, 6);
    g_autofree char *twice = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(area_of(twice, NULL), >, 9000);
    /* points and rulers have no area; no annotation at all is a region without area, not an error */
    add_annotation(xml, "Dot", "_0", corners, 1);
    add_annotation(xml, "PointSet", "_0", corners, 2);
    add_annotation(xml, "Measurement", "_0", corners, 2);
    g_autofree char *dots = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(dots);
    g_assert_true(rmil_region_empty(region));
    g_autofree char *none = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) empty = read_plain(none);
    g_assert_true(rmil_region_empty(empty));
}

static void test_order(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *path = test_file(
        folder, "order.xml",
        "<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"Tumor\"><Coordinates>"
        "<Coordinate Order=\"2\" X=\"10\" Y=\"10\"/><Coordinate Order=\"0\" X=\"0\" Y=\"0\"/>"
        "<Coordinate Order=\"3\" X=\"0\" Y=\"10\"/><Coordinate Order=\"1\" X=\"10\" Y=\"0\"/>"
        "</Coordinates></Annotation></Annotations></ASAP_Annotations>");
    g_assert_cmpfloat(area_of(path, NULL), ==, 100);
}

static void test_groups(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    /* without groups everything is lesion */
    add_square(xml, "None", 0, 0, 10);
    g_autofree char *ungrouped = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(area_of(ungrouped, NULL), ==, 100);
    /* with groups, what is in none is left out */
    add_square(xml, "None", 0, 0, 10);
    add_square(xml, "tumor", 50, 50, 20);
    g_autofree char *mixed = finish_asap(folder, xml, NULL);
    g_assert_cmpfloat(area_of(mixed, NULL), ==, 400);
    /* a group inside a lesion group is lesion, one inside an exclusion group is not; a circle of groups ends */
    add_square(xml, "Large", 0, 0, 100);
    add_square(xml, "Fold", 0, 0, 10);
    add_square(xml, "A", 0, 50, 10);
    g_autofree char *nested =
        finish_asap(folder, xml,
                    "<Group Name=\"Large\" PartOfGroup=\"Cells\"/><Group Name=\"Cells\" PartOfGroup=\"Tumor\"/>"
                    "<Group Name=\"Fold\" PartOfGroup=\"Exclusion\"/><Group Name=\"Tumor\" PartOfGroup=\"None\"/>"
                    "<Group Name=\"A\" PartOfGroup=\"B\"/><Group Name=\"B\" PartOfGroup=\"A\"/>");
    g_assert_cmpfloat_with_epsilon(area_of(nested, NULL), 9900, 1e-9);
    /* lists of one's own */
    add_square(xml, "Gland", 0, 0, 30);
    add_square(xml, "Lumen", 10, 10, 10);
    g_autofree char *own = finish_asap(folder, xml, NULL);
    fails(own, NULL, RMIL_ERROR_DATA, "no annotation is in a lesion group: the file has \"Gland\", \"Lumen\"");
    const char *lesion[] = {"Gland", NULL}, *exclusion[] = {"Lumen", NULL};
    options.lesion = lesion;
    options.exclusion = exclusion;
    g_assert_cmpfloat_with_epsilon(area_of(own, &options), 800, 1e-9);
    options.exclusion = lesion;
    GError *error = NULL;
    g_assert_null(rmil_region_read(own, &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "\"Gland\" is named as lesion and as exclusion");
}

static void test_extent(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    add_square(xml, "_0", 900, 900, 150);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.slide_width = options.slide_height = 1040;
    g_assert_cmpfloat(area_of(path, &options), ==, 22500); /* a little beyond the edge is how people draw */
    options.slide_width = options.slide_height = 1000;
    fails(path, &options, RMIL_ERROR_DATA, "56 % of the annotated area lies outside the slide of 1000 × 1000 px");
    options.slide_width = options.slide_height = 500;
    options.padding = 5000;
    fails(path, &options, RMIL_ERROR_DATA, "100 % of the annotated area lies outside");
}

/* -- what cannot be read ------------------------------------------------------------------------------------------------ */
#define ASAP(inside) "<ASAP_Annotations><Annotations>" inside "</Annotations></ASAP_Annotations>"
#define POLYGON(points) ASAP("<Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>" points "</Coordinates></Annotation>")
#define AT(x, y) "<Coordinate Order=\"0\" X=\"" x "\" Y=\"" y "\"/>"

static void test_bad_xml(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"", "is empty"},
        {"id,label\n1,0\n", "no annotation file that is known"},
        {"<?xml version=\"1.0\"?><html><body/></html>", "root is <html>, not <ASAP_Annotations>"},
        {"<ASAP_Annotations></ASAP_Annotations>", "has no <Annotations>"},
        {"<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\"><Coor", "not well-formed XML: line 1"},
        {"<ASAP_Annotations>\n<Annotations>\n</Annotation></ASAP_Annotations>", "not well-formed XML: line 3"},
        {POLYGON(AT("0", "0") AT("9", "0")), "annotation \"a\" has 2 points, an outline needs at least 3"},
        {POLYGON(""), "annotation \"a\" has 0 points"},
        {POLYGON(AT("0", "0") AT("9", "zero") AT("9", "9")), "line 1: annotation \"a\": Y=\"zero\" is not a number"},
        {POLYGON(AT("nan", "0")), "X=\"nan\" is not a number"},
        {POLYGON(AT("inf", "0")), "X=\"inf\" is not a number"},
        {POLYGON(AT("", "0")), "X=\"\" is not a number"},
        {POLYGON(AT("1e12", "0")), "(1e+12, 0) is no position on a slide"},
        {POLYGON("<Coordinate X=\"1\"/>"), "a coordinate has no X or no Y"},
        {POLYGON("<Coordinate Order=\"1e300\" X=\"1\" Y=\"1\"/>"), "Order=\"1e300\" is not a number"},
        {ASAP("<Annotation Name=\"b\" Type=\"Blob\"/>"), "annotation \"b\" is of type \"Blob\""},
        {ASAP("<Annotation Name=\"b\"/>"), "annotation \"b\" is of type \"\""},
        {"<?xml version=\"1.0\"?>\n" ASAP("<Annotation Name=\"\xff\xfe\" Type=\"Polygon\"/>"), "not well-formed XML: line 2"},
        {"<!DOCTYPE l [<!ENTITY a \"0123456789\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;\">]>"
         POLYGON(AT("&c;", "0")), "has a document type"},
        {"<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" POLYGON("&x;"), "has a document type"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "bad.xml", cases[i].text);
        fails(path, NULL, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_autofree char *missing = g_build_filename(folder, "none.xml", NULL);
    fails(missing, NULL, RMIL_ERROR_IO, "No such file");
    fails(folder, NULL, RMIL_ERROR_IO, "it is a folder");
    g_autoptr(GString) deep = g_string_new("<ASAP_Annotations><Annotations>");
    for (int i = 0; i < 100000; i++) g_string_append(deep, "<a>");
    g_autofree char *nested = test_file(folder, "deep.xml", deep->str);
    fails(nested, NULL, RMIL_ERROR_FORMAT, "nested more than 32 deep");
}

/* A character set that breaks off is an error like any other: nothing is printed. */
static void test_silent(void) {
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        g_test_trap_assert_stderr_unmatched("*error*");
        return;
    }
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "ucs4.xml", NULL);
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, "<\0\0\0s", 5, &error));
    fails(path, NULL, RMIL_ERROR_FORMAT, "is not well-formed XML");
}

static void test_bad_tile(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    add_square(xml, "_0", 0, 0, 10);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    g_autoptr(RmilRegion) region = read_plain(path);
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
    add_annotation(xml, "Polygon", "_0", big, BIG);
    add_annotation(xml, "Polygon", "_2", hole, HOLE);
    add_annotation(xml, "Polygon", "_0", small, SMALL);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    const double paddings[] = {30, 448, 1000};
    for (gsize k = 0; k < G_N_ELEMENTS(paddings); k++) {
        const double padding = paddings[k], off = 1 + padding * (1 - cos(G_PI / 64)) + 0.01 * padding; /* GEOS's arcs and hollows */
        RmilAnnotationOptions options;
        rmil_annotation_options_init(&options);
        options.padding = padding;
        g_autoptr(RmilRegion) region = read_with(path, &options);
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
            g_assert_cmpfloat(share_at(region, x, y, 1), ==, distance < padding);
            tested[distance < padding]++;
        }
        g_assert_cmpint(MIN(tested[0], tested[1]), >, POINTS / 10);
    }
}

/* Outlines that cross themselves n²/2 times are refused before they cost memory. */
static void test_tangle(void) {
    enum { N = 4000 };
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    g_autofree double *xy = g_new(double, 2 * N);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int i = 0; i < 2 * N; i++) xy[i] = 1e5 * rmil_rng_uniform(&rng);
    add_annotation(xml, "Polygon", "_0", xy, N);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    fails(path, NULL, RMIL_ERROR_DATA, "cross each other too often");
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
    add_annotation(xml, "Polygon", "_0", xy, N);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    const double expected = G_PI * (20000.0 * 20000.0 + 200); /* mean of the squared radius: 20 sin adds 20²/2 */
    g_assert_cmpfloat(fabs(area_of(path, NULL) / expected - 1), <, 1e-5);
    /* padding of so long an outline goes piece by piece: no seams, no holes, radius between the waves' mean and peak */
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.padding = 448;
    g_autoptr(RmilRegion) region = read_with(path, &options);
    int seen[3] = {0};
    rmil_region_rings(region, count_ring, seen);
    g_assert_cmpint(seen[0], ==, 1);
    g_assert_cmpint(seen[1], ==, 0);
    g_assert_cmpfloat(rmil_region_area(region), >, G_PI * 20448 * 20448);
    g_assert_cmpfloat(rmil_region_area(region), <, G_PI * 20469 * 20469);
}

/* -- GeoJSON ---------------------------------------------------------------------------------------------------------- */
#define FEATURE(class, geometry) \
    "{\"type\":\"Feature\",\"id\":\"x\",\"geometry\":" geometry ",\"properties\":{\"objectType\":\"annotation\"," class "}}"
#define CLASS(name) "\"classification\":{\"name\":\"" name "\",\"color\":[200,0,0]}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"
#define SQUARE "[[[0,0],[10,0],[10,10],[0,10],[0,0]]]"
#define HOLED "[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[4,2],[4,4],[2,4],[2,2]]]"

static void test_geojson(void) {
    const struct {
        const char *text;
        double area;
    } cases[] = {
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":" SQUARE "}")), 100},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":" HOLED "}")), 96},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"MultiPolygon\",\"coordinates\":[" HOLED ",[[[20,0],[30,0],[30,10.5]]]]}")),
         96 + 52.5},
        {COLLECTION(FEATURE(CLASS("Tumor: Positive"), "{\"type\":\"Polygon\",\"coordinates\":" SQUARE "}")
                    "," FEATURE(CLASS("Stroma"), "{\"type\":\"Polygon\",\"coordinates\":[[[50,50],[60,50],[60,60]]]}")
                    "," FEATURE(CLASS("Exclusion"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,5],[0,5]]]}")), 50},
        /* older QuPath: an array; no classes: everything is lesion; a point has no area */
        {"[" FEATURE("\"name\":\"n\"", "{\"type\":\"Polygon\",\"coordinates\":" SQUARE "}") ","
             FEATURE("\"isLocked\":false", "{\"type\":\"Point\",\"coordinates\":[3,3]}") "]", 100},
        {FEATURE("\"classification\":\"tumor\"", "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Polygon\","
                 "\"coordinates\":" SQUARE "}]}"), 100},
        /* cells are no annotations */
        {COLLECTION("{\"type\":\"Feature\",\"properties\":{\"objectType\":\"cell\"},\"geometry\":{\"type\":\"Polygon\","
                    "\"coordinates\":" SQUARE "}}"), 0},
        {COLLECTION(""), 0},
        {"\xef\xbb\xbf" COLLECTION(FEATURE(CLASS("Tumor"), "null")), 0},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "a.geojson", cases[i].text);
        g_assert_cmpfloat_with_epsilon(area_of(path, NULL), cases[i].area, 1e-9);
    }
}

static void test_bad_geojson(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"type\":\"FeatureCollection\",\"features\":[", "not well-formed JSON"},
        {"{\"slides\": 3}", "not a GeoJSON FeatureCollection"},
        {"{\"type\":\"FeatureCollection\",\"features\":7}", "not a GeoJSON FeatureCollection"},
        {"[1,2]", "feature 1: is not a GeoJSON Feature"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[]}")), "feature 1: a polygon has no outer ring"},
        {COLLECTION(FEATURE("\"name\":\"left\"", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[0,0]]]}")),
         "feature 1 (\"left\") has 2 points"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,\"a\"],[1,1]]]}")), "not a pair of numbers"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1],[1,1]]]}")), "not a pair of numbers"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[3]}")), "a ring is not an array"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1e99,0],[1,1]]]}")), "no position on a slide"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Blob\",\"coordinates\":[]}")), "\"Blob\" is not one of GeoJSON's"},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"coordinates\":[]}")), "a geometry has no type"},
        {"{\"type\":\"\xff\"}", "is not UTF-8"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "bad.geojson", cases[i].text);
        fails(path, NULL, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_autofree char *deep = g_strnfill(200000, '[');
    g_autofree char *path = test_file(folder, "deep.geojson", deep);
    fails(path, NULL, RMIL_ERROR_FORMAT, "nested more than 32 deep");
}

/* -- masks ------------------------------------------------------------------------------------------------------------ */
static char *write_mask(const char *folder, const char *name, const uint8_t *pixels, int width, int height) {
    char *path = g_build_filename(folder, name, NULL);
    VipsImage *image = vips_image_new_from_memory(pixels, (size_t)width * (size_t)height, width, height, 1, VIPS_FORMAT_UCHAR);
    g_assert_cmpint(vips_image_write_to_file(image, path, NULL), ==, 0);
    g_object_unref(image);
    return path;
}

static void test_mask(void) {
    enum { W = 37, H = 23 };
    g_autofree char *folder = test_folder();
    uint8_t pixels[W * H];
    RmilRng rng;
    const char *names[] = {"m.png", "m.tif"};
    for (int round = 0; round < 20; round++) { /* from sparse to full: corners that touch, holes, islands in holes */
        int64_t set = 0;
        rmil_rng_init(&rng, 9, (uint64_t)round);
        for (int i = 0; i < W * H; i++) set += pixels[i] = rmil_rng_uniform(&rng) < round / 19.0;
        g_autofree char *path = write_mask(folder, names[round % 2], pixels, W, H);
        RmilAnnotationOptions options;
        rmil_annotation_options_init(&options);
        g_autoptr(RmilRegion) region = read_with(path, &options);
        g_assert_cmpfloat_with_epsilon(rmil_region_area(region), (double)set, 1e-9);
        g_assert_cmpint(rmil_region_empty(region), ==, set == 0);
        int64_t coords[2 * W * H];
        double shares[W * H];
        for (int i = 0; i < W * H; i++) coords[2 * i] = i % W, coords[2 * i + 1] = i / W;
        GError *error = NULL;
        g_assert_true(rmil_region_overlap(region, coords, W * H, 1, shares, &error));
        for (int i = 0; i < W * H; i++) g_assert_cmpfloat(shares[i], ==, pixels[i] ? 1 : 0);
        /* the mask at 1/10 of the slide, whose size is not a multiple of it */
        options.slide_width = W * 10 + 3;
        options.slide_height = H * 10 + 2;
        double scale = (double)options.slide_width * (double)options.slide_height / (W * H);
        g_assert_cmpfloat_with_epsilon(area_of(path, &options), scale * (double)set, 1e-6);
        options.padding = 1;
        g_assert_cmpfloat(area_of(path, &options), >=, scale * (double)set);
    }
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.slide_width = H * 10;
    options.slide_height = W * 10;
    g_autofree char *path = g_build_filename(folder, "m.png", NULL);
    fails(path, &options, RMIL_ERROR_DATA, "does not have the shape of the slide of 230 × 370 px");
}

static void test_mask_files(void) {
    enum { N = 64 };
    g_autofree char *folder = test_folder();
    uint8_t pixels[N * N] = {0};
    for (int y = 16; y < 40; y++) memset(pixels + y * N + 8, 255, 32);
    /* JPEG's traces around the edges do not count */
    g_autofree char *jpeg = write_mask(folder, "m.jpg", pixels, N, N);
    g_assert_cmpfloat(fabs(area_of(jpeg, NULL) - 24 * 32), <, 8);
    g_autofree char *png = write_mask(folder, "m.png", pixels, N, N);
    gsize size;
    GError *error = NULL;
    g_autofree char *bytes = rmil_file_read(png, 1 << 20, &size, &error);
    g_autofree char *cut = g_build_filename(folder, "cut.png", NULL);
    g_assert_true(rmil_file_write(cut, bytes, size / 2, &error));
    fails(cut, NULL, RMIL_ERROR_FORMAT, "cut.png: ");
    g_assert_true(rmil_file_write(cut, "\x89PNG\r\n", 6, &error));
    fails(cut, NULL, RMIL_ERROR_FORMAT, "cut.png: ");
    uint16_t wide[4] = {1};
    g_autofree char *deep = g_build_filename(folder, "deep.tif", NULL);
    VipsImage *image = vips_image_new_from_memory(wide, sizeof wide, 2, 2, 1, VIPS_FORMAT_USHORT);
    g_assert_cmpint(vips_image_write_to_file(image, deep, NULL), ==, 0);
    g_object_unref(image);
    fails(deep, NULL, RMIL_ERROR_FORMAT, "a mask image has 8 bits");
}

/* -- threads, real files ------------------------------------------------------------------------------------------------ */
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
    add_annotation(xml, "Polygon", "_0", bow_tie, 4);
    add_square(xml, "_0", 50, 50, 100);
    g_autofree char *path = finish_asap(folder, xml, NULL);
    GError *error = NULL;
    g_assert_true(rmil_parallel(60, 6, read_one, path, &error));
    g_assert_no_error(error);
}

static void test_real(void) {
    g_autofree char *path = test_shared("data/camelyon16/camelyon17_patient_004_node_4.xml");
    if (!path) return;
    g_autoptr(RmilRegion) region = read_plain(path);
    g_assert_cmpfloat(rmil_region_area(region), >, 100000);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    /* libvips warns of broken images through GLib; the library drops that, and it must not end the test */
    g_log_set_always_fatal((GLogLevelFlags)(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL));
    if (!rmil_vips_init(NULL)) return 1;
    g_test_add_func("/annotation/square", test_square);
    g_test_add_func("/annotation/shares", test_shares);
    g_test_add_func("/annotation/holes", test_holes);
    g_test_add_func("/annotation/rings", test_rings);
    g_test_add_func("/annotation/repair", test_repair);
    g_test_add_func("/annotation/padding", test_padding);
    g_test_add_func("/annotation/asap/shapes", test_shapes);
    g_test_add_func("/annotation/asap/order", test_order);
    g_test_add_func("/annotation/asap/groups", test_groups);
    g_test_add_func("/annotation/extent", test_extent);
    g_test_add_func("/annotation/asap/bad", test_bad_xml);
    g_test_add_func("/annotation/asap/silent", test_silent);
    g_test_add_func("/annotation/tile/bad", test_bad_tile);
    g_test_add_func("/annotation/tangle", test_tangle);
    g_test_add_func("/annotation/large", test_large);
    g_test_add_func("/annotation/ragged", test_ragged);
    g_test_add_func("/annotation/geojson", test_geojson);
    g_test_add_func("/annotation/geojson/bad", test_bad_geojson);
    g_test_add_func("/annotation/mask", test_mask);
    g_test_add_func("/annotation/mask/files", test_mask_files);
    g_test_add_func("/annotation/threads", test_threads);
    g_test_add_func("/annotation/real", test_real);
    return g_test_run();
}
