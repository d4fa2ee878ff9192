/* SPDX-License-Identifier: Apache-2.0 */
/* Features in PyTorch files: tensors, dictionaries, and broken or hostile ones. */
#include "tensors/torch-files.h"
#include "make.h"

#include <math.h>
#include <string.h>

static void write_tensors(const char *path, const GByteArray *pickle, const void *numbers, guint size) {
    GByteArray *data = g_byte_array_new();
    g_byte_array_append(data, numbers, size);
    const char *const names[] = {"archive/data.pkl", "archive/data/0"};
    GByteArray *const contents[] = {(GByteArray *)pickle, data};
    g_autoptr(GByteArray) zip = make_zip(names, contents, 2, FALSE);
    g_assert_true(g_file_set_contents(path, (const char *)zip->data, zip->len, NULL));
    g_byte_array_unref(data);
}

static GByteArray *one_tensor(const char *type, int64_t count, int rank, const int64_t *shape) {
    GByteArray *pickle = g_byte_array_new();
    int64_t strides[4], stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i];
    }
    add_byte(pickle, 0x80);
    add_byte(pickle, 2);
    add_tensor(pickle, type, "0", count, FALSE, 0, rank, shape, strides);
    add(pickle, ".");
    return pickle;
}

static void refuse_tensor(const char *path, GByteArray *pickle, const float *numbers, const char *message) {
    GError *error = NULL;
    write_tensors(path, pickle, numbers, 12 * sizeof *numbers);
    g_assert_null(rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, "bad.pt: "));
    if (!strstr(error->message, message)) g_error("expected \"%s\", got \"%s\"", message, error->message);
    g_clear_error(&error);
    g_byte_array_unref(pickle);
}

static void test_broken_tensors(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "bad.pt", NULL);
    const float good[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float infinite[12];
    memcpy(infinite, good, sizeof good);
    infinite[7] = INFINITY;
    GByteArray *hostile = g_byte_array_new();
    add(hostile, "cos\nsystem\n(");
    add_text(hostile, "true");
    add(hostile, "tR.");
    refuse_tensor(
        path, hostile, good,
        "contains an object of the kind os.system, which is not a tensor, and rankmil never runs anything in a file: save the features "
        "as torch.save(features, path)");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 1, (const int64_t[]){12}), good, "the tensor has 1 axes");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 3, (const int64_t[]){2, 2, 3}), good, "the tensor has 3 axes");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){0, 3}), good, "holds no patches");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 0}), good, "has no columns");
    refuse_tensor(path, one_tensor("IntStorage", 12, 2, (const int64_t[]){4, 3}), good,
                  "holds I32; features must be floating-point "
                  "numbers");
    refuse_tensor(path, one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 3}), infinite, "patch 2, column 1 is infinite");
    refuse_tensor(path, one_tensor("FloatStorage", INT64_C(1) << 40, 2, (const int64_t[]){INT64_C(1) << 30, 1024}), good,
                  "storage 0 has 48 bytes, but the pickle says ");
    GByteArray *empty = g_byte_array_new();
    begin_dict(empty);
    end_dict(empty);
    refuse_tensor(path, empty, good, "is neither a tensor of features nor a dictionary with \"features\"");
    GByteArray *list = g_byte_array_new(); /* [tensor] */
    add(list, "](");
    add_tensor(list, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){4, 3}, (const int64_t[]){3, 1});
    add(list, "e.");
    refuse_tensor(path, list, good, "contains a list, which is not a tensor, and rankmil never runs anything in a file: ");
    GByteArray *places = g_byte_array_new(); /* coordinates that are neither a tensor nor an array are not left out in silence */
    begin_dict(places);
    add_text(places, "features");
    add_tensor(places, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){4, 3}, (const int64_t[]){3, 1});
    add_text(places, "coords");
    add(places, "]");
    end_dict(places);
    refuse_tensor(path, places, good, "its \"coords\" is a list");
    /* cut anywhere */
    GError *error = NULL;
    g_autoptr(GByteArray) pickle = one_tensor("FloatStorage", 12, 2, (const int64_t[]){4, 3});
    write_tensors(path, pickle, good, sizeof good);
    g_autofree char *bytes = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    for (gsize cut = 0; cut < size; cut += 7) {
        g_assert_true(g_file_set_contents(path, bytes, (gssize)cut, NULL));
        g_assert_null(rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error));
        test_error(&error, RMIL_ERROR_FORMAT, "bad.pt: ");
    }
}

static void test_dictionary(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "both.pt", NULL);
    const float numbers[12] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 448, 896, 448};
    for (int wrong = FALSE; wrong <= TRUE; wrong++) {
        g_autoptr(GByteArray) pickle = g_byte_array_new();
        begin_dict(pickle);
        add_text(pickle, "feats");
        add_tensor(pickle, "FloatStorage", "0", 12, FALSE, 0, 2, (const int64_t[]){2, 4}, (const int64_t[]){4, 1});
        add_text(pickle, "coords");
        add_tensor(pickle, "FloatStorage", "0", 12, FALSE, 8, 2, wrong ? (const int64_t[]){1, 2} : (const int64_t[]){2, 2},
                   (const int64_t[]){2, 1});
        end_dict(pickle);
        write_tensors(path, pickle, numbers, sizeof numbers);
        GError *error = NULL;
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        if (wrong) {
            test_error(&error, RMIL_ERROR_FORMAT, "\"coords\" is not patches × 2 for the 2 patches");
            continue;
        }
        g_assert_no_error(error);
        g_assert_true(memcmp(bag->features, numbers, 32) == 0);
        const int64_t coords[] = {0, 448, 896, 448};
        g_assert_true(memcmp(bag->coords, coords, sizeof coords) == 0);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/torch-features/broken", test_broken_tensors);
    g_test_add_func("/torch-features/dictionary", test_dictionary);
    return g_test_run();
}
