/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against finite differences, on bags of random patches. */
#ifndef RMIL_TEST_DIFFERENCES_H
#define RMIL_TEST_DIFFERENCES_H

#include "mil/model.h"

/* K patches, row by row on a grid ten wide, with holes; every lesion-th is annotated, 0: none. */
RmilBag *differences_bag(int dim, int64_t count, int lesion, uint64_t seed);
void differences_free(RmilBag *bag);
/* Moves the parameters away from their initial values, where layer norms are 1 and biases 0. */
void differences_move(RmilModel *model, uint64_t seed);
/* The loss, and its gradient unless gradient is NULL. */
typedef double (*DifferencesLoss)(const RmilModel *model, gconstpointer user, float *gradient);
/* Fails the test if the gradient of a tensor differs from central differences of the loss. */
void differences_check(RmilModel *model, DifferencesLoss loss, gconstpointer user, const char *what);

#endif
