/* SPDX-License-Identifier: Apache-2.0 */
/* The tissue of a slide: given with its row, or found. */
#include "prepare-private.h"

#include "base/json.h"

#include <string.h>

static void add_ring(const double *xy, int64_t count, gboolean hole, gpointer mask) { rmil_mask_add_ring(mask, xy, count); }

static void draw(RmilMask *mask, gpointer region) { rmil_region_rings(region, add_ring, mask); }

static RmilRegion *read_given(const RmilWork *work, const char *path, RmilSlide *slide, GError **error) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    options.tissue = TRUE;
    options.uncropped = work->options.uncropped;
    rmil_annotation_bounds(&options, rmil_slide_info(slide));
    RmilRegion *region = rmil_region_read(path, &options, error);
    if (region) rmil_work_warn_all(work, rmil_region_warnings(region));
    return region;
}

RmilMask *rmil_work_mask(const RmilWork *work, int64_t row, RmilSlide *slide, double mpp, GError **error) {
    const char *given = work->cohort->rows[row].tissue;
    RmilTissueOptions options;
    if (!rmil_prepare_tissue(&work->options, &options, error)) return NULL;
    options.mpp = mpp;
    g_autoptr(RmilRegion) region = given ? read_given(work, given, slide, error) : NULL;
    if (given && !region) return NULL;
    options.draw = region ? draw : NULL;
    options.user = region;
    RmilMask *mask = rmil_mask_new(slide, &options, error);
    if (mask) rmil_work_warn_all(work, (const char *const *)mask->warnings);
    return mask;
}

char *rmil_tissue_source(const RmilWork *work, int64_t row) {
    const RmilPrepareOptions *options = &work->options;
    const RmilCohortRow *given = &work->cohort->rows[row];
    GString *out = g_string_new(NULL);
    if (given->tissue) {
        g_autofree char *file = rmil_file_identity(given->tissue), *frame = rmil_annotation_frame(work, given, given->tissue);
        g_string_append_printf(out, "; tissue of %s%s%s", file, frame, work->options.uncropped ? ", uncropped" : "");
    } else if (options->tissue && strcmp(options->tissue, rmil_tissue_method_name(RMIL_TISSUE_OTSU)) != 0) {
        g_string_append_printf(out, "; by %s", options->tissue);
    }
    if (options->leave_out) g_string_append_printf(out, "; without %s", options->leave_out);
    if (options->min_area > 0) g_string_append_printf(out, "; pieces of %g mm²", options->min_area);
    if (options->max_hole > 0) g_string_append_printf(out, "; holes to %g mm²", options->max_hole);
    return g_string_free(out, FALSE);
}

char *rmil_left_out_text(const int64_t left[RMIL_LEFT_REASONS]) {
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    JsonObject *object = json_object_new();
    json_node_take_object(node, object);
    for (int r = 1; r < RMIL_LEFT_REASONS; r++)
        if (left[r]) json_object_set_int_member(object, rmil_left_out_name((RmilLeftOut)r), left[r]);
    return json_object_get_size(object) ? json_to_string(node, FALSE) : NULL;
}

void rmil_left_out_parse(const char *text, int64_t left[RMIL_LEFT_REASONS]) {
    g_autoptr(JsonNode) node = text ? json_from_string(text, NULL) : NULL;
    for (int r = 1; node && r < RMIL_LEFT_REASONS; r++) {
        double n = 0;
        JsonNode *member = rmil_json_get(node, rmil_left_out_name((RmilLeftOut)r));
        if (member && rmil_json_number(member, &n) && n > 0 && n < 1e12) left[r] += (int64_t)n;
    }
}
