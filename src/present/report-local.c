/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: whether attention finds the lesion. */
#include "report.h"
#include "task-words.h"

#include <math.h>

static const char *plural(int64_t n, const char *one, const char *many) { return n == 1 ? one : many; }

static const char *const names[] = {"iou", "dice", "pointing"};

static void localisation_table(RmilReport *report, int what, const char *caption) {
    const RmilSummary *s = report->summary;
    rmil_html_table_begin(report->out, names[what], caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Method</th>");
    for (int a = 0; a < s->n_alphas; a++) rmil_html(report->out, "<th scope=\"col\">α = %g %%</th>", s->alphas[a]);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (int m = 0; m < s->n; m++) {
        rmil_html(report->out, "<tr><th scope=\"row\">%s</th>", s->methods[m].method->title);
        for (int a = 0; a < s->n_alphas; a++) {
            const RmilLocalSummary *local = &s->locals[m * s->n_alphas + a];
            double value = what == 0 ? local->iou : what == 1 ? local->dice : local->pointing;
            double sd = what == 0 ? local->iou_sd : what == 1 ? local->dice_sd : local->pointing_sd;
            char text[16], spread[16];
            rmil_html(report->out, "<td>%s", rmil_html_metric(value, text));
            if (!isnan(sd)) rmil_html(report->out, "<small>± %s</small>", rmil_html_metric(sd, spread));
            if (what == 2 && !isnan(value))
                rmil_html(report->out, "<small>%.3f–%.3f</small>", local->pointing_interval.low, local->pointing_interval.high);
            g_string_append(report->out, "</td>");
        }
        g_string_append(report->out, "</tr>\n");
    }
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

gboolean rmil_report_localisation(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    g_string_append(report->out, "<section id=\"localisation\"><h2>Attention and lesions</h2>\n");
    if (s->n_alphas == 0) {
        rmil_html(report->out,
                  "<p>No %stest slide has an annotation to compare the attention with "
                  "(no localisation.csv, or none with rows).</p></section>\n",
                  s->task.classes == 2 ? "positive " : "");
        return TRUE;
    }
    const gboolean repeats = !isnan(s->locals[s->reference * s->n_alphas].iou_sd);
    static const char *const titles[] = {"IoU", "Dice", "Pointing game"};
    static const char *const captions[] = {"IoU of the top tiles with the annotated ones", "Dice of the top tiles with the annotated ones",
                                           "Pointing game: share of slides where a top tile is annotated"};
    rmil_html(
        report->out,
        "<p>On %d %s test %s, the tiles with the highest attention are compared with the tiles "
        "that the expert marked. "
        "For IoU and Dice, as many tiles are taken as α %% of the number of annotated tiles, at least one: at "
        "100 %% a perfect attention reaches 1, below that an IoU of about α, and where few tiles are annotated the smallest α all take the same tile. "
        "For the pointing game, the top α %% of all tiles are taken, at least one, and a slide counts if one of them is "
        "annotated (at 100 %%, always).</p>\n",
        s->local_slides, rmil_task_annotated(&s->task), plural(s->local_slides, "slide", "slides"));
    g_string_append(report->out, "<div class=\"figures\">\n");
    for (int what = 0; what < 3; what++) {
        g_autofree char *alt = g_strdup_printf("%s by share of tiles for each method; the values are in the table below", titles[what]);
        g_autofree char *caption = g_strconcat(captions[what], repeats ? "; bars: SD over the trainings, between 0 and 1." : ".", NULL);
        if (!rmil_html_figure(report->out, rmil_figure_localisation(s, what, report->run->folder, error), alt, caption)) return FALSE;
    }
    g_string_append(report->out, "</div>\n");
    for (int what = 0; what < 3; what++) {
        g_autofree char *caption = g_strdup_printf(
            "%s: mean over slides%s%s%s.", captions[what], repeats ? ", then over trainings ± SD" : "", what == 2 ? "; below it " : "",
            what == 2 ? rmil_pointing_words(&s->locals[s->reference * s->n_alphas].pointing_interval) : "");
        localisation_table(report, what, caption);
    }
    if (!rmil_report_found(report, error)) return FALSE;
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
