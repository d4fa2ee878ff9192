/* SPDX-License-Identifier: Apache-2.0 */
/* DICOM slides consist of several files, one for each level and for label and overview. */
#ifndef RMIL_DICOM_H
#define RMIL_DICOM_H

#include <glib.h>

/* The series of a DICOM file (SeriesInstanceUID), which all files of a slide share; NULL: not a DICOM file, or no series in its first 64
 * KiB. Free with g_free. */
char *rmil_dicom_series(const char *path);

#endif
