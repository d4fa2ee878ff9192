/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a network in training. */
#ifndef RMIL_NETWORK_PRIVATE_H
#define RMIL_NETWORK_PRIVATE_H

#include "learned.h"
#include "network.h"
#include "norm.h"
#include "resnet.h"

/* A convolution and the norm behind it. */
typedef struct {
    RmilLearned *convolution;
    RmilNorm *norm;
    RmilMaps maps; /* of a chunk of what it makes */
    int64_t side;  /* of these */
    int tensor;    /* its first of five: weight, then the norm's γ, β, running mean and variance */
    char *x;       /* what the convolution makes of the batch */
    double *sums;  /* chunks × 2 × channels */
} RmilUnit;

/* A bottleneck: 1 × 1, 3 × 3, 1 × 1, and the shortcut's where there is one. */
enum { RMIL_LAST = 2, RMIL_SHORTCUT = 3, RMIL_UNITS = 4 };
typedef struct {
    RmilUnit units[RMIL_UNITS];
    gboolean projects; /* it has a shortcut unit; else the input is added as it is */
    gboolean kept;     /* x stays for the way back; else its arrays are shared, and made anew */
    char *out;         /* of the batch */
} RmilBlock;

typedef struct {
    RmilStream *stream;
    char *scratch[2]; /* a chunk of the largest maps each */
    void *work;       /* oneDNN's */
} RmilNetworkWorker;

struct _RmilNetwork {
    RmilNetworkConfig config;
    RmilDnn *dnn;
    RmilCrew *crew;
    RmilResnet *prefix; /* frozen stages; NULL: none */
    int64_t chunk, chunks;
    RmilUnit stem;
    RmilBlock *blocks;
    int n_blocks;
    RmilMaps entry;           /* a chunk of what the first block reads */
    char *input;              /* that, of the batch */
    int head;                 /* tensor fc.weight; fc.bias is the next */
    float *features, *slopes; /* batch × channels of the last block */
    int64_t channels;
    char *shared[2]; /* of blocks that are not kept */
    char *g, *d, *h; /* slopes of maps, a chunk each `stride` bytes */
    gsize stride;
    float *partial[2]; /* gradients of weights, chunk after chunk */
    RmilNetworkWorker *workers;
    int n_workers;
    gsize work; /* bytes of oneDNN's scratch */
    int64_t memory;
    /* the call under way */
    float *const *values;
    float *const *gradients;
    const float *tiles;
    int at, unit;   /* block and unit */
    gboolean again; /* forward for the way back: statistics stay */
};

static inline gsize rmil_unit_chunk(const RmilUnit *unit) { return rmil_maps_bytes(&unit->maps); }
/* Chunk i of what a unit made. */
static inline char *rmil_unit_x(const RmilUnit *unit, int64_t i) { return unit->x + (gsize)i * rmil_unit_chunk(unit); }
static inline double *rmil_unit_sums(const RmilUnit *unit, int64_t i) { return unit->sums + 2 * i * unit->maps.channels; }
/* What block b reads, and what it writes. */
static inline char *rmil_block_in(const RmilNetwork *n, int b, int64_t i) {
    return b ? n->blocks[b - 1].out + (gsize)i * rmil_unit_chunk(&n->blocks[b - 1].units[RMIL_LAST])
             : n->input + (gsize)i * rmil_maps_bytes(&n->entry);
}
static inline char *rmil_block_out(const RmilBlock *block, int64_t i) {
    return block->out + (gsize)i * rmil_unit_chunk(&block->units[RMIL_LAST]);
}
/* The tiles of chunk i as the stem takes them: as they are, or as bfloat16 in a worker's second scratch. */
const void *rmil_network_tiles(const RmilNetwork *n, int worker, int64_t i);
/* Block b's convolutions once more, to the same bits, where they were not kept. */
gboolean rmil_network_again(RmilNetwork *n, int b, GError **error);

#endif
