/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of models and of guides, from the lists in meson.build: RMIL_MODELS is MODEL(abmil) MODEL(dsmil) … (_ for -), RMIL_GUIDES likewise. */
#include "guide.h"

#define MODEL(name) extern const RmilModelClass *const rmil_##name##_models[];
RMIL_MODELS
#undef MODEL
#define MODEL(name) rmil_##name##_models,
const RmilModelClass *const *const rmil_model_files[] = {RMIL_MODELS NULL};

#define GUIDE(name) extern const RmilGuideClass rmil_##name##_guide;
RMIL_GUIDES
#undef GUIDE
#define GUIDE(name) &rmil_##name##_guide,
const RmilGuideClass *const rmil_guide_classes[] = {RMIL_GUIDES NULL};
