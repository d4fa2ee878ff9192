/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort's patients as rows, one per patient with all its slides. */
#include "cohort-private.h"

#include <string.h>

/* Adds what another slide tells of the patient. */
static void add_slide(RmilCohortRow *row, const RmilCohort *slides, int64_t i) {
    const RmilCohortRow *slide = &slides->rows[i];
    g_array_append_val(row->members, i);
    if (rmil_target_known(&slides->task, &slide->target)) row->target = slide->target;
    if (slide->split != RMIL_SPLIT_NONE) row->split = slide->split;
    if (!slide->site || (row->site && strcmp(row->site, slide->site) <= 0)) return;
    g_free(row->site);
    row->site = g_strdup(slide->site); /* the first in the alphabet, so it does not depend on the order of the rows */
}

/* A patient with one slide is that slide. */
static void copy_paths(RmilCohortRow *row, const RmilCohortRow *slide) {
    row->slide = g_strdup(slide->slide);
    row->features = g_strdup(slide->features);
    row->annotation = g_strdup(slide->annotation);
    row->tissue = g_strdup(slide->tissue);
    row->patch_labels = g_strdup(slide->patch_labels);
    row->mpp = slide->mpp;
}

static gboolean check_ids(const RmilCohort *cohort, GError **error) {
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i], *other = g_hash_table_lookup(ids, row->id);
        if (!rmil_usable_id(row->id))
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: line %" G_GINT64_FORMAT ": patient \"%s\" cannot be used as a file name, as --bag patient needs: "
                             "use no slashes and a shorter name",
                             cohort->path, row->line, row->id);
        if (other)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s: lines %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT ": \"%s\" is both a patient and the id of a "
                             "slide without a patient: rename one of them",
                             cohort->path, other->line, row->line, row->id);
        g_hash_table_insert(ids, row->id, (gpointer)row);
    }
    return TRUE;
}

static RmilCohort *new_like(const RmilCohort *slides, int64_t count) {
    RmilCohort *cohort = g_new0(RmilCohort, 1);
    cohort->path = g_strdup(slides->path);
    cohort->task = slides->task;
    cohort->slides = slides;
    cohort->by_site = slides->by_site;
    cohort->count = count;
    cohort->rows = g_new0(RmilCohortRow, (gsize)count);
    cohort->warnings = g_new0(char *, 1);
    cohort->notes = g_new0(char *, 1);
    cohort->left_out = g_strdupv(slides->left_out);
    return cohort;
}

RmilCohort *rmil_cohort_by_patient(const RmilCohort *slides, GError **error) {
    g_autofree int64_t *groups = g_new(int64_t, (gsize)slides->count + 1);
    const int64_t count = rmil_cohort_patients(slides, groups);
    g_autofree char *torn = rmil_cohort_torn_patients(slides, groups, count);
    if (torn) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: a patient cannot be one bag when the slides differ in what is predicted: %s", slides->path,
                  torn);
        return NULL;
    }
    g_autoptr(RmilCohort) cohort = new_like(slides, count);
    for (int64_t i = 0; i < slides->count; i++) {
        const RmilCohortRow *slide = &slides->rows[i];
        RmilCohortRow *row = &cohort->rows[groups[i]];
        if (!row->members) {
            row->members = g_array_new(FALSE, FALSE, sizeof(int64_t));
            row->id = g_strdup(slide->patient ? slide->patient : slide->id);
            row->patient = g_strdup(slide->patient);
            row->line = slide->line;
            row->target = RMIL_TARGET_NONE;
        }
        add_slide(row, slides, i);
    }
    for (int64_t p = 0; p < count; p++)
        if (cohort->rows[p].members->len == 1)
            copy_paths(&cohort->rows[p], &slides->rows[g_array_index(cohort->rows[p].members, int64_t, 0)]);
    return check_ids(cohort, error) ? g_steal_pointer(&cohort) : NULL;
}

void rmil_cohort_bag_rows(const RmilCohort *cohort, int64_t *rows) {
    for (int64_t i = 0; i < cohort->count; i++) {
        const GArray *members = cohort->rows[i].members;
        if (!members) rows[i] = i;
        for (guint m = 0; members && m < members->len; m++) rows[g_array_index(members, int64_t, m)] = i;
    }
}
