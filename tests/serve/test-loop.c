/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, without a browser: outlines that change train, the exact training follows, is interrupted and goes on. */
#include "client.h"
#include "command.h"
#include "known-run.h"

#include <glib/gstdio.h>
#include <string.h>

#define SQUARE                                                                                                                             \
    "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[256,256],[320,256],[320,320],[256,320],[256,256]]]},\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":\"Tumor\"}}}]}"

static char *root, *rerun[] = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};

static Served *serve_run(void) {
    if (!root) root = known_run();
    g_autofree char *table = g_build_filename(root, "cohort.csv", NULL), *folder = g_build_filename(root, "run", NULL);
    static GPtrArray *kept; /* what the options borrow */
    if (!kept) kept = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(kept, g_strdup(folder));
    Served *served = served_new(table, kept->pdata[kept->len - 1]);
    rmil_train_options_set(&served->training, "epochs", "12", NULL);
    rmil_train_options_set(&served->training, "learning-rate", "0.01", NULL);
    return served;
}

/* As the command line of `known_run`. */
static void set_rerun(Served *served) {
    static const char *const options[] = {"run", "cohort.csv", "-o", "run", KNOWN_RUN_OPTIONS};
    G_STATIC_ASSERT(G_N_ELEMENTS(options) + 2 <= G_N_ELEMENTS(rerun));
    g_free(rerun[0]);
    rerun[0] = g_build_filename(g_getenv("RMIL_BUILD"), "cli", "rankmil", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++) rerun[i + 1] = (char *)options[i];
    served->options.rerun = (const char *const *)rerun;
    served->options.directory = root;
}

static void wait_for(Served *served, Answer *a, const char *phase, double serial) {
    for (int i = 0; i < 3000; i++) {
        ask(served, a, "GET", "state", NULL, NULL);
        if ((!phase || g_strcmp0(answer_text(a, "loop.phase"), phase) == 0) &&
            (serial == 0 || (answer_get(a, "loop.result") && answer_number(a, "loop.result.serial") >= serial)))
            return;
        g_usleep(50000);
    }
    g_autofree char *state = a->json ? json_to_string(a->json, FALSE) : NULL;
    g_error("never %s: status %u, %s", phase ? phase : "trained", a->status, state ? state : "no JSON");
}

/* Every saved change trains; what it changed is told; undone, the model before is back. */
static void test_live(void) {
    g_autoptr(Served) served = serve_run();
    served->options.live = TRUE;
    served_start(served);
    g_auto(Answer) a = {0};
    ask(served, &a, "PUT", "slide/p3/outlines", SQUARE, "none");
    g_assert_cmpuint(a.status, ==, 200);
    wait_for(served, &a, "idle", 1);
    const double serial = answer_number(&a, "loop.result.serial");
    g_assert_cmpstr(answer_text(&a, "loop.result.slide.id"), ==, "p3");
    g_assert_cmpfloat(answer_number(&a, "loop.result.slide.patches"), ==, 1);
    g_assert_cmpfloat(answer_number(&a, "loop.result.after"), ==, 1); /* AUROC: the slides are easy */
    g_assert_cmpfloat(answer_number(&a, "loop.result.slide.after.inside"), >, 0.5);
    ask(served, &a, "GET", "slide/p3/heat/now", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 200);
    g_assert_cmpint(json_array_get_int_element(json_node_get_array(answer_get(&a, "top")), 0), ==, 44); /* the known patch */
    ask(served, &a, "GET", "slide/p3/heat/now?by=score", NULL, NULL);
    g_assert_cmpstr(answer_text(&a, "label"), ==, "score, percentile of the patches");
    JsonArray *colours = json_node_get_array(answer_get(&a, "colours"));
    g_assert_cmpint(json_array_get_int_element(colours, 44), >=, 252); /* of 80 patches the highest: 99.4 % */
    g_assert_cmpint(json_array_get_int_element(colours, 44), >, json_array_get_int_element(colours, 43));
    ask(served, &a, "GET", "slide/p3/heat/now?by=colour", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 400);
    ask(served, &a, "POST", "undo", "{}", NULL);
    g_assert_cmpuint(a.status, ==, 200);
    ask(served, &a, "GET", "slide/p3/heat/now", NULL, NULL);
    g_assert_cmpuint(a.status, ==, 400); /* before the first there are only the record's */
    ask(served, &a, "POST", "undo", "{}", NULL);
    g_assert_cmpuint(a.status, ==, 422);
    ask(served, &a, "POST", "retrain", "{\"slide\":\"p3\",\"method\":\"abmil\"}", NULL);
    wait_for(served, &a, "idle", serial + 1);
    g_assert_cmpstr(answer_text(&a, "loop.result.method"), ==, "abmil");
    ask(served, &a, "POST", "undo", "{}", NULL);
    g_assert_cmpuint(a.status, ==, 200);
    static const char *const wrong[] = {"{\"method\":\"none\"}", "{\"method\":\"dsmil\"}"};
    ask(served, &a, "POST", "retrain", wrong[0], NULL);
    g_assert_cmpuint(a.status, ==, 400);
    ask(served, &a, "POST", "retrain", wrong[1], NULL); /* known, but nothing was trained with it */
    for (int i = 0; i < 100 && !answer_get(&a, "loop.error"); i++) {
        ask(served, &a, "GET", "state", NULL, NULL);
        g_usleep(20000);
    }
    g_assert_nonnull(strstr(answer_text(&a, "loop.error"), "no training of dsmil"));
}

/* Ended while the exact training is under way, it follows at the next start, and its bytes are those of `rankmil run`. */
static void test_resume(void) {
    g_auto(Answer) a = {0};
    {
        g_autoptr(Served) served = serve_run();
        set_rerun(served);
        served_start(served);
        ask(served, &a, "PUT", "slide/p4/outlines", SQUARE, "none");
        ask(served, &a, "POST", "retrain", "{\"slide\":\"p4\"}", NULL);
        wait_for(served, &a, "exact", 0);
    }
    g_assert_true(test_exists(root, "run/.view-pending"));
    g_autoptr(Served) served = serve_run();
    set_rerun(served);
    served_start(served);
    wait_for(served, &a, "exact", 0);
    wait_for(served, &a, "idle", 0);
    g_assert_null(answer_get(&a, "loop.error"));
    g_assert_false(test_exists(root, "run/.view-pending"));
    double total[2] = {0};
    guint count[2], falls[2] = {0};                    /* neighbours that are in order */
    for (int mistakes = 0; mistakes < 2; mistakes++) { /* the same slides; of mistakes from the worst on */
        ask(served, &a, "GET", mistakes ? "next?order=mistakes" : "next", NULL, NULL);
        g_assert_cmpuint(a.status, ==, 200);
        JsonArray *list = json_node_get_array(a.json);
        count[mistakes] = json_array_get_length(list);
        for (guint i = 0; i < count[mistakes]; i++) {
            const double gain = json_object_get_double_member(json_array_get_object_element(list, i), "gain");
            total[mistakes] += gain;
            falls[mistakes] += i && gain <= json_object_get_double_member(json_array_get_object_element(list, i - 1), "gain");
        }
    }
    g_assert_cmpuint(count[0], >, 2);
    g_assert_cmpuint(count[0], ==, count[1]);
    g_assert_cmpfloat_with_epsilon(total[0], total[1], 1e-9);
    g_assert_cmpuint(falls[1], ==, count[1] - 1);
}

/* Without a page: a file that QuPath saved is trained on, and the slide's overlay is written. */
static void test_watch(void) {
    g_autoptr(Served) served = serve_run();
    served->options.watch = TRUE;
    served_start(served);
    g_assert_null(rmil_serve_address(served->serve));
    g_assert_false(test_exists(root, "run/overlays/rank/p2.geojson"));
    g_usleep(100000);
    g_free(test_file(root, "p2.geojson", SQUARE "\n"));
    for (int i = 0; i < 300 && !test_exists(root, "run/overlays/rank/p2.geojson"); i++) g_usleep(50000);
    g_autofree char *overlay = test_bytes(root, "run/overlays/rank/p2.geojson", NULL);
    g_assert_cmpint(test_count(overlay, "\"objectType\":\"tile\""), ==, 80);
}

/* What changed while nothing watched is trained on at the start, and what did not change is not. */
static void test_missed(void) {
    g_auto(Outcome) o = {0};
    command_run(&o, root, "run", "cohort.csv", "-o", "run", KNOWN_RUN_OPTIONS, NULL); /* all that the tests before outlined */
    command_expect(&o, 0, "");
    command_shell(&o, root, "rm -rf run/overlays");
    {
        g_autoptr(Served) served = serve_run();
        served->options.watch = TRUE;
        served_start(served);
        g_usleep(1500000);
        g_assert_false(test_exists(root, "run/overlays"));
    }
    g_free(test_file(root, "p2.geojson", SQUARE "\n\n"));
    g_autoptr(Served) served = serve_run();
    served->options.watch = TRUE;
    served_start(served);
    for (int i = 0; i < 300 && !test_exists(root, "run/overlays/rank/p2.geojson"); i++) g_usleep(50000);
    g_assert_true(test_exists(root, "run/overlays/rank/p2.geojson"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/loop/live", test_live);
    g_test_add_func("/loop/resume", test_resume);
    g_test_add_func("/loop/watch", test_watch);
    g_test_add_func("/loop/missed", test_missed);
    return g_test_run();
}
