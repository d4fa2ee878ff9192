/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks beyond two plain classes, in every model and guide: gradients, rows of attention, predictions, ensembles, model files. */
#include "differences.h"
#include "mil/model.h"
#include "mil/guide.h"
#include "mil/rank.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { DIM = 18 };

/* What a model may predict. */
typedef enum { TWO, THREE, FIVE, HAZARD, COX, NUMBER, TASKS } Task;

static const char *const names[] = {"two", "three", "five", "hazard", "cox", "number"};

static void set_task(RmilModelConfig *config, Task task) {
    if (task == HAZARD || task == COX) {
        config->task = (RmilTask){.kind = RMIL_TASK_SURVIVAL};
        config->survival_loss = task == COX ? RMIL_SURVIVAL_COX : RMIL_SURVIVAL_HAZARD;
        for (int b = 0; b <= config->bins; b++) config->edges[b] = 0.5 + b;
    } else if (task == NUMBER) {
        config->task = (RmilTask){.kind = RMIL_TASK_NUMBER};
        config->mean = 20, config->sd = 4;
    } else if (task != TWO) {
        config->task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = task == THREE ? 3 : 5, .negative = TRUE};
        for (int c = 0; c < config->task.classes; c++) g_snprintf(config->task.names[c], RMIL_CLASS_NAME, "class %c", 'a' + c);
    }
}

static RmilModelConfig make_config(const char *name, RmilGuide guide, Task task) {
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, name, guide, NULL));
    config.dim = DIM;
    config.hidden = 12;
    if (config.threshold >= 0) config.threshold = 0.8;
    if (config.attention_dim) config.attention_dim = 7;
    static const struct {
        const char *key;
        double value;
    } own[] = {{"clam_k", 3}, {"region_rows", 3}, {"region_columns", 4}, {"patch_depth", 2}, {"region_depth", 2}};
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++) g_assert_true(rmil_model_config_set(&config, own[i].key, own[i].value, NULL));
    if (g_str_equal(name, "transmil"))
        g_assert_true(rmil_model_config_set(&config, "transmil_heads", 3, NULL) && rmil_model_config_set(&config, "landmarks", 4, NULL));
    set_task(&config, task);
    return config;
}

static RmilModel *make_model(const RmilModelConfig *config, uint64_t seed) {
    GError *error = NULL;
    RmilModel *model = rmil_model_new(config, seed, &error);
    g_assert_no_error(error);
    differences_move(model, seed);
    return model;
}

static gboolean takes(const char *name, Task task) {
    const int tasks = rmil_model_class(name, NULL)->tasks;
    return tasks & (task <= FIVE ? RMIL_TAKES_CLASSES : task == NUMBER ? RMIL_TAKES_NUMBER : RMIL_TAKES_SURVIVAL);
}

/* -- gradients ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const RmilBag *bag;
    RmilTarget target;
    const double *slope;
    RmilArena *arena;
} Loss;

static double step_loss(const RmilModel *model, gconstpointer user, float *gradient) {
    const Loss *l = user;
    RmilStep step = {.bag = l->bag, .target = l->target, .slope = l->slope, .train = TRUE, .seed = 5, .stream = 3, .gradient = gradient};
    RmilOutcome outcome;
    GError *error = NULL;
    g_assert_true(rmil_model_step(model, &step, l->arena, &outcome, &error));
    g_assert_no_error(error);
    return outcome.loss;
}

static void check_targets(const RmilModelConfig *config, Task task, int64_t count) {
    static const double given[] = {0.7, -0.4, 0.2, 0.9, -1.1};
    const RmilTarget targets[] = {RMIL_TARGET_CLASS(0), RMIL_TARGET_CLASS(2), {-1, 3.1, TRUE, 17.5}, {-1, 1.2, FALSE, 26}};
    g_autoptr(RmilModel) model = make_model(config, 11);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilBag *bag = differences_bag(DIM, count, 3, 7);
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++) {
        if (!rmil_target_known(&config->task, &targets[i])) continue;
        const double *slope = task == COX ? given + i : NULL;
        g_autofree char *what = g_strdup_printf("%s, guide %d, %s, K %d, target %d", config->model, (int)config->guide, names[task],
                                                (int)count, (int)i);
        differences_check(model, step_loss, &(Loss){bag, targets[i], slope, arena}, what);
    }
    differences_free(bag);
}

static void test_gradients(gconstpointer name) {
    static const int64_t counts[] = {1, 2, 3, 20};
    for (int guide = RMIL_GUIDE_NONE; rmil_guide_names()[guide]; guide++) {
        RmilModelConfig config;
        if (!rmil_model_config_init(&config, name, (RmilGuide)guide, NULL)) continue;
        for (Task task = THREE; task < TASKS; task++)
            for (gsize i = 0; takes(name, task) && (guide != RMIL_GUIDE_LABELS || task <= FIVE) && i < G_N_ELEMENTS(counts); i++) {
                config = make_config(name, (RmilGuide)guide, task);
                check_targets(&config, task, counts[i]);
            }
        config = make_config(name, (RmilGuide)guide, FIVE);
        config.dropout = 0.3;
        if (rmil_model_config_check(&config, NULL)) check_targets(&config, FIVE, 20);
        for (Task task = THREE; task <= FIVE; task++) { /* wide enough for the tables of masked.c and two tiles of gated.c */
            config = make_config(name, (RmilGuide)guide, task);
            config.hidden = 33;
            if (config.attention_dim) config.attention_dim = 70;
            check_targets(&config, task, 20);
        }
        config = make_config(name, (RmilGuide)guide, THREE);
        if (g_str_has_prefix(config.model, "clam")) g_assert_true(rmil_model_config_set(&config, "clam-subtyping", TRUE, NULL));
        check_targets(&config, THREE, 20);
    }
}

/* A slope given for three classes stands for their loss: the loss is slope · logits, whatever the target says. */
static void test_given_slope(void) {
    RmilModelConfig config = make_config("abmil", RMIL_GUIDE_NONE, THREE);
    g_autoptr(RmilModel) model = make_model(&config, 3);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilBag *bag = differences_bag(DIM, 20, 3, 7);
    const double slope[] = {1, -2, 0.5};
    RmilStep step = {.bag = bag, .target = RMIL_TARGET_NONE, .slope = slope};
    RmilOutcome outcome;
    g_assert_true(rmil_model_step(model, &step, arena, &outcome, NULL));
    g_assert_cmpfloat_with_epsilon(outcome.slide_loss, outcome.logits[0] - 2 * outcome.logits[1] + 0.5 * outcome.logits[2], 1e-12);
    g_assert_cmpfloat(outcome.loss, ==, outcome.slide_loss);
    differences_free(bag);
}

/* -- guides --------------------------------------------------------------------------------------------------------------- */
/* Of three classes whose first is negative, guides act on slides of the other two; where none is negative, on all; on times, too. */
static void test_guided(gconstpointer name) {
    RmilModelConfig config;
    if (!rmil_model_config_init(&config, name, RMIL_GUIDE_RANK, NULL)) return; /* a model without guides */
    RmilBag *bag = differences_bag(DIM, 20, 19, 7);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    const struct {
        Task task;
        gboolean negative;
        RmilTarget target;
        gboolean guided;
    } cases[] = {{THREE, TRUE, RMIL_TARGET_CLASS(0), FALSE}, {THREE, TRUE, RMIL_TARGET_CLASS(1), TRUE},
                 {THREE, TRUE, RMIL_TARGET_CLASS(2), TRUE},  {THREE, FALSE, RMIL_TARGET_CLASS(0), TRUE},
                 {HAZARD, FALSE, {-1, 2, FALSE, NAN}, TRUE}, {NUMBER, FALSE, {-1, NAN, FALSE, 3}, TRUE},
                 {NUMBER, FALSE, RMIL_TARGET_NONE, FALSE}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        config = make_config(name, RMIL_GUIDE_RANK, cases[i].task);
        config.task.negative = cases[i].negative;
        g_autoptr(RmilModel) model = make_model(&config, 3);
        RmilStep step = {.bag = bag, .target = cases[i].target};
        RmilOutcome outcome;
        g_assert_true(rmil_model_step(model, &step, arena, &outcome, NULL));
        g_assert_cmpint(outcome.guide_loss > 0, ==, cases[i].guided);
    }
    differences_free(bag);
}

/* In a model with a row for each class the guide ranks on the true class's; where there are no classes, on all, and their mean counts. */
static void test_guided_rows(void) {
    RmilBag *bag = differences_bag(DIM, 20, 3, 7);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    for (int hazard = 0; hazard < 2; hazard++) {
        RmilModelConfig config = make_config("dsmil", RMIL_GUIDE_RANK, hazard ? HAZARD : THREE);
        g_autoptr(RmilModel) model = make_model(&config, 3);
        const int rows = rmil_model_rows(model);
        g_assert_cmpint(rows, ==, hazard ? 4 : 3);
        float scores[4 * 20];
        double p[20], n[20], loss;
        RmilStep step = {.bag = bag, .target = hazard ? (RmilTarget){-1, 2, TRUE, NAN} : RMIL_TARGET_CLASS(2), .scores = scores};
        RmilOutcome outcome;
        g_assert_true(rmil_model_step(model, &step, arena, &outcome, NULL));
        double expected = 0;
        for (int r = hazard ? 0 : 2; r < rows; r++) {
            int np = 0, nn = 0;
            for (int i = 0; i < 20; i++) *(bag->patch_labels[i] ? &p[np++] : &n[nn++]) = (double)scores[r * 20 + i];
            rmil_rank_loss_reference(&(RmilRankSide){.scores = p, .count = np}, &(RmilRankSide){.scores = n, .count = nn}, 1, 1, &loss);
            expected += loss / (hazard ? rows : 1);
        }
        g_assert_cmpfloat_with_epsilon(outcome.guide_loss, expected, 1e-6);
    }
    differences_free(bag);
}

/* -- predictions ---------------------------------------------------------------------------------------------------------- */
static void check_prediction(const RmilModelConfig *config, Task task, const RmilOutcome *outcome, const RmilPrediction *p) {
    g_assert_true(isnan(p->probability) == (task != TWO) && isnan(p->logit) == (task != TWO));
    if (task == THREE || task == FIVE) {
        double sum = 0;
        g_assert_cmpint(p->count, ==, config->task.classes);
        for (int c = 0; c < p->count; c++) {
            sum += p->values[c];
            g_assert_cmpfloat(p->values[c], <=, p->values[p->predicted]);
            g_assert_cmpfloat_with_epsilon(p->values[c] / p->values[0], exp(outcome->logits[c] - outcome->logits[0]), 1e-9);
        }
        g_assert_cmpfloat_with_epsilon(sum, 1, 1e-12);
        g_assert_true(isnan(p->answer));
    } else if (task == HAZARD) {
        double left = 1, risk = 0;
        g_assert_true(p->predicted == -1 && p->count == 4);
        for (int b = 0; b < 4; b++) {
            left *= 1 - 1 / (1 + exp(-outcome->logits[b]));
            risk -= left;
            g_assert_cmpfloat_with_epsilon(p->values[b], left, 1e-12);
        }
        g_assert_cmpfloat_with_epsilon(p->answer, risk, 1e-12);
    } else if (task == COX || task == NUMBER) {
        g_assert_true(p->predicted == -1 && p->count == 0);
        g_assert_cmpfloat_with_epsilon(p->answer, task == COX ? outcome->logits[0] : 20 + 4 * outcome->logits[0], 1e-12);
    }
}

/* What is said of a bag follows from its logits; the usual row is the one that is documented. */
static void test_predictions(gconstpointer name) {
    RmilBag *bag = differences_bag(DIM, 20, 3, 7);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    GError *error = NULL;
    for (Task task = TWO; task < TASKS; task++) {
        if (!takes(name, task)) continue;
        RmilModelConfig config = make_config(name, RMIL_GUIDE_NONE, task);
        g_autoptr(RmilModel) model = make_model(&config, 3);
        const int rows = rmil_model_rows(model);
        g_autofree float *all = g_new(float, 2 * rows * 20);
        RmilStep step = {.bag = bag, .target = RMIL_TARGET_NONE, .scores = all, .attention = all + rows * 20};
        RmilOutcome outcome;
        g_assert_true(rmil_model_step(model, &step, arena, &outcome, NULL));
        RmilPrediction p, q;
        float scores[20], attention[20];
        g_assert_true(rmil_model_predict(model, bag, NULL, &p, scores, attention, &error));
        check_prediction(&config, task, &outcome, &p);
        for (int r = 0; r < rows; r++) {
            float row_scores[20], row_attention[20];
            g_assert_true(rmil_model_predict_row(model, bag, NULL, r, &q, row_scores, row_attention, &error));
            g_assert_true(memcmp(row_scores, all + r * 20, sizeof row_scores) == 0);
            g_assert_true(memcmp(row_attention, step.attention + r * 20, sizeof row_attention) == 0);
        }
        const int usual = rows == 1 ? 0 : task == TWO ? 1 : task <= FIVE ? p.predicted : -1;
        for (int i = 0; i < 20; i++) {
            double expected = 0;
            for (int r = usual < 0 ? 0 : usual; r < (usual < 0 ? rows : usual + 1); r++)
                expected += (double)step.attention[r * 20 + i] / (usual < 0 ? rows : 1);
            g_assert_cmpfloat_with_epsilon(attention[i], expected, 1e-7);
        }
        g_assert_cmpint(rmil_model_predict_row(model, bag, NULL, rows, &q, scores, NULL, &error), ==, rows == 1);
        if (rows > 1) test_error(&error, RMIL_ERROR_ARGUMENT, "rows of attention");
    }
    differences_free(bag);
}

static void test_ensembles(gconstpointer name) {
    RmilBag *bag = differences_bag(DIM, 20, 3, 7);
    GError *error = NULL;
    for (Task task = THREE; task < TASKS; task++) {
        if (!takes(name, task)) continue;
        RmilModelConfig config = make_config(name, RMIL_GUIDE_NONE, task);
        g_autoptr(RmilModel) a = make_model(&config, 3);
        g_autoptr(RmilModel) b = make_model(&config, 4);
        const RmilModel *models[] = {a, b};
        RmilPrediction x, y, mean;
        float of_a[20], of_b[20], attention[20];
        double sd;
        g_assert_true(rmil_ensemble_predict(models, 2, bag, NULL, &mean, &sd, NULL, attention, &error));
        const int row = task <= FIVE && rmil_model_rows(a) > 1 ? mean.predicted : RMIL_ROW_USUAL;
        g_assert_true(rmil_model_predict_row(a, bag, NULL, row, &x, NULL, of_a, &error) &&
                      rmil_model_predict_row(b, bag, NULL, row, &y, NULL, of_b, &error));
        for (int i = 0; i < 20; i++) g_assert_cmpfloat_with_epsilon(attention[i], ((double)of_a[i] + (double)of_b[i]) / 2, 1e-7);
        g_assert_cmpint(mean.count, ==, x.count);
        for (int c = 0; c < x.count; c++) g_assert_cmpfloat_with_epsilon(mean.values[c], (x.values[c] + y.values[c]) / 2, 1e-12);
        const double of[2] = {task <= FIVE ? x.values[mean.predicted] : x.answer, task <= FIVE ? y.values[mean.predicted] : y.answer};
        g_assert_cmpfloat_with_epsilon(sd, fabs(of[0] - of[1]) / sqrt(2), 1e-12);
        if (task > FIVE) g_assert_cmpfloat_with_epsilon(mean.answer, (x.answer + y.answer) / 2, 1e-12);
        if (task == HAZARD) { /* other bins: their survival at the end of a bin is not of one time */
            b->config.edges[1] += 0.25;
            g_assert_true(rmil_ensemble_predict(models, 2, bag, NULL, &mean, &sd, NULL, NULL, &error));
            g_assert_cmpint(mean.count, ==, 0);
        }
        b->config.task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"x", "y", "z"}};
        g_assert_false(rmil_ensemble_predict(models, 2, bag, NULL, &mean, &sd, NULL, NULL, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "do not predict the same");
    }
    differences_free(bag);
}

/* -- files ---------------------------------------------------------------------------------------------------------------- */
/* Whatever the classes are called, and with every digit of the edges. */
static void test_files(gconstpointer name) {
    static const char *const odd[] = {"a \"quoted\" one", "LUAD\\LUSC, {x}: [1]", "Плоскоклеточный рак\t✓"};
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.safetensors", NULL);
    GError *error = NULL;
    for (Task task = THREE; task < TASKS; task++) {
        if (!takes(name, task)) continue;
        RmilModelConfig config = make_config(name, RMIL_GUIDE_NONE, task);
        for (int c = 0; task == THREE && c < 3; c++) g_strlcpy(config.task.names[c], odd[c], RMIL_CLASS_NAME);
        if (task == HAZARD) config.edges[1] = 1.0 / 3 + 1, config.hazard_alpha = 0.1 + 0.2;
        if (task == COX) memset(config.edges, 0, sizeof config.edges);
        if (task == NUMBER) config.mean = -1.0 / 7, config.sd = 1e-5 / 3;
        if (g_str_has_prefix(name, "clam")) g_assert_true(rmil_model_config_set(&config, "clam-subtyping", TRUE, NULL));
        g_autoptr(RmilModel) model = make_model(&config, 5);
        g_assert_true(rmil_model_save(model, path, &error));
        g_autoptr(RmilModel) back = rmil_model_load(path, &error);
        g_assert_no_error(error);
        g_assert_true(memcmp(&model->config, &back->config, sizeof model->config) == 0);
        g_assert_true(memcmp(model->parameters, back->parameters, (gsize)model->layout.count * sizeof(float)) == 0);
    }
}

/* A state_dict says of its classes how many there are. */
static void test_state_dict(gconstpointer name) {
    g_autofree char *folder = test_folder();
    static const char *const files[] = {"m.safetensors", "m.pth", "clam.pt"};
    GError *error = NULL;
    for (Task task = THREE; task <= FIVE; task++)
        for (gsize f = 0; f < G_N_ELEMENTS(files); f++) {
            const gboolean clam = g_str_equal(files[f], "clam.pt");
            if (clam && !g_str_has_prefix(name, "clam")) continue;
            RmilModelConfig config = make_config(name, RMIL_GUIDE_NONE, task), known = config;
            g_autofree char *path = g_build_filename(folder, files[f], NULL);
            g_autoptr(RmilModel) model = make_model(&config, 5);
            g_assert_true(rmil_model_export(model, path, clam ? "clam" : "paper", &error));
            known.task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"0", "1"}, .negative = TRUE};
            g_autoptr(RmilModel) back = rmil_model_load_as(path, &known, &error);
            g_assert_no_error(error);
            g_assert_cmpint(back->config.task.classes, ==, config.task.classes);
            g_assert_cmpstr(back->config.task.names[2], ==, "2");
            known.task = config.task; /* names of as many classes stay */
            g_autoptr(RmilModel) named = rmil_model_load_as(path, &known, &error);
            g_assert_no_error(error);
            g_assert_cmpstr(named->config.task.names[2], ==, "class c");
            for (guint t = 0; t < model->layout.tensors->len; t++) {
                const RmilParameter *tensor = rmil_parameter_at(&model->layout, (int)t);
                const gsize bytes = (gsize)tensor->count * sizeof(float);
                g_assert_true(tensor->unused || memcmp(model->parameters + tensor->offset, back->parameters + tensor->offset, bytes) == 0);
            }
        }
}

/* Broken metadata: each one sentence. */
static void test_bad_files(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.safetensors", NULL);
    RmilModelConfig config = make_config("abmil", RMIL_GUIDE_NONE, HAZARD);
    g_autoptr(RmilModel) model = make_model(&config, 5);
    GError *error = NULL;
    g_assert_true(rmil_model_save(model, path, &error));
    g_autoptr(RmilTensors) file = rmil_safetensors_read(path, 1 << 24, &error);
    RmilTensor tensors[8];
    g_assert_cmpint(rmil_tensors_count(file), ==, 8);
    for (int i = 0; i < 8; i++) tensors[i] = *rmil_tensors_at(file, i);
    static const struct {
        const char *task, *key, *value, *message;
    } cases[] = {{"{\"kind\":\"survival\"}", "edges", "[1, 2, 3, 4]", "not 5 ascending numbers for 4 bins"},
                 {"{\"kind\":\"survival\"}", "edges", "[1, 2, 3, 3, 5]", "not 5 ascending numbers"},
                 {"{\"kind\":\"survival\"}", "edges", "[1, 2, 3, 4, 5, 6]", "not 5 numbers"},
                 {"{\"kind\":\"survival\"}", "edges", "[1, 2, nan, 4, 5]", "not 5 ascending numbers"},
                 {"{\"kind\":\"survival\"}", "bins", "33", "bins is 33; it must be in 2 … 32"},
                 {"{\"kind\":\"survival\"}", "survival_loss", "weibull", "survival_loss is \"weibull\"; it must be hazard or cox"},
                 {"{\"kind\":\"survival\"}", "bins", "5",
                  "tensor classifier.weight has a different shape from the one in the "
                  "configuration"},
                 {"{\"kind\":\"number\"}", "target_sd", "0", "target_sd is 0; it must be above 0"},
                 {"{\"kind\":\"number\"}", "target_mean", "x", "target_mean is \"x\", not a number"},
                 {"{\"kind\":\"classes\",\"classes\":[\"a\"]}", "x", "x", "has 1 classes, not 2 to 20"},
                 {"{\"kind\":\"ranks\"}", "x", "x", "this version does not know the kind of task \"ranks\""},
                 {"{", "x", "x", "task"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *metadata[] = {"format", "rankmil-model-1", "model",      "abmil",        "guide", "none", "dim", "18", "hidden", "12",
                                  "task",   cases[i].task,     cases[i].key, cases[i].value, NULL};
        g_assert_true(rmil_safetensors_write(path, tensors, 8, metadata, &error));
        g_assert_null(rmil_model_load(path, &error));
        test_error(&error, (RmilErrorCode)error->code, cases[i].message);
    }
}

/* -- refusals ------------------------------------------------------------------------------------------------------------- */
static void test_refusals(void) {
    RmilBag *bag = differences_bag(DIM, 5, 0, 7);
    RmilModelConfig config = make_config("abmil", RMIL_GUIDE_NONE, THREE);
    RmilPrediction p;
    GError *error = NULL;
    g_autoptr(RmilModel) model = make_model(&config, 3);
    g_assert_false(rmil_model_predict(model, bag, &RMIL_TARGET_CLASS(3), &p, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "bag: label 3; the model has the classes 0 to 2");
    config.task.classes = 21;
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "2 to 20 classes, not 21");
    config = make_config("abmil", RMIL_GUIDE_NONE, HAZARD);
    memset(config.edges, 0, sizeof config.edges);
    g_autoptr(RmilModel) untrained = make_model(&config, 3);
    g_assert_true(rmil_model_predict(untrained, bag, NULL, &p, NULL, NULL, &error));
    g_assert_false(rmil_model_predict(untrained, bag, &(RmilTarget){-1, 2, TRUE, NAN}, &p, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no bins of time");
    differences_free(bag);
}

int main(int argc, char **argv) {
    static const struct {
        const char *what;
        GTestDataFunc test;
    } tests[] = {{"gradients", test_gradients}, {"guided", test_guided}, {"predictions", test_predictions},
                 {"ensembles", test_ensembles}, {"files", test_files},   {"state-dict", test_state_dict}};
    g_test_init(&argc, &argv, NULL);
    for (const char *const *name = rmil_model_names(); *name; name++)
        for (gsize i = 0; i < G_N_ELEMENTS(tests) && !rmil_model_class(*name, NULL)->dim; i++) { /* of pixels: test-cnn.c */
            g_autofree char *path = g_strdup_printf("/mil/model-tasks/%s/%s", *name, tests[i].what);
            g_test_add_data_func(path, *name, tests[i].test);
        }
    g_test_add_func("/mil/model-tasks/given-slope", test_given_slope);
    g_test_add_func("/mil/model-tasks/guided-rows", test_guided_rows);
    g_test_add_func("/mil/model-tasks/bad-files", test_bad_files);
    g_test_add_func("/mil/model-tasks/refusals", test_refusals);
    return g_test_run();
}
