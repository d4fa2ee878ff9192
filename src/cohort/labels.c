/* SPDX-License-Identifier: Apache-2.0 */
/* The column `label`: the classes, their order, and the class of each row. */
#include "cohort-private.h"

#include <string.h>

enum { MOST_NAMED = 5 /* labels in a message */, MOST_DIGITS = 15 };

/* One of the column's distinct labels. */
typedef struct {
    char *name, *folded; /* folded: without case and blanks; NULL for numbers */
    gboolean number;
    int64_t line; /* its first line */
} Class;

static void class_clear(gpointer data) {
    Class *class = data;
    g_free(class->name);
    g_free(class->folded);
}

/* "7" for "7", "07", "7.0" and "7,0", as spreadsheets or pandas write it. NULL: not a whole number. Free with g_free. */
static char *whole_number(const char *cell) {
    const gsize digits = strspn(cell, "0123456789"), point = cell[digits] == '.' || cell[digits] == ',';
    const gsize ends = digits + point + (point ? strspn(cell + digits + 1, "0") : 0), zeros = strspn(cell, "0");
    if (!digits || cell[ends]) return NULL;
    const gsize first = MIN(zeros, digits - 1);
    return digits - first > MOST_DIGITS ? NULL : g_strndup(cell + first, digits - first);
}

static gboolean is_number(const char *cell) {
    char *end;
    g_autofree char *point = g_strdelimit(g_strdup(cell), ",", '.');
    g_ascii_strtod(point, &end);
    return end > point && *end == '\0';
}

/* Usual ways to write that something is unknown. */
static gboolean means_unknown(const char *cell) {
    static const char *const words[] = {"nan", "na", "n/a", "#n/a", "null", "?", NULL};
    g_autofree char *small = g_ascii_strdown(cell, -1);
    return g_strv_contains(words, small);
}

gboolean rmil_class_negative(const char *name) {
    static const char *const names[] = {"normal", "negative", "neg", "benign", "healthy", "control", "false",
                                        "no",     "n",        "wt",  "absent", "0",       NULL};
    g_autofree char *small = g_ascii_strdown(name, -1);
    return g_strv_contains(names, small);
}

static char *fold(const char *name) {
    g_autofree char *plain = g_utf8_normalize(name, -1, G_NORMALIZE_ALL_COMPOSE), *small = g_utf8_casefold(plain ? plain : name, -1);
    GString *out = g_string_new(NULL);
    for (const char *at = small; *at; at = g_utf8_next_char(at))
        if (!g_unichar_isspace(g_utf8_get_char(at))) g_string_append_unichar(out, g_utf8_get_char(at));
    return g_string_free(out, FALSE);
}

/* "a", "b", "c", … */
static char *spoken(const GArray *classes) {
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < MIN(classes->len, (guint)MOST_NAMED); i++)
        g_string_append_printf(out, "%s\"%.40s\"", i ? ", " : "", g_array_index(classes, Class, i).name);
    return g_string_free(g_string_append(out, classes->len > MOST_NAMED ? ", …" : ""), FALSE);
}

/* Can this be a class at all? */
static gboolean check_cell(const RmilCohort *cohort, int64_t line, const char *cell, gboolean number, GError **error) {
    if (number) return TRUE;
    if (is_number(cell) && !means_unknown(cell))
        return rmil_cohort_fail(cohort, line, "label", error,
                                "\"%s\" is not a class: classes are words or whole numbers from 0 up; to predict a number, put it "
                                "into a column named value",
                                cell);
    if (means_unknown(cell))
        return rmil_cohort_fail(cohort, line, "label", error,
                                "\"%s\" is not a class: leave the cell empty if the class is unknown or to be predicted", cell);
    if (strlen(cell) >= RMIL_CLASS_NAME)
        return rmil_cohort_fail(cohort, line, "label", error, "\"%.40s…\" is too long for the name of a class: at most %d bytes", cell,
                                RMIL_CLASS_NAME - 1);
    for (const char *at = cell; *at; at++)
        if (g_ascii_iscntrl(*at))
            return rmil_cohort_fail(cohort, line, "label", error,
                                    "contains a line break or another control "
                                    "character");
    return TRUE;
}

/* Rejects a label that does not fit the classes before. */
static gboolean check_beside(const RmilCohort *cohort, const GArray *classes, const Class *new, GError **error) {
    for (guint i = 0; i < classes->len; i++) {
        const Class *old = &g_array_index(classes, Class, i);
        if (old->number != new->number)
            return rmil_cohort_fail(cohort, new->line, "label", error,
                                    "is \"%s\", but on line %" G_GINT64_FORMAT " it is \"%s\": write all classes as words, or all as "
                                    "numbers",
                                    new->name, old->line, old->name);
        if (g_strcmp0(old->folded, new->folded) == 0 && !new->number)
            return rmil_cohort_fail(cohort, new->line, "label", error,
                                    "\"%s\" and \"%s\" (line %" G_GINT64_FORMAT
                                    ") differ only in case or spaces: use one of them in every row, or two different words",
                                    new->name, old->name, old->line);
    }
    return TRUE;
}

/* GArray of Class by first line; NULL: the labels cannot be classes. */
static GArray *collect(const RmilCohort *cohort, int column, GError **error) {
    g_autoptr(GArray) classes = g_array_new(FALSE, TRUE, sizeof(Class));
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal); /* names, owned by `classes` */
    g_array_set_clear_func(classes, class_clear);
    for (int64_t i = 0; i < cohort->count; i++) {
        const char *cell = rmil_table_cell(cohort->table, i, column);
        if (!*cell) continue;
        g_autofree char *number = whole_number(cell);
        const char *name = number ? number : cell;
        if (g_hash_table_contains(known, name)) continue;
        const int64_t line = cohort->rows[i].line;
        if (!check_cell(cohort, line, cell, number != NULL, error)) return NULL;
        if (classes->len == RMIL_CLASSES_MOST) {
            g_autofree char *some = spoken(classes);
            rmil_fail(error, RMIL_ERROR_FORMAT,
                      "%s: line %" G_GINT64_FORMAT ": label has more than %d different values (%s): it looks like a column of ids, "
                      "not of classes%s; remove it, or merge classes",
                      cohort->path, line, RMIL_CLASSES_MOST, some, number ? "; to predict a number, put it into a column named value" : "");
            return NULL;
        }
        const Class new = {g_strdup(name), number ? NULL : fold(name), number != NULL, line};
        g_array_append_val(classes, new);
        g_hash_table_add(known, new.name);
        const GArray before = {classes->data, classes->len - 1};
        if (!check_beside(cohort, &before, &new, error)) return NULL;
    }
    return g_steal_pointer(&classes);
}

/* Numbers in numerical order, words in alphabetical order. */
static gint compare_classes(gconstpointer a, gconstpointer b) {
    const Class *x = a, *y = b;
    if (!x->number) return strcmp(x->folded, y->folded);
    const gsize n = strlen(x->name), m = strlen(y->name);
    return n == m ? strcmp(x->name, y->name) : n < m ? -1 : 1;
}

static void name_classes(GArray *classes, RmilTask *task) {
    const Class *class = (const Class *)(const void *)classes->data;
    int negatives = 0, first = 0;
    g_array_sort(classes, compare_classes);
    for (guint c = 0; c < classes->len; c++) {
        if (!rmil_class_negative(class[c].name)) continue;
        negatives++;
        first = (int)c;
    }
    gboolean plain = TRUE; /* only the labels 0 and 1 */
    for (guint c = 0; c < classes->len; c++) plain = plain && class[c].number && strlen(class[c].name) == 1 && *class[c].name <= '1';
    rmil_task_init(task);
    if (plain) return;
    *task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = (int)classes->len, .negative = negatives == 1};
    if (negatives != 1) first = 0;
    g_strlcpy(task->names[0], class[first].name, RMIL_CLASS_NAME);
    for (int c = 0, to = 1; c < task->classes; c++)
        if (c != first) g_strlcpy(task->names[to++], class[c].name, RMIL_CLASS_NAME);
}

/* "--classes normal,tumor" */
static gboolean take_given(const char *const *names, RmilTask *task, GError **error) {
    const guint count = g_strv_length((char **)names);
    if (count < 2 || count > RMIL_CLASSES_MOST)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--classes names %u class%s: give 2 to %d, separated by commas", count,
                         count == 1 ? "" : "es", RMIL_CLASSES_MOST);
    *task = (RmilTask){.kind = RMIL_TASK_CLASSES, .classes = (int)count, .negative = rmil_class_negative(names[0])};
    for (guint c = 0; c < count; c++) {
        g_autofree char *number = whole_number(names[c]), *folded = fold(names[c]);
        if (!*names[c] || strlen(names[c]) >= RMIL_CLASS_NAME)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--classes: \"%.40s\" cannot be the name of a class: use 1 to %d bytes", names[c],
                             RMIL_CLASS_NAME - 1);
        for (guint b = 0; b < c; b++) {
            g_autofree char *other = fold(task->names[b]);
            if (strcmp(other, number ? number : folded) == 0)
                return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--classes names \"%s\" twice (case and spaces do not count)", names[c]);
        }
        g_strlcpy(task->names[c], number ? number : names[c], RMIL_CLASS_NAME);
    }
    return TRUE;
}

int rmil_task_class(const RmilTask *task, const char *cell) {
    g_autofree char *number = whole_number(cell);
    for (int c = 0; c < task->classes; c++)
        if (strcmp(task->names[c], number ? number : cell) == 0) return c;
    return -1;
}

/* "normal (negative), tumor" */
static char *list_classes(const RmilTask *task) {
    GString *out = g_string_new(NULL);
    for (int c = 0; c < task->classes; c++)
        g_string_append_printf(out, "%s%s%s", c ? ", " : "", task->names[c], c == 0 && task->negative ? " (negative)" : "");
    return g_string_free(out, FALSE);
}

static gboolean unknown_class(const RmilCohort *cohort, int64_t line, const char *cell, GError **error) {
    g_autofree char *all = list_classes(&cohort->task), *folded = fold(cell);
    for (int c = 0; c < cohort->task.classes; c++) {
        g_autofree char *other = fold(cohort->task.names[c]);
        if (strcmp(other, folded) == 0)
            return rmil_cohort_fail(cohort, line, "label", error, "\"%s\" is not one of the classes %s: write it as \"%s\"", cell, all,
                                    cohort->task.names[c]);
    }
    return rmil_cohort_fail(cohort, line, "label", error,
                            "\"%s\" is not one of the classes %s: correct it, leave it empty, or add it to --classes", cell, all);
}

gboolean rmil_cohort_read_labels(RmilCohort *cohort, int column, const RmilReading *how, GPtrArray *notes, GError **error) {
    if (how->task) cohort->task = *how->task;
    else if (how->classes) {
        if (!take_given(how->classes, &cohort->task, error)) return FALSE;
    } else {
        g_autoptr(GArray) classes = collect(cohort, column, error);
        if (!classes) return FALSE;
        name_classes(classes, &cohort->task);
    }
    for (int64_t i = 0; i < cohort->count; i++) {
        const char *cell = rmil_table_cell(cohort->table, i, column);
        RmilCohortRow *row = &cohort->rows[i];
        if (!*cell) continue;
        row->target.label = rmil_task_class(&cohort->task, cell);
        if (row->target.label < 0) return unknown_class(cohort, row->line, cell, error);
    }
    if (rmil_task_is_plain(&cohort->task) || how->task) return TRUE;
    g_autofree char *all = list_classes(&cohort->task);
    g_ptr_array_add(notes, g_strdup_printf("%s: classes: %s", cohort->path, all));
    return TRUE;
}
