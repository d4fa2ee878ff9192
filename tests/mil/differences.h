/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients against finite differences, on bags of random patches. */
#ifndef RMIL_TEST_DIFFERENCES_H
#define RMIL_TEST_DIFFERENCES_H

#include "mil/model.h"

/* K patches, row by row on a grid ten wide, with holes; every lesion-th is annotated, 0: none. */
RmilBag *differences_bag(int dim, int64_t count, int lesion, uint64_t seed);
void differences_free(RmilBag *bag);
/* Moves the parameters away from their start, where layer norms and biases are 1 and 0. */
void differences_move(RmilModel *model, uint64_t seed);
/* The loss, and its gradient where one is asked for. */
typedef double (*DifferencesLoss)(const RmilModel *model, gconstpointer user, float *gradient);
/* Fails the test where the gradient of a tensor is not what central differences of the loss say. */
void differences_check(RmilModel *model, DifferencesLoss loss, gconstpointer user, const char *what);

#endif
