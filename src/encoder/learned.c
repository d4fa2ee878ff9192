/* SPDX-License-Identifier: Apache-2.0 */
/* Trainable convolutions, by oneDNN. */
#include "learned.h"

#include "winograd.h"

enum { FORWARD, INPUT, WEIGHTS, PASSES };

struct _RmilLearned {
    RmilLearnedShape shape;
    dnnl_engine_t engine;
    dnnl_primitive_desc_t description[PASSES];
    dnnl_primitive_t primitive[PASSES];
    RmilOwnLayout plain;       /* of weights: float32, (out, in, kernel, kernel) */
    void *weights[2];          /* in the layouts of FORWARD and INPUT */
    RmilWinograd *winograd[2]; /* replaces FORWARD and INPUT */
    float *turned, *none;      /* for Winograd's backward pass: rotated weights, and a bias of zeros */
};

int64_t rmil_learned_side(const RmilLearnedShape *shape) { return (shape->side + 2 * shape->padding - shape->kernel) / shape->stride + 1; }

int64_t rmil_learned_block(dnnl_format_tag_t layout, int64_t channels) {
    return layout == dnnl_nChw16c ? 16 : layout == dnnl_nChw8c ? 8 : channels;
}

static RmilLayout asked(const RmilLearned *l, int pass, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(l->description[pass], what, 0);
}

/* -- making -------------------------------------------------------------------------------------------------------------- */
/* One pass of oneDNN. Those for the gradients of weights write float32 whatever the precision. */
static gboolean make_pass(RmilLearned *l, int pass, GError **error) {
    static const RmilPass kinds[PASSES] = {RMIL_FORWARD_TRAINING, RMIL_BACKWARD_DATA, RMIL_BACKWARD_WEIGHTS};
    const RmilLearnedShape *s = &l->shape;
    const dnnl_data_type_t type = rmil_dnn_type(s->precision);
    const int64_t side = rmil_learned_side(s);
    const dnnl_dims_t in = {s->images, s->in, s->side, s->side}, out = {s->images, s->out, side, side};
    const dnnl_dims_t sizes = {s->out, s->in, s->kernel, s->kernel};
    RmilOwnLayout source = rmil_layout_new(4, in, type, s->first ? dnnl_nchw : s->layout),
                  destination = rmil_layout_new(4, out, type, s->layout);
    RmilOwnLayout weights = rmil_layout_new(4, sizes, pass == WEIGHTS ? dnnl_f32 : type, dnnl_format_tag_any);
    dnnl_primitive_attr_t attributes = rmil_attributes_new();
    gboolean done = source && destination && weights && attributes;
    if (!done) rmil_dnn_good(dnnl_out_of_memory, "describing a convolution", error);
    else {
        const RmilConvolutionLayouts layouts = {.source = source,
                                                .weights = weights,
                                                .destination = destination,
                                                .strides = {s->stride, s->stride},
                                                .padding = {s->padding, s->padding}};
        const dnnl_status_t status = rmil_describe_convolution(&l->description[pass], l->engine, kinds[pass], &layouts,
                                                               pass == FORWARD ? NULL : l->description[FORWARD], attributes);
        done = rmil_dnn_worth(status, l->description[pass], s->precision, error) &&
               rmil_dnn_good(status, "describing a convolution in training", error) &&
               rmil_dnn_good(dnnl_primitive_create(&l->primitive[pass], l->description[pass]), "making a convolution", error);
    }
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    rmil_layout_free(source);
    rmil_layout_free(destination);
    rmil_layout_free(weights);
    if (!done || pass == WEIGHTS || l->winograd[pass]) return done;
    return (l->weights[pass] = rmil_alloc((int64_t)dnnl_memory_desc_get_size(asked(l, pass, dnnl_query_weights_md)), 1, error)) != NULL;
}

/* Winograd's forward and backward passes, if it applies. */
static gboolean make_winograd(RmilLearned *l, gboolean *made, GError **error) {
    const RmilLearnedShape *s = &l->shape;
    const int64_t in = rmil_learned_block(s->layout, s->in), out = rmil_learned_block(s->layout, s->out);
    *made = s->precision == RMIL_FLOAT32 && s->kernel == 3 && s->stride == 1 && s->padding == 1 && in == out && in % 8 == 0;
    if (!*made) return TRUE;
    const int64_t most = MAX(s->in, s->out);
    return (l->none = rmil_alloc(most, sizeof(float), error)) && (l->turned = rmil_alloc(s->in * s->out * 9, sizeof(float), error)) &&
           (l->winograd[FORWARD] = rmil_winograd_new(s->images, s->in, s->out, s->side, in, l->turned, l->none, FALSE, error)) &&
           (l->winograd[INPUT] = rmil_winograd_new(s->images, s->out, s->in, s->side, in, l->turned, l->none, FALSE, error));
}

RmilLearned *rmil_learned_new(RmilDnn *dnn, const RmilLearnedShape *shape, GError **error) {
    RmilLearned *l = g_new0(RmilLearned, 1);
    const dnnl_dims_t sizes = {shape->out, shape->in, shape->kernel, shape->kernel};
    gboolean winograd = FALSE;
    l->shape = *shape;
    l->engine = dnn->engine;
    l->plain = rmil_layout_new(4, sizes, dnnl_f32, dnnl_oihw);
    gboolean done = l->plain || rmil_dnn_good(dnnl_out_of_memory, "describing weights", error);
    /* the others need the description of FORWARD */
    done = done && make_winograd(l, &winograd, error) && make_pass(l, FORWARD, error) &&
           (winograd || shape->first || make_pass(l, INPUT, error)) && make_pass(l, WEIGHTS, error);
    if (done) return l;
    rmil_learned_free(l);
    return NULL;
}

void rmil_learned_free(RmilLearned *l) {
    if (!l) return;
    for (int i = 0; i < PASSES; i++) {
        if (l->primitive[i]) dnnl_primitive_destroy(l->primitive[i]);
        if (l->description[i]) dnnl_primitive_desc_destroy(l->description[i]);
    }
    for (int i = 0; i < 2; i++) {
        rmil_free(l->weights[i]);
        rmil_winograd_free(l->winograd[i]);
    }
    rmil_free(l->turned);
    rmil_free(l->none);
    rmil_layout_free(l->plain);
    g_free(l);
}

size_t rmil_learned_scratch(const RmilLearned *l) {
    size_t most = 0;
    for (int i = 0; i < PASSES; i++)
        if (l->description[i]) {
            RmilLayout layout = asked(l, i, dnnl_query_scratchpad_md);
            most = MAX(most, layout ? dnnl_memory_desc_get_size(layout) : 0);
        }
    for (int i = 0; i < 2; i++)
        if (l->winograd[i]) most = MAX(most, rmil_winograd_scratch(l->winograd[i]));
    return most;
}

int64_t rmil_learned_gradient_count(const RmilLearned *l) {
    return (int64_t)(dnnl_memory_desc_get_size(asked(l, WEIGHTS, dnnl_query_diff_weights_md)) / sizeof(float));
}

/* -- running ------------------------------------------------------------------------------------------------------------- */
/* For the backward pass: swaps input and output channels, and rotates every kernel by 180°. */
static void turn(const RmilLearned *l, const float *weights) {
    const int64_t in = l->shape.in, out = l->shape.out;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t k = 0; k < 9; k++) l->turned[(i * out + o) * 9 + k] = weights[(o * in + i) * 9 + 8 - k];
}

gboolean rmil_learned_set(RmilLearned *l, RmilStream *stream, const float *weights, GError **error) {
    if (l->winograd[FORWARD]) {
        rmil_winograd_set(l->winograd[FORWARD], weights);
        turn(l, weights);
        rmil_winograd_set(l->winograd[INPUT], l->turned);
        return TRUE;
    }
    for (int pass = FORWARD; pass <= INPUT; pass++)
        if (l->weights[pass] &&
            !rmil_reorder(l->engine, stream->stream, l->plain, weights, asked(l, pass, dnnl_query_weights_md), l->weights[pass], error))
            return FALSE;
    return TRUE;
}

gboolean rmil_learned_forward(const RmilLearned *l, RmilStream *stream, const void *source, void *destination, void *scratch,
                              GError **error) {
    if (l->winograd[FORWARD]) return rmil_winograd_run(l->winograd[FORWARD], source, destination, scratch, error);
    const RmilArgument arguments[] = {{DNNL_ARG_SRC, asked(l, FORWARD, dnnl_query_src_md), source},
                                      {DNNL_ARG_WEIGHTS, asked(l, FORWARD, dnnl_query_weights_md), l->weights[FORWARD]},
                                      {DNNL_ARG_DST, asked(l, FORWARD, dnnl_query_dst_md), destination},
                                      {DNNL_ARG_SCRATCHPAD, asked(l, FORWARD, dnnl_query_scratchpad_md), scratch}};
    return rmil_execute(l->primitive[FORWARD], l->engine, stream->stream, arguments, 4, "a convolution", error);
}

gboolean rmil_learned_input(const RmilLearned *l, RmilStream *stream, const void *destination, void *source, void *scratch,
                            GError **error) {
    if (l->winograd[INPUT]) return rmil_winograd_run(l->winograd[INPUT], destination, source, scratch, error);
    const RmilArgument arguments[] = {{DNNL_ARG_DIFF_DST, asked(l, INPUT, dnnl_query_diff_dst_md), destination},
                                      {DNNL_ARG_WEIGHTS, asked(l, INPUT, dnnl_query_weights_md), l->weights[INPUT]},
                                      {DNNL_ARG_DIFF_SRC, asked(l, INPUT, dnnl_query_diff_src_md), source},
                                      {DNNL_ARG_SCRATCHPAD, asked(l, INPUT, dnnl_query_scratchpad_md), scratch}};
    return rmil_execute(l->primitive[INPUT], l->engine, stream->stream, arguments, 4, "a convolution's gradient", error);
}

gboolean rmil_learned_weights(const RmilLearned *l, RmilStream *stream, const void *source, const void *destination, float *gradient,
                              void *scratch, GError **error) {
    const RmilArgument arguments[] = {{DNNL_ARG_SRC, asked(l, WEIGHTS, dnnl_query_src_md), source},
                                      {DNNL_ARG_DIFF_DST, asked(l, WEIGHTS, dnnl_query_diff_dst_md), destination},
                                      {DNNL_ARG_DIFF_WEIGHTS, asked(l, WEIGHTS, dnnl_query_diff_weights_md), gradient},
                                      {DNNL_ARG_SCRATCHPAD, asked(l, WEIGHTS, dnnl_query_scratchpad_md), scratch}};
    return rmil_execute(l->primitive[WEIGHTS], l->engine, stream->stream, arguments, 4, "the gradient of weights", error);
}

gboolean rmil_learned_plain(const RmilLearned *l, RmilStream *stream, const float *gradient, float *plain, GError **error) {
    return rmil_reorder(l->engine, stream->stream, asked(l, WEIGHTS, dnnl_query_diff_weights_md), gradient, l->plain, plain, error);
}
