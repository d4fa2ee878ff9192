/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a plan. */
#include "plan.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

gboolean rmil_study_plan_data_options(const RmilStudyPlan *plan, const RmilTrainOptions *base, RmilTrainOptions *options, GError **error) {
    return rmil_plan_options(plan, plan->reference, 0, base, options, error); /* options of the data are the same for every method */
}

/* "0, 1, 2": the seeds, for a message. */
static char *spoken_seeds(const GArray *repeats) {
    enum { MOST = 12 };
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < MIN(repeats->len, (guint)MOST); i++)
        g_string_append_printf(out, "%s%" G_GINT64_FORMAT, i ? ", " : "", g_array_index(repeats, RmilRepeat, i).seed);
    return g_string_free(g_string_append(out, repeats->len > MOST ? ", …" : ""), FALSE);
}

static gboolean has_seed(const GArray *repeats, int64_t seed) {
    for (guint i = 0; i < repeats->len; i++)
        if (g_array_index(repeats, RmilRepeat, i).seed == seed) return TRUE;
    return FALSE;
}

/* From a split file: as many columns as the plan says, or those whose seeds it lists, all of which must exist. */
static gboolean choose_columns(const RmilStudyPlan *plan, GArray *repeats, GError **error) {
    const GArray *seeds = plan->seeds;
    if (plan->counted) {
        g_array_set_size(repeats, MIN(repeats->len, seeds->len));
        return TRUE;
    }
    for (guint s = 0; s < seeds->len; s++) {
        if (has_seed(repeats, g_array_index(seeds, int64_t, s))) continue;
        g_autofree char *known = spoken_seeds(repeats);
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: no column's name ends in the seed %" G_GINT64_FORMAT "; the columns have the "
                         "seeds %s",
                         plan->splits, g_array_index(seeds, int64_t, s), known);
    }
    for (guint i = repeats->len; i-- > 0 && seeds->len;) {
        gboolean wanted = FALSE;
        for (guint s = 0; s < seeds->len; s++)
            wanted = wanted || g_array_index(repeats, RmilRepeat, i).seed == g_array_index(seeds, int64_t, s);
        if (!wanted) g_array_remove_index(repeats, i);
    }
    if (strcmp(plan->kind, "train") == 0) g_array_set_size(repeats, 1);
    return TRUE;
}

GArray *rmil_study_plan_repeats(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error) {
    if (plan->by_site && !cohort->by_site) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the plan keeps sites whole (by_site), but the cohort was read without sites",
                  cohort->path);
        return NULL;
    }
    if (plan->splits) {
        g_autoptr(GArray) repeats = rmil_repeats_read(cohort, plan->splits, error);
        return repeats && choose_columns(plan, repeats, error) ? g_steal_pointer(&repeats) : NULL;
    }
    RmilTrainOptions options;
    GArray *repeats = NULL;
    if (rmil_study_plan_data_options(plan, base, &options, error))
        repeats = rmil_train_options_repeats(&options, cohort, (const int64_t *)(void *)plan->seeds->data, plan->seeds->len, error);
    rmil_train_options_clear(&options);
    return repeats;
}

RmilStudyRun rmil_plan_run(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilRepeat *repeat) {
    RmilStudyRun run = {.method = method->name, .split = repeat->name, .seed = repeat->seed};
    rmil_plan_cell(plan, cell, run.varied);
    run.value = plan->n_axes == 1 ? run.varied[0].number : NAN;
    return run;
}

char *rmil_study_run_title(const RmilStudyRun *run) {
    GString *out = g_string_new(run->method);
    for (int i = 0; i < RMIL_VARIED && run->varied[i].name; i++)
        g_string_append_printf(out, ", %s %s", run->varied[i].name, run->varied[i].text);
    if (*run->split) g_string_append_printf(out, ", split %s", run->split);
    else g_string_append_printf(out, ", seed %" G_GINT64_FORMAT, run->seed);
    return g_string_free(out, FALSE);
}

GPtrArray *rmil_study_plan_runs(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error) {
    g_autoptr(GArray) repeats = rmil_study_plan_repeats(plan, cohort, base, error);
    if (!repeats) return NULL;
    GPtrArray *titles = g_ptr_array_new_with_free_func(g_free);
    for (guint m = 0; m < plan->methods->len; m++)
        for (guint v = 0; v < rmil_plan_cells(plan); v++)
            for (guint r = 0; r < repeats->len; r++) {
                const RmilStudyRun run = rmil_plan_run(plan, plan->methods->pdata[m], v, &g_array_index(repeats, RmilRepeat, r));
                g_ptr_array_add(titles, rmil_study_run_title(&run));
            }
    return titles;
}

char *rmil_padding_name(double padding) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    return g_strdup(g_ascii_formatd(text, sizeof text, "%.15g", padding));
}
