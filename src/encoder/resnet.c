/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 up to its third stage, as in CLAM. */
#include "resnet.h"

#include "convolution.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

#define EPSILON 1e-5  /* of torchvision's batch norms */
#define BUFFERS 4     /* a block's input, its two inner activations, its output */
#define INPUT BUFFERS /* the tiles themselves */
#define OUTPUT (BUFFERS + 1)

typedef struct {
    RmilLayer *layer;
    int source, destination; /* buffers */
} Step;

typedef struct {
    RmilStream *stream;
    void *buffers[BUFFERS + 2], *scratch;
} Worker;

struct _RmilResnet {
    RmilResnetConfig config;
    int dim;
    RmilDnn *dnn;
    GArray *steps; /* Step */
    Worker *workers;
    float input[3][256]; /* pixel value -> network input, by channel */
    uint16_t input16[3][256];
};

/* -- building --------------------------------------------------------------------------------------------------------- */

typedef struct {
    RmilResnet *resnet;
    const RmilTensors *tensors;
    const char *prefix;
    GError **error;
} Builder;

gboolean rmil_resnet_fold(const RmilTensors *tensors, const char *prefix, const char *convolution, const char *norm, const int64_t shape[4],
                          float **weights, float **bias, GError **error) {
    static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
    float *values[4] = {NULL};
    g_autofree char *name = g_strconcat(prefix, convolution, ".weight", NULL);
    gboolean done = (*weights = rmil_tensors_floats(tensors, name, 4, shape, error)) != NULL;
    for (int i = 0; done && i < 4; i++) {
        g_autofree char *part = g_strconcat(prefix, norm, ".", parts[i], NULL);
        done = (values[i] = rmil_tensors_floats(tensors, part, 1, shape, error)) != NULL;
    }
    const int64_t each = shape[1] * shape[2] * shape[3];
    for (int64_t o = 0; done && o < shape[0]; o++) {
        double variance = (double)values[3][o], scale = (double)values[0][o] / sqrt(variance + EPSILON), sum = 0;
        for (int64_t i = 0; i < each; i++) {
            float *weight = &(*weights)[o * each + i];
            *weight = (float)((double)*weight * scale);
            sum += (double)*weight;
        }
        values[1][o] = (float)((double)values[1][o] - (double)values[2][o] * scale);
        if (!isfinite(sum) || !isfinite(values[1][o]) || variance < 0)
            done = rmil_fail(error, RMIL_ERROR_DATA, "%s: %s and %s hold numbers that are not finite, or a negative variance",
                             rmil_tensors_path(tensors), name, norm);
    }
    *bias = g_steal_pointer(&values[1]);
    for (int i = 0; i < 4; i++) rmil_free(values[i]);
    if (done) return TRUE;
    rmil_free(g_steal_pointer(weights));
    rmil_free(g_steal_pointer(bias));
    return FALSE;
}

static const RmilLayer *add_step(Builder *b, RmilLayer *layer, int source, int destination) {
    Step step = {layer, source, destination};
    if (layer) g_array_append_val(b->resnet->steps, step);
    return layer;
}

static const RmilLayer *add_convolution(Builder *b, const char *convolution, const char *norm, const RmilLayer *from, RmilConvolution shape,
                                        const RmilLayer *onto, int source, int destination) {
    RmilLayerInput input = {b->resnet->config.batch, 3, b->resnet->config.side, b->resnet->config.precision};
    if (from) rmil_layer_output(from, &input);
    const int64_t sizes[4] = {shape.channels, input.channels, shape.kernel, shape.kernel};
    float *weights = NULL, *bias = NULL;
    RmilLayer *layer = NULL;
    if (rmil_resnet_fold(b->tensors, b->prefix, convolution, norm, sizes, &weights, &bias, b->error))
        layer = rmil_layer_convolution(b->resnet->dnn, &input, from, &shape, weights, bias, onto, b->error);
    rmil_free(weights);
    rmil_free(bias);
    return add_step(b, layer, source, destination);
}

/* One bottleneck: 1 × 1, 3 × 3, 1 × 1 and the shortcut, to which the last convolution adds. *from is the layer that wrote buffer *at; both
 * become the block's output. */
static gboolean add_block(Builder *b, const char *name, int64_t width, int64_t stride, gboolean project, const RmilLayer **from, int *at) {
    const int inner1 = (*at + 1) % BUFFERS, inner2 = (*at + 2) % BUFFERS, shortcut = (*at + 3) % BUFFERS;
    char *names[4][2];
    for (int i = 0; i < 3; i++) {
        names[i][0] = g_strdup_printf("%s.conv%d", name, i + 1);
        names[i][1] = g_strdup_printf("%s.bn%d", name, i + 1);
    }
    names[3][0] = g_strconcat(name, ".downsample.0", NULL);
    names[3][1] = g_strconcat(name, ".downsample.1", NULL);
    const RmilLayer *layer = add_convolution(b, names[0][0], names[0][1], *from, (RmilConvolution){width, 1, 1, 0, TRUE, FALSE}, NULL, *at,
                                             inner1);
    if (layer)
        layer = add_convolution(b, names[1][0], names[1][1], layer, (RmilConvolution){width, 3, stride, 1, TRUE, FALSE}, NULL, inner1,
                                inner2);
    const RmilLayer *onto = *from;
    if (layer && project)
        onto = add_convolution(b, names[3][0], names[3][1], *from, (RmilConvolution){4 * width, 1, stride, 0, FALSE, FALSE}, NULL, *at,
                               shortcut);
    if (project) *at = shortcut;
    if (layer && onto)
        *from = add_convolution(b, names[2][0], names[2][1], layer, (RmilConvolution){4 * width, 1, 1, 0, TRUE, TRUE}, onto, inner2, *at);
    for (int i = 0; i < 4; i++) {
        g_free(names[i][0]);
        g_free(names[i][1]);
    }
    return layer && onto && *from;
}

const int *rmil_resnet_blocks(const RmilResnetConfig *config) {
    static const int usual[4] = {3, 4, 6, 3};
    return config->blocks[0] ? config->blocks : usual;
}

static gboolean add_layers(Builder *b) {
    const RmilResnetConfig *config = &b->resnet->config;
    const int *blocks = rmil_resnet_blocks(config);
    const RmilLayer *layer = add_convolution(b, "conv1", "bn1", NULL, (RmilConvolution){config->width, 7, 2, 3, TRUE, FALSE}, NULL, INPUT,
                                             0);
    if (layer) layer = add_step(b, rmil_layer_pool(b->resnet->dnn, layer, b->error), 0, 1);
    if (!layer) return FALSE;
    int at = 1;
    for (int stage = 0; stage < config->stages; stage++)
        for (int block = 0; block < blocks[stage]; block++) {
            g_autofree char *name = g_strdup_printf("layer%d.%d", stage + 1, block);
            if (!add_block(b, name, (int64_t)config->width << stage, stage && !block ? 2 : 1, block == 0, &layer, &at)) return FALSE;
        }
    return add_step(b, rmil_layer_plain(b->resnet->dnn, layer, b->error), at, OUTPUT) != NULL;
}

char *rmil_resnet_prefix(const RmilTensors *tensors, GError **error) {
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++) {
        const char *name = rmil_tensors_at(tensors, i)->name;
        if (!g_str_has_suffix(name, "layer1.0.conv1.weight")) continue;
        g_autofree char *prefix = g_strndup(name, strlen(name) - strlen("layer1.0.conv1.weight"));
        g_autofree char *stem = g_strconcat(prefix, "conv1.weight", NULL);
        if (rmil_tensors_find(tensors, stem)) return g_steal_pointer(&prefix);
    }
    rmil_fail(error, RMIL_ERROR_FORMAT,
              "%s: contains no ResNet: conv1.weight and layer1.0.conv1.weight are not among its %" G_GINT64_FORMAT " tensors",
              rmil_tensors_path(tensors), rmil_tensors_count(tensors));
    return NULL;
}

const RmilInputScale rmil_imagenet_scale = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};

static float input_of(const RmilInputScale *scale, int channel, int value) {
    if (!scale) scale = &rmil_imagenet_scale;
    return (float)((value / 255.0 - scale->mean[channel]) / scale->sd[channel]);
}

void rmil_resnet_input(const uint8_t *rgb, int side, float *planes) {
    const int64_t pixels = (int64_t)side * side;
    for (int c = 0; c < 3; c++) {
        float table[256];
        for (int v = 0; v < 256; v++) table[v] = input_of(NULL, c, v);
        for (int64_t i = 0; i < pixels; i++) planes[c * pixels + i] = table[rgb[3 * i + c]];
    }
}

static void fill_input_table(RmilResnet *resnet) {
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            resnet->input[c][v] = input_of(resnet->config.input, c, v);
            resnet->input16[c][v] = rmil_bfloat16(resnet->input[c][v]);
        }
}

static gboolean open_worker(RmilResnet *resnet, Worker *worker, GError **error) {
    size_t bytes[BUFFERS + 2] = {0}, scratch = 0;
    for (guint i = 0; i < resnet->steps->len; i++) {
        const Step *step = &g_array_index(resnet->steps, Step, i);
        bytes[step->destination] = MAX(bytes[step->destination], rmil_layer_bytes(step->layer));
        scratch = MAX(scratch, rmil_layer_scratch(step->layer));
    }
    bytes[INPUT] = (size_t)resnet->config.batch * 3 * (size_t)resnet->config.side * (size_t)resnet->config.side * sizeof(float);
    for (int i = 0; i < BUFFERS + 2; i++)
        if (!(worker->buffers[i] = rmil_alloc((int64_t)bytes[i], 1, error))) return FALSE;
    return (worker->scratch = rmil_alloc((int64_t)scratch, 1, error)) != NULL &&
           (worker->stream = rmil_stream_new(resnet->dnn, error)) != NULL;
}

RmilResnet *rmil_resnet_new(const RmilTensors *tensors, const RmilResnetConfig *config, GError **error) {
    g_autofree char *prefix = rmil_resnet_prefix(tensors, error);
    if (!prefix) return NULL;
    RmilResnet *resnet = g_new0(RmilResnet, 1);
    resnet->config = *config;
    resnet->dim = config->width << (config->stages + 1);
    resnet->steps = g_array_new(FALSE, FALSE, sizeof(Step));
    resnet->workers = g_new0(Worker, config->workers);
    fill_input_table(resnet);
    Builder builder = {resnet, tensors, prefix, error};
    int before = rmil_openmp_single(); /* oneDNN fixes a layer's number of threads when it plans it; here the threads are our own workers */
    gboolean done = (resnet->dnn = rmil_dnn_new(error)) != NULL && add_layers(&builder);
    rmil_openmp_restore(before);
    for (int i = 0; done && i < config->workers; i++) done = open_worker(resnet, &resnet->workers[i], error);
    if (done) return resnet;
    rmil_resnet_free(resnet);
    return NULL;
}

void rmil_resnet_free(RmilResnet *resnet) {
    if (!resnet) return;
    for (int i = 0; i < resnet->config.workers; i++) {
        for (int k = 0; k < BUFFERS + 2; k++) rmil_free(resnet->workers[i].buffers[k]);
        rmil_free(resnet->workers[i].scratch);
        rmil_stream_free(resnet->workers[i].stream);
    }
    for (guint i = 0; i < resnet->steps->len; i++) rmil_layer_free(g_array_index(resnet->steps, Step, i).layer);
    g_array_unref(resnet->steps);
    rmil_dnn_free(resnet->dnn);
    g_free(resnet->workers);
    g_free(resnet);
}

int rmil_resnet_dim(const RmilResnet *resnet) { return resnet->dim; }

/* -- running ------------------------------------------------------------------------------------------------------------ */

static void place_tile(const RmilResnet *resnet, const uint8_t *rgb, int index, void *input) {
    const size_t pixels = (size_t)resnet->config.side * (size_t)resnet->config.side;
    for (size_t c = 0; c < 3; c++) {
        const size_t at = ((size_t)index * 3 + c) * pixels;
        if (resnet->config.precision == RMIL_BFLOAT16)
            for (size_t i = 0; i < pixels; i++) ((uint16_t *)input)[at + i] = resnet->input16[c][rgb[3 * i + c]];
        else
            for (size_t i = 0; i < pixels; i++) ((float *)input)[at + i] = resnet->input[c][rgb[3 * i + c]];
    }
}

RMIL_CLONES static float mean(const float *values, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += values[i];
    return sum / (float)count;
}

/* Runs all steps on the worker's input. */
static gboolean run_steps(const RmilResnet *resnet, const Worker *worker, GError **error) {
    for (guint i = 0; i < resnet->steps->len; i++) {
        const Step *step = &g_array_index(resnet->steps, Step, i);
        if (!rmil_layer_run(step->layer, worker->stream, worker->buffers[step->source], worker->buffers[step->destination], worker->scratch,
                            error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_batch(RmilResnet *resnet, Worker *worker, const uint8_t *rgb, int count, float *features, GError **error) {
    const size_t tile = (size_t)resnet->config.side * (size_t)resnet->config.side * 3;
    const size_t width = resnet->config.precision == RMIL_BFLOAT16 ? 2 : 4;
    for (int i = 0; i < count; i++) place_tile(resnet, rgb + (size_t)i * tile, i, worker->buffers[INPUT]);
    memset((char *)worker->buffers[INPUT] + (size_t)count * tile * width, 0, (size_t)(resnet->config.batch - count) * tile * width);
    if (!run_steps(resnet, worker, error)) return FALSE;
    RmilLayerInput output;
    rmil_layer_output(g_array_index(resnet->steps, Step, resnet->steps->len - 1).layer, &output);
    const int64_t pixels = output.side * output.side;
    for (int64_t i = 0; i < (int64_t)count * resnet->dim; i++)
        features[i] = mean((const float *)worker->buffers[OUTPUT] + i * pixels, pixels);
    return TRUE;
}

const float *rmil_resnet_maps(RmilResnet *resnet, int worker, const float *tiles, GError **error) {
    const RmilResnetConfig *c = &resnet->config;
    const int64_t count = (int64_t)c->batch * 3 * c->side * c->side;
    void *input = resnet->workers[worker].buffers[INPUT];
    if (c->precision == RMIL_BFLOAT16) rmil_to_bfloat16(tiles, count, input);
    else memcpy(input, tiles, (size_t)count * sizeof *tiles);
    const int before = rmil_openmp_single();
    const gboolean done = run_steps(resnet, &resnet->workers[worker], error);
    rmil_openmp_restore(before);
    return done ? resnet->workers[worker].buffers[OUTPUT] : NULL;
}

gboolean rmil_resnet_run(RmilResnet *resnet, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    const size_t tile = (size_t)resnet->config.side * (size_t)resnet->config.side * 3;
    const int before = rmil_openmp_single(); /* otherwise a thread of the caller would wake one thread per processor, which only spin */
    gboolean done = TRUE;
    for (int first = 0; done && first < count; first += resnet->config.batch)
        done = run_batch(resnet, &resnet->workers[worker], rgb + (size_t)first * tile, MIN(resnet->config.batch, count - first),
                         features + (size_t)first * (size_t)resnet->dim, error);
    rmil_openmp_restore(before);
    return done;
}
