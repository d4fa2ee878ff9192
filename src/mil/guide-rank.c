/* Rank induction: every annotated patch should score higher than every other (docs/models.md, Losses). In training,
 * config.rank_sample = N > 0 draws up to N annotated and N other patches anew. */
#include "guide.h"

/* The first `take` of n values become a random choice without replacement (a shuffle broken off), in random order. */
static void choose(RmilRng *rng, int64_t *values, int64_t n, int64_t take) {
    for (int64_t i = 0; i < take; i++) {
        int64_t j = i + rmil_rng_below(rng, n - i), swap = values[i];
        values[i] = values[j];
        values[j] = swap;
    }
}

static gboolean loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const RmilModelConfig *config = step->config;
    const int64_t count = on->count;
    const uint8_t *labels = on->labels;
    int64_t np = rmil_guide_annotated(labels, count), nn = count - np;
    int64_t *index = rmil_arena_take(arena, count, sizeof(int64_t), error); /* annotated first, then the others */
    if (!index) return FALSE;
    int64_t p = 0, n = np;
    for (int64_t i = 0; i < count; i++) index[labels[i] ? p++ : n++] = i;
    int64_t *others = index + np;
    if (step->train && config->rank_sample > 0) {
        RmilRng rng;
        rmil_rng_init(&rng, step->seed, step->stream);
        int64_t kp = MIN(np, config->rank_sample), kn = MIN(nn, config->rank_sample);
        choose(&rng, index, np, kp);
        choose(&rng, others, nn, kn);
        np = kp;
        nn = kn;
    }
    float *packed = rmil_arena_floats(arena, np + nn, error);
    double *dp = ds ? rmil_arena_take(arena, np + nn, sizeof(double), error) : NULL, *dn = dp ? dp + np : NULL;
    if (!packed || (ds && !dp)) return FALSE;
    for (int64_t i = 0; i < np; i++) packed[i] = on->scores[index[i]];
    for (int64_t i = 0; i < nn; i++) packed[np + i] = on->scores[others[i]];
    if (!rmil_rank_loss(packed, np, packed + np, nn, config->sigma, config->margin, arena, loss, dp, dn, error)) return FALSE;
    *loss *= config->lambda;
    for (int64_t i = 0; ds && i < np; i++) ds[index[i]] = (float)(config->lambda * dp[i]);
    for (int64_t i = 0; ds && i < nn; i++) ds[others[i]] = (float)(config->lambda * dn[i]);
    return TRUE;
}

static const RmilOption options[] = {
    {RMIL_NUMBER("sigma", "sigma", 1, 1e-6, 1e6, "X", "scale of the rank loss"), RMIL_FIELD(sigma), .place = 6, .elsewhere = 1},
    {RMIL_NUMBER("margin", "margin", 1, -1e6, 1e6, "X", "margin of the rank loss"), RMIL_FIELD(margin), .place = 7, .elsewhere = 1},
    RMIL_LAMBDA,
    {RMIL_WHOLE("rank-sample", "rank_sample", 0, 0, G_MAXINT32, "N", "rank loss over at most N + N sampled patches; 0: all pairs"),
     RMIL_FIELD(rank_sample), .place = 9},
    {0},
};

const RmilGuideClass rmil_rank_guide = {.name = "rank", .options = options, .pairs = TRUE, .loss = loss};
