/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products, of float32 and bfloat16. */
#include "gemm.h"

#include <dnnl.h>
#include <string.h>

/* Rows widened from bfloat16 at once: 256 × 1024 floats are 1 MiB. */
#define PANEL 256

static gboolean failed(dnnl_status_t status, GError **error) {
    return rmil_fail(error, RMIL_ERROR_MEMORY, "oneDNN: a matrix product failed (status %d)", (int)status);
}

gboolean rmil_gemm(gboolean ta, gboolean tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda, const float *b,
                   int64_t ldb, float beta, float *c, int64_t ldc, GError **error) {
    int before = rmil_openmp_single();
    dnnl_status_t status = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    rmil_openmp_restore(before);
    return status == dnnl_success || failed(status, error);
}

/* -- native bfloat16 ------------------------------------------------------------------------------------------------------ */
gboolean rmil_gemm_bfloat16(void) {
    const unsigned bits = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
    return ((unsigned)dnnl_get_effective_cpu_isa() & bits) == bits;
}

/* The oneDNN objects of one product; NULL if not created. */
typedef struct {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attributes;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t product;
    dnnl_memory_t memory[3]; /* A, B, C */
} Matmul;

/* Shape and strides (in entries, not bytes) of one matrix. */
typedef struct {
    void *data;
    dnnl_data_type_t type;
    int64_t rows, columns, row_stride, column_stride;
} Matrix;

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t Description;
static dnnl_status_t describe(Description *d, const Matrix *m) {
    const dnnl_dims_t dims = {m->rows, m->columns}, strides = {m->row_stride, m->column_stride};
    return dnnl_memory_desc_create_with_strides(d, 2, dims, m->type, strides);
}
static void forget(Description *d) {
    if (*d) dnnl_memory_desc_destroy(*d);
}
static dnnl_status_t describe_product(Matmul *mm, Description *d) {
    return dnnl_matmul_primitive_desc_create(&mm->description, mm->engine, d[0], d[1], NULL, d[2], mm->attributes);
}
static dnnl_status_t append_sum(dnnl_post_ops_t operations) { return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef); }
static dnnl_status_t wrap(dnnl_memory_t *memory, Description *d, dnnl_engine_t engine, void *data) {
    return dnnl_memory_create(memory, *d, engine, data);
}
#else
typedef dnnl_memory_desc_t Description;
static dnnl_status_t describe(Description *d, const Matrix *m) {
    const dnnl_dims_t dims = {m->rows, m->columns}, strides = {m->row_stride, m->column_stride};
    return dnnl_memory_desc_init_by_strides(d, 2, dims, m->type, strides);
}
static void forget(Description *d) { memset(d, 0, sizeof *d); }
static dnnl_status_t describe_product(Matmul *mm, Description *d) {
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, &d[0], &d[1], NULL, &d[2]);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(&mm->description, &operation, mm->attributes, mm->engine, NULL);
}
static dnnl_status_t append_sum(dnnl_post_ops_t operations) { return dnnl_post_ops_append_sum(operations, 1); }
static dnnl_status_t wrap(dnnl_memory_t *memory, Description *d, dnnl_engine_t engine, void *data) {
    return dnnl_memory_create(memory, d, engine, data);
}
#endif

/* Adds the product to the contents of C. */
static dnnl_status_t add_to_result(Matmul *mm) {
    dnnl_post_ops_t operations = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&mm->attributes);
    if (status == dnnl_success) status = dnnl_post_ops_create(&operations);
    if (status == dnnl_success) status = append_sum(operations);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(mm->attributes, operations);
    if (operations) dnnl_post_ops_destroy(operations);
    return status;
}

static dnnl_status_t multiply(Matmul *mm, Description *d, const Matrix *matrices, gboolean add) {
    dnnl_status_t status = dnnl_engine_create(&mm->engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl_stream_create(&mm->stream, mm->engine, dnnl_stream_default_flags);
    if (status == dnnl_success && add) status = add_to_result(mm);
    for (int i = 0; i < 3 && status == dnnl_success; i++) {
        status = describe(&d[i], &matrices[i]);
        if (status == dnnl_success) status = wrap(&mm->memory[i], &d[i], mm->engine, matrices[i].data);
    }
    if (status == dnnl_success) status = describe_product(mm, d);
    if (status == dnnl_success) status = dnnl_primitive_create(&mm->product, mm->description);
    if (status != dnnl_success) return status;
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, mm->memory[0]}, {DNNL_ARG_WEIGHTS, mm->memory[1]}, {DNNL_ARG_DST, mm->memory[2]}};
    status = dnnl_primitive_execute(mm->product, mm->stream, 3, arguments);
    return status == dnnl_success ? dnnl_stream_wait(mm->stream) : status;
}

/* C = A · B + (add ? C : 0). Creating the objects takes microseconds (oneDNN keeps the compiled kernels), a product milliseconds. */
static gboolean product(const Matrix *a, const Matrix *b, const Matrix *c, gboolean add, GError **error) {
    Matmul mm = {.engine = NULL};
    Description descriptions[3];
    const Matrix matrices[3] = {*a, *b, *c};
    memset(descriptions, 0, sizeof descriptions);
    int before = rmil_openmp_single();
    dnnl_status_t status = multiply(&mm, descriptions, matrices, add);
    rmil_openmp_restore(before);
    for (int i = 0; i < 3; i++) {
        if (mm.memory[i]) dnnl_memory_destroy(mm.memory[i]);
        forget(&descriptions[i]);
    }
    if (mm.product) dnnl_primitive_destroy(mm.product);
    if (mm.description) dnnl_primitive_desc_destroy(mm.description);
    if (mm.attributes) dnnl_primitive_attr_destroy(mm.attributes);
    if (mm.stream) dnnl_stream_destroy(mm.stream);
    if (mm.engine) dnnl_engine_destroy(mm.engine);
    return status == dnnl_success || failed(status, error);
}

/* x (rows × n, ldx floats from row to row) as dense bfloat16, in the arena. */
static uint16_t *narrowed(const float *x, int64_t ldx, int64_t rows, int64_t n, RmilArena *arena, GError **error) {
    uint16_t *narrow = rmil_arena_take(arena, rows * n, sizeof *narrow, error);
    for (int64_t r = 0; narrow && r < rows; r++) rmil_to_bfloat16(x + r * ldx, n, narrow + r * n);
    return narrow;
}

static gboolean forward_native(const RmilFeatures *x, const uint16_t *wt, int64_t n, float *z, int64_t ldz, GError **error) {
    const Matrix a = {(void *)x->data, dnnl_bf16, x->rows, x->dim, x->dim, 1};
    const Matrix b = {(void *)wt, dnnl_bf16, x->dim, n, n, 1};
    const Matrix c = {z, dnnl_f32, x->rows, n, ldz, 1};
    return product(&a, &b, &c, FALSE, error);
}

gboolean rmil_features_backward_native(const RmilFeatures *x, const uint16_t *z, int64_t n, gboolean add, float *g, GError **error) {
    const Matrix a = {(void *)z, dnnl_bf16, n, x->rows, 1, n};
    const Matrix b = {(void *)x->data, dnnl_bf16, x->rows, x->dim, x->dim, 1};
    const Matrix c = {g, dnnl_f32, n, x->dim, x->dim, 1};
    return product(&a, &b, &c, add, error);
}

/* -- features in either precision ------------------------------------------------------------------------------------------ */
/* Rows whose length is a multiple of a page all start in the same cache set. */
static gboolean rows_collide(int64_t d) { return d % 1024 == 0; }

static void copy_panel(const RmilFeatures *x, int64_t first, int64_t rows, int64_t stride, float *panel) {
    for (int64_t r = 0; r < rows; r++, panel += stride) {
        const int64_t at = (first + r) * x->dim;
        if (x->precision == RMIL_FLOAT32) memcpy(panel, (const float *)x->data + at, (size_t)x->dim * sizeof *panel);
        else rmil_from_bfloat16((const uint16_t *)x->data + at, x->dim, panel);
    }
}

/* Through float32 panels, one after another. */
static gboolean by_panels(const RmilFeatures *x, const float *wt, float *z, int64_t ldz, int64_t n, gboolean forward, gboolean add,
                          float *g, RmilArena *arena, GError **error) {
    const int64_t d = x->dim, stride = rmil_row_stride(d), ldw = rmil_row_stride(n);
    float *panel = rmil_arena_floats(arena, MIN(PANEL, x->rows) * stride, error);
    for (int64_t i = 0; panel && i < x->rows; i += PANEL) {
        int64_t rows = MIN(PANEL, x->rows - i);
        copy_panel(x, i, rows, stride, panel);
        if (!(forward ? rmil_gemm(FALSE, FALSE, rows, n, d, 1, panel, stride, wt, ldw, 0, z + i * ldz, ldz, error)
                      : rmil_gemm(TRUE, FALSE, n, d, rows, 1, z + i * ldz, ldz, panel, stride, add || i ? 1 : 0, g, d, error)))
            return FALSE;
    }
    return panel != NULL;
}

gboolean rmil_transpose(const float *w, int64_t n, int64_t dim, RmilPrecision precision, RmilArena *arena, RmilTransposed *wt,
                        GError **error) {
    enum { TILE = 32 };
    const int64_t ld = rmil_row_stride(n);
    float *wide = rmil_arena_floats(arena, ld * dim, error);
    for (int64_t i = 0; wide && i < n; i += TILE)
        for (int64_t j = 0; j < dim; j++)
            for (int64_t r = i; r < MIN(i + TILE, n); r++) wide[j * ld + r] = w[r * dim + j];
    *wt = (RmilTransposed){.wide = wide};
    if (wide && rmil_features_native(precision)) *wt = (RmilTransposed){.narrow = narrowed(wide, ld, dim, n, arena, error)};
    return wt->wide || wt->narrow;
}

gboolean rmil_features_forward(const RmilFeatures *x, const RmilTransposed *wt, int64_t n, float *z, int64_t ldz, RmilArena *arena,
                               GError **error) {
    const int64_t d = x->dim;
    if (wt->narrow) return forward_native(x, wt->narrow, n, z, ldz, error);
    if (x->precision == RMIL_FLOAT32)
        return rmil_gemm(FALSE, FALSE, x->rows, n, d, 1, x->data, d, wt->wide, rmil_row_stride(n), 0, z, ldz, error);
    RmilArenaMark mark = rmil_arena_mark(arena);
    gboolean done = by_panels(x, wt->wide, z, ldz, n, TRUE, FALSE, NULL, arena, error);
    rmil_arena_release(arena, mark);
    return done;
}

static gboolean backward_narrowed(const RmilFeatures *x, const float *z, int64_t ldz, int64_t n, gboolean add, float *g, RmilArena *arena,
                                  GError **error) {
    const uint16_t *narrow = narrowed(z, ldz, x->rows, n, arena, error);
    return narrow && rmil_features_backward_native(x, narrow, n, add, g, error);
}

gboolean rmil_features_backward(const RmilFeatures *x, const float *z, int64_t ldz, int64_t n, gboolean add, float *g, RmilArena *arena,
                                GError **error) {
    const int64_t d = x->dim;
    /* with few columns of Z, memory latency is not hidden; with many, the copy does not pay */
    if (x->precision == RMIL_FLOAT32 && !(rows_collide(d) && n <= 256 && x->rows > 1))
        return rmil_gemm(TRUE, FALSE, n, d, x->rows, 1, z, ldz, x->data, d, add ? 1 : 0, g, d, error);
    RmilArenaMark mark = rmil_arena_mark(arena);
    gboolean done = rmil_features_native(x->precision) ? backward_narrowed(x, z, ldz, n, add, g, arena, error)
                                                       : by_panels(x, NULL, (float *)z, ldz, n, FALSE, add, g, arena, error);
    rmil_arena_release(arena, mark);
    return done;
}
