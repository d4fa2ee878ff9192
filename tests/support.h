/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for tests: a scratch folder, golden data when it is there, comparing errors. */
#ifndef RMIL_TEST_SUPPORT_H
#define RMIL_TEST_SUPPORT_H

#include "rankmil/base.h"

/* A new empty folder, removed if the test program succeeds. Free with g_free. */
char *test_folder(void);
/* ../shared/NAME beside the checkout, or $RMIL_SHARED/NAME; NULL (and the running test is skipped) when it is not
 * there: real data is never shipped. Free with g_free. */
char *test_shared(const char *name);
/* FOLDER/NAME with the text in it. Free with g_free. */
char *test_file(const char *folder, const char *name, const char *text);
/* The whole of NAME below FOLDER, or of a path (folder NULL), followed by a NUL; size may be NULL. Free with g_free. */
char *test_bytes(const char *folder, const char *name, gsize *size);
RmilTable *test_rows(const char *folder, const char *name);
const char *test_cell(const RmilTable *table, int64_t row, const char *column);
gboolean test_exists(const char *folder, const char *name);
int test_entries(const char *folder, const char *name); /* in a folder below another, or "."; 0: there is none */
/* Asserts that two files hold the same bytes; or two files of one name in two folders. */
void test_same_file(const char *a, const char *b);
void test_same_in(const char *folder, const char *other, const char *name);
int test_count(const char *text, const char *part); /* how often part occurs */
/* The call failed with this code and a message that contains `part`; clears *error. */
void test_error(GError **error, RmilErrorCode code, const char *part);

#endif
