/* SPDX-License-Identifier: Apache-2.0 */
/* A server in a thread of the test, and requests to it. */
#ifndef RMIL_TEST_CLIENT_H
#define RMIL_TEST_CLIENT_H

#include "rankmil/serve.h"
#include "support.h"

#include <json-glib/json-glib.h>

typedef struct {
    RmilPrepareOptions preparation;
    RmilTrainOptions training;
    RmilServeOptions options; /* change these before served_start */
    RmilWork *work;
    RmilServe *serve;
    GThread *thread;
    GMutex lock;
    GPtrArray *warnings; /* with the lock */
} Served;
/* On a table, and the folder of a run or NULL. */
Served *served_new(const char *table, const char *folder);
void served_start(Served *served);
void served_free(Served *served); /* ends it */
gboolean served_warned(Served *served, const char *part);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Served, served_free)

typedef struct {
    guint status;
    char *type, *policy;
    GBytes *bytes;
    JsonNode *json; /* NULL: the answer is not JSON */
} Answer;
void answer_clear(Answer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Answer, answer_clear)
/* path: after the token; body and etag may be NULL. */
void ask(Served *served, Answer *answer, const char *method, const char *path, const char *body, const char *etag);
/* The same with a whole address. */
void ask_at(Answer *answer, const char *method, const char *address, const char *body, const char *etag);
/* And with another Host (NULL: the usual one). */
void ask_as(Answer *answer, const char *method, const char *address, const char *host, const char *body);
/* A member of an answer's object, or of an object in it: "loop.phase". NULL: it is not there. */
JsonNode *answer_get(const Answer *answer, const char *path);
const char *answer_text(const Answer *answer, const char *path);
double answer_number(const Answer *answer, const char *path);

#endif
