/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target as a program of its own: mutates the given files for a given time. */
#include "fuzz.h"

#include "rankmil/base.h"

#include <stdio.h>
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

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s SECONDS SEED...\n", argv[0]);
        return 2;
    }
    gint64 end = g_get_monotonic_time() + (gint64)(g_ascii_strtod(argv[1], NULL) * 1e6);
    int64_t runs = 0;
    for (; g_get_monotonic_time() < end; runs++) {
        RmilRng rng;
        rmil_rng_init(&rng, 1, (uint64_t)runs);
        g_autofree char *seed = NULL;
        gsize size;
        if (!g_file_get_contents(argv[2 + runs % (argc - 2)], &seed, &size, NULL)) return 1;
        g_autoptr(GByteArray) bytes = g_byte_array_append(g_byte_array_new(), (const guint8 *)seed, (guint)size);
        mutate(bytes, &rng);
        LLVMFuzzerTestOneInput(bytes->data, bytes->len);
    }
    printf("%" G_GINT64_FORMAT " runs, no crash\n", runs);
    return 0;
}
