/* SPDX-License-Identifier: Apache-2.0 */
/* Writing ONNX. The file is one protocol-buffers message; of onnx.proto (https://github.com/onnx/onnx) only the few fields
 * named below are needed, and of the wire format only whole numbers and byte strings, so that a dozen lines stand in for a
 * library and a generated parser. Everything is written in a fixed order: the same model gives the same bytes. */
#include "onnx.h"

#include "modelfile.h"

#include <stdarg.h>
#include <string.h>

enum { IR_VERSION = 8, OPERATORS = 17, FLOAT = RMIL_ONNX_FLOAT, INT64 = 7, DOUBLE = 11 };

/* Protocol buffers end at 2 GiB; what is not weights stays far below the rest. */
#define MOST_BYTES ((INT64_C(1) << 31) - (INT64_C(1) << 24))

/* Fields of the messages. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_DOC = 6,
    MODEL_GRAPH = 7,
    MODEL_OPERATORS = 8,
    MODEL_METADATA = 14
};
enum { OPERATORS_VERSION = 2 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2 };

struct _RmilOnnx {
    const RmilModel *model;
    GByteArray *inputs, *outputs, *initializers; /* fields of the graph */
    GPtrArray *nodes;                            /* of GByteArray: NodeProto */
    GStringChunk *names;
    GHashTable *known; /* names of parameters and constants that are in the file */
    int values;
};

/* -- protocol buffers ----------------------------------------------------------------------------------------------------- */
static void put_varint(GByteArray *out, uint64_t value) {
    guint8 bytes[10];
    guint n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (guint8)(value | 0x80);
    bytes[n++] = (guint8)value;
    g_byte_array_append(out, bytes, n);
}

static void put_int(GByteArray *out, int field, int64_t value) {
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, (uint64_t)value);
}

static void put_bytes(GByteArray *out, int field, const void *data, gsize size) {
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, size);
    g_byte_array_append(out, data, (guint)size);
}

static void put_text(GByteArray *out, int field, const char *text) { put_bytes(out, field, text, strlen(text)); }

/* Takes `message` over. */
static void put_message(GByteArray *out, int field, GByteArray *message) {
    put_bytes(out, field, message->data, message->len);
    g_byte_array_unref(message);
}

/* -- values ---------------------------------------------------------------------------------------------------------------- */
/* Axes that are no sizes: K, the number of patches, and S, the side of a tile. */
enum { PATCHES = -1, SIDE = -2 };

static void put_value(GByteArray *out, int field, const char *name, int type, int rank, const int64_t *axes) {
    GByteArray *value = g_byte_array_new(), *kind = g_byte_array_new(), *tensor = g_byte_array_new(), *shape = g_byte_array_new();
    for (int i = 0; i < rank; i++) {
        GByteArray *axis = g_byte_array_new();
        if (axes[i] < 0) put_text(axis, DIM_NAME, axes[i] == SIDE ? "side" : "patches");
        else put_int(axis, DIM_VALUE, axes[i]);
        put_message(shape, SHAPE_DIM, axis);
    }
    put_int(tensor, TENSOR_ELEMENT, type);
    put_message(tensor, TENSOR_SHAPE, shape);
    put_message(kind, TYPE_TENSOR, tensor);
    put_text(value, VALUE_NAME, name);
    put_message(value, VALUE_TYPE, kind);
    put_message(out, field, value);
}

const char *rmil_onnx_features(RmilOnnx *onnx) {
    put_value(onnx->inputs, GRAPH_INPUT, "features", FLOAT, 2, (const int64_t[]){PATCHES, onnx->model->config.dim});
    return "features";
}

void rmil_onnx_places(RmilOnnx *onnx, const char **coords, const char **tile_size) {
    put_value(onnx->inputs, GRAPH_INPUT, *coords = "coords", INT64, 2, (const int64_t[]){PATCHES, 2});
    put_value(onnx->inputs, GRAPH_INPUT, *tile_size = "tile_size", DOUBLE, 1, (const int64_t[]){1});
}

const char *rmil_onnx_tiles(RmilOnnx *onnx) {
    put_value(onnx->inputs, GRAPH_INPUT, "tiles", FLOAT, 4, (const int64_t[]){PATCHES, 3, SIDE, SIDE});
    return "tiles";
}

static const char *add_initializer(RmilOnnx *onnx, const char *name, int type, int rank, const int64_t *shape, const void *data,
                                   gsize size) {
    if (!g_hash_table_add(onnx->known, (gpointer)(name = g_string_chunk_insert_const(onnx->names, name)))) return name;
    GByteArray *tensor = g_byte_array_new();
    for (int i = 0; i < rank; i++) put_int(tensor, TENSOR_DIM, shape[i]);
    put_int(tensor, TENSOR_TYPE, type);
    put_text(tensor, TENSOR_NAME, name);
    put_bytes(tensor, TENSOR_RAW, data, size);
    put_message(onnx->initializers, GRAPH_INITIALIZER, tensor);
    return name;
}

const char *rmil_onnx_parameter(RmilOnnx *onnx, const char *name, ...) {
    va_list arguments;
    va_start(arguments, name);
    g_autofree char *full = g_strdup_vprintf(name, arguments);
    va_end(arguments);
    const RmilParameterLayout *layout = &onnx->model->layout;
    for (guint i = 0; i < layout->tensors->len; i++) {
        const RmilParameter *parameter = rmil_parameter_at(layout, (int)i);
        if (strcmp(parameter->name, full) == 0)
            return add_initializer(onnx, full, FLOAT, parameter->rank, parameter->shape, onnx->model->parameters + parameter->offset,
                                   (gsize)parameter->count * sizeof(float));
    }
    g_assert_not_reached(); /* graphs name the tensors of their own layout */
}

const char *rmil_onnx_number(RmilOnnx *onnx, double value) {
    const float number = (float)value;
    g_autofree char *name = g_strdup_printf("number %.9g", value);
    return add_initializer(onnx, name, FLOAT, 1, (const int64_t[]){1}, &number, sizeof number);
}

const char *rmil_onnx_wholes(RmilOnnx *onnx, int n, const int64_t *values) {
    g_autoptr(GString) name = g_string_new("wholes");
    for (int i = 0; i < n; i++) g_string_append_printf(name, " %" G_GINT64_FORMAT, values[i]);
    return add_initializer(onnx, name->str, INT64, 1, (const int64_t[]){n}, values, (gsize)n * sizeof *values);
}

/* -- nodes ---------------------------------------------------------------------------------------------------------------- */
static GByteArray *last_node(const RmilOnnx *onnx) { return onnx->nodes->pdata[onnx->nodes->len - 1]; }

const char *rmil_onnx_another_output(RmilOnnx *onnx) {
    g_autofree char *name = g_strdup_printf("value %d", ++onnx->values);
    put_text(last_node(onnx), NODE_OUTPUT, name);
    return g_string_chunk_insert_const(onnx->names, name);
}

static GByteArray *begin_node(RmilOnnx *onnx, const char *operator) {
    GByteArray *node = g_byte_array_new();
    g_ptr_array_add(onnx->nodes, node);
    g_autofree char *name = g_strdup_printf("%s %u", operator, onnx->nodes->len);
    put_text(node, NODE_NAME, name);
    put_text(node, NODE_OPERATOR, operator);
    return node;
}

const char *rmil_onnx_node(RmilOnnx *onnx, const char *operator, ...) {
    GByteArray *node = begin_node(onnx, operator);
    va_list inputs;
    va_start(inputs, operator);
    for (const char *input; (input = va_arg(inputs, const char *));) put_text(node, NODE_INPUT, input);
    va_end(inputs);
    return rmil_onnx_another_output(onnx);
}

static GByteArray *begin_attribute(const char *name, int type) {
    GByteArray *attribute = g_byte_array_new();
    put_text(attribute, ATTRIBUTE_NAME, name);
    put_int(attribute, ATTRIBUTE_TYPE, type);
    return attribute;
}

void rmil_onnx_int(RmilOnnx *onnx, const char *name, int64_t value) {
    GByteArray *attribute = begin_attribute(name, TYPE_INT);
    put_int(attribute, ATTRIBUTE_INT, value);
    put_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

void rmil_onnx_ints(RmilOnnx *onnx, const char *name, int n, const int64_t *values) {
    GByteArray *attribute = begin_attribute(name, TYPE_INTS);
    for (int i = 0; i < n; i++) put_int(attribute, ATTRIBUTE_INTS, values[i]);
    put_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

void rmil_onnx_float(RmilOnnx *onnx, const char *name, double value) {
    const float number = (float)value;
    GByteArray *attribute = begin_attribute(name, TYPE_FLOAT);
    put_varint(attribute, ATTRIBUTE_FLOAT << 3 | 5);
    g_byte_array_append(attribute, (const guint8 *)&number, sizeof number);
    put_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

const char *rmil_onnx_stack(RmilOnnx *onnx, const char *const *values, int count) {
    GByteArray *node = begin_node(onnx, "Concat");
    for (int i = 0; i < count; i++) put_text(node, NODE_INPUT, values[i]);
    const char *all = rmil_onnx_another_output(onnx);
    rmil_onnx_int(onnx, "axis", 0);
    return all;
}

/* -- the file --------------------------------------------------------------------------------------------------------------- */
static void add_output(RmilOnnx *onnx, const char *operator, const char * value, const char *name, int rank, const int64_t *axes) {
    GByteArray *node = begin_node(onnx, operator);
    put_text(node, NODE_INPUT, value);
    put_text(node, NODE_OUTPUT, name);
    put_value(onnx->outputs, GRAPH_OUTPUT, name, FLOAT, rank, axes);
}

/* S_b = Π_{l ≤ b} (1 − sigmoid(z_l)) = exp(−Σ_{l ≤ b} softplus(z_l)), and the risk −Σ S. */
static void add_survival(RmilOnnx *onnx, const char *logits, int64_t bins) {
    const int64_t first = 0;
    const char *axis = add_initializer(onnx, "axis 0", INT64, 0, NULL, &first, sizeof first);
    const char *hazard = rmil_onnx_node(onnx, "CumSum", rmil_onnx_node(onnx, "Softplus", logits, NULL), axis, NULL);
    const char *survival = rmil_onnx_node(onnx, "Exp", rmil_onnx_node(onnx, "Neg", hazard, NULL), NULL);
    add_output(onnx, "Identity", survival, "survival", 1, &bins);
    add_output(onnx, "Neg", rmil_onnx_node(onnx, "ReduceSum", survival, NULL), "risk", 1, &(const int64_t){1});
}

/* What the model says, by its task. */
static void add_answer(RmilOnnx *onnx, const char *logits) {
    const RmilModelConfig *config = &onnx->model->config;
    const int64_t count = rmil_model_outputs(config), one = 1;
    if (config->task.kind == RMIL_TASK_NUMBER) {
        const char *scaled = rmil_onnx_node(onnx, "Mul", logits, rmil_onnx_number(onnx, config->sd), NULL);
        add_output(onnx, "Identity", rmil_onnx_node(onnx, "Add", scaled, rmil_onnx_number(onnx, config->mean), NULL), "value", 1, &one);
    } else if (config->task.kind == RMIL_TASK_SURVIVAL && count > 1) {
        add_survival(onnx, logits, count);
    } else if (config->task.kind == RMIL_TASK_SURVIVAL) {
        add_output(onnx, "Identity", logits, "risk", 1, &one);
    } else if (config->task.classes == 2) {
        add_output(onnx, "Sigmoid", logits, "probability", 1, &one);
        add_output(onnx, "Identity", logits, "logit", 1, &one);
    } else {
        add_output(onnx, "Softmax", logits, "probabilities", 1, &count);
        rmil_onnx_int(onnx, "axis", 0);
        add_output(onnx, "Identity", logits, "logits", 1, &count);
    }
}

void rmil_onnx_outputs(RmilOnnx *onnx, const char *logits, const char *scores, const char *attention) {
    const RmilModelConfig *config = &onnx->model->config;
    const int64_t rows = config->task.classes == 2 ? 1 : rmil_model_config_rows(config), axes[] = {rows, PATCHES};
    add_answer(onnx, logits);
    add_output(onnx, "Identity", attention, "attention", rows > 1 ? 2 : 1, rows > 1 ? axes : axes + 1);
    add_output(onnx, "Identity", scores, "scores", rows > 1 ? 2 : 1, rows > 1 ? axes : axes + 1);
}

static GByteArray *graph_message(const RmilOnnx *onnx) {
    GByteArray *graph = g_byte_array_new();
    for (guint i = 0; i < onnx->nodes->len; i++) {
        const GByteArray *node = onnx->nodes->pdata[i];
        put_bytes(graph, GRAPH_NODE, node->data, node->len);
    }
    put_text(graph, GRAPH_NAME, onnx->model->config.model);
    g_byte_array_append(graph, onnx->initializers->data, onnx->initializers->len);
    g_byte_array_append(graph, onnx->inputs->data, onnx->inputs->len);
    g_byte_array_append(graph, onnx->outputs->data, onnx->outputs->len);
    return graph;
}

static GByteArray *model_message(const RmilOnnx *onnx) {
    GByteArray *model = g_byte_array_new(), *operators = g_byte_array_new();
    put_int(model, MODEL_IR_VERSION, IR_VERSION);
    put_text(model, MODEL_PRODUCER, "rankmil");
    put_text(model, MODEL_PRODUCER_VERSION, RMIL_VERSION);
    put_text(model, MODEL_DOC,
             onnx->model->config.task.classes == 2
                 ? "Multiple instance learning: one slide's patches in, its probability and their attention out."
                 : "Multiple instance learning: one slide's patches in, what is predicted of it and their attention out.");
    put_message(model, MODEL_GRAPH, graph_message(onnx));
    put_int(operators, OPERATORS_VERSION, OPERATORS);
    put_message(model, MODEL_OPERATORS, operators);
    g_auto(GStrv) metadata = rmil_model_config_text(&onnx->model->config);
    for (char **text = metadata; *text; text += 2) {
        GByteArray *entry = g_byte_array_new();
        put_text(entry, ENTRY_KEY, text[0]);
        put_text(entry, ENTRY_VALUE, text[1]);
        put_message(model, MODEL_METADATA, entry);
    }
    return model;
}

gboolean rmil_model_onnx_write(const RmilModel *model, const char *path, GError **error) {
    if (model->layout.count > MOST_BYTES / (int64_t)sizeof(float))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the model's weights are larger than the 2 GiB that an ONNX file can hold", path);
    RmilOnnx onnx = {.model = model,
                     .inputs = g_byte_array_new(),
                     .outputs = g_byte_array_new(),
                     .initializers = g_byte_array_new(),
                     .nodes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref),
                     .names = g_string_chunk_new(4096),
                     .known = g_hash_table_new(g_str_hash, g_str_equal)};
    model->class->onnx(&model->config, &onnx);
    g_autoptr(GByteArray) file = model_message(&onnx);
    g_byte_array_unref(onnx.inputs);
    g_byte_array_unref(onnx.outputs);
    g_byte_array_unref(onnx.initializers);
    g_ptr_array_unref(onnx.nodes);
    g_hash_table_unref(onnx.known);
    g_string_chunk_free(onnx.names);
    return rmil_file_write(path, file->data, file->len, error);
}
