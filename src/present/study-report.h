/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a study: the record, grouped for comparison, as tables, figures and text. */
#ifndef RMIL_PRESENT_STUDY_REPORT_H
#define RMIL_PRESENT_STUDY_REPORT_H

#include "report.h"

/* -- study-table.c: one table, as HTML and LaTeX ---------------------------------------------------------------------- */
typedef struct {
    char *text;     /* as shown; "–" if there is none */
    double order;   /* ranks best and second best; NaN: neither */
    int place;      /* 1 best, 2 second best, else 0 */
    char marks[24]; /* letters above the value */
} RmilTableCell;
typedef struct {
    char *name, *caption, *corner;
    GPtrArray *columns; /* char * */
    GPtrArray *titles;  /* of rows: char * */
    GArray *cells;      /* RmilTableCell, rows × columns */
    GPtrArray *notes;   /* char *: below the table */
} RmilStudyTable;
RmilStudyTable *rmil_study_table_new(const char *name, const char *corner, const char *format, ...) G_GNUC_PRINTF(3, 4);
void rmil_study_table_free(RmilStudyTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyTable, rmil_study_table_free)
void rmil_study_table_column(RmilStudyTable *table, const char *title); /* before the first row */
void rmil_study_table_row(RmilStudyTable *table, const char *title);
/* Sets a cell of the last row. Takes over text. */
RmilTableCell *rmil_study_table_set(RmilStudyTable *table, int column, double order, char *text);
void rmil_study_table_note(RmilStudyTable *table, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Finds best and second best of a column by their order, rounded to three decimals as shown; equal cells share a place. */
void rmil_study_table_rank(RmilStudyTable *table, int column, gboolean lower_is_better);
void rmil_study_table_html(const RmilStudyTable *table, GString *out);
/* A `table` environment for booktabs. Free with g_free. */
char *rmil_study_table_latex(const RmilStudyTable *table);
/* "0.839 (0.050)", "0.839", "–". Free with g_free. */
char *rmil_study_mean_sd(double mean, double sd);

/* -- study-tables.c: which tables a study has -------------------------------------------------------------------------- */
/* Each function returns tables (RmilStudyTable) in the order of the page. */
/* Indices in study->measures of the measures that studies show; returns their number. */
int rmil_study_shown(const RmilStudyReport *study, int places[RMIL_MEASURES_MOST]);
GPtrArray *rmil_study_result_tables(const RmilStudyReport *study); /* mean, SD, marks */
GPtrArray *rmil_study_test_tables(const RmilStudyReport *study);   /* Mann-Whitney, Wilcoxon, DeLong, Holm */
GPtrArray *rmil_study_pooled_tables(const RmilStudyReport *study); /* averaged predictions with intervals */
GPtrArray *rmil_study_local_tables(const RmilStudyReport *study);  /* IoU, Dice, pointing game over α */
GPtrArray *rmil_study_found_tables(const RmilStudyReport *study);  /* found.c: patches, FROC, FROC by size of lesions */
/* Every comparison of the study, level after level, with Holm's correction over all of them. */
typedef struct {
    const RmilSummary *summary;
    const char *level; /* its text, or "" */
    const RmilComparison *comparison;
    gboolean pooled; /* both tested the same slides in every training, so that DeLong is valid */
    double mann_whitney[RMIL_MEASURES_MOST], wilcoxon[RMIL_MEASURES_MOST], delong; /* corrected */
} RmilStudyTest;
GArray *rmil_study_all_tests(const RmilStudyReport *study);

/* -- study-csv.c: DIR/tables, full precision ---------------------------------------------------------------------------- */
/* runs.csv, results.csv, tests.csv, pooled.csv and, where recorded, localisation.csv and attention.csv. */
gboolean rmil_study_csv_write(const RmilStudyReport *study, const char *folder, GError **error);

/* -- study-figures.c: each writes below DIR/figures and gives the SVG ---------------------------------------------------- */
/* Metric over value, one line per method, SD as band or bars, stars of the tests. */
char *rmil_study_figure_curve(const RmilStudyReport *study, int metric, GError **error);
/* Share of attention outside the lesion over value. */
char *rmil_study_figure_elsewhere(const RmilStudyReport *study, GError **error);
/* For a grid: a method's mean AUROC in every cell. */
char *rmil_study_figure_grid(const RmilStudyReport *study, const RmilMethod *method, GError **error);
/* Every training as a dot, one row per method. */
char *rmil_study_figure_strip(const RmilStudyReport *study, int metric, GError **error);

/* -- study-lines.c -------------------------------------------------------------------------------------------------------- */
/* Does the study vary a word and a number? If so, the second draws a method's first measure over the number: one line per word, SD as
 * band. */
gboolean rmil_study_has_lines(const RmilStudyReport *study);
char *rmil_study_figure_lines(const RmilStudyReport *study, const RmilMethod *method, GError **error);

/* -- study-findings.c: what was found, in words --------------------------------------------------------------------------- */
void rmil_study_findings(const RmilStudyReport *study, GString *out);

/* -- study-answer.c: question, cohort, answer and a figure ------------------------------------------------------------------- */
gboolean rmil_study_answer(RmilReport *report, GError **error);

/* -- study-report.c --------------------------------------------------------------------------------------------------------- */
/* The figure of the first screen. */
gboolean rmil_study_main_figure(const RmilStudyReport *study, GString *out, GError **error);
/* folder/NAME.tex of every table. */
gboolean rmil_study_latex_write(const RmilStudyReport *study, const char *folder, GError **error);

#endif
