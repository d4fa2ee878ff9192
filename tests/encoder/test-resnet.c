/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50's topology with few channels and small tiles, against the plain loops that define it. */
#include "encoder/convolution.h"
#include "encoder/resnet.h"
#include "support.h"

#include <math.h>
#include <string.h>

#define WIDTH 8
#define SIDE 64
#define TILE ((gsize)SIDE * SIDE * 3)

static G_NO_INLINE float *new_floats(int64_t n) { return g_new(float, (gsize)n); }

/* -- weights ------------------------------------------------------------------------------------------------------------ */

static void add_random(RmilTensors *tensors, const char *name, int rank, const int64_t *shape, double mean, double sd, RmilRng *rng) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    float *values = new_floats(count);
    for (int64_t i = 0; i < count; i++) values[i] = (float)(mean + sd * rmil_rng_normal(rng));
    rmil_tensors_keep(tensors, values, g_free);
    g_assert_true(rmil_tensors_add(tensors, name, RMIL_DTYPE_F32, rank, shape, values, NULL));
}

static void add_unit(RmilTensors *tensors, const char *prefix, const char *convolution, const char *norm, int64_t out, int64_t in,
                     int64_t kernel, RmilRng *rng) {
    g_autofree char *weight = g_strdup_printf("%s%s.weight", prefix, convolution);
    const int64_t shape[] = {out, in, kernel, kernel};
    add_random(tensors, weight, 4, shape, 0, sqrt(2.0 / (double)(in * kernel * kernel)), rng);
    const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const double means[] = {1, 0.1, 0.1, 1}, sds[] = {0.1, 0.1, 0.1, 0.05};
    for (int i = 0; i < 4; i++) {
        g_autofree char *name = g_strdup_printf("%s%s.%s", prefix, norm, parts[i]);
        add_random(tensors, name, 1, shape, means[i], sds[i], rng);
    }
}

static RmilTensors *make_weights(const char *prefix, int stages) {
    static const int blocks[] = {3, 4, 6, 3};
    RmilTensors *tensors = rmil_tensors_new("random");
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    add_unit(tensors, prefix, "conv1", "bn1", WIDTH, 3, 7, &rng);
    int64_t in = WIDTH;
    for (int stage = 0; stage < stages; stage++)
        for (int block = 0; block < blocks[stage]; block++) {
            int64_t width = WIDTH << stage;
            const int64_t sizes[3][3] = {{width, in, 1}, {width, width, 3}, {4 * width, width, 1}};
            for (int i = 0; i < 3; i++) {
                g_autofree char *convolution = g_strdup_printf("layer%d.%d.conv%d", stage + 1, block, i + 1);
                g_autofree char *norm = g_strdup_printf("layer%d.%d.bn%d", stage + 1, block, i + 1);
                add_unit(tensors, prefix, convolution, norm, sizes[i][0], sizes[i][1], sizes[i][2], &rng);
            }
            g_autofree char *down = g_strdup_printf("layer%d.%d.downsample.0", stage + 1, block);
            g_autofree char *down_norm = g_strdup_printf("layer%d.%d.downsample.1", stage + 1, block);
            if (block == 0) add_unit(tensors, prefix, down, down_norm, 4 * width, in, 1, &rng);
            in = 4 * width;
        }
    return tensors;
}

/* -- the reference -------------------------------------------------------------------------------------------------------- */

typedef struct {
    float *values;
    int64_t channels, side;
} Map;

static float *tensor_values(const RmilTensors *tensors, const char *a, const char *b, int64_t *channels) {
    g_autofree char *name = g_strconcat(a, ".", b, NULL);
    const RmilTensor *tensor = rmil_tensors_find(tensors, name);
    float *values = new_floats(tensor->count);
    rmil_tensor_floats(tensor, values);
    if (channels) *channels = tensor->shape[0];
    return values;
}

/* Convolution, batch norm, and what is asked of: an addend and a ReLU. */
static Map unit(const RmilTensors *tensors, const char *convolution, const char *norm, Map in, int64_t kernel, int64_t stride,
                const float *add, gboolean relu) {
    int64_t channels, padding = kernel / 2;
    g_autofree float *w = tensor_values(tensors, convolution, "weight", &channels);
    g_autofree float *gamma = tensor_values(tensors, norm, "weight", NULL), *beta = tensor_values(tensors, norm, "bias", NULL);
    g_autofree float *mean = tensor_values(tensors, norm, "running_mean", NULL);
    g_autofree float *variance = tensor_values(tensors, norm, "running_var", NULL);
    Map out = {NULL, channels, (in.side + 2 * padding - kernel) / stride + 1};
    out.values = new_floats(out.channels * out.side * out.side);
    for (int64_t o = 0; o < channels; o++)
        for (int64_t y = 0; y < out.side; y++)
            for (int64_t x = 0; x < out.side; x++) {
                double sum = 0;
                for (int64_t i = 0; i < in.channels; i++)
                    for (int64_t ky = 0; ky < kernel; ky++)
                        for (int64_t kx = 0; kx < kernel; kx++) {
                            int64_t sy = y * stride + ky - padding, sx = x * stride + kx - padding;
                            if (sy < 0 || sx < 0 || sy >= in.side || sx >= in.side) continue;
                            sum += (double)in.values[(i * in.side + sy) * in.side + sx] *
                                   (double)w[((o * in.channels + i) * kernel + ky) * kernel + kx];
                        }
                int64_t at = (o * out.side + y) * out.side + x;
                double value = (sum - (double)mean[o]) / sqrt((double)variance[o] + 1e-5) * (double)gamma[o] + (double)beta[o];
                if (add) value += (double)add[at];
                out.values[at] = (float)(relu ? MAX(value, 0) : value);
            }
    return out;
}

static Map pool(Map in) {
    Map out = {NULL, in.channels, (in.side - 1) / 2 + 1};
    out.values = new_floats(out.channels * out.side * out.side);
    for (int64_t c = 0; c < in.channels; c++)
        for (int64_t y = 0; y < out.side; y++)
            for (int64_t x = 0; x < out.side; x++) {
                float best = -INFINITY;
                for (int64_t sy = MAX(2 * y - 1, 0); sy <= MIN(2 * y + 1, in.side - 1); sy++)
                    for (int64_t sx = MAX(2 * x - 1, 0); sx <= MIN(2 * x + 1, in.side - 1); sx++)
                        best = MAX(best, in.values[(c * in.side + sy) * in.side + sx]);
                out.values[(c * out.side + y) * out.side + x] = best;
            }
    return out;
}

static void replace(Map *map, Map by) {
    g_free(map->values);
    *map = by;
}

static void reference(const RmilTensors *tensors, int stages, const uint8_t *rgb, float *features) {
    static const int blocks[] = {3, 4, 6, 3};
    static const double mean[] = {0.485, 0.456, 0.406}, sd[] = {0.229, 0.224, 0.225};
    Map map = {new_floats(3 * SIDE * SIDE), 3, SIDE};
    for (gsize i = 0; i < (gsize)SIDE * SIDE; i++)
        for (gsize c = 0; c < 3; c++) map.values[c * SIDE * SIDE + i] = (float)((rgb[3 * i + c] / 255.0 - mean[c]) / sd[c]);
    replace(&map, unit(tensors, "conv1", "bn1", map, 7, 2, NULL, TRUE));
    replace(&map, pool(map));
    for (int stage = 0; stage < stages; stage++)
        for (int block = 0; block < blocks[stage]; block++) {
            char names[8][40];
            for (int i = 0; i < 3; i++) {
                g_snprintf(names[2 * i], 40, "layer%d.%d.conv%d", stage + 1, block, i + 1);
                g_snprintf(names[2 * i + 1], 40, "layer%d.%d.bn%d", stage + 1, block, i + 1);
            }
            for (int i = 0; i < 2; i++) g_snprintf(names[6 + i], 40, "layer%d.%d.downsample.%d", stage + 1, block, i);
            int64_t stride = stage && !block ? 2 : 1;
            Map inner = unit(tensors, names[0], names[1], map, 1, 1, NULL, TRUE);
            replace(&inner, unit(tensors, names[2], names[3], inner, 3, stride, NULL, TRUE));
            if (block == 0) replace(&map, unit(tensors, names[6], names[7], map, 1, stride, NULL, FALSE));
            replace(&inner, unit(tensors, names[4], names[5], inner, 1, 1, map.values, TRUE));
            replace(&map, inner);
        }
    for (int64_t c = 0; c < map.channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < map.side * map.side; i++) sum += (double)map.values[c * map.side * map.side + i];
        features[c] = (float)(sum / (double)(map.side * map.side));
    }
    g_free(map.values);
}

/* -- tests ------------------------------------------------------------------------------------------------------------------ */

static void draw(uint8_t *rgb, int tiles) {
    RmilRng rng;
    rmil_rng_init(&rng, 5, 0);
    for (gsize i = 0; i < TILE * (gsize)tiles; i++) {
        gsize x = i / 3 % SIDE, y = i / 3 / SIDE % SIDE;
        rgb[i] = (uint8_t)(100 + 60 * ((x / 8 + y / 8 + i / TILE) % 2) + (gsize)rmil_rng_below(&rng, 40) + 10 * (i % 3));
    }
}

static double relative(const float *a, const float *b, int n) {
    double difference = 0, norm = 0;
    for (int i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / norm);
}

static RmilResnetConfig config(int stages, int batch) {
    return (RmilResnetConfig){.width = WIDTH, .stages = stages, .side = SIDE, .batch = batch, .workers = 2};
}

static void test_reference(void) {
    GError *error = NULL;
    for (int stages = 3; stages <= 4; stages++) {
        g_autoptr(RmilTensors) tensors = make_weights("", stages);
        const RmilResnetConfig small = config(stages, 2);
        RmilResnet *resnet = rmil_resnet_new(tensors, &small, &error);
        g_assert_no_error(error);
        int dim = rmil_resnet_dim(resnet);
        g_assert_cmpint(dim, ==, WIDTH << (stages + 1));
        g_autofree uint8_t *rgb = g_malloc(3 * TILE);
        g_autofree float *got = new_floats(3 * dim), *want = new_floats(dim), *alone = new_floats(dim);
        draw(rgb, 3);
        g_assert_true(rmil_resnet_run(resnet, 0, rgb, 3, got, &error)); /* a batch and a rest */
        for (int i = 0; i < 3; i++) {
            if (stages == 4 && i) break; /* one is enough of the long one */
            reference(tensors, stages, rgb + (gsize)i * TILE, want);
            g_assert_cmpfloat(relative(got + i * dim, want, dim), <, 1e-5);
            /* a feature depends on its own tile alone, whatever its place in a batch and its worker */
            g_assert_true(rmil_resnet_run(resnet, 1, rgb + (gsize)i * TILE, 1, alone, &error));
            g_assert_true(memcmp(alone, got + i * dim, (gsize)dim * sizeof *alone) == 0);
        }
        rmil_resnet_free(resnet);
    }
}

static void test_weights(void) {
    GError *error = NULL;
    const RmilResnetConfig three = config(3, 1), four = config(4, 1);
    RmilResnetConfig wide = three;
    wide.width = 16;
    g_autoptr(RmilTensors) prefixed = make_weights("state_dict.module.", 3);
    RmilResnet *resnet = rmil_resnet_new(prefixed, &three, &error);
    g_assert_no_error(error);
    rmil_resnet_free(resnet);
    g_assert_null(rmil_resnet_new(prefixed, &four, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "no tensor \"state_dict.module.layer4.0.conv1.weight\"");
    g_assert_null(rmil_resnet_new(prefixed, &wide, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "has the shape (8, 3, 7, 7), but (16, 3, 7, 7) is needed");
    g_autoptr(RmilTensors) empty = rmil_tensors_new("empty");
    g_assert_null(rmil_resnet_new(empty, &three, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "contains no ResNet");
    ((float *)rmil_tensors_find(prefixed, "state_dict.module.layer2.1.conv2.weight")->data)[5] = NAN;
    g_assert_null(rmil_resnet_new(prefixed, &three, &error));
    test_error(&error, RMIL_ERROR_DATA, "layer2.1.conv2.weight");
    RmilEncoderOptions options = {.workers = 1};
    g_assert_null(rmil_encoder_new("resnet50", &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "needs its weights: give --weights FILE (docs/encoders.md says where to get them)");
    options.weights = "/nowhere/w.pth";
    g_assert_null(rmil_encoder_new("resnet50", &options, &error));
    test_error(&error, RMIL_ERROR_IO, "/nowhere/w.pth");
    const float one = 1;
    const RmilTensor other = {.name = "layer3.0.conv1.weight", .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {1}, .data = &one};
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "w.safetensors", NULL);
    g_assert_true(rmil_safetensors_write(path, &other, 1, NULL, &error));
    options.weights = path;
    g_assert_null(rmil_encoder_new("resnet50-layer4", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT,
               "w.safetensors: contains no weights of the encoder resnet50-layer4: it has no tensor "
               "layer4.0");
}

/* bfloat16 where the processor has it; elsewhere a clear refusal. */
static void test_bfloat16(void) {
    GError *error = NULL;
    g_autoptr(RmilTensors) tensors = make_weights("", 3);
    const RmilResnetConfig full = config(3, 2);
    RmilResnetConfig half = full;
    half.precision = RMIL_BFLOAT16;
    RmilResnet *fast = rmil_resnet_new(tensors, &half, &error);
    if (!fast) {
        test_error(&error, RMIL_ERROR_ARGUMENT, "bfloat16");
        return;
    }
    RmilResnet *exact = rmil_resnet_new(tensors, &full, &error);
    int dim = rmil_resnet_dim(exact);
    g_autofree uint8_t *rgb = g_malloc(2 * TILE);
    g_autofree float *a = new_floats(2 * dim), *b = new_floats(2 * dim);
    draw(rgb, 2);
    g_assert_true(rmil_resnet_run(fast, 0, rgb, 2, a, &error));
    g_assert_true(rmil_resnet_run(exact, 0, rgb, 2, b, &error));
    g_assert_cmpfloat(relative(a, b, 2 * dim), <, 0.04);
    rmil_resnet_free(fast);
    rmil_resnet_free(exact);
}

/* The same features, within float32 rounding, with the processor's wider instructions switched off. */
static void test_isa(void) {
    const char *folder = g_getenv("RMIL_TEST_ISA_FOLDER"), *isa = g_getenv("RMIL_TEST_ISA");
    if (g_test_subprocess()) {
        g_setenv("DNNL_MAX_CPU_ISA", isa, TRUE);   /* oneDNN 2 reads this, */
        g_setenv("ONEDNN_MAX_CPU_ISA", isa, TRUE); /* 3 that, both at their first call */
        g_autoptr(RmilTensors) tensors = make_weights("", 3);
        const RmilResnetConfig small = config(3, 2);
        RmilResnet *resnet = rmil_resnet_new(tensors, &small, NULL);
        g_autofree uint8_t *rgb = g_malloc(2 * TILE);
        g_autofree float *features = new_floats(2 * rmil_resnet_dim(resnet));
        draw(rgb, 2);
        g_assert_true(rmil_resnet_run(resnet, 0, rgb, 2, features, NULL));
        g_autofree char *path = g_build_filename(folder, isa, NULL);
        gsize bytes = 2 * (gsize)rmil_resnet_dim(resnet) * sizeof *features;
        g_assert_true(rmil_file_write(path, features, bytes, NULL));
        rmil_resnet_free(resnet);
        return;
    }
    static const char *const levels[] = {"ALL", "AVX2", "AVX", "SSE41"};
    g_autofree char *place = test_folder();
    g_setenv("RMIL_TEST_ISA_FOLDER", place, TRUE);
    g_autofree float *first = NULL;
    gsize first_size = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(levels); i++) {
        g_setenv("RMIL_TEST_ISA", levels[i], TRUE);
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
        g_test_trap_assert_passed();
        g_autofree char *path = g_build_filename(place, levels[i], NULL);
        gsize size;
        g_autofree char *bytes = rmil_file_read(path, 1 << 20, &size, NULL);
        g_assert_nonnull(bytes);
        if (i == 0) {
            first = (float *)(void *)g_steal_pointer(&bytes);
            first_size = size;
            continue;
        }
        g_assert_cmpuint(size, ==, first_size);
        g_assert_cmpfloat(relative((const float *)(const void *)bytes, first, (int)(size / sizeof(float))), <, 1e-5);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resnet/reference", test_reference);
    g_test_add_func("/resnet/weights", test_weights);
    g_test_add_func("/resnet/bfloat16", test_bfloat16);
    g_test_add_func("/resnet/isa", test_isa);
    return g_test_run();
}
