/* What the report knows of a run folder: its files in memory, and the statistics computed from them. */
#ifndef RMIL_PRESENT_RUN_H
#define RMIL_PRESENT_RUN_H

#include "base/json.h"
#include "draw/draw-private.h"
#include "rankmil/present.h"
#include "rankmil/cohort.h"
#include "rankmil/evaluate.h"

/* -- run.c: reading ------------------------------------------------------------------------------------------------ */
typedef struct {
    char *id;
    RmilSplit split;
    int label; /* −1 none */
    double probability;
} RmilCase;

typedef struct {
    char *id;
    double alpha, iou, dice, pointing;
} RmilLocal;

/* How a model spreads its attention over one annotated slide. */
typedef struct {
    char *id;
    double lesion, elsewhere; /* mean attention × K on annotated and on other patches */
    double lesion_share;      /* of all attention, on annotated patches */
} RmilAttended;

typedef struct {
    int64_t seed;
    char *split;        /* name of its split where a study has several, else NULL */
    char *key;          /* of the run in a study's record, else NULL */
    char *folder;       /* of a run folder, else NULL */
    char *model;        /* model file, or NULL */
    JsonNode *info;     /* run.json's object, or NULL */
    GArray *cases;      /* RmilCase */
    GArray *epochs;     /* RmilEpoch; empty when there is no history */
    GArray *locals;     /* RmilLocal; empty when no test slide is annotated */
    GArray *attentions; /* RmilAttended; empty unless a study recorded it */
} RmilSeedRun;

typedef struct {
    char *name;       /* of its folder: "rank" */
    char *title;      /* for readers: "Rank induction" */
    int style;        /* line style in every figure, from 1 */
    GPtrArray *seeds; /* RmilSeedRun, by seed; at least one */
} RmilMethod;

typedef struct {
    char *folder;
    gboolean single;    /* one training run, not a folder of many */
    JsonNode *info;     /* DIR/run.json's object, or NULL */
    char *reference;    /* name of the method the others are compared with; NULL: "rank" */
    GPtrArray *methods; /* RmilMethod: the known ones in the paper's order, then others by name */
    GPtrArray *missing; /* sentences about what is not there */
} RmilRun;

/* Empty ones, for those who fill them from elsewhere. new_method: title and style of a known name, else the name itself. */
RmilRun *rmil_run_new(const char *folder);
RmilMethod *rmil_method_new(const char *name);
void rmil_method_free(RmilMethod *method);
RmilSeedRun *rmil_seed_run_new(int64_t seed);
/* Place of a method's name in the paper's order; behind all of them when it is not known. */
int rmil_method_order(const char *name);
/* Fails when DIR is not a run folder, or a file in it is broken; files that may be absent are listed in missing. */
RmilRun *rmil_run_read(const char *folder, GError **error);
void rmil_run_free(RmilRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRun, rmil_run_free)

/* -- run-summary.c: statistics ------------------------------------------------------------------------------------- */
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
    const RmilRun *run;
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
} RmilRunSummary;
/* "seed", "fold" or "training": what each of the method's trainings is called; "mean of the seeds", … : what its pool is. */
const char *rmil_tests_one(const RmilMethodSummary *summary);
const char *rmil_tests_pool(const RmilMethodSummary *summary);
/* Which interval is whose, in one or two sentences for readers. */
extern const char rmil_interval_words[];
RmilRunSummary *rmil_run_summarise(const RmilRun *run);
void rmil_run_summary_free(RmilRunSummary *summary);
/* Mean and SD (n − 1) of those among n values that are numbers, stride apart; NaN where there are too few. */
void rmil_mean_sd(const double *values, int64_t n, int stride, double *mean, double *sd);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRunSummary, rmil_run_summary_free)

/* -- figure.c: gnuplot --------------------------------------------------------------------------------------------- */
enum { RMIL_FIGURE_STYLES = 9 };
/* A figure's data and script while they are put together. */
typedef struct {
    const char *name;
    RmilCsv *csv;
    GString *script;
    int clauses; /* of the plot command so far */
} RmilFigure;
/* Script with the head every figure has: terminals for SVG, PDF and PNG of width × height px (a column of 85 mm is
 * 480 px wide), fonts, grid, line styles 1 … RMIL_FIGURE_STYLES. header: of the CSV. */
void rmil_figure_begin(RmilFigure *figure, const char *name, const char *what, int width, int height, const char *header);
/* Adds one clause to the plot command. */
void rmil_figure_plot(RmilFigure *figure, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* n cells of the data, "NaN" where there is no number. */
void rmil_figure_numbers(RmilCsv *csv, int n, const double *values);
/* The key below the plot has one row per entry: its height in px, and the margin that keeps it clear of the axis'
 * label. */
#define RMIL_KEY_ROW 19
void rmil_figure_key_room(GString *script, int rows);
/* Removes the files of an earlier report's figures, those of methods and measures that this page may not have. */
gboolean rmil_figures_remove(const char *folder, GError **error);
/* Whether there is a gnuplot to draw with; warns, once a page, when there is none. */
gboolean rmil_figures_announce(const char *folder, const RmilMonitor *monitor);
/* Writes FOLDER/figures/NAME.csv, .gp, .svg, .pdf and .png; gives the SVG's text (g_free), "" without gnuplot. Frees the parts of the figure,
 * also on failure. */
char *rmil_figure_end(RmilFigure *figure, const char *folder, GError **error);
/* "'text'" for a script. */
char *rmil_figure_quote(const char *text);

/* -- figures.c: each writes its files below DIR/figures and returns the SVG ---------------------------------------- */
char *rmil_figure_roc(const RmilRunSummary *summary, const char *folder, GError **error);
char *rmil_figure_pr(const RmilRunSummary *summary, const char *folder, GError **error);
char *rmil_figure_auroc(const RmilRunSummary *summary, const char *folder, GError **error);
char *rmil_figure_probabilities(const RmilRunSummary *summary, const char *folder, GError **error);
/* what: 0 IoU, 1 Dice, 2 pointing game */
char *rmil_figure_localisation(const RmilRunSummary *summary, int what, const char *folder, GError **error);
/* Of the method's first seed. */
char *rmil_figure_history(const RmilMethod *method, const char *folder, GError **error);

#endif
