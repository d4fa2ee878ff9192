/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages: roff with the macros of man(7). */
#include "pages.h"

#include <string.h>

/* Text that roff shows literally: non-ASCII characters by number, so that readers need not know the encoding. */
static void add_text(GString *out, const char *text) {
    if (*text == '.' || *text == '\'') g_string_append(out, "\\&"); /* at the start of a line these begin a request */
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        const gunichar character = g_utf8_get_char(at);
        if (character > 126) g_string_append_printf(out, "\\[u%04X]", character);
        else if (character == '\\') g_string_append(out, "\\e");
        else if (character == '-') g_string_append(out, "\\-");
        else if (character == '\'') g_string_append(out, "\\(aq");
        else if (character == '`') g_string_append(out, "\\(ga");
        else if (character == '^') g_string_append(out, "\\(ha");
        else if (character == '~') g_string_append(out, "\\(ti");
        else g_string_append_c(out, (char)character);
    }
}

static void add_font(GString *out, char font, const char *text) {
    g_string_append_printf(out, "\\f%c", font);
    add_text(out, text);
    g_string_append(out, "\\fR");
}

/* Without the final full stop. */
static void add_name(GString *out, const char *name, const char *summary) {
    g_autofree char *line = g_str_has_suffix(summary, ".") ? g_strndup(summary, strlen(summary) - 1) : g_strdup(summary);
    g_string_append(out, ".SH NAME\n");
    add_text(out, name);
    g_string_append(out, " \\- ");
    add_text(out, line);
    g_string_append_c(out, '\n');
}

static void add_heading(GString *out, const char *name) {
    g_autofree char *upper = g_ascii_strup(name, -1);
    g_string_append(out, ".\\\" Written from the tables of options when rankmil was built.\n.TH \"");
    add_text(out, upper);
    g_string_append_printf(out, "\" 1 \"\" \"rankmil %s\" \"rankmil\"\n.nh\n.ad l\n", rmil_version());
}

/* Lines of a help text: those that begin with a space stay as they are, others are filled. */
static void add_description(GString *out, const char *text) {
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gboolean kept = FALSE;
    for (int i = 0; lines[i]; i++) {
        const gboolean keep = lines[i][0] == ' ';
        if (keep && !kept) g_string_append(out, ".PP\n.nf\n");
        if (!keep && kept) g_string_append(out, ".fi\n");
        if ((!keep && kept) || !lines[i][0]) g_string_append(out, ".PP\n");
        kept = keep;
        if (!lines[i][0]) continue;
        add_text(out, lines[i]);
        g_string_append_c(out, '\n');
    }
    if (kept) g_string_append(out, ".fi\n");
}

static void add_option(GString *out, const PageOption *option) {
    const char letter[] = {'-', option->letter, 0};
    g_autofree char *name = g_strconcat("--", option->name, NULL);
    g_string_append(out, ".TP\n");
    if (option->letter) {
        add_font(out, 'B', letter);
        g_string_append(out, ", ");
    }
    add_font(out, 'B', name);
    if (option->argument) {
        g_string_append_c(out, ' ');
        add_font(out, 'I', option->argument);
    }
    g_string_append_c(out, '\n');
    add_text(out, option->text);
    g_string_append_c(out, '\n');
}

static void add_options(GString *out, const Page *page) {
    const char *title = "";
    g_string_append(out, ".SH OPTIONS\n");
    for (guint i = 0; i < page->options->len; i++) {
        const PageOption *option = &g_array_index(page->options, PageOption, i);
        if (strcmp(option->title, title) != 0) {
            title = option->title;
            g_string_append(out, ".SS ");
            add_text(out, title);
            g_string_append_c(out, '\n');
        }
        add_option(out, option);
    }
}

static void add_examples(GString *out, const char *examples) {
    g_auto(GStrv) lines = g_strsplit(examples, "\n", -1);
    g_string_append(out, ".SH EXAMPLES\n.nf\n");
    for (int i = 0; lines[i]; i++) {
        g_string_append(out, "rankmil ");
        add_text(out, lines[i]);
        g_string_append_c(out, '\n');
    }
    g_string_append(out, ".fi\n");
}

static void add_status(GString *out) {
    g_string_append(out, ".SH EXIT STATUS\n"
                         ".TP\n"
                         "0\n"
                         "done\n"
                         ".TP\n"
                         "1\n"
                         "something failed, and a message says what; the rest was done\n"
                         ".TP\n"
                         "2\n"
                         "wrong usage; nothing was done\n");
}

/* After the last page in the list. */
static void add_documents(GString *out) {
    g_string_append(out, "\n.PP\nThe README and the documents that help texts call docs/NAME.md:  ");
    add_font(out, 'I', RMIL_DOCUMENTS);
    g_string_append_c(out, '\n');
}

char *page_manual(const Page *page) {
    GString *out = g_string_new(NULL);
    g_autofree char *name = g_strconcat("rankmil-", page->command->name, NULL), *call = g_strconcat("rankmil ", page->command->name, NULL);
    add_heading(out, name);
    add_name(out, name, page->usage->summary);
    g_string_append(out, ".SH SYNOPSIS\n");
    add_font(out, 'B', call);
    g_string_append_c(out, ' ');
    add_text(out, page->usage->arguments);
    g_string_append(out, " [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    add_text(out, page->usage->summary);
    g_string_append_c(out, '\n');
    if (page->usage->description) {
        g_string_append(out, ".PP\n");
        add_description(out, page->usage->description);
    }
    add_options(out, page);
    add_examples(out, page->usage->examples);
    add_status(out);
    g_string_append(out, ".SH SEE ALSO\n.BR rankmil (1)");
    add_documents(out);
    return g_string_free(out, FALSE);
}

char *page_manual_of_all(const Page *pages) {
    GString *out = g_string_new(NULL);
    add_heading(out, "rankmil");
    add_name(out, "rankmil", "slide classifiers whose attention follows experts' annotations");
    g_string_append(out, ".SH SYNOPSIS\n\\fBrankmil\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.br\n\\fBrankmil help\\fR [\\fICOMMAND\\fR]\n"
                         ".br\n\\fBrankmil \\-\\-version\\fR\n.SH DESCRIPTION\n");
    add_text(
        out,
        "From a table of whole-slide images, slide labels and a few experts' outlines, rankmil makes a validated classifier, heat maps "
        "and a report. Each command has a page of its own.");
    g_string_append(out, "\n.SH COMMANDS\n");
    for (const Page *page = pages; page->command; page++) {
        g_string_append(out, ".TP\n.BR rankmil\\-");
        add_text(out, page->command->name);
        g_string_append(out, " (1)\n");
        add_text(out, page->command->summary);
        g_string_append_c(out, '\n');
    }
    add_status(out);
    g_string_append(out, ".SH SEE ALSO\n");
    for (const Page *page = pages; page->command; page++) {
        g_string_append(out, ".BR rankmil\\-");
        add_text(out, page->command->name);
        g_string_append(out, page[1].command ? " (1),\n" : " (1)");
    }
    add_documents(out);
    return g_string_free(out, FALSE);
}
