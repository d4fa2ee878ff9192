/* SPDX-License-Identifier: Apache-2.0 */
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

const char *rmil_class_word(const RmilTask *task, int class) {
    if (rmil_task_is_plain(task)) return class ? "positive" : "negative";
    return task->names[class];
}

static const RmilTarget *target_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i).target; }

char *rmil_predictions_counts(const GArray *rows, const RmilTask *task, const char *last) {
    int64_t of_class[RMIL_CLASSES_MOST] = {0}, events = 0, known = 0;
    for (guint i = 0; i < rows->len; i++) {
        const RmilTarget *target = target_at(rows, i);
        if (!rmil_target_known(task, target)) continue;
        known++;
        if (task->kind == RMIL_TASK_CLASSES) of_class[target->label]++;
        events += task->kind == RMIL_TASK_SURVIVAL && target->event;
    }
    if (task->kind == RMIL_TASK_NUMBER) return NULL;
    if (task->kind == RMIL_TASK_SURVIVAL)
        return g_strdup_printf("%" G_GINT64_FORMAT " with the event%s%" G_GINT64_FORMAT " censored", events, last, known - events);
    GString *text = g_string_new(NULL);
    for (int c = 0; c < task->classes; c++) {
        const int class = task->classes == 2 ? 1 - c : c; /* positive first */
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT " %s",
                               !c                      ? ""
                               : c < task->classes - 1 ? ", "
                                                       : last,
                               of_class[class], rmil_class_word(task, class));
    }
    return g_string_free(text, FALSE);
}

gboolean rmil_predictions_measurable(const GArray *rows, const RmilTask *task) {
    gboolean enough = FALSE;
    for (guint i = 0; i < rows->len && !enough; i++)
        enough = task->kind == RMIL_TASK_CLASSES    ? target_at(rows, i)->label != target_at(rows, 0)->label
                 : task->kind == RMIL_TASK_SURVIVAL ? target_at(rows, i)->event && rows->len > 1
                                                    : i > 0;
    return enough;
}
