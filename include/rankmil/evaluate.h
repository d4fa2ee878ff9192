/* rankmil evaluate: ranking metrics, intervals, significance, localisation. */
#ifndef RANKMIL_EVALUATE_H
#define RANKMIL_EVALUATE_H

#include "base.h"

G_BEGIN_DECLS

/* -- ranking: labels 0/1, scores in any unit; ties count as scikit-learn counts them. NaN when undefined (one class). */
typedef struct {
    double auroc, auprc /* trapezoid, the paper's */, average_precision;
    double accuracy, sensitivity, specificity; /* at score > cut */
    int64_t positives, negatives;
} RmilMetrics;
RMIL_API void rmil_metrics(const int *labels, const double *scores, int64_t n, double cut, RmilMetrics *metrics);

typedef struct {
    double x, y, score; /* ROC: false and true positive rate; PR: recall and precision */
} RmilCurvePoint;
/* Curves with one point per distinct score (scikit-learn's roc_curve, drop_intermediate=False, and
 * precision_recall_curve). GArray of RmilCurvePoint; free with g_array_unref. */
RMIL_API GArray *rmil_roc_curve(const int *labels, const double *scores, int64_t n);
RMIL_API GArray *rmil_pr_curve(const int *labels, const double *scores, int64_t n);

/* -- intervals ------------------------------------------------------------------------------------------------------- */
typedef struct {
    double low, high;
} RmilInterval;
/* Percentile bootstrap, stratified by label, `rounds` resamples from `seed`; order of members as in RmilMetrics. */
typedef struct {
    RmilInterval auroc, auprc, average_precision, accuracy, sensitivity, specificity;
} RmilMetricIntervals;
RMIL_API void rmil_bootstrap(const int *labels, const double *scores, int64_t n, double cut, double confidence,
                             int64_t rounds, uint64_t seed, RmilMetricIntervals *intervals);
/* DeLong's variance of one AUROC and its normal interval, clipped to [0, 1]. */
RMIL_API void rmil_delong(const int *labels, const double *scores, int64_t n, double confidence, double *variance,
                          RmilInterval *interval);
/* DeLong's test of two scores of the same cases: z and two-sided p. */
RMIL_API void rmil_delong_test(const int *labels, const double *a, const double *b, int64_t n, double *z, double *p);

/* -- significance: SciPy's results --------------------------------------------------------------------------------------- */
/* mannwhitneyu(x, y, alternative="two-sided", method="auto"): U of x. */
RMIL_API void rmil_mann_whitney(const double *x, int64_t nx, const double *y, int64_t ny, double *u, double *p);
/* wilcoxon(x, y) paired, two-sided, zero_method="wilcox", mode="auto". */
RMIL_API void rmil_wilcoxon(const double *x, const double *y, int64_t n, double *w, double *p);
/* Holm's step-down correction: adjusted[i] for p[i]. */
RMIL_API void rmil_holm(const double *p, int64_t n, double *adjusted);

/* -- localisation (paper, "Attention Localization") ---------------------------------------------------------------------- */
/* For one positive slide: attention and labels of K patches (at least one annotated). IoU and Dice take the top
 * α % of the number of annotated patches, the pointing game the top α % of all patches (at least one patch each; ties
 * by patch order). alphas in percent. */
RMIL_API void rmil_localisation(const float *attention, const uint8_t *labels, int64_t k, const double *alphas,
                                int n_alphas, double *iou, double *dice, double *pointing);

G_END_DECLS
#endif
