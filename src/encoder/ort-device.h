/* SPDX-License-Identifier: Apache-2.0 */
/* Where ONNX Runtime computes: cpu or onnxruntime (both mean the processor), cuda, tensorrt or rocm. */
#ifndef RMIL_ORT_DEVICE_H
#define RMIL_ORT_DEVICE_H

#include "ort-library.h"

gboolean rmil_ort_device_known(const char *device, GError **error); /* ARGUMENT lists the known ones */
/* Requests the device; fails if this library or machine does not have it: ARGUMENT, with the library's file. */
gboolean rmil_ort_device_add(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *device, GError **error);
/* The same, only as a test. */
gboolean rmil_ort_device_check(const RmilOrtLibrary *library, const char *device, GError **error);
gboolean rmil_ort_device_processor(const char *device); /* is it the processor? */

#endif
