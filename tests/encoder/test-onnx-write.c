/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders as ONNX: the files' structure; and, where ONNX Runtime is found, their numbers against our own forward pass, for a small random
 * network of each family, with tensors in the file and beside it. */
#include "encoder/encoder-onnx.h"
#include "encoder/onnx-file.h"
#include "encoder/onnx-write.h"
#include "encoder/ort-model.h"
#include "rankmil/encoder.h"
#include "support.h"
#include "tensors/protobuf.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum { EMBED = 24, HEADS = 3, PATCH = 8, SIDE = 40, GRID = SIDE / PATCH, DEPTH = 2, IMAGES = 3, WIDTH = 8 };

static gboolean runtime(void) {
    g_autoptr(GError) error = NULL;
    RmilOrtLibrary *library = rmil_ort_library_new(&error);
    const gboolean there = library != NULL;
    if (!there) g_test_skip("there is no ONNX Runtime here, nor does RMIL_ONNXRUNTIME name one");
    rmil_ort_library_free(library);
    return there;
}

/* -- weights ---------------------------------------------------------------------------------------------------------------- */

/* what: 'w' weights of so many inputs, '1' about one, 'v' variances, '0' about zero. */
static void add(RmilTensors *tensors, RmilRng *rng, char what, int rank, const int64_t *shape, const char *format, ...) G_GNUC_PRINTF(6, 7);
static void add(RmilTensors *tensors, RmilRng *rng, char what, int rank, const int64_t *shape, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *name = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    const double sd = what == 'w' ? sqrt(1.5 * (double)shape[0] / (double)count) : 0.2;
    float *values = g_new(float, count);
    for (int64_t i = 0; i < count; i++) {
        const double value = sd * rmil_rng_normal(rng) + (what == '1' || what == 'v' ? 1 : 0);
        values[i] = (float)(what == 'v' ? fabs(value) + 0.1 : value);
    }
    rmil_tensors_keep(tensors, values, g_free);
    g_assert_true(rmil_tensors_add(tensors, name, RMIL_DTYPE_F32, rank, shape, values, NULL));
}

static void add_linear(RmilTensors *tensors, RmilRng *rng, const char *prefix, const char *name, int64_t out, int64_t in) {
    add(tensors, rng, 'w', 2, (const int64_t[]){out, in}, "%s%s.weight", prefix, name);
    add(tensors, rng, '0', 1, &out, "%s%s.bias", prefix, name);
}

typedef struct {
    const char *name; /* of the file */
    gboolean hugging, gated, scales;
    int64_t registers, rows; /* rows of positions, 0: of the grid and the class token */
    RmilVitPooling pooling;
} Family;

static const Family families[] = {
    {"dino", .pooling = RMIL_VIT_CLASS},
    {"dinov2-scales", .scales = TRUE, .pooling = RMIL_VIT_CLASS, .rows = 37},
    {"dinov2-registers", .scales = TRUE, .registers = 4, .pooling = RMIL_VIT_CLASS_MEAN},
    {"gated", .scales = TRUE, .gated = TRUE, .registers = 2, .pooling = RMIL_VIT_CLASS_MEAN, .rows = 16},
    {"hugging", .hugging = TRUE, .pooling = RMIL_VIT_MEAN},
    {"hugging-gated", .hugging = TRUE, .scales = TRUE, .gated = TRUE, .pooling = RMIL_VIT_CLASS_MEAN},
};

static void add_block(RmilTensors *t, RmilRng *rng, const Family *f, const char *prefix) {
    const int64_t e = EMBED, inner = 4 * EMBED, outer = f->gated ? inner / 2 : inner;
    for (int i = 1; i <= 2; i++) {
        g_autofree char *norm = f->hugging && !f->scales ? g_strdup(i == 1 ? "layernorm_before" : "layernorm_after")
                                                         : g_strdup_printf("norm%d", i);
        add(t, rng, '1', 1, &e, "%s%s.weight", prefix, norm);
        add(t, rng, '0', 1, &e, "%s%s.bias", prefix, norm);
        if (f->scales && f->hugging) add(t, rng, '1', 1, &e, "%slayer_scale%d.lambda1", prefix, i);
        else if (f->scales) add(t, rng, '1', 1, &e, "%sls%d.gamma", prefix, i);
    }
    if (f->hugging) {
        add_linear(t, rng, prefix, "attention.attention.query", e, e);
        add_linear(t, rng, prefix, "attention.attention.key", e, e);
        add_linear(t, rng, prefix, "attention.attention.value", e, e);
        add_linear(t, rng, prefix, "attention.output.dense", e, e);
        add_linear(t, rng, prefix, f->gated ? "mlp.weights_in" : "intermediate.dense", inner, e);
        add_linear(t, rng, prefix, f->gated ? "mlp.weights_out" : "output.dense", e, outer);
    } else {
        add_linear(t, rng, prefix, "attn.qkv", 3 * e, e);
        add_linear(t, rng, prefix, "attn.proj", e, e);
        add_linear(t, rng, prefix, "mlp.fc1", inner, e);
        add_linear(t, rng, prefix, "mlp.fc2", e, outer);
    }
}

static RmilTensors *make_vit(const Family *f) {
    RmilRng rng;
    RmilTensors *t = rmil_tensors_new("made.safetensors");
    const int64_t e = EMBED, rows = f->rows ? f->rows : GRID * GRID + 1;
    const char *start = f->hugging ? "embeddings." : "", *norm = f->hugging ? "layernorm" : "norm";
    rmil_rng_init(&rng, 11, 0);
    add(t, &rng, 'w', 4, (const int64_t[]){e, 3, PATCH, PATCH}, "%s%s.weight", start,
        f->hugging ? "patch_embeddings.projection" : "patch_embed.proj");
    add(t, &rng, '0', 1, &e, "%s%s.bias", start, f->hugging ? "patch_embeddings.projection" : "patch_embed.proj");
    add(t, &rng, '0', 3, (const int64_t[]){1, 1, e}, "%scls_token", start);
    add(t, &rng, '0', 3, (const int64_t[]){1, rows, e}, "%s%s", start, f->hugging ? "position_embeddings" : "pos_embed");
    if (f->registers) add(t, &rng, '0', 3, (const int64_t[]){1, f->registers, e}, "reg_token");
    for (int i = 0; i < DEPTH; i++) {
        g_autofree char *prefix = g_strdup_printf(f->hugging ? "encoder.layer.%d." : "blocks.%d.", i);
        add_block(t, &rng, f, prefix);
    }
    add(t, &rng, '1', 1, &e, "%s.weight", norm);
    add(t, &rng, '0', 1, &e, "%s.bias", norm);
    return t;
}

static RmilVitConfig vit_config(const Family *f) {
    return (RmilVitConfig){.heads = HEADS,
                           .side = SIDE,
                           .eps = 1e-6,
                           .rule = RMIL_POSITION_ANTIALIAS,
                           .pooling = f->pooling,
                           .mean = {0, 0, 0},
                           .sd = {1, 1, 1},
                           .workers = 1};
}

static void add_unit(RmilTensors *t, RmilRng *rng, const char *convolution, const char *norm, int64_t out, int64_t in, int64_t kernel) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    add(t, rng, 'w', 4, (const int64_t[]){out, in, kernel, kernel}, "%s.weight", convolution);
    for (int i = 0; i < 4; i++) add(t, rng, "100v"[i], 1, &out, "%s.%s", norm, parts[i]);
}

static const int one_block_each[4] = {1, 2, 1, 1};

static RmilTensors *make_resnet(int64_t width, int stages, const int *blocks) {
    RmilRng rng;
    RmilTensors *t = rmil_tensors_new("made.pth");
    rmil_rng_init(&rng, 12, 0);
    add_unit(t, &rng, "conv1", "bn1", width, 3, 7);
    int64_t in = width;
    for (int stage = 0; stage < stages; stage++)
        for (int b = 0; b < blocks[stage]; b++, in = 4 * width << stage) {
            const int64_t w = width << stage, sizes[4][3] = {{w, in, 1}, {w, w, 3}, {4 * w, w, 1}, {4 * w, in, 1}};
            for (int u = 0; u < (b ? 3 : 4); u++) {
                g_autofree char *convolution = g_strdup_printf(u == 3 ? "layer%d.%d.downsample.0" : "layer%d.%d.conv%d", stage + 1, b,
                                                               u + 1),
                                *norm = g_strdup_printf(u == 3 ? "layer%d.%d.downsample.1" : "layer%d.%d.bn%d", stage + 1, b, u + 1);
                add_unit(t, &rng, convolution, norm, sizes[u][0], sizes[u][1], sizes[u][2]);
            }
        }
    return t;
}

/* -- files ------------------------------------------------------------------------------------------------------------------- */

static void write_graph(RmilOnnx *onnx, const char *features, int64_t dim, const char *path) {
    static char *const none[] = {NULL};
    const RmilOnnxAxis axes[] = {{.name = "images"}, {.size = dim}};
    GError *error = NULL;
    rmil_onnx_output(onnx, "Identity", features, "features", 2, axes);
    g_assert_true(rmil_onnx_write(onnx, path, "test", "A test.", none, &error));
    g_assert_no_error(error);
}

static const char *begin(RmilOnnx *onnx, const char *path, gboolean outside, int64_t side) {
    const RmilOnnxAxis axes[] = {{.name = "images"}, {.size = 3}, {.size = side}, {.size = side}};
    if (outside) rmil_onnx_outside(onnx, path);
    return rmil_onnx_input(onnx, "images", RMIL_ONNX_FLOAT, 4, axes);
}

static void write_vit(const Family *f, const RmilTensors *tensors, const char *path, gboolean outside) {
    GError *error = NULL;
    const RmilVitConfig config = vit_config(f);
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
    g_assert_no_error(error);
    const char *features = rmil_vit_onnx(onnx, weights, &config, begin(onnx, path, outside, SIDE), &error);
    g_assert_no_error(error);
    write_graph(onnx, features, f->pooling == RMIL_VIT_CLASS_MEAN ? 2 * EMBED : EMBED, path);
}

/* -- numbers ----------------------------------------------------------------------------------------------------------------- */

static uint8_t *draw(int side) {
    RmilRng rng;
    rmil_rng_init(&rng, 9, 0);
    const int64_t bytes = (int64_t)IMAGES * side * side * 3;
    uint8_t *rgb = g_malloc((gsize)bytes);
    for (int64_t i = 0; i < bytes; i++) rgb[i] = (uint8_t)rmil_rng_below(&rng, 256);
    return rgb;
}

/* Scales 0 … 1 without a mean: the numbers of encoder onnx and our own input are the same bits. */
static void compare(const char *path, int side, int dim, const uint8_t *rgb, const float *ours) {
    GError *error = NULL;
    const RmilEncoderOptions options = {.weights = path, .workers = 1, .input_px = side, .mean = "0,0,0", .sd = "1,1,1"};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("onnx", &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_encoder_dim(encoder), ==, dim);
    g_autofree float *theirs = g_new(float, IMAGES *dim);
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, IMAGES, theirs, &error));
    double most = 0, worst = 0;
    for (int i = 0; i < IMAGES * dim; i++) {
        most = MAX(most, fabs((double)ours[i]));
        worst = MAX(worst, fabs((double)ours[i] - (double)theirs[i]));
    }
    g_test_message("%s: %g of the largest number", path, worst / most);
    g_assert_cmpfloat(worst, <=, 1e-5 * most);
}

static void test_vits(void) {
    g_autofree char *folder = test_folder();
    g_autofree uint8_t *rgb = draw(SIDE);
    if (!runtime()) return;
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        GError *error = NULL;
        const RmilVitConfig config = vit_config(&families[i]);
        g_autoptr(RmilTensors) tensors = make_vit(&families[i]);
        g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
        g_assert_no_error(error);
        g_autoptr(RmilVit) vit = rmil_vit_new(weights, &config, &error);
        g_assert_no_error(error);
        const int dim = rmil_vit_dim(vit);
        g_autofree float *ours = g_new(float, IMAGES *dim);
        rmil_vit_run(vit, 0, rgb, IMAGES, ours);
        for (int outside = 0; outside < 2; outside++) {
            g_autofree char *name = g_strdup_printf("%s-%d.onnx", families[i].name, outside), *path = g_build_filename(folder, name, NULL);
            write_vit(&families[i], tensors, path, outside);
            compare(path, SIDE, dim, rgb, ours);
        }
    }
}

static void test_resnets(void) {
    enum { TILE = 64 };
    static const RmilInputScale plain = {{0, 0, 0}, {1, 1, 1}};
    g_autofree char *folder = test_folder();
    g_autofree uint8_t *rgb = draw(TILE);
    g_autoptr(RmilTensors) tensors = make_resnet(WIDTH, 4, one_block_each);
    if (!runtime()) return;
    for (int stages = 3; stages <= 4; stages++) {
        GError *error = NULL;
        RmilResnetConfig config = {.width = WIDTH, .stages = stages, .side = TILE, .batch = 2, .workers = 1, .input = &plain};
        memcpy(config.blocks, one_block_each, sizeof config.blocks);
        g_autofree char *name = g_strdup_printf("layer%d.onnx", stages), *path = g_build_filename(folder, name, NULL);
        g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
        const char *features = rmil_resnet_onnx(onnx, tensors, &config, begin(onnx, path, FALSE, TILE), &error);
        g_assert_no_error(error);
        RmilResnet *resnet = rmil_resnet_new(tensors, &config, &error);
        g_assert_no_error(error);
        const int dim = rmil_resnet_dim(resnet);
        write_graph(onnx, features, dim, path);
        g_autofree float *ours = g_new(float, IMAGES *dim);
        g_assert_true(rmil_resnet_run(resnet, 0, rgb, IMAGES, ours, &error));
        rmil_resnet_free(resnet);
        compare(path, TILE, dim, rgb, ours);
    }
}

/* -- structure ----------------------------------------------------------------------------------------------------------------- */

static char *text_in(RmilProto message, int number) {
    for (RmilProtoField field; rmil_proto_next(&message, &field);)
        if (field.field == number) return rmil_proto_string(&field);
    return NULL;
}

/* Every value is made once and before it is used; what is in the other file lies within it, one behind the other; gives the operators. */
static char *check_graph(RmilProto graph, int64_t beside, gboolean outside) {
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GString *operators = g_string_new(NULL);
    int64_t reached = 0;
    RmilProtoField field, part;
    for (RmilProto at = graph; rmil_proto_next(&at, &field);) {
        if (field.field == 11) g_hash_table_add(known, text_in(field.inner, 1));
        if (field.field != 5) continue;
        g_hash_table_add(known, text_in(field.inner, 8));
        gsize raw = 0;
        int64_t numbers[2] = {-1, -1};
        for (RmilProto tensor = field.inner; rmil_proto_next(&tensor, &part);) {
            if (part.field == 9) raw = (gsize)(part.inner.end - part.inner.at);
            g_autofree char *key = part.field == 13 ? text_in(part.inner, 1) : NULL, *value = key ? text_in(part.inner, 2) : NULL;
            if (key && strcmp(key, "location") == 0) g_assert_true(g_str_has_suffix(value, ".onnx.data"));
            if (key && strcmp(key, "offset") == 0) numbers[0] = g_ascii_strtoll(value, NULL, 10);
            if (key && strcmp(key, "length") == 0) numbers[1] = g_ascii_strtoll(value, NULL, 10);
        }
        if (numbers[0] < 0) {
            g_assert_true(raw > 0 && (!outside || raw < 1024));
            continue;
        }
        g_assert_true(outside && raw == 0 && numbers[0] % 4096 == 0 && numbers[0] >= reached);
        reached = numbers[0] + numbers[1];
        g_assert_cmpint(reached, <=, beside);
    }
    g_assert_cmpint(reached, ==, beside);
    for (RmilProto at = graph; rmil_proto_next(&at, &field);) {
        if (field.field != 1) continue;
        g_autofree char *operator= text_in(field.inner, 4);
        g_string_append_printf(operators, "%s ", operator);
        for (RmilProto node = field.inner; rmil_proto_next(&node, &part);) {
            char *name = part.field == 1 || part.field == 2 ? rmil_proto_string(&part) : NULL;
            if (part.field == 1) {
                if (!g_hash_table_contains(known, name)) g_error("\"%s\" is used before it is made", name);
                g_free(name);
            } else if (name) {
                g_assert_true(g_hash_table_add(known, name));
            }
        }
    }
    return g_string_free(operators, FALSE);
}

static int count(const char *text, const char *word) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) n++;
    return n;
}

static void check_file(const char *path, gboolean outside, const Family *f) {
    g_autofree char *bytes = NULL, *beside = g_strconcat(path, ".data", NULL), *operators = NULL;
    gsize size;
    GStatBuf info = {0};
    g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    g_assert_cmpint(g_stat(beside, &info) == 0, ==, outside);
    RmilProto model = {(const guint8 *)bytes, (const guint8 *)bytes + size};
    for (RmilProtoField field; rmil_proto_next(&model, &field);) {
        if (field.field == 1) g_assert_cmpuint(field.number, ==, 8);
        if (field.field == 8) g_assert_cmpint(field.inner.at[1], ==, 17);
        if (field.field == 7) operators = check_graph(field.inner, outside ? info.st_size : 0, outside);
    }
    g_assert_true(model.at == model.end);
    g_assert_cmpint(count(operators, "LayerNormalization "), ==, 2 * DEPTH + 1);
    g_assert_cmpint(count(operators, "Softmax "), ==, DEPTH);
    g_assert_cmpint(count(operators, "Erf "), ==, f->gated ? 0 : DEPTH);
    g_assert_cmpint(count(operators, "Sigmoid "), ==, f->gated ? DEPTH : 0);
    g_assert_cmpint(count(operators, "ReduceMean "), ==, f->pooling == RMIL_VIT_CLASS ? 0 : 1);
}

/* The same bytes once more, also where a file was before. */
static void test_structure(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "a.onnx", NULL),
                    *beside = g_build_filename(folder, "a.onnx.data", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        g_autoptr(RmilTensors) tensors = make_vit(&families[i]);
        for (int outside = 0; outside < 2; outside++) {
            write_vit(&families[i], tensors, path, outside);
            check_file(path, outside, &families[i]);
            g_autofree char *first = rmil_onnx_digest(path, NULL);
            write_vit(&families[i], tensors, path, outside);
            g_autofree char *second = rmil_onnx_digest(path, NULL);
            g_assert_cmpstr(first, ==, second);
        }
        g_assert_cmpint(g_unlink(beside), ==, 0);
    }
}

/* -- by name ------------------------------------------------------------------------------------------------------------------- */

static RmilTensor view(const RmilTensors *tensors, int64_t i) { return *rmil_tensors_at(tensors, i); }

/* A ResNet-50 of random weights as a file, or with one tensor short. Free with g_free. */
static char *weights_file(const char *folder, gboolean whole) {
    static const int blocks[4] = {3, 4, 6, 3};
    g_autoptr(RmilTensors) tensors = make_resnet(64, 3, blocks);
    const int64_t n = rmil_tensors_count(tensors);
    g_autofree RmilTensor *all = g_new(RmilTensor, n);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (whole || strcmp(view(tensors, i).name, "layer3.5.conv3.weight") != 0) all[kept++] = view(tensors, i);
    char *path = g_build_filename(folder, whole ? "weights.safetensors" : "short.safetensors", NULL);
    GError *error = NULL;
    g_assert_true(rmil_safetensors_write(path, all, kept, NULL, &error));
    g_assert_no_error(error);
    return path;
}

static void test_refused(void) {
    g_autofree char *folder = test_folder(), *weights = weights_file(folder, FALSE), *path = g_build_filename(folder, "x.onnx", NULL),
                    *inside = g_build_filename(folder, "x.onnx", "y.onnx", NULL);
    GError *error = NULL;
    g_assert_false(rmil_encoder_onnx_write("texture", weights, path, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "the encoder texture is not a network, so it cannot be written as ONNX");
    g_assert_false(rmil_encoder_onnx_write("nothing", weights, path, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "there is no encoder \"");
    g_assert_false(rmil_encoder_onnx_write("uni", weights, path, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "these are not the weights of the encoder uni");
    g_assert_false(rmil_encoder_onnx_write("resnet50", weights, path, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "layer3.5.conv3.weight");
    g_assert_cmpint(test_entries(folder, "."), ==, 1); /* nothing is left beside the weights */
    g_free(test_file(folder, "x.onnx", "a file"));
    g_assert_false(rmil_encoder_onnx_write("resnet50", weights, inside, NULL, &error));
    g_clear_error(&error);
}

/* The metadata stand for the options, and what the options say instead counts. */
static void test_says(void) {
    g_autofree char *folder = test_folder(), *weights = weights_file(folder, TRUE), *path = g_build_filename(folder, "r.onnx", NULL);
    GError *error = NULL;
    RmilOnnxSays says;
    g_assert_true(rmil_encoder_onnx_write("resnet50", weights, path, NULL, &error));
    g_assert_true(rmil_onnx_says(path, &says, &error));
    g_assert_cmpstr(says.encoder, ==, "resnet50");
    g_assert_cmpstr(says.mean, ==, "0.485,0.456,0.406");
    g_assert_cmpstr(says.sd, ==, "0.229,0.224,0.225");
    g_assert_cmpstr(says.pooling, ==, "mean of layer3");
    g_assert_cmpint(says.input_px, ==, 224);
    g_assert_cmpfloat(says.mpp, ==, 0.5);
    rmil_onnx_says_clear(&says);
    if (!runtime()) return;
    const struct {
        RmilEncoderOptions options;
        const char *identity, *note;
    } cases[] = {
        {{.workers = 1}, "mean 0.485,0.456,0.406 sd 0.229,0.224,0.225; 224 px", "which is used"},
        {{.workers = 1, .sd = "0.5,0.5,0.5"}, "mean 0.485,0.456,0.406 sd 0.5,0.5,0.5", "the options given are used instead"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        RmilEncoderOptions options = cases[i].options;
        options.weights = path;
        g_autoptr(RmilEncoder) encoder = rmil_encoder_new("onnx", &options, &error);
        g_assert_no_error(error);
        g_assert_nonnull(strstr(rmil_encoder_identity(encoder), cases[i].identity));
        g_assert_nonnull(strstr(rmil_encoder_note(encoder), "it is resnet50 (mean of layer3)"));
        g_assert_nonnull(strstr(rmil_encoder_note(encoder), cases[i].note));
    }
}

/* Metadata that are wrong are refused by name; a file that is none says nothing here. */
static void test_wrong(void) {
    static const struct {
        const char *key, *value, *message;
    } wrong[] = {{"rankmil.input_px", "0", "rankmil.input_px \"0\", which is not a number from 8 to 4096"},
                 {"rankmil.mpp", "much", "rankmil.mpp \"much\", which is not a number from "},
                 {"rankmil.mean", "1,2", "rankmil.mean 1,2: give three numbers R,G,B, "},
                 {"rankmil.sd", "0,1,1", "rankmil.sd 0,1,1: give three numbers R,G,B, "}};
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "a.onnx", NULL);
    GError *error = NULL;
    RmilOnnxSays says;
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        char *metadata[] = {(char *)wrong[i].key, (char *)wrong[i].value, NULL};
        g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
        g_assert_true(rmil_onnx_write(onnx, path, "a", "b", metadata, &error));
        g_assert_false(rmil_onnx_says(path, &says, &error));
        rmil_onnx_says_clear(&says);
        test_error(&error, RMIL_ERROR_FORMAT, wrong[i].message);
    }
    g_free(test_file(folder, "a.onnx", "no model at all"));
    g_assert_true(rmil_onnx_says(path, &says, &error));
    g_assert_null(says.mean);
    rmil_onnx_says_clear(&says);
}

/* -- on another device --------------------------------------------------------------------------------------------------------- */

/* One of our encoders by ONNX Runtime: made once, told apart from our own code, and refused where it cannot be. */
static void test_device(void) {
    g_autofree char *folder = test_folder(), *weights = weights_file(folder, TRUE), *cache = g_strdup(g_getenv("XDG_CACHE_HOME"));
    GError *error = NULL;
    const RmilEncoderOptions bfloat16 = {.weights = weights, .workers = 1, .device = "onnxruntime", .precision = RMIL_BFLOAT16},
                             unknown = {.weights = weights, .workers = 1, .device = "tpu"},
                             texture = {.workers = 1, .device = "onnxruntime"};
    g_assert_false(rmil_encoder_check("resnet50", &bfloat16, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--encode-bfloat16 is for the processor's own code");
    g_assert_false(rmil_encoder_check("resnet50", &unknown, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--device tpu: there is no such device: choose cpu, onnxruntime, cuda, tensorrt or rocm");
    g_assert_false(rmil_encoder_check("texture", &texture, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--device onnxruntime is for networks, but texture always runs on the processor");
    if (!runtime()) return;
    const RmilEncoderOptions how = {.weights = weights, .workers = 1, .device = "onnxruntime"}, own = {.weights = weights, .workers = 1};
    g_autofree uint8_t *rgb = draw(224);
    float features[2][IMAGES * 1024];
    for (int i = 0; i < 2; i++) {
        g_autoptr(RmilEncoder) encoder = rmil_encoder_new("resnet50", &how, &error);
        g_assert_no_error(error);
        g_assert_true(g_str_has_prefix(rmil_encoder_identity(encoder), "resnet50 onnx 1 sha256:"));
        g_assert_true(g_str_has_suffix(rmil_encoder_identity(encoder), "; onnxruntime"));
        g_assert_nonnull(strstr(rmil_encoder_note(encoder), cache));
        g_assert_cmpint(g_str_has_suffix(rmil_encoder_note(encoder), " before"), ==, i == 1); /* once */
        g_assert_cmpint(rmil_encoder_dim(encoder), ==, 1024);
        g_assert_true(rmil_encoder_run(encoder, 0, rgb, IMAGES, features[0], &error));
    }
    g_assert_cmpint(test_entries(cache, "rankmil"), ==, 1);
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("resnet50", &own, &error);
    g_assert_no_error(error);
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, IMAGES, features[1], &error));
    double most = 0, worst = 0;
    for (int i = 0; i < IMAGES * 1024; i++) {
        most = MAX(most, fabs((double)features[1][i]));
        worst = MAX(worst, fabs((double)features[0][i] - (double)features[1][i]));
    }
    g_assert_cmpfloat(worst, <=, 1e-5 * most);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autofree char *cache = test_folder();
    g_setenv("XDG_CACHE_HOME", cache, TRUE); /* GLib reads it once */
    g_test_add_func("/onnx-write/structure", test_structure);
    g_test_add_func("/onnx-write/refused", test_refused);
    g_test_add_func("/onnx-write/says", test_says);
    g_test_add_func("/onnx-write/wrong", test_wrong);
    g_test_add_func("/onnx-write/vision-transformers", test_vits);
    g_test_add_func("/onnx-write/resnets", test_resnets);
    g_test_add_func("/onnx-write/device", test_device);
    return g_test_run();
}
