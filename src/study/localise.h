/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's scores find on a test slide. */
#ifndef RMIL_STUDY_LOCALISE_H
#define RMIL_STUDY_LOCALISE_H

#include "rankmil/study.h"

/* Of one slide, until all are there. */
typedef struct {
    GArray *lesions; /* RmilLesionRow: an annotated positive test slide on a tile grid; else NULL */
    GArray *wrong;   /* float: scores of the detections on a negative test slide on a tile grid; else NULL */
} RmilFinds;

/* Of an annotated positive test slide: how its attention is spread, and how its scores rank its patches: fills `out` but for the prediction. */
void rmil_localise(const RmilBag *bag, const float *scores, const float *attention, RmilApplied *out);
/* Of the same, finds->lesions; of a negative one, finds->wrong. */
gboolean rmil_find_lesions(const RmilBag *bag, const char *id, const float *scores, RmilFinds *finds, GError **error);
gboolean rmil_find_wrong(const RmilBag *bag, const float *scores, RmilFinds *finds, GError **error);
/* Puts the lesions of all n rows together, in order, with what their scores cost on the negative ones, and clears the finds. */
void rmil_finds_join(RmilFinds *finds, int64_t n, GArray *lesions);

#endif
