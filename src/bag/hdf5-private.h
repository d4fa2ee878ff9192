/* SPDX-License-Identifier: Apache-2.0 */
/* HDF5 as this room uses it: entered by one thread at a time, silent, and through a file driver of our own. */
#ifndef RMIL_HDF5_PRIVATE_H
#define RMIL_HDF5_PRIVATE_H

#include "base/base-private.h"

#include <hdf5.h>
#include <sys/stat.h>

/* HDF5 is commonly built without thread safety: every call of it happens inside such a scope, which holds one lock of
 * the process (recursive) and keeps HDF5 from printing its own errors:  RMIL_HDF5_SCOPE; */
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
    char *doubt;     /* the first question below that had no answer, as a message; NULL: none */
    hid_t looked_at; /* the object whose attributes were looked at last (HDF5 uses no identifier twice), */
    gboolean fit;    /* and what was found: rmil_hdf5_attributes_fit */
    gboolean writing;
} RmilHdf5;

/* Refuses a file that a child process did not survive (hdf5-examine.c). */
RmilHdf5 *rmil_hdf5_open(const char *path, GError **error);
RmilHdf5 *rmil_hdf5_open_unexamined(const char *path, GError **error);
gboolean rmil_hdf5_passed(const char *path, const struct stat *info, GError **error);
void rmil_hdf5_enter_child(void); /* in a child of a thread that holds the lock: from here on there is none */
/* What is in a file? Such a question has three answers: yes, no, and "that cannot be told", for the file is damaged or a read
 * failed. The functions marked "asks" then say no and remember it; nothing that rests on a no is to be given out before this
 * function said TRUE. FALSE: what could not be told, as an error. */
gboolean rmil_hdf5_sound(const RmilHdf5 *file, GError **error);
/* Remembers a missing answer, in words that follow the file's name. */
void rmil_hdf5_doubt(RmilHdf5 *file, const char *words, ...) G_GNUC_PRINTF(2, 3);
#define RMIL_DAMAGED "cannot be read: the file is damaged"
/* Writes into the existing file `temporary`; messages name `path`. HDF5 itself never sees a failed write (it would be
 * left in a state in which closing and exiting can crash): the driver remembers the reason and rmil_hdf5_finish says it. */
RmilHdf5 *rmil_hdf5_create(const char *temporary, const char *path, GError **error);
gboolean rmil_hdf5_finish(RmilHdf5 *file, GError **error); /* frees file */
void rmil_hdf5_free(RmilHdf5 *file);                       /* without a word */
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
/* Fails when it is missing, lies in another file, is not numeric, or holds fewer bytes than its size says. */
RmilDataset *rmil_dataset_open(RmilHdf5 *file, const char *name, GError **error);
void rmil_dataset_free(RmilDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilDataset, rmil_dataset_free)

/* Can all filters of a dataset be undone (`creation`: its property list)? Fails with the name of the first that cannot. */
gboolean rmil_hdf5_filters(const RmilHdf5 *file, const char *dataset, hid_t creation, GError **error);

gboolean rmil_hdf5_usual_filters(hid_t creation); /* gzip, shuffle and checksum alone */

/* The whole of it, converted by HDF5 to a native memory type; `count` values are expected. */
gboolean rmil_dataset_read(const RmilDataset *dataset, hid_t memory_type, int64_t count, void *values, GError **error);

/* The last two axes as a matrix, handed to `consume` in blocks of whole rows, in order: data lies plainly in the file ->
 * it is read without HDF5 and without the lock; else through HDF5 with the lock held only while it reads. */
typedef gboolean (*RmilRowsFunc)(gpointer user, int64_t first, int64_t rows, const void *raw, GError **error);
gboolean rmil_dataset_rows(const RmilDataset *dataset, RmilRowsFunc consume, gpointer user, GError **error);

/* Can HDF5 decode the attributes of an object without leaving its buffers (hdf5-header.c)? To be asked before it does. */
gboolean rmil_hdf5_attributes_fit(RmilHdf5 *file, hid_t object);

/* Is it a type of whole or floating-point numbers whose bits lie within its bytes? HDF5 1.10 does not ask, and converts by reading and
 * writing beyond them. */
gboolean rmil_hdf5_number_fits(hid_t type);

/* -- attributes: numbers (scalars or first elements), text ------------------------------------------------------------- */
/* Asks. FALSE: not there, empty, or not a number (NaN). Text that spells a number counts; anything else is a doubt. */
gboolean rmil_hdf5_number(RmilHdf5 *file, hid_t object, const char *name, double *value);
/* Asks. NULL: not there or not a text. */
char *rmil_hdf5_text(RmilHdf5 *file, hid_t object, const char *name);
gboolean rmil_hdf5_put_number(hid_t object, const char *name, double value); /* int64 when whole, else float64 */
gboolean rmil_hdf5_put_text(hid_t object, const char *name, const char *text);
/* Of variable length, which h5py reads as a str and not as bytes: for what other tools read. */
gboolean rmil_hdf5_put_string(hid_t object, const char *name, const char *text);

/* IEEE half precision, little-endian: what h5py and NumPy call float16. Caller closes it. */
hid_t rmil_hdf5_half_type(void);
/* A plain contiguous dataset written in one go; id, to be closed, or invalid. */
hid_t rmil_hdf5_put(RmilHdf5 *file, const char *name, hid_t file_type, hid_t memory_type, int rank, const int64_t *dims,
                    const void *values);

#endif
