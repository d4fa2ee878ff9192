/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions that learn against the sums that define them: forward, and both ways back. */
#include "encoder/learned.h"
#include "support.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

typedef struct {
    int64_t images, in, out, kernel, stride, side;
    dnnl_format_tag_t layout;
    gboolean first;
} Case;

static const Case cases[] = {
    {2, 4, 8, 1, 1, 7, dnnl_nhwc, FALSE},      {2, 16, 32, 1, 2, 9, dnnl_nChw16c, FALSE}, {3, 8, 16, 1, 2, 8, dnnl_nChw8c, FALSE},
    {2, 4, 4, 3, 1, 7, dnnl_nhwc, FALSE},      {1, 4, 4, 3, 2, 9, dnnl_nhwc, FALSE},      {2, 8, 8, 3, 2, 13, dnnl_nChw8c, FALSE},
    {2, 16, 16, 3, 2, 9, dnnl_nChw16c, FALSE}, {3, 8, 8, 3, 1, 7, dnnl_nhwc, FALSE},      {2, 16, 8, 3, 1, 13, dnnl_nChw8c, FALSE},
    {4, 32, 16, 3, 1, 9, dnnl_nChw16c, FALSE}, {2, 8, 16, 3, 1, 9, dnnl_nhwc, FALSE},     {2, 16, 16, 3, 1, 1, dnnl_nChw16c, FALSE},
    {2, 8, 8, 3, 2, 1, dnnl_nChw8c, FALSE},    {2, 3, 16, 7, 2, 13, dnnl_nChw16c, TRUE},  {2, 3, 4, 7, 2, 9, dnnl_nhwc, TRUE},
    {1, 3, 8, 7, 2, 14, dnnl_nChw8c, TRUE},    {1, 4, 8, 7, 1, 7, dnnl_nhwc, FALSE},
};

typedef struct {
    const Case *c;
    RmilPrecision precision;
    int64_t in_block, out_block, side; /* side: of the output */
    RmilDnn *dnn;
    RmilStream *stream;
    RmilLearned *learned;
    void *source, *slopes, *out, *back, *scratch;
    float *weights, *gradient, *plain;
} Setting;

static int64_t in_count(const Setting *s) { return s->c->images * s->c->in * s->c->side * s->c->side; }
static int64_t out_count(const Setting *s) { return s->c->images * s->c->out * s->side * s->side; }
static int64_t weight_count(const Case *c) { return c->out * c->in * c->kernel * c->kernel; }

static double get(const Setting *s, const void *x, int64_t i) {
    return s->precision == RMIL_BFLOAT16 ? (double)rmil_bfloat16_float(((const uint16_t *)x)[i]) : (double)((const float *)x)[i];
}

static void *random_numbers(RmilPrecision precision, int64_t n, uint64_t seed) {
    void *x = rmil_alloc(n, sizeof(float), NULL);
    RmilRng rng;
    rmil_rng_init(&rng, seed, 6);
    for (int64_t i = 0; i < n; i++) {
        const float value = (float)rmil_rng_normal(&rng);
        if (precision == RMIL_BFLOAT16) ((uint16_t *)x)[i] = rmil_bfloat16(value);
        else ((float *)x)[i] = value;
    }
    return x;
}

static int64_t in_at(const Setting *s, int64_t image, int64_t i, int64_t y, int64_t x) {
    const int64_t block = s->c->first ? 1 : s->in_block;
    return (((image * (s->c->in / block) + i / block) * s->c->side + y) * s->c->side + x) * block + i % block;
}
static int64_t out_at(const Setting *s, int64_t image, int64_t o, int64_t y, int64_t x) {
    const int64_t block = s->out_block;
    return (((image * (s->c->out / block) + o / block) * s->side + y) * s->side + x) * block + o % block;
}

/* FALSE: this processor has no bfloat16, or not in this layout. Weights are such as bfloat16 has, too. */
static gboolean open_setting(Setting *s, const Case *c, RmilPrecision precision) {
    const RmilLearnedShape shape = {.images = c->images,
                                    .in = c->in,
                                    .out = c->out,
                                    .kernel = c->kernel,
                                    .stride = c->stride,
                                    .padding = c->kernel / 2,
                                    .side = c->side,
                                    .layout = c->layout,
                                    .first = c->first,
                                    .precision = precision};
    g_autoptr(GError) error = NULL;
    *s = (Setting){.c = c, .precision = precision, .side = rmil_learned_side(&shape)};
    g_assert_cmpint(s->side, ==, (c->side - 1) / c->stride + 1);
    s->in_block = rmil_learned_block(c->layout, c->in);
    s->out_block = rmil_learned_block(c->layout, c->out);
    s->dnn = rmil_dnn_new(NULL);
    s->stream = rmil_stream_new(s->dnn, NULL);
    if (!(s->learned = rmil_learned_new(s->dnn, &shape, &error))) {
        g_assert_true(precision == RMIL_BFLOAT16 && g_error_matches(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT));
        return FALSE;
    }
    s->source = random_numbers(precision, in_count(s), 1);
    s->slopes = random_numbers(precision, out_count(s), 2);
    s->out = rmil_alloc(out_count(s), sizeof(float), NULL);
    s->back = rmil_alloc(in_count(s), sizeof(float), NULL);
    s->scratch = rmil_alloc((int64_t)rmil_learned_scratch(s->learned) + 1, 1, NULL);
    s->weights = random_numbers(RMIL_FLOAT32, weight_count(c), 3);
    s->gradient = rmil_alloc(2 * rmil_learned_gradient_count(s->learned), sizeof(float), NULL);
    s->plain = rmil_alloc(weight_count(c), sizeof(float), NULL);
    for (int64_t i = 0; i < weight_count(c); i++) s->weights[i] = rmil_bfloat16_float(rmil_bfloat16(s->weights[i]));
    return TRUE;
}

static void close_setting(Setting *s) {
    void *const all[] = {s->source, s->slopes, s->out, s->back, s->scratch, s->weights, s->gradient, s->plain};
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) rmil_free(all[i]);
    rmil_learned_free(s->learned);
    rmil_stream_free(s->stream);
    rmil_dnn_free(s->dnn);
}

/* The three sums in double, each with the sum of its terms' magnitudes, against which rounding is judged. */
typedef struct {
    double *sum, *size;
} Sums;
static Sums new_sums(int64_t n) { return (Sums){g_new0(double, n), g_new0(double, n)}; }
static void add(Sums *s, int64_t at, double term) {
    s->sum[at] += term;
    s->size[at] += fabs(term);
}

static void check_sums(const Setting *s, Sums *want, int64_t n, const void *got, RmilPrecision precision, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        const double value = precision == RMIL_BFLOAT16 ? get(s, got, i) : (double)((const float *)got)[i];
        const double allowed = 4e-6 * want->size[i] + (precision == RMIL_BFLOAT16 ? fabs(want->sum[i]) / 200 : 0);
        if (fabs(value - want->sum[i]) <= allowed) continue;
        g_test_message("%s of %d to %d channels, kernel %d, side %d: %g, not %g, at %d", what, (int)s->c->in, (int)s->c->out,
                       (int)s->c->kernel, (int)s->c->side, value, want->sum[i], (int)i);
        g_test_fail();
        break;
    }
    g_free(want->sum);
    g_free(want->size);
}

static void check_all(const Setting *s) {
    const Case *c = s->c;
    Sums out = new_sums(out_count(s)), back = new_sums(in_count(s)), weights = new_sums(weight_count(c));
    for (int64_t image = 0; image < c->images; image++)
        for (int64_t o = 0; o < c->out; o++)
            for (int64_t p = 0; p < s->side * s->side; p++) {
                const int64_t to = out_at(s, image, o, p / s->side, p % s->side);
                for (int64_t i = 0; i < c->in; i++)
                    for (int64_t k = 0; k < c->kernel * c->kernel; k++) {
                        const int64_t y = p / s->side * c->stride + k / c->kernel - c->kernel / 2;
                        const int64_t x = p % s->side * c->stride + k % c->kernel - c->kernel / 2;
                        if (y < 0 || x < 0 || y >= c->side || x >= c->side) continue;
                        const int64_t from = in_at(s, image, i, y, x), by = (o * c->in + i) * c->kernel * c->kernel + k;
                        add(&out, to, get(s, s->source, from) * (double)s->weights[by]);
                        add(&back, from, get(s, s->slopes, to) * (double)s->weights[by]);
                        add(&weights, by, 2 * get(s, s->source, from) * get(s, s->slopes, to)); /* of two chunks alike */
                    }
            }
    check_sums(s, &out, out_count(s), s->out, s->precision, "what it makes");
    if (!c->first) check_sums(s, &back, in_count(s), s->back, s->precision, "the gradient by the source");
    else {
        g_free(back.sum);
        g_free(back.size);
    }
    check_sums(s, &weights, weight_count(c), s->plain, RMIL_FLOAT32, "the gradient by the weights");
}

/* Other weights first, which must leave no trace. */
static void run_all(Setting *s) {
    const int64_t count = rmil_learned_gradient_count(s->learned);
    float *others = random_numbers(RMIL_FLOAT32, weight_count(s->c), 4);
    g_assert_true(rmil_learned_set(s->learned, s->stream, others, NULL));
    g_assert_true(rmil_learned_set(s->learned, s->stream, s->weights, NULL));
    rmil_free(others);
    memset(s->out, 0x7f, (gsize)out_count(s) * sizeof(float)); /* all is overwritten */
    memset(s->back, 0x7f, (gsize)in_count(s) * sizeof(float));
    memset(s->gradient, 0x7f, 2 * (gsize)count * sizeof(float));
    g_assert_true(rmil_learned_forward(s->learned, s->stream, s->source, s->out, s->scratch, NULL));
    if (!s->c->first) g_assert_true(rmil_learned_input(s->learned, s->stream, s->slopes, s->back, s->scratch, NULL));
    for (int chunk = 0; chunk < 2; chunk++)
        g_assert_true(rmil_learned_weights(s->learned, s->stream, s->source, s->slopes, s->gradient + chunk * count, s->scratch, NULL));
    for (int64_t i = 0; i < count; i++) s->gradient[i] += s->gradient[count + i];
    g_assert_true(rmil_learned_plain(s->learned, s->stream, s->gradient, s->plain, NULL));
}

static void test_sums(gconstpointer precision) {
    int done = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Setting s;
        if (open_setting(&s, &cases[i], (RmilPrecision)GPOINTER_TO_INT(precision))) {
            run_all(&s);
            check_all(&s);
            done++;
        }
        close_setting(&s);
    }
    if (!done) g_test_skip("this processor has no bfloat16");
}

/* A copy of one image at every place of a chunk gives the same bits, forward and back. */
static void test_place(gconstpointer precision) {
    static const Case more[] = {{4, 64, 64, 3, 1, 14, dnnl_nChw16c, FALSE},
                                {4, 64, 256, 1, 1, 7, dnnl_nChw16c, FALSE},
                                {3, 64, 64, 3, 2, 15, dnnl_nChw16c, FALSE},
                                {4, 3, 64, 7, 2, 33, dnnl_nChw16c, TRUE}};
    int done = 0;
    for (gsize n = 0; n < G_N_ELEMENTS(cases) + G_N_ELEMENTS(more); n++) {
        const gsize own = G_N_ELEMENTS(cases);
        Setting s;
        if (!open_setting(&s, n < own ? &cases[n] : &more[n - own], (RmilPrecision)GPOINTER_TO_INT(precision))) {
            close_setting(&s);
            continue;
        }
        done++;
        const gsize size = s.precision == RMIL_BFLOAT16 ? 2 : 4, images = (gsize)s.c->images;
        const gsize in = (gsize)in_count(&s) * size / images, out = (gsize)out_count(&s) * size / images;
        for (gsize i = 1; i < images; i++) {
            memcpy((char *)s.source + i * in, s.source, in);
            memcpy((char *)s.slopes + i * out, s.slopes, out);
        }
        run_all(&s);
        for (gsize i = 1; i < images; i++) {
            g_assert_true(memcmp((char *)s.out + i * out, s.out, out) == 0);
            g_assert_true(s.c->first || memcmp((char *)s.back + i * in, s.back, in) == 0);
        }
        close_setting(&s);
    }
    if (!done) g_test_skip("this processor has no bfloat16");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/learned/sums", GINT_TO_POINTER(RMIL_FLOAT32), test_sums);
    g_test_add_data_func("/learned/sums-bfloat16", GINT_TO_POINTER(RMIL_BFLOAT16), test_sums);
    g_test_add_data_func("/learned/place", GINT_TO_POINTER(RMIL_FLOAT32), test_place);
    g_test_add_data_func("/learned/place-bfloat16", GINT_TO_POINTER(RMIL_BFLOAT16), test_place);
    return g_test_run();
}
