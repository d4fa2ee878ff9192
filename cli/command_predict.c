/* rankmil predict RUN SLIDE|FEATURES... -o DIR */
#include "cli-train.h"

#include <stdio.h>
#include <string.h>

enum { TOP_PATCHES = 24 }; /* in the montage */

/* HDF5, or a PyTorch file. */
static gboolean holds_features(const char *path) {
    char head[8] = "";
    FILE *file = fopen(path, "rb");
    gboolean read = file && fread(head, 1, 8, file) == 8;
    gboolean yes = read && (memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0 || (g_str_has_suffix(path, ".pt") && memcmp(head, "PK\3\4", 4) == 0));
    if (file) fclose(file);
    return yes;
}

/* The inputs as a cohort, so that they go the way that training slides went. */
static gboolean write_inputs(const char *folder, char **inputs, int count, char **path, GError **error) {
    g_autoptr(GString) out = g_string_new("slide,features\n");
    for (int i = 0; i < count; i++) {
        g_autofree char *full = g_canonicalize_filename(inputs[i], NULL);
        gboolean features = holds_features(full);
        rmil_csv_append(out, features ? "" : full, ',');
        rmil_csv_append(out, features ? full : "", '\n');
    }
    *path = g_build_filename(folder, "inputs.csv", NULL);
    return rmil_file_write(*path, out->str, out->len, error);
}

static gboolean has_places(const RmilBag *bag) { return bag->coords && bag->coords_um == 0; }

static gboolean write_scores(const RmilBag *bag, const float *scores, const float *attention, const char *path, GError **error) {
    g_autoptr(GString) out = g_string_new("patch,x,y,score,attention\n");
    for (int64_t i = 0; i < bag->count; i++) {
        g_string_append_printf(out, "%" G_GINT64_FORMAT, i);
        if (has_places(bag)) g_string_append_printf(out, ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT, bag->coords[2 * i], bag->coords[2 * i + 1]);
        else g_string_append(out, ",,");
        g_string_append_printf(out, ",%.9g,%.9g\n", (double)scores[i], (double)attention[i]);
    }
    return rmil_file_write(path, out->str, out->len, error);
}

/* Heat map, montage of the most attended tiles, and attention for QuPath. */
static gboolean draw_row(const Work *work, int64_t i, const RmilBag *bag, const RmilModel *model, const float *scores, const float *attention,
                         GError **error) {
    const char *id = work->cohort->rows[i].id;
    g_autofree char *heat = work_path(work, "heatmaps", i, "png"), *montage = work_path(work, "top-patches", i, "png"),
                    *table = work_path(work, "top-patches", i, "csv");
    if (!heat_write(work, &work->cohort->rows[i], bag, model, id, heat, error)) return FALSE;
    g_autoptr(RmilSlide) slide = work_open_slide(work, i, error);
    return slide && rmil_patches_write(slide, bag->coords, scores, bag->count, bag->patch_size_level0, MIN(bag->count, TOP_PATCHES),
                                       bag->patch_size > 0 ? (int64_t)bag->patch_size : work->tile_px, id, montage, table, error);
}

static gboolean predict_row(Work *work, int64_t i, const RmilModel *model, GString *table, GError **error) {
    const RmilCohortRow *row = &work->cohort->rows[i];
    g_autofree char *features = work_features(work, i), *patches = work_path(work, "patches", i, "csv"),
                    *qupath = work_path(work, "qupath", i, "geojson");
    g_autoptr(RmilBag) bag = rmil_bag_read(features, row->id, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    if (bag->dim != rmil_model_config(model)->dim) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: has %" G_GINT64_FORMAT " features a patch, the model takes %" G_GINT64_FORMAT, features,
                    bag->dim, rmil_model_config(model)->dim);
        return FALSE;
    }
    g_autoptr(GError) placeless = NULL;
    if (!rmil_bag_locate(bag, row->slide, work_mpp(work, i), &placeless)) rmil_monitor_warn(&work->cli->monitor, "%s", placeless->message);
    g_autofree float *scores = g_new(float, bag->count), *attention = g_new(float, bag->count);
    RmilPrediction prediction;
    if (!rmil_model_predict(model, bag, -1, &prediction, scores, attention, error) ||
        !write_scores(bag, scores, attention, patches, error) ||
        (has_places(bag) && bag->patch_size_level0 > 0 &&
         !rmil_qupath_write(bag->coords, attention, scores, bag->count, bag->patch_size_level0, qupath, error)) ||
        (row->slide && !draw_row(work, i, bag, model, scores, attention, error)))
        return FALSE;
    rmil_csv_append(table, row->id, ',');
    g_string_append_printf(table, ",,%.9g,%.9g\n", prediction.probability, prediction.logit);
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "id", row->id);
    cli_json_number(object, "probability", prediction.probability);
    cli_json_number(object, "logit", prediction.logit);
    json_array_add_object_element(json_object_get_array_member(work->cli->result, "predictions"), object);
    cli_say(work->cli, "%-32s probability %.4f  (%" G_GINT64_FORMAT " tiles)", row->id, prediction.probability, bag->count);
    return TRUE;
}

static gboolean predict(Work *work, const char *run, char **inputs, int count, GError **error) {
    const gboolean alone = g_file_test(run, G_FILE_TEST_IS_REGULAR); /* a model file, which does not say how features are made */
    g_autofree char *folder = alone ? g_path_get_dirname(run) : g_strdup(run), *run_path = g_build_filename(folder, "run.json", NULL);
    g_autofree char *model_path = alone ? g_strdup(run) : g_build_filename(run, "model.safetensors", NULL), *cohort = NULL;
    g_autoptr(RmilModel) model = rmil_model_load(model_path, error);
    if (!model) return FALSE;
    g_autoptr(JsonObject) settings = alone ? json_object_new() : cli_json_read(run_path, error);
    if (!settings) return FALSE;
    if (!work->folder) work->folder = g_build_filename(folder, "predict", NULL);
    if (!write_inputs(work->folder, inputs, count, &cohort, error)) return FALSE;
    JsonNode *preprocessing = json_object_get_member(settings, "preprocessing");
    if (preprocessing && JSON_NODE_HOLDS_OBJECT(preprocessing) && !work->encoder &&
        !work_apply_preprocessing(work, json_node_get_object(preprocessing), error))
        return FALSE;
    if (!work_open(work, cohort, error)) return FALSE;
    json_object_set_array_member(work->cli->result, "predictions", json_array_new());
    if (!stage_tile(work, error) || !stage_encode(work, error)) return FALSE;
    g_autoptr(GString) table = g_string_new("id,split,label,probability,logit\n");
    for (int64_t i = 0; i < work->cohort->count; i++) {
        GError *reason = NULL;
        if (work->failed[i] || predict_row(work, i, model, table, &reason)) continue;
        work->failed[i] = TRUE;
        cli_problem(work->cli, "predict", work->cohort->rows[i].id, reason);
    }
    g_autofree char *path = g_build_filename(work->folder, "predictions.csv", NULL);
    return rmil_file_write(path, table->str, table->len, error);
}

int command_predict(int argc, char **argv) {
    static const CliUsage usage = {"RUN|MODEL SLIDE|FEATURES…", "Applies a trained model to slides or feature files; labels are not needed.",
                                   "Slides are tiled and encoded as the training slides were. Writes predictions.csv, heatmaps/ID.png,\n"
                                   "top-patches/ID.png, patches/ID.csv (scores) and qupath/ID.geojson (drag it onto the slide in QuPath)\n"
                                   "into -o DIR (default: RUN/predict). MODEL: a model file alone, also one of PyTorch; slides then need\n"
                                   "the --encoder that it was trained with.", 2, -1};
    Cli cli;
    Work work;
    int status;
    work_init(&work, &cli);
    g_autofree GOptionEntry *output = work_output_entries(&work), *tiles = work_tile_entries(&work), *encoding = work_encode_entries(&work);
    const GOptionEntry *groups[] = {output, tiles, encoding, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        work_clear(&work);
        return status;
    }
    GError *error = NULL;
    gboolean done = predict(&work, argv[1], argv + 2, argc - 2, &error);
    work_clear(&work);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}
