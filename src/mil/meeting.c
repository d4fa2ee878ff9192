/* SPDX-License-Identifier: Apache-2.0 */
/* The bags of a step of Adam together, as guides see them. */
#include "guide.h"

#include <string.h>

gboolean rmil_guide_meets(const RmilModelConfig *config) {
    const RmilGuideClass *class = rmil_guide_class(config->guide);
    return class && class->meets && class->meets(config);
}

double rmil_guide_anchor(const RmilModelConfig *config, double *decay) {
    const RmilGuideClass *class = rmil_guide_class(config->guide);
    return class && class->anchor ? class->anchor(config, decay) : 0;
}

gboolean rmil_guide_ready(const RmilModelConfig *config, const RmilTrainSlides *slides, const RmilMonitor *monitor, GError **error) {
    const RmilGuideClass *class = rmil_guide_class(config->guide);
    return !class || !class->ready || class->ready(config, slides, monitor, error);
}

gboolean rmil_member_set(RmilMember *member, const RmilTarget *target, const RmilGuided *shown, GError **error) {
    const int rows = MAX(shown->rows, 1);
    const gsize size = (gsize)(rows * shown->count), room = size * 2 * sizeof(float) + (gsize)shown->count;
    if (room > member->room) {
        rmil_member_clear(member);
        if (!(member->scores = rmil_alloc((int64_t)room, 1, error))) return FALSE;
        member->room = room;
    }
    member->target = *target;
    member->count = shown->count;
    member->rows = rows;
    member->ds = member->scores + size;
    member->labels = shown->labels ? (uint8_t *)(member->ds + size) : NULL;
    memcpy(member->scores, shown->scores, size * sizeof(float));
    if (member->labels) memcpy(member->labels, shown->labels, (gsize)shown->count);
    return TRUE;
}

gboolean rmil_guide_meet(const RmilModelConfig *config, RmilMember *members, int64_t count, RmilArena *arena, GError **error) {
    for (int64_t i = 0; i < count; i++) {
        members[i].loss = 0, members[i].own = 1;
        memset(members[i].ds, 0, (gsize)(members[i].rows * members[i].count) * sizeof(float));
    }
    rmil_arena_reset(arena);
    return rmil_guide_class(config->guide)->meet(config, members, count, arena, error);
}

void rmil_member_clear(RmilMember *member) {
    rmil_free(member->scores);
    *member = (RmilMember){.scores = NULL};
}
