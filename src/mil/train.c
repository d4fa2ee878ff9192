/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer: the paper's protocol. */
#include "group.h"
#include "guide.h"
#include "patch.h"
#include "run-key.h"

#include <math.h>
#include <string.h>

static const char *const samplers[] = {"shuffle", "balanced", NULL}; /* FALSE, TRUE */
static const char *const stops[] = {"loss", "metric", NULL};

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
    {RMIL_WORD("sampler", "sampler", TRUE, samplers, "NAME",
               "take each slide once per epoch, or draw with replacement, each class "
               "equally often"),
     .offset = offsetof(RmilTrainConfig, balanced)},
    {RMIL_WORD("stop-on", "stop_on", FALSE, stops, "NAME",
               "choose the best epoch on the validation set by the loss, or by the metric (AUROC, c-index, R²)"),
     .offset = offsetof(RmilTrainConfig, stop_metric), .quiet = TRUE},
    {0},
};

void rmil_train_config_init(RmilTrainConfig *config) {
    *config = (RmilTrainConfig){.threads = 0};
    rmil_options_init(rmil_trainer_options, config);
}

/* Checkpoints may take at most this share of the time. */
#define CHECKPOINT_SHARE 0.05

/* -- the crew ------------------------------------------------------------------------------------------------------------------- */
static void hire(RmilTrainer *t, int threads) {
    t->crew = rmil_crew_new(threads);
    t->hired++;
    t->arenas = g_new(RmilArena *, rmil_crew_threads(t->crew));
    for (int i = 0; i < rmil_crew_threads(t->crew); i++) t->arenas[i] = rmil_arena_new();
}

static void dismiss(RmilTrainer *t) {
    for (int i = 0; t->crew && i < rmil_crew_threads(t->crew); i++) rmil_arena_free(t->arenas[i]);
    g_clear_pointer(&t->arenas, g_free);
    g_clear_pointer(&t->crew, rmil_crew_free);
}

static void ask_threads(RmilTrainer *t) {
    if (!t->config->ask_threads) return;
    const int now = rmil_crew_threads(t->crew), next = rmil_threads(t->config->ask_threads(t->config->ask_user, now));
    if (next == now) return;
    dismiss(t);
    hire(t, next);
}

/* Starts the model from a given one, if there is one. */
static gboolean begin_warm(RmilTrainer *t, GError **error) {
    const RmilModel *warm = t->config->warm;
    if (!warm) return TRUE;
    if (strcmp(warm->config.model, t->model->config.model) != 0 || warm->layout.count != t->stride)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "training cannot start from another model's parameters: they are of %s with %" G_GINT64_FORMAT " numbers, "
                         "not %s with %" G_GINT64_FORMAT,
                         warm->config.model, warm->layout.count, t->model->config.model, t->stride);
    memcpy(t->model->parameters, warm->parameters, (size_t)t->stride * sizeof(float));
    return TRUE;
}

static gboolean prepare(RmilTrainer *t, const RmilModelConfig *config, GError **error) {
    t->model = rmil_model_new(config, t->config->seed, error);
    if (!t->model) return FALSE;
    t->stride = t->model->layout.count;
    t->memory = rmil_alloc((RMIL_ARRAYS + t->kind->slots(t->config)) * t->stride, sizeof(float), error);
    if (!t->memory) return FALSE;
    for (int i = 0; i < RMIL_ARRAYS; i++) t->arrays[i] = t->memory + i * t->stride;
    t->gradients = t->memory + RMIL_ARRAYS * t->stride;
    t->state.best_loss = INFINITY;
    hire(t, t->config->threads);
    if ((t->kind->prepare && !t->kind->prepare(t, error)) || !begin_warm(t, error)) return FALSE;
    memcpy(t->arrays[RMIL_PARAMETERS], t->model->parameters, (size_t)t->stride * sizeof(float));
    memcpy(t->arrays[RMIL_BEST], t->model->parameters, (size_t)t->stride * sizeof(float));
    const int64_t most = MAX(t->config->group, t->slides.val_count);
    t->order = g_new(int64_t, most);
    t->outcomes = g_new(RmilOutcome, most);
    t->slopes = g_new(double, most);
    return rmil_group_prepare(t, most, error);
}

static void release(RmilTrainer *t) {
    if (t->kind->release) t->kind->release(t);
    rmil_group_release(t);
    dismiss(t);
    g_free(t->order);
    g_free(t->outcomes);
    g_free(t->slopes);
    rmil_free(t->memory);
    rmil_model_free(t->model);
}

/* Is training over after state.epoch epochs? */
static gboolean over(const RmilTrainer *t) {
    const RmilTrainConfig *c = t->config;
    return t->state.epoch >= c->epochs || (t->state.waiting >= c->patience && t->state.epoch >= c->warmup);
}

/* Is this the best of the epochs so far, to be kept? */
static gboolean is_best(const RmilTrainer *t, const RmilEpoch *epoch, const GArray *history) {
    if (t->slides.val_count == 0) return TRUE;
    if (!t->config->stop_metric) return epoch->val_loss < t->state.best_loss;
    for (guint i = history->len; i-- > 0;) {
        const RmilEpoch *before = &g_array_index(history, RmilEpoch, i);
        if (before->best)
            return epoch->val_metric > before->val_metric ||
                   (epoch->val_metric == before->val_metric && epoch->val_loss < before->val_loss);
    }
    return TRUE;
}

static gboolean check_metric(const RmilTrainer *t, const RmilEpoch *epoch, GError **error) {
    return !t->config->stop_metric || t->slides.val_count == 0 || isfinite(epoch->val_metric) ||
           rmil_fail(error, RMIL_ERROR_DATA,
                     "the %s of the validation set is undefined, because it has too few different targets: use --stop-on loss",
                     rmil_epoch_metric(&t->model->config.task));
}

static gboolean save(const RmilTrainer *t, const char *path, const char *key, const GArray *history, GError **error) {
    const float *const arrays[] = {t->arrays[0], t->arrays[1], t->arrays[2], t->arrays[3], t->average};
    return rmil_checkpoint_write(path, key, &t->state, history, arrays, t->stride, error);
}

/* Reports the loss, the guide's part of it, validation, and the best epoch so far. */
static void note_epoch(const RmilTrainer *t, const RmilEpoch *epoch, const RmilMonitor *monitor) {
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text, "epoch %" G_GINT64_FORMAT ", loss %.3f", epoch->epoch, epoch->train_loss);
    if (epoch->train_guide_loss > 0)
        g_string_append_printf(text, " (slides %.3f, guide %.3f)", epoch->train_slide_loss, epoch->train_guide_loss);
    if (isfinite(epoch->val_loss)) g_string_append_printf(text, ", validation %.3f", epoch->val_loss);
    if (isfinite(epoch->val_metric))
        g_string_append_printf(text, ", %s %.3f", rmil_epoch_metric(&t->model->config.task), epoch->val_metric);
    rmil_monitor_note(monitor, "%s, best epoch %" G_GINT64_FORMAT, text->str, epoch->epoch - t->state.waiting);
}

/* -- the run -------------------------------------------------------------------------------------------------------------------- */
static gboolean run(RmilTrainer *t, const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error) {
    g_autofree char *key = checkpoint ? rmil_run_key(&t->model->config, t->config, &t->slides, t->crew, error) : NULL;
    gboolean other = FALSE, saved = FALSE;
    if (checkpoint && !key) return FALSE;
    float *const arrays[] = {t->arrays[0], t->arrays[1], t->arrays[2], t->arrays[3], t->average};
    if (checkpoint) saved = rmil_checkpoint_read(checkpoint, key, &t->state, history, arrays, t->stride, &other);
    if (other)
        rmil_monitor_warn(monitor, "%s: is broken or a checkpoint of another run, so training starts from the beginning", checkpoint);
    gint64 last = g_get_monotonic_time(), cost = G_USEC_PER_SEC / 20;
    while (!over(t)) {
        RmilEpoch epoch = {.epoch = t->state.epoch + 1};
        ask_threads(t);
        if (!t->kind->learn(t, &epoch, error) || !t->kind->validate(t, &epoch, error) || !check_metric(t, &epoch, error)) return FALSE;
        t->state.epoch++;
        epoch.best = is_best(t, &epoch, history);
        t->state.waiting = epoch.best ? 0 : t->state.waiting + 1;
        if (epoch.best) {
            if (t->slides.val_count) t->state.best_loss = epoch.val_loss;
            memcpy(t->arrays[RMIL_BEST], t->arrays[RMIL_PARAMETERS], (size_t)t->stride * sizeof(float));
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
    if (train->warm && checkpoint) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "a training that starts from another model's parameters has no checkpoint");
        return NULL;
    }
    RmilTrainer t = {.config = train, .slides = {bags, targets, train_set, val_set, train_count, val_count}};
    if (!rmil_options_check(rmil_trainer_options, train, error) || !rmil_targets_check(&model->task, &t.slides, error)) return NULL;
    RmilModelConfig config = *model;
    if (config.dim == 0) config.dim = bags[train_set[0]]->dim; /* from the bags */
    const RmilModelClass *class = rmil_model_class(config.model, error);
    g_autofree int64_t *kept = class ? g_new(int64_t, train_count) : NULL;
    if (!class || (class->patches && !rmil_patch_slides(&config, &t.slides, kept, monitor, error))) return NULL;
    if (!rmil_guide_ready(&config, &t.slides, monitor, error) || !rmil_targets_learn(&config, &t.slides, error)) return NULL;
    g_autoptr(GArray) own = history ? NULL : g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    if (!history) history = own;
    t.kind = class->trainer ? class->trainer : &rmil_bag_trainer;
    t.monitor = monitor;
    g_array_set_size(history, 0);
    RmilModel *result = NULL;
    if (prepare(&t, &config, error) && run(&t, checkpoint, history, monitor, error)) {
        memcpy(t.model->parameters, t.arrays[RMIL_BEST], (size_t)t.stride * sizeof(float));
        result = g_steal_pointer(&t.model);
    }
    release(&t);
    return result;
}
