/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages and completions, written while rankmil is built, from the tables that `--help` prints. */
#ifndef RMIL_CLI_PAGES_H
#define RMIL_CLI_PAGES_H

#include "cli.h"

/* What follows an option. */
typedef enum {
    PAGE_NOTHING,
    PAGE_TEXT, /* a number, or words that nobody can foresee */
    PAGE_WORD, /* one of `words` */
    PAGE_LIST, /* some of `words`, between commas */
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
    gboolean again; /* it may be given several times */
} PageOption;

typedef struct {
    const CliCommand *command;
    const CliUsage *usage;
    GArray *options;              /* of PageOption, in the order of the help */
    const char *const *arguments; /* words that the first argument can be, or NULL */
    gboolean only;                /* it can be nothing else: no file */
} Page;

/* words.c. The value of an option and its words; NULL: none are known. plans: names of rankmil's own plans. Ends the program where a word
 * is none that the help names. */
const char *const *page_words(const char *command, const GOptionEntry *entry, PageValue *value);
void page_arguments(Page *page, const char *const *plans);

/* Each returns a whole file; free with g_free. pages end with one that has no command. */
char *page_manual(const Page *page);         /* rankmil-NAME.1 */
char *page_manual_of_all(const Page *pages); /* rankmil.1 */
char *page_bash(const Page *pages);
char *page_zsh(const Page *pages);
char *page_fish(const Page *pages);

#endif
