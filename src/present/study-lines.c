/* SPDX-License-Identifier: Apache-2.0 */
/* For a study that varies a word and a number: the first measure over the number, one line per word. */
#include "outcome-figures.h"
#include "study-report.h"

#include <math.h>

/* Which axis has words and which numbers; FALSE: it is not such a study. */
static gboolean find_axes(const RmilStudyReport *study, int *words, int *numbers) {
    *words = study->axes[0].words ? 0 : 1;
    *numbers = 1 - *words;
    return study->n_axes == 2 && study->axes[*words].words && !study->axes[*numbers].words && study->axes[*words].values->len <= 4;
}

gboolean rmil_study_has_lines(const RmilStudyReport *study) {
    int words, numbers;
    return find_axes(study, &words, &numbers);
}

static const char *text_of(const RmilStudyReport *study, int axis, guint i) {
    return g_array_index(study->axes[axis].values, RmilVaried, i).text;
}

static const RmilLevel *level_at(const RmilStudyReport *study, int words, guint word, guint number) {
    return words == 0 ? rmil_study_level(study, word, number) : rmil_study_level(study, number, word);
}

/* Rows "series,word,position,mean,sd,n" of one word; returns their number. */
static int add_rows(const RmilStudyReport *study, const RmilMethod *method, int words, guint word, RmilFigure *figure) {
    const RmilStudyAxis *axis = &study->axes[1 - words];
    int rows = 0;
    for (guint i = 0; i < axis->values->len; i++) {
        const RmilLevel *level = level_at(study, words, word, i);
        const RmilMethodSummary *one = level ? rmil_level_method(level, method->name) : NULL;
        if (!one || isnan(one->mean[0])) continue;
        const double value = g_array_index(axis->values, RmilVaried, i).number;
        rmil_csv_whole(figure->csv, (int64_t)word);
        rmil_figure_numbers(figure->csv, 4,
                            (double[]){axis->what ? axis->what->scale * value : value, one->mean[0], one->sd[0], one->seeds});
        rmil_csv_text(figure->csv, text_of(study, words, word)); /* last, since gnuplot misreads quotes */
        rmil_csv_end(figure->csv);
        rows++;
    }
    return rows;
}

char *rmil_study_figure_lines(const RmilStudyReport *study, const RmilMethod *method, GError **error) {
    int words, numbers;
    if (!find_axes(study, &words, &numbers)) return NULL;
    const RmilStudyAxis *axis = &study->axes[numbers];
    const guint n = study->axes[words].values->len;
    const int height = 300 + RMIL_KEY_ROW * (int)n;
    g_autofree char *name = g_strconcat("lines-", method->name, NULL),
                    *what = g_strdup_printf("%s of %s, a line for each %s", study->measures[0].name, method->title,
                                            study->axes[words].name),
                    *x = rmil_figure_quote(axis->what ? axis->what->axis : axis->name), *y = rmil_figure_quote(study->measures[0].name);
    RmilFigure figure;
    rmil_figure_begin(&figure, name, what, 480, height, "series,position,mean,sd,trainings,value");
    rmil_figure_key_room(figure.script, (int)n);
    const double scale = axis->what ? axis->what->scale : 1, low = scale * g_array_index(axis->values, RmilVaried, 0).number,
                 high = scale * g_array_index(axis->values, RmilVaried, axis->values->len - 1).number, room = 0.04 * (high - low);
    g_string_append_printf(figure.script, "set xlabel %s\nset ylabel %s\n", x, y);
    if (high > low) g_string_append_printf(figure.script, "set xrange [%.6g:%.6g]\n", low - room, high + room);
    for (guint w = 0; w < n; w++) {
        if (!add_rows(study, method, words, w, &figure)) continue;
        g_autofree char *title = rmil_figure_quote(text_of(study, words, w));
        const RmilLineStyle *style = rmil_series_style((int)w);
        rmil_figure_plot(
            &figure,
            "'%s.csv' skip 1 using (column(1) == %u ? $2 : NaN):($3 - $4):($3 + $4) with filledcurves linecolor '%s' fillstyle "
            "transparent solid 0.14 noborder notitle",
            name, w, style->colour);
        rmil_figure_plot(&figure,
                         "'%s.csv' skip 1 using (column(1) == %u ? $2 : NaN):3 with linespoints linecolor '%s' dashtype %s linewidth 2.4 "
                         "pointtype %d title %s",
                         name, w, style->colour, style->dash, style->point, title);
    }
    return rmil_figure_end(&figure, study->folder, error);
}
