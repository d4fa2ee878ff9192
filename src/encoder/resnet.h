/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 (He et al., CVPR 2016) in torchvision's form: a bottleneck's stride is in its 3 × 3 convolution. */
#ifndef RMIL_RESNET_H
#define RMIL_RESNET_H

#include "tensors/tensors-private.h"
#include "rankmil/encoder.h"

/* Mean and SD of RGB in 0 … 1. */
typedef struct {
    double mean[3], sd[3];
} RmilInputScale;
extern const RmilInputScale rmil_imagenet_scale;

typedef struct {
    int width;     /* channels of the stem: 64; features: width × 16 after three stages, × 32 after four */
    int stages;    /* 1 … 4: layer1 to layer<stages>; 0: only the stem */
    int blocks[4]; /* of the stages; all 0: ResNet-50's 3, 4, 6, 3 */
    int side;      /* of a tile in pixels: 224 */
    int batch;     /* tiles processed together */
    int workers;
    RmilPrecision precision;
    const RmilInputScale *input; /* NULL: ImageNet's */
} RmilResnetConfig;

/* The prefix of torchvision's names in this file. FORMAT: it contains no ResNet. Free with g_free. */
char *rmil_resnet_prefix(const RmilTensors *tensors, GError **error);

/* A convolution's weights (of this shape) combined with the batch norm after it: w · γ/√(σ² + ε), β − μ · γ/√(σ² + ε); free with
 * rmil_free. */
gboolean rmil_resnet_fold(const RmilTensors *tensors, const char *prefix, const char *convolution, const char *norm, const int64_t shape[4],
                          float **weights, float **bias, GError **error);
const int *rmil_resnet_blocks(const RmilResnetConfig *config); /* of each stage */

typedef struct _RmilResnet RmilResnet;
/* Tensor names are torchvision's, with or without a prefix ("module.", "state_dict.encoder." …); tensors that the stages do not need may be
 * missing. Batch norms are folded into the convolutions. */
RmilResnet *rmil_resnet_new(const RmilTensors *tensors, const RmilResnetConfig *config, GError **error);
void rmil_resnet_free(RmilResnet *resnet);
int rmil_resnet_dim(const RmilResnet *resnet);
/* Like rmil_encoder_run. A last group smaller than the batch is padded with black tiles. */
gboolean rmil_resnet_run(RmilResnet *resnet, int worker, const uint8_t *rgb, int count, float *features, GError **error);

/* A tile of side × side RGB bytes as input of the network: three planes, normalised as for ImageNet. */
void rmil_resnet_input(const uint8_t *rgb, int side, float *planes);
/* The output of the last stage for one batch of tiles (batch, 3, side, side), normalised: (batch, channels, side', side'), valid until the
 * worker's next call. */
const float *rmil_resnet_maps(RmilResnet *resnet, int worker, const float *tiles, GError **error);

#endif
