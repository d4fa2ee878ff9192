/* The layers of the models against their definitions in double precision, on odd sizes. */
#include "mil/activation.h"
#include "support.h"

#include <math.h>

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

static void test_activation(void) {
    enum { N = 40003 };
    g_autofree float *x = g_new(float, N), *y = g_new(float, N);
    for (int i = 0; i < N; i++) x[i] = (float)((i - N / 2) * 0.0011 + 1e-7);
    rmil_sigmoid(x, y, N);
    for (int i = 0; i < N; i++) g_assert_cmpfloat_with_epsilon(y[i] * (1 + exp(-(double)x[i])), 1, 3e-7);
    rmil_tanh(x, y, N);
    for (int i = 0; i < N; i++) g_assert_cmpfloat_with_epsilon(y[i] / tanh(x[i]), 1, 3e-7);
    rmil_gelu(x, y, N);
    for (int i = 0; i < N; i++)
        g_assert_cmpfloat_with_epsilon(y[i], x[i] * normal_cdf(x[i]), 1.5e-7 * MAX(1, fabsf(x[i])));
    g_autofree float *slope = g_memdup2(x, N * sizeof(float));
    rmil_gelu_slope(slope, y, N);
    for (int i = 0; i < N; i++) {
        double density = exp(-0.5 * x[i] * (double)x[i]) / sqrt(2 * G_PI);
        g_assert_cmpfloat_with_epsilon(y[i], x[i] * normal_cdf(x[i]), 1.5e-7 * MAX(1, fabsf(x[i])));
        g_assert_cmpfloat_with_epsilon(slope[i], normal_cdf(x[i]) + x[i] * density, 2e-7);
    }
    const float far[] = {-1e30f, -200, 200, 1e30f};
    float out[4];
    rmil_sigmoid(far, out, 4);
    g_assert_true(out[0] >= 0 && out[0] < 1e-37f && out[1] >= 0 && out[2] == 1 && out[3] == 1);
    rmil_tanh(far, out, 4);
    g_assert_true(out[0] == -1 && out[1] == -1 && out[2] == 1 && out[3] == 1);
    rmil_gelu(far, out, 4);
    g_assert_true(fabsf(out[0]) < 1e-6f && fabsf(out[1]) < 1e-30f && out[2] == 200 && out[3] == far[3]);
}

static void test_softmax(void) {
    for (int n = 1; n < 70; n += 3) {
        g_autofree float *x = g_new(float, 3 * (n + 2)), *y = g_new(float, 3 * (n + 2));
        for (int i = 0; i < 3 * (n + 2); i++) y[i] = x[i] = (float)(30 * sin(i * 7.7 + n));
        float log_sum[3];
        rmil_softmax_rows(y, 3, n, n + 2, 0.25f, log_sum);
        for (int r = 0; r < 3; r++) {
            double sum = 0;
            for (int i = 0; i < n; i++) sum += exp(0.25 * x[r * (n + 2) + i]);
            for (int i = 0; i < n; i++)
                g_assert_cmpfloat_with_epsilon(y[r * (n + 2) + i], exp(0.25 * x[r * (n + 2) + i]) / sum, 5e-7);
            g_assert_cmpfloat_with_epsilon(log_sum[r], log(sum), 2e-6);
            g_assert_cmpfloat(y[r * (n + 2) + n], ==, x[r * (n + 2) + n]);
        }
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mil/activation", test_activation);
    g_test_add_func("/mil/softmax", test_softmax);
    return g_test_run();
}
