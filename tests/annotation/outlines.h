/* SPDX-License-Identifier: Apache-2.0 */
/* Annotation files for tests, and regions read from files. */
#ifndef RMIL_TEST_OUTLINES_H
#define RMIL_TEST_OUTLINES_H

#include "rankmil/annotation.h"
#include "support.h"

/* One annotation of ASAP's XML, added to xml; a square polygon. */
void outlines_add(GString *xml, const char *type, const char *group, const double *xy, int points);
void outlines_square(GString *xml, const char *group, double x, double y, double side);
/* Writes FOLDER/a.xml of what was added, and empties xml. groups: the file's AnnotationGroups, or NULL. Free with g_free. */
char *outlines_finish(const char *folder, GString *xml, const char *groups);

/* Regions of files that can be read; options: the default ones. */
RmilRegion *outlines_read_with(const char *path, const RmilAnnotationOptions *options);
RmilRegion *outlines_read(const char *path);
/* Area of a file's region, px²; options may be NULL. */
double outlines_area(const char *path, const RmilAnnotationOptions *options);
/* Share of one tile inside. */
double outlines_share(const RmilRegion *region, int64_t x, int64_t y, double side);
/* The file cannot be read, for this reason; the message names the file. options may be NULL. */
void outlines_fail(const char *path, const RmilAnnotationOptions *options, RmilErrorCode code, const char *part);

#endif
