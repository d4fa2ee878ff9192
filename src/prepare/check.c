/* SPDX-License-Identifier: Apache-2.0 */
/* Opens everything once before hours are spent on it. */
#include "prepare-private.h"
#include "rankmil/evaluate.h"

#include <math.h>
#include <stdlib.h>

/* Reads one block of pixels in each corner and the middle: a truncated slide often opens without error. */
static gboolean sample_slide(RmilSlide *slide, GError **error) {
    const RmilSlideInfo *info = rmil_slide_info(slide);
    enum { SIDE = 64 };
    g_autofree uint8_t *pixels = g_malloc(SIDE * SIDE * 3);
    for (int i = 0; i < 5; i++) {
        double x = i == 4 ? 0.5 : i % 2, y = i == 4 ? 0.5 : i / 2;
        double left = (double)info->bounds_x + x * (double)MAX(info->bounds_width - SIDE, 0);
        double top = (double)info->bounds_y + y * (double)MAX(info->bounds_height - SIDE, 0);
        if (!rmil_slide_read(slide, left, top, 1, SIDE, SIDE, pixels, error)) return FALSE;
    }
    return TRUE;
}

/* Black, blank, dark and faint slides are visible in a small thumbnail, if the pyramid makes it cheap. */
static void look_at_tissue(const RmilWork *work, int64_t row, RmilSlide *slide, RmilCheckedRow *out) {
    enum { LEAST = 256 }; /* pixels of the shorter side, for a small slide */
    const RmilSlideInfo *info = rmil_slide_info(slide);
    const double finest = (double)MIN(info->bounds_width, info->bounds_height) * info->mpp / LEAST,
                 mask_mpp = MAX(work->options.mask_mpp, MIN(finest, 32));
    if (rmil_mask_pixels(slide, mask_mpp) > (INT64_C(1) << 25)) return;
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilMask) mask = rmil_work_mask(work, row, slide, mask_mpp, &error);
    if (!mask) {
        rmil_monitor_warn(&work->monitor, "%s", error->message);
        return;
    }
    for (int r = 0; r < RMIL_LEFT_REASONS; r++) out->left[r] = mask->left[r] / mask->found;
}

static RmilBag *check_features(const RmilWork *work, int64_t i, RmilCheckedRow *out, GError **error) {
    const RmilCohortRow *row = &work->cohort->rows[i];
    g_autoptr(RmilBag) bag = rmil_bag_read(row->features, row->id, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag || ((row->slide || row->annotation) && !rmil_bag_locate(bag, row->slide, rmil_work_mpp(work, i), error))) return NULL;
    out->dim = bag->dim;
    g_autofree uint8_t *labels = rmil_try_new(bag->count, 1, error);
    if (!labels || (row->patch_labels && !rmil_labels_read(row->patch_labels, bag->count, labels, error))) return NULL;
    const uint8_t *own = row->patch_labels ? labels : bag->patch_labels;
    for (int64_t k = 0; own && k < bag->count; k++) out->annotated = out->annotated || own[k];
    return g_steal_pointer(&bag);
}

static gboolean check_annotation(const RmilWork *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag, GError **error) {
    g_autoptr(RmilRegion) region = rmil_work_read_region(work, row, slide, bag, work->options.padding, error);
    if (!region) return FALSE;
    if (rmil_target_lesion(&work->cohort->task, &row->target) && rmil_region_empty(region))
        rmil_monitor_warn(&work->monitor, "%s: %s contains no outlines, so the slide is used with its label only", row->id,
                          row->annotation);
    g_autofree char *doubt = rmil_annotation_doubt(&work->cohort->task, row, !rmil_region_empty(region));
    return !doubt || rmil_fail(error, RMIL_ERROR_DATA, "%s", doubt);
}

static gboolean check_row(RmilWork *work, int64_t i, gpointer user, gboolean *made, GError **error) {
    RmilCheckedRow *out = (RmilCheckedRow *)user + i;
    const RmilCohortRow *row = &work->cohort->rows[i];
    g_autoptr(RmilSlide) slide = NULL;
    g_autoptr(RmilBag) bag = NULL;
    if (row->slide) {
        slide = rmil_work_open_slide(work, i, error);
        if (!slide || !sample_slide(slide, error)) return FALSE;
        out->mpp = rmil_slide_info(slide)->mpp;
        look_at_tissue(work, i, slide, out);
    }
    if (row->features && !(bag = check_features(work, i, out, error))) return FALSE;
    return !row->annotation || check_annotation(work, row, slide, bag, error);
}

/* Before rows are read, because then one process can examine all files. */
static void examine_features(const RmilWork *work) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        if (row->features) g_ptr_array_add(paths, row->features);
        if (row->patch_labels) g_ptr_array_add(paths, row->patch_labels);
    }
    rmil_bag_examine((const char *const *)paths->pdata, paths->len);
}

static void count_mpp(RmilCheck *check, const double *mpp, int64_t n) {
    g_autofree double *sorted = g_memdup2(mpp, (gsize)n * sizeof *mpp);
    qsort(sorted, (size_t)n, sizeof *sorted, rmil_compare_doubles);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && fabs(sorted[j] - sorted[i]) <= 0.005 * sorted[i]; j++) continue;
        const RmilMppCount count = {sorted[i], j - i};
        if (sorted[i] > 0) g_array_append_val(check->mpp, count);
    }
}

static void compare_dims(RmilWork *work, const RmilCheckedRow *rows) {
    const RmilCheckedRow *first = NULL;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        if (!rows[i].dim) continue;
        if (!first) first = &rows[i];
        else if (rows[i].dim != first->dim)
            rmil_work_failed(work, "check", i,
                             g_error_new(RMIL_ERROR, RMIL_ERROR_DATA,
                                         "has %" G_GINT64_FORMAT " features per patch, but %s has %" G_GINT64_FORMAT, rows[i].dim,
                                         work->cohort->rows[first - rows].id, first->dim));
    }
}

/* Adds a row's target to the counts. */
static void count_target(RmilCheck *check, const RmilTask *task, const RmilCohortRow *row) {
    const RmilTarget *target = &row->target;
    if (!rmil_target_known(task, target)) {
        check->unlabelled++;
        return;
    }
    *(rmil_target_lesion(task, target) ? &check->positive : &check->negative) += 1;
    if (task->kind == RMIL_TASK_CLASSES) check->of_class[target->label][row->split]++;
    if (task->kind == RMIL_TASK_SURVIVAL) *(target->event ? &check->events : &check->censored) += 1;
}

static void count_names(RmilCheck *check, const RmilCohort *cohort) {
    g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal), sites = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < cohort->count; i++) {
        if (cohort->rows[i].patient) g_hash_table_add(patients, cohort->rows[i].patient);
        if (cohort->rows[i].site) g_hash_table_add(sites, cohort->rows[i].site);
    }
    check->patients = g_hash_table_size(patients);
    check->sites = g_hash_table_size(sites);
}

RmilCheck *rmil_work_check(RmilWork *work) {
    const int64_t n = work->cohort->count;
    RmilCheck *check = g_new0(RmilCheck, 1);
    check->rows = g_new0(RmilCheckedRow, n);
    check->mpp = g_array_new(FALSE, FALSE, sizeof(RmilMppCount));
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < n; i++) {
        check->rows[i].mpp = -1;
        g_array_append_val(rows, i);
    }
    examine_features(work);
    RmilStage stage = {.name = "check", .what = "check: rows", .row = check_row, .user = check->rows};
    rmil_work_rows(work, rows, &stage, NULL); /* no row stops the others */
    g_autofree double *mpp = g_new(double, n);
    for (int64_t i = 0; i < n; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        mpp[i] = check->rows[i].mpp;
        check->rows[i].annotated = check->rows[i].annotated || row->annotation;
        check->annotated += check->rows[i].annotated;
        count_target(check, &work->cohort->task, row);
    }
    count_names(check, work->cohort);
    count_mpp(check, mpp, n);
    rmil_work_say_resolutions(work, mpp);
    compare_dims(work, check->rows);
    return check;
}

void rmil_check_free(RmilCheck *check) {
    if (!check) return;
    g_array_unref(check->mpp);
    g_free(check->rows);
    g_free(check);
}
