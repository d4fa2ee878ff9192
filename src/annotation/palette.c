/* SPDX-License-Identifier: Apache-2.0 */
/* Label images shown with a palette: libvips returns colours, which may be the same for several labels. So before libvips sees the file,
 * the palette is replaced by one that shows every label as the gray of its number. */
#include "annotation-private.h"

#include <string.h>

typedef struct {
    uint8_t *bytes;
    gsize size;
    gboolean big, large; /* TIFF: big-endian; BigTIFF */
} File;

static gboolean holds(const File *file, uint64_t at, uint64_t size) { return at <= file->size && size <= file->size - at; }

/* An integer of 1 to 8 bytes; FALSE: the file is too short. */
static gboolean number(const File *file, uint64_t at, int size, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < size && holds(file, at, (uint64_t)size); i++)
        *value |= (uint64_t)file->bytes[at + (uint64_t)i] << 8 * (file->big ? size - 1 - i : i);
    return holds(file, at, (uint64_t)size);
}

/* CRC-32 of PNG's chunks. */
static uint32_t checksum(const uint8_t *bytes, gsize size) {
    uint32_t crc = UINT32_MAX;
    for (gsize i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* Chunks: length, name, data, checksum; the palette comes before the image data. */
static gboolean exchange_png(const File *file) {
    enum { COLOUR_TYPE = 25, BY_PALETTE = 3, MOST = 3 * 256 }; /* other types may have a suggested palette */
    uint64_t size;
    if (!holds(file, 0, COLOUR_TYPE + 1) || file->bytes[COLOUR_TYPE] != BY_PALETTE) return FALSE;
    for (uint64_t at = 8; number(file, at, 4, &size) && holds(file, at, size + 12); at += size + 12) {
        uint8_t *name = file->bytes + at + 4;
        if (memcmp(name, "PLTE", 4) != 0 || size > MOST) continue;
        for (uint64_t i = 0; i < size; i++) name[4 + i] = (uint8_t)(i / 3);
        const uint32_t crc = GUINT32_TO_BE(checksum(name, (gsize)size + 4));
        memcpy(name + 4 + size, &crc, 4);
        return TRUE;
    }
    return FALSE;
}

/* The first directory: entries of tag, type, count, value or offset. The colour map is all reds, all greens, all blues. */
static gboolean exchange_tiff(File *file) {
    enum { PHOTOMETRIC = 262, COLOUR_MAP = 320, BY_PALETTE = 3, MOST_ENTRIES = 4096, MOST_COLOURS = 256 };
    uint64_t version, directory, entries, tag, photometric = 0, map = 0, count = 0;
    if (!number(file, 2, 2, &version)) return FALSE;
    file->large = version == 43;
    const int wide = file->large ? 8 : 4;
    if (!number(file, file->large ? 8 : 4, wide, &directory) || !number(file, directory, file->large ? 8 : 2, &entries)) return FALSE;
    for (uint64_t i = 0, at = directory + (file->large ? 8 : 2); i < MIN(entries, MOST_ENTRIES); i++, at += file->large ? 20 : 12) {
        const uint64_t value = at + 4 + (uint64_t)wide;
        if (!number(file, at, 2, &tag)) return FALSE;
        if (tag == PHOTOMETRIC && !number(file, value, 2, &photometric)) return FALSE;
        if (tag == COLOUR_MAP && (!number(file, at + 4, wide, &count) || !number(file, value, wide, &map))) return FALSE;
    }
    const uint64_t colours = count / 3;
    if (photometric != BY_PALETTE || colours == 0 || colours > MOST_COLOURS || !holds(file, map, 6 * colours)) return FALSE;
    for (uint64_t i = 0; i < 6 * colours; i++) file->bytes[map + i] = (uint8_t)(i / 2 % colours);
    return TRUE;
}

GMappedFile *rmil_palette_exchange(const char *path) {
    GMappedFile *mapped = g_mapped_file_new(path, TRUE, NULL); /* private: the file itself is not changed */
    File file = {mapped ? (uint8_t *)g_mapped_file_get_contents(mapped) : NULL, mapped ? g_mapped_file_get_length(mapped) : 0, TRUE, FALSE};
    gboolean exchanged = FALSE;
    if (file.size > 8 && file.bytes[0] == 0x89) exchanged = exchange_png(&file);
    if (file.size > 8 && (file.bytes[0] == 'I' || file.bytes[0] == 'M') && file.bytes[1] == file.bytes[0]) {
        file.big = file.bytes[0] == 'M';
        exchanged = exchange_tiff(&file);
    }
    if (!exchanged && mapped) g_clear_pointer(&mapped, g_mapped_file_unref);
    return mapped;
}
