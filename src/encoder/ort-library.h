/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Runtime, loaded when an encoder needs it: not part of the build. */
#ifndef RMIL_ORT_LIBRARY_H
#define RMIL_ORT_LIBRARY_H

#include "base/base-private.h"
#include "ort-api.h"

typedef struct {
    void *handle;
    char *path;          /* its path, for messages */
    const char *version; /* "1.20.1" */
    const RmilOrtApi *api;
} RmilOrtLibrary;

/* The library named by the environment variable RMIL_ONNXRUNTIME (a file, or a folder: of a package, of the output of
 * tools/setup-onnxruntime, of a Python environment); otherwise the one found by the system's loader, then that of an installed Python
 * package. ARGUMENT: there is none, or it is too old; FORMAT: it cannot be loaded. Free with rmil_ort_library_free. */
RmilOrtLibrary *rmil_ort_library_new(GError **error);
void rmil_ort_library_free(RmilOrtLibrary *library);
/* TRUE: status is NULL. Otherwise FORMAT, "WHAT: the library's message"; frees the status. */
gboolean rmil_ort_good(const RmilOrtLibrary *library, RmilOrtStatus *status, const char *what, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilOrtLibrary, rmil_ort_library_free)

#endif
