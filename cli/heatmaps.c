/* The attention of a model, or the mean of several, over one slide. */
#include "train.h"

gboolean heat_write(const RmilWork *work, const RmilCohortRow *given, const RmilBag *bag, const RmilModel *const *models, int64_t count,
                    const char *title, const char *path, GError **error) {
    if (!bag->coords || bag->coords_um > 0 || bag->patch_size_level0 <= 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: its features have no coordinates to draw them at", given->id);
        return FALSE;
    }
    g_autoptr(RmilSlide) slide = rmil_slide_open(given->slide, given->mpp > 0 ? given->mpp : work->options.mpp, error);
    if (!slide) return FALSE;
    g_autoptr(RmilRegion) region = NULL;
    if (given->annotation && !(region = rmil_work_read_region(work, given, slide, NULL, work->options.padding, error))) return FALSE;
    g_autofree float *attention = rmil_try_new(bag->count, sizeof *attention, error);
    if (!attention) return FALSE;
    RmilPrediction prediction;
    double sd;
    RmilHeatOptions options;
    if (!rmil_ensemble_predict(models, count, bag, &given->target, &prediction, &sd, NULL, attention, error)) return FALSE;
    rmil_heat_options_init(&options);
    g_autofree char *text = count > 1 ? g_strdup_printf("%s: probability %.3f (SD %.3f)", title, prediction.probability, sd)
                                      : g_strdup_printf("%s: probability %.3f", title, prediction.probability);
    options.title = text;
    options.side_by_side = TRUE;
    options.scale = RMIL_HEAT_RELATIVE;
    return rmil_heat_write(slide, bag->coords, attention, bag->count, bag->patch_size_level0, region, &options, path, error);
}
