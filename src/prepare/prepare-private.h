/* SPDX-License-Identifier: Apache-2.0 */
/* What the stages share. */
#ifndef RMIL_PREPARE_PRIVATE_H
#define RMIL_PREPARE_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/encoder.h"
#include "rankmil/prepare.h"

/* -- options.c ----------------------------------------------------------------------------------------------------------------- */
void rmil_prepare_options_copy(const RmilPrepareOptions *from, RmilPrepareOptions *to);
/* Side and µm per pixel of tiles where nobody says others: what the encoder takes. */
void rmil_prepare_usual_tile(const RmilPrepareOptions *options, int *px, double *mpp);
/* Its texts are the options'. */
RmilEncoderOptions rmil_prepare_encoder(const RmilPrepareOptions *options);
/* How tissue is found; ARGUMENT names the option that says it wrongly. */
gboolean rmil_prepare_tissue(const RmilPrepareOptions *options, RmilTissueOptions *tissue, GError **error);

/* -- tissue.c ------------------------------------------------------------------------------------------------------------------ */
/* For a `source`: "" for what is usual, or how the tissue of a row was found. Free with g_free. */
char *rmil_tissue_source(const RmilWork *work, int64_t row);
/* {"pen": 12}: of tiles left out, by reason; NULL: none. And back: adds to `left`. Free with g_free. */
char *rmil_left_out_text(const int64_t left[RMIL_LEFT_REASONS]);
void rmil_left_out_parse(const char *text, int64_t left[RMIL_LEFT_REASONS]);

/* -- work.c -------------------------------------------------------------------------------------------------------------------- */
/* Fails when the work has no folder or no cohort. */
gboolean rmil_work_ready(const RmilWork *work, GError **error);
/* A row failed at a stage: told, and kept in work->errors; the error is freed. Thread-safe for distinct rows. */
void rmil_work_failed(RmilWork *work, const char *stage, int64_t row, GError *error);
/* A row for this process alone, where the folder is shared: *claim is to be freed, or NULL where it is not shared or *elsewhere: another
 * process has the row. */
gboolean rmil_work_claim(const RmilWork *work, int64_t row, RmilLock **claim, gboolean *elsewhere, GError **error);
void rmil_work_say_shared(const RmilWork *work);
/* Warnings that an object carries (NULL-terminated, or NULL). */
void rmil_work_warn_all(const RmilWork *work, const char *const *warnings);
/* The text that says what a product was made from; NULL: it is to be made, which is said when a product is there that cannot
 * be read. Free with g_free. */
char *rmil_work_made_from(const RmilWork *work, const char *path);
/* A product that is there and cannot be read after all: said, and the error freed. Nothing for NULL. */
void rmil_work_made_again(const RmilWork *work, GError *error);

/* -- lesion.c -------------------------------------------------------------------------------------------------------------------- */
/* Of options' lesion: do all CLASS=GROUP name classes? */
gboolean rmil_lesion_check(char *const *given, const RmilTask *task, GError **error);
/* The groups that are lesions on a slide with this target: those given for its class, else those given for all; where the class is not
 * known, all. NULL: the usual ones. Free with g_strfreev. */
char **rmil_lesion_groups(char *const *given, const RmilTask *task, const RmilTarget *target);

/* -- annotations.c --------------------------------------------------------------------------------------------------------------- */
/* What is doubtful about a row's annotation: its slide is called negative, and a lesion is outlined. NULL: nothing. g_free. */
char *rmil_annotation_doubt(const RmilTask *task, const RmilCohortRow *row, gboolean lesion);
/* For a `source`: "", or from where outlines of a file are counted that may count from a scanned area. Free with g_free. */
char *rmil_annotation_frame(const RmilWork *work, const RmilCohortRow *row, const char *outlines);
/* What the slide says of its size and scanned area. */
void rmil_annotation_bounds(RmilAnnotationOptions *options, const RmilSlideInfo *info);

/* -- rows.c ---------------------------------------------------------------------------------------------------------------------- */
/* A stage that takes rows one by one. */
typedef struct {
    const char *name, *what; /* "tile", and for the progress "tile: slides" */
    /* *made: its product was not there before. Called from several threads. */
    gboolean (*row)(RmilWork *work, int64_t row, gpointer user, gboolean *made, GError **error);
    gpointer user;
    int64_t made, kept; /* how many rows, set by rmil_work_rows; the others failed */
} RmilStage;
/* In parallel; rows: int64_t. Tells progress and problems. */
gboolean rmil_work_rows(RmilWork *work, const GArray *rows, RmilStage *stage, GError **error);

/* -- resolutions.c ------------------------------------------------------------------------------------------------------------------ */
/* Warns of slides that differ from the others or are enlarged. mpp: by row, 0 a plain image without, < 0 unknown. */
void rmil_work_say_resolutions(const RmilWork *work, const double *mpp);

#endif
