/* Patients, whole: what every way of dividing a cohort moves. */
#include "cohort-private.h"

#include <string.h>

static void unit_free(gpointer data) {
    RmilUnit *unit = data;
    g_array_unref(unit->rows);
    g_free(unit->slides);
    g_free(unit);
}

static gint compare_units(gconstpointer a, gconstpointer b) {
    const RmilUnit *x = *(RmilUnit *const *)a, *y = *(RmilUnit *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : x->patient - y->patient;
}

static guint class_of(const GArray *classes, int label) {
    guint c = 0;
    while (g_array_index(classes, int, c) != label) c++;
    return c;
}

GPtrArray *rmil_cohort_units(const RmilCohort *cohort, const GArray *classes) {
    GPtrArray *units = g_ptr_array_new_with_free_func(unit_free);
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (row->target.label < 0) continue;
        RmilUnit *unit = row->patient ? g_hash_table_lookup(patients, row->patient) : NULL;
        if (!unit) {
            unit = g_new0(RmilUnit, 1);
            unit->key = row->patient ? row->patient : row->id;
            unit->patient = row->patient != NULL;
            unit->rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
            unit->slides = g_new0(int64_t, classes->len);
            g_ptr_array_add(units, unit);
            if (row->patient) g_hash_table_insert(patients, row->patient, unit);
        }
        g_array_append_val(unit->rows, i);
        unit->slides[class_of(classes, row->target.label)]++;
        if (row->split != RMIL_SPLIT_NONE) unit->set = row->split; /* the rest of the patient follows */
    }
    g_ptr_array_sort(units, compare_units);
    return units;
}
