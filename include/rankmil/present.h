/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil present: pages and figures of runs and studies. */
#ifndef RANKMIL_PRESENT_H
#define RANKMIL_PRESENT_H

#include "draw.h"
#include "mil.h"

G_BEGIN_DECLS

/* -- report ------------------------------------------------------------------------------------------------------------------ */
/* Writes a report on a folder made by `rankmil run`, `rankmil train` or `rankmil study`: one self-contained HTML file at `path`, and for
 * each of its figures figures/NAME.svg, NAME.csv (data) and NAME.gp (gnuplot script) in the folder. Without gnuplot, there are no figures,
 * and a warning says so. Studies also get figures/NAME.pdf and .png, tables/NAME.csv (all digits, and the runs that were used) and
 * tables/NAME.tex (booktabs). The report names what is unfinished or missing. The same folder gives the same bytes. Fails if nothing is
 * finished, or a file is broken (the error names file and line); an existing report is then kept. docs/report.md says where each number
 * comes from. */
RMIL_API gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error);

/* The same with a title, or with subgroups: columns of the cohort table, NULL-terminated. Columns with more than a dozen distinct numbers
 * are divided into thirds. For members that are NULL, a run's own record is used, if it has any. ARGUMENT: no such column, or subgroups for
 * a study; DATA: there is no cohort table. */
typedef struct {
    const char *title;
    const char *const *subgroups;
} RmilReportOptions;
RMIL_API gboolean rmil_report_write_as(const char *folder, const char *path, const RmilReportOptions *options, const RmilMonitor *monitor,
                                       GError **error);

/* Ids of the test slides (or patients) that any method of the run classifies wrongly: each once, the first method's first, in order of its
 * slides. Empty for survival and regression. NULL-terminated; free with g_strfreev. Errors as rmil_report_write. */
RMIL_API char **rmil_report_mistakes(const char *folder, GError **error);

/* The main results as a few lines of plain text for a terminal: number of test slides, the first metric of each method (AUROC for two
 * classes) with its interval, differences, and whether attention hits the lesions. Free with g_free. Errors as rmil_report_write. */
RMIL_API char *rmil_report_summary(const char *folder, GError **error);

/* Writes FOLDER/predictions.csv, from `rankmil predict`, as an HTML page: slides by decreasing probability, each with its model, the date,
 * and links, relative to the folder, to its pictures. Fails if the table is broken; the error names file and line. */
RMIL_API gboolean rmil_predictions_page_write(const char *folder, const char *path, GError **error);

G_END_DECLS
#endif
