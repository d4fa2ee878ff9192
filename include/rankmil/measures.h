/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: what is measured of the predictions of each task. Part of evaluate.h. */
#ifndef RANKMIL_MEASURES_H
#define RANKMIL_MEASURES_H

#include "outcome.h"

G_BEGIN_DECLS

#define RMIL_MEASURES_MOST 12
typedef struct {
    const char *name, *key; /* "AUROC"; "auroc", which files are named by */
    gboolean lower;         /* lower is better */
    gboolean shown;         /* in the tables of studies */
} RmilMeasure;
/* In the order of pages and tables; methods are ranked by the first. */
RMIL_API const RmilMeasure *rmil_measures(const RmilTask *task, int *count);

/* How: probabilities above `cut` are positive (two classes, the paper's 0.5); intervals from `rounds` resamples by `seed`. */
typedef struct {
    double cut;
    int64_t rounds;
    uint64_t seed;
} RmilMeasuring;
#define RMIL_MEASURING_USUAL ((RmilMeasuring){0.5, 2000, 0})
/* Values of all measures for rows (RmilPredictionRow) with known targets, NaN where undefined, and their 95 % intervals (NULL: not
 * asked for), which resample patients where rows name any. train: rows of the training set, from which survival takes how long patients
 * were followed; NULL: from the rows themselves. Both arrays have RMIL_MEASURES_MOST places. */
RMIL_API void rmil_measure(const RmilTask *task, const GArray *rows, const GArray *train, RmilMeasuring how, double *values,
                           RmilInterval *intervals);
/* Two classes at a cut-off (positive where probability ≥ cut): counts and shares, and the 95 % intervals of these: exact (Clopper and
 * Pearson); where slides share a patient by resamples of patients, and where all resamples agree exact with the patients as cases that have
 * any of those that the share is of. */
typedef enum { RMIL_AT_SENSITIVITY, RMIL_AT_SPECIFICITY, RMIL_AT_PPV, RMIL_AT_NPV, RMIL_AT_ACCURACY, RMIL_AT_SHARES } RmilCutShare;
RMIL_API void rmil_measure_cut(const GArray *rows, double cut, RmilCutMetrics *at, RmilInterval intervals[RMIL_AT_SHARES]);
/* Which interval is whose, in one or two sentences for readers. patients: the rows name patients. */
RMIL_API const char *rmil_interval_words(const RmilTask *task, gboolean patients);

/* Groups of equal patients among the rows, for what resamples them: an index for each row; NULL: each row stands for itself. g_free. */
RMIL_API int64_t *rmil_predictions_patients(const GArray *rows);
/* The rows of one set whose target is known. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_of(const GArray *rows, const RmilTask *task, RmilSplit part);
/* Of two classes: labels and probabilities. Both are the caller's arrays of as many as there are rows. */
RMIL_API void rmil_predictions_scores(const GArray *rows, int *labels, double *scores);
/* Of any number of classes: labels, and probabilities row by row (rows × classes). */
RMIL_API void rmil_predictions_classes(const GArray *rows, const RmilTask *task, int *labels, double *probabilities);
/* "18 positive, 22 negative"; of named classes "10 LUAD, 12 LUSC, 8 normal"; "12 with the event, 28 censored"; NULL: a number, of which there
 * is nothing to count. Rows without a target do not count. last: between the last two (", ", " and "). Free with g_free. */
RMIL_API char *rmil_predictions_counts(const GArray *rows, const RmilTask *task, const char *last);
/* Is there enough among rows with known targets to measure anything: two classes, an event and another case, two numbers? */
RMIL_API gboolean rmil_predictions_measurable(const GArray *rows, const RmilTask *task);
/* The 95 % interval of the share of n slides that attention met: met (n): in [0, 1], of a slide that several trainings tested their mean.
 * predictions: rows that name the slides' patients. By rmil_share_of_patients. */
RMIL_API RmilInterval rmil_pointing_interval(const char *const *slides, const double *met, int64_t n, const GArray *predictions);
/* The method of such an interval in the words of a caption. */
RMIL_API const char *rmil_pointing_words(const RmilInterval *interval);
/* "positive", "negative" of the paper's task, else the class's name. */
RMIL_API const char *rmil_class_word(const RmilTask *task, int class);

/* How the test sets of several trainings relate, and so what a pool of their predictions is. */
typedef enum {
    RMIL_TESTS_SAME,  /* every training tested the same slides: the pool is the mean of the trainings */
    RMIL_TESTS_FOLDS, /* every slide was tested by exactly one: out-of-fold predictions of cross-validation */
    RMIL_TESTS_MIXED  /* neither: a slide's value is the mean of those trainings that tested it */
} RmilTests;
/* Every test slide of any of the trainings (GArray of rows) whose target is known, with the mean of what those say that tested it, in the
 * order in which slides first appear. Texts stay theirs. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_pool(const GPtrArray *trainings, const RmilTask *task, RmilTests *tests);
/* One row a patient, whose id is its `slide`: targets are the first slide's, of classes the highest; probabilities and answers as the rule
 * says (rmil_patient_pool; noisy-or is of two classes alone), S by mean. Rows without a patient stay. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_by_patient(const GArray *rows, const RmilTask *task, RmilPool rule);

G_END_DECLS
#endif
