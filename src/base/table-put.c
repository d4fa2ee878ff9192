/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces one cell of a table in a file, without changing any other byte. */
#include "base-private.h"

#include <string.h>

typedef struct {
    gsize begin, end; /* of the field in the text, including quotes */
} Span;

/* The fields of the record at `at`; returns where the next one begins. The table has been read before, so its quotes are correct. */
static gsize scan_record(const char *text, gsize size, gsize at, char separator, GArray *fields) {
    g_array_set_size(fields, 0);
    for (gsize begin = at;; begin = at + 1) {
        gboolean quoted = FALSE;
        for (at = begin; at < size && (quoted || (text[at] != separator && text[at] != '\n' && text[at] != '\r')); at++)
            quoted ^= text[at] == '"';
        const Span span = {begin, at};
        g_array_append_val(fields, span);
        if (at >= size) return size;
        if (text[at] != separator) return at + (text[at] == '\r' && at + 1 < size && text[at + 1] == '\n' ? 2 : 1);
    }
}

static gboolean is_blank(const char *text, const GArray *fields) {
    for (guint i = 0; i < fields->len; i++) {
        const Span *span = &g_array_index(fields, Span, i);
        for (gsize at = span->begin; at < span->end; at++)
            if (!g_ascii_isspace(text[at]) && text[at] != '"') return FALSE;
    }
    return TRUE;
}

static void append_cell(GString *out, const char *cell, char separator) {
    const gboolean quote = strchr(cell, separator) || strpbrk(cell, "\"\r\n") || g_ascii_isspace(*cell) ||
                           (*cell && g_ascii_isspace(cell[strlen(cell) - 1]));
    if (quote) g_string_append_c(out, '"');
    if (rmil_csv_formula(cell)) g_string_append_c(out, '\'');
    for (; *cell; cell++) {
        if (*cell == '"') g_string_append_c(out, '"');
        g_string_append_c(out, *cell);
    }
    if (quote) g_string_append_c(out, '"');
}

/* The record with `cell` as its field number `column`; a shorter record is padded with empty fields. */
static void append_record(GString *out, const char *text, const GArray *fields, gsize next, guint column, const char *cell,
                          char separator) {
    const gsize end = g_array_index(fields, Span, fields->len - 1).end, begin = g_array_index(fields, Span, 0).begin;
    if (column < fields->len) {
        const Span *span = &g_array_index(fields, Span, column);
        g_string_append_len(out, text + begin, (gssize)(span->begin - begin));
        append_cell(out, cell, separator);
        g_string_append_len(out, text + span->end, (gssize)(next - span->end));
        return;
    }
    g_string_append_len(out, text + begin, (gssize)(end - begin));
    for (guint i = fields->len; i <= column; i++) g_string_append_c(out, separator);
    append_cell(out, cell, separator);
    g_string_append_len(out, text + end, (gssize)(next - end));
}

gboolean rmil_table_put(const char *path, int64_t row, const char *column, const char *cell, GError **error) {
    g_autoptr(RmilTable) table = rmil_table_read(path, error);
    gsize size;
    g_autofree char *text = table ? rmil_file_read(path, (gsize)1 << 30, &size, error) : NULL;
    if (!text) return FALSE;
    if (row < 0 || row >= rmil_table_rows(table))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: has no row %" G_GINT64_FORMAT, path, row + 1);
    const int known = rmil_table_find(table, column);
    const guint place = (guint)(known >= 0 ? known : rmil_table_columns(table));
    char *first = g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text;
    int64_t line = 1, record = -1; /* −1: the header */
    const char separator = rmil_csv_separator(&first, &line);
    g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(Span));
    g_autoptr(GString) out = g_string_new_len(text, first - text);
    for (gsize at = (gsize)(first - text); at < size;) {
        const gsize next = scan_record(text, size, at, separator, fields);
        const gboolean blank = is_blank(text, fields);
        const char *put = blank ? NULL : record == row ? cell : known >= 0 ? NULL : record < 0 ? column : "";
        if (put) append_record(out, text, fields, next, place, put, separator);
        else g_string_append_len(out, text + at, (gssize)(next - at));
        record += !blank;
        at = next;
    }
    return rmil_file_write(path, out->str, out->len, error);
}
