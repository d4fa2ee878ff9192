/* Slide losses, and the table of what guides attention. */
#include "guide.h"

#include <math.h>
#include <string.h>

double rmil_bce(double z, int label, double *dz) {
    double e = exp(-fabs(z)), p = z >= 0 ? 1 / (1 + e) : e / (1 + e);
    if (dz) *dz = p - label;
    return MAX(z, 0) - z * label + log1p(e);
}

double rmil_cross_entropy(const double *z, int n, int label, double *dz) {
    double top = z[0], sum = 0;
    for (int i = 1; i < n; i++) top = MAX(top, z[i]);
    for (int i = 0; i < n; i++) sum += exp(z[i] - top);
    for (int i = 0; dz && i < n; i++) dz[i] = exp(z[i] - top) / sum - (i == label);
    return log(sum) + top - z[label];
}

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
    if (!class || step->target.label != 1 || !labels) return FALSE;
    const int64_t annotated = rmil_guide_annotated(labels, count);
    return annotated > 0 && (!class->pairs || annotated < count);
}

gboolean rmil_guide_loss(const RmilStep *step, const RmilGuided *on, RmilArena *arena, double *loss, float *ds, float *da, GError **error) {
    *loss = 0;
    if (ds) memset(ds, 0, (size_t)on->count * sizeof(float));
    if (da) memset(da, 0, (size_t)on->count * sizeof(float));
    return !rmil_guide_applies(step, on->labels, on->count) ||
           rmil_guide_class(step->config->guide)->loss(step, on, arena, loss, ds, da, error);
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
