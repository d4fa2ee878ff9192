/* SPDX-License-Identifier: Apache-2.0 */
/* Patches by their attention. */
#include "draw-private.h"

#include <math.h>

static int by_value(gconstpointer a, gconstpointer b, gpointer user) {
    const float *values = user;
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    return values[i] != values[j] ? (values[i] < values[j] ? 1 : -1) : (i > j) - (i < j);
}

int64_t *rmil_descending(const float *values, int64_t count, int64_t *n, GError **error) {
    *n = 0;
    if (count > G_MAXINT) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%" G_GINT64_FORMAT " tiles are too many to sort", count);
        return NULL;
    }
    int64_t *order = rmil_alloc(count, sizeof *order, error);
    if (!order) return NULL;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i])) order[(*n)++] = i;
    g_qsort_with_data(order, (gint)*n, sizeof *order, by_value, (gpointer)values);
    return order;
}

gboolean rmil_percentiles(const float *values, int64_t count, float *percentiles, GError **error) {
    int64_t n, *order = rmil_descending(values, count, &n, error);
    if (!order) return FALSE;
    for (int64_t i = 0; i < count; i++) percentiles[i] = NAN;
    for (int64_t first = 0, last; first < n; first = last) {
        for (last = first + 1; last < n && values[order[last]] >= values[order[first]];) last++;
        float share = n > 1 ? (float)(1 - (double)(first + last - 1) / 2 / (double)(n - 1)) : 0.5f;
        for (int64_t i = first; i < last; i++) percentiles[order[i]] = share;
    }
    rmil_free(order);
    return TRUE;
}
