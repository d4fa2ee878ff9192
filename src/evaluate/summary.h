/* What the trainings of several methods say together: per method pooled and by training, the methods compared, localisation. */
#ifndef RMIL_EVALUATE_SUMMARY_H
#define RMIL_EVALUATE_SUMMARY_H

#include "rankmil/evaluate.h"

/* -- trainings ------------------------------------------------------------------------------------------------------------- */
/* One training and its rows, as far as there are any. Statistics look at seed, split and rows, the rest is for who shows them. */
typedef struct {
    int64_t seed;
    char *split;        /* name of its split where there are several, else NULL */
    char *key;          /* of the run in the record, else NULL */
    char *folder;       /* with its tables, else NULL */
    char *model;        /* model file, or NULL */
    JsonNode *info;     /* its run.json, or NULL */
    GArray *cases;      /* RmilPredictionRow */
    GArray *epochs;     /* RmilEpoch (mil.h); empty when there is no history */
    GArray *locals;     /* RmilLocalisationRow; empty when no test slide is annotated */
    GArray *attentions; /* RmilAttentionRow; empty unless it was recorded */
} RmilSeedRun;

typedef struct {
    char *name;       /* "rank" */
    char *title;      /* for readers: "Rank induction" */
    int style;        /* line style in every figure, from 1 */
    GPtrArray *seeds; /* RmilSeedRun, by seed; at least one */
} RmilMethod;

enum { RMIL_N_METRICS = 6 };
extern const char *const rmil_metric_names[RMIL_N_METRICS]; /* AUROC, AUPRC, Average precision, Accuracy, … */

/* How the test sets of a method's trainings relate, and so what a pool of their predictions is. */
typedef enum {
    RMIL_TESTS_SAME,  /* every training tested the same slides: the pool is the mean of the trainings */
    RMIL_TESTS_FOLDS, /* every slide was tested by exactly one: out-of-fold predictions of cross-validation */
    RMIL_TESTS_MIXED  /* neither: a slide's value is the mean of those trainings that tested it */
} RmilTests;

/* A test slide with its label and the mean of its probabilities over the trainings that tested it. */
typedef struct {
    char *id;
    int label;
    double probability;
} RmilPooled;

typedef struct {
    const RmilMethod *method;
    GArray *pooled; /* RmilPooled, in the order of the first seed's file */
    int positives, negatives;
    RmilTests tests;
    double value[RMIL_N_METRICS];          /* of the pooled prediction */
    RmilInterval interval[RMIL_N_METRICS]; /* 95 %: DeLong for AUROC, else rmil_metric_intervals' */
    int seeds;
    double *by_seed;                                 /* seeds × RMIL_N_METRICS */
    double mean[RMIL_N_METRICS], sd[RMIL_N_METRICS]; /* over seeds; sd NaN for one seed */
} RmilMethodSummary;

/* The reference against another method. p values are NaN where they cannot be had. */
typedef struct {
    int other;
    double difference;          /* AUROC of the reference's pooled prediction − the other's */
    double delong, delong_holm; /* pooled predictions of the slides that both predicted */
    /* of each metric of the seeds, and corrected over the methods compared */
    double mann_whitney[RMIL_N_METRICS], mann_whitney_holm[RMIL_N_METRICS]; /* ≥ 2 seeds each */
    double wilcoxon[RMIL_N_METRICS], wilcoxon_holm[RMIL_N_METRICS];         /* ≥ 2 seeds (and splits) that both have */
    int pairs;                                                              /* of AUROC, in the Wilcoxon test */
} RmilComparison;

typedef struct {
    double iou, dice, pointing;          /* mean over slides, then over seeds */
    double iou_sd, dice_sd, pointing_sd; /* over seeds; NaN for one */
    double pointing_share;               /* of all slides, each once: with folds not the mean of the folds' means */
    RmilInterval pointing_interval;      /* of that; 95 %, Wilson's: seeds add no slides */
} RmilLocalSummary;

typedef struct {
    int n; /* methods */
    RmilMethodSummary *methods;
    gboolean repeats; /* a method has more than one seed */
    int reference;    /* the run's when it is there, else the first */
    int n_comparisons;
    RmilComparison *comparisons;
    int n_alphas; /* 0: no localisation */
    double *alphas;
    RmilLocalSummary *locals; /* n × n_alphas; NaN where a method has none */
    int local_slides;
} RmilSummary;
/* "seed", "fold" or "training": what each of the method's trainings is called; "mean of the seeds", … : what its pool is. */
const char *rmil_tests_one(const RmilMethodSummary *summary);
const char *rmil_tests_pool(const RmilMethodSummary *summary);
/* Which interval is whose, in one or two sentences for readers. */
extern const char rmil_interval_words[];
/* The test slides of a training that have a label: their number, labels and probabilities where there is room for them (or NULL). */
int64_t rmil_seed_tests(const RmilSeedRun *seed, int *labels, double *scores);
/* methods: RmilMethod, which must outlive it. reference: name of the one that the others are compared with; where it is not among them,
 * the first. */
RmilSummary *rmil_summarise(const GPtrArray *methods, const char *reference);
void rmil_summary_free(RmilSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSummary, rmil_summary_free)

#endif
