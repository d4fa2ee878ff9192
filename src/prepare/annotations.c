/* SPDX-License-Identifier: Apache-2.0 */
/* The annotation of a row: its origin of coordinates, and what is doubtful about it. */
#include "prepare-private.h"

/* Opens a row's slide only for its scanned area: its resolution does not matter. NULL: not needed, or not available. */
static RmilSlide *open_for_bounds(const RmilWork *work, const RmilCohortRow *row, const char *outlines) {
    if (!rmil_annotation_cropped(outlines)) return NULL;
    if (!row->slide) {
        rmil_monitor_warn(&work->monitor, "coordinates of annotations in rows without a slide start at the corner of level 0; for QuPath "
                                          "annotations of MIRAX, Leica and Ventana slides also give the slide, which says where its "
                                          "scanned area begins");
        return NULL;
    }
    g_autoptr(GError) error = NULL;
    RmilSlide *slide = rmil_slide_open(row->slide, 1, &error);
    if (!slide)
        rmil_monitor_warn(&work->monitor,
                          "%s: its coordinates start at the corner of level 0, because its slide does not say where the scanned area "
                          "begins: %s",
                          outlines, error->message);
    return slide;
}

void rmil_annotation_bounds(RmilAnnotationOptions *options, const RmilSlideInfo *info) {
    options->slide_width = info->width;
    options->slide_height = info->height;
    options->bounds_x = info->bounds_x;
    options->bounds_y = info->bounds_y;
    options->bounds_width = info->bounds_width;
    options->bounds_height = info->bounds_height;
}

RmilRegion *rmil_work_read_region(const RmilWork *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag, double padding,
                                  GError **error) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    g_auto(GStrv) lesion = rmil_lesion_groups(work->options.lesion, &work->cohort->task, &row->target);
    if (lesion) options.lesion = (const char *const *)lesion;
    if (work->options.exclusion) options.exclusion = (const char *const *)work->options.exclusion;
    options.padding = padding;
    options.uncropped = work->options.uncropped;
    g_autoptr(RmilSlide) opened = slide || work->options.uncropped ? NULL : open_for_bounds(work, row, row->annotation);
    if (slide || opened) rmil_annotation_bounds(&options, rmil_slide_info(slide ? slide : opened));
    if (bag && bag->slide_width > 0) {
        options.slide_width = bag->slide_width;
        options.slide_height = bag->slide_height;
    }
    RmilRegion *region = rmil_region_read(row->annotation, &options, error);
    if (region) rmil_work_warn_all(work, rmil_region_warnings(region));
    return region;
}

char *rmil_annotation_frame(const RmilWork *work, const RmilCohortRow *row, const char *outlines) {
    g_autoptr(RmilSlide) slide = work->options.uncropped ? NULL : open_for_bounds(work, row, outlines);
    const RmilSlideInfo *info = slide ? rmil_slide_info(slide) : NULL;
    if (!info || (info->bounds_width == info->width && info->bounds_height == info->height)) return g_strdup("");
    return g_strdup_printf("; scanned area of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " px at (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                           ")",
                           info->bounds_width, info->bounds_height, info->bounds_x, info->bounds_y);
}

char *rmil_annotation_doubt(const RmilTask *task, const RmilCohortRow *row, gboolean lesion) {
    if (!lesion || !rmil_target_known(task, &row->target) || rmil_target_lesion(task, &row->target)) return NULL;
    g_autofree char *said = rmil_task_is_plain(task) ? g_strdup("has label 0")
                                                     : g_strdup_printf("is of the negative class \"%s\"", task->names[0]);
    return g_strdup_printf("%s, but %s outlines a lesion: one of them is wrong", said, row->annotation);
}
