/* SPDX-License-Identifier: Apache-2.0 */
/* 3 × 3 convolutions by Winograd's F(4, 3). */
#include "winograd.h"

#include <dnnl.h>
#include <string.h>

enum {
    PATCH = 6,              /* side of the input patch of one tile … */
    TILE = 4,               /* … and of its output */
    POINTS = PATCH * PATCH, /* products per tile and pair of channels */
    LANES = 8,              /* channels transformed at once */
    ROWS = 24,              /* strips are whole groups of rows; otherwise a product would sum its last rows in another order */
    WORK = 1 << 20          /* useful bytes of transformed tiles at once: they should stay in the caches */
};

struct _RmilWinograd {
    int64_t in, out, side, block, tiles; /* tiles: along one side */
    int64_t all, strip;                  /* tiles of the batch, and of those transformed at once */
    gboolean relu;
    float *weights; /* (POINTS, in, out) */
    float *bias;
};

/* -- weights: U = G g Gᵀ -------------------------------------------------------------------------------------------------- */

static const double G[PATCH][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};

static void transform_weights(const float *g, double u[POINTS]) {
    for (int i = 0; i < PATCH; i++)
        for (int j = 0; j < PATCH; j++) {
            double sum = 0;
            for (int y = 0; y < 3; y++)
                for (int x = 0; x < 3; x++) sum += G[i][y] * (double)g[3 * y + x] * G[j][x];
            u[i * PATCH + j] = sum;
        }
}

/* LANES kernels at once, 9 × in floats apart, rows before columns: for weights that change at every step. */
RMIL_CLONES static void transform_many(const float *g, int64_t apart, double u[POINTS][LANES]) {
    double kernel[9][LANES], rows[PATCH * 3][LANES];
    for (int k = 0; k < 9; k++)
        for (int l = 0; l < LANES; l++) kernel[k][l] = (double)g[l * apart + k];
    for (int i = 0; i < PATCH; i++)
        for (int x = 0; x < 3; x++)
#pragma omp simd
            for (int l = 0; l < LANES; l++)
                rows[i * 3 + x][l] = G[i][0] * kernel[x][l] + G[i][1] * kernel[3 + x][l] + G[i][2] * kernel[6 + x][l];
    for (int i = 0; i < PATCH; i++)
        for (int j = 0; j < PATCH; j++)
#pragma omp simd
            for (int l = 0; l < LANES; l++)
                u[i * PATCH + j][l] = rows[3 * i][l] * G[j][0] + rows[3 * i + 1][l] * G[j][1] + rows[3 * i + 2][l] * G[j][2];
}

/* Distance of two points' matrices in a strip: not a power of two, so that the points do not compete for cache lines. */
static int64_t point_stride(const RmilWinograd *w, int64_t channels) { return w->strip * channels + 16; }

/* The strip length, at most `most`, that leaves the smallest empty part in the last strip. */
static int64_t strip_of(int64_t all, int64_t most) {
    int64_t best = ROWS, least = INT64_MAX;
    for (int64_t strip = ROWS; strip <= most; strip += ROWS) {
        const int64_t rows = (all + strip - 1) / strip * strip;
        if (rows <= least) {
            best = strip;
            least = rows;
        }
    }
    return best;
}

RmilWinograd *rmil_winograd_new(int64_t batch, int64_t in, int64_t out, int64_t side, int64_t block, const float *weights,
                                const float *bias, gboolean relu, GError **error) {
    RmilWinograd *w = g_new0(RmilWinograd, 1);
    *w = (RmilWinograd){.in = in, .out = out, .side = side, .block = block, .tiles = (side + TILE - 1) / TILE, .relu = relu};
    w->all = batch * w->tiles * w->tiles;
    w->strip = strip_of(w->all, MAX(WORK / (POINTS * (in + out) * (int64_t)sizeof(float)), 4 * ROWS));
    w->weights = rmil_alloc(POINTS * in * out, sizeof(float), error);
    w->bias = w->weights ? rmil_alloc(out, sizeof(float), error) : NULL;
    if (!w->bias) {
        rmil_winograd_free(w);
        return NULL;
    }
    memcpy(w->bias, bias, (size_t)out * sizeof(float));
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            double u[POINTS];
            transform_weights(weights + (o * in + i) * 9, u);
            for (int p = 0; p < POINTS; p++) w->weights[(p * in + i) * out + o] = (float)u[p];
        }
    return w;
}

void rmil_winograd_set(RmilWinograd *w, const float *weights) {
    double u[POINTS][LANES];
    for (int64_t i = 0; i < w->in; i++)
        for (int64_t o = 0; o < w->out; o += LANES) {
            transform_many(weights + (o * w->in + i) * 9, w->in * 9, u);
            for (int p = 0; p < POINTS; p++)
                for (int l = 0; l < LANES; l++) w->weights[(p * w->in + i) * w->out + o + l] = (float)u[p][l];
        }
}

void rmil_winograd_free(RmilWinograd *w) {
    if (!w) return;
    rmil_free(w->weights);
    rmil_free(w->bias);
    g_free(w);
}

size_t rmil_winograd_scratch(const RmilWinograd *w) {
    return (size_t)(POINTS * (point_stride(w, w->in) + point_stride(w, w->out))) * sizeof(float);
}

/* -- tiles: V = Bᵀ d B and Y = Aᵀ M A -------------------------------------------------------------------------------------- */

/* Bᵀ of six vectors `step` apart, written `to` apart. */
RMIL_INLINE void input_pass(const float *d, int64_t step, float *v, int64_t to) {
#pragma omp simd
    for (int l = 0; l < LANES; l++) {
        const float a = d[l], b = d[step + l], c = d[2 * step + l], e = d[3 * step + l], f = d[4 * step + l], g = d[5 * step + l];
        const float even = f - 4 * c, odd = e - 4 * b, near = f - c, far = 2 * (e - b);
        v[l] = 4 * a - 5 * c + f;
        v[to + l] = even + odd;
        v[2 * to + l] = even - odd;
        v[3 * to + l] = near + far;
        v[4 * to + l] = near - far;
        v[5 * to + l] = 4 * b - 5 * e + g;
    }
}

/* Aᵀ likewise: six in, four out. */
RMIL_INLINE void output_pass(const float *m, int64_t step, float *y, int64_t to) {
#pragma omp simd
    for (int l = 0; l < LANES; l++) {
        const float a = m[l], b = m[step + l], c = m[2 * step + l], d = m[3 * step + l], e = m[4 * step + l], f = m[5 * step + l];
        const float sum1 = b + c, difference1 = b - c, sum2 = d + e, difference2 = d - e;
        y[l] = a + sum1 + sum2;
        y[to + l] = difference1 + 2 * difference2;
        y[2 * to + l] = sum1 + 4 * sum2;
        y[3 * to + l] = difference1 + 8 * difference2 + f;
    }
}

typedef struct {
    int64_t image, y, x; /* of the tile's output corner */
} Place;

static Place place_of(const RmilWinograd *w, int64_t tile) {
    const int64_t each = w->tiles * w->tiles, within = tile % each;
    return (Place){tile / each, within / w->tiles * TILE, within % w->tiles * TILE};
}

/* Index of one image's pixel: eight of its `channels`, from channel c on. */
RMIL_INLINE int64_t pixel_index(const RmilWinograd *w, int64_t channels, int64_t image, int64_t c, int64_t y, int64_t x) {
    return (((image * channels + c) / w->block * w->side + y) * w->side + x) * w->block + c % w->block;
}

RMIL_CLONES static void transform_input(const RmilWinograd *w, const float *source, int64_t first, int64_t count, float *v) {
    const int64_t stride = point_stride(w, w->in);
    float d[POINTS * LANES], rows[POINTS * LANES];
    for (int64_t t = 0; t < count; t++) {
        const Place at = place_of(w, first + t);
        for (int64_t c = 0; c < w->in; c += LANES) {
            for (int64_t y = 0; y < PATCH; y++)
                for (int64_t x = 0; x < PATCH; x++) {
                    const int64_t py = at.y + y - 1, px = at.x + x - 1;
                    float *to = d + (y * PATCH + x) * LANES;
                    if (py < 0 || px < 0 || py >= w->side || px >= w->side) memset(to, 0, LANES * sizeof(float));
                    else memcpy(to, source + pixel_index(w, w->in, at.image, c, py, px), LANES * sizeof(float));
                }
            for (int64_t y = 0; y < PATCH; y++) input_pass(d + y * PATCH * LANES, LANES, rows + y * PATCH * LANES, LANES);
            for (int64_t x = 0; x < PATCH; x++) input_pass(rows + x * LANES, PATCH * LANES, v + x * stride + t * w->in + c, PATCH * stride);
        }
    }
}

RMIL_CLONES static void transform_output(const RmilWinograd *w, const float *m, int64_t first, int64_t count, float *destination) {
    const int64_t stride = point_stride(w, w->out);
    float columns[PATCH * TILE * LANES], out[TILE * TILE * LANES];
    for (int64_t t = 0; t < count; t++) {
        const Place at = place_of(w, first + t);
        const int64_t height = MIN(w->side - at.y, TILE), width = MIN(w->side - at.x, TILE);
        for (int64_t c = 0; c < w->out; c += LANES) {
            for (int64_t x = 0; x < PATCH; x++)
                output_pass(m + x * stride + t * w->out + c, PATCH * stride, columns + x * LANES, PATCH * LANES);
            for (int64_t y = 0; y < TILE; y++) output_pass(columns + y * PATCH * LANES, LANES, out + y * TILE * LANES, LANES);
            for (int64_t y = 0; y < height; y++)
                for (int64_t x = 0; x < width; x++) {
                    const float *from = out + (y * TILE + x) * LANES, *bias = w->bias + c;
                    float *to = destination + pixel_index(w, w->out, at.image, c, at.y + y, at.x + x);
#pragma omp simd
                    for (int l = 0; l < LANES; l++) {
                        const float sum = from[l] + bias[l];
                        to[l] = w->relu && !(sum > 0) ? 0 : sum;
                    }
                }
        }
    }
}

gboolean rmil_winograd_run(const RmilWinograd *w, const float *source, float *destination, float *scratch, GError **error) {
    const int64_t from = point_stride(w, w->in), to = point_stride(w, w->out);
    float *v = scratch, *m = scratch + POINTS * from;
    for (int64_t first = 0; first < w->all; first += w->strip) {
        const int64_t count = MIN(w->strip, w->all - first);
        transform_input(w, source, first, count, v);
        for (int p = 0; p < POINTS; p++) /* the whole strip, even if the last one uses less of it: see ROWS */
            if (dnnl_sgemm('N', 'N', w->strip, w->out, w->in, 1, v + p * from, w->in, w->weights + p * w->in * w->out, w->out, 0,
                           m + p * to, w->out) != dnnl_success)
                return rmil_fail(error, RMIL_ERROR_MEMORY, "oneDNN: a matrix product failed");
        transform_output(w, m, first, count, destination);
    }
    return TRUE;
}
