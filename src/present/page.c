/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run or of a study: its sections in order, and the files beside it. */
#include "study-report.h"
#include "task-words.h"

#include <string.h>

static char *title_of(const RmilResults *run) {
    const char *cohort = rmil_json_text(run->info, "cohort");
    g_autofree char *absolute = g_canonicalize_filename(cohort ? cohort : run->folder, NULL);
    g_autofree char *name = cohort ? rmil_path_stem(absolute) : g_path_get_basename(absolute);
    /* "cohort.csv" is no title: take the name of its folder */
    if (cohort && strcmp(name, "cohort") == 0) {
        g_autofree char *parent = g_path_get_dirname(absolute);
        g_free(name);
        name = g_path_get_basename(parent);
    }
    return g_filename_display_name(name);
}

/* "2026-03-14T10:22:33.25Z" -> "2026-03-14 10:22 UTC"; anything else unchanged. */
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

/* Sections in the page's order; NULL: that kind of page does not have it. */
static const struct {
    const char *id, *text;
    AddSection of_run, of_study;
} sections[] = {
    {"result", "At a glance", rmil_report_answer, rmil_study_results},
    {"cohort", "Cohort", rmil_report_cohort, rmil_study_cohort},
    {"tests", "Performance", rmil_report_measures, rmil_study_tests},
    {"subgroups", "Subgroups", rmil_report_subgroups, NULL},
    {"localisation", "Attention and lesions", rmil_report_localisation, rmil_study_localise},
    {"errors", "Test slides", rmil_report_errors, rmil_report_errors},
    {"heatmaps", "Heat maps", rmil_report_pictures, NULL},
    {"attention", "Attention", NULL, rmil_study_attention_section},
    {"training", "Training", rmil_report_training, rmil_report_training},
    {"methods", "For the manuscript", rmil_report_methods, rmil_report_methods},
    {"making", "How this was made", rmil_report_making, rmil_study_making},
};

static gboolean write_page(const RmilReport *report, const char *path, GError **error) {
    const RmilStudyReport *study = report->study;
    RmilHtmlSection links[G_N_ELEMENTS(sections) + 1] = {{NULL, NULL}};
    for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) links[i] = (RmilHtmlSection){sections[i].id, sections[i].text};
    g_autofree char *eyebrow = study->of_run ? g_strdup(study->task.kind == RMIL_TASK_CLASSES ? "Slide classification report"
                                                                                              : "Slide prediction report")
                                             : g_strdup_printf("Study: %s", study->kind),
                    *line = study->of_run ? made(report->run)
                                          : g_strdup_printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " trainings, %" G_GINT64_FORMAT
                                                            " test slides. rankmil %s.",
                                                            study->done, study->planned, study->slides, rmil_version());
    return rmil_html_page_write(path, eyebrow, report->title, line, links, report->out->str, error);
}

/* The table of slides: the one in the folder, else the one named in run.json. If neither can be read, the page does without it. */
static RmilCohort *find_table(const RmilResults *run) {
    const char *given = rmil_json_text(run->info, "cohort"), *directory = rmil_json_text(run->info, "directory");
    g_autofree char *own = g_build_filename(run->folder, "cohort.csv", NULL),
                    *named = given ? g_canonicalize_filename(given, directory) : NULL;
    const RmilReading how = {.target = RMIL_TARGET_UNREAD};
    const char *const paths[] = {own, named};
    for (gsize k = 0; k < G_N_ELEMENTS(paths); k++) {
        RmilCohort *cohort = paths[k] && g_file_test(paths[k], G_FILE_TEST_IS_REGULAR) ? rmil_cohort_read_as(paths[k], &how, NULL) : NULL;
        if (cohort) return cohort;
    }
    return NULL;
}

/* The columns named in run.json; NULL: none. */
static char **recorded_groups(const RmilResults *run) {
    JsonArray *columns = rmil_json_array(rmil_json_get(run->info, "subgroups"));
    g_autoptr(GStrvBuilder) out = g_strv_builder_new();
    for (guint i = 0; columns && i < json_array_get_length(columns); i++) {
        const char *name = rmil_json_string(json_array_get_element(columns, i));
        if (name) g_strv_builder_add(out, name);
    }
    return columns ? g_strv_builder_end(out) : NULL;
}

static char *choose_title(const RmilReport *report, const RmilReportOptions *options) {
    const RmilStudyReport *study = report->study;
    const char *recorded = study->of_run ? rmil_json_text(report->run->info, "title") : NULL;
    if (options && options->title) return g_strdup(options->title);
    if (recorded) return g_strdup(recorded);
    return study->of_run ? title_of(report->run) : g_strdup(*study->title ? study->title : study->kind);
}

static gboolean write_all(RmilReport *report, const char *path, GError **error) {
    const RmilStudyReport *study = report->study;
    const char *folder = study->folder;
    g_autofree char *tables = g_build_filename(folder, "tables", NULL), *figures = g_build_filename(folder, "figures", NULL);
    if (!rmil_figures_remove(folder, error) || !rmil_study_csv_write(study, tables, error) || !rmil_study_latex_write(study, tables, error))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(sections); i++) {
        const AddSection add = study->of_run ? sections[i].of_run : sections[i].of_study;
        if (add && !add(report, error)) return FALSE;
    }
    rmil_folder_sweep(tables);
    rmil_folder_sweep(figures);
    return write_page(report, path, error);
}

gboolean rmil_report_write_as(const char *folder, const char *path, const RmilReportOptions *options, const RmilMonitor *monitor,
                              GError **error) {
    rmil_monitor_progress(monitor, "statistics", 0, 1);
    g_autoptr(RmilStudyReport) study = rmil_study_report_read(folder, error);
    if (!study) return FALSE;
    rmil_monitor_progress(monitor, "statistics", 1, 1);
    const RmilLevel *last = &study->levels[study->n_levels - 1];
    const RmilMethodSummary *reference = &last->summary->methods[last->summary->reference];
    g_autoptr(GString) body = g_string_new(NULL);
    RmilReport report = {.study = study,
                         .run = last->run,
                         .summary = last->summary,
                         .out = body,
                         .monitor = monitor,
                         .tested = rmil_predictions_measurable(reference->pooled, &study->task),
                         .drawn = rmil_figures_announce(folder, monitor)};
    g_auto(GStrv) groups = NULL;
    report.title = choose_title(&report, options);
    if (study->n_levels == 1) rmil_report_find_outcomes(&report);
    if (study->of_run) {
        report.table = find_table(report.run);
        groups = recorded_groups(report.run);
    }
    report.flow = rmil_flow_new(&report);
    report.groups = options && options->subgroups ? options->subgroups : (const char *const *)groups;
    const gboolean done = study->of_run || !options || !options->subgroups
                              ? write_all(&report, path, error)
                              : rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: subgroups are of runs; this is a study", folder);
    g_clear_pointer(&report.outcomes, g_ptr_array_unref);
    g_clear_pointer(&report.table, rmil_cohort_free);
    rmil_flow_free(report.flow);
    g_free(report.title);
    return done;
}

gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error) {
    return rmil_report_write_as(folder, path, NULL, monitor, error);
}
