/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of a bag's content, to tell bags apart. */
#ifndef RMIL_BAG_DIGEST_H
#define RMIL_BAG_DIGEST_H

#include "base/base-private.h"
#include "rankmil/bag.h"

/* Digests of a bag's features, coordinates and tissue shares: all of them, byte for byte. */
enum { RMIL_BAG_DIGESTS = 3 };
void rmil_bag_digests(const RmilBag *bag, RmilDigest digests[RMIL_BAG_DIGESTS]);

#endif
