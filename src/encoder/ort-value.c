/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs of a model. */
#include "ort-value.h"

static gboolean read_shape(const RmilOrtLibrary *library, const RmilOrtShape *shape, RmilOrtPort *port, const char *path, GError **error) {
    const RmilOrtApi *api = library->api;
    port->tensor = TRUE;
    return rmil_ort_good(library, api->element(shape, &port->element), path, error) &&
           rmil_ort_good(library, api->rank(shape, &port->rank), path, error) &&
           (port->rank > RMIL_ORT_RANKS || rmil_ort_good(library, api->dimensions(shape, port->dimensions, port->rank), path, error));
}

gboolean rmil_ort_port_of_value(const RmilOrtLibrary *library, const RmilOrtValue *value, RmilOrtPort *port, const char *path,
                                GError **error) {
    RmilOrtShape *shape = NULL;
    if (!rmil_ort_good(library, library->api->shape_of_value(value, &shape), path, error)) return FALSE;
    const gboolean good = read_shape(library, shape, port, path, error);
    library->api->release_shape(shape);
    return good;
}

static gboolean read_type(const RmilOrtLibrary *library, const RmilOrtType *type, RmilOrtPort *port, const char *path, GError **error) {
    int kind;
    const RmilOrtShape *shape = NULL;
    if (!rmil_ort_good(library, library->api->kind_of_type(type, &kind), path, error)) return FALSE;
    if (kind != RMIL_ORT_TENSOR) return TRUE;
    return rmil_ort_good(library, library->api->tensor_of_type(type, &shape), path, error) && read_shape(library, shape, port, path, error);
}

static gboolean read_port(const RmilOrtLibrary *library, const RmilOrtSession *session, gboolean output, size_t index, RmilOrtPort *port,
                          const char *path, GError **error) {
    const RmilOrtApi *api = library->api;
    RmilOrtAllocator *allocator = NULL;
    char *name = NULL;
    RmilOrtType *type = NULL;
    if (!rmil_ort_good(library, api->allocator(&allocator), path, error) ||
        !rmil_ort_good(library, (output ? api->output_name : api->input_name)(session, index, allocator, &name), path, error))
        return FALSE;
    port->name = g_utf8_make_valid(name, -1);
    if (!rmil_ort_good(library, api->allocator_free(allocator, name), path, error) ||
        !rmil_ort_good(library, (output ? api->output_type : api->input_type)(session, index, &type), path, error))
        return FALSE;
    const gboolean good = read_type(library, type, port, path, error);
    api->release_type(type);
    return good;
}

static void clear_port(gpointer port) { g_free(((RmilOrtPort *)port)->name); }

GArray *rmil_ort_ports_new(const RmilOrtLibrary *library, const RmilOrtSession *session, gboolean outputs, const char *path,
                           GError **error) {
    size_t count = 0;
    const RmilOrtApi *api = library->api;
    if (!rmil_ort_good(library, (outputs ? api->output_count : api->input_count)(session, &count), path, error)) return NULL;
    g_autoptr(GArray) ports = g_array_new(FALSE, TRUE, sizeof(RmilOrtPort));
    g_array_set_clear_func(ports, clear_port);
    g_array_set_size(ports, (guint)MIN(count, 1000));
    for (guint i = 0; i < ports->len; i++)
        if (!read_port(library, session, outputs, i, &g_array_index(ports, RmilOrtPort, i), path, error)) return NULL;
    return g_steal_pointer(&ports);
}

/* -- in words -------------------------------------------------------------------------------------------------------------------- */

static void append(GString *out, const RmilOrtPort *port) {
    static const char *const elements[] = {"of no type", "float32", "uint8",     "int8",       "uint16",  "int16",
                                           "int32",      "int64",   "text",      "bool",       "float16", "float64",
                                           "uint32",     "uint64",  "complex64", "complex128", "bfloat16"};
    g_string_append(out, port->name);
    if (!port->tensor) {
        g_string_append(out, " (no tensor)");
        return;
    }
    const gboolean known = port->element >= 0 && (gsize)port->element < G_N_ELEMENTS(elements);
    g_string_append_printf(out, " %s ", known ? elements[port->element] : "of another type");
    if (!port->rank) g_string_append(out, "without a shape");
    if (port->rank > RMIL_ORT_RANKS) g_string_append_printf(out, "of %zu sizes", port->rank);
    for (size_t i = 0; i < port->rank && port->rank <= RMIL_ORT_RANKS; i++) {
        if (i) g_string_append(out, " × ");
        if (port->dimensions[i] < 0) g_string_append(out, "any");
        else g_string_append_printf(out, "%" G_GINT64_FORMAT, port->dimensions[i]);
    }
}

char *rmil_ort_port_text(const RmilOrtPort *port) {
    GString *out = g_string_new(NULL);
    append(out, port);
    return g_string_free(out, FALSE);
}

char *rmil_ort_ports_text(const GArray *ports) {
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < ports->len; i++) {
        if (i) g_string_append(out, ", ");
        append(out, &g_array_index(ports, RmilOrtPort, i));
    }
    return g_string_free(out, FALSE);
}
