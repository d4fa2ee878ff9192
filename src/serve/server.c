/* SPDX-License-Identifier: Apache-2.0 */
/* The server: a bounded number of connections, requests checked by the guard and answered by worker threads, and changes of files. */
#include "server.h"

#include "loop.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>

struct _RmilServe {
    RmilDesk *desk;
    RmilMonitor monitor;
    RmilGuard guard;
    GMainContext *context;
    GMainLoop *loop;
    SoupServer *soup; /* NULL: not listening */
    GSocketService *service;
    int connections;
    GThreadPool *workers;
    char *address;
    GPtrArray *monitors; /* GFileMonitor, of the folders with annotations */
    GHashTable *watched; /* their paths */
    GSource *look;       /* files have changed: examined once they have been quiet for a moment */
};

void rmil_serve_options_init(RmilServeOptions *options) { *options = (RmilServeOptions){0}; }

/* -- answers --------------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    RmilServe *serve;
    SoupServerMessage *message;
    RmilRequest request;
    RmilReply reply;
    gint gone; /* the browser no longer waits */
} Job;

static void add_headers(SoupServerMessage *message, gboolean keeps) {
    static const char *const fixed[][2] = {
        {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                                    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"}};
    SoupMessageHeaders *headers = soup_server_message_get_response_headers(message);
    for (gsize i = 0; i < G_N_ELEMENTS(fixed); i++) soup_message_headers_replace(headers, fixed[i][0], fixed[i][1]);
    soup_message_headers_replace(headers, "Cache-Control", keeps ? "private, max-age=3600" : "no-store");
}

static void free_job(Job *job) {
    g_object_unref(job->message);
    g_strfreev(job->request.path);
    g_clear_pointer(&job->request.query, g_hash_table_unref);
    g_clear_pointer(&job->request.body, g_bytes_unref);
    g_free(job->request.etag);
    g_clear_pointer(&job->reply.body, g_bytes_unref);
    g_free(job);
}

static gboolean answer(gpointer data) {
    Job *job = data;
    if (!g_atomic_int_get(&job->gone)) {
        soup_server_message_set_status(job->message, job->reply.status, NULL);
        add_headers(job->message, job->reply.keeps);
        soup_message_headers_replace(soup_server_message_get_response_headers(job->message), "Content-Type", job->reply.type);
        /* libsoup keeps a connection that a client closes after an answer until the socket's timeout: if there are many connections, closes
         * after each answer */
        if (job->serve->connections > RMIL_CONNECTIONS / 2)
            soup_message_headers_replace(soup_server_message_get_response_headers(job->message), "Connection", "close");
        soup_message_body_append_bytes(soup_server_message_get_response_body(job->message), job->reply.body);
        soup_server_message_unpause(job->message);
    }
    g_signal_handlers_disconnect_by_data(job->message, job);
    free_job(job);
    return G_SOURCE_REMOVE;
}

static void work(gpointer data, gpointer user) {
    Job *job = data;
    if (!g_atomic_int_get(&job->gone)) rmil_route(&job->request, &job->reply);
    g_autoptr(GSource) source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, answer, job, NULL);
    g_source_attach(source, job->serve->context);
}

static void went_away(SoupServerMessage *message, gpointer data) { g_atomic_int_set(&((Job *)data)->gone, 1); }

/* -- requests -------------------------------------------------------------------------------------------------------------------------- */
static void at_headers(SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user) {
    RmilServe *serve = user;
    add_headers(message, FALSE);
    g_autofree char *rest = rmil_guard_path(&serve->guard, message);
}

static char **split_path(const char *path) {
    g_autoptr(GPtrArray) pieces = g_ptr_array_new();
    g_auto(GStrv) raw = g_strsplit(path, "/", 12);
    if (!raw[0]) g_ptr_array_add(pieces, g_strdup("")); /* the page itself */
    for (int i = 0; raw[i]; i++) {
        char *piece = g_uri_unescape_string(raw[i], NULL);
        g_ptr_array_add(pieces, piece && g_utf8_validate(piece, -1, NULL) ? piece : (g_free(piece), g_strdup("")));
    }
    g_ptr_array_add(pieces, NULL);
    return (char **)g_ptr_array_steal(pieces, NULL);
}

static void at_request(SoupServer *soup, SoupServerMessage *message, const char *path, GHashTable *query, gpointer user) {
    RmilServe *serve = user;
    g_autofree char *rest = rmil_guard_path(&serve->guard, message);
    if (!rest) return;
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    Job *job = g_new0(Job, 1);
    job->serve = serve;
    job->message = g_object_ref(message);
    job->request = (RmilRequest){.desk = serve->desk,
                                 .method = soup_server_message_get_method(message),
                                 .path = split_path(rest),
                                 .query = query ? g_hash_table_ref(query) : NULL,
                                 .body = soup_message_body_flatten(soup_server_message_get_request_body(message)),
                                 .etag = g_strdup(soup_message_headers_get_one(headers, "If-Match")),
                                 .row = -1};
    g_signal_connect(message, "disconnected", G_CALLBACK(went_away), job);
    soup_server_message_pause(message);
    g_thread_pool_push(serve->workers, job, NULL);
}

/* -- connections ----------------------------------------------------------------------------------------------------------------------- */
static void closed(gpointer data, GObject *where) { ((RmilServe *)data)->connections--; }

static gboolean incoming(GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user) {
    RmilServe *serve = user;
    if (serve->connections >= RMIL_CONNECTIONS) {
        rmil_guard_refuse(&serve->guard, RMIL_REFUSED_CROWD, NULL);
        g_io_stream_close(G_IO_STREAM(connection), NULL, NULL);
        return TRUE;
    }
    g_socket_set_timeout(g_socket_connection_get_socket(connection), RMIL_IDLE_SECONDS);
    g_tcp_connection_set_graceful_disconnect(G_TCP_CONNECTION(connection), FALSE);
    g_socket_set_option(g_socket_connection_get_socket(connection), 6 /* IPPROTO_TCP */, 1 /* TCP_NODELAY */, 1, NULL);
    g_autoptr(GSocketAddress) local = g_socket_connection_get_local_address(connection, NULL);
    g_autoptr(GSocketAddress) remote = g_socket_connection_get_remote_address(connection, NULL);
    serve->connections++;
    g_object_weak_ref(G_OBJECT(connection), closed, serve);
    soup_server_accept_iostream(serve->soup, G_IO_STREAM(connection), local, remote, NULL);
    return TRUE;
}

static gboolean bind_port(RmilServe *serve, const char *listen, int port, GError **error) {
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(listen);
    if (!address) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--listen %s: is not an address such as 127.0.0.1", listen);
    g_autoptr(GSocketAddress) wanted = g_inet_socket_address_new(address, (guint16)port);
    GSocketAddress *got = NULL;
    GError *reason = NULL;
    serve->service = g_socket_service_new();
    g_socket_listener_set_backlog(G_SOCKET_LISTENER(serve->service), 128);
    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(serve->service), wanted, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &got,
                                       &reason)) {
        const gboolean taken = g_error_matches(reason, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
        rmil_fail(error, RMIL_ERROR_IO, "cannot listen on %s, port %d: %s%s", listen, port, reason->message,
                  taken ? "; give another --port, or --port 0 for any free one" : "");
        g_error_free(reason);
        return FALSE;
    }
    serve->guard.port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(got));
    const char *shown = g_inet_address_get_is_any(address) ? g_get_host_name() : listen;
    const gboolean six = strchr(shown, ':') != NULL;
    serve->address = g_strdup_printf("http://%s%s%s:%u/%s/", six ? "[" : "", g_inet_address_get_is_any(address) ? "127.0.0.1" : shown,
                                     six ? "]" : "", serve->guard.port, serve->guard.token);
    g_object_unref(got);
    g_signal_connect(serve->service, "incoming", G_CALLBACK(incoming), serve);
    return TRUE;
}

/* libsoup keeps connections for further requests only if it listens itself, but does not limit their number, so we accept them ourselves.
 * Therefore it listens on an unknown socket, in a context that never runs: nobody who finds it is answered. */
static gboolean listen_in_vain(SoupServer *soup, GError **error) {
    g_autoptr(GMainContext) never = g_main_context_new();
    g_autoptr(GSocket) nowhere = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, error);
    g_autoptr(GSocketAddress) any = g_unix_socket_address_new_with_type("", 0, G_UNIX_SOCKET_ADDRESS_ANONYMOUS); /* the system chooses the
                                                                                                                  * name */
    if (!nowhere || !g_socket_bind(nowhere, any, FALSE, error) || !g_socket_listen(nowhere, error)) return FALSE;
    g_main_context_push_thread_default(never);
    const gboolean done = soup_server_listen_socket(soup, nowhere, 0, error);
    g_main_context_pop_thread_default(never);
    return done;
}

static gboolean listen_at(RmilServe *serve, const RmilServeOptions *options, GError **error) {
    const char *listen = options->listen ? options->listen : "127.0.0.1";
    if (!rmil_guard_init(&serve->guard, listen, &serve->monitor, error)) return FALSE;
    serve->soup = soup_server_new(NULL, NULL);
    soup_server_add_early_handler(serve->soup, NULL, at_headers, serve, NULL);
    soup_server_add_handler(serve->soup, NULL, at_request, serve, NULL);
    return listen_in_vain(serve->soup, error) && bind_port(serve, listen, options->port, error);
}

/* -- files that change ----------------------------------------------------------------------------------------------------------------- */
static gboolean look_at_files(gpointer user) {
    RmilServe *serve = user;
    g_clear_pointer(&serve->look, g_source_unref);
    const RmilServeOptions *options = &serve->desk->options;
    if (rmil_outlines_look(serve->desk) && (options->live || options->watch) && serve->desk->loop)
        rmil_loop_ask(serve->desk->loop, NULL, -1, NULL);
    return G_SOURCE_REMOVE;
}

static void file_changed(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, gpointer user) {
    RmilServe *serve = user;
    if (serve->look) return;
    serve->look = g_timeout_source_new(150); /* writing a file causes several events */
    g_source_set_callback(serve->look, look_at_files, serve, NULL);
    g_source_attach(serve->look, serve->context);
}

static void watch_folder(RmilServe *serve, const char *folder) {
    if (g_hash_table_contains(serve->watched, folder)) return;
    g_autoptr(GFile) file = g_file_new_for_path(folder);
    GFileMonitor *monitor = g_file_monitor_directory(file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);
    if (!monitor) return;
    g_hash_table_add(serve->watched, g_strdup(folder));
    g_signal_connect(monitor, "changed", G_CALLBACK(file_changed), serve);
    g_ptr_array_add(serve->monitors, monitor);
}

static void watch_files(RmilServe *serve) {
    serve->monitors = g_ptr_array_new_with_free_func(g_object_unref);
    serve->watched = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int64_t i = 0; i < serve->desk->count; i++) {
        g_autofree char *path = rmil_outline_path(serve->desk, i), *folder = path ? g_path_get_dirname(path) : NULL;
        if (folder) watch_folder(serve, folder);
    }
    g_autofree char *beside = g_build_filename(serve->desk->home, "annotations", NULL);
    watch_folder(serve, beside);
}

/* What changed while no server was running: starts a training as for any change, or reports it. */
static void take_missed(RmilServe *serve) {
    const RmilServeOptions *options = &serve->desk->options;
    if (!serve->desk->loop) return;
    g_autofree char *missed = rmil_outlines_missed(serve->desk);
    if (!missed) return;
    const gboolean trains = options->live || options->watch;
    g_autofree char *text = g_strdup_printf("outlines changed since the models were trained (%s)%s", missed,
                                            trains ? ": they are trained on now" : "; Retrain takes them in");
    rmil_monitor_warn(&serve->monitor, "%s", text);
    if (trains) rmil_loop_ask(serve->desk->loop, NULL, -1, NULL);
    else rmil_loop_say(serve->desk->loop, RMIL_LOOP_IDLE, text);
}

/* -- the whole ------------------------------------------------------------------------------------------------------------------------- */
RmilServe *rmil_serve_new(const RmilServeOptions *options, GError **error) {
    if (options->port < 0 || options->port > 65535) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "--port %d: must be 0 … 65535", options->port);
        return NULL;
    }
    RmilServe *serve = g_new0(RmilServe, 1);
    serve->monitor = options->work->monitor;
    serve->context = g_main_context_new();
    serve->loop = g_main_loop_new(serve->context, FALSE);
    g_main_context_push_thread_default(serve->context);
    serve->desk = rmil_desk_new(options, error);
    gboolean done = serve->desk && (options->watch || listen_at(serve, options, error));
    if (done) {
        serve->workers = g_thread_pool_new(work, serve, serve->desk->options.threads + 1, FALSE, NULL);
        watch_files(serve);
        take_missed(serve);
    }
    g_main_context_pop_thread_default(serve->context);
    if (done) return serve;
    rmil_serve_free(serve);
    return NULL;
}

const char *rmil_serve_address(const RmilServe *serve) { return serve->address; }

void rmil_serve_run(RmilServe *serve) {
    g_main_context_push_thread_default(serve->context);
    g_main_loop_run(serve->loop);
    g_main_context_pop_thread_default(serve->context);
}

static gboolean quit(gpointer data) {
    g_main_loop_quit(data);
    return G_SOURCE_REMOVE;
}

/* Through a source of the loop, so that a loop that has not started yet ends, too. */
void rmil_serve_stop(RmilServe *serve) {
    g_autoptr(GSource) source = g_idle_source_new();
    g_source_set_callback(source, quit, serve->loop, NULL);
    g_source_attach(source, serve->context);
}

void rmil_serve_free(RmilServe *serve) {
    if (!serve) return;
    g_main_context_push_thread_default(serve->context);
    if (serve->service) {
        g_socket_service_stop(serve->service);
        g_socket_listener_close(G_SOCKET_LISTENER(serve->service));
    }
    if (serve->workers) g_thread_pool_free(serve->workers, FALSE, TRUE);
    while (g_main_context_iteration(serve->context, FALSE)) /* answers being sent */
        ;
    if (serve->look) {
        g_source_destroy(serve->look);
        g_source_unref(serve->look);
    }
    g_clear_pointer(&serve->monitors, g_ptr_array_unref);
    g_clear_pointer(&serve->watched, g_hash_table_unref);
    if (serve->soup) soup_server_disconnect(serve->soup);
    g_clear_object(&serve->soup);
    while (g_main_context_iteration(serve->context, FALSE)) /* connections being closed */
        ;
    g_clear_object(&serve->service);
    rmil_desk_free(serve->desk);
    rmil_guard_clear(&serve->guard);
    g_main_context_pop_thread_default(serve->context);
    g_main_loop_unref(serve->loop);
    g_main_context_unref(serve->context);
    g_free(serve->address);
    g_free(serve);
}
