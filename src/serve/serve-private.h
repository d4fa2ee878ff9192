/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the desk (slides, outlines, trained models, the loop between them) and the server for it. */
#ifndef RMIL_SERVE_PRIVATE_H
#define RMIL_SERVE_PRIVATE_H

#include "bag/pixels.h"
#include "base/json.h"
#include "rankmil/draw.h"
#include "rankmil/serve.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* -- trained.c: the record and its models ----------------------------------------------------------------------------------------- */
typedef struct {
    const RmilStudyRun *run; /* the record's */
    char *folder;            /* "rank/0": its name */
    GArray *rows;            /* RmilPredictionRow */
    GHashTable *by_id;       /* slide or patient -> its row */
    GArray *epochs;          /* RmilEpoch */
    RmilModel *model;        /* once it was requested */
} RmilTrained;
/* The record as it was when it was opened; immutable, and alive as long as there is a reference to it. */
typedef struct {
    int64_t serial; /* different each time a record is opened */
    RmilStudy *study;
    GPtrArray *runs; /* RmilTrained, finished ones only */
    GMutex lock;     /* protects the models while they are read */
} RmilShelf;
RmilShelf *rmil_shelf_open(const char *folder, GError **error);
RmilShelf *rmil_shelf_ref(RmilShelf *shelf);
void rmil_shelf_unref(RmilShelf *shelf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilShelf, rmil_shelf_unref)
/* The prediction for a slide, or for its patient; NULL: none. */
const RmilPredictionRow *rmil_trained_row(const RmilTrained *trained, const RmilCohortRow *row);
/* The recorded model, read at the first call. Thread-safe. */
const RmilModel *rmil_trained_model(RmilShelf *shelf, RmilTrained *trained, GError **error);

/* -- outlines.c: the annotation of a row, as a file that QuPath also edits ----------------------------------------------------------- */
typedef enum {
    RMIL_OUTLINED_NOT,
    RMIL_OUTLINED,        /* there are outlines */
    RMIL_OUTLINED_NOTHING /* there is a file without any: somebody has looked and found nothing */
} RmilOutlined;
typedef struct {
    char *path;     /* of the file that is read; NULL: none yet */
    char *identity; /* rmil_file_identity when it was last examined; NULL: no file */
    RmilOutlined is;
    int64_t changed; /* the desk's version at its last change */
    gboolean stale;  /* changed since patch labels were made from it */
} RmilOutline;

/* -- the desk ------------------------------------------------------------------------------------------------------------------------ */
typedef enum { RMIL_LOOP_IDLE, RMIL_LOOP_LOADING, RMIL_LOOP_QUICK, RMIL_LOOP_EXACT } RmilLoopPhase;

typedef struct {
    RmilServeOptions options;
    const RmilWork *work;
    int64_t count;     /* slides */
    GHashTable *by_id; /* id -> row + 1 */
    char *home;        /* the table's folder */
    GMutex lock;       /* protects the fields below */
    int64_t version;   /* increases with every change that pages must know about */
    RmilOutline *outlines;
    RmilShelf *shelf;      /* NULL: none */
    GHashTable *problems;  /* id -> text, of the run and of slides that cannot be opened */
    struct RmilLoop *loop; /* loop.c; NULL: no training */
    GMutex saving;         /* held while annotations are written */
    struct RmilTiles *tiles;
    RmilMonitor monitor;
    RmilGate *gate;
} RmilDesk;
RmilDesk *rmil_desk_new(const RmilServeOptions *options, GError **error);
void rmil_desk_free(RmilDesk *desk);
int64_t rmil_desk_find(const RmilDesk *desk, const char *id); /* row; −1: none */
RmilShelf *rmil_desk_shelf(RmilDesk *desk);                   /* a reference; NULL: none */
/* Replaces the record by its current state. */
gboolean rmil_desk_reopen(RmilDesk *desk, GError **error);
/* Something has changed. Call with the lock held. */
void rmil_desk_touch(RmilDesk *desk);
void rmil_desk_problem(RmilDesk *desk, int64_t row, const char *text);

/* The file of a row's outlines, and the row as it would be in the table with it. Free the path; the row borrows it. */
char *rmil_outline_path(RmilDesk *desk, int64_t row);
/* Have files changed since they were last examined? Checks all rows; TRUE if any has. */
gboolean rmil_outlines_look(RmilDesk *desk);
/* At the start: outlines that are younger than the patch labels with which the folder's models were trained, or that have no labels. They
 * count as changed now. "a, b and 3 more"; NULL: none, or unknown. Free with g_free. */
char *rmil_outlines_missed(RmilDesk *desk);
/* As JSON: etag, path, collection, classes … */
JsonNode *rmil_outlines_get(RmilDesk *desk, int64_t row, GError **error);
/* Writes a collection to replace the version `etag`. *stale: TRUE if it fails because another program has written since. */
JsonNode *rmil_outlines_put(RmilDesk *desk, int64_t row, JsonNode *collection, const char *etag, gboolean *stale, GError **error);
/* Patch labels from the row's outlines at the positions of a bag: labels (count) of 0 and 1. */
gboolean rmil_outlines_labels(RmilDesk *desk, int64_t row, const RmilBag *bag, uint8_t *labels, GError **error);
/* {"shape": geometry or null, "stroke": {"points": [[x, y] …], "radius": r} or "with": geometry, "add": bool} -> geometry or null:
 * union or difference, by GEOS. brush.c */
JsonNode *rmil_brush(JsonNode *request, GError **error);

/* -- tiles.c --------------------------------------------------------------------------------------------------------------------------- */
enum { RMIL_TILE_SIDE = 256, RMIL_TILE_OVER = 2 }; /* over: pixels of its right and lower neighbours that a tile includes */
typedef struct {
    RmilSlideInfo info; /* without its texts */
    double mpp;         /* 0: unknown */
    int deepest;        /* zoom at which a pixel of a tile is one of level 0 */
} RmilLook;
struct RmilTiles *rmil_tiles_new(RmilDesk *desk, int64_t bytes, GError **error);
void rmil_tiles_free(struct RmilTiles *tiles);
gboolean rmil_tiles_look(struct RmilTiles *tiles, int64_t row, RmilLook *look, GError **error);
/* JPEG of RMIL_TILE_SIDE + RMIL_TILE_OVER px per side. zoom 0 … deepest; column and row of the tile count from the corner of the scanned
 * area. */
GBytes *rmil_tiles_get(struct RmilTiles *tiles, int64_t row, int zoom, int64_t x, int64_t y, GError **error);
/* The whole scanned area in at most `side` px per side. */
GBytes *rmil_tiles_thumbnail(struct RmilTiles *tiles, int64_t row, int side, GError **error);
/* A square of level 0 as side × side px. */
GBytes *rmil_tiles_patch(struct RmilTiles *tiles, int64_t row, int64_t x, int64_t y, double level0, int side, GError **error);
/* The tissue mask: a PNG of the whole of level 0, opaque where there is tissue. */
GBytes *rmil_tiles_mask(struct RmilTiles *tiles, int64_t row, GError **error);

/* -- heat.c ---------------------------------------------------------------------------------------------------------------------------- */
/* The features of a row; NULL: it has none. Free with rmil_bag_free. */
RmilBag *rmil_heat_bag(RmilDesk *desk, int64_t row, gboolean features, GError **error);
gboolean rmil_heat_has_bag(RmilDesk *desk, int64_t row); /* does it have a file of features? */
JsonNode *rmil_heat_patches(RmilDesk *desk, int64_t row, GError **error);
/* name: "rank" (the mean of the models that had the slide in their test set, else of all), "rank/0" (one model), "now" (the last quick
 * training). scores: coloured by scores instead of attention. */
JsonNode *rmil_heat_get(RmilDesk *desk, int64_t row, const char *name, gboolean scores, GError **error);
JsonNode *rmil_heat_list(RmilDesk *desk); /* [{name, title}] */

/* -- overview.c, next.c -------------------------------------------------------------------------------------------------------------- */
JsonNode *rmil_overview(RmilDesk *desk);
JsonNode *rmil_slide_page(RmilDesk *desk, int64_t row, GError **error);
JsonNode *rmil_next(RmilDesk *desk, gboolean mistakes, GError **error);

/* -- loop.c: outlines change, a quick training, the exact one -------------------------------------------------------------------------- */
struct RmilLoop *rmil_loop_new(RmilDesk *desk);
void rmil_loop_free(struct RmilLoop *loop);
/* Requests a quick training of a method (NULL: the default one), for changes on a row (−1: on any). */
gboolean rmil_loop_ask(struct RmilLoop *loop, const char *method, int64_t row, GError **error);
JsonNode *rmil_loop_state(struct RmilLoop *loop);
/* The model of the last quick training; NULL: none. A reference: rmil_loop_model_done. */
typedef struct {
    gatomicrefcount users;
    int64_t serial;
    const RmilTrainMethod *method;
    RmilModel *model;
} RmilQuick;
RmilQuick *rmil_loop_quick(struct RmilLoop *loop);
void rmil_quick_unref(RmilQuick *quick);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilQuick, rmil_quick_unref)

#endif
