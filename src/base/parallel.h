/* SPDX-License-Identifier: Apache-2.0 */
/* Persistent threads: rmil_parallel for loops that are too short to start threads for. */
#ifndef RMIL_PARALLEL_H
#define RMIL_PARALLEL_H

#include "rankmil/base.h"

typedef struct _RmilCrew RmilCrew;
/* `threads` workers in total, including the caller (≤ 0: one per processor). */
RmilCrew *rmil_crew_new(int threads);
void rmil_crew_free(RmilCrew *crew);
int rmil_crew_threads(const RmilCrew *crew);
/* Like rmil_parallel. Must not be called by two threads at once, nor from inside a task. */
gboolean rmil_crew_run(RmilCrew *crew, int64_t n, RmilLoopBody task, gpointer user, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCrew, rmil_crew_free)

#endif
