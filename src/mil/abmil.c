/* AB-MIL (docs/models.md, AB-MIL and Fast identities). With R = relu(X W1ᵀ + b1), K × hidden, every use of H = R W2ᵀ + b2 is a
 * dot with a vector or a weighted sum over patches, so that W2 meets only vectors and X enters two products a step:
 *   u = W2ᵀ wₐ, v = W2ᵀ w_c;   s = R u + b2·wₐ + bₐ;   z = Σ a_k (R_k·v) + (b2·w_c) Σa + b_c
 * so the forward pass reads R once, while its block is in the cache, for both dots; the backward pass reads it once for
 *   p = Rᵀ a, q = Rᵀ ds, dZ = 1[R > 0] ∘ (a dz vᵀ + ds uᵀ), ∂b1 = Σ dZ, and ∂W1 = dZᵀ X block by block. */
#include "attention.h"
#include "gemm.h"
#include "guide.h"

#include <string.h>

enum { W1, B1, W2, B2, WA, BA, WC, BC };

/* Rows of X and R per block: large enough for the products, small enough to stay near the processor. */
#define ROWS 1024

static void defaults(RmilModelConfig *config) { config->hidden = 256; }

static void layout(const RmilModelConfig *config, RmilLayout *layout) {
    rmil_layout_linear(layout, "adaptor.0", config->hidden, config->dim, TRUE);
    rmil_layout_linear(layout, "adaptor.2", config->dim, config->hidden, TRUE);
    rmil_layout_linear(layout, "attention_layer.linear", 1, config->dim, TRUE);
    rmil_layout_linear(layout, "classifier", 1, config->dim, TRUE);
}

static void infer(RmilModelConfig *config, int64_t (*shape)(gpointer, const char *, int), gpointer user) {
    config->hidden = shape(user, "adaptor.0.weight", 0);
    config->dim = shape(user, "adaptor.0.weight", 1);
}

static double dot(const float *x, const float *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

/* Inverted dropout: an entry stays with probability 1 − p and is then divided by it. The draws depend on the seed, the
 * stream and the row alone. */
static void dropout(const RmilStep *step, int64_t first, int64_t rows, int64_t n, float *r) {
    const uint64_t cut = (uint64_t)(step->config->dropout * 65536);
    const float keep = 65536.0f / (float)(65536 - cut);
    for (int64_t k = 0; k < rows; k++) {
        RmilRng rng;
        rmil_rng_init(&rng, step->seed ^ UINT64_C(0x64726f70), step->stream * UINT64_C(0x100000001b3) + (uint64_t)(first + k));
        for (int64_t i = 0; i < n; i += 4) {
            uint64_t bits = rmil_rng_next(&rng);
            for (int64_t j = i; j < MIN(i + 4, n); j++, bits >>= 16) r[k * n + j] = (bits & 0xffff) < cut ? 0 : r[k * n + j] * keep;
        }
    }
}

RMIL_CLONES static void add_relu(float *r, int64_t rows, int64_t n, const float *b) {
    for (int64_t k = 0; k < rows; k++)
        for (int64_t i = 0; i < n; i++) {
            float x = r[k * n + i] + b[i];
            r[k * n + i] = x > 0 ? x : 0;
        }
}

/* s[k] = R_k·u + shift, t[k] = R_k·v. */
RMIL_CLONES static void two_dots(const float *r, int64_t rows, int64_t n, const float *u, const float *v, float shift,
                                 float *s, float *t) {
    for (int64_t k = 0; k < rows; k++) {
        float x = 0, y = 0;
#pragma omp simd reduction(+ : x, y)
        for (int64_t i = 0; i < n; i++) {
            x += r[k * n + i] * u[i];
            y += r[k * n + i] * v[i];
        }
        s[k] = x + shift;
        t[k] = y;
    }
}

/* One block's share of p, q and ∂b1 (n floats each, overwritten), and dZ (rows × n). keep: dropout's factor. */
RMIL_CLONES static void back_block(const float *r, int64_t rows, int64_t n, const float *a, const float *ds, const float *u,
                                   const float *v, float dz, float keep, float *p, float *q, float *b, float *dr) {
    memset(p, 0, (size_t)n * sizeof *p);
    memset(q, 0, (size_t)n * sizeof *q);
    memset(b, 0, (size_t)n * sizeof *b);
    for (int64_t k = 0; k < rows; k++) {
        const float ak = a[k], dk = ds[k], av = keep * dz * ak, du = keep * dk;
        const float *row = r + k * n;
        float *out = dr + k * n;
#pragma omp simd
        for (int64_t i = 0; i < n; i++) {
            p[i] += ak * row[i];
            q[i] += dk * row[i];
            float d = row[i] > 0 ? av * v[i] + du * u[i] : 0;
            b[i] += d;
            out[i] = d;
        }
    }
}

typedef struct {
    float *u, *v;       /* hidden: W2ᵀ wₐ, W2ᵀ w_c */
    float *r;           /* K × hidden */
    float *s, *t, *soft, *a; /* K */
    RmilAttention attention;
    double slope;       /* ∂L/∂z */
} Work;

static gboolean forward(const RmilStep *step, Work *w, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wa = rmil_step_parameter(step, WA), *wc = rmil_step_parameter(step, WC);
    float *vectors = rmil_arena_floats(arena, 2 * n, error), *columns = rmil_arena_floats(arena, 4 * k, error);
    int64_t kept = step->gradient ? k : MIN(k, ROWS); /* without a way back one block of R is enough */
    w->r = rmil_arena_floats(arena, kept * n, error);
    if (!vectors || !columns || !w->r) return FALSE;
    w->u = vectors, w->v = vectors + n;
    w->s = columns, w->t = columns + k, w->soft = columns + 2 * k, w->a = columns + 3 * k;
    if (!rmil_gemm(TRUE, FALSE, n, 1, d, 1, w2, n, wa, 1, 0, w->u, 1, error) ||
        !rmil_gemm(TRUE, FALSE, n, 1, d, 1, w2, n, wc, 1, 0, w->v, 1, error))
        return FALSE;
    const float shift = (float)(dot(b2, wa, d) + (double)rmil_step_parameter(step, BA)[0]);
    for (int64_t i = 0; i < k; i += ROWS) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(ROWS, k - i));
        float *r = w->r + (step->gradient ? i * n : 0);
        if (!rmil_features_forward(&x, rmil_step_parameter(step, W1), n, r, arena, error)) return FALSE;
        add_relu(r, x.rows, n, rmil_step_parameter(step, B1));
        if (step->train && config->dropout > 0) dropout(step, i, x.rows, n, r);
        two_dots(r, x.rows, n, w->u, w->v, shift, w->s + i, w->t + i);
    }
    rmil_attention_forward(w->s, k, 1, config->threshold, w->soft, w->a, &w->attention);
    outcome->logits[0] = dot(w->a, w->t, k) + dot(b2, wc, d) * w->attention.total + (double)rmil_step_parameter(step, BC)[0];
    if (step->scores) memcpy(step->scores, w->s, (size_t)k * sizeof(float));
    if (step->attention) memcpy(step->attention, w->a, (size_t)k * sizeof(float));
    return TRUE;
}

/* From ds to every gradient. */
static gboolean backward(const RmilStep *step, const Work *w, const float *ds, RmilArena *arena, GError **error) {
    const RmilModelConfig *config = step->config;
    const int64_t k = step->bag->count, d = config->dim, n = config->hidden;
    const float *w2 = rmil_step_parameter(step, W2), *b2 = rmil_step_parameter(step, B2);
    const float *wa = rmil_step_parameter(step, WA), *wc = rmil_step_parameter(step, WC);
    const float dz = (float)w->slope;
    const uint64_t cut = step->train ? (uint64_t)(config->dropout * 65536) : 0;
    const float keep = 65536.0f / (float)(65536 - cut);
    float *dr = rmil_arena_floats(arena, MIN(k, ROWS) * n, error), *part = rmil_arena_floats(arena, 5 * n, error);
    double *sums = rmil_arena_take(arena, 3 * n, sizeof(double), error);
    if (!dr || !part || !sums) return FALSE;
    memset(sums, 0, (size_t)(3 * n) * sizeof *sums);
    for (int64_t i = 0; i < k; i += ROWS) {
        RmilFeatures x = rmil_features_of(step->bag, i, MIN(ROWS, k - i));
        back_block(w->r + i * n, x.rows, n, w->a + i, ds + i, w->u, w->v, dz, keep, part, part + n, part + 2 * n, dr);
        for (int64_t j = 0; j < 3 * n; j++) sums[j] += (double)part[j];
        if (!rmil_features_backward(&x, dr, n, i > 0, rmil_step_gradient(step, W1), arena, error)) return FALSE;
    }
    float *p = part, *q = part + n, *db1 = rmil_step_gradient(step, B1);
    for (int64_t j = 0; j < n; j++) p[j] = (float)sums[j], q[j] = (float)sums[n + j], db1[j] = (float)sums[2 * n + j];
    double total = 0;
    for (int64_t i = 0; i < k; i++) total += (double)ds[i];

    float *dw2 = rmil_step_gradient(step, W2), *db2 = rmil_step_gradient(step, B2);
    float *dwa = rmil_step_gradient(step, WA), *dwc = rmil_step_gradient(step, WC);
    /* [dwₐ dw_c] = W2 [q p] + b2 [Σds Σa], dw_c scaled by dz; [∂W2 ∂b2] is the outer product of the same pair */
    if (!rmil_gemm(FALSE, FALSE, d, 1, n, 1, w2, n, q, 1, 0, dwa, 1, error) ||
        !rmil_gemm(FALSE, FALSE, d, 1, n, dz, w2, n, p, 1, 0, dwc, 1, error))
        return FALSE;
    for (int64_t i = 0; i < d; i++) {
        dwa[i] += (float)(total * (double)b2[i]);
        dwc[i] += dz * (float)(w->attention.total * (double)b2[i]);
        db2[i] = dz * wc[i] * (float)w->attention.total + wa[i] * (float)total;
        for (int64_t j = 0; j < n; j++) dw2[i * n + j] = dz * wc[i] * p[j] + wa[i] * q[j];
    }
    rmil_step_gradient(step, BA)[0] = (float)total;
    rmil_step_gradient(step, BC)[0] = dz;
    return TRUE;
}

static gboolean step(const RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error) {
    Work w;
    if (!forward(step, &w, arena, outcome, error)) return FALSE;
    if (step->label < 0) return TRUE;
    const int64_t k = step->bag->count, d = step->config->dim;
    const uint8_t *labels = step->bag->patch_labels;
    outcome->slide_loss = rmil_bce(outcome->logits[0], step->label, &w.slope);
    float *ds = step->gradient ? rmil_arena_floats(arena, 2 * k, error) : NULL, *da = ds ? ds + k : NULL;
    if (step->gradient && !ds) return FALSE;
    double rank, induction;
    if (!rmil_guide_rank(step, w.s, labels, k, arena, &rank, ds, error)) return FALSE;
    rmil_guide_induction(step, w.a, labels, step->bag->tissue, k, &induction, da);
    outcome->guide_loss = rank + induction;
    outcome->loss = outcome->slide_loss + outcome->guide_loss;
    if (!step->gradient) return TRUE;
    /* H_k·dc = dz (R_k·v + b2·w_c) */
    const double base = dot(rmil_step_parameter(step, B2), rmil_step_parameter(step, WC), d);
    for (int64_t i = 0; i < k; i++) da[i] += (float)(w.slope * ((double)w.t[i] + base));
    rmil_attention_backward(&w.attention, w.soft, w.a, da, k, TRUE, ds);
    return backward(step, &w, ds, arena, error);
}

const RmilModelClass rmil_abmil_class = {
    .name = "abmil",
    .guides = 1u << RMIL_GUIDE_NONE | 1u << RMIL_GUIDE_INDUCTION | 1u << RMIL_GUIDE_RANK,
    .logits = 1,
    .rows = 1,
    .thresholds = TRUE,
    .defaults = defaults,
    .layout = layout,
    .infer = infer,
    .step = step,
};
