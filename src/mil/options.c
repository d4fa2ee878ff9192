/* SPDX-License-Identifier: Apache-2.0 */
/* The options of models and guides: one table of all their rows, and the configuration that holds their values. */
#include "guide.h"

#include <math.h>
#include <string.h>

const char *const rmil_even_bags[] = {"whole", "cut", NULL};

static const RmilOption common[] = {
    {RMIL_WHOLE(NULL, "dim", 0, 1, 65536, "N", "numbers of a patch's features"), RMIL_FIELD(dim), .place = 1},
    {0},
};

/* Survival options: every model has them, but only files of survival models contain them. */
static const char *const survival_losses[] = {"hazard", "cox", NULL};
static const RmilOption survival[] = {
    {RMIL_WORD("survival-loss", "survival_loss", RMIL_SURVIVAL_HAZARD, survival_losses, "NAME",
               "discrete-time hazards, or the Cox partial likelihood over the slides of a step"),
     RMIL_FIELD(survival_loss)},
    {RMIL_WHOLE("bins", "bins", 4, 2, RMIL_OUTPUTS_MOST, "N", "time bins, with equal numbers of events"), RMIL_FIELD(bins)},
    {RMIL_NUMBER("hazard-alpha", "hazard_alpha", 0, 0, 1, "X", "hazard loss: how much less a censored slide counts than one with an event"),
     RMIL_FIELD(hazard_alpha)},
    {0},
};

/* -- the table ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    GArray *options;   /* RmilOption, offset from RmilModelConfig; in the order of model files */
    GHashTable *bases; /* an owner's rows -> offset of its own struct in RmilModelConfig */
    gsize next;        /* next free offset */
} Table;

static const RmilOption *find(const RmilOption *rows, const char *key) {
    for (; rows && rows->key; rows++)
        if (strcmp(rows->key, key) == 0) return rows;
    return NULL;
}

/* The owners of the key: models, or guides; NULL: every model. */
static char *owners_of(const char *key) {
    gboolean all = TRUE;
    GString *out = g_string_new(NULL);
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) {
        if (find((*class)->options, key)) g_string_append_printf(out, "%s%s", out->len ? ", " : "", (*class)->name);
        else all = FALSE;
    }
    for (int g = 0; rmil_guide_classes[g]; g++)
        if (find(rmil_guide_classes[g]->options, key))
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", rmil_guide_classes[g]->name);
    return g_string_free(out, all || !out->len) /* all: NULL */;
}

/* "256 for abmil, dsmil; 512 for clam-sb, clam-mb": if models differ; else NULL. */
static char *usual_of(const char *key) {
    g_autoptr(GString) out = g_string_new(NULL);
    double last = NAN;
    int different = 0;
    for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) {
        const RmilOption *row = find((*class)->options, key);
        if (!row) continue;
        g_autofree char *value = rmil_option_usual(row);
        if (row->value == last) g_string_append_printf(out, ", %s", (*class)->name);
        else g_string_append_printf(out, "%s%s for %s", different++ ? "; " : "", value, (*class)->name);
        last = row->value;
    }
    return different > 1 ? g_strdup(out->str) : NULL;
}

static void add(Table *table, const RmilOption *rows) {
    if (!rows || g_hash_table_contains(table->bases, rows)) return;
    const gsize base = (table->next + 7) / 8 * 8;
    g_hash_table_insert(table->bases, (gpointer)rows, GSIZE_TO_POINTER(base));
    for (const RmilOption *row = rows; row->key; row++) {
        RmilOption full = *row;
        if (!row->shared) {
            full.offset += base;
            table->next = MAX(table->next, full.offset + sizeof(int64_t));
        }
        if (find((const RmilOption *)(void *)table->options->data, row->key)) continue;
        if (!row->usual) full.usual = usual_of(row->key);
        rmil_options_add(table->options, &full, rows == survival ? "survival" : owners_of(row->key));
    }
}

static int by_place(gconstpointer a, gconstpointer b) {
    const int x = ((const RmilOption *)a)->place, y = ((const RmilOption *)b)->place;
    return x && y ? x - y : (y > 0) - (x > 0);
}

static const Table *table_of_all(void) {
    static Table table;
    static gsize done;
    if (g_once_init_enter(&done)) {
        table = (Table){g_array_new(TRUE, FALSE, sizeof(RmilOption)), g_hash_table_new(NULL, NULL), offsetof(RmilModelConfig, own)};
        add(&table, common);
        add(&table, survival);
        for (const RmilModelClass *const *class = rmil_model_classes(); *class; class ++) add(&table, (*class)->options);
        for (int g = 0; rmil_guide_classes[g]; g++) add(&table, rmil_guide_classes[g]->options);
        g_assert(table.next <= sizeof(RmilModelConfig)); /* else RMIL_MODEL_OWN in mil.h is too small for the options of all models */
        g_array_sort(table.options, by_place);
        g_once_init_leave(&done, 1);
    }
    return &table;
}

const RmilOption *rmil_model_options(void) { return (const RmilOption *)(void *)table_of_all()->options->data; }

const RmilOption *rmil_model_option_find(const char *name) {
    for (const RmilOption *option = rmil_model_options(); option->key; option++)
        if (g_strcmp0(option->name, name) == 0) return option;
    return NULL;
}

static gpointer own(const RmilModelConfig *config, const RmilOption *rows) {
    return (char *)config + GPOINTER_TO_SIZE(g_hash_table_lookup(table_of_all()->bases, rows));
}

gpointer rmil_model_own(const RmilModelConfig *config) { return own(config, rmil_model_class(config->model, NULL)->options); }
gpointer rmil_guide_own(const RmilModelConfig *config) { return own(config, rmil_guide_class(config->guide)->options); }

/* -- a configuration ---------------------------------------------------------------------------------------------------- */
/* The row of the configuration's model or guide; NULL: neither has the key. */
static const RmilOption *taken(const RmilModelConfig *config, const char *key) {
    const RmilModelClass *class = rmil_model_class(config->model, NULL);
    const RmilGuideClass *guide = rmil_guide_class(config->guide);
    const RmilOption *row = find(common, key);
    if (!row) row = find(survival, key);
    if (!row && class) row = find(class->options, key);
    return row || !guide ? row : find(guide->options, key);
}

gboolean rmil_model_writes(const RmilModelConfig *config, const RmilOption *option) {
    if (find(survival, option->key)) return config->task.kind == RMIL_TASK_SURVIVAL;
    return option->place > 0 || (taken(config, option->key) && rmil_option_said(option, config));
}

gboolean rmil_model_config_init(RmilModelConfig *config, const char *model, RmilGuide guide, GError **error) {
    const RmilModelClass *class = rmil_model_class(model, error);
    if (!class || !rmil_model_takes(class, guide, error)) return FALSE;
    *config = (RmilModelConfig){.guide = guide, .sd = 1};
    rmil_task_init(&config->task);
    g_strlcpy(config->model, class->name, sizeof config->model);
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        const RmilOption *row = taken(config, option->key);
        rmil_option_put(option, config, row ? row->value : option->elsewhere);
    }
    return TRUE;
}

/* Is the task valid, and does the model support it? */
static gboolean check_task(const RmilModelClass *class, const RmilTask *task, GError **error) {
    static const int takes[] = {RMIL_TAKES_CLASSES, RMIL_TAKES_SURVIVAL, RMIL_TAKES_NUMBER};
    const gboolean classes = task->kind == RMIL_TASK_CLASSES;
    if (classes && (task->classes < 2 || task->classes > RMIL_CLASSES_MOST))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "model %s: a task has 2 to %d classes, not %d", class->name, RMIL_CLASSES_MOST,
                         task->classes);
    if ((classes && task->classes == 2) || class->tasks & takes[task->kind]) return TRUE;
    g_autofree char *asked = classes ? g_strdup_printf("%d classes", task->classes)
                                     : g_strdup_printf("the task \"%s\"", rmil_task_kind_name(task->kind));
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "model %s cannot predict %s; it predicts two classes%s%s%s", class->name, asked,
                     class->tasks & RMIL_TAKES_CLASSES ? ", more classes" : "", class->tasks & RMIL_TAKES_SURVIVAL ? ", survival" : "",
                     class->tasks & RMIL_TAKES_NUMBER ? ", a number" : "");
}

gboolean rmil_model_config_check(const RmilModelConfig *config, GError **error) {
    const RmilModelClass *class = rmil_model_class(config->model, error);
    if (!class || !rmil_model_takes(class, config->guide, error) || !check_task(class, &config->task, error)) return FALSE;
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        const RmilOption *row = taken(config, option->key);
        const double value = rmil_option_get(option, config);
        if (row && !rmil_option_check(row, row->key, value, error)) return FALSE;
        if (!row && option->without && value > option->elsewhere)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "model %s %s", class->name, option->without);
    }
    return !class->check || class->check(config, error);
}

static gboolean is_called(const RmilOption *option, const char *name) {
    return strcmp(option->key, name) == 0 || g_strcmp0(option->name, name) == 0;
}

gboolean rmil_model_config_set(RmilModelConfig *config, const char *name, double value, GError **error) {
    gboolean known = FALSE;
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        if (!is_called(option, name)) continue;
        if (!rmil_option_check(option, name, value, error)) return FALSE;
        rmil_option_put(option, config, value);
        known = TRUE;
    }
    return known || rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no model option \"%s\"", name);
}

gboolean rmil_model_ignores(const RmilModelConfig *config, const char *name) {
    gboolean others = FALSE;
    for (const RmilOption *option = rmil_model_options(); option->key; option++) {
        if (g_strcmp0(option->name, name) != 0) continue;
        if (option->without || taken(config, option->key)) return FALSE;
        others = TRUE;
    }
    return others;
}

double rmil_model_config_get(const RmilModelConfig *config, const char *name) {
    for (const RmilOption *option = rmil_model_options(); option->key; option++)
        if (is_called(option, name)) return rmil_option_get(option, config);
    return NAN;
}
