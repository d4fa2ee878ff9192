/* SPDX-License-Identifier: Apache-2.0 */
/* A table as HTML, CSV and LaTeX. */
#include "study-report.h"
#include "report.h"

#include <math.h>
#include <string.h>

static void clear_cell(gpointer data) { g_free(((RmilTableCell *)data)->text); }

RmilStudyTable *rmil_study_table_new(const char *name, const char *corner, const char *format, ...) {
    RmilStudyTable *table = g_new0(RmilStudyTable, 1);
    va_list arguments;
    va_start(arguments, format);
    table->caption = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    table->name = g_strdup(name);
    table->corner = g_strdup(corner);
    table->columns = g_ptr_array_new_with_free_func(g_free);
    table->titles = g_ptr_array_new_with_free_func(g_free);
    table->notes = g_ptr_array_new_with_free_func(g_free);
    table->cells = g_array_new(FALSE, TRUE, sizeof(RmilTableCell));
    g_array_set_clear_func(table->cells, clear_cell);
    return table;
}

void rmil_study_table_free(RmilStudyTable *table) {
    if (!table) return;
    g_free(table->name);
    g_free(table->caption);
    g_free(table->corner);
    g_ptr_array_unref(table->columns);
    g_ptr_array_unref(table->titles);
    g_ptr_array_unref(table->notes);
    g_array_unref(table->cells);
    g_free(table);
}

void rmil_study_table_column(RmilStudyTable *table, const char *title) { g_ptr_array_add(table->columns, g_strdup(title)); }

static RmilTableCell *cell_at(const RmilStudyTable *table, guint row, guint column) {
    return &g_array_index(table->cells, RmilTableCell, row * table->columns->len + column);
}

void rmil_study_table_row(RmilStudyTable *table, const char *title) {
    g_ptr_array_add(table->titles, g_strdup(title));
    g_array_set_size(table->cells, table->titles->len * table->columns->len);
    for (guint c = 0; c < table->columns->len; c++) {
        RmilTableCell *cell = cell_at(table, table->titles->len - 1, c);
        cell->text = g_strdup("–");
        cell->order = NAN;
    }
}

RmilTableCell *rmil_study_table_set(RmilStudyTable *table, int column, double order, char *text) {
    RmilTableCell *cell = cell_at(table, table->titles->len - 1, (guint)column);
    g_free(cell->text);
    cell->text = text;
    cell->order = order;
    return cell;
}

void rmil_study_table_note(RmilStudyTable *table, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(table->notes, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* Rounded as shown, in thousandths. */
static double shown(double value) { return round(value * 1000); }

void rmil_study_table_rank(RmilStudyTable *table, int column, gboolean lower_is_better) {
    const double sign = lower_is_better ? -1 : 1;
    double best = -INFINITY, second = -INFINITY;
    guint rows = table->titles->len;
    for (guint r = 0; r < rows; r++) {
        double value = sign * shown(cell_at(table, r, (guint)column)->order);
        if (isnan(value) || value == best) continue;
        if (value > best) {
            second = best;
            best = value;
        } else if (value > second) {
            second = value;
        }
    }
    for (guint r = 0; r < rows && isfinite(second); r++) { /* all equal, or only one: nothing is best */
        RmilTableCell *cell = cell_at(table, r, (guint)column);
        double value = sign * shown(cell->order);
        cell->place = value == best ? 1 : value == second ? 2 : 0;
    }
}

char *rmil_study_mean_sd(double mean, double sd) {
    char text[16];
    return isnan(mean) || isnan(sd) ? g_strdup(rmil_html_metric(mean, text))
                                    : g_strdup_printf("%s (%.3f)", rmil_html_metric(mean, text), sd);
}

/* -- HTML ---------------------------------------------------------------------------------------------------------- */
static void html_cell(GString *out, const RmilTableCell *cell) {
    static const char *const classes[] = {"value", "best", "second"};
    const char *interval = strstr(cell->text, " ["); /* on a line of its own */
    g_autofree char *value = g_strndup(cell->text, interval ? (gsize)(interval - cell->text) : strlen(cell->text));
    rmil_html(out, "<td class=\"%s\">%s", classes[cell->place], value);
    if (interval) rmil_html(out, "<small>%s</small>", interval + 1);
    if (*cell->marks) rmil_html(out, "<sup>%s</sup>", cell->marks);
    g_string_append(out, "</td>");
}

void rmil_study_table_html(const RmilStudyTable *table, GString *out) {
    rmil_html_table_begin(out, table->name, table->caption);
    rmil_html(out, "<thead><tr><th scope=\"col\">%s</th>", table->corner);
    for (guint c = 0; c < table->columns->len; c++)
        rmil_html(out, "<th scope=\"col\">%s</th>", (const char *)g_ptr_array_index(table->columns, c));
    g_string_append(out, "</tr></thead><tbody>\n");
    for (guint r = 0; r < table->titles->len; r++) {
        rmil_html(out, "<tr><th scope=\"row\">%s</th>", (const char *)g_ptr_array_index(table->titles, r));
        for (guint c = 0; c < table->columns->len; c++) html_cell(out, cell_at(table, r, c));
        g_string_append(out, "</tr>\n");
    }
    g_string_append(out, "</tbody>");
    rmil_html_table_end(out);
    if (table->notes->len == 0) return;
    g_string_append(out, "<p class=\"soft\">");
    for (guint i = 0; i < table->notes->len; i++) rmil_html(out, "%s%s", i ? " " : "", (const char *)g_ptr_array_index(table->notes, i));
    g_string_append(out, "</p>\n");
}

/* -- LaTeX ----------------------------------------------------------------------------------------------------------- */
/* What must be replaced for pdfLaTeX; everything else passes. */
static const struct {
    gunichar c;
    const char *latex;
} latex[] = {
    {'&', "\\&"},
    {'%', "\\%"},
    {'$', "\\$"},
    {'#', "\\#"},
    {'_', "\\_"},
    {'{', "\\{"},
    {'}', "\\}"},
    {'~', "\\textasciitilde{}"},
    {'^', "\\textasciicircum{}"},
    {'\\', "\\textbackslash{}"},
    {'<', "$<$"},
    {'>', "$>$"},
    {0x03b1, "$\\alpha$"},
    {0x2212, "$-$"},
    {0x2264, "$\\le$"},
    {0x2265, "$\\ge$"},
    {0x00d7, "$\\times$"},
    {0x00b7, "$\\cdot$"},
    {0x00b5, "$\\mu$"},
    {0x00b1, "$\\pm$"},
    {0x2013, "--"},
    {0x2019, "'"},
    {0x00a0, "~"},
};

static void add_latex(GString *out, const char *text) {
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        const char *known = NULL;
        for (gsize i = 0; i < G_N_ELEMENTS(latex) && !known; i++)
            if (latex[i].c == c) known = latex[i].latex;
        if (known) g_string_append(out, known);
        else if (c >= 32) g_string_append_unichar(out, c);
    }
}

static void latex_cell(GString *out, const RmilTableCell *cell) {
    static const char *const before[] = {"", "\\textbf{", "\\underline{"};
    g_string_append(out, before[cell->place]);
    add_latex(out, cell->text);
    if (cell->place) g_string_append_c(out, '}');
    if (*cell->marks) g_string_append_printf(out, "\\textsuperscript{%s}", cell->marks);
}

char *rmil_study_table_latex(const RmilStudyTable *table) {
    GString *out = g_string_new("% Needs \\usepackage{booktabs}.\n\\begin{table}\n\\centering\\small\n\\caption{");
    add_latex(out, table->caption);
    g_string_append_printf(out, "}\n\\label{tab:%s}\n\\begin{tabular}{l", table->name);
    for (guint c = 0; c < table->columns->len; c++) g_string_append_c(out, 'c');
    g_string_append(out, "}\n\\toprule\n");
    add_latex(out, table->corner);
    for (guint c = 0; c < table->columns->len; c++) {
        g_string_append(out, " & ");
        add_latex(out, g_ptr_array_index(table->columns, c));
    }
    g_string_append(out, " \\\\\n\\midrule\n");
    for (guint r = 0; r < table->titles->len; r++) {
        add_latex(out, g_ptr_array_index(table->titles, r));
        for (guint c = 0; c < table->columns->len; c++) {
            g_string_append(out, " & ");
            latex_cell(out, cell_at(table, r, c));
        }
        g_string_append(out, " \\\\\n");
    }
    g_string_append(out, "\\bottomrule\n\\end{tabular}\n");
    if (table->notes->len) {
        g_string_append(out, "\\par\\smallskip\\footnotesize\n");
        for (guint i = 0; i < table->notes->len; i++) {
            add_latex(out, g_ptr_array_index(table->notes, i));
            g_string_append_c(out, '\n');
        }
    }
    g_string_append(out, "\\end{table}\n");
    return g_string_free(out, FALSE);
}
