/* The page of a run. */
#include "report.h"

#include "study-report.h"

#include <string.h>

static char *title_of(const RmilResults *run) {
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

/* "Made 2026-03-14 10:22 UTC. rankmil 1.2.3." */
static char *made(const RmilResults *run) {
    const char *created = rmil_json_text(run->info, "created"), *version = rmil_json_text(run->info, "version");
    g_autofree char *when = created ? spoken_time(created) : NULL;
    return g_strdup_printf("%s%s%srankmil %s.", when ? "Made " : "", when ? when : "", when ? ". " : "",
                           version ? version : rmil_version());
}

/* A folder with a record whose runs have no folders is a study's. */
static gboolean is_study(const char *folder, gboolean *study, GError **error) {
    *study = FALSE;
    if (!rmil_study_exists(folder)) return TRUE;
    g_autoptr(RmilStudy) record = rmil_study_open(folder, error);
    const char *kind = record ? rmil_study_value(record, "kind") : "";
    *study = strcmp(kind, "run") != 0 && strcmp(kind, "train") != 0;
    return record != NULL;
}

gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error) {
    gboolean study;
    if (!is_study(folder, &study, error)) return FALSE;
    if (study) return rmil_study_report_write(folder, path, monitor, error);
    g_autoptr(RmilResults) run = rmil_results_read(folder, error);
    if (!run) return FALSE;
    rmil_monitor_progress(monitor, "statistics", 0, 1);
    g_autoptr(RmilSummary) summary = rmil_summarise(run->methods, run->reference ? run->reference : rmil_method_reference()->name);
    rmil_monitor_progress(monitor, "statistics", 1, 1);
    const gboolean drawn = rmil_figures_announce(folder, monitor);
    if (!rmil_figures_remove(folder, error)) return FALSE;
    g_autoptr(GString) body = g_string_new(NULL);
    const RmilMethodSummary *reference = &summary->methods[summary->reference];
    RmilReport report = {run, summary, body, reference->positives > 0 && reference->negatives > 0, drawn};
    rmil_report_headline(&report);
    if (!rmil_report_results(&report, error) || !rmil_report_localisation(&report, error) || !rmil_report_heatmaps(&report, monitor, error))
        return FALSE;
    rmil_report_errors(&report);
    rmil_report_cohort(&report);
    if (!rmil_report_training(&report, error)) return FALSE;
    rmil_report_making(&report);
    static const RmilHtmlSection sections[] = {{"result", "Result"},      {"tests", "Tables and curves"}, {"localisation", "Localisation"},
                                               {"heatmaps", "Heat maps"}, {"errors", "Worst errors"},     {"cohort", "Cohort"},
                                               {"training", "Training"},  {"making", "How it was made"},  {NULL, NULL}};
    g_autofree char *title = title_of(run), *line = made(run);
    return rmil_html_page_write(path, "Slide classification report", title, line, sections, body->str, error);
}
