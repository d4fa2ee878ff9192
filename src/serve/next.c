/* SPDX-License-Identifier: Apache-2.0 */
/* Which slide to outline next, what the models predict for it, and where to look. The order is random unless the worst mistakes are
 * requested: no order that models gave was reliably better, and mistakes first was once worse (docs/measurements.md, Annotate-next). */
#include "serve-private.h"

#include "json.h"
#include "study/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKED_INTO = 12, STREAM_NEXT = 230 }; /* first slides whose attention is computed; stream (base.h) */

typedef struct {
    int64_t row;
    double said, spread; /* P(true class): mean and SD over the models; NaN: unknown */
    gboolean outlined;
    double stray; /* for an outlined slide: share of attention outside its outlines; NaN: unknown */
    double draw;  /* 0 … 1, always the same for a slide */
    double gain;  /* how much the models are wrong, disagree, or look outside the outlines */
    gboolean placed;
    double x, y, side; /* where to look: in the page's pixels */
} Candidate;

/* Collects the predictions of every training of every method for the slide. */
static void ask_members(const RmilShelf *shelf, const RmilTask *task, const RmilCohortRow *row, Candidate *c) {
    double sum = 0, squares = 0;
    int64_t n = 0;
    const int class = task->kind == RMIL_TASK_CLASSES ? row->target.label : -1;
    for (guint i = 0; i < shelf->runs->len; i++) {
        const RmilPredictionRow *said = rmil_trained_row(shelf->runs->pdata[i], row);
        if (!said || class < 0) continue;
        const double p = rmil_class_probability(task, said, class);
        sum += p;
        squares += p * p;
        n++;
    }
    c->said = n ? sum / (double)n : NAN;
    c->spread = n > 1 ? sqrt(MAX(squares / (double)n - c->said * c->said, 0)) : NAN;
}

/* Depends only on the id: a slide keeps its position whatever the order of the table. */
static double draw_of(const char *id) {
    RmilRng rng;
    rmil_rng_init(&rng, g_str_hash(id), STREAM_NEXT);
    return rmil_rng_uniform(&rng);
}

/* Random order for slides that nobody has outlined; then outlined ones, those with most attention outside their outlines first. */
static int drawn(gconstpointer a, gconstpointer b, gpointer user) {
    const Candidate *p = a, *q = b;
    const double stray = isfinite(p->stray) ? p->stray : 0, other = isfinite(q->stray) ? q->stray : 0;
    if (p->outlined != q->outlined) return p->outlined ? 1 : -1;
    if (p->outlined && stray != other) return stray < other ? 1 : -1;
    return (p->draw > q->draw) - (p->draw < q->draw);
}

static int worst(gconstpointer a, gconstpointer b, gpointer user) {
    const Candidate *p = a, *q = b;
    return p->gain != q->gain ? (p->gain < q->gain) - (p->gain > q->gain) : (p->row > q->row) - (p->row < q->row);
}

/* A missing outline counts more than a correction. */
static double gain_of(const Candidate *c) {
    return rmil_suggest_doubt(c->said, c->spread) + (c->outlined ? 0 : 0.4) + (isfinite(c->stray) ? 0.6 * c->stray : 0);
}

/* Slides that may hold a lesion and are not in the test set, whose outlines teach nothing. */
static GArray *find_candidates(RmilDesk *desk, const RmilShelf *shelf, GCompareDataFunc order) {
    const RmilCohort *cohort = desk->work->cohort;
    GArray *all = g_array_new(FALSE, FALSE, sizeof(Candidate));
    for (int64_t i = 0; i < cohort->count; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        const RmilPredictionRow *said = shelf->runs->len ? rmil_trained_row(shelf->runs->pdata[0], row) : NULL;
        const RmilSplit part = said ? said->part : row->split;
        if (!row->slide || part == RMIL_SPLIT_TEST || part == RMIL_SPLIT_VAL || !rmil_target_lesion(&cohort->task, &row->target)) continue;
        Candidate c = {.row = i, .stray = NAN, .draw = draw_of(row->id)};
        g_mutex_lock(&desk->lock);
        c.outlined = desk->outlines[i].is != RMIL_OUTLINED_NOT;
        g_mutex_unlock(&desk->lock);
        ask_members(shelf, &cohort->task, row, &c);
        c.gain = gain_of(&c);
        g_array_append_val(all, c);
    }
    g_array_sort_with_data(all, order, NULL);
    return all;
}

/* The share of attention outside the outlines, and the most attended patch there. */
static void look_into(RmilDesk *desk, const RmilModel *model, Candidate *c) {
    g_autoptr(RmilBag) bag = rmil_heat_bag(desk, c->row, TRUE, NULL);
    g_autofree float *attention = bag ? rmil_try_new(bag->count, sizeof(float), NULL) : NULL;
    g_autofree uint8_t *labels = attention ? rmil_try_new(bag->count, 1, NULL) : NULL;
    RmilPrediction said;
    RmilLook look = {0};
    if (!labels || !rmil_model_predict(model, bag, NULL, &said, NULL, attention, NULL)) return;
    if (!rmil_outlines_labels(desk, c->row, bag, labels, NULL)) memset(labels, 0, (gsize)bag->count);
    rmil_tiles_look(desk->tiles, c->row, &look, NULL);
    double outside = 0, all = 0;
    int64_t best = -1;
    for (int64_t i = 0; i < bag->count; i++) {
        all += (double)attention[i];
        if (labels[i]) continue;
        outside += (double)attention[i];
        if (best < 0 || attention[i] > attention[best]) best = i;
    }
    c->stray = all > 0 ? outside / all : NAN;
    if (best < 0) return;
    c->placed = TRUE;
    c->side = bag->patch_size_level0;
    c->x = (double)(bag->coords[2 * best] - look.info.bounds_x);
    c->y = (double)(bag->coords[2 * best + 1] - look.info.bounds_y);
}

static char *reason_of(const RmilTask *task, const RmilCohortRow *row, const Candidate *c) {
    GString *words = g_string_new(NULL);
    const char *class = task->kind == RMIL_TASK_CLASSES ? rmil_class_word(task, row->target.label) : "";
    if (c->said < 0.5) g_string_append_printf(words, "is %s, but the models give it %.2f; ", class, c->said);
    else if (c->said < 0.75) g_string_append_printf(words, "the models are not sure of %s (%.2f); ", class, c->said);
    if (c->spread > 0.1) g_string_append_printf(words, "the models disagree (SD %.2f); ", c->spread);
    if (!c->outlined) g_string_append(words, "nobody has outlined it yet; ");
    else if (c->stray > 0.25) g_string_append_printf(words, "%.0f %% of the attention lies outside the outlines; ", 100 * c->stray);
    if (!words->len) g_string_append(words, "the models agree with its label and its outlines; ");
    g_string_truncate(words, words->len - 2);
    return g_string_free(words, FALSE);
}

JsonNode *rmil_next(RmilDesk *desk, gboolean mistakes, GError **error) {
    const GCompareDataFunc order = mistakes ? worst : drawn;
    g_autoptr(RmilShelf) shelf = rmil_desk_shelf(desk);
    if (!shelf || !shelf->runs->len) {
        rmil_fail(error, RMIL_ERROR_DATA, "no training has finished, so where an outline would help is not known yet");
        return NULL;
    }
    g_autoptr(GArray) all = find_candidates(desk, shelf, order);
    g_autoptr(RmilQuick) quick = desk->loop ? rmil_loop_quick(desk->loop) : NULL;
    const RmilModel *model = quick ? quick->model : rmil_trained_model(shelf, shelf->runs->pdata[shelf->runs->len - 1], error);
    if (!model) return NULL;
    const guint looked = MIN(all->len, LOOKED_INTO);
    for (guint i = 0; i < looked; i++) {
        Candidate *c = &g_array_index(all, Candidate, i);
        look_into(desk, model, c);
        c->gain = gain_of(c);
    }
    g_qsort_with_data(all->data, (int)looked, sizeof(Candidate), order, NULL);
    JsonArray *list = json_array_new();
    for (guint i = 0; i < all->len; i++) {
        const Candidate *c = &g_array_index(all, Candidate, i);
        const RmilCohortRow *row = &desk->work->cohort->rows[c->row];
        g_autofree char *reason = reason_of(&desk->work->cohort->task, row, c);
        JsonObject *one = json_object_new();
        json_object_set_string_member(one, "id", row->id);
        json_object_set_string_member(one, "reason", reason);
        rmil_json_put(one, "gain", c->gain);
        if (c->placed) {
            rmil_json_put(one, "x", c->x);
            rmil_json_put(one, "y", c->y);
            rmil_json_put(one, "side", c->side);
        }
        json_array_add_object_element(list, one);
    }
    return rmil_json_of_array(list);
}
