/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of TIFF files, by libtiff. */
#include "slide/tiff-tiles.h"

#include "slide/jpeg.h"
#include "slide/vips.h"

#include <string.h>
#include <tiffio.h>

#define KEPT ((int64_t)64 << 20) /* bytes of cached tiles; OpenSlide keeps half as many */
#define SIDE_MOST 4096
enum { PAGES_MOST = 1024 };

/* Where a level of OpenSlide is in the file. */
typedef struct {
    int page;       /* −1: cannot be read this way */
    gboolean ycbcr; /* RGB otherwise */
    int64_t width, height, side[2], columns, rows;
    gint trusted;
} Level;

typedef struct {
    TIFF *file;
    int page; /* its current page */
    uint8_t *rgb;
} Reader;

typedef struct {
    int64_t key;
    uint32_t *argb;
    int64_t bytes;
    int users;
    GList link; /* in `order` while it is cached */
} Tile;

struct _RmilTiffTiles {
    char *path;
    int levels;
    Level level[RMIL_SLIDE_LEVELS];
    int64_t most; /* bytes of RGB of a tile */
    GMutex lock;
    GQueue readers;    /* Reader * not in use */
    GHashTable *known; /* Tile * by key */
    GQueue order;      /* least recently used first */
    int64_t bytes;
};

/* -- the file ------------------------------------------------------------------------------------------------------------------- */
static void set_level(RmilTiffTiles *tiles, TIFF *file, int page) {
    uint32_t width = 0, height = 0, across = 0, down = 0;
    uint16_t compression = 0, bits = 0, samples = 0, planes = 0, colours = 0, format = SAMPLEFORMAT_UINT;
    TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(file, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(file, TIFFTAG_TILEWIDTH, &across);
    TIFFGetField(file, TIFFTAG_TILELENGTH, &down);
    TIFFGetField(file, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &planes);
    TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &colours);
    for (int i = 0; i < tiles->levels; i++) {
        Level *level = &tiles->level[i];
        if (level->width != width || level->height != height) continue;
        const gboolean fit = TIFFIsTiled(file) && compression == COMPRESSION_JPEG && bits == 8 && samples == 3 &&
                             planes == PLANARCONFIG_CONTIG && format == SAMPLEFORMAT_UINT && across >= 1 && down >= 1 &&
                             across <= SIDE_MOST && down <= SIDE_MOST && (colours == PHOTOMETRIC_YCBCR || colours == PHOTOMETRIC_RGB);
        level->page = fit && level->page == -1 ? page : -2; /* two pages of one size: ambiguous */
        level->ycbcr = colours == PHOTOMETRIC_YCBCR;
        level->side[0] = across;
        level->side[1] = down;
        if (!fit) continue;
        level->columns = (level->width + across - 1) / across;
        level->rows = (level->height + down - 1) / down;
        tiles->most = MAX(tiles->most, (int64_t)across * down * 3);
    }
}

RmilTiffTiles *rmil_tiff_tiles_new(const RmilSlide *slide) {
    TIFF *file = TIFFOpen(slide->file, "rm");
    vips_error_clear(); /* libtiff's messages go through vips */
    if (!file) return NULL;
    RmilTiffTiles *tiles = g_new0(RmilTiffTiles, 1);
    tiles->path = g_strdup(slide->file);
    tiles->levels = slide->info.levels;
    for (int i = 0; i < tiles->levels; i++) tiles->level[i] = (Level){.page = -1, .width = slide->widths[i], .height = slide->heights[i]};
    for (int page = 0; page < PAGES_MOST; page++) {
        set_level(tiles, file, page);
        if (!TIFFReadDirectory(file)) break;
    }
    TIFFClose(file);
    vips_error_clear();
    g_mutex_init(&tiles->lock);
    tiles->readers = (GQueue)G_QUEUE_INIT;
    tiles->order = (GQueue)G_QUEUE_INIT;
    tiles->known = g_hash_table_new(g_int64_hash, g_int64_equal);
    gboolean any = FALSE;
    for (int i = 0; i < tiles->levels; i++) any = any || tiles->level[i].page >= 0;
    if (any) return tiles;
    rmil_tiff_tiles_free(tiles);
    return NULL;
}

static void free_reader(gpointer data) {
    Reader *reader = data;
    if (reader->file) TIFFClose(reader->file);
    g_free(reader->rgb);
    g_free(reader);
}

static void free_tile(Tile *tile) {
    g_free(tile->argb);
    g_free(tile);
}

void rmil_tiff_tiles_free(RmilTiffTiles *tiles) {
    if (!tiles) return;
    g_queue_clear_full(&tiles->readers, free_reader);
    for (GList *link = tiles->order.head, *next; link; link = next) {
        next = link->next;
        free_tile(link->data);
    }
    g_hash_table_unref(tiles->known);
    g_mutex_clear(&tiles->lock);
    g_free(tiles->path);
    g_free(tiles);
}

/* Prefers a reader that is already on this page: changing the page takes time. */
static Reader *take_reader(RmilTiffTiles *tiles, int page) {
    g_mutex_lock(&tiles->lock);
    GList *found = tiles->readers.head;
    while (found && ((Reader *)found->data)->page != page) found = found->next;
    Reader *reader = found ? found->data : g_queue_peek_head(&tiles->readers);
    if (reader) g_queue_remove(&tiles->readers, reader);
    g_mutex_unlock(&tiles->lock);
    if (reader) return reader;
    reader = g_new0(Reader, 1);
    reader->page = -1;
    reader->file = TIFFOpen(tiles->path, "rm");
    reader->rgb = reader->file ? g_try_malloc((gsize)tiles->most) : NULL;
    if (reader->rgb) return reader;
    free_reader(reader);
    return NULL;
}

/* After a failure, libtiff would keep failing: discards the reader with its state. */
static void put_reader(RmilTiffTiles *tiles, Reader *reader, gboolean good) {
    if (!good) {
        free_reader(reader);
        vips_error_clear();
        return;
    }
    g_mutex_lock(&tiles->lock);
    g_queue_push_head(&tiles->readers, reader);
    g_mutex_unlock(&tiles->lock);
}

/* -- decoding ------------------------------------------------------------------------------------------------------------------- */
RMIL_CLONES static void widen(const uint8_t *restrict rgb, uint32_t *restrict argb, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        argb[i] = 0xff000000U | (uint32_t)rgb[3 * i] << 16 | (uint32_t)rgb[3 * i + 1] << 8 | (uint32_t)rgb[3 * i + 2];
}

static gboolean turn_page(Reader *reader, const Level *level) {
    if (reader->page == level->page) return TRUE;
    reader->page = -1;
    if (!TIFFSetDirectory(reader->file, (tdir_t)level->page)) return FALSE;
    if (level->ycbcr) TIFFSetField(reader->file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    reader->page = level->page;
    return TRUE;
}

/* A tile with fewer bytes than its pixels need; otherwise it is not a usual JPEG. */
static gboolean decode_eighth(RmilTiffTiles *tiles, Reader *reader, const Level *level, uint32_t index, uint32_t *argb) {
    uint32_t tables_size = 0;
    void *tables = NULL;
    if (!turn_page(reader, level) || level->side[0] % 8 != 0 || level->side[1] % 8 != 0) return FALSE;
    TIFFGetField(reader->file, TIFFTAG_JPEGTABLES, &tables_size, &tables);
    const uint64_t size = TIFFGetStrileByteCount(reader->file, index);
    if (size == 0 || size > (uint64_t)tiles->most || TIFFReadRawTile(reader->file, index, reader->rgb, (tmsize_t)size) != (tmsize_t)size)
        return FALSE;
    return rmil_jpeg_eighth(tables, tables ? tables_size : 0, reader->rgb, size, level->ycbcr, level->side, argb);
}

static gboolean decode_with(Reader *reader, const Level *level, uint32_t index, uint32_t *argb) {
    if (!turn_page(reader, level)) return FALSE;
    const int64_t pixels = level->side[0] * level->side[1];
    if (TIFFGetStrileByteCount(reader->file, index) == 0 || TIFFTileSize(reader->file) != pixels * 3 ||
        TIFFReadEncodedTile(reader->file, index, reader->rgb, (tmsize_t)(pixels * 3)) != pixels * 3)
        return FALSE;
    widen(reader->rgb, argb, pixels);
    return TRUE;
}

static Tile *decode(RmilTiffTiles *tiles, const Level *level, int64_t index, int64_t key, gboolean eighth) {
    const int64_t bytes = level->side[0] * level->side[1] * 4 / (eighth ? 64 : 1);
    uint32_t *argb = g_try_malloc((gsize)bytes);
    Reader *reader = argb ? take_reader(tiles, level->page) : NULL;
    const gboolean good = reader && (eighth ? decode_eighth(tiles, reader, level, (uint32_t)index, argb)
                                            : decode_with(reader, level, (uint32_t)index, argb));
    if (reader) put_reader(tiles, reader, good);
    if (!good) {
        g_free(argb);
        return NULL;
    }
    Tile *tile = g_new(Tile, 1);
    *tile = (Tile){.key = key, .argb = argb, .bytes = bytes, .users = 1, .link = {.data = tile}};
    return tile;
}

/* -- cached tiles ---------------------------------------------------------------------------------------------------------------- */
/* Call with the lock held. A tile in use is freed by its last user. */
static void drop(RmilTiffTiles *tiles, Tile *tile) {
    g_hash_table_remove(tiles->known, &tile->key);
    g_queue_unlink(&tiles->order, &tile->link);
    tiles->bytes -= tile->bytes;
    if (--tile->users == 0) free_tile(tile);
}

static void keep(RmilTiffTiles *tiles, Tile *tile) {
    if (g_hash_table_contains(tiles->known, &tile->key)) return; /* another thread was faster */
    tile->users++;
    g_hash_table_insert(tiles->known, &tile->key, tile);
    g_queue_push_tail_link(&tiles->order, &tile->link);
    for (tiles->bytes += tile->bytes; tiles->bytes > KEPT && tiles->order.length > 1;) drop(tiles, tiles->order.head->data);
}

static Tile *take_tile(RmilTiffTiles *tiles, int level, int64_t index, gboolean eighth) {
    const int64_t key = (index * RMIL_SLIDE_LEVELS + level) * 2 + eighth;
    g_mutex_lock(&tiles->lock);
    Tile *tile = g_hash_table_lookup(tiles->known, &key);
    if (tile) {
        tile->users++;
        g_queue_unlink(&tiles->order, &tile->link);
        g_queue_push_tail_link(&tiles->order, &tile->link);
    }
    g_mutex_unlock(&tiles->lock);
    if (tile || !(tile = decode(tiles, &tiles->level[level], index, key, eighth))) return tile;
    g_mutex_lock(&tiles->lock);
    keep(tiles, tile);
    g_mutex_unlock(&tiles->lock);
    return tile;
}

static void put_tile(RmilTiffTiles *tiles, Tile *tile) {
    g_mutex_lock(&tiles->lock);
    if (--tile->users == 0) free_tile(tile);
    g_mutex_unlock(&tiles->lock);
}

/* -- rectangles ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    int64_t x, y, width, height;
} Rectangle;

/* The part of tile (column, row) that lies in the rectangle. part: 8 for eighths, else 1. */
static gboolean copy_tile(RmilTiffTiles *tiles, int number, int part, int64_t column, int64_t row, const Rectangle *r, uint32_t *argb) {
    const Level *level = &tiles->level[number];
    const int64_t across = level->side[0] / part, down = level->side[1] / part;
    Tile *tile = take_tile(tiles, number, row * level->columns + column, part > 1);
    if (!tile) return FALSE;
    const int64_t left = MAX(r->x, column * across), right = MIN(r->x + r->width, (column + 1) * across);
    const int64_t top = MAX(r->y, row * down), bottom = MIN(r->y + r->height, (row + 1) * down);
    for (int64_t y = top; y < bottom; y++)
        memcpy(argb + (y - r->y) * r->width + left - r->x, tile->argb + (y - row * down) * across + left - column * across,
               (size_t)(right - left) * 4);
    put_tile(tiles, tile);
    return TRUE;
}

static gboolean read_tiles(RmilTiffTiles *tiles, int number, int part, const Rectangle *r, uint32_t *argb) {
    const Level *level = &tiles->level[number];
    const int64_t across = level->side[0] / part, down = level->side[1] / part;
    if (level->page < 0 || across < 1 || down < 1 || r->x < 0 || r->y < 0 || r->x + r->width > level->width / part ||
        r->y + r->height > level->height / part)
        return FALSE;
    for (int64_t row = r->y / down; row * down < r->y + r->height; row++)
        for (int64_t column = r->x / across; column * across < r->x + r->width; column++)
            if (!copy_tile(tiles, number, part, column, row, r, argb)) return FALSE;
    return TRUE;
}

gboolean rmil_tiff_tiles_read(RmilTiffTiles *tiles, int number, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t *argb) {
    return read_tiles(tiles, number, 1, &(Rectangle){x, y, width, height}, argb);
}

gboolean rmil_tiff_tiles_read_eighths(RmilTiffTiles *tiles, int number, int64_t x, int64_t y, int64_t width, int64_t height,
                                      uint32_t *argb) {
    return read_tiles(tiles, number, 8, &(Rectangle){x, y, width, height}, argb);
}

void rmil_tiff_tiles_give_up(RmilTiffTiles *tiles, int level) { g_atomic_int_set(&tiles->level[level].page, -2); }

gboolean rmil_tiff_tiles_trusted(const RmilTiffTiles *tiles, int level) { return g_atomic_int_get(&tiles->level[level].trusted); }

void rmil_tiff_tiles_trust(RmilTiffTiles *tiles, int level) { g_atomic_int_set(&tiles->level[level].trusted, TRUE); }
