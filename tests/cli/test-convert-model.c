/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert for models: what comes out, and what is said of wrong input. */
#include "command.h"

#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;

static void make_model(const char *name) {
    GError *error = NULL;
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, &error));
    config.dim = 8;
    config.hidden = 5;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(rmil_model_save(model, path, &error));
}

static void test_formats(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *a = g_build_filename(folder, "m.safetensors", NULL), *b = g_build_filename(folder, "copy.safetensors", NULL);
    command_run(&o, folder, "convert", "m.safetensors", "m.onnx", NULL);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.out, ==, "m.onnx: model abmil, guide rank, features of 8 numbers, threshold 1\n");
    g_assert_true(test_exists(folder, "m.onnx"));
    command_run(&o, folder, "convert", "m.safetensors", "copy.safetensors", "--json", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "\"guide\" : \"rank\""));
    test_same_file(a, b);
}

/* A model file without a run predicts for feature files, in the folder that is asked for. */
static void test_predict(void) {
    g_auto(Outcome) o = {0};
    float features[3 * 8];
    int64_t coords[] = {0, 0, 224, 0, 448, 0};
    for (int i = 0; i < 24; i++) features[i] = (float)(i % 5) - 1;
    RmilBag bag =
        {.id = (char *)"bag", .count = 3, .dim = 8, .features = features, .coords = coords, .patch_size = 224, .patch_size_level0 = 224};
    g_autofree char *path = g_build_filename(folder, "bag.h5", NULL);
    GError *error = NULL;
    g_assert_true(rmil_bag_write(&bag, path, FALSE, &error));
    command_run(&o, folder, "predict", "m.safetensors", "bag.h5", "-o", "out", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "bag "));
    g_assert_true(test_exists(folder, "out/predictions.csv") && test_exists(folder, "out/patches/bag.csv") &&
                  test_exists(folder, "out/qupath/bag.geojson"));
    command_run(&o, folder, "predict", "text.pth", "bag.h5", "-o", "none", NULL);
    command_expect(&o, 1, "text.pth: is not a weight file");
    g_assert_false(test_exists(folder, "none"));
}

static void test_wrong(void) {
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "convert", "m.safetensors", "x.bin", "--encoder", "uni", NULL);
    command_expect(&o, 2, "x.bin: encoders are written as ONNX: give an output name that ends in .onnx");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--encoder", "uni", "--model", "abmil", NULL);
    command_expect(&o, 2, "--encoder cannot be combined with --to (features and models) or --model (models)");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--encoder", "texture", NULL);
    command_expect(&o, 1, "the encoder texture is not a network, so it cannot be written as ONNX");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--encoder", "uni", NULL);
    command_expect(&o, 1, "these are not the weights of the encoder uni: ");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--encoder", "auto", NULL);
    command_expect(&o, 1,
                   "m.safetensors: does not contain the weights of any encoder that rankmil knows (docs/encoders.md lists "
                   "them)");
    g_assert_false(test_exists(folder, "x.onnx"));
    command_run(&o, folder, "convert", "m.safetensors", "x.bin", NULL);
    command_expect(&o, 2, "x.bin: ");
    command_run(&o, folder, "convert", "none.pth", "x.onnx", NULL);
    command_expect(&o, 1, "none.pth");
    command_run(&o, folder, "convert", "text.pth", "x.onnx", NULL);
    command_expect(&o, 1, "text.pth: is not a weight file: it is neither safetensors nor written by torch.save");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--threshold", "2", NULL);
    command_expect(&o, 1, "need --model NAME");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--model", "abmil", "--threshold", "2", NULL);
    command_expect(&o, 1,
                   "m.safetensors: rankmil wrote it together with its configuration, which cannot be changed: leave the "
                   "model's options out");
    command_run(&o, folder, "convert", "m.safetensors", "x.onnx", "--model", "clam-sb", "--guide", "rank", NULL);
    command_expect(&o, 1, "--guide rank cannot be used with --model clam-sb");
    command_run(&o, folder, "convert", "m.safetensors", NULL);
    command_expect(&o, 2, "");
    g_assert_false(test_exists(folder, "x.onnx"));
    g_assert_false(test_exists(folder, "x.bin"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    folder = test_folder();
    make_model("m.safetensors");
    g_free(test_file(folder, "text.pth", "not a model"));
    g_test_add_func("/cli/convert-model/formats", test_formats);
    g_test_add_func("/cli/convert-model/predict", test_predict);
    g_test_add_func("/cli/convert-model/wrong", test_wrong);
    int status = g_test_run();
    g_free(folder);
    return status;
}
