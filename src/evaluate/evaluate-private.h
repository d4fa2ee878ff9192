/* What the files of this room share: cases grouped by distinct score, and the normal distribution. */
#ifndef RMIL_EVALUATE_PRIVATE_H
#define RMIL_EVALUATE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/evaluate.h"

/* Cases of equal score count as one: every ranking metric depends only on how many positives and negatives each
 * distinct score has. Groups stand in descending order of score. */
typedef struct {
    int64_t groups, positives, negatives;
    double *score;      /* groups */
    int64_t *pos, *neg; /* groups: cases of each label */
    int64_t *group;     /* n: the group of each case */
} RmilRanking;

/* FALSE when a score is NaN or memory is short: then no metric is defined. Labels: 0, else positive. */
gboolean rmil_ranking_init(RmilRanking *ranking, const int *labels, const double *scores, int64_t n);
void rmil_ranking_clear(RmilRanking *ranking);
/* Metrics of the cases counted in pos and neg (groups each, of `positives` and `negatives` in all); the first `above`
 * groups are predicted positive. */
void rmil_ranking_metrics(int64_t groups, const int64_t *pos, const int64_t *neg, int64_t positives, int64_t negatives, int64_t above,
                          RmilMetrics *metrics);
/* How many of the leading groups have score > cut. */
int64_t rmil_ranking_above(const RmilRanking *ranking, double cut);

extern const RmilInterval rmil_interval_undefined;

double rmil_normal_upper(double z);    /* P(Z > z) */
double rmil_normal_quantile(double p); /* z with P(Z ≤ z) = p; 0 < p < 1 */

#endif
