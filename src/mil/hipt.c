/* SPDX-License-Identifier: Apache-2.0 */
/* HIPT (docs/models.md, HIPT): transformer blocks over the cells of each region, then over the regions of the slide. Only the CLS row of
 * the last patch-level block is used, so only that row is computed; empty cells do not enter the product with the features. Regions are
 * processed a few at a time. What the backward pass needs of them is kept as long as it fits in KEPT bytes, and recomputed for the rest,
 * bit for bit. */
#include "attention.h"
#include "gemm.h"
#include "guide.h"
#include "layernorm.h"
#include "onnx.h"
#include "regions.h"
#include "rows.h"
#include "transformer.h"

#include <math.h>
#include <string.h>

/* Tensors before the blocks; the positions of the others follow from the depths. */
enum { POS, CLS, PROJ, BLOCKS };

/* Rows of X per product, tokens per chunk of regions, bytes kept for the backward pass. */
#define ROWS 512
#define TOKENS 1028
#define KEPT ((int64_t)512 << 20)

/* HIPT's own options. */
typedef struct {
    int64_t rows, columns; /* cells of a region */
    int64_t patch_depth, region_depth, heads;
} Options;

static const RmilOption options[] = {
    RMIL_HIDDEN(192),
    {RMIL_WHOLE("region-size", "region_rows", 16, 1, 256, "N", "regions of N × N tiles"), .offset = offsetof(Options, rows), .untold = TRUE,
     .place = 12},
    {RMIL_WHOLE("region-size", "region_columns", 16, 1, 256, "N", "regions of N × N tiles"), .offset = offsetof(Options, columns),
     .untold = TRUE, .place = 13},
    {RMIL_WHOLE("patch-depth", "patch_depth", 4, 1, 64, "N", "blocks over the tiles of a region"), .offset = offsetof(Options, patch_depth),
     .place = 14},
    {RMIL_WHOLE("region-depth", "region_depth", 2, 1, 64, "N", "blocks over the regions"), .offset = offsetof(Options, region_depth),
     .place = 15},
    {RMIL_WHOLE("heads", "heads", 3, 1, 64, "N", "heads of a block; must divide the width of the hidden layer"),
     .offset = offsetof(Options, heads), .untold = TRUE, .place = 16},
    {0},
};

static gboolean check(const RmilModelConfig *config, GError **error) {
    const Options *own = rmil_model_own(config);
    return config->hidden % own->heads == 0 ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "model hipt: the hidden size %" G_GINT64_FORMAT " is not a multiple of the %" G_GINT64_FORMAT " heads", config->hidden,
                     own->heads);
}

static void layout(const RmilModelConfig *config, RmilParameterLayout *layout) {
    const Options *own = rmil_model_own(config);
    const int64_t d = config->hidden;
    rmil_parameter_add(layout, RMIL_INIT_NORMAL, 0.02, 3, 1, own->rows * own->columns, d, "patch_agg.pos");
    rmil_parameter_add(layout, RMIL_INIT_NORMAL, 0.02, 3, 1, 1, d, "patch_agg.cls");
    rmil_parameter_linear(layout, "patch_agg.proj", d, config->dim, FALSE);
    for (int side = 0; side < 2; side++) {
        const char *name = side ? "region_agg" : "patch_agg";
        for (int64_t i = 0; i < (side ? own->region_depth : own->patch_depth); i++) {
            g_autofree char *prefix = g_strdup_printf("%s.blocks.%" G_GINT64_FORMAT, name, i);
            rmil_block_layout(layout, prefix, d);
        }
        rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 1, 1, d, 0, 0, "%s.norm.weight", name);
        rmil_parameter_add(layout, RMIL_INIT_CONSTANT, 0, 1, d, 0, 0, "%s.norm.bias", name);
    }
    rmil_parameter_add(layout, RMIL_INIT_NORMAL, 0.02, 1, d, 0, 0, "region_agg.gap.q");
    rmil_parameter_linear(layout, "classifier", rmil_model_outputs(config), d, TRUE);
}

static int patch_block(int64_t i) { return BLOCKS + (int)i * RMIL_BLOCK_TENSORS; }
static int patch_norm(const Options *own) { return patch_block(own->patch_depth); }
static int region_block(const Options *own, int64_t i) { return patch_norm(own) + 2 + (int)i * RMIL_BLOCK_TENSORS; }
static int region_norm(const Options *own) { return region_block(own, own->region_depth); }
static int pool_query(const Options *own) { return region_norm(own) + 2; }
static int head(const Options *own) { return pool_query(own) + 1; }

static int64_t depth(const char *name, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    for (int64_t i = 0;; i++) {
        g_autofree char *tensor = g_strdup_printf("%s.blocks.%" G_GINT64_FORMAT ".norm1.weight", name, i);
        if (i > 64 || shape(user, tensor, 0) < 0) return i;
    }
}

/* The file does not say how cells are arranged in rows and columns: assumes a square if their number is a square. */
static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "patch_agg.proj.weight", 0);
    config->dim = shape(user, "patch_agg.proj.weight", 1);
    rmil_model_infer_outputs(config, shape(user, "classifier.weight", 0));
    Options *own = rmil_model_own(config);
    own->patch_depth = depth("patch_agg", shape, user);
    own->region_depth = depth("region_agg", shape, user);
    const int64_t cells = shape(user, "patch_agg.pos", 1);
    if (cells < 1 || cells == own->rows * own->columns) return;
    const int64_t side = (int64_t)(sqrt((double)cells) + 0.5);
    own->rows = side * side == cells ? side : 1;
    own->columns = cells / own->rows;
}

static gboolean units(const RmilModelConfig *config, const RmilBag *bag, RmilArena *arena, const uint8_t **annotated, int64_t *count,
                      GError **error) {
    const Options *own = rmil_model_own(config);
    RmilRegions regions;
    if (!rmil_regions_group(bag, own->rows, own->columns, arena, &regions, error)) return FALSE;
    *annotated = regions.annotated;
    *count = regions.count;
    return TRUE;
}

typedef struct {
    const RmilStep *step;
    const Options *own;
    int outputs;
    RmilRegions regions;
    int64_t cells, per_chunk, chunks, kept; /* cells per region, regions per chunk, number of chunks, of which `kept` stay in memory */
    float *projected;                       /* K × d: X projᵀ; in the backward pass its ∂L/∂ */
    float **memory;                         /* per chunk: activations; chunks from `kept` on share one */
    float *cls, *mean, *rstd;               /* regions × d: CLS rows before the norm, and the norm's mean and 1/SD */
    float *vectors;                         /* regions × d: region vectors */
    RmilBlockScratch scratch;
    RmilBlockCache *region;               /* region_depth caches */
    float *last, *mean2, *rstd2, *tokens; /* regions × d: before and after the region level's norm */
    float *s, *soft, *a;                  /* regions */
    RmilAttention attention;
    float *pooled; /* d */
} Work;

static RmilBlockShape chunk_shape(const Work *w, int64_t chunk, int64_t block) {
    return (RmilBlockShape){.sequences = MIN(w->per_chunk, w->regions.count - chunk * w->per_chunk),
                            .length = w->cells + 1,
                            .width = w->step->config->hidden,
                            .heads = w->own->heads,
                            .first_only = block == w->own->patch_depth - 1};
}

static RmilBlockShape region_shape(const Work *w) {
    return (RmilBlockShape){.sequences = 1, .length = w->regions.count, .width = w->step->config->hidden, .heads = w->own->heads};
}

static int64_t chunk_floats(const Work *w, int64_t chunk) {
    int64_t sum = 0;
    for (int64_t b = 0; b < w->own->patch_depth; b++) {
        RmilBlockShape shape = chunk_shape(w, chunk, b);
        sum += rmil_block_cache_floats(&shape);
    }
    return sum;
}

static gboolean take_chunks(Work *w, RmilArena *arena, GError **error) {
    int64_t budget = !w->step->gradient ? 0 : (w->step->keep > 0 ? w->step->keep : KEPT) / (int64_t)sizeof(float);
    w->memory = rmil_arena_take(arena, w->chunks, sizeof *w->memory, error);
    if (!w->memory) return FALSE;
    for (w->kept = 0; w->kept < w->chunks && budget >= chunk_floats(w, w->kept); w->kept++) {
        w->memory[w->kept] = rmil_arena_floats(arena, chunk_floats(w, w->kept), error);
        if (!w->memory[w->kept]) return FALSE;
        budget -= chunk_floats(w, w->kept);
    }
    for (int64_t i = w->kept; i < w->chunks; i++) {
        w->memory[i] = i == w->kept ? rmil_arena_floats(arena, chunk_floats(w, i), error) : w->memory[i - 1];
        if (!w->memory[i]) return FALSE;
    }
    return TRUE;
}

static gboolean take(Work *w, RmilArena *arena, GError **error) {
    const RmilModelConfig *config = w->step->config;
    const int64_t d = config->hidden, count = w->regions.count;
    w->chunks = (count + w->per_chunk - 1) / w->per_chunk;
    float *wide = rmil_arena_floats(arena, count * (4 * d + 7) + d, error);
    w->projected = rmil_arena_floats(arena, w->step->bag->count * d, error);
    w->region = rmil_arena_take(arena, w->own->region_depth, sizeof *w->region, error);
    if (!wide || !w->projected || !w->region || !take_chunks(w, arena, error)) return FALSE;
    w->cls = wide, w->vectors = wide + count * d, w->last = wide + 2 * count * d, w->tokens = wide + 3 * count * d;
    float *columns = wide + 4 * count * d;
    w->mean = columns, w->rstd = columns + count, w->mean2 = columns + 2 * count, w->rstd2 = columns + 3 * count;
    w->s = columns + 4 * count, w->soft = columns + 5 * count, w->a = columns + 6 * count, w->pooled = columns + 7 * count;
    for (int64_t b = 0; b < w->own->region_depth; b++) {
        RmilBlockShape shape = region_shape(w);
        float *memory = rmil_arena_floats(arena, rmil_block_cache_floats(&shape), error);
        if (!memory) return FALSE;
        rmil_block_cache_cut(&shape, memory, &w->region[b]);
    }
    /* one scratch for both levels, large enough for either shape in each respect */
    RmilBlockShape patches = chunk_shape(w, 0, -1), regions = region_shape(w), larger = patches;
    if (regions.length > patches.sequences * patches.length) larger = regions;
    if (!rmil_block_scratch_take(&larger, arena, &w->scratch, error)) return FALSE;
    w->scratch.attention = rmil_arena_floats(arena, MAX(rmil_block_attention_scratch(&patches), rmil_block_attention_scratch(&regions)),
                                             error);
    return w->scratch.attention != NULL;
}

/* -- forward ------------------------------------------------------------------------------------------------------------ */
/* Tokens of a chunk's regions: CLS, then every cell's position, plus its patch if there is one. */
static void fill_tokens(const Work *w, int64_t chunk, int64_t regions, float *x) {
    const int64_t d = w->step->config->hidden, length = w->cells + 1;
    const float *pos = rmil_step_parameter(w->step, POS), *cls = rmil_step_parameter(w->step, CLS);
    for (int64_t i = 0; i < regions; i++) {
        const int64_t region = chunk * w->per_chunk + i;
        float *tokens = x + i * length * d;
        memcpy(tokens, cls, (size_t)d * sizeof(float));
        memcpy(tokens + d, pos, (size_t)(w->cells * d) * sizeof(float));
        for (int64_t j = w->regions.first[region]; j < w->regions.first[region + 1]; j++)
            rmil_rows_add(tokens + (1 + w->regions.cell[j]) * d, 1, d, w->projected + w->regions.patch[j] * d);
    }
}

/* Divides the chunk's memory into one cache per block. */
static void cut_chunk(const Work *w, int64_t chunk, RmilBlockCache *caches) {
    float *memory = w->memory[chunk];
    for (int64_t b = 0; b < w->own->patch_depth; b++) {
        RmilBlockShape shape = chunk_shape(w, chunk, b);
        rmil_block_cache_cut(&shape, memory, &caches[b]);
        memory += rmil_block_cache_floats(&shape);
    }
}

/* The patch level of one chunk: fills its caches and its rows of w->cls. */
static gboolean forward_chunk(Work *w, int64_t chunk, RmilBlockCache *caches, GError **error) {
    const int64_t blocks = w->own->patch_depth, d = w->step->config->hidden;
    cut_chunk(w, chunk, caches);
    for (int64_t b = 0; b < blocks; b++) {
        RmilBlockShape shape = chunk_shape(w, chunk, b);
        float *y = b + 1 < blocks ? caches[b + 1].x : w->cls + chunk * w->per_chunk * d;
        if (b == 0) fill_tokens(w, chunk, shape.sequences, caches[0].x);
        if (!rmil_block_forward(w->step, patch_block(b), &shape, &caches[b], &w->scratch, y, error)) return FALSE;
    }
    return TRUE;
}

static gboolean forward_regions(Work *w, RmilOutcome *outcome, RmilArena *arena, GError **error) {
    const RmilModelConfig *config = w->step->config;
    const int64_t d = config->hidden, count = w->regions.count, blocks = w->own->region_depth;
    const int norm = region_norm(w->own);
    RmilBlockShape shape = region_shape(w);
    double *sum = rmil_arena_take(arena, d, sizeof *sum, error);
    if (!sum) return FALSE;
    memcpy(w->region[0].x, w->vectors, (size_t)(count * d) * sizeof(float));
    for (int64_t b = 0; b < blocks; b++)
        if (!rmil_block_forward(w->step, region_block(w->own, b), &shape, &w->region[b], &w->scratch,
                                b + 1 < blocks ? w->region[b + 1].x : w->last, error))
            return FALSE;
    rmil_layernorm_forward(w->last, d, count, d, rmil_step_parameter(w->step, norm), rmil_step_parameter(w->step, norm + 1), w->tokens,
                           w->mean2, w->rstd2);
    rmil_rows_dot(w->tokens, d, count, d, rmil_step_parameter(w->step, pool_query(w->own)), 0, w->s);
    for (int64_t i = 0; i < count; i++) w->s[i] /= sqrtf((float)d);
    rmil_attention_forward(w->s, count, 1, -1, FALSE, w->soft, w->a, &w->attention);
    memset(sum, 0, (size_t)d * sizeof *sum);
    rmil_rows_pool(w->tokens, d, count, d, w->a, sum);
    for (int64_t i = 0; i < d; i++) w->pooled[i] = (float)sum[i];
    const float *wc = rmil_step_parameter(w->step, head(w->own)), *bc = rmil_step_parameter(w->step, head(w->own) + 1);
    for (int c = 0; c < w->outputs; c++) outcome->logits[c] = rmil_dot(w->pooled, wc + c * d, d) + (double)bc[c];
    return TRUE;
}

static gboolean forward_all(Work *w, RmilOutcome *outcome, RmilArena *arena, GError **error) {
    const RmilStep *step = w->step;
    const int64_t k = step->bag->count, d = step->config->hidden;
    const int norm = patch_norm(w->own);
    RmilBlockCache *caches = rmil_arena_take(arena, w->own->patch_depth, sizeof *caches, error);
    if (!caches) return FALSE;
    const int64_t block = rmil_features_block(step->bag->precision, ROWS);
    RmilTransposed wt;
    if (!rmil_transpose(rmil_step_parameter(step, PROJ), d, step->config->dim, step->bag->precision, arena, &wt, error)) return FALSE;
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        if (!rmil_features_forward(&x, &wt, d, w->projected + i * d, d, arena, error)) return FALSE;
    }
    for (int64_t c = 0; c < w->chunks; c++)
        if (!forward_chunk(w, c, caches, error)) return FALSE;
    rmil_layernorm_forward(w->cls, d, w->regions.count, d, rmil_step_parameter(step, norm), rmil_step_parameter(step, norm + 1), w->vectors,
                           w->mean, w->rstd);
    if (!forward_regions(w, outcome, arena, error)) return FALSE;
    for (int64_t r = 0; r < w->regions.count; r++) /* every patch gets its region's value */
        for (int64_t i = w->regions.first[r]; i < w->regions.first[r + 1]; i++) {
            if (step->scores) step->scores[w->regions.patch[i]] = w->s[r];
            if (step->attention) step->attention[w->regions.patch[i]] = w->a[r];
        }
    return TRUE;
}

/* -- backward ----------------------------------------------------------------------------------------------------------- */
/* The head: its gradient, ∂L/∂a of the regions (column: scratch of the same length), and, weighted by them, ∂L/∂t through the pooling. */
static void backward_head(const Work *w, const double *slope, float *da, float *column, float *dt) {
    const int64_t d = w->step->config->hidden, count = w->regions.count;
    float *dwc = rmil_step_gradient(w->step, head(w->own)), *dbc = rmil_step_gradient(w->step, head(w->own) + 1);
    for (int c = 0; c < w->outputs; c++) {
        const float dz = dbc[c] = (float)slope[c], *wc = rmil_step_parameter(w->step, head(w->own)) + c * d;
        for (int64_t i = 0; i < d; i++) dwc[c * d + i] = dz * w->pooled[i];
        rmil_rows_dot(w->tokens, d, count, d, wc, 0, column);
        for (int64_t r = 0; r < count; r++) {
            const float pool = dz * w->a[r];
            da[r] = (c ? da[r] : 0) + dz * column[r];
            for (int64_t i = 0; i < d; i++) dt[r * d + i] = (c ? dt[r * d + i] : 0) + pool * wc[i];
        }
    }
}

/* From ∂L/∂z and ds (the guide's ∂L/∂s) to dvectors = ∂L/∂ of the region vectors. other: scratch; both regions × d. da: 2 × regions. */
static gboolean backward_regions(Work *w, const double *slope, float *ds, float *da, float *dvectors, float *other, GError **error) {
    const RmilStep *step = w->step;
    const RmilModelConfig *config = step->config;
    const int64_t d = config->hidden, count = w->regions.count;
    const int norm = region_norm(w->own);
    const float *q = rmil_step_parameter(step, pool_query(w->own));
    float *dq = rmil_step_gradient(step, pool_query(w->own));
    const float scale = 1 / sqrtf((float)d);
    backward_head(w, slope, da, da + count, other);
    rmil_attention_backward(&w->attention, w->soft, w->a, da, count, TRUE, ds);
    for (int64_t r = 0; r < count; r++) { /* ∂L/∂t, and q's gradient */
        const float direct = scale * ds[r];
        for (int64_t i = 0; i < d; i++) {
            other[r * d + i] += direct * q[i];
            dq[i] += direct * w->tokens[r * d + i];
        }
    }
    memset(dvectors, 0, (size_t)(count * d) * sizeof(float));
    rmil_layernorm_backward(w->last, d, count, d, rmil_step_parameter(step, norm), w->mean2, w->rstd2, other, dvectors, d,
                            rmil_step_gradient(step, norm), rmil_step_gradient(step, norm + 1));
    RmilBlockShape shape = region_shape(w);
    for (int64_t b = w->own->region_depth - 1; b >= 0; b--) {
        if (!rmil_block_backward(step, region_block(w->own, b), &shape, &w->region[b], &w->scratch, dvectors, other, error)) return FALSE;
        memcpy(dvectors, other, (size_t)(count * d) * sizeof(float));
    }
    return TRUE;
}

/* One chunk, from dcls (its rows of ∂L/∂ before the patch level's norm); dx, dy: tokens of the chunk × d. */
static gboolean backward_chunk(Work *w, int64_t chunk, const float *dcls, RmilBlockCache *caches, float *dx, float *dy, GError **error) {
    const int64_t d = w->step->config->hidden, length = w->cells + 1;
    float *dpos = rmil_step_gradient(w->step, POS), *dtoken = rmil_step_gradient(w->step, CLS);
    if (chunk < w->kept) cut_chunk(w, chunk, caches);
    else if (!forward_chunk(w, chunk, caches, error)) return FALSE;
    const float *from = dcls;
    for (int64_t b = w->own->patch_depth - 1; b >= 0; b--) {
        RmilBlockShape shape = chunk_shape(w, chunk, b);
        if (!rmil_block_backward(w->step, patch_block(b), &shape, &caches[b], &w->scratch, from, dx, error)) return FALSE;
        from = dx;
        dx = dy;
        dy = (float *)from;
    }
    const int64_t regions = chunk_shape(w, chunk, 0).sequences;
    for (int64_t i = 0; i < regions; i++) {
        const float *tokens = from + i * length * d;
        const int64_t region = chunk * w->per_chunk + i;
        rmil_rows_add(dtoken, 1, d, tokens);
        rmil_rows_add(dpos, 1, w->cells * d, tokens + d);
        for (int64_t j = w->regions.first[region]; j < w->regions.first[region + 1]; j++)
            memcpy(w->projected + w->regions.patch[j] * d, tokens + (1 + w->regions.cell[j]) * d, (size_t)d * sizeof(float));
    }
    return TRUE;
}

static gboolean backward(const RmilStep *step, gpointer work, const double *slope, float *ds, float *unused, RmilArena *arena,
                         GError **error) {
    Work *w = work;
    w->step = step;
    const int64_t d = step->config->hidden, k = step->bag->count, count = w->regions.count;
    const int64_t tokens = MIN(w->per_chunk, count) * (w->cells + 1);
    const int norm = patch_norm(w->own);
    float *rows = rmil_arena_floats(arena, count * (2 * d + 2), error), *dcls = rows, *dvectors = rows + count * d;
    float *dx = rmil_arena_floats(arena, 2 * tokens * d, error);
    RmilBlockCache *caches = rmil_arena_take(arena, w->own->patch_depth, sizeof *caches, error);
    if (!rows || !dx || !caches) return FALSE;
    memset(step->gradient, 0, (size_t)step->layout->count * sizeof(float));
    if (!backward_regions(w, slope, ds, rows + 2 * count * d, dvectors, dcls, error)) return FALSE;
    memset(dcls, 0, (size_t)(count * d) * sizeof(float));
    rmil_layernorm_backward(w->cls, d, count, d, rmil_step_parameter(step, norm), w->mean, w->rstd, dvectors, dcls, d,
                            rmil_step_gradient(step, norm), rmil_step_gradient(step, norm + 1));
    for (int64_t c = 0; c < w->chunks; c++)
        if (!backward_chunk(w, c, dcls + c * w->per_chunk * d, caches, dx, dx + tokens * d, error)) return FALSE;
    const int64_t block = rmil_features_block(step->bag->precision, ROWS);
    for (int64_t i = 0; i < k; i += block) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(block, k - i));
        if (!rmil_features_backward(&x, w->projected + i * d, d, d, i > 0, rmil_step_gradient(step, PROJ), arena, error)) return FALSE;
    }
    return TRUE;
}

static gboolean forward(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error) {
    const Options *own = rmil_model_own(step->config);
    Work *w = work;
    *w = (Work){.step = step, .own = own, .outputs = rmil_model_outputs(step->config), .cells = own->rows * own->columns};
    w->per_chunk = MAX(1, TOKENS / (w->cells + 1));
    if (!rmil_regions_group(step->bag, own->rows, own->columns, arena, &w->regions, error) || !take(w, arena, error) ||
        !forward_all(w, outcome, arena, error))
        return FALSE;
    *shown = (RmilGuided){.scores = w->s, .labels = w->regions.annotated, .count = w->regions.count};
    return TRUE;
}

/* -- ONNX ----------------------------------------------------------------------------------------------------------------- */
static const char *onnx_cast(RmilOnnx *o, const char *x, int64_t type) {
    const char *y = rmil_onnx_node(o, "Cast", x, NULL);
    rmil_onnx_int(o, "to", type);
    return y;
}

/* One coordinate of at (K × 2), as a list. */
static const char *onnx_coordinate(RmilOnnx *o, const char *at, int64_t which) {
    const char *column = rmil_onnx_node(o, "Gather", at, RMIL_ONNX_WHOLES(o, which), NULL);
    rmil_onnx_int(o, "axis", 1);
    return rmil_onnx_flat(o, column);
}

/* x + y · columns of at (K × 2): positions row by row; `columns` is an integer in the graph. It is kept as small as possible: OpenVINO
 * computes integers in float32, which is exact only below 2^24. */
static const char *onnx_combine(RmilOnnx *o, const char *at, const char *columns) {
    const char *rows = rmil_onnx_node(o, "Mul", onnx_coordinate(o, at, 1), columns, NULL);
    return rmil_onnx_node(o, "Add", onnx_coordinate(o, at, 0), rows, NULL);
}

/* The regions as in regions.c: each patch's region (K, numbered from 0 in the order of the regions), its cell (K), and the number of
 * regions (1). */
static void onnx_regions(const RmilModelConfig *config, RmilOnnx *o, const char **region, const char **cell, const char **count) {
    enum { WHOLE = 7, DOUBLE = 11 };
    const Options *own = rmil_model_own(config);
    const int64_t first = 0;
    const char *coords, *tile_size;
    rmil_onnx_places(o, &coords, &tile_size);
    const char *xy = onnx_cast(o, coords, DOUBLE), *corner = rmil_onnx_node(o, "ReduceMin", xy, NULL);
    rmil_onnx_ints(o, "axes", 1, &first);
    const char *steps = rmil_onnx_node(o, "Div", rmil_onnx_node(o, "Sub", xy, corner, NULL), tile_size, NULL);
    const char *at = onnx_cast(o, rmil_onnx_node(o, "Round", steps, NULL), WHOLE);
    const char *extent = RMIL_ONNX_WHOLES(o, own->columns, own->rows);
    const char *outer = rmil_onnx_node(o, "Div", at, extent, NULL);
    const char *inner = rmil_onnx_node(o, "Sub", at, rmil_onnx_node(o, "Mul", outer, extent, NULL), NULL);
    *cell = onnx_combine(o, inner, RMIL_ONNX_WHOLES(o, own->columns));
    const char *last = rmil_onnx_node(o, "ReduceMax", onnx_coordinate(o, outer, 0), NULL);
    const char *columns = rmil_onnx_node(o, "Add", last, RMIL_ONNX_WHOLES(o, 1), NULL);
    const char *different = rmil_onnx_node(o, "Unique", onnx_combine(o, outer, columns), NULL);
    rmil_onnx_another_output(o);
    *region = rmil_onnx_another_output(o);
    *count = rmil_onnx_node(o, "Shape", different, NULL);
}

static const char *onnx_shape(RmilOnnx *o, const char *count, const char *axis, int64_t width) {
    const char *shape = rmil_onnx_node(o, "Concat", count, axis, RMIL_ONNX_WHOLES(o, width), NULL);
    rmil_onnx_int(o, "axis", 0);
    return shape;
}

/* x as a one-column matrix. */
static const char *onnx_column(RmilOnnx *o, const char *x) { return rmil_onnx_node(o, "Reshape", x, RMIL_ONNX_WHOLES(o, -1, 1), NULL); }

/* regions × (1 + cells) × hidden: CLS, then every cell's position, plus its patch if there is one. */
static const char *onnx_tokens(const RmilModelConfig *config, RmilOnnx *o, const char *region, const char *cell, const char *count) {
    const Options *own = rmil_model_own(config);
    const int64_t cells = own->rows * own->columns, d = config->hidden;
    const char *turned = rmil_onnx_node(o, "Transpose", rmil_onnx_parameter(o, "patch_agg.proj.weight"), NULL);
    const char *projected = rmil_onnx_node(o, "MatMul", rmil_onnx_features(o), turned, NULL);
    const char *empty = rmil_onnx_node(o, "ConstantOfShape", onnx_shape(o, count, RMIL_ONNX_WHOLES(o, cells), d), NULL);
    const char *places = rmil_onnx_node(o, "Concat", onnx_column(o, region), onnx_column(o, cell), NULL);
    rmil_onnx_int(o, "axis", 1);
    const char *filled = rmil_onnx_node(o, "ScatterND", empty, places, projected, NULL);
    const char *tokens = rmil_onnx_node(o, "Add", filled, rmil_onnx_parameter(o, "patch_agg.pos"), NULL);
    const char *cls = rmil_onnx_node(o, "Expand", rmil_onnx_parameter(o, "patch_agg.cls"), onnx_shape(o, count, RMIL_ONNX_WHOLES(o, 1), d),
                                     NULL);
    tokens = rmil_onnx_node(o, "Concat", cls, tokens, NULL);
    rmil_onnx_int(o, "axis", 1);
    return tokens;
}

static const char *onnx_blocks(const RmilModelConfig *config, RmilOnnx *o, const char *name, int64_t blocks, gboolean first_only,
                               const char *x) {
    for (int64_t i = 0; i < blocks; i++) {
        g_autofree char *prefix = g_strdup_printf("%s.blocks.%" G_GINT64_FORMAT, name, i);
        x = rmil_block_onnx(o, prefix, x, config->hidden, ((const Options *)rmil_model_own(config))->heads, first_only && i == blocks - 1);
    }
    g_autofree char *norm = g_strconcat(name, ".norm", NULL);
    return rmil_onnx_norm(o, x, norm);
}

static void onnx(const RmilModelConfig *config, RmilOnnx *o) {
    const Options *own = rmil_model_own(config);
    const int64_t d = config->hidden;
    const char *region, *cell, *count;
    onnx_regions(config, o, &region, &cell, &count);
    const char *tokens = onnx_tokens(config, o, region, cell, count);
    const char *vectors = onnx_blocks(config, o, "patch_agg", own->patch_depth, TRUE, tokens);
    vectors = rmil_onnx_node(o, "Reshape", vectors, RMIL_ONNX_WHOLES(o, 1, -1, d), NULL); /* the regions are one sequence */
    const char *t = onnx_blocks(config, o, "region_agg", own->region_depth, FALSE, vectors);
    t = rmil_onnx_node(o, "Reshape", t, RMIL_ONNX_WHOLES(o, -1, d), NULL);
    const char *s = rmil_onnx_node(o, "MatMul", t, rmil_onnx_parameter(o, "region_agg.gap.q"), NULL);
    s = rmil_onnx_node(o, "Mul", s, rmil_onnx_number(o, 1 / sqrt((double)d)), NULL);
    const char *a = rmil_onnx_attention(o, s, 1, -1, FALSE);
    const char *pooled = rmil_onnx_node(o, "MatMul", rmil_onnx_row(o, a), t, NULL);
    const char *z = rmil_onnx_linear(o, pooled, rmil_onnx_parameter(o, "classifier.weight"), rmil_onnx_parameter(o, "classifier.bias"));
    rmil_onnx_outputs(o, rmil_onnx_flat(o, z), rmil_onnx_node(o, "Gather", s, region, NULL), rmil_onnx_node(o, "Gather", a, region, NULL));
}

static const RmilTrainMethod methods[] = {
    {.name = "hipt", .title = "HIPT", .style = {"#333333", "(6,2)", 13}},
    {.name = "hipt-rank", .guide = RMIL_GUIDE_RANK, .title = "HIPT + rank", .style = {"#777777", "(1,3)", 12}},
    {0},
};

static const RmilModelClass class = {
    .name = "hipt",
    .source = "hierarchical image pyramid transformer, Chen et al. 2022",
    .methods = methods,
    .guide = RMIL_GUIDE_RANK,
    .first = "patch_agg.cls",
    .unit = "region",
    .units = units,
    .logits = 1,
    .tasks = RMIL_TAKES_ALL,
    .options = options,
    .check = check,
    .layout = layout,
    .infer = infer,
    .work = sizeof(Work),
    .forward = forward,
    .backward = backward,
    .onnx = onnx,
};
RMIL_MODEL_FILE(hipt, &class);
