/* SPDX-License-Identifier: Apache-2.0 */
/* Published ResNet-50 models by name. */
#include "encoder-private.h"

#include "encoder-onnx.h"

#define VERSION "1"

static void close_resnet(gpointer state) { rmil_resnet_free(state); }

static RmilResnetConfig config_of(const RmilEncoderClass *class) {
    return (RmilResnetConfig){.width = 64,
                              .stages = class->variant,
                              .side = class->info.tile_px,
                              .batch = 4,
                              .workers = 1,
                              .input = class->own};
}

static gboolean open_resnet(RmilEncoder *encoder, const RmilTensors *weights, const char *sha256, RmilPrecision precision, GError **error) {
    RmilResnetConfig config = config_of(encoder->class);
    config.workers = encoder->workers;
    config.precision = precision;
    if (!(encoder->state = rmil_resnet_new(weights, &config, error))) return FALSE;
    encoder->batch = config.batch;
    encoder->identity = g_strdup_printf("%s " VERSION " %s sha256:%s", encoder->class->info.name,
                                        precision == RMIL_BFLOAT16 ? "bfloat16" : "float32", sha256);
    return TRUE;
}

static const char *onnx_resnet(const RmilEncoderClass *class, const RmilTensors *weights, RmilOnnx *onnx, const char *images,
                               RmilEncoderFacts *facts, GError **error) {
    const RmilResnetConfig config = config_of(class);
    const RmilInputScale *scale = class->own ? class->own : &rmil_imagenet_scale;
    *facts = (RmilEncoderFacts){scale->mean, scale->sd, config.stages == 3 ? "mean of layer3" : "mean of layer4"};
    return rmil_resnet_onnx(onnx, weights, &config, images, error);
}

static gboolean run_resnet(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    return rmil_resnet_run(encoder->state, worker, rgb, count, features, error);
}

/* Lunit's, of its training slides. */
static const RmilInputScale lunit = {{0.70322989, 0.53606487, 0.66096631}, {0.21716536, 0.26081574, 0.20723464}};

/* stages: number of the network's stages that are used; scale NULL: ImageNet's; then licence and source. */
#define CLASS(text, its_title, stages, width, tensor, scale, ...)                                                                          \
    {                                                                                                                                      \
        .info = {.name = text, .title = its_title, .dim = width, .tile_px = 224, .mpp = 0.5, .weights = tensor, __VA_ARGS__},              \
        .variant = stages, .own = scale, .open = open_resnet, .onnx = onnx_resnet, .run = run_resnet, .close = close_resnet,               \
    }
#define TORCHVISION .licence = "BSD-3-Clause; open", .source = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
#define LUNIT .licence = "Lunit's, not commercial; open", .source = "https://github.com/lunit-io/benchmark-ssl-pathology"
#define LAYER3 "layer3.0.conv1.weight"
#define LAYER4 "layer4.0.conv1.weight"
static const RmilEncoderClass to_layer3 = CLASS("resnet50", "ResNet-50, stem to layer3, global mean: the paper's encoder", 3, 1024, LAYER3,
                                                NULL, TORCHVISION),
                              to_layer4 = CLASS("resnet50-layer4", "the whole ResNet-50 without its classifier", 4, 2048, LAYER4, NULL,
                                                TORCHVISION),
                              twins = CLASS("lunit-resnet50-bt", "Lunit's ResNet-50, Barlow Twins", 4, 2048, LAYER4, &lunit, LUNIT),
                              moco = CLASS("lunit-resnet50-mocov2", "Lunit's ResNet-50, MoCo v2", 4, 2048, LAYER4, &lunit, LUNIT),
                              swav = CLASS("lunit-resnet50-swav", "Lunit's ResNet-50, SwAV", 4, 2048, LAYER4, &lunit, LUNIT);
RMIL_ENCODER_FILE(resnet_table, &to_layer3, &to_layer4, &twins, &moco, &swav);
