#include "sim/synced.h"

typedef struct stage {
    uint64_t number;
    sk_vector seen;
} stage;

void sk_synced_init(sk_synced *synced)
{
    *synced = (sk_synced){0};
    sk_ring_init(&synced->pending, sizeof(stage));
}

void sk_synced_restart(sk_synced *synced)
{
    for (size_t i = 0; i < synced->pending.count; i++) sk_vector_deinit(&((stage *)sk_ring_at(&synced->pending, i))->seen);
    sk_ring_pop_front(&synced->pending, synced->pending.count);
}

void sk_synced_deinit(sk_synced *synced)
{
    sk_synced_restart(synced);
    sk_ring_deinit(&synced->pending);
    sk_vector_deinit(&synced->vector);
}

void sk_synced_lose(sk_synced *synced)
{
    sk_synced_restart(synced);
    sk_vector_clear(&synced->vector);
}

static bool is_new(const sk_synced *synced, uint64_t number)
{
    size_t count = synced->pending.count;
    return !count || ((const stage *)sk_ring_at(&synced->pending, count - 1))->number < number;
}

void sk_synced_look(sk_synced *synced, uint64_t number, uint64_t durable, const sk_vector *seen)
{
    if (number > durable && is_new(synced, number)) {
        stage *last = sk_ring_push(&synced->pending);
        *last = (stage){.number = number};
        sk_vector_copy(&last->seen, seen);
    }
    while (synced->pending.count) {
        stage *first = sk_ring_at(&synced->pending, 0);
        if (first->number > durable) break;
        sk_vector_join(&synced->vector, &first->seen);
        sk_vector_deinit(&first->seen);
        sk_ring_pop_front(&synced->pending, 1);
    }
    if (number <= durable) sk_vector_join(&synced->vector, seen);
}
