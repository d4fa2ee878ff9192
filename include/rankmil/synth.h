/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil synth: cohorts of H&E-like slides whose truth is known, for demos, tests and teaching. */
#ifndef RANKMIL_SYNTH_H
#define RANKMIL_SYNTH_H

#include "base.h"

G_BEGIN_DECLS

/* What of a cohort is predicted. */
typedef enum {
    RMIL_SYNTH_LABEL,    /* `label` */
    RMIL_SYNTH_SURVIVAL, /* `time` (days), `event`, and `true_risk`, the log hazard, which grows with the lesion share */
    RMIL_SYNTH_NUMBER    /* `value`, which grows with the lesion share */
} RmilSynthTarget;

#define RMIL_SYNTH_PATIENTS_USUAL (-G_MAXDOUBLE)
typedef struct {
    RmilSynthTarget target;
    int64_t classes; /* 0: labels 0 and 1; 2 … 6: "normal" and subtypes of tumour, in equal parts */
    double patients; /* share of patients with two slides; RMIL_SYNTH_PATIENTS_USUAL: 0.12 of slides, and no patients of features */
    int64_t sites;   /* 0: none; else the column `site`, whose stain or features are a little apart */
} RmilSynthTask;

typedef struct {
    int64_t slides;        /* 40 */
    int64_t width, height; /* level-0 px of a typical slide, 5400 × 5000; sizes vary around it */
    double mpp;            /* 0.5 */
    double positive;       /* share of slides with a lesion, 0.4 */
    double test;           /* share of slides in the test set, 0.33 */
    RmilSynthTask task;    /* other than the usual one only in rankmil's own layout; `positive` is of the usual classes */
    const char *layout;    /* folders and tables as "rankmil" (NULL), "camelyon16" or "digestpath" have them */
    uint64_t seed;
    int threads;
} RmilSynthOptions;
RMIL_API void rmil_synth_options_init(RmilSynthOptions *options);

/* Writes DIR/cohort.csv, DIR/slides/ID.tiff (pyramidal, tiled, JPEG, with resolution), DIR/annotations/ID.xml (ASAP) for
 * positive slides; docs/synth.md says how. In the other layouts the same slides lie in the data set's folders, with its kind
 * of annotation and table, and there is no cohort.csv. The same options give the same bytes, on any number of threads. Slides that are
 * there already are kept when they were made with these options; otherwise RMIL_ERROR_ARGUMENT, and nothing is replaced.
 * Takes about 5 bytes per pixel and thread. */
RMIL_API gboolean rmil_synth_write(const char *folder, const RmilSynthOptions *options, const RmilMonitor *monitor, GError **error);

typedef struct {
    int64_t train, test;                   /* bags: 270, 129, as in Camelyon16 */
    int64_t train_positive, test_positive; /* 111, 49 */
    int64_t dim;                           /* 1024 */
    double scale;       /* tiles per bag, 1: as in Camelyon16 (mean 7,900); lesions shrink with it, to half a tile at least */
    double difficulty;  /* 1; the tumour's features stand out 1/difficulty as far (docs/synth.md: what methods make of it) */
    gboolean half;      /* TRUE: float16 features, else float32 */
    RmilSynthTask task; /* the positives above are of the usual classes */
    uint64_t seed;
    int threads;
} RmilSynthFeatureOptions;
RMIL_API void rmil_synth_feature_options_init(RmilSynthFeatureOptions *options);
/* Sets train, test and their positives to `bags` (≥ 1) together, in Camelyon16's proportions. */
RMIL_API void rmil_synth_feature_options_bags(RmilSynthFeatureOptions *options, int64_t bags);
/* RMIL_ERROR_ARGUMENT names the option that is out of its bounds. */
RMIL_API gboolean rmil_synth_features_check(const RmilSynthFeatureOptions *options, GError **error);
/* How many bytes the files of valid options take; 6.5 GB by default. */
RMIL_API int64_t rmil_synth_features_bytes(const RmilSynthFeatureOptions *options);

/* A cohort of feature files without slides: DIR/cohort.csv and DIR/features/ID.h5 (rankmil's layout, patch labels included);
 * docs/synth.md says how they come about. Same bytes, resuming and refusal as above; RMIL_ERROR_IO, before anything is
 * written, when the disk has no room. One bag per thread is in memory: 140 MB at the most by default. */
RMIL_API gboolean rmil_synth_features_write(const char *folder, const RmilSynthFeatureOptions *options, const RmilMonitor *monitor,
                                            GError **error);

typedef struct {
    const char *source; /* folder with MNIST's test files, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or as .gz */
    int64_t bags;       /* 240 */
    double test;        /* share of bags, and of images, in the test set, 0.33 */
    uint64_t seed;
    int threads;
} RmilSynthDigitOptions;
RMIL_API void rmil_synth_digit_options_init(RmilSynthDigitOptions *options);
/* Bags of 20 … 60 handwritten digits in three classes, equally many of each: "eight" and "three" hold some of that digit, "negative"
 * none of either. DIR/cohort.csv and DIR/features/ID.h5 as above: a patch is a digit, its features are its pixels, pooled to 14 × 14,
 * 0 … 1 (dim 196), its label 1 where it is the witness. Same bytes, resuming and refusal as above. Errors: of MNIST's files IO, FORMAT,
 * DATA. */
RMIL_API gboolean rmil_synth_digits_write(const char *folder, const RmilSynthDigitOptions *options, const RmilMonitor *monitor,
                                          GError **error);

G_END_DECLS
#endif
