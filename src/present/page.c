/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run or of a study: its sections in order, and the files beside it. */
#include "study-report.h"
#include "task-words.h"

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

/* -- the page ---------------------------------------------------------------------------------------------------------------- */
typedef gboolean (*AddSection)(RmilReport *report, GError **error);

/* In the page's order; NULL: such a page has none. */
static const struct {
    const char *id, *text;
    AddSection of_run, of_study;
} sections[] = {
    {"result", "Result", rmil_report_headline, rmil_study_results},
    {"tests", "Tables and tests", rmil_report_results, rmil_study_tests},
    {"localisation", "Localisation", rmil_report_localisation, rmil_study_localise},
    {"heatmaps", "Heat maps", rmil_report_heatmaps, NULL},
    {"attention", "Attention", NULL, rmil_study_attention_section},
    {"errors", "Worst errors", rmil_report_errors, rmil_report_errors},
    {"cohort", "Cohort", rmil_report_cohort, NULL},
    {"training", "Training", rmil_report_training, rmil_report_training},
    {"making", "How it was made", rmil_report_making, rmil_study_making},
};

static gboolean write_page(const RmilReport *report, const char *path, GError **error) {
    const RmilStudyReport *study = report->study;
    RmilHtmlSection links[G_N_ELEMENTS(sections) + 1] = {{NULL, NULL}};
    for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) links[i] = (RmilHtmlSection){sections[i].id, sections[i].text};
    g_autofree char *title = study->of_run ? title_of(report->run) : g_strdup(*study->title ? study->title : study->kind),
                    *eyebrow = study->of_run ? g_strdup(study->task.kind == RMIL_TASK_CLASSES ? "Slide classification report"
                                                                                              : "Slide prediction report")
                                             : g_strdup_printf("Study: %s", study->kind),
                    *line = study->of_run ? made(report->run)
                                          : g_strdup_printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " trainings, %" G_GINT64_FORMAT
                                                            " test slides. rankmil %s.",
                                                            study->done, study->planned, study->slides, rmil_version());
    return rmil_html_page_write(path, eyebrow, title, line, links, report->out->str, error);
}

gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error) {
    rmil_monitor_progress(monitor, "statistics", 0, 1);
    g_autoptr(RmilStudyReport) study = rmil_study_report_read(folder, error);
    if (!study) return FALSE;
    rmil_monitor_progress(monitor, "statistics", 1, 1);
    const RmilLevel *last = &study->levels[study->n_levels - 1];
    const RmilMethodSummary *reference = &last->summary->methods[last->summary->reference];
    const gboolean drawn = rmil_figures_announce(folder, monitor);
    if (!rmil_figures_remove(folder, error)) return FALSE;
    g_autoptr(GString) body = g_string_new(NULL);
    RmilReport report = {study, last->run, last->summary, body, monitor, rmil_predictions_measurable(reference->pooled, &study->task),
                         drawn, NULL};
    g_autoptr(GPtrArray) outcomes = NULL;
    if (study->n_levels == 1) {
        rmil_report_find_outcomes(&report);
        outcomes = report.outcomes;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) {
        const AddSection add = study->of_run ? sections[i].of_run : sections[i].of_study;
        if (add && !add(&report, error)) return FALSE;
    }
    g_autofree char *tables = g_build_filename(folder, "tables", NULL), *figures = g_build_filename(folder, "figures", NULL);
    rmil_folder_sweep(tables);
    rmil_folder_sweep(figures);
    return rmil_study_csv_write(study, tables, error) && rmil_study_latex_write(study, tables, error) && write_page(&report, path, error);
}
