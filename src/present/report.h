/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report: one section per function, each appending to the page. */
#ifndef RMIL_PRESENT_REPORT_H
#define RMIL_PRESENT_REPORT_H

#include "run.h"
#include "evaluate/method-outcome.h"
#include "study/levels.h"

typedef struct {
    const RmilStudyReport *study; /* or run: of_run says which */
    const RmilResults *run;       /* its last level, and of that: */
    const RmilSummary *summary;
    GString *out;
    const RmilMonitor *monitor;
    gboolean tested; /* what is known of the test slides is enough to measure something */
    gboolean drawn;  /* there is gnuplot, which draws the figures */
    /* RmilMethodOutcome of each method of the summary; NULL where several values are trained, whose slides are not shown one by one. */
    GPtrArray *outcomes;
} RmilReport;

/* -- html.c -------------------------------------------------------------------------------------------------------- */
/* printf whose string arguments are escaped for HTML. */
void rmil_html(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
extern const char rmil_html_style[]; /* style.c */
/* "0.941", "−0.020", "–" for NaN; text: at least 16 bytes. */
const char *rmil_html_metric(double value, char *text);
/* "0.812–0.967", "−0.200 to 0.530". Free with g_free. */
char *rmil_html_range(double low, double high);
/* "<small>0.812–0.967</small>"; nothing where it is undefined. */
void rmil_html_interval(GString *out, const RmilInterval *interval);
/* "0.003", "< 0.001", "–". */
const char *rmil_html_p(double p, char *text);
/* "2 h 5 min", "41 s", "0.3 s"; text: at least 32 bytes. */
const char *rmil_html_seconds(double seconds, char *text);
/* <div class=scroll><table><caption>…</caption> and its end. The caption is escaped. */
void rmil_html_table_begin(GString *out, const char *caption);
void rmil_html_table_end(GString *out);
/* <figure> with the SVG as an image; "": with a word that it could not be drawn. */
void rmil_html_svg(GString *out, const char *svg, const char *alt, const char *caption);
/* Rows "key | value" of everything in a JSON object, nested keys joined; skip: NULL-terminated top-level members left
 * out. */
void rmil_html_json_rows(GString *out, JsonNode *object, const char *const *skip);

typedef struct {
    const char *id, *text;
} RmilHtmlSection;
/* Writes the whole page: head, links to those sections (the last: NULL; or NULL for none) that the body has, body, foot. line: below the
 * title. */
gboolean rmil_html_page_write(const char *path, const char *eyebrow, const char *title, const char *line, const RmilHtmlSection *sections,
                              const char *body, GError **error);

/* -- sections: each appends itself, or nothing where it has nothing to say -------------------------------------------- */
/* Of a run. */
gboolean rmil_report_headline(RmilReport *report, GError **error);
gboolean rmil_report_results(RmilReport *report, GError **error);
/* Are the cases patients, with all their slides? And that in words, nothing where they are slides. */
gboolean rmil_report_of_patients(const RmilReport *report);
void rmil_report_say_cases(RmilReport *report);
/* Fills report->outcomes. Free with g_ptr_array_unref. */
void rmil_report_find_outcomes(RmilReport *report);
/* Where the method's positive slides begin: its cut-off, or 0.5. */
double rmil_report_cut(const RmilReport *report, int method);
/* A part of the results: what only one task has. */
gboolean rmil_report_outcomes(RmilReport *report, GError **error);
gboolean rmil_report_localisation(RmilReport *report, GError **error);
gboolean rmil_report_heatmaps(RmilReport *report, GError **error);
gboolean rmil_report_cohort(RmilReport *report, GError **error);
gboolean rmil_report_making(RmilReport *report, GError **error);
/* Of a study. */
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
