/* SPDX-License-Identifier: Apache-2.0 */
/* libxml2's errors of this thread: what comes from below a reader (a broken character set) is printed unless somebody hears it. */
#ifndef RMIL_BASE_XML_H
#define RMIL_BASE_XML_H

#include "base/base-private.h"

#include <libxml/xmlreader.h>

typedef struct {
    xmlStructuredErrorFunc function;
    void *user;
} RmilXmlListener;

/* libxml2 2.9 hands over a mutable error, later ones a const one. */
typedef void (*RmilXmlHear)(void *user, const xmlError *what);

/* Until end, `hear` gets all errors of this thread. */
RMIL_INLINE RmilXmlListener rmil_xml_hear(RmilXmlHear hear, void *user) {
    const RmilXmlListener before = {xmlStructuredError, xmlStructuredErrorContext};
    xmlSetStructuredErrorFunc(user, (xmlStructuredErrorFunc)hear);
    return before;
}
RMIL_INLINE void rmil_xml_end(RmilXmlListener before) { xmlSetStructuredErrorFunc(before.user, before.function); }

#endif
