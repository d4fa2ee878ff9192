/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files in place of weights. */
#include "device.h"

#include "onnx-file.h"
#include "onnx-write.h"
#include "ort-device.h"

#include <string.h>

/* Checked before a file of some GB is read and another written. */
static gboolean can_run(const char *device, GError **error) {
    RmilOrtLibrary *library = rmil_ort_library_new(error);
    const gboolean good = library && rmil_ort_device_check(library, device, error);
    rmil_ort_library_free(library);
    return good;
}

/* Was this file made from these weights, by this exporter? */
static gboolean is_made(const char *path, const char *name, const char *sha256) {
    RmilOnnxSays says;
    g_autofree char *weights = g_strconcat("sha256:", sha256, NULL);
    const gboolean made = rmil_onnx_says(path, &says, NULL) && g_strcmp0(says.encoder, name) == 0 &&
                          g_strcmp0(says.weights, weights) == 0 && g_strcmp0(says.exporter, RMIL_ONNX_EXPORTER) == 0;
    rmil_onnx_says_clear(&says);
    return made;
}

static char *cached_path(const char *folder, const char *name, const char *sha256) {
    g_autofree char *file = g_strdup_printf("%s-%.16s" RMIL_ONNX_ENDING, name, sha256);
    return g_build_filename(folder, file, NULL);
}

/* The file; *new: it did not exist before. Free with g_free. */
static char *make_file(const RmilEncoderClass *class, const char *weights, char sha256[65], gboolean *new, GError **error) {
    g_autoptr(RmilTensors) tensors = rmil_encoder_weights(class, weights, sha256, error);
    if (!tensors) return NULL;
    g_autofree char *folder = g_build_filename(g_get_user_cache_dir(), "rankmil", NULL),
                    *path = cached_path(folder, class->info.name, sha256), *name = g_path_get_basename(path),
                    *lock_name = g_strconcat(".", name, ".lock", NULL);
    *new = FALSE;
    if (is_made(path, class->info.name, sha256)) return g_steal_pointer(&path);
    GError *reason = NULL;
    g_autoptr(RmilLock) lock = rmil_lock_take(folder, lock_name, RMIL_LOCK_WAIT, "rankmil", NULL, &reason);
    if (lock && (is_made(path, class->info.name, sha256) ||
                 (*new = rmil_encoder_graph_write(class, tensors, sha256, path, rmil_onnx_most_bytes, &reason))))
        return g_steal_pointer(&path);
    rmil_fail(error, (RmilErrorCode)reason->code,
              "%s: the encoder %s, which --device needs as ONNX, cannot be written there: %s (set XDG_CACHE_HOME to use another "
              "cache folder)",
              folder, class->info.name, reason->message);
    g_error_free(reason);
    return NULL;
}

char *rmil_device_file(const RmilEncoderClass *class, const RmilEncoderOptions *options, char **identity, char **note, GError **error) {
    const char *name = class->info.name, *device = options->device;
    char sha256[65];
    gboolean new;
    if (!can_run(device, error)) return NULL;
    char *path = make_file(class, options->weights, sha256, &new, error);
    if (!path) return NULL;
    *identity = g_strdup_printf("%s onnx " RMIL_ONNX_EXPORTER " sha256:%s; %s", name, sha256, device);
    *note = g_strdup_printf("--device %s: %s runs in ONNX Runtime, from %s, which was made from %s%s", device, name, path, options->weights,
                            new ? "" : " before");
    return path;
}
