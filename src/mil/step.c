/* SPDX-License-Identifier: Apache-2.0 */
/* One bag through a model: forward, its losses, and backward. */
#include "guide.h"

#include <string.h>

/* Does the bag fit the model? */
static gboolean check_bag(const RmilModel *model, const RmilStep *step, GError **error) {
    const RmilBag *bag = step->bag;
    const char *name = bag->id ? bag->id : "bag";
    if (!bag->features || bag->count < 1) return rmil_fail(error, RMIL_ERROR_DATA, "%s: has no features", name);
    if (bag->dim != model->config.dim)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: features have %" G_GINT64_FORMAT " numbers, but the model takes %" G_GINT64_FORMAT,
                         name, bag->dim, model->config.dim);
    const RmilTask *task = &model->config.task;
    if (task->kind == RMIL_TASK_CLASSES && step->target.label >= task->classes)
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: label %d; the model has the classes 0 to %d", name, step->target.label,
                         task->classes - 1);
    if (task->kind == RMIL_TASK_SURVIVAL && rmil_model_outputs(&model->config) > 1 && rmil_target_known(task, &step->target) &&
        !step->slope && !(model->config.edges[model->config.bins] > 0))
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: its loss is unknown, because the model was not trained and has no bins of time",
                         name);
    return !step->gradient || model->class->backward ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s learns from pixels, so a bag of features gives it no gradient", model->class->name);
}

gboolean rmil_model_forward(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome,
                            GError **error) {
    if (!check_bag(model, step, error)) return FALSE;
    step->config = &model->config;
    step->layout = &model->layout;
    if (!step->parameters) step->parameters = model->parameters;
    *outcome = (RmilOutcome){.loss = 0};
    *pass = (RmilPass){.work = NULL};
    rmil_arena_reset(arena);
    pass->work = rmil_arena_take(arena, 1, model->class->work, error);
    if (!pass->work) return FALSE;
    memset(pass->work, 0, model->class->work);
    return model->class->forward(step, pass->work, arena, outcome, &pass->shown, error);
}

gboolean rmil_model_finish(const RmilModel *model, const RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome,
                           GError **error) {
    const RmilModelClass *class = model->class;
    const RmilGuided *shown = &pass->shown;
    const int64_t size = MAX(shown->rows, 1) * shown->count;
    double slope[RMIL_OUTPUTS_MOST], guided = 0;
    float *ds = NULL, *da = NULL;
    if (!rmil_step_known(step)) return TRUE;
    if (!class->loss) outcome->slide_loss = outcome->loss = rmil_slide_loss(step, outcome->logits, slope);
    else if (!class->loss(step, pass->work, arena, outcome, slope, error)) return FALSE;
    if (step->gradient && size > 0) {
        if (!(ds = rmil_arena_floats(arena, size, error))) return FALSE;
        if (shown->attention && !(da = rmil_arena_floats(arena, size, error))) return FALSE;
    }
    if (size > 0 && !rmil_guide_loss(step, shown, arena, &guided, ds, da, error)) return FALSE;
    outcome->guide_loss += guided;
    outcome->loss += guided;
    return !step->gradient || class->backward(step, pass->work, slope, ds, da, arena, error);
}

gboolean rmil_model_step(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    RmilPass pass;
    return rmil_model_forward(model, step, arena, &pass, outcome, error) && rmil_model_finish(model, step, arena, &pass, outcome, error);
}
