/* SPDX-License-Identifier: Apache-2.0 */
/* The same slides under several methods (the paper's Figure 6): pictures and distributions of attention. */
#include "report.h"
#include "study-report.h"
#include "study/attended.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLIDES = 2 };

/* -- distributions ------------------------------------------------------------------------------------------------------------ */
#define FLOOR 0.01 /* of attention × K in the figure: its axis is logarithmic */

static void add_quantiles(RmilCsv *csv, const RmilAttended *one, int method, gboolean lesion) {
    static const double quantiles[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    int64_t k = one->bag->count, n = 0;
    g_autofree double *values = g_new(double, k);
    for (int64_t i = 0; i < k; i++)
        if ((one->labels[i] != 0) == lesion) values[n++] = MAX((double)one->attention[method][i] * (double)k, FLOOR);
    if (n == 0) return;
    qsort(values, (size_t)n, sizeof *values, rmil_compare_doubles);
    rmil_csv_whole(csv, one->methods[method]->method->style);
    rmil_csv_text(csv, one->methods[method]->method->title);
    rmil_csv_whole(csv, one->n - method);
    rmil_csv_text(csv, lesion ? "lesion" : "elsewhere");
    rmil_csv_whole(csv, n);
    for (gsize q = 0; q < G_N_ELEMENTS(quantiles); q++) {
        double value = rmil_quantile(values, n, quantiles[q]);
        rmil_figure_numbers(csv, 1, &value);
    }
    rmil_csv_end(csv);
}

static void plot_boxes(RmilFigure *figure, const char *where, double shift, const char *colour, const char *fill, const char *title) {
    rmil_figure_plot(
        figure,
        "'%s.csv' skip 1 using (strcol(4) eq '%s' ? $8 : NaN):($3 %+g):6:10 with xerrorbars linecolor '%s' dashtype solid linewidth 1.2 "
        "pointsize 0 notitle",
        figure->name, where, shift, colour);
    rmil_figure_plot(
        figure,
        "'%s.csv' skip 1 using (strcol(4) eq '%s' ? $8 : NaN):($3 %+g):7:9:($3 %+g):($3 %+g) with boxxyerror linecolor '%s' linewidth "
        "1.2 dashtype solid fillstyle %s title '%s'",
        figure->name, where, shift, shift - 0.15, shift + 0.15, colour, fill, title);
    rmil_figure_plot(
        figure,
        "'%s.csv' skip 1 using (strcol(4) eq '%s' ? $8 : NaN):($3 %+g) with points pointtype 7 pointsize 0.45 linecolor '#000000' notitle",
        figure->name, where, shift);
}

static char *distribution(const RmilStudyReport *study, const RmilAttended *one, int number, GError **error) {
    g_autofree char *name = g_strdup_printf("attention-%d-distribution", number);
    RmilFigure figure;
    const int height = 132 + 38 * one->n;
    rmil_figure_begin(&figure, name,
                      "Attention of one slide's patches × their number: 5, 25, 50, 75 and 95 % quantiles in the lesion and elsewhere", 480,
                      height, "series,method,row,where,patches,q05,q25,q50,q75,q95");
    gsize longest = 0;
    GString *script = figure.script;
    g_string_append(script, "set ytics (");
    for (int m = 0; m < one->n; m++) {
        g_autofree char *title = rmil_figure_quote(one->methods[m]->method->title);
        g_string_append_printf(script, "%s%s %d", m ? ", " : "", title, one->n - m);
        longest = MAX(longest, (gsize)g_utf8_strlen(title, -1));
        add_quantiles(figure.csv, one, m, TRUE);
        add_quantiles(figure.csv, one, m, FALSE);
    }
    g_string_append_printf(
        script,
        ") noenhanced\nset yrange [0.4:%d.6]\nset lmargin %d\nset rmargin 3\nset tmargin 0.6\nset bmargin at screen %.4f\nset grid noytics\n"
        "unset ylabel\nset logscale x\nset xrange [%g:*]\nset xtics 10\nset format x '%%g'\n"
        "set arrow from 1,graph 0 to 1,graph 1 nohead linecolor '#888888' dashtype (4,4)\n"
        "set xlabel 'attention, × mean'\nset key at screen 0.53, screen %.4f center bottom vertical maxrows 1 samplen 2.4 spacing 1\n",
        one->n, (int)MIN(longest * 3 / 4 + 2, 24), 102.0 / height, FLOOR, 6.0 / height);
    plot_boxes(&figure, "lesion", 0.18, "#d55e00", "solid 0.7 border", "lesion");
    plot_boxes(&figure, "elsewhere", -0.18, "#0072b2", "empty border", "elsewhere");
    return rmil_figure_end(&figure, study->folder, error);
}

/* Every patch with each method's attention, for other programs. */
static gboolean write_patches(const RmilStudyReport *study, const RmilAttended *one, int number, GError **error) {
    g_autofree char *file = g_strdup_printf("attention-%d.csv", number), *path = g_build_filename(study->folder, "figures", file, NULL);
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    for (gsize i = 0; i < 4; i++) rmil_csv_text(csv, ((const char *[]){"patch", "x", "y", "annotated"})[i]);
    for (int m = 0; m < one->n; m++) rmil_csv_text(csv, one->methods[m]->method->name);
    rmil_csv_end(csv);
    for (int64_t i = 0; i < one->bag->count; i++) {
        rmil_csv_whole(csv, i);
        for (int axis = 0; axis < 2; axis++)
            if (one->bag->coords) rmil_csv_whole(csv, one->bag->coords[2 * i + axis]);
            else rmil_csv_text(csv, NULL);
        rmil_csv_whole(csv, one->labels[i] != 0);
        for (int m = 0; m < one->n; m++) rmil_figure_numbers(csv, 1, &(double){one->attention[m][i]});
        rmil_csv_end(csv);
    }
    return rmil_csv_write(csv, path, error);
}

/* -- the section ----------------------------------------------------------------------------------------------------------------- */
static gboolean add_picture(const RmilStudyReport *study, const RmilAttended *one, int number, GString *out, GError **error) {
    g_autofree char *file = g_strdup_printf("attention-%d.png", number), *path = g_build_filename(study->folder, "figures", file, NULL);
    RmilOverlays overlays = {.bag = one->bag, .labels = one->labels, .slide = one->row->slide, .n = one->n, .attention = one->attention};
    g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func(g_free), lines = g_ptr_array_new_with_free_func(g_free);
    for (int m = 0; m < one->n; m++) {
        g_ptr_array_add(titles, g_strdup(one->methods[m]->method->title));
        g_ptr_array_add(lines, isnan(one->probability[m])
                                   ? g_strdup_printf("%.0f %% in lesion", 100 * one->share[m])
                                   : g_strdup_printf("p %.2f · %.0f %% in lesion", one->probability[m], 100 * one->share[m]));
    }
    overlays.titles = (char **)titles->pdata;
    overlays.lines = (char **)lines->pdata;
    if (!rmil_overlays_write(&overlays, path, error)) return FALSE;
    int width, height;
    g_autofree char *data = rmil_picture_base64(path, 1600, &width, &height, error);
    if (!data) return FALSE;
    rmil_html(out,
              "<figure><img width=\"%d\" height=\"%d\" alt=\"Slide %s with its annotated patches, and under the attention of each method\" "
              "src=\"data:image/webp;base64,",
              width, height, one->row->id);
    g_string_append(out, data);
    g_string_append_printf(
        out,
        "\"><figcaption>First the annotated patches, then the attention of each method over the slide (if its file is there) or over its "
        "patches in gray. All have one scale: 1× is the attention of each patch if all had the same.%s</figcaption>"
        "</figure>\n",
        one->n && !isnan(one->probability[0]) ? " p: probability of the slide." : "");
    return TRUE;
}

static gboolean add_slide(const RmilStudyReport *study, const RmilAttended *one, int number, GString *out, GError **error) {
    rmil_html(out,
              "<div class=\"slide\"><h3>%s <span class=\"soft\">%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
              " patches annotated</span></h3>\n",
              one->row->id, one->annotated, one->bag->count);
    if (one->bag->coords && one->bag->patch_size_level0 > 0) {
        if (!add_picture(study, one, number, out, error)) return FALSE;
    } else {
        g_string_append(out, "<p class=\"soft\">No picture: the feature file does not say where the patches lie.</p>\n");
    }
    g_autofree char *svg = distribution(study, one, number, error);
    if (!svg || !write_patches(study, one, number, error)) return FALSE;
    g_string_append(out, "<div class=\"figures\">\n");
    rmil_html_svg(
        out, svg, "Distribution of the attention in the lesion and elsewhere, by method",
        "Attention of the patches in the lesion and elsewhere. Box: half of the patches, dot: median, line: 90 %. Attention below 0.01× is drawn "
        "there.");
    g_string_append(out, "</div></div>\n");
    return TRUE;
}

/* Pictures are an extra: if features or models are gone or have changed, the report says so and goes on. A file that exists but cannot be
 * read right now is an error: the next report would have the pictures. */
static gboolean excuse(RmilReport *report, const char *path, GError *reason, GError **error) {
    if (reason->code == RMIL_ERROR_IO && path && g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    rmil_monitor_warn(report->monitor, "%s: the report has no pictures of attention: %s", report->study->folder, reason->message);
    rmil_html(report->out, "<p>No pictures: %s.</p>\n", reason->message);
    g_error_free(reason);
    return TRUE;
}

/* The file named at the start of one slide's error; NULL: none. */
static char *file_of(const GError *reason) {
    const char *end = strstr(reason->message, ": ");
    return end ? g_strndup(reason->message, (gsize)(end - reason->message)) : NULL;
}

gboolean rmil_study_attention_section(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    GString *out = report->out;
    const RmilMonitor *monitor = report->monitor;
    const RmilLevel *level = &study->levels[0];
    int reference = rmil_level_reference(study, level);
    if (study->n_levels > 1 || reference < 0 || rmil_report_of_patients(report)) return TRUE; /* patients have no picture of their own */
    const RmilSeedRun *seed = level->summary->methods[reference].method->seeds->pdata[0];
    g_autoptr(GPtrArray) chosen = rmil_attended_choose(seed);
    if (chosen->len == 0) return TRUE;
    g_string_append(out, "<section id=\"attention\"><h2>The same slides under each method</h2>\n<p>Models of one split");
    rmil_html(out,
              "%s%s (seed %" G_GINT64_FORMAT ") on test slides: the median and the lower quartile when slides are ordered by "
              "the share of %s’s attention that lies in the lesion.</p>\n",
              seed->split && *seed->split ? " " : "", seed->split ? seed->split : "", seed->seed,
              level->summary->methods[reference].method->title);
    GError *reason = NULL;
    const RmilReading as = {.task = &study->task};
    g_autoptr(RmilCohort) cohort = rmil_cohort_read_as(study->cohort, &as, &reason);
    gboolean good = cohort || excuse(report, study->cohort, reason, error);
    for (guint i = 0; cohort && good && i < MIN(chosen->len, SLIDES); i++) {
        rmil_monitor_progress(monitor, "attention", i, chosen->len);
        g_autoptr(RmilAttended) one = rmil_attended_new(level->summary, seed, cohort, ((RmilAttentionRow *)chosen->pdata[i])->slide,
                                                        &reason);
        if (!one) {
            g_autofree char *path = file_of(reason);
            good = excuse(report, path, reason, error);
            break;
        }
        good = add_slide(study, one, (int)i + 1, out, error);
    }
    rmil_monitor_progress(monitor, "attention", chosen->len, chosen->len);
    g_string_append(out, "</section>\n");
    return good;
}
