/* SPDX-License-Identifier: Apache-2.0 */
/* Files of patch labels. */
#include "bag-private.h"

#include <errno.h>

gboolean rmil_labels_write(const char *path, const uint8_t *labels, const double *shares, int64_t count, const char *source,
                           GError **error) {
    if (!rmil_bag_check(path, count, 0, error)) return FALSE;
    float *overlap = shares ? rmil_alloc(count, sizeof(float), error) : NULL;
    if (shares && !overlap) return FALSE;
    for (int64_t i = 0; overlap && i < count; i++) overlap[i] = (float)shares[i];
    char *temporary = rmil_file_begin(path, error);
    RmilHdf5 *file = temporary ? rmil_hdf5_create(temporary, path, error) : NULL;
    if (!file) {
        rmil_file_abandon(temporary);
        rmil_free(overlap);
        return FALSE;
    }
    rmil_container_vector(file, "patch_labels", H5T_STD_U8LE, H5T_NATIVE_UINT8, count, labels);
    rmil_container_vector(file, "overlap", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, count, overlap);
    if (source && !rmil_hdf5_put_text(file->id, RMIL_SOURCE_ATTRIBUTE, source) && !file->failed) file->failed = EIO;
    rmil_free(overlap);
    return rmil_container_end(file, temporary, path, TRUE, error);
}

gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error) {
    if (rmil_npy_match(path)) return rmil_npy_labels(path, count, labels, error);
    g_autoptr(RmilHdf5) file = rmil_hdf5_open(path, error);
    g_autoptr(RmilDataset) dataset = file ? rmil_dataset_open(file, "patch_labels", error) : NULL;
    if (!dataset) return FALSE;
    if (dataset->element != RMIL_ELEMENT_INTEGER)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels must be integers, 0 or 1", path);
    /* signed: HDF5 clips to the memory type, and −1 must not become 0 */
    if (!rmil_dataset_read(dataset, H5T_NATIVE_INT8, count, labels, error)) return FALSE;
    for (int64_t i = 0; i < count; i++)
        if (labels[i] > 1)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: /patch_labels of patch %" G_GINT64_FORMAT " is %d, not 0 or 1", path, i,
                             labels[i]);
    return TRUE;
}
