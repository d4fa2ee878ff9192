/* SPDX-License-Identifier: Apache-2.0 */
/* Rank induction: every annotated patch should score higher than every other patch of its slide, than every patch of those slides of the
 * step that cannot hold a lesion, or than both (docs/models.md, Guides). In training, config.rank_sample = N > 0 draws up to N annotated
 * and N other patches of a slide at each step; pairs across slides are always all used. */
#include "guide.h"
#include "rank.h"

enum { WITHIN, ACROSS, BOTH };

typedef struct {
    int pairs;
    double push, anchor, decay;
} Options;

static const Options *own(const RmilModelConfig *config) { return rmil_guide_own(config); }

/* -- within a slide ------------------------------------------------------------------------------------------------------ */
/* Makes the first `take` of n values a random choice without replacement (a partial shuffle), in random order. */
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
    if (own(config)->pairs == ACROSS) return TRUE; /* a single slide has no pairs across slides */
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
    double *scores = rmil_arena_take(arena, np + nn, sizeof(double), error);
    double *slopes = ds ? rmil_arena_take(arena, np + nn, sizeof(double), error) : NULL;
    if (!scores || (ds && !slopes)) return FALSE;
    for (int64_t i = 0; i < np; i++) scores[i] = (double)on->scores[index[i]];
    for (int64_t i = 0; i < nn; i++) scores[np + i] = (double)on->scores[others[i]];
    const RmilRankSide above = {.scores = scores, .count = np, .slopes = slopes},
                       below = {.scores = scores + np, .count = nn, .slopes = ds ? slopes + np : NULL};
    if (!rmil_rank_push(&above, &below, config->sigma, config->margin, own(config)->push, arena, loss, error)) return FALSE;
    *loss *= config->lambda;
    for (int64_t i = 0; ds && i < np; i++) ds[index[i]] = (float)(config->lambda * slopes[i]);
    for (int64_t i = 0; ds && i < nn; i++) ds[others[i]] = (float)(config->lambda * slopes[np + i]);
    return TRUE;
}

/* -- across slides ------------------------------------------------------------------------------------------------------- */
static gboolean meets(const RmilModelConfig *config) { return own(config)->pairs != WITHIN; }

/* Number of annotated patches, if the slide may hold a lesion; else 0. */
static int64_t annotated_of(const RmilModelConfig *config, const RmilMember *member) {
    return member->labels && rmil_target_lesion(&config->task, &member->target) ? rmil_guide_annotated(member->labels, member->count) : 0;
}

/* What a member contributes to a row: its annotated patches, all of its patches, or nothing. A class's row takes slides of that class and
 * all negative ones. */
typedef enum { NOTHING, ANNOTATED, NEGATIVE } Part;
static Part part_of(const RmilModelConfig *config, const RmilMember *member, double share, int row) {
    if (rmil_guide_negative(&config->task, &member->target)) return NEGATIVE;
    const gboolean own = member->rows == 1 || config->task.kind != RMIL_TASK_CLASSES || member->target.label == row;
    return own && share > 0 ? ANNOTATED : NOTHING;
}

static int64_t row_at(const RmilMember *member, int row) { return member->rows > 1 ? row * member->count : 0; }

/* The two sides of one row: scores of annotated patches, weighted by their slide's share divided by their number, and of all patches of
 * negative slides. */
typedef struct {
    RmilRankSide above, below;
    double total; /* sum of the shares */
    int64_t slides;
} Row;

static gboolean gather(const RmilModelConfig *config, const RmilMember *members, const Part *parts, const double *shares, int64_t count,
                       int row, RmilArena *arena, Row *out, GError **error) {
    int64_t np = 0, nn = 0, p = 0, n = 0;
    *out = (Row){.total = 0};
    for (int64_t i = 0; i < count; i++) {
        if (parts[i] == NEGATIVE) nn += members[i].count;
        else if (parts[i] == ANNOTATED) np += annotated_of(config, &members[i]), out->total += shares[i], out->slides++;
    }
    double *scores = rmil_arena_take(arena, 2 * (np + nn), sizeof *scores, error),
           *weights = rmil_arena_take(arena, np, sizeof *weights, error);
    if (!scores || !weights) return FALSE;
    for (int64_t i = 0; i < count; i++) {
        const RmilMember *m = &members[i];
        const float *from = m->scores + row_at(m, row);
        for (int64_t k = 0; parts[i] == NEGATIVE && k < m->count; k++) scores[np + n++] = (double)from[k];
        const double weight = parts[i] == ANNOTATED ? shares[i] / out->total / (double)annotated_of(config, m) : 0;
        for (int64_t k = 0; parts[i] == ANNOTATED && k < m->count; k++)
            if (m->labels[k]) scores[p] = (double)from[k], weights[p++] = weight;
    }
    double *slopes = scores + np + nn;
    out->above = (RmilRankSide){.scores = scores, .count = np, .weights = weights, .slopes = slopes};
    out->below = (RmilRankSide){.scores = scores + np, .count = nn, .slopes = slopes + np};
    return TRUE;
}

/* Adds the row's loss, weighted by `share`, to the slides with annotated patches in equal parts, and its slopes to all. */
static gboolean meet_row(const RmilModelConfig *config, RmilMember *members, int64_t count, int row, const double *shares, double share,
                         RmilArena *arena, GError **error) {
    Part *parts = rmil_arena_take(arena, count, sizeof *parts, error);
    double loss;
    Row r;
    for (int64_t i = 0; parts && i < count; i++) parts[i] = part_of(config, &members[i], shares[i], row);
    if (!parts || !gather(config, members, parts, shares, count, row, arena, &r, error)) return FALSE;
    if (r.above.count == 0 || r.below.count == 0) return TRUE;
    if (!rmil_rank_push(&r.above, &r.below, config->sigma, config->margin, own(config)->push, arena, &loss, error)) return FALSE;
    const double factor = share * r.total * config->lambda, *up = r.above.slopes, *down = r.below.slopes;
    for (int64_t i = 0; i < count; i++) {
        RmilMember *m = &members[i];
        float *ds = m->ds + row_at(m, row);
        if (parts[i] == ANNOTATED) m->loss += factor * loss / (double)r.slides;
        for (int64_t k = 0; parts[i] == ANNOTATED && k < m->count; k++)
            if (m->labels[k]) ds[k] += (float)(factor * *up++);
        for (int64_t k = 0; parts[i] == NEGATIVE && k < m->count; k++) ds[k] += (float)(factor * *down++);
    }
    return TRUE;
}

/* A slide's loss is the mean of those terms that have pairs: within it, and across slides. */
static gboolean meet(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error) {
    double *shares = rmil_arena_take(arena, count, sizeof *shares, error);
    gboolean compared = FALSE;
    int rows = 1;
    if (!shares) return FALSE;
    for (int64_t i = 0; i < count; i++) {
        compared = compared || rmil_guide_negative(&config->task, &members[i].target);
        rows = MAX(rows, members[i].rows);
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t annotated = annotated_of(config, &members[i]);
        const gboolean two = own(config)->pairs == BOTH && annotated < members[i].count;
        shares[i] = !compared || annotated == 0 ? 0 : two ? 0.5 : 1;
        members[i].own = shares[i] > 0 ? 1 - shares[i] : 1;
    }
    const gboolean classes = config->task.kind == RMIL_TASK_CLASSES;
    for (int row = 0; row < rows; row++)
        if (!meet_row(config, members, count, row, shares, rows > 1 && !classes ? 1.0 / rows : 1, arena, error)) return FALSE;
    return TRUE;
}

static double anchor(const RmilModelConfig *config, double *decay) {
    *decay = own(config)->decay;
    return own(config)->anchor;
}

/* -- options --------------------------------------------------------------------------------------------------------------- */
static const char *const all_pairs[] = {"within", "across", "both", NULL};

static const RmilOption options[] = {
    {RMIL_NUMBER("sigma", "sigma", 1, 1e-6, 1e6, "X", "scale of the rank loss"), RMIL_FIELD(sigma), .place = 6, .elsewhere = 1},
    {RMIL_NUMBER("margin", "margin", 1, -1e6, 1e6, "X", "margin of the rank loss"), RMIL_FIELD(margin), .place = 7, .elsewhere = 1},
    RMIL_LAMBDA,
    {RMIL_WHOLE("rank-sample", "rank_sample", 0, 0, G_MAXINT32, "N", "rank loss over at most N + N sampled patches; 0: all pairs"),
     RMIL_FIELD(rank_sample), .place = 9},
    {RMIL_WORD("pairs", "pairs", WITHIN, all_pairs, "NAME",
               "rank annotated patches above the other patches of their slide, above all patches of the step's slides without a lesion, or "
               "both"),
     .offset = offsetof(Options, pairs), .quiet = TRUE},
    {RMIL_NUMBER("push", "push", 1, 1, 64, "P",
                 "p-norm of the rank loss: the higher it is, the more the highest-scoring other "
                 "patches count"),
     .offset = offsetof(Options, push), .elsewhere = 1, .quiet = TRUE},
    {RMIL_NUMBER("anchor", "anchor", 0, 0, 1e6, "X",
                 "how strongly attention is tied to that of a copy of the model averaged over "
                 "the updates"),
     .offset = offsetof(Options, anchor), .quiet = TRUE},
    {RMIL_NUMBER("anchor-decay", "anchor_decay", 0.99, 0, 1, "X", "share of the averaged copy kept at each update"),
     .offset = offsetof(Options, decay), .elsewhere = 0.99, .quiet = TRUE},
    {0},
};

/* -- before training ------------------------------------------------------------------------------------------------------- */
static gboolean ready(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error) {
    gboolean negative = own(config)->pairs == WITHIN;
    for (int64_t i = 0; i < slides->train_count && !negative; i++)
        negative = rmil_guide_negative(&config->task, &slides->targets[slides->train[i]]);
    if (negative) return TRUE;
    if (own(config)->pairs == ACROSS)
        return rmil_fail(
            error, RMIL_ERROR_DATA,
            "--pairs across ranks annotated patches above those of slides without a lesion, but the training set has no such slide: "
            "use --pairs within");
    rmil_monitor_warn(monitor, "--pairs both: the training set has no slide without a lesion, so patches are ranked within slides only");
    return TRUE;
}

const RmilGuideClass rmil_rank_guide = {
    .name = "rank", .options = options, .pairs = TRUE, .loss = loss, .meets = meets, .meet = meet, .anchor = anchor, .ready = ready};
