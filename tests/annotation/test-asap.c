/* SPDX-License-Identifier: Apache-2.0 */
/* ASAP's XML. */
#include "outlines.h"

#include <math.h>
#include <string.h>

static void test_shapes(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    const double corners[] = {0, 0, 300, 100}, all[] = {0, 0, 300, 0, 300, 100, 0, 100};
    outlines_add(xml, "Rectangle", "_0", corners, 2);
    g_autofree char *path = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(path, NULL), ==, 30000);
    outlines_add(xml, "Rectangle", "_0", all, 4);
    g_autofree char *four = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(four, NULL), ==, 30000);
    /* a spline through points of a circle is nearly the circle, far from the polygon */
    double circle[2 * 12];
    for (int i = 0; i < 12; i++) {
        circle[2 * i] = 1000 + 400 * cos(2 * G_PI * i / 12);
        circle[2 * i + 1] = 1000 + 400 * sin(2 * G_PI * i / 12);
    }
    outlines_add(xml, "Spline", "_0", circle, 12);
    g_autofree char *spline = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(fabs(outlines_area(spline, NULL) / (G_PI * 400 * 400) - 1), <, 0.005);
    /* a repeated point does no harm */
    const double doubled[] = {0, 0, 0, 0, 100, 0, 100, 100, 100, 100, 0, 100};
    outlines_add(xml, "Spline", "_0", doubled, 6);
    g_autofree char *twice = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(twice, NULL), >, 9000);
    /* points and rulers have no area; no annotation at all is a region without area, not an error */
    outlines_add(xml, "Dot", "_0", corners, 1);
    outlines_add(xml, "PointSet", "_0", corners, 2);
    outlines_add(xml, "Measurement", "_0", corners, 2);
    g_autofree char *dots = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) region = outlines_read(dots);
    g_assert_true(rmil_region_empty(region));
    g_autofree char *none = outlines_finish(folder, xml, NULL);
    g_autoptr(RmilRegion) empty = outlines_read(none);
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
    g_assert_cmpfloat(outlines_area(path, NULL), ==, 100);
}

static void test_groups(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) xml = g_string_new(NULL);
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    /* without groups everything is lesion */
    outlines_square(xml, "None", 0, 0, 10);
    g_autofree char *ungrouped = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(ungrouped, NULL), ==, 100);
    /* with groups, what is in none is left out */
    outlines_square(xml, "None", 0, 0, 10);
    outlines_square(xml, "tumor", 50, 50, 20);
    g_autofree char *mixed = outlines_finish(folder, xml, NULL);
    g_assert_cmpfloat(outlines_area(mixed, NULL), ==, 400);
    /* a group inside a lesion group is lesion, one inside an exclusion group is not; a circle of groups ends */
    outlines_square(xml, "Large", 0, 0, 100);
    outlines_square(xml, "Fold", 0, 0, 10);
    outlines_square(xml, "A", 0, 50, 10);
    g_autofree char *nested = outlines_finish(folder, xml,
                                              "<Group Name=\"Large\" PartOfGroup=\"Cells\"/><Group Name=\"Cells\" PartOfGroup=\"Tumor\"/>"
                                              "<Group Name=\"Fold\" PartOfGroup=\"Exclusion\"/><Group Name=\"Tumor\" PartOfGroup=\"None\"/>"
                                              "<Group Name=\"A\" PartOfGroup=\"B\"/><Group Name=\"B\" PartOfGroup=\"A\"/>");
    g_assert_cmpfloat_with_epsilon(outlines_area(nested, NULL), 9900, 1e-9);
    /* lists of one's own */
    outlines_square(xml, "Gland", 0, 0, 30);
    outlines_square(xml, "Lumen", 10, 10, 10);
    g_autofree char *own = outlines_finish(folder, xml, NULL);
    outlines_fail(own, NULL, RMIL_ERROR_DATA, "no annotation is in a lesion group: the file has \"Gland\", \"Lumen\"");
    const char *lesion[] = {"Gland", NULL}, *exclusion[] = {"Lumen", NULL};
    options.lesion = lesion;
    options.exclusion = exclusion;
    g_assert_cmpfloat_with_epsilon(outlines_area(own, &options), 800, 1e-9);
    options.exclusion = lesion;
    GError *error = NULL;
    g_assert_null(rmil_region_read(own, &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "\"Gland\" is given both as lesion and as exclusion: choose one");
}

#define ASAP(inside) "<ASAP_Annotations><Annotations>" inside "</Annotations></ASAP_Annotations>"
#define POLYGON(points)                                                                                                                    \
    ASAP("<Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>" points "</Coordinates></Annotation>")
#define AT(x, y) "<Coordinate Order=\"0\" X=\"" x "\" Y=\"" y "\"/>"

static void test_bad_xml(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"", "is empty"},
        {"id,label\n1,0\n", "not an annotation file that rankmil knows"},
        {"<?xml version=\"1.0\"?><html><body/></html>", "root is <html>, not <ASAP_Annotations>"},
        {"<ASAP_Annotations></ASAP_Annotations>", "has no <Annotations>"},
        {"<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\"><Coor", "not well-formed XML: line 1"},
        {"<ASAP_Annotations>\n<Annotations>\n</Annotation></ASAP_Annotations>", "not well-formed XML: line 3"},
        {POLYGON(AT("0", "0") AT("9", "zero") AT("9", "9")), "line 1: annotation \"a\": Y=\"zero\" is not a number"},
        {POLYGON(AT("nan", "0")), "X=\"nan\" is not a number"},
        {POLYGON(AT("inf", "0")), "X=\"inf\" is not a number"},
        {POLYGON(AT("", "0")), "X=\"\" is not a number"},
        {POLYGON(AT("1e12", "0")), "(1e+12, 0) is not a possible position on a slide"},
        {POLYGON("<Coordinate X=\"1\"/>"), "a coordinate has no X or no Y"},
        {POLYGON("<Coordinate Order=\"1e300\" X=\"1\" Y=\"1\"/>"), "Order=\"1e300\" is not a number"},
        {ASAP("<Annotation Name=\"b\" Type=\"Blob\"/>"), "annotation \"b\" has the type \"Blob\""},
        {ASAP("<Annotation Name=\"b\"/>"), "annotation \"b\" has the type \"\""},
        {"<?xml version=\"1.0\"?>\n" ASAP("<Annotation Name=\"\xff\xfe\" Type=\"Polygon\"/>"), "not well-formed XML: line 2"},
        {"<!DOCTYPE l [<!ENTITY a \"0123456789\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;\">]>" POLYGON(
             AT("&c;", "0")),
         "has a document type"},
        {"<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" POLYGON("&x;"), "has a document type"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "bad.xml", cases[i].text);
        outlines_fail(path, NULL, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_autofree char *missing = g_build_filename(folder, "none.xml", NULL);
    outlines_fail(missing, NULL, RMIL_ERROR_IO, "No such file");
    outlines_fail(folder, NULL, RMIL_ERROR_IO, "it is a folder");
    g_autoptr(GString) deep = g_string_new("<ASAP_Annotations><Annotations>");
    for (int i = 0; i < 100000; i++) g_string_append(deep, "<a>");
    g_autofree char *nested = test_file(folder, "deep.xml", deep->str);
    outlines_fail(nested, NULL, RMIL_ERROR_FORMAT, "nested more than 32 levels deep");
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
    outlines_fail(path, NULL, RMIL_ERROR_FORMAT, "is not well-formed XML");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/annotation/asap/shapes", test_shapes);
    g_test_add_func("/annotation/asap/order", test_order);
    g_test_add_func("/annotation/asap/groups", test_groups);
    g_test_add_func("/annotation/asap/bad", test_bad_xml);
    g_test_add_func("/annotation/asap/silent", test_silent);
    return g_test_run();
}
