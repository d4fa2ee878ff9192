/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the benches. */
#ifndef RMIL_BENCH_H
#define RMIL_BENCH_H

#include <glib.h>

/* Processor time, which does not depend on what else runs on the machine. */
double bench_cpu_seconds(void);
/* The median of n ≥ 1 values, which it sorts. */
double bench_median(double *values, int n);
/* "WHAT: processor, number of processors". */
void bench_print_machine(const char *what);

#endif
