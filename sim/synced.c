#include "sim/synced.h"

#include "base/alloc.h"
#include "sim/merging.h"

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

// From the moment that its record is handed to the disk: a new segment, and the batch before it.
static sk_ns disk_time(const sk_swarm *swarm)
{
    return 50 * SK_MS + 40 * swarm->disk_mean;
}

bool sk_synced_excused(const sk_computer *computer, const sk_operation *op)
{
    const sk_world *world = computer->world;
    const sk_swarm *swarm = &world->swarm;
    if (swarm->durability == SK_DURABILITY_VOLATILE || op->outcome != SK_OUTCOME_OK) return true;
    if (op->end <= computer->steady_since || world->now <= computer->trouble_until || computer->paused) return true;
    if (sk_merging_halted(computer)) return true;
    sk_ns window = swarm->durability == SK_DURABILITY_GROUP ? swarm->group_ms * SK_MS : 0;
    sk_ns allowed = window + window / 1000000 * 2 * swarm->drift_ppm_max + disk_time(swarm);
    if (swarm->fault[SK_FAULT_TIMER_LATE]) allowed += 6 * SK_S;
    if (swarm->fault[SK_FAULT_TIMER_COALESCED]) allowed += 500 * SK_MS;
    return world->now - op->end <= allowed;
}
