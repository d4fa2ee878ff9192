/* SPDX-License-Identifier: Apache-2.0 */
/* What the benches share. */
#ifndef RMIL_BENCH_H
#define RMIL_BENCH_H

#include <glib.h>

/* Processor time: what else runs on the machine does not change it. */
double bench_cpu_seconds(void);
/* Of n ≥ 1 values, which it sorts. */
double bench_median(double *values, int n);
/* "WHAT: processor, number of processors". */
void bench_print_machine(const char *what);

#endif
