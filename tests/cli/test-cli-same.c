/* SPDX-License-Identifier: Apache-2.0 */
/* One training, three ways to it: `train`, `run` and `study` end in the same bytes for every method, and in the numbers that
 * pinned.csv holds, on every processor.
 *
 * Bytes differ between processors and compilers (docs/design.md), numbers but in their last digits. Bytes are pinned on one machine by
 * RMIL_PINS=FOLDER: where FOLDER is empty, the test writes there what was made, `bytes` (SHA-256 of every file) and `pinned.csv`; else
 * it compares the bytes. Before and after a change that must change nothing: RMIL_PINS=/tmp/pins build/tests/test-cli-same */
#include "command.h"
#include "study/studies.h"

#include <math.h>
#include <string.h>

#define SETTINGS                                                                                                                           \
    "--seed", "3", "--epochs", "3", "--warmup", "3", "--learning-rate", "0.002", "--weight-decay", "0.01", "--hidden", "36",               \
        "--rank-sample", "8", "--region-size", "4", "--patch-depth", "2", "--region-depth", "1", "--transmil-heads", "4", "--landmarks",   \
        "6"

/* All methods but those that look at slides, which this cohort of features has not: the first ones, since models come in the same order. */
static const RmilTrainMethod *own_methods(gsize *count) {
    const RmilTrainMethod *methods = rmil_methods(count);
    while (*count && strcmp(methods[*count - 1].model, "patch-cnn") == 0) --*count;
    return methods;
}

static const char plan[] =
    "study: comparison\nmethods: [%s]\nseeds: [3]\nsettings: {epochs: 3, warmup: 3, learning-rate: 0.002, "
    "weight-decay: 0.01, hidden: 36, rank-sample: 8, region-size: 4, patch-depth: 2, region-depth: 1, transmil-heads: 4, landmarks: 6}\n";
static const char *const files[] = {"model.safetensors", "history.csv", "predictions.csv", "localisation.csv"};

static char *root;

static char *method_names(const char *separator) {
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    GString *names = g_string_new(NULL);
    for (gsize i = 0; i < count; i++) g_string_append_printf(names, "%s%s", i ? separator : "", methods[i].name);
    return g_string_free(names, FALSE);
}

/* Once, for all tests: train/METHOD, run/runs/METHOD/3, study. */
static void begin(void) {
    if (root) return;
    root = test_folder();
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    g_auto(Outcome) o = {0};
    g_autofree char *cohort = g_build_filename(studies_cohort(), "cohort.csv", NULL), *commas = method_names(","),
                    *listed = method_names(", ");
    g_autofree char *text = g_strdup_printf(plan, listed), *file = test_file(root, "plan.yaml", text);
    for (gsize i = 0; i < count; i++) {
        g_autofree char *folder = g_build_filename("train", methods[i].name, NULL);
        g_autofree char *option = g_strconcat("--", methods[i].option ? methods[i].option : "threads", NULL);
        command_run(&o, root, "train", cohort, "-o", folder, "--model", methods[i].model, "--guide", rmil_guide_name(methods[i].guide),
                    option, methods[i].option ? methods[i].value : "1", SETTINGS, NULL);
        command_expect(&o, 0, "");
    }
    command_run(&o, root, "run", cohort, "-o", "run", "--methods", commas, "--threads", "2", SETTINGS, NULL);
    command_expect(&o, 0, "");
    command_run(&o, root, "study", "plan.yaml", cohort, "-o", "study", "--threads", "3", NULL);
    command_expect(&o, 0, "");
}

static RmilTable *table_of(const char *method, const char *name) {
    g_autofree char *below = g_build_filename("train", method, name, NULL);
    return test_rows(root, below);
}

static void assert_same_file(const char *one, const char *other) {
    g_autofree char *a = g_canonicalize_filename(one, root), *b = g_canonicalize_filename(other, root);
    g_test_message("%s and %s", one, other);
    test_same_file(a, b);
}

/* -- the three ways ------------------------------------------------------------------------------------------------------------ */
static void test_run(void) {
    begin();
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    for (gsize i = 0; i < count; i++)
        for (gsize f = 0; f < G_N_ELEMENTS(files); f++) {
            g_autofree char *one = g_build_filename("train", methods[i].name, files[f], NULL);
            g_autofree char *other = g_build_filename("run/runs", methods[i].name, "3", files[f], NULL);
            assert_same_file(one, other);
        }
}

/* A number as the tables have it; nothing where it is not finite. */
static void assert_cell(const RmilTable *table, int64_t row, const char *column, double value) {
    g_autofree char *text = isfinite(value) ? g_strdup_printf("%.9g", value) : g_strdup("");
    g_assert_cmpstr(test_cell(table, row, column), ==, text);
}

static void check_epochs(RmilStudy *study, int64_t index, const char *method) {
    g_autoptr(GArray) epochs = rmil_study_epochs(study, index, NULL);
    g_autoptr(RmilTable) table = table_of(method, "history.csv");
    g_assert_cmpint(rmil_table_rows(table), ==, epochs->len);
    for (guint i = 0; i < epochs->len; i++) {
        const RmilEpoch *epoch = &g_array_index(epochs, RmilEpoch, i);
        assert_cell(table, i, "train_loss", epoch->train_loss);
        assert_cell(table, i, "train_slide_loss", epoch->train_slide_loss);
        assert_cell(table, i, "train_guide_loss", epoch->train_guide_loss);
        assert_cell(table, i, "val_loss", epoch->val_loss);
        assert_cell(table, i, "val_auroc", epoch->val_metric);
        assert_cell(table, i, "best", epoch->best);
    }
}

static void check_predictions(RmilStudy *study, int64_t index, const char *method) {
    g_autoptr(GArray) predictions = rmil_study_predictions(study, index, NULL);
    g_autoptr(RmilTable) table = table_of(method, "predictions.csv");
    g_assert_cmpint(rmil_table_rows(table), ==, predictions->len);
    int64_t found = 0;
    for (guint i = 0; i < predictions->len; i++)
        for (int64_t r = 0; r < rmil_table_rows(table); r++) {
            const RmilPredictionRow *prediction = &g_array_index(predictions, RmilPredictionRow, i);
            if (strcmp(test_cell(table, r, "id"), prediction->slide) != 0) continue;
            g_assert_cmpstr(test_cell(table, r, "split"), ==, rmil_split_name(prediction->part));
            assert_cell(table, r, "label", prediction->target.label);
            assert_cell(table, r, "probability", prediction->probability);
            assert_cell(table, r, "logit", prediction->logit);
            found++;
        }
    g_assert_cmpint(found, ==, predictions->len);
}

static void test_study(void) {
    begin();
    g_autofree char *folder = g_build_filename(root, "study", NULL);
    GError *error = NULL;
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    gsize count;
    own_methods(&count);
    g_assert_cmpint(rmil_study_done(study), ==, (int64_t)count);
    for (int64_t i = 0; i < rmil_study_count(study); i++) {
        const RmilStudyRun *run = rmil_study_run(study, i);
        g_autofree char *one = g_build_filename("train", run->method, "model.safetensors", NULL);
        assert_same_file(one, run->model);
        check_epochs(study, i, run->method);
        check_predictions(study, i, run->method);
    }
}

/* -- pinned -------------------------------------------------------------------------------------------------------------------- */
static char *sum_of(const void *data, gsize size) { return g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size); }

static void add_rows(GString *out, const char *method, const char *name, const char *key, const char *const *columns) {
    g_autoptr(RmilTable) table = table_of(method, name);
    for (int64_t r = 0; r < rmil_table_rows(table); r++)
        for (int c = 0; columns[c]; c++)
            g_string_append_printf(out, "%s,%s %s,%s,%s\n", method, key, test_cell(table, r, key), columns[c],
                                   test_cell(table, r, columns[c]));
}

/* What all processors agree on. Of a model file the header: names, shapes and the configuration. */
/* The header of a model file, padded as it is, but for the cut-off and calibration, which follow from predictions and were not there before
 * version 0.2. data: where the tensors begin. */
static char *header_of(const char *model, gsize size, gsize *data) {
    guint64 length;
    memcpy(&length, model, sizeof length);
    length = GUINT64_FROM_LE(length);
    g_assert_cmpuint(length, <, size - sizeof length);
    *data = sizeof length + (gsize)length;
    GString *header = g_string_new_len(model + sizeof length, (gssize)length);
    while (header->len && header->str[header->len - 1] == ' ') g_string_truncate(header, header->len - 1);
    char *decision = strstr(header->str, ",\"decision\":\"");
    if (decision) {
        char *end = decision + strlen(",\"decision\":\"");
        while (*end != '"') end += *end == '\\' ? 2 : 1;
        g_string_erase(header, decision - header->str, end + 1 - decision);
    }
    while (header->len % 8) g_string_append_c(header, ' ');
    return g_string_free(header, FALSE);
}

static char *values_now(void) {
    static const char *const epoch[] = {"train_loss", "train_guide_loss", "val_loss", "val_auroc", "best", NULL};
    static const char *const division[] = {"split", "label", NULL}, *const slide[] = {"logit", NULL};
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    GString *out = g_string_new("method,of,what,value\n");
    for (gsize i = 0; i < count; i++) {
        g_autofree char *path = g_build_filename("train", methods[i].name, "model.safetensors", NULL);
        gsize size, data;
        g_autofree char *model = test_bytes(root, path, &size), *header = header_of(model, size, &data);
        g_autofree char *sum = sum_of(header, strlen(header));
        g_string_append_printf(out, "%s,model file,header,sha256:%s\n", methods[i].name, sum);
        add_rows(out, methods[i].name, "history.csv", "epoch", epoch);
        if (i == 0) add_rows(out, methods[i].name, "predictions.csv", "id", division); /* of no method's choosing */
        add_rows(out, methods[i].name, "predictions.csv", "id", slide);
    }
    return g_string_free(out, FALSE);
}

/* -- classes in words -------------------------------------------------------------------------------------------------------------- */
/* The cohort's table with "normal" and "tumor" for 0 and 1, and whole paths. */
static char *in_words(void) {
    g_autoptr(RmilTable) table = test_rows(studies_cohort(), "cohort.csv");
    RmilCsv *csv = rmil_csv_new("id,features,label,split");
    for (int64_t r = 0; r < rmil_table_rows(table); r++) {
        g_autofree char *features = g_build_filename(studies_cohort(), test_cell(table, r, "features"), NULL);
        const char *label = test_cell(table, r, "label");
        rmil_csv_text(csv, test_cell(table, r, "id"));
        rmil_csv_text(csv, features);
        rmil_csv_text(csv, !*label ? "" : strcmp(label, "0") == 0 ? "normal" : "tumor");
        rmil_csv_text(csv, test_cell(table, r, "split"));
        rmil_csv_end(csv);
    }
    g_autofree char *text = rmil_csv_take(csv);
    return test_file(root, "words.csv", text);
}

/* The bytes of a model's tensors. */
static char *tensors_of(const char *folder, const char *method) {
    g_autofree char *path = g_build_filename(folder, method, "model.safetensors", NULL);
    gsize size, data;
    g_autofree char *bytes = test_bytes(root, path, &size), *header = header_of(bytes, size, &data);
    return sum_of(bytes + data, size - data);
}

static void test_words(void) {
    begin();
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    g_autofree char *cohort = in_words();
    g_auto(Outcome) o = {0};
    for (gsize i = 0; i < count; i++) {
        const char *name = methods[i].name;
        g_autofree char *folder = g_build_filename("words", name, NULL);
        g_autofree char *option = g_strconcat("--", methods[i].option ? methods[i].option : "threads", NULL);
        command_run(&o, root, "train", cohort, "-o", folder, "--model", methods[i].model, "--guide", rmil_guide_name(methods[i].guide),
                    option, methods[i].option ? methods[i].value : "1", SETTINGS, NULL);
        command_expect(&o, 0, "");
        g_assert_nonnull(strstr(o.out, "normal (negative), tumor"));
        g_autofree char *was = tensors_of("train", name), *is = tensors_of("words", name);
        g_assert_cmpstr(was, ==, is);
        for (int f = 1; f < (int)G_N_ELEMENTS(files); f += 2) { /* history.csv, localisation.csv */
            g_autofree char *one = g_build_filename("train", name, files[f], NULL),
                            *other = g_build_filename("words", name, files[f], NULL);
            assert_same_file(one, other);
        }
        g_autofree char *below = g_build_filename("words", name, "predictions.csv", NULL);
        g_autoptr(RmilTable) numbers = table_of(name, "predictions.csv"), words = test_rows(root, below);
        g_assert_cmpint(rmil_table_rows(numbers), ==, rmil_table_rows(words));
        for (int64_t r = 0; r < rmil_table_rows(words); r++) {
            for (gsize c = 0; c < 4; c++) {
                const char *column = ((const char *[]){"id", "split", "probability", "logit"})[c];
                g_assert_cmpstr(test_cell(numbers, r, column), ==, test_cell(words, r, column));
            }
            g_assert_cmpstr(test_cell(words, r, "p_tumor"), ==, test_cell(words, r, "probability"));
        }
    }
}

/* Numbers may differ by what processors differ in. Measured: 1.1e-5 between this build on AVX-512 and one without vector code. */
static gboolean agree(const char *a, const char *b) {
    char *end_a, *end_b;
    double x = g_ascii_strtod(a, &end_a), y = g_ascii_strtod(b, &end_b);
    if (*end_a || *end_b || end_a == a || end_b == b) return strcmp(a, b) == 0;
    return fabs(x - y) <= 1e-4 * MAX(1, fabs(y));
}

static void test_values(void) {
    begin();
    g_autofree char *now = values_now(), *path = g_build_filename(g_getenv("RMIL_SOURCE"), "tests", "cli", "pinned.csv", NULL);
    g_autofree char *mine = test_file(root, "now.csv", now);
    GError *error = NULL;
    g_autoptr(RmilTable) made = rmil_table_read(mine, &error);
    g_assert_no_error(error);
    g_autoptr(RmilTable) pinned = rmil_table_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_table_rows(made), ==, rmil_table_rows(pinned));
    for (int64_t r = 0; r < rmil_table_rows(made); r++) {
        for (int c = 0; c < 3; c++) g_assert_cmpstr(rmil_table_cell(made, r, c), ==, rmil_table_cell(pinned, r, c));
        if (agree(test_cell(made, r, "value"), test_cell(pinned, r, "value"))) continue;
        g_test_message("%s, %s, %s: %s, not %s", test_cell(made, r, "method"), test_cell(made, r, "of"), test_cell(made, r, "what"),
                       test_cell(made, r, "value"), test_cell(pinned, r, "value"));
        g_test_fail();
    }
}

static char *bytes_now(void) {
    gsize count;
    const RmilTrainMethod *methods = own_methods(&count);
    GString *out = g_string_new(NULL);
    for (gsize i = 0; i < count; i++)
        for (gsize f = 0; f < G_N_ELEMENTS(files); f++) {
            g_autofree char *path = g_build_filename("train", methods[i].name, files[f], NULL);
            gsize size, data = 0;
            g_autofree char *bytes = test_bytes(root, path, &size), *sum = NULL;
            if (g_str_has_suffix(path, ".safetensors")) {
                g_autofree char *header = header_of(bytes, size, &data);
                g_autoptr(GString) plain = g_string_new(header);
                g_string_append_len(plain, bytes + data, (gssize)(size - data));
                sum = sum_of(plain->str, plain->len);
            } else {
                sum = sum_of(bytes, size);
            }
            g_string_append_printf(out, "%s  %s\n", sum, path);
        }
    return g_string_free(out, FALSE);
}

static void test_pins(void) {
    const char *folder = g_getenv("RMIL_PINS");
    if (!folder) {
        g_test_skip("RMIL_PINS names no folder of bytes made on this machine");
        return;
    }
    begin();
    g_autofree char *path = g_build_filename(folder, "bytes", NULL), *now = bytes_now(), *pinned = NULL;
    GError *error = NULL;
    if (g_file_get_contents(path, &pinned, NULL, NULL)) {
        g_assert_cmpstr(now, ==, pinned);
        return;
    }
    g_autofree char *values = values_now(), *table = g_build_filename(folder, "pinned.csv", NULL);
    g_assert_true(rmil_file_write(table, values, strlen(values), &error) && rmil_file_write(path, now, strlen(now), &error));
    g_assert_no_error(error);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli-same/run", test_run);
    g_test_add_func("/cli-same/study", test_study);
    g_test_add_func("/cli-same/values", test_values);
    g_test_add_func("/cli-same/words", test_words);
    g_test_add_func("/cli-same/bytes", test_pins);
    const int status = g_test_run();
    g_free(root);
    return status;
}
