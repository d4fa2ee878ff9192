/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages and completions say what `--help` says, of every command and every option. */
#include "command.h"
#include "rankmil/study.h"

#include <string.h>

/* BUILD/cli/pages/NAME; the second its content. */
static char *page_path(const char *name) { return g_build_filename(g_getenv("RMIL_BUILD"), "cli", "pages", name, NULL); }

static char *page_text(const char *name) {
    g_autofree char *path = page_path(name);
    return test_bytes(NULL, path, NULL);
}

/* Commands of `rankmil --help`: its lines of two spaces, a name and a summary. */
static GPtrArray *commands(void) {
    g_auto(Outcome) o = {0};
    command_run(&o, ".", "--help", NULL);
    command_expect(&o, 0, "");
    g_auto(GStrv) lines = g_strsplit(o.out, "\n", -1);
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; lines[i]; i++)
        if (g_str_has_prefix(lines[i], "  ")) g_ptr_array_add(names, g_strndup(lines[i] + 2, strcspn(lines[i] + 2, " ")));
    g_assert_cmpuint(names->len, >=, 16);
    return names;
}

/* Long options of `rankmil COMMAND --help`, with their dashes, one a line. */
static char *options(const char *command) {
    g_auto(Outcome) o = {0};
    command_run(&o, ".", command, "--help", NULL);
    command_expect(&o, 0, "");
    g_auto(GStrv) lines = g_strsplit(o.out, "\n", -1);
    GString *names = g_string_new(NULL);
    for (int i = 0; lines[i]; i++) {
        const char *name = g_str_has_prefix(lines[i], "  -") ? strstr(lines[i], "--") : NULL;
        if (name) g_string_append_printf(names, "%.*s\n", (int)strcspn(name, " "), name);
    }
    g_assert_nonnull(strstr(names->str, "--help\n"));
    return g_string_free(names, FALSE);
}

static void expect_part(const char *file, const char *text, const char *part) {
    if (!strstr(text, part)) g_error("%s does not have \"%s\"", file, part);
}

/* Every command has its page, and the page of all names it. */
static void test_commands(void) {
    g_autoptr(GPtrArray) names = commands();
    g_autofree char *all = page_text("rankmil.1");
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *file = g_strdup_printf("rankmil-%s.1", name), *text = page_text(file),
                        *title = g_strdup_printf("\nrankmil\\-%s \\- ", name), *link = g_strdup_printf(".BR rankmil\\-%s (1)\n", name);
        expect_part(file, text, title);
        expect_part("rankmil.1", all, link);
    }
}

/* Every option of the help is in the page, and no other. */
static void test_options(void) {
    g_autoptr(GPtrArray) names = commands();
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *file = g_strdup_printf("rankmil-%s.1", (const char *)names->pdata[i]), *text = page_text(file),
                        *listed = options(names->pdata[i]);
        g_auto(GStrv) lines = g_strsplit(g_strchomp(listed), "\n", -1);
        for (int k = 0; lines[k]; k++) {
            g_auto(GStrv) parts = g_strsplit(lines[k], "-", -1);
            g_autofree char *escaped = g_strjoinv("\\-", parts), *bold = g_strdup_printf("\\fB%s\\fR", escaped);
            expect_part(file, text, bold);
        }
        g_assert_cmpint(test_count(text, "\\fB\\-\\-"), ==, (int)g_strv_length(lines));
    }
}

/* Pages render without a warning. */
static void test_render(void) {
    g_autofree char *groff = g_find_program_in_path("groff"), *folder = page_path("");
    g_auto(Outcome) o = {0};
    if (!groff) {
        g_test_skip("there is no groff, which renders manual pages");
        return;
    }
    command_shell(&o, folder, "for page in *.1; do groff -man -Tutf8 -ww -z $page || exit 1; done");
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    command_shell(&o, folder, "groff -man -Tutf8 -P-c rankmil-run.1");
    expect_part("rankmil-run.1", o.out, "\n       rankmil run cohort.csv -o results\n");
    expect_part("rankmil-run.1", o.out, "µm per pixel of a tile");
}

/* What bash's completion offers of these words, of which the last is being written; one a line. */
static char *offered(const char *words) {
    g_autofree char *folder = page_path(""),
                    *script = g_strdup_printf(
                        "bash -c '. ./rankmil; COMP_WORDS=(rankmil %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _rankmil; "
                        "[ ${#COMPREPLY[@]} = 0 ] || printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
                        words);
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, script);
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    return g_steal_pointer(&o.out);
}

static void expect_offer(const char *words, const char *lines) {
    g_autofree char *have = offered(words);
    g_assert_cmpstr(have, ==, lines);
}

static gboolean has_bash(void) {
    g_autofree char *bash = g_find_program_in_path("bash");
    if (!bash) g_test_skip("there is no bash");
    return bash != NULL;
}

static void test_bash_options(void) {
    if (!has_bash()) return;
    g_autoptr(GPtrArray) names = commands();
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *words = g_strdup_printf("%s --", name), *listed = options(name), *some = g_strdup_printf("%s in.csv --j", name);
        expect_offer(words, listed);
        expect_offer(some, "--json\n");
    }
}

static void test_bash_words(void) {
    if (!has_bash()) return;
    gsize count;
    const RmilOption *table = rmil_train_option_table(&count);
    for (gsize i = 0; i < count; i++) {
        if (table[i].type != RMIL_OPTION_WORD) continue;
        g_autofree char *words = g_strdup_printf("train t.csv --%s \"\"", table[i].name),
                        *joined = g_strjoinv("\n", (char **)table[i].words), *lines = g_strconcat(joined, "\n", NULL);
        expect_offer(words, lines);
    }
    expect_offer("run --pairs w", "within\n");
    expect_offer("run --pairs = ac", "across\n"); /* as bash parts --pairs=ac */
    expect_offer("run --pairs =", "within\nacross\nboth\n");
    expect_offer("run --methods abmil,ind", "abmil,induction\n");
    expect_offer("evaluate run --cut \"\"", ""); /* a number here, words in training */
    expect_offer("run cohort.csv --output \"\"", "");
    expect_offer("cohort camel", "camelyon16\n");
    expect_offer("study low", "low-data\n");
    expect_offer("study low-data \"\"", "");
    expect_offer("help ev", "evaluate\n");
    expect_offer("no-such --", "");
}

/* The other shells' files name every option, and are read by these shells where they are there. */
static void test_shells(void) {
    g_autoptr(GPtrArray) names = commands();
    g_autofree char *zsh = page_text("_rankmil"), *fish = page_text("rankmil.fish"), *folder = page_path("");
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        g_autofree char *listed = options(name), *begin = g_strdup_printf("\n    %s) _arguments", name);
        g_auto(GStrv) lines = g_strsplit(g_strchomp(listed), "\n", -1);
        expect_part("_rankmil", zsh, begin);
        const char *from = strstr(zsh, begin);
        g_autofree char *section = g_strndup(from, (gsize)(strstr(from, ";;") - from));
        for (int k = 0; lines[k]; k++) {
            g_autofree char *line = g_strdup_printf("'__rankmil_command %s' -l %s ", name, lines[k] + 2);
            expect_part("_rankmil", section, lines[k]);
            expect_part("rankmil.fish", fish, line);
        }
    }
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, "! command -v zsh >/dev/null || zsh -f -n _rankmil; ! command -v fish >/dev/null || fish -n rankmil.fish");
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pages/commands", test_commands);
    g_test_add_func("/pages/options", test_options);
    g_test_add_func("/pages/render", test_render);
    g_test_add_func("/pages/bash/options", test_bash_options);
    g_test_add_func("/pages/bash/words", test_bash_words);
    g_test_add_func("/pages/shells", test_shells);
    return g_test_run();
}
