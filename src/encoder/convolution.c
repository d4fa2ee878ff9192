/* Convolutions, by oneDNN. */
#include "convolution.h"

#include "winograd.h"

#include <dnnl.h>
#include <string.h>

/* A description of memory: version 2 has a plain struct, version 3 an opaque object; both are passed by pointer. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t OwnedLayout;
typedef const_dnnl_memory_desc_t Layout;
#else
typedef dnnl_memory_desc_t *OwnedLayout;
typedef const dnnl_memory_desc_t *Layout;
#endif

struct _RmilDnn {
    dnnl_engine_t engine;
};

struct _RmilStream {
    dnnl_stream_t stream;
};

struct _RmilLayer {
    dnnl_engine_t engine;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t weights, bias; /* of a convolution, else NULL */
    RmilWinograd *winograd;      /* instead of all of oneDNN's, with the output's layout */
    OwnedLayout layout;
    RmilLayerInput output;
};

static gboolean good(dnnl_status_t status, const char *what, GError **error) {
    if (status == dnnl_success) return TRUE;
    rmil_fail(error, status == dnnl_out_of_memory ? RMIL_ERROR_MEMORY : RMIL_ERROR_DATA, "oneDNN: %s failed (status %d)", what,
              (int)status);
    return FALSE;
}

RmilDnn *rmil_dnn_new(GError **error) {
    RmilDnn *dnn = g_new0(RmilDnn, 1);
    if (good(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "opening the processor", error)) return dnn;
    g_free(dnn);
    return NULL;
}

void rmil_dnn_free(RmilDnn *dnn) {
    if (!dnn) return;
    dnnl_engine_destroy(dnn->engine);
    g_free(dnn);
}

RmilStream *rmil_stream_new(RmilDnn *dnn, GError **error) {
    RmilStream *stream = g_new0(RmilStream, 1);
    if (good(dnnl_stream_create(&stream->stream, dnn->engine, dnnl_stream_default_flags), "making a stream", error)) return stream;
    g_free(stream);
    return NULL;
}

void rmil_stream_free(RmilStream *stream) {
    if (!stream) return;
    dnnl_stream_destroy(stream->stream);
    g_free(stream);
}

/* -- what differs between the versions ---------------------------------------------------------------------------------- */

static OwnedLayout layout_new(int rank, const dnnl_dims_t sizes, dnnl_data_type_t type, dnnl_format_tag_t tag) {
#if DNNL_VERSION_MAJOR >= 3
    OwnedLayout layout;
    return dnnl_memory_desc_create_with_tag(&layout, rank, sizes, type, tag) == dnnl_success ? layout : NULL;
#else
    OwnedLayout layout = g_new0(dnnl_memory_desc_t, 1);
    if (dnnl_memory_desc_init_by_tag(layout, rank, sizes, type, tag) == dnnl_success) return layout;
    g_free(layout);
    return NULL;
#endif
}

static void layout_free(OwnedLayout layout) {
    if (!layout) return;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(layout);
#else
    g_free(layout);
#endif
}

static dnnl_status_t append_sum(dnnl_post_ops_t operations, dnnl_data_type_t type) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(operations, 1, 0, type);
#else
    return dnnl_post_ops_append_sum_v2(operations, 1, type);
#endif
}

static dnnl_status_t append_relu(dnnl_post_ops_t operations) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_relu, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

static dnnl_status_t describe_convolution(dnnl_primitive_desc_t *description, dnnl_engine_t engine, Layout source, Layout weights,
                                          Layout bias, Layout destination, const dnnl_dims_t strides, const dnnl_dims_t padding,
                                          const_dnnl_primitive_attr_t attributes) {
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilation = {0, 0};
    return dnnl_convolution_forward_primitive_desc_create(description, engine, dnnl_forward_inference, dnnl_convolution_direct, source,
                                                          weights, bias, destination, strides, dilation, padding, padding, attributes);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference, dnnl_convolution_direct, source, weights,
                                                              bias, destination, strides, padding, padding);
    return status == dnnl_success ? dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL) : status;
#endif
}

static dnnl_status_t describe_pool(dnnl_primitive_desc_t *description, dnnl_engine_t engine, Layout source, Layout destination,
                                   const_dnnl_primitive_attr_t attributes) {
    const dnnl_dims_t strides = {2, 2}, kernel = {3, 3}, before = {1, 1}, after = {1, 1};
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilation = {0, 0};
    return dnnl_pooling_forward_primitive_desc_create(description, engine, dnnl_forward_inference, dnnl_pooling_max, source, destination,
                                                      strides, kernel, dilation, before, after, attributes);
#else
    dnnl_pooling_desc_t operation;
    dnnl_status_t status = dnnl_pooling_forward_desc_init(&operation, dnnl_forward_inference, dnnl_pooling_max, source, destination,
                                                          strides, kernel, before, after);
    return status == dnnl_success ? dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL) : status;
#endif
}

/* -- layers --------------------------------------------------------------------------------------------------------------- */

static dnnl_data_type_t data_type(RmilPrecision precision) { return precision == RMIL_BFLOAT16 ? dnnl_bf16 : dnnl_f32; }

static Layout layer_layout(const RmilLayer *layer) {
    return layer->winograd ? layer->layout : dnnl_primitive_desc_query_md(layer->description, dnnl_query_dst_md, 0);
}

static OwnedLayout activation_layout(const RmilLayerInput *shape, dnnl_format_tag_t tag) {
    const dnnl_dims_t sizes = {shape->batch, shape->channels, shape->side, shape->side};
    return layout_new(4, sizes, data_type(shape->precision), tag);
}

/* Working memory is the caller's, so that a layer can run in many threads. */
static dnnl_primitive_attr_t attributes_new(void) {
    dnnl_primitive_attr_t attributes;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    if (dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success) return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

static gboolean set_after(dnnl_primitive_attr_t attributes, const RmilConvolution *shape, dnnl_data_type_t type) {
    dnnl_post_ops_t operations;
    if (dnnl_post_ops_create(&operations) != dnnl_success) return FALSE;
    gboolean done = (!shape->sum || append_sum(operations, type) == dnnl_success) &&
                    (!shape->relu || append_relu(operations) == dnnl_success) &&
                    dnnl_primitive_attr_set_post_ops(attributes, operations) == dnnl_success;
    dnnl_post_ops_destroy(operations);
    return done;
}

/* Copies plain float32 into memory of the layout that the layer wants. */
static dnnl_memory_t convert(dnnl_engine_t engine, Layout plain, const float *values, Layout wanted, GError **error) {
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    gboolean done = good(dnnl_memory_create(&from, plain, engine, (void *)values), "describing weights", error) &&
                    good(dnnl_memory_create(&to, wanted, engine, DNNL_MEMORY_ALLOCATE), "memory for weights", error) &&
                    good(dnnl_reorder_primitive_desc_create(&description, plain, engine, wanted, engine, NULL), "ordering weights",
                         error) &&
                    good(dnnl_primitive_create(&reorder, description), "ordering weights", error) &&
                    good(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "making a stream", error);
    if (done) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        done = good(dnnl_primitive_execute(reorder, stream, 2, arguments), "ordering weights", error) &&
               good(dnnl_stream_wait(stream), "ordering weights", error);
    }
    if (stream) dnnl_stream_destroy(stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    if (from) dnnl_memory_destroy(from);
    if (!done && to) dnnl_memory_destroy(to);
    return done ? to : NULL;
}

/* oneDNN's implementation, "jit:avx2" … */
static const char *layer_name(const RmilLayer *layer) {
    const char *name = "winograd";
    if (!layer->winograd) dnnl_primitive_desc_query(layer->description, dnnl_query_impl_info_str, 0, &name);
    return name ? name : "";
}

static gboolean describe(RmilLayer *layer, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                         const RmilLayer *onto, GError **error) {
    const dnnl_data_type_t type = data_type(input->precision);
    const dnnl_dims_t weight_sizes = {shape->channels, input->channels, shape->kernel, shape->kernel};
    const dnnl_dims_t bias_sizes = {shape->channels}, strides = {shape->stride, shape->stride};
    const dnnl_dims_t padding = {shape->padding, shape->padding};
    OwnedLayout source = from ? NULL : activation_layout(input, dnnl_nchw);
    OwnedLayout weights = layout_new(4, weight_sizes, type, dnnl_format_tag_any);
    OwnedLayout bias = layout_new(1, bias_sizes, dnnl_f32, dnnl_a);
    OwnedLayout destination = activation_layout(&layer->output, dnnl_format_tag_any);
    dnnl_primitive_attr_t attributes = attributes_new();
    gboolean done = (from || source) && weights && bias && destination && attributes && set_after(attributes, shape, type);
    if (!done) good(dnnl_out_of_memory, "describing a convolution", error);
    else {
        dnnl_status_t status = describe_convolution(&layer->description, layer->engine, from ? layer_layout(from) : source, weights, bias,
                                                    onto ? layer_layout(onto) : destination, strides, padding, attributes);
        /* version 2 has slow reference code for every precision; version 3 may have none */
        if (input->precision == RMIL_BFLOAT16 &&
            (status == dnnl_unimplemented || (status == dnnl_success && strstr(layer_name(layer), "ref"))))
            done = rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "this processor has no bfloat16 convolutions (AVX-512 is needed); use "
                             "float32");
        else done = good(status, "describing a convolution", error);
    }
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    layout_free(source);
    layout_free(weights);
    layout_free(bias);
    layout_free(destination);
    return done;
}

static gboolean place_weights(RmilLayer *layer, const RmilLayerInput *input, const RmilConvolution *shape, const float *weights,
                              const float *bias, GError **error) {
    const dnnl_dims_t weight_sizes = {shape->channels, input->channels, shape->kernel, shape->kernel};
    const dnnl_dims_t bias_sizes = {shape->channels};
    OwnedLayout plain_weights = layout_new(4, weight_sizes, dnnl_f32, dnnl_oihw);
    OwnedLayout plain_bias = layout_new(1, bias_sizes, dnnl_f32, dnnl_a);
    if (!plain_weights || !plain_bias) {
        good(dnnl_out_of_memory, "describing weights", error);
    } else {
        Layout wanted = dnnl_primitive_desc_query_md(layer->description, dnnl_query_weights_md, 0);
        layer->weights = convert(layer->engine, plain_weights, weights, wanted, error);
        if (layer->weights) layer->bias = convert(layer->engine, plain_bias, bias, plain_bias, error);
    }
    layout_free(plain_weights);
    layout_free(plain_bias);
    return layer->bias != NULL;
}

/* Takes Winograd's way where it is one: float32, 3 × 3 at stride 1, after a layer whose channels lie in blocks of 8 or 16
 * or all together. FALSE with no error: not here. */
static gboolean place_winograd(RmilLayer *layer, const RmilLayerInput *input, const RmilLayer *from, const RmilConvolution *shape,
                               const float *weights, const float *bias, GError **error) {
    if (!from || input->precision != RMIL_FLOAT32 || shape->kernel != 3 || shape->stride != 1 || shape->padding != 1 || shape->sum)
        return FALSE;
    const dnnl_format_tag_t tags[] = {dnnl_nChw8c, dnnl_nChw16c, dnnl_nhwc};
    const int64_t blocks[] = {8, 16, input->channels};
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        const int64_t block = blocks[i];
        if (input->channels % block || shape->channels % block || block % 8) continue;
        OwnedLayout source = activation_layout(input, tags[i]);
        gboolean fits = source && dnnl_memory_desc_equal(source, layer_layout(from));
        layout_free(source);
        if (!fits) continue;
        if (!(layer->layout = activation_layout(&layer->output, tags[i]))) return good(dnnl_out_of_memory, "a layout", error);
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
    if (!describe(layer, input, from, shape, onto, error) || !place_weights(layer, input, shape, weights, bias, error) ||
        !good(dnnl_primitive_create(&layer->primitive, layer->description), "making a convolution", error))
        return NULL;
    return g_steal_pointer(&layer);
}

RmilLayer *rmil_layer_pool(RmilDnn *dnn, const RmilLayer *from, GError **error) {
    g_autoptr(RmilLayer) layer = g_new0(RmilLayer, 1);
    layer->engine = dnn->engine;
    layer->output = from->output;
    layer->output.side = (from->output.side - 1) / 2 + 1;
    OwnedLayout destination = activation_layout(&layer->output, dnnl_format_tag_any);
    dnnl_primitive_attr_t attributes = attributes_new();
    gboolean done = destination && attributes &&
                    good(describe_pool(&layer->description, layer->engine, layer_layout(from), destination, attributes),
                         "describing a pooling", error) &&
                    good(dnnl_primitive_create(&layer->primitive, layer->description), "making a pooling", error);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    layout_free(destination);
    return done ? g_steal_pointer(&layer) : NULL;
}

RmilLayer *rmil_layer_plain(RmilDnn *dnn, const RmilLayer *from, GError **error) {
    g_autoptr(RmilLayer) layer = g_new0(RmilLayer, 1);
    layer->engine = dnn->engine;
    layer->output = from->output;
    layer->output.precision = RMIL_FLOAT32;
    OwnedLayout destination = activation_layout(&layer->output, dnnl_nchw);
    dnnl_primitive_attr_t attributes = attributes_new();
    gboolean done = destination && attributes &&
                    good(dnnl_reorder_primitive_desc_create(&layer->description, layer_layout(from), layer->engine, destination,
                                                            layer->engine, attributes),
                         "describing an order", error) &&
                    good(dnnl_primitive_create(&layer->primitive, layer->description), "making an order", error);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    layout_free(destination);
    return done ? g_steal_pointer(&layer) : NULL;
}

void rmil_layer_free(RmilLayer *layer) {
    if (!layer) return;
    if (layer->primitive) dnnl_primitive_destroy(layer->primitive);
    if (layer->description) dnnl_primitive_desc_destroy(layer->description);
    if (layer->weights) dnnl_memory_destroy(layer->weights);
    if (layer->bias) dnnl_memory_destroy(layer->bias);
    rmil_winograd_free(layer->winograd);
    layout_free(layer->layout);
    g_free(layer);
}

void rmil_layer_output(const RmilLayer *layer, RmilLayerInput *output) { *output = layer->output; }

size_t rmil_layer_bytes(const RmilLayer *layer) { return dnnl_memory_desc_get_size(layer_layout(layer)); }

size_t rmil_layer_scratch(const RmilLayer *layer) {
    if (layer->winograd) return rmil_winograd_scratch(layer->winograd);
    Layout scratch = dnnl_primitive_desc_query_md(layer->description, dnnl_query_scratchpad_md, 0);
    return scratch ? dnnl_memory_desc_get_size(scratch) : 0;
}

gboolean rmil_layer_run(const RmilLayer *layer, RmilStream *stream, const void *source, void *destination, void *scratch, GError **error) {
    if (layer->winograd) return rmil_winograd_run(layer->winograd, source, destination, scratch, error);
    Layout source_layout = dnnl_primitive_desc_query_md(layer->description, dnnl_query_src_md, 0);
    Layout scratch_layout = dnnl_primitive_desc_query_md(layer->description, dnnl_query_scratchpad_md, 0);
    dnnl_memory_t from = NULL, to = NULL, work = NULL;
    gboolean done = good(dnnl_memory_create(&from, source_layout, layer->engine, (void *)source), "a layer's input", error) &&
                    good(dnnl_memory_create(&to, layer_layout(layer), layer->engine, destination), "a layer's output", error) &&
                    good(dnnl_memory_create(&work, scratch_layout, layer->engine, scratch), "a layer's work", error);
    if (done) {
        dnnl_exec_arg_t arguments[5] = {{DNNL_ARG_SRC, from},
                                        {DNNL_ARG_DST, to},
                                        {DNNL_ARG_SCRATCHPAD, work},
                                        {DNNL_ARG_WEIGHTS, layer->weights},
                                        {DNNL_ARG_BIAS, layer->bias}};
        done = good(dnnl_primitive_execute(layer->primitive, stream->stream, layer->weights ? 5 : 3, arguments), "running a layer",
                    error) &&
               good(dnnl_stream_wait(stream->stream), "running a layer", error);
    }
    if (from) dnnl_memory_destroy(from);
    if (to) dnnl_memory_destroy(to);
    if (work) dnnl_memory_destroy(work);
    return done;
}
