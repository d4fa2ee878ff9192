/* Study plans in YAML. libyaml keeps the line of every node, so that every error can name it. */
#include "plan.h"

#include "base/base-private.h"

#include <math.h>
#include <string.h>
#include <yaml.h>

enum { PLAN_LIMIT = 1 << 20, MOST_SEEDS = 1000, MOST_VALUES = 100 };

/* The paper's six experiments: what varies, between which bounds, and the paper's values. */
static const struct {
    const char *name, *variable;
    double low, high;
    int count;
    double values[8];
} kinds[] = {
    {.name = "comparison", .variable = ""},
    {"low-data", "fraction", 0.001, 1, 5, {0.2, 0.4, 0.6, 0.8, 1}},
    {"granularity", "padding", 0, 1e6, 6, {0, 448, 896, 1344, 1792, 2240}},
    {"annotated-fraction", "annotated", 0, 1, 8, {0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1}},
    {"threshold", "threshold", 0, 1e9, 6, {0, 0.25, 0.5, 1, 2, 5}},
    {.name = "localisation", .variable = ""},
};

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

static gboolean number(const char *text, double *value) {
    char *end;
    *value = g_ascii_strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value);
}

static gboolean whole(const char *text, int64_t *value) {
    char *end;
    *value = g_ascii_strtoll(text, &end, 10);
    return end != text && *end == '\0' && *value >= 0 && *value < INT64_C(1) << 53; /* JSON keeps them as doubles */
}

/* -- the fields -------------------------------------------------------------------------------------------------------------- */
static gboolean read_kind(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "study", error);
    if (!text) return FALSE;
    if (reader->set) return wrong(reader, node, error, "the kind of a study cannot be set: choose its plan");
    g_autoptr(GString) known = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_string_append_printf(known, "%s%s", i ? ", " : "", kinds[i].name);
        if (strcmp(text, kinds[i].name) != 0) continue;
        reader->plan->kind = g_strdup(text);
        reader->plan->variable = kinds[i].variable;
        g_array_append_vals(reader->plan->values, kinds[i].values, (guint)kinds[i].count);
        return TRUE;
    }
    return wrong(reader, node, error, "there is no study \"%s\"; there are %s", text, known->str);
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
        if (count < 1 || count > MOST_SEEDS) return wrong(reader, node, error, "seeds is not in 1 … %d, or a list of seeds", MOST_SEEDS);
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

static gboolean read_splits(Reader *reader, const yaml_node_t *node, GError **error) {
    const char *text = scalar(reader, node, "splits", error);
    if (!text) return FALSE;
    g_autofree char *folder = reader->set ? NULL : g_path_get_dirname(reader->path); /* NULL: the current folder */
    g_autofree char *base = folder ? g_canonicalize_filename(folder, NULL) : NULL;
    g_free(reader->plan->splits);
    reader->plan->splits = g_canonicalize_filename(text, base);
    return TRUE;
}

static gboolean read_values(Reader *reader, const yaml_node_t *node, GError **error) {
    gsize kind = 0;
    while (strcmp(kinds[kind].name, reader->plan->kind) != 0) kind++;
    if (kinds[kind].count == 0)
        return wrong(reader, node, error, "a study of the kind %s varies nothing: it has no values", kinds[kind].name);
    g_autoptr(GPtrArray) items = list(reader, node, "values", error);
    if (!items) return FALSE;
    if (items->len > MOST_VALUES) return wrong(reader, node, error, "values has more than %d entries", MOST_VALUES);
    g_array_set_size(reader->plan->values, 0);
    for (guint i = 0; i < items->len; i++) {
        double value;
        if (!number(items->pdata[i], &value) || value < kinds[kind].low || value > kinds[kind].high)
            return wrong(reader, node, error, "%s \"%s\" is not a number in %g … %g", kinds[kind].variable, (char *)items->pdata[i],
                         kinds[kind].low, kinds[kind].high);
        for (guint j = 0; j < i; j++)
            if (g_array_index(reader->plan->values, double, j) == value) return wrong(reader, node, error, "values names %g twice", value);
        g_array_append_val(reader->plan->values, value);
    }
    return TRUE;
}

static gboolean add_setting(Reader *reader, const yaml_node_t *node, const char *method, const char *name, const char *text,
                            GError **error) {
    const RmilOption *option = rmil_train_option_find(name);
    if (!option) {
        gsize count;
        const RmilOption *table = rmil_train_option_table(&count);
        g_autoptr(GString) known = g_string_new(NULL);
        for (gsize i = 0; i < count; i++)
            if (table[i].scope == RMIL_SCOPE_METHOD) g_string_append_printf(known, "%s%s", known->len ? ", " : "", table[i].name);
        return wrong(reader, node, error, "there is no setting \"%s\"; there are %s", name, known->str);
    }
    if (option->scope == RMIL_SCOPE_MACHINE)
        return wrong(reader, node, error, "%s is no part of a plan: give --%s to the command", name, name);
    if (option->type == RMIL_OPTION_FILE) return wrong(reader, node, error, "%s is a field of the plan, not a setting", name);
    if (option->scope == RMIL_SCOPE_DATA && method) return wrong(reader, node, error, "%s cannot differ between methods", name);
    if (strcmp(name, reader->plan->variable) == 0) return wrong(reader, node, error, "%s is what this study varies: give its values", name);
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

static const struct {
    const char *name;
    gboolean (*read)(Reader *reader, const yaml_node_t *node, GError **error);
} fields[] = {
    {"study", read_kind},    {"title", read_title},   {"methods", read_methods},   {"reference", read_reference}, {"seeds", read_seeds},
    {"splits", read_splits}, {"values", read_values}, {"settings", read_settings}, {"overrides", read_overrides},
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
                         "there is no field \"%s\"; there are study, title, methods, reference, seeds, splits, values, "
                         "settings, overrides",
                         name);
        if (member(reader, map, name) != value) return wrong(reader, key, error, "%s is given twice", name);
        if (f > 0 && !fields[f].read(reader, value, error)) return FALSE; /* 0: the kind, read before */
    }
    return TRUE;
}

/* -- files and --set --------------------------------------------------------------------------------------------------------- */
/* Loads the one YAML document of `text`; on failure nothing is to be freed. */
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

static gboolean read_file(RmilStudyPlan *plan, const char *path, GError **error) {
    gsize size;
    g_autofree char *text = rmil_file_read(path, PLAN_LIMIT, &size, error);
    yaml_document_t document;
    Reader reader = {plan, &document, path, NULL};
    if (!text || !load(&reader, text, size, &document, error)) return FALSE;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    const yaml_node_t *kind = root && root->type == YAML_MAPPING_NODE ? member(&reader, root, "study") : NULL;
    gboolean done = kind ? read_kind(&reader, kind, error) && read_fields(&reader, root, error)
                         : rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not a plan: it has no field \"study\"", path);
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

/* -- the whole --------------------------------------------------------------------------------------------------------------- */
static void clear_setting(gpointer data) {
    RmilPlanSetting *setting = data;
    g_free(setting->method);
    g_free(setting->name);
    g_free(setting->text);
}

void rmil_study_plan_free(RmilStudyPlan *plan) {
    if (!plan) return;
    g_free(plan->path);
    g_free(plan->kind);
    g_free(plan->title);
    g_ptr_array_unref(plan->methods);
    g_array_unref(plan->values);
    g_array_unref(plan->seeds);
    g_free(plan->splits);
    g_array_unref(plan->settings);
    g_free(plan->text);
    g_free(plan);
}

gboolean rmil_plan_options(const RmilStudyPlan *plan, const RmilTrainMethod *method, const RmilTrainOptions *base,
                           RmilTrainOptions *options, GError **error) {
    rmil_train_options_copy(base, options);
    for (int own = 0; own < 2; own++)
        for (guint i = 0; i < plan->settings->len; i++) {
            const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
            if (own ? g_strcmp0(setting->method, method->name) != 0 : setting->method != NULL) continue;
            if (!rmil_train_options_set(options, setting->name, setting->text, error)) return FALSE;
        }
    return TRUE;
}

/* Every method takes the settings: a wrong one is found before the first run. */
static gboolean check_methods(const RmilStudyPlan *plan, GError **error) {
    for (guint m = 0; m < plan->methods->len; m++) {
        const RmilTrainMethod *method = plan->methods->pdata[m];
        RmilTrainOptions base, options;
        RmilModelConfig model;
        RmilTrainConfig train;
        g_autoptr(GError) reason = NULL;
        rmil_train_options_init(&base);
        gboolean right = rmil_plan_options(plan, method, &base, &options, &reason) && rmil_train_options_check(&options, method, &reason) &&
                         rmil_train_options_configure(&options, method, &model, &train, &reason);
        if (right && strcmp(plan->variable, "threshold") == 0 && model.threshold < 0)
            right = rmil_fail(&reason, RMIL_ERROR_ARGUMENT, "it has no attention threshold to vary");
        rmil_train_options_clear(&options);
        rmil_train_options_clear(&base);
        if (!right) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: method %s: %s", plan->path, method->name, reason->message);
    }
    return TRUE;
}

static void append_number(GString *out, double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 6; digits <= 17; digits++) { /* the shortest that reads back as the same number */
        g_autofree char *format = g_strdup_printf("%%.%dg", digits);
        if (g_ascii_strtod(g_ascii_formatd(text, sizeof text, format, value), NULL) == value) break;
    }
    g_string_append(out, text);
}

static void append_quoted(GString *out, const char *name, const char *text) {
    g_auto(GStrv) parts = g_strsplit(text, "'", -1);
    g_autofree char *doubled = g_strjoinv("''", parts);
    g_string_append_printf(out, "%s: '%s'\n", name, doubled);
}

/* Settings come in the order in which they were given, grouped by method. */
static void append_settings(GString *out, const RmilStudyPlan *plan) {
    gboolean any = FALSE;
    for (guint i = 0; i < plan->settings->len; i++) {
        const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
        if (!setting->method) g_string_append_printf(out, "%s  %s: %s\n", any++ ? "" : "settings:\n", setting->name, setting->text);
    }
    any = FALSE;
    for (guint m = 0; m < plan->methods->len; m++) {
        const char *method = ((const RmilTrainMethod *)plan->methods->pdata[m])->name;
        gboolean named = FALSE;
        for (guint i = 0; i < plan->settings->len; i++) {
            const RmilPlanSetting *setting = &g_array_index(plan->settings, RmilPlanSetting, i);
            if (g_strcmp0(setting->method, method) != 0) continue;
            if (!any++) g_string_append(out, "overrides:\n");
            if (!named++) g_string_append_printf(out, "  %s:\n", method);
            g_string_append_printf(out, "    %s: %s\n", setting->name, setting->text);
        }
    }
}

static char *plan_text(const RmilStudyPlan *plan) {
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "study: %s\n", plan->kind);
    append_quoted(out, "title", plan->title);
    g_string_append(out, "methods: [");
    for (guint i = 0; i < plan->methods->len; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "", ((const RmilTrainMethod *)plan->methods->pdata[i])->name);
    g_string_append_printf(out, "]\nreference: %s\n", plan->reference->name);
    for (guint i = 0; i < plan->seeds->len && !plan->counted; i++)
        g_string_append_printf(out, "%s%" G_GINT64_FORMAT, i ? ", " : "seeds: [", g_array_index(plan->seeds, int64_t, i));
    if (plan->counted) g_string_append_printf(out, "seeds: %u\n", plan->seeds->len);
    else if (plan->seeds->len) g_string_append(out, "]\n");
    if (plan->splits) append_quoted(out, "splits", plan->splits);
    for (guint i = 0; *plan->variable && i < plan->values->len; i++) {
        g_string_append(out, i ? ", " : "values: [");
        append_number(out, g_array_index(plan->values, double, i));
    }
    if (*plan->variable) g_string_append(out, "]\n");
    append_settings(out, plan);
    return g_string_free(out, FALSE);
}

static RmilStudyPlan *plan_new(const char *path) {
    RmilStudyPlan *plan = g_new0(RmilStudyPlan, 1);
    plan->path = g_strdup(path);
    plan->variable = "";
    plan->methods = g_ptr_array_new();
    plan->values = g_array_new(FALSE, FALSE, sizeof(double));
    plan->seeds = g_array_new(FALSE, FALSE, sizeof(int64_t));
    plan->settings = g_array_new(FALSE, FALSE, sizeof(RmilPlanSetting));
    g_array_set_clear_func(plan->settings, clear_setting);
    return plan;
}

/* Where nothing varies there is one value, which is none. */
static void add_no_value(RmilStudyPlan *plan) {
    const double nothing = NAN;
    g_array_append_val(plan->values, nothing);
}

/* The paper's where it is among them, else the first. */
static const RmilTrainMethod *usual_reference(const RmilStudyPlan *plan) {
    const RmilTrainMethod *paper = rmil_method_reference();
    for (guint i = 0; i < plan->methods->len; i++)
        if (plan->methods->pdata[i] == paper) return paper;
    return plan->methods->pdata[0];
}

RmilStudyPlan *rmil_study_plan_new(const char *kind, const GPtrArray *methods, const char *splits, const int64_t *seeds, int64_t count) {
    RmilStudyPlan *plan = plan_new(kind);
    plan->kind = g_strdup(kind);
    plan->title = g_strdup(kind);
    for (guint i = 0; i < methods->len; i++) g_ptr_array_add(plan->methods, methods->pdata[i]);
    plan->reference = usual_reference(plan);
    plan->splits = splits ? g_canonicalize_filename(splits, NULL) : NULL;
    g_array_append_vals(plan->seeds, seeds, (guint)count);
    add_no_value(plan);
    plan->text = plan_text(plan);
    return plan;
}

RmilStudyPlan *rmil_study_plan_read(const char *path, const char *const *sets, GError **error) {
    g_autoptr(RmilStudyPlan) plan = plan_new(path);
    if (!read_file(plan, path, error)) return NULL;
    for (int i = 0; sets && sets[i]; i++)
        if (!read_set(plan, sets[i], error)) return NULL;
    if (!plan->methods->len) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: names no methods", path);
        return NULL;
    }
    gboolean found = FALSE;
    for (guint i = 0; i < plan->methods->len; i++) found = found || plan->methods->pdata[i] == plan->reference;
    if (plan->reference && !found) {
        rmil_fail(error, RMIL_ERROR_FORMAT,
                  "%s: the reference %s is not one of the methods; name one of them (in a command: --set reference=METHOD)", path,
                  plan->reference->name);
        return NULL;
    }
    if (!plan->reference) plan->reference = usual_reference(plan);
    if (!plan->seeds->len && !plan->splits) { /* the paper's ten */
        plan->counted = TRUE;
        for (int64_t seed = 0; seed < 10; seed++) g_array_append_val(plan->seeds, seed);
    }
    if (!plan->values->len) add_no_value(plan);
    if (!plan->title) plan->title = g_strdup(plan->kind);
    plan->text = plan_text(plan);
    return check_methods(plan, error) ? g_steal_pointer(&plan) : NULL;
}

const char *rmil_study_plan_text(const RmilStudyPlan *plan) { return plan->text; }

const char *rmil_study_plan_variable(const RmilStudyPlan *plan) { return plan->variable; }

const double *rmil_study_plan_values(const RmilStudyPlan *plan, int64_t *count) {
    *count = *plan->variable ? plan->values->len : 0;
    return (const double *)(void *)plan->values->data;
}
