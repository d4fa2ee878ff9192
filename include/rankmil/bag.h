/* rankmil bag: features, coordinates and labels of one slide, in memory and in HDF5; the cohort table. */
#ifndef RANKMIL_BAG_H
#define RANKMIL_BAG_H

#include "tensors.h"

G_BEGIN_DECLS

/* One slide. All arrays are owned by the bag; NULL where absent. */
typedef struct {
    char *id;
    int64_t count; /* K patches, ≥ 1 */
    int64_t dim;   /* D floats each; 0 when the file holds only coordinates */
    RmilPrecision precision;
    void *features;        /* K × D, float or bfloat16 (uint16_t) as precision says */
    int64_t *coords;       /* K × 2, level-0 px */
    float *tissue;         /* K: tissue share */
    uint8_t *patch_labels; /* K: 1 annotated */
    /* attributes of /coords; 0 when unknown */
    double patch_size, patch_size_level0, target_mpp;
    int64_t slide_width, slide_height;
    char *source; /* identity of the encoder and tiling that made it, or NULL */
    /* what other tools' files say beside it, kept so that converting there and back loses nothing */
    char *extractor;      /* STAMP: name of the encoder, or NULL */
    double overlap;       /* TRIDENT: of neighbouring patches, in pixels as the encoder saw them; 0 */
    gboolean mapped;      /* features lie in a mapped file */
    gboolean stored_half; /* the file holds features as float16 */
    double mpp;           /* µm per level-0 px, where known; 0 */
    double coords_um;     /* 0: coords and patch_size_level0 are level-0 px. Above 0: the file gives micrometres, not
                            * pixels (STAMP); they are in units of this many µm until rmil_bag_set_mpp is told the mpp */
} RmilBag;

typedef enum {
    RMIL_BAG_ALL = 0,
    RMIL_BAG_NO_FEATURES = 1 /* read everything but the features */
} RmilBagFlags;

/* Features may come without coordinates: such bags train and predict (hipt excepted), but have no places to show or label.
 * Reads rankmil's layout and, as they are, those of CLAM (.h5 and .pt), TRIDENT, STAMP and the paper's code
 * (docs/formats.md); id: NULL for the file's stem. A file that does not say the size of its patches gets the spacing of
 * their grid, where there is one. NaN and infinite features are refused with the patch and column they stand in.
 * Thread-safe (HDF5 is entered by one thread at a time). */
RMIL_API RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error);
RMIL_API void rmil_bag_free(RmilBag *bag);
/* A digest of what the bag holds, to find the same slide under another name: number and size of its features, coordinates, and
 * up to 64 of its patches' features, rounded to bfloat16, so that it is the same in either precision. Free with g_free. */
RMIL_API char *rmil_bag_digest(const RmilBag *bag);
/* HDF5 is known to end the process on some damaged files. So a file is looked through by a child process before it is first
 * read, and refused when the child dies of it. Told of many files at once, one child does for all, and is made while this
 * process is still small; otherwise there is one for each file. Files that are known already, that are no HDF5, or cannot be
 * opened, are passed over. The child calls HDF5 and nothing else; a caller's own threads may run on, but may not be in HDF5. */
RMIL_API void rmil_bag_examine(const char *const *paths, int64_t n);
/* Says the slide's µm per level-0 pixel (nothing when ≤ 0): coordinates given in µm become level-0 pixels; others stay. */
RMIL_API void rmil_bag_set_mpp(RmilBag *bag, double mpp);
/* The same by the slide's own mpp when `mpp` is not above 0. slide: its path, or NULL. RMIL_ERROR_RESOLUTION when
 * coordinates are in µm and neither says how many a pixel has; they are left as they are. */
RMIL_API gboolean rmil_bag_locate(RmilBag *bag, const char *slide, double mpp, GError **error);
/* Writes float16 (half = TRUE) or float32 features, chunks ≥ 1 MiB. */
RMIL_API gboolean rmil_bag_write(const RmilBag *bag, const char *path, gboolean half, GError **error);
/* The same as "rankmil", "clam", "trident", "stamp" or "paper" (rmil_bag_layouts); "clam" with a path that ends in .pt writes the
 * features alone, as a PyTorch tensor. "paper" names a dataset for each patch after its cell, and puts patch labels, in the order
 * of those names, into a file of the same name that ends in .npy; tissue and source have no place in it. Read and written, float16 and float32 features stay the same bit for bit, as long
 * as `half` is what `stored_half` said. "stamp" needs the slide's mpp (rmil_bag_set_mpp) where the bag does not imply it. */
RMIL_API gboolean rmil_bag_write_as(const RmilBag *bag, const char *path, const char *layout, gboolean half, GError **error);
RMIL_API const char *const *rmil_bag_layouts(void); /* that can be written; NULL-terminated */

/* Features that come in batches: bounded memory, any order of batches, and a killed run goes on where it stopped. Rows
 * are kept in PATH.partial until commit writes the whole file; its bytes are those of rmil_bag_write, however often the
 * work was interrupted. Only one writer at a time for a path (a second one is refused, where the file system can tell). */
typedef struct _RmilBagWriter RmilBagWriter;
/* meta: everything but the features (count, dim ≥ 1, coords, tissue, attributes, source), copied. Batches in PATH.partial
 * are taken over when it was begun with the same meta and precision; else it starts empty. */
RMIL_API RmilBagWriter *rmil_bag_writer_begin(const RmilBag *meta, const char *path, gboolean half, GError **error);
/* Are rows first … first + rows − 1 all there? Ask before making a batch. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_has(RmilBagWriter *writer, int64_t first, int64_t rows);
/* rows × dim floats. NaN and infinite values are refused with patch and column. Thread-safe. */
RMIL_API gboolean rmil_bag_writer_put(RmilBagWriter *writer, int64_t first, int64_t rows, const float *features, GError **error);
/* Writes the file, removes PATH.partial and frees the writer. On failure (rows missing, disk full) PATH.partial stays,
 * so that the work is not lost; the writer is freed all the same. */
RMIL_API gboolean rmil_bag_writer_commit(RmilBagWriter *writer, GError **error);
RMIL_API void rmil_bag_writer_free(RmilBagWriter *writer); /* PATH.partial stays for a later run */
/* Removes PATH.partial where PATH is complete, unless somebody is writing it: a process may have ended before it did so. */
RMIL_API void rmil_bag_writer_forget(const char *path);
RMIL_API void rmil_bag_writer_abandon(RmilBagWriter *writer); /* frees, and removes PATH.partial */

/* Patch labels live in a file of their own, so that annotations can change without touching features:
 * /patch_labels (K) uint8, /overlap (K) float32. `source` says what made them (annotation, padding, threshold). */
RMIL_API gboolean rmil_labels_write(const char *path, const uint8_t *labels, const double *shares, int64_t count, const char *source,
                                    GError **error);
/* Reads such a file, or a NumPy array (.npy; whole numbers, floats or booleans). Anything but `count` values of 0 and 1
 * is refused. */
RMIL_API gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error);
/* *source: the text of that name stored in a feature or label file, NULL when there is none or no such file: the key of
 * resuming. FALSE: that cannot be told, for there is a file that cannot be read. Free *source with g_free. */
RMIL_API gboolean rmil_bag_source(const char *path, char **source, GError **error);

/* -- cohort ------------------------------------------------------------------------------------------------------------ */
typedef enum { RMIL_SPLIT_NONE, RMIL_SPLIT_TRAIN, RMIL_SPLIT_VAL, RMIL_SPLIT_TEST } RmilSplit;
RMIL_API const char *rmil_split_name(RmilSplit split); /* "", "train", "val", "test" */

typedef struct {
    char *id;
    char *slide;        /* absolute path, or NULL */
    char *features;     /* absolute path, or NULL; at least one of the two is set. Both: features train, slide is shown */
    char *annotation;   /* absolute path, or NULL */
    char *patch_labels; /* absolute path of a label file (HDF5 or .npy), or NULL */
    char *patient;      /* or NULL */
    int label;          /* 0, 1, …; −1 none */
    RmilSplit split;
    double mpp;   /* override, 0 none */
    int64_t line; /* in the CSV */
} RmilCohortRow;

typedef struct {
    char *path;
    int64_t count;
    RmilCohortRow *rows;
    RmilTable *table;     /* the CSV itself, unknown columns included; row i of it is rows[i] */
    const char **meaning; /* by column of the table: the name that it is read as ("label" for "Label"), or NULL: it is not used */
    char **warnings;      /* what whoever reads the table must know: columns whose names come near, …; each names the file; never
                            * NULL, NULL-terminated */
    char **left_out;      /* ids of slides that stages before left out, which tables of splits may still name; NULL-terminated,
                            * or NULL: none, as read. Set by who left them out, freed with the cohort (g_strfreev) */
} RmilCohort;

/* Columns are found by name; one that differs only in case, blanks, "_" and "-" is taken (and patient_id for patient, slide_path,
 * features_path), and this is said in `warnings`; one that comes near (lable, case_id) is only said. Paths are relative to the
 * table's folder; of a table that comes through a pipe, to the current one. Refuses, naming line and column: no slide/features
 * column, neither in a row, duplicate or unusable ids (path separators), labels other than whole numbers ≥ 0 (1.0 is 1), unknown
 * splits, bad mpp, a patient in two splits. */
RMIL_API RmilCohort *rmil_cohort_read(const char *path, GError **error);
RMIL_API void rmil_cohort_free(RmilCohort *cohort);

/* What the table says about training before any slide is opened. classes: the labels that occur, ascending (int; free with
 * g_array_unref). check_labels: training takes labels 0 and 1, and both; DATA says what to write instead. */
RMIL_API GArray *rmil_cohort_classes(const RmilCohort *cohort);
RMIL_API gboolean rmil_cohort_check_labels(const RmilCohort *cohort, GError **error);
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
 * What is missing or left out is told to the monitor. positive: for "class-folders", names of the folders that are class 1
 * (NULL-terminated), or NULL. Archives of annotations are unpacked beside the table. */
RMIL_API gboolean rmil_cohort_make(const char *layout, const char *folder, const char *path, const char *const *positive,
                                   RmilCohortSummary *summary, const RmilMonitor *monitor, GError **error);

/* -- all bags of a cohort ---------------------------------------------------------------------------------------------- */
typedef struct {
    RmilPrecision precision;
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
} RmilBagSet;

/* Loads every bag once, in parallel. Broken ones are reported in `errors`, the others load. Features beyond the memory
 * budget lie in files in `cache`, mapped read-only, shared by processes, used again as long as the file they came from
 * keeps its size and time of change; numbers are the same wherever they lie. Fails when nothing can be loaded, or with
 * RMIL_ERROR_MEMORY when the budget does not suffice. */
RMIL_API RmilBagSet *rmil_bag_set_load(const RmilCohort *cohort, const RmilBagSetOptions *options, const RmilMonitor *monitor,
                                       GError **error);
RMIL_API void rmil_bag_set_free(RmilBagSet *set);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagSet, rmil_bag_set_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBag, rmil_bag_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilBagWriter, rmil_bag_writer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCohort, rmil_cohort_free)

G_END_DECLS
#endif
