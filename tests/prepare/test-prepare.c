/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort of which one slide is broken, made into features by a C program: the public headers are all that it needs. */
#include "heard.h"
#include "prepare/prepare-private.h"
#include "tensors/onnx-graph.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

/* A work in the test's folder on the cohort above, locked. */
static RmilWork *begin(const char *into, const RmilPrepareOptions *options) {
    GError *error = NULL;
    g_autofree char *table = table_path();
    forget();
    RmilWork *work = rmil_work_new(into, options, &monitor, &error);
    g_assert_no_error(error);
    g_assert_true(rmil_work_read(work, table, &error));
    g_assert_true(rmil_work_lock(work, RMIL_LOCK_ALONE, "a test", &error));
    return work;
}

static RmilCohort *prepare(const char *into, const RmilPrepareOptions *options) {
    GError *error = NULL;
    g_autoptr(RmilWork) work = begin(into, options);
    RmilCohort *cohort = rmil_work_prepare(work, &error);
    g_assert_no_error(error);
    return cohort;
}

static char *contents(const char *path, gsize *size) {
    char *bytes = NULL;
    GError *error = NULL;
    g_file_get_contents(path, &bytes, size, &error);
    g_assert_no_error(error);
    return bytes;
}

static gboolean same_bytes(const char *a, const char *b) {
    gsize m, n;
    g_autofree char *x = contents(a, &m), *y = contents(b, &n);
    return m == n && memcmp(x, y, m) == 0;
}

/* -- tests ------------------------------------------------------------------------------------------------------------------------ */
static void test_whole(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    options.preview = TRUE;
    GError *error = NULL;
    g_autoptr(RmilWork) work = begin(into, &options);
    g_autoptr(RmilCohort) cohort = rmil_work_prepare(work, &error);
    g_assert_no_error(error);
    expect_stages("3+0 2+0 3+0");
    g_assert_cmpint(heard.problems->len, ==, 1);
    g_assert_true(g_str_has_prefix(heard.problems->pdata[0], "tile broken: "));
    g_assert_nonnull(strstr(work->errors[0], "broken.svs"));
    for (int i = 1; i < 4; i++) g_assert_null(work->errors[i]);
    g_assert_true(g_str_has_prefix(work->encoder, "texture"));

    g_assert_cmpint(cohort->count, ==, 3);
    g_assert_cmpstr(cohort->left_out[0], ==, "broken");
    g_assert_null(cohort->left_out[1]);
    g_assert_cmpstr(rmil_table_cell(cohort->table, 0, rmil_table_find(cohort->table, "stain")), ==, "HE");
    int64_t tiles = 0, annotated = 0;
    for (int64_t i = 0; i < 3; i++) {
        const RmilCohortRow *row = &cohort->rows[i];
        g_autoptr(RmilBag) bag = rmil_bag_read(row->features, row->id, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(bag->dim, ==, work->feature_dim);
        g_assert_cmpfloat(bag->patch_size, ==, 224);
        tiles += bag->count;
        g_assert_true((row->annotation != NULL) == (row->patch_labels != NULL));
        g_autofree uint8_t *labels = g_malloc0((gsize)bag->count);
        if (!row->patch_labels) continue;
        g_assert_true(rmil_labels_read(row->patch_labels, bag->count, labels, &error));
        for (int64_t k = 0; k < bag->count; k++) annotated += labels[k];
        g_autofree char *picture = rmil_work_path(work, "labels", i + 1, "png");
        g_assert_true(g_file_test(picture, G_FILE_TEST_EXISTS));
    }
    g_assert_cmpint(work->tiles, ==, tiles);
    g_assert_cmpint(work->annotated_patches, ==, annotated);
    g_assert_cmpint(annotated, >, 0);
}

/* The same again, and by the parts of the first that an interruption left; on other threads. */
static void test_resume(void) {
    g_autofree char *into = test_folder(), *other = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    options.threads = 1;
    g_autoptr(RmilCohort) first = prepare(into, &options);
    const char *features = first->rows[0].features;
    g_autofree char *identity = rmil_file_identity(features);
    options.threads = 3;
    g_autoptr(RmilCohort) again = prepare(into, &options);
    expect_stages("0+3 0+2 0+3");
    g_assert_cmpint(heard.problems->len, ==, 1); /* the broken slide is tried again */
    g_autofree char *later = rmil_file_identity(features);
    g_assert_cmpstr(identity, ==, later);

    g_autoptr(RmilCohort) apart = prepare(other, &options);
    expect_stages("3+0 2+0 3+0");
    g_assert_true(same_bytes(features, apart->rows[0].features));

    gsize size; /* a damaged product is made again, which is said */
    g_autofree char *bytes = contents(features, &size);
    g_assert_true(g_file_set_contents(features, bytes, (gssize)size / 2, NULL));
    g_assert_cmpint(g_unlink(first->rows[1].features), ==, 0);
    g_autoptr(RmilCohort) mended = prepare(into, &options);
    expect_stages("0+3 0+2 2+1");
    g_assert_true(said(heard.warnings, "it is made again"));
    for (int i = 0; i < 2; i++) g_assert_true(same_bytes(first->rows[i].features, apart->rows[i].features));
}

/* Only what depends on an option is made again. */
static void test_options(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    rmil_cohort_free(prepare(into, &options));
    options.padding = 100;
    rmil_cohort_free(prepare(into, &options));
    expect_stages("0+3 2+0 0+3");
    options.mask_mpp = 8;
    rmil_cohort_free(prepare(into, &options));
    g_assert_cmpint(heard.made[0], ==, 3);
    g_assert_cmpint(heard.made[2], ==, 3);
    options.lesion = g_strsplit("nothing of that name", ",", -1); /* an annotation without lesions is a problem of its row */
    g_autoptr(RmilCohort) cohort = prepare(into, &options);
    g_assert_cmpint(heard.problems->len, ==, 3);
    g_assert_true(said(heard.problems, "label "));
    g_assert_cmpint(cohort->count, ==, 1);
    rmil_prepare_options_clear(&options);
}

/* A table with one slide whose tissue is given; free with g_free. */
static char *table_with_tissue(const char *into, const char *name, const char *outlines) {
    g_autofree char *given = table_path(), *tissue = test_file(into, name, outlines);
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(given, &error);
    g_assert_no_error(error);
    g_autofree char *text = g_strdup_printf("id,slide,tissue\n%s,%s,%s\n", cohort->rows[1].id, cohort->rows[1].slide, tissue);
    return test_file(into, "given.csv", text);
}

/* Tiles lie where the column tissue says, whatever is there; the file becomes part of what they were made from, and stays in the table. */
static void test_given_tissue(void) {
    g_autofree char *into = test_folder();
    static const char *const square =
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"tissue_id\":0},\"geometry\":{\"type\":"
        "\"Polygon\",\"coordinates\":[[[0,0],[448,0],[448,448],[0,448],[0,0]]]}}]}";
    g_autofree char *table = table_with_tissue(into, "tissue.geojson", square);
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    GError *error = NULL;
    for (int pass = 0; pass < 2; pass++) {
        forget();
        g_autoptr(RmilWork) work = rmil_work_new(into, &options, &monitor, &error);
        g_assert_true(rmil_work_read(work, table, &error));
        g_autoptr(RmilCohort) cohort = rmil_work_prepare(work, &error);
        g_assert_no_error(error);
        g_assert_cmpint(work->tiles, ==, 4);
        g_assert_cmpint(heard.made[0], ==, pass == 0);
        g_assert_nonnull(cohort->rows[0].tissue);
        g_assert_true(g_str_has_suffix(cohort->rows[0].tissue, "tissue.geojson"));
    }
    static const struct {
        const char *outlines, *problem;
    } wrong[] = {{"{\"type\":\"FeatureCollection\",\"features\":[]}", "the given tissue outline is empty or lies outside the slide"},
                 {"no outlines", "rankmil reads annotations from"}};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *bad = table_with_tissue(into, "tissue.geojson", wrong[i].outlines);
        g_autoptr(RmilWork) work = rmil_work_new(into, &options, &monitor, &error);
        forget();
        g_assert_true(rmil_work_read(work, bad, &error));
        g_assert_true(rmil_work_tile(work, &error));
        g_assert_true(said(heard.problems, wrong[i].problem));
    }
}

/* What is left out is counted, also where tiles are there already, and becomes part of what they were made from. */
static void test_left_out(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    options.leave_out = g_strdup("pen, blur");
    options.min_area = 0.001;
    GError *error = NULL;
    int64_t left[2][RMIL_LEFT_REASONS];
    for (int pass = 0; pass < 2; pass++) {
        g_autoptr(RmilWork) work = begin(into, &options);
        g_assert_true(rmil_work_tile(work, &error));
        memcpy(left[pass], work->left_out, sizeof left[pass]);
        g_assert_cmpint(heard.made[0], ==, pass == 0 ? 3 : 0);
    }
    g_assert_cmpint(memcmp(left[0], left[1], sizeof left[0]), ==, 0);
    g_autoptr(JsonNode) node = rmil_preprocessing_get(&options);
    RmilPrepareOptions taken, other;
    rmil_prepare_options_init(&taken);
    rmil_prepare_options_init(&other);
    json_object_set_string_member(json_node_get_object(node), "encoder", "texture");
    g_assert_true(rmil_preprocessing_apply(node, &taken, &error));
    g_assert_cmpstr(taken.leave_out, ==, "pen, blur");
    g_assert_cmpfloat(taken.min_area, ==, 0.001);
    g_assert_null(taken.tissue);
    other.tissue = g_strdup("hsv");
    g_assert_false(rmil_preprocessing_apply(node, &other, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "and --tissue hsv would make different ones");
    g_free(options.leave_out);
    options.leave_out = g_strdup("pen,dirt");
    g_assert_null(rmil_work_new(into, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "\"dirt\" is not one of pen, fold, blur");
    rmil_prepare_options_clear(&options);
    rmil_prepare_options_clear(&taken);
    rmil_prepare_options_clear(&other);
}

/* What was encoded in one precision stays, unless another is asked for; a model's slides are made as it says. */
static void test_precision(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options, taken;
    GError *error = NULL;
    rmil_prepare_options_init(&options);
    rmil_prepare_options_init(&taken);
    options.encoder = g_strdup("texture");
    options.features_precision = g_strdup("float32");
    g_autoptr(RmilCohort) cohort = prepare(into, &options);
    g_autoptr(RmilBag) whole = rmil_bag_read(cohort->rows[0].features, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_false(whole->stored_half);
    g_autoptr(JsonNode) node = rmil_preprocessing_get(&options);
    g_assert_true(rmil_preprocessing_apply(node, &taken, &error));
    g_assert_cmpstr(taken.features_precision, ==, "float32");
    g_free(taken.features_precision);
    taken.features_precision = g_strdup("float16");
    g_assert_false(rmil_preprocessing_apply(node, &taken, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT,
               "made with --features-precision float32, and --features-precision float16 would make different ones");
    rmil_prepare_options_clear(&taken);
    g_clear_pointer(&options.features_precision, g_free);
    rmil_cohort_free(prepare(into, &options));
    expect_stages("0+3 0+2 0+3");
    options.features_precision = g_strdup("float16");
    rmil_cohort_free(prepare(into, &options));
    expect_stages("0+3 0+2 3+0");
    g_autoptr(RmilBag) half = rmil_bag_read(cohort->rows[0].features, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_true(half->stored_half);
    const float *a = whole->features, *b = half->features;
    for (int64_t i = 0; i < whole->count * whole->dim; i++) g_assert_cmpfloat(ABS(a[i] - b[i]), <=, ABS(a[i]) / 2048 + 1e-7f);
    g_free(options.features_precision);
    options.features_precision = g_strdup("float8");
    g_assert_null(rmil_work_new(into, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--features-precision \"float8\" is neither float16 nor float32");
    rmil_prepare_options_clear(&options);
}

static void test_label_into(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    GError *error = NULL;
    g_autoptr(RmilWork) work = begin(into, &options);
    g_assert_true(rmil_work_tile(work, &error) && rmil_work_label(work, &error));
    const int64_t drawn = work->annotated_patches;
    g_assert_true(rmil_work_label_into(work, "padded/200", 200, &error));
    g_assert_cmpint(work->annotated_patches, >, drawn);
    for (int64_t i = 1; i < 4; i++) {
        g_autofree char *path = rmil_work_path(work, "padded/200", i, "h5");
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS) == (work->cohort->rows[i].annotation != NULL));
    }
}

static void test_lock(void) {
    g_autofree char *into = test_folder();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    GError *error = NULL;
    RmilWork *work = begin(into, &options);
    g_autoptr(RmilWork) second = rmil_work_new(into, &options, NULL, &error);
    g_assert_false(rmil_work_lock(second, RMIL_LOCK_ALONE, "another", &error));
    test_error(&error, RMIL_ERROR_IO, "a test");
    g_assert_true(rmil_work_tile(work, &error) && rmil_work_encode(work, &error) && rmil_work_write_cohort(work, &error));
    rmil_work_free(work);

    g_autofree char *slide = test_file(folder, "other.svs", "not looked at"), *text = g_strdup_printf("id,slide\nelse,%s\n", slide);
    g_autofree char *foreign = test_file(folder, "foreign.csv", text);
    g_assert_true(rmil_work_read(second, foreign, &error));
    g_assert_false(rmil_work_lock(second, RMIL_LOCK_ALONE, "another", &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "contains work on another cohort");
}

static void test_refused(void) {
    g_autofree char *into = test_folder(), *table = table_path();
    RmilPrepareOptions options;
    GError *error = NULL;
    rmil_prepare_options_init(&options);
    options.min_tissue = 2;
    g_assert_null(rmil_work_new(into, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--min-tissue 2 is outside 0 … 1");
    rmil_prepare_options_init(&options);
    options.tile_px = 128;
    g_autoptr(RmilWork) work = rmil_work_new(into, &options, &monitor, &error);
    forget();
    g_assert_false(rmil_work_tile(work, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "without a cohort");
    g_assert_true(rmil_work_read(work, table, &error));
    g_assert_true(rmil_work_tile(work, &error) && rmil_work_encode(work, &error)); /* no slide ends the others */
    g_assert_cmpint(heard.problems->len, ==, 1);
    g_assert_true(said(heard.warnings, "tiles of 128 px at 0.5 µm per pixel are read as 224 px"));
    options.encoder = g_strdup("none such");
    g_autoptr(RmilWork) named = begin(into, &options);
    g_assert_false(rmil_work_encode(named, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "none such");
    rmil_prepare_options_clear(&options);
    g_autoptr(RmilWork) placeless = rmil_work_new(NULL, &options, NULL, &error);
    g_assert_true(rmil_work_read(placeless, table, &error));
    g_assert_false(rmil_work_tile(placeless, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "without a folder");
    g_assert_false(rmil_work_lock(placeless, RMIL_LOCK_ALONE, "a test", &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "without a folder");
}

static void test_check(void) {
    g_autofree char *table = table_path();
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    GError *error = NULL;
    forget();
    g_autoptr(RmilWork) work = rmil_work_new(NULL, &options, &monitor, &error);
    g_assert_true(rmil_work_read(work, table, &error));
    g_autoptr(RmilCheck) check = rmil_work_check(work);
    g_assert_cmpint(check->positive, ==, 2);
    g_assert_cmpint(check->negative, ==, 2);
    g_assert_cmpint(check->unlabelled, ==, 0);
    g_assert_cmpint(check->annotated, ==, 2);
    g_assert_cmpint(check->mpp->len, ==, 1);
    g_assert_cmpint(g_array_index(check->mpp, RmilMppCount, 0).slides, ==, 3);
    g_assert_cmpfloat_with_epsilon(g_array_index(check->mpp, RmilMppCount, 0).mpp, 0.5, 1e-3);
    g_assert_cmpfloat(check->rows[0].mpp, <, 0);
    g_assert_cmpint(heard.problems->len, ==, 1);
    g_assert_true(g_str_has_prefix(heard.problems->pdata[0], "check broken: "));
    g_assert_nonnull(work->errors[0]);
    for (int s = 0; s < STAGES; s++) g_assert_cmpint(heard.made[s], ==, -1);
}

static void test_preprocessing(void) {
    g_autofree char *into = test_folder(), *table = g_build_filename(into, "cohort.csv", NULL);
    RmilPrepareOptions options, taken;
    rmil_prepare_options_init(&options);
    rmil_prepare_options_init(&taken);
    options.tile_mpp = 1;
    options.min_tissue = 0.1;
    GError *error = NULL;
    JsonNode *node;
    g_assert_true(rmil_preprocessing_read(table, &node, &error));
    g_assert_null(node);
    rmil_cohort_free(prepare(into, &options));
    g_assert_true(rmil_preprocessing_read(table, &node, &error));
    g_assert_true(rmil_preprocessing_apply(node, &taken, &error));
    g_assert_cmpfloat(taken.tile_mpp, ==, 1);
    g_assert_cmpfloat(taken.min_tissue, ==, 0.1);
    g_assert_cmpfloat(taken.mask_mpp, ==, 4);
    g_assert_cmpstr(taken.encoder, ==, "texture");
    json_node_unref(node);
    static const char *const wrong[][2] = {
        {"{\"tile_mpp\": 1}", "names no encoder"},
        {"{\"encoder\": \"texture\", \"tile_mpp\": \"1\"}", "tile_mpp of its preprocessing is not a number"}};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        node = rmil_json_parse(wrong[i][0], strlen(wrong[i][0]), "test", &error);
        g_assert_no_error(error);
        g_assert_false(rmil_preprocessing_apply(node, &taken, &error));
        test_error(&error, RMIL_ERROR_FORMAT, wrong[i][1]);
        json_node_unref(node);
    }
    rmil_prepare_options_clear(&taken);
}

/* What the encoder onnx was given goes to predictions; what is given there and differs is refused, the device is not. */
static void test_preprocessing_onnx(void) {
    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    options.encoder = g_strdup("onnx");
    options.sd = g_strdup("0.5,0.5,0.5");
    options.onnx_output = g_strdup("features");
    options.device = g_strdup("cuda");
    g_autoptr(JsonNode) node = rmil_preprocessing_get(&options);
    const struct {
        const char *mean, *sd, *output, *device;
        int side;
        const char *message;
    } cases[] = {
        {.device = "cpu"},
        {.mean = RMIL_IMAGENET_MEAN, .sd = "0.5,0.5,0.5", .output = "features", .side = 224},
        {.mean = "0.5,0.5,0.5", .message = "made with --mean 0.485,0.456,0.406, and --mean 0.5,0.5,0.5 would"},
        {.sd = RMIL_IMAGENET_SD, .message = "made with --sd 0.5,0.5,0.5, and --sd 0.229,0.224,0.225 would"},
        {.output = "tokens", .message = "made with --onnx-output features, and --onnx-output tokens would"},
        {.side = 256, .message = "made with --input-px 224, and --input-px 256 would"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        RmilPrepareOptions taken;
        GError *error = NULL;
        rmil_prepare_options_init(&taken);
        taken.mean = g_strdup(cases[i].mean);
        taken.sd = g_strdup(cases[i].sd);
        taken.onnx_output = g_strdup(cases[i].output);
        taken.device = g_strdup(cases[i].device);
        taken.input_px = cases[i].side;
        g_assert_cmpint(rmil_preprocessing_apply(node, &taken, &error), ==, !cases[i].message);
        if (cases[i].message) {
            test_error(&error, RMIL_ERROR_ARGUMENT, cases[i].message);
        } else {
            g_assert_null(taken.mean);
            g_assert_cmpstr(taken.sd, ==, "0.5,0.5,0.5");
            g_assert_cmpstr(taken.onnx_output, ==, "features");
            g_assert_cmpstr(taken.device, ==, cases[i].device ? cases[i].device : "cuda");
            g_assert_cmpint(taken.input_px, ==, 224);
        }
        rmil_prepare_options_clear(&taken);
    }
    rmil_prepare_options_clear(&options);
}

/* Where neither record nor options say anything, the model's file does; tiles are of its size and resolution. */
static void test_preprocessing_file(void) {
    char *metadata[] = {"rankmil.mean", "0.5,0.5,0.5", "rankmil.sd", "1,1,1", "rankmil.input_px", "96", "rankmil.mpp", "0.25", NULL};
    g_autofree char *place = test_folder(), *path = g_build_filename(place, "a.onnx", NULL);
    GError *error = NULL;
    g_autoptr(RmilOnnx) onnx = rmil_onnx_new(NULL);
    g_assert_true(rmil_onnx_write(onnx, path, "a", "b", metadata, &error));
    static const struct {
        const char *mean;
        int side;
        const char *message;
    } cases[] = {{NULL, 0, NULL},
                 {"0.5,0.5,0.5", 96, NULL},
                 {RMIL_IMAGENET_MEAN, 0, "made with --mean 0.5,0.5,0.5, and --mean 0.485"},
                 {NULL, 224, "made with --input-px 96, and --input-px 224"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        RmilPrepareOptions trained, taken;
        rmil_prepare_options_init(&trained);
        rmil_prepare_options_init(&taken);
        trained.encoder = g_strdup("onnx");
        trained.weights = g_strdup(path);
        g_autoptr(JsonNode) node = rmil_preprocessing_get(&trained);
        taken.mean = g_strdup(cases[i].mean);
        taken.input_px = cases[i].side;
        g_assert_cmpint(rmil_preprocessing_apply(node, &taken, &error), ==, !cases[i].message);
        if (cases[i].message) test_error(&error, RMIL_ERROR_ARGUMENT, cases[i].message);
        else g_assert_cmpint(taken.input_px, ==, 96);
        RmilWork *work = rmil_work_new(place, &trained, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(work->options.tile_px, ==, 96);
        g_assert_cmpfloat(work->options.tile_mpp, ==, 0.25);
        rmil_work_free(work);
        rmil_prepare_options_clear(&trained);
        rmil_prepare_options_clear(&taken);
    }
}

/* The made table says what the given one said: words, times, numbers, and what is not predicted; and it is read as the same task. */
static void test_targets(void) {
    const struct {
        const char *header;
        const char *cells[3];
        const char *head; /* of the made table behind patch_labels */
    } cases[] = {
        {"label,Site", {"tumor,x", "normal,\"y, z\"", ",x"}, "label,split,annotation,patient,mpp,Site"},
        {"label", {"10", "2", "0"}, "label,split,annotation,patient,mpp"},
        {"time,event", {"0.1,1", "1e-300,0", ","}, "time,event,split,annotation,patient,mpp"},
        {"value", {"0.1", "-7", ""}, "value,split,annotation,patient,mpp"},
        {"label,time,event", {"1,3,1", "0,4,0", "1,,"}, "label,split,annotation,patient,mpp,time,event"},
    };
    g_autofree char *made = table_path();
    GError *error = NULL;
    g_autoptr(RmilCohort) slides = rmil_cohort_read(made, &error);
    for (gsize c = 0; c < G_N_ELEMENTS(cases); c++) {
        g_autofree char *into = test_folder(), *out = g_build_filename(into, "cohort.csv", NULL);
        g_autoptr(GString) text = g_string_new("id,slide,");
        g_string_append_printf(text, "%s\n", cases[c].header);
        for (int i = 0; i < 3; i++)
            g_string_append_printf(text, "%s,%s,%s\n", slides->rows[i + 1].id, slides->rows[i + 1].slide, cases[c].cells[i]);
        g_autofree char *path = test_file(into, "given.csv", text->str);
        RmilPrepareOptions options;
        rmil_prepare_options_init(&options);
        forget();
        g_autoptr(RmilWork) work = rmil_work_new(into, &options, &monitor, &error);
        g_assert_true(rmil_work_read(work, path, &error));
        g_autoptr(RmilCohort) cohort = rmil_work_prepare(work, &error), alone = rmil_cohort_read(out, &error);
        g_assert_no_error(error);
        gsize size;
        g_autofree char *bytes = contents(out, &size), *head = g_strdup_printf("id,slide,features,patch_labels,%s\n", cases[c].head);
        g_assert_true(g_str_has_prefix(bytes, head));
        g_assert_true(rmil_task_equal(&cohort->task, &work->cohort->task) && rmil_task_equal(&alone->task, &work->cohort->task));
        for (int64_t i = 0; i < 3; i++) {
            const RmilTarget *a = &work->cohort->rows[i].target, *b = &cohort->rows[i].target;
            g_assert_cmpint(a->label, ==, b->label);
            g_assert_true(a->time == b->time || (isnan(a->time) && isnan(b->time)));
            g_assert_cmpint(a->event, ==, b->event);
            g_assert_true(a->value == b->value || (isnan(a->value) && isnan(b->value)));
            g_assert_cmpstr(work->cohort->rows[i].site, ==, cohort->rows[i].site);
        }
    }
}

/* --lesion, for slides of one class or for all. */
static void test_lesion(void) {
    const RmilTask task = {.kind = RMIL_TASK_CLASSES, .classes = 3, .names = {"normal", "LUAD", "LUSC"}, .negative = TRUE};
    const struct {
        const char *given[4];
        const char *groups[4]; /* of normal, LUAD, LUSC, and where it is not known; NULL: the usual ones */
    } cases[] = {
        {{NULL}, {NULL}},
        {{"Tumor", "A, B"}, {"Tumor|A, B", "Tumor|A, B", "Tumor|A, B", "Tumor|A, B"}},
        {{"LUAD=Tumor"}, {NULL, "Tumor", NULL, "Tumor"}},
        {{"LUAD=Tumor, LUSC = squamous,LUAD=Other", "Lesion"}, {"Lesion", "Tumor|Other", "squamous", "Tumor|squamous|Other|Lesion"}},
    };
    GError *error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *const *given = (char *const *)cases[i].given;
        g_assert_true(rmil_lesion_check(given, &task, &error));
        for (int label = 0; label < 4; label++) {
            const RmilTarget target = RMIL_TARGET_CLASS(label < 3 ? label : -1);
            g_auto(GStrv) groups = rmil_lesion_groups(given, &task, &target);
            g_autofree char *found = groups ? g_strjoinv("|", groups) : NULL;
            g_assert_cmpstr(found, ==, cases[i].groups[label]);
        }
    }
    static const char *const wrong[][2] = {
        {"LUAC=Tumor", "--lesion LUAC=Tumor: there is no class \"LUAC\"; choose one of normal, LUAD, LUSC"},
        {"LUAD=Tumor,Other", "\"Other\" is not CLASS=GROUP"},
        {"LUAD=", "\"LUAD=\" is not CLASS=GROUP"}};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        char *const given[] = {(char *)wrong[i][0], NULL};
        g_assert_false(rmil_lesion_check(given, &task, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, wrong[i][1]);
    }
}

/* The group of another class is no lesion, nor drawn, and patches are labelled again where the groups of their class change. */
static void test_lesion_labels(void) {
    g_autofree char *into = test_folder(), *table = table_path();
    GError *error = NULL;
    g_autoptr(RmilCohort) given = rmil_cohort_read(table, &error);
    g_autoptr(GString) text = g_string_new("id,slide,label,annotation\n");
    static const char *const words[] = {"normal", "LUAD", "LUSC"};
    int annotated = 0;
    for (int64_t i = 1; i < 4; i++)
        g_string_append_printf(text, "%s,%s,%s,%s\n", given->rows[i].id, given->rows[i].slide,
                               words[given->rows[i].annotation ? ++annotated : 0],
                               given->rows[i].annotation ? given->rows[i].annotation : "");
    g_assert_cmpint(annotated, ==, 2);
    g_autofree char *path = test_file(into, "given.csv", text->str);
    const struct {
        const char *lesion, *made, *problem;
    } cases[] = {{"LUAD=Nothing", "3+0 1+0 ", "no annotation is in a lesion group"}, {NULL, "1+2 1+1 ", NULL}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        RmilPrepareOptions options;
        rmil_prepare_options_init(&options);
        options.lesion = cases[i].lesion ? g_strsplit(cases[i].lesion, ";", -1) : NULL;
        forget();
        g_autoptr(RmilWork) work = rmil_work_new(into, &options, &monitor, &error);
        rmil_prepare_options_clear(&options);
        g_assert_true(rmil_work_read(work, path, &error));
        g_assert_true(rmil_work_tile(work, &error) && rmil_work_label(work, &error));
        g_autofree char *stages_made = g_strdup_printf("%" G_GINT64_FORMAT "+%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "+%" G_GINT64_FORMAT
                                                       " ",
                                                       heard.made[0], heard.kept[0], heard.made[1], heard.kept[1]);
        g_assert_cmpstr(stages_made, ==, cases[i].made);
        g_assert_cmpint(heard.problems->len, ==, cases[i].problem ? 1 : 0);
        if (cases[i].problem) g_assert_true(said(heard.problems, cases[i].problem));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    make_cohort();
    g_test_add_func("/prepare/whole", test_whole);
    g_test_add_func("/prepare/resume", test_resume);
    g_test_add_func("/prepare/options", test_options);
    g_test_add_func("/prepare/tissue", test_given_tissue);
    g_test_add_func("/prepare/left-out", test_left_out);
    g_test_add_func("/prepare/precision", test_precision);
    g_test_add_func("/prepare/label-into", test_label_into);
    g_test_add_func("/prepare/lock", test_lock);
    g_test_add_func("/prepare/refused", test_refused);
    g_test_add_func("/prepare/check", test_check);
    g_test_add_func("/prepare/preprocessing", test_preprocessing);
    g_test_add_func("/prepare/preprocessing-onnx", test_preprocessing_onnx);
    g_test_add_func("/prepare/preprocessing-file", test_preprocessing_file);
    g_test_add_func("/prepare/lesion", test_lesion);
    g_test_add_func("/prepare/lesion-labels", test_lesion_labels);
    g_test_add_func("/prepare/targets", test_targets);
    const int status = g_test_run();
    forget_all();
    return status;
}
