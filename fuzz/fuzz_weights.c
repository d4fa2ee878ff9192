/* Fuzz target of the weight readers: PyTorch's two forms, safetensors, and a bare pickle.
 *
 *     clang -fsanitize=fuzzer,address,undefined …       libFuzzer calls LLVMFuzzerTestOneInput
 *     fuzz-weights SECONDS SEED...                      without libFuzzer: mutates the seed files for that long */
#include "encoder/pickle.h"
#include "encoder/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes give tensors or an error, and tensors can be read. */
static void touch(const RmilTensors *tensors) {
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++) {
        const RmilTensor *tensor = rmil_tensors_at(tensors, i);
        g_autofree float *values = g_new(float, (gsize)tensor->count + 1);
        rmil_tensor_floats(tensor, values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autofree char *copy = g_memdup2(data, size);
    for (int form = 0; form < 3; form++) {
        g_autoptr(RmilTensors) tensors = rmil_tensors_new("fuzz");
        g_autoptr(GError) error = NULL;
        gboolean good = form == 0   ? rmil_torch_zip_read(tensors, data, size, &error)
                        : form == 1 ? rmil_torch_legacy_read(tensors, data, size, &error)
                                    : rmil_safetensors_parse(tensors, copy, size, &error);
        if (good != (error == NULL)) abort();
        if (good) touch(tensors);
    }
    gsize used;
    g_autoptr(Pickle) pickle = rmil_pickle_read("fuzz", data, size, &used, NULL);
    if (used > size) abort();
    return 0;
}

#ifndef RMIL_LIBFUZZER
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
        fprintf(stderr, "usage: fuzz-weights SECONDS SEED...\n");
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
#endif
