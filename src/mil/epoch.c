/* One epoch of training. */
#include "epoch.h"

#include "adam.h"
#include "rankmil/outcome.h"

#include <math.h>

/* Parameters per task of the update: a few hundred KiB with the gradients of a group. */
#define CHUNK 8192

enum { STREAM_ORDER = 1, STREAM_STEP = 2 };

uint64_t rmil_trainer_stream(int purpose, int64_t epoch, int64_t position) {
    return (uint64_t)purpose << 60 | (uint64_t)epoch << 36 | (uint64_t)position;
}

/* -- one pass over the bags at hand ------------------------------------------------------------------------------------------ */
static gboolean run_bag(int64_t index, int worker, gpointer user, GError **error) {
    RmilTrainer *t = user;
    const int64_t at = t->order[index], slide = t->hand[at];
    RmilStep step = {.parameters = t->arrays[RMIL_PARAMETERS], .bag = t->slides.bags[slide], .target = t->slides.targets[slide]};
    if (t->training) {
        step.train = TRUE;
        step.seed = t->config->seed;
        step.stream = rmil_trainer_stream(STREAM_STEP, t->state.epoch + 1, t->first + at);
        step.gradient = t->look ? NULL : t->gradients + at * t->stride;
        step.slope = t->given ? &t->slopes[at] : NULL;
    }
    return rmil_model_step(t->model, &step, t->arenas[worker], &t->outcomes[at], error);
}

static int larger_bag(gconstpointer a, gconstpointer b, gpointer user) {
    const RmilTrainer *t = user;
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int64_t kx = t->slides.bags[t->hand[x]]->count, ky = t->slides.bags[t->hand[y]]->count;
    return kx != ky ? (kx < ky ? 1 : -1) : (x > y) - (x < y);
}

static gboolean run_bags(RmilTrainer *t, const int64_t *slides, int64_t first, int64_t count, gboolean training, GError **error) {
    t->hand = slides;
    t->first = first;
    t->count = count;
    t->training = training;
    for (int64_t i = 0; i < count; i++) t->order[i] = i;
    g_qsort_with_data(t->order, (int)count, sizeof *t->order, larger_bag, t);
    return rmil_crew_run(t->crew, count, run_bag, t, error);
}

/* -- Cox's partial likelihood ------------------------------------------------------------------------------------------------ */
static gboolean is_cox(const RmilTrainer *t) {
    const RmilModelConfig *config = &t->model->config;
    return config->task.kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_COX;
}

/* The loss of the bags at hand together, minus the log partial likelihood divided by their number, with its slopes by their risks. */
static double cox_loss(RmilTrainer *t) {
    g_autofree double *risks = g_new(double, t->count), *times = g_new(double, t->count);
    g_autofree gboolean *events = g_new(gboolean, t->count);
    for (int64_t i = 0; i < t->count; i++) {
        const RmilTarget *target = &t->slides.targets[t->hand[i]];
        risks[i] = t->outcomes[i].logits[0], times[i] = target->time, events[i] = target->event;
    }
    return rmil_cox_loss(risks, times, events, t->count, TRUE, t->slopes) / (double)t->count;
}

/* Each bag's loss becomes its share of what all have together. */
static void share_loss(RmilTrainer *t, double loss) {
    for (int64_t i = 0; i < t->count; i++) {
        t->outcomes[i].slide_loss = loss;
        t->outcomes[i].loss = loss + t->outcomes[i].guide_loss;
    }
}

/* A group in training. By Cox's it goes forward twice: what a bag's slope is shows when all risks are known. The update divides by the
 * group's size, which makes the slopes those of the loss. */
static gboolean run_group(RmilTrainer *t, const int64_t *slides, int64_t first, int64_t count, GError **error) {
    if (!is_cox(t)) return run_bags(t, slides, first, count, TRUE, error);
    t->look = TRUE;
    const gboolean seen = run_bags(t, slides, first, count, TRUE, error);
    t->look = FALSE;
    if (!seen) return FALSE;
    const double loss = cox_loss(t);
    t->given = TRUE;
    const gboolean done = run_bags(t, slides, first, count, TRUE, error);
    t->given = FALSE;
    share_loss(t, loss);
    return done;
}

/* -- the update -------------------------------------------------------------------------------------------------------------- */
static gboolean update_chunk(int64_t index, int worker, gpointer user, GError **error) {
    RmilTrainer *t = user;
    int64_t from = index * CHUNK, to = MIN(from + CHUNK, t->model->layout.count);
    for (guint i = 0; i < t->model->layout.tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(&t->model->layout, (int)i);
        int64_t low = MAX(from, tensor->offset), high = MIN(to, tensor->offset + tensor->count);
        if (low < high && !tensor->unused)
            rmil_adam_update(t->config, t->state.updates, t->gradients + low, t->slots, t->stride, high - low,
                             t->arrays[RMIL_PARAMETERS] + low, t->arrays[RMIL_FIRST] + low, t->arrays[RMIL_SECOND] + low);
    }
    return TRUE;
}

gboolean rmil_trainer_update(RmilTrainer *t, int64_t slots, GError **error) {
    t->slots = slots;
    t->state.updates++;
    return rmil_crew_run(t->crew, (t->model->layout.count + CHUNK - 1) / CHUNK, update_chunk, t, error);
}

gboolean rmil_trainer_finite(const RmilTrainer *t, const RmilEpoch *epoch, GError **error) {
    for (int64_t i = 0; i < t->stride; i++) /* relu turns NaN into 0, so that the loss alone does not tell */
        if (!isfinite(t->arrays[RMIL_PARAMETERS][i]) || !isfinite(epoch->train_loss))
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "training left the finite numbers in epoch %" G_GINT64_FORMAT
                             ": a smaller learning rate may help, or a feature is NaN or infinite",
                             t->state.epoch + 1);
    return TRUE;
}

/* -- an epoch ------------------------------------------------------------------------------------------------------------------ */
static gboolean learn(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    const int64_t count = t->slides.train_count;
    g_autofree int64_t *slides = g_new(int64_t, count);
    RmilRng rng;
    rmil_rng_init(&rng, t->config->seed, rmil_trainer_stream(STREAM_ORDER, t->state.epoch + 1, 0));
    rmil_targets_draw(&t->model->config.task, t->slides.targets, t->slides.train, count, t->config->balanced, &rng, slides);
    for (int64_t i = 0; i < count; i += t->config->group) {
        int64_t size = MIN(t->config->group, count - i);
        if (!run_group(t, slides + i, i, size, error)) return FALSE;
        for (int64_t j = 0; j < size; j++) {
            const RmilOutcome *outcome = &t->outcomes[j];
            epoch->train_loss += outcome->loss / (double)count;
            epoch->train_slide_loss += outcome->slide_loss / (double)count;
            epoch->train_guide_loss += outcome->guide_loss / (double)count;
        }
        if (!rmil_trainer_update(t, size, error)) return FALSE;
    }
    return rmil_trainer_finite(t, epoch, error);
}

gboolean rmil_trainer_validate(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    const int64_t *set = t->slides.val, count = t->slides.val_count;
    epoch->val_loss = epoch->val_metric = NAN;
    if (count == 0) return TRUE;
    if (!run_bags(t, set, 0, count, FALSE, error)) return FALSE;
    if (is_cox(t)) share_loss(t, cox_loss(t));
    epoch->val_loss = 0;
    for (int64_t i = 0; i < count; i++) epoch->val_loss += t->outcomes[i].loss / (double)count;
    epoch->val_metric = rmil_targets_metric(&t->model->config, t->slides.targets, set, t->outcomes, count);
    return TRUE;
}

static int64_t slots(const RmilTrainConfig *config) { return config->group; }

const RmilTrainerKind rmil_bag_trainer = {.slots = slots, .learn = learn, .validate = rmil_trainer_validate};
