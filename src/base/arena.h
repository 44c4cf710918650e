// A bump arena: memory for the results of one step. Pointers stay valid until the next reset, however much
// is taken. Blocks are kept over resets up to `keep` bytes, so a steady state allocates nothing.
#ifndef SK_BASE_ARENA_H
#define SK_BASE_ARENA_H

#include <stddef.h>
#include "base/bytes.h"

typedef struct sk_arena_block sk_arena_block;

typedef struct sk_arena {
    sk_arena_block *blocks; // the one in use first
    size_t used;            // in the first block
} sk_arena;

// Eight-byte aligned, uninitialised, never NULL. Zero-initialised arenas are valid.
void *sk_arena_take(sk_arena *arena, size_t size);
sk_slice sk_arena_copy(sk_arena *arena, sk_slice slice);
// The last `unused` bytes of the most recent take are given back.
void sk_arena_give_back(sk_arena *arena, size_t unused);
// Everything taken becomes invalid.
void sk_arena_reset(sk_arena *arena);
void sk_arena_deinit(sk_arena *arena);

#endif
