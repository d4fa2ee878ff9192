/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for zsh: a function of _arguments' specifications. */
#include "pages.h"

/* Text inside '…', which may itself be inside [ … ] or between colons. */
static void add_text(GString *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'') g_string_append(out, "'\\''");
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\') g_string_append_printf(out, "\\%c", *text);
        else g_string_append_c(out, *text);
    }
}

static void add_value(GString *out, const PageOption *option) {
    if (!option->argument) return;
    g_string_append_c(out, ':');
    add_text(out, option->argument);
    g_string_append_c(out, ':');
    if (option->value == PAGE_FILE) g_string_append(out, "_files");
    if (!option->words) return;
    g_autofree char *joined = g_strjoinv(" ", (char **)option->words);
    g_string_append_printf(out, option->value == PAGE_LIST ? "_sequence compadd - %s" : "(%s)", joined);
}

static void add_option(GString *out, const PageOption *option) {
    g_string_append(out, "        ");
    if (option->again) g_string_append(out, "'*'");
    if (option->letter && !option->again) g_string_append_printf(out, "'(-%c --%s)'", option->letter, option->name);
    const char *sign = option->argument ? "=" : "", *plus = option->argument ? "+" : "";
    if (option->letter) g_string_append_printf(out, "{-%c%s,--%s%s}'[", option->letter, plus, option->name, sign);
    else g_string_append_printf(out, "'--%s%s[", option->name, sign);
    add_text(out, option->text);
    g_string_append_c(out, ']');
    add_value(out, option);
    g_string_append(out, "' \\\n");
}

static void add_command(GString *out, const Page *page) {
    g_string_append_printf(out, "    %s) _arguments -s -S \\\n", page->command->name);
    for (guint i = 0; i < page->options->len; i++) add_option(out, &g_array_index(page->options, PageOption, i));
    if (page->arguments) {
        g_autofree char *joined = g_strjoinv(" ", (char **)page->arguments);
        g_string_append_printf(out, page->only ? "        '1: :(%s)' \\\n" : "        '1: :{compadd -- %s; _files}' \\\n", joined);
    }
    g_string_append(out, "        '*: :_files' ;;\n");
}

char *page_zsh(const Page *pages) {
    GString *out = g_string_new(
        "#compdef rankmil\n"
        "# Completion of rankmil's commands, options and their words; files otherwise. Written from the tables of options.\n"
        "_rankmil() {\n"
        "  local -a commands\n"
        "  commands=(\n");
    for (const Page *page = pages; page->command; page++) {
        g_string_append_printf(out, "    '%s:", page->command->name);
        add_text(out, page->command->summary);
        g_string_append(out, "'\n");
    }
    g_string_append(out, "    'help:what a command does'\n"
                         "  )\n"
                         "  if (( CURRENT == 2 )); then\n"
                         "    _describe -t commands command commands -- '(--help --version)'\n"
                         "    return\n"
                         "  fi\n"
                         "  shift words\n"
                         "  (( CURRENT-- ))\n"
                         "  case $words[1] in\n"
                         "    help) _describe -t commands command commands ;;\n");
    for (const Page *page = pages; page->command; page++) add_command(out, page);
    g_string_append(out, "  esac\n}\n_rankmil \"$@\"\n");
    return g_string_free(out, FALSE);
}
