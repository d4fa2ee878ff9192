/* SPDX-License-Identifier: Apache-2.0 */
/* Our own encoders on devices that our own code does not support: as ONNX, by ONNX Runtime. */
#ifndef RMIL_DEVICE_H
#define RMIL_DEVICE_H

#include "encoder-private.h"

/* The ONNX file of an encoder with these weights, which is written once into the user's cache folder; the identity of the features, and a
 * note for users. Free all with g_free. ARGUMENT: there is no ONNX Runtime, or no such device, which is checked first. */
char *rmil_device_file(const RmilEncoderClass *class, const RmilEncoderOptions *options, char **identity, char **note, GError **error);

#endif
