/* SPDX-License-Identifier: Apache-2.0 */
/* Access control: requests must have the token, this machine's name as host, and a bounded size. */
#include "server.h"

#include <string.h>
#include <sys/random.h>

gboolean rmil_guard_init(RmilGuard *guard, const char *listen, const RmilMonitor *monitor, GError **error) {
    guint8 random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return rmil_fail(error, RMIL_ERROR_IO, "the system provides no random numbers, so the address could not be kept secret");
    GString *token = g_string_new(NULL);
    for (gsize i = 0; i < sizeof random; i++) g_string_append_printf(token, "%02x", random[i]);
    *guard = (RmilGuard){.monitor = monitor, .token = g_string_free(token, FALSE), .listen = g_strdup(listen)};
    return TRUE;
}

void rmil_guard_clear(RmilGuard *guard) {
    g_clear_pointer(&guard->token, g_free);
    g_clear_pointer(&guard->listen, g_free);
}

void rmil_guard_refuse(RmilGuard *guard, RmilRefusal kind, const char *from) {
    static const char *const words[] = {"a wrong token", "another machine's name in the request", "the request is too large",
                                        "too many connections at once"};
    const gint64 now = g_get_monotonic_time();
    guard->refused[kind]++;
    if (guard->said[kind] && now - guard->said[kind] < G_USEC_PER_SEC) return;
    guard->said[kind] = now;
    rmil_monitor_warn(guard->monitor, "refused: %s (%" G_GINT64_FORMAT " so far, the last from %s)", words[kind], guard->refused[kind],
                      from ? from : "an unknown address");
}

/* Takes the same time for every wrong token. */
static gboolean is_token(const RmilGuard *guard, const char *text, gsize size) {
    const gsize n = strlen(guard->token);
    guint8 differs = size != n;
    for (gsize i = 0; i < n; i++) differs |= (guint8)(guard->token[i] ^ (i < size ? text[i] : 0));
    return !differs;
}

/* A page of another site that makes its own name point to this machine (DNS rebinding) sends that name as host. An IP address cannot be
 * such a name. */
static gboolean is_host(const RmilGuard *guard, const char *host) {
    if (!host || strlen(host) > 255) return FALSE;
    g_autofree char *uri = g_strconcat("http://", host, "/", NULL);
    g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
    if (!parsed || g_uri_get_userinfo(parsed) || strcmp(g_uri_get_path(parsed), "/") != 0) return FALSE;
    const int port = g_uri_get_port(parsed);
    const char *name = g_uri_get_host(parsed);
    if ((guint)(port < 0 ? 80 : port) != guard->port || !name) return FALSE;
    if (g_ascii_strcasecmp(name, "localhost") == 0 || g_ascii_strcasecmp(name, guard->listen) == 0) return TRUE;
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(name);
    g_autoptr(GInetAddress) own = g_inet_address_new_from_string(guard->listen);
    return address && own &&
           (g_inet_address_get_is_loopback(address) || g_inet_address_get_is_any(own) || g_inet_address_equal(address, own));
}

static char *refuse(RmilGuard *guard, SoupServerMessage *message, RmilRefusal kind, guint status, const char *words) {
    soup_server_message_set_status(message, status, NULL);
    soup_server_message_set_response(message, "text/plain; charset=utf-8", SOUP_MEMORY_STATIC, words, strlen(words));
    soup_message_headers_replace(soup_server_message_get_response_headers(message), "Connection", "close");
    soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
    rmil_guard_refuse(guard, kind, soup_server_message_get_remote_host(message));
    return NULL;
}

char *rmil_guard_path(RmilGuard *guard, SoupServerMessage *message) {
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(message);
    const char *path = g_uri_get_path(soup_server_message_get_uri(message)), *origin = soup_message_headers_get_one(headers, "Origin");
    const SoupEncoding encoding = soup_message_headers_get_encoding(headers);
    const char *host = soup_message_headers_get_one(headers, "Host");
    if (!is_host(guard, host)) return refuse(guard, message, RMIL_REFUSED_HOST, SOUP_STATUS_FORBIDDEN, "wrong host\n");
    if (origin && (!g_str_has_prefix(origin, "http://") || g_ascii_strcasecmp(origin + strlen("http://"), host) != 0))
        return refuse(guard, message, RMIL_REFUSED_HOST, SOUP_STATUS_FORBIDDEN, "wrong origin\n");
    const char *token = *path == '/' ? path + 1 : path, *end = strchr(token, '/');
    if (!is_token(guard, token, end ? (gsize)(end - token) : strlen(token)))
        return refuse(guard, message, RMIL_REFUSED_TOKEN, SOUP_STATUS_FORBIDDEN,
                      "This address lacks its secret part: open the complete address that rankmil view printed.\n");
    if (encoding == SOUP_ENCODING_CHUNKED || soup_message_headers_get_content_length(headers) > (goffset)RMIL_REQUEST_BYTES ||
        strlen(path) > RMIL_PATH_BYTES)
        return refuse(guard, message, RMIL_REFUSED_SIZE, SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE, "too large\n");
    if (end) return g_strdup(end + 1);
    g_autofree char *whole = g_strdup_printf("/%s/", guard->token); /* addresses in the page are relative to this one */
    soup_server_message_set_redirect(message, SOUP_STATUS_MOVED_PERMANENTLY, whole);
    return NULL;
}
