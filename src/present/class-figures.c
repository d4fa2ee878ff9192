/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of predicted classes: confusion, ranking, calibration, net benefit. */
#include "outcome-figures.h"

#include <math.h>

/* Okabe and Ito's colours, the yellow one darker; the second round uses other dashes. */
static const RmilLineStyle styles[] = {
    {"#0072b2", "solid", 7},          {"#d55e00", "(9,5)", 5},          {"#009e73", "(3,3)", 9},       {"#cc79a7", "(14,4,3,4)", 11},
    {"#56b4e9", "(9,3,3,3,3,3)", 13}, {"#b8860b", "(6,2)", 15},         {"#444444", "(2,2)", 4},       {"#e69f00", "(18,5)", 6},
    {"#0072b2", "(12,3,2,3)", 8},     {"#d55e00", "(5,5)", 10},         {"#009e73", "(16,3,3,3)", 12}, {"#cc79a7", "(4,2)", 14},
    {"#56b4e9", "(2,4)", 7},          {"#b8860b", "(10,2,2,2,2,2)", 5}, {"#444444", "(7,7)", 9},       {"#e69f00", "(3,6)", 11},
    {"#0072b2", "(20,3)", 13},        {"#d55e00", "(2,3,8,3)", 15},     {"#009e73", "(8,2,4,2)", 4},   {"#cc79a7", "(11,6)", 6},
};

const RmilLineStyle *rmil_series_style(int k) { return &styles[k % (int)G_N_ELEMENTS(styles)]; }

char *rmil_series_line(int k) {
    const RmilLineStyle *style = rmil_series_style(k);
    return g_strdup_printf("linecolor '%s' dashtype %s linewidth 2.4 pointtype %d pointsize 0.8", style->colour, style->dash, style->point);
}

char *rmil_series_title(const char *title, int letters) {
    if (g_utf8_strlen(title, -1) <= letters) return rmil_figure_quote(title);
    g_autofree char *part = g_utf8_substring(title, 0, letters - 1), *cut = g_strconcat(part, "…", NULL);
    return rmil_figure_quote(cut);
}

double rmil_tidy_step(double range, int most) {
    double step = pow(10, floor(log10(range / most)));
    static const double times[] = {1, 2, 5, 10};
    for (gsize k = 0; k < G_N_ELEMENTS(times); k++)
        if (range / (step * times[k]) <= most) return step * times[k];
    return 10 * step;
}

/* -- confusion matrix ---------------------------------------------------------------------------------------------------------- */
enum { CLASS_LETTERS = 16 };

static void class_axis(GString *script, char letter, int classes, const char *const *titles, const int64_t *cases) {
    g_string_append_printf(script, "set %ctics (", letter);
    for (int c = 0; c < classes; c++) {
        g_autofree char *quoted = rmil_series_title(titles[c], CLASS_LETTERS);
        g_autoptr(GString) text = g_string_new(quoted);
        g_string_truncate(text, text->len - 1);
        if (cases) g_string_append_printf(text, "  (%" G_GINT64_FORMAT ")", cases[c]);
        g_string_replace(text, "%", "%%", 0); /* a label of an axis is a format */
        g_string_append_printf(script, "%s%s' %d", c ? ", " : "", text->str, c);
    }
    g_string_append_printf(script, ")\n");
}

/* In px: a letter, the room left of a row's name, a cell with or without its share. */
enum {
    LETTER = 8,
    LEFT = 104,
    RIGHT = 24,
    TOP = 14,
    WIDE = 58,
    HIGH = 46,
    WIDE_PLAIN = 40,
    HIGH_PLAIN = 28,
    LEAST_HIGH = 160,
    MOST_WITH_SHARE = 8,
    COLUMN = 480
};

static void confusion_begin(RmilFigure *figure, const char *name, int classes, const char *const *titles, gboolean shares) {
    int longest = 0;
    for (int c = 0; c < classes; c++) longest = MAX(longest, (int)MIN(g_utf8_strlen(titles[c], -1), CLASS_LETTERS));
    const int left = LEFT + LETTER * longest, width = MAX(left + (shares ? WIDE : WIDE_PLAIN) * classes + RIGHT, COLUMN);
    const gboolean slanted = classes * LETTER * (longest + 1) > width - left - RIGHT;
    const int foot = slanted ? 52 + LETTER * longest * 2 / 3 : 62,
              height = TOP + MAX((shares ? HIGH : HIGH_PLAIN) * classes, LEAST_HIGH) + foot;
    rmil_figure_begin(figure, name, "Confusion matrix: each true class (row) by what was predicted (column)", width, height,
                      "column,row,cases,share_of_row,true,predicted");
    g_string_append_printf(
        figure->script,
        "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset bmargin at screen %.4f\nset tmargin at screen %.4f\n"
        "unset key\nunset grid\nset border 0\nset tics scale 0\nset palette defined (0 '#f4f7fb', 1 '#6aaed6')\n"
        "set cbrange [0:1]\nunset colorbox\nset xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n"
        "set label 'Predicted class' at graph 0.5, screen %.4f center\n"
        "set label 'True class (cases)' at screen %.4f, graph 0.5 center rotate\n",
        (double)left / width, 1 - (double)RIGHT / width, (double)foot / height, 1 - (double)TOP / height, classes - 1, classes - 1,
        16.0 / height, 18.0 / width);
    if (slanted) g_string_append(figure->script, "set xtics rotate by 40 right\n");
}

char *rmil_figure_confusion(const char *name, const int64_t *counts, int classes, const char *const *titles, const char *folder,
                            GError **error) {
    RmilFigure figure;
    const gboolean shares = classes <= MOST_WITH_SHARE;
    int64_t cases[RMIL_CLASSES_MOST] = {0};
    confusion_begin(&figure, name, classes, titles, shares);
    for (int i = 0; i < classes; i++) {
        for (int j = 0; j < classes; j++) cases[i] += counts[i * classes + j];
        for (int j = 0; j < classes; j++) {
            const int64_t count = counts[i * classes + j];
            rmil_csv_whole(figure.csv, j);
            rmil_csv_whole(figure.csv, i);
            rmil_csv_whole(figure.csv, count);
            rmil_figure_numbers(figure.csv, 1, (double[]){cases[i] ? (double)count / (double)cases[i] : NAN});
            rmil_csv_text(figure.csv, titles[i]);
            rmil_csv_text(figure.csv, titles[j]);
            rmil_csv_end(figure.csv);
        }
    }
    class_axis(figure.script, 'x', classes, titles, NULL);
    class_axis(figure.script, 'y', classes, titles, cases);
    rmil_figure_plot(
        &figure,
        "'%s.csv' skip 1 using 1:2:(0.48):(0.47):(valid(4) ? $4 : 0) with boxxyerror linecolor palette fillstyle solid noborder "
        "notitle",
        name);
    rmil_figure_plot(&figure, "'%s.csv' skip 1 using 1:2:(sprintf('%%d', $3)) with labels %s textcolor '#111111' notitle", name,
                     shares ? "offset 0,0.45" : "");
    if (shares)
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using 1:2:(valid(4) ? sprintf('%%.0f %%%%', 100 * $4) : '') with labels offset 0,-0.55 textcolor "
                         "'#444444' notitle",
                         name);
    return rmil_figure_end(&figure, folder, error);
}

/* -- ROC curves ---------------------------------------------------------------------------------------------------------------- */
static void add_curve(RmilFigure *figure, int series, const char *title, const GArray *points) {
    for (guint i = 0; i < points->len; i++) {
        const RmilCurvePoint *point = &g_array_index(points, RmilCurvePoint, i);
        rmil_csv_whole(figure->csv, series);
        rmil_figure_numbers(figure->csv, 2, (double[]){point->x, point->y});
        rmil_csv_text(figure->csv, title);
        rmil_csv_end(figure->csv);
    }
    rmil_csv_end(figure->csv); /* a blank line ends the curve */
}

char *rmil_figure_roc_classes(const char *name, const int *labels, const double *probabilities, int64_t n, int classes,
                              const char *const *titles, const char *folder, GError **error) {
    RmilFigure figure;
    g_autofree RmilClassMetrics *metrics = g_new(RmilClassMetrics, 1);
    g_autofree int *own = rmil_try_new(n, sizeof(int), error);
    g_autofree double *scores = own ? rmil_try_new(n, sizeof(double), error) : NULL;
    if (!scores) return NULL;
    rmil_class_metrics(labels, probabilities, n, classes, metrics);
    rmil_figure_begin(&figure, name, "ROC curves of each class against the rest", 440, 440 + RMIL_KEY_ROW * classes,
                      "class,false_positive_rate,true_positive_rate,name");
    rmil_figure_key_room(figure.script, classes);
    g_string_append(figure.script, "set size ratio 1\nset xrange [0:1]\nset yrange [0:1.005]\nset xtics 0.2\nset ytics 0.2\n"
                                   "set xlabel 'False positive rate (1 − specificity)'\nset ylabel 'True positive rate (sensitivity)'\n");
    rmil_figure_plot(&figure, "x with lines linecolor '#aaaaaa' dashtype (2,4) linewidth 1 notitle");
    for (int c = 0; c < classes; c++) {
        for (int64_t i = 0; i < n; i++) {
            own[i] = labels[i] == c;
            scores[i] = probabilities[i * classes + c];
        }
        g_autoptr(GArray) curve = rmil_roc_curve(own, scores, n);
        add_curve(&figure, c, titles[c], curve);
        const double auroc = metrics->one[c][RMIL_CLASS_AUROC];
        g_autofree char *line = rmil_series_line(c), *cut = rmil_series_title(titles[c], 22);
        g_autofree char *number = isnan(auroc) ? g_strdup("undefined") : g_strdup_printf("%.3f", auroc);
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using (column(1) == %d ? $2 : NaN):3 with lines %s title %s.' %s (n = %" G_GINT64_FORMAT ")'",
                         name, c, line, cut, number, metrics->count[c]);
    }
    return rmil_figure_end(&figure, folder, error);
}

/* -- reliability ---------------------------------------------------------------------------------------------------------------- */
static void add_bins(RmilFigure *figure, int series, const char *title, const RmilReliabilityBin *bin, int bins) {
    for (int b = 0; b < bins; b++) {
        rmil_csv_whole(figure->csv, series);
        rmil_figure_numbers(figure->csv, 6,
                            (double[]){bin[b].low, bin[b].high, bin[b].mean, bin[b].share, bin[b].interval.low, bin[b].interval.high});
        rmil_csv_whole(figure->csv, bin[b].n);
        rmil_csv_text(figure->csv, title);
        rmil_csv_end(figure->csv);
    }
    rmil_csv_end(figure->csv);
}

/* Below it, the panel with the number of cases by probability. */
enum { RELIABILITY = 400, CASES = 150 };

static void plot_cases(RmilFigure *figure, int n_series, double foot, const char *x, int64_t most) {
    g_autofree char *title = rmil_figure_quote(x);
    g_string_append_printf(figure->script,
                           "\nset origin 0,0\nset size 1,%.4f\nset tmargin 0.6\nset bmargin 3.4\nset yrange [0:*]\nset ytics %.9g\n"
                           "set format x '%%g'\nset xlabel %s\nset ylabel 'Cases'\nunset key\n",
                           foot, rmil_tidy_step((double)MAX(most, 1), 3), title);
    figure->clauses = 0;
    for (int s = 0; s < n_series; s++)
        rmil_figure_plot(
            figure,
            "'%s.csv' skip 1 using (column(1) == %d ? $2 + ($3 - $2) * (0.1 + 0.8 * %.4f) : NaN):8:(0.8 * ($3 - $2) / %d) with "
            "boxes linecolor '%s' fillstyle solid 0.55 noborder notitle",
            figure->name, s, (s + 0.5) / n_series, n_series, rmil_series_style(s)->colour);
    g_string_append(figure->script, "\nunset multiplot");
}

char *rmil_figure_reliability(const char *name, const RmilFigureSeries *series, int n_series, const int *happened, int64_t n, int bins,
                              const char *x, const char *y, const char *folder, GError **error) {
    RmilFigure figure;
    int64_t most = 0;
    const int height = RELIABILITY + CASES + RMIL_KEY_ROW * n_series;
    const double foot = (double)CASES / height;
    g_autofree RmilReliabilityBin *bin = g_new(RmilReliabilityBin, (gsize)bins);
    g_autofree char *title = rmil_figure_quote(y);
    rmil_figure_begin(&figure, name, "Reliability: how often what was predicted with a probability happened, and cases by probability", 440,
                      height, "series,low,high,mean_probability,share,interval_low,interval_high,cases,title");
    g_string_append_printf(figure.script,
                           "set lmargin 9\nset rmargin 2\nset xrange [0:1]\nset key above maxcols 1\nset multiplot\n"
                           "set origin 0,%.4f\nset size 1,%.4f\nset yrange [0:1]\nset ytics 0.2\nset xtics 0.2\nset format x ''\n"
                           "set ylabel %s\nset bmargin 0.8\n",
                           foot, 1 - foot, title);
    rmil_figure_plot(&figure, "x with lines linecolor '#aaaaaa' dashtype (2,4) linewidth 1 notitle");
    for (int s = 0; s < n_series; s++) {
        rmil_reliability(happened, series[s].probabilities, n, bins, 0.95, bin);
        add_bins(&figure, s, series[s].title, bin, bins);
        for (int b = 0; b < bins; b++) most = MAX(most, bin[b].n);
        g_autofree char *line = rmil_series_line(s), *key = rmil_series_title(series[s].title, 40);
        const double shift = 0.004 * (s - 0.5 * (n_series - 1)); /* so that intervals of two series do not hide each other */
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using (column(1) == %d ? $4 + %.4f : NaN):5:6:7 with yerrorbars linecolor '%s' dashtype solid "
                         "linewidth 1 pointsize 0 notitle",
                         name, s, shift, rmil_series_style(s)->colour);
        rmil_figure_plot(&figure, "'%s.csv' skip 1 using (column(1) == %d && $8 > 0 ? $4 + %.4f : NaN):5 with points %s title %s", name, s,
                         shift, line, key);
    }
    plot_cases(&figure, n_series, foot, x, most);
    return rmil_figure_end(&figure, folder, error);
}

/* -- decision curve -------------------------------------------------------------------------------------------------------------- */
enum { THRESHOLDS = 99 };

static void add_benefit(RmilFigure *figure, int series, const char *title, const double *thresholds, const double *benefit) {
    for (int k = 0; k < THRESHOLDS; k++) {
        rmil_csv_whole(figure->csv, series);
        rmil_figure_numbers(figure->csv, 2, (double[]){thresholds[k], benefit[k]});
        rmil_csv_text(figure->csv, title);
        rmil_csv_end(figure->csv);
    }
    rmil_csv_end(figure->csv);
}

char *rmil_figure_decision(const char *name, const RmilFigureSeries *series, int n_series, const int *labels, int64_t n, const char *folder,
                           GError **error) {
    RmilFigure figure;
    double thresholds[THRESHOLDS], benefit[THRESHOLDS], all[THRESHOLDS], most = 0;
    for (int k = 0; k < THRESHOLDS; k++) thresholds[k] = (k + 1) / 100.0;
    rmil_figure_begin(&figure, name, "Decision curve: net benefit of acting on the prediction, by the probability from which one would act",
                      440, 360 + RMIL_KEY_ROW * (n_series + 2), "series,threshold,net_benefit,title");
    for (int s = 0; s < n_series; s++) {
        rmil_decision_curve(labels, series[s].probabilities, n, thresholds, THRESHOLDS, benefit, all);
        add_benefit(&figure, s, series[s].title, thresholds, benefit);
        if (s == n_series - 1) add_benefit(&figure, n_series, "all positive", thresholds, all);
        for (int k = 0; k < THRESHOLDS; k++) most = MAX(most, MAX(benefit[k], all[k]));
    }
    if (!(most > 0)) most = 0.1;
    rmil_figure_key_room(figure.script, n_series + 2);
    g_string_append_printf(figure.script,
                           "set xrange [0:1]\nset yrange [%.4f:%.4f]\nset xtics 0.2\nset xlabel 'Threshold probability'\n"
                           "set ylabel 'Net benefit'\n",
                           -0.2 * most, 1.05 * most);
    for (int s = 0; s < n_series; s++) {
        g_autofree char *line = rmil_series_line(s), *title = rmil_series_title(series[s].title, 40);
        rmil_figure_plot(&figure, "'%s.csv' skip 1 using (column(1) == %d ? $2 : NaN):3 with lines %s title %s", name, s, line, title);
    }
    rmil_figure_plot(
        &figure,
        "'%s.csv' skip 1 using (column(1) == %d ? $2 : NaN):3 with lines linecolor '#888888' dashtype (6,4) linewidth 1.6 title "
        "'all called positive'",
        name, n_series);
    rmil_figure_plot(&figure, "0 with lines linecolor '#222222' dashtype solid linewidth 1.2 title 'none called positive'");
    return rmil_figure_end(&figure, folder, error);
}
