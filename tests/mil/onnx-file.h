/* SPDX-License-Identifier: Apache-2.0 */
/* An ONNX file, taken apart again. */
#ifndef TEST_MIL_ONNX_FILE_H
#define TEST_MIL_ONNX_FILE_H

#include "support.h"

#include "tensors/tensors-private.h"
#include "mil/model.h"

/* A protocol buffers message being read; a field of it: a number, or bytes. */
typedef struct {
    const guint8 *at, *end;
} Reader;

typedef struct {
    int field;
    uint64_t number;
    Reader bytes;
} Field;

gboolean read_field(Reader *reader, Field *field); /* FALSE: there are no more */
char *text_of(const Field *field);
/* The first field of that number, which must be there; the text in that field of a message. */
Field find_field(Reader reader, int number);
char *name_of(const Field *message, int field);

void assert_same(const void *a, gsize size, const void *b, gsize more);
/* An initializer that has a parameter's name has its shape and its bytes. */
void check_initializer(const RmilModel *model, const Field *tensor, const char *name);
/* Every input of a node was made before it; every output is new. */
void check_node(GHashTable *known, const Field *node, GHashTable *used);

#endif
