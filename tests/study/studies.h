/* SPDX-License-Identifier: Apache-2.0 */
/* Small cohorts and studies for tests. */
#ifndef RMIL_TEST_STUDIES_H
#define RMIL_TEST_STUDIES_H

#include "rankmil/study.h"
#include "support.h"

/* A folder with cohort.csv: 24 bags of made features, 16 of them for development, half of each class; annotated. Made once. */
const char *studies_cohort(void);
/* Asserts that every run of both studies is done, and that all numbers except times are equal. */
void studies_assert_same(const char *a, const char *b);

#endif
