/* SPDX-License-Identifier: Apache-2.0 */
/* The table of encoders and the texture encoder. */
#include "rankmil/encoder.h"
#include "support.h"

#include <math.h>
#include <string.h>

#define TILE 224
#define BYTES ((gsize)TILE * TILE * 3)

/* A tile of glass with round spots of a nuclear colour: radius in px, count spots, from a seed. */
static void draw_spots(uint8_t *rgb, int radius, int spots, uint64_t seed) {
    RmilRng rng;
    rmil_rng_init(&rng, seed, 0);
    for (gsize i = 0; i < BYTES; i += 3) {
        int noise = (int)rmil_rng_below(&rng, 5);
        rgb[i] = (uint8_t)(225 + noise);
        rgb[i + 1] = (uint8_t)(170 + noise);
        rgb[i + 2] = (uint8_t)(215 + noise);
    }
    for (int s = 0; s < spots; s++) {
        int cx = (int)rmil_rng_below(&rng, TILE), cy = (int)rmil_rng_below(&rng, TILE);
        for (int y = MAX(cy - radius, 0); y <= MIN(cy + radius, TILE - 1); y++)
            for (int x = MAX(cx - radius, 0); x <= MIN(cx + radius, TILE - 1); x++) {
                if ((x - cx) * (x - cx) + (y - cy) * (y - cy) > radius * radius) continue;
                uint8_t *p = rgb + ((gsize)y * TILE + (gsize)x) * 3;
                p[0] = 80;
                p[1] = 50;
                p[2] = 130;
            }
    }
}

/* What an encoder says of itself is what it is, and what docs/encoders.md says. */
static void test_info(void) {
    g_autofree char *path = g_build_filename(g_getenv("RMIL_SOURCE"), "docs", "encoders.md", NULL), *doc = NULL;
    g_assert_true(g_file_get_contents(path, &doc, NULL, NULL));
    for (const char *const *name = rmil_encoder_names(); *name; name++) {
        const RmilEncoderInfo *info = rmil_encoder_info(*name, NULL);
        g_assert_cmpstr(info->name, ==, *name);
        g_autofree char *weights = !info->weights  ? g_strdup("none")
                                   : info->licence ? g_strdup_printf("[%s](%s)", info->licence, info->source)
                                                   : g_strdup("your own"),
                        *dim = info->dim ? g_strdup_printf("%d", info->dim) : g_strdup("its own");
        g_autofree char *row = g_strdup_printf("| `%s` | %s | %.3g | %s | %s |\n", info->name, dim, info->mpp, info->title, weights);
        if (!strstr(doc, row)) g_error("%s does not have the row %s", path, row);
    }
    GError *error = NULL;
    g_assert_null(rmil_encoder_info("textur", &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "choose one of texture, resnet50");
}

static RmilEncoder *open_texture(int workers) {
    GError *error = NULL;
    RmilEncoderOptions options = {.workers = workers};
    RmilEncoder *encoder = rmil_encoder_new("texture", &options, &error);
    g_assert_no_error(error);
    return encoder;
}

static void test_names(void) {
    GError *error = NULL;
    RmilEncoderOptions options = {.workers = 1};
    g_assert_true(g_strv_contains(rmil_encoder_names(), "texture"));
    g_assert_null(rmil_encoder_new("textur", &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "there is no encoder \"textur\"; choose one of texture");
    options.workers = 0;
    g_assert_null(rmil_encoder_new("texture", &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "0 workers");
    options = (RmilEncoderOptions){.workers = 1, .weights = "w.pth"};
    g_assert_null(rmil_encoder_new("texture", &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "w.pth");
    g_autoptr(RmilEncoder) encoder = open_texture(1);
    g_assert_cmpint(rmil_encoder_tile_px(encoder), ==, TILE);
    g_assert_cmpint(rmil_encoder_batch(encoder), >=, 1);
    g_assert_true(g_str_has_prefix(rmil_encoder_identity(encoder), "texture"));
    g_autofree uint8_t *rgb = g_malloc0(BYTES);
    g_autofree float *features = g_new(float, rmil_encoder_dim(encoder));
    g_assert_false(rmil_encoder_run(encoder, 1, rgb, 1, features, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "worker 1 of 1");
}

static void test_texture_bounded(void) {
    g_autoptr(RmilEncoder) encoder = open_texture(1);
    int dim = rmil_encoder_dim(encoder);
    g_assert_cmpint(dim, >=, 128);
    g_autofree uint8_t *rgb = g_malloc(BYTES);
    g_autofree float *features = g_new(float, dim);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (int kind = 0; kind < 6; kind++) {
        for (gsize i = 0; i < BYTES; i++) {
            gsize x = i / 3 % TILE, y = i / 3 / TILE;
            int board = ((x >> kind) + (y >> kind)) & 1 ? 255 : 0;
            rgb[i] = (uint8_t)(kind == 0   ? 255
                               : kind == 1 ? 0
                               : kind == 2 ? (int)rmil_rng_below(&rng, 256)
                               : kind == 3 ? 128
                               : kind == 4 ? board
                                           : (i % 3 ? 255 : 0));
        }
        g_assert_true(rmil_encoder_run(encoder, 0, rgb, 1, features, NULL));
        for (int i = 0; i < dim; i++) g_assert_true(isfinite(features[i]) && fabsf(features[i]) <= 4);
    }
}

/* The same features alone, in a batch, by another worker, and from many threads at once. */
#define TILES 24
typedef struct {
    RmilEncoder *encoder;
    const uint8_t *rgb;
    float *features;
} Job;

static gboolean encode_one(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    return rmil_encoder_run(job->encoder, worker, job->rgb + (gsize)i * BYTES, 1, job->features + i * rmil_encoder_dim(job->encoder),
                            error);
}

static void test_texture_independent(void) {
    g_autoptr(RmilEncoder) encoder = open_texture(4);
    gsize dim = (gsize)rmil_encoder_dim(encoder);
    g_autofree uint8_t *rgb = g_malloc(BYTES * TILES);
    g_autofree float *batch = g_new(float, (dim * TILES)), *threads = g_new(float, (dim * TILES));
    for (int i = 0; i < TILES; i++) draw_spots(rgb + (gsize)i * BYTES, 3 + i / 3, 5 * i, (uint64_t)i);
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, TILES, batch, NULL));
    Job job = {encoder, rgb, threads};
    g_assert_true(rmil_parallel(TILES, 4, encode_one, &job, NULL));
    g_assert_true(memcmp(batch, threads, dim * TILES * sizeof *batch) == 0);
    /* neighbours in the table do differ */
    for (int i = 1; i < TILES; i++) g_assert_true(memcmp(batch + (gsize)i * dim, batch, dim * sizeof *batch) != 0);
}

/* Nuclei of two sizes are far apart, compared with tiles of the same size drawn anew. */
static void test_texture_tells_sizes(void) {
    g_autoptr(RmilEncoder) encoder = open_texture(1);
    gsize dim = (gsize)rmil_encoder_dim(encoder);
    g_autofree uint8_t *rgb = g_malloc(BYTES * 4);
    g_autofree float *f = g_new(float, dim * 4);
    draw_spots(rgb, 6, 120, 1);
    draw_spots(rgb + BYTES, 6, 120, 2);
    draw_spots(rgb + 2 * BYTES, 13, 26, 3); /* about the same area covered */
    draw_spots(rgb + 3 * BYTES, 13, 26, 4);
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, 4, f, NULL));
    double within = 0, between = 0;
    for (gsize i = 0; i < dim; i++) {
        double a = f[i] - f[dim + i], b = f[2 * dim + i] - f[3 * dim + i];
        double c = (f[i] + f[dim + i] - f[2 * dim + i] - f[3 * dim + i]) / 2;
        within += a * a + b * b;
        between += c * c;
    }
    g_assert_cmpfloat(between, >, 3 * within);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/encoder/names", test_names);
    g_test_add_func("/encoder/info", test_info);
    g_test_add_func("/encoder/texture/bounded", test_texture_bounded);
    g_test_add_func("/encoder/texture/independent", test_texture_independent);
    g_test_add_func("/encoder/texture/tells-sizes", test_texture_tells_sizes);
    return g_test_run();
}
