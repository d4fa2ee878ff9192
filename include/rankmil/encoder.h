/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil encoder: tile pixels -> feature vectors. */
#ifndef RANKMIL_ENCODER_H
#define RANKMIL_ENCODER_H

#include "tensors.h"

G_BEGIN_DECLS

typedef struct _RmilEncoder RmilEncoder;
typedef struct {
    const char *weights; /* weight file; NULL for encoders that need none */
    RmilPrecision precision;
    int workers; /* how many threads will call rmil_encoder_run; ≥ 1 */
    /* Of "onnx" alone; others refuse them. */
    const char *mean, *sd; /* of its input, "R,G,B" where pixels go from 0 to 1; NULL: what its file says, or ImageNet's */
    int input_px;       /* pixels of a side of the images that it takes, which tiles have then, 8 … 4096; 0: what its file says, or 224 */
    const char *output; /* name of the output that is the feature; NULL: the only one, or the first with a vector for each image */
    /* "cpu"; by ONNX Runtime "onnxruntime" (on the processor), "cuda", "tensorrt" or "rocm"; NULL: "cpu". "onnx" is ONNX Runtime's on
     * each; others are our own code on "cpu", and else become an ONNX file in the user's folder of caches, which stays there. */
    const char *device;
} RmilEncoderOptions;

#define RMIL_IMAGENET_MEAN "0.485,0.456,0.406"
#define RMIL_IMAGENET_SD "0.229,0.224,0.225"

/* What an encoder is, before it is opened. */
typedef struct {
    const char *name;    /* "texture" (built in), "resnet50" (to layer3), "uni" … */
    const char *title;   /* for readers */
    int dim;             /* floats of a feature vector; 0: the file of weights says it */
    int tile_px;         /* pixels of a tile's side */
    double mpp;          /* µm per pixel that it is made for */
    const char *weights; /* a tensor that its weight files have, whatever precedes the name; of "onnx", whose files are whole
                          * networks, the ending of their names; NULL: it takes no weights */
    const char *licence; /* of the weights, and "open" or "gated": whether one has to ask for them; NULL: no weights, or anyone's */
    const char *source;  /* where their authors publish them: an address; NULL likewise */
} RmilEncoderInfo;
RMIL_API const RmilEncoderInfo *rmil_encoder_info(const char *name, GError **error); /* an unknown name's error lists those known */
RMIL_API const char *const *rmil_encoder_names(void);                                /* NULL-terminated; the first is the usual one */

/* The encoder that a file of weights is of, by its tensors ("onnx" by its name's ending): what the name "auto" means. NULL: none, or several, which the error names. */
RMIL_API const char *rmil_encoder_guess(const char *weights, GError **error);

/* Pixels of a tile's side and µm per pixel that an encoder is made for: its info's, options', or what the file says of "onnx". A name that is
 * not known leaves both as they are. */
RMIL_API void rmil_encoder_tiles(const char *name, const RmilEncoderOptions *options, int *tile_px, double *mpp);

RMIL_API gboolean rmil_encoder_is_network(const char *name); /* can it be written as ONNX, and run on other devices? */
/* Writes a network with its weights as ONNX (operator set 17: ONNX Runtime 1.12 or newer): "images" (any number × 3 × tile_px × tile_px,
 * float32, (pixel / 255 − mean) / SD) -> "features" (as many × dim), as rmil_encoder_run gives them, within float32's rounding. Metadata
 * say encoder, mean, SD, size, µm per pixel, pooling, and the weights' SHA-256; the encoder "onnx" reads them. Where the weights are more than
 * 2 GiB as float32, most of them stand in PATH.data, and *beside (may be NULL) is TRUE. ARGUMENT: the encoder is no network, or unknown;
 * FORMAT, DATA: these are not its weights. Nothing is left after a failure. */
RMIL_API gboolean rmil_encoder_onnx_write(const char *name, const char *weights, const char *path, gboolean *beside, GError **error);

/* Checks options before anything is opened: ARGUMENT names the command's option. An unknown name fails, "auto" too. */
RMIL_API gboolean rmil_encoder_check(const char *name, const RmilEncoderOptions *options, GError **error);

/* Fails on an unknown name; on weights that are missing, broken, or not of this network; and with RMIL_ERROR_ARGUMENT on bfloat16
 * where the processor has no fast bfloat16. "texture" ignores the precision. "onnx" fails where ONNX Runtime or the device is not to be
 * had, with ARGUMENT, and where the file is no model of one image. */
RMIL_API RmilEncoder *rmil_encoder_new(const char *name, const RmilEncoderOptions *options, GError **error);
RMIL_API void rmil_encoder_free(RmilEncoder *encoder);
RMIL_API int rmil_encoder_dim(const RmilEncoder *encoder);
RMIL_API int rmil_encoder_tile_px(const RmilEncoder *encoder); /* 224, or options' input_px */
/* A text that changes whenever the features would: name, version, weights' SHA-256, precision. Owned by the encoder. */
RMIL_API const char *rmil_encoder_identity(const RmilEncoder *encoder);
/* What users should know: what was assumed where the options said nothing. Owned by the encoder; NULL: nothing. */
RMIL_API const char *rmil_encoder_note(const RmilEncoder *encoder);
RMIL_API int rmil_encoder_batch(const RmilEncoder *encoder); /* tiles per call that it works best with */
/* How many calls at once keep it busy: an accelerator two, one to compute while the other's tiles are on their way; 0: each worker's. */
RMIL_API int rmil_encoder_calls(const RmilEncoder *encoder);

/* count tiles, each tile_px × tile_px RGB bytes, one after the other -> count × dim floats. A feature depends only on
 * its own tile. Thread-safe for distinct `worker` in 0 … workers−1. */
RMIL_API gboolean rmil_encoder_run(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilEncoder, rmil_encoder_free)

G_END_DECLS
#endif
