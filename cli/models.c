/* SPDX-License-Identifier: Apache-2.0 */
/* The model, or models, that a command applies: model files, folders of trainings, of whole runs, or of studies. */
#include "models.h"

#include <string.h>

void models_clear(Models *models) {
    g_clear_pointer(&models->list, g_ptr_array_unref);
    g_clear_pointer(&models->paths, g_ptr_array_unref);
    g_clear_pointer(&models->folders, g_ptr_array_unref);
    g_clear_pointer(&models->title, g_free);
    g_clear_pointer(&models->info, json_object_unref);
}

/* -- models that fit together -------------------------------------------------------------------------------------------------- */
/* "the classes normal, tumor", "survival", "a number" */
static char *task_words(const RmilTask *task) {
    if (task->kind == RMIL_TASK_SURVIVAL) return g_strdup("survival");
    if (task->kind == RMIL_TASK_NUMBER) return g_strdup("a number");
    GString *words = g_string_new("the classes ");
    for (int c = 0; c < task->classes; c++) g_string_append_printf(words, "%s%s", c ? ", " : "", task->names[c]);
    return g_string_free(words, FALSE);
}

static gboolean goes_with(const RmilModel *model, const char *path, const RmilModel *first_model, const char *first_path, GError **error) {
    const RmilModelConfig *config = rmil_model_config(model), *first = rmil_model_config(first_model);
    g_autofree char *own = task_words(&config->task), *others = task_words(&first->task);
    if (rmil_model_sees(model) != rmil_model_sees(first_model))
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s and %s: one model reads pixels and the other features: use two separate calls",
                    first_path, path);
    else if (config->dim != first->dim)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: takes %" G_GINT64_FORMAT " features per patch, %s takes %" G_GINT64_FORMAT,
                    path, config->dim, first_path, first->dim);
    else if (!rmil_task_equal(&config->task, &first->task))
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: predicts %s%s, but %s predicts %s: the two cannot be averaged", path, own,
                    strcmp(own, others) == 0 ? " in another way" : "", first_path, others);
    else if (config->task.kind == RMIL_TASK_SURVIVAL && config->survival_loss != first->survival_loss)
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    "%s: has another survival loss than %s: their risks have different units and "
                    "cannot be averaged",
                    path, first_path);
    else return TRUE;
    return FALSE;
}

gboolean models_add(Models *models, const char *path, const char *folder, GError **error) {
    RmilModel *model = rmil_model_load(path, error);
    if (!model) return FALSE;
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    for (guint i = 0; i < models->paths->len; i++) {
        g_autofree char *other = g_canonicalize_filename(models->paths->pdata[i], NULL);
        if (strcmp(full, other) != 0) continue;
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: is given twice and would count twice in the average: give it once", path);
        rmil_model_free(model);
        return FALSE;
    }
    g_ptr_array_add(models->list, model);
    g_ptr_array_add(models->paths, g_strdup(path));
    g_ptr_array_add(models->folders, g_strdup(folder));
    return goes_with(model, path, models->list->pdata[0], models->paths->pdata[0], error);
}

static char *preprocessing_text(JsonObject *info) {
    JsonNode *node = json_object_get_member(info, "preprocessing");
    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_to_string(node, FALSE) : NULL;
}

gboolean models_take_info(Models *models, JsonObject *info, const char *folder, GError **error) {
    static const char *const places[] = {"weights", NULL}; /* the path of the encoder's weights does not identify them */
    if (!models->info) {
        models->info = json_object_ref(info);
        return TRUE;
    }
    g_autofree char *was = preprocessing_text(models->info), *is = preprocessing_text(info),
                    *difference = was && is ? rmil_config_difference(was, is, places) : g_strdup("");
    if (!*difference) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                "%s: its slides were turned into features in another way than those of the models before it (%s), so the same slide "
                "cannot be given to both: use separate calls",
                folder, difference);
    return FALSE;
}

/* -- one run, training or file ------------------------------------------------------------------------------------------------- */
static const char *method_of(const RmilModel *model) {
    const RmilModelConfig *config = rmil_model_config(model);
    const RmilTrainMethod *method = rmil_method_of_config(config);
    return method ? method->name : config->model;
}

/* "rank, seed 0", from run.json; with the name of a split that has its own folder: "rank, a1, seed 0". If run.json names no method, the
 * title stays. */
static void name_training(Models *models) {
    const char *method = json_object_get_string_member_with_default(models->info, "method", NULL);
    if (!method || !json_object_has_member(models->info, "seed")) return;
    g_autofree char *seed = g_strdup_printf("%" G_GINT64_FORMAT, json_object_get_int_member_with_default(models->info, "seed", 0));
    g_autofree char *full = g_canonicalize_filename(models->folders->pdata[0], NULL), *own = g_path_get_basename(full),
                    *up = g_path_get_dirname(full), *above = g_path_get_basename(up);
    const gboolean named = strcmp(above, method) == 0 && strcmp(own, seed) != 0;
    g_free(models->title);
    models->title = named ? g_strdup_printf("%s, %s, seed %s", method, own, seed) : g_strdup_printf("%s, seed %s", method, seed);
}

static gboolean add_folder(Models *models, const char *folder, GError **error) {
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL), *run = g_build_filename(folder, "run.json", NULL);
    g_autoptr(JsonObject) info = cli_json_read(run, error);
    return info && rmil_run_check_model(folder, error) && models_take_info(models, info, folder, error) &&
           models_add(models, path, folder, error);
}

/* "rank, abmil": methods with finished trainings. */
static char *methods_of(const GPtrArray *entries) {
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        if (entry->done && g_hash_table_add(seen, entry->method))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", entry->method);
    }
    return g_string_free(names, FALSE);
}

/* All finished trainings of a method: the requested one, or the one that the run's report quotes. */
static gboolean add_run(Models *models, Cli *cli, const char *folder, const char *wanted, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(folder, error);
    const char *method = !entries ? NULL : wanted ? wanted : rmil_run_headline(entries);
    const guint before = models->list->len;
    if (!entries) return FALSE;
    for (guint i = 0; method && i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        if (strcmp(entry->method, method) != 0) continue;
        if (!entry->done)
            rmil_monitor_warn(&cli->monitor,
                              "%s: is planned, but its training has not finished or its folder was removed, so it is left out of the "
                              "mean",
                              entry->folder);
        else if (!add_folder(models, entry->folder, error)) return FALSE;
    }
    g_autofree char *there = methods_of(entries);
    if (models->list->len == before) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    *there ? "%s: contains no finished training of %s, only of %s" : "%s: contains no finished training", folder, method,
                    there);
        return FALSE;
    }
    if (models->list->len == 1) {
        name_training(models);
        return TRUE;
    }
    g_free(models->title);
    models->title = g_strdup_printf("%s, mean of %u models", method, models->list->len);
    return TRUE;
}

/* Does the folder hold the record of a study, whose trainings have no folders? */
static gboolean is_study(const char *folder, gboolean *study, GError **error) {
    *study = FALSE;
    if (!rmil_study_exists(folder)) return TRUE;
    g_autoptr(RmilStudy) record = rmil_study_open(folder, error);
    const char *kind = record ? rmil_study_value(record, "kind") : "";
    *study = record && strcmp(kind, "run") != 0 && strcmp(kind, "train") != 0;
    return record != NULL;
}

/* A single model must have the requested method. */
static gboolean add_one(Models *models, const char *run, gboolean file, const char *wanted, GError **error) {
    g_autofree char *folder = file ? g_path_get_dirname(run) : NULL;
    if (!(file ? models_add(models, run, folder, error) : add_folder(models, run, error))) return FALSE;
    const char *method = method_of(models->list->pdata[models->list->len - 1]);
    if (!wanted || strcmp(method, wanted) == 0) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: is a model of %s, not of %s", run, method, wanted);
    return FALSE;
}

static gboolean add_any(Models *models, Cli *cli, const char *run, const ModelsChoice *choice, int *files, GError **error) {
    g_autofree char *own = g_build_filename(run, "model.safetensors", NULL), *full = g_canonicalize_filename(run, NULL);
    const gboolean first = !models->list->len, file = g_file_test(run, G_FILE_TEST_IS_REGULAR);
    gboolean study;
    if (first) models->title = g_path_get_basename(full);
    if (!g_file_test(run, G_FILE_TEST_EXISTS)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: there is no such model file or run folder", run);
        return FALSE;
    }
    if (first) models->alone = file;
    *files += file;
    if (file) return add_one(models, run, TRUE, choice->method, error);
    if (g_file_test(own, G_FILE_TEST_EXISTS)) {
        if (!add_one(models, run, FALSE, choice->method, error)) return FALSE;
        if (first) name_training(models);
        return TRUE;
    }
    if (choice->studies && !is_study(run, &study, error)) return FALSE;
    if (!choice->studies || !study) return add_run(models, cli, run, choice->method, error);
    if (first) models->studied = TRUE;
    return models_add_study(models, cli, run, choice, error);
}

/* -- several -------------------------------------------------------------------------------------------------------------------- */
/* "rank, mean of 10 models of 2 runs" */
static void name_all(Models *models, int runs, int files) {
    g_autoptr(GString) title = g_string_new(NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < models->list->len; i++) {
        const char *method = method_of(models->list->pdata[i]);
        if (g_hash_table_add(seen, (gpointer)method)) g_string_append_printf(title, "%s%s", i ? " and " : "", method);
    }
    g_string_append_printf(title, ", mean of %u models", models->list->len);
    if (runs) g_string_append_printf(title, " of %d run%s", runs, runs > 1 ? "s" : "");
    if (runs && files) g_string_append_printf(title, " and %d model file%s", files, files > 1 ? "s" : "");
    g_free(models->title);
    models->title = g_strdup(title->str);
}

gboolean models_load(Models *models, Cli *cli, const char *run, const ModelsChoice *choice, GError **error) {
    *models = (Models){.list = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_model_free),
                       .paths = g_ptr_array_new_with_free_func(g_free),
                       .folders = g_ptr_array_new_with_free_func(g_free)};
    int files = 0, count = 1;
    gboolean done = (!choice->method || rmil_method_find(choice->method, error)) && add_any(models, cli, run, choice, &files, error);
    for (guint i = 0; done && choice->with && choice->with[i]; i++, count++)
        done = add_any(models, cli, choice->with[i], choice, &files, error);
    if (done && choice->value && !models->varied) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: does not belong to a study that varies something: leave --value out", run);
        done = FALSE;
    }
    if (done && count > 1) name_all(models, count - files, files);
    for (guint i = 0; i < models->list->len; i++) rmil_model_set_threads(models->list->pdata[i], cli->threads);
    if (!done) models_clear(models);
    return done;
}
