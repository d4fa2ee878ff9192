/* SPDX-License-Identifier: Apache-2.0 */
/* The findings in computed sentences, each of which states its rule. */
#include "study-report.h"
#include "report.h"

#include <math.h>
#include <string.h>

static const char *title_of(const RmilStudyReport *study, const char *name) {
    for (guint m = 0; m < study->methods->len; m++)
        if (strcmp(((RmilMethod *)study->methods->pdata[m])->name, name) == 0) return ((RmilMethod *)study->methods->pdata[m])->title;
    return name;
}

static void add_value(GString *out, double mean, double sd) {
    char text[16], spread[32] = "";
    if (!isnan(mean) && !isnan(sd)) g_snprintf(spread, sizeof spread, " (SD %.3f)", sd);
    rmil_html(out, "<strong>%s%s</strong>", rmil_html_metric(mean, text), spread);
}

/* The first measure inside a sentence: "AUROC", "AUROC, macro,". */
static const char *closing(const RmilMeasure *measure) { return strchr(measure->name, ',') ? "," : ""; }

/* The result of comparing means: the trainings are a sample, so a difference below twice its standard error is unclear. */
typedef enum { UNLIKE, LIKE, UNCLEAR } Shape;

static Shape higher(const RmilMethodSummary *a, const RmilMethodSummary *b) {
    double difference = a->mean[0] - b->mean[0], error = sqrt(a->sd[0] * a->sd[0] / a->seeds + b->sd[0] * b->sd[0] / b->seeds);
    return !(fabs(difference) > 2 * error) ? UNCLEAR : difference > 0 ? LIKE : UNLIKE;
}

/* A sentence on whether the results have the paper's shape. */
G_GNUC_PRINTF(3, 4) static void shape(GString *out, Shape there, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    static const char *const words[] = {"Not as in the paper:", "As in the paper:", "Too close to tell:"};
    rmil_html(out, "<li>%s %s</li>\n", words[there], text);
}

/* -- methods side by side ------------------------------------------------------------------------------------------------ */
static void rank_methods(const RmilSummary *s, int *best, int *second) {
    *best = *second = -1;
    for (int m = 0; m < s->n; m++) {
        double mean = s->methods[m].mean[0];
        if (isnan(mean)) continue;
        if (*best < 0 || mean > s->methods[*best].mean[0]) {
            *second = *best;
            *best = m;
        } else if (*second < 0 || mean > s->methods[*second].mean[0]) {
            *second = m;
        }
    }
}

static int significant(const RmilSummary *s, int *above) {
    int n = 0;
    *above = 0;
    for (int i = 0; i < s->n_comparisons; i++) {
        const RmilComparison *c = &s->comparisons[i];
        if (!(c->mann_whitney[0] < 0.05)) continue;
        n++;
        *above += s->methods[s->reference].mean[0] > s->methods[c->other].mean[0];
    }
    return n;
}

static void say_comparison(const RmilStudyReport *study, GString *out, GString *shapes) {
    const RmilLevel *level = &study->levels[study->n_levels - 1];
    const RmilSummary *s = level->summary;
    int best, second, above;
    rank_methods(s, &best, &second);
    if (best < 0) return;
    rmil_html(out, "<p class=\"lead\">%s has the highest mean %s%s%s%s, ", s->methods[best].method->title, s->measures[0].name,
              *level->text ? closing(s->measures) : "", *level->text ? " at " : "", level->text);
    add_value(out, s->methods[best].mean[0], s->methods[best].sd[0]);
    if (second >= 0) {
        rmil_html(out, ", before %s, ", s->methods[second].method->title);
        add_value(out, s->methods[second].mean[0], s->methods[second].sd[0]);
    }
    g_string_append(out, ".");
    int reference = rmil_level_reference(study, level), n = significant(s, &above);
    if (reference >= 0 && s->n_comparisons)
        rmil_html(
            out,
            " %s differs significantly from %d of %d others (higher than %d, lower than %d; Mann-Whitney U, P &lt; .05, not corrected).",
            s->methods[reference].method->title, n, s->n_comparisons, above, n - above);
    g_string_append(out, "</p>\n");
    if (reference < 0 || strcmp(study->reference, rmil_method_reference()->name) != 0 || study->n_levels > 1) return;
    if (second >= 0)
        shape(shapes, higher(&s->methods[reference], &s->methods[best == reference ? second : best]),
              "the highest mean AUROC is that of %s.", s->methods[best].method->title);
    int steadier = 0, others = 0;
    for (int m = 0; m < s->n; m++) {
        if (m == reference || isnan(s->methods[m].sd[0]) || isnan(s->methods[reference].sd[0])) continue;
        others++;
        steadier += s->methods[reference].sd[0] < s->methods[m].sd[0];
    }
    if (others)
        shape(shapes, steadier == others, "the AUROC of %s varies less over the trainings (smaller SD) than that of %d of %d others.",
              s->methods[reference].method->title, steadier, others);
}

/* -- several methods over the variable ------------------------------------------------------------------------------------- */
static const RmilMethodSummary *reference_at(const RmilStudyReport *study, int level) {
    return rmil_level_method(&study->levels[level], study->reference);
}

static gboolean reference_everywhere(const RmilStudyReport *study) {
    for (int i = 0; i < study->n_levels; i++)
        if (!reference_at(study, i) || isnan(reference_at(study, i)->mean[0])) return FALSE;
    return study->n_levels > 1;
}

/* In how many levels is the reference's mean AUROC the highest of all methods? */
static int leads(const RmilStudyReport *study) {
    int n = 0, best, second;
    for (int i = 0; i < study->n_levels; i++) {
        rank_methods(study->levels[i].summary, &best, &second);
        n += best >= 0 && best == rmil_level_reference(study, &study->levels[i]);
    }
    return n;
}

static void say_levels(const RmilStudyReport *study, GString *shapes) {
    if (study->along_summary || !reference_everywhere(study) || study->methods->len < 2) return;
    int n = leads(study);
    shape(shapes, n == study->n_levels, "%s has the highest mean AUROC at %d of %d values.", title_of(study, study->reference), n,
          study->n_levels);
}

static void say_low_data(const RmilStudyReport *study, GString *shapes) {
    if (!reference_everywhere(study)) return;
    const RmilMethodSummary *few = reference_at(study, 0), *all = reference_at(study, study->n_levels - 1);
    double first = few->mean[0], last = all->mean[0];
    shape(shapes, higher(all, few), "with more slides the mean AUROC of %s goes from %.3f (%s) to %.3f (%s).",
          title_of(study, study->reference), first, study->levels[0].text, last, study->levels[study->n_levels - 1].text);
}

static void say_granularity(const RmilStudyReport *study, GString *shapes) {
    if (!reference_everywhere(study)) return;
    const RmilMethodSummary *exact = reference_at(study, 0), *coarse = reference_at(study, study->n_levels - 1);
    double drop = exact->mean[0] - coarse->mean[0];
    if (isnan(exact->sd[0])) return;
    shape(shapes, drop < exact->sd[0],
          "from %s to %s of padding %s %s %.3f of AUROC; little means less than its SD over the trainings at %s, %.3f.",
          study->levels[0].text, study->levels[study->n_levels - 1].text, title_of(study, study->reference), drop < 0 ? "gains" : "loses",
          fabs(drop), study->levels[0].text, exact->sd[0]);
}

/* -- one method over the variable ---------------------------------------------------------------------------------------- */
static void say_differences(const RmilStudyReport *study, GString *out) {
    const RmilSummary *s = study->along_summary;
    int below; /* values that the first is significantly above */
    const int n = significant(s, &below);
    rmil_html(out, " %d of %d values differ significantly from %s (%d higher, %d lower; Mann-Whitney U, P &lt; .05, not corrected).", n,
              s->n_comparisons, study->levels[0].text, n - below, below);
}

static void say_annotated(const RmilStudyReport *study, GString *shapes) {
    const RmilSummary *s = study->along_summary;
    const RmilMethodSummary *none = &s->methods[0], *all = &s->methods[s->n - 1];
    double gain = all->mean[0] - none->mean[0];
    if (study->levels[0].varied[0].number != 0) return;
    shape(shapes, higher(all, none), "annotations change the mean AUROC by %+.3f, from %.3f (none) to %.3f (%s).", gain, none->mean[0],
          all->mean[0], study->levels[s->n - 1].text);
    int steadier = 0;
    for (int i = 1; i < s->n; i++) steadier += s->methods[i].sd[0] < none->sd[0];
    if (!isnan(none->sd[0]))
        shape(shapes, steadier == s->n - 1, "the SD over the trainings is smaller than without annotations (%.3f) at %d of %d values.",
              none->sd[0], steadier, s->n - 1);
    for (int i = 1; i < s->n - 1 && higher(all, none) == LIKE; i++) {
        if (fabs(study->levels[i].shown - 20) > 1e-6) continue;
        double part = (s->methods[i].mean[0] - none->mean[0]) / gain;
        shape(shapes, part >= 0.5,
              "with 20 %% of the positive slides annotated, %.0f %% of the whole gain is reached (half or more counts as near saturation; "
              "the paper: 67 %%).",
              100 * part);
    }
}

static void say_threshold(const RmilStudyReport *study, GString *shapes) {
    const RmilSummary *s = study->along_summary;
    int best, second, falls = 0, steps = 0;
    rank_methods(s, &best, &second);
    if (best < 0 || study->levels[0].varied[0].number != 0) return;
    Shape peak = best == 0 || best == s->n - 1 ? UNLIKE : higher(&s->methods[best], &s->methods[0]);
    shape(shapes, peak,
          "the mean AUROC is highest at %s (%.3f; at T = 0: %.3f); in the paper between the lowest and the highest threshold.",
          study->levels[best].text, s->methods[best].mean[0], s->methods[0].mean[0]);
    for (int i = 1; i < s->n; i++) {
        double before = rmil_study_elsewhere(&s->methods[i - 1]).mean, here = rmil_study_elsewhere(&s->methods[i]).mean;
        if (isnan(before) || isnan(here)) continue;
        steps++;
        falls += here < before;
    }
    if (steps)
        shape(shapes, falls == steps, "a higher threshold takes attention off the patches outside the lesion, at %d of %d steps.", falls,
              steps);
}

/* -- what the paper did not vary ----------------------------------------------------------------------------------------- */
static void add_where(const RmilStudyReport *study, GString *out, const RmilLevel *level, const RmilMethodSummary *one) {
    rmil_html(out, "%s%s%s, ", study->methods->len > 1 ? one->method->title : "", study->methods->len > 1 ? " at " : "", level->text);
    add_value(out, one->mean[0], one->sd[0]);
}

static void say_values(const RmilStudyReport *study, GString *out) {
    const RmilMethodSummary *best = NULL, *worst = NULL;
    const RmilLevel *high = NULL, *low = NULL;
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) {
            const RmilMethodSummary *one = &study->levels[i].summary->methods[m];
            if (isnan(one->mean[0])) continue;
            if (!best || one->mean[0] > best->mean[0]) {
                best = one;
                high = &study->levels[i];
            }
            if (!worst || one->mean[0] < worst->mean[0]) {
                worst = one;
                low = &study->levels[i];
            }
        }
    if (!best) return;
    rmil_html(out, "<p class=\"lead\">The mean %s%s is highest with ", study->measures[0].name, closing(study->measures));
    add_where(study, out, high, best);
    g_string_append(out, ", and lowest with ");
    add_where(study, out, low, worst);
    g_string_append(out, ".");
    if (study->along_summary) say_differences(study, out);
    else if (reference_everywhere(study))
        rmil_html(out, " %s has the highest of the methods at %d of %d values.", title_of(study, study->reference), leads(study),
                  study->n_levels);
    g_string_append(out, "</p>\n");
}

static void say_along(const RmilStudyReport *study, GString *out) {
    const RmilSummary *s = study->along_summary;
    int best, second;
    rank_methods(s, &best, &second);
    if (best < 0) return;
    rmil_html(out, "<p class=\"lead\">The mean %s%s goes from ", study->measures[0].name, closing(study->measures));
    add_value(out, s->methods[0].mean[0], s->methods[0].sd[0]);
    rmil_html(out, " at %s to ", study->levels[0].text);
    add_value(out, s->methods[s->n - 1].mean[0], s->methods[s->n - 1].sd[0]);
    rmil_html(out, " at %s; it is highest at %s, ", study->levels[s->n - 1].text, study->levels[best].text);
    add_value(out, s->methods[best].mean[0], s->methods[best].sd[0]);
    g_string_append(out, ".");
    say_differences(study, out);
    g_string_append(out, "</p>\n");
}

/* -- localisation --------------------------------------------------------------------------------------------------------- */
static void say_localisation(const RmilStudyReport *study, GString *shapes) {
    const RmilLevel *level = &study->levels[study->n_levels - 1];
    const RmilSummary *s = level->summary;
    int reference = rmil_level_reference(study, level);
    if (reference < 0 || s->n < 2) return;
    for (int what = 0; what < 3; what++) {
        int leading = 0, alphas = 0;
        for (int a = 0; a < s->n_alphas; a++) {
            double best = -1, own = NAN;
            for (int m = 0; m < s->n; m++) {
                const RmilLocalSummary *local = &s->locals[m * s->n_alphas + a];
                double value = what == 0 ? local->iou : what == 1 ? local->dice : local->pointing;
                if (m == reference) own = value;
                else if (value > best) best = value;
            }
            if (isnan(own)) continue;
            alphas++;
            leading += own >= best;
        }
        if (alphas)
            shape(shapes, leading == alphas, "%s: no other method is higher than %s at %d of %d values of α.",
                  ((const char *[]){"IoU", "Dice", "pointing game"})[what], s->methods[reference].method->title, leading, alphas);
    }
}

/* What the paper says about the options that its studies vary. */
static const struct {
    const char *varies;
    gboolean along; /* of one method over the values */
    void (*say)(const RmilStudyReport *study, GString *shapes);
} claims[] = {{"fraction", FALSE, say_low_data},
              {"padding", FALSE, say_granularity},
              {"annotated", TRUE, say_annotated},
              {"threshold", TRUE, say_threshold}};

void rmil_study_findings(const RmilStudyReport *study, GString *out) {
    g_autoptr(GString) shapes = g_string_new(NULL);
    const RmilVariation *papers = rmil_study_papers(study);
    if (study->n_levels > 1 && !papers) say_values(study, out);
    else if (study->along_summary) say_along(study, out);
    else say_comparison(study, out, shapes);
    if (papers) say_levels(study, shapes);
    for (gsize i = 0; papers && i < G_N_ELEMENTS(claims); i++)
        if (strcmp(papers->option->name, claims[i].varies) == 0 && (study->along_summary || !claims[i].along)) claims[i].say(study, shapes);
    if (strcmp(study->kind, "localisation") == 0) say_localisation(study, shapes);
    if (shapes->len && study->task.classes == 2) /* the paper has two classes */
        g_string_append_printf(
            out,
            "<ul class=\"shapes\">\n%s</ul>\n<p class=\"soft\">Two mean AUROCs are too close to tell apart if they differ by less than "
            "twice the standard error of their difference over the trainings. The other sentences only count; the tests say more.</p>\n",
            shapes->str);
}
