/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil evaluate: the metrics reported for each task, and predictions prepared for them. Part of evaluate.h. */
#ifndef RANKMIL_MEASURES_H
#define RANKMIL_MEASURES_H

#include "outcome.h"

G_BEGIN_DECLS

/* Functions here are thread-safe. Unless said otherwise, `rows` is a GArray of RmilPredictionRow (evaluate.h), which is only read. */

#define RMIL_MEASURES_MOST 12
typedef struct {
    const char *name, *key; /* "AUROC"; "auroc", used in file names */
    gboolean lower;         /* lower is better */
    gboolean shown;         /* appears in the tables of studies */
} RmilMeasure;
/* The metrics of a task, in the order of pages and tables. The first one ranks methods. Static. */
RMIL_API const RmilMeasure *rmil_measures(const RmilTask *task, int *count);

/* Settings of rmil_measure. For two classes, probabilities above `cut` are positive (the paper: 0.5). Intervals use `rounds` resamples
 * drawn from `seed`. */
typedef struct {
    double cut;
    int64_t rounds;
    uint64_t seed;
} RmilMeasuring;
#define RMIL_MEASURING_USUAL ((RmilMeasuring){0.5, 2000, 0})
/* Computes all metrics of rows with known targets, in the order of rmil_measures; NaN if undefined. intervals (may be NULL): 95 %
 * confidence intervals, which resample patients if rows of the same patient occur. train: rows of the training set, from which the
 * censoring distribution of survival is estimated; NULL: it is estimated from the rows themselves. values and intervals must have room for
 * RMIL_MEASURES_MOST entries. */
RMIL_API void rmil_measure(const RmilTask *task, const GArray *rows, const GArray *train, RmilMeasuring how, double *values,
                           RmilInterval *intervals);
/* Counts and metrics of two classes at a cut-off (positive if probability ≥ cut), with 95 % confidence intervals: exact (Clopper and
 * Pearson), or by resampling patients if slides share a patient. If all resamples agree: exact, with the number of patients that have a
 * case in the denominator of the metric. */
typedef enum { RMIL_AT_SENSITIVITY, RMIL_AT_SPECIFICITY, RMIL_AT_PPV, RMIL_AT_NPV, RMIL_AT_ACCURACY, RMIL_AT_SHARES } RmilCutShare;
RMIL_API void rmil_measure_cut(const GArray *rows, double cut, RmilCutMetrics *at, RmilInterval intervals[RMIL_AT_SHARES]);
/* Says in a few sentences for readers which kind of interval each metric has. patients: rows of the same patient occur. Static. */
RMIL_API const char *rmil_interval_words(const RmilTask *task, gboolean patients);

/* groups for RmilBootstrap: one number per row, equal for rows of the same patient. NULL if no two rows share a patient. Free with
 * g_free. */
RMIL_API int64_t *rmil_predictions_patients(const GArray *rows);
/* The rows of one set whose target is known, as a new array that borrows their strings. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_of(const GArray *rows, const RmilTask *task, RmilSplit part);
/* Two classes: labels, and probabilities of label 1. The caller provides both arrays, with one element per row. */
RMIL_API void rmil_predictions_scores(const GArray *rows, int *labels, double *scores);
/* Any number of classes: labels (rows), and probabilities (rows × classes, row-major). The caller provides both arrays. */
RMIL_API void rmil_predictions_classes(const GArray *rows, const RmilTask *task, int *labels, double *probabilities);
/* Counts of rows with a known target: "18 positive, 22 negative"; named classes "10 LUAD, 12 LUSC, 8 normal"; survival "12 with the event,
 * 28 censored"; NULL for regression. last: separates the last two (", ", " and "). Free with g_free. */
RMIL_API char *rmil_predictions_counts(const GArray *rows, const RmilTask *task, const char *last);
/* Can anything be measured on these rows, whose targets are known? That takes two classes, an event and a second case, or two numbers. */
RMIL_API gboolean rmil_predictions_measurable(const GArray *rows, const RmilTask *task);
/* The 95 % interval of the proportion of n slides that attention met (rmil_share_of_patients). met (n): in [0, 1]; for a slide that several
 * trainings tested, their mean. predictions: rows that name the patients of the slides. */
RMIL_API RmilInterval rmil_pointing_interval(const char *const *slides, const double *met, int64_t n, const GArray *predictions);
/* What kind of interval that is, for a caption. Static. */
RMIL_API const char *rmil_pointing_words(const RmilInterval *interval);
/* "positive" or "negative" for the paper's task, else the name of the class. Static or owned by the task. */
RMIL_API const char *rmil_class_word(const RmilTask *task, int class);

/* How the test sets of several trainings are related, which determines what their pooled predictions mean. */
typedef enum {
    RMIL_TESTS_SAME,  /* every training tested the same slides: the pool averages over trainings */
    RMIL_TESTS_FOLDS, /* exactly one training tested each slide: out-of-fold predictions of a cross-validation */
    RMIL_TESTS_MIXED  /* anything else: each slide is averaged over the trainings that tested it */
} RmilTests;
/* Pools the test rows of several trainings (array of GArrays of rows): one row per slide with a known target, in order of first appearance,
 * with the probability, answer and values averaged over the trainings that tested it. All else, including the logit, comes from the first
 * of them; strings are borrowed from the trainings. Values are dropped (count 0) where time bins differ. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_pool(const GPtrArray *trainings, const RmilTask *task, RmilTests *tests);
/* One row per patient, in order of first appearance. Its `slide` is the patient's name. The label is the highest of the patient's slides;
 * time, event, value and logit are those of the first one. Class probabilities and answers are combined by the rule (rmil_patient_pool;
 * noisy-or only for two classes), S by the mean. Rows without a patient are copied. Strings are borrowed. Free with g_array_unref. */
RMIL_API GArray *rmil_predictions_by_patient(const GArray *rows, const RmilTask *task, RmilPool rule);

G_END_DECLS
#endif
