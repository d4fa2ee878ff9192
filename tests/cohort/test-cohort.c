/* SPDX-License-Identifier: Apache-2.0 */
/* The cohort's table. */
#include "rankmil/cohort.h"
#include "support.h"

#include <string.h>

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
    g_assert_cmpint(rows[0].target.label, ==, 0);
    g_assert_cmpint(rows[0].split, ==, RMIL_SPLIT_TRAIN);
    g_assert_cmpfloat(rows[0].mpp, ==, 0);
    g_assert_cmpint(rows[0].line, ==, 2);
    g_assert_cmpstr(rows[1].id, ==, "two");
    g_assert_cmpstr(rows[1].features, ==, "/abs/two.h5");
    g_assert_cmpstr(rows[1].patient, ==, "p1");
    g_assert_cmpint(rows[1].split, ==, RMIL_SPLIT_NONE);
    g_assert_cmpfloat(rows[1].mpp, ==, 0.25);
    g_assert_cmpstr(rows[2].id, ==, "third");
    g_assert_cmpint(rows[2].target.label, ==, -1);
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
        {"id,label\na,1\n", "line 1: there is no column named slide or features: the columns are \"id\", \"label\""},
        {"Slide,SLIDE\na,b\n", "line 1: the columns \"Slide\" and \"SLIDE\" could both be slide"},
        {"slide,Patient,Split\na.svs,p,train\nb.svs,p,test\n", "line 3: split puts patient \"p\" into test, line 2 into train"},
        {"slide,label\na.svs,1.5\n", "line 2: label \"1.5\""},
        {"slide,label\na.svs,0\nb.svs,maybe\n", "cohort.csv: line 3: label is \"maybe\", but on line 2 it is \"0\": write all "
                                                "classes as words"},
        {"slide,label\na.svs,-1\n", "line 2: label \"-1\""},
        {"slide,label\na.svs,0.5\n", "line 2: label \"0.5\""},
        {"slide,label\na.svs,1234567890123456\n", "line 2: label \"1234567890123456\" is not a class"},
        {"slide,id\na.svs,x\nb.svs,y\nc.svs,x\n", "line 4: id \"x\" is already on line 2"},
        {"slide\na/x.svs\nb/x.tif\n", "line 3: id \"x\" is already on line 2"},
        {"slide,id\na.svs,x/y\n", "line 2: id \"x/y\" cannot be used as a file name: use no slashes"},
        {"slide,id\na.svs,..\n", "line 2: id \"..\" cannot be used as a file name: use no slashes"},
        {"slide,features,label\na.svs,,\n,,1\n", "line 3: slide and features is empty"},
        {"slide,label\n,1\n", "line 2: slide is empty"},
        {"slide,split\na.svs,training\n", "line 2: split \"training\" is not train, val, test or empty"},
        {"slide,mpp\na.svs,0\n", "line 2: mpp \"0\" is not a number of µm per pixel"},
        {"slide,mpp\na.svs,20x\n", "line 2: mpp \"20x\" is not a number"},
        {"slide,patient,split\na.svs,p,train\nb.svs,p,\nc.svs,p,test\n", "line 4: split puts patient \"p\" into test, line 2 into train"},
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

static void keep_warning(gpointer user, const char *message) {
    char **said = user;
    g_free(*said);
    *said = g_strdup(message);
}

static RmilCohort *read_text(const char *text) {
    static char *folder;
    if (!folder) folder = test_folder();
    g_autofree char *path = test_file(folder, "cohort.csv", text);
    GError *error = NULL;
    RmilCohort *cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    return cohort;
}

/* Names that differ in case and the like are taken; what comes near is said, and not taken; others are nobody's business. */
static void test_columns(void) {
    const struct {
        const char *header;
        const char *warnings[3];
    } cases[] = {
        {"slide,label,patient,site,Note", {NULL}},
        {"Slide,LABEL, Patient ,x,y",
         {"column \"Slide\" is taken as slide", "column \"LABEL\" is taken as label", "column \"Patient\" is taken as patient"}},
        {"slide,label,Patient ID,x,", {"column \"Patient ID\" is taken as patient"}},
        {"slide,label,patient,PATIENT,x", {"column \"PATIENT\" is not used, because there is a column patient"}},
        {"slide,label,case_id,x,x2", {"column \"case_id\" is not used: if it means the same as patient, rename it to patient"}},
        {"slide,lable,Patients,spilt,x",
         {"\"lable\" is not used: if it means the same as label", "\"Patients\" is not used",
          "\"spilt\" is not used: if it means the same "
          "as split"}},
        {"slide,label,patient,tissue,x",
         {"column \"tissue\" is not used: a tissue column names files with outlines of tissue "
          "(GeoJSON, or a mask image), and none of its cells does"}},
        {"slide,class,subject,anotation,x",
         {"\"class\"", "\"subject\"",
          "\"anotation\" is not used: if it means the same as "
          "annotation"}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(cases[i].header, "\na.svs,1,p,q,r\n", NULL);
        g_autoptr(RmilCohort) cohort = read_text(text);
        gsize k = 0;
        for (; k < 3 && cases[i].warnings[k]; k++)
            if (!cohort->warnings[k] || !strstr(cohort->warnings[k], cases[i].warnings[k]) ||
                !g_str_has_prefix(cohort->warnings[k], cohort->path))
                g_error("%s: \"%s\"", cases[i].header, cohort->warnings[k]);
        g_assert_null(cohort->warnings[k]);
        const gboolean taken = strstr(cases[i].header, "LABEL") || strstr(cases[i].header, "label");
        g_assert_cmpint(cohort->rows[0].target.label, ==, taken ? 1 : -1);
        const gboolean patient = strstr(cases[i].header, "Patient ") || strstr(cases[i].header, "patient");
        g_assert_cmpstr(cohort->rows[0].patient, ==, patient ? "p" : NULL);
        g_assert_cmpstr(cohort->meaning[0], ==, "slide");
        g_assert_cmpstr(cohort->meaning[1], ==, taken ? "label" : NULL);
        g_assert_null(cohort->meaning[4]);
    }
}

static void test_tissue(void) {
    g_autoptr(RmilCohort) cohort = read_text("slide,label,tissue_path\na.svs,1,masks/a.PNG\nb.svs,0,\n");
    g_assert_true(g_str_has_suffix(cohort->rows[0].tissue, "/masks/a.PNG"));
    g_assert_true(g_path_is_absolute(cohort->rows[0].tissue));
    g_assert_null(cohort->rows[1].tissue);
}

static void labels_are(const char *labels, const char *message) {
    g_auto(GStrv) each = g_strsplit(labels, " ", -1);
    g_autoptr(GString) text = g_string_new("slide,label\n");
    for (int i = 0; each[i]; i++) g_string_append_printf(text, "%d.svs,%s\n", i, each[i]);
    g_autoptr(RmilCohort) cohort = read_text(text->str);
    GError *error = NULL;
    g_assert_true(rmil_cohort_check_labels(cohort, NULL, &error) == (message == NULL));
    if (message) test_error(&error, RMIL_ERROR_DATA, message);
}

static void test_labels(void) {
    labels_are("0 1 1", NULL);
    labels_are("0.0 1.0  1.", NULL);
    labels_are("1 2", NULL);
    labels_are("0 1 2", NULL);
    labels_are("tumor normal", NULL);
    labels_are("tumor tumor", "every label is \"tumor\": training needs at least two classes");
    labels_are("0.00 0", "every label is 0: training needs both classes");
    labels_are(" ", "no slide has a label");
}

/* The same file, or the same bytes: a warning, and an error in two sets. */
static void test_twins(void) {
    g_autofree char *folder = test_folder(), *bytes = g_strnfill(3000000, 'x'), *long_a = test_file(folder, "a.h5", bytes);
    bytes[1500000] = 'y';
    g_free(test_file(folder, "copy.h5", "same"));
    g_free(test_file(folder, "again.h5", "same"));
    g_free(test_file(folder, "other.h5", "emas"));
    g_free(test_file(folder, "empty.svs", ""));
    g_free(test_file(folder, "empty2.svs", ""));
    g_autofree char *long_b = test_file(folder, "b.h5", bytes);
    const struct {
        const char *rows, *warning, *error;
    } cases[] = {
        {"a,copy.h5,0,,train\nb,other.h5,1,,test\n", NULL, NULL},
        {"a,a.h5,0,,train\nb,b.h5,1,,test\n", NULL, NULL}, /* of one size, unlike in the middle */
        {"a,copy.h5,0,,train\nb,again.h5,0,,train\n", "lines 2 and 3: a and b have the same features", NULL},
        {"a,copy.h5,0,,train\nb,again.h5,1,,\n",
         "a and b have the same features (same size, and the same bytes wherever compared) but different labels", NULL},
        {"a,copy.h5,0,,train\nc,other.h5,0,,\nb,copy.h5,0,,test\n", NULL,
         "lines 2 and 4: a and b have the same features (same size, and the same bytes wherever compared), but one is in train and "
         "one in test: remove one"},
        {"a,,0,empty.svs,train\nb,,0,empty2.svs,test\nc,,0,missing.svs,\n", NULL, NULL},
        {"a,,0,a.h5,val\nb,,0,./a.h5,test\n", NULL, "a and b have the same slide"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat("id,features,label,slide,split\n", cases[i].rows, NULL),
                        *path = test_file(folder, "cohort.csv", text);
        GError *error = NULL;
        g_autofree char *said = NULL;
        const RmilMonitor monitor = {.warn = keep_warning, .user = &said};
        g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
        g_assert_no_error(error);
        g_autoptr(GArray) twins = rmil_cohort_twins(cohort);
        g_assert_true(rmil_cohort_check_twins(cohort, twins, NULL, &monitor, &error) == (cases[i].error == NULL));
        if (cases[i].error) test_error(&error, RMIL_ERROR_DATA, cases[i].error);
        if (cases[i].warning ? !said || !strstr(said, cases[i].warning) : said != NULL) g_error("%s: \"%s\"", cases[i].rows, said);
    }
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
    g_test_add_func("/cohort/columns", test_columns);
    g_test_add_func("/cohort/tissue", test_tissue);
    g_test_add_func("/cohort/labels", test_labels);
    g_test_add_func("/cohort/twins", test_twins);
    g_test_add_func("/cohort/real", test_real);
    return g_test_run();
}
