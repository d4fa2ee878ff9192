/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of each patient, and their predictions pooled. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    int64_t group, index;
} Member;

static int compare_members(const void *a, const void *b) {
    const Member *x = a, *y = b;
    return x->group != y->group ? (x->group > y->group) - (x->group < y->group) : (x->index > y->index) - (x->index < y->index);
}

int64_t rmil_patient_rows(const int64_t *groups, int64_t n, int64_t *rows) {
    if (n <= 0) return 0;
    Member *members = rmil_alloc(n, sizeof(Member), NULL);
    int64_t patients = 0;
    if (!members) return -1;
    for (int64_t i = 0; i < n; i++) members[i] = (Member){groups[i], i};
    qsort(members, (size_t)n, sizeof(Member), compare_members);
    /* each case's patient: at first named by its first case, which comes no later, then by its row */
    for (int64_t k = 0, first = 0; k < n; k++) {
        if (k && members[k].group != members[k - 1].group) first = k;
        rows[members[k].index] = members[first].index;
    }
    for (int64_t i = 0; i < n; i++) rows[i] = rows[i] == i ? patients++ : rows[rows[i]];
    rmil_free(members);
    return patients;
}

const char *rmil_pool_name(RmilPool rule) {
    static const char *const names[RMIL_POOLS] = {"highest", "mean", "noisy-or"};
    return names[rule];
}

/* Pools one column into every `width`-th value of `pooled`, from `at` on. count: cases of each patient. */
static void pool_column(const double *values, int64_t n, int columns, int at, const int64_t *rows, const int64_t *count, int64_t patients,
                        RmilPool rule, double *pooled) {
    for (int64_t p = 0; p < patients; p++)
        pooled[p * columns + at] = rule == RMIL_POOL_HIGHEST ? -INFINITY : rule == RMIL_POOL_MEAN ? 0 : 1;
    for (int64_t i = 0; i < n; i++) {
        const double value = values[i * columns + at];
        double *into = &pooled[rows[i] * columns + at];
        if (rule == RMIL_POOL_MEAN) *into += value;
        else if (rule == RMIL_POOL_NOISY_OR) *into *= 1 - value;
        else *into = isnan(value) || isnan(*into) ? NAN : MAX(*into, value);
    }
    for (int64_t p = 0; p < patients; p++) {
        double *into = &pooled[p * columns + at];
        if (rule == RMIL_POOL_MEAN) *into /= (double)count[p];
        if (rule == RMIL_POOL_NOISY_OR) *into = 1 - *into;
    }
}

static void divide_by_sum(double *row, int columns) {
    double sum = 0;
    for (int c = 0; c < columns; c++) sum += row[c];
    for (int c = 0; c < columns; c++) row[c] /= sum;
}

gboolean rmil_patient_pool(const double *values, int64_t n, int columns, const int64_t *rows, int64_t patients, RmilPool rule,
                           double *pooled, GError **error) {
    if (rule == RMIL_POOL_NOISY_OR && columns > 2)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "noisy-or of a patient's slides is defined for two classes, not for %d; take the mean or the highest", columns);
    for (int64_t i = 0; rule == RMIL_POOL_NOISY_OR && i < n * columns; i++)
        if (!(values[i] >= 0 && values[i] <= 1))
            return rmil_fail(error, RMIL_ERROR_DATA, "noisy-or of a patient's slides needs probabilities, but %g is not one", values[i]);
    int64_t *count = rmil_alloc(MAX(patients, 1), sizeof(int64_t), error);
    if (!count) return FALSE;
    for (int64_t i = 0; i < n; i++) count[rows[i]]++;
    for (int c = columns == 2 ? 1 : 0; c < columns; c++) pool_column(values, n, columns, c, rows, count, patients, rule, pooled);
    for (int64_t p = 0; p < patients; p++) {
        if (columns == 2) pooled[2 * p] = 1 - pooled[2 * p + 1];
        if (columns > 2 && rule == RMIL_POOL_HIGHEST) divide_by_sum(pooled + p * columns, columns);
    }
    rmil_free(count);
    return TRUE;
}

void rmil_patient_labels(const int *labels, int64_t n, const int64_t *rows, int64_t patients, int *pooled) {
    for (int64_t p = 0; p < patients; p++) pooled[p] = -1;
    for (int64_t i = 0; i < n; i++) pooled[rows[i]] = MAX(pooled[rows[i]], labels[i]);
}
