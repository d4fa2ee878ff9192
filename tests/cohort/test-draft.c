/* SPDX-License-Identifier: Apache-2.0 */
/* Cohort tables from the folders of data sets: trees of empty files as their publishers lay them out. */
#include "rankmil/cohort.h"
#include "support.h"

#include <glib/gstdio.h>
#include <string.h>
#include <zip.h>

typedef struct {
    char *root, *table;
    GString *told; /* warnings, one a line */
    RmilCohortSummary summary;
    RmilCohort *cohort;
} Fixture;

static void tell(gpointer user, const char *message) {
    GString *told = user;
    g_string_append_printf(told, "%s\n", message);
}

static void set_up(Fixture *f, gconstpointer data) {
    g_autofree char *folder = test_folder();
    f->root = g_build_filename(folder, "data", NULL);
    f->table = g_build_filename(folder, "data", "cohort.csv", NULL);
    f->told = g_string_new(NULL);
    g_mkdir(f->root, 0777);
}

static void tear_down(Fixture *f, gconstpointer data) {
    if (f->cohort) rmil_cohort_free(f->cohort);
    g_string_free(f->told, TRUE);
    g_free(f->root);
    g_free(f->table);
}

static void put(Fixture *f, const char *path, const char *text) {
    g_autofree char *full = g_build_filename(f->root, path, NULL), *folder = g_path_get_dirname(full);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0777), ==, 0);
    g_assert_true(g_file_set_contents(full, text, -1, NULL));
}

static gboolean make(Fixture *f, const char *layout, const char *const *positive, GError **error) {
    const RmilMonitor monitor = {.warn = tell, .user = f->told};
    return rmil_cohort_make(layout, f->root, f->table, positive, &f->summary, &monitor, error);
}

/* Makes the table and reads it as every command does. */
static void make_and_read(Fixture *f, const char *layout, const char *const *positive) {
    GError *error = NULL;
    make(f, layout, positive, &error);
    g_assert_no_error(error);
    f->cohort = rmil_cohort_read(f->table, &error);
    g_assert_no_error(error);
    g_assert_cmpint(f->cohort->count, ==, f->summary.rows);
}

static void refuse(Fixture *f, const char *layout, const char *const *positive, RmilErrorCode code, const char *part) {
    GError *error = NULL;
    g_assert_false(make(f, layout, positive, &error));
    test_error(&error, code, part);
    g_assert_false(g_file_test(f->table, G_FILE_TEST_EXISTS));
}

static const RmilCohortRow *row_of(const Fixture *f, const char *id) {
    for (int64_t i = 0; i < f->cohort->count; i++)
        if (strcmp(f->cohort->rows[i].id, id) == 0) return &f->cohort->rows[i];
    g_error("no row %s", id);
}

static const char *cell(const Fixture *f, const char *id, const char *column) {
    return rmil_table_cell(f->cohort->table, row_of(f, id) - f->cohort->rows, rmil_table_find(f->cohort->table, column));
}

static void check(const Fixture *f, const char *id, int label, RmilSplit split, const char *annotation) {
    const RmilCohortRow *row = row_of(f, id);
    g_assert_cmpint(row->target.label, ==, label);
    g_assert_cmpint(row->split, ==, split);
    if (!annotation) g_assert_null(row->annotation);
    else g_assert_true(g_str_has_suffix(row->annotation, annotation) && g_file_test(row->annotation, G_FILE_TEST_EXISTS));
    if (row->slide) g_assert_true(g_file_test(row->slide, G_FILE_TEST_EXISTS));
}

/* -- Camelyon16 ---------------------------------------------------------------------------------------------------------- */
static void put_training(Fixture *f) {
    put(f, "training/normal/normal_001.tif", "");
    put(f, "training/normal/normal_086.tif", "");
    put(f, "training/normal/normal_144.tif", "");
    put(f, "training/tumor/tumor_001.tif", "");
    put(f, "training/tumor/tumor_015.tif", "");
    put(f, "training/tumor/tumor_111.tif", "");
}

static void test_camelyon16(Fixture *f, gconstpointer data) {
    put_training(f);
    put(f, "training/lesion_annotations/tumor_001.xml", "<x/>");
    put(f, "training/lesion_annotations/tumor_015.xml", "<x/>");
    put(f, "testing/images/test_001.tif", "");
    put(f, "testing/images/test_003.tif", "");
    put(f, "testing/images/test_049.tif", "");
    put(f, "testing/images/test_114.tif", "");
    put(f, "testing/lesion_annotations/Test_001.xml", "<x/>");
    put(f, "testing/reference.csv", "test_001,Tumor,IDC,Macro\r\ntest_003,Normal,None,None\r\ntest_114,Tumor,IDC,Micro\r\n");
    make_and_read(f, "camelyon16", NULL);
    g_assert_cmpint(f->summary.rows, ==, 8);
    g_assert_cmpint(f->summary.positive, ==, 5);
    g_assert_cmpint(f->summary.annotated, ==, 3);
    g_assert_cmpint(f->summary.test, ==, 3);
    g_assert_cmpint(f->summary.left_out, ==, 2);
    check(f, "normal_001", 0, RMIL_SPLIT_NONE, NULL);
    check(f, "normal_144", 0, RMIL_SPLIT_NONE, NULL);
    check(f, "tumor_001", 1, RMIL_SPLIT_NONE, "training/lesion_annotations/tumor_001.xml");
    check(f, "tumor_111", 1, RMIL_SPLIT_NONE, NULL);
    check(f, "test_001", 1, RMIL_SPLIT_TEST, "testing/lesion_annotations/Test_001.xml");
    check(f, "test_003", 0, RMIL_SPLIT_TEST, NULL);
    g_assert_cmpstr(cell(f, "tumor_001", "note"), ==, "");
    g_assert_cmpstr(cell(f, "tumor_015", "note"), ==, "annotation is not exhaustive");
    g_assert_cmpstr(cell(f, "test_114", "note"), ==, "annotation is not exhaustive");
    g_assert_nonnull(strstr(cell(f, "normal_144", "note"), "Liu et al. 2017"));
    g_assert_cmpstr(cell(f, "tumor_001", "slide"), ==, "training/tumor/tumor_001.tif"); /* the folder can be moved */
    g_assert_nonnull(strstr(f->told->str, "normal_086.tif: left out: it was misclassified"));
    g_assert_nonnull(strstr(f->told->str, "test_049.tif: left out: it is a duplicate"));
    g_assert_nonnull(strstr(f->told->str, "tumor_111.tif: there is no outline tumor_111.xml"));
    g_assert_nonnull(strstr(f->told->str, "2 normal, 3 tumour and 3 test slides; the whole data set has 159, 111 and 129"));
}

/* The public bucket's folders, a level deeper, and a reference with a header. */
static void test_bucket(Fixture *f, gconstpointer data) {
    put(f, "CAMELYON16/images/normal_002.tif", "");
    put(f, "CAMELYON16/images/tumor_002.tif", "");
    put(f, "CAMELYON16/images/test_002.tif", "");
    put(f, "CAMELYON16/masks/tumor_002_mask.tif", "");
    put(f, "CAMELYON16/background_tissue/tumor_002_tissue.tif", "");
    put(f, "CAMELYON16/annotations/tumor_002.xml", "<x/>");
    put(f, "CAMELYON16/evaluation/reference.csv", "image,type,class,center\nnormal_002.tif,,negative,0\ntest_002.tif,macro,tumor,1\n");
    make_and_read(f, "camelyon16", NULL);
    g_assert_cmpint(f->summary.rows, ==, 3);
    check(f, "tumor_002", 1, RMIL_SPLIT_NONE, "annotations/tumor_002.xml");
    check(f, "test_002", 1, RMIL_SPLIT_TEST, NULL);
    check(f, "normal_002", 0, RMIL_SPLIT_NONE, NULL);
}

static void put_zip(Fixture *f, const char *path, const char *const *names, const char *text) {
    g_autofree char *full = g_build_filename(f->root, path, NULL);
    int reason;
    zip_t *archive = zip_open(full, ZIP_CREATE | ZIP_TRUNCATE, &reason);
    for (; *names; names++) zip_file_add(archive, *names, zip_source_buffer(archive, text, strlen(text), 0), 0);
    g_assert_cmpint(zip_close(archive), ==, 0);
}

static void test_archive(Fixture *f, gconstpointer data) {
    static const char *const names[] = {"lesion_annotations/tumor_001.xml", "../../tumor_015.xml", "readme.txt", "other.xml", NULL};
    put_training(f);
    put_zip(f, "training/lesion_annotations.zip", names, "<outline/>");
    make_and_read(f, "camelyon16", NULL);
    check(f, "tumor_001", 1, RMIL_SPLIT_NONE, "data/lesion_annotations/tumor_001.xml");
    check(f, "tumor_015", 1, RMIL_SPLIT_NONE, "data/lesion_annotations/tumor_015.xml"); /* by its last name alone */
    g_autofree char *text = NULL, *path = g_build_filename(f->root, "lesion_annotations", "tumor_001.xml", NULL),
                    *stray = g_build_filename(f->root, "lesion_annotations", "other.xml", NULL);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "<outline/>");
    g_assert_false(g_file_test(stray, G_FILE_TEST_EXISTS));
    g_assert_nonnull(strstr(f->told->str, "lesion_annotations.zip: is an archive; its outlines are unpacked into "));
}

static void test_wrong_camelyon16(Fixture *f, gconstpointer data) {
    refuse(f, "camelyon16", NULL, RMIL_ERROR_DATA, "contains no slides in training/normal");
    put(f, "testing/images/test_001.tif", "");
    refuse(f, "camelyon16", NULL, RMIL_ERROR_DATA,
           "there is neither testing/reference.csv nor evaluation/reference.csv, which give "
           "the labels of the test slides");
    put(f, "testing/reference.csv", "test_002,Normal,None,None\n");
    refuse(f, "camelyon16", NULL, RMIL_ERROR_DATA, "test_001.tif: reference.csv does not say");
    put(f, "testing/reference.csv", "test_001,Perhaps,None,None\n");
    refuse(f, "camelyon16", NULL, RMIL_ERROR_FORMAT, "reference.csv: line 1: \"Perhaps\" is not a label of test_001");
    put(f, "testing/reference.csv", "nothing\n");
    refuse(f, "camelyon16", NULL, RMIL_ERROR_FORMAT, "reference.csv: lists no test slide");
    put(f, "training/lesion_annotations.zip", "PK no archive");
    refuse(f, "camelyon16", NULL, RMIL_ERROR_FORMAT, "lesion_annotations.zip: cannot be unpacked");
    refuse(f, "camelyon", NULL, RMIL_ERROR_ARGUMENT,
           "no data set layout named \"camelyon\"; choose one of camelyon16, digestpath, class-folders");
}

/* -- DigestPath 2019 -------------------------------------------------------------------------------------------------------- */
static void test_digestpath(Fixture *f, gconstpointer data) {
    put(f, "tissue-train-pos-v1/18-00530A_2019-05-07 23_56_22-lv1-33507-20068-6131-4975.jpg", "");
    put(f, "tissue-train-pos-v1/18-00530A_2019-05-07 23_56_22-lv1-33507-20068-6131-4975_mask.jpg", "");
    put(f, "tissue-train-pos-v1/18-00530B_2019-05-07 23_59_22-lv1-1-2-3-4.jpg", "");
    put(f, "tissue-train-neg/tissue-train-neg/2019-06-11 10.54.38-lv1-12030-18545-4046-3340.jpg", "");
    make_and_read(f, "digestpath", NULL);
    g_assert_cmpint(f->summary.rows, ==, 3);
    check(f, "18-00530A_2019-05-07 23_56_22-lv1-33507-20068-6131-4975", 1, RMIL_SPLIT_NONE, "-4975_mask.jpg");
    check(f, "18-00530B_2019-05-07 23_59_22-lv1-1-2-3-4", 1, RMIL_SPLIT_NONE, NULL);
    check(f, "2019-06-11 10.54.38-lv1-12030-18545-4046-3340", 0, RMIL_SPLIT_NONE, NULL);
    g_assert_cmpstr(row_of(f, "18-00530B_2019-05-07 23_59_22-lv1-1-2-3-4")->patient, ==, "18-00530");
    g_assert_cmpstr(cell(f, "18-00530A_2019-05-07 23_56_22-lv1-33507-20068-6131-4975", "patient"), ==, "18-00530");
    g_assert_nonnull(strstr(f->told->str, "lv1-1-2-3-4_mask.jpg"));
}

static void test_wrong_digestpath(Fixture *f, gconstpointer data) {
    refuse(f, "digestpath", NULL, RMIL_ERROR_DATA, "there is no folder tissue-train-pos-v1");
    put(f, "tissue-train-pos-v1/a_mask.jpg", "");
    refuse(f, "digestpath", NULL, RMIL_ERROR_DATA, "tissue-train-pos-v1: contains no images");
    put(f, "tissue-train-pos-v1/a.jpg", "");
    refuse(f, "digestpath", NULL, RMIL_ERROR_DATA, "there is no folder tissue-train-neg");
}

/* -- class folders ------------------------------------------------------------------------------------------------------------ */
static void test_class_folders(Fixture *f, gconstpointer data) {
    put(f, "cancer/a.svs", "");
    put(f, "cancer/a.geojson", "");
    put(f, "cancer/b.TIFF", "");
    put(f, "cancer/b_mask.png", "");
    put(f, "benign/a.svs", "");
    put(f, "benign/c.h5", "");
    put(f, "annotations/a.xml", "");
    make_and_read(f, "class-folders", NULL);
    g_assert_cmpint(f->summary.rows, ==, 4);
    check(f, "cancer_a", 1, RMIL_SPLIT_NONE, "cancer/a.geojson"); /* two slides are called a */
    check(f, "benign_a", 0, RMIL_SPLIT_NONE, NULL);
    check(f, "b", 1, RMIL_SPLIT_NONE, "cancer/b_mask.png");
    g_assert_nonnull(row_of(f, "c")->features);
    g_assert_cmpstr(cell(f, "b", "label"), ==, "cancer");
    g_assert_cmpint(rmil_table_find(f->cohort->table, "class"), <, 0);
    g_assert_cmpstr(f->cohort->task.names[0], ==, "benign");
    g_assert_true(f->cohort->task.negative);
    g_assert_cmpint(f->summary.positive, ==, 2);
}

static void test_sets(Fixture *f, gconstpointer data) {
    put(f, "train/x/a.png", "");
    put(f, "train/y/b.png", "");
    put(f, "val/x/c.png", "");
    put(f, "Test/y/d.png", "");
    put(f, "Test/z/e.png", "");
    refuse(f, "class-folders", (const char *const[]){"w", NULL}, RMIL_ERROR_ARGUMENT,
           "there is no class folder \"w\"; choose one of x, y, z");
    make_and_read(f, "class-folders", (const char *const[]){"x", "z", NULL});
    check(f, "a", 1, RMIL_SPLIT_TRAIN, NULL);
    check(f, "b", 0, RMIL_SPLIT_TRAIN, NULL);
    check(f, "c", 1, RMIL_SPLIT_VAL, NULL);
    check(f, "d", 0, RMIL_SPLIT_TEST, NULL);
    check(f, "e", 1, RMIL_SPLIT_TEST, NULL);
    g_assert_cmpstr(cell(f, "e", "label"), ==, "1");
    g_assert_cmpstr(cell(f, "e", "class"), ==, "z");
}

/* Any number of classes, by the names of their folders; without a negative one, each may be annotated. */
static void test_many_classes(Fixture *f, gconstpointer data) {
    put(f, "LUSC/a.svs", "");
    put(f, "LUSC/a.xml", "");
    put(f, "LUAD/b.svs", "");
    put(f, "LUAD/b.xml", "");
    put(f, "other/c.svs", "");
    make_and_read(f, "class-folders", NULL);
    check(f, "b", 0, RMIL_SPLIT_NONE, "LUAD/b.xml");
    check(f, "a", 1, RMIL_SPLIT_NONE, "LUSC/a.xml");
    check(f, "c", 2, RMIL_SPLIT_NONE, NULL);
    g_assert_false(f->cohort->task.negative);
    g_assert_cmpint(f->summary.negative, ==, 0);
}

/* Slides one level deeper, as the GDC's client leaves them, or by patient: taken and said; what is left out is said. */
static void test_deeper(Fixture *f, gconstpointer data) {
    put(f, "cancer/p1/a.svs", "");
    put(f, "cancer/p1/a.xml", "");
    put(f, "cancer/p2/a.svs", "");
    put(f, "cancer/p2/b.svs", "");
    put(f, "benign/c.svs", "");
    put(f, "benign/thumbnails/c.png", "");
    put(f, "notes/x/y/a.svs", "");
    make_and_read(f, "class-folders", NULL);
    g_assert_cmpint(f->summary.rows, ==, 4);
    check(f, "p1_cancer_a", 1, RMIL_SPLIT_NONE, "cancer/p1/a.xml");
    check(f, "p2_cancer_a", 1, RMIL_SPLIT_NONE, NULL);
    check(f, "b", 1, RMIL_SPLIT_NONE, NULL);
    check(f, "c", 0, RMIL_SPLIT_NONE, NULL);
    g_assert_nonnull(
        strstr(f->told->str,
               "/cancer: contains no slides itself; those in its folders are taken (if each folder is a patient, add the column patient): "
               "p1, p2"));
    g_assert_nonnull(strstr(f->told->str, "/benign: folders inside it that also contain images or features are left out: thumbnails"));
    g_assert_nonnull(strstr(f->told->str, "/notes: left out, because neither it nor the folders in it contain slides or features"));
    put(f, "centre/normal/d.svs", "");
    g_assert_cmpint(g_unlink(f->table), ==, 0);
    refuse(f, "class-folders", NULL, RMIL_ERROR_DATA, "the classes seem to be one level deeper, in centre/normal");
}

/* Names that no table can hold are left out, and said; the table that is written can be read. */
static void test_odd_names(Fixture *f, gconstpointer data) {
    put(f, "cancer/ok.svs", "");
    put(f, "cancer/caf\xe9.svs", "");
    put(f, "cancer/ a.svs", "");
    put(f, "cancer/line\nbreak.svs", "");
    put(f, "benign/\xc3\xbc \xe6\x97\xa5.svs", "");
    put(f, "benign/comma, \"quote\".svs", "");
    make_and_read(f, "class-folders", NULL);
    g_assert_cmpint(f->summary.rows, ==, 3);
    check(f, "\xc3\xbc \xe6\x97\xa5", 0, RMIL_SPLIT_NONE, NULL);
    check(f, "comma, \"quote\"", 0, RMIL_SPLIT_NONE, NULL);
    g_assert_nonnull(strstr(f->told->str, "cancer/caf\xef\xbf\xbd.svs: left out, because its name is not UTF-8: rename it"));
    g_assert_nonnull(strstr(f->told->str, "cancer/ a.svs: left out, because its name begins or ends with a space"));
    g_assert_nonnull(strstr(f->told->str, "break.svs: left out, because its name has a backslash or a control character"));
    g_autofree char *stem = g_strnfill(220, 'n'), *file = g_strconcat("cancer/", stem, ".svs", NULL);
    put(f, file, "");
    g_assert_cmpint(g_unlink(f->table), ==, 0);
    refuse(f, "class-folders", NULL, RMIL_ERROR_DATA, "which is too long: rename it");
}

static void test_wrong_folders(Fixture *f, gconstpointer data) {
    refuse(f, "class-folders", NULL, RMIL_ERROR_DATA, "has 0 class folders with slides (none)");
    g_autofree char *gone = g_build_filename(f->root, "gone", NULL);
    GError *error = NULL;
    g_assert_false(rmil_cohort_make("class-folders", gone, f->table, NULL, &f->summary, NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "gone: is not a folder");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    const struct {
        const char *name;
        void (*run)(Fixture *, gconstpointer);
    } cases[] = {{"/draft/camelyon16", test_camelyon16},       {"/draft/camelyon16-bucket", test_bucket},
                 {"/draft/camelyon16-archive", test_archive},  {"/draft/camelyon16-wrong", test_wrong_camelyon16},
                 {"/draft/digestpath", test_digestpath},       {"/draft/digestpath-wrong", test_wrong_digestpath},
                 {"/draft/class-folders", test_class_folders}, {"/draft/many-classes", test_many_classes},
                 {"/draft/class-folders-divided", test_sets},  {"/draft/class-folders-deeper", test_deeper},
                 {"/draft/odd-names", test_odd_names},         {"/draft/class-folders-wrong", test_wrong_folders}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) g_test_add(cases[i].name, Fixture, NULL, set_up, cases[i].run, tear_down);
    return g_test_run();
}
