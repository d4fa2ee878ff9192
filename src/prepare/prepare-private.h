/* SPDX-License-Identifier: Apache-2.0 */
/* What the stages share. */
#ifndef RMIL_PREPARE_PRIVATE_H
#define RMIL_PREPARE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/encoder.h"
#include "rankmil/prepare.h"

/* -- options.c ----------------------------------------------------------------------------------------------------------------- */
void rmil_prepare_options_copy(const RmilPrepareOptions *from, RmilPrepareOptions *to);
/* Default side and µm per pixel of tiles: those of the encoder. */
void rmil_prepare_usual_tile(const RmilPrepareOptions *options, int *px, double *mpp);
/* Its texts belong to the options. */
RmilEncoderOptions rmil_prepare_encoder(const RmilPrepareOptions *options);
/* How tissue is found; ARGUMENT names the option that is wrong. */
gboolean rmil_prepare_tissue(const RmilPrepareOptions *options, RmilTissueOptions *tissue, GError **error);

/* -- tissue.c ------------------------------------------------------------------------------------------------------------------ */
/* For a `source`: "" for the default, or how the tissue of a row was found. Free with g_free. */
char *rmil_tissue_source(const RmilWork *work, int64_t row);
/* {"pen": 12}: number of tiles left out, by reason; NULL: none. And the inverse, which adds to `left`. Free with g_free. */
char *rmil_left_out_text(const int64_t left[RMIL_LEFT_REASONS]);
void rmil_left_out_parse(const char *text, int64_t left[RMIL_LEFT_REASONS]);

/* -- work.c -------------------------------------------------------------------------------------------------------------------- */
/* Fails if the work has no folder or no cohort. */
gboolean rmil_work_ready(const RmilWork *work, GError **error);
/* A row failed at a stage: reports it, and stores it in work->errors; frees the error. Thread-safe for distinct rows. */
void rmil_work_failed(RmilWork *work, const char *stage, int64_t row, GError *error);
/* Claims a row for this process if the folder is shared: *claim is to be freed; it is NULL if the folder is not shared, or if *elsewhere:
 * another process has the row. */
gboolean rmil_work_claim(const RmilWork *work, int64_t row, RmilLock **claim, gboolean *elsewhere, GError **error);
void rmil_work_say_shared(const RmilWork *work);
/* Passes on warnings that an object has (NULL-terminated, or NULL). */
void rmil_work_warn_all(const RmilWork *work, const char *const *warnings);
/* The text that says what a product was made from; NULL: it must be made, which is reported if it exists but cannot be read. Free with
 * g_free. */
char *rmil_work_made_from(const RmilWork *work, const char *path);
/* Reports a product that exists but turned out to be unreadable, and frees the error. Nothing for NULL. */
void rmil_work_made_again(const RmilWork *work, GError *error);

/* -- lesion.c -------------------------------------------------------------------------------------------------------------------- */
/* For options' lesion: is every CLASS in CLASS=GROUP a class of the task? */
gboolean rmil_lesion_check(char *const *given, const RmilTask *task, GError **error);
/* The groups that are lesions on a slide with this target: those given for its class, else those given for all; if its class is unknown,
 * all groups. NULL: the default. Free with g_strfreev. */
char **rmil_lesion_groups(char *const *given, const RmilTask *task, const RmilTarget *target);

/* -- annotations.c --------------------------------------------------------------------------------------------------------------- */
/* What is doubtful about a row's annotation: the slide is called negative, but a lesion is outlined. NULL: nothing. g_free. */
char *rmil_annotation_doubt(const RmilTask *task, const RmilCohortRow *row, gboolean lesion);
/* For a `source`: "", or the origin of a file's outlines, if it may be the scanned area's corner. Free with g_free. */
char *rmil_annotation_frame(const RmilWork *work, const RmilCohortRow *row, const char *outlines);
/* Sets the slide's size and scanned area. */
void rmil_annotation_bounds(RmilAnnotationOptions *options, const RmilSlideInfo *info);

/* -- rows.c ---------------------------------------------------------------------------------------------------------------------- */
/* A stage that processes rows one by one. */
typedef struct {
    const char *name, *what; /* "tile", and for the progress "tile: slides" */
    /* *made: its product did not exist before. Called from several threads. */
    gboolean (*row)(RmilWork *work, int64_t row, gpointer user, gboolean *made, GError **error);
    gpointer user;
    int64_t made, kept; /* number of rows, set by rmil_work_rows; the others failed */
} RmilStage;
/* In parallel; rows: int64_t. Reports progress and problems. */
gboolean rmil_work_rows(RmilWork *work, const GArray *rows, RmilStage *stage, GError **error);

/* -- resolutions.c ------------------------------------------------------------------------------------------------------------------ */
/* Warns of slides that differ from the others or are enlarged. mpp: by row, 0 for a plain image without, < 0 unknown. */
void rmil_work_say_resolutions(const RmilWork *work, const double *mpp);

#endif
