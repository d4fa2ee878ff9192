#include "rankmil/bag.h"
#include "support.h"

static void test_read(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *path = test_file(folder, "cohort.csv",
                                      "slide,features,id,label,split,annotation,patient,mpp,site\n"
                                      "a/one.v2.svs,,,0,train,one.xml,p1,,north\n"
                                      ",/abs/two.h5,,1,,,p1,0.25,south\n"
                                      "three.tif,,third,,test,,,,\n");
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 3);
    const RmilCohortRow *rows = cohort->rows;
    g_autofree char *slide = g_build_filename(folder, "a/one.v2.svs", NULL), *xml = g_build_filename(folder, "one.xml", NULL);
    g_assert_cmpstr(rows[0].id, ==, "one.v2");
    g_assert_cmpstr(rows[0].slide, ==, slide);
    g_assert_null(rows[0].features);
    g_assert_cmpstr(rows[0].annotation, ==, xml);
    g_assert_cmpint(rows[0].label, ==, 0);
    g_assert_cmpint(rows[0].split, ==, RMIL_SPLIT_TRAIN);
    g_assert_cmpfloat(rows[0].mpp, ==, 0);
    g_assert_cmpint(rows[0].line, ==, 2);
    g_assert_cmpstr(rows[1].id, ==, "two");
    g_assert_cmpstr(rows[1].features, ==, "/abs/two.h5");
    g_assert_cmpstr(rows[1].patient, ==, "p1");
    g_assert_cmpint(rows[1].split, ==, RMIL_SPLIT_NONE);
    g_assert_cmpfloat(rows[1].mpp, ==, 0.25);
    g_assert_cmpstr(rows[2].id, ==, "third");
    g_assert_cmpint(rows[2].label, ==, -1);
    g_assert_null(rows[2].patient);
    g_assert_cmpint(rows[2].split, ==, RMIL_SPLIT_TEST);
    g_assert_cmpstr(rmil_table_cell(cohort->table, 1, rmil_table_find(cohort->table, "site")), ==, "south");
    g_assert_cmpstr(rmil_split_name(RMIL_SPLIT_VAL), ==, "val");
}

static void test_bad(void) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"", "cohort.csv: is empty"},
        {"slide,label\n", "cohort.csv: has a header but no rows"},
        {"id,label\na,1\n", "line 1: there is no column named slide or features"},
        {"slide,label\na.svs,0\nb.svs,maybe\n", "cohort.csv: line 3: label \"maybe\" is not a class"},
        {"slide,label\na.svs,-1\n", "line 2: label \"-1\""},
        {"slide,label\na.svs,0.5\n", "line 2: label \"0.5\""},
        {"slide,label\na.svs,1000000\n", "line 2: label \"1000000\""},
        {"slide,id\na.svs,x\nb.svs,y\nc.svs,x\n", "line 4: id \"x\" stands in line 2 already"},
        {"slide\na/x.svs\nb/x.tif\n", "line 3: id \"x\" stands in line 2 already"},
        {"slide,id\na.svs,x/y\n", "line 2: id \"x/y\" cannot name files"},
        {"slide,id\na.svs,..\n", "line 2: id \"..\" cannot name files"},
        {"slide,features\na.svs,\n,\n", "line 3: slide and features is empty"},
        {"slide,label\n,1\n", "line 2: slide is empty"},
        {"slide,split\na.svs,training\n", "line 2: split \"training\" is not train, val, test or empty"},
        {"slide,mpp\na.svs,0\n", "line 2: mpp \"0\" is not a number of µm per pixel"},
        {"slide,mpp\na.svs,20x\n", "line 2: mpp \"20x\" is not a number"},
        {"slide,patient,split\na.svs,p,train\nb.svs,p,\nc.svs,p,test\n",
         "line 4: split puts patient \"p\" into test, line 2 into train"},
        {"slide,label\na.svs\n", "line 2 has 1 fields"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "cohort.csv", cases[i].text);
        GError *error = NULL;
        g_assert_null(rmil_cohort_read(path, &error));
        test_error(&error, RMIL_ERROR_FORMAT, cases[i].message);
    }
    GError *error = NULL;
    g_assert_null(rmil_cohort_read("/nowhere/cohort.csv", &error));
    test_error(&error, RMIL_ERROR_IO, "/nowhere/cohort.csv: cannot be opened: No such file");
}

static void test_real(void) {
    g_autofree char *path = test_shared("data/colon_nuclei/cohort.csv");
    if (!path) return;
    GError *error = NULL;
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 60);
    for (int64_t i = 0; i < cohort->count; i++) {
        g_autoptr(RmilBag) bag = rmil_bag_read(cohort->rows[i].features, cohort->rows[i].id, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
        g_assert_no_error(error);
        g_assert_cmpint(bag->dim, ==, 1024);
        g_assert_nonnull(bag->patch_labels);
        g_assert_cmpfloat(bag->patch_size_level0, ==, 27);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cohort/read", test_read);
    g_test_add_func("/cohort/bad", test_bad);
    g_test_add_func("/cohort/real", test_real);
    return g_test_run();
}
