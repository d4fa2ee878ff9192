/* SPDX-License-Identifier: Apache-2.0 */
/* finetune/: a ResNet in small that learns, against PyTorch: logits, loss, every gradient, running statistics, three steps of Adam, stages
 * that stay frozen, and the network as it predicts before and after. */
#include "conformance.h"

#include "encoder/network.h"
#include "encoder/resnet.h"
#include "mil/adam.h"
#include "mil/loss.h"
#include "tensors/tensors-private.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

enum { STEPS = 3 };

typedef struct {
    RmilTensors *file;
    RmilNetworkConfig config;
    GArray *tensors;
    float **values, **gradients, **first, **second; /* by tensor */
    float *input, *labels;
    RmilCrew *crew;
    GString *report;
    double worst; /* largest deviation as a share of what is allowed */
} Case;

static float *floats(const Case *k, const char *prefix, const char *name) {
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    const RmilTensor *tensor = rmil_tensors_find(k->file, full);
    if (!tensor) return NULL;
    float *values = g_new(float, tensor->count + 1);
    rmil_tensor_floats(tensor, values);
    return values;
}

static const RmilNetworkTensor *tensor_at(const Case *k, guint i) { return &g_array_index(k->tensors, RmilNetworkTensor, i); }
static gboolean learns(const Case *k, guint i) { return !tensor_at(k, i)->statistic && tensor_at(k, i)->stage >= k->config.frozen; }

static gboolean read_case(Case *k, const char *path, GError **error) {
    k->file = rmil_safetensors_read(path, (gsize)1 << 30, error);
    if (!k->file) return FALSE;
    const char *layers = rmil_tensors_metadata(k->file, "layers"), *width = rmil_tensors_metadata(k->file, "base_width"),
               *outputs = rmil_tensors_metadata(k->file, "num_classes"), *frozen = rmil_tensors_metadata(k->file, "frozen");
    const RmilTensor *input = rmil_tensors_find(k->file, "input");
    if (!layers || !width || !input || input->rank != 4) return rmil_fail(error, RMIL_ERROR_FORMAT, "no layers, base_width or input");
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_data(parser, layers, -1, error)) return FALSE;
    JsonArray *blocks = json_node_get_array(json_parser_get_root(parser));
    k->config = (RmilNetworkConfig){.shape = {.width = atoi(width), .outputs = outputs ? atoi(outputs) : 1},
                                    .batch = input->shape[0],
                                    .side = (int)input->shape[2]};
    for (guint i = 0; i < RMIL_STAGES; i++) k->config.shape.blocks[i] = (int)json_array_get_int_element(blocks, i);
    for (int stage = 1; frozen && stage < RMIL_STAGES; stage++) {
        g_autofree char *name = g_strdup_printf("layer%d", stage);
        if (strstr(frozen, name)) k->config.frozen = stage + 1;
    }
    if (frozen && !k->config.frozen && strstr(frozen, "conv1")) k->config.frozen = 1;
    k->tensors = rmil_network_tensors(&k->config.shape);
    float ***all[] = {&k->values, &k->gradients, &k->first, &k->second};
    for (gsize a = 0; a < G_N_ELEMENTS(all); a++) *all[a] = g_new0(float *, k->tensors->len);
    for (guint i = 0; i < k->tensors->len; i++) {
        const RmilNetworkTensor *t = tensor_at(k, i);
        if (!(k->values[i] = floats(k, t->statistic ? "buffer." : "param.", t->name)))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s is missing", t->name);
        for (gsize a = 1; a < G_N_ELEMENTS(all); a++) (*all[a])[i] = g_new0(float, t->count);
    }
    k->input = floats(k, "input", "");
    k->labels = floats(k, "labels", "");
    return k->labels != NULL;
}

static void deviates(Case *k, const char *what, double off, double allowed) {
    k->worst = MAX(k->worst, off / MAX(allowed, 1e-30));
    if (!(off <= allowed)) g_string_append_printf(k->report, " %s is off by %.2g (%.2g allowed);", what, off, allowed);
}

/* Against the tensor of that name, within a share of its largest entry. */
static void compare(Case *k, const char *prefix, const char *name, const float *values, int64_t count, double allowed) {
    g_autofree float *expected = floats(k, prefix, name);
    g_autofree char *title = g_strconcat(prefix, name, NULL);
    if (!expected) {
        g_string_append_printf(k->report, " %s is missing;", title);
        return;
    }
    double off = 0, top = 0;
    for (int64_t i = 0; i < count; i++) {
        off = MAX(off, fabs((double)values[i] - (double)expected[i]));
        top = MAX(top, fabs((double)expected[i]));
        if (!isfinite(values[i])) off = INFINITY;
    }
    deviates(k, title, off, allowed * top);
}

/* The network as it predicts, by the encoder that runs it. */
static gboolean compare_prediction(Case *k, const char *name, GError **error) {
    const RmilNetworkShape *shape = &k->config.shape;
    RmilResnetConfig config = {.width = shape->width, .stages = RMIL_STAGES, .side = k->config.side, .batch = 1, .workers = 1};
    memcpy(config.blocks, shape->blocks, sizeof config.blocks);
    g_autoptr(RmilTensors) tensors = rmil_tensors_new("the network");
    for (guint i = 0; i < k->tensors->len; i++)
        if (!rmil_tensors_add(tensors, tensor_at(k, i)->name, RMIL_DTYPE_F32, tensor_at(k, i)->rank, tensor_at(k, i)->shape, k->values[i],
                              error))
            return FALSE;
    RmilResnet *resnet = rmil_resnet_new(tensors, &config, error);
    g_autofree float *logits = g_new0(float, k->config.batch * shape->outputs);
    int side = k->config.side;
    for (int i = 0; i < 5; i++) side = (side - 1) / 2 + 1;
    gboolean done = resnet != NULL;
    for (int64_t i = 0; done && i < k->config.batch; i++) {
        const float *maps = rmil_resnet_maps(resnet, 0, k->input + i * 3 * k->config.side * k->config.side, error);
        const int dim = rmil_resnet_dim(resnet);
        done = maps != NULL;
        for (int o = 0; done && o < shape->outputs; o++) {
            double sum = (double)k->values[k->tensors->len - 1][o];
            for (int c = 0; c < dim * side * side; c++)
                sum += (double)maps[c] * (double)k->values[k->tensors->len - 2][o * dim + c / (side * side)] / (side * side);
            logits[i * shape->outputs + o] = (float)sum;
        }
    }
    rmil_resnet_free(resnet);
    if (done) compare(k, "expect.", name, logits, k->config.batch * shape->outputs, 1e-4);
    return done;
}

static void compare_gradients(Case *k) {
    for (guint i = 0; i < k->tensors->len; i++)
        if (learns(k, i)) compare(k, "grad.", tensor_at(k, i)->name, k->gradients[i], tensor_at(k, i)->count, 1e-3);
}

static void compare_statistics(Case *k, const char *prefix) {
    for (guint i = 0; i < k->tensors->len; i++)
        if (tensor_at(k, i)->statistic && tensor_at(k, i)->stage >= k->config.frozen)
            compare(k, prefix, tensor_at(k, i)->name, k->values[i], tensor_at(k, i)->count, 1e-4);
}

/* After three steps; where gradients are small, Adam's division makes rounding as large as a step. */
static void compare_adam(Case *k) {
    for (guint i = 0; i < k->tensors->len; i++) {
        const RmilNetworkTensor *t = tensor_at(k, i);
        if (!learns(k, i)) continue;
        g_autofree float *gradient = floats(k, "grad.", t->name), *expected = floats(k, "adam3.", t->name);
        double top = 0, off = 0;
        for (int64_t j = 0; gradient && j < t->count; j++) top = MAX(top, fabs((double)gradient[j]));
        for (int64_t j = 0; gradient && expected && j < t->count; j++)
            if (fabs((double)gradient[j]) > 1e-2 * top) off = MAX(off, fabs((double)expected[j] - (double)k->values[i][j]));
        g_autofree char *title = g_strconcat("adam3.", t->name, NULL);
        deviates(k, title, gradient && expected ? off : INFINITY, 2e-6);
    }
}

static gboolean run(Case *k, const char *path, GError **error) {
    if (!read_case(k, path, error) || !compare_prediction(k, "logits_eval0", error)) return FALSE;
    const int64_t count = k->config.batch * k->config.shape.outputs;
    g_autoptr(RmilNetwork) network = rmil_network_new(&k->config, k->crew, k->values, error);
    g_autofree float *logits = g_new(float, count), *slopes = g_new(float, count);
    float losses[STEPS];
    RmilTrainConfig adam;
    rmil_train_config_init(&adam);
    for (int step = 0; network && step < STEPS; step++) {
        if (!rmil_network_forward(network, k->values, k->input, logits, error)) return FALSE;
        double loss = 0;
        for (int64_t i = 0; i < count; i++) {
            double slope;
            loss += rmil_bce((double)logits[i], k->labels[i] > 0.5F, &slope) / (double)count;
            slopes[i] = (float)(slope / (double)count);
        }
        losses[step] = (float)loss;
        if (!rmil_network_backward(network, k->values, k->input, slopes, k->gradients, error)) return FALSE;
        if (step == 0) {
            compare(k, "expect.", "logits", logits, count, 1e-4);
            compare(k, "expect.", "loss", losses, 1, 1e-4);
            compare_gradients(k);
            compare_statistics(k, "buffer1.");
        }
        for (guint i = 0; i < k->tensors->len; i++)
            if (learns(k, i))
                rmil_adam_update(&adam, step + 1, k->gradients[i], 1, 0, tensor_at(k, i)->count, k->values[i], k->first[i], k->second[i]);
    }
    if (!network) return FALSE;
    compare(k, "expect.", "losses", losses, STEPS, 1e-4);
    compare_statistics(k, "buffer3.");
    compare_adam(k);
    return compare_prediction(k, "logits_eval3", error);
}

static void check(Conformance *c, const char *folder, const char *name) {
    g_autofree char *path = g_build_filename(folder, name, NULL), *title = g_strdup_printf("finetune/%s", name);
    g_autoptr(RmilCrew) crew = rmil_crew_new(2);
    Case k = {.report = g_string_new(NULL), .crew = crew};
    g_autoptr(GError) error = NULL;
    const gboolean done = run(&k, path, &error);
    if (!done) conformance_case(c, FALSE, title, "%s", error->message);
    else if (k.report->len) conformance_case(c, FALSE, title, "%s", k.report->str);
    else conformance_case(c, TRUE, title, "largest deviation is %.2g of what is allowed", k.worst);
    float **all[] = {k.values, k.gradients, k.first, k.second};
    for (gsize a = 0; a < G_N_ELEMENTS(all); a++) {
        for (guint i = 0; all[a] && i < k.tensors->len; i++) g_free(all[a][i]);
        g_free(all[a]);
    }
    if (k.tensors) g_array_unref(k.tensors);
    g_free(k.input);
    g_free(k.labels);
    g_string_free(k.report, TRUE);
    rmil_tensors_free(k.file);
}

void conformance_finetune(Conformance *c, const char *path) {
    g_autoptr(GPtrArray) names = conformance_files(path, ".safetensors");
    for (guint i = 0; i < names->len; i++) check(c, path, names->pdata[i]);
}
