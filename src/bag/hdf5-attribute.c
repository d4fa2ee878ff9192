#include "hdf5-private.h"

#include <math.h>
#include <string.h>

#define TEXT_LIMIT ((size_t)1 << 20)

static hid_t open_attribute(hid_t object, const char *name) {
    return H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : H5I_INVALID_HID;
}

static gboolean few_elements(hid_t attribute, hssize_t most) {
    g_auto(RmilHid) space = H5Aget_space(attribute);
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    return count >= 1 && count <= most;
}

gboolean rmil_hdf5_number(hid_t object, const char *name, double *value) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) attribute = open_attribute(object, name);
    if (attribute < 0 || !few_elements(attribute, 64)) return FALSE;
    g_auto(RmilHid) type = H5Aget_type(attribute);
    H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
    if (class != H5T_INTEGER && class != H5T_FLOAT) return FALSE;
    double values[64] = {0};
    if (H5Aread(attribute, H5T_NATIVE_DOUBLE, values) < 0 || !isfinite(values[0])) return FALSE;
    *value = values[0];
    return TRUE;
}

char *rmil_hdf5_text(hid_t object, const char *name) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) attribute = open_attribute(object, name);
    if (attribute < 0 || !few_elements(attribute, 1)) return NULL;
    g_auto(RmilHid) type = H5Aget_type(attribute);
    if (type < 0 || H5Tget_class(type) != H5T_STRING) return NULL;
    g_auto(RmilHid) memory = H5Tcopy(H5T_C_S1);
    H5Tset_cset(memory, H5Tget_cset(type));
    char *text = NULL;
    if (H5Tis_variable_str(type) > 0) {
        char *own = NULL;
        H5Tset_size(memory, H5T_VARIABLE);
        if (H5Aread(attribute, memory, &own) < 0 || !own) return NULL;
        text = g_strndup(own, TEXT_LIMIT);
        H5free_memory(own);
    } else {
        size_t size = H5Tget_size(type);
        if (size > TEXT_LIMIT) return NULL;
        H5Tset_size(memory, size + 1);
        text = g_malloc0(size + 2);
        if (H5Aread(attribute, memory, text) < 0) g_clear_pointer(&text, g_free);
    }
    if (text && !g_utf8_validate(text, -1, NULL)) g_clear_pointer(&text, g_free);
    return text;
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

/* Of fixed length: the file needs no heap. */
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
