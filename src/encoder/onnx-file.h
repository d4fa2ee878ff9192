/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes make an ONNX model. */
#ifndef RMIL_ONNX_FILE_H
#define RMIL_ONNX_FILE_H

#include "base/base-private.h"

#define RMIL_ONNX_ENDING ".onnx"

/* "sha256:…" of the file, and after it " NAME sha256:…" of each file of its folder that the model names as tensors outside itself, in the
 * order of names. IO: one of them cannot be read. Free with g_free. */
char *rmil_onnx_digest(const char *path, GError **error);

#endif
