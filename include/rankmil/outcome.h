/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: metrics for classification, survival and regression, with confidence intervals that resample patients; cut-offs and
 * calibration. Part of evaluate.h. */
#ifndef RANKMIL_OUTCOME_H
#define RANKMIL_OUTCOME_H

#include "cohort.h"

G_BEGIN_DECLS

/* All functions here are pure and thread-safe, as in evaluate.h. An undefined result is NaN, never 0: for example a metric of a class that
 * does not occur, or a c-index without comparable pairs. If any input is NaN, or memory runs out, all results are undefined. Arrays belong
 * to the caller. The numbers agree with scikit-learn, scikit-survival, lifelines and PyTorch (tests/golden/tasks). */

/* -- confidence intervals by resampling patients ---------------------------------------------------------------------------- */
typedef struct {
    double low, high;   /* NaN if undefined */
    const char *method; /* "exact", "DeLong", "Wilson", "Newcombe", "bootstrap", "patient bootstrap", …; static. NULL if undefined */
} RmilInterval;

/* Settings of the percentile bootstrap. Each resample draws as many patients as there are, with replacement, and takes all their cases.
 * Classification is stratified by the highest class among a patient's cases, and survival by whether any of them has an event, so that no
 * class vanishes; regression is not stratified. Quantiles are interpolated linearly. The same seed gives the same intervals. Resamples in
 * which a metric is undefined do not count; if more than half are lost that way, or the metric itself is undefined, so is its interval. */
typedef struct {
    const int64_t *groups; /* n: one number per case, equal for cases of the same patient. NULL: every case is a patient of its own */
    double confidence;     /* inside (0, 1) */
    int64_t rounds;        /* number of resamples, ≥ 1 */
    uint64_t seed;
} RmilBootstrap;

/* -- patients ------------------------------------------------------------------------------------------------------------- */
/* How the predictions for a patient's slides are combined: the highest, the mean, or noisy-or, 1 − Π (1 − p), the probability that at
 * least one slide is positive if slides are independent. */
typedef enum { RMIL_POOL_HIGHEST, RMIL_POOL_MEAN, RMIL_POOL_NOISY_OR, RMIL_POOLS } RmilPool;
RMIL_API const char *rmil_pool_name(RmilPool rule); /* "highest", "mean", "noisy-or" */
/* Numbers the patients 0 … P − 1 in order of first appearance, stores each case's number in rows (n), and returns P, or −1 if memory runs
 * out. */
RMIL_API int64_t rmil_patient_rows(const int64_t *groups, int64_t n, int64_t *rows);
/* Combines values of cases (n × columns, row-major) into pooled (patients × columns). rows: from rmil_patient_rows.
 * 1 column: any numbers, such as risks or probabilities of the positive class; noisy-or needs values in [0, 1].
 * 2 columns: probabilities of two classes. The second is pooled; the first becomes 1 minus it.
 * More: class probabilities. RMIL_POOL_HIGHEST takes the highest of each class and rescales them to sum to 1.
 * Errors: ARGUMENT for noisy-or with more than two columns, DATA for noisy-or with values outside [0, 1], MEMORY. */
RMIL_API gboolean rmil_patient_pool(const double *values, int64_t n, int columns, const int64_t *rows, int64_t patients, RmilPool rule,
                                    double *pooled, GError **error);
/* pooled (patients): the highest label among each patient's cases; −1 (unknown) if none of them has a label. */
RMIL_API void rmil_patient_labels(const int *labels, int64_t n, const int64_t *rows, int64_t patients, int *pooled);

/* -- classes -------------------------------------------------------------------------------------------------------------- */
/* Metrics over all classes. A mean over classes leaves out classes for which the metric is undefined. */
typedef enum {
    RMIL_CLASSES_AUROC,             /* one-vs-rest; mean over classes that have both positive and negative cases */
    RMIL_CLASSES_AUROC_WEIGHTED,    /* the same, weighted by the number of cases in each class */
    RMIL_CLASSES_AUROC_PAIRS,       /* one-vs-one; mean over pairs of classes that occur (Hand and Till 2001) */
    RMIL_CLASSES_AVERAGE_PRECISION, /* step-wise; mean over classes that occur */
    RMIL_CLASSES_ACCURACY,          /* of the most probable class; the first one if several tie */
    RMIL_CLASSES_BALANCED_ACCURACY, /* mean sensitivity */
    RMIL_CLASSES_KAPPA,             /* Cohen's kappa over all C classes */
    RMIL_CLASSES_KAPPA_LINEAR,      /* the same with weights |i − j|, for ordered classes */
    RMIL_CLASSES_KAPPA_QUADRATIC,   /* the same with weights (i − j)² */
    RMIL_CLASSES_F1,                /* mean over classes that occur as a label or a prediction; 0 if precision and recall are both 0 */
    RMIL_CLASSES_F1_ALL,            /* mean over all C classes; a class that does not occur counts as 0 */
    RMIL_CLASSES_LOG_LOSS,          /* natural logarithm; probabilities are clipped at 2.220446049250313e-16 from below */
    RMIL_CLASSES_BRIER,             /* squared errors summed over classes, mean over cases: 0 … 2 */
    RMIL_CLASSES_ECE,               /* expected calibration error of the largest probability, 15 bins (k/15, (k + 1)/15] */
    RMIL_CLASSES_METRICS
} RmilClassesMetric;
/* Metrics of one class against the rest. Sensitivity, specificity and F1 are those of the predicted class. */
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
    int64_t cases, count[RMIL_CLASSES_MOST]; /* number of cases: in total, and per label */
    double all[RMIL_CLASSES_METRICS], one[RMIL_CLASSES_MOST][RMIL_CLASS_METRICS];
    int64_t confusion[RMIL_CLASSES_MOST][RMIL_CLASSES_MOST]; /* [label][prediction] */
} RmilClassMetrics;
/* labels: n, each in 0 … C − 1; probabilities: n × C, row-major; C: 2 … RMIL_CLASSES_MOST. With a label or a C out of range, every metric
 * is NaN. */
RMIL_API void rmil_class_metrics(const int *labels, const double *probabilities, int64_t n, int classes, RmilClassMetrics *metrics);
RMIL_API int rmil_class_predicted(const double *probabilities, int classes); /* the most probable class; the first one if several tie */

typedef struct {
    RmilInterval all[RMIL_CLASSES_METRICS], one[RMIL_CLASSES_MOST][RMIL_CLASS_METRICS];
} RmilClassIntervals;
/* Accuracy, sensitivity and specificity get exact intervals (rmil_share_of_patients); all others are bootstrapped. If all resamples
 * agree, the bootstrap interval would have no width. It is then replaced, with patients as the sample size (for a mean over classes:
 * those of the smallest class): Newcombe's for AUROC, Wilson's for balanced accuracy and average precision, undefined for the other
 * metrics. */
RMIL_API void rmil_class_intervals(const int *labels, const double *probabilities, int64_t n, int classes, const RmilBootstrap *bootstrap,
                                   RmilClassIntervals *intervals);

/* -- cut-offs for two classes ----------------------------------------------------------------------------------------------- */
/* A case is positive if score ≥ threshold, because these thresholds are chosen among the scores. (rmil_metrics in evaluate.h uses
 * score > cut, as the paper does.) labels: 0 (negative) or not 0 (positive). */
typedef struct {
    double threshold, sensitivity, specificity;
} RmilCut;
/* Choose a threshold among the scores that occur. youden: the highest threshold with the largest sensitivity + specificity − 1 (Youden
 * 1950). sensitivity: the highest threshold with sensitivity ≥ least. specificity: the lowest threshold with specificity ≥ least.
 * Return FALSE, with NaN in *cut, if a label is missing, a score is NaN, or no threshold reaches `least`. */
RMIL_API gboolean rmil_cut_youden(const int *labels, const double *scores, int64_t n, RmilCut *cut);
RMIL_API gboolean rmil_cut_sensitivity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut);
RMIL_API gboolean rmil_cut_specificity(const int *labels, const double *scores, int64_t n, double least, RmilCut *cut);
typedef struct {
    int64_t true_positives, false_positives, true_negatives, false_negatives;
    double accuracy, balanced_accuracy, sensitivity, specificity;
    double ppv, npv; /* positive and negative predictive value at the prevalence of these cases */
    double f1;
} RmilCutMetrics;
RMIL_API void rmil_cut_metrics(const int *labels, const double *scores, int64_t n, double threshold, RmilCutMetrics *metrics);

/* -- calibration ------------------------------------------------------------------------------------------------------------ */
/* Temperature scaling: returns the T > 0 that minimises the mean negative log-likelihood of softmax(logits / T) (Guo et al. 2017).
 * logits: n × columns; labels: 0 … columns − 1. With one column, sigmoid and labels 0 and 1. Returns NaN if there is no finite optimum:
 * every case is classified correctly (T would go to 0), or the logits carry no information (T would go to infinity). */
RMIL_API double rmil_temperature(const int *labels, const double *logits, int64_t n, int columns);
/* Probabilities of one case at that temperature (columns values; with one column, that of the positive class). */
RMIL_API void rmil_temper(const double *logits, int columns, double temperature, double *probabilities);
/* Platt scaling: the maximum-likelihood fit of p = sigmoid(a f + b) to labels 0 and 1 or, if smoothed, to Platt's targets (n₁ + 1)/(n₁ + 2)
 * and 1/(n₀ + 2) (Platt 1999), which give a finite fit even for separated labels. Returns FALSE, with NaN in a and b, if a label is
 * missing, all scores are equal, a score is not finite, or, unless smoothed, a threshold separates the labels. */
RMIL_API gboolean rmil_platt(const int *labels, const double *scores, int64_t n, gboolean smoothed, double *a, double *b);

typedef struct {
    double low, high;      /* the bin is (low, high]; the first one includes 0 */
    int64_t n;             /* cases in the bin; if 0, the values below are NaN */
    double mean, share;    /* mean predicted probability; observed frequency */
    RmilInterval interval; /* exact interval of share, of cases */
} RmilReliabilityBin;
/* Reliability diagram with `bins` bins of equal width: how often the predicted outcome happened. happened: 0 or not 0. For two classes,
 * pass the labels and the probabilities of the positive class; for more, whether the prediction was correct and the largest probability.
 * Returns FALSE, with empty bins, if a probability is outside [0, 1]. */
RMIL_API gboolean rmil_reliability(const int *happened, const double *probabilities, int64_t n, int bins, double confidence,
                                   RmilReliabilityBin *bin);
/* Decision curve (Vickers and Elkin, Med Decis Making 2006;26:565). benefit (points): the net benefit TP/n − FP/n · t/(1 − t) of calling a
 * case positive if probability ≥ t, for each threshold t. all (points; may be NULL): the net benefit of calling every case positive.
 * Calling none positive has net benefit 0. Thresholds outside [0, 1) give NaN. */
RMIL_API void rmil_decision_curve(const int *labels, const double *probabilities, int64_t n, const double *thresholds, int points,
                                  double *benefit, double *all);

/* -- survival ----------------------------------------------------------------------------------------------------------------- */
/* time > 0, in any unit. event: TRUE if it happened at `time`, FALSE if the case was censored then. A higher risk means an earlier
 * event. */

/* Negative log-likelihood of one case in discrete time (Zadeh and Schmid 2020; nll_loss of MCAT and PORPOISE). Hazards are
 * h = sigmoid(logits), one per bin; S_k = Π_{l ≤ k} (1 − h_l); bin: the bin of the case's time. The loss is (1 − alpha)(u + v) + alpha u,
 * with u = −log S_{bin−1} − log h_bin for an event and v = −log S_bin for a censored case. Arguments of log are clipped at 1e-7 from below,
 * where the gradient is 0. gradient (bins; may be NULL): derivative with respect to the logits. */
RMIL_API double rmil_hazard_loss(const double *logits, int bins, int bin, gboolean event, double alpha, double *gradient);
/* Returns the risk −Σ S of one case. survival (bins; may be NULL): S at the end of each bin. */
RMIL_API double rmil_hazard_risk(const double *logits, int bins, double *survival);
/* edges (bins + 1): boundaries of bins with equal numbers of events, at linearly interpolated quantiles of the event times; the outer
 * edges lie 1e-6 outside the range of all times (MCAT). Returns FALSE, with edges unspecified, if there are too few distinct event times
 * for that many bins, or a time is not finite. */
RMIL_API gboolean rmil_time_bins(const double *times, const gboolean *events, int64_t n, int bins, double *edges);
/* The bin b with edges[b] ≤ t < edges[b + 1]. Times outside all bins belong to the first or the last bin. */
RMIL_API int rmil_time_bin(const double *edges, int bins, double t);

/* Negative Cox log partial likelihood, summed over events. The risk set of event i is t_j ≥ t_i. Ties: Efron's method if efron, else
 * Breslow's. 0 without events. risk: log hazard ratios. gradient (n; may be NULL): derivative with respect to the risks. Returns NaN if a
 * risk or time is NaN, or memory runs out. */
RMIL_API double rmil_cox_loss(const double *risk, const double *time, const gboolean *event, int64_t n, gboolean efron, double *gradient);
/* Breslow's cumulative baseline hazard (risk 0) at `times` (n_times, ascending) in hazard (n_times). The survival of a case with another
 * risk is exp(−hazard · exp(risk)). Returns FALSE if there are no cases, a risk or time is NaN, or memory runs out. */
RMIL_API gboolean rmil_cox_baseline(const double *risk, const double *time, const gboolean *event, int64_t n, const double *times,
                                    int n_times, double *hazard);

typedef struct {
    double c_index; /* NaN if there is no comparable pair */
    int64_t concordant, discordant, tied_risk, tied_time;
} RmilConcordance;
/* Harrell's c-index, in O(n log n). A pair is comparable if i has an event, and j's time is later, or equal with j censored. The c-index is
 * the share of comparable pairs in which i has the higher risk; equal risks count half. tied_time: pairs of an event and a censored case
 * at the same time. */
RMIL_API void rmil_c_index(const double *time, const gboolean *event, const double *risk, int64_t n, RmilConcordance *concordance);
/* Uno's c-index (Stat Med 2011;30:1105): the same pairs, restricted to events before tau (INFINITY: all) and weighted by 1/G(t_i)².
 * G: Kaplan-Meier estimate of the censoring distribution in the training set; at equal times, events precede censorings. NaN if G reaches 0
 * before an event; use a smaller tau then. */
RMIL_API void rmil_uno_c_index(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time,
                               const gboolean *event, const double *risk, int64_t n, double tau, RmilConcordance *concordance);
/* Bootstrap interval of Harrell's c-index. If all resamples agree: Wilson's, with the number of patients that have an event. */
RMIL_API RmilInterval rmil_c_index_interval(const double *time, const gboolean *event, const double *risk, int64_t n,
                                            const RmilBootstrap *bootstrap);

typedef struct {
    double time;
    int64_t at_risk, events; /* at risk just before `time`; events at it */
    double survival, se;     /* Kaplan-Meier estimate; Greenwood's standard error, NaN if survival is 0 */
    double low, high;        /* log-log interval; both are 1 if survival is 1, and 0 if it is 0 */
} RmilSurvivalPoint;
/* The Kaplan-Meier curve: one point per distinct time, ascending. Returns a GArray of RmilSurvivalPoint, empty if a time is NaN; free with
 * g_array_unref. */
RMIL_API GArray *rmil_kaplan_meier(const double *time, const gboolean *event, int64_t n, double confidence);
RMIL_API double rmil_survival_median(const GArray *curve);       /* the first time with survival ≤ 0.5; NaN if it is not reached */
RMIL_API double rmil_survival_at(const GArray *curve, double t); /* 1 before the first time */
RMIL_API int64_t rmil_number_at_risk(const double *time, int64_t n, double t); /* cases with time ≥ t */
/* Log-rank test of at most 64 groups numbered 0 … groups − 1, with the hypergeometric variance. degrees: the number of non-empty groups
 * minus 1. Returns FALSE, with NaN in chi_squared and p, if fewer than two groups have cases, there is no event, a group number is out of
 * range, or the variance is 0. */
RMIL_API gboolean rmil_logrank(const double *time, const gboolean *event, const int *group, int64_t n, int groups, double *chi_squared,
                               int *degrees, double *p);
/* Brier score of predicted survival with inverse probability of censoring weights (Graf et al. 1999): at each time t, the mean over cases
 * of S² [t_i ≤ t, event]/G(t_i) + (1 − S)² [t_i > t]/G(t), with G from the training set as in rmil_uno_c_index. times: n_times, ascending;
 * survival: n × n_times, row-major. Returns the integral over times by the trapezoidal rule, divided by (last − first). NaN if G is 0 where
 * it is needed, or if there are fewer than two times. brier (n_times; may be NULL): the score at each time. */
RMIL_API double rmil_integrated_brier(const double *train_time, const gboolean *train_event, int64_t n_train, const double *time,
                                      const gboolean *event, int64_t n, const double *times, int n_times, const double *survival,
                                      double *brier);

/* -- regression ----------------------------------------------------------------------------------------------------------------- */
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
/* Mean absolute error, root mean squared error, R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², Pearson's r, and Spearman's ρ (ties get mean ranks). R²
 * is NaN if the values do not vary; the correlations are NaN if the values or the predictions do not vary. All are NaN if an input is not
 * finite. */
RMIL_API void rmil_number_metrics(const double *values, const double *predicted, int64_t n, double metrics[RMIL_NUMBER_METRICS]);
/* Bootstrap intervals of these metrics; undefined if all resamples agree. */
RMIL_API void rmil_number_intervals(const double *values, const double *predicted, int64_t n, const RmilBootstrap *bootstrap,
                                    RmilInterval intervals[RMIL_NUMBER_METRICS]);

G_END_DECLS
#endif
