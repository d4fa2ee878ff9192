/* Stored numbers <-> numbers in memory. */
#ifndef RMIL_CONVERT_PRIVATE_H
#define RMIL_CONVERT_PRIVATE_H

#include "hdf5-private.h"
#include "rankmil/encoder.h"

/* n stored float16 or float32 values -> float32 or bfloat16 (round to nearest even, subnormals kept). FALSE: one of the
 * results is infinite or not a number; all of them are written all the same. Vectorised; bit-exact with the plain one. */
gboolean rmil_decode(RmilElement element, const void *raw, RmilPrecision precision, void *out, int64_t n);
gboolean rmil_decode_plain(RmilElement element, const void *raw, RmilPrecision precision, void *out, int64_t n);

/* The way back: float32 or bfloat16 in memory -> float16 (half) or float32. FALSE: a result is not finite. */
gboolean rmil_encode(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n);
gboolean rmil_encode_plain(RmilPrecision precision, const void *values, gboolean half, void *out, int64_t n);

static inline size_t rmil_precision_bytes(RmilPrecision precision) { return precision == RMIL_BFLOAT16 ? 2 : 4; }

/* For arrays of features: not zeroed, aligned to huge pages when large. Free with rmil_free. */
void *rmil_alloc_features(int64_t rows, int64_t row_bytes, GError **error);

#endif
