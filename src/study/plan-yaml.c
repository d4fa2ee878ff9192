/* SPDX-License-Identifier: Apache-2.0 */
/* Study plans in YAML. libyaml keeps the line of every node, so that every error can name it. */
#include "plan.h"

#include "base/base-private.h"

#include <string.h>
#include <yaml.h>

enum { PLAN_LIMIT = 1 << 20, MOST_SEEDS = 1000, MOST_VALUES = 100 };

/* Where a value was read: a file, or one --set. */
typedef struct {
    RmilStudyPlan *plan;
    yaml_document_t *document;
    const char *path, *set; /* set: "KEY=VALUE", or NULL */
} Reader;

G_GNUC_PRINTF(4, 5) static gboolean wrong(const Reader *reader, const yaml_node_t *node, GError **error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (reader->set) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--set %s: %s", reader->set, reason);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %zu: %s", reader->path, node->start_mark.line + 1, reason);
}

/* -- nodes ------------------------------------------------------------------------------------------------------------------- */
static const yaml_node_t *node_at(const Reader *reader, int index) { return yaml_document_get_node(reader->document, index); }

static const char *text_of(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static const char *scalar(const Reader *reader, const yaml_node_t *node, const char *what, GError **error) {
    const char *text = text_of(node);
    if (text && *text) return text;
    wrong(reader, node, error, "%s is not a single value", what);
    return NULL;
}

/* A sequence of values, or "a, b, c": strings, owned by the list. */
static GPtrArray *list(const Reader *reader, const yaml_node_t *node, const char *what, GError **error) {
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);
    if (text_of(node)) {
        g_auto(GStrv) parts = g_strsplit(text_of(node), ",", -1);
        for (int i = 0; parts[i]; i++) g_ptr_array_add(items, g_strdup(g_strstrip(parts[i])));
    } else if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
            const char *text = scalar(reader, node_at(reader, *item), what, error);
            if (!text) return NULL;
            g_ptr_array_add(items, g_strdup(text));
        }
    }
    for (guint i = 0; i < items->len; i++) {
        gboolean again = FALSE;
        for (guint j = 0; j < i; j++) again = again || strcmp(items->pdata[i], items->pdata[j]) == 0;
        if (again || *(char *)items->pdata[i] == '\0') {
            wrong(reader, node, error, again ? "%s names \"%s\" twice" : "%s has an empty entry%s", what, (char *)items->pdata[i]);
            return NULL;
        }
    }
    if (items->len) return g_steal_pointer(&items);
    wrong(reader, node, error, "%s is empty, or not a list", what);
    return NULL;
}

static gboolean whole(const char *text, int64_t *value) {
    char *end;
    *value = g_ascii_strtoll(text, &end, 10);
    return end != text && *end == '\0' && *value >= 0 && *value < INT64_C(1) << 53; /* JSON stores them as doubles */
}

/* -- the fields -------------------------------------------------------------------------------------------------------------- */
static gboolean read_kind(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "study", error);
    if (!text) return FALSE;
    if (reader->set) return wrong(reader, node, error, "the kind of a study cannot be changed with --set: choose another plan");
    g_autoptr(GString) known = g_string_new(NULL);
    for (const RmilStudyKind *kind = rmil_study_kinds; kind->name; kind++) {
        g_string_append_printf(known, "%s%s", known->len ? ", " : "", kind->name);
        if (strcmp(text, kind->name) != 0) continue;
        reader->plan->kind = g_strdup(text);
        reader->plan->own = kind->varies;
        if (kind->varies) rmil_plan_vary(reader->plan, rmil_variation_find(kind->varies), TRUE);
        return TRUE;
    }
    return wrong(reader, node, error, "there is no study \"%s\"; choose one of %s", text, known->str);
}

static gboolean read_title(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "title", error);
    if (!text) return FALSE;
    g_free(reader->plan->title);
    reader->plan->title = g_strdelimit(g_strdup(text), "\r\n\t", ' ');
    return TRUE;
}

static gboolean read_methods(Reader *reader, const yaml_node_t *node, GError **error) {
    g_autoptr(GPtrArray) names = list(reader, node, "methods", error);
    if (!names) return FALSE;
    g_ptr_array_set_size(reader->plan->methods, 0);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GError) reason = NULL;
        const RmilTrainMethod *method = rmil_method_find(names->pdata[i], &reason);
        if (!method) return wrong(reader, node, error, "%s", reason->message);
        g_ptr_array_add(reader->plan->methods, (gpointer)method);
    }
    return TRUE;
}

static gboolean read_annotations(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "annotations", error);
    if (!text) return FALSE;
    reader->plan->partial = strcmp(text, "partial") == 0;
    return reader->plan->partial || strcmp(text, "whole") == 0 ||
           wrong(reader, node, error, "annotations is \"%s\"; it must be whole or partial", text);
}

static gboolean read_reference(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "reference", error);
    g_autoptr(GError) reason = NULL;
    if (!text) return FALSE;
    reader->plan->reference = rmil_method_find(text, &reason);
    return reader->plan->reference || wrong(reader, node, error, "%s", reason->message);
}

static gboolean read_seeds(Reader *reader, const yaml_node_t *node, GError **error) {
    GArray *seeds = reader->plan->seeds;
    int64_t count;
    g_array_set_size(seeds, 0);
    reader->plan->counted = text_of(node) && whole(text_of(node), &count);
    if (reader->plan->counted) {
        if (count < 1 || count > MOST_SEEDS) return wrong(reader, node, error, "seeds must be 1 … %d, or a list of seeds", MOST_SEEDS);
        for (int64_t i = 0; i < count; i++) g_array_append_val(seeds, i);
        return TRUE;
    }
    g_autoptr(GPtrArray) items = list(reader, node, "seeds", error);
    if (!items) return FALSE;
    if (items->len > MOST_SEEDS) return wrong(reader, node, error, "seeds has more than %d entries", MOST_SEEDS);
    for (guint i = 0; i < items->len; i++) {
        int64_t seed;
        if (!whole(items->pdata[i], &seed))
            return wrong(reader, node, error, "seed \"%s\" is not a whole number from 0 on", (char *)items->pdata[i]);
        g_array_append_val(seeds, seed);
    }
    return TRUE;
}

static gboolean add_setting(Reader *reader, const yaml_node_t *node, const char *method, const char *name, const char *text,
                            GError **error);

static gboolean read_by_site(Reader *reader, const yaml_node_t *node, const char *text, GError **error) {
    reader->plan->by_site = strcmp(text, "true") == 0;
    return reader->plan->by_site || strcmp(text, "false") == 0 || wrong(reader, node, error, "by_site is \"%s\", not true or false", text);
}

/* {folds: 5, repeats: 2, by_site: true}: the setting folds, the number of seeds, and whether sites stay whole. */
static gboolean read_drawn(Reader *reader, const yaml_node_t *node, GError **error) {
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(reader, pair->key), *value = node_at(reader, pair->value);
        const char *name = scalar(reader, key, "a name in splits", error), *text = name ? scalar(reader, value, name, error) : NULL;
        if (!text) return FALSE;
        const gboolean repeats = strcmp(name, "repeats") == 0, by_site = strcmp(name, "by_site") == 0;
        if (!repeats && !by_site && strcmp(name, "folds") != 0)
            return wrong(reader, key, error, "splits is a file, or has the fields folds, repeats and by_site; it has no \"%s\"", name);
        if (by_site   ? !read_by_site(reader, value, text, error)
            : repeats ? !read_seeds(reader, value, error)
                      : !add_setting(reader, value, NULL, name, text, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_splits(Reader *reader, const yaml_node_t *node, GError **error) {
    if (node->type == YAML_MAPPING_NODE) return read_drawn(reader, node, error);
    const char *text = scalar(reader, node, "splits", error);
    if (!text) return FALSE;
    g_autofree char *folder = reader->set ? NULL : g_path_get_dirname(reader->path); /* NULL: the current folder */
    g_autofree char *base = folder ? g_canonicalize_filename(folder, NULL) : NULL;
    g_free(reader->plan->splits);
    reader->plan->by_site = FALSE;
    reader->plan->splits = g_canonicalize_filename(text, base);
    return TRUE;
}

/* -- what varies ------------------------------------------------------------------------------------------------------------- */
static const RmilVariation *variation_of(const Reader *reader, const yaml_node_t *node, const char *name, GError **error) {
    const RmilVariation *variation = rmil_variation_find(name);
    const RmilOption *option = variation ? NULL : rmil_train_option_find(name);
    g_autoptr(GString) known = g_string_new(NULL);
    gsize count;
    const RmilVariation *table = rmil_variations(&count);
    for (gsize i = 0; i < count; i++) g_string_append_printf(known, "%s%s", i ? ", " : "", table[i].option->name);
    if (option) wrong(reader, node, error, "%s is the same for all runs of a study and cannot vary; choose one of %s", name, known->str);
    else if (!variation) wrong(reader, node, error, "there is nothing called \"%s\" to vary; choose one of %s", name, known->str);
    return variation;
}

/* Replaces what varies. If an option varies from now on, --set removes the file's settings of it. */
static gboolean read_vary(Reader *reader, const yaml_node_t *node, GError **error) {
    RmilStudyPlan *plan = reader->plan;
    if (plan->own)
        return wrong(reader, node, error, "a study of the kind %s always varies %s: remove vary, or use the kind comparison", plan->kind,
                     plan->own);
    g_autoptr(GPtrArray) names = list(reader, node, "vary", error);
    if (!names) return FALSE;
    if (names->len > RMIL_VARIED)
        return wrong(reader, node, error, "vary names %u options; at most %d are allowed", names->len, RMIL_VARIED);
    rmil_plan_vary(plan, NULL, FALSE);
    for (guint i = 0; i < names->len; i++) {
        const RmilVariation *variation = variation_of(reader, node, names->pdata[i], error);
        if (!variation) return FALSE;
        rmil_plan_vary(plan, variation, names->len == 1);
        for (guint s = plan->settings->len; reader->set && s-- > 0;)
            if (strcmp(g_array_index(plan->settings, RmilPlanSetting, s).name, names->pdata[i]) == 0)
                g_array_remove_index(plan->settings, s);
    }
    return TRUE;
}

static gboolean read_axis(const Reader *reader, const yaml_node_t *node, RmilPlanAxis *axis, GError **error) {
    const RmilOption *option = axis->what->option;
    g_autoptr(GPtrArray) items = list(reader, node, "values", error);
    if (!items) return FALSE;
    if (items->len > MOST_VALUES) return wrong(reader, node, error, "values has more than %d entries", MOST_VALUES);
    g_array_set_size(axis->values, 0);
    g_ptr_array_set_size(axis->texts, 0);
    for (guint i = 0; i < items->len; i++) {
        g_autoptr(GError) reason = NULL;
        double value;
        if (!rmil_option_read(option, option->name, items->pdata[i], &value, &reason))
            return wrong(reader, node, error, "%s", reason->message);
        for (guint j = 0; j < i; j++)
            if (g_array_index(axis->values, double, j) == value)
                return wrong(reader, node, error, "values names %s twice", (char *)axis->texts->pdata[j]);
        rmil_plan_axis_add(axis, value);
    }
    return TRUE;
}

static gboolean read_values(Reader *reader, const yaml_node_t *node, GError **error) {
    RmilStudyPlan *plan = reader->plan;
    if (plan->n_axes == 0)
        return wrong(reader, node, error, "a study of the kind %s varies nothing, so it takes values only if vary names an option",
                     plan->kind);
    if (plan->n_axes == 1) return read_axis(reader, node, &plan->axes[0], error);
    gboolean lists = node->type == YAML_SEQUENCE_NODE && node->data.sequence.items.top - node->data.sequence.items.start == plan->n_axes;
    for (int i = 0; lists && i < plan->n_axes; i++) lists = node_at(reader, node->data.sequence.items.start[i])->type == YAML_SEQUENCE_NODE;
    if (!lists)
        return wrong(reader, node, error, "values is not two lists, one of %s and one of %s: [[…], […]]", plan->axes[0].what->option->name,
                     plan->axes[1].what->option->name);
    for (int i = 0; i < plan->n_axes; i++)
        if (!read_axis(reader, node_at(reader, node->data.sequence.items.start[i]), &plan->axes[i], error)) return FALSE;
    return TRUE;
}

/* -- settings ---------------------------------------------------------------------------------------------------------------- */
static gboolean add_setting(Reader *reader, const yaml_node_t *node, const char *method, const char *name, const char *text,
                            GError **error) {
    const RmilOption *option = rmil_train_option_find(name);
    if (!option) {
        gsize count;
        const RmilOption *table = rmil_train_option_table(&count);
        g_autoptr(GString) known = g_string_new(NULL);
        for (gsize i = 0; i < count; i++)
            if (table[i].scope == RMIL_SCOPE_METHOD) g_string_append_printf(known, "%s%s", known->len ? ", " : "", table[i].name);
        return wrong(reader, node, error, "there is no setting \"%s\"; choose one of %s", name, known->str);
    }
    if (option->scope == RMIL_SCOPE_MACHINE)
        return wrong(reader, node, error, "%s is not part of a plan: give --%s to the command", name, name);
    if (option->type == RMIL_OPTION_FILE) return wrong(reader, node, error, "%s is a field of the plan, not a setting", name);
    if (option->scope == RMIL_SCOPE_DATA && method) return wrong(reader, node, error, "%s cannot differ between methods", name);
    if (rmil_plan_axis(reader->plan, name))
        return wrong(reader, node, error,
                     "%s is what this study varies: put its values into the "
                     "field values",
                     name);
    g_autoptr(GError) reason = NULL;
    RmilTrainOptions trial;
    rmil_train_options_init(&trial);
    gboolean right = rmil_train_options_set(&trial, name, text, &reason);
    rmil_train_options_clear(&trial);
    if (!right) return wrong(reader, node, error, "%s", reason->message);
    GArray *settings = reader->plan->settings;
    for (guint i = 0; i < settings->len; i++) {
        RmilPlanSetting *old = &g_array_index(settings, RmilPlanSetting, i);
        if (g_strcmp0(old->method, method) != 0 || strcmp(old->name, name) != 0) continue;
        if (!reader->set) return wrong(reader, node, error, "%s is set twice", name);
        g_free(old->text);
        old->text = g_strdup(text);
        return TRUE;
    }
    RmilPlanSetting setting = {g_strdup(method), g_strdup(name), g_strdup(text)};
    g_array_append_val(settings, setting);
    return TRUE;
}

static gboolean read_setting_map(Reader *reader, const yaml_node_t *node, const char *method, const char *what, GError **error) {
    if (node->type != YAML_MAPPING_NODE) return wrong(reader, node, error, "%s is not a table of settings", what);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(reader, pair->key);
        const char *name = scalar(reader, key, "a setting's name", error);
        const char *text = name ? scalar(reader, node_at(reader, pair->value), name, error) : NULL;
        if (!text || !add_setting(reader, key, method, name, text, error)) return FALSE;
    }
    return TRUE;
}

static gboolean read_settings(Reader *reader, const yaml_node_t *node, GError **error) {
    return read_setting_map(reader, node, NULL, "settings", error);
}

static gboolean read_overrides(Reader *reader, const yaml_node_t *node, GError **error) {
    if (node->type != YAML_MAPPING_NODE) return wrong(reader, node, error, "overrides is not a table of methods");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(reader, pair->key);
        const char *name = scalar(reader, key, "a method's name", error);
        g_autoptr(GError) reason = NULL;
        if (!name) return FALSE;
        if (!rmil_method_find(name, &reason)) return wrong(reader, key, error, "%s", reason->message);
        if (!read_setting_map(reader, node_at(reader, pair->value), name, name, error)) return FALSE;
    }
    return TRUE;
}

/* -- fields in order --------------------------------------------------------------------------------------------------------- */
/* The first fields determine what others mean, so they are read first, wherever they are in the file. */
enum { STUDY, VARY, FIRST_FIELDS };
static const struct {
    const char *name;
    gboolean (*read)(Reader *reader, const yaml_node_t *node, GError **error);
} fields[] = {
    [STUDY] = {"study", read_kind}, [VARY] = {"vary", read_vary},      {"title", read_title},
    {"methods", read_methods},      {"reference", read_reference},     {"seeds", read_seeds},
    {"splits", read_splits},        {"values", read_values},           {"settings", read_settings},
    {"overrides", read_overrides},  {"annotations", read_annotations},
};

static const yaml_node_t *member(const Reader *reader, const yaml_node_t *map, const char *name) {
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++)
        if (g_strcmp0(text_of(node_at(reader, pair->key)), name) == 0) return node_at(reader, pair->value);
    return NULL;
}

static gboolean read_fields(Reader *reader, const yaml_node_t *map, GError **error) {
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(reader, pair->key), *value = node_at(reader, pair->value);
        const char *name = scalar(reader, key, "a field's name", error);
        gsize f = 0;
        if (!name) return FALSE;
        while (f < G_N_ELEMENTS(fields) && strcmp(fields[f].name, name) != 0) f++;
        if (f == G_N_ELEMENTS(fields))
            return wrong(reader, key, error,
                         "there is no field \"%s\"; there are study, title, methods, reference, seeds, splits, vary, values, "
                         "settings, overrides, annotations",
                         name);
        if (member(reader, map, name) != value) return wrong(reader, key, error, "%s is given twice", name);
        if (f >= FIRST_FIELDS && !fields[f].read(reader, value, error)) return FALSE;
    }
    return TRUE;
}

/* -- files and --set --------------------------------------------------------------------------------------------------------- */
/* Loads the single YAML document in `text`; nothing needs freeing after a failure. */
static gboolean load(const Reader *reader, const char *text, gsize size, yaml_document_t *document, GError **error) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return rmil_fail(error, RMIL_ERROR_MEMORY, "%s: no memory to read it", reader->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    gboolean loaded = yaml_parser_load(&parser, document) != 0;
    if (!loaded && reader->set) rmil_fail(error, RMIL_ERROR_ARGUMENT, "--set %s: is not YAML: %s", reader->set, parser.problem);
    else if (!loaded)
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line %zu: is not YAML: %s", reader->path, parser.problem_mark.line + 1, parser.problem);
    yaml_parser_delete(&parser);
    return loaded;
}

gboolean rmil_plan_read_file(RmilStudyPlan *plan, const char *path, GError **error) {
    gsize size;
    g_autofree char *text = rmil_file_read(path, PLAN_LIMIT, &size, error);
    yaml_document_t document;
    Reader reader = {plan, &document, path, NULL};
    if (!text || !load(&reader, text, size, &document, error)) return FALSE;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    const gboolean table = root && root->type == YAML_MAPPING_NODE;
    gboolean done = (table && member(&reader, root, fields[STUDY].name)) ||
                    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a plan: it has no field \"study\"", path);
    for (int f = 0; done && f < FIRST_FIELDS; f++) {
        const yaml_node_t *value = member(&reader, root, fields[f].name);
        done = !value || fields[f].read(&reader, value, error);
    }
    done = done && read_fields(&reader, root, error);
    yaml_document_delete(&document);
    return done;
}

/* KEY=VALUE: a field of the plan, a setting, or METHOD.SETTING. */
static gboolean read_set(RmilStudyPlan *plan, const char *set, GError **error) {
    const char *equals = strchr(set, '=');
    if (!equals || equals == set) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--set %s: is not KEY=VALUE", set);
    g_autofree char *key = g_strndup(set, (gsize)(equals - set));
    yaml_document_t document;
    Reader reader = {plan, &document, plan->path, set};
    if (!load(&reader, equals + 1, strlen(equals + 1), &document, error)) return FALSE;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    const char *dot = strchr(key, '.');
    gsize f = 0;
    gboolean done;
    while (f < G_N_ELEMENTS(fields) && strcmp(fields[f].name, key) != 0) f++;
    if (!root) {
        done = wrong(&reader, root, error, "the value is empty");
    } else if (f < G_N_ELEMENTS(fields)) {
        done = fields[f].read(&reader, root, error);
    } else {
        g_autofree char *method = dot ? g_strndup(key, (gsize)(dot - key)) : NULL;
        g_autoptr(GError) reason = NULL;
        const char *text = scalar(&reader, root, "the value", error);
        if (text && method && !rmil_method_find(method, &reason)) done = wrong(&reader, root, error, "%s", reason->message);
        else done = text && add_setting(&reader, root, method, dot ? dot + 1 : key, text, error);
    }
    yaml_document_delete(&document);
    return done;
}

gboolean rmil_plan_read_sets(RmilStudyPlan *plan, const char *const *sets, GError **error) {
    for (int later = 0; later < 2; later++)
        for (int i = 0; sets && sets[i]; i++)
            if (g_str_has_prefix(sets[i], "vary=") == !later && !read_set(plan, sets[i], error)) return FALSE;
    return TRUE;
}
