/* SPDX-License-Identifier: Apache-2.0 */
/* Divides rows into subgroups, and measures each. */
#include "subgroups.h"

#include "evaluate-private.h"

#include <math.h>
#include <string.h>

static void subgroup_free(gpointer data) {
    RmilSubgroup *group = data;
    g_free(group->name);
    g_array_unref(group->rows);
    g_free(group);
}

static RmilSubgroup *group_named(GPtrArray *groups, const char *name) {
    for (guint i = 0; i < groups->len; i++)
        if (strcmp(((RmilSubgroup *)groups->pdata[i])->name, name) == 0) return groups->pdata[i];
    RmilSubgroup *group = g_new0(RmilSubgroup, 1);
    group->name = g_strdup(name);
    group->rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    g_ptr_array_add(groups, group);
    return group;
}

static gboolean number_of(const char *text, double *value) {
    char *end;
    *value = g_ascii_strtod(text, &end);
    return *text && !*end && isfinite(*value);
}

static const char *text_at(const char *const *texts, guint i) { return texts[i] ? texts[i] : ""; }

/* If all texts are numbers, with more values than can be groups of their own: the numbers, sorted; else NULL. */
static GArray *many_numbers(const char *const *texts, guint n) {
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GHashTable) distinct = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < n; i++) {
        double value;
        if (!*text_at(texts, i)) continue;
        if (!number_of(texts[i], &value)) return NULL;
        g_array_append_val(all, value);
        g_hash_table_add(distinct, (gpointer)texts[i]);
    }
    if (g_hash_table_size(distinct) <= RMIL_SUBGROUP_VALUES) return NULL;
    g_array_sort(all, rmil_compare_doubles);
    return g_steal_pointer(&all);
}

/* The third that the number is in: 0, 1, 2; 3: the cell is empty. */
static int third_of(const GArray *sorted, const char *text) {
    double value;
    if (!number_of(text, &value)) return 3;
    return (value > g_array_index(sorted, double, (sorted->len - 1) / 3)) +
           (value > g_array_index(sorted, double, 2 * (sorted->len - 1) / 3));
}

/* Adds the groups that have rows, in the order of the numbers. */
static void divide_numbers(const GArray *rows, const char *const *texts, const GArray *sorted, GPtrArray *groups) {
    const double low = g_array_index(sorted, double, (sorted->len - 1) / 3),
                 high = g_array_index(sorted, double, 2 * (sorted->len - 1) / 3);
    for (int third = 0; third < 4; third++) {
        g_autofree char *name = third == 0   ? g_strdup_printf("up to %g", low)
                                : third == 1 ? g_strdup_printf("above %g, up to %g", low, high)
                                : third == 2 ? g_strdup_printf("above %g", high)
                                             : g_strdup("");
        for (guint i = 0; i < rows->len; i++)
            if (third_of(sorted, text_at(texts, i)) == third)
                g_array_append_val(group_named(groups, name)->rows, g_array_index(rows, RmilPredictionRow, i));
    }
}

static int by_size(gconstpointer a, gconstpointer b) {
    const RmilSubgroup *x = *(RmilSubgroup *const *)a, *y = *(RmilSubgroup *const *)b;
    return x->rows->len != y->rows->len ? (x->rows->len < y->rows->len) - (x->rows->len > y->rows->len) : strcmp(x->name, y->name);
}

/* Numbers by size, words alphabetically, empty cells last. */
static int by_name(gconstpointer a, gconstpointer b) {
    const char *x = (*(RmilSubgroup *const *)a)->name, *y = (*(RmilSubgroup *const *)b)->name;
    double u, v;
    if (!*x || !*y) return (!*x) - (!*y);
    if (number_of(x, &u) && number_of(y, &v)) return (u > v) - (u < v);
    return strcmp(x, y);
}

/* Joins the rarest groups into one. */
static void join_rare(GPtrArray *groups) {
    if (groups->len <= RMIL_SUBGROUP_VALUES) return;
    g_ptr_array_sort(groups, by_size);
    RmilSubgroup *others = g_new0(RmilSubgroup, 1);
    others->rows = g_array_new(FALSE, FALSE, sizeof(RmilPredictionRow));
    for (guint i = RMIL_SUBGROUP_VALUES - 1; i < groups->len; i++) {
        const RmilSubgroup *rare = groups->pdata[i];
        g_array_append_vals(others->rows, rare->rows->data, rare->rows->len);
    }
    others->name = g_strdup_printf("others (%u values)", groups->len - RMIL_SUBGROUP_VALUES + 1);
    g_ptr_array_set_size(groups, RMIL_SUBGROUP_VALUES - 1);
    g_ptr_array_sort(groups, by_name);
    g_ptr_array_add(groups, others);
}

static void measure(const RmilTask *task, double cut, RmilSubgroup *group) {
    double values[RMIL_MEASURES_MOST];
    RmilInterval intervals[RMIL_MEASURES_MOST];
    group->measured = rmil_predictions_measurable(group->rows, task);
    group->value = NAN;
    group->interval = rmil_interval_undefined;
    if (group->measured) {
        rmil_measure(task, group->rows, NULL, RMIL_MEASURING_USUAL, values, intervals);
        group->value = values[0];
        group->interval = intervals[0];
    }
    if (task->classes == 2) rmil_measure_cut(group->rows, cut, &group->at, group->shares);
}

GPtrArray *rmil_subgroups(const RmilTask *task, const GArray *rows, const char *const *texts, double cut) {
    GPtrArray *groups = g_ptr_array_new_with_free_func(subgroup_free);
    g_autoptr(GArray) numbers = many_numbers(texts, rows->len);
    if (numbers) divide_numbers(rows, texts, numbers, groups);
    for (guint i = 0; !numbers && i < rows->len; i++)
        g_array_append_val(group_named(groups, text_at(texts, i))->rows, g_array_index(rows, RmilPredictionRow, i));
    if (!numbers) {
        g_ptr_array_sort(groups, by_name);
        join_rare(groups);
    }
    for (guint i = 0; i < groups->len; i++) measure(task, cut, groups->pdata[i]);
    return groups;
}
