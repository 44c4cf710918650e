// A ring of fixed-size items that grows by doubling up to whatever bound its owner keeps. Index 0 is the oldest.
#ifndef SK_BASE_RING_H
#define SK_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct sk_ring {
    uint8_t *items;
    size_t item_size;
    size_t capacity; // a power of two, or 0
    size_t first;
    size_t count;
} sk_ring;

void sk_ring_init(sk_ring *ring, size_t item_size);
void sk_ring_deinit(sk_ring *ring);
void *sk_ring_push(sk_ring *ring);            // a new last item, uninitialised
void *sk_ring_at(const sk_ring *ring, size_t index); // index < count
void sk_ring_pop_front(sk_ring *ring, size_t count);
void sk_ring_pop_back(sk_ring *ring, size_t count);

#endif
