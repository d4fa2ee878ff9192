/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef RMIL_COHORT_PRIVATE_H
#define RMIL_COHORT_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/cohort.h"

/* Offsets from RmilBagSetOptions, and from RmilSplitOptions. */
extern const RmilOption rmil_set_options[], rmil_share_options[];

/* A bag that `read` makes of files, its features mapped from a file in options->cache that is made when there is none of the same origin. */
typedef RmilBag *(*RmilBagReader)(gpointer user, RmilBagFlags flags, GError **error);
RmilBag *rmil_bag_map(const char *const *paths, guint count, RmilBagReader read, gpointer user, const RmilBagSetOptions *options,
                      GError **error);
/* Slides (RmilBag, at least one) as one bag, with or without features; one alone is taken out of the array.
 * Of slides that can be looked at, their pixels and coordinates are taken, too. */
RmilBag *rmil_bag_join(GPtrArray *slides, const char *id, GError **error);

/* FORMAT: "FILE: line LINE: COLUMN …". Gives FALSE. */
gboolean rmil_cohort_fail(const RmilCohort *cohort, int64_t line, const char *column, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
/* Where the table says what is predicted; −1: nowhere. */
typedef struct {
    int label, time, event, value;
} RmilTargetColumns;
/* Fills task and targets of rows that have none yet. Columns that do not count lose their meaning. */
gboolean rmil_cohort_read_targets(RmilCohort *cohort, const RmilTargetColumns *columns, const RmilReading *how, GPtrArray *notes,
                                  GError **error);
/* The same of classes. */
gboolean rmil_cohort_read_labels(RmilCohort *cohort, int column, const RmilReading *how, GPtrArray *notes, GError **error);
/* Is this what people call the class without a lesion? */
gboolean rmil_class_negative(const char *name);
/* The class that a cell means, or −1. */
int rmil_task_class(const RmilTask *task, const char *cell);

/* Is the same known of both, or of neither anything? */
gboolean rmil_target_equal(const RmilTask *task, const RmilTarget *a, const RmilTarget *b);

/* Can an id name files? */
gboolean rmil_usable_id(const char *id);
/* The column for each of the cohort's known names (NULL-terminated), or −1. Others whose names come close are taken or said. */
gboolean rmil_cohort_columns(RmilCohort *cohort, const char *const *known, int *columns, GPtrArray *warnings, GError **error);

/* "label 1", "class \"LUAD\"". Free with g_free. */
char *rmil_class_said(const RmilTask *task, int label);
/* Patients whose slides differ in what is predicted, for a message; NULL: none. groups, count: rmil_cohort_patients. Free with g_free. */
char *rmil_cohort_torn_patients(const RmilCohort *cohort, const int64_t *groups, int64_t count);

/* What the sets are to have alike: classes; events and their absence; thirds of the numbers. Only what occurs. */
typedef struct {
    guint count;
    int *of;          /* by row; −1: it has no target */
    gboolean *needed; /* every set must have it */
    char **names;     /* for messages, as in "a slide with …" */
} RmilStrata;
RmilStrata *rmil_strata_new(const RmilCohort *cohort);
void rmil_strata_free(RmilStrata *strata);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStrata, rmil_strata_free)

/* What is never divided: a slide without a patient, a patient, the patients of a site. */
typedef enum { RMIL_UNIT_SLIDE, RMIL_UNIT_PATIENT, RMIL_UNIT_SITE } RmilUnitKind;
typedef struct {
    const char *key;
    RmilUnitKind kind;
    GArray *rows;    /* int64_t: those that have targets */
    int64_t *slides; /* per stratum */
    RmilSplit set;   /* where the table puts one of its rows */
} RmilUnit;
/* FORMAT, naming both lines, where the table's own sets divide a patient, or, by_site, a site or sites that share patients. */
gboolean rmil_cohort_check_whole(const RmilCohort *cohort, GError **error);
/* By key: GPtrArray of RmilUnit; free with g_ptr_array_unref. */
GPtrArray *rmil_cohort_units(const RmilCohort *cohort, const RmilStrata *strata);
/* Does the table put a row into this set? */
gboolean rmil_cohort_names_set(const RmilCohort *cohort, RmilSplit set);

/* An empty GArray of RmilRepeat. */
GArray *rmil_repeats_new(void);

/* What the validation set must hold: every class if it has slides at all, at least a slide, every class. */
typedef enum { RMIL_VALIDATION_NONE, RMIL_VALIDATION_ANY, RMIL_VALIDATION_ALL } RmilValidation;
/* Does every set that has slides, and each of train, val (as asked), test (need_test), hold every stratum that is needed? `where` begins
 * the message. */
gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, RmilValidation val, gboolean need_test, const char *where,
                          GError **error);
/* Id of a slide -> its row, or its patient's (RmilCohortRow *). */
GHashTable *rmil_cohort_ids(const RmilCohort *cohort);
/* Of a folder as CLAM writes it: one split a file, named "fold-N". */
RmilSplitTable *rmil_clam_splits_read(const char *folder, const RmilCohort *cohort, GError **error);
/* A slide of this row is in a set: all of the patient's must be in the same. */
gboolean rmil_split_put(const RmilCohort *cohort, int64_t row, RmilSplit split, RmilSplit *splits, const char *where, GError **error);
/* Of a split that a file fixes: slides without targets, patients and sites in two sets, and the above. */
gboolean rmil_split_check_fixed(const RmilCohort *cohort, const RmilSplit *splits, const char *where, GError **error);

#endif
