/* SPDX-License-Identifier: Apache-2.0 */
/* The first screen of a run's page: the question, the cohort, the answer with its interval, one figure, and what to be careful about. */
#include "report.h"
#include "task-words.h"
#include "rankmil/present.h"

#include <math.h>
#include <string.h>

static const char *plural(int64_t n, const char *one, const char *many) { return n == 1 ? one : many; }

const RmilComparison *rmil_report_comparison(const RmilSummary *s) {
    const char *unguided = rmil_method_unguided(rmil_method_reference())->name;
    const RmilComparison *first = NULL;
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *one = &s->comparisons[i];
        if (isnan(one->difference)) continue;
        if (strcmp(s->methods[one->other].method->name, unguided) == 0) return one;
        if (!first) first = one;
    }
    return first;
}

/* -- question ------------------------------------------------------------------------------------------------------------------- */
static void question(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilTask *task = &s->task;
    const RmilComparison *against = rmil_report_comparison(s);
    g_autoptr(GString) text = g_string_new(NULL);
    const char *cases = rmil_report_of_patients(report) ? "patients" : "slides";
    if (task->classes == 2)
        g_string_append_printf(text, "How well does a model tell unseen %s %s from %s ones?", rmil_class_word(task, 1), cases,
                               rmil_class_word(task, 0));
    else if (task->kind == RMIL_TASK_CLASSES) {
        g_string_append(text, "How well does a model tell unseen ");
        for (int c = 0; c < task->classes; c++)
            g_string_append_printf(text, "%s%s", c == 0 ? "" : c + 1 < task->classes ? ", " : " and ", task->names[c]);
        g_string_append_printf(text, " %s apart?", cases);
    } else {
        g_string_append_printf(text,
                               task->kind == RMIL_TASK_SURVIVAL
                                   ? "How well does the predicted risk order unseen %s by the time to their event?"
                                   : "How close do predictions for unseen %s come to the known numbers?",
                               cases);
    }
    if (against)
        g_string_append_printf(text, " Does %s do better than %s?", s->methods[s->reference].method->title,
                               s->methods[against->other].method->title);
    rmil_html(report->out, "<dt>Question</dt><dd><p>%s</p></dd>\n", text->str);
}

/* -- cohort ---------------------------------------------------------------------------------------------------------------------- */
static void cohort(RmilReport *report) {
    const RmilFlow *flow = report->flow;
    const char *name = rmil_json_text(report->run->info, "cohort");
    g_autofree char *base = name ? g_path_get_basename(name) : NULL;
    g_string_append(report->out, "<dt>Cohort</dt><dd><p>");
    if (flow->given > 0) rmil_html(report->out, "%" G_GINT64_FORMAT " slides%s%s. ", flow->given, base ? " in " : "", base ? base : "");
    g_autofree char *sets = rmil_flow_words(flow);
    rmil_html(report->out, "%s.", sets);
    if (flow->annotated >= 0)
        rmil_html(report->out, " %" G_GINT64_FORMAT " %s annotated.", flow->annotated, plural(flow->annotated, "slide is", "slides are"));
    g_string_append(report->out, " <a href=\"#cohort\">Flow of slides and patients</a></p></dd>\n");
}

/* -- answer ----------------------------------------------------------------------------------------------------------------------- */
enum { ALONE = 40 };

/* "0.957 ± 0.023", the first measure of each training alone. */
static const char *alone(const RmilMethodSummary *method, char text[ALONE]) {
    char mean[16], sd[16];
    g_snprintf(text, ALONE, "%s ± %s", rmil_html_metric(method->mean[0], mean), rmil_html_metric(method->sd[0], sd));
    return text;
}

static void first_sentence(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilTask *task = &s->task;
    const RmilMethodSummary *best = rmil_report_reference(report);
    char value[16], low[16], high[16], each[ALONE];
    const gboolean folded = best->tests == RMIL_TESTS_FOLDS;
    g_autofree char *folds = g_strdup_printf("In %d-fold cross-validation over", best->seeds),
                    *counts = rmil_predictions_counts(best->pooled, task, ", ");
    rmil_html(report->out, "<p class=\"lead\">%s %u test slides%s%s%s, <strong>%s</strong> ", folded ? folds : "On", best->pooled->len,
              counts ? " (" : "", counts ? counts : "", counts ? ")" : "", best->method->title);
    if (task->classes == 2)
        rmil_html(report->out,
                  "ranks %s slide above %s one in %.0f %% of all pairs: ", rmil_task_is_plain(task) ? "a positive" : task->names[1],
                  rmil_task_is_plain(task) ? "a negative" : task->names[0], 100 * best->value[0]);
    else if (task->kind == RMIL_TASK_CLASSES)
        rmil_html(report->out, "assigns %u of %u to their known class: ", best->pooled->len - rmil_report_wrong(report, s->reference),
                  best->pooled->len);
    else if (task->kind == RMIL_TASK_SURVIVAL)
        rmil_html(report->out, "puts %.0f %% of the pairs that can be compared into the right order: ", 100 * best->value[0]);
    else rmil_html(report->out, "explains %.0f %% of the variance: ", 100 * best->value[0]);
    rmil_html(report->out, "%s <strong>%s</strong>%s, 95 %% interval %s to %s.", s->measures[0].name,
              rmil_html_metric(best->value[0], value), folded ? " (pooled out-of-fold predictions)" : "",
              rmil_html_metric(best->interval[0].low, low), rmil_html_metric(best->interval[0].high, high));
    if (best->tests == RMIL_TESTS_SAME && best->seeds > 1)
        rmil_html(report->out, " This is for predictions averaged over %d trainings; each alone reaches %s.", best->seeds,
                  alone(best, each));
}

static void second_sentence(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilComparison *against = rmil_report_comparison(s);
    char value[16], low[16], high[16], p[16], each[ALONE];
    if (!against) return;
    const RmilMethodSummary *other = &s->methods[against->other];
    const gboolean unguided = strcmp(other->method->name, rmil_method_unguided(rmil_method_reference())->name) == 0;
    const gboolean averaged = other->tests == RMIL_TESTS_SAME && other->seeds > 1;
    rmil_html(report->out, " %s%s reaches %s (%s to %s%s%s)", other->method->title, unguided ? ", which sees no annotations," : "",
              rmil_html_metric(other->value[0], value), rmil_html_metric(other->interval[0].low, low),
              rmil_html_metric(other->interval[0].high, high), averaged ? "; each alone " : "", averaged ? alone(other, each) : "");
    if (fabs(against->difference) < 0.0005) g_string_append(report->out, ", the same to three digits");
    else
        rmil_html(report->out, ": %s is %.3f %s", rmil_report_reference(report)->method->title, fabs(against->difference),
                  against->difference > 0 ? "higher" : "lower");
    if (isnan(against->delong)) {
        g_string_append(report->out, " (no test on the slides says whether that is chance).");
        return;
    }
    g_string_append(report->out, " (");
    if (!isnan(against->interval.low))
        rmil_html(report->out, "95 %% interval of the difference %s to %s, ", rmil_html_difference(against->interval.low, low),
                  rmil_html_difference(against->interval.high, high));
    rmil_html(report->out, "DeLong p %s%s). ", against->delong < 0.001 ? "" : "= ", rmil_html_p(against->delong, p));
    g_string_append(report->out, against->delong < 0.05 ? "A difference this large would be unlikely if both ranked equally well."
                                                        : "A difference this large could arise if both ranked equally well.");
}

/* For two classes: the results at the cut-off. */
static void at_cut(RmilReport *report) {
    const RmilMethodOutcome *outcome = report->outcomes->pdata[report->summary->reference];
    const RmilTask *task = &report->summary->task;
    if (task->classes != 2) return;
    const RmilCutMetrics *at = &outcome->at;
    const int64_t positives = at->true_positives + at->false_negatives, negatives = at->true_negatives + at->false_positives;
    rmil_html(report->out,
              "<p>At its cut-off of %.3g%s it correctly calls %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s slides (sensitivity %.0f %%, "
              "95 %% interval %.0f to %.0f %%) and %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " %s ones (specificity %.0f %%, "
              "%.0f to %.0f %%).",
              rmil_decision_cut(&outcome->decision), isnan(outcome->decision.cut) ? "" : ", chosen on the validation slides,",
              at->true_positives, positives, rmil_class_word(task, 1), 100 * at->sensitivity,
              100 * outcome->shares[RMIL_AT_SENSITIVITY].low, 100 * outcome->shares[RMIL_AT_SENSITIVITY].high, at->true_negatives,
              negatives, rmil_class_word(task, 0), 100 * at->specificity, 100 * outcome->shares[RMIL_AT_SPECIFICITY].low,
              100 * outcome->shares[RMIL_AT_SPECIFICITY].high);
    const RmilComparison *against = rmil_report_comparison(report->summary);
    if (against) {
        const RmilMethodOutcome *other = report->outcomes->pdata[against->other];
        const RmilCutMetrics *its = &other->at;
        const RmilInterval *sensitivity = &other->shares[RMIL_AT_SENSITIVITY], *specificity = &other->shares[RMIL_AT_SPECIFICITY];
        rmil_html(report->out,
                  " %s, at its own cut-off of %.3g: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT
                  " of %" G_GINT64_FORMAT " (sensitivity %.0f %%, %.0f to %.0f %%; specificity %.0f %%, %.0f to %.0f %%).",
                  report->summary->methods[against->other].method->title, rmil_decision_cut(&other->decision), its->true_positives,
                  its->true_positives + its->false_negatives, its->true_negatives, its->true_negatives + its->false_positives,
                  100 * its->sensitivity, 100 * sensitivity->low, 100 * sensitivity->high, 100 * its->specificity, 100 * specificity->low,
                  100 * specificity->high);
    }
    g_string_append(report->out, "</p>\n");
}

static void finds(RmilReport *report) {
    const RmilSummary *s = report->summary;
    const RmilLocalSummary *local = s->n_alphas ? &s->locals[s->reference * s->n_alphas] : NULL;
    if (!local || isnan(local->pointing)) return;
    const int trainings = rmil_report_reference(report)->seeds;
    const RmilComparison *against = rmil_report_comparison(s);
    const RmilLocalSummary *its = against ? &s->locals[against->other * s->n_alphas] : NULL;
    g_autofree char *over = trainings > 1 ? g_strdup_printf("averaged over %d trainings; ", trainings) : g_strdup("");
    rmil_html(report->out,
              "<p>In %.0f %% of %d annotated test %s (%s95 %% interval %.0f to %.0f %%), at least one of the most attended %g %% of tiles "
              "(rounded down, but at least one tile) lies in the annotated lesion",
              100 * local->pointing_share, s->local_slides, plural(s->local_slides, "slide", "slides"), over,
              100 * local->pointing_interval.low, 100 * local->pointing_interval.high, s->alphas[0]);
    if (its && !isnan(its->pointing))
        rmil_html(report->out, "; %s: %.0f %% (%.0f to %.0f %%)", s->methods[against->other].method->title, 100 * its->pointing_share,
                  100 * its->pointing_interval.low, 100 * its->pointing_interval.high);
    g_string_append(report->out, ".</p>\n");
}

static void answer(RmilReport *report) {
    g_string_append(report->out, "<dt>Answer</dt><dd>");
    if (report->tested) {
        first_sentence(report);
        second_sentence(report);
        g_string_append(report->out, "</p>\n");
        at_cut(report);
        finds(report);
    } else {
        const RmilMethodSummary *best = rmil_report_reference(report);
        const RmilTask *task = &report->summary->task;
        g_autofree char *counts = rmil_predictions_counts(best->pooled, task, task->classes == 2 ? " and " : ", ");
        if (task->classes == 2)
            rmil_html(report->out,
                      "<p class=\"lead\">None: there are %s test slides with a label, and measures of discrimination need both.</p>\n",
                      counts);
        else
            rmil_html(
                report->out,
                "<p class=\"lead\">None: there are %u test slides of which the truth is known%s%s, too little to measure anything.</p>\n",
                best->pooled->len, counts ? ": " : "", counts ? counts : "");
    }
    g_string_append(report->out, "</dd>\n");
}

/* -- the same in plain lines, for a terminal ---------------------------------------------------------------------------------------- */
static void add_line(GString *out, const RmilSummary *s, int m) {
    const RmilMethodSummary *one = &s->methods[m];
    char p[16];
    g_string_append_printf(out, "%s: %s %.3f (95 %% interval %.3f to %.3f)", one->method->title, s->measures[0].name, one->value[0],
                           one->interval[0].low, one->interval[0].high);
    if (one->seeds > 1) g_string_append_printf(out, ", %s", rmil_tests_measured(one));
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *c = &s->comparisons[i];
        if (c->other != m || isnan(c->difference)) continue;
        if (fabs(c->difference) < 0.0005) g_string_append_printf(out, "; the same as %s", s->methods[s->reference].method->title);
        else
            g_string_append_printf(out, "; %s is %.3f %s", s->methods[s->reference].method->title, fabs(c->difference),
                                   c->difference < 0 ? "lower" : "higher");
        if (!isnan(c->delong)) g_string_append_printf(out, ", DeLong p %s%s", c->delong < 0.001 ? "" : "= ", rmil_html_p(c->delong, p));
    }
    g_string_append_c(out, '\n');
}

char *rmil_report_summary(const char *folder, GError **error) {
    g_autoptr(RmilStudyReport) study = rmil_study_report_read(folder, error);
    if (!study) return NULL;
    const RmilSummary *s = study->levels[study->n_levels - 1].summary;
    const RmilMethodSummary *best = &s->methods[s->reference];
    GString *out = g_string_new(NULL);
    if (!rmil_predictions_measurable(best->pooled, &s->task))
        return g_string_free(g_string_append(out, s->task.classes == 2
                                                      ? "The labelled test slides are all of one class: there is nothing to measure\n"
                                                      : "Too little is known of the test slides to measure anything\n"),
                             FALSE);
    g_autofree char *counts = rmil_predictions_counts(best->pooled, &s->task, " and ");
    g_string_append_printf(out, "%u test slides%s%s\n", best->pooled->len, counts ? ", " : "", counts ? counts : "");
    add_line(out, s, s->reference);
    for (int m = 0; m < s->n; m++)
        if (m != s->reference) add_line(out, s, m);
    const RmilLocalSummary *local = s->n_alphas ? &s->locals[s->reference * s->n_alphas] : NULL;
    if (local && !isnan(local->pointing))
        g_string_append_printf(
            out,
            "%s: in %.0f %% of %d annotated slides, at least one of the top %g %% of tiles by attention lies in the lesion (95 %% interval %.0f to %.0f %%)\n",
            s->methods[s->reference].method->title, 100 * local->pointing_share, s->local_slides, s->alphas[0],
            100 * local->pointing_interval.low, 100 * local->pointing_interval.high);
    return g_string_free(out, FALSE);
}

/* -- what to be careful about --------------------------------------------------------------------------------------------------------- */
/* Names the classes with few test slides: "3 positive and 4 negative test slides"; NULL: there are enough. */
static char *few_of(const RmilTask *task, const GArray *rows) {
    enum { FEW = 20 };
    int64_t of_class[RMIL_CLASSES_MOST] = {0}, events = 0, least = rows->len;
    for (guint i = 0; i < rows->len; i++) {
        const RmilTarget *target = &g_array_index(rows, RmilPredictionRow, i).target;
        if (task->kind == RMIL_TASK_CLASSES) of_class[target->label]++;
        else events += target->event;
    }
    for (int c = 0; c < task->classes; c++) least = MIN(least, of_class[c]);
    if (task->kind == RMIL_TASK_SURVIVAL) least = MIN(least, events);
    if (least >= FEW) return NULL;
    g_autofree char *counts = rmil_predictions_counts(rows, task, " and ");
    return counts ? g_strdup_printf("%s test slides", counts) : g_strdup_printf("%u test slides", rows->len);
}

static void cautions(RmilReport *report) {
    const RmilMethodSummary *best = rmil_report_reference(report);
    g_autoptr(GString) notes = g_string_new(NULL);
    g_autofree char *few = report->tested ? few_of(&report->summary->task, best->pooled) : NULL;
    if (few) rmil_html(notes, "<p>With only %s, intervals are wide and small differences mean little.</p>", few);
    for (int m = 0; m < report->summary->n; m++) {
        const RmilMethodSummary *one = &report->summary->methods[m];
        if (one->positives != best->positives || one->pooled->len != best->pooled->len)
            rmil_html(notes, "<p>%s was tested on %u slides, %s on %u: their values cannot be compared directly.</p>", one->method->title,
                      one->pooled->len, best->method->title, best->pooled->len);
    }
    for (int m = 0; m < report->summary->n; m++) {
        const int64_t without = rmil_report_unlearned(report, m);
        if (without)
            rmil_html(notes,
                      "<p>In %" G_GINT64_FORMAT
                      " of %d trainings %s learned nothing that its validation slides show: the epoch kept predicts "
                      "them no better than the share of positive slides alone would (<a href=\"#training\">Training</a>).</p>",
                      without, report->summary->methods[m].seeds, report->summary->methods[m].method->title);
    }
    if (report->tested && best->seeds == 1)
        g_string_append(notes, "<p>One training per method: how much the result depends on the seed is not known. "
                               "Three or more seeds show it.</p>");
    JsonNode *problems = rmil_json_get(report->run->info, "problems");
    guint n = problems && JSON_NODE_HOLDS_ARRAY(problems) ? json_array_get_length(json_node_get_array(problems)) : 0;
    if (n)
        rmil_html(notes, "<p>%u %s met while making this: <a href=\"#cohort\">see Cohort</a>.</p>", n,
                  n == 1 ? "problem was" : "problems were");
    if (notes->len) g_string_append_printf(report->out, "<div class=\"note\" role=\"note\">%s</div>\n", notes->str);
}

gboolean rmil_report_answer(RmilReport *report, GError **error) {
    g_string_append(report->out, "<section id=\"result\"><h2>At a glance</h2>\n<div class=\"glance\"><dl>\n");
    question(report);
    cohort(report);
    answer(report);
    g_string_append(report->out, "</dl>\n<div>");
    if (report->tested && !rmil_report_main_figure(report, error)) return FALSE;
    g_string_append(report->out, "</div></div>\n");
    rmil_report_say_cases(report);
    cautions(report);
    if (report->run->missing->len) {
        rmil_html(report->out, "<details%s><summary>Not in this folder, so not in this report (%u)</summary><ul>\n",
                  report->run->missing->len <= 4 ? " open" : "", report->run->missing->len);
        for (guint i = 0; i < report->run->missing->len; i++)
            rmil_html(report->out, "<li>%s</li>\n", (const char *)g_ptr_array_index(report->run->missing, i));
        g_string_append(report->out, "</ul></details>\n");
    }
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
