/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of a model: name, type and shape. */
#ifndef RMIL_ORT_VALUE_H
#define RMIL_ORT_VALUE_H

#include "ort-library.h"

enum { RMIL_ORT_RANKS = 8 };

typedef struct {
    char *name;
    gboolean tensor;
    int element;                        /* ONNX's number of the type */
    size_t rank;                        /* 0 also where the file says no shape; above RMIL_ORT_RANKS the sizes are not known */
    int64_t dimensions[RMIL_ORT_RANKS]; /* -1: any */
} RmilOrtPort;

/* All inputs or outputs. Free with g_array_unref; a name that was taken is set to NULL before. path: for messages. */
GArray *rmil_ort_ports_new(const RmilOrtLibrary *library, const RmilOrtSession *session, gboolean outputs, const char *path,
                           GError **error);
/* The type and shape of a tensor that came out; the name stays. */
gboolean rmil_ort_port_of_value(const RmilOrtLibrary *library, const RmilOrtValue *value, RmilOrtPort *port, const char *path,
                                GError **error);
/* "pixels float32 N × 3 × 224 × 224"; of several, with commas. Free with g_free. */
char *rmil_ort_port_text(const RmilOrtPort *port);
char *rmil_ort_ports_text(const GArray *ports);

#endif
