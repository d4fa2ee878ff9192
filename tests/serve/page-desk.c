/* SPDX-License-Identifier: Apache-2.0 */
#include "page-desk.h"

#include "command.h"
#include "known-run.h"

#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

Browser *browser;
char *folder;
static char *address, *version; /* version: of the outlines that were saved last */
static GSubprocess *view;

/* -- the server ---------------------------------------------------------------------------------------------------------------------------- */
/* Also of a test that fails. */
static void die_with_parent(gpointer unused) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

void desk_view_of(const char *const *arguments) {
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autofree char *command = g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL);
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    GError *error = NULL;
    g_subprocess_launcher_set_cwd(launcher, folder);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    g_ptr_array_add(words, command);
    g_ptr_array_add(words, "view");
    for (int i = 0; arguments[i]; i++) g_ptr_array_add(words, (gpointer)arguments[i]);
    g_ptr_array_add(words, "--port");
    g_ptr_array_add(words, "0");
    g_ptr_array_add(words, NULL);
    view = g_subprocess_launcher_spawnv(launcher, (const char *const *)words->pdata, &error);
    g_assert_no_error(error);
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(view));
    g_clear_pointer(&address, g_free);
    for (char *line; !address && (line = g_data_input_stream_read_line(lines, NULL, NULL, NULL)); g_free(line))
        if (strstr(line, "http://")) address = g_strdup(strstr(line, "http://"));
    g_assert_nonnull(address);
}

void desk_view(void) {
    static const char *const run[] = {"run", NULL};
    desk_view_of(run);
}

void desk_end_view(int number) {
    if (number != SIGKILL) browser_go(browser, "about:blank"); /* a page whose server is gone complains */
    g_subprocess_send_signal(view, number);
    g_subprocess_wait(view, NULL, NULL);
    if (number != SIGKILL) g_assert_true(g_subprocess_get_if_exited(view) && g_subprocess_get_exit_status(view) == 0);
    g_clear_object(&view);
}

void desk_end(void) {
    if (view) desk_end_view(SIGKILL);
    g_clear_pointer(&browser, browser_free);
}

gboolean desk_begin(void) {
    if (browser) return TRUE;
    browser = browser_new(1240, 900);
    if (!browser) return FALSE;
    folder = known_run();
    desk_view();
    return TRUE;
}

void desk_go(const char *place) {
    g_autofree char *whole = g_strconcat(address, place, NULL);
    browser_go(browser, "about:blank");
    browser_go(browser, whole);
}

void desk_slide(const char *id) {
    g_autofree char *place = g_strconcat("#slide/", id, NULL);
    desk_go(place);
    browser_wait(browser, "document.querySelector('.map').dataset.heat && document.querySelector('.maps').dataset.etag");
}

void desk_no_complaints(void) {
    g_autofree char *console = browser_console(browser);
    g_assert_cmpstr(console, ==, "");
}

void desk_do(const char *script) {
    JsonNode *value = browser_run(browser, script);
    if (value) json_node_unref(value);
}

void desk_choose(const char *label, const char *value) {
    g_autofree char *js = g_strdup_printf(
        "const list = [...document.querySelectorAll('select')].find((one) => one.getAttribute('aria-label') === '%s');"
        "list.value = '%s'; list.dispatchEvent(new Event('change'));",
        label, value);
    desk_do(js);
}

/* -- places ------------------------------------------------------------------------------------------------------------------------------------ */
double desk_x(double x) {
    g_autofree char *js = g_strdup_printf(
        "document.querySelector('.map').map.project([0, %g]).subtract(document.querySelector('.map').map.getPixelOrigin()).add(document.querySelector('.map').map.containerPointToLayerPoint([0, 0]).multiplyBy(-1)).x + document.querySelector('.map').getBoundingClientRect().left",
        x);
    return browser_number(browser, js);
}
double desk_y(double y) {
    g_autofree char *js = g_strdup_printf(
        "document.querySelector('.map').map.project([%g, 0]).subtract(document.querySelector('.map').map.getPixelOrigin()).add(document.querySelector('.map').map.containerPointToLayerPoint([0, 0]).multiplyBy(-1)).y + document.querySelector('.map').getBoundingClientRect().top",
        y);
    return browser_number(browser, js);
}

void desk_look(double zoom, double x, double y) {
    g_autofree char *js = g_strdup_printf("document.querySelector('.map').map.setView([%g, %g], %g, {animate: false});", y, x, zoom);
    desk_do(js);
    browser_wait(
        browser,
        "[...document.querySelectorAll('.leaflet-tile')].length && [...document.querySelectorAll('.leaflet-tile')].every((tile) => tile.complete)");
    g_usleep(400000);
}

void desk_saved(int outlines) {
    g_autofree char *js = g_strdup_printf("document.querySelector('.maps').dataset.outlines === '%d' && "
                                          "!['', '%s'].includes(document.querySelector('.maps').dataset.etag) && "
                                          "document.querySelector('.state').textContent === 'saved'",
                                          outlines, version ? version : "");
    browser_wait(browser, js);
    g_free(version);
    version = browser_text(browser, "document.querySelector('.maps').dataset.etag");
}

RmilRegion *desk_region(const char *name) {
    GError *error = NULL;
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    RmilRegion *region = rmil_region_read(path, &options, &error);
    g_assert_no_error(error);
    return region;
}
