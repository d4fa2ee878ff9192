/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN, versions 2 and 3, for the files of this room: hides the differences. */
#ifndef RMIL_DNN_H
#define RMIL_DNN_H

#include "base/base-private.h"
#include "rankmil/encoder.h"

#include <dnnl.h>

typedef struct _RmilDnn RmilDnn;       /* the processor as oneDNN sees it */
typedef struct _RmilStream RmilStream; /* one per thread */
struct _RmilDnn {
    dnnl_engine_t engine;
};
struct _RmilStream {
    dnnl_stream_t stream;
};

RmilDnn *rmil_dnn_new(GError **error);
void rmil_dnn_free(RmilDnn *dnn); /* after everything that was made with it */
RmilStream *rmil_stream_new(RmilDnn *dnn, GError **error);
void rmil_stream_free(RmilStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilDnn, rmil_dnn_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStream, rmil_stream_free)

/* A memory descriptor: version 2 has a plain struct, version 3 an opaque object; both are passed by pointer. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t RmilOwnLayout;
typedef const_dnnl_memory_desc_t RmilLayout;
#else
typedef dnnl_memory_desc_t *RmilOwnLayout;
typedef const dnnl_memory_desc_t *RmilLayout;
#endif

/* FALSE, with an error that says what failed, if the status is not success. */
gboolean rmil_dnn_good(dnnl_status_t status, const char *what, GError **error);
static inline dnnl_data_type_t rmil_dnn_type(RmilPrecision precision) { return precision == RMIL_BFLOAT16 ? dnnl_bf16 : dnnl_f32; }
RmilOwnLayout rmil_layout_new(int rank, const dnnl_dims_t sizes, dnnl_data_type_t type, dnnl_format_tag_t tag); /* NULL: failed */
void rmil_layout_free(RmilOwnLayout layout);
/* With working memory from the caller, so that one primitive can run in many threads. NULL: failed. */
dnnl_primitive_attr_t rmil_attributes_new(void);
dnnl_status_t rmil_append_sum(dnnl_post_ops_t operations, dnnl_data_type_t type);
dnnl_status_t rmil_append_relu(dnnl_post_ops_t operations);
/* oneDNN's implementation: "jit:avx2" … */
const char *rmil_dnn_name(const_dnnl_primitive_desc_t description);
/* FALSE: oneDNN has no fast enough convolution in this precision: version 2 has slow reference code, version 3 may have none. status: of
 * the description. */
gboolean rmil_dnn_worth(dnnl_status_t status, const_dnnl_primitive_desc_t description, RmilPrecision precision, GError **error);

/* The layouts of a convolution: (batch, channels, side, side) and weights (out, in, kernel, kernel). bias NULL: none. */
typedef struct {
    RmilLayout source, weights, bias, destination;
    dnnl_dims_t strides, padding;
} RmilConvolutionLayouts;
typedef enum { RMIL_FORWARD_INFERENCE, RMIL_FORWARD_TRAINING, RMIL_BACKWARD_DATA, RMIL_BACKWARD_WEIGHTS } RmilPass;
/* forward: for a backward pass, the description of its forward pass in training; else NULL. */
dnnl_status_t rmil_describe_convolution(dnnl_primitive_desc_t *description, dnnl_engine_t engine, RmilPass pass,
                                        const RmilConvolutionLayouts *layouts, const_dnnl_primitive_desc_t forward,
                                        const_dnnl_primitive_attr_t attributes);
/* 3 × 3 maximum, stride 2, padding 1. */
dnnl_status_t rmil_describe_pool(dnnl_primitive_desc_t *description, dnnl_engine_t engine, RmilLayout source, RmilLayout destination,
                                 const_dnnl_primitive_attr_t attributes);

/* Copies memory of one layout into memory of another. */
gboolean rmil_reorder(dnnl_engine_t engine, dnnl_stream_t stream, RmilLayout from_layout, const void *from, RmilLayout to_layout, void *to,
                      GError **error);
/* Runs a primitive on arrays. */
typedef struct {
    int what; /* DNNL_ARG_SRC … */
    RmilLayout layout;
    const void *data;
} RmilArgument;
gboolean rmil_execute(dnnl_primitive_t primitive, dnnl_engine_t engine, dnnl_stream_t stream, const RmilArgument *arguments, int n,
                      const char *what, GError **error);

#endif
