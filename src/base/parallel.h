/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that stay: rmil_parallel for loops that are too short to start threads for. */
#ifndef RMIL_PARALLEL_H
#define RMIL_PARALLEL_H

#include "rankmil/base.h"

typedef struct _RmilCrew RmilCrew;
/* `threads` workers in all, the caller being one of them (≤ 0: one per processor). */
RmilCrew *rmil_crew_new(int threads);
void rmil_crew_free(RmilCrew *crew);
int rmil_crew_threads(const RmilCrew *crew);
/* As rmil_parallel. Not to be called by two threads at once, nor from inside a task. */
gboolean rmil_crew_run(RmilCrew *crew, int64_t n, RmilLoopBody task, gpointer user, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilCrew, rmil_crew_free)

#endif
