/* SPDX-License-Identifier: Apache-2.0 */
/* encode: tiles -> features/ID.h5. Slides one after the other, the tiles of a slide in parallel: each worker reads a batch
 * of tiles and encodes it while the others do the same, memory stays at one slide's features, and a killed run goes on at
 * the batch where it stopped. */
#include "prepare-private.h"

#include <string.h>

typedef struct {
    RmilWork *work;
    RmilEncoder *encoder;
    RmilSlide *slide;
    const RmilGrid *grid;
    RmilBagWriter *writer;
    uint8_t **pixels; /* by worker: one batch of tiles */
    float **features; /* by worker: one batch of features */
    int batch;
    GMutex lock;
    int64_t done, total; /* tiles of the whole cohort */
} Encoding;

static gboolean encode_batch(int64_t index, int worker, gpointer user, GError **error) {
    Encoding *e = user;
    int64_t first = index * e->batch, count = MIN(e->batch, e->grid->count - first);
    gsize tile = (gsize)e->grid->tile_px * (gsize)e->grid->tile_px * 3;
    if (!rmil_bag_writer_has(e->writer, first, count)) {
        for (int64_t i = 0; i < count; i++)
            if (!rmil_grid_read(e->grid, e->slide, first + i, e->pixels[worker] + (gsize)i * tile, error)) return FALSE;
        if (!rmil_encoder_run(e->encoder, worker, e->pixels[worker], (int)count, e->features[worker], error) ||
            !rmil_bag_writer_put(e->writer, first, count, e->features[worker], error))
            return FALSE;
    }
    g_mutex_lock(&e->lock);
    e->done += count;
    rmil_monitor_progress(&e->work->monitor, "encode: tiles", e->done, e->total);
    g_mutex_unlock(&e->lock);
    return TRUE;
}

/* Bag of coordinates, as tiling left it. */
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
    return g_steal_pointer(&grid);
}

static gboolean encode_slide(Encoding *e, int64_t row, const RmilBag *tiles, const char *source, const char *path, GError **error) {
    g_autoptr(RmilSlide) slide = rmil_work_open_slide(e->work, row, error);
    if (!slide) return FALSE;
    if (tiles->patch_size != rmil_encoder_tile_px(e->encoder))
        return rmil_fail(error, RMIL_ERROR_DATA, "its tiles are %g px a side, the encoder takes %d", tiles->patch_size,
                         rmil_encoder_tile_px(e->encoder));
    g_autoptr(RmilGrid) grid = grid_of(tiles, error);
    if (!grid) return FALSE;
    RmilBag meta = *tiles;
    meta.dim = rmil_encoder_dim(e->encoder);
    meta.precision = RMIL_FLOAT32;
    meta.source = (char *)source;
    e->slide = slide;
    e->grid = grid;
    if (!(e->writer = rmil_bag_writer_begin(&meta, path, TRUE, error))) return FALSE;
    if (rmil_parallel((grid->count + e->batch - 1) / e->batch, e->work->options.threads, encode_batch, e, error))
        return rmil_bag_writer_commit(e->writer, error);
    rmil_bag_writer_free(e->writer);
    return FALSE;
}

static gboolean encode_row(Encoding *e, int64_t row, const char *identity, gboolean *made, GError **error) {
    RmilWork *work = e->work;
    g_autofree char *tiles_path = rmil_work_path(work, "tiles", row, "h5"), *path = rmil_work_path(work, "features", row, "h5");
    g_autoptr(RmilBag) tiles = rmil_bag_read(tiles_path, work->cohort->rows[row].id, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, error);
    if (!tiles) return FALSE;
    g_autofree char *source = g_strdup_printf("%s; %s", identity, tiles->source ? tiles->source : "");
    g_autofree char *have = rmil_work_made_from(work, path);
    int64_t before = e->done;
    *made = !(have && strcmp(have, source) == 0);
    gboolean done = !*made || encode_slide(e, row, tiles, source, path, error);
    if (!*made) rmil_bag_writer_forget(path);
    e->done = before + tiles->count;
    rmil_monitor_progress(&work->monitor, "encode: tiles", e->done, e->total);
    return done;
}

gboolean rmil_work_encode(RmilWork *work, GError **error) {
    if (!rmil_work_ready(work, error)) return FALSE;
    gint64 start = g_get_monotonic_time();
    const RmilEncoderOptions options = rmil_prepare_encoder(&work->options);
    int64_t total = 0, count = 0, made = 0, kept = 0;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        if (work->errors[i] || work->cohort->rows[i].features) continue;
        g_autofree char *path = rmil_work_path(work, "tiles", i, "h5");
        g_autoptr(RmilBag) tiles = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_NO_FEATURES, NULL);
        total += tiles ? tiles->count : 0;
        count++;
    }
    if (!count) return TRUE;
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new(work->options.encoder, &options, error);
    if (!encoder) return FALSE;
    if (rmil_encoder_note(encoder)) rmil_monitor_warn(&work->monitor, "%s", rmil_encoder_note(encoder));
    Encoding e = {.work = work, .encoder = encoder, .batch = rmil_encoder_batch(encoder), .total = total};
    g_mutex_init(&e.lock);
    e.pixels = g_new0(uint8_t *, work->options.threads);
    e.features = g_new0(float *, work->options.threads);
    const gsize tile = (gsize)rmil_encoder_tile_px(encoder);
    gboolean ready = TRUE;
    for (int i = 0; ready && i < work->options.threads; i++)
        ready = (e.pixels[i] = rmil_try_new(e.batch, tile * tile * 3, error)) &&
                (e.features[i] = rmil_try_new(e.batch, (gsize)rmil_encoder_dim(encoder) * sizeof(float), error));
    for (int64_t i = 0; ready && i < work->cohort->count; i++) {
        if (work->errors[i] || work->cohort->rows[i].features) continue;
        GError *reason = NULL;
        gboolean new = FALSE;
        if (encode_row(&e, i, rmil_encoder_identity(encoder), &new, &reason)) {
            made += new;
            kept += !new;
        } else {
            rmil_work_failed(work, "encode", i, reason);
        }
    }
    for (int i = 0; i < work->options.threads; i++) {
        g_free(e.pixels[i]);
        g_free(e.features[i]);
    }
    g_free(e.pixels);
    g_free(e.features);
    g_mutex_clear(&e.lock);
    g_free(work->encoder);
    work->encoder = g_strdup(rmil_encoder_identity(encoder));
    work->feature_dim = rmil_encoder_dim(encoder);
    if (ready) rmil_monitor_done(&work->monitor, "encode", made, kept, start);
    return ready;
}
