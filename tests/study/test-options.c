/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options: bounds, where values go, and docs/options.md, which it makes. */
#include "base/base-private.h"
#include "evaluate/evaluate-private.h"
#include "mil/model.h"
#include "study/plan.h"
#include "support.h"

#include <math.h>
#include <string.h>

static gboolean is_number(const RmilOption *option) { return option->type == RMIL_OPTION_NUMBER || option->type == RMIL_OPTION_WHOLE; }

/* -- wrong values ------------------------------------------------------------------------------------------------------------ */
/* `text` is refused by name, value and bounds: alone, and in a plan with the line. */
static void assert_refused(const RmilOption *option, const char *text) {
    g_autofree char *bounds = rmil_option_bounds(option);
    const char *must = option->type == RMIL_OPTION_WORD ? option->words[0] : bounds;
    g_autofree char *said = g_strdup_printf("%s is ", option->name);
    const char *const parts[] = {said, text, "; it must be ", must};
    RmilTrainOptions options;
    GError *error = NULL;
    rmil_train_options_init(&options);
    g_assert_false(rmil_train_options_set(&options, option->name, text, &error));
    g_assert_null(rmil_train_options_get(&options, option->name));
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        if (!strstr(error->message, parts[i])) g_error("\"%s\" does not contain \"%s\"", error->message, parts[i]);
    g_autofree char *alone = g_strdup(error->message);
    g_clear_error(&error);
    if (option->scope == RMIL_SCOPE_MACHINE) return;
    g_autofree char *plan = g_strdup_printf("study: comparison\nmethods: [abmil]\nsettings:\n  %s: '%s'\n", option->name, text);
    g_autofree char *folder = test_folder(), *path = test_file(folder, "plan.yaml", plan), *expected = g_strconcat("line 4: ", alone, NULL);
    g_assert_null(rmil_study_plan_read(path, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, expected);
}

static void test_wrong(void) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        const RmilOption *option = &table[i];
        if (option->type == RMIL_OPTION_FILE) continue;
        assert_refused(option, "nonsense");
        assert_refused(option, "1x");
        if (!is_number(option)) continue;
        const double step = option->open ? 0 : 1;
        g_autofree char *below = rmil_option_text(option, option->low - step), *above = rmil_option_text(option, option->high + step);
        if (option->low > -RMIL_OPTION_MOST) assert_refused(option, below);
        if (option->high < RMIL_OPTION_MOST) assert_refused(option, above);
        assert_refused(option, option->type == RMIL_OPTION_WHOLE ? "1.5" : "nan");
    }
}

/* The words of some of them, whole. */
static void test_messages(void) {
    static const char *const cases[][3] = {{"clam-k", "0", "clam-k is 0; it must be in 1 … 65536"},
                                           {"clam-k", "two", "clam-k is \"two\"; it must be a whole number in 1 … 65536"},
                                           {"learning-rate", "0", "learning-rate is 0; it must be above 0 and below 1000"},
                                           {"patience", "0", "patience is 0; it must be at least 1"},
                                           {"threshold", "2e9", "threshold is 2e9; it must be at most 1000000000"},
                                           {"sampler", "fair", "sampler is \"fair\"; it must be shuffle or balanced"},
                                           {"memory", "4 X", "memory is \"4 X\"; it must be a size such as 4G or 512M"},
                                           {"clam_k", "3", "there is no setting \"clam_k\""}};
    RmilTrainOptions options;
    GError *error = NULL;
    rmil_train_options_init(&options);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_false(rmil_train_options_set(&options, cases[i][0], cases[i][1], &error));
        g_assert_cmpstr(error->message, ==, cases[i][2]);
        g_clear_error(&error);
    }
}

/* -- where they go ----------------------------------------------------------------------------------------------------------- */
/* Everything that a method and its data are configured to, with one option, or none. */
static char *configured(const char *method, const char *name, const char *text) {
    RmilTrainOptions options;
    RmilModelConfig model;
    RmilTrainConfig train;
    RmilBagSetOptions load;
    RmilDecisionOptions decision;
    GError *error = NULL;
    rmil_train_options_init(&options);
    if (name) g_assert_true(rmil_train_options_set(&options, name, text, &error));
    g_assert_true(rmil_train_options_configure(&options, rmil_method_find(method, NULL), &model, &train, &error));
    g_assert_true(rmil_train_options_load(&options, &load, &error));
    g_assert_true(rmil_train_options_decision(&options, &decision, &error));
    g_assert_no_error(error);
    rmil_train_options_clear(&options);
    GString *out = g_string_new(NULL);
    for (const RmilOption *row = rmil_model_options(); row->key; row++)
        g_string_append_printf(out, "%s %.17g\n", row->key, rmil_option_get(row, &model));
    for (const RmilOption *row = rmil_trainer_options; row->key; row++)
        g_string_append_printf(out, "%s %.17g\n", row->key, rmil_option_get(row, &train));
    for (const RmilOption *row = rmil_decision_options; row->key; row++)
        g_string_append_printf(out, "%s %.17g\n", row->key, rmil_option_get(row, &decision));
    g_string_append_printf(out, "precision %d memory %" G_GINT64_FORMAT "\nbag %d", load.precision, load.memory, load.bag);
    return g_string_free(out, FALSE);
}

/* Every option reaches its field, and no other: what is configured differs from the default in its keys alone. */
static void test_reach(void) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        const RmilOption *option = &table[i];
        if (option->type == RMIL_OPTION_FILE || g_str_has_suffix(option->name, "-share") || g_str_equal(option->name, "folds")) continue;
        g_autofree char *value = option->type == RMIL_OPTION_SIZE    ? g_strdup("3K")
                                 : option->type == RMIL_OPTION_WORD  ? g_strdup(option->words[option->value < 0.5])
                                 : option->type == RMIL_OPTION_WHOLE ? g_strdup("31")
                                                                     : g_strdup(option->low > 0.375 ? "1.375" : "0.375");
        g_autofree char *before = configured("rank", NULL, NULL), *after = configured("rank", option->name, value);
        g_auto(GStrv) was = g_strsplit(before, "\n", -1), is = g_strsplit(after, "\n", -1);
        int changed = 0;
        for (int k = 0; was[k]; k++) {
            if (strcmp(was[k], is[k]) == 0) continue;
            changed++;
            g_assert_true(g_str_has_prefix(is[k], option->key) || strstr(is[k], option->key) || g_str_equal(option->name, "region-size"));
        }
        g_assert_cmpint(changed, ==, g_str_equal(option->name, "region-size") ? 2 : 1);
    }
}

static void test_sizes(void) {
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"100", 100}, {"2K", 2048}, {"1.5m", 3 << 19}, {"4GiB", INT64_C(4) << 30}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        RmilTrainOptions options;
        RmilBagSetOptions load;
        rmil_train_options_init(&options);
        g_assert_true(rmil_train_options_set(&options, "memory", cases[i].text, NULL));
        g_assert_true(rmil_train_options_load(&options, &load, NULL));
        g_assert_cmpint(load.memory, ==, cases[i].bytes);
        rmil_train_options_clear(&options);
    }
}

/* A configuration by name and key. */
static void test_config(void) {
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&config, "hipt", RMIL_GUIDE_NONE, NULL));
    g_assert_true(rmil_model_config_set(&config, "region-size", 5, NULL));
    g_assert_true(rmil_model_config_set(&config, "region_columns", 7, NULL));
    g_assert_cmpfloat(rmil_model_config_get(&config, "region_rows"), ==, 5);
    g_assert_cmpfloat(rmil_model_config_get(&config, "region_columns"), ==, 7);
    g_assert_cmpfloat(rmil_model_config_get(&config, "heads"), ==, 3);
    g_assert_cmpfloat(rmil_model_config_get(&config, "clam-k"), ==, 8);
    g_assert_true(isnan(rmil_model_config_get(&config, "no-such")));
    g_assert_false(rmil_model_config_set(&config, "no-such", 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "there is no model option \"no-such\"");
    g_assert_false(rmil_model_config_set(&config, "heads", 65, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "heads is 65; it must be in 1 … 64");
}

/* -- docs/options.md --------------------------------------------------------------------------------------------------------- */
static void add_row(GString *out, const RmilOption *option, const char *who) {
    g_autofree char *usual = rmil_option_usual(option), *bounds = rmil_option_bounds(option);
    g_string_append_printf(out, "| `--%s` %s | %s | %s | %s | %s |\n", option->name, option->unit, option->help, usual ? usual : "", bounds,
                           option->owners ? option->owners : who);
}

static void test_docs(void) {
    gsize count, size;
    const RmilOption *table = rmil_train_option_table(&count);
    g_autoptr(GString) rows = g_string_new("| option | what | default | values | of |\n| --- | --- | --- | --- | --- |\n");
    for (gsize i = 0; i < count; i++) add_row(rows, &table[i], table[i].scope == RMIL_SCOPE_METHOD ? "all" : "the data");
    g_autofree char *path = g_build_filename(g_getenv("RMIL_SOURCE"), "docs", "options.md", NULL);
    GError *error = NULL;
    g_autofree char *doc = rmil_file_read(path, 1 << 20, &size, &error);
    g_assert_no_error(error);
    char *begin = strstr(doc, "| option |"), *end = begin ? strstr(begin, "\n\n") : NULL;
    g_assert_true(begin && end);
    g_autofree char *have = g_strndup(begin, (gsize)(end + 1 - begin));
    if (g_getenv("RMIL_WRITE") && strcmp(have, rows->str) != 0) {
        g_autofree char *before = g_strndup(doc, (gsize)(begin - doc)), *made = g_strconcat(before, rows->str, end + 1, NULL);
        g_assert_true(rmil_file_write(path, made, strlen(made), &error));
        return;
    }
    if (strcmp(have, rows->str) != 0) g_error("%s is not what the options are: RMIL_WRITE=1 build/tests/test-options writes it", path);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/wrong", test_wrong);
    g_test_add_func("/options/messages", test_messages);
    g_test_add_func("/options/reach", test_reach);
    g_test_add_func("/options/sizes", test_sizes);
    g_test_add_func("/options/config", test_config);
    g_test_add_func("/options/docs", test_docs);
    return g_test_run();
}
