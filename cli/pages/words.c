/* SPDX-License-Identifier: Apache-2.0 */
/* The words that an option accepts, if `--help` lists them in a sentence. */
#include "pages.h"

#include <string.h>

static const char *const *literal_layouts(void) {
    static const char *const words[] = {"rankmil", "camelyon16", "digestpath", NULL};
    return words;
}

static const char *const *literal_precisions(void) {
    static const char *const words[] = {"float16", "float32", NULL};
    return words;
}

static const char *const *literal_targets(void) {
    static const char *const words[] = {"label", "survival", "value", NULL};
    return words;
}

static const char *const *methods(void) {
    static const char **names;
    gsize count;
    const RmilTrainMethod *table = rmil_methods(&count);
    if (names) return names;
    names = g_new0(const char *, count + 1);
    for (gsize i = 0; i < count; i++) names[i] = table[i].name;
    return names;
}

/* All encoders, and the word that leaves the choice to the weights. */
static const char *const *encoders(void) {
    static const char **names;
    if (names) return names;
    const char *const *all = rmil_encoder_names();
    const guint count = g_strv_length((char **)all);
    names = g_new0(const char *, count + 2);
    for (guint i = 0; i < count; i++) names[i] = all[i];
    names[count] = "auto";
    return names;
}

/* The encoders that `rankmil convert` writes as ONNX, likewise. */
static const char *const *networks(void) {
    static const char **names;
    if (names) return names;
    const char *const *all = encoders();
    guint count = 0;
    names = g_new0(const char *, g_strv_length((char **)all) + 1);
    for (guint i = 0; all[i]; i++)
        if (!all[i + 1] || rmil_encoder_is_network(all[i])) names[count++] = all[i];
    return names;
}

/* Options that are not in the table of training options. unsaid: the help does not list the words; command: set if other commands have an
 * option of the same name. */
static const struct {
    const char *name;
    const char *const *(*words)(void);
    gboolean list, unsaid;
    const char *command;
} options[] = {
    {.name = "encoder", .words = networks, .command = "convert"},
    {.name = "encoder", .words = encoders},
    {.name = "model", .words = rmil_model_names},
    {.name = "guide", .words = rmil_guide_names},
    {.name = "methods", .words = methods, .list = TRUE},
    {.name = "method", .words = methods, .unsaid = TRUE},
    {.name = "layout", .words = literal_layouts},
    {.name = "to", .words = rmil_bag_layouts},
    {.name = "precision", .words = literal_precisions},
    {.name = "target", .words = literal_targets},
};

/* The help and the words are separate texts that must agree. */
static void check_said(const char *command, const char *what, const char *const *words, const char *text) {
    for (int i = 0; words[i]; i++)
        if (!strstr(text, words[i]))
            g_error("rankmil %s: the completion of %s offers \"%s\", which the help does not say: see cli/pages/words.c", command, what,
                    words[i]);
}

const char *const *page_words(const char *command, const GOptionEntry *entry, PageValue *value) {
    const GOptionArg arg = entry->arg;
    const RmilOption *row = rmil_train_option_find(entry->long_name);
    *value = arg == G_OPTION_ARG_NONE                                             ? PAGE_NOTHING
             : arg == G_OPTION_ARG_FILENAME || arg == G_OPTION_ARG_FILENAME_ARRAY ? PAGE_FILE
                                                                                  : PAGE_TEXT;
    if (row && row->summary == entry->description) { /* others may have an option of the same name */
        if (row->type == RMIL_OPTION_WORD) *value = PAGE_WORD;
        return row->type == RMIL_OPTION_WORD ? row->words : NULL;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(options) && *value == PAGE_TEXT; i++) {
        if (strcmp(options[i].name, entry->long_name) != 0) continue;
        if (options[i].command && strcmp(options[i].command, command) != 0) continue;
        const char *const *words = options[i].words();
        if (!options[i].unsaid) check_said(command, entry->long_name, words, entry->description);
        *value = options[i].list ? PAGE_LIST : PAGE_WORD;
        return words;
    }
    return NULL;
}

void page_arguments(Page *page, const char *const *plans) {
    const char *name = page->command->name;
    page->only = strcmp(name, "cohort") == 0;
    if (page->only) page->arguments = rmil_cohort_layouts();
    else if (strcmp(name, "study") == 0) page->arguments = plans;
    if (page->arguments) check_said(name, "its first argument", page->arguments, page->usage->description);
}
