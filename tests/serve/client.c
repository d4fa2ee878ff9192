/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <libsoup/soup.h>
#include <string.h>

static void hear(gpointer user, const char *message) {
    Served *served = user;
    g_mutex_lock(&served->lock);
    g_ptr_array_add(served->warnings, g_strdup(message));
    g_mutex_unlock(&served->lock);
}

gboolean served_warned(Served *served, const char *part) {
    gboolean found = FALSE;
    g_mutex_lock(&served->lock);
    for (guint i = 0; i < served->warnings->len; i++) found = found || strstr(served->warnings->pdata[i], part);
    g_mutex_unlock(&served->lock);
    return found;
}

Served *served_new(const char *table, const char *folder) {
    Served *served = g_new0(Served, 1);
    GError *error = NULL;
    g_mutex_init(&served->lock);
    served->warnings = g_ptr_array_new_with_free_func(g_free);
    const RmilMonitor monitor = {.warn = hear, .user = served};
    rmil_prepare_options_init(&served->preparation);
    rmil_train_options_init(&served->training);
    served->work = rmil_work_new(folder, &served->preparation, &monitor, &error);
    g_assert_no_error(error);
    g_assert_true(rmil_work_read(served->work, table, &error));
    rmil_serve_options_init(&served->options);
    served->options.work = served->work;
    served->options.folder = folder;
    served->options.training = &served->training;
    return served;
}

static gpointer run(gpointer serve) {
    rmil_serve_run(serve);
    return NULL;
}

void served_start(Served *served) {
    GError *error = NULL;
    served->serve = rmil_serve_new(&served->options, &error);
    g_assert_no_error(error);
    served->thread = g_thread_new("served", run, served->serve);
}

void served_free(Served *served) {
    if (served->thread) {
        rmil_serve_stop(served->serve);
        g_thread_join(served->thread);
    }
    rmil_serve_free(served->serve);
    rmil_work_free(served->work);
    rmil_prepare_options_clear(&served->preparation);
    rmil_train_options_clear(&served->training);
    g_ptr_array_unref(served->warnings);
    g_mutex_clear(&served->lock);
    g_free(served);
}

void answer_clear(Answer *answer) {
    g_free(answer->type);
    g_free(answer->policy);
    g_clear_pointer(&answer->bytes, g_bytes_unref);
    g_clear_pointer(&answer->json, json_node_unref);
    *answer = (Answer){0};
}

static void send_request(Answer *answer, SoupMessage *message, const char *body) {
    g_autoptr(SoupSession) session = soup_session_new();
    g_autoptr(GError) error = NULL;
    answer_clear(answer);
    if (body) {
        g_autoptr(GBytes) bytes = g_bytes_new(body, strlen(body));
        soup_message_set_request_body_from_bytes(message, "application/json", bytes);
    }
    answer->bytes = soup_session_send_and_read(session, message, NULL, &error);
    answer->status = answer->bytes ? soup_message_get_status(message) : 0;
    SoupMessageHeaders *headers = soup_message_get_response_headers(message);
    answer->type = g_strdup(soup_message_headers_get_one(headers, "Content-Type"));
    answer->policy = g_strdup(soup_message_headers_get_one(headers, "Content-Security-Policy"));
    if (answer->bytes && g_strcmp0(answer->type, "application/json") == 0) {
        gsize size;
        const char *text = g_bytes_get_data(answer->bytes, &size);
        answer->json = rmil_json_parse(text, size, "the answer", &error);
        g_assert_no_error(error);
    }
}

void ask_at(Answer *answer, const char *method, const char *address, const char *body, const char *etag) {
    g_autoptr(SoupMessage) message = soup_message_new(method, address);
    if (etag) soup_message_headers_replace(soup_message_get_request_headers(message), "If-Match", etag);
    send_request(answer, message, body);
}

void ask(Served *served, Answer *answer, const char *method, const char *path, const char *body, const char *etag) {
    g_autofree char *address = g_strconcat(rmil_serve_address(served->serve), path, NULL);
    ask_at(answer, method, address, body, etag);
}

void ask_as(Answer *answer, const char *method, const char *address, const char *host, const char *body) {
    g_autoptr(SoupMessage) message = soup_message_new(method, address);
    if (host) soup_message_headers_replace(soup_message_get_request_headers(message), "Host", host);
    send_request(answer, message, body);
}

JsonNode *answer_get(const Answer *answer, const char *path) {
    g_auto(GStrv) members = g_strsplit(path, ".", -1);
    JsonNode *node = answer->json;
    for (int i = 0; node && members[i]; i++)
        node = JSON_NODE_HOLDS_OBJECT(node) ? json_object_get_member(json_node_get_object(node), members[i]) : NULL;
    return node;
}

const char *answer_text(const Answer *answer, const char *path) {
    JsonNode *node = answer_get(answer, path);
    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

double answer_number(const Answer *answer, const char *path) {
    JsonNode *node = answer_get(answer, path);
    g_assert_true(node && JSON_NODE_HOLDS_VALUE(node));
    return json_node_get_double(node);
}
