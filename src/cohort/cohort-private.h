/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef RMIL_COHORT_PRIVATE_H
#define RMIL_COHORT_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/cohort.h"

/* Offsets from RmilBagSetOptions, and from RmilSplitOptions. */
extern const RmilOption rmil_set_options[], rmil_share_options[];

/* Reads a bag from files with `read`, and maps its features from a file in options->cache, which is created if there is none of the same
 * origin. */
typedef RmilBag *(*RmilBagReader)(gpointer user, RmilBagFlags flags, GError **error);
RmilBag *rmil_bag_map(const char *const *paths, guint count, RmilBagReader read, gpointer user, const RmilBagSetOptions *options,
                      GError **error);
/* Joins slides (RmilBag, at least one) into one bag, with or without features; a single slide is taken out of the array. If the slides'
 * pixels can be read, takes pixels and coordinates, too. */
RmilBag *rmil_bag_join(GPtrArray *slides, const char *id, GError **error);

/* FORMAT: "FILE: line LINE: COLUMN …". Returns FALSE. */
gboolean rmil_cohort_fail(const RmilCohort *cohort, int64_t line, const char *column, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
/* The columns with what is predicted; −1: there is none. */
typedef struct {
    int label, time, event, value;
} RmilTargetColumns;
/* Fills in task and targets of rows that have none yet. Unused target columns become ordinary unknown columns. */
gboolean rmil_cohort_read_targets(RmilCohort *cohort, const RmilTargetColumns *columns, const RmilReading *how, GPtrArray *notes,
                                  GError **error);
/* The same for classes. */
gboolean rmil_cohort_read_labels(RmilCohort *cohort, int column, const RmilReading *how, GPtrArray *notes, GError **error);
/* Is this a usual name for the class without a lesion? */
gboolean rmil_class_negative(const char *name);
/* The class that a cell names, or −1. */
int rmil_task_class(const RmilTask *task, const char *cell);

/* Are both targets known and the same, or both unknown? */
gboolean rmil_target_equal(const RmilTask *task, const RmilTarget *a, const RmilTarget *b);

/* Can an id name files? */
gboolean rmil_usable_id(const char *id);
/* The column of each of the cohort's known names (NULL-terminated), or −1. Similar names are accepted or reported. */
gboolean rmil_cohort_columns(RmilCohort *cohort, const char *const *known, int *columns, GPtrArray *warnings, GError **error);

/* "label 1", "class \"LUAD\"". Free with g_free. */
char *rmil_class_said(const RmilTask *task, int label);
/* Patients whose slides differ in the target, for a message; NULL: none. groups, count: rmil_cohort_patients. Free with g_free. */
char *rmil_cohort_torn_patients(const RmilCohort *cohort, const int64_t *groups, int64_t count);

/* What the sets should have in equal shares: classes; events and censored ones; thirds of the numbers. Only those that occur. */
typedef struct {
    guint count;
    int *of;          /* by row; −1: it has no target */
    gboolean *needed; /* every set must contain it */
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
    GArray *rows;    /* int64_t: only those with targets */
    int64_t *slides; /* per stratum */
    RmilSplit set;   /* the set in which the table puts one of its rows */
} RmilUnit;
/* FORMAT, naming both lines, if the table's own sets divide a patient or, by_site, a site or sites that share patients. */
gboolean rmil_cohort_check_whole(const RmilCohort *cohort, GError **error);
/* Sorted by key: GPtrArray of RmilUnit; free with g_ptr_array_unref. */
GPtrArray *rmil_cohort_units(const RmilCohort *cohort, const RmilStrata *strata);
/* Does the table put any row into this set? */
gboolean rmil_cohort_names_set(const RmilCohort *cohort, RmilSplit set);

/* An empty GArray of RmilRepeat. */
GArray *rmil_repeats_new(void);

/* What the validation set must contain: every class if it has any slides, at least one slide, every class. */
typedef enum { RMIL_VALIDATION_NONE, RMIL_VALIDATION_ANY, RMIL_VALIDATION_ALL } RmilValidation;
/* Does every non-empty set, and each of train, val (as requested) and test (need_test), contain every needed stratum? The message starts
 * with `where`. */
gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, RmilValidation val, gboolean need_test, const char *where,
                          GError **error);
/* Id of a slide -> its row, or its patient's (RmilCohortRow *). */
GHashTable *rmil_cohort_ids(const RmilCohort *cohort);
/* From a folder in CLAM's format: one split per file, named "fold-N". */
RmilSplitTable *rmil_clam_splits_read(const char *folder, const RmilCohort *cohort, GError **error);
/* Puts a slide of this row into a set: all slides of a patient must be in the same set. */
gboolean rmil_split_put(const RmilCohort *cohort, int64_t row, RmilSplit split, RmilSplit *splits, const char *where, GError **error);
/* Checks a split from a file: slides without targets, patients and sites in two sets, and the above. */
gboolean rmil_split_check_fixed(const RmilCohort *cohort, const RmilSplit *splits, const char *where, GError **error);

#endif
