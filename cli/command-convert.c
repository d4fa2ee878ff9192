/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert IN OUT */
#include "convert.h"

int command_convert(int argc, char **argv) {
    static const CliUsage usage = {
        "IN OUT",
        "Turns features or a model into another program's format, or takes another program's.",
        "Models: OUT.onnx is for ONNX runtimes; OUT.safetensors for rankmil and PyTorch; OUT.pth a state_dict, under\n"
        "the names of the paper's code or (--to clam) of CLAM. IN is a model of rankmil, or a state_dict or whole\n"
        "model of the paper's code or of CLAM (.pth, .pt or .safetensors). docs/models.md says what the files hold.\n\n"
        "Features: IN is a feature file of rankmil, CLAM (.h5, .pt), TRIDENT, STAMP or the paper's code, or a folder\n"
        "of such (of CLAM's, the one that holds h5_files and pt_files); OUT is a file, or a folder for one file per\n"
        "slide. Numbers stay the same bit for bit. docs/formats.md has the layouts.",
        2,
        2,
        CLI_THREADS,
        "convert results/runs/rank/0/model.safetensors model.onnx\nconvert clam_features/ features/"};
    Cli cli;
    ConvertModel model;
    ConvertFeatures features = {0};
    int status;
    convert_model_init(&model);
    g_autofree GOptionEntry *models = convert_model_entries(&model), *layouts = convert_features_entries(&features);
    const CliGroup groups[] = {{"Features", layouts}, {"Models", models}, {NULL, NULL}};
    if (!train_begin(&cli, &argc, &argv, &usage, groups, &model.options, &status)) {
        convert_model_clear(&model);
        convert_features_clear(&features);
        return status;
    }
    GError *error = NULL;
    if (convert_is_model(argv[1], argv[2]) && !convert_model_name(argv[2], features.layout)) {
        const char *onnx = features.layout ? "" : ".onnx, ";
        convert_model_clear(&model);
        convert_features_clear(&features);
        return cli_usage(&cli, "%s: the name of such a model ends in %s.safetensors, .pt or .pth", argv[2], onnx);
    }
    gboolean done = convert_is_model(argv[1], argv[2]) ? convert_model(&cli, &model, features.layout, argv[1], argv[2], &error)
                                                       : convert_features(&cli, &features, argv[1], argv[2], &error);
    convert_model_clear(&model);
    convert_features_clear(&features);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
