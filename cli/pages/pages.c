/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil-pages FOLDER STUDIES COMMAND…: writes the manual pages and completions of these commands into a folder. It is the command itself,
 * with a different cli_help_text in place of help.c's, which stores its arguments; every command is then asked for its help. */
#include "pages.h"

#include "help.h"

#include <string.h>

static Page *pages, *asked; /* of all commands; of the current one */
static GPtrArray *plans;    /* names of rankmil's own plans, then NULL */

static void add_group(Page *page, const CliGroup *group) {
    for (const GOptionEntry *entry = group->entries; entry->long_name; entry++) {
        if (entry->flags & G_OPTION_FLAG_HIDDEN) continue;
        PageOption option = {.name = g_strdup(entry->long_name),
                             .letter = entry->short_name,
                             .argument = g_strdup(entry->arg_description),
                             .text = g_strdup(entry->description),
                             .title = g_strdup(group->title),
                             .again = entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY};
        option.words = (const char *const *)g_strdupv((char **)page_words(page->command->name, entry, &option.value));
        g_array_append_val(page->options, option);
    }
}

char *cli_help_text(const char *command, const CliUsage *usage, const CliGroup *groups, const CliGroup *common) {
    asked->usage = usage;
    for (const CliGroup *group = groups; group && group->entries; group++) add_group(asked, group);
    add_group(asked, common);
    return g_strdup("");
}

static void ask(Page *page, const CliCommand *command) {
    char *argv[] = {(char *)command->name, (char *)"--help", NULL};
    *page = (Page){.command = command, .options = g_array_new(FALSE, FALSE, sizeof(PageOption))};
    asked = page;
    if (command->run(2, argv) != 0 || !page->usage) g_error("rankmil %s --help failed", command->name);
    page_arguments(page, (const char *const *)plans->pdata);
}

static void write_page(const char *folder, const char *name, char *text) {
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (!rmil_file_write(path, text, strlen(text), &error)) g_error("%s", error->message);
    g_free(text);
}

/* A build must know its files: the names that it lists must be those that exist. */
static void check_names(int count, char **names) {
    int known = 0;
    for (const CliCommand *command = cli_commands; command->name; command++, known++)
        if (known >= count || strcmp(names[known], command->name) != 0)
            g_error("cli/pages/meson.build does not have \"%s\" where cli/commands.c has it", command->name);
    if (known != count) g_error("cli/pages/meson.build has \"%s\", cli/commands.c has not", names[known]);
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Names of rankmil's own plans: the files in a folder. */
static GPtrArray *find_plans(const char *folder) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    if (!dir) g_error("%s", error->message);
    GPtrArray *names = g_ptr_array_new();
    for (const char *name; (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".yaml")) g_ptr_array_add(names, g_strndup(name, strlen(name) - strlen(".yaml")));
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return names;
}

int main(int argc, char **argv) {
    if (argc < 4) g_error("usage: rankmil-pages FOLDER STUDIES COMMAND…");
    check_names(argc - 3, argv + 3);
    plans = find_plans(argv[2]);
    pages = g_new0(Page, (gsize)argc);
    for (int i = 0; i < argc - 3; i++) {
        ask(&pages[i], &cli_commands[i]);
        g_autofree char *name = g_strdup_printf("rankmil-%s.1", cli_commands[i].name);
        write_page(argv[1], name, page_manual(&pages[i]));
    }
    write_page(argv[1], "rankmil.1", page_manual_of_all(pages));
    write_page(argv[1], "rankmil", page_bash(pages));
    write_page(argv[1], "_rankmil", page_zsh(pages));
    write_page(argv[1], "rankmil.fish", page_fish(pages));
    return 0;
}
