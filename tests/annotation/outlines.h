/* SPDX-License-Identifier: Apache-2.0 */
/* Annotation files for tests, and regions read from files. */
#ifndef RMIL_TEST_OUTLINES_H
#define RMIL_TEST_OUTLINES_H

#include "rankmil/annotation.h"
#include "support.h"

/* Adds one annotation of ASAP's XML to xml; the second, a square polygon. */
void outlines_add(GString *xml, const char *type, const char *group, const double *xy, int points);
void outlines_square(GString *xml, const char *group, double x, double y, double side);
/* Writes what was added to FOLDER/a.xml, and empties xml. groups: the file's AnnotationGroups, or NULL. Free with g_free. */
char *outlines_finish(const char *folder, GString *xml, const char *groups);

/* Regions of files that must be readable; the second with default options. */
RmilRegion *outlines_read_with(const char *path, const RmilAnnotationOptions *options);
RmilRegion *outlines_read(const char *path);
/* Area of a file's region, px²; options may be NULL. */
double outlines_area(const char *path, const RmilAnnotationOptions *options);
/* Share of one tile inside. */
double outlines_share(const RmilRegion *region, int64_t x, int64_t y, double side);
/* Asserts that reading fails with this code, and a message that names the file. options may be NULL. */
void outlines_fail(const char *path, const RmilAnnotationOptions *options, RmilErrorCode code, const char *part);

#endif
