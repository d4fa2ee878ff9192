/* A guard before GEOS: n edges may cross n² / 2 times, and repairing them costs memory for every crossing. */
#include "annotation-private.h"

#include <stdlib.h>

enum { ALWAYS_FINE = 1500 /* edges */, MOST_CROSSINGS = 500000 };
#define MOST_COMPARISONS INT64_C(3000000000)

typedef struct {
    RmilPoint a, b; /* a.x ≤ b.x */
} Segment;

static int compare_segments(const void *a, const void *b) {
    double x = ((const Segment *)a)->a.x, y = ((const Segment *)b)->a.x;
    return (x > y) - (x < y);
}

static double side(RmilPoint a, RmilPoint b, RmilPoint c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }

static gboolean cross(const Segment *s, const Segment *t) {
    if (MAX(s->a.y, s->b.y) < MIN(t->a.y, t->b.y) || MAX(t->a.y, t->b.y) < MIN(s->a.y, s->b.y)) return FALSE;
    return side(s->a, s->b, t->a) * side(s->a, s->b, t->b) < 0 && side(t->a, t->b, s->a) * side(t->a, t->b, s->b) < 0;
}

static GArray *segments_of(const GPtrArray *shapes) {
    GArray *segments = g_array_new(FALSE, FALSE, sizeof(Segment));
    for (guint i = 0; i < shapes->len; i++) {
        const RmilShape *shape = shapes->pdata[i];
        for (guint r = 0; r < shape->rings->len; r++) {
            const GArray *ring = shape->rings->pdata[r];
            for (guint k = 0; k < ring->len; k++) {
                RmilPoint a = g_array_index(ring, RmilPoint, k), b = g_array_index(ring, RmilPoint, (k + 1) % ring->len);
                Segment segment = a.x <= b.x ? (Segment){a, b} : (Segment){b, a};
                g_array_append_val(segments, segment);
            }
        }
    }
    return segments;
}

gboolean rmil_outlines_tangled(const GPtrArray *shapes) {
    g_autoptr(GArray) all = segments_of(shapes);
    const int64_t n = all->len;
    if (n <= ALWAYS_FINE) return FALSE;
    Segment *segments = (Segment *)(void *)all->data;
    qsort(segments, (size_t)n, sizeof(Segment), compare_segments);
    /* A sweep from left to right over the segments that the sweep line may still touch. */
    g_autofree int64_t *active = g_try_new(int64_t, (gsize)n);
    if (!active) return TRUE; /* more than can be told in this memory */
    int64_t count = 0, crossings = 0, comparisons = 0;
    for (int64_t i = 0; i < n && crossings <= MOST_CROSSINGS && comparisons <= MOST_COMPARISONS; i++) {
        int64_t kept = 0;
        for (int64_t k = 0; k < count; k++) {
            const Segment *other = &segments[active[k]];
            if (other->b.x < segments[i].a.x) continue;
            active[kept++] = active[k];
            crossings += cross(&segments[i], other);
        }
        comparisons += count;
        count = kept;
        active[count++] = i;
    }
    return crossings > MOST_CROSSINGS || comparisons > MOST_COMPARISONS;
}
