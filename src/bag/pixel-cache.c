/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded tiles within a limit of bytes, and threads that read ahead. */
#include "pixels.h"

#include <string.h>

enum { BESIDE = 256 }; /* bytes that a tile needs besides its pixels */

typedef struct {
    RmilPixelPlace place;
    GBytes *rgb;
    int64_t bytes;
    int64_t position; /* where in the list it is expected next; −1: nowhere */
    GList link;       /* in `recent`, if it is not expected */
} Tile;

typedef struct {
    RmilPixelPlace place;
    int64_t next; /* where it is expected after this; −1: nowhere */
} Wanted;

/* A list of expected tiles. `first` has the next position of each place: earlier ones have been used. */
typedef struct {
    int64_t count, at; /* `at`: how far it has been read ahead */
    Wanted *wanted;
    GHashTable *first; /* place -> its position + 1 */
} List;

struct _RmilPixelCache {
    int references;
    int64_t limit, used, most;
    GMutex lock; /* of everything here */
    GCond read;  /* a tile has been read, or a slide opened */
    GCond room;  /* there are more tiles to read ahead, or there is more room */
    RmilPixelSlides slides;
    GHashTable *tiles;   /* place -> Tile */
    GQueue recent;       /* tiles that are not expected, least recently used first */
    GTree *expected;     /* position -> Tile: the others */
    GHashTable *reading; /* places that a thread is reading now */
    List list;
    int threads, started, busy; /* threads that read ahead: at most, running, reading right now */
    GThread **handles;
    gboolean over;
    int64_t decoded, ahead;
};

/* -- places --------------------------------------------------------------------------------------------------------------------- */
static guint hash_place(gconstpointer data) {
    const RmilPixelPlace *p = data;
    const uint64_t key = (uint64_t)p->x * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)p->y * UINT64_C(0xc2b2ae3d27d4eb4f) ^
                         (uint64_t)GPOINTER_TO_SIZE(p->slide) * UINT64_C(0x165667b19e3779f9) ^ (uint64_t)p->side;
    return (guint)(key >> 32 ^ key);
}

static gboolean equal_places(gconstpointer a, gconstpointer b) {
    const RmilPixelPlace *p = a, *q = b;
    return p->slide == q->slide && p->x == q->x && p->y == q->y && p->level0 == q->level0 && p->side == q->side;
}

static gint compare_positions(gconstpointer a, gconstpointer b, gpointer user) {
    const int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
    return (p > q) - (p < q);
}

static int64_t bytes_of(const RmilPixelPlace *place) { return (int64_t)place->side * place->side * 3; }

/* -- the list of expected tiles ------------------------------------------------------------------------------------------------- */
static void list_clear(List *list) {
    if (list->first) g_hash_table_unref(list->first);
    g_free(list->wanted);
    *list = (List){0};
}

/* Leaves out tiles without a place or of another cache; without memory the list is empty. */
static List list_new(const RmilPixelCache *cache, const RmilTileWanted *tiles, int64_t n, int side) {
    List list = {.wanted = rmil_try_new(n, sizeof *list.wanted, NULL)};
    if (!list.wanted) return list;
    for (int64_t i = 0; i < n; i++) {
        RmilPixelCache *its;
        list.count += rmil_pixel_place(tiles[i].bag, tiles[i].patch, side, &list.wanted[list.count].place, &its, NULL) && its == cache;
    }
    list.first = g_hash_table_new(hash_place, equal_places);
    for (int64_t i = list.count - 1; i >= 0; i--) {
        Wanted *wanted = &list.wanted[i];
        wanted->next = (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(list.first, &wanted->place)) - 1;
        g_hash_table_insert(list.first, &wanted->place, GSIZE_TO_POINTER((gsize)i + 1));
    }
    return list;
}

static int64_t position_of(const List *list, const RmilPixelPlace *place) {
    return list->first ? (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(list->first, place)) - 1 : -1;
}

/* -- tiles ------------------------------------------------------------------------------------------------------------------------ */
static void put_in_order(RmilPixelCache *cache, Tile *tile) {
    tile->position = position_of(&cache->list, &tile->place);
    if (tile->position < 0) g_queue_push_tail_link(&cache->recent, &tile->link);
    else g_tree_insert(cache->expected, &tile->position, tile);
}

static void take_out_of_order(RmilPixelCache *cache, Tile *tile) {
    if (tile->position < 0) g_queue_unlink(&cache->recent, &tile->link);
    else g_tree_remove(cache->expected, &tile->position);
}

static void free_tile(gpointer data) {
    Tile *tile = data;
    g_bytes_unref(tile->rgb);
    g_free(tile);
}

static void evict(RmilPixelCache *cache, Tile *tile) {
    take_out_of_order(cache, tile);
    if (tile->position >= 0) cache->list.at = MIN(cache->list.at, tile->position);
    cache->used -= tile->bytes;
    g_hash_table_remove(cache->tiles, &tile->place);
}

static Tile *last_expected(const RmilPixelCache *cache) {
    GTreeNode *node = g_tree_node_last(cache->expected);
    return node ? g_tree_node_value(node) : NULL;
}

/* Reserves room for a tile expected at `position` (−1: nowhere). Removes tiles that are not expected, then those expected later. */
static gboolean reserve(RmilPixelCache *cache, int64_t bytes, int64_t position) {
    if (bytes > cache->limit) return FALSE;
    while (cache->used > cache->limit - bytes) {
        const GList *oldest = g_queue_peek_head_link(&cache->recent);
        Tile *tile = oldest ? oldest->data : last_expected(cache);
        if (!tile || (!oldest && (position < 0 || tile->position < position))) return FALSE;
        evict(cache, tile);
    }
    cache->used += bytes;
    cache->most = MAX(cache->most, cache->used);
    return TRUE;
}

/* Ends the reading of a place. rgb: NULL: do not keep it; reserved: the bytes reserved for it. */
static void end_reading(RmilPixelCache *cache, const RmilPixelPlace *place, GBytes *rgb, int64_t reserved) {
    g_hash_table_remove(cache->reading, place);
    if (rgb) {
        Tile *tile = g_new0(Tile, 1);
        *tile = (Tile){.place = *place, .rgb = rgb, .bytes = reserved, .link = {.data = tile}};
        g_hash_table_insert(cache->tiles, &tile->place, tile);
        put_in_order(cache, tile);
    } else {
        cache->used -= reserved;
        g_cond_signal(&cache->room);
    }
    g_cond_broadcast(&cache->read);
}

/* A tile was requested: it is expected next at its following position in the list. */
static void use(RmilPixelCache *cache, const RmilPixelPlace *place, Tile *tile) {
    List *list = &cache->list;
    const int64_t position = position_of(list, place);
    if (tile) take_out_of_order(cache, tile);
    if (position >= 0) {
        g_hash_table_remove(list->first, place);
        const int64_t next = list->wanted[position].next;
        if (next >= 0) g_hash_table_insert(list->first, &list->wanted[next].place, GSIZE_TO_POINTER((gsize)next + 1));
        g_cond_signal(&cache->room);
    }
    if (tile) put_in_order(cache, tile);
}

gboolean rmil_pixel_cache_read(RmilPixelCache *cache, const RmilPixelPlace *place, uint8_t *rgb, gboolean *opened, GError **error) {
    const int64_t bytes = bytes_of(place);
    Tile *tile;
    g_mutex_lock(&cache->lock);
    while (!(tile = g_hash_table_lookup(cache->tiles, place)) && g_hash_table_contains(cache->reading, place))
        g_cond_wait(&cache->read, &cache->lock);
    use(cache, place, tile);
    if (tile) {
        g_autoptr(GBytes) kept = g_bytes_ref(tile->rgb);
        g_mutex_unlock(&cache->lock);
        memcpy(rgb, g_bytes_get_data(kept, NULL), (gsize)bytes);
        return TRUE;
    }
    const int64_t reserved = reserve(cache, bytes + BESIDE, position_of(&cache->list, place)) ? bytes + BESIDE : 0;
    g_hash_table_add(cache->reading, (gpointer)place);
    cache->decoded++;
    g_mutex_unlock(&cache->lock);
    const gboolean read = rmil_pixel_slides_read(&cache->slides, place, rgb, opened, error);
    uint8_t *copy = read && reserved ? g_try_malloc((gsize)bytes) : NULL;
    if (copy) memcpy(copy, rgb, (gsize)bytes);
    g_mutex_lock(&cache->lock);
    end_reading(cache, place, copy ? g_bytes_new_take(copy, (gsize)bytes) : NULL, reserved);
    g_mutex_unlock(&cache->lock);
    return read;
}

/* -- reading ahead ---------------------------------------------------------------------------------------------------------------- */
/* The next tile that is missing, with room reserved for it. NULL: there is none, or no room. */
static const RmilPixelPlace *next_missing(RmilPixelCache *cache) {
    List *list = &cache->list;
    for (; list->at < list->count; list->at++) {
        const RmilPixelPlace *place = &list->wanted[list->at].place;
        const int64_t next = position_of(list, place);
        if (next < 0 || next > list->at || g_hash_table_contains(cache->tiles, place) || g_hash_table_contains(cache->reading, place))
            continue;
        if (!reserve(cache, bytes_of(place) + BESIDE, list->at)) return NULL;
        list->at++;
        return place;
    }
    return NULL;
}

static gpointer read_ahead(gpointer data) {
    RmilPixelCache *cache = data;
    g_mutex_lock(&cache->lock);
    while (!cache->over) {
        const RmilPixelPlace *missing = next_missing(cache);
        if (!missing) {
            g_cond_wait(&cache->room, &cache->lock);
            continue;
        }
        const RmilPixelPlace place = *missing; /* the list may change while the tile is read */
        const gsize bytes = (gsize)bytes_of(&place);
        g_hash_table_add(cache->reading, (gpointer)&place);
        cache->busy++;
        cache->decoded++;
        cache->ahead++;
        g_mutex_unlock(&cache->lock);
        g_autofree uint8_t *rgb = g_try_malloc(bytes);
        const gboolean read = rgb && rmil_pixel_slides_read(&cache->slides, &place, rgb, NULL, NULL);
        g_mutex_lock(&cache->lock);
        cache->busy--;
        end_reading(cache, &place, read ? g_bytes_new_take(g_steal_pointer(&rgb), bytes) : NULL, (int64_t)bytes + BESIDE);
    }
    g_mutex_unlock(&cache->lock);
    return NULL;
}

/* If the system gives fewer threads, these do the work; without any, nothing is read ahead. */
static void start_threads(RmilPixelCache *cache) {
    for (GThread *thread; cache->started < cache->threads; cache->handles[cache->started++] = thread)
        if (!(thread = g_thread_try_new("rankmil-tiles", read_ahead, cache, NULL))) cache->threads = cache->started;
}

void rmil_pixel_cache_expect(RmilPixelCache *cache, const RmilTileWanted *tiles, int64_t n, int side) {
    List list = n > 0 ? list_new(cache, tiles, n, side) : (List){0}, before;
    g_mutex_lock(&cache->lock);
    before = cache->list;
    cache->list = (List){0};
    for (GTreeNode *node; (node = g_tree_node_first(cache->expected));) {
        Tile *tile = g_tree_node_value(node);
        take_out_of_order(cache, tile);
        put_in_order(cache, tile);
    }
    cache->list = list;
    for (GList *link = cache->recent.head, *next; link; link = next) {
        next = link->next;
        if (position_of(&list, &((Tile *)link->data)->place) < 0) continue;
        take_out_of_order(cache, link->data);
        put_in_order(cache, link->data);
    }
    if (list.count) start_threads(cache);
    g_cond_broadcast(&cache->room);
    while (n <= 0 && cache->busy > 0) g_cond_wait(&cache->read, &cache->lock);
    g_mutex_unlock(&cache->lock);
    list_clear(&before);
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------------ */
RmilPixelCache *rmil_pixel_cache_new(int64_t bytes, int threads) {
    RmilPixelCache *cache = g_new0(RmilPixelCache, 1);
    cache->references = 1;
    cache->limit = MAX(bytes, 0);
    cache->threads = MAX(threads, 0);
    cache->handles = g_new0(GThread *, cache->threads);
    g_mutex_init(&cache->lock);
    g_cond_init(&cache->read);
    g_cond_init(&cache->room);
    rmil_pixel_slides_init(&cache->slides, &cache->lock, &cache->read, cache->limit);
    cache->tiles = g_hash_table_new_full(hash_place, equal_places, NULL, free_tile);
    cache->recent = (GQueue)G_QUEUE_INIT;
    cache->expected = g_tree_new_full(compare_positions, NULL, NULL, NULL);
    cache->reading = g_hash_table_new(hash_place, equal_places);
    return cache;
}

RmilPixelCache *rmil_pixel_cache_ref(RmilPixelCache *cache) {
    g_atomic_int_inc(&cache->references);
    return cache;
}

void rmil_pixel_cache_unref(RmilPixelCache *cache) {
    if (!cache || !g_atomic_int_dec_and_test(&cache->references)) return;
    g_tree_unref(cache->expected);
    g_hash_table_unref(cache->tiles);
    g_hash_table_unref(cache->reading);
    list_clear(&cache->list);
    rmil_pixel_slides_clear(&cache->slides);
    g_mutex_clear(&cache->lock);
    g_cond_clear(&cache->read);
    g_cond_clear(&cache->room);
    g_free(cache->handles);
    g_free(cache);
}

void rmil_pixel_cache_free(RmilPixelCache *cache) {
    if (!cache) return;
    rmil_pixel_cache_expect(cache, NULL, 0, 0);
    g_mutex_lock(&cache->lock);
    cache->over = TRUE;
    g_cond_broadcast(&cache->room);
    g_mutex_unlock(&cache->lock);
    for (int i = 0; i < cache->started; i++) g_thread_join(cache->handles[i]);
    rmil_pixel_cache_unref(cache);
}

RmilPixelSlide *rmil_pixel_cache_slide(RmilPixelCache *cache, const char *path, double mpp) {
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cache->lock);
    return rmil_pixel_slides_find(&cache->slides, path, mpp);
}

void rmil_pixel_cache_look(RmilPixelCache *cache, RmilPixelCounts *counts) {
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cache->lock);
    *counts = (RmilPixelCounts){.bytes = cache->used,
                                .most = cache->most,
                                .tiles = g_hash_table_size(cache->tiles),
                                .decoded = cache->decoded,
                                .ahead = cache->ahead,
                                .open = cache->slides.open,
                                .open_most = cache->slides.open_most,
                                .opened = cache->slides.open_times};
}

gboolean rmil_pixel_cache_holds(RmilPixelCache *cache, const RmilBag *bag, int64_t patch, int side) {
    RmilPixelPlace place;
    RmilPixelCache *its;
    if (!rmil_pixel_place(bag, patch, side, &place, &its, NULL)) return FALSE;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&cache->lock);
    return its == cache && g_hash_table_contains(cache->tiles, &place);
}
