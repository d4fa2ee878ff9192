/* SPDX-License-Identifier: Apache-2.0 */
/* What a long function reports to its caller. */
#include "base-private.h"

void rmil_monitor_progress(const RmilMonitor *monitor, const char *what, int64_t done, int64_t total) {
    if (monitor && monitor->progress) monitor->progress(monitor->user, what, done, total);
}

G_GNUC_PRINTF(3, 0)
static void tell(const RmilMonitor *monitor, void (*function)(gpointer user, const char *text), const char *format, va_list arguments) {
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    function(monitor->user, text);
}

void rmil_monitor_note(const RmilMonitor *monitor, const char *format, ...) {
    if (!monitor || !monitor->note) return;
    va_list arguments;
    va_start(arguments, format);
    tell(monitor, monitor->note, format, arguments);
    va_end(arguments);
}

void rmil_monitor_warn(const RmilMonitor *monitor, const char *format, ...) {
    if (!monitor || !monitor->warn) return;
    va_list arguments;
    va_start(arguments, format);
    tell(monitor, monitor->warn, format, arguments);
    va_end(arguments);
}

void rmil_monitor_problem(const RmilMonitor *monitor, const char *stage, const char *id, const GError *error) {
    if (!monitor) return;
    if (monitor->problem) monitor->problem(monitor->user, stage, id, error);
    else if (id) rmil_monitor_warn(monitor, "%s: %s: %s", stage, id, error->message);
    else rmil_monitor_warn(monitor, "%s: %s", stage, error->message);
}

void rmil_monitor_done(const RmilMonitor *monitor, const char *stage, int64_t made, int64_t kept, gint64 since) {
    if (monitor && monitor->done)
        monitor->done(monitor->user, stage, made, kept, (double)(g_get_monotonic_time() - since) / G_USEC_PER_SEC);
}

/* -- gate ---------------------------------------------------------------------------------------------------------- */
struct _RmilGate {
    RmilMonitor to;
    GMutex lock;
    GHashTable *said; /* warnings */
};

static void pass_progress(gpointer user, const char *what, int64_t done, int64_t total) {
    RmilGate *gate = user;
    g_mutex_lock(&gate->lock);
    rmil_monitor_progress(&gate->to, what, done, total);
    g_mutex_unlock(&gate->lock);
}

static void pass_warning(gpointer user, const char *message) {
    RmilGate *gate = user;
    g_mutex_lock(&gate->lock);
    if (g_hash_table_add(gate->said, g_strdup(message))) rmil_monitor_warn(&gate->to, "%s", message);
    g_mutex_unlock(&gate->lock);
}

static void pass_note(gpointer user, const char *text) {
    RmilGate *gate = user;
    g_mutex_lock(&gate->lock);
    rmil_monitor_note(&gate->to, "%s", text);
    g_mutex_unlock(&gate->lock);
}

static void pass_problem(gpointer user, const char *stage, const char *id, const GError *error) {
    RmilGate *gate = user;
    g_mutex_lock(&gate->lock);
    rmil_monitor_problem(&gate->to, stage, id, error);
    g_mutex_unlock(&gate->lock);
}

static void pass_done(gpointer user, const char *stage, int64_t made, int64_t kept, double seconds) {
    RmilGate *gate = user;
    g_mutex_lock(&gate->lock);
    if (gate->to.done) gate->to.done(gate->to.user, stage, made, kept, seconds);
    g_mutex_unlock(&gate->lock);
}

RmilGate *rmil_gate_new(const RmilMonitor *to, RmilMonitor *monitor) {
    RmilGate *gate = g_new0(RmilGate, 1);
    if (to) gate->to = *to;
    g_mutex_init(&gate->lock);
    gate->said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    *monitor = (RmilMonitor){pass_progress, pass_warning, gate, pass_note, pass_problem, pass_done};
    return gate;
}

void rmil_gate_free(RmilGate *gate) {
    if (!gate) return;
    g_hash_table_unref(gate->said);
    g_mutex_clear(&gate->lock);
    g_free(gate);
}
