/* label: overlap of patches with annotations -> labels/ID.h5, and with --preview labels/ID.png */
#include "work.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

typedef struct {
    Work *work;
    GMutex lock;
    int64_t finished, made, kept, annotated, empty;
    GArray *rows; /* int64_t */
} Labelling;

static void append_list(GString *out, const char *name, gchar **list) {
    g_string_append_printf(out, "; %s", name);
    for (int i = 0; list && list[i]; i++) g_string_append_printf(out, " \"%s\"", list[i]);
}

static char *label_source(const Work *work, int64_t row, const RmilBag *bag) {
    g_autofree char *annotation = rmil_file_identity(work->cohort->rows[row].annotation);
    GString *out = g_string_new(NULL);
    g_string_printf(out, "labels 1; %s; padding %g; threshold %g", annotation, work->padding, work->label_threshold);
    append_list(out, "lesion", work->lesion);
    append_list(out, "exclude", work->exclusion);
    g_autofree char *frame = work_annotation_frame(work, &work->cohort->rows[row]);
    g_string_append(out, frame);
    g_autofree char *coords = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bag->coords,
                                                          (gsize)bag->count * 2 * sizeof *bag->coords);
    g_string_append_printf(out, "; tiles of %g px at %s", bag->patch_size_level0, coords);
    return g_string_free(out, FALSE);
}

static gboolean draw_row(const Work *work, int64_t row, const RmilBag *bag, const uint8_t *labels, const char *path, GError **error) {
    g_autoptr(RmilSlide) slide = work_open_slide(work, row, error);
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autoptr(RmilRegion) drawn = slide ? work_read_region(work, given, slide, bag, 0, error) : NULL;
    g_autoptr(RmilRegion) grown = drawn && work->padding > 0 ? work_read_region(work, given, slide, bag, work->padding, error) : NULL;
    if (!drawn || (work->padding > 0 && !grown)) return FALSE;
    return rmil_label_preview_write(slide, bag->coords, labels, bag->count, bag->patch_size_level0, drawn, grown, work->padding, 1024, path,
                                    error);
}

static gboolean label_row(Labelling *labelling, int64_t row, int64_t *annotated, gboolean *made, GError **error) {
    Work *work = labelling->work;
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autofree char *tiles = given->features ? g_strdup(given->features) : work_path(work, "tiles", row, "h5");
    g_autofree char *path = work_path(work, work->labels, row, "h5"), *picture = work_path(work, work->labels, row, "png");
    g_autoptr(RmilBag) bag = rmil_bag_read(tiles, given->id, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, error);
    if (!bag || !rmil_bag_locate(bag, given->slide, work_mpp(work, row), error)) return FALSE;
    if (!bag->coords || bag->patch_size_level0 <= 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    "%s: has no coordinates or patch_size_level0: its patches cannot be matched with %s", tiles, given->annotation);
        return FALSE;
    }
    g_autofree uint8_t *labels = rmil_try_new(bag->count, 1, error);
    if (!labels) return FALSE;
    g_autofree char *source = label_source(work, row, bag), *have = work_made_from(work, path);
    gboolean lesion = FALSE;
    GError *unreadable = NULL;
    *made = !(have && strcmp(have, source) == 0 && rmil_labels_read(path, bag->count, labels, &unreadable));
    work_made_again(work, unreadable);
    if (*made) {
        g_autoptr(RmilRegion) region = work_read_region(work, given, NULL, bag, work->padding, error);
        if (!region) return FALSE;
        lesion = !rmil_region_empty(region);
        g_autofree double *shares = rmil_try_new(bag->count, sizeof *shares, error);
        if (!shares || !rmil_region_overlap(region, bag->coords, bag->count, bag->patch_size_level0, shares, error)) return FALSE;
        rmil_patch_labels(shares, bag->count, work->label_threshold, labels);
        g_unlink(picture); /* of labels that are no more */
        if (!rmil_labels_write(path, labels, shares, bag->count, source, error)) return FALSE;
    }
    if (work->preview && given->slide && !g_file_test(picture, G_FILE_TEST_EXISTS) && !draw_row(work, row, bag, labels, picture, error))
        return FALSE;
    for (int64_t i = 0; i < bag->count; i++) *annotated += labels[i];
    g_autofree char *doubt = work_annotation_doubt(given, lesion || *annotated > 0);
    if (doubt) rmil_monitor_warn(&work->cli->monitor, "%s: %s", given->id, doubt);
    if (*annotated == 0)
        rmil_monitor_warn(&work->cli->monitor, "%s: no patch of %s lies in this annotation: the slide trains on its label alone",
                          given->annotation, given->id);
    return TRUE;
}

static gboolean label_task(int64_t index, int worker, gpointer user, GError **unused) {
    Labelling *labelling = user;
    int64_t row = g_array_index(labelling->rows, int64_t, index), annotated = 0;
    gboolean made = FALSE;
    GError *error = NULL;
    if (!label_row(labelling, row, &annotated, &made, &error)) {
        labelling->work->failed[row] = TRUE;
        cli_problem(labelling->work->cli, "label", labelling->work->cohort->rows[row].id, error);
    }
    g_mutex_lock(&labelling->lock);
    labelling->made += made && !labelling->work->failed[row];
    labelling->kept += !made && !labelling->work->failed[row];
    labelling->annotated += annotated;
    rmil_monitor_progress(&labelling->work->cli->monitor, "label: annotations", ++labelling->finished, labelling->rows->len);
    g_mutex_unlock(&labelling->lock);
    return TRUE;
}

gboolean stage_label(Work *work, GError **error) {
    gint64 start = g_get_monotonic_time();
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < work->cohort->count; i++)
        if (!work->failed[i] && work->cohort->rows[i].annotation) g_array_append_val(rows, i);
    if (!rows->len) return TRUE;
    Labelling labelling = {.work = work, .rows = rows};
    g_mutex_init(&labelling.lock);
    gboolean done = rmil_parallel(rows->len, work->cli->threads, label_task, &labelling, error);
    g_mutex_clear(&labelling.lock);
    json_object_set_int_member(work->cli->result, "annotated_patches", labelling.annotated);
    work_stage_done(work, "label", labelling.made, labelling.kept, start);
    return done;
}
