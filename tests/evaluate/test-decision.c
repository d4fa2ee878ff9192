/* SPDX-License-Identifier: Apache-2.0 */
/* Cut-offs and calibrations chosen on validation rows; pools of trainings and of patients; measures by task. */
#include "support.h"

#include "evaluate/method-outcome.h"

#include <math.h>
#include <string.h>

static void add(GArray *rows, const char *slide, const char *patient, RmilTarget target, double probability) {
    RmilPredictionRow row = {.slide = slide,
                             .part = RMIL_SPLIT_TEST,
                             .target = target,
                             .probability = probability,
                             .logit = log(probability / (1 - probability)),
                             .patient = patient,
                             .answer = NAN};
    g_array_append_val(rows, row);
}

/* 0: .1 .3 .6, 1: .4 .7 .9 */
static GArray *validation(void) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    const double negatives[] = {0.1, 0.3, 0.6}, positives[] = {0.4, 0.7, 0.9};
    for (int i = 0; i < 3; i++) add(rows, "n", NULL, RMIL_TARGET_CLASS(0), negatives[i]);
    for (int i = 0; i < 3; i++) add(rows, "p", NULL, RMIL_TARGET_CLASS(1), positives[i]);
    return rows;
}

static RmilDecision decide(int rule, double least, int calibration, const GArray *rows, char **reason) {
    RmilTask task;
    RmilDecision decision;
    RmilDecisionOptions options;
    rmil_task_init(&task);
    rmil_decision_options_init(&options);
    g_assert_cmpint(options.rule, ==, RMIL_CUT_YOUDEN);
    options.rule = rule, options.least = least, options.calibration = calibration;
    rmil_decide(&task, &options, rows, &decision, reason);
    return decision;
}

static void test_cuts(void) {
    g_autoptr(GArray) rows = validation();
    /* Youden: 0.7 and 0.4 both give 2/3; the highest, 0.7, and the middle down to 0.6 */
    RmilDecision d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_NONE, rows, NULL);
    g_assert_cmpfloat_with_epsilon(d.cut, 0.65, 1e-12);
    g_assert_cmpfloat_with_epsilon(d.sensitivity, 2.0 / 3, 1e-12);
    g_assert_cmpfloat(d.specificity, ==, 1);
    g_assert_cmpint(d.positives, ==, 3);
    d = decide(RMIL_CUT_SENSITIVITY, 0.95, RMIL_CALIBRATE_NONE, rows, NULL); /* 0.4, down to 0.3 */
    g_assert_cmpfloat_with_epsilon(d.cut, 0.35, 1e-12);
    g_assert_cmpfloat(d.sensitivity, ==, 1);
    d = decide(RMIL_CUT_SPECIFICITY, 0.6, RMIL_CALIBRATE_NONE, rows, NULL); /* 0.4: 2 of 3 */
    g_assert_cmpfloat_with_epsilon(d.cut, 0.35, 1e-12);
    g_assert_cmpfloat_with_epsilon(d.specificity, 2.0 / 3, 1e-12);
    d = decide(RMIL_CUT_HALF, 0.95, RMIL_CALIBRATE_NONE, rows, NULL);
    g_assert_cmpfloat(d.cut, ==, 0.5);
    g_assert_cmpfloat_with_epsilon(d.sensitivity, 2.0 / 3, 1e-12);
    g_assert_cmpfloat_with_epsilon(d.specificity, 2.0 / 3, 1e-12);
}

static void test_undefined(void) {
    g_autoptr(GArray) rows = validation();
    g_array_set_size(rows, 3); /* negatives alone */
    g_autofree char *reason = NULL, *words = NULL;
    RmilDecision d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_TEMPERATURE, rows, &reason);
    g_assert_true(d.chosen && isnan(d.cut));
    g_assert_cmpfloat(rmil_decision_cut(&d), ==, 0.5);
    g_assert_nonnull(strstr(reason, "no cut-off: the validation set has 0 slides of one class and 3 of the other; no calibration: "
                                    "the validation slides are all of one class"));
    words = rmil_decision_words(&d);
    g_assert_cmpstr(words, ==, "none was chosen");
    g_autofree char *platt = NULL;
    d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_PLATT, rows, &platt);
    g_assert_cmpint(d.calibration, ==, RMIL_CALIBRATE_NONE);
    g_assert_cmpstr(platt, ==, reason);
    g_array_set_size(rows, 0);
    d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_TEMPERATURE, rows, NULL);
    g_assert_false(d.chosen);
    g_assert_cmpfloat_with_epsilon(rmil_decision_calibrated(&d, log(4)), 0.8, 1e-12);
}

static void test_calibration(void) {
    g_autoptr(GArray) rows = validation();
    RmilDecision d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_TEMPERATURE, rows, NULL);
    int labels[6];
    double logits[6];
    for (int i = 0; i < 6; i++) {
        labels[i] = i > 2;
        logits[i] = g_array_index(rows, RmilPredictionRow, i).logit;
    }
    g_assert_cmpint(d.calibration, ==, RMIL_CALIBRATE_TEMPERATURE);
    g_assert_cmpfloat_with_epsilon(d.slope, 1 / rmil_temperature(labels, logits, 6, 1), 1e-12);
    g_assert_cmpfloat(d.intercept, ==, 0);
    g_assert_cmpfloat_with_epsilon(rmil_decision_calibrated(&d, 1), 1 / (1 + exp(-d.slope)), 1e-12);
    double a, b;
    d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_PLATT, rows, NULL);
    g_assert_true(rmil_platt(labels, logits, 6, TRUE, &a, &b));
    g_assert_cmpfloat(d.slope, ==, a);
    g_assert_cmpfloat(d.intercept, ==, b);
    /* separated: no temperature, and that is said */
    g_array_index(rows, RmilPredictionRow, 2).logit = -0.5;
    g_array_index(rows, RmilPredictionRow, 3).logit = 0.5;
    g_autofree char *reason = NULL;
    d = decide(RMIL_CUT_YOUDEN, 0.95, RMIL_CALIBRATE_TEMPERATURE, rows, &reason);
    g_assert_cmpint(d.calibration, ==, RMIL_CALIBRATE_NONE);
    g_assert_cmpfloat(d.slope, ==, 1);
    g_assert_nonnull(strstr(reason, "no calibration: the model separates the validation slides perfectly or not at all, so no finite "
                                    "calibration fits best"));
}

static void test_text(void) {
    g_autoptr(GArray) rows = validation();
    GError *error = NULL;
    RmilDecision d = decide(RMIL_CUT_SENSITIVITY, 0.9, RMIL_CALIBRATE_PLATT, rows, NULL), back;
    g_autofree char *text = rmil_decision_text(&d), *words = rmil_decision_words(&d);
    g_assert_cmpstr(words, ==, "chosen for 90 % sensitivity");
    g_assert_true(rmil_decision_parse(text, &back, &error));
    g_autofree char *again = rmil_decision_text(&back);
    g_assert_cmpstr(text, ==, again);
    g_assert_cmpfloat(back.slope, ==, d.slope);
    g_assert_false(rmil_decision_parse("{\"rule\":\"guess\"}", &back, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "the model's cut-off and calibration cannot be read:");
    /* several models as one: the mean of their cut-offs; none where one has none */
    RmilDecision other = d, pooled;
    other.cut = 0.55;
    const RmilDecision *both[] = {&d, &other};
    rmil_decision_pool(both, 2, &pooled);
    g_assert_cmpfloat_with_epsilon(pooled.cut, (d.cut + 0.55) / 2, 1e-12);
    other.rule = RMIL_CUT_YOUDEN;
    rmil_decision_pool(both, 2, &pooled);
    g_assert_false(pooled.chosen);
}

static void test_patients(void) {
    RmilTask task;
    rmil_task_init(&task);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    add(rows, "a1", "a", RMIL_TARGET_CLASS(1), 0.2);
    add(rows, "b", NULL, RMIL_TARGET_CLASS(0), 0.5);
    add(rows, "a2", "a", RMIL_TARGET_CLASS(1), 0.6);
    const double expected[] = {[RMIL_POOL_HIGHEST] = 0.6, [RMIL_POOL_MEAN] = 0.4, [RMIL_POOL_NOISY_OR] = 1 - 0.8 * 0.4};
    for (RmilPool rule = RMIL_POOL_HIGHEST; rule < RMIL_POOLS; rule++) {
        g_autoptr(GArray) patients = rmil_predictions_by_patient(rows, &task, rule);
        g_assert_cmpint(patients->len, ==, 2);
        g_assert_cmpstr(g_array_index(patients, RmilPredictionRow, 0).slide, ==, "a");
        g_assert_cmpfloat_with_epsilon(g_array_index(patients, RmilPredictionRow, 0).probability, expected[rule], 1e-12);
        g_assert_cmpfloat(g_array_index(patients, RmilPredictionRow, 1).probability, ==, 0.5);
    }
    g_autofree int64_t *groups = rmil_predictions_patients(rows);
    g_assert_cmpint(groups[0], ==, groups[2]);
    g_assert_cmpint(groups[0], !=, groups[1]);
    g_array_set_size(rows, 2);
    g_assert_null(rmil_predictions_patients(rows));
}

/* Four patients with two slides each, all called right: every resample agrees, and what counts are the patients that a share is of. */
static void test_agreeing_patients(void) {
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    static const char *const patients[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 8; i++) add(rows, "s", patients[i / 2], RMIL_TARGET_CLASS(i < 2), i < 2 ? 0.9 : 0.1);
    RmilCutMetrics at;
    RmilInterval shares[RMIL_AT_SHARES];
    rmil_measure_cut(rows, 0.5, &at, shares);
    const double cases[RMIL_AT_SHARES] = {1, 3, 1, 3, 4}; /* positive, negative, called positive, called negative, all */
    for (int s = 0; s < RMIL_AT_SHARES; s++) {
        g_assert_cmpfloat_with_epsilon(shares[s].low, pow(0.025, 1 / cases[s]), 1e-9);
        g_assert_cmpfloat(shares[s].high, ==, 1);
        g_assert_cmpstr(shares[s].method, ==, "exact by patient");
    }
    /* a patient with a slide on either side counts on both */
    g_array_index(rows, RmilPredictionRow, 2).target = RMIL_TARGET_CLASS(1);
    g_array_index(rows, RmilPredictionRow, 2).probability = 0.9;
    rmil_measure_cut(rows, 0.5, &at, shares);
    g_assert_cmpfloat_with_epsilon(shares[RMIL_AT_PPV].low, pow(0.025, 1.0 / 2), 1e-9);
    g_assert_cmpfloat_with_epsilon(shares[RMIL_AT_NPV].low, pow(0.025, 1.0 / 3), 1e-9);
    /* no such case, no interval */
    for (int i = 0; i < 8; i++) g_array_index(rows, RmilPredictionRow, i).probability = 0.1;
    rmil_measure_cut(rows, 0.5, &at, shares);
    g_assert_true(isnan(shares[RMIL_AT_PPV].low) && isnan(shares[RMIL_AT_PPV].high));
    g_assert_cmpfloat(shares[RMIL_AT_SENSITIVITY].low, ==, 0);
    g_assert_cmpfloat_with_epsilon(shares[RMIL_AT_SENSITIVITY].high, 1 - pow(0.025, 1.0 / 2), 1e-9);
}

/* Two trainings of the same slides as one: cut-off, calibration and patients. */
static void test_method(void) {
    RmilTask task;
    rmil_task_init(&task);
    g_autoptr(GArray) first = validation(), second = validation();
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    for (int i = 0; i < 6; i++) {
        RmilPredictionRow *x = &g_array_index(first, RmilPredictionRow, i), *y = &g_array_index(second, RmilPredictionRow, i);
        x->slide = y->slide = ids[i];
        y->logit = 2 * x->logit;
    }
    RmilSeedRun runs[2] = {
        {.cases = first, .decision = {.chosen = TRUE, .cut = 0.3, .calibration = RMIL_CALIBRATE_PLATT, .slope = 1, .intercept = 0.5}},
        {.cases = second, .decision = {.chosen = TRUE, .cut = 0.4, .calibration = RMIL_CALIBRATE_PLATT, .slope = 0.5}}};
    g_autoptr(GPtrArray) seeds = g_ptr_array_new();
    for (int i = 0; i < 2; i++) g_ptr_array_add(seeds, &runs[i]);
    const RmilMethod method = {.seeds = seeds};
    const RmilMethodSummary summary = {.method = &method, .pooled = first};
    g_autoptr(RmilMethodOutcome) out = rmil_method_outcome_new(&summary, &task, RMIL_POOL_HIGHEST);
    g_assert_cmpfloat_with_epsilon(out->decision.cut, 0.35, 1e-12);
    g_assert_cmpint(out->at.true_positives, ==, 3);  /* 0.4 0.7 0.9 */
    g_assert_cmpint(out->at.false_positives, ==, 1); /* 0.6 */
    g_assert_cmpstr(out->shares[RMIL_AT_SPECIFICITY].method, ==, "exact");
    g_assert_cmpfloat_with_epsilon(out->shares[RMIL_AT_PPV].low, 0.19412044968, 1e-9); /* 3 of 4 */
    g_assert_cmpfloat_with_epsilon(out->shares[RMIL_AT_PPV].high, 0.9936905368, 1e-9);
    const double z = log(0.1 / 0.9); /* of the first slide: calibrated by each, then the mean */
    g_assert_cmpfloat_with_epsilon(out->calibrated[0], (1 / (1 + exp(-z - 0.5)) + 0.1) / 2, 1e-12);
    g_assert_null(out->patients);
    /* one training without a calibration: none of both; slides that share a patient: intervals and measures of patients */
    runs[1].decision.calibration = RMIL_CALIBRATE_NONE;
    for (int i = 0; i < 6; i++) g_array_index(first, RmilPredictionRow, i).patient = ids[i / 2];
    g_autoptr(RmilMethodOutcome) other = rmil_method_outcome_new(&summary, &task, RMIL_POOL_HIGHEST);
    g_assert_null(other->calibrated);
    g_assert_cmpint(other->patients->len, ==, 3);
    g_assert_cmpstr(other->shares[RMIL_AT_SPECIFICITY].method, ==, "exact by patient");
    g_assert_cmpfloat(other->patient_value[0], ==, 1); /* highest: 0.3 (0), 0.6 and 0.9 (1) */
    const RmilTask number = {.kind = RMIL_TASK_NUMBER};
    for (int i = 0; i < 6; i++) g_array_index(first, RmilPredictionRow, i).target = (RmilTarget){-1, NAN, FALSE, i};
    g_autoptr(RmilMethodOutcome) of_number = rmil_method_outcome_new(&summary, &number, RMIL_POOL_HIGHEST);
    g_assert_cmpint(of_number->rule, ==, RMIL_POOL_MEAN); /* and it says so */
}

/* Three classes of which one does not occur: what it leaves undefined is empty, the rest is measured. */
static void test_missing_class(void) {
    const RmilTask task = {.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"x", "y", "z"}};
    g_autoptr(GArray) rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
    const double values[][3] = {{0.7, 0.2, 0.1}, {0.6, 0.3, 0.1}, {0.3, 0.6, 0.1}, {0.5, 0.4, 0.1}};
    for (int i = 0; i < 4; i++) {
        RmilPredictionRow row = {.slide = "s", .part = RMIL_SPLIT_TEST, .target = RMIL_TARGET_CLASS(i / 2), .probability = NAN, .count = 3};
        memcpy(row.values, values[i], sizeof values[i]);
        g_array_append_val(rows, row);
    }
    g_assert_cmpint(rmil_predicted_class(&task, &g_array_index(rows, RmilPredictionRow, 3)), ==, 0);
    double measured[RMIL_MEASURES_MOST];
    int count;
    const RmilMeasure *measures = rmil_measures(&task, &count);
    rmil_measure(&task, rows, NULL, RMIL_MEASURING_USUAL, measured, NULL);
    g_assert_cmpstr(measures[0].key, ==, "auroc-macro");
    g_assert_cmpfloat_with_epsilon(measured[0], 1, 1e-12);    /* of x and y */
    g_assert_cmpfloat_with_epsilon(measured[2], 0.75, 1e-12); /* accuracy */
    g_assert_cmpfloat_with_epsilon(measured[3], 0.75, 1e-12); /* balanced: of x 1, of y 1/2 */
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decision/cuts", test_cuts);
    g_test_add_func("/decision/undefined", test_undefined);
    g_test_add_func("/decision/calibration", test_calibration);
    g_test_add_func("/decision/text", test_text);
    g_test_add_func("/decision/patients", test_patients);
    g_test_add_func("/decision/agreeing-patients", test_agreeing_patients);
    g_test_add_func("/decision/method", test_method);
    g_test_add_func("/decision/missing-class", test_missing_class);
    return g_test_run();
}
