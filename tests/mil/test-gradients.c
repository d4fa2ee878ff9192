/* SPDX-License-Identifier: Apache-2.0 */
/* Every model's gradient against finite differences of its loss, on bags small and odd, and what holds for any model. */
#include "differences.h"
#include "mil/model.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { DIM = 18 };

typedef struct {
    const char *model;
    RmilGuide guide;
    double threshold, margin, dropout;
    int64_t count;
    int label, lesion; /* lesion: every lesion-th patch is annotated; 0 none */
} Case;

static RmilModel *make_model(const Case *c, uint64_t seed) {
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&config, c->model, c->guide, &error));
    config.dim = DIM;
    config.hidden = 12;
    config.threshold = c->threshold;
    config.margin = c->margin;
    config.dropout = c->dropout;
    if (config.attention_dim) config.attention_dim = 7;
    static const struct {
        const char *key;
        double value;
    } own[] = {{"clam_k", 3},       {"region_rows", 3}, {"region_columns", 4}, {"patch_depth", 2},
               {"region_depth", 2}, {"evenness", 0.7},  {"transmil_heads", 3}, {"landmarks", 4}};
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++) g_assert_true(rmil_model_config_set(&config, own[i].key, own[i].value, NULL));
    RmilModel *model = rmil_model_new(&config, seed, &error);
    g_assert_no_error(error);
    differences_move(model, seed);
    return model;
}

static double loss_keeping(const RmilModel *model, const RmilBag *bag, int label, int64_t keep, RmilArena *arena, float *gradient) {
    RmilStep step =
        {.bag = bag, .target = RMIL_TARGET_CLASS(label), .train = TRUE, .seed = 5, .stream = 3, .keep = keep, .gradient = gradient};
    RmilOutcome outcome;
    GError *error = NULL;
    g_assert_true(rmil_model_step(model, &step, arena, &outcome, &error));
    g_assert_true(isfinite(outcome.loss));
    const double weight = g_str_has_prefix(model->config.model, "clam") ? rmil_model_config_get(&model->config, "clam_bag_weight") : 1;
    g_assert_cmpfloat_with_epsilon(outcome.loss, weight * outcome.slide_loss + outcome.guide_loss, 1e-6);
    return outcome.loss;
}

static double loss_of(const RmilModel *model, const RmilBag *bag, int label, RmilArena *arena, float *gradient) {
    return loss_keeping(model, bag, label, 0, arena, gradient);
}

typedef struct {
    const RmilBag *bag;
    int label;
    RmilArena *arena;
} Loss;

static double case_loss(const RmilModel *model, gconstpointer user, float *gradient) {
    const Loss *loss = user;
    return loss_of(model, loss->bag, loss->label, loss->arena, gradient);
}

static void check_case(const Case *c) {
    RmilBag *bag = differences_bag(DIM, c->count, c->lesion, 7);
    g_autoptr(RmilModel) model = make_model(c, 11);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    g_autofree char *what = g_strdup_printf("%s guide %d K %d T %g", c->model, (int)c->guide, (int)c->count, c->threshold);
    differences_check(model, case_loss, &(Loss){bag, c->label, arena}, what);
    differences_free(bag);
}

static void test_gradients(gconstpointer name) {
    static const int64_t counts[] = {1, 2, 3, 7, 41};
    RmilModelConfig config;
    for (int guide = RMIL_GUIDE_NONE; rmil_guide_names()[guide]; guide++) {
        if (!rmil_model_config_init(&config, name, (RmilGuide)guide, NULL)) continue;
        const gboolean thresholds = config.threshold >= 0;
        for (gsize i = 0; i < G_N_ELEMENTS(counts); i++) {
            check_case(&(Case){name, (RmilGuide)guide, thresholds ? 0.8 : -1, 1, 0, counts[i], 1, 3});
            check_case(&(Case){name, (RmilGuide)guide, -1, 0.5, 0, counts[i], 0, 0});
        }
        if (thresholds) check_case(&(Case){name, (RmilGuide)guide, 1, 1, 0, 1, 1, 0});    /* one patch */
        check_case(&(Case){name, (RmilGuide)guide, -1, 0, 0, 41, 1, 1});                  /* all lesion */
        check_case(&(Case){name, (RmilGuide)guide, -1, 0, 0, 41, 1, 0});                  /* none */
        if (thresholds) check_case(&(Case){name, (RmilGuide)guide, 1e4, 1, 0, 41, 1, 3}); /* no patch survives */
        config.dim = DIM, config.dropout = 0.3;
        if (rmil_model_config_check(&config, NULL)) check_case(&(Case){name, (RmilGuide)guide, -1, 1, 0.3, 41, 1, 3});
    }
}

/* Where a patch stands in its bag counts: on TransMIL's grid. */
static gboolean ordered(const char *name) { return strcmp(name, "transmil") == 0; }

/* Prediction is the forward pass of training; scores and attention come out whole; equal patches get equal shares. */
static void test_equal_patches(gconstpointer name) {
    Case c = {name, RMIL_GUIDE_NONE, -1, 1, 0, 23, 1, 3};
    RmilBag *bag = differences_bag(DIM, c.count, c.lesion, 7);
    float *x = bag->features;
    for (int64_t i = DIM; i < bag->count * DIM; i++) x[i] = x[i % DIM];
    g_autoptr(RmilModel) model = make_model(&c, 3);
    float scores[23], attention[23];
    RmilPrediction prediction;
    GError *error = NULL;
    g_assert_true(rmil_model_predict(model, bag, &RMIL_TARGET_CLASS(1), &prediction, scores, attention, &error));
    g_assert_true(isfinite(prediction.logit) && prediction.probability >= 0 && prediction.probability <= 1);
    if (!rmil_model_class(name, NULL)->units && !ordered(name))
        for (int i = 0; i < 23; i++) {
            g_assert_cmpfloat_with_epsilon(scores[i], scores[0], 1e-5);
            g_assert_cmpfloat_with_epsilon(attention[i], 1.0 / 23, 1e-5);
        }
    g_autoptr(RmilArena) arena = rmil_arena_new();
    g_autofree float *gradient = g_new0(float, model->layout.count);
    loss_of(model, bag, 1, arena, gradient);
    for (int64_t i = 0; i < model->layout.count; i++) g_assert_true(isfinite(gradient[i]));
    differences_free(bag);
}

/* One patch, or equal ones: the threshold leaves nothing and does not apply. Everything is as without it, and the value of a lone
 * patch shows. */
static void test_threshold_on_even_bags(gconstpointer name) {
    static const double thresholds[] = {1, 2};
    static const int64_t counts[] = {1, 2, 23};
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_true(rmil_model_config_init(&config, name, RMIL_GUIDE_NONE, &error));
    if (config.threshold < 0) return; /* a model without threshold */
    for (gsize n = 0; n < G_N_ELEMENTS(counts); n++)
        for (gsize t = 0; t < G_N_ELEMENTS(thresholds); t++) {
            Case cut = {name, RMIL_GUIDE_NONE, thresholds[t], 1, 0, counts[n], 1, 0}, plain = cut;
            plain.threshold = -1;
            RmilBag *bag = differences_bag(DIM, counts[n], 0, 7);
            float *x = bag->features;
            for (int64_t i = DIM; i < bag->count * DIM; i++) x[i] = x[i % DIM];
            g_autoptr(RmilModel) with = make_model(&cut, 3);
            g_autoptr(RmilModel) without = make_model(&plain, 3);
            float attention[23];
            RmilPrediction a, b, other;
            g_assert_true(rmil_model_predict(with, bag, NULL, &a, NULL, attention, &error) &&
                          rmil_model_predict(without, bag, NULL, &b, NULL, NULL, &error));
            g_assert_cmpfloat(a.logit, ==, b.logit);
            for (int64_t i = 0; i < counts[n]; i++) g_assert_cmpfloat_with_epsilon(attention[i], 1.0 / (double)counts[n], 1e-6);
            g_autoptr(RmilArena) arena = rmil_arena_new();
            g_autofree float *first = g_new0(float, with->layout.count), *second = g_new0(float, with->layout.count);
            g_assert_cmpfloat(loss_of(with, bag, 1, arena, first), ==, loss_of(without, bag, 1, arena, second));
            g_assert_true(memcmp(first, second, (gsize)with->layout.count * sizeof *first) == 0);
            for (int64_t i = 0; i < bag->count * DIM; i++) x[i] += 1;
            g_assert_true(rmil_model_predict(with, bag, NULL, &other, NULL, NULL, &error));
            g_assert_cmpfloat(fabs(other.logit - a.logit), >, 1e-4); /* another patch, another value */
            differences_free(bag);
        }
}

/* Features so large that scores saturate everything must not make a NaN. */
static void test_far_scores(gconstpointer name) {
    for (int guide = RMIL_GUIDE_NONE; rmil_guide_names()[guide]; guide++) {
        RmilModelConfig config;
        if (!rmil_model_config_init(&config, name, (RmilGuide)guide, NULL)) continue;
        Case c = {name, (RmilGuide)guide, config.threshold, 1, 0, 37, 1, 3};
        RmilBag *bag = differences_bag(DIM, c.count, c.lesion, 7);
        float *x = bag->features;
        for (int64_t i = 0; i < bag->count * DIM; i++) x[i] *= 300;
        g_autoptr(RmilModel) model = make_model(&c, 3);
        g_autoptr(RmilArena) arena = rmil_arena_new();
        g_autofree float *gradient = g_new0(float, model->layout.count);
        loss_of(model, bag, 1, arena, gradient);
        for (int64_t i = 0; i < model->layout.count; i++) g_assert_true(isfinite(gradient[i]));
        differences_free(bag);
    }
}

/* A bag larger than every block gives the same bits twice, and about the same when its patches come in another order. */
static void test_large(gconstpointer name) {
    Case c = {name, RMIL_GUIDE_NONE, -1, 1, 0, 2500, 1, 9};
    RmilBag *bag = differences_bag(DIM, c.count, c.lesion, 17);
    g_autoptr(RmilModel) model = make_model(&c, 5);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    gsize bytes = (gsize)model->layout.count * sizeof(float);
    g_autofree float *first = g_malloc0(bytes), *second = g_malloc0(bytes);
    double loss = loss_of(model, bag, 1, arena, first);
    g_assert_cmpfloat(loss_of(model, bag, 1, arena, second), ==, loss);
    g_assert_true(memcmp(first, second, bytes) == 0);
    for (int64_t keep = 1; keep < 1 << 24; keep *= 64) { /* the same bits, however little may be kept for the way back */
        memset(second, 0, bytes);
        g_assert_cmpfloat(loss_keeping(model, bag, 1, keep, arena, second), ==, loss);
        g_assert_true(memcmp(first, second, bytes) == 0);
    }
    float *x = bag->features;
    for (int64_t i = 0, j = c.count - 1; i < j && !ordered(name); i++, j--) {
        for (int f = 0; f < DIM; f++) {
            float swap = x[i * DIM + f];
            x[i * DIM + f] = x[j * DIM + f];
            x[j * DIM + f] = swap;
        }
        for (int f = 0; f < 2; f++) {
            int64_t swap = bag->coords[2 * i + f];
            bag->coords[2 * i + f] = bag->coords[2 * j + f];
            bag->coords[2 * j + f] = swap;
        }
        const uint8_t label = bag->patch_labels[i];
        bag->patch_labels[i] = bag->patch_labels[j], bag->patch_labels[j] = label;
    }
    g_assert_cmpfloat_with_epsilon(loss_of(model, bag, 1, arena, second), loss, 1e-5);
    double norm = 0, difference = 0;
    for (int64_t i = 0; i < model->layout.count; i++) {
        norm += (double)first[i] * (double)first[i];
        difference += ((double)first[i] - (double)second[i]) * ((double)first[i] - (double)second[i]);
    }
    g_assert_cmpfloat(sqrt(difference / norm), <, 1e-4);
    differences_free(bag);
}

/* Patches of one region carry the same score and attention, and regions' attention sums to 1. */
static void test_regions_spread(void) {
    Case c = {"hipt", RMIL_GUIDE_NONE, -1, 1, 0, 41, 1, 3};
    RmilBag *bag = differences_bag(DIM, c.count, c.lesion, 7);
    g_autoptr(RmilModel) model = make_model(&c, 3);
    float scores[41], attention[41], seen[4][4] = {{0}};
    RmilPrediction prediction;
    g_assert_true(rmil_model_predict(model, bag, &RMIL_TARGET_CLASS(1), &prediction, scores, attention, NULL));
    double total = 0;
    for (int i = 0; i < 41; i++) {
        int64_t row = (bag->coords[2 * i + 1] - 64) / 448 / 3, column = (bag->coords[2 * i] - 1000) / 448 / 4;
        float *region = &seen[row][column];
        if (*region == 0.0f) total += (double)(*region = attention[i]);
        g_assert_cmpfloat(*region, ==, attention[i]);
        for (int j = 0; j < i; j++)
            if (attention[i] == attention[j]) g_assert_cmpfloat(scores[i], ==, scores[j]);
    }
    g_assert_cmpfloat_with_epsilon(total, 1, 1e-6);
    differences_free(bag);
}

static void refuse(const char *model, RmilGuide guide, void (*change)(RmilModelConfig *), const char *message) {
    RmilModelConfig config;
    GError *error = NULL;
    if (rmil_model_config_init(&config, model, guide, &error)) {
        config.dim = DIM;
        change(&config);
        g_assert_null(rmil_model_new(&config, 1, &error));
    }
    test_error(&error, RMIL_ERROR_ARGUMENT, message);
}

static void with_threshold(RmilModelConfig *config) { config->threshold = 1; }
static void with_dropout(RmilModelConfig *config) { config->dropout = 0.25; }
static void with_hidden(RmilModelConfig *config) { config->hidden = 100; }
static void without_depth(RmilModelConfig *config) {
    for (const RmilOption *option = rmil_model_options(); option->key; option++)
        if (strcmp(option->key, "patch_depth") == 0) rmil_option_put(option, config, 0);
}

static void test_refusals(void) {
    refuse("hipt", RMIL_GUIDE_NONE, with_threshold, "hipt has no attention threshold");
    refuse("clam-sb", RMIL_GUIDE_NONE, with_threshold, "clam-sb has no attention threshold");
    refuse("hipt", RMIL_GUIDE_NONE, with_dropout, "hipt takes no dropout");
    refuse("hipt", RMIL_GUIDE_NONE, with_hidden, "not a multiple of the 3 heads");
    refuse("hipt", RMIL_GUIDE_RANK, without_depth, "patch_depth is 0; it must be in 1 … 64");
    refuse("hipt", RMIL_GUIDE_INDUCTION, with_hidden, "does not support the guide \"");
    refuse("dsmil", RMIL_GUIDE_INDUCTION, with_hidden, "does not support the guide \"");
    refuse("clam-mb", RMIL_GUIDE_RANK, with_hidden, "does not support the guide \"");
}

int main(int argc, char **argv) {
    static const struct {
        const char *what;
        GTestDataFunc test;
    } tests[] = {{"gradients", test_gradients},
                 {"equal", test_equal_patches},
                 {"even", test_threshold_on_even_bags},
                 {"far", test_far_scores},
                 {"large", test_large}};
    g_test_init(&argc, &argv, NULL);
    for (const char *const *name = rmil_model_names(); *name; name++)
        for (gsize i = 0; i < G_N_ELEMENTS(tests) && !rmil_model_class(*name, NULL)->dim; i++) { /* of pixels: test-cnn.c */
            g_autofree char *path = g_strdup_printf("/mil/%s/%s", *name, tests[i].what);
            g_test_add_data_func(path, *name, tests[i].test);
        }
    g_test_add_func("/mil/hipt/spread", test_regions_spread);
    g_test_add_func("/mil/refusals", test_refusals);
    return g_test_run();
}
