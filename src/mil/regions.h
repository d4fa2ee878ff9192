/* SPDX-License-Identifier: Apache-2.0 */
/* A bag's patches as regions of rows × columns cells of the tile grid (docs/models.md, HIPT). */
#ifndef RMIL_MIL_REGIONS_H
#define RMIL_MIL_REGIONS_H

#include "model.h"

/* Regions that hold no patch do not exist; the others come row by row over the slide, and so do the cells in each. The
 * grid's corner is the least x and the least y of the bag's patches. */
typedef struct {
    int64_t count;      /* regions, 1 … K */
    int64_t *patch;     /* K patches, region by region, in the order of their cells */
    int64_t *cell;      /* K: row · columns + column within the region, of patch[i] */
    int64_t *first;     /* count + 1: region r has patch[first[r]] … patch[first[r + 1] − 1] */
    uint8_t *annotated; /* count: 1 when any of the region's patches is; NULL when the bag has no patch labels */
} RmilRegions;

/* Everything lies in the arena. The tile's side is the bag's patch_size_level0; where that is unknown, the least distance
 * of two different x or y. Fails with RMIL_ERROR_DATA without coordinates and when two patches share a cell. */
gboolean rmil_regions_group(const RmilBag *bag, int64_t rows, int64_t columns, RmilArena *arena, RmilRegions *regions, GError **error);

#endif
