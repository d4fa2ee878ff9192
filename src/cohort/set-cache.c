/* SPDX-License-Identifier: Apache-2.0 */
/* Features in memory-mapped files, for cohorts larger than memory. */
#include "cohort-private.h"
#include "tensors/tensors-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of features as they are in memory: HEAD_BYTES (a multiple of every page size in use), starting with a text that says what they
 * were made from, then count × dim numbers. */
#define HEAD_BYTES ((size_t)64 << 10)

/* The current state of the files: path, size and modification time of each; for several files their digest. NULL: one cannot be examined.
 * Free with g_free. */
static char *origin_of(const char *const *paths, guint count, GError **error) {
    g_autoptr(GString) out = g_string_new(NULL);
    for (guint i = 0; i < count; i++) {
        struct stat info;
        if (stat(paths[i], &info) != 0) {
            rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", paths[i], g_strerror(errno));
            return NULL;
        }
        g_string_append_printf(out, "%s%s\n%" G_GINT64_FORMAT " bytes, changed %" G_GINT64_FORMAT ".%09ld", i ? "\n" : "", paths[i],
                               (gint64)info.st_size, (gint64)info.st_mtim.tv_sec, (long)info.st_mtim.tv_nsec);
    }
    return count == 1 ? g_strdup(out->str) : g_compute_checksum_for_string(G_CHECKSUM_SHA256, out->str, -1);
}

static char *make_head(const char *origin, const RmilBag *bag) {
    char *head = g_malloc0(HEAD_BYTES);
    g_snprintf(head, HEAD_BYTES, "rankmil features 1\n%s\n%" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " %s\n%s\n", origin, bag->count,
               bag->dim, bag->precision == RMIL_BFLOAT16 ? "bfloat16" : "float32", bag->source ? bag->source : "");
    return head;
}

static size_t feature_bytes(const RmilBag *bag) { return (size_t)(bag->count * bag->dim) * rmil_precision_bytes(bag->precision); }

/* Maps the file into bag->features if it is complete and made from the same files; otherwise FALSE without an error. */
static gboolean map_file(const char *name, const char *head, RmilBag *bag) {
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return FALSE;
    struct stat info;
    g_autofree char *found = g_malloc(HEAD_BYTES);
    gboolean mapped = fstat(file, &info) == 0 && (size_t)info.st_size == HEAD_BYTES + feature_bytes(bag) &&
                      pread(file, found, HEAD_BYTES, 0) == (ssize_t)HEAD_BYTES && memcmp(found, head, HEAD_BYTES) == 0;
    if (mapped) {
        void *features = mmap(NULL, feature_bytes(bag), PROT_READ, MAP_SHARED, file, (off_t)HEAD_BYTES);
        mapped = features != MAP_FAILED;
        if (mapped) {
            bag->features = features;
            bag->mapped = TRUE;
        }
    }
    close(file);
    return mapped;
}

RmilBag *rmil_bag_map(const char *const *paths, guint count, RmilBagReader read, gpointer user, const RmilBagSetOptions *options,
                      GError **error) {
    g_autoptr(RmilBag) bag = read(user, RMIL_BAG_NO_FEATURES, error);
    if (!bag || bag->dim == 0) return g_steal_pointer(&bag);
    g_autofree char *origin = origin_of(paths, count, error), *head = origin ? make_head(origin, bag) : NULL;
    if (!head) return NULL;
    g_autoptr(GString) key = g_string_new(NULL);
    for (guint i = 0; i < count; i++) g_string_append_printf(key, "%s%s", i ? "\n" : "", paths[i]);
    g_string_append_printf(key, " %d", options->precision);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key->str, -1);
    g_autofree char *base = g_strdup_printf("%.24s.features", sum), *name = g_build_filename(options->cache, base, NULL);
    if (map_file(name, head, bag)) return g_steal_pointer(&bag);
    g_autoptr(RmilBag) full = read(user, RMIL_BAG_ALL, error);
    if (!full) return NULL;
    const struct iovec pieces[] = {{head, HEAD_BYTES}, {full->features, feature_bytes(full)}};
    if (!rmil_file_write_pieces(name, pieces, G_N_ELEMENTS(pieces), error)) return NULL;
    if (map_file(name, head, bag)) return g_steal_pointer(&bag);
    rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be mapped: %s", name, g_strerror(errno));
    return NULL;
}
