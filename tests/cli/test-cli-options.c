/* SPDX-License-Identifier: Apache-2.0 */
/* Options of training on the command line: wrong values, before anything is read. */
#include "base/base-private.h"
#include "command.h"
#include "rankmil/study.h"

#include <string.h>

static void refused(const RmilOption *option, const char *text, int status, const char *must) {
    g_autofree char *folder = test_folder(), *given = g_strdup_printf("--%s=%s", option->name, text);
    const gboolean number = option->type == RMIL_OPTION_NUMBER || option->type == RMIL_OPTION_WHOLE;
    g_autofree char *expected = g_strdup_printf(status == 2 || !number ? "--%s is \"%s\"; it must be %s" : "--%s is %s; it must be %s",
                                                option->name, text, must);
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "train", "none.csv", "-o", "model", given, NULL);
    command_expect(&o, status, expected);
    g_autofree char *made = g_build_filename(folder, "model", NULL);
    g_assert_false(g_file_test(made, G_FILE_TEST_EXISTS));
}

/* What is no number where one is asked for is wrong usage. */
static void test_wrong(void) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        const RmilOption *option = &table[i];
        g_autofree char *bounds = rmil_option_bounds(option),
                        *within = strstr(bounds, "…") ? g_strconcat("in ", bounds, NULL) : g_strdup(bounds);
        if (option->type == RMIL_OPTION_NUMBER) refused(option, "x", 2, "a number ");
        if (option->type == RMIL_OPTION_WHOLE) refused(option, "1.5", 2, "a whole number ");
        if (option->type == RMIL_OPTION_WORD) refused(option, "x", 1, option->words[0]);
        if (option->type == RMIL_OPTION_SIZE) refused(option, "x", 1, "a size such as 4G");
        if (option->type > RMIL_OPTION_WHOLE) continue;
        g_autofree char *below = rmil_option_text(option, option->low - 1);
        if (option->low > -RMIL_OPTION_MOST) refused(option, below, 1, within);
        else refused(option, "1e20", 1, within);
    }
}

/* Every option stands in the help, with its default and bounds. */
static void test_help(void) {
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    g_auto(Outcome) o = {0};
    command_run(&o, ".", "train", "--help", NULL);
    command_expect(&o, 0, "");
    g_auto(GStrv) words = g_strsplit_set(o.out, " \n", -1);
    g_autoptr(GString) flat = g_string_new(NULL); /* lines of the help are broken at spaces */
    for (int i = 0; words[i]; i++)
        if (*words[i]) g_string_append_printf(flat, "%s ", words[i]);
    for (gsize i = 0; i < count; i++) {
        g_autofree char *line = g_strdup_printf("--%s %s %s", table[i].name, table[i].unit, table[i].summary);
        if (!strstr(flat->str, line)) g_error("the help does not say \"%s\"", line);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/options/wrong", test_wrong);
    g_test_add_func("/cli/options/help", test_help);
    return g_test_run();
}
