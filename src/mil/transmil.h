/* SPDX-License-Identifier: Apache-2.0 */
/* TransMIL as an ONNX graph. */
#ifndef RMIL_MIL_TRANSMIL_H
#define RMIL_MIL_TRANSMIL_H

#include "model.h"

void rmil_transmil_onnx(const RmilModelConfig *config, int64_t heads, int64_t landmarks, RmilOnnx *onnx);

#endif
