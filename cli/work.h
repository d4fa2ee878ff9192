/* The stages before training: cohort -> tiles -> features and patch labels, each product a file of its own in the work
 * folder, made once and made again only when its input or options change. */
#ifndef RMIL_CLI_WORK_H
#define RMIL_CLI_WORK_H

#include "cli.h"

typedef struct {
    Cli *cli;
    RmilCohort *cohort;
    gboolean *failed;   /* by row: a stage failed, later ones leave it out */
    JsonObject *stages; /* per stage: done, skipped, seconds */
    /* options */
    gchar *folder; /* -o */
    gdouble mpp, tile_mpp, min_tissue, mask_mpp;
    gint tile_px;
    gchar *encoder, *weights;
    gboolean bfloat16;
    gchar **lesion, **exclusion;
    gdouble padding, label_threshold;
    gboolean uncropped; /* QuPath's files count from level 0, not from the scanned area */
    const char *labels; /* folder of patch labels below `folder`: "labels" */
    gboolean preview;   /* of labels, as pictures */
    gboolean trained;   /* the slides meet a model that was trained on slides of unknown resolution */
    RmilLock *lock;     /* of the work folder, or NULL */
} Work;

void work_init(Work *work, Cli *cli);
void work_clear(Work *work);
/* Option tables that point into `work`; free with g_free. */
GOptionEntry *work_output_entries(Work *work);
GOptionEntry *work_tile_entries(Work *work);
GOptionEntry *work_encode_entries(Work *work);
GOptionEntry *work_label_entries(Work *work);
GOptionEntry *work_crop_entries(Work *work); /* --uncropped, part of the label entries too */
/* Checks the options and reads the cohort. */
gboolean work_open(Work *work, const char *cohort, GError **error);
/* The same for what the user gives: of a folder or a slide in the table's place it says what to do with it. */
gboolean work_open_table(Work *work, const char *path, GError **error);

/* The same with a cohort made elsewhere, which is the work's from then on, on failure too. */
gboolean work_adopt(Work *work, RmilCohort *cohort, GError **error);
/* Keeps other processes out of the work folder until work_clear; fails when one is in it. Also fails, before anything is written,
 * when the folder holds another cohort's work. */
gboolean work_lock(Work *work, GError **error);

/* folder/kind/ID.ending; free with g_free. */
char *work_path(const Work *work, const char *kind, int64_t row, const char *ending);
/* Where a row's features are or will be, and its patch labels (NULL when it has none of its own). Free with g_free. */
char *work_features(const Work *work, int64_t row);
char *work_labels(const Work *work, int64_t row);
/* The text that says what a product was made from; NULL: it is to be made, which is said when a product is there that cannot
 * be read. Free with g_free. */
char *work_made_from(const Work *work, const char *path);
/* A product that is there and cannot be read after all: said, and the error freed. Nothing for NULL. */
void work_made_again(const Work *work, GError *error);
/* Row's mpp: the cohort's column, else --mpp, else 0. */
double work_mpp(const Work *work, int64_t row);
/* Says what the user should hear of the slide. */
RmilSlide *work_open_slide(const Work *work, int64_t row, GError **error);
/* What is doubtful about a row's annotation: its slide is called negative, and a lesion is outlined. NULL: nothing. g_free. */
char *work_annotation_doubt(const RmilCohortRow *row, gboolean lesion);
/* A row's annotation, grown by `padding` level-0 px. slide: the row's, NULL where it is not open; where the annotation may count
 * from its scanned area, it is opened. bag: its patches, or NULL. What the user should hear of the annotation is said. */
RmilRegion *work_read_region(const Work *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag, double padding,
                             GError **error);
/* For a `source`: "", or from where an annotation is counted that may count from a scanned area. Free with g_free. */
char *work_annotation_frame(const Work *work, const RmilCohortRow *row);
/* resolutions.c: warns of slides that differ from the others or are enlarged. mpp: by row, 0 a plain image without, < 0 unknown. */
void work_say_resolutions(const Work *work, const double *mpp);
/* Bag of coordinates, as tiling left it. */
RmilGrid *work_grid(const RmilBag *bag, GError **error);
void work_stage_done(Work *work, const char *stage, int64_t made, int64_t kept, gint64 since);

/* Removes a folder and all in it; a link goes, not what it points to. Nothing there: done. */
gboolean remove_tree(const char *path, GError **error);

/* The stages. They record a row's failure and go on; FALSE only when nothing can go on. */
gboolean stage_tile(Work *work, GError **error);
gboolean stage_encode(Work *work, GError **error);
gboolean stage_label(Work *work, GError **error);
/* folder/cohort.csv: the rows that came through, with features and patch_labels columns: what `rankmil train` takes. */
gboolean work_write_cohort(Work *work, GError **error);
/* All stages, and then that cohort.csv read; NULL: failed. Free with rmil_cohort_free. */
RmilCohort *work_prepare(Work *work, GError **error);
/* How slides become features: what `rankmil predict` must repeat for a new slide. Beside cohort.csv as
 * preprocessing.json. Unref the object. */
JsonObject *work_preprocessing(const Work *work);
gboolean work_read_preprocessing(const char *cohort, JsonObject **preprocessing, GError **error); /* NULL when there is none */
gboolean work_apply_preprocessing(Work *work, JsonObject *preprocessing, GError **error);

#endif
