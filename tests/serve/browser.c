/* SPDX-License-Identifier: Apache-2.0 */
#include "browser.h"

#include "base/json.h"

#include <gio/gio.h>
#include <libsoup/soup.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <vips/vips.h>

struct _Browser {
    GSubprocess *driver;
    SoupSession *soup;
    char *address; /* of the session */
};

/* -- WebDriver ---------------------------------------------------------------------------------------------------------------------------- */
/* The member "value" of the reply; fails the test where the driver says an error, but for what a script throws. */
static JsonNode *call(Browser *browser, const char *method, const char *path, const char *body) {
    g_autofree char *address = g_strconcat(browser->address, path, NULL);
    g_autoptr(SoupMessage) message = soup_message_new(method, address);
    g_autoptr(GError) error = NULL;
    if (body) {
        g_autoptr(GBytes) bytes = g_bytes_new(body, strlen(body));
        soup_message_set_request_body_from_bytes(message, "application/json", bytes);
    }
    g_autoptr(GBytes) reply = soup_session_send_and_read(browser->soup, message, NULL, &error);
    g_assert_no_error(error);
    gsize size;
    const char *text = g_bytes_get_data(reply, &size);
    g_autoptr(JsonNode) node = rmil_json_parse(text, size, "chromedriver", &error);
    g_assert_no_error(error);
    JsonNode *value = rmil_json_get(node, "value");
    if (soup_message_get_status(message) != 200)
        g_error("chromedriver: %s: %s\n%s", path, rmil_json_text(value, "message"), body ? body : "");
    return value ? json_node_copy(value) : NULL;
}

static void tell(Browser *browser, const char *path, const char *body) {
    JsonNode *value = call(browser, "POST", path, body);
    if (value) json_node_unref(value);
}

static char *quote(const char *text) {
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);
    return json_to_string(node, FALSE);
}

static guint find_port(GSubprocess *driver) {
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(driver));
    for (char *line; (line = g_data_input_stream_read_line(lines, NULL, NULL, NULL));) {
        const char *at = strstr(line, "on port ");
        const guint port = strstr(line, "successfully") && at ? (guint)g_ascii_strtoull(at + 8, NULL, 10) : 0;
        g_free(line);
        if (port) return port;
    }
    g_error("chromedriver did not start");
}

/* -- the end of a test that fails ------------------------------------------------------------------------------------------------------- */
/* chromedriver's browsers would go on for ever, and with them whoever reads what the test says. They are all of one process group. */
static volatile sig_atomic_t group;

static void end_group(int number) {
    if (group) kill(-(pid_t)group, SIGKILL);
    signal(number, SIG_DFL);
    raise(number);
}

static void own_group(gpointer unused) { setpgid(0, 0); }

static GSubprocess *start_driver(const char *program, GError **error) {
    static const int ends[] = {SIGABRT, SIGTRAP, SIGSEGV, SIGTERM, SIGINT};
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_set_child_setup(launcher, own_group, NULL, NULL);
    GSubprocess *driver = g_subprocess_launcher_spawn(launcher, error, program, "--port=0", NULL);
    if (driver) group = (sig_atomic_t)g_ascii_strtoll(g_subprocess_get_identifier(driver), NULL, 10);
    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) signal(ends[i], end_group);
    return driver;
}

Browser *browser_new(int width, int height) {
    g_autofree char *program = g_find_program_in_path("chromedriver");
    g_autoptr(GError) error = NULL;
    if (!program) {
        g_test_skip("there is no chromedriver (Debian: chromium-driver)");
        return NULL;
    }
    Browser *browser = g_new0(Browser, 1);
    browser->driver = start_driver(program, &error);
    g_assert_no_error(error);
    browser->soup = soup_session_new();
    soup_session_set_timeout(browser->soup, 120);
    browser->address = g_strdup_printf("http://127.0.0.1:%u", find_port(browser->driver));
    g_autofree char *body = g_strdup_printf(
        "{\"capabilities\":{\"alwaysMatch\":{\"goog:loggingPrefs\":{\"browser\":\"ALL\"},\"goog:chromeOptions\":{\"args\":[\"--headless=new\",\"--no-sandbox\","
        "\"--disable-gpu\",\"--disable-dev-shm-usage\",\"--hide-scrollbars\",\"--force-device-scale-factor=1\",\"--window-size=%d,%d\"]}}}}",
        width, height);
    g_autoptr(JsonNode) session = call(browser, "POST", "/session", body);
    g_autofree char *before = browser->address;
    browser->address = g_strdup_printf("%s/session/%s", before, rmil_json_text(session, "sessionId"));
    return browser;
}

void browser_free(Browser *browser) {
    if (!browser) return;
    JsonNode *value = call(browser, "DELETE", "", NULL);
    if (value) json_node_unref(value);
    g_subprocess_send_signal(browser->driver, SIGTERM);
    g_subprocess_wait(browser->driver, NULL, NULL);
    group = 0;
    g_object_unref(browser->driver);
    g_object_unref(browser->soup);
    g_free(browser->address);
    g_free(browser);
}

/* -- pages ---------------------------------------------------------------------------------------------------------------------------------- */
void browser_go(Browser *browser, const char *address) {
    g_autofree char *quoted = quote(address), *body = g_strdup_printf("{\"url\":%s}", quoted);
    tell(browser, "/url", body);
}

void browser_reload(Browser *browser) { tell(browser, "/refresh", "{}"); }

JsonNode *browser_run(Browser *browser, const char *script) {
    g_autofree char *quoted = quote(script), *body = g_strdup_printf("{\"script\":%s,\"args\":[]}", quoted);
    return call(browser, "POST", "/execute/sync", body);
}

double browser_number(Browser *browser, const char *expression) {
    g_autofree char *script = g_strdup_printf("return Number(%s);", expression);
    g_autoptr(JsonNode) value = browser_run(browser, script);
    return JSON_NODE_HOLDS_VALUE(value) ? json_node_get_double(value) : 0;
}

char *browser_text(Browser *browser, const char *expression) {
    g_autofree char *script = g_strdup_printf("return String(%s);", expression);
    g_autoptr(JsonNode) value = browser_run(browser, script);
    return g_strdup(json_node_get_string(value));
}

void browser_wait(Browser *browser, const char *expression) {
    g_autofree char *script = g_strdup_printf("try { return Boolean(%s); } catch (error) { return false; }", expression);
    for (int i = 0; i < 300; i++) {
        g_autoptr(JsonNode) value = browser_run(browser, script);
        if (json_node_get_boolean(value)) return;
        g_usleep(100000);
    }
    g_autofree char *page = browser_text(browser, "document.body.innerText"), *console = browser_console(browser);
    g_error("never true: %s\n%s\n%s", expression, page, console);
}

/* -- hands ------------------------------------------------------------------------------------------------------------------------------------ */
void browser_drag(Browser *browser, const double *points, int n) {
    g_autoptr(GString) body = g_string_new(
        "{\"actions\":[{\"type\":\"pointer\",\"id\":\"mouse\",\"parameters\":{\"pointerType\":\"mouse\"},\"actions\":[");
    for (int i = 0; i < n; i++) {
        g_string_append_printf(body, "{\"type\":\"pointerMove\",\"duration\":%d,\"x\":%d,\"y\":%d},", i ? 40 : 0, (int)points[2 * i],
                               (int)points[2 * i + 1]);
        if (i == 0) g_string_append(body, "{\"type\":\"pointerDown\",\"button\":0},");
    }
    g_string_append(body, "{\"type\":\"pointerUp\",\"button\":0}]}]}");
    tell(browser, "/actions", body->str);
}

void browser_double(Browser *browser, double x, double y) {
    static const char click[] = "{\"type\":\"pointerDown\",\"button\":0},{\"type\":\"pointerUp\",\"button\":0}";
    g_autofree char *body = g_strdup_printf(
        "{\"actions\":[{\"type\":\"pointer\",\"id\":\"mouse\",\"parameters\":{\"pointerType\":\"mouse\"},\"actions\":[{\"type\":\"pointerMove\","
        "\"duration\":0,\"x\":%d,\"y\":%d},%s,%s]}]}",
        (int)x, (int)y, click, click);
    tell(browser, "/actions", body);
}

void browser_pinch(Browser *browser, double x, double y, double gap) {
    g_autoptr(GString) body = g_string_new("{\"actions\":[");
    for (int finger = 0; finger < 2; finger++) {
        const double way = finger ? gap : -gap;
        g_string_append_printf(
            body,
            "%s{\"type\":\"pointer\",\"id\":\"finger%d\",\"parameters\":{\"pointerType\":\"touch\"},\"actions\":[{\"type\":"
            "\"pointerMove\",\"duration\":0,\"x\":%d,\"y\":%d},{\"type\":\"pointerDown\",\"button\":0},{\"type\":\"pointerMove\","
            "\"duration\":200,\"x\":%d,\"y\":%d},{\"type\":\"pointerUp\",\"button\":0}]}",
            finger ? "," : "", finger, (int)(x + way), (int)y, (int)(x + 2 * way), (int)y);
    }
    g_string_append(body, "]}");
    tell(browser, "/actions", body->str);
}

void browser_grip(Browser *browser, double x, double y, double dx, double dy) {
    g_autofree char *body = g_strdup_printf(
        "{\"actions\":[{\"type\":\"pointer\",\"id\":\"mouse\",\"parameters\":{\"pointerType\":\"mouse\"},\"actions\":[{\"type\":\"pointerMove\","
        "\"duration\":0,\"x\":%d,\"y\":%d},{\"type\":\"pointerDown\",\"button\":1},{\"type\":\"pointerMove\",\"duration\":100,\"x\":%d,\"y\":%d},"
        "{\"type\":\"pointerUp\",\"button\":1}]}]}",
        (int)x, (int)y, (int)(x + dx), (int)(y + dy));
    tell(browser, "/actions", body);
}

void browser_key(Browser *browser, const char *key, gboolean ctrl) {
    g_autofree char *quoted = quote(key);
    g_autofree char *body = g_strdup_printf(
        "{\"actions\":[{\"type\":\"key\",\"id\":\"keys\",\"actions\":[%s{\"type\":\"keyDown\",\"value\":%s},{\"type\":\"keyUp\",\"value\":%s}%s]}]}",
        ctrl ? "{\"type\":\"keyDown\",\"value\":\"\\uE009\"}," : "", quoted, quoted,
        ctrl ? ",{\"type\":\"keyUp\",\"value\":\"\\uE009\"}" : "");
    tell(browser, "/actions", body);
}

/* -- windows ------------------------------------------------------------------------------------------------------------------------------------- */
void browser_colours(Browser *browser, const char *scheme) {
    g_autofree char *body = g_strdup_printf("{\"cmd\": \"Emulation.setEmulatedMedia\", \"params\": {\"features\": [{\"name\": "
                                            "\"prefers-color-scheme\", \"value\": \"%s\"}]}}",
                                            scheme);
    tell(browser, "/goog/cdp/execute", body);
}

char *browser_window(Browser *browser) {
    g_autoptr(JsonNode) value = call(browser, "GET", "/window", NULL);
    return g_strdup(json_node_get_string(value));
}

void browser_switch(Browser *browser, const char *window) {
    g_autofree char *body = g_strdup_printf("{\"handle\":\"%s\"}", window);
    tell(browser, "/window", body);
}

char *browser_new_window(Browser *browser) {
    g_autoptr(JsonNode) value = call(browser, "POST", "/window/new", "{\"type\":\"tab\"}");
    char *handle = g_strdup(rmil_json_text(value, "handle"));
    browser_switch(browser, handle);
    return handle;
}

/* -- eyes --------------------------------------------------------------------------------------------------------------------------------------- */
static guchar *screenshot(Browser *browser, gsize *size) {
    g_autoptr(JsonNode) value = call(browser, "GET", "/screenshot", NULL);
    return g_base64_decode(json_node_get_string(value), size);
}

uint8_t *browser_picture(Browser *browser, int *width, int *height) {
    gsize size, bytes;
    g_autofree guchar *png = screenshot(browser, &size);
    VipsImage *image = NULL, *flat = NULL;
    g_assert_cmpint(vips_pngload_buffer(png, size, &image, NULL), ==, 0);
    g_assert_cmpint(vips_extract_band(image, &flat, 0, "n", 3, NULL), ==, 0);
    *width = vips_image_get_width(flat);
    *height = vips_image_get_height(flat);
    uint8_t *rgb = vips_image_write_to_memory(flat, &bytes);
    g_object_unref(image);
    g_object_unref(flat);
    return rgb;
}

void browser_save(Browser *browser, const char *path) {
    gsize size;
    g_autofree guchar *png = screenshot(browser, &size);
    g_autoptr(GError) error = NULL;
    rmil_file_write(path, png, size, &error);
    g_assert_no_error(error);
}

char *browser_console(Browser *browser) {
    g_autoptr(JsonNode) value = call(browser, "POST", "/se/log", "{\"type\":\"browser\"}");
    JsonArray *lines = rmil_json_array(value);
    GString *out = g_string_new(NULL);
    for (guint i = 0; lines && i < json_array_get_length(lines); i++) {
        JsonNode *line = json_array_get_element(lines, i);
        if (g_strcmp0(rmil_json_text(line, "level"), "SEVERE") == 0) g_string_append_printf(out, "%s\n", rmil_json_text(line, "message"));
    }
    return g_string_free(out, FALSE);
}

char *browser_axe(Browser *browser) {
    const char *path = g_getenv("RMIL_AXE");
    if (!path) return g_strdup("");
    g_autofree char *axe = test_bytes(NULL, path, NULL);
    g_autofree char *script = g_strconcat(
        axe,
        "\nreturn axe.run().then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.length + ' ' + v.nodes[0].html.slice(0, 200)).join('; '));",
        NULL);
    g_autoptr(JsonNode) said = browser_run(browser, script);
    return g_strdup(json_node_get_string(said));
}
