/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil predict RUN SLIDE|FEATURES... -o DIR */
#include "predict.h"
#include "prepare.h"
#include "train.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TOP_PATCHES = 24 }; /* tiles in the montage */

static gboolean has_places(const RmilBag *bag) { return bag->coords && bag->coords_um == 0; }

static gboolean write_scores(const RmilBag *bag, const float *scores, const float *attention, const char *path, GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new("patch,x,y,score,attention");
    for (int64_t i = 0; i < bag->count; i++) {
        rmil_csv_whole(csv, i);
        for (int axis = 0; axis < 2; axis++)
            if (has_places(bag)) rmil_csv_whole(csv, bag->coords[2 * i + axis]);
            else rmil_csv_text(csv, NULL);
        rmil_csv_number(csv, "%.9g", (double)scores[i]);
        rmil_csv_number(csv, "%.9g", (double)attention[i]);
        rmil_csv_end(csv);
    }
    return rmil_csv_write(csv, path, error);
}

/* Options that determine how slides become tiles. The model needs those of its training, so given values must be distinguished from
 * defaults. */
static const struct {
    const char *option, *tiles, *unit;
    gsize place;
} settings[] = {
    {"--tile-mpp", "tiles of", " µm per pixel", G_STRUCT_OFFSET(RmilPrepareOptions, tile_mpp)},
    {"--tile-mpp", "features of a second magnification of", " µm per pixel", G_STRUCT_OFFSET(RmilPrepareOptions, second_mpp)},
    {"--min-tissue", "tiles with a share of tissue of at least", "", G_STRUCT_OFFSET(RmilPrepareOptions, min_tissue)},
    {"--mask-mpp", "tiles of a tissue mask of", " µm per pixel", G_STRUCT_OFFSET(RmilPrepareOptions, mask_mpp)},
    {"--overlap", "tiles that overlap by", " px", G_STRUCT_OFFSET(RmilPrepareOptions, overlap)},
};
enum { TILE_MPP, SECOND_MPP, SETTINGS = G_N_ELEMENTS(settings) };
static const double not_given = -DBL_MAX;

static double *setting(RmilPrepareOptions *options, gsize i) { return &G_STRUCT_MEMBER(double, options, settings[i].place); }

typedef struct {
    Cli *cli;
    RmilPrepareOptions *options;
    RmilWork *work;
    const char *run; /* as given */
    ModelsChoice choice;
    const double *given; /* the settings, or not_given */
    const char *mpps;    /* --tile-mpp as given, or NULL */
    const Models *models;
    Predictions table;
    RmilDecision decision; /* of all models together */
    char *cut_words;       /* how its cut-off was chosen */
    char *now;             /* date of this call */
    char *digest;          /* of the model files: 12 hex digits */
    gboolean named;        /* --encoder was given */
    gboolean pixels;       /* the models read tiles themselves: no encoder is used */
    const char *unsaid;    /* why it is unknown how the training's slides became features; NULL: it is known */
    double low, high;      /* range of µm per pixel of the slides that the model was trained on; 0: unknown */
} Predict;

/* Attention for QuPath, which shows only the scanned area; without the slide that area is unknown. */
static gboolean write_qupath(const RmilWork *work, int64_t i, RmilSlide *slide, const RmilBag *bag, const float *scores,
                             const float *attention, GError **error) {
    if (!has_places(bag) || !(bag->patch_size_level0 > 0)) return TRUE;
    g_autofree char *path = rmil_work_path(work, "qupath", i, "geojson");
    const RmilSlideInfo *info = slide && !work->options.uncropped ? rmil_slide_info(slide) : NULL;
    return rmil_qupath_write(bag->coords, attention, scores, bag->count, bag->patch_size_level0, info ? info->bounds_x : 0,
                             info ? info->bounds_y : 0, path, error);
}

/* Heat map and montage of the most attended tiles. */
static gboolean draw_row(const Predict *p, int64_t i, RmilSlide *slide, const RmilBag *bag, const float *scores, GError **error) {
    const RmilWork *work = p->work;
    const char *id = work->cohort->rows[i].id;
    g_autofree char *heat = rmil_work_path(work, "heatmaps", i, "png"), *montage = rmil_work_path(work, "top-patches", i, "png"),
                    *table = rmil_work_path(work, "top-patches", i, "csv"), *title = g_strdup_printf("%s, %s", id, p->models->title);
    return heat_write(work, &work->cohort->rows[i], bag, (const RmilModel *const *)p->models->list->pdata, p->models->list->len, title,
                      heat, NULL, error) &&
           rmil_patches_write(slide, bag->coords, scores, bag->count, bag->patch_size_level0, MIN(bag->count, TOP_PATCHES),
                              bag->patch_size > 0 ? (int64_t)bag->patch_size : work->options.tile_px, id, montage, table, error);
}

/* Warns if the slide was scanned at a resolution that differs from those of the training by more than a factor of 1.5. */
static void compare_mpp(const Predict *p, const RmilCohortRow *row, const RmilBag *bag) {
    const double mpp = rmil_bag_level0_mpp(bag), slack = 1.5;
    if (p->high <= 0 || (mpp >= p->low / slack && mpp <= p->high * slack)) return;
    g_autofree char *low = g_strdup_printf("%.3g", p->low), *high = g_strdup_printf("%.3g", p->high),
                    *range = strcmp(low, high) == 0 ? g_strdup(low) : g_strdup_printf("%s to %s", low, high);
    if (mpp > 0)
        rmil_monitor_warn(&p->cli->monitor,
                          "%s: has %.3g µm per pixel, but the model was trained on slides of %s: its probability may not be reliable here",
                          row->slide ? row->slide : row->features, mpp, range);
    else if (row->slide)
        rmil_monitor_warn(&p->cli->monitor,
                          "%s: has no resolution and is tiled at its own pixels, but the model was trained on slides of %s µm per "
                          "pixel: give --mpp",
                          row->slide, range);
}

static char *number(double value) { return isfinite(value) ? g_strdup_printf("%.9g", value) : g_strdup(""); }

/* The target of the row, if the cohort has it in the models' terms. */
static char *known(const Predict *p, const RmilCohortRow *row) {
    const RmilTask *task = &rmil_model_config(p->models->list->pdata[0])->task;
    const RmilTarget *target = &row->target;
    if (task->kind == RMIL_TASK_NUMBER) return number(target->value);
    if (task->kind == RMIL_TASK_SURVIVAL || target->label < 0) return g_strdup("");
    return g_strdup(p->work->cohort->task.names[target->label]);
}

/* The columns that only models of this task have, the result at the cut-off, and the words for a terminal. */
static char *verdict(const Predict *p, PredictionLine *line, JsonObject *json, const RmilPrediction *said, double sd) {
    const RmilTask *task = &rmil_model_config(p->models->list->pdata[0])->task;
    GString *words = g_string_new(NULL);
    if (task->classes == 2) {
        const gboolean positive = said->probability >= rmil_decision_cut(&p->decision);
        const char *call = rmil_task_is_plain(task) ? (positive ? "positive" : "negative") : task->names[positive];
        g_string_printf(words, "probability %.4f", said->probability);
        if (isfinite(sd)) g_string_append_printf(words, ", SD %.4f", sd);
        if (isfinite(said->calibrated)) {
            g_string_append_printf(words, ", calibrated %.4f", said->calibrated);
            prediction_add(line, "calibrated", number(said->calibrated));
            cli_json_number(json, "calibrated", said->calibrated);
        }
        g_string_append_printf(words, ": %s at the cut-off %.4g (%s)", call, rmil_decision_cut(&p->decision), p->cut_words);
        prediction_add(line, "cut", number(rmil_decision_cut(&p->decision)));
        prediction_add(line, "cut_rule", g_strdup(p->cut_words));
        prediction_add(line, "predicted", g_strdup(call));
        cli_json_number(json, "cut", rmil_decision_cut(&p->decision));
        json_object_set_string_member(json, "predicted", call);
        return g_string_free(words, FALSE);
    }
    if (task->kind == RMIL_TASK_CLASSES) {
        JsonObject *classes = json_object_new();
        g_string_printf(words, "%s, probability %.4f", task->names[said->predicted], said->values[said->predicted]);
        if (isfinite(sd)) g_string_append_printf(words, ", SD %.4f", sd);
        prediction_add(line, "predicted", g_strdup(task->names[said->predicted]));
        json_object_set_string_member(json, "predicted", task->names[said->predicted]);
        for (int c = 0; c < task->classes; c++) {
            g_autofree char *name = g_strconcat("p_", task->names[c], NULL);
            prediction_add(line, name, number(said->values[c]));
            cli_json_number(classes, task->names[c], said->values[c]);
        }
        json_object_set_object_member(json, "classes", classes);
        return g_string_free(words, FALSE);
    }
    const char *name = task->kind == RMIL_TASK_SURVIVAL ? "risk" : "predicted";
    g_string_printf(words, "%s %.5g", task->kind == RMIL_TASK_SURVIVAL ? "risk" : "value", said->answer);
    if (isfinite(sd)) g_string_append_printf(words, ", SD %.4g", sd);
    prediction_add(line, name, number(said->answer));
    cli_json_number(json, name, said->answer);
    const double *ends = rmil_model_config(p->models->list->pdata[0])->edges + 1;
    for (int b = 0; b < said->count; b++) {
        g_autofree char *column = g_strdup_printf("S(%.9g)", ends[b]);
        prediction_add(line, column, number(said->values[b]));
    }
    return g_string_free(words, FALSE);
}

static void record(Predict *p, const RmilCohortRow *row, int64_t tiles, const RmilPrediction *prediction, double sd) {
    PredictionLine line = {.id = g_strdup(row->id),
                           .split = g_strdup(rmil_split_name(row->split)),
                           .label = known(p, row),
                           .probability = number(prediction->probability),
                           .logit = number(prediction->logit),
                           .sd = number(sd),
                           .models = g_strdup_printf("%u", p->models->list->len),
                           .model = g_strdup(p->models->title),
                           .input = g_utf8_make_valid(row->slide ? row->slide : row->features, -1),
                           .created = g_strdup(p->now),
                           .digest = g_strdup(p->digest)};
    Cli *cli = p->cli;
    JsonObject *object = json_object_new();
    g_autofree char *words = verdict(p, &line, object, prediction, sd);
    predictions_put(&p->table, line);
    json_object_set_string_member(object, "id", row->id);
    if (isfinite(prediction->probability)) {
        cli_json_number(object, "probability", prediction->probability);
        cli_json_number(object, "logit", prediction->logit);
    }
    if (isfinite(sd)) cli_json_number(object, "sd", sd);
    json_array_add_object_element(json_object_get_array_member(cli->result, "predictions"), object);
    cli_say(cli, "%-32s %s  (%" G_GINT64_FORMAT " tiles)", row->id, words, tiles);
}

static gboolean predict_row(Predict *p, int64_t i, GError **error) {
    const RmilWork *work = p->work;
    const RmilCohortRow *row = &work->cohort->rows[i];
    const RmilModel *const *models = (const RmilModel *const *)p->models->list->pdata;
    const gboolean pixels = p->pixels && row->slide;
    g_autofree char *features = pixels && !row->features ? rmil_work_path(work, "tiles", i, "h5") : rmil_work_features(work, i),
                    *patches = rmil_work_path(work, "patches", i, "csv");
    g_autoptr(RmilBag) bag = rmil_bag_read(features, row->id, RMIL_FLOAT32, pixels ? RMIL_BAG_NO_FEATURES : RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    if (pixels) rmil_bag_set_slide(bag, row->slide, rmil_work_mpp(work, i), NULL);
    if (!p->pixels && bag->dim != rmil_model_config(models[0])->dim) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                    "%s: has %" G_GINT64_FORMAT " features per patch, but the model takes %" G_GINT64_FORMAT, features, bag->dim,
                    rmil_model_config(models[0])->dim);
        return FALSE;
    }
    g_autoptr(GError) placeless = NULL;
    if (!rmil_bag_locate(bag, row->slide, rmil_work_mpp(work, i), &placeless))
        rmil_monitor_warn(&p->cli->monitor, "%s", placeless->message);
    compare_mpp(p, row, bag);
    g_autofree float *scores = rmil_try_new(bag->count, sizeof *scores, error),
                     *attention = scores ? rmil_try_new(bag->count, sizeof *attention, error) : NULL;
    if (!attention) return FALSE;
    RmilPrediction prediction;
    double sd;
    g_autoptr(RmilSlide) slide = NULL;
    if (!rmil_ensemble_predict(models, p->models->list->len, bag, NULL, &prediction, &sd, scores, attention, error) ||
        !write_scores(bag, scores, attention, patches, error) || (row->slide && !(slide = rmil_work_open_slide(work, i, error))) ||
        !write_qupath(work, i, slide, bag, scores, attention, error) || (slide && !draw_row(p, i, slide, bag, scores, error)))
        return FALSE;
    record(p, row, bag->count, &prediction, sd);
    return TRUE;
}

/* The run's record of how its slides became features. NULL: there is none, or --encoder says that it is wrong. */
static JsonNode *recorded(Predict *p) {
    JsonNode *node = p->models->info ? json_object_get_member(p->models->info, "preprocessing") : NULL;
    JsonObject *record = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *encoder = record ? json_object_get_string_member_with_default(record, "encoder", NULL) : NULL;
    if (!record)
        p->unsaid = p->models->alone     ? "a model file does not record how its slides were turned into features"
                    : p->models->studied ? "nothing in its folder records how its slides were turned into features"
                                         : "its run.json does not record how its slides were turned into features";
    else if (encoder && p->options->encoder && strcmp(p->options->encoder, "auto") != 0 && strcmp(encoder, p->options->encoder) != 0)
        p->unsaid = p->models->studied ? "its preprocessing.json names a different encoder from --encoder, so its settings are not "
                                         "used"
                                       : "its run.json names a different encoder from --encoder, so its settings are not used";
    return p->unsaid ? NULL : node;
}

/* A given number as in a record: an overlap in pixels. */
static double as_recorded(const Predict *p, gsize i) {
    const RmilPrepareOptions *o = p->options;
    if (settings[i].place != G_STRUCT_OFFSET(RmilPrepareOptions, overlap) || p->given[i] >= 1) return p->given[i];
    const RmilEncoderInfo *encoder = rmil_encoder_info(o->encoder, NULL);
    return round(p->given[i] * (o->tile_px ? o->tile_px : o->input_px ? o->input_px : encoder ? encoder->tile_px : 224));
}

/* Uses the record; refuses options of the user that contradict it. */
static gboolean apply_record(const Predict *p, JsonNode *record, GError **error) {
    RmilPrepareOptions *options = p->options;
    const gboolean bfloat16 = options->bfloat16;
    if (!rmil_preprocessing_apply(record, options, error)) {
        g_prefix_error(error, "%s: ", p->run);
        return FALSE;
    }
    for (gsize i = 0; i < SETTINGS; i++) {
        if (p->given[i] == not_given) continue;
        const double run = *setting(options, i), given = as_recorded(p, i);
        if (fabs(given - run) <= 1e-9 * fabs(run)) continue;
        g_autofree char *text = i <= SECOND_MPP ? g_strdup(p->mpps) : g_strdup_printf("%g", p->given[i]);
        g_autofree char *then = i == SECOND_MPP && run == 0 ? g_strdup("tiles of one magnification")
                                                            : g_strdup_printf("%s %g%s", settings[i].tiles, run, settings[i].unit);
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                    "%s: the model was trained on %s, and %s %s would give it something "
                    "different: leave the option out",
                    p->run, then, settings[i].option, text);
        return FALSE;
    }
    if (!bfloat16 || options->bfloat16) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                "%s: the model was trained on features that were not computed in bfloat16: leave --encode-bfloat16 out", p->run);
    return FALSE;
}

/* How the training's slides became features, and their resolutions, from its run.json. */
static gboolean read_settings(Predict *p, GError **error) {
    JsonNode *mpp = p->models->info ? json_object_get_member(p->models->info, "mpp") : NULL;
    p->options->trained = !mpp;
    if (mpp && JSON_NODE_HOLDS_OBJECT(mpp)) {
        p->low = json_object_get_double_member_with_default(json_node_get_object(mpp), "low", 0);
        p->high = json_object_get_double_member_with_default(json_node_get_object(mpp), "high", 0);
    }
    JsonNode *record = recorded(p);
    return !record || apply_record(p, record, error);
}

/* Nothing says how the training's slides became features: prints the assumptions, once, if there are slides to tile. */
static void say_assumed(const Predict *p) {
    const RmilPrepareOptions *options = &p->work->options;
    if (!p->unsaid || !rmil_work_encodes(p->work) || p->given[0] != not_given) return;
    g_autofree char *encoder = p->pixels ? g_strdup("") : g_strconcat(", encoder ", options->encoder, NULL);
    rmil_monitor_warn(&p->cli->monitor, "%s: %s. Assumed: tiles of %g µm per pixel with at least a share of %g of tissue%s. %s", p->run,
                      p->unsaid, options->tile_mpp, options->min_tissue, encoder,
                      p->models->alone ? "Give the folder of its run instead, which records it, or --tile-mpp"
                                       : "If that is wrong, give --tile-mpp, --min-tissue and --encoder");
}

/* Otherwise features of a different encoder would be computed for hours before the model rejects them. */
static gboolean check_encoder(const Predict *p, GError **error) {
    const RmilPrepareOptions *o = &p->work->options;
    const int64_t wanted = rmil_model_config(p->models->list->pdata[0])->dim;
    const RmilEncoderInfo *encoder = rmil_encoder_info(o->encoder, NULL);
    const int64_t made = encoder ? encoder->dim * (o->second_mpp > 0 ? 2 : 1) : 0;
    if (p->pixels || !p->unsaid || !rmil_work_encodes(p->work) || made == 0 || made == wanted) return TRUE;
    g_autoptr(GString) fit = g_string_new(NULL);
    for (const char *const *name = rmil_encoder_names(); *name; name++)
        if (rmil_encoder_info(*name, NULL)->dim == wanted) g_string_append_printf(fit, "%s%s", fit->len ? ", " : "", *name);
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA,
                "%s: takes %" G_GINT64_FORMAT " features per patch, and %s. To make them from a slide, rankmil must know the "
                "encoder, its weights and the µm per pixel of the tiles. The encoder %s, which is used %s, makes %" G_GINT64_FORMAT
                ". Give --encoder NAME --weights FILE --tile-mpp X (encoders with %" G_GINT64_FORMAT " features: %s; or onnx for a "
                "network in ONNX), or give the slide's feature file instead of the slide",
                p->run, wanted, p->unsaid, o->encoder, p->named ? "as you say" : "when none is named", made, wanted,
                fit->len ? fit->str : "none that rankmil knows");
    return FALSE;
}

/* The first 12 hex digits of a SHA-256 over the bytes of the model files, in order. Free with g_free. */
static char *digest_models(const Models *models, GError **error) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < models->paths->len; i++) {
        g_autoptr(GMappedFile) file = g_mapped_file_new(models->paths->pdata[i], FALSE, error);
        if (!file) return NULL;
        for (gsize at = 0, size = g_mapped_file_get_length(file); at < size;) {
            const gsize part = MIN(size - at, (gsize)1 << 30); /* g_checksum_update takes gssize, and counts in guint */
            g_checksum_update(sum, (const guchar *)g_mapped_file_get_contents(file) + at, (gssize)part);
            at += part;
        }
    }
    return g_strndup(g_checksum_get_string(sum), 12);
}

static const char *earlier_input(gpointer user, const char *id) { return predictions_input(user, id); }

/* FALSE without an error: the reported problems say why. */
static gboolean take_inputs(Predict *p, char **inputs, int count, GError **error) {
    RmilCohort *cohort = rmil_predict_inputs_as((const char *const *)inputs, count, &rmil_model_config(p->models->list->pdata[0])->task,
                                                earlier_input, &p->table, &p->cli->monitor, error);
    if (cohort) rmil_work_take(p->work, cohort);
    else if (json_array_get_length(p->cli->problems)) g_clear_error(error);
    return cohort != NULL;
}

static gboolean predict_all(Predict *p, char **inputs, int count, GError **error) {
    Cli *cli = p->cli;
    RmilWork *work = p->work;
    if (!take_inputs(p, inputs, count, error)) return FALSE;
    if (p->named) say_assumed(p); /* otherwise only after the check, which may fail with what is missing */
    if (!check_encoder(p, error)) return FALSE;
    if (!p->named) say_assumed(p);
    json_object_set_array_member(cli->result, "predictions", json_array_new());
    const gboolean encoded = rmil_work_tile(work, error) && (p->pixels || rmil_work_encode(work, error));
    prepare_report(cli, work);
    if (!encoded) return FALSE;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        GError *reason = NULL;
        if (!work->errors[i] && !predict_row(p, i, &reason)) cli_problem(cli, "predict", work->cohort->rows[i].id, reason);
    }
    g_autofree char *page = g_build_filename(work->folder, "predictions.html", NULL), *others = predictions_others(&p->table, p->digest);
    if (others) rmil_monitor_warn(&cli->monitor, "%s: also contains predictions of another model: %s", work->folder, others);
    if (!predictions_write(&p->table, work->folder, error) || !rmil_predictions_page_write(work->folder, page, error)) return FALSE;
    json_object_set_string_member(cli->result, "page", page);
    cli_say(cli, "page     %s", page);
    return TRUE;
}

/* Calls into one folder add to the same table, so only one may run at a time. */
static gboolean lock_folder(Predict *p, const char *folder, GError **error) {
    g_autofree char *beside = p->models->alone ? g_path_get_dirname(p->run) : g_strdup(p->run),
                    *own = g_build_filename(beside, "predict", NULL);
    if (!(p->work = prepare_new(p->cli, folder ? folder : own, p->options, error))) return FALSE;
    g_autoptr(GError) reason = NULL;
    if (rmil_work_lock(p->work, RMIL_LOCK_WAIT, "rankmil predict", &reason)) return TRUE;
    g_set_error(error, reason->domain, reason->code, "%s%s", reason->message, folder ? "" : ": give -o DIR");
    return FALSE;
}

/* The cut-off of all models together. */
static void decide(Predict *p) {
    const GPtrArray *list = p->models->list;
    g_autofree const RmilDecision **all = g_new(const RmilDecision *, list->len);
    for (guint i = 0; i < list->len; i++) all[i] = rmil_model_decision(list->pdata[i]);
    rmil_decision_pool(all, list->len, &p->decision);
    p->cut_words = rmil_decision_words(&p->decision);
}

/* FALSE without an error: the reported problems say why. */
static gboolean predict(Predict *p, const char *folder, char **inputs, int count, GError **error) {
    Models models;
    if (!models_load(&models, p->cli, p->run, &p->choice, error)) return FALSE;
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    p->models = &models;
    decide(p);
    p->pixels = rmil_model_sees(models.list->pdata[0]);
    p->now = g_date_time_format(now, "%Y-%m-%d %H:%M");
    json_object_set_string_member(p->cli->result, "model", models.title);
    if (models.list->len > 1) cli_say(p->cli, "model    %s", models.title);
    gboolean done = read_settings(p, error) && (p->digest = digest_models(&models, error)) && lock_folder(p, folder, error) &&
                    predictions_read(&p->table, p->work->folder, error) && predict_all(p, inputs, count, error);
    predictions_clear(&p->table);
    rmil_work_free(p->work);
    models_clear(&models);
    g_free(p->now);
    g_free(p->cut_words);
    g_free(p->digest);
    return done;
}

int command_predict(int argc, char **argv) {
    static const CliUsage usage = {
        "RUN|MODEL SLIDE|FEATURES|FOLDER|COHORT…",
        "Applies a trained model to slides or feature files; labels are not needed.",
        "RUN: the folder of 'rankmil run' (all models of the report's main method, as mean and SD), RUN/runs/METHOD, the folder\nof one "
        "training, or of 'rankmil study'. MODEL: a model file by itself, from rankmil or PyTorch; for slides, also give\nthe --encoder "
        "that it was trained with. Inputs: files, folders, quoted patterns, tables (.csv). Slides are tiled and\n"
        "encoded as the training slides were. Writes into -o DIR (default: RUN/predict): predictions.csv and predictions.html,\n"
        "to which later calls add; heatmaps/ID.png (and ID-CLASS.png for models with attention for each class);\n"
        "top-patches/ID.png; patches/ID.csv (scores); qupath/ID.geojson (drag it onto the slide in QuPath).",
        2,
        -1,
        CLI_THREADS | CLI_RESUMES,
        "predict results new-slide.svs -o new\npredict results/runs/rank/0 slides/ -o new\npredict results --with other-site/results "
        "slides/ -o new\npredict results \"scans/2026-*.ndpi\" more.csv -o new"};
    Cli cli;
    RmilPrepareOptions options;
    int status;
    g_autofree char *folder = NULL, *method = NULL, *value = NULL;
    g_auto(GStrv) with = NULL;
    const GOptionEntry which[] = {
        {"with", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &with, "another RUN or MODEL to average with; may be given again", "RUN"},
        {"method", 0, 0, G_OPTION_ARG_STRING, &method,
         "which method of a run or study (default: the report's main method, or the study's reference)", "NAME"},
        {"value", 0, 0, G_OPTION_ARG_STRING, &value, "which value, in a study that varies something (V1,V2 if it varies two things)", "V"},
        {0},
    };
    rmil_prepare_options_init(&options);
    g_autofree GOptionEntry *output = prepare_output_entries(&folder), *tiles = prepare_tile_entries(&options),
                            *encoding = prepare_encode_entries(&options), *crop = prepare_crop_entries(&options);
    const CliGroup groups[] = {{"Output", output},     {"Models", which},     {"Tiles", tiles},
                               {"Features", encoding}, {"Annotations", crop}, {NULL, NULL}};
    double usual[SETTINGS], given[SETTINGS];
    for (gsize i = 0; i < SETTINGS; i++) {
        usual[i] = *setting(&options, i);
        *setting(&options, i) = not_given;
    }
    if (cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        GError *error = NULL;
        for (gsize i = 0; i < SETTINGS; i++)
            if ((given[i] = *setting(&options, i)) == not_given) *setting(&options, i) = usual[i];
        g_autofree char *mpps = g_strdup(options.tile_mpps);
        Predict p = {.cli = &cli, .options = &options, .run = argv[1], .given = given, .mpps = mpps, .named = options.encoder != NULL};
        p.choice = (ModelsChoice){method, value, (const char *const *)with, TRUE};
        gboolean done = (!mpps || rmil_tile_mpps_parse(mpps, &given[TILE_MPP], &given[SECOND_MPP], &error)) &&
                        predict(&p, folder, argv + 2, argc - 2, &error);
        status = done || !error ? cli_done(&cli) : cli_fail(&cli, error);
    }
    rmil_prepare_options_clear(&options);
    return status;
}
