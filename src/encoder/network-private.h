/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a network in training. */
#ifndef RMIL_NETWORK_PRIVATE_H
#define RMIL_NETWORK_PRIVATE_H

#include "learned.h"
#include "network.h"
#include "norm.h"
#include "resnet.h"

/* A convolution and the norm after it. */
typedef struct {
    RmilLearned *convolution;
    RmilNorm *norm;
    RmilMaps maps; /* of a chunk of its output */
    int64_t side;  /* of its output */
    int tensor;    /* index of the first of its five tensors: weight, then the norm's γ, β, running mean and variance */
    char *x;       /* the convolution's output for the batch */
    double *sums;  /* chunks × 2 × channels */
} RmilUnit;

/* A bottleneck: 1 × 1, 3 × 3, 1 × 1, and the shortcut's if it has one. */
enum { RMIL_LAST = 2, RMIL_SHORTCUT = 3, RMIL_UNITS = 4 };
typedef struct {
    RmilUnit units[RMIL_UNITS];
    gboolean projects; /* it has a shortcut unit; otherwise the input is added as it is */
    gboolean kept;     /* x is kept for the backward pass; otherwise its arrays are shared, and recomputed */
    char *out;         /* of the batch */
} RmilBlock;

typedef struct {
    RmilStream *stream;
    char *scratch[2]; /* room for a chunk of the largest maps in each */
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
    RmilMaps entry;           /* a chunk of the first block's input */
    char *input;              /* the same for the batch */
    int head;                 /* tensor fc.weight; fc.bias is the next */
    float *features, *slopes; /* batch × channels of the last block */
    int64_t channels;
    char *shared[2]; /* for blocks that are not kept */
    char *g, *d, *h; /* slopes of maps, one chunk every `stride` bytes */
    gsize stride;
    float *partial[2]; /* gradients of weights, chunk after chunk */
    RmilNetworkWorker *workers;
    int n_workers;
    gsize work; /* bytes of oneDNN's scratch */
    int64_t memory;
    /* the current call */
    float *const *values;
    float *const *gradients;
    const float *tiles;
    int at, unit;   /* current block and unit */
    gboolean again; /* forward for the backward pass: leaves the statistics unchanged */
};

static inline gsize rmil_unit_chunk(const RmilUnit *unit) { return rmil_maps_bytes(&unit->maps); }
/* Chunk i of a unit's output. */
static inline char *rmil_unit_x(const RmilUnit *unit, int64_t i) { return unit->x + (gsize)i * rmil_unit_chunk(unit); }
static inline double *rmil_unit_sums(const RmilUnit *unit, int64_t i) { return unit->sums + 2 * i * unit->maps.channels; }
/* The input and output of block b. */
static inline char *rmil_block_in(const RmilNetwork *n, int b, int64_t i) {
    return b ? n->blocks[b - 1].out + (gsize)i * rmil_unit_chunk(&n->blocks[b - 1].units[RMIL_LAST])
             : n->input + (gsize)i * rmil_maps_bytes(&n->entry);
}
static inline char *rmil_block_out(const RmilBlock *block, int64_t i) {
    return block->out + (gsize)i * rmil_unit_chunk(&block->units[RMIL_LAST]);
}
/* The tiles of chunk i as input for the stem: unchanged, or as bfloat16 in a worker's second scratch. */
const void *rmil_network_tiles(const RmilNetwork *n, int worker, int64_t i);
/* Recomputes block b's convolutions, bit for bit, if they were not kept. */
gboolean rmil_network_again(RmilNetwork *n, int b, GError **error);

#endif
