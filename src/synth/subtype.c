/* SPDX-License-Identifier: Apache-2.0 */
/* How the named subtypes of tumour differ in what is seen of them. */
#include "synth-private.h"

/* By label. They are meant to be told by nuclei, by how close these lie, by the stain of what lies between, and by how the tumour grows,
 * not to be what pathologists know under these names. */
static const RmilSynthSubtype subtypes[RMIL_SYNTH_CLASSES_MOST] = {
    /* large nuclei in nests with some glands */
    [1] = {.sprite = RMIL_SYNTH_DUCTAL, .set = 2, .chance = 970, .h = 0, .e = 1, .nest = 150, .septum = .08F, .gland = .55F},
    /* small even nuclei, close together, without glands and hardly with septa */
    [2] = {.sprite = RMIL_SYNTH_LOBULAR, .set = 1, .chance = 930, .h = 2, .e = 1.1F, .nest = 230, .septum = .02F, .gland = 2},
    /* few nuclei in pale blue mucus */
    [3] = {.sprite = RMIL_SYNTH_MUCINOUS, .set = 2, .chance = 360, .h = -14, .e = .25F, .nest = 210, .septum = .06F, .gland = 2},
    /* long dark nuclei along many lumens */
    [4] = {.sprite = RMIL_SYNTH_PAPILLARY, .set = 1, .chance = 560, .h = 6, .e = .9F, .nest = 85, .septum = .12F, .gland = .2F},
    /* pink cells with nuclei of middle size, far apart */
    [5] = {.sprite = RMIL_SYNTH_SQUAMOUS, .set = 2, .chance = 820, .h = -22, .e = 2, .nest = 180, .septum = .1F, .gland = 2},
};

const RmilSynthSubtype *rmil_synth_subtype(int label) { return label ? &subtypes[label] : NULL; }
