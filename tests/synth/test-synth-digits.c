/* SPDX-License-Identifier: Apache-2.0 */
/* Bags of digits, of IDX files that are made here. */
#include "rankmil/bag.h"
#include "rankmil/synth.h"
#include "support.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define IMAGES "t10k-images-idx3-ubyte"
#define LABELS "t10k-labels-idx1-ubyte"
#define COUNT 200
#define AREA 784

/* Image i is of the digit i % 10: pixel (x, y) is 10 × digit + 2 × (x odd) + 4 × (y odd), the first one i. */
static GByteArray *images(void) {
    static const guint8 head[16] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, 28, 0, 0, 0, 28};
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, head, sizeof head);
    for (int i = 0; i < COUNT; i++)
        for (int p = 0; p < AREA; p++) {
            guint8 value = (guint8)(p == 0 ? i : 10 * (i % 10) + 2 * (p % 28 % 2) + 4 * (p / 28 % 2));
            g_byte_array_append(bytes, &value, 1);
        }
    return bytes;
}

static GByteArray *labels(void) {
    static const guint8 head[8] = {0, 0, 8, 1, 0, 0, 0, COUNT};
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, head, sizeof head);
    for (int i = 0; i < COUNT; i++) g_byte_array_append(bytes, &(guint8){(guint8)(i % 10)}, 1);
    return bytes;
}

static void put(const char *folder, const char *name, const GByteArray *bytes, gboolean gzip) {
    g_autofree char *file = g_strconcat(name, gzip ? ".gz" : "", NULL), *path = g_build_filename(folder, file, NULL);
    GError *error = NULL;
    if (!gzip) g_file_set_contents(path, (const char *)bytes->data, (gssize)bytes->len, &error);
    else {
        g_autoptr(GFile) target = g_file_new_for_path(path);
        g_autoptr(GZlibCompressor) zip = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 6);
        g_autoptr(GFileOutputStream) plain = g_file_replace(target, NULL, FALSE, G_FILE_CREATE_NONE, NULL, &error);
        g_autoptr(GOutputStream) packed = g_converter_output_stream_new(G_OUTPUT_STREAM(plain), G_CONVERTER(zip));
        g_output_stream_write_all(packed, bytes->data, bytes->len, NULL, NULL, &error);
        g_output_stream_close(packed, NULL, &error);
    }
    g_assert_no_error(error);
}

static RmilSynthDigitOptions options_of(const char *source) {
    RmilSynthDigitOptions options;
    rmil_synth_digit_options_init(&options);
    options.source = source;
    options.bags = 18;
    options.threads = 1;
    return options;
}

/* Which image a patch is: the first of its pixels is the mean of i and three of the digit's, features[0] = (i + 12 + 30 · digit) / 1020. */
static int image_of(const float *x, int digit) { return (int)lround((double)x[0] * 1020 - 12 - 30 * digit); }

/* One bag: digits on a grid, witnesses of its class alone, labelled; seen[image] is 1 + the set that it was met in. */
static void check_bag(const RmilBag *bag, int class, int set, int *seen) {
    static const int witness[] = {-1, 8, 3};
    g_assert_cmpint(bag->dim, ==, 196);
    g_assert_cmpint(bag->count, >=, 20);
    g_assert_cmpint(bag->count, <=, 60);
    int64_t found = 0;
    for (int64_t k = 0; k < bag->count; k++) {
        const float *x = (const float *)bag->features + k * 196;
        int digit = (int)lround(((double)x[1] * 1020 - 12) / 40);
        g_assert_cmpfloat(fabs((double)x[195] - (40 * digit + 12) / 1020.0), <, 1e-6);
        g_assert_cmpint(bag->patch_labels[k], ==, digit == witness[class]);
        g_assert_true(digit == witness[class] || (digit != 3 && digit != 8));
        found += bag->patch_labels[k];
        int image = image_of(x, digit);
        g_assert_cmpint(image % 10, ==, digit);
        g_assert_true(seen[image] == 0 || seen[image] == 1 + set);
        seen[image] = 1 + set;
        g_assert_cmpint(bag->coords[2 * k] % 28, ==, 0);
        g_assert_cmpint(bag->coords[2 * k], <, bag->slide_width);
        g_assert_cmpint(bag->coords[2 * k + 1], <, bag->slide_height);
    }
    g_assert_cmpint(found > 0, ==, class > 0);
    g_assert_cmpint(found, <=, bag->count / 5);
}

static void test_bags(void) {
    static const char *const names[] = {"negative", "eight", "three"};
    g_autofree char *source = test_folder(), *folder = test_folder();
    g_autoptr(GByteArray) image = images(), label = labels();
    put(source, IMAGES, image, FALSE);
    put(source, LABELS, label, FALSE);
    RmilSynthDigitOptions options = options_of(source);
    GError *error = NULL;
    rmil_synth_digits_write(folder, &options, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(RmilTable) table = test_rows(folder, "cohort.csv");
    g_assert_cmpint(rmil_table_rows(table), ==, 18);
    int sizes[2][3] = {{0}}, seen[COUNT] = {0};
    for (int64_t i = 0; i < 18; i++) {
        g_autofree char *path = g_build_filename(folder, test_cell(table, i, "features"), NULL);
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        int set = *test_cell(table, i, "split") == 't', class = 0;
        while (strcmp(names[class], test_cell(table, i, "label")) != 0) class ++;
        sizes[set][class]++;
        check_bag(bag, class, set, seen);
    }
    for (int class = 0; class < 3; class ++) {
        g_assert_cmpint(sizes[0][class], ==, 4);
        g_assert_cmpint(sizes[1][class], ==, 2);
    }
}

/* Compressed files, more threads, a bag that is lost: the same bytes. Other images are refused. */
static void test_repeat(void) {
    g_autofree char *plain = test_folder(), *packed = test_folder(), *one = test_folder(), *three = test_folder();
    g_autoptr(GByteArray) image = images(), label = labels();
    put(plain, IMAGES, image, FALSE);
    put(plain, LABELS, label, FALSE);
    put(packed, IMAGES, image, TRUE);
    put(packed, LABELS, label, TRUE);
    RmilSynthDigitOptions options = options_of(plain);
    GError *error = NULL;
    g_assert_true(rmil_synth_digits_write(one, &options, NULL, &error));
    options.source = packed;
    options.threads = 3;
    g_assert_true(rmil_synth_digits_write(three, &options, NULL, &error));
    g_autofree char *lost = g_build_filename(three, "features", "train_002.h5", NULL);
    g_assert_cmpint(g_unlink(lost), ==, 0);
    g_assert_true(rmil_synth_digits_write(three, &options, NULL, &error));
    g_assert_no_error(error);
    test_same_in(one, three, "cohort.csv");
    test_same_in(one, three, "features/train_001.h5");
    test_same_in(one, three, "features/train_002.h5");
    test_same_in(one, three, "features/test_006.h5");
    image->data[500]++;
    put(plain, IMAGES, image, FALSE);
    options.source = plain;
    g_assert_false(rmil_synth_digits_write(three, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "train_001.h5: already exists but was made with other options (");
}

static void refused(const GByteArray *image, const GByteArray *label, RmilErrorCode code, const char *message) {
    g_autofree char *source = test_folder(), *folder = test_folder();
    if (image) put(source, IMAGES, image, FALSE);
    if (label) put(source, LABELS, label, FALSE);
    RmilSynthDigitOptions options = options_of(source);
    GError *error = NULL;
    g_assert_false(rmil_synth_digits_write(folder, &options, NULL, &error));
    test_error(&error, code, message);
    g_assert_false(test_exists(folder, "cohort.csv"));
}

static void test_broken(void) {
    g_autoptr(GByteArray) image = images(), label = labels(), other = images();
    refused(NULL, label, RMIL_ERROR_IO, "has neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz");
    refused(image, NULL, RMIL_ERROR_IO, "has neither t10k-labels-idx1-ubyte nor");
    refused(label, label, RMIL_ERROR_FORMAT, IMAGES ": byte 0: begins with 0x00000801, not 0x00000803");
    refused(image, image, RMIL_ERROR_FORMAT, LABELS ": byte 0: begins with 0x00000803, not 0x00000801");
    g_byte_array_set_size(other, 1000);
    refused(other, label, RMIL_ERROR_FORMAT, IMAGES ": byte 16: says that it holds 200 × 784 bytes, but 984 are there");
    g_byte_array_set_size(other, 9);
    refused(other, label, RMIL_ERROR_FORMAT, IMAGES ": byte 9: ends within its header of 16 bytes");
    image->data[15] = 32;
    refused(image, label, RMIL_ERROR_FORMAT, IMAGES ": byte 12: the images are 32 pixels a side, not 28");
    image->data[15] = 28;
    label->data[8 + 17] = 23;
    refused(image, label, RMIL_ERROR_FORMAT, LABELS ": byte 25: 23 is not a digit");
    label->data[8 + 17] = 7;
    label->data[7] = COUNT - 1;
    g_byte_array_set_size(label, 8 + COUNT - 1);
    refused(image, label, RMIL_ERROR_FORMAT, LABELS ": byte 4: has 199 labels, but ");
    g_byte_array_set_size(label, 8);
    label->data[7] = 0;
    refused(image, label, RMIL_ERROR_FORMAT, LABELS ": byte 4: states that it is empty: download the file again");
    g_autoptr(GByteArray) without = labels();
    for (int i = 0; i < COUNT; i++)
        if (without->data[8 + i] == 8) without->data[8 + i] = 1;
    refused(image, without, RMIL_ERROR_DATA, "has too few images of the digit eight for bags of training");
}

static void test_cut_gzip(void) {
    g_autofree char *source = test_folder(), *path = g_build_filename(source, IMAGES ".gz", NULL);
    g_autoptr(GByteArray) image = images();
    put(source, IMAGES, image, TRUE);
    gsize size;
    g_autofree char *whole = test_bytes(NULL, path, &size);
    g_assert_true(g_file_set_contents(path, whole, (gssize)size / 2, NULL));
    RmilSynthDigitOptions options = options_of(source);
    GError *error = NULL;
    g_assert_false(rmil_synth_digits_write(source, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, IMAGES ".gz: byte ");
    g_assert_true(g_file_set_contents(path, "no gzip at all", -1, NULL));
    g_assert_false(rmil_synth_digits_write(source, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "cannot be decompressed");
    options.bags = 0;
    g_assert_false(rmil_synth_digits_write(source, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--slides 0: must be 1 … ");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/synth/digits/bags", test_bags);
    g_test_add_func("/synth/digits/repeat", test_repeat);
    g_test_add_func("/synth/digits/broken", test_broken);
    g_test_add_func("/synth/digits/gzip", test_cut_gzip);
    return g_test_run();
}
