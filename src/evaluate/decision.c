/* SPDX-License-Identifier: Apache-2.0 */
/* The cut-off and the calibration of a trained model, chosen on its validation slides. */
#include "evaluate-private.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

static const char *const rules[] = {"youden", "sensitivity", "specificity", "0.5", NULL};
static const char *const pools[] = {"highest", "mean", "noisy-or", NULL}; /* RmilPool */
static const char *const calibrations[] = {"temperature", "platt", "none", NULL};

const RmilOption rmil_decision_options[] = {
    {RMIL_WORD("cut", "cut", RMIL_CUT_YOUDEN, rules, "RULE", "how to choose the cut-off on the validation slides"),
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilDecisionOptions, rule)},
    {RMIL_NUMBER("cut-least", "cut_least", 0.95, 0, 1, "X", "minimum sensitivity or specificity at the cut-off"), .open = TRUE,
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilDecisionOptions, least)},
    {RMIL_WORD("calibration", "calibration", RMIL_CALIBRATE_TEMPERATURE, calibrations, "NAME",
               "how to calibrate probabilities on the validation slides"),
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilDecisionOptions, calibration)},
    {RMIL_WORD("patient-pool", "patient_pool", RMIL_POOL_HIGHEST, pools, "RULE",
               "how to combine a patient's slides into one prediction in the report"),
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilDecisionOptions, pool)},
    {0},
};

void rmil_decision_options_init(RmilDecisionOptions *options) {
    *options = (RmilDecisionOptions){.rule = 0};
    rmil_options_init(rmil_decision_options, options);
}

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

/* -- choosing ------------------------------------------------------------------------------------------------------------------ */
/* Every cut-off between the threshold and the next lower score divides these cases alike: the middle is furthest from both. */
static double middle(const double *scores, int64_t n, double threshold) {
    double lower = -INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (scores[i] < threshold) lower = MAX(lower, scores[i]);
    return isfinite(lower) ? (threshold + lower) / 2 : threshold;
}

static void choose_cut(const RmilDecisionOptions *options, const int *labels, const double *scores, int64_t n, RmilDecision *decision,
                       GString *reason) {
    RmilCut cut = {0.5, NAN, NAN};
    gboolean found = TRUE;
    if (options->rule == RMIL_CUT_YOUDEN) found = rmil_cut_youden(labels, scores, n, &cut);
    else if (options->rule == RMIL_CUT_SENSITIVITY) found = rmil_cut_sensitivity(labels, scores, n, options->least, &cut);
    else if (options->rule == RMIL_CUT_SPECIFICITY) found = rmil_cut_specificity(labels, scores, n, options->least, &cut);
    if (found && options->rule == RMIL_CUT_HALF) {
        RmilCutMetrics at;
        rmil_cut_metrics(labels, scores, n, 0.5, &at);
        cut.sensitivity = at.sensitivity, cut.specificity = at.specificity;
    }
    decision->cut = !found ? NAN : options->rule == RMIL_CUT_HALF ? 0.5 : middle(scores, n, cut.threshold);
    decision->sensitivity = cut.sensitivity, decision->specificity = cut.specificity;
    if (found) return;
    if (!decision->positives || !decision->negatives)
        g_string_append_printf(reason,
                               "no cut-off: the validation set has %" G_GINT64_FORMAT " slides of one class and %" G_GINT64_FORMAT
                               " of the "
                               "other",
                               decision->positives, decision->negatives);
    else g_string_append_printf(reason, "no cut-off: none reaches %s %g on the validation slides", rules[options->rule], options->least);
}

static void calibrate(int wanted, const int *labels, const double *logits, int64_t n, int columns, RmilDecision *decision,
                      GString *reason) {
    const gboolean one_class = columns == 1 && (!decision->positives || !decision->negatives); /* a fit would know that class only */
    double slope = NAN, intercept = 0;
    if (wanted == RMIL_CALIBRATE_NONE) return;
    if (wanted == RMIL_CALIBRATE_PLATT && columns == 1) rmil_platt(labels, logits, n, TRUE, &slope, &intercept);
    else if (!one_class) slope = 1 / rmil_temperature(labels, logits, n, columns);
    if (isfinite(slope) && slope > 0 && isfinite(intercept)) {
        decision->calibration = columns == 1 ? wanted : RMIL_CALIBRATE_TEMPERATURE;
        decision->slope = slope, decision->intercept = intercept;
        return;
    }
    g_string_append_printf(reason, "%sno calibration: %s", reason->len ? "; " : "",
                           n < 2       ? "there are too few validation slides"
                           : one_class ? "the validation slides are all of one class"
                                       : "the model separates the validation slides perfectly or not at all, so no finite calibration fits "
                                         "best");
}

static void decide_two(const RmilDecisionOptions *options, const GArray *rows, RmilDecision *decision, GString *reason) {
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *scores = g_new(double, rows->len + 1), *logits = g_new(double, rows->len + 1);
    for (guint i = 0; i < rows->len; i++) {
        labels[i] = row_at(rows, i)->target.label, scores[i] = row_at(rows, i)->probability, logits[i] = row_at(rows, i)->logit;
        *(labels[i] ? &decision->positives : &decision->negatives) += 1;
    }
    choose_cut(options, labels, scores, rows->len, decision, reason);
    calibrate(options->calibration, labels, logits, rows->len, 1, decision, reason);
}

/* Logarithms of probabilities are logits up to a constant per case. */
static void decide_many(const RmilTask *task, const RmilDecisionOptions *options, const GArray *rows, RmilDecision *decision,
                        GString *reason) {
    g_autofree int *labels = g_new(int, rows->len + 1);
    g_autofree double *logits = g_new(double, (gsize)(rows->len + 1) * (gsize)task->classes);
    decision->cut = NAN;
    for (guint i = 0; i < rows->len; i++) {
        labels[i] = row_at(rows, i)->target.label;
        for (int c = 0; c < task->classes; c++)
            logits[(int)i * task->classes + c] = log(MAX(rmil_class_probability(task, row_at(rows, i), c), 1e-300));
    }
    calibrate(options->calibration, labels, logits, rows->len, task->classes, decision, reason);
}

void rmil_decide(const RmilTask *task, const RmilDecisionOptions *options, const GArray *rows, RmilDecision *decision, char **reason) {
    g_autoptr(GString) text = g_string_new(NULL);
    *decision = (RmilDecision){.chosen = task->kind == RMIL_TASK_CLASSES && rows->len > 0,
                               .rule = options->rule,
                               .least = options->least,
                               .cut = NAN,
                               .sensitivity = NAN,
                               .specificity = NAN,
                               .calibration = RMIL_CALIBRATE_NONE,
                               .slope = 1};
    if (decision->chosen && task->classes == 2) decide_two(options, rows, decision, text);
    else if (decision->chosen) decide_many(task, options, rows, decision, text);
    if (reason) *reason = text->len ? g_strdup(text->str) : NULL;
}

/* -- using it -------------------------------------------------------------------------------------------------------------------- */
double rmil_decision_calibrated(const RmilDecision *decision, double logit) {
    const double z = decision->chosen ? decision->slope * logit + decision->intercept : logit, e = exp(-fabs(z));
    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

void rmil_decision_calibrate(const RmilDecision *decision, double *probabilities, int classes) {
    if (!decision->chosen || decision->calibration == RMIL_CALIBRATE_NONE) return;
    double sum = 0;
    for (int c = 0; c < classes; c++) sum += probabilities[c] = pow(probabilities[c], decision->slope);
    for (int c = 0; c < classes; c++) probabilities[c] /= sum;
}

double rmil_decision_cut(const RmilDecision *decision) { return decision->chosen && !isnan(decision->cut) ? decision->cut : 0.5; }

char *rmil_decision_words(const RmilDecision *decision) {
    if (!decision->chosen || isnan(decision->cut)) return g_strdup("none was chosen");
    if (decision->rule == RMIL_CUT_HALF) return g_strdup("as asked for");
    if (decision->rule == RMIL_CUT_YOUDEN) return g_strdup("chosen by Youden’s index");
    return g_strdup_printf("chosen for %g %% %s", 100 * decision->least, rules[decision->rule]);
}

void rmil_decision_pool(const RmilDecision *const *decisions, int64_t count, RmilDecision *pooled) {
    *pooled = *decisions[0];
    for (int64_t i = 1; i < count; i++) {
        pooled->chosen = pooled->chosen && decisions[i]->chosen && decisions[i]->rule == pooled->rule &&
                         decisions[i]->least == pooled->least;
        if (decisions[i]->calibration == RMIL_CALIBRATE_NONE) pooled->calibration = RMIL_CALIBRATE_NONE;
        pooled->cut += decisions[i]->cut;
        pooled->sensitivity += decisions[i]->sensitivity, pooled->specificity += decisions[i]->specificity;
        pooled->positives += decisions[i]->positives, pooled->negatives += decisions[i]->negatives;
    }
    pooled->cut /= (double)count;
    pooled->sensitivity /= (double)count, pooled->specificity /= (double)count;
}

/* -- as text --------------------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *name;
    gsize offset;
} numbers[] = {{"cut", offsetof(RmilDecision, cut)},
               {"least", offsetof(RmilDecision, least)},
               {"sensitivity", offsetof(RmilDecision, sensitivity)},
               {"specificity", offsetof(RmilDecision, specificity)},
               {"slope", offsetof(RmilDecision, slope)},
               {"intercept", offsetof(RmilDecision, intercept)}};

char *rmil_decision_text(const RmilDecision *decision) {
    g_autoptr(JsonObject) out = json_object_new();
    json_object_set_string_member(out, "rule", rules[decision->rule]);
    json_object_set_string_member(out, "calibration", calibrations[decision->calibration]);
    json_object_set_int_member(out, "positives", decision->positives);
    json_object_set_int_member(out, "negatives", decision->negatives);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        const double value = G_STRUCT_MEMBER(double, decision, numbers[i].offset);
        if (isfinite(value)) json_object_set_double_member(out, numbers[i].name, value);
    }
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, out);
    return json_to_string(node, FALSE);
}

static int word_of(const char *const *words, const char *word) {
    for (int i = 0; words[i]; i++)
        if (g_strcmp0(words[i], word) == 0) return i;
    return -1;
}

gboolean rmil_decision_parse(const char *text, RmilDecision *decision, GError **error) {
    g_autoptr(JsonNode) node = rmil_json_parse(text, strlen(text), "decision", error);
    if (!node) return FALSE;
    *decision = (RmilDecision){.chosen = TRUE,
                               .rule = word_of(rules, rmil_json_text(node, "rule")),
                               .calibration = word_of(calibrations, rmil_json_text(node, "calibration"))};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        double *value = &G_STRUCT_MEMBER(double, decision, numbers[i].offset);
        if (!rmil_json_number(rmil_json_get(node, numbers[i].name), value)) *value = NAN;
    }
    rmil_json_whole(rmil_json_get(node, "positives"), &decision->positives);
    rmil_json_whole(rmil_json_get(node, "negatives"), &decision->negatives);
    return (decision->rule >= 0 && decision->calibration >= 0 && isfinite(decision->slope) && isfinite(decision->intercept)) ||
           rmil_fail(error, RMIL_ERROR_FORMAT, "the model's cut-off and calibration cannot be read: %s", text);
}
