/* SPDX-License-Identifier: Apache-2.0 */
/* What training needs from the targets of its slides: checks, the order of an epoch, the validation metric. */
#include "targets.h"

#include "loss.h"
#include "rankmil/evaluate.h"
#include "rankmil/outcome.h"

#include <math.h>
#include <string.h>

/* -- checks --------------------------------------------------------------------------------------------------------------- */
static gboolean refuse_label(const RmilTask *task, const char *id, int label, GError **error) {
    if (task->classes == 2) return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; training takes labels 0 and 1", id, label);
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; training takes labels 0 to %d", id, label, task->classes - 1);
}

/* Index i over the training set, then the validation set. */
static int64_t slide_at(const RmilTrainSlides *slides, int64_t i) {
    return i < slides->train_count ? slides->train[i] : slides->val[i - slides->train_count];
}

static gboolean check_classes(const RmilTask *task, const RmilTrainSlides *slides, GError **error) {
    int64_t of_class[RMIL_CLASSES_MOST] = {0};
    for (int64_t i = 0; i < slides->train_count + slides->val_count; i++) {
        const int64_t slide = slide_at(slides, i);
        const int label = slides->targets[slide].label;
        if (label < 0 || label >= task->classes) return refuse_label(task, slides->bags[slide]->id, label, error);
        if (i < slides->train_count) of_class[label]++;
    }
    for (int c = 0; c < task->classes; c++) {
        if (of_class[c]) continue;
        if (rmil_task_is_plain(task))
            return rmil_fail(error, RMIL_ERROR_DATA, "the training set has no slide with label %d: both classes are needed", c);
        return rmil_fail(error, RMIL_ERROR_DATA, "the training set has no slide of class %d (%s): each of the %d classes is needed", c,
                         task->names[c], task->classes);
    }
    return TRUE;
}

static gboolean check_times(const RmilTrainSlides *slides, GError **error) {
    int64_t events = 0;
    for (int64_t i = 0; i < slides->train_count + slides->val_count; i++) {
        const int64_t slide = slide_at(slides, i);
        const RmilTarget *target = &slides->targets[slide];
        if (!(target->time > 0 && isfinite(target->time)))
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: its time is %g; training takes times above 0", slides->bags[slide]->id,
                             target->time);
        if (i < slides->train_count) events += target->event != FALSE;
    }
    return events > 0 ||
           rmil_fail(error, RMIL_ERROR_DATA, "all slides of the training set are censored, so there is no event to learn from");
}

static gboolean check_numbers(const RmilTrainSlides *slides, GError **error) {
    gboolean differ = FALSE;
    for (int64_t i = 0; i < slides->train_count + slides->val_count; i++) {
        const int64_t slide = slide_at(slides, i);
        const double value = slides->targets[slide].value;
        if (!isfinite(value))
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: its value is %g; training takes finite numbers", slides->bags[slide]->id, value);
        if (i < slides->train_count) differ = differ || value != slides->targets[slides->train[0]].value;
    }
    return differ || rmil_fail(error, RMIL_ERROR_DATA, "all slides of the training set have the same value, so there is nothing to learn");
}

gboolean rmil_targets_check(const RmilTask *task, const RmilTrainSlides *slides, GError **error) {
    if (task->kind == RMIL_TASK_CLASSES) return check_classes(task, slides, error);
    return task->kind == RMIL_TASK_SURVIVAL ? check_times(slides, error) : check_numbers(slides, error);
}

/* -- learned by the model ---------------------------------------------------------------------------------------------------- */
static gboolean learn_bins(RmilModelConfig *config, const RmilTrainSlides *slides, GError **error) {
    const int64_t n = slides->train_count;
    g_autofree double *times = g_new(double, n);
    g_autofree gboolean *events = g_new(gboolean, n);
    for (int64_t i = 0; i < n; i++) {
        times[i] = slides->targets[slides->train[i]].time;
        events[i] = slides->targets[slides->train[i]].event;
    }
    return rmil_time_bins(times, events, n, (int)config->bins, config->edges) ||
           rmil_fail(error, RMIL_ERROR_DATA,
                     "the training set has too few different times with an event for %" G_GINT64_FORMAT " bins of time: use fewer "
                     "(--bins), or --survival-loss cox",
                     config->bins);
}

gboolean rmil_targets_learn(RmilModelConfig *config, const RmilTrainSlides *slides, GError **error) {
    const RmilTaskKind kind = config->task.kind;
    const int64_t n = slides->train_count;
    if (kind == RMIL_TASK_SURVIVAL && config->survival_loss == RMIL_SURVIVAL_HAZARD) return learn_bins(config, slides, error);
    if (kind != RMIL_TASK_NUMBER) return TRUE;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += slides->targets[slides->train[i]].value;
    config->mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += pow(slides->targets[slides->train[i]].value - config->mean, 2);
    config->sd = sqrt(squares / (double)n);
    return (config->sd > 0 && isfinite(config->sd)) ||
           rmil_fail(error, RMIL_ERROR_DATA, "the values of the training set lie too close together, or too far apart, to be standardised");
}

/* -- order ---------------------------------------------------------------------------------------------------------------- */
void rmil_targets_draw(const RmilTask *task, const RmilTarget *targets, const int64_t *set, int64_t count, gboolean balanced, RmilRng *rng,
                       int64_t *slides) {
    if (!balanced || task->kind != RMIL_TASK_CLASSES) {
        memcpy(slides, set, (size_t)count * sizeof *set);
        rmil_rng_shuffle(rng, slides, count);
        return;
    }
    int64_t size[RMIL_CLASSES_MOST] = {0}, first[RMIL_CLASSES_MOST] = {0}, next[RMIL_CLASSES_MOST];
    for (int64_t i = 0; i < count; i++) size[targets[set[i]].label]++;
    for (int c = 1; c < task->classes; c++) first[c] = first[c - 1] + size[c - 1];
    for (int c = 0; c < task->classes; c++) next[c] = first[c] + (c ? size[c] : 0);
    g_autofree int64_t *by_class = g_new(int64_t, count);
    for (int64_t i = 0; i < count; i++) { /* class 0 in the set's order, the others in reverse, as it always was for two classes */
        const int c = targets[set[i]].label;
        by_class[c ? --next[c] : next[c]++] = set[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = rmil_rng_below(rng, task->classes);
        slides[i] = by_class[first[c] + rmil_rng_below(rng, size[c])];
    }
}

/* -- metric --------------------------------------------------------------------------------------------------------------- */
/* One class against the rest; values: one per slide. */
static double auroc(const RmilTarget *targets, const int64_t *slides, int64_t n, int class, const double *values, int *truth) {
    RmilMetrics metrics;
    for (int64_t i = 0; i < n; i++) truth[i] = targets[slides[i]].label == class;
    rmil_metrics(truth, values, n, 0, &metrics);
    return metrics.auroc;
}

static double class_metric(const RmilModelConfig *config, const RmilTarget *targets, const int64_t *slides, const RmilOutcome *outcomes,
                           int64_t n) {
    const int classes = config->task.classes;
    g_autofree RmilPrediction *said = g_new(RmilPrediction, n);
    g_autofree double *values = g_new(double, n);
    g_autofree int *truth = g_new(int, n);
    double sum = 0;
    int defined = 0;
    for (int64_t i = 0; i < n; i++) rmil_prediction_set(config, outcomes[i].logits, &said[i]);
    for (int c = classes == 2 ? 1 : 0; c < classes; c++) {
        for (int64_t i = 0; i < n; i++) values[i] = classes == 2 ? said[i].logit : said[i].values[c];
        const double one = auroc(targets, slides, n, c, values, truth);
        if (isnan(one)) continue;
        sum += one;
        defined++;
    }
    return defined ? sum / defined : NAN;
}

double rmil_targets_metric(const RmilModelConfig *config, const RmilTarget *targets, const int64_t *slides, const RmilOutcome *outcomes,
                           int64_t n) {
    if (config->task.kind == RMIL_TASK_CLASSES) return class_metric(config, targets, slides, outcomes, n);
    g_autofree double *answers = g_new(double, n), *truth = g_new(double, n);
    g_autofree gboolean *events = g_new(gboolean, n);
    for (int64_t i = 0; i < n; i++) {
        RmilPrediction said;
        rmil_prediction_set(config, outcomes[i].logits, &said);
        answers[i] = said.answer;
        truth[i] = config->task.kind == RMIL_TASK_SURVIVAL ? targets[slides[i]].time : targets[slides[i]].value;
        events[i] = targets[slides[i]].event;
    }
    RmilConcordance concordance;
    double numbers[RMIL_NUMBER_METRICS];
    if (config->task.kind == RMIL_TASK_NUMBER) rmil_number_metrics(truth, answers, n, numbers);
    else rmil_c_index(truth, events, answers, n, &concordance);
    return config->task.kind == RMIL_TASK_NUMBER ? numbers[RMIL_NUMBER_R2] : concordance.c_index;
}

const char *rmil_epoch_metric(const RmilTask *task) {
    return task->kind == RMIL_TASK_SURVIVAL ? "c-index"
           : task->kind == RMIL_TASK_NUMBER ? "R²"
           : task->classes > 2              ? "mean AUROC"
                                            : "AUROC";
}
