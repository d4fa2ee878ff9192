/* SPDX-License-Identifier: Apache-2.0 */
/* A bag's patches as regions of rows × columns cells of the tile grid (docs/models.md, HIPT). */
#ifndef RMIL_MIL_REGIONS_H
#define RMIL_MIL_REGIONS_H

#include "model.h"

/* Only regions with patches exist; they are ordered row by row over the slide, as are the cells in each. The grid's corner is the smallest
 * x and y of the bag's patches. */
typedef struct {
    int64_t count;      /* regions, 1 … K */
    int64_t *patch;     /* K patches, region by region, in the order of their cells */
    int64_t *cell;      /* K: row · columns + column within the region, of patch[i] */
    int64_t *first;     /* count + 1: region r has patch[first[r]] … patch[first[r + 1] − 1] */
    uint8_t *annotated; /* count: 1 if any patch of the region is annotated; NULL if the bag has no patch labels */
} RmilRegions;

/* Everything is in the arena. The tile's side is the bag's patch_size_level0 or, if that is unknown, the smallest distance between two
 * different x or y. Fails with RMIL_ERROR_DATA without coordinates, and if two patches share a cell. */
gboolean rmil_regions_group(const RmilBag *bag, int64_t rows, int64_t columns, RmilArena *arena, RmilRegions *regions, GError **error);

#endif
