/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: a paragraph of methods ready for a manuscript, made from the record, and what to cite. */
#include "report.h"
#include "rankmil/present.h"

#include <math.h>
#include <string.h>

/* References for this program and for the method it implements. */
static const char bibtex[] =
    "@article{kim2026ranking,\n"
    "  title   = {Ranking-Aware Multiple Instance Learning for Histopathology Slide Classification: Development and Validation Study},\n"
    "  author  = {Kim, Ho Heon and Hwang, Gisu and Jeong, Won Chan and Ko, Young Sin},\n"
    "  journal = {JMIR Medical Informatics},\n"
    "  year    = {2026},\n"
    "  volume  = {14},\n"
    "  pages   = {e84417},\n"
    "  doi     = {10.2196/84417}\n"
    "}\n"
    "@software{rankmil,\n"
    "  title   = {rankmil: slide classifiers whose attention follows pathologists' annotations},\n"
    "  author  = {{The rankmil authors}},\n"
    "  version = {%s},\n"
    "  year    = {2026},\n"
    "  note    = {%s}\n"
    "}\n";

static double number_or(JsonNode *object, const char *member, double otherwise) {
    double value;
    JsonNode *node = rmil_json_get(object, member);
    return node && rmil_json_number(node, &value) ? value : otherwise;
}

/* The settings of a method's first training, from its run.json or from the record; NULL: not known. Free with json_node_unref. */
static JsonNode *config_of(const RmilReport *report, const RmilMethodSummary *method) {
    const RmilSeedRun *seed = method->method->seeds->pdata[0];
    JsonNode *own = seed->info ? rmil_json_get(seed->info, "config") : NULL;
    const RmilStudy *record = report->study->record;
    if (own) return json_node_ref(own);
    for (int64_t i = 0; record && seed->key && i < rmil_study_count(record); i++) {
        const RmilStudyRun *run = rmil_study_run(record, i);
        if (strcmp(run->key, seed->key) == 0)
            return run->done ? rmil_json_parse(run->config, strlen(run->config), "the record", NULL) : NULL;
    }
    return NULL;
}

/* -- data -------------------------------------------------------------------------------------------------------------------------- */
static void say_cohort(const RmilReport *report, GString *out) {
    const RmilFlow *flow = report->flow;
    if (flow->given > 0) {
        g_string_append_printf(out, "The cohort comprised %" G_GINT64_FORMAT " slides", flow->given);
        if (flow->usable >= 0 && flow->usable < flow->given)
            g_string_append_printf(out, ", of which %" G_GINT64_FORMAT " could be used", flow->usable);
        if (flow->patients) g_string_append_printf(out, ", from %" G_GINT64_FORMAT " patients", flow->patients);
        if (flow->annotated >= 0) g_string_append_printf(out, "; %" G_GINT64_FORMAT " were annotated", flow->annotated);
        g_string_append(out, ". ");
    }
    g_autofree char *sets = rmil_flow_words(flow), *origin = rmil_report_sets(report);
    g_string_append_printf(out, "%s. ", sets);
    if (origin) g_string_append_printf(out, "%s ", origin);
    if (flow->sentence) g_string_append(out, flow->sentence);
    if (flow->patients && flow->n > 1) g_string_append(out, "No patient was in two of these sets. ");
}

static void say_features(const RmilReport *report, GString *out) {
    JsonNode *how = rmil_json_get(report->run->info, "config"), *summary = rmil_json_get(report->run->info, "cohort_summary");
    const char *encoder = rmil_json_text(how, "encoder"), *tissue = rmil_json_text(how, "tissue");
    const double px = number_or(how, "tile_px", number_or(summary, "tile_px", 0)), mpp = number_or(how, "tile_mpp", 0),
                 share = number_or(how, "min_tissue", NAN), overlap = number_or(how, "overlap", 0),
                 dim = number_or(summary, "feature_dim", 0), tiles = number_or(summary, "tiles", 0);
    if (!encoder) {
        g_string_append(out, "Features were given; how slides became features is not recorded. ");
        return;
    }
    g_string_append(out, "Tissue was divided into ");
    if (px > 0) g_string_append_printf(out, "tiles of %g × %g px ", px, px);
    else g_string_append(out, "tiles ");
    if (mpp > 0) g_string_append_printf(out, "at %g µm per pixel, ", mpp);
    g_string_append_printf(out, overlap > 0 ? "overlapping by %g %%" : "without overlap", 100 * overlap);
    if (!isnan(share)) g_string_append_printf(out, "; tiles with at least %g %% tissue were kept", 100 * share);
    g_string_append_printf(out, " (tissue by %s). ", tissue ? tissue : "Otsu’s threshold");
    g_string_append_printf(out, "The encoder %s represented each tile by %.0f features", encoder, dim);
    if (tiles > 0) g_string_append_printf(out, " (%.0f tiles in all)", tiles);
    g_string_append(out, ". ");
}

static int64_t seed_at(const RmilMethodSummary *method, int i) { return ((const RmilSeedRun *)method->method->seeds->pdata[i])->seed; }

/* -- models -------------------------------------------------------------------------------------------------------------------------- */
static void say_training(const RmilReport *report, GString *out) {
    const RmilSummary *s = report->summary;
    g_string_append(out, "The methods compared were ");
    for (int m = 0; m < s->n; m++) {
        g_autoptr(JsonNode) config = config_of(report, &s->methods[m]);
        const char *model = rmil_json_text(config, "model"), *guide = rmil_json_text(config, "guide");
        g_string_append_printf(out, "%s%s", m == 0 ? "" : m + 1 < s->n ? ", " : " and ", s->methods[m].method->title);
        if (!model) continue;
        const RmilTrainMethod *known = rmil_method_of(model, NULL, NULL);
        g_string_append_printf(out, " (model %s", model);
        if (known && known->source && !strstr(out->str, known->source)) g_string_append_printf(out, ": %s", known->source);
        if (guide && strcmp(guide, "none") != 0)
            g_string_append_printf(out, "; attention guided on annotated tiles by %s, λ = %g",
                                   strcmp(guide, "rank") == 0 ? "the pairwise rank loss of Kim et al." : guide,
                                   number_or(config, "lambda", NAN));
        g_string_append(out, ")");
    }
    g_string_append(out, ". ");
    g_autoptr(JsonNode) config = config_of(report, rmil_report_reference(report));
    if (!config) return;
    static const struct {
        const char *key, *words;
    } settings[] = {{"hidden", "%g hidden units"},        {"learning_rate", "learning rate %g"},
                    {"weight_decay", "weight decay %g"},  {"group", "batches of %g slides"},
                    {"epochs", "at most %g epochs"},      {"patience", "stopped after %g epochs without a better validation loss"},
                    {"warmup", "but not before epoch %g"}};
    const char *sampler = rmil_json_text(config, "sampler"), *model = rmil_json_text(config, "model");
    const gboolean patches = model && g_str_has_prefix(model, "patch"); /* these learn from tiles, not slides */
    g_string_append_printf(out, "Models were trained %sby Adam",
                           s->task.kind == RMIL_TASK_CLASSES && !patches ? "on the cross-entropy of slide labels " : "");
    for (gsize k = 0, said = 0; k < G_N_ELEMENTS(settings); k++) {
        const double value = number_or(config, settings[k].key, NAN);
        if (isnan(value)) continue;
        g_autofree char *number = g_strdup_printf("%g", value);
        g_auto(GStrv) parts = g_strsplit(settings[k].words, "%g", 2);
        g_string_append_printf(out, "%s%s%s%s", said++ ? ", " : ": ", parts[0], number, parts[1]);
    }
    g_string_append(out, "; the best epoch was kept. ");
    if (sampler) g_string_append_printf(out, "Slides were drawn by the %s sampler. ", sampler);
    const RmilMethodSummary *best = rmil_report_reference(report);
    if (best->seeds > 1)
        g_string_append_printf(out,
                               "Each method was trained %d times (seeds %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT
                               "), and a test slide’s prediction is the %s. ",
                               best->seeds, seed_at(best, 0), best->seeds == 2 ? "and" : "to", seed_at(best, best->seeds - 1),
                               best->tests == RMIL_TESTS_FOLDS ? "one of the fold that tested it" : "mean over those trainings");
}

/* For a study: what its trainings differ in. */
static void say_varied(const RmilReport *report, GString *out) {
    const RmilStudyReport *study = report->study;
    for (int a = 0; a < study->n_axes; a++)
        g_string_append_printf(out, "%s was varied over %u values. ", study->axes[a].name, study->axes[a].values->len);
}

/* -- statistics ----------------------------------------------------------------------------------------------------------------------- */
static void say_statistics(const RmilReport *report, GString *out) {
    const RmilSummary *s = report->summary;
    const RmilMethodOutcome *outcome = report->outcomes ? report->outcomes->pdata[s->reference] : NULL;
    g_autofree int64_t *groups = rmil_predictions_patients(rmil_report_reference(report)->pooled);
    g_string_append_printf(out, "%s ", rmil_interval_words(&s->task, groups != NULL));
    if (s->task.classes == 2 && outcome) {
        g_autofree char *words = rmil_decision_words(&outcome->decision);
        if (isnan(outcome->decision.cut)) g_string_append(out, "Slides were called at a probability of 0.5. ");
        else
            g_string_append_printf(out, "Slides were called at a cut-off that was %s on validation slides%s. ", words,
                                   rmil_report_reference(report)->seeds > 1 ? ", the mean over the trainings" : "");
        if (outcome->calibrated) g_string_append(out, "Probabilities were also calibrated on the validation slides of each training. ");
        g_string_append_printf(out,
                               "At the cut-off, sensitivity, specificity, PPV, NPV and accuracy have exact (Clopper-Pearson) intervals%s. ",
                               groups ? " with the effective number of slides" : "");
        g_string_append_printf(
            out,
            "Calibration was assessed by the Brier score, observed over expected positives and the calibration slope, with "
            "percentiles of 2,000 resamples of %s. ",
            groups ? "whole patients" : "slides");
        if (s->n_comparisons && rmil_report_reference(report)->tests != RMIL_TESTS_FOLDS)
            g_string_append_printf(out, "AUROCs were compared by DeLong’s test%s. ", groups ? " by patient" : "");
    }
    if (outcome && outcome->patients)
        g_string_append_printf(out, "A patient’s prediction is the %s of the patient’s slides. ", rmil_pool_name(outcome->rule));
    if (s->n_alphas)
        g_string_append_printf(out, "Attention was compared with the annotated tiles by IoU, Dice and the pointing game%s. ",
                               s->found_missing ? "" : ", and lesions found by FROC as in Camelyon16");
    if (s->repeats && s->n_comparisons)
        g_string_append_printf(out, "The trainings were compared by the Mann-Whitney U test and the paired Wilcoxon test%s. ",
                               s->n_comparisons > 1 ? ", with Holm’s correction" : "");
}

static void say_program(const RmilReport *report, GString *out) {
    JsonNode *where = rmil_json_get(report->run->info, "environment");
    const char *version = rmil_json_text(report->run->info, "version"), *commit = rmil_json_text(where, "commit"),
               *processor = rmil_json_text(where, "processor"), *system = rmil_json_text(where, "system");
    g_string_append_printf(out, "All analyses used rankmil %s", version ? version : rmil_version());
    if (commit && strcmp(commit, "not known") != 0) g_string_append_printf(out, " (commit %s)", commit);
    if (system) g_string_append_printf(out, " on %s", system);
    if (processor) g_string_append_printf(out, ", %s", processor);
    g_string_append(out, ".");
}

/* What guidelines ask for but no record holds, as HTML. */
#define UNKNOWN                                                                                                                            \
    "<h3>To be added by the authors</h3>\n<p>TRIPOD+AI and CLAIM also ask for what only you know:</p>\n<ul>\n"                             \
    "<li>where and when the slides were collected, which cases were included and excluded, and whether they were "                         \
    "consecutive</li>\n"                                                                                                                   \
    "<li>ethics approval and consent</li>\n"                                                                                               \
    "<li>how and by whom the label of a slide was determined, and what they knew (the reference standard)</li>\n"                          \
    "<li>who drew the outlines, with what experience and instructions, and how disagreement was settled</li>\n"                            \
    "<li>who the patients were (age, sex, missing data), and whether the test slides come from another place or time</li>\n"               \
    "<li>staining and scanners</li>\n"                                                                                                     \
    "<li>how the number of slides was chosen, and what the model is meant to be used for</li>\n"                                           \
    "<li>how the settings were chosen, and whether the test slides had been looked at before</li>\n"                                       \
    "<li>funding, conflicts of interest, registration and protocol; where data and models are available</li>\n</ul>\n"

gboolean rmil_report_methods(RmilReport *report, GError **error) {
    g_autoptr(GString) text = g_string_new(NULL);
    say_cohort(report, text);
    if (report->study->of_run) say_features(report, text);
    say_varied(report, text);
    say_training(report, text);
    say_statistics(report, text);
    say_program(report, text);
    JsonNode *where = rmil_json_get(report->run->info, "environment");
    const char *version = rmil_json_text(report->run->info, "version"), *commit = rmil_json_text(where, "commit");
    g_autofree char *note = commit && strcmp(commit, "not known") != 0 ? g_strconcat("commit ", commit, NULL)
                                                                       : g_strdup("C library and command");
    g_autofree char *cited = g_strdup_printf(bibtex, version ? version : rmil_version(), note);
    rmil_html(
        report->out,
        "<section id=\"methods\"><h2>For the manuscript</h2>\n<p>Every number of this paragraph comes from the record. Read it against "
        "what you did before you paste it.</p>\n<blockquote><p>%s</p></blockquote>\n" UNKNOWN
        "<h3>To cite</h3>\n<pre>%s</pre>\n<p class=\"save\">",
        text->str, cited);
    rmil_html_file(report->out, "rankmil.bib", "text/plain;charset=utf-8", cited, strlen(cited), "These references as BibTeX");
    g_string_append(report->out, "</p></section>\n");
    return TRUE;
}
