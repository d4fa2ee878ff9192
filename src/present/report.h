/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report: one section per function, each appending to the page. */
#ifndef RMIL_PRESENT_REPORT_H
#define RMIL_PRESENT_REPORT_H

#include "run.h"
#include "evaluate/method-outcome.h"
#include "study/levels.h"
#include "rankmil/cohort.h"

/* Where a run's slides went: how many were given and usable, which set each is in, what was left out, and why. */
typedef struct {
    const char *title;        /* "Training", "Validation", "Test", … */
    int64_t slides, patients; /* patients 0: not known */
    int64_t annotated;        /* −1: not known */
    char *counts;             /* "17 positive, 31 negative", or NULL */
    char *patient_counts;     /* likewise of its patients; NULL: not known, or a patient has slides of several classes */
    char *drawn;              /* how each training divides it anew, or NULL */
} RmilFlowSet;
typedef struct {
    int64_t given, usable; /* rows of the table, slides with features; −1: not known */
    int64_t annotated;     /* of the usable slides; −1: not known */
    int64_t patients;      /* of the usable slides; 0: not known */
    GPtrArray *reasons;    /* char *: "2 could not be tiled", … */
    int n;
    RmilFlowSet sets[4];
    char *note, *sentence; /* how several trainings divide them, for the figure and for a paragraph; or NULL */
} RmilFlow;

typedef struct {
    const RmilStudyReport *study; /* study or run: of_run says which */
    const RmilResults *run;       /* the last level; the following belong to it: */
    const RmilSummary *summary;
    GString *out;
    const RmilMonitor *monitor;
    gboolean tested; /* enough is known of the test slides to measure something */
    gboolean drawn;  /* gnuplot is there to draw the figures */
    /* RmilMethodOutcome of each method of the summary; NULL if several values were trained: their slides are not shown one by one. */
    GPtrArray *outcomes;
    RmilFlow *flow;            /* of the last level */
    RmilCohort *table;         /* of the slides, as the run left it or as it was given; NULL: not found */
    char *title;               /* of the page */
    const char *const *groups; /* columns whose values make subgroups; NULL-terminated */
} RmilReport;

/* -- html.c -------------------------------------------------------------------------------------------------------- */
/* printf whose string arguments are escaped for HTML. */
void rmil_html(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* "0.941", "−0.020", "–" for NaN; text: at least 16 bytes. */
const char *rmil_html_metric(double value, char *text);
/* "+0.182", "−0.020", "–" */
const char *rmil_html_difference(double value, char *text);
/* "0.812–0.967", "−0.200 to 0.530". Free with g_free. */
char *rmil_html_range(double low, double high);
/* "<small>0.812–0.967</small>"; nothing if it is undefined. */
void rmil_html_interval(GString *out, const RmilInterval *interval);
/* "<td>0.941<small>0.812–0.967</small></td>" */
void rmil_html_value_cell(GString *out, double value, const RmilInterval *interval);
/* "0.003", "< 0.001", "–". */
const char *rmil_html_p(double p, char *text);
/* "2 h 5 min", "41 s", "0.3 s"; text: at least 32 bytes. */
const char *rmil_html_seconds(double seconds, char *text);
/* The same for a figure that was just drawn, which is freed. FALSE: drawing failed, and svg is NULL. */
gboolean rmil_html_figure(GString *out, char *svg, const char *alt, const char *caption);
/* <figure> with the SVG as part of the page; if svg is "", a note that it could not be drawn. */
void rmil_html_svg(GString *out, const char *svg, const char *alt, const char *caption);
/* Rows "key | value" of everything in a JSON object, nested keys joined; skip: top-level members to leave out,
 * NULL-terminated. */
void rmil_html_json_rows(GString *out, JsonNode *object, const char *const *skip);

typedef struct {
    const char *id, *text;
} RmilHtmlSection;
/* Writes the whole page: head, links to the sections that the body has, body, foot. sections: ends with NULL, or is NULL. line: below the
 * title. */
gboolean rmil_html_page_write(const char *path, const char *eyebrow, const char *title, const char *line, const RmilHtmlSection *sections,
                              const char *body, GError **error);

/* -- svg.c: gnuplot's drawing as an <svg> of the page. name: of its symbols, unique on the page. */
void rmil_html_drawing(GString *out, const char *svg, const char *name, const char *alt);

/* -- download.c ----------------------------------------------------------------------------------------------------- */
/* A file embedded in the page, behind a link. */
void rmil_html_file(GString *out, const char *name, const char *kind, const char *data, gsize size, const char *text);
/* A list of DIR/tables/ *.csv, each embedded in the page. */
gboolean rmil_html_tables(GString *out, const char *folder, GError **error);
/* <table><caption>…</caption>, which scrolls if it is too wide; and its end, with its content as NAME.csv. In that file a cell's attribute
 * data-csv replaces its text. */
void rmil_html_table_begin(GString *out, const char *name, const char *caption);
void rmil_html_table_end(GString *out);

/* -- sections: each appends itself, or nothing if it has nothing to say ----------------------------------------------- */
/* Of a run. */
gboolean rmil_report_answer(RmilReport *report, GError **error);
gboolean rmil_report_measures(RmilReport *report, GError **error);
/* The method that the page quotes. */
const RmilMethodSummary *rmil_report_reference(const RmilReport *report);
/* What the page compares the reference with: the method without annotations, else the first other one. NULL: there is none. */
const RmilComparison *rmil_report_comparison(const RmilSummary *summary);
/* The one figure of the first screen: the ROC curves for two classes, else the task's first figure. */
gboolean rmil_report_main_figure(RmilReport *report, GError **error);
gboolean rmil_report_roc(RmilReport *report, GError **error);
/* Are the cases patients, with all their slides? The second says so on the page, and nothing if they are slides. */
gboolean rmil_report_of_patients(const RmilReport *report);
void rmil_report_say_cases(RmilReport *report);
/* Fills report->outcomes. Free with g_ptr_array_unref. */
void rmil_report_find_outcomes(RmilReport *report);
/* The probability from which the method calls a slide positive: its cut-off, or 0.5. */
double rmil_report_cut(const RmilReport *report, int method);
/* Parts of the results that only one task has. */
/* for two classes, a part of the outcomes */
gboolean rmil_report_decisions(RmilReport *report, RmilMethodOutcome *const *outcomes, GError **error);
gboolean rmil_report_outcomes(RmilReport *report, GError **error);
gboolean rmil_report_localisation(RmilReport *report, GError **error);
gboolean rmil_report_subgroups(RmilReport *report, GError **error);
gboolean rmil_report_pictures(RmilReport *report, GError **error);
/* Where the sets come from, in sentences; NULL if the record does not say. Free with g_free. */
char *rmil_report_sets(const RmilReport *report);
gboolean rmil_report_cohort(RmilReport *report, GError **error);
/* Rows "key | value" of everything in an object of run.json. */
void rmil_report_keys(RmilReport *report, const char *name, const char *caption, JsonNode *object, const char *const *skip);
gboolean rmil_report_methods(RmilReport *report, GError **error);
gboolean rmil_report_making(RmilReport *report, GError **error);
/* -- report-training.c: for two classes, how many trainings of method m have a validation loss no better than always predicting the share
 * of positive slides */
int64_t rmil_report_unlearned(const RmilReport *report, int m);
/* -- flow.c */
RmilFlow *rmil_flow_new(const RmilReport *report);
void rmil_flow_free(RmilFlow *flow);
/* "Test: 48 slides (17 positive, 31 negative) of 39 patients (16 positive, 23 negative); …". Free with g_free. */
char *rmil_flow_words(const RmilFlow *flow);
/* FOLDER/figures/flow.svg, and the same on the page. */
gboolean rmil_flow_draw(const RmilFlow *flow, const char *folder, GString *out, GError **error);
/* -- report-pictures.c: has a slide pictures on the page? */
gboolean rmil_report_pictured(const RmilReport *report, const char *id);
/* Mistakes of the reference first, the furthest from what is known before all; for g_ptr_array_sort_with_data of rows, with the report. */
int rmil_report_by_distance(gconstpointer a, gconstpointer b, gpointer report);
/* Of the pooled slides of a method, how many it gets wrong. */
guint rmil_report_wrong(const RmilReport *report, int method);
/* What the method says of a slide; NULL: nothing. */
const RmilPredictionRow *rmil_report_said(const RmilMethodSummary *summary, const char *id);
/* The number of a test slide among the reference's pooled ones, which links name it by; −1: it is none. */
int rmil_report_number(const RmilReport *report, const char *id);
/* Of a study. */
gboolean rmil_study_cohort(RmilReport *report, GError **error);
gboolean rmil_study_results(RmilReport *report, GError **error);
gboolean rmil_study_tests(RmilReport *report, GError **error);
gboolean rmil_study_localise(RmilReport *report, GError **error);
gboolean rmil_study_attention_section(RmilReport *report, GError **error);
gboolean rmil_study_making(RmilReport *report, GError **error);
/* Of both. */
gboolean rmil_report_found(RmilReport *report, GError **error); /* a part of the localisation */
gboolean rmil_report_errors(RmilReport *report, GError **error);
gboolean rmil_report_training(RmilReport *report, GError **error);

#endif
