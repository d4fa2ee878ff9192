/* Helpers for tests: a scratch folder, golden data when it is there, comparing errors. */
#ifndef RMIL_TEST_SUPPORT_H
#define RMIL_TEST_SUPPORT_H

#include "rankmil/base.h"

/* A new empty folder, removed when the test program ends well. Free with g_free. */
char *test_folder(void);
/* ../shared/NAME beside the checkout, or $RMIL_SHARED/NAME; NULL (and the running test is skipped) when it is not
 * there: real data is never shipped. Free with g_free. */
char *test_shared(const char *name);
/* FOLDER/NAME with the text in it. Free with g_free. */
char *test_file(const char *folder, const char *name, const char *text);
/* The call failed with this code and a message that contains `part`; clears *error. */
void test_error(GError **error, RmilErrorCode code, const char *part);

#endif
