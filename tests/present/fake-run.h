/* SPDX-License-Identifier: Apache-2.0 */
/* A made-up run folder with the layout that `rankmil run` fills: numbers drawn from a seed, pictures of coloured
 * squares. */
#ifndef RMIL_FAKE_RUN_H
#define RMIL_FAKE_RUN_H

#include "rankmil/base.h"

typedef struct {
    const char *const *methods; /* NULL-terminated folder names */
    int seeds, slides;          /* trainings per method; test slides (as many again for training, a quarter for validation) */
    int annotated;              /* of the positive test slides; 0: no localisation.csv */
    int pictures;               /* test slides with a heat map */
    const char *prefix;         /* of slide ids */
    const char *message;        /* of the one problem in run.json; NULL: none */
} FakeRun;
void fake_run_write(const char *folder, const FakeRun *fake);
/* One training run's files directly in the folder. */
void fake_training_write(const char *folder, const char *method, int seed, const FakeRun *fake);

#endif
