/* SPDX-License-Identifier: Apache-2.0 */
/* Safetensors. */
#include "tensors/tensors-private.h"
#include "support.h"

#include <math.h>
#include <string.h>

#define LIMIT ((gsize)1 << 20)

/* FOLDER/x.safetensors from a header text and data bytes, whatever they say. */
static char *write_file(const char *folder, const char *header, const void *data, gsize bytes) {
    g_autoptr(GByteArray) file = g_byte_array_new();
    guint64 size = strlen(header);
    g_byte_array_append(file, (const guint8 *)&size, 8);
    g_byte_array_append(file, (const guint8 *)header, (guint)size);
    g_byte_array_append(file, data, (guint)bytes);
    char *path = g_build_filename(folder, "x.safetensors", NULL);
    g_assert_true(rmil_file_write(path, file->data, file->len, NULL));
    return path;
}

static void refused(const char *header, gsize bytes, const char *part) {
    g_autofree char *folder = test_folder(), *data = g_malloc0(bytes + 1), *path = write_file(folder, header, data, bytes);
    GError *error = NULL;
    g_assert_null(rmil_safetensors_read(path, LIMIT, &error));
    test_error(&error, RMIL_ERROR_FORMAT, part);
}

static void test_round_trip(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "m.safetensors", NULL);
    const float weights[6] = {1, -2, 3.5F, 0, 1e-30F, -INFINITY};
    const int64_t steps = -7;
    const uint8_t mask[3] = {0, 1, 1};
    RmilTensor tensors[] = {
        {.name = "mask", .dtype = RMIL_DTYPE_BOOL, .rank = 1, .shape = {3}, .data = mask},
        {.name = "w", .dtype = RMIL_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = weights},
        {.name = "step", .dtype = RMIL_DTYPE_I64, .rank = 0, .data = &steps},
        {.name = "none", .dtype = RMIL_DTYPE_F32, .rank = 2, .shape = {0, 4}},
    };
    const char *const metadata[] = {"model", "abmil", "quote", "say \"µ\\\n\"", "a", "", NULL};
    GError *error = NULL;
    g_assert_true(rmil_safetensors_write(path, tensors, 4, metadata, &error));
    gsize size, again_size;
    g_autofree char *bytes = rmil_file_read(path, LIMIT, &size, &error);

    g_autoptr(RmilTensors) read = rmil_safetensors_read(path, LIMIT, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_tensors_count(read), ==, 4);
    g_assert_cmpstr(rmil_tensors_at(read, 0)->name, ==, "mask");
    g_assert_cmpstr(rmil_tensors_metadata(read, "quote"), ==, metadata[3]);
    g_assert_cmpstr(rmil_tensors_metadata(read, "a"), ==, "");
    g_assert_null(rmil_tensors_metadata(read, "b"));
    g_autofree float *values = g_new(float, 6);
    rmil_tensor_floats(rmil_tensors_find(read, "w"), values);
    g_assert_true(memcmp(values, weights, sizeof weights) == 0);
    int64_t integer[3];
    g_assert_true(rmil_tensor_integers(rmil_tensors_find(read, "step"), integer));
    g_assert_cmpint(integer[0], ==, -7);
    g_assert_false(rmil_tensor_integers(rmil_tensors_find(read, "w"), integer));
    g_assert_true(rmil_tensor_integers(rmil_tensors_find(read, "mask"), integer));
    g_assert_cmpint(integer[0] + integer[1] + integer[2], ==, 2);
    g_assert_cmpint(rmil_tensors_find(read, "none")->count, ==, 0);

    const int64_t any[2] = {-1, 3}, wrong[2] = {3, 2};
    float *copy = rmil_tensors_floats(read, "w", 2, any, &error);
    g_assert_true(memcmp(copy, weights, sizeof weights) == 0);
    rmil_free(copy);
    g_assert_null(rmil_tensors_floats(read, "w", 2, wrong, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "\"w\" has the shape (2, 3), but (3, 2) is needed");
    g_assert_null(rmil_tensors_floats(read, "v", 2, wrong, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "no tensor \"v\"");

    /* another order of the same content gives the same bytes */
    RmilTensor turned[] = {tensors[3], tensors[1], tensors[2], tensors[0]};
    const char *const turned_metadata[] = {"quote", metadata[3], "a", "", "model", "abmil", NULL};
    g_assert_true(rmil_safetensors_write(path, turned, 4, turned_metadata, &error));
    g_autofree char *again = rmil_file_read(path, LIMIT, &again_size, &error);
    g_assert_true(size == again_size && memcmp(bytes, again, size) == 0);
    g_assert_true(rmil_safetensors_write(path, NULL, 0, NULL, &error));
    g_autoptr(RmilTensors) empty = rmil_safetensors_read(path, LIMIT, &error);
    g_assert_cmpint(rmil_tensors_count(empty), ==, 0);
}

static void test_dtypes(void) {
    /* 1.5, −2⁻²⁴ (smallest subnormal), +∞ and −0 as float16; 1.5 and −3 as bfloat16 */
    const guint16 half[4] = {0x3e00, 0x8001, 0x7c00, 0x8000}, bfloat[2] = {0x3fc0, 0xc040};
    const double wide = 0.1;
    const gint32 small = -5;
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_byte_array_append(data, (const guint8 *)half, 8);
    g_byte_array_append(data, (const guint8 *)bfloat, 4);
    g_byte_array_append(data, (const guint8 *)&wide, 8);
    g_byte_array_append(data, (const guint8 *)&small, 4);
    g_autofree char *folder = test_folder();
    g_autofree char *path = write_file(
        folder,
        "{\"h\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"BF16\",\"shape\":[2],"
        "\"data_offsets\":[8,12]},\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[12,20]},"
        "\"i\":{\"dtype\":\"I32\",\"shape\":[1,1],\"data_offsets\":[20,24]}}",
        data->data, data->len);
    GError *error = NULL;
    g_autoptr(RmilTensors) tensors = rmil_safetensors_read(path, LIMIT, &error);
    g_assert_no_error(error);
    float values[4];
    rmil_tensor_floats(rmil_tensors_find(tensors, "h"), values);
    g_assert_cmpfloat(values[0], ==, 1.5F);
    g_assert_cmpfloat(values[1], ==, -0x1p-24F);
    g_assert_true(isinf(values[2]) && values[2] > 0);
    g_assert_true(values[3] == 0 && signbit(values[3]));
    rmil_tensor_floats(rmil_tensors_find(tensors, "b"), values);
    g_assert_cmpfloat(values[0], ==, 1.5F);
    g_assert_cmpfloat(values[1], ==, -3.0F);
    rmil_tensor_floats(rmil_tensors_find(tensors, "d"), values);
    g_assert_cmpfloat(values[0], ==, 0.1F);
    rmil_tensor_floats(rmil_tensors_find(tensors, "i"), values);
    g_assert_cmpfloat(values[0], ==, -5.0F);
}

static void test_broken(void) {
    refused("", 0, "header");
    refused("[1]", 0, "not an object");
    refused("{\"a\":", 0, "not well-formed JSON");
    refused("{\"a\":[[[[[[1]]]]]]}", 0, "missing");
    g_autofree char *open = g_strnfill(200000, '['), *deep = g_strconcat("{\"a\":", open, NULL);
    refused(deep, 0, "nested more than 32 levels deep");
    refused("{\"a\":{}}", 0, "missing");
    refused("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "F8_E4M3");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "outside");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "does not match its shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "impossible shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,0]}}", 0, "shape");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "one of more than 8 dimensions");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
            3, "overlap");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
            3, "leave a gap");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 3, "belong to no tensor");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "must map names to strings");
    g_autofree char *folder = test_folder(), *cut = test_file(folder, "cut", "\x10\0\0"), *huge = NULL;
    GError *error = NULL;
    g_assert_null(rmil_safetensors_read(cut, LIMIT, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "not a safetensors file");
    huge = g_build_filename(folder, "huge", NULL);
    g_assert_true(rmil_file_write(huge, "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, NULL));
    g_assert_null(rmil_safetensors_read(huge, LIMIT, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "not a safetensors file");
    g_assert_null(rmil_safetensors_read(huge, 9, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "10 bytes");
    g_assert_null(rmil_safetensors_read("/nowhere/x", LIMIT, &error));
    test_error(&error, RMIL_ERROR_IO, "/nowhere/x");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/safetensors/round-trip", test_round_trip);
    g_test_add_func("/safetensors/dtypes", test_dtypes);
    g_test_add_func("/safetensors/broken", test_broken);
    return g_test_run();
}
