/* One run: trained, applied to every slide, localised; its folder. */
#include "cli-train.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

/* -- what the run depends on ---------------------------------------------------------------------------------------------- */
static gboolean is_done(const char *folder, const char *config) {
    static const char *const products[] = {"model.safetensors", "history.csv", "predictions.csv", "localisation.csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(products); i++) {
        g_autofree char *path = g_build_filename(folder, products[i], NULL);
        if (!g_file_test(path, G_FILE_TEST_EXISTS)) return FALSE;
    }
    g_autofree char *path = g_build_filename(folder, "run.json", NULL);
    g_autoptr(JsonObject) run = cli_json_read(path, NULL);
    if (!run || !json_object_has_member(run, "config")) return FALSE;
    JsonNode *have = json_object_get_member(run, "config");
    if (!JSON_NODE_HOLDS_OBJECT(have)) return FALSE;
    g_autofree char *text = cli_json_text(json_node_get_object(have));
    return strcmp(text, config) == 0;
}

/* -- products -------------------------------------------------------------------------------------------------------------- */
static void append_number(GString *out, double value, char after) {
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (isfinite(value)) g_string_append(out, g_ascii_formatd(text, sizeof text, "%.9g", value));
    g_string_append_c(out, after);
}

static gboolean write_text(const char *folder, const char *name, const GString *text, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return rmil_file_write(path, text->str, text->len, error);
}

static gboolean write_history(const char *folder, const GArray *history, GError **error) {
    g_autoptr(GString) out = g_string_new("epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,best\n");
    for (guint i = 0; i < history->len; i++) {
        const RmilEpoch *e = &g_array_index(history, RmilEpoch, i);
        g_string_append_printf(out, "%" G_GINT64_FORMAT ",", e->epoch);
        append_number(out, e->train_loss, ',');
        append_number(out, e->train_slide_loss, ',');
        append_number(out, e->train_guide_loss, ',');
        append_number(out, e->val_loss, ',');
        append_number(out, e->val_auroc, ',');
        g_string_append(out, e->best ? "1\n" : "0\n");
    }
    return write_text(folder, "history.csv", out, error);
}

gboolean run_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads, const char *folder,
                   GError **error) {
    g_autofree RmilApplied *applied = g_new0(RmilApplied, data->count);
    if (!rmil_train_apply(data, model, splits, TRUE, threads, applied, error)) return FALSE;
    g_autoptr(GString) out = g_string_new("id,split,label,probability,logit\n");
    g_autoptr(GString) places = g_string_new("id,alpha,iou,dice,pointing\n");
    for (int64_t i = 0; i < data->count; i++) {
        const RmilApplied *a = &applied[i];
        const char *id = data->cohort->rows[i].id;
        if (!data->bags[i]) continue;
        rmil_csv_append(out, id, ',');
        rmil_csv_append(out, rmil_split_name(splits[i]), ',');
        if (data->labels[i] >= 0) g_string_append_printf(out, "%d", data->labels[i]);
        g_string_append_c(out, ',');
        append_number(out, a->prediction.probability, ',');
        append_number(out, a->prediction.logit, '\n');
        for (int k = 0; k < RMIL_ALPHAS && a->localised; k++) {
            rmil_csv_append(places, id, ',');
            append_number(places, rmil_alphas()[k], ',');
            append_number(places, a->iou[k], ',');
            append_number(places, a->dice[k], ',');
            append_number(places, a->pointing[k], '\n');
        }
    }
    return write_text(folder, "predictions.csv", out, error) && write_text(folder, "localisation.csv", places, error);
}

gboolean train_run(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options, const RmilRepeat *repeat,
                   JsonObject *preprocessing, int threads, const RmilMonitor *monitor, const char *folder, gboolean *made,
                   GError **error) {
    RmilTrainRun training = {.data = data, .splits = repeat->splits};
    if (!rmil_train_options_configure(options, method, &training.model, &training.train, error)) return FALSE;
    training.model.dim = data->set->dim;
    training.train.seed = (uint64_t)repeat->seed;
    training.train.threads = threads;
    g_autofree char *config = rmil_train_run_config(&training);
    *made = !is_done(folder, config);
    if (!*made) return TRUE;

    gint64 start = g_get_monotonic_time();
    g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, config, -1);
    g_autofree char *name = g_strdup_printf("checkpoint-%.16s", key), *checkpoint = g_build_filename(folder, name, NULL);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = rmil_train_run(&training, checkpoint, history, monitor, error);
    if (!model) return FALSE;
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    g_autofree char *model_path = g_build_filename(folder, "model.safetensors", NULL), *run_path = g_build_filename(folder, "run.json", NULL);
    if (!rmil_model_save(model, model_path, error) || !write_history(folder, history, error) ||
        !run_apply(data, model, repeat->splits, threads, folder, error))
        return FALSE;

    g_autoptr(JsonObject) run = json_object_new();
    json_object_set_string_member(run, "method", method->name);
    json_object_set_string_member(run, "model", method->model);
    json_object_set_string_member(run, "guide", rmil_guide_name(method->guide));
    json_object_set_int_member(run, "seed", repeat->seed);
    json_object_set_string_member(run, "version", rmil_version());
    json_object_set_string_member(run, "cohort", data->cohort->path);
    json_object_set_member(run, "config", json_from_string(config, NULL));
    if (preprocessing) json_object_set_object_member(run, "preprocessing", json_object_ref(preprocessing));
    JsonObject *timings = json_object_new();
    json_object_set_double_member(timings, "train", seconds);
    json_object_set_int_member(timings, "epochs", history->len);
    json_object_set_object_member(run, "timings", timings);
    if (!cli_json_write(run, run_path, error)) return FALSE;
    g_unlink(checkpoint);
    return TRUE;
}
