/* SPDX-License-Identifier: Apache-2.0 */
/* The current bags, each on one thread. If the loss or the guide looks at the bags of a step together (Cox's partial likelihood, pairs
 * across slides), all go forward first, then meet, then go backward. What they need in between stays in memory as long as there is room;
 * other bags go forward again, with the same bits. */
#include "group.h"

#include "guide.h"
#include "rankmil/outcome.h"

#include <string.h>

gssize rmil_group_room = (gssize)2 << 30;

enum { STREAM_STEP = 2 };

typedef enum {
    ALONE,   /* forward and backward at once */
    SHOW,    /* the same, and what it shows is copied */
    FORWARD, /* only forward */
    BACK     /* backward */
} Phase;

/* What a current bag keeps from one phase to the next. */
typedef struct {
    RmilStep step;
    RmilPass pass;
    gboolean kept;    /* the pass is in the arena of this place */
    float *anchor;    /* scores from the averaged copy */
    gsize room;       /* floats allocated for it */
    RmilArena *arena; /* one per place, largest bag first */
} Hand;

struct RmilHands {
    Hand *hands;
    RmilMember *members; /* one per bag, if they meet */
    int64_t count;
    Phase phase;
    gssize held; /* bytes kept */
    double decay, hold;
};

static gboolean is_cox(const RmilTrainer *t) {
    const RmilModelConfig *config = &t->model->config;
    return config->task.kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_COX;
}

gboolean rmil_group_prepare(RmilTrainer *t, int64_t most, GError **error) {
    struct RmilHands *all = t->hands = g_new0(struct RmilHands, 1);
    all->count = most;
    all->hands = g_new0(Hand, most);
    all->members = g_new0(RmilMember, most);
    all->hold = rmil_guide_anchor(&t->model->config, &all->decay);
    if (all->hold > 0 && !(t->average = rmil_alloc(t->stride, sizeof(float), error))) return FALSE;
    if (t->average) memcpy(t->average, t->arrays[RMIL_PARAMETERS], (size_t)t->stride * sizeof(float));
    return TRUE;
}

void rmil_group_release(RmilTrainer *t) {
    for (int64_t i = 0; t->hands && i < t->hands->count; i++) {
        Hand *hand = &t->hands->hands[i];
        rmil_member_clear(&t->hands->members[i]);
        rmil_free(hand->anchor);
        rmil_arena_free(hand->arena);
    }
    if (t->hands) g_free(t->hands->hands);
    if (t->hands) g_free(t->hands->members);
    g_clear_pointer(&t->hands, g_free);
    rmil_free(t->average);
    t->average = NULL;
}

void rmil_group_average(RmilTrainer *t) {
    const float stays = t->average ? (float)t->hands->decay : 0;
    for (int64_t i = 0; t->average && i < t->stride; i++)
        t->average[i] = stays * t->average[i] + (1 - stays) * t->arrays[RMIL_PARAMETERS][i];
}

/* -- one bag ------------------------------------------------------------------------------------------------------------ */
static RmilStep step_of(const RmilTrainer *t, int64_t at) {
    const int64_t slide = t->hand[at];
    RmilStep step = {.parameters = t->arrays[RMIL_PARAMETERS], .bag = t->slides.bags[slide], .target = t->slides.targets[slide]};
    if (!t->training) return step;
    step.train = TRUE;
    step.seed = t->config->seed;
    step.stream = rmil_trainer_stream(STREAM_STEP, t->state.epoch + 1, t->first + at);
    step.gradient = t->gradients + at * t->stride;
    return step;
}

/* Runs the averaged copy on the bag. */
static gboolean ask_anchor(const RmilTrainer *t, Hand *hand, RmilStep *step, RmilArena *arena, GError **error) {
    RmilStep look = {.parameters = t->average, .bag = step->bag, .target = RMIL_TARGET_NONE};
    RmilOutcome outcome;
    RmilPass pass;
    if (!t->average || !t->training) return TRUE;
    if (!rmil_model_forward(t->model, &look, arena, &pass, &outcome, error)) return FALSE;
    const gsize size = (gsize)(MAX(pass.shown.rows, 1) * pass.shown.count);
    if (size > hand->room) {
        rmil_free(hand->anchor);
        hand->room = 0;
        if (!(hand->anchor = rmil_alloc((int64_t)size, sizeof(float), error))) return FALSE;
        hand->room = size;
    }
    memcpy(hand->anchor, pass.shown.scores, size * sizeof(float));
    step->anchor = hand->anchor;
    return TRUE;
}

/* Forward, kept in the arena of its place if there is room; else in the worker's arena, and only what the other bags need is kept. */
static gboolean go_forward(RmilTrainer *t, int64_t at, Hand *place, RmilArena *arena, GError **error) {
    Hand *hand = &t->hands->hands[at];
    float *gradient = hand->step.gradient;
    hand->kept = g_atomic_pointer_get(&t->hands->held) < rmil_group_room;
    if (hand->kept) {
        if (!place->arena) place->arena = rmil_arena_new();
        arena = place->arena;
    } else hand->step.gradient = NULL;
    hand->step.keep = rmil_group_room / t->count;
    if (!rmil_model_forward(t->model, &hand->step, arena, &hand->pass, &t->outcomes[at], error)) return FALSE;
    hand->step.gradient = gradient;
    if (hand->kept) g_atomic_pointer_add(&t->hands->held, (gssize)rmil_arena_used(arena));
    return !rmil_guide_meets(&t->model->config) || rmil_member_set(&t->hands->members[at], &hand->step.target, &hand->pass.shown, error);
}

static gboolean run_bag(int64_t index, int worker, gpointer user, GError **error) {
    RmilTrainer *t = user;
    const int64_t at = t->order[index];
    RmilArena *arena = t->arenas[worker];
    RmilOutcome *outcome = &t->outcomes[at];
    Hand *hand = &t->hands->hands[at], *place = &t->hands->hands[index];
    RmilStep *step = &hand->step;
    if (t->hands->phase == BACK) {
        if (is_cox(t)) step->slope = &t->slopes[at];
        if (rmil_guide_meets(&t->model->config)) step->member = &t->hands->members[at];
        return hand->kept ? rmil_model_finish(t->model, step, place->arena, &hand->pass, outcome, error)
                          : rmil_model_step(t->model, step, arena, outcome, error);
    }
    *step = step_of(t, at);
    if (!ask_anchor(t, hand, step, arena, error)) return FALSE;
    if (t->hands->phase == FORWARD) return go_forward(t, at, place, arena, error);
    if (!rmil_model_forward(t->model, step, arena, &hand->pass, outcome, error)) return FALSE;
    if (t->hands->phase == SHOW && !rmil_member_set(&t->hands->members[at], &step->target, &hand->pass.shown, error)) return FALSE;
    return rmil_model_finish(t->model, step, arena, &hand->pass, outcome, error);
}

static int larger_bag(gconstpointer a, gconstpointer b, gpointer user) {
    const RmilTrainer *t = user;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int64_t kx = t->slides.bags[t->hand[x]]->count, ky = t->slides.bags[t->hand[y]]->count;
    return kx != ky ? (kx < ky ? 1 : -1) : (x > y) - (x < y);
}

static gboolean run_bags(RmilTrainer *t, Phase phase, GError **error) {
    t->hands->phase = phase;
    return rmil_crew_run(t->crew, t->count, run_bag, t, error);
}

static void take_hand(RmilTrainer *t, const int64_t *slides, int64_t first, int64_t count, gboolean training) {
    t->hand = slides;
    t->first = first;
    t->count = count;
    t->training = training;
    for (int64_t i = 0; i < count; i++) t->order[i] = i;
    g_qsort_with_data(t->order, (int)count, sizeof *t->order, larger_bag, t);
}

/* -- losses of all bags together ---------------------------------------------------------------------------------------- */
/* Cox's partial likelihood: minus its logarithm, divided by the number of bags, becomes the loss of each bag; slopes are those with respect
 * to the risks. */
static double cox_loss(RmilTrainer *t) {
    g_autofree double *risks = g_new(double, t->count), *times = g_new(double, t->count);
    g_autofree gboolean *events = g_new(gboolean, t->count);
    for (int64_t i = 0; i < t->count; i++) {
        const RmilTarget *target = &t->slides.targets[t->hand[i]];
        risks[i] = t->outcomes[i].logits[0], times[i] = target->time, events[i] = target->event;
    }
    return rmil_cox_loss(risks, times, events, t->count, TRUE, t->slopes) / (double)t->count;
}

static void share_loss(RmilTrainer *t, double loss) {
    for (int64_t i = 0; i < t->count; i++) {
        t->outcomes[i].slide_loss = loss;
        t->outcomes[i].loss = loss + t->outcomes[i].guide_loss;
    }
}

static gboolean meet(RmilTrainer *t, GError **error) {
    return rmil_guide_meet(&t->model->config, t->hands->members, t->count, t->arenas[0], error);
}

/* Arenas that grew in different steps must not hold many times rmil_group_room together. */
static void trim(RmilTrainer *t) {
    gsize all = 0;
    t->hands->held = 0;
    for (int64_t i = 0; i < t->hands->count; i++) all += t->hands->hands[i].arena ? rmil_arena_size(t->hands->hands[i].arena) : 0;
    for (int64_t i = 0; i < t->hands->count && all > 2 * (gsize)rmil_group_room; i++)
        g_clear_pointer(&t->hands->hands[i].arena, rmil_arena_free);
}

gboolean rmil_group_learn(RmilTrainer *t, const int64_t *slides, int64_t first, int64_t count, GError **error) {
    const gboolean cox = is_cox(t), meets = rmil_guide_meets(&t->model->config);
    double loss = 0;
    take_hand(t, slides, first, count, TRUE);
    if (!cox && !meets) return run_bags(t, ALONE, error);
    trim(t);
    if (!run_bags(t, FORWARD, error)) return FALSE;
    if (cox) loss = cox_loss(t);
    if ((meets && !meet(t, error)) || !run_bags(t, BACK, error)) return FALSE;
    if (cox) share_loss(t, loss);
    return TRUE;
}

gboolean rmil_group_judge(RmilTrainer *t, const int64_t *slides, int64_t count, GError **error) {
    const gboolean meets = rmil_guide_meets(&t->model->config);
    take_hand(t, slides, 0, count, FALSE);
    if (!run_bags(t, meets ? SHOW : ALONE, error) || (meets && !meet(t, error))) return FALSE;
    for (int64_t i = 0; meets && i < count; i++) {
        const RmilMember *member = &t->hands->members[i];
        RmilOutcome *outcome = &t->outcomes[i];
        outcome->guide_loss = member->own * outcome->guide_loss + member->loss;
        outcome->loss = outcome->slide_loss + outcome->guide_loss;
    }
    if (is_cox(t)) share_loss(t, cox_loss(t));
    return TRUE;
}
