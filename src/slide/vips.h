/* SPDX-License-Identifier: Apache-2.0 */
/* libvips, started once for the whole process, silent, and leaving the threads to us. */
#ifndef RMIL_VIPS_H
#define RMIL_VIPS_H

#include "base/base-private.h"

#include <vips/vips.h>

/* Under a name of our own: some versions of libvips define this for VipsImage, some do not. */
typedef VipsImage RmilVipsImage;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilVipsImage, g_object_unref)

/* Call before any use of libvips or libtiff. Thread-safe; the first call does the work. */
gboolean rmil_vips_init(GError **error);

/* Sets *error to "what: REASON" with the first line that vips has to say, clears vips' messages, and gives FALSE. */
gboolean rmil_vips_fail(GError **error, RmilErrorCode code, const char *what);

#endif
