/* SPDX-License-Identifier: Apache-2.0 */
/* Splits. */
#include "rankmil/cohort.h"
#include "support.h"

#include <string.h>

static RmilCohort *cohort_of(const char *text) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "cohort.csv", text);
    GError *error = NULL;
    RmilCohort *cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    return cohort;
}

/* n slides, labels by turns as the weights say, `per` slides a patient (0: no patients) */
static RmilCohort *made(int n, const char *labels, int per) {
    g_autoptr(GString) text = g_string_new("slide,label,patient\n");
    for (int i = 0; i < n; i++) {
        g_string_append_printf(text, "s%03d.svs,%c,", i, labels[(gsize)i % strlen(labels)]);
        if (per) g_string_append_printf(text, "p%d", i / per);
        g_string_append_c(text, '\n');
    }
    return cohort_of(text->str);
}

static int64_t count(const RmilCohort *cohort, const RmilSplit *splits, RmilSplit set, int label) {
    int64_t n = 0;
    for (int64_t i = 0; i < cohort->count; i++) n += splits[i] == set && (label < 0 || cohort->rows[i].target.label == label);
    return n;
}

static gboolean draw(const RmilCohort *cohort, uint64_t seed, RmilSplit *splits, GError **error) {
    RmilSplitOptions options;
    rmil_split_options_init(&options);
    options.seed = seed;
    return rmil_split_draw(cohort, &options, splits, error);
}

static void test_shares(void) {
    g_autoptr(RmilCohort) cohort = made(100, "0010", 0);
    RmilSplit a[100], b[100];
    GError *error = NULL;
    g_assert_true(draw(cohort, 1, a, &error));
    g_assert_no_error(error);
    g_assert_cmpint(count(cohort, a, RMIL_SPLIT_TEST, 0), ==, 15);
    g_assert_cmpint(count(cohort, a, RMIL_SPLIT_TEST, 1), ==, 5);
    g_assert_cmpint(count(cohort, a, RMIL_SPLIT_VAL, 0), ==, 12);
    g_assert_cmpint(count(cohort, a, RMIL_SPLIT_VAL, 1), ==, 4);
    g_assert_cmpint(count(cohort, a, RMIL_SPLIT_TRAIN, -1), ==, 64);
    g_assert_true(draw(cohort, 1, b, &error));
    g_assert_true(memcmp(a, b, sizeof a) == 0);
    g_assert_true(draw(cohort, 2, b, &error));
    int same_val = 0;
    for (int i = 0; i < 100; i++) {
        g_assert_cmpint(a[i] == RMIL_SPLIT_TEST, ==, b[i] == RMIL_SPLIT_TEST); /* the test set does not change */
        same_val += a[i] == RMIL_SPLIT_VAL && b[i] == RMIL_SPLIT_VAL;
    }
    g_assert_cmpint(same_val, <, 12);
}

static void test_row_order(void) {
    g_autoptr(RmilCohort) forward = cohort_of("slide,label\na.svs,0\nb.svs,0\nc.svs,0\nd.svs,1\ne.svs,1\nf.svs,1\n");
    g_autoptr(RmilCohort) back = cohort_of("slide,label\nf.svs,1\ne.svs,1\nd.svs,1\nc.svs,0\nb.svs,0\na.svs,0\n");
    RmilSplit a[6], b[6];
    GError *error = NULL;
    g_assert_true(draw(forward, 5, a, &error) && draw(back, 5, b, &error));
    for (int i = 0; i < 6; i++) g_assert_cmpint(a[i], ==, b[5 - i]);
}

static void check_patients(const RmilCohort *cohort, const RmilSplit *splits) {
    for (int64_t i = 0; i < cohort->count; i++)
        for (int64_t j = 0; j < i; j++)
            if (g_strcmp0(cohort->rows[i].patient, cohort->rows[j].patient) == 0) g_assert_cmpint(splits[i], ==, splits[j]);
}

static void test_patients(void) {
    for (int per = 2; per <= 5; per++) {
        g_autoptr(RmilCohort) cohort = made(120, "001101", per);
        RmilSplit splits[120];
        GError *error = NULL;
        g_autofree int *vals = g_new0(int, 120);
        for (uint64_t seed = 0; seed < 20; seed++) {
            g_assert_true(draw(cohort, seed, splits, &error));
            g_assert_no_error(error);
            check_patients(cohort, splits);
            g_assert_cmpint(ABS(count(cohort, splits, RMIL_SPLIT_TEST, -1) - 24), <=, per);
            g_assert_cmpint(ABS(count(cohort, splits, RMIL_SPLIT_VAL, -1) - 19), <=, per);
            for (int i = 0; i < 120; i++) vals[i] += splits[i] == RMIL_SPLIT_VAL;
        }
        for (int i = 0; i < 120; i++) g_assert_cmpint(vals[i], <, 16); /* nobody is always chosen */
    }
}

static void test_given(void) {
    g_autoptr(RmilCohort) cohort = cohort_of("slide,label,split,patient\n"
                                             "a.svs,0,test,p\nb.svs,1,test,\nc.svs,0,,p\nd.svs,0,,\ne.svs,1,,\nf.svs,0,,\n"
                                             "g.svs,1,,\nh.svs,,,\ni.svs,,train,\nj.svs,1,train,\n");
    RmilSplit splits[10];
    GError *error = NULL;
    for (uint64_t seed = 0; seed < 10; seed++) {
        g_assert_true(draw(cohort, seed, splits, &error));
        g_assert_no_error(error);
        g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_TEST, -1), ==, 3); /* a, b, and c with its patient */
        g_assert_cmpint(splits[2], ==, RMIL_SPLIT_TEST);
        g_assert_cmpint(splits[7], ==, RMIL_SPLIT_NONE);
        g_assert_cmpint(splits[8], ==, RMIL_SPLIT_NONE);
        g_assert_cmpint(splits[9], ==, RMIL_SPLIT_TRAIN);
        g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_VAL, -1), ==, 2);
    }
    g_autoptr(RmilCohort) val = cohort_of("slide,label,split\na.svs,0,val\nb.svs,1,val\nc.svs,0,test\nd.svs,1,test\ne.svs,0,\nf.svs,1,\n");
    g_assert_true(draw(val, 0, splits, &error)); /* both sets are named: the rest is for training */
    g_assert_cmpint(count(val, splits, RMIL_SPLIT_TRAIN, -1), ==, 2);
}

static void test_tiny(void) {
    RmilSplit splits[12];
    GError *error = NULL;
    for (uint64_t seed = 0; seed < 10; seed++) {
        g_autoptr(RmilCohort) six = made(6, "01", 0), three = made(9, "210", 0), lopsided = made(12, "100010000010", 0);
        const RmilCohort *cohorts[] = {six, three, lopsided};
        for (int k = 0; k < 3; k++) {
            g_assert_true(draw(cohorts[k], seed, splits, &error));
            g_assert_no_error(error);
            for (int set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_TEST; set++)
                for (int label = 0; label < (k == 1 ? 3 : 2); label++)
                    g_assert_cmpint(count(cohorts[k], splits, (RmilSplit)set, label), >=, 1);
        }
    }
}

/* Two patients with the rare class: it is in training and test, and validation makes do with the other. */
static void test_rare(void) {
    g_autoptr(RmilCohort) cohort = cohort_of("slide,label,patient\na.tif,0,p\nb.tif,1,p\nc.tif,1,p\nd.tif,0,q\ne.tif,1,q\nf.tif,1,q\n"
                                             "g.tif,0,r\nh.tif,0,r\n");
    RmilSplit splits[18];
    GError *error = NULL;
    for (uint64_t seed = 0; seed < 10; seed++) {
        g_assert_true(draw(cohort, seed, splits, &error));
        g_assert_no_error(error);
        for (int label = 0; label < 2; label++) {
            g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_TRAIN, label), >=, 1);
            g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_TEST, label), >=, 1);
        }
        g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_VAL, 0), ==, 2);
        g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_VAL, 1), ==, 0);
    }
    /* the patient without the rare class is the largest: it must not fill the test set */
    g_autoptr(GString) text = g_string_new("slide,label,patient\n");
    for (int i = 0; i < 18; i++) g_string_append_printf(text, "%02d.tif,%d,%c\n", i, i < 12 ? i / 3 % 2 : 0, 'p' + i / 6);
    g_autoptr(RmilCohort) large = cohort_of(text->str);
    for (uint64_t seed = 0; seed < 10; seed++) {
        g_assert_true(draw(large, seed, splits, &error));
        g_assert_no_error(error);
        g_assert_cmpint(count(large, splits, RMIL_SPLIT_TEST, 1), ==, 3);
        g_assert_cmpint(count(large, splits, RMIL_SPLIT_TRAIN, 1), ==, 3);
        g_assert_cmpint(count(large, splits, RMIL_SPLIT_VAL, 0), ==, 6);
    }
}

static void test_impossible(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"slide,label\na.svs,1\nb.svs,1\n", "cohort.csv: every labelled slide has label 1"},
        {"slide,label\na.svs,\nb.svs,\n", "cohort.csv: no slide has a label"},
        {"slide,label\na.svs,0\nb.svs,0\nc.svs,0\nd.svs,1\n", "no slide with label 1 (the cohort has 1 such slide; "},
        {"slide,label\na.svs,0\nb.svs,0\nc.svs,1\nd.svs,1\n", "the validation set would have no slide"},
        {"slide,label,patient\na.svs,0,\nb.svs,0,\nc.svs,0,\nd.svs,1,p\ne.svs,1,p\nf.svs,1,p\n", "no slide with label 1"},
        {"slide,label,split\na.svs,0,train\nb.svs,1,train\nc.svs,0,test\nd.svs,1,test\n",
         "the validation set would have no slide with label 0 (the cohort has 2 such slides; every set needs one, and patients are "
         "never divided); leave `split` empty for slides that may go into it"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RmilCohort) cohort = cohort_of(cases[i].text);
        RmilSplit splits[8];
        GError *error = NULL;
        g_assert_false(draw(cohort, 0, splits, &error));
        test_error(&error, RMIL_ERROR_DATA, cases[i].message);
    }
    g_autoptr(RmilCohort) cohort = made(20, "01", 0);
    RmilSplitOptions options = {.test = 1, .val = 0.2};
    RmilSplit splits[20];
    GError *error = NULL;
    g_assert_false(rmil_split_draw(cohort, &options, splits, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "the shares of test (1)");
    options = (RmilSplitOptions){.test = 0, .val = 0};
    g_assert_true(rmil_split_draw(cohort, &options, splits, &error));
    g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_TRAIN, -1), ==, 20);
}

static void test_table(void) {
    g_autoptr(RmilCohort) cohort = cohort_of(
        "slide,label,patient\na.svs,0,\nb.svs,1,\nc.svs,0,\nd.svs,1,\ne.svs,0,p\nf.svs,1,p\ng.svs,1,\nh.svs,,\n");
    g_autofree char *folder = test_folder();
    g_autofree char *path = test_file(folder, "splits.csv",
                                      "one,id,two\ntest,f,train\nval,b,test\ntest,e,train\ntrain,d,\nval,a,test\ntrain,c,val\n,g,val\n");
    GError *error = NULL;
    g_autoptr(RmilSplitTable) table = rmil_split_table_read(path, cohort, &error);
    g_assert_no_error(error);
    g_assert_cmpint(table->count, ==, 2);
    g_assert_cmpint(table->rows, ==, 8);
    g_assert_cmpstr(table->names[0], ==, "one");
    g_assert_cmpstr(table->names[1], ==, "two");
    const RmilSplit expected[16] = {2, 2, 1, 1, 3, 3, 0, 0, 3, 3, 2, 0, 1, 1, 2, 0};
    for (int i = 0; i < 16; i++) g_assert_cmpint(table->splits[i], ==, expected[i]);
    const struct {
        const char *text, *message;
    } cases[] = {{"id,one\n", "bad.csv: has a header but no rows"},
                 {"id\na\n", "line 1: a column id and at least one column with a split are needed"},
                 {"name,one\na,test\n", "line 1: a column id and at least one column with a split are needed"},
                 {"id,one\na,test\nx,test\n", "line 3: id \"x\" is not in"},
                 {"id,one\na,test\na,test\n", "line 3: id \"a\" is already on line 2"},
                 {"id,one\na,dev\n", "line 2: one \"dev\" is not train, val, test or empty"},
                 {"id,one\ne,train\nf,test\n", "column one: patient \"p\" is in two sets, train and test"},
                 {"id,one\nh,train\n", "column one: slide \"h\" is in a set but has no label"},
                 {"id,one\na,train\nb,train\nc,val\nd,val\ne,test\n", "column one: the test set would have no slide with label 1"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *bad = test_file(folder, "bad.csv", cases[i].text);
        g_assert_null(rmil_split_table_read(bad, cohort, &error));
        test_error(&error, i < 6 ? RMIL_ERROR_FORMAT : RMIL_ERROR_DATA, cases[i].message);
    }
    /* a slide that was left out may be named; its cells are still read */
    static const char *const left_out[] = {"x", NULL};
    cohort->left_out = g_strdupv((char **)left_out);
    g_autofree char *named = test_file(folder, "named.csv", "id,one\nx,test\na,train\nb,train\nc,val\nd,val\ne,test\nf,test\n");
    g_autoptr(RmilSplitTable) rest = rmil_split_table_read(named, cohort, &error);
    g_assert_no_error(error);
    const RmilSplit without[8] = {1, 1, 2, 2, 3, 3, 0, 0};
    for (int i = 0; i < 8; i++) g_assert_cmpint(rest->splits[i], ==, without[i]);
    g_autofree char *wrong = test_file(folder, "wrong.csv", "id,one\nx,dev\na,train\n");
    g_assert_null(rmil_split_table_read(wrong, cohort, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 2: one \"dev\" is not train");
}

static void test_real(void) {
    g_autofree char *path = test_shared("data/colon_nuclei/cohort.csv");
    if (!path) return;
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    for (int n = 12; n <= 36; n += 24) {
        g_autofree char *name = g_strdup_printf("data/colon_nuclei/splits_%d.csv", n), *file = test_shared(name);
        g_autoptr(RmilSplitTable) table = rmil_split_table_read(file, cohort, &error);
        g_assert_no_error(error);
        g_assert_cmpint(table->count, ==, 10);
        for (int64_t j = 0; j < table->count; j++) {
            const RmilSplit *splits = table->splits + j * table->rows;
            g_assert_cmpint(count(cohort, splits, RMIL_SPLIT_TRAIN, -1) + count(cohort, splits, RMIL_SPLIT_VAL, -1), ==, n);
        }
    }
}

/* A folder of CLAM's. */
static void test_clam(void) {
    g_autoptr(RmilCohort) cohort = cohort_of("slide,label,patient\na.svs,0,\nb.svs,1,\nc.svs,0,\nd.svs,1,\ne.svs,0,\nf.svs,1,\ng.svs,1,\n");
    g_autofree char *folder = test_folder();
    g_free(test_file(folder, "splits_10.csv", ",train,val,test\n0,a,c,e\n1,b,d,f\n2,g,,\n"));
    g_free(test_file(folder, "splits_2.csv", ",train,val,test\n0,e,c,a\n1,f,d,b\n"));
    g_free(test_file(folder, "splits_2_bool.csv", ",train,val,test\nx,True,False,False\n")); /* the other is there */
    g_free(test_file(folder, "splits_3_bool.csv",
                     ",train,val,test\na,True,False,False\nb,True,False,False\nc,False,True,False\nd,False,True,False\n"
                     "e,False,False,True\nf,False,False,True\ng,False,False,False\n"));
    g_free(test_file(folder, "splits_3_descriptor.csv", ",train,val,test\n0,1,1,1\n"));
    GError *error = NULL;
    g_autoptr(GArray) repeats = rmil_repeats_read(cohort, folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(repeats->len, ==, 3);
    static const int64_t seeds[] = {2, 3, 10};
    static const char *const names[] = {"fold-2", "fold-3", "fold-10"};
    const RmilSplit expected[3][7] = {{3, 3, 2, 2, 1, 1, 0}, {1, 1, 2, 2, 3, 3, 0}, {1, 1, 2, 2, 3, 3, 1}};
    for (guint r = 0; r < 3; r++) {
        const RmilRepeat *repeat = &g_array_index(repeats, RmilRepeat, r);
        g_assert_cmpstr(repeat->name, ==, names[r]);
        g_assert_cmpint(repeat->seed, ==, seeds[r]);
        for (int i = 0; i < 7; i++) g_assert_cmpint(repeat->splits[i], ==, expected[r][i]);
    }
}

static void test_bad_clam(void) {
    g_autoptr(RmilCohort) cohort = cohort_of("slide,label,patient\na.svs,0,\nb.svs,1,\nc.svs,0,\nd.svs,1,p\ne.svs,0,\nf.svs,1,p\n");
    const struct {
        const char *name, *text, *message;
        RmilErrorCode code;
    } cases[] = {
        {"splits_0.csv", ",train,val,test\n0,a,c,e\n1,b,x,f\n", "splits_0.csv: line 3: slide \"x\" is not in ", RMIL_ERROR_FORMAT},
        {"splits_0.csv", ",train,val,test\n0,a,c,e\n1,b,a,f\n", "splits_0.csv: line 3: slide \"a\" is already on line 2",
         RMIL_ERROR_FORMAT},
        {"splits_0.csv", ",train,val\n0,a,c\n", "splits_0.csv: line 1: CLAM's splits have the columns train, val and test",
         RMIL_ERROR_FORMAT},
        {"splits_0.csv", ",train,val,test\n0,a,c,e\n1,b,d,f\n", "splits_0.csv: patient \"p\" is in two sets, val and test",
         RMIL_ERROR_DATA},
        {"splits_0.csv", ",train,val,test\n0,a,c,e\n1,b,,\n", "splits_0.csv: the validation set would have no slide with label 1",
         RMIL_ERROR_DATA},
        {"splits_0_bool.csv", ",train,val,test\na,True,True,False\n", "line 2: slide \"a\" is in two sets, train and val",
         RMIL_ERROR_FORMAT},
        {"splits_0_bool.csv", ",train,val,test\na,yes,no,no\n", "line 2: train \"yes\" is neither True nor False", RMIL_ERROR_FORMAT},
        {"other.csv", ",train,val,test\n0,a,c,e\n", "contains no splits: CLAM names them splits_0.csv, splits_1.csv …", RMIL_ERROR_FORMAT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *folder = test_folder();
        g_free(test_file(folder, cases[i].name, cases[i].text));
        GError *error = NULL;
        g_assert_null(rmil_split_table_read(folder, cohort, &error));
        test_error(&error, cases[i].code, cases[i].message);
    }
}

/* Three classes, events and thirds of numbers: alike in all sets. */
static void test_strata(void) {
    g_autoptr(GString) classes = g_string_new("slide,label\n"), times = g_string_new("slide,time,event\n"),
                       values = g_string_new("slide,value\n");
    for (int i = 0; i < 100; i++) {
        g_string_append_printf(classes, "%02d.svs,%s\n", i, i % 10 < 5 ? "LUAD" : i % 10 < 8 ? "LUSC" : "normal");
        g_string_append_printf(times, "%02d.svs,%d,%d\n", i, 1 + i * 7 % 100, i % 10 < 3);
        g_string_append_printf(values, "%02d.svs,%d\n", i, i * 37 % 100);
    }
    const char *const texts[] = {classes->str, times->str, values->str};
    RmilSplit splits[100];
    GError *error = NULL;
    for (int t = 0; t < 3; t++) {
        g_autoptr(RmilCohort) cohort = cohort_of(texts[t]);
        for (uint64_t seed = 0; seed < 5; seed++) {
            int64_t all[2] = {0}, rare[2] = {0}; /* of validation and test; of them: normal, events, lowest third */
            g_assert_true(draw(cohort, seed, splits, &error));
            g_assert_no_error(error);
            for (int i = 0; i < 100; i++) {
                const RmilTarget *target = &cohort->rows[i].target;
                if (splits[i] < RMIL_SPLIT_VAL) continue;
                all[splits[i] - RMIL_SPLIT_VAL]++;
                rare[splits[i] - RMIL_SPLIT_VAL] += t == 0 ? target->label == 0 : t == 1 ? target->event : target->value < 33;
            }
            g_assert_cmpint(all[0], ==, 16);
            g_assert_cmpint(all[1], ==, 20);
            static const int64_t in_val[] = {3, 5, 5}, in_test[] = {4, 6, 7}; /* shares 0.2, 0.3 and 0.33 */
            g_assert_cmpint(ABS(rare[0] - in_val[t]), <=, 1);
            g_assert_cmpint(ABS(rare[1] - in_test[t]), <=, 1);
        }
    }
    g_autoptr(RmilCohort) one = cohort_of("slide,label\na.svs,a\nb.svs,a\nc.svs,a\nd.svs,b\ne.svs,b\nf.svs,b\ng.svs,c\nh.svs,c\n");
    g_autofree char *folder = test_folder(),
                    *path = test_file(folder, "splits.csv", "id,one\na,train\nb,val\nc,test\nd,train\ne,val\nf,test\ng,test\nh,val\n");
    g_assert_null(rmil_split_table_read(path, one, &error));
    test_error(&error, RMIL_ERROR_DATA,
               "splits.csv: column one: the training set would have no slide with class \"c\" (the cohort has 2 such slides");
    g_autoptr(RmilCohort) times_few = cohort_of("slide,time,event\na.svs,1,1\nb.svs,2,0\nc.svs,3,0\n");
    g_autofree char *three = test_file(folder, "three.csv", "id,one\na,train\nb,val\nc,test\n");
    g_assert_null(rmil_split_table_read(three, times_few, &error));
    test_error(&error, RMIL_ERROR_DATA, "the validation set would have no slide with an event (the cohort has 1 such slide");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/split/shares", test_shares);
    g_test_add_func("/split/row-order", test_row_order);
    g_test_add_func("/split/patients", test_patients);
    g_test_add_func("/split/given", test_given);
    g_test_add_func("/split/tiny", test_tiny);
    g_test_add_func("/split/rare", test_rare);
    g_test_add_func("/split/impossible", test_impossible);
    g_test_add_func("/split/table", test_table);
    g_test_add_func("/split/real", test_real);
    g_test_add_func("/split/clam", test_clam);
    g_test_add_func("/split/bad-clam", test_bad_clam);
    g_test_add_func("/split/strata", test_strata);
    return g_test_run();
}
