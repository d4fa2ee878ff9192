/* SPDX-License-Identifier: Apache-2.0 */
/* What is given to predict: slides, folders, tables, DICOM. */
#include "heard.h"

#include <glib/gstdio.h>
#include <string.h>

/* Tables of one task among what is predicted; those of another give no targets. */
static void test_input_tasks(void) {
    g_autofree char *into = test_folder(), *words = test_file(into, "words.csv", "slide,label\n/a.svs,tumor\n/b.svs,normal\n"),
                    *part = test_file(into, "part.csv", "slide,label\n/c.svs,tumor\n"),
                    *other = test_file(into, "other.csv", "slide,label\n/d.svs,LUAD\n");
    const char *const inputs[] = {words, part, other};
    GError *error = NULL;
    forget();
    g_autoptr(RmilCohort) cohort = rmil_predict_inputs(inputs, 3, NULL, NULL, &monitor, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 4);
    g_assert_cmpstr(cohort->task.names[1], ==, "tumor");
    static const int labels[] = {1, 0, 1, -1};
    for (int i = 0; i < 4; i++) g_assert_cmpint(cohort->rows[i].target.label, ==, labels[i]);
    g_assert_true(said(heard.warnings, "label \"LUAD\" is not one of the classes normal (negative), tumor"));
    const RmilTask task = {.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"LUAD", "tumor"}};
    const char *const one[] = {part};
    g_autoptr(RmilCohort) as_model = rmil_predict_inputs_as(one, 1, &task, NULL, NULL, &monitor, &error);
    g_assert_cmpint(as_model->rows[0].target.label, ==, 1);
    g_assert_true(rmil_task_equal(&as_model->task, &task));
}

static const char *owner(gpointer user, const char *id) { return strcmp(id, user) == 0 ? "/elsewhere/it.svs" : NULL; }

/* The files of a DICOM slide are one slide; those of another series another. */
static void test_dicom(void) {
    g_autofree char *into = test_folder(), *below = g_build_filename(into, "scan", NULL);
    static const char *const series[] = {"1.2.3", "1.2.3", "1.2.4", "1.2.3"};
    g_assert_cmpint(g_mkdir(below, 0700), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(series); i++) {
        g_autofree char *path = g_strdup_printf("%s/%zu.dcm", below, i);
        GString *file = g_string_new(NULL);
        for (int k = 0; k < 128; k++) g_string_append_c(file, '\0');
        g_string_append(file, "DICM");
        g_string_append_len(file, "\x20\0\x0e\0UI\x06\0", 8);
        g_string_append(file, series[i]);
        g_string_append_c(file, '\0'); /* UIDs are of even length */
        g_assert_true(g_file_set_contents(path, file->str, (gssize)file->len, NULL));
        g_string_free(file, TRUE);
    }
    const char *inputs[] = {into};
    GError *error = NULL;
    forget();
    g_autoptr(RmilCohort) cohort = rmil_predict_inputs(inputs, 1, NULL, NULL, &monitor, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 2);
    g_assert_cmpstr(cohort->rows[0].id, ==, "0");
    g_assert_cmpstr(cohort->rows[1].id, ==, "2");
    g_assert_true(said(heard.warnings, "2 DICOM files are skipped, because another file of the same slide is used"));
}

/* What was given, without a table, through the whole. */
static void test_inputs(void) {
    g_autofree char *into = test_folder(), *slides = g_build_filename(folder, "synth", "slides", NULL), *table = table_path();
    GError *error = NULL;
    g_autoptr(RmilCohort) given = rmil_cohort_read(table, &error);
    g_assert_no_error(error);
    forget();
    const char *const nothing[] = {"/not/there", "/not/*.svs"};
    g_assert_null(rmil_predict_inputs(nothing, 2, NULL, NULL, &monitor, &error));
    test_error(&error, RMIL_ERROR_DATA, "the inputs contain no slide and no feature file");
    g_assert_cmpint(heard.problems->len, ==, 2);
    g_assert_true(g_str_has_prefix(heard.problems->pdata[0], "predict : /not/there: "));

    forget();
    const char *const inputs[] = {slides, given->rows[1].slide};
    RmilCohort *cohort = rmil_predict_inputs(inputs, 2, owner, given->rows[2].id, &monitor, &error);
    g_assert_no_error(error);
    g_assert_cmpint(cohort->count, ==, 3);
    g_assert_cmpstr(cohort->rows[0].id, ==, given->rows[1].id);
    g_assert_cmpstr(cohort->rows[0].slide, ==, given->rows[1].slide);
    g_autofree char *longer = g_strconcat("slides-", given->rows[2].id, NULL);
    g_assert_cmpstr(cohort->rows[1].id, ==, longer);
    g_assert_true(said(heard.warnings, "is given twice"));

    RmilPrepareOptions options;
    rmil_prepare_options_init(&options);
    g_autoptr(RmilWork) work = rmil_work_new(into, &options, NULL, &error);
    rmil_work_take(work, cohort);
    g_autoptr(RmilCohort) prepared = rmil_work_prepare(work, &error);
    g_assert_no_error(error);
    g_assert_cmpint(prepared->count, ==, 3);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    make_cohort();
    g_test_add_func("/prepare/inputs", test_inputs);
    g_test_add_func("/prepare/inputs/dicom", test_dicom);
    g_test_add_func("/prepare/inputs/tasks", test_input_tasks);
    const int status = g_test_run();
    forget_all();
    return status;
}
