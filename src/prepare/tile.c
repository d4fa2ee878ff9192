/* SPDX-License-Identifier: Apache-2.0 */
/* tile: tissue mask and tile grid of every slide -> tiles/ID.h5 and masks/ID.png */
#include "prepare-private.h"

#include "rankmil/draw.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    int64_t *tiles;                     /* by row of the cohort */
    double *mpp;                        /* the same: of the slide, 0 for a plain image without, < 0 unknown */
    int64_t (*left)[RMIL_LEFT_REASONS]; /* the same: number of tiles left out */
} Tiling;

static char *tile_source(const RmilWork *work, int64_t row) {
    g_autofree char *file = rmil_file_identity(work->cohort->rows[row].slide);
    char mpp[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *overlap = work->options.overlap > 0 ? g_strdup_printf("; overlap %g", work->options.overlap) : g_strdup("");
    g_autofree char *tissue = rmil_tissue_source(work, row);
    return g_strdup_printf("tiles 1; %s; mpp %s; %d px at %g; tissue %g at %g%s%s", file,
                           g_ascii_dtostr(mpp, sizeof mpp, rmil_work_mpp(work, row)), work->options.tile_px, work->options.tile_mpp,
                           work->options.min_tissue, work->options.mask_mpp, overlap, tissue);
}

static gboolean write_tiles(const RmilGrid *grid, const char *id, char *source, const char *path, GError **error) {
    g_autofree char *left_out = rmil_left_out_text(grid->left);
    RmilBag bag = {.id = (char *)id,
                   .count = grid->count,
                   .coords = grid->coords,
                   .tissue = grid->tissue,
                   .patch_size = grid->tile_px,
                   .patch_size_level0 = grid->tile_level0,
                   .target_mpp = grid->mpp,
                   .slide_width = grid->slide_width,
                   .slide_height = grid->slide_height,
                   .overlap = grid->overlap,
                   .source = source,
                   .left_out = left_out};
    return rmil_bag_write(&bag, path, FALSE, error);
}

/* The mask and the annotation, drawn. If the annotation cannot be read, no picture is made: one without outlines would pass for finished.
 * The error is reported when patches are labelled. */
static gboolean write_picture(const RmilWork *work, int64_t row, RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid,
                              const char *picture, GError **error) {
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autoptr(GError) reason = NULL;
    g_autoptr(RmilRegion) region = given->annotation ? rmil_work_read_region(work, given, slide, NULL, 0, &reason) : NULL;
    if (region || !given->annotation) return rmil_mask_preview_write(slide, mask, grid, region, 1024, picture, error);
    g_unlink(picture);
    rmil_monitor_warn(&work->monitor, "%s: is not drawn, because the annotation cannot be read: %s", picture, reason->message);
    return TRUE;
}

/* Does the picture exist, and is it at least as new as the annotation in it? */
static gboolean preview_fresh(const char *preview, const char *annotation) {
    GStatBuf picture, drawn;
    if (g_stat(preview, &picture) != 0) return FALSE;
    return !annotation || (g_stat(annotation, &drawn) == 0 && picture.st_mtime >= drawn.st_mtime);
}

static gboolean tile_row(RmilWork *work, int64_t row, gpointer user, gboolean *made, GError **error) {
    Tiling *tiling = user;
    const RmilPrepareOptions *how = &work->options;
    g_autofree char *path = rmil_work_path(work, "tiles", row, "h5"), *preview = rmil_work_path(work, "masks", row, "png");
    g_autofree char *source = tile_source(work, row), *have = rmil_work_made_from(work, path);
    GError *unreadable = NULL;
    if (have && strcmp(have, source) == 0 && preview_fresh(preview, work->cohort->rows[row].annotation)) {
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, &unreadable);
        if (bag) {
            tiling->tiles[row] = bag->count;
            rmil_left_out_parse(bag->left_out, tiling->left[row]);
            tiling->mpp[row] = rmil_bag_level0_mpp(bag);
            return TRUE;
        }
        rmil_work_made_again(work, unreadable);
    }
    g_autoptr(RmilSlide) slide = rmil_work_open_slide(work, row, error);
    if (!slide) return FALSE;
    RmilTissueOptions tissue;
    g_autoptr(RmilMask) mask = rmil_work_mask(work, row, slide, how->mask_mpp, error);
    if (!mask || !rmil_prepare_tissue(how, &tissue, error)) return FALSE;
    const RmilTileOptions options = {.tile_px = how->tile_px, .mpp = how->tile_mpp, .min_tissue = how->min_tissue, .overlap = how->overlap};
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, error);
    if (!grid || (tissue.blur && !rmil_grid_drop_blurred(grid, slide, error)) ||
        !write_picture(work, row, slide, mask, grid, preview, error) || !write_tiles(grid, work->cohort->rows[row].id, source, path, error))
        return FALSE;
    *made = TRUE;
    tiling->tiles[row] = grid->count;
    memcpy(tiling->left[row], grid->left, sizeof grid->left);
    tiling->mpp[row] = rmil_slide_info(slide)->mpp;
    return TRUE;
}

gboolean rmil_work_tile(RmilWork *work, GError **error) {
    if (!rmil_work_ready(work, error)) return FALSE;
    const gint64 start = g_get_monotonic_time();
    const int64_t n = work->cohort->count;
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < n; i++)
        if (!work->errors[i] && !work->cohort->rows[i].features) g_array_append_val(rows, i);
    if (!rows->len) return TRUE;
    g_autofree int64_t *tiles = rmil_try_new(n, sizeof *tiles, error);
    g_autofree double *mpp = tiles ? rmil_try_new(n, sizeof *mpp, error) : NULL;
    g_autofree int64_t(*left)[RMIL_LEFT_REASONS] = mpp ? rmil_try_new(n, sizeof *left, error) : NULL;
    if (!left) return FALSE;
    for (int64_t i = 0; i < n; i++) mpp[i] = -1;
    Tiling tiling = {tiles, mpp, left};
    RmilStage stage = {.name = "tile", .what = "tile: slides", .row = tile_row, .user = &tiling};
    const gboolean done = rmil_work_rows(work, rows, &stage, error);
    rmil_work_say_resolutions(work, mpp);
    work->tiles = 0;
    memset(work->left_out, 0, sizeof work->left_out);
    for (int64_t i = 0; i < n; i++) {
        work->tiles += tiles[i];
        for (int r = 0; r < RMIL_LEFT_REASONS; r++) work->left_out[r] += left[i][r];
    }
    rmil_monitor_done(&work->monitor, stage.name, stage.made, stage.kept, start);
    return done;
}
