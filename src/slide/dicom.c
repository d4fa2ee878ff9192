/* SPDX-License-Identifier: Apache-2.0 */
#include "slide/dicom.h"

#include <stdio.h>
#include <string.h>

enum { HEAD = 65536, MAGIC_AT = 128, UID_MOST = 64 };

/* Group 0020, element 000E, explicit VR, little endian, as in slides: "UI", two bytes of length, the text. */
static const char tag[] = {0x20, 0x00, 0x0e, 0x00, 'U', 'I'};

char *rmil_dicom_series(const char *path) {
    g_autofree char *head = g_malloc(HEAD);
    FILE *file = fopen(path, "rb");
    const gsize size = file ? fread(head, 1, HEAD, file) : 0;
    if (file) fclose(file);
    if (size < MAGIC_AT + 4 || memcmp(head + MAGIC_AT, "DICM", 4) != 0) return NULL;
    const char *at = memmem(head, size, tag, sizeof tag), *text = at ? at + sizeof tag + 2 : NULL;
    if (!at || text > head + size) return NULL;
    const gsize length = (guint8)at[sizeof tag] | (gsize)(guint8)at[sizeof tag + 1] << 8;
    if (length == 0 || length > UID_MOST || text + length > head + size) return NULL;
    return g_strstrip(g_strndup(text, length));
}
