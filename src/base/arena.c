#include "base/arena.h"

#include "base/alloc.h"
#include "base/assert.h"

struct sk_arena_block {
    sk_arena_block *next;
    size_t size;
    _Alignas(16) uint8_t data[];
};

enum { BLOCK_SIZE_MIN = 16 * 1024, BLOCK_SIZE_KEPT_MAX = 256 * 1024 };

static sk_arena_block *block_open(size_t size, sk_arena_block *next)
{
    sk_arena_block *block = sk_alloc(sizeof *block + size);
    block->next = next;
    block->size = size;
    return block;
}

void *sk_arena_take(sk_arena *arena, size_t size)
{
    SK_ASSERT(size <= SIZE_MAX / 4);
    size_t at = (arena->used + 7) & ~(size_t)7;
    if (!arena->blocks || at > arena->blocks->size || size > arena->blocks->size - at) {
        arena->blocks = block_open(size > BLOCK_SIZE_MIN ? size : BLOCK_SIZE_MIN, arena->blocks);
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

static void free_all(sk_arena *arena)
{
    while (arena->blocks) {
        sk_arena_block *next = arena->blocks->next;
        sk_free(arena->blocks);
        arena->blocks = next;
    }
}

// Several blocks become one with room for as much, so that the next step finds it.
void sk_arena_reset(sk_arena *arena)
{
    size_t size = 0;
    for (const sk_arena_block *block = arena->blocks; block; block = block->next) size += block->size;
    bool one = arena->blocks && !arena->blocks->next && size <= BLOCK_SIZE_KEPT_MAX;
    if (!one && size) {
        free_all(arena);
        arena->blocks = block_open(size < BLOCK_SIZE_KEPT_MAX ? size : BLOCK_SIZE_KEPT_MAX, NULL);
    }
    arena->used = 0;
}

void sk_arena_deinit(sk_arena *arena)
{
    free_all(arena);
    arena->used = 0;
}
