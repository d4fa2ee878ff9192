/* rankmil study: splits. */
#ifndef RANKMIL_STUDY_H
#define RANKMIL_STUDY_H

#include "bag.h"

G_BEGIN_DECLS

typedef struct {
    double test;  /* share of slides put aside for testing where the cohort names no test set: 0.2 */
    double val;   /* share of the remaining development slides used for validation: 0.2 */
    uint64_t seed;/* of train/validation; the test set is drawn from seed 0 so that it is the same for every seed */
} RmilSplitOptions;
RMIL_API void rmil_split_options_init(RmilSplitOptions *options);

/* splits[i] for every cohort row: rows whose split the cohort gives keep it; the rest is drawn, stratified by label,
 * whole patients at a time (a patient's slides never part). Rows without label get RMIL_SPLIT_NONE. Fails with
 * RMIL_ERROR_DATA when a set would lack one of the classes. */
RMIL_API gboolean rmil_split_draw(const RmilCohort *cohort, const RmilSplitOptions *options, RmilSplit *splits,
                                  GError **error);

G_END_DECLS
#endif
