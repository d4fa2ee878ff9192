/* SPDX-License-Identifier: Apache-2.0 */
/* How the named subtypes of tumour look different. */
#include "synth-private.h"

/* By label. They are meant to differ in nuclei, in how close these are, in the stain between them, and in growth pattern. They do not
 * imitate the real subtypes of these names. */
static const RmilSynthSubtype subtypes[RMIL_SYNTH_CLASSES_MOST] = {
    /* large nuclei in nests with some glands */
    [1] = {.sprite = RMIL_SYNTH_DUCTAL, .set = 2, .chance = 970, .h = 0, .e = 1, .nest = 150, .septum = .08F, .gland = .55F},
    /* small even nuclei, close together, without glands and almost without septa */
    [2] = {.sprite = RMIL_SYNTH_LOBULAR, .set = 1, .chance = 930, .h = 2, .e = 1.1F, .nest = 230, .septum = .02F, .gland = 2},
    /* few nuclei in pale blue mucus */
    [3] = {.sprite = RMIL_SYNTH_MUCINOUS, .set = 2, .chance = 360, .h = -14, .e = .25F, .nest = 210, .septum = .06F, .gland = 2},
    /* long dark nuclei along many lumens */
    [4] = {.sprite = RMIL_SYNTH_PAPILLARY, .set = 1, .chance = 560, .h = 6, .e = .9F, .nest = 85, .septum = .12F, .gland = .2F},
    /* pink cells with medium-sized nuclei, far apart */
    [5] = {.sprite = RMIL_SYNTH_SQUAMOUS, .set = 2, .chance = 820, .h = -22, .e = 2, .nest = 180, .septum = .1F, .gland = 2},
};

const RmilSynthSubtype *rmil_synth_subtype(int label) { return label ? &subtypes[label] : NULL; }
