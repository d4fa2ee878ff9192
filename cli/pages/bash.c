/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash. Of the package bash-completion it needs only the folder, in order to be found. */
#include "pages.h"

static const char *const opening =
    "# Completion of rankmil's commands, options and their words; files otherwise. Written from the tables of options.\n"
    "_rankmil() {\n"
    "    local command=${COMP_WORDS[1]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local commands options='' words='' list='' before=''\n"
    "    COMPREPLY=()\n"
    "    # --name=word comes as three words\n"
    "    if [[ $current == '=' ]]; then current=''\n"
    "    elif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char *const ending = "    if [[ -n $list ]]; then # words between commas\n"
                                  "        [[ $current == *,* ]] && before=${current%,*},\n"
                                  "        words=$list current=${current##*,}\n"
                                  "    elif [[ -z $words && $current == -* ]]; then words=$options\n"
                                  "    fi\n"
                                  "    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$words\" -- \"$current\")\n"
                                  "}\n"
                                  "complete -o bashdefault -o default -F _rankmil rankmil\n";

static void add_words(GString *out, const char *const *words) {
    g_autofree char *joined = g_strjoinv(" ", (char **)words);
    g_string_append_printf(out, "'%s'", joined);
}

static void add_command(GString *out, const Page *page) {
    g_string_append_printf(out, "        %s)\n            options='", page->command->name);
    for (guint i = 0; i < page->options->len; i++) {
        const PageOption *option = &g_array_index(page->options, PageOption, i);
        g_string_append_printf(out, "%s--%s", i ? " " : "", option->name);
    }
    g_string_append(out, "'\n            case $previous in\n");
    for (guint i = 0; i < page->options->len; i++) {
        const PageOption *option = &g_array_index(page->options, PageOption, i);
        if (!option->words) continue;
        g_string_append_printf(out, "                --%s) %s=", option->name, option->value == PAGE_LIST ? "list" : "words");
        add_words(out, option->words);
        g_string_append(out, " ;;\n");
    }
    if (page->arguments) {
        g_string_append_printf(out, "                %s) [[ $COMP_CWORD -ne 2 || $current == -* ]] || words=", page->command->name);
        add_words(out, page->arguments);
        g_string_append(out, " ;;\n");
    }
    g_string_append(out, "            esac\n            ;;\n");
}

char *page_bash(const Page *pages) {
    GString *out = g_string_new(opening);
    g_string_append(out, "    commands='");
    for (const Page *page = pages; page->command; page++) g_string_append_printf(out, "%s ", page->command->name);
    g_string_append(out, "help'\n"
                         "    if [[ $COMP_CWORD -eq 1 ]]; then words=\"$commands --help --version\"; fi\n"
                         "    [[ $COMP_CWORD -eq 1 ]] || case $command in\n"
                         "        help) [[ $COMP_CWORD -ne 2 ]] || words=${commands% help} ;;\n");
    for (const Page *page = pages; page->command; page++) add_command(out, page);
    g_string_append(out, "    esac\n");
    g_string_append(out, ending);
    return g_string_free(out, FALSE);
}
