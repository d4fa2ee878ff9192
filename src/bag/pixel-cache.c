/* Tiles and open slides that many bags share, and the thread that reads ahead. One lock for all of it; nothing is read with it held. */
#include "pixels.h"

#include <string.h>

enum { OPEN_MOST = 16 };

/* A place on a slide: bags that hold parts of others number their patches otherwise. */
typedef struct {
    const RmilPixels *pixels;
    int64_t x, y;
    double span; /* level-0 px */
    int side;
} Key;

typedef struct {
    Key key;
    gsize bytes;
    gboolean ahead; /* read ahead, and not yet asked for: stays */
    GList link;     /* in the order of use, the last used first */
    uint8_t rgb[];
} Tile;

typedef struct {
    char *path;
    double mpp;
    RmilSlide *slide;
    guint users;
    guint64 used; /* when last */
} Open;

struct _RmilPixelCache {
    gint references;
    GMutex lock;
    GCond changed; /* a tile was used, or the list is another one */
    gsize bytes, bound;
    GHashTable *tiles; /* Key -> Tile */
    GQueue order;
    GPtrArray *slides; /* Open */
    guint64 clock;
    /* reading ahead */
    GThread *reader;
    Key *wanted;
    int64_t n, next;
    int side;
    guint64 lists; /* that were given */
    gboolean busy, stop;
};

static guint hash(gconstpointer key) {
    const Key *k = key;
    return g_direct_hash(k->pixels) ^ (guint)((k->x * 31 + k->y) * 2654435761) ^ (guint)k->side;
}

static gboolean equal(gconstpointer a, gconstpointer b) {
    const Key *x = a, *y = b;
    return x->pixels == y->pixels && x->x == y->x && x->y == y->y && x->span == y->span && x->side == y->side;
}

static Key key_of(const RmilBag *bag, int64_t patch, int side) {
    return (Key){bag->pixels, bag->coords[2 * patch], bag->coords[2 * patch + 1], bag->patch_size_level0, side};
}

static void free_open(gpointer data) {
    Open *open = data;
    rmil_slide_free(open->slide);
    g_free(open->path);
    g_free(open);
}

RmilPixelCache *rmil_pixel_cache_new(int64_t bytes) {
    RmilPixelCache *c = g_new0(RmilPixelCache, 1);
    c->references = 1;
    g_mutex_init(&c->lock);
    g_cond_init(&c->changed);
    c->bound = (gsize)MAX(bytes, 0);
    c->tiles = g_hash_table_new(hash, equal);
    g_queue_init(&c->order);
    c->slides = g_ptr_array_new_with_free_func(free_open);
    return c;
}

RmilPixelCache *rmil_pixel_cache_ref(RmilPixelCache *c) {
    g_atomic_int_inc(&c->references);
    return c;
}

/* -- tiles; with the lock held -------------------------------------------------------------------------------------------- */
static void drop(RmilPixelCache *c, Tile *tile) {
    g_hash_table_remove(c->tiles, &tile->key);
    g_queue_unlink(&c->order, &tile->link);
    c->bytes -= tile->bytes;
    rmil_free(tile);
}

/* Makes room by dropping tiles that were not used for long; never one that was read ahead and is still to be used. */
static gboolean make_room(RmilPixelCache *c, gsize bytes) {
    for (GList *at = c->order.tail; at && c->bytes + bytes > c->bound;) {
        Tile *tile = at->data;
        at = at->prev;
        if (!tile->ahead) drop(c, tile);
    }
    return c->bytes + bytes <= c->bound;
}

static void keep(RmilPixelCache *c, const Key *key, const uint8_t *rgb, gboolean ahead) {
    const gsize bytes = (gsize)key->side * (gsize)key->side * 3;
    if (g_hash_table_contains(c->tiles, key) || !make_room(c, bytes)) return;
    Tile *tile = rmil_alloc((int64_t)(sizeof *tile + bytes), 1, NULL);
    if (!tile) return;
    *tile = (Tile){.key = *key, .bytes = bytes, .ahead = ahead};
    tile->link.data = tile;
    memcpy(tile->rgb, rgb, bytes);
    g_hash_table_insert(c->tiles, &tile->key, tile);
    g_queue_push_head_link(&c->order, &tile->link);
    c->bytes += bytes;
}

/* -- tiles ------------------------------------------------------------------------------------------------------------------- */
gboolean rmil_pixel_cache_find(RmilPixelCache *c, const RmilBag *bag, int64_t patch, int side, uint8_t *rgb) {
    const Key key = key_of(bag, patch, side);
    g_mutex_lock(&c->lock);
    Tile *tile = g_hash_table_lookup(c->tiles, &key);
    if (tile) {
        memcpy(rgb, tile->rgb, tile->bytes);
        tile->ahead = FALSE;
        g_queue_unlink(&c->order, &tile->link);
        g_queue_push_head_link(&c->order, &tile->link);
        g_cond_broadcast(&c->changed);
    }
    g_mutex_unlock(&c->lock);
    return tile != NULL;
}

void rmil_pixel_cache_keep(RmilPixelCache *c, const RmilBag *bag, int64_t patch, int side, const uint8_t *rgb) {
    const Key key = key_of(bag, patch, side);
    g_mutex_lock(&c->lock);
    keep(c, &key, rgb, FALSE);
    g_mutex_unlock(&c->lock);
}

void rmil_pixel_cache_forget(RmilPixelCache *c, const RmilPixels *pixels) {
    g_mutex_lock(&c->lock);
    for (GList *at = c->order.head; at;) {
        Tile *tile = at->data;
        at = at->next;
        if (tile->key.pixels == pixels) drop(c, tile);
    }
    g_mutex_unlock(&c->lock);
}

/* -- open slides --------------------------------------------------------------------------------------------------------------- */
/* Closes the one that nobody used for longest when there are too many. With the lock held. */
static void close_oldest(RmilPixelCache *c) {
    while (c->slides->len > OPEN_MOST) {
        guint oldest = G_MAXUINT;
        for (guint i = 0; i < c->slides->len; i++) {
            const Open *open = c->slides->pdata[i];
            if (!open->users && (oldest == G_MAXUINT || open->used < ((Open *)c->slides->pdata[oldest])->used)) oldest = i;
        }
        if (oldest == G_MAXUINT) return; /* all are in use */
        g_ptr_array_remove_index_fast(c->slides, oldest);
    }
}

static Open *find_open(const RmilPixelCache *c, const RmilPixels *pixels) {
    for (guint i = 0; i < c->slides->len; i++) {
        Open *open = c->slides->pdata[i];
        if (open->mpp == pixels->mpp && strcmp(open->path, pixels->slide) == 0) return open;
    }
    return NULL;
}

/* With the lock held. */
static RmilSlide *use(RmilPixelCache *c, Open *open) {
    open->users++;
    open->used = ++c->clock;
    return open->slide;
}

RmilSlide *rmil_pixel_cache_open(RmilPixelCache *c, const RmilPixels *pixels, GError **error) {
    g_mutex_lock(&c->lock);
    Open *open = find_open(c, pixels);
    RmilSlide *slide = open ? use(c, open) : NULL;
    g_mutex_unlock(&c->lock);
    if (slide || !(slide = rmil_slide_open(pixels->slide, pixels->mpp, error))) return slide;
    g_mutex_lock(&c->lock);
    open = find_open(c, pixels);
    if (open) rmil_slide_free(slide); /* another thread was faster */
    else {
        open = g_new0(Open, 1);
        *open = (Open){g_strdup(pixels->slide), pixels->mpp, slide, 0, 0};
        g_ptr_array_add(c->slides, open);
    }
    slide = use(c, open);
    close_oldest(c);
    g_mutex_unlock(&c->lock);
    return slide;
}

void rmil_pixel_cache_close(RmilPixelCache *c, RmilSlide *slide) {
    g_mutex_lock(&c->lock);
    for (guint i = 0; i < c->slides->len; i++) {
        Open *open = c->slides->pdata[i];
        if (open->slide == slide) open->users--;
    }
    close_oldest(c);
    g_mutex_unlock(&c->lock);
}

/* -- reading ahead --------------------------------------------------------------------------------------------------------------- */
/* Reads one tile without the lock, and keeps it unless the list changed meanwhile. */
static void read_ahead(RmilPixelCache *c, const Key *key, uint8_t *rgb) {
    const guint64 list = c->lists;
    g_mutex_unlock(&c->lock);
    RmilSlide *slide = rmil_pixel_cache_open(c, key->pixels, NULL);
    const gboolean read = slide &&
                          rmil_slide_read(slide, (double)key->x, (double)key->y, key->span / key->side, key->side, key->side, rgb, NULL);
    if (slide) rmil_pixel_cache_close(c, slide);
    g_mutex_lock(&c->lock);
    if (read && list == c->lists && !c->stop) keep(c, key, rgb, TRUE);
}

static gpointer reader(gpointer user) {
    RmilPixelCache *c = user;
    g_autofree uint8_t *rgb = NULL;
    int side = 0;
    g_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->next >= c->n) {
            c->busy = FALSE;
            g_cond_broadcast(&c->changed);
            g_cond_wait(&c->changed, &c->lock);
            continue;
        }
        const Key key = c->wanted[c->next];
        if (side != c->side) {
            g_free(rgb);
            side = c->side;
            rgb = g_malloc((gsize)side * (gsize)side * 3);
        }
        if (g_hash_table_contains(c->tiles, &key)) c->next++;
        else if (!make_room(c, (gsize)side * (gsize)side * 3)) g_cond_wait(&c->changed, &c->lock); /* until some were used */
        else {
            c->next++;
            read_ahead(c, &key, rgb);
        }
    }
    c->busy = FALSE;
    g_cond_broadcast(&c->changed);
    g_mutex_unlock(&c->lock);
    return NULL;
}

static gboolean readable(const RmilTileWanted *tile) {
    const RmilBag *bag = tile->bag;
    return bag->pixels && bag->coords && bag->coords_um == 0 && bag->patch_size_level0 > 0 && tile->patch >= 0 && tile->patch < bag->count;
}

void rmil_pixel_cache_expect(RmilPixelCache *c, const RmilTileWanted *tiles, int64_t n, int side) {
    g_mutex_lock(&c->lock);
    for (GList *at = c->order.head; at; at = at->next) ((Tile *)at->data)->ahead = FALSE;
    g_free(c->wanted);
    c->wanted = n ? g_new(Key, n) : NULL;
    c->n = c->next = 0;
    c->lists++;
    c->side = side;
    for (int64_t i = 0; i < n; i++)
        if (readable(&tiles[i])) c->wanted[c->n++] = key_of(tiles[i].bag, tiles[i].patch, side);
    if (c->n && c->bound) {
        c->busy = TRUE;
        if (!c->reader) c->reader = g_thread_try_new("rankmil-pixels", reader, c, NULL); /* without it nothing is read ahead */
        c->busy = c->reader != NULL;
    }
    g_cond_broadcast(&c->changed);
    while (!n && c->busy) g_cond_wait(&c->changed, &c->lock);
    g_mutex_unlock(&c->lock);
}

/* -- the end ----------------------------------------------------------------------------------------------------------------------- */
void rmil_pixel_cache_free(RmilPixelCache *c) {
    if (!c || !g_atomic_int_dec_and_test(&c->references)) return;
    if (c->reader) {
        g_mutex_lock(&c->lock);
        c->stop = TRUE;
        g_cond_broadcast(&c->changed);
        g_mutex_unlock(&c->lock);
        g_thread_join(c->reader);
    }
    while (c->order.head) drop(c, c->order.head->data);
    g_hash_table_unref(c->tiles);
    g_ptr_array_unref(c->slides);
    g_free(c->wanted);
    g_cond_clear(&c->changed);
    g_mutex_clear(&c->lock);
    g_free(c);
}

void rmil_pixel_cache_state(RmilPixelCache *c, int64_t *bytes, guint *open) {
    g_mutex_lock(&c->lock);
    *bytes = (int64_t)c->bytes;
    *open = c->slides->len;
    g_mutex_unlock(&c->lock);
}
