/* SPDX-License-Identifier: Apache-2.0 */
/* The bags of a cohort in memory, and the ways of splitting them. */
#include "sight.h"

#include "bag/digest.h"
#include "base/base-private.h"

#include <string.h>

/* What training depends on in a bag: its numbers and its class, but not the file that they came from or its date. */
typedef struct {
    const RmilTrainData *data;
    RmilDigest *digests; /* rows × RMIL_BAG_DIGESTS */
} Identifying;

static gboolean digest_row(int64_t row, int worker, gpointer user, GError **error) {
    const Identifying *identifying = user;
    const RmilBag *bag = identifying->data->bags[row];
    if (bag) rmil_bag_digests(bag, identifying->digests + row * RMIL_BAG_DIGESTS);
    return TRUE;
}

static void add_target(GChecksum *checksum, const RmilTarget *target) {
    g_autofree char *text = g_strdup_printf("%a %d %a|", target->time, target->event, target->value);
    g_checksum_update(checksum, (const guchar *)text, -1);
}

static gboolean fingerprint(RmilTrainData *data, int threads, GError **error) {
    g_autofree RmilDigest *digests = rmil_try_new(data->count * RMIL_BAG_DIGESTS, sizeof *digests, error);
    Identifying identifying = {data, digests};
    if (!digests || !rmil_parallel(data->count, threads, digest_row, &identifying, error)) return FALSE;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    const RmilTaskKind kind = data->cohort->task.kind;
    for (int64_t i = 0; i < data->count; i++) {
        const RmilBag *bag = data->bags[i];
        if (!bag) continue;
        g_autofree char *text = g_strdup_printf("%s|%d|%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %a|", data->cohort->rows[i].id,
                                                data->targets[i].label, bag->count, bag->dim, bag->patch_size_level0);
        g_checksum_update(checksum, (const guchar *)text, -1);
        if (kind != RMIL_TASK_CLASSES) add_target(checksum, &data->targets[i]);
        g_checksum_update(checksum, (const guchar *)(digests + i * RMIL_BAG_DIGESTS), RMIL_BAG_DIGESTS * sizeof *digests);
        if (bag->patch_labels) g_checksum_update(checksum, bag->patch_labels, (gssize)bag->count);
    }
    data->fingerprint = g_strdup(g_checksum_get_string(checksum));
    return TRUE;
}

void rmil_train_data_free(RmilTrainData *data) {
    if (!data) return;
    rmil_sight_free(data->sight);
    rmil_bag_set_free(data->set);
    rmil_cohort_free(data->by_patient);
    g_free(data->targets);
    g_free(data->fingerprint);
    g_free(data);
}

RmilTrainData *rmil_train_data_load(const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, int threads,
                                    const RmilMonitor *monitor, GError **error) {
    RmilBagSetOptions load;
    if (!rmil_train_options_load(options, &load, error)) return NULL;
    load.threads = threads;
    load.cache = cache;
    g_autoptr(RmilTrainData) data = g_new0(RmilTrainData, 1);
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        if (row->features) continue;
        rmil_fail(error, RMIL_ERROR_DATA,
                  "%s: line %" G_GINT64_FORMAT ": %s has no features: run 'rankmil encode' and use the cohort.csv that it writes",
                  cohort->path, row->line, row->id);
        return NULL;
    }
    if (load.bag == RMIL_BAG_PATIENT && !(data->by_patient = rmil_cohort_by_patient(cohort, error))) return NULL;
    data->cohort = data->by_patient ? data->by_patient : cohort;
    data->count = data->cohort->count;
    data->sight = rmil_sight_new(data->count);
    data->targets = g_new0(RmilTarget, data->count);
    for (int64_t i = 0; i < data->count; i++) data->targets[i] = data->cohort->rows[i].target;
    data->set = rmil_bag_set_load(data->cohort, &load, monitor, error);
    if (!data->set) return NULL;
    data->bags = (const RmilBag *const *)data->set->bags;
    if (!fingerprint(data, threads, error)) return NULL;
    return g_steal_pointer(&data);
}
