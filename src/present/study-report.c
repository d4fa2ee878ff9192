/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a study: its sections. */
#include "study-report.h"
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

typedef GPtrArray *(*TablesOf)(const RmilStudyReport *study);

/* Tables on the page; the first `open` of them are not folded. */
static void add_tables(const RmilStudyReport *study, TablesOf tables_of, guint open, const char *summary, GString *out) {
    g_autoptr(GPtrArray) tables = tables_of(study);
    for (guint i = 0; i < tables->len; i++) {
        const RmilStudyTable *table = tables->pdata[i];
        if (i == open) rmil_html(out, "<details><summary>%s</summary>\n", summary);
        rmil_study_table_html(table, out);
    }
    if (tables->len > open) g_string_append(out, "</details>\n");
}

gboolean rmil_study_latex_write(const RmilStudyReport *study, const char *folder, GError **error) {
    static const TablesOf all[] = {rmil_study_result_tables, rmil_study_test_tables, rmil_study_pooled_tables, rmil_study_local_tables,
                                   rmil_study_found_tables};
    for (gsize k = 0; k < G_N_ELEMENTS(all); k++) {
        g_autoptr(GPtrArray) tables = all[k](study);
        for (guint i = 0; i < tables->len; i++) {
            const RmilStudyTable *table = tables->pdata[i];
            g_autofree char *latex = rmil_study_table_latex(table), *file = g_strconcat(table->name, ".tex", NULL),
                            *path = g_build_filename(folder, file, NULL);
            if (!rmil_file_write(path, latex, strlen(latex), error)) return FALSE;
        }
    }
    return TRUE;
}

/* -- sections ----------------------------------------------------------------------------------------------------------- */
static void add_progress(const RmilStudyReport *study, GString *out) {
    if (study->done == study->planned) return;
    rmil_html(
        out,
        "<div class=\"note\" role=\"note\"><p>%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
        " trainings are done, and this report covers only those. The numbers will change.</p><details><summary>What is left</summary><ul>\n",
        study->done, study->planned);
    for (guint i = 0; i < study->left->len; i++) rmil_html(out, "<li>%s</li>\n", (const char *)study->left->pdata[i]);
    g_string_append(out, "</ul></details></div>\n");
}

/* Not the same words below every figure: the later figures refer to the first. */
static const char likewise[] = "As in the first figure of this page.";

static const char stars_text[] =
    "Stars: Mann-Whitney U over the trainings, two-sided, not corrected: * P < .05, ** P < .001, *** P < .0001, "
    "**** P < .00001";

static char *curve_caption(const RmilStudyReport *study) {
    const gboolean bands = (study->along_summary || study->methods->len <= 3) && !study->axes[0].words, all = study->axes[0].words;
    const char *against = study->along_summary ? study->levels[0].text : NULL;
    return g_strdup_printf("Mean over the trainings; %s. %s, %s%s.",
                           bands ? "band: SD"
                           : all ? "bars: SD"
                                 : "band (of the reference) and bars: SD",
                           stars_text,
                           against ? "against "
                                   : "of the reference against the method whose symbol stands before them; a − before the stars: the "
                                     "reference is lower",
                           against ? against : "");
}

/* The number of measures with figures: the first is on the first screen, the others below. */
enum { DRAWN = 2 };
static int measures_drawn(const RmilStudyReport *study, int shown[RMIL_MEASURES_MOST]) {
    return MIN(rmil_study_shown(study, shown), DRAWN);
}

static gboolean add_curve(const RmilStudyReport *study, int measure, const char *caption, GString *out, GError **error) {
    g_autofree char *alt = g_strdup_printf("%s over %s; the values are in the table below", study->measures[measure].name, study->axis);
    return rmil_html_figure(out, rmil_study_figure_curve(study, measure, error), alt, caption);
}

static gboolean add_curves(const RmilStudyReport *study, GString *out, GError **error) {
    g_string_append(out, "<div class=\"figures two\">\n");
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = measures_drawn(study, shown);
    for (int i = 1; i < n_shown; i++)
        if (!add_curve(study, shown[i], likewise, out, error)) return FALSE;
    const RmilLevel *level = &study->levels[0];
    g_autofree char *sums = g_strdup_printf("Sum of a slide’s attention on patches that are not annotated: mean over %s test slides, then "
                                            "mean and SD (band) over the trainings.",
                                            rmil_task_annotated(&study->task));
    if (study->n_axes == 1 && study->axes[0].what && study->axes[0].what->elsewhere &&
        rmil_study_elsewhere(&level->summary->methods[0]).slides &&
        !rmil_html_figure(out, rmil_study_figure_elsewhere(study, error), "Attention off the lesion over the threshold", sums))
        return FALSE;
    g_string_append(out, "</div>\n");
    return TRUE;
}

/* "dropout: share of hidden units dropped in training". */
static char *axis_words(const RmilStudyAxis *axis) {
    const gboolean named = axis->what && g_str_has_prefix(axis->what->axis, axis->name);
    return g_strconcat(named ? "" : axis->name, axis->what ? named ? "" : ": " : "", axis->what ? axis->what->axis : "", NULL);
}

static gboolean add_grid(const RmilStudyReport *study, guint m, const char *caption, GString *out, GError **error) {
    const RmilMethod *method = study->methods->pdata[m];
    g_autofree char *alt = g_strdup_printf("Mean %s of %s by %s; the values are in the table below", study->measures[0].name, method->title,
                                           study->axis);
    return rmil_html_figure(out, rmil_study_figure_grid(study, method, error), alt, caption);
}

/* One line per word, if there are words: the content of a grid, easier to read. */
static gboolean add_lines(const RmilStudyReport *study, guint m, GString *out, GError **error) {
    const RmilMethod *method = study->methods->pdata[m];
    g_autofree char *alt = g_strdup_printf("%s of %s over %s; the values are in the table below", study->measures[0].name, method->title,
                                           study->axis);
    g_autofree char *caption = g_strdup_printf("%s: mean %s over the trainings; band: SD.", method->title, study->measures[0].name);
    return rmil_html_figure(out, rmil_study_figure_lines(study, method, error), alt, caption);
}

static char *grid_caption(const RmilStudyReport *study) {
    g_autofree char *first = axis_words(&study->axes[0]), *second = axis_words(&study->axes[1]);
    return g_strdup_printf("Mean %s over the trainings%s. Down: %s. Across: %s.", study->measures[0].name,
                           study->methods->len > 1 ? "; one scale of colours for all methods" : "", first, second);
}

/* One figure per method, all on one colour scale. */
static gboolean add_grids(const RmilStudyReport *study, GString *out, GError **error) {
    const gboolean lines = rmil_study_has_lines(study);
    g_autofree char *caption = grid_caption(study);
    g_string_append(out, "<div class=\"figures two\">\n");
    for (guint m = 1; lines && m < study->methods->len; m++)
        if (!add_lines(study, m, out, error)) return FALSE;
    for (guint m = lines ? 0 : 1; m < study->methods->len; m++)
        if (!add_grid(study, m, lines && !m ? caption : likewise, out, error)) return FALSE;
    g_string_append(out, "</div>\n");
    return TRUE;
}

static gboolean add_strip(const RmilStudyReport *study, int measure, const char *caption, GString *out, GError **error) {
    g_autofree char *alt = g_strdup_printf("%s of every training by method", study->measures[measure].name);
    return rmil_html_figure(out, rmil_study_figure_strip(study, measure, error), alt, caption);
}

gboolean rmil_study_main_figure(const RmilStudyReport *study, GString *out, GError **error) {
    int shown[RMIL_MEASURES_MOST];
    rmil_study_shown(study, shown);
    if (rmil_study_has_lines(study)) return add_lines(study, 0, out, error);
    if (study->n_levels > 1) {
        g_autofree char *caption = study->n_axes > 1 ? grid_caption(study) : curve_caption(study);
        return study->n_axes > 1 ? add_grid(study, 0, caption, out, error) : add_curve(study, shown[0], caption, out, error);
    }
    g_autofree char *caption = g_strdup_printf(
        "Every training as a dot; diamond and line: mean and SD. %s, of the reference against the method; − "
        "before the stars: the reference is lower.",
        stars_text);
    return add_strip(study, shown[0], caption, out, error);
}

static gboolean add_strips(const RmilStudyReport *study, GString *out, GError **error) {
    g_string_append(out, "<div class=\"figures two\">\n");
    int shown[RMIL_MEASURES_MOST];
    const int n_shown = measures_drawn(study, shown);
    for (int i = 1; i < n_shown; i++)
        if (!add_strip(study, shown[i], likewise, out, error)) return FALSE;
    const RmilSummary *s = study->levels[0].summary;
    gboolean same = TRUE;
    for (int m = 0; m < s->n; m++)
        same = same && s->methods[m].tests == RMIL_TESTS_SAME && s->methods[m].positives && s->methods[m].negatives;
    if (same && (!rmil_html_figure(out, rmil_figure_roc(s, study->folder, error), "ROC curves of the averaged predictions",
                                   "ROC curves of the probabilities averaged over the trainings, with their AUROC.") ||
                 !rmil_html_figure(out, rmil_figure_pr(s, study->folder, error), "Precision-recall curves of the averaged predictions",
                                   "Precision-recall curves of the same, with their AUPRC. Dotted: the share of positive slides.")))
        return FALSE;
    g_string_append(out, "</div>\n");
    return TRUE;
}

gboolean rmil_study_results(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    GString *out = report->out;
    g_string_append(out, "<section id=\"result\"><h2>At a glance</h2>\n");
    if (!rmil_study_answer(report, error)) return FALSE;
    rmil_report_say_cases(report);
    add_progress(study, out);
    if (study->n_levels > 1 && !(study->n_axes > 1 ? add_grids : add_curves)(study, out, error)) return FALSE;
    add_tables(study, rmil_study_result_tables, 1, "The other measures", out);
    if (study->n_levels == 1 && !add_strips(study, out, error)) return FALSE;
    g_string_append(out, "</section>\n");
    return TRUE;
}

gboolean rmil_study_tests(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    GString *out = report->out;
    g_autoptr(GString) inner = g_string_new(NULL);
    add_tables(study, rmil_study_test_tables, 1, study->task.classes == 2 ? "AUPRC and accuracy" : "The other measures", inner);
    add_tables(study, rmil_study_pooled_tables, 1, "", inner);
    if (inner->len)
        g_string_append_printf(
            out,
            "<section id=\"tests\"><h2>Performance</h2>\n<p>The paper uses the Mann-Whitney U test without correction. The "
            "tests beside it take into account that the trainings share splits and slides, and correct for the number of tests.</p>\n%s</section>\n",
            inner->str);
    return TRUE;
}

gboolean rmil_study_localise(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    GString *out = report->out;
    static const char *const captions[] = {"IoU", "Dice", "Pointing game"};
    const RmilSummary *s = study->along_summary ? study->along_summary : study->levels[study->n_levels - 1].summary;
    if (s->n_alphas == 0) return TRUE;
    rmil_html(
        out,
        "<section id=\"localisation\"><h2>Attention and lesions</h2>\n<p>Of %d %s test slides the patches with "
        "the highest attention are compared with the annotated ones. IoU and Dice: as many patches as α %% of the number of annotated "
        "patches, so at 100 %% a perfect attention reaches 1. Pointing game: the top α %% of all patches, a hit if one of them is "
        "annotated.</p>\n",
        s->local_slides, rmil_task_annotated(&study->task));
    if (!study->along_summary) {
        g_string_append(out, "<div class=\"figures\">\n");
        for (int what = 0; what < 3; what++) {
            g_autofree char *alt = g_strdup_printf("%s by α for each method; the values are in the tables below", captions[what]);
            g_autofree char *caption = g_strdup_printf("%s%s%s; bars: SD over the trainings.", captions[what],
                                                       study->n_levels > 1 ? " at " : "",
                                                       study->n_levels > 1 ? study->levels[study->n_levels - 1].text : "");
            if (!rmil_html_figure(out, rmil_figure_localisation(s, what, study->folder, error), alt, caption)) return FALSE;
        }
        g_string_append(out, "</div>\n");
    }
    add_tables(study, rmil_study_local_tables, strcmp(study->kind, "localisation") == 0 ? 3 : 1, "Dice and pointing game", out);
    if (!rmil_report_found(report, error)) return FALSE;
    g_string_append(out, "</section>\n");
    return TRUE;
}

gboolean rmil_study_making(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    GString *out = report->out;
    char time[32];
    rmil_html(out,
              "<section id=\"making\"><h2>How this was made</h2>\n<p>Table of slides: <code>%s</code>. Trainings took %s of processor time "
              "together.</p>\n<h3>The plan</h3>\n<pre>%s</pre>\n",
              study->cohort, rmil_html_seconds(study->seconds, time), study->plan);
    if (!rmil_html_tables(out, study->folder, error)) return FALSE;
    rmil_html(
        out,
        "<p class=\"soft\">Every number comes from the record of the study. The folder tables/ has them with all digits: runs.csv the "
        "measures of each training, the other CSV files what was computed from them, with the runs that entered; the .tex files are "
        "these tables for LaTeX (booktabs). %s: change the script and run <code>gnuplot NAME.gp</code> there.</p></section>\n",
        report->drawn
            ? "The folder figures/ has each figure as SVG, PDF and PNG with its data (CSV) and gnuplot script"
            : "The figures were not drawn, because gnuplot is not installed; the folder figures/ has their data (CSV) and gnuplot scripts");
    return TRUE;
}
