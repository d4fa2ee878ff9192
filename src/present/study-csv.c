/* The study's numbers with all digits, each with the runs it was computed from. */
#include "study-report.h"

#include <math.h>
#include <string.h>

enum { KEY_SHOWN = 12 }; /* characters of a run's key, enough to be found by: runs.csv has the whole one */

/* The shortest text that reads back as the same number; empty for NaN. */
static void add_number(GString *out, double value, char after) {
    char text[G_ASCII_DTOSTR_BUF_SIZE] = "";
    for (int digits = 6; !isnan(value) && digits <= 17; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, value);
        if (g_ascii_strtod(text, NULL) == value) break;
    }
    g_string_append(out, text);
    g_string_append_c(out, after);
}

static void add_integer(GString *out, int64_t value, char after) { g_string_append_printf(out, "%" G_GINT64_FORMAT "%c", value, after); }

static void add_runs(GString *out, const RmilMethodSummary *one, char after) {
    for (guint s = 0; s < one->method->seeds->len; s++)
        g_string_append_printf(out, "%s%.*s", s ? " " : "", KEY_SHOWN, ((RmilSeedRun *)one->method->seeds->pdata[s])->key);
    g_string_append_c(out, after);
}

/* method,value, */
static void add_place(GString *out, const RmilLevel *level, const RmilMethodSummary *one) {
    rmil_csv_append(out, one->method->name, ',');
    add_number(out, level->value, ',');
}

typedef void (*RowsOf)(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method);

static GString *each(const RmilStudyReport *study, const char *header, RowsOf rows) {
    GString *out = g_string_new(header);
    for (int i = 0; i < study->n_levels; i++)
        for (int m = 0; m < study->levels[i].summary->n; m++) rows(out, &study->levels[i], &study->levels[i].summary->methods[m], m);
    return out;
}

static void run_rows(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int64_t s = 0; s < one->seeds; s++) {
        const RmilSeedRun *seed = one->method->seeds->pdata[s];
        g_string_append_printf(out, "%.*s,", KEY_SHOWN, seed->key);
        rmil_csv_append(out, seed->key, ',');
        add_place(out, level, one);
        rmil_csv_append(out, seed->split ? seed->split : "", ',');
        add_integer(out, seed->seed, ',');
        add_integer(out, seed->cases->len, ',');
        for (int i = 0; i < RMIL_N_METRICS; i++) add_number(out, one->by_seed[s * RMIL_N_METRICS + i], i + 1 < RMIL_N_METRICS ? ',' : '\n');
    }
}

static void result_rows(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int i = 0; i < RMIL_N_METRICS; i++) {
        int64_t n = 0;
        for (int64_t s = 0; s < one->seeds; s++) n += !isnan(one->by_seed[s * RMIL_N_METRICS + i]);
        add_place(out, level, one);
        rmil_csv_append(out, rmil_metric_names[i], ',');
        add_number(out, one->mean[i], ',');
        add_number(out, one->sd[i], ',');
        add_integer(out, n, ',');
        add_runs(out, one, '\n');
    }
}

static void pooled_rows(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    for (int i = 0; i < RMIL_N_METRICS && one->tests != RMIL_TESTS_MIXED; i++) {
        add_place(out, level, one);
        rmil_csv_append(out, rmil_metric_names[i], ',');
        add_number(out, one->value[i], ',');
        add_number(out, one->interval[i].low, ',');
        add_number(out, one->interval[i].high, ',');
        g_string_append_printf(out, "%s,", one->interval[i].method ? one->interval[i].method : "");
        add_integer(out, one->positives, ',');
        add_integer(out, one->negatives, ',');
        add_runs(out, one, '\n');
    }
}

static void localisation_rows(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    const RmilRunSummary *s = level->summary;
    for (int a = 0; a < s->n_alphas; a++) {
        const RmilLocalSummary *local = &s->locals[method * s->n_alphas + a];
        if (isnan(local->iou)) continue;
        const double values[] = {s->alphas[a], local->iou, local->iou_sd, local->dice, local->dice_sd, local->pointing, local->pointing_sd};
        add_place(out, level, one);
        for (gsize i = 0; i < G_N_ELEMENTS(values); i++) add_number(out, values[i], ',');
        add_runs(out, one, '\n');
    }
}

static void attention_rows(GString *out, const RmilLevel *level, const RmilMethodSummary *one, int method) {
    RmilElsewhere off = rmil_study_elsewhere(one);
    if (off.slides == 0) return;
    add_place(out, level, one);
    add_number(out, off.mean, ',');
    add_number(out, off.sd_slides, ',');
    add_number(out, off.sd_runs, ',');
    add_integer(out, off.slides, ',');
    add_runs(out, one, '\n');
}

static void add_test(GString *out, const RmilStudyTest *test, int metric, const char *name, double p, double corrected) {
    const RmilMethodSummary *a = &test->summary->methods[test->summary->reference], *b = &test->summary->methods[test->comparison->other];
    const char *const texts[] = {test->level, rmil_metric_names[metric], name, a->method->name, b->method->name};
    gboolean delong = strcmp(name, "DeLong") == 0;
    if (isnan(p)) return;
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) rmil_csv_append(out, texts[i], ',');
    add_number(out, delong ? a->value[metric] : a->mean[metric], ',');
    add_number(out, delong ? b->value[metric] : b->mean[metric], ',');
    add_number(out, p, ',');
    add_number(out, corrected, ',');
    add_runs(out, a, ',');
    add_runs(out, b, '\n');
}

static GString *test_rows(const RmilStudyReport *study) {
    GString *out = g_string_new("level,metric,test,a,b,value_a,value_b,p,p_holm,runs_a,runs_b\n");
    g_autoptr(GArray) tests = rmil_study_all_tests(study);
    for (guint i = 0; i < tests->len; i++) {
        const RmilStudyTest *test = &g_array_index(tests, RmilStudyTest, i);
        for (int m = 0; m < RMIL_N_METRICS; m++) {
            add_test(out, test, m, "Mann-Whitney U", test->comparison->mann_whitney[m], test->mann_whitney[m]);
            add_test(out, test, m, "Wilcoxon", test->comparison->wilcoxon[m], test->wilcoxon[m]);
        }
        if (test->pooled) add_test(out, test, 0, "DeLong", test->comparison->delong, test->delong);
    }
    return out;
}

/* Writes and frees; a table without rows is not written. */
static gboolean write_table(const char *folder, const char *name, GString *text, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    const char *end = strchr(text->str, '\n');
    gboolean good = end[1] == '\0' || rmil_file_write(path, text->str, text->len, error);
    g_string_free(text, TRUE);
    return good;
}

gboolean rmil_study_csv_write(const RmilStudyReport *study, const char *folder, GError **error) {
    static const struct {
        const char *name, *header;
        RowsOf rows;
    } tables[] = {
        {"runs.csv", "run,key,method,value,split,seed,test_slides,auroc,auprc,average_precision,accuracy,sensitivity,specificity\n",
         run_rows},
        {"results.csv", "method,value,metric,mean,sd,n,runs\n", result_rows},
        {"pooled.csv", "method,value,metric,estimate,low,high,interval,positives,negatives,runs\n", pooled_rows},
        {"localisation.csv", "method,value,alpha,iou,iou_sd,dice,dice_sd,pointing,pointing_sd,runs\n", localisation_rows},
        {"attention.csv", "method,value,off_lesion,sd_slides,sd_runs,slides,runs\n", attention_rows},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(tables); i++)
        if (!write_table(folder, tables[i].name, each(study, tables[i].header, tables[i].rows), error)) return FALSE;
    return write_table(folder, "tests.csv", test_rows(study), error);
}
