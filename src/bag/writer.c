/* SPDX-License-Identifier: Apache-2.0 */
/* Features written batch by batch, resumable. */
#include "bag-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* PATH.partial: this mark, the SHA-256 of everything that must agree, then one record per batch: a header and the rows as
 * they will be stored. A record counts if it is complete and its checksum is right; a torn one ends the file. */
#define MARK "rankmil partial 1\n"
#define KEY_BYTES 64
#define HEAD_BYTES ((int64_t)(sizeof MARK - 1 + KEY_BYTES))

typedef struct {
    int64_t first, rows;
    uint64_t checksum;
} Record;

struct _RmilBagWriter {
    RmilBag *meta;
    char *path, *partial;
    gboolean half;
    int descriptor;
    int64_t row_bytes, end; /* where the next record goes */
    int64_t *offsets;       /* count: offset of each row in PATH.partial, 0: missing */
    GMutex lock;            /* of end and offsets */
};

static uint64_t checksum(int64_t first, int64_t rows, const void *data, size_t size) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)first ^ (uint64_t)rows << 32, word;
    for (size_t i = 0; i < size; i += 8) {
        word = 0;
        memcpy(&word, (const char *)data + i, MIN(8, size - i));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

static char *make_key(const RmilBag *meta, gboolean half) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *text = g_strdup_printf(
        "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %d %a %a %a %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %d %s", meta->count, meta->dim,
        half != FALSE, meta->patch_size, meta->patch_size_level0, meta->target_mpp, meta->slide_width, meta->slide_height,
        (meta->tissue != NULL) + 2 * (meta->patch_labels != NULL), meta->source ? meta->source : "");
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
    g_checksum_update(sum, (const guchar *)meta->coords, (gssize)meta->count * 16);
    if (meta->tissue) g_checksum_update(sum, (const guchar *)meta->tissue, (gssize)meta->count * 4);
    if (meta->patch_labels) g_checksum_update(sum, meta->patch_labels, (gssize)meta->count);
    return g_strdup(g_checksum_get_string(sum));
}

static gboolean unreadable(const RmilBagWriter *writer, GError **error) {
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", writer->partial, g_strerror(errno));
}

/* Takes the record at `end`, if it is complete, in a file of `size` bytes. FALSE: unknown; do not cut off the work in it. */
static gboolean take_record(RmilBagWriter *writer, int64_t size, gboolean *whole, GError **error) {
    Record record;
    int64_t data = writer->end + (int64_t)sizeof record;
    *whole = FALSE;
    if (size <= data) return TRUE;
    if (!rmil_read_at(writer->descriptor, &record, sizeof record, writer->end)) return errno == ENODATA || unreadable(writer, error);
    if (record.first < 0 || record.rows < 1 || record.rows > writer->meta->count || record.first > writer->meta->count - record.rows ||
        record.rows > (size - data) / writer->row_bytes)
        return TRUE;
    int64_t bytes = record.rows * writer->row_bytes;
    void *rows = rmil_alloc(record.rows, (size_t)writer->row_bytes, error);
    if (!rows) return FALSE;
    gboolean read = rmil_read_at(writer->descriptor, rows, bytes, data), told = read || errno == ENODATA || unreadable(writer, error);
    *whole = read && checksum(record.first, record.rows, rows, (size_t)bytes) == record.checksum;
    rmil_free(rows);
    for (int64_t i = 0; *whole && i < record.rows; i++) writer->offsets[record.first + i] = data + i * writer->row_bytes;
    if (*whole) writer->end = data + bytes;
    return told;
}

/* Takes over the good records of an earlier run and cuts off the rest. */
static gboolean take_over(RmilBagWriter *writer, const char *key, GError **error) {
    char head[HEAD_BYTES] = "";
    struct stat info;
    g_autofree char *expected = g_strconcat(MARK, key, NULL);
    if (fstat(writer->descriptor, &info) != 0) return unreadable(writer, error);
    if (info.st_size >= HEAD_BYTES && !rmil_read_at(writer->descriptor, head, HEAD_BYTES, 0) && errno != ENODATA)
        return unreadable(writer, error);
    gboolean fresh = memcmp(head, expected, HEAD_BYTES) != 0;
    writer->end = HEAD_BYTES;
    for (gboolean more = !fresh; more;)
        if (!take_record(writer, info.st_size, &more, error)) return FALSE;
    if (ftruncate(writer->descriptor, fresh ? 0 : (off_t)writer->end) == 0 &&
        (!fresh || rmil_write_at(writer->descriptor, expected, HEAD_BYTES, 0)))
        return TRUE;
    return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", writer->partial, g_strerror(errno));
}

static void *copy(const void *from, int64_t count, size_t size, GError **error) {
    void *to = rmil_alloc(count, size, error);
    if (to) memcpy(to, from, (size_t)count * size);
    return to;
}

static RmilBag *copy_meta(const RmilBag *meta, GError **error) {
    g_autoptr(RmilBag) bag = g_new0(RmilBag, 1);
    bag->count = meta->count;
    bag->dim = meta->dim;
    rmil_bag_copy_scale(bag, meta);
    bag->source = g_strdup(meta->source);
    if (!(bag->coords = copy(meta->coords, meta->count, 2 * sizeof(int64_t), error)) ||
        (meta->tissue && !(bag->tissue = copy(meta->tissue, meta->count, sizeof(float), error))) ||
        (meta->patch_labels && !(bag->patch_labels = copy(meta->patch_labels, meta->count, 1, error))))
        return NULL;
    return g_steal_pointer(&bag);
}

static gboolean open_partial(RmilBagWriter *writer, GError **error) {
    g_autofree char *folder = g_path_get_dirname(writer->path);
    writer->descriptor = rmil_create_in(folder, writer->partial, O_RDWR, writer->partial, error);
    if (writer->descriptor < 0) return FALSE;
    if (flock(writer->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: is being written by another process: wait until it has ended", writer->partial);
    return TRUE;
}

void rmil_bag_writer_forget(const char *path) {
    g_autofree char *partial = g_strconcat(path, ".partial", NULL);
    int file = open(partial, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return;
    if (flock(file, LOCK_EX | LOCK_NB) == 0) g_unlink(partial);
    close(file);
}

RmilBagWriter *rmil_bag_writer_begin(const RmilBag *meta, const char *path, gboolean half, GError **error) {
    if (!rmil_bag_check(path, meta->count, meta->dim, error)) return NULL;
    if (meta->dim < 1 || !meta->coords) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be written: columns and coordinates are needed", path);
        return NULL;
    }
    g_autoptr(RmilBagWriter) writer = g_new0(RmilBagWriter, 1);
    g_mutex_init(&writer->lock);
    writer->descriptor = -1;
    writer->path = g_strdup(path);
    writer->partial = g_strconcat(path, ".partial", NULL);
    writer->half = half;
    writer->row_bytes = meta->dim * (half ? 2 : 4);
    writer->meta = copy_meta(meta, error);
    writer->offsets = writer->meta ? rmil_alloc(meta->count, sizeof(int64_t), error) : NULL;
    if (!writer->offsets || !open_partial(writer, error)) return NULL;
    g_autofree char *key = make_key(meta, half);
    return take_over(writer, key, error) ? g_steal_pointer(&writer) : NULL;
}

gboolean rmil_bag_writer_has(RmilBagWriter *writer, int64_t first, int64_t rows) {
    if (first < 0 || rows < 0 || first > writer->meta->count - rows) return FALSE;
    g_mutex_lock(&writer->lock);
    gboolean all = TRUE;
    for (int64_t i = first; all && i < first + rows; i++) all = writer->offsets[i] != 0;
    g_mutex_unlock(&writer->lock);
    return all;
}

static gboolean append(RmilBagWriter *writer, const Record *record, const char *block, GError **error) {
    int64_t size = (int64_t)sizeof *record + record->rows * writer->row_bytes;
    g_mutex_lock(&writer->lock);
    gboolean done = rmil_write_at(writer->descriptor, block, size, writer->end);
    int reason = errno;
    if (done) {
        int64_t data = writer->end + (int64_t)sizeof *record;
        for (int64_t i = 0; i < record->rows; i++) writer->offsets[record->first + i] = data + i * writer->row_bytes;
        writer->end += size;
    }
    g_mutex_unlock(&writer->lock);
    return done || rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", writer->partial, g_strerror(reason));
}

gboolean rmil_bag_writer_put(RmilBagWriter *writer, int64_t first, int64_t rows, const float *features, GError **error) {
    int64_t dim = writer->meta->dim;
    if (first < 0 || rows < 1 || first > writer->meta->count - rows)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "%s: rows %" G_GINT64_FORMAT " … %" G_GINT64_FORMAT " are outside 0 … %" G_GINT64_FORMAT, writer->path, first,
                         first + rows - 1, writer->meta->count - 1);
    Record record = {first, rows, 0};
    char *block = rmil_alloc_features(rows + 1, MAX(writer->row_bytes, (int64_t)sizeof record), error);
    if (!block) return FALSE;
    char *data = block + sizeof record;
    gboolean done = rmil_encode(RMIL_FLOAT32, features, writer->half, data, rows * dim);
    if (done) {
        record.checksum = checksum(first, rows, data, (size_t)(rows * writer->row_bytes));
        memcpy(block, &record, sizeof record);
        done = append(writer, &record, block, error);
    } else {
        rmil_not_stored(writer->path, RMIL_FLOAT32, features, writer->half, first, dim, rows * dim, error);
    }
    rmil_free(block);
    return done;
}

static gboolean partial_rows(gpointer user, int64_t first, int64_t rows, void *raw, GError **error) {
    const RmilBagWriter *writer = user;
    char *out = raw;
    for (int64_t i = 0, run; i < rows; i += run) {
        int64_t offset = writer->offsets[first + i];
        for (run = 1; i + run < rows && writer->offsets[first + i + run] == offset + run * writer->row_bytes;) run++;
        if (!rmil_read_at(writer->descriptor, out + i * writer->row_bytes, run * writer->row_bytes, offset))
            return unreadable(writer, error);
    }
    return TRUE;
}

gboolean rmil_bag_writer_commit(RmilBagWriter *writer, GError **error) {
    g_autoptr(RmilBagWriter) own = writer;
    for (int64_t i = 0; i < own->meta->count; i++)
        if (!own->offsets[i])
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: cannot be completed: the features of patch %" G_GINT64_FORMAT " are missing",
                             own->path, i);
    if (!rmil_container_write(&rmil_layout_native, own->meta, own->path, own->half, partial_rows, own, error)) return FALSE;
    g_unlink(own->partial);
    return TRUE;
}

void rmil_bag_writer_free(RmilBagWriter *writer) {
    if (!writer) return;
    if (writer->descriptor >= 0) {
        if (writer->end == HEAD_BYTES) g_unlink(writer->partial); /* nothing in it */
        close(writer->descriptor);
    }
    g_mutex_clear(&writer->lock);
    rmil_bag_free(writer->meta);
    rmil_free(writer->offsets);
    g_free(writer->path);
    g_free(writer->partial);
    g_free(writer);
}

void rmil_bag_writer_abandon(RmilBagWriter *writer) {
    if (writer && writer->descriptor >= 0) g_unlink(writer->partial);
    rmil_bag_writer_free(writer);
}
