/* SPDX-License-Identifier: Apache-2.0 */
/* patch-cnn: training on the pixels of slides, to the same bits on any number of threads and after an interruption; which tiles an epoch
 * has; tiles that cannot be read; its files. Networks are narrow (16 channels) and tiles few: what is tested is the way, not how well. */
#include "mil/cnn.h"
#include "onnx-file.h"
#include "slide/make-slide.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <vips/vips.h>

enum { SLIDES = 6, SIDE = 2, PATCHES = SIDE * SIDE, PX = 224, TILE = 64, ACROSS = SIDE * PX / TILE /* tiles of the file */ };
enum { MODEL_GRAPH = 7, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, VALUE_NAME = 1 }; /* of ONNX */

typedef struct {
    char *folder;
    RmilBag *bags[SLIDES];
    RmilTarget targets[SLIDES];
    RmilPixelCache *cache;
} Slides;

/* Slides of 2 × 2 patches: speckled gray, the annotated tile of odd slides redder. */
static void draw_slide(const char *path, int slide) {
    const int px = SIDE * PX;
    g_autofree uint8_t *rgb = g_malloc((gsize)(px * px * 3));
    RmilRng rng;
    rmil_rng_init(&rng, 3, (uint64_t)slide);
    for (int y = 0; y < px; y++)
        for (int x = 0; x < px; x++)
            for (int c = 0; c < 3; c++) {
                const gboolean lesion = slide % 2 && x < PX && y < PX && c > 0;
                rgb[(y * px + x) * 3 + c] = (uint8_t)(150 + rmil_rng_below(&rng, 60) - (lesion ? 90 : 0));
            }
    VipsImage *image = vips_image_new_from_memory(rgb, (gsize)(px * px * 3), px, px, 3, VIPS_FORMAT_UCHAR);
    g_assert_cmpint(vips_tiffsave(image, path, "tile", TRUE, "tile_width", TILE, "tile_height", TILE, "compression",
                                  VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE, NULL),
                    ==, 0);
    g_object_unref(image);
}

static void slides_init(Slides *s) {
    s->folder = test_folder();
    s->cache = rmil_pixel_cache_new((int64_t)16 << 20, 1);
    for (int i = 0; i < SLIDES; i++) {
        g_autofree char *name = g_strdup_printf("s%d.tiff", i), *path = g_build_filename(s->folder, name, NULL);
        RmilBag *bag = s->bags[i] = g_new0(RmilBag, 1);
        draw_slide(path, i);
        bag->id = g_strdup_printf("s%d", i);
        bag->count = PATCHES;
        bag->dim = 1;
        bag->features = rmil_alloc(PATCHES, sizeof(float), NULL);
        bag->coords = rmil_alloc(2 * PATCHES, sizeof(int64_t), NULL);
        bag->patch_labels = rmil_alloc(PATCHES, 1, NULL);
        for (int k = 0; k < PATCHES; k++) {
            bag->coords[2 * k] = k % SIDE * PX;
            bag->coords[2 * k + 1] = k / SIDE * PX;
            bag->patch_labels[k] = i % 2 && k == 0;
        }
        bag->patch_size = bag->patch_size_level0 = PX;
        rmil_bag_set_slide(bag, path, 0, s->cache);
        s->targets[i] = RMIL_TARGET_CLASS(i % 2);
    }
}

static void slides_clear(Slides *s) {
    for (int i = 0; i < SLIDES; i++) rmil_bag_free(s->bags[i]);
    rmil_pixel_cache_free(s->cache);
    g_free(s->folder);
}

static const int64_t train_set[] = {0, 1, 2, 3}, val_set[] = {4, 5};

static void configure(RmilModelConfig *config, RmilTrainConfig *train, const char *freeze) {
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(config, "patch-cnn", RMIL_GUIDE_NONE, &error));
    g_assert_true(rmil_model_config_set(config, "cnn-width", 16, &error));
    g_assert_true(rmil_model_config_set(config, "tile-batch", 4, &error));
    g_assert_true(rmil_model_config_set(config, "epochs-tiles", 2, &error));
    g_assert_true(rmil_model_config_set(config, "freeze", strcmp(freeze, "layer3") == 0 ? 4 : 0, &error));
    rmil_train_config_init(train);
    train->epochs = train->warmup = 2;
    train->learning_rate = 1e-3;
    train->threads = 1;
}

static RmilModel *train_model(const Slides *s, const RmilModelConfig *config, const RmilTrainConfig *train, const char *checkpoint,
                              const RmilMonitor *monitor) {
    GError *error = NULL;
    RmilModel *model = rmil_train(config, train, (const RmilBag *const *)s->bags, s->targets, train_set, G_N_ELEMENTS(train_set), val_set,
                                  G_N_ELEMENTS(val_set), checkpoint, NULL, monitor, &error);
    g_assert_no_error(error);
    return model;
}

static void same(const RmilModel *a, const RmilModel *b) {
    g_assert_cmpint(memcmp(a->parameters, b->parameters, (gsize)a->layout.count * sizeof(float)), ==, 0);
}

/* Of a model that was trained in one piece, on one thread. */
static void test_bits(gconstpointer freeze) {
    Slides s;
    RmilModelConfig config;
    RmilTrainConfig train;
    slides_init(&s);
    configure(&config, &train, freeze);
    g_autoptr(RmilModel) one = train_model(&s, &config, &train, NULL, NULL);
    train.threads = 3;
    g_autoptr(RmilModel) three = train_model(&s, &config, &train, NULL, NULL);
    same(one, three);
    /* in two pieces */
    g_autofree char *checkpoint = g_build_filename(s.folder, "checkpoint", NULL);
    train.warmup = 1;
    train.epochs = 1;
    rmil_model_free(train_model(&s, &config, &train, checkpoint, NULL));
    train.epochs = 2;
    g_autoptr(RmilModel) begun = train_model(&s, &config, &train, NULL, NULL);
    g_autoptr(RmilModel) resumed = train_model(&s, &config, &train, checkpoint, NULL);
    same(begun, resumed);
    /* frozen stages are as they were drawn */
    g_autoptr(RmilModel) drawn = rmil_model_new(&config, train.seed, NULL);
    const gboolean frozen = strcmp(freeze, "layer3") == 0;
    for (guint i = 0; i < drawn->layout.tensors->len; i++) {
        const RmilParameter *p = rmil_parameter_at(&drawn->layout, (int)i);
        const char *dot = strrchr(p->name, '.'), *conv1 = strstr(p->name, "conv1.weight");
        if (strncmp(p->name, "layer3.", 7) != 0) continue;
        const int differs = memcmp(drawn->parameters + p->offset, one->parameters + p->offset, (gsize)p->count * sizeof(float));
        if (frozen) g_assert_cmpint(differs, ==, 0);
        else if (conv1 || strcmp(dot, ".running_mean") == 0) g_assert_cmpint(differs, !=, 0);
    }
    slides_clear(&s);
}

static void test_tiles(void) {
    Slides s;
    RmilModelConfig config;
    RmilTrainConfig train;
    slides_init(&s);
    configure(&config, &train, "none");
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, NULL);
    RmilCnnOptions own = *(const RmilCnnOptions *)rmil_model_own(&model->config);
    own.tiles = 6;
    own.batch = 8;
    RmilTrainer t = {.config = &train,
                     .model = model,
                     .slides = {(const RmilBag *const *)s.bags, s.targets, train_set, val_set, G_N_ELEMENTS(train_set), 2}};
    int64_t n, of[2] = {0}, counts[SLIDES][PATCHES] = {{0}};
    g_autofree RmilCnnTile *tiles = rmil_cnn_draw(&t, &own, &n);
    g_assert_cmpint(n, ==, 24); /* 4 slides × 6, a multiple of 8 */
    for (int64_t i = 0; i < n; i++) {
        const gboolean lesion = tiles[i].slide % 2 && tiles[i].patch == 0;
        g_assert_cmpint(tiles[i].class, ==, lesion);
        g_assert_cmpint(tiles[i].slide, <, 4);
        of[tiles[i].class]++;
        counts[tiles[i].slide][tiles[i].patch]++;
    }
    g_assert_cmpint(of[0], ==, of[1]);
    for (int slide = 0; slide < 4; slide++) { /* 12 of class 0 from four slides in turn, each patch once before any twice */
        int64_t all = 0;
        for (int k = slide % 2; k < PATCHES; k++) {
            all += counts[slide][k];
            g_assert_cmpint(counts[slide][k], <=, 1);
        }
        g_assert_cmpint(all, ==, 3);
    }
    t.state.epoch = 1;
    g_autofree RmilCnnTile *next = rmil_cnn_draw(&t, &own, &n);
    g_assert_cmpint(memcmp(tiles, next, (gsize)n * sizeof *tiles), !=, 0);
    RmilCnnPart *part = rmil_cnn_part(s.bags[1], 2, 1, 1, NULL);
    g_assert_cmpint(part->bag.count, ==, 2);
    g_assert_cmpint(part->bag.patch_labels[0] + part->bag.patch_labels[1], ==, 1);
    g_assert_cmpint(part->patches[0], ==, 0); /* the lesion's only one */
    rmil_cnn_part_free(part);
    slides_clear(&s);
}

/* The features of a part are those of its patches in the whole, with their labels. */
static void test_part(void) {
    Slides s;
    RmilModelConfig config;
    RmilTrainConfig train;
    GError *error = NULL;
    RmilBag whole, few;
    slides_init(&s);
    configure(&config, &train, "none");
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    RmilCnnRunner *runner = rmil_cnn_runner_new(model, model->parameters, 2, &error);
    s.bags[1]->patch_labels[0] = 0;
    s.bags[1]->patch_labels[2] = 1;
    RmilCnnPart *part = rmil_cnn_part(s.bags[1], 2, 1, 1, &error);
    g_assert_true(rmil_cnn_runner_bag(runner, s.bags[1], &whole, &error));
    g_assert_true(rmil_cnn_runner_part(runner, part, &few, &error));
    g_assert_cmpint(few.count, ==, 2);
    const gsize row = (gsize)whole.dim * sizeof(float);
    for (int64_t i = 0; i < few.count; i++) {
        const int64_t k = part->patches[i];
        g_assert_cmpint(memcmp((char *)few.features + (gsize)i * row, (char *)whole.features + (gsize)k * row, row), ==, 0);
        g_assert_cmpint(few.patch_labels[i], ==, k == 2);
        if (k == 2) /* its place is not that of the whole */
            g_assert_cmpint(memcmp((char *)few.features + (gsize)i * row, (char *)whole.features + (gsize)i * row, row), !=, 0);
    }
    rmil_free(whole.features);
    rmil_free(few.features);
    rmil_cnn_part_free(part);
    rmil_cnn_runner_free(runner);
    slides_clear(&s);
}

static void count_warning(gpointer user, const char *message) {
    GString *all = user;
    g_string_append_printf(all, "%s\n", message);
}

/* Tiles that cannot be read: in training another of the class takes the place, in validation they are left out; said once for each slide. */
static void test_spoilt(void) {
    Slides s;
    RmilModelConfig config;
    RmilTrainConfig train;
    GError *error = NULL;
    RmilPrediction said;
    slides_init(&s);
    configure(&config, &train, "layer3");
    for (int i = 0; i <= 4; i += 4) {
        g_autofree char *name = g_strdup_printf("s%d.tiff", i), *path = g_build_filename(s.folder, name, NULL);
        spoil_tile(path, ACROSS - 1);          /* in patch 1 */
        spoil_tile(path, ACROSS * ACROSS - 1); /* in patch 3 */
    }
    g_autoptr(GString) told = g_string_new(NULL);
    const RmilMonitor monitor = {.warn = count_warning, .user = told};
    g_assert_true(rmil_model_config_set(&config, "epochs-tiles", 8, &error)); /* every patch comes */
    g_autoptr(RmilModel) model = train_model(&s, &config, &train, NULL, &monitor);
    g_assert_cmpint(test_count(told->str, "s0: a tile cannot be read, so another tile of the slide replaces it: "), ==, 1);
    g_assert_cmpint(test_count(told->str, "s4: is validated without the tiles that cannot be read: "), ==, 1);
    g_assert_cmpint(test_count(told->str, "\n"), ==, 3); /* and that the network begins with random numbers */
    g_assert_false(rmil_model_predict(model, s.bags[0], NULL, &said, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "patch 1 of \"s0\" at (224, 0) cannot be read");
    slides_clear(&s);
}

/* Slides that open, and of which no tile can be read: others' tiles take their place in training, and validation goes without them. */
static void test_spoilt_wholly(void) {
    Slides s;
    RmilModelConfig config;
    RmilTrainConfig train;
    GError *error = NULL;
    slides_init(&s);
    configure(&config, &train, "layer3");
    for (int i = 0; i <= 4; i += 4) {
        g_autofree char *name = g_strdup_printf("s%d.tiff", i), *path = g_build_filename(s.folder, name, NULL);
        for (int tile = 0; tile < ACROSS * ACROSS; tile++) spoil_tile(path, tile);
    }
    g_autoptr(GString) told = g_string_new(NULL);
    const RmilMonitor monitor = {.warn = count_warning, .user = told};
    g_assert_true(rmil_model_config_set(&config, "epochs-tiles", 8, &error));
    g_autoptr(RmilModel) model = train_model(&s, &config, &train, NULL, &monitor);
    g_assert_cmpint(test_count(told->str, "s0: none of its tiles of one class can be read, so tiles of other slides replace them: "), ==,
                    1);
    g_assert_cmpint(test_count(told->str, "s4: is left out of the validation set, because none of its validation tiles can be read: "), ==,
                    1);
    g_assert_cmpint(test_count(told->str, "\n"), ==, 3);
    train.threads = 3;
    g_autoptr(RmilModel) again = train_model(&s, &config, &train, NULL, NULL);
    same(model, again);
    slides_clear(&s);
}

/* The whole network goes into ONNX: from tiles on. */
static void test_onnx(void) {
    RmilModelConfig config;
    RmilTrainConfig train;
    GError *error = NULL;
    configure(&config, &train, "none");
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.onnx", NULL);
    g_assert_true(rmil_model_onnx_write(model, path, &error));
    gsize size;
    g_autofree char *data = test_bytes(NULL, path, &size);
    const Field graph = find_field((Reader){(const guint8 *)data, (const guint8 *)data + size}, MODEL_GRAPH);
    g_autoptr(GString) inputs = g_string_new(NULL), outputs = g_string_new(NULL);
    Reader reader = graph.bytes;
    int parameters = 0;
    for (Field field; read_field(&reader, &field);) {
        g_autofree char *name = field.field == GRAPH_INPUT || field.field == GRAPH_OUTPUT ? name_of(&field, VALUE_NAME) : NULL;
        if (name) g_string_append_printf(field.field == GRAPH_INPUT ? inputs : outputs, "%s ", name);
        parameters += field.field == GRAPH_INITIALIZER;
    }
    g_assert_cmpstr(inputs->str, ==, "tiles ");
    g_assert_cmpstr(outputs->str, ==, "probability logit attention scores ");
    g_assert_cmpint(parameters, >=, (int)model->layout.tensors->len); /* all of them, and a few numbers */
}

/* A model that was saved says the same; of a bag without a slide it says what is missing. */
static void test_saved(void) {
    Slides s;
    RmilModelConfig config;
    GError *error = NULL;
    RmilPrediction before, after;
    float scores[PATCHES], again[PATCHES], attention[PATCHES];
    slides_init(&s);
    RmilTrainConfig train;
    configure(&config, &train, "none");
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_autofree char *path = g_build_filename(s.folder, "model.safetensors", NULL);
    g_assert_true(rmil_model_sees(model));
    g_assert_true(rmil_model_save(model, path, &error));
    g_autoptr(RmilModel) loaded = rmil_model_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_model_config(loaded)->dim, ==, 512);
    g_assert_true(rmil_model_predict(model, s.bags[1], NULL, &before, scores, attention, &error));
    g_assert_true(rmil_model_predict(loaded, s.bags[1], NULL, &after, again, NULL, &error));
    g_assert_cmpint(memcmp(scores, again, sizeof scores), ==, 0);
    g_assert_cmpfloat(before.logit, ==, after.logit);
    double top = -INFINITY, sum = 0;
    for (int k = 0; k < PATCHES; k++) {
        top = fmax(top, (double)scores[k]);
        sum += (double)attention[k];
    }
    g_assert_cmpfloat_with_epsilon(before.logit, top, 1e-6); /* the slide is its highest patch */
    g_assert_cmpfloat_with_epsilon(sum, 1, 1e-5);
    rmil_bag_set_slide(s.bags[1], NULL, 0, NULL);
    s.bags[1]->coords[0]++; /* another bag than the last */
    g_assert_false(rmil_model_predict(model, s.bags[1], NULL, &after, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no slide is known");
    slides_clear(&s);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    vips_init(argv[0]);
    g_test_add_data_func("/mil/cnn/bits/learns", "none", test_bits);
    g_test_add_data_func("/mil/cnn/bits/frozen", "layer3", test_bits);
    g_test_add_func("/mil/cnn/tiles", test_tiles);
    g_test_add_func("/mil/cnn/part", test_part);
    g_test_add_func("/mil/cnn/spoilt", test_spoilt);
    g_test_add_func("/mil/cnn/spoilt-wholly", test_spoilt_wholly);
    g_test_add_func("/mil/cnn/onnx", test_onnx);
    g_test_add_func("/mil/cnn/saved", test_saved);
    return g_test_run();
}
