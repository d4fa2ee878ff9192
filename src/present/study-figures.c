/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a study. */
#include "study-report.h"

#include <math.h>
#include <string.h>

/* "*" … "****" as in the paper's figures; "" if p is not below 0.05. */
static const char *stars_of(double p) { return p < 0.00001 ? "****" : p < 0.0001 ? "***" : p < 0.001 ? "**" : p < 0.05 ? "*" : ""; }

/* "−" before the stars of a comparison that the reference loses. */
static char *signed_stars(double p, gboolean higher) {
    const char *stars = stars_of(p);
    return g_strconcat(*stars && !higher ? "−" : "", stars, NULL);
}

/* -- curves over the study's variable --------------------------------------------------------------------------------------- */
/* One line of the figure: a method, or the whole study if each level has one method. */
typedef struct {
    const char *title;
    int style;
    gboolean reference;
    double *mean, *sd; /* per level */
    char **stars;      /* per level: of the reference against this method, or of this level against the first */
} Series;

typedef struct {
    const RmilStudyReport *study;
    int n;
    Series *series;
    double *position; /* of the levels on the axis */
    gboolean even;    /* levels at equal distances, since some are too close for their labels */
    gboolean spread;  /* there are SDs */
    gboolean apart;   /* the levels are words: no line connects them */
    int starred;      /* series with stars of their own */
} Curves;

#define LOGARITHMIC 20 /* from this ratio of largest to smallest value on, the axis is logarithmic */
static void place_levels(Curves *curves) {
    const RmilStudyReport *study = curves->study;
    const double least = study->levels[0].shown, most = study->levels[study->n_levels - 1].shown;
    const gboolean logarithmic = least > 0 && most / least > LOGARITHMIC;
    for (int i = 0; i < study->n_levels; i++) curves->position[i] = logarithmic ? log10(study->levels[i].shown) : study->levels[i].shown;
    const double range = curves->position[study->n_levels - 1] - curves->position[0];
    for (int i = 1; i < study->n_levels; i++)
        if (!(curves->position[i] - curves->position[i - 1] >= 0.08 * range)) curves->even = TRUE;
    for (int i = 0; i < study->n_levels && curves->even; i++) curves->position[i] = i;
}

/* metric: an index in study->measures, or −1 for the attention outside the lesion. */
static void set_value(Series *series, int level, const RmilMethodSummary *one, int metric) {
    if (!one) return;
    if (metric >= 0) {
        series->mean[level] = one->mean[metric];
        series->sd[level] = one->sd[metric];
        return;
    }
    RmilElsewhere off = rmil_study_elsewhere(one);
    series->mean[level] = off.mean;
    series->sd[level] = off.sd_runs;
}

static void fill_along(Curves *curves, int metric) {
    const RmilSummary *s = curves->study->along_summary;
    const RmilResults *last = curves->study->levels[s->n - 1].run;
    Series *series = &curves->series[0];
    series->title = ((RmilMethod *)last->methods->pdata[0])->title;
    series->style = ((RmilMethod *)last->methods->pdata[0])->style;
    series->reference = TRUE;
    for (int i = 0; i < s->n; i++) {
        set_value(series, i, &s->methods[i], metric);
        const RmilComparison *c = i == s->reference || metric < 0 ? NULL : rmil_level_comparison(s, i);
        if (c) series->stars[i] = signed_stars(c->mann_whitney[metric], series->mean[i] > series->mean[s->reference]);
    }
}

static void fill_methods(Curves *curves, int metric) {
    const RmilStudyReport *study = curves->study;
    for (int m = 0; m < curves->n; m++) {
        const RmilMethod *method = study->methods->pdata[m];
        Series *series = &curves->series[m];
        series->title = method->title;
        series->style = method->style;
        series->reference = strcmp(method->name, study->reference) == 0;
        for (int i = 0; i < study->n_levels; i++) {
            const RmilLevel *level = &study->levels[i];
            const RmilMethodSummary *one = rmil_level_method(level, method->name);
            set_value(series, i, one, metric);
            int reference = rmil_level_reference(study, level);
            if (!one || series->reference || reference < 0 || metric < 0) continue;
            const RmilMethodSummary *against = &level->summary->methods[reference];
            const RmilComparison *c = rmil_level_comparison(level->summary, (int)(one - level->summary->methods));
            series->stars[i] = signed_stars(c->mann_whitney[metric], against->mean[metric] > one->mean[metric]);
        }
    }
}

static void curves_init(Curves *curves, const RmilStudyReport *study, int metric) {
    *curves = (Curves){.study = study, .n = study->along_summary ? 1 : (int)study->methods->len, .apart = study->axes[0].words};
    curves->series = g_new0(Series, curves->n);
    curves->position = g_new0(double, study->n_levels);
    place_levels(curves);
    for (int m = 0; m < curves->n; m++) {
        Series *series = &curves->series[m];
        series->mean = g_new(double, study->n_levels);
        series->sd = g_new(double, study->n_levels);
        series->stars = g_new0(char *, study->n_levels + 1);
        for (int i = 0; i < study->n_levels; i++) series->mean[i] = series->sd[i] = NAN;
    }
    if (study->along_summary) fill_along(curves, metric);
    else fill_methods(curves, metric);
    for (int m = 0; m < curves->n; m++) {
        gboolean any = FALSE;
        for (int i = 0; i < study->n_levels; i++) {
            any = any || (curves->series[m].stars[i] && *curves->series[m].stars[i]);
            curves->spread = curves->spread || !isnan(curves->series[m].sd[i]);
        }
        curves->starred += any;
    }
}

static void curves_clear(Curves *curves) {
    for (int m = 0; m < curves->n; m++) {
        g_free(curves->series[m].mean);
        g_free(curves->series[m].sd);
        for (int i = 0; i < curves->study->n_levels; i++) g_free(curves->series[m].stars[i]);
        g_free(curves->series[m].stars);
    }
    g_free(curves->series);
    g_free(curves->position);
}

static void add_data(const Curves *curves, RmilFigure *figure) {
    for (int m = 0; m < curves->n; m++) {
        const Series *series = &curves->series[m];
        for (int i = 0; i < curves->study->n_levels; i++) {
            if (isnan(series->mean[i])) continue;
            rmil_csv_whole(figure->csv, series->style);
            rmil_csv_text(figure->csv, series->title);
            rmil_figure_numbers(figure->csv, 1, &curves->position[i]);
            if (curves->apart) rmil_csv_text(figure->csv, curves->study->levels[i].varied[0].text);
            else rmil_figure_numbers(figure->csv, 1, &curves->study->levels[i].varied[0].number);
            rmil_figure_numbers(figure->csv, 2, (double[]){series->mean[i], series->sd[i]});
            rmil_csv_text(figure->csv, series->stars[i]);
            rmil_csv_end(figure->csv);
        }
        rmil_csv_end(figure->csv);
    }
}

/* Above the plot there is a row of stars for each line that has any, after the line's symbol. */
#define STAR_ROW 15.0
#define KEY_ROW 22 /* px of the key below the plot, in two columns */
static void add_stars(const Curves *curves, GString *script, int height) {
    double y = 12;
    int label = 1;
    for (int m = 0; m < curves->n; m++) {
        const Series *series = &curves->series[m];
        gboolean first = TRUE;
        for (int i = 0; i < curves->study->n_levels; i++) {
            if (!series->stars[i] || !*series->stars[i]) continue;
            if (first && !curves->study->along_summary)
                g_string_append_printf(script, "set label %d '' at graph -0.035, screen %.4f point linetype %d pointsize 0.8\n", label++,
                                       1 - y / height, series->style);
            first = FALSE;
            g_string_append_printf(script, "set label %d '%s' at first %.6g, screen %.4f center\n", label++, series->stars[i],
                                   curves->position[i], 1 - (y + 3) / height);
        }
        if (!first) y += STAR_ROW;
    }
}

/* The range of the vertical axis, in steps of 0.1 (0.05 if that shows more). */
static void value_range(const Curves *curves, GString *script) {
    double low = INFINITY, high = -INFINITY;
    for (int m = 0; m < curves->n; m++)
        for (int i = 0; i < curves->study->n_levels; i++) {
            double mean = curves->series[m].mean[i], sd = curves->series[m].sd[i];
            if (isnan(mean)) continue;
            low = MIN(low, mean - (isnan(sd) ? 0 : sd));
            high = MAX(high, mean + (isnan(sd) ? 0 : sd));
        }
    if (low < 0 || high > 1) { /* not a share */
        g_string_append_printf(script, "set yrange [%.6g:%.6g]\n", low - 0.05 * (high - low), high + 0.05 * (high - low));
        return;
    }
    double step = high - low > 0.35 ? 0.1 : high - low > 0.12 ? 0.05 : 0.02;
    low = MAX(floor(low / step + 1e-9) * step, 0);
    high = MIN(ceil(high / step - 1e-9) * step, 1);
    if (!(high > low)) high = low + step;
    g_string_append_printf(script, "set yrange [%.2f:%.4f]\nset ytics %g\nset format y '%%.%df'\n", low, high + (high - low) * 0.01,
                           step > 0.05 ? step * (high - low > 0.75 ? 2 : 1) : step, step > 0.05 ? 1 : 2);
}

/* "'40 %%'": gnuplot's tics are formats. Free with g_free. */
static char *tic(const char *text) {
    g_autoptr(GString) format = g_string_new(text);
    g_string_replace(format, "%", "%%", 0);
    return rmil_figure_quote(format->str);
}

static void level_axis(const Curves *curves, GString *script) {
    const RmilStudyReport *study = curves->study;
    const double first = curves->position[0], last = curves->position[study->n_levels - 1];
    const double room = curves->apart ? 0.5 : (last > first ? last - first : 1) * 0.06;
    g_string_append(script, "set xtics (");
    for (int i = 0; i < study->n_levels; i++) {
        g_autofree char *number = g_strdup_printf("%.6g", study->levels[i].shown);
        g_autofree char *label = tic(curves->apart ? study->levels[i].varied[0].text : number);
        g_string_append_printf(script, "%s%s %.6g", i ? ", " : "", label, curves->position[i]);
    }
    const gboolean fits = g_utf8_strlen(study->axis, -1) <= 56;
    g_autofree char *axis = rmil_figure_quote(fits ? study->axis : study->axes[0].name);
    g_string_append_printf(script, ")\nset xrange [%.6g:%.6g]\nset xlabel %s\n", first - room, last + room, axis);
}

static void plot_lines(const Curves *curves, RmilFigure *figure) {
    const RmilStudyReport *study = curves->study;
    double width = curves->position[study->n_levels - 1] - curves->position[0];
    for (int m = 0; m < curves->n && curves->spread && !curves->apart; m++) {
        const Series *series = &curves->series[m];
        if (curves->n <= 3 || series->reference)
            rmil_figure_plot(figure,
                             "'%s.csv' skip 1 using (column(1) == %d ? $3 : NaN):($5 - $6):($5 + $6) with filledcurves linetype %d "
                             "linewidth 0 fillstyle transparent solid 0.16 noborder notitle",
                             figure->name, series->style, series->style);
    }
    for (int i = 0; i < curves->n; i++) { /* the reference last, on top */
        int m = 0, reference = curves->n - 1;
        for (int r = 0; r < curves->n; r++)
            if (curves->series[r].reference) reference = r;
        m = i == curves->n - 1 ? reference : i < reference ? i : i + 1;
        const Series *series = &curves->series[m];
        g_autofree char *title = rmil_figure_quote(series->title);
        const gboolean bar = curves->apart || (curves->n > 3 && !series->reference);
        const double shift = bar ? (curves->apart ? 0.5 / curves->n : width * 0.007) * (m - (curves->n - 1) / 2.0) : 0;
        if (curves->spread && bar)
            rmil_figure_plot(figure,
                             "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.6g : NaN):5:6 with yerrorbars linetype %d dashtype solid "
                             "linewidth 0.8 pointsize 0 notitle",
                             figure->name, series->style, shift, series->style);
        rmil_figure_plot(figure, "'%s.csv' skip 1 using (column(1) == %d ? $3 + %.6g : NaN):5 with %s linetype %d %stitle %s", figure->name,
                         series->style, shift, curves->apart ? "points" : "linespoints", series->style,
                         series->reference ? "linewidth 3.2 " : "", title);
    }
}

static char *draw(const RmilStudyReport *study, int metric, const char *name, const char *what, const char *label, GError **error) {
    Curves curves;
    RmilFigure figure;
    curves_init(&curves, study, metric);
    int key_rows = curves.n > 1 ? (curves.n + 1) / 2 : 0, height = 306 + (int)STAR_ROW * curves.starred + KEY_ROW * key_rows;
    rmil_figure_begin(&figure, name, what, 480, height, "series,method,position,value,mean,sd,stars");
    add_data(&curves, &figure);
    g_string_append_printf(figure.script, "set tmargin at screen %.4f\nset bmargin at screen %.4f\nset rmargin 2\n",
                           1 - (16 + STAR_ROW * curves.starred) / height, (double)(78 + KEY_ROW * key_rows) / height);
    if (key_rows)
        g_string_append_printf(figure.script,
                               "set key at screen 0.53, screen %.4f center bottom vertical maxrows %d samplen 2.4 spacing 1\n",
                               6.0 / height, key_rows);
    else g_string_append(figure.script, "unset key\n");
    level_axis(&curves, figure.script);
    value_range(&curves, figure.script);
    g_string_append_printf(figure.script, "set ylabel '%s'\n", label);
    add_stars(&curves, figure.script, height);
    plot_lines(&curves, &figure);
    curves_clear(&curves);
    return rmil_figure_end(&figure, study->folder, error);
}

char *rmil_study_figure_curve(const RmilStudyReport *study, int metric, GError **error) {
    g_autofree char *name = g_strdup(study->measures[metric].key);
    g_autofree char *what = g_strdup_printf("%s of the test slides by value: mean and SD over the trainings", study->measures[metric].name);
    return draw(study, metric, name, what, study->measures[metric].name, error);
}

char *rmil_study_figure_elsewhere(const RmilStudyReport *study, GError **error) {
    return draw(
        study, -1, "attention-off-lesion",
        "Share of attention on patches that are not annotated, positive test slides: mean over slides, then mean and SD over the trainings",
        "Attention off the lesion", error);
}

/* -- two things varied --------------------------------------------------------------------------------------------------------- */
/* One range of colours for all methods. */
static void colour_range(const RmilStudyReport *study, GString *script) {
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) {
            const double mean = study->levels[i].summary->methods[m].mean[0];
            if (!isnan(mean)) low = MIN(low, mean);
            if (!isnan(mean)) high = MAX(high, mean);
        }
    g_string_append_printf(script, "set palette defined (0 '#f4f7fb', 1 '#6aaed6')\nset cbrange [%.4f:%.4f]\nunset colorbox\n",
                           isfinite(low) ? low : 0,
                           high > low      ? high
                           : isfinite(low) ? low + 0.001
                                           : 1);
}

static void grid_axis(const RmilStudyAxis *axis, char letter, GString *script) {
    const guint last = axis->values->len - 1;
    g_string_append_printf(script, "set %ctics (", letter);
    for (guint i = 0; i <= last; i++) {
        g_autofree char *text = rmil_varied_short(&g_array_index(axis->values, RmilVaried, i)), *label = tic(text);
        g_string_append_printf(script, "%s%s %u", i ? ", " : "", label, i);
    }
    g_autofree char *name = rmil_figure_quote(axis->name);
    g_string_append_printf(script, ")\nset %clabel %s\n", letter, name);
    if (letter == 'x') g_string_append_printf(script, "set xrange [-0.5:%u.5]\n", last);
    else g_string_append_printf(script, "set yrange [%u.5:-0.5]\n", last); /* from top to bottom, as in the table */
}

char *rmil_study_figure_grid(const RmilStudyReport *study, const RmilMethod *method, GError **error) {
    g_autofree char *name = g_strdup_printf("grid-%s", method->name), *title = rmil_figure_quote(method->title);
    g_autofree char *what = g_strdup_printf("Mean %s of the test slides in every cell of the grid", study->measures[0].name);
    RmilFigure figure;
    rmil_figure_begin(&figure, g_strdelimit(name, "/\\'\"", '_'), what, 480, 130 + 44 * (int)study->axes[0].values->len,
                      "column,row,first,second,mean,sd");
    for (int i = 0; i < study->n_levels; i++) {
        const RmilLevel *level = &study->levels[i];
        const RmilMethodSummary *one = rmil_level_method(level, method->name);
        if (!one || isnan(one->mean[0])) continue;
        rmil_csv_whole(figure.csv, level->at[1]);
        rmil_csv_whole(figure.csv, level->at[0]);
        for (int v = 0; v < RMIL_VARIED; v++) rmil_csv_text(figure.csv, level->varied[v].text);
        rmil_figure_numbers(figure.csv, 2, (double[]){one->mean[0], one->sd[0]});
        rmil_csv_end(figure.csv);
    }
    g_string_append_printf(figure.script, "set title %s noenhanced\nunset key\nunset grid\nset border 0\nset tics scale 0\n", title);
    colour_range(study, figure.script);
    grid_axis(&study->axes[1], 'x', figure.script);
    grid_axis(&study->axes[0], 'y', figure.script);
    rmil_figure_plot(&figure,
                     "'%s.csv' skip 1 using 1:2:(0.48):(0.47):5 with boxxyerror linecolor palette fillstyle solid noborder notitle", name);
    rmil_figure_plot(&figure, "'%s.csv' skip 1 using 1:2:(sprintf('%%.3f', $5)) with labels textcolor '#111111' notitle", name);
    return rmil_figure_end(&figure, study->folder, error);
}

/* -- every training as a dot ------------------------------------------------------------------------------------------------- */
char *rmil_study_figure_strip(const RmilStudyReport *study, int metric, GError **error) {
    const RmilSummary *s = study->levels[0].summary;
    g_autofree char *lower = g_strdup(study->measures[metric].key), *name = g_strconcat(lower, "-runs", NULL);
    const int height = 86 + 34 * s->n;
    double lowest = 1, low = INFINITY, high = -INFINITY, from;
    gsize longest = 0;
    RmilFigure figure;
    rmil_figure_begin(&figure, name, "Every training by method (dots) with mean and SD", 480, height,
                      "series,method,row,run,value,mean,sd");
    GString *script = figure.script;
    g_string_append(script, "set ytics (");
    for (int m = 0; m < s->n; m++) {
        const RmilMethodSummary *one = &s->methods[m];
        g_autofree char *title = rmil_figure_quote(one->method->title);
        g_string_append_printf(script, "%s%s %d", m ? ", " : "", title, s->n - m);
        longest = MAX(longest, (gsize)g_utf8_strlen(title, -1));
        for (int64_t r = 0; r < one->seeds; r++) {
            double value = one->by_seed[r * RMIL_MEASURES_MOST + metric];
            if (isnan(value)) continue;
            lowest = MIN(lowest, value), low = MIN(low, value), high = MAX(high, value);
            g_autofree char *key = g_strndup(((RmilSeedRun *)one->method->seeds->pdata[r])->key, 12);
            rmil_csv_whole(figure.csv, one->method->style);
            rmil_csv_text(figure.csv, one->method->title);
            rmil_csv_whole(figure.csv, s->n - m);
            rmil_csv_text(figure.csv, key);
            rmil_figure_numbers(figure.csv, 3, (double[]){value, one->mean[metric], one->sd[metric]});
            rmil_csv_end(figure.csv);
        }
        if (isnan(one->sd[metric])) continue;
        lowest = MIN(lowest, one->mean[metric] - one->sd[metric]);
        low = MIN(low, one->mean[metric] - one->sd[metric]);
        high = MAX(high, one->mean[metric] + one->sd[metric]);
    }
    from = floor(MAX(lowest, 0) * 10 + 1e-9) / 10;
    const gboolean share = study->task.classes == 2 || !(low < 0 || high > 1);
    g_string_append_printf(script,
                           ") noenhanced\nset yrange [0.4:%d.6]\nset lmargin %d\nset rmargin 6\nset tmargin 0.6\nset grid noytics\n"
                           "unset ylabel\nunset key\nset xrange [%.1f:1.01]\nset xtics %s\nset format x '%%.1f'\n"
                           "set xlabel '%s, test slides'\n",
                           s->n, (int)MIN(longest * 3 / 4 + 2, 24), from, from < 0.55 ? "0.2" : "0.1", study->measures[metric].name);
    if (!share) {
        const double room = high > low ? 0.06 * (high - low) : 1;
        g_string_append_printf(script, "set xrange [%.6g:%.6g]\nset xtics autofreq\nset format x '%%g'\n", low - room, high + room);
    }
    int reference = rmil_level_reference(study, &study->levels[0]);
    for (int m = 0; m < s->n && reference >= 0; m++) {
        const RmilComparison *c = m == reference ? NULL : rmil_level_comparison(s, m);
        g_autofree char *stars = c ? signed_stars(c->mann_whitney[metric], s->methods[reference].mean[metric] > s->methods[m].mean[metric])
                                   : NULL;
        if (stars && *stars) g_string_append_printf(script, "set label '%s' at graph 1.02, first %.2f left\n", stars, s->n - m - 0.08);
    }
    for (int m = 0; m < s->n; m++) {
        int style = s->methods[m].method->style;
        rmil_figure_plot(
            &figure,
            "'%s.csv' skip 1 using (column(1) == %d ? $5 : NaN):($3 + 0.16 + 0.05 * (int($0) %% 4 - 1.5)) with points linetype "
            "%d linewidth 1.3 pointsize 0.6 notitle",
            name, style, style);
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using (column(1) == %d ? $6 : NaN):($3 - 0.18):7 with xerrorbars linetype %d linecolor '#222222' "
                         "dashtype solid linewidth 1.6 pointtype 13 pointsize 0.9 notitle",
                         name, style, style);
    }
    return rmil_figure_end(&figure, study->folder, error);
}
