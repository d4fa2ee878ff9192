/* SPDX-License-Identifier: Apache-2.0 */
/* Patch classifiers: which patches are known, their loss, how they become a slide, and what their training leaves out. */
#include "differences.h"
#include "mil/patch.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { DIM = 12 };

static RmilTask task_of(int classes, gboolean negative) {
    RmilTask task;
    rmil_task_init(&task);
    if (classes > 2 || !negative) task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = classes, .names = {"LUAD", "LUSC", "other"}};
    task.negative = negative;
    return task;
}

static RmilModelConfig config_of(int classes, gboolean negative, int64_t hidden, int64_t top) {
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, "patch-linear", RMIL_GUIDE_NONE, NULL));
    config.dim = DIM, config.task = task_of(classes, negative);
    config.patch_hidden = hidden, config.patch_top = top;
    return config;
}

static RmilModel *model_of(const RmilModelConfig *config) {
    GError *error = NULL;
    RmilModel *model = rmil_model_new(config, 3, &error);
    g_assert_no_error(error);
    differences_move(model, 3);
    return model;
}

/* -- which patches are known ------------------------------------------------------------------------------------------------ */
static void test_known(void) {
    static const struct {
        int classes;
        gboolean negative;
        int label, lesion, inside, outside; /* lesion: every lesion-th patch of 6 is annotated, 0: none, −1: no labels */
    } cases[] = {{2, TRUE, 0, -1, 0, 0},  {2, TRUE, 0, 0, 0, 0},    {2, TRUE, 0, 3, 0, 0},    {2, TRUE, 1, 3, 1, 0},
                 {2, TRUE, 1, 1, 1, 0},   {2, TRUE, 1, 0, -1, -1},  {2, TRUE, 1, -1, -1, -1}, {2, TRUE, -1, 3, -1, -1},
                 {2, FALSE, 0, 3, 0, -1}, {2, FALSE, 0, 0, -1, -1}, {3, TRUE, 2, 3, 2, 0},    {3, TRUE, 0, 0, 0, 0},
                 {3, FALSE, 2, 3, 2, -1}, {3, FALSE, 0, -1, -1, -1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const RmilTask task = task_of(cases[i].classes, cases[i].negative);
        RmilBag *bag = differences_bag(DIM, 6, MAX(cases[i].lesion, 0), 7), seen = *bag;
        if (cases[i].lesion < 0) seen.patch_labels = NULL;
        const RmilPatchKnown known = rmil_patch_known(&task, &RMIL_TARGET_CLASS(cases[i].label), &seen);
        g_test_message("case %d", (int)i);
        g_assert_cmpint(known.inside, ==, cases[i].inside);
        g_assert_cmpint(known.outside, ==, cases[i].outside);
        g_assert_cmpint(rmil_patch_tells(&known), ==, cases[i].inside >= 0);
        double all = 0;
        for (int64_t k = 0; k < 6; k++) {
            const int class = rmil_patch_class(&known, &seen, k);
            g_assert_cmpint(class, ==, bag->patch_labels[k] ? known.inside : known.outside);
            all += rmil_patch_weight(&known, &seen, class);
        }
        g_assert_cmpfloat_with_epsilon(all, cases[i].inside >= 0, 1e-12);
        differences_free(bag);
    }
    const RmilTask survival = {.kind = RMIL_TASK_SURVIVAL};
    RmilBag *bag = differences_bag(DIM, 6, 3, 7);
    const RmilPatchKnown none = rmil_patch_known(&survival, &(RmilTarget){-1, 2, TRUE, NAN}, bag);
    g_assert_false(rmil_patch_tells(&none));
    differences_free(bag);
}

/* -- one bag ------------------------------------------------------------------------------------------------------------------ */
static RmilOutcome step_of(const RmilModel *model, const RmilBag *bag, int label, gboolean train, float *scores, float *attention) {
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilStep step = {.bag = bag, .target = RMIL_TARGET_CLASS(label), .train = train, .scores = scores, .attention = attention};
    RmilOutcome outcome;
    GError *error = NULL;
    g_assert_true(rmil_model_step(model, &step, arena, &outcome, &error));
    g_assert_no_error(error);
    return outcome;
}

/* One annotated patch of 200 counts as much as the other 199; a slide of which nothing is known is one of its highest patch, when it is
 * not trained on. */
static void test_loss(void) {
    const RmilModelConfig config = config_of(2, TRUE, 0, 1);
    g_autoptr(RmilModel) model = model_of(&config);
    RmilBag *bag = differences_bag(DIM, 200, 200, 7);
    float scores[200];
    const double loss = step_of(model, bag, 1, TRUE, scores, NULL).loss;
    double outside = 0, top = -INFINITY;
    for (int k = 1; k < 200; k++) outside += rmil_bce((double)scores[k], 0, NULL) / 199;
    for (int k = 0; k < 200; k++) top = MAX(top, (double)scores[k]);
    g_assert_cmpfloat_with_epsilon(loss, (rmil_bce((double)scores[0], 1, NULL) + outside) / 2, 1e-9);
    g_assert_cmpfloat(step_of(model, bag, 1, FALSE, NULL, NULL).loss, ==, loss);
    bag->patch_labels[0] = 0;
    g_assert_cmpfloat(step_of(model, bag, 1, TRUE, NULL, NULL).loss, ==, 0);
    g_assert_cmpfloat_with_epsilon(step_of(model, bag, 1, FALSE, NULL, NULL).loss, rmil_bce(top, 1, NULL), 1e-12);
    differences_free(bag);
}

/* The slide is its highest patch, or the mean of several; maps show probabilities, as shares. */
static void test_slide(void) {
    static const int64_t tops[] = {1, 3, 50};
    for (gsize t = 0; t < G_N_ELEMENTS(tops); t++)
        for (int classes = 2; classes <= 3; classes++)
            for (int negative = 0; negative < 2; negative++) {
                const RmilModelConfig config = config_of(classes, negative, 5, tops[t]);
                g_autoptr(RmilModel) model = model_of(&config);
                RmilBag *bag = differences_bag(DIM, 20, 3, 7), one = *bag;
                const int rows = rmil_model_rows(model);
                float scores[60], attention[60];
                const RmilOutcome outcome = step_of(model, bag, 1, FALSE, scores, attention);
                double p[60], total[3] = {0};
                g_assert_cmpint(rows, ==, classes == 2 ? 1 : 3);
                one.count = 1, one.patch_labels = NULL;
                for (int k = 0; k < 20; k++) { /* each patch as a slide of its own says the same */
                    one.features = (float *)bag->features + k * DIM;
                    RmilPrediction said;
                    g_assert_true(rmil_model_predict(model, &one, NULL, &said, NULL, NULL, NULL));
                    for (int c = 0; c < rows; c++) total[c] += p[c * 20 + k] = rows == 1 ? said.probability : said.values[c];
                    if (rows == 1) g_assert_cmpfloat_with_epsilon(said.logit, (double)scores[k], 1e-6);
                }
                for (int c = 0; c < rows; c++) {
                    double sum = 0;
                    int64_t n = MIN(tops[t], 20);
                    gboolean taken[20] = {FALSE};
                    for (int i = 0, best = 0; i < n; i++, best = 0) {
                        while (taken[best]) best++;
                        for (int k = best; k < 20; k++)
                            if (!taken[k] && scores[c * 20 + k] > scores[c * 20 + best]) best = k;
                        taken[best] = TRUE, sum += (double)scores[c * 20 + best];
                    }
                    g_assert_cmpfloat_with_epsilon(outcome.logits[c], sum / (double)n, 1e-9);
                    for (int k = 0; k < 20; k++)
                        g_assert_cmpfloat_with_epsilon((double)attention[c * 20 + k], p[c * 20 + k] / total[c], 1e-6);
                }
                if (rows > 1 && negative) g_assert_cmpfloat(outcome.logits[0], ==, 0);
                differences_free(bag);
            }
}

/* A patch without a number does not hide behind the others, and probabilities that all vanish are still shares. */
static void test_odd(void) {
    const RmilModelConfig config = config_of(2, TRUE, 0, 1);
    g_autoptr(RmilModel) model = model_of(&config);
    RmilBag *bag = differences_bag(DIM, 20, 3, 7);
    float *x = bag->features, attention[20];
    for (int k = 0; k < 20 * DIM; k++) x[k] *= 1e4f;
    step_of(model, bag, 1, FALSE, NULL, attention);
    double sum = 0;
    for (int k = 0; k < 20; k++) sum += (double)attention[k];
    g_assert_cmpfloat_with_epsilon(sum, 1, 1e-6);
    x[7 * DIM] = NAN;
    g_assert_true(isnan(step_of(model, bag, 1, FALSE, NULL, NULL).logits[0]));
    differences_free(bag);
}

/* -- gradients ---------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const RmilBag *bag;
    int label;
    gboolean train;
    const double *slope;
    RmilArena *arena;
} Loss;

static double loss_of(const RmilModel *model, gconstpointer user, float *gradient) {
    const Loss *l = user;
    RmilStep step = {.bag = l->bag, .target = RMIL_TARGET_CLASS(l->label), .train = l->train, .slope = l->slope, .gradient = gradient};
    RmilOutcome outcome;
    g_assert_true(rmil_model_step(model, &step, l->arena, &outcome, NULL));
    return outcome.loss;
}

static void check_bags(const RmilModelConfig *config) {
    static const double slope[] = {0.7, -0.4, 0.2};
    static const int64_t counts[] = {1, 2, 3, 20};
    g_autoptr(RmilModel) model = model_of(config);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++)
        for (int lesion = 0; lesion <= 3; lesion += lesion ? 2 : 1) /* none, all, some */
            for (int label = 0; label < config->task.classes; label++) {
                RmilBag *bag = differences_bag(DIM, counts[i], lesion, 7);
                for (int way = 0; way < 3; way++) { /* in training, in validation, with a slope given */
                    g_autofree char *what = g_strdup_printf("hidden %d, top %d, %d classes, K %d, annotated 1/%d, label %d, way %d",
                                                            (int)config->patch_hidden, (int)config->patch_top, config->task.classes,
                                                            (int)counts[i], lesion, label, way);
                    differences_check(model, loss_of, &(Loss){bag, label, way == 0, way == 2 ? slope : NULL, arena}, what);
                }
                differences_free(bag);
            }
}

static void test_gradients(void) {
    static const int64_t hidden[] = {0, 5, 33}, tops[] = {1, 3};
    for (gsize h = 0; h < G_N_ELEMENTS(hidden); h++)
        for (gsize t = 0; t < G_N_ELEMENTS(tops); t++)
            for (int classes = 2; classes <= 3; classes++)
                for (int negative = 0; negative < 2; negative++) {
                    const RmilModelConfig config = config_of(classes, negative, hidden[h], tops[t]);
                    check_bags(&config);
                }
}

/* -- training ----------------------------------------------------------------------------------------------------------------- */
enum { SLIDES = 30, TRAIN = 20 };

typedef struct {
    RmilBag *bags[SLIDES];
    RmilTarget targets[SLIDES];
    int64_t order[SLIDES]; /* the first TRAIN are trained on */
} Cohort;

/* Two slides of three hold lesions, in the patches 3, 10, 17 …, which have one feature high, another for each class of lesions. */
static void make_cohort(Cohort *c, int classes) {
    for (int s = 0; s < SLIDES; s++) {
        const int label = classes == 2 ? s % 3 > 0 : s % 3;
        RmilBag *bag = c->bags[s] = differences_bag(DIM, 40 + s, 0, (uint64_t)s);
        float *x = bag->features;
        for (int64_t i = 3; label && i < bag->count; i += 7) x[i * DIM + label] += 5, bag->patch_labels[i] = 1;
        c->targets[s] = RMIL_TARGET_CLASS(label);
        c->order[s] = s;
    }
}

static void free_cohort(Cohort *c) {
    for (int s = 0; s < SLIDES; s++) differences_free(c->bags[s]);
}

static void keep_warning(gpointer user, const char *message) { g_string_append_printf(user, "%s\n", message); }

static RmilModel *train_on(const Cohort *c, const RmilModelConfig *config, const int64_t *set, int64_t count, int threads, GString *said,
                           GError **error) {
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = protocol.warmup = 15;
    protocol.learning_rate = 0.02;
    protocol.group = 6;
    protocol.threads = threads;
    const RmilMonitor monitor = {.warn = keep_warning, .user = said};
    return rmil_train(config, &protocol, (const RmilBag *const *)c->bags, c->targets, set, count, c->order + TRAIN, SLIDES - TRAIN, NULL,
                      NULL, &monitor, error);
}

static gboolean same(const RmilModel *a, const RmilModel *b) {
    return memcmp(a->parameters, b->parameters, (gsize)a->layout.count * sizeof(float)) == 0;
}

/* Lesions that are plain to see are found on slides that were not trained on: the slides, and the places. */
static void test_finds(void) {
    static const double alphas[] = {100};
    for (int64_t hidden = 0; hidden <= 8; hidden += 8) {
        Cohort c;
        make_cohort(&c, 2);
        GError *error = NULL;
        const RmilModelConfig config = config_of(2, TRUE, hidden, 1);
        g_autoptr(GString) said = g_string_new(NULL);
        g_autoptr(RmilModel) model = train_on(&c, &config, c.order, TRAIN, 2, said, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(said->str, ==, "");
        double values[SLIDES - TRAIN];
        int truth[SLIDES - TRAIN];
        for (int s = TRAIN; s < SLIDES; s++) {
            RmilPrediction p;
            float scores[40 + SLIDES];
            double iou, dice, pointing;
            g_assert_true(rmil_model_predict(model, c.bags[s], NULL, &p, scores, NULL, &error));
            values[s - TRAIN] = p.probability, truth[s - TRAIN] = c.targets[s].label;
            if (!c.targets[s].label) continue;
            rmil_localisation(scores, c.bags[s]->patch_labels, c.bags[s]->count, alphas, 1, &iou, &dice, &pointing);
            g_assert_cmpfloat(pointing, ==, 1);
            g_assert_cmpfloat(iou, >, 0.7);
        }
        RmilMetrics metrics;
        rmil_metrics(truth, values, SLIDES - TRAIN, 0, &metrics);
        g_assert_cmpfloat(metrics.auroc, ==, 1);
        for (int threads = 1; threads <= 3; threads += 2) {
            g_autoptr(RmilModel) other = train_on(&c, &config, c.order, TRAIN, threads, said, &error);
            g_assert_true(same(model, other));
        }
        free_cohort(&c);
    }
}

/* Slides that tell nothing of a patch are no part of the training set, wherever they stand in it; this is said once. */
static void test_left_out(void) {
    for (int classes = 2; classes <= 3; classes++) {
        Cohort c;
        make_cohort(&c, classes);
        int64_t told[TRAIN], n = 0, lesions = 0;
        for (int s = 0; s < TRAIN; s++) {
            const gboolean silent = s % 5 == 1 && c.targets[s].label;
            lesions += c.targets[s].label > 0;
            if (silent) memset(c.bags[s]->patch_labels, 0, (gsize)c.bags[s]->count);
            else told[n++] = s;
        }
        const RmilModelConfig config = config_of(classes, TRUE, 0, 1);
        GError *error = NULL;
        g_autoptr(GString) said = g_string_new(NULL), silence = g_string_new(NULL);
        g_autoptr(RmilModel) all = train_on(&c, &config, c.order, TRAIN, 3, said, &error);
        g_autoptr(RmilModel) fewer = train_on(&c, &config, told, n, 1, silence, &error);
        g_assert_no_error(error);
        g_autofree char *expected = g_strdup_printf("%d of %d positive training slides have no annotated patch, so a patch "
                                                    "classifier (patch-linear) cannot learn from them\n",
                                                    (int)(TRAIN - n), (int)lesions);
        g_assert_cmpint(n, <, TRAIN);
        g_assert_cmpstr(said->str, ==, expected);
        g_assert_cmpstr(silence->str, ==, "");
        g_assert_true(same(all, fewer));
        free_cohort(&c);
    }
}

static void refuse(const Cohort *c, const RmilModelConfig *config, const char *part) {
    GError *error = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    g_assert_null(train_on(c, config, c->order, TRAIN, 1, said, &error));
    test_error(&error, RMIL_ERROR_DATA, part);
}

/* A model that never saw a patch of a class is no model of it. */
static void test_refusals(void) {
    Cohort c;
    make_cohort(&c, 3);
    for (int s = 0; s < SLIDES; s++)
        if (c.targets[s].label == 2) memset(c.bags[s]->patch_labels, 0, (gsize)c.bags[s]->count);
    RmilModelConfig config = config_of(3, TRUE, 0, 1);
    refuse(&c, &config,
           "none of the 6 training slides of class 2 (other) has an annotated patch, and patch-linear learns only from annotated "
           "patches");
    config.task.negative = FALSE; /* then slides of class 0 tell nothing either */
    refuse(&c, &config, "none of the 7 training slides of class 0 (LUAD) has an annotated patch");
    free_cohort(&c);
    make_cohort(&c, 2);
    for (int s = 0; s < SLIDES; s++) g_clear_pointer(&c.bags[s]->patch_labels, rmil_free);
    config = config_of(2, TRUE, 0, 1);
    refuse(&c, &config, "none of the 13 positive training slides has an annotated patch");
    free_cohort(&c);
    GError *error = NULL;
    config.task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT,
               "model patch-linear cannot predict the task \"survival\"; it predicts two classes, more "
               "classes");
    config = config_of(2, TRUE, 0, 0);
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "patch_top is 0; it must be in 1 … 100000");
    g_assert_false(rmil_model_config_init(&config, "patch-linear", RMIL_GUIDE_RANK, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "does not support the guide \"");
}

/* -- files -------------------------------------------------------------------------------------------------------------------- */
static void test_state_dict(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.pth", NULL);
    for (int64_t hidden = 0; hidden <= 5; hidden += 5)
        for (int classes = 2; classes <= 3; classes++) {
            const RmilModelConfig config = config_of(classes, TRUE, hidden, 1);
            g_autoptr(RmilModel) model = model_of(&config);
            GError *error = NULL;
            g_assert_true(rmil_model_export(model, path, "paper", &error));
            g_autoptr(RmilModel) back = rmil_model_load(path, &error);
            g_assert_no_error(error);
            g_assert_cmpstr(back->config.model, ==, "patch-linear");
            g_assert_cmpint(back->config.patch_hidden, ==, hidden);
            g_assert_cmpint(back->config.task.classes, ==, classes);
            g_assert_true(same(model, back));
        }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/patch/known", test_known);
    g_test_add_func("/patch/loss", test_loss);
    g_test_add_func("/patch/slide", test_slide);
    g_test_add_func("/patch/odd", test_odd);
    g_test_add_func("/patch/gradients", test_gradients);
    g_test_add_func("/patch/finds", test_finds);
    g_test_add_func("/patch/left-out", test_left_out);
    g_test_add_func("/patch/refusals", test_refusals);
    g_test_add_func("/patch/state-dict", test_state_dict);
    return g_test_run();
}
