/* SPDX-License-Identifier: Apache-2.0 */
/* What a table predicts: which columns have the target, and the times, events and numbers in them. */
#include "cohort-private.h"

#include <string.h>

static const char *const target_names[] = {"", "label", "survival", "value"};

gboolean rmil_target_column_parse(const char *name, RmilTargetColumn *target, GError **error) {
    for (*target = RMIL_TARGET_LABEL; *target <= RMIL_TARGET_VALUE; (*target)++)
        if (strcmp(name, target_names[*target]) == 0) return TRUE;
    *target = RMIL_TARGET_FOUND;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--target %s is not label, survival or value", name);
}

static gboolean is_filled(const RmilCohort *cohort, int column) {
    for (int64_t i = 0; column >= 0 && i < cohort->count; i++)
        if (*rmil_table_cell(cohort->table, i, column)) return TRUE;
    return FALSE;
}

/* -- cells -------------------------------------------------------------------------------------------------------------------- */
static gboolean read_event(const char *cell, gboolean *event) {
    static const char *const yes[] = {"1", "1.0", "1,0", "true", "yes", "dead", "deceased", NULL};
    static const char *const no[] = {"0", "0.0", "0,0", "false", "no", "alive", "living", NULL};
    g_autofree char *small = g_ascii_strdown(cell, -1);
    *event = g_strv_contains(yes, small);
    return *event || g_strv_contains(no, small);
}

static gboolean read_time(const RmilCohort *cohort, RmilCohortRow *row, int64_t i, const RmilTargetColumns *columns, GError **error) {
    const char *time = rmil_table_cell(cohort->table, i, columns->time), *event = rmil_table_cell(cohort->table, i, columns->event);
    if (!*time && !*event) return TRUE;
    if (!*time) return rmil_cohort_fail(cohort, row->line, "time", error, "is empty, but event is \"%s\": give both or neither", event);
    if (!*event) return rmil_cohort_fail(cohort, row->line, "event", error, "is empty, but time is \"%s\": give both or neither", time);
    if (!rmil_table_number(cohort->table, i, columns->time, &row->target.time, error)) return FALSE;
    if (row->target.time <= 0)
        return rmil_cohort_fail(cohort, row->line, "time", error, "\"%s\" is 0 or below: a time to an event is above 0", time);
    return read_event(event, &row->target.event) ||
           rmil_cohort_fail(cohort, row->line, "event", error,
                            "\"%s\" is not understood: write 1 if the event happened at that time, 0 if follow-up ended then", event);
}

static gboolean read_value(const RmilCohort *cohort, RmilCohortRow *row, int64_t i, int column, GError **error) {
    return !*rmil_table_cell(cohort->table, i, column) || rmil_table_number(cohort->table, i, column, &row->target.value, error);
}

/* -- which columns -------------------------------------------------------------------------------------------------------------- */
static RmilTargetColumn of_task(const RmilTask *task) {
    return task->kind == RMIL_TASK_CLASSES    ? RMIL_TARGET_LABEL
           : task->kind == RMIL_TASK_SURVIVAL ? RMIL_TARGET_SURVIVAL
                                              : RMIL_TARGET_VALUE;
}

/* The first target that the table has; if it has several, notes that. */
static RmilTargetColumn find_target(const RmilCohort *cohort, const RmilTargetColumns *columns, GPtrArray *notes) {
    const gboolean label = is_filled(cohort, columns->label), value = is_filled(cohort, columns->value),
                   survival = columns->time >= 0 && columns->event >= 0 &&
                              (is_filled(cohort, columns->time) || is_filled(cohort, columns->event));
    const RmilTargetColumn target = label      ? RMIL_TARGET_LABEL
                                    : survival ? RMIL_TARGET_SURVIVAL
                                    : value    ? RMIL_TARGET_VALUE
                                               : RMIL_TARGET_LABEL;
    const gboolean time = is_filled(cohort, columns->time), event = is_filled(cohort, columns->event);
    if (!label && !survival && time != event)
        g_ptr_array_add(notes, g_strdup_printf("%s: column %s is not used: predicting a time needs both columns, time and event",
                                               cohort->path, time ? "time" : "event"));
    if (label + survival + value > 1)
        g_ptr_array_add(notes, g_strdup_printf("%s: what is predicted is %s (the table has%s%s, too: --target chooses)", cohort->path,
                                               target == RMIL_TARGET_LABEL ? "label" : "time and event",
                                               target == RMIL_TARGET_LABEL && survival ? " time and event" : "",
                                               value ? (target == RMIL_TARGET_LABEL && survival ? ", and value" : " value") : ""));
    return target;
}

static gboolean check_there(const RmilCohort *cohort, const RmilTargetColumns *columns, RmilTargetColumn target, GError **error) {
    const char *missing = target == RMIL_TARGET_LABEL   ? (columns->label < 0 ? "label" : NULL)
                          : target == RMIL_TARGET_VALUE ? (columns->value < 0 ? "value" : NULL)
                          : columns->time < 0           ? "time"
                          : columns->event < 0          ? "event"
                                                        : NULL;
    return !missing || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: line 1: there is no column named %s, which --target %s needs", cohort->path,
                                 missing, target_names[target]);
}

/* Target columns that are not used become ordinary unknown columns. */
static void forget(RmilCohort *cohort, int column) {
    if (column >= 0) cohort->meaning[column] = NULL;
}

static gboolean read_rows(RmilCohort *cohort, const RmilTargetColumns *columns, GError **error) {
    for (int64_t i = 0; i < cohort->count; i++) {
        RmilCohortRow *row = &cohort->rows[i];
        if (!(cohort->task.kind == RMIL_TASK_SURVIVAL ? read_time(cohort, row, i, columns, error)
                                                      : read_value(cohort, row, i, columns->value, error)))
            return FALSE;
    }
    return TRUE;
}

gboolean rmil_cohort_read_targets(RmilCohort *cohort, const RmilTargetColumns *columns, const RmilReading *how, GPtrArray *notes,
                                  GError **error) {
    const gboolean asked = !how->task && how->target != RMIL_TARGET_FOUND && how->target != RMIL_TARGET_UNREAD;
    const RmilTargetColumn target = how->task                          ? of_task(how->task)
                                    : how->target != RMIL_TARGET_FOUND ? how->target
                                                                       : find_target(cohort, columns, notes);
    if (asked && !check_there(cohort, columns, target, error)) return FALSE;
    if (how->classes && !how->task && target != RMIL_TARGET_LABEL)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: --classes names the classes of label, but the cohort predicts %s", cohort->path,
                         target == RMIL_TARGET_VALUE ? "value" : "time and event");
    if (target == RMIL_TARGET_UNREAD) return TRUE;
    const gboolean label = target == RMIL_TARGET_LABEL, survival = target == RMIL_TARGET_SURVIVAL;
    if (!label) forget(cohort, columns->label);
    if (!survival) forget(cohort, columns->time);
    if (!survival) forget(cohort, columns->event);
    if (label || survival) forget(cohort, columns->value);
    if (label) return rmil_cohort_read_labels(cohort, columns->label, how, notes, error);
    cohort->task = (RmilTask){.kind = survival ? RMIL_TASK_SURVIVAL : RMIL_TASK_NUMBER};
    const gboolean there = survival ? columns->time >= 0 && columns->event >= 0 : columns->value >= 0;
    return !there || read_rows(cohort, columns, error); /* without these columns no target is known */
}
