/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer calls; the environment variable RMIL_READER names the reader. */
#include "fuzz.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FuzzReader *reader;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    reader = fuzz_find(g_getenv("RMIL_READER"));
    if (reader) return 0;
    fprintf(stderr, "RMIL_READER is to be one of:");
    for (const FuzzReader *each = fuzz_readers; each->name; each++) fprintf(stderr, " %s", each->name);
    fprintf(stderr, "\n");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_feed(reader, data, size);
    return 0;
}
