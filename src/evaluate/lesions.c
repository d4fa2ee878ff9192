/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles side by side: which of a slide's patches are neighbours, and which annotated patches form a lesion. */
#include "evaluate-private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    int64_t x, y, patch;
} Cell;

static int compare_cells(const void *a, const void *b) {
    const Cell *p = a, *q = b;
    return p->y != q->y ? (p->y > q->y) - (p->y < q->y) : (p->x > q->x) - (p->x < q->x);
}

/* Fills the cells of the grid, in order. FALSE: there is no grid. */
static gboolean fill_cells(const int64_t *coords, double size, int64_t k, Cell *cells) {
    int64_t corner[2] = {G_MAXINT64, G_MAXINT64};
    for (int64_t i = 0; i < 2 * k; i++) corner[i % 2] = MIN(corner[i % 2], coords[i]);
    for (int64_t i = 0; i < k; i++) {
        double at[2];
        for (int axis = 0; axis < 2; axis++) {
            const double tiles = ((double)coords[2 * i + axis] - (double)corner[axis]) / size;
            at[axis] = round(tiles);
            if (!(fabs(tiles - at[axis]) <= 0.125) || at[axis] > 1e9) return FALSE;
        }
        cells[i] = (Cell){(int64_t)at[0], (int64_t)at[1], i};
    }
    qsort(cells, (size_t)k, sizeof *cells, compare_cells);
    for (int64_t i = 1; i < k; i++)
        if (compare_cells(&cells[i - 1], &cells[i]) == 0) return FALSE;
    return TRUE;
}

gboolean rmil_tile_neighbours(const int64_t *coords, double size, int64_t k, int64_t **neighbours, GError **error) {
    *neighbours = NULL;
    if (!coords || !(size > 0) || k < 1) return TRUE;
    g_autofree Cell *cells = rmil_try_new(k, sizeof *cells, error);
    if (!cells) return FALSE;
    if (!fill_cells(coords, size, k, cells)) return TRUE;
    if (!(*neighbours = rmil_try_new(k, RMIL_AROUND * sizeof **neighbours, error))) return FALSE;
    for (int64_t c = 0; c < k; c++) {
        int64_t *around = *neighbours + RMIL_AROUND * cells[c].patch;
        for (int n = 0; n < RMIL_AROUND; n++) {
            const int place = n < RMIL_AROUND / 2 ? n : n + 1; /* index in the 3 × 3 block, skipping the middle */
            const Cell wanted = {cells[c].x + place % 3 - 1, cells[c].y + place / 3 - 1, 0};
            const Cell *found = bsearch(&wanted, cells, (size_t)k, sizeof *cells, compare_cells);
            around[n] = found ? found->patch : -1;
        }
    }
    return TRUE;
}

/* The first patch of a component; shortens the path to it (union-find). */
static int64_t first_of(int64_t *lesion, int64_t i) {
    while (lesion[i] != i) i = lesion[i] = lesion[lesion[i]];
    return i;
}

int64_t rmil_lesions(const int64_t *neighbours, const uint8_t *labels, int64_t k, int64_t *lesion) {
    int64_t lesions = 0, any = -1;
    for (int64_t i = 0; i < k; i++) {
        lesion[i] = labels[i] ? i : -1;
        if (!labels[i]) continue;
        if (any < 0) any = i;
        if (!neighbours) lesion[i] = any;
        for (int n = 0; neighbours && n < RMIL_AROUND; n++) {
            const int64_t j = neighbours[RMIL_AROUND * i + n];
            if (j < 0 || j > i || !labels[j]) continue;
            const int64_t a = first_of(lesion, i), b = first_of(lesion, j);
            lesion[MAX(a, b)] = MIN(a, b);
        }
    }
    for (int64_t i = 0; i < k; i++) { /* numbers from −2 downwards, which are not patch indices */
        if (lesion[i] < 0) continue;
        const int64_t before = lesion[i];
        lesion[i] = before == i ? -2 - lesions++ : lesion[before];
    }
    for (int64_t i = 0; i < k; i++)
        if (lesion[i] < -1) lesion[i] = -2 - lesion[i];
    return lesions;
}
