/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil: attention-based multiple instance learning on whole-slide images, with attention that follows experts' annotations. This header
 * includes the whole library; the header of a single room can also be included by itself. */
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
