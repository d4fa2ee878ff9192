/* SPDX-License-Identifier: Apache-2.0 */
/* Vision transformers: names, refusals, positions, pooling, and the same bits however tiles come. */
#include "encoder/product.h"
#include "encoder/vit-position.h"
#include "encoder/vit.h"
#include "rankmil/encoder.h"
#include "support.h"

#include <math.h>

enum { EMBED = 24, HEADS = 3, PATCH = 8, SIDE = 40, GRID = SIDE / PATCH, DEPTH = 2, TILE = SIDE * SIDE * 3 };

/* -- weights ---------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *prefix;
    gboolean hugging, gated, scales, chunks;
    int64_t registers, rows;
    uint64_t seed;
} Made;

static float *add(RmilTensors *tensors, RmilRng *rng, const char *prefix, const char *name, int rank, const int64_t *shape) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    float *values = g_new(float, count);
    for (int64_t i = 0; i < count; i++) values[i] = ((float)rmil_rng_below(rng, 2001) - 1000) / 4000;
    g_autofree char *full = g_strconcat(prefix, name, NULL);
    rmil_tensors_keep(tensors, values, g_free);
    g_assert_true(rmil_tensors_add(tensors, full, RMIL_DTYPE_F32, rank, shape, values, NULL));
    return values;
}

/* name.weight (out, in), or (out) where in is 0, and name.bias */
static void add_pair(RmilTensors *tensors, RmilRng *rng, const char *prefix, const char *name, int64_t out, int64_t in) {
    g_autofree char *weight = g_strconcat(name, ".weight", NULL), *bias = g_strconcat(name, ".bias", NULL);
    add(tensors, rng, prefix, weight, in ? 2 : 1, (const int64_t[]){out, in});
    add(tensors, rng, prefix, bias, 1, &out);
}

static void add_block(RmilTensors *tensors, RmilRng *rng, const Made *m, const char *prefix) {
    const int64_t inner = 4 * EMBED, outer = m->gated ? inner / 2 : inner, embed = EMBED;
    add_pair(tensors, rng, prefix, m->hugging && !m->scales ? "layernorm_before" : "norm1", EMBED, 0);
    add_pair(tensors, rng, prefix, m->hugging && !m->scales ? "layernorm_after" : "norm2", EMBED, 0);
    if (m->hugging) {
        add_pair(tensors, rng, prefix, "attention.attention.query", EMBED, EMBED);
        add_pair(tensors, rng, prefix, "attention.attention.key", EMBED, EMBED);
        add_pair(tensors, rng, prefix, "attention.attention.value", EMBED, EMBED);
        add_pair(tensors, rng, prefix, "attention.output.dense", EMBED, EMBED);
        add_pair(tensors, rng, prefix, m->gated ? "mlp.weights_in" : m->scales ? "mlp.fc1" : "intermediate.dense", inner, EMBED);
        add_pair(tensors, rng, prefix, m->gated ? "mlp.weights_out" : m->scales ? "mlp.fc2" : "output.dense", EMBED, outer);
    } else {
        add_pair(tensors, rng, prefix, "attn.qkv", 3 * EMBED, EMBED);
        add_pair(tensors, rng, prefix, "attn.proj", EMBED, EMBED);
        add_pair(tensors, rng, prefix, m->gated && m->chunks ? "mlp.w12" : "mlp.fc1", inner, EMBED);
        add_pair(tensors, rng, prefix, m->gated && m->chunks ? "mlp.w3" : "mlp.fc2", EMBED, outer);
    }
    if (!m->scales) return;
    add(tensors, rng, prefix, m->hugging ? "layer_scale1.lambda1" : "ls1.gamma", 1, &embed);
    add(tensors, rng, prefix, m->hugging ? "layer_scale2.lambda1" : "ls2.gamma", 1, &embed);
}

static void add_network(RmilTensors *tensors, const Made *m) {
    RmilRng rng;
    rmil_rng_init(&rng, m->seed, 0);
    const char *start = m->hugging ? "embeddings." : "";
    g_autofree char *outer = g_strconcat(m->prefix, start, NULL);
    const int64_t rows = m->rows ? m->rows : GRID * GRID + 1, embed = EMBED;
    add(tensors, &rng, outer, m->hugging ? "patch_embeddings.projection.weight" : "patch_embed.proj.weight", 4,
        (const int64_t[]){EMBED, 3, PATCH, PATCH});
    add(tensors, &rng, outer, m->hugging ? "patch_embeddings.projection.bias" : "patch_embed.proj.bias", 1, &embed);
    add(tensors, &rng, outer, "cls_token", 3, (const int64_t[]){1, 1, EMBED});
    add(tensors, &rng, outer, m->hugging ? "position_embeddings" : "pos_embed", 3, (const int64_t[]){1, rows, EMBED});
    if (m->registers)
        add(tensors, &rng, outer, m->hugging || m->chunks ? "register_tokens" : "reg_token", 3, (const int64_t[]){1, m->registers, EMBED});
    for (int i = 0; i < DEPTH; i++) {
        g_autofree char *block = m->hugging  ? g_strdup_printf("%sencoder.layer.%d.", m->prefix, i)
                                 : m->chunks ? g_strdup_printf("%sblocks.%d.%d.", m->prefix, i, i)
                                             : g_strdup_printf("%sblocks.%d.", m->prefix, i);
        add_block(tensors, &rng, m, block);
    }
    add_pair(tensors, &rng, m->prefix, m->hugging ? "layernorm" : "norm", EMBED, 0);
}

static RmilTensors *make(const Made *m) {
    RmilTensors *tensors = rmil_tensors_new("made.pth");
    add_network(tensors, m);
    return tensors;
}

static RmilVit *open_with(const RmilTensors *tensors, RmilVitPooling pooling, RmilPrecision precision, int batch) {
    const RmilVitConfig config = {.heads = HEADS,
                                  .side = SIDE,
                                  .eps = 1e-6,
                                  .rule = RMIL_POSITION_ANTIALIAS,
                                  .pooling = pooling,
                                  .mean = {0.5, 0.4, 0.6},
                                  .sd = {0.2, 0.3, 0.25},
                                  .batch = batch,
                                  .workers = 3,
                                  .precision = precision};
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, &error);
    g_assert_no_error(error);
    RmilVit *vit = rmil_vit_new(weights, &config, &error);
    g_assert_no_error(error);
    return vit;
}

static uint8_t *draw(int count) {
    RmilRng rng;
    rmil_rng_init(&rng, 9, 0);
    uint8_t *rgb = g_malloc((gsize)count * TILE);
    for (int i = 0; i < count * TILE; i++) rgb[i] = (uint8_t)rmil_rng_below(&rng, 256);
    return rgb;
}

/* -- names ------------------------------------------------------------------------------------------------------------------ */

/* The same numbers under every name and prefix make the same features. */
static void test_names(void) {
    static const Made pairs[][2] = {
        {{.prefix = ""}, {.prefix = "teacher.module.backbone."}},
        {{.prefix = "", .scales = TRUE, .gated = TRUE}, {.prefix = "model.", .scales = TRUE, .gated = TRUE, .chunks = TRUE}},
        {{.prefix = "", .scales = TRUE, .registers = 2}, {.prefix = "state_dict.encoder.", .scales = TRUE, .registers = 2, .rows = 26}},
    };
    g_autofree uint8_t *rgb = draw(2);
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        float features[2][2 * EMBED];
        for (int k = 0; k < 2; k++) {
            g_autoptr(RmilTensors) tensors = make(&pairs[i][k]);
            g_autoptr(RmilVit) vit = open_with(tensors, RMIL_VIT_CLASS, RMIL_FLOAT32, 0);
            rmil_vit_run(vit, 0, rgb, 2, features[k]);
        }
        g_assert_true(memcmp(features[0], features[1], sizeof features[0]) == 0);
        g_assert_true(memcmp(features[0], features[0] + EMBED, EMBED * sizeof(float)) != 0);
    }
    /* what the tensors tell */
    static const Made hugging = {.prefix = "vit.", .hugging = TRUE, .scales = TRUE, .gated = TRUE, .registers = 4};
    g_autoptr(RmilTensors) tensors = make(&hugging);
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, NULL);
    const RmilVitShape *s = rmil_vit_weights_shape(weights);
    g_assert_true(s->embed == EMBED && s->depth == DEPTH && s->patch == PATCH && s->registers == 4 && s->inner == 4 * EMBED &&
                  s->outer == 2 * EMBED && s->gated && s->layer_scale && s->rows == GRID * GRID + 1);
}

/* Of a checkpoint with two networks the teacher's is taken, whatever its place; else the one that is no student's. */
static void test_teacher(void) {
    static const Made others[] = {{.prefix = "student.backbone.", .seed = 2}, {.prefix = "a.", .seed = 3}};
    static const Made teacher = {.prefix = "teacher.backbone.", .seed = 1}, plain = {.prefix = "model.", .seed = 1};
    g_autofree uint8_t *rgb = draw(1);
    float features[4][EMBED];
    for (int k = 0; k < 4; k++) {
        g_autoptr(RmilTensors) tensors = make(k == 3 ? &plain : &teacher);
        if (k == 1 || k == 3) add_network(tensors, &others[0]);
        if (k == 2) add_network(tensors, &others[1]);
        g_autoptr(RmilVit) vit = open_with(tensors, RMIL_VIT_CLASS, RMIL_FLOAT32, 0);
        rmil_vit_run(vit, 0, rgb, 1, features[k]);
        g_assert_true(memcmp(features[k], features[0], sizeof features[0]) == 0);
    }
}

static void refused(const RmilTensors *tensors, const char *part) {
    GError *error = NULL;
    g_assert_null(rmil_vit_weights_new(tensors, &error));
    test_error(&error, RMIL_ERROR_FORMAT, part);
}

/* A made network without the tensor of that name. */
static RmilTensors *without(const Made *m, const char *name) {
    g_autoptr(RmilTensors) all = make(m);
    RmilTensors *rest = rmil_tensors_new("made.pth");
    for (int64_t i = 0; i < rmil_tensors_count(all); i++) {
        const RmilTensor *t = rmil_tensors_at(all, i);
        if (strcmp(t->name, name) == 0) continue;
        float *copy = g_memdup2(t->data, (gsize)t->count * sizeof(float));
        rmil_tensors_keep(rest, copy, g_free);
        g_assert_true(rmil_tensors_add(rest, t->name, t->dtype, t->rank, t->shape, copy, NULL));
    }
    return rest;
}

static void test_refused(void) {
    static const Made plain = {.prefix = "m."};
    RmilRng rng;
    rmil_rng_init(&rng, 5, 0);
    g_autoptr(RmilTensors) empty = rmil_tensors_new("empty.pth");
    refused(empty, "empty.pth: contains no vision transformer");
    static const struct {
        const char *name, *part;
    } missing[] = {{"m.blocks.1.attn.qkv.bias", "made.pth: has no tensor \"m.blocks.1.attn.qkv.bias\""},
                   {"m.pos_embed", "has no tensor \"m.pos_embed\""},
                   {"m.norm.weight", "has no tensor \"m.norm.weight\""},
                   {"m.blocks.0.mlp.fc1.weight", "has no tensor \"m.blocks.0.mlp.fc1.weight\""}};
    for (gsize i = 0; i < G_N_ELEMENTS(missing); i++) {
        g_autoptr(RmilTensors) tensors = without(&plain, missing[i].name);
        refused(tensors, missing[i].part);
    }
    g_autoptr(RmilTensors) shaped = without(&plain, "m.blocks.1.mlp.fc2.weight");
    add(shaped, &rng, "m.", "blocks.1.mlp.fc2.weight", 2, (const int64_t[]){EMBED, EMBED});
    refused(shaped, "tensor \"m.blocks.1.mlp.fc2.weight\" has the shape (24, 24), but (24, 96) is needed");
    g_autoptr(RmilTensors) grid = make(&(Made){.prefix = "", .rows = 23});
    refused(grid, "has 23 rows, which do not form a square grid of patches, with or without the tokens before them");
    g_autoptr(RmilTensors) strange = make(&plain);
    add(strange, &rng, "m.", "blocks.0.attn.q_norm.weight", 1, (const int64_t[]){EMBED});
    refused(strange, "has a tensor \"m.blocks.0.attn.q_norm.weight\", which belongs to another kind of vision transformer");
    g_autoptr(RmilTensors) twice = make(&plain);
    add(twice, &rng, "m.", "blocks.0.1.norm1.weight", 1, (const int64_t[]){EMBED});
    refused(twice, "would be block 1");
    g_autoptr(RmilTensors) hole = make(&plain);
    add(hole, &rng, "m.", "blocks.3.norm1.weight", 1, (const int64_t[]){EMBED});
    refused(hole, "has no block 2 of its 4");
    g_autoptr(RmilTensors) fine = make(&plain); /* heads and masks stay aside */
    add(fine, &rng, "m.", "head.weight", 2, (const int64_t[]){7, EMBED});
    add(fine, &rng, "m.", "mask_token", 2, (const int64_t[]){1, EMBED});
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(fine, NULL);
    g_assert_nonnull(weights);
}

/* What no tensor tells must fit them; numbers must be finite. */
static void test_config(void) {
    GError *error = NULL;
    g_autoptr(RmilTensors) tensors = make(&(Made){.prefix = ""});
    g_autoptr(RmilVitWeights) weights = rmil_vit_weights_new(tensors, NULL);
    RmilVitConfig config = {.heads = 5, .side = SIDE, .eps = 1e-6, .sd = {1, 1, 1}, .workers = 1};
    g_assert_null(rmil_vit_new(weights, &config, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "tokens of 24 numbers cannot be divided among 5 heads");
    config.heads = HEADS;
    config.side = 43;
    g_assert_null(rmil_vit_new(weights, &config, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "tiles of 43 px cannot be divided into patches of 8 px");
    config.side = 8 * 400;
    g_assert_null(rmil_vit_new(weights, &config, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "more than 16384 patches");
    config.side = SIDE;
    ((float *)rmil_tensors_find(tensors, "blocks.1.norm2.bias")->data)[3] = INFINITY;
    g_assert_null(rmil_vit_new(weights, &config, &error));
    test_error(&error, RMIL_ERROR_DATA, "tensor \"blocks.1.norm2.bias\" holds numbers that are not finite");
}

/* -- positions ---------------------------------------------------------------------------------------------------------------- */

static double kernel(double x, double a) {
    x = fabs(x);
    if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    if (x < 2) return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
    return 0;
}

/* How much old place j, which may lie beside the grid, is in new place i. */
static double share(RmilPositionRule rule, int old, int new, int i, int j) {
    const double step = rule == RMIL_POSITION_SCALE ? old / (new + 0.1) : (double)old / new;
    if (rule != RMIL_POSITION_ANTIALIAS) return kernel((i + 0.5) * step - 0.5 - j, -0.75);
    double sum = 0;
    for (int k = 0; k < old; k++) sum += kernel((k + 0.5 - (i + 0.5) * step) / fmax(step, 1), -0.5);
    return j < 0 || j >= old ? 0 : kernel((j + 0.5 - (i + 0.5) * step) / fmax(step, 1), -0.5) / sum;
}

static void test_positions(void) {
    static const int sizes[][2] = {{3, 5}, {7, 4}, {16, 14}, {1, 4}, {5, 1}, {14, 28}, {4, 4}};
    enum { SIZE = 3 };
    for (RmilPositionRule rule = RMIL_POSITION_SIZE; rule <= RMIL_POSITION_ANTIALIAS; rule++)
        for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const int old = sizes[s][0], new = sizes[s][1];
            g_autofree float *from = g_new(float, old *old *SIZE), *to = g_new(float, new *new *SIZE);
            RmilRng rng;
            rmil_rng_init(&rng, s, 0);
            for (int i = 0; i < old * old * SIZE; i++) from[i] = (float)rmil_rng_below(&rng, 1000) / 500 - 1;
            g_assert_true(rmil_position_resize(rule, from, old, new, SIZE, to, NULL));
            for (int p = 0; p < new *new *SIZE; p++) {
                double sum = 0;
                for (int y = -3; y < old + 3; y++)
                    for (int x = -3; x < old + 3; x++) {
                        const int at = (CLAMP(y, 0, old - 1) * old + CLAMP(x, 0, old - 1)) * SIZE + p % SIZE;
                        sum += share(rule, old, new, p / SIZE / new, y) * share(rule, old, new, p / SIZE % new, x) * (double)from[at];
                    }
                g_assert_cmpfloat_with_epsilon(to[p], sum, 1e-6);
            }
        }
}

/* -- features ----------------------------------------------------------------------------------------------------------------- */

typedef struct {
    RmilVit *vit;
    const uint8_t *rgb;
    float *features;
} Job;

static gboolean encode_one(int64_t i, int worker, gpointer user, GError **error) {
    Job *job = user;
    rmil_vit_run(job->vit, worker, job->rgb + i * TILE, 1, job->features + i * rmil_vit_dim(job->vit));
    return TRUE;
}

/* The same bits alone, in a batch of any size, and from several threads; each pooling is of the tokens that it is said to be of. */
static void test_same_bits(void) {
    enum { TILES = 7 };
    static const Made made = {.prefix = "", .scales = TRUE, .registers = 3};
    g_autoptr(RmilTensors) tensors = make(&made);
    g_autofree uint8_t *rgb = draw(TILES);
    for (RmilPrecision precision = RMIL_FLOAT32; precision <= RMIL_BFLOAT16; precision++)
        for (RmilVitPooling pooling = RMIL_VIT_CLASS; pooling <= RMIL_VIT_CLASS_MEAN; pooling++) {
            if (!rmil_product_can(precision, NULL)) continue;
            g_autoptr(RmilVit) vit = open_with(tensors, pooling, precision, 3), wide = open_with(tensors, pooling, precision, 5);
            const int dim = rmil_vit_dim(vit);
            g_assert_cmpint(dim, ==, pooling == RMIL_VIT_CLASS_MEAN ? 2 * EMBED : EMBED);
            g_autofree float *features = g_new(float, TILES *dim), *other = g_new(float, TILES *dim);
            const gsize bytes = (gsize)(TILES * dim) * sizeof(float);
            rmil_vit_run(vit, 0, rgb, TILES, features);
            rmil_vit_run(wide, 2, rgb, TILES, other);
            g_assert_true(memcmp(features, other, bytes) == 0);
            memset(other, 0, bytes);
            Job job = {vit, rgb, other};
            g_assert_true(rmil_parallel(TILES, 3, encode_one, &job, NULL));
            g_assert_true(memcmp(features, other, bytes) == 0);
            /* against all tokens, of the same pixels as planes */
            const double mean[3] = {0.5, 0.4, 0.6}, sd[3] = {0.2, 0.3, 0.25};
            float planes[TILE];
            for (int i = 0; i < TILE; i++) planes[i % 3 * SIDE * SIDE + i / 3] = (float)((rgb[i] / 255.0 - mean[i % 3]) / sd[i % 3]);
            const int64_t count = rmil_vit_tokens(vit);
            g_assert_cmpint(count, ==, 4 + GRID * GRID);
            g_autofree float *tokens = g_new(float, count *EMBED);
            rmil_vit_look(vit, 1, planes, 1, tokens);
            if (pooling != RMIL_VIT_MEAN) g_assert_true(memcmp(tokens, features, EMBED * sizeof(float)) == 0);
            for (int i = 0; pooling != RMIL_VIT_CLASS && i < EMBED; i++) {
                double sum = 0;
                for (int64_t t = 4; t < count; t++) sum += (double)tokens[t * EMBED + i];
                g_assert_cmpfloat_with_epsilon(features[dim - EMBED + i], sum / (GRID * GRID), 1e-5);
            }
        }
}

/* -- by name ------------------------------------------------------------------------------------------------------------------ */

/* A file of a plain network of ones of a byte each, in timm's names. */
static char *write_bytes(const char *folder, const char *name, int64_t e, int64_t depth, int64_t patch) {
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(RmilTensor));
    const int64_t side = 224 / patch, most = e * MAX(4 * e, MAX(3 * patch * patch, 1 + side * side));
    g_autofree uint8_t *ones = g_malloc((gsize)most);
    memset(ones, 1, (gsize)most);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
#define ADD(text, rank_, ...)                                                                                                              \
    do {                                                                                                                                   \
        char *own = text;                                                                                                                  \
        RmilTensor t = {.name = own, .dtype = RMIL_DTYPE_U8, .rank = rank_, .shape = {__VA_ARGS__}, .data = ones};                         \
        g_ptr_array_add(names, own);                                                                                                       \
        g_array_append_val(all, t);                                                                                                        \
    } while (0)
    ADD(g_strdup("patch_embed.proj.weight"), 4, e, 3, patch, patch);
    ADD(g_strdup("patch_embed.proj.bias"), 1, e);
    ADD(g_strdup("cls_token"), 3, 1, 1, e);
    ADD(g_strdup("pos_embed"), 3, 1, 1 + side * side, e);
    ADD(g_strdup("norm.weight"), 1, e);
    ADD(g_strdup("norm.bias"), 1, e);
    for (int i = 0; i < depth; i++) {
        const struct {
            const char *name;
            int64_t out, in;
        } parts[] = {{"norm1", e, 0}, {"attn.qkv", 3 * e, e}, {"attn.proj", e, e},
                     {"norm2", e, 0}, {"mlp.fc1", 4 * e, e},  {"mlp.fc2", e, 4 * e}};
        for (gsize k = 0; k < G_N_ELEMENTS(parts); k++) {
            ADD(g_strdup_printf("blocks.%d.%s.weight", i, parts[k].name), parts[k].in ? 2 : 1, parts[k].out, parts[k].in);
            ADD(g_strdup_printf("blocks.%d.%s.bias", i, parts[k].name), 1, parts[k].out);
        }
    }
#undef ADD
    char *path = g_build_filename(folder, name, NULL);
    g_assert_true(rmil_safetensors_write(path, (const RmilTensor *)(const void *)all->data, all->len, NULL, NULL));
    return path;
}

static void test_by_name(void) {
    GError *error = NULL;
    g_autofree char *folder = test_folder(), *small = write_bytes(folder, "small.safetensors", 384, 12, 16);
    g_autofree char *tiny = write_bytes(folder, "tiny.safetensors", 16, 2, 16),
                    *base = write_bytes(folder, "base.safetensors", 768, 12, 16);
    RmilEncoderOptions options = {.weights = small, .workers = 1};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("kaiko-s16", &options, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_encoder_dim(encoder), ==, 384);
    g_assert_true(g_str_has_prefix(rmil_encoder_identity(encoder), "kaiko-s16 1 float32 sha256:"));
    g_autofree uint8_t *rgb = g_malloc0(224 * 224 * 3);
    float features[384];
    g_assert_true(rmil_encoder_run(encoder, 0, rgb, 1, features, &error));
    for (int i = 0; i < 384; i++) g_assert_true(isfinite(features[i]));
    /* of another one */
    g_assert_null(rmil_encoder_new("kaiko-b16", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "these are not the weights of the encoder kaiko-b16: ");
    g_assert_null(rmil_encoder_new("kaiko-s8", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT,
               "small.safetensors: tensor \"patch_embed.proj.weight\" has the shape (384, 3, 16, 16), but (384, 3, 8, 8) is needed");
    options.weights = base;
    g_assert_null(rmil_encoder_new("uni", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "has the shape (768, 3, 16, 16), but (1024, 3, 16, 16) is needed");
    /* auto: one, several, none, nothing given */
    g_assert_cmpstr(rmil_encoder_guess(base, &error), ==, "kaiko-b16");
    g_assert_null(rmil_encoder_guess(small, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "could be the weights of several encoders whose tensors look alike: lunit-s16, kaiko-s16.");
    g_assert_null(rmil_encoder_guess(tiny, &error));
    test_error(&error, RMIL_ERROR_FORMAT,
               "tiny.safetensors: does not contain the weights of any encoder that rankmil knows "
               "(docs/encoders.md lists them)");
    g_assert_null(rmil_encoder_guess(NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--encoder auto recognises an encoder by its weights: give --weights FILE");
    options.weights = small;
    g_assert_null(rmil_encoder_new("auto", &options, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "lunit-s16, kaiko-s16");
    options.weights = tiny;
    g_assert_null(rmil_encoder_new("resnet50", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "contains no weights of the encoder resnet50");
    options.weights = "/nowhere/w.bin";
    g_assert_null(rmil_encoder_new("uni", &options, &error));
    test_error(&error, RMIL_ERROR_IO, "/nowhere/w.bin");
    g_autofree char *broken = test_file(folder, "broken.bin", "these are no weights");
    options.weights = broken;
    g_assert_null(rmil_encoder_new("uni", &options, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "broken.bin");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vit/names", test_names);
    g_test_add_func("/vit/teacher", test_teacher);
    g_test_add_func("/vit/refused", test_refused);
    g_test_add_func("/vit/config", test_config);
    g_test_add_func("/vit/positions", test_positions);
    g_test_add_func("/vit/same-bits", test_same_bits);
    g_test_add_func("/vit/by-name", test_by_name);
    return g_test_run();
}
