/* SPDX-License-Identifier: Apache-2.0 */
/* Study plans: their contents, checks, and text. */
#include "plan.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>

/* -- what varies ------------------------------------------------------------------------------------------------------------- */
void rmil_plan_axis_add(RmilPlanAxis *axis, double value) {
    g_array_append_val(axis->values, value);
    g_ptr_array_add(axis->texts, rmil_variation_text(axis->what, value));
}

void rmil_plan_vary(RmilStudyPlan *plan, const RmilVariation *what, gboolean papers) {
    for (; !what && plan->n_axes; plan->n_axes--) {
        g_array_unref(plan->axes[plan->n_axes - 1].values);
        g_ptr_array_unref(plan->axes[plan->n_axes - 1].texts);
    }
    if (!what) return;
    RmilPlanAxis *axis = &plan->axes[plan->n_axes++];
    *axis = (RmilPlanAxis){what, g_array_new(FALSE, FALSE, sizeof(double)), g_ptr_array_new_with_free_func(g_free)};
    for (int i = 0; papers && i < what->count; i++) rmil_plan_axis_add(axis, what->values[i]);
}

const RmilPlanAxis *rmil_plan_axis(const RmilStudyPlan *plan, const char *name) {
    for (int i = 0; i < plan->n_axes; i++)
        if (strcmp(plan->axes[i].what->option->name, name) == 0) return &plan->axes[i];
    return NULL;
}

guint rmil_plan_cells(const RmilStudyPlan *plan) {
    guint count = 1;
    for (int i = 0; i < plan->n_axes; i++) count *= plan->axes[i].values->len;
    return count;
}

void rmil_plan_cell(const RmilStudyPlan *plan, guint cell, RmilVaried varied[RMIL_VARIED]) {
    memset(varied, 0, RMIL_VARIED * sizeof *varied);
    for (int i = plan->n_axes; i-- > 0;) {
        const RmilPlanAxis *axis = &plan->axes[i];
        const guint at = cell % axis->values->len;
        const gboolean word = axis->what->option->type == RMIL_OPTION_WORD;
        cell /= axis->values->len;
        varied[i] = (RmilVaried){axis->what->option->name, axis->texts->pdata[at], word ? NAN : g_array_index(axis->values, double, at)};
    }
}

/* -- the whole --------------------------------------------------------------------------------------------------------------- */
static void clear_setting(gpointer data) {
    RmilPlanSetting *setting = data;
    g_free(setting->method);
    g_free(setting->name);
    g_free(setting->text);
}

void rmil_study_plan_free(RmilStudyPlan *plan) {
    if (!plan) return;
    rmil_plan_vary(plan, NULL, FALSE);
    g_free(plan->path);
    g_free(plan->kind);
    g_free(plan->title);
    g_ptr_array_unref(plan->methods);
    g_array_unref(plan->seeds);
    g_free(plan->splits);
    g_array_unref(plan->settings);
    g_free(plan->text);
    g_free(plan);
}

gboolean rmil_plan_options(const RmilStudyPlan *plan, const RmilTrainMethod *method, guint cell, const RmilTrainOptions *base,
                           RmilTrainOptions *options, GError **error) {
    RmilVaried varied[RMIL_VARIED];
    rmil_plan_cell(plan, cell, varied);
    rmil_train_options_copy(base, options);
    for (int own = 0; own < 2; own++)
        for (guint i = 0; i < plan->settings->len; i++) {
            const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
            if (own ? g_strcmp0(setting->method, method->name) != 0 : setting->method != NULL) continue;
            if (!rmil_train_options_set(options, setting->name, setting->text, error)) return FALSE;
        }
    return rmil_vary_options(options, varied, method, error);
}

/* Checks the method with its settings and each value of what varies, so that a wrong value is found before the first run. */
static gboolean check_method(const RmilStudyPlan *plan, const RmilTrainMethod *method, GError **error) {
    for (guint v = 0; v < rmil_plan_cells(plan); v++) {
        RmilTrainOptions base, options;
        g_autoptr(GError) reason = NULL;
        rmil_train_options_init(&base);
        const gboolean right = rmil_plan_options(plan, method, v, &base, &options, &reason) &&
                               rmil_train_options_check(&options, method, &reason);
        rmil_train_options_clear(&options);
        if (right) continue;
        RmilVaried varied[RMIL_VARIED];
        g_autoptr(GString) where = g_string_new(NULL);
        rmil_plan_cell(plan, v, varied);
        for (int i = 0; i < RMIL_VARIED && varied[i].name; i++) g_string_append_printf(where, ", %s %s", varied[i].name, varied[i].text);
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: method %s%s: %s", plan->path, method->name, where->str, reason->message);
    }
    return TRUE;
}

static void append_quoted(GString *out, const char *name, const char *text) {
    g_auto(GStrv) parts = g_strsplit(text, "'", -1);
    g_autofree char *doubled = g_strjoinv("''", parts);
    g_string_append_printf(out, "%s: '%s'\n", name, doubled);
}

/* "dropout: [0, 0.5]", or for a grid "[dropout, sigma]" and "[[0, 0.5], [1, 2]]". */
static void append_axes(GString *out, const RmilStudyPlan *plan) {
    const gboolean grid = plan->n_axes > 1;
    if (plan->n_axes == 0) return;
    for (int i = 0; !plan->own && i < plan->n_axes; i++)
        g_string_append_printf(out, "%s%s%s", i ? ", " : "vary: ", grid && i == 0 ? "[" : "", plan->axes[i].what->option->name);
    if (!plan->own) g_string_append(out, grid ? "]\n" : "\n");
    g_string_append(out, grid ? "values: [" : "values: ");
    for (int i = 0; i < plan->n_axes; i++)
        for (guint v = 0; v < plan->axes[i].texts->len; v++)
            g_string_append_printf(out, "%s%s", v ? ", " : i ? "], [" : "[", (char *)plan->axes[i].texts->pdata[v]);
    g_string_append(out, grid ? "]]\n" : "]\n");
}

/* Settings in the order in which they were given, grouped by method. */
static void append_settings(GString *out, const RmilStudyPlan *plan) {
    gboolean any = FALSE;
    for (guint i = 0; i < plan->settings->len; i++) {
        const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
        if (!setting->method) g_string_append_printf(out, "%s  %s: %s\n", any++ ? "" : "settings:\n", setting->name, setting->text);
    }
    any = FALSE;
    for (guint m = 0; m < plan->methods->len; m++) {
        const char *method = ((const RmilTrainMethod *)plan->methods->pdata[m])->name;
        gboolean named = FALSE;
        for (guint i = 0; i < plan->settings->len; i++) {
            const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
            if (g_strcmp0(setting->method, method) != 0) continue;
            if (!any++) g_string_append(out, "overrides:\n");
            if (!named++) g_string_append_printf(out, "  %s:\n", method);
            g_string_append_printf(out, "    %s: %s\n", setting->name, setting->text);
        }
    }
}

static char *plan_text(const RmilStudyPlan *plan) {
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "study: %s\n", plan->kind);
    append_quoted(out, "title", plan->title);
    g_string_append(out, "methods: [");
    for (guint i = 0; i < plan->methods->len; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "", ((const RmilTrainMethod *)plan->methods->pdata[i])->name);
    g_string_append_printf(out, "]\nreference: %s\n", plan->reference->name);
    for (guint i = 0; i < plan->seeds->len && !plan->counted; i++)
        g_string_append_printf(out, "%s%" G_GINT64_FORMAT, i ? ", " : "seeds: [", g_array_index(plan->seeds, int64_t, i));
    if (plan->counted) g_string_append_printf(out, "seeds: %u\n", plan->seeds->len);
    else if (plan->seeds->len) g_string_append(out, "]\n");
    if (plan->splits) append_quoted(out, "splits", plan->splits);
    else if (plan->by_site) g_string_append(out, "splits: {by_site: true}\n");
    if (plan->partial) g_string_append(out, "annotations: partial\n");
    append_axes(out, plan);
    append_settings(out, plan);
    return g_string_free(out, FALSE);
}

static RmilStudyPlan *plan_new(const char *path) {
    RmilStudyPlan *plan = g_new0(RmilStudyPlan, 1);
    plan->path = g_strdup(path);
    plan->methods = g_ptr_array_new();
    plan->seeds = g_array_new(FALSE, FALSE, sizeof(int64_t));
    plan->settings = g_array_new(FALSE, FALSE, sizeof(RmilPlanSetting));
    g_array_set_clear_func(plan->settings, clear_setting);
    return plan;
}

/* The paper's method if it is in the plan, else the one for partial outlines, else the first; the one for partial outlines goes first if
 * outlines are partial. */
static const RmilTrainMethod *usual_reference(const RmilStudyPlan *plan) {
    const RmilTrainMethod *order[] = {rmil_method_reference(), rmil_method_partial()};
    for (int k = 0; k < 2; k++)
        for (guint i = 0; i < plan->methods->len; i++)
            if (plan->methods->pdata[i] == order[plan->partial ? 1 - k : k]) return plan->methods->pdata[i];
    return plan->methods->pdata[0];
}

/* Given options of methods and data, except for the splits, which are a field of their own. */
static void take_settings(RmilStudyPlan *plan, const RmilTrainOptions *options) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        const char *text = rmil_train_options_get(options, table[i].name);
        if (!text || table[i].scope == RMIL_SCOPE_MACHINE || strcmp(table[i].name, "splits") == 0) continue;
        const RmilPlanSetting setting = {NULL, g_strdup(table[i].name), g_strdup(text)};
        g_array_append_val(plan->settings, setting);
    }
}

RmilStudyPlan *rmil_study_plan_new(const char *kind, const GPtrArray *methods, const RmilTrainOptions *options, const int64_t *seeds,
                                   int64_t count) {
    const char *splits = rmil_train_options_get(options, "splits");
    RmilStudyPlan *plan = plan_new(kind);
    plan->kind = g_strdup(kind);
    plan->title = g_strdup(kind);
    for (guint i = 0; i < methods->len; i++) g_ptr_array_add(plan->methods, methods->pdata[i]);
    plan->reference = usual_reference(plan);
    plan->splits = splits ? g_canonicalize_filename(splits, NULL) : NULL;
    g_array_append_vals(plan->seeds, seeds, (guint)count);
    take_settings(plan, options);
    plan->text = plan_text(plan);
    return plan;
}

RmilStudyPlan *rmil_study_plan_read(const char *path, const char *const *sets, GError **error) {
    g_autoptr(RmilStudyPlan) plan = plan_new(path);
    if (!rmil_plan_read_file(plan, path, error) || !rmil_plan_read_sets(plan, sets, error)) return NULL;
    if (!plan->methods->len && plan->partial) {
        g_ptr_array_add(plan->methods, (gpointer)rmil_method_unguided(rmil_method_partial()));
        g_ptr_array_add(plan->methods, (gpointer)rmil_method_partial());
    }
    if (!plan->methods->len) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: names no methods", path);
        return NULL;
    }
    gboolean found = FALSE;
    for (guint i = 0; i < plan->methods->len; i++) found = found || plan->methods->pdata[i] == plan->reference;
    if (plan->reference && !found) {
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: the reference %s is not one of the methods: choose one of them (in a command: --set reference=METHOD)", path,
                  plan->reference->name);
        return NULL;
    }
    if (!plan->reference) plan->reference = usual_reference(plan);
    if (!plan->seeds->len && !plan->splits) { /* the paper's ten */
        plan->counted = TRUE;
        for (int64_t seed = 0; seed < 10; seed++) g_array_append_val(plan->seeds, seed);
    }
    for (int i = 0; i < plan->n_axes; i++) {
        if (plan->axes[i].values->len) continue;
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s varies, but no values are given: add the field values", path,
                  plan->axes[i].what->option->name);
        return NULL;
    }
    if (!plan->title) plan->title = g_strdup(plan->kind);
    plan->text = plan_text(plan);
    for (guint m = 0; m < plan->methods->len; m++)
        if (!check_method(plan, plan->methods->pdata[m], error)) return NULL;
    return g_steal_pointer(&plan);
}

const char *rmil_study_plan_text(const RmilStudyPlan *plan) { return plan->text; }

gboolean rmil_study_plan_by_site(const RmilStudyPlan *plan) { return plan->by_site; }

const char *rmil_study_plan_kind(const RmilStudyPlan *plan) { return plan->kind; }

const double *rmil_study_plan_values(const RmilStudyPlan *plan, const char *name, int64_t *count) {
    const RmilPlanAxis *axis = rmil_plan_axis(plan, name);
    *count = axis ? axis->values->len : 0;
    return axis ? (const double *)(void *)axis->values->data : NULL;
}
