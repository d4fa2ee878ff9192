/* The bags of a cohort in memory, and the ways of dividing them. */
#include "cli-train.h"

#include <string.h>

/* "4G", "512M", "1.5T", or bytes. */
static gboolean parse_size(const char *text, int64_t *bytes, GError **error) {
    static const char units[] = "KMGT";
    char *end;
    double value = g_ascii_strtod(text, &end);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        value *= (double)(INT64_C(1) << (10 * (unit - units + 1)));
        end++;
    }
    if (g_str_has_prefix(end, "iB")) end += 2;
    if (end == text || *end || !(value >= 1) || value > 1e18) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--memory \"%s\" is not a size such as 4G or 512M", text);
        return FALSE;
    }
    *bytes = (int64_t)value;
    return TRUE;
}

/* What training depends on of a bag: what made its features, its labels, its class. */
static void add_identity(GChecksum *checksum, const RmilCohortRow *row, const RmilBag *bag) {
    g_autofree char *file = bag->source ? g_strdup(bag->source) : cli_file_identity(row->features);
    g_autofree char *text = g_strdup_printf("%s|%d|%s|", row->id, row->label, file);
    g_checksum_update(checksum, (const guchar *)text, -1);
    if (bag->patch_labels) g_checksum_update(checksum, bag->patch_labels, (gssize)bag->count);
}

gboolean train_data_load(TrainData *data, Cli *cli, RmilCohort *cohort, const TrainOptions *options, const char *cache, GError **error) {
    RmilBagSetOptions load;
    rmil_bag_set_options_init(&load);
    load.threads = cli->threads;
    load.precision = g_strcmp0(options->precision, "bfloat16") == 0 ? RMIL_BFLOAT16 : RMIL_FLOAT32;
    load.cache = cache;
    *data = (TrainData){.cohort = cohort, .count = cohort->count};
    if (options->memory && !parse_size(options->memory, &load.memory, error)) return FALSE;
    data->labels = g_new0(int, cohort->count);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        data->labels[i] = row->label;
        if (row->features) continue;
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: line %" G_GINT64_FORMAT ": %s has no features: run 'rankmil encode' and take the "
                    "cohort.csv that it writes", cohort->path, row->line, row->id);
        return FALSE;
    }
    data->set = rmil_bag_set_load(cohort, &load, &cli->monitor, error);
    if (!data->set) return FALSE;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (int64_t i = 0; i < cohort->count; i++) {
        if (data->set->bags[i]) add_identity(checksum, &cohort->rows[i], data->set->bags[i]);
        else cli_problem(cli, "load", cohort->rows[i].id, g_error_new_literal(RMIL_ERROR, RMIL_ERROR_DATA, data->set->errors[i]));
    }
    data->bags = data->set->bags;
    data->fingerprint = g_strdup(g_checksum_get_string(checksum));
    json_object_set_int_member(cli->result, "slides", data->count);
    json_object_set_int_member(cli->result, "loaded", data->set->loaded);
    json_object_set_int_member(cli->result, "feature_dim", data->set->dim);
    json_object_set_int_member(cli->result, "memory_bytes", data->set->memory_bytes);
    json_object_set_int_member(cli->result, "mapped_bytes", data->set->mapped_bytes);
    return TRUE;
}

void train_data_clear(TrainData *data) {
    if (data->set) rmil_bag_set_free(data->set);
    g_free(data->labels);
    g_free(data->fingerprint);
}

/* -- splits ------------------------------------------------------------------------------------------------------------------ */
/* Every column of a splits file is a repeat; the number that its name ends in is the seed. */
static gboolean read_fixed(const TrainData *data, const char *path, GArray *repeats, GError **error) {
    g_autoptr(RmilSplitTable) table = rmil_split_table_read(path, data->cohort, error);
    if (!table) return FALSE;
    for (int64_t j = 0; j < table->count; j++) {
        const char *name = table->names[j], *digits = name + strlen(name);
        while (digits > name && g_ascii_isdigit(digits[-1])) digits--;
        Repeat repeat = {.seed = *digits ? g_ascii_strtoll(digits, NULL, 10) : j,
                         .splits = g_memdup2(table->splits + j * table->rows, (gsize)table->rows * sizeof(RmilSplit))};
        g_array_append_val(repeats, repeat);
    }
    return TRUE;
}

void train_repeats_free(GArray *repeats) {
    for (guint i = 0; i < repeats->len; i++) g_free(g_array_index(repeats, Repeat, i).splits);
    g_array_unref(repeats);
}

GArray *train_repeats(const TrainData *data, const Cli *cli, const TrainOptions *options, int64_t count, GError **error) {
    GArray *repeats = g_array_new(FALSE, FALSE, sizeof(Repeat));
    gboolean done = TRUE;
    if (options->splits) done = read_fixed(data, options->splits, repeats, error);
    for (int64_t r = 0; done && !options->splits && r < count; r++) {
        Repeat repeat = {.seed = cli->seed + r, .splits = g_new0(RmilSplit, data->count)};
        g_array_append_val(repeats, repeat);
        RmilSplitOptions split;
        rmil_split_options_init(&split);
        split.test = options->test_share;
        split.val = options->val_share;
        split.seed = (uint64_t)repeat.seed;
        done = rmil_split_draw(data->cohort, &split, repeat.splits, error);
    }
    if (done) return repeats;
    train_repeats_free(repeats);
    return NULL;
}
