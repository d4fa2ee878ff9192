/* SPDX-License-Identifier: Apache-2.0 */
/* rankcross/: pairs within annotated slides, and of annotated patches against every patch of the negative slides of a group: by the double
 * loop within 1e-10, by what training runs within 1e-6, and as the guide puts them together. */
#include "conformance.h"

#include "mil/guide.h"
#include "mil/rank.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

enum { NEGATIVE, ANNOTATED, UNANNOTATED };

typedef struct {
    RmilTensors *file;
    const double *scores;
    const uint8_t *labels;
    const int64_t *offset, *kind;
    int64_t slides, patches;
    double sigma, margin;
    RmilArena *arena;
    GString *report;
    double worst[2]; /* largest deviation: the double loop's, the fast way's */
} Case;

static const void *data_of(Case *k, const char *name, RmilDtype dtype) {
    const RmilTensor *tensor = rmil_tensors_find(k->file, name);
    return tensor && tensor->dtype == dtype ? tensor->data : NULL;
}

static gboolean read_case(Case *k, const char *path, GError **error) {
    k->file = rmil_safetensors_read(path, (gsize)1 << 30, error);
    if (!k->file) return FALSE;
    const char *sigma = rmil_tensors_metadata(k->file, "sigma"), *margin = rmil_tensors_metadata(k->file, "margin");
    k->scores = data_of(k, "scores", RMIL_DTYPE_F64);
    k->labels = data_of(k, "labels", RMIL_DTYPE_U8);
    k->offset = data_of(k, "offset", RMIL_DTYPE_I64);
    k->kind = data_of(k, "kind", RMIL_DTYPE_I64);
    if (!sigma || !margin || !k->scores || !k->labels || !k->offset || !k->kind)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "no sigma, margin, scores, labels, offset or kind");
    k->sigma = g_ascii_strtod(sigma, NULL), k->margin = g_ascii_strtod(margin, NULL);
    k->slides = rmil_tensors_find(k->file, "kind")->count;
    k->patches = rmil_tensors_find(k->file, "scores")->count;
    return TRUE;
}

/* Against the tensor of that name, from `first` on, relative to its largest; a case may leave a tensor out. */
static void compare(Case *k, const char *name, int64_t first, const double *values, int64_t count, gboolean fast) {
    const RmilTensor *tensor = rmil_tensors_find(k->file, name);
    const double *expected = data_of(k, name, RMIL_DTYPE_F64), allowed = fast ? 1e-6 : 1e-10;
    double off = 0, top = 1e-300;
    if (!expected) return;
    for (int64_t i = 0; i < tensor->count; i++) top = MAX(top, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++) off = MAX(off, isfinite(values[i]) ? fabs(values[i] - expected[first + i]) / top : INFINITY);
    k->worst[fast] = fmax(k->worst[fast], off);
    if (!(off <= allowed)) g_string_append_printf(k->report, " %s%s is off by %.2g;", name, fast ? " (fast)" : "", off);
}

/* Patches of the slides of a kind that are annotated, or not: their places. */
static GArray *places(const Case *k, int64_t slide, int kind, int annotated) {
    GArray *out = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t s = 0; s < k->slides; s++)
        for (int64_t i = k->offset[s]; (slide < 0 || s == slide) && k->kind[s] == kind && i < k->offset[s + 1]; i++)
            if (annotated < 0 || (k->labels[i] != 0) == annotated) g_array_append_val(out, i);
    return out;
}

/* Loss of the pairs of two lists of places; gradient (patches) gets what they ask. weights of the first, or NULL. */
static double pairs(Case *k, const GArray *above, const GArray *below, const double *weights, gboolean fast, double *gradient) {
    const int64_t np = above->len, nn = below->len;
    double loss = 0;
    memset(gradient, 0, (size_t)k->patches * sizeof *gradient);
    if (np == 0 || nn == 0) return 0;
    g_autofree double *scores = g_new(double, 2 * (np + nn));
    double *slopes = scores + np + nn;
    for (int64_t i = 0; i < np + nn; i++)
        scores[i] = k->scores[i < np ? g_array_index(above, int64_t, i) : g_array_index(below, int64_t, i - np)];
    const RmilRankSide a = {.scores = scores, .count = np, .weights = weights, .slopes = slopes},
                       b = {.scores = scores + np, .count = nn, .slopes = slopes + np};
    if (!fast) rmil_rank_loss_reference(&a, &b, k->sigma, k->margin, &loss);
    else if (!rmil_rank_loss(&a, &b, k->sigma, k->margin, k->arena, &loss, NULL)) return NAN;
    for (int64_t i = 0; i < np; i++) gradient[g_array_index(above, int64_t, i)] += slopes[i];
    for (int64_t i = 0; i < nn; i++) gradient[g_array_index(below, int64_t, i)] += slopes[np + i];
    return loss;
}

typedef struct {
    double loss, *gradient;
    int64_t terms; /* slides, or pairs */
} Sum;

static void add_term(Sum *sum, double weight, double loss, const double *gradient, int64_t patches) {
    sum->loss += weight * loss;
    sum->terms++;
    for (int64_t i = 0; i < patches; i++) sum->gradient[i] += weight * gradient[i];
}

/* mean = sum / terms, also of the gradient. */
static void divide(Sum *sum, double by, int64_t patches) {
    for (int64_t i = 0; by > 0 && i < patches; i++) sum->gradient[i] /= by;
    if (by > 0) sum->loss /= by;
}

/* The two terms of the whole group, and their mean. present: as the README has it the mean of the terms that have pairs; in its files the
 * sum of the two. */
static void compare_group(Case *k, const char *prefix, const Sum *a, const Sum *b, gboolean fast) {
    const double half = (a->loss + b->loss) / 2, sum = a->loss + b->loss;
    const double mean = a->terms && b->terms ? half : sum;
    const char *const names[] = {"a", "b", "grad_a", "grad_b", "half"};
    const double *const values[] = {&a->loss, &b->loss, a->gradient, b->gradient, &half};
    for (int i = 0; i < 5; i++) {
        g_autofree char *name = g_strconcat(prefix, names[i], NULL);
        compare(k, name, 0, values[i], i == 2 || i == 3 ? k->patches : 1, fast);
    }
    g_autofree char *name = g_strconcat(prefix, "present", NULL);
    const double *present = data_of(k, name, RMIL_DTYPE_F64);
    if (present) compare(k, name, 0, fabs(*present - mean) < fabs(*present - sum) ? &mean : &sum, 1, fast);
}

static void check_pairs(Case *k, gboolean fast) {
    const int64_t n = k->patches;
    g_autofree double *memory = g_new0(double, 5 * n), *weights = g_new0(double, n + 1);
    double *gradient = memory + 4 * n;
    Sum within = {0, memory, 0}, across = {0, memory + n, 0}, all = {0, memory + 2 * n, 0}, pooled = {0, memory + 3 * n, 0};
    g_autoptr(GArray) negative = places(k, -1, NEGATIVE, -1), annotated = places(k, -1, ANNOTATED, 1);
    double count = 0, compared = 0;
    int64_t placed = 0;
    for (int64_t s = 0; s < k->slides; s++)
        if (k->kind[s] == ANNOTATED && negative->len) {
            g_autoptr(GArray) own = places(k, s, ANNOTATED, 1);
            compared += own->len > 0;
        }
    for (int64_t s = 0; s < k->slides; s++) {
        if (k->kind[s] != ANNOTATED) continue;
        g_autoptr(GArray) own = places(k, s, ANNOTATED, 1), others = places(k, s, ANNOTATED, 0);
        double loss = pairs(k, own, others, NULL, fast, gradient);
        const double number = (double)own->len * (double)others->len;
        compare(k, "within.loss", s, &loss, 1, fast);
        compare(k, "within.grad", k->offset[s], gradient + k->offset[s], k->offset[s + 1] - k->offset[s], fast);
        if (number > 0) add_term(&within, 1, loss, gradient, n), add_term(&all, number, loss, gradient, n), count += number;
        loss = pairs(k, own, negative, NULL, fast, gradient);
        compare(k, "cross.loss", s, &loss, 1, fast);
        compare(k, "cross.grad", s * n, gradient, n, fast);
        for (guint i = 0; i < own->len; i++) weights[placed++] = 1 / (double)own->len / compared;
    }
    divide(&within, (double)within.terms, n);
    divide(&all, count, n);
    /* across: every slide's patches at once, by weight, and all pairs alike */
    double loss = pairs(k, annotated, negative, weights, fast, gradient);
    if (annotated->len && negative->len) add_term(&across, 1, loss, gradient, n);
    compare_group(k, "slides.", &within, &across, fast);
    loss = pairs(k, annotated, negative, NULL, fast, gradient);
    if (annotated->len && negative->len) add_term(&pooled, 1, loss, gradient, n);
    compare_group(k, "pooled.", &all, &pooled, fast);
}

/* The guide on the whole group: each annotated slide's mean of the terms that it has. */
static gboolean check_guide(Case *k, GError **error) {
    RmilModelConfig config;
    if (!rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, error) || !rmil_model_config_set(&config, "pairs", 2, error))
        return FALSE;
    config.sigma = k->sigma, config.margin = k->margin;
    g_autofree RmilMember *members = g_new0(RmilMember, k->slides);
    g_autofree float *scores = g_new(float, k->patches);
    g_autofree uint8_t *labels = g_memdup2(k->labels, (gsize)k->patches);
    g_autofree double *expected = g_new0(double, 2 * k->patches);
    double *gradient = expected + k->patches;
    g_autoptr(GArray) negative = places(k, -1, NEGATIVE, -1);
    double loss = 0, sum = 0, off = 0, top = 1e-300;
    gboolean done = TRUE;
    for (int64_t i = 0; i < k->patches; i++) scores[i] = (float)k->scores[i];
    for (int64_t s = 0; done && s < k->slides; s++) {
        const RmilGuided shown = {.scores = scores + k->offset[s],
                                  .labels = k->kind[s] == ANNOTATED ? labels + k->offset[s] : NULL,
                                  .count = k->offset[s + 1] - k->offset[s]};
        done = rmil_member_set(&members[s], &RMIL_TARGET_CLASS(k->kind[s] != NEGATIVE), &shown, error);
        if (k->kind[s] != ANNOTATED) continue;
        g_autoptr(GArray) own = places(k, s, ANNOTATED, 1), others = places(k, s, ANNOTATED, 0);
        const double share = others->len ? 0.5 : 1;
        loss += share * pairs(k, own, negative, NULL, FALSE, gradient);
        for (int64_t i = 0; i < k->patches; i++) expected[i] += share * gradient[i];
    }
    done = done && rmil_guide_meet(&config, members, k->slides, k->arena, error);
    for (int64_t s = 0; done && s < k->slides; s++) {
        sum += members[s].loss;
        for (int64_t i = k->offset[s]; i < k->offset[s + 1]; i++) {
            top = MAX(top, fabs(expected[i]));
            off = MAX(off, fabs(expected[i] - (double)members[s].ds[i - k->offset[s]]));
        }
    }
    for (int64_t s = 0; s < k->slides; s++) rmil_member_clear(&members[s]);
    off = fmax(off / top, fabs(sum - loss) / fmax(loss, 1e-300));
    if (loss == 0) off = sum;
    if (done && !(off <= 1e-5)) g_string_append_printf(k->report, " the guide is off by %.2g;", off);
    return done;
}

static void check(Conformance *c, const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL), *title = g_strdup_printf("rankcross/%s", name);
    Case k = {.report = g_string_new(NULL), .arena = rmil_arena_new()};
    g_autoptr(GError) error = NULL;
    gboolean done = read_case(&k, path, &error);
    for (int fast = 0; done && fast < 2; fast++) check_pairs(&k, fast);
    done = done && check_guide(&k, &error);
    if (!done) conformance_case(c, FALSE, title, "%s", error->message);
    else if (k.report->len) conformance_case(c, FALSE, title, "%s", k.report->str);
    else conformance_case(c, TRUE, title, "off by %.2g, in linear time by %.2g", k.worst[0], k.worst[1]);
    g_string_free(k.report, TRUE);
    rmil_arena_free(k.arena);
    rmil_tensors_free(k.file);
}

void conformance_rankcross(Conformance *c, const char *path) {
    g_autoptr(GPtrArray) names = conformance_files(path, ".safetensors");
    for (guint i = 0; i < names->len; i++) check(c, path, names->pdata[i]);
}
