// Rule 4: what was delivered lately, in that order.
#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/causal/causal.h"

sk_causal_entry *sk_causal_entry_push(sk_ring *ring, sk_slice bytes)
{
    sk_causal_entry *entry = sk_ring_push(ring);
    *entry = (sk_causal_entry){.bytes = sk_alloc(bytes.size), .size = bytes.size};
    if (bytes.size) memcpy(entry->bytes, bytes.data, bytes.size);
    return entry;
}

void sk_causal_entries_clear(sk_ring *ring)
{
    for (size_t i = 0; i < ring->count; i++) sk_free(((sk_causal_entry *)sk_ring_at(ring, i))->bytes);
    sk_ring_pop_front(ring, ring->count);
}

static void drop_first(sk_causal_replica *causal)
{
    sk_causal_entry *entry = sk_ring_at(&causal->log, 0);
    sk_vector_raise(&causal->floor, entry->actor, entry->last);
    if (entry->closes) sk_vector_retire(&causal->floor, sk_actor_make(sk_actor_node(entry->actor), entry->closes));
    causal->log_bytes -= entry->size;
    causal->log_first++;
    sk_free(entry->bytes);
    sk_ring_pop_front(&causal->log, 1);
}

void sk_causal_log_add(sk_causal_replica *causal, const sk_causal_batch *batch)
{
    sk_causal_entry *entry = sk_causal_entry_push(&causal->log, batch->bytes);
    entry->actor = batch->actor;
    entry->first = batch->first;
    entry->last = batch->last;
    entry->closes = batch->closes;
    causal->log_bytes += entry->size;
    while (causal->log_bytes > causal->core.limits.window_bytes_max) drop_first(causal);
}

static bool all_have(const sk_causal_replica *causal, sk_dot dot)
{
    for (size_t i = 0; i < causal->core.peer_count; i++) {
        if (!causal->peers[i].core.reported || !sk_vector_has(&causal->peers[i].core.told, dot)) return false;
    }
    return true;
}

void sk_causal_log_trim(sk_causal_replica *causal)
{
    while (causal->log.count) {
        const sk_causal_entry *entry = sk_ring_at(&causal->log, 0);
        if (!all_have(causal, (sk_dot){entry->actor, entry->last})) break;
        drop_first(causal);
    }
}

bool sk_causal_log_reaches(const sk_causal_replica *causal, const sk_vector *seen)
{
    return sk_vector_covers(seen, &causal->floor);
}

void sk_causal_log_restart(sk_causal_replica *causal)
{
    causal->log_first += causal->log.count + 1; // so that no cursor into the old one seems to be in the new one
    sk_causal_entries_clear(&causal->log);
    causal->log_bytes = 0;
    sk_vector_copy(&causal->floor, sk_causal_seen(causal));
}
