/* SPDX-License-Identifier: Apache-2.0 */
/* Execution providers, as ONNX Runtime calls them. */
#include "ort-device.h"

#include <dlfcn.h>
#include <string.h>

#define INSTALL "tools/setup-onnxruntime --gpu fetches a library with CUDA and TensorRT; --device cpu needs none"

typedef gboolean (*Add)(const RmilOrtLibrary *library, RmilOrtOptions *options, GError **error);

/* For all whose options are created by the library. keys, values: in addition to its defaults. */
static gboolean add_with(const RmilOrtLibrary *library, RmilOrtOptions *options, RmilOrtCreate create, RmilOrtUpdate update,
                         RmilOrtAppend append, RmilOrtRelease release, const char *const *keys, const char *const *values, size_t count,
                         GError **error) {
    RmilOrtProvider *provider = NULL;
    if (!rmil_ort_good(library, create(&provider), library->path, error)) return FALSE;
    const gboolean good = (!count || rmil_ort_good(library, update(provider, keys, values, count), library->path, error)) &&
                          rmil_ort_good(library, append(options, provider), library->path, error);
    release(provider);
    return good;
}

/* Features must not depend on which algorithm was the fastest in a trial, nor on TF32 with its ten bits. */
static gboolean add_cuda(const RmilOrtLibrary *library, RmilOrtOptions *options, GError **error) {
    static const char *const keys[] = {"cudnn_conv_algo_search", "use_tf32"}, *const values[] = {"HEURISTIC", "0"};
    const RmilOrtApi *api = library->api;
    return add_with(library, options, api->create_cuda, api->update_cuda, api->append_cuda, api->release_cuda, keys, values, 2, error);
}

/* CUDA does what TensorRT does not support. */
static gboolean add_tensorrt(const RmilOrtLibrary *library, RmilOrtOptions *options, GError **error) {
    const RmilOrtApi *api = library->api;
    return add_with(library, options, api->create_tensorrt, api->update_tensorrt, api->append_tensorrt, api->release_tensorrt, NULL, NULL,
                    0, error) &&
           add_cuda(library, options, error);
}

/* A separate symbol, in libraries that were built with it. */
static gboolean add_symbol(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *name, GError **error) {
    RmilOrtStatus *(*append)(RmilOrtOptions * options, int device) = NULL;
    void *symbol = dlsym(library->handle, name);
    if (!symbol) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no %s", library->path, name);
    memcpy(&append, &symbol, sizeof append);
    return rmil_ort_good(library, append(options, 0), library->path, error);
}

static gboolean add_rocm(const RmilOrtLibrary *library, RmilOrtOptions *options, GError **error) {
    return add_symbol(library, options, "OrtSessionOptionsAppendExecutionProvider_ROCM", error);
}

static gboolean add_migraphx(const RmilOrtLibrary *library, RmilOrtOptions *options, GError **error) {
    return add_symbol(library, options, "OrtSessionOptionsAppendExecutionProvider_MIGraphX", error);
}

#define PROCESSOR "CPUExecutionProvider"

/* A device may have several providers: the first that the library has is used. */
static const struct {
    const char *device, *provider;
    Add add;
    const char *install;
} devices[] = {
    {"cpu", PROCESSOR, NULL, INSTALL},
    {"onnxruntime", PROCESSOR, NULL, INSTALL},
    {"cuda", "CUDAExecutionProvider", add_cuda, INSTALL},
    {"tensorrt", "TensorrtExecutionProvider", add_tensorrt, INSTALL},
    {"rocm", "MIGraphXExecutionProvider", add_migraphx, "AMD publishes libraries with it (package onnxruntime-migraphx)"},
    {"rocm", "ROCMExecutionProvider", add_rocm, NULL},
};

gboolean rmil_ort_device_known(const char *device, GError **error) {
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++)
        if (strcmp(devices[i].device, device) == 0) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "--device %s: there is no such device: choose cpu, onnxruntime, cuda, tensorrt or "
                     "rocm",
                     device);
}

gboolean rmil_ort_device_processor(const char *device) {
    for (gsize i = 0; i < G_N_ELEMENTS(devices); i++)
        if (strcmp(devices[i].device, device) == 0) return strcmp(devices[i].provider, PROCESSOR) == 0;
    return FALSE;
}

static gboolean listed(char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return TRUE;
    return FALSE;
}

static gboolean add(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *device, char *const *names, int count,
                    GError **error) {
    gsize first = 0;
    while (strcmp(devices[first].device, device) != 0) first++;
    for (gsize i = first; i < G_N_ELEMENTS(devices) && strcmp(devices[i].device, device) == 0; i++) {
        if (!listed(names, count, devices[i].provider)) continue;
        GError *reason = NULL;
        if (!devices[i].add || devices[i].add(library, options, &reason)) return TRUE;
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "--device %s: ONNX Runtime's %s does not start on this machine: %s. %s", device,
                  devices[i].provider, reason->message, "The loader must find its driver and libraries (LD_LIBRARY_PATH)");
        g_error_free(reason);
        return FALSE;
    }
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    for (int i = 0; i < count; i++) g_strv_builder_add(builder, names[i]);
    g_auto(GStrv) all = g_strv_builder_end(builder);
    g_autofree char *has = g_strjoinv(", ", all);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--device %s: %s (ONNX Runtime %s) was built without %s; it has %s. %s", device,
                     library->path, library->version, devices[first].provider, has, devices[first].install);
}

gboolean rmil_ort_device_add(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *device, GError **error) {
    char **names;
    int count;
    if (!rmil_ort_good(library, library->api->providers(&names, &count), library->path, error)) return FALSE;
    const gboolean good = add(library, options, device, names, count, error);
    return rmil_ort_good(library, library->api->release_providers(names, count), library->path, good ? error : NULL) && good;
}

gboolean rmil_ort_device_check(const RmilOrtLibrary *library, const char *device, GError **error) {
    RmilOrtOptions *options = NULL;
    if (!rmil_ort_good(library, library->api->create_options(&options), library->path, error)) return FALSE;
    const gboolean good = rmil_ort_device_add(library, options, device, error);
    library->api->release_options(options);
    return good;
}
