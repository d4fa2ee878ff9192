/* SPDX-License-Identifier: Apache-2.0 */
/* Slides -> tiles -> features, every stage at its own speed. */
#ifndef RMIL_PREPARE_FLOW_H
#define RMIL_PREPARE_FLOW_H

#include "base/base-private.h"
#include "rankmil/bag.h"
#include "rankmil/encoder.h"
#include "rankmil/slide.h"

enum { RMIL_VIEWS = 2 }; /* magnifications of a tile, at most */

/* A slide that was begun: the caller's, and to be freed in `end`. */
typedef struct {
    RmilSlide *slide;
    RmilGrid *grids[RMIL_VIEWS]; /* of the encoder's tile_px; the same tiles at each magnification */
    int views;
    RmilGridBlocks *blocks; /* the tiles that are to be read, of grids[0] */
    RmilBagWriter *writer;  /* of views · dim columns */
    gpointer own;
} RmilFlowSlide;

typedef enum {
    RMIL_FLOW_BEGUN,
    RMIL_FLOW_OVER, /* there is nothing to do, or it failed, which is the caller's to tell */
    RMIL_FLOW_LATER /* somebody else works on it: asked again when all others are done */
} RmilFlowBegun;

typedef struct {
    RmilEncoder *encoder; /* of as many workers as threads */
    int threads, views;
    int64_t bytes; /* of pixels that are read and not yet encoded; more where one block needs it */
    /* begin and end of one slide, each called once (begin again after LATER) from any thread; begin never from two at once.
     * error: why it failed, the flow's; NULL: every tile is in the writer. */
    RmilFlowBegun (*begin)(gpointer user, int64_t slide, RmilFlowSlide *out);
    void (*end)(gpointer user, RmilFlowSlide *slide, const GError *error);
    void (*advance)(gpointer user, int64_t tiles); /* from any thread */
    gpointer user;
} RmilFlow;

/* FALSE: nothing could be begun, for there is no memory. */
gboolean rmil_flow_run(const RmilFlow *flow, const int64_t *slides, int64_t count, GError **error);

#endif
