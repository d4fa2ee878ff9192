/* SPDX-License-Identifier: Apache-2.0 */
/* CLAM's instance branch. */
#include "instances.h"

#include "guide.h"
#include "rows.h"

/* Highest score first; the earlier patch if equal. */
static gint by_score(gconstpointer x, gconstpointer y, gpointer user) {
    const float *scores = user;
    const int64_t i = *(const int64_t *)x, j = *(const int64_t *)y;
    if (scores[i] != scores[j]) return scores[i] > scores[j] ? -1 : 1;
    return i < j ? -1 : i > j;
}

/* For one head, by its scores (softmax does not change their order): the k highest with the given target and, with `lowest`, the k lowest
 * with target 0, each with this share of the loss. */
static gboolean choose(RmilInstances *of, int64_t patches, int head, int64_t k, int target, gboolean lowest, double share, RmilArena *arena,
                       GError **error) {
    int64_t *order = rmil_arena_take(arena, patches, sizeof *order, error);
    if (!order) return FALSE;
    for (int64_t i = 0; i < patches; i++) order[i] = i;
    g_qsort_with_data(order, (gint)patches, sizeof *order, by_score, (gpointer)(of->scores + head * of->stride));
    for (int64_t i = 0; i < k; i++)
        of->chosen[of->count++] = (RmilInstance){.patch = order[i], .head = head, .target = target, .share = share};
    for (int64_t i = 0; lowest && i < k; i++)
        of->chosen[of->count++] = (RmilInstance){.patch = order[patches - 1 - i], .head = head, .share = share};
    return TRUE;
}

/* All patches, by true labels. */
static gboolean choose_all(RmilInstances *of, int64_t patches, int head, RmilArena *arena, GError **error) {
    const int64_t annotated = rmil_guide_annotated(of->labels, patches), others = patches - annotated;
    const double side = of->weight / (annotated && others ? 2 : 1);
    of->chosen = rmil_arena_take(arena, patches, sizeof *of->chosen, error);
    for (int64_t i = 0; of->chosen && i < patches; i++)
        of->chosen[i] = (RmilInstance){.patch = i,
                                       .head = head,
                                       .target = of->labels[i] != 0,
                                       .share = side / (double)(of->labels[i] ? annotated : others)};
    of->count = of->chosen ? patches : 0;
    return of->chosen != NULL;
}

/* By attention, as many as the bag has. */
static gboolean choose_some(const RmilStep *step, RmilInstances *of, RmilArena *arena, GError **error) {
    const int64_t patches = step->bag->count, k = MIN(of->k, patches / 2);
    const int label = step->target.label;
    const double weight = of->weight / (of->negative ? of->heads - 1 : of->subtyping ? of->heads : 1);
    if (k == 0) return TRUE;
    of->chosen = rmil_arena_take(arena, (1 + of->heads) * k, sizeof *of->chosen, error);
    if (!of->chosen) return FALSE;
    if (!of->negative && !choose(of, patches, label, k, 1, TRUE, weight / (double)(2 * k), arena, error)) return FALSE;
    for (int c = 0; (of->subtyping || of->negative) && c < of->heads; c++)
        if (c != label && !choose(of, patches, c, k, 0, FALSE, weight / (double)k, arena, error)) return FALSE;
    return TRUE;
}

gboolean rmil_instances_loss(const RmilStep *step, RmilInstances *of, RmilArena *arena, double *loss, GError **error) {
    const int64_t n = of->width;
    *loss = 0;
    of->count = 0;
    if (!(of->labels ? choose_all(of, step->bag->count, step->target.label, arena, error) : choose_some(step, of, arena, error)))
        return FALSE;
    for (RmilInstance *one = of->chosen; one < of->chosen + of->count; one++) {
        const float *head = rmil_step_parameter(step, of->first + 2 * one->head);
        const float *bias = rmil_step_parameter(step, of->first + 2 * one->head + 1);
        double z[2], dz[2];
        for (int c = 0; c < 2; c++) z[c] = rmil_dot(head + c * n, of->h + one->patch * of->ldh, n) + (double)bias[c];
        *loss += one->share * rmil_cross_entropy(z, 2, one->target, dz);
        for (int c = 0; c < 2; c++) one->dz[c] = (float)(one->share * dz[c]);
    }
    return TRUE;
}

void rmil_instances_heads(const RmilStep *step, const RmilInstances *of) {
    for (int64_t i = 0; i < of->count; i++) {
        const RmilInstance *one = &of->chosen[i];
        float *bias = rmil_step_gradient(step, of->first + 2 * one->head + 1);
        rmil_outer(one->dz, 2, of->h + one->patch * of->ldh, of->width, TRUE, rmil_step_gradient(step, of->first + 2 * one->head));
        bias[0] += one->dz[0], bias[1] += one->dz[1];
    }
}

void rmil_instances_rows(const RmilStep *step, const RmilInstances *of, int64_t first, int64_t rows, float *dh) {
    const int64_t from = of->labels ? first : 0, to = of->labels ? first + rows : of->count; /* with labels they are in patch order */
    for (int64_t i = from; i < to; i++) {
        const RmilInstance *one = &of->chosen[i];
        const int64_t row = one->patch - first;
        if (row >= 0 && row < rows)
            rmil_transposed_vector(rmil_step_parameter(step, of->first + 2 * one->head), 2, of->width, one->dz, TRUE, dh + row * of->ldh);
    }
}
