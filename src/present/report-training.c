/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: its trainings. */
#include "report.h"

#include <math.h>
#include <string.h>

enum { DIGEST_SHOWN = 12 }; /* characters of a model's SHA-256, enough to identify it */

/* The epoch whose model was kept, or NULL. */
static const RmilEpoch *kept(const RmilSeedRun *seed) {
    const RmilEpoch *best = NULL;
    for (guint i = 0; i < seed->epochs->len; i++)
        if (g_array_index(seed->epochs, RmilEpoch, i).best) best = &g_array_index(seed->epochs, RmilEpoch, i);
    return best;
}

int64_t rmil_report_unlearned(const RmilReport *report, int m) {
    const GPtrArray *seeds = report->summary->methods[m].method->seeds;
    int64_t count = 0;
    for (guint k = 0; report->summary->task.classes == 2 && k < seeds->len; k++) {
        const RmilSeedRun *seed = seeds->pdata[k];
        const RmilEpoch *best = kept(seed);
        const char *model = rmil_json_text(rmil_json_get(seed->info, "config"), "model");
        const double p = (double)seed->decision.positives, n = (double)seed->decision.negatives, all = p + n;
        if (!best || !(p > 0 && n > 0) || (model && g_str_has_prefix(model, "patch"))) continue; /* those learn from tiles */
        count += best->val_loss >= -(p * log(p / all) + n * log(n / all)) / all;
    }
    return count;
}

static void training_row(RmilReport *report, const RmilMethodSummary *method, int64_t s) {
    const RmilSeedRun *seed = method->method->seeds->pdata[s];
    const RmilEpoch *best = kept(seed);
    const char *digest = rmil_json_text(seed->info, "model_sha256");
    g_autofree char *start = digest ? g_strndup(digest, DIGEST_SHOWN) : NULL;
    char value[16], loss[16], cut[16];
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td class=\"n\">", method->method->title);
    if (seed->split && *seed->split) rmil_html(report->out, "%s</td>", seed->split);
    else rmil_html(report->out, "%" G_GINT64_FORMAT "</td>", seed->seed);
    rmil_html(report->out, "<td class=\"n\">%u</td>", seed->epochs->len);
    if (best) rmil_html(report->out, "<td class=\"n\">%d</td>", (int)best->epoch);
    else g_string_append(report->out, "<td class=\"n\">–</td>");
    rmil_html(report->out, "<td class=\"n\">%s</td>", best ? rmil_html_metric(best->val_loss, loss) : "–");
    if (report->summary->task.classes == 2)
        rmil_html(report->out, "<td class=\"n\">%s</td>",
                  rmil_html_metric(seed->decision.chosen ? rmil_decision_cut(&seed->decision) : NAN, cut));
    rmil_html(report->out, "<td class=\"n\">%s</td>", rmil_html_metric(method->by_seed[s * RMIL_MEASURES_MOST], value));
    rmil_html(report->out, "<td><code>%s</code></td></tr>\n", start ? start : "–");
}

/* The result of each training, so that whoever repeats it can compare. */
static void every_training(RmilReport *report) {
    const RmilSummary *s = report->summary;
    g_string_append(report->out, "<details><summary>Each training</summary>\n");
    rmil_html_table_begin(report->out, "each-training",
                          s->task.classes == 2
                              ? "Each training: epochs, the one kept and its validation loss, the cut-off that the "
                                "validation slides gave, the AUROC on its test slides, and the start of the model's SHA-256."
                              : "Each training: epochs, the one kept and its validation loss, the first measure on its test "
                                "slides, and the start of the model's SHA-256.");
    rmil_html(report->out, "<thead><tr><th scope=\"col\">Method</th><th scope=\"col\" class=\"n\">%s</th>",
              rmil_report_reference(report)->tests == RMIL_TESTS_FOLDS ? "Fold" : "Seed");
    g_string_append(report->out, "<th scope=\"col\" class=\"n\">Epochs</th><th scope=\"col\" class=\"n\">Kept</th><th scope=\"col\" "
                                 "class=\"n\">Validation loss</th>");
    if (s->task.classes == 2) g_string_append(report->out, "<th scope=\"col\" class=\"n\">Cut-off</th>");
    rmil_html(report->out, "<th scope=\"col\" class=\"n\">%s</th><th scope=\"col\">Model</th></tr></thead><tbody>\n", s->measures[0].name);
    for (int m = 0; m < s->n; m++)
        for (int64_t k = 0; k < s->methods[m].seeds; k++) training_row(report, &s->methods[m], k);
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
    g_string_append(report->out, "</details>\n");
}

gboolean rmil_report_training(RmilReport *report, GError **error) {
    guint histories = 0;
    for (guint m = 0; report->study->n_levels == 1 && m < report->run->methods->len; m++) {
        const RmilMethod *method = g_ptr_array_index(report->run->methods, m);
        const RmilSeedRun *seed = g_ptr_array_index(method->seeds, 0);
        if (seed->epochs->len == 0) continue;
        if (histories++ == 0)
            rmil_html(report->out,
                      "<section id=\"training\"><h2>Training</h2>\n<p>Loss per slide, and %s on "
                      "the validation slides, by epoch, for the first seed. "
                      "The vertical line marks the epoch whose model was kept: the lowest validation loss (with --stop-on metric, the best "
                      "value of the other curve). A validation loss that rises while the training loss "
                      "falls is overfitting; early stopping guards against it.</p>\n<div "
                      "class=\"figures\">\n",
                      rmil_epoch_metric(&report->summary->task));
        g_autofree char *svg = rmil_figure_history(method, &report->summary->task, report->run->folder, error);
        if (!svg) return FALSE;
        const RmilEpoch *last = &g_array_index(seed->epochs, RmilEpoch, seed->epochs->len - 1), *best = kept(seed);
        g_autofree char *caption = best ? g_strdup_printf("%s, seed %" G_GINT64_FORMAT ": epoch %d of %d kept, validation loss %.3f.",
                                                          method->title, seed->seed, (int)best->epoch, (int)last->epoch, best->val_loss)
                                        : g_strdup_printf("%s, seed %" G_GINT64_FORMAT ".", method->title, seed->seed);
        g_autofree char *alt = g_strdup_printf("Training history of %s", caption);
        rmil_html_svg(report->out, svg, alt, caption);
    }
    if (histories == 0) return TRUE;
    g_string_append(report->out, "</div>\n");
    every_training(report);
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
