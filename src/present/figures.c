/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a run. */
#include "run.h"

#include <math.h>
#include <stdlib.h>

#include <string.h>

static void add_series(RmilCsv *csv, const RmilMethod *method) {
    rmil_csv_whole(csv, method->style);
    rmil_csv_text(csv, method->title);
}

/* Rows that belong to the method: an expression for `using`. */
#define OF_METHOD "column(1) == %d && "

/* -- ROC and precision-recall -------------------------------------------------------------------------------------- */
typedef GArray *(*CurveFunction)(const int *labels, const double *scores, int64_t n);

static void add_curve(RmilFigure *figure, const RmilMethod *method, const char *seed, CurveFunction curve, const int *labels,
                      const double *scores, int64_t n) {
    int64_t positives = 0;
    for (int64_t i = 0; i < n; i++) positives += labels[i];
    if (positives == 0 || positives == n) return;
    g_autoptr(GArray) points = curve(labels, scores, n);
    for (guint i = 0; points && i < points->len; i++) {
        const RmilCurvePoint *point = &g_array_index(points, RmilCurvePoint, i);
        add_series(figure->csv, method);
        rmil_csv_text(figure->csv, seed);
        rmil_figure_numbers(figure->csv, 4, (double[]){point->x, point->y, NAN, NAN});
        rmil_csv_end(figure->csv);
    }
    rmil_csv_end(figure->csv); /* a blank line ends the curve */
}

static void add_curves(RmilFigure *figure, const RmilTask *task, const RmilMethodSummary *summary, CurveFunction curve) {
    guint most = summary->pooled->len;
    for (gint64 s = 0; s < summary->seeds; s++) most = MAX(most, ((RmilSeedRun *)g_ptr_array_index(summary->method->seeds, s))->cases->len);
    g_autofree int *labels = g_new(int, most + 1);
    g_autofree double *scores = g_new(double, most + 1);
    rmil_predictions_scores(summary->pooled, labels, scores);
    add_curve(figure, summary->method, "mean", curve, labels, scores, summary->pooled->len);
    for (gint64 s = 0; s < summary->seeds && summary->seeds > 1; s++) {
        const RmilSeedRun *seed = g_ptr_array_index(summary->method->seeds, s);
        g_autoptr(GArray) rows = rmil_predictions_of(seed->cases, task, RMIL_SPLIT_TEST);
        rmil_predictions_scores(rows, labels, scores);
        g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, seed->seed);
        add_curve(figure, summary->method, number, curve, labels, scores, rows->len);
    }
}

/* With one seed there is no spread between seeds to show. Instead, rows "band" hold the pointwise 95 % band of the ROC curve
 * over resamples of the slides, stratified by label. */
enum { BAND_POINTS = 41, BAND_ROUNDS = 500 };

static gboolean has_band(const RmilSummary *summary, int method) {
    const RmilMethodSummary *one = &summary->methods[method];
    return one->seeds == 1 && one->positives > 0 && one->negatives > 0 && (summary->n <= 3 || method == summary->reference);
}

static void add_band(RmilFigure *figure, const RmilMethodSummary *one) {
    const int64_t n = one->pooled->len;
    g_autofree int *labels = g_new(int, n);
    g_autofree double *scores = g_new(double, n);
    double low[BAND_POINTS], high[BAND_POINTS];
    rmil_predictions_scores(one->pooled, labels, scores);
    if (!rmil_roc_band(labels, scores, n, 0.95, BAND_ROUNDS, 0, BAND_POINTS, low, high)) return;
    for (int p = 0; p < BAND_POINTS; p++) {
        add_series(figure->csv, one->method);
        rmil_csv_text(figure->csv, "band");
        rmil_figure_numbers(figure->csv, 4, (double[]){(double)p / (BAND_POINTS - 1), NAN, low[p], high[p]});
        rmil_csv_end(figure->csv);
    }
    rmil_csv_end(figure->csv);
}

static void plot_bands(RmilFigure *figure, const RmilSummary *summary) {
    for (int m = 0; m < summary->n; m++) {
        if (!has_band(summary, m)) continue;
        int style = summary->methods[m].method->style;
        add_band(figure, &summary->methods[m]);
        rmil_figure_plot(figure,
                         "'%s.csv' skip 1 using (" OF_METHOD "strcol(3) eq 'band' ? $4 : NaN):6:7 with filledcurves linetype %d "
                         "linewidth 0 fillstyle transparent solid 0.12 noborder notitle",
                         figure->name, style, style);
    }
}

/* value: the metric shown after the method's name in the key. */
static void plot_curves(RmilFigure *figure, const RmilSummary *summary, CurveFunction curve, int value) {
    for (int m = 0; m < summary->n; m++) add_curves(figure, &summary->task, &summary->methods[m], curve);
    for (int m = 0; m < summary->n; m++)
        if (summary->methods[m].seeds > 1 && (summary->n <= 4 || m == summary->reference)) /* more would be a tangle */
            rmil_figure_plot(figure,
                             "'%s.csv' skip 1 using (" OF_METHOD "strcol(3) ne 'mean' && strcol(3) ne 'band' ? $4 : NaN):5 with "
                             "lines linetype %d linewidth 0.5 dashtype solid notitle",
                             figure->name, summary->methods[m].method->style, summary->methods[m].method->style);
    for (int i = 0; i < summary->n; i++) { /* the reference last, on top */
        int m = i < summary->n - 1 ? (i < summary->reference ? i : i + 1) : summary->reference;
        const RmilMethodSummary *one = &summary->methods[m];
        g_autofree char *text = g_strdup_printf("%s %.3f", one->method->title, one->value[value]), *title = rmil_figure_quote(text);
        rmil_figure_plot(figure, "'%s.csv' skip 1 using (" OF_METHOD "strcol(3) eq 'mean' ? $4 : NaN):5 with lines linetype %d title %s",
                         figure->name, one->method->style, one->method->style, title);
    }
}

/* A square with axes from 0 to 1. */
static void begin_curves(RmilFigure *figure, const RmilSummary *summary, const char *name, const char *what, const char *header,
                         const char *x, const char *y) {
    rmil_figure_begin(figure, name, what, 440, 440 + RMIL_KEY_ROW * summary->n, header);
    rmil_figure_key_room(figure->script, summary->n);
    g_string_append_printf(figure->script,
                           "set size ratio 1\nset xrange [0:1]\nset yrange [0:1.005]\nset xtics 0.2\nset ytics 0.2\n"
                           "set xlabel '%s'\nset ylabel '%s'\n",
                           x, y);
}

char *rmil_figure_roc(const RmilSummary *summary, const char *folder, GError **error) {
    RmilFigure figure;
    begin_curves(&figure, summary, "roc", "ROC curves of the test slides: of the pooled predictions (thick) and of each training (thin)",
                 "series,method,seed,false_positive_rate,true_positive_rate,low,high", "False positive rate (1 − specificity)",
                 "True positive rate (sensitivity)");
    rmil_figure_plot(&figure, "x with lines linecolor '#aaaaaa' dashtype (2,4) linewidth 1 notitle");
    plot_bands(&figure, summary);
    plot_curves(&figure, summary, rmil_roc_curve, 0);
    return rmil_figure_end(&figure, folder, error);
}

char *rmil_figure_pr(const RmilSummary *summary, const char *folder, GError **error) {
    const RmilMethodSummary *reference = &summary->methods[summary->reference];
    double share = (double)reference->positives / (double)MAX(reference->positives + reference->negatives, 1);
    RmilFigure figure;
    begin_curves(&figure, summary, "pr", "Precision-recall curves of the test slides, as in roc.gp; dotted: the share of positive slides",
                 "series,method,seed,recall,precision,low,high", "Recall (sensitivity)", "Precision (positive predictive value)");
    rmil_figure_plot(&figure, "%.6f with lines linecolor '#aaaaaa' dashtype (2,4) linewidth 1 notitle", share);
    plot_curves(&figure, summary, rmil_pr_curve, 1);
    return rmil_figure_end(&figure, folder, error);
}

/* -- one row per method -------------------------------------------------------------------------------------------- */
static void method_rows(GString *script, const RmilSummary *summary) {
    gsize longest = 0;
    g_string_append(script, "set ytics (");
    for (int m = 0; m < summary->n; m++) {
        g_autofree char *title = rmil_figure_quote(summary->methods[m].method->title);
        g_string_append_printf(script, "%s%s %d", m ? ", " : "", title, summary->n - m);
        longest = MAX(longest, (gsize)g_utf8_strlen(title, -1));
    }
    g_string_append_printf(script, ") noenhanced\nset yrange [0.4:%d.6]\nset lmargin %d\nset grid noytics\nunset ylabel\n", summary->n,
                           (int)MIN(longest * 3 / 4 + 2, 24));
}

char *rmil_figure_auroc(const RmilSummary *summary, const char *folder, GError **error) {
    RmilFigure figure;
    rmil_figure_begin(&figure, "auroc", "AUROC of the test slides: of the pooled predictions with its 95 % interval, and of each training",
                      480, 160 + 46 * summary->n, "series,method,row,what,auroc,low,high");
    const RmilMethodSummary *reference = &summary->methods[summary->reference];
    double lowest = 1;
    gboolean repeats = FALSE;
    for (int m = 0; m < summary->n; m++) {
        const RmilMethodSummary *one = &summary->methods[m];
        if (isnan(one->value[0])) continue;
        add_series(figure.csv, one->method);
        rmil_csv_whole(figure.csv, summary->n - m);
        rmil_csv_text(figure.csv, "mean");
        rmil_figure_numbers(figure.csv, 3, (double[]){one->value[0], one->interval[0].low, one->interval[0].high});
        rmil_csv_end(figure.csv);
        lowest = MIN(lowest, isnan(one->interval[0].low) ? one->value[0] : one->interval[0].low);
        for (int64_t s = 0; s < one->seeds && one->seeds > 1; s++) {
            double auroc = one->by_seed[s * RMIL_MEASURES_MOST];
            if (isnan(auroc)) continue;
            repeats = TRUE;
            add_series(figure.csv, one->method);
            rmil_csv_whole(figure.csv, summary->n - m);
            rmil_csv_whole(figure.csv, ((RmilSeedRun *)g_ptr_array_index(one->method->seeds, s))->seed);
            rmil_figure_numbers(figure.csv, 3, (double[]){auroc, NAN, NAN});
            rmil_csv_end(figure.csv);
            lowest = MIN(lowest, auroc);
        }
    }
    method_rows(figure.script, summary);
    rmil_figure_key_room(figure.script, 1 + repeats);
    g_string_append_printf(figure.script, "set xrange [%.1f:1.01]\nset xlabel 'AUROC, test slides'\n",
                           floor(MAX(lowest - 0.02, 0) * 10) / 10);
    rmil_figure_plot(&figure,
                     "'auroc.csv' skip 1 using (strcol(4) eq 'mean' ? $5 : NaN):3:6:7 with xerrorbars linecolor '#333333' dashtype "
                     "solid linewidth 1.6 "
                     "pointtype 13 pointsize 1.3 title '%s%s 95 %% interval'",
                     repeats ? rmil_tests_measured(reference) : "estimate", repeats ? "," : " and");
    if (repeats)
        rmil_figure_plot(&figure,
                         "'auroc.csv' skip 1 using (strcol(4) ne 'mean' ? $5 : NaN):($3 + 0.24 + 0.04 * (int($0) %% 3 - "
                         "1)) with points "
                         "linecolor '#777777' pointtype 6 pointsize 0.6 linewidth 1.4 title 'one %s'",
                         rmil_tests_one(reference));
    return rmil_figure_end(&figure, folder, error);
}

char *rmil_figure_probabilities(const RmilSummary *summary, const char *folder, GError **error) {
    RmilFigure figure;
    rmil_figure_begin(&figure, "probabilities", "Predicted probability of every test slide, by its true label", 480, 160 + 46 * summary->n,
                      "series,method,row,id,label,probability");
    for (int m = 0; m < summary->n; m++) {
        const RmilMethodSummary *one = &summary->methods[m];
        for (guint i = 0; i < one->pooled->len; i++) {
            const RmilPredictionRow *item = &g_array_index(one->pooled, RmilPredictionRow, i);
            add_series(figure.csv, one->method);
            rmil_csv_whole(figure.csv, summary->n - m);
            rmil_csv_text(figure.csv, item->slide);
            rmil_csv_whole(figure.csv, item->target.label);
            rmil_figure_numbers(figure.csv, 1, &item->probability);
            rmil_csv_end(figure.csv);
        }
    }
    method_rows(figure.script, summary);
    rmil_figure_key_room(figure.script, 2);
    g_string_append(figure.script, "set xrange [-0.02:1.02]\nset xlabel 'Predicted probability, test slides'\n"
                                   "set arrow from 0.5,graph 0 to 0.5,graph 1 nohead linecolor '#888888' dashtype "
                                   "(4,4)\n");
    rmil_figure_plot(&figure, "'probabilities.csv' skip 1 using ($5 == 1 ? $6 : NaN):($3 + 0.14 + 0.045 * (int($0) %% 3 - 1)) with "
                              "points pointtype 7 "
                              "pointsize 0.6 linecolor '#8c2d04' title 'positive slide'");
    rmil_figure_plot(&figure, "'probabilities.csv' skip 1 using ($5 == 0 ? $6 : NaN):($3 - 0.14 + 0.045 * (int($0) %% 3 - 1)) with "
                              "points pointtype 4 "
                              "pointsize 0.6 linewidth 1.3 linecolor '#2171b5' title 'negative slide'");
    return rmil_figure_end(&figure, folder, error);
}

/* -- localisation -------------------------------------------------------------------------------------------------- */
char *rmil_figure_localisation(const RmilSummary *summary, int what, const char *folder, GError **error) {
    static const char *const names[] = {"localisation-iou", "localisation-dice", "localisation-pointing"};
    static const char *const titles[] = {"IoU", "Dice", "Pointing game"};
    static const char *const axes[] = {"top tiles, % of the annotated number", "top tiles, % of the annotated number",
                                       "top tiles, % of all tiles"};
    RmilFigure figure;
    rmil_figure_begin(&figure, names[what],
                      "Localisation of the annotated lesions of test slides by attention: mean over slides, SD over trainings", 400,
                      320 + RMIL_KEY_ROW * summary->n, "series,method,position,alpha,value,sd");
    gboolean repeats = FALSE;
    for (int m = 0; m < summary->n; m++) {
        for (int a = 0; a < summary->n_alphas; a++) {
            const RmilLocalSummary *local = &summary->locals[m * summary->n_alphas + a];
            double value = what == 0 ? local->iou : what == 1 ? local->dice : local->pointing;
            double sd = what == 0 ? local->iou_sd : what == 1 ? local->dice_sd : local->pointing_sd;
            if (isnan(value)) continue;
            repeats = repeats || !isnan(sd);
            add_series(figure.csv, summary->methods[m].method);
            rmil_csv_whole(figure.csv, a + 1);
            rmil_figure_numbers(figure.csv, 3, (double[]){summary->alphas[a], value, sd});
            rmil_csv_end(figure.csv);
        }
        rmil_csv_end(figure.csv);
    }
    rmil_figure_key_room(figure.script, summary->n);
    g_string_append(figure.script, "set xtics (");
    for (int a = 0; a < summary->n_alphas; a++)
        g_string_append_printf(figure.script, "%s'%g' %d", a ? ", " : "", summary->alphas[a], a + 1);
    g_string_append_printf(figure.script, ")\nset xrange [0.7:%d.3]\nset yrange [0:%s]\nset xlabel '%s'\nset ylabel '%s'\n",
                           summary->n_alphas, what == 2 ? "1.03" : "*<1.03", axes[what], titles[what]);
    for (int m = 0; m < summary->n; m++) {
        const RmilMethod *method = summary->methods[m].method;
        g_autofree char *title = rmil_figure_quote(method->title);
        double shift = 0.06 * (m - (summary->n - 1) / 2.0); /* bars of different methods side by side */
        if (repeats)
            rmil_figure_plot(&figure,
                             "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.2f : NaN):5:6 with yerrorbars linetype %d dashtype "
                             "solid linewidth 1 pointsize 0 notitle",
                             figure.name, method->style, shift, method->style);
        rmil_figure_plot(&figure, "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.2f : NaN):5 with linespoints linetype %d title %s",
                         figure.name, method->style, shift, method->style, title);
    }
    return rmil_figure_end(&figure, folder, error);
}

/* -- training history ---------------------------------------------------------------------------------------------- */
char *rmil_figure_history(const RmilMethod *method, const RmilTask *task, const char *folder, GError **error) {
    const RmilSeedRun *seed = g_ptr_array_index(method->seeds, 0);
    g_autofree char *name = g_strdup_printf("history-%s", method->name);
    g_autofree char *what = g_strdup_printf("Training of the first seed: loss and %s of every epoch", rmil_epoch_metric(task));
    RmilFigure figure;
    rmil_figure_begin(&figure, g_strdelimit(name, "/\\'\"", '_'), what, 400, 500,
                      "epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,best");
    int best = 0, last = 1;
    gboolean guided = FALSE, ranked = FALSE; /* ranked: is the validation metric defined? It needs two classes */
    for (guint i = 0; i < seed->epochs->len; i++) {
        const RmilEpoch *epoch = &g_array_index(seed->epochs, RmilEpoch, i);
        rmil_csv_whole(figure.csv, epoch->epoch);
        rmil_figure_numbers(figure.csv, 6,
                            (double[]){epoch->train_loss, epoch->train_slide_loss, epoch->train_guide_loss, epoch->val_loss,
                                       epoch->val_metric, epoch->best});
        rmil_csv_end(figure.csv);
        if (epoch->best) best = (int)epoch->epoch; /* the last improvement is the one kept */
        if (epoch->train_guide_loss > 0) guided = TRUE;
        if (isfinite(epoch->val_metric)) ranked = TRUE;
        last = MAX(last, (int)epoch->epoch);
    }
    g_string_append_printf(figure.script,
                           "set lmargin 9\nset rmargin 2\nset xrange [0.5:%d.5]\nset key above maxcols 2\n"
                           "set multiplot\n",
                           last);
    if (best)
        g_string_append_printf(figure.script, "set arrow 1 from %d,graph 0 to %d,graph 1 nohead linecolor '#888888' dashtype (4,4)\n", best,
                               best);
    g_string_append(figure.script, "set origin 0,0.42\nset size 1,0.58\nset ylabel 'Loss'\nset yrange [0:*]\nset "
                                   "format x ''\n");
    rmil_figure_plot(&figure,
                     "'%s.csv' skip 1 using 1:3 with lines linecolor '#0072b2' dashtype solid linewidth 2.2 title 'training, "
                     "slide'",
                     figure.name);
    if (guided)
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using 1:4 with lines linecolor '#56b4e9' linewidth 1.6 dashtype (2,3) title 'training, "
                         "guide'",
                         figure.name);
    rmil_figure_plot(&figure, "'%s.csv' skip 1 using 1:5 with lines linecolor '#d55e00' linewidth 2.2 dashtype (9,5) title 'validation'",
                     figure.name);
    g_string_append_printf(figure.script,
                           "\nset origin 0,0\nset size 1,0.42\nset ylabel 'Validation %s'\nset yrange "
                           "[%s:1.02]\nset ytics %s\n"
                           "set format x '%%g'\nset xlabel 'Epoch'\nunset key\n",
                           rmil_epoch_metric(task), ranked ? "*<0.45" : "0", task->kind == RMIL_TASK_NUMBER ? "auto" : "0.2");
    if (!ranked)
        g_string_append(figure.script, "set label 2 'undefined on this validation set' at graph 0.5,graph 0.6 center textcolor "
                                       "'#444444'\n");
    if (best)
        g_string_append_printf(figure.script, "set label 1 ' epoch kept: %d' at %d,graph 0.1 %s textcolor '#444444'\n", best, best,
                               best * 2 > last ? "right offset -0.5,0" : "left");
    figure.clauses = 0;
    rmil_figure_plot(&figure, "'%s.csv' skip 1 using 1:6 with lines linecolor '#222222' dashtype solid linewidth 2 notitle", figure.name);
    g_string_append(figure.script, "\nunset multiplot");
    return rmil_figure_end(&figure, folder, error);
}
