/* SPDX-License-Identifier: Apache-2.0 */
/* The report in a real Chromium, light and dark, wide and narrow: whoever cannot see well can read it, what it offers works, and it fetches
 * nothing. With RMIL_AXE=…/axe.min.js (npm install axe-core) the rules of axe-core are asked, too. */
#include "fake-run.h"
#include "fake-study.h"
#include "page.h"
#include "rankmil/present.h"
#include "serve/browser.h"

#include "base/json.h"

#include <string.h>
#include <vips/vips.h>

static const char *const methods[] = {"abmil", "rank", NULL};
static Browser *browser;
static char *pages[2]; /* of a run, of a study: file:// addresses */

static char *address_of(const char *folder) {
    g_autofree char *path = g_build_filename(folder, "report.html", NULL), *page = page_write(folder);
    page_check(page);
    return g_filename_to_uri(path, NULL, NULL);
}

static char *run_page(void) {
    g_autofree char *folder = test_folder();
    const FakeRun fake =
        {.methods = methods, .seeds = 3, .slides = 40, .annotated = 10, .pictures = 3, .prefix = "slide_", .message = "x.svs: is cut off"};
    fake_run_write(folder, &fake);
    return address_of(folder);
}

static char *study_page(void) {
    static const double strengths[] = {1, 2}, values[] = {5, 20, 100};
    g_autofree char *folder = test_folder();
    const FakeStudy fake = {.kind = "low-data",
                            .variable = "fraction",
                            .methods = methods,
                            .strengths = strengths,
                            .values = values,
                            .n_values = 3,
                            .seeds = 4,
                            .slides = 30,
                            .annotated = 6,
                            .prefix = "s",
                            .cohort = "cohort.csv"};
    fake_study_write(folder, &fake);
    return address_of(folder);
}

/* FALSE: there is no browser here. */
static gboolean begin(void) {
    if (browser) return TRUE;
    browser = browser_new(1240, 900);
    if (!browser) return FALSE;
    pages[0] = run_page();
    pages[1] = study_page();
    return TRUE;
}

/* -- what can be read ------------------------------------------------------------------------------------------------------------- */
/* Texts with less contrast than 4.5 : 1 to what is behind them, by WCAG 2's formula. */
static const char contrast[] =
    "const lum = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)"
    ".reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);"
    "const rgb = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };"
    "const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return "
    "[255, 255, 255, 1]; };"
    "const bad = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
    "let seen = 0;"
    "while (walk.nextNode()) {"
    "  const e = walk.currentNode.parentElement;"
    "  if (!walk.currentNode.data.trim() || e.closest('svg, script') || !e.getClientRects().length) continue;"
    "  seen++;"
    "  const a = lum(rgb(getComputedStyle(e).color)), b = lum(behind(e));"
    "  if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) bad.push(e.tagName + ': ' + walk.currentNode.data.trim().slice(0, 40));"
    "}"
    "return seen < 100 ? 'too few texts: ' + seen : bad.join('; ');";

/* Levels of headings that are left out, pictures without a word, fields without a name. */
static const char structure[] =
    "const bad = [];"
    "let level = 0;"
    "for (const h of document.querySelectorAll('h1, h2, h3, h4')) { const own = Number(h.tagName[1]); if (own > level + 1) bad.push(h.textContent); level = own; }"
    "for (const e of document.querySelectorAll('img')) if (!e.alt) bad.push('img');"
    "for (const e of document.querySelectorAll('svg')) if (e.getAttribute('role') !== 'img' || !e.getAttribute('aria-label')) bad.push('svg');"
    "for (const e of document.querySelectorAll('table')) if (!e.caption) bad.push('table');"
    "const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
    "for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) bad.push('twice #' + id);"
    "for (const a of document.querySelectorAll('a[href^=\"#\"]')) if (!document.getElementById(a.hash.slice(1))) bad.push('nowhere ' + a.hash);"
    "return bad.join('; ');";

static void expect_nothing(const char *script) {
    g_autoptr(JsonNode) said = browser_run(browser, script);
    g_assert_cmpstr(rmil_json_string(said), ==, "");
}

static void test_readable(void) {
    if (!begin()) return;
    for (int dark = 0; dark < 2; dark++)
        for (gsize k = 0; k < G_N_ELEMENTS(pages); k++) {
            browser_colours(browser, dark ? "dark" : "light");
            browser_go(browser, pages[k]);
            g_autofree char *ground = browser_text(browser, "getComputedStyle(document.body).backgroundColor");
            g_assert_cmpstr(ground, ==, dark ? "rgb(18, 23, 29)" : "rgb(255, 255, 255)");
            browser_number(browser, "document.querySelectorAll('details').forEach((d) => { d.open = true; })");
            expect_nothing(contrast);
            expect_nothing(structure);
            g_autofree char *axe = browser_axe(browser);
            g_assert_cmpstr(axe, ==, "");
            g_autofree char *console = browser_console(browser);
            g_assert_cmpstr(console, ==, "");
        }
    browser_colours(browser, "light");
}

/* -- what works ------------------------------------------------------------------------------------------------------------------- */
static void test_tools(void) {
    if (!begin()) return;
    browser_go(browser, pages[0]);
    /* a picture in the whole window, as large as it is kept, and away with Escape */
    browser_number(browser, "document.querySelector('.zoom').focus()");
    browser_number(browser, "document.activeElement.click()");
    browser_wait(browser, "document.querySelector('dialog.viewer[open] img')?.complete");
    const double before = browser_number(browser, "document.querySelector('.viewer img').getBoundingClientRect().width");
    browser_key(browser, "+", FALSE);
    browser_wait(browser, "document.querySelector('.viewer img').getBoundingClientRect().width > 0");
    g_assert_cmpfloat_with_epsilon(browser_number(browser, "document.querySelector('.viewer img').getBoundingClientRect().width"),
                                   1.5 * before, 1);
    browser_number(browser, "document.querySelector('.viewer form button:last-child').click()");
    browser_wait(browser, "!document.querySelector('dialog') && document.activeElement.className === 'zoom'");
    /* printing unfolds, and folds again */
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('details:not([open])').length"), >, 0);
    browser_number(browser, "dispatchEvent(new Event('beforeprint'))");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('details:not([open])').length"), ==, 0);
    browser_number(browser, "dispatchEvent(new Event('afterprint'))");
    g_assert_cmpfloat(browser_number(browser, "document.querySelectorAll('details:not([open])').length"), >, 0);
    /* a table that is wider than its place says so, and only such a one */
    browser_number(browser, "document.body.style.width = '380px'");
    browser_wait(browser, "document.querySelectorAll('.hint.wide').length > 2");
    browser_wait(
        browser,
        "[...document.querySelectorAll('.scroll')].every((s) => s.closest('details:not([open])') || s.previousElementSibling.classList.contains('wide') === "
        "(s.scrollWidth > s.clientWidth + 1))");
    g_assert_cmpfloat(browser_number(browser, "document.documentElement.scrollWidth - innerWidth"), <=, 0);
    /* nothing of another script runs */
    browser_number(browser, "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')");
    g_usleep(200000);
    g_assert_cmpfloat(browser_number(browser, "window.ran === 1"), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    if (VIPS_INIT(argv[0])) return 1;
    g_test_add_func("/present/report-page/readable", test_readable);
    g_test_add_func("/present/report-page/tools", test_tools);
    const int status = g_test_run();
    if (browser) browser_free(browser);
    return status;
}
