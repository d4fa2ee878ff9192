#include "cli-train.h"

#include <math.h>
#include <string.h>

static const Method methods[] = {
    {"abmil", "abmil", RMIL_GUIDE_NONE},       {"induction", "abmil", RMIL_GUIDE_INDUCTION},
    {"rank", "abmil", RMIL_GUIDE_RANK},        {"clam-sb", "clam-sb", RMIL_GUIDE_NONE},
    {"clam-mb", "clam-mb", RMIL_GUIDE_NONE},   {"dsmil", "dsmil", RMIL_GUIDE_NONE},
    {"ds-rank", "dsmil", RMIL_GUIDE_RANK},     {"hipt", "hipt", RMIL_GUIDE_NONE},
    {"hipt-rank", "hipt", RMIL_GUIDE_RANK},
};

const Method *method_find(const char *name, GError **error) {
    g_autoptr(GString) known = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) return &methods[i];
        g_string_append_printf(known, "%s%s", i ? ", " : "", methods[i].name);
    }
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "there is no method \"%s\"; there are %s", name, known->str);
    return NULL;
}

const Method *method_of(const char *model, const char *guide, GError **error) {
    gboolean model_known = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
        if (strcmp(methods[i].model, model) != 0) continue;
        if (strcmp(rmil_guide_name(methods[i].guide), guide) == 0) return &methods[i];
        model_known = TRUE;
    }
    if (model_known) g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--guide %s does not go with --model %s", guide, model);
    else g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "there is no model \"%s\"; there are abmil, clam-sb, clam-mb, dsmil, hipt", model);
    return NULL;
}

/* −2: "the model's default", where every number a user may give is allowed. */
#define UNSET (-2.0)

void train_options_init(TrainOptions *options) {
    RmilTrainConfig train;
    RmilSplitOptions split;
    rmil_train_config_init(&train);
    rmil_split_options_init(&split);
    *options = (TrainOptions){.threshold = UNSET, .sigma = UNSET, .margin = NAN, .lambda = UNSET, .dropout = UNSET,
                              .rank_sample = -1, .hidden = -1, .attention_dim = -1, .clam_k = -1, .clam_bag_weight = UNSET,
                              .learning_rate = train.learning_rate, .weight_decay = train.weight_decay,
                              .epochs = train.epochs, .patience = train.patience, .warmup = train.warmup,
                              .group = train.group, .test_share = split.test, .val_share = split.val};
}

void train_options_clear(TrainOptions *options) {
    g_free(options->sampler);
    g_free(options->precision);
    g_free(options->memory);
    g_free(options->splits);
}

GOptionEntry *train_entries(TrainOptions *o) {
    const GOptionEntry entries[] = {
        {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &o->threshold, "attention threshold T (default: 1; -1: none)", "T"},
        {"sigma", 0, 0, G_OPTION_ARG_DOUBLE, &o->sigma, "scale of the rank loss (default: 1)", "X"},
        {"margin", 0, 0, G_OPTION_ARG_DOUBLE, &o->margin, "margin of the rank loss (default: 1)", "X"},
        {"lambda", 0, 0, G_OPTION_ARG_DOUBLE, &o->lambda, "weight of the guide's loss (default: 1)", "X"},
        {"rank-sample", 0, 0, G_OPTION_ARG_INT64, &o->rank_sample, "rank loss over at most N + N sampled patches (default: 0, all pairs)", "N"},
        {"epochs", 0, 0, G_OPTION_ARG_INT64, &o->epochs, "at most N epochs (default: 200)", "N"},
        {"patience", 0, 0, G_OPTION_ARG_INT64, &o->patience, "stop after N epochs without a better validation loss (default: 7)", "N"},
        {"warmup", 0, 0, G_OPTION_ARG_INT64, &o->warmup, "never stop before epoch N (default: 20)", "N"},
        {"learning-rate", 0, 0, G_OPTION_ARG_DOUBLE, &o->learning_rate, "of Adam (default: 2e-4)", "X"},
        {"weight-decay", 0, 0, G_OPTION_ARG_DOUBLE, &o->weight_decay, "L2 penalty added to the gradient (default: 1e-5)", "X"},
        {"group", 0, 0, G_OPTION_ARG_INT64, &o->group, "slides per step of Adam (default: 8)", "N"},
        {"sampler", 0, 0, G_OPTION_ARG_STRING, &o->sampler, "balanced (default: with replacement, classes equally often) or shuffle", "NAME"},
        {"dropout", 0, 0, G_OPTION_ARG_DOUBLE, &o->dropout, "share of hidden units dropped in training (default: 0)", "X"},
        {"hidden", 0, 0, G_OPTION_ARG_INT64, &o->hidden, "width of the hidden layer (default: the paper's for the model)", "N"},
        {"attention-dim", 0, 0, G_OPTION_ARG_INT64, &o->attention_dim, "width of the attention layer (default: the paper's)", "N"},
        {"clam-k", 0, 0, G_OPTION_ARG_INT64, &o->clam_k, "CLAM: patches of highest and of lowest attention (default: 8)", "N"},
        {"clam-bag-weight", 0, 0, G_OPTION_ARG_DOUBLE, &o->clam_bag_weight, "CLAM: weight of the slide loss (default: 0.7)", "X"},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &o->precision, "of the features: float32 (default) or bfloat16", "NAME"},
        {"memory", 0, 0, G_OPTION_ARG_STRING, &o->memory, "budget for features in memory, e.g. 4G; more lies in mapped files (default: all in memory)", "SIZE"},
        {"splits", 0, 0, G_OPTION_ARG_FILENAME, &o->splits, "CSV of fixed splits: id and one column of train/val/test per split", "FILE"},
        {"test-share", 0, 0, G_OPTION_ARG_DOUBLE, &o->test_share, "of slides, where the cohort names no test set (default: 0.2)", "X"},
        {"val-share", 0, 0, G_OPTION_ARG_DOUBLE, &o->val_share, "of the other slides (default: 0.2)", "X"},
        {0},
    };
    return g_memdup2(entries, sizeof entries);
}

static gboolean argument(gboolean right, GError **error, const char *message) {
    if (!right) g_set_error_literal(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, message);
    return right;
}

gboolean train_configs(const TrainOptions *o, const Method *method, const Cli *cli, RmilModelConfig *model,
                       RmilTrainConfig *train, GError **error) {
    const char *sampler = o->sampler ? o->sampler : "balanced", *precision = o->precision ? o->precision : "float32";
    if (!rmil_model_config_init(model, method->model, method->guide, error)) return FALSE;
    if (o->threshold != UNSET) model->threshold = o->threshold;
    if (o->sigma != UNSET) model->sigma = o->sigma;
    if (!isnan(o->margin)) model->margin = o->margin;
    if (o->lambda != UNSET) model->lambda = o->lambda;
    if (o->dropout != UNSET) model->dropout = o->dropout;
    if (o->rank_sample != -1) model->rank_sample = o->rank_sample;
    if (o->hidden != -1) model->hidden = o->hidden;
    if (o->attention_dim != -1) model->attention_dim = o->attention_dim;
    if (o->clam_k != -1) model->clam_k = o->clam_k;
    if (o->clam_bag_weight != UNSET) model->clam_bag_weight = o->clam_bag_weight;
    rmil_train_config_init(train);
    train->learning_rate = o->learning_rate;
    train->weight_decay = o->weight_decay;
    train->epochs = o->epochs;
    train->patience = o->patience;
    train->warmup = o->warmup;
    train->group = o->group;
    train->balanced = strcmp(sampler, "balanced") == 0;
    return argument(train->balanced || strcmp(sampler, "shuffle") == 0, error, "--sampler is balanced or shuffle") &&
           argument(strcmp(precision, "float32") == 0 || strcmp(precision, "bfloat16") == 0, error, "--precision is float32 or bfloat16") &&
           argument(o->test_share > 0 && o->test_share < 1 && o->val_share > 0 && o->val_share < 1, error,
                    "--test-share and --val-share lie between 0 and 1");
}
