/* SPDX-License-Identifier: Apache-2.0 */
/* Models for other programs: the ONNX file taken apart again, and, where RMIL_PEER_PYTHON names a Python with onnxruntime and
 * PyTorch, its numbers, and the way rankmil → PyTorch → rankmil (exchange.py). */
#include "onnx-file.h"
#include "mil/model.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

typedef struct {
    RmilModel *model;
    int task;
    RmilBag bag;
    int rows;
    float *scores, *attention; /* rows × K */
    RmilPrediction prediction;
} Case;

static void case_clear(Case *k) {
    rmil_model_free(k->model);
    g_free(k->bag.features);
    g_free(k->bag.coords);
    g_free(k->scores);
    g_free(k->attention);
}

/* Tiles of a grid with holes, so that regions have empty cells and some regions do not exist. */
static void make_bag(RmilBag *bag, int64_t count, int64_t dim) {
    RmilRng rng;
    rmil_rng_init(&rng, 77, (uint64_t)count);
    *bag = (RmilBag){.id = (char *)"bag", .count = count, .dim = dim, .patch_size_level0 = 447.5};
    bag->features = g_new(float, (gsize)(count * dim));
    bag->coords = g_new(int64_t, (gsize)(2 * count));
    for (int64_t i = 0; i < count * dim; i++) ((float *)bag->features)[i] = (float)fmax(rmil_rng_normal(&rng), 0);
    for (int64_t i = 0, cell = 0; i < count; i++, cell += 1 + rmil_rng_below(&rng, cell % 7 == 0 ? 90 : 3)) {
        bag->coords[2 * i] = 1000 + (int64_t)floor((double)(cell % 31) * 447.5);
        bag->coords[2 * i + 1] = 5000 + (int64_t)floor((double)(cell / 31) * 447.5);
    }
}

/* At the start all scores are nearly the same: spread, so that thresholds cut and differences show. */
static void spread_scores(RmilModel *model) {
    for (guint i = 0; i < model->layout.tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)i);
        const float factor = strcmp(parameter->name, "region_agg.gap.q") == 0 ? 50 : model->config.threshold >= 0 ? 2 : 1;
        for (int64_t j = 0; j < parameter->count; j++) model->parameters[parameter->offset + j] *= factor;
    }
}

/* What is predicted, and what the graph then says beside attention and scores. */
typedef enum { TWO, THREE, HAZARD, COX, NUMBER, TASKS } Task;
static const char *const outputs[] = {" probability logit", " probabilities logits", " survival risk", " risk", " value"};

static void set_task(RmilModelConfig *config, Task task) {
    if (task == THREE) config->task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"LUAD", "LUSC", "\"other\""}};
    if (task == HAZARD || task == COX) config->task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
    if (task == COX) config->survival_loss = RMIL_SURVIVAL_COX;
    if (task == NUMBER) {
        config->task = (RmilTask){.kind = RMIL_TASK_NUMBER};
        config->mean = 30, config->sd = 2.5;
    }
}

static gboolean takes(const char *name, Task task) {
    const int of[] = {0, RMIL_TAKES_CLASSES, RMIL_TAKES_SURVIVAL, RMIL_TAKES_SURVIVAL, RMIL_TAKES_NUMBER};
    return (rmil_model_class(name, NULL)->tasks & of[task]) == of[task];
}

/* Small sizes, or (paper) those that real models have. */
static void make_case(Case *k, const char *name, Task task, int64_t count, gboolean paper) {
    GError *error = NULL;
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, name, RMIL_GUIDE_NONE, &error));
    set_task(&config, task);
    k->task = (int)task;
    config.dim = paper ? 1024 : 20;
    if (!paper) {
        config.hidden = 12, config.attention_dim = 6;
        rmil_model_config_set(&config, "region_rows", 3, NULL);
        rmil_model_config_set(&config, "region_columns", 4, NULL);
        rmil_model_config_set(&config, "patch_depth", 2, NULL);
        rmil_model_config_set(&config, "transmil_heads", 3, NULL);
        rmil_model_config_set(&config, "landmarks", count == 50 ? 4 : 0, NULL);
        if (task == THREE || count == 50) config.patch_hidden = 5, config.patch_top = 3;
    }
    k->model = rmil_model_new(&config, 9, &error);
    g_assert_no_error(error);
    spread_scores(k->model);
    make_bag(&k->bag, count, config.dim);
    k->rows = task == TWO ? 1 : rmil_model_rows(k->model); /* of two classes the graph has that of label 1 alone */
    k->scores = g_new(float, (gsize)(k->rows * count));
    k->attention = g_new(float, (gsize)(k->rows * count));
    for (int r = 0; r < k->rows; r++)
        g_assert_true(rmil_model_predict_row(k->model, &k->bag, NULL, task == TWO ? RMIL_ROW_USUAL : r, &k->prediction,
                                             k->scores + r * count, k->attention + r * count, &error));
    g_assert_no_error(error);
}

/* -- the file, taken apart ------------------------------------------------------------------------------------------------- */
static void check_graph(const RmilModel *model, Task task, Reader graph) {
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) found = g_string_new(NULL);
    g_autofree char *expected = g_strconcat(outputs[task], " attention scores", NULL);
    Field field;
    for (Reader reader = graph; read_field(&reader, &field);) {
        if (field.field != 5 && field.field != 11) continue;
        char *name = name_of(&field, field.field == 5 ? 8 : 1);
        if (field.field == 5) check_initializer(model, &field, name);
        g_assert_true(g_hash_table_add(known, name));
    }
    for (Reader reader = graph; read_field(&reader, &field);) {
        if (field.field == 1) check_node(known, &field, used);
        if (field.field != 12) continue;
        g_autofree char *name = name_of(&field, 1);
        g_assert_true(g_hash_table_contains(known, name));
        g_string_append_printf(found, " %s", name);
    }
    g_assert_cmpstr(found->str, ==, expected);
    /* every tensor that prediction needs is in the graph, and nothing else of the model's */
    for (guint i = 0; i < model->layout.tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)i);
        gboolean training_only = parameter->unused || g_str_has_prefix(parameter->name, "instance_classifiers.");
        g_assert_cmpint(g_hash_table_contains(used, parameter->name), ==, !training_only);
    }
}

/* The metadata say what the classes are called. */
static void check_metadata(Reader file, gboolean named) {
    Field field;
    gboolean found = FALSE;
    while (read_field(&file, &field)) {
        if (field.field != 14) continue;
        g_autofree char *key = name_of(&field, 1), *value = name_of(&field, 2);
        if (strcmp(key, "task") != 0) continue;
        found = TRUE;
        g_assert_nonnull(strstr(value, "[\"LUAD\",\"LUSC\",\"\\\"other\\\"\"]"));
    }
    g_assert_cmpint(found, ==, named);
}

static void test_file_format(gconstpointer name) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.onnx", NULL);
    GError *error = NULL;
    for (Task task = TWO; task < TASKS; task++) {
        if (!takes(name, task)) continue;
        gsize size, more;
        Case k;
        make_case(&k, name, task, 30, FALSE);
        g_autofree char *bytes = NULL, *again = NULL;
        g_assert_true(rmil_model_onnx_write(k.model, path, &error));
        g_assert_true(g_file_get_contents(path, &bytes, &size, &error));
        const Reader file = {(const guint8 *)bytes, (const guint8 *)bytes + size};
        g_assert_cmpuint(find_field(file, 1).number, ==, 8);
        g_assert_cmpuint(find_field(find_field(file, 8).bytes, 2).number, ==, 17);
        check_graph(k.model, task, find_field(file, 7).bytes);
        if (task <= THREE) check_metadata(file, task == THREE);
        g_assert_true(rmil_model_onnx_write(k.model, path, &error));
        g_assert_true(g_file_get_contents(path, &again, &more, &error));
        assert_same(bytes, size, again, more);
        g_autofree char *nowhere = g_build_filename(path, "x.onnx", NULL);
        g_assert_false(rmil_model_onnx_write(k.model, nowhere, &error));
        test_error(&error, RMIL_ERROR_IO, path);
        case_clear(&k);
    }
}

/* -- other programs ----------------------------------------------------------------------------------------------------------- */
/* What exchange.py is to find: the bag, what the outputs of the graph should be, and what tensors do not tell. */
static void write_expected(const Case *k, const char *path) {
    const RmilModelConfig *config = &k->model->config;
    const RmilPrediction *said = &k->prediction;
    const double numbers[] = {k->bag.patch_size_level0, config->threshold};
    const int64_t sizes[] = {(int64_t)rmil_model_config_get(config, "region_rows"),
                             (int64_t)rmil_model_config_get(config, "region_columns"),
                             (int64_t)rmil_model_config_get(config, "heads"),
                             config->patch_top,
                             TRUE,
                             (int64_t)rmil_model_config_get(config, "landmarks")};
    const int64_t count = k->bag.count;
    RmilTensor tensors[9] = {
        {.name = "features", .dtype = RMIL_DTYPE_F32, .rank = 2, .shape = {count, k->bag.dim}, .data = k->bag.features},
        {.name = "coords", .dtype = RMIL_DTYPE_I64, .rank = 2, .shape = {count, 2}, .data = k->bag.coords},
        {.name = "out.scores", .dtype = RMIL_DTYPE_F32, .rank = 2, .shape = {k->rows, count}, .data = k->scores},
        {.name = "out.attention", .dtype = RMIL_DTYPE_F32, .rank = 2, .shape = {k->rows, count}, .data = k->attention},
        {.name = "numbers", .dtype = RMIL_DTYPE_F64, .rank = 1, .shape = {G_N_ELEMENTS(numbers)}, .data = numbers},
        {.name = "sizes", .dtype = RMIL_DTYPE_I64, .rank = 1, .shape = {G_N_ELEMENTS(sizes)}, .data = sizes},
    };
    int n = 6;
    const RmilTensor one = {.dtype = RMIL_DTYPE_F64, .rank = 1, .shape = {1}};
    if (k->task == TWO) {
        tensors[n] = one, tensors[n].name = "out.probability", tensors[n++].data = &said->probability;
        tensors[n] = one, tensors[n].name = "out.logit", tensors[n++].data = &said->logit;
    } else if (k->task == THREE || k->task == HAZARD) {
        tensors[n] = one, tensors[n].name = k->task == THREE ? "out.probabilities" : "out.survival";
        tensors[n].shape[0] = said->count, tensors[n++].data = said->values;
    }
    if (k->task > THREE)
        tensors[n] = one, tensors[n].name = k->task == NUMBER ? "out.value" : "out.risk", tensors[n++].data = &said->answer;
    const char *metadata[] = {"model", config->model, "two", k->task == TWO ? "yes" : "no", NULL};
    GError *error = NULL;
    g_assert_true(rmil_safetensors_write(path, tensors, n, metadata, &error));
}

/* What PyTorch saved gives the same logit and the same scores, to the bit. */
static void check_back(const Case *k, const char *path) {
    const int64_t count = k->bag.count;
    g_autofree float *scores = g_new(float, (gsize)count);
    GError *error = NULL;
    RmilPrediction prediction;
    g_autoptr(RmilModel) back = rmil_model_load_as(path, &k->model->config, &error);
    g_assert_no_error(error);
    g_assert_true(rmil_model_predict(back, &k->bag, NULL, &prediction, scores, NULL, &error));
    g_assert_cmpfloat(prediction.logit, ==, k->prediction.logit);
    assert_same(scores, (gsize)count * sizeof(float), k->scores, (gsize)count * sizeof(float));
}

static void run_peer(const char *name, Task task, int64_t count, gboolean paper) {
    static const char *const saved[] = {"state_dict.pth", "legacy.pth", "checkpoint.pth", "torch.safetensors"};
    g_autofree char *folder = test_folder(), *onnx = g_build_filename(folder, "model.onnx", NULL),
                    *model = g_build_filename(folder, "model.safetensors", NULL),
                    *expected = g_build_filename(folder, "expected.safetensors", NULL),
                    *script = g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "mil", "exchange.py", NULL), *out = NULL, *err = NULL;
    GError *error = NULL;
    int status;
    Case k;
    make_case(&k, name, task, count, paper);
    g_assert_true(rmil_model_onnx_write(k.model, onnx, &error));
    g_assert_true(rmil_model_save(k.model, model, &error));
    write_expected(&k, expected);
    char *argv[] = {(char *)g_getenv("RMIL_PEER_PYTHON"), script, folder, NULL};
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error));
    if (!g_spawn_check_wait_status(status, &error))
        g_error("%s, %" G_GINT64_FORMAT " patches: %s\n%s%s", name, count, error->message, out, err);
    g_test_message("%s,%s, %" G_GINT64_FORMAT " patches: %s", name, outputs[task], count, g_strstrip(out));
    for (gsize i = 0; i < G_N_ELEMENTS(saved); i++) {
        g_autofree char *path = g_build_filename(folder, saved[i], NULL);
        if (strstr(out, ", torch ")) check_back(&k, path);
    }
    case_clear(&k);
}

static void test_peer(gconstpointer name) {
    if (!g_getenv("RMIL_PEER_PYTHON")) {
        g_test_skip("RMIL_PEER_PYTHON names no Python with onnxruntime and PyTorch");
        return;
    }
    const int64_t counts[] = {1, 2, 50, 700};
    for (Task task = TWO; task < TASKS; task++)
        for (gsize i = 0; takes(name, task) && i < G_N_ELEMENTS(counts); i++) run_peer(name, task, counts[i], FALSE);
    run_peer(name, TWO, 2000, TRUE);
}

/* -- state_dicts ------------------------------------------------------------------------------------------------------------- */
/* The model's tensors with something before their names, and one tensor that is not the model's. */
static void write_foreign(const RmilModel *model, const char *prefix, const char *other, const char *path) {
    const guint count = model->layout.tensors->len;
    const float one = 1;
    g_autofree RmilTensor *tensors = g_new0(RmilTensor, count + 1);
    for (guint i = 0; i < count; i++) {
        const RmilParameter *parameter = rmil_parameter_at(&model->layout, (int)i);
        tensors[i] = (RmilTensor){.name = g_strconcat(prefix, parameter->name, NULL),
                                  .dtype = RMIL_DTYPE_F32,
                                  .rank = parameter->rank,
                                  .data = model->parameters + parameter->offset};
        memcpy(tensors[i].shape, parameter->shape, sizeof parameter->shape);
    }
    tensors[count] = (RmilTensor){.name = other, .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {1}, .data = &one};
    const char *metadata[] = {"format", "pt", NULL}; /* as safetensors writes for PyTorch */
    GError *error = NULL;
    g_assert_true(rmil_safetensors_write(path, tensors, other ? count + 1 : count, metadata, &error));
    for (guint i = 0; i < count; i++) g_free((char *)tensors[i].name);
}

static void load_fails(const char *path, const RmilModelConfig *known, RmilErrorCode code, const char *part) {
    GError *error = NULL;
    g_assert_null(rmil_model_load_as(path, known, &error));
    g_assert_nonnull(strstr(error->message, path));
    test_error(&error, code, part);
}

static void test_foreign(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "s.safetensors", NULL);
    GError *error = NULL;
    Case k;
    make_case(&k, "hipt", TWO, 50, FALSE);
    write_foreign(k.model, "", NULL, path);
    check_back(&k, path);
    write_foreign(k.model, "state_dict.module.", "optimizer.step", path);
    check_back(&k, path);
    write_foreign(k.model, "", "optimizer.step", path);
    load_fails(path, &k.model->config, RMIL_ERROR_FORMAT, "it is not a model hipt: it contains 59 tensors, but the model has 58");
    RmilModelConfig other = k.model->config;
    g_assert_true(rmil_model_config_set(&other, "heads", 5, NULL));
    write_foreign(k.model, "", NULL, path);
    load_fails(path, &other, RMIL_ERROR_FORMAT,
               "it is not a model hipt: tensors that determine its sizes are missing, or the sizes "
               "are impossible");
    g_assert_true(rmil_model_config_init(&other, "dsmil", RMIL_GUIDE_RANK, &error));
    load_fails(path, &other, RMIL_ERROR_FORMAT, "it is not a model dsmil");
    write_foreign(k.model, "a.", "b.adaptor.0.weight", path);
    load_fails(path, &k.model->config, RMIL_ERROR_FORMAT, "it contains more than one model:");
    g_assert_true(rmil_model_save(k.model, path, &error));
    load_fails(path, &k.model->config, RMIL_ERROR_ARGUMENT,
               "rankmil wrote it together with its configuration, which cannot be "
               "changed: leave the model's options out");
    g_assert_true(g_file_set_contents(path, "PK\3\4 and nothing", -1, &error));
    load_fails(path, NULL, RMIL_ERROR_FORMAT, path);
    case_clear(&k);
}

/* -- CLAM's own weights ------------------------------------------------------------------------------------------------------- */
/* Weights of a small CLAM under its own names, from a formula (clam-golden.py); inner: "3", or "2" as in models without dropout. */
static void write_clam(const char *path, int branches, const char *inner, const char *prefix) {
    enum { D = 3, L = 5, A = 4 };
    const struct {
        const char *name;
        int rank, start;
        int64_t rows, columns;
    } layers[] = {{"attention_net.0.weight", 2, 0, L, D},
                  {"attention_net.0.bias", 1, 100, L, 1},
                  {"attention_net.N.attention_a.0.weight", 2, 200, A, L},
                  {"attention_net.N.attention_a.0.bias", 1, 300, A, 1},
                  {"attention_net.N.attention_b.0.weight", 2, 400, A, L},
                  {"attention_net.N.attention_b.0.bias", 1, 500, A, 1},
                  {"attention_net.N.attention_c.weight", 2, 600, branches, A},
                  {"attention_net.N.attention_c.bias", 1, 700, branches, 1},
                  {"instance_classifiers.0.weight", 2, 1, 2, L},
                  {"instance_classifiers.0.bias", 1, 2, 2, 1},
                  {"instance_classifiers.1.weight", 2, 3, 2, L},
                  {"instance_classifiers.1.bias", 1, 4, 2, 1},
                  {branches > 1 ? "classifiers.0.weight" : "classifiers.weight", 2, 800, branches > 1 ? 1 : 2, L},
                  {branches > 1 ? "classifiers.0.bias" : "classifiers.bias", 1, 900, branches > 1 ? 1 : 2, 1},
                  {"classifiers.1.weight", 2, 850, 1, L},
                  {"classifiers.1.bias", 1, 901, 1, 1}};
    RmilTensor tensors[G_N_ELEMENTS(layers)];
    const int n = (int)G_N_ELEMENTS(layers) - (branches > 1 ? 0 : 2);
    for (int i = 0; i < n; i++) {
        const int64_t count = layers[i].rows * layers[i].columns;
        float *values = g_new(float, (gsize)count);
        for (int64_t j = 0; j < count; j++) values[j] = (float)sin((double)(layers[i].start + j));
        g_autofree char *name = g_strconcat(prefix, layers[i].name, NULL);
        char *number = strstr(name, ".N.");
        if (number) number[1] = *inner;
        tensors[i] = (RmilTensor){.name = g_strdup(name),
                                  .dtype = RMIL_DTYPE_F32,
                                  .rank = layers[i].rank,
                                  .shape = {layers[i].rows, layers[i].columns},
                                  .data = values};
    }
    const char *metadata[] = {"format", "pt", NULL};
    GError *error = NULL;
    g_assert_true(rmil_safetensors_write(path, tensors, n, metadata, &error));
    for (int i = 0; i < n; i++) {
        g_free((char *)tensors[i].name);
        g_free((void *)tensors[i].data);
    }
}

static void check_clam(const char *path, const char *model, double golden) {
    float features[18];
    RmilBag bag = {.id = (char *)"bag", .count = 6, .dim = 3, .features = features};
    RmilPrediction prediction;
    GError *error = NULL;
    for (int i = 0; i < 18; i++) features[i] = (float)cos(i);
    g_autoptr(RmilModel) read = rmil_model_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(rmil_model_config(read)->model, ==, model);
    g_assert_true(rmil_model_predict(read, &bag, NULL, &prediction, NULL, NULL, &error));
    g_assert_cmpfloat_with_epsilon(prediction.logit, golden, 1e-6);
}

static void test_clam_weights(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "clam.safetensors", NULL);
    static const char *const names[] = {"back.pt", "back.pth", "back.safetensors"};
    for (int branches = 1; branches <= 2; branches++)
        for (int variant = 0; variant < 3; variant++) {
            const char *model = branches > 1 ? "clam-mb" : "clam-sb";
            const double golden = branches > 1 ? -0.170098143 : 1.383852879;
            GError *error = NULL;
            write_clam(path, branches, variant == 1 ? "2" : "3", variant == 2 ? "module." : "");
            check_clam(path, model, golden);
            g_autoptr(RmilModel) read = rmil_model_load(path, &error);
            for (gsize i = 0; i < G_N_ELEMENTS(names); i++) { /* and back under CLAM's names */
                g_autofree char *back = g_build_filename(folder, names[i], NULL);
                g_assert_true(rmil_model_export(read, back, "clam", &error));
                g_assert_no_error(error);
                check_clam(back, model, golden);
                if (i < 2 || variant) continue;
                gsize first_size = 0, second_size = 0;
                g_autofree char *first = NULL, *second = NULL;
                g_assert_true(g_file_get_contents(path, &first, &first_size, NULL) &&
                              g_file_get_contents(back, &second, &second_size, NULL));
                assert_same(first, first_size, second, second_size);
            }
            g_autofree char *ours = g_build_filename(folder, "ours.pth", NULL);
            g_assert_true(rmil_model_export(read, ours, "paper", &error));
            check_clam(ours, model, golden);
        }
    GError *error = NULL;
    Case k;
    make_case(&k, "abmil", TWO, 3, FALSE);
    g_assert_false(rmil_model_export(k.model, path, "clam", &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "CLAM has no model abmil");
    g_assert_false(rmil_model_export(k.model, path, "torch", &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "choose one of paper, clam");
    case_clear(&k);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (const char *const *name = rmil_model_names(); *name; name++) {
        if (rmil_model_class(*name, NULL)->dim) continue; /* a model of pixels: test-cnn.c */
        g_autofree char *format = g_strconcat("/exchange/onnx/", *name, NULL), *peer = g_strconcat("/exchange/peer/", *name, NULL);
        g_test_add_data_func(format, *name, test_file_format);
        g_test_add_data_func(peer, *name, test_peer);
    }
    g_test_add_func("/exchange/state-dict", test_foreign);
    g_test_add_func("/exchange/clam-weights", test_clam_weights);
    return g_test_run();
}
