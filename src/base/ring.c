#include "base/ring.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

void sk_ring_init(sk_ring *ring, size_t item_size)
{
    SK_ASSERT(item_size > 0);
    *ring = (sk_ring){.item_size = item_size};
}

void sk_ring_deinit(sk_ring *ring)
{
    sk_free(ring->items);
    *ring = (sk_ring){.item_size = ring->item_size};
}

static void grow(sk_ring *ring)
{
    size_t capacity = ring->capacity ? ring->capacity * 2 : 16;
    uint8_t *items = sk_alloc(capacity * ring->item_size);
    for (size_t i = 0; i < ring->count; i++) {
        memcpy(items + i * ring->item_size, sk_ring_at(ring, i), ring->item_size);
    }
    sk_free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->first = 0;
}

void *sk_ring_push(sk_ring *ring)
{
    if (ring->count == ring->capacity) grow(ring);
    ring->count++;
    return sk_ring_at(ring, ring->count - 1);
}

void *sk_ring_at(const sk_ring *ring, size_t index)
{
    SK_ASSERT(index < ring->count);
    return ring->items + ((ring->first + index) & (ring->capacity - 1)) * ring->item_size;
}

void sk_ring_pop_front(sk_ring *ring, size_t count)
{
    SK_ASSERT(count <= ring->count);
    if (!count) return;
    ring->first = (ring->first + count) & (ring->capacity - 1);
    ring->count -= count;
}

void sk_ring_pop_back(sk_ring *ring, size_t count)
{
    SK_ASSERT(count <= ring->count);
    ring->count -= count;
}
