/* SPDX-License-Identifier: Apache-2.0 */
/* libxml2's errors in this thread: errors from below a reader (an invalid character encoding) are printed unless there is a handler. */
#ifndef RMIL_BASE_XML_H
#define RMIL_BASE_XML_H

#include "base/base-private.h"

#include <libxml/xmlreader.h>

typedef struct {
    xmlStructuredErrorFunc function;
    void *user;
} RmilXmlListener;

/* libxml2 2.9 passes a mutable error, later versions a const one. */
typedef void (*RmilXmlHear)(void *user, const xmlError *what);

/* Until end, `hear` receives all errors of this thread. */
RMIL_INLINE RmilXmlListener rmil_xml_hear(RmilXmlHear hear, void *user) {
    const RmilXmlListener before = {xmlStructuredError, xmlStructuredErrorContext};
    xmlSetStructuredErrorFunc(user, (xmlStructuredErrorFunc)hear);
    return before;
}
RMIL_INLINE void rmil_xml_end(RmilXmlListener before) { xmlSetStructuredErrorFunc(before.user, before.function); }

#endif
