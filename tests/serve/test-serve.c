/* SPDX-License-Identifier: Apache-2.0 */
/* The server, without a browser: who may ask, what slides look like, outlines that are saved, and everything that is refused. */
#include "../slide/make-slide.h"
#include "client.h"
#include "serve/serve-private.h"
#include "rankmil/annotation.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define RED 0xC82814
#define BLUE 0x1428C8

/* plain: 600 × 500, red but for a blue square at (256, 256). leica: the same, scanned at (1000, 700) of an extent. odd: of a name that would
 * be markup. broken: its first tile and the one at (512, 0) cannot be read. missing: no such file. */
static char *make_cohort(const char *folder) {
    g_autoptr(Picture) picture = picture_new(600, 500, RED);
    picture_fill(picture, 256, 256, 64, 64, BLUE);
    g_free(make_slide(folder, "plain.tiff", picture, (SlideForm){.mpp = 0.5}));
    g_free(make_leica(folder, "leica.tiff", picture, 1000, 700, 4000, 3000, FALSE));
    g_autoptr(Picture) noise = picture_noise(600, 500, 3);
    g_autofree char *broken = make_slide(folder, "broken.tiff", noise,
                                         (SlideForm){.mpp = 0.5, .pyramid = TRUE, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE});
    spoil_tile(broken, 0);
    spoil_tile(broken, 8);
    return test_file(folder, "cohort.csv",
                     "\xef\xbb\xbfslide;Label;id\r\nplain.tiff;1;plain\r\n\r\nleica.tiff;1;leica\r\nbroken.tiff;0;broken\r\n"
                     "none.tiff;0;missing\r\nplain.tiff;0;\"<img src=x onerror=alert(1)>\"\r\n");
}

static Served *serve_cohort(char **folder) {
    *folder = test_folder();
    g_autofree char *table = make_cohort(*folder);
    return served_new(table, NULL);
}

/* -- who may ask ------------------------------------------------------------------------------------------------------------------------- */
static void test_guard(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    const char *address = rmil_serve_address(served->serve);
    g_auto(Answer) a = {0};
    ask(served, &a, "GET", "", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpstr(a.type, ==, "text/html; charset=utf-8");
    g_assert_nonnull(strstr(a.policy, "default-src 'none'"));
    g_assert_null(strstr(a.policy, "unsafe"));
    /* one digit off, none at all, more than it */
    g_autofree char *wrong = g_strdup(address), *root = g_strndup(address, strlen(address) - 33),
                    *more = g_strdup_printf("%.*sx/", (int)strlen(address) - 1, address);
    char *digit = wrong + strlen(wrong) - 2;
    *digit = *digit == '0' ? '1' : '0';
    const char *const strangers[] = {wrong, root, more};
    for (gsize i = 0; i < G_N_ELEMENTS(strangers); i++) {
        ask_as(&a, "GET", strangers[i], NULL, NULL);
        g_assert_cmpuint(a.status, ==, 403);
    }
    g_assert_true(served_warned(served, "a wrong token"));
    const char *const hosts[] = {
        "evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8765", "a@127.0.0.1:80", ""};
    for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++) {
        ask_as(&a, "GET", address, hosts[i], NULL);
        g_assert_cmpuint(a.status, ==, *hosts[i] ? 403 : a.status);
        g_assert_cmpuint(a.status, !=, 200);
    }
    g_assert_true(served_warned(served, "another machine's name"));
    g_autofree char *local = g_strdup_printf("localhost%.*s", (int)(strlen(root) - strlen("http://127.0.0.1") - 1),
                                             root + strlen("http://127.0.0.1"));
    ask_as(&a, "GET", address, local, NULL);
    g_assert_cmpuint(a.status, ==, 200);
}

static guint raw_status(Served *served, const char *request) {
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autofree char *host = g_strdup(rmil_serve_address(served->serve) + strlen("http://"));
    *strchr(host, '/') = '\0';
    g_autoptr(GSocketConnection) connection = g_socket_client_connect_to_host(client, host, 80, NULL, NULL);
    g_assert_nonnull(connection);
    g_socket_set_timeout(g_socket_connection_get_socket(connection), 20);
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    g_output_stream_write_all(g_io_stream_get_output_stream(G_IO_STREAM(connection)), request, strlen(request), NULL, NULL, NULL);
    char reply[64] = {0};
    gsize got = 0;
    g_input_stream_read_all(in, reply, 12, &got, NULL, NULL);
    return got == 12 ? (guint)g_ascii_strtoull(reply + 9, NULL, 10) : 0;
}

/* No path of a request reaches the file system. */
static void test_paths(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    const char *address = rmil_serve_address(served->serve), *token = address + strlen(address) - 33;
    g_autofree char *host = g_strndup(address + 7, strlen(address) - 7 - 34);
    const char *const paths[] = {"../cohort.csv",
                                 "..%2fcohort.csv",
                                 "%2e%2e/%2e%2e/etc/passwd",
                                 "slide/..%2fplain/outlines",
                                 "slide/../../etc",
                                 "index.html/x",
                                 "/etc/passwd",
                                 "page.gresource.xml",
                                 "slide/none/outlines",
                                 "slide/plain/tile/0/0/0/0",
                                 "%00",
                                 "slide/%00/outlines",
                                 "slide/plain/tile/-1/0/0",
                                 "slide/plain/tile/0/99999999999999999999/0",
                                 "slide/plain/tile/0/5/5",
                                 "slide/plain/tile/0/1e3/0"};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *request = g_strdup_printf("GET /%.32s/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", token, paths[i],
                                                   host);
        const guint status = raw_status(served, request);
        if (status != 403 && status != 404 && status != 400) g_error("%s: %u", paths[i], status);
    }
    g_auto(Answer) a = {0};
    ask(served, &a, "POST", "overview", "{}", NULL);
    g_assert_cmpuint(a.status, ==, 405);
    ask(served, &a, "DELETE", "slide/plain/outlines", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 405);
}

static void test_large(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    const char *address = rmil_serve_address(served->serve), *token = address + strlen(address) - 33;
    g_autofree char *host = g_strndup(address + 7, strlen(address) - 7 - 34);
    const char *const lengths[] = {"Content-Length: 99999999999", "Transfer-Encoding: chunked"};
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autofree char *request = g_strdup_printf(
            "PUT /%.32s/slide/plain/outlines HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\n%s\r\n\r\n", token, host, lengths[i]);
        g_assert_cmpuint(raw_status(served, request), ==, 413);
    }
    g_assert_true(served_warned(served, "too large"));
    g_autoptr(GString) nested = g_string_new(NULL);
    for (int i = 0; i < 100000; i++) g_string_append_c(nested, '[');
    const char *const bodies[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"type\":\"FeatureCollection\"}",
        "{\"type\":\"FeatureCollection\",\"features\":{}}",
        nested->str,
        "{\"type\":\"FeatureCollection\",\"features\":[1]}",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[0,\"x\"],[1,1],[2,0]]]}}]}"};
    g_auto(Answer) a = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        ask(served, &a, "PUT", "slide/plain/outlines", bodies[i], "none");
        g_assert_cmpuint(a.status, ==, 400);
        g_assert_nonnull(answer_text(&a, "error"));
        ask(served, &a, "POST", "shape", bodies[i], NULL);
        g_assert_cmpuint(a.status, ==, 400);
    }
    g_assert_false(test_exists(folder, "annotations/plain.geojson"));
}

/* Connections beyond the bound are closed at once, and the others are answered. */
static void test_crowd(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    g_autofree char *host = g_strdup(rmil_serve_address(served->serve) + strlen("http://"));
    *strchr(host, '/') = '\0';
    g_autoptr(GPtrArray) idle = g_ptr_array_new_with_free_func(g_object_unref);
    g_autoptr(GSocketClient) client = g_socket_client_new();
    for (int i = 0; i < 700; i++) {
        GSocketConnection *one = g_socket_client_connect_to_host(client, host, 80, NULL, NULL);
        if (one) g_ptr_array_add(idle, one);
    }
    for (int i = 0; i < 100 && !served_warned(served, "too many connections"); i++) g_usleep(50000);
    g_assert_true(served_warned(served, "too many connections"));
    g_ptr_array_set_size(idle, 0);
    g_auto(Answer) a = {0};
    for (int i = 0; i < 100 && a.status != 200; i++) {
        ask(served, &a, "GET", "state", NULL, NULL);
        g_usleep(20000);
    }
    g_assert_cmpuint(a.status, ==, 200);
}

/* Clients that close after one answer do not fill the bound: all are answered, one after the other. */
static void test_passing(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    g_auto(Answer) a = {0};
    served_start(served);
    for (int i = 0; i < 1100; i++) {
        ask(served, &a, "GET", "state", NULL, NULL);
        g_assert_cmpuint(a.status, ==, 200);
    }
    g_assert_false(served_warned(served, "too many connections"));
}

/* -- slides ---------------------------------------------------------------------------------------------------------------------------------- */
static uint8_t *decode(const Answer *a, int *width, int *height) {
    gsize size, bytes;
    const void *data = g_bytes_get_data(a->bytes, &size);
    VipsImage *image = NULL;
    g_assert_cmpstr(a->type, ==, "image/jpeg");
    g_assert_cmpint(vips_jpegload_buffer((void *)data, size, &image, NULL), ==, 0);
    *width = vips_image_get_width(image);
    *height = vips_image_get_height(image);
    uint8_t *rgb = vips_image_write_to_memory(image, &bytes);
    g_object_unref(image);
    return rgb;
}

static void assert_colour(const uint8_t *rgb, int x, int y, uint32_t colour) {
    const uint8_t expected[3] = {(uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour};
    assert_pixel(rgb + 3 * (y * (RMIL_TILE_SIDE + RMIL_TILE_OVER) + x), expected, 12);
}

/* The same pixels at the same places of the page, wherever the scanned area lies. */
static void test_tiles(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    const char *const ids[] = {"plain", "leica"};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_auto(Answer) a = {0};
        g_autofree char *slide = g_strdup_printf("slide/%s", ids[i]), *finest = g_strdup_printf("%s/tile/2/1/1", slide),
                        *before = g_strdup_printf("%s/tile/2/0/1", slide), *whole = g_strdup_printf("%s/tile/0/0/0", slide),
                        *none = g_strdup_printf("%s/tile/2/3/0", slide), *thumbnail = g_strdup_printf("%s/thumbnail", slide);
        int width, height;
        ask(served, &a, "GET", slide, NULL, NULL);
        g_assert_cmpfloat(answer_number(&a, "width"), ==, 600);
        g_assert_cmpfloat(answer_number(&a, "height"), ==, 500);
        g_assert_cmpfloat(answer_number(&a, "deepest"), ==, 2);
        g_assert_cmpfloat(answer_number(&a, "left"), ==, i ? 1000 : 0);
        ask(served, &a, "GET", finest, NULL, NULL);
        g_autofree uint8_t *at = decode(&a, &width, &height);
        g_assert_cmpint(width, ==, RMIL_TILE_SIDE + RMIL_TILE_OVER);
        assert_colour(at, 4, 4, BLUE);
        assert_colour(at, 59, 59, BLUE);
        assert_colour(at, 68, 10, RED);
        ask(served, &a, "GET", before, NULL, NULL); /* reaches over its neighbour */
        g_autofree uint8_t *left = decode(&a, &width, &height);
        assert_colour(left, 250, 10, RED);
        assert_colour(left, 257, 10, BLUE);
        ask(served, &a, "GET", whole, NULL, NULL);
        g_autofree uint8_t *all = decode(&a, &width, &height);
        assert_colour(all, 70, 70, BLUE);
        assert_colour(all, 30, 70, RED);
        ask(served, &a, "GET", none, NULL, NULL);
        g_assert_cmpuint(a.status, ==, 404);
        ask(served, &a, "GET", thumbnail, NULL, NULL);
        g_autofree uint8_t *small = decode(&a, &width, &height);
        g_assert_cmpint(width, ==, 240);
        g_assert_cmpint(height, ==, 200);
    }
}

/* A tile that cannot be read is a picture that says so; the others are there, and the slide has a problem. */
static void test_broken(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "GET", "slide/broken/tile/2/0/0", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpstr(a.type, ==, "image/svg+xml");
    ask(served, &a, "GET", "slide/broken/tile/2/1/1", NULL, NULL);
    g_assert_cmpstr(a.type, ==, "image/jpeg");
    ask(served, &a, "GET", "slide/broken/tile/2/1/0", NULL, NULL); /* whose neighbour is broken */
    g_assert_cmpstr(a.type, ==, "image/jpeg");
    ask(served, &a, "GET", "slide/missing", NULL, NULL);
    g_assert_cmpuint(a.status, !=, 200);
    g_assert_nonnull(strstr(answer_text(&a, "error"), "none.tiff"));
    ask(served, &a, "GET", "overview", NULL, NULL);
    JsonArray *slides = json_node_get_array(answer_get(&a, "slides"));
    g_assert_cmpuint(json_array_get_length(slides), ==, 5);
    for (guint i = 0; i < 5; i++) {
        JsonObject *slide = json_array_get_object_element(slides, i);
        g_assert_true(json_object_has_member(slide, "problem") == (i == 2 || i == 3));
    }
    g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(slides, 4), "id"), ==, "<img src=x onerror=alert(1)>");
    ask(served, &a, "GET", "slide/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpstr(a.type, ==, "application/json");
}

/* -- outlines --------------------------------------------------------------------------------------------------------------------------------- */
#define SQUARE(class)                                                                                                                                 \
    "{\"type\":\"Feature\",\"id\":\"own\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[256,256],[320,256],[320,320],[256,320],[256,256]]]}," \
    "\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":\"" class "\"},\"isLocked\":true}}"
#define CELL                                                                                                                               \
    "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[1,1],[2,1],[2,2],[1,1]]]},\"properties\":{\"objectType\":\"cell\"}}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"

static double area_of(const char *path, int64_t left, int64_t top) {
    GError *error = NULL;
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    if (left)
        options = (RmilAnnotationOptions){.slide_width = 4000,
                                          .slide_height = 3000,
                                          .bounds_x = left,
                                          .bounds_y = top,
                                          .bounds_width = 600,
                                          .bounds_height = 500};
    g_autoptr(RmilRegion) region = rmil_region_read(path, &options, &error);
    g_assert_no_error(error);
    const int64_t corner[] = {left + 256, top + 256};
    double share;
    g_assert_true(rmil_region_overlap(region, corner, 1, 64, &share, &error));
    if (!rmil_region_empty(region)) g_assert_cmpfloat(share, ==, 1);
    return rmil_region_area(region);
}

static void test_outlines(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "GET", "slide/leica/outlines", NULL, NULL);
    g_assert_cmpstr(answer_text(&a, "etag"), ==, "none");
    ask(served, &a, "PUT", "slide/leica/outlines", COLLECTION(SQUARE("Tumor") "," CELL), "none");
    g_assert_cmpuint(a.status, ==, 200);
    g_autofree char *first = g_strdup(answer_text(&a, "etag")), *path = g_build_filename(folder, "annotations/leica.geojson", NULL);
    g_assert_cmpfloat(area_of(path, 1000, 700), ==, 4096);
    /* what the page does not know stays */
    g_autofree char *text = test_bytes(NULL, path, NULL);
    g_assert_nonnull(strstr(text, "\"isLocked\":true"));
    g_assert_nonnull(strstr(text, "\"cell\""));
    /* the table names it now, and is otherwise as it was */
    g_autofree char *table = test_bytes(folder, "cohort.csv", NULL);
    g_assert_cmpstr(table, ==,
                    "\xef\xbb\xbfslide;Label;id;annotation\r\nplain.tiff;1;plain;\r\n\r\nleica.tiff;1;leica;annotations/leica.geojson\r\n"
                    "broken.tiff;0;broken;\r\nnone.tiff;0;missing;\r\nplain.tiff;0;\"<img src=x onerror=alert(1)>\";\r\n");
    /* somebody else's version is not written over */
    ask(served, &a, "PUT", "slide/leica/outlines", COLLECTION(""), "none");
    g_assert_cmpuint(a.status, ==, 409);
    ask(served, &a, "PUT", "slide/leica/outlines", COLLECTION(""), first);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpfloat(area_of(path, 0, 0), ==, 0);
    g_assert_cmpint(test_entries(folder, "annotations/versions/leica"), ==, 1);
    ask(served, &a, "GET", "overview", NULL, NULL);
    JsonObject *slide = json_array_get_object_element(json_node_get_array(answer_get(&a, "slides")), 1);
    g_assert_cmpstr(json_object_get_string_member(slide, "outlined"), ==, "nothing");
    /* a class that counts as nothing is kept, and said */
    ask(served, &a, "GET", "slide/plain/outlines", NULL, NULL);
    ask(served, &a, "PUT", "slide/plain/outlines", COLLECTION(SQUARE("<b>Stroma</b>")), "none");
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_nonnull(strstr(json_array_get_string_element(json_node_get_array(answer_get(&a, "warnings")), 0), "<b>Stroma</b>"));
    g_autoptr(RmilCohort) again = rmil_cohort_read(served->work->cohort->path, NULL);
    g_assert_true(g_str_has_suffix(again->rows[0].annotation, "annotations/plain.geojson"));
}

/* A change on disk, as QuPath makes one, is seen. */
static void test_outside(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "PUT", "slide/plain/outlines", COLLECTION(""), "none");
    g_assert_cmpuint(a.status, ==, 200);
    ask(served, &a, "GET", "state", NULL, NULL);
    g_autofree char *since = g_strdup_printf("state?since=%.0f", answer_number(&a, "version"));
    ask(served, &a, "GET", since, NULL, NULL);
    g_assert_cmpuint(json_array_get_length(json_node_get_array(answer_get(&a, "outlines"))), ==, 0);
    g_free(test_file(folder, "annotations/plain.geojson", COLLECTION(SQUARE("Tumor"))));
    for (int i = 0; i < 100; i++) {
        ask(served, &a, "GET", since, NULL, NULL);
        if (json_array_get_length(json_node_get_array(answer_get(&a, "outlines")))) break;
        g_usleep(100000);
    }
    g_assert_cmpstr(json_array_get_string_element(json_node_get_array(answer_get(&a, "outlines")), 0), ==, "plain");
}

/* ASAP's and others' are shown as their region, and saved as GeoJSON beside the table; the file itself stays. */
static void test_foreign(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(600, 500, RED);
    g_free(make_slide(folder, "plain.tiff", picture, (SlideForm){.mpp = 0.5}));
    g_free(test_file(
        folder, "own.xml",
        "<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"Tumor\"><Coordinates>"
        "<Coordinate Order=\"0\" X=\"256\" Y=\"256\"/><Coordinate Order=\"1\" X=\"320\" Y=\"256\"/><Coordinate Order=\"2\" X=\"320\" Y=\"320\"/>"
        "<Coordinate Order=\"3\" X=\"256\" Y=\"320\"/></Coordinates></Annotation></Annotations></ASAP_Annotations>"));
    g_autofree char *table = test_file(folder, "cohort.csv", "slide,label,annotation\nplain.tiff,1,own.xml\n");
    g_autoptr(Served) served = served_new(table, NULL);
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "GET", "slide/plain/outlines", NULL, NULL);
    g_assert_cmpstr(answer_text(&a, "from"), ==, "own.xml"); /* as the table names it */
    g_assert_cmpstr(answer_text(&a, "file"), ==, "annotations/plain.geojson");
    JsonArray *features = json_node_get_array(answer_get(&a, "collection.features"));
    g_assert_cmpuint(json_array_get_length(features), ==, 1);
    g_autofree char *etag = g_strdup(answer_text(&a, "etag")), *collection = json_to_string(answer_get(&a, "collection"), FALSE),
                    *path = g_build_filename(folder, "annotations/plain.geojson", NULL);
    ask(served, &a, "PUT", "slide/plain/outlines", collection, etag);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpfloat(area_of(path, 0, 0), ==, 4096);
    g_autofree char *after = test_bytes(folder, "cohort.csv", NULL);
    g_assert_cmpstr(after, ==, "slide,label,annotation\nplain.tiff,1,annotations/plain.geojson\n");
    g_assert_true(test_exists(folder, "own.xml"));
}

/* A file where ours would be, which the table does not name: shown and said, and not written over unseen. */
static void test_unnamed(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    g_autofree char *beside = g_build_filename(folder, "annotations", NULL);
    g_mkdir(beside, 0777);
    g_free(test_file(folder, "annotations/plain.geojson", COLLECTION(SQUARE("Tumor"))));
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "GET", "slide/plain/outlines", NULL, NULL);
    g_assert_cmpuint(json_array_get_length(json_node_get_array(answer_get(&a, "collection.features"))), ==, 1);
    g_assert_nonnull(strstr(json_array_get_string_element(json_node_get_array(answer_get(&a, "warnings")), 0), "does not name this file"));
    g_autofree char *etag = g_strdup(answer_text(&a, "etag"));
    ask(served, &a, "PUT", "slide/plain/outlines", COLLECTION(""), "none");
    g_assert_cmpuint(a.status, ==, 409);
    ask(served, &a, "PUT", "slide/plain/outlines", COLLECTION(""), etag);
    g_assert_cmpuint(a.status, ==, 200);
    g_autofree char *table = test_bytes(folder, "cohort.csv", NULL);
    g_assert_nonnull(strstr(table, "annotations/plain.geojson"));
}

static void test_read_only(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served->options.read_only = TRUE;
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "PUT", "slide/plain/outlines", COLLECTION(""), "none");
    g_assert_cmpuint(a.status, ==, 403);
    ask(served, &a, "POST", "retrain", "{}", NULL);
    g_assert_cmpuint(a.status, ==, 403);
    g_assert_false(test_exists(folder, "annotations"));
}

static void test_brush(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "POST", "shape", "{\"shape\":null,\"stroke\":{\"points\":[[100,100]],\"radius\":10},\"add\":true}", NULL);
    g_assert_cmpstr(answer_text(&a, "type"), ==, "Polygon");
    g_autofree char *dot = json_to_string(a.json, FALSE),
                    *away = g_strdup_printf("{\"shape\":%s,\"stroke\":{\"points\":[[100,100]],\"radius\":11},\"add\":false}", dot),
                    *apart = g_strdup_printf("{\"shape\":%s,\"stroke\":{\"points\":[[100,50],[100,150]],\"radius\":2},\"add\":false}", dot);
    ask(served, &a, "POST", "shape", apart, NULL);
    g_assert_cmpstr(answer_text(&a, "type"), ==, "MultiPolygon");
    ask(served, &a, "POST", "shape", away, NULL);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_true(JSON_NODE_HOLDS_NULL(a.json));
    static const char *const wrong[] = {
        "{}",
        "{\"shape\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"stroke\":{\"points\":[[1,1]],\"radius\":1}}",
        "{\"shape\":null,\"stroke\":{\"points\":[],\"radius\":1}}",
        "{\"shape\":null,\"stroke\":{\"points\":[[1,1e99]],\"radius\":1}}",
        "{\"shape\":null,\"stroke\":{\"points\":[[1,1]],\"radius\":-1}}",
        "{\"shape\":null,\"with\":{\"type\":\"Polygon\",\"coordinates\":[[[1]]]}}",
        "{\"shape\":null,\"with\":{\"type\":\"Polygon\",\"coordinates\":[[[1,1],[9,1],[9,9],[]]]}}"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        ask(served, &a, "POST", "shape", wrong[i], NULL);
        g_assert_cmpuint(a.status, ==, 400);
    }
}

/* An address that is taken, and one that is none. */
static void test_address(void) {
    g_autofree char *folder = NULL;
    g_autoptr(Served) served = serve_cohort(&folder);
    served_start(served);
    GError *error = NULL;
    RmilServeOptions options = served->options;
    options.port = (int)g_ascii_strtoull(strrchr(rmil_serve_address(served->serve), ':') + 1, NULL, 10);
    g_assert_null(rmil_serve_new(&options, &error));
    test_error(&error, RMIL_ERROR_IO, "cannot listen on 127.0.0.1");
    options.listen = "example";
    g_assert_null(rmil_serve_new(&options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--listen example");
    options.port = 70000;
    g_assert_null(rmil_serve_new(&options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--port 70000");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_assert_true(rmil_vips_init(NULL));
    g_test_add_func("/serve/guard", test_guard);
    g_test_add_func("/serve/paths", test_paths);
    g_test_add_func("/serve/large", test_large);
    g_test_add_func("/serve/crowd", test_crowd);
    g_test_add_func("/serve/passing", test_passing);
    g_test_add_func("/serve/tiles", test_tiles);
    g_test_add_func("/serve/broken", test_broken);
    g_test_add_func("/serve/outlines", test_outlines);
    g_test_add_func("/serve/outside", test_outside);
    g_test_add_func("/serve/foreign", test_foreign);
    g_test_add_func("/serve/unnamed", test_unnamed);
    g_test_add_func("/serve/read-only", test_read_only);
    g_test_add_func("/serve/brush", test_brush);
    g_test_add_func("/serve/address", test_address);
    return g_test_run();
}
