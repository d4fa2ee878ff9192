/* What drawn and given splits share. */
#ifndef RMIL_SPLIT_PRIVATE_H
#define RMIL_SPLIT_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/study.h"

/* The labels that occur, ascending (int). Free with g_array_unref. */
GArray *rmil_split_classes(const RmilCohort *cohort);
/* Does every set that has slides, and each of train, val (need_val), test (need_test), hold every class? `where` begins
 * the message. */
gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, gboolean need_val, gboolean need_test,
                          const char *where, GError **error);

#endif
