/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles as they might as well have been cut and stained: for training an encoder on pixels. */
#ifndef RMIL_AUGMENT_H
#define RMIL_AUGMENT_H

#include "rankmil/base.h"

typedef struct {
    gboolean flip; /* left and right change places, every other time */
    gboolean turn; /* clockwise by 0 … 3 quarters */
    double stain;  /* how much each stain may differ, 0 … 1; 0: nothing */
} RmilAugmentation;

/* A tile of side × side RGB bytes, changed in place; scratch: as many bytes again. First it is flipped, then turned, then stained.
 *
 * Stain (HED jitter: Tellez et al., IEEE Trans Med Imaging 2018;37:2126-36): the optical density log₁₀(256 / (value + 1)) is taken apart
 * into haematoxylin, eosin and DAB (Ruifrok and Johnston, Anal Quant Cytol Histol 2001;23:291-9; the vectors of scikit-image's rgb2hed).
 * Each becomes a · its amount + b / 10, with a from 1 − stain … 1 + stain and b from −stain … stain, both uniform; what is then brighter
 * than white is white. A tenth, for an amount of 1 is a nucleus that is deeply stained: the product changes tissue, and glass stays glass.
 *
 * Eight numbers are drawn whatever is switched on, so that what is switched off changes nothing else. Thread-safe. */
void rmil_augment(const RmilAugmentation *how, RmilRng *rng, int side, uint8_t *rgb, uint8_t *scratch);

#endif
