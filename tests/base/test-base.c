/* SPDX-License-Identifier: Apache-2.0 */
/* Files, tables, random numbers, loops, JSON. */
#include "support.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static void test_rng(void) {
    RmilRng a, b;
    rmil_rng_init(&a, 7, 1);
    rmil_rng_init(&b, 7, 1);
    double sum = 0, squares = 0;
    for (int i = 0; i < 10000; i++) {
        g_assert_cmpuint(rmil_rng_next(&a), ==, rmil_rng_next(&b));
        double x = rmil_rng_normal(&a);
        g_assert_cmpfloat(x, ==, rmil_rng_normal(&b));
        sum += x;
        squares += x * x;
    }
    g_assert_cmpfloat(ABS(sum / 1e4), <, 0.04);
    g_assert_cmpfloat(ABS(squares / 1e4 - 1), <, 0.06);
    rmil_rng_init(&b, 7, 2);
    g_assert_cmpuint(rmil_rng_next(&a), !=, rmil_rng_next(&b));
    int64_t counts[3] = {0}, order[50];
    for (int i = 0; i < 30000; i++) counts[rmil_rng_below(&a, 3)]++;
    for (int i = 0; i < 3; i++) g_assert_cmpint(ABS(counts[i] - 10000), <, 500);
    for (int i = 0; i < 50; i++) order[i] = i;
    rmil_rng_shuffle(&a, order, 50);
    int64_t seen = 0;
    for (int i = 0; i < 50; i++) seen |= INT64_C(1) << order[i];
    g_assert_cmpint(seen, ==, (INT64_C(1) << 50) - 1);
}

static void test_file_atomic(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "sub", "x.txt", NULL);
    g_autofree char *sub = g_path_get_dirname(path);
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, "one", 3, &error));
    /* a leftover of a process that is dead goes away, one of a living process stays */
    g_autofree char *dead = g_strdup_printf(".x.txt.%s-999999999-0.part", g_get_host_name());
    g_autofree char *alive = g_strdup_printf(".x.txt.%s-1-0.part", g_get_host_name());
    g_free(test_file(sub, dead, "half"));
    g_free(test_file(sub, alive, "half"));
    g_assert_true(rmil_file_write(path, "two!", 4, &error));
    g_assert_no_error(error);
    gsize size;
    g_autofree char *text = rmil_file_read(path, 100, &size, &error);
    g_assert_cmpstr(text, ==, "two!");
    g_assert_cmpint(test_entries(sub, "."), ==, 2);
    g_assert_null(rmil_file_read(path, 3, &size, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "4 bytes");
    g_assert_null(rmil_file_read(sub, 3, &size, &error));
    test_error(&error, RMIL_ERROR_IO, "regular");
}

/* Who can write into the folder can guess the temporary names: what is there under them, and where it leads, stays as it is. */
static void test_file_planted(void) {
    g_autofree char *folder = test_folder(), *victim = test_file(folder, "victim", "precious"),
                    *path = g_build_filename(folder, "x.txt", NULL);
    GError *error = NULL;
    for (int i = 0; i < 50; i++) {
        g_autofree char *name = g_strdup_printf(".x.txt.%s-%ld-%d.part", g_get_host_name(), (long)getpid(), i);
        g_autofree char *link = g_build_filename(folder, name, NULL);
        g_assert_cmpint(symlink("victim", link), ==, 0);
    }
    g_assert_true(rmil_file_write(path, "mine", 4, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(path, G_FILE_TEST_IS_SYMLINK));
    gsize size;
    g_autofree char *text = rmil_file_read(victim, 100, &size, &error), *own = rmil_file_read(path, 100, &size, &error);
    g_assert_cmpstr(text, ==, "precious");
    g_assert_cmpstr(own, ==, "mine");
}

/* Names up to the system's 255 bytes can be written, and what libzip leaves beside a temporary file goes with it. */
static void test_file_names(void) {
    g_autofree char *folder = test_folder(), *name = g_strnfill(255, 'n'), *path = g_build_filename(folder, name, NULL);
    g_autofree char *other = g_build_filename(folder, "x.pt", NULL);
    g_autofree char *zip = g_strdup_printf(".x.pt.%s-999999999-7.part.Ab12Cd", g_get_host_name());
    g_autofree char *foreign = g_strdup_printf(".x.pt.%s-999999999-7.party", g_get_host_name());
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, "long", 4, &error));
    g_assert_no_error(error);
    g_assert_true(rmil_file_write(path, "again", 5, &error));
    g_assert_cmpint(test_entries(folder, "."), ==, 1);
    g_free(test_file(folder, zip, "half"));
    g_free(test_file(folder, foreign, "somebody's"));
    g_assert_true(rmil_file_write(other, "x", 1, &error));
    g_assert_cmpint(test_entries(folder, "."), ==, 3);
}

static void test_file_full(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "x.bin", NULL);
    g_autofree char *data = g_malloc0(100000);
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, "old", 3, &error));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit = {4096, 0};
    getrlimit(RLIMIT_FSIZE, &before);
    limit.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    g_assert_false(rmil_file_write(path, data, 100000, &error));
    setrlimit(RLIMIT_FSIZE, &before);
    test_error(&error, RMIL_ERROR_IO, "x.bin: cannot be written");
    gsize size;
    g_autofree char *text = rmil_file_read(path, 100, &size, &error);
    g_assert_cmpstr(text, ==, "old");
    g_assert_cmpint(test_entries(folder, "."), ==, 1);
}

static gboolean mark(int64_t index, int worker, gpointer user, GError **error) {
    int *seen = user;
    seen[index]++;
    if (index == 70 || index == 71) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "at %d", (int)index);
        return FALSE;
    }
    return TRUE;
}

static void test_parallel(void) {
    for (int threads = 1; threads < 6; threads++) {
        int seen[100] = {0};
        GError *error = NULL;
        g_assert_true(rmil_parallel(70, threads, mark, seen, &error));
        for (int i = 0; i < 70; i++) g_assert_cmpint(seen[i], ==, 1);
        g_assert_true(rmil_parallel(0, threads, mark, seen, &error));
        memset(seen, 0, sizeof seen);
        g_assert_false(rmil_parallel(100, threads, mark, seen, &error));
        test_error(&error, RMIL_ERROR_DATA, "at 70");
        if (threads == 1) g_assert_cmpint(seen[71], ==, 0); /* with more, another may have gone on before this one had failed */
    }
}

static void test_table(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *path = test_file(folder, "t.csv", "\xef\xbb\xbfid,note,x\r\na,\"one, \"\"two\"\"\nthree\",1.5\r\n\nb,, 2e3 \nc,z,nan");
    GError *error = NULL;
    g_autoptr(RmilTable) table = rmil_table_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_table_rows(table), ==, 3);
    g_assert_cmpint(rmil_table_find(table, "x"), ==, 2);
    g_assert_cmpstr(rmil_table_cell(table, 0, 1), ==, "one, \"two\"\nthree");
    g_assert_cmpint(rmil_table_line(table, 1), ==, 5);
    double x;
    g_assert_true(rmil_table_number(table, 1, 2, &x, &error));
    g_assert_cmpfloat(x, ==, 2000);
    g_assert_false(rmil_table_number(table, 2, 2, &x, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "t.csv: line 6: x \"nan\"");
}

static char *written(const RmilCsv *csv, const char *folder) {
    GError *error = NULL;
    g_autofree char *path = g_build_filename(folder, "written.csv", NULL);
    g_assert_true(rmil_csv_write(csv, path, &error));
    g_assert_no_error(error);
    return rmil_file_read(path, 4096, NULL, NULL);
}

static void test_csv(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(RmilCsv) csv = rmil_csv_new("name,x,y,z"), bare = rmil_csv_new(NULL);
    rmil_csv_text(csv, "b \"c\", d");
    rmil_csv_number(csv, "%.3g", 1.0 / 3);
    rmil_csv_numbers(csv, NULL, (double[]){1.0 / 3, 0.5}, 2);
    rmil_csv_end(csv);
    rmil_csv_end(csv);
    rmil_csv_text(csv, NULL);
    rmil_csv_whole(csv, INT64_MIN);
    rmil_csv_numbers(csv, "%g", (double[]){NAN, INFINITY}, 2);
    rmil_csv_end(csv);
    g_assert_cmpint(rmil_csv_rows(csv), ==, 3);
    g_assert_cmpint(rmil_csv_rows(bare), ==, 0);
    g_autofree char *text = written(csv, folder), *empty = written(bare, folder);
    g_assert_cmpstr(text, ==, "name,x,y,z\n\"b \"\"c\"\", d\",0.333,0.3333333333333333,0.5\n\n,-9223372036854775808,,\n");
    g_assert_cmpstr(empty, ==, "");
}

/* Tables as spreadsheets save them: all of these are id, x, note with the rows (a, 1.5, u) and (b, 2, ""). */
static void test_spreadsheets(void) {
    static const char *const texts[] = {
        "id,x,note\r\na,1.5,u\r\nb,2,\r\n,,\r\n,,\r\n", /* rows that were once used */
        ",,\nid,x,note\n,,,,\na,1.5,u\n\n  , ,\nb,2,\n",
        "id;x;note\r\na;1,5;u\r\nb;2;\r\n", /* a German or French Excel */
        "id\tx\tnote\na\t1.5\tu\nb\t2\t\n",
        "sep=;\r\nid;x;note\r\na;1.5;u\r\nb;2;\r\n",
        "sep=,\nid,x,note\na,1.5,u\nb,2,\n",
        "id,x,note\ra,1.5,u\rb,2,\r",     /* an old Mac */
        "id,x,note,,\na,1.5,u\nb,2,,,\n", /* empty cells missing, or too many, at the end */
        "id,x,note\na,1.5,u,,\nb,2,,\n",
        "\"id\";\"x\";\"note\"\n\"a\";\"1,5\";\"u\"\n\"b\";\"2\";\n",
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = test_file(folder, "t.csv", texts[i]);
        GError *error = NULL;
        g_autoptr(RmilTable) table = rmil_table_read(path, &error);
        double x;
        g_assert_no_error(error);
        g_assert_cmpint(rmil_table_rows(table), ==, 2);
        g_assert_cmpint(rmil_table_find(table, "note"), ==, 2);
        g_assert_cmpstr(rmil_table_cell(table, 0, 0), ==, "a");
        g_assert_cmpstr(rmil_table_cell(table, 0, 2), ==, "u");
        g_assert_cmpstr(rmil_table_cell(table, 1, 0), ==, "b");
        g_assert_cmpstr(rmil_table_cell(table, 1, 2), ==, "");
        g_assert_true(rmil_table_number(table, 0, 1, &x, &error));
        g_assert_cmpfloat(x, ==, 1.5);
    }
    /* a comma is no decimal point where it might group digits */
    g_autofree char *path = test_file(folder, "t.csv", "id,x\na,\"1,5\"\nb,\"one\rtwo\"\nc,3\n");
    GError *error = NULL;
    g_autoptr(RmilTable) table = rmil_table_read(path, &error);
    double x;
    g_assert_no_error(error);
    g_assert_false(rmil_table_number(table, 0, 1, &x, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "\"1,5\" is not a number");
    g_assert_cmpint(rmil_table_line(table, 2), ==, 5); /* the line end in the quotes counts */
}

/* A spreadsheet runs no cell that we write; what is read again is what was written. */
static void test_formulas(void) {
    static const struct {
        const char *field, *written;
    } cells[] = {
        {"=1+1", "'=1+1"},
        {"=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
        {"@SUM(1)", "'@SUM(1)"},
        {"+1|'x'!A", "'+1|'x'!A"},
        {"-2+3", "'-2+3"},
        {"'=1", "''=1"},
        {"-1.5e-3", "-1.5e-3"},
        {"+7", "+7"},
        {"-", "-"},
        {"@home", "@home"},
        {"-12 A.b", "-12 A.b"},
        {"'s", "'s"},
        {"a=b", "a=b"},
        {"-ü", "-ü"},
    };
    g_autofree char *folder = test_folder();
    g_autoptr(RmilCsv) csv = rmil_csv_new("id,cell");
    g_autoptr(GString) expected = g_string_new("id,cell\n");
    for (gsize i = 0; i < G_N_ELEMENTS(cells); i++) {
        rmil_csv_text(csv, "x");
        rmil_csv_text(csv, cells[i].field);
        rmil_csv_end(csv);
        g_string_append_printf(expected, "x,%s\n", cells[i].written);
    }
    g_autofree char *text = written(csv, folder), *path = g_build_filename(folder, "written.csv", NULL);
    g_assert_cmpstr(text, ==, expected->str);
    GError *error = NULL;
    g_autoptr(RmilTable) table = rmil_table_read(path, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(cells); i++) g_assert_cmpstr(rmil_table_cell(table, (int64_t)i, 1), ==, cells[i].field);
}

static gpointer write_pipe(gpointer path) {
    FILE *file = g_fopen(path, "wb");
    g_assert_true(file && fputs("id,x\na,1\n", file) >= 0 && fclose(file) == 0);
    return NULL;
}

/* A pipe is read to its end. */
static void test_pipe(void) {
    g_autofree char *folder = test_folder(), *pipe = g_build_filename(folder, "pipe", NULL);
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    GThread *writer = g_thread_new("writer", write_pipe, pipe);
    GError *error = NULL;
    g_autoptr(RmilTable) table = rmil_table_read(pipe, &error);
    g_thread_join(writer);
    g_assert_no_error(error);
    g_assert_cmpstr(rmil_table_cell(table, 0, 0), ==, "a");
}

static void test_table_bad(void) {
    const struct {
        const char *text, *message;
    } cases[] = {{"", "is empty"},
                 {"a,b\n1,2\n3\n", "line 3 has 1 fields"},
                 {"a,b\n\"1,2\n", "line 2: a quotation mark"},
                 {"a,b\n1,x\"y\n", "line 2: a quotation mark"},
                 {"a,a\n1,2\n", "two columns"},
                 {"a,b\n1,2,3\n", "line 2 has 3 fields"},
                 {"a;b\n1;2;3\n", "line 2 has 3 fields"},
                 {"PK\003\004", "is a spreadsheet workbook, not a text table: save it as \"CSV UTF-8\""},
                 {"a\r\xff\r", "line 2 is not UTF-8 text: save it as \"CSV UTF-8\""},
                 {"a\n\xff\n", "line 2 is not UTF-8"}};
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "bad.csv", cases[i].text);
        GError *error = NULL;
        g_assert_null(rmil_table_read(path, &error));
        test_error(&error, RMIL_ERROR_FORMAT, cases[i].message);
    }
}

/* JSON as Python and QuPath write it is read; what would exhaust the stack is refused. */
static void test_json(void) {
    const struct {
        const char *text, *message; /* NULL: is read, and holds this as "a": 1 */
    } cases[] = {
        {"{\"a\": 1}", NULL},
        {"\xef\xbb\xbf{\"a\": 1}\r\n", NULL},
        {"{\"b\": [NaN, -Infinity, Infinity, \"NaN \\\" [[ Infinity\"], \"a\": 1}", NULL},
        {"", "is not well-formed JSON"},
        {"{\"a\": 1", "is not well-formed JSON"},
        {"{\"a\": \"1\\", "is not well-formed JSON"},
        {"{\"a\": NaNs}", "is not well-formed JSON"},
        {"[1]", "is JSON, but not an object"},
        {"{\"a\": \"\xff\"}", "is not UTF-8 text"},
        {"{\"a\": \"more than eighty bytes are more than eighty bytes, which is more than eighty\"}", "85 bytes, but at most 80"},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, "a.json", cases[i].text);
        GError *error = NULL;
        g_autoptr(JsonNode) root = rmil_json_read(path, 80, &error);
        if (!cases[i].message) {
            g_assert_no_error(error);
            g_assert_cmpint(json_object_get_int_member(json_node_get_object(root), "a"), ==, 1);
            continue;
        }
        g_assert_null(root);
        g_assert_nonnull(strstr(error->message, "a.json: "));
        test_error(&error, RMIL_ERROR_FORMAT, cases[i].message);
    }
    for (int depth = 32; depth <= 33; depth++) {
        g_autofree char *open = g_strnfill((gsize)depth, '['), *shut = g_strnfill((gsize)depth, ']'), *text = g_strconcat(open, shut, NULL);
        GError *error = NULL;
        g_autoptr(JsonNode) root = rmil_json_parse(text, strlen(text), "x", &error);
        g_assert_true((root != NULL) == (depth <= 32));
        if (!root) test_error(&error, RMIL_ERROR_FORMAT, "x: is nested more than 32 levels deep");
    }
}

/* What a process left that was still dying when the next one wrote is swept up; what a living one writes stays. */
static void test_sweep(void) {
    g_autofree char *folder = test_folder(), *program = g_find_program_in_path("true");
    g_autofree char *living = g_build_filename(folder, "b", NULL), *own = rmil_file_begin(living, NULL);
    char *arguments[] = {program, NULL};
    GPid pid;
    g_assert_true(g_spawn_async(NULL, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL));
    g_autofree char *host = g_strdup_printf(".%s-", g_get_host_name()), *name = g_strdup_printf(".a.h5%s%ld-0.part", host, (long)pid);
    g_autofree char *left = test_file(folder, name, "half"), *kept = test_file(folder, "a.h5", "whole");
    rmil_folder_sweep(folder);
    g_assert_true(g_file_test(left, G_FILE_TEST_EXISTS)); /* a process that nobody has waited for is not dead */
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    rmil_folder_sweep(folder);
    g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(kept, G_FILE_TEST_EXISTS) && g_file_test(own, G_FILE_TEST_EXISTS));
    rmil_file_abandon(g_steal_pointer(&own));
}

/* A folder that others remove whenever it is empty: every file is written, every lock taken. */
static gint removing;
static gpointer remove_empty(gpointer folder) {
    for (; g_atomic_int_get(&removing); g_usleep(20)) g_rmdir(folder);
    return NULL;
}

static void test_folder_goes(void) {
    g_autofree char *root = test_folder(), *folder = g_build_filename(root, "passing", NULL),
                    *path = g_build_filename(folder, "file", NULL);
    GError *error = NULL;
    g_atomic_int_set(&removing, TRUE);
    GThread *thread = g_thread_new("remove", remove_empty, folder);
    for (int i = 0; i < 3000; i++) {
        rmil_file_write(path, "x", 1, &error);
        g_assert_no_error(error);
        g_assert_cmpint(g_unlink(path), ==, 0);
        RmilLock *lock = rmil_lock_take(folder, ".claim", RMIL_LOCK_TRY, "a test", NULL, &error);
        g_assert_no_error(error);
        rmil_lock_free(lock);
    }
    g_atomic_int_set(&removing, FALSE);
    g_thread_join(thread);
}

static gpointer let_go(gpointer lock) {
    rmil_lock_free(lock);
    return NULL;
}

/* Two who share a lock let go of it at once: the last one takes the file away, whichever that is. */
static void test_lock_let_go(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, ".lock", NULL);
    for (int round = 0; round < 2000; round++) {
        RmilLock *locks[2];
        GThread *threads[2];
        for (int i = 0; i < 2; i++) g_assert_nonnull(locks[i] = rmil_lock_share(folder, ".lock", "terms", "one of two", NULL, NULL));
        for (int i = 0; i < 2; i++) threads[i] = g_thread_new("let-go", let_go, locks[i]);
        for (int i = 0; i < 2; i++) g_thread_join(threads[i]);
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    }
}

/* A process that was killed while its child, hardly begun, holds the same files: the lock is free as soon as that one is gone. */
static void test_lock_of_the_dead(void) {
    g_autofree char *folder = test_folder();
    GError *error = NULL;
    int status;
    const pid_t holder = fork();
    if (holder == 0) {
        if (!rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "one that is killed", NULL, NULL)) _exit(1);
        if (fork() == 0) {
            g_usleep(300000);
            _exit(0);
        }
        kill(getpid(), SIGKILL);
    }
    siginfo_t ended;
    g_assert_cmpint(waitid(P_PID, (id_t)holder, &ended, WEXITED | WNOWAIT), ==, 0); /* dead, but nobody has taken notice */
    g_autoptr(RmilLock) lock = rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "the next", NULL, &error);
    g_assert_no_error(error);
    g_assert_null(rmil_lock_take(folder, ".lock", RMIL_LOCK_ALONE, "a third", NULL, &error)); /* whose holder lives */
    test_error(&error, RMIL_ERROR_IO, "is in use by the next");
    g_assert_cmpint(waitpid(holder, &status, 0), ==, holder);
    g_assert_true(WIFSIGNALED(status));
}

/* One cell, and every other byte stays. */
static void test_table_put(void) {
    static const struct {
        const char *before, *column, *text, *after;
        int64_t row;
    } cases[] = {
        {"a,b\n1,2\n3,4\n", "b", "x", "a,b\n1,2\n3,x\n", 1},
        {"a,b\r\n\"x\r\n y\",2\r\n\r\n3,4", "a", "q,\"r", "a,b\r\n\"q,\"\"r\",2\r\n\r\n3,4", 0},
        {"sep=;\na;b\n1,5;2\n", "c", "z", "sep=;\na;b;c\n1,5;2;z\n", 0},
        {"\xef\xbb\xbf"
         "a,b,\n1,\n,,\n2,3\n",
         "b", "=1+1",
         "\xef\xbb\xbf"
         "a,b,\n1,'=1+1\n,,\n2,3\n",
         0},
        {"a\tb\n1\t2\n", "b", "", "a\tb\n1\t\n", 0},
    };
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        g_autofree char *path = test_file(folder, "put.csv", cases[i].before);
        g_autoptr(RmilTable) table = rmil_table_read(path, NULL);
        g_assert_nonnull(table);
        g_assert_true(rmil_table_put(path, cases[i].row, cases[i].column, cases[i].text, &error));
        g_autofree char *after = test_bytes(folder, "put.csv", NULL);
        g_assert_cmpstr(after, ==, cases[i].after);
        g_assert_false(rmil_table_put(path, 9, "a", "", &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "has no row 10");
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/file/sweep", test_sweep);
    g_test_add_func("/base/rng", test_rng);
    g_test_add_func("/base/file/atomic", test_file_atomic);
    g_test_add_func("/base/file/full", test_file_full);
    g_test_add_func("/base/file/planted", test_file_planted);
    g_test_add_func("/base/file/names", test_file_names);
    g_test_add_func("/base/parallel", test_parallel);
    g_test_add_func("/base/table", test_table);
    g_test_add_func("/base/table/bad", test_table_bad);
    g_test_add_func("/base/table/spreadsheets", test_spreadsheets);
    g_test_add_func("/base/table/written", test_csv);
    g_test_add_func("/base/table/formulas", test_formulas);
    g_test_add_func("/base/table/pipe", test_pipe);
    g_test_add_func("/base/json", test_json);
    g_test_add_func("/base/folder-goes", test_folder_goes);
    g_test_add_func("/base/lock-let-go", test_lock_let_go);
    g_test_add_func("/base/lock-of-the-dead", test_lock_of_the_dead);
    g_test_add_func("/base/table/put", test_table_put);
    return g_test_run();
}
