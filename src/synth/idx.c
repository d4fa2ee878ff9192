/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST's files, plain or compressed with gzip. */
#include "idx-private.h"

#include <gio/gio.h>
#include <string.h>

#define IMAGES "t10k-images-idx3-ubyte"
#define LABELS "t10k-labels-idx1-ubyte"
#define MOST ((gsize)256 << 20) /* bytes; MNIST's test files have 8 million, its training files 47 */

/* The contents of a gzip file; NULL: failed. */
static GByteArray *unzip(const char *path, const char *data, gsize size, GError **error) {
    g_autoptr(GZlibDecompressor) gzip = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP);
    g_autoptr(GInputStream) packed = g_memory_input_stream_new_from_data(data, (gssize)size, NULL);
    g_autoptr(GInputStream) plain = g_converter_input_stream_new(packed, G_CONVERTER(gzip));
    g_autoptr(GByteArray) all = g_byte_array_new();
    g_autofree guint8 *some = g_malloc(1 << 16);
    GError *reason = NULL;
    gssize got;
    while ((got = g_input_stream_read(plain, some, 1 << 16, NULL, &reason)) > 0 && all->len <= MOST)
        g_byte_array_append(all, some, (guint)got);
    if (got < 0)
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: byte %u of its contents: cannot be decompressed (%s): the file is damaged, "
                  "download it again",
                  path, all->len, reason->message);
    else if (got > 0) rmil_fail(error, RMIL_ERROR_FORMAT, "%s: contains more than the %zu bytes that are accepted", path, MOST);
    g_clear_error(&reason);
    return got == 0 ? g_steal_pointer(&all) : NULL;
}

/* *path: the file that exists, of the two. */
static GByteArray *read_bytes(const char *folder, const char *name, char **path, GError **error) {
    g_autofree char *gz = g_strconcat(name, ".gz", NULL), *plain = g_build_filename(folder, name, NULL);
    g_autofree char *packed = g_build_filename(folder, gz, NULL);
    gboolean there[2];
    if (!rmil_file_exists(plain, &there[0], error) || !rmil_file_exists(packed, &there[1], error)) return NULL;
    if (!there[0] && !there[1]) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: has neither %s nor %s: name the folder with MNIST's test files", folder, name, gz);
        return NULL;
    }
    *path = g_strdup(there[0] ? plain : packed);
    gsize size;
    g_autofree char *data = rmil_file_read(*path, MOST, &size, error);
    if (!data) return NULL;
    if (!there[0]) return unzip(*path, data, size, error);
    return g_byte_array_new_take((guint8 *)g_steal_pointer(&data), size);
}

static uint32_t whole(const GByteArray *bytes, guint at) {
    const guint8 *b = bytes->data + at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Header with `sizes` numbers: the first is the number of items, the others are 28; then `each` bytes per item. */
static gboolean check(const GByteArray *bytes, const char *path, guint sizes, int64_t each, int64_t *count, GError **error) {
    const guint head = 4 + 4 * sizes;
    const uint32_t magic = 0x800 + sizes;
    if (bytes->len < head)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: byte %u: ends within its header of %u bytes: the file is cut off, download "
                         "it again",
                         path, bytes->len, head);
    if (whole(bytes, 0) != magic)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: byte 0: begins with 0x%08x, not 0x%08x: this is not MNIST's file of %s", path,
                         whole(bytes, 0), magic, sizes == 3 ? "images" : "labels");
    for (guint i = 1; i < sizes; i++)
        if (whole(bytes, 4 + 4 * i) != RMIL_DIGIT_SIDE)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: byte %u: the images are %u pixels a side, not %d: these are not MNIST's", path,
                             4 + 4 * i, whole(bytes, 4 + 4 * i), RMIL_DIGIT_SIDE);
    *count = whole(bytes, 4);
    if (*count < 1) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: byte 4: states that it is empty: download the file again", path);
    if ((int64_t)bytes->len - head != *count * each)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: byte %u: says that it holds %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " bytes, but %u are there: the "
                         "file is cut off or damaged, download it again",
                         path, head, *count, each, bytes->len - head);
    return TRUE;
}

gboolean rmil_digits_read(RmilDigits *digits, const char *folder, GError **error) {
    *digits = (RmilDigits){.count = 0};
    g_autofree char *image_path = NULL, *label_path = NULL;
    const int64_t area = RMIL_DIGIT_SIDE * RMIL_DIGIT_SIDE;
    int64_t labels = 0;
    g_autoptr(GByteArray) image = read_bytes(folder, IMAGES, &image_path, error);
    if (!image || !check(image, image_path, 3, area, &digits->count, error)) return FALSE;
    g_autoptr(GByteArray) label = read_bytes(folder, LABELS, &label_path, error);
    if (!label || !check(label, label_path, 1, 1, &labels, error)) return FALSE;
    if (labels != digits->count)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: byte 4: has %" G_GINT64_FORMAT " labels, but %s has %" G_GINT64_FORMAT " images: download both files "
                         "from the same place",
                         label_path, labels, image_path, digits->count);
    for (int64_t i = 0; i < labels; i++)
        if (label->data[8 + i] > 9)
            return rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: byte %" G_GINT64_FORMAT ": %u is not a digit: the file is damaged, download it again", label_path, 8 + i,
                             label->data[8 + i]);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, image->data, image->len);
    g_checksum_update(sum, label->data, label->len);
    digits->sha256 = g_strdup(g_checksum_get_string(sum));
    digits->pixels = g_memdup2(image->data + 16, (gsize)(labels * area));
    digits->labels = g_memdup2(label->data + 8, (gsize)labels);
    return TRUE;
}

void rmil_digits_clear(RmilDigits *digits) {
    g_free(digits->pixels);
    g_free(digits->labels);
    g_free(digits->sha256);
}
