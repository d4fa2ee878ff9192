/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil present: pages and figures of runs and studies. */
#ifndef RANKMIL_PRESENT_H
#define RANKMIL_PRESENT_H

#include "draw.h"
#include "mil.h"

G_BEGIN_DECLS

/* -- report ------------------------------------------------------------------------------------------------------------------ */
/* Reads a folder that `rankmil run`, `rankmil train` or `rankmil study` filled and writes one self-contained HTML file, and below the
 * folder figures/NAME.svg with NAME.csv (data) and NAME.gp (gnuplot script) for each figure in it; without gnuplot the page has none,
 * and a warning says so. Of a study also figures/NAME.pdf and .png, tables/NAME.csv (all digits, with the runs that entered) and
 * tables/NAME.tex (booktabs). It names what is unfinished or missing. The same folder gives the same bytes. Fails when nothing is
 * finished or a file is broken, naming file and line; nothing is then written over. docs/report.md: where each number comes from. */
RMIL_API gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error);

/* The same, told what the folder does not know: NULL members are taken from the run, where it has any. subgroups: columns of the table of
 * slides, NULL-terminated; of numbers with more than a dozen values thirds. ARGUMENT: there is no such column; DATA: no such table. */
typedef struct {
    const char *title;
    const char *const *subgroups;
} RmilReportOptions;
RMIL_API gboolean rmil_report_write_as(const char *folder, const char *path, const RmilReportOptions *options, const RmilMonitor *monitor,
                                       GError **error);

/* Ids of the test slides (or patients) that a method of the run gets wrong, each once, by the first method's order of slides; empty where
 * nothing is classified. NULL-terminated, free with g_strfreev. Fails as rmil_report_write does. */
RMIL_API char **rmil_report_mistakes(const char *folder, GError **error);

/* What the report says first, as a few lines of plain text for a terminal: test slides, AUROC of each method with its interval,
 * differences, whether attention meets the lesions. Free with g_free. Fails as rmil_report_write does. */
RMIL_API char *rmil_report_summary(const char *folder, GError **error);

/* FOLDER/predictions.csv, as `rankmil predict` writes it, as a page: slides by falling probability, each with its model and date and
 * links, relative to the folder, to its pictures there. Fails, naming file and line, when the table is broken. */
RMIL_API gboolean rmil_predictions_page_write(const char *folder, const char *path, GError **error);

G_END_DECLS
#endif
