/* SPDX-License-Identifier: Apache-2.0 */
/* Writing ONNX: only the few fields of onnx.proto (https://github.com/onnx/onnx) named below are needed. Everything is written in a
 * fixed order, so that the same graph gives the same bytes. */
#include "onnx-graph.h"

#include "onnx-tensors.h"
#include "protobuf.h"

#include <stdarg.h>
#include <string.h>

enum { IR_VERSION = 8, OPERATORS = 17 };

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
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2 };

struct _RmilOnnx {
    gconstpointer owner;
    GByteArray *inputs, *outputs; /* fields of the graph */
    GPtrArray *nodes;             /* of GByteArray: NodeProto */
    RmilOnnxTensors *tensors;
    GStringChunk *names;
    GHashTable *known; /* names of tensors that are in the file */
    int values;
};

RmilOnnx *rmil_onnx_new(gconstpointer owner) {
    RmilOnnx *onnx = g_new0(RmilOnnx, 1);
    *onnx = (RmilOnnx){.owner = owner,
                       .inputs = g_byte_array_new(),
                       .outputs = g_byte_array_new(),
                       .nodes = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref),
                       .tensors = rmil_onnx_tensors_new(),
                       .names = g_string_chunk_new(4096),
                       .known = g_hash_table_new(g_str_hash, g_str_equal)};
    return onnx;
}

gconstpointer rmil_onnx_owner(const RmilOnnx *onnx) { return onnx->owner; }

void rmil_onnx_free(RmilOnnx *onnx) {
    if (!onnx) return;
    g_byte_array_unref(onnx->inputs);
    g_byte_array_unref(onnx->outputs);
    g_ptr_array_unref(onnx->nodes);
    rmil_onnx_tensors_free(onnx->tensors);
    g_hash_table_unref(onnx->known);
    g_string_chunk_free(onnx->names);
    g_free(onnx);
}

void rmil_onnx_outside(RmilOnnx *onnx, const char *path) { rmil_onnx_tensors_outside(onnx->tensors, path); }

/* -- values ---------------------------------------------------------------------------------------------------------------- */

static void put_value(GByteArray *out, int field, const char *name, int type, int rank, const RmilOnnxAxis *axes) {
    GByteArray *value = g_byte_array_new(), *kind = g_byte_array_new(), *tensor = g_byte_array_new(), *shape = g_byte_array_new();
    for (int i = 0; i < rank; i++) {
        GByteArray *axis = g_byte_array_new();
        if (axes[i].name) rmil_proto_text(axis, DIM_NAME, axes[i].name);
        else rmil_proto_int(axis, DIM_VALUE, axes[i].size);
        rmil_proto_message(shape, SHAPE_DIM, axis);
    }
    rmil_proto_int(tensor, TENSOR_ELEMENT, type);
    rmil_proto_message(tensor, TENSOR_SHAPE, shape);
    rmil_proto_message(kind, TYPE_TENSOR, tensor);
    rmil_proto_text(value, VALUE_NAME, name);
    rmil_proto_message(value, VALUE_TYPE, kind);
    rmil_proto_message(out, field, value);
}

const char *rmil_onnx_input(RmilOnnx *onnx, const char *name, int type, int rank, const RmilOnnxAxis *axes) {
    put_value(onnx->inputs, GRAPH_INPUT, name, type, rank, axes);
    return g_string_chunk_insert_const(onnx->names, name);
}

/* TRUE: the name is new. */
static gboolean name_tensor(RmilOnnx *onnx, const char **name) {
    *name = g_string_chunk_insert_const(onnx->names, *name);
    return g_hash_table_add(onnx->known, (gpointer)*name);
}

const char *rmil_onnx_tensor(RmilOnnx *onnx, const char *name, int type, int rank, const int64_t *shape, const void *data, gsize size) {
    if (name_tensor(onnx, &name)) rmil_onnx_tensors_add(onnx->tensors, name, type, rank, shape, data, size, NULL);
    return name;
}

const char *rmil_onnx_given(RmilOnnx *onnx, const char *name, int rank, const int64_t *shape, float *values) {
    gsize size = sizeof(float);
    for (int i = 0; i < rank; i++) size *= (gsize)shape[i];
    if (name_tensor(onnx, &name)) rmil_onnx_tensors_add(onnx->tensors, name, RMIL_ONNX_FLOAT, rank, shape, values, size, rmil_free);
    else rmil_free(values);
    return name;
}

/* A small tensor, of which the graph keeps a copy. */
static const char *constant(RmilOnnx *onnx, const char *name, int type, int64_t count, const void *data, gsize size) {
    if (name_tensor(onnx, &name)) rmil_onnx_tensors_add(onnx->tensors, name, type, 1, &count, g_memdup2(data, size), size, g_free);
    return name;
}

const char *rmil_onnx_number(RmilOnnx *onnx, double value) {
    const float number = (float)value;
    g_autofree char *name = g_strdup_printf("number %.9g", value);
    return constant(onnx, name, RMIL_ONNX_FLOAT, 1, &number, sizeof number);
}

const char *rmil_onnx_wholes(RmilOnnx *onnx, int n, const int64_t *values) {
    g_autoptr(GString) name = g_string_new("wholes");
    for (int i = 0; i < n; i++) g_string_append_printf(name, " %" G_GINT64_FORMAT, values[i]);
    return constant(onnx, name->str, RMIL_ONNX_INT64, n, values, (gsize)n * sizeof *values);
}

/* -- nodes ---------------------------------------------------------------------------------------------------------------- */

static GByteArray *last_node(const RmilOnnx *onnx) { return onnx->nodes->pdata[onnx->nodes->len - 1]; }

const char *rmil_onnx_another_output(RmilOnnx *onnx) {
    g_autofree char *name = g_strdup_printf("value %d", ++onnx->values);
    rmil_proto_text(last_node(onnx), NODE_OUTPUT, name);
    return g_string_chunk_insert_const(onnx->names, name);
}

static GByteArray *begin_node(RmilOnnx *onnx, const char *operator) {
    GByteArray *node = g_byte_array_new();
    g_ptr_array_add(onnx->nodes, node);
    g_autofree char *name = g_strdup_printf("%s %u", operator, onnx->nodes->len);
    rmil_proto_text(node, NODE_NAME, name);
    rmil_proto_text(node, NODE_OPERATOR, operator);
    return node;
}

const char *rmil_onnx_node(RmilOnnx *onnx, const char *operator, ...) {
    GByteArray *node = begin_node(onnx, operator);
    va_list inputs;
    va_start(inputs, operator);
    for (const char *input; (input = va_arg(inputs, const char *));) rmil_proto_text(node, NODE_INPUT, input);
    va_end(inputs);
    return rmil_onnx_another_output(onnx);
}

static GByteArray *begin_attribute(const char *name, int type) {
    GByteArray *attribute = g_byte_array_new();
    rmil_proto_text(attribute, ATTRIBUTE_NAME, name);
    rmil_proto_int(attribute, ATTRIBUTE_TYPE, type);
    return attribute;
}

void rmil_onnx_int(RmilOnnx *onnx, const char *name, int64_t value) {
    GByteArray *attribute = begin_attribute(name, TYPE_INT);
    rmil_proto_int(attribute, ATTRIBUTE_INT, value);
    rmil_proto_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

void rmil_onnx_ints(RmilOnnx *onnx, const char *name, int n, const int64_t *values) {
    GByteArray *attribute = begin_attribute(name, TYPE_INTS);
    for (int i = 0; i < n; i++) rmil_proto_int(attribute, ATTRIBUTE_INTS, values[i]);
    rmil_proto_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

void rmil_onnx_float(RmilOnnx *onnx, const char *name, double value) {
    GByteArray *attribute = begin_attribute(name, TYPE_FLOAT);
    rmil_proto_float(attribute, ATTRIBUTE_FLOAT, (float)value);
    rmil_proto_message(last_node(onnx), NODE_ATTRIBUTE, attribute);
}

const char *rmil_onnx_join(RmilOnnx *onnx, const char *const *values, int count, int axis) {
    GByteArray *node = begin_node(onnx, "Concat");
    for (int i = 0; i < count; i++) rmil_proto_text(node, NODE_INPUT, values[i]);
    const char *all = rmil_onnx_another_output(onnx);
    rmil_onnx_int(onnx, "axis", axis);
    return all;
}

void rmil_onnx_output(RmilOnnx *onnx, const char *operator, const char * value, const char *name, int rank, const RmilOnnxAxis *axes) {
    GByteArray *node = begin_node(onnx, operator);
    rmil_proto_text(node, NODE_INPUT, value);
    rmil_proto_text(node, NODE_OUTPUT, name);
    put_value(onnx->outputs, GRAPH_OUTPUT, name, RMIL_ONNX_FLOAT, rank, axes);
}

/* -- the file --------------------------------------------------------------------------------------------------------------- */

/* The part of the graph before its tensors. */
static GByteArray *graph_begin(const RmilOnnx *onnx, const char *name) {
    GByteArray *graph = g_byte_array_new();
    for (guint i = 0; i < onnx->nodes->len; i++) {
        const GByteArray *node = onnx->nodes->pdata[i];
        rmil_proto_bytes(graph, GRAPH_NODE, node->data, node->len);
    }
    rmil_proto_text(graph, GRAPH_NAME, name);
    return graph;
}

static GByteArray *model_end(char *const *metadata) {
    GByteArray *end = g_byte_array_new(), *operators = g_byte_array_new();
    rmil_proto_int(operators, OPERATORS_VERSION, OPERATORS);
    rmil_proto_message(end, MODEL_OPERATORS, operators);
    for (char *const *text = metadata; *text; text += 2) {
        GByteArray *entry = g_byte_array_new();
        rmil_proto_text(entry, ENTRY_KEY, text[0]);
        rmil_proto_text(entry, ENTRY_VALUE, text[1]);
        rmil_proto_message(end, MODEL_METADATA, entry);
    }
    return end;
}

gboolean rmil_onnx_write(RmilOnnx *onnx, const char *path, const char *name, const char *doc, char *const *metadata, GError **error) {
    g_autoptr(GByteArray) model = g_byte_array_new(), begun = graph_begin(onnx, name), end = model_end(metadata);
    rmil_proto_int(model, MODEL_IR_VERSION, IR_VERSION);
    rmil_proto_text(model, MODEL_PRODUCER, "rankmil");
    rmil_proto_text(model, MODEL_PRODUCER_VERSION, RMIL_VERSION);
    rmil_proto_text(model, MODEL_DOC, doc);
    rmil_proto_tag(model, MODEL_GRAPH,
                   (uint64_t)begun->len + rmil_onnx_tensors_bytes(onnx->tensors) + onnx->inputs->len + onnx->outputs->len);
    g_byte_array_append(model, begun->data, begun->len);
    g_byte_array_prepend(end, onnx->outputs->data, onnx->outputs->len);
    g_byte_array_prepend(end, onnx->inputs->data, onnx->inputs->len);
    return rmil_onnx_tensors_write(onnx->tensors, path, model, end, error);
}
