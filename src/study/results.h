/* SPDX-License-Identifier: Apache-2.0 */
/* The results of a folder: its trainings by method, from a record or from tables. */
#ifndef RMIL_STUDY_RESULTS_H
#define RMIL_STUDY_RESULTS_H

#include "base/json.h"
#include "evaluate/summary.h"
#include "rankmil/study.h"

typedef struct {
    char *folder;
    RmilTask task;      /* what is predicted */
    gboolean told;      /* read from a table */
    gboolean single;    /* one training run, not a folder of many */
    JsonNode *info;     /* DIR/run.json's object, or NULL */
    char *reference;    /* name of the method that the others are compared with; NULL: rmil_method_reference */
    GPtrArray *methods; /* RmilMethod: known ones in the paper's order, then others by name */
    GPtrArray *missing; /* sentences that say what is missing */
    RmilStudy *record;  /* owns the rows' texts, or NULL: */
    GStringChunk *strings;
} RmilResults;

/* Empty results, to be filled from elsewhere. new_method: title and style of a known method, else just the name. */
RmilResults *rmil_results_new(const char *folder);
RmilMethod *rmil_method_new(const char *name);
void rmil_method_free(RmilMethod *method);
RmilSeedRun *rmil_seed_run_new(int64_t seed);
/* Reads everything that the record has of a finished run; the rows' texts belong to the record. Rejects impossible values. */
gboolean rmil_seed_run_fill(RmilSeedRun *seed, RmilStudy *record, int64_t index, GError **error);
/* Index of a method's name in the paper's order; unknown names come last. */
int rmil_method_order(const char *name);
/* Fails if DIR is not a run folder, or if a file in it is broken; optional files that are absent are listed in missing. */
RmilResults *rmil_results_read(const char *folder, GError **error);
/* Sets the error that says why a folder holds no training's folder (run-folder.c). Returns FALSE. */
gboolean rmil_run_folder_refuse(const char *folder, GError **error);
void rmil_results_free(RmilResults *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilResults, rmil_results_free)

#endif
