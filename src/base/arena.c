#include "base/arena.h"

#include "base/alloc.h"
#include "base/assert.h"

struct sk_arena_block {
    sk_arena_block *next;
    size_t size;
    _Alignas(16) uint8_t data[];
};

enum { BLOCK_SIZE_MIN = 16 * 1024, BLOCK_SIZE_KEPT_MAX = 256 * 1024 };

void *sk_arena_take(sk_arena *arena, size_t size)
{
    SK_ASSERT(size <= SIZE_MAX / 4);
    size_t at = (arena->used + 7) & ~(size_t)7;
    if (!arena->blocks || at > arena->blocks->size || size > arena->blocks->size - at) {
        size_t block_size = size > BLOCK_SIZE_MIN ? size : BLOCK_SIZE_MIN;
        sk_arena_block *block = sk_alloc(sizeof *block + block_size);
        block->next = arena->blocks;
        block->size = block_size;
        arena->blocks = block;
        at = 0;
    }
    arena->used = at + size;
    return arena->blocks->data + at;
}

void sk_arena_give_back(sk_arena *arena, size_t unused)
{
    SK_ASSERT(arena->used >= unused);
    arena->used -= unused;
}

sk_slice sk_arena_copy(sk_arena *arena, sk_slice slice)
{
    uint8_t *data = sk_arena_take(arena, slice.size);
    if (slice.size) memcpy(data, slice.data, slice.size);
    return sk_slice_make(data, slice.size);
}

void sk_arena_reset(sk_arena *arena)
{
    sk_arena_block *kept = NULL;
    while (arena->blocks) {
        sk_arena_block *next = arena->blocks->next;
        bool keep = arena->blocks->size <= BLOCK_SIZE_KEPT_MAX && (!kept || arena->blocks->size > kept->size);
        sk_arena_block *gone = keep ? kept : arena->blocks;
        if (keep) kept = arena->blocks;
        sk_free(gone);
        arena->blocks = next;
    }
    if (kept) kept->next = NULL;
    arena->blocks = kept;
    arena->used = 0;
}

void sk_arena_deinit(sk_arena *arena)
{
    while (arena->blocks) {
        sk_arena_block *next = arena->blocks->next;
        sk_free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}
