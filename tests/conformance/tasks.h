/* SPDX-License-Identifier: Apache-2.0 */
/* tasks/: JSON files with a list of cases each. */
#ifndef RMIL_CONFORMANCE_TASKS_H
#define RMIL_CONFORMANCE_TASKS_H

#include "conformance.h"

#include <json-glib/json-glib.h>

/* The largest deviation among a case's numbers, and the number it belongs to. */
typedef struct {
    double off;
    char where[64];
} TaskDeviation;

/* null is NaN. Arrays are allocated with one extra number, so that none is empty. Free with g_free. */
double task_number(JsonObject *object, const char *member);
double *task_numbers(JsonObject *object, const char *member, int64_t *n);
int *task_integers(JsonObject *object, const char *member, int64_t *n);
/* A list of lists, row by row; of numbers: one column. *columns is −1 where the lists differ in length. */
double *task_rows(JsonObject *object, const char *member, int64_t *rows, int64_t *columns);
/* An undefined value must be expected as undefined. */
void task_compare(TaskDeviation *deviation, const char *where, double value, double expected);
void task_compare_member(TaskDeviation *deviation, JsonObject *expect, const char *member, double value);
/* n values and a list of as many. */
void task_compare_list(TaskDeviation *deviation, JsonObject *expect, const char *member, const double *values, int64_t n);
/* One line: "tasks/survival.json: c_index plain". */
void task_report(Conformance *c, const char *file, const char *name, const TaskDeviation *deviation, double tolerance);

/* Calls check for each case, with the name "KIND NAME". */
typedef void (*TaskCheck)(Conformance *c, JsonObject *one, const char *name);
void task_each(Conformance *c, const char *path, TaskCheck check);

#endif
