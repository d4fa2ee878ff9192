/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of trained runs: which trainings belong to the plan of a work folder, and how a training was made. */
#include "results.h"

#include "base/json.h"

#include <string.h>

#define JSON_LIMIT ((gsize)64 << 20)

void rmil_run_entry_free(RmilRunEntry *entry) {
    if (!entry) return;
    g_free(entry->method);
    g_free(entry->split);
    g_free(entry->folder);
    g_free(entry->key);
    g_free(entry);
}

/* -- names --------------------------------------------------------------------------------------------------------------- */
char *rmil_repeat_folder(const GArray *repeats, guint index) {
    const RmilRepeat *own = &g_array_index(repeats, RmilRepeat, index);
    gboolean alone = TRUE;
    for (guint i = 0; i < repeats->len; i++) alone = alone && (i == index || g_array_index(repeats, RmilRepeat, i).seed != own->seed);
    if (alone || !*own->name) return g_strdup_printf("%" G_GINT64_FORMAT, own->seed);
    /* several columns' names end in the same number: uses the whole name, with characters that a folder's name cannot have as %XX */
    g_autofree char *name = g_uri_escape_string(own->name, " ", TRUE);
    return *name == '.' ? g_strconcat("%2E", name + 1, NULL) : g_steal_pointer(&name);
}

char *rmil_config_key(const char *config) { return g_compute_checksum_for_string(G_CHECKSUM_SHA256, config, -1); }

/* -- reading ------------------------------------------------------------------------------------------------------------- */
char *rmil_run_config(const char *folder, GError **error) {
    g_autofree char *path = g_build_filename(folder, "run.json", NULL);
    g_autoptr(JsonNode) run = rmil_json_read(path, JSON_LIMIT, error);
    JsonNode *config = rmil_json_get(run, "config");
    if (!run) return NULL;
    if (config && JSON_NODE_HOLDS_OBJECT(config)) return json_to_string(config, TRUE);
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no config: it does not say how the model was trained", path);
    return NULL;
}

gboolean rmil_run_decision(const char *folder, RmilDecision *decision, GError **error) {
    g_autofree char *path = g_build_filename(folder, "run.json", NULL);
    gboolean there;
    *decision = (RmilDecision){.chosen = FALSE};
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    g_autoptr(JsonNode) run = there ? rmil_json_read(path, JSON_LIMIT, error) : NULL;
    JsonNode *node = rmil_json_get(run, "decision");
    g_autofree char *text = node ? json_to_string(node, FALSE) : NULL;
    if (!there || !run) return !there;
    if (text && !rmil_decision_parse(text, decision, error)) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }
    return TRUE;
}

static gboolean is_file(const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

gboolean rmil_run_check_model(const char *folder, GError **error) {
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL), *json = g_build_filename(folder, "run.json", NULL);
    g_autoptr(JsonNode) run = rmil_json_read(json, JSON_LIMIT, error);
    const char *recorded = rmil_json_text(run, "model_sha256");
    if (!recorded) return run != NULL; /* version 0.1.0 did not store it */
    g_autofree char *have = rmil_file_sha256(path, error);
    if (!have) return FALSE;
    return strcmp(have, recorded) == 0 ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is not the model that the run.json beside it records (its SHA-256 differs), so it was damaged or replaced: "
                     "run the command that trained it again",
                     path);
}

static RmilRunEntry *new_entry(const char *method, const char *split, int64_t seed, const char *folder, char *key) {
    RmilRunEntry *entry = g_new0(RmilRunEntry, 1);
    *entry = (RmilRunEntry){g_strdup(method), g_strdup(split), seed, g_strdup(folder), key, is_file(folder, "predictions.csv")};
    return entry;
}

static gboolean is_kind(const RmilStudy *study, const char *kind) { return strcmp(rmil_study_value(study, "kind"), kind) == 0; }

/* The plan in the record of a run; *own FALSE: the record is that of a study, which in version 0.1.0 could share the folder. */
static gboolean read_record(const char *folder, GPtrArray *entries, gboolean *own, GError **error) {
    g_autoptr(RmilStudy) study = rmil_study_open(folder, error);
    *own = study && is_kind(study, "run");
    if (!*own) return study != NULL;
    g_autoptr(GArray) repeats = g_array_new(FALSE, FALSE, sizeof(RmilRepeat));
    const int64_t count = rmil_study_count(study);
    for (int64_t i = 0; i < count; i++) { /* the first method's are all of them */
        const RmilStudyRun *run = rmil_study_run(study, i);
        const RmilRepeat repeat = {(char *)run->split, run->seed, NULL};
        if (strcmp(run->method, rmil_study_run(study, 0)->method) == 0) g_array_append_val(repeats, repeat);
    }
    for (int64_t i = 0; i < count; i++) {
        const RmilStudyRun *run = rmil_study_run(study, i);
        g_autofree char *name = rmil_repeat_folder(repeats, (guint)(i % repeats->len)),
                        *path = g_build_filename(folder, "runs", run->method, name, NULL);
        RmilRunEntry *entry = new_entry(run->method, run->split, run->seed, path, run->done ? rmil_config_key(run->config) : NULL);
        entry->done = entry->done && run->done;
        g_ptr_array_add(entries, entry);
    }
    return TRUE;
}

/* The list in an evaluation on another cohort: "runs": [{"method", "split", "seed", "folder"}, …]. */
static gboolean read_list(const char *folder, JsonArray *list, GPtrArray *entries, GError **error) {
    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonNode *run = json_array_get_element(list, i);
        const char *method = rmil_json_text(run, "method"), *below = rmil_json_text(run, "folder"), *split = rmil_json_text(run, "split");
        int64_t seed = 0;
        if (!method || !below || g_path_is_absolute(below) || strstr(below, ".."))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s/run.json: runs: entry %u lacks method or folder", folder, i + 1);
        g_autofree char *path = g_build_filename(folder, below, NULL);
        rmil_json_whole(rmil_json_get(run, "seed"), &seed);
        g_ptr_array_add(entries, new_entry(method, split ? split : "", seed, path, NULL));
    }
    return TRUE;
}

static int compare_entries(gconstpointer a, gconstpointer b) {
    const RmilRunEntry *x = *(RmilRunEntry *const *)a, *y = *(RmilRunEntry *const *)b;
    int order = strcmp(x->method, y->method);
    return order ? order : (x->seed > y->seed) - (x->seed < y->seed);
}

/* FOLDER/SEED in a folder without a list, as made by version 0.1.0. */
static gboolean find_seeds(const char *folder, const char *method, GPtrArray *entries, GError **error) {
    g_autoptr(GError) reason = NULL;
    GDir *dir = g_dir_open(folder, 0, &reason);
    if (!dir) return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", folder, reason->message);
    for (const char *name; (name = g_dir_read_name(dir));) {
        char *end;
        const int64_t seed = g_ascii_strtoll(name, &end, 10);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (end != name && !*end && g_file_test(path, G_FILE_TEST_IS_DIR))
            g_ptr_array_add(entries, new_entry(method, "", seed, path, NULL));
    }
    g_dir_close(dir);
    return TRUE;
}

static gboolean find_methods(const char *runs, GPtrArray *entries, GError **error) {
    g_autoptr(GError) reason = NULL;
    GDir *dir = g_dir_open(runs, 0, &reason);
    if (!dir) return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", runs, reason->message);
    gboolean done = TRUE;
    for (const char *name; done && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(runs, name, NULL);
        if (*name != '.' && g_file_test(path, G_FILE_TEST_IS_DIR)) done = find_seeds(path, name, entries, error);
    }
    g_dir_close(dir);
    g_ptr_array_sort(entries, compare_entries);
    return done;
}

/* -- what the report quotes -------------------------------------------------------------------------------------------- */
/* The paper's method first, then the one for partial outlines, then all in their order. */
static gsize rank_of(const char *method) {
    gsize count, i = 0;
    const RmilTrainMethod *methods = rmil_methods(&count);
    while (i < count && strcmp(methods[i].name, method) != 0) i++;
    return i < count && methods[i].reference ? 0 : i < count && methods[i].partial ? 1 : 2 + i;
}

const char *rmil_run_headline(const GPtrArray *entries) {
    const char *first = NULL;
    for (guint i = 0; i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        if (!entry->done) continue;
        if (!first || rank_of(entry->method) < rank_of(first)) first = entry->method;
    }
    return first;
}

/* -- two settings -------------------------------------------------------------------------------------------------------- */
static char *spoken(JsonNode *node) {
    if (!node) return g_strdup("none");
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_DOUBLE
               ? g_strdup_printf("%.10g", json_node_get_double(node))
               : json_to_string(node, FALSE);
}

static void describe(GString *out, const char *name, JsonNode *was, JsonNode *is) {
    static const struct {
        const char *name, *words;
    } known[] = {{"data", "other slides, features, labels or annotations"}, {"splits", "other sets"}};
    const char *words = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (strcmp(known[i].name, name) == 0) words = known[i].words;
    g_autofree char *a = spoken(was), *b = spoken(is);
    g_string_append(out, out->len ? ", " : "");
    if (words) g_string_append(out, words);
    else g_string_append_printf(out, "%s %s, now %s", name, a, b);
}

char *rmil_config_difference(const char *was, const char *is, const char *const *except) {
    g_autoptr(JsonNode) first = rmil_json_parse(was, strlen(was), "config", NULL), second = rmil_json_parse(is, strlen(is), "config", NULL);
    JsonObject *a = first && JSON_NODE_HOLDS_OBJECT(first) ? json_node_get_object(first) : NULL;
    JsonObject *b = second && JSON_NODE_HOLDS_OBJECT(second) ? json_node_get_object(second) : NULL;
    GString *out = g_string_new(NULL);
    if (!a || !b) return g_string_free(g_string_append(out, "not readable"), FALSE);
    g_autoptr(GList) names = json_object_get_members(b), others = json_object_get_members(a);
    for (GList *n = names; n; n = n->next) {
        JsonNode *x = json_object_get_member(a, n->data), *y = json_object_get_member(b, n->data);
        if (!(except && g_strv_contains(except, n->data)) && !(x && json_node_equal(x, y))) describe(out, n->data, x, y);
    }
    for (GList *n = others; n; n = n->next)
        if (!json_object_has_member(b, n->data) && !(except && g_strv_contains(except, n->data)))
            describe(out, n->data, json_object_get_member(a, n->data), NULL);
    return g_string_free(out, FALSE);
}

/* Without a list it is unknown which trainings belong together, so those of one method must have the same configuration. */
static gboolean check_mix(const GPtrArray *entries, GError **error) {
    static const char *const own[] = {"seed", "splits", NULL};
    g_autofree char *first = NULL;
    const RmilRunEntry *of = NULL;
    for (guint i = 0; i < entries->len; i++) {
        const RmilRunEntry *entry = entries->pdata[i];
        g_autofree char *config = entry->done && is_file(entry->folder, "run.json") ? rmil_run_config(entry->folder, NULL) : NULL;
        if (!config) continue;
        if (!of || strcmp(of->method, entry->method) != 0) {
            g_free(first);
            first = g_steal_pointer(&config);
            of = entry;
            continue;
        }
        g_autofree char *difference = rmil_config_difference(first, config, own);
        if (*difference)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s and %s were trained differently (%s), so their results cannot be combined. Run the 'rankmil run' command "
                             "again: it sets aside whatever does not belong to it",
                             of->folder, entry->folder, difference);
    }
    return TRUE;
}

gboolean rmil_run_folder_refuse(const char *folder, GError **error) {
    if (!is_file(folder, "study.sqlite"))
        return rmil_fail(error, g_file_test(folder, G_FILE_TEST_IS_DIR) ? RMIL_ERROR_DATA : RMIL_ERROR_IO,
                         "%s: is not the folder of a run or a study: it has neither study.sqlite nor runs/ nor predictions.csv", folder);
    g_autoptr(RmilStudy) study = rmil_study_open(folder, error);
    if (!study) return FALSE;
    if (is_kind(study, "run") || is_kind(study, "train"))
        return rmil_fail(
            error, RMIL_ERROR_DATA,
            "%s: the folders of its trainings were removed: run its 'rankmil %s' command again to restore them from the record", folder,
            rmil_study_value(study, "kind"));
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: is the folder of a study (%s), whose trainings have no folders of their own: use 'rankmil report' for the "
                     "numbers and 'rankmil predict' for its models",
                     folder, rmil_study_value(study, "kind"));
}

/* DIR/runs/METHOD: the trainings of that method in DIR. */
static GPtrArray *entries_of_method(const char *folder, GError **error) {
    g_autofree char *full = g_canonicalize_filename(folder, NULL), *runs = g_path_get_dirname(full), *work = g_path_get_dirname(runs);
    g_autofree char *method = g_path_get_basename(full), *name = g_path_get_basename(runs);
    if (strcmp(name, "runs") != 0 || !g_file_test(full, G_FILE_TEST_IS_DIR)) {
        rmil_run_folder_refuse(folder, error);
        return NULL;
    }
    GPtrArray *entries = rmil_run_entries(work, error);
    for (guint i = entries ? entries->len : 0; i-- > 0;)
        if (strcmp(((const RmilRunEntry *)entries->pdata[i])->method, method) != 0) g_ptr_array_remove_index(entries, i);
    return entries;
}

GPtrArray *rmil_run_entries(const char *folder, GError **error) {
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_run_entry_free);
    g_autofree char *runs = g_build_filename(folder, "runs", NULL), *path = g_build_filename(folder, "run.json", NULL);
    if (!g_file_test(runs, G_FILE_TEST_IS_DIR)) {
        if (is_file(folder, "predictions.csv")) { /* one training */
            g_autofree char *method = g_path_get_basename(folder);
            g_ptr_array_add(entries, new_entry(method, "", 0, folder, NULL));
            return g_steal_pointer(&entries);
        }
        return entries_of_method(folder, error);
    }
    gboolean own = FALSE;
    if (is_file(folder, "study.sqlite") && !read_record(folder, entries, &own, error)) return NULL;
    if (own) return g_steal_pointer(&entries);
    g_autoptr(JsonNode) run = is_file(folder, "run.json") ? rmil_json_read(path, JSON_LIMIT, error) : NULL;
    if (!run && is_file(folder, "run.json")) return NULL;
    JsonArray *list = rmil_json_array(rmil_json_get(run, "runs"));
    if (list ? !read_list(folder, list, entries, error) : !find_methods(runs, entries, error) || !check_mix(entries, error)) return NULL;
    return g_steal_pointer(&entries);
}
