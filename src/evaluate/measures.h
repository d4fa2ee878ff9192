/* What is measured of the predictions of each task. */
#ifndef RMIL_EVALUATE_MEASURES_H
#define RMIL_EVALUATE_MEASURES_H

#include "rankmil/evaluate.h"

#define RMIL_MEASURES_MOST 12
typedef struct {
    const char *name, *key; /* "AUROC"; "auroc", which files are named by */
    gboolean lower;         /* lower is better */
    gboolean shown;         /* in the tables of studies */
} RmilMeasure;
/* In the order of pages and tables; methods are ranked by the first. */
const RmilMeasure *rmil_measures(const RmilTask *task, int *count);

/* Values of all of them for these rows (RmilPredictionRow) with known targets, NaN where undefined, and their 95 % intervals (NULL: not
 * asked for), which resample patients where rows name any. train: rows of the training set, from which survival takes how long patients
 * were followed; NULL: from the rows themselves. */
void rmil_measure(const RmilTask *task, const GArray *rows, const GArray *train, double *values, RmilInterval *intervals);
/* Which interval is whose, in one or two sentences for readers. patients: the rows name patients. */
const char *rmil_interval_words(const RmilTask *task, gboolean patients);
/* Do two rows name the same patient? Then slides are not independent. */
gboolean rmil_rows_share_patients(const GArray *rows);
/* Groups of equal patients among the rows, for what resamples them: an index for each row; NULL: each row stands for itself. g_free. */
int64_t *rmil_rows_patients(const GArray *rows);
/* Of two classes: labels and probabilities. Both are the caller's arrays of as many as there are rows. */
void rmil_rows_scores(const GArray *rows, int *labels, double *scores);

#endif
