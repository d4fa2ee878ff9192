/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 1.10 trusts the sizes inside an attribute, and if they are damaged reads up to 64 KiB of whatever lies beyond its buffer.
 * So the attributes of an object are checked before HDF5 decodes them. Of the file format (HDF5 File Format Specification, "Data
 * Object Headers") this needs the two kinds of header, their continuations, and the sizes in an attribute; anything else is left
 * to HDF5. */
#include "hdf5-private.h"

#include <string.h>
#include <unistd.h>

enum { MESSAGE_ATTRIBUTE = 0x0c, MESSAGE_CONTINUATION = 0x10, SHARED = 2 };
#define MOST_BLOCKS 1024
#define MOST_BYTES (1 << 20)

typedef struct {
    guint64 at, size;
} Block;

typedef struct {
    const RmilHdf5 *file;
    guint64 base;    /* offset of address 0 in the file */
    gboolean second; /* of the second kind */
    gsize head;      /* bytes before a message's content */
    GArray *blocks;  /* Block: blocks of messages, done or still to do */
} Header;

static guint64 number_at(const guint8 *from, int bytes) {
    guint64 number = 0;
    for (int i = 0; i < bytes; i++) number |= (guint64)from[i] << (8 * i);
    return number;
}

static gboolean read_bytes(const Header *header, guint64 at, gsize size, guint8 *to) {
    guint64 from = header->base + at, end = (guint64)header->file->size;
    if (at > end || from > end || size > end - from) return FALSE;
    return pread(header->file->descriptor, to, size, (off_t)from) == (ssize_t)size;
}

/* The smallest size of a datatype of that class, and of a dataspace of that shape. */
static gsize type_size(const guint8 *type) {
    static const gsize sizes[] = {12, 20};
    guint class = type[0] & 15;
    return class < G_N_ELEMENTS(sizes) ? sizes[class] : 8;
}

static gsize space_size(const guint8 *space) {
    gsize axes = (gsize)space[1] * 8;
    return (space[0] == 1 ? 8u : 4u) + axes + (space[2] & 1 ? axes : 0);
}

/* Do the parts of an attribute lie within it? */
static gboolean attribute_fits(const guint8 *a, gsize size) {
    const gsize head = size > 0 && a[0] == 3 ? 9 : 8, unit = size > 0 && a[0] == 1 ? 8 : 1;
    if (size < head || a[0] < 1 || a[0] > 3) return TRUE; /* HDF5 itself refuses the version or the length */
    gsize parts[3], at = head;
    const guint8 *starts[3];
    for (int i = 0; i < 3; i++) { /* name, datatype, dataspace */
        parts[i] = (gsize)number_at(a + 2 + 2 * i, 2);
        starts[i] = a + at;
        at += (parts[i] + unit - 1) / unit * unit;
        if (at > size) return FALSE;
    }
    const gboolean type_shared = a[0] > 1 && a[1] & 1, space_shared = a[0] > 1 && a[1] & 2;
    return parts[0] > 0 && memchr(starts[0], 0, parts[0]) && (type_shared || (parts[1] >= 8 && parts[1] >= type_size(starts[1]))) &&
           (space_shared || (parts[2] >= 4 && parts[2] >= space_size(starts[2])));
}

static gboolean look_at_block(Header *header, const guint8 *bytes, gsize size) {
    for (gsize at = 0; at + header->head <= size;) {
        const guint8 *message = bytes + at, *content = message + header->head;
        const guint type = header->second ? message[0] : (guint)number_at(message, 2), flags = message[header->second ? 3 : 4];
        const gsize length = (gsize)number_at(message + (header->second ? 1 : 2), 2);
        at += header->head;
        if (length > size - at) return TRUE; /* HDF5 checks that, too */
        at += length;
        if (type == MESSAGE_ATTRIBUTE && !(flags & SHARED) && !attribute_fits(content, length)) return FALSE;
        if (type != MESSAGE_CONTINUATION || length < 16 || header->blocks->len >= MOST_BLOCKS) continue;
        Block next = {number_at(content, 8), number_at(content + 8, 8)};
        if (header->second) { /* a signature before, a checksum after */
            if (next.size < 8) continue;
            next.at += 4, next.size -= 8;
        }
        g_array_append_val(header->blocks, next);
    }
    return TRUE;
}

/* The first block of messages. */
static gboolean begin(Header *header, guint64 address, Block *first) {
    guint8 start[40];
    if (!read_bytes(header, address, 16, start)) return FALSE;
    if (start[0] == 1) {
        header->head = 8;
        *first = (Block){address + 16, number_at(start + 8, 4)};
        return TRUE;
    }
    header->second = TRUE;
    if (memcmp(start, "OHDR\2", 5) != 0 || !read_bytes(header, address, sizeof start, start)) return FALSE;
    const guint flags = start[5], at = 6u + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0), width = 1u << (flags & 3);
    header->head = flags & 4 ? 6 : 4;
    *first = (Block){address + at + width, number_at(start + at, (int)width)};
    return TRUE;
}

static gboolean look_at_header(Header *header, guint64 address) {
    Block first;
    if (!begin(header, address, &first)) return TRUE;
    g_array_append_val(header->blocks, first);
    gboolean sound = TRUE;
    for (guint i = 0; sound && i < header->blocks->len; i++) {
        Block block = g_array_index(header->blocks, Block, i);
        if (block.size > MOST_BYTES) continue;
        g_autofree guint8 *bytes = g_malloc(block.size + 1);
        sound = !read_bytes(header, block.at, block.size, bytes) || look_at_block(header, bytes, block.size);
    }
    return sound;
}

/* From HDF5 1.12 on H5O_info_t has a token instead of the address, and the struct that H5Oget_info2 fills has another name. */
#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info1_t ObjectInfo;
#else
typedef H5O_info_t ObjectInfo;
#endif

static gboolean attributes_fit(const RmilHdf5 *file, hid_t object) {
    ObjectInfo info;
    size_t address_bytes = 0, size_bytes = 0;
    hsize_t base = 0;
    g_auto(RmilHid) creation = H5Fget_create_plist(file->id);
    if (creation < 0 || H5Pget_sizes(creation, &address_bytes, &size_bytes) < 0 || address_bytes != 8 || size_bytes != 8 ||
        H5Pget_userblock(creation, &base) < 0 || H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0)
        return TRUE;
    Header header = {.file = file, .base = base, .blocks = g_array_new(FALSE, FALSE, sizeof(Block))};
    gboolean fit = look_at_header(&header, info.addr);
    g_array_unref(header.blocks);
    return fit;
}

gboolean rmil_hdf5_attributes_fit(RmilHdf5 *file, hid_t object) {
    if (file->looked_at != object) {
        file->fit = attributes_fit(file, object);
        file->looked_at = object;
    }
    return file->fit;
}
