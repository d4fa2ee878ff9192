#include "base-private.h"

#include <math.h>
#include <string.h>

/* RFC 4180. All cells are kept as NUL-terminated strings inside one block of text. */
struct _RmilTable {
    char *path, *text;
    GPtrArray *cells; /* row-major, header first */
    GArray *lines;    /* int64_t: line of each data row */
    int columns;
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

/* Reads one field starting at *cursor, unquoting in place; returns it and sets *end to what stopped it: ',', '\n' or 0. */
static char *read_field(char **cursor, char *end, int64_t *line) {
    char *in = *cursor, *out = in, *start = in;
    if (*in == '"') {
        for (in++;; in++) {
            if (*in == '\0') return NULL;
            if (*in == '"') {
                if (in[1] != '"') break;
                in++;
            }
            if (*in == '\n') (*line)++;
            *out++ = *in;
        }
        in++;
        if (*in == '\r' && in[1] == '\n') in++;
        if (*in != ',' && *in != '\n' && *in != '\0') return NULL;
    } else {
        while (*in != ',' && *in != '\n' && *in != '\0') {
            if (*in == '"') return NULL;
            in++;
        }
        out = in;
        if (out > start && *in == '\n' && out[-1] == '\r') out--;
    }
    *end = *in;
    *cursor = *in ? in + 1 : in;
    *out = '\0';
    return start;
}

static gboolean parse(RmilTable *table, char *text, GError **error) {
    int64_t line = 1;
    for (char *cursor = text; *cursor;) {
        if (*cursor == '\n' || (*cursor == '\r' && cursor[1] == '\n')) { /* blank line */
            cursor += *cursor == '\r' ? 2 : 1;
            line++;
            continue;
        }
        int64_t first_line = line;
        int fields = 0;
        char end = ',';
        while (end == ',') {
            char *field = read_field(&cursor, &end, &line);
            if (!field)
                return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": a quote is not closed or stands inside a field",
                                 table->path, first_line);
            g_ptr_array_add(table->cells, g_strstrip(field));
            fields++;
        }
        line++;
        if (table->columns == 0) {
            table->columns = fields;
            continue;
        }
        if (fields != table->columns)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT " has %d fields, the header has %d",
                             table->path, first_line, fields, table->columns);
        g_array_append_val(table->lines, first_line);
    }
    if (table->columns == 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is empty: a header row is needed", table->path);
    for (int i = 0; i < table->columns; i++) {
        const char *name = rmil_table_name(table, i);
        if (*name && rmil_table_find(table, name) != i)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: two columns are named \"%s\"", table->path, name);
    }
    return TRUE;
}

RmilTable *rmil_table_read(const char *path, GError **error) {
    gsize size;
    char *text = rmil_file_read(path, TABLE_LIMIT, &size, error);
    if (!text) return NULL;
    g_autoptr(RmilTable) table = g_new0(RmilTable, 1);
    table->path = g_strdup(path);
    table->text = text;
    table->cells = g_ptr_array_new();
    table->lines = g_array_new(FALSE, FALSE, sizeof(int64_t));
    const char *bad;
    if (!g_utf8_validate_len(text, size, &bad)) {
        int64_t line = 1;
        for (const char *at = text; at < bad; at++) line += *at == '\n';
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT " is not UTF-8 text", path, line);
        return NULL;
    }
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
    char *end;
    *value = g_ascii_strtod(cell, &end);
    if (*cell && *end == '\0' && isfinite(*value)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %" G_GINT64_FORMAT ": %s \"%s\" is not a number", table->path,
                     rmil_table_line(table, row), column < 0 ? "value" : rmil_table_name(table, column), cell);
}

void rmil_csv_append(GString *out, const char *field, char after) {
    gboolean quote = strpbrk(field, ",\"\r\n") != NULL || g_ascii_isspace(*field) ||
                     (*field && g_ascii_isspace(field[strlen(field) - 1]));
    if (quote) g_string_append_c(out, '"');
    for (; *field; field++) {
        if (*field == '"') g_string_append_c(out, '"');
        g_string_append_c(out, *field);
    }
    if (quote) g_string_append_c(out, '"');
    g_string_append_c(out, after);
}
