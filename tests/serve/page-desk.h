/* SPDX-License-Identifier: Apache-2.0 */
/* `rankmil view` on a known run, and a browser in front of it: what the tests of the page share. */
#ifndef RMIL_TEST_PAGE_DESK_H
#define RMIL_TEST_PAGE_DESK_H

#include "browser.h"
#include "rankmil/annotation.h"

extern Browser *browser;
extern char *folder; /* of the known run: `run` is in it */
/* Starts what is not running yet. FALSE: there is no browser, and the test is skipped. */
gboolean desk_begin(void);
void desk_end(void);
/* The server by itself: on `run`, or with arguments of its own (NULL-terminated); ended by a signal. */
void desk_view(void);
void desk_view_of(const char *const *arguments);
void desk_end_view(int number);
/* A page: a place behind the address; a slide, drawn, with its outlines and, if `run` has one, its heat map. */
void desk_go(const char *place);
void desk_slide(const char *id);
void desk_no_complaints(void); /* of the console */
/* Where a position of the slide is in the window. */
double desk_x(double x);
double desk_y(double y);
void desk_look(double zoom, double x, double y);
void desk_saved(int outlines); /* waits until this many are there, and the saved state differs from the previous call */
RmilRegion *desk_region(const char *name);
/* A script without an answer. */
void desk_do(const char *script);
/* Chooses a value in the list with this label. */
void desk_choose(const char *label, const char *value);

#endif
