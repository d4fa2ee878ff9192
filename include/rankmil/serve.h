/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil serve: a cohort and its run in the browser: look at slides, outline, retrain; and the same loop without a page. */
#ifndef RANKMIL_SERVE_H
#define RANKMIL_SERVE_H

#include "prepare.h"
#include "study.h"

G_BEGIN_DECLS

/* What is served, and how. Everything is borrowed and must outlive what is made of it. */
typedef struct {
    /* The table, and how its slides and annotations are read (its options), with a monitor. Its rows are those of the page; nobody else
     * changes it meanwhile. */
    RmilWork *work;
    const char *folder;               /* DIR of `rankmil run`, with its record; NULL: slides are shown and outlined, nothing is trained */
    const RmilTrainOptions *training; /* with which the models in DIR were trained; NULL only without a folder */
    /* The command line that makes DIR anew from its table, as `rankmil run` would, and the folder to run it in: the exact training. NULL:
     * nobody knows it, and only quick trainings are made. NULL-terminated. */
    const char *const *rerun, *directory;
    const char *method; /* that is trained where nothing else is chosen; NULL: the one that the report quotes */
    const char *listen; /* address; NULL: 127.0.0.1, which other machines do not reach */
    int port;           /* 0: any that is free */
    gboolean read_only; /* nothing is saved or trained */
    gboolean live;      /* every change of an outline trains */
    /* The same loop without a page: nothing listens; annotations that change train, and the attention of each slide whose outlines
     * changed is written to FOLDER/overlays/METHOD/ID.geojson (rmil_qupath_write). */
    gboolean watch;
    int threads; /* 0: all processors */
} RmilServeOptions;
RMIL_API void rmil_serve_options_init(RmilServeOptions *options);

/* A server that listens, and answers once rmil_serve_run runs. IO: the address cannot be had; or as rmil_study_open. */
typedef struct _RmilServe RmilServe;
RMIL_API RmilServe *rmil_serve_new(const RmilServeOptions *options, GError **error);
/* Ends a training under way, which continues from its checkpoint at the next start. */
RMIL_API void rmil_serve_free(RmilServe *serve);
/* "http://127.0.0.1:8765/TOKEN/": whoever knows the token may do what the page does. NULL where nothing listens. Owned by the server. */
RMIL_API const char *rmil_serve_address(const RmilServe *serve);
/* Answers until rmil_serve_stop. To be called once. */
RMIL_API void rmil_serve_run(RmilServe *serve);
/* May be called from any thread and before rmil_serve_run, which then ends at once. */
RMIL_API void rmil_serve_stop(RmilServe *serve);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilServe, rmil_serve_free)

G_END_DECLS
#endif
