/* SPDX-License-Identifier: Apache-2.0 */
/* The table of encoders, from the list in meson.build: RMIL_ENCODERS is ENCODER(texture) ENCODER(resnet). */
#include "encoder-private.h"

#define ENCODER(name) extern const RmilEncoderClass *const rmil_##name##_encoders[];
RMIL_ENCODERS
#undef ENCODER
#define ENCODER(name) rmil_##name##_encoders,
const RmilEncoderClass *const *const rmil_encoder_files[] = {RMIL_ENCODERS NULL};
