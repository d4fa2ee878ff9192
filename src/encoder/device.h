/* SPDX-License-Identifier: Apache-2.0 */
/* Our own encoders on other devices than our own code: as ONNX, by ONNX Runtime. */
#ifndef RMIL_DEVICE_H
#define RMIL_DEVICE_H

#include "encoder-private.h"

/* The ONNX file of an encoder with these weights, which is written once into the user's folder of caches; the features' identity, and what
 * users should hear. All to be freed with g_free. ARGUMENT: there is no ONNX Runtime, or no such device, which is looked at first. */
char *rmil_device_file(const RmilEncoderClass *class, const RmilEncoderOptions *options, char **identity, char **note, GError **error);

#endif
