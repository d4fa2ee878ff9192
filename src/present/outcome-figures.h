/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of predicted classes, times and numbers. They take arrays; the caller's caption says whose predictions these are, and of which
 * slides or patients. */
#ifndef RMIL_PRESENT_OUTCOME_FIGURES_H
#define RMIL_PRESENT_OUTCOME_FIGURES_H

#include "run.h"

/* Each writes FOLDER/figures/NAME.* and returns the SVG, as rmil_figure_end does. name: the one given below, alone or followed by "-" and
 * more ("confusion-rank"). Names of classes, groups and series can have any length and any letters: long names are cut to the room. They
 * are the last column of the data, since gnuplot takes a quoted quotation mark for the end of a cell. */

/* "confusion": rows of true classes, columns of predicted ones, with counts and shares of the row. counts: classes × classes. */
char *rmil_figure_confusion(const char *name, const int64_t *counts, int classes, const char *const *titles, const char *folder,
                            GError **error);
/* "roc-classes": a curve for each class against the rest, with its AUROC and cases. probabilities: n × classes. */
char *rmil_figure_roc_classes(const char *name, const int *labels, const double *probabilities, int64_t n, int classes,
                              const char *const *titles, const char *folder, GError **error);

/* One line of the next two. */
typedef struct {
    const char *title;
    const double *probabilities; /* n */
} RmilFigureSeries;
/* "reliability": the observed share in each of `bins` bins, with exact 95 % intervals, and the number of cases. x, y: names of the axes. */
char *rmil_figure_reliability(const char *name, const RmilFigureSeries *series, int n_series, const int *happened, int64_t n, int bins,
                              const char *x, const char *y, const char *folder, GError **error);
/* "decision": net benefit over threshold probabilities, compared with calling everybody or nobody positive. */
char *rmil_figure_decision(const char *name, const RmilFigureSeries *series, int n_series, const int *labels, int64_t n, const char *folder,
                           GError **error);

/* "survival": Kaplan-Meier of groups 0 … groups − 1 with 95 % bands, censored cases as ticks, numbers at risk, log-rank p. x: "Time, months". */
char *rmil_figure_survival(const char *name, const double *time, const gboolean *event, const int *group, int64_t n, int groups,
                           const char *const *titles, const char *x, const char *folder, GError **error);
/* "scatter": predicted against true numbers. what: "Ki-67 index, %". */
char *rmil_figure_scatter(const char *name, const double *values, const double *predicted, int64_t n, const char *what, const char *folder,
                          GError **error);

/* Style of the k-th class, group or series; the second as gnuplot's options for a line. */
const RmilLineStyle *rmil_series_style(int k);
char *rmil_series_line(int k); /* g_free */
/* A name cut to at most this many letters, quoted for a script. */
char *rmil_series_title(const char *title, int letters);
/* The step of an axis: 1, 2 or 5 times a power of ten; at most `most` of them fit into the range. */
double rmil_tidy_step(double range, int most);

#endif
