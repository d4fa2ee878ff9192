/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that are killed at a moment that nobody chose: run again they make what they would have made. RMIL_KILLS=N: so many kills of each
 * instead of 2. */
#include "serve/client.h"
#include "trial.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>

static const TrialCommand commands[] = {
    {"tile and encode", "encode ../base/slides/cohort.csv -o out", {"out/features/*.h5", "out/tiles/*.h5", "out/cohort.csv"}},
    {"train",
     "train ../base/features/cohort.csv -o out --guide rank --epochs 40 --warmup 1",
     {"out/model.safetensors", "out/predictions.csv", "out/history.csv"}},
    {"run",
     "run ../base/cohort/cohort.csv -o out --methods abmil,rank --repeats 2 --heatmaps 1 --epochs 10 --warmup 1",
     {"out/runs/*/*/model.safetensors", "out/runs/*/*/*.csv", "out/features/*.h5"}},
    {"study",
     "study learning-rate ../base/features/cohort.csv -o out --set seeds=2 --set epochs=10 --set warmup=1 --set values=[[0.001],[0.01]]",
     {"out/tables/*.csv"}},
};

/* -- commands ------------------------------------------------------------------------------------------------------------------------- */
/* TRUE: it was killed before it ended. */
static gboolean kill_after(const TrialCommand *command, const char *folder, double seconds) {
    g_autofree char *script = trial_script(command, "");
    g_autofree char *whole = g_strdup_printf("(%s) >log 2>&1 & child=$!; sleep %.4f; kill -9 $child 2>/dev/null; wait $child", script,
                                             seconds);
    g_auto(Outcome) outcome = {0};
    command_shell(&outcome, folder, whole);
    if (outcome.status != 0 && outcome.status != 128 + SIGKILL) {
        g_autofree char *log = test_bytes(folder, "log", NULL);
        g_error("%s, killed after %.4f s: status %d\n%s", command->name, seconds, outcome.status, log);
    }
    return outcome.status != 0;
}

/* One folder is killed in three times before it may end: what is left over piles up. */
static void test_command(gconstpointer user) {
    const TrialCommand *command = user;
    const int kills = trial_places("RMIL_KILLS", 2);
    double seconds;
    g_autofree char *expected = trial_expected(command, &seconds);
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)g_get_real_time(), 0); /* moments differ from run to run anyhow */
    int done = 0, tried = 0;
    while (done < kills) {
        g_autofree char *folder = trial_folder();
        for (int i = 0; i < 3 && done < kills; i++, tried++) done += kill_after(command, folder, rmil_rng_uniform(&rng) * seconds);
        trial_finish(command, folder, expected, "kills");
        trial_forget(folder);
        g_assert_cmpint(tried, <, 20 * kills + 20);
    }
    g_test_message("%s: %d kills in %d trials, of %.1f s", command->name, done, tried, seconds);
}

/* -- what the page saves --------------------------------------------------------------------------------------------------------------- */
/* The n-th version of an outline is a square of side 100 + n. */
static char *version(int n) {
    return g_strdup_printf(
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
        "[[[0,0],[%d,0],[%d,%d],[0,%d],[0,0]]]},\"properties\":{\"objectType\":\"annotation\",\"n\":%d,\"classification\":"
        "{\"name\":\"Tumor\"}}}]}",
        100 + n, 100 + n, 100 + n, 100 + n, n);
}

static const char *const saved = "base/slides/annotations/killed.geojson";

typedef struct {
    GSubprocess *process;
    char *address;
    int first, saved; /* versions: the first to be sent, the last that was answered with "it is saved" */
} Page;

static void open_page(Page *page) {
    g_autofree char *command = g_getenv("RMIL_COMMAND") ? g_strdup(g_getenv("RMIL_COMMAND"))
                                                        : g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL);
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE);
    GError *error = NULL;
    g_subprocess_launcher_set_cwd(launcher, trial_home());
    page->process = g_subprocess_launcher_spawn(launcher, &error, command, "view", "base/slides/killed.csv", "--port", "0", NULL);
    g_assert_no_error(error);
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(page->process));
    g_clear_pointer(&page->address, g_free);
    for (char *line; !page->address && (line = g_data_input_stream_read_line(lines, NULL, NULL, NULL)); g_free(line))
        if (strstr(line, "http://")) page->address = g_strconcat(g_strstrip(strstr(line, "http://")), "slide/killed/outlines", NULL);
    g_assert_nonnull(page->address);
}

static void close_page(Page *page, int number) {
    g_subprocess_send_signal(page->process, number);
    g_subprocess_wait(page->process, NULL, NULL);
    g_clear_object(&page->process);
}

/* Saves one version after the other until nobody answers. */
static gpointer save_on(gpointer user) {
    Page *page = user;
    g_auto(Answer) answer = {0};
    ask_at(&answer, "GET", page->address, NULL, NULL);
    g_autofree char *etag = g_strdup(answer_text(&answer, "etag"));
    for (int n = page->first; etag; n++) {
        g_autofree char *body = version(n);
        ask_at(&answer, "PUT", page->address, body, etag);
        if (answer.status == 200) page->saved = n;
        g_free(etag);
        etag = answer.status == 200 ? g_strdup(answer_text(&answer, "etag")) : NULL;
    }
    return NULL;
}

/* Which version the file is; whole, or the test fails. −1: there is none. */
static int saved_version(void) {
    if (!test_exists(trial_home(), saved)) return -1;
    gsize size;
    GError *error = NULL;
    g_autofree char *text = test_bytes(trial_home(), saved, &size);
    g_autoptr(JsonNode) node = rmil_json_parse(text, size, saved, &error);
    g_assert_no_error(error);
    const char *at = strstr(text, "\"n\":");
    g_assert_nonnull(at);
    const int n = (int)g_ascii_strtoll(at + 4, NULL, 10);
    g_autofree char *body = version(n);
    g_autoptr(JsonNode) same = rmil_json_parse(body, strlen(body), "body", NULL);
    g_assert_true(json_node_equal(node, same));
    return n;
}

/* Whatever the page was told is saved is in the file, or a later version is; the table can be read; the next server goes on. */
static void test_saving(void) {
    const int kills = trial_places("RMIL_KILLS", 2);
    g_auto(Outcome) outcome = {0};
    command_shell(
        &outcome, trial_home(),
        "cd base/slides; { echo id,slide,label; sed -n 2p cohort.csv | sed 's/^[^,]*,\\([^,]*\\),.*/killed,\\1,1/'; } >killed.csv; cat killed.csv");
    Page page = {.saved = -1};
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)g_get_real_time(), 1);
    for (int i = 0; i < kills; i++) {
        page.first = page.saved + 1;
        open_page(&page);
        GThread *thread = g_thread_new("page", save_on, &page);
        g_usleep((gulong)(rmil_rng_uniform(&rng) * 400000));
        close_page(&page, SIGKILL);
        g_thread_join(thread);
        const int n = saved_version();
        g_assert_cmpint(n, >=, page.saved);
        g_assert_cmpint(n, <=, page.saved + 1); /* saved, and killed before it could say so */
        page.saved = n;
    }
    open_page(&page);
    g_auto(Answer) answer = {0};
    ask_at(&answer, "GET", page.address, NULL, NULL);
    g_autofree char *etag = g_strdup(answer_text(&answer, "etag")), *body = version(page.saved + 1);
    ask_at(&answer, "PUT", page.address, body, etag);
    g_assert_cmpuint(answer.status, ==, 200);
    close_page(&page, SIGTERM);
    g_assert_cmpint(saved_version(), ==, page.saved + 1);
    command_shell(&outcome, trial_home(), "cat base/slides/killed.csv; find base/slides -name '*.part'");
    g_test_message("view: %d kills, %d versions saved", kills, page.saved + 2);
    g_assert_true(g_str_has_suffix(outcome.out, ",1,annotations/killed.geojson\n")); /* and nothing behind it */
    g_free(page.address);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    trial_begin();
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *name = g_strdelimit(g_strdup_printf("/kills/%s", commands[i].name), " ", '-');
        g_test_add_data_func(name, &commands[i], test_command);
    }
    g_test_add_func("/kills/saving", test_saving);
    const int status = g_test_run();
    trial_end();
    return status;
}
