/* SPDX-License-Identifier: Apache-2.0 */
/* Where ONNX Runtime computes: cpu or onnxruntime (the processor by either name), cuda, tensorrt or rocm. */
#ifndef RMIL_ORT_DEVICE_H
#define RMIL_ORT_DEVICE_H

#include "ort-library.h"

gboolean rmil_ort_device_known(const char *device, GError **error); /* ARGUMENT lists those there are */
/* Asks for it, and fails where this library, or this machine, has none of it: ARGUMENT, naming the library's file. */
gboolean rmil_ort_device_add(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *device, GError **error);
/* The same, with nothing made of it. */
gboolean rmil_ort_device_check(const RmilOrtLibrary *library, const char *device, GError **error);
gboolean rmil_ort_device_processor(const char *device); /* is it the processor? */

#endif
