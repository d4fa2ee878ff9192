/* SPDX-License-Identifier: Apache-2.0 */
/* The page in a real Chromium: what is shown lies where it belongs, what is drawn is saved, what is trained is shown. */
#include "../slide/make-slide.h"
#include "command.h"
#include "known-run.h"
#include "page-desk.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>

/* -- what is shown --------------------------------------------------------------------------------------------------------------------------- */
static void test_table(void) {
    if (!desk_begin()) return;
    desk_go("");
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
    desk_no_complaints();
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

static void assert_box(Box box, double tolerance) {
    g_assert_cmpint(box.count, >, 0);
    g_assert_cmpfloat(fabs(box.left - desk_x(KNOWN_SQUARE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.top - desk_y(KNOWN_SQUARE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.right - desk_x(KNOWN_SQUARE + KNOWN_SIDE)), <=, tolerance);
    g_assert_cmpfloat(fabs(box.bottom - desk_y(KNOWN_SQUARE + KNOWN_SIDE)), <=, tolerance);
}

/* The slide's pixels, the heat map and the patch that is found under the pointer lie in the same place, at every zoom, and wherever
 * the scanned area lies on the slide. The known patch has the highest colour of the map, yellow. */
static void test_place(void) {
    if (!desk_begin()) return;
    const char *const ids[] = {"p1", "p3"};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        desk_slide(ids[i]);
        browser_run(browser, "document.querySelector('.legend').style.display = 'none';"); /* which has the colours, too */
        const double zooms[] = {2, 2.75, 1, 3};
        for (gsize z = 0; z < G_N_ELEMENTS(zooms); z++) {
            desk_look(zooms[z], KNOWN_SQUARE + 20, KNOWN_SQUARE + 10);
            browser_key(browser, "h", FALSE);
            g_usleep(200000);
            assert_box(find_colour(0x14, 0x28, 0xC8, 30), zooms[z] == floor(zooms[z]) ? 1.5 : 2);
            browser_run(browser,
                        "const r = document.querySelector('[aria-label=opacity]'); r.value = 1; r.dispatchEvent(new Event('input'));");
            browser_key(browser, "h", FALSE);
            g_usleep(300000);
            assert_box(find_colour(253, 231, 37, 12), 1.5);
        }
        g_autofree char *js = g_strdup_printf("document.querySelector('.map').slide.left === %d", i == 0 ? KNOWN_LEFT : 0);
        browser_wait(browser, js);
    }
    desk_no_complaints();
}

/* Between whole zooms nothing of the ground shines through where tiles meet, here at 256 px of level 0. */
static void test_seams(void) {
    if (!desk_begin()) return;
    desk_slide("n1");
    browser_key(browser, "h", FALSE);
    desk_do("document.querySelector('.map').style.background = '#000';"); /* which would be seen */
    const double zooms[] = {1.5, 1.75, 2.25, 2.5, 2.75};
    for (gsize z = 0; z < G_N_ELEMENTS(zooms); z++) {
        desk_look(zooms[z], 256, 256);
        int width, height, wrong = 0;
        g_autofree uint8_t *rgb = browser_picture(browser, &width, &height);
        const int left = (int)desk_x(240) + 1, right = (int)desk_x(272), top = (int)desk_y(200) + 1, bottom = (int)desk_y(300);
        g_assert_true(left > 0 && top > 0 && right <= width && bottom <= height && left < right && top < bottom);
        for (int y = top; y < bottom; y++)
            for (int x = left; x < right; x++) {
                const uint8_t *p = rgb + 3 * (y * width + x);
                wrong += abs(p[0] - 0xF0) > 6 || abs(p[1] - 0xDC) > 6 || abs(p[2] - 0xE6) > 6;
            }
        g_assert_cmpint(wrong, ==, 0);
    }
    browser_key(browser, "h", FALSE);
    desk_no_complaints();
}

/* Two heat maps side by side show the same place, and are moved together. */
static void test_two(void) {
    if (!desk_begin()) return;
    desk_slide("p3");
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
    const double x = desk_x(320), y = desk_y(256), drag[] = {x, y, x - 10, y - 5, x - 30, y - 20, x - 60, y - 40};
    browser_drag(browser, drag, 4);
    g_usleep(800000);
    browser_wait(browser, same);
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('.map').map.getCenter().lng"), >, 328);
    browser_run(browser, "document.querySelectorAll('.map')[1].map.setView([200, 200], 2, {animate: false});");
    browser_wait(browser, same);
    browser_run(
        browser,
        "const s = [...document.querySelectorAll('select')].find((one) => one.getAttribute('aria-label') === 'second heat map'); s.value = ''; s.dispatchEvent(new Event('change'));");
    desk_no_complaints();
}

static void test_scale(void) {
    if (!desk_begin()) return;
    desk_slide("p3");
    desk_look(2, 320, 256); /* 1:1: 0.5 µm a pixel */
    const double pixels = browser_number(browser, "document.querySelector('.scale').dataset.pixels"),
                 length = browser_number(browser, "document.querySelector('.scale').dataset.length");
    g_assert_cmpfloat(fabs(pixels * 0.5 - length), <, 0.01);
    g_autofree char *text = browser_text(browser, "document.querySelector('.scale .text').textContent");
    g_assert_nonnull(strstr(text, "µm · 20×"));
}

/* -- what is drawn --------------------------------------------------------------------------------------------------------------------------- */
static void test_draw(void) {
    if (!desk_begin()) return;
    desk_slide("p3");
    desk_look(2, 320, 256);
    const double a[] = {desk_x(256), desk_y(256), desk_x(300), desk_y(300), desk_x(320), desk_y(320)};
    browser_key(browser, "r", FALSE);
    browser_drag(browser, a, 3);
    desk_saved(1);
    g_autoptr(RmilRegion) square = desk_region("annotations/p3.geojson");
    g_assert_cmpfloat(fabs(rmil_region_area(square) - 4096), <, 130);
    /* a stroke of the brush from inside of it adds to it */
    const double b[] = {desk_x(300), desk_y(300), desk_x(380), desk_y(300), desk_x(400), desk_y(330)};
    browser_key(browser, "b", FALSE);
    browser_drag(browser, b, 3);
    desk_saved(1);
    g_autoptr(RmilRegion) more = desk_region("annotations/p3.geojson");
    g_assert_cmpfloat(rmil_region_area(more), >, 6000);
    /* undone, and done again */
    browser_key(browser, "z", TRUE);
    desk_saved(1);
    g_autoptr(RmilRegion) less = desk_region("annotations/p3.geojson");
    g_assert_cmpfloat(rmil_region_area(less), ==, rmil_region_area(square));
    /* the eraser takes all of it */
    desk_look(0, 320, 256);
    const double c[] = {desk_x(260), desk_y(260), desk_x(320), desk_y(320)};
    browser_key(browser, "e", FALSE);
    browser_drag(browser, c, 2);
    desk_saved(0);
    browser_key(browser, "z", TRUE);
    desk_saved(1);
    /* a polygon, corner by corner */
    desk_look(2, 320, 256);
    browser_key(browser, "p", FALSE);
    const double corners[][2] = {{desk_x(100), desk_y(100)}, {desk_x(160), desk_y(100)}, {desk_x(160), desk_y(160)}};
    for (int i = 0; i < 3; i++) browser_drag(browser, corners[i], 1);
    browser_key(browser, "\uE007", FALSE);
    desk_saved(2);
    /* all of it is there after a reload */
    browser_reload(browser);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '2'");
    desk_no_complaints();
}

static void test_nothing(void) {
    if (!desk_begin()) return;
    desk_slide("p4");
    browser_run(browser, "document.querySelector('button.nothing').click();");
    desk_saved(0);
    g_autoptr(RmilRegion) empty = desk_region("annotations/p4.geojson");
    g_assert_true(rmil_region_empty(empty));
}

/* Another tab sees what this one draws; and both see what QuPath writes. What was written meanwhile is not lost. */
static void test_tabs(void) {
    if (!desk_begin()) return;
    desk_slide("p5");
    g_autofree char *first = browser_window(browser), *second = browser_new_window(browser);
    desk_slide("p5");
    browser_switch(browser, first);
    desk_look(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {desk_x(256), desk_y(256), desk_x(320), desk_y(320)};
    browser_drag(browser, a, 2);
    desk_saved(1);
    browser_switch(browser, second);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '1'");
    g_free(test_file(folder, "annotations/p5.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}"));
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '0'");
    browser_switch(browser, first);
    browser_wait(browser, "document.querySelector('.maps').dataset.outlines === '0'");
    browser_wait(browser, "document.getElementById('message').textContent.includes('changed elsewhere')");
    /* half a file, as while another program writes it: what it says is told, nothing goes over it, and it is shown once it is whole */
    g_free(test_file(folder, "annotations/p5.geojson", "{\"type\":\"FeatureColl"));
    browser_wait(browser, "document.querySelector('.outlines .bad').textContent.includes('not well-formed JSON')");
    browser_drag(browser, a, 2);
    browser_wait(browser, "document.getElementById('message').textContent.includes('Repair or remove that file first')");
    g_autofree char *kept = test_bytes(folder, "annotations/p5.geojson", NULL);
    g_assert_cmpstr(kept, ==, "{\"type\":\"FeatureColl");
    g_free(test_file(folder, "annotations/p5.geojson", "{\"type\":\"FeatureCollection\",\"features\":[]}"));
    browser_wait(browser, "!document.querySelector('.outlines .bad')");
    browser_drag(browser, a, 2);
    desk_saved(1);
    g_free(browser_console(browser));
}

/* -- what is trained --------------------------------------------------------------------------------------------------------------------------- */
static void test_retrain(void) {
    if (!desk_begin()) return;
    g_autofree char *before = test_bytes(folder, "run/runs/rank/0/predictions.csv", NULL);
    desk_slide("p1");
    desk_look(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {desk_x(256), desk_y(256), desk_x(320), desk_y(320)};
    browser_drag(browser, a, 2);
    desk_saved(1);
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
    g_assert_nonnull(strstr(outcome, "AUROC, validation"));
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
    desk_no_complaints();
}

/* Killed while outlines are saved, one after the other: the file is one of them, whole; the page says so, and goes on with the next server. */
static void test_killed(void) {
    if (!desk_begin()) return;
    desk_slide("p6");
    desk_look(2, 320, 256);
    JsonNode *value = browser_run(
        browser,
        "window.saving = (async () => { let etag = 'none'; const ring = []; for (let i = 0; i < 20000; i++) ring.push([100 + 80 * Math.cos(i / 20000 * 6.2831), "
        "100 + 80 * Math.sin(i / 20000 * 6.2831)]); ring.push(ring[0]); for (;;) { const reply = await fetch('slide/p6/outlines', {method: 'PUT', headers: "
        "{'If-Match': etag}, body: JSON.stringify({type: 'FeatureCollection', features: [{type: 'Feature', geometry: {type: 'Polygon', coordinates: [ring]}, "
        "properties: {objectType: 'annotation', classification: {name: 'Tumor'}}}]})}); etag = (await reply.json()).etag; } })().catch(() => {});");
    if (value) json_node_unref(value);
    for (int i = 0; i < 200 && !test_exists(folder, "annotations/p6.geojson"); i++) g_usleep(20000);
    g_usleep(700000);
    desk_end_view(SIGKILL);
    g_autoptr(RmilRegion) region = desk_region("annotations/p6.geojson");
    g_assert_cmpfloat(fabs(rmil_region_area(region) - G_PI * 6400), <, 10);
    browser_wait(browser, "document.getElementById('message').textContent.includes('does not answer')");
    g_free(browser_console(browser));
    desk_view();
    desk_slide("p6");
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('.maps').dataset.outlines"), ==, 1);
}

/* Ctrl-C ends it well. */
static void test_end(void) {
    if (!desk_begin()) return;
    desk_end_view(SIGINT);
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
    desk_end();
    return status;
}
