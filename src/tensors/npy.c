/* SPDX-License-Identifier: Apache-2.0 */
/* Patch labels as NumPy arrays. */
#include "tensors-private.h"

#include <string.h>

/* NumPy's .npy, versions 1 to 3: the magic, a version, the length of a Python dictionary, the dictionary
 * {'descr': '<f4', 'fortran_order': False, 'shape': (N,), }, the values. Only one axis of plain numbers is read. */
#define MAGIC "\x93NUMPY"
#define COUNT_LIMIT INT64_C(10000000)
#define FILE_LIMIT ((gsize)COUNT_LIMIT * 8 + 65536)

gboolean rmil_npy_match(const char *path) { return g_str_has_suffix(path, ".npy"); }

/* The text of a member: what follows 'name': */
static const char *member(const char *header, const char *name) {
    g_autofree char *quoted = g_strdup_printf("'%s':", name);
    const char *found = strstr(header, quoted);
    if (!found) return NULL;
    for (found += strlen(quoted); *found == ' ';) found++;
    return found;
}

/* Product of the axes; at most one may be longer than 1, else −1. */
static int64_t read_shape(const char *text) {
    if (!text || *text++ != '(') return -1;
    int64_t product = 1;
    int long_axes = 0;
    while (*text && *text != ')') {
        char *end;
        guint64 axis = g_ascii_strtoull(text, &end, 10);
        if (end == text || axis > COUNT_LIMIT) return -1;
        if (axis != 1 && ++long_axes > 1) return -1;
        product *= (int64_t)axis;
        for (text = end; *text == ',' || *text == ' ';) text++;
    }
    return *text == ')' ? product : -1;
}

static double value_at(const char *data, char kind, size_t size, int64_t i) {
    union {
        int8_t i1;
        uint8_t u1;
        int16_t i2;
        int32_t i4;
        int64_t i8;
        float f4;
        double f8;
    } value = {0};
    memcpy(&value, data + (size_t)i * size, size);
    if (kind == 'f') return size == 4 ? (double)value.f4 : value.f8;
    if (kind == 'b' || (kind == 'u' && size == 1)) return value.u1;
    return size == 1 ? value.i1 : size == 2 ? value.i2 : size == 4 ? value.i4 : (double)value.i8;
}

static gboolean known_type(char order, char kind, size_t size) {
    gboolean right_order = order == '|' || (order == '<' && G_BYTE_ORDER == G_LITTLE_ENDIAN) || order == '=';
    gboolean right_size = kind == 'f' ? size == 4 || size == 8 : kind == 'b' ? size == 1 : size == 1 || size == 2 || size == 4 || size == 8;
    return right_order && right_size && memchr("biuf", kind, 4);
}

gboolean rmil_npy_labels(const char *path, int64_t count, uint8_t *labels, GError **error) {
    gsize size;
    g_autofree char *data = rmil_file_read(path, FILE_LIMIT, &size, error);
    if (!data) return FALSE;
    if (size < 12 || memcmp(data, MAGIC, 6) != 0 || data[6] < 1 || data[6] > 3)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a NumPy array file", path);
    const uint8_t *bytes = (const uint8_t *)data;
    gsize start = data[6] == 1 ? 10 : 12, length = bytes[8] | (gsize)bytes[9] << 8;
    if (start == 12) length |= (gsize)bytes[10] << 16 | (gsize)bytes[11] << 24;
    if (length > 65536 || size - start < length)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the header is cut short: make the file again", path);
    g_autofree char *header = g_strndup(data + start, length);
    const char *type = member(header, "descr");
    if (!type || strlen(type) < 5 || type[0] != '\'' || type[4] != '\'' || !g_ascii_isdigit(type[3]) ||
        !known_type(type[1], type[2], (size_t)(type[3] - '0')))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: labels must be little-endian integers, float32 or float64, or booleans", path);
    size_t item = (size_t)(type[3] - '0');
    int64_t held = read_shape(member(header, "shape"));
    if (held != count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a vector of %" G_GINT64_FORMAT " labels, one for each patch", path, count);
    if ((size - start - length) / item < (gsize)count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is cut short: make the file again", path);
    for (int64_t i = 0; i < count; i++) {
        double value = value_at(data + start + length, type[2], item, i);
        if (value != 0 && value != 1)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the label of patch %" G_GINT64_FORMAT " is %g, not 0 or 1", path, i, value);
        labels[i] = value == 1;
    }
    return TRUE;
}

/* Version 1, one axis of uint8; the header ends in a line break and is padded so that the values start at a multiple of 64. */
gboolean rmil_npy_write(const char *path, const uint8_t *labels, int64_t count, GError **error) {
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree char *text = g_strdup_printf("{'descr': '|u1', 'fortran_order': False, 'shape': (%" G_GINT64_FORMAT ",), }", count);
    const gsize whole = (10 + strlen(text) + 1 + 63) / 64 * 64;
    g_autofree char *header = g_strdup_printf("%-*s\n", (int)(whole - 10 - 1), text);
    const guint8 start[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (guint8)(whole - 10), (guint8)((whole - 10) >> 8)};
    g_byte_array_append(out, start, sizeof start);
    g_byte_array_append(out, (const guint8 *)header, (guint)strlen(header));
    g_byte_array_append(out, labels, (guint)count);
    return rmil_file_write(path, out->data, out->len, error);
}
