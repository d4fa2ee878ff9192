/* SPDX-License-Identifier: Apache-2.0 */
/* Slide losses for each task (docs/models.md, Losses), and predictions from a model's logits. */
#ifndef RMIL_MIL_LOSS_H
#define RMIL_MIL_LOSS_H

#include "model.h"

/* BCE with logits, one logit: the loss; *dz = ∂/∂z. */
double rmil_bce(double z, int label, double *dz);
/* Cross-entropy of n logits against class `label`; dz (n) may be NULL. */
double rmil_cross_entropy(const double *z, int n, int label, double *dz);
/* out[i] = log softmax(scale × s)_i */
void rmil_log_softmax(const float *s, int64_t count, double scale, double *out);

/* Does the step have a slide loss: a known target, or a slope? */
gboolean rmil_step_known(const RmilStep *step);
/* The loss of the step's slide alone; slope (one per output) = ∂loss/∂logits. Two classes: BCE of one logit, cross-entropy of two; C
 * classes: cross-entropy; survival: that of the hazards (rmil_hazard_loss), or 0 with Cox, since a single slide has no order; a number: the
 * squared error in SDs of the training set. A step with a slope: slope · logits. */
double rmil_slide_loss(const RmilStep *step, const double *logits, double *slope);

/* Sets everything except `loss` from the logits. */
void rmil_prediction_set(const RmilModelConfig *config, const double *logits, RmilPrediction *prediction);

#endif
