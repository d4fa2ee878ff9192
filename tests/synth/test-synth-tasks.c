/* SPDX-License-Identifier: Apache-2.0 */
/* What cohorts of features are for: classes, times, numbers, patients, sites. */
#include "rankmil/bag.h"
#include "rankmil/synth.h"
#include "support.h"

#include <math.h>
#include <string.h>

static RmilSynthFeatureOptions tiny(void) {
    RmilSynthFeatureOptions options;
    rmil_synth_feature_options_init(&options);
    rmil_synth_feature_options_bags(&options, 15);
    options.dim = 24;
    options.scale = 0.02;
    options.threads = 1;
    return options;
}

static double number_at(const RmilTable *table, int64_t row, const char *column) {
    double value;
    GError *error = NULL;
    rmil_table_number(table, row, rmil_table_find(table, column), &value, &error);
    g_assert_no_error(error);
    return value;
}

static RmilTable *write_task(const char *folder, const RmilSynthFeatureOptions *options) {
    GError *error = NULL;
    rmil_synth_features_write(folder, options, NULL, &error);
    g_assert_no_error(error);
    return test_rows(folder, "cohort.csv");
}

static int class_of(const char *name) {
    static const char *const names[] = {"normal", "ductal", "lobular", "mucinous"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return i;
    g_assert_not_reached();
}

/* Mean of the tiles of each subtype's lesions, 24 numbers a row. */
static void subtype_means(const char *folder, const RmilTable *table, double mean[4][24]) {
    double count[4] = {0};
    memset(mean, 0, 4 * sizeof *mean);
    for (int64_t i = 0; i < rmil_table_rows(table); i++) {
        GError *error = NULL;
        g_autofree char *path = g_build_filename(folder, test_cell(table, i, "features"), NULL);
        g_autoptr(RmilBag) bag = rmil_bag_read(path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        const float *x = bag->features;
        int class = class_of(test_cell(table, i, "label"));
        int64_t tumour = 0;
        for (int64_t k = 0; k < bag->count; k++) {
            if (!bag->patch_labels[k]) continue;
            tumour++;
            for (int j = 0; j < 24; j++) mean[class][j] += (double)x[k * 24 + j];
        }
        count[class] += (double)tumour;
        g_assert_cmpint(tumour > 0, ==, class > 0);
    }
    for (int class = 1; class < 4; class ++)
        for (int j = 0; j < 24; j++) mean[class][j] /= count[class];
}

/* Words as labels, in equal parts of both sets, and lesions that lie apart, the farther the lower the difficulty. */
static void test_classes(void) {
    double apart[2] = {1e9, 1e9};
    for (int hard = 0; hard < 2; hard++) {
        g_autofree char *folder = test_folder();
        RmilSynthFeatureOptions options = tiny();
        options.train = 25;
        options.test = 12;
        options.task.classes = 4;
        options.difficulty = hard ? 3 : 0.3;
        g_autoptr(RmilTable) table = write_task(folder, &options);
        int sizes[2][4] = {{0}};
        for (int64_t i = 0; i < 37; i++) sizes[*test_cell(table, i, "split") == 't'][class_of(test_cell(table, i, "label"))]++;
        for (int class = 0; class < 4; class ++) {
            g_assert_cmpint(sizes[0][class], ==, class ? 6 : 7);
            g_assert_cmpint(sizes[1][class], ==, 3);
        }
        g_assert_cmpint(rmil_table_find(table, "patient"), ==, -1);
        double mean[4][24];
        subtype_means(folder, table, mean);
        for (int a = 1; a < 4; a++)
            for (int b = 1; b < a; b++) {
                double sum = 0;
                for (int j = 0; j < 24; j++) sum += pow(mean[a][j] - mean[b][j], 2);
                apart[hard] = MIN(apart[hard], sqrt(sum));
            }
    }
    g_assert_cmpfloat(apart[0], >, 1.5 * apart[1]);
}

/* Harrell's c-index of the true risk over the patients. */
static double oracle(const RmilTable *table) {
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) first = g_array_new(FALSE, FALSE, sizeof(int64_t));
    double pairs = 0, right = 0;
    for (int64_t i = 0; i < rmil_table_rows(table); i++)
        if (g_hash_table_add(seen, (gpointer)test_cell(table, i, "patient"))) g_array_append_val(first, i);
    for (guint a = 0; a < first->len; a++)
        for (guint b = 0; b < first->len; b++) {
            int64_t i = g_array_index(first, int64_t, a), j = g_array_index(first, int64_t, b);
            if (number_at(table, i, "event") < 1 || number_at(table, i, "time") >= number_at(table, j, "time")) continue;
            double more = number_at(table, i, "true_risk") - number_at(table, j, "true_risk");
            pairs++;
            right += more > 0 ? 1 : more == 0 ? 0.5 : 0;
        }
    return right / pairs;
}

/* Risks follow the share of lesion tiles, which a patient's slides have in common; the oracle orders the patients well. */
static void test_survival(void) {
    g_autofree char *folder = test_folder();
    RmilSynthFeatureOptions options = tiny();
    options.train = 160;
    options.test = 80;
    options.scale = 0.01;
    options.dim = 2;
    options.task.target = RMIL_SYNTH_SURVIVAL;
    options.task.patients = 0.25;
    g_autoptr(RmilTable) table = write_task(folder, &options);
    g_autoptr(GHashTable) firsts = g_hash_table_new(g_str_hash, g_str_equal);
    int events = 0, second = 0, without = 0, test = 0;
    double shares[240] = {0}, slides[240] = {0}, risks[240];
    for (int64_t i = 0; i < 240; i++) {
        const char *patient = test_cell(table, i, "patient");
        gpointer before = g_hash_table_lookup(firsts, patient);
        int64_t k = before ? GPOINTER_TO_INT(before) - 1 : i;
        double share = number_at(table, i, "lesion_tiles") / number_at(table, i, "tiles");
        shares[k] += share;
        slides[k]++;
        risks[k] = number_at(table, i, "true_risk");
        without += share == 0;
        events += number_at(table, i, "event") > 0;
        test += *test_cell(table, i, "split") == 't';
        g_assert_cmpfloat(number_at(table, i, "time"), >=, 0.1);
        if (!before) {
            g_hash_table_insert(firsts, (gpointer)patient, GINT_TO_POINTER((int)i + 1));
            continue;
        }
        second++;
        static const char *const same[] = {"time", "event", "true_risk", "split"};
        for (int c = 0; c < 4; c++) g_assert_cmpstr(test_cell(table, i, same[c]), ==, test_cell(table, k, same[c]));
    }
    for (int i = 0; i < 240; i++)
        if (slides[i] > 0) g_assert_cmpfloat(fabs(risks[i] - 5 / 0.6 * shares[i] / slides[i]), <, 1e-5);
    g_assert_cmpint(rmil_table_find(table, "label"), ==, -1);
    g_assert_cmpint(test, ==, 80);
    g_assert_cmpint(without, ==, 32 + 16);
    g_assert_cmpint(second, >=, 46); /* 240 slides of 192 patients */
    g_assert_cmpint(second, <=, 50);
    g_assert_cmpint(events, >, 240 * 6 / 10);
    g_assert_cmpint(events, <, 240 * 8 / 10);
    g_assert_cmpfloat(oracle(table), >, 0.75);
}

/* The number grows with the share of lesion tiles: ten for the largest, with noise of SD 0.5. */
static void test_number(void) {
    g_autofree char *folder = test_folder();
    RmilSynthFeatureOptions options = tiny();
    options.train = 100;
    options.test = 0;
    options.scale = 0.01;
    options.dim = 2;
    options.task.target = RMIL_SYNTH_NUMBER;
    g_autoptr(RmilTable) table = write_task(folder, &options);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < 100; i++) {
        double noise = number_at(table, i, "value") - 10 / 0.6 * number_at(table, i, "lesion_tiles") / number_at(table, i, "tiles");
        sum += noise;
        squares += noise * noise;
    }
    g_assert_cmpfloat(fabs(sum / 100), <, 0.2);
    g_assert_cmpfloat(fabs(sqrt(squares / 100) - 0.5), <, 0.12);
    g_assert_cmpint(rmil_table_find(table, "time"), ==, -1);
}

/* A site is never in both sets, a patient never at two, and every site has every class. */
static void test_sites(void) {
    g_autofree char *folder = test_folder();
    RmilSynthFeatureOptions options = tiny();
    options.train = 40;
    options.test = 20;
    options.scale = 0.01;
    options.dim = 2;
    options.task = (RmilSynthTask){.classes = 3, .patients = 0.3, .sites = 5};
    g_autoptr(RmilTable) table = write_task(folder, &options);
    g_autoptr(GHashTable) of_patient = g_hash_table_new(g_str_hash, g_str_equal);
    int seen[6][2][3] = {{{0}}};
    for (int64_t i = 0; i < 60; i++) {
        const char *site = test_cell(table, i, "site"), *patient = test_cell(table, i, "patient");
        g_assert_true(g_str_has_prefix(site, "site_"));
        const char *before = g_hash_table_lookup(of_patient, patient);
        g_assert_true(!before || strcmp(before, site) == 0);
        g_hash_table_insert(of_patient, (gpointer)patient, (gpointer)site);
        seen[site[5] - '0'][*test_cell(table, i, "split") == 't'][class_of(test_cell(table, i, "label"))]++;
    }
    for (int site = 1; site <= 5; site++)
        for (int class = 0; class < 3; class ++) {
            g_assert_cmpint(seen[site][site <= 2][class], >, 1);
            g_assert_cmpint(seen[site][site > 2][class], ==, 0);
        }
    g_assert_cmpuint(g_hash_table_size(of_patient), <, 50);
}

/* One site more moves the features of its slides, and files made otherwise are refused. */
static void test_task_identity(void) {
    g_autofree char *plain = test_folder(), *sited = test_folder();
    RmilSynthFeatureOptions options = tiny();
    GError *error = NULL;
    g_assert_true(rmil_synth_features_write(plain, &options, NULL, &error));
    options.task.sites = 1;
    options.threads = 3;
    g_assert_true(rmil_synth_features_write(sited, &options, NULL, &error));
    g_assert_no_error(error);
    g_autofree char *a = g_build_filename(plain, "features/train_001.h5", NULL),
                    *b = g_build_filename(sited, "features/train_001.h5", NULL);
    g_autoptr(RmilBag) one = rmil_bag_read(a, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_autoptr(RmilBag) other = rmil_bag_read(b, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(one->count, ==, other->count);
    double moved = 0;
    for (int64_t i = 0; i < one->count * one->dim; i++)
        moved += fabs((double)(((float *)one->features)[i] - ((float *)other->features)[i]));
    g_assert_cmpfloat(moved / (double)(one->count * one->dim), >, 0.02);
    options.task = (RmilSynthTask){.classes = 3, .patients = RMIL_SYNTH_PATIENTS_USUAL};
    g_assert_false(rmil_synth_features_write(sited, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "train_001.h5: already exists but was made with other options (");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/synth/tasks/classes", test_classes);
    g_test_add_func("/synth/tasks/survival", test_survival);
    g_test_add_func("/synth/tasks/number", test_number);
    g_test_add_func("/synth/tasks/sites", test_sites);
    g_test_add_func("/synth/tasks/identity", test_task_identity);
    return g_test_run();
}
