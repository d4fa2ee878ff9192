/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, by oneDNN. */
#include "convolution.h"

#include "winograd.h"

#include <string.h>

struct _RmilLayer {
    dnnl_engine_t engine;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    void *weights, *bias;   /* of a convolution, in its preferred layout; else NULL */
    RmilWinograd *winograd; /* replaces all of oneDNN's, with the output's layout */
    RmilOwnLayout layout;
    RmilLayerInput output;
};

/* -- layers --------------------------------------------------------------------------------------------------------------- */

static RmilLayout layer_layout(const RmilLayer *layer) {
    return layer->winograd ? layer->layout : dnnl_primitive_desc_query_md(layer->description, dnnl_query_dst_md, 0);
}

static RmilOwnLayout activation_layout(const RmilLayerInput *shape, dnnl_format_tag_t tag) {
    const dnnl_dims_t sizes = {shape->batch, shape->channels, shape->side, shape->side};
    return rmil_layout_new(4, sizes, rmil_dnn_type(shape->precision), tag);
}

static gboolean set_after(dnnl_primitive_attr_t attributes, const RmilConvolution *shape, dnnl_data_type_t type) {
    dnnl_post_ops_t operations;
    if (dnnl_post_ops_create(&operations) != dnnl_success) return FALSE;
    gboolean done = (!shape->sum || rmil_append_sum(operations, type) == dnnl_success) &&
                    (!shape->relu || rmil_append_relu(operations) == dnnl_success) &&
                    dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success;
    dnnl_post_ops_destroy(operations);
    return done;
}

/* Plain float32 as an array in the layout that the layer needs. */
static void *convert(dnnl_engine_t engine, dnnl_stream_t stream, RmilLayout plain, const float *values, RmilLayout wanted, GError **error) {
    void *to = rmil_alloc((int64_t)dnnl_memory_desc_get_size(wanted), 1, error);
    if (to && rmil_reorder(engine, stream, plain, values, wanted, to, error)) return to;
    rmil_free(to);
    return NULL;
}

static gboolean describe(RmilLayer *layer, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                         const RmilLayer *onto, GError **error) {
    const dnnl_data_type_t type = rmil_dnn_type(input->precision);
    const dnnl_dims_t weight_sizes = {shape->channels, input->channels, shape->kernel, shape->kernel};
    const dnnl_dims_t bias_sizes = {shape->channels};
    RmilOwnLayout source = from ? NULL : activation_layout(input, dnnl_nchw);
    RmilOwnLayout weights = rmil_layout_new(4, weight_sizes, type, dnnl_format_tag_any);
    RmilOwnLayout bias = rmil_layout_new(1, bias_sizes, dnnl_f32, dnnl_a);
    RmilOwnLayout destination = activation_layout(&layer->output, dnnl_format_tag_any);
    dnnl_primitive_attr_t attributes = rmil_attributes_new();
    gboolean done = (from || source) && weights && bias && destination && attributes && set_after(attributes, shape, type);
    if (!done) rmil_dnn_good(dnnl_out_of_memory, "describing a convolution", error);
    else {
        const RmilConvolutionLayouts layouts = {.source = from ? layer_layout(from) : source,
                                                .weights = weights,
                                                .bias = bias,
                                                .destination = onto ? layer_layout(onto) : destination,
                                                .strides = {shape->stride, shape->stride},
                                                .padding = {shape->padding, shape->padding}};
        const dnnl_status_t status = rmil_describe_convolution(&layer->description, layer->engine, RMIL_FORWARD_INFERENCE, &layouts, NULL,
                                                               attributes);
        done = rmil_dnn_worth(status, layer->description, input->precision, error) &&
               rmil_dnn_good(status, "describing a convolution", error);
    }
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    rmil_layout_free(source);
    rmil_layout_free(weights);
    rmil_layout_free(bias);
    rmil_layout_free(destination);
    return done;
}

static gboolean place_weights(RmilDnn *dnn, RmilLayer *layer, const RmilLayerInput *input, const RmilConvolution *shape,
                              const float *weights, const float *bias, GError **error) {
    const dnnl_dims_t weight_sizes = {shape->channels, input->channels, shape->kernel, shape->kernel};
    const dnnl_dims_t bias_sizes = {shape->channels};
    RmilOwnLayout plain_weights = rmil_layout_new(4, weight_sizes, dnnl_f32, dnnl_oihw);
    RmilOwnLayout plain_bias = rmil_layout_new(1, bias_sizes, dnnl_f32, dnnl_a);
    g_autoptr(RmilStream) stream = rmil_stream_new(dnn, error);
    if (!plain_weights || !plain_bias) {
        rmil_dnn_good(dnnl_out_of_memory, "describing weights", error);
    } else if (stream) {
        RmilLayout wanted = dnnl_primitive_desc_query_md(layer->description, dnnl_query_weights_md, 0);
        layer->weights = convert(layer->engine, stream->stream, plain_weights, weights, wanted, error);
        if (layer->weights) layer->bias = convert(layer->engine, stream->stream, plain_bias, bias, plain_bias, error);
    }
    rmil_layout_free(plain_weights);
    rmil_layout_free(plain_bias);
    return layer->bias != NULL;
}

/* Uses Winograd's method if it applies: float32, 3 × 3 at stride 1, after a layer whose channels are in blocks of 8 or 16 or all together.
 * FALSE without error: it does not apply. */
static gboolean place_winograd(RmilLayer *layer, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                               const float *weights, const float *bias, GError **error) {
    if (!from || input->precision != RMIL_FLOAT32 || shape->kernel != 3 || shape->stride != 1 || shape->padding != 1 || shape->sum)
        return FALSE;
    const dnnl_format_tag_t tags[] = {dnnl_nChw8c, dnnl_nChw16c, dnnl_nhwc};
    const int64_t blocks[] = {8, 16, input->channels};
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        const int64_t block = blocks[i];
        if (input->channels % block || shape->channels % block || block % 8) continue;
        RmilOwnLayout source = activation_layout(input, tags[i]);
        gboolean fits = source && dnnl_memory_desc_equal(source, layer_layout(from));
        rmil_layout_free(source);
        if (!fits) continue;
        if (!(layer->layout = activation_layout(&layer->output, tags[i]))) return rmil_dnn_good(dnnl_out_of_memory, "a layout", error);
        layer->winograd = rmil_winograd_new(input->batch, input->channels, shape->channels, input->side, block, weights, bias, shape->relu,
                                            error);
        return layer->winograd != NULL;
    }
    return FALSE;
}

RmilLayer *rmil_layer_convolution(RmilDnn *dnn, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                                  const float *weights, const float *bias, const RmilLayer *onto, GError **error) {
    g_autoptr(RmilLayer) layer = g_new0(RmilLayer, 1);
    layer->engine = dnn->engine;
    layer->output = (RmilLayerInput){.batch = input->batch,
                                     .channels = shape->channels,
                                     .precision = input->precision,
                                     .side = (input->side + 2 * shape->padding - shape->kernel) / shape->stride + 1};
    GError *failed = NULL;
    if (place_winograd(layer, input, from, shape, weights, bias, &failed)) return g_steal_pointer(&layer);
    if (failed) {
        g_propagate_error(error, failed);
        return NULL;
    }
    if (!describe(layer, input, from, shape, onto, error) || !place_weights(dnn, layer, input, shape, weights, bias, error) ||
        !rmil_dnn_good(dnnl_primitive_create(&layer->primitive, layer->description), "making a convolution", error))
        return NULL;
    return g_steal_pointer(&layer);
}

RmilLayer *rmil_layer_pool(RmilDnn *dnn, const RmilLayer *from, GError **error) {
    g_autoptr(RmilLayer) layer = g_new0(RmilLayer, 1);
    layer->engine = dnn->engine;
    layer->output = from->output;
    layer->output.side = (from->output.side - 1) / 2 + 1;
    RmilOwnLayout destination = activation_layout(&layer->output, dnnl_format_tag_any);
    dnnl_primitive_attr_t attributes = rmil_attributes_new();
    gboolean done = destination && attributes &&
                    rmil_dnn_good(rmil_describe_pool(&layer->description, layer->engine, layer_layout(from), destination, attributes),
                                  "describing a pooling", error) &&
                    rmil_dnn_good(dnnl_primitive_create(&layer->primitive, layer->description), "making a pooling", error);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    rmil_layout_free(destination);
    return done ? g_steal_pointer(&layer) : NULL;
}

RmilLayer *rmil_layer_plain(RmilDnn *dnn, const RmilLayer *from, GError **error) {
    g_autoptr(RmilLayer) layer = g_new0(RmilLayer, 1);
    layer->engine = dnn->engine;
    layer->output = from->output;
    layer->output.precision = RMIL_FLOAT32;
    RmilOwnLayout destination = activation_layout(&layer->output, dnnl_nchw);
    dnnl_primitive_attr_t attributes = rmil_attributes_new();
    gboolean done = destination && attributes &&
                    rmil_dnn_good(dnnl_reorder_primitive_desc_create(&layer->description, layer_layout(from), layer->engine, destination,
                                                                     layer->engine, attributes),
                                  "describing an order", error) &&
                    rmil_dnn_good(dnnl_primitive_create(&layer->primitive, layer->description), "making an order", error);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    rmil_layout_free(destination);
    return done ? g_steal_pointer(&layer) : NULL;
}

void rmil_layer_free(RmilLayer *layer) {
    if (!layer) return;
    if (layer->primitive) dnnl_primitive_destroy(layer->primitive);
    if (layer->description) dnnl_primitive_desc_destroy(layer->description);
    rmil_free(layer->weights);
    rmil_free(layer->bias);
    rmil_winograd_free(layer->winograd);
    rmil_layout_free(layer->layout);
    g_free(layer);
}

void rmil_layer_output(const RmilLayer *layer, RmilLayerInput *output) { *output = layer->output; }

size_t rmil_layer_bytes(const RmilLayer *layer) { return dnnl_memory_desc_get_size(layer_layout(layer)); }

size_t rmil_layer_scratch(const RmilLayer *layer) {
    if (layer->winograd) return rmil_winograd_scratch(layer->winograd);
    RmilLayout scratch = dnnl_primitive_desc_query_md(layer->description, dnnl_query_scratchpad_md, 0);
    return scratch ? dnnl_memory_desc_get_size(scratch) : 0;
}

gboolean rmil_layer_run(const RmilLayer *layer, RmilStream *stream, const void *source, void *destination, void *scratch, GError **error) {
    if (layer->winograd) return rmil_winograd_run(layer->winograd, source, destination, scratch, error);
    const RmilArgument arguments[] = {
        {DNNL_ARG_SRC, dnnl_primitive_desc_query_md(layer->description, dnnl_query_src_md, 0), source},
        {DNNL_ARG_DST, layer_layout(layer), destination},
        {DNNL_ARG_SCRATCHPAD, dnnl_primitive_desc_query_md(layer->description, dnnl_query_scratchpad_md, 0), scratch},
        {DNNL_ARG_WEIGHTS, dnnl_primitive_desc_query_md(layer->description, dnnl_query_weights_md, 0), layer->weights},
        {DNNL_ARG_BIAS, dnnl_primitive_desc_query_md(layer->description, dnnl_query_weights_md, 1), layer->bias}};
    return rmil_execute(layer->primitive, layer->engine, stream->stream, arguments, layer->weights ? 5 : 3, "running a layer", error);
}
