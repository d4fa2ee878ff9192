/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose slides and features are known: every pixel, and which patch the models look at. */
#ifndef RMIL_TEST_KNOWN_RUN_H
#define RMIL_TEST_KNOWN_RUN_H

#include "support.h"

/* 16 slides of 640 × 512 px, patches of 64: "p1" … "p8" with a blue square at (256, 256), whose patch has a feature that no other patch
 * has; "n1" … "n8" without. p1 is scanned at (1000, 700) of a larger extent; p1 to p4 train, and p2 has an outline of the square. Makes
 * cohort.csv and the folder `run` below a new folder, by the built command. Free with g_free. */
char *known_run(void);
#define KNOWN_RUN_OPTIONS "--epochs", "12", "--learning-rate", "0.01", "--heatmaps", "0", "-q"
enum { KNOWN_LEFT = 1000, KNOWN_TOP = 700, KNOWN_SQUARE = 256, KNOWN_SIDE = 64 };

#endif
