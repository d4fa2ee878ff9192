/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil tensors: the number types of features, weights and models. */
#ifndef RANKMIL_TENSORS_H
#define RANKMIL_TENSORS_H

#include "base.h"

G_BEGIN_DECLS

/* Number type in memory. */
typedef enum { RMIL_FLOAT32, RMIL_BFLOAT16 } RmilPrecision;

G_END_DECLS
#endif
