/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 as this room uses it: one thread at a time, silent, and through a file driver of our own. */
#ifndef RMIL_HDF5_PRIVATE_H
#define RMIL_HDF5_PRIVATE_H

#include "base/base-private.h"

#include <hdf5.h>
#include <sys/stat.h>

/* HDF5 is commonly built without thread safety. Every call is made inside such a scope, which holds the process-wide lock
 * (recursive) and keeps HDF5 from printing its own errors:  RMIL_HDF5_SCOPE; */
typedef struct {
    H5E_auto2_t print;
    void *user;
} RmilHdf5Scope;
RmilHdf5Scope rmil_hdf5_enter(void);
void rmil_hdf5_leave(RmilHdf5Scope *scope);
#define RMIL_HDF5_SCOPE __attribute__((cleanup(rmil_hdf5_leave), unused)) RmilHdf5Scope hdf5_scope = rmil_hdf5_enter()

/* Any HDF5 identifier, closed at the end of its block (declare it below RMIL_HDF5_SCOPE). */
typedef hid_t RmilHid;
void rmil_hid_close(RmilHid id);
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(RmilHid, rmil_hid_close, H5I_INVALID_HID)

/* An open file. `id` is HDF5's, `descriptor` the system's, for reading plain data without the lock. */
typedef struct {
    char *path; /* as named in messages */
    hid_t id, driver;
    int descriptor;
    int64_t size;    /* bytes, when opened for reading */
    int failed;      /* errno of the first read or write that failed, 0 none */
    char *doubt;     /* the first question that could not be answered, as a message; NULL: none */
    hid_t looked_at; /* the object whose attributes were checked last (HDF5 never reuses an identifier), */
    gboolean fit;    /* and the result of rmil_hdf5_attributes_fit */
    gboolean writing;
} RmilHdf5;

/* Refuses a file that killed the child process that examined it (hdf5-examine.c). */
RmilHdf5 *rmil_hdf5_open(const char *path, GError **error);
RmilHdf5 *rmil_hdf5_open_unexamined(const char *path, GError **error);
gboolean rmil_hdf5_passed(const char *path, const struct stat *info, GError **error);
void rmil_hdf5_enter_child(void); /* in a child forked by a thread that holds the lock: from here on the lock is not used */
/* A question about a file has three answers: yes, no, and "unknown", because the file is damaged or a read failed. If the answer
 * is unknown, the functions marked "asks" say no and remember it; do not return anything that rests on a no before this function
 * returned TRUE. FALSE: the error says what is unknown. */
gboolean rmil_hdf5_sound(const RmilHdf5 *file, GError **error);
/* Remembers an unknown answer; the words follow the file's name in the message. */
void rmil_hdf5_doubt(RmilHdf5 *file, const char *words, ...) G_GNUC_PRINTF(2, 3);
#define RMIL_DAMAGED "cannot be read: the file is damaged"
/* Writes into the existing file `temporary`; messages name `path`. HDF5 itself never sees a failed write (it would be
 * left in a state in which closing and exiting can crash): the driver remembers the reason and rmil_hdf5_finish reports it. */
RmilHdf5 *rmil_hdf5_create(const char *temporary, const char *path, GError **error);
gboolean rmil_hdf5_finish(RmilHdf5 *file, GError **error); /* frees file */
void rmil_hdf5_free(RmilHdf5 *file);                       /* without reporting anything */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilHdf5, rmil_hdf5_free)

/* -- datasets -------------------------------------------------------------------------------------------------------- */
typedef enum { RMIL_ELEMENT_F16, RMIL_ELEMENT_F32, RMIL_ELEMENT_FLOAT /* any other */, RMIL_ELEMENT_INTEGER } RmilElement;

typedef struct {
    RmilHdf5 *file; /* borrowed */
    char *name;     /* "features": messages say "/features" */
    hid_t id;
    int rank;
    int64_t dims[H5S_MAX_RANK];
    RmilElement element;
} RmilDataset;

gboolean rmil_hdf5_has(RmilHdf5 *file, const char *name); /* asks: is anything of that name at the root? */
/* Asks: an object at the root by its name, to be closed; invalid: it is not there, or lies behind a link. */
hid_t rmil_hdf5_object(RmilHdf5 *file, const char *name);
/* Fails if it is missing, lies in another file, is not numeric, or holds fewer bytes than its size says. */
RmilDataset *rmil_dataset_open(RmilHdf5 *file, const char *name, GError **error);
void rmil_dataset_free(RmilDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilDataset, rmil_dataset_free)

/* Can all filters of a dataset be decoded (`creation`: its property list)? Fails with the name of the first that cannot. */
gboolean rmil_hdf5_filters(const RmilHdf5 *file, const char *dataset, hid_t creation, GError **error);

gboolean rmil_hdf5_usual_filters(hid_t creation); /* only gzip, shuffle and checksum */

/* Reads the whole dataset, converted by HDF5 to a native memory type; it must have `count` values. */
gboolean rmil_dataset_read(const RmilDataset *dataset, hid_t memory_type, int64_t count, void *values, GError **error);

/* Passes the last two axes, as a matrix, to `consume` in blocks of whole rows, in order. Plain data is read without HDF5 and
 * without the lock; other data through HDF5, with the lock held only while it reads. */
typedef gboolean (*RmilRowsFunc)(gpointer user, int64_t first, int64_t rows, const void *raw, GError **error);
gboolean rmil_dataset_rows(const RmilDataset *dataset, RmilRowsFunc consume, gpointer user, GError **error);

/* Can HDF5 decode the attributes of an object without leaving its buffers (hdf5-header.c)? Ask before it does. */
gboolean rmil_hdf5_attributes_fit(RmilHdf5 *file, hid_t object);

/* Is it an integer or floating-point type whose bits lie within its bytes? HDF5 1.10 does not check, and reads and writes beyond them in
 * conversions. */
gboolean rmil_hdf5_number_fits(hid_t type);

/* -- attributes: numbers (scalars or first elements), text ------------------------------------------------------------- */
/* Asks. FALSE: missing, empty, or NaN. Text that spells a number counts; anything else is unknown (rmil_hdf5_doubt). */
gboolean rmil_hdf5_number(RmilHdf5 *file, hid_t object, const char *name, double *value);
/* Asks. NULL: missing or not a text. */
char *rmil_hdf5_text(RmilHdf5 *file, hid_t object, const char *name);
gboolean rmil_hdf5_put_number(hid_t object, const char *name, double value); /* int64 if whole, else float64 */
gboolean rmil_hdf5_put_text(hid_t object, const char *name, const char *text);
/* Of variable length, which h5py reads as str and not as bytes: for attributes that other tools read. */
gboolean rmil_hdf5_put_string(hid_t object, const char *name, const char *text);

/* IEEE half precision, little-endian: what h5py and NumPy call float16. Caller closes it. */
hid_t rmil_hdf5_half_type(void);
/* Writes a plain contiguous dataset in one go; returns its id, to be closed, or an invalid one. */
hid_t rmil_hdf5_put(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int rank, const int64_t *dims,
                    const void *values);

#endif
