/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the benches of encoders. */
#ifndef RMIL_BENCH_ENCODER_H
#define RMIL_BENCH_ENCODER_H

#include <glib.h>

/* GFLOP/s of one thread in a matrix product in float32. */
double bench_peak(void);
/* The best rate that a script of bench/peers prints ("SETTING: RATE tiles/s, RATE per processor second"), whose lines are shown; 0 if it
 * cannot run. *busy (may be NULL): the best of the second rates. arguments: NULL-terminated. */
double bench_peer(const char *title, const char *name, const char *const *arguments, double *busy);

/* bench-network.c: training of ResNet-50. precision: "f32", "bf16", or NULL for both. */
void bench_network(const char *precision);
/* bench-vit.c: vision transformers. form: "ViT-S/16" …, or NULL for all. */
void bench_vit(const char *form);

#endif
