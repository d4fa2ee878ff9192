/* SPDX-License-Identifier: Apache-2.0 */
/* One figure: its data, its script, and gnuplot. */
#include "run.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Sizes fit a column of 85 mm, which is 480 px wide. The drawing library's default font is wider than a browser's: its letters
 * are a little smaller, so that the same text fits. */
#define PX_TO_CM (8.5 / 480)
#define PNG_SCALE 3

static void terminals(GString *script, int width, int height) {
    g_string_append_printf(script,
                           "if (format eq 'svg') set terminal svg size %d,%d font 'sans-serif,14' background '#ffffff' "
                           "noenhanced\n",
                           width, height);
    g_string_append_printf(script,
                           "if (format eq 'pdf') set terminal pdfcairo size %.3fcm,%.3fcm font 'sans-serif,6' fontscale 1 "
                           "linewidth 0.9 pointscale 0.6 dashlength 0.6 background '#ffffff' noenhanced\n",
                           width * PX_TO_CM, height * PX_TO_CM);
    g_string_append_printf(script,
                           "if (format eq 'png') set terminal pngcairo size %d,%d font 'sans-serif,12' fontscale %d "
                           "linewidth %d pointscale %d dashlength 0.8 background '#ffffff' noenhanced\n",
                           PNG_SCALE * width, PNG_SCALE * height, PNG_SCALE, PNG_SCALE, PNG_SCALE + 1);
}

void rmil_figure_begin(RmilFigure *figure, const char *name, const char *what, int width, int height, const char *header) {
    figure->name = name;
    figure->csv = rmil_csv_new(header);
    figure->script = g_string_new(NULL);
    figure->clauses = 0;
    GString *script = figure->script;
    g_autofree char *quoted = rmil_figure_quote(name);
    g_string_append_printf(script,
                           "# %s.\n# Made by rankmil from the CSV file of the same name; yours to restyle, then: "
                           "gnuplot %s.gp\n# PDF: gnuplot -e \"format='pdf'\" %s.gp (or 'png')\n"
                           "if (!exists('format')) format = 'svg'\n"
                           "if (!exists('out')) out = %.*s.'.format\n",
                           what, name, name, (int)strlen(quoted) - 1, quoted);
    terminals(script, width, height);
    g_string_append(script, "set output out\n"
                            "set datafile separator comma\n"
                            "set encoding utf8\n"
                            "set border 3 linecolor '#888888'\n"
                            "set tics nomirror out textcolor '#222222'\n"
                            "set grid linetype 1 linecolor '#e4e4e4' linewidth 1\n"
                            "set key below center Left reverse samplen 3 spacing 1.25 maxcols 1\n");
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (gsize i = 0; i < count; i++)
        g_string_append_printf(script, "set linetype %d linecolor '%s' dashtype %s linewidth 2.4 pointtype %d pointsize 0.8\n", (int)i + 1,
                               methods[i].style.colour, methods[i].style.dash, methods[i].style.point);
}

void rmil_figure_plot(RmilFigure *figure, const char *format, ...) {
    g_string_append(figure->script, figure->clauses++ ? ", \\\n     " : "plot ");
    va_list arguments;
    va_start(arguments, format);
    g_string_append_vprintf(figure->script, format, arguments);
    va_end(arguments);
}

void rmil_figure_numbers(RmilCsv *csv, int n, const double *values) {
    for (int i = 0; i < n; i++)
        if (isnan(values[i])) rmil_csv_text(csv, "NaN");
        else rmil_csv_number(csv, "%.6g", values[i]);
}

void rmil_figure_key_room(GString *script, int rows) { g_string_append_printf(script, "set bmargin %.2f\n", 4.2 + 1.26 * rows); }

char *rmil_figure_quote(const char *text) {
    GString *out = g_string_new("'");
    for (const char *p = text; *p; p++) {
        if (*p == '\'') g_string_append_c(out, '\'');
        g_string_append_c(out, (guchar)*p < 32 ? ' ' : *p);
    }
    g_string_append_c(out, '\'');
    return g_string_free(out, FALSE);
}

/* -- gnuplot ------------------------------------------------------------------------------------------------------- */
enum { SVG, PDF, PNG, FORMATS };
static const char *const suffixes[FORMATS] = {".svg", ".pdf", ".png"};

/* Runs the script in folder for each format, in one process; files: the names it writes to. */
static gboolean run_gnuplot(const char *program, const char *folder, const char *script, char *const *files, GError **error) {
    g_autoptr(GString) commands = g_string_new(NULL);
    g_autofree char *quoted_script = rmil_figure_quote(script);
    for (int f = 0; f < FORMATS; f++) {
        g_autofree char *quoted = rmil_figure_quote(files[f]);
        g_string_append_printf(commands, "reset; format='%s'; out=%s; load %s; set output; ", suffixes[f] + 1, quoted, quoted_script);
    }
    /* not GSubprocess: it needs a GLib thread, and ends the process if none can be started */
    g_autofree char *said = NULL;
    g_autoptr(GError) reason = NULL;
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "LC_ALL", "C.UTF-8", TRUE);
    environment = g_environ_setenv(environment, "TZ", "UTC", TRUE); /* PDFs contain the time zone */
    char *arguments[] = {(char *)program, (char *)"-d", (char *)"-e", commands->str, NULL};
    int status;
    if (!g_spawn_sync(folder, arguments, environment, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said, &status, &reason))
        return rmil_fail(error, RMIL_ERROR_IO, "%s/%s: gnuplot cannot be run: %s", folder, script, reason->message);
    if (g_spawn_check_wait_status(status, NULL)) return TRUE;
    g_autofree char *valid = g_utf8_make_valid(said ? said : "", -1);
    g_autoptr(GString) reasons = g_string_new(*g_strstrip(valid) ? valid : "it said nothing");
    for (int f = 0; f < FORMATS; f++) g_string_replace(reasons, files[f], suffixes[f] + 1, 0); /* temporary names tell the user nothing */
    return rmil_fail(error, RMIL_ERROR_IO, "%s/%s: gnuplot failed: %s", folder, script, reasons->str);
}

/* The drawing library writes the time into a PDF; the same data must give the same bytes. `path`: for the message. */
static gboolean drop_date(const char *temporary, const char *path, GError **error) {
    static const char key[] = "/CreationDate (D:", date[] = "20000101000000";
    gsize size, digits = 0;
    g_autofree char *data = rmil_file_read(temporary, (gsize)64 << 20, &size, NULL);
    const char *at = data ? memmem(data, size, key, strlen(key)) : NULL;
    if (data && !at) return TRUE;
    if (at) at += strlen(key);
    while (at && digits < strlen(date) && at + digits < data + size && g_ascii_isdigit(at[digits])) digits++;
    FILE *file = at ? fopen(temporary, "r+b") : NULL;
    gboolean good = file && fseek(file, (long)(at - data), SEEK_SET) == 0 && fwrite(date, 1, digits, file) == digits;
    if (file) good = fclose(file) == 0 && good;
    return good || rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, g_strerror(errno));
}

static gboolean draw(const char *program, const char *folder, const char *name, GError **error) {
    g_autofree char *script = g_strconcat(name, ".gp", NULL);
    char *paths[FORMATS] = {NULL}, *temporaries[FORMATS] = {NULL}, *files[FORMATS] = {NULL};
    gboolean good = TRUE;
    for (int f = 0; f < FORMATS && good; f++) {
        g_autofree char *file = g_strconcat(name, suffixes[f], NULL);
        paths[f] = g_build_filename(folder, file, NULL);
        temporaries[f] = rmil_file_begin(paths[f], error);
        good = temporaries[f] != NULL;
        if (good) files[f] = g_path_get_basename(temporaries[f]);
    }
    good = good && run_gnuplot(program, folder, script, files, error) && drop_date(temporaries[PDF], paths[PDF], error);
    for (int f = 0; f < FORMATS; f++) {
        if (temporaries[f] && good) good = rmil_file_commit(temporaries[f], paths[f], error);
        else if (temporaries[f]) rmil_file_abandon(temporaries[f]);
        g_free(paths[f]);
        g_free(files[f]);
    }
    return good;
}

/* Removes old drawings, which show other data, if they cannot be drawn again. */
static void remove_drawings(const char *folder, const char *name) {
    for (int f = 0; f < FORMATS; f++) {
        g_autofree char *file = g_strconcat(name, suffixes[f], NULL), *path = g_build_filename(folder, file, NULL);
        g_unlink(path);
    }
}

/* Is it a file of the report ("roc.svg", "history-rank.csv"), whatever the method is called? */
static gboolean is_own(const char *file) {
    static const char *const names[] = {
        "roc", "pr", "auroc", "probabilities", "localisation-iou", "localisation-dice", "localisation-pointing", "localisation-froc",
        "flow"};
    static const char *const families[] = {"confusion", "roc-classes", "reliability", "decision", "survival", "scatter"};
    static const char *const endings[] = {".svg", ".pdf", ".png", ".gp", ".csv"};
    for (gsize e = 0; e < G_N_ELEMENTS(endings); e++) {
        if (!g_str_has_suffix(file, endings[e])) continue;
        g_autofree char *name = g_strndup(file, strlen(file) - strlen(endings[e]));
        if (g_str_has_prefix(name, "history-") || g_str_has_prefix(name, "grid-") || g_str_has_prefix(name, "lines-")) return TRUE;
        for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
            if (strcmp(name, names[i]) == 0) return TRUE;
        for (gsize i = 0; i < G_N_ELEMENTS(families); i++) /* "confusion", "confusion-rank" */
            if (g_str_has_prefix(name, families[i]) && strchr("-", name[strlen(families[i])])) return TRUE;
    }
    return FALSE;
}

gboolean rmil_figures_remove(const char *folder, GError **error) {
    g_autofree char *below = g_build_filename(folder, "figures", NULL);
    GDir *dir = g_dir_open(below, 0, NULL);
    gboolean good = TRUE;
    for (const char *file; dir && good && (file = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(below, file, NULL);
        if (is_own(file) && g_unlink(path) != 0 && errno != ENOENT)
            good = rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be removed: %s", path, g_strerror(errno));
    }
    if (dir) g_dir_close(dir);
    return good;
}

gboolean rmil_figures_announce(const char *folder, const RmilMonitor *monitor) {
    g_autofree char *program = g_find_program_in_path("gnuplot");
    if (!program)
        rmil_monitor_warn(
            monitor, "gnuplot is not installed: the page has no figures; their data and scripts are in %s/figures (Debian: gnuplot-nox)",
            folder);
    return program != NULL;
}

char *rmil_figure_end(RmilFigure *figure, const char *folder, GError **error) {
    g_string_append_c(figure->script, '\n');
    g_autoptr(RmilCsv) csv = figure->csv;
    g_autofree char *script = g_string_free(figure->script, FALSE), *below = g_build_filename(folder, "figures", NULL),
                    *program = g_find_program_in_path("gnuplot"), *stem = g_build_filename(below, figure->name, NULL),
                    *table = g_strconcat(stem, ".csv", NULL), *commands = g_strconcat(stem, ".gp", NULL);
    if (!rmil_csv_write(csv, table, error) || !rmil_file_write(commands, script, strlen(script), error)) return NULL;
    if (!program) {
        remove_drawings(below, figure->name);
        return g_strdup("");
    }
    if (!draw(program, below, figure->name, error)) return NULL;
    g_autofree char *file = g_strconcat(figure->name, ".svg", NULL), *path = g_build_filename(below, file, NULL);
    gsize size;
    return rmil_file_read(path, (gsize)64 << 20, &size, error);
}
