/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil: slide-level classifiers of whole-slide images by attention-based multiple instance learning whose attention
 * follows experts' annotations. Include this for the whole library, or one room's header. */
#ifndef RANKMIL_RANKMIL_H
#define RANKMIL_RANKMIL_H

#include "annotation.h"
#include "bag.h"
#include "base.h"
#include "cohort.h"
#include "draw.h"
#include "encoder.h"
#include "evaluate.h"
#include "mil.h"
#include "prepare.h"
#include "present.h"
#include "serve.h"
#include "slide.h"
#include "study.h"
#include "synth.h"
#include "tensors.h"

#endif
