/* SPDX-License-Identifier: Apache-2.0 */
/* Features that a patch-cnn's network computes from the pixels of a bag's patches: float32 on every machine. */
#include "cnn.h"

#include "encoder/resnet.h"
#include "tensors/tensors-private.h"

#include <string.h>

enum { BATCH = 4 };

struct _RmilCnnRunner {
    RmilResnet *resnet;
    int64_t dim;
    int workers;
    GMutex lock;
    GCond given_back;
    GArray *idle; /* int: idle workers of the network */
    char *last;   /* the last bag and its features: drawing a slide asks for them again */
    int64_t count;
    float *features;
};

static RmilTensors *tensors_of(const RmilModel *model, const float *parameters, GError **error) {
    g_autoptr(RmilTensors) tensors = rmil_tensors_new("patch-cnn");
    for (guint i = 0; i < model->layout.tensors->len; i++) {
        const RmilParameter *p = rmil_parameter_at(&model->layout, (int)i);
        if (!rmil_tensors_add(tensors, p->name, RMIL_DTYPE_F32, p->rank, p->shape, parameters + p->offset, error)) return NULL;
    }
    return g_steal_pointer(&tensors);
}

RmilCnnRunner *rmil_cnn_runner_new(const RmilModel *model, const float *parameters, int threads, GError **error) {
    const RmilNetworkShape shape = rmil_cnn_shape(&model->config);
    g_autoptr(RmilTensors) tensors = tensors_of(model, parameters, error);
    const RmilResnetConfig config = {.width = shape.width,
                                     .stages = RMIL_STAGES,
                                     .side = RMIL_CNN_SIDE,
                                     .batch = BATCH,
                                     .workers = rmil_threads(threads),
                                     .precision = RMIL_FLOAT32};
    RmilResnet *resnet = tensors ? rmil_resnet_new(tensors, &config, error) : NULL;
    if (!resnet) return NULL;
    RmilCnnRunner *runner = g_new0(RmilCnnRunner, 1);
    *runner = (RmilCnnRunner){.resnet = resnet, .dim = rmil_resnet_dim(resnet), .workers = config.workers};
    g_mutex_init(&runner->lock);
    g_cond_init(&runner->given_back);
    runner->idle = g_array_new(FALSE, FALSE, sizeof(int));
    for (int i = 0; i < config.workers; i++) g_array_append_val(runner->idle, i);
    return runner;
}

void rmil_cnn_runner_free(RmilCnnRunner *runner) {
    if (!runner) return;
    rmil_resnet_free(runner->resnet);
    g_free(runner->last);
    rmil_free(runner->features);
    g_array_unref(runner->idle);
    g_cond_clear(&runner->given_back);
    g_mutex_clear(&runner->lock);
    g_free(runner);
}

static int take_worker(RmilCnnRunner *runner) {
    g_mutex_lock(&runner->lock);
    while (!runner->idle->len) g_cond_wait(&runner->given_back, &runner->lock);
    const int worker = g_array_index(runner->idle, int, runner->idle->len - 1);
    g_array_set_size(runner->idle, runner->idle->len - 1);
    g_mutex_unlock(&runner->lock);
    return worker;
}

static void give_worker(RmilCnnRunner *runner, int worker) {
    g_mutex_lock(&runner->lock);
    g_array_append_val(runner->idle, worker);
    g_cond_signal(&runner->given_back);
    g_mutex_unlock(&runner->lock);
}

typedef struct {
    RmilCnnRunner *runner;
    const RmilBag *bag;
    const int64_t *patches; /* into the bag; NULL: all patches */
    int64_t count;
    float *features;
} Encoding;

static gboolean encode_batch(int64_t index, int thread, gpointer user, GError **error) {
    const Encoding *e = user;
    const gsize tile = (gsize)RMIL_CNN_SIDE * RMIL_CNN_SIDE * 3;
    const int64_t first = index * BATCH, count = MIN((int64_t)BATCH, e->count - first);
    g_autofree uint8_t *rgb = rmil_try_new(BATCH, tile, error);
    gboolean done = rgb != NULL;
    for (int64_t i = 0; done && i < count; i++) {
        const int64_t patch = e->patches ? e->patches[first + i] : first + i;
        done = rmil_bag_read_tile(e->bag, patch, RMIL_CNN_SIDE, rgb + (gsize)i * tile, error);
    }
    if (!done) return FALSE;
    const int worker = take_worker(e->runner);
    done = rmil_resnet_run(e->runner->resnet, worker, rgb, (int)count, e->features + first * e->runner->dim, error);
    give_worker(e->runner, worker);
    return done;
}

/* What the features of a bag depend on, apart from the network. A bag's id is that of its slide. */
static char *identity_of(const RmilBag *bag) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *text = g_strdup_printf("%s %a", bag->id, bag->patch_size_level0);
    g_checksum_update(sum, (const guchar *)text, -1);
    g_checksum_update(sum, (const guchar *)bag->coords, (gssize)(2 * bag->count * (int64_t)sizeof *bag->coords));
    return g_strdup(g_checksum_get_string(sum));
}

static gboolean find_last(RmilCnnRunner *runner, const char *identity, RmilBag *out) {
    g_mutex_lock(&runner->lock);
    const gboolean same = g_strcmp0(runner->last, identity) == 0 && runner->count == out->count;
    if (same) memcpy(out->features, runner->features, (gsize)(out->count * runner->dim) * sizeof(float));
    g_mutex_unlock(&runner->lock);
    return same;
}

static void keep_last(RmilCnnRunner *runner, const char *identity, const RmilBag *bag) {
    float *copy = rmil_alloc(bag->count * runner->dim, sizeof(float), NULL);
    if (!copy) return;
    memcpy(copy, bag->features, (gsize)(bag->count * runner->dim) * sizeof(float));
    g_mutex_lock(&runner->lock);
    g_free(runner->last);
    rmil_free(runner->features);
    runner->last = g_strdup(identity);
    runner->count = bag->count;
    runner->features = copy;
    g_mutex_unlock(&runner->lock);
}

static gboolean begin(const RmilCnnRunner *runner, const RmilBag *bag, RmilBag *out, GError **error) {
    *out = *bag;
    out->dim = runner->dim;
    out->precision = RMIL_FLOAT32;
    out->mapped = FALSE;
    return (out->features = rmil_alloc(bag->count * runner->dim, sizeof(float), error)) != NULL;
}

static gboolean encode(RmilCnnRunner *runner, const RmilBag *of, const int64_t *patches, RmilBag *out, GError **error) {
    Encoding encoding = {runner, of, patches, out->count, out->features};
    if (rmil_parallel((out->count + BATCH - 1) / BATCH, runner->workers, encode_batch, &encoding, error)) return TRUE;
    rmil_free(out->features);
    out->features = NULL;
    return FALSE;
}

gboolean rmil_cnn_runner_part(RmilCnnRunner *runner, const RmilCnnPart *part, RmilBag *out, GError **error) {
    return begin(runner, &part->bag, out, error) && encode(runner, part->of, part->patches, out, error);
}

gboolean rmil_cnn_runner_bag(RmilCnnRunner *runner, const RmilBag *bag, RmilBag *out, GError **error) {
    if (!begin(runner, bag, out, error)) return FALSE;
    g_autofree char *identity = bag->id && bag->coords ? identity_of(bag) : NULL;
    if (identity && find_last(runner, identity, out)) return TRUE;
    if (!encode(runner, bag, NULL, out, error)) return FALSE;
    if (identity) keep_last(runner, identity, out);
    return TRUE;
}

gboolean rmil_cnn_look(const RmilModel *model, const RmilBag *bag, RmilBag *out, GError **error) {
    static GMutex lock;
    RmilModel *own = (RmilModel *)model; /* the network is built from the parameters once, at the first call */
    g_mutex_lock(&lock);
    if (!own->own) own->own = rmil_cnn_runner_new(model, model->parameters, model->threads, error);
    g_mutex_unlock(&lock);
    *out = *bag;
    out->features = NULL;
    return own->own && rmil_cnn_runner_bag(own->own, bag, out, error);
}
