/* SPDX-License-Identifier: Apache-2.0 */
/* The page in a real Chromium: what is shown lies where it belongs, what is drawn is saved, what is trained is shown. */
#include "../slide/make-slide.h"
#include "browser.h"
#include "command.h"
#include "known-run.h"
#include "rankmil/annotation.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

static Browser *browser;
static char *folder, *address;
static GSubprocess *view;

/* -- the server ---------------------------------------------------------------------------------------------------------------------------- */
/* Also of a test that fails. */
static void die_with_parent(gpointer unused) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

static void start_view(void) {
    g_autofree char *command = g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL);
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    GError *error = NULL;
    g_subprocess_launcher_set_cwd(launcher, folder);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    view = g_subprocess_launcher_spawn(launcher, &error, command, "view", "run", "--port", "0", NULL);
    g_assert_no_error(error);
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(view));
    g_clear_pointer(&address, g_free);
    for (char *line; !address && (line = g_data_input_stream_read_line(lines, NULL, NULL, NULL)); g_free(line))
        if (strstr(line, "http://")) address = g_strdup(strstr(line, "http://"));
    g_assert_nonnull(address);
}

static void end_view(int number) {
    g_subprocess_send_signal(view, number);
    g_subprocess_wait(view, NULL, NULL);
    if (number != SIGKILL) g_assert_true(g_subprocess_get_if_exited(view) && g_subprocess_get_exit_status(view) == 0);
    g_clear_object(&view);
}

/* FALSE: there is no browser here. */
static gboolean begin(void) {
    if (browser) return TRUE;
    browser = browser_new(1240, 900);
    if (!browser) return FALSE;
    folder = known_run();
    start_view();
    return TRUE;
}

static void go(const char *place) {
    g_autofree char *whole = g_strconcat(address, place, NULL);
    browser_go(browser, "about:blank");
    browser_go(browser, whole);
}

static void open_slide_page(const char *id) {
    g_autofree char *place = g_strconcat("#slide/", id, NULL);
    go(place);
    browser_wait(browser, "document.querySelector('.map').dataset.heat && document.querySelector('.maps').dataset.etag");
}

static void no_complaints(void) {
    g_autofree char *console = browser_console(browser);
    g_assert_cmpstr(console, ==, "");
}

/* -- what is shown --------------------------------------------------------------------------------------------------------------------------- */
static void test_table(void) {
    if (!begin()) return;
    go("");
    browser_wait(browser, "document.querySelectorAll('.card').length === 16");
    browser_wait(browser,
                 "[...document.querySelectorAll('.card img')].filter((img) => img.complete && img.naturalWidth === 240).length > 5");
    browser_wait(browser, "document.querySelectorAll('.next li').length > 0");
    g_autofree char *next = browser_text(browser, "document.querySelector('.next').innerText");
    g_assert_nonnull(strstr(next, "nobody has outlined it yet"));
    /* filters and keys */
    browser_run(browser,
                "const s = document.querySelectorAll('.filters select')[1]; s.value = 'test'; s.dispatchEvent(new Event('change'));");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.card').length"), ==, 4);
    browser_key(browser, "\uE014", FALSE); /* right, from nothing to the first, then on */
    browser_key(browser, "\uE014", FALSE);
    g_assert_cmpfloat(browser_number(browser, "document.activeElement.dataset.index"), ==, 1);
    browser_key(browser, "\uE007", FALSE);
    browser_wait(browser, "location.hash.startsWith('#slide/') && document.querySelector('.map')");
    no_complaints();
}

/* The box of all pixels of the map that look like a colour, in px of the window. */
typedef struct {
    int left, top, right, bottom, count;
} Box;

static Box find_colour(int red, int green, int blue, int tolerance) {
    int width, height;
    g_autofree uint8_t *rgb = browser_picture(browser, &width, &height);
    const int left = (int)browser_number(browser, "document.querySelector('.map').getBoundingClientRect().left"),
              top = (int)browser_number(browser, "document.querySelector('.map').getBoundingClientRect().top"),
              right = (int)browser_number(browser, "document.querySelector('.map').getBoundingClientRect().right"),
              bottom = (int)browser_number(browser, "document.querySelector('.map').getBoundingClientRect().bottom");
    Box box = {width, height, -1, -1, 0};
    for (int y = top; y < MIN(bottom, height); y++)
        for (int x = left; x < MIN(right, width); x++) {
            const uint8_t *p = rgb + 3 * (y * width + x);
            if (abs(p[0] - red) > tolerance || abs(p[1] - green) > tolerance || abs(p[2] - blue) > tolerance) continue;
            box = (Box){MIN(box.left, x), MIN(box.top, y), MAX(box.right, x + 1), MAX(box.bottom, y + 1), box.count + 1};
        }
    return box;
}

/* Where a position of the slide is in the window. */
static double window_x(double x) {
    g_autofree char *js = g_strdup_printf(
        "document.querySelector('.map').map.project([0, %g]).subtract(document.querySelector('.map').map.getPixelOrigin()).add(document.querySelector('.map').map.containerPointToLayerPoint([0, 0]).multiplyBy(-1)).x + document.querySelector('.map').getBoundingClientRect().left",
        x);
    return browser_number(browser, js);
}
static double window_y(double y) {
    g_autofree char *js = g_strdup_printf(
        "document.querySelector('.map').map.project([%g, 0]).subtract(document.querySelector('.map').map.getPixelOrigin()).add(document.querySelector('.map').map.containerPointToLayerPoint([0, 0]).multiplyBy(-1)).y + document.querySelector('.map').getBoundingClientRect().top",
        y);
    return browser_number(browser, js);
}

static void look_at(double zoom, double x, double y) {
    g_autofree char *js = g_strdup_printf("document.querySelector('.map').map.setView([%g, %g], %g, {animate: false});", y, x, zoom);
    JsonNode *value = browser_run(browser, js);
    if (value) json_node_unref(value);
    browser_wait(
        browser,
        "[...document.querySelectorAll('.leaflet-tile')].length && [...document.querySelectorAll('.leaflet-tile')].every((tile) => tile.complete)");
    g_usleep(400000);
}

static void assert_box(Box box, double tolerance) {
    g_assert_cmpint(box.count, >, 0);
    g_assert_cmpfloat(fabs(box.left - window_x(KNOWN_SQUARE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.top - window_y(KNOWN_SQUARE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.right - window_x(KNOWN_SQUARE + KNOWN_SIDE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.bottom - window_y(KNOWN_SQUARE + KNOWN_SIDE)), <=, tolerance);
}

/* The slide's pixels, the heat map and the patch that is found under the pointer lie in the same place, at every zoom, and wherever
 * the scanned area lies on the slide. The known patch has the highest colour of the map, yellow. */
static void test_place(void) {
    if (!begin()) return;
    const char *const ids[] = {"p1", "p3"};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        open_slide_page(ids[i]);
        browser_run(browser, "document.querySelector('.legend').style.display = 'none';"); /* which has the colours, too */
        const double zooms[] = {2, 2.75, 1, 3};
        for (gsize z = 0; z < G_N_ELEMENTS(zooms); z++) {
            look_at(zooms[z], KNOWN_SQUARE + 20, KNOWN_SQUARE + 10);
            browser_key(browser, "h", FALSE);
            g_usleep(200000);
            assert_box(find_colour(0x14, 0x28, 0xC8, 30), zooms[z] == floor(zooms[z]) ? 1.5 : 2);
            browser_run(browser,
                        "const r = document.querySelector('input[type=range]'); r.value = 1; r.dispatchEvent(new Event('input'));");
            browser_key(browser, "h", FALSE);
            g_usleep(300000);
            assert_box(find_colour(253, 231, 37, 12), 1.5);
        }
        g_autofree char *js = g_strdup_printf("document.querySelector('.map').slide.left === %d", i == 0 ? KNOWN_LEFT : 0);
        browser_wait(browser, js);
    }
    no_complaints();
}

/* Between whole zooms nothing of the ground shines through where tiles meet, here at 256 px of level 0. */
static void test_seams(void) {
    if (!begin()) return;
    open_slide_page("n1");
    browser_key(browser, "h", FALSE);
    const double zooms[] = {2.25, 2.75};
    for (gsize z = 0; z < G_N_ELEMENTS(zooms); z++) {
        look_at(zooms[z], 256, 256);
        int width, height, wrong = 0;
        g_autofree uint8_t *rgb = browser_picture(browser, &width, &height);
        const int left = (int)window_x(240) + 1, right = (int)window_x(272), top = (int)window_y(200) + 1, bottom = (int)window_y(300);
        g_assert_true(left > 0 && top > 0 && right <= width && bottom <= height && left < right && top < bottom);
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++) {
                const uint8_t *p = rgb + 3 * (y * width + x);
                wrong += abs(p[0] - 0xF0) > 6 || abs(p[1] - 0xDC) > 6 || abs(p[2] - 0xE6) > 6;
            }
        g_assert_cmpint(wrong, ==, 0);
    }
    browser_key(browser, "h", FALSE);
    no_complaints();
}

/* Two heat maps side by side show the same place, and are moved together. */
static void test_two(void) {
    if (!begin()) return;
    open_slide_page("p3");
    browser_run(
        browser,
        "const s = [...document.querySelectorAll('select')].find((one) => one.getAttribute('aria-label') === 'second heat map'); s.value = 'abmil'; "
        "s.dispatchEvent(new Event('change'));");
    browser_wait(browser, "document.querySelectorAll('.map').length === 2 && document.querySelectorAll('.map')[1].dataset.heat");
    static const char same[] =
        "(() => { const [a, b] = [...document.querySelectorAll('.map')].map((box) => box.map); return Math.abs(a.getCenter().lng - b.getCenter().lng) < 2 && "
        "Math.abs(a.getCenter().lat - b.getCenter().lat) < 2 && a.getZoom() === b.getZoom(); })()";
    browser_wait(browser, same);
    g_assert_cmpfloat(fabs(browser_number(browser, "document.querySelector('.map').map.getCenter().lng") - 320), <,
                      8); /* it stayed where it was */
    const double x = window_x(320), y = window_y(256), drag[] = {x, y, x - 10, y - 5, x - 30, y - 20, x - 60, y - 40};
    browser_drag(browser, drag, 4);
    g_usleep(800000);
    browser_wait(browser, same);
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('.map').map.getCenter().lng"), >, 328);
    browser_run(browser, "document.querySelectorAll('.map')[1].map.setView([200, 200], 2, {animate: false});");
    browser_wait(browser, same);
    browser_run(
        browser,
        "const s = [...document.querySelectorAll('select')].find((one) => one.getAttribute('aria-label') === 'second heat map'); s.value = ''; s.dispatchEvent(new Event('change'));");
    no_complaints();
}

static void test_scale(void) {
    if (!begin()) return;
    open_slide_page("p3");
    look_at(2, 320, 256); /* 1:1: 0.5 µm a pixel */
    const double pixels = browser_number(browser, "document.querySelector('.scale').dataset.pixels"),
                 length = browser_number(browser, "document.querySelector('.scale').dataset.length");
    g_assert_cmpfloat(fabs(pixels * 0.5 - length), <, 0.01);
    g_autofree char *text = browser_text(browser, "document.querySelector('.scale .text').textContent");
    g_assert_nonnull(strstr(text, "µm · 20×"));
}

/* -- what is drawn --------------------------------------------------------------------------------------------------------------------------- */
static void saved(int outlines) {
    g_autofree char *js = g_strdup_printf(
        "document.querySelector('.maps').dataset.outlines === '%d' && document.querySelector('.maps').dataset.etag && document.querySelector('.state').textContent === 'saved'",
        outlines);
    browser_wait(browser, js);
}

static RmilRegion *region_of(const char *name) {
    GError *error = NULL;
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    RmilRegion *region = rmil_region_read(path, &options, &error);
    g_assert_no_error(error);
    return region;
}

static void test_draw(void) {
    if (!begin()) return;
    open_slide_page("p3");
    look_at(2, 320, 256);
    const double a[] = {window_x(256), window_y(256), window_x(300), window_y(300), window_x(320), window_y(320)};
    browser_key(browser, "r", FALSE);
    browser_drag(browser, a, 3);
    saved(1);
    g_autoptr(RmilRegion) square = region_of("annotations/p3.geojson");
    g_assert_cmpfloat(fabs(rmil_region_area(square) - 4096), <, 130);
    /* a stroke of the brush from inside of it adds to it */
    const double b[] = {window_x(300), window_y(300), window_x(380), window_y(300), window_x(400), window_y(330)};
    browser_key(browser, "b", FALSE);
    browser_drag(browser, b, 3);
    g_usleep(600000);
    saved(1);
    g_autoptr(RmilRegion) more = region_of("annotations/p3.geojson");
    g_assert_cmpfloat(rmil_region_area(more), >, 6000);
    /* undone, and done again */
    browser_key(browser, "z", TRUE);
    g_usleep(600000);
    saved(1);
    g_autoptr(RmilRegion) less = region_of("annotations/p3.geojson");
    g_assert_cmpfloat(rmil_region_area(less), ==, rmil_region_area(square));
    /* the eraser takes all of it */
    look_at(0, 320, 256);
    const double c[] = {window_x(260), window_y(260), window_x(320), window_y(320)};
    browser_key(browser, "e", FALSE);
    browser_drag(browser, c, 2);
    saved(0);
    browser_key(browser, "z", TRUE);
    saved(1);
    /* a polygon, corner by corner */
    look_at(2, 320, 256);
    browser_key(browser, "p", FALSE);
    const double corners[][2] = {{window_x(100), window_y(100)}, {window_x(160), window_y(100)}, {window_x(160), window_y(160)}};
    for (int i = 0; i < 3; i++) browser_drag(browser, corners[i], 1);
    browser_key(browser, "\uE007", FALSE);
    saved(2);
    /* all of it is there after a reload */
    browser_reload(browser);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '2'");
    no_complaints();
}

static void test_nothing(void) {
    if (!begin()) return;
    open_slide_page("p4");
    browser_run(browser, "document.querySelector('button.nothing').click();");
    saved(0);
    g_autoptr(RmilRegion) empty = region_of("annotations/p4.geojson");
    g_assert_true(rmil_region_empty(empty));
}

/* Another tab sees what this one draws; and both see what QuPath writes. What was written meanwhile is not lost. */
static void test_tabs(void) {
    if (!begin()) return;
    open_slide_page("p5");
    g_autofree char *first = browser_window(browser), *second = browser_new_window(browser);
    open_slide_page("p5");
    browser_switch(browser, first);
    look_at(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {window_x(256), window_y(256), window_x(320), window_y(320)};
    browser_drag(browser, a, 2);
    saved(1);
    browser_switch(browser, second);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '1'");
    g_free(test_file(folder, "annotations/p5.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}"));
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '0'");
    browser_switch(browser, first);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '0'");
    browser_wait(browser, "document.getElementById('message').textContent.includes('changed elsewhere')");
}

/* -- what is trained --------------------------------------------------------------------------------------------------------------------------- */
static void test_retrain(void) {
    if (!begin()) return;
    g_autofree char *before = test_bytes(folder, "run/runs/rank/0/predictions.csv", NULL);
    open_slide_page("p1");
    look_at(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {window_x(256), window_y(256), window_x(320), window_y(320)};
    browser_drag(browser, a, 2);
    saved(1);
    /* where the exact training is quick the quick one's map is seen for a moment only */
    browser_run(
        browser,
        "const map = document.querySelector('.map'), train = document.querySelector('.train'); window.seen = []; window.serials = [];"
        "new MutationObserver(() => window.seen.push(map.dataset.heat)).observe(map, {attributes: true});"
        "new MutationObserver(() => window.serials.push(train.dataset.serial)).observe(train, {attributes: true});");
    browser_key(browser, "\uE007", FALSE);
    browser_wait(browser, "window.serials.includes('1')");
    browser_wait(browser, "window.seen.some(heat => heat && heat.startsWith('now '))");
    g_autofree char *outcome = browser_text(browser, "document.querySelector('.outcome').innerText");
    g_assert_nonnull(strstr(outcome, "AUROC (validation)"));
    g_assert_nonnull(strstr(outcome, "annotated patches"));
    /* then the exact models, which are kept: those of `rankmil run`, to the byte */
    browser_wait(
        browser,
        "document.querySelector('.map').dataset.heat.startsWith('rank ') && document.querySelector('.train').dataset.phase === 'idle'");
    g_autofree char *after = test_bytes(folder, "run/runs/rank/0/predictions.csv", NULL);
    g_assert_cmpstr(before, !=, after);
    g_assert_false(test_exists(folder, "run/.view-pending"));
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "run", "cohort.csv", "-o", "again", KNOWN_RUN_OPTIONS, NULL);
    command_expect(&o, 0, "");
    g_autofree char *own = g_build_filename(folder, "run/runs/rank/0", NULL), *other = g_build_filename(folder, "again/runs/rank/0", NULL);
    test_same_in(own, other, "predictions.csv");
    test_same_in(own, other, "model.safetensors");
    no_complaints();
}

/* Killed while outlines are saved, one after the other: the file is one of them, whole; the page says so, and goes on with the next server. */
static void test_killed(void) {
    if (!begin()) return;
    open_slide_page("p6");
    look_at(2, 320, 256);
    JsonNode *value = browser_run(
        browser,
        "window.saving = (async () => { let etag = 'none'; const ring = []; for (let i = 0; i < 20000; i++) ring.push([100 + 80 * Math.cos(i / 20000 * 6.2831), "
        "100 + 80 * Math.sin(i / 20000 * 6.2831)]); ring.push(ring[0]); for (;;) { const reply = await fetch('slide/p6/outlines', {method: 'PUT', headers: "
        "{'If-Match': etag}, body: JSON.stringify({type: 'FeatureCollection', features: [{type: 'Feature', geometry: {type: 'Polygon', coordinates: [ring]}, "
        "properties: {objectType: 'annotation', classification: {name: 'Tumor'}}}]})}); etag = (await reply.json()).etag; } })().catch(() => {});");
    if (value) json_node_unref(value);
    for (int i = 0; i < 200 && !test_exists(folder, "annotations/p6.geojson"); i++) g_usleep(20000);
    g_usleep(700000);
    end_view(SIGKILL);
    g_autoptr(RmilRegion) region = region_of("annotations/p6.geojson");
    g_assert_cmpfloat(fabs(rmil_region_area(region) - G_PI * 6400), <, 10);
    browser_wait(browser, "document.getElementById('message').textContent.includes('does not answer')");
    g_free(browser_console(browser));
    start_view();
    open_slide_page("p6");
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('.maps').dataset.outlines"), ==, 1);
}

/* Ctrl-C ends it well. */
static void test_end(void) {
    if (!begin()) return;
    end_view(SIGINT);
    g_clear_pointer(&browser, browser_free);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_assert_true(rmil_vips_init(NULL));
    g_test_add_func("/browser/table", test_table);
    g_test_add_func("/browser/place", test_place);
    g_test_add_func("/browser/seams", test_seams);
    g_test_add_func("/browser/two", test_two);
    g_test_add_func("/browser/scale", test_scale);
    g_test_add_func("/browser/draw", test_draw);
    g_test_add_func("/browser/nothing", test_nothing);
    g_test_add_func("/browser/tabs", test_tabs);
    g_test_add_func("/browser/retrain", test_retrain);
    g_test_add_func("/browser/killed", test_killed);
    g_test_add_func("/browser/end", test_end);
    const int status = g_test_run();
    if (view) end_view(SIGKILL);
    browser_free(browser);
    return status;
}
