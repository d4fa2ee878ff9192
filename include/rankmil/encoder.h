/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil encoder: tile pixels -> feature vectors. */
#ifndef RANKMIL_ENCODER_H
#define RANKMIL_ENCODER_H

#include "tensors.h"

G_BEGIN_DECLS

typedef struct _RmilEncoder RmilEncoder;
typedef struct {
    const char *weights; /* weight file; NULL for encoders without weights */
    RmilPrecision precision;
    int workers; /* the number of threads that will call rmil_encoder_run, ≥ 1 */
    /* These four are only for "onnx"; any other encoder refuses them. */
    const char *mean, *sd; /* of its input, "R,G,B" for pixels from 0 to 1; NULL: from the file, or else ImageNet's */
    int input_px;          /* pixels per side of its input, and thus of tiles, 8 … 4096; 0: from the file, or else 224 */
    const char *output;    /* the output that has the features; NULL: the only one, or the first with one vector per image */
    /* "cpu", or for ONNX Runtime "onnxruntime" (on the CPU), "cuda", "tensorrt" or "rocm"; NULL: "cpu". The encoder "onnx" always uses ONNX
     * Runtime. All others use our own code on "cpu"; on other devices they are first written as an ONNX file, which is kept in the user's
     * cache folder. */
    const char *device;
} RmilEncoderOptions;

#define RMIL_IMAGENET_MEAN "0.485,0.456,0.406"
#define RMIL_IMAGENET_SD "0.229,0.224,0.225"

/* What is known about an encoder before it is opened. */
typedef struct {
    const char *name;  /* "texture" (built in), "resnet50" (up to layer3), "uni" … */
    const char *title; /* for readers */
    int dim;           /* length of a feature vector; 0: depends on the weight file */
    int tile_px;       /* pixels per side of a tile */
    double mpp;        /* µm per pixel that it was made for */
    /* A tensor by which its weight files are recognised; its name may have a prefix. For "onnx", whose files are whole networks, the
     * extension of the file name. NULL: it has no weights. */
    const char *weights;
    const char *licence; /* of the weights, and "open" or "gated" (access must be requested); NULL: no weights, or any */
    const char *source;  /* URL where the authors publish the weights; NULL: as for licence */
} RmilEncoderInfo;
/* An unknown name is ARGUMENT; the message lists all names. The result is constant. */
RMIL_API const RmilEncoderInfo *rmil_encoder_info(const char *name, GError **error);
RMIL_API const char *const *rmil_encoder_names(void); /* NULL-terminated; the first is the default */

/* The name of the encoder that a weight file belongs to, found from its tensors ("onnx": from its file name). This is what the name "auto"
 * stands for. NULL and *error if there is none, or if there are several, which the message lists. */
RMIL_API const char *rmil_encoder_guess(const char *weights, GError **error);

/* The tile size in pixels and the µm per pixel for an encoder: from the options, from the file ("onnx"), or from its info. Leaves both
 * unchanged for an unknown name. */
RMIL_API void rmil_encoder_tiles(const char *name, const RmilEncoderOptions *options, int *tile_px, double *mpp);

RMIL_API gboolean rmil_encoder_is_network(const char *name); /* can it be written as ONNX, and run on other devices? */
/* Writes a network with its weights as ONNX (operator set 17, which needs ONNX Runtime 1.12 or newer). Input: "images", N × 3 × tile_px ×
 * tile_px, float32, (pixel / 255 − mean) / SD. Output: "features", N × dim, equal to those of rmil_encoder_run except for float32 rounding.
 * The metadata have encoder, mean, SD, size, µm per pixel, pooling and the SHA-256 of the weights; the encoder "onnx" reads them. Weights
 * of more than 2 GiB as float32 are mostly written to PATH.data; *beside (may be NULL) is then TRUE. ARGUMENT: not a network, or unknown;
 * FORMAT, DATA: not its weights. A failed call leaves no files. */
RMIL_API gboolean rmil_encoder_onnx_write(const char *name, const char *weights, const char *path, gboolean *beside, GError **error);

/* Checks options without opening anything. ARGUMENT, naming the command-line option; also for an unknown name, including "auto". */
RMIL_API gboolean rmil_encoder_check(const char *name, const RmilEncoderOptions *options, GError **error);

/* Opens an encoder; "auto" guesses it from the weights. ARGUMENT: unknown name, missing weights, options (rmil_encoder_check), bfloat16 on
 * a CPU without fast bfloat16, ONNX Runtime or the device not available. Also fails if the weights are broken or belong to another network,
 * or if an ONNX file does not take single images. "texture" ignores the precision. Free with rmil_encoder_free. */
RMIL_API RmilEncoder *rmil_encoder_new(const char *name, const RmilEncoderOptions *options, GError **error);
RMIL_API void rmil_encoder_free(RmilEncoder *encoder);
RMIL_API int rmil_encoder_dim(const RmilEncoder *encoder);
RMIL_API int rmil_encoder_tile_px(const RmilEncoder *encoder); /* pixels per side of the tiles for rmil_encoder_run */
/* A text that changes whenever the features would: name, version, SHA-256 of the weights, precision. Owned by the encoder. */
RMIL_API const char *rmil_encoder_identity(const RmilEncoder *encoder);
/* What the user should know, such as what was assumed because no option gave it. Owned by the encoder; NULL: nothing. */
RMIL_API const char *rmil_encoder_note(const RmilEncoder *encoder);
RMIL_API int rmil_encoder_batch(const RmilEncoder *encoder); /* best number of tiles per call */
/* The number of concurrent calls that keep it busy: 2 for an accelerator, which computes one batch while the next is transferred; 0: as
 * many as there are workers. */
RMIL_API int rmil_encoder_calls(const RmilEncoder *encoder);

/* Encodes `count` tiles, each tile_px × tile_px RGB bytes, into count × dim floats. The features of a tile do not depend on the other
 * tiles. May be called concurrently with different `worker`s, 0 … workers − 1. */
RMIL_API gboolean rmil_encoder_run(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilEncoder, rmil_encoder_free)

G_END_DECLS
#endif
