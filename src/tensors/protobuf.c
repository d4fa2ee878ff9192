/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers: a few lines instead of a library and a generated parser. */
#include "protobuf.h"

#include <string.h>

enum { NUMBER = 0, EIGHT = 1, BYTES = 2, FOUR = 5 }; /* wire types */

/* -- writing ------------------------------------------------------------------------------------------------------------------- */

static void put_varint(GByteArray *out, uint64_t value) {
    guint8 bytes[10];
    guint n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (guint8)(value | 0x80);
    bytes[n++] = (guint8)value;
    g_byte_array_append(out, bytes, n);
}

void rmil_proto_int(GByteArray *message, int field, int64_t value) {
    put_varint(message, (uint64_t)field << 3 | NUMBER);
    put_varint(message, (uint64_t)value);
}

void rmil_proto_float(GByteArray *message, int field, float value) {
    put_varint(message, (uint64_t)field << 3 | FOUR);
    g_byte_array_append(message, (const guint8 *)&value, sizeof value);
}

void rmil_proto_tag(GByteArray *message, int field, uint64_t size) {
    put_varint(message, (uint64_t)field << 3 | BYTES);
    put_varint(message, size);
}

void rmil_proto_bytes(GByteArray *message, int field, const void *data, gsize size) {
    rmil_proto_tag(message, field, size);
    g_byte_array_append(message, data, (guint)size);
}

void rmil_proto_text(GByteArray *message, int field, const char *text) { rmil_proto_bytes(message, field, text, strlen(text)); }

void rmil_proto_message(GByteArray *message, int field, GByteArray *inner) {
    rmil_proto_bytes(message, field, inner->data, inner->len);
    g_byte_array_unref(inner);
}

/* -- reading ------------------------------------------------------------------------------------------------------------------- */

static gboolean read_varint(RmilProto *p, uint64_t *value) {
    *value = 0;
    for (int shift = 0; p->at < p->end && shift < 64; shift += 7) {
        const guint8 byte = *p->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return TRUE;
    }
    return FALSE;
}

gboolean rmil_proto_next(RmilProto *p, RmilProtoField *field) {
    uint64_t tag, size = 0;
    if (!read_varint(p, &tag) || tag >> 3 == 0 || tag >> 3 > G_MAXINT) return FALSE;
    *field = (RmilProtoField){.field = (int)(tag >> 3), .bytes = (tag & 7) != NUMBER};
    switch (tag & 7) {
    case NUMBER: return read_varint(p, &field->number);
    case EIGHT: size = 8; break;
    case FOUR: size = 4; break;
    case BYTES:
        if (!read_varint(p, &size)) return FALSE;
        break;
    default: return FALSE;
    }
    if (size > (uint64_t)(p->end - p->at)) return FALSE;
    field->inner = (RmilProto){p->at, p->at + size};
    p->at += size;
    return TRUE;
}

char *rmil_proto_string(const RmilProtoField *field) {
    if (!field->bytes || field->inner.at == field->inner.end) return g_strdup("");
    return g_utf8_make_valid((const char *)field->inner.at, field->inner.end - field->inner.at);
}
