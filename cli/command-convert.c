/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert IN OUT */
#include "convert.h"

int command_convert(int argc, char **argv) {
    static const CliUsage usage = {
        "IN OUT",
        "Converts features, models and encoders to and from the formats of other programs.",
        "Models: OUT.onnx is for ONNX runtimes; OUT.safetensors for rankmil and PyTorch; OUT.pth is a state_dict with\n"
        "the names of the paper's code or (--to clam) of CLAM. IN is a model of rankmil, or a state_dict or whole\n"
        "model of the paper's code or of CLAM (.pth, .pt or .safetensors). docs/models.md describes the files.\n\nEncoders: with "
        "--encoder, IN is a weight file as rankmil encode takes it, and OUT.onnx the network for ONNX\n"
        "runtimes, with its pooling. docs/encoders.md describes the file.\n\nFeatures: IN is a feature file of rankmil, CLAM (.h5, "
        ".pt), TRIDENT, STAMP or the paper's code, or a folder\n"
        "of these (for CLAM, the one that contains h5_files and pt_files); OUT is a file, or a folder that gets one file\nper slide. "
        "Numbers are converted bit for bit. docs/formats.md describes the layouts.",
        2,
        2,
        CLI_THREADS,
        "convert results/runs/rank/0/model.safetensors model.onnx\nconvert uni.bin uni.onnx --encoder uni\nconvert clam_features/ "
        "features/"};
    Cli cli;
    ConvertModel model;
    ConvertFeatures features = {0};
    g_autofree char *encoder = NULL, *help = NULL;
    int status;
    convert_model_init(&model);
    g_autofree GOptionEntry *models = convert_model_entries(&model), *layouts = convert_features_entries(&features),
                            *encoders = convert_encoder_entries(&encoder, &help);
    const CliGroup groups[] = {{"Features", layouts}, {"Models", models}, {"Encoders", encoders}, {NULL, NULL}};
    if (!train_begin(&cli, &argc, &argv, &usage, groups, &model.options, &status)) {
        convert_model_clear(&model);
        convert_features_clear(&features);
        return status;
    }
    GError *error = NULL;
    const gboolean is_model = !encoder && convert_is_model(argv[1], argv[2]);
    const char *onnx = features.layout ? "" : ".onnx, ";
    const gboolean mixed = encoder && (features.layout || model.model);
    gboolean done = FALSE, misnamed = FALSE;
    if (mixed) misnamed = TRUE;
    else if (encoder && !g_str_has_suffix(argv[2], ".onnx")) misnamed = TRUE;
    else if (encoder) done = convert_encoder(&cli, encoder, argv[1], argv[2], &error);
    else if (is_model && !convert_model_name(argv[2], features.layout)) misnamed = TRUE;
    else if (is_model) done = convert_model(&cli, &model, features.layout, argv[1], argv[2], &error);
    else done = convert_features(&cli, &features, argv[1], argv[2], &error);
    convert_model_clear(&model);
    convert_features_clear(&features);
    if (mixed) return cli_usage(&cli, "--encoder cannot be combined with --to (features and models) or --model (models)");
    if (misnamed && encoder) return cli_usage(&cli, "%s: encoders are written as ONNX: give an output name that ends in .onnx", argv[2]);
    if (misnamed)
        return cli_usage(&cli, "%s: cannot tell the format to write: give a name that ends in %s.safetensors, .pt or .pth", argv[2], onnx);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
