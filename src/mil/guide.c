/* SPDX-License-Identifier: Apache-2.0 */
/* The table of guides, and the guide's loss on one bag. */
#include "guide.h"

#include <math.h>
#include <string.h>

/* -- the table ---------------------------------------------------------------------------------------------------------- */
const RmilGuideClass *rmil_guide_class(RmilGuide guide) {
    for (int g = RMIL_GUIDE_NONE; rmil_guide_classes[g]; g++)
        if (g + 1 == (int)guide) return rmil_guide_classes[g];
    return NULL;
}

const char *rmil_guide_name(RmilGuide guide) {
    const RmilGuideClass *class = rmil_guide_class(guide);
    return class ? class->name : guide == RMIL_GUIDE_NONE ? "none" : "unknown";
}

gboolean rmil_guide_needs_annotations(RmilGuide guide) {
    const RmilGuideClass *class = rmil_guide_class(guide);
    return class && !class->negatives;
}

const char *const *rmil_guide_names(void) {
    static GPtrArray *names;
    static gsize done;
    if (g_once_init_enter(&done)) {
        names = g_ptr_array_new();
        g_ptr_array_add(names, (gpointer)rmil_guide_name(RMIL_GUIDE_NONE));
        for (int g = 0; rmil_guide_classes[g]; g++) g_ptr_array_add(names, (gpointer)rmil_guide_classes[g]->name);
        g_ptr_array_add(names, NULL);
        g_once_init_leave(&done, 1);
    }
    return (const char *const *)names->pdata;
}

gboolean rmil_guide_find(const char *name, RmilGuide *guide) {
    const char *const *names = rmil_guide_names();
    for (int g = 0; names[g]; g++)
        if (strcmp(names[g], name) == 0) {
            *guide = (RmilGuide)g;
            return TRUE;
        }
    return FALSE;
}

/* -- one bag ------------------------------------------------------------------------------------------------------------ */
int64_t rmil_guide_annotated(const uint8_t *labels, int64_t count) {
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) n += labels[i] != 0;
    return n;
}

gboolean rmil_guide_negative(const RmilTask *task, const RmilTarget *target) {
    return rmil_target_known(task, target) && !rmil_target_lesion(task, target);
}

gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count) {
    const RmilGuideClass *class = rmil_guide_class(step->config->guide);
    if (!class) return FALSE;
    if (rmil_guide_negative(&step->config->task, &step->target)) return class->negatives;
    if (!rmil_target_lesion(&step->config->task, &step->target) || !labels) return FALSE;
    const int64_t annotated = rmil_guide_annotated(labels, count);
    return annotated > 0 && (!class->pairs || annotated < count);
}

/* One row, weighted by `share`. */
static gboolean row_loss(const RmilStep *step, const RmilGuided *on, int row, double share, RmilArena *arena, double *loss, float *ds,
                         float *da, GError **error) {
    const int64_t first = row * on->count;
    RmilGuided one = *on;
    double part = 0;
    one.scores += first;
    if (one.attention) one.attention += first;
    if (ds) ds += first;
    if (da) da += first;
    if (!rmil_guide_class(step->config->guide)->loss(step, &one, arena, &part, ds, da, error)) return FALSE;
    *loss += share * part;
    for (int64_t i = 0; ds && share != 1 && i < on->count; i++) ds[i] = (float)(share * (double)ds[i]);
    for (int64_t i = 0; da && share != 1 && i < on->count; i++) da[i] = (float)(share * (double)da[i]);
    return TRUE;
}

/* The anchor: X KL(softmax of its scores ‖ softmax of the bag's scores), per row, averaged; ds receives X (a − its attention) × scale. */
static gboolean hold(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, GError **error) {
    const int rows = MAX(on->rows, 1);
    double decay, *logs = rmil_arena_take(arena, 2 * on->count, sizeof *logs, error), *other = logs + on->count;
    const double scale = on->scale > 0 ? on->scale : 1, share = rmil_guide_anchor(step->config, &decay) / rows;
    if (!logs) return FALSE;
    for (int row = 0; row < rows; row++) {
        const int64_t first = row * on->count;
        rmil_log_softmax(on->scores + first, on->count, scale, logs);
        rmil_log_softmax(step->anchor + first, on->count, scale, other);
        for (int64_t i = 0; i < on->count; i++) {
            const double p = exp(other[i]);
            *loss += share * p * (other[i] - logs[i]);
            if (ds) ds[first + i] += (float)(share * scale * (exp(logs[i]) - p));
        }
    }
    return TRUE;
}

gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const int rows = MAX(on->rows, 1);
    *loss = 0;
    if (ds) memset(ds, 0, (size_t)(rows * on->count) * sizeof(float));
    if (da) memset(da, 0, (size_t)(rows * on->count) * sizeof(float));
    if (rmil_guide_applies(step, on->labels, on->count)) {
        const gboolean own = rows > 1 && step->config->task.kind == RMIL_TASK_CLASSES; /* each class has a row */
        const gboolean negative = rmil_guide_negative(&step->config->task, &step->target);
        const double share = (own ? negative ? 1.0 / (rows - 1) : 1 : 1.0 / rows) * (step->member ? step->member->own : 1);
        for (int row = 0; share > 0 && row < rows; row++)
            if (!own || negative != (row == step->target.label))
                if (!row_loss(step, on, row, share, arena, loss, ds, da, error)) return FALSE;
    }
    if (step->member) {
        *loss += step->member->loss;
        for (int64_t i = 0; ds && i < rows * on->count; i++) ds[i] += step->member->ds[i];
    }
    return !step->anchor || hold(step, on, arena, loss, ds, error);
}

RmilAnnotated rmil_annotated(const RmilModelConfig *config, const RmilBag *bag) {
    if (!bag->patch_labels) return RMIL_ANNOTATED_NONE;
    const RmilModelClass *class = rmil_model_class(config->model, NULL);
    const uint8_t *labels = bag->patch_labels;
    int64_t units = bag->count;
    g_autoptr(RmilArena) arena = rmil_arena_new();
    if (class && class->units) class->units(config, bag, arena, &labels, &units, NULL); /* on failure counts patches; training reports it */
    const int64_t annotated = rmil_guide_annotated(labels, units);
    return annotated == 0 ? RMIL_ANNOTATED_NONE : annotated == units ? RMIL_ANNOTATED_ALL : RMIL_ANNOTATED_SOME;
}
