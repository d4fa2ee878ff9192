/* SPDX-License-Identifier: Apache-2.0 */
/* A model's configuration as text, for model files and for keys that must change with it. */
#ifndef RMIL_MIL_MODELFILE_H
#define RMIL_MIL_MODELFILE_H

#include "model.h"

/* key, value, key, value …, NULL: the model's name, guide and every number of the configuration; g_strfreev. */
char **rmil_model_config_text(const RmilModelConfig *config);

#endif
