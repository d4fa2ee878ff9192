/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil cohort: what is predicted, the table of slides, tables for public data sets, train/validation/test splits, and the features of
 * all slides. */
#ifndef RANKMIL_COHORT_H
#define RANKMIL_COHORT_H

#include "bag.h"

#include <math.h>

G_BEGIN_DECLS

/* -- what is predicted ----------------------------------------------------------------------------------------------------- */
typedef enum {
    RMIL_TASK_CLASSES,  /* classification with C ≥ 2 classes */
    RMIL_TASK_SURVIVAL, /* time to an event, possibly censored */
    RMIL_TASK_NUMBER    /* regression: a number */
} RmilTaskKind;
#define RMIL_CLASSES_MOST 20
#define RMIL_OUTPUTS_MOST 32 /* outputs of a model for one bag: classes, or time bins */
#define RMIL_CLASS_NAME 64   /* bytes, including the terminating 0 */

typedef struct {
    RmilTaskKind kind;
    int classes;                                    /* C; 0 for survival and regression */
    char names[RMIL_CLASSES_MOST][RMIL_CLASS_NAME]; /* class names, in the order of labels 0 … C − 1 */
    gboolean negative;                              /* class 0 means "no lesion": its slides have no lesion to annotate or localise */
} RmilTask;
/* The paper's task: labels 0 (negative) and 1. */
RMIL_API void rmil_task_init(RmilTask *task);
/* Is it the paper's task? Its class names need not be shown. */
RMIL_API gboolean rmil_task_is_plain(const RmilTask *task);
RMIL_API const char *rmil_task_kind_name(RmilTaskKind kind); /* "classes", "survival", "number" */
/* Converts to one line of JSON, {"kind":"classes","classes":["normal","tumor"],"negative":true} (free with g_free), and back. parse fails
 * with FORMAT and says what is wrong. */
RMIL_API char *rmil_task_text(const RmilTask *task);
RMIL_API gboolean rmil_task_parse(const char *text, RmilTask *task, GError **error);
RMIL_API gboolean rmil_task_equal(const RmilTask *a, const RmilTask *b);

/* What is known about one slide (or patient). Fields that the task does not use are ignored. */
typedef struct {
    int label;      /* class; −1: unknown */
    double time;    /* > 0, in the unit of the table; NaN: unknown */
    gboolean event; /* TRUE: the event happened at `time`; FALSE: censored then */
    double value;   /* NaN: unknown */
} RmilTarget;
#define RMIL_TARGET_CLASS(label) ((RmilTarget){label, NAN, FALSE, NAN}) /* −1: unknown */
#define RMIL_TARGET_NONE RMIL_TARGET_CLASS(-1)
RMIL_API gboolean rmil_target_known(const RmilTask *task, const RmilTarget *target);
/* Can the slide contain a lesion, which guides act on and localisation is measured on? FALSE for the negative class and unknown targets. */
RMIL_API gboolean rmil_target_lesion(const RmilTask *task, const RmilTarget *target);

/* -- the table --------------------------------------------------------------------------------------------------------- */
typedef enum { RMIL_SPLIT_NONE, RMIL_SPLIT_TRAIN, RMIL_SPLIT_VAL, RMIL_SPLIT_TEST } RmilSplit;
RMIL_API const char *rmil_split_name(RmilSplit split); /* "", "train", "val", "test" */

typedef struct {
    char *id;
    char *slide;        /* absolute path, or NULL */
    char *features;     /* absolute path, or NULL. At least one of slide and features is set. If both are: features are used to train, and
                         * the slide is shown */
    char *annotation;   /* absolute path, or NULL */
    char *tissue;       /* absolute path of outlines or a mask of the tissue; NULL: tissue is detected */
    char *patch_labels; /* absolute path of a label file (HDF5 or .npy), or NULL */
    char *patient;      /* or NULL */
    char *site;         /* or NULL */
    RmilTarget target;
    RmilSplit split;
    double mpp;      /* overrides the slide's µm per pixel; 0: does not */
    int64_t line;    /* in the CSV file */
    GArray *members; /* int64_t: indices of this patient's rows in the cohort's `slides`; NULL if rows are slides */
} RmilCohortRow;

typedef struct _RmilCohort {
    char *path;
    RmilTask task;
    const struct _RmilCohort *slides; /* if rows are patients (rmil_cohort_by_patient): the cohort of their slides, borrowed. Else NULL */
    int64_t count;
    RmilCohortRow *rows;
    RmilTable *table;     /* the CSV file, including unknown columns; its row i is rows[i]. NULL if the rows do not come from a file */
    const char **meaning; /* for each column of the table: the name it is read as ("label" for "Label"), or NULL if it is not used */
    gboolean by_site;     /* splits keep each site in one set */
    char **warnings;      /* messages that users must see, for example about misspelt column names; each names the file. Never NULL;
                           * NULL-terminated */
    char **notes;         /* how ambiguities were resolved, for example the classes and their order; same form as warnings */
    char **left_out;      /* ids of slides that earlier stages left out, which split tables may still name; NULL-terminated, or NULL: none.
                           * Set by the caller after reading; freed with the cohort (g_strfreev) */
} RmilCohort;

/* Which columns of the table hold the target. */
typedef enum {
    RMIL_TARGET_FOUND,    /* the first that has entries: `label`, then `time` and `event`, then `value` */
    RMIL_TARGET_LABEL,    /* classes */
    RMIL_TARGET_SURVIVAL, /* time to an event */
    RMIL_TARGET_VALUE,    /* a number */
    RMIL_TARGET_UNREAD    /* none: these columns are not read */
} RmilTargetColumn;
RMIL_API gboolean rmil_target_column_parse(const char *name, RmilTargetColumn *target, GError **error); /* "label", "survival", "value" */

/* How to read a table. All zero: as rmil_cohort_read does. Everything is borrowed during the call. */
typedef struct {
    const char *const *classes; /* class names in the order of labels 0 … C − 1, NULL-terminated; NULL: taken from the label column */
    RmilTargetColumn target;
    const RmilTask *task; /* read this task, whatever the two fields above say: that of a model, or of another table */
    gboolean by_site;     /* splits keep each site (column `site`) in one set */
} RmilReading;

/* Reads a cohort table. Free with rmil_cohort_free.
 *
 * Columns are found by name. Names that differ only in case, blanks, "_" and "-" are accepted, and so are patient_id, slide_path and
 * features_path; `warnings` says so. Columns that only resemble a known name (lable, case_id) are not used, but reported in `warnings`.
 * Relative paths start at the folder of the table, or at the current folder if the table comes through a pipe. Errors name line and column:
 * no column slide or features, a row with neither, ids that occur twice or contain path separators, unknown splits, impossible mpp, a
 * patient (by_site: or a site) in two sets.
 *
 * `label` holds words or whole numbers ≥ 0 (1.0 counts as 1). Numbers are sorted, and 0 is the negative class; 0 and 1 alone are the
 * paper's task. Words are sorted alphabetically, but if exactly one of them means negative (normal, benign, negative, healthy, control …),
 * it comes first. Errors: words mixed with numbers, words that differ only in case or blanks, more than RMIL_CLASSES_MOST classes, names of
 * RMIL_CLASS_NAME bytes or more. If classes are given, other labels are errors, and the first class is negative if its name means that. A
 * table may have one class or none; rmil_cohort_check_labels checks what training needs.
 * `time` is above 0 and `event` is 0 or 1 (also true, false, yes, no, dead, alive, deceased, living); a row has both or neither. `value` is
 * a finite number. */
RMIL_API RmilCohort *rmil_cohort_read(const char *path, GError **error);
RMIL_API RmilCohort *rmil_cohort_read_as(const char *path, const RmilReading *how, GError **error);
RMIL_API void rmil_cohort_free(RmilCohort *cohort);
RMIL_API void rmil_cohort_row_clear(RmilCohortRow *row); /* frees what the row holds, not the row */

/* The labels that occur, ascending (GArray of int; free with g_array_unref). */
RMIL_API GArray *rmil_cohort_classes(const RmilCohort *cohort);
/* Checks, from the table alone, that training is possible. DATA: no targets, fewer than two classes, a class without slides, no event, or
 * all values equal. Warns of classes with fewer than three patients, of fewer than 10 events, and of patients whose slides have different
 * targets (except for two classes of which one is negative). */
RMIL_API gboolean rmil_cohort_check_labels(const RmilCohort *cohort, const RmilMonitor *monitor, GError **error);
/* DATA if the table's own splits leave no slide of some class for training, because all are in val or test. */
RMIL_API gboolean rmil_cohort_check_sets(const RmilCohort *cohort, GError **error);

/* groups[row] = number of the row's patient, 0 … n − 1 in order of first appearance. A row without a patient counts as one of its own.
 * Returns n. */
RMIL_API int64_t rmil_cohort_patients(const RmilCohort *cohort, int64_t *groups);
/* A cohort with one row per patient, in order of the first slide, whose bag consists of all slides of the patient (rmil_bag_set_load). A
 * slide without a patient gets a row of its own. id: the patient's name, or the slide's id. Paths are set only for patients with one
 * slide. The given cohort must outlive the result. DATA: slides of a patient have different targets, or a patient's name cannot be an id or
 * is the id of another row. Free with rmil_cohort_free. */
RMIL_API RmilCohort *rmil_cohort_by_patient(const RmilCohort *cohort, GError **error);
/* rows[slide] = the row whose bag contains that slide; rows has one element per slide. If rows are slides, the identity. */
RMIL_API void rmil_cohort_bag_rows(const RmilCohort *cohort, int64_t *rows);
/* Pairs of rows with the same slide or features: the same file, or files of the same size whose bytes agree in samples spread over the
 * file. Only files that share their size are read, about 1 MiB of each. Returns a GArray of RmilTwins; free with g_array_unref. */
typedef struct {
    int64_t first, second; /* rows */
    const char *what;      /* "slide" or "features"; static */
} RmilTwins;
RMIL_API GArray *rmil_cohort_twins(const RmilCohort *cohort);
/* Warns of twins. DATA if two are in different sets. splits: one per row, or NULL for those of the table. */
RMIL_API gboolean rmil_cohort_check_twins(const RmilCohort *cohort, const GArray *twins, const RmilSplit *splits,
                                          const RmilMonitor *monitor, GError **error);

/* -- cohort tables for public data sets -------------------------------------------------------------------------------------- */
typedef struct {
    int64_t rows, positive, negative, annotated, test;
    int64_t left_out; /* slides that the data set's authors declare wrong */
} RmilCohortSummary;
RMIL_API const char *const *rmil_cohort_layouts(void); /* "camelyon16", "digestpath", "class-folders"; NULL-terminated */
/* Writes a table for the data set in `folder` to `path`, ready for rmil_cohort_read (docs/datasets.md describes the layouts): labels, the
 * official test split, annotations, patients if they are known, and notes about single slides. Missing files and slides that are left out
 * are reported to the monitor. positive: only for "class-folders"; NULL-terminated names of the folders that are class 1, while all others
 * are class 0. NULL: folder names are the labels. Archives of annotations are unpacked beside the table. Errors: ARGUMENT for an unknown
 * layout, IO, DATA if there are no slides, or ids are not unique or cannot be used. */
RMIL_API gboolean rmil_cohort_make(const char *layout, const char *folder, const char *path, const char *const *positive,
                                   RmilCohortSummary *summary, const RmilMonitor *monitor, GError **error);

/* -- all bags of a cohort ---------------------------------------------------------------------------------------------- */
typedef enum { RMIL_BAG_SLIDE, RMIL_BAG_PATIENT } RmilBagOf;
typedef struct {
    RmilPrecision precision;
    RmilBagOf bag;        /* what one bag is. rmil_bag_set_load ignores it: the caller passes a cohort of slides or of patients */
    const char *features; /* folder with ID.h5 for rows that have a slide but no features; or NULL */
    const char *labels;   /* folder with ID.h5 or ID.npy for rows without a label file of their own; or NULL. Label files replace the labels
                           * in feature files */
    int64_t memory;       /* limit for the bags, in bytes; 0: none */
    const char *cache;    /* folder for features beyond that limit, converted once and memory-mapped; NULL: exceeding the limit fails */
    int threads;          /* ≤ 0: all processors */
} RmilBagSetOptions;
RMIL_API void rmil_bag_set_options_init(RmilBagSetOptions *options); /* float32, no limit, all processors */

typedef struct {
    int64_t count;  /* rows of the cohort */
    RmilBag **bags; /* bags[i] belongs to row i; NULL if it could not be read. Read-only, for any number of threads */
    char **errors;  /* errors[i]: why bags[i] could not be read, or NULL */
    int64_t loaded; /* number of bags that were read */
    int64_t dim;    /* feature dimension of all bags; bags that differ from the majority are errors */
    int64_t memory_bytes, mapped_bytes;
    RmilPixelCache *pixels; /* cache of pixels for all bags (rmil_bag_read_tile); freed with the set */
} RmilBagSet;

/* Loads every bag once, in parallel. Broken bags are reported in `errors`; the others load.
 *
 * Features beyond the memory limit are stored in files in `cache`, which are memory-mapped read-only, shared between processes, and reused
 * while size and modification time of the original file stay the same. Results do not depend on where features are.
 *
 * For a cohort of patients, a bag has the patches of all slides of the patient, in row order. Coordinates are those of one large slide on
 * which the slides lie far apart, at the scale of the first. There are labels if any slide has some, and tissue fractions if all slides
 * have them. If a slide cannot be read, or its feature dimension differs from the first one's, the bag is an error that names the slide.
 *
 * Bags of rows with a slide also give access to its pixels; slides are opened only when that is used. At most 512 MiB of tiles are cached,
 * in addition to `memory`, and up to `threads` threads, at most 8, read ahead.
 *
 * Errors: DATA if no bag can be loaded, MEMORY if the limit is too small. Free with rmil_bag_set_free. */
RMIL_API RmilBagSet *rmil_bag_set_load(const RmilCohort *cohort, const RmilBagSetOptions *options, const RmilMonitor *monitor,
                                       GError **error);
RMIL_API void rmil_bag_set_free(RmilBagSet *set);

/* -- splits ------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    double test;   /* share of slides for testing if the cohort names no test set: 0.2; 0: none */
    double val;    /* share of the remaining slides for validation: 0.2; 0: none */
    uint64_t seed; /* for training and validation; the test set is always drawn with seed 0, so it is the same for every seed */
} RmilSplitOptions;
RMIL_API void rmil_split_options_init(RmilSplitOptions *options);

/* Draws splits[i] for every row of the cohort. Rows whose split the table gives keep it. The others are drawn, stratified by class, event
 * status, or thirds of the values, and by whole patients: slides of a patient are never separated. With by_site, neither are slides of a
 * site, and sites that share patients count as one. If the table names a set (test or val), nothing is added to it, and the rest goes to
 * training. Rows with unknown targets get RMIL_SPLIT_NONE. The order of the rows does not matter.
 * Errors: ARGUMENT for shares outside [0, 1); DATA, with an explanation, if a set would lack a class or an event. Only the validation set
 * may lack a class or event that has fewer than three patients.
 *
 * Method: patients in random order join a set if that brings its number of slides per class closer to the target (by relative distance;
 * targets are whole slides by largest remainder, at least 1) and leaves enough patients of each class for the sets that are still to be
 * filled. With one slide per patient, the targets are met exactly. */
RMIL_API gboolean rmil_split_draw(const RmilCohort *cohort, const RmilSplitOptions *options, RmilSplit *splits, GError **error);

/* Fixed splits from a file or folder, for reproducing published ones. A CSV file has a column `id` and one column per split, whose header
 * is the split's name and whose cells are train, val, test or empty. A folder as CLAM writes it gives one split "fold-N" for each
 * splits_N.csv (slide ids under train, val and test) or, if that is missing, splits_N_bool.csv (one row per slide), ordered by N. Both name
 * slides, even if the rows of the cohort are patients. */
typedef struct {
    int64_t count; /* number of splits */
    char **names;
    int64_t rows;      /* rows of the cohort */
    RmilSplit *splits; /* count × rows: splits[j × rows + i] is row i in split j */
} RmilSplitTable;
/* Slides of the cohort that the file does not name are in no set. Errors name line and column: ids that occur twice, or are neither in the
 * cohort nor in its left_out; words other than train, val, test; patients (by_site: and sites) in two sets of a split; sets that lack a
 * class; slides in a set without a known target. Free with rmil_split_table_free. */
RMIL_API RmilSplitTable *rmil_split_table_read(const char *path, const RmilCohort *cohort, GError **error);
RMIL_API void rmil_split_table_free(RmilSplitTable *table);

/* One split of a cohort, and the seed for everything random in its training. */
typedef struct {
    char *name; /* the split's name in its file, or the name of a fold; "" if the split was drawn */
    int64_t seed;
    RmilSplit *splits; /* one per row */
} RmilRepeat;
/* Both return a GArray of RmilRepeat; free with g_array_unref. read: one per column of a split table; the seed is the number at the end of
 * the column's name or, if there is none or it is 2^63 or more, the column's position from 0. draw: one per seed, from rmil_split_draw with
 * these shares. */
RMIL_API GArray *rmil_repeats_read(const RmilCohort *cohort, const char *path, GError **error);
RMIL_API GArray *rmil_repeats_draw(const RmilCohort *cohort, double test, double val, const int64_t *seeds, int64_t count, GError **error);

/* Cross-validation with folds ≥ 2, once per seed. Every slide with a known target is in the test set of exactly one fold. Patients are
 * never divided, and classes are distributed evenly. The validation set is drawn from the other slides (val: its share). Names: "fold-1" …,
 * or with several seeds "seed-0-fold-1" … DATA if a class has fewer patients than there are folds, or if the table names sets. Free with
 * g_array_unref.
 *
 * Method: patients, sorted by decreasing number of slides and in random order among equals, join the fold that has least of their classes.
 * With one slide per patient, the class counts of folds differ by at most one. */
RMIL_API GArray *rmil_repeats_fold(const RmilCohort *cohort, int64_t folds, double val, const int64_t *seeds, int64_t count,
                                   GError **error);
/* Writes a table that rmil_repeats_read accepts: slide ids, and one column of train, val, test per repeat. */
RMIL_API gboolean rmil_repeats_write(const RmilCohort *cohort, const GArray *repeats, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagSet, rmil_bag_set_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCohort, rmil_cohort_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSplitTable, rmil_split_table_free)

G_END_DECLS
#endif
