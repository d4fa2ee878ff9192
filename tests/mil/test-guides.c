/* SPDX-License-Identifier: Apache-2.0 */
/* Guides beyond the paper's: weighted and top-weighted pairs, slides that meet in a step, evenness, true patch labels, the anchor; the
 * methods that are made of them. */
#include "differences.h"
#include "mil/adam.h"
#include "mil/group.h"
#include "mil/guide.h"
#include "mil/rank.h"
#include "support.h"

#include <math.h>
#include <string.h>

/* -- pairs ---------------------------------------------------------------------------------------------------------------- */
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

static double brute_push(const RmilRankSide *above, const RmilRankSide *below, double sigma, double margin, double p) {
    double sum = 0;
    for (int64_t j = 0; j < below->count; j++) {
        double each = 0;
        for (int64_t i = 0; i < above->count; i++)
            each += (above->weights ? above->weights[i] : 1.0 / (double)above->count) *
                    softplus(-sigma * (above->scores[i] - below->scores[j] - margin));
        sum += (below->weights ? below->weights[j] : 1.0 / (double)below->count) * pow(each, p);
    }
    return pow(sum, 1 / p);
}

/* Sizes below and above what is summed pair by pair; weights of neither, one or both sides; powers from the mean to nearly the maximum. */
static void test_push(void) {
    static const int sizes[][2] = {{1, 1}, {3, 20}, {70, 90}, {1, 5000}, {300, 60}};
    static const double powers[] = {1, 2, 3.5, 16}, spreads[] = {1, 20, 300};
    for (int round = 0; round < 5 * 4 * 3 * 4; round++) {
        const int np = sizes[round % 5][0], nn = sizes[round % 5][1], n = np + nn, weighted = round / 60;
        const double p = powers[round / 5 % 4], spread = spreads[round / 20 % 3];
        g_autofree double *scores = g_new(double, n);
        g_autofree double *weights = g_new(double, n);
        g_autofree double *slopes = g_new(double, n);
        g_autoptr(RmilArena) arena = rmil_arena_new();
        RmilRng rng;
        double sums[2] = {0, 0}, loss;
        rmil_rng_init(&rng, 5, (uint64_t)round);
        for (int i = 0; i < n; i++) {
            scores[i] = spread * rmil_rng_normal(&rng);
            sums[i >= np] += weights[i] = 0.1 + rmil_rng_uniform(&rng);
        }
        for (int i = 0; i < n; i++) weights[i] /= sums[i >= np];
        const RmilRankSide above = {.scores = scores, .count = np, .weights = weighted & 1 ? weights : NULL, .slopes = slopes};
        const RmilRankSide below = {.scores = scores + np,
                                    .count = nn,
                                    .weights = weighted & 2 ? weights + np : NULL,
                                    .slopes = slopes + np};
        g_assert_true(rmil_rank_push(&above, &below, 0.7, 1.5, p, arena, &loss, NULL));
        const double expected = brute_push(&above, &below, 0.7, 1.5, p);
        g_assert_cmpfloat_with_epsilon(loss, expected, 1e-6 * expected + 1e-30);
        double top = 0;
        for (int i = 0; i < n; i++) top = MAX(top, fabs(slopes[i]));
        for (int i = 0; i < n; i += 1 + n / 7) {
            const double was = scores[i], step = 1e-4;
            scores[i] = was + step;
            const double more = brute_push(&above, &below, 0.7, 1.5, p);
            scores[i] = was - step;
            const double less = brute_push(&above, &below, 0.7, 1.5, p);
            scores[i] = was;
            g_assert_cmpfloat_with_epsilon(slopes[i], (more - less) / (2 * step), 1e-5 * top + 1e-9 * expected + 1e-20);
        }
    }
}

/* -- slides that meet -------------------------------------------------------------------------------------------------------- */
enum { SLIDES = 6, MOST = 300 };

typedef struct {
    RmilModelConfig config;
    RmilTarget targets[SLIDES];
    float *scores[SLIDES];
    uint8_t *labels[SLIDES];
    int64_t counts[SLIDES];
    int rows;
} Meeting;

/* Annotated, negative, negative, all annotated, not annotated, annotated. */
static void make_meeting(Meeting *m, const char *model, RmilTask task, const char *pairs, double push) {
    static const int labels[] = {1, 0, 0, 2, 1, 2};
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&m->config, model, RMIL_GUIDE_RANK, &error));
    m->config.task = task;
    m->config.dim = 4, m->config.sigma = 0.8, m->config.margin = 0.5, m->config.lambda = 1.7;
    g_assert_true(rmil_model_config_set(&m->config, "pairs", strcmp(pairs, "both") == 0 ? 2 : 1, &error));
    g_assert_true(rmil_model_config_set(&m->config, "push", push, &error));
    m->rows = rmil_model_config_rows(&m->config) > 1 || strcmp(model, "dsmil") == 0 ? rmil_model_outputs(&m->config) : 1;
    for (int s = 0; s < SLIDES; s++) {
        RmilRng rng;
        rmil_rng_init(&rng, 9, (uint64_t)s);
        m->counts[s] = 5 + 40 * s;
        m->targets[s] = RMIL_TARGET_CLASS(MIN(labels[s], task.classes - 1));
        m->scores[s] = g_new(float, m->rows * m->counts[s]);
        m->labels[s] = g_new0(uint8_t, m->counts[s]);
        for (int64_t i = 0; i < m->rows * m->counts[s]; i++) m->scores[s][i] = (float)(2 * rmil_rng_normal(&rng));
        for (int64_t i = 0; i < m->counts[s]; i++) m->labels[s][i] = s == 3 || ((s == 0 || s == 5) && i % 3 == 0);
    }
}

static void free_meeting(Meeting *m) {
    for (int s = 0; s < SLIDES; s++) {
        g_free(m->scores[s]);
        g_free(m->labels[s]);
    }
}

static RmilGuided shown_of(const Meeting *m, int s) {
    return (RmilGuided){.scores = m->scores[s], .labels = m->labels[s], .count = m->counts[s], .rows = m->rows};
}

/* What the guide makes of all slides together; ds, if asked for, by slide. */
static double meeting_loss(const Meeting *m, float **ds) {
    RmilMember members[SLIDES] = {{.scores = NULL}};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    double sum = 0;
    for (int s = 0; s < SLIDES; s++) {
        const RmilGuided shown = shown_of(m, s);
        g_assert_true(rmil_member_set(&members[s], &m->targets[s], &shown, NULL));
    }
    g_assert_true(rmil_guide_meet(&m->config, members, SLIDES, arena, NULL));
    for (int s = 0; s < SLIDES; s++) {
        const RmilGuided shown = shown_of(m, s);
        const RmilStep step = {.config = &m->config, .target = m->targets[s], .train = TRUE, .member = &members[s]};
        double loss;
        g_assert_true(rmil_guide_loss(&step, &shown, arena, &loss, ds ? ds[s] : NULL, NULL, NULL));
        sum += loss;
        rmil_member_clear(&members[s]);
    }
    return sum;
}

/* The same by the definition, pair by pair: each annotated slide's mean of the terms that it has (push 1). */
static double brute_meeting(const Meeting *m, gboolean both) {
    double sum = 0;
    for (int s = 0; s < SLIDES; s++) {
        const int row = m->rows > 1 ? m->targets[s].label : 0;
        const float *own = m->scores[s] + row * m->counts[s];
        double terms[2] = {0, 0}, counts[2] = {0, 0};
        for (int64_t i = 0; m->targets[s].label > 0 && i < m->counts[s]; i++) {
            if (!m->labels[s][i]) continue;
            for (int t = 0; t < SLIDES; t++)
                for (int64_t j = 0; j < m->counts[t]; j++) {
                    const int term = t == s && !m->labels[s][j] ? 0 : m->targets[t].label == 0 ? 1 : -1;
                    if (term < 0) continue;
                    const double other = (double)m->scores[t][row * m->counts[t] + j];
                    terms[term] += softplus(-m->config.sigma * ((double)own[i] - other - m->config.margin));
                    counts[term]++;
                }
        }
        double mean = 0, there = 0;
        for (int term = both ? 0 : 1; term < 2; term++)
            if (counts[term] > 0) mean += terms[term] / counts[term], there++;
        if (there > 0) sum += m->config.lambda * mean / there;
    }
    return sum;
}

static void check_meeting(const char *model, RmilTask task, const char *pairs, double push) {
    Meeting m;
    float memory[SLIDES][3 * MOST], *ds[SLIDES];
    make_meeting(&m, model, task, pairs, push);
    for (int s = 0; s < SLIDES; s++) ds[s] = memory[s];
    const double loss = meeting_loss(&m, ds);
    if (push == 1) g_assert_cmpfloat_with_epsilon(loss / brute_meeting(&m, strcmp(pairs, "both") == 0), 1, 1e-6);
    double top = 0;
    int touched = 0;
    for (int s = 0; s < SLIDES; s++)
        for (int64_t i = 0; i < m.rows * m.counts[s]; i++) top = MAX(top, fabs((double)ds[s][i]));
    for (int s = 0; s < SLIDES; s++)
        for (int64_t i = 0; i < m.rows * m.counts[s]; i += 7) {
            const float was = m.scores[s][i], step = 1.0f / 64;
            m.scores[s][i] = was + step;
            const double more = meeting_loss(&m, NULL);
            m.scores[s][i] = was - step;
            const double less = meeting_loss(&m, NULL);
            m.scores[s][i] = was;
            g_assert_cmpfloat_with_epsilon(ds[s][i], (more - less) / (2.0 / 64), 2e-3 * top);
            touched += fabs((double)ds[s][i]) > 0;
        }
    g_assert_cmpint(touched, >, 20);
    for (int64_t i = 0; i < m.counts[1]; i++)
        g_assert_cmpfloat(ds[1][(m.rows - 1) * m.counts[1] + i], >, 0);                    /* negative slides are pushed down */
    for (int64_t i = 0; i < m.rows * m.counts[4]; i++) g_assert_cmpfloat(ds[4][i], ==, 0); /* nothing is known of this one */
    free_meeting(&m);
}

static void test_meet(void) {
    const RmilTask three = {.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"normal", "LUAD", "LUSC"}, .negative = TRUE};
    RmilTask two;
    rmil_task_init(&two);
    for (int push = 1; push < 6; push += 4)
        for (int i = 0; i < 2; i++) {
            const char *pairs = i ? "both" : "across";
            check_meeting("abmil", two, pairs, push);
            check_meeting("abmil", three, pairs, push);
            check_meeting("dsmil", three, pairs, push); /* a row for each class */
        }
}

/* Without a negative slide, both is what it is within, and across nothing. */
static void test_meet_without_negatives(void) {
    RmilTask two;
    rmil_task_init(&two);
    for (int both = 0; both < 2; both++) {
        Meeting m;
        make_meeting(&m, "abmil", two, both ? "both" : "across", 1);
        for (int s = 0; s < SLIDES; s++) m.targets[s] = RMIL_TARGET_CLASS(1);
        double expected = 0;
        RmilModelConfig within = m.config;
        g_assert_true(rmil_model_config_set(&within, "pairs", 0, NULL));
        for (int s = 0; s < SLIDES; s++) {
            g_autoptr(RmilArena) arena = rmil_arena_new();
            const RmilStep step = {.config = &within, .target = m.targets[s], .train = TRUE};
            const RmilGuided shown = shown_of(&m, s);
            double loss;
            g_assert_true(rmil_guide_loss(&step, &shown, arena, &loss, NULL, NULL, NULL));
            expected += loss;
        }
        g_assert_cmpfloat(expected, >, 0);
        g_assert_cmpfloat(meeting_loss(&m, NULL), ==, both ? expected : 0);
        free_meeting(&m);
    }
}

/* -- a training -------------------------------------------------------------------------------------------------------------- */
enum { BAGS = 20, TRAIN = 14, DIM = 9 };

typedef struct {
    RmilBag *bags[BAGS];
    RmilTarget targets[BAGS];
    int64_t order[BAGS];
} Cohort;

static void make_cohort(Cohort *c) {
    for (int s = 0; s < BAGS; s++) {
        c->bags[s] = differences_bag(DIM, 6 + 3 * (s % 11), s % 2 && s % 3 ? 3 : 0, (uint64_t)s);
        c->targets[s] = RMIL_TARGET_CLASS(s % 2);
        c->order[s] = s;
        for (int64_t i = 0; i < c->bags[s]->count; i++)
            if (c->bags[s]->patch_labels[i]) ((float *)c->bags[s]->features)[i * DIM] += 2;
    }
}

static void free_cohort(Cohort *c) {
    for (int s = 0; s < BAGS; s++) differences_free(c->bags[s]);
}

static RmilModelConfig config_of(const char *method) {
    RmilModelConfig config;
    g_assert_true(rmil_method_config_init(rmil_method_find(method, NULL), &config, NULL));
    config.dim = DIM, config.hidden = 10;
    if (config.attention_dim) config.attention_dim = 6;
    if (config.threshold >= 0) config.dropout = 0.2;
    return config;
}

static RmilTrainConfig protocol_of(int64_t epochs, int64_t group, int threads) {
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = protocol.warmup = epochs;
    protocol.group = group;
    protocol.learning_rate = 0.01;
    protocol.threads = threads;
    return protocol;
}

static RmilModel *train(const Cohort *c, const RmilModelConfig *config, const RmilTrainConfig *protocol, const char *checkpoint,
                        GArray *history) {
    GError *error = NULL;
    RmilModel *model = rmil_train(config, protocol, (const RmilBag *const *)c->bags, c->targets, c->order, TRAIN, c->order + TRAIN,
                                  BAGS - TRAIN, checkpoint, history, NULL, &error);
    g_assert_no_error(error);
    return model;
}

static gboolean same(const RmilModel *a, const RmilModel *b) {
    return memcmp(a->parameters, b->parameters, (gsize)a->layout.count * sizeof(float)) == 0;
}

/* The same bits on any number of threads, with room for what a step keeps and without, and after an interruption. */
static void test_bits(gconstpointer method) {
    Cohort c;
    make_cohort(&c);
    RmilModelConfig config = config_of(method);
    RmilTrainConfig protocol = protocol_of(4, 5, 1), half = protocol;
    g_autofree char *folder = test_folder(), *checkpoint = g_build_filename(folder, "checkpoint", NULL);
    g_autoptr(RmilModel) first = train(&c, &config, &protocol, NULL, NULL);
    const gssize room = rmil_group_room;
    for (int threads = 2; threads < 5; threads++) {
        protocol.threads = threads;
        rmil_group_room = threads == 2 ? 0 : threads == 3 ? 20000 : room;
        g_autoptr(RmilModel) other = train(&c, &config, &protocol, NULL, NULL);
        g_assert_true(same(first, other));
    }
    rmil_group_room = room;
    half.epochs = 2;
    g_autoptr(RmilModel) part = train(&c, &config, &half, checkpoint, NULL);
    g_autoptr(RmilModel) whole = train(&c, &config, &protocol, checkpoint, NULL);
    g_assert_true(same(first, whole));
    free_cohort(&c);
}

/* One step of Adam over all slides is what its parts say: forward, meet, back, update. */
static void test_step(void) {
    Cohort c;
    make_cohort(&c);
    RmilModelConfig config = config_of("rank-both");
    RmilTrainConfig protocol = protocol_of(1, TRAIN, 3);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) trained = train(&c, &config, &protocol, NULL, history);
    g_autoptr(RmilModel) model = rmil_model_new(&config, protocol.seed, NULL);
    const int64_t stride = model->layout.count;
    g_autofree float *gradients = g_new0(float, TRAIN *stride);
    g_autofree float *moments = g_new0(float, 2 * stride);
    int64_t slides[TRAIN];
    RmilRng rng;
    rmil_rng_init(&rng, protocol.seed, rmil_trainer_stream(1, 1, 0));
    rmil_targets_draw(&config.task, c.targets, c.order, TRAIN, protocol.balanced, &rng, slides);
    RmilMember members[TRAIN] = {{.scores = NULL}};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilStep steps[TRAIN];
    RmilOutcome outcome;
    RmilPass pass;
    double guide = 0;
    for (int i = 0; i < TRAIN; i++) {
        steps[i] = (RmilStep){.bag = c.bags[slides[i]],
                              .target = c.targets[slides[i]],
                              .train = TRUE,
                              .seed = protocol.seed,
                              .stream = rmil_trainer_stream(2, 1, i)};
        g_assert_true(rmil_model_forward(model, &steps[i], arena, &pass, &outcome, NULL));
        g_assert_true(rmil_member_set(&members[i], &steps[i].target, &pass.shown, NULL));
    }
    g_assert_true(rmil_guide_meet(&config, members, TRAIN, arena, NULL));
    for (int i = 0; i < TRAIN; i++) {
        steps[i].member = &members[i];
        steps[i].gradient = gradients + i * stride;
        g_assert_true(rmil_model_step(model, &steps[i], arena, &outcome, NULL));
        guide += outcome.guide_loss / TRAIN;
        rmil_member_clear(&members[i]);
    }
    rmil_adam_update(&protocol, 1, gradients, TRAIN, stride, stride, model->parameters, moments, moments + stride);
    g_assert_true(same(model, trained));
    g_assert_cmpfloat(guide, >, 0);
    g_assert_cmpfloat_with_epsilon(g_array_index(history, RmilEpoch, 0).train_guide_loss, guide, 1e-12);
    free_cohort(&c);
}

/* Validation compares its own slides: the guide's part of its loss is that of all of them together. */
static void test_validation(void) {
    Cohort c;
    make_cohort(&c);
    RmilModelConfig config = config_of("rank-both");
    config.dropout = 0;
    RmilTrainConfig protocol = protocol_of(1, 4, 2);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = train(&c, &config, &protocol, NULL, history);
    Meeting m = {.config = config, .rows = 1};
    double slides = 0;
    for (int s = 0; s < SLIDES; s++) {
        const RmilBag *bag = c.bags[TRAIN + s];
        RmilPrediction prediction;
        m.targets[s] = c.targets[TRAIN + s];
        m.counts[s] = bag->count;
        m.labels[s] = bag->patch_labels;
        m.scores[s] = g_new(float, bag->count);
        g_assert_true(rmil_model_predict(model, bag, &m.targets[s], &prediction, m.scores[s], NULL, NULL));
        slides += prediction.loss / SLIDES;
    }
    g_assert_cmpfloat_with_epsilon(g_array_index(history, RmilEpoch, 0).val_loss, slides + meeting_loss(&m, NULL) / SLIDES, 1e-6);
    for (int s = 0; s < SLIDES; s++) g_free(m.scores[s]);
    free_cohort(&c);
}

/* -- before training ------------------------------------------------------------------------------------------------------------ */
static void take_word(gpointer user, const char *text) { g_string_append(user, text); }

/* Without a negative slide, across can do nothing and both says what is left of it. */
static void test_ready(void) {
    Cohort c;
    make_cohort(&c);
    RmilTask task = {.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"LUAD", "LUSC"}};
    RmilTrainSlides slides = {(const RmilBag *const *)c.bags, c.targets, c.order, c.order + TRAIN, TRAIN, BAGS - TRAIN};
    g_autoptr(GString) said = g_string_new(NULL);
    const RmilMonitor monitor = {.warn = take_word, .user = said};
    GError *error = NULL;
    RmilModelConfig across = config_of("rank-across"), both = config_of("rank-both"), within = config_of("rank");
    g_assert_true(rmil_guide_ready(&across, &slides, &monitor, &error) && rmil_guide_ready(&both, &slides, &monitor, &error));
    g_assert_cmpstr(said->str, ==, "");
    across.task = both.task = within.task = task;
    g_assert_false(rmil_guide_ready(&across, &slides, &monitor, &error));
    test_error(&error, RMIL_ERROR_DATA,
               "--pairs across ranks annotated patches above those of slides without a lesion, but the "
               "training set has no such slide: use --pairs within");
    g_assert_true(rmil_guide_ready(&within, &slides, &monitor, &error));
    g_assert_cmpstr(said->str, ==, "");
    g_assert_true(rmil_guide_ready(&both, &slides, &monitor, &error));
    g_assert_nonnull(strstr(said->str, "the training set has no slide without a lesion"));
    free_cohort(&c);
}

/* -- evenness, anchor, labels ---------------------------------------------------------------------------------------------------- */
static double evenness_of(const float *scores, const uint8_t *labels, int64_t count, gboolean lesion, float *ds) {
    const RmilGuided on = {.scores = scores, .labels = labels, .count = count, .scale = 0.5};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    double loss;
    g_assert_true(rmil_evenness(&on, lesion, 1, arena, &loss, ds, NULL));
    return loss;
}

static void test_evenness(void) {
    const float even[6] = {1, 1, 1, 1, 1, 1}, apart[6] = {300, 300, 300, 0, 0, 0}, lone[6] = {300, 0, 0, 0, 0, 0};
    const uint8_t half[6] = {1, 1, 1, 0, 0, 0}, one[6] = {1, 0, 0, 0, 0, 0};
    /* H / log n is 1 where attention is even over the n that count, which half the mass makes (½ log 6) / log 3 */
    g_assert_cmpfloat_with_epsilon(evenness_of(even, NULL, 6, FALSE, NULL), 0, 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(lone, NULL, 6, FALSE, NULL), 1, 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(apart, half, 6, TRUE, NULL), 0, 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(lone, half, 6, TRUE, NULL), 1, 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(even, half, 6, TRUE, NULL), 1 + 1 - 0.5 * log(6) / log(3), 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(even, one, 6, TRUE, NULL), 2 * (1 - 1.0 / 6), 1e-12);
    g_assert_cmpfloat_with_epsilon(evenness_of(even, NULL, 1, FALSE, NULL), 0, 1e-12);
    float scores[6] = {0.3f, -1, 2, 0.5f, 1.5f, -2}, ds[6];
    for (int k = 0; k < 3; k++) { /* lesion of three, of one; none */
        const uint8_t *labels = k == 0 ? half : one;
        evenness_of(scores, labels, 6, k < 2, ds);
        for (int i = 0; i < 6; i++) {
            const float was = scores[i], step = 1.0f / 256;
            scores[i] = was + step;
            const double more = evenness_of(scores, labels, 6, k < 2, NULL);
            scores[i] = was - step;
            const double less = evenness_of(scores, labels, 6, k < 2, NULL);
            scores[i] = was;
            g_assert_cmpfloat_with_epsilon(ds[i], (more - less) / (2.0 / 256), 1e-5);
        }
    }
}

static double anchored(const RmilModelConfig *config, const float *scores, const float *anchor, int64_t count, float *ds) {
    const RmilGuided on = {.scores = scores, .count = count, .scale = 0.5, .rows = 2};
    const RmilStep step = {.config = config, .target = RMIL_TARGET_CLASS(1), .train = TRUE, .anchor = anchor};
    g_autoptr(RmilArena) arena = rmil_arena_new();
    double loss;
    g_assert_true(rmil_guide_loss(&step, &on, arena, &loss, ds, NULL, NULL));
    return loss;
}

static void test_anchor(void) {
    RmilModelConfig config = config_of("rank-anchor");
    g_assert_true(rmil_model_config_set(&config, "anchor", 3, NULL));
    float scores[10] = {0.3f, -1, 2, 0.5f, 1.5f, -2, 1, 0, 0.25f, -0.5f}, ds[10], anchor[10];
    for (int i = 0; i < 10; i++) anchor[i] = scores[i] + 4; /* softmax sees no shift */
    g_assert_cmpfloat_with_epsilon(anchored(&config, scores, anchor, 5, ds), 0, 1e-6);
    for (int i = 0; i < 10; i++) g_assert_cmpfloat_with_epsilon(ds[i], 0, 1e-6);
    for (int i = 0; i < 10; i++) anchor[i] = (float)sin(i);
    g_assert_cmpfloat(anchored(&config, scores, anchor, 5, ds), >, 0.1);
    for (int i = 0; i < 10; i++) {
        const float was = scores[i], step = 1.0f / 256;
        scores[i] = was + step;
        const double more = anchored(&config, scores, anchor, 5, NULL);
        scores[i] = was - step;
        const double less = anchored(&config, scores, anchor, 5, NULL);
        scores[i] = was;
        g_assert_cmpfloat_with_epsilon(ds[i], (more - less) / (2.0 / 256), 1e-4);
    }
}

/* True labels teach the true class's head all patches, and a negative slide the other's. */
static void test_labels(void) {
    RmilModelConfig config = config_of("clam-labels");
    config.dropout = 0;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 3, NULL);
    RmilBag *bag = differences_bag(DIM, 11, 3, 7);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    g_autofree float *gradient = g_new(float, model->layout.count);
    for (int label = 0; label < 2; label++) {
        RmilStep step = {.bag = bag, .target = RMIL_TARGET_CLASS(label), .train = TRUE, .gradient = gradient};
        RmilOutcome outcome;
        g_assert_true(rmil_model_step(model, &step, arena, &outcome, NULL));
        for (int i = 0; i < (int)model->layout.tensors->len; i++) {
            const RmilParameter *tensor = rmil_parameter_at(&model->layout, i);
            double size = 0;
            if (!g_str_has_prefix(tensor->name, "instance_classifiers")) continue;
            for (int64_t k = 0; k < tensor->count; k++) size += fabs((double)gradient[tensor->offset + k]);
            if (g_str_has_prefix(tensor->name, "instance_classifiers.1")) g_assert_cmpfloat(size, >, 0);
            else g_assert_cmpfloat(size, ==, 0);
        }
    }
    config.task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
    GError *error = NULL;
    g_assert_null(rmil_model_new(&config, 3, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT,
               "--guide labels teaches CLAM which patches belong to which class, so it can only predict "
               "classes");
    differences_free(bag);
}

/* -- methods ------------------------------------------------------------------------------------------------------------------------ */
/* Every method is found again by the configuration that it makes. */
static void test_methods(void) {
    gsize count;
    const RmilTrainMethod *methods = rmil_methods(&count);
    for (gsize i = 0; i < count; i++) {
        RmilModelConfig config = config_of(methods[i].name);
        g_assert_true(rmil_method_of_config(&config) == &methods[i]);
    }
    RmilModelConfig config = config_of("rank");
    g_assert_true(rmil_model_config_set(&config, "push", 3, NULL));
    g_assert_cmpstr(rmil_method_of_config(&config)->name, ==, "rank");
    g_assert_cmpstr(rmil_method_of("abmil", "rank", NULL)->name, ==, "rank");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guides/push", test_push);
    g_test_add_func("/guides/meet", test_meet);
    g_test_add_func("/guides/meet-without-negatives", test_meet_without_negatives);
    static const char *const trained[] = {"rank-across", "rank-both", "rank-push", "rank-anchor", "evenness", "clam-labels", "ms-clam"};
    for (gsize i = 0; i < G_N_ELEMENTS(trained); i++) {
        g_autofree char *path = g_strconcat("/guides/bits/", trained[i], NULL);
        g_test_add_data_func(path, trained[i], test_bits);
    }
    g_test_add_func("/guides/step", test_step);
    g_test_add_func("/guides/validation", test_validation);
    g_test_add_func("/guides/ready", test_ready);
    g_test_add_func("/guides/evenness", test_evenness);
    g_test_add_func("/guides/anchor", test_anchor);
    g_test_add_func("/guides/labels", test_labels);
    g_test_add_func("/guides/methods", test_methods);
    return g_test_run();
}
