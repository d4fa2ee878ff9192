/* What the files of this room share. */
#ifndef RMIL_COHORT_PRIVATE_H
#define RMIL_COHORT_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/cohort.h"

/* Offsets from RmilBagSetOptions, and from RmilSplitOptions. */
extern const RmilOption rmil_set_options[], rmil_share_options[];

/* As rmil_bag_read, the features mapped from a file in `folder` that is made when there is none of the same origin. */
RmilBag *rmil_bag_read_mapped(const char *path, const char *id, RmilPrecision precision, const char *folder, GError **error);

/* Can an id name files? */
gboolean rmil_usable_id(const char *id);
/* The column for each of the cohort's known names (NULL-terminated), or −1. Others whose names come close are taken or said. */
gboolean rmil_cohort_columns(RmilCohort *cohort, const char *const *known, int *columns, GPtrArray *warnings, GError **error);

/* A patient, or a slide without one: what is never divided. */
typedef struct {
    const char *key;
    gboolean patient;
    GArray *rows;    /* int64_t: labelled rows */
    int64_t *slides; /* per class */
    RmilSplit set;   /* where the table puts one of its rows */
} RmilUnit;
/* By key: GPtrArray of RmilUnit; free with g_ptr_array_unref. classes: rmil_cohort_classes. */
GPtrArray *rmil_cohort_units(const RmilCohort *cohort, const GArray *classes);
/* Does the table put a row into this set? */
gboolean rmil_cohort_names_set(const RmilCohort *cohort, RmilSplit set);

/* An empty GArray of RmilRepeat. */
GArray *rmil_repeats_new(void);

/* What the validation set must hold: every class if it has slides at all, at least a slide, every class. */
typedef enum { RMIL_VALIDATION_NONE, RMIL_VALIDATION_ANY, RMIL_VALIDATION_ALL } RmilValidation;
/* Does every set that has slides, and each of train, val (as asked), test (need_test), hold every class? `where` begins
 * the message. */
gboolean rmil_split_check(const RmilCohort *cohort, const RmilSplit *splits, RmilValidation val, gboolean need_test, const char *where,
                          GError **error);

#endif
