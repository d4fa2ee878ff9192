/* SPDX-License-Identifier: Apache-2.0 */
/* A study's record in memory, by the values of what varies. */
#include "levels.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

/* -- what varies ---------------------------------------------------------------------------------------------------------- */
const RmilVariation *rmil_study_papers(const RmilStudyReport *study) {
    const RmilVariation *what = study->n_axes == 1 ? study->axes[0].what : NULL;
    return what && what->count && !what->ours ? what : NULL;
}

const RmilLevel *rmil_study_level(const RmilStudyReport *study, guint first, guint second) {
    for (int i = 0; i < study->n_levels; i++)
        if (study->levels[i].at[0] == first && study->levels[i].at[1] == second) return &study->levels[i];
    return NULL;
}

/* Index of a value on its axis, or G_MAXUINT. */
static guint place_of(const RmilStudyAxis *axis, const char *text) {
    for (guint i = 0; i < axis->values->len; i++)
        if (strcmp(g_array_index(axis->values, RmilVaried, i).text, text) == 0) return i;
    return G_MAXUINT;
}

static int compare_numbers(gconstpointer a, gconstpointer b) {
    const double x = ((const RmilVaried *)a)->number, y = ((const RmilVaried *)b)->number;
    return (x > y) - (x < y);
}

/* Every planned value, done or not. */
static void find_axes(RmilStudyReport *study, const RmilStudy *record) {
    for (int64_t i = 0; i < rmil_study_count(record); i++) {
        const RmilStudyRun *run = rmil_study_run(record, i);
        for (int v = 0; v < RMIL_VARIED && run->varied[v].name; v++) {
            RmilStudyAxis *axis = &study->axes[v];
            if (v == study->n_axes) {
                *axis = (RmilStudyAxis){.name = run->varied[v].name, .what = rmil_variation_find(run->varied[v].name)};
                axis->values = g_array_new(FALSE, FALSE, sizeof(RmilVaried));
                study->n_axes++;
            }
            axis->words = axis->words || isnan(run->varied[v].number);
            if (place_of(axis, run->varied[v].text) == G_MAXUINT) g_array_append_val(axis->values, run->varied[v]);
        }
    }
    for (int v = 0; v < study->n_axes; v++)
        if (!study->axes[v].words) g_array_sort(study->axes[v].values, compare_numbers);
    const RmilStudyAxis *first = &study->axes[0];
    if (study->n_axes > 1) study->axis = g_strdup_printf("%s, %s", first->name, study->axes[1].name);
    else study->axis = g_strdup(study->n_axes == 0 ? "" : first->what ? first->what->axis : first->name);
}

static char *spoken(const RmilVaried *varied) {
    g_autofree char *first = varied[0].name ? rmil_varied_spoken(&varied[0], !varied[1].name) : g_strdup("");
    g_autofree char *second = varied[1].name ? rmil_varied_spoken(&varied[1], FALSE) : NULL;
    return g_strconcat(first, second ? ", " : NULL, second, NULL);
}

/* -- one training ---------------------------------------------------------------------------------------------------- */
static gboolean add_training(RmilStudyReport *study, RmilStudy *record, int64_t index, RmilMethod *method, GError **error) {
    const RmilStudyRun *run = rmil_study_run(record, index);
    RmilSeedRun *seed = rmil_seed_run_new(run->seed);
    g_ptr_array_add(method->seeds, seed);
    if (run->seconds > 0) study->seconds += run->seconds;
    return rmil_seed_run_fill(seed, record, index, error);
}

/* -- levels and methods ----------------------------------------------------------------------------------------------- */
static gboolean same_values(const RmilVaried *a, const RmilVaried *b) {
    for (int v = 0; v < RMIL_VARIED; v++)
        if (g_strcmp0(a[v].text, b[v].text) != 0) return FALSE;
    return TRUE;
}

static RmilLevel *find_level(RmilStudyReport *study, const RmilVaried *varied) {
    for (int i = 0; i < study->n_levels; i++)
        if (same_values(study->levels[i].varied, varied)) return &study->levels[i];
    return NULL;
}

static RmilMethod *find_method(GPtrArray *methods, const char *name) {
    for (guint i = 0; i < methods->len; i++)
        if (strcmp(((RmilMethod *)methods->pdata[i])->name, name) == 0) return methods->pdata[i];
    return NULL;
}

static int compare_levels(gconstpointer a, gconstpointer b) {
    const guint *x = ((const RmilLevel *)a)->at, *y = ((const RmilLevel *)b)->at;
    return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

static int compare_methods(gconstpointer a, gconstpointer b) {
    const RmilMethod *x = *(RmilMethod *const *)a, *y = *(RmilMethod *const *)b;
    int i = rmil_method_order(x->name), j = rmil_method_order(y->name);
    return i != j ? (i > j) - (i < j) : strcmp(x->name, y->name);
}

static void add_level(RmilStudyReport *study, const RmilStudyRun *run) {
    RmilLevel *level = &study->levels[study->n_levels++];
    const RmilVariation *what = study->n_axes == 1 ? study->axes[0].what : NULL;
    memcpy(level->varied, run->varied, sizeof level->varied);
    for (int v = 0; v < study->n_axes; v++) level->at[v] = run->varied[v].text ? place_of(&study->axes[v], run->varied[v].text) : 0;
    level->shown = study->n_axes == 1 ? run->varied[0].number * (what ? what->scale : 1) : NAN;
    level->text = spoken(run->varied);
    level->run = rmil_results_new(study->folder);
    level->run->task = study->task;
    level->run->reference = g_strdup(study->reference);
}

/* All methods of the plan, and the levels that have finished trainings. */
static void lay_out(RmilStudyReport *study, const RmilStudy *record) {
    int64_t count = rmil_study_count(record);
    study->levels = g_new0(RmilLevel, count);
    for (int64_t i = 0; i < count; i++) {
        const RmilStudyRun *run = rmil_study_run(record, i);
        if (!find_method(study->methods, run->method)) g_ptr_array_add(study->methods, rmil_method_new(run->method));
        if (run->done && !find_level(study, run->varied)) add_level(study, run);
    }
    qsort(study->levels, (size_t)study->n_levels, sizeof *study->levels, compare_levels);
    g_ptr_array_sort(study->methods, compare_methods);
    gsize known;
    rmil_methods(&known);
    for (guint i = 0; i < study->methods->len; i++) /* unknown methods get the styles that are still free */
        if (rmil_method_order(((RmilMethod *)study->methods->pdata[i])->name) >= (int)known)
            ((RmilMethod *)study->methods->pdata[i])->style = (int)i % (int)known + 1;
}

static RmilMethod *method_at(RmilStudyReport *study, RmilLevel *level, const char *name) {
    RmilMethod *method = find_method(level->run->methods, name);
    if (method) return method;
    method = rmil_method_new(name);
    method->style = find_method(study->methods, name)->style;
    g_ptr_array_add(level->run->methods, method);
    return method;
}

/* "AB-MIL, 20 %: 3 of 10". */
static void add_left(RmilStudyReport *study, const RmilStudy *record) {
    int64_t count = rmil_study_count(record);
    for (int64_t i = 0; i < count;) { /* runs with the same method and value are consecutive */
        const RmilStudyRun *first = rmil_study_run(record, i);
        int64_t all = 0, done = 0;
        for (; i < count; i++, all++) {
            const RmilStudyRun *run = rmil_study_run(record, i);
            if (strcmp(run->method, first->method) != 0 || !same_values(run->varied, first->varied)) break;
            done += run->done;
        }
        if (done == all) continue;
        g_autofree char *value = spoken(first->varied);
        g_ptr_array_add(study->left,
                        g_strdup_printf("%s%s%s: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " done",
                                        find_method(study->methods, first->method)->title, *value ? ", " : "", value, done, all));
    }
}

static gboolean fill(RmilStudyReport *study, RmilStudy *record, GError **error) {
    for (int64_t i = 0; i < rmil_study_count(record); i++) {
        const RmilStudyRun *run = rmil_study_run(record, i);
        if (!run->done) continue;
        if (!add_training(study, record, i, method_at(study, find_level(study, run->varied), run->method), error)) return FALSE;
    }
    for (int i = 0; i < study->n_levels; i++) g_ptr_array_sort(study->levels[i].run->methods, compare_methods);
    return TRUE;
}

/* -- statistics -------------------------------------------------------------------------------------------------------- */
/* Treats each level as a method, so that levels can be compared with the first. */
static void summarise_along(RmilStudyReport *study) {
    for (int i = 0; i < study->n_levels; i++)
        if (study->levels[i].run->methods->len != 1) return;
    if (study->n_levels < 2) return;
    study->along = rmil_results_new(study->folder);
    study->along->reference = g_strdup(study->levels[0].text);
    for (int i = 0; i < study->n_levels; i++) {
        const RmilMethod *one = study->levels[i].run->methods->pdata[0];
        RmilMethod *method = rmil_method_new(study->levels[i].text);
        g_ptr_array_set_free_func(method->seeds, NULL); /* they belong to the level */
        for (guint s = 0; s < one->seeds->len; s++) g_ptr_array_add(method->seeds, one->seeds->pdata[s]);
        g_ptr_array_add(study->along->methods, method);
    }
    study->along_summary = rmil_summarise(study->along->methods, &study->task, study->along->reference);
}

static void summarise(RmilStudyReport *study) {
    g_autoptr(GHashTable) slides = g_hash_table_new(g_str_hash, g_str_equal);
    for (int i = 0; i < study->n_levels; i++) {
        RmilSummary *summary = study->levels[i].summary = rmil_summarise(study->levels[i].run->methods, &study->task, study->reference);
        for (int m = 0; m < summary->n; m++)
            for (guint s = 0; s < summary->methods[m].pooled->len; s++)
                g_hash_table_add(slides, (gpointer)g_array_index(summary->methods[m].pooled, RmilPredictionRow, s).slide);
    }
    study->slides = g_hash_table_size(slides);
    summarise_along(study);
}

/* -- a folder --------------------------------------------------------------------------------------------------------------- */
static RmilStudyReport *report_new(const char *folder, const RmilTask *task) {
    RmilStudyReport *study = g_new0(RmilStudyReport, 1);
    study->folder = g_strdup(folder);
    study->task = *task;
    study->measures = rmil_measures(task, &study->n_measures);
    study->methods = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_method_free);
    study->left = g_ptr_array_new_with_free_func(g_free);
    return study;
}

/* A run is a study in which nothing varies. */
static RmilStudyReport *read_run(const char *folder, GError **error) {
    RmilResults *run = rmil_results_read(folder, error);
    if (!run) return NULL;
    RmilStudyReport *study = report_new(folder, &run->task);
    study->of_run = TRUE;
    study->axis = g_strdup("");
    study->kind = g_strdup(run->single ? "train" : "run");
    study->reference = g_strdup(run->reference ? run->reference : rmil_method_reference()->name);
    study->levels = g_new0(RmilLevel, 1);
    study->levels[study->n_levels++] = (RmilLevel){.shown = NAN, .text = g_strdup(""), .run = run};
    for (guint m = 0; m < run->methods->len; m++) {
        const RmilMethod *method = run->methods->pdata[m];
        g_ptr_array_add(study->methods, rmil_method_new(method->name));
        study->done += method->seeds->len;
    }
    study->planned = study->done;
    summarise(study);
    return study;
}

/* A record whose runs have no folders is that of a study. */
static gboolean is_study(const char *folder, RmilStudy **record, GError **error) {
    if (!rmil_study_exists(folder)) return TRUE;
    g_autoptr(RmilStudy) one = rmil_study_open(folder, error);
    const char *kind = one ? rmil_study_value(one, "kind") : "";
    if (one && strcmp(kind, "run") != 0 && strcmp(kind, "train") != 0) *record = g_steal_pointer(&one);
    return one || *record;
}

RmilStudyReport *rmil_study_report_read(const char *folder, GError **error) {
    RmilStudy *record = NULL;
    if (!is_study(folder, &record, error)) return NULL;
    if (!record) return read_run(folder, error);
    g_autoptr(RmilStudyReport) study = report_new(folder, rmil_study_task(record));
    study->record = record;
    study->kind = g_strdup(rmil_study_value(record, "kind"));
    study->title = g_strdup(rmil_study_value(record, "title"));
    study->plan = g_strdup(rmil_study_value(record, "plan"));
    study->cohort = g_strdup(rmil_study_value(record, "cohort"));
    study->reference = g_strdup(rmil_study_value(record, "reference"));
    study->planned = rmil_study_count(record);
    study->done = rmil_study_done(record);
    if (study->done == 0) {
        rmil_fail(error, RMIL_ERROR_DATA,
                  "%s: none of the study's %" G_GINT64_FORMAT " runs has finished, so there is nothing to "
                  "report yet",
                  folder, study->planned);
        return NULL;
    }
    find_axes(study, record);
    lay_out(study, record);
    add_left(study, record);
    if (!fill(study, record, error)) return NULL;
    summarise(study);
    return g_steal_pointer(&study);
}

void rmil_study_report_free(RmilStudyReport *study) {
    if (!study) return;
    g_clear_pointer(&study->along_summary, rmil_summary_free);
    g_clear_pointer(&study->along, rmil_results_free);
    for (int i = 0; i < study->n_levels; i++) {
        rmil_summary_free(study->levels[i].summary);
        rmil_results_free(study->levels[i].run);
        g_free(study->levels[i].text);
    }
    g_free(study->levels);
    for (int v = 0; v < study->n_axes; v++) g_array_unref(study->axes[v].values);
    g_ptr_array_unref(study->methods);
    g_ptr_array_unref(study->left);
    rmil_study_free(study->record);
    char *const texts[] = {study->folder, study->kind, study->title, study->axis, study->plan, study->cohort, study->reference};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) g_free(texts[i]);
    g_free(study);
}

const RmilMethodSummary *rmil_level_method(const RmilLevel *level, const char *method) {
    for (int m = 0; m < level->summary->n; m++)
        if (strcmp(level->summary->methods[m].method->name, method) == 0) return &level->summary->methods[m];
    return NULL;
}

const RmilComparison *rmil_level_comparison(const RmilSummary *summary, int method) {
    for (int i = 0; i < summary->n_comparisons; i++)
        if (summary->comparisons[i].other == method) return &summary->comparisons[i];
    return NULL;
}

int rmil_level_reference(const RmilStudyReport *study, const RmilLevel *level) {
    const RmilSummary *summary = level->summary;
    return strcmp(summary->methods[summary->reference].method->name, study->reference) == 0 ? summary->reference : -1;
}

RmilElsewhere rmil_study_elsewhere(const RmilMethodSummary *method) {
    g_autoptr(GHashTable) index = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) sums = g_array_new(FALSE, TRUE, sizeof(double)), counts = g_array_new(FALSE, TRUE, sizeof(double)),
                      runs = g_array_new(FALSE, TRUE, sizeof(double));
    for (guint s = 0; s < method->method->seeds->len; s++) {
        const RmilSeedRun *seed = method->method->seeds->pdata[s];
        double sum = 0;
        guint count = 0;
        for (guint i = 0; i < seed->attentions->len; i++) {
            const RmilAttentionRow *one = &g_array_index(seed->attentions, RmilAttentionRow, i);
            if (isnan(one->lesion_share)) continue;
            guint at = GPOINTER_TO_UINT(g_hash_table_lookup(index, one->slide));
            if (at == 0) {
                at = sums->len + 1;
                g_hash_table_insert(index, (gpointer)one->slide, GUINT_TO_POINTER(at));
                g_array_set_size(sums, at);
                g_array_set_size(counts, at);
            }
            g_array_index(sums, double, at - 1) += 1 - one->lesion_share;
            g_array_index(counts, double, at - 1) += 1;
            sum += 1 - one->lesion_share;
            count++;
        }
        double mean = sum / count;
        if (count) g_array_append_val(runs, mean);
    }
    for (guint i = 0; i < sums->len; i++) g_array_index(sums, double, i) /= g_array_index(counts, double, i);
    RmilElsewhere result = {.slides = (int)sums->len};
    double mean;
    rmil_mean_sd((double *)(void *)sums->data, sums->len, 1, &result.mean, &result.sd_slides);
    rmil_mean_sd((double *)(void *)runs->data, runs->len, 1, &mean, &result.sd_runs);
    return result;
}
