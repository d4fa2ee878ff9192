/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the benches. */
#include "bench.h"

#include "rankmil/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double bench_cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, rmil_compare_doubles);
    return values[n / 2];
}

void bench_print_machine(const char *what) {
    g_autofree char *text = NULL;
    g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL);
    char *model = text ? strstr(text, "model name") : NULL;
    char *name = model ? strchr(model, ':') : NULL;
    printf("%s: %.*s, %u processors\n", what, name ? (int)strcspn(name + 2, "\n") : 7, name ? name + 2 : "unknown", g_get_num_processors());
}
