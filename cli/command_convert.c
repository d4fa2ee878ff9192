/* rankmil convert IN OUT */
#include "cli-convert.h"

int command_convert(int argc, char **argv) {
    static const CliUsage usage = {"IN OUT", "Turns a model into another program's format, or takes another program's.",
                                   "OUT.onnx: for ONNX runtimes. OUT.safetensors: for rankmil and PyTorch, from a model of rankmil or from a\n"
                                   "state_dict of the paper's code (.pth or .safetensors). docs/models.md says what the files hold.", 2, 2};
    Cli cli;
    ConvertModel model;
    int status;
    convert_model_init(&model);
    g_autofree GOptionEntry *models = convert_model_entries(&model);
    const GOptionEntry *groups[] = {models, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        convert_model_clear(&model);
        return status;
    }
    GError *error = NULL;
    if (!convert_is_model(argv[2])) {
        convert_model_clear(&model);
        return cli_usage(&cli, "%s: the name of a model ends in .onnx or .safetensors", argv[2]);
    }
    gboolean done = convert_model(&cli, &model, argv[1], argv[2], &error);
    convert_model_clear(&model);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
