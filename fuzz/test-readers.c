/* SPDX-License-Identifier: Apache-2.0 */
/* Runs every reader on its seeds and earlier findings; with RMIL_FUZZ=SECONDS also on mutations of these, without libFuzzer. */
#include "fuzz.h"

#include <string.h>

static void mutate(GByteArray *bytes, RmilRng *rng) {
    for (int64_t n = 1 + rmil_rng_below(rng, 6); n > 0 && bytes->len > 8; n--) {
        int64_t at = rmil_rng_below(rng, bytes->len), length = rmil_rng_below(rng, 16);
        switch (rmil_rng_below(rng, 4)) {
        case 0: bytes->data[at] = (guint8)rmil_rng_below(rng, 256); break;
        case 1: bytes->data[at] ^= (guint8)(1 << rmil_rng_below(rng, 8)); break;
        case 2: g_byte_array_remove_range(bytes, (guint)at, (guint)MIN(length, bytes->len - at)); break;
        default: {
            guint8 part[16];
            int64_t from = rmil_rng_below(rng, bytes->len - 8);
            length = MIN(length, bytes->len - from);
            memcpy(part, bytes->data + from, (gsize)length);
            g_byte_array_append(bytes, part, (guint)length);
            memmove(bytes->data + at + length, bytes->data + at, bytes->len - (gsize)(at + length));
            memcpy(bytes->data + at, part, (gsize)length);
        }
        }
    }
}

static void feed(const FuzzReader *reader, const GByteArray *bytes) { fuzz_feed(reader, bytes->data, bytes->len); }

/* Free with g_ptr_array_unref. */
static GPtrArray *read_corpus(const FuzzReader *reader) {
    GPtrArray *corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    g_autofree char *folder = g_build_filename(g_getenv("RMIL_SOURCE"), "fuzz/corpus", reader->name, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL), *bytes = NULL;
        gsize size;
        g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
        g_ptr_array_add(corpus, g_byte_array_append(g_byte_array_new(), (const guint8 *)bytes, (guint)size));
    }
    return corpus;
}

static void test_reader(gconstpointer user) {
    const FuzzReader *reader = user;
    g_autoptr(GPtrArray) corpus = read_corpus(reader);
    g_assert_cmpint(corpus->len, >, 0);
    for (guint i = 0; i < corpus->len; i++) feed(reader, corpus->pdata[i]);
    g_autoptr(GByteArray) nothing = g_byte_array_new();
    feed(reader, nothing);
    const double seconds = g_getenv("RMIL_FUZZ") ? g_ascii_strtod(g_getenv("RMIL_FUZZ"), NULL) : 0;
    const gint64 end = g_get_monotonic_time() + (gint64)(seconds * 1e6);
    guint64 runs = 0;
    for (; g_get_monotonic_time() < end; runs++) {
        RmilRng rng;
        rmil_rng_init(&rng, 1, runs);
        const GByteArray *seed = corpus->pdata[runs % corpus->len];
        g_autoptr(GByteArray) bytes = g_byte_array_append(g_byte_array_new(), seed->data, seed->len);
        mutate(bytes, &rng);
        feed(reader, bytes);
    }
    if (runs) g_test_message("%s: %" G_GUINT64_FORMAT " mutations", reader->name, runs);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (const FuzzReader *reader = fuzz_readers; reader->name; reader++) {
        g_autofree char *name = g_strconcat("/readers/", reader->name, NULL);
        g_test_add_data_func(name, reader, test_reader);
    }
    return g_test_run();
}
