/* SPDX-License-Identifier: Apache-2.0 */
/* What a study can vary: one table of its kinds, which plans, jobs and reports read. */
#ifndef RMIL_STUDY_VARY_H
#define RMIL_STUDY_VARY_H

#include "vary-data.h"

/* A run's data, as the values of a study change them. */
typedef struct {
    const RmilTrainData *data;
    const RmilRepeat *repeat;
    const GPtrArray *paddings;                /* RmilGrown of every padding of the plan */
    RmilSplit *splits;                        /* owned; NULL: the repeat's */
    gboolean *kept;                           /* owned; whose annotation stays; NULL: all */
    const RmilGrown *grown;                   /* or NULL */
    double within;                            /* share of each annotation that stays; 0: all of it */
    const RmilSuggested *orders[RMIL_ORDERS]; /* of this method and repeat; NULL: drawn, or not asked for */
    const RmilSuggested *order;               /* annotated slides are those that come first in it; NULL: drawn ones */
} RmilVariedData;

/* "random", "wrong-first" …: the order of that name; without one, RMIL_ORDER_RANDOM. */
RmilOrder rmil_order_find(const char *name);

/* One kind of variation. */
typedef struct {
    const RmilOption *option;                                      /* its name, and what a value may be */
    void (*change)(RmilVariedData *data, const RmilVaried *value); /* NULL: a value sets the option of training of that name */
    gboolean guided;    /* only annotations change: a training that does not look at them is the same with all values */
    gboolean elsewhere; /* the report shows how much attention leaves the lesion */
    gboolean ours;      /* the paper does not vary it */
    int count;
    double values[8];           /* usual ones, the paper's */
    const char *before, *after; /* a value as people read it: "T = 0.5", "20 %" */
    const char *axis;
    double scale; /* from a value to what is shown */
} RmilVariation;

/* All of them: the paper's, then every option of one method's training. NULL: there is none of that name. */
const RmilVariation *rmil_variations(gsize *count);
const RmilVariation *rmil_variation_find(const char *name);
/* The shortest text that reads back as the same number. Free with g_free. */
char *rmil_number_text(double value);
/* "0.25", "shuffle": the shortest text that reads back as the same value. Free with g_free. */
char *rmil_variation_text(const RmilVariation *variation, double value);
/* "20 %", "dropout 0.25", "sampler shuffle": a value for people; alone: nothing else varies, else "fraction 20 %". Free with g_free. */
char *rmil_varied_spoken(const RmilVaried *varied, gboolean alone);
/* "20 %", "0.25", "shuffle": beside an axis that says the name. Free with g_free. */
char *rmil_varied_short(const RmilVaried *varied);

/* Values change the data, in the table's order: a share of annotations is one of the slides that are left. follows: the training
 * looks at annotations (rmil_model_annotated). */
void rmil_vary_data(RmilVariedData *data, const RmilVaried *varied, gboolean follows);
void rmil_varied_data_clear(RmilVariedData *data);
/* What tells the annotations that stay or grew from others of the same data and seed; NULL: they are the data's. Free with g_free. */
char *rmil_varied_data_annotations(const RmilVariedData *data);
/* Values set options; not those that the method does not take, so that all of them train the same. */
gboolean rmil_vary_options(RmilTrainOptions *options, const RmilVaried *varied, const RmilTrainMethod *method, GError **error);
/* The names or the texts of what varies, joined: "dropout, sampler"; "": nothing. Free with g_free. */
char *rmil_varied_names(const RmilVaried *varied);
char *rmil_varied_texts(const RmilVaried *varied);

/* The kinds of study, and what the paper's vary by themselves (NULL: nothing). The last has no name. */
typedef struct {
    const char *name, *varies;
} RmilStudyKind;
extern const RmilStudyKind rmil_study_kinds[];

#endif
