/* rankmil evaluate: lesions on a tile grid, and whether a model's scores find them. */
#ifndef RANKMIL_LESIONS_H
#define RANKMIL_LESIONS_H

#include "base.h"

G_BEGIN_DECLS

/* The eight tiles around each of k patches, where these lie on a tile grid: `size` (the side of a tile, in the coordinates' unit) is above 0,
 * every patch lies a whole number of tiles, to an eighth of one, from the leftmost and from the topmost patch, and no two lie in one place.
 * coords: k × 2, or NULL. *neighbours: k × 8, −1 where there is none; NULL: they lie on no grid. Free with g_free. Fails for want of memory
 * alone. O(k log k). Pure, as all functions here. */
RMIL_API gboolean rmil_tile_neighbours(const int64_t *coords, double size, int64_t k, int64_t **neighbours, GError **error);
/* Lesions are the connected components of annotated tiles. lesion[i]: that of patch i, 0 … L − 1 in the order of their first patches; −1:
 * not annotated. neighbours NULL: the whole annotation is one lesion. Gives L. */
RMIL_API int64_t rmil_lesions(const int64_t *neighbours, const uint8_t *labels, int64_t k, int64_t *lesion);

G_END_DECLS
#endif
