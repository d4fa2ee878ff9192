/* SPDX-License-Identifier: Apache-2.0 */
/* Whole patients or sites: the units that all ways of splitting a cohort move. */
#include "cohort-private.h"

#include <string.h>

int64_t rmil_cohort_patients(const RmilCohort *cohort, int64_t *groups) {
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    int64_t count = 0;
    for (int64_t i = 0; i < cohort->count; i++) {
        char *patient = cohort->rows[i].patient;
        const gpointer before = patient ? g_hash_table_lookup(known, patient) : NULL;
        groups[i] = before ? (int64_t)GPOINTER_TO_SIZE(before) - 1 : count++;
        if (patient && !before) g_hash_table_insert(known, patient, GSIZE_TO_POINTER((gsize)count));
    }
    return count;
}

static int64_t root(int64_t *of, int64_t group) {
    while (of[group] != group) group = of[group] = of[of[group]];
    return group;
}

/* Patients of one site form one group, as do sites that share a patient (union-find). */
static void join_sites(const RmilCohort *cohort, int64_t *groups, int64_t count) {
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree int64_t *of = g_new(int64_t, (gsize)count + 1);
    for (int64_t g = 0; g < count; g++) of[g] = g;
    for (int64_t i = 0; i < cohort->count; i++) {
        char *site = cohort->rows[i].site;
        if (!site) continue;
        const gpointer before = g_hash_table_lookup(known, site);
        if (before) of[root(of, groups[i])] = root(of, (int64_t)GPOINTER_TO_SIZE(before) - 1);
        else g_hash_table_insert(known, site, GSIZE_TO_POINTER((gsize)groups[i] + 1));
    }
    for (int64_t i = 0; i < cohort->count; i++) groups[i] = root(of, groups[i]);
}

static void unit_free(gpointer data) {
    RmilUnit *unit = data;
    g_array_unref(unit->rows);
    g_free(unit->slides);
    g_free(unit);
}

static gint compare_units(gconstpointer a, gconstpointer b) {
    const RmilUnit *x = *(RmilUnit *const *)a, *y = *(RmilUnit *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

/* A group's key does not depend on the order of the rows: its site, else its patient, else its slide; the first in the alphabet if there
 * are several. */
static void name_unit(RmilUnit *unit, const RmilCohort *cohort, const RmilCohortRow *row) {
    const gboolean site = cohort->by_site && row->site;
    const RmilUnitKind kind = site ? RMIL_UNIT_SITE : row->patient ? RMIL_UNIT_PATIENT : RMIL_UNIT_SLIDE;
    const char *key = site ? row->site : row->patient ? row->patient : row->id;
    if (unit->key && (kind < unit->kind || (kind == unit->kind && strcmp(key, unit->key) >= 0))) return;
    unit->key = key;
    unit->kind = kind;
}

/* For rows of patients, the groups of their slides, which may be in several sites. */
static int64_t group_rows(const RmilCohort *cohort, int64_t *groups) {
    if (!cohort->slides) {
        const int64_t count = rmil_cohort_patients(cohort, groups);
        if (cohort->by_site) join_sites(cohort, groups, count);
        return count;
    }
    g_autofree int64_t *of_slides = g_new(int64_t, (gsize)cohort->slides->count + 1);
    const int64_t count = group_rows(cohort->slides, of_slides);
    for (int64_t i = 0; i < cohort->count; i++) groups[i] = of_slides[g_array_index(cohort->rows[i].members, int64_t, 0)];
    return count;
}

GPtrArray *rmil_cohort_units(const RmilCohort *cohort, const RmilStrata *strata) {
    GPtrArray *units = g_ptr_array_new_with_free_func(unit_free);
    g_autofree int64_t *groups = g_new(int64_t, (gsize)cohort->count + 1);
    const int64_t count = group_rows(cohort, groups);
    g_autofree RmilUnit **of = g_new0(RmilUnit *, (gsize)count + 1);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (strata->of[i] < 0) continue;
        RmilUnit *unit = of[groups[i]];
        if (!unit) {
            unit = of[groups[i]] = g_new0(RmilUnit, 1);
            unit->rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
            unit->slides = g_new0(int64_t, strata->count + 1);
            g_ptr_array_add(units, unit);
        }
        name_unit(unit, cohort, row);
        g_array_append_val(unit->rows, i);
        unit->slides[strata->of[i]]++;
        if (row->split != RMIL_SPLIT_NONE) unit->set = row->split; /* the rest of the patient follows */
    }
    g_ptr_array_sort(units, compare_units);
    return units;
}

/* -- what the table's own sets divide ------------------------------------------------------------------------------------------ */
/* Checks that each patient, or each site, is in one set. */
static gboolean check_names(const RmilCohort *cohort, gboolean sites, GError **error) {
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        RmilCohortRow *row = &cohort->rows[i];
        char *name = sites ? row->site : row->patient;
        if (!name || row->split == RMIL_SPLIT_NONE) continue;
        const RmilCohortRow *first = g_hash_table_lookup(seen, name);
        if (first && first->split != row->split)
            return rmil_cohort_fail(cohort, row->line, "split", error,
                                    "puts %s \"%s\" into %s, line %" G_GINT64_FORMAT " into %s: a %s must stay in one set%s",
                                    sites ? "site" : "patient", name, rmil_split_name(row->split), first->line,
                                    rmil_split_name(first->split), sites ? "site" : "patient", sites ? " (--by-site)" : "");
        if (!first) g_hash_table_insert(seen, name, row);
    }
    return TRUE;
}

/* Sites that share patients count as one, even if no patient's slides are in two sets: that patient's set may still have to be drawn. */
static gboolean check_joined(const RmilCohort *cohort, GError **error) {
    g_autofree int64_t *groups = g_new(int64_t, (gsize)cohort->count + 1);
    const int64_t count = group_rows(cohort, groups);
    g_autofree const RmilCohortRow **first = g_new0(const RmilCohortRow *, (gsize)count + 1);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i], *other = first[groups[i]];
        if (row->split == RMIL_SPLIT_NONE) continue;
        if (!other) first[groups[i]] = row;
        else if (other->split != row->split)
            return rmil_cohort_fail(cohort, row->line, "split", error,
                                    "puts site \"%s\" into %s, line %" G_GINT64_FORMAT " site \"%s\" into %s, but they share "
                                    "patients, and a site must stay in one set (--by-site)",
                                    row->site, rmil_split_name(row->split), other->line, other->site, rmil_split_name(other->split));
    }
    return TRUE;
}

gboolean rmil_cohort_check_whole(const RmilCohort *cohort, GError **error) {
    return check_names(cohort, FALSE, error) && (!cohort->by_site || (check_names(cohort, TRUE, error) && check_joined(cohort, error)));
}
