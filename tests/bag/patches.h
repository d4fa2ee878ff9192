/* SPDX-License-Identifier: Apache-2.0 */
/* Bags whose patches lie on generated slides. */
#ifndef TEST_BAG_PATCHES_H
#define TEST_BAG_PATCHES_H

#include "bag/pixels.h"
#include "make.h"
#include "slide/make-slide.h"

enum { SIDE = 32, BYTES = SIDE * SIDE * 3, KEPT = BYTES + 256 /* that one tile takes */ };

/* K patches in rows of `across`, every `step` px, of level0 px, on a slide. */
RmilBag *bag_on(const char *slide, int64_t count, int across, int step, double level0, RmilPixelCache *cache);
/* FOLDER/NAME of 512 × 512 px in 8 × 8 tiles (which can be spoilt). */
char *slide_of(const char *folder, const char *name, uint64_t seed);
void read_tile(const RmilBag *bag, int64_t patch, int side, uint8_t *rgb); /* must succeed */
void expect_error(const RmilBag *bag, int64_t patch, int side, RmilErrorCode code, const char *part);
RmilPixelCounts counts_of(RmilPixelCache *cache);

#endif
