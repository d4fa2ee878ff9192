/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: ranking metrics, intervals, significance, localisation. */
#ifndef RANKMIL_EVALUATE_H
#define RANKMIL_EVALUATE_H

#include "decision.h"
#include "lesions.h"
#include "measures.h"
#include "outcome.h"

G_BEGIN_DECLS

/* -- what a training leaves, by slide ----------------------------------------------------------------------------------- */
typedef struct {
    const char *slide; /* id */
    RmilSplit part;
    RmilTarget target;
    double probability, logit;        /* of two classes, of label 1; else NaN */
    const char *patient;              /* NULL: not known, the slide stands for itself */
    double answer;                    /* survival: risk; a number: that; else NaN */
    int count;                        /* of values */
    double values[RMIL_OUTPUTS_MOST]; /* more than two classes: the probability of each; survival: S at the end of each bin; else none */
    double times[RMIL_OUTPUTS_MOST];  /* survival: those ends */
} RmilPredictionRow;
/* What is predicted of the row: the class of the highest probability, the first of equal ones; −1: no classes. */
RMIL_API int rmil_predicted_class(const RmilTask *task, const RmilPredictionRow *row);
/* The probability of a class, two classes included. */
RMIL_API double rmil_class_probability(const RmilTask *task, const RmilPredictionRow *row, int class);

/* Of each slide, what the row above has beyond two classes: named numbers, as records and tables have them. */
typedef struct {
    const char *slide, *name;
    double value;
} RmilOutputRow;

/* Of each annotated positive test slide, per share of patches (percent): rmil_localisation, below. */
typedef struct {
    const char *slide;
    double alpha, iou, dice, pointing;
} RmilLocalisationRow;

/* Of the same slides: mean attention on annotated and on other patches, times K (1: what each patch would get if all counted the
 * same; NaN where there is no such patch), and the share of all attention that lies on annotated patches. */
typedef struct {
    const char *slide;
    double lesion, elsewhere, lesion_share;
} RmilAttentionRow;

/* Every function here is pure: no state, callable from any thread, no allocation that outlives it except the curves.
 * Labels are 0 (negative) or not 0 (positive). A NaN among the scores leaves nothing defined: all results are NaN, curves
 * are empty. Infinite scores are ordinary scores.
 *
 * -- ranking: scores in any unit; ties count as scikit-learn counts them. NaN when undefined: with one class there is no
 * AUROC, AUPRC or average precision, without positives no sensitivity, without negatives no specificity. */
typedef struct {
    double auroc, auprc /* trapezoid, the paper's */, average_precision;
    double accuracy, sensitivity, specificity; /* at score > cut */
    int64_t positives, negatives;
} RmilMetrics;
RMIL_API void rmil_metrics(const int *labels, const double *scores, int64_t n, double cut, RmilMetrics *metrics);

typedef struct {
    double x, y, score; /* ROC: false and true positive rate; PR: recall and precision */
} RmilCurvePoint;
/* Curves with one point per distinct score, the case "score ≥ that one is positive" (scikit-learn's roc_curve with
 * drop_intermediate=False, from (0, 0) to (1, 1), and precision_recall_curve, from recall 1 to recall 0, precision 1);
 * the point where nothing is positive has score +infinity. Empty with one class. GArray of RmilCurvePoint; free with
 * g_array_unref. */
RMIL_API GArray *rmil_roc_curve(const int *labels, const double *scores, int64_t n);
RMIL_API GArray *rmil_pr_curve(const int *labels, const double *scores, int64_t n);

/* -- intervals ------------------------------------------------------------------------------------------------------- */
/* Wilson's score interval of a share of n cases (J Am Stat Assoc 1927;22:209): 8 of 8 is 0.676 to 1. share: in [0, 1], also a
 * mean of shares of the same n cases. Undefined with n < 1. */
RMIL_API RmilInterval rmil_wilson(double share, int64_t n, double confidence);
/* The exact interval of hits among n cases (Clopper and Pearson, Biometrika 1934;26:404), never shorter than it says: 8 of 8 is 0.631 to
 * 1. Undefined with n < 1, or hits outside 0 … n. */
RMIL_API RmilInterval rmil_clopper_pearson(int64_t hits, int64_t n, double confidence);
/* The exact interval of a share whose cases come from patients with several each: Clopper and Pearson's with the effective number of
 * cases (Korn and Graubard, Survey Methodology 1998;24:193), at most the number of cases. hit (n): 1 for a case that counts, 0 for one that does
 * not, between them a mean over trainings, NaN for a case that the share is not of. groups (n): as in RmilBootstrap; NULL: every case
 * is a patient. If all cases agree, the effective number is that of the patients. method: "exact by patient"; "exact"
 * where every patient has one case. Undefined without cases. Thread-safe. */
RMIL_API RmilInterval rmil_share_of_patients(const double *hit, const int64_t *groups, int64_t n, double confidence);
/* Newcombe's interval of an AUROC (Stat Med 2006;25:559, method 5): those values from which the estimate is no further than z
 * of their own standard errors, by Hanley and McNeil's variance. It has a width where the labels are perfectly separated, too:
 * with 8 and 8 cases, 1 is 0.756 to 1. Undefined without cases of both labels. */
RMIL_API RmilInterval rmil_newcombe(double auroc, int64_t positives, int64_t negatives, double confidence);
/* DeLong's variance of one AUROC and its normal interval, clipped to [0, 1]; O(n log n). Where that variance is 0 (perfectly
 * separated labels, or all scores equal) or undefined (one case of a label), the interval is Newcombe's. */
RMIL_API void rmil_delong(const int *labels, const double *scores, int64_t n, double confidence, double *variance, RmilInterval *interval);
/* Of every metric. Shares (accuracy, sensitivity, specificity): Wilson's. AUROC, AUPRC and average precision: percentile
 * bootstrap, stratified by label (each resample has as many positives and negatives as the data), `rounds` resamples from
 * `seed`, quantiles interpolated linearly; O(n) per round. Where all resamples of them agree the bootstrap knows nothing: then
 * AUROC has Newcombe's interval, AUPRC and average precision Wilson's with the positives as cases (Boyd, Eng and Page 2013, with
 * the score interval). The same seed gives the same intervals. Undefined where the metric is, or when rounds < 1 or
 * confidence is not inside (0, 1). */
typedef struct {
    RmilInterval auroc, auprc, average_precision, accuracy, sensitivity, specificity;
} RmilMetricIntervals;
RMIL_API void rmil_metric_intervals(const int *labels, const double *scores, int64_t n, double cut, double confidence, int64_t rounds,
                                    uint64_t seed, RmilMetricIntervals *intervals);
/* The same of patients with several cases, groups as in RmilBootstrap (outcome.h): shares by rmil_share_of_patients, everything else by
 * resamples of patients, stratified by whether a patient has a positive case; method "patient bootstrap". If all resamples agree, the
 * intervals above, with the numbers of patients (in all, with a positive case, with a negative one). If groups is NULL or every patient
 * has one case, the same as above. */
RMIL_API void rmil_metric_intervals_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double cut,
                                            double confidence, int64_t rounds, uint64_t seed, RmilMetricIntervals *intervals);
/* Pointwise band of the ROC curve over `rounds` resamples of the cases, stratified by label: low and high (points each, at the false
 * positive rates 0 … 1, evenly) hold the quantiles of the highest sensitivity at a rate no higher. FALSE: a class is missing, a
 * score is NaN, or memory is short. */
RMIL_API gboolean rmil_roc_band(const int *labels, const double *scores, int64_t n, double confidence, int64_t rounds, uint64_t seed,
                                int points, double *low, double *high);
/* DeLong's test of two scores of the same cases: z (positive when a ranks better), two-sided p and, unless NULL, the standard error of the
 * difference between the AUROCs. Equal rankings: 0, 1.
 * NaN where the variance is 0 though the AUROCs differ (one perfect, one perfectly reversed): the test has no answer there. */
RMIL_API void rmil_delong_test(const int *labels, const double *a, const double *b, int64_t n, double *z, double *p,
                               double *standard_error);

/* Both for patients with several cases (Obuchowski, Biometrics 1997;53:567): placement values are summed by patient; groups as in
 * RmilBootstrap. Method "DeLong by patient"; Newcombe's with the numbers of patients that have cases of either label. */
RMIL_API void rmil_delong_grouped(const int *labels, const double *scores, int64_t n, const int64_t *groups, double confidence,
                                  double *variance, RmilInterval *interval);
RMIL_API void rmil_delong_test_grouped(const int *labels, const double *a, const double *b, int64_t n, const int64_t *groups, double *z,
                                       double *p, double *standard_error);

/* -- significance: SciPy's results --------------------------------------------------------------------------------------- */
/* mannwhitneyu(x, y, alternative="two-sided", method="auto"): U of x. Exact when the smaller sample has at most 8 values
 * and there are no ties, else normal with tie and continuity correction. NaN for an empty sample or a NaN in one. */
RMIL_API void rmil_mann_whitney(const double *x, int64_t nx, const double *y, int64_t ny, double *u, double *p);
/* wilcoxon(x, y), paired, two-sided, zero_method="wilcox", no continuity correction, method="auto" of SciPy 1.13 and
 * later: w is the smaller rank sum; exact up to 50 pairs without ties and zeros and up to 13 with them (all signs
 * enumerated), else normal with tie correction. No difference anywhere: w 0, p 1. */
RMIL_API void rmil_wilcoxon(const double *x, const double *y, int64_t n, double *w, double *p);
/* Holm's step-down correction: adjusted[i] for p[i]; NaN stays NaN and does not count as a test. */
RMIL_API void rmil_holm(const double *p, int64_t n, double *adjusted);

/* -- plain numbers ------------------------------------------------------------------------------------------------------- */
/* Of those of n values, stride apart, that are numbers: mean and SD (n − 1); NaN where there are too few. */
RMIL_API void rmil_mean_sd(const double *values, int64_t n, int stride, double *mean, double *sd);
/* Of n ≥ 1 values in ascending order, between neighbours interpolated linearly, as NumPy's default; q: 0 … 1. */
RMIL_API double rmil_quantile(const double *sorted, int64_t n, double q);
RMIL_API int rmil_compare_doubles(gconstpointer a, gconstpointer b); /* ascending, for qsort; no NaN */

/* -- localisation (paper, "Attention Localization") ---------------------------------------------------------------------- */
/* For one positive slide: attention and labels of K patches (at least one annotated). IoU and Dice take the top
 * α % of the number of annotated patches, the pointing game (1: hit, 0: miss) the top α % of all patches; rounded down,
 * at least one patch each; ties by patch order. alphas in percent. Without an annotated patch all are NaN. Average over
 * slides. */
RMIL_API void rmil_localisation(const float *attention, const uint8_t *labels, int64_t k, const double *alphas, int n_alphas, double *iou,
                                double *dice, double *pointing);

G_END_DECLS
#endif
