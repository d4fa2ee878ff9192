/* SPDX-License-Identifier: Apache-2.0 */
/* What real files hold beside clean outlines: read right, and what is left out or assumed is said. */
#include "outlines.h"
#include "slide/vips.h"

#include <string.h>

#define FEATURE(properties, geometry) "{\"type\":\"Feature\",\"geometry\":" geometry ",\"properties\":{" properties "}}"
#define POLYGON(points) "{\"type\":\"Polygon\",\"coordinates\":[[" points "]]}"
#define TEN POLYGON("[0,0],[10,0],[10,10],[0,10],[0,0]")       /* 100 px² */
#define FAR POLYGON("[50,50],[60,50],[60,70],[50,70],[50,50]") /* 200 px² */
#define INSIDE POLYGON("[0,0],[10,0],[10,5],[0,5],[0,0]")      /* 50 px² of TEN */
#define LINE(points) "{\"type\":\"LineString\",\"coordinates\":[" points "]}"
#define CLASS(name) "\"classification\":{\"name\":\"" name "\"}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"

typedef struct {
    const char *text;
    double area;
    const char *warnings[3]; /* what each must contain, in order; no more of them */
} Case;

static void check(const char *name, const Case *cases, gsize n) {
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < n; i++) {
        g_autofree char *path = test_file(folder, name, cases[i].text);
        g_autoptr(RmilRegion) region = outlines_read(path);
        const char *const *warnings = rmil_region_warnings(region);
        g_assert_cmpfloat_with_epsilon(rmil_region_area(region), cases[i].area, 1e-9);
        for (gsize k = 0; k < 3 && cases[i].warnings[k]; k++, warnings++) {
            if (!*warnings || !strstr(*warnings, cases[i].warnings[k]) || !g_str_has_prefix(*warnings, path))
                g_error("%s\n\"%s\" is not said, but \"%s\"", cases[i].text, cases[i].warnings[k], *warnings ? *warnings : "nothing");
        }
        if (*warnings) g_error("%s\n\"%s\" is said, too", cases[i].text, *warnings);
    }
}

/* Classes and kinds of objects as QuPath's versions write them. */
static void test_qupath(void) {
    const Case cases[] = {
        /* since 0.4: derived classes as a list of names; a class of its own is no lesion for its second name */
        {COLLECTION(FEATURE("\"objectType\":\"annotation\",\"classification\":{\"names\":[\"Tumor\",\"Positive\"]}", TEN)), 100, {0}},
        {COLLECTION(FEATURE("\"classification\":{\"names\":[\"Stroma\",\"Tumor\"]}", TEN) "," FEATURE(CLASS("Tumor"), FAR)),
         200,
         {"left out, because their group or class is neither a lesion nor an exclusion (--lesion and --exclude name others): "
          "\"Stroma: Tumor\""}},
        {COLLECTION(FEATURE("\"classification\":{\"names\":[\"Exclude\",\"Fold\"]}", INSIDE) "," FEATURE(CLASS("Tumor"), TEN)), 50, {0}},
        /* 0.1: the class it is derived from as an object */
        {COLLECTION(FEATURE("\"classification\":{\"name\":\"1+\",\"parentClass\":{\"name\":\"Tumor\",\"colorRGB\":-3}}", TEN)), 100, {0}},
        {COLLECTION(FEATURE("\"classification\":{\"name\":\"Tumor: 1+\",\"parentClass\":{\"name\":\"Tumor\"}}", TEN)), 100, {0}},
        /* 0.2 says the object's type in its id, 0.3 in object_type */
        {"[{\"type\":\"Feature\",\"id\":\"PathCellObject\",\"geometry\":" FAR ",\"properties\":{" CLASS(
             "Tumor") "}},"
                      "{\"type\":\"Feature\",\"id\":\"PathAnnotationObject\",\"geometry\":" TEN ",\"properties\":{" CLASS("Tumor") "}}]",
         100,
         {"left out, because only annotations count: cell"}},
        {COLLECTION(FEATURE("\"object_type\":\"detection\"," CLASS("Tumor"), FAR) "," FEATURE(
             "\"object_type\":\"tile\"," CLASS("Tumor"), FAR) "," FEATURE("\"objectType\":\"detection\"",
                                                                          "{\"type\":\"never read\"}") "," FEATURE(CLASS("Tumor"), TEN)),
         100,
         {"left out, because only annotations count: detection (2), tile"}},
        /* up to 0.4.3: numbers that are none */
        {COLLECTION(FEATURE(
             "\"name\":\"NaN \\\" Infinity\"," CLASS("Tumor") ",\"measurements\":{\"a\":NaN,\"b\":-Infinity,\"c\":[Infinity,1]}", TEN)),
         100,
         {0}},
        /* objects inside objects */
        {COLLECTION("{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"objectType\":\"tmaCore\"},\"childObjects\":[" FEATURE(
             CLASS("Tumor"), TEN) "]}"),
         100,
         {"only annotations count: TMA core"}},
    };
    check("a.geojson", cases, G_N_ELEMENTS(cases));
}

static void test_left_out(void) {
    const Case cases[] = {
        {COLLECTION(FEATURE(CLASS("Tumors"), FAR) "," FEATURE(CLASS("Tumors"), FAR) "," FEATURE("\"x\":1",
                                                                                                FAR) "," FEATURE(CLASS(" tumor "), TEN)),
         100,
         {"a.geojson: left out, because their group or class is neither a lesion nor an exclusion (--lesion and --exclude name "
          "others): \"Tumors\" (2), none"}},
        /* what has no area; a line that ends where it began is an outline */
        {COLLECTION(FEATURE(CLASS("Tumor"), LINE("[0,0],[10,0],[10,10],[0,10]")) "," FEATURE(CLASS("Tumor"), TEN)),
         100,
         {"left out, because points and lines have no area: line of \"Tumor\""}},
        {COLLECTION(FEATURE(CLASS("Tumor"), LINE("[0,0],[10,0],[10,10],[0,10],[0,0]"))),
         100,
         {"drawn as a closed line, used as an outline: feature 1"}},
        {COLLECTION(
             FEATURE(CLASS("Tumor"), "{\"type\":\"MultiLineString\",\"coordinates\":[[[0,0],[9,9]],[[50,50],[60,50],[60,70],[50,70],[50,50]]]}") "," FEATURE(
                 "\"x\":0", "{\"type\":\"Point\",\"coordinates\":[1,2]}")),
         200,
         {"no area: line of \"Tumor\", point", "used as an outline: feature 1"}},
        /* a stray click beside an outline, and as a hole */
        {COLLECTION(FEATURE(CLASS("Tumor"), TEN) "," FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[]}") "," FEATURE(
             CLASS("Tumor") ",\"name\":\"oops\"", POLYGON("[5,5],[6,6],[5,5]")) "," FEATURE(CLASS("Tumor"),
                                                                                            POLYGON("[5,5],[5,5],[5,5],[5,5]"))),
         100,
         {"left out, because an outline needs at least 3 different points: feature 2 with 0, feature 3 (\"oops\") with 2, feature 4 "
          "with 3"}},
        {COLLECTION(FEATURE(CLASS("Tumor"), "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,10]],[[5,5],[6,6]]]}")),
         100,
         {"left out, because an outline needs at least 3 different points: a hole of feature 1"}},
        /* classes where other programs put them */
        {COLLECTION(FEATURE("\"label\":\"stroma\"", FAR) "," FEATURE("\"label\":\"tumor\"", TEN)),
         100,
         {"no annotation has a class where QuPath writes it, so the class is taken from the member: label",
          "left out, because their group or class is neither a lesion nor an exclusion "
          "(--lesion and --exclude name others): \"stroma\""}},
        {COLLECTION(FEATURE("\"type\":\"Lesion\"", TEN) "," FEATURE("\"type\":\"Exclude\"", INSIDE)), 50, {"the member: type"}},
        {COLLECTION(FEATURE("\"label\":\"front\"", TEN) "," FEATURE("\"label\":\"back\"", FAR)),
         300,
         {"no annotation has a group or class, so all count as lesions, also: \"front\", \"back\""}},
        {COLLECTION(FEATURE("\"name\":\"Stroma\"", TEN) "," FEATURE("\"name\":\"Tumor\"", FAR)), 300, {"also: \"Stroma\""}},
        {COLLECTION(FEATURE("\"type\":\"annotation\"", TEN)), 100, {0}},
    };
    check("a.geojson", cases, G_N_ELEMENTS(cases));
}

#define ASAP(inside) "<ASAP_Annotations><Annotations>" inside "</Annotations></ASAP_Annotations>"
#define DRAWN(name, type, group, points)                                                                                                   \
    "<Annotation Name=\"" name "\" Type=\"" type "\" PartOfGroup=\"" group "\"><Coordinates>" points "</Coordinates></Annotation>"
#define AT(x, y) "<Coordinate X=\"" x "\" Y=\"" y "\"/>"
#define SQUARE AT("0", "0") AT("10", "0") AT("10", "10") AT("0", "10")

static void test_asap(void) {
    const Case cases[] = {
        {ASAP(DRAWN("good", "Polygon", "Tumor", SQUARE) DRAWN("click", "Polygon", "Tumor", "")
                  DRAWN("two", "Spline", "Tumor", AT("0", "0") AT("1", "1"))),
         100,
         {"a.xml: left out, because an outline needs at least 3 different points: annotation \"click\" with 0, annotation \"two\" "
          "with 2"}},
        {ASAP(DRAWN("d", "Dot", "Tumor", AT("1", "1")) DRAWN("p", "PointSet", "Tumor", SQUARE) DRAWN("q", "Dot", "Tumor", AT("2", "2"))),
         0,
         {"points and lines have no area: Dot of \"Tumor\" (2), PointSet of \"Tumor\""}},
        {ASAP(DRAWN("a", "Polygon", " Tumor\n", SQUARE) DRAWN("b", "Polygon", "Normal", SQUARE)), 100, {"\"Normal\""}},
        {ASAP(DRAWN("Annotation 0", "Polygon", "None", SQUARE)), 100, {0}},
        {ASAP(DRAWN("Stroma", "Polygon", "None", SQUARE)), 100, {"so all count as lesions, also: \"Stroma\""}},
    };
    check("a.xml", cases, G_N_ELEMENTS(cases));
}

/* A file of all objects: what is no annotation is not read, however much of it there is. */
static void test_many_cells(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(GString) all = g_string_new("{\"type\":\"FeatureCollection\",\"features\":[" FEATURE(CLASS("Tumor"), TEN));
    g_autofree char *measurements = g_strnfill(20000, ' ');
    while (all->len < 130u << 20)
        g_string_append_printf(all,
                               ",{\"type\":\"Feature\",\"geometry\":%s,\"properties\":{\"objectType\":\"cell\",\"measurements\":{%s}}}",
                               FAR, measurements);
    g_string_append(all, "]}");
    g_autofree char *path = test_file(folder, "cells.geojson", all->str);
    g_autoptr(RmilRegion) region = outlines_read(path);
    g_assert_cmpfloat_with_epsilon(rmil_region_area(region), 100, 1e-9);
    g_assert_nonnull(strstr(rmil_region_warnings(region)[0], "cell (6"));
}

/* -- masks ------------------------------------------------------------------------------------------------------------------- */
/* N × N with a square of 10 × 10; ground and lesion as pixels of so many bands. */
static char *write_mask(const char *folder, const char *name, const char *ground, const char *lesion, int bands) {
    enum { N = 40 };
    g_autofree char *pixels = g_malloc((gsize)N * N * (gsize)bands), *path = g_build_filename(folder, name, NULL);
    for (int i = 0; i < N * N; i++)
        memcpy(pixels + i * bands, i / N >= 5 && i / N < 15 && i % N >= 5 && i % N < 15 ? lesion : ground, (gsize)bands);
    VipsImage *image = vips_image_new_from_memory(pixels, (size_t)N * N * (size_t)bands, N, N, bands, VIPS_FORMAT_UCHAR);
    image->Type = bands > 2 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W;
    g_assert_cmpint(vips_image_write_to_file(image, path, NULL), ==, 0);
    g_object_unref(image);
    return g_steal_pointer(&path);
}

static void mask_is(const char *path, double area, const char *warning) {
    g_autoptr(RmilRegion) region = outlines_read(path);
    const char *first = rmil_region_warnings(region)[0];
    g_assert_cmpfloat_with_epsilon(rmil_region_area(region), area, 1e-9);
    if (warning ? !first || !strstr(first, warning) : first != NULL) g_error("%s: \"%s\"", path, first ? first : "nothing said");
}

static void test_masks(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *clear = write_mask(folder, "clear.png", "\xff\xff\xff\0", "\xc8\0\0\xff", 4);
    mask_is(clear, 100, NULL); /* transparent is ground, whatever colour it has */
    g_autofree char *inverted = write_mask(folder, "inverted.png", "\xff", "\0", 1);
    mask_is(inverted, 1500, "the lesion covers most of the slide (is the mask inverted, or the whole image outlined?): 94 %");
    g_autofree char *labels = write_mask(folder, "labels.tif", "\1", "\2", 1);
    mask_is(labels, 1600, "contains several labels or colours, which all count as lesion: 1, 2");
}

/* A PNG or TIFF of 8 bits with a palette of two colours, label 1 in the upper left quarter of 4 × 4. */
static char *indexed_png(const char *folder, const char *palette) {
    static const uint8_t deflated[] = {0x78, 0x01, 0x01, 0x14, 0, 0xeb, 0xff, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    g_autoptr(GByteArray) rows = g_byte_array_new(), file = g_byte_array_new();
    uint32_t a = 1, b = 0;
    g_byte_array_append(rows, deflated, sizeof deflated);
    for (int i = 7; i < 27; i++) a += rows->data[i], b += a; /* Adler-32 */
    const uint8_t sum[] = {(uint8_t)(b >> 8), (uint8_t)b, (uint8_t)(a >> 8), (uint8_t)a};
    g_byte_array_append(rows, sum, 4);
    const struct {
        const char *type;
        const void *data;
        guint size;
    } chunks[] = {{"IHDR", "\0\0\0\4\0\0\0\4\10\3\0\0\0", 13}, {"PLTE", palette, 6}, {"IDAT", rows->data, rows->len}, {"IEND", "", 0}};
    g_byte_array_append(file, (const guint8 *)"\x89PNG\r\n\x1a\n", 8);
    for (gsize i = 0; i < G_N_ELEMENTS(chunks); i++) {
        const uint32_t size = GUINT32_TO_BE(chunks[i].size);
        const guint from = file->len + 4;
        g_byte_array_append(file, (const guint8 *)&size, 4);
        g_byte_array_append(file, (const guint8 *)chunks[i].type, 4);
        g_byte_array_append(file, chunks[i].data, chunks[i].size);
        uint32_t crc = 0xffffffff;
        for (guint k = from; k < file->len; k++) {
            crc ^= file->data[k];
            for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        crc = GUINT32_TO_BE(~crc);
        g_byte_array_append(file, (const guint8 *)&crc, 4);
    }
    char *path = g_build_filename(folder, "indexed.png", NULL);
    g_assert_true(rmil_file_write(path, file->data, file->len, NULL));
    return path;
}

static char *indexed_tiff(const char *folder, const char *palette) {
    enum { ENTRIES = 9, DIRECTORY = 8 + 16, MAP = DIRECTORY + 2 + 12 * ENTRIES + 4 };
    const uint32_t tags[ENTRIES][4] = {{256, 3, 1, 4}, {257, 3, 1, 4}, {258, 3, 1, 8},  {259, 3, 1, 1},    {262, 3, 1, 3},
                                       {273, 4, 1, 8}, {277, 3, 1, 1}, {279, 4, 1, 16}, {320, 3, 768, MAP}};
    uint8_t file[MAP + 2 * 768] = "MM\0*\0\0\0\30"
                                  "\1\1\0\0\1\1\0\0";
    file[DIRECTORY + 1] = ENTRIES;
    for (int i = 0; i < ENTRIES; i++) {
        uint8_t *at = file + DIRECTORY + 2 + 12 * i;
        at[0] = (uint8_t)(tags[i][0] >> 8), at[1] = (uint8_t)tags[i][0], at[3] = (uint8_t)tags[i][1];
        at[6] = (uint8_t)(tags[i][2] >> 8), at[7] = (uint8_t)tags[i][2];
        const uint32_t value = GUINT32_TO_BE(tags[i][1] == 3 && tags[i][2] == 1 ? tags[i][3] << 16 : tags[i][3]);
        memcpy(at + 8, &value, 4);
    }
    for (int label = 0; label < 2; label++)
        for (int c = 0; c < 3; c++) memset(file + MAP + 2 * (256 * c + label), palette[3 * label + c], 2);
    char *path = g_build_filename(folder, "indexed.tif", NULL);
    g_assert_true(rmil_file_write(path, file, sizeof file, NULL));
    return path;
}

static void test_palette(void) {
    static const char *const palettes[] = {"\xff\xff\xff\xc8\0\0", "\xff\xff\xff\0\0\0", "\0\0\0\xff\xff\xff", "\0\0\0\0\0\0"};
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(palettes); i++) {
        g_autofree char *png = indexed_png(folder, palettes[i]), *tiff = indexed_tiff(folder, palettes[i]);
        mask_is(png, 4, NULL);
        mask_is(tiff, 4, NULL);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal((GLogLevelFlags)(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL)); /* libvips warns through GLib */
    if (!rmil_vips_init(NULL)) return 1;
    g_test_add_func("/annotation/notes/qupath", test_qupath);
    g_test_add_func("/annotation/notes/left-out", test_left_out);
    g_test_add_func("/annotation/notes/asap", test_asap);
    g_test_add_func("/annotation/notes/many-cells", test_many_cells);
    g_test_add_func("/annotation/notes/masks", test_masks);
    g_test_add_func("/annotation/notes/palette", test_palette);
    return g_test_run();
}
