/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles and slides that are kept, and what is read ahead. */
#include "patches.h"

#include <string.h>

/* -- what is kept ----------------------------------------------------------------------------------------------------------------------- */
static void test_bound(void) {
    g_autofree char *folder = test_folder(), *path = slide_of(folder, "one.tiff", 7);
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(10 * KEPT + 5, 0), none = rmil_pixel_cache_new(0, 0);
    g_autoptr(RmilBag) bag = bag_on(path, 64, 8, 64, 64, cache), plain = bag_on(path, 64, 8, 64, 64, none);
    uint8_t one[BYTES], other[BYTES];
    for (int i = 0; i < 30; i++) {
        read_tile(bag, i % 15, SIDE, one);
        read_tile(plain, i % 15, SIDE, other);
        g_assert_true(memcmp(one, other, BYTES) == 0);
    }
    g_assert_cmpint(counts_of(cache).decoded, ==, 30); /* the next was always gone */
    g_assert_cmpint(counts_of(cache).most, ==, 10 * KEPT);
    g_assert_cmpint(counts_of(cache).tiles, ==, 10);
    for (int i = 5; i < 15; i++) read_tile(bag, i, SIDE, one);
    g_assert_cmpint(counts_of(cache).decoded, ==, 30);
    read_tile(bag, 5, SIDE, one); /* the oldest is now 6 */
    read_tile(bag, 50, SIDE, one);
    g_assert_true(rmil_pixel_cache_holds(cache, bag, 5, SIDE));
    g_assert_false(rmil_pixel_cache_holds(cache, bag, 6, SIDE));
    g_assert_false(rmil_pixel_cache_holds(cache, bag, 5, SIDE + 1)); /* another size is another tile */
    g_assert_cmpint(counts_of(none).bytes, ==, 0);
    g_assert_cmpint(counts_of(none).decoded, ==, 30);
    g_autoptr(RmilBag) same = bag_on(path, 64, 8, 64, 64, cache); /* what looks at the same place shares it */
    g_assert_true(rmil_pixel_cache_holds(cache, same, 50, SIDE));
}

/* Slides are closed beyond 16, plain images beyond the bytes that the cache has; both are opened again. */
static void test_slides(void) {
    enum { SLIDES = 20 };
    g_autofree char *folder = test_folder();
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(3 * 512 * 512 * 3, 0);
    RmilBag *bags[SLIDES], *plain[4];
    uint8_t first[SLIDES + 4][BYTES], again[BYTES];
    for (int i = 0; i < SLIDES; i++) {
        g_autofree char *name = g_strdup_printf("s%d.tiff", i), *path = slide_of(folder, name, (uint64_t)i);
        bags[i] = bag_on(path, 64, 8, 64, 64, cache);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SLIDES; i++) {
            read_tile(bags[i], round, SIDE, round ? again : first[i]);
            g_assert_cmpint(counts_of(cache).open, ==, round ? 16 : MIN(i + 1, 16));
        }
    g_assert_cmpint(counts_of(cache).opened, ==, 2 * SLIDES);
    g_assert_cmpint(counts_of(cache).open_most, ==, 16);
    read_tile(bags[SLIDES - 1], 5, SIDE, again);
    g_assert_cmpint(counts_of(cache).opened, ==, 2 * SLIDES);
    for (int i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("p%d.png", i);
        g_autoptr(Picture) picture = picture_noise(512, 512, (uint64_t)(100 + i));
        g_autofree char *path = make_image(folder, name, picture);
        plain[i] = bag_on(path, 64, 8, 64, 64, cache);
        read_tile(plain[i], 0, SIDE, first[SLIDES + i]);
    }
    g_assert_cmpint(counts_of(cache).open, <=, 16);
    const int64_t before = counts_of(cache).opened;
    for (int i = 3; i > 0; i--) read_tile(plain[i], 1, SIDE, again);
    g_assert_cmpint(counts_of(cache).opened, ==, before);
    read_tile(plain[0], 1, SIDE, again);
    g_assert_cmpint(counts_of(cache).opened, ==, before + 1);
    for (int i = 0; i < SLIDES; i++) rmil_bag_free(bags[i]);
    for (int i = 0; i < 4; i++) rmil_bag_free(plain[i]);
}

/* -- reading ahead ------------------------------------------------------------------------------------------------------------------------ */
static void wait_ahead(RmilPixelCache *cache, int64_t tiles) {
    for (int i = 0; i < 20000 && counts_of(cache).ahead < tiles; i++) g_usleep(500);
    g_assert_cmpint(counts_of(cache).ahead, ==, tiles);
}

static void wait_held(RmilPixelCache *cache, const RmilBag *bag, int64_t patch) {
    for (int i = 0; i < 20000 && !rmil_pixel_cache_holds(cache, bag, patch, SIDE); i++) g_usleep(500);
    g_assert_true(rmil_pixel_cache_holds(cache, bag, patch, SIDE));
}

static void test_expect(void) {
    g_autofree char *folder = test_folder(), *path = slide_of(folder, "one.tiff", 8);
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(10 * KEPT, 1);
    g_autoptr(RmilBag) bag = bag_on(path, 64, 8, 64, 64, cache), stranger = bag_on(path, 1, 1, 64, 64, NULL);
    RmilTileWanted wanted[34] = {{stranger, 0}, {bag, 99}};
    for (int i = 0; i < 30; i++) wanted[2 + i] = (RmilTileWanted){bag, i};
    wanted[32] = wanted[33] = (RmilTileWanted){bag, 0};
    uint8_t rgb[BYTES];
    read_tile(bag, 40, SIDE, rgb); /* expected by nobody: gives way */
    rmil_pixel_cache_expect(cache, wanted, 34, SIDE);
    for (int i = 0; i < 10; i++) wait_held(cache, bag, i);
    g_usleep(20000);
    g_assert_cmpint(counts_of(cache).ahead, ==, 10);
    read_tile(bag, 41, SIDE, rgb); /* there is no room for it */
    g_assert_false(rmil_pixel_cache_holds(cache, bag, 41, SIDE));
    const int64_t decoded = counts_of(cache).decoded;
    for (int i = 1; i < 4; i++) read_tile(bag, i, SIDE, rgb);
    for (int i = 10; i < 13; i++) wait_held(cache, bag, i);
    read_tile(bag, 0, SIDE, rgb); /* expected twice more, but after all others */
    wait_held(cache, bag, 13);
    g_assert_false(rmil_pixel_cache_holds(cache, bag, 0, SIDE));
    for (int i = 4; i < 30; i++) {
        wait_held(cache, bag, i);
        read_tile(bag, i, SIDE, rgb);
    }
    wait_held(cache, bag, 0);
    wait_ahead(cache, 31);
    g_assert_cmpint(counts_of(cache).decoded - decoded, ==, 21);
    /* another list: what is there and expected stays */
    for (int i = 0; i < 12; i++) wanted[i] = (RmilTileWanted){bag, i < 10 ? 50 + i : 26 + i};
    read_tile(bag, 36, SIDE, rgb);
    rmil_pixel_cache_expect(cache, wanted, 12, SIDE);
    for (int i = 50; i < 60; i++) wait_held(cache, bag, i);
    g_assert_false(rmil_pixel_cache_holds(cache, bag, 36, SIDE)); /* it came last */
    rmil_pixel_cache_expect(cache, NULL, 0, 0);
    const int64_t ahead = counts_of(cache).ahead;
    read_tile(bag, 50, SIDE, rgb);
    g_usleep(20000);
    g_assert_cmpint(counts_of(cache).ahead, ==, ahead);
    g_assert_cmpint(counts_of(cache).most, <=, 10 * KEPT);
}

enum { READERS = 5, READS = 400, SLIDES = 3 };
typedef struct {
    RmilBag *bags[SLIDES + 1];
    const uint8_t (*right)[BYTES];
    int reader, wrong;
} Reader;

static gpointer read_many(gpointer data) {
    Reader *reader = data;
    RmilRng rng;
    rmil_rng_init(&rng, 1, (uint64_t)reader->reader);
    for (int i = 0; i < READS; i++) {
        const int64_t s = rmil_rng_below(&rng, SLIDES + 1), patch = rmil_rng_below(&rng, 64);
        uint8_t rgb[BYTES];
        GError *error = NULL;
        const gboolean read = rmil_bag_read_tile(reader->bags[s], patch, SIDE, rgb, &error);
        const gboolean broken = s == SLIDES && patch % 9 == 0;
        reader->wrong += read == broken || (read && s < SLIDES && memcmp(rgb, reader->right[s * 64 + patch], BYTES) != 0);
        g_clear_error(&error);
    }
    return NULL;
}

/* Any number of threads read at random while lists come and go. The last slide is damaged. */
static void test_threads(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(RmilPixelCache) cache = rmil_pixel_cache_new(20 * KEPT, 2);
    g_autofree uint8_t(*right)[BYTES] = g_malloc0(sizeof *right * SLIDES * 64);
    Reader readers[READERS] = {{.reader = 0}};
    for (int s = 0; s <= SLIDES; s++) {
        g_autofree char *name = g_strdup_printf("s%d.tiff", s), *path = slide_of(folder, name, (uint64_t)s);
        for (int tile = 0; s == SLIDES && tile < 64; tile += 9) spoil_tile(path, tile);
        g_autoptr(RmilBag) alone = bag_on(path, 64, 8, 64, 64, NULL);
        for (int i = 0; s < SLIDES && i < 64; i++) read_tile(alone, i, SIDE, right[s * 64 + i]);
        readers[0].bags[s] = bag_on(path, 64, 8, 64, 64, cache);
    }
    GThread *threads[READERS];
    for (int i = 0; i < READERS; i++) {
        memcpy(readers[i].bags, readers[0].bags, sizeof readers[0].bags);
        readers[i].reader = i;
        readers[i].right = (const uint8_t(*)[BYTES])right;
        threads[i] = g_thread_new("reader", read_many, &readers[i]);
    }
    RmilRng rng;
    rmil_rng_init(&rng, 1, 99);
    for (int i = 0; i < 60; i++) {
        RmilTileWanted wanted[50];
        for (int w = 0; w < 50; w++)
            wanted[w] = (RmilTileWanted){readers[0].bags[rmil_rng_below(&rng, SLIDES + 1)], rmil_rng_below(&rng, 64)};
        rmil_pixel_cache_expect(cache, wanted, i % 5 == 4 ? 0 : 50, SIDE);
        g_usleep((gulong)rmil_rng_below(&rng, 5000));
    }
    for (int i = 0; i < READERS; i++) {
        g_thread_join(threads[i]);
        g_assert_cmpint(readers[i].wrong, ==, 0);
    }
    g_assert_cmpint(counts_of(cache).most, <=, 20 * KEPT);
    g_assert_cmpint(counts_of(cache).open_most, <=, SLIDES + 1);
    for (int s = 0; s <= SLIDES; s++) rmil_bag_free(readers[0].bags[s]);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pixel-cache/bound", test_bound);
    g_test_add_func("/pixel-cache/slides", test_slides);
    g_test_add_func("/pixel-cache/expect", test_expect);
    g_test_add_func("/pixel-cache/threads", test_threads);
    return g_test_run();
}
