/* SPDX-License-Identifier: Apache-2.0 */
/* Slides -> tiles -> features, every stage at its own speed. */
#ifndef RMIL_PREPARE_FLOW_H
#define RMIL_PREPARE_FLOW_H

#include "base/base-private.h"
#include "rankmil/bag.h"
#include "rankmil/encoder.h"
#include "rankmil/slide.h"

enum { RMIL_VIEWS = 2 }; /* magnifications per tile, at most */

/* A slide that has begun: owned by the caller, and freed in `end`. */
typedef struct {
    RmilSlide *slide;
    RmilGrid *grids[RMIL_VIEWS]; /* with the encoder's tile_px; the same tiles at each magnification */
    int views;
    RmilGridBlocks *blocks; /* the tiles to read, from grids[0] */
    RmilBagWriter *writer;  /* with views · dim columns */
    gpointer own;
} RmilFlowSlide;

typedef enum {
    RMIL_FLOW_BEGUN,
    RMIL_FLOW_OVER, /* nothing to do, or it failed, which the caller reports */
    RMIL_FLOW_LATER /* another process works on it: tried again when all others are done */
} RmilFlowBegun;

typedef struct {
    RmilEncoder *encoder; /* with as many workers as threads */
    int threads, views;
    int64_t bytes; /* of pixels read and not yet encoded; more if one block needs it */
    /* begin and end of one slide, each called once (begin again after LATER) from any thread, but begin never twice at once. error: why it
     * failed, owned by the flow; NULL: every tile is in the writer. */
    RmilFlowBegun (*begin)(gpointer user, int64_t slide, RmilFlowSlide *out);
    void (*end)(gpointer user, RmilFlowSlide *slide, const GError *error);
    void (*advance)(gpointer user, int64_t tiles); /* from any thread */
    gpointer user;
} RmilFlow;

/* FALSE: it could not start, because memory ran out. */
gboolean rmil_flow_run(const RmilFlow *flow, const int64_t *slides, int64_t count, GError **error);

#endif
