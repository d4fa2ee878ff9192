/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's own state, and its two kinds of training. */
#ifndef RMIL_SERVE_LOOP_H
#define RMIL_SERVE_LOOP_H

#include "json.h"
#include "serve-private.h"

struct RmilLoop {
    RmilDesk *desk;
    GThread *thread;
    GMutex lock; /* of what follows, up to the features */
    GCond wake;
    gboolean stop;
    const RmilTrainMethod *asked; /* a quick training is wanted; NULL: none */
    int64_t asked_row;            /* the slide to tell of afterwards; −1: none */
    gboolean asked_before;        /* since the last one began */
    gboolean exact_wanted, again; /* again: the one under way is of outlines that changed */
    gboolean exact_alone;         /* a quick training is not possible here */
    int64_t exact_done;
    GSubprocess *child; /* the exact training; NULL: it does not run */
    RmilLoopPhase phase;
    gint64 since; /* when the phase began: monotonic */
    int64_t done, total;
    char *note, *doing, *error; /* note: the last line of the exact training; doing: what it counts in `done` */
    JsonNode *result;           /* of the last quick training */
    RmilQuick *quick, *before;
    /* The features, in memory once something was trained: the thread's own. */
    RmilCohort *cohort; /* FOLDER/cohort.csv */
    RmilTrainData *data;
    RmilBag *bags;           /* by row of the data: copies of its bags, with patch labels of the outlines as they are now */
    const RmilBag **to_bags; /* pointers to these, or NULL */
    RmilBag **samples;       /* the same with fewer patches, of the training set; NULL: not made yet */
    GHashTable *rows;        /* id -> row of the data + 1 */
};
/* Phase, and an error that stays to be seen until the next phase begins; NULL: none. */
void rmil_loop_say(struct RmilLoop *loop, RmilLoopPhase phase, const char *error);
void rmil_loop_kept(struct RmilLoop *loop);
/* quick.c: on the loop's thread. */
gboolean rmil_loop_train(struct RmilLoop *loop, const RmilTrainMethod *method, int64_t row, GError **error);
void rmil_loop_forget(struct RmilLoop *loop);
/* The last quick training is undone: the model before it is back, or those of the record. FALSE: there is none. */
gboolean rmil_loop_undo(struct RmilLoop *loop);

#endif
