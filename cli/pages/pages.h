/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages and completions, written during the build from the tables that `--help` prints. */
#ifndef RMIL_CLI_PAGES_H
#define RMIL_CLI_PAGES_H

#include "cli.h"

/* The kind of value that an option takes. */
typedef enum {
    PAGE_NOTHING,
    PAGE_TEXT, /* a number, or words not known in advance */
    PAGE_WORD, /* one of `words` */
    PAGE_LIST, /* some of `words`, separated by commas */
    PAGE_FILE
} PageValue;

typedef struct {
    const char *name;     /* --name */
    char letter;          /* -o, or 0 */
    const char *argument; /* "DIR", or NULL */
    const char *text;     /* the help */
    const char *title;    /* of its group */
    PageValue value;
    const char *const *words;
    gboolean again; /* may be given several times */
} PageOption;

typedef struct {
    const CliCommand *command;
    const CliUsage *usage;
    GArray *options;              /* of PageOption, in the order of the help */
    const char *const *arguments; /* possible words for the first argument, or NULL */
    gboolean only;                /* it must be one of them, not a file */
} Page;

/* words.c. The kind of an option's value, and its words; NULL: none are known. plans: names of rankmil's own plans. Ends the program if the
 * help does not mention one of the words. */
const char *const *page_words(const char *command, const GOptionEntry *entry, PageValue *value);
void page_arguments(Page *page, const char *const *plans);

/* Each returns a whole file; free with g_free. pages ends with one that has no command. */
char *page_manual(const Page *page);         /* rankmil-NAME.1 */
char *page_manual_of_all(const Page *pages); /* rankmil.1 */
char *page_bash(const Page *pages);
char *page_zsh(const Page *pages);
char *page_fish(const Page *pages);

#endif
