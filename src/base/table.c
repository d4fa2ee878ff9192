/* SPDX-License-Identifier: Apache-2.0 */
/* Reading CSV. */
#include "base-private.h"

#include <math.h>
#include <string.h>

/* RFC 4180, and what spreadsheets make of it: semicolons and tabs, all kinds of line ends, empty rows. All cells are kept as NUL-terminated
 * strings in one block of text. */
struct _RmilTable {
    char *path, *text;
    GPtrArray *cells; /* row-major, header first */
    GArray *lines;    /* int64_t: line of each data row */
    int columns;
    char separator;
};

#define TABLE_LIMIT ((gsize)1 << 30)

void rmil_table_free(RmilTable *table) {
    if (!table) return;
    g_free(table->path);
    g_free(table->text);
    g_ptr_array_unref(table->cells);
    g_array_unref(table->lines);
    g_free(table);
}

/* A line ends with LF, CR LF, or CR alone. */
static gboolean ends_line(const char *at) { return *at == '\n' || *at == '\r'; }

static char *behind_end(char *at) { return at + (at[0] == '\r' && at[1] == '\n' ? 2 : 1); }

/* Reads one field starting at *cursor, unquoting in place; returns it, and sets *last if it ends its line. */
static char *read_field(char separator, char **cursor, gboolean *last, int64_t *line) {
    char *in = *cursor, *out = in, *start = in;
    if (*in == '"') {
        for (in++;; in++) {
            if (*in == '\0') return NULL;
            if (*in == '"') {
                if (in[1] != '"') break;
                in++;
            }
            if (*in == '\n' || (*in == '\r' && in[1] != '\n')) (*line)++;
            *out++ = *in;
        }
        in++;
        if (*in != separator && !ends_line(in) && *in != '\0') return NULL;
    } else {
        while (*in != separator && !ends_line(in) && *in != '\0') {
            if (*in == '"') return NULL;
            in++;
        }
        out = in;
    }
    *last = *in != separator;
    *cursor = *in == '\0' ? in : *last ? behind_end(in) : in + 1;
    *out = '\0';
    return start;
}

/* The most frequent separator in the header, or the one stated by a first line "sep=;", which Excel writes and understands. */
char rmil_csv_separator(char **text, int64_t *line) {
    static const char separators[] = {',', ';', '\t'};
    int64_t counts[G_N_ELEMENTS(separators)] = {0};
    gsize best = 0;
    if (g_str_has_prefix(*text, "sep=") && (*text)[4] && ends_line(*text + 5)) {
        const char said = (*text)[4];
        *text = behind_end(*text + 5);
        ++*line;
        return said;
    }
    gboolean quoted = FALSE;
    const char *at = *text;
    while (ends_line(at)) at++;
    for (; *at && (quoted || !ends_line(at)); at++) {
        quoted ^= *at == '"';
        for (gsize i = 0; i < G_N_ELEMENTS(separators) && !quoted; i++) counts[i] += *at == separators[i];
    }
    for (gsize i = 1; i < G_N_ELEMENTS(separators); i++)
        if (counts[i] > counts[best]) best = i;
    return separators[best];
}

/* Adds or removes empty cells at the end of a row, which spreadsheets leave out or add. */
static gboolean fit_row(RmilTable *table, guint first, int64_t line, GError **error) {
    const int fields = (int)(table->cells->len - first);
    int filled = fields, named = table->columns;
    while (filled > 0 && *(const char *)table->cells->pdata[first + (guint)filled - 1] == '\0') filled--;
    while (named > 0 && *rmil_table_name(table, named - 1) == '\0') named--;
    if (filled > table->columns || (fields < table->columns && fields < named))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT " has %d fields, the header has %d", table->path, line,
                         fields, table->columns);
    g_ptr_array_set_size(table->cells, (gint)first + MIN(fields, table->columns));
    for (int i = fields; i < table->columns; i++) g_ptr_array_add(table->cells, (gpointer) "");
    g_array_append_val(table->lines, line);
    return TRUE;
}

/* A spreadsheet would take the cell for a formula and execute it: '=' begins one, and so do '+', '-' and '@' before anything but a number
 * or plain words. Leading apostrophes are part of the cell. */
gboolean rmil_csv_formula(const char *field) {
    const char *at = field + strspn(field, "'");
    if (*at == '=') return TRUE;
    if (*at != '+' && *at != '-' && *at != '@') return FALSE;
    char *end;
    g_ascii_strtod(at, &end);
    if (*end == '\0') return FALSE;
    for (at++; *at; at++)
        if (!g_ascii_isalnum(*at) && !strchr(" ._-", *at) && !((guchar)*at & 0x80)) return TRUE;
    return FALSE;
}

/* Reads the fields of one line; FALSE: a quote is wrong. */
static gboolean read_line(RmilTable *table, char **cursor, int64_t *line, gboolean *blank) {
    gboolean last = FALSE;
    *blank = TRUE;
    while (!last) {
        char *field = read_field(table->separator, cursor, &last, line);
        if (!field) return FALSE;
        g_strstrip(field);
        g_ptr_array_add(table->cells, *field == '\'' && rmil_csv_formula(field) ? field + 1 : field);
        *blank = *blank && *(const char *)table->cells->pdata[table->cells->len - 1] == '\0';
    }
    ++*line;
    return TRUE;
}

/* Number of words between blanks. */
static int64_t count_words(const char *text) {
    int64_t words = 0;
    for (const char *at = text; *at; at++) words += !g_ascii_isspace(*at) && (at == text || g_ascii_isspace(at[-1]));
    return words;
}

/* Rejects a table with a single column that looks like several. */
static gboolean check_separator(const RmilTable *table, GError **error) {
    const char *name = rmil_table_name(table, 0);
    const int64_t words = count_words(name), rows = rmil_table_rows(table);
    gboolean blanks = words > 1 && rows > 0;
    if (table->columns != 1) return TRUE;
    for (int64_t r = 0; r < rows && blanks; r++) blanks = count_words(rmil_table_cell(table, r, 0)) == words;
    if (!blanks && !strchr(name, '|')) return TRUE;
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: its columns are separated by %s: save it with commas, semicolons or tabs",
                     table->path, strchr(name, '|') ? "\"|\"" : "blanks");
}

static gboolean parse(RmilTable *table, char *text, GError **error) {
    int64_t line = 1;
    table->separator = rmil_csv_separator(&text, &line);
    for (char *cursor = text; *cursor;) {
        const int64_t first_line = line;
        const guint first = table->cells->len;
        gboolean blank;
        if (!read_line(table, &cursor, &line, &blank))
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: line %" G_GINT64_FORMAT ": a quotation mark is not closed, or is inside a "
                             "field",
                             table->path, first_line);
        if (blank) g_ptr_array_set_size(table->cells, (gint)first);
        else if (table->columns == 0) table->columns = (int)table->cells->len;
        else if (!fit_row(table, first, first_line, error)) return FALSE;
    }
    if (table->columns == 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is empty: a header row is needed", table->path);
    for (int i = 0; i < table->columns; i++) {
        const char *name = rmil_table_name(table, i);
        if (*name && rmil_table_find(table, name) != i)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: two columns are named \"%s\"", table->path, name);
    }
    return check_separator(table, error);
}

static gboolean is_text(const char *path, const char *text, gsize size, GError **error) {
    const char *bad;
    int64_t line = 1;
    if (g_str_has_prefix(text, "PK\003\004"))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is a spreadsheet workbook, not a text table: save it as \"CSV UTF-8\"", path);
    if (g_utf8_validate_len(text, size, &bad)) return TRUE;
    for (const char *at = text; at < bad; at++) line += *at == '\n' || (*at == '\r' && at[1] != '\n');
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT " is not UTF-8 text: save it as \"CSV UTF-8\"", path, line);
}

RmilTable *rmil_table_read(const char *path, GError **error) {
    gsize size;
    char *text = rmil_stream_read(path, TABLE_LIMIT, &size, error);
    if (!text) return NULL;
    g_autoptr(RmilTable) table = g_new0(RmilTable, 1);
    table->path = g_strdup(path);
    table->text = text;
    table->cells = g_ptr_array_new();
    table->lines = g_array_new(FALSE, FALSE, sizeof(int64_t));
    if (!is_text(path, text, size, error)) return NULL;
    if (!parse(table, g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text, error)) return NULL;
    return g_steal_pointer(&table);
}

int64_t rmil_table_rows(const RmilTable *table) { return table->lines->len; }

int rmil_table_columns(const RmilTable *table) { return table->columns; }

const char *rmil_table_name(const RmilTable *table, int column) { return table->cells->pdata[column]; }

int rmil_table_find(const RmilTable *table, const char *name) {
    for (int i = 0; i < table->columns; i++)
        if (strcmp(rmil_table_name(table, i), name) == 0) return i;
    return -1;
}

int64_t rmil_table_line(const RmilTable *table, int64_t row) { return g_array_index(table->lines, int64_t, row); }

const char *rmil_table_cell(const RmilTable *table, int64_t row, int column) {
    return column < 0 ? "" : table->cells->pdata[(row + 1) * table->columns + column];
}

gboolean rmil_table_number(const RmilTable *table, int64_t row, int column, double *value, GError **error) {
    const char *cell = rmil_table_cell(table, row, column);
    g_autofree char *text = g_strdup(cell);
    char *end, *comma = strchr(text, ',');
    /* where semicolons separate columns, numbers are written as 0,5 */
    if (table->separator == ';' && comma && !strchr(text, '.') && !strchr(comma + 1, ',')) *comma = '.';
    *value = g_ascii_strtod(text, &end);
    if (*text && *end == '\0' && isfinite(*value)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s \"%s\" is not a number", table->path,
                     rmil_table_line(table, row), column < 0 ? "value" : rmil_table_name(table, column), cell);
}
