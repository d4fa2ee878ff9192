/* SPDX-License-Identifier: Apache-2.0 */
/* The only place where text goes to the terminal. File contents and names may hold control characters, which a terminal obeys, and may have
 * any length. */
#include "cli.h"

#include <string.h>

enum { LONGEST_MESSAGE = 4000 /* bytes */ };

/* Characters that move the cursor, change the terminal, or change the direction of writing. */
static gboolean obeyed(gunichar c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* Escaped as in JSON, so that the same works for JSON text. */
static char *escaped(const char *text) {
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        const gunichar c = g_utf8_get_char(at);
        if (obeyed(c) && c != '\n') g_string_append_printf(out, "\\u%04x", c);
        else g_string_append_len(out, at, g_utf8_next_char(at) - at);
    }
    return g_string_free(out, FALSE);
}

char *cli_message(const char *text) {
    g_autofree char *line = g_strdelimit(g_strdup(text), "\n\r\t", ' ');
    if (strlen(line) <= LONGEST_MESSAGE) return g_utf8_make_valid(line, -1);
    g_autofree char *start = g_utf8_make_valid(line, LONGEST_MESSAGE);
    return g_strdup_printf("%s … (%zu bytes)", start, strlen(line));
}

void cli_print(FILE *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    cli_vprint(to, format, arguments);
    va_end(arguments);
}

void cli_vprint(FILE *to, const char *format, va_list arguments) {
    g_autofree char *text = g_strdup_vprintf(format, arguments), *plain = escaped(text);
    fputs(plain, to);
}
