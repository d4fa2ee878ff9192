/* SPDX-License-Identifier: Apache-2.0 */
/* The models of a study: those of one method and, if something varies, of one value. */
#include "models.h"

#include <math.h>
#include <string.h>

/* "0.5"; if two things vary "0.001, 0.25"; "": nothing varies. */
static char *value_words(const RmilStudyRun *run) {
    GString *words = g_string_new(NULL);
    for (int i = 0; i < RMIL_VARIED && run->varied[i].name; i++) g_string_append_printf(words, "%s%s", i ? ", " : "", run->varied[i].text);
    return g_string_free(words, FALSE);
}

/* Equal as text, or as a number: 0.5 is .50. */
static gboolean is_value(const RmilVaried *varied, const char *given) {
    g_autofree char *text = g_strstrip(g_strdup(given));
    char *end;
    const double number = g_ascii_strtod(text, &end);
    return strcmp(text, varied->text) == 0 || (end != text && !*end && number == varied->number);
}

/* value NULL: TRUE for every run. */
static gboolean has_value(const RmilStudyRun *run, const char *value) {
    if (!value) return TRUE;
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    guint n = 0;
    while (n < RMIL_VARIED && run->varied[n].name) n++;
    gboolean same = n == g_strv_length(parts);
    for (guint i = 0; same && i < n; i++) same = is_value(&run->varied[i], parts[i]);
    return same;
}

/* Adds a string if it is not in the list. */
static void note(GPtrArray *list, const char *text) {
    if (!g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL)) g_ptr_array_add(list, g_strdup(text));
}

static char *join(const GPtrArray *list, const char *between) {
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < list->len; i++) g_string_append_printf(text, "%s%s", i ? between : "", (const char *)list->pdata[i]);
    return g_string_free(text, FALSE);
}

/* Lists what is finished in the study: fails if the choice does not exist, or is not unique. */
static gboolean check_choice(const RmilStudy *study, const char *method, const char *value, GError **error) {
    g_autoptr(GPtrArray) methods = g_ptr_array_new_with_free_func(g_free), values = g_ptr_array_new_with_free_func(g_free);
    gboolean found = FALSE;
    for (int64_t i = 0; i < rmil_study_count(study); i++) {
        const RmilStudyRun *run = rmil_study_run(study, i);
        if (!run->done) continue;
        note(methods, run->method);
        if (strcmp(run->method, method) != 0) continue;
        g_autofree char *words = value_words(run);
        note(values, words);
        found = found || has_value(run, value);
    }
    const char *folder = rmil_study_folder(study), *variable = rmil_study_value(study, "variable");
    g_autofree char *all_methods = join(methods, ", "), *all_values = join(values, "; ");
    if (!methods->len) g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: none of the study's trainings has finished", folder);
    else if (!values->len)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: the study has no finished training of %s, only of %s: give --method", folder,
                    method, all_methods);
    else if (!value && values->len > 1)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: the study varies %s: give --value with one of %s", folder, variable,
                    all_values);
    else if (!found)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: the study has no finished training of %s with %s %s, only with %s", folder,
                    method, variable, value, all_values);
    else return TRUE;
    return FALSE;
}

static gboolean add_model(Models *models, const RmilStudyRun *run, const char *folder, GError **error) {
    g_autofree char *have = rmil_file_sha256(run->model, error);
    if (!have) return FALSE;
    if (!*run->sha256 || strcmp(have, run->sha256) == 0) return models_add(models, run->model, folder, error);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT,
                "%s: is not the model that the study recorded (its SHA-256 differs), so it was damaged or replaced: run the study's "
                "command again",
                run->model);
    return FALSE;
}

/* How the study's slides became features, as recorded by its stages. */
static gboolean take_preprocessing(Models *models, const char *folder, GError **error) {
    g_autofree char *table = g_build_filename(folder, "cohort.csv", NULL);
    g_autoptr(JsonObject) info = json_object_new();
    JsonNode *preprocessing;
    if (!rmil_preprocessing_read(table, &preprocessing, error)) return FALSE;
    if (preprocessing) json_object_set_member(info, "preprocessing", preprocessing);
    return models_take_info(models, info, folder, error);
}

/* "rank, fraction 0.5, mean of 2 models" */
static char *name_models(const RmilStudyRun *run, guint count) {
    if (count == 1) return rmil_study_run_title(run);
    GString *title = g_string_new(run->method);
    for (int i = 0; i < RMIL_VARIED && run->varied[i].name; i++)
        g_string_append_printf(title, ", %s %s", run->varied[i].name, run->varied[i].text);
    g_string_append_printf(title, ", mean of %u models", count);
    return g_string_free(title, FALSE);
}

gboolean models_add_study(Models *models, Cli *cli, const char *folder, const ModelsChoice *choice, GError **error) {
    g_autoptr(RmilStudy) study = rmil_study_open(folder, error);
    if (!study) return FALSE;
    const char *reference = rmil_study_value(study, "reference"), *method = choice->method ? choice->method
                                                                            : *reference   ? reference
                                                                                           : rmil_method_reference()->name;
    models->varied = models->varied || *rmil_study_value(study, "variable");
    const char *value = *rmil_study_value(study, "variable") ? choice->value : NULL;
    if (!check_choice(study, method, value, error) || !take_preprocessing(models, folder, error)) return FALSE;
    const RmilStudyRun *last = NULL;
    int64_t left = 0;
    guint added = 0;
    for (int64_t i = 0; i < rmil_study_count(study); i++) {
        const RmilStudyRun *run = rmil_study_run(study, i);
        if (strcmp(run->method, method) != 0 || !has_value(run, value)) continue;
        left += !run->done;
        if (!run->done) continue;
        if (!add_model(models, run, folder, error)) return FALSE;
        last = run;
        added++;
    }
    if (left)
        rmil_monitor_warn(&cli->monitor,
                          "%s: %" G_GINT64_FORMAT " of its trainings of %s are planned but have not finished: the mean is over the "
                          "others",
                          folder, left, method);
    g_free(models->title);
    models->title = name_models(last, added);
    return TRUE;
}
