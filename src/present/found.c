/* SPDX-License-Identifier: Apache-2.0 */
/* How well patches and lesions are found, as tables and in words; the same for runs and studies. */
#include "study-report.h"
#include "report.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *caption;
    int first, end; /* measures */
} kinds[] = {
    {"patches", "Ranking of a slide’s patches by their scores, annotated ones against the others", RMIL_FOUND_AUROC, RMIL_FOUND_RATES},
    {"froc", "Lesions found, by false positives per negative slide, and the mean of these (FROC score)", RMIL_FOUND_RATES,
     RMIL_FOUND_SIZES},
    {"froc-size", "FROC score of lesions by their size", RMIL_FOUND_SIZES, RMIL_FOUND_COUNT}};

/* Calls back for each row: a method at a value. */
typedef void (*RowOf)(gpointer user, const char *title, const RmilFound *found);

static void each_row(const RmilStudyReport *study, RowOf row, gpointer user) {
    const RmilSummary *along = study->along_summary;
    for (int m = 0; along && m < along->n; m++) row(user, along->methods[m].method->title, along->found + m * RMIL_FOUND_COUNT);
    for (guint m = 0; !along && m < study->methods->len; m++) {
        const RmilMethod *method = study->methods->pdata[m];
        for (int l = 0; l < study->n_levels; l++) {
            const RmilLevel *level = &study->levels[l];
            const RmilMethodSummary *one = rmil_level_method(level, method->name);
            g_autofree char *title = g_strconcat(method->title, study->n_levels > 1 ? ", " : NULL, level->text, NULL);
            if (one) row(user, title, level->summary->found + (one - level->summary->methods) * RMIL_FOUND_COUNT);
        }
    }
}

typedef struct {
    RmilStudyTable *table;
    int first, end;
    int64_t cases[RMIL_FOUND_COUNT]; /* maximum over the rows */
} Filling;

static void count_cases(gpointer user, const char *title, const RmilFound *found) {
    Filling *filling = user;
    for (int m = 0; m < RMIL_FOUND_COUNT; m++) filling->cases[m] = MAX(filling->cases[m], found[m].cases);
}

static void fill_row(gpointer user, const char *title, const RmilFound *found) {
    const Filling *filling = user;
    rmil_study_table_row(filling->table, title);
    for (int m = filling->first, column = 0; m < filling->end; m++) {
        if (!filling->cases[m]) continue;
        g_autofree char *text = rmil_study_mean_sd(found[m].mean, found[m].sd),
                        *range = rmil_html_range(found[m].interval.low, found[m].interval.high);
        rmil_study_table_set(filling->table, column++, found[m].mean,
                             found[m].cases ? g_strdup_printf("%s [%s]", text, range) : g_strdup(text));
    }
}

GPtrArray *rmil_study_found_tables(const RmilStudyReport *study) {
    GPtrArray *tables = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_study_table_free);
    Filling filling = {0};
    each_row(study, count_cases, &filling);
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
        filling.first = kinds[k].first;
        filling.end = kinds[k].end;
        filling.table = rmil_study_table_new(kinds[k].name, study->along_summary ? study->axis : "Method", "%s.", kinds[k].caption);
        for (int m = filling.first; m < filling.end; m++) {
            const RmilFoundMeasure *measure = &rmil_found_measures()[m];
            g_autofree char *size = g_strdup_printf("%s (%" G_GINT64_FORMAT ")", measure->name, filling.cases[m]);
            if (filling.cases[m]) rmil_study_table_column(filling.table, m < RMIL_FOUND_SIZES ? measure->name : size);
        }
        if (!filling.table->columns->len) {
            rmil_study_table_free(filling.table);
            continue;
        }
        each_row(study, fill_row, &filling);
        for (guint c = 0; c < filling.table->columns->len && (study->n_levels == 1 || study->along_summary); c++)
            rmil_study_table_rank(filling.table, (int)c, FALSE);
        rmil_study_table_note(filling.table,
                              "Mean (SD) over the trainings of the mean over %s; in square brackets the 95 %% interval from resamples of "
                              "slides (of patients, if slides share one), or Wilson’s if all resamples agree. It is for these trainings: "
                              "how much others would differ, the SD shows.",
                              rmil_found_measures()[filling.first].lesions ? "lesions" : "slides");
        g_ptr_array_add(tables, filling.table);
    }
    return tables;
}

static int64_t lesions_of(const RmilStudyReport *study) {
    Filling filling = {0};
    each_row(study, count_cases, &filling);
    return filling.cases[RMIL_FOUND_FROC];
}

/* Sensitivity over false positives per negative slide, one line per method. */
static char *figure_froc(const RmilSummary *s, const char *folder, GError **error) {
    const RmilFoundMeasure *measures = rmil_found_measures();
    RmilFigure figure;
    gboolean repeats = FALSE;
    rmil_figure_begin(&figure, "localisation-froc",
                      "Share of lesions found, by false positives per negative slide: mean and SD over trainings", 400,
                      320 + RMIL_KEY_ROW * s->n, "series,method,position,false_positives,value,sd");
    for (int m = 0; m < s->n; m++)
        for (int i = RMIL_FOUND_RATES; i < RMIL_FOUND_FROC; i++) {
            const RmilFound *found = &s->found[m * RMIL_FOUND_COUNT + i];
            if (!found->cases) continue;
            repeats = repeats || !isnan(found->sd);
            rmil_csv_whole(figure.csv, s->methods[m].method->style);
            rmil_csv_text(figure.csv, s->methods[m].method->title);
            rmil_csv_whole(figure.csv, i - RMIL_FOUND_RATES + 1);
            rmil_csv_text(figure.csv, measures[i].name);
            rmil_figure_numbers(figure.csv, 2, (double[]){found->mean, found->sd});
            rmil_csv_end(figure.csv);
        }
    rmil_figure_key_room(figure.script, s->n);
    g_string_append(figure.script, "set xtics (");
    for (int i = RMIL_FOUND_RATES; i < RMIL_FOUND_FROC; i++)
        g_string_append_printf(figure.script, "%s'%s' %d", i > RMIL_FOUND_RATES ? ", " : "", measures[i].name, i - RMIL_FOUND_RATES + 1);
    g_string_append(figure.script, ")\nset xrange [0.7:6.3]\nset yrange [0:1.03]\nset xlabel 'false positives per negative slide'\n"
                                   "set ylabel 'Lesions found'\n");
    for (int m = 0; m < s->n; m++) {
        const RmilMethod *method = s->methods[m].method;
        g_autofree char *title = rmil_figure_quote(method->title);
        const double shift = 0.06 * (m - (s->n - 1) / 2.0); /* bars of different methods side by side */
        if (repeats)
            rmil_figure_plot(&figure,
                             "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.2f : NaN):5:6 with yerrorbars linetype %d dashtype solid "
                             "linewidth 1 pointsize 0 notitle",
                             figure.name, method->style, shift, method->style);
        rmil_figure_plot(&figure, "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.2f : NaN):5 with linespoints linetype %d title %s",
                         figure.name, method->style, shift, method->style, title);
    }
    return rmil_figure_end(&figure, folder, error);
}

static gboolean add_froc(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    g_autofree char *svg = figure_froc(report->summary, study->folder, error),
                    *caption = g_strdup_printf(
                        "Lesions found, by false positives per negative slide%s%s; bars: SD over the trainings, between 0 and 1.",
                        study->n_levels > 1 ? ", at " : "", study->n_levels > 1 ? study->levels[study->n_levels - 1].text : "");
    if (!svg) return FALSE;
    g_string_append(report->out, "<div class=\"figures\">\n");
    rmil_html_svg(report->out, svg, "FROC of each method; the values are in the table below", caption);
    g_string_append(report->out, "</div>\n");
    return TRUE;
}

gboolean rmil_report_found(RmilReport *report, GError **error) {
    const RmilStudyReport *study = report->study;
    const RmilSummary *s = study->along_summary ? study->along_summary : report->summary;
    const int64_t lesions = lesions_of(study);
    g_autoptr(GPtrArray) tables = rmil_study_found_tables(study);
    if (tables->len) rmil_html(report->out, "<h3>Patches and lesions</h3>\n");
    if (lesions)
        rmil_html(
            report->out,
            "<p>A lesion is a connected group of annotated tiles (%" G_GINT64_FORMAT
            " in the test slides), a detection a tile whose score none of its eight neighbours exceeds. A lesion is found at a threshold "
            "when a detection in it reaches it; detections on negative slides that reach it are false positives. The FROC score is "
            "Camelyon16’s: the mean share of lesions found at 1/4, 1/2, 1, 2, 4 and 8 false positives per negative slide.</p>\n",
            lesions);
    if (lesions && !study->along_summary && !add_froc(report, error)) return FALSE;
    for (guint i = 0; i < tables->len; i++) rmil_study_table_html(tables->pdata[i], report->out);
    if (s->found_missing) rmil_html(report->out, "<p>%s</p>\n", s->found_missing);
    return TRUE;
}
