/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of a training run: SHA-256 of everything small, and of a faster digest of everything large. */
#include "run-key.h"

#include "bag/digest.h"
#include "modelfile.h"

#include <string.h>

typedef struct {
    const RmilBag *const *bags;
    int64_t *slides;     /* training set, then validation set */
    RmilDigest *digests; /* slides × RMIL_BAG_DIGESTS */
} Job;

static gboolean digest_bag(int64_t index, int worker, gpointer user, GError **error) {
    const Job *job = user;
    rmil_bag_digests(job->bags[job->slides[index]], job->digests + index * RMIL_BAG_DIGESTS);
    return TRUE;
}

static void add_text(GChecksum *sum, const char *text) { g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1); }

static char *target_text(const RmilTask *task, const RmilTarget *target) {
    if (task->kind == RMIL_TASK_SURVIVAL) return g_strdup_printf("%a %d", target->time, target->event != FALSE);
    return task->kind == RMIL_TASK_NUMBER ? g_strdup_printf("%a", target->value) : g_strdup_printf("%d", target->label);
}

static void add_bag(GChecksum *sum, const RmilBag *bag, const char *target, const RmilDigest *digests) {
    g_autofree char *numbers = g_strdup_printf("%s %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %a %d", target, bag->precision, bag->count,
                                               bag->dim, bag->patch_size_level0, bag->patch_labels != NULL);
    add_text(sum, bag->id ? bag->id : "");
    add_text(sum, bag->source ? bag->source : "");
    add_text(sum, numbers);
    if (bag->patch_labels) g_checksum_update(sum, bag->patch_labels, (gssize)bag->count);
    g_checksum_update(sum, (const guchar *)digests, (gssize)(RMIL_BAG_DIGESTS * sizeof *digests));
}

char *rmil_run_key(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilTrainSlides *of, RmilCrew *crew, GError **error) {
    const int64_t count = of->train_count + of->val_count;
    g_autofree int64_t *slides = rmil_try_new(count, sizeof *slides, error);
    g_autofree RmilDigest *digests = slides ? rmil_try_new(count * RMIL_BAG_DIGESTS, sizeof *digests, error) : NULL;
    if (!digests) return NULL;
    for (int64_t i = 0; i < count; i++) slides[i] = i < of->train_count ? of->train[i] : of->val[i - of->train_count];
    Job job = {of->bags, slides, digests};
    if (!rmil_crew_run(crew, count, digest_bag, &job, error)) return NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_auto(GStrv) configuration = rmil_model_config_text(model);
    g_autofree char *text = g_strjoinv("\n", configuration);
    g_autoptr(GString) protocol = g_string_new(NULL);
    for (const RmilOption *option = rmil_trainer_options; option->key; option++) {
        const double value = rmil_option_get(option, train);
        if (!rmil_option_said(option, train)) continue;
        if (option->offset == offsetof(RmilTrainConfig, epochs)) continue; /* a run may be extended */
        if (option->type == RMIL_OPTION_NUMBER) g_string_append_printf(protocol, "%a ", value);
        else g_string_append_printf(protocol, "%" G_GINT64_FORMAT " ", (int64_t)value);
    }
    g_string_append_printf(protocol, "%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, train->seed, of->train_count);
    add_text(sum, text);
    add_text(sum, protocol->str);
    if (train->weights_sha256) add_text(sum, train->weights_sha256);
    for (int64_t i = 0; i < count; i++) {
        g_autofree char *target = target_text(&model->task, &of->targets[slides[i]]);
        add_bag(sum, of->bags[slides[i]], target, digests + i * RMIL_BAG_DIGESTS);
    }
    return g_strdup(g_checksum_get_string(sum));
}
