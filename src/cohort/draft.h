/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort table in the making, from a data set's own folders. One layout: one file draft-NAME.c, one line in draft.c. */
#ifndef RMIL_DRAFT_H
#define RMIL_DRAFT_H

#include "base/base-private.h"
#include "rankmil/cohort.h"

typedef struct {
    char *id, *slide;                                     /* required */
    char *features, *annotation, *patient, *class, *note; /* or NULL */
    int label;                                            /* −1 none; 0: of a negative class */
    gboolean named;                                       /* the table says the class by its name, not by the label */
    RmilSplit split;
} RmilDraftRow;

typedef struct {
    const char *folder;          /* of the data set, absolute */
    const char *out;             /* folder of the table, absolute: what has to be unpacked goes there */
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

/* A new row, owned by the draft. Strings are copied. */
RmilDraftRow *rmil_draft_add(RmilDraft *draft, const char *id, const char *slide, int label, RmilSplit split);
/* Paths of the regular files of a folder whose names end, in any case, in one of `endings` (NULL-terminated), or of its
 * folders (endings NULL); sorted; hidden ones left out. Empty when there is no such folder. A folder that cannot be read, and a
 * name that cannot stand in a table, are said. Unref it. */
GPtrArray *rmil_draft_list(const RmilDraft *draft, const char *folder, const char *const *endings);
/* The first of NULL-terminated paths below `folder` that exists; NULL: none. Free with g_free. */
char *rmil_draft_find(const char *folder, const char *const *names);
/* Endings of slides and images. */
extern const char *const rmil_draft_images[];

#endif
