/* SPDX-License-Identifier: Apache-2.0 */
/* What a table says wrong is said by `check`, and by `run` and `train` before they make anything; files from elsewhere do no harm. */
#include "command.h"

#include "bag/make.h"

#include <glib/gstdio.h>
#include <string.h>

static char *root;

/* id,features,label,extra of `count` rows with labels in turn. */
static void make_table(const char *name, int count, const char *labels, const char *more) {
    g_autoptr(GString) text = g_string_new("id,features,label,split\n");
    for (int i = 0; i < count; i++) g_string_append_printf(text, "s%d,f%d.h5,%c,\n", i, i, labels[i % (int)strlen(labels)]);
    g_string_append(text, more);
    g_free(test_file(root, name, text->str));
}

/* Status 1 and the message from every command that trains, with nothing made. */
static void refused(const char *table, const char *splits, const char *message) {
    static const char *const commands[] = {"check", "train", "run", "study"};
    g_auto(Outcome) o = {0};
    for (gsize i = 0; i < G_N_ELEMENTS(commands) - (splits ? 1 : 0); i++) {
        const char *last = splits ? splits : "--quiet";
        if (i == 0) command_run(&o, root, "check", table, last, NULL);
        else if (i == 3) command_run(&o, root, "study", "comparison", table, "-o", "out", last, NULL);
        else command_run(&o, root, commands[i], table, "-o", "out", last, NULL);
        command_expect(&o, 1, message);
        g_autofree char *out = g_build_filename(root, "out", NULL);
        g_assert_false(g_file_test(out, G_FILE_TEST_EXISTS));
    }
}

static void test_refused(void) {
    make_bag_files(root, 12);
    make_table("words.csv", 11, "01", "s11,f11.h5,tumor,\n");
    refused("words.csv", NULL,
            "words.csv: line 13: label is \"tumor\", but on line 2 it is \"0\": write all classes as words, or all as numbers");
    make_table("one.csv", 12, "0", "");
    refused("one.csv", NULL, "one.csv: every label is 0: training needs both classes");
    make_table("twins.csv", 10, "01", "s10,f10.h5,1,test\ns11,f10.h5,1,train\ns12,f11.h5,0,test\n");
    refused("twins.csv", NULL, "twins.csv: lines 12 and 13: s10 and s11 have the same features");
    make_table("good.csv", 12, "01", "");
    g_free(test_file(root, "header.csv", "id,split_0\n"));
    refused("good.csv", "--splits=header.csv", "header.csv: has a header but no rows");
    g_free(test_file(root, "half.csv", "id,split_0\ns0,train\ns1,train\ns2,test\ns3,test\n"));
    refused("good.csv", "--splits=half.csv", "half.csv: column split_0: the validation set would have no slide");
    g_free(test_file(root, "clam.csv", ",train,val,test\n0,s0,s1,s2\n"));
    refused("good.csv", "--splits=clam.csv", "CLAM lists ids under train, val and test");
}

/* id,features and the header's columns: a cell, or several with commas, for each row. */
static void make_rows(const char *name, const char *header, const char *const *cells) {
    g_autoptr(GString) text = g_string_new("id,features,");
    g_string_append_printf(text, "%s\n", header);
    for (int i = 0; cells[i]; i++) g_string_append_printf(text, "s%d,f%d.h5,%s\n", i, i % 12, cells[i]);
    g_free(test_file(root, name, text->str));
}

/* What cannot be predicted: one error each, before anything is made. */
static void test_targets(void) {
    static const char *const blanks[] = {"Tumor", "normal", "TUMOR ", NULL}, *const numbers[] = {"0", "1", "0.5", NULL},
                             *const only_test[] = {"a,train", "b,train", "a,val", "b,val", "a,test", "b,test", "c,test", NULL},
                             *const zero[] = {"2,1", "0,1", NULL}, *const censored[] = {"2,0", "3,0", NULL},
                             *const half[] = {",1", "3,0", NULL}, *const same[] = {"2", "2.0", NULL};
    make_rows("blanks.csv", "label", blanks);
    refused("blanks.csv", NULL,
            "blanks.csv: line 4: label \"TUMOR\" and \"Tumor\" (line 2) differ only in case or spaces: use one of them");
    make_rows("numbers.csv", "label", numbers);
    refused("numbers.csv", NULL, "numbers.csv: line 4: label \"0.5\" is not a class");
    const char *ids[26] = {NULL};
    for (int i = 0; i < 25; i++) ids[i] = g_strdup_printf("TCGA-%d", i);
    make_rows("ids.csv", "label", ids);
    refused("ids.csv", NULL, "ids.csv: line 22: label has more than 20 different values (\"TCGA-0\", ");
    for (int i = 0; i < 25; i++) g_free((char *)ids[i]);
    make_rows("only.csv", "label,split", only_test);
    refused("only.csv", NULL, "only.csv: the training set would have no slide with class \"c\"");
    make_rows("zero.csv", "time,event", zero);
    refused("zero.csv", NULL, "zero.csv: line 3: time \"0\" is 0 or below");
    make_rows("half-time.csv", "time,event", half);
    refused("half-time.csv", NULL, "half-time.csv: line 2: time is empty, but event is \"1\"");
    make_rows("censored.csv", "time,event", censored);
    refused("censored.csv", NULL, "censored.csv: every slide is censored");
    make_rows("same.csv", "value", same);
    refused("same.csv", NULL, "same.csv: every value is 2");
    g_auto(Outcome) o = {0};
    command_run(&o, root, "check", "good.csv", "--target=time", NULL);
    command_expect(&o, 1, "--target time is not label, survival or value");
    command_run(&o, root, "check", "good.csv", "--target=survival", NULL);
    command_expect(&o, 1, "good.csv: line 1: there is no column named time, which --target survival needs");
    command_run(&o, root, "check", "good.csv", "--classes=0,2", NULL);
    command_expect(&o, 1, "good.csv: line 3: label \"1\" is not one of the classes 0 (negative), 2");
    command_run(&o, root, "check", "good.csv", "--by-site", NULL);
    command_expect(&o, 1, "good.csv: line 1: there is no column named site, which --by-site needs");
}

/* What was taken is said once, and what is doubtful is a warning. */
static void test_classes(void) {
    static const char *const words[] = {"tumor,p1,x,train", "normal,p2,x,train", "other,p3,y,train", "tumor,p4,x,val",   "normal,p5,x,val",
                                        "other,p3,y,",      "tumor,p6,x,test",   "normal,p7,x,test", "normal,p8,x,test", NULL},
                             *const times[] = {"2,1,0", "3,0,1", "4,yes,0", "5,no,", NULL};
    g_auto(Outcome) o = {0};
    make_rows("classes.csv", "label,patient,site,split", words);
    command_run(&o, root, "check", "classes.csv", NULL);
    g_assert_nonnull(strstr(o.out, "classes.csv: classes: normal (negative), other, tumor\n"));
    g_assert_nonnull(strstr(o.out, "classes.csv: a site may be in several sets (--by-site keeps each site in one)"));
    g_assert_nonnull(strstr(o.out, "9 rows: 3 classes: 9 with a label, 0 without; "));
    g_assert_nonnull(strstr(o.out, "class normal, negative: 4 rows (train 1, val 1, test 2)"));
    g_assert_nonnull(strstr(o.out, "class other: 2 rows (train 1, val 0, test 0)"));
    g_assert_nonnull(strstr(o.out, "patients: 8\nsites: 2\n"));
    command_expect(&o, o.status, "only 1 patient has class \"other\": training, validation and test need 3 at least");
    command_run(&o, root, "check", "classes.csv", "--classes", "other, tumor,normal", "--json", NULL);
    g_assert_nonnull(strstr(o.out, "classes.csv: classes: other, tumor, normal"));
    make_rows("times.csv", "time,event,label", times);
    command_run(&o, root, "check", "times.csv", "--target=survival", NULL);
    command_expect(&o, 0, "only 2 patients have an event");
    g_assert_nonnull(strstr(o.out, "4 rows: 2 events and 2 censored, 0 without a time"));
    command_run(&o, root, "check", "times.csv", NULL);
    g_assert_nonnull(strstr(o.out, "times.csv: what is predicted is label (the table has time and event, too: --target chooses)"));
}

/* A patient's slides as one bag, and CLAM's splits of them, through a training. */
static void test_patients(void) {
    g_autoptr(GString) table = g_string_new("id,features,label,patient\n");
    for (int i = 0; i < 12; i++) g_string_append_printf(table, "s%d,f%d.h5,%s,p%d\n", i, i, i / 2 % 2 ? "tumor" : "normal", i / 2);
    g_free(test_file(root, "patients.csv", table->str));
    g_autofree char *clam = g_build_filename(root, "clam", NULL);
    g_assert_cmpint(g_mkdir(clam, 0755), ==, 0);
    g_free(test_file(clam, "splits_4.csv", ",train,val,test\n0,s0,s4,s8\n1,s1,s5,s9\n2,s2,s6,s10\n3,s3,s7,s11\n"));
    g_auto(Outcome) o = {0};
    command_run(&o, root, "train", "patients.csv", "-o", "by-patient", "--bag=patient", "--splits=clam", "--seed=4", "--epochs=1",
                "--hidden=6", "--model=abmil", "--guide=none", NULL);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "patients.csv: classes: normal (negative), tumor\n"));
    g_autofree char *path = g_build_filename(root, "by-patient", "predictions.csv", NULL);
    GError *error = NULL;
    g_autoptr(RmilTable) rows = rmil_table_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_table_rows(rows), ==, 6);
    static const char *const sets[] = {"train", "train", "val", "val", "test", "test"};
    for (int i = 0; i < 6; i++) {
        g_autofree char *id = g_strdup_printf("p%d", i);
        g_assert_cmpstr(rmil_table_cell(rows, i, rmil_table_find(rows, "id")), ==, id);
        g_assert_cmpstr(rmil_table_cell(rows, i, rmil_table_find(rows, "split")), ==, sets[i]);
    }
    g_free(test_file(root, "torn.csv", "id,features,label,patient\na,f0.h5,x,p\nb,f1.h5,y,p\nc,f2.h5,x,q\nd,f3.h5,y,r\n"));
    command_run(&o, root, "train", "torn.csv", "-o", "torn", "--bag=patient", NULL);
    command_expect(&o, 1, "torn.csv: a patient cannot be one bag when the slides differ in what is predicted: \"p\" (lines 2 and 3)");
    g_free(test_file(clam, "splits_5.csv", ",train,val,test\n0,s0,s4,other\n"));
    command_run(&o, root, "check", "patients.csv", "--splits=clam", NULL);
    command_expect(&o, 1, "splits_5.csv: line 2: slide \"other\" is not in patients.csv");
    command_run(&o, root, "label", "patients.csv", "-o", "labels", "--lesion=LUAD=Tumor", NULL);
    command_expect(&o, 1, "--lesion LUAD=Tumor: there is no class \"LUAD\"; choose one of normal, tumor");
}

/* What does no harm is said once: near columns, slides that count twice, a cohort too small to be divided. */
static void test_said(void) {
    g_auto(Outcome) o = {0};
    g_free(test_file(root, "near.csv", "id,features,Label,case_id\na,f0.h5,0.0,p\nb,f1.h5,1.0,p\n"));
    command_run(&o, root, "check", "near.csv", "--json", NULL);
    command_expect(&o, 0, "near.csv: column \"Label\" is taken as label");
    command_expect(&o, 0, "near.csv: column \"case_id\" is not used: if it means the same as patient");
    command_expect(&o, 0, "too few slides to train on: near.csv: ");
    g_assert_nonnull(strstr(o.out, "\"positive\" : 1"));
    make_table("twice.csv", 12, "01", "s12,f0.h5,0,\n");
    g_free(test_file(root, "sets.csv", "id,a\ns0,train\ns12,train\ns1,train\ns2,val\ns3,val\ns4,test\ns5,test\n"));
    command_run(&o, root, "check", "twice.csv", "--splits=sets.csv", NULL);
    command_expect(&o, 0, "s0 and s12 have the same features (same size, and the same bytes wherever compared): it counts twice");
    command_shell(&o, root, "cat good.csv | \"$RANKMIL\" check /dev/stdin && mkfifo p && { cat good.csv >p & \"$RANKMIL\" check p; }");
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "12 rows: 6 positive"));
}

/* Another process's run.json and preprocessing.json, nested so deep that reading them would exhaust the stack. */
static void test_deep(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *open = g_strnfill(300000, '['), *shut = g_strnfill(300000, ']'),
                    *deep = g_strconcat("{\"preprocessing\":", open, shut, "}", NULL);
    command_run(&o, root, "train", "good.csv", "-o", "model", "--epochs=1", "--hidden=6", "--attention-dim=2", "-q", NULL);
    command_expect(&o, 0, "");
    g_autofree char *folder = g_build_filename(root, "model", NULL);
    g_free(test_file(folder, "run.json", deep));
    command_run(&o, root, "predict", "model", "f0.h5", "-o", "p", NULL);
    command_expect(&o, 1, "run.json: is nested more than 32 levels deep");
    g_free(test_file(root, "preprocessing.json", deep));
    command_run(&o, root, "train", "good.csv", "-o", "other", "--epochs=1", "--hidden=6", "--attention-dim=2", "-q", NULL);
    command_expect(&o, 1, "preprocessing.json: is nested more than 32 levels deep");
}

/* Control characters of files and paths are shown, not obeyed by the terminal; a message is one line of bounded length. */
static void test_terminal(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *metadata = g_strnfill(600000, 'm');
    g_autofree char *feature = g_strconcat(
        "{\"type\":\"Feature\",\"properties\":{\"name\":\"\\u001b]0;x\\u0007\\u009b\\u202e\\nrankmil: done\"},"
        "\"geometry\":{\"type\":\"",
        metadata, "\"}}", NULL);
    g_free(test_file(root, "escape.geojson", feature));
    g_free(test_file(root, "escape.csv", "id,features,label,annotation\ns,f0.h5,1,escape.geojson\nt,x\033[31m\177.h5,1,\n"));
    command_run(&o, root, "check", "escape.csv", "-q", NULL);
    command_expect(&o, 1, "\\u001b]0;x\\u0007\\u009b\\u202e rankmil: done");
    command_expect(&o, 1, "x\\u001b[31m\\u007f.h5");
    for (const char *at = o.err; *at; at++) g_assert_true(*at == '\n' || !g_ascii_iscntrl(*at));
    g_assert_cmpuint(strlen(o.err), <, 10000);
    g_autofree char *path = g_strdup_printf("id,features,label,annotation,mpp\ns,f0.h5,1,,%s\n", metadata);
    g_free(test_file(root, "long.csv", path));
    command_run(&o, root, "check", "long.csv", "--json", NULL);
    command_expect(&o, 1, "\xe2\x80\xa6 (6");
    g_assert_cmpuint(strlen(o.err) + strlen(o.out), <, 12000);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    root = test_folder();
    g_test_add_func("/cli/tables/refused", test_refused);
    g_test_add_func("/cli/tables/targets", test_targets);
    g_test_add_func("/cli/tables/classes", test_classes);
    g_test_add_func("/cli/tables/patients", test_patients);
    g_test_add_func("/cli/tables/said", test_said);
    g_test_add_func("/cli/tables/deep", test_deep);
    g_test_add_func("/cli/tables/terminal", test_terminal);
    int status = g_test_run();
    g_free(root);
    return status;
}
