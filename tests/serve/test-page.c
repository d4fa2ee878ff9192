/* SPDX-License-Identifier: Apache-2.0 */
/* The page in a real Chromium: that everybody can read and reach what it has, by mouse, keyboard and fingers, whatever the cohort is. With
 * RMIL_AXE=…/axe.min.js (npm install axe-core) the rules of axe-core are asked, too. */
#include "../slide/make-slide.h"
#include "command.h"
#include "known-run.h"
#include "page-desk.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#define ENTER "\uE007"
#define ESCAPE "\uE00C"

static void expect_text(const char *expression, const char *text) {
    g_autofree char *found = browser_text(browser, expression);
    g_assert_cmpstr(found, ==, text);
}

static void expect_part(const char *expression, const char *part) {
    g_autofree char *found = browser_text(browser, expression);
    if (!strstr(found, part)) g_error("\"%s\" is not in \"%s\"", part, found);
}

static double centre(const char *axis) {
    g_autofree char *js = g_strdup_printf("document.querySelector('.map').map.getCenter().%s", axis);
    return browser_number(browser, js);
}

/* -- who reads it ------------------------------------------------------------------------------------------------------------------------ */
static void test_axe(void) {
    if (!desk_begin()) return;
    for (int dark = 0; dark < 2; dark++) {
        browser_colours(browser, dark ? "dark" : "light");
        desk_go("");
        browser_wait(browser, "document.querySelectorAll('.card').length === 16 && document.querySelectorAll('.next li').length");
        g_autofree char *table = browser_axe(browser);
        g_assert_cmpstr(table, ==, "");
        desk_slide("p2");
        desk_do("document.querySelector('.one').click(); document.querySelector('.help').click();");
        browser_wait(browser, "document.querySelector('dialog[open] .keys')");
        g_autofree char *keys = browser_axe(browser);
        g_assert_cmpstr(keys, ==, "");
        desk_do("document.querySelector('dialog').close();");
        desk_choose("second heat map", "abmil");
        browser_wait(browser, "document.querySelectorAll('.map').length === 2 && document.querySelectorAll('.map')[1].dataset.heat");
        g_autofree char *slide = browser_axe(browser);
        g_assert_cmpstr(slide, ==, "");
        desk_choose("second heat map", "");
        g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('h1').length"), ==, 1);
        g_assert_cmpfloat(browser_number(browser, "document.documentElement.scrollWidth - innerWidth"), <=, 0);
    }
    browser_colours(browser, "light");
    desk_no_complaints();
}

/* -- who goes by keys -------------------------------------------------------------------------------------------------------------------- */
/* Keys are the focused control's where it has a use for them; the page's else. */
static void test_keys(void) {
    if (!desk_begin()) return;
    desk_go("");
    browser_wait(browser, "document.querySelectorAll('.card').length === 16");
    desk_choose("order", "id");
    desk_choose("set", "test"); /* n7 n8 p7 p8 */
    browser_wait(browser, "document.querySelectorAll('.card').length === 4");
    desk_go("#slide/%E0%A4%A"); /* no text */
    browser_wait(browser, "document.querySelectorAll('.card').length === 16");
    desk_choose("order", "id");
    desk_choose("set", "test");
    desk_do("document.querySelector('.card[data-id=n8]').focus();");
    browser_key(browser, ENTER, FALSE);
    browser_wait(browser, "document.querySelector('.map').dataset.heat && document.querySelector('h1').textContent === 'n8'");
    browser_key(browser, "n", FALSE); /* the next of the list, not of the table */
    browser_wait(browser, "document.querySelector('h1').textContent === 'p7' && document.querySelector('.map').dataset.heat");
    expect_text("document.querySelector('.walk .hint').textContent", "3 of 4");
    /* Enter on a button is that button's, and no training */
    desk_do("document.querySelector('[data-tool=brush]').focus();");
    browser_key(browser, ENTER, FALSE);
    expect_text("document.querySelector('.map').dataset.tool", "brush");
    g_usleep(300000);
    expect_text("document.querySelector('.train').dataset.phase", "idle");
    browser_key(browser, "+", FALSE);
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('[aria-label=\"brush size\"]').value"), ==, 30);
    /* a dialog keeps keys to itself */
    browser_key(browser, "?", FALSE);
    browser_wait(browser, "document.querySelector('dialog[open]')");
    expect_part("document.querySelector('dialog').innerText", "polygon: click the corners");
    browser_key(browser, "n", FALSE);
    browser_key(browser, ESCAPE, FALSE);
    browser_wait(browser, "!document.querySelector('dialog')");
    expect_text("document.querySelector('h1').textContent", "p7");
    /* back in the list one is where one was */
    browser_key(browser, ESCAPE, FALSE); /* the tool goes */
    browser_key(browser, ESCAPE, FALSE);
    browser_wait(browser, "document.activeElement.dataset.id === 'p7'");
    desk_choose("set", "");
    desk_no_complaints();
}

/* -- who draws ---------------------------------------------------------------------------------------------------------------------------- */
/* Either of two maps can be drawn on; the class is that of the list; an outline gets another name, whatever it is. */
static void test_classes(void) {
    if (!desk_begin()) return;
    desk_slide("n5");
    desk_choose("second heat map", "abmil");
    browser_wait(browser, "document.querySelectorAll('.map').length === 2 && document.querySelectorAll('.map')[1].dataset.heat");
    const double x = browser_number(browser,
                                    "(({left, width}) => left + width / 2)(document.querySelectorAll('.map')[1].getBoundingClientRect())"),
                 y = browser_number(browser,
                                    "(({top, height}) => top + height / 2)(document.querySelectorAll('.map')[1].getBoundingClientRect())");
    const double a[] = {x - 40, y - 30, x, y, x + 40, y + 30};
    desk_choose("class to draw", "Exclude");
    browser_key(browser, "r", FALSE);
    browser_drag(browser, a, 3);
    desk_saved(1);
    expect_part("document.querySelector('.outlines').innerText", "1 exclusion");
    browser_key(browser, "v", FALSE);
    browser_drag(browser, a + 2, 1);
    expect_text("document.querySelector('.one').getAttribute('aria-pressed')", "true");
    /* what the pointer is over is told of both */
    browser_wait(browser, "[...document.querySelectorAll('.tip')].every((tip) => tip.textContent.includes('attention'))");
    desk_choose("class of this outline", "+");
    browser_wait(browser, "document.querySelector('dialog[open] input')");
    desk_do(
        "document.querySelector('dialog input').value = '<img src=x onerror=\"window.bad = 1\"> & co'; document.querySelector('dialog .main').click();");
    browser_wait(browser, "[...document.querySelectorAll('.warning')].some((one) => one.textContent.includes('& co'))");
    expect_part("document.querySelector('.outlines').textContent", "annotations/n5.geojson: no annotation is in a lesion group");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.side img').length + Number(Boolean(window.bad))"), ==, 0);
    desk_saved(1);
    desk_choose("class of this outline", "Tumor");
    desk_saved(1);
    g_autoptr(RmilRegion) region = desk_region("annotations/n5.geojson");
    g_assert_cmpfloat(rmil_region_area(region), >, 100);
    expect_part("document.querySelector('.outlines').innerText", "its outlines are not used for training"); /* its label is negative */
    /* numbers of a legend do not lie upon each other, by score, which has more of them, either */
    desk_choose("colours", "score");
    browser_wait(browser, "[...document.querySelectorAll('.legend')].every((one) => one.textContent.includes('percentile'))");
    g_assert_cmpfloat(
        browser_number(browser,
                       "[...document.querySelectorAll('.legend .ticks')].filter((ticks) => [...ticks.children].some((one, i, all) => i && "
                       "one.getBoundingClientRect().left < all[i - 1].getBoundingClientRect().right)).length"),
        ==, 0);
    desk_choose("colours", "attention");
    /* one map again: it shows the same place */
    const double before = centre("lng");
    desk_choose("second heat map", "");
    g_usleep(800000);
    g_assert_cmpfloat(fabs(centre("lng") - before), <, 3);
    desk_no_complaints();
}

/* A double click ends a polygon with the corners that were clicked, none of them twice; Backspace takes one back, and shows so. */
static void test_polygon(void) {
    if (!desk_begin()) return;
    desk_slide("n6");
    desk_look(2, 320, 256);
    browser_key(browser, "p", FALSE);
    const double corners[][2] = {{desk_x(100), desk_y(100)},
                                 {desk_x(180), desk_y(100)},
                                 {desk_x(180), desk_y(180)},
                                 {desk_x(60), desk_y(60)}};
    for (int i = 0; i < 4; i++) browser_drag(browser, corners[i], 1);
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.corner').length"), ==, 4);
    browser_key(browser, "\uE003", FALSE);
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.corner').length"), ==, 3);
    browser_double(browser, desk_x(100), desk_y(180));
    desk_saved(1);
    g_autofree char *file = test_bytes(folder, "annotations/n6.geojson", NULL);
    g_assert_cmpint(test_count(file, "100.0,180.0"), <=, 1);
    g_autoptr(RmilRegion) square = desk_region("annotations/n6.geojson");
    g_assert_cmpfloat(fabs(rmil_region_area(square) - 6400), <, 200);
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.corner').length"), ==, 0);
    desk_no_complaints();
}

/* While a tool is in hand two fingers zoom and the middle button moves, and nothing is drawn. */
static void test_fingers(void) {
    if (!desk_begin()) return;
    desk_slide("n4");
    desk_look(2, 320, 256);
    const double x = desk_x(320), y = desk_y(256);
    const char *const tools[] = {"f", "b", "p"};
    for (gsize i = 0; i < G_N_ELEMENTS(tools); i++) {
        browser_key(browser, tools[i], FALSE);
        desk_look(2, 320, 256);
        browser_pinch(browser, x, y, 60);
        g_usleep(800000);
        g_assert_cmpfloat(browser_number(browser, "document.querySelector('.map').map.getZoom()"), >, 2.4);
        expect_text("document.querySelector('.maps').dataset.outlines", "0");
        g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.corner').length"), ==, 0);
        desk_look(2, 320, 256);
        browser_grip(browser, x, y, -50, -20);
        g_usleep(300000);
        g_assert_cmpfloat(fabs(centre("lng") - 370), <, 4);
        g_assert_cmpfloat(fabs(centre("lat") - 276), <, 4);
        expect_text("document.querySelector('.maps').dataset.outlines", "0");
    }
    g_assert_false(test_exists(folder, "annotations/n4.geojson"));
    desk_no_complaints();
}

/* A training undone: the outlines are those of before, all of them, and so is the model. */
static void test_undo(void) {
    if (!desk_begin()) return;
    desk_slide("p3");
    desk_look(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {desk_x(256), desk_y(256), desk_x(320), desk_y(320)}, b[] = {desk_x(60), desk_y(100), desk_x(120), desk_y(160)};
    browser_drag(browser, a, 2);
    desk_saved(1);
    browser_drag(browser, b, 2);
    desk_saved(2);
    browser_key(browser, ENTER, FALSE);
    browser_wait(browser, "[...document.querySelectorAll('.train button')].some((one) => one.textContent === 'Undo this training')");
    expect_part("document.querySelector('.outcome').innerText", "P(positive), this slide");
    desk_do("[...document.querySelectorAll('.train button')].find((one) => one.textContent === 'Undo this training').click();");
    desk_saved(0);
    browser_wait(browser, "!document.querySelector('.outcome')");
    desk_no_complaints();
}

/* The exact models are told of, too: before and after. */
static void test_exact(void) {
    if (!desk_begin()) return;
    desk_slide("p3");
    desk_look(2, 320, 256);
    browser_key(browser, "r", FALSE);
    const double a[] = {desk_x(256), desk_y(256), desk_x(320), desk_y(320)};
    browser_drag(browser, a, 2);
    desk_saved(1);
    browser_key(browser, ENTER, FALSE);
    browser_wait(browser,
                 "[...document.querySelectorAll('.outcome')].some((one) => one.innerText.includes('Exact models, kept and reported'))");
    browser_wait(browser, "document.querySelector('.train').dataset.phase === 'idle'");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.outcome')[1].rows.length"), ==, 2);
    desk_no_complaints();
}

/* -- whatever the cohort is ---------------------------------------------------------------------------------------------------------------- */
/* A table without a run: nothing that only a run has is offered or asked for. */
static void test_no_run(void) {
    if (!desk_begin()) return;
    desk_end_view(SIGINT);
    desk_view_of((const char *const[]){"cohort.csv", NULL});
    desk_go("");
    browser_wait(browser, "document.querySelectorAll('.card').length === 16");
    expect_part("document.getElementById('top').innerText", "no run yet");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.filters input[type=checkbox]').length"), ==, 0);
    expect_text("document.querySelector('[aria-label=order]').value", "id");
    desk_go("#slide/n1");
    browser_wait(browser, "document.querySelector('.maps').dataset.etag");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.train *').length"), ==, 0);
    desk_no_complaints();
}

/* Nothing that a server for reading would refuse is offered. */
static void test_read_only(void) {
    if (!desk_begin()) return;
    desk_end_view(SIGINT);
    desk_view_of((const char *const[]){"run", "--read-only", NULL});
    desk_slide("p2");
    expect_part("document.getElementById('top').innerText", "read only");
    g_assert_cmpfloat(browser_number(browser, "document.querySelector('.toolbar').getClientRects().length"), ==, 0);
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('.train *, .nothing, .edit').length"), ==, 0);
    browser_key(browser, "r", FALSE);
    browser_key(browser, "z", TRUE);
    expect_text("document.querySelector('.map').dataset.tool", "move");
    desk_no_complaints();
}

static void test_end(void) { desk_end(); }

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_assert_true(rmil_vips_init(NULL));
    g_test_add_func("/page/axe", test_axe);
    g_test_add_func("/page/keys", test_keys);
    g_test_add_func("/page/classes", test_classes);
    g_test_add_func("/page/polygon", test_polygon);
    g_test_add_func("/page/fingers", test_fingers);
    g_test_add_func("/page/undo", test_undo);
    g_test_add_func("/page/exact", test_exact);
    g_test_add_func("/page/no-run", test_no_run);
    g_test_add_func("/page/read-only", test_read_only);
    g_test_add_func("/page/end", test_end);
    const int status = g_test_run();
    desk_end();
    return status;
}
