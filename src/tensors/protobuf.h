/* SPDX-License-Identifier: Apache-2.0 */
/* Protocol buffers, as far as ONNX needs them: a message is a row of fields, each a number or bytes behind its tag (number of the field and
 * wire type); bytes may be a text or a message again. https://protobuf.dev/programming-guides/encoding */
#ifndef RMIL_PROTOBUF_H
#define RMIL_PROTOBUF_H

#include "base/base-private.h"

/* -- writing: fields appended to a message. Bytes of less than 4 GiB. ---------------------------------------------------------- */
void rmil_proto_int(GByteArray *message, int field, int64_t value);
void rmil_proto_float(GByteArray *message, int field, float value);
void rmil_proto_bytes(GByteArray *message, int field, const void *data, gsize size);
/* What stands before bytes that come from elsewhere. */
void rmil_proto_tag(GByteArray *message, int field, uint64_t size);
void rmil_proto_text(GByteArray *message, int field, const char *text);
void rmil_proto_message(GByteArray *message, int field, GByteArray *inner); /* takes `inner` over */

/* -- reading ------------------------------------------------------------------------------------------------------------------- */
/* What is left of a message; a field of it: a number, or bytes (of four or eight bytes, too, where the wire type has so many). */
typedef struct {
    const guint8 *at, *end;
} RmilProto;
typedef struct {
    int field;
    gboolean bytes;
    uint64_t number;
    RmilProto inner;
} RmilProtoField;
/* FALSE: there is none any more, or what is left is no field. */
gboolean rmil_proto_next(RmilProto *message, RmilProtoField *field);
/* Its bytes as text, made valid UTF-8. Free with g_free. */
char *rmil_proto_string(const RmilProtoField *field);

#endif
