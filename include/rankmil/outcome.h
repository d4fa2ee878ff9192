/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: how good predictions of classes, of the time to an event and of numbers are, with intervals over patients;
 * cut-offs and calibration. Part of evaluate.h. */
#ifndef RANKMIL_OUTCOME_H
#define RANKMIL_OUTCOME_H

#include "cohort.h"

G_BEGIN_DECLS

/* Every function here is pure, as in evaluate.h. What is not defined is NaN, never 0: a metric of a class that does not occur, the
 * c-index without a comparable pair. A NaN among the inputs leaves nothing defined. Numbers agree with scikit-learn, scikit-survival,
 * lifelines and PyTorch (tests/golden/tasks). */

/* -- intervals, resampled patients ---------------------------------------------------------------------------------------- */
typedef struct {
    double low, high;   /* NaN when undefined */
    const char *method; /* "Wilson", "DeLong", "Newcombe", "bootstrap", "patient bootstrap", …; static; NULL when undefined */
} RmilInterval;

/* How intervals are found. Each resample draws as many patients as there are, with all their cases, stratified so that classes do not
 * vanish: by the highest class of a patient's cases; of times, by whether one of them has an event; numbers not at all. Percentiles of
 * `rounds` resamples from `seed`, interpolated linearly; the same seed gives the same intervals. Resamples in which a metric is undefined
 * are left out of its percentiles; with fewer than half of them left, and where the metric itself is undefined, so is its interval. */
typedef struct {
    const int64_t *groups; /* n: a number for each case, the same for cases of one patient; NULL: each case is a patient of its own */
    double confidence;     /* inside (0, 1) */
    int64_t rounds;        /* ≥ 1 */
    uint64_t seed;
} RmilBootstrap;

/* -- patients ------------------------------------------------------------------------------------------------------------- */
/* How the predictions for a patient's slides become one: the highest, the mean, or that of at least one positive slide,
 * 1 − Π (1 − p) (slides taken as independent). */
typedef enum { RMIL_POOL_HIGHEST, RMIL_POOL_MEAN, RMIL_POOL_NOISY_OR, RMIL_POOLS } RmilPool;
RMIL_API const char *rmil_pool_name(RmilPool rule); /* "highest", "mean", "noisy-or" */
/* rows[i]: the row of case i's patient, 0 … P − 1 in the order in which patients first appear; gives P. −1: no memory. */
RMIL_API int64_t rmil_patient_rows(const int64_t *groups, int64_t n, int64_t *rows);
/* Values of n cases (n × columns, row by row) into one row per patient (patients × columns). One column: any numbers (probabilities of the
 * positive class, risks); noisy-or wants them in [0, 1]. Two: probabilities of two classes, pooled by the second, the first is the rest.
 * More: probabilities of classes; the highest of each class are divided by their sum. Fails: noisy-or of more than two classes, which
 * has no such meaning, or of values outside [0, 1]. */
RMIL_API gboolean rmil_patient_pool(const double *values, int64_t n, int columns, const int64_t *rows, int64_t patients, RmilPool rule,
                                    double *pooled, GError **error);
/* The highest label of each patient's cases; −1 (unknown) where none of them has one. */
RMIL_API void rmil_patient_labels(const int *labels, int64_t n, const int64_t *rows, int64_t patients, int *pooled);

/* -- classes -------------------------------------------------------------------------------------------------------------- */
/* Of all classes. A mean over classes is one over those where it is defined. */
typedef enum {
    RMIL_CLASSES_AUROC,             /* one against rest, mean over classes that occur and are not all */
    RMIL_CLASSES_AUROC_WEIGHTED,    /* the same, weighted by cases of the class */
    RMIL_CLASSES_AUROC_PAIRS,       /* one against one: mean over pairs of classes that occur (Hand and Till 2001) */
    RMIL_CLASSES_AVERAGE_PRECISION, /* step-wise; mean over classes that occur */
    RMIL_CLASSES_ACCURACY,          /* prediction: the most probable class, of several the first */
    RMIL_CLASSES_BALANCED_ACCURACY, /* mean sensitivity */
    RMIL_CLASSES_KAPPA,             /* Cohen's, over all C classes … */
    RMIL_CLASSES_KAPPA_LINEAR,
    RMIL_CLASSES_KAPPA_QUADRATIC, /* … with weights |i − j| and (i − j)²: of classes that have an order */
    RMIL_CLASSES_F1,              /* mean over classes that occur as label or prediction; 0 where both precision and recall are */
    RMIL_CLASSES_F1_ALL,          /* mean over all C: a class that does not occur counts 0 */
    RMIL_CLASSES_LOG_LOSS,        /* natural logarithm; probabilities below 2.220446049250313e-16 count as that */
    RMIL_CLASSES_BRIER,           /* mean over cases of the sum over classes: 0 … 2 */
    RMIL_CLASSES_ECE,             /* expected calibration error of the largest probability, 15 bins (k/15, (k + 1)/15] */
    RMIL_CLASSES_METRICS
} RmilClassesMetric;
/* Of one class against the rest; sensitivity, specificity and F1 of the predicted classes. */
typedef enum {
    RMIL_CLASS_AUROC,
    RMIL_CLASS_AVERAGE_PRECISION,
    RMIL_CLASS_SENSITIVITY,
    RMIL_CLASS_SPECIFICITY,
    RMIL_CLASS_F1,
    RMIL_CLASS_METRICS
} RmilClassMetric;
RMIL_API const char *rmil_classes_metric_key(RmilClassesMetric metric);  /* in files: "auroc_macro" */
RMIL_API const char *rmil_classes_metric_name(RmilClassesMetric metric); /* for readers: "AUROC, mean over classes" */
RMIL_API const char *rmil_class_metric_key(RmilClassMetric metric);
RMIL_API const char *rmil_class_metric_name(RmilClassMetric metric);

typedef struct {
    int classes;
    int64_t cases, count[RMIL_CLASSES_MOST]; /* in all, and with each label */
    double all[RMIL_CLASSES_METRICS], one[RMIL_CLASSES_MOST][RMIL_CLASS_METRICS];
    int64_t confusion[RMIL_CLASSES_MOST][RMIL_CLASSES_MOST]; /* [label][prediction] */
} RmilClassMetrics;
/* labels: n of 0 … C − 1; probabilities: n × C, row by row; C: 2 … RMIL_CLASSES_MOST. Another label, or C, leaves nothing defined. */
RMIL_API void rmil_class_metrics(const int *labels, const double *probabilities, int64_t n, int classes, RmilClassMetrics *metrics);
RMIL_API int rmil_class_predicted(const double *probabilities, int classes); /* the most probable, of several the first */

typedef struct {
    RmilInterval all[RMIL_CLASSES_METRICS], one[RMIL_CLASSES_MOST][RMIL_CLASS_METRICS];
} RmilClassIntervals;
/* Shares (accuracy, sensitivity, specificity) of patients with one case each have Wilson's interval, all else the bootstrap's. Where all
 * resamples agree: Wilson's of shares and average precision, Newcombe's of AUROCs, with the numbers of patients (a mean over classes: of
 * its smallest class); of what is neither, none. */
RMIL_API void rmil_class_intervals(const int *labels, const double *probabilities, int64_t n, int classes, const RmilBootstrap *bootstrap,
                                   RmilClassIntervals *intervals);

/* -- cut-offs of two classes ------------------------------------------------------------------------------------------------ */
/* At "positive where score ≥ threshold", as a cut-off is meant that was chosen among scores (rmil_metrics of evaluate.h says
 * score > cut, the paper's). */
typedef struct {
    double threshold, sensitivity, specificity;
} RmilCut;
/* Among the scores that occur: the largest sensitivity + specificity − 1, of several the highest threshold (Youden 1950); the highest with a
 * sensitivity of at least `least`; the lowest with a specificity of at least `least`. FALSE, all NaN: a label is missing, a score is NaN,
 * or no threshold reaches it. */
RMIL_API gboolean rmil_cut_youden(const int *labels, const double *scores, int64_t n, RmilCut *cut);
RMIL_API gboolean rmil_cut_sensitivity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut);
RMIL_API gboolean rmil_cut_specificity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut);
typedef struct {
    int64_t true_positives, false_positives, true_negatives, false_negatives;
    double accuracy, balanced_accuracy, sensitivity, specificity;
    double ppv, npv; /* positive and negative predictive value, at the share of positives that these cases have */
    double f1;
} RmilCutMetrics;
RMIL_API void rmil_cut_metrics(const int *labels, const double *scores, int64_t n, double threshold, RmilCutMetrics *metrics);

/* -- calibration ------------------------------------------------------------------------------------------------------------ */
/* The T > 0 that makes the mean negative log-likelihood of softmax(logits / T) smallest (Guo et al. 2017); logits: n × columns, labels
 * 0 … columns − 1; one column: sigmoid, labels 0 and 1. NaN where there is none: every case right (T would fall to 0), or logits that
 * tell nothing (T would grow for ever). */
RMIL_API double rmil_temperature(const int *labels, const double *logits, int64_t n, int columns);
/* One case: columns probabilities, of one column the positive's. */
RMIL_API void rmil_temper(const double *logits, int columns, double temperature, double *probabilities);
/* p = sigmoid(a f + b) of greatest likelihood for labels 0 and 1, or (smoothed) for Platt's targets (n₁ + 1)/(n₁ + 2) and 1/(n₀ + 2)
 * (Platt 1999), which are finite for separated labels, too. FALSE, a and b NaN: a label is missing, all scores are equal, one is not
 * finite; unless smoothed also where a threshold separates the labels. */
RMIL_API gboolean rmil_platt(const int *labels, const double *scores, int64_t n, gboolean smoothed, double *a, double *b);

typedef struct {
    double low, high;      /* of the bin: (low, high], the first with 0 */
    int64_t n;             /* cases in it; of 0 the rest is NaN */
    double mean, share;    /* of the probabilities; of the cases in which it happened */
    RmilInterval interval; /* of the share, Wilson's */
} RmilReliabilityBin;
/* Reliability diagram: in equal bins of probability, how often what was predicted happened. happened: 0 or not 0; of two classes label and
 * probability of the positive, of more correct or not and the largest probability. FALSE, bins empty: a value outside [0, 1]. */
RMIL_API gboolean rmil_reliability(const int *happened, const double *probabilities, int64_t n, int bins, double confidence,
                                   RmilReliabilityBin *bin);
/* Net benefit of calling positive where probability ≥ threshold: TP/n − FP/n · t/(1 − t); `all`: of calling everybody positive; nobody: 0
 * (Vickers and Elkin, Med Decis Making 2006;26:565). thresholds inside [0, 1); elsewhere NaN. all may be NULL. */
RMIL_API void rmil_decision_curve(const int *labels, const double *probabilities, int64_t n, const double *thresholds, int points,
                                  double *benefit, double *all);

/* -- time to an event --------------------------------------------------------------------------------------------------------- */
/* time > 0; event TRUE: it happened then, FALSE: censored then. A higher risk means an earlier event. */

/* One case's negative log-likelihood in discrete time (Zadeh and Schmid 2020; nll_loss of MCAT and PORPOISE): hazards sigmoid(logits) of the
 * bins, S_k = Π_{l ≤ k} (1 − h_l); bin: that of its time; (1 − alpha)(u + v) + alpha u with u = −log S_{bin−1} − log h_bin of an event,
 * v = −log S_bin of a censored case, each argument of log at least 1e-7 (gradient 0 there). gradient (bins, by the logits): or NULL. */
RMIL_API double rmil_hazard_loss(const double *logits, int bins, int bin, gboolean event, double alpha, double *gradient);
/* Of one case: survival S (bins; or NULL), and the risk −Σ S. */
RMIL_API double rmil_hazard_risk(const double *logits, int bins, double *survival);
/* Edges (bins + 1) of bins with equal numbers of events: quantiles of the times with an event, interpolated linearly, the first and the last
 * 1e-6 beyond all times (MCAT). FALSE: too few different times with an event for so many bins, or a time that is no number. */
RMIL_API gboolean rmil_time_bins(const double *times, const gboolean *events, int64_t n, int bins, double *edges);
RMIL_API int rmil_time_bin(const double *edges, int bins, double t); /* edge b ≤ t < edge b + 1; beyond the edges the first, the last */

/* Minus Cox's log partial likelihood, summed over the events, at risk: t_j ≥ t_i; ties as Breslow or Efron take them; 0 without events.
 * risk: log hazard ratios. gradient (n, by the risks): or NULL. NaN: a NaN among risks and times, or no memory. */
RMIL_API double rmil_cox_loss(const double *risk, const double *time, const gboolean *event, int64_t n, gboolean efron, double *gradient);
/* Breslow's baseline: cumulative hazard at those times (ascending) of a case of risk 0; another's survival there is
 * exp(−hazard · exp(risk)). */
RMIL_API gboolean rmil_cox_baseline(const double *risk, const double *time, const gboolean *event, int64_t n, const double *times,
                                    int n_times, double *hazard);

typedef struct {
    double c_index; /* NaN: no pair can be compared */
    int64_t concordant, discordant, tied_risk, tied_time;
} RmilConcordance;
/* Harrell's c-index: of the pairs in which i has an event before j's time, or when j is censored, the share in which i has the higher risk,
 * equal risks half. tied_time: the (event, censored) pairs of one time. O(n log n). */
RMIL_API void rmil_c_index(const double *time, const gboolean *event, const double *risk, int64_t n, RmilConcordance *concordance);
/* Uno's (Stat Med 2011;30:1105): the same pairs, weighted by 1/G(t_i)², of events before tau (INFINITY: all). G: Kaplan-Meier of the
 * censoring in the training set; at one time events come before censorings. NaN where G falls to 0 before an event: take a smaller tau. */
RMIL_API void rmil_uno_c_index(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time,
                               const gboolean *event, const double *risk, int64_t n, double tau, RmilConcordance *concordance);
/* Of Harrell's. Where all resamples agree: Wilson's, with the patients that have an event. */
RMIL_API RmilInterval rmil_c_index_interval(const double *time, const gboolean *event, const double *risk, int64_t n,
                                            const RmilBootstrap *bootstrap);

typedef struct {
    double time;
    int64_t at_risk, events; /* before and at that time */
    double survival, se;     /* Kaplan-Meier's estimate; Greenwood's standard error, NaN where survival is 0 */
    double low, high;        /* log-log interval; both 1 where survival is 1, 0 where it is 0 */
} RmilSurvivalPoint;
/* At every time that occurs, ascending. GArray of RmilSurvivalPoint, empty where a time is NaN; free with g_array_unref. */
RMIL_API GArray *rmil_kaplan_meier(const double *time, const gboolean *event, int64_t n, double confidence);
RMIL_API double rmil_survival_median(const GArray *curve);       /* the first time with survival ≤ 0.5; NaN: it is not reached */
RMIL_API double rmil_survival_at(const GArray *curve, double t); /* 1 before the first time */
RMIL_API int64_t rmil_number_at_risk(const double *time, int64_t n, double t); /* cases with time ≥ t */
/* Log-rank test of groups 0 … groups − 1 (hypergeometric variance): chi-squared with as many degrees of freedom as groups have cases, less
 * one, and its p. FALSE, NaN: fewer than two groups, no event, a group outside that range, or no variance. */
RMIL_API gboolean rmil_logrank(const double *time, const gboolean *event, const int *group, int64_t n, int groups, double *chi_squared,
                               int *degrees, double *p);
/* Brier score at each of n_times ascending times, weighted by the inverse of the censoring (Graf et al. 1999): mean of
 * S² [t_i ≤ t, event]/G(t_i) + (1 − S)² [t_i > t]/G(t), G from the training set as in Uno's; survival: n × n_times. Gives its trapezoid
 * over times ÷ (last − first). NaN where G is 0. brier (n_times): or NULL. */
RMIL_API double rmil_integrated_brier(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time,
                                      const gboolean *event, int64_t n, const double *times, int n_times, const double *survival,
                                      double *brier);

/* -- numbers -------------------------------------------------------------------------------------------------------------------- */
typedef enum {
    RMIL_NUMBER_MAE,
    RMIL_NUMBER_RMSE,
    RMIL_NUMBER_R2,
    RMIL_NUMBER_PEARSON,
    RMIL_NUMBER_SPEARMAN,
    RMIL_NUMBER_METRICS
} RmilNumberMetric;
RMIL_API const char *rmil_number_metric_key(RmilNumberMetric metric);  /* "mae" */
RMIL_API const char *rmil_number_metric_name(RmilNumberMetric metric); /* "Mean absolute error" */
/* Mean absolute error, root of the mean squared error, R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², Pearson's r, Spearman's ρ (ties: mean ranks). R²
 * and correlations are undefined where the values they divide by do not vary. */
RMIL_API void rmil_number_metrics(const double *values, const double *predicted, int64_t n, double metrics[RMIL_NUMBER_METRICS]);
RMIL_API void rmil_number_intervals(const double *values, const double *predicted, int64_t n, const RmilBootstrap *bootstrap,
                                    RmilInterval intervals[RMIL_NUMBER_METRICS]);

G_END_DECLS
#endif
