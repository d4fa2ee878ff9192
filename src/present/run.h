/* SPDX-License-Identifier: Apache-2.0 */
/* Figures, and those of a run. */
#ifndef RMIL_PRESENT_RUN_H
#define RMIL_PRESENT_RUN_H

#include "draw/draw-private.h"
#include "rankmil/present.h"
#include "study/results.h"

/* -- figure.c: gnuplot --------------------------------------------------------------------------------------------- */
/* A figure's data and script while they are put together. */
typedef struct {
    const char *name;
    RmilCsv *csv;
    GString *script;
    int clauses; /* of the plot command so far */
} RmilFigure;
/* Script with the head every figure has: terminals for SVG, PDF and PNG of width × height px (a column of 85 mm is
 * 480 px wide), fonts, grid, line styles 1 …, those of rmil_methods. header: of the CSV. */
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
char *rmil_figure_roc(const RmilSummary *summary, const char *folder, GError **error);
char *rmil_figure_pr(const RmilSummary *summary, const char *folder, GError **error);
char *rmil_figure_auroc(const RmilSummary *summary, const char *folder, GError **error);
char *rmil_figure_probabilities(const RmilSummary *summary, const char *folder, GError **error);
/* what: 0 IoU, 1 Dice, 2 pointing game */
char *rmil_figure_localisation(const RmilSummary *summary, int what, const char *folder, GError **error);
/* Of the method's first seed. */
char *rmil_figure_history(const RmilMethod *method, const RmilTask *task, const char *folder, GError **error);

#endif
