/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of number on a run's page, computed again from the predictions that it was made of, by other means where there are any. */
#include "page.h"
#include "rankmil/evaluate.h"
#include "rankmil/present.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum { SLIDES = 45, SEEDS = 3, METHODS = 2 };
static const char *const names[METHODS] = {"abmil", "rank"}, *const titles[METHODS] = {"AB-MIL", "Rank induction"};
static const double cuts[METHODS] = {0.45, 0.55};
#define SLOPE 0.2 /* of the first method's calibration: far too timid */

/* What was predicted, and the page that was made of it. */
typedef struct {
    char *folder, *page;
    int label[SLIDES];
    double p[METHODS][SEEDS][SLIDES], mean[METHODS][SLIDES];
} Made;

static const char *site_of(int i) { return i % 5 == 0 ? "north" : i % 5 < 3 ? "south, \"old\"" : ""; }
static int age_of(int i) { return 30 + (i * 7) % 45; }

static int patient_of(int i) { return i % 3 * 10 + i / 6; }

static void save(const Made *made, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(made->folder, name, NULL);
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, text, strlen(text), &error));
    g_assert_no_error(error);
}

static gboolean moving; /* the second training has its first training slide for validation, and learns nothing */

static void make_predictions(Made *made, gboolean patients) {
    RmilRng rng;
    rmil_rng_init(&rng, 11, 5);
    for (int i = 0; i < SLIDES; i++) made->label[i] = i % 3 == 0;
    for (int m = 0; m < METHODS; m++)
        for (int s = 0; s < SEEDS; s++) {
            g_autoptr(GString) csv = g_string_new(patients ? "id,split,label,probability,logit,patient\n"
                                                           : "id,split,label,probability,logit\n");
            const char *rest = patients ? ",x" : "";
            char patient[8] = "";
            for (int i = 0; i < SLIDES; i++) {
                const double logit = (made->label[i] ? 1 : -1) * (m ? 1.1 : 0.5) + rmil_rng_normal(&rng);
                made->p[m][s][i] = round(1e6 / (1 + exp(-logit))) / 1e6;
                made->mean[m][i] += made->p[m][s][i] / SEEDS;
                if (patients) g_snprintf(patient, sizeof patient, ",p%02d", patient_of(i));
                g_string_append_printf(csv, "s%02d,test,%d,%.6f,%.6f%s\ntrain%02d,%s,%d,0.5,0%s\nval%02d,val,%d,0.5,0%s\n", i,
                                       made->label[i], made->p[m][s][i], logit, patient, i, moving && s == 1 && i == 0 ? "val" : "train",
                                       i % 2, rest, i, i % 2, rest);
            }
            g_autofree char *table = g_strdup_printf("runs/%s/%d/predictions.csv", names[m], s),
                            *info = g_strdup_printf("runs/%s/%d/run.json", names[m], s);
            g_autofree char *text = g_strdup_printf(
                "{\"seed\": %d, \"model_sha256\": \"0123456789abcdef\", \"config\": {\"model\": \"abmil\", \"guide\": \"%s\", \"lambda\": 2, \"learning_rate\": 0.0002, \"epochs\": 90}, "
                "\"decision\": {\"rule\": \"youden\", \"calibration\": \"%s\", \"positives\": 3, \"negatives\": 4, \"cut\": %.2f, "
                "\"least\": 0.95, \"sensitivity\": 1, \"specificity\": 0.5, \"slope\": %g, \"intercept\": 0}}",
                s, m ? "rank" : "none", m ? "none" : "temperature", cuts[m], m ? 1 : SLOPE);
            save(made, table, csv->str);
            save(made, info, text);
            g_autofree char *path = g_strdup_printf("runs/%s/%d/history.csv", names[m], s);
            g_autoptr(GString) history = g_string_new("epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,best\n");
            for (int e = 1; e <= 5; e++)
                g_string_append_printf(history, "%d,1,1,0,%.2f,0.5,%d\n", e, 0.5 + (moving && s == 1 ? 0.2 : 0) + 0.1 * abs(e - 2 - s),
                                       e == 2 + s);
            save(made, path, history->str);
        }
}

/* patients: slides of one label share one, in twos. */
static Made *made_as(const RmilReportOptions *options, gboolean patients) {
    Made *made = g_new0(Made, 1);
    made->folder = test_folder();
    make_predictions(made, patients);
    g_autoptr(GString) cohort = g_string_new("id,features,label,site,age,annotation");
    g_string_append(cohort, patients ? ",patient\n" : "\n");
    for (int i = 0; i < SLIDES; i++) {
        g_string_append_printf(cohort, "s%02d,s.h5,%d,\"%s\",%d,%s", i, made->label[i],
                               i % 5 == 0  ? "north"
                               : i % 5 < 3 ? "south, \"\"old\"\""
                                           : "",
                               age_of(i), i < 6 ? "a.xml" : "");
        if (patients) g_string_append_printf(cohort, ",p%02d", patient_of(i));
        g_string_append_c(cohort, '\n');
    }
    save(made, "cohort.csv", cohort->str);
    save(
        made, "run.json",
        "{\"version\": \"0.1.0\", \"cohort\": \"slides.csv\", \"config\": {\"encoder\": \"texture\", \"tile_mpp\": 0.5, \"min_tissue\": 0.05}, "
        "\"cohort_summary\": {\"rows\": 140, \"slides\": 135, \"annotated_slides\": 6, \"sets\": {\"test_share\": 0, \"val_share\": 0.25}, \"tile_px\": 224, \"feature_dim\": 219}, "
        "\"problems\": [{\"stage\": \"tile\", \"id\": \"x\", \"message\": \"x.svs: is cut off\"}, {\"stage\": \"tile\", \"id\": \"y\", "
        "\"message\": \"y.svs: is cut off\"}, {\"stage\": \"encode\", \"id\": \"z\", \"message\": \"z.svs: no\"}, "
        "{\"stage\": \"heat map\", \"id\": \"s01\", \"message\": \"no\"}]}");
    g_autofree char *path = g_build_filename(made->folder, "report.html", NULL);
    GError *error = NULL;
    rmil_report_write_as(made->folder, path, options, NULL, &error);
    g_assert_no_error(error);
    made->page = test_bytes(NULL, path, NULL);
    page_check(made->page);
    return made;
}

static Made *made_new(const RmilReportOptions *options) { return made_as(options, FALSE); }

static void made_free(Made *made) {
    g_free(made->folder);
    g_free(made->page);
    g_free(made);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Made, made_free)

/* A table as the page carries it. */
static RmilTable *table_in(const Made *made, const char *name) {
    g_autofree char *start = g_strdup_printf("<a download=\"%s.csv\" href=\"data:text/csv;charset=utf-8;base64,", name),
                    *path = g_build_filename(made->folder, "taken.csv", NULL);
    const char *at = strstr(made->page, start);
    if (!at) g_error("the page has no table %s", name);
    at += strlen(start);
    g_autofree char *coded = g_strndup(at, strcspn(at, "\""));
    gsize size;
    g_autofree guchar *data = g_base64_decode(coded, &size);
    GError *error = NULL;
    g_assert_true(g_file_set_contents(path, (const char *)data, (gssize)size, &error));
    RmilTable *table = rmil_table_read(path, &error);
    g_assert_no_error(error);
    return table;
}

static const char *cell(const RmilTable *table, int64_t row, const char *column) {
    const int place = rmil_table_find(table, column);
    if (place < 0) g_error("no column %s", column);
    return rmil_table_cell(table, row, place);
}

/* "0.941 (0.812–0.967)" */
static char *shown(double value, double low, double high) { return g_strdup_printf("%.3f (%.3f–%.3f)", value, low, high); }

static void with_sign(double value, char text[16]) { g_snprintf(text, 16, "%s%.3f", value < 0 ? "−" : "+", fabs(value)); }

/* Share of the cases of the other class that the case is on the right side of, by method 1 less by method 0. */
static double placement(const Made *made, int i) {
    double sum[METHODS] = {0};
    int n = 0;
    for (int j = 0; j < SLIDES; j++) {
        if (made->label[j] == made->label[i]) continue;
        n++;
        for (int m = 0; m < METHODS; m++) {
            const double ahead = (made->mean[m][i] - made->mean[m][j]) * (made->label[i] ? 1 : -1);
            sum[m] += ahead > 0 ? 1 : ahead == 0 ? 0.5 : 0;
        }
    }
    return (sum[1] - sum[0]) / n;
}

/* Standard error of the difference of the AUROCs (DeLong et al., Biometrics 1988;44:837): variance of the placements of each class. */
static double difference_error(const Made *made) {
    double variance = 0;
    for (int label = 0; label < 2; label++) {
        double sum = 0, squares = 0;
        int n = 0;
        for (int i = 0; i < SLIDES; i++)
            if (made->label[i] == label) sum += placement(made, i), n++;
        for (int i = 0; i < SLIDES; i++)
            if (made->label[i] == label) squares += pow(placement(made, i) - sum / n, 2);
        variance += squares / (n - 1) / n;
    }
    return sqrt(variance);
}

/* -- measures ------------------------------------------------------------------------------------------------------------------- */
static void test_measures(void) {
    g_autoptr(Made) made = made_new(NULL);
    g_autoptr(RmilTable) table = table_in(made, "measures"), trainings = table_in(made, "trainings"), tests = table_in(made, "comparisons"),
                         each = table_in(made, "each-training");
    double aurocs[METHODS], z, p;
    for (int m = 0; m < METHODS; m++) {
        RmilMetrics metrics;
        RmilInterval interval;
        double variance, own[SEEDS], mean, sd;
        rmil_metrics(made->label, made->mean[m], SLIDES, 0.5, &metrics);
        rmil_delong(made->label, made->mean[m], SLIDES, 0.95, &variance, &interval);
        g_assert_cmpstr(cell(table, m, "Method"), ==, titles[m]);
        g_autofree char *auroc = shown(metrics.auroc, interval.low, interval.high);
        g_assert_cmpstr(cell(table, m, "AUROC"), ==, auroc);
        const RmilInterval share = rmil_clopper_pearson((int64_t)round(metrics.accuracy * SLIDES), SLIDES, 0.95);
        g_autofree char *accuracy = shown(metrics.accuracy, share.low, share.high);
        g_assert_cmpstr(cell(table, m, "Accuracy"), ==, accuracy);
        for (int s = 0; s < SEEDS; s++) {
            RmilMetrics one;
            rmil_metrics(made->label, made->p[m][s], SLIDES, 0.5, &one);
            own[s] = one.auroc;
            g_autofree char *cut = g_strdup_printf("%.3f", cuts[m]), *alone = g_strdup_printf("%.3f", one.auroc),
                            *kept = g_strdup_printf("%d", 2 + s);
            const int64_t row = m * SEEDS + s;
            g_assert_cmpstr(cell(each, row, "Method"), ==, titles[m]);
            g_assert_cmpstr(cell(each, row, "Epochs"), ==, "5");
            g_assert_cmpstr(cell(each, row, "Kept"), ==, kept);
            g_assert_cmpstr(cell(each, row, "Cut-off"), ==, cut);
            g_assert_cmpstr(cell(each, row, "AUROC"), ==, alone);
            g_assert_cmpstr(cell(each, row, "Model"), ==, "0123456789ab");
        }
        rmil_mean_sd(own, SEEDS, 1, &mean, &sd);
        g_autofree char *spread = g_strdup_printf("%.3f (± %.3f)", mean, sd);
        g_assert_cmpstr(cell(trainings, m, "AUROC"), ==, spread);
        aurocs[m] = metrics.auroc;
        g_autofree char *trained = m ? g_strdup_printf(
                                           "This is for predictions averaged over %d trainings; each alone reaches %.3f ± %.3f.", SEEDS,
                                           mean, sd)
                                     : g_strdup_printf("reaches %.3f (%.3f to %.3f; each alone %.3f ± %.3f)", metrics.auroc, interval.low,
                                                       interval.high, mean, sd);
        page_has(made->page, trained);
        if (!m) continue;
        g_autofree char *sentence = g_strdup_printf("<strong>%s</strong> ranks a positive slide above a negative one in %.0f %% of all "
                                                    "pairs: AUROC <strong>%.3f</strong>, 95 %% interval %.3f to %.3f.",
                                                    titles[m], 100 * metrics.auroc, metrics.auroc, interval.low, interval.high);
        page_has(made->page, sentence);
    }
    rmil_delong_test(made->label, made->mean[1], made->mean[0], SLIDES, &z, &p, NULL);
    const double reach = 1.959964 * difference_error(made);
    char from[16], to[16], off[16];
    with_sign(aurocs[1] - aurocs[0], off);
    with_sign(aurocs[1] - aurocs[0] - reach, from);
    with_sign(aurocs[1] - aurocs[0] + reach, to);
    g_autofree char *difference = g_strdup_printf("%s (%s to %s)", off, from, to), *shown_p = g_strdup_printf("%.3f", p);
    g_assert_cmpstr(cell(tests, 0, "Difference"), ==, difference);
    g_assert_cmpstr(cell(tests, 0, "DeLong"), ==, p < 0.001 ? "< 0.001" : shown_p);
}

/* -- the cut-off ---------------------------------------------------------------------------------------------------------------- */
/* P(X ≥ k) of a binomial, summed term by term. */
static double at_least(int k, int n, double share) {
    double sum = 0;
    for (int x = k; x <= n; x++) sum += exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(share) + (n - x) * log1p(-share));
    return sum;
}

/* Each end is where the tail of what was seen holds 2.5 %. */
static void check_exact(const char *text, int hits, int n) {
    double value, low, high;
    g_assert_cmpint(sscanf(text, "%lf (%lf–%lf)", &value, &low, &high), ==, 3);
    g_assert_cmpfloat_with_epsilon(value, (double)hits / n, 5e-4);
    if (hits) g_assert_true(at_least(hits, n, low - 6e-4) < 0.025 && at_least(hits, n, low + 6e-4) > 0.025);
    else g_assert_cmpfloat(low, ==, 0);
    if (hits < n) g_assert_true(1 - at_least(hits + 1, n, high - 6e-4) > 0.025 && 1 - at_least(hits + 1, n, high + 6e-4) < 0.025);
    else g_assert_cmpfloat(high, ==, 1);
}

/* A row of calls: TP, FN, TN, FP, and the exact intervals of all shares. */
static void check_calls(const RmilTable *table, int row, const int counts[4]) {
    static const char *const columns[] = {"TP", "FN", "TN", "FP"};
    for (int k = 0; k < 4; k++) {
        g_autofree char *count = g_strdup_printf("%d", counts[k]);
        g_assert_cmpstr(cell(table, row, columns[k]), ==, count);
    }
    check_exact(cell(table, row, "Sensitivity"), counts[0], counts[0] + counts[1]);
    check_exact(cell(table, row, "Specificity"), counts[2], counts[2] + counts[3]);
    check_exact(cell(table, row, "PPV"), counts[0], counts[0] + counts[3]);
    check_exact(cell(table, row, "NPV"), counts[2], counts[2] + counts[1]);
    check_exact(cell(table, row, "Accuracy"), counts[0] + counts[2], counts[0] + counts[1] + counts[2] + counts[3]);
}

static void test_cut(void) {
    g_autoptr(Made) made = made_new(NULL);
    g_autoptr(RmilTable) table = table_in(made, "cut-offs"), slides = table_in(made, "slides"), others = table_in(made, "slides-others");
    g_auto(GStrv) wrong = rmil_report_mistakes(made->folder, NULL);
    guint all = 0;
    gboolean mistaken[SLIDES] = {FALSE};
    for (int m = 0; m < METHODS; m++) {
        int counts[4] = {0};
        for (int i = 0; i < SLIDES; i++) {
            const gboolean said = made->mean[m][i] >= cuts[m], right = said == made->label[i];
            counts[made->label[i] ? !right : 2 + !right]++;
            mistaken[i] = mistaken[i] || !right;
        }
        check_calls(table, m, counts);
        g_autofree char *words = g_strdup_printf("%s gets %d of %d wrong.", titles[m], counts[1] + counts[3], SLIDES);
        page_has(made->page, words);
        const RmilInterval sens = rmil_clopper_pearson(counts[0], counts[0] + counts[1], 0.95),
                           spec = rmil_clopper_pearson(counts[2], counts[2] + counts[3], 0.95);
        g_autofree char *sentence =
            m ? g_strdup_printf("correctly calls %d of %d positive slides", counts[0], counts[0] + counts[1])
              : g_strdup_printf(
                    "at its own cut-off of %.3g: %d of %d and %d of %d (sensitivity %.0f %%, %.0f to %.0f %%; specificity %.0f %%, %.0f to %.0f %%).",
                    cuts[m], counts[0], counts[0] + counts[1], counts[2], counts[2] + counts[3],
                    100.0 * counts[0] / (counts[0] + counts[1]), 100 * sens.low, 100 * sens.high,
                    100.0 * counts[2] / (counts[2] + counts[3]), 100 * spec.low, 100 * spec.high);
        page_has(made->page, sentence);
    }
    for (int i = 0; i < SLIDES; i++) all += (guint)mistaken[i];
    g_assert_cmpuint(g_strv_length(wrong), ==, all);
    /* every slide once, mistakes of the reference first and by distance, with all digits */
    g_assert_cmpint(rmil_table_rows(slides) + rmil_table_rows(others), ==, SLIDES);
    double before = 2;
    gboolean was_wrong = TRUE;
    for (int64_t r = 0; r < SLIDES; r++) {
        const RmilTable *of = r < rmil_table_rows(slides) ? slides : others;
        const int64_t row = r < rmil_table_rows(slides) ? r : r - rmil_table_rows(slides);
        const int i = (int)g_ascii_strtoll(cell(of, row, "Slide") + 1, NULL, 10);
        const double said = g_ascii_strtod(cell(of, row, titles[1]), NULL), off = fabs(said - made->label[i]);
        const gboolean is_wrong = (said >= cuts[1]) != made->label[i];
        g_assert_cmpfloat_with_epsilon(said, made->mean[1][i], 1e-8);
        g_assert_true(was_wrong || !is_wrong);
        if (is_wrong == was_wrong) g_assert_cmpfloat(off, <=, before);
        before = off;
        was_wrong = is_wrong;
    }
}

/* The share of resamples in which a threshold separates the classes, and which thus have no slope. */
static double separated(const Made *made, int m) {
    enum { ROUNDS = 4000 };
    RmilRng rng;
    int count = 0;
    rmil_rng_init(&rng, 77, 7);
    for (int round = 0; round < ROUNDS; round++) {
        double negative = 0, positive = 1; /* the highest, the lowest */
        for (int k = 0; k < SLIDES; k++) {
            const int64_t i = rmil_rng_below(&rng, SLIDES);
            if (made->label[i]) positive = MIN(positive, made->mean[m][i]);
            else negative = MAX(negative, made->mean[m][i]);
        }
        count += negative < positive;
    }
    return (double)count / ROUNDS;
}

/* Brier score and observed over expected by their definitions; at the slope both equations of the likelihood hold. */
static void test_calibration(void) {
    g_autoptr(Made) made = made_new(NULL);
    g_autoptr(RmilTable) table = table_in(made, "calibration");
    g_assert_cmpint(rmil_table_rows(table), ==, METHODS + 1); /* the first method, the same calibrated, the second */
    for (int m = 0; m < METHODS; m++) {
        const int64_t row = m ? m + 1 : 0;
        double brier = 0, expected = 0, logit[SLIDES], value, low, high, at_low = -50, at_high = 50, gradient = 0, curve = 0;
        int seen = 0;
        for (int i = 0; i < SLIDES; i++) {
            const double p = made->mean[m][i];
            brier += (p - made->label[i]) * (p - made->label[i]) / SLIDES;
            expected += p;
            seen += made->label[i];
            logit[i] = log(p / (1 - p));
        }
        const double values[] = {brier, seen / expected};
        static const char *const columns[] = {"Brier score", "Observed / expected", "Slope"};
        for (int k = 0; k < 3; k++) {
            const gboolean without = k == 2 && separated(made, m) > 0.025;
            g_assert_cmpint(sscanf(cell(table, row, columns[k]), "%lf (%lf–%lf)", &value, &low, &high), ==, without ? 1 : 3);
            if (without) continue;
            g_assert_true(low <= value && value <= high && low < high);
            if (k < 2) g_assert_cmpfloat_with_epsilon(value, values[k], 5.1e-4);
        }
        for (int step = 0; step < 200; step++) { /* the intercept of this slope */
            const double middle = 0.5 * (at_low + at_high);
            double sum = 0;
            for (int i = 0; i < SLIDES; i++) sum += made->label[i] - 1 / (1 + exp(-value * logit[i] - middle));
            *(sum > 0 ? &at_low : &at_high) = middle;
        }
        for (int i = 0; i < SLIDES; i++) {
            const double p = 1 / (1 + exp(-value * logit[i] - at_low));
            gradient += (made->label[i] - p) * logit[i];
            curve += p * (1 - p) * logit[i] * logit[i];
        }
        g_assert_cmpfloat(fabs(gradient), <, 6e-4 * curve);
    }
}

/* The calibrated probability is the mean over the trainings of sigmoid(slope · logit). */
static void test_calibrated(void) {
    g_autoptr(Made) made = made_new(NULL);
    g_autoptr(RmilTable) table = table_in(made, "calibration");
    double brier = 0, before = 0, value;
    for (int i = 0; i < SLIDES; i++) {
        double p = 0;
        for (int s = 0; s < SEEDS; s++) p += 1 / (1 + pow(1 / made->p[0][s][i] - 1, SLOPE)) / SEEDS;
        brier += (p - made->label[i]) * (p - made->label[i]) / SLIDES;
        before += (made->mean[0][i] - made->label[i]) * (made->mean[0][i] - made->label[i]) / SLIDES;
    }
    g_assert_cmpint(sscanf(cell(table, 1, "Brier score"), "%lf", &value), ==, 1);
    g_assert_cmpfloat_with_epsilon(value, brier, 5.1e-4);
    g_autofree char *words = g_strdup_printf("Calibration did not improve the Brier score of AB-MIL: %.3f before, %.3f after.", before,
                                             brier);
    page_has(made->page, words);
    g_autofree char *none = g_strdup_printf(
        "Rank induction has no calibrated row: %d of %d trainings could not be calibrated, because the model separates its validation slides",
        SEEDS, SEEDS);
    page_has(made->page, none);
    page_has(made->page, "Validation sets have as few as 3 positive and 4 negative slides: with others the cut-off could be quite different.");
}

/* Slides that share a patient: the highest of a patient's slides is the patient's, with exact intervals of patients; those of slides are
 * exact with the effective number of slides. */
static void test_patients(void) {
    g_autoptr(Made) made = made_as(NULL, TRUE);
    g_autoptr(RmilTable) table = table_in(made, "cut-offs-patients"), slides = table_in(made, "cut-offs");
    for (int m = 0; m < METHODS; m++) {
        double highest[30] = {0};
        int counts[4] = {0}, patients = 0;
        for (int i = 0; i < SLIDES; i++) highest[patient_of(i)] = MAX(highest[patient_of(i)], made->mean[m][i]);
        for (int q = 0; q < 30; q++) {
            if (highest[q] == 0) continue; /* 45 slides: the last of each label alone */
            const gboolean label = q < 10, right = (highest[q] >= cuts[m]) == label;
            counts[label ? !right : 2 + !right]++;
            patients++;
        }
        g_assert_cmpint(patients, ==, 24);
        check_calls(table, m, counts);
        GArray *rows = g_array_new(FALSE, TRUE, sizeof(RmilPredictionRow));
        char ids[SLIDES][8];
        for (int i = 0; i < SLIDES; i++) {
            g_snprintf(ids[i], sizeof ids[i], "p%02d", patient_of(i));
            const RmilPredictionRow row = {.slide = ids[i],
                                           .part = RMIL_SPLIT_TEST,
                                           .target = RMIL_TARGET_CLASS(made->label[i]),
                                           .probability = made->mean[m][i],
                                           .patient = ids[i],
                                           .answer = NAN};
            g_array_append_val(rows, row);
        }
        RmilCutMetrics at;
        RmilInterval shares[RMIL_AT_SHARES];
        rmil_measure_cut(rows, cuts[m], &at, shares);
        g_autofree char *ppv = shown(at.ppv, shares[RMIL_AT_PPV].low, shares[RMIL_AT_PPV].high);
        g_assert_cmpstr(cell(slides, m, "PPV"), ==, ppv);
        g_assert_cmpstr(shares[RMIL_AT_PPV].method, ==, "exact by patient");
        g_array_free(rows, TRUE);
    }
    page_has(made->page, "exact (Clopper-Pearson) with the effective number of slides (Korn and Graubard), because patients have several");
    page_has(made->page, "Test: 45 slides (15 positive, 30 negative) of 24 patients (8 positive, 16 negative).");
    page_has(made->page, "By patient (highest of the patient’s slides)");
}

/* Training and validation drawn anew for each training: one box, which says how many are in either. */
static void test_moving(void) {
    moving = TRUE;
    g_autoptr(Made) made = made_new(NULL);
    moving = FALSE;
    page_has(
        made->page,
        "135 slides used, 6 annotated; Training and validation, 90 slides, 44 positive, 46 negative, 0 annotated, drawn 3 times: 44 to 45 for training, 45 to 46 for validation; Test");
    page_has(made->page,
             "In 1 of 3 trainings AB-MIL learned nothing that its validation slides show"); /* 0.7: ln 2 and more than 3 of 7 give */
    g_assert_nonnull(strstr(made->page, "In 1 of 3 trainings Rank induction learned nothing"));
    page_has(made->page, "were split anew for each of 3 trainings (44 to 45 and 45 to 46).");
}

/* -- cohort, subgroups, words ---------------------------------------------------------------------------------------------------- */
static void test_flow(void) {
    g_autoptr(Made) made = made_new(NULL);
    page_has(made->page,
             "aria-label=\"140 slides in the table; Left out, 2 could not be tiled, 1 could not be encoded, 2 left out for other reasons; "
             "135 slides used, 6 annotated; Training, 45 slides, 22 positive, 23 negative, 0 annotated; Validation, 45 slides, 22 "
             "positive, 23 negative, 0 annotated; Test, 45 slides, 15 positive, 30 negative, 6 annotated\"");
    g_autofree char *file = g_build_filename(made->folder, "figures", "flow.svg", NULL);
    g_autofree char *drawn = test_bytes(NULL, file, NULL);
    page_has(drawn, ">2 could not be tiled</text>");
    page_has(made->page, "The cohort comprised 140 slides, of which 135 could be used; 6 were annotated.");
    page_has(
        made->page,
        "The test slides are those that the table names (column split). The validation slides were drawn at random, 25 % of the others. A draw "
        "keeps a patient’s slides together and, as far as that allows, the shares of the classes.");
    page_has(made->page, "tiles of 224 × 224 px at 0.5 µm per pixel, without overlap; tiles with at least 5 % tissue were kept");
    page_has(
        made->page,
        "AB-MIL (model abmil: attention-based multiple-instance learning, Ilse et al. 2018) and Rank induction (model abmil; attention guided on annotated tiles by the pairwise rank loss of Kim et al., λ = 2)");
    page_has(made->page,
             "trained on the cross-entropy of slide labels by Adam: learning rate 0.0002, at most 90 epochs; the best epoch was kept");
    page_has(made->page, "chosen by Youden’s index on validation slides");
    page_has(made->page, "doi     = {10.2196/84417}");
}

static void test_subgroups(void) {
    const char *const columns[] = {"site", "age", NULL};
    const RmilReportOptions options = {"A title of <its> own", columns};
    g_autoptr(Made) made = made_new(&options);
    g_autoptr(RmilTable) site = table_in(made, "subgroup-site"), age = table_in(made, "subgroup-age");
    page_has(made->page, "<h1>A title of &lt;its&gt; own</h1>");
    static const char *const expected[] = {"north", "south, \"old\"", "not known"};
    g_assert_cmpint(rmil_table_rows(site), ==, 3);
    for (int g = 0; g < 3; g++) {
        int labels[SLIDES], n = 0, hits = 0, positives = 0;
        double scores[SLIDES];
        for (int i = 0; i < SLIDES; i++) {
            if (strcmp(*site_of(i) ? site_of(i) : "not known", expected[g]) != 0) continue;
            labels[n] = made->label[i];
            positives += labels[n];
            hits += labels[n] && made->mean[1][i] >= cuts[1];
            scores[n++] = made->mean[1][i];
        }
        RmilMetrics metrics;
        RmilInterval interval;
        double variance;
        rmil_metrics(labels, scores, n, 0.5, &metrics);
        rmil_delong(labels, scores, n, 0.95, &variance, &interval);
        g_autofree char *auroc = shown(metrics.auroc, interval.low, interval.high), *count = g_strdup_printf("%d", n),
                        *found = g_strdup_printf("%.3f (%d/%d)", (double)hits / positives, hits, positives);
        g_assert_cmpstr(cell(site, g, "site"), ==, expected[g]);
        g_assert_cmpstr(cell(site, g, "Slides"), ==, count);
        g_assert_cmpstr(cell(site, g, "AUROC"), ==, auroc);
        g_assert_true(g_str_has_prefix(cell(site, g, "Sensitivity"), found));
    }
    /* 45 ages, each once: thirds of 15 */
    g_assert_cmpint(rmil_table_rows(age), ==, 3);
    for (int g = 0; g < 3; g++) g_assert_cmpstr(cell(age, g, "Slides"), ==, "15");
    g_assert_cmpstr(cell(age, 0, "age"), ==, "up to 44");
    g_assert_cmpstr(cell(age, 2, "age"), ==, "above 59");
    const char *const unknown[] = {"scanner", NULL};
    const RmilReportOptions wrong = {NULL, unknown};
    g_autofree char *path = g_build_filename(made->folder, "other.html", NULL);
    GError *error = NULL;
    g_assert_false(rmil_report_write_as(made->folder, path, &wrong, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "there is no column \"scanner\"");
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/present/report-numbers/measures", test_measures);
    g_test_add_func("/present/report-numbers/cut", test_cut);
    g_test_add_func("/present/report-numbers/calibration", test_calibration);
    g_test_add_func("/present/report-numbers/calibrated", test_calibrated);
    g_test_add_func("/present/report-numbers/moving", test_moving);
    g_test_add_func("/present/report-numbers/patients", test_patients);
    g_test_add_func("/present/report-numbers/flow", test_flow);
    g_test_add_func("/present/report-numbers/subgroups", test_subgroups);
    return g_test_run();
}
