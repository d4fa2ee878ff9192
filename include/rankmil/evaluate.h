/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: what a training yields for each slide; ranking metrics, confidence intervals, significance tests, localisation. */
#ifndef RANKMIL_EVALUATE_H
#define RANKMIL_EVALUATE_H

#include "decision.h"
#include "lesions.h"
#include "measures.h"
#include "outcome.h"

G_BEGIN_DECLS

/* -- what a training yields, by slide ----------------------------------------------------------------------------------- */
/* The prediction for one slide. Strings are borrowed. */
typedef struct {
    const char *slide; /* id */
    RmilSplit part;
    RmilTarget target;
    double probability, logit;        /* two classes: of label 1; else NaN */
    const char *patient;              /* NULL: unknown, the slide counts as a patient of its own */
    double answer;                    /* survival: risk; regression: the predicted number; else NaN */
    int count;                        /* number of values */
    double values[RMIL_OUTPUTS_MOST]; /* more than two classes: probability of each; discrete-time survival: S at the end of each bin */
    double times[RMIL_OUTPUTS_MOST];  /* survival: the ends of the bins */
} RmilPredictionRow;
/* The predicted class: the most probable one, the first one if several tie; −1 for survival and regression. */
RMIL_API int rmil_predicted_class(const RmilTask *task, const RmilPredictionRow *row);
/* The probability of a class, for any number of classes. */
RMIL_API double rmil_class_probability(const RmilTask *task, const RmilPredictionRow *row, int class);

/* Outputs of a slide that go beyond two classes, as named numbers: the form that the record and CSV tables use. */
typedef struct {
    const char *slide, *name;
    double value;
} RmilOutputRow;

/* Localisation on one annotated positive test slide at one alpha (percent of patches), from rmil_localisation below. */
typedef struct {
    const char *slide;
    double alpha, iou, dice, pointing;
} RmilLocalisationRow;

/* Attention on the same slides. lesion, elsewhere: mean attention on annotated and on other patches, times K (1: what every patch gets if
 * attention is uniform); NaN if there are no such patches. lesion_share: the share of all attention that lies on annotated patches. */
typedef struct {
    const char *slide;
    double lesion, elsewhere, lesion_share;
} RmilAttentionRow;

/* All functions here are pure and thread-safe. They keep no state, and curves are the only memory they return. Labels are 0 (negative) or
 * not 0 (positive). If a score is NaN, or memory runs out, all results are NaN and curves are empty. Infinite scores are ordinary scores.
 *
 * -- ranking: scores in any unit; ties are handled as in scikit-learn. NaN if undefined: AUROC, AUPRC and average precision need both
 * classes, sensitivity needs positives, specificity needs negatives. */
typedef struct {
    double auroc, auprc /* trapezoidal, as in the paper */, average_precision;
    double accuracy, sensitivity, specificity; /* at score > cut */
    int64_t positives, negatives;
} RmilMetrics;
RMIL_API void rmil_metrics(const int *labels, const double *scores, int64_t n, double cut, RmilMetrics *metrics);

typedef struct {
    double x, y, score; /* ROC: false and true positive rate; PR: recall and precision */
} RmilCurvePoint;
/* Curves with one point per distinct score, at which cases with at least that score are positive. The point at which no case is positive
 * has score +infinity. ROC: from (0, 0) to (1, 1), as scikit-learn's roc_curve with drop_intermediate=False. PR: from recall 1 to recall 0
 * with precision 1, as precision_recall_curve. Empty with one class. Returns a GArray of RmilCurvePoint; free with g_array_unref. */
RMIL_API GArray *rmil_roc_curve(const int *labels, const double *scores, int64_t n);
RMIL_API GArray *rmil_pr_curve(const int *labels, const double *scores, int64_t n);

/* -- confidence intervals ---------------------------------------------------------------------------------------------- */
/* All are undefined unless confidence is inside (0, 1). */

/* Wilson's score interval of a proportion of n cases (J Am Stat Assoc 1927;22:209): for 8 of 8 it is 0.676 to 1. share: in [0, 1]; may be a
 * mean of proportions of the same n cases. Undefined if n < 1. */
RMIL_API RmilInterval rmil_wilson(double share, int64_t n, double confidence);
/* The exact interval of a proportion, hits of n cases (Clopper and Pearson, Biometrika 1934;26:404). Its coverage is at least the nominal
 * one: for 8 of 8 it is 0.631 to 1. Undefined if n < 1 or hits is outside 0 … n. */
RMIL_API RmilInterval rmil_clopper_pearson(int64_t hits, int64_t n, double confidence);
/* The exact interval of a proportion whose cases come from patients with several each: Clopper and Pearson's with the effective number of
 * cases (Korn and Graubard, Survey Methodology 1998;24:193), at most the number of cases. If all cases agree, it is the number of
 * patients. hit (n): 1 for a case that counts, 0 for one that does not, in between for a mean over trainings, NaN for a case that is not
 * among those of the proportion. groups (n): as in RmilBootstrap (outcome.h); NULL: every case is a patient. method: "exact by patient";
 * "exact" if every patient has one case. Undefined without cases. */
RMIL_API RmilInterval rmil_share_of_patients(const double *hit, const int64_t *groups, int64_t n, double confidence);
/* Newcombe's interval of an AUROC (Stat Med 2006;25:559, method 5): the values that lie within z of their own standard errors (Hanley and
 * McNeil) from the estimate. Unlike DeLong's, it keeps a width if the classes are separated perfectly: with 8 and 8 cases, an AUROC of 1
 * has 0.756 to 1. Undefined without cases of both labels. */
RMIL_API RmilInterval rmil_newcombe(double auroc, int64_t positives, int64_t negatives, double confidence);
/* DeLong's variance of an AUROC, and the normal interval clipped to [0, 1], in O(n log n). If the variance is 0 (perfect separation, or all
 * scores equal) or undefined (only one case of a label), the interval is Newcombe's. */
RMIL_API void rmil_delong(const int *labels, const double *scores, int64_t n, double confidence, double *variance, RmilInterval *interval);
/* Intervals of all metrics. Accuracy, sensitivity and specificity: exact. AUROC, AUPRC and average precision: percentile bootstrap with
 * `rounds` resamples drawn from `seed`, stratified by label (each resample has as many positives and negatives as the data), quantiles
 * interpolated linearly; O(n) per round. If all resamples of one of these agree, its bootstrap interval would have no width and is
 * replaced: by Newcombe's for AUROC, by Wilson's with the positives as cases for AUPRC and average precision (Boyd, Eng and Page 2013,
 * with the score interval). The same seed gives the same intervals. Undefined if the metric is, or if rounds < 1. */
typedef struct {
    RmilInterval auroc, auprc, average_precision, accuracy, sensitivity, specificity;
} RmilMetricIntervals;
RMIL_API void rmil_metric_intervals(const int *labels, const double *scores, int64_t n, double cut, double confidence, int64_t rounds,
                                    uint64_t seed, RmilMetricIntervals *intervals);
/* The same for patients with several cases; groups as in RmilBootstrap (outcome.h). Accuracy, sensitivity and specificity:
 * rmil_share_of_patients. The others use resamples of patients, stratified by whether a patient has a positive case; method "patient
 * bootstrap". If all resamples agree, Newcombe's or Wilson's interval takes the numbers of patients (in total, with a positive case, with
 * a negative case). If groups is NULL, or every patient has one case, the result is that of rmil_metric_intervals. */
RMIL_API void rmil_metric_intervals_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double cut,
                                            double confidence, int64_t rounds, uint64_t seed, RmilMetricIntervals *intervals);
/* Pointwise confidence band of the ROC curve from `rounds` resamples of the cases, stratified by label. low, high (points ≥ 2): quantiles
 * of the sensitivity at evenly spaced false positive rates 0 … 1; at each rate, the highest sensitivity reached at that rate or below.
 * Returns FALSE if a class is missing, a score is NaN, points or rounds is too small, or memory runs out. */
RMIL_API gboolean rmil_roc_band(const int *labels, const double *scores, int64_t n, double confidence, int64_t rounds, uint64_t seed,
                                int points, double *low, double *high);
/* DeLong's test of the difference between the AUROCs of two scores a and b of the same cases. z is positive if a ranks better; p is
 * two-sided; standard_error (may be NULL) is that of the difference. Equal rankings give z 0 and p 1. All are NaN if a label has fewer than
 * two cases. z and p are NaN if the variance is 0 but the AUROCs differ (one perfect, the other perfectly reversed), because the test then
 * has no answer. */
RMIL_API void rmil_delong_test(const int *labels, const double *a, const double *b, int64_t n, double *z, double *p,
                               double *standard_error);

/* The same two for patients with several cases (Obuchowski, Biometrics 1997;53:567): placement values are summed by patient. groups as in
 * RmilBootstrap. The method is "DeLong by patient"; Newcombe's interval takes the numbers of patients with cases of each label. */
RMIL_API void rmil_delong_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double confidence,
                                  double *variance, RmilInterval *interval);
RMIL_API void rmil_delong_test_grouped(const int *labels, const double *a, const double *b, int64_t n, const int64_t *groups, double *z,
                                       double *p, double *standard_error);

/* -- significance tests: the same results as SciPy ------------------------------------------------------------------------ */
/* mannwhitneyu(x, y, alternative="two-sided", method="auto"): u is U of x. The p value is exact if the smaller sample has at most 8 values
 * and there are no ties, else normal with tie and continuity correction. NaN if a sample is empty or holds a NaN. */
RMIL_API void rmil_mann_whitney(const double *x, int64_t nx, const double *y, int64_t ny, double *u, double *p);
/* wilcoxon(x, y), paired, two-sided, zero_method="wilcox", without continuity correction, method="auto" as in SciPy 1.13 and later. w is
 * the smaller rank sum. The p value is exact for up to 50 pairs without ties and zeros, and for up to 13 pairs with them (all signs are
 * enumerated); else normal with tie correction. If no pair differs, w is 0 and p is 1. */
RMIL_API void rmil_wilcoxon(const double *x, const double *y, int64_t n, double *w, double *p);
/* Holm's step-down correction of n p values into adjusted (n). NaN stays NaN and does not count as a test. */
RMIL_API void rmil_holm(const double *p, int64_t n, double *adjusted);

/* -- summary numbers ----------------------------------------------------------------------------------------------------- */
/* Mean and SD (n − 1) of values[0], values[stride], … (n of them), leaving out NaN. NaN if too few are left: none for the mean, one for
 * the SD. */
RMIL_API void rmil_mean_sd(const double *values, int64_t n, int stride, double *mean, double *sd);
/* Quantile q (0 … 1) of n ≥ 1 ascending values, interpolated linearly, as NumPy does by default. */
RMIL_API double rmil_quantile(const double *sorted, int64_t n, double q);
RMIL_API int rmil_compare_doubles(gconstpointer a, gconstpointer b); /* ascending, for qsort; no NaN */

/* -- localisation (paper, "Attention Localization") ---------------------------------------------------------------------- */
/* Localisation on one positive slide with K patches, from attention and patch labels (not 0: annotated). alphas: n_alphas, in percent. IoU
 * and Dice select the patches with the highest attention, alpha % as many as are annotated. The pointing game (1: hit, 0: miss) selects the
 * top alpha % of all patches. Counts are rounded down, to at least one patch; ties are resolved by patch order. iou, dice, pointing
 * (n_alphas each): NaN if no patch is annotated. Average them over slides. */
RMIL_API void rmil_localisation(const float *attention, const uint8_t *labels, int64_t k, const double *alphas, int n_alphas, double *iou,
                                double *dice, double *pointing);

G_END_DECLS
#endif
