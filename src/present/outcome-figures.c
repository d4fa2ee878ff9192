/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of times to an event and of numbers. */
#include "outcome-figures.h"

#include <math.h>
#include <string.h>

/* -- survival -------------------------------------------------------------------------------------------------------------------- */
/* The cases of one group. */
typedef struct {
    int64_t n;
    double *time;
    gboolean *event;
} Group;

static void add_row(RmilFigure *figure, int group, const char *title, const char *what, double time, double survival, double low,
                    double high) {
    rmil_csv_whole(figure->csv, group);
    rmil_csv_text(figure->csv, what);
    rmil_figure_numbers(figure->csv, 4, (double[]){time, survival, low, high});
    rmil_csv_text(figure->csv, title);
    rmil_csv_end(figure->csv);
}

/* Rows "curve" at each time, "band" with the corners of its steps, "censored". */
static void add_survival(RmilFigure *figure, int group, const char *title, const GArray *curve, const Group *of) {
    RmilSurvivalPoint before = {.survival = 1, .low = 1, .high = 1};
    add_row(figure, group, title, "curve", 0, 1, 1, 1);
    for (guint i = 0; i < curve->len; i++) {
        const RmilSurvivalPoint *p = &g_array_index(curve, RmilSurvivalPoint, i);
        add_row(figure, group, title, "curve", p->time, p->survival, p->low, p->high);
    }
    rmil_csv_end(figure->csv);
    add_row(figure, group, title, "band", 0, 1, 1, 1);
    for (guint i = 0; i < curve->len; i++) {
        const RmilSurvivalPoint *p = &g_array_index(curve, RmilSurvivalPoint, i);
        add_row(figure, group, title, "band", p->time, before.survival, before.low, before.high);
        add_row(figure, group, title, "band", p->time, p->survival, p->low, p->high);
        before = *p;
    }
    rmil_csv_end(figure->csv);
    for (int64_t i = 0; i < of->n; i++)
        if (!of->event[i]) add_row(figure, group, title, "censored", of->time[i], rmil_survival_at(curve, of->time[i]), NAN, NAN);
    rmil_csv_end(figure->csv);
}

/* Layout below the plot, in px from the figure's lower edge. */
enum { PLOT = 330, TABLE_ROW = 18, AXIS = 72, LEFT = 136, WIDTH = 480 };

static void add_at_risk(GString *script, const Group *of, int row, int groups, const char *title, double step, double last, int height) {
    const double y = (double)(8 + TABLE_ROW * (groups - 1 - row) + TABLE_ROW / 2) / height;
    g_autofree char *name = rmil_series_title(title, 13);
    const char *colour = rmil_series_style(row)->colour;
    g_string_append_printf(script, "set label %s at screen 0.015, screen %.4f left textcolor '%s'\n", name, y, colour);
    for (int k = 0; k * step <= last * (1 + 1e-9); k++)
        g_string_append_printf(script, "set label '%" G_GINT64_FORMAT "' at first %.9g, screen %.4f center textcolor '#222222'\n",
                               rmil_number_at_risk(of->time, of->n, k * step), k * step, y);
}

static void plot_survival(RmilFigure *figure, int groups, const char *const *titles, const gboolean *there) {
    for (int g = 0; g < groups; g++)
        if (there[g])
            rmil_figure_plot(
                figure,
                "'%s.csv' skip 1 using (column(1) == %d && strcol(2) eq 'band' ? $3 : NaN):5:6 with filledcurves linecolor '%s' "
                "linewidth 0 fillstyle transparent solid 0.12 noborder notitle",
                figure->name, g, rmil_series_style(g)->colour);
    for (int g = 0; g < groups; g++) {
        if (!there[g]) continue;
        g_autofree char *line = rmil_series_line(g), *title = rmil_series_title(titles[g], 40);
        rmil_figure_plot(figure, "'%s.csv' skip 1 using (column(1) == %d && strcol(2) eq 'curve' ? $3 : NaN):4 with steps %s title %s",
                         figure->name, g, line, title);
        rmil_figure_plot(figure,
                         "'%s.csv' skip 1 using (column(1) == %d && strcol(2) eq 'censored' ? $3 : NaN):4 with points linecolor '%s' "
                         "pointtype 1 pointsize 0.7 linewidth 1.2 notitle",
                         figure->name, g, rmil_series_style(g)->colour);
    }
}

/* Writes p to the right of "At risk", where there is no curve. at: as a share of the screen's height. */
static void say_p(GString *script, const double *time, const gboolean *event, const int *group, int64_t n, int groups, double at) {
    double chi_squared, p;
    int degrees;
    if (!rmil_logrank(time, event, group, n, groups, &chi_squared, &degrees, &p)) return;
    g_autofree char *text = p < 0.001 ? g_strdup("log-rank p < 0.001") : g_strdup_printf("log-rank p = %.3f", p);
    g_string_append_printf(script, "set label '%s' at graph 1, screen %.4f right textcolor '#222222'\n", text, at);
}

static gboolean take_group(Group *of, int which, const double *time, const gboolean *event, const int *group, int64_t n, GError **error) {
    *of = (Group){.time = rmil_try_new(n, sizeof(double), error)};
    if (of->time) of->event = rmil_try_new(n, sizeof(gboolean), error);
    for (int64_t i = 0; of->event && i < n; i++) {
        if (group[i] != which) continue;
        of->time[of->n] = time[i];
        of->event[of->n++] = event[i];
    }
    return of->event != NULL;
}

char *rmil_figure_survival(const char *name, const double *time, const gboolean *event, const int *group, int64_t n, int groups,
                           const char *const *titles, const char *x, const char *folder, GError **error) {
    RmilFigure figure;
    double last = 0;
    int shown = 0, row = 0;
    g_autofree gboolean *there = g_new0(gboolean, (gsize)groups + 1);
    for (int64_t i = 0; i < n; i++) {
        last = MAX(last, time[i]);
        if (group[i] >= 0 && group[i] < groups) there[group[i]] = TRUE;
    }
    for (int g = 0; g < groups; g++) shown += there[g];
    if (!(last > 0)) last = 1;
    const int below = 8 + TABLE_ROW * (groups + 1) + AXIS, height = PLOT + below + RMIL_KEY_ROW * shown;
    const double step = rmil_tidy_step(last, 6), heading = (double)(8 + TABLE_ROW * groups + TABLE_ROW / 2) / height;
    g_autofree char *x_title = rmil_figure_quote(x);
    rmil_figure_begin(&figure, name, "Kaplan-Meier estimates with 95 % bands, censored cases (ticks) and numbers at risk", WIDTH, height,
                      "group,what,time,survival,low,high,name");
    g_string_append_printf(figure.script,
                           "set key above maxcols 1\nset lmargin at screen %.4f\nset rmargin 3\nset bmargin at screen %.4f\n"
                           "set xrange [0:%.9g]\nset xtics %.9g\nset yrange [0:1.02]\nset ytics 0.2\nset xlabel %s\nset ylabel 'Survival'\n"
                           "set label 'At risk' at screen 0.015, screen %.4f left textcolor '#5a6675'\n",
                           (double)LEFT / WIDTH, (double)below / height, last, step, x_title, heading);
    gboolean good = TRUE;
    for (int g = 0; g < groups && good; g++) {
        Group of;
        good = take_group(&of, g, time, event, group, n, error);
        g_autoptr(GArray) curve = good ? rmil_kaplan_meier(of.time, of.event, of.n, 0.95) : NULL;
        if (good && of.n) add_survival(&figure, g, titles[g], curve, &of);
        if (good) add_at_risk(figure.script, &of, row++, groups, titles[g], step, last, height);
        g_free(of.time);
        g_free(of.event);
    }
    say_p(figure.script, time, event, group, n, groups, heading);
    plot_survival(&figure, groups, titles, there);
    if (good) return rmil_figure_end(&figure, folder, error);
    rmil_csv_free(figure.csv);
    g_string_free(figure.script, TRUE);
    return NULL;
}

/* -- numbers ---------------------------------------------------------------------------------------------------------------------- */
char *rmil_figure_scatter(const char *name, const double *values, const double *predicted, int64_t n, const char *what, const char *folder,
                          GError **error) {
    RmilFigure figure;
    double metrics[RMIL_NUMBER_METRICS], low = INFINITY, high = -INFINITY;
    rmil_figure_begin(&figure, name, "Predicted against true numbers; dotted: where both are equal", 440, 440, "true,predicted");
    for (int64_t i = 0; i < n; i++) {
        rmil_figure_numbers(figure.csv, 2, (double[]){values[i], predicted[i]});
        rmil_csv_end(figure.csv);
        low = MIN(low, MIN(values[i], predicted[i]));
        high = MAX(high, MAX(values[i], predicted[i]));
    }
    if (n < 1) low = high = 0;
    const double room = high > low ? 0.04 * (high - low) : 1;
    g_autofree char *x = g_strdup_printf("True %s", what), *y = g_strdup_printf("Predicted %s", what);
    g_autofree char *x_title = rmil_figure_quote(x), *y_title = rmil_figure_quote(y);
    rmil_number_metrics(values, predicted, n, metrics);
    g_string_append_printf(figure.script,
                           "unset key\nset size ratio 1\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\nset xlabel %s\nset ylabel %s\n"
                           "set label 'mean absolute error %.3g' at graph 0.03, graph 0.96 left textcolor '#222222' front\n",
                           low - room, high + room, low - room, high + room, x_title, y_title, metrics[RMIL_NUMBER_MAE]);
    if (!isnan(metrics[RMIL_NUMBER_SPEARMAN]))
        g_string_append_printf(figure.script,
                               "set label 'R² %.3f, Spearman''s ρ %.3f' at graph 0.03, graph 0.905 left textcolor '#222222' front\n",
                               metrics[RMIL_NUMBER_R2], metrics[RMIL_NUMBER_SPEARMAN]);
    rmil_figure_plot(&figure, "x with lines linecolor '#aaaaaa' dashtype (2,4) linewidth 1.4");
    rmil_figure_plot(&figure, "'%s.csv' skip 1 using 1:2 with points linecolor '#0072b2' pointtype 6 pointsize 0.6 linewidth 1.3", name);
    return rmil_figure_end(&figure, folder, error);
}
