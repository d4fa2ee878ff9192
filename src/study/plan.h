/* SPDX-License-Identifier: Apache-2.0 */
/* Study plans inside the room: from YAML to methods with their options. */
#ifndef RMIL_STUDY_PLAN_H
#define RMIL_STUDY_PLAN_H

#include "vary.h"

/* One line of `settings` or `overrides`, as given. */
typedef struct {
    char *method; /* NULL: of every method */
    char *name, *text;
} RmilPlanSetting;

/* What varies, and its values. */
typedef struct {
    const RmilVariation *what;
    GArray *values;   /* double; of a word its place among the words */
    GPtrArray *texts; /* of each */
} RmilPlanAxis;

struct _RmilStudyPlan {
    char *path; /* of the file */
    char *kind, *title;
    const char *own;    /* what the kind varies by itself, or NULL */
    GPtrArray *methods; /* const RmilTrainMethod */
    const RmilTrainMethod *reference;
    RmilPlanAxis axes[RMIL_VARIED];
    int n_axes;       /* 0: nothing varies; 2: a grid */
    GArray *seeds;    /* int64_t; empty: every split of the file */
    gboolean counted; /* seeds were given as a number: of a split file, so many columns from the first on */
    char *splits;     /* absolute path, or NULL */
    gboolean by_site; /* sites stay whole where sets are drawn */
    gboolean partial; /* outlines leave parts of lesions out */
    GArray *settings; /* RmilPlanSetting, in the order given */
    char *text;       /* the whole plan in YAML, in one fixed form */
};

/* plan-yaml.c: fills a plan from its file, and replaces what KEY=VALUE says (NULL-terminated, or NULL). */
gboolean rmil_plan_read_file(RmilStudyPlan *plan, const char *path, GError **error);
gboolean rmil_plan_read_sets(RmilStudyPlan *plan, const char *const *sets, GError **error);

/* One more thing varies, with the paper's values or none yet; what NULL: nothing does any more. */
void rmil_plan_vary(RmilStudyPlan *plan, const RmilVariation *what, gboolean papers);
void rmil_plan_axis_add(RmilPlanAxis *axis, double value);
const RmilPlanAxis *rmil_plan_axis(const RmilStudyPlan *plan, const char *name); /* NULL: it does not vary */
/* Combinations of values, the first axis slowest; 1 where nothing varies. The texts of a cell belong to the plan. */
guint rmil_plan_cells(const RmilStudyPlan *plan);
void rmil_plan_cell(const RmilStudyPlan *plan, guint cell, RmilVaried varied[RMIL_VARIED]);
/* plan-runs.c: one run, as it is planned; without a key. */
RmilStudyRun rmil_plan_run(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilRepeat *repeat);

/* The options of one method in a cell: the paper's, then settings, then its own, then what varies. `base` gives what no plan says
 * (memory). */
gboolean rmil_plan_options(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilTrainOptions *base,
                           RmilTrainOptions *options, GError **error);
#endif
