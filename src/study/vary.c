/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of variation: what a study can vary, the effect of a value, and its name. */
#include "vary.h"

#include "base/base-private.h"
#include "mil/model.h"

#include <math.h>
#include <string.h>

const RmilStudyKind rmil_study_kinds[] = {{"comparison", NULL},
                                          {"low-data", "fraction"},
                                          {"granularity", "padding"},
                                          {"annotated-fraction", "annotated"},
                                          {"threshold", "threshold"},
                                          {"localisation", NULL},
                                          {NULL, NULL}};

/* -- effect of a value on the data ------------------------------------------------------------------------------------------- */
static void change_fraction(RmilVariedData *varied, const RmilVaried *value) {
    varied->splits = g_new0(RmilSplit, varied->data->count);
    rmil_vary_fraction(varied->data, varied->repeat, value->number, varied->splits);
}

static void change_padding(RmilVariedData *varied, const RmilVaried *value) {
    for (guint i = 0; i < varied->paddings->len; i++) {
        const RmilGrown *grown = varied->paddings->pdata[i];
        if (grown->padding == value->number) varied->grown = grown;
    }
}

static const char *const orders[] = {"random", "wrong-first", "sure-first", NULL}; /* by RmilOrder */

RmilOrder rmil_order_find(const char *name) {
    RmilOrder found = RMIL_ORDER_RANDOM;
    for (RmilOrder k = 0; k < RMIL_ORDERS; k++)
        if (strcmp(name, orders[k]) == 0) found = k;
    return found;
}

static void change_order(RmilVariedData *varied, const RmilVaried *value) { varied->order = varied->orders[rmil_order_find(value->text)]; }

static void change_annotated(RmilVariedData *varied, const RmilVaried *value) {
    RmilRepeat repeat = *varied->repeat;
    if (varied->splits) repeat.splits = varied->splits;
    varied->kept = g_new0(gboolean, varied->data->count);
    if (varied->order) rmil_vary_suggested(varied->data, &repeat, value->number, varied->order, varied->kept);
    else rmil_vary_annotated(varied->data, &repeat, value->number, varied->kept);
}

static void change_within(RmilVariedData *varied, const RmilVaried *value) { varied->within = value->number < 1 ? value->number : 0; }

/* -- the table --------------------------------------------------------------------------------------------------------------- */
static const RmilOption fraction = {.name = "fraction", .type = RMIL_OPTION_NUMBER, .low = 0.001, .high = 1};
static const RmilOption padding = {.name = "padding", .type = RMIL_OPTION_NUMBER, .low = 0, .high = 1e6};
static const RmilOption order = {.name = "annotate-order", .type = RMIL_OPTION_WORD, .words = orders};
static const RmilOption annotated = {.name = "annotated", .type = RMIL_OPTION_NUMBER, .low = 0, .high = 1};
static const RmilOption within = {.name = "annotated-within", .type = RMIL_OPTION_NUMBER, .low = 0.05, .high = 1};
static const RmilOption threshold = {.name = "threshold", .type = RMIL_OPTION_NUMBER, .low = 0, .high = 1e9};

static const RmilVariation papers[] = {
    {.option = &fraction,
     .change = change_fraction,
     .count = 5,
     .values = {0.2, 0.4, 0.6, 0.8, 1},
     .before = "",
     .after = " %",
     .axis = "Development slides used (%)",
     .scale = 100},
    {.option = &padding,
     .change = change_padding,
     .guided = TRUE,
     .count = 6,
     .values = {0, 448, 896, 1344, 1792, 2240},
     .before = "",
     .after = " px",
     .axis = "Padding around the annotation (level-0 px)",
     .scale = 1},
    {.option = &order,
     .change = change_order,
     .guided = TRUE,
     .ours = TRUE,
     .count = 3,
     .values = {RMIL_ORDER_RANDOM, RMIL_ORDER_WRONG, RMIL_ORDER_SURE},
     .before = "",
     .after = "",
     .axis = "Order in which slides are annotated",
     .scale = 1},
    {.option = &annotated,
     .change = change_annotated,
     .guided = TRUE,
     .count = 8,
     .values = {0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1},
     .before = "",
     .after = " %",
     .axis = "Annotated positive slides (%)",
     .scale = 100},
    {.option = &within,
     .change = change_within,
     .guided = TRUE,
     .ours = TRUE,
     .count = 3,
     .values = {0.1, 0.3, 1},
     .before = "",
     .after = " %",
     .axis = "Annotated share of each lesion (%)",
     .scale = 100},
    {.option = &threshold,
     .elsewhere = TRUE,
     .count = 6,
     .values = {0, 0.25, 0.5, 1, 2, 5},
     .before = "T = ",
     .after = "",
     .axis = "Attention threshold T",
     .scale = 1},
};

static const RmilVariation *find(const RmilVariation *table, gsize count, const char *name) {
    for (gsize i = 0; i < count; i++)
        if (strcmp(table[i].option->name, name) == 0) return &table[i];
    return NULL;
}

const RmilVariation *rmil_variations(gsize *count) {
    static GArray *table;
    static gsize done;
    if (g_once_init_enter(&done)) {
        gsize options;
        const RmilOption *option = rmil_train_option_table(&options);
        table = g_array_new(FALSE, FALSE, sizeof(RmilVariation));
        g_array_append_vals(table, papers, G_N_ELEMENTS(papers));
        for (const RmilOption *end = option + options; option < end; option++) {
            if (option->scope != RMIL_SCOPE_METHOD || find(papers, G_N_ELEMENTS(papers), option->name)) continue;
            const RmilVariation one = {.option = option,
                                       .before = g_strconcat(option->name, " ", NULL),
                                       .after = "",
                                       .axis = g_strdup_printf("%s: %s", option->name, option->help),
                                       .scale = 1};
            g_array_append_val(table, one);
        }
        g_once_init_leave(&done, 1);
    }
    *count = table->len;
    return (const RmilVariation *)(void *)table->data;
}

const RmilVariation *rmil_variation_find(const char *name) {
    gsize count;
    const RmilVariation *table = rmil_variations(&count);
    return find(table, count, name);
}

/* -- values ------------------------------------------------------------------------------------------------------------------ */
char *rmil_number_text(double value) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 6; digits <= 17; digits++) {
        g_autofree char *format = g_strdup_printf("%%.%dg", digits);
        if (g_ascii_strtod(g_ascii_formatd(text, sizeof text, format, value), NULL) == value) break;
    }
    return g_strdup(text);
}

char *rmil_variation_text(const RmilVariation *variation, double value) {
    return variation->option->type == RMIL_OPTION_NUMBER ? rmil_number_text(value) : rmil_option_text(variation->option, value);
}

char *rmil_varied_short(const RmilVaried *varied) {
    const RmilVariation *variation = rmil_variation_find(varied->name); /* NULL: from another version's record */
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    if (!variation || isnan(varied->number)) return g_strdup(varied->text);
    g_ascii_formatd(number, sizeof number, "%.6g", varied->number * variation->scale);
    return g_strconcat(number, variation->after, NULL);
}

char *rmil_varied_spoken(const RmilVaried *varied, gboolean alone) {
    const RmilVariation *variation = rmil_variation_find(varied->name);
    g_autofree char *text = rmil_varied_short(varied);
    const gboolean named = !variation || (!alone && !*variation->before);
    return g_strconcat(named ? varied->name : variation->before, named ? " " : "", text, NULL);
}

static char *join(const RmilVaried *varied, gboolean names) {
    GString *out = g_string_new(NULL);
    for (int i = 0; i < RMIL_VARIED && varied[i].name; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "", names ? varied[i].name : varied[i].text);
    return g_string_free(out, FALSE);
}

char *rmil_varied_names(const RmilVaried *varied) { return join(varied, TRUE); }
char *rmil_varied_texts(const RmilVaried *varied) { return join(varied, FALSE); }

/* -- effects ----------------------------------------------------------------------------------------------------------------- */
void rmil_vary_data(RmilVariedData *data, const RmilVaried *varied, gboolean follows) {
    for (gsize v = 0; v < G_N_ELEMENTS(papers); v++)
        for (int i = 0; i < RMIL_VARIED && varied[i].name; i++)
            if (papers[v].change && (follows || !papers[v].guided) && strcmp(papers[v].option->name, varied[i].name) == 0)
                papers[v].change(data, &varied[i]);
}

void rmil_varied_data_clear(RmilVariedData *data) {
    g_clear_pointer(&data->splits, g_free);
    g_clear_pointer(&data->kept, g_free);
}

static char *kept_identity(const RmilTrainData *data, const gboolean *kept) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (int64_t i = 0; i < data->count; i++)
        if (kept[i]) g_checksum_update(sum, (const guchar *)data->cohort->rows[i].id, (gssize)strlen(data->cohort->rows[i].id) + 1);
    return g_strdup(g_checksum_get_string(sum));
}

char *rmil_varied_data_annotations(const RmilVariedData *data) {
    g_autofree char *kept = data->kept ? kept_identity(data->data, data->kept) : NULL;
    const char *grown = data->grown ? data->grown->identity : "";
    g_autofree char *share = data->within > 0 ? rmil_number_text(data->within) : NULL;
    char *all = g_strconcat(kept ? kept : "", grown, share ? "within " : "", share, NULL);
    if (!*all) g_clear_pointer(&all, g_free);
    return all;
}

gboolean rmil_vary_options(RmilTrainOptions *options, const RmilVaried *varied, const RmilTrainMethod *method, GError **error) {
    RmilModelConfig model;
    if (!rmil_method_config_init(method, &model, error)) return FALSE;
    for (int i = 0; i < RMIL_VARIED && varied[i].name; i++) {
        if (rmil_variation_find(varied[i].name)->change || rmil_model_ignores(&model, varied[i].name)) continue;
        if (!rmil_train_options_set(options, varied[i].name, varied[i].text, error)) return FALSE;
    }
    return TRUE;
}
