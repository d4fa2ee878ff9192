/* SPDX-License-Identifier: Apache-2.0 */
/* Coarser levels in a TIFF page's SubIFDs, as in OME-TIFF, which OpenSlide ignores. */
#ifndef RMIL_SUBIFD_H
#define RMIL_SUBIFD_H

#include "slide/slide-private.h"

typedef struct _RmilSubLevels RmilSubLevels;

/* Of the first page. *levels is NULL if none of its SubIFDs holds 8-bit RGB. FALSE: unknown. */
gboolean rmil_sub_levels_open(const RmilSlide *slide, RmilSubLevels **levels, GError **error);
void rmil_sub_levels_free(RmilSubLevels *levels);
int rmil_sub_levels_count(const RmilSubLevels *levels); /* finest first; 0 for NULL */
void rmil_sub_levels_size(const RmilSubLevels *levels, int level, int64_t *width, int64_t *height);
/* width × height ARGB words from pixel (x, y) of the level on; 0 outside it. Thread-safe. */
gboolean rmil_sub_levels_read(const RmilSubLevels *levels, int level, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb,
                              const char *name, GError **error);

#endif
