/* SPDX-License-Identifier: Apache-2.0 */
/* Training: the same bytes on any number of threads and after an interruption; what it refuses. Model files. */
#include "tensors/tensors-private.h"
#include "mil/model.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

enum { SLIDES = 18, DIM = 16 };

typedef struct {
    RmilBag *bags[SLIDES];
    RmilTarget targets[SLIDES];
    int64_t train[SLIDES], val[SLIDES], train_count, val_count;
} Cohort;

/* Positive slides hold a few patches whose first feature is high; those are annotated. */
static void make_cohort(Cohort *c, RmilPrecision precision) {
    *c = (Cohort){.train_count = 0};
    for (int s = 0; s < SLIDES; s++) {
        RmilRng rng;
        rmil_rng_init(&rng, 1, (uint64_t)s);
        RmilBag *bag = c->bags[s] = g_new0(RmilBag, 1);
        c->targets[s] = RMIL_TARGET_CLASS(s % 2);
        bag->id = g_strdup_printf("slide %d", s);
        bag->count = 20 + 7 * s;
        bag->dim = DIM;
        bag->precision = RMIL_FLOAT32;
        bag->patch_size_level0 = 10;
        float *x = rmil_alloc(bag->count * DIM, sizeof(float), NULL);
        bag->features = x;
        bag->coords = rmil_alloc(2 * bag->count, sizeof(int64_t), NULL);
        bag->patch_labels = rmil_alloc(bag->count, 1, NULL);
        for (int64_t i = 0; i < bag->count; i++) {
            gboolean lesion = c->targets[s].label && i % 9 == 4;
            for (int j = 0; j < DIM; j++) x[i * DIM + j] = (float)(rmil_rng_normal(&rng) + (j == 0 && lesion ? 4 : 0));
            bag->coords[2 * i] = 10 * (i % 12);
            bag->coords[2 * i + 1] = 10 * (i / 12);
            bag->patch_labels[i] = lesion ? 1 : 0;
        }
        if (precision == RMIL_BFLOAT16) {
            uint16_t *narrow = rmil_alloc(bag->count * DIM, sizeof *narrow, NULL);
            for (int64_t i = 0; i < bag->count * DIM; i++) {
                uint32_t bits;
                memcpy(&bits, &x[i], sizeof bits);
                narrow[i] = (uint16_t)(bits >> 16);
            }
            rmil_free(x);
            bag->features = narrow;
            bag->precision = precision;
        }
        if (s < 13) c->train[c->train_count++] = s;
        else c->val[c->val_count++] = s;
    }
}

static void free_cohort(Cohort *c) {
    for (int s = 0; s < SLIDES; s++) {
        g_free(c->bags[s]->id);
        rmil_free(c->bags[s]->features);
        rmil_free(c->bags[s]->coords);
        rmil_free(c->bags[s]->patch_labels);
        g_free(c->bags[s]);
    }
}

static RmilModelConfig small_config(const char *name) {
    RmilModelConfig config;
    if (!rmil_model_config_init(&config, name, RMIL_GUIDE_RANK, NULL))
        g_assert_true(rmil_model_config_init(&config, name, RMIL_GUIDE_NONE, NULL));
    if (config.hidden) config.hidden = 12;
    if (g_str_equal(name, "transmil")) g_assert_true(rmil_model_config_set(&config, "transmil_heads", 3, NULL));
    if (config.attention_dim) config.attention_dim = 6;
    rmil_model_config_set(&config, "region-size", 3, NULL);
    rmil_model_config_set(&config, "patch-depth", 1, NULL);
    rmil_model_config_set(&config, "region-depth", 1, NULL);
    config.dim = DIM, config.dropout = 0.1;
    if (!rmil_model_config_check(&config, NULL)) config.dropout = 0;
    config.dim = 0, config.rank_sample = 4;
    return config;
}

static RmilTrainConfig small_protocol(int64_t epochs, int threads) {
    RmilTrainConfig protocol;
    rmil_train_config_init(&protocol);
    protocol.epochs = epochs;
    protocol.warmup = epochs;
    protocol.group = 5; /* the last group of an epoch has 3 */
    protocol.learning_rate = 0.01;
    protocol.seed = 42;
    protocol.threads = threads;
    return protocol;
}

static RmilModel *train(const Cohort *c, const RmilModelConfig *config, const RmilTrainConfig *protocol, const char *checkpoint,
                        GArray *history, const RmilMonitor *monitor, GError **error) {
    return rmil_train(config, protocol, (const RmilBag *const *)c->bags, c->targets, c->train, c->train_count, c->val, c->val_count,
                      checkpoint, history, monitor, error);
}

/* The bytes of the model's file. */
static GBytes *bytes_of(const RmilModel *model, const char *folder) {
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
    GError *error = NULL;
    g_assert_true(rmil_model_save(model, path, &error));
    gsize size;
    char *data = rmil_file_read(path, 1 << 24, &size, &error);
    g_assert_no_error(error);
    return g_bytes_new_take(data, size);
}

static void test_threads(gconstpointer name) {
    g_autofree char *folder = test_folder();
    for (int precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++) {
        Cohort c;
        make_cohort(&c, (RmilPrecision)precision);
        RmilModelConfig config = small_config(name);
        static const int threads[] = {1, 2, 3, 8, 3};
        g_autoptr(GBytes) first = NULL;
        for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
            RmilTrainConfig protocol = small_protocol(3, threads[i]);
            GError *error = NULL;
            g_autoptr(RmilModel) model = train(&c, &config, &protocol, NULL, NULL, NULL, &error);
            g_assert_no_error(error);
            g_autoptr(GBytes) bytes = bytes_of(model, folder);
            if (first) g_assert_true(g_bytes_equal(first, bytes));
            else first = g_bytes_ref(bytes);
        }
        free_cohort(&c);
    }
}

/* 3, 1, 4, 4, 2 … threads: another number from epoch to epoch. */
static int other_number(gpointer user, int now) {
    static const int numbers[] = {3, 1, 4, 4, 2};
    int *asked = user;
    g_assert_cmpint(now, ==, *asked == 0 ? 2 : numbers[(*asked - 1) % 5]);
    return numbers[(*asked)++ % 5];
}

static void test_threads_change(gconstpointer name) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    g_autofree char *folder = test_folder();
    RmilModelConfig config = small_config(name);
    RmilTrainConfig steady = small_protocol(6, 2), changing = steady;
    int asked = 0;
    changing.ask_threads = other_number;
    changing.ask_user = &asked;
    GError *error = NULL;
    g_autoptr(RmilModel) first = train(&c, &config, &steady, NULL, NULL, NULL, &error);
    g_autoptr(RmilModel) second = train(&c, &config, &changing, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(asked, ==, 6);
    g_autoptr(GBytes) one = bytes_of(first, folder), two = bytes_of(second, folder);
    g_assert_true(g_bytes_equal(one, two));
    free_cohort(&c);
}

static void count_warning(gpointer user, const char *message) {
    g_assert_nonnull(strstr(message, "is broken or a checkpoint of another run, so training starts from the beginning"));
    ++*(int *)user;
}

static void test_resume(gconstpointer name) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    g_autofree char *folder = test_folder(), *checkpoint = g_build_filename(folder, "checkpoint", NULL);
    RmilModelConfig config = small_config(name);
    RmilTrainConfig whole = small_protocol(7, 2), half = small_protocol(7, 1);
    half.epochs = 4;
    half.warmup = whole.warmup;
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(GArray) resumed = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    int warnings = 0;
    const RmilMonitor monitor = {.warn = count_warning, .user = &warnings};
    GError *error = NULL;
    g_autoptr(RmilModel) straight = train(&c, &config, &whole, NULL, history, &monitor, &error);
    g_autoptr(RmilModel) part = train(&c, &config, &half, checkpoint, NULL, &monitor, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_test(checkpoint, G_FILE_TEST_EXISTS));
    g_autoptr(RmilModel) rest = train(&c, &config, &whole, checkpoint, resumed, &monitor, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) a = bytes_of(straight, folder), b = bytes_of(rest, folder);
    g_assert_true(g_bytes_equal(a, b));
    g_assert_cmpint(history->len, ==, 7);
    g_assert_cmpint(resumed->len, ==, 7);
    for (int i = 0; i < 7; i++) {
        const RmilEpoch *x = &g_array_index(history, RmilEpoch, i), *y = &g_array_index(resumed, RmilEpoch, i);
        g_assert_cmpint(x->epoch, ==, y->epoch);
        g_assert_cmpfloat(x->train_loss, ==, y->train_loss);
        g_assert_cmpfloat(x->val_loss, ==, y->val_loss);
        g_assert_cmpint(x->best, ==, y->best);
    }
    /* a finished run is not trained again; another seed's checkpoint and a broken one are not taken for one's own */
    g_autoptr(RmilModel) again = train(&c, &config, &whole, checkpoint, NULL, &monitor, &error);
    g_autoptr(GBytes) d = bytes_of(again, folder);
    g_assert_true(g_bytes_equal(a, d));
    g_assert_cmpint(warnings, ==, 0);
    half.seed = 43;
    g_autoptr(RmilModel) other = train(&c, &config, &half, checkpoint, NULL, &monitor, &error);
    g_assert_cmpint(warnings, ==, 1);
    g_assert_true(rmil_file_write(checkpoint, "not a checkpoint", 16, &error));
    g_autoptr(RmilModel) fresh = train(&c, &config, &whole, checkpoint, NULL, &monitor, &error);
    g_assert_cmpint(warnings, ==, 2);
    g_autoptr(GBytes) e = bytes_of(fresh, folder);
    g_assert_true(g_bytes_equal(a, e));
    free_cohort(&c);
}

typedef void (*Change)(RmilBag *bag);
static void first_feature(RmilBag *bag) { ((float *)bag->features)[0] += 1; }
static void last_feature(RmilBag *bag) { ((float *)bag->features)[bag->count * bag->dim - 1] += 1; }
static void one_bit(RmilBag *bag) { ((uint8_t *)bag->features)[bag->count * bag->dim / 2 * 4] ^= 1; }
static void signs(RmilBag *bag) { /* of one number in each of all patches but the first */
    for (int64_t i = 1; i < bag->count; i++) ((float *)bag->features)[i * bag->dim + 1] *= -1;
}
static void two_patches(RmilBag *bag) { /* change places */
    float *x = bag->features, swap[DIM];
    memcpy(swap, x + 3 * DIM, sizeof swap);
    memcpy(x + 3 * DIM, x + 5 * DIM, sizeof swap);
    memcpy(x + 5 * DIM, swap, sizeof swap);
}
static void coordinate(RmilBag *bag) { bag->coords[2 * bag->count - 1] += 10 * 12; }
static void tile_size(RmilBag *bag) { bag->patch_size_level0 = 5; }
static void patch_label(RmilBag *bag) { bag->patch_labels[bag->count / 2] ^= 1; }
static void tissue_share(RmilBag *bag) { bag->tissue[bag->count - 1] /= 2; }

/* Whatever changes in a bag, in a later patch or in a bag of the validation set, the checkpoint is not taken up, and the result is that
 * of the changed bags alone. */
static void test_changed_bag(void) {
    static const Change changes[] = {first_feature, last_feature, one_bit,     signs,       two_patches,
                                     coordinate,    tile_size,    patch_label, tissue_share};
    g_autofree char *folder = test_folder(), *checkpoint = g_build_filename(folder, "checkpoint", NULL);
    RmilModelConfig config = small_config("abmil");
    RmilTrainConfig protocol = small_protocol(3, 2);
    for (gsize i = 0; i <= G_N_ELEMENTS(changes); i++)
        for (int set = 0; set < 2; set++) {
            Cohort c;
            make_cohort(&c, RMIL_FLOAT32);
            RmilBag *bag = c.bags[set ? c.val[1] : c.train[4]];
            for (int s = 0; s < SLIDES; s++) {
                c.bags[s]->tissue = g_new(float, c.bags[s]->count);
                for (int64_t k = 0; k < c.bags[s]->count; k++) c.bags[s]->tissue[k] = 0.5f;
            }
            int warnings = 0;
            const RmilMonitor monitor = {.warn = count_warning, .user = &warnings};
            GError *error = NULL;
            g_assert_true(g_unlink(checkpoint) == 0 || (i == 0 && set == 0));
            g_autoptr(RmilModel) before = train(&c, &config, &protocol, checkpoint, NULL, &monitor, &error);
            g_assert_no_error(error);
            const gboolean changed = i < G_N_ELEMENTS(changes);
            if (changed) changes[i](bag);
            g_autoptr(RmilModel) after = train(&c, &config, &protocol, checkpoint, NULL, &monitor, &error);
            g_autoptr(RmilModel) straight = train(&c, &config, &protocol, NULL, NULL, &monitor, &error);
            g_assert_no_error(error);
            g_test_message("change %d, %s set", (int)i, set ? "validation" : "training");
            g_assert_cmpint(warnings, ==, changed ? 1 : 0);
            g_autoptr(GBytes) x = bytes_of(after, folder), y = bytes_of(straight, folder);
            g_assert_true(g_bytes_equal(x, y));
            for (int s = 0; s < SLIDES; s++) g_free(c.bags[s]->tissue);
            free_cohort(&c);
        }
}

/* The lesion is plain to see: training must find it, in either way of drawing slides, and stop when it no longer improves. */
static void test_learns(gconstpointer name) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    RmilModelConfig config = small_config(name);
    config.dropout = 0;
    for (int balanced = 0; balanced < 2; balanced++) {
        RmilTrainConfig protocol = small_protocol(60, 2);
        protocol.warmup = 10;
        protocol.patience = 5;
        protocol.balanced = balanced;
        g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
        GError *error = NULL;
        g_autoptr(RmilModel) model = train(&c, &config, &protocol, NULL, history, NULL, &error);
        g_assert_no_error(error);
        double best = INFINITY;
        int64_t best_epoch = 0, since = 0;
        for (guint i = 0; i < history->len; i++) {
            const RmilEpoch *epoch = &g_array_index(history, RmilEpoch, i);
            g_assert_cmpint(epoch->epoch, ==, i + 1);
            g_assert_cmpint(epoch->best, ==, epoch->val_loss < best);
            since = epoch->best ? 0 : since + 1;
            if (epoch->best) best = epoch->val_loss, best_epoch = epoch->epoch;
        }
        g_assert_true(history->len == 60 || (history->len >= 10 && since >= 5));
        g_test_message("%s: best epoch %d of %u, validation loss %g", (const char *)name, (int)best_epoch, history->len, best);
        g_assert_cmpfloat(best, <, g_array_index(history, RmilEpoch, 0).val_loss + 1e-12);
        /* the parameters of the best epoch are the ones that come back: the same validation loss */
        double loss = 0;
        int right = 0;
        for (int64_t i = 0; i < c.val_count; i++) {
            RmilPrediction p;
            int64_t s = c.val[i];
            g_assert_true(rmil_model_predict(model, c.bags[s], &c.targets[s], &p, NULL, NULL, &error));
            loss += p.loss / (double)c.val_count;
            right += (p.probability > 0.5) == c.targets[s].label;
        }
        if (config.guide == RMIL_GUIDE_NONE) g_assert_cmpfloat_with_epsilon(loss, best, 1e-9);
        if (model->class->patches) { /* the highest of many patches lies high on every slide: their order counts, not 0.5 */
            g_assert_cmpfloat(g_array_index(history, RmilEpoch, best_epoch - 1).val_metric, ==, 1);
        } else if (!g_str_equal(name, "hipt") && !g_str_equal(name, "transmil")) {
            g_assert_cmpint(right, ==, c.val_count); /* transformers need more than 13 slides */
        }
    }
    free_cohort(&c);
}

static void test_refuses(void) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    RmilModelConfig config = small_config("abmil");
    RmilTrainConfig protocol = small_protocol(2, 1);
    GError *error = NULL;
    RmilTarget kept[SLIDES];
    memcpy(kept, c.targets, sizeof kept);
    c.targets[2].label = 2;
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "slide 2: label 2");
    for (int s = 0; s < SLIDES; s++) c.targets[s].label = 0;
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "no slide with label 1");
    memcpy(c.targets, kept, sizeof kept);
    c.bags[14]->dim = DIM / 2;
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "slide 14: features have 8 numbers, but the model takes 16");
    c.bags[14]->dim = DIM;
    ((float *)c.bags[4]->features)[5] = NAN;
    protocol.balanced = FALSE;
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, "training diverged in epoch 1");
    protocol.learning_rate = 0;
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "learning_rate is 0; it must be above 0 and below 1000");
    protocol = small_protocol(0, 1);
    g_assert_null(train(&c, &config, &protocol, NULL, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "epochs");
    free_cohort(&c);
}

static void test_config(void) {
    RmilModelConfig config;
    GError *error = NULL;
    g_assert_false(rmil_model_config_init(&config, "milnet", RMIL_GUIDE_NONE, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "choose one of abmil, ");
    g_assert_false(rmil_model_config_init(&config, "dsmil", RMIL_GUIDE_INDUCTION, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, " does not support the guide \"induction\"");
    g_assert_true(rmil_model_config_init(&config, "hipt", RMIL_GUIDE_NONE, &error));
    config.dim = 8;
    config.threshold = 1;
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "no attention threshold");
    g_assert_true(rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, &error));
    g_assert_true(config.threshold == 1 && config.margin == 1 && config.sigma == 1 && config.lambda == 1);
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "dim is 0; it must be in 1 … 65536");
    config.dim = 64;
    config.sigma = NAN;
    g_assert_null(rmil_model_new(&config, 1, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "sigma is nan; it must be in 1e-06 … 1000000");
    config.sigma = 1;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_model_config(model)->hidden, ==, 256);
    /* nn.Linear's start: uniform in ±1/sqrt(in) */
    const RmilParameter *w1 = rmil_parameter_at(&model->layout, 0);
    double top = 0, squares = 0;
    for (int64_t i = 0; i < w1->count; i++) {
        double x = (double)model->parameters[w1->offset + i];
        top = MAX(top, fabs(x));
        squares += x * x / (double)w1->count;
    }
    g_assert_true(top <= 0.125 && top > 0.124);
    g_assert_cmpfloat_with_epsilon(squares, 0.125 * 0.125 / 3, 2e-4);
}

/* -- files ------------------------------------------------------------------------------------------------------------------ */
static void test_roundtrip(gconstpointer name) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.safetensors", NULL);
    g_autofree char *bare = g_build_filename(folder, "state_dict.safetensors", NULL);
    RmilModelConfig config = small_config(name);
    config.dim = DIM;
    if (config.threshold >= 0) config.threshold = 0.1 + 0.2;
    GError *error = NULL;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 5, &error);
    g_assert_true(rmil_model_save(model, path, &error));
    g_autoptr(RmilModel) back = rmil_model_load(path, &error);
    g_assert_no_error(error);
    g_assert_true(memcmp(&model->config, &back->config, sizeof model->config) == 0);
    RmilPrediction x, y;
    g_assert_true(rmil_model_predict(model, c.bags[3], &RMIL_TARGET_CLASS(1), &x, NULL, NULL, &error));
    g_assert_true(rmil_model_predict(back, c.bags[3], &RMIL_TARGET_CLASS(1), &y, NULL, NULL, &error));
    g_assert_cmpfloat(x.logit, ==, y.logit);
    /* tensors alone, as the released code's state_dict has them: sizes come from the shapes */
    g_autoptr(RmilTensors) file = rmil_safetensors_read(path, 1 << 24, &error);
    const int64_t count = rmil_tensors_count(file);
    g_autofree RmilTensor *tensors = g_new(RmilTensor, count);
    for (int64_t i = 0; i < count; i++) tensors[i] = *rmil_tensors_at(file, i);
    g_assert_true(rmil_safetensors_write(bare, tensors, count, NULL, &error));
    g_autoptr(RmilModel) foreign = rmil_model_load(bare, &error);
    if (g_str_equal(name, "hipt")) { /* rows and columns of a region cannot be told from their product */
        g_clear_error(&error);
    } else {
        g_assert_no_error(error);
        g_assert_cmpstr(foreign->config.model, ==, name);
        g_assert_cmpint(foreign->config.hidden, ==, config.hidden);
    }
    g_assert_true(rmil_safetensors_write(bare, tensors, count - 1, NULL, &error));
    g_assert_null(rmil_model_load(bare, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "state_dict.safetensors: its tensors do not belong to any model that rankmil knows");
    free_cohort(&c);
}

static void test_bad_file(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.safetensors", NULL);
    RmilModelConfig config = small_config("abmil");
    config.dim = DIM;
    GError *error = NULL;
    g_autoptr(RmilModel) model = rmil_model_new(&config, 5, &error);
    g_assert_true(rmil_model_save(model, path, &error));
    g_autoptr(RmilTensors) file = rmil_safetensors_read(path, 1 << 24, &error);
    RmilTensor tensors[9];
    const int64_t count = rmil_tensors_count(file);
    g_assert_cmpint(count, ==, 8);
    for (int64_t i = 0; i < count; i++) tensors[i] = *rmil_tensors_at(file, i);
    static const struct {
        const char *key, *value, *message;
    } cases[] = {{"model", "abmill", "unknown model \"abmill\""},
                 {"guide", "ranks", "name no model and guide"},
                 {"format", "rankmil-model-9", "its format is rankmil-model-9"},
                 {"hidden", "12.5", "hidden is \"12.5\"; it must be a whole number in 1 … 16384"},
                 {"hidden", "13", "tensor adaptor.0.weight has a different shape from the one in the configuration"},
                 {"hidden", "-4", "hidden is -4; it must be in 1 … 16384"},
                 {"dim", "1e300", "dim is \"1e300\"; it must be a whole number"},
                 {"sigma", "nan", "sigma is \"nan\"; it must be a number in 1e-06 … 1000000"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *metadata[] = {"format", "rankmil-model-1", "model", "abmil", "guide", "rank", "dim", "16", "hidden",
                                  "12",     "threshold",       "1",     NULL,    NULL,    NULL};
        gsize at = 0;
        while (metadata[at] && strcmp(metadata[at], cases[i].key) != 0) at += 2;
        metadata[at] = cases[i].key;
        metadata[at + 1] = cases[i].value;
        g_assert_true(rmil_safetensors_write(path, tensors, count, metadata, &error));
        g_assert_null(rmil_model_load(path, &error));
        g_assert_nonnull(strstr(error->message, "m.safetensors: "));
        g_assert_nonnull(strstr(error->message, cases[i].message));
        g_clear_error(&error);
    }
    const char *metadata[] = {"format", "rankmil-model-1", "model", "abmil", "guide", "rank", "dim", "16", "hidden", "12", NULL};
    float nan[1] = {NAN};
    tensors[count] = (RmilTensor){.name = "more", .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {1}, .data = nan};
    g_assert_true(rmil_safetensors_write(path, tensors, count + 1, metadata, &error));
    g_assert_null(rmil_model_load(path, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "it contains 9 tensors, but the model has 8");
    for (int64_t i = 0; i < count; i++)
        if (strcmp(tensors[i].name, "classifier.bias") == 0) tensors[i].data = nan;
    g_assert_true(rmil_safetensors_write(path, tensors, count, metadata, &error));
    g_assert_null(rmil_model_load(path, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "tensor classifier.bias holds NaN");
}

/* Begun with another model's parameters: those after one epoch that changes nothing; refused where they do not fit, and with a checkpoint. */
static void test_warm(gconstpointer name) {
    Cohort c;
    make_cohort(&c, RMIL_FLOAT32);
    GError *error = NULL;
    g_autofree char *folder = test_folder(), *checkpoint = g_build_filename(folder, "checkpoint", NULL);
    RmilModelConfig config = small_config(name), wider = config;
    RmilTrainConfig protocol = small_protocol(3, 2), still = small_protocol(1, 2);
    g_autoptr(RmilModel) first = train(&c, &config, &protocol, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    still.learning_rate = 1e-30;
    still.weight_decay = 0;
    still.warm = first;
    g_autoptr(RmilModel) again = train(&c, rmil_model_config(first), &still, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GBytes) a = bytes_of(first, folder), b = bytes_of(again, folder);
    g_assert_true(g_bytes_equal(a, b));
    g_assert_null(train(&c, &config, &still, checkpoint, NULL, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "has no checkpoint");
    wider.hidden = 15;
    if (config.hidden && rmil_model_config_check(&wider, NULL)) {
        g_assert_null(train(&c, &wider, &still, NULL, NULL, NULL, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "training cannot start from another model's parameters: they are of");
    }
    free_cohort(&c);
}

int main(int argc, char **argv) {
    static const struct {
        const char *what;
        GTestDataFunc test;
    } tests[] = {{"threads", test_threads}, {"threads-change", test_threads_change},
                 {"resume", test_resume},   {"learns", test_learns},
                 {"warm", test_warm},       {"file", test_roundtrip}};
    g_test_init(&argc, &argv, NULL);
    for (const char *const *name = rmil_model_names(); *name; name++)
        for (gsize i = 0; i < G_N_ELEMENTS(tests) && !rmil_model_class(*name, NULL)->dim; i++) { /* of pixels: test-cnn.c */
            g_autofree char *path = g_strdup_printf("/mil/train/%s/%s", *name, tests[i].what);
            g_test_add_data_func(path, *name, tests[i].test);
        }
    g_test_add_func("/mil/train/changed-bag", test_changed_bag);
    g_test_add_func("/mil/train/refuses", test_refuses);
    g_test_add_func("/mil/config", test_config);
    g_test_add_func("/mil/file/bad", test_bad_file);
    return g_test_run();
}
