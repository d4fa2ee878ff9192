/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and predictions in the words of a page. */
#include "task-words.h"

#include <math.h>

char *rmil_task_truth(const RmilTask *task, const RmilTarget *target) {
    if (!rmil_target_known(task, target)) return g_strdup("");
    if (task->kind == RMIL_TASK_CLASSES) return g_strdup(rmil_class_word(task, target->label));
    if (task->kind == RMIL_TASK_NUMBER) return g_strdup_printf("%.4g", target->value);
    return g_strdup_printf("%s at %.4g", target->event ? "event" : "censored", target->time);
}

char *rmil_task_answer(const RmilTask *task, const RmilPredictionRow *row) {
    if (task->classes == 2) return g_strdup_printf("%.3f", row->probability);
    if (task->kind != RMIL_TASK_CLASSES) return g_strdup_printf("%.4g", row->answer);
    const int class = rmil_predicted_class(task, row);
    return g_strdup_printf("%s %.3f", task->names[class], rmil_class_probability(task, row, class));
}

const char *rmil_task_answer_name(const RmilTask *task) {
    return task->classes == 2                 ? "probability"
           : task->kind == RMIL_TASK_CLASSES  ? "class and its probability"
           : task->kind == RMIL_TASK_SURVIVAL ? "risk"
                                              : "prediction";
}

const char *rmil_task_annotated(const RmilTask *task) { return task->classes == 2 ? "annotated positive" : "annotated"; }

gboolean rmil_task_is_wrong(const RmilTask *task, const RmilPredictionRow *row, double cut) {
    if (task->kind != RMIL_TASK_CLASSES || !rmil_target_known(task, &row->target)) return FALSE;
    return (task->classes == 2 ? row->probability >= cut : rmil_predicted_class(task, row)) != row->target.label;
}

double rmil_task_distance(const RmilTask *task, const RmilPredictionRow *row) {
    if (!rmil_target_known(task, &row->target) || task->kind == RMIL_TASK_SURVIVAL) return NAN;
    return task->kind == RMIL_TASK_NUMBER ? fabs(row->answer - row->target.value)
                                          : 1 - rmil_class_probability(task, row, row->target.label);
}
