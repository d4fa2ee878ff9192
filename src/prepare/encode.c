/* SPDX-License-Identifier: Apache-2.0 */
/* encode: tiles -> features/ID.h5, by the flow. A killed run continues at the batch where it stopped. */
#include "flow.h"
#include "prepare-private.h"

#include <string.h>

#define PIXEL_BYTES (INT64_C(256) << 20) /* of tiles that have been read and wait for the encoder */

typedef struct {
    RmilWork *work;
    RmilEncoder *encoder;
    int views;
    gboolean half; /* float16 in the files */
    GMutex lock;
    int64_t done, total; /* tiles of the whole cohort */
    int64_t made, kept;  /* slides */
} Encoding;

/* A slide in progress. */
typedef struct {
    int64_t row;
    RmilLock *claim;
} Row;

static void advance(gpointer user, int64_t tiles) {
    Encoding *e = user;
    g_mutex_lock(&e->lock);
    e->done = MIN(e->done + tiles, e->total); /* another process may have tiled a slide again */
    rmil_monitor_progress(&e->work->monitor, "encode: tiles", e->done, e->total);
    g_mutex_unlock(&e->lock);
}

/* The grid of a bag of coordinates, as the tile stage left it. */
static RmilGrid *grid_of(const RmilBag *bag, GError **error) {
    g_autoptr(RmilGrid) grid = g_new0(RmilGrid, 1);
    grid->count = bag->count;
    if (!(grid->coords = rmil_try_new(bag->count, 2 * sizeof *bag->coords, error)) ||
        (bag->tissue && !(grid->tissue = rmil_try_new(bag->count, sizeof *bag->tissue, error))))
        return NULL;
    memcpy(grid->coords, bag->coords, (gsize)bag->count * 2 * sizeof *bag->coords);
    if (bag->tissue) memcpy(grid->tissue, bag->tissue, (gsize)bag->count * sizeof *bag->tissue);
    grid->tile_px = (int)bag->patch_size;
    grid->tile_level0 = bag->patch_size_level0;
    grid->downsample = bag->patch_size_level0 / bag->patch_size;
    grid->mpp = bag->target_mpp;
    grid->slide_width = bag->slide_width;
    grid->slide_height = bag->slide_height;
    grid->overlap = bag->overlap;
    return g_steal_pointer(&grid);
}

/* One grid per magnification, with as many pixels as the encoder needs. */
static gboolean make_grids(const Encoding *e, const RmilBag *tiles, RmilFlowSlide *out, GError **error) {
    const int pixels = rmil_encoder_tile_px(e->encoder);
    g_autoptr(RmilGrid) grid = grid_of(tiles, error), around = NULL;
    if (!grid || !(out->grids[0] = rmil_grid_seen(grid, pixels, error))) return FALSE;
    if (e->views == 1) return TRUE;
    const RmilPrepareOptions *o = &e->work->options;
    around = rmil_grid_around(grid, grid->mpp > 0 ? o->second_mpp : o->second_mpp / o->tile_mpp, error);
    return around && (out->grids[1] = rmil_grid_seen(around, pixels, error));
}

/* Blocks of the tiles that have no features yet. */
static gboolean make_blocks(RmilFlowSlide *out, GError **error) {
    const int64_t n = out->grids[0]->count;
    g_autofree uint8_t *have = rmil_try_new(n, 1, error);
    if (!have) return FALSE;
    for (int64_t i = 0; i < n; i++) have[i] = rmil_bag_writer_has(out->writer, i, 1) ? 1 : 0;
    out->blocks = rmil_grid_blocks_new(out->grids[0], out->slide, have, error);
    return out->blocks != NULL;
}

static void clear_slide(RmilFlowSlide *slide) {
    Row *row = slide->own;
    rmil_bag_writer_free(slide->writer);
    for (int view = 0; view < RMIL_VIEWS; view++) rmil_grid_free(slide->grids[view]);
    rmil_grid_blocks_free(slide->blocks);
    rmil_slide_free(slide->slide);
    rmil_lock_free(row->claim);
    g_free(row);
    *slide = (RmilFlowSlide){0};
}

static char *source_of(const Encoding *e, const RmilBag *tiles) {
    const char *identity = rmil_encoder_identity(e->encoder), *source = tiles->source ? tiles->source : "";
    if (e->views == 1) return g_strdup_printf("%s; %s", identity, source);
    return g_strdup_printf("%s; %s; joined with %g", identity, source, e->work->options.second_mpp);
}

static gboolean open_slide(const Encoding *e, int64_t row, const RmilBag *tiles, const char *source, const char *path, RmilFlowSlide *out,
                           GError **error) {
    if (!(out->slide = rmil_work_open_slide(e->work, row, error)) || !make_grids(e, tiles, out, error)) return FALSE;
    RmilBag meta = *tiles;
    meta.dim = (int64_t)e->views * rmil_encoder_dim(e->encoder);
    meta.precision = RMIL_FLOAT32;
    meta.source = (char *)source;
    out->views = e->views;
    return (out->writer = rmil_bag_writer_begin(&meta, path, e->half, error)) && make_blocks(out, error);
}

/* Features in the other precision are replaced only if a precision was requested. */
static gboolean has_precision(const Encoding *e, const char *path) {
    if (!e->work->options.features_precision) return TRUE;
    g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, NULL);
    return bag && bag->stored_half == e->half;
}

/* *found: its number of tiles, if its features already exist. */
static gboolean begin_row(Encoding *e, int64_t row, RmilFlowSlide *out, int64_t *found, GError **error) {
    RmilWork *work = e->work;
    g_autofree char *tiles_path = rmil_work_path(work, "tiles", row, "h5"), *path = rmil_work_path(work, "features", row, "h5");
    g_autoptr(RmilBag) tiles = rmil_bag_read(tiles_path, work->cohort->rows[row].id, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, error);
    if (!tiles) return FALSE;
    g_autofree char *source = source_of(e, tiles), *have = rmil_work_made_from(work, path);
    if (!have || strcmp(have, source) != 0 || !has_precision(e, path)) return open_slide(e, row, tiles, source, path, out, error);
    rmil_bag_writer_forget(path);
    *found = tiles->count;
    return TRUE;
}

static RmilFlowBegun begin_slide(gpointer user, int64_t row, RmilFlowSlide *out) {
    Encoding *e = user;
    Row *own = g_new0(Row, 1);
    gboolean elsewhere = FALSE;
    int64_t found = -1;
    GError *error = NULL;
    *out = (RmilFlowSlide){.own = own};
    own->row = row;
    const gboolean good = rmil_work_claim(e->work, row, &own->claim, &elsewhere, &error) &&
                          (elsewhere || begin_row(e, row, out, &found, &error));
    if (good && !elsewhere && found < 0) {
        advance(e, out->grids[0]->count - out->blocks->first[out->blocks->count]);
        return RMIL_FLOW_BEGUN;
    }
    clear_slide(out);
    if (!good) rmil_work_failed(e->work, "encode", row, error);
    if (elsewhere) rmil_work_say_shared(e->work);
    if (elsewhere) return RMIL_FLOW_LATER;
    if (good) {
        e->kept++; /* begin is never called twice at once */
        advance(e, found);
    }
    return RMIL_FLOW_OVER;
}

static void end_slide(gpointer user, RmilFlowSlide *slide, const GError *failure) {
    Encoding *e = user;
    GError *error = failure ? g_error_copy(failure) : NULL;
    const int64_t row = ((Row *)slide->own)->row;
    if (!error) rmil_bag_writer_commit(g_steal_pointer(&slide->writer), &error);
    clear_slide(slide);
    if (error) rmil_work_failed(e->work, "encode", row, error);
    g_mutex_lock(&e->lock);
    e->made += error == NULL;
    g_mutex_unlock(&e->lock);
}

/* Rows with tiles to encode, and the number of those tiles. */
static GArray *rows_of(const RmilWork *work, int64_t *tiles) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    *tiles = 0;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        if (work->errors[i] || work->cohort->rows[i].features) continue;
        g_autofree char *path = rmil_work_path(work, "tiles", i, "h5");
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, NULL);
        *tiles += bag ? bag->count : 0;
        g_array_append_val(rows, i);
    }
    return rows;
}

/* Two more threads with an accelerator, since two wait for its calls: as many read as were requested. */
static int threads_of(const RmilPrepareOptions *options) {
    const gboolean processor = !options->device || strcmp(options->device, "cpu") == 0;
    return options->threads + (processor ? 0 : 2);
}

static void say_tiles(const RmilWork *work, const RmilEncoder *encoder) {
    const int seen = rmil_encoder_tile_px(encoder);
    if (work->options.tile_px != seen)
        rmil_monitor_warn(
            &work->monitor,
            "the encoder %s takes tiles of %d px, so tiles of %d px at %g µm per pixel are read as %d px at %.4g µm per pixel",
            work->options.encoder, seen, work->options.tile_px, work->options.tile_mpp, seen,
            work->options.tile_mpp * work->options.tile_px / seen);
    if (work->options.second_mpp > 0)
        rmil_monitor_warn(&work->monitor, "features of %g and %g µm per pixel are joined: %d + %d numbers per tile", work->options.tile_mpp,
                          work->options.second_mpp, rmil_encoder_dim(encoder), rmil_encoder_dim(encoder));
}

gboolean rmil_work_encode(RmilWork *work, GError **error) {
    if (!rmil_work_ready(work, error)) return FALSE;
    const gint64 start = g_get_monotonic_time();
    RmilEncoderOptions options = rmil_prepare_encoder(&work->options);
    Encoding e = {.work = work, .views = work->options.second_mpp > 0 ? 2 : 1};
    g_autoptr(GArray) rows = rows_of(work, &e.total);
    if (!rows->len) return TRUE;
    e.half = g_strcmp0(work->options.features_precision, "float32") != 0;
    options.workers = threads_of(&work->options);
    g_autoptr(RmilEncoder) encoder = e.encoder = rmil_encoder_new(work->options.encoder, &options, error);
    if (!encoder) return FALSE;
    if (rmil_encoder_note(encoder)) rmil_monitor_warn(&work->monitor, "%s", rmil_encoder_note(encoder));
    say_tiles(work, encoder);
    g_mutex_init(&e.lock);
    const RmilFlow flow = {.encoder = encoder,
                           .threads = options.workers,
                           .views = e.views,
                           .bytes = PIXEL_BYTES,
                           .begin = begin_slide,
                           .end = end_slide,
                           .advance = advance,
                           .user = &e};
    const gboolean done = rmil_flow_run(&flow, (const int64_t *)(gpointer)rows->data, rows->len, error);
    g_mutex_clear(&e.lock);
    g_free(work->encoder);
    work->encoder = g_strdup(rmil_encoder_identity(encoder));
    work->feature_dim = (int64_t)e.views * rmil_encoder_dim(encoder);
    if (done) rmil_monitor_done(&work->monitor, "encode", e.made, e.kept, start);
    return done;
}
