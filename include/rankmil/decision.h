/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: the cut-off and calibration that are chosen on the validation slides and stored in a trained model. Part of
 * evaluate.h. */
#ifndef RANKMIL_DECISION_H
#define RANKMIL_DECISION_H

#include "outcome.h"

G_BEGIN_DECLS

typedef enum { RMIL_CUT_YOUDEN, RMIL_CUT_SENSITIVITY, RMIL_CUT_SPECIFICITY, RMIL_CUT_HALF } RmilCutRule;
typedef enum { RMIL_CALIBRATE_TEMPERATURE, RMIL_CALIBRATE_PLATT, RMIL_CALIBRATE_NONE } RmilCalibration;

/* How to choose (docs/options.md: --cut, --cut-least, --calibration, --patient-pool). Defaults are in the comments. */
typedef struct {
    int rule;        /* RmilCutRule: youden */
    double least;    /* minimum sensitivity or specificity for those rules: 0.95 */
    int calibration; /* RmilCalibration: temperature */
    int pool;        /* RmilPool: how reports combine a patient's slides into one prediction: highest */
} RmilDecisionOptions;
RMIL_API void rmil_decision_options_init(RmilDecisionOptions *options);

/* What was chosen. All zeros means that nothing was: `chosen` is FALSE, and the cut-off is 0.5. */
typedef struct {
    gboolean chosen;
    int rule;     /* RmilCutRule */
    double least; /* the minimum that was required */
    /* A slide is positive if probability ≥ cut, where the probability is the model's own, not the calibrated one. The cut-off lies halfway
     * between the score that the rule selects and the next lower score, so it divides the validation slides as the selected score does.
     * If there is no lower score, it is the selected score; RMIL_CUT_HALF gives 0.5. NaN: none. */
    double cut;
    double sensitivity, specificity; /* on the validation slides, at the cut-off */
    int64_t positives, negatives;    /* validation slides */
    int calibration;                 /* RmilCalibration that was fitted; NONE if there is none */
    double slope, intercept;         /* calibrated probability: sigmoid(slope · logit + intercept); C classes: softmax(slope · logits) */
} RmilDecision;

/* Chooses from the rows of validation slides (GArray of RmilPredictionRow with known targets). Two classes get a cut-off and a calibration,
 * more classes only a temperature, other tasks nothing. reason (may be NULL): a text that says why the cut-off or the calibration is
 * missing, or NULL; free with g_free. */
RMIL_API void rmil_decide(const RmilTask *task, const RmilDecisionOptions *options, const GArray *rows, RmilDecision *decision,
                          char **reason);
/* Two classes: the calibrated probability for these log odds. */
RMIL_API double rmil_decision_calibrated(const RmilDecision *decision, double logit);
/* C classes: calibrates the probabilities in place. */
RMIL_API void rmil_decision_calibrate(const RmilDecision *decision, double *probabilities, int classes);
/* "chosen for 95 % sensitivity", "chosen by Youden’s index", "as asked for", "none was chosen". Free with g_free. */
RMIL_API char *rmil_decision_words(const RmilDecision *decision);
RMIL_API double rmil_decision_cut(const RmilDecision *decision); /* 0.5 if none was chosen */
/* The decision for count ≥ 1 models whose probabilities are averaged. cut, sensitivity and specificity are means over the models (NaN if
 * one has none); positives and negatives are sums. `chosen` is FALSE unless all models used the same rule and minimum. Probabilities are
 * calibrated by each model itself; calibration is NONE if any model has none. */
RMIL_API void rmil_decision_pool(const RmilDecision *const *decisions, int64_t count, RmilDecision *pooled);
/* Converts to one line of JSON (free with g_free) and back. parse returns FALSE with FORMAT if the text cannot be read. */
RMIL_API char *rmil_decision_text(const RmilDecision *decision);
RMIL_API gboolean rmil_decision_parse(const char *text, RmilDecision *decision, GError **error);

G_END_DECLS
#endif
