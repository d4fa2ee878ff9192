/* SPDX-License-Identifier: Apache-2.0 */
/* Results of one method's pooled predictions beyond its measures: at its cut-off, calibrated, class by class, by patient. */
#ifndef RMIL_EVALUATE_METHOD_OUTCOME_H
#define RMIL_EVALUATE_METHOD_OUTCOME_H

#include "summary.h"

/* Do probabilities of two classes agree with the outcomes? Brier score; observed over expected positives (1: as many as predicted); slope
 * of the logistic regression of the class on the logit (1: neither too extreme nor too timid; below 1: too extreme). 95 % intervals are
 * percentiles over resampled cases, or resampled patients if groups is given (as in RmilBootstrap). NaN: the slope if the classes
 * are separated, and its interval if more than 2.5 % of the resamples separate them. */
typedef enum { RMIL_AGREES_BRIER, RMIL_AGREES_RATIO, RMIL_AGREES_SLOPE, RMIL_AGREES } RmilAgreement;
void rmil_measure_agreement(const int *labels, const double *probabilities, int64_t n, const int64_t *groups, double values[RMIL_AGREES],
                            RmilInterval intervals[RMIL_AGREES]);

typedef struct {
    /* of two classes */
    RmilDecision decision;               /* of all its trainings together; cut-off NaN: they have none */
    RmilCutMetrics at;                   /* the pooled slides at the cut-off, or at 0.5 without one */
    RmilInterval shares[RMIL_AT_SHARES]; /* their intervals, as from rmil_measure_cut */
    double *calibrated;                  /* per pooled slide: mean over the trainings that tested it; NULL: not all are calibrated */
    /* of more classes; else NULL */
    RmilClassMetrics *classes;
    RmilClassIntervals *intervals;
    /* of any task: one row per patient, with its measures; NULL: no two slides share a patient */
    GArray *patients;
    RmilPool rule; /* the one applied */
    double patient_value[RMIL_MEASURES_MOST];
    RmilInterval patient_interval[RMIL_MEASURES_MOST];
    RmilCutMetrics patient_at; /* of two classes, patients at the cut-off */
    RmilInterval patient_shares[RMIL_AT_SHARES];
} RmilMethodOutcome;
/* rule: how a patient's slides are pooled. Numbers are always averaged; so are slides of other tasks than two classes with noisy-or. */
RmilMethodOutcome *rmil_method_outcome_new(const RmilMethodSummary *method, const RmilTask *task, RmilPool rule);
void rmil_method_outcome_free(RmilMethodOutcome *outcome);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilMethodOutcome, rmil_method_outcome_free)

/* Splits rows by predicted risk into halves, or thirds from 60 rows on: group of each row, from 0. Returns the number of groups. */
int rmil_risk_groups(const GArray *rows, int *group);

#endif
