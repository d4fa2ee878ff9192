/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: heat maps and slides. */
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

/* -- heat maps
 * --------------------------------------------------------------------------------------------------------------------
 */
#define PICTURE_WIDTH 1000

static char *heat_path(const RmilReport *report, const RmilMethod *method, const char *id) {
    g_autofree char *file = g_strconcat(id, ".png", NULL);
    g_autofree char *path = g_build_filename(report->run->folder, "heatmaps", method->name, file, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&path);
    g_autofree char *plain = g_build_filename(report->run->folder, "heatmaps", file, NULL);
    return report->run->single && g_file_test(plain, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&plain) : NULL;
}

static JsonArray *slides_of(const RmilReport *report, const char *patient) {
    return rmil_json_array(rmil_json_get(rmil_json_get(report->run->info, "patient_slides"), patient));
}

/* The ids that pictures of a bag are named by: of a patient's its slides, else its own. */
static GPtrArray *picture_ids(const RmilReport *report, const char *id) {
    JsonArray *slides = slides_of(report, id);
    GPtrArray *ids = g_ptr_array_new();
    for (guint i = 0; slides && i < json_array_get_length(slides); i++) {
        const char *slide = rmil_json_string(json_array_get_element(slides, i));
        if (slide) g_ptr_array_add(ids, (gpointer)slide);
    }
    if (!slides) g_ptr_array_add(ids, (gpointer)id);
    return ids;
}

static gboolean has_picture(const RmilReport *report, const char *id) {
    g_autoptr(GPtrArray) ids = picture_ids(report, id);
    for (int m = 0; m < report->summary->n; m++)
        for (guint i = 0; i < ids->len; i++) {
            g_autofree char *path = heat_path(report, report->summary->methods[m].method, ids->pdata[i]);
            if (path) return TRUE;
        }
    return FALSE;
}

/* What the method says of a slide; NULL: nothing. */
static const RmilPredictionRow *said_of(const RmilMethodSummary *summary, const char *id) {
    for (guint i = 0; i < summary->pooled->len; i++)
        if (strcmp(g_array_index(summary->pooled, RmilPredictionRow, i).slide, id) == 0)
            return &g_array_index(summary->pooled, RmilPredictionRow, i);
    return NULL;
}

static gboolean annotated(const RmilReport *report, const char *id) {
    for (int m = 0; m < report->summary->n; m++) {
        const RmilMethod *method = report->summary->methods[m].method;
        for (guint s = 0; s < method->seeds->len; s++) {
            const RmilSeedRun *seed = g_ptr_array_index(method->seeds, s);
            for (guint i = 0; i < seed->locals->len; i++)
                if (strcmp(g_array_index(seed->locals, RmilLocalisationRow, i).slide, id) == 0) return TRUE;
        }
    }
    return FALSE;
}

/* Slides to show: annotated positive ones first, then other positive, then negative ones (two of those at least, where
 * there are any: a reader wants to see attention on a slide without a lesion too). Pointers into the reference's pooled
 * list. */
static GPtrArray *choose(const RmilReport *report) {
    const RmilSummary *s = report->summary;
    const guint limit = s->n <= 3 ? 8 : 6;
    GPtrArray *by_kind[3], *chosen = g_ptr_array_new();
    for (int k = 0; k < 3; k++) by_kind[k] = g_ptr_array_new();
    const GArray *pooled = s->methods[s->reference].pooled;
    for (guint i = 0; i < pooled->len; i++) {
        RmilPredictionRow *item = &g_array_index(pooled, RmilPredictionRow, i);
        if (has_picture(report, item->slide))
            g_ptr_array_add(by_kind[!rmil_target_lesion(&s->task, &item->target) ? 2 : annotated(report, item->slide) ? 0 : 1], item);
    }
    guint negatives = MIN(by_kind[2]->len, 2);
    for (int k = 0; k < 3; k++)
        for (guint i = 0; i < by_kind[k]->len && chosen->len < (k < 2 ? limit - negatives : limit); i++)
            g_ptr_array_add(chosen, g_ptr_array_index(by_kind[k], i));
    for (int k = 0; k < 3; k++) g_ptr_array_unref(by_kind[k]);
    return chosen;
}

/* id: of the picture's slide, which is the item itself, or of a patient one of the slides. */
static gboolean add_picture(RmilReport *report, int m, const RmilPredictionRow *item, const char *id, GError **error) {
    const RmilMethodSummary *method = &report->summary->methods[m];
    g_autofree char *path = heat_path(report, method->method, id);
    if (!path) return TRUE;
    int width, height;
    g_autofree char *data = rmil_picture_base64(path, PICTURE_WIDTH, &width, &height, error);
    if (!data) return FALSE;
    const RmilTask *task = &report->summary->task;
    const RmilPredictionRow *said = said_of(method, item->slide);
    g_autofree char *answer = said ? rmil_task_answer(task, said) : NULL;
    rmil_html(report->out,
              "<figure><img width=\"%d\" height=\"%d\" alt=\"Slide %s beside its attention heat map "
              "by %s\" src=\"data:image/jpeg;base64,",
              width, height, id, method->method->title);
    g_string_append(report->out, data);
    rmil_html(report->out, "\"><figcaption><strong>%s</strong>", method->method->title);
    if (slides_of(report, item->slide)) rmil_html(report->out, ", %s; the patient", id);
    const char *verdict = !said || task->kind != RMIL_TASK_CLASSES                      ? ""
                          : !rmil_task_is_wrong(task, said, rmil_report_cut(report, m)) ? ", right"
                          : task->classes > 2                                           ? ", wrong"
                          : item->target.label                                          ? ", missed"
                                                                                        : ", false alarm";
    if (said)
        rmil_html(report->out, ": %s%s%s %s%s", method->seeds > 1 ? rmil_tests_pool(method) : "", method->seeds > 1 ? ", " : "",
                  task->kind == RMIL_TASK_CLASSES && task->classes > 2 ? "" : rmil_task_answer_name(task), answer, verdict);
    g_string_append(report->out, "</figcaption></figure>\n");
    return TRUE;
}

gboolean rmil_report_heatmaps(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    g_autoptr(GPtrArray) chosen = choose(report);
    g_string_append(report->out, "<section id=\"heatmaps\"><h2>Where the models look</h2>\n");
    if (chosen->len == 0) {
        g_string_append(report->out, "<p>No heat maps: the folder heatmaps/ holds none of a labelled test "
                                     "slide.</p></section>\n");
        return TRUE;
    }
    const gboolean pooled = rmil_json_text(report->run->info, "heatmaps") != NULL; /* version 0.1.0 drew the first seed's */
    rmil_html(report->out, "<p>%s ",
              !s->repeats ? "Each picture is of the one model that its method trained."
              : pooled
                  ? "Each picture is the mean attention of the same models whose mean probability stands above and below it."
                  : "Each picture, with the probability above it, is of the first seed’s model; the probability below it is that of all.");
    g_string_append(
        report->out,
        "On the left of each picture the slide with the annotated lesion outlined, where there is one; on the right the slide in gray "
        "under "
        "the attention of its tiles. What the colours mean stands under the picture. "
        "Attention shows what the score was built from; it does not "
        "prove a lesion.");
    if (rmil_json_get(report->run->info, "patient_slides"))
        g_string_append(report->out,
                        " The models are of patients: the title of a picture says what they predict from that slide alone, the "
                        "line below it what they predict from all slides of the patient.");
    g_string_append(report->out, "</p>\n");
    for (guint i = 0; i < chosen->len; i++) {
        const RmilPredictionRow *item = g_ptr_array_index(chosen, i);
        rmil_monitor_progress(report->monitor, "heat maps", i, chosen->len);
        g_autofree char *truth = rmil_task_truth(&s->task, &item->target);
        rmil_html(report->out, "<div class=\"slide\"><h3>%s <span class=\"soft\">%s</span></h3><div class=\"figures two\">\n", item->slide,
                  truth);
        g_autoptr(GPtrArray) ids = picture_ids(report, item->slide);
        for (guint k = 0; k < ids->len; k++)
            for (int m = 0; m < s->n; m++)
                if (!add_picture(report, m, item, ids->pdata[k], error)) return FALSE;
        g_string_append(report->out, "</div></div>\n");
    }
    rmil_monitor_progress(report->monitor, "heat maps", chosen->len, chosen->len);
    g_string_append(report->out, "</section>\n");
    return TRUE;
}

/* -- errors
 * ------------------------------------------------------------------------------------------------------------------------
 */
static int by_distance(gconstpointer a, gconstpointer b, gpointer task) {
    const RmilPredictionRow *x = *(RmilPredictionRow *const *)a, *y = *(RmilPredictionRow *const *)b;
    double u = rmil_task_distance(task, x), v = rmil_task_distance(task, y);
    if (isnan(u)) u = -x->answer, v = -y->answer; /* of times: the highest risk first */
    return u != v ? (u < v) - (u > v) : strcmp(x->slide, y->slide);
}

static void prediction_row(RmilReport *report, const RmilPredictionRow *item) {
    const RmilTask *task = &report->summary->task;
    g_autofree char *truth = rmil_task_truth(task, &item->target);
    rmil_html(report->out, "<tr><th scope=\"row\">%s</th><td>%s</td>", item->slide, truth);
    for (int m = 0; m < report->summary->n; m++) {
        const RmilPredictionRow *said = said_of(&report->summary->methods[m], item->slide);
        g_autofree char *answer = said ? rmil_task_answer(task, said) : NULL;
        if (!said) g_string_append(report->out, "<td>–</td>");
        else if (!rmil_task_is_wrong(task, said, rmil_report_cut(report, m))) rmil_html(report->out, "<td>%s</td>", answer);
        else rmil_html(report->out, "<td class=\"wrong\">%s ✗</td>", answer);
    }
    g_string_append(report->out, "</tr>\n");
}

static void prediction_table(RmilReport *report, const char *caption, GPtrArray *items, guint from, guint to) {
    rmil_html_table_begin(report->out, caption);
    g_string_append(report->out, "<thead><tr><th scope=\"col\">Slide</th><th scope=\"col\">Known</th>");
    for (int m = 0; m < report->summary->n; m++)
        rmil_html(report->out, "<th scope=\"col\">%s</th>", report->summary->methods[m].method->title);
    g_string_append(report->out, "</tr></thead><tbody>\n");
    for (guint i = from; i < to; i++) prediction_row(report, g_ptr_array_index(items, i));
    g_string_append(report->out, "</tbody>");
    rmil_html_table_end(report->out);
}

/* What the section shows, as an opening paragraph. */
static void introduce_errors(RmilReport *report, const RmilMethodSummary *best) {
    const RmilTask *task = &report->summary->task;
    const double cut = rmil_report_cut(report, report->summary->reference);
    guint wrong = 0;
    for (guint i = 0; i < best->pooled->len; i++)
        wrong += (guint)rmil_task_is_wrong(task, &g_array_index(best->pooled, RmilPredictionRow, i), cut);
    rmil_html(report->out, "<section id=\"errors\"><h2>%s</h2>\n<p>",
              task->kind == RMIL_TASK_SURVIVAL ? "Risk of each slide" : "Worst errors");
    if (task->classes == 2)
        rmil_html(report->out, "%s puts %u of %u test slides on the wrong side of its cut-off, %.3g. ", best->method->title, wrong,
                  best->pooled->len, cut);
    else if (task->kind == RMIL_TASK_CLASSES)
        rmil_html(report->out, "%s gives %u of %u test slides another class than they have. ", best->method->title, wrong,
                  best->pooled->len);
    g_string_append(report->out,
                    task->kind == RMIL_TASK_SURVIVAL
                        ? "By falling risk: where an early event has a low risk, or a long time a high one, a look at slide and "
                          "table is worth it.</p>\n"
                        : "These are its predictions furthest from what is known; they are worth a look at the slide, the scan "
                          "and the label.</p>\n");
}

gboolean rmil_report_errors(RmilReport *report, GError **error) {
    const RmilMethodSummary *best = &report->summary->methods[report->summary->reference];
    if (best->pooled->len == 0 || report->study->n_levels > 1) return TRUE;
    const RmilTask *task = &report->summary->task;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    for (guint i = 0; i < best->pooled->len; i++) g_ptr_array_add(items, &g_array_index(best->pooled, RmilPredictionRow, i));
    g_ptr_array_sort_with_data(items, by_distance, (gpointer)task);
    guint shown = MIN(items->len, 10), all = MIN(items->len, 300);
    introduce_errors(report, best);
    g_autofree char *name = g_strdup(rmil_task_answer_name(task));
    *name = g_ascii_toupper(*name);
    g_autofree char *what = task->classes == 2 ? g_strdup("Predicted probability") : g_steal_pointer(&name);
    g_autofree char *caption = g_strdup_printf("%s%s%s%s.", what, report->summary->repeats ? ", " : "",
                                               report->summary->repeats ? rmil_tests_pool(best) : "",
                                               task->classes == 2                ? "; ✗ marks the wrong side of the method’s cut-off"
                                               : task->kind == RMIL_TASK_CLASSES ? "; ✗ marks another class than the known one"
                                                                                 : "");
    g_autofree char *rest = g_strdup_printf("%s%s", what, all < items->len ? "; the rest stands in predictions.csv of each run." : ".");
    prediction_table(report, caption, items, 0, shown);
    if (items->len > shown) {
        rmil_html(report->out, "<details><summary>%s test slides</summary>\n", all < items->len ? "The next" : "All other");
        prediction_table(report, rest, items, shown, all);
        g_string_append(report->out, "</details>\n");
    }
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
