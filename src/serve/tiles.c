/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of slides for the page: tiles, thumbnails, the tissue mask. The most recent ones are cached, up to a number of bytes. */
#include "serve-private.h"

#include "slide/slide-private.h"
#include "slide/vips.h"

#include <math.h>
#include <string.h>

typedef enum { OF_TILE, OF_THUMBNAIL, OF_PATCH, OF_MASK } PictureKind;

/* Identifies a picture. A thumbnail's side is `zoom`; a patch's side on level 0, in 64ths of a pixel, is `extent`. */
typedef struct {
    int64_t row, x, y, extent;
    PictureKind kind;
    int zoom;
} Key;

typedef struct {
    Key key;
    GBytes *bytes;
    GList link; /* in `recent` */
} Kept;

struct RmilTiles {
    const RmilDesk *desk;
    GMutex lock;
    GCond opened;
    RmilPixelSlides slides;
    GHashTable *kept;
    GQueue recent; /* least recently used first */
    int64_t bytes, most;
};

static guint hash_key(gconstpointer data) {
    const Key *key = data;
    uint64_t h = (uint64_t)key->row * 31 + (uint64_t)key->kind;
    h = (h ^ (uint64_t)key->x) * 0x9e3779b97f4a7c15u;
    h = (h ^ (uint64_t)key->y) * 0x9e3779b97f4a7c15u;
    h = (h ^ (uint64_t)key->zoom ^ (uint64_t)key->extent << 8) * 0x9e3779b97f4a7c15u;
    return (guint)(h >> 32);
}

static gboolean equal_keys(gconstpointer a, gconstpointer b) {
    const Key *p = a, *q = b;
    return p->row == q->row && p->x == q->x && p->y == q->y && p->extent == q->extent && p->kind == q->kind && p->zoom == q->zoom;
}

static void free_kept(gpointer data) {
    Kept *kept = data;
    g_bytes_unref(kept->bytes);
    g_free(kept);
}

struct RmilTiles *rmil_tiles_new(RmilDesk *desk, int64_t bytes, GError **error) {
    if (!rmil_vips_init(error)) return NULL; /* as slow as some tiles, so not when the first one is needed */
    struct RmilTiles *tiles = g_new0(struct RmilTiles, 1);
    tiles->desk = desk;
    tiles->most = bytes;
    g_mutex_init(&tiles->lock);
    g_cond_init(&tiles->opened);
    rmil_pixel_slides_init(&tiles->slides, &tiles->lock, &tiles->opened, (int64_t)512 << 20);
    tiles->kept = g_hash_table_new_full(hash_key, equal_keys, NULL, free_kept);
    return tiles;
}

void rmil_tiles_free(struct RmilTiles *tiles) {
    if (!tiles) return;
    rmil_pixel_slides_clear(&tiles->slides);
    g_hash_table_unref(tiles->kept);
    g_mutex_clear(&tiles->lock);
    g_cond_clear(&tiles->opened);
    g_free(tiles);
}

/* -- cache ---------------------------------------------------------------------------------------------------------------------- */
static GBytes *look_up(struct RmilTiles *tiles, const Key *key) {
    g_mutex_lock(&tiles->lock);
    Kept *kept = g_hash_table_lookup(tiles->kept, key);
    if (kept) {
        g_queue_unlink(&tiles->recent, &kept->link);
        g_queue_push_tail_link(&tiles->recent, &kept->link);
    }
    GBytes *bytes = kept ? g_bytes_ref(kept->bytes) : NULL;
    g_mutex_unlock(&tiles->lock);
    return bytes;
}

static void keep(struct RmilTiles *tiles, const Key *key, GBytes *bytes) {
    const int64_t size = (int64_t)g_bytes_get_size(bytes);
    g_mutex_lock(&tiles->lock);
    if (!g_hash_table_contains(tiles->kept, key) && size <= tiles->most / 8) {
        Kept *kept = g_new0(Kept, 1);
        *kept = (Kept){.key = *key, .bytes = g_bytes_ref(bytes), .link = {.data = kept}};
        g_hash_table_insert(tiles->kept, &kept->key, kept);
        g_queue_push_tail_link(&tiles->recent, &kept->link);
        tiles->bytes += size;
        while (tiles->bytes > tiles->most) {
            Kept *oldest = g_queue_pop_head_link(&tiles->recent)->data;
            tiles->bytes -= (int64_t)g_bytes_get_size(oldest->bytes);
            g_hash_table_remove(tiles->kept, &oldest->key);
        }
    }
    g_mutex_unlock(&tiles->lock);
}

/* -- encoding ---------------------------------------------------------------------------------------------------------------------- */
/* JPEG for three bands; PNG for four, where pixels may be transparent. */
static GBytes *encode(const uint8_t *pixels, int64_t width, int64_t height, int bands, GError **error) {
    g_autoptr(RmilVipsImage) image = vips_image_new_from_memory(pixels, (size_t)(width * height * bands), (int)width, (int)height, bands,
                                                                VIPS_FORMAT_UCHAR);
    g_autoptr(RmilVipsImage) tagged = NULL;
    void *data;
    size_t size;
    if (image && !vips_copy(image, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) &&
        (bands == 3 ? !vips_jpegsave_buffer(tagged, &data, &size, "Q", 85, "strip", TRUE, NULL)
                    : !vips_pngsave_buffer(tagged, &data, &size, "compression", 3, NULL)))
        return g_bytes_new_take(data, size);
    rmil_vips_fail(error, RMIL_ERROR_MEMORY, "a picture cannot be compressed");
    return NULL;
}

/* -- looking at slides ------------------------------------------------------------------------------------------------------------- */
static gboolean lend(struct RmilTiles *tiles, int64_t row, RmilPixelUse use, gpointer user, GError **error) {
    const RmilCohortRow *given = &tiles->desk->work->cohort->rows[row];
    if (!given->slide)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: the table names only features and no slide, so there is nothing to show", given->id);
    g_mutex_lock(&tiles->lock);
    RmilPixelSlide *slide = rmil_pixel_slides_find(&tiles->slides, given->slide, rmil_work_mpp(tiles->desk->work, row));
    g_mutex_unlock(&tiles->lock);
    return rmil_pixel_slides_lend(&tiles->slides, slide, use, user, error);
}

static gboolean use_look(RmilSlide *slide, gpointer user, GError **error) {
    RmilLook *look = user;
    look->info = *rmil_slide_info(slide);
    look->info.format = NULL;
    look->info.warnings = NULL;
    return TRUE;
}

gboolean rmil_tiles_look(struct RmilTiles *tiles, int64_t row, RmilLook *look, GError **error) {
    if (!lend(tiles, row, use_look, look, error)) return FALSE;
    const RmilSlideInfo *info = &look->info;
    /* of a slide that does not state its resolution: it was opened with a made-up one */
    look->mpp = info->mpp_source == RMIL_MPP_GIVEN && rmil_work_mpp(tiles->desk->work, row) <= 0 ? 0 : info->mpp;
    look->deepest = 0;
    while (((int64_t)RMIL_TILE_SIDE << look->deepest) < MAX(info->bounds_width, info->bounds_height)) look->deepest++;
    return TRUE;
}

typedef struct {
    double x, y, downsample;
    int64_t width, height;
    GBytes *bytes;
} Rectangle;

static gboolean use_rectangle(RmilSlide *slide, gpointer user, GError **error) {
    Rectangle *r = user;
    uint8_t *rgb = rmil_alloc(r->width * r->height, 3, error);
    if (rgb && rmil_slide_read_rough(slide, r->x, r->y, r->downsample, r->width, r->height, rgb, error))
        r->bytes = encode(rgb, r->width, r->height, 3, error);
    rmil_free(rgb);
    return r->bytes != NULL;
}

static GBytes *read_rectangle(struct RmilTiles *tiles, const Key *key, Rectangle *rectangle, GError **error) {
    if (!lend(tiles, key->row, use_rectangle, rectangle, error)) return NULL;
    keep(tiles, key, rectangle->bytes);
    return rectangle->bytes;
}

GBytes *rmil_tiles_get(struct RmilTiles *tiles, int64_t row, int zoom, int64_t x, int64_t y, GError **error) {
    const Key key = {.row = row, .x = x, .y = y, .kind = OF_TILE, .zoom = zoom};
    GBytes *made = look_up(tiles, &key);
    RmilLook look;
    if (made || !rmil_tiles_look(tiles, row, &look, error)) return made;
    const double downsample = ldexp(1, look.deepest - zoom), side = RMIL_TILE_SIDE * downsample;
    if (zoom < 0 || zoom > look.deepest || x < 0 || y < 0 || (double)x * side >= (double)look.info.bounds_width ||
        (double)y * side >= (double)look.info.bounds_height) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no such tile");
        return NULL;
    }
    Rectangle rectangle = {(double)look.info.bounds_x + (double)x * side,
                           (double)look.info.bounds_y + (double)y * side,
                           downsample,
                           RMIL_TILE_SIDE + RMIL_TILE_OVER,
                           RMIL_TILE_SIDE + RMIL_TILE_OVER,
                           NULL};
    made = read_rectangle(tiles, &key, &rectangle, NULL);
    if (made) return made;
    rectangle.width = rectangle.height = RMIL_TILE_SIDE; /* perhaps only the neighbour is broken */
    return read_rectangle(tiles, &key, &rectangle, error);
}

GBytes *rmil_tiles_thumbnail(struct RmilTiles *tiles, int64_t row, int side, GError **error) {
    const Key key = {.row = row, .kind = OF_THUMBNAIL, .zoom = side};
    GBytes *made = look_up(tiles, &key);
    RmilLook look;
    if (made || !rmil_tiles_look(tiles, row, &look, error)) return made;
    const double width = (double)look.info.bounds_width, height = (double)look.info.bounds_height;
    const double downsample = MAX(MAX(width, height) / side, 1);
    Rectangle rectangle = {(double)look.info.bounds_x,
                           (double)look.info.bounds_y,
                           downsample,
                           MAX((int64_t)(width / downsample), 1),
                           MAX((int64_t)(height / downsample), 1),
                           NULL};
    return read_rectangle(tiles, &key, &rectangle, error);
}

GBytes *rmil_tiles_patch(struct RmilTiles *tiles, int64_t row, int64_t x, int64_t y, double level0, int side, GError **error) {
    const Key key = {.row = row, .x = x, .y = y, .extent = (int64_t)(level0 * 64), .kind = OF_PATCH, .zoom = side};
    GBytes *made = look_up(tiles, &key);
    if (made) return made;
    if (!(level0 >= 1 && level0 <= 100000)) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "a patch of %g level-0 px cannot be shown", level0);
        return NULL;
    }
    Rectangle rectangle = {(double)x, (double)y, level0 / side, side, side, NULL};
    return read_rectangle(tiles, &key, &rectangle, error);
}

/* -- tissue ------------------------------------------------------------------------------------------------------------------------ */
enum { MASK_SIDE = 2048 };

typedef struct {
    const RmilWork *work;
    int64_t row;
    GBytes *bytes;
} Masking;

/* Green where there is tissue, red where it was left out; a pixel of the picture is tissue if any pixel of the mask under it is. */
static gboolean use_mask(RmilSlide *slide, gpointer user, GError **error) {
    Masking *masking = user;
    g_autoptr(RmilMask) mask = rmil_work_mask(masking->work, masking->row, slide, masking->work->options.mask_mpp, error);
    if (!mask) return FALSE;
    const int64_t step = MAX((MAX(mask->width, mask->height) + MASK_SIDE - 1) / MASK_SIDE, 1);
    const int64_t width = (mask->width + step - 1) / step, height = (mask->height + step - 1) / step;
    uint8_t *rgba = rmil_alloc(width * height, 4, error);
    if (!rgba) return FALSE;
    for (int64_t y = 0; y < mask->height; y++)
        for (int64_t x = 0; x < mask->width; x++)
            if (mask->tissue[y * mask->width + x]) memcpy(rgba + 4 * (y / step * width + x / step), "\x00\x9e\x73\xff", 4);
            else if (mask->left_out && mask->left_out[y * mask->width + x])
                memcpy(rgba + 4 * (y / step * width + x / step), "\xc8\x3c\x5a\xff", 4);
    masking->bytes = encode(rgba, width, height, 4, error);
    rmil_free(rgba);
    return masking->bytes != NULL;
}

GBytes *rmil_tiles_mask(struct RmilTiles *tiles, int64_t row, GError **error) {
    const Key key = {.row = row, .kind = OF_MASK};
    GBytes *made = look_up(tiles, &key);
    Masking masking = {tiles->desk->work, row, NULL};
    if (made || !lend(tiles, row, use_mask, &masking, error)) return made;
    keep(tiles, &key, masking.bytes);
    return masking.bytes;
}
