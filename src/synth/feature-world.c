/* SPDX-License-Identifier: Apache-2.0 */
/* The features of tiles: what a bag of features looks like to a model. */
#include "features-private.h"

#include <math.h>

/* A tile's features: x = max(0, base + mixing · z + noise). The latent z is the prototype of the tile's tissue type, plus what the slide
 * adds to all of its tiles (stain, scanner), plus the tile's own variation; in a lesion, plus a step along the tumour's direction, in
 * proportion to the covered part of the tile. Some benign types lie part of the way in that direction, as do foci in a third of the slides
 * of either label, and slides differ in the amounts of each type. */
#define LATENT RMIL_SYNTH_LATENT
#define TYPES RMIL_SYNTH_TYPES
#define MIMICS 3
#define SUBTYPES RMIL_SYNTH_TUMOURS
#define NORMALS 65536    /* noise is read from a table, at a random position for every tile */
#define STEP 0.95        /* length of the tumour's direction at difficulty 1, in units of the latent's variation */
#define LOOKS 0.75F      /* how far a benign focus goes in that direction */
#define OWN 0.87F        /* part of a subtype's direction that no other has; with the common part, 0.5, a step is as long */
#define SITE 0.3F        /* what a site adds to all of its tiles */
#define SITES 0x51700000 /* streams of random numbers, one per site */

static float normal(RmilRng *rng) { return (float)rmil_rng_normal(rng); }

/* Each named subtype's own direction, in addition to the one that all tumours share. */
static void subtypes(RmilSynthWorld *world, const RmilSynthFeatureOptions *o, const float *common) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 3);
    for (int label = 1; label < RMIL_SYNTH_CLASSES_MOST; label++) {
        float own[LATENT], length = 0;
        for (int k = 0; k < LATENT; k++) {
            own[k] = normal(&rng);
            length += own[k] * own[k];
        }
        for (int k = 0; k < LATENT; k++)
            world->subtype[label][k] = (float)(STEP / o->difficulty) * (0.5F * common[k] + OWN * own[k] / sqrtf(length));
    }
}

gboolean rmil_synth_world_init(RmilSynthWorld *world, const RmilSynthFeatureOptions *o, GError **error) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 1);
    if (!(world->base = rmil_alloc(o->dim, sizeof(float), error)) || !(world->mixing = rmil_alloc(o->dim * LATENT, sizeof(float), error)) ||
        !(world->normal = rmil_alloc(NORMALS + o->dim, sizeof(float), error)))
        return FALSE;
    float common[LATENT];
    double length = 0;
    for (int k = 0; k < LATENT; k++) {
        common[k] = normal(&rng);
        length += common[k] * common[k];
    }
    for (int k = 0; k < LATENT; k++) common[k] /= (float)sqrt(length);
    subtypes(world, o, common);
    for (int s = 0; s < SUBTYPES; s++)
        for (int k = 0; k < LATENT; k++)
            world->tumour[s][k] = (float)(STEP / o->difficulty) * (common[k] + 0.5F * normal(&rng) / sqrtf(LATENT));
    for (int t = 0; t < TYPES; t++) {
        const gboolean looks = t < MIMICS && o->task.target == RMIL_SYNTH_LABEL;
        float mimic = looks ? 0.5F * (float)(STEP / o->difficulty) : 0, along = 0;
        for (int k = 0; k < LATENT; k++) {
            world->prototype[t][k] = 0.8F * normal(&rng);
            along += world->prototype[t][k] * common[k];
        }
        for (int k = 0; k < LATENT; k++) world->prototype[t][k] += (mimic - along) * common[k];
    }
    for (int64_t i = 0; i < o->dim; i++) world->base[i] = 0.3F * normal(&rng) - 0.2F;
    for (int64_t i = 0; i < o->dim * LATENT; i++) world->mixing[i] = normal(&rng) / sqrtf(LATENT);
    for (int64_t i = 0; i < NORMALS + o->dim; i++) world->normal[i] = 0.45F * normal(&rng);
    return TRUE;
}

void rmil_synth_world_clear(RmilSynthWorld *world) {
    rmil_free(world->base);
    rmil_free(world->mixing);
    rmil_free(world->normal);
}

/* -- one bag ----------------------------------------------------------------------------------------------------------------- */
static int tissue_type(uint32_t seed, const float *taste, float x, float y) {
    int best = 0;
    float most = -1e9F;
    for (int t = 0; t < TYPES; t++) {
        float v = taste[t] + rmil_synth_noise(seed + (uint32_t)t * 77, x / 9, y / 9, 0, 0) +
                  0.4F * rmil_synth_noise(seed + (uint32_t)t * 77 + 5, x / 2.3F, y / 2.3F, 0, 0);
        if (v > most) most = v, best = t;
    }
    return best;
}

RMIL_CLONES static void mix(const RmilSynthWorld *world, int64_t dim, const float *z, const float *noise, float *restrict x) {
    for (int64_t i = 0; i < dim; i++) x[i] = world->base[i] + noise[i];
    for (int k = 0; k < LATENT; k++) {
        const float *restrict column = world->mixing + k * dim;
        for (int64_t i = 0; i < dim; i++) x[i] += z[k] * column[i];
    }
    for (int64_t i = 0; i < dim; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void site_add(uint64_t seed, int site, float *slide) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, SITES + (uint64_t)site);
    for (int k = 0; k < LATENT; k++) slide[k] += SITE * normal(&rng);
}

void rmil_synth_world_features(const RmilSynthWorld *world, const RmilSynthFeatureOptions *o, const RmilSynthBagPlan *plan,
                               const int64_t *coords, const float *cover, const float *benign, float *features) {
    RmilRng rng;
    rmil_rng_init(&rng, o->seed, 2 * plan->stream + 1);
    uint32_t seed = (uint32_t)rmil_rng_next(&rng);
    const float *tumour = world->tumour[rmil_rng_below(&rng, SUBTYPES)], *alike = world->tumour[rmil_rng_below(&rng, SUBTYPES)];
    if (o->task.classes && plan->label) tumour = world->subtype[plan->label];
    const gboolean amount = o->task.target != RMIL_SYNTH_LABEL;
    if (amount) tumour = world->tumour[0];
    float slide[LATENT], taste[TYPES], spread = amount ? 0.15F : 0.5F;
    for (int k = 0; k < LATENT; k++) slide[k] = spread * normal(&rng);
    for (int t = 0; t < TYPES; t++) taste[t] = 0.45F * normal(&rng) - (t < MIMICS ? 0.35F : 0);
    if (plan->site) site_add(o->seed, plan->site, slide);
    for (int64_t i = 0; i < plan->count; i++) {
        float x = (float)(coords[2 * i] / RMIL_SYNTH_TILE_SIDE), z[LATENT];
        float y = (float)(coords[2 * i + 1] / RMIL_SYNTH_TILE_SIDE);
        const float *type = world->prototype[tissue_type(seed, taste, x, y)];
        float lesion = cover[i], looks = (1 - lesion) * LOOKS * benign[i];
        for (int k = 0; k < LATENT; k++)
            z[k] = type[k] * (1 - 0.5F * lesion) + slide[k] + 0.6F * normal(&rng) + lesion * tumour[k] + looks * alike[k];
        mix(world, o->dim, z, world->normal + rmil_rng_below(&rng, NORMALS), features + i * o->dim);
    }
}
