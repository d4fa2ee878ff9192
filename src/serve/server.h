/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers: server.c receives, guard.c checks, routes.c answers. */
#ifndef RMIL_SERVE_SERVER_H
#define RMIL_SERVE_SERVER_H

#include "serve-private.h"

#include <libsoup/soup.h>

#define RMIL_REQUEST_BYTES ((gsize)32 << 20) /* of a body */
enum { RMIL_CONNECTIONS = 512, RMIL_IDLE_SECONDS = 60, RMIL_PATH_BYTES = 2048 };

/* -- guard.c --------------------------------------------------------------------------------------------------------------------------- */
/* Refusals are logged as one line, at most once a second for each kind, with their number. */
typedef enum { RMIL_REFUSED_TOKEN, RMIL_REFUSED_HOST, RMIL_REFUSED_SIZE, RMIL_REFUSED_CROWD, RMIL_REFUSED_COUNT } RmilRefusal;
typedef struct {
    const RmilMonitor *monitor;
    char *token;  /* 32 hexadecimal digits */
    char *listen; /* the address to listen on */
    guint port;
    int64_t refused[RMIL_REFUSED_COUNT];
    gint64 said[RMIL_REFUSED_COUNT];
} RmilGuard;
gboolean rmil_guard_init(RmilGuard *guard, const char *listen, const RmilMonitor *monitor, GError **error);
void rmil_guard_clear(RmilGuard *guard);
void rmil_guard_refuse(RmilGuard *guard, RmilRefusal kind, const char *from);
/* What follows the token in the path, without a leading slash; NULL: refused, and the message has its status. */
char *rmil_guard_path(RmilGuard *guard, SoupServerMessage *message);

/* -- routes.c -------------------------------------------------------------------------------------------------------------------------- */
typedef struct {
    RmilDesk *desk;
    const char *method;
    char **path;       /* its pieces, percent-decoded; NULL-terminated */
    GHashTable *query; /* or NULL */
    GBytes *body;
    char *etag;  /* If-Match, or NULL */
    int64_t row; /* row of the slide that the path names */
} RmilRequest;
typedef struct {
    guint status;
    const char *type;
    GBytes *body;
    gboolean keeps; /* never changes while the server runs */
} RmilReply;
/* On any thread. Always fills the reply. */
void rmil_route(RmilRequest *request, RmilReply *reply);

#endif
