/* The identity of a training run: SHA-256 of all that is small, and of a faster digest of all that is large. */
#include "run-key.h"

#include "modelfile.h"

#include <string.h>

enum { FEATURES, COORDS, TISSUE, ARRAYS };

typedef struct {
    uint64_t lanes[4];
} Digest;

typedef struct {
    const RmilBag *const *bags;
    int64_t *slides; /* training set, then validation set */
    Digest *digests; /* slides × ARRAYS */
} Job;

/* The rounds of XXH64, whose four lanes are kept whole instead of being folded to one: a few bytes per clock where SHA-256 needs
 * several clocks per byte. A round is a permutation, of the lane and of the word: one changed word always changes its lane. */
static uint64_t absorb(uint64_t lane, uint64_t word) {
    lane += word * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (lane << 31 | lane >> 33) * UINT64_C(0x9E3779B185EBCA87);
}

static Digest digest(const void *data, size_t bytes) {
    Digest d = {{UINT64_C(0x60EA27EEADC0B5D6), UINT64_C(0xC2B2AE3D27D4EB4F), 0, UINT64_C(0x61C8864E7A143579)}};
    uint64_t words[4];
    const char *at = data;
    for (; bytes >= sizeof words; at += sizeof words, bytes -= sizeof words) {
        memcpy(words, at, sizeof words);
        for (int i = 0; i < 4; i++) d.lanes[i] = absorb(d.lanes[i], words[i]);
    }
    memset(words, 0, sizeof words); /* sizes are in the key */
    if (bytes) memcpy(words, at, bytes);
    for (int i = 0; i < 4; i++) d.lanes[i] = absorb(d.lanes[i], words[i]);
    return d;
}

static gboolean digest_bag(int64_t index, int worker, gpointer user, GError **error) {
    const Job *job = user;
    const RmilBag *bag = job->bags[job->slides[index]];
    const size_t count = (size_t)bag->count, feature = bag->precision == RMIL_FLOAT32 ? 4 : 2;
    Digest *digests = job->digests + index * ARRAYS;
    digests[FEATURES] = digest(bag->features, bag->features ? count * (size_t)bag->dim * feature : 0);
    digests[COORDS] = digest(bag->coords, bag->coords ? 2 * count * sizeof *bag->coords : 0);
    digests[TISSUE] = digest(bag->tissue, bag->tissue ? count * sizeof *bag->tissue : 0);
    return TRUE;
}

static void add_text(GChecksum *sum, const char *text) { g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1); }

static void add_bag(GChecksum *sum, const RmilBag *bag, int label, const Digest *digests) {
    g_autofree char *numbers = g_strdup_printf("%d %d %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %a %d", label, bag->precision, bag->count,
                                               bag->dim, bag->patch_size_level0, bag->patch_labels != NULL);
    add_text(sum, bag->id ? bag->id : "");
    add_text(sum, bag->source ? bag->source : "");
    add_text(sum, numbers);
    if (bag->patch_labels) g_checksum_update(sum, bag->patch_labels, (gssize)bag->count);
    g_checksum_update(sum, (const guchar *)digests, (gssize)(ARRAYS * sizeof *digests));
}

char *rmil_run_key(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilBag *const *bags, const int *labels,
                   const int64_t *train_set, int64_t train_count, const int64_t *val_set, int64_t val_count, RmilCrew *crew,
                   GError **error) {
    const int64_t count = train_count + val_count;
    g_autofree int64_t *slides = rmil_try_new(count, sizeof *slides, error);
    g_autofree Digest *digests = slides ? rmil_try_new(count * ARRAYS, sizeof *digests, error) : NULL;
    if (!digests) return NULL;
    for (int64_t i = 0; i < count; i++) slides[i] = i < train_count ? train_set[i] : val_set[i - train_count];
    Job job = {bags, slides, digests};
    if (!rmil_crew_run(crew, count, digest_bag, &job, error)) return NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_auto(GStrv) configuration = rmil_model_config_text(model);
    g_autofree char *text = g_strjoinv("\n", configuration);
    g_autofree char *protocol = g_strdup_printf(
        "%a %a %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %d %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT,
        train->learning_rate, train->weight_decay, train->patience, train->warmup, train->group, train->balanced, train->seed, train_count);
    add_text(sum, text);
    add_text(sum, protocol);
    for (int64_t i = 0; i < count; i++) add_bag(sum, bags[slides[i]], labels[slides[i]], digests + i * ARRAYS);
    return g_strdup(g_checksum_get_string(sum));
}
