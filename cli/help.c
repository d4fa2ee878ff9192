/* SPDX-License-Identifier: Apache-2.0 */
/* `rankmil COMMAND --help`: what the command does, its options by group, and examples. */
#include "help.h"

#include <string.h>

enum { WIDTH = 100, INDENT = 26 };

/* Text from column `indent` on, wrapped at spaces. */
static void add_wrapped(GString *out, const char *text, int indent) {
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    glong column = indent;
    for (int i = 0; words[i]; i++) {
        const glong length = g_utf8_strlen(words[i], -1);
        if (i && column + 1 + length > WIDTH) {
            g_string_append_printf(out, "\n%*s", indent, "");
            column = indent;
        } else if (i) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, words[i]);
        column += length;
    }
    g_string_append_c(out, '\n');
}

static void add_option(GString *out, const GOptionEntry *entry) {
    g_autoptr(GString) name = g_string_new("  ");
    if (entry->short_name) g_string_append_printf(name, "-%c, ", entry->short_name);
    g_string_append_printf(name, "--%s", entry->long_name);
    if (entry->arg_description) g_string_append_printf(name, " %s", entry->arg_description);
    g_string_append(out, name->str);
    const glong length = g_utf8_strlen(name->str, -1);
    if (length > INDENT - 2) g_string_append_printf(out, "\n%*s", INDENT, "");
    else g_string_append_printf(out, "%*s", (int)(INDENT - length), "");
    add_wrapped(out, entry->description, INDENT);
}

static void add_group(GString *out, const CliGroup *group) {
    gboolean any = FALSE;
    for (const GOptionEntry *entry = group->entries; entry->long_name; entry++) {
        if (entry->flags & G_OPTION_FLAG_HIDDEN) continue;
        if (!any) g_string_append_printf(out, "\n%s\n", group->title);
        any = TRUE;
        add_option(out, entry);
    }
}

char *cli_help_text(const char *command, const CliUsage *usage, const CliGroup *groups, const CliGroup *common) {
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "usage: rankmil %s %s [OPTIONS]\n\n%s\n", command, usage->arguments, usage->summary);
    if (usage->description) g_string_append_printf(out, "\n%s\n", usage->description);
    for (const CliGroup *group = groups; group && group->entries; group++) add_group(out, group);
    add_group(out, common);
    g_auto(GStrv) examples = g_strsplit(usage->examples, "\n", -1);
    g_string_append_printf(out, "\n%s\n", examples[0] && examples[1] ? "Examples" : "Example");
    for (int i = 0; examples[i]; i++) g_string_append_printf(out, "  rankmil %s\n", examples[i]);
    return g_string_free(out, FALSE);
}
