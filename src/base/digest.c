/* SPDX-License-Identifier: Apache-2.0 */
/* A digest of large arrays, faster than memory can be read. */
#include "base-private.h"

#include <string.h>

/* The rounds of XXH64, with the four lanes kept whole instead of being folded into one: a few bytes per clock, where SHA-256 needs several
 * clocks per byte. A round is a permutation of the lane and of the word, so one changed word always changes its lane. */
static uint64_t absorb(uint64_t lane, uint64_t word) {
    lane += word * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (lane << 31 | lane >> 33) * UINT64_C(0x9E3779B185EBCA87);
}

RmilDigest rmil_digest(const void *data, size_t bytes) {
    RmilDigest d = {{UINT64_C(0x60EA27EEADC0B5D6), UINT64_C(0xC2B2AE3D27D4EB4F), 0, UINT64_C(0x61C8864E7A143579)}};
    uint64_t words[4];
    const char *at = data;
    for (; bytes >= sizeof words; at += sizeof words, bytes -= sizeof words) {
        memcpy(words, at, sizeof words);
        for (int i = 0; i < 4; i++) d.lanes[i] = absorb(d.lanes[i], words[i]);
    }
    memset(words, 0, sizeof words); /* sizes are in the key */
    if (bytes) memcpy(words, at, bytes);
    for (int i = 0; i < 4; i++) d.lanes[i] = absorb(d.lanes[i], words[i]);
    return d;
}
