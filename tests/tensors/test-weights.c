/* SPDX-License-Identifier: Apache-2.0 */
/* Weight files: pickle, safetensors, broken ones. */
#include "tensors/pickle.h"
#include "support.h"
#include "torch-files.h"

#include <string.h>

#define N 24

static void fill(float values[N]) {
    for (int i = 0; i < N; i++) values[i] = (float)i - 5;
}

/* A dictionary of one tensor of 4 × 6 numbers named "w". */
static GByteArray *simple_pickle(gboolean legacy, int64_t count, int64_t offset, const int64_t *shape, const int64_t *strides) {
    GByteArray *out = g_byte_array_new();
    begin_dict(out);
    add_text(out, "w");
    add_tensor(out, "FloatStorage", "0", count, legacy, offset, 2, shape, strides);
    end_dict(out);
    return out;
}

static RmilTensors *read_bytes(const GByteArray *bytes, GError **error) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "w.pth", NULL);
    g_assert_true(rmil_file_write(path, bytes->data, bytes->len, NULL));
    return rmil_weights_read(path, NULL, error);
}

static GByteArray *zip_of(GByteArray *pickle, gboolean compressed) {
    float values[N];
    fill(values);
    g_autoptr(GByteArray) data = g_byte_array_append(g_byte_array_new(), (const guint8 *)values, sizeof values);
    const char *const names[] = {"archive/data.pkl", "archive/data/0"};
    GByteArray *const contents[] = {pickle, data};
    return make_zip(names, contents, 2, compressed);
}

static void refused_pickle(GByteArray *pickle, const char *part) {
    g_autoptr(GByteArray) bytes = zip_of(pickle, FALSE);
    GError *error = NULL;
    g_assert_null(read_bytes(bytes, &error));
    test_error(&error, RMIL_ERROR_FORMAT, part);
    g_byte_array_unref(pickle);
}

static void check_values(const RmilTensors *tensors, const char *name, const float *expected, int64_t count) {
    const RmilTensor *tensor = rmil_tensors_find(tensors, name);
    g_assert_nonnull(tensor);
    g_assert_cmpint(tensor->count, ==, count);
    float got[N];
    rmil_tensor_floats(tensor, got);
    for (int64_t i = 0; i < count; i++) g_assert_cmpfloat(got[i], ==, expected[i]);
}

static void test_zip_and_legacy(void) {
    float values[N];
    fill(values);
    GError *error = NULL;
    for (int legacy = 0; legacy < 2; legacy++) {
        /* whole; a part with gaps; turned round; the same storage each time */
        g_autoptr(GByteArray) pickle = g_byte_array_new();
        begin_dict(pickle);
        add_text(pickle, "whole");
        add_tensor(pickle, "FloatStorage", "0", N, legacy, 0, 2, (const int64_t[]){4, 6}, (const int64_t[]){6, 1});
        add_text(pickle, "inner");
        add(pickle, "}(");
        add_text(pickle, "part");
        add_tensor(pickle, "FloatStorage", "0", N, legacy, 8, 2, (const int64_t[]){2, 3}, (const int64_t[]){6, 1});
        add_number(pickle, 7);
        add_tensor(pickle, "FloatStorage", "0", N, legacy, 0, 2, (const int64_t[]){6, 4}, (const int64_t[]){1, 6});
        add(pickle, "u");
        add_text(pickle, "epoch");
        add_number(pickle, 3);
        add_text(pickle, "none");
        add_tensor(pickle, "FloatStorage", "0", N, legacy, 0, 2, (const int64_t[]){0, 4}, (const int64_t[]){4, 1});
        end_dict(pickle);
        g_autoptr(GByteArray) bytes = legacy ? make_legacy(pickle, "0", N, values, sizeof values) : zip_of(pickle, FALSE);
        g_autoptr(RmilTensors) tensors = read_bytes(bytes, &error);
        g_assert_no_error(error);
        g_assert_cmpint(rmil_tensors_count(tensors), ==, 4);
        check_values(tensors, "whole", values, N);
        check_values(tensors, "inner.part", (const float[]){3, 4, 5, 9, 10, 11}, 6);
        float turned[N];
        for (int i = 0; i < N; i++) turned[i] = values[i % 4 * 6 + i / 4];
        check_values(tensors, "inner.7", turned, N);
        g_assert_cmpint(rmil_tensors_find(tensors, "none")->count, ==, 0);
    }
}

static void test_hostile_pickles(void) {
    GByteArray *p = g_byte_array_new();
    add(p, "cos\nsystem\n(");
    add_text(p, "true");
    add(p, "tR.");
    refused_pickle(p, "contains an object of the kind os.system and no tensors, and rankmil never runs anything in a file: save the "
                      "model's state_dict()");
    p = g_byte_array_new(); /* the same by STACK_GLOBAL */
    add_text(p, "builtins");
    add_text(p, "eval");
    add_byte(p, 0x93);
    add(p, ".");
    refused_pickle(p, "contains the name of builtins.eval and no tensors");
    p = g_byte_array_new();
    add(p, "ctorch.nn.modules.container\nSequential\n.");
    refused_pickle(p, "torch.nn.modules.container.Sequential");
    p = g_byte_array_new();
    add(p, "(ios\nsystem\n.");
    refused_pickle(p, "operation 0x69 is refused");
    p = g_byte_array_new();
    for (int i = 0; i < 200000; i++) add(p, "]");
    for (int i = 0; i < 199999; i++) add(p, "a");
    add(p, ".");
    refused_pickle(p, "contains a list and no tensors");
    p = g_byte_array_new(); /* dictionaries in dictionaries */
    for (int i = 0; i < 100; i++) {
        add(p, "}");
        add_text(p, "k");
    }
    add(p, "}");
    for (int i = 0; i < 100; i++) add(p, "s");
    add(p, ".");
    refused_pickle(p, "nested too deep");
    p = g_byte_array_new(); /* one that holds itself */
    add(p, "}q\1");
    add_text(p, "k");
    add(p, "h\1s.");
    refused_pickle(p, "nested too deep");
    p = g_byte_array_new(); /* and a tree of 3^15 paths in a few bytes */
    add(p, "}q\1");
    for (guint8 i = 1; i <= 15; i++) {
        add(p, "}");
        for (int k = 0; k < 3; k++) {
            add_number(p, k);
            add(p, "h");
            add_byte(p, i);
            add(p, "s");
        }
        add(p, "q");
        add_byte(p, (guint8)(i + 1));
    }
    add(p, ".");
    refused_pickle(p, "too deep");
    p = g_byte_array_new();
    add(p, "X\xff\xff\xff\x7f");
    refused_pickle(p, "cut off");
    p = g_byte_array_new();
    add(p, "Nr\xff\xff\xff\x7f.");
    refused_pickle(p, "stores more");
    p = g_byte_array_new();
    add(p, "h\5.");
    refused_pickle(p, "refers to an object that it never stored");
    p = g_byte_array_new();
    add(p, "(.");
    refused_pickle(p, "stack");
    p = g_byte_array_new();
    add(p, "t.");
    refused_pickle(p, "no mark");
    p = g_byte_array_new();
    add(p, "ctorch\nFloatStorage\n)R.");
    refused_pickle(p, "calls a storage");
    p = g_byte_array_new();
    add(p, "NNb.");
    refused_pickle(p, "something that has none");
    p = g_byte_array_new();
    for (int i = 0; i < 1100000; i++) add_byte(p, 'N');
    add(p, ".");
    refused_pickle(p, "more objects");
}

/* "A" of size 4 as numpy pickles it: as text in protocol 2, as bytes later. state: shape, order, the numbers. */
static void add_array(GByteArray *p, const char *module, const char *type, const char *order, gboolean columns, gboolean latin, int rank,
                      const int64_t *shape, const guint8 *bytes, guint size) {
    add(p, "c");
    add(p, module);
    add(p, "\n_reconstruct\ncnumpy\nndarray\n");
    add_tuple(p, 1, (const int64_t[]){0});
    add(p, "c_codecs\nencode\n");
    add_text(p, "b");
    add_text(p, "latin1");
    add(p, "\x86R\x87R("); /* _reconstruct(ndarray, (0,), b"b") */
    add_number(p, 1);
    add_tuple(p, rank, shape);
    add(p, "cnumpy\ndtype\n");
    add_text(p, type);
    add(p, "\x89\x88\x87R(");
    add_number(p, 3);
    add_text(p, order);
    add(p, "NNNtb");
    add_byte(p, columns ? 0x88 : 0x89);
    if (!latin) {
        add(p, "B");
        g_byte_array_append(p, (const guint8 *)&size, 4);
        g_byte_array_append(p, bytes, size);
    } else {
        g_autoptr(GByteArray) text = g_byte_array_new();
        for (guint i = 0; i < size; i++) {
            if (bytes[i] >= 0x80) add_byte(text, bytes[i] >> 6 | 0xc0);
            add_byte(text, bytes[i] >= 0x80 ? (bytes[i] & 0x3f) | 0x80 : bytes[i]);
        }
        add(p, "c_codecs\nencode\nX");
        g_byte_array_append(p, (const guint8 *)&text->len, 4);
        g_byte_array_append(p, text->data, text->len);
        add_text(p, "latin1");
        add(p, "\x86R");
    }
    add(p, "tb");
}

static const guint8 array_bytes[] = {0, 0, 0x80, 0xbf, 0, 0, 0, 0x40, 0,    0,    0x60, 0xc0,
                                     1, 2, 0xff, 0x7e, 0, 0, 0, 0,    0xcd, 0xcc, 0x4c, 0x3e};

static void test_numpy(void) {
    float values[6], turned[6];
    memcpy(values, array_bytes, sizeof values);
    for (int i = 0; i < 6; i++) turned[i] = values[i % 3 * 2 + i / 3];
    const int64_t shape[] = {2, 3}, places[] = {2, 2};
    for (int latin = 0; latin < 2; latin++) {
        g_autoptr(GByteArray) p = g_byte_array_new();
        begin_dict(p);
        add_text(p, "rows");
        add_array(p, latin ? "numpy.core.multiarray" : "numpy._core.multiarray", "f4", "<", FALSE, latin, 2, shape, array_bytes, 24);
        add_text(p, "columns");
        add_array(p, "numpy._core.multiarray", "f4", "<", TRUE, latin, 2, shape, array_bytes, 24);
        add_text(p, "swapped");
        add_array(p, "numpy._core.multiarray", "i2", ">", FALSE, latin, 2, places, (const guint8[]){0, 1, 1, 0, 0xff, 0xfe, 0x7f, 0xff}, 8);
        add_text(p, "others");
        add_array(p, "numpy._core.multiarray", "O8", "|", FALSE, latin, 2, places, array_bytes, 8);
        end_dict(p);
        g_autoptr(GByteArray) bytes = zip_of(p, FALSE);
        GError *error = NULL;
        g_autoptr(RmilTensors) tensors = read_bytes(bytes, &error);
        g_assert_no_error(error);
        g_assert_cmpint(rmil_tensors_count(tensors), ==, 3);
        check_values(tensors, "rows", values, 6);
        check_values(tensors, "columns", turned, 6);
        check_values(tensors, "swapped", (const float[]){1, 256, -2, 32767}, 4);
        g_assert_cmpstr(rmil_tensors_noted(tensors, "others"), ==, "a NumPy array that does not contain numbers");
    }
    GByteArray *p = g_byte_array_new();
    begin_dict(p);
    add_text(p, "a");
    add_array(p, "numpy._core.multiarray", "f4", "<", FALSE, TRUE, 2, (const int64_t[]){2, 4}, array_bytes, 24);
    end_dict(p);
    refused_pickle(p, "a NumPy array is cut off");
    p = g_byte_array_new();
    begin_dict(p);
    add_text(p, "a");
    add_array(p, "numpy._core.multiarray", "f4", "<", FALSE, FALSE, 2, (const int64_t[]){INT64_C(1) << 40, INT64_C(1) << 40}, array_bytes,
              24);
    end_dict(p);
    refused_pickle(p, "a NumPy array is cut off");
}

/* torch.save(module): the names of its state_dict, from objects of classes that are not known here. */
static void add_module(GByteArray *p, const char *class, const char *parameters) {
    add(p, "c");
    add(p, class);
    add(p, "\n)\x81}(");
    add_text(p, "training");
    add(p, "\x88");
    add_text(p, "_buffers");
    add(p, "}");
    add_text(p, "_non_persistent_buffers_set");
    add(p, "c__builtin__\nset\n]\x85R");
    add_text(p, "_parameters");
    add(p, "}");
    if (!parameters) return;
    add_text(p, parameters);
    add(p, "ctorch._utils\n_rebuild_parameter\n");
    add_tensor(p, "FloatStorage", "0", N, FALSE, 0, 2, (const int64_t[]){4, 6}, (const int64_t[]){6, 1});
    add(p, "\x88");
    add(p, "ccollections\nOrderedDict\n)R\x87Rs");
}

static void test_whole_module(void) {
    float values[N];
    fill(values);
    GError *error = NULL;
    g_autoptr(GByteArray) p = g_byte_array_new();
    add_byte(p, 0x80);
    add_byte(p, 2);
    add_module(p, "my.networks\nNet", NULL);
    add_text(p, "_modules");
    add(p, "ccollections\nOrderedDict\n)R");
    add_text(p, "adaptor");
    add_module(p, "torch.nn.modules.container\nSequential", NULL);
    add_text(p, "_modules");
    add(p, "}");
    add_text(p, "0");
    add_module(p, "torch.nn.modules.linear\nLinear", "weight");
    add(p, "ub"); /* the linear layer's state */
    add(p, "s");  /* into the sequence's modules */
    add(p, "ub");
    add(p, "s");
    add(p, "ub.");
    g_autoptr(GByteArray) bytes = zip_of(p, FALSE);
    g_autoptr(RmilTensors) tensors = read_bytes(bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_tensors_count(tensors), ==, 1);
    check_values(tensors, "adaptor.0.weight", values, N);
}

static void test_hostile_tensors(void) {
    const int64_t shape[] = {4, 6}, strides[] = {6, 1}, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40};
    const int64_t wide[] = {INT64_C(1) << 39, 1}, none[] = {0, 0}, negative[] = {-6, 1}, long_strides[] = {7, 1};
    refused_pickle(simple_pickle(FALSE, N, 1, shape, strides), "beyond its storage");
    refused_pickle(simple_pickle(FALSE, N, 0, shape, long_strides), "beyond its storage");
    refused_pickle(simple_pickle(FALSE, N, 0, shape, wide), "beyond its storage");
    refused_pickle(simple_pickle(FALSE, N, 0, huge, none), "beyond its storage");
    refused_pickle(simple_pickle(FALSE, 12, 0, shape, none), "beyond its storage"); /* 24 numbers shown of 12 */
    refused_pickle(simple_pickle(FALSE, N, 0, shape, negative), "not accepted");
    refused_pickle(simple_pickle(FALSE, INT64_C(1) << 39, 0, shape, strides), "96 bytes, but the pickle says ");
    refused_pickle(simple_pickle(FALSE, INT64_C(1) << 50, 0, shape, strides), "not described");
    GByteArray *p = g_byte_array_new(); /* one storage, two descriptions */
    begin_dict(p);
    for (int i = 0; i < 2; i++) {
        add_text(p, i ? "a" : "b");
        add_tensor(p, i ? "FloatStorage" : "IntStorage", "0", N, FALSE, 0, 2, shape, strides);
    }
    end_dict(p);
    refused_pickle(p, "described twice");
    p = g_byte_array_new(); /* the same name twice */
    begin_dict(p);
    for (int i = 0; i < 2; i++) {
        add_text(p, "a");
        add_tensor(p, "FloatStorage", "0", N, FALSE, 0, 2, shape, strides);
    }
    end_dict(p);
    refused_pickle(p, "two tensors are named");
    p = g_byte_array_new(); /* copies that together outgrow the file */
    begin_dict(p);
    const int64_t turned[] = {6, 4}, turned_strides[] = {1, 6};
    for (int i = 0; i < 1000; i++) {
        add_number(p, i);
        if (i == 0) {
            add_tensor(p, "FloatStorage", "0", N, FALSE, 0, 2, turned, turned_strides);
            add(p, "q\1");
        } else {
            add(p, "h\1");
        }
    }
    end_dict(p);
    refused_pickle(p, "several times the memory");
}

static void test_hostile_archives(void) {
    const int64_t shape[] = {4, 6}, strides[] = {6, 1};
    GError *error = NULL;
    g_autoptr(GByteArray) pickle = simple_pickle(FALSE, N, 0, shape, strides);
    g_autoptr(GByteArray) packed = zip_of(pickle, TRUE);
    g_assert_null(read_bytes(packed, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "is compressed");
    g_autoptr(GByteArray) whole = zip_of(pickle, FALSE);
    g_autoptr(GByteArray) bytes = g_byte_array_append(g_byte_array_new(), whole->data, whole->len / 2);
    g_assert_null(read_bytes(bytes, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "cannot be read");
    /* a byte of the weights turned: the checksum tells */
    const float first = -5;
    for (guint i = 0; i + 4 < whole->len; i++)
        if (memcmp(whole->data + i, &first, 4) == 0) {
            whole->data[i] ^= 1;
            break;
        }
    g_assert_null(read_bytes(whole, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "archive/data/0 is damaged");
    const char *const names[] = {"archive/data.pkl"};
    GByteArray *const contents[] = {pickle};
    g_autoptr(GByteArray) bare = make_zip(names, contents, 1, FALSE);
    g_assert_null(read_bytes(bare, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "no entry archive/data/0");
    const char *const other_names[] = {"readme"};
    g_autoptr(GByteArray) other = make_zip(other_names, contents, 1, FALSE);
    g_assert_null(read_bytes(other, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "without data.pkl");
    g_autoptr(GByteArray) text = g_byte_array_new();
    add(text, "these are no weights");
    g_assert_null(read_bytes(text, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "is not a weight file: it is neither safetensors nor written by torch.save");
    /* legacy files cut off, or with another count than the pickle says */
    float values[N];
    fill(values);
    g_autoptr(GByteArray) old = simple_pickle(TRUE, N, 0, shape, strides);
    g_autoptr(GByteArray) cut = make_legacy(old, "0", N, values, sizeof values - 1);
    g_assert_null(read_bytes(cut, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "cut off");
    g_autoptr(GByteArray) less = make_legacy(old, "0", N - 1, values, sizeof values);
    g_assert_null(read_bytes(less, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "92 bytes, but the pickle says 96");
    g_autoptr(GByteArray) wrong = make_legacy(old, "1", N, values, sizeof values);
    g_assert_null(read_bytes(wrong, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "list of storages");
}

static void test_name_digest(void) {
    const int64_t shape[] = {4, 6}, strides[] = {6, 1};
    g_autoptr(GByteArray) pickle = simple_pickle(FALSE, N, 0, shape, strides);
    g_autoptr(GByteArray) bytes = zip_of(pickle, FALSE);
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes->data, bytes->len);
    g_autofree char *folder = test_folder(), *name = g_strdup_printf("net-%.8s.pth", digest);
    g_autofree char *right = g_build_filename(folder, name, NULL), *wrong = g_build_filename(folder, "net-0676ba61.pth", NULL);
    g_assert_true(rmil_file_write(right, bytes->data, bytes->len, NULL));
    g_assert_true(rmil_file_write(wrong, bytes->data, bytes->len, NULL));
    GError *error = NULL;
    char sha256[65];
    g_autoptr(RmilTensors) tensors = rmil_weights_read(right, sha256, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(sha256, ==, digest);
    g_assert_null(rmil_weights_read(wrong, sha256, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "its name says 0676ba61");
}

/* Any bytes give tensors or an error. The sanitizers watch. */
static void test_mutations(void) {
    const int64_t shape[] = {4, 6}, strides[] = {6, 1};
    float values[N];
    fill(values);
    g_autoptr(GByteArray) object = simple_pickle(TRUE, N, 0, shape, strides);
    g_autoptr(GByteArray) legacy = make_legacy(object, "0", N, values, sizeof values);
    g_autoptr(GByteArray) zip = zip_of(object, FALSE);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    int read = 0;
    for (int round = 0; round < 20000; round++) {
        const GByteArray *seed = round & 1 ? legacy : zip;
        g_autoptr(GByteArray) bytes = g_byte_array_append(g_byte_array_new(), seed->data, seed->len);
        for (int64_t n = 1 + rmil_rng_below(&rng, 4); n > 0; n--) {
            int64_t at = rmil_rng_below(&rng, bytes->len), cut = rmil_rng_below(&rng, 8);
            switch (rmil_rng_below(&rng, 4)) {
            case 0: bytes->data[at] = (guint8)rmil_rng_below(&rng, 256); break;
            case 1: bytes->data[at] ^= (guint8)(1 << rmil_rng_below(&rng, 8)); break;
            case 2: g_byte_array_remove_range(bytes, (guint)at, (guint)MIN(cut, bytes->len - at)); break;
            default: bytes->data[at] = (guint8) "(t.Rub}]ae\x85\x86Qqh"[rmil_rng_below(&rng, 15)]; break;
            }
            if (bytes->len == 0) break;
        }
        g_autoptr(RmilTensors) tensors = rmil_tensors_new("mutant");
        GError *error = NULL;
        gboolean good = round & 1 ? rmil_torch_legacy_read(tensors, bytes->data, bytes->len, &error)
                                  : rmil_torch_zip_read(tensors, bytes->data, bytes->len, &error);
        g_assert_true(good == (error == NULL));
        g_clear_error(&error);
        for (int64_t i = 0; good && i < rmil_tensors_count(tensors); i++) {
            const RmilTensor *tensor = rmil_tensors_at(tensors, i);
            g_autofree float *copy = g_new(float, tensor->count);
            rmil_tensor_floats(tensor, copy);
        }
        read += good;
    }
    g_assert_cmpint(read, >, 100); /* some mutants are harmless */
    g_assert_cmpint(read, <, 15000);
}

static int by_name(gconstpointer a, gconstpointer b, gpointer tensors) {
    return strcmp(rmil_tensors_at(tensors, *(const int64_t *)a)->name, rmil_tensors_at(tensors, *(const int64_t *)b)->name);
}

/* Files that PyTorch itself wrote (save-torch.py). */
static void test_pytorch(void) {
    static const char *const files[] = {"zip-float32",    "zip-float16",    "zip-bfloat16",
                                        "legacy-float32", "legacy-float16", "legacy-bfloat16"};
    if (!g_getenv("RMIL_PEER_PYTHON")) {
        g_test_skip("RMIL_PEER_PYTHON names no Python with PyTorch");
        return;
    }
    GError *error = NULL;
    int status;
    g_autofree char *folder = test_folder(), *script = g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "tensors", "save-torch.py", NULL);
    char *argv[] = {(char *)g_getenv("RMIL_PEER_PYTHON"), script, folder, NULL};
    g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, &error));
    g_assert_true(g_spawn_check_wait_status(status, &error));
    for (gsize f = 0; f < G_N_ELEMENTS(files); f++) {
        g_autofree char *stem = g_build_filename(folder, files[f], NULL), *pth = g_strconcat(stem, ".pth", NULL),
                        *raw = g_strconcat(stem, ".raw", NULL);
        g_autoptr(RmilTensors) tensors = rmil_weights_read(pth, NULL, &error);
        g_assert_no_error(error);
        gsize size, used = 0;
        g_autofree char *expected = rmil_file_read(raw, 1 << 20, &size, &error);
        g_assert_no_error(error);
        int64_t order[12];
        g_assert_cmpint(rmil_tensors_count(tensors), ==, G_N_ELEMENTS(order));
        for (int64_t i = 0; i < (int64_t)G_N_ELEMENTS(order); i++) order[i] = i;
        g_qsort_with_data(order, G_N_ELEMENTS(order), sizeof *order, by_name, tensors);
        for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
            const RmilTensor *tensor = rmil_tensors_at(tensors, order[i]);
            g_autofree float *values = g_new(float, (gsize)tensor->count + 1);
            const gsize bytes = (gsize)tensor->count * sizeof *values;
            rmil_tensor_floats(tensor, values);
            g_assert_cmpuint(used + bytes, <=, size);
            g_assert_true(memcmp(values, expected + used, bytes) == 0);
            used += bytes;
        }
        g_assert_cmpuint(used, ==, size);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/weights/zip-and-legacy", test_zip_and_legacy);
    g_test_add_func("/weights/hostile-pickles", test_hostile_pickles);
    g_test_add_func("/weights/numpy", test_numpy);
    g_test_add_func("/weights/whole-module", test_whole_module);
    g_test_add_func("/weights/hostile-tensors", test_hostile_tensors);
    g_test_add_func("/weights/hostile-archives", test_hostile_archives);
    g_test_add_func("/weights/name-digest", test_name_digest);
    g_test_add_func("/weights/mutations", test_mutations);
    g_test_add_func("/weights/pytorch", test_pytorch);
    return g_test_run();
}
