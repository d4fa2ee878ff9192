/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil prepare: the pipeline before any model: slides -> tiles, patch labels, features, in a folder.
 *
 *     RmilPrepareOptions options;
 *     rmil_prepare_options_init(&options);
 *     RmilWork *work = rmil_work_new("results", &options, &monitor, &error);
 *     RmilCohort *cohort = NULL;
 *     if (work && rmil_work_read(work, "cohort.csv", &error) && rmil_work_lock(work, RMIL_LOCK_ALONE, "my program", &error))
 *         cohort = rmil_work_prepare(work, &error);
 *
 * Every product is a file of its own (docs/formats.md) that carries a text saying what it was made from: where that text would be the
 * same, the product is kept, so the same calls after an interruption, an option that changed, or new rows make what is missing and
 * nothing else. The bytes do not depend on threads or interruptions. A row that fails is reported to the monitor (problem), left out by
 * the stages after, and the others continue: a stage is FALSE only when nothing can continue. */
#ifndef RANKMIL_PREPARE_H
#define RANKMIL_PREPARE_H

#include "annotation.h"
#include "cohort.h"
#include "slide.h"

G_BEGIN_DECLS

/* -- options ------------------------------------------------------------------------------------------------------------------ */
/* Strings and lists (NULL-terminated) are owned: g_malloc'ed, freed by clear. */
typedef struct {
    /* tiles (slide.h) */
    double mpp;        /* µm per level-0 px of slides whose row gives none; 0 (default): what each slide says */
    int tile_px;       /* pixels of a tile's side, 64 … 1024; 0 (default): the encoder's, 224 */
    double tile_mpp;   /* µm per px of a tile, 0.01 … 100; 0 (default): the encoder's, 0.5 */
    double second_mpp; /* of a second tile of as many pixels around the same centre, whose features follow the first's; 0 (default): none */
    char *tile_mpps;   /* both as text, "0.5" or "0.5,2", which count where it is given; NULL */
    double overlap;    /* of neighbouring tiles: below 1 a share of their side, else whole pixels; at most 0.9 of their side: 0. Of a
                        * work whole pixels */
    double min_tissue; /* minimum fraction of tissue in a tile, 0 … 1: 0.05 */
    double mask_mpp;   /* µm per px of the tissue mask, 0.1 … 1000: 4 */
    /* tissue (slide.h), of slides whose row gives none */
    char *tissue; /* how it is found: "otsu", "hsv", "none"; NULL: "otsu" */
    /* and of all slides */
    char *leave_out;  /* "pen", "fold", "blur", several with commas between; NULL: none */
    double min_area;  /* mm²: smaller pieces of tissue are left out; 0 */
    double max_hole;  /* mm²: smaller holes in it are filled; 0 */
    gboolean trained; /* a model trained on slides whose resolution is not known awaits the tiles: slides without one are named even
                        * where no other slide has any. FALSE */
    /* features (encoder.h) */
    char *encoder;            /* NULL: the first of rmil_encoder_names; "auto": rmil_encoder_guess */
    char *weights;            /* its file, or NULL */
    gboolean bfloat16;        /* FALSE */
    char *features_precision; /* of the features' files: "float16" or "float32", in which those there are of the other are made
                                             * again; NULL: float16, and those there are stay */
    char *mean, *sd, *onnx_output, *device; /* of the encoder "onnx" (RmilEncoderOptions); NULL */
    int input_px;                           /* likewise, and the tiles' where tile_px is 0; 0 */
    /* patch labels (annotation.h) */
    char **lesion, **exclusion; /* names of groups; NULL: the usual ones. lesion also "CLASS=GROUP[,CLASS=GROUP]": on slides of that
                                 * class these groups alone are lesions; ARGUMENT when the cohort has no such class */
    double padding;             /* annotations grow by so many level-0 px, 0 … 10⁶: 0 */
    double label_threshold;     /* a patch is annotated above this share, 0 … 1: 0.05 */
    gboolean uncropped;         /* GeoJSON and masks count from level 0, not from the scanned area. FALSE */
    gboolean preview;           /* draws outlines and annotated patches, too: labels/ID.png. FALSE */
    int threads;                /* 0 (default): all processors */
} RmilPrepareOptions;
RMIL_API void rmil_prepare_options_init(RmilPrepareOptions *options);
RMIL_API void rmil_prepare_options_clear(RmilPrepareOptions *options);
/* ARGUMENT, naming the option as the command does ("--tile-mpp"), when a number is out of its range. */
RMIL_API gboolean rmil_prepare_options_check(const RmilPrepareOptions *options, GError **error);
/* The numbers of "0.5" (*second: 0) or "0.5,2"; ARGUMENT where it is neither. */
RMIL_API gboolean rmil_tile_mpps_parse(const char *text, double *first, double *second, GError **error);

/* How slides become features, as a JSON object: what a new slide must go through before the same model (preprocessing.json beside
 * cohort.csv, "preprocessing" in a training's run.json).
 *   get: of a work's options. Free with json_node_unref.
 *   apply: sets the options by such an object; weights and a device that the options have already stay. FORMAT when it names no encoder or
 *   a number is none; ARGUMENT, naming both values, when the options have another mean, sd, onnx_output, input_px, tile_px or
 *   features_precision.
 *   read: what lies beside a cohort table; *node is NULL when nothing does. */
RMIL_API JsonNode *rmil_preprocessing_get(const RmilPrepareOptions *options);
RMIL_API gboolean rmil_preprocessing_apply(JsonNode *node, RmilPrepareOptions *options, GError **error);
RMIL_API gboolean rmil_preprocessing_read(const char *cohort, JsonNode **node, GError **error);

/* -- the work ------------------------------------------------------------------------------------------------------------------ */
/* A cohort and the folder in which its products lie. One thread at a time calls the functions that take a work that is not const; the
 * others may be called from several at once. Members are there to be read. */
typedef struct {
    char *folder;               /* or NULL: rows can be checked and opened, nothing can be made */
    RmilPrepareOptions options; /* a copy; encoder, its tiles and threads are set */
    RmilCohort *cohort;
    char **errors; /* by row: why a stage failed, after which the row is left out; NULL: nothing failed */
    int64_t tiles; /* of all slides that were tiled now or before; −1: rmil_work_tile had nothing to do, or did not run */
    int64_t left_out[RMIL_LEFT_REASONS]; /* tiles that those slides would have, but for what was left out, by reason */
    int64_t annotated_patches;           /* the same of rmil_work_label */
    char *encoder;       /* the encoder's identity (rmil_encoder_identity); NULL: rmil_work_encode had nothing to do, or did not run */
    int64_t feature_dim; /* of that encoder */
    /* private */
    RmilMonitor monitor;
    struct _RmilGate *gate;
    RmilLock *lock;
    char *who; /* of a folder that is shared; NULL: it is not */
} RmilWork;

/* Options and monitor are copied; what `user` of the monitor points to must outlive the work. The monitor hears each warning once, and
 * the end of each stage ("tile", "label", "encode"), whose names problems have, too. Fails as rmil_prepare_options_check. */
RMIL_API RmilWork *rmil_work_new(const char *folder, const RmilPrepareOptions *options, const RmilMonitor *monitor, GError **error);
/* Frees the cohort, too, and gives the lock back. */
RMIL_API void rmil_work_free(RmilWork *work);
/* The work's cohort, once: read from a table (rmil_cohort_read, rmil_cohort_read_as), or one that was made elsewhere, which is the work's
 * from then on. Its warnings are reported; its notes are for whoever reads it. */
RMIL_API gboolean rmil_work_read(RmilWork *work, const char *cohort, GError **error);
RMIL_API gboolean rmil_work_read_as(RmilWork *work, const char *cohort, const RmilReading *how, GError **error);
RMIL_API void rmil_work_take(RmilWork *work, RmilCohort *cohort);
/* Keeps others out of the folder (rmil_lock_take on FOLDER/.lock) until rmil_work_free. Before anything is written, ARGUMENT when
 * FOLDER/cohort.csv is of another cohort than the work's: one of which an id stands for another slide here, or in which no id of this
 * one occurs. A cohort may grow, shrink, and move whole. */
RMIL_API gboolean rmil_work_lock(RmilWork *work, RmilLockMode mode, const char *who, GError **error);
/* The same for any number of processes at once, of the same cohort and options (IO where they differ, or one has the folder alone): the
 * stages divide the slides between them. Each slide is for one process at a time, by a lock in FOLDER/.slides, which goes to the others
 * when that process dies; a stage ends when every slide is done, by whomever. */
RMIL_API gboolean rmil_work_share(RmilWork *work, const char *who, GError **error);

/* -- stages --------------------------------------------------------------------------------------------------------------------- */
/* tile:   slides without features of their own -> tiles/ID.h5 (places and tissue), masks/ID.png (a picture for checking). Slides whose
 *         resolution is apart from the others', unknown, or coarser than the tiles' are named in warnings.
 * label:  rows with an annotation -> labels/ID.h5, and with `preview` labels/ID.png. Needs the tiles, or features with places.
 * encode: tiles -> features/ID.h5; continues at the batch where an interrupted call stopped. Fails if the encoder is not available. */
RMIL_API gboolean rmil_work_tile(RmilWork *work, GError **error);
RMIL_API gboolean rmil_work_label(RmilWork *work, GError **error);
RMIL_API gboolean rmil_work_encode(RmilWork *work, GError **error);
/* label with another padding into another folder below the work's: "padded/100". */
RMIL_API gboolean rmil_work_label_into(RmilWork *work, const char *below, double padding, GError **error);
/* FOLDER/cohort.csv: the rows that came through, with features and patch_labels, and the columns that nobody knows as they were; and
 * FOLDER/preprocessing.json where a row was encoded (features that were given do not say how they came about). */
RMIL_API gboolean rmil_work_write_cohort(RmilWork *work, GError **error);
/* All of these, and then that cohort.csv read by the same task, with the ids of rows that were left out. Free with rmil_cohort_free; NULL: failed. */
RMIL_API RmilCohort *rmil_work_prepare(RmilWork *work, GError **error);

/* -- a row of it ---------------------------------------------------------------------------------------------------------------- */
/* FOLDER/kind/ID.ending; where a row's features are or will be. Free with g_free. */
RMIL_API char *rmil_work_path(const RmilWork *work, const char *kind, int64_t row, const char *ending);
RMIL_API char *rmil_work_features(const RmilWork *work, int64_t row);
/* Does any row need encoding, for its table gives no features? */
RMIL_API gboolean rmil_work_encodes(const RmilWork *work);
/* The mpp that a row's slide is opened with: the row's, else the options', else 0. */
RMIL_API double rmil_work_mpp(const RmilWork *work, int64_t row);
/* With that; its warnings are reported. */
RMIL_API RmilSlide *rmil_work_open_slide(const RmilWork *work, int64_t row, GError **error);
/* The tissue of a row's slide: given in its row (`tissue`), or found by the options; its warnings are reported. mpp: of the mask, µm per
 * pixel. Free with rmil_mask_free. */
RMIL_API RmilMask *rmil_work_mask(const RmilWork *work, int64_t row, RmilSlide *slide, double mpp, GError **error);
/* The annotation of a row (of this cohort or one made of it), grown by `padding` level-0 px; its warnings are reported. slide: the row's,
 * NULL where it is not open; where the annotation may count from its scanned area, it is opened. bag: its patches, or NULL: they may
 * know the slide's size. */
RMIL_API RmilRegion *rmil_work_read_region(const RmilWork *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag,
                                           double padding, GError **error);

/* -- check ---------------------------------------------------------------------------------------------------------------------- */
/* What opening everything showed of a row. */
typedef struct {
    double mpp;         /* of its slide, µm per level-0 px; 0: a plain image without; < 0: no slide, or it could not be opened */
    int64_t dim;        /* of its features; 0: none, or they could not be read */
    gboolean annotated; /* it has an annotation, which may be broken, or annotated patches */
    double left[RMIL_LEFT_REASONS]; /* share of its tissue that is left out, by reason, as a mask of 32 µm per pixel shows it; blur shows
                                     * in tiles alone */
} RmilCheckedRow;
typedef struct {
    double mpp;
    int64_t slides;
} RmilMppCount;
typedef struct {
    RmilCheckedRow *rows;                              /* by row of the cohort */
    int64_t positive, negative, unlabelled, annotated; /* rows; negative: of the negative class, positive: the others that have a target */
    int64_t of_class[RMIL_CLASSES_MOST][RMIL_SPLIT_TEST + 1]; /* rows by class and set, as the table has it */
    int64_t events, censored;                                 /* rows */
    int64_t patients, sites;                                  /* different ones that the table names */
    GArray *mpp; /* RmilMppCount: how many slides have which resolution (within 0.5 %), finest first */
} RmilCheck;
/* Opens every slide (and reads pixels in its corners and middle, and a coarse tissue mask), annotation, feature and label file of the
 * cohort, and writes nothing. What is wrong is reported as problems of the stage "check" and kept in work->errors, so that stages of this
 * work leave the row out: files that cannot be read, lesions on negative slides, features of another dimension. What is doubtful is a
 * warning. Free with rmil_check_free. */
RMIL_API RmilCheck *rmil_work_check(RmilWork *work);
RMIL_API void rmil_check_free(RmilCheck *check);

/* -- what is given to predict ----------------------------------------------------------------------------------------------------- */
/* Who has an id already, from earlier calls into the same folder: its file, as UTF-8, or NULL. */
typedef const char *(*RmilIdOwner)(gpointer user, const char *id);
/* Slides, feature files, folders, shell patterns and cohort tables -> a cohort without a table; free with rmil_cohort_free. A file's
 * id is its name without ending; where another file has that, here or by `owner` (may be NULL), its folder's name before it, and so
 * on up. In folders, eight deep, what looks like a slide or features by name is taken; a file named alone is always tried. What
 * cannot be taken is reported as a problem of the stage "predict", files given twice and files passed over as warnings. DATA: nothing
 * is left. */
RMIL_API RmilCohort *rmil_predict_inputs(const char *const *inputs, int64_t count, RmilIdOwner owner, gpointer user,
                                         const RmilMonitor *monitor, GError **error);
/* The same by a task (a model's): the targets that tables give are of it. NULL: of the first table that has any. A table whose targets
 * are of another task gives none, with a warning. */
RMIL_API RmilCohort *rmil_predict_inputs_as(const char *const *inputs, int64_t count, const RmilTask *task, RmilIdOwner owner,
                                            gpointer user, const RmilMonitor *monitor, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilWork, rmil_work_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCheck, rmil_check_free)

G_END_DECLS
#endif
