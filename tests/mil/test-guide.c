/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and guides: the fast rank loss against the double loop, induction's target, sampling, when a guide applies; the
 * attention's threshold. */
#include "mil/attention.h"
#include "mil/guide.h"
#include "mil/rank.h"
#include "support.h"

#include <math.h>
#include <string.h>

/* -- all pairs ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    double *scores; /* positives, then negatives */
    double *fast, *slow;
    int64_t np, nn;
} Pairs;

typedef struct {
    RmilRankSide above, below;
} Sides;

static Sides sides_of(const Pairs *p, double *slopes) {
    return (Sides){{.scores = p->scores, .count = p->np, .slopes = slopes},
                   {.scores = p->scores + p->np, .count = p->nn, .slopes = slopes + p->np}};
}

static void compare_pairs(Pairs *p, double sigma, double margin, const char *what) {
    g_autoptr(RmilArena) arena = rmil_arena_new();
    GError *error = NULL;
    double loss;
    const Sides fast = sides_of(p, p->fast), slow = sides_of(p, p->slow);
    g_assert_true(rmil_rank_loss(&fast.above, &fast.below, sigma, margin, arena, &loss, &error));
    double expected;
    rmil_rank_loss_reference(&slow.above, &slow.below, sigma, margin, &expected);
    const double nothing = 1e-20; /* a loss that no sum would notice: every pair is in the right order by 46 and more */
    double off = fabs(loss - expected) / MAX(expected, nothing), worst = 0;
    for (int side = 0; side < 2; side++) { /* relative to the largest derivative of each side */
        double top = nothing, difference = 0;
        for (int64_t i = side ? p->np : 0; i < (side ? p->np + p->nn : p->np); i++) {
            top = MAX(top, fabs(p->slow[i]));
            difference = MAX(difference, fabs(p->slow[i] - p->fast[i]));
        }
        worst = MAX(worst, difference / top);
    }
    g_test_message("%s, %d × %d: loss off by %.2g, derivatives by %.2g", what, (int)p->np, (int)p->nn, off, worst);
    g_assert_cmpfloat(off, <, 1e-6);
    g_assert_cmpfloat(worst, <, 1e-6);
}

static Pairs new_pairs(int64_t np, int64_t nn) {
    return (Pairs){g_new(double, np + nn), g_new(double, np + nn), g_new(double, np + nn), np, nn};
}

static void free_pairs(Pairs *p) {
    g_free(p->scores);
    g_free(p->fast);
    g_free(p->slow);
}

static void test_all_pairs(void) {
    static const int64_t sizes[][2] = {{1, 1}, {1, 5000}, {5000, 1}, {3, 7}, {67, 61}, {64, 65}, {500, 1500}};
    static const struct {
        const char *name;
        double spread, apart, grain; /* normal scores × spread, sides `apart`, rounded to `grain` */
    } shapes[] = {
        {"random", 1, 0, 0},   {"right order", 1, 4, 0}, {"wrong order", 1, -4, 0},      {"clustered", 5, 0, 2.5}, {"equal", 0, 0, 0},
        {"close", 1e-4, 0, 0}, {"wide", 30, 0, 0},       {"far right", 1, 25, 0},        {"far wrong", 1, -80, 0}, {"±80", 0, 160, 0},
        {"−80", 0, -160, 0},   {"very wide", 3e5, 0, 0}, {"far, far wrong", 50, -1e5, 0}};
    for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++)
        for (gsize k = 0; k < G_N_ELEMENTS(shapes); k++) {
            Pairs p = new_pairs(sizes[s][0], sizes[s][1]);
            RmilRng rng;
            rmil_rng_init(&rng, s, k);
            for (int64_t i = 0; i < p.np + p.nn; i++) {
                double x = rmil_rng_normal(&rng) * shapes[k].spread;
                if (shapes[k].grain > 0) x = round(x / shapes[k].grain) * shapes[k].grain;
                p.scores[i] = (double)(float)(x + (i < p.np ? shapes[k].apart / 2 : -shapes[k].apart / 2));
            }
            compare_pairs(&p, 1, 1, shapes[k].name);
            compare_pairs(&p, 4, 0, shapes[k].name);
            compare_pairs(&p, 0.1, -3, shapes[k].name);
            free_pairs(&p);
        }
}

static void test_not_numbers(void) {
    Pairs p = new_pairs(100, 100);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    double loss;
    for (int i = 0; i < 200; i++) p.scores[i] = i == 150 ? NAN : (double)i;
    const Sides sides = sides_of(&p, p.fast);
    g_assert_true(rmil_rank_loss(&sides.above, &sides.below, 1, 1, arena, &loss, NULL));
    g_assert_true(isnan(loss));
    p.scores[150] = INFINITY;
    g_assert_true(rmil_rank_loss(&sides.above, &sides.below, 1, 1, arena, &loss, NULL));
    g_assert_true(isinf(loss));
    free_pairs(&p);
}

/* -- guides ------------------------------------------------------------------------------------------------------------------ */
static RmilStep step_of(const RmilModelConfig *config, int label, gboolean train, uint64_t stream) {
    return (RmilStep){.config = config, .target = RMIL_TARGET_CLASS(label), .train = train, .seed = 3, .stream = stream};
}

static void test_applies(void) {
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, NULL));
    const uint8_t some[4] = {0, 1, 0, 1}, none[4] = {0}, all[4] = {1, 1, 1, 1};
    const float scores[4] = {0.3f, -1, 2, 0.5f}, tissue[4] = {1, 0.5f, 1, 0.25f};
    RmilStep positive = step_of(&config, 1, FALSE, 0), negative = step_of(&config, 0, FALSE, 0);
    g_assert_true(rmil_guide_applies(&positive, some, 4));
    g_assert_false(rmil_guide_applies(&positive, none, 4));
    g_assert_false(rmil_guide_applies(&positive, all, 4)); /* nothing to rank them above */
    g_assert_false(rmil_guide_applies(&positive, NULL, 4));
    g_assert_false(rmil_guide_applies(&negative, some, 4));
    g_autoptr(RmilArena) arena = rmil_arena_new();
    float ds[4] = {9, 9, 9, 9}, da[4];
    double loss;
    const float attention[4] = {0.1f, 0.2f, 0.3f, 0.4f};
    RmilGuided on = {.scores = scores, .attention = attention, .labels = some, .tissue = tissue, .count = 4};
    g_assert_true(rmil_guide_loss(&negative, &on, arena, &loss, ds, NULL, NULL));
    g_assert_cmpfloat(loss, ==, 0);
    for (int i = 0; i < 4; i++) g_assert_cmpfloat(ds[i], ==, 0);
    config.guide = RMIL_GUIDE_INDUCTION;
    g_assert_true(rmil_guide_applies(&positive, all, 4));
    /* g follows the tissue of the annotated patches; without tissue it is even */
    config.lambda = 2;
    g_assert_true(rmil_guide_loss(&positive, &on, arena, &loss, NULL, da, NULL));
    const double g[4] = {0, 2.0 / 3, 0, 1.0 / 3}, even[4] = {0, 0.5, 0, 0.5};
    double expected = 0, expected_even = 0;
    for (int i = 0; i < 4; i++) {
        expected += 2 * pow((double)attention[i] - g[i], 2);
        expected_even += 2 * pow((double)attention[i] - even[i], 2);
        g_assert_cmpfloat_with_epsilon(da[i], 4 * ((double)attention[i] - g[i]), 1e-6);
    }
    g_assert_cmpfloat_with_epsilon(loss, expected, 1e-7);
    on.tissue = NULL;
    g_assert_true(rmil_guide_loss(&positive, &on, arena, &loss, NULL, NULL, NULL));
    g_assert_cmpfloat_with_epsilon(loss, expected_even, 1e-7);
}

/* Sampling draws the same pairs for the same seed and stream, other pairs for others, and only in training. */
static void test_sample(void) {
    enum { K = 60, N = 5 };
    RmilModelConfig config;
    g_assert_true(rmil_model_config_init(&config, "abmil", RMIL_GUIDE_RANK, NULL));
    config.rank_sample = N;
    uint8_t labels[K];
    float scores[K], ds[3][K];
    for (int i = 0; i < K; i++) labels[i] = i % 3 == 0, scores[i] = (float)sin(i);
    g_autoptr(RmilArena) arena = rmil_arena_new();
    double loss[4];
    const RmilGuided on = {.scores = scores, .labels = labels, .count = K};
    for (int round = 0; round < 3; round++) {
        RmilStep step = step_of(&config, 1, TRUE, round == 2 ? 8 : 7);
        g_assert_true(rmil_guide_loss(&step, &on, arena, &loss[round], ds[round], NULL, NULL));
        int touched[2] = {0};
        for (int i = 0; i < K; i++) {
            touched[labels[i]] += ds[round][i] != 0;
            g_assert_true(labels[i] ? ds[round][i] <= 0 : ds[round][i] >= 0);
        }
        g_assert_cmpint(touched[0], ==, N);
        g_assert_cmpint(touched[1], ==, N);
    }
    g_assert_true(memcmp(ds[0], ds[1], sizeof ds[0]) == 0);
    g_assert_true(memcmp(ds[0], ds[2], sizeof ds[0]) != 0);
    RmilStep test = step_of(&config, 1, FALSE, 7);
    g_assert_true(rmil_guide_loss(&test, &on, arena, &loss[3], ds[0], NULL, NULL));
    for (int i = 0; i < K; i++) g_assert_true(ds[0][i] != 0);
}

static void test_slide_losses(void) {
    double dz, d[2];
    g_assert_cmpfloat_with_epsilon(rmil_bce(0.3, 1, &dz), log1p(exp(-0.3)), 1e-15);
    g_assert_cmpfloat_with_epsilon(dz, 1 / (1 + exp(-0.3)) - 1, 1e-15);
    g_assert_cmpfloat(rmil_bce(1000, 1, &dz), ==, 0);
    g_assert_cmpfloat(rmil_bce(-1000, 1, &dz), ==, 1000);
    const double z[2] = {-0.4, 0.9};
    g_assert_cmpfloat_with_epsilon(rmil_cross_entropy(z, 2, 1, d), rmil_bce(1.3, 1, &dz), 1e-15);
    g_assert_cmpfloat_with_epsilon(d[1], dz, 1e-15);
    g_assert_cmpfloat_with_epsilon(d[0], -dz, 1e-15);
}

/* -- attention ------------------------------------------------------------------------------------------------------------------ */
/* Section by section as it is written in docs/models.md, in double. */
static void attention_reference(const double *s, int k, double scale, double threshold, double *a) {
    double top = -INFINITY, sum = 0, norm = 1e-8, most = 0, left = 0;
    for (int i = 0; i < k; i++) top = MAX(top, scale * s[i]);
    for (int i = 0; i < k; i++) sum += a[i] = exp(scale * s[i] - top);
    for (int i = 0; i < k; i++) a[i] /= sum;
    for (int i = 0; i < k; i++) most = MAX(most, a[i]), left += MAX(a[i] - threshold / k, 0);
    if (threshold < 0 || (k * most < 1 + 1e-5 && left < 1e-4)) return;
    for (int i = 0; i < k; i++) norm += a[i] = MAX(a[i] - threshold / k, 0);
    for (int i = 0; i < k; i++) a[i] /= norm;
}

static void test_attention(void) {
    static const double thresholds[] = {-1, 0, 0.5, 1, 3, 1e6};
    static const int counts[] = {1, 2, 3, 7, 61};
    for (gsize c = 0; c < G_N_ELEMENTS(counts); c++)
        for (gsize t = 0; t < G_N_ELEMENTS(thresholds); t++)
            for (int wide = 0; wide < 2; wide++) {
                const int k = counts[c];
                float s[61], soft[61], a[61], da[61], ds[61];
                double x[61], expected[61], shifted[61], low, high, inner = 0;
                RmilRng rng;
                rmil_rng_init(&rng, c, t);
                for (int i = 0; i < k; i++) {
                    s[i] = wide ? (float)(i % 2 ? 80 : -80) : (float)rmil_rng_normal(&rng);
                    x[i] = (double)s[i];
                    da[i] = (float)rmil_rng_normal(&rng);
                }
                RmilAttention attention;
                rmil_attention_forward(s, k, 0.7, thresholds[t], FALSE, soft, a, &attention);
                attention_reference(x, k, 0.7, thresholds[t], expected);
                double total = 0;
                for (int i = 0; i < k; i++) {
                    g_assert_cmpfloat_with_epsilon(a[i], expected[i], 2e-6);
                    total += expected[i];
                }
                g_assert_cmpfloat_with_epsilon(attention.total, total, 1e-6);
                if (thresholds[t] > k && k > 1) g_assert_cmpfloat(attention.total, ==, 0);
                if (k == 1) g_assert_cmpfloat(a[0], ==, 1); /* whatever its threshold */
                rmil_attention_backward(&attention, soft, a, da, k, FALSE, ds);
                for (int j = 0; j < k && !wide; j++) { /* against differences of the reference */
                    const double h = 1e-6, middle = x[j];
                    x[j] = middle + h;
                    attention_reference(x, k, 0.7, thresholds[t], shifted);
                    high = 0;
                    for (int i = 0; i < k; i++) high += shifted[i] * (double)da[i];
                    x[j] = middle - h;
                    attention_reference(x, k, 0.7, thresholds[t], shifted);
                    low = 0;
                    for (int i = 0; i < k; i++) low += shifted[i] * (double)da[i];
                    x[j] = middle;
                    inner = MAX(inner, fabs((high - low) / (2 * h) - (double)ds[j]));
                }
                g_assert_cmpfloat(inner, <, 1e-4);
            }
}

/* Of equal scores none stands out and the cut leaves nothing: the uncut shares stand, 1/K each, and so does their gradient. */
static void test_even(void) {
    static const double thresholds[] = {0.5, 0.9999999, 1, 2, 100};
    static const int counts[] = {1, 2, 3, 7, 48, 61};
    for (gsize c = 0; c < G_N_ELEMENTS(counts); c++)
        for (gsize t = 0; t < G_N_ELEMENTS(thresholds); t++)
            for (int noisy = 0; noisy < 2; noisy++) {
                const int k = counts[c];
                float s[61], soft[61], a[61], ds[61], plain[61];
                RmilAttention attention, uncut;
                for (int i = 0; i < k; i++) s[i] = noisy && i % 3 == 1 ? nextafterf(20, 30) : 20; /* as rounding leaves them */
                rmil_attention_forward(s, k, 1, thresholds[t], FALSE, soft, a, &attention);
                for (int i = 0; i < k; i++) g_assert_cmpfloat_with_epsilon(a[i], 1.0 / k, 1e-5 / k);
                g_assert_cmpfloat_with_epsilon(attention.total, 1, 1e-6);
                if (thresholds[t] < 0.9) continue; /* the cut leaves half of it, and its gradient is steeper */
                const float *da = s;               /* any numbers */
                rmil_attention_backward(&attention, soft, a, da, k, FALSE, ds);
                rmil_attention_forward(s, k, 1, -1, FALSE, soft, a, &uncut);
                rmil_attention_backward(&uncut, soft, a, da, k, FALSE, plain);
                for (int i = 0; i < k; i++) g_assert_cmpfloat(ds[i], ==, plain[i]);
            }
    /* where even bags are to be cut, too, nothing is left of one patch, as the paper's formula has it */
    float lone = 3, whole, left;
    RmilAttention cut;
    rmil_attention_forward(&lone, 1, 1, 1, TRUE, &whole, &left, &cut);
    g_assert_true(left == 0 && cut.total == 0 && whole == 1);
    /* one that stands out is no even bag: the cut applies, and may leave nothing */
    float s[3] = {0, 0, 0.01f}, soft[3], a[3];
    RmilAttention attention;
    rmil_attention_forward(s, 3, 1, 1, FALSE, soft, a, &attention);
    g_assert_cmpfloat(a[0], ==, 0);
    g_assert_cmpfloat_with_epsilon(a[2], 1, 1e-5);
    rmil_attention_forward(s, 3, 1, 2, FALSE, soft, a, &attention);
    g_assert_cmpfloat(attention.total, ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mil/rank/pairs", test_all_pairs);
    g_test_add_func("/mil/rank/not-numbers", test_not_numbers);
    g_test_add_func("/mil/guide/applies", test_applies);
    g_test_add_func("/mil/guide/sample", test_sample);
    g_test_add_func("/mil/loss/slide", test_slide_losses);
    g_test_add_func("/mil/attention", test_attention);
    g_test_add_func("/mil/attention/even", test_even);
    return g_test_run();
}
