/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: the cut-off and the calibration that a trained model carries, chosen on its validation slides. Part of evaluate.h. */
#ifndef RANKMIL_DECISION_H
#define RANKMIL_DECISION_H

#include "outcome.h"

G_BEGIN_DECLS

typedef enum { RMIL_CUT_YOUDEN, RMIL_CUT_SENSITIVITY, RMIL_CUT_SPECIFICITY, RMIL_CUT_HALF } RmilCutRule;
typedef enum { RMIL_CALIBRATE_TEMPERATURE, RMIL_CALIBRATE_PLATT, RMIL_CALIBRATE_NONE } RmilCalibration;

/* What is asked for: docs/options.md, --cut, --cut-least, --calibration, --patient-pool. */
typedef struct {
    int rule;        /* RmilCutRule: youden */
    double least;    /* of sensitivity and specificity: 0.95 */
    int calibration; /* RmilCalibration: temperature */
    int pool;        /* RmilPool: how the slides of a patient become one prediction in reports: highest */
} RmilDecisionOptions;
RMIL_API void rmil_decision_options_init(RmilDecisionOptions *options);

/* What was chosen. Zeros mean that nothing was: chosen is FALSE, and 0.5 is the cut-off. */
typedef struct {
    gboolean chosen;
    int rule;     /* RmilCutRule */
    double least; /* that was asked for of sensitivity or specificity */
    /* Positive where probability ≥ cut, on the scale of the model's own probabilities: in the middle between the score that the rule
     * chooses and the next lower one, which divides the validation slides as that score does. NaN: none. */
    double cut;
    double sensitivity, specificity; /* of the validation slides at it */
    int64_t positives, negatives;    /* validation slides */
    int calibration;                 /* RmilCalibration that was found; NONE where there is none */
    double slope, intercept;         /* calibrated probability: sigmoid(slope · logit + intercept); C classes: softmax(slope · logits) */
} RmilDecision;

/* Chooses on rows of validation slides (GArray of RmilPredictionRow with known targets). Cut-offs are of two classes; more have a
 * temperature alone; other tasks nothing. reason (may be NULL): why a part could not be had, as a sentence, or NULL; free with g_free. */
RMIL_API void rmil_decide(const RmilTask *task, const RmilDecisionOptions *options, const GArray *rows, RmilDecision *decision,
                          char **reason);
/* The calibrated probability of two classes for log odds `logit`. */
RMIL_API double rmil_decision_calibrated(const RmilDecision *decision, double logit);
/* Of C classes: probabilities, in their place. */
RMIL_API void rmil_decision_calibrate(const RmilDecision *decision, double *probabilities, int classes);
/* "chosen for 95 % sensitivity", "chosen by Youden’s index", "as asked for", "none was chosen". Free with g_free. */
RMIL_API char *rmil_decision_words(const RmilDecision *decision);
RMIL_API double rmil_decision_cut(const RmilDecision *decision); /* 0.5 where none was chosen */
/* Of several models used as one, whose probabilities are averaged: the mean of their cut-offs; calibration is each model's own, and NONE where one
 * has none. Where one has no cut-off, there is none. */
RMIL_API void rmil_decision_pool(const RmilDecision *const *decisions, int64_t count, RmilDecision *pooled);
/* One line of JSON, and back; FALSE: FORMAT. Free with g_free. */
RMIL_API char *rmil_decision_text(const RmilDecision *decision);
RMIL_API gboolean rmil_decision_parse(const char *text, RmilDecision *decision, GError **error);

G_END_DECLS
#endif
