/* SPDX-License-Identifier: Apache-2.0 */
/* Training for tasks beyond two plain classes: the same bytes on any number of threads, what is learnt, how slides are drawn, what is
 * refused. */
#include "differences.h"
#include "mil/model.h"
#include "mil/targets.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { SLIDES = 40, DIM = 12, TRAIN = 28 };

typedef struct {
    RmilBag *bags[SLIDES];
    RmilTarget targets[SLIDES];
    int64_t order[SLIDES]; /* the first TRAIN are trained on, the rest are for validation */
} Cohort;

/* Every fourth patch is a lesion, which has one feature high for each class, and another the more, the earlier the event and the larger
 * the number. */
static void make_cohort(Cohort *c) {
    for (int s = 0; s < SLIDES; s++) {
        const int label = s % 3;
        const double severity = (double)(s * 7 % SLIDES) / SLIDES;
        RmilBag *bag = c->bags[s] = differences_bag(DIM, 12 + s % 9, 4, (uint64_t)s);
        g_free(bag->id);
        bag->id = g_strdup_printf("slide %d", s);
        float *x = bag->features;
        for (int64_t i = 0; i < bag->count; i++) {
            for (int j = 0; j < DIM; j++) x[i * DIM + j] *= 0.3f;
            x[i * DIM + label] += bag->patch_labels[i] ? 4 : 0;
            x[i * DIM + 3] += (float)(bag->patch_labels[i] ? 6 * severity : 0);
        }
        c->targets[s] = (RmilTarget){label, 10 * exp(-2 * severity), s % 4 != 3, 50 + 20 * severity};
        c->order[s] = s;
    }
}

static void free_cohort(Cohort *c) {
    for (int s = 0; s < SLIDES; s++) differences_free(c->bags[s]);
}

static RmilTask three_classes(void) { return (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"LUAD", "LUSC", "other"}}; }

static RmilModelConfig small_config(const char *name, RmilTask task) {
    RmilModelConfig config;
    if (!rmil_model_config_init(&config, name, RMIL_GUIDE_RANK, NULL))
        g_assert_true(rmil_model_config_init(&config, name, RMIL_GUIDE_NONE, NULL));
    config.hidden = 12;
    if (g_str_equal(name, "transmil")) g_assert_true(rmil_model_config_set(&config, "transmil_heads", 3, NULL));
    if (config.attention_dim) config.attention_dim = 6;
    rmil_model_config_set(&config, "region-size", 3, NULL);
    rmil_model_config_set(&config, "patch-depth", 1, NULL);
    rmil_model_config_set(&config, "region-depth", 1, NULL);
    config.task = task;
    return config;
}

static RmilTrainConfig protocol_of(int64_t epochs, int threads) {
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = protocol.warmup = epochs;
    protocol.group = 6;
    protocol.learning_rate = 0.01;
    protocol.seed = 42;
    protocol.threads = threads;
    return protocol;
}

static RmilModel *train(const Cohort *c, const RmilModelConfig *config, const RmilTrainConfig *protocol, const char *checkpoint,
                        GArray *history, GError **error) {
    return rmil_train(config, protocol, (const RmilBag *const *)c->bags, c->targets, c->order, TRAIN, c->order + TRAIN, SLIDES - TRAIN,
                      checkpoint, history, NULL, error);
}

static RmilModel *train_well(const Cohort *c, const RmilModelConfig *config, const RmilTrainConfig *protocol, const char *checkpoint,
                             GArray *history) {
    GError *error = NULL;
    RmilModel *model = train(c, config, protocol, checkpoint, history, &error);
    g_assert_no_error(error);
    return model;
}

static gboolean same(const RmilModel *a, const RmilModel *b) {
    return memcmp(a->parameters, b->parameters, (gsize)a->layout.count * sizeof(float)) == 0 &&
           memcmp(&a->config, &b->config, sizeof a->config) == 0;
}

/* -- the same bits -------------------------------------------------------------------------------------------------------- */
static void check_bits(const Cohort *c, RmilModelConfig config) {
    g_autofree char *folder = test_folder(), *checkpoint = g_build_filename(folder, "checkpoint", NULL);
    RmilTrainConfig protocol = protocol_of(4, 1), half = protocol;
    if (config.threshold >= 0) config.dropout = 0.2;
    g_autoptr(RmilModel) first = train_well(c, &config, &protocol, NULL, NULL);
    for (int threads = 2; threads < 5; threads++) {
        protocol.threads = threads;
        g_autoptr(RmilModel) other = train_well(c, &config, &protocol, NULL, NULL);
        g_assert_true(same(first, other));
    }
    half.epochs = 2;
    g_autoptr(RmilModel) part = train_well(c, &config, &half, checkpoint, NULL);
    g_autoptr(RmilModel) whole = train_well(c, &config, &protocol, checkpoint, NULL);
    g_assert_true(same(first, whole)); /* an interruption leaves no trace */
}

static void test_bits(gconstpointer name) {
    Cohort c;
    make_cohort(&c);
    check_bits(&c, small_config(name, three_classes()));
    if (!(rmil_model_class(name, NULL)->tasks & RMIL_TAKES_SURVIVAL)) {
        free_cohort(&c);
        return;
    }
    RmilModelConfig cox = small_config(name, (RmilTask){.kind = RMIL_TASK_SURVIVAL});
    cox.survival_loss = RMIL_SURVIVAL_COX;
    check_bits(&c, cox);
    free_cohort(&c);
}

/* Two classes are the same whatever they are called: tensors, history, predictions. */
static void test_two_names(gconstpointer name) {
    Cohort c;
    make_cohort(&c);
    for (int s = 0; s < SLIDES; s++) c.targets[s].label = s % 2;
    RmilTask plain, words = {.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"normal", "tumor"}, .negative = TRUE};
    rmil_task_init(&plain);
    const RmilModelConfig of_numbers = small_config(name, plain), of_words = small_config(name, words);
    const RmilTrainConfig protocol = protocol_of(3, 2);
    g_autoptr(GArray) x = g_array_new(FALSE, FALSE, sizeof(RmilEpoch)), y = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) a = train_well(&c, &of_numbers, &protocol, NULL, x);
    g_autoptr(RmilModel) b = train_well(&c, &of_words, &protocol, NULL, y);
    g_assert_true(memcmp(a->parameters, b->parameters, (gsize)a->layout.count * sizeof(float)) == 0);
    g_assert_cmpint(x->len, ==, 3);
    for (guint i = 0; i < 3; i++) {
        const RmilEpoch *p = &g_array_index(x, RmilEpoch, i), *q = &g_array_index(y, RmilEpoch, i);
        g_assert_true(p->train_loss == q->train_loss && p->val_loss == q->val_loss && p->val_metric == q->val_metric);
    }
    RmilPrediction p, q;
    g_assert_true(rmil_model_predict(a, c.bags[30], &c.targets[30], &p, NULL, NULL, NULL) &&
                  rmil_model_predict(b, c.bags[30], &c.targets[30], &q, NULL, NULL, NULL));
    g_assert_true(p.probability == q.probability && p.logit == q.logit && p.loss == q.loss && p.predicted == q.predicted);
    g_assert_cmpstr(rmil_model_config(b)->task.names[1], ==, "tumor");
    free_cohort(&c);
}

/* -- what is learnt ------------------------------------------------------------------------------------------------------- */
typedef struct {
    double first, best, kept; /* val_metric: of the first epoch, the highest, of the kept epoch */
} Learnt;

static Learnt learn(const Cohort *c, const RmilModelConfig *config, gboolean stop_metric, RmilModel **model) {
    RmilTrainConfig protocol = protocol_of(40, 2);
    protocol.stop_metric = stop_metric;
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    *model = train_well(c, config, &protocol, NULL, history);
    Learnt learnt = {.first = g_array_index(history, RmilEpoch, 0).val_metric, .best = -INFINITY};
    for (guint i = 0; i < history->len; i++) {
        const RmilEpoch *epoch = &g_array_index(history, RmilEpoch, i);
        g_assert_true(isfinite(epoch->val_loss) && isfinite(epoch->train_loss));
        g_assert_cmpfloat_with_epsilon(epoch->train_loss, epoch->train_slide_loss + epoch->train_guide_loss, 1e-9);
        learnt.best = MAX(learnt.best, epoch->val_metric);
        if (epoch->best) learnt.kept = epoch->val_metric;
    }
    return learnt;
}

static void test_classes(void) {
    Cohort c;
    make_cohort(&c);
    const RmilModelConfig config = small_config("abmil", three_classes());
    RmilModel *model;
    const Learnt learnt = learn(&c, &config, FALSE, &model);
    g_test_message("mean AUROC %g, at first %g", learnt.kept, learnt.first);
    g_assert_cmpfloat(learnt.kept, >, 0.95);
    int right = 0;
    for (int s = TRAIN; s < SLIDES; s++) {
        RmilPrediction p;
        g_assert_true(rmil_model_predict(model, c.bags[s], &c.targets[s], &p, NULL, NULL, NULL));
        g_assert_cmpfloat_with_epsilon(p.loss, -log(p.values[c.targets[s].label]), 1e-9);
        right += p.predicted == c.targets[s].label;
    }
    g_assert_cmpint(right, >=, 10);
    rmil_model_free(model);
    free_cohort(&c);
}

/* The risk follows the severity, by hazards and by Cox's likelihood; the model keeps the edges, ascending, around the training times. */
static void test_survival(gconstpointer cox) {
    Cohort c;
    make_cohort(&c);
    RmilModelConfig config = small_config("abmil", (RmilTask){.kind = RMIL_TASK_SURVIVAL});
    config.survival_loss = cox ? RMIL_SURVIVAL_COX : RMIL_SURVIVAL_HAZARD;
    RmilModel *model;
    const Learnt learnt = learn(&c, &config, TRUE, &model);
    g_test_message("c-index %g, at first %g", learnt.kept, learnt.first);
    g_assert_cmpfloat(learnt.kept, >, cox ? 0.95 : 0.8); /* hazards tell slides of one bin apart by chance alone */
    g_assert_cmpfloat(learnt.kept, ==, learnt.best);     /* stopped on the metric */
    const double *edges = rmil_model_config(model)->edges;
    for (int b = 0; !cox && b < 4; b++) g_assert_cmpfloat(edges[b], <, edges[b + 1]);
    for (int s = 0; !cox && s < TRAIN; s++) g_assert_true(c.targets[s].time > edges[0] && c.targets[s].time < edges[4]);
    rmil_model_free(model);
    free_cohort(&c);
}

/* In the targets' own unit, whatever that is. */
static void test_number(void) {
    Cohort c;
    make_cohort(&c);
    const RmilModelConfig config = small_config("abmil", (RmilTask){.kind = RMIL_TASK_NUMBER});
    RmilModel *model;
    const Learnt learnt = learn(&c, &config, FALSE, &model);
    g_test_message("R² %g, at first %g", learnt.kept, learnt.first);
    g_assert_cmpfloat(learnt.kept, >, 0.9);
    for (int s = TRAIN; s < SLIDES; s++) {
        RmilPrediction p;
        g_assert_true(rmil_model_predict(model, c.bags[s], &c.targets[s], &p, NULL, NULL, NULL));
        g_assert_cmpfloat(fabs(p.answer - c.targets[s].value), <, 5);
        g_assert_cmpfloat_with_epsilon(p.loss, pow((p.answer - c.targets[s].value) / rmil_model_config(model)->sd, 2), 1e-6);
    }
    rmil_model_free(model);
    free_cohort(&c);
}

/* A group without events moves nothing but by weight decay: its likelihood is 1 whatever the risks. */
static void test_cox_without_events(void) {
    Cohort c;
    make_cohort(&c);
    RmilModelConfig config = small_config("abmil", (RmilTask){.kind = RMIL_TASK_SURVIVAL});
    config.survival_loss = RMIL_SURVIVAL_COX;
    config.guide = RMIL_GUIDE_NONE;
    RmilTrainConfig protocol = protocol_of(1, 1);
    protocol.weight_decay = 0;
    for (int s = 0; s < TRAIN; s++) c.targets[s].event = FALSE;
    c.targets[0].event = TRUE;
    c.targets[0].time = 1e6; /* nobody else is at risk then: its term is 0, too */
    g_autoptr(RmilModel) model = train_well(&c, &config, &protocol, NULL, NULL);
    config.dim = DIM;
    g_autoptr(RmilModel) start = rmil_model_new(&config, protocol.seed, NULL);
    g_assert_true(memcmp(model->parameters, start->parameters, (gsize)start->layout.count * sizeof(float)) == 0);
    free_cohort(&c);
}

/* -- how slides are drawn --------------------------------------------------------------------------------------------------- */
static void test_draw(void) {
    enum { N = 600 };
    RmilTarget targets[N];
    int64_t set[N], slides[N], of_class[3] = {0};
    for (int i = 0; i < N; i++) targets[i] = RMIL_TARGET_CLASS(i < 500 ? 0 : i < 590 ? 1 : 2), set[i] = i;
    RmilRng rng;
    RmilTask task = three_classes();
    rmil_rng_init(&rng, 1, 2);
    rmil_targets_draw(&task, targets, set, N, TRUE, &rng, slides);
    for (int i = 0; i < N; i++) of_class[targets[slides[i]].label]++;
    for (int c = 0; c < 3; c++) g_assert_true(of_class[c] > 150 && of_class[c] < 250); /* 200 expected, SD 12 */
    for (int survival = 0; survival < 2; survival++) { /* shuffled, and times whatever is asked for: each slide once */
        gboolean seen[N] = {FALSE};
        if (survival) task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
        rmil_targets_draw(&task, targets, set, N, survival, &rng, slides);
        for (int i = 0; i < N; i++) {
            g_assert_false(seen[slides[i]]);
            seen[slides[i]] = TRUE;
        }
    }
}

/* -- refusals ------------------------------------------------------------------------------------------------------------- */
static void refuse(const Cohort *c, const RmilModelConfig *config, const RmilTrainConfig *protocol, RmilErrorCode code,
                   const char *message) {
    GError *error = NULL;
    g_assert_null(train(c, config, protocol, NULL, NULL, &error));
    test_error(&error, code, message);
}

static void test_refusals(void) {
    Cohort c;
    make_cohort(&c);
    RmilTrainConfig protocol = protocol_of(2, 1);
    RmilModelConfig classes = small_config("abmil", three_classes());
    RmilModelConfig survival = small_config("abmil", (RmilTask){.kind = RMIL_TASK_SURVIVAL});
    RmilModelConfig number = small_config("abmil", (RmilTask){.kind = RMIL_TASK_NUMBER});
    RmilTarget kept[SLIDES];
    memcpy(kept, c.targets, sizeof kept);
    c.targets[5].label = 3;
    refuse(&c, &classes, &protocol, RMIL_ERROR_DATA, "slide 5: label 3; training takes labels 0 to 2");
    for (int s = 0; s < TRAIN; s++) c.targets[s].label = s % 2 * 2;
    refuse(&c, &classes, &protocol, RMIL_ERROR_DATA, "no slide of class 1 (LUSC): each of the 3 classes is needed");
    c.targets[3].time = 0;
    refuse(&c, &survival, &protocol, RMIL_ERROR_DATA, "slide 3: its time is 0; training takes times above 0");
    for (int s = 0; s < SLIDES; s++) c.targets[s] = (RmilTarget){-1, 5, s >= TRAIN, 7};
    refuse(&c, &survival, &protocol, RMIL_ERROR_DATA, "all slides of the training set are censored");
    c.targets[2].event = TRUE;
    refuse(&c, &survival, &protocol, RMIL_ERROR_DATA, "too few different times with an event for 4 bins of time");
    refuse(&c, &number, &protocol, RMIL_ERROR_DATA, "all slides of the training set have the same value");
    c.targets[30].value = INFINITY;
    refuse(&c, &number, &protocol, RMIL_ERROR_DATA, "slide 30: its value is inf; training takes finite numbers");
    memcpy(c.targets, kept, sizeof kept);
    protocol.stop_metric = TRUE;
    for (int s = TRAIN; s < SLIDES; s++) c.targets[s].event = FALSE;
    refuse(&c, &survival, &protocol, RMIL_ERROR_DATA,
           "the c-index of the validation set is undefined, because it has too few "
           "different targets: use --stop-on loss");
    free_cohort(&c);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    for (const char *const *name = rmil_model_names(); *name; name++) {
        if (rmil_model_class(*name, NULL)->dim) continue; /* a model of pixels: test-cnn.c */
        g_autofree char *bits = g_strdup_printf("/mil/train-tasks/%s/bits", *name);
        g_autofree char *names = g_strdup_printf("/mil/train-tasks/%s/two-names", *name);
        g_test_add_data_func(bits, *name, test_bits);
        g_test_add_data_func(names, *name, test_two_names);
    }
    g_test_add_func("/mil/train-tasks/classes", test_classes);
    g_test_add_data_func("/mil/train-tasks/hazard", NULL, test_survival);
    g_test_add_data_func("/mil/train-tasks/cox", "cox", test_survival);
    g_test_add_func("/mil/train-tasks/cox-without-events", test_cox_without_events);
    g_test_add_func("/mil/train-tasks/number", test_number);
    g_test_add_func("/mil/train-tasks/draw", test_draw);
    g_test_add_func("/mil/train-tasks/refusals", test_refusals);
    return g_test_run();
}
