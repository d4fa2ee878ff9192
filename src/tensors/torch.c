/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what torch.save writes: a pickle that describes the tensors, and their storages. */
#include "pickle.h"
#include "tensors-private.h"

#include <string.h>
#include <zip.h>

#define PICKLE_LIMIT ((guint64)4 << 30) /* it contains NumPy's arrays */
#define MOST_ENTRIES 65536
#define DEEPEST 16            /* nested dictionaries */
#define MOST_VISITS (1 << 20) /* the same dictionary may be reached in many ways */

typedef struct {
    RmilTensors *tensors;
    const Pickle *pickle;
    const guint8 **storages; /* bytes of each storage of the pickle */
    int64_t copied;          /* bytes of tensors that are not in order in their storage */
    int64_t copy_limit;
    int visits;
    GError **error;
} Naming;

static gboolean in_order(const PickleTensor *tensor) {
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->strides[i] != expected) return FALSE;
        expected *= tensor->shape[i];
    }
    return TRUE;
}

static void gather(const PickleTensor *tensor, const guint8 *storage, size_t size, int64_t count, guint8 *to) {
    int64_t place[RMIL_TENSOR_RANK] = {0};
    for (int64_t i = 0; i < count; i++) {
        int64_t from = tensor->offset;
        for (int d = 0; d < tensor->rank; d++) from += place[d] * tensor->strides[d];
        memcpy(to + (size_t)i * size, storage + (size_t)from * size, size);
        for (int d = tensor->rank - 1; d >= 0 && ++place[d] == tensor->shape[d]; d--) place[d] = 0;
    }
}

static gboolean too_much(const Naming *naming) {
    return rmil_fail(
        naming->error, RMIL_ERROR_FORMAT,
        "%s: its tensors would need several times the memory of the file, as views of each other do: save copies (tensor.clone())",
        rmil_tensors_path(naming->tensors));
}

static gboolean add_tensor(Naming *naming, const char *name, const PickleTensor *tensor) {
    const PickleStorage *storage = &g_array_index(naming->pickle->storages, PickleStorage, tensor->storage);
    const guint8 *bytes = naming->storages[tensor->storage];
    size_t size = rmil_dtype_size(storage->dtype);
    int64_t count;
    rmil_shape_count(tensor->rank, tensor->shape, storage->dtype, &count); /* the pickle's reader has checked it */
    const guint8 *data = count ? bytes + (size_t)tensor->offset * size : NULL;
    if (count && !in_order(tensor)) {
        naming->copied += count * (int64_t)size;
        if (naming->copied > naming->copy_limit) return too_much(naming);
        guint8 *copy = rmil_alloc(count, size, naming->error);
        if (!copy) return FALSE;
        rmil_tensors_keep(naming->tensors, copy, rmil_free);
        gather(tensor, bytes, size, count, copy);
        data = copy;
    }
    return rmil_tensors_add(naming->tensors, name, storage->dtype, tensor->rank, tensor->shape, data, naming->error);
}

static gboolean add_array(Naming *naming, const char *name, const PickleArray *array) {
    RmilDtype dtype;
    int64_t count;
    void *bytes;
    if (!rmil_pickle_array(array, rmil_tensors_path(naming->tensors), &dtype, &count, &bytes, naming->error)) return FALSE;
    rmil_tensors_keep(naming->tensors, bytes, rmil_free);
    naming->copied += count * (int64_t)rmil_dtype_size(dtype) / 2; /* one byte can become a number of eight bytes */
    if (naming->copied > naming->copy_limit) return too_much(naming);
    return rmil_tensors_add(naming->tensors, name, dtype, array->rank, array->shape, count ? bytes : NULL, naming->error);
}

/* Describes a value that neither is a tensor nor holds any. */
static char *describe(const PickleValue *value) {
    switch (value->kind) {
    case PICKLE_SEQUENCE: return g_strdup("a list");
    case PICKLE_TEXT:
    case PICKLE_LATIN: return g_strdup("a text");
    case PICKLE_OBJECT: return g_strdup_printf("an object of the kind %s", value->text);
    case PICKLE_GLOBAL: return value->text ? g_strdup_printf("the name of %s", value->text) : g_strdup("the name of a class");
    case PICKLE_ARRAY: return g_strdup("a NumPy array that does not contain numbers");
    case PICKLE_NONE: return g_strdup("nothing (None)");
    default: return g_strdup("a single number");
    }
}

static gboolean add_dict(Naming *naming, const PickleValue *dict, const char *prefix, int depth);

static gboolean add_value(Naming *naming, const char *name, const PickleValue *value, int depth) {
    const Pickle *pickle = naming->pickle;
    if (value->kind == PICKLE_TENSOR) return add_tensor(naming, name, &g_array_index(pickle->tensors, PickleTensor, value->number));
    if (value->kind == PICKLE_ARRAY && g_array_index(pickle->arrays, PickleArray, value->number).set)
        return add_array(naming, name, &g_array_index(pickle->arrays, PickleArray, value->number));
    const gboolean holds = value->kind == PICKLE_DICT || (value->kind == PICKLE_OBJECT && value->items);
    if (depth == 0 ? value->kind != PICKLE_DICT : depth == 1 && !holds) {
        g_autofree char *what = describe(value);
        rmil_tensors_note(naming->tensors, name, what);
    }
    if (!holds) return TRUE;
    g_autofree char *inner = *name ? g_strconcat(name, ".", NULL) : g_strdup("");
    return add_dict(naming, value, inner, depth);
}

/* A module keeps its tensors and inner modules in dictionaries whose names do not occur in a state_dict. */
static gboolean is_inner(const PickleValue *object, const PickleValue *key) {
    static const char *const names[] = {"_parameters", "_buffers", "_modules"};
    for (gsize i = 0; object->kind == PICKLE_OBJECT && i < G_N_ELEMENTS(names); i++)
        if (key->kind == PICKLE_TEXT && (gsize)key->number == strlen(names[i]) && memcmp(key->text, names[i], strlen(names[i])) == 0)
            return TRUE;
    return FALSE;
}

/* Adds, with its name, every tensor and array that can be reached through dictionaries and objects only. */
static gboolean add_dict(Naming *naming, const PickleValue *dict, const char *prefix, int depth) {
    const char *path = rmil_tensors_path(naming->tensors);
    if (depth > DEEPEST || ++naming->visits > MOST_VISITS)
        return rmil_fail(
            naming->error, RMIL_ERROR_FORMAT,
            "%s: dictionaries are nested too deep (more than %d) or contain each other too often: save one dictionary of tensors", path,
            DEEPEST);
    for (guint i = 0; dict->items && i + 1 < dict->items->len; i += 2) {
        const PickleValue *key = rmil_pickle_value(naming->pickle, g_array_index(dict->items, guint32, i));
        const PickleValue *value = rmil_pickle_value(naming->pickle, g_array_index(dict->items, guint32, i + 1));
        if (++naming->visits > MOST_VISITS || (key->kind == PICKLE_TEXT && key->number > 4096))
            return rmil_fail(naming->error, RMIL_ERROR_FORMAT,
                             "%s: names more than %d values, or has a name of more than 4096 bytes: save only the tensors", path,
                             MOST_VISITS);
        g_autofree char *name = NULL;
        if (is_inner(dict, key)) name = g_strndup(prefix, MAX(strlen(prefix), 1) - 1); /* without its dot */
        else if (key->kind == PICKLE_TEXT) name = g_strdup_printf("%s%.*s", prefix, (int)key->number, key->text);
        else if (key->kind == PICKLE_INT) name = g_strdup_printf("%s%" G_GINT64_FORMAT, prefix, key->number);
        else continue;
        if (!add_value(naming, name, value, depth + 1)) return FALSE;
    }
    return TRUE;
}

static gboolean name_tensors(RmilTensors *tensors, const Pickle *pickle, const guint8 **storages, gsize size, GError **error) {
    Naming naming = {tensors, pickle, storages, 0, 4 * (int64_t)size, 0, error};
    return add_value(&naming, "", rmil_pickle_value(pickle, pickle->result), 0);
}

static gboolean storage_bytes(const char *path, const PickleStorage *storage, guint64 have, GError **error) {
    guint64 need = (guint64)storage->count * rmil_dtype_size(storage->dtype);
    return have == need ||
           rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: storage %s has %" G_GUINT64_FORMAT " bytes, but the pickle says %" G_GUINT64_FORMAT ": the file is damaged", path,
                     storage->key, have, need);
}

/* -- zip --------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *path;
    zip_t *archive;
    char *folder; /* the one folder that torch.save puts everything in, with its slash */
    guint64 left; /* bytes that may still be read: entries cannot hold more than the file */
    GError **error;
} Archive;

/* An entry's bytes, freed with the tensors; NULL and *error if it is missing or compressed (PyTorch only stores). */
static guint8 *read_entry(Archive *archive, RmilTensors *tensors, const char *name, guint64 limit, guint64 *size) {
    g_autofree char *full = g_strconcat(archive->folder, name, NULL);
    zip_stat_t info;
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat(archive->archive, full, 0, &info) != 0 || (info.valid & needed) != needed) {
        rmil_fail(archive->error, RMIL_ERROR_FORMAT, "%s: is incomplete: the archive has no entry %s", archive->path, full);
        return NULL;
    }
    if (info.comp_method != ZIP_CM_STORE) {
        rmil_fail(archive->error, RMIL_ERROR_FORMAT,
                  "%s: entry %s is compressed, which PyTorch never does: save the file again with torch.save", archive->path, full);
        return NULL;
    }
    if (info.size > limit || info.size > archive->left) {
        rmil_fail(archive->error, RMIL_ERROR_FORMAT,
                  "%s: entry %s claims %" G_GUINT64_FORMAT " bytes, more than the file has or rankmil reads", archive->path, full,
                  (guint64)info.size);
        return NULL;
    }
    archive->left -= info.size;
    guint8 *bytes = rmil_alloc((int64_t)info.size, 1, archive->error);
    if (!bytes) return NULL;
    rmil_tensors_keep(tensors, bytes, rmil_free);
    zip_file_t *file = zip_fopen(archive->archive, full, 0);
    zip_int64_t got = file ? zip_fread(file, bytes, info.size) : -1;
    guint8 beyond;
    gboolean whole = got >= 0 && (zip_uint64_t)got == info.size && zip_fread(file, &beyond, 1) == 0; /* checks the CRC */
    if (file) zip_fclose(file);
    if (!whole) {
        rmil_fail(archive->error, RMIL_ERROR_FORMAT, "%s: entry %s is damaged", archive->path, full);
        return NULL;
    }
    *size = info.size;
    return bytes;
}

static gboolean find_folder(Archive *archive) {
    zip_int64_t entries = zip_get_num_entries(archive->archive, 0);
    for (zip_int64_t i = 0; i < MIN(entries, MOST_ENTRIES); i++) {
        const char *name = zip_get_name(archive->archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        if (!name || !g_str_has_suffix(name, "data.pkl")) continue;
        archive->folder = g_strndup(name, strlen(name) - strlen("data.pkl"));
        return TRUE;
    }
    return rmil_fail(archive->error, RMIL_ERROR_FORMAT, "%s: is a zip archive without data.pkl, not a PyTorch file", archive->path);
}

static gboolean read_archive(Archive *archive, RmilTensors *tensors, gsize file_size) {
    guint64 size;
    if (!find_folder(archive)) return FALSE;
    g_autofree char *order_name = g_strconcat(archive->folder, "byteorder", NULL);
    if (zip_name_locate(archive->archive, order_name, 0) >= 0) {
        guint8 *order = read_entry(archive, tensors, "byteorder", 16, &size);
        if (!order) return FALSE;
        if (size != 6 || memcmp(order, "little", 6) != 0)
            return rmil_fail(archive->error, RMIL_ERROR_FORMAT,
                             "%s: its numbers are not little-endian: save it again on a machine with an x86 or ARM processor",
                             archive->path);
    }
    guint8 *bytes = read_entry(archive, tensors, "data.pkl", PICKLE_LIMIT, &size);
    if (!bytes) return FALSE;
    gsize used;
    g_autoptr(Pickle) pickle = rmil_pickle_read(archive->path, bytes, size, &used, archive->error);
    if (!pickle) return FALSE;
    guint count = pickle->storages->len;
    g_autofree const guint8 **storages = g_new0(const guint8 *, count + 1);
    for (guint i = 0; i < count; i++) {
        const PickleStorage *storage = &g_array_index(pickle->storages, PickleStorage, i);
        g_autofree char *name = g_strconcat("data/", storage->key, NULL);
        storages[i] = read_entry(archive, tensors, name, G_MAXINT64, &size);
        if (!storages[i] || !storage_bytes(archive->path, storage, size, archive->error)) return FALSE;
    }
    return name_tensors(tensors, pickle, storages, file_size, archive->error);
}

gboolean rmil_torch_zip_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error) {
    Archive archive = {.path = rmil_tensors_path(tensors), .left = size, .error = error};
    zip_error_t reason;
    zip_error_init(&reason);
    zip_source_t *source = zip_source_buffer_create(data, size, 0, &reason);
    if (source && !(archive.archive = zip_open_from_source(source, ZIP_RDONLY, &reason))) zip_source_free(source);
    gboolean good = archive.archive ? read_archive(&archive, tensors, size)
                                    : rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the archive cannot be read: %s", archive.path,
                                                zip_error_strerror(&reason));
    if (archive.archive) zip_discard(archive.archive);
    zip_error_fini(&reason);
    g_free(archive.folder);
    return good;
}

/* -- legacy: pickles of a magic number, a version, the writer's machine, the object, and the storages' keys; then each
 * storage as its count and its numbers ------------------------------------------------------------------------------- */

static int find_storage(const Pickle *pickle, const PickleValue *key) {
    for (guint i = 0; key->kind == PICKLE_TEXT && i < pickle->storages->len; i++) {
        const char *known = g_array_index(pickle->storages, PickleStorage, i).key;
        if (strlen(known) == (gsize)key->number && memcmp(known, key->text, (gsize)key->number) == 0) return (int)i;
    }
    return -1;
}

static gboolean place_storages(const char *path, const Pickle *object, const Pickle *keys, const guint8 *data, gsize size,
                               const guint8 **storages, GError **error) {
    const PickleValue *order = rmil_pickle_value(keys, keys->result);
    for (guint i = 0; order->items && i < order->items->len; i++) {
        int index = find_storage(object, rmil_pickle_value(keys, g_array_index(order->items, guint32, i)));
        guint64 count = 0;
        if (size >= 8) memcpy(&count, data, 8);
        if (index < 0 || size < 8 || storages[index])
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its list of storages is damaged or cut off", path);
        const PickleStorage *storage = &g_array_index(object->storages, PickleStorage, index);
        guint64 width = rmil_dtype_size(storage->dtype);
        if (count > (size - 8) / width) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: storage %s is cut off", path, storage->key);
        if (!storage_bytes(path, storage, count * width, error)) return FALSE;
        storages[index] = data + 8;
        data += 8 + count * width;
        size -= 8 + count * width;
    }
    for (guint i = 0; i < object->storages->len; i++)
        if (!storages[i])
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: storage %s is missing", path,
                             g_array_index(object->storages, PickleStorage, i).key);
    return TRUE;
}

gboolean rmil_torch_legacy_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error) {
    enum { MAGIC, VERSION, MACHINE, OBJECT, KEYS, PICKLES };
    const char *path = rmil_tensors_path(tensors);
    const gsize whole = size;
    Pickle *pickles[PICKLES] = {NULL};
    gboolean good = TRUE;
    for (int i = 0; good && i < PICKLES; i++) {
        gsize used;
        pickles[i] = rmil_pickle_read(path, data, MIN(size, PICKLE_LIMIT), &used, error);
        good = pickles[i] != NULL;
        data += used;
        size -= used;
    }
    if (good) {
        const PickleValue *version = rmil_pickle_value(pickles[VERSION], pickles[VERSION]->result);
        if (version->kind != PICKLE_INT || version->number != 1001)
            good = rmil_fail(error, RMIL_ERROR_FORMAT,
                             "%s: has an old format that rankmil does not know: save it again with a current PyTorch", path);
    }
    if (good) {
        g_autofree const guint8 **storages = g_new0(const guint8 *, pickles[OBJECT]->storages->len + 1);
        good = place_storages(path, pickles[OBJECT], pickles[KEYS], data, size, storages, error) &&
               name_tensors(tensors, pickles[OBJECT], storages, whole, error);
    }
    for (int i = 0; i < PICKLES; i++) rmil_pickle_free(pickles[i]);
    return good;
}
