/* SPDX-License-Identifier: Apache-2.0 */
/* Writing CSV tables. */
#include "base-private.h"

#include <math.h>
#include <string.h>

struct _RmilCsv {
    GString *text;
    gsize row; /* start of the current row */
    int64_t rows;
};

RmilCsv *rmil_csv_new(const char *header) {
    RmilCsv *csv = g_new0(RmilCsv, 1);
    csv->text = g_string_new(header);
    if (header) g_string_append_c(csv->text, '\n');
    csv->row = csv->text->len;
    return csv;
}

void rmil_csv_free(RmilCsv *csv) {
    if (!csv) return;
    g_string_free(csv->text, TRUE);
    g_free(csv);
}

char *rmil_csv_take(RmilCsv *csv) {
    char *text = g_string_free(csv->text, FALSE);
    g_free(csv);
    return text;
}

int64_t rmil_csv_rows(const RmilCsv *csv) { return csv->rows; }

/* Spreadsheets show text after an apostrophe as it is; rmil_table_read removes the apostrophe. */
void rmil_csv_text(RmilCsv *csv, const char *text) {
    GString *out = csv->text;
    const char *field = text ? text : "";
    const gboolean quote = strpbrk(field, ",\"\r\n") != NULL || g_ascii_isspace(*field) ||
                           (*field && g_ascii_isspace(field[strlen(field) - 1]));
    if (quote) g_string_append_c(out, '"');
    if (rmil_csv_formula(field)) g_string_append_c(out, '\'');
    for (; *field; field++) {
        if (*field == '"') g_string_append_c(out, '"');
        g_string_append_c(out, *field);
    }
    g_string_append(out, quote ? "\"," : ",");
}

void rmil_csv_whole(RmilCsv *csv, int64_t value) { g_string_append_printf(csv->text, "%" G_GINT64_FORMAT ",", value); }

void rmil_csv_number(RmilCsv *csv, const char *format, double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE + 32] = "", shortest[8];
    if (format && isfinite(value)) g_ascii_formatd(text, sizeof text, format, value);
    for (int digits = 6; !format && isfinite(value) && digits <= 17; digits++) {
        g_snprintf(shortest, sizeof shortest, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, shortest, value);
        if (g_ascii_strtod(text, NULL) == value) break;
    }
    g_string_append(csv->text, text);
    g_string_append_c(csv->text, ',');
}

void rmil_csv_numbers(RmilCsv *csv, const char *format, const double *values, int n) {
    for (int i = 0; i < n; i++) rmil_csv_number(csv, format, values[i]);
}

void rmil_csv_end(RmilCsv *csv) {
    if (csv->text->len > csv->row) csv->text->str[csv->text->len - 1] = '\n';
    else g_string_append_c(csv->text, '\n');
    csv->row = csv->text->len;
    csv->rows++;
}

gboolean rmil_csv_write(const RmilCsv *csv, const char *path, GError **error) {
    return rmil_file_write(path, csv->text->str, csv->text->len, error);
}
