/* SPDX-License-Identifier: Apache-2.0 */
/* How a file names the tensors of a vision transformer. */
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

/* How many tensors a part is: queries, keys and values may be apart. */
int rmil_vit_name_parts(const RmilVitWeights *weights, RmilVitPart part);
/* The name that this file has for such a part, in a block or (−1) outside, or would have. With a dot at the end it is two tensors: weight and
 * bias. */
const char *rmil_vit_name(const RmilVitWeights *weights, RmilVitPart part, int which, int64_t block);
/* With the prefix, the block, and behind a dot the ending. Free with g_free. */
char *rmil_vit_name_full(const RmilVitWeights *weights, int64_t block, const char *name, const char *ending);
/* The tensor, or its weight; NULL: there is none. */
const RmilTensor *rmil_vit_tensor(const RmilVitWeights *weights, RmilVitPart part, int64_t block);
/* Is this full name of a block, or of what a network of another kind has? */
gboolean rmil_vit_name_strange(const RmilVitWeights *weights, const char *name);

#endif
