/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles as they could also have been cut and stained: for training an encoder on pixels. */
#ifndef RMIL_AUGMENT_H
#define RMIL_AUGMENT_H

#include "rankmil/base.h"

typedef struct {
    gboolean flip; /* mirrored left to right, with probability one half */
    gboolean turn; /* clockwise by 0 … 3 quarter turns */
    double stain;  /* how much each stain may vary, 0 … 1; 0: not at all */
} RmilAugmentation;

/* Changes a tile of side × side RGB bytes in place; scratch: the same number of bytes. It is flipped, then rotated, then stained.
 *
 * Stain (HED jitter: Tellez et al., IEEE Trans Med Imaging 2018;37:2126-36): the optical density log₁₀(256 / (value + 1)) is separated into
 * haematoxylin, eosin and DAB (Ruifrok and Johnston, Anal Quant Cytol Histol 2001;23:291-9; the vectors of scikit-image's rgb2hed). Each
 * becomes a · its amount + b / 10, with a from 1 − stain … 1 + stain and b from −stain … stain, both uniform; anything brighter than white
 * becomes white. A tenth, because an amount of 1 is a deeply stained nucleus: the product changes tissue, and glass stays glass.
 *
 * Always draws eight numbers, so that switching one variation off does not change the others. Thread-safe. */
void rmil_augment(const RmilAugmentation *how, RmilRng *rng, int side, uint8_t *rgb, uint8_t *scratch);

#endif
