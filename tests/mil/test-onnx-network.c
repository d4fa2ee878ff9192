/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 as an ONNX graph: its nodes and tensors, and, where RMIL_PEER_PYTHON names a Python with onnxruntime, its numbers against our own
 * forward pass (exchange.py). Tensors of rank 4 in files, too. */
#include "onnx-file.h"

#include "encoder/network.h"
#include "encoder/resnet.h"
#include "mil/onnx.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 8, FEATURES = 32 * WIDTH };
static const double imagenet_mean[] = {0.485, 0.456, 0.406}, imagenet_sd[] = {0.229, 0.224, 0.225};

/* A patch's score and attention are fc's output; the slide's logit is their sum. */
static void graph(const RmilModelConfig *config, RmilOnnx *onnx) {
    const char *features = rmil_onnx_network(onnx, WIDTH);
    const char *scores = rmil_onnx_linear(onnx, features, rmil_onnx_parameter(onnx, "fc.weight"), rmil_onnx_parameter(onnx, "fc.bias"));
    scores = rmil_onnx_flat(onnx, scores);
    rmil_onnx_outputs(onnx, rmil_onnx_node(onnx, "ReduceSum", scores, NULL), scores, scores);
}

static const RmilModelClass class = {.name = "network", .onnx = graph};

static void fill(const RmilNetworkTensor *tensor, RmilRng *rng, float *values) {
    const double sd = tensor->inputs ? sqrt(2.0 / (double)tensor->inputs) : 0.1;
    for (int64_t i = 0; i < tensor->count; i++) {
        values[i] = (float)((double)tensor->usual + sd * rmil_rng_normal(rng));
        if (tensor->usual > 0) values[i] = fabsf(values[i]); /* a variance is none below 0 */
    }
}

static RmilModel *make_model(void) {
    RmilNetworkShape shape;
    RmilRng rng;
    GError *error = NULL;
    rmil_network_shape_init(&shape, WIDTH, 1);
    rmil_rng_init(&rng, 8, 0);
    g_autoptr(GArray) tensors = rmil_network_tensors(&shape);
    RmilModel *model = g_new0(RmilModel, 1);
    g_assert_true(rmil_model_config_init(&model->config, "abmil", RMIL_GUIDE_NONE, &error)); /* it writes the metadata */
    model->class = &class;
    model->layout.tensors = g_array_new(FALSE, TRUE, sizeof(RmilParameter));
    for (guint i = 0; i < tensors->len; i++) {
        const RmilNetworkTensor *tensor = &g_array_index(tensors, RmilNetworkTensor, i);
        const int at = rmil_parameter_add_shape(&model->layout, RMIL_INIT_CONSTANT, tensor->usual, tensor->rank, tensor->shape,
                                                tensor->name);
        g_assert_cmpint(at, ==, i);
        g_assert_cmpint(rmil_parameter_at(&model->layout, at)->count, ==, tensor->count);
    }
    model->parameters = rmil_alloc(model->layout.count, sizeof(float), &error);
    g_assert_no_error(error);
    for (guint i = 0; i < tensors->len; i++)
        fill(&g_array_index(tensors, RmilNetworkTensor, i), &rng, model->parameters + rmil_parameter_at(&model->layout, (int)i)->offset);
    return model;
}

/* -- structure ----------------------------------------------------------------------------------------------------------------- */
/* "name=1,2 name=0.5 …" of a node's attributes. */
static char *attributes_of(const Field *node) {
    GString *text = g_string_new(NULL);
    Field field, part;
    for (Reader reader = node->bytes; read_field(&reader, &field);) {
        if (field.field != 5) continue;
        g_autofree char *name = name_of(&field, 1);
        g_string_append_printf(text, "%s%s=", text->len ? " " : "", name);
        for (Reader inner = field.bytes; read_field(&inner, &part);) {
            float number;
            if (part.field == 8) g_string_append_printf(text, "%d,", (int)part.number);
            if (part.field != 2) continue;
            memcpy(&number, part.bytes.at, sizeof number);
            g_string_append_printf(text, "%g", (double)number);
        }
    }
    return g_string_free(text, FALSE);
}

/* Operators in order; of a convolution its weight and its attributes, of a norm its tensors. */
static char *describe(Reader file) {
    GString *text = g_string_new(NULL);
    Field field, part;
    for (Reader reader = file; read_field(&reader, &field);) {
        if (field.field != 1) continue;
        g_autofree char *operator= name_of(&field, 4), *attributes = attributes_of(&field);
        g_string_append(text, operator);
        for (Reader inner = field.bytes; read_field(&inner, &part);) {
            g_autofree char *input = part.field == 1 ? text_of(&part) : NULL;
            if (input && !g_str_has_prefix(input, "value ")) g_string_append_printf(text, " %s", input);
        }
        g_string_append_printf(text, "%s%s\n", *attributes ? " " : "", attributes);
    }
    return g_string_free(text, FALSE);
}

static void add_unit(GString *text, const char *input, const char *conv, const char *norm, int kernel, int stride) {
    const int p = kernel / 2;
    g_string_append_printf(text, "Conv %s%s.weight kernel_shape=%d,%d, strides=%d,%d, pads=%d,%d,%d,%d,\n", input, conv, kernel, kernel,
                           stride, stride, p, p, p, p);
    g_string_append_printf(text, "BatchNormalization %s.weight %s.bias %s.running_mean %s.running_var epsilon=1e-05\n", norm, norm, norm,
                           norm);
}

/* As torchvision has it. */
static char *expected_nodes(void) {
    static const int blocks[] = {3, 4, 6, 3};
    GString *text = g_string_new(NULL);
    add_unit(text, "tiles ", "conv1", "bn1", 7, 2);
    g_string_append(text, "Relu\nMaxPool kernel_shape=3,3, strides=2,2, pads=1,1,1,1,\n");
    for (int stage = 1; stage <= 4; stage++)
        for (int block = 0; block < blocks[stage - 1]; block++) {
            const int stride = stage > 1 && block == 0 ? 2 : 1;
            for (int u = 1; u <= 3; u++) {
                g_autofree char *conv = g_strdup_printf("layer%d.%d.conv%d", stage, block, u);
                g_autofree char *norm = g_strdup_printf("layer%d.%d.bn%d", stage, block, u);
                add_unit(text, "", conv, norm, u == 2 ? 3 : 1, u == 2 ? stride : 1);
                if (u < 3) g_string_append(text, "Relu\n");
            }
            g_autofree char *conv = g_strdup_printf("layer%d.%d.downsample.0", stage, block);
            g_autofree char *norm = g_strdup_printf("layer%d.%d.downsample.1", stage, block);
            if (block == 0) add_unit(text, "", conv, norm, 1, stride);
            g_string_append(text, "Add\nRelu\n");
        }
    g_string_append(text, "GlobalAveragePool\nFlatten\n");
    return g_string_free(text, FALSE);
}

/* "tiles" is patches × 3 × side × side. */
static void check_input(Reader input) {
    const Field kind = find_field(input, 2), tensor = find_field(kind.bytes, 1), shape = find_field(tensor.bytes, 2);
    g_autoptr(GString) text = g_string_new(NULL);
    Field axis, value;
    for (Reader reader = shape.bytes; read_field(&reader, &axis);)
        for (Reader inner = axis.bytes; read_field(&inner, &value);) {
            g_autofree char *name = value.field == 2 ? text_of(&value) : g_strdup_printf("%d", (int)value.number);
            g_string_append_printf(text, " %s", name);
        }
    g_assert_cmpstr(text->str, ==, " patches 3 side side");
    g_assert_cmpuint(find_field(tensor.bytes, 1).number, ==, 1);
}

static void test_structure(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.onnx", NULL);
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    RmilModel *model = make_model();
    GError *error = NULL;
    gsize size;
    int inputs = 0;
    g_assert_true(rmil_model_onnx_write(model, path, &error));
    g_assert_no_error(error);
    g_autofree char *bytes = test_bytes(NULL, path, &size);
    const Reader file = {(const guint8 *)bytes, (const guint8 *)bytes + size}, nodes = find_field(file, 7).bytes;
    Field field;
    for (Reader reader = nodes; read_field(&reader, &field);) {
        if (field.field != 5 && field.field != 11) continue;
        char *name = name_of(&field, field.field == 5 ? 8 : 1);
        if (field.field == 5) check_initializer(model, &field, name);
        else check_input(field.bytes), inputs++;
        g_assert_true(g_hash_table_add(known, name));
    }
    g_assert_cmpint(inputs, ==, 1);
    for (Reader reader = nodes; read_field(&reader, &field);)
        if (field.field == 1) check_node(known, &field, used);
    for (guint i = 0; i < model->layout.tensors->len; i++)
        g_assert_true(g_hash_table_contains(used, rmil_parameter_at(&model->layout, (int)i)->name));
    g_autofree char *said = describe(nodes), *expected = expected_nodes();
    g_auto(GStrv) found = g_strsplit(said, "\n", -1), wanted = g_strsplit(expected, "\n", -1);
    for (guint i = 0; i + 1 < g_strv_length(wanted); i++) g_assert_cmpstr(found[i], ==, wanted[i]); /* more is the test's own */
    rmil_model_free(model);
}

/* Tensors of every rank come back from model files and from what PyTorch reads. */
static void test_files(void) {
    g_autofree char *folder = test_folder();
    static const char *const names[] = {"m.safetensors", "m.pth"};
    RmilModel *model = make_model();
    GError *error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_assert_true(i ? rmil_model_export(model, path, "paper", &error) : rmil_model_save(model, path, &error));
        g_assert_no_error(error);
        g_autoptr(RmilTensors) file = rmil_weights_read(path, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(rmil_tensors_count(file), ==, model->layout.tensors->len);
        for (guint k = 0; k < model->layout.tensors->len; k++) {
            const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)k);
            g_autofree float *values = rmil_tensors_floats(file, parameter->name, parameter->rank, parameter->shape, &error);
            g_assert_no_error(error);
            assert_same(values, (gsize)parameter->count * 4, model->parameters + parameter->offset, (gsize)parameter->count * 4);
        }
    }
    rmil_model_free(model);
}

/* -- numbers ------------------------------------------------------------------------------------------------------------------- */
/* fc's output of every tile: our forward pass, by running statistics. */
static void own_scores(const RmilModel *model, int side, int count, const uint8_t *rgb, float *scores) {
    GError *error = NULL;
    g_autoptr(RmilTensors) tensors = rmil_tensors_new("network");
    const int last = (int)model->layout.tensors->len;
    for (int i = 0; i < last; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, i);
        g_assert_true(rmil_tensors_add(tensors, parameter->name, RMIL_DTYPE_F32, parameter->rank, parameter->shape,
                                       model->parameters + parameter->offset, &error));
    }
    const RmilResnetConfig config = {.width = WIDTH, .stages = 4, .side = side, .batch = 2, .workers = 1};
    RmilResnet *resnet = rmil_resnet_new(tensors, &config, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_resnet_dim(resnet), ==, FEATURES);
    g_autofree float *features = g_new(float, (gsize)count *FEATURES);
    g_assert_true(rmil_resnet_run(resnet, 0, rgb, count, features, &error));
    rmil_resnet_free(resnet);
    const float *weight = model->parameters + rmil_parameter_at(&model->layout, last - 2)->offset,
                *bias = model->parameters + rmil_parameter_at(&model->layout, last - 1)->offset;
    for (int i = 0; i < count; i++) {
        double sum = (double)*bias;
        for (int k = 0; k < FEATURES; k++) sum += (double)features[i * FEATURES + k] * (double)weight[k];
        scores[i] = (float)sum;
    }
}

static void run_peer(const RmilModel *model, int side, int count) {
    g_autofree char *folder = test_folder(), *onnx = g_build_filename(folder, "model.onnx", NULL),
                    *path = g_build_filename(folder, "expected.safetensors", NULL),
                    *script = g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "mil", "exchange.py", NULL), *out = NULL, *err = NULL;
    const gsize pixels = (gsize)side * (gsize)side;
    g_autofree uint8_t *rgb = g_new(uint8_t, (gsize)count * pixels * 3);
    g_autofree float *tiles = g_new(float, (gsize)count *pixels * 3), *scores = g_new(float, (gsize)count);
    RmilRng rng;
    GError *error = NULL;
    int status;
    rmil_rng_init(&rng, 4, (uint64_t)side);
    for (gsize i = 0; i < (gsize)count * pixels * 3; i++) rgb[i] = (uint8_t)(rmil_rng_below(&rng, 128) + (int64_t)(i / 3 % pixels % 128));
    for (gsize t = 0; t < (gsize)count; t++)
        for (gsize i = 0; i < pixels; i++)
            for (gsize c = 0; c < 3; c++)
                tiles[(t * 3 + c) * pixels + i] = (float)((rgb[(t * pixels + i) * 3 + c] / 255.0 - imagenet_mean[c]) / imagenet_sd[c]);
    own_scores(model, side, count, rgb, scores);
    double logit = 0;
    for (int i = 0; i < count; i++) logit += (double)scores[i];
    const double probability = 1 / (1 + exp(-logit));
    const RmilTensor expected[] = {
        {.name = "tiles", .dtype = RMIL_DTYPE_F32, .rank = 4, .shape = {count, 3, side, side}, .data = tiles},
        {.name = "out.scores", .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {count}, .data = scores},
        {.name = "out.attention", .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {count}, .data = scores},
        {.name = "out.logit", .dtype = RMIL_DTYPE_F64, .rank = 1, .shape = {1}, .data = &logit},
        {.name = "out.probability", .dtype = RMIL_DTYPE_F64, .rank = 1, .shape = {1}, .data = &probability},
    };
    const char *const metadata[] = {"model", "network", "two", "no", NULL};
    g_assert_true(rmil_safetensors_write(path, expected, G_N_ELEMENTS(expected), metadata, &error));
    g_assert_true(rmil_model_onnx_write(model, onnx, &error));
    char *argv[] = {(char *)g_getenv("RMIL_PEER_PYTHON"), script, folder, NULL};
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error));
    if (!g_spawn_check_wait_status(status, &error)) g_error("%d px: %s\n%s%s", side, error->message, out, err);
    g_test_message("%d tiles of %d px, logit %.3f: %s", count, side, logit, g_strstrip(out));
}

static void test_peer(void) {
    if (!g_getenv("RMIL_PEER_PYTHON")) {
        g_test_skip("RMIL_PEER_PYTHON names no Python with onnxruntime");
        return;
    }
    RmilModel *model = make_model();
    run_peer(model, 224, 2);
    run_peer(model, 64, 5);
    run_peer(model, 75, 3);
    rmil_model_free(model);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/onnx-network/structure", test_structure);
    g_test_add_func("/onnx-network/files", test_files);
    g_test_add_func("/onnx-network/peer", test_peer);
    return g_test_run();
}
