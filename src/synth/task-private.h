/* SPDX-License-Identifier: Apache-2.0 */
/* What a cohort is for beside its slides: the column that is predicted, patients, sites. Slides and bags of features share it. */
#ifndef RMIL_SYNTH_TASK_PRIVATE_H
#define RMIL_SYNTH_TASK_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/synth.h"

#define RMIL_SYNTH_CLASSES_MOST 6

gboolean rmil_synth_task_check(const RmilSynthTask *task, GError **error);
gboolean rmil_synth_task_usual(const RmilSynthTask *task); /* two classes 0 and 1, no sites, patients as ever */
/* Part of every file's identity: "" of the usual task. Free with g_free. */
char *rmil_synth_task_text(const RmilSynthTask *task);
const char *rmil_synth_class_name(int label); /* 0: "normal", 1 …: the subtypes */
/* sizes[0 … n−1]: slides of each class of `count`, 0 without lesion. Gives n. positives: of the usual classes. */
int rmil_synth_task_sizes(const RmilSynthTask *task, int64_t count, int64_t positives, int64_t sizes[RMIL_SYNTH_CLASSES_MOST]);
/* Of `count` slides of one class so many patients have two. usual: the share where the task does not say one. */
int64_t rmil_synth_task_pairs(const RmilSynthTask *task, double usual, int64_t count);
/* Lesion share of a slide at quantile q in [0, 1), up to `most`: of subtypes 1/SPREAD of it at least, log-uniform; of times and numbers
 * uniform. */
double rmil_synth_task_share(const RmilSynthTask *task, double q, double most);

/* One slide. */
typedef struct {
    int label;
    gboolean test;
    int patient, site; /* from 1; site 0: none */
    double share;      /* of lesion, made */
    double time, risk, value;
    gboolean event;
} RmilSynthCase;
/* Patients 1, 2 … by their first slide, from any numbers > 0. */
void rmil_synth_cases_number(RmilSynthCase *cases, int64_t count);
/* Every patient's site. Those of the test set are others than those of training, where there are two or more; each has patients of all
 * classes in turn. */
void rmil_synth_cases_sites(RmilSynthCase *cases, int64_t count, const RmilSynthTask *task);
/* Times, events, risks and numbers of the patients by their slides' mean share; span: of shares. docs/synth.md has the formula. */
void rmil_synth_cases_outcomes(RmilSynthCase *cases, int64_t count, double span, uint64_t seed);

/* The names of the columns of what is predicted, and their cells. */
const char *rmil_synth_task_columns(const RmilSynthTask *task);
void rmil_synth_task_cells(const RmilSynthTask *task, RmilCsv *csv, const RmilSynthCase *one);
void rmil_synth_site_cell(RmilCsv *csv, int site);

#endif
