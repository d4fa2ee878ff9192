/* SPDX-License-Identifier: Apache-2.0 */
/* DICOM slides are several files, one for each level and for label and overview. */
#ifndef RMIL_DICOM_H
#define RMIL_DICOM_H

#include <glib.h>

/* The series that a DICOM file is of (SeriesInstanceUID), which all files of a slide share; NULL: no DICOM file, or none is found in its
 * first 64 KiB. Free with g_free. */
char *rmil_dicom_series(const char *path);

#endif
