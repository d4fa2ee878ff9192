/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this room: cases grouped by distinct score, resamples, distributions. */
#ifndef RMIL_EVALUATE_PRIVATE_H
#define RMIL_EVALUATE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/evaluate.h"

#define RMIL_AROUND 8 /* a tile's neighbours */

/* Cases of equal score form one group: every ranking metric depends only on how many positives and negatives each
 * distinct score has. Groups are in descending order of score. */
typedef struct {
    int64_t groups, positives, negatives;
    double *score;      /* groups */
    int64_t *pos, *neg; /* groups: cases of each label */
    int64_t *group;     /* n: the group of each case */
} RmilRanking;

/* FALSE if a score is NaN or memory runs out: then no metric is defined. Labels: 0 is negative, anything else positive. */
gboolean rmil_ranking_init(RmilRanking *ranking, const int *labels, const double *scores, int64_t n);
void rmil_ranking_clear(RmilRanking *ranking);
/* Metrics of the cases counted in pos and neg (one count per group; `positives` and `negatives` in total); the first `above`
 * groups are predicted positive. */
void rmil_ranking_metrics(int64_t groups, const int64_t *pos, const int64_t *neg, int64_t positives, int64_t negatives, int64_t above,
                          RmilMetrics *metrics);
/* How many of the leading groups have score > cut. */
int64_t rmil_ranking_above(const RmilRanking *ranking, double cut);

extern const RmilInterval rmil_interval_undefined;
extern const RmilOption rmil_decision_options[]; /* decision.c: offsets from RmilDecisionOptions */

double rmil_normal_upper(double z);               /* P(Z > z) */
double rmil_beta(double a, double b, double x);   /* I_x(a, b); a, b > 0 */
double rmil_normal_quantile(double p);            /* z with P(Z ≤ z) = p; 0 < p < 1 */
double rmil_t_quantile(double p, double degrees); /* t with P(T ≤ t) = p for degrees of freedom > 0; 0 < p < 1 */
/* Clopper and Pearson's interval, also for counts that are not whole. Undefined if a count is negative or NaN, or without cases. */
RmilInterval rmil_exact(double hits, double misses, double confidence);
double rmil_chi_squared_upper(double chi_squared, int degrees);

/* The indices of n ≥ 1 values in ascending order, equal values in their original order; NULL: no memory. Free with rmil_free. */
int64_t *rmil_sorted_order(const double *values, int64_t n);

/* Kaplan-Meier of the censoring: whoever has an event at a time leaves before others are censored at it. RmilSurvivalPoint. */
GArray *rmil_censoring_curve(const double *time, const gboolean *event, int64_t n);

/* Cases ordered by time and by risk. weight[i] (NULL: 1) says how often case i counts, inverse[i] (NULL: 1) the weight of the pairs in
 * which it is the earlier case. init: FALSE if there is a NaN, no case, or no memory. */
typedef struct {
    int64_t n, ranks;
    const double *time;
    const gboolean *event;
    int64_t *order, *rank, *tree;
} RmilConcordanceData;
gboolean rmil_concordance_init(RmilConcordanceData *data, const double *time, const gboolean *event, const double *risk, int64_t n);
void rmil_concordance_count(RmilConcordanceData *data, const int64_t *weight, const double *inverse, RmilConcordance *out);
void rmil_concordance_clear(RmilConcordanceData *data);

/* -- classes.c: the cases of C classes, as far as their metrics need them ------------------------------------------------------ */
typedef struct {
    int label, predicted, bin; /* bin: for the calibration error, by confidence (the largest probability) */
    double confidence, log_loss, brier;
} RmilClassCase;
typedef struct {
    int64_t n;
    int classes;
    RmilRanking ranking[RMIL_CLASSES_MOST]; /* by each class's probability */
    RmilClassCase *cases;
    int64_t *counts; /* scratch: n × classes */
} RmilClassData;
/* FALSE if a label or the number of classes is out of range, a probability is NaN, or memory runs out. */
gboolean rmil_class_data_init(RmilClassData *data, const int *labels, const double *probabilities, int64_t n, int classes);
/* The metrics if case i counts weight[i] times (NULL: once). */
void rmil_class_data_metrics(RmilClassData *data, const int64_t *weight, RmilClassMetrics *metrics);
void rmil_class_data_clear(RmilClassData *data);

/* Index k of the bin (k/bins, (k + 1)/bins] that holds a probability; 0 is in the first. */
int rmil_bin_of(double probability, int bins);

/* -- resample.c: patients drawn with all their cases, stratified ------------------------------------------------------------------- */
typedef struct {
    RmilBootstrap bootstrap;
    int64_t n, patients, n_strata;
    int64_t *row;                     /* n: each case's patient */
    int64_t *begin, *member;          /* cases of patient p: member[begin[p]] … member[begin[p + 1] − 1] */
    int64_t *drawn, *strata, *weight; /* patients by stratum; end of each stratum; n: how often a case is in the resample */
    const char *method;               /* "patient bootstrap"; "bootstrap" where each patient has one case */
} RmilResamples;
/* Are the settings valid for n cases? */
gboolean rmil_bootstrap_valid(const RmilBootstrap *bootstrap, int64_t n);
/* strata: stratum of each case (a patient is in the highest of its cases' strata), or NULL. FALSE: not valid, or no memory. */
gboolean rmil_resamples_init(RmilResamples *resamples, const RmilBootstrap *bootstrap, const int *strata, int64_t n);
void rmil_resamples_clear(RmilResamples *resamples);
/* Computes the metrics if case i counts weight[i] times. */
typedef void (*RmilResampled)(const int64_t *weight, double *values, gpointer data);
/* metrics × rounds; NULL: no memory. Free with rmil_free. */
double *rmil_resamples_values(RmilResamples *resamples, int metrics, RmilResampled evaluate, gpointer data);
/* Percentiles of one metric over the rounds; sorts `values`. If all resamples agree, the bootstrap knows nothing of the spread: returns
 * `agreed`. */
RmilInterval rmil_resamples_interval(const RmilResamples *resamples, double *values, double estimate, RmilInterval agreed);
/* Counts patients that have cases with the label, and patients that have cases with other labels. */
void rmil_resamples_count(const RmilResamples *resamples, const int *labels, int label, int64_t *with, int64_t *others);

#endif
