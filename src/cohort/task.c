/* What is predicted, and what is known of it. */
#include "cohort-private.h"

#include <string.h>

void rmil_task_init(RmilTask *task) { *task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"0", "1"}, .negative = TRUE}; }

gboolean rmil_task_equal(const RmilTask *a, const RmilTask *b) {
    if (a->kind != b->kind || a->classes != b->classes || a->negative != b->negative) return FALSE;
    for (int c = 0; c < a->classes; c++)
        if (strcmp(a->names[c], b->names[c]) != 0) return FALSE;
    return TRUE;
}

gboolean rmil_task_is_plain(const RmilTask *task) {
    RmilTask plain;
    rmil_task_init(&plain);
    return rmil_task_equal(task, &plain);
}

const char *rmil_task_kind_name(RmilTaskKind kind) {
    static const char *const names[] = {"classes", "survival", "number"};
    return names[kind];
}

gboolean rmil_target_known(const RmilTask *task, const RmilTarget *target) {
    return task->kind == RMIL_TASK_CLASSES    ? target->label >= 0
           : task->kind == RMIL_TASK_SURVIVAL ? !isnan(target->time)
                                              : !isnan(target->value);
}

gboolean rmil_target_lesion(const RmilTask *task, const RmilTarget *target) {
    return rmil_target_known(task, target) && (task->kind != RMIL_TASK_CLASSES || !task->negative || target->label > 0);
}
