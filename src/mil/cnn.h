/* SPDX-License-Identifier: Apache-2.0 */
/* Internals of patch-cnn: a ResNet-50 on the pixels of patches, and a patch classifier on its features (docs/models.md, Patch
 * classifiers). */
#ifndef RMIL_MIL_CNN_H
#define RMIL_MIL_CNN_H

#include "encoder/network.h"
#include "epoch.h"
#include "patch.h"

enum { RMIL_CNN_SIDE = 224 }; /* side of a tile in pixels */

typedef struct {
    int64_t width;       /* channels of the stem */
    int frozen;          /* stages that are not trained (RmilNetworkConfig) */
    int64_t batch;       /* tiles per step of Adam */
    int64_t tiles;       /* per slide and epoch, on average */
    int64_t judged;      /* per validation slide; 0: all */
    gboolean flip, turn; /* augmentation */
    double stain;
    int precision; /* in training: RmilPrecision */
} RmilCnnOptions;

static inline RmilNetworkShape rmil_cnn_shape(const RmilModelConfig *config) {
    RmilNetworkShape shape;
    rmil_network_shape_init(&shape, (int)((const RmilCnnOptions *)rmil_model_own(config))->width, rmil_model_outputs(config));
    return shape;
}

/* -- the network in prediction: cnn-features.c ----------------------------------------------------------------------------------- */
/* A network with a copy of the parameters, which may change afterwards; for any number of threads at once. */
typedef struct _RmilCnnRunner RmilCnnRunner;
RmilCnnRunner *rmil_cnn_runner_new(const RmilModel *model, const float *parameters, int threads, GError **error);
void rmil_cnn_runner_free(RmilCnnRunner *runner);
/* `out` becomes a copy of the bag with the network's features of its patches; the bag must have its slide (rmil_bag_set_slide). Free
 * out->features with rmil_free. */
gboolean rmil_cnn_runner_bag(RmilCnnRunner *runner, const RmilBag *bag, RmilBag *out, GError **error);
/* Some patches of a bag as a bag of their own, without features; the tiles are read from `of`. */
typedef struct {
    RmilBag bag;
    const RmilBag *of;
    int64_t *patches; /* bag.count indices */
} RmilCnnPart;
gboolean rmil_cnn_runner_part(RmilCnnRunner *runner, const RmilCnnPart *part, RmilBag *out, GError **error);
/* RmilModelClass.look */
gboolean rmil_cnn_look(const RmilModel *model, const RmilBag *bag, RmilBag *out, GError **error);

/* -- training: cnn-train.c, cnn-tiles.c -------------------------------------------------------------------------------------------- */
extern const RmilTrainerKind rmil_cnn_trainer;

/* A tile of an epoch. */
typedef struct {
    int64_t slide, patch;
    int class;
} RmilCnnTile;
/* The tiles of an epoch, in random order; n is a multiple of the batch. As many of each class that is known for patches of any training
 * slide; within a class as many from each slide; on a slide no tile twice before each was drawn once. Free with g_free. */
RmilCnnTile *rmil_cnn_draw(const RmilTrainer *t, const RmilCnnOptions *own, int64_t *n);
/* At most `most` patches of a bag (0: all); half of them annotated, if some are. The same at every call. Free with rmil_cnn_part_free. */
RmilCnnPart *rmil_cnn_part(const RmilBag *bag, int64_t most, uint64_t seed, int64_t slide, GError **error);
/* Removes the patches that cannot be read; *reason receives the reason of the first, or NULL. Free it with g_free. rgb: one tile of
 * scratch. */
void rmil_cnn_part_check(RmilCnnPart *part, uint8_t *rgb, char **reason);
void rmil_cnn_part_free(RmilCnnPart *part);

#endif
