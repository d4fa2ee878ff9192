/* A study's record in memory: what was trained at each value of what varies, and the statistics of that. */
#ifndef RMIL_STUDY_LEVELS_H
#define RMIL_STUDY_LEVELS_H

#include "results.h"

/* One value of what the study varies, with the methods trained at it; a study that varies nothing has one level. */
typedef struct {
    double value;     /* as in the plan; NaN: nothing varies */
    double shown;     /* as on axes: shares in percent */
    char *text;       /* "20 %", "448 px", "T = 0.5"; "" */
    RmilResults *run; /* its methods that have a finished training, in the paper's order */
    RmilSummary *summary;
} RmilLevel;

typedef struct {
    char *folder;
    char *kind, *title, *variable, *plan, *cohort, *reference; /* reference: a method's name */
    int n_levels;
    RmilLevel *levels;  /* by value; those with a finished training */
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
/* Statistics of what was read; the last step, apart so that tests can fill a study by hand. */
void rmil_study_report_summarise(RmilStudyReport *study);
void rmil_study_report_free(RmilStudyReport *study);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyReport, rmil_study_report_free)
/* The method's summary at a level, or NULL when none of its trainings there is finished. */
const RmilMethodSummary *rmil_level_method(const RmilLevel *level, const char *method);
/* Comparison of the level's reference with the method, or NULL. */
const RmilComparison *rmil_level_comparison(const RmilSummary *summary, int method);
/* "share of the development slides trained on (%)" and the like: an axis' label. */
const char *rmil_study_axis(const RmilStudyReport *study);
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
