/* Tiles as they might have been: turned, mirrored, stained otherwise. */
#ifndef RMIL_AUGMENT_H
#define RMIL_AUGMENT_H

#include "rankmil/base.h"

typedef struct {
    gboolean flip, turn; /* mirrored every second time; quarter turns, 0 to 3 */
    double stain;        /* S: the amount of each stain times 1 + U(−S, S), and S/4 · U(−1, 1) of optical density more; 0: as it is */
} RmilAugmentation;

/* A tile of side × side RGB bytes, in place. Stains are haematoxylin, eosin and DAB of Ruifrok and Johnston (Anal Quant Cytol Histol
 * 2001;23:291); jitter of their amounts: Tellez et al. (IEEE Trans Med Imaging 2018;37:2126). All random numbers are drawn whatever is
 * switched on, so that the others stay when one is switched off. scratch: as large as the tile. */
void rmil_augment(const RmilAugmentation *how, RmilRng *rng, int side, uint8_t *rgb, uint8_t *scratch);

#endif
