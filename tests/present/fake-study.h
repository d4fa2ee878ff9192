/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up record of a study: probabilities drawn from a seed, better for stronger methods and higher values. */
#ifndef RMIL_FAKE_STUDY_H
#define RMIL_FAKE_STUDY_H

#include "rankmil/base.h"

typedef struct {
    const char *kind, *variable;
    const char *const *methods; /* NULL-terminated */
    const double *strengths;    /* of each method: 0 guesses, 2 is good */
    const double *values;       /* of the variable, or NULL */
    int n_values;
    int seeds, slides, annotated; /* slides: test; annotated: of the positive ones */
    int left;                     /* runs at the end of the plan that are not done */
    gboolean own_tests;           /* each seed tests other slides */
    const char *prefix;           /* of slide ids */
    const char *cohort;           /* path that the record names */
    const char *worded;           /* an option that varies, too, or alone; or NULL: */
    const char *const *words;     /* its values, NULL-terminated */
} FakeStudy;
void fake_study_write(const char *folder, const FakeStudy *fake);

#endif
