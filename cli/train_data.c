/* The bags of a cohort in memory, and the ways of dividing them. */
#include "cli-train.h"

#include <string.h>

typedef struct {
    TrainData *data;
    Cli *cli;
    char *const *features, *const *patch_labels;
    RmilPrecision precision;
    char **identities;
    GMutex lock;
    int64_t done;
} Loading;

static gboolean load_bag(Loading *l, int64_t row, GError **error) {
    const char *id = l->data->cohort->rows[row].id, *labels = l->patch_labels[row];
    g_autoptr(RmilBag) bag = rmil_bag_read(l->features[row], id, l->precision, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    g_autofree char *labels_identity = NULL;
    if (labels) {
        if (!bag->patch_labels) bag->patch_labels = g_new0(uint8_t, bag->count);
        if (!rmil_labels_read(labels, bag->count, bag->patch_labels, error)) return FALSE;
        labels_identity = rmil_bag_source(labels);
    }
    g_autofree char *file = bag->source ? NULL : cli_file_identity(l->features[row]);
    l->identities[row] = g_strdup_printf("%s|%d|%s|%s", id, l->data->labels[row], bag->source ? bag->source : file,
                                         labels_identity ? labels_identity : "");
    l->data->bags[row] = g_steal_pointer(&bag);
    return TRUE;
}

static gboolean load_task(int64_t row, int worker, gpointer user, GError **unused) {
    Loading *l = user;
    GError *error = NULL;
    if (!l->data->failed[row] && !load_bag(l, row, &error)) {
        l->data->failed[row] = TRUE;
        cli_problem(l->cli, "load", l->data->cohort->rows[row].id, error);
    }
    g_mutex_lock(&l->lock);
    rmil_monitor_progress(&l->cli->monitor, "load: bags", ++l->done, l->data->count);
    g_mutex_unlock(&l->lock);
    return TRUE;
}

/* All bags must have as many features as most of them have; the others are reported and left out. */
static void agree_on_dim(TrainData *data, Cli *cli) {
    int64_t best = 0;
    for (int64_t i = 0; i < data->count; i++) {
        int64_t same = 0;
        for (int64_t j = 0; data->bags[i] && j < data->count; j++) same += data->bags[j] && data->bags[j]->dim == data->bags[i]->dim;
        if (same > best) {
            best = same;
            data->dim = data->bags[i]->dim;
        }
    }
    for (int64_t i = 0; i < data->count; i++) {
        RmilBag *bag = data->bags[i];
        if (!bag || bag->dim == data->dim) {
            data->loaded += bag != NULL;
            continue;
        }
        cli_problem(cli, "load", bag->id,
                    g_error_new(RMIL_ERROR, RMIL_ERROR_DATA, "has %" G_GINT64_FORMAT " features a patch, the other slides have %" G_GINT64_FORMAT,
                                bag->dim, data->dim));
        g_clear_pointer(&data->bags[i], rmil_bag_free);
        data->failed[i] = TRUE;
    }
}

gboolean train_data_load(TrainData *data, Cli *cli, RmilCohort *cohort, gboolean *failed, char *const *features,
                         char *const *patch_labels, const TrainOptions *options, GError **error) {
    *data = (TrainData){.cohort = cohort, .count = cohort->count, .failed = failed};
    data->bags = g_new0(RmilBag *, cohort->count);
    data->labels = g_new0(int, cohort->count);
    for (int64_t i = 0; i < cohort->count; i++) data->labels[i] = cohort->rows[i].label;
    Loading l = {.data = data, .cli = cli, .features = features, .patch_labels = patch_labels,
                 .precision = g_strcmp0(options->precision, "bfloat16") == 0 ? RMIL_BFLOAT16 : RMIL_FLOAT32};
    l.identities = g_new0(char *, cohort->count + 1);
    g_mutex_init(&l.lock);
    gboolean done = rmil_parallel(cohort->count, cli->threads, load_task, &l, error);
    g_mutex_clear(&l.lock);
    agree_on_dim(data, cli);
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (int64_t i = 0; i < cohort->count; i++) {
        if (data->bags[i]) g_checksum_update(checksum, (const guchar *)l.identities[i], -1);
        g_free(l.identities[i]);
    }
    g_free(l.identities);
    data->fingerprint = g_strdup(g_checksum_get_string(checksum));
    if (done && data->loaded == 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: no slide has features that can be read", cohort->path);
        return FALSE;
    }
    return done;
}

void train_data_clear(TrainData *data) {
    for (int64_t i = 0; data->bags && i < data->count; i++)
        if (data->bags[i]) rmil_bag_free(data->bags[i]);
    g_free(data->bags);
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
