/* The trainings that a run means, and what to do with those in its folder that are not among them. */
#include "run.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

void planned_free(Planned *planned) {
    g_free(planned->below);
    g_free(planned->config);
    g_free(planned->key);
    g_free(planned);
}

GPtrArray *run_plan(const RmilTrainData *data, const RmilTrainOptions *options, const GPtrArray *methods, const GArray *repeats,
                    GError **error) {
    g_autoptr(GPtrArray) plan = g_ptr_array_new_with_free_func((GDestroyNotify)planned_free);
    for (guint r = 0; r < repeats->len; r++)
        for (guint m = 0; m < methods->len; m++) {
            const RmilRepeat *repeat = &g_array_index(repeats, RmilRepeat, r);
            Planned *planned = g_new0(Planned, 1);
            g_ptr_array_add(plan, planned);
            g_autofree char *name = rmil_repeat_folder(repeats, r);
            planned->method = methods->pdata[m];
            planned->repeat = repeat;
            planned->below = g_build_filename("runs", planned->method->name, name, NULL);
            planned->config = train_config(data, planned->method, options, repeat, error);
            if (!planned->config) return NULL;
            planned->key = rmil_config_key(planned->config);
        }
    return g_steal_pointer(&plan);
}

/* -- trainings of another plan ------------------------------------------------------------------------------------------------- */
typedef struct {
    Cli *cli;
    const char *folder; /* the work folder */
    GPtrArray *plan;
    GString *names; /* of what was set aside, for one warning */
    int64_t aside;
} Sorting;

static const Planned *find_planned(const GPtrArray *plan, const char *below) {
    for (guint i = 0; i < plan->len; i++)
        if (strcmp(((const Planned *)plan->pdata[i])->below, below) == 0) return plan->pdata[i];
    return NULL;
}

/* folder/earlier/METHOD/NAME-KEY */
static char *aside_path(const char *folder, const char *below, const char *key) {
    g_autofree char *name = g_strdup_printf("%s-%.8s", below + strlen("runs/"), key ? key : "unfinished");
    return g_build_filename(folder, "earlier", name, NULL);
}

static gboolean move_folder(const char *from, const char *to, GError **error) {
    g_autofree char *parent = g_path_get_dirname(to);
    if (g_file_test(to, G_FILE_TEST_EXISTS) && !remove_tree(to, error)) return FALSE; /* the same training, or an unfinished one */
    if (g_mkdir_with_parents(parent, 0777) == 0 && g_rename(from, to) == 0) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_IO, "%s: cannot be moved to %s: %s", from, to, g_strerror(errno));
    return FALSE;
}

/* Moves runs/METHOD/NAME away unless it is, or may become, what is planned there. */
static gboolean sort_folder(Sorting *s, const char *below, GError **error) {
    g_autofree char *path = g_build_filename(s->folder, below, NULL), *config = rmil_run_config(path, NULL);
    g_autofree char *key = config ? rmil_config_key(config) : NULL;
    const Planned *planned = find_planned(s->plan, below);
    if (planned && (!key || strcmp(key, planned->key) == 0)) return TRUE;
    g_autofree char *to = aside_path(s->folder, below, key), *difference = NULL;
    if (planned) difference = rmil_config_difference(config, planned->config, NULL);
    g_string_append_printf(s->names, "%s%s (%s)", s->aside ? "; " : "", below + strlen("runs/"),
                           planned ? difference : "not among the methods and seeds of this run");
    s->aside++;
    return move_folder(path, to, error);
}

/* The names are taken before anything is visited: a visit may move the folder. */
static gboolean for_each_folder(const char *folder, gboolean (*visit)(gpointer user, const char *name, GError **error), gpointer user,
                                GError **error) {
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (*name != '.' && g_file_test(path, G_FILE_TEST_IS_DIR)) g_ptr_array_add(names, g_strdup(name));
    }
    if (dir) g_dir_close(dir);
    gboolean done = TRUE;
    for (guint i = 0; done && i < names->len; i++) done = visit(user, names->pdata[i], error);
    return done;
}

typedef struct {
    Sorting *sorting;
    const char *method;
} Inner;

static gboolean visit_seed(gpointer user, const char *name, GError **error) {
    const Inner *inner = user;
    g_autofree char *below = g_build_filename("runs", inner->method, name, NULL);
    return sort_folder(inner->sorting, below, error);
}

static gboolean visit_method(gpointer user, const char *name, GError **error) {
    Sorting *s = user;
    g_autofree char *folder = g_build_filename(s->folder, "runs", name, NULL);
    Inner inner = {s, name};
    gboolean done = for_each_folder(folder, visit_seed, &inner, error);
    g_rmdir(folder); /* when nothing is left in it */
    return done;
}

/* What was set aside before and is planned again comes back, instead of being trained anew. */
static gboolean bring_back(Sorting *s, GError **error) {
    for (guint i = 0; i < s->plan->len; i++) {
        const Planned *planned = s->plan->pdata[i];
        g_autofree char *path = g_build_filename(s->folder, planned->below, NULL),
                        *from = aside_path(s->folder, planned->below, planned->key);
        g_autofree char *config = g_file_test(path, G_FILE_TEST_EXISTS) ? NULL : rmil_run_config(from, NULL);
        if (config && strcmp(config, planned->config) == 0 && !move_folder(from, path, error)) return FALSE;
    }
    return TRUE;
}

gboolean run_plan_sort(Cli *cli, const char *folder, GPtrArray *plan, gboolean clean, GError **error) {
    g_autofree char *runs = g_build_filename(folder, "runs", NULL), *earlier = g_build_filename(folder, "earlier", NULL);
    g_autoptr(GString) names = g_string_new(NULL);
    Sorting sorting = {.cli = cli, .folder = folder, .plan = plan, .names = names};
    if (!for_each_folder(runs, visit_method, &sorting, error) || !bring_back(&sorting, error)) return FALSE;
    if (sorting.aside)
        rmil_monitor_warn(&cli->monitor, "%s: holds %" G_GINT64_FORMAT " earlier training%s that %s not belong to this run: %s. %s", runs,
                          sorting.aside, sorting.aside == 1 ? "" : "s", sorting.aside == 1 ? "does" : "do", names->str,
                          clean ? "Removed, as --clean says" : "Kept in earlier/, outside the report; --clean removes that folder");
    return !clean || !g_file_test(earlier, G_FILE_TEST_EXISTS) || remove_tree(earlier, error);
}

JsonArray *run_plan_json(const GPtrArray *plan) {
    JsonArray *runs = json_array_new();
    for (guint i = 0; i < plan->len; i++) {
        const Planned *planned = plan->pdata[i];
        JsonObject *run = json_object_new();
        json_object_set_string_member(run, "method", planned->method->name);
        if (*planned->repeat->name) json_object_set_string_member(run, "split", planned->repeat->name);
        json_object_set_int_member(run, "seed", planned->repeat->seed);
        json_object_set_string_member(run, "folder", planned->below);
        json_object_set_string_member(run, "key", planned->key);
        json_array_add_object_element(runs, run);
    }
    return runs;
}
