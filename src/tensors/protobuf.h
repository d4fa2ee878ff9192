/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers, as far as ONNX needs them: a message is a sequence of fields, each a tag (number of the field and wire type)
 * followed by a number or bytes; bytes may be a text or another message. https://protobuf.dev/programming-guides/encoding */
#ifndef RMIL_PROTOBUF_H
#define RMIL_PROTOBUF_H

#include "base/base-private.h"

/* -- writing: fields appended to a message. Bytes of less than 4 GiB. ---------------------------------------------------------- */
void rmil_proto_int(GByteArray *message, int field, int64_t value);
void rmil_proto_float(GByteArray *message, int field, float value);
void rmil_proto_bytes(GByteArray *message, int field, const void *data, gsize size);
/* The tag and length of bytes that are written separately. */
void rmil_proto_tag(GByteArray *message, int field, uint64_t size);
void rmil_proto_text(GByteArray *message, int field, const char *text);
void rmil_proto_message(GByteArray *message, int field, GByteArray *inner); /* takes over `inner` */

/* -- reading ------------------------------------------------------------------------------------------------------------------- */
/* The rest of a message; and a field of it: a number, or bytes (also for wire types of four or eight bytes). */
typedef struct {
    const guint8 *at, *end;
} RmilProto;
typedef struct {
    int field;
    gboolean bytes;
    uint64_t number;
    RmilProto inner;
} RmilProtoField;
/* FALSE: there are no more fields, or the rest is not a valid field. */
gboolean rmil_proto_next(RmilProto *message, RmilProtoField *field);
/* Its bytes as text, made valid UTF-8. Free with g_free. */
char *rmil_proto_string(const RmilProtoField *field);

#endif
