/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a cohort's table before any slide is opened: is there enough to learn from? */
#include "cohort-private.h"

#include <string.h>

enum { FEW_PATIENTS = 3 /* for training, validation, test */, FEW_EVENTS = 10, MOST_NAMED = 3 };

static gint compare_ints(gconstpointer a, gconstpointer b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

GArray *rmil_cohort_classes(const RmilCohort *cohort) {
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(int));
    GArray *classes = g_array_new(FALSE, FALSE, sizeof(int));
    for (int64_t i = 0; i < cohort->count; i++)
        if (cohort->rows[i].target.label >= 0) g_array_append_val(all, cohort->rows[i].target.label);
    g_array_sort(all, compare_ints);
    for (guint i = 0; i < all->len; i++)
        if (i == 0 || g_array_index(all, int, i) != g_array_index(all, int, i - 1)) g_array_append_val(classes, g_array_index(all, int, i));
    return classes;
}

/* -- classes -------------------------------------------------------------------------------------------------------------------- */
char *rmil_class_said(const RmilTask *task, int label) {
    const char *name = task->names[label];
    const gboolean number = strspn(name, "0123456789") == strlen(name);
    return g_strdup_printf(number ? "label %s" : "class \"%s\"", name);
}

/* For how many patients is this known? */
static int64_t patients_of(const RmilCohort *cohort, const int64_t *groups, int64_t count, int label) {
    g_autofree gboolean *seen = g_new0(gboolean, (gsize)count);
    int64_t patients = 0;
    for (int64_t i = 0; i < cohort->count; i++) {
        if (cohort->rows[i].target.label != label || seen[groups[i]]) continue;
        seen[groups[i]] = TRUE;
        patients++;
    }
    return patients;
}

static gboolean check_classes(const RmilCohort *cohort, const int64_t *groups, int64_t count, const RmilMonitor *monitor, GError **error) {
    g_autoptr(GArray) classes = rmil_cohort_classes(cohort);
    if (classes->len == 0)
        return rmil_fail(
            error, RMIL_ERROR_DATA,
            "%s: no slide has a label: training needs classes in a column label (words, or numbers such as 0 and 1, where 0 is the "
            "negative class), times in time and event, or numbers in value",
            cohort->path);
    if (classes->len == 1 && rmil_task_is_plain(&cohort->task))
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: every label is %d: training needs both classes, 0 and 1", cohort->path,
                         g_array_index(classes, int, 0));
    if (classes->len == 1)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: every label is \"%s\": training needs at least two classes", cohort->path,
                         cohort->task.names[g_array_index(classes, int, 0)]);
    for (int c = 0; c < cohort->task.classes; c++) {
        const int64_t patients = patients_of(cohort, groups, count, c);
        g_autofree char *said = rmil_class_said(&cohort->task, c);
        if (patients == 0)
            return rmil_fail(error, RMIL_ERROR_DATA, "%s: no slide has %s: training needs slides of every class; leave it out of --classes",
                             cohort->path, said);
        if (patients < FEW_PATIENTS)
            rmil_monitor_warn(monitor,
                              "%s: only %" G_GINT64_FORMAT " patient%s %s %s: training, validation and test need %d at least, one each",
                              cohort->path, patients, patients == 1 ? "" : "s", patients == 1 ? "has" : "have", said, FEW_PATIENTS);
    }
    return TRUE;
}

gboolean rmil_cohort_check_sets(const RmilCohort *cohort, GError **error) {
    for (int c = 0; cohort->task.kind == RMIL_TASK_CLASSES && c < cohort->task.classes; c++) {
        int64_t slides = 0, learned = 0;
        RmilSplit set = RMIL_SPLIT_NONE;
        for (int64_t i = 0; i < cohort->count; i++) {
            const RmilCohortRow *row = &cohort->rows[i];
            if (row->target.label != c) continue;
            slides++;
            learned += row->split == RMIL_SPLIT_NONE || row->split == RMIL_SPLIT_TRAIN;
            if (set != RMIL_SPLIT_TEST) set = row->split;
        }
        if (slides == 0 || learned > 0) continue;
        g_autofree char *said = rmil_class_said(&cohort->task, c);
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: the training set would have no slide with %s: the column split assigns all %" G_GINT64_FORMAT
                         " of them to other sets (%s): assign some to train, or leave the class out",
                         cohort->path, said, slides, rmil_split_name(set));
    }
    return TRUE;
}

/* -- times and numbers ------------------------------------------------------------------------------------------------------------ */
static gboolean check_survival(const RmilCohort *cohort, const int64_t *groups, int64_t count, const RmilMonitor *monitor, GError **error) {
    g_autofree gboolean *seen = g_new0(gboolean, (gsize)count);
    int64_t known = 0, events = 0;
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilTarget *target = &cohort->rows[i].target;
        known += rmil_target_known(&cohort->task, target);
        if (!rmil_target_known(&cohort->task, target) || !target->event || seen[groups[i]]) continue;
        seen[groups[i]] = TRUE;
        events++;
    }
    if (known == 0) return rmil_fail(error, RMIL_ERROR_DATA, "%s: no slide has a time and an event", cohort->path);
    if (events == 0)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: every slide is censored (event is 0 everywhere), so there is nothing to learn: write 1 where the event "
                         "occurred",
                         cohort->path);
    if (events < FEW_EVENTS)
        rmil_monitor_warn(monitor, "%s: only %" G_GINT64_FORMAT " patient%s an event: a model trained on so few is not reliable",
                          cohort->path, events, events == 1 ? " has" : "s have");
    return TRUE;
}

static gboolean check_numbers(const RmilCohort *cohort, GError **error) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < cohort->count; i++) {
        const double value = cohort->rows[i].target.value;
        if (isnan(value)) continue;
        low = MIN(low, value);
        high = MAX(high, value);
    }
    if (low > high) return rmil_fail(error, RMIL_ERROR_DATA, "%s: no slide has a value", cohort->path);
    return low < high || rmil_fail(error, RMIL_ERROR_DATA, "%s: every value is %g: there is nothing to learn", cohort->path, low);
}

/* -- patients ---------------------------------------------------------------------------------------------------------------------- */
char *rmil_cohort_torn_patients(const RmilCohort *cohort, const int64_t *groups, int64_t count) {
    g_autofree int64_t *first = g_new(int64_t, (gsize)count);
    g_autofree gboolean *torn = g_new0(gboolean, (gsize)count);
    GString *out = g_string_new(NULL);
    int64_t named = 0;
    for (int64_t g = 0; g < count; g++) first[g] = -1;
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i], *other = first[groups[i]] < 0 ? NULL : &cohort->rows[first[groups[i]]];
        if (!rmil_target_known(&cohort->task, &row->target)) continue;
        if (!other) first[groups[i]] = i;
        if (!other || torn[groups[i]] || rmil_target_equal(&cohort->task, &row->target, &other->target)) continue;
        torn[groups[i]] = TRUE;
        if (named++ < MOST_NAMED)
            g_string_append_printf(out, "%s\"%s\" (lines %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT ")", out->len ? ", " : "",
                                   row->patient, other->line, row->line);
    }
    if (named > MOST_NAMED) g_string_append_printf(out, ", … (%" G_GINT64_FORMAT ")", named);
    return g_string_free(out, named == 0);
}

gboolean rmil_cohort_check_labels(const RmilCohort *cohort, const RmilMonitor *monitor, GError **error) {
    g_autofree int64_t *groups = g_new(int64_t, (gsize)cohort->count);
    const int64_t count = rmil_cohort_patients(cohort, groups);
    g_autofree char *torn = rmil_cohort_torn_patients(cohort, groups, count);
    const RmilTaskKind kind = cohort->task.kind;
    if (!(kind == RMIL_TASK_CLASSES    ? check_classes(cohort, groups, count, monitor, error)
          : kind == RMIL_TASK_SURVIVAL ? check_survival(cohort, groups, count, monitor, error)
                                       : check_numbers(cohort, error)))
        return FALSE;
    /* patients with a lesion also have slides without one; different kinds of lesion, times or values are reported */
    if (torn && !(kind == RMIL_TASK_CLASSES && cohort->task.negative && cohort->task.classes == 2))
        rmil_monitor_warn(monitor, "%s: the slides of a patient differ in what is predicted: %s", cohort->path, torn);
    return TRUE;
}
