#include "run.h"

#include <gio/gio.h>
#include <string.h>

/* Okabe and Ito's colours and a few darker ones, each with a dash pattern of its own: told apart by colour-blind eyes
 * and in gray. In the order of the methods in run.c. */
static const struct {
    const char *colour, *dash;
    int point;
} styles[RMIL_FIGURE_STYLES] = {
    {"#d55e00", "(9,5)", 5},          {"#009e73", "(9,4,2,4)", 9}, {"#0072b2", "solid", 7},
    {"#cc79a7", "(4,3)", 11},         {"#882255", "(12,4)", 10},   {"#56b4e9", "(2,3)", 4},
    {"#e69f00", "(14,3,2,3,2,3)", 6}, {"#333333", "(6,2)", 13},    {"#777777", "(1,3)", 12},
};

void rmil_figure_head(GString *script, const char *name, const char *what, int width, int height) {
    g_autofree char *quoted = rmil_figure_quote(name);
    g_string_append_printf(script,
                           "# %s.\n# Made by rankmil from the CSV file of the same name; yours to restyle, then: "
                           "gnuplot %s.gp\n"
                           "if (!exists('out')) out = %.*s.svg'\n"
                           "set terminal svg size %d,%d font 'sans-serif,14' background '#ffffff' noenhanced\n"
                           "set output out\n"
                           "set datafile separator comma\n"
                           "set encoding utf8\n"
                           "set border 3 linecolor '#888888'\n"
                           "set tics nomirror out textcolor '#222222'\n"
                           "set grid linetype 1 linecolor '#e4e4e4' linewidth 1\n"
                           "set key below center Left reverse samplen 3 spacing 1.25 maxcols 1\n",
                           what, name, (int)strlen(quoted) - 1, quoted, width, height);
    for (int i = 0; i < RMIL_FIGURE_STYLES; i++)
        g_string_append_printf(script,
                               "set linetype %d linecolor '%s' dashtype %s linewidth 2.4 pointtype %d pointsize 0.8\n",
                               i + 1, styles[i].colour, styles[i].dash, styles[i].point);
}

char *rmil_figure_quote(const char *text) {
    GString *out = g_string_new("'");
    for (const char *p = text; *p; p++) {
        if (*p == '\'') g_string_append_c(out, '\'');
        g_string_append_c(out, (guchar)*p < 32 ? ' ' : *p);
    }
    g_string_append_c(out, '\'');
    return g_string_free(out, FALSE);
}

static gboolean write_text(const char *folder, const char *name, const char *suffix, const char *text, GError **error) {
    g_autofree char *file = g_strconcat(name, suffix, NULL), *path = g_build_filename(folder, file, NULL);
    return rmil_file_write(path, text, strlen(text), error);
}

/* Lets gnuplot write `file` below folder; script: NAME.gp there. */
static gboolean run_gnuplot(const char *program, const char *folder, const char *script, const char *file,
                            GError **error) {
    g_autofree char *quoted = rmil_figure_quote(file), *out = g_strconcat("out=", quoted, NULL), *said = NULL;
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_subprocess_launcher_set_cwd(launcher, folder);
    g_subprocess_launcher_setenv(launcher, "LC_ALL", "C.UTF-8", TRUE);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_launcher_spawn(launcher, &reason, program, "-d", "-e", out, script, NULL);
    if (!process || !g_subprocess_communicate_utf8(process, NULL, NULL, NULL, &said, &reason))
        return rmil_fail(error, RMIL_ERROR_IO, "%s/%s: gnuplot cannot be run: %s", folder, script, reason->message);
    if (g_subprocess_get_successful(process)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_IO, "%s/%s: gnuplot failed: %s", folder, script,
                     said && *g_strstrip(said) ? said : "it said nothing");
}

char *rmil_figure_draw(const char *folder, const char *name, const char *csv, const char *script, GError **error) {
    g_autofree char *program = g_find_program_in_path("gnuplot"), *script_file = g_strconcat(name, ".gp", NULL);
    if (!program) {
        rmil_fail(error, RMIL_ERROR_IO,
                  "%s/%s: gnuplot is needed to draw the figures and is not installed (Debian: gnuplot-nox)", folder,
                  script_file);
        return NULL;
    }
    if (!write_text(folder, name, ".csv", csv, error) || !write_text(folder, name, ".gp", script, error)) return NULL;
    g_autofree char *svg_file = g_strconcat(name, ".svg", NULL), *path = g_build_filename(folder, svg_file, NULL);
    char *temporary = rmil_file_begin(path, error);
    if (!temporary) return NULL;
    g_autofree char *file = g_path_get_basename(temporary);
    if (!run_gnuplot(program, folder, script_file, file, error)) {
        rmil_file_abandon(temporary);
        return NULL;
    }
    if (!rmil_file_commit(temporary, path, error)) return NULL;
    gsize size;
    return rmil_file_read(path, (gsize)64 << 20, &size, error);
}
