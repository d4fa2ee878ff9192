/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a report's page. */
#ifndef RMIL_TEST_PAGE_H
#define RMIL_TEST_PAGE_H

/* Writes FOLDER/report.html and gives its text. Free with g_free. */
char *page_write(const char *folder);
void page_has(const char *page, const char *part);
/* Nothing is fetched from anywhere, every picture says what it shows, every table has a caption. */
void page_check(const char *page);

#endif
