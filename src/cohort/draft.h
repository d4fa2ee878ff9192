/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort table in the making, from a data set's own folders. One layout is one file draft-NAME.c, plus one line in draft.c. */
#ifndef RMIL_DRAFT_H
#define RMIL_DRAFT_H

#include "base/base-private.h"
#include "rankmil/cohort.h"

typedef struct {
    char *id, *slide;                                     /* required */
    char *features, *annotation, *patient, *class, *note; /* or NULL */
    int label;                                            /* −1 none; 0: of a negative class */
    gboolean named;                                       /* the table gives the class's name instead of the label */
    RmilSplit split;
} RmilDraftRow;

typedef struct {
    const char *folder;          /* of the data set, absolute */
    const char *out;             /* folder of the table, absolute: archives are unpacked there */
    const char *const *positive; /* or NULL */
    const RmilMonitor *monitor;
    GPtrArray *rows;
    int64_t left_out;
} RmilDraft;

typedef struct {
    const char *name;
    gboolean (*fill)(RmilDraft *draft, GError **error);
} RmilDraftLayout;
extern const RmilDraftLayout rmil_draft_camelyon16, rmil_draft_digestpath, rmil_draft_class_folders;

/* Adds a row, owned by the draft. Strings are copied. */
RmilDraftRow *rmil_draft_add(RmilDraft *draft, const char *id, const char *slide, int label, RmilSplit split);
/* Paths of the regular files of a folder whose names end in one of `endings` (NULL-terminated, any case), or of its subfolders (endings
 * NULL); sorted, without hidden ones. Empty if the folder does not exist. Reports an unreadable folder, and names that cannot be in a
 * table. Unref it. */
GPtrArray *rmil_draft_list(const RmilDraft *draft, const char *folder, const char *const *endings);
/* The first of the NULL-terminated paths below `folder` that exists, or NULL. Free with g_free. */
char *rmil_draft_find(const char *folder, const char *const *names);
/* File name endings of slides and images. */
extern const char *const rmil_draft_images[];

#endif
