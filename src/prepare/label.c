/* SPDX-License-Identifier: Apache-2.0 */
/* label: overlap of patches with annotations -> labels/ID.h5, and with --preview labels/ID.png */
#include "prepare-private.h"

#include "rankmil/draw.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    const char *below; /* subfolder of the work folder */
    double padding;
    int64_t *annotated; /* number of patches by row of the cohort */
} Labelling;

static void append_list(GString *out, const char *name, gchar **list) {
    g_string_append_printf(out, "; %s", name);
    for (int i = 0; list && list[i]; i++) g_string_append_printf(out, " \"%s\"", list[i]);
}

static char *label_source(const RmilWork *work, int64_t row, const RmilBag *bag, double padding) {
    g_autofree char *annotation = rmil_file_identity(work->cohort->rows[row].annotation);
    GString *out = g_string_new(NULL);
    g_string_printf(out, "labels 1; %s; padding %g; threshold %g", annotation, padding, work->options.label_threshold);
    g_auto(GStrv) lesion = rmil_lesion_groups(work->options.lesion, &work->cohort->task, &work->cohort->rows[row].target);
    append_list(out, "lesion", lesion);
    append_list(out, "exclude", work->options.exclusion);
    g_autofree char *frame = rmil_annotation_frame(work, &work->cohort->rows[row], work->cohort->rows[row].annotation);
    g_string_append(out, frame);
    g_autofree char *coords = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bag->coords,
                                                          (gsize)bag->count * 2 * sizeof *bag->coords);
    g_string_append_printf(out, "; tiles of %g px at %s", bag->patch_size_level0, coords);
    return g_string_free(out, FALSE);
}

static gboolean draw_row(const RmilWork *work, int64_t row, const RmilBag *bag, const uint8_t *labels, double padding, const char *path,
                         GError **error) {
    g_autoptr(RmilSlide) slide = rmil_work_open_slide(work, row, error);
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autoptr(RmilRegion) drawn = slide ? rmil_work_read_region(work, given, slide, bag, 0, error) : NULL;
    g_autoptr(RmilRegion) grown = drawn && padding > 0 ? rmil_work_read_region(work, given, slide, bag, padding, error) : NULL;
    if (!drawn || (padding > 0 && !grown)) return FALSE;
    return rmil_label_preview_write(slide, bag->coords, labels, bag->count, bag->patch_size_level0, drawn, grown, padding, 1024, path,
                                    error);
}

static void say_doubts(const RmilWork *work, const RmilCohortRow *given, gboolean lesion, int64_t annotated) {
    g_autofree char *doubt = rmil_annotation_doubt(&work->cohort->task, given, lesion || annotated > 0);
    if (doubt) rmil_monitor_warn(&work->monitor, "%s: %s", given->id, doubt);
    if (annotated == 0)
        rmil_monitor_warn(&work->monitor, "%s: no patch of %s lies inside this annotation, so the slide is used with its label only",
                          given->annotation, given->id);
}

static gboolean label_row(RmilWork *work, int64_t row, gpointer user, gboolean *made, GError **error) {
    Labelling *labelling = user;
    const RmilCohortRow *given = &work->cohort->rows[row];
    const double padding = labelling->padding;
    g_autofree char *tiles = given->features ? g_strdup(given->features) : rmil_work_path(work, "tiles", row, "h5");
    g_autofree char *path = rmil_work_path(work, labelling->below, row, "h5"),
                    *picture = rmil_work_path(work, labelling->below, row, "png");
    g_autoptr(RmilBag) bag = rmil_bag_read(tiles, given->id, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, error);
    if (!bag || !rmil_bag_locate(bag, given->slide, rmil_work_mpp(work, row), error)) return FALSE;
    if (!bag->coords || bag->patch_size_level0 <= 0)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: has no coordinates or no patch_size_level0, so its patches cannot be matched "
                         "with %s",
                         tiles, given->annotation);
    g_autofree uint8_t *labels = rmil_try_new(bag->count, 1, error);
    if (!labels) return FALSE;
    g_autofree char *source = label_source(work, row, bag, padding), *have = rmil_work_made_from(work, path);
    gboolean lesion = FALSE;
    GError *unreadable = NULL;
    *made = !(have && strcmp(have, source) == 0 && rmil_labels_read(path, bag->count, labels, &unreadable));
    rmil_work_made_again(work, unreadable);
    if (*made) {
        g_autoptr(RmilRegion) region = rmil_work_read_region(work, given, NULL, bag, padding, error);
        if (!region) return FALSE;
        lesion = !rmil_region_empty(region);
        g_autofree double *shares = rmil_try_new(bag->count, sizeof *shares, error);
        if (!shares || !rmil_region_overlap(region, bag->coords, bag->count, bag->patch_size_level0, shares, error)) return FALSE;
        rmil_patch_labels(shares, bag->count, work->options.label_threshold, labels);
        g_unlink(picture); /* of labels that no longer exist */
        if (!rmil_labels_write(path, labels, shares, bag->count, source, error)) return FALSE;
    }
    if (work->options.preview && given->slide && !g_file_test(picture, G_FILE_TEST_EXISTS) &&
        !draw_row(work, row, bag, labels, padding, picture, error))
        return FALSE;
    int64_t annotated = 0;
    for (int64_t i = 0; i < bag->count; i++) annotated += labels[i];
    say_doubts(work, given, lesion, annotated);
    labelling->annotated[row] = annotated;
    return TRUE;
}

gboolean rmil_work_label_into(RmilWork *work, const char *below, double padding, GError **error) {
    if (!rmil_work_ready(work, error)) return FALSE;
    const gint64 start = g_get_monotonic_time();
    const int64_t n = work->cohort->count;
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < n; i++)
        if (!work->errors[i] && work->cohort->rows[i].annotation) g_array_append_val(rows, i);
    if (!rows->len) return TRUE;
    g_autofree int64_t *annotated = rmil_try_new(n, sizeof *annotated, error);
    if (!annotated) return FALSE;
    Labelling labelling = {below, padding, annotated};
    RmilStage stage = {.name = "label", .what = "label: annotations", .row = label_row, .user = &labelling};
    const gboolean done = rmil_work_rows(work, rows, &stage, error);
    work->annotated_patches = 0;
    for (int64_t i = 0; i < n; i++) work->annotated_patches += annotated[i];
    rmil_monitor_done(&work->monitor, stage.name, stage.made, stage.kept, start);
    return done;
}

gboolean rmil_work_label(RmilWork *work, GError **error) { return rmil_work_label_into(work, "labels", work->options.padding, error); }
