/* SPDX-License-Identifier: Apache-2.0 */
/* A real Chromium, controlled by WebDriver (W3C), which is HTTP and JSON. */
#ifndef RMIL_TEST_BROWSER_H
#define RMIL_TEST_BROWSER_H

#include "support.h"

#include <json-glib/json-glib.h>

typedef struct _Browser Browser;
/* NULL, and the running test is skipped, if there is no chromedriver. */
Browser *browser_new(int width, int height);
void browser_free(Browser *browser);
void browser_go(Browser *browser, const char *address);
void browser_reload(Browser *browser);
/* The return value of a script, which is the body of a function. Free with json_node_unref. */
JsonNode *browser_run(Browser *browser, const char *script);
double browser_number(Browser *browser, const char *expression);
char *browser_text(Browser *browser, const char *expression); /* g_free */
/* Waits until the expression is true; fails the test after 30 seconds. */
void browser_wait(Browser *browser, const char *expression);
/* Pointer down at the first point, along the others, up. n × 2 numbers: px of the window. */
void browser_drag(Browser *browser, const double *points, int n);
void browser_double(Browser *browser, double x, double y); /* a double click */
/* Two fingers down at (x, y) ± gap, moved apart to twice that, and up. */
void browser_pinch(Browser *browser, double x, double y, double gap);
/* The middle button down at a point, moved by (dx, dy), up. */
void browser_grip(Browser *browser, double x, double y, double dx, double dy);
/* Keys as WebDriver has them; ctrl: with the control key held. */
void browser_key(Browser *browser, const char *key, gboolean ctrl);
void browser_colours(Browser *browser, const char *scheme); /* "light" or "dark", as the system prefers */
char *browser_window(Browser *browser);                     /* the handle of the one in front; g_free */
char *browser_new_window(Browser *browser);                 /* opened, and in front */
void browser_switch(Browser *browser, const char *window);  /* to the front */
/* RGB bytes of what is shown; g_free. */
uint8_t *browser_picture(Browser *browser, int *width, int *height);
void browser_save(Browser *browser, const char *path); /* as PNG */
/* What axe-core says against the page, with RMIL_AXE=…/axe.min.js (npm install axe-core); "": nothing, or it was not asked. g_free. */
char *browser_axe(Browser *browser);
/* Severe messages of the console since the last call; "": none. g_free. */
char *browser_console(Browser *browser);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Browser, browser_free)

#endif
