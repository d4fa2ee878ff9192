/* What training takes from the targets of its slides: checks, the order of an epoch, the measure of the validation set. */
#include "targets.h"

#include "loss.h"
#include "rankmil/evaluate.h"

#include <math.h>
#include <string.h>

/* -- checks --------------------------------------------------------------------------------------------------------------- */
static gboolean refuse_label(const RmilTask *task, const char *id, int label, GError **error) {
    if (task->classes == 2) return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; training takes labels 0 and 1", id, label);
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; training takes labels 0 to %d", id, label, task->classes - 1);
}

static gboolean check_classes(const RmilTask *task, const RmilTrainSlides *slides, GError **error) {
    int64_t of_class[RMIL_CLASSES_MOST] = {0};
    for (int64_t i = 0; i < slides->train_count + slides->val_count; i++) {
        const int64_t slide = i < slides->train_count ? slides->train[i] : slides->val[i - slides->train_count];
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

gboolean rmil_targets_check(const RmilTask *task, const RmilTrainSlides *slides, GError **error) {
    return check_classes(task, slides, error);
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
    for (int64_t i = 0; i < count; i++) { /* class 0 in the set's order, the others in reverse: as two classes always were */
        const int c = targets[set[i]].label;
        by_class[c ? --next[c] : next[c]++] = set[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = rmil_rng_below(rng, task->classes);
        slides[i] = by_class[first[c] + rmil_rng_below(rng, size[c])];
    }
}

/* -- measure -------------------------------------------------------------------------------------------------------------- */
/* Of one class against the rest; values: one of each slide. */
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
    return class_metric(config, targets, slides, outcomes, n);
}

const char *rmil_epoch_metric(const RmilTask *task) {
    return task->kind == RMIL_TASK_SURVIVAL ? "c-index"
           : task->kind == RMIL_TASK_NUMBER ? "R²"
           : task->classes > 2              ? "mean AUROC"
                                            : "AUROC";
}
