/* SPDX-License-Identifier: Apache-2.0 */
/* What a table predicts: classes in words and numbers, times to an event, numbers; and what is wrong with them. */
#include "rankmil/cohort.h"
#include "support.h"

#include <string.h>

static RmilCohort *try_as(const char *text, const RmilReading *how, GError **error) {
    static char *folder;
    if (!folder) folder = test_folder();
    g_autofree char *path = test_file(folder, "cohort.csv", text);
    return rmil_cohort_read_as(path, how, error);
}

static RmilCohort *read_as(const char *text, const RmilReading *how) {
    GError *error = NULL;
    RmilCohort *cohort = try_as(text, how, &error);
    g_assert_no_error(error);
    return cohort;
}

/* Rows of one column: "label" and a cell for each, separated by "|". */
static char *table_of(const char *header, const char *cells) {
    g_auto(GStrv) each = g_strsplit(cells, "|", -1);
    GString *text = g_string_new(NULL);
    g_string_printf(text, "slide,%s\n", header);
    for (int i = 0; each[i]; i++) g_string_append_printf(text, "%d.svs,%s\n", i, each[i]);
    return g_string_free(text, FALSE);
}

static const RmilReading usual = {.classes = NULL};

/* names: "a,b"; labels: a digit for each row, "-" for none; note: part of it, NULL: none. */
static void classes_are(const char *cells, const RmilReading *how, const char *names, gboolean negative, const char *labels,
                        const char *note) {
    g_autofree char *text = table_of("label", cells);
    g_autoptr(RmilCohort) cohort = read_as(text, how);
    g_autoptr(GString) found = g_string_new(NULL), of_rows = g_string_new(NULL);
    g_assert_cmpint(cohort->task.kind, ==, RMIL_TASK_CLASSES);
    for (int c = 0; c < cohort->task.classes; c++) g_string_append_printf(found, "%s%s", c ? "," : "", cohort->task.names[c]);
    for (int64_t i = 0; i < cohort->count; i++)
        g_string_append_c(of_rows, cohort->rows[i].target.label < 0 ? '-' : (char)('0' + cohort->rows[i].target.label));
    g_assert_cmpstr(found->str, ==, names);
    g_assert_cmpint(cohort->task.negative, ==, negative);
    g_assert_cmpstr(of_rows->str, ==, labels);
    if (!note) g_assert_null(cohort->notes[0]);
    else g_assert_true(cohort->notes[0] && g_str_has_prefix(cohort->notes[0], cohort->path) && g_str_has_suffix(cohort->notes[0], note));
    g_assert_null(cohort->warnings[0]);
}

static void test_classes(void) {
    classes_are("0|1||1.0", &usual, "0,1", TRUE, "01-1", NULL);
    classes_are("1|1", &usual, "0,1", TRUE, "11", NULL);
    classes_are("|", &usual, "0,1", TRUE, "--", NULL);
    classes_are("2|1|2.0|02", &usual, "1,2", FALSE, "1011", ": classes: 1, 2");
    classes_are("2|0|10", &usual, "0,2,10", TRUE, "102", ": classes: 0 (negative), 2, 10");
    classes_are("tumor|normal|", &usual, "normal,tumor", TRUE, "10-", ": classes: normal (negative), tumor");
    classes_are("LUSC|LUAD|normal|LUAD", &usual, "normal,LUAD,LUSC", TRUE, "2101", ": classes: normal (negative), LUAD, LUSC");
    classes_are("LUSC|LUAD", &usual, "LUAD,LUSC", FALSE, "10", ": classes: LUAD, LUSC");
    classes_are("tumor|benign|normal", &usual, "benign,normal,tumor", FALSE, "201", ": classes: benign, normal, tumor");
    classes_are("b|A|c", &usual, "A,b,c", FALSE, "102", ": classes: A, b, c");
    classes_are("grün|ärger", &usual, "grün,ärger", FALSE, "01", ": classes: grün, ärger");
}

static void test_given(void) {
    const char *const subtypes[] = {"LUSC", "LUAD", NULL}, *const first[] = {"normal", "LUAD", "LUSC", NULL},
                      *const plain[] = {"0", "1", NULL}, *const one[] = {"a", NULL}, *const twice[] = {"a", "A ", NULL},
                      *const empty[] = {"a", "", NULL};
    const RmilReading by_subtypes = {.classes = subtypes}, by_first = {.classes = first}, by_plain = {.classes = plain};
    classes_are("LUSC|LUAD", &by_subtypes, "LUSC,LUAD", FALSE, "01", ": classes: LUSC, LUAD");
    classes_are("LUSC|LUAD", &by_first, "normal,LUAD,LUSC", TRUE, "21", ": classes: normal (negative), LUAD, LUSC");
    classes_are("1|0.0", &by_plain, "0,1", TRUE, "10", NULL);
    GError *error = NULL;
    g_assert_null(try_as("slide,label\na.svs,LUAD\nb.svs,other\n", &by_subtypes, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "cohort.csv: line 3: label \"other\" is not one of the classes LUSC, LUAD");
    g_assert_null(try_as("slide,label\na.svs,luad\n", &by_subtypes, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 2: label \"luad\" is not one of the classes LUSC, LUAD: write it as \"LUAD\"");
    const struct {
        const char *const *classes;
        const char *message;
    } wrong[] = {{one, "--classes names 1 class: give 2 to 20"},
                 {twice, "--classes names \"A \" twice"},
                 {empty, "--classes: \"\" cannot be the name"}};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        const RmilReading how = {.classes = wrong[i].classes};
        g_assert_null(try_as("slide,label\na.svs,a\n", &how, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, wrong[i].message);
    }
    /* as another table's, silently: its order and which is negative */
    const RmilTask task = {.kind = RMIL_TASK_CLASSES, .classes = 2, .names = {"benign", "tumor"}, .negative = FALSE};
    const RmilReading as_other = {.task = &task};
    classes_are("tumor|benign", &as_other, "benign,tumor", FALSE, "10", NULL);
}

static void test_bad_classes(void) {
    g_autofree char *name = g_strnfill(RMIL_CLASS_NAME, 'x'), *fits = g_strnfill(RMIL_CLASS_NAME - 1, 'x'),
                    *both = g_strconcat("a|", name, NULL);
    g_autoptr(GString) many = g_string_new("0.x"), numbers = g_string_new("0");
    for (int i = 1; i <= RMIL_CLASSES_MOST; i++) {
        g_string_append_printf(many, "|%d.x", i);
        g_string_append_printf(numbers, "|%d", i);
    }
    const struct {
        const char *cells, *message;
    } cases[] = {
        {"Tumor|normal|TUMOR", "line 4: label \"TUMOR\" and \"Tumor\" (line 2) differ only in case or spaces: use one of them"},
        {"lung adeno|b|lung  adeno", "line 4: label \"lung  adeno\" and \"lung adeno\" (line 2) differ only in case or spaces"},
        {"tumor|tumor\u00a0", "(line 2) differ only in case or spaces"},
        {"0|1|tumor", "line 4: label is \"tumor\", but on line 2 it is \"0\": write all classes as words, or all as numbers"},
        {"tumor|1", "line 3: label is \"1\", but on line 2 it is \"tumor\""},
        {many->str,
         "line 22: label has more than 20 different values (\"0.x\", \"1.x\", \"2.x\", \"3.x\", \"4.x\", …): it looks like a column of ids"},
        {numbers->str, "put it into a column named value"},
        {both, "line 3: label \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…\" is too long for the name of a class: at most 63 bytes"},
        {"a|0.5", "line 3: label \"0.5\" is not a class"},
        {"a|NaN", "line 3: label \"NaN\" is not a class: leave the cell empty"},
        {"a|N/A", "line 3: label \"N/A\" is not a class: leave the cell empty"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = table_of("label", cases[i].cells);
        GError *error = NULL;
        g_assert_null(try_as(text, &usual, &error));
        test_error(&error, RMIL_ERROR_FORMAT, cases[i].message);
    }
    g_autofree char *text = table_of("label", fits);
    rmil_cohort_free(read_as(text, &usual));
    /* blanks around a cell are nobody's */
    classes_are("tumor| tumor |normal", &usual, "normal,tumor", TRUE, "110", ": classes: normal (negative), tumor");
}

static void test_survival(void) {
    g_autoptr(RmilCohort) cohort = read_as("slide,time,event,x\na.svs,12.5,1,\nb.svs,3,0.0,\nc.svs,,,\nd.svs,1e3,Dead,\ne.svs,2,Alive,\n"
                                           "f.svs,2,yes,\ng.svs,2,living,\nh.svs,2,TRUE,\n",
                                           &usual);
    static const gboolean events[] = {TRUE, FALSE, FALSE, TRUE, FALSE, TRUE, FALSE, TRUE};
    g_assert_cmpint(cohort->task.kind, ==, RMIL_TASK_SURVIVAL);
    g_assert_cmpfloat(cohort->rows[0].target.time, ==, 12.5);
    g_assert_cmpfloat(cohort->rows[3].target.time, ==, 1000);
    for (int i = 0; i < 8; i++) {
        g_assert_cmpint(cohort->rows[i].target.event, ==, events[i]);
        g_assert_cmpint(rmil_target_known(&cohort->task, &cohort->rows[i].target), ==, i != 2);
    }
    g_assert_cmpstr(cohort->meaning[1], ==, "time");
    const struct {
        const char *rows, *message;
    } wrong[] = {
        {"1,1\n0,1\n", "line 3: time \"0\" is 0 or below"},    {"-2,0\n", "line 2: time \"-2\" is 0 or below"},
        {"soon,0\n", "line 2: time \"soon\" is not a number"}, {"inf,0\n", "line 2: time \"inf\" is not a number"},
        {"1,2\n", "line 2: event \"2\" is not understood"},    {",1\n", "line 2: time is empty, but event is \"1\""},
        {"4,\n", "line 2: event is empty, but time is \"4\""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_auto(GStrv) lines = g_strsplit(wrong[i].rows, "\n", -1);
        g_autoptr(GString) text = g_string_new("slide,time,event\n");
        for (int k = 0; *lines[k]; k++) g_string_append_printf(text, "%d.svs,%s\n", k, lines[k]);
        GError *error = NULL;
        g_assert_null(try_as(text->str, &usual, &error));
        test_error(&error, RMIL_ERROR_FORMAT, wrong[i].message);
    }
}

static void test_number(void) {
    g_autoptr(RmilCohort) cohort = read_as("slide;value\na.svs;0,5\nb.svs;\nc.svs;-3\n", &usual);
    g_assert_cmpint(cohort->task.kind, ==, RMIL_TASK_NUMBER);
    g_assert_cmpfloat(cohort->rows[0].target.value, ==, 0.5);
    g_assert_true(isnan(cohort->rows[1].target.value));
    g_assert_cmpfloat(cohort->rows[2].target.value, ==, -3);
    GError *error = NULL;
    g_assert_null(try_as("slide,value\na.svs,high\n", &usual, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 2: value \"high\" is not a number");
}

/* A table that has several: label wins, unless another is asked for; what is not predicted is as any other column. */
static void test_target(void) {
    static const char text[] = "slide,label,time,event,value\na.svs,1,2,1,0.5\nb.svs,0,3,0,0.25\n";
    const RmilReading label = {.target = RMIL_TARGET_LABEL}, survival = {.target = RMIL_TARGET_SURVIVAL},
                      value = {.target = RMIL_TARGET_VALUE}, unread = {.target = RMIL_TARGET_UNREAD};
    g_autoptr(RmilCohort) found = read_as(text, &usual), labels = read_as(text, &label), times = read_as(text, &survival),
                          values = read_as(text, &value), nothing = read_as(text, &unread);
    g_assert_cmpint(found->rows[0].target.label, ==, 1);
    g_assert_nonnull(
        strstr(found->notes[0], "what is predicted is label (the table has time and event, and value, too: --target chooses)"));
    g_assert_null(labels->notes[0]);
    g_assert_null(labels->meaning[2]);
    g_assert_cmpint(times->task.kind, ==, RMIL_TASK_SURVIVAL);
    g_assert_cmpfloat(times->rows[1].target.time, ==, 3);
    g_assert_null(times->meaning[1]);
    g_assert_cmpint(values->task.kind, ==, RMIL_TASK_NUMBER);
    g_assert_cmpint(nothing->rows[0].target.label, ==, -1);
    GError *error = NULL;
    g_assert_null(try_as("slide,label,time\na.svs,1,2\n", &survival, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 1: there is no column named event, which --target survival needs");
    g_autoptr(RmilCohort) half = read_as("slide,time\na.svs,3\n", &usual), both = read_as("slide,label,event\na.svs,1,1\n", &usual);
    g_assert_true(g_str_has_suffix(half->notes[0], ": column time is not used: predicting a time needs both columns, time and event"));
    g_assert_null(both->notes[0]); /* it is nobody's business where there is a label */
    RmilTargetColumn column;
    g_assert_true(rmil_target_column_parse("survival", &column, NULL) && column == RMIL_TARGET_SURVIVAL);
    g_assert_false(rmil_target_column_parse("class", &column, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--target class is not label, survival or value");
}

/* Names that come near times and events are said where nothing else says what is predicted. */
static void test_near(void) {
    g_autoptr(RmilCohort) near = read_as("slide,OS_time,status\na.svs,1,1\n", &usual),
                          labelled = read_as("slide,OS_time,status,label\na.svs,1,1,1\n", &usual),
                          taken = read_as("slide,Time,EVENT\na.svs,1,1\n", &usual),
                          other = read_as("slide,tile,size,class,time,event\na.svs,1,1,x,1,1\n", &usual);
    g_assert_nonnull(strstr(near->warnings[0], "column \"OS_time\" is not used: if it means the same as time, rename it to time"));
    g_assert_nonnull(strstr(near->warnings[1], "column \"status\" is not used: if it means the same as event, rename it to event"));
    g_assert_null(labelled->warnings[0]);
    g_assert_cmpint(taken->task.kind, ==, RMIL_TASK_SURVIVAL);
    g_assert_null(other->warnings[0]);
}

/* -- enough for training ------------------------------------------------------------------------------------------------------- */
static void keep(gpointer user, const char *message) { g_string_append_printf(user, "%s\n", message); }

/* error, warning: part of it; NULL: none. */
static void training_says(const char *header, const char *cells, const char *error_text, const char *warning) {
    g_autofree char *text = table_of(header, cells);
    g_autoptr(RmilCohort) cohort = read_as(text, &usual);
    g_autoptr(GString) said = g_string_new(NULL);
    const RmilMonitor monitor = {.warn = keep, .user = said};
    GError *error = NULL;
    g_assert_true(rmil_cohort_check_labels(cohort, &monitor, &error) == (error_text == NULL));
    if (error_text) test_error(&error, RMIL_ERROR_DATA, error_text);
    if (warning ? !strstr(said->str, warning) : said->len > 0) g_error("%s: \"%s\"", cells, said->str);
}

static void test_enough(void) {
    training_says("label,patient", "a,1|a,2|a,3|b,4|b,5|b,6", NULL, NULL);
    training_says("label,patient", "a,1|a,2|a,3|b,4|b,4|b,4", NULL, "only 1 patient has class \"b\": training, validation and test need 3");
    training_says("label,patient", "a,1|a,2|a,3|b,4|b,5", NULL, "only 2 patients have class \"b\"");
    training_says("label,patient", "0,1|0,2|0,3|1,4|1,5", NULL, "only 2 patients have label 1");
    training_says("label,patient", "a,1|a,2|a,3|b,1|b,5|b,6", NULL,
                  "the slides of a patient differ in what is predicted: \"1\" (lines 2 and 5)");
    training_says("label,patient", "0,1|0,2|0,3|1,1|1,5|1,6", NULL, NULL); /* a patient with a lesion has slides without one */
    training_says("label", "a|a", "every label is \"a\"", NULL);
    training_says("label", "|", "no slide has a label", NULL);
    training_says("time,event", "1,0|2,0", "every slide is censored", NULL);
    training_says("time,event", "1,0|2,1", NULL, "only 1 patient has an event");
    training_says("time,event", "1,0|2,1|3,1|4,1|5,1|6,1|7,1|8,1|9,1|9,1|9,1", NULL, NULL);
    training_says("value", "2|2||2.0", "every value is 2", NULL);
    training_says("value", "2|3", NULL, NULL);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tasks/classes", test_classes);
    g_test_add_func("/tasks/given", test_given);
    g_test_add_func("/tasks/bad", test_bad_classes);
    g_test_add_func("/tasks/survival", test_survival);
    g_test_add_func("/tasks/number", test_number);
    g_test_add_func("/tasks/target", test_target);
    g_test_add_func("/tasks/near", test_near);
    g_test_add_func("/tasks/enough", test_enough);
    return g_test_run();
}
