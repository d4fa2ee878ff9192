/* SPDX-License-Identifier: Apache-2.0 */
/* The order of values. */
#include "evaluate-private.h"

#include <stdlib.h>

typedef struct {
    double value;
    int64_t index;
} Item;

static int compare_items(const void *a, const void *b) {
    const Item *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : (x->index > y->index) - (x->index < y->index);
}

int64_t *rmil_sorted_order(const double *values, int64_t n) {
    Item *items = rmil_alloc(n, sizeof(Item), NULL);
    int64_t *order = items ? rmil_alloc(n, sizeof(int64_t), NULL) : NULL;
    for (int64_t i = 0; order && i < n; i++) items[i] = (Item){values[i], i};
    if (order) qsort(items, (size_t)n, sizeof(Item), compare_items);
    for (int64_t i = 0; order && i < n; i++) order[i] = items[i].index;
    rmil_free(items);
    return order;
}
