/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-50 in training: its tensors, and its parts. */
#include "network-private.h"

#include "tensors/tensors-private.h"

#include <string.h>

void rmil_network_shape_init(RmilNetworkShape *shape, int width, int outputs) {
    *shape = (RmilNetworkShape){.width = width, .blocks = {3, 4, 6, 3}, .outputs = outputs};
}

/* -- tensors ------------------------------------------------------------------------------------------------------------- */
static void add_tensor(GArray *all, int stage, const char *owner, const char *name, int rank, const int64_t *shape) {
    RmilNetworkTensor t = {.rank = rank, .count = 1, .stage = stage};
    g_snprintf(t.name, sizeof t.name, "%s.%s", owner, name);
    for (int i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        t.count *= shape[i];
    }
    t.statistic = g_str_has_prefix(name, "running_");
    t.usual = strcmp(name, "running_var") == 0 || (rank == 1 && strcmp(name, "weight") == 0) ? 1 : 0;
    if (rank > 1) t.inputs = t.count / shape[0];
    g_array_append_val(all, t);
}

static void add_unit(GArray *all, int stage, const char *convolution, const char *norm, int64_t out, int64_t in, int64_t kernel) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const int64_t shape[4] = {out, in, kernel, kernel};
    add_tensor(all, stage, convolution, "weight", 4, shape);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) add_tensor(all, stage, norm, parts[i], 1, shape);
}

GArray *rmil_network_tensors(const RmilNetworkShape *shape) {
    GArray *all = g_array_new(FALSE, TRUE, sizeof(RmilNetworkTensor));
    int64_t in = shape->width;
    add_unit(all, 0, "conv1", "bn1", in, 3, 7);
    for (int stage = 0; stage < RMIL_STAGES; stage++)
        for (int b = 0; b < shape->blocks[stage]; b++) {
            const int64_t width = (int64_t)shape->width << stage;
            const int64_t sizes[RMIL_UNITS][3] = {{width, in, 1}, {width, width, 3}, {4 * width, width, 1}, {4 * width, in, 1}};
            for (int u = 0; u < (b == 0 ? RMIL_UNITS : RMIL_SHORTCUT); u++) {
                char convolution[48], norm[48];
                g_snprintf(convolution, sizeof convolution, u == RMIL_SHORTCUT ? "layer%d.%d.downsample.0" : "layer%d.%d.conv%d", stage + 1,
                           b, u + 1);
                g_snprintf(norm, sizeof norm, u == RMIL_SHORTCUT ? "layer%d.%d.downsample.1" : "layer%d.%d.bn%d", stage + 1, b, u + 1);
                add_unit(all, stage + 1, convolution, norm, sizes[u][0], sizes[u][1], sizes[u][2]);
            }
            in = 4 * width;
        }
    const int64_t head[] = {shape->outputs, in};
    add_tensor(all, RMIL_STAGES + 1, "fc", "weight", 2, head);
    add_tensor(all, RMIL_STAGES + 1, "fc", "bias", 1, head);
    g_array_index(all, RmilNetworkTensor, all->len - 1).usual = 0;
    g_array_index(all, RmilNetworkTensor, all->len - 1).inputs = in;
    return all;
}

/* -- parts ------------------------------------------------------------------------------------------------------------------ */
/* Memory that is counted. */
static void *take(RmilNetwork *n, int64_t count, gsize size, GError **error) {
    n->memory += count * (int64_t)size;
    return rmil_alloc(count, size, error);
}

/* Blocks of 16 or 8 channels, whichever this processor has fast convolutions for; if the number of channels is not a multiple of eight, all
 * together. */
static dnnl_format_tag_t find_layout(const RmilNetwork *n) {
    static const dnnl_format_tag_t tags[] = {dnnl_nChw16c, dnnl_nChw8c};
    static const int blocks[] = {16, 8};
    const int64_t width = n->config.shape.width;
    const dnnl_data_type_t type = rmil_dnn_type(n->config.precision);
    const dnnl_dims_t maps = {n->chunk, width, 8, 8}, sizes = {width, width, 3, 3};
    dnnl_format_tag_t found = dnnl_nhwc;
    for (gsize i = 0; i < G_N_ELEMENTS(tags) && found == dnnl_nhwc && width % 8 == 0; i++) {
        RmilOwnLayout tried = width % blocks[i] ? NULL : rmil_layout_new(4, maps, type, tags[i]),
                      weights = rmil_layout_new(4, sizes, type, dnnl_format_tag_any);
        const RmilConvolutionLayouts layouts = {.source = tried,
                                                .weights = weights,
                                                .destination = tried,
                                                .strides = {1, 1},
                                                .padding = {1, 1}};
        dnnl_primitive_desc_t description = NULL;
        if (tried && weights &&
            rmil_describe_convolution(&description, n->dnn->engine, RMIL_FORWARD_TRAINING, &layouts, NULL, NULL) == dnnl_success) {
            if (strstr(rmil_dnn_name(description), "jit")) found = tags[i];
            dnnl_primitive_desc_destroy(description);
        }
        rmil_layout_free(tried);
        rmil_layout_free(weights);
    }
    return found;
}

static gboolean make_unit(RmilNetwork *n, RmilUnit *unit, RmilLearnedShape shape, int *tensor, GError **error) {
    const int64_t side = rmil_learned_side(&shape);
    unit->side = side;
    unit->maps = (RmilMaps){n->chunk, shape.out, side * side, rmil_learned_block(shape.layout, shape.out), n->config.precision};
    unit->tensor = *tensor;
    *tensor += 5;
    return (unit->convolution = rmil_learned_new(n->dnn, &shape, error)) && (unit->norm = rmil_norm_new(shape.out, error)) &&
           (unit->sums = take(n, n->chunks * 2 * shape.out, sizeof(double), error));
}

/* One bottleneck over `in` channels, side × side. */
static gboolean make_block(RmilNetwork *n, RmilBlock *block, int64_t width, int64_t in, int64_t side, int64_t stride,
                           dnnl_format_tag_t layout, int *tensor, GError **error) {
    RmilLearnedShape shapes[RMIL_UNITS] = {{.out = width, .in = in, .kernel = 1, .stride = 1, .side = side},
                                           {.out = width, .in = width, .kernel = 3, .stride = stride, .padding = 1, .side = side},
                                           {.out = 4 * width, .in = width, .kernel = 1, .stride = 1, .side = (side - 1) / stride + 1},
                                           {.out = 4 * width, .in = in, .kernel = 1, .stride = stride, .side = side}};
    for (int u = 0; u < (block->projects ? RMIL_UNITS : RMIL_SHORTCUT); u++) {
        shapes[u].images = n->chunk;
        shapes[u].layout = layout;
        shapes[u].precision = n->config.precision;
        if (!make_unit(n, &block->units[u], shapes[u], tensor, error)) return FALSE;
    }
    return (block->out = take(n, n->chunks, rmil_unit_chunk(&block->units[RMIL_LAST]), error)) != NULL;
}

static gboolean make_parts(RmilNetwork *n, GError **error) {
    const RmilNetworkConfig *c = &n->config;
    const dnnl_format_tag_t layout = find_layout(n);
    RmilLearnedShape stem = {.images = n->chunk,
                             .in = 3,
                             .out = c->shape.width,
                             .kernel = 7,
                             .stride = 2,
                             .padding = 3,
                             .side = c->side,
                             .layout = layout,
                             .first = TRUE,
                             .precision = c->precision};
    int64_t side = (rmil_learned_side(&stem) - 1) / 2 + 1, in = c->shape.width;
    int tensor = 0;
    for (int stage = 0; stage < RMIL_STAGES; stage++) n->n_blocks += stage + 1 < c->frozen ? 0 : c->shape.blocks[stage];
    n->blocks = g_new0(RmilBlock, n->n_blocks);
    if (!c->frozen && !make_unit(n, &n->stem, stem, &tensor, error)) return FALSE;
    tensor = 5;
    RmilBlock *next = n->blocks;
    for (int stage = 0; stage < RMIL_STAGES; stage++)
        for (int b = 0; b < c->shape.blocks[stage]; b++) {
            const int64_t width = (int64_t)c->shape.width << stage, stride = stage && !b ? 2 : 1;
            if (stage + 1 >= c->frozen) {
                if (next == n->blocks) n->entry = (RmilMaps){n->chunk, in, side * side, rmil_learned_block(layout, in), c->precision};
                next->projects = b == 0;
                if (!make_block(n, next++, width, in, side, stride, layout, &tensor, error)) return FALSE;
            } else {
                tensor += 5 * (b == 0 ? RMIL_UNITS : RMIL_SHORTCUT);
            }
            side = (side - 1) / stride + 1;
            in = 4 * width;
        }
    n->head = tensor;
    n->channels = in;
    return (n->input = take(n, n->chunks, rmil_maps_bytes(&n->entry), error)) &&
           (n->features = take(n, c->batch * in, sizeof(float), error)) && (n->slopes = take(n, c->batch * in, sizeof(float), error));
}

/* -- memory ------------------------------------------------------------------------------------------------------------------ */
static gsize block_bytes(const RmilNetwork *n, const RmilBlock *block) {
    gsize bytes = 0;
    for (int u = 0; u < RMIL_UNITS; u++)
        if (block->units[u].norm) bytes += (gsize)n->chunks * rmil_unit_chunk(&block->units[u]);
    return bytes;
}

static void place_units(const RmilNetwork *n, RmilBlock *block, char *memory) {
    for (int u = 0; u < RMIL_UNITS; u++)
        if (block->units[u].norm) {
            block->units[u].x = memory;
            memory += (gsize)n->chunks * rmil_unit_chunk(&block->units[u]);
        }
}

/* The last blocks, whose maps are small, keep their arrays; if memory is short, the first blocks share two arrays in turn. */
static gboolean place_blocks(RmilNetwork *n, GError **error) {
    const gsize bound = n->config.memory ? (gsize)n->config.memory : G_MAXSIZE;
    gsize used = 0, most = 0;
    for (int b = n->n_blocks; b-- > 0;) {
        const gsize bytes = block_bytes(n, &n->blocks[b]);
        n->blocks[b].kept = used + bytes <= bound;
        if (n->blocks[b].kept) used += bytes;
        else most = MAX(most, bytes);
    }
    for (int i = 0; most && i < 2; i++)
        if (!(n->shared[i] = take(n, (int64_t)most, 1, error))) return FALSE;
    for (int b = 0; b < n->n_blocks; b++) {
        RmilBlock *block = &n->blocks[b];
        char *memory = block->kept ? take(n, (int64_t)block_bytes(n, block), 1, error) : n->shared[b % 2];
        if (!memory) return FALSE;
        place_units(n, block, memory);
    }
    return n->config.frozen || (n->stem.x = take(n, n->chunks, rmil_unit_chunk(&n->stem), error));
}

static gboolean place_slopes(RmilNetwork *n, GError **error) {
    int64_t most = 0;
    n->stride = rmil_maps_bytes(&n->entry);
    for (int i = -1; i < n->n_blocks; i++)
        for (int u = 0; u < RMIL_UNITS; u++) {
            const RmilUnit *unit = i < 0 ? &n->stem : &n->blocks[i].units[u];
            if (!unit->convolution) continue;
            n->stride = MAX(n->stride, rmil_unit_chunk(unit));
            n->work = MAX(n->work, rmil_learned_scratch(unit->convolution));
            most = MAX(most, rmil_learned_gradient_count(unit->convolution));
        }
    n->stride = MAX(n->stride, (gsize)n->chunk * 3 * (gsize)n->config.side * (gsize)n->config.side * sizeof(float)); /* tiles as bfloat16 */
    n->stride = (n->stride + 63) / 64 * 64;
    for (int i = 0; i < 2; i++)
        if (!(n->partial[i] = take(n, n->chunks * most, sizeof(float), error))) return FALSE;
    return (n->g = take(n, n->chunks, n->stride, error)) && (n->d = take(n, n->chunks, n->stride, error)) &&
           (n->h = take(n, n->chunks, n->stride, error));
}

/* -- frozen stages ------------------------------------------------------------------------------------------------------------ */
static gboolean make_prefix(RmilNetwork *n, float *const *values, GError **error) {
    const RmilNetworkConfig *c = &n->config;
    g_autoptr(GArray) tensors = rmil_network_tensors(&c->shape);
    RmilResnetConfig config = {.width = c->shape.width,
                               .stages = c->frozen - 1,
                               .side = c->side,
                               .batch = (int)n->chunk,
                               .workers = rmil_crew_threads(n->crew),
                               .precision = c->precision};
    memcpy(config.blocks, c->shape.blocks, sizeof config.blocks);
    g_autoptr(RmilTensors) frozen = rmil_tensors_new("frozen stages"); /* and the next one, by which the kind of network is recognised */
    for (guint i = 0; i < tensors->len; i++) {
        const RmilNetworkTensor *t = &g_array_index(tensors, RmilNetworkTensor, i);
        if (t->stage <= c->frozen && !rmil_tensors_add(frozen, t->name, RMIL_DTYPE_F32, t->rank, t->shape, values[i], error)) return FALSE;
    }
    rmil_resnet_free(n->prefix);
    return (n->prefix = rmil_resnet_new(frozen, &config, error)) != NULL;
}

static void dismiss(RmilNetwork *n) {
    for (int i = 0; i < n->n_workers; i++) {
        rmil_stream_free(n->workers[i].stream);
        for (int k = 0; k < 2; k++) rmil_free(n->workers[i].scratch[k]);
        rmil_free(n->workers[i].work);
    }
    g_clear_pointer(&n->workers, g_free);
    n->n_workers = 0;
}

gboolean rmil_network_hire(RmilNetwork *n, RmilCrew *crew, float *const *values, GError **error) {
    const int threads = rmil_crew_threads(crew);
    n->crew = crew;
    if (n->config.frozen && (!n->prefix || threads != n->n_workers) && !make_prefix(n, values, error)) return FALSE;
    dismiss(n);
    n->workers = g_new0(RmilNetworkWorker, threads);
    n->n_workers = threads;
    for (int i = 0; i < threads; i++) {
        RmilNetworkWorker *w = &n->workers[i];
        for (int k = 0; k < 2; k++)
            if (!(w->scratch[k] = rmil_alloc((int64_t)n->stride, 1, error))) return FALSE;
        if (!(w->stream = rmil_stream_new(n->dnn, error)) || !(w->work = rmil_alloc((int64_t)MAX(n->work, 64), 1, error))) return FALSE;
    }
    return TRUE;
}

RmilNetwork *rmil_network_new(const RmilNetworkConfig *config, RmilCrew *crew, float *const *values, GError **error) {
    g_autoptr(RmilNetwork) n = g_new0(RmilNetwork, 1);
    n->config = *config;
    n->chunk = MIN(config->batch, RMIL_NETWORK_CHUNK);
    while (config->batch % n->chunk) n->chunk--;
    n->chunks = config->batch / n->chunk;
    const int before = rmil_openmp_single(); /* oneDNN fixes a layer's number of threads when it plans it; here the threads are the crew's
                                              * workers */
    const gboolean done = (n->dnn = rmil_dnn_new(error)) && make_parts(n, error) && place_blocks(n, error) && place_slopes(n, error) &&
                          rmil_network_hire(n, crew, values, error);
    rmil_openmp_restore(before);
    return done ? g_steal_pointer(&n) : NULL;
}

static void free_unit(RmilUnit *unit) {
    rmil_learned_free(unit->convolution);
    rmil_norm_free(unit->norm);
    rmil_free(unit->sums);
}

void rmil_network_free(RmilNetwork *n) {
    if (!n) return;
    dismiss(n);
    free_unit(&n->stem);
    rmil_free(n->stem.x);
    for (int b = 0; b < n->n_blocks; b++) {
        RmilBlock *block = &n->blocks[b];
        if (block->kept) rmil_free(block->units[0].x);
        for (int u = 0; u < RMIL_UNITS; u++) free_unit(&block->units[u]);
        rmil_free(block->out);
    }
    g_free(n->blocks);
    rmil_free(n->input);
    rmil_free(n->features);
    rmil_free(n->slopes);
    for (int i = 0; i < 2; i++) {
        rmil_free(n->shared[i]);
        rmil_free(n->partial[i]);
    }
    rmil_free(n->g);
    rmil_free(n->d);
    rmil_free(n->h);
    rmil_resnet_free(n->prefix);
    rmil_dnn_free(n->dnn);
    g_free(n);
}

int64_t rmil_network_memory(const RmilNetwork *n) { return n->memory; }
