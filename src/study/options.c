/* Every option of training by its name: the command line and study plans read the same table. */
#include "rankmil/study.h"

#include "base/base-private.h"
#include "mil/model.h"

#include <math.h>
#include <string.h>

/* "The model's default": what nobody can give. Whole numbers; others are NaN. */
#define UNSET G_MININT64

#define OPTION(name, type, scope, field, help, unit)                                                                                       \
    { name, RMIL_OPTION_##type, RMIL_SCOPE_##scope, offsetof(RmilTrainOptions, field), help, unit }

static const RmilTrainOption table[] = {
    OPTION("threshold", NUMBER, METHOD, threshold, "attention threshold T (default: 1; -1: none)", "T"),
    OPTION("sigma", NUMBER, METHOD, sigma, "scale of the rank loss (default: 1)", "X"),
    OPTION("margin", NUMBER, METHOD, margin, "margin of the rank loss (default: 1)", "X"),
    OPTION("lambda", NUMBER, METHOD, lambda, "weight of the guide's loss (default: 1)", "X"),
    OPTION("rank-sample", WHOLE, METHOD, rank_sample, "rank loss over at most N + N sampled patches (default: 0, all pairs)", "N"),
    OPTION("epochs", WHOLE, METHOD, epochs, "at most N epochs (default: 200)", "N"),
    OPTION("patience", WHOLE, METHOD, patience, "stop after N epochs without a better validation loss (default: 7)", "N"),
    OPTION("warmup", WHOLE, METHOD, warmup, "never stop before epoch N (default: 20)", "N"),
    OPTION("learning-rate", NUMBER, METHOD, learning_rate, "of Adam (default: 2e-4)", "X"),
    OPTION("weight-decay", NUMBER, METHOD, weight_decay, "L2 penalty added to the gradient (default: 1e-5)", "X"),
    OPTION("group", WHOLE, METHOD, group, "slides per step of Adam (default: 8)", "N"),
    OPTION("sampler", WORD, METHOD, sampler, "balanced (default: with replacement, classes equally often) or shuffle", "NAME"),
    OPTION("dropout", NUMBER, METHOD, dropout, "share of hidden units dropped in training (default: 0)", "X"),
    OPTION("hidden", WHOLE, METHOD, hidden, "width of the hidden layer (default: the paper's for the model)", "N"),
    OPTION("attention-dim", WHOLE, METHOD, attention_dim, "width of the attention layer (default: the paper's)", "N"),
    OPTION("clam-k", WHOLE, METHOD, clam_k, "CLAM: patches of highest and of lowest attention (default: 8)", "N"),
    OPTION("clam-bag-weight", NUMBER, METHOD, clam_bag_weight, "CLAM: weight of the slide loss (default: 0.7)", "X"),
    OPTION("region-size", WHOLE, METHOD, region_size, "HIPT: regions of N × N tiles (default: 16)", "N"),
    OPTION("patch-depth", WHOLE, METHOD, patch_depth, "HIPT: blocks over the tiles of a region (default: 4)", "N"),
    OPTION("region-depth", WHOLE, METHOD, region_depth, "HIPT: blocks over the regions (default: 2)", "N"),
    OPTION("heads", WHOLE, METHOD, heads, "HIPT: heads of a block, dividing the hidden layer's width (default: 3)", "N"),
    OPTION("precision", WORD, DATA, precision, "of the features: float32 (default) or bfloat16", "NAME"),
    OPTION("memory", WORD, MACHINE, memory, "budget for features in memory, e.g. 4G; more lies in mapped files (default: all in memory)",
           "SIZE"),
    OPTION("splits", FILE, DATA, splits, "CSV of fixed splits: id and one column of train/val/test per split", "FILE"),
    OPTION("test-share", NUMBER, DATA, test_share, "of slides, where the cohort names no test set (default: 0.2)", "X"),
    OPTION("val-share", NUMBER, DATA, val_share, "of the other slides (default: 0.2)", "X"),
};

const RmilTrainOption *rmil_train_option_table(gsize *count) {
    *count = G_N_ELEMENTS(table);
    return table;
}

static char **text_of(RmilTrainOptions *options, const RmilTrainOption *option) { return G_STRUCT_MEMBER_P(options, option->offset); }

static gboolean is_text(const RmilTrainOption *option) { return option->type == RMIL_OPTION_WORD || option->type == RMIL_OPTION_FILE; }

void rmil_train_options_init(RmilTrainOptions *options) {
    RmilTrainConfig train;
    RmilSplitOptions split;
    rmil_train_config_init(&train);
    rmil_split_options_init(&split);
    *options = (RmilTrainOptions){.threshold = NAN,
                                  .sigma = NAN,
                                  .margin = NAN,
                                  .lambda = NAN,
                                  .dropout = NAN,
                                  .rank_sample = UNSET,
                                  .hidden = UNSET,
                                  .attention_dim = UNSET,
                                  .clam_k = UNSET,
                                  .clam_bag_weight = NAN,
                                  .region_size = UNSET,
                                  .patch_depth = UNSET,
                                  .region_depth = UNSET,
                                  .heads = UNSET,
                                  .learning_rate = train.learning_rate,
                                  .weight_decay = train.weight_decay,
                                  .epochs = train.epochs,
                                  .patience = train.patience,
                                  .warmup = train.warmup,
                                  .group = train.group,
                                  .test_share = split.test,
                                  .val_share = split.val};
}

void rmil_train_options_clear(RmilTrainOptions *options) {
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (is_text(&table[i])) g_clear_pointer(text_of(options, &table[i]), g_free);
}

void rmil_train_options_copy(const RmilTrainOptions *from, RmilTrainOptions *to) {
    *to = *from;
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (is_text(&table[i])) *text_of(to, &table[i]) = g_strdup(*text_of(to, &table[i]));
}

const RmilTrainOption *rmil_train_option_find(const char *name) {
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

gboolean rmil_train_options_set(RmilTrainOptions *options, const char *name, const char *text, GError **error) {
    const RmilTrainOption *option = rmil_train_option_find(name);
    if (!option) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no setting \"%s\"", name);
    void *field = G_STRUCT_MEMBER_P(options, option->offset);
    char *end;
    if (is_text(option)) {
        g_free(*text_of(options, option));
        *text_of(options, option) = g_strdup(text);
        return TRUE;
    }
    if (option->type == RMIL_OPTION_WHOLE) {
        int64_t value = g_ascii_strtoll(text, &end, 10);
        if (end == text || *end) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: \"%s\" is not a whole number", name, text);
        *(int64_t *)field = value;
        return TRUE;
    }
    double value = g_ascii_strtod(text, &end);
    if (end == text || *end || !isfinite(value)) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: \"%s\" is not a number", name, text);
    *(double *)field = value;
    return TRUE;
}

static gboolean argument(gboolean right, GError **error, const char *message) {
    return right || rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s", message);
}

gboolean rmil_train_options_configure(const RmilTrainOptions *o, const RmilTrainMethod *method, RmilModelConfig *model,
                                      RmilTrainConfig *train, GError **error) {
    const char *sampler = o->sampler ? o->sampler : "balanced", *precision = o->precision ? o->precision : "float32";
    if (!rmil_model_config_init(model, method->model, method->guide, error)) return FALSE;
    if (!isnan(o->threshold)) model->threshold = o->threshold;
    if (!isnan(o->sigma)) model->sigma = o->sigma;
    if (!isnan(o->margin)) model->margin = o->margin;
    if (!isnan(o->lambda)) model->lambda = o->lambda;
    if (!isnan(o->dropout)) model->dropout = o->dropout;
    if (o->rank_sample != UNSET) model->rank_sample = o->rank_sample;
    if (o->hidden != UNSET) model->hidden = o->hidden;
    if (o->attention_dim != UNSET) model->attention_dim = o->attention_dim;
    if (o->clam_k != UNSET) model->clam_k = o->clam_k;
    if (!isnan(o->clam_bag_weight)) model->clam_bag_weight = o->clam_bag_weight;
    if (o->region_size != UNSET) model->region_rows = model->region_columns = o->region_size;
    if (o->patch_depth != UNSET) model->patch_depth = o->patch_depth;
    if (o->region_depth != UNSET) model->region_depth = o->region_depth;
    if (o->heads != UNSET) model->heads = o->heads;
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

gboolean rmil_train_options_check(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error) {
    RmilModelConfig model;
    RmilTrainConfig train;
    if (!rmil_train_options_configure(options, method, &model, &train, error)) return FALSE;
    model.dim = 1; /* the data's, which nobody knows yet */
    return rmil_model_config_check(&model, error) && rmil_train_config_check(&train, error);
}
