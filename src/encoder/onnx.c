/* SPDX-License-Identifier: Apache-2.0 */
/* Any network in an ONNX file, run by ONNX Runtime (ort-*.c); pixels are scaled here. */
#include "encoder-private.h"

#include "ort-device.h"
#include "ort-model.h"
#include "onnx-file.h"

#include <math.h>
#include <string.h>

#define VERSION "1"

enum { SIDE = 224, BATCH = 8 };

typedef struct {
    RmilOrtModel *model;
    int side, workers;
    gboolean half;
    float input[3][256];     /* pixel value -> input, by channel */
    uint16_t halves[3][256]; /* the same as float16 */
    void **images;           /* per worker: a batch of images for the model */
    float **vectors;         /* per worker: a batch of vectors */
} Onnx;

/* -- options -------------------------------------------------------------------------------------------------------------------- */

static const char *device_of(const RmilEncoderOptions *o) { return o->device ? o->device : "cpu"; }

static gboolean check_onnx(const RmilEncoderOptions *o, GError **error) {
    double numbers[3];
    if (o->input_px && (o->input_px < RMIL_ONNX_LEAST_SIDE || o->input_px > RMIL_ONNX_MOST_SIDE))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--input-px %d: must be %d … %d", o->input_px, RMIL_ONNX_LEAST_SIDE,
                         RMIL_ONNX_MOST_SIDE);
    if (o->precision != RMIL_FLOAT32)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "the encoder onnx computes in the number type of its file: leave "
                         "--encode-bfloat16 out");
    return (!o->mean || rmil_onnx_colours("--mean", o->mean, FALSE, numbers, error)) &&
           (!o->sd || rmil_onnx_colours("--sd", o->sd, TRUE, numbers, error)) && rmil_ort_device_known(device_of(o), error);
}

/* -- opening ------------------------------------------------------------------------------------------------------------------- */

static gboolean make_input(Onnx *onnx, const char *mean, const char *sd, GError **error) {
    double means[3], sds[3];
    if (!rmil_onnx_colours("--mean", mean, FALSE, means, error) || !rmil_onnx_colours("--sd", sd, TRUE, sds, error)) return FALSE;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) onnx->input[c][v] = (float)((v / 255.0 - means[c]) / sds[c]);
    return !onnx->half || rmil_encode(RMIL_FLOAT32, onnx->input, TRUE, onnx->halves, 3 * 256) ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "--sd %s is too small for a model of float16: its input would be infinite", sd);
}

static gboolean make_memory(Onnx *onnx, int workers, GError **error) {
    const int64_t batch = rmil_ort_model_batch(onnx->model);
    const gsize pixels = (gsize)onnx->side * (gsize)onnx->side * 3;
    onnx->workers = workers;
    onnx->images = g_new0(void *, workers);
    onnx->vectors = g_new0(float *, workers);
    for (int i = 0; i < workers; i++)
        if (!(onnx->images[i] = rmil_try_new(batch, pixels * (onnx->half ? 2 : 4), error)) ||
            !(onnx->vectors[i] = rmil_try_new(batch, (gsize)rmil_ort_model_dim(onnx->model) * sizeof(float), error)))
            return FALSE;
    return TRUE;
}

/* What the file states about its input, or what is assumed instead. */
static void note_said(GString *out, const RmilOnnxSays *says, const RmilEncoderOptions *o) {
    g_string_append_printf(out, "%s says that ", o->weights);
    if (says->encoder)
        g_string_append_printf(out, "it is %s%s%s%s, and that ", says->encoder, says->pooling ? " (" : "",
                               says->pooling ? says->pooling : "", says->pooling ? ")" : "");
    g_string_append_printf(out, "its input has mean %s and SD %s", says->mean, says->sd);
    if (says->input_px) g_string_append_printf(out, ", %d px a side", says->input_px);
    if (says->mpp > 0) g_string_append_printf(out, " at %g µm per px", says->mpp);
    const gboolean other = (o->mean && strcmp(o->mean, says->mean) != 0) || (o->sd && strcmp(o->sd, says->sd) != 0) ||
                           (o->input_px && says->input_px && o->input_px != says->input_px);
    g_string_append(out, other ? "; the options given are used instead" : ", which is used");
}

static void note_imagenet(GString *out, const RmilEncoderOptions *o) {
    g_string_append_printf(out,
                           "%s not given, so ImageNet's are used (mean %s, SD %s): check what the network was trained with "
                           "(--mean, --sd)",
                           o->mean ? "the SD of its input was"
                           : o->sd ? "the mean of its input was"
                                   : "mean and SD of its input were",
                           o->mean ? o->mean : RMIL_IMAGENET_MEAN, o->sd ? o->sd : RMIL_IMAGENET_SD);
}

/* The assumptions where nothing was stated. NULL: everything was stated. Free with g_free. */
static char *note_of(const RmilOrtModel *model, const RmilOnnxSays *says, const RmilEncoderOptions *o) {
    g_autoptr(GString) out = g_string_new("--encoder onnx: ");
    const gsize begun = out->len;
    if (says->mean && says->sd) note_said(out, says, o);
    else if (!o->mean || !o->sd) note_imagenet(out, o);
    if (rmil_ort_model_places(model) > 1)
        g_string_append_printf(out, "%sthe output %s is a map of %" G_GINT64_FORMAT " positions: its mean over them is the feature",
                               out->len > begun ? "; " : "", rmil_ort_model_output(model), rmil_ort_model_places(model));
    return out->len > begun ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

/* says: from the file, used where the options are not given. Mean and SD only together: half of them is not a scale. */
static gboolean open_said(RmilEncoder *encoder, const RmilEncoderOptions *o, const RmilOnnxSays *says, GError **error) {
    Onnx *onnx = encoder->state = g_new0(Onnx, 1);
    const gboolean both = says->mean && says->sd;
    const char *mean = o->mean ? o->mean : both ? says->mean : RMIL_IMAGENET_MEAN;
    const char *sd = o->sd ? o->sd : both ? says->sd : RMIL_IMAGENET_SD;
    const char *device = rmil_ort_device_processor(device_of(o)) ? "cpu" : device_of(o);
    RmilOrtLibrary *library = rmil_ort_library_new(error);
    if (!library) return FALSE;
    g_autofree char *digest = rmil_onnx_digest(o->weights, error);
    if (!digest) {
        rmil_ort_library_free(library);
        return FALSE;
    }
    onnx->side = o->input_px ? o->input_px : says->input_px ? says->input_px : SIDE;
    const RmilOrtModelConfig config = {.path = o->weights, .device = device, .output = o->output, .side = onnx->side};
    if (!(onnx->model = rmil_ort_model_new(library, &config, error))) return FALSE;
    onnx->half = rmil_ort_model_half(onnx->model);
    if (!make_input(onnx, mean, sd, error) || !make_memory(onnx, encoder->workers, error)) return FALSE;
    encoder->dim = rmil_ort_model_dim(onnx->model);
    encoder->tile_px = onnx->side;
    encoder->batch = MAX(BATCH, rmil_ort_model_batch(onnx->model));
    encoder->calls = strcmp(device_of(o), "cpu") == 0 ? 0 : 2;
    encoder->identity = g_strdup_printf("onnx " VERSION " %s; mean %s sd %s; %d px; output %s; %s", digest, mean, sd, onnx->side,
                                        rmil_ort_model_output(onnx->model), device);
    encoder->note = note_of(onnx->model, says, o);
    return TRUE;
}

static gboolean open_onnx(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error) {
    RmilOnnxSays says;
    const gboolean opened = rmil_onnx_says(options->weights, &says, error) && open_said(encoder, options, &says, error);
    rmil_onnx_says_clear(&says);
    return opened;
}

static void close_onnx(gpointer state) {
    Onnx *onnx = state;
    if (!onnx) return;
    for (int i = 0; i < onnx->workers; i++) {
        g_free(onnx->images[i]);
        g_free(onnx->vectors[i]);
    }
    g_free(onnx->images);
    g_free(onnx->vectors);
    rmil_ort_model_free(onnx->model);
    g_free(onnx);
}

/* -- running ------------------------------------------------------------------------------------------------------------------- */

/* A tile as one plane per colour, image `at` of the batch. */
static void put_tile(const Onnx *onnx, const uint8_t *rgb, void *images, int at) {
    const int64_t pixels = (int64_t)onnx->side * onnx->side, first = at * pixels * 3;
    for (int c = 0; c < 3; c++) {
        float *single = (float *)images + first + c * pixels;
        uint16_t *half = (uint16_t *)images + first + c * pixels;
        if (onnx->half)
            for (int64_t i = 0; i < pixels; i++) half[i] = onnx->halves[c][rgb[3 * i + c]];
        else
            for (int64_t i = 0; i < pixels; i++) single[i] = onnx->input[c][rgb[3 * i + c]];
    }
}

/* A batch that is not full keeps its former contents at the end; the results for those are ignored. */
static gboolean run_onnx(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    Onnx *onnx = encoder->state;
    const int batch = rmil_ort_model_batch(onnx->model), dim = encoder->dim;
    const gsize tile = (gsize)onnx->side * (gsize)onnx->side * 3;
    for (int first = 0; first < count; first += batch) {
        const int tiles = MIN(batch, count - first);
        for (int i = 0; i < tiles; i++) put_tile(onnx, rgb + (gsize)(first + i) * tile, onnx->images[worker], i);
        if (!rmil_ort_model_run(onnx->model, onnx->images[worker], onnx->vectors[worker], error)) return FALSE;
        memcpy(features + (gsize)first * (gsize)dim, onnx->vectors[worker], (gsize)tiles * (gsize)dim * sizeof(float));
    }
    return TRUE;
}

static const RmilEncoderClass class = {
    .info =
        {.name = "onnx", .title = "any network in an ONNX file, by ONNX Runtime", .tile_px = SIDE, .mpp = 0.5, .weights = RMIL_ONNX_ENDING},
    .check = check_onnx,
    .open_file = open_onnx,
    .run = run_onnx,
    .close = close_onnx,
};
RMIL_ENCODER_FILE(onnx, &class);
