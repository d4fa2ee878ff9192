/* SPDX-License-Identifier: Apache-2.0 */
/* Where ONNX Runtime computes: cpu, cuda, tensorrt or rocm. */
#ifndef RMIL_ORT_DEVICE_H
#define RMIL_ORT_DEVICE_H

#include "ort-library.h"

gboolean rmil_ort_device_known(const char *device, GError **error); /* ARGUMENT lists those there are */
/* Asks for it, and fails where this library, or this machine, has none of it: ARGUMENT, naming the library's file. */
gboolean rmil_ort_device_add(const RmilOrtLibrary *library, RmilOrtOptions *options, const char *device, GError **error);

#endif
