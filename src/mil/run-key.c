/* The identity of a training run: SHA-256 of all that is small, and of a faster digest of all that is large. */
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

static void add_bag(GChecksum *sum, const RmilBag *bag, int label, const RmilDigest *digests) {
    g_autofree char *numbers = g_strdup_printf("%d %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %a %d", label, bag->precision, bag->count,
                                               bag->dim, bag->patch_size_level0, bag->patch_labels != NULL);
    add_text(sum, bag->id ? bag->id : "");
    add_text(sum, bag->source ? bag->source : "");
    add_text(sum, numbers);
    if (bag->patch_labels) g_checksum_update(sum, bag->patch_labels, (gssize)bag->count);
    g_checksum_update(sum, (const guchar *)digests, (gssize)(RMIL_BAG_DIGESTS * sizeof *digests));
}

char *rmil_run_key(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilBag *const *bags, const RmilTarget *targets,
                   const int64_t *train_set, int64_t train_count, const int64_t *val_set, int64_t val_count, RmilCrew *crew,
                   GError **error) {
    const int64_t count = train_count + val_count;
    g_autofree int64_t *slides = rmil_try_new(count, sizeof *slides, error);
    g_autofree RmilDigest *digests = slides ? rmil_try_new(count * RMIL_BAG_DIGESTS, sizeof *digests, error) : NULL;
    if (!digests) return NULL;
    for (int64_t i = 0; i < count; i++) slides[i] = i < train_count ? train_set[i] : val_set[i - train_count];
    Job job = {bags, slides, digests};
    if (!rmil_crew_run(crew, count, digest_bag, &job, error)) return NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_auto(GStrv) configuration = rmil_model_config_text(model);
    g_autofree char *text = g_strjoinv("\n", configuration);
    g_autoptr(GString) protocol = g_string_new(NULL);
    for (const RmilOption *option = rmil_trainer_options; option->key; option++) {
        const double value = rmil_option_get(option, train);
        if (option->offset == offsetof(RmilTrainConfig, epochs)) continue; /* a run may be prolonged */
        if (option->type == RMIL_OPTION_NUMBER) g_string_append_printf(protocol, "%a ", value);
        else g_string_append_printf(protocol, "%" G_GINT64_FORMAT " ", (int64_t)value);
    }
    g_string_append_printf(protocol, "%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT, train->seed, train_count);
    add_text(sum, text);
    add_text(sum, protocol->str);
    for (int64_t i = 0; i < count; i++) add_bag(sum, bags[slides[i]], targets[slides[i]].label, digests + i * RMIL_BAG_DIGESTS);
    return g_strdup(g_checksum_get_string(sum));
}
