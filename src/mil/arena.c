/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a step uses and forgets. */
#include "model.h"

/* A list of blocks. If a step needed more than one, the next reset replaces them with one block of their total size. */
typedef struct {
    char *memory;
    size_t size, used;
} Block;

struct _RmilArena {
    GArray *blocks;
    guint current; /* block in use; later blocks are unused */
};

#define ALIGNMENT ((size_t)64)
#define SMALLEST ((size_t)1 << 16)

RmilArena *rmil_arena_new(void) {
    RmilArena *arena = g_new0(RmilArena, 1);
    arena->blocks = g_array_new(FALSE, FALSE, sizeof(Block));
    return arena;
}

static size_t free_blocks(RmilArena *arena) {
    size_t total = 0;
    for (guint i = 0; i < arena->blocks->len; i++) {
        Block *block = &g_array_index(arena->blocks, Block, i);
        total += block->size;
        rmil_free(block->memory);
    }
    g_array_set_size(arena->blocks, 0);
    return total;
}

void rmil_arena_free(RmilArena *arena) {
    if (!arena) return;
    free_blocks(arena);
    g_array_unref(arena->blocks);
    g_free(arena);
}

static gboolean add_block(RmilArena *arena, size_t size, GError **error) {
    Block block = {.memory = rmil_alloc((int64_t)size, 1, error), .size = size};
    if (!block.memory) return FALSE;
    g_array_append_val(arena->blocks, block);
    return TRUE;
}

void rmil_arena_reset(RmilArena *arena) {
    if (arena->blocks->len > 1) {
        size_t total = free_blocks(arena);
        add_block(arena, total, NULL); /* not enough memory: blocks are added one by one again */
    }
    rmil_arena_release(arena, (RmilArenaMark){0, 0});
}

size_t rmil_arena_size(const RmilArena *arena) {
    size_t total = 0;
    for (guint i = 0; i < arena->blocks->len; i++) total += g_array_index(arena->blocks, Block, i).size;
    return total;
}

size_t rmil_arena_used(const RmilArena *arena) {
    size_t total = 0;
    for (guint i = 0; i < arena->blocks->len; i++) total += g_array_index(arena->blocks, Block, i).used;
    return total;
}

RmilArenaMark rmil_arena_mark(const RmilArena *arena) {
    if (arena->blocks->len == 0) return (RmilArenaMark){0, 0};
    return (RmilArenaMark){arena->current, g_array_index(arena->blocks, Block, arena->current).used};
}

void rmil_arena_release(RmilArena *arena, RmilArenaMark mark) {
    for (guint i = mark.block; i < arena->blocks->len; i++) g_array_index(arena->blocks, Block, i).used = i == mark.block ? mark.used : 0;
    arena->current = mark.block;
}

void *rmil_arena_take(RmilArena *arena, int64_t n, size_t size, GError **error) {
    size_t bytes;
    if (n < 0 || !g_size_checked_mul(&bytes, (size_t)n, size) || bytes > G_MAXSSIZE - ALIGNMENT) {
        rmil_fail(error, RMIL_ERROR_MEMORY, "%" G_GINT64_FORMAT " numbers of %zu bytes do not fit in memory", n, size);
        return NULL;
    }
    bytes = MAX((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT, ALIGNMENT);
    for (;; arena->current++) {
        if (arena->current >= arena->blocks->len && !add_block(arena, MAX(bytes, SMALLEST), error)) {
            arena->current = arena->blocks->len ? arena->blocks->len - 1 : 0;
            return NULL;
        }
        Block *block = &g_array_index(arena->blocks, Block, arena->current);
        if (block->size - block->used >= bytes) {
            void *memory = block->memory + block->used;
            block->used += bytes;
            return memory;
        }
    }
}
