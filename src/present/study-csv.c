/* SPDX-License-Identifier: Apache-2.0 */
/* The study's numbers with all digits, and the runs that each was computed from. */
#include "study-report.h"

#include <math.h>
#include <string.h>

enum { KEY_SHOWN = 12 }; /* characters of a run's key, enough to identify it: runs.csv has the whole key */

/* A folder without a record may have no key. */
static const char *key_of(const RmilSeedRun *seed) { return seed->key ? seed->key : ""; }

static void add_runs(RmilCsv *out, const RmilMethodSummary *one) {
    g_autoptr(GString) runs = g_string_new(NULL);
    for (guint s = 0; s < one->method->seeds->len; s++)
        g_string_append_printf(runs, "%s%.*s", s ? " " : "", KEY_SHOWN, key_of(one->method->seeds->pdata[s]));
    rmil_csv_text(out, runs->str);
}

/* method,value; for a grid, the value of each axis. */
static void add_place(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one) {
    rmil_csv_text(out, one->method->name);
    for (int v = 0; v == 0 || (v < RMIL_VARIED && level->varied[v].name); v++)
        if (!level->varied[v].name || isnan(level->varied[v].number)) rmil_csv_text(out, level->varied[v].text);
        else rmil_csv_number(out, NULL, level->varied[v].number);
}

typedef void (*RowsOf)(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method);

/* For a grid, each axis has a column instead of `value`. */
static RmilCsv *each(const RmilStudyReport *study, const char *header, RowsOf rows) {
    g_autoptr(GString) named = g_string_new(header);
    g_autofree char *axes = study->n_axes > 1 ? g_strdup_printf("%s,%s", study->axes[0].name, study->axes[1].name) : NULL;
    if (axes) g_string_replace(named, "value", axes, 1);
    RmilCsv *out = rmil_csv_new(named->str);
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) rows(out, &study->levels[i], &study->levels[i].summary->methods[m], m);
    return out;
}

static void run_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int64_t s = 0; s < one->seeds; s++) {
        const RmilSeedRun *seed = one->method->seeds->pdata[s];
        g_autofree char *key = g_strndup(key_of(seed), KEY_SHOWN);
        rmil_csv_text(out, key);
        rmil_csv_text(out, key_of(seed));
        add_place(out, level, one);
        rmil_csv_text(out, seed->split);
        rmil_csv_whole(out, seed->seed);
        g_autoptr(GArray) tests = rmil_predictions_of(seed->cases, &level->summary->task, RMIL_SPLIT_TEST);
        rmil_csv_whole(out, tests->len);
        rmil_csv_numbers(out, NULL, one->by_seed + s * RMIL_MEASURES_MOST, level->summary->n_measures);
        rmil_csv_end(out);
    }
}

static void result_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int i = 0; i < level->summary->n_measures; i++) {
        int64_t n = 0;
        for (int64_t s = 0; s < one->seeds; s++) n += !isnan(one->by_seed[s * RMIL_MEASURES_MOST + i]);
        add_place(out, level, one);
        rmil_csv_text(out, level->summary->measures[i].name);
        rmil_csv_numbers(out, NULL, (double[]){one->mean[i], one->sd[i]}, 2);
        rmil_csv_whole(out, n);
        add_runs(out, one);
        rmil_csv_end(out);
    }
}

static void pooled_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int i = 0; i < level->summary->n_measures && one->tests != RMIL_TESTS_MIXED; i++) {
        add_place(out, level, one);
        rmil_csv_text(out, level->summary->measures[i].name);
        rmil_csv_numbers(out, NULL, (double[]){one->value[i], one->interval[i].low, one->interval[i].high}, 3);
        rmil_csv_text(out, one->interval[i].method);
        const gboolean two = level->summary->task.classes == 2;
        rmil_csv_numbers(out, NULL, (double[]){two ? (double)one->positives : NAN, two ? (double)one->negatives : NAN}, 2);
        add_runs(out, one);
        rmil_csv_end(out);
    }
}

static void localisation_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    const RmilSummary *s = level->summary;
    for (int a = 0; a < s->n_alphas; a++) {
        const RmilLocalSummary *local = &s->locals[method * s->n_alphas + a];
        if (isnan(local->iou)) continue;
        const double values[] = {s->alphas[a], local->iou, local->iou_sd, local->dice, local->dice_sd, local->pointing, local->pointing_sd};
        add_place(out, level, one);
        rmil_csv_numbers(out, NULL, values, G_N_ELEMENTS(values));
        add_runs(out, one);
        rmil_csv_end(out);
    }
}

static void found_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int m = 0; m < RMIL_FOUND_COUNT; m++) {
        const RmilFound *found = &level->summary->found[method * RMIL_FOUND_COUNT + m];
        if (!found->cases) continue;
        add_place(out, level, one);
        rmil_csv_text(out, rmil_found_measures()[m].key);
        rmil_csv_numbers(out, NULL, (double[]){found->mean, found->sd, found->interval.low, found->interval.high}, 4);
        rmil_csv_text(out, found->interval.method);
        rmil_csv_whole(out, found->cases);
        add_runs(out, one);
        rmil_csv_end(out);
    }
}

static void attention_rows(RmilCsv *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    RmilElsewhere off = rmil_study_elsewhere(one);
    if (off.slides == 0) return;
    add_place(out, level, one);
    rmil_csv_numbers(out, NULL, (double[]){off.mean, off.sd_slides, off.sd_runs}, 3);
    rmil_csv_whole(out, off.slides);
    add_runs(out, one);
    rmil_csv_end(out);
}

static void add_test(RmilCsv *out, const RmilStudyTest *test, int metric, const char *name, double p, double corrected) {
    const RmilMethodSummary *a = &test->summary->methods[test->summary->reference], *b = &test->summary->methods[test->comparison->other];
    const char *const texts[] = {test->level, test->summary->measures[metric].name, name, a->method->name, b->method->name};
    gboolean delong = strcmp(name, "DeLong") == 0;
    if (isnan(p)) return;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) rmil_csv_text(out, texts[i]);
    const double values[] = {delong ? a->value[metric] : a->mean[metric],
                             delong ? b->value[metric] : b->mean[metric],
                             delong ? test->comparison->interval.low : NAN,
                             delong ? test->comparison->interval.high : NAN,
                             p,
                             corrected};
    rmil_csv_numbers(out, NULL, values, G_N_ELEMENTS(values));
    add_runs(out, a);
    add_runs(out, b);
    rmil_csv_end(out);
}

static RmilCsv *test_rows(const RmilStudyReport *study) {
    RmilCsv *out = rmil_csv_new("level,metric,test,a,b,value_a,value_b,low,high,p,p_holm,runs_a,runs_b");
    g_autoptr(GArray) tests = rmil_study_all_tests(study);
    for (guint i = 0; i < tests->len; i++) {
        const RmilStudyTest *test = &g_array_index(tests, RmilStudyTest, i);
        for (int m = 0; m < study->n_measures; m++) {
            add_test(out, test, m, "Mann-Whitney U", test->comparison->mann_whitney[m], test->mann_whitney[m]);
            add_test(out, test, m, "Wilcoxon", test->comparison->wilcoxon[m], test->wilcoxon[m]);
        }
        if (test->pooled) add_test(out, test, 0, "DeLong", test->comparison->delong, test->delong);
    }
    return out;
}

/* Writes and frees the table; one without rows is not written. */
static gboolean write_table(const char *folder, const char *name, RmilCsv *table, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    gboolean good = rmil_csv_rows(table) == 0 || rmil_csv_write(table, path, error);
    rmil_csv_free(table);
    return good;
}

/* Columns of measures are named by their keys. */
static char *head_of_runs(const RmilStudyReport *study) {
    GString *head = g_string_new("run,key,method,value,split,seed,test_slides");
    for (int i = 0; i < study->n_measures; i++) g_string_append_printf(head, ",%s", study->measures[i].key);
    return g_strdelimit(g_string_free(head, FALSE), "-", '_');
}

gboolean rmil_study_csv_write(const RmilStudyReport *study, const char *folder, GError **error) {
    g_autofree char *runs_head = head_of_runs(study);
    const struct {
        const char *name, *header;
        RowsOf rows;
    } tables[] = {
        {"runs.csv", runs_head, run_rows},
        {"results.csv", "method,value,metric,mean,sd,n,runs", result_rows},
        {"pooled.csv", "method,value,metric,estimate,low,high,interval,positives,negatives,runs", pooled_rows},
        {"localisation.csv", "method,value,alpha,iou,iou_sd,dice,dice_sd,pointing,pointing_sd,runs", localisation_rows},
        {"found.csv", "method,value,measure,mean,sd,low,high,interval,cases,runs", found_rows},
        {"attention.csv", "method,value,off_lesion,sd_slides,sd_runs,slides,runs", attention_rows},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
        if (!write_table(folder, tables[i].name, each(study, tables[i].header, tables[i].rows), error)) return FALSE;
    return write_table(folder, "tests.csv", test_rows(study), error);
}
