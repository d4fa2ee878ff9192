/* SPDX-License-Identifier: Apache-2.0 */
/* What a model's scores find on a test slide. */
#ifndef RMIL_STUDY_LOCALISE_H
#define RMIL_STUDY_LOCALISE_H

#include "rankmil/study.h"

/* For one slide, until all slides are done. */
typedef struct {
    GArray *lesions; /* RmilLesionRow, for an annotated positive test slide on a tile grid; else NULL */
    GArray *wrong;   /* float: scores of the detections, for a negative test slide on a tile grid; else NULL */
} RmilFinds;

/* For an annotated positive test slide: how its attention is spread, and how its scores rank its patches. Fills `out` except for the
 * prediction. */
void rmil_localise(const RmilBag *bag, const float *scores, const float *attention, RmilApplied *out);
/* For such a slide sets finds->lesions; for a negative one, finds->wrong. */
gboolean rmil_find_lesions(const RmilBag *bag, const char *id, const float *scores, RmilFinds *finds, GError **error);
gboolean rmil_find_wrong(const RmilBag *bag, const float *scores, RmilFinds *finds, GError **error);
/* Collects the lesions of all n rows, in order, each with the false positives that its score costs on negative slides, and clears the
 * finds. */
void rmil_finds_join(RmilFinds *finds, int64_t n, GArray *lesions);

#endif
