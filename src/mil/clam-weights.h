/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's names for the tensors of clam-sb and clam-mb. */
#ifndef RMIL_MIL_CLAM_WEIGHTS_H
#define RMIL_MIL_CLAM_WEIGHTS_H

#include "model.h"

extern const RmilForeignNames rmil_clam_names;

#endif
