/* rankmil synth: cohorts of H&E-like slides whose truth is known, for demos, tests and teaching. */
#ifndef RANKMIL_SYNTH_H
#define RANKMIL_SYNTH_H

#include "base.h"

G_BEGIN_DECLS

typedef struct {
    int64_t slides;       /* 40 */
    int64_t width, height;/* level-0 px of a typical slide; sizes vary around it */
    double mpp;           /* 0.5 */
    double positive;      /* share of slides with a lesion, 0.4 */
    double test;          /* share of slides in the test set, 0.33 */
    uint64_t seed;
    int threads;
} RmilSynthOptions;
RMIL_API void rmil_synth_options_init(RmilSynthOptions *options);

/* Writes DIR/cohort.csv, DIR/slides/ID.tiff (pyramidal, tiled, JPEG, with resolution), DIR/annotations/ID.xml (ASAP) for
 * positive slides. The same options give the same bytes. Slides that are there already are kept. */
RMIL_API gboolean rmil_synth_write(const char *folder, const RmilSynthOptions *options, const RmilMonitor *monitor,
                                   GError **error);

G_END_DECLS
#endif
