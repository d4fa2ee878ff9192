/* What drawn and given splits share. */
#ifndef RMIL_SPLIT_PRIVATE_H
#define RMIL_SPLIT_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/study.h"

/* What the validation set must hold: every class if it has slides at all, at least a slide, every class. */
typedef enum { RMIL_VALIDATION_NONE, RMIL_VALIDATION_ANY, RMIL_VALIDATION_ALL } RmilValidation;
/* Does every set that has slides, and each of train, val (as asked), test (need_test), hold every class? `where` begins
 * the message. */
gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, RmilValidation val, gboolean need_test, const char *where,
                          GError **error);

#endif
