/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the training benches. */
#ifndef RMIL_BENCH_MIL_H
#define RMIL_BENCH_MIL_H

#include "rankmil/mil.h"

/* Trains AB-MIL with rank for one epoch of `count` bags of 10,000 × 1024 within a quarter of the memory that they need (the rest
 * in mapped files, which an epoch before has read once) and with all in memory, and prints both speeds. Files are made in
 * `folder`, which must not exist yet, and removed. */
gboolean bench_memory(const char *folder, int64_t count, int threads, GError **error);

#endif
