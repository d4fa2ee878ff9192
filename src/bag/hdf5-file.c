/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 files: opened so that a failing write is an error. */
#include "hdf5-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why a file driver of our own (HDF5's documented extension point) and not the default one: a write that fails inside
 * HDF5 leaves it with dirty buffers that it tries to write again at H5Fclose and at exit, and old versions crash there.
 * This driver swallows the failure, remembers errno, and the file is never renamed into place. It also takes no file
 * locks, which many cluster file systems refuse, and reports the system's own message if a file cannot be opened. */
typedef struct {
    H5FD_t hdf5; /* first, as HDF5 requires */
    RmilHdf5 *file;
    haddr_t eoa, eof;
} Driver;

typedef struct {
    RmilHdf5 *file;
} DriverInfo;

static GRecMutex hdf5_lock;
static gboolean alone; /* in a child: it has one thread, and the lock belongs to a thread of the parent */

void rmil_hdf5_enter_child(void) { alone = TRUE; }

RmilHdf5Scope rmil_hdf5_enter(void) {
    if (!alone) g_rec_mutex_lock(&hdf5_lock);
    RmilHdf5Scope scope = {0};
    H5Eget_auto2(H5E_DEFAULT, &scope.print, &scope.user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return scope;
}

void rmil_hdf5_leave(RmilHdf5Scope *scope) {
    H5Eset_auto2(H5E_DEFAULT, scope->print, scope->user);
    if (!alone) g_rec_mutex_unlock(&hdf5_lock);
}

void rmil_hid_close(RmilHid id) {
    if (id >= 0) H5Idec_ref(id);
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
    const DriverInfo *info = H5Pget_driver_info(access);
    if (!info) return NULL;
    Driver *driver = g_new0(Driver, 1);
    driver->file = info->file;
    driver->eof = (haddr_t)info->file->size;
    return &driver->hdf5;
}

static herr_t driver_close(H5FD_t *hdf5) {
    g_free(hdf5);
    return 0;
}

static herr_t driver_query(const H5FD_t *hdf5, unsigned long *flags) {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *hdf5, H5FD_mem_t type) { return ((const Driver *)hdf5)->eoa; }

static herr_t driver_set_eoa(H5FD_t *hdf5, H5FD_mem_t type, haddr_t address) {
    ((Driver *)hdf5)->eoa = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *hdf5, H5FD_mem_t type) { return ((const Driver *)hdf5)->eof; }

static herr_t driver_read(H5FD_t *hdf5, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer) {
    RmilHdf5 *file = ((Driver *)hdf5)->file;
    char *out = buffer;
    while (size > 0) {
        ssize_t n = pread(file->descriptor, out, size, (off_t)address);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            if (!file->failed) file->failed = errno;
            return -1;
        }
        if (n == 0) { /* beyond the end: zeros, as in a sparse file */
            memset(out, 0, size);
            break;
        }
        out += n;
        address += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *hdf5, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, const void *buffer) {
    Driver *driver = (Driver *)hdf5;
    RmilHdf5 *file = driver->file;
    driver->eof = MAX(driver->eof, address + size);
    if (!file->failed && !rmil_write_at(file->descriptor, buffer, (int64_t)size, (int64_t)address)) file->failed = errno;
    return 0;
}

static herr_t driver_truncate(H5FD_t *hdf5, hid_t transfer, hbool_t closing) {
    Driver *driver = (Driver *)hdf5;
    if (!driver->file->writing) return 0;
    if (!driver->file->failed && ftruncate(driver->file->descriptor, (off_t)driver->eoa) != 0) driver->file->failed = errno;
    driver->eof = driver->eoa;
    return 0;
}

static const H5FD_class_t driver_class = {
#ifdef H5FD_CLASS_VERSION /* 1.14 and later */
    .version = H5FD_CLASS_VERSION,
    .value = 500,
#endif
    .name = "rankmil",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(DriverInfo),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

static void enter_file(RmilHdf5 *file) {
    RMIL_HDF5_SCOPE;
    g_auto(RmilHid) access = H5Pcreate(H5P_FILE_ACCESS);
    DriverInfo info = {file};
    file->driver = H5FDregister(&driver_class); /* until the file is closed: H5Fclose uses it to the very end */
    if (file->driver < 0 || access < 0 || H5Pset_driver(access, file->driver, &info) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0)
        return;
    if (!file->writing) {
        file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
        return;
    }
    g_auto(RmilHid) creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_alignment(access, 64 << 10, 4096); /* large chunks start on a page: reading them copies twice as fast */
    file->id = H5Fcreate(file->path, H5F_ACC_TRUNC, creation, access);
}

static RmilHdf5 *open_file(const char *path, gboolean examined, GError **error) {
    g_autoptr(RmilHdf5) file = g_new0(RmilHdf5, 1);
    file->path = g_strdup(path);
    file->id = file->driver = file->looked_at = H5I_INVALID_HID;
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    struct stat info;
    if (file->descriptor < 0 || fstat(file->descriptor, &info) != 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(info.st_mode)) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: is not a regular file", path);
        return NULL;
    }
    file->size = info.st_size;
    if (examined && !rmil_hdf5_passed(path, &info, error)) return NULL;
    enter_file(file);
    if (file->id >= 0) return g_steal_pointer(&file);
    if (file->failed) rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", path, g_strerror(file->failed));
    else rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is not an HDF5 file, or is damaged or cut short", path);
    return NULL;
}

RmilHdf5 *rmil_hdf5_open(const char *path, GError **error) { return open_file(path, TRUE, error); }

RmilHdf5 *rmil_hdf5_open_unexamined(const char *path, GError **error) { return open_file(path, FALSE, error); }

RmilHdf5 *rmil_hdf5_create(const char *temporary, const char *path, GError **error) {
    g_autoptr(RmilHdf5) file = g_new0(RmilHdf5, 1);
    file->path = g_strdup(path);
    file->id = file->driver = H5I_INVALID_HID;
    file->writing = TRUE;
    file->descriptor = open(temporary, O_RDWR | O_CLOEXEC);
    if (file->descriptor < 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path, g_strerror(errno));
        return NULL;
    }
    enter_file(file);
    if (file->id >= 0) return g_steal_pointer(&file);
    rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", path,
              file->failed ? g_strerror(file->failed) : "HDF5 could not create the file");
    return NULL;
}

void rmil_hdf5_doubt(RmilHdf5 *file, const char *words, ...) {
    va_list arguments;
    if (file->doubt) return;
    va_start(arguments, words);
    file->doubt = g_strdup_vprintf(words, arguments);
    va_end(arguments);
}

gboolean rmil_hdf5_sound(const RmilHdf5 *file, GError **error) {
    if (!file->doubt && !file->failed) return TRUE;
    return file->failed ? rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be read: %s", file->path, g_strerror(file->failed))
                        : rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s", file->path, file->doubt);
}

static gboolean close_file(RmilHdf5 *file) {
    gboolean closed = TRUE;
    if (file->driver >= 0) {
        RMIL_HDF5_SCOPE;
        if (file->id >= 0) closed = H5Fclose(file->id) >= 0;
        H5FDunregister(file->driver);
    }
    file->id = file->driver = H5I_INVALID_HID;
    if (file->descriptor >= 0 && close(file->descriptor) != 0 && !file->failed) file->failed = errno;
    file->descriptor = -1;
    return closed && !file->failed;
}

gboolean rmil_hdf5_finish(RmilHdf5 *file, GError **error) {
    gboolean done = close_file(file);
    if (!done)
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be written: %s", file->path,
                  file->failed ? g_strerror(file->failed) : "HDF5 could not complete the file");
    rmil_hdf5_free(file);
    return done;
}

void rmil_hdf5_free(RmilHdf5 *file) {
    if (!file) return;
    close_file(file);
    g_free(file->doubt);
    g_free(file->path);
    g_free(file);
}
