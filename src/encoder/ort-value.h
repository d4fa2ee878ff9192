/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of a model: name, type and shape. */
#ifndef RMIL_ORT_VALUE_H
#define RMIL_ORT_VALUE_H

#include "ort-library.h"

enum { RMIL_ORT_RANKS = 8 };

typedef struct {
    char *name;
    gboolean tensor;
    int element;                        /* ONNX's number for the type */
    size_t rank;                        /* 0 also if the file states no shape; above RMIL_ORT_RANKS the sizes are unknown */
    int64_t dimensions[RMIL_ORT_RANKS]; /* -1: any */
} RmilOrtPort;

/* All inputs or outputs. Free with g_array_unref, after setting names that were taken to NULL. path: for messages. */
GArray *rmil_ort_ports_new(const RmilOrtLibrary *library, const RmilOrtSession *session, gboolean outputs, const char *path,
                           GError **error);
/* The type and shape of an output tensor; keeps the name. */
gboolean rmil_ort_port_of_value(const RmilOrtLibrary *library, const RmilOrtValue *value, RmilOrtPort *port, const char *path,
                                GError **error);
/* "pixels float32 N × 3 × 224 × 224"; several are separated by commas. Free with g_free. */
char *rmil_ort_port_text(const RmilOrtPort *port);
char *rmil_ort_ports_text(const GArray *ports);

#endif
