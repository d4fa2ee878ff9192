/* SPDX-License-Identifier: Apache-2.0 */
/* A digest of a bag's content, to find the same slide under another name. */
#include "digest.h"

#include "bag-private.h"
#include "tensors/tensors-private.h"

enum { ROWS = 64 };

char *rmil_bag_digest(const RmilBag *bag) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *size = g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, bag->count, bag->dim);
    g_checksum_update(sum, (const guchar *)size, -1);
    g_autofree uint16_t *row = g_new(uint16_t, (gsize)bag->dim + 1);
    for (int64_t i = 0; bag->features && i < MIN(bag->count, ROWS); i++) { /* spread evenly over the bag, including first and last */
        const int64_t at = bag->count <= ROWS ? i : i * (bag->count - 1) / (ROWS - 1);
        const size_t bytes = rmil_precision_bytes(bag->precision);
        const char *from = (const char *)bag->features + (size_t)(at * bag->dim) * bytes;
        if (bag->precision == RMIL_FLOAT32) rmil_decode(FALSE, from, RMIL_BFLOAT16, row, bag->dim);
        g_checksum_update(sum, bag->precision == RMIL_FLOAT32 ? (const guchar *)row : (const guchar *)from, (gssize)(bag->dim * 2));
    }
    return g_strdup(g_checksum_get_string(sum));
}

void rmil_bag_digests(const RmilBag *bag, RmilDigest digests[RMIL_BAG_DIGESTS]) {
    const size_t count = (size_t)bag->count;
    digests[0] = rmil_digest(bag->features, bag->features ? count * (size_t)bag->dim * rmil_precision_bytes(bag->precision) : 0);
    digests[1] = rmil_digest(bag->coords, bag->coords ? 2 * count * sizeof *bag->coords : 0);
    digests[2] = rmil_digest(bag->tissue, bag->tissue ? count * sizeof *bag->tissue : 0);
}
