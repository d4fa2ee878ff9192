/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ONNX. */
#include "onnx-file.h"

#include <string.h>

void assert_same(const void *a, gsize size, const void *b, gsize more) {
    g_assert_cmpuint(size, ==, more);
    g_assert_true(memcmp(a, b, size) == 0);
}

static uint64_t read_varint(Reader *reader) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        g_assert_true(reader->at < reader->end && shift < 64);
        value |= (uint64_t)(*reader->at & 0x7f) << shift;
        if (!(*reader->at++ & 0x80)) return value;
    }
}

gboolean read_field(Reader *reader, Field *field) {
    if (reader->at == reader->end) return FALSE;
    uint64_t tag = read_varint(reader);
    *field = (Field){.field = (int)(tag >> 3)};
    if ((tag & 7) == 0) {
        field->number = read_varint(reader);
        return TRUE;
    }
    g_assert_true((tag & 7) == 2 || (tag & 7) == 5);
    uint64_t size = (tag & 7) == 2 ? read_varint(reader) : 4;
    g_assert_cmpuint(size, <=, (uint64_t)(reader->end - reader->at));
    field->bytes = (Reader){reader->at, reader->at + size};
    reader->at += size;
    return TRUE;
}

char *text_of(const Field *field) { return g_strndup((const char *)field->bytes.at, (gsize)(field->bytes.end - field->bytes.at)); }

Field find_field(Reader reader, int number) {
    Field field;
    while (read_field(&reader, &field))
        if (field.field == number) return field;
    g_error("field %d is not there", number);
}

char *name_of(const Field *message, int field) {
    Field name = find_field(message->bytes, field);
    return text_of(&name);
}

void check_initializer(const RmilModel *model, const Field *tensor, const char *name) {
    for (guint i = 0; i < model->layout.tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)i);
        if (strcmp(parameter->name, name) != 0) continue;
        Field raw = find_field(tensor->bytes, 9), field;
        int axis = 0;
        for (Reader reader = tensor->bytes; read_field(&reader, &field);)
            if (field.field == 1) g_assert_cmpint((int64_t)field.number, ==, parameter->shape[axis++]);
        g_assert_cmpint(axis, ==, parameter->rank);
        assert_same(raw.bytes.at, (gsize)(raw.bytes.end - raw.bytes.at), model->parameters + parameter->offset,
                    (gsize)parameter->count * sizeof(float));
    }
}

void check_node(GHashTable *known, const Field *node, GHashTable *used) {
    Field field;
    for (Reader reader = node->bytes; read_field(&reader, &field);) {
        if (field.field != 1 && field.field != 2) continue;
        char *name = text_of(&field);
        if (field.field == 1) {
            if (!g_hash_table_contains(known, name)) g_error("\"%s\" is used before it is made", name);
            g_hash_table_add(used, name);
        } else {
            g_assert_true(g_hash_table_add(known, name));
        }
    }
}
