/* What the report knows of a run folder: its files in memory, and the statistics computed from them. */
#ifndef RMIL_PRESENT_RUN_H
#define RMIL_PRESENT_RUN_H

#include <json-glib/json-glib.h>

#include "present-private.h"
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

typedef struct {
    int64_t seed;
    char *folder;
    JsonNode *info; /* run.json's object, or NULL */
    GArray *cases;  /* RmilCase */
    GArray *epochs; /* RmilEpoch; empty when there is no history */
    GArray *locals; /* RmilLocal; empty when no test slide is annotated */
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
    GPtrArray *methods; /* RmilMethod: the known ones in the paper's order, then others by name */
    GPtrArray *missing; /* sentences about what is not there */
} RmilRun;

/* Fails when DIR is not a run folder, or a file in it is broken; files that may be absent are listed in missing. */
RmilRun *rmil_run_read(const char *folder, GError **error);
void rmil_run_free(RmilRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRun, rmil_run_free)
/* Member of an object, or NULL: for NULL objects too. */
JsonNode *rmil_json_get(JsonNode *object, const char *member);
const char *rmil_json_text(JsonNode *object, const char *member); /* or NULL */

/* -- run_summary.c: statistics ------------------------------------------------------------------------------------- */
enum { RMIL_N_METRICS = 6 };
extern const char *const rmil_metric_names[RMIL_N_METRICS]; /* AUROC, AUPRC, Average precision, Accuracy, … */

/* A test slide with its label and the mean of its probabilities over the seeds. */
typedef struct {
    char *id;
    int label;
    double probability;
} RmilPooled;

typedef struct {
    const RmilMethod *method;
    GArray *pooled; /* RmilPooled, in the order of the first seed's file */
    int positives, negatives;
    double value[RMIL_N_METRICS];          /* of the pooled prediction */
    RmilInterval interval[RMIL_N_METRICS]; /* 95 %: DeLong for AUROC, bootstrap for the others */
    int seeds;
    double *by_seed;                                 /* seeds × RMIL_N_METRICS */
    double mean[RMIL_N_METRICS], sd[RMIL_N_METRICS]; /* over seeds; sd NaN for one seed */
} RmilMethodSummary;

/* The reference against another method. p values are NaN where they cannot be had. */
typedef struct {
    int other;
    double difference;                      /* AUROC of the reference's pooled prediction − the other's */
    double delong, delong_holm;             /* pooled predictions of the slides that both predicted */
    double mann_whitney, mann_whitney_holm; /* AUROC of the seeds, ≥ 2 each */
    double wilcoxon, wilcoxon_holm;         /* AUROC of the seeds that both have, ≥ 2 */
} RmilComparison;

typedef struct {
    double iou, dice, pointing;          /* mean over slides, then over seeds */
    double iou_sd, dice_sd, pointing_sd; /* over seeds; NaN for one */
} RmilLocalSummary;

typedef struct {
    const RmilRun *run;
    int n; /* methods */
    RmilMethodSummary *methods;
    gboolean repeats; /* a method has more than one seed */
    int reference;    /* "rank" when it is there, else the first */
    int n_comparisons;
    RmilComparison *comparisons;
    int n_alphas; /* 0: no localisation */
    double *alphas;
    RmilLocalSummary *locals; /* n × n_alphas; NaN where a method has none */
    int local_slides;
} RmilRunSummary;
RmilRunSummary *rmil_run_summarise(const RmilRun *run);
void rmil_run_summary_free(RmilRunSummary *summary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRunSummary, rmil_run_summary_free)

/* -- figure.c: gnuplot --------------------------------------------------------------------------------------------- */
/* Writes FOLDER/NAME.csv and NAME.gp and lets gnuplot make NAME.svg, whose text is returned; free with g_free. */
char *rmil_figure_draw(const char *folder, const char *name, const char *csv, const char *script, GError **error);
/* The head every script has: terminal of this size, fonts, grid, line styles 1 … */
void rmil_figure_head(GString *script, const char *name, const char *what, int width, int height);
/* "'text'" for a script. */
char *rmil_figure_quote(const char *text);
enum { RMIL_FIGURE_STYLES = 9 };

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
