/* SPDX-License-Identifier: Apache-2.0 */
/* What a cohort has beside its slides: the target column, patients, sites. Used for slides and for bags of features. */
#ifndef RMIL_SYNTH_TASK_PRIVATE_H
#define RMIL_SYNTH_TASK_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/synth.h"

#define RMIL_SYNTH_CLASSES_MOST 6

gboolean rmil_synth_task_check(const RmilSynthTask *task, GError **error);
gboolean rmil_synth_task_usual(const RmilSynthTask *task); /* the default: two classes 0 and 1, no sites, the usual number of patients */
/* Part of every file's identity: "" for the default task. Free with g_free. */
char *rmil_synth_task_text(const RmilSynthTask *task);
const char *rmil_synth_class_name(int label); /* 0: "normal", 1 …: the subtypes */
/* sizes[0 … n−1]: number of slides of each class, out of `count`; class 0 has no lesion. Returns n. positives: for the default classes. */
int rmil_synth_task_sizes(const RmilSynthTask *task, int64_t count, int64_t positives, int64_t sizes[RMIL_SYNTH_CLASSES_MOST]);
/* Number of patients with two slides, for `count` slides of one class. usual: the share if the task does not state one. */
int64_t rmil_synth_task_pairs(const RmilSynthTask *task, double usual, int64_t count);
/* Lesion share of a slide at quantile q in [0, 1), up to `most`: for subtypes log-uniform from 1/SPREAD of it; for times and numbers
 * uniform. */
double rmil_synth_task_share(const RmilSynthTask *task, double q, double most);

/* One slide. */
typedef struct {
    int label;
    gboolean test;
    int patient, site; /* from 1; site 0: none */
    double share;      /* lesion share, actual */
    double time, risk, value;
    gboolean event;
} RmilSynthCase;
/* Numbers patients 1, 2 … by their first slide, from any numbers > 0. */
void rmil_synth_cases_number(RmilSynthCase *cases, int64_t count);
/* Every patient's site. If there are two or more sites, the test set's are different from those of training; each has patients of all
 * classes in turn. */
void rmil_synth_cases_sites(RmilSynthCase *cases, int64_t count, const RmilSynthTask *task);
/* Times, events, risks and numbers of the patients, from the mean share of their slides; span: range of shares. docs/synth.md has the
 * formula. */
void rmil_synth_cases_outcomes(RmilSynthCase *cases, int64_t count, double span, uint64_t seed);

/* The names of the target's columns, and their cells. */
const char *rmil_synth_task_columns(const RmilSynthTask *task);
void rmil_synth_task_cells(const RmilSynthTask *task, RmilCsv *csv, const RmilSynthCase *one);
void rmil_synth_site_cell(RmilCsv *csv, int site);

#endif
