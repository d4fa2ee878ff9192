/* SPDX-License-Identifier: Apache-2.0 */
/* The recipes of docs/extending.md: a model with an option of its own, a guide with one, an encoder, each a file and a name in a list, are
 * everywhere. */
#include "base/base-private.h"
#include "command.h"
#include "mil/modelfile.h"
#include "rankmil/encoder.h"
#include "study/studies.h"

#include <math.h>
#include <string.h>

static char *root;

static void begin(void) {
    if (!root) root = test_folder();
}

static void same_list(const char *const *list, const char *expected) {
    g_autofree char *joined = g_strjoinv(" ", (char **)list);
    g_assert_cmpstr(joined, ==, expected);
}

/* The library lists them behind its own. */
static void test_tables(void) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    same_list(rmil_model_names(), "abmil dsmil clam-sb clam-mb hipt gated-abmil transmil patch-linear patch-cnn toy");
    same_list(rmil_guide_names(), "none induction rank evenness labels lift");
    same_list(rmil_encoder_names(),
              "texture resnet50 resnet50-layer4 lunit-resnet50-bt lunit-resnet50-mocov2 lunit-resnet50-swav lunit-s16 "
              "lunit-s8 kaiko-s16 kaiko-s8 kaiko-b16 kaiko-b8 kaiko-l14 midnight-12k phikon phikon-v2 uni uni2-h virchow "
              "virchow2 hibou-b hibou-l h-optimus-0 h-optimus-1 h0-mini gpfm gigapath onnx colours");
    g_assert_cmpuint(count, ==, 24);
    g_assert_cmpstr(methods[23].name, ==, "toy-lift");
    g_assert_cmpstr(methods[23].model, ==, "toy");
    g_assert_true(rmil_method_of("toy", NULL, NULL) == &methods[22]);
    g_assert_cmpint(rmil_encoder_info("colours", NULL)->tile_px, ==, 64);
}

/* One row makes the option of the command line, of plans, of configurations and of model files; files of others do not know it. */
static void test_option(void) {
    const RmilOption *option = rmil_train_option_find("toy-sharpness"), *level = rmil_train_option_find("lift-level");
    g_assert_cmpstr(option->summary, ==, "toy: how much higher scores weigh more (default: 1; 0 … 100)");
    g_assert_cmpstr(level->summary, ==, "lift: what annotated patches should score (default: 2; -10 … 10)");
    g_assert_cmpstr(rmil_train_option_find("lambda")->owners, ==, "induction, rank, evenness, lift");
    RmilModelConfig toy, other;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&toy, "toy", (RmilGuide)5, &error) &&
                  rmil_model_config_init(&other, "abmil", RMIL_GUIDE_RANK, &error));
    g_assert_cmpfloat(rmil_model_config_get(&toy, "toy_sharpness"), ==, 1);
    g_assert_false(rmil_model_config_set(&toy, "toy-sharpness", 101, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "toy-sharpness is 101; it must be in 0 … 100");
    g_auto(GStrv) written = rmil_model_config_text(&toy), others = rmil_model_config_text(&other);
    g_assert_true(g_strv_contains((const char *const *)written, "toy_sharpness") &&
                  g_strv_contains((const char *const *)written, "lift_level"));
    g_assert_cmpint(g_strv_length(others), ==, 2 * (3 + 16));
}

/* A model that says nothing of tasks takes two classes, whatever they are called, and says so of more. */
static void test_tasks(void) {
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&config, "toy", RMIL_GUIDE_NONE, &error));
    config.dim = 4;
    config.task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"normal", "tumor"}, .negative = TRUE};
    g_autoptr(RmilModel) two = rmil_model_new(&config, 1, &error);
    g_assert_no_error(error);
    config.task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"a", "b", "c"}};
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "model toy cannot predict 3 classes; it predicts two classes");
    config.task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "model toy cannot predict the task \"survival\"; it predicts two classes");
}

/* -- a training from C ---------------------------------------------------------------------------------------------------------- */
static void test_train(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "--features", "features", "--slides", "40", "--scale", "0.005", "--dim", "16", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *table = g_build_filename(root, "features", "cohort.csv", NULL),
                    *path = g_build_filename(root, "toy.safetensors", NULL);
    GError *error = NULL;
    RmilTrainOptions options;
    RmilTrainRun run = {.splits = NULL};
    const int64_t seed = 1;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(table, &error);
    rmil_train_options_init(&options);
    g_assert_true(rmil_train_options_set(&options, "toy-sharpness", "2.5", &error) &&
                  rmil_train_options_set(&options, "epochs", "30", &error) &&
                  rmil_train_options_set(&options, "learning-rate", "0.01", &error));
    g_autoptr(RmilTrainData) data = rmil_train_data_load(cohort, &options, NULL, 2, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) repeats = rmil_train_options_repeats(&options, cohort, &seed, 1, &error);
    g_assert_true(rmil_train_options_configure(&options, rmil_method_find("toy-lift", NULL), &run.model, &run.train, &error));
    run.data = data;
    run.splits = g_array_index(repeats, RmilRepeat, 0).splits;
    run.model.dim = data->set->dim;
    g_autofree char *config = rmil_train_run_config(&run);
    g_assert_nonnull(strstr(config, "\"toy_sharpness\" : 2.5"));
    g_assert_nonnull(strstr(config, "\"lift_level\" : 2.0"));
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = rmil_train_run(&run, NULL, history, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(g_array_index(history, RmilEpoch, history->len - 1).train_loss, <,
                      0.95 * g_array_index(history, RmilEpoch, 0).train_loss);
    g_assert_true(rmil_model_save(model, path, &error));
    g_autoptr(RmilModel) back = rmil_model_load(path, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(rmil_model_config_get(rmil_model_config(back), "toy_sharpness"), ==, 2.5);
    RmilPrediction a, b;
    g_assert_true(rmil_model_predict(model, data->bags[0], &RMIL_TARGET_CLASS(1), &a, NULL, NULL, &error) &&
                  rmil_model_predict(back, data->bags[0], &RMIL_TARGET_CLASS(1), &b, NULL, NULL, &error));
    g_assert_cmpfloat(a.logit, ==, b.logit);
    rmil_train_options_clear(&options);
}

/* -- the command, built with them ------------------------------------------------------------------------------------------------ */
static void test_help(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "train", "--help", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(
        o.out,
        "abmil, dsmil, clam-sb, clam-mb, hipt, gated-abmil, transmil, patch-linear,\n                          patch-cnn, toy (default"));
    g_assert_nonnull(strstr(o.out, "none, induction, rank, evenness, labels, lift"));
    g_assert_nonnull(strstr(o.out, "--toy-sharpness X       toy: how much higher scores weigh more (default: 1; 0 … 100)"));
    command_run(&o, root, "run", "--help", NULL);
    g_assert_nonnull(strstr(o.out, "toy-lift"));
    g_assert_nonnull(strstr(o.out, "colours"));
    command_run(&o, root, "train", "none.csv", "-o", "x", "--model", "toy", "--toy-sharpness", "-1", NULL);
    command_expect(&o, 1, "--toy-sharpness is -1; it must be in 0 … 100");
    command_run(&o, root, "train", "none.csv", "-o", "x", "--model", "toy", "--dropout", "0.1", NULL);
    command_expect(&o, 1, "model toy takes no dropout");
}

/* A plan with settings of the model and the guide, and its report with a line style of each method. */
static void test_study(void) {
    begin();
    g_auto(Outcome) o = {0};
    g_autofree char *cohort = g_build_filename(studies_cohort(), "cohort.csv", NULL);
    g_free(test_file(root, "wrong.yaml", "study: comparison\nmethods: [toy]\nsettings:\n  toy-sharpness: 200\n"));
    command_run(&o, root, "study", "wrong.yaml", cohort, "-o", "wrong", NULL);
    command_expect(&o, 1, "wrong.yaml: line 4: toy-sharpness is 200; it must be in 0 … 100");
    g_free(test_file(root, "plan.yaml",
                     "study: comparison\nmethods: [abmil, toy, toy-lift]\nseeds: 2\nsettings: {epochs: 2, hidden: 6}\n"
                     "overrides: {toy-lift: {toy-sharpness: 3, lift-level: 1}}\n"));
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "study", NULL);
    command_expect(&o, 0, "");
    g_autofree char *script = test_bytes(root, "study/figures/roc.gp", NULL);
    g_assert_nonnull(strstr(script, "set linetype 24 linecolor '#1b5e20'"));
    g_autofree char *page = test_bytes(root, "study/report.html", NULL);
    g_assert_nonnull(strstr(page, "Toy + lift"));
    g_free(test_file(root, "vary.yaml",
                     "study: comparison\nmethods: [toy]\nseeds: 1\nvary: toy-sharpness\nvalues: [1, 3]\nsettings: {epochs: 1}\n"));
    command_run(&o, root, "study", "vary.yaml", cohort, "-o", "vary", "--list", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "toy-sharpness 3"));
}

/* From slides to a report, with the encoder's own size of tiles, and on to a new slide and another program's files. */
static void test_run(void) {
    begin();
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "cohort", "--slides", "8", "--width", "1300", "--height", "1100", "--positive", "0.5", "-q", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "run", "cohort/cohort.csv", "-o", "run", "--encoder", "colours", "--methods", "toy-lift", "--toy-sharpness", "4",
                "--epochs", "2", "--heatmaps", "1", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *config = test_bytes(root, "run/runs/toy-lift/0/run.json", NULL),
                    *how = test_bytes(root, "run/preprocessing.json", NULL);
    g_assert_nonnull(strstr(config, "\"toy_sharpness\" : 4.0"));
    g_assert_nonnull(strstr(how, "\"tile_mpp\" : 1.0"));
    command_run(&o, root, "convert", "run/runs/toy-lift/0/model.safetensors", "toy.pth", NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "convert", "toy.pth", "back.safetensors", "--model", "toy", "--guide", "lift", "--toy-sharpness", "4", NULL);
    command_expect(&o, 0, "");
    g_autofree char *back = g_build_filename(root, "back.safetensors", NULL);
    GError *error = NULL;
    g_autoptr(RmilModel) model = rmil_model_load(back, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_model_config(model)->dim, ==, 3);
    g_assert_cmpfloat(rmil_model_config_get(rmil_model_config(model), "toy-sharpness"), ==, 4);
    command_run(&o, root, "convert", "toy.pth", "toy.onnx", NULL);
    command_expect(&o, 0, "");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_autofree char *command = g_build_filename(g_getenv("RMIL_BUILD"), "tests", "extending", "rankmil-extended", NULL);
    g_setenv("RMIL_COMMAND", command, TRUE);
    g_test_add_func("/extending/tables", test_tables);
    g_test_add_func("/extending/option", test_option);
    g_test_add_func("/extending/tasks", test_tasks);
    g_test_add_func("/extending/train", test_train);
    g_test_add_func("/extending/help", test_help);
    g_test_add_func("/extending/study", test_study);
    g_test_add_func("/extending/run", test_run);
    return g_test_run();
}
