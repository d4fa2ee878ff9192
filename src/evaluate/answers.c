/* What a row of predictions says. */
#include "evaluate-private.h"

#include <math.h>

int rmil_predicted_class(const RmilTask *task, const RmilPredictionRow *row) {
    int best = task->kind == RMIL_TASK_CLASSES ? 0 : -1;
    for (int c = 1; c < task->classes; c++)
        if (rmil_class_probability(task, row, c) > rmil_class_probability(task, row, best)) best = c;
    return best;
}

double rmil_class_probability(const RmilTask *task, const RmilPredictionRow *row, int class) {
    if (task->classes == 2) return class ? row->probability : 1 - row->probability;
    return class < row->count ? row->values[class] : NAN;
}
