/* SPDX-License-Identifier: Apache-2.0 */
/* patch-cnn inside: a ResNet-50 on the pixels of patches, and a patch classifier on what it makes of them (docs/models.md, Patch
 * classifiers). */
#ifndef RMIL_MIL_CNN_H
#define RMIL_MIL_CNN_H

#include "encoder/network.h"
#include "epoch.h"
#include "patch.h"

enum { RMIL_CNN_SIDE = 224 }; /* pixels of a tile */

typedef struct {
    int64_t width;       /* channels of the stem */
    int frozen;          /* stages that stay as they are (RmilNetworkConfig) */
    int64_t batch;       /* tiles of a step of Adam */
    int64_t tiles;       /* that a slide gives an epoch, on average */
    int64_t judged;      /* of a validation slide; 0: all */
    gboolean flip, turn; /* augmentation */
    double stain;
    int precision; /* of training: RmilPrecision */
} RmilCnnOptions;

static inline RmilNetworkShape rmil_cnn_shape(const RmilModelConfig *config) {
    RmilNetworkShape shape;
    rmil_network_shape_init(&shape, (int)((const RmilCnnOptions *)rmil_model_own(config))->width, rmil_model_outputs(config));
    return shape;
}

/* -- the network as it predicts: cnn-features.c ---------------------------------------------------------------------------------- */
/* One that was made of parameters, which may change after; for any number of threads at once. */
typedef struct _RmilCnnRunner RmilCnnRunner;
RmilCnnRunner *rmil_cnn_runner_new(const RmilModel *model, const float *parameters, int threads, GError **error);
void rmil_cnn_runner_free(RmilCnnRunner *runner);
/* `out` becomes the bag with the network's features of its patches, which its slide must have (rmil_bag_set_slide); all else is the bag's.
 * Free out->features with rmil_free. */
gboolean rmil_cnn_runner_bag(RmilCnnRunner *runner, const RmilBag *bag, RmilBag *out, GError **error);
/* Some patches of a bag as a bag of its own, without features, whose tiles are those of `of`. */
typedef struct {
    RmilBag bag;
    const RmilBag *of;
    int64_t *patches; /* bag.count of them */
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
/* The tiles of an epoch, n = a multiple of the batch, in random order: as many of each class that any training slide's patches are known
 * to be of, of each class as many from each slide, of a slide each once before any twice. Free with g_free. */
RmilCnnTile *rmil_cnn_draw(const RmilTrainer *t, const RmilCnnOptions *own, int64_t *n);
/* At most `most` patches of a bag (0: all), half of them inside where some are. The same at every call. Free with rmil_cnn_part_free. */
RmilCnnPart *rmil_cnn_part(const RmilBag *bag, int64_t most, uint64_t seed, int64_t slide, GError **error);
/* Takes out of it the patches that cannot be read; *reason gets why of the first, or NULL. Free it with g_free. rgb: one tile of scratch. */
void rmil_cnn_part_check(RmilCnnPart *part, uint8_t *rgb, char **reason);
void rmil_cnn_part_free(RmilCnnPart *part);

#endif
