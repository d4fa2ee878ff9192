/* SPDX-License-Identifier: Apache-2.0 */
/* anchors DIR [--methods a,b] [--splits 12,36] [--threads N] [--bfloat16] [--margin M] [--shift N] [--region-size N]: trains every
 * method on the fixed splits of a folder of bags (cohort.csv, splits_N.csv, anchors.csv with the AUROC that the released PyTorch
 * code reaches, if any) and prints the mean test AUROC beside the anchor's, with the standard error of the mean difference over
 * the splits. */
#include "rankmil/cohort.h"
#include "rankmil/mil.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *size; /* "12" */
    const RmilTrainMethod *method;
    int column;
    guint64 seed;
    double auroc, anchor;
    int64_t epochs;
} Run;

typedef struct {
    RmilCohort *cohort;
    const RmilBag **bags;
    RmilTarget *targets;
    Run *runs;
    RmilTable *splits[2];
    const char *sizes[2];
    double margin;
    int region; /* rows and columns of HIPT's regions, 0: the paper's */
} Anchors;

static gboolean fail(GError *error) {
    fprintf(stderr, "anchors: %s\n", error->message);
    g_error_free(error);
    return FALSE;
}

static double auroc(const RmilTarget *targets, const double *scores, const int64_t *set, int64_t count) {
    double right = 0, pairs = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++)
            if (targets[set[i]].label == 1 && targets[set[j]].label == 0) {
                right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
                pairs++;
            }
    return right / pairs;
}

static gboolean train(int64_t index, int worker, gpointer user, GError **error) {
    Anchors *a = user;
    Run *run = &a->runs[index];
    const RmilTable *splits = a->splits[strcmp(run->size, a->sizes[0]) != 0];
    const int64_t n = a->cohort->count;
    g_autofree int64_t *sets = g_new(int64_t, 3 * n);
    int64_t counts[3] = {0};
    for (int64_t row = 0; row < rmil_table_rows(splits); row++)
        for (int64_t i = 0; i < n; i++) {
            if (strcmp(a->cohort->rows[i].id, rmil_table_cell(splits, row, 0)) != 0) continue;
            const char *cell = rmil_table_cell(splits, row, run->column);
            for (int s = 0; s < 3; s++)
                if (strcmp(cell, rmil_split_name((RmilSplit)(RMIL_SPLIT_TRAIN + s))) == 0) sets[s * n + counts[s]++] = i;
        }
    RmilModelConfig config;
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.seed = run->seed;
    protocol.threads = 1;
    if (!rmil_model_config_init(&config, run->method->model, run->method->guide, error)) return FALSE;
    config.margin = a->margin;
    if (a->region > 0 && !rmil_model_config_set(&config, "region-size", (double)a->region, error)) return FALSE;
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = rmil_train(&config, &protocol, a->bags, a->targets, sets, counts[0], sets + n, counts[1], NULL, history,
                                            NULL, error);
    if (!model) return FALSE;
    run->epochs = history->len;
    g_autofree double *scores = g_new(double, counts[2]);
    for (int64_t i = 0; i < counts[2]; i++) {
        RmilPrediction prediction;
        if (!rmil_model_predict(model, a->bags[sets[2 * n + i]], NULL, &prediction, NULL, NULL, error)) return FALSE;
        scores[i] = prediction.logit;
    }
    run->auroc = auroc(a->targets, scores, sets + 2 * n, counts[2]);
    return TRUE;
}

static double anchor_of(const RmilTable *table, const char *size, const char *method, guint64 seed) {
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, seed);
    for (int64_t i = 0; i < rmil_table_rows(table); i++)
        if (strcmp(rmil_table_cell(table, i, 0), size) == 0 && strcmp(rmil_table_cell(table, i, 1), method) == 0 &&
            strcmp(rmil_table_cell(table, i, 2), text) == 0)
            return g_ascii_strtod(rmil_table_cell(table, i, 3), NULL);
    return NAN;
}

static void print(const Run *runs, guint count) {
    printf("%-6s %-10s %8s %8s %10s %8s %7s\n", "bags", "method", "AUROC", "anchor", "difference", "SE", "epochs");
    for (guint i = 0; i < count;) {
        double sum = 0, anchor = 0, squares = 0, epochs = 0;
        guint j = i;
        for (; j < count && runs[j].method == runs[i].method && runs[j].size == runs[i].size; j++) {
            double d = runs[j].auroc - runs[j].anchor;
            sum += runs[j].auroc, anchor += runs[j].anchor, squares += d * d, epochs += (double)runs[j].epochs;
        }
        double n = j - i, mean = (sum - anchor) / n;
        printf("%-6s %-10s %8.4f %8.4f %+10.4f %8.4f %7.1f\n", runs[i].size, runs[i].method->name, sum / n, anchor / n, mean,
               sqrt((squares / n - mean * mean) / (n - 1)), epochs / n);
        i = j;
    }
}

int main(int argc, char **argv) {
    g_autofree char *only = NULL, *sizes = NULL;
    int threads = 0, shift = 0, region = 0;
    double margin = 1;
    gboolean bfloat16 = FALSE;
    const GOptionEntry entries[] = {{"methods", 0, 0, G_OPTION_ARG_STRING, &only, "methods, separated by commas", "LIST"},
                                    {"splits", 0, 0, G_OPTION_ARG_STRING, &sizes, "12, 36 or both", "LIST"},
                                    {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "runs at once", "N"},
                                    {"margin", 0, 0, G_OPTION_ARG_DOUBLE, &margin, "of the rank loss", "M"},
                                    {"shift", 0, 0, G_OPTION_ARG_INT, &shift, "added to every seed, the splits kept", "N"},
                                    {"region-size", 0, 0, G_OPTION_ARG_INT, &region, "rows and columns of HIPT's regions", "N"},
                                    {"bfloat16", 0, 0, G_OPTION_ARG_NONE, &bfloat16, "features in bfloat16", NULL},
                                    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new("DIR");
    g_option_context_add_main_entries(context, entries, NULL);
    GError *error = NULL;
    if (!g_option_context_parse(context, &argc, &argv, &error)) return fail(error) + 2;
    if (argc != 2) return fprintf(stderr, "usage: anchors DIR\n"), 2;
    g_auto(GStrv) chosen = only ? g_strsplit(only, ",", -1) : NULL, size_list = g_strsplit(sizes ? sizes : "12,36", ",", 2);

    g_autofree char *cohort_path = g_build_filename(argv[1], "cohort.csv", NULL);
    g_autofree char *anchor_path = g_build_filename(argv[1], "anchors.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(cohort_path, &error);
    g_autoptr(RmilTable) anchors = cohort ? rmil_table_read(anchor_path, &error) : NULL;
    if (!anchors) return fail(error) + 1;
    g_autofree const RmilBag **bags = g_new0(const RmilBag *, cohort->count);
    g_autofree RmilTarget *targets = g_new(RmilTarget, cohort->count);
    for (int64_t i = 0; i < cohort->count; i++) {
        targets[i] = cohort->rows[i].target;
        bags[i] = rmil_bag_read(cohort->rows[i].features, cohort->rows[i].id, bfloat16 ? RMIL_BFLOAT16 : RMIL_FLOAT32, RMIL_BAG_ALL,
                                &error);
        if (!bags[i]) return fail(error) + 1;
    }
    Anchors a = {.cohort = cohort, .bags = bags, .targets = targets, .margin = margin, .region = region};
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(Run));
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (int s = 0; s < 2 && size_list[s]; s++) {
        g_autofree char *name = g_strdup_printf("splits_%s.csv", size_list[s]), *path = g_build_filename(argv[1], name, NULL);
        a.sizes[s] = size_list[s];
        a.splits[s] = rmil_table_read(path, &error);
        if (!a.splits[s]) return fail(error) + 1;
        for (gsize m = 0; m < count; m++) {
            if (chosen && !g_strv_contains((const char *const *)chosen, methods[m].name)) continue;
            for (int column = 1; column < rmil_table_columns(a.splits[s]); column++) {
                guint64 seed = g_ascii_strtoull(rmil_table_name(a.splits[s], column) + strlen("seed_"), NULL, 10);
                Run run = {.size = size_list[s],
                           .method = &methods[m],
                           .column = column,
                           .seed = seed + (guint64)shift,
                           .anchor = anchor_of(anchors, size_list[s], methods[m].name, seed)};
                g_array_append_val(runs, run);
            }
        }
    }
    a.runs = (Run *)(void *)runs->data;
    gint64 start = g_get_monotonic_time();
    gboolean done = rmil_parallel(runs->len, threads, train, &a, &error);
    if (done) {
        print(a.runs, runs->len);
        printf("%u runs in %.1f s\n", runs->len, (double)(g_get_monotonic_time() - start) * 1e-6);
    }
    for (int64_t i = 0; i < cohort->count; i++) rmil_bag_free((RmilBag *)bags[i]);
    for (int s = 0; s < 2; s++) rmil_table_free(a.splits[s]);
    return done ? 0 : fail(error) + 1;
}
