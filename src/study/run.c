/* SPDX-License-Identifier: Apache-2.0 */
/* One run: what its result depends on, its training, and its model's predictions on every slide. */
#include "localise.h"
#include "sight.h"
#include "vary.h"

#include "mil/guide.h"

#include <json-glib/json-glib.h>
#include <math.h>

static const double alphas[RMIL_ALPHAS] = {1, 5, 10, 20, 50, 75, 100}; /* paper, "Attention Localization" */

const double *rmil_alphas(void) { return alphas; }

static void set_text(JsonObject *o, const char *name, const char *value) { json_object_set_string_member(o, name, value); }

static void set_option(JsonObject *o, const RmilOption *option, gconstpointer owner) {
    const double value = rmil_option_get(option, owner);
    g_autofree char *word = option->type == RMIL_OPTION_WORD ? rmil_option_text(option, value) : NULL;
    if (word) set_text(o, option->key, word);
    else json_object_set_double_member(o, option->key, value);
}

/* -- configuration ----------------------------------------------------------------------------------------------------------- */
char *rmil_train_run_config(const RmilTrainRun *run) {
    const RmilModelConfig *m = &run->model;
    const RmilTrainConfig *t = &run->train;
    const RmilTrainData *data = run->data;
    g_autoptr(JsonObject) o = json_object_new();
    set_text(o, "version", rmil_version());
    set_text(o, "model", m->model);
    set_text(o, "guide", rmil_guide_name(m->guide));
    for (const RmilOption *option = rmil_model_options(); option->key; option++)
        if (rmil_model_writes(m, option)) set_option(o, option, m);
    for (const RmilOption *option = rmil_trainer_options; option->key; option++)
        if (option->type != RMIL_OPTION_WORD && rmil_option_said(option, t)) set_option(o, option, t);
    json_object_set_double_member(o, "seed", (double)t->seed);
    for (const RmilOption *option = rmil_trainer_options; option->key; option++) /* after the seed, as in version 0.1.0 */
        if (option->type == RMIL_OPTION_WORD && rmil_option_said(option, t)) set_option(o, option, t);
    set_text(o, "data", data->fingerprint);
    for (int64_t i = 0; i < data->count; i++)
        if (data->bags[i]) {
            set_text(o, "precision", data->bags[i]->precision == RMIL_BFLOAT16 ? "bfloat16" : "float32");
            break;
        }
    g_autofree char *splits = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)run->splits,
                                                          (gsize)data->count * sizeof *run->splits);
    set_text(o, "splits", splits);
    if (run->varied && run->varied[0].name) {
        g_autofree char *names = rmil_varied_names(run->varied), *texts = rmil_varied_texts(run->varied);
        set_text(o, "variable", names);
        if (run->varied[1].name || isnan(run->varied[0].number)) set_text(o, "value", texts);
        else json_object_set_double_member(o, "value", run->varied[0].number);
    }
    if (t->weights_sha256) set_text(o, "cnn_weights", t->weights_sha256);
    if (run->annotations) set_text(o, "annotations", run->annotations);
    g_autofree char *task = rmil_task_is_plain(&m->task) ? NULL : rmil_task_text(&m->task);
    if (task) set_text(o, "task", task);
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_set_object(node, o);
    return json_to_string(node, TRUE);
}

/* -- training ---------------------------------------------------------------------------------------------------------------- */
static gboolean sees(const RmilModelConfig *model) { return rmil_model_class(model->model, NULL)->dim != NULL; }

/* Warns of slides that a model of pixels cannot read. FALSE: it can read none. */
static gboolean look(const RmilTrainRun *run, const RmilMonitor *monitor, GError **error) {
    const RmilTrainData *data = run->data;
    const char *first = NULL;
    int64_t seen = 0;
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i] || run->splits[i] == RMIL_SPLIT_NONE) continue;
        const char *why = rmil_train_data_blind(data, i);
        if (why) rmil_sight_say(data, i, run->model.model, why, monitor);
        if (why && !first) first = why;
        seen += !why;
    }
    return seen || !first ||
           rmil_fail(error, RMIL_ERROR_DATA, "%s learns from the slides' pixels, but no slide can be read; the first: %s", run->model.model,
                     first);
}

static gboolean collect(const RmilTrainRun *run, RmilSplit split, GArray *rows, const char *name, GError **error) {
    const RmilTrainData *data = run->data;
    const RmilTask *task = &run->model.task;
    int64_t of_class[RMIL_CLASSES_MOST] = {0};
    for (int64_t i = 0; i < data->count; i++) {
        const RmilTarget *target = &data->targets[i];
        if (!data->bags[i] || run->splits[i] != split || !rmil_target_known(task, target)) continue;
        if (sees(&run->model) && rmil_train_data_blind(data, i)) continue;
        if (task->kind == RMIL_TASK_CLASSES) of_class[target->label]++;
        g_array_append_val(rows, i);
    }
    if (!rows->len)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "the %s set has no slide with a label, time or value, so there is "
                         "nothing to learn from",
                         name);
    if (split == RMIL_SPLIT_VAL) return TRUE;
    for (int c = 0; c < task->classes; c++)
        if (!of_class[c])
            return rmil_fail(error, RMIL_ERROR_DATA, "the %s set has no slide of class %s: all %d classes are needed", name, task->names[c],
                             task->classes);
    return TRUE;
}

/* A guide acts only on positive slides with annotated patches (a guide of pairs needs other patches, too). If the training set has none,
 * the model is one without a guide under another name. */
static void warn_unguided(const RmilTrainRun *run, const RmilBag *const *bags, const GArray *train, const RmilMonitor *monitor) {
    const RmilModelConfig *model = &run->model;
    const RmilGuideClass *guide = rmil_guide_class(model->guide);
    const char *unit = rmil_model_class(model->model, NULL)->unit;
    int64_t positive = 0, with[RMIL_ANNOTATED_SOME + 1] = {0};
    if (!guide) return;
    for (guint i = 0; i < train->len; i++) {
        const int64_t row = g_array_index(train, int64_t, i);
        if (!rmil_target_lesion(&model->task, &run->data->targets[row])) continue;
        positive++;
        with[rmil_annotated(model, bags[row])]++;
    }
    double decay;
    if (with[RMIL_ANNOTATED_NONE] == positive && guide->negatives)
        rmil_monitor_warn(monitor,
                          "guide %s has no annotated lesions to learn from: none of the %" G_GINT64_FORMAT " positive training slides has "
                          "an annotated patch. It acts only on slides without a lesion",
                          guide->name, positive);
    else if (with[RMIL_ANNOTATED_NONE] == positive)
        rmil_monitor_warn(monitor,
                          "guide %s has no effect: none of the %" G_GINT64_FORMAT " positive training slides has an annotated patch. The "
                          "model trains as %s does without a guide%s",
                          guide->name, positive, model->model, rmil_guide_anchor(model, &decay) > 0 ? ", except for its anchor" : "");
    else if (guide->pairs && with[RMIL_ANNOTATED_SOME] == 0 && !rmil_guide_meets(model))
        rmil_monitor_warn(monitor,
                          "guide %s has no effect: on all %" G_GINT64_FORMAT " annotated positive training slides every %s is annotated, "
                          "and there is none to rank below it. The model trains as %s does without a guide",
                          guide->name, with[RMIL_ANNOTATED_ALL], unit ? unit : "patch", model->model);
}

RmilModel *rmil_train_run(const RmilTrainRun *run, const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error) {
    g_autoptr(GArray) train = g_array_new(FALSE, FALSE, sizeof(int64_t));
    g_autoptr(GArray) val = g_array_new(FALSE, FALSE, sizeof(int64_t));
    if (sees(&run->model) && !look(run, monitor, error)) return NULL;
    if (!collect(run, RMIL_SPLIT_TRAIN, train, "training", error) || !collect(run, RMIL_SPLIT_VAL, val, "validation", error)) return NULL;
    const RmilBag *const *bags = run->bags ? run->bags : run->data->bags;
    warn_unguided(run, bags, train, monitor);
    return rmil_train(&run->model, &run->train, bags, run->data->targets, (const int64_t *)train->data, train->len,
                      (const int64_t *)val->data, val->len, checkpoint, history, monitor, error);
}

/* -- application ------------------------------------------------------------------------------------------------------------- */
typedef struct {
    const RmilTrainData *data;
    const RmilModel *model;
    const RmilSplit *splits;
    gboolean all;
    const RmilMonitor *monitor;
    RmilApplied *out;
    RmilFinds *finds;
} Applying;

/* The row gets no prediction. Models of pixels process slides one by one on one thread, which may call the monitor. */
static gboolean miss(const Applying *a, int64_t row, const char *why) {
    a->out[row].missing = TRUE;
    a->out[row].localised = FALSE;
    rmil_sight_say(a->data, row, rmil_model_config(a->model)->model, why, a->monitor);
    return TRUE;
}

/* Scores for comparing detections across slides. A model with one row for each of several classes gave those of the class that it predicts,
 * which differs between slides; then the score of a patch is the highest for any class that may have a lesion. */
static gboolean compare_scores(const Applying *a, int64_t row, float *scores, GError **error) {
    const RmilBag *bag = a->data->bags[row];
    const RmilTask *task = &a->data->cohort->task;
    const int rows = task->classes > 2 ? rmil_model_rows(a->model) : 1;
    g_autofree float *own = rows > 1 ? rmil_try_new(bag->count, sizeof *own, error) : NULL;
    RmilPrediction prediction;
    if (rows > 1 && !own) return FALSE;
    for (int class = task->negative, first = class; rows > 1 && class < rows; class ++) {
        if (!rmil_model_predict_row(a->model, bag, NULL, class, &prediction, own, NULL, error)) return FALSE;
        for (int64_t i = 0; i < bag->count; i++) scores[i] = class == first ? own[i] : MAX(scores[i], own[i]);
    }
    return TRUE;
}

static gboolean apply_task(int64_t row, int worker, gpointer user, GError **error) {
    const Applying *a = user;
    const RmilBag *bag = a->data->bags[row];
    RmilApplied *out = &a->out[row];
    out->localised = FALSE;
    if (!bag || (!a->all && a->splits[row] == RMIL_SPLIT_NONE)) return TRUE;
    const char *blind = sees(rmil_model_config(a->model)) ? rmil_train_data_blind(a->data, row) : NULL;
    if (blind) return miss(a, row, blind);
    gboolean annotated = FALSE;
    for (int64_t i = 0; bag->patch_labels && i < bag->count; i++) annotated = annotated || bag->patch_labels[i];
    const RmilTask *task = &a->data->cohort->task;
    const RmilTarget *target = &a->data->targets[row];
    const gboolean test = a->splits[row] == RMIL_SPLIT_TEST, lesion = rmil_target_lesion(task, target);
    const gboolean negative = test && !lesion && rmil_target_known(task, target);
    out->localised = annotated && lesion && test;
    const int64_t kept = out->localised || negative ? bag->count : 0;
    g_autofree float *attention = rmil_try_new(kept, sizeof *attention, error),
                     *scores = attention ? rmil_try_new(kept, sizeof *scores, error) : NULL;
    if (!scores) return FALSE;
    GError *reason = NULL;
    if (!rmil_model_predict(a->model, bag, target, &out->prediction, kept ? scores : NULL, kept ? attention : NULL, &reason)) {
        if (sees(rmil_model_config(a->model)) && reason->code != RMIL_ERROR_MEMORY) { /* one bad tile costs only its slide */
            miss(a, row, reason->message);
            g_error_free(reason);
            return TRUE;
        }
        g_propagate_error(error, reason);
        return FALSE;
    }
    if (out->localised) rmil_localise(bag, scores, attention, out);
    if (!kept) return TRUE;
    if (!compare_scores(a, row, scores, error)) return FALSE;
    return negative ? rmil_find_wrong(bag, scores, &a->finds[row], error)
                    : rmil_find_lesions(bag, a->data->cohort->rows[row].id, scores, &a->finds[row], error);
}

gboolean rmil_train_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, int threads,
                          const RmilMonitor *monitor, RmilApplied *out, GArray *lesions, GError **error) {
    g_autofree RmilFinds *finds = g_new0(RmilFinds, data->count);
    Applying applying = {data, model, splits, all, monitor, out, finds};
    /* a model of pixels uses all threads for one slide */
    const gboolean done = rmil_parallel(data->count, sees(rmil_model_config(model)) ? 1 : threads, apply_task, &applying, error);
    rmil_finds_join(finds, data->count, lesions);
    return done;
}
