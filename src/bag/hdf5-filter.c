/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that HDF5 itself lacks: LZF, which h5py offers besides gzip, is decoded here; others are named in the error. */
#include "hdf5-private.h"

#include <string.h>

#define LZF 32000
#define MOST_BYTES ((size_t)1 << 30)

/* LZF: a byte n below 32 is followed by n + 1 literal bytes; any other byte starts a copy of earlier output, with three bits of
 * length and thirteen of distance. Returns the number of bytes written; 0: damaged, or more than there is room for. */
static size_t undo_lzf(const guint8 *in, size_t size, guint8 *out, size_t room) {
    size_t made = 0;
    for (size_t at = 0; at < size;) {
        size_t control = in[at++], length = control + 1, distance;
        if (control < 32) {
            if (length > size - at || length > room - made) return 0;
            memcpy(out + made, in + at, length);
            at += length;
            made += length;
            continue;
        }
        length = control >> 5;
        if (length == 7) {
            if (at == size) return 0;
            length += in[at++];
        }
        if (at == size) return 0;
        distance = ((control & 31) << 8 | in[at++]) + 1;
        length += 2;
        if (distance > made || length > room - made) return 0;
        for (size_t i = 0; i < length; i++, made++) out[made] = out[made - distance]; /* may overlap */
    }
    return made;
}

/* parameters[2] is a chunk's size in bytes. */
static size_t lzf_filter(unsigned flags, size_t n, const unsigned *parameters, size_t size, size_t *allocated, void **buffer) {
    size_t room = n >= 3 && parameters[2] > 0 ? parameters[2] : 0, made = 0;
    if (!(flags & H5Z_FLAG_REVERSE) || room == 0 || room > MOST_BYTES) return 0;
    void *out = H5allocate_memory(room, FALSE);
    if (out) made = undo_lzf(*buffer, size, out, room);
    if (made == 0) {
        H5free_memory(out);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = out;
    *allocated = room;
    return made;
}

static const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, LZF, 0, 1, "lzf", NULL, NULL, lzf_filter};

static const struct {
    H5Z_filter_t id;
    const char *name;
} names[] = {{H5Z_FILTER_DEFLATE, "gzip"},
             {H5Z_FILTER_SHUFFLE, "shuffle"},
             {H5Z_FILTER_FLETCHER32, "fletcher32"},
             {H5Z_FILTER_SZIP, "szip"},
             {H5Z_FILTER_NBIT, "nbit"},
             {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
             {305, "lzo"},
             {307, "bzip2"},
             {LZF, "lzf"},
             {32001, "blosc"},
             {32003, "snappy"},
             {32004, "lz4"},
             {32008, "bitshuffle"},
             {32013, "zfp"},
             {32015, "zstd"},
             {32017, "sz"},
             {32018, "fcidecomp"},
             {32019, "jpeg"},
             {32022, "bitgroom"},
             {32023, "granular bitround"},
             {32024, "sz3"},
             {32026, "blosc2"},
             {32028, "sperr"}};

static const char *name_of(H5Z_filter_t id, const char *stored) {
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].id == id) return names[i].name;
    return *stored && g_utf8_validate(stored, -1, NULL) ? stored : "a filter without a name";
}

gboolean rmil_hdf5_usual_filters(hid_t creation) {
    for (int i = 0; i < H5Pget_nfilters(creation); i++) {
        size_t parameters = 0;
        if (H5Pget_filter2(creation, (unsigned)i, NULL, &parameters, NULL, 0, NULL, NULL) > H5Z_FILTER_FLETCHER32) return FALSE;
    }
    return TRUE;
}

gboolean rmil_hdf5_filters(const RmilHdf5 *file, const char *dataset, hid_t creation, GError **error) {
    RMIL_HDF5_SCOPE;
    int n = H5Pget_nfilters(creation);
    if (n > 0 && H5Zfilter_avail(LZF) <= 0) H5Zregister(&lzf);
    for (int i = 0; i < n; i++) {
        unsigned flags, config;
        size_t parameters = 0;
        char stored[64] = "";
        H5Z_filter_t id = H5Pget_filter2(creation, (unsigned)i, &flags, &parameters, NULL, sizeof stored, stored, &config);
        if (id < 0) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /%s " RMIL_DAMAGED, file->path, dataset);
        if (H5Zfilter_avail(id) > 0) continue;
        return rmil_fail(
            error, RMIL_ERROR_FORMAT,
            "%s: /%s is compressed with %s (HDF5 filter %d), which is not installed here: write the file again with gzip or lzf, or "
            "set HDF5_PLUGIN_PATH to a folder with that filter (the Python package hdf5plugin has it in hdf5plugin.PLUGIN_PATH)",
            file->path, dataset, name_of(id, stored), (int)id);
    }
    return TRUE;
}
