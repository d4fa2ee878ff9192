/* SPDX-License-Identifier: Apache-2.0 */
/* The script that runs a study's shards on a cluster with Slurm. */
#include "study.h"

#include <string.h>

char *study_program(void) {
    char *path = g_file_read_link("/proc/self/exe", NULL);
    return path ? path : g_strdup("rankmil");
}

/* Options that the script itself sets: with a value after "=" or in the next argument, in which case *skip counts it. */
static gboolean for_slurm(const char *argument, gboolean *next) {
    static const char *const own[] = {"--slurm", "--sbatch"};
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++) {
        if (!g_str_has_prefix(argument, own[i])) continue;
        const char end = argument[strlen(own[i])];
        *next = end == '\0';
        if (end == '\0' || end == '=') return TRUE;
    }
    return FALSE;
}

static void append_arguments(GString *out, char **arguments) {
    gboolean next = FALSE;
    for (int i = 0; arguments[i]; i++) {
        if (next) {
            next = FALSE;
            continue;
        }
        if (for_slurm(arguments[i], &next)) continue;
        g_autofree char *quoted = g_shell_quote(arguments[i]);
        g_string_append_printf(out, " %s", quoted);
    }
}

gboolean study_slurm_write(const char *folder, char **arguments, int64_t shards, const char *sbatch, char **path, GError **error) {
    g_autofree char *full = g_canonicalize_filename(folder, NULL), *program = study_program(), *here = g_get_current_dir();
    g_auto(GStrv) parts = g_strsplit(full, "%", -1); /* which Slurm would replace in the name of the log */
    g_autofree char *plain = g_strjoinv("%%", parts);
    g_autofree char *script = g_build_filename(full, "study.slurm", NULL), *log = g_build_filename(plain, "slurm-%x-%j.log", NULL);
    g_autofree char *quoted_script = g_shell_quote(script), *quoted_program = g_shell_quote(program), *quoted_here = g_shell_quote(here);
    g_autofree char *quoted_folder = g_shell_quote(full), *quoted_log = g_shell_quote(log), *options = g_shell_quote(sbatch);
    g_autoptr(GString) command = g_string_new(quoted_program);
    append_arguments(command, arguments);
    g_autoptr(GString) out = g_string_new(NULL);
    g_string_printf(
        out,
        "#!/bin/sh\n"
        "# Runs a study on a cluster with Slurm:  sh study.slurm\n"
        "# submits three jobs: the stages before training, an array of shards, and the report when all shards have ended.\n"
        "# Every step continues where it stopped: submit again after a failure or a time limit, with more or fewer shards if you\n"
        "# like; no run is made twice. What sbatch needs here (partition, time, processors, memory) stands in the next lines.\n"
        "shards=%" G_GINT64_FORMAT "\n"
        "options=%s\n"
        "\n"
        "set -eu\n"
        "cd %s\n"
        "script=%s\n"
        "threads=\"${SLURM_CPUS_PER_TASK:-1}\"\n"
        "case \"${1:-submit}\" in\n"
        "submit)\n"
        "    # shellcheck disable=SC2086  # several options in one text\n"
        "    set -- --parsable --output=%s $options\n"
        "    stages=$(sbatch --job-name=rankmil-stages \"$@\" \"$script\" stages)\n"
        "    array=$(sbatch --job-name=rankmil-study --dependency=\"afterany:${stages%%%%;*}\" --array=\"1-$shards\" --requeue \"$@\""
        " \"$script\" shard)\n"
        "    report=$(sbatch --job-name=rankmil-report --dependency=\"afterany:${array%%%%;*}\" \"$@\" \"$script\" report)\n"
        "    echo \"submitted: stages ${stages%%%%;*}, shards ${array%%%%;*}, report ${report%%%%;*}\"\n"
        "    ;;\n"
        "stages) exec %s --prepare --threads \"$threads\" ;;\n"
        "shard) exec %s --shard \"$SLURM_ARRAY_TASK_ID/$shards\" --threads \"$threads\" ;;\n"
        "report) exec %s report %s ;;\n"
        "esac\n",
        shards, options, quoted_here, quoted_script, quoted_log, command->str, command->str, quoted_program, quoted_folder);
    if (!rmil_file_write(script, out->str, out->len, error)) return FALSE;
    *path = g_steal_pointer(&script);
    return TRUE;
}
