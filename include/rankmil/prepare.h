/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil prepare: everything before the model. Slides -> tiles, patch labels and features, in a work folder.
 *
 *     RmilPrepareOptions options;
 *     rmil_prepare_options_init(&options);
 *     RmilWork *work = rmil_work_new("results", &options, &monitor, &error);
 *     RmilCohort *cohort = NULL;
 *     if (work && rmil_work_read(work, "cohort.csv", &error) && rmil_work_lock(work, RMIL_LOCK_ALONE, "my program", &error))
 *         cohort = rmil_work_prepare(work, &error);
 *
 * Each product is a separate file (docs/formats.md) that stores what it was made from. It is kept as long as that has not changed. After an
 * interruption, a changed option or added rows, the same calls therefore make only what is missing. The bytes do not depend on threads or
 * interruptions. If a row fails, it is reported to the monitor (problem), later stages skip it, and the other rows continue. A stage
 * returns FALSE only if nothing can continue. */
#ifndef RANKMIL_PREPARE_H
#define RANKMIL_PREPARE_H

#include "annotation.h"
#include "cohort.h"
#include "slide.h"

G_BEGIN_DECLS

/* -- options ------------------------------------------------------------------------------------------------------------------ */
/* Strings and NULL-terminated lists are allocated with g_malloc and owned; rmil_prepare_options_clear frees them. The value at the end of a
 * comment is the default. */
typedef struct {
    /* tiles (slide.h) */
    double mpp;        /* µm per level-0 px for slides whose row gives none; 0: what each slide says */
    int tile_px;       /* side of a tile in pixels, 64 … 1024; 0: that of the encoder, usually 224 */
    double tile_mpp;   /* µm per px of a tile, 0.01 … 100; 0: that of the encoder, usually 0.5 */
    double second_mpp; /* µm per px of a second tile with the same centre and tile_px; its features are appended. 0: none */
    char *tile_mpps;   /* tile_mpp and second_mpp as text, "0.5" or "0.5,2"; takes precedence over both. NULL */
    /* Overlap of neighbouring tiles, at most 0.9 of their side: below 1 a fraction of the side, otherwise whole pixels. RmilWork.options
     * always has pixels. 0 */
    double overlap;
    double min_tissue; /* minimum tissue fraction of a tile, 0 … 1. 0.05 */
    double mask_mpp;   /* µm per px of the tissue mask, 0.1 … 1000. 4 */
    /* tissue (slide.h), for slides whose row gives none */
    char *tissue; /* how to find it: "otsu", "hsv" or "none". NULL: "otsu" */
    /* tissue, for all slides */
    char *leave_out;  /* "pen", "fold", "blur", or several of them separated by commas. NULL: none */
    double min_area;  /* leave out pieces of tissue smaller than this many mm². 0 */
    double max_hole;  /* fill holes in tissue smaller than this many mm². 0 */
    gboolean trained; /* the tiles are for a trained model, whose training slides had a known resolution: always warn of images without
                        * one, even if no slide of the cohort has one. FALSE */
    /* features (encoder.h) */
    char *encoder;     /* name, or "auto" for rmil_encoder_guess. NULL: the first of rmil_encoder_names */
    char *weights;     /* its weight file, or NULL */
    gboolean bfloat16; /* compute in bfloat16. FALSE */
    /* Number type in feature files, "float16" or "float32". Existing files of the other type are made again. NULL: float16, and existing
     * files are kept. */
    char *features_precision;
    char *mean, *sd, *onnx_output, *device; /* as in RmilEncoderOptions; only `device` is for any encoder but "onnx". NULL */
    int input_px;                           /* for "onnx"; also the tile's side if tile_px is 0. 0 */
    /* patch labels (annotation.h) */
    /* Names of annotation groups. NULL: the usual ones. `lesion` may also have entries "CLASS=GROUP[,CLASS=GROUP]": on slides of that
     * class, only these groups are lesions. ARGUMENT if the cohort has no such class. */
    char **lesion, **exclusion;
    double padding;         /* grow annotations by this many level-0 px, 0 … 10⁶. 0 */
    double label_threshold; /* a patch is annotated if more than this fraction of it is, 0 … 1. 0.05 */
    gboolean uncropped;     /* coordinates in GeoJSON and masks start at level 0, not at the scanned area. FALSE */
    gboolean preview;       /* also draw outlines and annotated patches: labels/ID.png. FALSE */
    int threads;            /* 0: all processors */
} RmilPrepareOptions;
RMIL_API void rmil_prepare_options_init(RmilPrepareOptions *options);
RMIL_API void rmil_prepare_options_clear(RmilPrepareOptions *options);
/* ARGUMENT if a value is not accepted; the message names the command-line option ("--tile-mpp"). */
RMIL_API gboolean rmil_prepare_options_check(const RmilPrepareOptions *options, GError **error);
/* Parses "0.5" (*second = 0) or "0.5,2"; ARGUMENT for anything else. */
RMIL_API gboolean rmil_tile_mpps_parse(const char *text, double *first, double *second, GError **error);

/* How features are made from slides, as a JSON object. New slides must be processed in the same way before a model is applied to them. It
 * is stored in preprocessing.json beside cohort.csv, and as "preprocessing" in a training's run.json.
 *   get: from the options of a work. Free with json_node_unref.
 *   apply: sets the options from such an object. Weights and device stay if they are already set. FORMAT if the object names no encoder or
 *     has an invalid number. ARGUMENT, with both values, if the options already have another features_precision, tile_px, tissue,
 *     leave_out, min_area or max_hole, or for "onnx" another mean, sd, onnx_output or input_px.
 *   read: reads the file beside a cohort table; *node is NULL if there is none. Free *node with json_node_unref. */
RMIL_API JsonNode *rmil_preprocessing_get(const RmilPrepareOptions *options);
RMIL_API gboolean rmil_preprocessing_apply(JsonNode *node, RmilPrepareOptions *options, GError **error);
RMIL_API gboolean rmil_preprocessing_read(const char *cohort, JsonNode **node, GError **error);

/* -- the work ------------------------------------------------------------------------------------------------------------------ */
/* A cohort and the folder with its products. Read the members, but do not change them. Functions that take a const RmilWork are
 * thread-safe; the others must be called by one thread at a time. */
typedef struct {
    char *folder;               /* NULL: rows can be checked and opened, but nothing can be made */
    RmilPrepareOptions options; /* a copy; encoder, tile_px, tile_mpp, overlap and threads are filled in */
    RmilCohort *cohort;
    char **errors; /* by row: why a stage failed; later stages skip the row. NULL: no failure */
    int64_t tiles; /* total of all tiled slides, including earlier calls; −1: rmil_work_tile did not run or had nothing to do */
    int64_t left_out[RMIL_LEFT_REASONS]; /* tiles of these slides that were left out, by reason */
    int64_t annotated_patches;           /* the same as `tiles`, for rmil_work_label */
    char *encoder;       /* identity of the encoder (rmil_encoder_identity); NULL: rmil_work_encode did not run or had nothing to do */
    int64_t feature_dim; /* of that encoder */
    /* private */
    RmilMonitor monitor;
    struct _RmilGate *gate;
    RmilLock *lock;
    char *who; /* of a shared folder; NULL: not shared */
} RmilWork;

/* folder: may be NULL. Options and monitor are copied, but the monitor's `user` must outlive the work. The monitor gets each warning once,
 * and the end of each stage ("tile", "label", "encode"); problems use the same names. Fails as rmil_prepare_options_check and
 * rmil_encoder_check do. Free with rmil_work_free. */
RMIL_API RmilWork *rmil_work_new(const char *folder, const RmilPrepareOptions *options, const RmilMonitor *monitor, GError **error);
/* Also frees the cohort and releases the lock. */
RMIL_API void rmil_work_free(RmilWork *work);
/* Sets the cohort; call one of these once. _read and _read_as read a table (rmil_cohort_read, rmil_cohort_read_as). _take takes ownership
 * of a cohort made elsewhere. The cohort's warnings go to the monitor; its notes do not. */
RMIL_API gboolean rmil_work_read(RmilWork *work, const char *cohort, GError **error);
RMIL_API gboolean rmil_work_read_as(RmilWork *work, const char *cohort, const RmilReading *how, GError **error);
RMIL_API void rmil_work_take(RmilWork *work, RmilCohort *cohort);
/* Keeps other processes out of the folder until rmil_work_free (rmil_lock_take on FOLDER/.lock). First compares FOLDER/cohort.csv with the
 * work's cohort: ARGUMENT if an id is another slide there, or if it has none of this cohort's ids. A cohort may gain or lose rows, and all
 * of its files may move. */
RMIL_API gboolean rmil_work_lock(RmilWork *work, RmilLockMode mode, const char *who, GError **error);
/* The same check, but any number of processes may share the folder. They must have the same cohort and options; IO if they differ, or if a
 * process has the folder for itself. Stages divide the slides among the processes: a lock in FOLDER/.slides gives each slide to one of
 * them, and if that one dies, to another. A stage ends when every slide is done, by whichever process. */
RMIL_API gboolean rmil_work_share(RmilWork *work, const char *who, GError **error);

/* -- stages --------------------------------------------------------------------------------------------------------------------- */
/* tile:   slides without features of their own -> tiles/ID.h5 (coordinates, tissue), masks/ID.png (a picture for checking). Warns of slides
 *         whose resolution differs greatly from the others', is unknown, or is coarser than that of the tiles.
 * label:  rows with an annotation -> labels/ID.h5, and with `preview` labels/ID.png. Needs the tiles, or features with coordinates.
 * encode: tiles -> features/ID.h5. Continues at the batch where an earlier call stopped. Fails if the encoder is not available. */
RMIL_API gboolean rmil_work_tile(RmilWork *work, GError **error);
RMIL_API gboolean rmil_work_label(RmilWork *work, GError **error);
RMIL_API gboolean rmil_work_encode(RmilWork *work, GError **error);
/* label, with another padding and into another folder below that of the work: "padded/100". */
RMIL_API gboolean rmil_work_label_into(RmilWork *work, const char *below, double padding, GError **error);
/* Writes FOLDER/cohort.csv: the rows that have features and did not fail, with the columns features and patch_labels. Columns that rankmil
 * does not use are copied. Also writes FOLDER/preprocessing.json if a row was encoded here, because features from elsewhere do not say how
 * they were made. */
RMIL_API gboolean rmil_work_write_cohort(RmilWork *work, GError **error);
/* Runs all stages, writes cohort.csv and reads it, for the same task. The result's left_out has the ids of the missing rows. NULL and
 * *error on failure. Free with rmil_cohort_free. */
RMIL_API RmilCohort *rmil_work_prepare(RmilWork *work, GError **error);

/* -- one row -------------------------------------------------------------------------------------------------------------------- */
/* FOLDER/kind/ID.ending, and the path of the row's features, which may not exist yet. Free with g_free. */
RMIL_API char *rmil_work_path(const RmilWork *work, const char *kind, int64_t row, const char *ending);
RMIL_API char *rmil_work_features(const RmilWork *work, int64_t row);
/* Does any row have to be encoded, because the table gives no features for it? */
RMIL_API gboolean rmil_work_encodes(const RmilWork *work);
/* µm per level-0 px for opening the row's slide: from the row, or else from the options; 0 if neither has it. */
RMIL_API double rmil_work_mpp(const RmilWork *work, int64_t row);
/* Opens the row's slide with that mpp and reports its warnings. Free with rmil_slide_free. */
RMIL_API RmilSlide *rmil_work_open_slide(const RmilWork *work, int64_t row, GError **error);
/* The tissue of a row's slide: from the file in the row's column `tissue`, or found according to the options. Warnings are reported. mpp:
 * µm per pixel of the mask. Free with rmil_mask_free. */
RMIL_API RmilMask *rmil_work_mask(const RmilWork *work, int64_t row, RmilSlide *slide, double mpp, GError **error);
/* The annotation of a row, padded by `padding` level-0 px. Warnings are reported. row: of this cohort or of one made from it. slide: the
 * row's, or NULL; it is then opened if the annotation may start at the corner of the scanned area. bag: the row's patches, which may know
 * the slide's size, or NULL. Free with rmil_region_free. */
RMIL_API RmilRegion *rmil_work_read_region(const RmilWork *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag,
                                           double padding, GError **error);

/* -- check ---------------------------------------------------------------------------------------------------------------------- */
/* What was found out about a row by opening its files. */
typedef struct {
    double mpp;         /* µm per level-0 px of its slide; 0: a plain image without a resolution; < 0: no slide, or it did not open */
    int64_t dim;        /* of its features; 0: none, or unreadable */
    gboolean annotated; /* it names an annotation (even a broken one) or has annotated patches */
    /* Fraction of its tissue that is left out, by reason, from a coarse mask (usually 32 µm per px). Not for blur, which shows only in
     * tiles. */
    double left[RMIL_LEFT_REASONS];
} RmilCheckedRow;
typedef struct {
    double mpp;
    int64_t slides;
} RmilMppCount;
typedef struct {
    RmilCheckedRow *rows; /* by row of the cohort */
    /* Numbers of rows. negative: of the negative class; positive: all others with a known target. */
    int64_t positive, negative, unlabelled, annotated;
    int64_t of_class[RMIL_CLASSES_MOST][RMIL_SPLIT_TEST + 1]; /* rows by class and by the table's split */
    int64_t events, censored;                                 /* rows */
    int64_t patients, sites;                                  /* distinct names in the table */
    GArray *mpp; /* RmilMppCount: the number of slides with each resolution (within 0.5 %), finest first */
} RmilCheck;
/* Opens every slide, annotation, feature file and label file of the cohort, and writes nothing. Of slides, it reads the corners, the centre
 * and a coarse tissue mask. Errors are reported as problems of the stage "check" and stored in work->errors, so later stages skip these
 * rows: unreadable files, lesions on negative slides, features of another dimension. Anything doubtful is a warning. Free with
 * rmil_check_free. */
RMIL_API RmilCheck *rmil_work_check(RmilWork *work);
RMIL_API void rmil_check_free(RmilCheck *check);

/* -- inputs of predict ------------------------------------------------------------------------------------------------------------ */
/* Returns the file that got an id in an earlier call for the same output folder, as UTF-8, or NULL if the id is free. */
typedef const char *(*RmilIdOwner)(gpointer user, const char *id);
/* Makes a cohort without a table from slides, feature files, folders, shell patterns and cohort tables. Free with rmil_cohort_free. The id
 * of a file is its name without extension; if another file has that id, here or according to `owner` (may be NULL), parent folders' names
 * are put before it until it is unique. Folders are searched up to eight deep for names that look like slides or features; a file that
 * is named itself is always used. Inputs that cannot be used are reported as problems of the stage "predict"; duplicate inputs and skipped
 * files as warnings. DATA if nothing is left. */
RMIL_API RmilCohort *rmil_predict_inputs(const char *const *inputs, int64_t count, RmilIdOwner owner, gpointer user,
                                         const RmilMonitor *monitor, GError **error);
/* The same, with the targets in tables read for a task, usually that of a model. NULL: the task of the first table that has targets.
 * Targets of any other task are ignored, with a warning. */
RMIL_API RmilCohort *rmil_predict_inputs_as(const char *const *inputs, int64_t count, const RmilTask *task, RmilIdOwner owner,
                                            gpointer user, const RmilMonitor *monitor, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilWork, rmil_work_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCheck, rmil_check_free)

G_END_DECLS
#endif
