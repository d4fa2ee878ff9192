/* SPDX-License-Identifier: Apache-2.0 */
/* A slide's bag with fewer patches, for trainings that must not take longer than a few seconds. */
#ifndef RMIL_SERVE_SAMPLE_H
#define RMIL_SERVE_SAMPLE_H

#include "rankmil/mil.h"

/* At most `most` patches: annotated ones (half of them at most, drawn), those that the model attends most (a quarter), and drawn others; all
 * of them where there are no more. Draws depend on the bag's id alone. Free with rmil_sample_free. */
RmilBag *rmil_sample_new(const RmilBag *bag, const RmilModel *model, int64_t most, GError **error);
void rmil_sample_free(RmilBag *sample);

#endif
