/* SPDX-License-Identifier: Apache-2.0 */
/* Options by rows: a row's possible values, and its place in memory. */
#include "rankmil/base.h"

#include "base-private.h"

#include <math.h>
#include <string.h>

static char *show(double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    return g_strdup(g_ascii_formatd(text, sizeof text, "%.10g", value));
}

static char *join(const RmilOption *option, const char *last) {
    GString *out = g_string_new(NULL);
    for (int i = 0; option->words[i]; i++)
        g_string_append_printf(out, "%s%s", i == 0 ? "" : option->words[i + 1] ? ", " : last, option->words[i]);
    return g_string_free(out, FALSE);
}

char *rmil_option_bounds(const RmilOption *option) {
    if (option->type == RMIL_OPTION_WORD) return join(option, ", ");
    if (option->type == RMIL_OPTION_FILE) return g_strdup("");
    if (option->type == RMIL_OPTION_SIZE) return g_strdup("such as 4G or 512M");
    g_autofree char *low = show(option->low), *high = show(option->high);
    if (option->open) return g_strdup_printf("above %s and below %s", low, high);
    if (option->low <= -RMIL_OPTION_MOST) return g_strdup_printf("at most %s", high);
    if (option->high >= RMIL_OPTION_MOST) return g_strdup_printf("at least %s", low);
    return g_strdup_printf("%s … %s", low, high);
}

char *rmil_option_text(const RmilOption *option, double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    int word = 0;
    if (option->type == RMIL_OPTION_WORD) {
        while (word < value && option->words[word + 1]) word++; /* any gboolean that is not FALSE is TRUE */
        return g_strdup(option->words[word]);
    }
    if (option->type == RMIL_OPTION_NUMBER) return g_strdup(g_ascii_dtostr(text, sizeof text, value));
    return g_strdup_printf("%" G_GINT64_FORMAT, (int64_t)value);
}

/* "in 1 … 65536" */
static char *requirement(const RmilOption *option) {
    if (option->type == RMIL_OPTION_WORD) return join(option, " or ");
    g_autofree char *bounds = rmil_option_bounds(option);
    const gboolean between = strstr(bounds, "…") != NULL;
    return g_strconcat(between ? "in " : "", bounds, NULL);
}

static gboolean refuse(const RmilOption *option, const char *called, const char *text, const char *kind, GError **error) {
    g_autofree char *must = requirement(option);
    const char *quote = kind ? "\"" : "";
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s is %s%s%s; it must be %s%s", called, quote, text, quote, kind ? kind : "", must);
}

/* "4G", "512M", "1.5T", or bytes. */
static gboolean read_size(const char *text, double *bytes) {
    static const char units[] = "KMGT";
    char *end;
    *bytes = g_ascii_strtod(text, &end);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        *bytes *= (double)(INT64_C(1) << (10 * (unit - units + 1)));
        end++;
    }
    if (g_str_has_prefix(end, "iB")) end += 2;
    return end != text && !*end && *bytes >= 1 && *bytes <= 1e18;
}

gboolean rmil_option_parse(const RmilOption *option, const char *called, const char *text, double *value, GError **error) {
    char *end = (char *)text;
    int word = 0;
    switch (option->type) {
    case RMIL_OPTION_FILE: *value = 0; return TRUE;
    case RMIL_OPTION_SIZE: return read_size(text, value) || refuse(option, called, text, "a size ", error);
    case RMIL_OPTION_WORD:
        while (option->words[word] && strcmp(option->words[word], text) != 0) word++;
        *value = word;
        return option->words[word] || refuse(option, called, text, "", error);
    case RMIL_OPTION_WHOLE:
        *value = (double)g_ascii_strtoll(text, &end, 10);
        return (end != text && !*end) || refuse(option, called, text, "a whole number ", error);
    case RMIL_OPTION_NUMBER:
        *value = g_ascii_strtod(text, &end);
        return (end != text && !*end && isfinite(*value)) || refuse(option, called, text, "a number ", error);
    }
    return FALSE;
}

static gboolean within(const RmilOption *option, double value) {
    if (option->type != RMIL_OPTION_NUMBER && option->type != RMIL_OPTION_WHOLE) return TRUE;
    return option->open ? value > option->low && value < option->high : value >= option->low && value <= option->high;
}

gboolean rmil_option_check(const RmilOption *option, const char *called, double value, GError **error) {
    g_autofree char *text = show(value);
    return within(option, value) || refuse(option, called, text, NULL, error);
}

gboolean rmil_option_read(const RmilOption *option, const char *called, const char *text, double *value, GError **error) {
    return rmil_option_parse(option, called, text, value, error) && (within(option, *value) || refuse(option, called, text, NULL, error));
}

char *rmil_option_usual(const RmilOption *option) {
    if (option->usual || option->type >= RMIL_OPTION_SIZE) return g_strdup(option->usual);
    return option->type == RMIL_OPTION_WORD ? rmil_option_text(option, option->value) : show(option->value);
}

void rmil_options_add(GArray *table, const RmilOption *row, const char *owners) {
    g_autofree char *usual = rmil_option_usual(row), *bounds = rmil_option_bounds(row);
    RmilOption full = *row;
    full.owners = owners;
    full.summary = g_strdup_printf("%s%s%s (default: %s%s%s)", owners ? owners : "", owners ? ": " : "", row->help, usual ? usual : "none",
                                   *bounds ? "; " : "", bounds);
    g_array_append_val(table, full);
}

/* -- an owner's struct ------------------------------------------------------------------------------------------------------- */
double rmil_option_get(const RmilOption *option, gconstpointer owner) {
    gconstpointer at = (const char *)owner + option->offset;
    if (option->type == RMIL_OPTION_NUMBER) return *(const double *)at;
    return option->type == RMIL_OPTION_WORD ? *(const int *)at : (double)*(const int64_t *)at;
}

void rmil_option_put(const RmilOption *option, gpointer owner, double value) {
    gpointer at = (char *)owner + option->offset;
    if (option->type == RMIL_OPTION_NUMBER) *(double *)at = value;
    else if (option->type == RMIL_OPTION_WORD) *(int *)at = (int)value;
    else *(int64_t *)at = (int64_t)value;
}

gboolean rmil_option_said(const RmilOption *option, gconstpointer owner) {
    return !option->quiet || rmil_option_get(option, owner) != option->value;
}

void rmil_options_init(const RmilOption *rows, gpointer owner) {
    for (; rows->key; rows++) rmil_option_put(rows, owner, rows->value);
}

gboolean rmil_options_check(const RmilOption *rows, gconstpointer owner, GError **error) {
    for (; rows->key; rows++)
        if (!rmil_option_check(rows, rows->key, rmil_option_get(rows, owner), error)) return FALSE;
    return TRUE;
}
