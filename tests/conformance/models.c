/* SPDX-License-Identifier: Apache-2.0 */
/* Models against the released PyTorch code: outputs, loss, every gradient, parameters after five Adam steps. models/ has two classes, and
 * patch classifiers of more; multiclass/ more. */
#include "conformance.h"

#include "tensors/tensors-private.h"
#include "mil/adam.h"
#include "mil/loss.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define LIMIT ((gsize)1 << 30)

typedef struct {
    RmilTensors *file;
    gboolean multiclass;
    RmilModelConfig config;
    RmilModel *model;
    RmilBag bag;
    int label;
    int64_t units, per_unit; /* what scores are given for (patches or regions), and patches in each */
    GString *report;         /* what deviates; empty when all is well */
    double worst;            /* largest deviation as a share of what is allowed */
} Case;

static int64_t tensor_axis(gpointer file, const char *name, int axis) {
    g_autofree char *full = g_strconcat("param.", name, NULL);
    const RmilTensor *tensor = rmil_tensors_find(file, full);
    return tensor && axis < tensor->rank ? tensor->shape[axis] : -1;
}

/* The named tensor as floats; NULL when it is not in the file. */
static float *read_floats(const Case *k, const char *prefix, const char *name, int64_t *count) {
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    const RmilTensor *tensor = rmil_tensors_find(k->file, full);
    if (!tensor) return NULL;
    float *values = g_new(float, tensor->count + 1);
    rmil_tensor_floats(tensor, values);
    if (count) *count = tensor->count;
    return values;
}

static double number(JsonObject *hyper, const char *key, double otherwise) {
    return json_object_has_member(hyper, key) && !json_object_get_null_member(hyper, key) ? json_object_get_double_member(hyper, key)
                                                                                          : otherwise;
}

static gboolean read_config(Case *k, GError **error) {
    const char *model = rmil_tensors_metadata(k->file, "model"), *loss = rmil_tensors_metadata(k->file, "loss");
    const char *text = rmil_tensors_metadata(k->file, "hyper");
    if (!model || !loss || !text) return rmil_fail(error, RMIL_ERROR_FORMAT, "no model, loss or hyper in the metadata");
    g_autofree char *name = g_strdelimit(g_strdup(model), "_", '-');
    RmilGuide guide = g_str_has_prefix(loss, "rank")   ? RMIL_GUIDE_RANK
                      : strcmp(loss, "induction") == 0 ? RMIL_GUIDE_INDUCTION
                                                       : RMIL_GUIDE_NONE;
    if (!rmil_model_config_init(&k->config, name, guide, error)) return FALSE;
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_data(parser, text, -1, error)) return FALSE;
    JsonObject *hyper = json_node_get_object(json_parser_get_root(parser));
    RmilModelConfig *config = &k->config;
    rmil_model_class(name, NULL)->infer(config, tensor_axis, k->file);
    config->threshold = number(hyper, "threshold", -1);
    config->sigma = number(hyper, "sigma", config->sigma);
    config->margin = number(hyper, "margin", config->margin);
    config->lambda = number(hyper, "lambda", config->lambda);
    static const char *const own[][2] = {{"k_sample", "clam_k"},
                                         {"bag_weight", "clam_bag_weight"},
                                         {"heads", "heads"},
                                         {"top", "patch_top"},
                                         {"landmarks", "landmarks"}};
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        if (json_object_has_member(hyper, own[i][0]) && !rmil_model_config_set(config, own[i][1], number(hyper, own[i][0], 0), error))
            return FALSE;
    if (k->multiclass && config->threshold >= 0 && !rmil_model_config_set(config, "even_bags", TRUE, error)) return FALSE; /* as theirs */
    const gboolean subtyping = json_object_has_member(hyper, "subtyping") && json_object_get_boolean_member(hyper, "subtyping");
    if (subtyping && !rmil_model_config_set(config, "clam_subtyping", TRUE, error)) return FALSE;
    if (json_object_has_member(hyper, "classes") && number(hyper, "classes", 0) != config->task.classes)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "the tensors are of %d classes, hyper says otherwise", config->task.classes);
    if (json_object_has_member(hyper, "negative")) config->task.negative = json_object_get_boolean_member(hyper, "negative");
    if (!json_object_has_member(hyper, "grid")) return TRUE;
    JsonArray *grid = json_object_get_array_member(hyper, "grid");
    return rmil_model_config_set(config, "region_rows", (double)json_array_get_int_element(grid, 0), error) &&
           rmil_model_config_set(config, "region_columns", (double)json_array_get_int_element(grid, 1), error);
}

/* Patches of regions get coordinates of a slide whose regions stand side by side. */
static gboolean read_bag(Case *k, GError **error) {
    const RmilTensor *x = rmil_tensors_find(k->file, "input.x");
    int64_t labels_count = 0;
    g_autofree float *label = read_floats(k, "input.", "bag_label", NULL);
    g_autofree float *labels = read_floats(k, "input.", "instance_labels", &labels_count);
    if (!x || !label || (x->rank != 2 && x->rank != 4)) return rmil_fail(error, RMIL_ERROR_FORMAT, "no input");
    const int64_t rows = x->rank == 4 ? x->shape[1] : 1, columns = x->rank == 4 ? x->shape[2] : 1, side = 448;
    k->units = x->shape[0];
    k->per_unit = rows * columns;
    k->label = (int)label[0];
    if (labels && labels_count != k->units) return rmil_fail(error, RMIL_ERROR_FORMAT, "labels do not fit the input");
    RmilBag *bag = &k->bag;
    bag->id = (char *)"golden";
    bag->count = k->units * k->per_unit;
    bag->dim = x->shape[x->rank - 1];
    bag->features = read_floats(k, "input.", "x", NULL);
    bag->coords = g_new(int64_t, 2 * bag->count);
    bag->patch_labels = labels ? g_new(uint8_t, bag->count) : NULL;
    int64_t tissues = k->units;
    bag->tissue = read_floats(k, "input.", "tissue", &tissues); /* of patches; the released code knows none */
    if (tissues != k->units || (bag->tissue && k->per_unit > 1))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "tissue does not fit the input");
    bag->patch_size = bag->patch_size_level0 = (double)side;
    bag->slide_width = k->units * columns * side;
    bag->slide_height = rows * side;
    for (int64_t i = 0; i < bag->count; i++) {
        int64_t unit = i / k->per_unit, cell = i % k->per_unit;
        bag->coords[2 * i] = (unit * columns + cell % columns) * side;
        bag->coords[2 * i + 1] = cell / columns * side;
        if (labels) bag->patch_labels[i] = labels[unit] > 0;
    }
    return TRUE;
}

static gboolean read_parameters(Case *k, GError **error) {
    k->model = rmil_model_alloc(&k->config, error);
    if (!k->model) return FALSE;
    for (guint i = 0; i < k->model->layout.tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(&k->model->layout, (int)i);
        int64_t count = 0;
        g_autofree float *values = read_floats(k, "param.", tensor->name, &count);
        if (!values && tensor->unused) continue; /* CLAM's own code has no such layer */
        if (!values || count != tensor->count)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "param.%s is missing or has the wrong size", tensor->name);
        memcpy(k->model->parameters + tensor->offset, values, (size_t)count * sizeof(float));
    }
    return TRUE;
}

static void deviates(Case *k, const char *what, double deviation, double allowed) {
    if (deviation > 0) k->worst = MAX(k->worst, deviation / MAX(allowed, 1e-30));
    if (!(deviation <= allowed)) g_string_append_printf(k->report, " %s is off by %.2g (%.2g allowed);", what, deviation, allowed);
}

static double largest(const float *values, int64_t count) {
    double top = 0;
    for (int64_t i = 0; i < count; i++) top = MAX(top, fabs((double)values[i]));
    return top;
}

/* expect.NAME against values, of which every `every`-th counts; nothing to do when the file has none. floor: what float32
 * rounding alone may do to it. */
static void compare(Case *k, const char *name, const float *values, int64_t every, double floor) {
    int64_t count;
    g_autofree float *expected = read_floats(k, "expect.", name, &count);
    if (!expected) return;
    double off = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)values[i * every] - (double)expected[i]);
        off = d > off || isnan(d) ? d : off;
    }
    deviates(k, name, off, MAX(1e-5 * largest(expected, count), floor));
}

static void compare_gradients(Case *k, const float *gradient) {
    const RmilParameterLayout *layout = &k->model->layout;
    double top = 0;
    for (guint i = 0; i < layout->tensors->len; i++) {
        int64_t count = 0;
        g_autofree float *expected = read_floats(k, "grad.", rmil_parameter_at(layout, (int)i)->name, &count);
        if (expected) top = MAX(top, largest(expected, count));
    }
    for (guint i = 0; i < layout->tensors->len; i++) {
        const RmilParameter *tensor = rmil_parameter_at(layout, (int)i);
        int64_t count = 0;
        g_autofree float *expected = read_floats(k, "grad.", tensor->name, &count);
        if (!expected || count != tensor->count) continue;
        double off = 0, most = largest(expected, count);
        for (int64_t j = 0; j < count; j++) {
            double d = fabs((double)gradient[tensor->offset + j] - (double)expected[j]);
            off = d > off || isnan(d) ? d : off;
        }
        g_autofree char *what = g_strconcat("grad.", tensor->name, NULL);
        /* a gradient that is 0 in exact arithmetic (a shift of all scores), or nearly so (CLAM's instance head, whose two
         * targets balance): both see their own rounding of the terms that cancel */
        deviates(k, what, off, most < 1e-6 * top ? 1e-6 * top : MAX(1e-4 * most, 1e-7 * top));
    }
}

static gboolean compare_adam(Case *k, RmilStep *step, RmilArena *arena, GError **error) {
    const RmilParameterLayout *layout = &k->model->layout;
    g_autofree float *first = g_new0(float, layout->count), *second = g_new0(float, layout->count);
    RmilTrainConfig train;
    rmil_train_config_init(&train);
    for (int64_t t = 1; t <= 5; t++) {
        RmilOutcome outcome;
        if (!rmil_model_step(k->model, step, arena, &outcome, error)) return FALSE;
        rmil_adam_update(&train, t, step->gradient, 1, 0, layout->count, k->model->parameters, first, second);
    }
    double top = 0;
    for (int pass = 0; pass < 2; pass++)
        for (guint i = 0; i < layout->tensors->len; i++) {
            const RmilParameter *tensor = rmil_parameter_at(layout, (int)i);
            int64_t count = 0, grad_count = 0;
            g_autofree float *expected = read_floats(k, "adam5.", tensor->name, &count);
            g_autofree float *grad = read_floats(k, "grad.", tensor->name, &grad_count);
            if (!expected || !grad || count != tensor->count || grad_count != count) continue;
            double most = largest(grad, count), off = 0;
            if (pass == 0) top = MAX(top, most);
            if (pass == 0 || most < 1e-6 * top) continue; /* Adam makes full steps of rounding */
            for (int64_t j = 0; j < count; j++) {
                double d = fabs((double)k->model->parameters[tensor->offset + j] - (double)expected[j]);
                if (fabs((double)grad[j]) > 1e-3 * most) off = d > off || isnan(d) ? d : off;
            }
            g_autofree char *what = g_strconcat("adam5.", tensor->name, NULL);
            deviates(k, what, off, 2e-6);
        }
    return TRUE;
}

static gboolean run(Case *k, const char *path, GError **error) {
    k->file = rmil_safetensors_read(path, LIMIT, error);
    if (!k->file || !read_config(k, error) || !read_bag(k, error) || !read_parameters(k, error)) return FALSE;
    const int64_t values = k->bag.count * rmil_model_rows(k->model);
    g_autofree float *scores = g_new0(float, values), *attention = g_new0(float, values);
    g_autofree float *gradient = g_new0(float, k->model->layout.count);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    RmilStep step = {.bag = &k->bag,
                     .target = RMIL_TARGET_CLASS(k->label),
                     .train = TRUE,
                     .gradient = gradient,
                     .scores = scores,
                     .attention = attention};
    RmilOutcome outcome;
    if (!rmil_model_step(k->model, &step, arena, &outcome, error)) return FALSE;
    RmilPrediction said;
    rmil_prediction_set(&k->config, outcome.logits, &said);
    float logits[RMIL_OUTPUTS_MOST], probabilities[RMIL_OUTPUTS_MOST], loss = (float)outcome.loss, bag_loss = (float)outcome.slide_loss;
    for (int i = 0; i < RMIL_OUTPUTS_MOST; i++) logits[i] = (float)outcome.logits[i], probabilities[i] = (float)said.values[i];
    compare(k, "logits", logits, 1, 1e-7); /* a logit near 0 is a difference of numbers near 1 */
    compare(k, "probabilities", probabilities, 1, 0);
    compare(k, "loss", &loss, 1, 0);
    if (g_str_has_prefix(k->config.model, "clam")) {
        const double weight = rmil_model_config_get(&k->config, "clam_bag_weight");
        const float instance = (float)(outcome.guide_loss / (1 - weight));
        compare(k, "bag_loss", &bag_loss, 1, 0);
        compare(k, "instance_loss", &instance, 1, 0);
    }
    compare(k, "scores", scores, k->per_unit, 0);
    compare(k, "attention", attention, k->per_unit, 0);
    compare_gradients(k, gradient);
    if (rmil_tensors_find(k->file, "expect.told_loss")) { /* what validation says of the bag, where that is not the loss of training */
        RmilStep told = {.bag = &k->bag, .target = RMIL_TARGET_CLASS(k->label)};
        if (!rmil_model_step(k->model, &told, arena, &outcome, error)) return FALSE;
        loss = (float)outcome.loss;
        compare(k, "told_loss", &loss, 1, 0);
    }
    return compare_adam(k, &step, arena, error);
}

static void check(Conformance *c, const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL), *of = g_path_get_basename(folder);
    g_autofree char *title = g_strdup_printf("%s/%s", of, name);
    Case k = {.report = g_string_new(NULL), .multiclass = strcmp(of, "multiclass") == 0};
    g_autoptr(GError) error = NULL;
    gboolean done = run(&k, path, &error);
    if (!done) conformance_case(c, FALSE, title, "%s", error->message);
    else if (k.report->len) conformance_case(c, FALSE, title, "%s", k.report->str);
    else conformance_case(c, TRUE, title, "largest deviation is %.2g of what is allowed", k.worst);
    g_string_free(k.report, TRUE);
    rmil_tensors_free(k.file);
    rmil_model_free(k.model);
    g_free(k.bag.features);
    g_free(k.bag.coords);
    g_free(k.bag.patch_labels);
    g_free(k.bag.tissue);
}

void conformance_models(Conformance *c, const char *path) {
    g_autoptr(GPtrArray) names = conformance_files(path, ".safetensors");
    for (guint i = 0; i < names->len; i++) check(c, path, names->pdata[i]);
}
