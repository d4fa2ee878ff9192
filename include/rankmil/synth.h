/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil synth: simulated cohorts of H&E-like slides with known ground truth, for demos, tests and teaching. */
#ifndef RANKMIL_SYNTH_H
#define RANKMIL_SYNTH_H

#include "base.h"

G_BEGIN_DECLS

/* The prediction target, and its columns in cohort.csv. */
typedef enum {
    RMIL_SYNTH_LABEL,    /* `label` */
    RMIL_SYNTH_SURVIVAL, /* `time` (days), `event`, and `true_risk`, the log hazard, which increases with the lesion fraction */
    RMIL_SYNTH_NUMBER    /* `value`, which increases with the lesion fraction */
} RmilSynthTarget;

#define RMIL_SYNTH_PATIENTS_USUAL (-G_MAXDOUBLE)
typedef struct {
    RmilSynthTarget target;
    int64_t classes; /* 0: labels 0 and 1; 2 … 6: "normal" and tumour subtypes, in equal numbers */
    /* Fraction of patients with two slides, 0 … 1. RMIL_SYNTH_PATIENTS_USUAL: 0.12 for slides; feature cohorts then have no patients. */
    double patients;
    int64_t sites; /* 0: none; up to 100: adds a column `site`, and sites differ a little in stain or features */
} RmilSynthTask;

/* The value at the end of a comment is the default. */
typedef struct {
    int64_t slides;        /* 40 */
    int64_t width, height; /* of a typical slide, level-0 px, 512 … 16384; sizes vary around it. 5400 × 5000 */
    double mpp;            /* µm per level-0 px, 0.2 … 1. 0.5 */
    double positive;       /* fraction of slides with a lesion, if the target is a label 0 or 1. 0.4 */
    double test;           /* fraction of slides in the test set, 0 … 0.9. 0.33 */
    RmilSynthTask task;    /* layouts other than "rankmil" only support the default */
    const char *layout;    /* folders and tables as in "rankmil" (NULL), "camelyon16" or "digestpath" */
    uint64_t seed;         /* 1 */
    int threads;           /* 0: all processors */
} RmilSynthOptions;
RMIL_API void rmil_synth_options_init(RmilSynthOptions *options);

/* Writes DIR/cohort.csv, DIR/slides/ID.tiff (tiled pyramids in JPEG, with resolution) and DIR/annotations/ID.xml (ASAP) for positive
 * slides; docs/synth.md describes the simulation. In other layouts, the same slides are in the data set's folders, with its annotations and
 * table, and there is no cohort.csv. The same options give the same bytes on any number of threads. Existing slides are kept if they were
 * made with the same options; otherwise ARGUMENT, and nothing is replaced. Needs about 5 bytes of memory per pixel and thread. */
RMIL_API gboolean rmil_synth_write(const char *folder, const RmilSynthOptions *options, const RmilMonitor *monitor, GError **error);

/* The value at the end of a comment is the default. */
typedef struct {
    int64_t train, test;                   /* bags. 270 and 129, as in Camelyon16 */
    int64_t train_positive, test_positive; /* of these, if the target is a label 0 or 1. 111 and 49 */
    int64_t dim;                           /* 1024 */
    double scale;      /* relative number of tiles per bag; lesions scale with it, but have at least half a tile. 1: as in Camelyon16 (mean
                         * 7,900) */
    double difficulty; /* tumour features differ from others 1/difficulty as much (docs/synth.md shows how methods then perform). 1 */
    gboolean half;     /* TRUE: float16 features, FALSE: float32 */
    RmilSynthTask task;
    uint64_t seed;
    int threads; /* 0: all processors */
} RmilSynthFeatureOptions;
RMIL_API void rmil_synth_feature_options_init(RmilSynthFeatureOptions *options);
/* Sets train, test and their positives to `bags` (≥ 1) in total, in Camelyon16's proportions. */
RMIL_API void rmil_synth_feature_options_bags(RmilSynthFeatureOptions *options, int64_t bags);
/* ARGUMENT if an option is out of bounds; the message names it. */
RMIL_API gboolean rmil_synth_features_check(const RmilSynthFeatureOptions *options, GError **error);
/* Total size of the files in bytes, for valid options; 6.5 GB by default. */
RMIL_API int64_t rmil_synth_features_bytes(const RmilSynthFeatureOptions *options);

/* Writes a cohort of feature files without slides: DIR/cohort.csv and DIR/features/ID.h5 (rankmil's layout, with patch labels).
 * docs/synth.md describes the simulation. Bytes and existing files as for rmil_synth_write; IO, before anything is written, if there is not
 * enough disk space. Needs memory for one bag per thread, at most 140 MB each by default. */
RMIL_API gboolean rmil_synth_features_write(const char *folder, const RmilSynthFeatureOptions *options, const RmilMonitor *monitor,
                                            GError **error);

typedef struct {
    const char *source; /* folder with MNIST's test files t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz */
    int64_t bags;       /* 240 */
    double test;        /* fraction of bags, and of images, in the test set, 0 … 0.9. 0.33 */
    uint64_t seed;      /* 1 */
    int threads;        /* 0: all processors */
} RmilSynthDigitOptions;
RMIL_API void rmil_synth_digit_options_init(RmilSynthDigitOptions *options);
/* Writes bags of 20 … 60 handwritten digits in three classes of equal size: "eight" and "three" contain some of that digit, "negative" none
 * of either. DIR/cohort.csv and DIR/features/ID.h5 as above: a patch is a digit; its features are its pixels, pooled to 14 × 14 and scaled
 * to 0 … 1 (dim 196); its label is 1 if it is the digit that names the class. Bytes and existing files as for rmil_synth_write. MNIST's
 * files: IO, FORMAT, DATA. */
RMIL_API gboolean rmil_synth_digits_write(const char *folder, const RmilSynthDigitOptions *options, const RmilMonitor *monitor,
                                          GError **error);

G_END_DECLS
#endif
