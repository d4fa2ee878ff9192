/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: outlines change, a quick training shows the effect, the exact training follows in the background. */
#include "loop.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define PENDING ".view-pending" /* in the run's folder: the exact training on the current outlines is still to be done */

/* -- seen by other threads ------------------------------------------------------------------------------------------------------------- */
void rmil_quick_unref(RmilQuick *quick) {
    if (!quick || !g_atomic_ref_count_dec(&quick->users)) return;
    rmil_model_free(quick->model);
    g_free(quick);
}

RmilQuick *rmil_loop_quick(struct RmilLoop *loop) {
    g_mutex_lock(&loop->lock);
    RmilQuick *quick = loop->quick;
    if (quick) g_atomic_ref_count_inc(&quick->users);
    g_mutex_unlock(&loop->lock);
    return quick;
}

void rmil_loop_say(struct RmilLoop *loop, RmilLoopPhase phase, const char *error) {
    g_mutex_lock(&loop->lock);
    loop->phase = phase;
    loop->since = g_get_monotonic_time();
    loop->done = loop->total = 0;
    g_clear_pointer(&loop->note, g_free);
    g_clear_pointer(&loop->doing, g_free);
    if (phase != RMIL_LOOP_IDLE || error) {
        g_free(loop->error);
        loop->error = g_strdup(error);
    }
    g_mutex_unlock(&loop->lock);
    g_mutex_lock(&loop->desk->lock);
    rmil_desk_touch(loop->desk);
    g_mutex_unlock(&loop->desk->lock);
}

JsonNode *rmil_loop_state(struct RmilLoop *loop) {
    static const char *const phases[] = {"idle", "loading", "quick", "exact"};
    JsonObject *out = json_object_new();
    g_mutex_lock(&loop->lock);
    json_object_set_string_member(out, "phase", phases[loop->phase]);
    json_object_set_int_member(out, "done", loop->done);
    json_object_set_int_member(out, "total", loop->total);
    rmil_json_put(out, "seconds", (double)(g_get_monotonic_time() - loop->since) / G_USEC_PER_SEC);
    json_object_set_boolean_member(out, "exactPending", loop->exact_wanted);
    json_object_set_boolean_member(out, "undo", loop->quick != NULL);
    if (loop->doing) json_object_set_string_member(out, "doing", loop->doing);
    if (loop->note) json_object_set_string_member(out, "note", loop->note);
    if (loop->error) json_object_set_string_member(out, "error", loop->error);
    if (loop->result) json_object_set_member(out, "result", json_node_copy(loop->result));
    g_mutex_unlock(&loop->lock);
    return rmil_json_of_object(out);
}

/* -- requests -------------------------------------------------------------------------------------------------------------------------- */
/* The exact training makes way; it continues later from its checkpoints. Call with the lock held. */
static void interrupt(struct RmilLoop *loop) {
    if (loop->child) g_subprocess_send_signal(loop->child, SIGTERM);
}

static const RmilTrainMethod *usual_method(struct RmilLoop *loop) {
    const char *given = loop->desk->options.method;
    if (given) return rmil_method_find(given, NULL);
    g_autoptr(RmilShelf) shelf = rmil_desk_shelf(loop->desk);
    const char *found = NULL;
    for (guint i = 0; shelf && i < shelf->runs->len; i++) {
        const char *name = ((RmilTrained *)shelf->runs->pdata[i])->run->method;
        const RmilTrainMethod *method = rmil_method_find(name, NULL);
        if (!found || (method && method->reference)) found = name;
    }
    return found ? rmil_method_find(found, NULL) : NULL;
}

gboolean rmil_loop_ask(struct RmilLoop *loop, const char *name, int64_t row, GError **error) {
    const RmilTrainMethod *method = name ? rmil_method_find(name, error) : usual_method(loop);
    if (!method)
        return name ? FALSE
                    : rmil_fail(error, RMIL_ERROR_DATA,
                                "no training has finished, so there is no model to continue "
                                "from");
    g_mutex_lock(&loop->lock);
    loop->asked = method;
    if (row >= 0 || !loop->asked_before) loop->asked_row = row;
    loop->asked_before = TRUE;
    interrupt(loop);
    g_cond_signal(&loop->wake);
    g_mutex_unlock(&loop->lock);
    return TRUE;
}

gboolean rmil_loop_undo(struct RmilLoop *loop) {
    g_mutex_lock(&loop->lock);
    const gboolean can = loop->quick != NULL;
    if (can) {
        rmil_quick_unref(loop->quick);
        loop->quick = g_steal_pointer(&loop->before);
        g_clear_pointer(&loop->result, json_node_unref);
        loop->exact_wanted = loop->desk->options.rerun != NULL; /* on the current outlines */
        loop->again = loop->child != NULL;
        interrupt(loop);
        g_cond_signal(&loop->wake);
    }
    g_mutex_unlock(&loop->lock);
    g_mutex_lock(&loop->desk->lock);
    rmil_desk_touch(loop->desk);
    g_mutex_unlock(&loop->desk->lock);
    return can;
}

/* -- the exact training ---------------------------------------------------------------------------------------------------------------- */
static char *pending_path(const struct RmilLoop *loop) { return g_build_filename(loop->desk->options.folder, PENDING, NULL); }

/* The child ends whenever we do, however that happens: it has checkpoints. */
static void die_together(gpointer unused) { prctl(PR_SET_PDEATHSIG, SIGTERM); }

/* "train: epochs    34/120  5.2/s  0:17 left": done, total and what. Call with the lock held. */
static void read_progress(struct RmilLoop *loop, const char *line) {
    static GRegex *pattern;
    g_autoptr(GMatchInfo) match = NULL;
    if (!pattern) pattern = g_regex_new("^(\\S.*?) +(\\d{1,15})/(\\d{1,15})  ", G_REGEX_OPTIMIZE, 0, NULL);
    if (!g_regex_match(pattern, line, 0, &match)) return;
    g_autofree char *done = g_match_info_fetch(match, 2), *total = g_match_info_fetch(match, 3);
    loop->done = g_ascii_strtoll(done, NULL, 10);
    loop->total = g_ascii_strtoll(total, NULL, 10);
    g_free(loop->doing);
    loop->doing = g_match_info_fetch(match, 1);
}

/* Reads the child's output: shows the last line as progress, and returns the last error message. */
static char *read_lines(struct RmilLoop *loop, GInputStream *from) {
    g_autoptr(GDataInputStream) lines = g_data_input_stream_new(from);
    char *last = NULL;
    for (char *line; (line = g_data_input_stream_read_line_utf8(lines, NULL, NULL, NULL));) {
        const gboolean said = g_str_has_prefix(line, "rankmil: "); /* a warning or a problem, not progress */
        g_mutex_lock(&loop->lock);
        if (!said) {
            g_free(loop->note);
            loop->note = g_utf8_substring(line, 0, MIN(g_utf8_strlen(line, -1), 300));
            read_progress(loop, line);
        }
        g_mutex_unlock(&loop->lock);
        if (said && !g_str_has_prefix(line, "rankmil: warning")) {
            g_free(last);
            last = g_utf8_substring(line, 0, MIN(g_utf8_strlen(line, -1), 1000));
        }
        g_free(line);
    }
    return last;
}

static GSubprocess *start_child(struct RmilLoop *loop, GError **error) {
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    if (loop->desk->options.directory) g_subprocess_launcher_set_cwd(launcher, loop->desk->options.directory);
    g_subprocess_launcher_set_child_setup(launcher, die_together, NULL, NULL);
    return g_subprocess_launcher_spawnv(launcher, loop->desk->options.rerun, error);
}

static void exact(struct RmilLoop *loop) {
    g_autofree char *pending = pending_path(loop);
    g_autoptr(GError) error = NULL;
    const gint64 start = g_get_monotonic_time();
    rmil_file_write(pending, "", 0, NULL);
    rmil_loop_say(loop, RMIL_LOOP_EXACT, NULL);
    g_autoptr(GSubprocess) child = start_child(loop, &error);
    g_autofree char *why = NULL;
    if (child) {
        g_mutex_lock(&loop->lock);
        loop->child = child;
        loop->again = FALSE;
        if (loop->stop || loop->asked) interrupt(loop);
        g_mutex_unlock(&loop->lock);
        why = read_lines(loop, g_subprocess_get_stdout_pipe(child));
        g_subprocess_wait(child, NULL, NULL);
        g_mutex_lock(&loop->lock);
        loop->child = NULL;
        g_mutex_unlock(&loop->lock);
    }
    /* status 1 with a report: some slide had a problem, but everything else was done */
    const gboolean ended = child && g_subprocess_get_if_exited(child), done = ended && g_subprocess_get_exit_status(child) <= 1;
    g_mutex_lock(&loop->lock);
    const gboolean way = loop->stop || loop->asked || loop->again; /* it was interrupted */
    if (!way) loop->exact_wanted = FALSE;
    g_mutex_unlock(&loop->lock);
    if (way) return;
    if (done) g_unlink(pending);
    if (done && !rmil_desk_reopen(loop->desk, &error)) g_clear_pointer(&why, g_free);
    const gboolean whole = done && !error && g_subprocess_get_exit_status(child) == 0;
    rmil_loop_say(loop, RMIL_LOOP_IDLE, whole ? NULL : error ? error->message : why ? why : "the exact training failed");
    if (whole) rmil_monitor_done(&loop->desk->work->monitor, "exact", 1, 0, start);
    if (!whole) rmil_monitor_warn(&loop->desk->work->monitor, "exact training: %s", loop->error);
    if (whole) rmil_loop_kept(loop);
}

/* The models in the record now belong to these outlines: drops the quick model. */
void rmil_loop_kept(struct RmilLoop *loop) {
    g_mutex_lock(&loop->lock);
    g_clear_pointer(&loop->before, rmil_quick_unref);
    g_clear_pointer(&loop->quick, rmil_quick_unref);
    loop->exact_done++;
    g_mutex_unlock(&loop->lock);
    g_mutex_lock(&loop->desk->lock);
    rmil_desk_touch(loop->desk);
    g_mutex_unlock(&loop->desk->lock);
}

/* -- the thread ------------------------------------------------------------------------------------------------------------------------ */
static gpointer run(gpointer data) {
    struct RmilLoop *loop = data;
    g_mutex_lock(&loop->lock);
    while (!loop->stop) {
        if (loop->asked) {
            const RmilTrainMethod *method = g_steal_pointer(&loop->asked);
            const int64_t row = loop->asked_row;
            loop->asked_before = FALSE;
            g_mutex_unlock(&loop->lock);
            g_autoptr(GError) error = NULL;
            const gint64 start = g_get_monotonic_time();
            const gboolean done = rmil_loop_train(loop, method, row, &error);
            if (done) rmil_monitor_done(&loop->desk->work->monitor, "quick", 1, 0, start);
            else rmil_monitor_warn(&loop->desk->work->monitor, "quick training of %s: %s", method->name, error->message);
            rmil_loop_say(loop, RMIL_LOOP_IDLE, error ? error->message : NULL);
            g_mutex_lock(&loop->lock);
            if ((done || loop->exact_alone) && loop->desk->options.rerun) loop->exact_wanted = TRUE;
        } else if (loop->exact_wanted) {
            g_mutex_unlock(&loop->lock);
            exact(loop);
            g_mutex_lock(&loop->lock);
        } else {
            g_cond_wait(&loop->wake, &loop->lock);
        }
    }
    g_mutex_unlock(&loop->lock);
    return NULL;
}

struct RmilLoop *rmil_loop_new(RmilDesk *desk) {
    struct RmilLoop *loop = g_new0(struct RmilLoop, 1);
    loop->desk = desk;
    g_mutex_init(&loop->lock);
    g_cond_init(&loop->wake);
    loop->rows = g_hash_table_new(g_str_hash, g_str_equal);
    g_autofree char *pending = pending_path(loop);
    loop->exact_wanted = desk->options.rerun && g_file_test(pending, G_FILE_TEST_EXISTS);
    loop->thread = g_thread_new("loop", run, loop);
    return loop;
}

void rmil_loop_free(struct RmilLoop *loop) {
    if (!loop) return;
    g_mutex_lock(&loop->lock);
    loop->stop = TRUE;
    interrupt(loop);
    g_cond_signal(&loop->wake);
    g_mutex_unlock(&loop->lock);
    g_thread_join(loop->thread);
    rmil_loop_forget(loop);
    g_hash_table_unref(loop->rows);
    rmil_quick_unref(loop->quick);
    rmil_quick_unref(loop->before);
    g_clear_pointer(&loop->result, json_node_unref);
    g_free(loop->note);
    g_free(loop->doing);
    g_free(loop->error);
    g_mutex_clear(&loop->lock);
    g_cond_clear(&loop->wake);
    g_free(loop);
}
