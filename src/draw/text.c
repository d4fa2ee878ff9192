/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and numbers for readers. */
#include "draw-private.h"

#include <math.h>
#include <string.h>

char *rmil_markup(const char *text) {
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *out = g_string_new(NULL);
    for (const char *p = valid; *p; p++) switch (*p) {
        case '&': g_string_append(out, "&amp;"); break;
        case '<': g_string_append(out, "&lt;"); break;
        case '>': g_string_append(out, "&gt;"); break;
        case '"': g_string_append(out, "&quot;"); break;
        case '\'': g_string_append(out, "&#39;"); break;
        default: g_string_append_c(out, (guchar)*p < 32 || *p == 127 ? ' ' : *p); /* XML does not allow control characters */
        }
    return g_string_free(out, FALSE);
}

char *rmil_thousands(double value) {
    char digits[64];
    g_snprintf(digits, sizeof digits, "%.0f", isfinite(value) ? fabs(value) : 0);
    GString *out = g_string_new(value <= -0.5 ? "−" : NULL);
    size_t n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) g_string_append_c(out, ',');
        g_string_append_c(out, digits[i]);
    }
    return g_string_free(out, FALSE);
}
