/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 in training (He et al., CVPR 2016; torchvision's form and names): forward and backward pass and running statistics, by a crew
 * of threads. A batch is divided into chunks of a fixed number of tiles, one thread each, and everything that is summed over chunks is
 * summed in their order: the bits are the same for any number of threads. */
#ifndef RMIL_NETWORK_H
#define RMIL_NETWORK_H

#include "base/parallel.h"
#include "rankmil/tensors.h"

enum { RMIL_STAGES = 4 };

typedef struct {
    int width;               /* channels of the stem: 64; features: 32 times as many */
    int blocks[RMIL_STAGES]; /* 3, 4, 6, 3 */
    int outputs;             /* of the last layer, fc */
} RmilNetworkShape;
/* The shape of ResNet-50. */
void rmil_network_shape_init(RmilNetworkShape *shape, int width, int outputs);

typedef struct {
    char name[48];
    int rank;
    int64_t shape[4], count;
    int64_t inputs;     /* number of inputs that each output of a convolution or of fc sums over; 0: another tensor */
    int stage;          /* 0: stem, 1 … 4: layer1 …, 5: fc */
    gboolean statistic; /* running_mean, running_var: not trained */
    float usual;        /* initial value of a norm's tensors: 1 or 0 */
} RmilNetworkTensor;
/* All tensors, in the order in which values and gradients are passed. GArray; free with g_array_unref. */
GArray *rmil_network_tensors(const RmilNetworkShape *shape);

typedef struct {
    RmilNetworkShape shape;
    int side;      /* of a tile */
    int64_t batch; /* tiles per step; in chunks of the largest divisor up to RMIL_NETWORK_CHUNK */
    int frozen; /* stages that stay as they are, with norms using their running statistics: 0 none, 1 the stem, 2 also layer1 … 4 all but
                 * layer4 */
    RmilPrecision precision;
    int64_t memory; /* bytes for what the backward pass needs; further blocks are computed twice, with the same bits; 0: no limit */
} RmilNetworkConfig;
enum { RMIL_NETWORK_CHUNK = 4 };

typedef struct _RmilNetwork RmilNetwork;
/* values: those of the frozen stages are read here once; the others may still change. The crew must outlive the network, or be replaced.
 * ARGUMENT: this processor has no bfloat16. MEMORY. */
RmilNetwork *rmil_network_new(const RmilNetworkConfig *config, RmilCrew *crew, float *const *values, GError **error);
void rmil_network_free(RmilNetwork *network);
/* Replaces the crew by one with any number of threads; results do not change. values: as before. */
gboolean rmil_network_hire(RmilNetwork *network, RmilCrew *crew, float *const *values, GError **error);

/* input: (batch, 3, side, side), normalised. logits: (batch, outputs). Norms use the batch's statistics, a tenth of which goes into the
 * running ones, in values. */
gboolean rmil_network_forward(RmilNetwork *network, float *const *values, const float *input, float *logits, GError **error);
/* After forward, with the same values and input. slopes: ∂L/∂logits. gradients: of the trained tensors, overwritten; the others' are not
 * touched and may be NULL. */
gboolean rmil_network_backward(RmilNetwork *network, float *const *values, const float *input, const float *slopes, float *const *gradients,
                               GError **error);
/* Bytes of its own arrays, without oneDNN's weights, the workers' scratch and the frozen stages. */
int64_t rmil_network_memory(const RmilNetwork *network);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilNetwork, rmil_network_free)

#endif
