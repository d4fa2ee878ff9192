/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer calls, and standalone.c where there is no libFuzzer:
 *
 *     clang -fsanitize=fuzzer,address,undefined …       without standalone.c
 *     fuzz-NAME SECONDS SEED...                         mutates the seed files for that long */
#ifndef RMIL_FUZZ_H
#define RMIL_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
