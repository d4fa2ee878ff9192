/* SPDX-License-Identifier: Apache-2.0 */
/* A study's record in memory: what was trained at each value of what varies, and its statistics. */
#ifndef RMIL_STUDY_LEVELS_H
#define RMIL_STUDY_LEVELS_H

#include "results.h"
#include "vary.h"

/* One thing that the study varies, with its values: numbers in ascending order, words in the plan's order. */
typedef struct {
    const char *name;
    const RmilVariation *what; /* NULL: the record is from another version */
    gboolean words;
    GArray *values; /* RmilVaried */
} RmilStudyAxis;

/* One value of what the study varies, or a pair if it varies two things, with the methods trained at it; a study in which nothing varies
 * has one level. */
typedef struct {
    RmilVaried varied[RMIL_VARIED];
    guint at[RMIL_VARIED]; /* index of the value on each axis */
    double shown;          /* as shown on axes: shares in percent; NaN: a word, or nothing varies */
    char *text;            /* "20 %", "448 px", "T = 0.5", "dropout 0.5, sampler shuffle"; "" */
    RmilResults *run;      /* the methods that have a finished training here, in the paper's order */
    RmilSummary *summary;
} RmilLevel;

typedef struct {
    char *folder;
    char *kind, *title, *plan, *cohort, *reference; /* reference: a method's name */
    RmilTask task;
    const RmilMeasure *measures; /* of the task; n_measures */
    int n_measures;
    int n_axes; /* 0: nothing varies; 2: a grid */
    RmilStudyAxis axes[RMIL_VARIED];
    char *axis; /* "Development slides used (%)", for a grid "dropout, sigma" */
    int n_levels;
    RmilLevel *levels;  /* by value, in a grid with the first axis slowest; only those with a finished training */
    GPtrArray *methods; /* RmilMethod without seeds: all methods, in the paper's order */
    RmilResults *along; /* if no level has more than one method: the levels as methods, compared with the first; else NULL */
    RmilSummary *along_summary;
    int64_t planned, done; /* trainings */
    int64_t slides;        /* test slides with a label, over all trainings */
    double seconds;        /* of all trainings together */
    GPtrArray *left;       /* sentences: what remains to be trained */
    RmilStudy *record;     /* owns the rows' texts, or NULL */
    gboolean of_run;       /* one level, whose trainings have folders, tables and pictures: from rmil_results_read */
} RmilStudyReport;

/* Reads DIR: the record of a study with its shards, or a run (results.h). Fails if it is neither, is broken, or has no finished run. */
RmilStudyReport *rmil_study_report_read(const char *folder, GError **error);
void rmil_study_report_free(RmilStudyReport *study);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyReport, rmil_study_report_free)
/* The method's summary at a level, or NULL if none of its trainings there is finished. */
const RmilMethodSummary *rmil_level_method(const RmilLevel *level, const char *method);
/* Comparison of the level's reference with the method, or NULL. */
const RmilComparison *rmil_level_comparison(const RmilSummary *summary, int method);
/* What varies, if it is the only thing and one that the paper's studies vary; else NULL. */
const RmilVariation *rmil_study_papers(const RmilStudyReport *study);
/* The level at these indices; NULL: it has no finished training. `second` is 0 for a study with one axis. */
const RmilLevel *rmil_study_level(const RmilStudyReport *study, guint first, guint second);
/* Index of the reference in a level, or −1. */
int rmil_level_reference(const RmilStudyReport *study, const RmilLevel *level);

/* Share of the attention on patches outside the annotation: mean over slides of the mean over trainings, SD over slides (as in the paper's
 * Table 3), and SD of the trainings' means. NaN if nothing was recorded. */
typedef struct {
    double mean, sd_slides, sd_runs;
    int slides;
} RmilElsewhere;
RmilElsewhere rmil_study_elsewhere(const RmilMethodSummary *method);

#endif
