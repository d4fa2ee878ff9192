/* SPDX-License-Identifier: Apache-2.0 */
/* The attention of a model, or the mean of several, over one slide; for models with a row of attention for each class, one picture per
 * class. */
#include "train.h"

#include <glib/gstdio.h>
#include <string.h>

/* Input of a picture. */
typedef struct {
    RmilSlide *slide;
    RmilRegion *region;
    const RmilBag *bag;
    const RmilModel *const *models;
    int64_t count;
    const RmilTarget *target;
    const char *title;
    double cut;       /* slides at or above it are positive */
    gboolean tiles;   /* whether the most attended tiles are drawn beside it, and numbered in it */
    float *attention; /* bag->count values */
} Picture;

/* Number of most attended tiles that a heat map numbers, and that are drawn beside it. */
enum { TILES = 6 };

/* "probability 0.871", "tumor: probability 0.871", "LUSC 0.712", "risk 1.31", with the SD over several models. */
static char *answer_words(const RmilTask *task, const RmilPrediction *said, double sd) {
    GString *words = g_string_new(NULL);
    const int digits = task->kind == RMIL_TASK_CLASSES ? 3 : 4;
    if (task->classes == 2 && rmil_task_is_plain(task)) g_string_printf(words, ": probability %.3f", said->probability);
    else if (task->classes == 2) g_string_printf(words, ", %s: probability %.3f", task->names[1], said->probability);
    else if (task->kind == RMIL_TASK_CLASSES)
        g_string_printf(words, ": %s %.3f", task->names[said->predicted], said->values[said->predicted]);
    else g_string_printf(words, ": %s %.4g", task->kind == RMIL_TASK_SURVIVAL ? "risk" : "value", said->answer);
    if (isfinite(sd)) g_string_append_printf(words, task->kind == RMIL_TASK_CLASSES ? " (SD %.*f)" : " (SD %.*g)", digits, sd);
    return g_string_free(words, FALSE);
}

static const RmilTask *task_of(const Picture *p) { return &rmil_model_config(p->models[0])->task; }

/* Do models of more than two classes have attention for each class? */
static gboolean by_class(const Picture *p) {
    gboolean rows = FALSE;
    for (int64_t i = 0; i < p->count; i++) rows = rows || rmil_model_rows(p->models[i]) > 1;
    return rows && task_of(p)->classes > 2;
}

/* Number of most attended tiles to show: tiles without any attention are left out. */
static int64_t attended(const Picture *p) {
    int64_t some = 0;
    for (int64_t i = 0; i < p->bag->count && some < TILES; i++) some += p->attention[i] > 0;
    return MAX(some, 1);
}

/* One picture of one row of attention. predicted: receives the most probable class. */
static gboolean draw(const Picture *p, int row, const char *path, int *predicted, GError **error) {
    RmilPrediction said;
    double sd;
    RmilHeatOptions options;
    if (!rmil_ensemble_predict_row(p->models, p->count, p->bag, p->target, row, &said, &sd, NULL, p->attention, error)) return FALSE;
    const int class = row == RMIL_ROW_USUAL ? said.predicted : row;
    const RmilTrainMethod *method = rmil_method_of(rmil_model_config(p->models[0])->model, NULL, NULL);
    const gboolean patches = method && method->patches; /* whose attention is the patch's own probability */
    rmil_heat_options_init(&options);
    if (patches) options.legend = "patch probability, × mean";
    g_autofree char *answer = answer_words(task_of(p), &said, sd),
                    *text = by_class(p) ? g_strdup_printf("%s%s, %s of %s", p->title, answer, patches ? "patch probability" : "attention",
                                                          task_of(p)->names[class])
                                        : g_strconcat(p->title, answer, NULL);
    /* with colours relative to the slide, every slide has a brightest tile */
    if (task_of(p)->classes == 2 && said.probability < p->cut)
        options.note = rmil_target_known(task_of(p), p->target) && rmil_target_lesion(task_of(p), p->target)
                           ? "Called negative. Colours are relative to this slide." /* it may show a lesion that was missed */
                           : "Called negative. Colours are relative to this slide: a bright tile is not a finding.";
    options.title = text;
    if (p->tiles) options.marks = attended(p);
    options.side_by_side = TRUE;
    options.scale = RMIL_HEAT_RELATIVE;
    *predicted = said.predicted;
    return rmil_heat_write(p->slide, p->bag->coords, p->attention, p->bag->count, p->bag->patch_size_level0, p->region, &options, path,
                           error);
}

static gboolean is_taken(const RmilCohort *cohort, GPtrArray *names, const char *name) {
    for (int64_t i = 0; i < cohort->count; i++)
        if (strcmp(cohort->rows[i].id, name) == 0) return TRUE;
    return g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
}

/* "ID-CLASS" for each class: without characters that file systems refuse, and different from the names of other slides and classes. */
static GPtrArray *name_pictures(const RmilCohort *cohort, const RmilTask *task, const char *id) {
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (int c = 0; c < task->classes; c++) {
        g_autofree char *class = g_strdup(task->names[c]);
        for (char *at = class; *at; at++)
            if ((guchar)*at < ' ' || strchr("/\\:*?\"<>|", *at)) *at = '_';
        g_autoptr(GString) name = g_string_new(NULL);
        g_string_printf(name, "%s-%s", id, class);
        while (is_taken(cohort, names, name->str)) g_string_append_c(name, '_');
        g_ptr_array_add(names, g_strdup(name->str));
    }
    return names;
}

/* The pictures of the other classes, beside the predicted one's. */
static gboolean draw_others(const Picture *p, const RmilCohort *cohort, const char *id, int predicted, const char *path, GPtrArray *more,
                            GError **error) {
    g_autoptr(GPtrArray) names = name_pictures(cohort, task_of(p), id);
    g_autofree char *folder = g_path_get_dirname(path);
    for (int c = 0; c < task_of(p)->classes; c++) {
        g_autofree char *file = g_strconcat(names->pdata[c], ".png", NULL), *own = g_build_filename(folder, file, NULL);
        int same;
        if (c == predicted) {
            g_unlink(own); /* left by an earlier model, which predicted another class */
            continue;
        }
        if (!draw(p, c, own, &same, error)) return FALSE;
        if (more) g_ptr_array_add(more, g_steal_pointer(&file));
    }
    return TRUE;
}

/* The cut-off of all models together. */
static double cut_of(const RmilModel *const *models, int64_t count) {
    g_autofree const RmilDecision **all = g_new(const RmilDecision *, count);
    RmilDecision decision;
    for (int64_t i = 0; i < count; i++) all[i] = rmil_model_decision(models[i]);
    rmil_decision_pool(all, count, &decision);
    return rmil_decision_cut(&decision);
}

/* The tiles that the heat map numbers, as scanned: FOLDER/tiles/ID.png beside ID.png. */
static gboolean draw_tiles(const Picture *p, const char *id, const char *path, GPtrArray *more, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path), *file = g_build_filename("tiles", name, NULL),
                    *own = g_build_filename(folder, file, NULL), *title = g_strconcat(id, ": most attended tiles, × mean", NULL);
    const int64_t px = p->bag->patch_size >= 16 && p->bag->patch_size <= 512 ? (int64_t)p->bag->patch_size : 224;
    double sum = 0;
    g_autofree float *relative = rmil_try_new(p->bag->count, sizeof *relative, error);
    if (!relative) return FALSE;
    for (int64_t i = 0; i < p->bag->count; i++) sum += (double)p->attention[i];
    for (int64_t i = 0; i < p->bag->count; i++) relative[i] = (float)((double)p->attention[i] * (double)p->bag->count / sum);
    if (!rmil_patches_write(p->slide, p->bag->coords, relative, p->bag->count, p->bag->patch_size_level0, attended(p), px, title, own, NULL,
                            error))
        return FALSE;
    g_ptr_array_add(more, g_steal_pointer(&file));
    return TRUE;
}

gboolean heat_write(const RmilWork *work, const RmilCohortRow *given, const RmilBag *bag, const RmilModel *const *models, int64_t count,
                    const char *title, const char *path, GPtrArray *more, GError **error) {
    if (!bag->coords || bag->coords_um > 0 || bag->patch_size_level0 <= 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: the features have no coordinates, so no heat map can be drawn", given->id);
        return FALSE;
    }
    g_autoptr(RmilSlide) slide = rmil_slide_open(given->slide, given->mpp > 0 ? given->mpp : work->options.mpp, error);
    if (!slide) return FALSE;
    g_autoptr(RmilRegion) region = NULL;
    if (given->annotation && !(region = rmil_work_read_region(work, given, slide, NULL, work->options.padding, error))) return FALSE;
    g_autofree float *attention = rmil_try_new(bag->count, sizeof *attention, error);
    if (!attention) return FALSE;
    const Picture p = {slide, region, bag, models, count, &given->target, title, cut_of(models, count), more != NULL, attention};
    int predicted;
    return draw(&p, RMIL_ROW_USUAL, path, &predicted, error) && (!more || draw_tiles(&p, given->id, path, more, error)) &&
           (!by_class(&p) || draw_others(&p, work->cohort, given->id, predicted, path, more, error));
}
