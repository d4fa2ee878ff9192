/* SPDX-License-Identifier: Apache-2.0 */
/* The names of a vision transformer's tensors in a file. */
#ifndef RMIL_VIT_NAMES_H
#define RMIL_VIT_NAMES_H

#include "vit-weights.h"

struct _RmilVitWeights {
    const RmilTensors *tensors;
    gboolean hugging;  /* Hugging Face's names */
    char *prefix;      /* of all names */
    GPtrArray *blocks; /* of each block: "blocks.0.", "blocks.1.12.", "encoder.layer.0." */
    RmilVitShape shape;
};

/* Sets prefix, hugging and blocks. */
gboolean rmil_vit_names_find(RmilVitWeights *weights, GError **error);

/* Number of tensors in a part: queries, keys and values may be separate. */
int rmil_vit_name_parts(const RmilVitWeights *weights, RmilVitPart part);
/* The name of such a part in this file, in a block or (−1) outside, whether or not it exists. With a dot at the end it stands for two
 * tensors: weight and bias. */
const char *rmil_vit_name(const RmilVitWeights *weights, RmilVitPart part, int which, int64_t block);
/* With the prefix, the block and, after a dot, the ending. Free with g_free. */
char *rmil_vit_name_full(const RmilVitWeights *weights, int64_t block, const char *name, const char *ending);
/* The tensor, or its weight; NULL if there is none. */
const RmilTensor *rmil_vit_tensor(const RmilVitWeights *weights, RmilVitPart part, int64_t block);
/* Is this the full name of a tensor in a block, or of one that only another kind of network has? */
gboolean rmil_vit_name_strange(const RmilVitWeights *weights, const char *name);

#endif
