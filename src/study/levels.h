/* SPDX-License-Identifier: Apache-2.0 */
/* A study's record in memory: what was trained at each value of what varies, and the statistics of that. */
#ifndef RMIL_STUDY_LEVELS_H
#define RMIL_STUDY_LEVELS_H

#include "results.h"
#include "vary.h"

/* One of what the study varies: its values in order, of numbers by size, of words as planned. */
typedef struct {
    const char *name;
    const RmilVariation *what; /* NULL: the record of another version */
    gboolean words;
    GArray *values; /* RmilVaried */
} RmilStudyAxis;

/* One value of what the study varies, or of two things, with the methods trained at it; a study that varies nothing has one level. */
typedef struct {
    RmilVaried varied[RMIL_VARIED];
    guint at[RMIL_VARIED]; /* places among the values of each axis */
    double shown;          /* as on axes: shares in percent; NaN: a word, or nothing varies */
    char *text;            /* "20 %", "448 px", "T = 0.5", "dropout 0.5, sampler shuffle"; "" */
    RmilResults *run;      /* its methods that have a finished training, in the paper's order */
    RmilSummary *summary;
} RmilLevel;

typedef struct {
    char *folder;
    char *kind, *title, *plan, *cohort, *reference; /* reference: a method's name */
    RmilTask task;
    const RmilMeasure *measures; /* of it; n_measures */
    int n_measures;
    int n_axes; /* 0: nothing varies; 2: a grid */
    RmilStudyAxis axes[RMIL_VARIED];
    char *axis; /* "Development slides used (%)", of a grid "dropout, sigma" */
    int n_levels;
    RmilLevel *levels;  /* by value, of a grid the first axis slowest; those with a finished training */
    GPtrArray *methods; /* RmilMethod without seeds: all there are, in the paper's order */
    RmilResults *along; /* where no level has more than one method: the levels as methods, compared with the first; else NULL */
    RmilSummary *along_summary;
    int64_t planned, done; /* trainings */
    int64_t slides;        /* test slides with a label, over all trainings */
    double seconds;        /* of training, summed */
    GPtrArray *left;       /* sentences: what is still to be trained */
    RmilStudy *record;     /* whose are the rows' texts, or NULL */
    gboolean of_run;       /* one level, whose trainings have folders, tables and pictures: rmil_results_read's */
} RmilStudyReport;

/* Reads DIR: the record of a study with its shards, or a run (results.h). Fails when it is neither, broken, or nothing in it is finished. */
RmilStudyReport *rmil_study_report_read(const char *folder, GError **error);
void rmil_study_report_free(RmilStudyReport *study);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyReport, rmil_study_report_free)
/* The method's summary at a level, or NULL when none of its trainings there is finished. */
const RmilMethodSummary *rmil_level_method(const RmilLevel *level, const char *method);
/* Comparison of the level's reference with the method, or NULL. */
const RmilComparison *rmil_level_comparison(const RmilSummary *summary, int method);
/* What the paper's studies vary, where it is the only thing that varies; else NULL. */
const RmilVariation *rmil_study_papers(const RmilStudyReport *study);
/* The level at these places; NULL: it has nothing to show. A study with one axis has no `second`, 0. */
const RmilLevel *rmil_study_level(const RmilStudyReport *study, guint first, guint second);
/* Where the reference stands in a level, or −1. */
int rmil_level_reference(const RmilStudyReport *study, const RmilLevel *level);

/* Share of the attention on patches outside the annotation: mean over slides of the mean over trainings, SD over slides
 * (as the paper's Table 3), and SD of the trainings' means. NaN where nothing was recorded. */
typedef struct {
    double mean, sd_slides, sd_runs;
    int slides;
} RmilElsewhere;
RmilElsewhere rmil_study_elsewhere(const RmilMethodSummary *method);

#endif
