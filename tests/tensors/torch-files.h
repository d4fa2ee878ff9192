/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch files made by hand, so that tests need no PyTorch: the bytes that torch.save writes, with gaps for bad
 * content. */
#ifndef RMIL_TEST_TORCH_FILES_H
#define RMIL_TEST_TORCH_FILES_H

#include <glib.h>
#include <string.h>
#include <zip.h>

static inline void add(GByteArray *out, const char *text) { g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text)); }

static inline void add_byte(GByteArray *out, guint8 byte) { g_byte_array_append(out, &byte, 1); }

static inline void add_number(GByteArray *out, int64_t number) { /* LONG1 */
    add_byte(out, 0x8a);
    add_byte(out, 8);
    g_byte_array_append(out, (const guint8 *)&number, 8);
}

static inline void add_text(GByteArray *out, const char *text) { /* BINUNICODE */
    guint32 length = (guint32)strlen(text);
    add(out, "X");
    g_byte_array_append(out, (const guint8 *)&length, 4);
    add(out, text);
}

static inline void add_tuple(GByteArray *out, int n, const int64_t *numbers) {
    add(out, "(");
    for (int i = 0; i < n; i++) add_number(out, numbers[i]);
    add(out, "t");
}

/* torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict()) */
static inline void add_tensor(GByteArray *out, const char *type, const char *key, int64_t count, gboolean legacy, int64_t offset, int rank,
                              const int64_t *shape, const int64_t *strides) {
    add(out, "ctorch._utils\n_rebuild_tensor_v2\n((");
    add_text(out, "storage");
    add(out, "ctorch\n");
    add(out, type);
    add(out, "\n");
    add_text(out, key);
    add_text(out, "cpu");
    add_number(out, count);
    add(out, legacy ? "NtQ" : "tQ");
    add_number(out, offset);
    add_tuple(out, rank, shape);
    add_tuple(out, rank, strides);
    add_byte(out, 0x89);
    add(out, "ccollections\nOrderedDict\n)RtR");
}

static inline void begin_dict(GByteArray *out) {
    add_byte(out, 0x80);
    add_byte(out, 2);
    add(out, "ccollections\nOrderedDict\n)R(");
}

static inline void end_dict(GByteArray *out) { add(out, "u."); }

/* One entry per name, data pair; compressed only on request. */
static inline GByteArray *make_zip(const char *const *names, GByteArray *const *contents, int count, gboolean compressed) {
    zip_error_t error;
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *archive = zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error);
    zip_source_keep(source);
    for (int i = 0; i < count; i++) {
        zip_source_t *entry = zip_source_buffer(archive, contents[i]->data, contents[i]->len, 0);
        zip_int64_t index = zip_file_add(archive, names[i], entry, 0);
        zip_set_file_compression(archive, (zip_uint64_t)index, compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    }
    g_assert_cmpint(zip_close(archive), ==, 0);
    zip_stat_t info;
    g_assert_cmpint(zip_source_stat(source, &info), ==, 0);
    GByteArray *out = g_byte_array_new();
    g_byte_array_set_size(out, (guint)info.size);
    g_assert_cmpint(zip_source_open(source), ==, 0);
    g_assert_cmpint(zip_source_read(source, out->data, info.size), ==, (zip_int64_t)info.size);
    zip_source_close(source);
    zip_source_free(source);
    return out;
}

/* The older form: magic number, version, machine, object, keys, then each storage after its count. */
static inline GByteArray *make_legacy(const GByteArray *object, const char *key, guint64 count, const void *data, gsize bytes) {
    static const guint8 start[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, start, sizeof start);
    add(out, "M\xe9\x03.}.");
    g_byte_array_append(out, object->data, object->len);
    add(out, "](");
    add_text(out, key);
    add(out, "e.");
    g_byte_array_append(out, (const guint8 *)&count, 8);
    g_byte_array_append(out, data, (guint)bytes);
    return out;
}

#endif
