/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil cohort: the table of slides, drafts of it for public data sets, how it is divided, and the features of all its slides. */
#ifndef RANKMIL_COHORT_H
#define RANKMIL_COHORT_H

#include "bag.h"

#include <math.h>

G_BEGIN_DECLS

/* -- what is predicted ----------------------------------------------------------------------------------------------------- */
typedef enum {
    RMIL_TASK_CLASSES,  /* which of C ≥ 2 classes */
    RMIL_TASK_SURVIVAL, /* time to an event, possibly censored */
    RMIL_TASK_NUMBER    /* a number */
} RmilTaskKind;
#define RMIL_CLASSES_MOST 20
#define RMIL_OUTPUTS_MOST 32 /* numbers that a model gives for one bag: classes, or bins of time */
#define RMIL_CLASS_NAME 64   /* bytes, the final 0 included */

typedef struct {
    RmilTaskKind kind;
    int classes;                                    /* C; 0 unless classes are predicted */
    char names[RMIL_CLASSES_MOST][RMIL_CLASS_NAME]; /* of the classes, in the order of labels 0 … C − 1 */
    gboolean negative;                              /* class 0 means "no lesion": guides and localisation leave its slides alone */
} RmilTask;
/* Labels 0 and 1, where 0 is negative: the paper's task. */
RMIL_API void rmil_task_init(RmilTask *task);
/* Is it that one, so that classes need no mention? */
RMIL_API gboolean rmil_task_is_plain(const RmilTask *task);
RMIL_API const char *rmil_task_kind_name(RmilTaskKind kind); /* "classes", "survival", "number" */
/* One line of JSON: {"kind":"classes","classes":["normal","tumor"],"negative":true}. Free with g_free. parse: FORMAT says what is wrong. */
RMIL_API char *rmil_task_text(const RmilTask *task);
RMIL_API gboolean rmil_task_parse(const char *text, RmilTask *task, GError **error);
RMIL_API gboolean rmil_task_equal(const RmilTask *a, const RmilTask *b);

/* What is known about one slide (or patient). Fields that the task does not use are ignored. */
typedef struct {
    int label;      /* class; −1: none */
    double time;    /* > 0, in the table's unit; NaN: none */
    gboolean event; /* TRUE: it happened at `time`; FALSE: censored then */
    double value;   /* NaN: none */
} RmilTarget;
#define RMIL_TARGET_CLASS(label) ((RmilTarget){label, NAN, FALSE, NAN}) /* −1: none */
#define RMIL_TARGET_NONE RMIL_TARGET_CLASS(-1)
RMIL_API gboolean rmil_target_known(const RmilTask *task, const RmilTarget *target);
/* Can a lesion be annotated on it that guides follow and localisation is measured on? Of classes: not where it is the negative one. */
RMIL_API gboolean rmil_target_lesion(const RmilTask *task, const RmilTarget *target);

/* -- the table --------------------------------------------------------------------------------------------------------- */
typedef enum { RMIL_SPLIT_NONE, RMIL_SPLIT_TRAIN, RMIL_SPLIT_VAL, RMIL_SPLIT_TEST } RmilSplit;
RMIL_API const char *rmil_split_name(RmilSplit split); /* "", "train", "val", "test" */

typedef struct {
    char *id;
    char *slide;        /* absolute path, or NULL */
    char *features;     /* absolute path, or NULL; at least one of the two is set. Both: features train, slide is shown */
    char *annotation;   /* absolute path, or NULL */
    char *tissue;       /* absolute path of outlines or a mask of the slide's tissue, or NULL: it is found */
    char *patch_labels; /* absolute path of a label file (HDF5 or .npy), or NULL */
    char *patient;      /* or NULL */
    char *site;         /* or NULL */
    RmilTarget target;
    RmilSplit split;
    double mpp;      /* override, 0 none */
    int64_t line;    /* in the CSV */
    GArray *members; /* int64_t: rows of the cohort's `slides` that are this one; NULL where there are no `slides` */
} RmilCohortRow;

typedef struct _RmilCohort {
    char *path;
    RmilTask task;
    const struct _RmilCohort *slides; /* whose patients the rows are (rmil_cohort_by_patient): borrowed. NULL: rows are slides */
    int64_t count;
    RmilCohortRow *rows;
    RmilTable *table;     /* the CSV itself, unknown columns included; row i of it is rows[i]. NULL: rows that were made otherwise */
    const char **meaning; /* by column of the table: the name that it is read as ("label" for "Label"), or NULL: it is not used */
    gboolean by_site;     /* sets never part a site */
    char **warnings;      /* what whoever reads the table must know: columns whose names come near, …; each names the file; never
                            * NULL, NULL-terminated */
    char **notes;         /* what was taken, where the table leaves a choice: its classes and their order, …; the same */
    char **left_out;      /* ids of slides that stages before left out, which tables of splits may still name; NULL-terminated,
                            * or NULL: none, as read. Set by who left them out, freed with the cohort (g_strfreev) */
} RmilCohort;

/* What of the table is predicted. */
typedef enum {
    RMIL_TARGET_FOUND,    /* what the table has: `label`, else `time` and `event`, else `value` */
    RMIL_TARGET_LABEL,    /* classes */
    RMIL_TARGET_SURVIVAL, /* time to an event */
    RMIL_TARGET_VALUE,    /* a number */
    RMIL_TARGET_UNREAD    /* nothing: these columns are not looked at */
} RmilTargetColumn;
RMIL_API gboolean rmil_target_column_parse(const char *name, RmilTargetColumn *target, GError **error); /* "label", "survival", "value" */

/* How a table is read where it leaves a choice. All zero: as rmil_cohort_read does. */
typedef struct {
    const char *const *classes; /* their names in the order of labels 0 … C − 1, NULL-terminated; NULL: found in the column */
    RmilTargetColumn target;
    const RmilTask *task; /* as this one, whatever the two above say: a model's, or that of the table that this one was made of */
    gboolean by_site;     /* the column `site` is never parted between training, validation and test */
} RmilReading;

/* Columns are found by name; one that differs only in case, blanks, "_" and "-" is accepted (and patient_id for patient, slide_path,
 * features_path), and this is said in `warnings`; one that resembles a known name (lable, case_id) is only reported. Paths are relative to the
 * table's folder; of a table that comes through a pipe, to the current one. Refuses, naming line and column: no slide/features
 * column, neither in a row, duplicate or unusable ids (path separators), unknown splits, bad mpp, a patient (or site) in two splits.
 *
 * Classes are the words or whole numbers ≥ 0 (1.0 is 1) of `label`: numbers in their order, 0 negative, and 0 and 1 alone the paper's
 * task; words in the alphabet's, the negative one first where exactly one is called so (normal, benign, negative, healthy, control …).
 * Refused: words mixed with numbers, words that differ only in case or blanks, more than RMIL_CLASSES_MOST classes, names of
 * RMIL_CLASS_NAME bytes or more. Given classes: labels that are not among them; the first is negative if its name says so. A table may
 * hold one class, or none: rmil_cohort_check_labels says what training needs.
 * `time` is above 0, `event` 0 or 1 (true, false, yes, no, dead, alive, deceased, living): both or neither. `value` is finite. */
RMIL_API RmilCohort *rmil_cohort_read(const char *path, GError **error);
RMIL_API RmilCohort *rmil_cohort_read_as(const char *path, const RmilReading *how, GError **error);
RMIL_API void rmil_cohort_free(RmilCohort *cohort);
RMIL_API void rmil_cohort_row_clear(RmilCohortRow *row); /* frees what the row holds */

/* What the table says about training before any slide is opened. classes: the labels that occur, ascending (int; free with
 * g_array_unref). check_labels: DATA where training is impossible: no targets, one class, no event, values that are all equal; warns
 * of classes in fewer than three patients, fewer than 10 events, patients whose slides differ in what is predicted. */
RMIL_API GArray *rmil_cohort_classes(const RmilCohort *cohort);
RMIL_API gboolean rmil_cohort_check_labels(const RmilCohort *cohort, const RmilMonitor *monitor, GError **error);
/* DATA where the table's own sets leave nothing to learn a class from: all its slides are in val or test. */
RMIL_API gboolean rmil_cohort_check_sets(const RmilCohort *cohort, GError **error);

/* groups[row] = 0 … n − 1: the row's patient, by first row; a row without one is a patient of its own. Gives n. */
RMIL_API int64_t rmil_cohort_patients(const RmilCohort *cohort, int64_t *groups);
/* One row a patient, whose bag is the slides of that patient (rmil_bag_set_load), in order of the first slide; a slide without a patient
 * by itself. id: the patient's name, or the slide's id; targets and sets are the patient's; paths only where it has one slide. The cohort
 * must outlive it. DATA: a patient's slides differ in what is predicted, or its name cannot be an id or is another's. */
RMIL_API RmilCohort *rmil_cohort_by_patient(const RmilCohort *cohort, GError **error);
/* rows[slide] = the row whose bag holds that slide; of a cohort whose rows are slides, the same. As long as the slides' cohort. */
RMIL_API void rmil_cohort_bag_rows(const RmilCohort *cohort, int64_t *rows);
/* Two rows whose slides, or features, are the same: one file, or the same size and the same bytes in samples spread over both.
 * Only files of equal sizes are read, 1 MiB of each. twins: GArray of RmilTwins; free with g_array_unref. */
typedef struct {
    int64_t first, second; /* rows */
    const char *what;      /* "slide" or "features" */
} RmilTwins;
RMIL_API GArray *rmil_cohort_twins(const RmilCohort *cohort);
/* Warns of twins; DATA when two are in different sets. splits: by row, or NULL for the table's own. */
RMIL_API gboolean rmil_cohort_check_twins(const RmilCohort *cohort, const GArray *twins, const RmilSplit *splits,
                                          const RmilMonitor *monitor, GError **error);

/* -- the cohort table of a data set's own folders ------------------------------------------------------------------------- */
typedef struct {
    int64_t rows, positive, negative, annotated, test;
    int64_t left_out; /* slides that the data set itself calls wrong */
} RmilCohortSummary;
RMIL_API const char *const *rmil_cohort_layouts(void); /* "camelyon16", "digestpath", "class-folders"; NULL-terminated */
/* Writes the table of the data set in `folder` to `path` (docs/datasets.md has the layouts), ready for rmil_cohort_read:
 * labels, official test split, annotations, patients where they are known, a note for slides of which something is known.
 * What is missing or left out is reported to the monitor. positive: for "class-folders", names of the folders that are class 1
 * (NULL-terminated), the others are 0; NULL: the names of the folders are the labels. Archives of annotations are unpacked beside the table. */
RMIL_API gboolean rmil_cohort_make(const char *layout, const char *folder, const char *path, const char *const *positive,
                                   RmilCohortSummary *summary, const RmilMonitor *monitor, GError **error);

/* -- all bags of a cohort ---------------------------------------------------------------------------------------------- */
typedef enum { RMIL_BAG_SLIDE, RMIL_BAG_PATIENT } RmilBagOf;
typedef struct {
    RmilPrecision precision;
    RmilBagOf bag;        /* for whoever makes the cohort to be loaded: what one bag is */
    const char *features; /* folder with ID.h5 for rows that name a slide, not features; or NULL */
    const char *labels;   /* folder with ID.h5 or ID.npy for rows that name no label file of their own; or NULL. Label files
                            * replace the labels in the bag */
    int64_t memory;       /* bytes for the bags; 0: no limit */
    const char *cache;    /* folder for the features that do not fit, converted once and mapped; NULL: too much fails */
    int threads;
} RmilBagSetOptions;
RMIL_API void rmil_bag_set_options_init(RmilBagSetOptions *options); /* float32, no limit, all processors */

typedef struct {
    int64_t count;  /* rows of the cohort */
    RmilBag **bags; /* bags[i] is row i; NULL where it could not be read. Only to be read, by any number of threads */
    char **errors;  /* why not, or NULL */
    int64_t loaded; /* how many are there */
    int64_t dim;    /* of all of them; a bag of another size than most is an error */
    int64_t memory_bytes, mapped_bytes;
    RmilPixelCache *pixels; /* through which all its bags are looked at (rmil_bag_read_tile); freed with the set */
} RmilBagSet;

/* Loads every bag once, in parallel. Broken ones are reported in `errors`, the others load. Features beyond the memory
 * budget lie in files in `cache`, mapped read-only, shared by processes, used again as long as the file they came from
 * keeps its size and time of change; numbers are the same wherever they lie. Fails if nothing can be loaded, or with
 * RMIL_ERROR_MEMORY if the budget is too small. */
/* Of a cohort by patient, a bag is the patches of the slides in the order of their rows; places as if the slides lay far apart
 * on one, at the first one's scale; labels where any slide has some; tissue where all have it. A slide that cannot be read, or differs from the
 * first in the size of its features, makes the bag an error that names it. */
/* Rows that name a slide have bags that can be looked at; none is opened for it. At most 512 MiB of tiles are kept, beside `memory`; as
 * many threads as `threads` says, at most 8, read ahead. */
RMIL_API RmilBagSet *rmil_bag_set_load(const RmilCohort *cohort, const RmilBagSetOptions *options, const RmilMonitor *monitor,
                                       GError **error);
RMIL_API void rmil_bag_set_free(RmilBagSet *set);

/* -- splits ------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    double test;   /* share of slides put aside for testing where the cohort names no test set: 0.2; 0: none */
    double val;    /* share of the remaining development slides used for validation: 0.2; 0: none */
    uint64_t seed; /* of train/validation; the test set is drawn from seed 0 so that it is the same for every seed */
} RmilSplitOptions;
RMIL_API void rmil_split_options_init(RmilSplitOptions *options);

/* splits[i] for every cohort row: rows whose split the cohort gives keep it; the rest is drawn, stratified by class, by whether
 * the event happened, or by thirds of the numbers, whole patients at a time (a patient's slides never part; by_site, nor do
 * those of a site, and sites that share patients are one). A set (test, val) that the cohort names is not drawn from: what is
 * left then goes to training. Rows of which nothing is known get RMIL_SPLIT_NONE. The order of the cohort's rows does not
 * matter. Fails with RMIL_ERROR_DATA, saying what is missing, when a set would lack one of the classes, or an event; only
 * validation may lack what fewer than three patients have.
 *
 * How: patients, in random order, join the set when that brings its number of slides per class closer to the class's
 * share (relative to it; shares in whole slides by largest remainder, at least 1) and leaves each class enough patients
 * for the sets still to be filled. With one slide per patient the shares are met exactly. */
RMIL_API gboolean rmil_split_draw(const RmilCohort *cohort, const RmilSplitOptions *options, RmilSplit *splits, GError **error);

/* Splits fixed by a file, for repeating published ones: a CSV with the column `id` and one column per split, its name
 * in the header, whose cells are train, val, test or empty; or by a folder as CLAM writes it: of each splits_N.csv (ids of slides under
 * train, val and test) or, where that is not there, splits_N_bool.csv (a row for each slide) one split "fold-N", by number. Both name slides, also
 * where the rows are patients. */
typedef struct {
    int64_t count; /* splits */
    char **names;
    int64_t rows;      /* of the cohort */
    RmilSplit *splits; /* count × rows: splits[j × rows + i] is cohort row i in split j */
} RmilSplitTable;
/* Refuses, naming line and column: ids that the cohort neither has nor left out or that come twice, other words than the three,
 * patients (and sites, by_site) in two sets of one split, sets that lack a class, slides in a set that have no label. Slides of the cohort
 * that the file does not name are in no set. */
RMIL_API RmilSplitTable *rmil_split_table_read(const char *path, const RmilCohort *cohort, GError **error);
RMIL_API void rmil_split_table_free(RmilSplitTable *table);

/* One way of dividing a cohort and the seed of everything random in its training. */
typedef struct {
    char *name; /* of the split where a file fixes it, else "" */
    int64_t seed;
    RmilSplit *splits; /* by row */
} RmilRepeat;
/* GArray of RmilRepeat; free with g_array_unref. read: every column of a split table; its seed is the number that the name
 * ends in, else (or where it is 2^63 or more) its place from 0. draw: rmil_split_draw with these shares for each seed. */
RMIL_API GArray *rmil_repeats_read(const RmilCohort *cohort, const char *path, GError **error);
RMIL_API GArray *rmil_repeats_draw(const RmilCohort *cohort, double test, double val, const int64_t *seeds, int64_t count, GError **error);

/* Cross-validation in 2 or more folds, once for each seed: every labelled slide is in the test set of exactly one fold, patients whole,
 * classes alike in all folds; validation is drawn from the rest (val: its share). Names: "fold-1" …, of several seeds "seed-0-fold-1" …
 * Fails with RMIL_ERROR_DATA when a class has fewer patients than there are folds, or the table names sets.
 *
 * How: patients, those with many slides first and equal ones in random order, go to the fold that has the least of their classes. With one
 * slide per patient the classes' numbers differ by one at most. */
RMIL_API GArray *rmil_repeats_fold(const RmilCohort *cohort, int64_t folds, double val, const int64_t *seeds, int64_t count,
                                   GError **error);
/* As a table that rmil_repeats_read takes: id, and a column of train, val, test for each. */
RMIL_API gboolean rmil_repeats_write(const RmilCohort *cohort, const GArray *repeats, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagSet, rmil_bag_set_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCohort, rmil_cohort_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSplitTable, rmil_split_table_free)

G_END_DECLS
#endif
