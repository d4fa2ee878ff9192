/* SPDX-License-Identifier: Apache-2.0 */
/* The documents are true: links lead somewhere, quoted messages are the program's, and the tutorial does what it says. */
#include "command.h"

#include <string.h>

static char *source(const char *name) { return g_build_filename(g_getenv("RMIL_SOURCE"), name, NULL); }

/* Paths of the files below a folder of the tree whose names end so. */
static void collect(const char *folder, const char *ending, GPtrArray *paths) {
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_assert_nonnull(dir);
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) collect(path, ending, paths);
        else if (g_str_has_suffix(name, ending)) g_ptr_array_add(paths, g_steal_pointer(&path));
    }
}

static GPtrArray *documents(void) {
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    for (const char *const *name = (const char *const[]){"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", NULL}; *name;
         name++)
        g_ptr_array_add(paths, source(*name));
    g_autofree char *docs = source("docs");
    collect(docs, ".md", paths);
    g_assert_cmpuint(paths->len, >, 20);
    return paths;
}

/* The text with its fenced blocks and, where asked, inline code blanked out: nothing in them is a link. */
static char *prose(const char *path, gboolean code) {
    g_autofree char *text = test_bytes(NULL, path, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *out = g_string_new(NULL);
    gboolean fenced = FALSE;
    for (char **line = lines; *line; line++) {
        gboolean fence = g_str_has_prefix(*line, "```");
        if (fence) fenced = !fenced;
        if (!fence && !fenced) g_string_append(out, *line);
        g_string_append_c(out, '\n');
    }
    g_autoptr(GRegex) inline_code = g_regex_new("`[^`\n]*`", 0, 0, NULL);
    g_autofree char *all = g_string_free(out, FALSE);
    return code ? g_steal_pointer(&all) : g_regex_replace_literal(inline_code, all, -1, 0, "", 0, NULL);
}

/* Anchors of a document's headings, as GitHub names them: small letters, blanks as dashes, no other marks. */
static GHashTable *anchors(const char *path) {
    GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *text = prose(path, TRUE);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        gsize level = strspn(*line, "#");
        if (!level || (*line)[level] != ' ') continue;
        g_autofree char *lower = g_utf8_strdown(*line + level + 1, -1);
        GString *anchor = g_string_new(NULL);
        for (const char *p = lower; *p; p = g_utf8_next_char(p)) {
            gunichar c = g_utf8_get_char(p);
            if (g_unichar_isalnum(c) || c == '-' || c == '_') g_string_append_unichar(anchor, c);
            else if (c == ' ') g_string_append_c(anchor, '-');
        }
        g_hash_table_add(set, g_string_free(anchor, FALSE));
    }
    return set;
}

static int broken_link(const char *document, const char *target) {
    if (strstr(target, "://") || g_str_has_prefix(target, "mailto:")) return 0;
    g_auto(GStrv) parts = g_strsplit(target, "#", 2);
    g_autofree char *folder = g_path_get_dirname(document),
                    *path = *parts[0] ? g_build_filename(folder, parts[0], NULL) : g_strdup(document);
    gboolean there = g_file_test(path, G_FILE_TEST_EXISTS);
    g_autoptr(GHashTable) known = there && parts[1] ? anchors(path) : NULL;
    if (there && (!known || g_hash_table_contains(known, parts[1]))) return 0;
    g_printerr("%s: broken link: %s\n", document, target);
    return 1;
}

static void test_links(void) {
    g_autoptr(GPtrArray) paths = documents();
    g_autoptr(GRegex) link = g_regex_new("\\]\\(([^)\\s]+)\\)", 0, 0, NULL);
    int broken = 0, links = 0;
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *text = prose(paths->pdata[i], FALSE);
        g_autoptr(GMatchInfo) match = NULL;
        for (g_regex_match(link, text, 0, &match); g_match_info_matches(match); g_match_info_next(match, NULL), links++) {
            g_autofree char *target = g_match_info_fetch(match, 1);
            broken += broken_link(paths->pdata[i], target);
        }
    }
    g_assert_cmpint(links, >, 100);
    g_assert_cmpint(broken, ==, 0);
}

/* Every document can be reached from the map. */
static void test_map(void) {
    g_autofree char *docs = source("docs"), *map = source("docs/README.md"), *text = test_bytes(NULL, map, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    collect(docs, ".md", paths);
    for (guint i = 0; i < paths->len; i++) {
        const char *name = (const char *)paths->pdata[i] + strlen(docs) + 1;
        g_autofree char *link = g_strdup_printf("(%s)", name);
        if (!g_str_equal(name, "README.md") && !strstr(text, link)) g_error("docs/README.md does not name docs/%s", name);
    }
}

/* All strings of the program, their pieces joined as the compiler joins them. */
static char *program(void) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    for (const char *const *name = (const char *const[]){"cli", "src", NULL}; *name; name++) {
        g_autofree char *folder = source(*name);
        collect(folder, ".c", paths);
        collect(folder, ".h", paths);
    }
    g_autofree char *setup = source("tools/setup");
    g_ptr_array_add(paths, g_steal_pointer(&setup));
    GString *all = g_string_new(NULL);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *text = test_bytes(NULL, paths->pdata[i], NULL);
        g_string_append(all, text);
    }
    g_autoptr(GRegex) seam = g_regex_new("\"\\s*(?:\\\\\\s*)?\"", 0, 0, NULL);
    g_autofree char *text = g_string_free(all, FALSE);
    return g_regex_replace_literal(seam, text, -1, 0, "", 0, NULL);
}

static void test_messages(void) {
    g_autofree char *path = source("docs/troubleshooting.md"), *text = test_bytes(NULL, path, NULL), *strings = program();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int quoted = 0;
    for (char **line = lines; *line; line++) {
        if (!g_str_has_prefix(*line, "### `")) continue;
        g_assert_true(g_str_has_suffix(*line, "`"));
        g_autofree char *message = g_strndup(*line + 5, strlen(*line) - 6);
        g_auto(GStrv) parts = g_strsplit(message, "…", -1);
        for (char **part = parts; *part; part++)
            if (!strstr(strings, g_strstrip(*part))) g_error("docs/troubleshooting.md quotes what the program does not say: %s", *part);
        quoted++;
    }
    g_assert_cmpint(quoted, >, 40);
}

/* Commands of the document's blocks "```sh", in order; other kinds of blocks ("```sh setup") are not for a test. */
static char *commands(const char *name) {
    g_autofree char *path = source(name), *text = test_bytes(NULL, path, NULL), *bin = g_path_get_dirname(g_getenv("RMIL_DOCUMENTED"));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *script = g_string_new("set -e\n");
    g_string_append_printf(script, "PATH='%s':\"$PATH\"\n", bin);
    gboolean inside = FALSE;
    for (char **line = lines; *line; line++) {
        if (inside && !g_str_equal(*line, "```")) g_string_append_printf(script, "%s\n", *line);
        inside = inside ? !g_str_equal(*line, "```") : g_str_equal(*line, "```sh");
    }
    return g_string_free(script, FALSE);
}

/* What docs/tutorial.md says, typed; then the example of docs/library.md on what it made. */
static void test_tutorial(void) {
    if (!g_getenv("RMIL_DOCUMENTED")) {
        g_test_skip("the tutorial is followed without sanitizers alone: it is all of `run`, which other tests run under them");
        return;
    }
    g_autofree char *folder = test_folder(), *script = commands("docs/tutorial.md");
    g_auto(Outcome) o = {0};
    command_shell(&o, folder, script);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "nothing wrong was found"));
    g_assert_nonnull(strstr(o.out, "Rank induction: AUROC"));
    g_autofree char *work = g_build_filename(folder, "rankmil-tutorial", NULL);
    for (const char *const *name =
             (const char *const[]){"results/report.html", "results/heatmaps/rank/slide_036.png", "results/masks/slide_001.png",
                                   "results/run.json", "new/predictions.html", "new/qupath/slide_036.geojson", NULL};
         *name; name++)
        if (!test_exists(work, *name)) g_error("docs/tutorial.md: %s is not there", *name);
    g_autoptr(RmilTable) said = test_rows(work, "new/predictions.csv");
    g_autofree char *expected = g_strdup_printf("slide_036: probability %.4f", g_ascii_strtod(test_cell(said, 0, "probability"), NULL));
    g_autofree char *example = g_strdup_printf("'%s' results/runs/rank/0/model.safetensors new/features/slide_036.h5",
                                               g_getenv("RMIL_ATTEND"));
    command_shell(&o, work, example);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, expected));
    g_assert_cmpint(test_count(o.out, "times the mean attention"), ==, 5);
    command_shell(&o, work, "\"$RMIL_ATTEND\" nothing.safetensors new/features/slide_036.h5");
    command_expect(&o, 1, "attend: nothing.safetensors: ");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/documents/links", test_links);
    g_test_add_func("/documents/map", test_map);
    g_test_add_func("/documents/messages", test_messages);
    g_test_add_func("/documents/tutorial", test_tutorial);
    return g_test_run();
}
