/* SPDX-License-Identifier: Apache-2.0 */
/* Opens weight files of every format. */
#include "tensors-private.h"

#include <stdio.h>
#include <string.h>

#define FILE_LIMIT ((gsize)8 << 30)

static const guint8 legacy_start[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

static void digest(const void *data, gsize size, char sha256[65]) {
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize at = 0; at < size; at += G_MAXSSIZE) g_checksum_update(checksum, (const guchar *)data + at, (gssize)(size - at));
    g_strlcpy(sha256, g_checksum_get_string(checksum), 65);
}

/* torchvision names its files NAME-XXXXXXXX.pth after the first digits of their SHA-256. */
static gboolean check_name(const char *path, const char *sha256, GError **error) {
    g_autofree char *stem = rmil_path_stem(path);
    const char *dash = strrchr(stem, '-');
    if (!g_str_has_suffix(path, ".pth") || !dash || strlen(dash + 1) != 8) return TRUE;
    for (const char *digit = dash + 1; *digit; digit++)
        if (!g_ascii_isxdigit(*digit)) return TRUE;
    return g_ascii_strncasecmp(dash + 1, sha256, 8) == 0 ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is damaged or is another file: its SHA-256 begins with %.8s, but its name says %s: download it again", path,
                     sha256, dash + 1);
}

static gboolean is_zip(const void *data, gsize size) { return size >= 4 && memcmp(data, "PK\3\4", 4) == 0; }

static gboolean is_legacy(const void *data, gsize size) {
    return size >= sizeof legacy_start && memcmp(data, legacy_start, sizeof legacy_start) == 0;
}

gboolean rmil_torch_match(const char *path) {
    char start[sizeof legacy_start];
    FILE *file = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? fopen(path, "rbe") : NULL; /* a FIFO would block us */
    gsize got = file ? fread(start, 1, sizeof start, file) : 0;
    if (file) fclose(file);
    return is_zip(start, got) || is_legacy(start, got);
}

/* An empty set that keeps the whole file. */
static RmilTensors *read_whole(const char *path, char **file, gsize *size, GError **error) {
    *file = rmil_file_read(path, FILE_LIMIT, size, error);
    if (!*file) return NULL;
    RmilTensors *tensors = rmil_tensors_new(path);
    rmil_tensors_keep(tensors, *file, g_free);
    return tensors;
}

RmilTensors *rmil_torch_read(const char *path, GError **error) {
    gsize size;
    char *file;
    g_autoptr(RmilTensors) tensors = read_whole(path, &file, &size, error);
    if (!tensors) return NULL;
    const guint8 *data = (const guint8 *)file;
    gboolean good = is_zip(data, size)      ? rmil_torch_zip_read(tensors, data, size, error)
                    : is_legacy(data, size) ? rmil_torch_legacy_read(tensors, data, size, error)
                                            : rmil_fail(error, RMIL_ERROR_FORMAT, "%s: was not written by torch.save", path);
    return good ? g_steal_pointer(&tensors) : NULL;
}

RmilTensors *rmil_weights_read(const char *path, char sha256[65], GError **error) {
    gsize size;
    char *file;
    g_autoptr(RmilTensors) tensors = read_whole(path, &file, &size, error);
    if (!tensors) return NULL;
    const guint8 *data = (const guint8 *)file;
    char hexadecimal[65];
    digest(file, size, hexadecimal);
    if (sha256) memcpy(sha256, hexadecimal, 65);
    if (!check_name(path, hexadecimal, error)) return NULL;
    gboolean good;
    guint64 header = 0;
    if (size >= 9) memcpy(&header, data, 8);
    if (is_zip(data, size)) good = rmil_torch_zip_read(tensors, data, size, error);
    else if (is_legacy(data, size)) good = rmil_torch_legacy_read(tensors, data, size, error);
    else if (size >= 9 && header <= size - 8 && data[8] == '{') good = rmil_safetensors_parse(tensors, file, size, error);
    else good = rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a weight file: it is neither safetensors nor written by torch.save", path);
    if (good && rmil_tensors_count(tensors) == 0 && rmil_tensors_noted(tensors, ""))
        good = rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: contains %s and no tensors, and rankmil never runs anything in a file: save the model's state_dict()", path,
                         rmil_tensors_noted(tensors, ""));
    if (good && rmil_tensors_find(tensors, ""))
        good = rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: contains one tensor instead of a dictionary of tensors: save the model's "
                         "state_dict()",
                         path);
    return good ? g_steal_pointer(&tensors) : NULL;
}
