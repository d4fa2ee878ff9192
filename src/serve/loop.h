/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's own state, and its two kinds of training. */
#ifndef RMIL_SERVE_LOOP_H
#define RMIL_SERVE_LOOP_H

#include "json.h"
#include "serve-private.h"

struct RmilLoop {
    RmilDesk *desk;
    GThread *thread;
    GMutex lock; /* protects the fields below, up to the features */
    GCond wake;
    gboolean stop;
    const RmilTrainMethod *asked; /* requested quick training; NULL: none */
    int64_t asked_row;            /* the slide to report on afterwards; −1: none */
    gboolean asked_before;        /* whether one was requested since the last began */
    gboolean exact_wanted, again; /* again: the current one uses outlines that have changed */
    gboolean exact_alone;         /* quick training is not possible here */
    int64_t exact_done;
    GSubprocess *child; /* the exact training; NULL: not running */
    RmilLoopPhase phase;
    gint64 since; /* start of the phase: monotonic */
    int64_t done, total;
    char *note, *doing, *error; /* note: the last line of the exact training; doing: what `done` counts */
    JsonNode *result;           /* of the last quick training */
    RmilQuick *quick, *before;
    /* The features, in memory from the first training on: used only by the thread itself. */
    RmilCohort *cohort; /* FOLDER/cohort.csv */
    RmilTrainData *data;
    RmilBag *bags;           /* by row of the data: copies of its bags, with patch labels from the current outlines */
    const RmilBag **to_bags; /* pointers to these, or NULL */
    RmilBag **samples;       /* samples of the training bags with fewer patches; NULL: not made yet */
    GHashTable *rows;        /* id -> row of the data + 1 */
};
/* Sets the phase, and an error that is shown until the next phase begins; NULL: none. */
void rmil_loop_say(struct RmilLoop *loop, RmilLoopPhase phase, const char *error);
void rmil_loop_kept(struct RmilLoop *loop);
/* quick.c: on the loop's thread. */
gboolean rmil_loop_train(struct RmilLoop *loop, const RmilTrainMethod *method, int64_t row, GError **error);
void rmil_loop_forget(struct RmilLoop *loop);
/* Undoes the last quick training: restores the model before it, or those of the record. FALSE: there is none. */
gboolean rmil_loop_undo(struct RmilLoop *loop);

#endif
