/* SPDX-License-Identifier: Apache-2.0 */
/* Training of patch-cnn. Each epoch draws new tiles, in steps of one batch. Validation uses a fixed subset of each slide's tiles, which the
 * network sees as in prediction. */
#include "cnn.h"

#include "bag/pixels.h"
#include "encoder/augment.h"
#include "encoder/resnet.h"
#include "loss.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

enum { STREAM_TILE = 5 };
#define MEMORY ((int64_t)4 << 30) /* bytes of activations kept for the backward pass */

typedef struct {
    const RmilCnnOptions *options;
    RmilNetwork *network;
    int hired;                   /* the trainer's crew that the network was built for */
    float **values, **gradients; /* by tensor */
    RmilCnnPart **parts;         /* by index in the validation set */
    char **unjudged;             /* by index in the original validation set: why some tiles of the slide cannot be read, or NULL */
    int64_t judged;              /* length of unjudged */
    float *input;                /* batch × 3 × side × side */
    float *logits, *slopes;      /* batch × outputs */
    uint8_t **rgb;               /* per tile of a batch: the tile, and scratch of the same size */
    const RmilCnnTile *tiles;    /* of the current batch */
    int64_t first;               /* its position in the epoch */
    int64_t *instead;            /* per tile of the batch: the slide whose tile could not be read, so that another was taken; −1: none */
    char **reasons;              /* and why */
    gboolean *told;              /* per slide */
    gint *empty;                 /* per slide and class: none of its tiles can be read; any thread sets it, all read it */
    int64_t *val;                /* validation slides with a readable tile */
} Own;

/* -- weights --------------------------------------------------------------------------------------------------------------------- */
/* TRUE if the file has this stage completely, FALSE if not at all. */
static gboolean has_stage(const RmilTensors *file, const char *prefix, const GArray *tensors, int stage) {
    for (guint i = 0; i < tensors->len; i++) {
        const RmilNetworkTensor *t = &g_array_index(tensors, RmilNetworkTensor, i);
        g_autofree char *name = g_strconcat(prefix, t->name, NULL);
        if (t->stage == stage && rmil_tensors_find(file, name)) return TRUE;
    }
    return FALSE;
}

/* The network starts with the stages in the file; missing stages and the head are new. */
static gboolean load_weights(RmilTrainer *t, GError **error) {
    const RmilNetworkShape shape = rmil_cnn_shape(&t->model->config);
    g_autoptr(GArray) tensors = rmil_network_tensors(&shape);
    g_autoptr(RmilTensors) file = rmil_weights_read(t->config->weights, NULL, error);
    g_autofree char *prefix = file ? rmil_resnet_prefix(file, error) : NULL;
    g_autoptr(GString) new = g_string_new(NULL);
    gboolean there[RMIL_STAGES + 1];
    if (!prefix) return FALSE;
    for (int stage = 0; stage <= RMIL_STAGES; stage++) {
        there[stage] = has_stage(file, prefix, tensors, stage);
        if (!there[stage]) g_string_append_printf(new, "%slayer%d", new->len ? ", " : "", stage);
    }
    for (guint i = 0; i < tensors->len; i++) {
        const RmilNetworkTensor *tensor = &g_array_index(tensors, RmilNetworkTensor, i);
        if (tensor->stage > RMIL_STAGES || !there[tensor->stage]) continue;
        g_autofree char *name = g_strconcat(prefix, tensor->name, NULL);
        float *values = rmil_tensors_floats(file, name, tensor->rank, tensor->shape, error);
        if (!values) return FALSE;
        memcpy(t->model->parameters + rmil_parameter_at(&t->model->layout, (int)i)->offset, values, (gsize)tensor->count * sizeof *values);
        rmil_free(values);
    }
    if (new->len)
        rmil_monitor_warn(t->monitor, "%s: has no %s: that part of patch-cnn starts from random numbers", t->config->weights, new->str);
    return TRUE;
}

/* -- preparing --------------------------------------------------------------------------------------------------------------------- */
static gboolean make_network(RmilTrainer *t, Own *own, GError **error) {
    const RmilModelConfig *config = &t->model->config;
    const RmilNetworkConfig network = {.shape = rmil_cnn_shape(config),
                                       .side = RMIL_CNN_SIDE,
                                       .batch = own->options->batch,
                                       .frozen = own->options->frozen,
                                       .precision = (RmilPrecision)own->options->precision,
                                       .memory = MEMORY};
    own->hired = t->hired;
    return (own->network = rmil_network_new(&network, t->crew, own->values, error)) != NULL;
}

static gboolean make_arrays(RmilTrainer *t, Own *own, GError **error) {
    const int64_t batch = own->options->batch, outputs = rmil_model_outputs(&t->model->config), tile = RMIL_CNN_SIDE * RMIL_CNN_SIDE * 3;
    const guint n = t->model->layout.tensors->len;
    own->values = g_new(float *, n);
    own->gradients = g_new(float *, n);
    for (guint i = 0; i < n; i++) {
        own->values[i] = t->arrays[RMIL_PARAMETERS] + rmil_parameter_at(&t->model->layout, (int)i)->offset;
        own->gradients[i] = t->gradients + rmil_parameter_at(&t->model->layout, (int)i)->offset;
    }
    own->rgb = g_new0(uint8_t *, batch);
    own->instead = g_new(int64_t, batch);
    own->reasons = g_new0(char *, batch);
    own->logits = g_new(float, batch *outputs);
    own->slopes = g_new(float, batch *outputs);
    if (!(own->input = rmil_alloc(batch * tile, sizeof(float), error))) return FALSE;
    for (int64_t i = 0; i < batch; i++)
        if (!(own->rgb[i] = rmil_alloc(2 * tile, 1, error))) return FALSE;
    return TRUE;
}

static gboolean check_part(int64_t i, int worker, gpointer user, GError **error) {
    Own *own = ((RmilTrainer *)user)->own;
    g_autofree uint8_t *rgb = rmil_try_new(RMIL_CNN_SIDE * RMIL_CNN_SIDE, 3, error);
    if (rgb) rmil_cnn_part_check(own->parts[i], rgb, &own->unjudged[i]);
    return rgb != NULL;
}

/* The tiles on which validation slides are judged, all readable. */
static gboolean choose_parts(RmilTrainer *t, Own *own, GError **error) {
    for (int64_t i = 0; i < t->slides.val_count; i++) {
        const int64_t slide = t->slides.val[i];
        if (!(own->parts[i] = rmil_cnn_part(t->slides.bags[slide], own->options->judged, t->config->seed, slide, error))) return FALSE;
    }
    if (!rmil_crew_run(t->crew, t->slides.val_count, check_part, t, error)) return FALSE;
    own->val = g_new(int64_t, t->slides.val_count + 1);
    int64_t kept = 0;
    const int64_t all = t->slides.val_count;
    for (int64_t i = 0; i < all; i++) {
        const char *id = t->slides.bags[t->slides.val[i]]->id;
        RmilCnnPart *part = own->parts[i];
        if (own->unjudged[i])
            rmil_monitor_warn(t->monitor,
                              part->bag.count
                                  ? "%s: is validated without the tiles that cannot be read: %s"
                                  : "%s: is left out of the validation set, because none of its validation tiles can be read: %s",
                              id, own->unjudged[i]);
        own->parts[i] = NULL;
        if (part->bag.count) own->val[kept] = t->slides.val[i], own->parts[kept++] = part;
        else rmil_cnn_part_free(part);
    }
    t->slides.val = own->val, t->slides.val_count = kept;
    return kept > 0 || all == 0 ||
           rmil_fail(error, RMIL_ERROR_DATA, "no tile of any of the %" G_GINT64_FORMAT " validation slides can be read; the first: %s", all,
                     own->unjudged[0]);
}

static gboolean prepare(RmilTrainer *t, GError **error) {
    Own *own = t->own = g_new0(Own, 1);
    int64_t slides = 0;
    own->options = rmil_model_own(&t->model->config);
    own->parts = g_new0(RmilCnnPart *, t->slides.val_count);
    own->unjudged = g_new0(char *, t->slides.val_count);
    for (int64_t i = 0; i < t->slides.train_count; i++) slides = MAX(slides, t->slides.train[i] + 1);
    own->judged = t->slides.val_count;
    own->told = g_new0(gboolean, slides);
    own->empty = g_new0(gint, slides * RMIL_CLASSES_MOST);
    if (t->config->weights && !load_weights(t, error)) return FALSE;
    if (!t->config->weights)
        rmil_monitor_warn(t->monitor, "patch-cnn starts from random numbers: give the weights of a ResNet-50 with --cnn-weights FILE");
    memcpy(t->arrays[RMIL_PARAMETERS], t->model->parameters, (gsize)t->stride * sizeof(float)); /* frozen stages are read from it */
    if (!make_arrays(t, own, error) || !make_network(t, own, error)) return FALSE;
    return choose_parts(t, own, error);
}

static void release(RmilTrainer *t) {
    Own *own = t->own;
    if (!own) return;
    for (int64_t i = 0; i < t->slides.val_count; i++) rmil_cnn_part_free(own->parts[i]);
    for (int64_t i = 0; i < own->judged; i++) g_free(own->unjudged[i]);
    for (int64_t i = 0; own->rgb && i < own->options->batch; i++) {
        rmil_free(own->rgb[i]);
        g_free(own->reasons[i]);
    }
    rmil_network_free(own->network);
    rmil_free(own->input);
    void *all[] = {own->values, own->gradients, own->parts, own->unjudged, own->rgb, own->instead, own->reasons,
                   own->logits, own->slopes,    own->told,  own->empty,    own->val, own};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) g_free(all[i]);
}

/* -- an epoch ------------------------------------------------------------------------------------------------------------------------ */
/* The first readable patch of the tile's class on a slide, from its position on. */
static gboolean read_on(const RmilTrainer *t, Own *own, int64_t i, int64_t slide) {
    const RmilCnnTile *tile = &own->tiles[i];
    const RmilBag *bag = t->slides.bags[slide];
    const RmilPatchKnown known = rmil_patch_known(&t->model->config.task, &t->slides.targets[slide], bag);
    gint *empty = &own->empty[slide * RMIL_CLASSES_MOST + tile->class];
    for (int64_t k = 0; k < bag->count && !g_atomic_int_get(empty); k++) {
        const int64_t patch = (tile->patch + k) % bag->count;
        GError *reason = NULL;
        if (rmil_patch_class(&known, bag, patch) != tile->class) continue;
        if (rmil_bag_read_tile(bag, patch, RMIL_CNN_SIDE, own->rgb[i], &reason)) return TRUE;
        if (own->instead[i] < 0) own->reasons[i] = g_strdup(reason->message);
        if (own->instead[i] < 0) own->instead[i] = slide;
        g_error_free(reason);
    }
    g_atomic_int_set(empty, 1);
    return FALSE;
}

/* An unreadable tile is replaced by the next patch of its class on the slide; if there is none, by one of the following slides. */
static gboolean read_tile(const RmilTrainer *t, Own *own, int64_t i, GError **error) {
    const RmilCnnTile *tile = &own->tiles[i];
    const int64_t count = t->slides.train_count;
    int64_t place = 0;
    while (t->slides.train[place] != tile->slide) place++;
    for (int64_t s = 0; s < count; s++)
        if (read_on(t, own, i, t->slides.train[(place + s) % count])) return TRUE;
    return rmil_fail(error, RMIL_ERROR_IO, "%s: none of its tiles of class %d can be read, nor any of another training slide: %s",
                     t->slides.bags[tile->slide]->id, tile->class, own->reasons[i] ? own->reasons[i] : "see the warnings above");
}

static gboolean fill_tile(int64_t i, int worker, gpointer user, GError **error) {
    RmilTrainer *t = user;
    Own *own = t->own;
    const int64_t pixels = RMIL_CNN_SIDE * RMIL_CNN_SIDE;
    const RmilAugmentation how = {own->options->flip, own->options->turn, own->options->stain};
    uint8_t *rgb = own->rgb[i];
    RmilRng rng;
    own->instead[i] = -1;
    if (!read_tile(t, own, i, error)) return FALSE;
    rmil_rng_init(&rng, t->config->seed, rmil_trainer_stream(STREAM_TILE, t->state.epoch + 1, own->first + i));
    rmil_augment(&how, &rng, RMIL_CNN_SIDE, rgb, rgb + 3 * pixels);
    rmil_resnet_input(rgb, RMIL_CNN_SIDE, own->input + 3 * pixels * i);
    return TRUE;
}

static void say_unread(RmilTrainer *t, Own *own) {
    for (int64_t i = 0; i < own->options->batch; i++) {
        if (own->instead[i] >= 0 && !own->told[own->instead[i]])
            rmil_monitor_warn(t->monitor,
                              g_atomic_int_get(&own->empty[own->instead[i] * RMIL_CLASSES_MOST + own->tiles[i].class])
                                  ? "%s: none of its tiles of one class can be read, so tiles of other slides replace them: %s"
                                  : "%s: a tile cannot be read, so another tile of the slide replaces it: %s",
                              t->slides.bags[own->instead[i]]->id, own->reasons[i]);
        if (own->instead[i] >= 0) own->told[own->instead[i]] = TRUE;
        g_clear_pointer(&own->reasons[i], g_free);
    }
}

/* The mean cross-entropy of the batch, and its slopes with respect to the logits. */
static double batch_loss(const RmilTrainer *t, Own *own) {
    const int outputs = rmil_model_outputs(&t->model->config);
    const int64_t batch = own->options->batch;
    double loss = 0, z[RMIL_OUTPUTS_MOST], dz[RMIL_OUTPUTS_MOST];
    for (int64_t i = 0; i < batch; i++) {
        const int class = own->tiles[i].class;
        for (int c = 0; c < outputs; c++) z[c] = (double)own->logits[i * outputs + c];
        loss += (outputs == 1 ? rmil_bce(z[0], class, dz) : rmil_cross_entropy(z, outputs, class, dz)) / (double)batch;
        for (int c = 0; c < outputs; c++) own->slopes[i * outputs + c] = (float)(dz[c] / (double)batch);
    }
    return loss;
}

static gboolean train_batch(RmilTrainer *t, Own *own, double *loss, GError **error) {
    if (!rmil_crew_run(t->crew, own->options->batch, fill_tile, t, error)) return FALSE;
    say_unread(t, own);
    if (!rmil_network_forward(own->network, own->values, own->input, own->logits, error)) return FALSE;
    *loss = batch_loss(t, own);
    return rmil_network_backward(own->network, own->values, own->input, own->slopes, own->gradients, error) &&
           rmil_trainer_update(t, 1, error);
}

/* The cache of the slides' pixels, which all bags share. */
static RmilPixelCache *cache_of(const RmilTrainer *t) {
    RmilPixelPlace place;
    RmilPixelCache *cache = NULL;
    return rmil_pixel_place(t->slides.bags[t->slides.train[0]], 0, RMIL_CNN_SIDE, &place, &cache, NULL) ? cache : NULL;
}

/* Announces that the pixels of these tiles are needed next, in this order; n 0: none. */
static void expect(const RmilTrainer *t, const RmilCnnTile *tiles, int64_t n) {
    RmilPixelCache *cache = cache_of(t);
    g_autofree RmilTileWanted *wanted = g_new(RmilTileWanted, n + 1);
    for (int64_t i = 0; i < n; i++) wanted[i] = (RmilTileWanted){t->slides.bags[tiles[i].slide], tiles[i].patch};
    if (cache) rmil_pixel_cache_expect(cache, wanted, n, RMIL_CNN_SIDE);
}

static gboolean learn(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    Own *own = t->own;
    int64_t n;
    if (own->hired != t->hired && !rmil_network_hire(own->network, t->crew, own->values, error)) return FALSE;
    own->hired = t->hired;
    g_autofree RmilCnnTile *tiles = rmil_cnn_draw(t, own->options, &n);
    gboolean done = TRUE;
    expect(t, tiles, n);
    for (own->first = 0; done && own->first < n; own->first += own->options->batch) {
        double loss;
        own->tiles = tiles + own->first;
        done = train_batch(t, own, &loss, error);
        if (done) epoch->train_loss += loss * (double)own->options->batch / (double)n;
        if (done)
            rmil_monitor_note(t->monitor, "epoch %" G_GINT64_FORMAT ", tiles %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ", loss %.3f",
                              epoch->epoch, own->first + own->options->batch, n, loss);
    }
    expect(t, NULL, 0);
    epoch->train_slide_loss = epoch->train_loss;
    return done && rmil_trainer_finite(t, epoch, error);
}

/* The usual validation, on bags with the network's current features. */
static gboolean validate(RmilTrainer *t, RmilEpoch *epoch, GError **error) {
    const Own *own = t->own;
    const RmilTrainSlides slides = t->slides;
    int64_t most = 0;
    for (int64_t i = 0; i < slides.val_count; i++) most = MAX(most, slides.val[i] + 1);
    g_autofree RmilBag *seen = g_new0(RmilBag, slides.val_count + 1);
    g_autofree const RmilBag **bags = g_new0(const RmilBag *, most + 1);
    RmilCnnRunner *runner = slides.val_count ? rmil_cnn_runner_new(t->model, t->arrays[RMIL_PARAMETERS], rmil_crew_threads(t->crew), error)
                                             : NULL;
    gboolean done = runner || !slides.val_count;
    for (int64_t i = 0; done && i < slides.val_count; i++) {
        done = rmil_cnn_runner_part(runner, own->parts[i], &seen[i], error);
        bags[slides.val[i]] = &seen[i];
    }
    t->slides.bags = bags;
    done = done && rmil_trainer_validate(t, epoch, error);
    t->slides = slides;
    for (int64_t i = 0; i < slides.val_count; i++) rmil_free(seen[i].features);
    rmil_cnn_runner_free(runner);
    return done;
}

static int64_t slots(const RmilTrainConfig *config) { return 1; }

const RmilTrainerKind rmil_cnn_trainer = {slots, prepare, learn, validate, release};
