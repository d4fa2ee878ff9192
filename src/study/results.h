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
    gboolean told;      /* a table said so */
    gboolean single;    /* one training run, not a folder of many */
    JsonNode *info;     /* DIR/run.json's object, or NULL */
    char *reference;    /* name of the method the others are compared with; NULL: rmil_method_reference */
    GPtrArray *methods; /* RmilMethod: the known ones in the paper's order, then others by name */
    GPtrArray *missing; /* sentences about what is not there */
    RmilStudy *record;  /* whose are the rows' texts, or NULL: */
    GStringChunk *strings;
} RmilResults;

/* Empty ones, for those who fill them from elsewhere. new_method: title and style of a known name, else the name itself. */
RmilResults *rmil_results_new(const char *folder);
RmilMethod *rmil_method_new(const char *name);
void rmil_method_free(RmilMethod *method);
RmilSeedRun *rmil_seed_run_new(int64_t seed);
/* Takes all that the record has of a run that is done; texts of the rows stay the record's. Refuses what cannot be. */
gboolean rmil_seed_run_fill(RmilSeedRun *seed, RmilStudy *record, int64_t index, GError **error);
/* Place of a method's name in the paper's order; behind all of them when it is not known. */
int rmil_method_order(const char *name);
/* Fails when DIR is not a run folder, or a file in it is broken; files that may be absent are listed in missing. */
RmilResults *rmil_results_read(const char *folder, GError **error);
/* Why a folder holds no training's folder (run-folder.c). FALSE. */
gboolean rmil_run_folder_refuse(const char *folder, GError **error);
void rmil_results_free(RmilResults *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilResults, rmil_results_free)

#endif
