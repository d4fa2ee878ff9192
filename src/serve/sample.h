/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's bag with fewer patches, for trainings that must take at most a few seconds. */
#ifndef RMIL_SERVE_SAMPLE_H
#define RMIL_SERVE_SAMPLE_H

#include "rankmil/mil.h"

/* At most `most` patches: annotated ones (at most half, drawn), those with the highest attention of the model (a quarter), and drawn
 * others; all, if there are no more. Draws depend only on the bag's id. Free with rmil_sample_free. */
RmilBag *rmil_sample_new(const RmilBag *bag, const RmilModel *model, int64_t most, GError **error);
void rmil_sample_free(RmilBag *sample);

#endif
