/* CLAM's names for the tensors of clam-sb and clam-mb. */
#ifndef RMIL_MIL_CLAM_WEIGHTS_H
#define RMIL_MIL_CLAM_WEIGHTS_H

#include "tensors/tensors-private.h"

#define RMIL_CLAM_FIRST "attention_net.0.weight" /* every CLAM model has it, and no other */

/* What CLAM calls a tensor of `model`; NULL: it has none such. Free with g_free. */
char *rmil_clam_name(const char *ours, const char *model);
gboolean rmil_clam_match(const RmilTensors *file);
/* The same tensors under our names; they share the file's data, which must stay. */
RmilTensors *rmil_clam_read(const RmilTensors *file, GError **error);

#endif
