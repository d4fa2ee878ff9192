/* SPDX-License-Identifier: Apache-2.0 */
/* What a study can vary: one table, which plans, jobs and reports read. */
#ifndef RMIL_STUDY_VARY_H
#define RMIL_STUDY_VARY_H

#include "vary-data.h"

/* A run's data, as modified by the values of a study. */
typedef struct {
    const RmilTrainData *data;
    const RmilRepeat *repeat;
    const GPtrArray *paddings;                /* RmilGrown of every padding of the plan */
    RmilSplit *splits;                        /* owned; NULL: the repeat's */
    gboolean *kept;                           /* owned; which annotations stay; NULL: all */
    const RmilGrown *grown;                   /* or NULL */
    double within;                            /* share of each annotation that stays; 0: all of it */
    const RmilSuggested *orders[RMIL_ORDERS]; /* of this method and repeat; NULL: drawn, or not requested */
    const RmilSuggested *order;               /* the slides that come first in it are annotated; NULL: drawn ones */
} RmilVariedData;

/* The order named "random", "wrong-first" …; no name: RMIL_ORDER_RANDOM. */
RmilOrder rmil_order_find(const char *name);

/* One kind of variation. */
typedef struct {
    const RmilOption *option;                                      /* its name, and its possible values */
    void (*change)(RmilVariedData *data, const RmilVaried *value); /* NULL: a value sets the training option of that name */
    gboolean guided;    /* only annotations change: a training that does not use them is the same at all values */
    gboolean elsewhere; /* the report shows how much attention leaves the lesion */
    gboolean ours;      /* not varied in the paper */
    int count;
    double values[8];           /* default values, the paper's */
    const char *before, *after; /* for showing a value: "T = 0.5", "20 %" */
    const char *axis;
    double scale; /* from a value to the number shown */
} RmilVariation;

/* All of them: the paper's, then every option of a method's training. NULL: there is none with that name. */
const RmilVariation *rmil_variations(gsize *count);
const RmilVariation *rmil_variation_find(const char *name);
/* The shortest text that reads back as the same number. Free with g_free. */
char *rmil_number_text(double value);
/* "0.25", "shuffle": the shortest text that reads back as the same value. Free with g_free. */
char *rmil_variation_text(const RmilVariation *variation, double value);
/* "20 %", "dropout 0.25", "sampler shuffle": a value for readers. alone: nothing else varies, else "fraction 20 %". Free with g_free. */
char *rmil_varied_spoken(const RmilVaried *varied, gboolean alone);
/* "20 %", "0.25", "shuffle": for an axis that shows the name. Free with g_free. */
char *rmil_varied_short(const RmilVaried *varied);

/* Applies values to the data, in the table's order: a share of annotations is one of the remaining slides. follows: the training uses
 * annotations (rmil_model_annotated). */
void rmil_vary_data(RmilVariedData *data, const RmilVaried *varied, gboolean follows);
void rmil_varied_data_clear(RmilVariedData *data);
/* Identifies the kept or padded annotations among others of the same data and seed; NULL: they are the data's. Free with g_free. */
char *rmil_varied_data_annotations(const RmilVariedData *data);
/* Applies values that set options, except for options that the method does not have, so that every method is trained. */
gboolean rmil_vary_options(RmilTrainOptions *options, const RmilVaried *varied, const RmilTrainMethod *method, GError **error);
/* The names or the texts of what varies, joined: "dropout, sampler"; "": nothing varies. Free with g_free. */
char *rmil_varied_names(const RmilVaried *varied);
char *rmil_varied_texts(const RmilVaried *varied);

/* The kinds of study, and what the paper's kinds vary by themselves (NULL: nothing). The last has no name. */
typedef struct {
    const char *name, *varies;
} RmilStudyKind;
extern const RmilStudyKind rmil_study_kinds[];

#endif
