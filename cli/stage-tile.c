/* tile: tissue mask and tile grid of every slide -> tiles/ID.h5 and masks/ID.png */
#include "work.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    Work *work;
    GMutex lock;
    int64_t finished, made, kept, tiles;
    GArray *rows; /* int64_t */
    double *mpp;  /* of the slide by row of the cohort, 0 a plain image without, < 0 unknown */
} Tiling;

static char *tile_source(const Work *work, int64_t row) {
    g_autofree char *file = rmil_file_identity(work->cohort->rows[row].slide);
    char mpp[G_ASCII_DTOSTR_BUF_SIZE];
    return g_strdup_printf("tiles 1; %s; mpp %s; %d px at %g; tissue %g at %g", file, g_ascii_dtostr(mpp, sizeof mpp, work_mpp(work, row)),
                           work->tile_px, work->tile_mpp, work->min_tissue, work->mask_mpp);
}

static gboolean write_tiles(const RmilGrid *grid, const char *id, char *source, const char *path, GError **error) {
    RmilBag bag = {.id = (char *)id,
                   .count = grid->count,
                   .coords = grid->coords,
                   .tissue = grid->tissue,
                   .patch_size = grid->tile_px,
                   .patch_size_level0 = grid->tile_level0,
                   .target_mpp = grid->mpp,
                   .slide_width = grid->slide_width,
                   .slide_height = grid->slide_height,
                   .source = source};
    return rmil_bag_write(&bag, path, FALSE, error);
}

/* The mask and the annotation as drawn. Without an annotation that can be read there is no picture, not one without outlines
 * that passes for done; what is wrong with it is an error where patches are labelled. */
static gboolean write_picture(const Work *work, int64_t row, RmilSlide *slide, const RmilMask *mask, const RmilGrid *grid,
                              const char *picture, GError **error) {
    const RmilCohortRow *given = &work->cohort->rows[row];
    g_autoptr(GError) reason = NULL;
    g_autoptr(RmilRegion) region = given->annotation ? work_read_region(work, given, slide, NULL, 0, &reason) : NULL;
    if (region || !given->annotation) return rmil_mask_preview_write(slide, mask, grid, region, 1024, picture, error);
    g_unlink(picture);
    rmil_monitor_warn(&work->cli->monitor, "%s: is not drawn, for the annotation cannot be read: %s", picture, reason->message);
    return TRUE;
}

/* Is the picture there, and not older than the annotation in it? */
static gboolean preview_fresh(const char *preview, const char *annotation) {
    GStatBuf picture, drawn;
    if (g_stat(preview, &picture) != 0) return FALSE;
    return !annotation || (g_stat(annotation, &drawn) == 0 && picture.st_mtime >= drawn.st_mtime);
}

static gboolean tile_slide(Tiling *tiling, int64_t row, gboolean *made, int64_t *tiles, GError **error) {
    Work *work = tiling->work;
    g_autofree char *path = work_path(work, "tiles", row, "h5"), *preview = work_path(work, "masks", row, "png");
    g_autofree char *source = tile_source(work, row), *have = work_made_from(work, path);
    GError *unreadable = NULL;
    if (have && strcmp(have, source) == 0 && preview_fresh(preview, work->cohort->rows[row].annotation)) {
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, &unreadable);
        if (bag) {
            *tiles = bag->count;
            tiling->mpp[row] = bag->target_mpp > 0 ? bag->target_mpp * bag->patch_size / bag->patch_size_level0 : 0;
            return TRUE;
        }
        work_made_again(work, unreadable);
    }
    g_autoptr(RmilSlide) slide = work_open_slide(work, row, error);
    if (!slide) return FALSE;
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, work->mask_mpp, error);
    if (!mask) return FALSE;
    cli_warn_all(work->cli, (const char *const *)mask->warnings);
    RmilTileOptions options;
    rmil_tile_options_init(&options);
    options.tile_px = work->tile_px;
    options.mpp = work->tile_mpp;
    options.min_tissue = work->min_tissue;
    g_autoptr(RmilGrid) grid = rmil_grid_new(slide, mask, &options, error);
    if (!grid || !write_picture(work, row, slide, mask, grid, preview, error) ||
        !write_tiles(grid, work->cohort->rows[row].id, source, path, error))
        return FALSE;
    *made = TRUE;
    *tiles = grid->count;
    tiling->mpp[row] = rmil_slide_info(slide)->mpp;
    return TRUE;
}

static gboolean tile_task(int64_t index, int worker, gpointer user, GError **unused) {
    Tiling *tiling = user;
    int64_t row = g_array_index(tiling->rows, int64_t, index), tiles = 0;
    gboolean made = FALSE;
    GError *error = NULL;
    if (!tile_slide(tiling, row, &made, &tiles, &error)) {
        tiling->work->failed[row] = TRUE;
        cli_problem(tiling->work->cli, "tile", tiling->work->cohort->rows[row].id, error);
    }
    g_mutex_lock(&tiling->lock);
    tiling->made += made;
    tiling->kept += !made && !tiling->work->failed[row];
    tiling->tiles += tiles;
    rmil_monitor_progress(&tiling->work->cli->monitor, "tile: slides", ++tiling->finished, tiling->rows->len);
    g_mutex_unlock(&tiling->lock);
    return TRUE;
}

gboolean stage_tile(Work *work, GError **error) {
    gint64 start = g_get_monotonic_time();
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < work->cohort->count; i++)
        if (!work->failed[i] && !work->cohort->rows[i].features) g_array_append_val(rows, i);
    if (!rows->len) return TRUE;
    g_autofree double *mpp = g_new(double, work->cohort->count);
    for (int64_t i = 0; i < work->cohort->count; i++) mpp[i] = -1;
    Tiling tiling = {.work = work, .rows = rows, .mpp = mpp};
    g_mutex_init(&tiling.lock);
    gboolean done = rmil_parallel(rows->len, work->cli->threads, tile_task, &tiling, error);
    g_mutex_clear(&tiling.lock);
    work_say_resolutions(work, mpp);
    json_object_set_int_member(work->cli->result, "tiles", tiling.tiles);
    work_stage_done(work, "tile", tiling.made, tiling.kept, start);
    return done;
}
