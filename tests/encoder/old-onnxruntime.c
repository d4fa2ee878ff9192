/* SPDX-License-Identifier: Apache-2.0 */
/* A library that says it is an ONNX Runtime from before what rankmil needs, for test-onnxruntime.c. */
#include "encoder/ort-api.h"

const RmilOrtBase *OrtGetApiBase(void);

static const RmilOrtApi *no_api(uint32_t version) { return NULL; }

static const char *version(void) { return "1.10.0"; }

__attribute__((visibility("default"))) const RmilOrtBase *OrtGetApiBase(void) {
    static const RmilOrtBase base = {no_api, version};
    return &base;
}
