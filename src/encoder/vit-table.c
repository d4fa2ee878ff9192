/* SPDX-License-Identifier: Apache-2.0 */
/* Vision transformers by name: what their authors publish, and tensors do not show. One row each (docs/encoders.md gives the sources). */
#include "encoder-private.h"

#include "encoder-onnx.h"

#define VERSION "1"

/* Number of heads, the norm's epsilon, the rule for positions of another grid, which tokens are the feature, mean and SD of RGB in 0 …
 * 1. */
typedef struct {
    RmilVitShape shape; /* expected in the file; rows 0: any */
    int heads;
    double eps;
    RmilPositionRule rule;
    RmilVitPooling pooling;
    double mean[3], sd[3];
} Row;

static gboolean fits_vit(const RmilEncoderClass *class, const RmilTensors *tensors, GError **error) {
    const Row *row = class->own;
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, error);
    return weights && rmil_vit_weights_fit(weights, &row->shape, error);
}

static RmilVitConfig config_of(const RmilEncoderClass *class) {
    const Row *row = class->own;
    RmilVitConfig config =
        {.heads = row->heads, .side = class->info.tile_px, .eps = row->eps, .rule = row->rule, .pooling = row->pooling, .workers = 1};
    memcpy(config.mean, row->mean, sizeof config.mean);
    memcpy(config.sd, row->sd, sizeof config.sd);
    return config;
}

static gboolean open_vit(RmilEncoder *encoder, const RmilTensors *tensors, const char *sha256, RmilPrecision precision, GError **error) {
    RmilVitConfig config = config_of(encoder->class);
    config.workers = encoder->workers;
    config.precision = precision;
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, error);
    if (!weights || !(encoder->state = rmil_vit_new(weights, &config, error))) return FALSE;
    encoder->batch = rmil_vit_batch(encoder->state);
    encoder->identity = g_strdup_printf("%s " VERSION " %s sha256:%s", encoder->class->info.name,
                                        precision == RMIL_BFLOAT16 ? "bfloat16" : "float32", sha256);
    return TRUE;
}

static const char *onnx_vit(const RmilEncoderClass *class, const RmilTensors *tensors, RmilOnnx *onnx, const char *images,
                            RmilEncoderFacts *facts, GError **error) {
    static const char *const poolings[] = {"class token", "mean of patches", "class token and mean of patches"};
    const Row *row = class->own;
    const RmilVitConfig config = config_of(class);
    *facts = (RmilEncoderFacts){row->mean, row->sd, poolings[row->pooling]};
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, error);
    return weights ? rmil_vit_onnx(onnx, weights, &config, images, error) : NULL;
}

static gboolean run_vit(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    rmil_vit_run(encoder->state, worker, rgb, count, features);
    return TRUE;
}

static void close_vit(gpointer state) { rmil_vit_free(state); }

/* The usual sizes; `rows` of position embeddings. Gated: rows and columns of the two matrices of the MLP. */
#define PLAIN(size, blocks, count, side, mlp, scales, positions)                                                                           \
    .heads = count,                                                                                                                        \
    .shape = {.embed = size, .depth = blocks, .patch = side, .inner = mlp, .outer = mlp, .layer_scale = scales, .rows = positions}
#define REGISTERS(size, blocks, count, side, mlp, tokens)                                                                                  \
    .heads = count,                                                                                                                        \
    .shape = {.embed = size, .depth = blocks, .patch = side, .inner = mlp, .outer = mlp, .layer_scale = TRUE, .registers = tokens}
#define GATED(size, blocks, count, side, mlp, tokens)                                                                                      \
    .heads = count,                                                                                                                        \
    .shape = {.embed = size, .depth = blocks, .patch = side, .inner = mlp, .outer = (mlp) / 2, .layer_scale = TRUE, .registers = tokens}

#define IMAGENET .mean = {0.485, 0.456, 0.406}, .sd = {0.229, 0.224, 0.225}
#define HALF .mean = {0.5, 0.5, 0.5}, .sd = {0.5, 0.5, 0.5}
#define LUNIT .mean = {0.70322989, 0.53606487, 0.66096631}, .sd = {0.21716536, 0.26081574, 0.20723464}
#define BIOPTIMUS .mean = {0.707223, 0.578729, 0.703617}, .sd = {0.211883, 0.230117, 0.177517}
#define HIBOU .mean = {0.7068, 0.5755, 0.722}, .sd = {0.195, 0.2316, 0.1816}

/* Families: the name of a tensor, and what the authors' code does if the grid differs. */
#define TIMM "patch_embed.proj.weight"
#define HUGGING "embeddings.patch_embeddings.projection.weight"
#define USUAL .eps = 1e-6, .rule = RMIL_POSITION_ANTIALIAS, .pooling = RMIL_VIT_CLASS

#define HUB "https://huggingface.co/"
#define VIT(id, text, its_title, width, scale, tensor, terms, place, ...)                                                                  \
    static const Row id##_row = {__VA_ARGS__};                                                                                             \
    static const RmilEncoderClass id = {.info = {.name = text,                                                                             \
                                                 .title = its_title,                                                                       \
                                                 .dim = width,                                                                             \
                                                 .tile_px = 224,                                                                           \
                                                 .mpp = scale,                                                                             \
                                                 .weights = tensor,                                                                        \
                                                 .licence = terms,                                                                         \
                                                 .source = place},                                                                         \
                                        .own = &id##_row,                                                                                  \
                                        .fits = fits_vit,                                                                                  \
                                        .open = open_vit,                                                                                  \
                                        .onnx = onnx_vit,                                                                                  \
                                        .run = run_vit,                                                                                    \
                                        .close = close_vit}

#define LUNITS "https://github.com/lunit-io/benchmark-ssl-pathology"
#define KAIKOS "https://github.com/kaiko-ai/towards_large_pathology_fms"
VIT(lunit16, "lunit-s16", "Lunit's DINO ViT-S/16", 384, 0.5, TIMM, "Lunit's, not commercial; open", LUNITS, USUAL, LUNIT,
    PLAIN(384, 12, 6, 16, 1536, FALSE, 197));
VIT(lunit8, "lunit-s8", "Lunit's DINO ViT-S/8", 384, 0.5, TIMM, "Lunit's, not commercial; open", LUNITS, USUAL, LUNIT,
    PLAIN(384, 12, 6, 8, 1536, FALSE, 785));
VIT(kaiko_s16, "kaiko-s16", "Kaiko's DINO ViT-S/16", 384, 0.5, TIMM, "Kaiko's, not commercial; open", KAIKOS, USUAL, HALF,
    PLAIN(384, 12, 6, 16, 1536, FALSE, 197));
VIT(kaiko_s8, "kaiko-s8", "Kaiko's DINO ViT-S/8", 384, 0.5, TIMM, "Kaiko's, not commercial; open", KAIKOS, USUAL, HALF,
    PLAIN(384, 12, 6, 8, 1536, FALSE, 785));
VIT(kaiko_b16, "kaiko-b16", "Kaiko's DINO ViT-B/16", 768, 0.5, TIMM, "Kaiko's, not commercial; open", KAIKOS, USUAL, HALF,
    PLAIN(768, 12, 12, 16, 3072, FALSE, 197));
VIT(kaiko_b8, "kaiko-b8", "Kaiko's DINO ViT-B/8", 768, 0.5, TIMM, "Kaiko's, not commercial; open", KAIKOS, USUAL, HALF,
    PLAIN(768, 12, 12, 8, 3072, FALSE, 785));
VIT(kaiko_l14, "kaiko-l14", "Kaiko's DINOv2 ViT-L/14, 4 registers", 1024, 0.5, TIMM, "Kaiko's, not commercial; open", KAIKOS, USUAL, HALF,
    REGISTERS(1024, 24, 16, 14, 4096, 4));
VIT(midnight, "midnight-12k", "Kaiko's Midnight-12k, ViT-g/14, class and mean", 3072, 0.5, HUGGING, "MIT; open", HUB "kaiko-ai/midnight",
    .eps = 1e-6, .rule = RMIL_POSITION_SIZE, .pooling = RMIL_VIT_CLASS_MEAN, HALF, GATED(1536, 40, 24, 14, 8192, 0));
VIT(phikon, "phikon", "Owkin's Phikon, iBOT ViT-B/16", 768, 0.5, HUGGING, "Owkin's, not commercial; open", HUB "owkin/phikon", .eps = 1e-12,
    .rule = RMIL_POSITION_SIZE, .pooling = RMIL_VIT_CLASS, IMAGENET, PLAIN(768, 12, 12, 16, 3072, FALSE, 197));
VIT(phikon2, "phikon-v2", "Owkin's Phikon-v2, DINOv2 ViT-L/16", 1024, 0.5, HUGGING, "Owkin's, not commercial; open", HUB "owkin/phikon-v2",
    .eps = 1e-6, .rule = RMIL_POSITION_SIZE, .pooling = RMIL_VIT_CLASS, IMAGENET, PLAIN(1024, 24, 16, 16, 4096, TRUE, 0));
VIT(uni, "uni", "UNI, DINOv2 ViT-L/16", 1024, 0.5, TIMM, "CC BY-NC-ND 4.0; gated", HUB "MahmoodLab/UNI", USUAL, IMAGENET,
    PLAIN(1024, 24, 16, 16, 4096, TRUE, 197));
VIT(uni2, "uni2-h", "UNI2-h, ViT-H/14, 8 registers", 1536, 0.5, TIMM, "CC BY-NC-ND 4.0; gated", HUB "MahmoodLab/UNI2-h", USUAL, IMAGENET,
    GATED(1536, 24, 24, 14, 8192, 8));
VIT(virchow, "virchow", "Virchow, ViT-H/14, class and mean", 2560, 0.5, TIMM, "Apache-2.0; gated", HUB "paige-ai/Virchow", .eps = 1e-6,
    .rule = RMIL_POSITION_ANTIALIAS, .pooling = RMIL_VIT_CLASS_MEAN, IMAGENET, GATED(1280, 32, 16, 14, 6832, 0));
VIT(virchow2, "virchow2", "Virchow2, ViT-H/14, 4 registers, class and mean", 2560, 0.5, TIMM, "CC BY-NC-ND 4.0; gated",
    HUB "paige-ai/Virchow2", .eps = 1e-6, .rule = RMIL_POSITION_ANTIALIAS, .pooling = RMIL_VIT_CLASS_MEAN, IMAGENET,
    GATED(1280, 32, 16, 14, 6832, 4));
VIT(hibou_b, "hibou-b", "Hibou-B, DINOv2 ViT-B/14, 4 registers", 768, 0.5, HUGGING, "Apache-2.0; open", HUB "histai/hibou-b", USUAL, HIBOU,
    REGISTERS(768, 12, 12, 14, 3072, 4));
VIT(hibou_l, "hibou-l", "Hibou-L, DINOv2 ViT-L/14, 4 registers", 1024, 0.5, HUGGING, "Apache-2.0; gated", HUB "histai/hibou-L", USUAL,
    HIBOU, REGISTERS(1024, 24, 16, 14, 4096, 4));
VIT(h_optimus0, "h-optimus-0", "H-optimus-0, ViT-g/14, 4 registers", 1536, 0.5, TIMM, "Apache-2.0; gated", HUB "bioptimus/H-optimus-0",
    USUAL, BIOPTIMUS, GATED(1536, 40, 24, 14, 8192, 4));
VIT(h_optimus1, "h-optimus-1", "H-optimus-1, ViT-g/14, 4 registers", 1536, 0.5, TIMM, "CC BY-NC-ND 4.0; gated", HUB "bioptimus/H-optimus-1",
    USUAL, BIOPTIMUS, GATED(1536, 40, 24, 14, 8192, 4));
VIT(h0_mini, "h0-mini", "H0-mini, ViT-B/14, 4 registers", 768, 0.5, TIMM, "CC BY-NC-ND 4.0; gated", HUB "bioptimus/H0-mini", USUAL,
    BIOPTIMUS, GATED(768, 12, 12, 14, 4096, 4));
VIT(gpfm, "gpfm", "GPFM, DINOv2 ViT-L/14", 1024, 128.0 / 224, TIMM, "CC BY-NC-ND 4.0; open", "https://github.com/birkhoffkiki/GPFM",
    .eps = 1e-6, .rule = RMIL_POSITION_SCALE, .pooling = RMIL_VIT_CLASS, IMAGENET, PLAIN(1024, 24, 16, 14, 4096, TRUE, 257));
VIT(gigapath, "gigapath", "Prov-GigaPath's tile encoder, ViT-g/16", 1536, 0.5, TIMM, "Prov-GigaPath's, research; gated",
    HUB "prov-gigapath/prov-gigapath", USUAL, IMAGENET, GATED(1536, 40, 24, 16, 8192, 0));

RMIL_ENCODER_FILE(vit_table, &lunit16, &lunit8, &kaiko_s16, &kaiko_s8, &kaiko_b16, &kaiko_b8, &kaiko_l14, &midnight, &phikon, &phikon2,
                  &uni, &uni2, &virchow, &virchow2, &hibou_b, &hibou_l, &h_optimus0, &h_optimus1, &h0_mini, &gpfm, &gigapath);
