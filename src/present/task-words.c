/* What is predicted, in the words of a page. */
#include "task-words.h"

#include <math.h>

static const RmilPredictionRow *row_at(const GArray *rows, guint i) { return &g_array_index(rows, RmilPredictionRow, i); }

static const char *class_name(const RmilTask *task, int class) {
    if (rmil_task_is_plain(task)) return class ? "positive" : "negative";
    return task->names[class];
}

char *rmil_task_counts(const RmilTask *task, const GArray *rows) {
    int64_t of_class[RMIL_CLASSES_MOST] = {0}, events = 0, known = 0;
    for (guint i = 0; i < rows->len; i++) {
        const RmilTarget *target = &row_at(rows, i)->target;
        if (!rmil_target_known(task, target)) continue;
        known++;
        if (task->kind == RMIL_TASK_CLASSES) of_class[target->label]++;
        events += task->kind == RMIL_TASK_SURVIVAL && target->event;
    }
    if (task->kind == RMIL_TASK_NUMBER) return NULL;
    if (task->kind == RMIL_TASK_SURVIVAL)
        return g_strdup_printf("%" G_GINT64_FORMAT " with the event, %" G_GINT64_FORMAT " censored", events, known - events);
    GString *text = g_string_new(NULL);
    for (int c = 0; c < task->classes; c++) {
        const int class = task->classes == 2 ? 1 - c : c; /* the positive ones first */
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT " %s", c ? ", " : "", of_class[class], class_name(task, class));
    }
    return g_string_free(text, FALSE);
}

char *rmil_task_truth(const RmilTask *task, const RmilTarget *target) {
    if (!rmil_target_known(task, target)) return g_strdup("");
    if (task->kind == RMIL_TASK_CLASSES) return g_strdup(class_name(task, target->label));
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

gboolean rmil_task_is_wrong(const RmilTask *task, const RmilPredictionRow *row) {
    return task->kind == RMIL_TASK_CLASSES && rmil_target_known(task, &row->target) && rmil_predicted_class(task, row) != row->target.label;
}

double rmil_task_distance(const RmilTask *task, const RmilPredictionRow *row) {
    if (!rmil_target_known(task, &row->target) || task->kind == RMIL_TASK_SURVIVAL) return NAN;
    return task->kind == RMIL_TASK_NUMBER ? fabs(row->answer - row->target.value)
                                          : 1 - rmil_class_probability(task, row, row->target.label);
}

gboolean rmil_task_measurable(const RmilTask *task, const GArray *rows) {
    gboolean other = FALSE;
    for (guint i = 0; i < rows->len && !other; i++) {
        const RmilTarget *target = &row_at(rows, i)->target;
        other = task->kind == RMIL_TASK_CLASSES    ? target->label != row_at(rows, 0)->target.label
                : task->kind == RMIL_TASK_SURVIVAL ? target->event
                                                   : i > 0;
    }
    return other;
}
