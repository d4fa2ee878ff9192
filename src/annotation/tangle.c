/* SPDX-License-Identifier: Apache-2.0 */
/* A guard before GEOS: n edges may cross n² / 2 times. The union of outlines takes memory for every crossing; the repair of an outline that
 * crosses itself c times takes time that grows like c^1.6 (GEOS 3.11: a second for 1,500 crossings). */
#include "annotation-private.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_CROSSINGS = 500000, MOST_OWN = 3000 /* MOST_OWN: of one outline with itself; of several, what takes as long as that */ };
#define MOST_COMPARISONS INT64_C(3000000000)
#define REPAIR_GROWTH 1.6

typedef struct {
    RmilPoint a, b; /* a.x ≤ b.x */
    guint shape;
    int64_t place, next; /* index of this segment, and of the next one in its ring */
} Segment;

static int compare_segments(const void *a, const void *b) {
    double x = ((const Segment *)a)->a.x, y = ((const Segment *)b)->a.x;
    return (x > y) - (x < y);
}

static double side(RmilPoint a, RmilPoint b, RmilPoint c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }

/* Do two segments whose x ranges overlap cross each other, touch, or lie on each other? */
static gboolean meet(const Segment *s, const Segment *t) {
    if (MAX(s->a.y, s->b.y) < MIN(t->a.y, t->b.y) || MAX(t->a.y, t->b.y) < MIN(s->a.y, s->b.y)) return FALSE;
    return side(s->a, s->b, t->a) * side(s->a, s->b, t->b) <= 0 && side(t->a, t->b, s->a) * side(t->a, t->b, s->b) <= 0;
}

static void add_ring(GArray *segments, const GArray *ring, guint shape) {
    const guint first = segments->len;
    for (guint k = 0; k < ring->len; k++) {
        RmilPoint a = g_array_index(ring, RmilPoint, k), b = g_array_index(ring, RmilPoint, (k + 1) % ring->len);
        if (a.x == b.x && a.y == b.y) continue;
        Segment segment = {a, b, shape, segments->len, segments->len + 1};
        if (a.x > b.x) segment.a = b, segment.b = a;
        g_array_append_val(segments, segment);
    }
    if (segments->len > first) g_array_index(segments, Segment, segments->len - 1).next = first;
}

static GArray *segments_of(const GPtrArray *shapes) {
    GArray *segments = g_array_new(FALSE, FALSE, sizeof(Segment));
    for (guint i = 0; i < shapes->len; i++) {
        const RmilShape *shape = shapes->pdata[i];
        for (guint r = 0; r < shape->rings->len; r++) add_ring(segments, shape->rings->pdata[r], i);
    }
    return segments;
}

typedef struct {
    int64_t all, comparisons;
    int64_t *own; /* per shape */
} Meetings;

/* A sweep from left to right over the segments that the sweep line may still touch; stops when there are too many. */
static void count_meetings(GArray *all, Meetings *count) {
    Segment *segments = (Segment *)(void *)all->data;
    if (all->len) qsort(segments, all->len, sizeof(Segment), compare_segments);
    g_autofree const Segment **active = g_try_new(const Segment *, (gsize)all->len + 1);
    if (!active) { /* too many to count with this memory */
        count->all = MOST_CROSSINGS + 1;
        return;
    }
    int64_t n = 0;
    for (guint i = 0; i < all->len && count->all <= MOST_CROSSINGS && count->comparisons <= MOST_COMPARISONS; i++) {
        const Segment *s = &segments[i];
        int64_t kept = 0;
        for (int64_t k = 0; k < n; k++) {
            const Segment *other = active[k];
            if (other->b.x < s->a.x) continue;
            active[kept++] = other;
            if (s->next == other->place || other->next == s->place || !meet(s, other)) continue;
            count->all++;
            if (s->shape == other->shape) count->own[s->shape]++;
        }
        count->comparisons += n;
        n = kept;
        active[n++] = s;
    }
}

gboolean rmil_outlines_tangled(const GPtrArray *shapes) {
    g_autoptr(GArray) segments = segments_of(shapes);
    g_autofree int64_t *own = g_new0(int64_t, (gsize)shapes->len + 1);
    Meetings count = {.own = own};
    count_meetings(segments, &count);
    double repair = 0;
    for (guint i = 0; i < shapes->len; i++) repair += pow((double)own[i], REPAIR_GROWTH);
    return count.all > MOST_CROSSINGS || count.comparisons > MOST_COMPARISONS || repair > pow(MOST_OWN, REPAIR_GROWTH);
}
