/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room need from oneDNN. */
#include "dnn.h"

#include <string.h>

gboolean rmil_dnn_good(dnnl_status_t status, const char *what, GError **error) {
    if (status == dnnl_success) return TRUE;
    rmil_fail(error, status == dnnl_out_of_memory ? RMIL_ERROR_MEMORY : RMIL_ERROR_DATA, "oneDNN: %s failed (status %d)", what,
              (int)status);
    return FALSE;
}

RmilDnn *rmil_dnn_new(GError **error) {
    RmilDnn *dnn = g_new0(RmilDnn, 1);
    if (rmil_dnn_good(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "opening the processor", error)) return dnn;
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
    if (rmil_dnn_good(dnnl_stream_create(&stream->stream, dnn->engine, dnnl_stream_default_flags), "making a stream", error)) return stream;
    g_free(stream);
    return NULL;
}

void rmil_stream_free(RmilStream *stream) {
    if (!stream) return;
    dnnl_stream_destroy(stream->stream);
    g_free(stream);
}

/* -- differences between the versions ----------------------------------------------------------------------------------- */
RmilOwnLayout rmil_layout_new(int rank, const dnnl_dims_t sizes, dnnl_data_type_t type, dnnl_format_tag_t tag) {
#if DNNL_VERSION_MAJOR >= 3
    RmilOwnLayout layout;
    return dnnl_memory_desc_create_with_tag(&layout, rank, sizes, type, tag) == dnnl_success ? layout : NULL;
#else
    RmilOwnLayout layout = g_new0(dnnl_memory_desc_t, 1);
    if (dnnl_memory_desc_init_by_tag(layout, rank, sizes, type, tag) == dnnl_success) return layout;
    g_free(layout);
    return NULL;
#endif
}

void rmil_layout_free(RmilOwnLayout layout) {
    if (!layout) return;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(layout);
#else
    g_free(layout);
#endif
}

dnnl_status_t rmil_append_sum(dnnl_post_ops_t operations, dnnl_data_type_t type) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(operations, 1, 0, type);
#else
    return dnnl_post_ops_append_sum_v2(operations, 1, type);
#endif
}

dnnl_status_t rmil_append_relu(dnnl_post_ops_t operations) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_relu, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

dnnl_status_t rmil_describe_convolution(dnnl_primitive_desc_t *description, dnnl_engine_t engine, RmilPass pass,
                                        const RmilConvolutionLayouts *l, const_dnnl_primitive_desc_t forward,
                                        const_dnnl_primitive_attr_t attributes) {
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    const dnnl_prop_kind_t kind = pass == RMIL_FORWARD_TRAINING ? dnnl_forward_training : dnnl_forward_inference;
#if DNNL_VERSION_MAJOR >= 3
    const dnnl_dims_t dilation = {0, 0};
    if (pass == RMIL_BACKWARD_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(description, engine, direct, l->source, l->weights, l->destination,
                                                                    l->strides, dilation, l->padding, l->padding, forward, attributes);
    if (pass == RMIL_BACKWARD_WEIGHTS)
        return dnnl_convolution_backward_weights_primitive_desc_create(description, engine, direct, l->source, l->weights, l->bias,
                                                                       l->destination, l->strides, dilation, l->padding, l->padding,
                                                                       forward, attributes);
    return dnnl_convolution_forward_primitive_desc_create(description, engine, kind, direct, l->source, l->weights, l->bias, l->destination,
                                                          l->strides, dilation, l->padding, l->padding, attributes);
#else
    dnnl_convolution_desc_t operation;
    dnnl_status_t status;
    if (pass == RMIL_BACKWARD_DATA)
        status = dnnl_convolution_backward_data_desc_init(&operation, direct, l->source, l->weights, l->destination, l->strides, l->padding,
                                                          l->padding);
    else if (pass == RMIL_BACKWARD_WEIGHTS)
        status = dnnl_convolution_backward_weights_desc_init(&operation, direct, l->source, l->weights, l->bias, l->destination, l->strides,
                                                             l->padding, l->padding);
    else
        status = dnnl_convolution_forward_desc_init(&operation, kind, direct, l->source, l->weights, l->bias, l->destination, l->strides,
                                                    l->padding, l->padding);
    return status == dnnl_success ? dnnl_primitive_desc_create(description, &operation, attributes, engine, forward) : status;
#endif
}

dnnl_status_t rmil_describe_pool(dnnl_primitive_desc_t *description, dnnl_engine_t engine, RmilLayout source, RmilLayout destination,
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

/* -- common to both -------------------------------------------------------------------------------------------------------- */
dnnl_primitive_attr_t rmil_attributes_new(void) {
    dnnl_primitive_attr_t attributes;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return NULL;
    if (dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) == dnnl_success) return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

const char *rmil_dnn_name(const_dnnl_primitive_desc_t description) {
    const char *name = NULL;
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    return name ? name : "";
}

gboolean rmil_dnn_worth(dnnl_status_t status, const_dnnl_primitive_desc_t description, RmilPrecision precision, GError **error) {
    if (precision != RMIL_BFLOAT16) return TRUE;
    if (status == dnnl_unimplemented || (status == dnnl_success && strstr(rmil_dnn_name(description), "ref")))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "this processor has no bfloat16 convolutions (they need AVX-512): use float32");
    return TRUE;
}

gboolean rmil_execute(dnnl_primitive_t primitive, dnnl_engine_t engine, dnnl_stream_t stream, const RmilArgument *arguments, int n,
                      const char *what, GError **error) {
    enum { MOST = 8 };
    dnnl_exec_arg_t all[MOST];
    int made = 0;
    gboolean done = TRUE;
    for (; done && made < n; made += done) {
        all[made].arg = arguments[made].what;
        done = rmil_dnn_good(dnnl_memory_create(&all[made].memory, arguments[made].layout, engine, (void *)arguments[made].data), what,
                             error);
    }
    done = done && rmil_dnn_good(dnnl_primitive_execute(primitive, stream, n, all), what, error) &&
           rmil_dnn_good(dnnl_stream_wait(stream), what, error);
    for (int i = 0; i < made; i++) dnnl_memory_destroy(all[i].memory);
    return done;
}

gboolean rmil_reorder(dnnl_engine_t engine, dnnl_stream_t stream, RmilLayout from_layout, const void *from, RmilLayout to_layout, void *to,
                      GError **error) {
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    const RmilArgument arguments[] = {{DNNL_ARG_FROM, from_layout, from}, {DNNL_ARG_TO, to_layout, to}};
    const gboolean done = rmil_dnn_good(dnnl_reorder_primitive_desc_create(&description, from_layout, engine, to_layout, engine, NULL),
                                        "ordering weights", error) &&
                          rmil_dnn_good(dnnl_primitive_create(&reorder, description), "ordering weights", error) &&
                          rmil_execute(reorder, engine, stream, arguments, 2, "ordering weights", error);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    return done;
}
