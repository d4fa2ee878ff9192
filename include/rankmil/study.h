/* rankmil study: splits. */
#ifndef RANKMIL_STUDY_H
#define RANKMIL_STUDY_H

#include "bag.h"

G_BEGIN_DECLS

typedef struct {
    double test;  /* share of slides put aside for testing where the cohort names no test set: 0.2; 0: none */
    double val;   /* share of the remaining development slides used for validation: 0.2; 0: none */
    uint64_t seed;/* of train/validation; the test set is drawn from seed 0 so that it is the same for every seed */
} RmilSplitOptions;
RMIL_API void rmil_split_options_init(RmilSplitOptions *options);

/* splits[i] for every cohort row: rows whose split the cohort gives keep it; the rest is drawn, stratified by label,
 * whole patients at a time (a patient's slides never part). A set (test, val) that the cohort names is not drawn from:
 * what is left then goes to training. Rows without label get RMIL_SPLIT_NONE. The order of the cohort's rows does not
 * matter. Fails with RMIL_ERROR_DATA, saying what is missing, when a set would lack one of the classes; only validation
 * may lack a class that fewer than three patients have.
 *
 * How: patients, in random order, join the set when that brings its number of slides per class closer to the class's
 * share (relative to it; shares in whole slides by largest remainder, at least 1) and leaves each class enough patients
 * for the sets still to be filled. With one slide per patient the shares are met exactly. */
RMIL_API gboolean rmil_split_draw(const RmilCohort *cohort, const RmilSplitOptions *options, RmilSplit *splits,
                                  GError **error);

/* Splits fixed by a file, for repeating published ones: a CSV with the column `id` and one column per split, its name
 * in the header, whose cells are train, val, test or empty. */
typedef struct {
    int64_t count;        /* splits */
    char **names;
    int64_t rows;         /* of the cohort */
    RmilSplit *splits;    /* count × rows: splits[j × rows + i] is cohort row i in split j */
} RmilSplitTable;
/* Refuses, naming line and column: ids that the cohort does not have or that come twice, other words than the three,
 * patients in two sets of one split, sets that lack a class, slides in a set that have no label. Slides of the cohort
 * that the file does not name are in no set. */
RMIL_API RmilSplitTable *rmil_split_table_read(const char *path, const RmilCohort *cohort, GError **error);
RMIL_API void rmil_split_table_free(RmilSplitTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSplitTable, rmil_split_table_free)

G_END_DECLS
#endif
