/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm, ReLU and pooling of networks in training, against plain sums in double. */
#include "encoder/norm.h"
#include "support.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

/* Blocks of 16 and 8, channels last of many and of odd numbers of channels; pixels above and below what is summed at once. */
static const RmilMaps shapes[] = {{2, 32, 81, 16, 0}, {3, 24, 25, 8, 0}, {1, 16, 64, 16, 0}, {2, 48, 9, 48, 0},
                                  {2, 24, 65, 24, 0}, {2, 5, 49, 5, 0},  {3, 4, 1, 4, 0},    {1, 3, 130, 3, 0}};
enum { SHAPES = G_N_ELEMENTS(shapes), CHUNKS = 2 };

static gboolean is_half(const RmilMaps *m) { return m->precision == RMIL_BFLOAT16; }

/* The layout as norm.h says it. */
static int64_t place(const RmilMaps *m, int64_t image, int64_t c, int64_t p) {
    return ((image * (m->channels / m->block) + c / m->block) * m->pixels + p) * m->block + c % m->block;
}

static double get(const RmilMaps *m, const void *x, int64_t at) {
    return is_half(m) ? (double)rmil_bfloat16_float(((const uint16_t *)x)[at]) : (double)((const float *)x)[at];
}

static void put(const RmilMaps *m, void *x, int64_t at, double value) {
    if (is_half(m)) ((uint16_t *)x)[at] = rmil_bfloat16((float)value);
    else ((float *)x)[at] = (float)value;
}

static void *new_maps(const RmilMaps *m) { return rmil_alloc((int64_t)rmil_maps_bytes(m), 1, NULL); }

static void *random_maps(const RmilMaps *m, uint64_t seed, double mean) {
    void *x = new_maps(m);
    RmilRng rng;
    rmil_rng_init(&rng, seed, 3);
    for (int64_t i = 0; i < rmil_maps_count(m); i++) put(m, x, i, mean + rmil_rng_normal(&rng));
    return x;
}

static void *copy_maps(const RmilMaps *m, const void *x) {
    void *copy = new_maps(m);
    memcpy(copy, x, rmil_maps_bytes(m));
    return copy;
}

/* Within rounding of the kind of number, of a value that sums terms of that size. */
static void close_to(const RmilMaps *m, double got, double want, double size) {
    const double allowed = is_half(m) ? fabs(want) / 200 + size * 1e-5 : size * 4e-6;
    if (fabs(got - want) <= allowed) return;
    g_test_message("%g, not %g: %g allowed", got, want, allowed);
    g_test_fail();
}

/* Every shape in both kinds of number. */
static void each(void (*test)(const RmilMaps *m)) {
    for (int half = 0; half < 2; half++)
        for (int i = 0; i < SHAPES; i++) {
            RmilMaps m = shapes[i];
            m.precision = half ? RMIL_BFLOAT16 : RMIL_FLOAT32;
            test(&m);
        }
}

/* -- forward ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    void *x[CHUNKS];
    double *sums; /* of the chunks */
    float *gain, *bias;
    RmilNorm *norm;
    double *mean, *variance; /* of the batch, by the plain formulas; biased */
} Batch;

static double entry(const RmilMaps *m, void *const *x, int64_t c, int64_t i) {
    const int64_t each = m->images * m->pixels, within = i % each;
    return get(m, x[i / each], place(m, within / m->pixels, c, within % m->pixels));
}
static int64_t entries(const RmilMaps *m) { return CHUNKS * m->images * m->pixels; }

static Batch make_batch(const RmilMaps *m, uint64_t seed, float *mean, float *variance) {
    Batch b = {.sums = g_new(double, CHUNKS * 2 * m->channels), .norm = rmil_norm_new(m->channels, NULL)};
    RmilRng rng;
    rmil_rng_init(&rng, seed, 4);
    b.gain = g_new(float, m->channels);
    b.bias = g_new(float, m->channels);
    b.mean = g_new0(double, m->channels);
    b.variance = g_new0(double, m->channels);
    for (int k = 0; k < CHUNKS; k++) {
        b.x[k] = random_maps(m, 10 * seed + (uint64_t)k, 0.7);
        for (int64_t i = 0; i < 2 * m->channels; i++) b.sums[2 * k * m->channels + i] = 1e9; /* must be overwritten */
        rmil_norm_sums(m, b.x[k], b.sums + 2 * k * m->channels);
    }
    for (int64_t c = 0; c < m->channels; c++) {
        b.gain[c] = (float)(1 + 0.5 * rmil_rng_normal(&rng));
        b.bias[c] = (float)(0.3 * rmil_rng_normal(&rng));
        for (int64_t i = 0; i < entries(m); i++) b.mean[c] += entry(m, b.x, c, i) / (double)entries(m);
        for (int64_t i = 0; i < entries(m); i++) b.variance[c] += pow(entry(m, b.x, c, i) - b.mean[c], 2) / (double)entries(m);
    }
    rmil_norm_learn(b.norm, m->channels, b.sums, CHUNKS, entries(m), b.gain, b.bias, mean, variance);
    return b;
}

static void free_batch(Batch *b) {
    for (int k = 0; k < CHUNKS; k++) rmil_free(b->x[k]);
    g_free(b->sums);
    g_free(b->gain);
    g_free(b->bias);
    g_free(b->mean);
    g_free(b->variance);
    rmil_norm_free(b->norm);
}

static double hat(const RmilMaps *m, const Batch *b, int64_t c, int64_t i) {
    return (entry(m, b->x, c, i) - b->mean[c]) / sqrt(b->variance[c] + 1e-5);
}

static void statistics(const RmilMaps *m) {
    g_autofree float *mean = g_new(float, m->channels), *variance = g_new(float, m->channels);
    for (int64_t c = 0; c < m->channels; c++) {
        mean[c] = (float)c;
        variance[c] = 2;
    }
    Batch b = make_batch(m, 1, mean, variance);
    const double n = (double)entries(m);
    for (int64_t c = 0; c < m->channels; c++) {
        double sums[2] = {0, 0};
        for (int64_t i = 0; i < entries(m); i++) {
            sums[0] += entry(m, b.x, c, i);
            sums[1] += pow(entry(m, b.x, c, i), 2);
        }
        for (int s = 0; s < 2; s++)
            g_assert_cmpfloat(fabs(b.sums[s * m->channels + c] + b.sums[(2 + s) * m->channels + c] - sums[s]), <, 4e-6 * (n + sums[1]));
        const double deviation = 1 / sqrt(b.variance[c] + 1e-5), scale = (double)b.gain[c] * deviation;
        g_assert_cmpfloat(fabs((double)b.norm->mean[c] - b.mean[c]), <, 1e-5);
        g_assert_cmpfloat(fabs((double)b.norm->deviation[c] / deviation - 1), <, 2e-5);
        g_assert_cmpfloat(fabs((double)b.norm->scale[c] - scale), <, 2e-5 * (1 + fabs(scale)));
        g_assert_cmpfloat(fabs((double)b.norm->shift[c] - ((double)b.bias[c] - b.mean[c] * scale)), <, 4e-5 * (1 + fabs(scale)));
        g_assert_cmpfloat(fabs((double)mean[c] - (0.9 * (double)c + 0.1 * b.mean[c])), <, 1e-5 * (double)(1 + c));
        g_assert_cmpfloat(fabs((double)variance[c] - (1.8 + 0.1 * b.variance[c] * n / (n - 1))), <, 1e-5);
    }
    free_batch(&b);
}
static void test_statistics(void) { each(statistics); }

/* One value: no spread, nothing that is not a number; and without running statistics. */
static void test_single(void) {
    RmilNorm *norm = rmil_norm_new(1, NULL);
    const double sums[2] = {3, 9};
    const float gain = 2, bias = 1;
    float mean = 0, variance = 1;
    rmil_norm_learn(norm, 1, sums, 1, 1, &gain, &bias, &mean, &variance);
    g_assert_cmpfloat(fabs((double)mean - 0.3), <, 1e-6);
    g_assert_cmpfloat(fabs((double)variance - 0.9), <, 1e-6);
    g_assert_cmpfloat(fabs((double)(norm->scale[0] * 3 + norm->shift[0]) - 1), <, 1e-3);
    rmil_norm_learn(norm, 1, sums, 1, 1, &gain, &bias, NULL, NULL);
    rmil_norm_free(norm);
}

static void apply(const RmilMaps *m) {
    Batch b = make_batch(m, 2, NULL, NULL), of = make_batch(m, 3, NULL, NULL);
    void *y[CHUNKS], *plus[CHUNKS], *projected[CHUNKS];
    for (int k = 0; k < CHUNKS; k++) {
        rmil_norm_apply(m, b.norm, b.x[k], NULL, NULL, y[k] = new_maps(m));
        rmil_norm_apply(m, b.norm, b.x[k], of.x[k], NULL, plus[k] = new_maps(m));
        rmil_norm_apply(m, b.norm, b.x[k], of.x[k], of.norm, projected[k] = new_maps(m));
    }
    for (int64_t c = 0; c < m->channels; c++)
        for (int64_t i = 0; i < entries(m); i++) {
            const double v = hat(m, &b, c, i) * (double)b.gain[c] + (double)b.bias[c];
            const double other = hat(m, &of, c, i) * (double)of.gain[c] + (double)of.bias[c];
            close_to(m, entry(m, y, c, i), fmax(v, 0), 20);
            close_to(m, entry(m, plus, c, i), fmax(v + entry(m, of.x, c, i), 0), 20);
            close_to(m, entry(m, projected, c, i), fmax(v + other, 0), 40);
        }
    for (int k = 0; k < CHUNKS; k++) {
        rmil_norm_apply(m, b.norm, b.x[k], NULL, NULL, b.x[k]); /* in place */
        g_assert_true(memcmp(b.x[k], y[k], rmil_maps_bytes(m)) == 0);
        rmil_free(y[k]);
        rmil_free(plus[k]);
        rmil_free(projected[k]);
    }
    free_batch(&b);
    free_batch(&of);
}
static void test_apply(void) { each(apply); }

/* What is not a number stays so, for a training that has come to nothing must not look like one that has not. */
static void not_numbers(const RmilMaps *m) {
    Batch b = make_batch(m, 4, NULL, NULL);
    put(m, b.x[0], place(m, 0, 1, 0), NAN);
    rmil_norm_sums(m, b.x[0], b.sums);
    rmil_norm_learn(b.norm, m->channels, b.sums, CHUNKS, entries(m), b.gain, b.bias, NULL, NULL);
    rmil_norm_apply(m, b.norm, b.x[1], NULL, NULL, b.x[1]);
    for (int64_t c = 0; c < m->channels; c++) g_assert_true(isnan(entry(m, b.x, c, entries(m) - 1)) == (c == 1));
    free_batch(&b);
}
static void test_not_numbers(void) { each(not_numbers); }

/* -- back ----------------------------------------------------------------------------------------------------------------- */
/* ∂L/∂x of a norm by the textbook, from slopes g behind it. */
static void check_back(const RmilMaps *m, Batch *b, void *const *g, void *const *dx, const float *gain, const float *bias) {
    for (int64_t c = 0; c < m->channels; c++) {
        double sum = 0, with = 0, size = 0;
        const double n = (double)entries(m), deviation = 1 / sqrt(b->variance[c] + 1e-5);
        for (int64_t i = 0; i < entries(m); i++) {
            sum += entry(m, g, c, i);
            with += entry(m, g, c, i) * hat(m, b, c, i);
            size += fabs(entry(m, g, c, i)) * (1 + fabs(hat(m, b, c, i)));
        }
        g_assert_cmpfloat(fabs((double)bias[c] - sum), <=, 1e-5 * size);
        g_assert_cmpfloat(fabs((double)gain[c] - with), <=, 1e-5 * size);
        for (int64_t i = 0; i < entries(m); i++) {
            const double scale = (double)b->gain[c] * deviation;
            const double want = scale * (entry(m, g, c, i) - sum / n - hat(m, b, c, i) * with / n);
            close_to(m, entry(m, dx, c, i), want, fabs(scale) * 30);
        }
    }
}

/* Slopes `dy` (and `more`) through the ReLU whose output is y, or that of the norm alone. */
static void back_through(const RmilMaps *m, Batch *b, void *const *dy, void *const *more, void *const *y) {
    void *g[CHUNKS], *dx[CHUNKS];
    g_autofree double *sums = g_new(double, CHUNKS * 2 * m->channels), *only = g_new(double, CHUNKS * 2 * m->channels);
    g_autofree float *gain = g_new(float, m->channels), *bias = g_new(float, m->channels);
    for (int k = 0; k < CHUNKS; k++) {
        g[k] = copy_maps(m, dy[k]);
        void *out = new_maps(m);
        rmil_norm_apply(m, b->norm, b->x[k], NULL, NULL, out);
        const void *mask = y ? y[k] : out;
        rmil_norm_back_sums(m, b->norm, g[k], more ? more[k] : NULL, y ? y[k] : NULL, b->x[k], sums + 2 * k * m->channels);
        for (int64_t i = 0; i < rmil_maps_count(m); i++) {
            const double want = get(m, mask, i) > 0 ? get(m, dy[k], i) + (more ? get(m, more[k], i) : 0) : 0;
            close_to(m, get(m, g[k], i), want, want == 0 ? 0 : 4);
        }
        rmil_norm_back_sums_only(m, b->norm, g[k], b->x[k], only + 2 * k * m->channels);
        rmil_free(out);
    }
    if (!is_half(m) || !more) /* sums are of what was before rounding */
        for (int64_t i = 0; i < CHUNKS * 2 * m->channels; i++) g_assert_cmpfloat(fabs(only[i] - sums[i]), <=, 1e-4);
    rmil_norm_back_learn(b->norm, m->channels, only, CHUNKS, entries(m), gain, bias);
    for (int k = 0; k < CHUNKS; k++) rmil_norm_back(m, b->norm, g[k], b->x[k], dx[k] = new_maps(m));
    check_back(m, b, g, dx, gain, bias);
    for (int k = 0; k < CHUNKS; k++) {
        rmil_norm_back(m, b->norm, g[k], b->x[k], g[k]); /* in place */
        g_assert_true(memcmp(g[k], dx[k], rmil_maps_bytes(m)) == 0);
        rmil_free(g[k]);
        rmil_free(dx[k]);
    }
}

static void back(const RmilMaps *m) {
    Batch b = make_batch(m, 5, NULL, NULL);
    void *dy[CHUNKS], *more[CHUNKS], *y[CHUNKS];
    for (int k = 0; k < CHUNKS; k++) {
        dy[k] = random_maps(m, 60 + (uint64_t)k, 0);
        more[k] = random_maps(m, 70 + (uint64_t)k, 0);
        y[k] = random_maps(m, 80 + (uint64_t)k, 0);
    }
    back_through(m, &b, dy, NULL, NULL);
    back_through(m, &b, dy, NULL, y);
    back_through(m, &b, dy, more, y);
    for (int k = 0; k < CHUNKS; k++) {
        rmil_free(dy[k]);
        rmil_free(more[k]);
        rmil_free(y[k]);
    }
    free_batch(&b);
}
static void test_back(void) { each(back); }

/* -- pooling --------------------------------------------------------------------------------------------------------------- */
/* Small whole numbers, many of them equal and most below 0: the first of equal ones counts, nothing outside the map does. */
static void maximum(const RmilMaps *shape, int64_t side) {
    const int64_t small = (side + 1) / 2;
    RmilMaps m = *shape, to = *shape;
    m.pixels = side * side;
    to.pixels = small * small;
    void *x = new_maps(&m), *y = new_maps(&to), *dy = new_maps(&to), *dx = random_maps(&m, 1, 9);
    g_autofree double *want = g_new0(double, rmil_maps_count(&m));
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)side, 5);
    for (int64_t i = 0; i < rmil_maps_count(&m); i++) put(&m, x, i, (double)rmil_rng_below(&rng, 6) - 5);
    for (int64_t i = 0; i < rmil_maps_count(&to); i++) put(&m, dy, i, (double)rmil_rng_below(&rng, 9) - 4);
    rmil_maximum(&m, side, x, y);
    rmil_maximum_back(&m, side, x, dy, dx);
    for (int64_t image = 0; image < m.images; image++)
        for (int64_t c = 0; c < m.channels; c++)
            for (int64_t p = 0; p < to.pixels; p++) {
                double best = -INFINITY;
                int64_t where = -1;
                for (int64_t k = 0; k < 9; k++) {
                    const int64_t row = p / small * 2 + k / 3 - 1, column = p % small * 2 + k % 3 - 1;
                    if (row < 0 || column < 0 || row >= side || column >= side) continue;
                    const int64_t from = place(&m, image, c, row * side + column);
                    if (get(&m, x, from) > best) best = get(&m, x, where = from);
                }
                g_assert_cmpfloat(get(&m, y, place(&to, image, c, p)), ==, best);
                want[where] += get(&m, dy, place(&to, image, c, p));
            }
    for (int64_t i = 0; i < rmil_maps_count(&m); i++) g_assert_cmpfloat(get(&m, dx, i), ==, want[i]);
    rmil_free(x);
    rmil_free(y);
    rmil_free(dy);
    rmil_free(dx);
}

static void maxima(const RmilMaps *m) {
    static const int64_t sides[] = {1, 2, 3, 7, 8};
    for (gsize i = 0; i < G_N_ELEMENTS(sides); i++) maximum(m, sides[i]);
}
static void test_maximum(void) { each(maxima); }

static void means(const RmilMaps *m) {
    void *x = random_maps(m, 1, 0.5), *dx = random_maps(m, 2, 0), *sum = copy_maps(m, x), *placed = new_maps(m);
    g_autofree float *found = g_new(float, m->images * m->channels), *plain = g_new(float, rmil_maps_count(m));
    rmil_means(m, x, found);
    rmil_maps_add(m, sum, dx);
    for (int64_t i = 0; i < rmil_maps_count(m); i++) close_to(m, get(m, sum, i), get(m, x, i) + get(m, dx, i), 4);
    rmil_means_back(m, found, dx);
    for (int64_t image = 0; image < m->images; image++)
        for (int64_t c = 0; c < m->channels; c++) {
            const double got = (double)found[image * m->channels + c];
            double want = 0;
            for (int64_t p = 0; p < m->pixels; p++) {
                const int64_t at = place(m, image, c, p);
                want += get(m, x, at) / (double)m->pixels;
                close_to(m, get(m, dx, at), got / (double)m->pixels, 1);
                plain[(image * m->channels + c) * m->pixels + p] = (float)get(m, x, at);
            }
            g_assert_cmpfloat(fabs(got - want), <, 1e-6);
        }
    rmil_maps_from_plain(m, plain, placed);
    g_assert_true(memcmp(placed, x, rmil_maps_bytes(m)) == 0);
    rmil_free(x);
    rmil_free(dx);
    rmil_free(sum);
    rmil_free(placed);
}
static void test_means(void) { each(means); }

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/norm/statistics", test_statistics);
    g_test_add_func("/norm/single", test_single);
    g_test_add_func("/norm/apply", test_apply);
    g_test_add_func("/norm/not-numbers", test_not_numbers);
    g_test_add_func("/norm/back", test_back);
    g_test_add_func("/norm/maximum", test_maximum);
    g_test_add_func("/norm/means", test_means);
    return g_test_run();
}
