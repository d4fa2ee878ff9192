#include "report.h"

#include <string.h>

static char *title_of(const RmilRun *run) {
    const char *cohort = rmil_json_text(run->info, "cohort");
    g_autofree char *absolute = g_canonicalize_filename(cohort ? cohort : run->folder, NULL);
    g_autofree char *name = cohort ? rmil_path_stem(absolute) : g_path_get_basename(absolute);
    /* "cohort.csv" says nothing: the folder it lies in does */
    if (cohort && strcmp(name, "cohort") == 0) {
        g_autofree char *parent = g_path_get_dirname(absolute);
        g_free(name);
        name = g_path_get_basename(parent);
    }
    return g_filename_display_name(name);
}

/* "2026-03-14T10:22:33.25Z" -> "2026-03-14 10:22 UTC"; anything else as it is. */
static char *spoken_time(const char *text) {
    GTimeZone *utc = g_time_zone_new_utc();
    GDateTime *time = g_date_time_new_from_iso8601(text, utc);
    GDateTime *universal = time ? g_date_time_to_utc(time) : NULL;
    char *out = universal ? g_date_time_format(universal, "%Y-%m-%d %H:%M UTC") : g_strdup(text);
    g_clear_pointer(&universal, g_date_time_unref);
    g_clear_pointer(&time, g_date_time_unref);
    g_time_zone_unref(utc);
    return out;
}

/* The page's head, with links to those sections that the body has. */
static GString *head(const RmilRun *run, const char *body) {
    static const struct {
        const char *id, *text;
    } sections[] = {{"result", "Result"},      {"tests", "Tables and curves"}, {"localisation", "Localisation"},
                    {"heatmaps", "Heat maps"}, {"errors", "Worst errors"},     {"cohort", "Cohort"},
                    {"training", "Training"},  {"making", "How it was made"}};
    g_autofree char *title = title_of(run);
    const char *created = rmil_json_text(run->info, "created"), *version = rmil_json_text(run->info, "version");
    GString *out = g_string_new(NULL);
    g_string_append(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    rmil_html(out, "<title>%s – rankmil report</title>\n<style>", title);
    g_string_append(out, rmil_html_style);
    rmil_html(out,
              "</style></head><body>\n<header><p class=\"eyebrow\">Slide classification report</p><h1>%s</h1>\n<p "
              "class=\"soft\">",
              title);
    if (created) {
        g_autofree char *when = spoken_time(created);
        rmil_html(out, "Made %s. ", when);
    }
    rmil_html(out, "rankmil %s.", version ? version : rmil_version());
    g_string_append(out, "</p>\n<nav aria-label=\"Sections\"><ul>");
    for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) {
        g_autofree char *section = g_strdup_printf("<section id=\"%s\"", sections[i].id);
        if (strstr(body, section)) rmil_html(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].text);
    }
    g_string_append(out, "</ul></nav></header>\n<main>\n");
    return out;
}

gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error) {
    g_autoptr(RmilRun) run = rmil_run_read(folder, error);
    if (!run) return FALSE;
    rmil_monitor_progress(monitor, "statistics", 0, 1);
    g_autoptr(RmilRunSummary) summary = rmil_run_summarise(run);
    rmil_monitor_progress(monitor, "statistics", 1, 1);
    g_autoptr(GString) body = g_string_new(NULL);
    const RmilMethodSummary *reference = &summary->methods[summary->reference];
    RmilReport report = {run, summary, body, reference->positives > 0 && reference->negatives > 0};
    rmil_report_headline(&report);
    if (!rmil_report_results(&report, error) || !rmil_report_localisation(&report, error) ||
        !rmil_report_heatmaps(&report, monitor, error))
        return FALSE;
    rmil_report_errors(&report);
    rmil_report_cohort(&report);
    if (!rmil_report_training(&report, error)) return FALSE;
    rmil_report_making(&report);
    rmil_html(body, "</main>\n<footer>rankmil %s. For research; not a medical device.</footer>\n</body></html>\n",
              rmil_version());
    g_autoptr(GString) page = head(run, body->str);
    g_string_append_len(page, body->str, (gssize)body->len);
    return rmil_file_write(path, page->str, page->len, error);
}
