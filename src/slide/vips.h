/* SPDX-License-Identifier: Apache-2.0 */
/* libvips, started once per process, silent, and without threads of its own. */
#ifndef RMIL_VIPS_H
#define RMIL_VIPS_H

#include "base/base-private.h"

#include <vips/vips.h>

/* With a name of our own: some versions of libvips define this for VipsImage, some do not. */
typedef VipsImage RmilVipsImage;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilVipsImage, g_object_unref)

/* Call before any use of libvips or libtiff. Thread-safe; the first call does the work. */
gboolean rmil_vips_init(GError **error);

/* Sets *error to "what: REASON" with vips' first message, clears vips' messages, and returns FALSE. */
gboolean rmil_vips_fail(GError **error, RmilErrorCode code, const char *what);

#endif
