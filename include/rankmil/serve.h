/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil serve: a cohort and its run in the browser: view slides, draw outlines, retrain; and the same loop without a page. */
#ifndef RANKMIL_SERVE_H
#define RANKMIL_SERVE_H

#include "prepare.h"
#include "study.h"

G_BEGIN_DECLS

/* What to serve, and how. Everything is borrowed and must outlive the server. */
typedef struct {
    /* The cohort table, its options for reading slides and annotations, and a monitor. The page shows its rows; nobody else may change it
     * while the server exists. */
    RmilWork *work;
    const char *folder; /* folder of `rankmil run` with its record; NULL: slides are shown and outlined, but nothing is trained */
    const RmilTrainOptions *training; /* options with which the models in that folder were trained; may be NULL only without a folder */
    /* For exact trainings: the command line of `rankmil run` that remakes the folder from its table (NULL-terminated), and the folder in
     * which to run it. NULL: unknown, so there are only quick trainings. */
    const char *const *rerun, *directory;
    const char *method; /* default method to train; NULL: the one that the report quotes */
    const char *listen; /* address; NULL: 127.0.0.1, which other machines cannot reach */
    int port;           /* 0: any free port */
    gboolean read_only; /* saves and trains nothing */
    gboolean live;      /* every change of an outline starts a training */
    /* Run the same loop without a page. Nothing listens. Annotation files that change start a training, and the attention on each slide
     * whose outlines changed is written to FOLDER/overlays/METHOD/ID.geojson (rmil_qupath_write). */
    gboolean watch;
    int threads; /* 0: all processors */
} RmilServeOptions;
RMIL_API void rmil_serve_options_init(RmilServeOptions *options);

/* A server that listens; it answers while rmil_serve_run runs. Errors: ARGUMENT for an impossible port, IO if it cannot listen at the
 * address, and those of rmil_study_open. Free with rmil_serve_free. */
typedef struct _RmilServe RmilServe;
RMIL_API RmilServe *rmil_serve_new(const RmilServeOptions *options, GError **error);
/* Stops a training in progress, which continues from its checkpoint at the next start. Call it after rmil_serve_run has returned. */
RMIL_API void rmil_serve_free(RmilServe *serve);
/* "http://127.0.0.1:8765/TOKEN/". Anyone who knows the token may do what the page does. NULL if nothing listens. Owned by the server. */
RMIL_API const char *rmil_serve_address(const RmilServe *serve);
/* Answers requests until rmil_serve_stop. Call it once. */
RMIL_API void rmil_serve_run(RmilServe *serve);
/* May be called from any thread, also before rmil_serve_run, which then returns at once. */
RMIL_API void rmil_serve_stop(RmilServe *serve);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilServe, rmil_serve_free)

G_END_DECLS
#endif
