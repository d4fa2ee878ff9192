/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 attributes: numbers and texts. */
#include "hdf5-private.h"

#include <math.h>
#include <string.h>

#define TEXT_LIMIT ((size_t)1 << 20)

/* An open attribute and its description; `id` invalid: there is none. */
typedef struct {
    RmilHid id, type;
    H5T_class_t class;
    hssize_t count; /* elements */
} Attribute;

static void attribute_clear(Attribute *attribute) {
    rmil_hid_close(attribute->type);
    rmil_hid_close(attribute->id);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Attribute, attribute_clear)

static Attribute attribute_open(RmilHdf5 *file, hid_t object, const char *name) {
    Attribute attribute = {.id = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    htri_t there = rmil_hdf5_attributes_fit(file, object) ? H5Aexists(object, name) : -1;
    if (there == 0) return attribute;
    attribute.id = there > 0 ? H5Aopen(object, name, H5P_DEFAULT) : H5I_INVALID_HID;
    attribute.type = attribute.id >= 0 ? H5Aget_type(attribute.id) : H5I_INVALID_HID;
    g_auto(RmilHid) space = attribute.id >= 0 ? H5Aget_space(attribute.id) : H5I_INVALID_HID;
    attribute.class = attribute.type >= 0 ? H5Tget_class(attribute.type) : H5T_NO_CLASS;
    attribute.count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    if (attribute.class != H5T_NO_CLASS && attribute.count >= 0) return attribute;
    rmil_hdf5_doubt(file, "the attribute %s " RMIL_DAMAGED, name);
    attribute_clear(&attribute);
    attribute.id = attribute.type = H5I_INVALID_HID;
    return attribute;
}

/* One text; NULL without a doubt: it is not UTF-8. */
static char *read_text(RmilHdf5 *file, const Attribute *attribute, const char *name) {
    g_auto(RmilHid) memory = H5Tcopy(H5T_C_S1);
    g_autofree char *text = NULL;
    gboolean done;
    H5Tset_cset(memory, H5Tget_cset(attribute->type));
    if (H5Tis_variable_str(attribute->type) > 0) {
        char *own = NULL;
        H5Tset_size(memory, H5T_VARIABLE);
        done = H5Aread(attribute->id, memory, &own) >= 0;
        if (done) text = g_strndup(own ? own : "", TEXT_LIMIT);
        if (done && own) H5free_memory(own);
    } else {
        size_t size = H5Tget_size(attribute->type);
        if (size > TEXT_LIMIT) return NULL;
        H5Tset_size(memory, size + 1);
        text = g_malloc0(size + 2);
        done = H5Aread(attribute->id, memory, text) >= 0;
    }
    if (!done) rmil_hdf5_doubt(file, "the attribute %s " RMIL_DAMAGED, name);
    return done && g_utf8_validate(text, -1, NULL) ? g_steal_pointer(&text) : NULL;
}

/* "256": a number that a script stored as text. */
static gboolean spelled(RmilHdf5 *file, const Attribute *attribute, const char *name, double *value) {
    g_autofree char *text = read_text(file, attribute, name);
    char *end = NULL;
    if (!text || !*g_strstrip(text) || g_ascii_strcasecmp(text, "none") == 0) return FALSE;
    double number = g_ascii_strtod(text, &end);
    if (*end) rmil_hdf5_doubt(file, "the attribute %s is \"%.40s\", not a number", name, text);
    if (*end || !isfinite(number)) return FALSE;
    *value = number;
    return TRUE;
}

gboolean rmil_hdf5_number_fits(hid_t type) {
    const H5T_class_t class = H5Tget_class(type);
    const size_t bits = 8 * H5Tget_size(type), precision = H5Tget_precision(type);
    const int offset = H5Tget_offset(type);
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    if (class != H5T_INTEGER && class != H5T_FLOAT) return FALSE;
    if (offset < 0 || precision < 1 || precision > bits || (size_t)offset > bits - precision) return FALSE;
    if (class == H5T_INTEGER) return TRUE;
    return H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >= 0 && sign < bits && exponent_bits <= bits &&
           exponent <= bits - exponent_bits && mantissa_bits <= bits && mantissa <= bits - mantissa_bits;
}

gboolean rmil_hdf5_number(RmilHdf5 *file, hid_t object, const char *name, double *value) {
    RMIL_HDF5_SCOPE;
    g_auto(Attribute) attribute = attribute_open(file, object, name);
    if (attribute.id < 0 || attribute.count == 0) return FALSE;
    if (attribute.class == H5T_STRING && attribute.count == 1) return spelled(file, &attribute, name, value);
    double values[64] = {0};
    const gboolean number = attribute.class == H5T_INTEGER || attribute.class == H5T_FLOAT;
    if (!number || attribute.count > 64 || !rmil_hdf5_number_fits(attribute.type) || H5Aread(attribute.id, H5T_NATIVE_DOUBLE, values) < 0) {
        rmil_hdf5_doubt(file, number && attribute.count <= 64 ? "the attribute %s " RMIL_DAMAGED : "the attribute %s is not a number",
                        name);
        return FALSE;
    }
    if (!isfinite(values[0])) return FALSE;
    *value = values[0];
    return TRUE;
}

char *rmil_hdf5_text(RmilHdf5 *file, hid_t object, const char *name) {
    RMIL_HDF5_SCOPE;
    g_auto(Attribute) attribute = attribute_open(file, object, name);
    if (attribute.id < 0 || attribute.count != 1 || attribute.class != H5T_STRING) return NULL;
    return read_text(file, &attribute, name);
}

static gboolean put(hid_t object, const char *name, hid_t file_type, hid_t memory_type, const void *value) {
    g_auto(RmilHid) space = H5Screate(H5S_SCALAR);
    g_auto(RmilHid) attribute = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
    return attribute >= 0 && H5Awrite(attribute, memory_type, value) >= 0;
}

gboolean rmil_hdf5_put_number(hid_t object, const char *name, double value) {
    RMIL_HDF5_SCOPE;
    if (value != rint(value) || fabs(value) > 0x1p53) return put(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
    int64_t whole = (int64_t)value;
    return put(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &whole);
}

/* Of fixed length, so that the file needs no heap. */
gboolean rmil_hdf5_put_text(hid_t object, const char *name, const char *text) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, strlen(text) + 1) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) return FALSE;
    return put(object, name, type, type, text);
}

gboolean rmil_hdf5_put_string(hid_t object, const char *name, const char *text) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) type = H5Tcopy(H5T_C_S1);
    if (type < 0 || H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) return FALSE;
    return put(object, name, type, type, &text);
}
