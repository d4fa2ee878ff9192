/* SPDX-License-Identifier: Apache-2.0 */
/* Every training option by name: the tables of all owners as one, for the command line and study plans. */
#include "cohort/cohort-private.h"
#include "evaluate/evaluate-private.h"
#include "mil/model.h"
#include "rankmil/study.h"

#include <string.h>

static const RmilOption repeat_options[] = {
    {.name = "splits",
     .key = "splits",
     .type = RMIL_OPTION_FILE,
     .scope = RMIL_SCOPE_DATA,
     .usual = "drawn",
     .unit = "FILE",
     .help = "fixed splits: a CSV with id and one column per split (train, val, test), or a folder of CLAM's splits_N.csv"},
    {RMIL_WHOLE("folds", "folds", 0, 2, 1000, "N", "cross-validation with N folds, each the test set once; patients are kept together"),
     .scope = RMIL_SCOPE_DATA, .usual = "none"},
    {0},
};

static const RmilOption weight_options[] = {
    {.name = "cnn-weights",
     .key = "cnn_weights",
     .type = RMIL_OPTION_FILE,
     .scope = RMIL_SCOPE_MACHINE, /* results depend on the file's contents, not on its path */
     .usual = "random numbers",
     .unit = "FILE",
     .help = "ResNet-50 weights to start patch-cnn from (safetensors or PyTorch)"},
    {0},
};

static void add(GArray *table, const RmilOption *rows) {
    for (; rows->key; rows++) rmil_options_add(table, rows, NULL);
}

const RmilOption *rmil_train_option_table(gsize *count) {
    static GArray *table;
    static gsize done;
    if (g_once_init_enter(&done)) {
        table = g_array_new(FALSE, FALSE, sizeof(RmilOption));
        for (const RmilOption *row = rmil_model_options(); row->key; row++) /* options with the same name are set together: takes the
                                                                             * first */
            if (row->name && (!table->len || strcmp(g_array_index(table, RmilOption, table->len - 1).name, row->name) != 0))
                g_array_append_vals(table, row, 1);
        add(table, rmil_trainer_options);
        add(table, rmil_set_options);
        add(table, weight_options);
        add(table, repeat_options);
        add(table, rmil_share_options);
        add(table, rmil_decision_options);
        g_assert(table->len <= RMIL_TRAIN_OPTIONS); /* else RMIL_TRAIN_OPTIONS in study.h is too small */
        g_once_init_leave(&done, 1);
    }
    *count = table->len;
    return (const RmilOption *)(void *)table->data;
}

const RmilOption *rmil_train_option_find(const char *name) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

/* -- values ------------------------------------------------------------------------------------------------------------------ */
void rmil_train_options_init(RmilTrainOptions *options) { *options = (RmilTrainOptions){.texts = {NULL}}; }

void rmil_train_options_clear(RmilTrainOptions *options) {
    for (gsize i = 0; i < RMIL_TRAIN_OPTIONS; i++) g_clear_pointer(&options->texts[i], g_free);
}

void rmil_train_options_copy(const RmilTrainOptions *from, RmilTrainOptions *to) {
    for (gsize i = 0; i < RMIL_TRAIN_OPTIONS; i++) to->texts[i] = g_strdup(from->texts[i]);
}

char **rmil_train_options_text(RmilTrainOptions *options, const RmilOption *option) {
    gsize count;
    return &options->texts[option - rmil_train_option_table(&count)];
}

const char *rmil_train_options_get(const RmilTrainOptions *options, const char *name) {
    const RmilOption *option = rmil_train_option_find(name);
    return option ? *rmil_train_options_text((RmilTrainOptions *)options, option) : NULL;
}

gboolean rmil_train_options_set(RmilTrainOptions *options, const char *name, const char *text, GError **error) {
    const RmilOption *option = rmil_train_option_find(name);
    double value;
    if (!option) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no setting \"%s\"", name);
    if (!rmil_option_read(option, name, text, &value, error)) return FALSE;
    char **at = rmil_train_options_text(options, option);
    g_free(*at);
    *at = g_strdup(text);
    return TRUE;
}

gboolean rmil_train_options_parse(const RmilTrainOptions *options, GError **error) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        g_autofree char *called = g_strconcat("--", table[i].name, NULL);
        double value;
        const gboolean number = table[i].type == RMIL_OPTION_NUMBER || table[i].type == RMIL_OPTION_WHOLE;
        if (number && options->texts[i] && !rmil_option_parse(&table[i], called, options->texts[i], &value, error)) return FALSE;
    }
    return TRUE;
}

/* -- applying them ----------------------------------------------------------------------------------------------------------- */
/* Writes the given options into the struct of their owner. */
static gboolean fill(const RmilTrainOptions *options, const RmilOption *rows, gpointer owner, GError **error) {
    for (; rows->key; rows++) {
        const char *text = rows->name ? rmil_train_options_get(options, rows->name) : NULL;
        g_autofree char *called = text ? g_strconcat("--", rows->name, NULL) : NULL;
        double value;
        if (!text) continue;
        if (!rmil_option_read(rows, called, text, &value, error)) return FALSE;
        rmil_option_put(rows, owner, value);
    }
    return TRUE;
}

/* The file's SHA-256. An unchanged file is read only once, since every training of a plan asks. */
static const char *digest_of(const char *path, GError **error) {
    static GMutex lock;
    static GHashTable *known; /* path, size and modification time -> SHA-256 */
    g_autofree char *identity = rmil_file_identity(path), *key = g_strdup_printf("%s %s", path, identity ? identity : "");
    g_mutex_lock(&lock);
    if (!known) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *found = g_hash_table_lookup(known, key);
    g_autofree char *sha256 = found ? NULL : rmil_file_sha256(path, error);
    if (sha256) g_hash_table_insert(known, g_steal_pointer(&key), (gpointer)(found = g_intern_string(sha256)));
    g_mutex_unlock(&lock);
    return found;
}

/* The weights that a model of pixels starts from, and their digest. The texts live as long as the program; a plan names few files. */
static gboolean name_weights(const RmilTrainOptions *options, const RmilModelConfig *model, RmilTrainConfig *train, GError **error) {
    const char *path = rmil_train_options_get(options, "cnn-weights");
    if (!path || !rmil_model_class(model->model, NULL)->dim) return TRUE;
    train->weights = g_intern_string(path);
    return (train->weights_sha256 = digest_of(path, error)) != NULL;
}

/* The option that defines the method: no other value may be given. */
static gboolean keep_method(const RmilTrainMethod *method, const RmilModelConfig *before, const RmilModelConfig *after, GError **error) {
    const char *option = method->option;
    if (!option || rmil_model_config_get(before, option) == rmil_model_config_get(after, option)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "method %s always has --%s %s: leave --%s out, or choose another method", method->name,
                     option, method->value, option);
}

gboolean rmil_train_options_configure(const RmilTrainOptions *options, const RmilTrainMethod *method, RmilModelConfig *model,
                                      RmilTrainConfig *train, GError **error) {
    RmilModelConfig usual;
    rmil_train_config_init(train);
    if (!rmil_method_config_init(method, &usual, error)) return FALSE;
    *model = usual;
    return fill(options, rmil_model_options(), model, error) && keep_method(method, &usual, model, error) &&
           fill(options, rmil_trainer_options, train, error) && name_weights(options, model, train, error);
}

const RmilTrainMethod *rmil_train_options_method(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error) {
    RmilModelConfig model;
    RmilTrainConfig train;
    return rmil_train_options_configure(options, method, &model, &train, error) ? rmil_method_of_config(&model) : NULL;
}

gboolean rmil_train_options_load(const RmilTrainOptions *options, RmilBagSetOptions *load, GError **error) {
    rmil_bag_set_options_init(load);
    return fill(options, rmil_set_options, load, error);
}

gboolean rmil_train_options_decision(const RmilTrainOptions *options, RmilDecisionOptions *decision, GError **error) {
    rmil_decision_options_init(decision);
    return fill(options, rmil_decision_options, decision, error);
}

/* 0: not given. */
static gboolean read_folds(const RmilTrainOptions *options, double *folds, GError **error) {
    const char *text = rmil_train_options_get(options, "folds");
    return !text || rmil_option_read(rmil_train_option_find("folds"), "--folds", text, folds, error);
}

GArray *rmil_train_options_repeats(const RmilTrainOptions *options, const RmilCohort *cohort, const int64_t *seeds, int64_t count,
                                   GError **error) {
    const char *splits = rmil_train_options_get(options, "splits");
    if (splits && rmil_train_options_get(options, "folds")) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "--splits fixes the sets and --folds draws them: give only one");
        return NULL;
    }
    if (splits) return rmil_repeats_read(cohort, splits, error);
    double folds = 0;
    RmilSplitOptions shares;
    rmil_split_options_init(&shares);
    if (!fill(options, rmil_share_options, &shares, error) || !read_folds(options, &folds, error)) return NULL;
    return folds > 0 ? rmil_repeats_fold(cohort, (int64_t)folds, shares.val, seeds, count, error)
                     : rmil_repeats_draw(cohort, shares.test, shares.val, seeds, count, error);
}

gboolean rmil_train_options_check(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error) {
    RmilModelConfig model;
    RmilTrainConfig train;
    RmilBagSetOptions load;
    RmilSplitOptions shares;
    RmilDecisionOptions decision;
    double folds;
    if (!rmil_train_options_configure(options, method, &model, &train, error) || !rmil_train_options_load(options, &load, error) ||
        !fill(options, rmil_share_options, &shares, error) || !read_folds(options, &folds, error) ||
        !rmil_train_options_decision(options, &decision, error))
        return FALSE;
    model.dim = 1; /* set from the data, still unknown */
    return rmil_model_config_check(&model, error);
}
