/* SPDX-License-Identifier: Apache-2.0 */
/* Study plans inside the room: from YAML to methods with their options. */
#ifndef RMIL_STUDY_PLAN_H
#define RMIL_STUDY_PLAN_H

#include "vary.h"

/* One line of `settings` or `overrides`, as given. */
typedef struct {
    char *method; /* NULL: for all methods */
    char *name, *text;
} RmilPlanSetting;

/* What varies, and its values. */
typedef struct {
    const RmilVariation *what;
    GArray *values;   /* double; for a word its index in the list of words */
    GPtrArray *texts; /* of each value */
} RmilPlanAxis;

struct _RmilStudyPlan {
    char *path; /* of the plan's file */
    char *kind, *title;
    const char *own;    /* what this kind of study always varies, or NULL */
    GPtrArray *methods; /* const RmilTrainMethod */
    const RmilTrainMethod *reference;
    RmilPlanAxis axes[RMIL_VARIED];
    int n_axes;       /* 0: nothing varies; 2: a grid */
    GArray *seeds;    /* int64_t; empty: all splits of the file */
    gboolean counted; /* seeds were given as a number: with a split file, this many columns from the first on */
    char *splits;     /* absolute path, or NULL */
    gboolean by_site; /* sites stay whole in drawn sets */
    gboolean partial; /* outlines do not cover all of each lesion */
    GArray *settings; /* RmilPlanSetting, in the order given */
    char *text;       /* the whole plan as YAML, in canonical form */
};

/* plan-yaml.c: fills a plan from its file, then applies each KEY=VALUE (NULL-terminated, or NULL). */
gboolean rmil_plan_read_file(RmilStudyPlan *plan, const char *path, GError **error);
gboolean rmil_plan_read_sets(RmilStudyPlan *plan, const char *const *sets, GError **error);

/* Adds something that varies, with the paper's values or with none yet; what NULL: nothing varies any more. */
void rmil_plan_vary(RmilStudyPlan *plan, const RmilVariation *what, gboolean papers);
void rmil_plan_axis_add(RmilPlanAxis *axis, double value);
const RmilPlanAxis *rmil_plan_axis(const RmilStudyPlan *plan, const char *name); /* NULL: it does not vary */
/* Number of combinations of values, with the first axis slowest; 1 if nothing varies. The texts of a cell belong to the plan. */
guint rmil_plan_cells(const RmilStudyPlan *plan);
void rmil_plan_cell(const RmilStudyPlan *plan, guint cell, RmilVaried varied[RMIL_VARIED]);
/* plan-runs.c: one planned run, without a key. */
RmilStudyRun rmil_plan_run(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilRepeat *repeat);

/* The options of one method in a cell: the paper's, then settings, then its own settings, then what varies. `base` gives those that plans
 * do not contain (memory). */
gboolean rmil_plan_options(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilTrainOptions *base,
                           RmilTrainOptions *options, GError **error);
#endif
