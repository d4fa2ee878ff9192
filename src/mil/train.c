/* The trainer: the paper's protocol. */
#include "adam.h"
#include "checkpoint.h"
#include "base/parallel.h"
#include "rankmil/evaluate.h"
#include "run-key.h"

#include <math.h>
#include <string.h>

static const char *const samplers[] = {"shuffle", "balanced", NULL}; /* FALSE, TRUE */

const RmilOption rmil_trainer_options[] = {
    {RMIL_NUMBER("learning-rate", "learning_rate", 2e-4, 0, 1000, "X", "learning rate of Adam"), .open = TRUE,
     .offset = offsetof(RmilTrainConfig, learning_rate)},
    {RMIL_NUMBER("weight-decay", "weight_decay", 1e-5, 0, 1000, "X", "L2 penalty added to the gradient"),
     .offset = offsetof(RmilTrainConfig, weight_decay)},
    {RMIL_WHOLE("epochs", "epochs", 200, 1, 1000000, "N", "at most N epochs"), .offset = offsetof(RmilTrainConfig, epochs)},
    {RMIL_WHOLE("patience", "patience", 7, 1, RMIL_OPTION_MOST, "N", "stop after N epochs without a better validation loss"),
     .offset = offsetof(RmilTrainConfig, patience)},
    {RMIL_WHOLE("warmup", "warmup", 20, 0, RMIL_OPTION_MOST, "N", "never stop before epoch N"),
     .offset = offsetof(RmilTrainConfig, warmup)},
    {RMIL_WHOLE("group", "group", 8, 1, 4096, "N", "slides per step of Adam"), .offset = offsetof(RmilTrainConfig, group)},
    {RMIL_WORD("sampler", "sampler", TRUE, samplers, "NAME", "each slide once an epoch, or with replacement, classes equally often"),
     .offset = offsetof(RmilTrainConfig, balanced)},
    {0},
};

void rmil_train_config_init(RmilTrainConfig *config) {
    *config = (RmilTrainConfig){.threads = 0};
    rmil_options_init(rmil_trainer_options, config);
}

/* Parameters per task of the update: a few hundred KiB with the gradients of a group. */
#define CHUNK 8192
/* Checkpoints may take this share of the time, no more. */
#define CHECKPOINT_SHARE 0.05

enum { PARAMETERS, BEST, FIRST, SECOND, ARRAYS };
enum { STREAM_ORDER = 1, STREAM_STEP = 2 };

typedef struct {
    const RmilTrainConfig *config;
    const RmilBag *const *bags;
    const RmilTarget *targets;
    RmilModel *model;
    RmilCrew *crew;
    RmilArena **arenas; /* one per worker */
    float *memory;      /* the arrays, then one gradient per bag of a group */
    float *arrays[ARRAYS], *gradients;
    int64_t stride; /* floats per array */
    RmilTrainState state;
    /* the bags at hand: a group in training, the whole validation set otherwise */
    const int64_t *slides;
    int64_t first, count; /* position of the group in the epoch, and its size */
    gboolean training;
    int64_t *order; /* largest bag first, so that threads end together */
    RmilOutcome *outcomes;
    int *truth; /* of the validation set, for its AUROC */
    double *logits;
} Trainer;

static uint64_t stream(int purpose, int64_t epoch, int64_t position) {
    return (uint64_t)purpose << 60 | (uint64_t)epoch << 36 | (uint64_t)position;
}

/* -- one pass over the bags at hand ------------------------------------------------------------------------------------------ */
static gboolean run_bag(int64_t index, int worker, gpointer user, GError **error) {
    Trainer *t = user;
    const int64_t at = t->order[index], slide = t->slides[at];
    RmilStep step = {.parameters = t->arrays[PARAMETERS], .bag = t->bags[slide], .target = t->targets[slide]};
    if (t->training) {
        step.train = TRUE;
        step.seed = t->config->seed;
        step.stream = stream(STREAM_STEP, t->state.epoch + 1, t->first + at);
        step.gradient = t->gradients + at * t->stride;
    }
    return rmil_model_step(t->model, &step, t->arenas[worker], &t->outcomes[at], error);
}

static int larger_bag(gconstpointer a, gconstpointer b, gpointer user) {
    const Trainer *t = user;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int64_t kx = t->bags[t->slides[x]]->count, ky = t->bags[t->slides[y]]->count;
    return kx != ky ? (kx < ky ? 1 : -1) : (x > y) - (x < y);
}

static gboolean run_bags(Trainer *t, const int64_t *slides, int64_t first, int64_t count, gboolean training, GError **error) {
    t->slides = slides;
    t->first = first;
    t->count = count;
    t->training = training;
    for (int64_t i = 0; i < count; i++) t->order[i] = i;
    g_qsort_with_data(t->order, (int)count, sizeof *t->order, larger_bag, t);
    return rmil_crew_run(t->crew, count, run_bag, t, error);
}

static gboolean update_chunk(int64_t index, int worker, gpointer user, GError **error) {
    Trainer *t = user;
    int64_t from = index * CHUNK, to = MIN(from + CHUNK, t->model->layout.count);
    for (guint i = 0; i < t->model->layout.tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(&t->model->layout, (int)i);
        int64_t low = MAX(from, tensor->offset), high = MIN(to, tensor->offset + tensor->count);
        if (low < high && !tensor->unused)
            rmil_adam_update(t->config, t->state.updates, t->gradients + low, t->count, t->stride, high - low, t->arrays[PARAMETERS] + low,
                             t->arrays[FIRST] + low, t->arrays[SECOND] + low);
    }
    return TRUE;
}

/* -- an epoch ------------------------------------------------------------------------------------------------------------------ */
/* Positions in the training set, `count` of them: class-balanced with replacement, or each slide once. */
static void draw_order(const Trainer *t, const int64_t *set, int64_t count, int64_t *slides) {
    RmilRng rng;
    rmil_rng_init(&rng, t->config->seed, stream(STREAM_ORDER, t->state.epoch + 1, 0));
    if (!t->config->balanced) {
        memcpy(slides, set, (size_t)count * sizeof *set);
        rmil_rng_shuffle(&rng, slides, count);
        return;
    }
    g_autofree int64_t *by_class = g_new(int64_t, count);
    int64_t negatives = 0, end = count;
    for (int64_t i = 0; i < count; i++) {
        if (t->targets[set[i]].label == 0) by_class[negatives++] = set[i];
        else by_class[--end] = set[i];
    }
    for (int64_t i = 0; i < count; i++)
        slides[i] = rmil_rng_below(&rng, 2) ? by_class[negatives + rmil_rng_below(&rng, count - negatives)]
                                            : by_class[rmil_rng_below(&rng, negatives)];
}

static gboolean train_epoch(Trainer *t, const int64_t *set, int64_t count, RmilEpoch *epoch, GError **error) {
    g_autofree int64_t *slides = g_new(int64_t, count);
    draw_order(t, set, count, slides);
    for (int64_t i = 0; i < count; i += t->config->group) {
        int64_t size = MIN(t->config->group, count - i);
        if (!run_bags(t, slides + i, i, size, TRUE, error)) return FALSE;
        for (int64_t j = 0; j < size; j++) {
            const RmilOutcome *outcome = &t->outcomes[j];
            epoch->train_loss += outcome->loss / (double)count;
            epoch->train_slide_loss += outcome->slide_loss / (double)count;
            epoch->train_guide_loss += outcome->guide_loss / (double)count;
        }
        t->state.updates++;
        if (!rmil_crew_run(t->crew, (t->model->layout.count + CHUNK - 1) / CHUNK, update_chunk, t, error)) return FALSE;
    }
    for (int64_t i = 0; i < t->stride; i++) /* relu turns NaN into 0, so that the loss alone does not tell */
        if (!isfinite(t->arrays[PARAMETERS][i]) || !isfinite(epoch->train_loss))
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "training left the finite numbers in epoch %" G_GINT64_FORMAT
                             ": a smaller learning rate may help, or a feature is NaN or infinite",
                             t->state.epoch + 1);
    return TRUE;
}

/* Of the log odds of the bags at hand; NaN with one class. */
static double auroc(const Trainer *t) {
    double probability;
    RmilMetrics metrics;
    for (int64_t i = 0; i < t->count; i++) {
        t->truth[i] = t->targets[t->slides[i]].label;
        rmil_model_probability(t->model->class, &t->outcomes[i], &probability, &t->logits[i]);
    }
    rmil_metrics(t->truth, t->logits, t->count, 0, &metrics);
    return metrics.auroc;
}

static gboolean validate(Trainer *t, const int64_t *set, int64_t count, RmilEpoch *epoch, GError **error) {
    epoch->val_loss = epoch->val_auroc = NAN;
    if (count == 0) return TRUE;
    if (!run_bags(t, set, 0, count, FALSE, error)) return FALSE;
    epoch->val_loss = 0;
    for (int64_t i = 0; i < count; i++) epoch->val_loss += t->outcomes[i].loss / (double)count;
    epoch->val_auroc = auroc(t);
    return TRUE;
}

/* -- the run -------------------------------------------------------------------------------------------------------------------- */
static gboolean check_config(const RmilTrainConfig *config, GError **error) {
    return rmil_options_check(rmil_trainer_options, config, error);
}

static gboolean check(const RmilTrainConfig *config, const RmilBag *const *bags, const RmilTarget *targets, const int64_t *train_set,
                      int64_t train_count, const int64_t *val_set, int64_t val_count, GError **error) {
    if (!check_config(config, error)) return FALSE;
    int64_t of_class[2] = {0};
    for (int64_t i = 0; i < train_count + val_count; i++) {
        int64_t slide = i < train_count ? train_set[i] : val_set[i - train_count];
        if (targets[slide].label != 0 && targets[slide].label != 1)
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; training takes labels 0 and 1", bags[slide]->id, targets[slide].label);
        if (i < train_count) of_class[targets[slide].label]++;
    }
    for (int c = 0; c < 2; c++)
        if (of_class[c] == 0)
            return rmil_fail(error, RMIL_ERROR_DATA, "the training set has no slide with label %d: both classes are needed", c);
    return TRUE;
}

/* -- the crew ------------------------------------------------------------------------------------------------------------------- */
static void hire(Trainer *t, int threads) {
    t->crew = rmil_crew_new(threads);
    t->arenas = g_new(RmilArena *, rmil_crew_threads(t->crew));
    for (int i = 0; i < rmil_crew_threads(t->crew); i++) t->arenas[i] = rmil_arena_new();
}

static void dismiss(Trainer *t) {
    for (int i = 0; t->crew && i < rmil_crew_threads(t->crew); i++) rmil_arena_free(t->arenas[i]);
    g_clear_pointer(&t->arenas, g_free);
    g_clear_pointer(&t->crew, rmil_crew_free);
}

static void ask_threads(Trainer *t) {
    if (!t->config->ask_threads) return;
    const int now = rmil_crew_threads(t->crew), next = rmil_threads(t->config->ask_threads(t->config->ask_user, now));
    if (next == now) return;
    dismiss(t);
    hire(t, next);
}

static gboolean prepare(Trainer *t, const RmilModelConfig *config, int64_t val_count, GError **error) {
    t->model = rmil_model_new(config, t->config->seed, error);
    if (!t->model) return FALSE;
    t->stride = t->model->layout.count;
    t->memory = rmil_alloc((ARRAYS + t->config->group) * t->stride, sizeof(float), error);
    if (!t->memory) return FALSE;
    for (int i = 0; i < ARRAYS; i++) t->arrays[i] = t->memory + i * t->stride;
    t->gradients = t->memory + ARRAYS * t->stride;
    memcpy(t->arrays[PARAMETERS], t->model->parameters, (size_t)t->stride * sizeof(float));
    memcpy(t->arrays[BEST], t->model->parameters, (size_t)t->stride * sizeof(float));
    t->state.best_loss = INFINITY;
    hire(t, t->config->threads);
    const int64_t most = MAX(t->config->group, val_count);
    t->order = g_new(int64_t, most);
    t->outcomes = g_new(RmilOutcome, most);
    t->truth = g_new(int, most);
    t->logits = g_new(double, most);
    return TRUE;
}

static void release(Trainer *t) {
    dismiss(t);
    g_free(t->order);
    g_free(t->outcomes);
    g_free(t->truth);
    g_free(t->logits);
    rmil_free(t->memory);
    rmil_model_free(t->model);
}

/* Whether training is over after state.epoch epochs. */
static gboolean over(const Trainer *t) {
    const RmilTrainConfig *c = t->config;
    return t->state.epoch >= c->epochs || (t->state.waiting >= c->patience && t->state.epoch >= c->warmup);
}

static gboolean save(const Trainer *t, const char *path, const char *key, const GArray *history, GError **error) {
    return rmil_checkpoint_write(path, key, &t->state, history, (const float *const *)t->arrays, t->stride, error);
}

/* Loss, its part for the guide, validation, and the epoch that would be kept: what one looks at while training. */
static void note_epoch(const Trainer *t, const RmilEpoch *epoch, const RmilMonitor *monitor) {
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "epoch %" G_GINT64_FORMAT ", loss %.3f", epoch->epoch, epoch->train_loss);
    if (epoch->train_guide_loss > 0)
        g_string_append_printf(text, " (slides %.3f, guide %.3f)", epoch->train_slide_loss, epoch->train_guide_loss);
    if (isfinite(epoch->val_loss)) g_string_append_printf(text, ", validation %.3f", epoch->val_loss);
    if (isfinite(epoch->val_auroc)) g_string_append_printf(text, ", AUROC %.3f", epoch->val_auroc);
    rmil_monitor_note(monitor, "%s, best epoch %" G_GINT64_FORMAT, text->str, epoch->epoch - t->state.waiting);
}

static gboolean run(Trainer *t, const int64_t *train_set, int64_t train_count, const int64_t *val_set, int64_t val_count,
                    const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error) {
    g_autofree char *key = checkpoint ? rmil_run_key(&t->model->config, t->config, t->bags, t->targets, train_set, train_count, val_set,
                                                     val_count, t->crew, error)
                                      : NULL;
    gboolean other = FALSE, saved = FALSE;
    if (checkpoint && !key) return FALSE;
    if (checkpoint) saved = rmil_checkpoint_read(checkpoint, key, &t->state, history, t->arrays, t->stride, &other);
    if (other) rmil_monitor_warn(monitor, "%s: is a checkpoint of another run, or broken: training starts anew", checkpoint);
    gint64 last = g_get_monotonic_time(), cost = G_USEC_PER_SEC / 20;
    while (!over(t)) {
        RmilEpoch epoch = {.epoch = t->state.epoch + 1};
        ask_threads(t);
        if (!train_epoch(t, train_set, train_count, &epoch, error) || !validate(t, val_set, val_count, &epoch, error)) return FALSE;
        t->state.epoch++;
        epoch.best = val_count == 0 || epoch.val_loss < t->state.best_loss;
        t->state.waiting = epoch.best ? 0 : t->state.waiting + 1;
        if (epoch.best) {
            if (val_count) t->state.best_loss = epoch.val_loss;
            memcpy(t->arrays[BEST], t->arrays[PARAMETERS], (size_t)t->stride * sizeof(float));
        }
        g_array_append_val(history, epoch);
        note_epoch(t, &epoch, monitor);
        rmil_monitor_progress(monitor, "training", t->state.epoch, t->config->epochs);
        gint64 now = g_get_monotonic_time();
        saved = checkpoint && (double)(now - last) * CHECKPOINT_SHARE >= (double)cost;
        if (saved) {
            if (!save(t, checkpoint, key, history, error)) return FALSE;
            last = g_get_monotonic_time();
            cost = last - now;
        }
    }
    return !checkpoint || saved || save(t, checkpoint, key, history, error);
}

RmilModel *rmil_train(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilBag *const *bags, const RmilTarget *targets,
                      const int64_t *train_set, int64_t train_count, const int64_t *val_set, int64_t val_count, const char *checkpoint,
                      GArray *history, const RmilMonitor *monitor, GError **error) {
    if (!check(train, bags, targets, train_set, train_count, val_set, val_count, error)) return NULL;
    RmilModelConfig config = *model;
    if (config.dim == 0) config.dim = bags[train_set[0]]->dim;
    Trainer t = {.config = train, .bags = bags, .targets = targets};
    g_autoptr(GArray) own = history ? NULL : g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    if (!history) history = own;
    g_array_set_size(history, 0);
    RmilModel *result = NULL;
    if (prepare(&t, &config, val_count, error) &&
        run(&t, train_set, train_count, val_set, val_count, checkpoint, history, monitor, error)) {
        memcpy(t.model->parameters, t.arrays[BEST], (size_t)t.stride * sizeof(float));
        result = g_steal_pointer(&t.model);
    }
    release(&t);
    return result;
}
