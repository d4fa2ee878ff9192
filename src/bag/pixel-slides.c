/* SPDX-License-Identifier: Apache-2.0 */
/* Slides that are opened when they are first read, and closed when too many are open. */
#include "pixels.h"

static void free_slide(gpointer data) {
    RmilPixelSlide *slide = data;
    rmil_slide_free(slide->open);
    g_clear_error(&slide->failed);
    g_free(slide->path);
    g_free(slide);
}

static guint hash_slide(gconstpointer data) {
    const RmilPixelSlide *slide = data;
    return g_str_hash(slide->path) ^ g_double_hash(&slide->mpp);
}

static gboolean equal_slides(gconstpointer a, gconstpointer b) {
    const RmilPixelSlide *p = a, *q = b;
    return p->mpp == q->mpp && g_str_equal(p->path, q->path);
}

void rmil_pixel_slides_init(RmilPixelSlides *slides, GMutex *lock, GCond *opened, int64_t images_most) {
    *slides = (RmilPixelSlides){.lock = lock, .opened = opened, .idle = G_QUEUE_INIT, .images_most = images_most};
    slides->all = g_hash_table_new_full(hash_slide, equal_slides, NULL, free_slide);
}

void rmil_pixel_slides_clear(RmilPixelSlides *slides) { g_clear_pointer(&slides->all, g_hash_table_unref); }

RmilPixelSlide *rmil_pixel_slides_find(RmilPixelSlides *slides, const char *path, double mpp) {
    const RmilPixelSlide key = {.path = (char *)path, .mpp = mpp > 0 ? mpp : 0};
    RmilPixelSlide *slide = g_hash_table_lookup(slides->all, &key);
    if (slide) return slide;
    slide = g_new0(RmilPixelSlide, 1);
    *slide = (RmilPixelSlide){.path = g_strdup(path), .mpp = key.mpp, .link = {.data = slide}};
    g_hash_table_insert(slides->all, slide, slide);
    return slide;
}

/* Positions of tiles are in level-0 pixels, so a slide without a stated pixel size will do, too. */
static RmilSlide *open_file(const RmilPixelSlide *slide, GError **error) {
    GError *reason = NULL;
    RmilSlide *open = rmil_slide_open(slide->path, slide->mpp, &reason);
    if (!open && g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_RESOLUTION)) {
        g_clear_error(&reason);
        open = rmil_slide_open(slide->path, 1, &reason);
    }
    if (reason) g_propagate_error(error, reason);
    return open;
}

static void close_file(RmilPixelSlides *slides, RmilPixelSlide *slide) {
    RmilSlide *open = g_steal_pointer(&slide->open);
    slides->open--;
    slides->images -= slide->image;
    slide->spoilt = FALSE;
    g_mutex_unlock(slides->lock);
    rmil_slide_free(open);
    g_mutex_lock(slides->lock);
}

static void close_some(RmilPixelSlides *slides) {
    while (slides->idle.length && (slides->open > RMIL_PIXEL_SLIDES || slides->images > slides->images_most))
        close_file(slides, g_queue_pop_head_link(&slides->idle)->data);
}

static void open_slide(RmilPixelSlides *slides, RmilPixelSlide *slide) {
    slide->opening = TRUE;
    slides->open++;
    close_some(slides);
    g_mutex_unlock(slides->lock);
    GError *reason = NULL;
    RmilSlide *open = open_file(slide, &reason);
    g_mutex_lock(slides->lock);
    slide->opening = FALSE;
    slide->open = open;
    slide->failed = reason;
    slide->image = 0;
    if (open) {
        const RmilSlideInfo *info = rmil_slide_info(open);
        if (info->plain) slide->image = info->width * info->height * 3;
        slides->images += slide->image;
        slides->open_times++;
        slides->open_most = MAX(slides->open_most, slides->open);
    } else {
        slides->open--;
    }
    g_cond_broadcast(slides->opened);
}

static RmilSlide *take(RmilPixelSlides *slides, RmilPixelSlide *slide, GError **error) {
    while (slide->opening) g_cond_wait(slides->opened, slides->lock);
    if (!slide->open && !slide->failed) {
        open_slide(slides, slide);
        slide->users += slide->open != NULL;
        close_some(slides);
    } else if (slide->open && slide->users++ == 0) {
        g_queue_unlink(&slides->idle, &slide->link);
    }
    if (!slide->open) g_propagate_error(error, g_error_copy(slide->failed));
    return slide->open;
}

static void give(RmilPixelSlides *slides, RmilPixelSlide *slide, gboolean spoilt) {
    slide->spoilt |= spoilt;
    if (--slide->users > 0) return;
    if (slide->spoilt) {
        close_file(slides, slide);
    } else {
        g_queue_push_tail_link(&slides->idle, &slide->link);
        close_some(slides);
    }
}

static gboolean read_place(RmilSlide *slide, const RmilPixelPlace *place, uint8_t *rgb, GError **error) {
    return rmil_slide_read(slide, (double)place->x, (double)place->y, place->level0 / place->side, place->side, place->side, rgb, error);
}

gboolean rmil_pixel_slides_lend(RmilPixelSlides *slides, RmilPixelSlide *slide, RmilPixelUse use, gpointer user, GError **error) {
    g_mutex_lock(slides->lock);
    RmilSlide *open = take(slides, slide, error);
    g_mutex_unlock(slides->lock);
    if (!open) return FALSE;
    const gboolean done = use(open, user, error), plain = rmil_slide_info(open)->plain;
    g_mutex_lock(slides->lock);
    give(slides, slide, !done && !plain);
    g_mutex_unlock(slides->lock);
    return done;
}

gboolean rmil_pixel_slides_read(RmilPixelSlides *slides, const RmilPixelPlace *place, uint8_t *rgb, gboolean *opened, GError **error) {
    GError *reason = NULL;
    g_mutex_lock(slides->lock);
    RmilSlide *open = take(slides, place->slide, error);
    g_mutex_unlock(slides->lock);
    if (opened) *opened = open != NULL;
    if (!open) return FALSE;
    const gboolean read = read_place(open, place, rgb, &reason), plain = rmil_slide_info(open)->plain;
    g_mutex_lock(slides->lock);
    give(slides, place->slide, !read && !plain);
    g_mutex_unlock(slides->lock);
    if (read) return TRUE;
    if (!plain && g_error_matches(reason, RMIL_ERROR, RMIL_ERROR_FORMAT)) {
        /* did this tile fail, or the slide, which is given up after some failures? A fresh copy always gives the same answer */
        g_autoptr(RmilSlide) own = open_file(place->slide, NULL);
        if (own) {
            g_clear_error(&reason);
            if (read_place(own, place, rgb, &reason)) return TRUE;
        }
    }
    g_propagate_error(error, reason);
    return FALSE;
}
