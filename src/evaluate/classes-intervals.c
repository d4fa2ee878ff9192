/* SPDX-License-Identifier: Apache-2.0 */
/* Intervals of the metrics of C classes, over resampled patients. */
#include "evaluate-private.h"

#include <math.h>

enum { VALUES = RMIL_CLASSES_METRICS + RMIL_CLASSES_MOST * RMIL_CLASS_METRICS };

typedef struct {
    RmilClassData data;
    RmilClassMetrics metrics, drawn; /* of the cases; of one resample */
} Classes;

static void evaluate(const int64_t *weight, double *values, gpointer user) {
    Classes *classes = user;
    rmil_class_data_metrics(&classes->data, weight, &classes->drawn);
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) values[m] = classes->drawn.all[m];
    for (int c = 0; c < classes->data.classes; c++)
        for (int m = 0; m < RMIL_CLASS_METRICS; m++) values[RMIL_CLASSES_METRICS + c * RMIL_CLASS_METRICS + m] = classes->drawn.one[c][m];
}

/* Patients with the class and with others. */
typedef struct {
    int64_t with, others;
} Count;

static RmilInterval agreed_of_one(RmilClassMetric metric, double value, Count count, double confidence) {
    switch (metric) {
    case RMIL_CLASS_AUROC: return rmil_newcombe(value, count.with, count.others, confidence);
    case RMIL_CLASS_AVERAGE_PRECISION: return rmil_wilson(value, count.with, confidence);
    default: return rmil_interval_undefined;
    }
}

/* smallest: of the classes that occur; a mean over classes is known no better than its smallest class. */
static RmilInterval agreed_of_all(RmilClassesMetric metric, double value, Count smallest, double confidence) {
    switch (metric) {
    case RMIL_CLASSES_AUROC:
    case RMIL_CLASSES_AUROC_WEIGHTED:
    case RMIL_CLASSES_AUROC_PAIRS: return rmil_newcombe(value, smallest.with, smallest.others, confidence);
    case RMIL_CLASSES_AVERAGE_PRECISION:
    case RMIL_CLASSES_BALANCED_ACCURACY: return rmil_wilson(value, smallest.with, confidence);
    default: return rmil_interval_undefined;
    }
}

typedef enum { OF_ALL, OF_CLASS, OF_OTHERS } Among;

/* The share called correctly among all cases, the cases of class c, or the others. hit: scratch, n. */
static RmilInterval share_of(const RmilResamples *r, const RmilClassData *data, Among among, int c, double *hit) {
    for (int64_t i = 0; i < data->n; i++) {
        const RmilClassCase *one = &data->cases[i];
        const gboolean own = one->label == c, said = one->predicted == c;
        hit[i] = among == OF_ALL ? one->predicted == one->label : own == (among == OF_CLASS) ? own == said : NAN;
    }
    return rmil_share_of_patients(hit, r->bootstrap.groups, data->n, r->bootstrap.confidence);
}

/* For shares there is a better interval than the bootstrap's. */
static void set_shares(const RmilResamples *r, const Classes *classes, RmilClassIntervals *out) {
    double *hit = rmil_alloc(r->n, sizeof *hit, NULL);
    for (int c = 0; hit && c < classes->metrics.classes; c++) {
        out->one[c][RMIL_CLASS_SENSITIVITY] = share_of(r, &classes->data, OF_CLASS, c, hit);
        out->one[c][RMIL_CLASS_SPECIFICITY] = share_of(r, &classes->data, OF_OTHERS, c, hit);
    }
    if (hit) out->all[RMIL_CLASSES_ACCURACY] = share_of(r, &classes->data, OF_ALL, 0, hit);
    rmil_free(hit);
}

static void set_intervals(const RmilResamples *r, const Classes *classes, const int *labels, double *values, RmilClassIntervals *out) {
    const int64_t rounds = r->bootstrap.rounds;
    const double confidence = r->bootstrap.confidence;
    const RmilClassMetrics *metrics = &classes->metrics;
    Count smallest = {0, 0};
    for (int c = 0; c < metrics->classes; c++) {
        Count count;
        rmil_resamples_count(r, labels, c, &count.with, &count.others);
        if (count.with && count.others && (smallest.with == 0 || count.with < smallest.with)) smallest = count;
        for (int m = 0; m < RMIL_CLASS_METRICS; m++) {
            double *own = values + (RMIL_CLASSES_METRICS + c * RMIL_CLASS_METRICS + m) * rounds;
            const RmilInterval agreed = agreed_of_one((RmilClassMetric)m, metrics->one[c][m], count, confidence);
            out->one[c][m] = rmil_resamples_interval(r, own, metrics->one[c][m], agreed);
        }
    }
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) {
        const RmilInterval agreed = agreed_of_all((RmilClassesMetric)m, metrics->all[m], smallest, confidence);
        out->all[m] = rmil_resamples_interval(r, values + m * rounds, metrics->all[m], agreed);
    }
    set_shares(r, classes, out);
}

void rmil_class_intervals(const int *labels, const double *probabilities, int64_t n, int classes, const RmilBootstrap *bootstrap,
                          RmilClassIntervals *intervals) {
    for (int m = 0; m < RMIL_CLASSES_METRICS; m++) intervals->all[m] = rmil_interval_undefined;
    for (int c = 0; c < RMIL_CLASSES_MOST; c++)
        for (int m = 0; m < RMIL_CLASS_METRICS; m++) intervals->one[c][m] = rmil_interval_undefined;
    Classes all;
    RmilResamples resamples;
    if (!rmil_class_data_init(&all.data, labels, probabilities, n, classes)) return;
    rmil_class_data_metrics(&all.data, NULL, &all.metrics);
    if (rmil_resamples_init(&resamples, bootstrap, labels, n)) {
        double *values = rmil_resamples_values(&resamples, VALUES, evaluate, &all);
        if (values) set_intervals(&resamples, &all, labels, values, intervals);
        rmil_free(values);
        rmil_resamples_clear(&resamples);
    }
    rmil_class_data_clear(&all.data);
}
