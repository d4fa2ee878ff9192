/* Study plans inside the room: from YAML to methods with their options. */
#ifndef RMIL_STUDY_PLAN_H
#define RMIL_STUDY_PLAN_H

#include "rankmil/study.h"

/* One line of `settings` or `overrides`, as given. */
typedef struct {
    char *method; /* NULL: of every method */
    char *name, *text;
} RmilPlanSetting;

struct _RmilStudyPlan {
    char *path; /* of the file */
    char *kind, *title;
    const char *variable; /* "" or what the kind varies */
    GPtrArray *methods;   /* const RmilTrainMethod */
    const RmilTrainMethod *reference;
    GArray *values;   /* double; one NaN where nothing varies */
    GArray *seeds;    /* int64_t; empty: every split of the file */
    gboolean counted; /* seeds were given as a number: of a split file, so many columns from the first on */
    char *splits;     /* absolute path, or NULL */
    GArray *settings; /* RmilPlanSetting, in the order given */
    char *text;       /* the whole plan in YAML, in one fixed form */
};

/* The options of one method: the paper's, then settings, then its own. `base` gives what no plan says (memory). */
gboolean rmil_plan_options(const RmilStudyPlan *plan, const RmilTrainMethod *method, const RmilTrainOptions *base,
                           RmilTrainOptions *options, GError **error);
#endif
