/* The model, or the models, that a command is to apply: a model file, a training's folder, or the folder of a whole run. */
#include "models.h"

#include <string.h>

void models_clear(Models *models) {
    g_clear_pointer(&models->list, g_ptr_array_unref);
    g_clear_pointer(&models->folders, g_ptr_array_unref);
    g_clear_pointer(&models->title, g_free);
    g_clear_pointer(&models->info, json_object_unref);
}

static gboolean add_model(Models *models, const char *path, const char *folder, GError **error) {
    RmilModel *model = rmil_model_load(path, error);
    if (!model) return FALSE;
    g_ptr_array_add(models->list, model);
    g_ptr_array_add(models->folders, g_strdup(folder));
    const int64_t dim = rmil_model_config(model)->dim, first = rmil_model_config(models->list->pdata[0])->dim;
    if (dim == first) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: takes %" G_GINT64_FORMAT " features a patch, %s takes %" G_GINT64_FORMAT, path,
                dim, (const char *)models->folders->pdata[0], first);
    return FALSE;
}

/* "rank, seed 0", as run.json says; a split that has a folder of its own by its name: "rank, a1, seed 0". Where run.json names no
 * method, the title stays. */
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
    if (!info || !rmil_run_check_model(folder, error)) return FALSE;
    if (!models->info) models->info = json_object_ref(info);
    return add_model(models, path, folder, error);
}

/* All finished trainings of the method that the report of the run quotes. */
static gboolean add_run(Models *models, Cli *cli, const char *folder, GError **error) {
    g_autoptr(GPtrArray) entries = rmil_run_entries(folder, error);
    const char *method = entries ? rmil_run_headline(entries) : NULL;
    if (!entries) return FALSE;
    for (guint i = 0; method && i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        if (strcmp(entry->method, method) != 0) continue;
        if (!entry->done)
            rmil_monitor_warn(&cli->monitor,
                              "%s: is planned, but its training is not finished, or its folder was removed: it is left out of the mean",
                              entry->folder);
        else if (!add_folder(models, entry->folder, error)) return FALSE;
    }
    if (!models->list->len) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: holds no finished training", folder);
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

gboolean models_load(Models *models, Cli *cli, const char *run, GError **error) {
    *models = (Models){.list = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_model_free),
                       .folders = g_ptr_array_new_with_free_func(g_free)};
    g_autofree char *own = g_build_filename(run, "model.safetensors", NULL), *full = g_canonicalize_filename(run, NULL);
    models->title = g_path_get_basename(full);
    gboolean done;
    if (!g_file_test(run, G_FILE_TEST_EXISTS)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: there is no such model file or run folder", run);
        done = FALSE;
    } else if (g_file_test(run, G_FILE_TEST_IS_REGULAR)) {
        g_autofree char *folder = g_path_get_dirname(run);
        models->alone = TRUE;
        done = add_model(models, run, folder, error);
    } else if (g_file_test(own, G_FILE_TEST_EXISTS)) {
        done = add_folder(models, run, error);
        if (done) name_training(models);
    } else {
        done = add_run(models, cli, run, error);
    }
    if (!done) models_clear(models);
    return done;
}
