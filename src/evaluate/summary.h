/* SPDX-License-Identifier: Apache-2.0 */
/* Results of the trainings of several methods: per method, pooled and by training; comparisons between methods; localisation. */
#ifndef RMIL_EVALUATE_SUMMARY_H
#define RMIL_EVALUATE_SUMMARY_H

#include "rankmil/evaluate.h"

/* -- trainings ------------------------------------------------------------------------------------------------------------- */
/* One training and its rows, if there are any. Statistics use seed, split and rows; the rest is for display. */
typedef struct {
    int64_t seed;
    char *split;           /* name of its split if there are several, else NULL */
    char *key;             /* of the run in the record, or NULL */
    char *folder;          /* with its tables, or NULL */
    char *model;           /* model file, or NULL */
    JsonNode *info;        /* its run.json, or NULL */
    GArray *cases;         /* RmilPredictionRow */
    GArray *epochs;        /* RmilEpoch (mil.h); empty when there is no history */
    GArray *locals;        /* RmilLocalisationRow; empty when no test slide is annotated */
    GArray *attentions;    /* RmilAttentionRow; empty unless it was recorded */
    GArray *patches;       /* RmilPatchRow; as locals, and empty if an earlier version wrote the run */
    GArray *lesions;       /* RmilLesionRow; likewise, and empty if patches lie on no tile grid */
    RmilDecision decision; /* chosen FALSE: its model has none */
} RmilSeedRun;

typedef struct {
    char *name;       /* "rank" */
    char *title;      /* for readers: "Rank induction" */
    int style;        /* line style in every figure, from 1 */
    GPtrArray *seeds; /* RmilSeedRun, by seed; at least one */
} RmilMethod;

typedef struct {
    const RmilMethod *method;
    /* Test slides with a target, in the order of the first seed's file: RmilPredictionRow, each with the mean over the trainings that
     * tested it. Texts belong to the trainings. */
    GArray *pooled;
    int positives, negatives; /* of two classes */
    RmilTests tests;
    double value[RMIL_MEASURES_MOST];          /* of the pooled prediction; indices as in rmil_measures */
    RmilInterval interval[RMIL_MEASURES_MOST]; /* 95 % */
    int seeds;
    double *by_seed;                                         /* seeds × RMIL_MEASURES_MOST */
    double mean[RMIL_MEASURES_MOST], sd[RMIL_MEASURES_MOST]; /* over seeds; sd NaN for one seed */
} RmilMethodSummary;

/* The reference against another method. A p value that cannot be computed is NaN. */
typedef struct {
    int other;
    double difference;          /* first measure of the reference's pooled prediction − the other's */
    RmilInterval interval;      /* 95 %, of the difference: DeLong's, if delong is not NaN */
    double delong, delong_holm; /* pooled predictions of the slides that both predicted */
    /* per metric, over the seeds; also corrected over the methods compared */
    double mann_whitney[RMIL_MEASURES_MOST], mann_whitney_holm[RMIL_MEASURES_MOST]; /* ≥ 2 seeds each */
    double wilcoxon[RMIL_MEASURES_MOST], wilcoxon_holm[RMIL_MEASURES_MOST];         /* ≥ 2 seeds (and splits) that both have */
    int pairs;                                                                      /* of the first measure, in the Wilcoxon test */
} RmilComparison;

typedef struct {
    double iou, dice, pointing;          /* mean over slides, then over seeds */
    double iou_sd, dice_sd, pointing_sd; /* over seeds; NaN for one */
    double pointing_share;               /* over all slides, each once: with folds, not the mean of the folds' means */
    RmilInterval pointing_interval;      /* its interval, by rmil_pointing_interval: seeds add no slides */
} RmilLocalSummary;

typedef struct {
    RmilTask task;
    const RmilMeasure *measures; /* the task's; methods are ranked by the first */
    int n_measures;
    int n; /* methods */
    RmilMethodSummary *methods;
    gboolean repeats; /* a method has more than one seed */
    int reference;    /* the run's if it is there, else the first */
    int n_comparisons;
    RmilComparison *comparisons;
    int n_alphas; /* 0: no localisation */
    double *alphas;
    RmilLocalSummary *locals; /* n × n_alphas; NaN if a method has none */
    int local_slides;
    RmilFound *found;          /* n × RMIL_FOUND_COUNT */
    const char *found_missing; /* rmil_found_missing of all trainings */
} RmilSummary;
/* "seed", "fold" or "training": what each of the method's trainings is called; "mean of the seeds", … : what its pool is. */
const char *rmil_tests_one(const RmilMethodSummary *summary);
const char *rmil_tests_pool(const RmilMethodSummary *summary);
/* "averaged predictions", …: what its measures describe. */
const char *rmil_tests_measured(const RmilMethodSummary *summary);
/* methods: RmilMethod, which must outlive the summary. reference: name of the method that the others are compared with; the first if there
 * is no such method. */
RmilSummary *rmil_summarise(const GPtrArray *methods, const RmilTask *task, const char *reference);
void rmil_summary_free(RmilSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSummary, rmil_summary_free)

#endif
