/* One run: trained, applied to every slide, localised; its folder. */
#include "cli-train.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static const double alphas[] = {1, 5, 10, 20, 50, 75, 100}; /* paper, "Attention Localization" */

/* -- what the run depends on ---------------------------------------------------------------------------------------------- */
static JsonObject *config_object(const RmilModelConfig *m, const RmilTrainConfig *t, const TrainData *data, const Repeat *repeat) {
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "version", rmil_version());
    json_object_set_string_member(o, "model", m->model);
    json_object_set_string_member(o, "guide", rmil_guide_name(m->guide));
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"dim", (double)m->dim}, {"hidden", (double)m->hidden}, {"attention_dim", (double)m->attention_dim},
                   {"dropout", m->dropout}, {"threshold", m->threshold}, {"sigma", m->sigma}, {"margin", m->margin},
                   {"lambda", m->lambda}, {"rank_sample", (double)m->rank_sample}, {"clam_k", (double)m->clam_k},
                   {"clam_bag_weight", m->clam_bag_weight}, {"region_rows", (double)m->region_rows},
                   {"region_columns", (double)m->region_columns}, {"patch_depth", (double)m->patch_depth},
                   {"region_depth", (double)m->region_depth}, {"heads", (double)m->heads},
                   {"learning_rate", t->learning_rate}, {"weight_decay", t->weight_decay}, {"epochs", (double)t->epochs},
                   {"patience", (double)t->patience}, {"warmup", (double)t->warmup}, {"group", (double)t->group},
                   {"seed", (double)t->seed}};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) json_object_set_double_member(o, numbers[i].name, numbers[i].value);
    json_object_set_string_member(o, "sampler", t->balanced ? "balanced" : "shuffle");
    json_object_set_string_member(o, "data", data->fingerprint);
    for (int64_t i = 0; i < data->count; i++)
        if (data->bags[i]) {
            json_object_set_string_member(o, "precision", data->bags[i]->precision == RMIL_BFLOAT16 ? "bfloat16" : "float32");
            break;
        }
    g_autoptr(GChecksum) splits = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(splits, (const guchar *)repeat->splits, (gssize)((gsize)data->count * sizeof *repeat->splits));
    json_object_set_string_member(o, "splits", g_checksum_get_string(splits));
    return o;
}

static gboolean is_done(const char *folder, JsonObject *config) {
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
    g_autofree char *a = cli_json_text(json_node_get_object(have)), *b = cli_json_text(config);
    return strcmp(a, b) == 0;
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

typedef struct {
    const TrainData *data;
    const RmilModel *model;
    const Repeat *repeat;
    RmilPrediction *predictions;
    double *localisation; /* count × alphas × 3; NaN where there is none */
} Applying;

static gboolean apply_task(int64_t row, int worker, gpointer user, GError **error) {
    Applying *a = user;
    const RmilBag *bag = a->data->bags[row];
    if (!bag) return TRUE;
    gboolean annotated = FALSE;
    for (int64_t i = 0; bag->patch_labels && i < bag->count; i++) annotated = annotated || bag->patch_labels[i];
    gboolean localise = annotated && a->data->labels[row] == 1 && a->repeat->splits[row] == RMIL_SPLIT_TEST;
    g_autofree float *attention = localise ? g_new(float, bag->count) : NULL, *scores = localise ? g_new(float, bag->count) : NULL;
    if (!rmil_model_predict(a->model, bag, a->data->labels[row], &a->predictions[row], scores, attention, error)) return FALSE;
    enum { N = G_N_ELEMENTS(alphas) };
    double *out = a->localisation + row * N * 3;
    /* the order of scores is the order of attention, and stays one where the threshold makes attention equal (0) */
    if (localise) rmil_localisation(scores, bag->patch_labels, bag->count, alphas, N, out, out + N, out + 2 * N);
    else for (int i = 0; i < 3 * N; i++) out[i] = NAN;
    return TRUE;
}

static gboolean write_predictions(const char *folder, const Applying *a, GError **error) {
    g_autoptr(GString) out = g_string_new("id,split,label,probability,logit\n");
    g_autoptr(GString) places = g_string_new("id,alpha,iou,dice,pointing\n");
    for (int64_t i = 0; i < a->data->count; i++) {
        if (!a->data->bags[i]) continue;
        rmil_csv_append(out, a->data->cohort->rows[i].id, ',');
        rmil_csv_append(out, rmil_split_name(a->repeat->splits[i]), ',');
        if (a->data->labels[i] >= 0) g_string_append_printf(out, "%d", a->data->labels[i]);
        g_string_append_c(out, ',');
        append_number(out, a->predictions[i].probability, ',');
        append_number(out, a->predictions[i].logit, '\n');
        enum { N = G_N_ELEMENTS(alphas) };
        const double *l = a->localisation + i * N * 3;
        for (int k = 0; k < N && !isnan(l[0]); k++) {
            rmil_csv_append(places, a->data->cohort->rows[i].id, ',');
            append_number(places, alphas[k], ',');
            append_number(places, l[k], ',');
            append_number(places, l[N + k], ',');
            append_number(places, l[2 * N + k], '\n');
        }
    }
    return write_text(folder, "predictions.csv", out, error) && write_text(folder, "localisation.csv", places, error);
}

gboolean run_apply(const TrainData *data, const RmilModel *model, const Repeat *repeat, int threads, const char *folder,
                   GError **error) {
    g_autofree RmilPrediction *predictions = g_new0(RmilPrediction, data->count);
    g_autofree double *localisation = g_new0(double, (gsize)data->count * G_N_ELEMENTS(alphas) * 3);
    Applying applying = {data, model, repeat, predictions, localisation};
    return rmil_parallel(data->count, threads, apply_task, &applying, error) && write_predictions(folder, &applying, error);
}

static gboolean collect(const TrainData *data, const Repeat *repeat, RmilSplit split, GArray *rows, const char *name, GError **error) {
    int64_t labels[2] = {0};
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i] || repeat->splits[i] != split || data->labels[i] < 0) continue;
        if (data->labels[i] > 1) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: label %d: training takes labels 0 and 1", data->cohort->rows[i].id, data->labels[i]);
            return FALSE;
        }
        labels[data->labels[i]]++;
        g_array_append_val(rows, i);
    }
    if ((labels[0] && labels[1]) || (split == RMIL_SPLIT_VAL && rows->len)) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "the %s set has %" G_GINT64_FORMAT " slides of label 0 and %" G_GINT64_FORMAT
                " of label 1: both are needed", name, labels[0], labels[1]);
    return FALSE;
}

gboolean train_run(Cli *cli, const TrainData *data, const Method *method, const TrainOptions *options, const Repeat *repeat,
                   JsonObject *preprocessing, int threads, const RmilMonitor *monitor, const char *folder, gboolean *made,
                   GError **error) {
    RmilModelConfig model_config;
    RmilTrainConfig train_config;
    if (!train_configs(options, method, cli, &model_config, &train_config, error)) return FALSE;
    model_config.dim = data->set->dim;
    train_config.seed = (uint64_t)repeat->seed;
    train_config.threads = threads;
    g_autoptr(JsonObject) config = config_object(&model_config, &train_config, data, repeat);
    *made = !is_done(folder, config);
    if (!*made) return TRUE;
    g_autoptr(GArray) train = g_array_new(FALSE, FALSE, sizeof(int64_t)), val = g_array_new(FALSE, FALSE, sizeof(int64_t));
    if (!collect(data, repeat, RMIL_SPLIT_TRAIN, train, "training", error) ||
        !collect(data, repeat, RMIL_SPLIT_VAL, val, "validation", error))
        return FALSE;

    gint64 start = g_get_monotonic_time();
    g_autofree char *text = cli_json_text(config);
    g_autofree char *key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_autofree char *name = g_strdup_printf("checkpoint-%.16s", key), *checkpoint = g_build_filename(folder, name, NULL);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = rmil_train(&model_config, &train_config, (const RmilBag *const *)data->bags, data->labels,
                                            (const int64_t *)train->data, train->len, (const int64_t *)val->data, val->len,
                                            checkpoint, history, monitor, error);
    if (!model) return FALSE;
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    g_autofree char *model_path = g_build_filename(folder, "model.safetensors", NULL), *run_path = g_build_filename(folder, "run.json", NULL);
    if (!rmil_model_save(model, model_path, error) || !write_history(folder, history, error) ||
        !run_apply(data, model, repeat, threads, folder, error))
        return FALSE;

    g_autoptr(JsonObject) run = json_object_new();
    json_object_set_string_member(run, "method", method->name);
    json_object_set_string_member(run, "model", method->model);
    json_object_set_string_member(run, "guide", rmil_guide_name(method->guide));
    json_object_set_int_member(run, "seed", repeat->seed);
    json_object_set_string_member(run, "version", rmil_version());
    json_object_set_string_member(run, "cohort", data->cohort->path);
    json_object_set_object_member(run, "config", json_object_ref(config));
    if (preprocessing) json_object_set_object_member(run, "preprocessing", json_object_ref(preprocessing));
    JsonObject *timings = json_object_new();
    json_object_set_double_member(timings, "train", seconds);
    json_object_set_int_member(timings, "epochs", history->len);
    json_object_set_object_member(run, "timings", timings);
    if (!cli_json_write(run, run_path, error)) return FALSE;
    g_unlink(checkpoint);
    return TRUE;
}
