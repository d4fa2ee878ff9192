/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for fish: one line per option. */
#include "pages.h"

/* '…' */
static void add_quoted(GString *out, const char *text) {
    g_string_append_c(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') g_string_append_c(out, '\\');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '\'');
}

static void add_option(GString *out, const char *command, const PageOption *option) {
    g_string_append_printf(out, "complete -c rankmil -n '__rankmil_command %s' -l %s", command, option->name);
    if (option->letter) g_string_append_printf(out, " -s %c", option->letter);
    if (option->argument) g_string_append(out, option->value == PAGE_FILE ? " -r -F" : " -x");
    if (option->words) {
        g_autofree char *joined = g_strjoinv(" ", (char **)option->words), *list = g_strdup_printf("(__fish_append , %s)", joined);
        g_string_append(out, " -a ");
        add_quoted(out, option->value == PAGE_LIST ? list : joined);
    }
    g_string_append(out, " -d ");
    add_quoted(out, option->text);
    g_string_append_c(out, '\n');
}

char *page_fish(const Page *pages) {
    GString *out = g_string_new(
        "# Completion of rankmil's commands, options and their words; files otherwise. Written from the tables of options.\n"
        "function __rankmil_command\n"
        "    set -l words (commandline -opc)\n"
        "    test \"$words[2]\" = \"$argv[1]\"\n"
        "end\n"
        "function __rankmil_first\n"
        "    test (count (commandline -opc)) -eq $argv[1]\n"
        "end\n"
        "complete -c rankmil -n '__rankmil_first 1' -f -l help -s h -d 'the commands'\n"
        "complete -c rankmil -n '__rankmil_first 1' -f -l version -d 'the version'\n"
        "complete -c rankmil -n '__rankmil_first 1' -f -a help -d 'what a command does'\n");
    for (const Page *page = pages; page->command; page++) {
        const char *name = page->command->name;
        g_string_append_printf(out, "complete -c rankmil -n '__rankmil_first 1' -f -a %s -d ", name);
        add_quoted(out, page->command->summary);
        g_string_append_printf(out, "\ncomplete -c rankmil -n '__rankmil_command help; and __rankmil_first 2' -f -a %s\n", name);
        for (guint i = 0; i < page->options->len; i++) add_option(out, name, &g_array_index(page->options, PageOption, i));
        if (!page->arguments) continue;
        g_autofree char *joined = g_strjoinv(" ", (char **)page->arguments);
        g_string_append_printf(out, "complete -c rankmil -n '__rankmil_command %s; and __rankmil_first 2' %s -a '%s'\n", name,
                               page->only ? "-f" : "-F", joined);
    }
    return g_string_free(out, FALSE);
}
