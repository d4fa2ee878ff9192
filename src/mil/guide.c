/* The table of what guides attention, and one bag of it. */
#include "guide.h"

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

gboolean rmil_guide_applies(const RmilStep *step, const uint8_t *labels, int64_t count) {
    const RmilGuideClass *class = rmil_guide_class(step->config->guide);
    if (!class || !rmil_target_lesion(&step->config->task, &step->target) || !labels) return FALSE;
    const int64_t annotated = rmil_guide_annotated(labels, count);
    return annotated > 0 && (!class->pairs || annotated < count);
}

/* One row, which counts `share`. */
static gboolean row_loss(const RmilStep *step, const RmilGuided *on, int row, double share, RmilArena *arena, double *loss, float *ds,
                         float *da, GError **error) {
    const int64_t first = row * on->count;
    RmilGuided one = *on;
    double part;
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

gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    const int rows = MAX(on->rows, 1);
    *loss = 0;
    if (ds) memset(ds, 0, (size_t)(rows * on->count) * sizeof(float));
    if (da) memset(da, 0, (size_t)(rows * on->count) * sizeof(float));
    if (!rmil_guide_applies(step, on->labels, on->count)) return TRUE;
    const gboolean own = rows > 1 && step->config->task.kind == RMIL_TASK_CLASSES; /* a class has its row */
    for (int row = 0; row < rows; row++)
        if (!own || row == step->target.label)
            if (!row_loss(step, on, row, own ? 1 : 1.0 / rows, arena, loss, ds, da, error)) return FALSE;
    return TRUE;
}

RmilAnnotated rmil_annotated(const RmilModelConfig *config, const RmilBag *bag) {
    if (!bag->patch_labels) return RMIL_ANNOTATED_NONE;
    const RmilModelClass *class = rmil_model_class(config->model, NULL);
    const uint8_t *labels = bag->patch_labels;
    int64_t units = bag->count;
    g_autoptr(RmilArena) arena = rmil_arena_new();
    if (class && class->units) class->units(config, bag, arena, &labels, &units, NULL); /* fails: patches; training says why */
    const int64_t annotated = rmil_guide_annotated(labels, units);
    return annotated == 0 ? RMIL_ANNOTATED_NONE : annotated == units ? RMIL_ANNOTATED_ALL : RMIL_ANNOTATED_SOME;
}
