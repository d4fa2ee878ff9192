/* SPDX-License-Identifier: Apache-2.0 */
/* Encoders by name, opened and run. */
#include "encoder-private.h"

#include "device.h"
#include "onnx-file.h"
#include "ort-device.h"

#include <string.h>

const char *const *rmil_encoder_names(void) {
    static GPtrArray *names;
    static gsize done;
    if (g_once_init_enter(&done)) {
        names = g_ptr_array_new();
        for (int f = 0; rmil_encoder_files[f]; f++)
            for (int i = 0; rmil_encoder_files[f][i]; i++) g_ptr_array_add(names, (gpointer)rmil_encoder_files[f][i]->info.name);
        g_ptr_array_add(names, NULL);
        g_once_init_leave(&done, 1);
    }
    return (const char *const *)names->pdata;
}

const RmilEncoderClass *rmil_encoder_find(const char *name, GError **error) {
    for (int f = 0; rmil_encoder_files[f]; f++)
        for (int i = 0; rmil_encoder_files[f][i]; i++)
            if (strcmp(rmil_encoder_files[f][i]->info.name, name) == 0) return rmil_encoder_files[f][i];
    g_autofree char *known = g_strjoinv(", ", (char **)rmil_encoder_names());
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no encoder \"%s\"; choose one of %s, auto", name, known);
    return NULL;
}

const RmilEncoderInfo *rmil_encoder_info(const char *name, GError **error) {
    const RmilEncoderClass *class = rmil_encoder_find(name, error);
    return class ? &class->info : NULL;
}

/* -- which encoder weights belong to ----------------------------------------------------------------------------------------- */

static gboolean has_tensor(const RmilTensors *tensors, const char *ending) {
    for (int64_t i = 0; i < rmil_tensors_count(tensors); i++)
        if (g_str_has_suffix(rmil_tensors_at(tensors, i)->name, ending)) return TRUE;
    return FALSE;
}

static gboolean fits(const RmilEncoderClass *class, const RmilTensors *tensors, GError **error) {
    const RmilEncoderInfo *info = &class->info;
    if (!class->fits)
        return has_tensor(tensors, info->weights) ||
               rmil_fail(error, RMIL_ERROR_FORMAT, "%s: contains no weights of the encoder %s: it has no tensor %s",
                         rmil_tensors_path(tensors), info->name, info->weights);
    if (class->fits(class, tensors, error)) return TRUE;
    g_prefix_error(error, "these are not the weights of the encoder %s: ", info->name);
    return FALSE;
}

/* Encoders whose published files look like this one, including the names of their tensors. */
static GPtrArray *candidates(const RmilTensors *tensors) {
    GPtrArray *found = g_ptr_array_new();
    for (int f = 0; rmil_encoder_files[f]; f++)
        for (int i = 0; rmil_encoder_files[f][i]; i++) {
            const RmilEncoderClass *class = rmil_encoder_files[f][i];
            if (class->info.weights && !class->open_file && has_tensor(tensors, class->info.weights) && fits(class, tensors, NULL))
                g_ptr_array_add(found, (gpointer) class->info.name);
        }
    return found;
}

static const char *guess(const RmilTensors *tensors, GError **error) {
    g_autoptr(GPtrArray) found = candidates(tensors);
    if (found->len == 1) return found->pdata[0];
    g_ptr_array_add(found, NULL);
    g_autofree char *names = g_strjoinv(", ", (char **)found->pdata);
    if (found->len > 1)
        rmil_fail(error, RMIL_ERROR_ARGUMENT,
                  "%s: could be the weights of several encoders whose tensors look alike: %s. Name one with --encoder",
                  rmil_tensors_path(tensors), names);
    else
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: does not contain the weights of any encoder that rankmil knows (docs/encoders.md "
                  "lists them)",
                  rmil_tensors_path(tensors));
    return NULL;
}

const char *rmil_encoder_guess(const char *weights, GError **error) {
    if (!weights) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "--encoder auto recognises an encoder by its weights: give --weights FILE");
        return NULL;
    }
    if (g_str_has_suffix(weights, RMIL_ONNX_ENDING)) return "onnx";
    g_autoptr(RmilTensors) tensors = rmil_weights_read(weights, NULL, error);
    return tensors ? guess(tensors, error) : NULL;
}

/* -- opening --------------------------------------------------------------------------------------------------------------- */

static const RmilEncoderClass *find_for(const char *name, const char *weights, GError **error) {
    if (strcmp(name, "auto") == 0 && !(name = rmil_encoder_guess(weights, error))) return NULL;
    return rmil_encoder_find(name, error);
}

static gboolean refuse(const RmilEncoderClass *class, const char *option, GError **error) {
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s is for the encoder onnx; %s has its own", option, class->info.name);
}

static gboolean by_own_code(const RmilEncoderOptions *o) { return !o->device || strcmp(o->device, "cpu") == 0; }

static gboolean check(const RmilEncoderClass *class, const RmilEncoderOptions *o, GError **error) {
    const char *name = class->info.name;
    if (o->weights && !class->info.weights)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: the encoder %s uses no weights: leave --weights out", o->weights, name);
    if (class->check) return class->check(o, error);
    if (o->mean) return refuse(class, "--mean", error);
    if (o->sd) return refuse(class, "--sd", error);
    if (o->input_px) return refuse(class, "--input-px", error);
    if (o->output) return refuse(class, "--onnx-output", error);
    if (by_own_code(o)) return TRUE;
    if (!class->onnx)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--device %s is for networks, but %s always runs on the processor", o->device, name);
    return rmil_ort_device_known(o->device, error) &&
           (o->precision == RMIL_FLOAT32 ||
            rmil_fail(error, RMIL_ERROR_ARGUMENT, "--encode-bfloat16 is for the processor's own code; --device %s computes in float32",
                      o->device));
}

void rmil_encoder_tiles(const char *name, const RmilEncoderOptions *options, int *tile_px, double *mpp) {
    const RmilEncoderClass *class = rmil_encoder_find(name, NULL);
    RmilOnnxSays says = {0};
    if (!class) return;
    if (class->open_file && options->weights) rmil_onnx_says(options->weights, &says, NULL); /* opening reports errors */
    *tile_px = options->input_px ? options->input_px : says.input_px ? says.input_px : class->info.tile_px;
    *mpp = says.mpp > 0 ? says.mpp : class->info.mpp;
    rmil_onnx_says_clear(&says);
}

gboolean rmil_encoder_check(const char *name, const RmilEncoderOptions *options, GError **error) {
    const RmilEncoderClass *class = rmil_encoder_find(name, error);
    return class && check(class, options, error);
}

RmilTensors *rmil_encoder_weights(const RmilEncoderClass *class, const char *path, char sha256[65], GError **error) {
    g_autoptr(RmilTensors) weights = rmil_weights_read(path, sha256, error);
    return weights && fits(class, weights, error) ? g_steal_pointer(&weights) : NULL;
}

static gboolean open_tensors(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error) {
    const RmilEncoderClass *class = encoder->class;
    char sha256[65] = "";
    g_autoptr(RmilTensors) weights = class->info.weights ? rmil_encoder_weights(class, options->weights, sha256, error) : NULL;
    if (class->info.weights && !weights) return FALSE;
    return class->open(encoder, weights, sha256, options->precision, error);
}

/* By ONNX Runtime: from here on the same as the encoder onnx, except for its identity. */
static gboolean open_device(RmilEncoder *encoder, const RmilEncoderOptions *options, GError **error) {
    g_autofree char *identity = NULL, *note = NULL, *path = rmil_device_file(encoder->class, options, &identity, &note, error);
    RmilEncoderOptions how = *options;
    how.weights = path;
    if (!path || !(encoder->class = rmil_encoder_find("onnx", error)) || !encoder->class->open_file(encoder, &how, error)) return FALSE;
    g_free(encoder->identity);
    g_free(encoder->note);
    encoder->identity = g_steal_pointer(&identity);
    encoder->note = g_steal_pointer(&note);
    return TRUE;
}

RmilEncoder *rmil_encoder_new(const char *name, const RmilEncoderOptions *options, GError **error) {
    const RmilEncoderClass *class = find_for(name, options->weights, error);
    if (!class) return NULL;
    if (options->workers < 1) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "encoder %s: %d workers; at least 1 is needed", class->info.name, options->workers);
        return NULL;
    }
    if (!check(class, options, error)) return NULL;
    if (class->info.weights && !options->weights) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT,
                  "the encoder %s needs its weights: give --weights FILE (docs/encoders.md says where to "
                  "get them)",
                  class->info.name);
        return NULL;
    }
    g_autoptr(RmilEncoder) encoder = g_new0(RmilEncoder, 1);
    encoder->class = class;
    encoder->workers = options->workers;
    encoder->dim = class->info.dim;
    encoder->tile_px = class->info.tile_px;
    gboolean (*open)(RmilEncoder *, const RmilEncoderOptions *, GError **) = class->open_file       ? class->open_file
                                                                             : by_own_code(options) ? open_tensors
                                                                                                    : open_device;
    return open(encoder, options, error) ? g_steal_pointer(&encoder) : NULL;
}

void rmil_encoder_free(RmilEncoder *encoder) {
    if (!encoder) return;
    encoder->class->close(encoder->state);
    g_free(encoder->identity);
    g_free(encoder->note);
    g_free(encoder);
}

int rmil_encoder_dim(const RmilEncoder *encoder) { return encoder->dim; }

int rmil_encoder_tile_px(const RmilEncoder *encoder) { return encoder->tile_px; }

const char *rmil_encoder_identity(const RmilEncoder *encoder) { return encoder->identity; }

const char *rmil_encoder_note(const RmilEncoder *encoder) { return encoder->note; }

int rmil_encoder_batch(const RmilEncoder *encoder) { return encoder->batch; }

int rmil_encoder_calls(const RmilEncoder *encoder) { return encoder->calls; }

gboolean rmil_encoder_run(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    if (worker < 0 || worker >= encoder->workers)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "encoder %s: worker %d of %d", encoder->class->info.name, worker, encoder->workers);
    return encoder->class->run(encoder, worker, rgb, count, features, error);
}
