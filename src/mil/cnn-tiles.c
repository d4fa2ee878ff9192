/* SPDX-License-Identifier: Apache-2.0 */
/* The tiles that a patch-cnn is trained and validated on. */
#include "cnn.h"

#include <string.h>

enum { STREAM_DRAW = 3, STREAM_PART = 4 };

/* The patches of one class on one slide, in random order, taken in turn. */
typedef struct {
    int64_t slide, count, next;
    int class;
    int64_t *patches;
} Source;

static void add_source(GArray *sources, const RmilBag *bag, const RmilPatchKnown *known, int64_t slide, int class) {
    Source source = {.slide = slide, .class = class};
    for (int64_t k = 0; k < bag->count; k++) source.count += rmil_patch_class(known, bag, k) == class;
    if (!source.count) return;
    source.patches = g_new(int64_t, source.count);
    for (int64_t k = 0, n = 0; k < bag->count; k++)
        if (rmil_patch_class(known, bag, k) == class) source.patches[n++] = k;
    g_array_append_val(sources, source);
}

static GArray *find_sources(const RmilTrainer *t) {
    const RmilTask *task = &t->model->config.task;
    GArray *sources = g_array_new(FALSE, FALSE, sizeof(Source));
    for (int64_t i = 0; i < t->slides.train_count; i++) {
        const int64_t slide = t->slides.train[i];
        const RmilBag *bag = t->slides.bags[slide];
        const RmilPatchKnown known = rmil_patch_known(task, &t->slides.targets[slide], bag);
        if (known.inside >= 0) add_source(sources, bag, &known, slide, known.inside);
        if (known.outside >= 0 && known.outside != known.inside) add_source(sources, bag, &known, slide, known.outside);
    }
    return sources;
}

/* `count` tiles of one class, from its slides in turn. */
static void draw_class(GArray *sources, int class, int64_t count, RmilRng *rng, RmilCnnTile *out) {
    g_autofree int64_t *order = g_new(int64_t, sources->len);
    int64_t n = 0;
    for (guint s = 0; s < sources->len; s++)
        if (g_array_index(sources, Source, s).class == class) order[n++] = s;
    rmil_rng_shuffle(rng, order, n);
    for (int64_t i = 0; i < count; i++) {
        Source *source = &g_array_index(sources, Source, order[i % n]);
        if (source->next % source->count == 0) rmil_rng_shuffle(rng, source->patches, source->count);
        out[i] = (RmilCnnTile){source->slide, source->patches[source->next++ % source->count], class};
    }
}

RmilCnnTile *rmil_cnn_draw(const RmilTrainer *t, const RmilCnnOptions *own, int64_t *n) {
    g_autoptr(GArray) sources = find_sources(t);
    gboolean occurs[RMIL_CLASSES_MOST] = {FALSE};
    int classes = 0;
    for (guint s = 0; s < sources->len; s++) {
        const int class = g_array_index(sources, Source, s).class;
        classes += !occurs[class];
        occurs[class] = TRUE;
    }
    const int64_t asked = t->slides.train_count * own->tiles;
    *n = (asked + own->batch - 1) / own->batch * own->batch;
    RmilCnnTile *tiles = g_new(RmilCnnTile, *n), *ordered = g_new(RmilCnnTile, *n);
    g_autofree int64_t *order = g_new(int64_t, *n);
    RmilRng rng;
    rmil_rng_init(&rng, t->config->seed, rmil_trainer_stream(STREAM_DRAW, t->state.epoch + 1, 0));
    int64_t at = 0;
    for (int c = 0, place = 0; c < RMIL_CLASSES_MOST; c++) {
        if (!occurs[c]) continue;
        const int64_t end = *n * ++place / classes;
        draw_class(sources, c, end - at, &rng, tiles + at);
        at = end;
    }
    for (int64_t i = 0; i < *n; i++) order[i] = i;
    rmil_rng_shuffle(&rng, order, *n);
    for (int64_t i = 0; i < *n; i++) ordered[i] = tiles[order[i]];
    for (guint s = 0; s < sources->len; s++) g_free(g_array_index(sources, Source, s).patches);
    g_free(tiles);
    return ordered;
}

/* -- validation --------------------------------------------------------------------------------------------------------------- */
/* Marks `most` of the patches whose label is `label`. */
static int64_t choose(const RmilBag *bag, int label, int64_t most, RmilRng *rng, uint8_t *chosen) {
    g_autofree int64_t *patches = g_new(int64_t, bag->count);
    int64_t n = 0;
    for (int64_t k = 0; k < bag->count; k++)
        if ((bag->patch_labels && bag->patch_labels[k]) == label) patches[n++] = k;
    rmil_rng_shuffle(rng, patches, n);
    n = MIN(n, most);
    for (int64_t i = 0; i < n; i++) chosen[patches[i]] = 1;
    return n;
}

RmilCnnPart *rmil_cnn_part(const RmilBag *bag, int64_t most, uint64_t seed, int64_t slide, GError **error) {
    g_autofree uint8_t *chosen = rmil_try_new(bag->count, 1, error);
    if (!chosen) return NULL;
    int64_t n = bag->count;
    if (most == 0 || most >= bag->count) memset(chosen, 1, (gsize)bag->count);
    else {
        RmilRng rng;
        rmil_rng_init(&rng, seed, rmil_trainer_stream(STREAM_PART, 0, slide));
        n = choose(bag, 1, most / 2, &rng, chosen);
        n += choose(bag, 0, most - n, &rng, chosen);
    }
    RmilCnnPart *part = g_new0(RmilCnnPart, 1);
    part->of = bag;
    part->bag = *bag;
    part->bag.count = n;
    part->bag.features = NULL;
    part->bag.tissue = NULL;
    part->bag.coords = NULL;
    part->bag.pixels = NULL;
    part->bag.patch_labels = bag->patch_labels ? rmil_alloc(n, 1, error) : NULL;
    part->patches = rmil_try_new(n, sizeof *part->patches, error);
    if (!part->patches || (bag->patch_labels && !part->bag.patch_labels)) {
        rmil_cnn_part_free(part);
        return NULL;
    }
    for (int64_t k = 0, i = 0; k < bag->count; k++) {
        if (!chosen[k]) continue;
        if (part->bag.patch_labels) part->bag.patch_labels[i] = bag->patch_labels[k];
        part->patches[i++] = k;
    }
    return part;
}

void rmil_cnn_part_check(RmilCnnPart *part, uint8_t *rgb, char **reason) {
    int64_t kept = 0;
    *reason = NULL;
    for (int64_t i = 0; i < part->bag.count; i++) {
        g_autoptr(GError) error = NULL;
        if (rmil_bag_read_tile(part->of, part->patches[i], RMIL_CNN_SIDE, rgb, &error)) {
            if (part->bag.patch_labels) part->bag.patch_labels[kept] = part->bag.patch_labels[i];
            part->patches[kept++] = part->patches[i];
        } else if (!*reason) {
            *reason = g_strdup(error->message);
        }
    }
    part->bag.count = kept;
}

void rmil_cnn_part_free(RmilCnnPart *part) {
    if (!part) return;
    rmil_free(part->bag.patch_labels);
    g_free(part->patches);
    g_free(part);
}
